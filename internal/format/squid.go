package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Squid's native access log (https://wiki.squid-cache.org/Features/LogFormat):
//
//	seconds.millis elapsed client CODE/status bytes method URL user HIERARCHY/peer type
//
// and its formats "common" and "combined", which end in CODE:HIERARCHY.
var _ = register(Format{
	Name:  "squid.log",
	Title: "Squid access log",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool {
			_, ok := cutSquid(l)
			if !ok {
				_, _, ok = cutSquidCommon(l)
			}
			return ok
		}) * 95 / 100
	},
	Lines: func(p *Params) LineDecoder {
		var agents agentCache
		return func(line string, b *event.Batch) error { return decodeSquid(p, line, &agents, b) }
	},
})

var errNotSquid = errors.New("not a line of Squid's access log")

type squidLine struct{ time, elapsed, client, result, bytes, method, url, user, peer, mime, extra string }

func cutSquid(line string) (s squidLine, ok bool) {
	rest := line
	for _, f := range [...]*string{&s.time, &s.elapsed, &s.client, &s.result, &s.bytes, &s.method, &s.url, &s.user, &s.peer} {
		rest = strings.TrimLeft(rest, " ")
		*f, rest, ok = strings.Cut(rest, " ")
		if *f == "" || !ok && f != &s.peer {
			return s, false
		}
	}
	s.mime, s.extra, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	code, status, ok := strings.Cut(s.result, "/")
	point := strings.IndexByte(s.time, '.')
	return s, ok && point >= 9 && isDigits(s.time[:point]) && isDigits(s.time[point+1:]) && isDigits(strings.TrimPrefix(s.elapsed, "-")) &&
		len(status) <= 4 && isDigits(status) && code != "" && (isLetter(code[0])) && isDigits(s.bytes) && strings.IndexByte(s.peer, '/') > 0
}

func decodeSquid(p *Params, line string, agents *agentCache, b *event.Batch) error {
	s, ok := cutSquid(line)
	if !ok {
		return decodeSquidCommon(p, line, agents, b)
	}
	ns, ok := p.Clock.Epoch(s.time)
	if !ok {
		return errNotSquid
	}
	b.Event().Time = ns
	b.Add("event.kind", "event")
	b.Add("event.dataset", "squid.log")
	s.add(b)
	return nil
}

// cutSquidCommon cuts a line of the format common or combined.
func cutSquidCommon(line string) (a accessLine, s squidLine, ok bool) {
	if a, ok = cutAccess(line); !ok || a.extra == "" {
		return a, s, false
	}
	code, peer, ok := strings.Cut(a.extra[strings.LastIndexByte(a.extra, ' ')+1:], ":")
	if !ok || !isUpperName(code) || !isUpperName(peer) || !strings.Contains(code, "_") && code != "NONE" {
		return a, s, false
	}
	s = squidLine{client: a.clients, result: code + "/" + a.status, bytes: a.size, user: a.user, peer: peer + "/-", mime: "-"}
	s.method, s.url, _ = strings.Cut(a.request, " ")
	if i := strings.LastIndex(s.url, " HTTP/"); i >= 0 {
		s.url = s.url[:i]
	}
	return a, s, true
}

func isUpperName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || 'Z' < c) && c != '_' {
			return false
		}
	}
	return len(s) > 2
}

func decodeSquidCommon(p *Params, line string, agents *agentCache, b *event.Batch) error {
	a, s, ok := cutSquidCommon(line)
	if !ok {
		return errNotSquid
	}
	ns, _, ok := p.Clock.CLF(a.stamp)
	if !ok {
		return errNotSquid
	}
	b.Event().Time = ns
	b.Add("event.kind", "event")
	b.Add("event.dataset", "squid.log")
	s.add(b)
	if a.referrer != "-" {
		b.Add("http.request.referrer", a.referrer)
	}
	if a.hasAgent {
		agents.add(a.agent, b)
	}
	return nil
}

// add adds what the line says, but for its time.
func (s *squidLine) add(b *event.Batch) {
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	b.Add("observer.vendor", "Squid")
	b.Add("observer.product", "Squid")
	b.Add("observer.type", "proxy")
	if isDigits(s.elapsed) && len(s.elapsed) < 13 {
		b.AddInt("event.duration", wholeNumber(s.elapsed)*1e6)
	}
	addSource(b, s.client, "")
	code, status, _ := strings.Cut(s.result, "/")
	b.Add("squid.result_code", code)
	b.AddNumber("squid.status_code", status)
	outcome := "success"
	if strings.Contains(code, "DENIED") || len(status) == 3 && status[0] >= '4' {
		outcome = "failure"
	}
	b.Add("event.outcome", outcome)
	if s.bytes != "-" {
		b.AddNumber("http.request.body.bytes", s.bytes)
		b.AddNumber("destination.bytes", s.bytes)
	}
	if len(status) == 3 && status != "000" {
		b.AddNumber("http.response.status_code", status)
	}
	if isMethod(s.method) {
		b.Add("http.request.method", s.method)
	}
	addURL(s.url, b)
	if _, rest, ok := strings.Cut(s.url, "://"); ok {
		host := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			host = rest[:i]
		}
		host, _ = splitPort(host[strings.LastIndexByte(host, '@')+1:])
		b.Add("destination.address", host)
	}
	if s.user != "-" {
		b.Add("source.user.name", s.user)
		b.Add("user.name", s.user)
	}
	status, peer, _ := strings.Cut(s.peer, "/")
	b.Add("squid.peer_status", status)
	if peer != "-" {
		b.Add("squid.peer_host", peer)
		if isIP(peer) {
			b.Add("destination.ip", peer)
		}
	}
	if s.mime != "-" {
		b.Add("squid.content_type", s.mime)
	}
}

// Squid by syslog: its access log and what it has to say else. Its workers log as "(squid-1)".
var _ = registerProgram(program{Names: []string{"squid", "(squid-1)", "(squid-2)", "(squid-3)", "(squid-4)"}, Dataset: "squid.log", Decode: func(m *message, b *event.Batch) bool {
	b.Set("process.name", strings.Trim(m.Program, "()"))
	b.Add("event.provider", "squid")
	s, ok := cutSquid(m.Text)
	if !ok {
		return false
	}
	var c timestamp.Clock
	ns, ok := c.Epoch(s.time)
	if !ok {
		return false
	}
	b.Event().Time = ns
	s.add(b)
	return true
}})
