package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Linux audit, as auditd(8) writes it to audit.log and audispd's plugins to syslog:
//
//	[node=HOST ]type=TYPE msg=audit(SECONDS.MILLIS:SERIAL): [words] key=value…[ msg='key=value…']
//
// The records of one serial tell of one event and become one event here (see
// auditd_frame.go). Values that their writer does not trust stand in quotes or, when
// they hold a quote, a blank or a control character, as hex digits.
// https://github.com/linux-audit/audit-documentation/wiki/SPEC-Writing-Good-Events
var _ = register(Format{
	Name:  "auditd.log",
	Title: "Linux audit log",
	Group: "audit",
	Recognise: func(s *Sample) int {
		records, ours := 0, 0
		for _, l := range s.Lines {
			if l == "----" || strings.HasPrefix(l, "time->") { // ausearch's
				continue
			}
			records++
			if _, ok := cutAuditHead(l); ok {
				ours++
			}
		}
		return ours * 95 / max(1, records)
	},
	Frame:  frameAuditd,
	Decode: func(p *Params) Decoder { return &auditdChunks{p: p} },
})

var _ = registerProgram(program{
	Names:   []string{"audispd", "auditd", "audit", "audisp-syslog", "audisp-remote", "sedispatch"},
	Dataset: "auditd.log",
	Decode: func(m *message, b *event.Batch) bool {
		var e auditEvent
		head, ok := cutAuditHead(m.Text)
		if !ok {
			// The journal has the type before the record, and the id elsewhere.
			typ, body, ok := strings.Cut(m.Text, " ")
			if _, known := auditTypes[typ]; !known || !ok {
				m.Dataset = ""
				return false
			}
			head = auditHead{typ: typ, body: body}
		}
		e.alone(head, b)
		return true
	},
})

// alone decodes a record that comes with other messages between it and those of its event.
func (e *auditEvent) alone(h auditHead, b *event.Batch) {
	if _, serial, ok := cutLast(h.id, ":"); ok && isDigits(serial) {
		b.AddNumber("auditd.log.sequence", serial)
	}
	b.Add("auditd.log.node", h.node)
	e.add(h, b)
	e.finish(b)
}

var errNotAudit = errors.New("not an audit record: no type= and msg=audit(…)")

// auditHead is a record cut into its head and the rest.
type auditHead struct {
	node, typ string
	id        string // "SECONDS.MILLIS:SERIAL"
	body      string
}

// cutAuditHead cuts a record. One without "msg=audit(" is none but for types that
// auditd makes up for records it could not read.
func cutAuditHead(line string) (h auditHead, ok bool) {
	s := line
	if rest, ok := strings.CutPrefix(s, "node="); ok {
		if h.node, s, ok = strings.Cut(rest, " "); !ok {
			return h, false
		}
	}
	rest, ok := strings.CutPrefix(s, "type=")
	if !ok {
		return h, false
	}
	h.typ, rest, ok = strings.Cut(rest, " ")
	if !ok || !isAuditType(h.typ) {
		return h, false
	}
	if name := auditNumbers[strings.TrimSuffix(strings.TrimPrefix(h.typ, "UNKNOWN["), "]")]; name != "" {
		h.typ = name
	}
	rest, ok = strings.CutPrefix(rest, "msg=")
	if !ok {
		return h, false
	}
	in, ok := strings.CutPrefix(rest, "audit(")
	if !ok {
		h.body = rest
		return h, strings.HasPrefix(h.typ, "UNKNOWN[")
	}
	h.id, h.body, ok = strings.Cut(in, ")") // auditd's own records have no colon behind it
	if !ok || len(h.id) > 64 {
		return h, false
	}
	h.body = strings.TrimLeft(h.body, ": ")
	return h, true
}

// isAuditType: "SYSCALL", "USER_AUTH", "UNKNOWN[1329]", and the bare number of a newer kernel.
func isAuditType(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' && !isDigit(c) && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

// auditEvent gathers the records of one event.
type auditEvent struct {
	first   auditType // what the event as a whole is
	known   bool
	typ     string
	types   int
	exec    bool   // there is an EXECVE record
	arch    string // as audit numbers machines
	syscall string // its name

	exe, title, cwd string
	args, paths     []string
	outcome         string
	socket          string // a struct sockaddr in hex
	peer, peerPort  string // or its address and port, spelt out
	spelt           bool
}

// add adds what one record says.
func (e *auditEvent) add(h auditHead, b *event.Batch) {
	t, known := auditTypes[h.typ]
	if e.types == 0 || !e.known && known || e.first.minor && known && !t.minor {
		e.first, e.known, e.typ = t, known, h.typ
	}
	e.types++
	b.Add("auditd.log.record_type", h.typ)
	r := auditRecord{auditEvent: e, b: b, typ: h.typ, kind: t.users}
	r.decode(h.body)
}

// finish adds what follows from the records together.
func (e *auditEvent) finish(b *event.Batch) {
	b.Add("process.executable", e.exe)
	if e.title != "" {
		b.Add("auditd.log.proctitle", e.title)
	}
	if len(e.args) > 0 {
		for _, a := range e.args {
			b.Add("process.args", a)
		}
		b.AddInt("process.args_count", int64(len(e.args)))
		if e.exe == "" {
			b.Add("process.executable", e.args[0])
		}
		b.Add("process.command_line", strings.Join(e.args, " "))
	} else {
		b.Add("process.command_line", e.title)
	}
	for _, path := range e.paths {
		if path != "" && path[0] != '/' && strings.HasPrefix(e.cwd, "/") && path[0] != '(' {
			path = strings.TrimSuffix(e.cwd, "/") + "/" + strings.TrimPrefix(path, "./")
		}
		b.Add("file.path", path)
	}
	b.Add("process.working_directory", e.cwd)
	action, category, typ := e.first.action, e.first.category, e.first.types
	if action == "" {
		action = strings.ToLower(e.typ)
	}
	if e.exec && e.types > 1 {
		action, category, typ = "executed", "process", "start"
	} else if e.syscall != "" {
		if c, ok := auditCalls[e.syscall]; ok && e.types > 1 {
			action, category, typ = c.action, c.category, c.types
		}
	}
	b.Add("event.action", action)
	for c := range strings.FieldsSeq(category) {
		b.Add("event.category", c)
	}
	for t := range strings.FieldsSeq(typ) {
		b.Add("event.type", t)
	}
	b.Add("event.outcome", e.outcome)
	e.addSocket(b)
}
