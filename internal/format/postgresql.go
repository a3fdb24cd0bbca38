package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// PostgreSQL's server log in its three shapes (log_destination): stderr with any
// log_line_prefix, csvlog and jsonlog. All become the same events.
// https://www.postgresql.org/docs/current/runtime-config-logging.html
//
// A message of several lines goes on in lines that begin with a tab (stderr), or until its
// quotes are closed (csvlog).
var _ = register(Format{
	Name:  "postgresql.log",
	Title: "PostgreSQL server log (stderr, csvlog, jsonlog)",
	Group: "database",
	JSON: func(has func(string) bool) bool {
		return has("timestamp") && has("pid") && has("error_severity") && (has("session_id") || has("backend_type"))
	},
	Recognise: recognisePostgres,
	Lines: func(p *Params) LineDecoder {
		return (&postgres{clock: p.Clock}).decode
	},
	Joins: func(line []byte) bool { return !pgBegins(event.View(line)) },
})

var _ = registerProgram(program{
	Names:   []string{"postgres", "postgresql"},
	Dataset: "postgresql.log",
	Decode: func(m *message, b *event.Batch) bool {
		s := m.Text
		if strings.HasPrefix(s, "[") { // "[3-1] ", the message's number and its line's
			if n, rest, ok := strings.Cut(s[1:], "] "); ok {
				if a, c, ok := strings.Cut(n, "-"); ok && isDigits(a) && isDigits(c) {
					s = rest
				}
			}
		}
		at, word := pgSeverity(s)
		if at < 0 {
			return false
		}
		r := pgRecord{level: word}
		var clock timestamp.Clock // the message's own; the header's time stands
		r.prefix(s[:at], &clock, b)
		r.text(s[at+len(word)+1:])
		r.pid = "" // the header's
		r.add(b)
		m.Message = r.message
		return true
	},
})

func recognisePostgres(s *Sample) int {
	records, others, bare, own := 0, 0, 0, false
	for _, l := range s.Lines {
		switch {
		case pgBegins(l):
			if at, word := pgSeverity(l); at == 0 {
				bare++
				own = own || word == "LOG" || word == "FATAL" || word == "STATEMENT"
			}
			if l[0] == '{' || pgCSV(l) || pgText(l) {
				records++
			} else {
				others++
			}
		case records == 0:
			others++
		}
	}
	if records == 0 || others*4 > records || bare*2 > records && !own { // "ERROR:  …" is of any program
		return 0
	}
	return 92
}

// pgBegins reports whether a line is the first of a record.
func pgBegins(l string) bool {
	if l == "" || l[0] == '\t' || l[0] == ' ' {
		return false
	}
	if l[0] == '{' {
		return strings.HasPrefix(l, `{"timestamp":"`) && strings.Contains(l, `"error_severity":`)
	}
	if len(l) > 20 && isDigits(l[:4]) && l[4] == '-' && l[7] == '-' && l[10] == ' ' {
		return true
	}
	return pgText(l)
}

// pgText reports whether a line is one of stderr: its prefix has a time and says which
// process or user it is of, and a severity's word follows.
func pgText(l string) bool {
	at, word := pgSeverity(l)
	if at == 0 {
		return pgBare(l, word)
	}
	if at < 8 {
		return false
	}
	prefix, rest := l[:at], l[at+len(word)+1:]
	if strings.Contains(prefix, " postgres[") && strings.Contains(prefix, "]: [") { // syslog's header and the number of the message
		return false
	}
	if !strings.HasPrefix(rest, "  ") && !strings.HasSuffix(prefix, "]:") {
		return false
	}
	var clock timestamp.Clock
	start, _, _ := pgTime(prefix, &clock)
	if start >= 0 && pgOwn(word) && len(rest) > 2 && rest[2] != ' ' && strings.HasPrefix(rest, "  ") {
		return true
	}
	return start >= 0 && (strings.IndexByte(prefix, '@') >= 0 || strings.Contains(prefix, "user=") || hasNumber(prefix[:start]) || start+19 < len(prefix) && hasNumber(prefix[start+19:]))
}

// pgBare reports whether a line has no prefix at all: log_line_prefix is empty, or the server
// runs in a terminal.
func pgBare(l, word string) bool {
	rest := l[len(word)+1:]
	return (pgOwn(word) || word == "ERROR" || word == "WARNING" || word == "NOTICE") && len(rest) > 2 && rest[:2] == "  " && rest[2] != ' '
}

