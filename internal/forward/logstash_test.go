package forward

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	lumber "github.com/elastic/go-lumber/server/v2"
)

// logstashServer is go-lumber's server; take may be told to fail.
type logstashServer struct {
	mu      sync.Mutex
	ids     []string
	batches int
	doc     map[string]any // the last
	addr    string
}

func newLogstashServer(t *testing.T, l net.Listener) *logstashServer {
	t.Helper()
	s := &logstashServer{addr: l.Addr().String()}
	server, err := lumber.NewWithListener(l, lumber.Keepalive(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := range server.ReceiveChan() {
			s.mu.Lock()
			s.batches++
			for _, e := range b.Events {
				s.doc = e.(map[string]any)
				s.ids = append(s.ids, s.doc["@metadata"].(map[string]any)["_id"].(string))
			}
			s.mu.Unlock()
			b.ACK()
		}
	}()
	t.Cleanup(func() { server.Close(); <-ended })
	return s
}

func localListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLogstashGetsEventsWithTheirIDs(t *testing.T) {
	for _, query := range []string{"", "?compress=0", "?compress=9"} {
		s := newLogstashServer(t, localListener(t))
		f := forwarder(t, "logstash://"+s.addr+query)
		send(t, f, documents(300))
		send(t, f, documents(10))
		if len(s.ids) != 310 || s.ids[299] != "abc-299" || f.Stats().Sent.Load() != 310 {
			t.Errorf("%d events", len(s.ids))
		}
		if s.doc["message"] != "message 9" || s.doc["event"].(map[string]any)["id"] != "abc-9" {
			t.Errorf("%v", s.doc)
		}
	}
}

func TestLogstashOverTLSIsCheckedAndChecks(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil) // for its certificate, which is of example.com and 127.0.0.1
	certs.StartTLS()
	defer certs.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certs.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newLogstashServer(t, tls.NewListener(localListener(t), &tls.Config{Certificates: certs.TLS.Certificates}))
	f := forwarder(t, "logstash+tls://"+s.addr+"?ca="+ca)
	send(t, f, documents(5))
	if len(s.ids) != 5 {
		t.Errorf("%d events", len(s.ids))
	}
	stranger := forwarder(t, "logstash+tls://"+s.addr)
	if _, err := stranger.out.send(context.Background(), documents(1)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

// cutter is a listener whose connections break after so many bytes were written to
// them, before the peer learns that its events arrived.
type cutter struct {
	net.Listener
	mu   sync.Mutex
	cuts int
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cut{Conn: conn, c: c}, nil
}

type cut struct {
	net.Conn
	c *cutter
}

func (c *cut) Write(p []byte) (int, error) {
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	if c.c.cuts > 0 {
		c.c.cuts--
		c.Close()
		return 0, errors.New("cut")
	}
	return c.Conn.Write(p)
}

func TestLogstashGetsEventsAgainWhoseAcknowledgementWasLost(t *testing.T) {
	s := newLogstashServer(t, &cutter{Listener: localListener(t), cuts: 3})
	f := forwarder(t, "logstash://"+s.addr)
	send(t, f, documents(20))
	seen := map[string]bool{}
	for _, id := range s.ids {
		seen[id] = true
	}
	if len(seen) != 20 || len(s.ids) <= 20 {
		t.Errorf("%d events arrived, %d different, want 20 and some again", len(s.ids), len(seen))
	}
}

func TestAnEventForLogstashIsOneJSONObject(t *testing.T) {
	for _, body := range []string{`{}`, `{"a":1}`} {
		var m map[string]any
		if err := json.Unmarshal(lumberjackEvent(&Document{ID: "a\"b", Body: []byte(body)}), &m); err != nil || m["@metadata"].(map[string]any)["_id"] != `a"b` {
			t.Errorf("%s: %v %v", body, m, err)
		}
	}
}
