package simulate

import (
	"strconv"
	"strings"
)

const (
	webSite   = "www.example.com"
	intraSite = "intranet.corp.example.com"
	webSix    = "2001:db8:c0::10" // web1's other address
)

// newApache: the access log is "combined", the error log has Apache 2.4's format.
func (h *host) newApache() {
	rng := h.w.random("apache " + h.name)
	for range 5 {
		h.apacheWorkers = append(h.apacheWorkers, rng.between(1200, 90_000))
	}
	if h.w.o.without(h.name, "apache") {
		return
	}
	h.access = h.w.newTextLog(h, "var/log/apache2/access.log")
	h.errors = h.w.newTextLog(h, "var/log/apache2/error.log")
}

// newNginx: the access log is nginx's own "combined".
func (h *host) newNginx() {
	if h.w.o.without(h.name, "nginx") {
		return
	}
	h.access = h.w.newTextLog(h, "var/log/nginx/access.log")
}

// served writes a request to the access log.
func (h *host) served(a *actor, client, user string, r *webRequest) {
	l := h.access
	if l == nil {
		return
	}
	l.line = append(l.line, client...)
	l.line = append(l.line, " - "...)
	l.line = append(l.line, dash(user)...)
	l.line = append(l.line, " ["...)
	l.line = h.local().AppendFormat(l.line, "02/Jan/2006:15:04:05 -0700")
	l.line = append(l.line, `] "`...)
	l.line = append(l.line, r.method...)
	l.line = append(l.line, ' ')
	l.line = appendEscaped(l.line, r.url)
	l.line = append(l.line, ` HTTP/1.1" `...)
	l.line = strconv.AppendInt(l.line, int64(r.status), 10)
	l.line = append(l.line, ' ')
	l.line = strconv.AppendInt(l.line, r.length, 10)
	l.line = append(l.line, ` "`...)
	l.line = appendEscaped(l.line, dash(r.referer))
	l.line = append(l.line, `" "`...)
	l.line = appendEscaped(l.line, dash(r.agent))
	l.line = append(l.line, '"')
	l.end(a.mark)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// appendEscaped escapes as mod_log_config does: quotes, backslashes and
// control characters.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c >= 0x7f:
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// complain writes to the error log: module and level "php:error", client with
// port, and the message.
func (h *host) complain(a *actor, module, client string, port int, message string) {
	l := h.errors
	if l == nil {
		return
	}
	l.line = append(l.line, '[')
	l.line = h.local().AppendFormat(l.line, "Mon Jan 02 15:04:05.000000 2006")
	l.line = append(l.line, "] ["...)
	l.line = append(l.line, module...)
	l.line = append(l.line, "] [pid "...)
	l.line = strconv.AppendInt(l.line, pick(&a.rng, h.apacheWorkers), 10)
	l.line = append(l.line, "] "...)
	if client != "" {
		l.line = append(l.line, "[client "...)
		l.line = append(l.line, client...)
		l.line = append(l.line, ':')
		l.line = strconv.AppendInt(l.line, int64(port), 10)
		l.line = append(l.line, "] "...)
	}
	l.line = append(l.line, message...)
	l.end(a.mark)
}

// browser is a client's conversation with the web server.
type browser struct {
	a      *actor
	from   string
	flow   flow
	agent  string
	secret bool // TLS: the sensor sees no requests
	tx     int
	last   string // page
}

// browse connects to the web site, in plain or over TLS.
func (w *world) browse(a *actor, from, agent string, secret bool) *browser {
	port := 80
	if secret {
		port = 443
	}
	b := &browser{a: a, from: from, agent: agent, secret: secret}
	server := w.web.address
	if strings.Contains(from, ":") {
		server = webSix
	}
	b.flow = w.sensor.open(a, "TCP", from, clientPort(a), server, port)
	if secret {
		w.sensor.tls(a, &b.flow, webSite)
	}
	return b
}

// get makes one request that the server answers so, and returns what the
// sensor saw of it.
func (b *browser) request(method, url string, status int, length int64, mime string) *webRequest {
	a := b.a
	r := &webRequest{host: webSite, method: method, url: url, agent: b.agent, status: status, length: length, mime: mime, tx: b.tx}
	if b.last != "" {
		scheme := "http://"
		if b.secret {
			scheme = "https://"
		}
		r.referer = scheme + webSite + b.last
	}
	b.tx++
	a.w.web.served(a, b.from, "", r)
	if b.secret {
		b.flow.toServer += 400
		b.flow.toClient += 300 + length
	} else {
		a.w.sensor.http(a, &b.flow, r)
	}
	return r
}

func (b *browser) close() { b.a.w.sensor.close(b.a, &b.flow) }
