package format

import (
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// appStyle is the layout of one library or framework whose lines the general reader of
// application logs does not take apart.
type appStyle struct {
	language string // whose it is: "java", "python", or "" for that of any other
	begins   func(l string) bool
	read     func(h *appHead, l string, clock *timestamp.Clock) bool
}

// appStyles in the order in which they are tried. What they write:
//
//	[2026-03-04 10:11:12,123: WARNING/MainProcess] text          Celery
//	2026-03-04 10:11:12 [warning  ] text       [logger] key=value  structlog's ConsoleRenderer
//	2026-03-04 10:11:12.123 | INFO     | module:function:42 - text  Loguru
//	2026-03-04 10:11:12.123|ERROR|logger|text                    NLog; log4j patterns with bars
//	2026/03/04 10:11:12.123<tab>INFO<tab>logger<tab>text<tab>{…} zap's console encoder
//	[2026-03-04 10:11:12] production.ERROR: text                 Monolog, Laravel
//	I, [2026-03-04T10:11:12.123456 #42]  INFO -- program: text   Ruby's Logger
//	[04-Mar-2026 10:11:12 Europe/Berlin] PHP Warning:  text      PHP's error_log
//	info: Microsoft.Hosting.Lifetime[14]                         .NET's console, the text below
//	Mar 04, 2026 10:11:12 AM org.example.App run                 java.util.logging, the level below
//	10:11:12.123 [main] INFO  org.example.App - text             logback's default, without a date
//	12   [main] ERROR org.example.App  - text                    log4j's TTCC, milliseconds since the start
var appStyles = [...]appStyle{
	{"python", isCelery, (*appHead).celery},
	{"python", isStructlog, (*appHead).structlog},
	{"", isBarred, (*appHead).barred},
	{"", isZap, (*appHead).zap},
	{"", isMonolog, (*appHead).monolog},
	{"", isRubyLogger, (*appHead).ruby},
	{"", isPHPLog, (*appHead).php},
	{"", isDotNet, (*appHead).dotNet},
	{"java", isJUL, (*appHead).jul},
	{"java", isTimeThread, (*appHead).timeThread},
}

// styleOf is the style of a line that begins a record, nil if it is of none of these.
func styleOf(l string) *appStyle {
	if len(l) < 12 {
		return nil
	}
	for i := range appStyles {
		if appStyles[i].begins(l) {
			return &appStyles[i]
		}
	}
	return nil
}

// lowerLevel reports whether a word is a level as these libraries write it in lower case or shortened.
func lowerLevel(w string) bool {
	switch w {
	case "trace", "debug", "info", "warn", "warning", "error", "fatal", "critical", "notice", "verbose", "exception", "silly", "alert", "emergency",
		"VRB", "DBG", "INF", "WRN", "ERR", "FTL", "TRC", "CRT", "PNC":
		return true
	}
	return false
}

// fullLevel is the level that Serilog, zerolog and .NET's console shorten.
func fullLevel(w string) string {
	switch w {
	case "VRB":
		return "verbose"
	case "TRC", "trce":
		return "trace"
	case "DBG", "dbug":
		return "debug"
	case "INF":
		return "info"
	case "WRN":
		return "warning"
	case "ERR", "fail":
		return "error"
	case "FTL", "PNC":
		return "fatal"
	case "CRT", "crit":
		return "critical"
	}
	return w
}

func isCelery(l string) bool {
	if l[0] != '[' || !appDate(l[1:]) {
		return false
	}
	head, _, ok := strings.Cut(l[:min(len(l), 120)], "] ")
	_, rest, ok2 := strings.Cut(head, ": ")
	level, _, ok3 := strings.Cut(rest, "/")
	return ok && ok2 && ok3 && appLevel(level)
}

func (h *appHead) celery(l string, clock *timestamp.Clock) bool {
	if _, h.timed = h.readTime(l[1:], clock); !h.timed {
		return false
	}
	head, text, _ := strings.Cut(l, "] ")
	_, rest, _ := strings.Cut(head, ": ")
	h.level, h.thread, _ = strings.Cut(rest, "/")
	h.text = text
	return true
}

// plainANSI is a line without the sequences that colour it.
func plainANSI(l string) string {
	if strings.IndexByte(l, 0x1b) < 0 {
		return l
	}
	out := make([]byte, 0, len(l))
	for i := 0; i < len(l); i++ {
		if l[i] == 0x1b && i+1 < len(l) && l[i+1] == '[' {
			j := i + 2
			for j < len(l) && j < i+16 && (isDigit(l[j]) || l[j] == ';') {
				j++
			}
			if j < len(l) && isLetter(l[j]) {
				i = j
				continue
			}
		}
		out = append(out, l[i])
	}
	return string(out)
}

func isStructlog(l string) bool {
	if l[0] == 0x1b {
		l = plainANSI(l[:min(len(l), 200)])
	}
	if !appDate(l) {
		return false
	}
	_, rest, ok := strings.Cut(l[10:min(len(l), 60)], " [")
	word, _, ok2 := strings.Cut(rest, "]")
	return ok && ok2 && len(word) >= 8 && lowerLevel(strings.TrimRight(word, " "))
}

func (h *appHead) structlog(l string, clock *timestamp.Clock) bool {
	l = plainANSI(l)
	n, ok := h.readTime(l, clock)
	if h.timed = ok; !ok {
		return false
	}
	_, rest, _ := strings.Cut(l[n:], "[")
	level, rest, _ := strings.Cut(rest, "]")
	h.level = strings.TrimRight(level, " ")
	h.text = strings.Trim(rest, " ")
	// The event is padded to thirty bytes; behind it may come the logger, and the pairs.
	text, more := h.text, ""
	for i := 0; i+1 < len(text); i++ {
		if text[i] != ' ' {
			continue
		}
		tail := strings.TrimLeft(text[i:], " ")
		if logger, pairs, ok := strings.Cut(strings.TrimPrefix(tail, "["), "]"); ok && tail[0] == '[' && isLogger(logger) && (strings.TrimSpace(pairs) == "" || isPairs(strings.TrimLeft(pairs, " "))) {
			h.logger, more = logger, strings.TrimLeft(pairs, " ")
			text = strings.TrimRight(text[:i], " ")
			break
		}
		if isPairs(tail) {
			text, more = strings.TrimRight(text[:i], " "), tail
			break
		}
	}
	h.text, h.pairs = text, more
	return true
}

// isPairs reports whether a text is key=value pairs to its end, as repr of Python writes the values.
func isPairs(s string) bool {
	return s != "" && isLetter(s[0]) && strings.IndexByte(s, '=') > 0 && logfmtPairs(s, func(string, string, bool) {})
}

func isBarred(l string) bool {
	if !appDate(l) {
		return false
	}
	_, rest, ok := strings.Cut(l[16:min(len(l), 64)], "|")
	word, _, ok2 := strings.Cut(rest, "|")
	word = strings.TrimSpace(word)
	return ok && ok2 && appLevel(strings.ToUpper(word))
}

func (h *appHead) barred(l string, clock *timestamp.Clock) bool {
	n, ok := h.readTime(l, clock)
	if h.timed = ok; !ok {
		return false
	}
	rest := strings.TrimLeft(l[n:], " ")
	if rest == "" || rest[0] != '|' {
		return false
	}
	spaced := strings.HasPrefix(rest, "| ") // Loguru
	level, rest, _ := strings.Cut(rest[1:], "|")
	h.level = strings.TrimSpace(level)
	if spaced {
		where, text, ok := strings.Cut(strings.TrimLeft(rest, " "), " - ")
		parts := strings.Split(where, ":")
		if ok && len(parts) == 3 && isDigits(parts[2]) {
			h.logger, h.origin, h.text = parts[0], parts[0]+":"+parts[2], text
			return true
		}
	}
	for range 2 {
		part, after, ok := strings.Cut(rest, "|")
		name := strings.TrimSpace(part)
		if !ok || name == "" || len(name) > 80 || strings.IndexByte(name, ' ') >= 0 {
			break
		}
		switch {
		case h.logger == "" && isLogger(name) && strings.IndexByte(name, '.') > 0:
			h.logger = name
		case h.thread == "" && h.logger == "":
			h.thread = name
		default:
			h.text = strings.TrimLeft(rest, " ")
			return true
		}
		rest = after
	}
	h.text = strings.TrimLeft(rest, " ")
	return true
}

func isZap(l string) bool {
	if !appDate(l) {
		return false
	}
	_, rest, ok := strings.Cut(l[16:min(len(l), 48)], "\t")
	word, _, ok2 := strings.Cut(rest, "\t")
	return ok && ok2 && (appLevel(strings.ToUpper(word)) || word == "DPANIC" || word == "PANIC")
}

func (h *appHead) zap(l string, clock *timestamp.Clock) bool {
	n, ok := h.readTime(l, clock)
	if h.timed = ok; !ok || n >= len(l) || l[n] != '\t' {
		return false
	}
	h.level, l, _ = strings.Cut(l[n+1:], "\t")
	for range 2 {
		part, after, ok := strings.Cut(l, "\t")
		if !ok || !isLogger(part) {
			break
		}
		if file, line, ok := strings.Cut(part, ":"); ok && strings.HasSuffix(file, ".go") && isDigits(line) {
			h.origin = part
		} else if h.logger == "" && h.origin == "" {
			h.logger = part
		} else {
			break
		}
		l = after
	}
	h.text, h.json, _ = strings.Cut(l, "\t")
	return true
}

func isMonolog(l string) bool {
	if l[0] != '[' || !appDate(l[1:]) {
		return false
	}
	_, rest, ok := strings.Cut(l[:min(len(l), 160)], "] ")
	word, _, ok2 := strings.Cut(rest, ": ")
	dot := strings.LastIndexByte(word, '.')
	return ok && ok2 && dot > 0 && isLogger(word[:dot]) && (appLevel(word[dot+1:]) || word[dot+1:] == "EMERGENCY" || word[dot+1:] == "ALERT")
}

func (h *appHead) monolog(l string, clock *timestamp.Clock) bool {
	if _, h.timed = h.readTime(l[1:], clock); !h.timed {
		return false
	}
	_, rest, _ := strings.Cut(l, "] ")
	word, text, _ := strings.Cut(rest, ": ")
	dot := strings.LastIndexByte(word, '.')
	h.logger, h.level, h.text = word[:dot], word[dot+1:], strings.TrimRight(text, " ")
	return true
}

func isRubyLogger(l string) bool {
	if len(l) < 30 || !strings.HasPrefix(l[1:], ", [") || strings.IndexByte("DIWEFUA", l[0]) < 0 || !appDate(l[4:]) {
		return false
	}
	return strings.Contains(l[:min(len(l), 90)], " -- ")
}

func (h *appHead) ruby(l string, clock *timestamp.Clock) bool {
	if _, h.timed = h.readTime(l[4:], clock); !h.timed {
		return false
	}
	head, rest, _ := strings.Cut(l, "] ")
	if _, pid, ok := strings.Cut(head, "#"); ok && isDigits(pid) {
		h.pid = pid
	}
	level, rest, _ := strings.Cut(rest, " -- ")
	h.level = strings.TrimSpace(level)
	program, text, ok := strings.Cut(rest, ":")
	if !ok {
		return false
	}
	h.logger, h.text = strings.TrimSpace(program), strings.TrimPrefix(text, " ")
	return true
}

func isPHPLog(l string) bool {
	if len(l) < 24 || l[0] != '[' || l[3] != '-' || l[7] != '-' || l[12] != ' ' || !isDigit(l[1]) || !isLetter(l[4]) || l[15] != ':' {
		return false
	}
	head, _, ok := strings.Cut(l[:min(len(l), 64)], "] ")
	return ok && strings.Count(head, " ") >= 1 && len(head) > 21
}

func (h *appHead) php(l string, clock *timestamp.Clock) bool {
	head, text, _ := strings.Cut(l[1:], "] ")
	stamp, zone := head[:20], strings.TrimSpace(head[20:])
	from := clock
	if zone == "UTC" {
		from = timestamp.NewClock(nil, 0)
	} else if place, err := time.LoadLocation(zone); err == nil && strings.IndexByte(zone, '/') > 0 && zone[0] != '/' {
		from = timestamp.NewClock(place, 0)
	}
	ns, ok := from.Any(stamp)
	if !ok {
		return false
	}
	if from != clock { // its zone is written
		clock.Quality |= timestamp.Exact
	}
	h.ns, h.timed, h.text = ns, true, text
	if word, message, ok := strings.Cut(strings.TrimPrefix(text, "PHP "), ":  "); ok && strings.HasPrefix(text, "PHP ") {
		h.level, h.text = "error", message
		switch word {
		case "Warning", "User warning", "Core warning", "Compile warning":
			h.level = "warning"
		case "Notice", "User notice":
			h.level = "notice"
		case "Deprecated", "User deprecated", "Strict Standards":
			h.level = "info"
		case "Fatal error", "Parse error", "Core error", "Compile error", "Recoverable fatal error", "User error":
		default:
			h.level, h.text = "", text
		}
	}
	return true
}

func isDotNet(l string) bool {
	word, rest, ok := strings.Cut(l[:min(len(l), 200)], ": ")
	switch word {
	case "trce", "dbug", "info", "warn", "fail", "crit":
	default:
		return false
	}
	rest = strings.TrimRight(rest, "\r ")
	i := strings.LastIndexByte(rest, '[')
	return ok && i > 0 && rest[len(rest)-1] == ']' && isDigits(rest[i+1:len(rest)-1]) && isLogger(rest[:i])
}

func (h *appHead) dotNet(l string, clock *timestamp.Clock) bool {
	word, rest, _ := strings.Cut(l, ": ")
	i := strings.LastIndexByte(rest, '[')
	h.level, h.logger, h.code, h.below = word, rest[:i], strings.TrimRight(rest[i+1:], "] "), true
	return true
}

func isJUL(l string) bool {
	if !isLetter(l[0]) || len(l) < 30 {
		return false
	}
	comma := strings.IndexByte(l[:12], ',')
	if comma < 5 || !isDigits(l[comma+2:min(len(l), comma+6)]) || l[comma-3] != ' ' && l[comma-2] != ' ' {
		return false
	}
	_, rest, ok := strings.Cut(l[comma:min(len(l), 160)], "M ")
	class, method, ok2 := strings.Cut(rest, " ")
	return ok && ok2 && isLogger(class) && method != "" && strings.IndexByte(strings.TrimRight(method, "\r "), ' ') < 0
}

func (h *appHead) jul(l string, clock *timestamp.Clock) bool {
	at := strings.Index(l, "M ")
	ns, ok := clock.Any(l[:at+1])
	if h.ns, h.timed = ns, ok; !ok {
		return false
	}
	h.logger, _, _ = strings.Cut(l[at+2:], " ")
	h.below = true
	return true
}

func isTimeThread(l string) bool {
	s := l
	if len(l) > 20 && l[2] == ':' && l[5] == ':' && (l[8] == '.' || l[8] == ',') && isDigits(l[9:12]) && isDigits(l[:2]) {
		s = l[12:]
	} else {
		n := 0
		for n < len(l) && n < 9 && isDigit(l[n]) {
			n++
		}
		if n == 0 || n == len(l) || l[n] != ' ' {
			return false
		}
		s = l[n:]
	}
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, "[") {
		return false
	}
	_, rest, ok := strings.Cut(s, "] ")
	word, _, ok2 := strings.Cut(strings.TrimLeft(rest, " "), " ")
	return ok && ok2 && appLevel(word)
}

