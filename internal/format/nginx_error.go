package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Nginx error log (ngx_log.c):
//
//	2006/01/02 15:04:05 [error] 4711#0: *17 message, client: 192.0.2.1, server: _, request: "GET / HTTP/1.1", host: "example.com"
//
// What a FastCGI application says on stderr is quoted in it with its line ends,
// so a record goes on until the next line that begins with a date.
var _ = register(Format{
	Name:      "nginx.error",
	Title:     "Nginx error log",
	Group:     "web",
	Recognise: func(s *Sample) int { return recogniseNginxError(s) },
	Lines:     newNginxErrorDecoder,
	Joins:     joinsNginxError,
})

var errNotNginxError = errors.New("not an Nginx error log line")

func recogniseNginxError(s *Sample) int {
	if len(s.Lines) == 0 || !looksLikeNginxError(s.Lines[0]) {
		return 0
	}
	// Lines that join the one above do not count.
	n, all := 0, 0
	for _, l := range s.Lines {
		if !joinsNginxError([]byte(l)) {
			all++
			if looksLikeNginxError(l) {
				n++
			}
		}
	}
	return 90 * n / all
}

func looksLikeNginxError(l string) bool {
	if !hasSlashDate(l) || len(l) < 24 || l[20] != '[' {
		return false
	}
	end := strings.IndexByte(l[20:], ']')
	if end < 2 || end > 8 {
		return false
	}
	if _, ok := webLevel(l[21 : 20+end]); !ok {
		return false
	}
	rest := strings.TrimPrefix(l[20+end+1:], " ")
	pid, rest, ok := strings.Cut(rest, "#")
	return ok && isDigits(pid) && rest != "" && isDigit(rest[0])
}

// hasSlashDate reports whether s starts like "2006/01/02 15:04:05".
func hasSlashDate(s string) bool {
	return len(s) >= 20 && s[4] == '/' && s[7] == '/' && s[10] == ' ' && s[13] == ':' && s[16] == ':' && s[19] == ' ' && isDigits(s[:4])
}

func joinsNginxError(line []byte) bool {
	l := event.View(line)
	if hasSlashDate(l) || strings.HasPrefix(l, "nginx: [") {
		return false
	}
	_, access := cutAccess(l)
	return !access
}

func newNginxErrorDecoder(p *Params) LineDecoder {
	return func(line string, b *event.Batch) error {
		if !looksLikeNginxError(line) {
			return errNotNginxError
		}
		ns, _, ok := p.Clock.ISO(line)
		if !ok {
			return errNotNginxError
		}
		b.Event().Time = ns
		end := 20 + strings.IndexByte(line[20:], ']')
		isError, _ := webLevel(line[21:end])
		b.Add("event.kind", "event")
		b.Add("event.category", "web")
		b.Add("event.dataset", "nginx.error")
		addWebLevel(line[21:end], isError, b)
		ids, message, ok := strings.Cut(strings.TrimPrefix(line[end+1:], " "), ": ")
		if !ok {
			ids = strings.TrimSuffix(ids, ":")
		}
		pid, tid, _ := strings.Cut(ids, "#")
		if !isDigits(tid) {
			return errNotNginxError
		}
		b.AddNumber("process.pid", pid)
		b.AddNumber("process.thread.id", tid)
		if strings.HasPrefix(message, "*") {
			id, rest, _ := strings.Cut(message[1:], " ")
			if isDigits(id) {
				b.AddNumber("nginx.error.connection_id", id)
				message = rest
			}
		}
		b.Add("message", message)
		addNginxMessage(message, b)
		return nil
	}
}

