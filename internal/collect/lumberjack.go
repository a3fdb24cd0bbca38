package collect

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// Lumberjack version 2, the protocol between Beats and Logstash, and version 1:
// frames of a version byte and a type byte. A window frame says how many events
// follow; events come as JSON or as pairs of key and value, alone or compressed
// together; the receiver acknowledges the last sequence number of the window. Here
// a window is acknowledged when all of it is on disk, and its sender is told that
// we are alive while it waits.
//
// Source: the protocol description in the logstash-input-beats plugin
// (PROTOCOL.md) and in logstash-forwarder.
var (
	_ = register("beats", "Beats and Logstash (Lumberjack 1 and 2)", newLumberjack)
	_ = register("beats+tls", "the same over TLS: ?cert=&key= and, for client certificates, &client-ca=", newLumberjack)
)

const (
	maxWindow     = 64 << 10
	maxFrameBytes = 8 << 20 // compressed, and of one event
	maxInflated   = spool.MaxDelivery
	keepAlive     = 3 * time.Second
)

type lumberjack struct {
	url *url.URL
	o   Options
	l   net.Listener
}

func newLumberjack(u *url.URL, o Options) (Collector, error) { return &lumberjack{url: u, o: o}, nil }

func (c *lumberjack) Name() string {
	if c.l == nil {
		return baseURL(c.url, nil)
	}
	return baseURL(c.url, c.l.Addr())
}

func (c *lumberjack) Listen(ctx context.Context) (err error) {
	c.l, err = listenTCP(ctx, c.url)
	return err
}

func (c *lumberjack) Run(ctx context.Context, sink Sink) error {
	return serveTCP(ctx, c.l, c.o, func(ctx context.Context, conn net.Conn) error {
		return (&lumberjackConn{c: c, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}).run(ctx, sink)
	})
}

type lumberjackConn struct {
	c    *lumberjack
	conn net.Conn
	r    *bufio.Reader

	version byte
	records []spool.Record
	size    int
	last    uint32 // sequence number
	held    held   // of the window
}

var errLumberjack = errors.New("not the Lumberjack protocol")

func (c *lumberjackConn) run(ctx context.Context, sink Sink) error {
	defer c.held.free(false)
	for {
		c.held.free(true)
		c.records = nil
		c.conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if ctx.Err() != nil {
			return nil
		}
		n, err := c.window(c.r)
		if err != nil {
			return err
		}
		c.records, c.size, c.last = nil, 0, 0
		inflated := 0
		for len(c.records) < n {
			if err := c.frame(c.r, n, &inflated); err != nil {
				return err
			}
		}
		if n == 0 {
			continue
		}
		if err := c.keep(ctx, sink); err != nil {
			return err
		}
	}
}

// window reads a window frame.
func (c *lumberjackConn) window(r io.Reader) (int, error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, io.EOF // between windows is a good place to end
	}
	if head[0] != '1' && head[0] != '2' || head[1] != 'W' {
		return 0, fmt.Errorf("%w: it begins with %q", errLumberjack, head[:2])
	}
	if _, err := io.ReadFull(r, head[2:]); err != nil {
		return 0, err
	}
	c.version = head[0]
	n := binary.BigEndian.Uint32(head[2:])
	if n > maxWindow {
		return 0, fmt.Errorf("a window of %d events is more than %d", n, maxWindow)
	}
	return int(n), nil
}

// frame reads one frame of events; n is the window's size.
func (c *lumberjackConn) frame(r io.Reader, n int, inflated *int) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if head[0] != '1' && head[0] != '2' {
		return fmt.Errorf("%w: a frame begins with %q", errLumberjack, head[:])
	}
	switch head[1] {
	case 'J':
		seq, err := number32(r)
		if err != nil {
			return err
		}
		doc, err := c.bytes(r, maxFrameBytes)
		if err != nil {
			return err
		}
		return c.add(seq, doc)
	case 'D':
		seq, err := number32(r)
		if err != nil {
			return err
		}
		doc, err := c.pairs(r)
		if err != nil {
			return err
		}
		return c.add(seq, doc)
	case 'C':
		packed, err := c.bytes(r, maxFrameBytes)
		if err != nil {
			return err
		}
		z, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			return fmt.Errorf("compressed frame: %w", err)
		}
		bounded := &bounded{r: z, left: maxInflated - *inflated}
		inner := bufio.NewReader(bounded)
		for len(c.records) < n {
			if _, err := inner.Peek(1); err != nil {
				if errors.Is(err, io.EOF) {
					break
				}
				return fmt.Errorf("compressed frame: %w", err)
			}
			if err := c.frame(inner, n, inflated); err != nil {
				return err
			}
		}
		*inflated += maxInflated - *inflated - bounded.left
		return nil
	}
	return fmt.Errorf("%w: frame type %q", errLumberjack, head[1:])
}

