package collect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Syslog over TCP and TLS: RFC 6587 with both framings, told apart message by
// message, and RFC 5425. The protocol has no acknowledgements; a sender that is
// slowed down by TCP keeps what it cannot send.
var (
	_ = register("syslog+tcp", "syslog over TCP (RFC 6587, both framings; RFC 5424 and 3164)", newSyslogTCP)
	_ = register("syslog+tls", "syslog over TLS (RFC 5425): ?cert=&key= and, for client certificates, &client-ca=", newSyslogTCP)
	_ = register("lines+tcp", "lines of JSON or of any known format over TCP: Logstash's tcp output, Python sockets", newSyslogTCP)
	_ = register("lines+tls", "the same over TLS", newSyslogTCP)
)

type syslogTCP struct {
	url *url.URL
	o   Options
	l   net.Listener
}

func newSyslogTCP(u *url.URL, o Options) (Collector, error) {
	return &syslogTCP{url: u, o: o}, nil
}

func (c *syslogTCP) Name() string {
	if c.l == nil {
		return baseURL(c.url, nil)
	}
	return baseURL(c.url, c.l.Addr())
}

func (c *syslogTCP) Listen(ctx context.Context) (err error) {
	c.l, err = listenTCP(ctx, c.url)
	return err
}

func (c *syslogTCP) Run(ctx context.Context, sink Sink) error {
	return serveTCP(ctx, c.l, c.o, func(ctx context.Context, conn net.Conn) error {
		r := &syslogReader{r: bufio.NewReaderSize(conn, 64<<10), name: c.Name(), peer: peerIP(conn.RemoteAddr()), stats: c.o.Stats}
		if strings.HasPrefix(c.url.Scheme, "syslog") {
			r.format = "syslog"
		}
		return r.run(ctx, conn, sink)
	})
}

// listenTCP opens the listener of a URL, with TLS where its scheme ends in +tls.
func listenTCP(ctx context.Context, u *url.URL) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
	}
	l = Limit(l)
	if len(u.Scheme) > 4 && u.Scheme[len(u.Scheme)-4:] == "+tls" {
		config, err := tlsConfig(u)
		if err != nil {
			l.Close()
			return nil, err
		}
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// serveTCP accepts connections until ctx ends, and waits for their ends. A
// connection's error is counted and logged, not returned.
func serveTCP(ctx context.Context, l net.Listener, o Options, serve func(context.Context, net.Conn) error) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	room := make(chan struct{}, maxConnections)
	for {
		room <- struct{}{}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			o.Stats.Errors.Add(1)
			o.Log.Warn("cannot accept a connection", "listener", l.Addr().String(), "error", err)
			time.Sleep(50 * time.Millisecond) // out of files, most likely
			<-room
			continue
		}
		conns.Go(func() {
			defer func() { <-room }()
			o.Stats.Connections.Add(1)
			defer o.Stats.Connections.Add(-1)
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
			defer stop()
			if err := handshake(ctx, conn); err != nil {
				o.Stats.Errors.Add(1)
				o.Log.Info("no TLS connection", "listener", l.Addr().String(), "peer", conn.RemoteAddr().String(), "error", err)
				return
			}
			if err := serve(ctx, conn); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
				o.Stats.Errors.Add(1)
				o.Log.Info("connection ended", "listener", l.Addr().String(), "peer", conn.RemoteAddr().String(), "error", err)
			}
		})
	}
}

// handshake has a peer that is to speak TLS say who it is without delay.
func handshake(ctx context.Context, conn net.Conn) error {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.HandshakeContext(ctx)
}

// syslogReader cuts one connection into messages.
type syslogReader struct {
	r      *bufio.Reader
	name   string
	peer   string
	format string // of the messages; "" to recognise it
	stats  *Stats
}

