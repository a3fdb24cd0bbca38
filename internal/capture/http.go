package capture

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// httpFlow follows HTTP/1 (RFC 9112) on one connection: the heads of requests and
// responses, and the lengths of their bodies.
type httpFlow struct {
	client  int // the half that asks
	waiting []*exchange
	side    [2]httpSide
}

// exchange is a request with its response, as far as they were seen.
type exchange struct {
	time, offset          int64
	first, last           int64 // of its packets
	request, response     string
	method, target, proto string
	status                int
	requestBody           int64
	responseBody          int64
	answered              bool
}

// httpSide is where the reading of one half stands.
type httpSide struct {
	what bodyState
	left int64
	lost bool      // something is missing: look for the next head
	of   *exchange // whose body it is
}

type bodyState uint8

const (
	atHead bodyState = iota
	inBody
	atChunk
	inChunk
	atTrailer
	untilClose
)

const (
	maxHead     = 16 << 10
	maxExchange = 64 // requests of one connection that wait for a response
	maxHeader   = 200
)

var methods = [...]string{"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE ", "PROPFIND ", "PROPPATCH ", "MKCOL ", "COPY ", "MOVE ", "LOCK ", "UNLOCK ", "SEARCH ", "REPORT ", "DEBUG ", "TRACK ", "NOTIFY ", "SUBSCRIBE ", "M-SEARCH "}

func isRequest(p []byte) bool {
	for _, m := range methods {
		if bytes.HasPrefix(p, []byte(m)) {
			return true
		}
	}
	return false
}

// mayBecome reports whether more bytes could make p the start of a head.
func mayBecome(p []byte, response bool) bool {
	if response {
		n := min(len(p), 7)
		return string(p[:n]) == "HTTP/1."[:n]
	}
	for _, m := range methods {
		n := min(len(p), len(m))
		if string(p[:n]) == m[:n] {
			return true
		}
	}
	return false
}

func (h *httpFlow) data(e *Engine, fl *flow, dir int, p []byte) int {
	s, response := &h.side[dir], dir != h.client
	taken := 0
	for taken < len(p) && !fl.dead {
		q := p[taken:]
		switch s.what {
		case atHead:
			n, wait := h.head(e, fl, dir, q, taken, response)
			taken += n
			if wait || fl.dead {
				return taken
			}
		case untilClose, inBody, inChunk:
			n := int64(len(q))
			if s.what != untilClose {
				n = min(n, s.left)
			}
			s.left -= n
			taken += int(n)
			h.body(s, n, response, e.now)
			if s.left == 0 && s.what != untilClose {
				if s.what == inChunk {
					s.what = atChunk
				} else {
					h.done(e, fl, s, response)
				}
			}
		case atChunk, atTrailer:
			nl := bytes.IndexByte(q, '\n')
			if nl < 0 {
				if len(q) > maxHead {
					fl.dead = true
				}
				return taken
			}
			line := bytes.TrimSpace(q[:nl])
			taken += nl + 1
			switch {
			case s.what == atTrailer && len(line) == 0:
				h.done(e, fl, s, response)
			case s.what == atTrailer, len(line) == 0: // the line end of the chunk before
			default:
				hex, _, _ := strings.Cut(event.View(line), ";")
				n, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 40)
				switch {
				case err != nil:
					s.what, s.lost = atHead, true
				case n == 0:
					s.what = atTrailer
				default:
					s.what, s.left = inChunk, int64(n)
				}
			}
		}
	}
	return taken
}

func (h *httpFlow) body(s *httpSide, n int64, response bool, now int64) {
	if s.of == nil {
		return
	}
	if s.of.last = max(s.of.last, now); response {
		s.of.responseBody += n
	} else {
		s.of.requestBody += n
	}
}

// done ends a body.
func (h *httpFlow) done(e *Engine, fl *flow, s *httpSide, response bool) {
	x := s.of
	s.what, s.left, s.of = atHead, 0, nil
	if response && x != nil {
		h.settle(e, fl, x)
	}
}

// settle adds the event of an exchange and takes it off those that wait.
func (h *httpFlow) settle(e *Engine, fl *flow, x *exchange) {
	for i := range h.waiting {
		if h.waiting[i] == x {
			h.waiting = append(h.waiting[:i], h.waiting[i+1:]...)
			break
		}
	}
	h.add(e, fl, x)
}

