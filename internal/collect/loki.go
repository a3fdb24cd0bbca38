package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Loki's push interface, as Promtail, Grafana Alloy, Fluent Bit and Docker's
// driver use it: JSON, and protobuf compressed with Snappy. A stream's lines are
// decoded as the log they are; its labels go along.
//
// Source: Grafana Loki, "HTTP API: Ingest logs"; pkg/push/push.proto.
var _ = registerEndpoint(Endpoint{Pattern: "POST /loki/api/v1/push", Title: "Loki push (JSON and protobuf)", Handler: newLoki})

func newLoki(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
		if !asJSON && r.Header.Get("Content-Encoding") == "" {
			r.Header.Set("Content-Encoding", "snappy") // it always is, whether said or not
		}
		body, err := readBody(w, r)
		var g grouped
		if err == nil && asJSON {
			err = lokiJSON(body, &g)
		} else if err == nil {
			err = lokiProto(body, &g)
		}
		if err != nil {
			o.Stats.Errors.Add(1)
			http.Error(w, err.Error(), bodyStatus(err))
			return
		}
		ds := g.deliveries(newDelivery(r, name, "/loki", ""))
		if err := deliver(r.Context(), sink, o.Stats, ds...); err != nil {
			refuse(w, o, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// lokiLine adds one line. Loki itself takes the same line of the same stream at
// the same nanosecond once, so that is its key here too.
func lokiLine(g *grouped, stream string, labels []spool.Field, at int64, line string, meta []spool.Field) error {
	if line == "" {
		return nil
	}
	if g.records++; g.records > maxRecords {
		return errRecords
	}
	fields := labels
	if len(meta) > 0 {
		fields = append(append([]spool.Field(nil), labels...), meta...)
	}
	path := ""
	for _, f := range labels {
		if f.Name == "labels.filename" {
			path = f.Value
		}
	}
	r := spool.Record{Data: []byte(line), Time: at, Fields: fields}
	if at != 0 {
		r.Key = spool.KeyOf([]byte("loki"), []byte(stream), []byte(strconv.FormatInt(at, 10)), r.Data)
	}
	g.add(r, path, "", stream)
	return nil
}

func lokiJSON(body []byte, g *grouped) error {
	var push struct {
		Streams []struct {
			Stream map[string]string   `json:"stream"`
			Values [][]json.RawMessage `json:"values"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(body, &push); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	for _, s := range push.Streams {
		labels := lokiFields(s.Stream)
		key := fmt.Sprint(labels)
		for _, v := range s.Values {
			var stamp, line string
			if len(v) < 2 || json.Unmarshal(v[0], &stamp) != nil || json.Unmarshal(v[1], &line) != nil {
				return fmt.Errorf("%w: a value is no [\"ns\", \"line\"]", errBody)
			}
			at, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil {
				return fmt.Errorf("%w: time %q", errBody, stamp)
			}
			var meta map[string]string
			if len(v) > 2 {
				_ = json.Unmarshal(v[2], &meta)
			}
			if err := lokiLine(g, key, labels, at, line, lokiFields(meta)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lokiFields are labels in ECS: those that name a host, and all as labels.*.
func lokiFields(labels map[string]string) []spool.Field {
	var fs []spool.Field
	host := ""
	for _, name := range []string{"host", "hostname", "nodename", "node_name", "node"} {
		if host == "" {
			host = labels[name]
		}
	}
	if host != "" {
		fs = append(fs, spool.Field{Name: "host.name", Value: host})
	}
	for name, v := range labels {
		fs = append(fs, spool.Field{Name: "labels." + name, Value: v})
	}
	sortFields(fs)
	return fs
}

var errProto = errors.New("invalid protobuf")

// protoFields calls fn with each field of a message that is of bytes, or a varint.
func protoFields(p []byte, fn func(num protowire.Number, data []byte, n uint64) error) error {
	for len(p) > 0 {
		num, typ, n := protowire.ConsumeTag(p)
		if n < 0 {
			return fmt.Errorf("%w: %w", errBody, errProto)
		}
		p = p[n:]
		var data []byte
		var v uint64
		switch typ {
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(p)
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(p)
		default:
			n = protowire.ConsumeFieldValue(num, typ, p)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errBody, errProto)
		}
		p = p[n:]
		if err := fn(num, data, v); err != nil {
			return err
		}
	}
	return nil
}

func lokiProto(body []byte, g *grouped) error {
	return protoFields(body, func(num protowire.Number, stream []byte, _ uint64) error {
		if num != 1 {
			return nil
		}
		var key string
		var labels []spool.Field
		return protoFields(stream, func(num protowire.Number, data []byte, _ uint64) error {
			switch num {
			case 1:
				key = string(data)
				labels = lokiFields(lokiLabels(key))
			case 2:
				return lokiEntry(g, key, labels, data)
			}
			return nil
		})
	})
}

func lokiEntry(g *grouped, key string, labels []spool.Field, entry []byte) error {
	var at int64
	var line string
	var meta map[string]string
	err := protoFields(entry, func(num protowire.Number, data []byte, _ uint64) error {
		switch num {
		case 1:
			return protoFields(data, func(num protowire.Number, _ []byte, n uint64) error {
				switch num {
				case 1:
					at += int64(min(n, 9_000_000_000)) * 1e9
				case 2:
					at += int64(min(n, 999_999_999))
				}
				return nil
			})
		case 2:
			line = string(data)
		case 3:
			var name, value string
			err := protoFields(data, func(num protowire.Number, data []byte, _ uint64) error {
				switch num {
				case 1:
					name = string(data)
				case 2:
					value = string(data)
				}
				return nil
			})
			if meta == nil {
				meta = map[string]string{}
			}
			meta[name] = value
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	return lokiLine(g, key, labels, at, line, lokiFields(meta))
}

// lokiLabels reads {name="value", …}, as Prometheus writes labels.
func lokiLabels(s string) map[string]string {
	labels := map[string]string{}
	s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "{"), "}")
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			break
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			break
		}
		labels[strings.Trim(name, ", ")] = value
		s = rest[len(quoted):]
	}
	return labels
}
