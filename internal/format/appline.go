package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Logs of applications that use a logging library with a layout of the usual kind: a
// time, a level, a thread, a logger in some order, and the message. They are told by what
// is typical for the language: Java's by stack traces, dotted class names and
// threads (log4j, logback, java.util.logging, Spring Boot), Python's by tracebacks
// and by the layouts of its logging module. Lines that begin no record, stack
// traces above all, are of the record before them.
var (
	_ = register(Format{
		Name:      "java.log",
		Title:     "Java application log (log4j, logback, java.util.logging), with stack traces",
		Group:     "general",
		Recognise: func(s *Sample) int { return recogniseApp(s, looksJava) },
		Lines:     func(p *Params) LineDecoder { return newAppLog(p, "java.log").decode },
		Joins:     func(line []byte) bool { return !appBegins(event.View(line)) },
		Blank:     true,
	})
	_ = register(Format{
		Name:      "python.log",
		Title:     "Python application log (logging), with tracebacks",
		Group:     "general",
		Recognise: func(s *Sample) int { return recogniseApp(s, looksPython) },
		Lines:     func(p *Params) LineDecoder { return newAppLog(p, "python.log").decode },
		Joins:     func(line []byte) bool { return !appBegins(event.View(line)) },
		Blank:     true,
	})
	_ = register(Format{
		Name:      "application.log",
		Title:     "Application log of a usual layout (.NET, Go, Node.js, PHP, Ruby), with stack traces",
		Group:     "general",
		Recognise: recogniseAnyApp,
		Lines:     func(p *Params) LineDecoder { return newAppLog(p, "application.log").decode },
		Joins:     func(line []byte) bool { return !appBegins(event.View(line)) },
		Blank:     true,
	})
)

func newAppLog(p *Params, dataset string) *appLog {
	return &appLog{clock: p.Clock, dataset: dataset, named: namedRecord{p: p, prefix: dataset + "."}}
}

// recogniseAnyApp: nearly all lines that begin a record are of one of the layouts, or have time and
// level in front, and what else there is goes on with a record.
func recogniseAnyApp(s *Sample) int {
	begun, good, orphans := 0, 0, 0
	for _, l := range s.Lines {
		if !appBegins(l) {
			if begun == 0 {
				orphans++
			}
			continue
		}
		begun++
		var h appHead
		h.read(l, &timestamp.Clock{})
		if h.style != nil && h.style.language == "" || h.low && h.timed {
			good++
		}
	}
	if begun == 0 || orphans > 0 || good*10 < begun*9 {
		return 0
	}
	return 68
}

// recogniseApp: most lines that begin a record have a level, and one of the lines is typical.
func recogniseApp(s *Sample, typical func(l string, h *appHead) bool) int {
	begun, level, sure, orphans, other := 0, 0, false, 0, 0
	for _, l := range s.Lines {
		if !appBegins(l) {
			if begun == 0 {
				orphans++
			}
			sure = sure || typical(l, nil)
			continue
		}
		begun++
		var h appHead
		h.read(l, &timestamp.Clock{})
		if h.style != nil && h.style.language == "" && h.thread == "" && h.origin == "" {
			other++ // whatever the trace is of that it tells
		}
		if h.level != "" || h.below {
			level++
			sure = sure || typical(l, &h)
		}
	}
	if !sure || other*2 > begun || level == 0 || level*10 < begun*7 || orphans > begun {
		return 0
	}
	return 70
}

func looksJava(l string, h *appHead) bool {
	if h == nil {
		t := strings.TrimLeft(l, " \t")
		return t != l && strings.HasPrefix(t, "at ") && isJavaFrame(t) || strings.HasPrefix(l, "Caused by: ")
	}
	if h.style != nil {
		return h.style.language == "java" || h.style.language == "" && h.thread != "" && strings.Count(h.logger, ".") >= 2
	}
	return strings.Count(h.logger, ".") >= 2 && !strings.HasSuffix(h.logger, ".py") && !strings.Contains(l, " - "+h.level+" - ") || h.thread == "main" || strings.IndexByte(h.thread, '@') > 0 || strings.Contains(h.thread, "-thread") ||
		strings.HasPrefix(h.thread, "http-nio") || strings.Contains(l, " --- [") || h.origin == "" && strings.Contains(l, ".java:")
}