// head reads the head of a message at the start of p. wait says that more is needed.
func (h *httpFlow) head(e *Engine, fl *flow, dir int, p []byte, pos int, response bool) (n int, wait bool) {
	s := &h.side[dir]
	for n < len(p) && (p[n] == '\r' || p[n] == '\n') {
		n++
	}
	p = p[n:]
	if len(p) == 0 {
		return n, true
	}
	if !mayBecome(p, response) {
		s.lost = true
	}
	if s.lost {
		if !isRequest(p) && !(response && bytes.HasPrefix(p, []byte("HTTP/1."))) {
			return n + len(p), false // the rest of a segment of which the beginning is unknown
		}
		s.lost = false
	}
	end := bytes.Index(p, []byte("\r\n\r\n"))
	size := end + 4
	if bare := bytes.Index(p, []byte("\n\n")); bare >= 0 && (end < 0 || bare < end) {
		end, size = bare, bare+2
	}
	if end < 0 {
		if len(p) <= maxHead {
			return n, true
		}
		end, size = maxHead, len(p)
		s.lost = true
	}
	head := text(p[:end])
	at := fl.half[dir].stream.where(pos + n)
	if response {
		h.response(e, fl, s, head, at)
	} else {
		h.request(e, fl, s, head, at)
	}
	if s.lost {
		s.what, s.of = atHead, nil
	}
	return n + size, false
}

func (h *httpFlow) request(e *Engine, fl *flow, s *httpSide, head string, at int64) {
	line, _, _ := strings.Cut(head, "\n")
	line = strings.TrimRight(line, "\r")
	x := &exchange{time: e.now, first: e.now, last: e.now, offset: at, request: head}
	x.method, x.target, _ = strings.Cut(line, " ")
	if sp := strings.LastIndexByte(x.target, ' '); sp >= 0 && strings.HasPrefix(x.target[sp+1:], "HTTP/") {
		x.target, x.proto = x.target[:sp], x.target[sp+6:]
	}
	if len(h.waiting) >= maxExchange {
		h.settle(e, fl, h.waiting[0])
	}
	h.waiting = append(h.waiting, x)
	length, chunked := bodyLength(head)
	s.of = x
	switch {
	case chunked:
		s.what = atChunk
	case length > 0:
		s.what, s.left = inBody, length
	default:
		s.of = nil
	}
}

func (h *httpFlow) response(e *Engine, fl *flow, s *httpSide, head string, at int64) {
	line, _, _ := strings.Cut(head, "\n")
	proto, rest, _ := strings.Cut(strings.TrimRight(line, "\r"), " ")
	status, _ := strconv.Atoi(rest[:min(len(rest), 3)])
	if 100 <= status && status < 200 && status != 101 {
		return // more will come
	}
	var x *exchange
	for _, w := range h.waiting {
		if !w.answered {
			x = w
			break
		}
	}
	if x == nil {
		x = &exchange{time: e.now, first: e.now, offset: at, proto: strings.TrimPrefix(proto, "HTTP/")}
	}
	x.answered, x.status, x.response, x.last = true, status, head, e.now
	length, chunked := bodyLength(head)
	s.of = x
	switch {
	case status == 101, x.method == "CONNECT" && status/100 == 2:
		h.settle(e, fl, x)
		s.of = nil
		if status == 101 {
			fl.dead = true
			return
		}
		// What goes through the tunnel may be TLS.
		fl.app, fl.tried = &tunnel{}, [2]bool{}
	case x.method == "HEAD", status == 204, status == 304:
		s.of = nil
		h.settle(e, fl, x)
	case chunked:
		s.what = atChunk
	case length > 0:
		s.what, s.left = inBody, length
	case length == 0:
		s.of = nil
		h.settle(e, fl, x)
	default: // RFC 9112 §6.3: until the connection closes
		s.what, s.left = untilClose, math.MaxInt64
	}
}

// bodyLength reads the framing headers of a head; -1 where there are none.
func bodyLength(head string) (length int64, chunked bool) {
	length = -1
	if strings.Contains(strings.ToLower(header(head, "transfer-encoding")), "chunked") {
		return -1, true
	}
	if v := header(head, "content-length"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			length = n
		}
	}
	return length, false
}

// header is the first value of a header of that name, given in lower case.
func header(head, name string) string {
	_, head, _ = strings.Cut(head, "\n")
	for n := 0; head != "" && n < maxHeader; n++ {
		var line string
		line, head, _ = strings.Cut(head, "\n")
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(line[:len(name)], name) {
			return strings.TrimSpace(line[len(name)+1:])
		}
	}
	return ""
}

