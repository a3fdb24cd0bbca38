package collect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// web serves all endpoints for a sink.
func web(t testing.TB, sink Sink) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for _, e := range Endpoints() {
		mux.Handle(e.Pattern, e.Handler(sink, "http://test", Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}}))
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// post sends a body and returns status and answer.
func post(t testing.TB, url, contentType, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

func TestLinesByHTTPAreRecordsAndSoAreTheElementsOfAnArray(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "zipped\n")
	z.Close()
	for _, c := range []struct {
		body   string
		header []string
	}{
		{"{\"a\":1}\n\n{\"a\":2}\r\n", nil},
		{`[{"a":"]}[{"},{"b":{"c":[1,2]}}]`, nil},
		{zipped.String(), []string{"Content-Encoding", "gzip"}},
		{"[not json] a line", nil},
	} {
		if code, answer := post(t, s.URL+"/insert/jsonline", "application/json", c.body, c.header...); code != 204 {
			t.Errorf("%d %s", code, answer)
		}
	}
	want := []string{`{"a":1}`, `{"a":2}`, `{"a":"]}[{"}`, `{"b":{"c":[1,2]}}`, "zipped", "[not json] a line"}
	if got := sink.records(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if code, _ := post(t, s.URL+"/ingest", "text/plain", "x", "Content-Encoding", "br"); code != 400 {
		t.Errorf("an unknown encoding gives %d", code)
	}
	sink.fail = errors.New("disk full")
	if code, _ := post(t, s.URL+"/ingest", "text/plain", "x"); code != 503 {
		t.Errorf("what cannot be kept gives %d", code)
	}
}

func TestBulkAnswersAsElasticsearchDoes(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	body := `{"index":{"_index":"logs","_id":"1"}}
{"message":"one"}
{"create":{}}
{"message":"two","agent":{"id":"a"},"log":{"file":{"path":"/x"},"offset":7}}
{"delete":{"_index":"logs","_id":"1"}}
{"update":{"_index":"logs","_id":"1"}}
{"doc":{"message":"changed"}}
`
	code, answer := post(t, s.URL+"/filebeat-8/_bulk", "application/x-ndjson", body)
	var a struct {
		Errors bool
		Items  []map[string]struct {
			Index  string `json:"_index"`
			Status int
		}
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil || code != 200 {
		t.Fatalf("%d %s: %v", code, answer, err)
	}
	if !a.Errors || len(a.Items) != 4 || a.Items[0]["index"].Status != 201 || a.Items[1]["create"].Index != "filebeat-8" || a.Items[2]["delete"].Status != 400 || a.Items[3]["update"].Status != 400 {
		t.Errorf("answer %s", answer)
	}
	if got := sink.records(); len(got) != 2 || got[0] != `{"message":"one"}` {
		t.Errorf("got %q", got)
	}
	d := sink.ds[0]
	if d.Records[0].Key == d.Records[1].Key || d.Records[0].Key == ([16]byte{}) || d.Request != ([16]byte{}) {
		t.Error("documents with an id or a place have keys of their own, and the request needs none")
	}
	if code, _ := post(t, s.URL+"/_bulk", "application/x-ndjson", "{\"index\":{}}\n"); code != 400 {
		t.Errorf("a document that is missing gives %d", code)
	}
	if code, _ := post(t, s.URL+"/_bulk", "application/x-ndjson", "nonsense\n"); code != 400 {
		t.Errorf("nonsense gives %d", code)
	}
	resp, err := http.Get(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var hello struct{ Version struct{ Number string } }
	if err := json.NewDecoder(resp.Body).Decode(&hello); err != nil || hello.Version.Number == "" || resp.Header.Get("X-Elastic-Product") != "Elasticsearch" {
		t.Errorf("greeting %+v, %v", hello, err)
	}
	for _, path := range []string{"/_license", "/_ilm/policy/filebeat", "/_index_template/filebeat"} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s gives %d", path, resp.StatusCode)
		}
	}
}

func TestHECKeepsWhatStandsAroundAnEvent(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	code, answer := post(t, s.URL+"/services/collector/event", "application/json",
		`{"time":1709547072.250,"host":"web1","source":"/var/log/auth.log","sourcetype":"linux_secure","event":"Mar  4 10:11:12 web1 sshd[7]: hello"}{"event":{"action":"login","n":1},"fields":{"dc":"a"}}`)
	if code != 200 || !strings.Contains(answer, `"code":0`) {
		t.Fatalf("%d %s", code, answer)
	}
	if len(sink.ds) != 2 {
		t.Fatalf("%d deliveries", len(sink.ds))
	}
	d := sink.ds[0]
	if d.Path != "/var/log/auth.log" || d.Format != "" || d.Records[0].Time != 1709547072250000000 || d.Records[0].Fields[0].Value != "web1" {
		t.Errorf("%+v", d)
	}
	if d := sink.ds[1]; d.Format != "json" || string(d.Records[0].Data) != `{"action":"login","n":1}` {
		t.Errorf("%+v", d)
	}
	for _, bad := range []string{`{"time":1}`, `{"event":""}`, `nonsense`, ``} {
		if code, _ := post(t, s.URL+"/services/collector", "application/json", bad); code != 400 {
			t.Errorf("%q gives %d", bad, code)
		}
	}
}

func TestLokiTakesJSONAndProtobufAlike(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	if code, answer := post(t, s.URL+"/loki/api/v1/push", "application/json",
		`{"streams":[{"stream":{"host":"web1","app":"x"},"values":[["1709547072250000000","one"],["1709547072250000001","two",{"trace":"7"}]]}]}`); code != 204 {
		t.Fatalf("%d %s", code, answer)
	}
	stamp := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1709547072)
	stamp = protowire.AppendVarint(protowire.AppendTag(stamp, 2, protowire.VarintType), 250000000)
	entry := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), stamp)
	entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), "one")
	stream := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), `{host="web1", app="x"}`)
	stream = protowire.AppendBytes(protowire.AppendTag(stream, 2, protowire.BytesType), entry)
	push := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), stream)
	if code, answer := post(t, s.URL+"/loki/api/v1/push", "application/x-protobuf", string(snappy.Encode(nil, push))); code != 204 {
		t.Fatalf("%d %s", code, answer)
	}
	a, b := sink.ds[0].Records[0], sink.ds[1].Records[0]
	if string(a.Data) != "one" || string(b.Data) != "one" || a.Time != b.Time || a.Fields[0] != b.Fields[0] || a.Fields[0].Name != "host.name" {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestOpenTelemetrysOwnExportersAreUnderstood(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	_, addr, _ := running(t, "otlp+grpc://127.0.0.1:0", sink)
	ctx := context.Background()
	grpcExporter, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(addr), otlploggrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	httpExporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(s.URL+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []sdklog.Exporter{grpcExporter, httpExporter} {
		p := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(e)))
		var r otellog.Record
		r.SetTimestamp(time.Unix(1709547072, 250000001))
		r.SetSeverity(otellog.SeverityWarn)
		r.SetBody(attribute.StringValue("disk is nearly full"))
		r.AddAttributes(attribute.String("user.name", "alice"), attribute.Int("http.response.status_code", 507), attribute.Bool("deep.x", true))
		p.Logger("test").Emit(ctx, r)
		if err := p.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		got := sink.wait(t, i+1)[i]
		for _, want := range []string{`"@timestamp":"2024-03-04T10:11:12.250000001Z"`, `"message":"disk is nearly full"`, `"level":"warn"`, `"name":"alice"`, `"status_code":507`, `"x":true`, `"logger":"test"`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in %s", want, got)
			}
		}
	}
	if sink.ds[0].Records[0].Key == ([16]byte{}) {
		t.Error("a record has no key")
	}
}