// isJavaFrame reports whether a frame of a stack names its place as the JVM does; .NET's and
// Node's begin with the same word.
func isJavaFrame(t string) bool {
	_, where, ok := strings.Cut(strings.TrimRight(t, "\r "), "(")
	for _, mark := range [...]string{".java:", ".kt:", ".scala:", ".groovy:", ".clj:", "Unknown Source)", "Native Method)", "<generated>)", ".java)"} {
		if ok && strings.Contains(where, mark) {
			return true
		}
	}
	return false
}

func looksPython(l string, h *appHead) bool {
	if h == nil {
		return l == "Traceback (most recent call last):" || strings.HasPrefix(l, `  File "`) && strings.Contains(l, `", line `)
	}
	if h.style != nil {
		return h.style.language == "python" || strings.Contains(l, " | ") && h.origin != ""
	}
	return h.flask || l[0] == '[' && h.pid != "" && h.logger == "" || l[0] == '[' && h.level != "" && strings.Contains(l, "] "+h.level+": "+h.logger+": ") || h.colons || strings.Contains(l, " - "+h.level+" - ") && !strings.HasPrefix(h.thread, "main") || strings.Contains(h.origin, ".py") || h.level == "CRITICAL" || strings.HasPrefix(h.logger, "django.")
}

// appHead is what stands before the message.
type appHead struct {
	ns                                 int64
	timed, colons                      bool
	level, thread, logger, origin, pid string
	text                               string

	style             *appStyle // nil: the general layout
	low, flask, below bool      // a level in lower case; Flask's "in module:"; the text is in the lines below
	node, code        string    // Elasticsearch's node, .NET's event id
	pairs, json       string    // behind the text
}

func appLevel(w string) bool {
	switch w {
	case "TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "SEVERE", "CONFIG", "FINE", "FINER", "FINEST", "NOTICE":
		return true
	}
	return false
}

// leadingLevel is the length of a level's name at the beginning of a line.
func leadingLevel(l string) int {
	n := 0
	for n < len(l) && n < 9 && 'A' <= l[n] && l[n] <= 'Z' {
		n++
	}
	if n >= 4 && n < len(l) && appLevel(l[:n]) {
		return n
	}
	return 0
}

// appDate reports whether s begins with a date as these layouts write it.
func appDate(s string) bool {
	if len(s) < 17 || !isDigit(s[0]) || !isDigit(s[1]) {
		return false
	}
	switch {
	case (s[4] == '-' || s[4] == '/') && s[7] == s[4] && isDigits(s[:4]):
		return true
	case s[2] == '/' && s[5] == '/' && s[8] == ' ' && s[11] == ':': // Hadoop's "15/10/18 18:01:47"
		return true
	case s[2] == '-' && s[6] == '-' && isLetter(s[3]) && s[11] == ' ': // Tomcat's "02-May-2024 09:00:00.123"
		return true
	}
	return false
}

// appBegins reports whether a line begins a record.
func appBegins(l string) bool {
	if l == "" {
		return false
	}
	if styleOf(l) != nil {
		return true
	}
	s := l
	if n := leadingLevel(s); n > 0 {
		if s[n] == ':' { // Python's BASIC_FORMAT, "WARNING:root:text"
			return n+1 < len(s) && s[n+1] != ' ' && strings.IndexByte(s[n+1:], ':') > 0
		}
		s = strings.TrimLeft(s[n:], " |")
		if strings.HasPrefix(s, "[") && !appDate(s[1:]) { // Cassandra: level, thread, time
			if i := strings.Index(s, "] "); i > 0 {
				s = s[i+2:]
			}
		}
	}
	return appDate(strings.TrimPrefix(s, "["))
}

