package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// pgRecord is what a record of PostgreSQL says, whichever way it was written.
type pgRecord struct {
	user, database, pid, line, session, started, tag, virtual, transaction string
	host, port                                                             string
	level, state, message, detail, hint, internal, context, query          string
	location, application, backend, queryID                                string

	words    string // the message where message is not to be added yet
	step     string // parse, bind, execute, statement
	name     string // of a prepared statement
	duration int64  // in ns; 0: none
}

// prefix reads what log_line_prefix put before the message. Its parts are told by their
// looks: a time, "[12975-1]", "postgres@db", "192.0.2.1(50123)", "user=postgres,db=…".
func (r *pgRecord) prefix(s string, clock *timestamp.Clock, b *event.Batch) (timed bool) {
	if start, n, ns := pgTime(s, clock); start >= 0 {
		b.Event().Time, timed = ns, true
		b.Add("postgresql.log.timestamp", s[start:start+n])
		if start > 0 {
			r.words = s[:start]
		}
		rest := s[start+n:]
		if strings.HasPrefix(rest, ":") { // "%t:%r:%u@%d:[%p]:", the shape of Amazon RDS
			if at := strings.LastIndex(rest, ":["); at >= 0 {
				r.word(strings.TrimSuffix(rest[at+1:], ":"))
				rest = rest[1:max(at, 1)]
				if i := strings.LastIndexByte(rest, ':'); i >= 0 {
					r.word(rest[:i])
					rest = rest[i+1:]
				}
				r.word(rest)
				return timed
			}
		}
		s = rest
	}
	for w := range strings.FieldsFuncSeq(r.words+" "+s, func(c rune) bool { return c == ' ' || c == ',' }) {
		r.word(w)
	}
	r.words = ""
	return timed
}

// word reads one part of a prefix.
func (r *pgRecord) word(w string) {
	w = strings.TrimRight(w, ":")
	if w == "" {
		return
	}
	if key, value, ok := strings.Cut(w, "="); ok {
		switch key {
		case "user":
			r.user = known(value)
		case "db", "database":
			r.database = known(value)
		case "app", "application":
			r.application = known(value)
		case "client", "host", "remote", "addr":
			r.word(value)
		case "pid":
			r.word("[" + value + "]")
		}
		return
	}
	if user, database, ok := strings.Cut(w, "@"); ok {
		database, host, _ := strings.Cut(database, "/")
		r.user, r.database = known(user), known(database)
		if host != "" {
			r.word(host)
		}
		return
	}
	inner := w
	if w[0] == '[' && w[len(w)-1] == ']' {
		inner = w[1 : len(w)-1]
	}
	if inner == "local" {
		r.host = inner
		return
	}
	if host, port, ok := strings.Cut(inner, "("); ok {
		r.host, r.port = host, strings.TrimSuffix(port, ")")
		return
	}
	if len(inner) == 5 && isSQLState(inner) && (inner == "00000" || !isDigits(inner)) {
		r.state = inner
		return
	}
	pid, line, pair := strings.Cut(inner, "-")
	switch {
	case isIP(inner):
		r.host = inner
	case isDigits(pid) && len(pid) <= 10 && (!pair || isDigits(line)):
		switch {
		case r.pid == "":
			r.pid, r.line = pid, line
		case r.line == "":
			r.line = pid
		}
	case isSessionID(inner):
		r.session = inner
	default:
		if backend, local, ok := strings.Cut(inner, "/"); ok && (isDigits(backend) && isDigits(local)) {
			r.virtual = inner
		}
	}
}

// known is a part of the prefix that is known of the session: before it is authenticated
// it is "[unknown]".
func known(s string) string {
	if s == "[unknown]" {
		return ""
	}
	return strings.Trim(s, "[]")
}

// isSessionID: "5ff2634c.57", the start's time and the process in hex.
func isSessionID(s string) bool {
	at, pid, ok := strings.Cut(s, ".")
	return ok && len(at) == 8 && pid != "" && len(pid) <= 8 && isHash(at, len(at)) && isHash(pid, len(pid))
}

// from reads csvlog's "192.0.2.1:50123".
func (r *pgRecord) from(s string) {
	if s == "[local]" {
		r.host = "local"
		return
	}
	if i := strings.LastIndexByte(s, ':'); i > 0 && isDigits(s[i+1:]) {
		r.host, r.port = s[:i], s[i+1:]
	} else {
		r.host = s
	}
}

// text reads what follows the severity's word.
func (r *pgRecord) text(s string) {
	s = strings.TrimLeft(s, " ")
	if len(s) > 6 && s[5] == ':' && s[6] == ' ' && isSQLState(s[:5]) {
		r.state, s = s[:5], s[7:]
	}
	if statement, ok := r.statement(s); ok {
		r.query = statement
		if statement == "" {
			r.message = s
		} else {
			r.message = statement
		}
	} else {
		r.message = s
	}
	r.words = r.message
}

// isSQLState: five digits and capitals, "42P01"; there is a digit in all of them.
func isSQLState(s string) bool {
	digit := false
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
		digit = digit || isDigit(s[i])
	}
	return digit
}

// audited reads what the extension pgaudit writes:
// "AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,select 1,<not logged>".
func (r *pgRecord) audited(s string, b *event.Batch) {
	c := csvCells{rest: s, b: b}
	for i, name := range [...]string{"type", "statement_id", "substatement_id", "class", "command", "object_type", "object_name"} {
		v, ok := c.next()
		if !ok {
			return
		}
		switch {
		case i == 4:
			b.Add("event.action", lower(v, b))
			if r.tag == "" {
				b.Add("postgresql.log.command_tag", v)
			}
		case v != "":
			b.Add("postgresql.log.audit."+name, v)
		}
	}
	if statement, ok := c.next(); ok && r.query == "" && statement != "<none>" {
		b.Add("postgresql.log.query", statement)
	}
}

