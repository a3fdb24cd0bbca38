package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// listening is a server as it runs, with its own times; log gets what it says.
func listening(t *testing.T, change func(*Server, *Access)) (addr, dir string, log *safeBuffer) {
	t.Helper()
	dir = t.TempDir()
	access, err := OpenAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	log = &safeBuffer{}
	u, _ := url.Parse("http://127.0.0.1:0")
	s := New(u, Options{Case: &fake{}, Dir: dir, Access: access, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if change != nil {
		change(s, access)
	}
	if err := s.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.l.Addr().String(), dir, log
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// raw sends bytes and returns what comes back until the server ends the
// connection, and how long that took.
func raw(t *testing.T, addr string, send func(net.Conn)) (string, time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(20 * time.Second))
	go send(conn)
	answer, err := io.ReadAll(conn)
	if n, ok := err.(net.Error); ok && n.Timeout() {
		t.Errorf("the connection is still open after %v", time.Since(began))
	}
	return string(answer), time.Since(began)
}

func TestSlowSendersAreCutOff(t *testing.T) {
	for _, known := range []bool{false, true} { // also who is not let in must not hold a connection
		addr, _, _ := listening(t, func(s *Server, a *Access) {
			s.headerTime, s.requestTime = 500*time.Millisecond, time.Second
			if known {
				a.AddUser("alice", "a long password", Viewer)
			}
		})
		trickle := func(head string) func(net.Conn) {
			return func(c net.Conn) {
				io.WriteString(c, head)
				for range 100 {
					if _, err := io.WriteString(c, "X"); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
		}
		for name, send := range map[string]func(net.Conn){
			"header":  trickle("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "),
			"body":    trickle("POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"),
			"chunks":  trickle("POST /_bulk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"),
			"login":   trickle("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\nname="),
			"search":  trickle("POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\nquery="),
			"nothing": func(net.Conn) {},
		} {
			if answer, took := raw(t, addr, send); took > 8*time.Second {
				t.Errorf("%s (somebody is known: %v) is cut off after %v: %.100q", name, known, took, answer)
			}
		}
	}
}

func TestHugeRequestsAreRefused(t *testing.T) {
	addr, _, _ := listening(t, nil)
	head := func(c net.Conn) {
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\n")
		for i := range 100 {
			if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("a", 4000)); err != nil {
				return
			}
		}
		fmt.Fprintf(c, "\r\n")
	}
	if answer, _ := raw(t, addr, head); !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("headers of 400 kB: %.100q", answer)
	}
	line := func(c net.Conn) {
		fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n", strings.Repeat("a", 200_000))
	}
	if answer, _ := raw(t, addr, line); !strings.HasPrefix(answer, "HTTP/1.1 4") {
		t.Errorf("a path of 200 kB: %.100q", answer)
	}
	for path, kind := range map[string]string{"/ingest": "text/plain", "/_bulk": "application/x-ndjson", "/x/_doc": "application/json", "/services/collector": "application/json", "/loki/api/v1/push": "application/json",
		"/v1/logs": "application/json", "/gelf": "application/json", "/login": "application/x-www-form-urlencoded", "/api/query": "application/x-www-form-urlencoded", "/ingest/form": "application/x-www-form-urlencoded"} {
		resp, err := http.Post("http://"+addr+path, kind, io.LimitReader(endless('a'), 64<<20))
		if err != nil {
			continue // it hung up in the middle of it
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 4 && resp.StatusCode != 303 {
			t.Errorf("%s takes 64 MiB: %d", path, resp.StatusCode)
		}
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestNothingOfARequestBecomesAHeaderOrAFile(t *testing.T) {
	addr, _, _ := listening(t, func(_ *Server, a *Access) { a.AddUser("alice", "a long password", Viewer) })
	s := "http://" + addr
	auth := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:a long password"))
	const crlf = "%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a<script>"
	for _, path := range []string{"/login?failed" + crlf, "/?q=" + crlf, "/" + crlf, "/api/query?query=" + crlf, "/x" + crlf + "/_bulk", "/report?" + crlf} {
		for _, as := range []string{"", auth} {
			_, _, h := ask(t, "GET", s+path, as, "", "Accept", "text/html")
			if h.Get("Set-Cookie") != "" || h.Get("evil") != "" {
				t.Errorf("%s: %v", path, h)
			}
			if to := h.Get("Location"); to != "" && to != "/login" && !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("%s leads to %q", path, to)
			}
		}
	}
	// Another Host leads nowhere else.
	if _, _, h := ask(t, "GET", s+"/", "", "", "Accept", "text/html", "Host", "evil.example"); strings.Contains(h.Get("Location"), "evil") {
		t.Errorf("the Host header is in %q", h.Get("Location"))
	}
	for _, path := range []string{"/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/report/../../../etc/passwd", "/live.js/../../../../etc/passwd", "/..%5c..%5cetc%5cpasswd", "//etc/passwd", "/access.json", "/audit.jsonl", "/%00"} {
		answer, _ := raw(t, addr, func(c net.Conn) {
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nConnection: close\r\n\r\n", path, auth)
		})
		if strings.Contains(answer, "root:") || strings.Contains(answer, "argon2") || strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("%s: %.300q", path, answer)
		}
	}
}

func TestOtherSitesCannotUseASessionNorChooseIt(t *testing.T) {
	addr, _, _ := listening(t, func(_ *Server, a *Access) { a.AddUser("root", "a long password", Admin) })
	s := "http://" + addr
	form := "name=root&password=a+long+password"
	code, _, h := ask(t, "POST", s+"/login", "", form, "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookieName+"=chosen-by-somebody")
	id, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
	if code != 303 || id == "" || strings.Contains(id, "chosen") {
		t.Fatalf("%d %q", code, h.Get("Set-Cookie"))
	}
	if code, _, _ := ask(t, "GET", s+"/api/query?query=*", "", "", "Cookie", cookieName+"=chosen-by-somebody"); code != 401 {
		t.Errorf("a session somebody chose gives %d", code)
	}
	for _, path := range []string{"/api/reload", "/api/query", "/logout", "/login", "/ingest", "/_bulk", "/ingest/form"} {
		for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			code, _, _ := ask(t, "POST", s+path, "", form+"&query=*", append([]string{"Cookie", id, "Content-Type", "application/x-www-form-urlencoded"}, from...)...)
			if code != 403 {
				t.Errorf("POST %s from elsewhere (%v) with a session: %d", path, from, code)
			}
		}
	}
	if code, _, _ := ask(t, "GET", s+"/api/query?query=*", "", "", "Cookie", id); code != 200 {
		t.Errorf("the session has gone: %d", code)
	}
	// A form on our own page is let in.
	if code, _, _ := ask(t, "POST", s+"/logout", "", "", "Cookie", id, "Sec-Fetch-Site", "same-origin", "Origin", s); code != 303 {
		t.Errorf("our own form: %d", code)
	}
}

func TestManyTriesAtOnceAreNoMoreThanManyTries(t *testing.T) {
	addr, _, _ := listening(t, func(_ *Server, a *Access) { a.AddUser("alice", "a long password", Viewer) })
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for i := range 60 {
		all.Go(func() {
			body := fmt.Sprintf("name=alice&password=guess+%d", i)
			// Who is asking is not what he says.
			code, _, _ := ask(t, "POST", "http://"+addr+"/login", "", body, "Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i), "X-Real-IP", fmt.Sprintf("203.0.113.%d", i))
			mu.Lock()
			codes[code]++
			mu.Unlock()
		})
	}
	all.Wait()
	if codes[303] > maxFailures+maxHashing || codes[429] < 60-maxFailures-maxHashing {
		t.Errorf("of 60 tries at once: %v", codes)
	}
	for _, auth := range []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("alice:a long password")), "Bearer x"} {
		if code, _, _ := ask(t, "GET", "http://"+addr+"/api/query?query=*", auth, ""); code != 429 {
			t.Errorf("%.6s after that: %d", auth, code)
		}
	}
}

func TestSecretsAreInNoLog(t *testing.T) {
	var token string
	addr, dir, log := listening(t, func(_ *Server, a *Access) {
		a.AddUser("alice", "a long password", Viewer)
		token, _ = a.AddToken("agent", Ingest)
	})
	s := "http://" + addr
	ask(t, "POST", s+"/ingest", "Bearer "+token, "x")
	ask(t, "GET", s+"/api/query?query=*", "Bearer "+token, "")
	ask(t, "GET", s+"/metrics", "Splunk "+token+"x", "")
	ask(t, "GET", s+"/api/query?query=*", "Basic "+base64.StdEncoding.EncodeToString([]byte("alice:a long password")), "")
	ask(t, "POST", s+"/login", "", "name=alice&password=a+long+password", "Content-Type", "application/x-www-form-urlencoded")
	ask(t, "POST", s+"/login", "", "name=alice&password=wrong+secret", "Content-Type", "application/x-www-form-urlencoded")
	raw(t, addr, func(c net.Conn) {
		fmt.Fprintf(c, "BROKEN %s\r\nAuthorization: Bearer %s\r\n\r\n", token, token)
		c.(*net.TCPConn).CloseWrite()
	})
	said := log.String()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(path)
			said += string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "login failed") || !strings.Contains(said, "alice") {
		t.Fatalf("nothing was written down: %.300q", said)
	}
	for _, secret := range []string{token, "a long password", "a+long+password", "wrong secret", "wrong+secret"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in a log or in the clear in a file", secret)
		}
	}
}

func TestAViewerChangesNothing(t *testing.T) {
	addr, _, _ := listening(t, func(s *Server, a *Access) {
		a.AddUser("alice", "a long password", Viewer)
		a.AddUser("bob", "another password", Analyst)
		s.o.Reload = func(context.Context) (string, error) { t.Error("it was reloaded"); return "", nil }
	})
	for _, who := range []string{"alice:a long password", "bob:another password"} {
		auth := "Basic " + base64.StdEncoding.EncodeToString([]byte(who))
		for _, path := range []string{"/api/reload", "/ingest", "/_bulk", "/x/_doc", "/services/collector", "/v1/logs", "/loki/api/v1/push", "/upload", "/gelf", "/insert/jsonline", "/ingest/form"} {
			if code, body, _ := ask(t, "POST", "http://"+addr+path, auth, "{}"); code != 403 {
				t.Errorf("%.5s POST %s: %d %.100s", who, path, code, body)
			}
		}
	}
}