// readTime reads the date and time at the beginning of s.
func (h *appHead) readTime(s string, clock *timestamp.Clock) (n int, ok bool) {
	if !appDate(s) {
		return 0, false
	}
	switch {
	case s[2] == '/':
		for _, i := range [...]int{0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16} {
			if !isDigit(s[i]) {
				return 0, false
			}
		}
		two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
		h.ns, ok = clock.Local(2000+two(0), two(3), two(6), two(9), two(12), two(15), 0)
		return 17, ok
	case s[2] == '-':
		end := 12
		for end < len(s) && end < 32 && s[end] != ' ' {
			end++
		}
		h.ns, n, ok = clock.RFC3164(s[3:6] + " " + s[:2] + " " + s[7:11] + " " + s[12:end])
		return end, ok && n == end
	}
	h.ns, n, ok = clock.ISO(s)
	return n, ok
}

// read takes a line apart; what it does not know is text.
func (h *appHead) read(l string, clock *timestamp.Clock) {
	h.ns = event.NoTime
	if style := styleOf(l); style != nil {
		h.style = style
		if style.read(h, l, clock) {
			return
		}
		*h = appHead{ns: event.NoTime}
	}
	s := l
	if n := leadingLevel(s); n > 0 {
		h.level = s[:n]
		if s[n] == ':' {
			h.colons = true
			h.logger, h.text, _ = strings.Cut(s[n+1:], ":")
			h.text = strings.TrimLeft(h.text, " ")
			return
		}
		s = strings.TrimLeft(s[n:], " |")
		if strings.HasPrefix(s, "[") && !appDate(s[1:]) {
			if thread, rest, ok := strings.Cut(s[1:], "] "); ok {
				h.thread, s = strings.TrimSpace(thread), rest
			}
		}
	}
	bracket := strings.HasPrefix(s, "[")
	s = strings.TrimPrefix(s, "[")
	if n, ok := h.readTime(s, clock); ok {
		h.timed = true
		s = s[n:]
	}
	if bracket {
		if i := strings.IndexByte(s, ']'); i >= 0 && i < 8 {
			s = s[i+1:]
		}
	}
	tight := bracket && strings.HasPrefix(s, "[") // Elasticsearch's "[time][LEVEL ][logger ] [node] "
	s = strings.TrimLeft(s, " |")
	if strings.HasPrefix(s, "- ") || strings.HasPrefix(s, ":") {
		s = strings.TrimLeft(s[1:], " ")
	}
	for range 7 {
		rest, more := h.part(s)
		if s = strings.TrimLeft(rest, " "); !more {
			break
		}
	}
	if tight && h.level != "" && h.thread != "" && h.logger != "" {
		h.node, h.thread = h.thread, ""
	}
	h.text = s
	if h.logger == "" && strings.HasSuffix(s, ")") { // Kafka puts it last
		if i := strings.LastIndex(s, " ("); i > 0 && isLogger(s[i+2:len(s)-1]) && strings.IndexByte(s[i+2:], '.') > 0 {
			h.logger, h.text = s[i+2:len(s)-1], s[:i]
		}
	}
}

