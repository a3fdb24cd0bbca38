package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The log of Redis and Valkey:
//
//	26571:M 27 Dec 2018 11:19:18.874 * TEXT    since 3.0
//	[2932] 31 May 04:32:08 * TEXT              before
//	30 May 10:03:19 - TEXT                     1.x
//
// https://redis.io/docs/latest/develop/reference/ (src/server.c, serverLogRaw)
var _ = register(Format{
	Name:  "redis.log",
	Title: "Redis or Valkey server log",
	Group: "database",
	Recognise: func(s *Sample) int {
		return mostly(93, s.Share(func(l string) bool {
			var r redisLine
			return r.cut(l) && r.time(&timestamp.Clock{}) && r.level() != "" || strings.HasPrefix(l, "  ") && strings.ContainsAny(l, "`._|'-") // the banner's picture
		})) * mysqlAny(s, func(l string) bool {
			var r redisLine
			return r.cut(l) && r.time(&timestamp.Clock{}) && r.level() != ""
		})
	},
	Lines: func(p *Params) LineDecoder {
		return func(line string, b *event.Batch) error {
			if rest, ok := redisSignal(line); ok {
				stamp, text, _ := strings.Cut(rest, ") ")
				if ns, ok := p.Clock.Epoch(stamp); ok {
					b.Event().Time = ns
				} else {
					p.Clock.NoTime()
				}
				classify(b, "database", "info", "", "")
				b.Add("event.dataset", "redis.log")
				b.Add("event.kind", "event")
				b.AddNumber("process.pid", line[:strings.IndexByte(line, ':')])
				b.Add("message", text)
				return nil
			}
			var r redisLine
			if !r.cut(line) || !r.time(p.Clock) || r.level() == "" {
				return errorString("no time and level's sign: not a Redis line")
			}
			b.Event().Time = r.ns
			b.Add("event.dataset", "redis.log")
			b.Add("event.kind", "event")
			b.Add("event.category", "database")
			b.Add("event.type", "info")
			b.Add("log.level", r.level())
			b.AddNumber("process.pid", r.pid)
			b.Add("redis.log.role", r.role)
			b.Add("message", r.text)
			if peer, ok := strings.CutPrefix(r.text, "Accepted "); ok {
				peer, _, _ = strings.Cut(peer, "\n")
				if host, port := splitLastPort(peer); isIP(host) {
					addSource(b, host, port)
					b.Add("event.action", "connection-accepted")
				}
			} else if strings.HasPrefix(r.text, "Possible SECURITY ATTACK detected") {
				b.Add("event.category", "intrusion_detection")
				b.Add("event.action", "cross-protocol-scripting")
				if _, peer, ok := strings.Cut(r.text, " Connection from "); ok { // since 7
					peer, _, _ = strings.Cut(peer, " ")
					if host, port := splitLastPort(peer); isIP(host) {
						addSource(b, host, port)
					}
				}
				b.Add("event.outcome", "failure")
			}
			var facts textFacts
			facts.add(r.text, false, b)
			return nil
		}
	},
	Joins: func(line []byte) bool {
		var r redisLine
		l := event.View(line)
		_, signal := redisSignal(l)
		return !r.cut(l) && !signal
	},
	Date: func(line []byte) (month, day int, ok bool) {
		var r redisLine
		if !r.cut(event.View(line)) || r.year != "" {
			return 0, 0, false
		}
		month, day = r.date()
		return month, day, month > 0
	},
})

// redisSignal: "1:signal-handler (1709546987) Received SIGTERM scheduling shutdown...", which is
// written without formatting.
func redisSignal(l string) (rest string, ok bool) {
	pid, rest, ok := strings.Cut(l[:min(len(l), 64)], ":signal-handler (")
	if !ok || !isDigits(pid) {
		return "", false
	}
	return l[len(l[:min(len(l), 64)])-len(rest):], true
}

type redisLine struct {
	pid, role      string
	day, mon, year string
	clock, sign    string
	text           string
	ns             int64
}

// cut takes the parts of a line apart by their places, without reading the time.
func (r *redisLine) cut(l string) bool {
	s := l
	switch {
	case strings.HasPrefix(s, "["):
		pid, rest, ok := strings.Cut(s[1:], "] ")
		if !ok || !isDigits(pid) {
			return false
		}
		r.pid, s = pid, rest
	default:
		if pid, rest, ok := strings.Cut(s[:min(len(s), 12)], ":"); ok && isDigits(pid) && len(rest) > 2 && rest[1] == ' ' {
			switch rest[0] {
			case 'M':
				r.role = "master"
			case 'S':
				r.role = "slave"
			case 'C':
				r.role = "child"
			case 'X':
				r.role = "sentinel"
			default:
				return false
			}
			r.pid, s = pid, s[len(pid)+3:]
		}
	}
	var ok bool
	if r.day, s, ok = strings.Cut(s, " "); !ok || !isDigits(r.day) || len(r.day) > 2 {
		return false
	}
	if r.mon, s, ok = strings.Cut(s, " "); !ok || len(r.mon) != 3 {
		return false
	}
	if len(s) > 5 && s[4] == ' ' && isDigits(s[:4]) {
		r.year, s = s[:4], s[5:]
	}
	if r.clock, s, ok = strings.Cut(s, " "); !ok || len(r.clock) < 8 || r.clock[2] != ':' {
		return false
	}
	r.sign, r.text, ok = strings.Cut(s, " ")
	return ok
}

// time reads the time by putting its parts in the order of RFC 3164.
func (r *redisLine) time(clock *timestamp.Clock) bool {
	var few [40]byte
	s := append(append(append(few[:0], r.mon...), ' '), r.day...)
	if len(r.day) == 1 {
		s = append(append(append(few[:0], r.mon...), ' ', ' '), r.day...)
	}
	s = append(s, ' ')
	if r.year != "" {
		s = append(append(s, r.year...), ' ')
	}
	if len(r.clock) > 18 {
		return false
	}
	s = append(s, r.clock...)
	ns, n, ok := clock.RFC3164(string(s))
	r.ns = ns
	return ok && n == len(s)
}

func (r *redisLine) date() (month, day int) {
	d := r.day
	if len(d) == 1 {
		d = " " + d
	}
	month, day, ok := timestamp.YearlessDate(r.mon + " " + d + " " + r.clock)
	if !ok {
		return 0, 0
	}
	return month, day
}

func (r *redisLine) level() string {
	switch r.sign {
	case ".":
		return "debug"
	case "-":
		return "verbose"
	case "*":
		return "notice"
	case "#":
		return "warning"
	}
	return ""
}
