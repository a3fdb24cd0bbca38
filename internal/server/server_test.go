package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/plot"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
)

// fake is a case with one record, whose text is hostile.
type fake struct{ taken int }

func (f *fake) Accept(_ context.Context, ds ...*spool.Delivery) error {
	for _, d := range ds {
		f.taken += len(d.Records)
	}
	return nil
}
func (*fake) Settle(spool.Key)          {}
func (*fake) Mark(string) string        { return "" }
func (*fake) Stats() pipeline.LiveStats { return pipeline.LiveStats{} }
func (*fake) Store() store.Store        { return fakeStore{} }
func (f *fake) Report(ctx context.Context) (*report.Investigation, error) {
	return f.Investigation(ctx)
}
func (*fake) Investigation(context.Context) (*report.Investigation, error) {
	return &report.Investigation{Incidents: []incident.Incident{{Title: hostile}}}, nil
}

func (*fake) Patterns() ([]byte, error) { return nil, nil }

func (*fake) Latest() *report.Investigation {
	return &report.Investigation{Incidents: []incident.Incident{{Title: hostile, What: []incident.Sentence{{Text: hostile, Evidence: []string{hostile}}}}}}
}

const hostile = `<script>alert("x")</script>`

type fakeStore struct{ store.Store }

func (fakeStore) QueryWith(_ context.Context, q string, _ store.QueryOptions, fn func([]event.Field) error) error {
	if q == "broken" {
		return &store.QueryError{Query: q, Offset: -1, What: "broken " + hostile}
	}
	return fn([]event.Field{{Name: "_time", Value: "2026-03-04T10:11:12Z"}, {Name: "_msg", Value: hostile}})
}

// served starts a server; change prepares who may use it.
func served(t *testing.T, change func(*Access)) (*httptest.Server, *fake) {
	t.Helper()
	dir := t.TempDir()
	access, err := OpenAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(access)
	}
	log := slog.New(slog.DiscardHandler)
	a, err := openAudit(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close() })
	c := &fake{}
	u, _ := url.Parse("http://127.0.0.1:0")
	s := New(u, Options{Case: c, Dir: dir, Access: access, Log: log})
	s.audit = a
	ts := httptest.NewServer(s.handler())
	t.Cleanup(ts.Close)
	return ts, c
}

// ask returns status and body; auth is the Authorization header.
func ask(t *testing.T, method, url, auth, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), resp.Header
}

func TestOnThisMachineEverybodyMayUntilSomebodyIsKnown(t *testing.T) {
	s, c := served(t, nil)
	if code, _, _ := ask(t, "POST", s.URL+"/ingest", "", "a line"); code != 204 || c.taken != 1 {
		t.Errorf("%d, %d taken", code, c.taken)
	}
	if code, _, _ := ask(t, "GET", s.URL+"/metrics", "", "", "Host", "evil.example:8514"); code != 403 {
		t.Errorf("a foreign host name gives %d", code)
	}
	if code, _, _ := ask(t, "POST", s.URL+"/ingest", "", "a line", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); code != 403 || c.taken != 1 {
		t.Errorf("another site's page gives %d", code)
	}
	s, _ = served(t, func(a *Access) { a.AddUser("alice", "a long password", Viewer) })
	for _, path := range []string{"/metrics", "/api/query?query=*", "/api/investigation", "/report"} {
		if code, _, _ := ask(t, "GET", s.URL+path, "", ""); code != 401 {
			t.Errorf("%s gives %d", path, code)
		}
	}
}