func (h *appHead) timeThread(l string, clock *timestamp.Clock) bool {
	_, rest, _ := strings.Cut(l, "[")
	thread, rest, _ := strings.Cut(rest, "] ")
	word, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	h.thread, h.level = thread, word
	rest = strings.TrimLeft(rest, " ")
	if logger, text, ok := strings.Cut(rest, " -"); ok && isLogger(strings.TrimRight(logger, " ")) {
		h.logger, rest = strings.TrimRight(logger, " "), strings.TrimLeft(text, "- ")
	}
	h.text = rest
	return true
}

// belowText takes the message of a record whose first line has none from those below it.
func (h *appHead) belowText(rest string) (trace string) {
	first, trace, _ := strings.Cut(rest, "\n")
	first = strings.TrimSpace(first)
	if h.level == "" { // java.util.logging: "SEVERE: text"
		if word, text, ok := strings.Cut(first, ": "); ok && (appLevel(word) || isLevelWord(word)) {
			h.level, first = word, text
		}
	}
	h.text = first
	return trace
}

// isLevelWord: java.util.logging's levels in the language of the machine.
func isLevelWord(w string) bool {
	switch w {
	case "INFORMATION", "WARNUNG", "SCHWERWIEGEND", "INFOS", "AVERTISSEMENT", "GRAVE", "FEIN":
		return true
	}
	return false
}

// addPairs adds key=value pairs behind a message, and JSON behind one, under their own names.
func (d *appLog) addPairs(h *appHead, b *event.Batch) {
	if h.pairs != "" {
		logfmtPairs(h.pairs, func(key, value string, quoted bool) {
			if !displaced(key) {
				b.Add(b.Bytes([]byte(key)), b.Bytes([]byte(value)))
			} else {
				b.Add(b.Bytes([]byte(d.dataset+"."+key)), b.Bytes([]byte(value)))
			}
			switch a := aliases[plainName(key)]; {
			case a == aliasUser && value != "":
				b.Add("user.name", b.Bytes([]byte(value)))
			case a == aliasSource && isIP(value):
				addSource(b, b.Bytes([]byte(value)), "")
			}
		})
	}
	if strings.HasPrefix(h.json, "{") {
		scan := namedScanners.Get().(*event.Scanner)
		if leaves, err := scan.Scan(h.json, b); err == nil {
			d.named.add(leaves, b)
		}
		namedScanners.Put(scan)
	}
}
