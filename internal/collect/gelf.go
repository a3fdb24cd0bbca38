package collect

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// GELF 1.1, as Graylog's inputs take it and Docker's driver sends it: datagrams,
// whole or in chunks, plain or compressed; NUL-terminated over TCP; and by HTTP.
//
// Source: Graylog, "GELF Payload Specification" 1.1.
var (
	_ = register("gelf+udp", "GELF over UDP, whole and in chunks", newGELFUDP)
	_ = register("gelf+tcp", "GELF over TCP, ended by NUL", newGELFTCP)
	_ = register("gelf+tls", "the same over TLS: ?cert=&key= and, for client certificates, &client-ca=", newGELFTCP)
	_ = registerEndpoint(Endpoint{Pattern: "POST /gelf", Title: "GELF by HTTP", Handler: newGELFHTTP})
)

// gelfRecord is a message as a record: its short text is decoded as the log
// line it may be; all else goes along.
func gelfRecord(p []byte) (spool.Record, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(p, &m); err != nil {
		return spool.Record{}, fmt.Errorf("no JSON object: %w", err)
	}
	text := func(name string) string {
		var s string
		if v, ok := m[name]; ok && json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		return s
	}
	short := text("short_message")
	full := text("full_message")
	if short == "" {
		short = full
	}
	if short == "" {
		return spool.Record{}, errors.New("no short_message")
	}
	r := spool.Record{Data: []byte(short), Time: epochTime(text("timestamp"))}
	add := func(name, value string) {
		if value != "" {
			r.Fields = append(r.Fields, spool.Field{Name: name, Value: value})
		}
	}
	add("host.name", text("host"))
	if full != short {
		add("gelf.full_message", full)
	}
	if level := text("level"); len(level) == 1 && '0' <= level[0] && level[0] <= '7' {
		add("log.syslog.severity.code", level)
		add("log.level", [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}[level[0]-'0'])
	}
	for name := range m {
		if strings.HasPrefix(name, "_") && len(r.Fields) < 500 {
			add("gelf."+name[1:], text(name))
		}
	}
	sortFields(r.Fields)
	return r, nil
}

// gelfPayload undoes the compression, told by its first bytes.
func gelfPayload(p []byte) ([]byte, error) {
	var z io.Reader
	var err error
	switch {
	case len(p) > 2 && p[0] == 0x1f && p[1] == 0x8b:
		z, err = gzip.NewReader(bytes.NewReader(p))
	case len(p) > 2 && p[0] == 0x78:
		z, err = zlib.NewReader(bytes.NewReader(p))
	default:
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, 2*maxMessage))
	if err == nil && len(out) == 2*maxMessage {
		err = fmt.Errorf("more than %d bytes", 2*maxMessage)
	}
	return out, err
}

// gelfChunks puts chunked messages together. Each has five seconds.
type gelfChunks struct {
	waiting map[gelfID]*gelfParts
	order   []gelfID // as they came; may hold those that are whole by now
	bytes   int
	o       Options
}

type gelfID struct {
	peer netip.AddrPort
	id   [8]byte
}

type gelfParts struct {
	parts [][]byte
	left  int
	since time.Time
}

// overhead is what a message costs before it has a byte.
func (w *gelfParts) overhead() int { return 200 + 24*len(w.parts) }

const (
	gelfPatience  = 5 * time.Second
	maxGELFChunks = 128
	maxGELFBytes  = 64 << 20 // of all messages that are not whole
)

