package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // so that exporters may compress
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/sextant-logs/sextant/internal/otlp"
	"github.com/sextant-logs/sextant/internal/spool"
)

// OpenTelemetry logs (OTLP 1.x): by gRPC, and by HTTP as protobuf and as JSON.
// A log record becomes a JSON document in ECS terms (package otlp).
//
// Source: opentelemetry-proto, "OTLP Specification 1.x" and logs/v1.
var (
	_ = register("otlp+grpc", "OpenTelemetry logs by gRPC", newOTLPGRPC)
	_ = register("otlp+grpcs", "the same over TLS: ?cert=&key= and, for client certificates, &client-ca=", newOTLPGRPC)
	_ = registerEndpoint(Endpoint{Pattern: "POST /v1/logs", Title: "OpenTelemetry logs (OTLP/HTTP, protobuf and JSON)", Handler: newOTLPHTTP})
)

type otlpGRPC struct {
	plogotlp.UnimplementedGRPCServer
	url  *url.URL
	o    Options
	l    net.Listener
	sink Sink
}

func newOTLPGRPC(u *url.URL, o Options) (Collector, error) { return &otlpGRPC{url: u, o: o}, nil }

func (c *otlpGRPC) Name() string {
	if c.l == nil {
		return baseURL(c.url, nil)
	}
	return baseURL(c.url, c.l.Addr())
}

func (c *otlpGRPC) Listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.url.Host)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	c.l = Limit(l)
	return nil
}

func (c *otlpGRPC) Run(ctx context.Context, sink Sink) error {
	c.sink = sink
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxOTLPGRPC), grpc.MaxConcurrentStreams(16), grpc.ConnectionTimeout(10 * time.Second),
		grpc.ForceServerCodecV2(otlpCodec{encoding.GetCodecV2("proto")})}
	if strings.HasSuffix(c.url.Scheme, "grpcs") {
		config, err := tlsConfig(c.url)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s := grpc.NewServer(options...)
	plogotlp.RegisterGRPCServer(s, c)
	stop := context.AfterFunc(ctx, func() {
		done := make(chan struct{})
		go func() { s.GracefulStop(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			s.Stop()
		}
	})
	defer stop()
	if err := s.Serve(c.l); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// Export implements plogotlp.GRPCServer.
func (c *otlpGRPC) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	d := &spool.Delivery{Collector: c.Name(), Format: "json", Received: time.Now().UnixNano()}
	if p, ok := peer.FromContext(ctx); ok {
		d.Peer = peerIP(p.Addr)
	}
	if err := otlpRecords(d, r.Logs()); err != nil {
		return plogotlp.NewExportResponse(), status.Error(codes.InvalidArgument, err.Error())
	}
	if err := deliver(ctx, c.sink, c.o.Stats, d); err != nil {
		return plogotlp.NewExportResponse(), status.Error(codes.Unavailable, err.Error())
	}
	return plogotlp.NewExportResponse(), nil
}

func newOTLPHTTP(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			http.Error(w, err.Error(), bodyStatus(err))
			return
		}
		req := plogotlp.NewExportRequest()
		asJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
		if asJSON {
			if bytes.Count(body, []byte("{")) > maxOTLPValues {
				err = errOTLP
			} else {
				err = req.UnmarshalJSON(body)
			}
		} else if err = otlpBound(body); err == nil {
			err = req.UnmarshalProto(body)
		}
		d := newDelivery(r, name, "/v1/logs", "json")
		if err == nil {
			err = otlpRecords(d, req.Logs())
		}
		if err != nil {
			o.Stats.Errors.Add(1)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			refuse(w, o, err)
			return
		}
		var answer []byte
		if asJSON {
			w.Header().Set("Content-Type", "application/json")
			answer, _ = plogotlp.NewExportResponse().MarshalJSON()
		} else {
			w.Header().Set("Content-Type", "application/x-protobuf")
			answer, _ = plogotlp.NewExportResponse().MarshalProto()
		}
		w.Write(answer)
	})
}

// otlpRecords adds the records of an export request, each with a key: exporters
// repeat a request as it was, and times are in nanoseconds. Records that are
// alike within a request are told apart by their number among those.
func otlpRecords(d *spool.Delivery, logs plog.Logs) error {
	if logs.LogRecordCount() > 100_000 {
		return errors.New("more than 100,000 records in one request")
	}
	seen := map[spool.Key]int{}
	size := 0
	for i := range logs.ResourceLogs().Len() {
		rl := logs.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(j)
			for k := range sl.LogRecords().Len() {
				lr := sl.LogRecords().At(k)
				doc := otlp.Document(rl.Resource(), sl.Scope(), lr, d.Received)
				if size += len(doc); size > spool.MaxDelivery*3/4 {
					return fmt.Errorf("more than %d bytes of records in one request", spool.MaxDelivery*3/4)
				}
				r := spool.Record{Data: doc}
				if lr.Timestamp() != 0 || lr.ObservedTimestamp() != 0 {
					key := spool.KeyOf([]byte("otlp"), doc)
					n := seen[key]
					seen[key]++
					r.Key = spool.KeyOf(key[:], []byte(strconv.Itoa(n)))
				}
				d.Records = append(d.Records, r)
			}
		}
	}
	return nil
}
