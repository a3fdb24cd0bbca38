package collect

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Fluentd's forward protocol, as Fluentd and Fluent Bit send it: single messages,
// batches, packed and compressed batches. A message that asks for an
// acknowledgement ("chunk") gets it when its events are on disk.
//
// Source: fluent/fluentd wiki, "Forward Protocol Specification v1".
var (
	_ = register("fluent", "Fluentd and Fluent Bit (forward protocol); ?shared-key-file= and USER:PASSWORD@ ask for them", newFluent)
	_ = register("fluent+tls", "the same over TLS: ?cert=&key= and, for client certificates, &client-ca=", newFluent)
)

type fluent struct {
	syslogTCP
	key *fluentKey // nil: nothing is asked of a sender
}

func newFluent(u *url.URL, o Options) (Collector, error) {
	key, err := newFluentKey(u)
	if err != nil {
		return nil, err
	}
	return &fluent{syslogTCP{url: u, o: o}, key}, nil
}

// Run implements Collector.
func (c *fluent) Run(ctx context.Context, sink Sink) error {
	return serveTCP(ctx, c.l, c.o, func(ctx context.Context, conn net.Conn) error {
		return c.connection(ctx, conn, sink)
	})
}

func (c *fluent) connection(ctx context.Context, conn net.Conn, sink Sink) error {
	r := &packReader{}
	var h held
	defer h.free(false)
	r.r = counting{conn, &h}
	if c.key != nil {
		if err := c.key.greet(conn, r); err != nil {
			return err
		}
	}
	for {
		conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if ctx.Err() != nil {
			return nil
		}
		p, err := r.next(maxFrameBytes)
		if err != nil {
			return err
		}
		if err := c.message(ctx, conn, sink, p); err != nil {
			return err
		}
		h.free(true)
	}
}

// packReader cuts a stream into values.
type packReader struct {
	r    io.Reader
	buf  []byte
	part [64 << 10]byte
}

// next returns the next value, of at most so many bytes. It is the caller's.
func (r *packReader) next(most int) ([]byte, error) {
	want := 1 // bytes that must be there before another try is worth it
	for {
		if len(r.buf) >= want {
			n, err := packEnd(r.buf, 0)
			if err == nil {
				p := bytes.Clone(r.buf[:n])
				r.buf = append(r.buf[:0], r.buf[n:]...)
				return p, nil
			}
			if !errors.Is(err, errMore) {
				return nil, err
			}
			want = len(r.buf) + max(1, len(r.buf)/4)
		}
		if len(r.buf) > most {
			return nil, fmt.Errorf("a message of more than %d bytes", most)
		}
		n, err := r.r.Read(r.part[:])
		r.buf = append(r.buf, r.part[:n]...)
		if err != nil {
			return nil, err
		}
		if len(r.buf) < want && n < len(r.part) {
			want = len(r.buf) // the sender pauses: it may be whole
		}
	}
}

// message takes one message: [tag, time, record, option?], [tag, [[time,
// record], …], option?], or [tag, packed entries, option?].
func (c *fluent) message(ctx context.Context, conn net.Conn, sink Sink, p []byte) error {
	kind, n, at, err := packHead(p)
	if err != nil {
		return err
	}
	if kind == 'n' {
		return nil // heartbeat
	}
	if kind != 'a' || n < 2 || n > 4 {
		return fmt.Errorf("%w: a message is an array of two to four", errMsgpack)
	}
	tag, m, err := packText(p[at:])
	if err != nil {
		return err
	}
	at += m
	d := &spool.Delivery{Collector: c.Name(), Peer: peerIP(conn.RemoteAddr()), Format: "json", Received: time.Now().UnixNano()}
	fields := []spool.Field{{Name: "fluent.tag", Value: tag}}
	add := func(p []byte) (int, error) { // time and record
		ns, m, err := packTime(p)
		if err != nil {
			return 0, err
		}
		doc, k, err := appendPacked(nil, p[m:], 0)
		if err != nil {
			return 0, err
		}
		if d.Records = append(d.Records, spool.Record{Data: doc, Time: ns, Fields: fields}); len(d.Records) > maxRecords {
			return 0, errRecords
		}
		return m + k, nil
	}
	var option []byte
	kind, count, head, err := packHead(p[at:])
	if err != nil {
		return err
	}
	switch kind {
	case 'a': // forward mode
		inner := at + head
		for range count {
			k, _, h, err := packHead(p[inner:])
			if err != nil || k != 'a' {
				return errMsgpack
			}
			m, err := add(p[inner+h:])
			if err != nil {
				return err
			}
			inner += h + m
		}
		option = p[inner:]
	case 's', 'b': // packed
		packed, m, err := packText(p[at:])
		if err != nil {
			return err
		}
		option = p[at+m:]
		entries := []byte(packed)
		if fluentOption(option, "compressed") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(entries))
			if err != nil {
				return err
			}
			if entries, err = io.ReadAll(io.LimitReader(z, maxFrameBytes+1)); err != nil {
				return err
			}
			if len(entries) > maxFrameBytes {
				return fmt.Errorf("more than %d bytes in a compressed message", maxFrameBytes)
			}
		}
		for len(entries) > 0 {
			k, _, h, err := packHead(entries)
			if err != nil || k != 'a' {
				return errMsgpack
			}
			end, err := packEnd(entries, 0)
			if err != nil {
				return errMsgpack
			}
			if _, err := add(entries[h:end]); err != nil {
				return err
			}
			entries = entries[end:]
		}
	default: // one message
		m, err := add(p[at:])
		if err != nil {
			return err
		}
		option = p[at+m:]
	}
	chunk := fluentOption(option, "chunk")
	if chunk != "" {
		d.Request = spool.KeyOf([]byte("fluent"), []byte(tag), []byte(chunk))
	}
	if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, d); err != nil {
		return err
	}
	if chunk == "" {
		return nil
	}
	answer := append([]byte{0x81, 0xa3}, "ack"...)
	answer = append(append(answer, 0xda, byte(len(chunk)>>8), byte(len(chunk))), chunk...)
	conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(answer); err != nil {
		return err
	}
	sink.Settle(d.Request)
	return nil
}

// fluentOption is the text of an option, "" if there is none.
func fluentOption(p []byte, name string) string {
	kind, n, at, err := packHead(p)
	if err != nil || kind != 'm' {
		return ""
	}
	for range n {
		key, m, err := packText(p[at:])
		if err != nil {
			return ""
		}
		at += m
		if key == name {
			value, _, err := packText(p[at:])
			if err != nil || len(value) > 1<<15 {
				return ""
			}
			return value
		}
		if m, err = packEnd(p[at:], 0); err != nil {
			return ""
		}
		at += m
	}
	return ""
}