// part takes one part of the head off s. more says that another may follow.
func (h *appHead) part(s string) (rest string, more bool) {
	if s == "" {
		return s, false
	}
	switch s[0] {
	case '[':
		depth, end := 0, -1 // threads of ZooKeeper's hold brackets
		for i := 0; i < len(s) && i < 160 && end < 0; i++ {
			switch s[i] {
			case '[':
				depth++
			case ']':
				if depth--; depth == 0 {
					end = i
				}
			}
		}
		if end < 0 {
			return s, false
		}
		inner := strings.TrimSpace(s[1:end])
		rest = strings.TrimPrefix(s[end+1:], ":")
		switch {
		case appLevel(inner) && h.level == "":
			h.level = inner
		case lowerLevel(inner) && h.level == "" && h.thread == "":
			h.level, h.low = inner, true
		case h.logger == "" && isLogger(inner) && strings.IndexByte(inner, '.') > 0 && strings.IndexByte(inner, '@') < 0 && strings.IndexByte(inner, '/') < 0 && h.level != "":
			h.logger = inner
		case isDigits(inner) && h.pid == "" && h.level == "":
			h.pid = inner
		case h.thread == "":
			h.thread = inner
		case h.logger == "" && isLogger(inner):
			h.logger = inner
		default:
			return s, false
		}
		return rest, true
	case '(': // WildFly's thread, behind the logger in brackets
		if inner, rest, ok := strings.Cut(s[1:], ") "); ok && h.thread == "" && h.logger != "" && h.level != "" && len(inner) < 100 {
			h.thread = inner
			return rest, false
		}
		return s, false
	case '{': // Airflow's "{taskinstance.py:670}"
		if inner, rest, ok := strings.Cut(s[1:], "}"); ok && h.origin == "" && len(inner) < 100 && strings.IndexByte(inner, ':') > 0 {
			h.origin = inner
			return rest, true
		}
		return s, false
	case '-':
		if strings.HasPrefix(s, "--- ") {
			return h.spring(s[4:])
		}
		if strings.HasPrefix(s, "- ") {
			return s[2:], h.level == "" || h.logger == "" && h.thread == ""
		}
		return s, false
	case ':':
		return strings.TrimLeft(s[1:], " "), false
	}
	word, after, _ := strings.Cut(s, " ")
	bare := strings.TrimRight(word, ":,")
	switch {
	case appLevel(bare) && h.level == "":
		h.level = bare
		return after, true
	case h.level == "" && h.thread == "" && h.logger == "" && lowerLevel(bare) && len(bare) == len(word)-1 && word[len(bare)] == ':': // winston's "error: text"
		h.level, h.low = bare, true
		return after, false
	case h.level == "" && h.thread == "" && h.logger == "" && len(word) == 3 && lowerLevel(word) && word[0] < 'a': // zerolog's "ERR text"
		h.level, h.low = word, true
		return after, false
	case word == "in" && h.level != "" && h.logger == "" && isModule(after): // Flask's "in module: text"
		h.logger, after, _ = strings.Cut(after, ": ")
		h.flask = true
		return after, false
	case isDigits(word) && h.level != "" && h.pid == "" && strings.HasPrefix(after, "--- "):
		h.pid = word
		return after, true
	case h.logger == "" && isLogger(bare) && len(bare) == len(word)-1 && word[len(word)-1] == ':': // "org.example.App: text"
		h.logger = bare
		return after, false
	case h.logger == "" && h.level != "" && isLogger(word) && isTwoNumbers(after): // Django's "module process thread text"
		h.logger = word
		h.pid, after, _ = strings.Cut(after, " ")
		h.thread, after, _ = strings.Cut(after, " ")
		h.flask = true
		return after, false
	case h.logger == "" && isLogger(word):
		next := strings.TrimLeft(after, " ")
		if strings.HasPrefix(next, "- ") || strings.HasPrefix(next, ": ") {
			h.logger = word
			return next[2:], h.level == ""
		}
		if strings.Count(word, ".") >= 2 && h.level != "" { // java.util.logging's "org.example.App.method text"
			h.logger = word
			return after, false
		}
		if h.level == "" && leadingLevel(next) > 0 { // Python's "name LEVEL text"
			h.logger = word
			return next, true
		}
	}
	return s, false
}

// spring reads Spring Boot's "[application] [   thread] logger   : text", behind "--- ".
func (h *appHead) spring(s string) (rest string, more bool) {
	for n := 0; n < 2 && strings.HasPrefix(s, "["); n++ {
		inner, after, ok := strings.Cut(s[1:], "] ")
		if !ok {
			return s, true
		}
		h.thread, s = strings.TrimSpace(inner), strings.TrimLeft(after, " ")
	}
	if logger, text, ok := strings.Cut(s, " : "); ok && len(logger) < 80 && strings.IndexByte(strings.TrimRight(logger, " "), ' ') < 0 {
		h.logger = strings.TrimRight(logger, " ")
		return text, false
	}
	return s, true
}