// statement reads "duration: 12.437 ms  execute NAME: QUERY" and "statement: QUERY".
func (r *pgRecord) statement(s string) (query string, ok bool) {
	if rest, is := strings.CutPrefix(s, "duration: "); is {
		ms, rest, is := strings.Cut(rest, " ms")
		f, err := strconv.ParseFloat(ms, 64)
		if !is || err != nil || f < 0 || f > 1e12 {
			return "", false
		}
		r.duration = int64(f*1e6 + .5)
		s, ok = strings.TrimLeft(rest, " "), true
	}
	head, query, is := strings.Cut(s, ": ")
	if !is {
		return "", ok
	}
	step, name, _ := strings.Cut(head, " ")
	switch step {
	case "statement":
	case "parse", "bind", "execute":
		if name != "" && name != "<unnamed>" {
			r.name = name
		}
	default:
		return "", ok
	}
	r.step = step
	return query, true
}

// add adds all but the time, dataset and message.
func (r *pgRecord) add(b *event.Batch) {
	const p = "postgresql.log."
	b.Add("event.kind", "event")
	b.Add("log.level", r.level)
	b.AddNumber("process.pid", r.pid)
	b.Add("user.name", r.user)
	b.Add(p+"database", r.database)
	b.Add(p+"client_addr", r.host)
	if r.host != "" && r.host != "local" {
		addSource(b, r.host, r.port)
		addPort(b, p+"client_port", r.port)
	}
	b.Add(p+"sql_state_code", r.state)
	b.Add(p+"session_id", r.session)
	b.AddNumber(p+"session_line_number", r.line)
	setNumber(b, r.line)
	b.Add(p+"command_tag", r.tag)
	b.Add(p+"virtual_transaction_id", r.virtual)
	b.AddNumber(p+"transaction_id", r.transaction)
	b.Add(p+"detail", r.detail)
	b.Add(p+"hint", r.hint)
	b.Add(p+"internal_query", r.internal)
	b.Add(p+"context", r.context)
	b.Add(p+"query", r.query)
	b.Add(p+"query_step", r.step)
	b.Add(p+"query_name", r.name)
	b.Add(p+"location", r.location)
	b.Add(p+"application_name", r.application)
	b.Add(p+"backend_type", r.backend)
	if r.queryID != "0" {
		b.Add(p+"query_id", r.queryID)
	}
	if r.duration > 0 {
		b.AddInt("event.duration", r.duration)
	}
	b.Add("event.category", "database")
	r.meaning(b)
	switch r.level {
	case "ERROR", "FATAL", "PANIC":
		b.Add("event.type", "error")
	default:
		b.Add("event.type", "info")
	}
}

// meaning says what the messages mean that an investigation asks for: who came in, and who did not.
func (r *pgRecord) meaning(b *event.Batch) {
	s := r.words
	quoted := func() { // the first name in quotes
		if r.user == "" {
			if _, rest, ok := strings.Cut(s, `"`); ok {
				name, _, _ := strings.Cut(rest, `"`)
				b.Add("user.name", name)
			}
		}
	}
	switch {
	case strings.HasPrefix(s, "AUDIT: SESSION,"), strings.HasPrefix(s, "AUDIT: OBJECT,"):
		r.audited(s[len("AUDIT: "):], b)
	case strings.Contains(s, " authentication failed for user "), strings.HasPrefix(s, "no pg_hba.conf entry for "), strings.HasPrefix(s, "pg_hba.conf rejects "):
		quoted()
		b.Add("event.category", "authentication")
		b.Add("event.action", "authentication-failed")
		b.Add("event.outcome", "failure")
	case strings.HasPrefix(s, `role "`) && strings.HasSuffix(s, " does not exist") && r.level == "FATAL":
		quoted()
		b.Add("event.category", "authentication")
		b.Add("event.action", "authentication-failed")
		b.Add("event.outcome", "failure")
	case strings.HasPrefix(s, "connection authorized: "):
		r.pairs(s, b)
		b.Add("event.category", "authentication")
		b.Add("event.action", "connection-authorized")
		b.Add("event.outcome", "success")
	case strings.HasPrefix(s, "connection authenticated: "):
		b.Add("event.category", "authentication")
		b.Add("event.action", "connection-authenticated")
		b.Add("event.outcome", "success")
	case strings.HasPrefix(s, "connection received: "):
		r.pairs(s, b)
		b.Add("event.action", "connection-received")
	case strings.HasPrefix(s, "disconnection: "):
		r.pairs(s, b)
		b.Add("event.action", "disconnection")
	case strings.HasPrefix(s, "permission denied for "):
		b.Add("event.action", "permission-denied")
		b.Add("event.outcome", "failure")
	case r.level == "ERROR":
		b.Add("event.outcome", "failure")
	}
}

// pairs reads "connection received: host=192.0.2.1 port=42304".
func (r *pgRecord) pairs(s string, b *event.Batch) {
	for w := range strings.FieldsSeq(s) {
		key, value, ok := strings.Cut(w, "=")
		if !ok || value == "" {
			continue
		}
		switch {
		case key == "host" && r.host == "" && value != "[local]":
			r.host = value
			addSource(b, value, "")
		case key == "port" && r.port == "" && r.host != "":
			addPort(b, "source.port", value)
		case key == "user" && r.user == "":
			b.Add("user.name", value)
		case key == "database" && r.database == "":
			b.Add("postgresql.log.database", value)
		}
	}
}