// run hands over what is in the buffer whenever it would have to wait for more.
func (r *syslogReader) run(ctx context.Context, conn net.Conn, sink Sink) error {
	for {
		conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if ctx.Err() != nil {
			return nil
		}
		d := &spool.Delivery{Collector: r.name, Peer: r.peer, Format: r.format}
		size := 0
		var err error
		for {
			var m []byte
			m, err = r.message()
			if m = trimMessage(m); len(m) > 0 {
				d.Records = append(d.Records, spool.Record{Data: m})
				size += len(m)
			}
			if err != nil || size > 1<<20 || len(d.Records) >= 8192 || !r.ready() {
				break
			}
		}
		if len(d.Records) > 0 {
			d.Received = time.Now().UnixNano()
			// What was read is kept, also when we are being stopped.
			if e := deliver(context.WithoutCancel(ctx), sink, r.stats, d); e != nil {
				return e
			}
		}
		if err != nil {
			return err
		}
	}
}

// ready reports whether a whole message is likely in the buffer.
func (r *syslogReader) ready() bool {
	n := r.r.Buffered()
	if n == 0 {
		return false
	}
	p, _ := r.r.Peek(n)
	if size, head := octetCount(p); head > 0 {
		return n >= head+size
	}
	return bytes.IndexByte(p, '\n') >= 0 || bytes.IndexByte(p, 0) >= 0
}

// message reads one message of either framing (RFC 6587 §3.4). What is longer
// than maxMessage is cut and counted. With an error it returns what there was.
func (r *syslogReader) message() ([]byte, error) {
	if size, head := r.counted(); head > 0 {
		r.r.Discard(head)
		m := make([]byte, min(size, maxMessage))
		n, err := io.ReadFull(r.r, m)
		if err == nil && size > maxMessage {
			r.stats.Cut.Add(1)
			_, err = r.r.Discard(size - maxMessage)
		}
		return m[:n], err
	}
	var m []byte
	for {
		p, err := r.r.Peek(max(1, r.r.Buffered()))
		end := bytes.IndexByte(p, '\n')
		if i := bytes.IndexByte(p, 0); i >= 0 && (end < 0 || i < end) { // some end messages with NUL
			end = i
		}
		part, n := p, len(p)
		if end >= 0 {
			part, n = p[:end], end+1
		}
		if room := maxMessage - len(m); len(part) > room {
			if room > 0 {
				r.stats.Cut.Add(1)
			}
			part = part[:room]
		}
		m = append(m, part...)
		r.r.Discard(n)
		if end >= 0 || err != nil {
			return m, err
		}
	}
}

// counted reads the count that may stand before the next message, waiting for
// no more bytes than it takes to tell.
func (r *syslogReader) counted() (size, head int) {
	for n := 1; ; n++ {
		p, err := r.r.Peek(max(n, min(r.r.Buffered(), 12)))
		if err != nil {
			return 0, 0
		}
		n = len(p)
		if size, head = octetCount(p); head > 0 || !digitsAndBlank(p) {
			return size, head
		}
	}
}

// digitsAndBlank reports whether p may be the beginning of a count.
func digitsAndBlank(p []byte) bool {
	p = bytes.TrimSuffix(p, []byte(" "))
	return len(p) > 0 && len(p) <= 8 && len(bytes.TrimRight(p, "0123456789")) == 0 && p[0] != '0'
}

// octetCount reads the "123 " that stands before a counted message, which then
// begins with '<'. head is the bytes it takes, 0 if there is none. Something else may
// begin with a number too, so the '<' must be there.
func octetCount(p []byte) (size, head int) {
	for i, c := range p {
		switch {
		case '0' <= c && c <= '9' && i < 8 && !(i == 0 && c == '0'):
			size = size*10 + int(c-'0')
		case c == ' ' && i > 0 && i+1 < len(p) && p[i+1] == '<':
			return size, i + 1
		default:
			return 0, 0
		}
	}
	return 0, 0
}

// trimMessage takes line ends, NULs and a byte order mark off.
func trimMessage(m []byte) []byte {
	return bytes.TrimRight(m, "\r\n\x00")
}

// deliver hands deliveries over and counts them.
func deliver(ctx context.Context, sink Sink, stats *Stats, ds ...*spool.Delivery) error {
	if err := sink.Accept(ctx, ds...); err != nil {
		stats.Errors.Add(1)
		return err
	}
	for _, d := range ds {
		stats.Deliveries.Add(1)
		stats.Records.Add(int64(len(d.Records)))
		var n int64
		for i := range d.Records {
			n += int64(len(d.Records[i].Data))
		}
		stats.Bytes.Add(n)
		stats.Last.Store(d.Received)
	}
	return nil
}
