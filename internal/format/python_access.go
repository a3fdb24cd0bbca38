package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The access lines of Python's web servers, which are Apache's with parts left out:
//
//	INFO:     192.0.2.1:51515 - "GET / HTTP/1.1" 200 OK            Uvicorn, without a time
//	[04/Mar/2026 10:11:12] "GET /admin/ HTTP/1.1" 302 0             Django's runserver
//	192.0.2.1 - - [04/Mar/2026 10:11:12] "GET / HTTP/1.1" 200 -     Werkzeug, Flask, http.server
var _ = register(Format{
	Name:  "python.access",
	Title: "Access log of Python's web servers (Uvicorn, Django, Flask, http.server)",
	Group: "web",
	Recognise: func(s *Sample) int {
		own := 0
		share := s.Share(func(l string) bool {
			_, ok := cutPyAccess(l)
			if ok {
				own++
			}
			return ok || strings.HasPrefix(l, "INFO:     ") || strings.HasPrefix(l, "WARNING:  ") || strings.HasPrefix(l, "ERROR:    ")
		})
		if own*2 < len(s.Lines) {
			return 0
		}
		return share * 85 / 100
	},
	Lines: func(p *Params) LineDecoder {
		return func(line string, b *event.Batch) error {
			a, ok := cutPyAccess(line)
			if !ok {
				return errNotAccess
			}
			b.Add("event.dataset", "python.access")
			a.add(p.Clock, b)
			return nil
		}
	},
})

type pyAccess struct{ client, port, stamp, method, target, version, status, size string }

func cutPyAccess(l string) (a pyAccess, ok bool) {
	rest, uvicorn := strings.CutPrefix(l, "INFO:")
	switch {
	case uvicorn:
		peer, after, ok := strings.Cut(strings.TrimLeft(rest, " "), ` - "`)
		if a.client, a.port = splitLastPort(peer); !ok || !isIP(a.client) {
			return a, false
		}
		rest = after
	case l[0] == '[':
		if a.stamp, rest, ok = strings.Cut(l[1:], `] "`); !ok {
			return a, false
		}
	default:
		head, after, ok := strings.Cut(l[:min(len(l), 512)], ` - - [`)
		if !ok || !isHostOrIP(head) {
			return a, false
		}
		a.client = head
		if a.stamp, rest, ok = strings.Cut(l[len(l[:min(len(l), 512)])-len(after):], `] "`); !ok {
			return a, false
		}
		if len(l) > 512 {
			_, rest, _ = strings.Cut(l, `] "`)
		}
	}
	if !uvicorn && (len(a.stamp) != 20 || a.stamp[2] != '/' || a.stamp[11] != ' ' || a.stamp[14] != ':') {
		return a, false // with a zone it is Apache's own
	}
	end := strings.LastIndex(rest, `" `)
	if end < 0 {
		return a, false
	}
	request, tail := rest[:end], rest[end+2:]
	if a.method, a.target, ok = strings.Cut(request, " "); !ok || !isMethod(a.method) {
		return a, false
	}
	if i := strings.LastIndex(a.target, " HTTP/"); i >= 0 {
		a.target, a.version = a.target[:i], a.target[i+len(" HTTP/"):]
	}
	a.status, a.size, _ = strings.Cut(tail, " ")
	return a, len(a.status) == 3 && isDigits(a.status)
}

func (a *pyAccess) add(clock *timestamp.Clock, b *event.Batch) {
	if a.stamp == "" {
		clock.NoTime()
	} else if ns, ok := clock.Any(a.stamp); ok {
		b.Event().Time = ns
	} else if ns, _, ok := clock.CLF(b.Bytes([]byte(a.stamp[:11] + ":" + a.stamp[12:]))); ok {
		b.Event().Time = ns
	} else {
		clock.NoTime()
	}
	b.Add("event.kind", "event")
	outcome := "failure"
	if a.status[0] < '4' {
		outcome = "success"
	}
	classify(b, "web", "access", "", outcome)
	addSource(b, a.client, a.port)
	b.Add("http.request.method", a.method)
	b.Add("http.version", a.version)
	b.AddNumber("http.response.status_code", a.status)
	if isDigits(a.size) {
		b.AddNumber("http.response.body.bytes", a.size)
	}
	addTarget(a.target, "", b)
}
