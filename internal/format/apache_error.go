package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Apache HTTP Server error log, 2.2 and 2.4 (ErrorLogFormat):
//
//	[Wed Oct 11 14:32:52 2000] [error] [client 192.0.2.1] message
//	[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 192.0.2.1:4711] AH00037: message, referer: https://…
var _ = register(Format{
	Name:      "apache.error",
	Title:     "Apache HTTP Server error log",
	Group:     "web",
	Recognise: func(s *Sample) int { return s.Share(looksLikeApacheError) * 9 / 10 },
	Lines:     newApacheErrorDecoder,
	Joins:     func(line []byte) bool { return joinsPHP(event.View(line)) },
})

// joinsPHP reports whether a line goes on with what PHP says of an error: its stack.
func joinsPHP(l string) bool {
	if l == "Stack trace:" || strings.HasPrefix(l, "  thrown in ") || l == "Next " {
		return true
	}
	n, frame, ok := strings.Cut(strings.TrimPrefix(l, "#"), " ")
	return ok && l[0] == '#' && isDigits(n) && frame != ""
}

var errNotApacheError = errors.New("not an Apache error log line")

// webLevels are the levels of both servers' error logs, with whether each
// tells of an error.
func webLevel(s string) (isError, ok bool) {
	switch s {
	case "emerg", "alert", "crit", "error":
		return true, true
	case "warn", "notice", "info", "debug", "trace1", "trace2", "trace3", "trace4", "trace5", "trace6", "trace7", "trace8":
		return false, true
	}
	return false, false
}

// looksLikeApacheError asks for the date in brackets and a level in brackets
// behind it: other servers write one of the two.
func looksLikeApacheError(l string) bool {
	if len(l) < 26 || l[0] != '[' || l[4] != ' ' || l[8] != ' ' {
		return false
	}
	end := strings.IndexByte(l, ']')
	if end < 24 || end > 40 || !strings.HasPrefix(l[end:], "] [") {
		return false
	}
	group := l[end+3:]
	if i := strings.IndexByte(group, ']'); i >= 0 {
		_, level, ok := strings.Cut(group[:i], ":")
		if !ok {
			level = group[:i]
		}
		_, ok = webLevel(level)
		return ok
	}
	return false
}

func newApacheErrorDecoder(p *Params) LineDecoder {
	return func(line string, b *event.Batch) error {
		rest := line
		timed, levelled := false, false
		if len(line) > 25 && line[0] == '[' {
			if ns, n, ok := p.Clock.CTime(line[1:]); ok && strings.HasPrefix(line[1+n:], "]") {
				b.Event().Time, timed = ns, true
				rest = strings.TrimPrefix(line[n+2:], " ")
			}
		}
		b.Add("event.kind", "event")
		b.Add("event.category", "web")
		b.Add("event.dataset", "apache.error")
		modern := false
		for strings.HasPrefix(rest, "[") {
			end := strings.Index(rest, "] ")
			if end < 0 {
				if end = len(rest) - 1; rest[end] != ']' {
					break
				}
			}
			group := rest[1:end]
			if !levelled {
				module, level, ok := strings.Cut(group, ":")
				if !ok {
					module, level = "", group
				}
				isError, known := webLevel(level)
				if !known {
					break
				}
				b.Add("apache.error.module", module)
				addWebLevel(level, isError, b)
				levelled, modern = true, ok
			} else if pid, ok := strings.CutPrefix(group, "pid "); ok {
				pid, tid, _ := strings.Cut(pid, ":tid ")
				b.AddNumber("process.pid", pid)
				b.AddNumber("process.thread.id", tid)
			} else if client, ok := strings.CutPrefix(group, "client "); ok {
				addErrorClient(client, modern, b)
			} else if client, ok := strings.CutPrefix(group, "remote "); ok {
				addErrorClient(client, modern, b)
			} else {
				break
			}
			rest = strings.TrimPrefix(rest[min(end+1, len(rest)):], " ")
		}
		if !levelled && !isAH(line) {
			return errNotApacheError
		}
		if !timed {
			p.Clock.NoTime() // what httpd says on stderr before its log is open
		}
		addApacheMessage(rest, b)
		return nil
	}
}

func addWebLevel(level string, isError bool, b *event.Batch) {
	b.Add("log.level", level)
	if isError {
		b.Add("event.type", "error")
	} else {
		b.Add("event.type", "info")
	}
}

// addErrorClient adds "192.0.2.1:4711". Since 2.4 a port always follows, and
// an IPv6 address has no brackets before it.
func addErrorClient(s string, modern bool, b *event.Batch) {
	host, port := splitPort(s)
	if i := strings.LastIndexByte(s, ':'); port == "" && modern && i > 0 && isDigits(s[i+1:]) && isIP(s[:i]) {
		host, port = s[:i], s[i+1:]
	}
	addSource(b, host, port)
}

// isAH reports whether s starts with a message number, "AH00558: ".
func isAH(s string) bool { return len(s) > 8 && s[:2] == "AH" && isDigits(s[2:7]) && s[7] == ':' }

func addApacheMessage(message string, b *event.Batch) {
	b.Add("message", message)
	if isAH(message) {
		b.Add("event.code", message[:7])
		message = strings.TrimPrefix(message[8:], " ")
	}
	if i := strings.LastIndex(message, ", referer: "); i >= 0 {
		b.Add("http.request.referrer", message[i+len(", referer: "):])
		message = message[:i]
	}
	switch {
	case strings.HasPrefix(message, "ModSecurity: "):
		addModsecMessage(message, b)
	case strings.HasPrefix(message, "File does not exist: "):
		b.Add("file.path", message[len("File does not exist: "):])
	case strings.HasPrefix(message, "client denied by server configuration: "):
		b.Add("event.action", "access_denied")
		b.Add("event.outcome", "failure")
		b.Add("file.path", after(message, "configuration: "))
	case strings.HasPrefix(message, "user "):
		// mod_auth_basic: "user NAME: authentication failure for "/x": Password Mismatch", "user NAME not found: /x"
		user, ok := cutBeforeLast(message[5:], ": authentication failure for ")
		if !ok {
			user, ok = cutBeforeLast(message[5:], " not found: ")
		}
		if ok {
			b.Add("event.category", "authentication")
			b.Add("event.action", "authentication_failed")
			b.Add("event.outcome", "failure")
			b.Add("user.name", user)
		}
	case strings.HasPrefix(message, "Invalid URI in request "):
		b.Add("event.outcome", "failure")
		request := strings.TrimRight(message[len("Invalid URI in request "):], " ")
		if method, rest, ok := strings.Cut(request, " "); ok && isMethod(method) {
			b.Add("http.request.method", method)
			if i := strings.LastIndex(rest, " HTTP/"); i >= 0 {
				b.Add("http.version", rest[i+6:])
				rest = rest[:i]
			}
			addTarget(rest, "", b)
		}
	}
}

// cutBeforeLast is what stands before the last mark: the name before it is the
// client's choice and may hold the mark as well.
func cutBeforeLast(s, mark string) (string, bool) {
	i := strings.LastIndex(s, mark)
	if i < 0 {
		return "", false
	}
	return s[:i], true
}
