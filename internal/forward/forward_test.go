package forward

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// elastic is an Elasticsearch that keeps documents by index and id, and fails as
// it is told.
type elastic struct {
	*httptest.Server
	mu       sync.Mutex
	docs     map[string]map[string]any // by index/id
	requests int

	// before may answer a request itself; it is told how many came before.
	before func(n int, w http.ResponseWriter, r *http.Request) bool
	// item may give an action another status than 201.
	item func(n int, id string) int
}

func newElastic(t *testing.T) *elastic {
	e := &elastic{docs: map[string]map[string]any{}}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Server.Close)
	return e
}

func (e *elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.requests
	e.requests++
	if e.before != nil && e.before(n, w, r) {
		return
	}
	body := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		body = io.NopCloser(z)
	}
	var items []any
	failed := false
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		lines.Scan()
		var doc map[string]any
		status := 201
		if err := json.Unmarshal(lines.Bytes(), &doc); err != nil {
			status = 400
		}
		to := action["create"]
		if e.docs[to.Index+"/"+to.ID] != nil {
			status = 409
		} else if e.item != nil {
			if s := e.item(n, to.ID); s != 0 {
				status = s
			}
		}
		answer := map[string]any{"_index": to.Index, "_id": to.ID, "status": status}
		if status == 201 {
			e.docs[to.Index+"/"+to.ID] = doc
		} else {
			failed = true
			answer["error"] = map[string]any{"type": "some_exception", "reason": fmt.Sprint("for ", status)}
		}
		items = append(items, map[string]any{"create": answer})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"took": 1, "errors": failed, "items": items})
}

func forwarder(t *testing.T, url string) *Forwarder {
	t.Helper()
	f, err := New(url, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.firstPause, f.lastPause = time.Millisecond, 5*time.Millisecond
	t.Cleanup(f.Close)
	return f
}

func documents(n int) []Document {
	var docs []Document
	for i := range n {
		docs = append(docs, NewDocument([]event.Field{{Name: "_time", Value: "2026-03-04T10:11:12Z"}, {Name: "_msg", Value: fmt.Sprint("message ", i)},
			{Name: "event.id", Value: fmt.Sprintf("abc-%d", i)}, {Name: "event.dataset", Value: "system.auth"}, {Name: "source.port", Value: "51122"}}))
	}
	return docs
}

func send(t *testing.T, f *Forwarder, docs []Document) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Send(ctx, docs); err != nil {
		t.Fatal(err)
	}
}

func TestElasticsearchHasEveryEventOnceHoweverItFails(t *testing.T) {
	for name, fail := range map[string]func(e *elastic){
		"it is overloaded": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 3 {
					w.Header().Set("Retry-After", "0")
					http.Error(w, "es_rejected_execution_exception", 429)
				}
				return n < 3
			}
		},
		"it restarts": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 2 {
					http.Error(w, "no master", 503)
				}
				return n < 2
			}
		},
		"it cuts the connection": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 2 {
					panic(http.ErrAbortHandler)
				}
				return false
			}
		},
		"its answer is lost": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n == 0 {
					e.before = nil
					e.mu.Unlock()
					e.ServeHTTP(httptest.NewRecorder(), r)
					e.mu.Lock()
					panic(http.ErrAbortHandler)
				}
				return false
			}
		},
		"a proxy answers for it": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 2 {
					fmt.Fprint(w, "<html>Welcome</html>")
				}
				return n < 2
			}
		},
		"it answers for fewer": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 1 {
					fmt.Fprint(w, `{"errors":false,"items":[]}`)
				}
				return n < 1
			}
		},
		"it redirects": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n < 1 {
					http.Redirect(w, r, "/login", http.StatusFound)
				}
				return n < 1
			}
		},
		"some items are rejected for now": func(e *elastic) {
			e.item = func(n int, id string) int {
				if n < 4 && len(id)%2 == n%2 {
					return 429
				}
				return 0
			}
		},
		"a shard is away": func(e *elastic) {
			e.item = func(n int, id string) int {
				if n < 2 && strings.HasSuffix(id, "7") {
					return 503
				}
				return 0
			}
		},
		"the index is not there yet": func(e *elastic) {
			e.item = func(n int, id string) int {
				if n < 2 {
					return 404
				}
				return 0
			}
		},
		"the right is not given yet": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n < 2 {
					http.Error(w, "security_exception", 403)
				}
				return n < 2
			}
		},
		"a proxy allows less at once": func(e *elastic) {
			e.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
				if r.ContentLength > 1000 {
					http.Error(w, "too large", 413)
					return true
				}
				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newElastic(t)
			fail(e)
			f := forwarder(t, "elasticsearch+"+e.URL+"/logs-{dataset}-default")
			send(t, f, documents(100))
			if len(e.docs) != 100 {
				t.Errorf("%d documents are there, want 100", len(e.docs))
			}
			if n := f.Stats(); n.Sent.Load() != 100 || n.Refused.Load() != 0 {
				t.Errorf("sent %d, refused %d", n.Sent.Load(), n.Refused.Load())
			}
			doc := e.docs["logs-system.auth-default/abc-3"]
			if doc["message"] != "message 3" || doc["@timestamp"] != "2026-03-04T10:11:12Z" || doc["source"].(map[string]any)["port"] != 51122.0 {
				t.Errorf("%v", doc)
			}
		})
	}
}