func TestARoleAllowsWhatItIsFor(t *testing.T) {
	tokens := map[Role]string{}
	s, _ := served(t, func(a *Access) {
		for _, r := range Roles {
			secret, err := a.AddToken(string(r), r)
			if err != nil {
				t.Fatal(err)
			}
			tokens[r] = secret
		}
	})
	for _, c := range []struct {
		role         Role
		ingest, look int
	}{{Ingest, 204, 403}, {Viewer, 403, 200}, {Analyst, 403, 200}, {Admin, 204, 200}} {
		if code, _, _ := ask(t, "POST", s.URL+"/ingest", "Bearer "+tokens[c.role], "x"); code != c.ingest {
			t.Errorf("%s sends: %d", c.role, code)
		}
		if code, _, _ := ask(t, "GET", s.URL+"/api/query?query=*", "Bearer "+tokens[c.role], ""); code != c.look {
			t.Errorf("%s looks: %d", c.role, code)
		}
	}
	for _, auth := range []string{"Splunk " + tokens[Ingest], "bearer " + tokens[Ingest]} {
		if code, _, _ := ask(t, "POST", s.URL+"/services/collector", auth, `{"event":"x"}`); code != 200 {
			t.Errorf("%.8s… gives %d", auth, code)
		}
	}
	req, _ := http.NewRequest("POST", s.URL+"/ingest", strings.NewReader("x"))
	req.SetBasicAuth("filebeat", tokens[Ingest])
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 204 {
		t.Errorf("a token as a password: %v %v", resp, err)
	}
}

func TestLoggingInIsByPasswordAndNotForTooMany(t *testing.T) {
	s, _ := served(t, func(a *Access) { a.AddUser("alice", "a long password", Viewer) })
	login := func(password string) (int, http.Header) {
		code, _, h := ask(t, "POST", s.URL+"/login", "", "name=alice&password="+url.QueryEscape(password), "Content-Type", "application/x-www-form-urlencoded")
		return code, h
	}
	code, h := login("a long password")
	cookie := h.Get("Set-Cookie")
	if code != 303 || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Fatalf("%d %q", code, cookie)
	}
	id, _, _ := strings.Cut(cookie, ";")
	if code, _, _ := ask(t, "GET", s.URL+"/api/query?query=*", "", "", "Cookie", id); code != 200 {
		t.Errorf("a session gives %d", code)
	}
	ask(t, "POST", s.URL+"/logout", "", "", "Cookie", id)
	if code, _, _ := ask(t, "GET", s.URL+"/api/query?query=*", "", "", "Cookie", id); code != 401 {
		t.Errorf("a session that has ended gives %d", code)
	}
	for range maxFailures {
		if _, h := login("wrong password"); h.Get("Set-Cookie") != "" {
			t.Fatal("a wrong password lets in")
		}
	}
	if code, _ := login("a long password"); code != 429 {
		t.Errorf("after %d failures: %d", maxFailures, code)
	}
}

func TestPagesEscapeWhatLogsSay(t *testing.T) {
	s, _ := served(t, nil)
	for _, path := range []string{"/", "/?q=*", "/?q=broken", "/?q=" + url.QueryEscape(hostile)} {
		code, body, h := ask(t, "GET", s.URL+path, "", "", "Accept", "text/html")
		if code != 200 || strings.Contains(body, "<script>") || strings.Contains(body, "alert(\"x") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d, %.300s", path, code, body)
		}
	}
	if code, body, _ := ask(t, "GET", s.URL+"/api/query?query=broken", "", ""); code != 400 || !strings.Contains(body, "broken") {
		t.Errorf("a broken query: %d %s", code, body)
	}
}

