package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// MongoDB's server log: JSON since 4.4, before that
// "2019-03-24T14:01:47.811+0000 I NETWORK  [listener] connection accepted from 192.0.2.1:50123 #7 (1 connection now open)".
// https://www.mongodb.com/docs/manual/reference/log-messages/
var _ = register(Format{
	Name:  "mongodb.log",
	Title: "MongoDB server log (JSON and before 4.4)",
	Group: "database",
	JSON:  func(has func(string) bool) bool { return has("t.$date") && has("msg") && (has("c") || has("s")) },
	Recognise: func(s *Sample) int {
		return mostly(95, s.Share(func(l string) bool {
			if l[0] == '{' {
				return strings.HasPrefix(l, `{"t":{"$date":`) && strings.Contains(l, `"msg":`)
			}
			_, _, _, ok := mongoHead(l)
			return ok
		}))
	},
	Lines: func(p *Params) LineDecoder { return (&mongo{clock: p.Clock}).decode },
	Joins: func(line []byte) bool {
		return line[0] != '{' && !isDigit(line[0]) && !isWeekdayName(event.View(line))
	},
})

type mongo struct {
	clock *timestamp.Clock
	scan  event.Scanner
}

const errNotMongo = errorString("neither MongoDB's JSON nor its text")

// mongoHead cuts a line of text: the level's letter, the component, and what follows.
func mongoHead(l string) (level, component, rest string, ok bool) {
	i := strings.IndexByte(l, ' ')
	if i < 19 || l[10] != 'T' || !isDigits(l[:4]) {
		return "", "", "", false
	}
	rest = l[i+1:]
	if strings.HasPrefix(rest, "[") { // 2.6 has no level: told by its threads
		for _, thread := range [...]string{"conn", "initandlisten]", "rs", "repl", "websvr]", "signalProcessingThread]", "clientcursormon]", "TTLMonitor]", "mongosMain]", "journal]", "DataFileSync]"} {
			if strings.HasPrefix(rest[1:], thread) {
				return "", "", rest, true
			}
		}
		return "", "", "", false
	}
	level, rest, _ = strings.Cut(rest, " ")
	switch level {
	case "F", "E", "W", "I", "D", "D1", "D2", "D3", "D4", "D5":
	default:
		return "", "", "", false
	}
	component, rest, _ = strings.Cut(rest, " ")
	rest = strings.TrimLeft(rest, " ")
	return level, component, rest, strings.HasPrefix(rest, "[") && component == strings.ToUpper(component)
}

func isWeekdayName(l string) bool {
	return len(l) > 20 && l[3] == ' ' && l[7] == ' ' && strings.Contains("Mon Tue Wed Thu Fri Sat Sun", l[:3])
}

func (d *mongo) decode(line string, b *event.Batch) error {
	if line[0] == '{' {
		return d.json(line, b)
	}
	var ns int64
	var level, component, rest string
	if isWeekdayName(line) { // 2.4: "Wed Mar  5 10:11:12.345 [conn1] …"
		var n int
		var ok bool
		if ns, n, ok = d.clock.RFC3164(line[4:]); !ok {
			return errNotMongo
		}
		rest = strings.TrimLeft(line[4+n:], " ")
	} else {
		t, _, ok := d.clock.ISO(line)
		if !ok {
			return errNotMongo
		}
		if level, component, rest, ok = mongoHead(line); !ok {
			return errNotMongo
		}
		ns = t
	}
	context, text, ok := strings.Cut(strings.TrimPrefix(rest, "["), "] ")
	if !ok || context == rest {
		return errNotMongo
	}
	b.Event().Time = ns
	d.add(level, component, context, text, b)
	for _, mark := range [...]string{"connection accepted from ", "end connection ", "received client metadata from ", " from client "} {
		if _, peer, ok := strings.Cut(text, mark); ok {
			peer, _, _ = strings.Cut(peer, " ")
			d.peer(peer, b)
			break
		}
	}
	_, name, ok := strings.Cut(text, "principal ")
	if !ok { // "SCRAM-SHA-1 authentication failed for NAME on DB from client …"
		_, name, ok = strings.Cut(text, " authentication failed for ")
	}
	if ok {
		name, _, _ = strings.Cut(name, " ")
		b.Add("user.name", name)
	}
	return nil
}