func TestWhatElasticsearchWillNeverTakeIsWrittenDownAndTheRestGoesOn(t *testing.T) {
	e := newElastic(t)
	e.item = func(n int, id string) int {
		if id == "abc-5" || id == "abc-17" {
			return 400
		}
		return 0
	}
	f := forwarder(t, "elasticsearch+"+e.URL+"/x")
	send(t, f, documents(30))
	if len(e.docs) != 28 || f.Stats().Sent.Load() != 28 || f.Stats().Refused.Load() != 2 {
		t.Errorf("%d documents, sent %d, refused %d", len(e.docs), f.Stats().Sent.Load(), f.Stats().Refused.Load())
	}
	data, err := os.ReadFile(f.Refusals())
	if err != nil || strings.Count(string(data), "\n") != 2 || !strings.Contains(string(data), `"event.id":"abc-17","status":400,"reason":"{\"reason\":\"for 400\"`) {
		t.Errorf("%v\n%s", err, data)
	}
}

func TestOneEventThatSpoilsTheRequestIsFound(t *testing.T) {
	e := newElastic(t)
	e.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"abc-9"`) {
			http.Error(w, "malformed", 400)
			return true
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return false
	}
	f := forwarder(t, "elasticsearch+"+e.URL+"/x?compress=0")
	send(t, f, documents(50))
	if len(e.docs) != 49 || f.Stats().Refused.Load() != 1 {
		t.Errorf("%d documents, refused %d", len(e.docs), f.Stats().Refused.Load())
	}
}

func TestElasticsearchIsToldWhoSends(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("id:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"api-key=id:secret":   "ApiKey " + base64.StdEncoding.EncodeToString([]byte("id:secret")),
		"api-key=aWQ6c2Vj":    "ApiKey aWQ6c2Vj",
		"api-key-file=" + key: "ApiKey " + base64.StdEncoding.EncodeToString([]byte("id:secret")),
		"user":                "Basic " + base64.StdEncoding.EncodeToString([]byte("me:pass")),
	} {
		e := newElastic(t)
		got, path := "", ""
		e.before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			got, path = r.Header.Get("Authorization"), r.URL.RequestURI()
			return false
		}
		to := "elasticsearch+" + e.URL + "/proxy/x?pipeline=p&" + query
		if query == "user" {
			to = strings.Replace(to, "://", "://me:pass@", 1)
		}
		f := forwarder(t, to)
		send(t, f, documents(1))
		if got != want || path != "/proxy/_bulk?pipeline=p" {
			t.Errorf("%s: %q, %q", query, got, path)
		}
		if strings.Contains(f.Name()+f.dir, "pass") {
			t.Errorf("%q shows the password", f.Name())
		}
	}
}

func TestASecondServerStandsInForTheFirst(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	e := newElastic(t)
	hosts := strings.TrimPrefix(dead.URL, "http://") + "," + strings.TrimPrefix(e.URL, "http://")
	f := forwarder(t, "elasticsearch+http://"+hosts+"/x")
	send(t, f, documents(3))
	if len(e.docs) != 3 {
		t.Error("it did not")
	}
}

func TestAnEventGoesToTheIndexOfItsDay(t *testing.T) {
	o := &elasticsearch{index: "logs-{dataset}-{date}"}
	for _, c := range []struct {
		d    Document
		want string
	}{
		{Document{Time: "2026-03-04T10:11:12Z", Dataset: "Cisco/ASA x"}, "logs-cisco_asa_x-2026.03.04"},
		{Document{}, "logs-generic-unknown"},
	} {
		if got := o.indexOf(&c.d); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestWrongReceiversAreTold(t *testing.T) {
	for url, want := range map[string]string{
		"kafka://x":                                    "no receiver is named",
		"elasticsearch://x/y":                          "want elasticsearch+https",
		"elasticsearch+https://x/Logs":                 "cannot be an index",
		"elasticsearch+https://a@x/y?api-key=z":        "not both",
		"elasticsearch+https://x/y?ca=/nowhere":        "no such file",
		"logstash+udp://x":                             "want logstash",
		"logstash+tls://x?cert=a":                      "both cert=FILE and key=FILE",
		"logstash://x?compress=99":                     "0 to 9",
		"logstash://x?where=a%20%7C%20stats%20count()": "no pipes",
		"logstash://x?where=(":                         "where",
		"logstash://x?from=yesterday":                  "start or now",
	} {
		if _, err := New(url, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := New("logstash://me:secret@x y/", "", nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// memory is an output that fails when told to.
type memory struct {
	mu   sync.Mutex
	ids  []string
	fail func(n int) error // told how many were taken
}

func (m *memory) send(_ context.Context, docs []Document) (outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, d := range docs {
		if m.fail != nil {
			if err := m.fail(len(m.ids)); err != nil {
				return outcome{left: docs[i:]}, err
			}
		}
		m.ids = append(m.ids, d.ID)
	}
	return outcome{}, nil
}

func (m *memory) close() {}

func (m *memory) taken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ids)
}

// growing is a case to which a test adds.
type growing struct {
	*store.Embedded
	t      *testing.T
	source string
	upTo   int64
}

func (g *growing) Store() store.Store        { return g.Embedded }
func (g *growing) Progress() (string, int64) { return g.source, g.upTo }

func newGrowing(t *testing.T) *growing {
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &growing{Embedded: st, t: t}
}

// add stores n events of a source behind those it has.
func (g *growing) add(source string, n int) {
	if source != g.source {
		if err := g.Ledger().Begin(store.Record{ID: source, Path: "live"}); err != nil {
			g.t.Fatal(err)
		}
		g.source, g.upTo = source, 0
	}
	w := g.NewWriter()
	var events []event.Event
	for range n {
		g.upTo += 100
		e := event.Event{Time: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC).UnixNano(), Offset: g.upTo, ID: fmt.Sprintf("%s-%d", source, g.upTo), Raw: "text"}
		events = append(events, e)
	}
	if err := errors.Join(w.Add(&store.Source{ID: source, Path: "live"}, events), w.Flush()); err != nil {
		g.t.Fatal(err)
	}
}

func (g *growing) commit() {
	if err := errors.Join(g.Sync(context.Background()), g.Ledger().Commit(store.Record{ID: g.source, Path: "live", Size: g.upTo})); err != nil {
		g.t.Fatal(err)
	}
}

func TestWhatACaseGetsIsSentInOrderThroughFailuresAndRestarts(t *testing.T) {
	g := newGrowing(t)
	dir := t.TempDir()
	out := &memory{}
	again := func() *Forwarder {
		return &Forwarder{name: "test", dir: dir, out: out, log: slog.New(slog.DiscardHandler), start: true, firstPause: time.Millisecond, lastPause: time.Millisecond}
	}
	rest := func() {
		t.Helper()
		if err := again().Rest(context.Background(), g, "live"); err != nil {
			t.Fatal(err)
		}
	}
	g.add("aaaaaaaaaaaaaaaaaaaaaaaa", 10)
	rest()
	if got := out.taken(); len(got) != 10 {
		t.Fatalf("of what is not committed yet: %d", len(got))
	}
	g.add("aaaaaaaaaaaaaaaaaaaaaaaa", 5)
	g.commit()
	g.add("999999999999999999999999", 5000) // earlier by name, later in time
	failures := 0
	out.fail = func(n int) error {
		if failures < 20 && n%97 == 0 {
			failures++
			return errors.New("cut")
		}
		return nil
	}
	rest()
	g.commit()
	g.add("bbbbbbbbbbbbbbbbbbbbbbbb", 3)
	g.commit()
	rest()
	rest()
	got := out.taken()
	if len(got) != 5018 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 5018 {
		t.Errorf("%d were sent, want 5018, each once", len(got))
	}
	if got[14] != "aaaaaaaaaaaaaaaaaaaaaaaa-1500" || got[15] != "999999999999999999999999-100" || got[5017] != "bbbbbbbbbbbbbbbbbbbbbbbb-300" {
		t.Error("not in order")
	}
}

func TestADeathWhileSendingLosesNothing(t *testing.T) {
	g := newGrowing(t)
	dir := t.TempDir()
	out := &memory{}
	g.add("aaaaaaaaaaaaaaaaaaaaaaaa", 60_000) // three windows
	g.commit()
	died := 0
	for ; ; died++ {
		ctx, die := context.WithCancel(context.Background())
		limit := len(out.taken()) + 25_000 // a window is less
		out.fail = func(n int) error {
			if n == limit {
				die()
				return errors.New("cut")
			}
			return nil
		}
		f := &Forwarder{name: "test", dir: dir, out: out, log: slog.New(slog.DiscardHandler), start: true, firstPause: time.Millisecond, lastPause: time.Millisecond}
		err := f.Rest(ctx, g, "live")
		die()
		if err == nil {
			break
		}
		if died > 5 {
			t.Fatal("it never gets on")
		}
	}
	if died == 0 || len(out.taken()) > 60_000+died*25_000 {
		t.Errorf("%d deaths, %d events sent", died, len(out.taken()))
	}
	seen := map[string]bool{}
	for _, id := range out.taken() {
		seen[id] = true
	}
	if len(seen) != 60_000 {
		t.Errorf("%d events arrived, want 60000", len(seen))
	}
}

func TestANewReceiverGetsWhatIsYetToCome(t *testing.T) {
	g := newGrowing(t)
	g.add("aaaaaaaaaaaaaaaaaaaaaaaa", 10)
	g.commit()
	g.add("bbbbbbbbbbbbbbbbbbbbbbbb", 10)
	out := &memory{}
	f := &Forwarder{name: "test", dir: t.TempDir(), out: out, log: slog.New(slog.DiscardHandler), where: "log.offset:>1100"}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx, g, "live") }()
	for range 200 { // it has noted where it begins
		if _, err := os.Stat(f.positionPath()); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	g.add("bbbbbbbbbbbbbbbbbbbbbbbb", 3)
	if err := f.Rest(context.Background(), g, "live"); err != nil {
		t.Fatal(err)
	}
	if got := out.taken(); !slices.Equal(got, []string{"bbbbbbbbbbbbbbbbbbbbbbbb-1200", "bbbbbbbbbbbbbbbbbbbbbbbb-1300"}) {
		t.Errorf("%q", got)
	}
}

func FuzzBulkAnswer(f *testing.F) {
	f.Add([]byte(`{"errors":true,"items":[{"create":{"_id":"abc-0","status":201}},{"create":{"_id":"abc-1","status":429,"error":{"type":"x"}}},{"create":{"status":400}}]}`))
	docs := documents(3)
	f.Fuzz(func(t *testing.T, answer []byte) {
		out, err := bulkOutcome(docs, answer)
		if err == nil && len(out.left) > 0 || len(out.left)+len(out.refused)+out.known > len(docs) {
			t.Errorf("%d left, %d refused, %d known of %d: %v", len(out.left), len(out.refused), out.known, len(docs), err)
		}
	})
}