func FuzzBulk(f *testing.F) {
	f.Add([]byte("{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := bulkItems(body, "i")
		if err == nil && !json.Valid(bulkAnswer(items)) {
			t.Errorf("invalid answer %s", bulkAnswer(items))
		}
	})
}

func FuzzCutRecords(f *testing.F) {
	f.Add([]byte(`[{"a":1},{"b":"]"}]`))
	f.Fuzz(func(t *testing.T, body []byte) { cutRecords(body) })
}

func uploadJournal(t testing.TB, url string, body io.Reader) int {
	t.Helper()
	resp, err := http.Post(url, "application/vnd.fdo.journal", body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestAgentsThatAreNotHereFindWhatTheyAskFor goes through what agents that no test
// can run ask an Elasticsearch for before and when they send: Beats (libbeat's
// eslegclient, licenser, idxmgmt), Logstash's elasticsearch output (http_client, ilm,
// license checker), Vector (sinks/elasticsearch: version, health), Fluent Bit (out_es).
func TestAgentsThatAreNotHereFindWhatTheyAskFor(t *testing.T) {
	sink := newKept()
	s := web(t, sink)
	doc := "{\"index\":{\"_index\":\"x\"}}\n{\"message\":\"a\"}\n"
	create := "{\"create\":{\"_index\":\"filebeat-8.17.0\"}}\n{\"message\":\"a\"}\n"
	sent := 0
	for agent, asks := range map[string][][3]string{
		"Filebeat 8": {{"GET", "/", ""}, {"GET", "/_license?human=false", ""}, {"GET", "/_ilm/policy/filebeat", ""}, {"PUT", "/_ilm/policy/filebeat", "{}"}, {"HEAD", "/_index_template/filebeat-8.17.0", ""}, {"PUT", "/_index_template/filebeat-8.17.0", "{}"},
			{"GET", "/_data_stream/filebeat-8.17.0", ""}, {"PUT", "/_data_stream/filebeat-8.17.0", ""}, {"PUT", "/_ingest/pipeline/filebeat-8.17.0-system-auth-pipeline", "{}"}, {"POST", "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status", create}},
		"Filebeat 6": {{"GET", "/", ""}, {"GET", "/_xpack", ""}, {"HEAD", "/_template/filebeat-6.8.0", ""}, {"PUT", "/_template/filebeat-6.8.0", "{}"}, {"POST", "/_bulk", doc}},
		"Logstash":   {{"HEAD", "/", ""}, {"GET", "/", ""}, {"GET", "/_license", ""}, {"HEAD", "/_index_template/ecs-logstash", ""}, {"PUT", "/_index_template/ecs-logstash", "{}"}, {"POST", "/_bulk?filter_path=errors,items.*.error,items.*.status", create}},
		"Vector":     {{"GET", "/", ""}, {"GET", "/_cluster/health", ""}, {"POST", "/_bulk?timeout=60s", create}},
		"Fluent Bit": {{"POST", "/_bulk", doc}, {"POST", "/logs/_bulk", "{\"create\":{}}\n{\"a\":1}\n"}},
	} {
		for _, a := range asks {
			req, err := http.NewRequest(a[0], s.URL+a[1], strings.NewReader(a[2]))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if strings.Contains(a[1], "_bulk") {
				req.Header.Set("Content-Type", "application/vnd.elasticsearch+x-ndjson;compatible-with=8")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("X-Elastic-Product") != "Elasticsearch" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s: %s %s: %d %v", agent, a[0], a[1], resp.StatusCode, resp.Header)
			}
			if a[0] == "HEAD" {
				continue
			}
			var answer struct {
				Version struct{ Number string }
				License struct{ Status, Type string }
				Errors  *bool
				Items   []map[string]struct{ Status int }
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Errorf("%s: %s %s: %v: %s", agent, a[0], a[1], err, body)
			}
			switch {
			case a[1] == "/" && !strings.HasPrefix(answer.Version.Number, "8."):
				t.Errorf("%s: version %q", agent, answer.Version.Number)
			case (strings.HasPrefix(a[1], "/_license") || a[1] == "/_xpack") && answer.License.Status != "active":
				t.Errorf("%s: licence %s", agent, body)
			case strings.Contains(a[1], "_bulk"):
				if sent++; answer.Errors == nil || *answer.Errors || len(answer.Items) != 1 {
					t.Errorf("%s: bulk answer %s", agent, body)
				}
			}
		}
	}
	if got := sink.wait(t, sent); len(got) != sent {
		t.Errorf("%d documents sent, %d are there", sent, len(got))
	}
}
