package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// kept is a sink that keeps what it takes in memory.
type kept struct {
	mu       sync.Mutex
	ds       []*spool.Delivery
	marks    map[string]string
	settled  []spool.Key
	fail     error // returned while set
	arriving chan struct{}
}

func newKept() *kept { return &kept{marks: map[string]string{}, arriving: make(chan struct{}, 1<<16)} }

func (k *kept) Accept(_ context.Context, ds ...*spool.Delivery) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	for _, d := range ds {
		k.ds = append(k.ds, d)
		if d.Mark.Name != "" {
			k.marks[d.Mark.Name] = d.Mark.Value
		}
	}
	k.arriving <- struct{}{}
	return nil
}

func (k *kept) Settle(r spool.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settled = append(k.settled, r)
}

func (k *kept) Mark(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.marks[name]
}

func (k *kept) records() (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range k.ds {
		for _, r := range d.Records {
			out = append(out, string(r.Data))
		}
	}
	return out
}

// wait returns the records once there are n, or those that are there after a while.
func (k *kept) wait(t testing.TB, n int) []string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if got := k.records(); len(got) >= n {
			return got
		}
		select {
		case <-k.arriving:
		case <-deadline:
			got := k.records()
			t.Fatalf("%d records of %d arrived: %.500q", len(got), n, got)
		}
	}
}

// running starts the collector of a URL and stops it when the test ends.
func running(t testing.TB, rawURL string, sink Sink) (c Collector, addr string, stop func()) {
	t.Helper()
	c, err := New(rawURL, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c, addressOf(t, c), runCollector(t, c, sink)
}

func addressOf(t testing.TB, c Collector) string {
	t.Helper()
	if err := c.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(c.Name())
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func runCollector(t testing.TB, c Collector, sink Sink) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, sink) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the collector does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSyslogOverTCPTakesBothFramingsInOneConnection(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "syslog+tcp://127.0.0.1:0", sink)
	conn := dial(t, "tcp", addr)
	want := []string{"<13>1 - h a - - - one", "<13>two", "<13>three\nwith a line end", "<13>four", "123 no number of bytes", "<13>five"}
	io.WriteString(conn, "21 <13>1 - h a - - - one"+"<13>two\n"+"25 <13>three\nwith a line end"+"<13>four\x00"+"123 no number of bytes\r\n\n"+"<13>five")
	conn.(*net.TCPConn).CloseWrite()
	if got := sink.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestSyslogOverTCPBoundsAMessageAndGoesOn(t *testing.T) {
	sink := newKept()
	c, addr, _ := running(t, "syslog+tcp://127.0.0.1:0", sink)
	conn := dial(t, "tcp", addr)
	long := make([]byte, 3*maxMessage)
	for i := range long {
		long[i] = 'x'
	}
	fmt.Fprintf(conn, "<13>%s\n<13>after\n%d <13>%s<13>end\n", long, len(long)+4, long)
	got := sink.wait(t, 4)
	if len(got[0]) != maxMessage || got[1] != "<13>after" || len(got[2]) != maxMessage || got[3] != "<13>end" {
		t.Errorf("got %d bytes, %.20q, %d bytes, %.20q", len(got[0]), got[1], len(got[2]), got[3])
	}
	if n := c.(*syslogTCP).o.Stats.Cut.Load(); n != 2 {
		t.Errorf("%d messages are counted as cut, want 2", n)
	}
}

func TestSyslogOverUDPKeepsEveryDatagramThatArrives(t *testing.T) {
	sink := newKept()
	_, addr, stop := running(t, "syslog+udp://127.0.0.1:0", sink)
	conn := dial(t, "udp", addr)
	var want []string
	for i := range 500 {
		m := fmt.Sprintf("<13>message %d", i)
		want = append(want, m)
		io.WriteString(conn, m+"\n")
		if i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	got := sink.wait(t, len(want))
	stop()
	if !slices.Equal(got, want) {
		t.Errorf("got %d records", len(got))
	}
	if sink.ds[0].Peer != "127.0.0.1" || sink.ds[0].Format != "syslog" {
		t.Errorf("delivery says %+v", sink.ds[0])
	}
}

func TestADatagramIsHeldWhileItCannotBeKept(t *testing.T) {
	sink := newKept()
	sink.fail = errors.New("disk full")
	_, addr, _ := running(t, "syslog+udp://127.0.0.1:0", sink)
	io.WriteString(dial(t, "udp", addr), "<13>one")
	time.Sleep(50 * time.Millisecond)
	sink.mu.Lock()
	sink.fail = nil
	sink.mu.Unlock()
	sink.wait(t, 1)
}

func TestListenersOthersCanReachAreNamedAsSuch(t *testing.T) {
	for raw, exposed := range map[string]bool{
		"syslog+udp://127.0.0.1:514":                          false,
		"syslog+tcp://[::1]:514":                              false,
		"http://localhost:80":                                 false,
		"syslog+udp://0.0.0.0:514":                            true,
		"http://192.0.2.1:80":                                 true,
		"syslog+tls://0.0.0.0:6514?cert=c&key=k":              true,
		"syslog+tls://0.0.0.0:6514?cert=c&key=k&client-ca=ca": false,
		"https://0.0.0.0:443?cert=c&key=k":                    false,
		"syslog+tcp://:514":                                   true,
		"tail:/var/log/*.log":                                 false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if why := Exposed(u); (why != "") != exposed {
			t.Errorf("%s: %q", raw, why)
		}
	}
}

func FuzzOctetCount(f *testing.F) {
	f.Add([]byte("12 <13>"))
	f.Fuzz(func(t *testing.T, p []byte) {
		size, head := octetCount(p)
		if head < 0 || head > len(p) || size < 0 {
			t.Errorf("octetCount(%q) = %d, %d", p, size, head)
		}
	})
}
