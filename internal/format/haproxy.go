package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// HAProxy's default, TCP, HTTP and HTTPS logs (configuration.txt, section 8.2), through
// syslog or bare:
//
//	client:port [accepted] frontend backend/server timers[ status] bytes[ cookies] termination connections queues[ {captured}…]["request"][ TLS]
var _ = register(Format{
	Name:  "haproxy.log",
	Title: "HAProxy log",
	Group: "web",
	Recognise: func(s *Sample) int {
		share := s.Share(func(l string) bool {
			body, ok := haproxyBody(l)
			return ok && (len(body) < len(l) && strings.Contains(l[:len(l)-len(body)], " haproxy[") || isHAProxy(body) || strings.HasPrefix(body, "Connect from "))
		})
		if share < 30 {
			return 0
		}
		return share * 92 / 100
	},
	Lines: func(p *Params) LineDecoder {
		syslog := newSyslogDecoder(p.Clock)
		clf := &accessDecoder{p: p, names: &haproxyCLF}
		return func(line string, b *event.Batch) error {
			if err := syslog.decode(line, b); err == nil {
				if body, ok := haproxyBody(line); ok {
					var h haproxyLine
					if h.cut(body) {
						stamp := h.stamp
						if zone := headerZone(line); zone != "" { // both are of the same clock
							stamp = b.Bytes(append(append([]byte(stamp), ' '), zone...))
						}
						if ns, _, ok := p.Clock.CLF(stamp); ok {
							b.Event().Time = ns // to the millisecond, and with the year
						}
					}
				}
				return nil
			}
			b.Rollback()
			body := line
			if rest, ok := strings.CutPrefix(line, "haproxy["); ok {
				pid, after, ok := strings.Cut(rest, "]: ")
				if !ok {
					return errNotHAProxy
				}
				body = after
				b.Add("process.name", "haproxy")
				if isDigits(pid) {
					b.AddNumber("process.pid", pid)
				}
			}
			b.Add("event.kind", "event")
			b.Add("event.dataset", "haproxy.log")
			var h haproxyLine
			if !h.cut(body) {
				if a, ok := cutAccess(body); ok {
					b.Rollback()
					return clf.add(&a, b)
				}
				m := message{Text: body}
				if decodeHAProxyStderr(body, b) || haproxyConnect(&m, b) || haproxyState(body, b) {
					p.Clock.NoTime()
					return nil
				}
				return errNotHAProxy
			}
			ns, _, ok := p.Clock.CLF(h.stamp)
			if !ok {
				return errNotHAProxy
			}
			b.Event().Time = ns
			h.add("", b)
			return nil
		}
	},
	Date: func(line []byte) (month, day int, ok bool) { return timestamp.YearlessDate(event.View(line)) },
})

var _ = registerProgram(program{Names: []string{"haproxy", "hapee-lb"}, Dataset: "haproxy.log", Decode: func(m *message, b *event.Batch) bool {
	var h haproxyLine
	if h.cut(m.Text) {
		h.add(m.Host, b)
		return true
	}
	return haproxyConnect(m, b) || haproxyState(m.Text, b)
}})

// haproxyCLF: with "option httplog clf" HAProxy writes the Common Log Format, and its own figures behind it.
var haproxyCLF = accessNames{
	"haproxy.log", "haproxy.remote_addresses", "haproxy.identity", "haproxy.response_time",
	"haproxy.tls_handshake.error", "haproxy.bad_request", "haproxy.extra", "haproxy.",
}

// headerZone is the zone of an ISO time in a line's header, as the Common Log Format writes
// it; "" for none.
func headerZone(line string) string {
	i := strings.Index(line[:min(len(line), 40)], "T")
	if i < 10 || len(line) < i+9 {
		return ""
	}
	rest := strings.TrimLeft(line[i+1:], "0123456789:.")
	switch {
	case strings.HasPrefix(rest, "Z "):
		return "+0000"
	case len(rest) > 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':' && rest[6] == ' ':
		return rest[:3] + rest[4:6]
	}
	return ""
}

