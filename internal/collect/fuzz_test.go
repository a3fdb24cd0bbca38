package collect

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Whatever comes over a wire, no parser fails, and what it makes of it fits into
// a delivery.

func FuzzLoki(f *testing.F) {
	f.Add([]byte(`{"streams":[{"stream":{"host":"a"},"values":[["1772619072000000000","line",{"k":"v"}]]}]}`))
	f.Add([]byte("\x0a\x1e\x0a\x0c{host=\"web1\"}\x12\x0e\x0a\x06\x08\x80\xe7\xcd\x98\x06\x12\x04line"))
	f.Fuzz(func(t *testing.T, p []byte) {
		var a, b grouped
		_ = lokiJSON(p, &a)
		_ = lokiProto(p, &b)
		for _, g := range []grouped{a, b} {
			for _, d := range g.deliveries(&spool.Delivery{}) {
				if len(d.Records) == 0 {
					t.Error("a delivery of nothing")
				}
			}
		}
	})
}

func FuzzFluentMessage(f *testing.F) {
	f.Add([]byte("\x93\xa3tag\xce\x65\xe5\xa0\x00\x81\xa1a\x01"))
	f.Add([]byte("\x92\xa3tag\x91\x92\xd7\x00\x65\xe5\xa0\x00\x00\x00\x00\x07\x81\xa1a\x01"))
	f.Add([]byte("\x93\xa3tag\xc4\x09\x92\xce\x65\xe5\xa0\x00\x81\xa1a\x01\x81\xaacompressed\xa4gzip"))
	f.Fuzz(func(t *testing.T, p []byte) {
		c := &fluent{syslogTCP: syslogTCP{o: Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}}}}
		c.url = &url.URL{Scheme: "fluent", Host: "127.0.0.1:0"}
		here, there := net.Pipe()
		defer here.Close()
		go func() { // takes the answer
			buf := make([]byte, 1024)
			for {
				if _, err := there.Read(buf); err != nil {
					return
				}
			}
		}()
		if n, err := packEnd(p, 0); err == nil {
			_ = c.message(context.Background(), here, newKept(), p[:n])
		}
		_, _ = packTexts(p, 6)
	})
}

// Requests of the protocols that come by HTTP.
func FuzzHTTPBodies(f *testing.F) {
	paths := []string{"/services/collector", "/services/collector/raw", "/gelf", "/v1/logs", "/upload", "/ingest", "/x/_doc/1"}
	f.Add(0, `{"time":1,"host":"a","event":{"b":1},"fields":{"c":"d"}}{"event":"x"}`)
	f.Add(2, `{"version":"1.1","host":"a","short_message":"b","_c":1}`)
	f.Add(3, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"x"}}]}]}]}`)
	f.Add(4, "__CURSOR=s=1\nMESSAGE=x\n\n")
	f.Fuzz(func(t *testing.T, which int, body string) {
		path := paths[(which%len(paths)+len(paths))%len(paths)]
		r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(body))
		if path == "/v1/logs" {
			r.Header.Set("Content-Type", "application/json")
		}
		sink := newKept()
		o := Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}}
		for _, e := range Endpoints() {
			if e.Pattern == "POST "+path || e.Pattern == "/" && path == "/x/_doc/1" {
				e.Handler(sink, "http://127.0.0.1", o).ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		for _, d := range sink.ds {
			for _, rec := range d.Records {
				if len(rec.Data) > MaxBody {
					t.Error("a record larger than its request may be")
				}
			}
		}
		_ = plogotlp.NewExportRequest().UnmarshalProto([]byte(body))
	})
}