// bounded fails where io.LimitReader would say that there is no more.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes", maxInflated)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (c *lumberjackConn) add(seq uint32, doc []byte) error {
	if c.size += len(doc) + 30; c.size > spool.MaxDelivery-1<<10 {
		return fmt.Errorf("a window of more than %d bytes", spool.MaxDelivery)
	}
	c.records = append(c.records, spool.Record{Data: doc})
	c.last = seq
	return nil
}

func number32(r io.Reader) (uint32, error) {
	var p [4]byte
	_, err := io.ReadFull(r, p[:])
	return binary.BigEndian.Uint32(p[:]), err
}

// bytes reads a length and so many bytes, in steps, so that a length costs
// nothing before its bytes are there.
func (c *lumberjackConn) bytes(r io.Reader, most uint32) ([]byte, error) {
	n, err := number32(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("%d bytes are more than %d", n, most)
	}
	if err := c.held.grow(int(min(n, 64<<10))); err != nil {
		return nil, err
	}
	if n <= 64<<10 {
		p := make([]byte, n)
		_, err := io.ReadFull(r, p)
		return p, err
	}
	var b bytes.Buffer
	if m, err := io.CopyN(&b, counting{r, &c.held}, int64(n)); err != nil {
		return nil, fmt.Errorf("%d bytes of %d: %w", m, n, io.ErrUnexpectedEOF)
	}
	return b.Bytes(), nil
}

// pairs reads the event of version 1 as a JSON object.
func (c *lumberjackConn) pairs(r io.Reader) ([]byte, error) {
	n, err := number32(r)
	if err != nil {
		return nil, err
	}
	if n > 1000 {
		return nil, fmt.Errorf("%d fields are more than 1000", n)
	}
	doc := []byte{'{'}
	for i := range n {
		key, err := c.bytes(r, 1<<16)
		if err != nil {
			return nil, err
		}
		value, err := c.bytes(r, 1<<20)
		if err != nil {
			return nil, err
		}
		if len(doc) > maxFrameBytes {
			return nil, errors.New("an event is too large")
		}
		if i > 0 {
			doc = append(doc, ',')
		}
		name := string(key)
		if name == "line" { // what logstash-forwarder calls a message
			name = "message"
		}
		doc = append(event.AppendQuoted(doc, name), ':')
		doc = event.AppendQuoted(doc, string(value))
	}
	return append(doc, '}'), nil
}

// keep hands the window over and acknowledges it.
func (c *lumberjackConn) keep(ctx context.Context, sink Sink) error {
	d := &spool.Delivery{Collector: c.c.Name(), Peer: peerIP(c.conn.RemoteAddr()), Format: "json", Received: time.Now().UnixNano(), Records: c.records}
	keyRecords(d.Records)
	if unkeyed(d.Records) {
		parts := make([][]byte, len(d.Records))
		for i := range d.Records {
			parts[i] = d.Records[i].Data
		}
		d.Request = spool.KeyOf(parts...)
	}
	kept := make(chan error, 1)
	go func() { kept <- deliver(context.WithoutCancel(ctx), sink, c.c.o.Stats, d) }()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		select {
		case err := <-kept:
			if err != nil {
				return err // without an answer the sender comes again
			}
			if err := c.acknowledge(c.last); err != nil {
				return err
			}
			docs := make([][]byte, len(d.Records))
			for i := range d.Records {
				docs[i] = d.Records[i].Data
			}
			settle(sink, d.Request, docs...)
			return nil
		case <-alive.C:
			if err := c.acknowledge(0); err != nil {
				<-kept
				return err
			}
		}
	}
}

func (c *lumberjackConn) acknowledge(seq uint32) error {
	c.conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
	p := []byte{c.version, 'A', 0, 0, 0, 0}
	binary.BigEndian.PutUint32(p[2:], seq)
	_, err := c.conn.Write(p)
	return err
}