// addNginxMessage adds what the message and the context behind it say.
//
// The context is plain text behind text that a client chose, so a client can
// write a context of its own. Where the record names more than one client, none is
// taken for the source; all are in related.ip.
func addNginxMessage(message string, b *event.Batch) {
	const mark = ", client: "
	at := strings.Index(message, mark)
	text := message
	if at >= 0 {
		text = message[:at]
		first, last, several := "", "", false
		for rest := message[at:]; ; {
			i := strings.Index(rest, mark)
			if i < 0 {
				break
			}
			rest = rest[i+len(mark):]
			c := rest[:clientEnd(rest)]
			last = rest[len(c):]
			if first == "" {
				first = c
			}
			several = several || c != first
			if several && isIP(c) {
				b.Add("related.ip", c)
			}
		}
		host, port := splitPort(first)
		if !several {
			addSource(b, host, port)
		} else if isIP(host) {
			b.Add("related.ip", host)
		}
		addNginxContext(last, b)
	} else if rest, ok := strings.CutPrefix(message, "client "); ok { // "client 192.0.2.1:4711 connected to …"
		peer, rest, _ := strings.Cut(rest, " ")
		if host, port := splitPort(peer); isIP(host) && strings.HasPrefix(rest, "connected to ") {
			addSource(b, host, port)
			b.Add("event.action", "connected")
		}
	}
	if i := strings.Index(text, "ModSecurity: "); i == 0 || i > 0 && text[0] == '[' { // "[client …] ModSecurity: …"
		addModsecMessage(text[i:], b)
		return
	}
	switch {
	case strings.HasPrefix(text, "open() \""):
		if i := strings.LastIndex(text, "\" failed ("); i > 8 {
			b.Add("file.path", text[8:i])
		}
	case strings.HasPrefix(text, "user \""): // ngx_http_auth_basic_module
		for _, why := range [...]string{`" was not found in "`, `": password mismatch`} {
			if user, ok := cutBeforeLast(text[6:], why); ok {
				b.Add("event.category", "authentication")
				b.Add("event.action", "authentication_failed")
				b.Add("event.outcome", "failure")
				b.Add("user.name", user)
				break
			}
		}
	case strings.HasPrefix(text, "access forbidden by rule"), strings.HasPrefix(text, "directory index of "):
		b.Add("event.action", "access_denied")
		b.Add("event.outcome", "failure")
	case strings.HasPrefix(text, "limiting requests"), strings.HasPrefix(text, "limiting connections"):
		b.Add("event.action", "rate_limited")
		b.Add("event.outcome", "failure")
	case strings.HasPrefix(text, "client login failed"):
		b.Add("event.category", "authentication")
		b.Add("event.action", "authentication_failed")
		b.Add("event.outcome", "failure")
	}
}

func clientEnd(s string) int {
	if i := strings.IndexAny(s, ", \n\""); i >= 0 {
		return i
	}
	return len(s)
}

// addNginxContext adds ", server: _, request: "…", upstream: "…", host: "…", referrer: "…"".
func addNginxContext(s string, b *event.Batch) {
	var domain, request string
	for n := 0; n < 16 && strings.HasPrefix(s, ", "); n++ {
		key, rest, ok := strings.Cut(s[2:], ": ")
		if !ok || len(key) > 32 {
			return
		}
		var v string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && !(rest[end] == '"' && (end+1 == len(rest) || rest[end+1] == ',')) {
				end++
			}
			v, s = rest[1:end], rest[min(end+1, len(rest)):]
		} else {
			end := strings.Index(rest, ", ")
			if end < 0 {
				end = len(rest)
			}
			v, s = rest[:end], rest[end:]
		}
		switch key {
		case "server": // a name, or the address listened on
			if host, port := splitPort(v); isIP(host) {
				b.AddNumber("destination.port", port)
			} else if v != "_" {
				b.Add("destination.domain", v)
			}
		case "request":
			request = v
		case "host":
			domain, _ = splitPort(v)
		case "upstream":
			b.Add("nginx.error.upstream", v)
		case "subrequest":
			b.Add("nginx.error.subrequest", v)
		case "referrer":
			b.Add("http.request.referrer", v)
		case "login":
			b.Add("user.name", v)
		}
	}
	method, target, ok := strings.Cut(request, " ")
	if ok && isMethod(method) {
		b.Add("http.request.method", method)
		if i := strings.LastIndexByte(target, ' '); i >= 0 && strings.HasPrefix(target[i+1:], "HTTP/") {
			b.Add("http.version", target[i+6:])
			target = target[:i]
		}
		addTarget(target, domain, b)
	} else {
		b.Add("url.domain", domain)
	}
}