// haproxyState reads what HAProxy says of its servers and proxies: "Server web/a is DOWN, reason: …",
// "backend web has no server available!", "Proxy stats stopped …".
func haproxyState(text string, b *event.Batch) bool {
	rest, server := strings.CutPrefix(text, "Server ")
	if !server {
		rest, server = strings.CutPrefix(text, "Backup Server ")
	}
	if name, state, ok := strings.Cut(rest, " is "); server && ok {
		backend, name, ok := cutLastSlash(name)
		if !ok {
			return false
		}
		b.Add("haproxy.backend_name", backend)
		b.Add("haproxy.server_name", name)
		word, why, _ := strings.Cut(state, ", ")
		if reason, ok := strings.CutPrefix(why, "reason: "); ok {
			reason, _, _ = strings.Cut(reason, ", check duration")
			b.Add("event.reason", reason)
		}
		word, _, _ = strings.Cut(strings.TrimSuffix(word, "."), " ")
		switch word {
		case "DOWN":
			classify(b, "web", "error", "server-down", "")
		case "UP":
			classify(b, "web", "info", "server-up", "")
		default: // "going DOWN for maintenance", "in maintenance"
			classify(b, "web", "info", "server-state", "")
		}
		return true
	}
	rest, ok := strings.CutPrefix(text, "backend ")
	if name, found := strings.CutSuffix(rest, " has no server available!"); ok && found {
		b.Add("haproxy.backend_name", name)
		classify(b, "web", "error", "backend-down", "")
		return true
	}
	return false
}

// decodeHAProxyStderr reads what HAProxy writes where it has no syslog, as in a container:
// "[WARNING]  (8) : Server web/a is DOWN, …", before 2.3 with a day and time after the level.
func decodeHAProxyStderr(line string, b *event.Batch) bool {
	level, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "]")
	switch level {
	case "ALERT", "WARNING", "NOTICE", "DIAG", "EMERG", "INFO":
	default:
		return false
	}
	head, text, ok2 := strings.Cut(rest, " : ")
	i := strings.IndexByte(head, '(')
	if !ok || !ok2 || line[0] != '[' || i < 0 || head[len(head)-1] != ')' || !isDigits(head[i+1:len(head)-1]) {
		return false
	}
	b.Add("log.level", lower(level, b))
	b.AddNumber("process.pid", head[i+1:len(head)-1])
	b.Add("process.name", "haproxy")
	b.Add("message", text)
	haproxyState(text, b)
	return true
}

var errNotHAProxy = errors.New("not a line of HAProxy's TCP or HTTP log")

// haproxyBody is the line without the header of syslog.
func haproxyBody(line string) (string, bool) {
	i := strings.Index(line[:min(len(line), 200)], "haproxy[")
	if i >= 0 {
		_, body, ok := strings.Cut(line[i:], "]: ")
		return body, ok
	}
	return line, line != "" && (isDigit(line[0]) || line[0] == '[' || strings.IndexByte(line[:min(len(line), 45)], ':') > 0)
}

// haproxyConnect reads the default format: "Connect from 192.0.2.1:40780 to 192.0.2.2:5000 (main/HTTP)".
func haproxyConnect(m *message, b *event.Batch) bool {
	rest, ok := strings.CutPrefix(m.Text, "Connect from ")
	if !ok {
		return false
	}
	from, rest, ok := strings.Cut(rest, " to ")
	to, where, ok2 := strings.Cut(rest, " (")
	if !ok || !ok2 {
		return false
	}
	host, port := splitLastPort(from)
	addSource(b, host, port)
	host, port = splitLastPort(to)
	addDestination(b, host, port)
	frontend, mode, _ := strings.Cut(strings.TrimSuffix(where, ")"), "/")
	b.Add("haproxy.frontend_name", frontend)
	b.Add("haproxy.mode", mode)
	b.Add("haproxy.source", m.Host)
	b.Add("event.category", "web")
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	return true
}

// splitLastPort cuts the port off an address; HAProxy writes IPv6 ones without brackets.
func splitLastPort(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i > 0 && isDigits(s[i+1:]) {
		return strings.Trim(s[:i], "[]"), s[i+1:]
	}
	return s, ""
}