// pgOwn reports whether a severity's word is PostgreSQL's own, rather than one of many programs'.
func pgOwn(word string) bool {
	switch word {
	case "LOG", "FATAL", "PANIC", "DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION":
		return true
	}
	return false
}

// hasNumber reports whether one of the words is a process: "7755", "[7755]", "[7755-1]".
func hasNumber(s string) bool {
	for w := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ' ' || c == ':' || c == ',' || c == '[' || c == ']' || c == '-' }) {
		if isDigits(w) {
			return true
		}
	}
	return false
}

// pgCSV reports whether a line begins a csvlog record: time, user, database, process …
func pgCSV(l string) bool {
	i := strings.IndexByte(l, ',')
	if i < 19 || i > 40 {
		return false
	}
	var c csvCells
	c.rest = l
	for n := 0; n < 12; n++ {
		v, ok := c.next()
		if !ok {
			return false
		}
		if n == 3 && !isDigits(v) {
			return false
		}
		if n == 11 {
			return pgLevels[v]
		}
	}
	return false
}

var pgLevels = map[string]bool{
	"DEBUG": true, "DEBUG1": true, "DEBUG2": true, "DEBUG3": true, "DEBUG4": true, "DEBUG5": true, "INFO": true, "NOTICE": true, "WARNING": true, "ERROR": true,
	"LOG": true, "FATAL": true, "PANIC": true,
	"DETAIL": true, "HINT": true, "QUERY": true, "CONTEXT": true, "LOCATION": true, "STATEMENT": true, "BACKTRACE": true,
}

// pgSeverity finds the word of a severity and its colon, within the first 300 bytes.
func pgSeverity(l string) (at int, word string) {
	end := min(len(l), 300)
	for i := 0; i < end; i++ {
		if l[i] < 'A' || l[i] > 'Z' {
			continue
		}
		j := i
		for j < end && ('A' <= l[j] && l[j] <= 'Z' || isDigit(l[j])) {
			j++
		}
		if j < len(l) && l[j] == ':' && j-i <= 9 && pgLevels[l[i:j]] && (i == 0 || !isLetter(l[i-1]) && !isDigit(l[i-1]) && l[i-1] != '.' && l[i-1] != '_' && l[i-1] != '[') && (j+1 == len(l) || l[j+1] == ' ') {
			return i, l[i:j]
		}
		i = j
	}
	return -1, ""
}

// pgTime finds the time in a prefix: where it begins and how long it is.
func pgTime(s string, clock *timestamp.Clock) (start, n int, ns int64) {
	for i := 0; i+14 <= len(s) && i < 100; i++ {
		if isDigit(s[i]) && (i == 0 || !isDigit(s[i-1]) && !isLetter(s[i-1])) {
			if j := i + 10; j+3 < len(s) && s[j] == '.' && isDigits(s[i:j]) && isDigits(s[j+1:j+4]) && (j+4 == len(s) || !isDigit(s[j+4])) { // "%n"
				if ns, ok := clock.Epoch(s[i : j+4]); ok {
					return i, 14, ns
				}
			}
			if ns, n, ok := clock.ISO(s[i:]); ok {
				if n < len(s)-i && s[i+n] == ' ' { // the name of a zone that the clock does not know
					j := i + n + 1
					for j < len(s) && 'A' <= s[j] && s[j] <= 'Z' {
						j++
					}
					if w := j - (i + n + 1); 3 <= w && w <= 5 {
						n = j - i
					}
				}
				return i, n, ns
			}
		}
	}
	return -1, 0, 0
}

type postgres struct {
	clock *timestamp.Clock
	scan  event.Scanner
}

const errNotPostgres = errorString("neither a severity's word, nor 22 columns, nor error_severity: not a PostgreSQL record")

func (d *postgres) decode(line string, b *event.Batch) error {
	if line[0] == '{' {
		return d.json(line, b)
	}
	if i := strings.IndexByte(line[:min(len(line), 48)], ','); i >= 19 && pgCSV(line) {
		return d.csv(line, b)
	}
	at, word := pgSeverity(line)
	if at < 0 {
		return errNotPostgres
	}
	r := pgRecord{level: word}
	if !r.prefix(line[:at], d.clock, b) {
		d.clock.NoTime()
	}
	r.text(line[at+len(word)+1:])
	b.Add("event.dataset", "postgresql.log")
	r.add(b)
	b.Add("message", r.message)
	return nil
}