// isModule: "views: text".
func isModule(s string) bool {
	name, _, ok := strings.Cut(s, ": ")
	return ok && isLogger(name)
}

func isTwoNumbers(s string) bool {
	a, rest, ok := strings.Cut(s, " ")
	b, _, ok2 := strings.Cut(rest, " ")
	return ok && ok2 && isDigits(a) && isDigits(b)
}

// isLogger reports whether s may be the name of a logger or a class.
func isLogger(s string) bool {
	if s == "" || len(s) > 120 || !isLetter(s[0]) && s[0] != '_' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("._$-/:@", c) < 0 {
			return false
		}
	}
	return true
}

type appLog struct {
	clock   *timestamp.Clock
	dataset string
	named   namedRecord
}

func (d *appLog) decode(record string, b *event.Batch) error {
	first, trace, _ := strings.Cut(record, "\n")
	first = strings.TrimSuffix(first, "\r")
	var h appHead
	if !appBegins(first) {
		return errorString("no time or level at the beginning of the record")
	}
	h.read(first, d.clock)
	if !h.timed {
		d.clock.NoTime()
	}
	b.Event().Time = h.ns
	b.Add("event.dataset", d.dataset)
	b.Add("event.kind", "event")
	if h.below {
		trace = h.belowText(trace)
	}
	b.Add("log.level", lower(fullLevel(h.level), b))
	b.Add("log.logger", h.logger)
	b.Add("elasticsearch.node.name", h.node)
	b.Add("event.code", h.code)
	b.Add("process.thread.name", h.thread)
	b.AddNumber("process.pid", h.pid)
	if file, line, ok := strings.Cut(h.origin, ":"); ok {
		b.Add("log.origin.file.name", file)
		b.AddNumber("log.origin.file.line", line)
	}
	message := h.text
	if trace = strings.TrimLeft(trace, "\r\n"); trace != "" {
		if kind, ok := exceptionType(trace); ok {
			b.Add("error.type", kind)
			b.Add("error.stack_trace", trace)
		} else if i := strings.Index(record, h.text); h.style == nil {
			message = record[strings.Index(record, first)+len(first)-len(h.text):]
		} else if i >= 0 {
			message = record[i:]
		}
	}
	if h.style != nil {
		message = b.Bytes([]byte(strings.TrimSuffix(message, "|"))) // NLog's empty exception
	}
	b.Add("message", message)
	d.addPairs(&h, b)
	var facts textFacts
	facts.add(h.text, true, b)
	return nil
}

// exceptionType finds what was thrown in the lines of a trace: the first line's name in
// Java, the last line's in Python.
func exceptionType(trace string) (string, bool) {
	if strings.HasPrefix(trace, "Traceback (most recent call last):") {
		end := strings.TrimRight(trace, "\r\n ")
		last := end[strings.LastIndexByte(end, '\n')+1:]
		kind, _, _ := strings.Cut(last, ":")
		if isLogger(kind) {
			return kind, true
		}
		return "", true
	}
	head, rest, _ := strings.Cut(trace, "\n")
	head = strings.TrimPrefix(head, "Caused by: ")
	if t := strings.TrimLeft(head, " \t"); t != head && strings.HasPrefix(t, "at ") {
		return "", true // the exception stands in the message
	}
	kind, _, _ := strings.Cut(strings.TrimRight(head, "\r"), ":")
	t := strings.TrimLeft(rest, " \t")
	return kind, isLogger(kind) && strings.IndexByte(kind, '.') > 0 && (strings.HasPrefix(t, "at ") || strings.HasSuffix(kind, "Exception") || strings.HasSuffix(kind, "Error"))
}