// haproxyLine is a line cut into its parts.
type haproxyLine struct {
	client, port, stamp string
	frontend            string
	backend, server     string
	timers              []string
	status, bytes       string
	cookies             [2]string
	termination         string
	connections, queues []string
	captured            []string
	request, tls        string
	few                 [3][6]string // room for timers, connections and queues
	problem             string       // what is written of a connection that failed before a request
}

func (h *haproxyLine) cut(s string) bool {
	client, rest, ok := strings.Cut(s, " [")
	if !ok || strings.IndexByte(client, ' ') >= 0 {
		return false
	}
	if h.client, h.port = splitLastPort(client); h.port == "" && h.client != "unix" && h.client != "" && h.client[0] != '/' {
		return false
	}
	if h.stamp, rest, ok = strings.Cut(rest, "] "); !ok || !isCLF(h.stamp) && len(h.stamp) < 20 {
		return false
	}
	var word string
	word, rest, _ = strings.Cut(rest, " ")
	if name, found := strings.CutSuffix(word, ":"); found { // "frontend/listener: SSL handshake failure"
		h.frontend, _, _ = strings.Cut(name, "/")
		h.problem = rest
		return rest != ""
	}
	h.frontend = word
	word, rest, _ = strings.Cut(rest, " ")
	if h.backend, h.server, ok = cutLastSlash(word); !ok {
		return false
	}
	word, rest, _ = strings.Cut(rest, " ")
	if h.timers = appendParts(h.few[0][:0], word); len(h.timers) != 3 && len(h.timers) != 5 || !isTimers(h.timers) {
		return false
	}
	if len(h.timers) == 5 {
		h.status, rest, _ = strings.Cut(rest, " ")
		h.bytes, rest, _ = strings.Cut(rest, " ")
		h.cookies[0], rest, _ = strings.Cut(rest, " ")
		h.cookies[1], rest, _ = strings.Cut(rest, " ")
	} else {
		h.bytes, rest, _ = strings.Cut(rest, " ")
	}
	h.termination, rest, _ = strings.Cut(rest, " ")
	word, rest, _ = strings.Cut(rest, " ")
	if h.connections = appendParts(h.few[1][:0], word); len(h.connections) != 5 {
		return false
	}
	word, rest, _ = strings.Cut(rest, " ")
	h.queues = appendParts(h.few[2][:0], word)
	for n := 0; n < 2 && strings.HasPrefix(rest, "{"); n++ {
		end := strings.Index(rest, "} ")
		if end < 0 {
			break
		}
		h.captured = append(h.captured, rest[1:end])
		rest = rest[end+2:]
	}
	if strings.HasPrefix(rest, `"`) {
		if end := strings.LastIndexByte(rest, '"'); end > 0 {
			h.request, h.tls = rest[1:end], strings.TrimSpace(rest[end+1:])
		} else {
			h.request = rest[1:] // cut off
		}
	}
	return len(h.queues) == 2
}

// isHAProxy reports whether a haproxyLine can be cut from s, of what most lines are not for their first word.
func isHAProxy(s string) bool {
	if i := strings.IndexByte(s, ' '); i < 0 || i+1 == len(s) || s[i+1] != '[' {
		return false
	}
	var h haproxyLine
	return h.cut(s)
}