func (d *mongo) json(line string, b *event.Batch) error {
	leaves, err := d.scan.Scan(line, b)
	if err != nil {
		return err
	}
	var level, component, context, text string
	timed := false
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Path {
		case "t.$date":
			if ns, n, ok := d.clock.ISO(l.Value); ok && n == len(l.Value) {
				b.Event().Time, timed = ns, true
			}
		case "s":
			level = l.Value
		case "c":
			component = l.Value
		case "ctx":
			context = l.Value
		case "msg":
			text = l.Value
		case "id":
			b.AddKind("mongodb.log.id", l.Value, l.Kind)
		case "attr.durationMillis":
			if isDigits(l.Value) && len(l.Value) < 13 {
				b.AddInt("event.duration", wholeNumber(l.Value)*1e6)
			}
			b.AddKind("mongodb.log."+l.Name.Path, l.Value, l.Kind)
		case "attr.error":
			if l.Kind == event.String {
				b.Add("event.reason", l.Value)
			}
			b.AddKind("mongodb.log."+l.Name.Path, l.Value, l.Kind)
		case "attr.remote", "attr.client":
			d.peer(l.Value, b)
			b.AddKind("mongodb.log."+l.Name.Path, l.Value, l.Kind)
		case "attr.principalName", "attr.user":
			if l.Kind == event.String {
				b.Add("user.name", l.Value)
			}
			b.AddKind("mongodb.log."+l.Name.Path, l.Value, l.Kind)
		default:
			b.AddKind("mongodb.log."+l.Name.Path, l.Value, l.Kind)
		}
	}
	if text == "" && level == "" {
		return errNotMongo
	}
	if !timed {
		d.clock.NoTime()
	}
	d.add(level, component, context, text, b)
	return nil
}

func (d *mongo) peer(s string, b *event.Batch) {
	if host, port := splitPort(s); port != "" && isIP(host) {
		addSource(b, host, port)
	} else if isIP(s) {
		addSource(b, s, "")
	}
}

func (d *mongo) add(level, component, context, text string, b *event.Batch) {
	b.Add("event.dataset", "mongodb.log")
	b.Add("event.kind", "event")
	b.Add("log.level", level)
	if component != "-" {
		b.Add("mongodb.log.component", component)
	}
	b.Add("mongodb.log.context", context)
	b.Add("message", text)
	b.Add("event.category", "database")
	head := strings.ToLower(text[:min(len(text), 64)])
	switch {
	case strings.HasPrefix(head, "authentication succeeded"), strings.HasPrefix(head, "successfully authenticated"), strings.HasPrefix(head, "sasl scram") && strings.Contains(head, "succeeded"):
		b.Add("event.category", "authentication")
		b.Add("event.action", "authentication")
		b.Add("event.outcome", "success")
	case strings.HasPrefix(head, "authentication failed"), strings.HasPrefix(head, "supported sasl mechanisms requested for unknown user"), strings.HasPrefix(head, "failed to authenticate"), strings.HasPrefix(head, "scram-sha-") && strings.Contains(head, " authentication failed "), strings.HasPrefix(head, "sasl ") && strings.Contains(text, " failed "):
		b.Add("event.category", "authentication")
		b.Add("event.action", "authentication")
		b.Add("event.outcome", "failure")
	case strings.HasPrefix(head, "dropdatabase "), strings.HasPrefix(head, "cmd: drop"), strings.HasPrefix(head, "createcollection"):
		word, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "CMD: "), "cmd: "), " ")
		b.Add("event.action", strings.TrimRight(word, ":"))
	case strings.HasPrefix(head, "slow query"):
		b.Add("event.action", "slow-query")
	case strings.HasPrefix(head, "connection accepted"):
		b.Add("event.action", "connection-accepted")
	case strings.HasPrefix(head, "connection ended"), strings.HasPrefix(head, "end connection"):
		b.Add("event.action", "connection-ended")
	}
	switch level {
	case "E", "F":
		b.Add("event.type", "error")
	default:
		b.Add("event.type", "info")
	}
}
