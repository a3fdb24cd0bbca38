package alert

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
)

func findings(n int, level string) (fs []analyze.Finding) {
	for i := range n {
		fs = append(fs, analyze.Finding{ID: fmt.Sprint(i), Title: "Brute force", Level: level, Rule: analyze.Rule{ID: "r"}, Explanation: "many <failures>\x1b[31m",
			Entities: analyze.Entities{Hosts: []string{fmt.Sprintf("web%d", i%2)}}})
	}
	return fs
}

// alerter runs until the test ends.
func alerter(t *testing.T, dir string, perHour int, urls ...string) (a *Alerter, stop func()) {
	t.Helper()
	a, err := New(Options{Dir: dir, URLs: urls, Group: 20 * time.Millisecond, PerHour: perHour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { a.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return a, stop
}

// hooked is a webhook that keeps what it gets; while down it refuses.
type hooked struct {
	mu   sync.Mutex
	got  []string
	down bool
	*httptest.Server
}

func newHooked(t *testing.T) *hooked {
	h := &hooked{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.down {
			http.Error(w, "down", 503)
			return
		}
		h.got = append(h.got, string(body))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooked) wait(t *testing.T, n int) []string {
	t.Helper()
	for range 500 {
		h.mu.Lock()
		got := h.got
		h.mu.Unlock()
		if len(got) >= n {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%d of %d messages arrived", len(h.got), n)
	return nil
}

func TestFindingsOfOneRuleAndHostAreToldOnce(t *testing.T) {
	h := newHooked(t)
	a, _ := alerter(t, t.TempDir(), 0, "webhook+"+h.URL)
	a.Found(findings(10, "critical"))
	a.Found(findings(10, "low"))
	var m Message
	if err := json.Unmarshal([]byte(h.wait(t, 1)[0]), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Items) != 2 || m.Items[0].Count != 5 || m.Level != "critical" || !strings.Contains(m.Title, "Brute force on web0 and 1 more") {
		t.Errorf("%+v", m)
	}
}

func TestSourcesThatFellSilentAreToldWhateverTheLevel(t *testing.T) {
	for _, c := range []struct {
		on   []string
		want int // items
	}{{nil, 2}, {[]string{OnSources}, 2}, {[]string{OnFindings, OnIncidents}, 0}} {
		a, err := New(Options{Dir: t.TempDir(), On: c.on, Group: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		silent := func(id string) analyze.Finding {
			return analyze.Finding{ID: id, Level: "low", Rule: analyze.Rule{ID: analyze.SilentSender}}
		}
		a.Found([]analyze.Finding{silent("a"), silent("b"), {ID: "c", Level: "low", Rule: analyze.Rule{ID: "rates"}}})
		if len(a.items) != c.want {
			t.Errorf("on %v: %v", c.on, a.items)
		}
	}
}

func TestWhatCannotBeDeliveredWaitsOverARestart(t *testing.T) {
	h := newHooked(t)
	h.down = true
	dir := t.TempDir()
	a, stop := alerter(t, dir, 0, "slack+"+h.URL)
	a.Found(findings(1, "high"))
	time.Sleep(200 * time.Millisecond)
	stop()
	h.mu.Lock()
	h.down = false
	h.mu.Unlock()
	alerter(t, dir, 0, "slack+"+h.URL)
	got := h.wait(t, 1)[0]
	if !strings.Contains(got, `"text":"*Sextant: [high] Brute force`) || strings.Contains(got, "\\u001b") || strings.Contains(got, "<failures>") {
		t.Errorf("%s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.json")); len(left) > 0 {
		time.Sleep(100 * time.Millisecond)
		if left, _ = filepath.Glob(filepath.Join(dir, "*", "*.json")); len(left) > 0 {
			t.Errorf("delivered, and %q is still there", left)
		}
	}
}

func TestNoMoreThanSoManyAnHourAreSent(t *testing.T) {
	h := newHooked(t)
	dir := t.TempDir()
	a, _ := alerter(t, dir, 2, "webhook+"+h.URL)
	for range 4 {
		a.Found(findings(1, "high"))
		time.Sleep(100 * time.Millisecond)
	}
	h.wait(t, 2)
	time.Sleep(200 * time.Millisecond)
	if n := len(h.wait(t, 2)); n != 2 {
		t.Errorf("%d were sent", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.json")); len(left) != 2 {
		t.Errorf("%d wait", len(left))
	}
}

func TestMailSyslogFileAndElasticsearch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	letter := make(chan string, 1)
	go mailServer(l, letter)
	if err := Test(context.Background(), "smtp+plain://"+l.Addr().String()+"?from=sextant@example.com&to=soc@example.com"); err != nil {
		t.Error(err)
	}
	if got := <-letter; !strings.Contains(got, "Subject: Sextant: a test") || !strings.Contains(got, "To: soc@example.com") {
		t.Errorf("%q", got)
	}

	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if err := Test(context.Background(), "syslog+udp://"+udp.LocalAddr().String()); err != nil {
		t.Error(err)
	}
	p := make([]byte, 2048)
	udp.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, _, err := udp.ReadFrom(p); err != nil || !strings.HasPrefix(string(p[:n]), "<134>1 ") {
		t.Errorf("%q, %v", p[:n], err)
	}

	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	if err := Test(context.Background(), "file://"+path); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || !strings.Contains(string(data), `"title":"Sextant: a test`) {
		t.Errorf("%s, %v", data, err)
	}

	h := newHooked(t)
	if err := Test(context.Background(), "elasticsearch+"+h.URL+"/alerts"); err != nil {
		t.Error(err)
	}
	if got := h.wait(t, 1)[0]; !strings.Contains(got, `"event.kind":"alert"`) {
		t.Errorf("%s", got)
	}
	h.down = true
	if err := Test(context.Background(), "teams+"+h.URL); err == nil {
		t.Error("a refusal is taken for a delivery")
	}
}

// mailServer takes one letter.
func mailServer(l net.Listener, letter chan<- string) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "220 test\r\n")
	r := bufio.NewScanner(conn)
	var text strings.Builder
	data := false
	for r.Scan() {
		line := r.Text()
		switch {
		case data && line == ".":
			data = false
			letter <- text.String()
			fmt.Fprint(conn, "250 ok\r\n")
		case data:
			text.WriteString(line + "\n")
		case strings.HasPrefix(line, "DATA"):
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func TestAnOutputThatIsWrongIsSaidWithoutItsSecrets(t *testing.T) {
	for _, raw := range []string{"pager://x", "webhook+ftp://x", "smtp+tls://user:geheim@host", "elasticsearch+https://user:geheim@host", "slack+https://%zz/geheim"} {
		_, err := New(Options{Dir: t.TempDir(), URLs: []string{raw}})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", raw, err)
		}
	}
	_, err := New(Options{Level: "loud", Dir: t.TempDir()})
	if err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