// take returns a whole payload, or nil while parts are missing.
func (c *gelfChunks) take(p []byte, peer netip.AddrPort, now time.Time) []byte {
	if len(p) < 2 || p[0] != 0x1e || p[1] != 0x0f {
		return p
	}
	if len(p) < 12 {
		c.o.Stats.Errors.Add(1)
		return nil
	}
	for len(c.order) > 0 {
		w := c.waiting[c.order[0]]
		if w != nil && now.Sub(w.since) <= gelfPatience && c.bytes <= maxGELFBytes {
			break
		}
		if w != nil {
			c.drop(c.order[0])
			c.o.Stats.Errors.Add(1)
		}
		c.order = c.order[1:]
	}
	id := gelfID{peer: peer, id: [8]byte(p[2:10])}
	number, count := int(p[10]), int(p[11])
	w := c.waiting[id]
	if w == nil {
		if count == 0 || count > maxGELFChunks {
			c.o.Stats.Errors.Add(1)
			return nil
		}
		w = &gelfParts{parts: make([][]byte, count), left: count, since: now}
		c.waiting[id] = w
		c.order = append(c.order, id)
		c.bytes += w.overhead()
	}
	if number >= len(w.parts) || count != len(w.parts) || w.parts[number] != nil {
		return nil
	}
	w.parts[number] = bytes.Clone(p[12:])
	c.bytes += len(p)
	if w.left--; w.left > 0 {
		return nil
	}
	whole := bytes.Join(w.parts, nil)
	c.drop(id)
	return whole
}

func (c *gelfChunks) drop(id gelfID) {
	c.bytes -= c.waiting[id].overhead()
	for _, p := range c.waiting[id].parts {
		if p != nil {
			c.bytes -= len(p) + 12
		}
	}
	delete(c.waiting, id)
}

func newGELFUDP(u *url.URL, o Options) (Collector, error) {
	chunks := &gelfChunks{waiting: map[gelfID]*gelfParts{}, o: o}
	return &datagrams{url: u, o: o, peered: func(p []byte, peer netip.AddrPort) []spool.Record {
		whole := chunks.take(p, peer, time.Now())
		if whole == nil {
			return nil
		}
		return gelfOrText(whole, o)
	}}, nil
}

// gelfOrText keeps also what is no GELF: as it came.
func gelfOrText(p []byte, o Options) []spool.Record {
	payload, err := gelfPayload(p)
	if err != nil {
		o.Stats.Errors.Add(1)
		return nil
	}
	r, err := gelfRecord(payload)
	if err != nil {
		o.Stats.Errors.Add(1)
		if payload = bytes.TrimSpace(payload); len(payload) == 0 {
			return nil
		}
		return []spool.Record{{Data: payload}}
	}
	return []spool.Record{r}
}

type gelfTCP struct {
	syslogTCP
}

func newGELFTCP(u *url.URL, o Options) (Collector, error) {
	return &gelfTCP{syslogTCP{url: u, o: o}}, nil
}

// Run implements Collector.
func (c *gelfTCP) Run(ctx context.Context, sink Sink) error {
	return serveTCP(ctx, c.l, c.o, func(ctx context.Context, conn net.Conn) error {
		s := bufio.NewScanner(conn)
		s.Buffer(make([]byte, 64<<10), 2*maxMessage)
		s.Split(splitNUL)
		for {
			conn.SetReadDeadline(time.Now().Add(idleTimeout))
			if ctx.Err() != nil || !s.Scan() {
				return s.Err()
			}
			d := &spool.Delivery{Collector: c.Name(), Peer: peerIP(conn.RemoteAddr()), Received: time.Now().UnixNano()}
			if d.Records = gelfOrText(bytes.Clone(s.Bytes()), c.o); len(d.Records) == 0 {
				continue
			}
			if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, d); err != nil {
				return err
			}
		}
	})
}

// splitNUL cuts at NUL bytes; some senders use line ends.
func splitNUL(p []byte, final bool) (int, []byte, error) {
	if i := bytes.IndexAny(p, "\x00\n"); i >= 0 {
		return i + 1, p[:i], nil
	}
	if final && len(p) > 0 {
		return len(p), p, nil
	}
	return 0, nil, nil
}

func newGELFHTTP(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			http.Error(w, err.Error(), bodyStatus(err))
			return
		}
		d := newDelivery(r, name, "/gelf", "")
		records := cutRecords(body)
		if len(records) > maxRecords {
			o.Stats.Errors.Add(1)
			http.Error(w, errRecords.Error(), bodyStatus(errRecords))
			return
		}
		for _, rec := range records {
			g, err := gelfRecord(rec.Data)
			if err != nil {
				o.Stats.Errors.Add(1)
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			d.Records = append(d.Records, g)
		}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			refuse(w, o, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}