func cutLastSlash(s string) (a, b string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isTimers: "-1" where a phase was not reached, "+" before what was not over when
// it was logged.
func isTimers(ts []string) bool {
	for _, t := range ts {
		if !isDigits(strings.TrimLeft(t, "+-")) {
			return false
		}
	}
	return true
}

// add adds the fields, named as Elastic's integration does.
func (h *haproxyLine) add(host string, b *event.Batch) {
	addSource(b, h.client, h.port)
	b.Add("haproxy.frontend_name", h.frontend)
	if h.problem != "" {
		b.Add("event.reason", h.problem)
		classify(b, "network", "error", "connection-error", "failure")
		return
	}
	b.Add("haproxy.backend_name", h.backend)
	b.Add("haproxy.server_name", h.server)
	number := func(name, v string) {
		b.AddNumber(name, strings.TrimPrefix(v, "+"))
	}
	total := h.timers[len(h.timers)-1]
	if len(h.timers) == 5 {
		number("haproxy.http.request.time_wait_ms", h.timers[0])
		number("haproxy.total_waiting_time_ms", h.timers[1])
		number("haproxy.connection_wait_time_ms", h.timers[2])
		number("haproxy.http.request.time_wait_without_data_ms", h.timers[3])
		b.Add("haproxy.http.request.captured_cookie", h.cookies[0])
		b.Add("haproxy.http.response.captured_cookie", h.cookies[1])
		number("http.response.bytes", h.bytes)
		if isDigits(h.status) {
			b.AddNumber("http.response.status_code", h.status)
		}
		b.Add("event.category", "web")
		b.Add("event.type", "access")
		if len(h.status) == 3 && h.status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	} else {
		number("haproxy.total_waiting_time_ms", h.timers[0])
		number("haproxy.connection_wait_time_ms", h.timers[1])
		b.Add("haproxy.source", host)
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
	}
	if ms := wholeNumber(strings.TrimLeft(total, "+")); ms < 1e12 {
		b.AddInt("event.duration", ms*1e6)
	}
	number("haproxy.bytes_read", h.bytes)
	b.Add("haproxy.termination_state", h.termination)
	for i, name := range [...]string{"haproxy.connections.active", "haproxy.connections.frontend", "haproxy.connections.backend", "haproxy.connections.server", "haproxy.connections.retries"} {
		number(name, h.connections[i])
	}
	number("haproxy.server_queue", h.queues[0])
	number("haproxy.backend_queue", h.queues[1])
	for i, text := range h.captured {
		name := "haproxy.http.request.captured_headers"
		if i == 1 {
			name = "haproxy.http.response.captured_headers"
		}
		for v := range strings.SplitSeq(text, "|") {
			b.AddKind(name, v, event.String)
		}
	}
	if h.request != "" {
		b.Add("haproxy.http.request.raw_request_line", h.request)
		method, rest, ok := strings.Cut(h.request, " ")
		if ok && isMethod(method) && !strings.HasPrefix(h.request, "<") {
			b.Add("http.request.method", method)
			target, version, ok := strings.Cut(rest, " HTTP/")
			if ok {
				b.Add("http.version", version)
			}
			sni, _, _ := strings.Cut(h.tlsNames(), "/")
			addTarget(target, strings.Trim(sni, "-"), b)
		}
	}
	h.addTLS(b)
}

// appendParts appends what the slashes of s part; of more than six parts the last is the rest.
func appendParts(dst []string, s string) []string {
	for len(dst) < cap(dst)-1 {
		part, rest, ok := strings.Cut(s, "/")
		dst = append(dst, part)
		if !ok {
			return dst
		}
		s = rest
	}
	return append(dst, s)
}

// tlsNames is the last word of the HTTPS format: "sni/version/cipher".
func (h *haproxyLine) tlsNames() string {
	_, names, _ := strings.Cut(h.tls, " ")
	return names
}

func (h *haproxyLine) addTLS(b *event.Batch) {
	errs, names, ok := strings.Cut(h.tls, " ")
	var few [2][6]string
	counts := appendParts(few[0][:0], errs)
	parts := appendParts(few[1][:0], names)
	if !ok || len(counts) != 5 || len(parts) != 3 {
		return
	}
	for i, name := range [...]string{"haproxy.connections.fc_err", "haproxy.connections.ssl_fc_err", "haproxy.connections.ssl_c_err", "haproxy.connections.ssl_c_ca_err"} {
		b.AddNumber(name, counts[i])
	}
	b.AddBool("tls.resumed", counts[4] == "1")
	if parts[0] != "-" {
		b.Add("tls.client.server_name", parts[0])
		b.Add("destination.domain", parts[0])
	}
	if v, ok := strings.CutPrefix(parts[1], "TLSv"); ok {
		b.Add("tls.version", v)
		b.Add("tls.version_protocol", "tls")
	}
	b.Add("tls.cipher", strings.Trim(parts[2], "-"))
}
