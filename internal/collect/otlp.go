package collect

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // so that exporters may compress
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// OpenTelemetry logs (OTLP 1.x): by gRPC, and by HTTP as protobuf and as JSON.
// A log record becomes a JSON document in ECS terms: its body is the message, its
// attributes and its resource's keep their names where ECS has them, as the
// semantic conventions and ECS have been one since 2023, and stand under
// otel.attributes and otel.resource otherwise.
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
	if c.l, err = lc.Listen(ctx, "tcp", c.url.Host); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	return nil
}

func (c *otlpGRPC) Run(ctx context.Context, sink Sink) error {
	c.sink = sink
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(MaxBody), grpc.MaxConcurrentStreams(64)}
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
			err = req.UnmarshalJSON(body)
		} else {
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
				doc := otlpDocument(rl.Resource(), sl.Scope(), lr, d.Received)
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

// otlpSeverity is the level of a severity number (logs data model, "Severity
// fields"): six ranges of four.
var otlpSeverity = [...]string{"trace", "debug", "info", "warn", "error", "fatal"}

func otlpDocument(res pcommon.Resource, scope pcommon.InstrumentationScope, lr plog.LogRecord, received int64) []byte {
	b := event.Batch{}
	b.Begin(0, "")
	at := int64(lr.Timestamp())
	if at == 0 {
		at = int64(lr.ObservedTimestamp())
	}
	if at == 0 {
		at = received
	}
	b.Add("@timestamp", time.Unix(0, at).UTC().Format(time.RFC3339Nano))
	b.Add("ecs.version", "8.11.0")
	b.Add("event.kind", "event")
	body := lr.Body()
	switch body.Type() {
	case pcommon.ValueTypeMap:
		otlpMap(&b, "otel.body", body.Map(), 0)
		if v, ok := body.Map().Get("message"); ok {
			b.Add("message", v.AsString())
		} else {
			b.Add("message", body.AsString())
		}
	default:
		b.Add("message", body.AsString())
	}
	if s := lr.SeverityText(); s != "" {
		b.Add("log.level", strings.ToLower(s))
	} else if n := int(lr.SeverityNumber()); n >= 1 && n <= 24 {
		b.Add("log.level", otlpSeverity[(n-1)/4])
	}
	if n := lr.SeverityNumber(); n != 0 {
		b.AddInt("otel.severity_number", int64(n))
	}
	if id := lr.TraceID(); !id.IsEmpty() {
		b.Add("trace.id", hex.EncodeToString(id[:]))
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		b.Add("span.id", hex.EncodeToString(id[:]))
	}
	b.Add("event.action", lr.EventName())
	b.Add("log.logger", scope.Name())
	otlpAttributes(&b, "otel.resource", res.Attributes())
	otlpAttributes(&b, "otel.attributes", lr.Attributes())
	return event.AppendFieldsJSON(nil, b.Event().Fields)
}

// otlpNames are the attributes of the semantic conventions that ECS has under
// another name; those of the families in otlpSame have the same in both.
var otlpNames = map[string]string{
	"service.instance.id": "service.node.name", "deployment.environment": "service.environment", "deployment.environment.name": "service.environment",
	"host.arch": "host.architecture", "host.name": "host.name", "host.id": "host.id", "host.ip": "host.ip", "os.type": "host.os.type", "os.version": "host.os.version",
	"process.pid": "process.pid", "process.executable.path": "process.executable", "process.executable.name": "process.name", "process.command_line": "process.command_line",
	"process.owner": "user.name", "thread.id": "process.thread.id", "thread.name": "process.thread.name",
	"k8s.namespace.name": "orchestrator.namespace", "k8s.cluster.name": "orchestrator.cluster.name", "k8s.pod.name": "kubernetes.pod.name", "k8s.node.name": "kubernetes.node.name",
	"exception.type": "error.type", "exception.message": "error.message", "exception.stacktrace": "error.stack_trace",
	"client.address": "client.address", "server.address": "server.address", "source.address": "source.address", "destination.address": "destination.address",
	"source.port": "source.port", "destination.port": "destination.port", "client.port": "client.port", "server.port": "server.port",
	"network.peer.address": "source.address", "net.peer.ip": "source.ip", "net.sock.peer.addr": "source.ip",
	"http.request.method": "http.request.method", "http.method": "http.request.method", "http.response.status_code": "http.response.status_code", "http.status_code": "http.response.status_code",
	"url.full": "url.full", "url.path": "url.path", "url.query": "url.query", "url.scheme": "url.scheme", "http.url": "url.full", "http.target": "url.original",
	"user_agent.original": "user_agent.original", "http.user_agent": "user_agent.original", "enduser.id": "user.name", "user.name": "user.name", "user.id": "user.id", "user.email": "user.email",
	"log.file.path": "log.file.path", "log.file.name": "log.file.name", "event.name": "event.action", "code.function": "log.origin.function", "code.filepath": "log.origin.file.name",
	"service.name": "service.name", "service.version": "service.version", "cloud.provider": "cloud.provider", "cloud.region": "cloud.region", "cloud.account.id": "cloud.account.id",
	"cloud.availability_zone": "cloud.availability_zone", "container.id": "container.id", "container.name": "container.name", "container.image.name": "container.image.name",
}

func otlpAttributes(b *event.Batch, prefix string, m pcommon.Map) {
	for key, v := range m.All() {
		if name, ok := otlpNames[key]; ok && !b.Event().Has(name) && v.Type() != pcommon.ValueTypeMap {
			otlpValue(b, name, v, 0)
			continue
		}
		otlpValue(b, prefix+"."+key, v, 0)
	}
}

func otlpMap(b *event.Batch, prefix string, m pcommon.Map, depth int) {
	for key, v := range m.All() {
		otlpValue(b, prefix+"."+key, v, depth)
	}
}

func otlpValue(b *event.Batch, name string, v pcommon.Value, depth int) {
	if len(name) > 512 {
		name = name[:512]
	}
	switch v.Type() {
	case pcommon.ValueTypeInt:
		b.AddInt(name, v.Int())
	case pcommon.ValueTypeDouble:
		b.AddFloat(name, v.Double())
	case pcommon.ValueTypeBool:
		b.AddBool(name, v.Bool())
	case pcommon.ValueTypeMap:
		if depth < 8 {
			otlpMap(b, name, v.Map(), depth+1)
		} else {
			b.Add(name, v.AsString())
		}
	case pcommon.ValueTypeSlice:
		for i := range v.Slice().Len() {
			if e := v.Slice().At(i); e.Type() == pcommon.ValueTypeMap || e.Type() == pcommon.ValueTypeSlice {
				raw, _ := json.Marshal(v.AsRaw())
				b.AddKind(name, string(raw), event.JSON)
				return
			}
		}
		for i := range v.Slice().Len() {
			otlpValue(b, name, v.Slice().At(i), depth+1)
		}
	default:
		b.Add(name, v.AsString())
	}
}