func (h *httpFlow) gap(e *Engine, fl *flow, dir int, n int64) {
	s, response := &h.side[dir], dir != h.client
	switch {
	case s.what == untilClose:
		h.body(s, n, response, e.now)
	case s.what == inBody && s.left >= n:
		h.body(s, n, response, e.now)
		if s.left -= n; s.left == 0 {
			h.done(e, fl, s, response)
		}
	default:
		s.what, s.left, s.of, s.lost = atHead, 0, nil, true
		if response { // which response belongs to which request is no longer known
			h.end(e, fl)
		}
	}
}

func (h *httpFlow) end(e *Engine, fl *flow) {
	for _, x := range h.waiting {
		h.add(e, fl, x)
	}
	// A response of which the request was not seen.
	if x := h.side[1-h.client].of; x != nil && x.method == "" {
		h.add(e, fl, x)
	}
	h.waiting = nil
	h.side[0].of, h.side[1].of = nil, nil
}

// add makes the event of an exchange.
func (h *httpFlow) add(e *Engine, fl *flow, x *exchange) {
	raw := x.request
	if x.response != "" {
		if raw != "" {
			raw += "\n\n"
		}
		raw += x.response
	}
	ev := fl.begin(e, "pcap.http", x.time, x.offset, strings.ReplaceAll(raw, "\r\n", "\n"), h.client)
	ev.Length = int64(len(x.request))
	b := e.b
	said := strings.TrimSpace(x.method + " " + x.target)
	if x.answered {
		said += " " + strconv.Itoa(x.status)
	}
	b.Add("message", said)
	b.Add("event.category", "web")
	b.Add("event.type", "protocol")
	b.Add("event.action", strings.ToLower(x.method))
	b.Add("network.protocol", "http")
	b.AddInt("event.duration", max(0, x.last-x.first))
	b.Add("http.version", x.proto)
	b.Add("http.request.method", x.method)
	if x.request != "" {
		b.AddInt("http.request.body.bytes", x.requestBody)
		b.AddInt("http.request.bytes", int64(len(x.request))+4+x.requestBody)
		b.Add("http.request.referrer", header(x.request, "referer"))
		b.Add("http.request.mime_type", mimeType(header(x.request, "content-type")))
		b.Add("http.request.cookie", header(x.request, "cookie"))
		if ip, _, _ := strings.Cut(header(x.request, "x-forwarded-for"), ","); ip != "" {
			b.Add("network.forwarded_ip", strings.TrimSpace(ip))
		}
		if kind, secret, ok := strings.Cut(header(x.request, "authorization"), " "); ok && strings.EqualFold(kind, "basic") {
			if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret)); err == nil {
				user, _, _ := strings.Cut(text(plain), ":")
				b.Add("user.name", user)
			}
		}
	}
	if x.answered {
		b.AddInt("http.response.status_code", int64(x.status))
		b.AddInt("http.response.body.bytes", x.responseBody)
		b.AddInt("http.response.bytes", int64(len(x.response))+4+x.responseBody)
		b.Add("http.response.mime_type", mimeType(header(x.response, "content-type")))
		b.Add("pcap.http.response.server", header(x.response, "server"))
		b.Add("pcap.http.response.location", header(x.response, "location"))
		switch {
		case x.status >= 400:
			b.Add("event.outcome", "failure")
		case x.status >= 100:
			b.Add("event.outcome", "success")
		}
	}
	// The parts of these are for the format to tell.
	b.Add("url.domain", header(x.request, "host"))
	b.Add("url.original", x.target)
	b.Add("user_agent.original", header(x.request, "user-agent"))
}

func mimeType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// tunnel stands for what comes through a proxy until it is known.
type tunnel struct{}

func (*tunnel) data(e *Engine, fl *flow, dir int, p []byte) int {
	if app := e.recognise(fl, dir, p); app != nil {
		fl.app = app
		return app.data(e, fl, dir, p)
	}
	if len(p) < 8 {
		return 0
	}
	if fl.tried[dir] = true; fl.tried[1-dir] {
		fl.dead = true
	}
	return len(p)
}

func (*tunnel) gap(_ *Engine, fl *flow, _ int, _ int64) { fl.dead = true }
func (*tunnel) end(*Engine, *flow)                      {}