// csv: the columns of csvlog, of which versions have added some at the end.
func (d *postgres) csv(line string, b *event.Batch) error {
	c := csvCells{rest: line, b: b}
	var v [26]string
	n := 0
	for n < len(v) {
		cell, ok := c.next()
		if !ok {
			break
		}
		v[n] = cell
		n++
	}
	if n < 14 {
		return errNotPostgres
	}
	r := pgRecord{
		user: v[1], database: v[2], pid: v[3], session: v[5], line: v[6], tag: v[7], started: v[8], virtual: v[9], transaction: v[10],
		level: v[11], state: v[12], message: v[13], detail: v[14], hint: v[15], internal: v[16], context: v[18], query: v[19], location: v[21],
		application: v[22], backend: v[23], queryID: v[25],
	}
	r.from(v[4])
	if start, _, ns := pgTime(v[0], d.clock); start == 0 {
		b.Event().Time = ns
		b.Add("postgresql.log.timestamp", v[0])
	} else {
		d.clock.NoTime()
	}
	d.whole(&r, b)
	return nil
}

// json: jsonlog, since version 15.
func (d *postgres) json(line string, b *event.Batch) error {
	leaves, err := d.scan.Scan(line, b)
	if err != nil {
		return err
	}
	var r pgRecord
	timed := false
	var function, file, number string
	for i := range leaves {
		v := leaves[i].Value
		switch leaves[i].Name.Path {
		case "timestamp":
			if start, _, ns := pgTime(v, d.clock); start == 0 {
				b.Event().Time, timed = ns, true
			}
			b.Add("postgresql.log.timestamp", v)
		case "user":
			r.user = v
		case "dbname":
			r.database = v
		case "pid":
			r.pid = v
		case "remote_host":
			r.host = strings.Trim(v, "[]")
		case "remote_port":
			r.port = v
		case "session_id":
			r.session = v
		case "line_num":
			r.line = v
		case "ps":
			r.tag = v
		case "session_start":
			r.started = v
		case "vxid":
			r.virtual = v
		case "txid":
			r.transaction = v
		case "error_severity":
			r.level = v
		case "state_code":
			r.state = v
		case "message":
			r.message = v
		case "detail":
			r.detail = v
		case "hint":
			r.hint = v
		case "internal_query":
			r.internal = v
		case "context":
			r.context = v
		case "statement":
			r.query = v
		case "func_name":
			function = v
		case "file_name":
			file = v
		case "file_line_num":
			number = v
		case "application_name":
			r.application = v
		case "backend_type":
			r.backend = v
		case "query_id":
			r.queryID = v
		default:
			b.AddKind("postgresql.log."+leaves[i].Name.Path, v, leaves[i].Kind)
		}
	}
	if r.level == "" {
		return errNotPostgres
	}
	if !timed {
		d.clock.NoTime()
	}
	if file != "" {
		r.location = b.Bytes([]byte(strings.TrimPrefix(function+", "+file+":"+number, ", ")))
	}
	d.whole(&r, b)
	return nil
}

// whole adds a record whose parts stand apart.
func (d *postgres) whole(r *pgRecord, b *event.Batch) {
	b.Add("event.dataset", "postgresql.log")
	started := r.started
	r.started = ""
	if start, _, ns := pgTime(started, d.clock); start == 0 {
		addTime("postgresql.log.session_start_time", ns, b)
	}
	message := r.message
	r.message = ""
	if statement, ok := r.statement(message); ok && statement != "" {
		message = statement
	}
	r.words = message
	r.add(b)
	b.Add("message", message)
}

// csvCells reads the cells of one CSV record whose quotes are doubled inside quotes.
type csvCells struct {
	rest string
	done bool
	b    *event.Batch // for cells with doubled quotes; nil: they are only looked at
}

func (c *csvCells) next() (cell string, ok bool) {
	if c.done {
		return "", false
	}
	s := c.rest
	if s == "" || s[0] != '"' {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			c.done = true
			return s, true
		}
		c.rest = s[i+1:]
		return s[:i], true
	}
	doubled := false
	for i := 1; ; i++ {
		j := strings.IndexByte(s[i:], '"')
		if j < 0 { // cut off
			c.done = true
			return s[1:], true
		}
		if i += j; i+1 < len(s) && s[i+1] == '"' {
			doubled = true
			i++
			continue
		}
		cell = s[1:i]
		if doubled && c.b != nil {
			cell = c.b.Bytes([]byte(strings.ReplaceAll(cell, `""`, `"`)))
		}
		rest := s[i+1:]
		if k := strings.IndexByte(rest, ','); k >= 0 {
			c.rest = rest[k+1:]
		} else {
			c.done = true
		}
		return cell, true
	}
}
