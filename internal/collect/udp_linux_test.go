package collect

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// halting is a sink that takes nothing until it may.
type halting struct {
	*kept
	open chan struct{}
}

func (h halting) Accept(ctx context.Context, ds ...*spool.Delivery) error {
	<-h.open
	return h.kept.Accept(ctx, ds...)
}

// TestWhatTheKernelDropsIsCountedToTheDatagram sends more than the socket's buffer and
// ours hold while nothing can be kept.
func TestWhatTheKernelDropsIsCountedToTheDatagram(t *testing.T) {
	sink := halting{newKept(), make(chan struct{})}
	sink.kept.arriving = make(chan struct{}, 1<<20)
	stats := &Stats{}
	c, err := New("syslog+udp://127.0.0.1:0", Options{Log: slog.New(slog.DiscardHandler), Stats: stats})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	runCollector(t, c, sink)
	u, _ := url.Parse(c.Name())
	conn, err := net.Dial("udp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := fmt.Sprintf("<14>Mar  4 10:11:12 web1 app[7]: %01000d", 0)
	sent := int64(0)
	for end := time.Now().Add(20 * time.Second); sent < 60_000 && time.Now().Before(end); sent++ {
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	close(sink.open)
	for end := time.Now().Add(20 * time.Second); stats.Records.Load()+stats.Lost.Load() != sent; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sent, %d kept, %d counted as lost", sent, stats.Records.Load(), stats.Lost.Load())
		}
		conn.Write([]byte("<14>x")) // the kernel tells its counter with the next one
		sent++
	}
	if stats.Lost.Load() == 0 {
		t.Errorf("%d sent and none lost: that proves nothing", sent)
	}
	t.Logf("%d sent, %d kept, %d lost", sent, stats.Records.Load(), stats.Lost.Load())
}