func TestAPasswordIsNotKeptAndAToken(t *testing.T) {
	dir := t.TempDir()
	a, _ := OpenAccess(dir)
	if err := a.AddUser("alice", "short", Viewer); err == nil {
		t.Error("a short password is taken")
	}
	if err := a.AddUser("alice", "a long password", Ingest); err == nil {
		t.Error("a person may not be an agent")
	}
	if err := a.AddUser("alice", "a long password", Admin); err != nil {
		t.Fatal(err)
	}
	secret, err := a.AddToken("beat", Ingest)
	if err != nil {
		t.Fatal(err)
	}
	data, err := readFile(a.path)
	if err != nil || strings.Contains(data, secret) || strings.Contains(data, "a long password") {
		t.Errorf("%s, %v", data, err)
	}
	b, err := OpenAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	if role, ok := b.password("alice", "a long password"); !ok || role != Admin {
		t.Error("the password is not known after a restart")
	}
	if _, ok := b.password("alice", "another password"); ok {
		t.Error("any password will do")
	}
	if err := b.Remove("alice"); err != nil || b.Remove("alice") == nil {
		t.Error("removed once and only once")
	}
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

// drawable is a case over a real store.
type drawable struct {
	fake
	st store.Store
}

func (d *drawable) Store() store.Store { return d.st }

func TestAnyChartOfAnyQueryIsDrawnAndHarmless(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w := st.NewWriter()
	var b event.Batch
	for i := range 20 {
		e := b.Begin(int64(i), hostile)
		e.ID = fmt.Sprintf("000000000000000000000001-%010x", i)
		e.Time = time.Date(2026, 3, 2, i, 0, 0, 0, time.UTC).UnixNano()
		for _, f := range [][2]string{{"event.dataset", "made.up"}, {"user.name", hostile}, {"host.name", hostile}, {"source.ip", "203.0.113.7"}, {"event.outcome", "failure"}, {"source.bytes", "512"}} {
			b.Add(f[0], f[1])
		}
	}
	if err := errors.Join(w.Add(&store.Source{ID: "000000000000000000000001", Path: "x.log"}, b.Events), w.Flush(), st.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	access, err := OpenAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("http://127.0.0.1:0")
	s := New(u, Options{Case: &drawable{st: st}, Dir: dir, Access: access, Log: slog.New(slog.DiscardHandler)})
	if s.audit, err = openAudit(dir, s.o.Log); err != nil {
		t.Fatal(err)
	}
	defer s.audit.close()
	ts := httptest.NewServer(s.handler())
	defer ts.Close()
	get := func(path string) (int, string) {
		res, err := http.Get(ts.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	paths := []string{"/charts", "/charts?last=7d", "/charts/part?by=event.outcome&last=all"}
	for _, k := range plot.Kinds {
		for _, page := range []string{"/charts", "/charts/part", "/api/chart"} {
			paths = append(paths, page+"?kind="+k.Name+"&value=source.bytes&last=all&q="+url.QueryEscape(`event.outcome:failure`))
		}
	}
	for _, path := range paths {
		status, body := get(path)
		// A bar of sums takes one field, as the kind has by itself.
		if status != http.StatusOK || !strings.Contains(body, "<svg") || strings.Contains(body, "<script>alert") || strings.Contains(body, `class="error"`) {
			t.Errorf("%s: status %d, %.300s", path, status, body)
		}
	}
	if _, body := get("/charts?kind=graph&last=all"); !strings.Contains(body, "alert(&#34;x&#34;)") && !strings.Contains(body, "alert(&quot;x&quot;)") {
		t.Error("the names of the records are not shown")
	}
	if status, body := get("/api/chart?kind=heatmap&type=png&last=all"); status != http.StatusOK || !strings.HasPrefix(body, "\x89PNG") {
		t.Errorf("a PNG: status %d, %.20q", status, body)
	}
	for path, want := range map[string]string{
		"/charts?kind=box&last=all":                      "name their field",
		"/charts?kind=" + url.QueryEscape(hostile):       "there is no chart",
		"/charts?kind=bar&top=many":                      "want a number",
		"/charts?kind=line&step=1ms&last=all":            "want 1s or more",
		"/charts?kind=bar&from=yesterday":                "want a time",
		"/charts?kind=bar&from=2026-03-02&to=2026-03-01": "not before",
		"/charts?kind=bar&q=" + url.QueryEscape("a | |"): "",
	} {
		status, body := get(path)
		if status != http.StatusOK || !strings.Contains(body, `class="error"`) || !strings.Contains(body, want) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: status %d, %.200s", path, status, body[strings.Index(body, "</header>")+1:])
		}
	}
	if status, _ := get("/api/chart?kind=box"); status != http.StatusBadRequest {
		t.Errorf("a box chart without numbers: status %d", status)
	}
}
