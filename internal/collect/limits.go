package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// What whoever can connect may make a server hold before it knows him, or at
// all, is bounded: connections of one listener and of one address, the bytes of
// messages that are not whole or not kept yet, the records of one request. A
// request costs memory only as its bytes arrive.

const (
	maxConnections = 4096      // of one listener
	maxOfAddress   = 256       // of them from one address
	maxInbound     = 256 << 20 // bytes of requests, windows and messages being received, of all listeners
	maxRecords     = 200_000   // of one request: a record costs some hundred bytes however short it is
	inboundStep    = 64 << 10  // bytes taken from the budget at once
	inboundWait    = 10 * time.Second
)

var (
	errInbound = errors.New("too much is being received at once: try again in a moment")
	errRecords = fmt.Errorf("%w: more than %d records in one request", errBody, maxRecords)
)

// budget is bytes that may be held.
type budget struct {
	mu      sync.Mutex
	left    int
	changed chan struct{} // closed when some are given back
}

var inbound = &budget{left: maxInbound}

// take waits a while for n bytes.
func (b *budget) take(n int) error {
	var end <-chan time.Time
	for {
		b.mu.Lock()
		if b.left >= n {
			b.left -= n
			b.mu.Unlock()
			return nil
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		if end == nil {
			t := time.NewTimer(inboundWait)
			defer t.Stop()
			end = t.C
		}
		select {
		case <-changed:
		case <-end:
			return errInbound
		}
	}
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// held is what one request or message has of the budget.
type held struct {
	mu      sync.Mutex
	n, used int
	freed   bool // the request has ended
}

// grow counts n more bytes.
func (h *held) grow(n int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.freed {
		return nil
	}
	if h.used += n; h.used <= h.n {
		return nil
	}
	more := (h.used - h.n + inboundStep - 1) / inboundStep * inboundStep
	if err := inbound.take(more); err != nil {
		return err
	}
	h.n += more
	return nil
}

// free gives all back; again says that h is used for something else.
func (h *held) free(again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	inbound.give(h.n)
	h.n, h.used, h.freed = 0, 0, !again
}

// counting counts what is read.
type counting struct {
	r io.Reader
	h *held
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if e := c.h.grow(n); e != nil {
		return 0, e
	}
	return n, err
}

// holding is what a request holds until it is answered.
func holding(r *http.Request) *held {
	h := &held{}
	context.AfterFunc(r.Context(), func() { h.free(false) })
	return h
}

// Limit has a listener close connections beyond the bound of one address at once, so
// that nobody can take all there are.
func Limit(l net.Listener) net.Listener {
	return &limited{Listener: l, of: map[netip.Addr]int{}}
}

type limited struct {
	net.Listener
	mu sync.Mutex
	of map[netip.Addr]int
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		from := a.Addr().Unmap()
		if from.Is6() { // whoever has one address of a network has all
			p, _ := from.Prefix(64)
			from = p.Addr()
		}
		l.mu.Lock()
		full := l.of[from] >= maxOfAddress
		if !full {
			l.of[from]++
		}
		l.mu.Unlock()
		if !full {
			return &limitedConn{Conn: conn, done: sync.OnceFunc(func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.of[from]--; l.of[from] == 0 {
					delete(l.of, from)
				}
			})}, nil
		}
		conn.Close()
	}
}

type limitedConn struct {
	net.Conn
	done func()
}

func (c *limitedConn) Close() error {
	c.done()
	return c.Conn.Close()
}
