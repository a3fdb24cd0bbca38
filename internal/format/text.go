package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Text of no known format: every line is an event with the time found in it, and
// with the level, addresses, users, hashes and URLs that can be told from its words.
// It is also the decoder of last resort for a record that its own format's decoder
// refused.
var _ = register(Format{
	Name:  "text",
	Title: "Any other text, one event a line",
	Group: "general",
	Recognise: func(s *Sample) int {
		if len(s.Lines) > 0 && s.Text() {
			return 1
		}
		return 0
	},
	Lines: func(p *Params) LineDecoder {
		decode := newTextDecoder(p)
		return func(line string, b *event.Batch) error {
			decode(line, b)
			return nil
		}
	},
	Joins: func(line []byte) bool { return len(line) > 0 && line[0] == '\t' },
	Date:  textDate,
})

func textDate(line []byte) (month, day int, ok bool) {
	s := event.View(line)
	s = s[:min(len(s), maxTimeSearch)]
	for i := range len(s) {
		if i > 0 && (isLetter(s[i-1]) || isDigit(s[i-1])) {
			continue
		}
		if isLetter(s[i]) {
			if month, day, ok = timestamp.YearlessDate(s[i:]); ok {
				return month, day, true
			}
		}
		if i == 0 || s[i-1] == '[' {
			if t, ok := numericYearless(s[i:]); ok {
				return t.month, t.day, true
			}
		}
	}
	return 0, 0, false
}

// newTextDecoder returns the decoder of last resort.
func newTextDecoder(p *Params) func(line string, b *event.Batch) {
	finder := timeFinder{clock: p.Clock}
	var facts textFacts
	return func(line string, b *event.Batch) {
		b.Add("event.kind", "event")
		b.Add("event.dataset", "text")
		b.Add("message", line)
		first, more, _ := strings.Cut(line, "\n")
		rest := first
		if ns, end, ok := finder.find(first); ok {
			b.Event().Time = ns
			if end <= len(first) {
				rest = first[end:]
				if finder.at > 0 && finder.at < maxTimeSearch {
					facts.level(first[:min(finder.at, len(first))], b)
				}
			}
		} else if ns, ok := keyedTime(p.Clock, first); ok {
			b.Event().Time = ns
		} else {
			p.Clock.NoTime()
		}
		facts.level(rest, b)
		facts.add(line, true, b)
		if kind, ok := exceptionType(more); ok {
			b.Add("error.type", kind)
			b.Add("error.stack_trace", more)
		}
	}
}

const (
	maxTimeSearch = 256     // bytes of a line in which a time is looked for
	maxFactSearch = 8 << 10 // bytes in which the rest is
	maxFacts      = 16      // of each kind
)

// keyedTime finds a time farther behind in a line, where a name says that it is one: "date_time=Jan 29 2016
// 06:09:59", `"timestamp": "1676769042"`.
func keyedTime(c *timestamp.Clock, s string) (ns int64, ok bool) {
	s = s[:min(len(s), maxFactSearch)]
	finder := timeFinder{clock: c}
	for from := 0; from < len(s); {
		i := strings.IndexByte(s[from:], '=')
		if j := strings.IndexByte(s[from:], ':'); j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i < 0 {
			return 0, false
		}
		i += from
		from = i + 1
		end := i
		for end > 0 && (s[end-1] == '"' || s[end-1] == '\'' || s[end-1] == '\\' || s[end-1] == ' ') {
			end--
		}
		name := s[max(0, end-9):end]
		if !hasSuffixFold(name, "time") && !hasSuffixFold(name, "timestamp") && !hasSuffixFold(name, "date") {
			continue
		}
		for from < len(s) && (s[from] == ' ' || s[from] == '"' || s[from] == '\'' || s[from] == '\\' || s[from] == '[') {
			from++
		}
		if from == len(s) || !isDigit(s[from]) && !isLetter(s[from]) {
			continue
		}
		if ns, _, ok := finder.find(s[from:min(len(s), from+48)]); ok && finder.at == 0 {
			return ns, true
		}
	}
	return 0, false
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// timeFinder finds the time of a line. Lines of one log write it in one place, so
// the place and shape of the last one is tried first.
type timeFinder struct {
	clock *timestamp.Clock
	at    int // where the last time began
	shape int // and how it was written: an index of shapes
	known bool
}

type timeShape func(c *timestamp.Clock, s string) (ns int64, n int, ok bool)

var timeShapes = [...]timeShape{
	func(c *timestamp.Clock, s string) (int64, int, bool) { return c.ISO(s) },
	func(c *timestamp.Clock, s string) (int64, int, bool) { return c.CLF(s) },
	func(c *timestamp.Clock, s string) (int64, int, bool) { return c.CTime(s) },
	func(c *timestamp.Clock, s string) (int64, int, bool) { return c.RFC3164(s) },
	dayMonthYear,
	compactTime,
	epochTime,
	separatedTime,
	shortTime,
	func(c *timestamp.Clock, s string) (int64, int, bool) { return c.Written(s) },
}

// Which of timeShapes begin with a letter, and which are believed at the very
// beginning of a line only.
const (
	ctimeShape, rfc3164Shape, separatedShape, shortShape, writtenShape = 2, 3, 7, 8, 9
)

func (f *timeFinder) tries(k int, c byte, atStart bool) bool {
	switch k {
	case ctimeShape, rfc3164Shape:
		return isLetter(c)
	case separatedShape:
		return isDigit(c) || c == 'd'
	case writtenShape:
		return true
	case shortShape:
		return atStart && (isDigit(c) || c == 'I' || c == 'W' || c == 'E' || c == 'F')
	}
	return isDigit(c)
}

// find returns the time in s and where it ends.
func (f *timeFinder) find(s string) (ns int64, end int, ok bool) {
	if f.known && f.at < len(s) {
		if ns, n, ok := timeShapes[f.shape](f.clock, s[f.at:]); ok && (f.at == 0 || !isLetter(s[f.at-1]) && !isDigit(s[f.at-1])) {
			return ns, f.at + n, true
		}
	}
	head := s[:min(len(s), maxTimeSearch)]
	for i := 0; i < len(head); i++ {
		c := head[i]
		if c == 0x1b { // colours of a terminal
			if i = escapeEnd(head, i); i >= len(head) {
				break
			}
			if c = head[i]; !isDigit(c) && !isLetter(c) {
				i--
				continue
			}
		} else if i > 0 && (isLetter(head[i-1]) || isDigit(head[i-1])) || !isDigit(c) && !isLetter(c) && !(c == '@' && i == 0) {
			continue
		}
		for k, shape := range timeShapes {
			if !f.tries(k, c, i == 0 || head[i-1] == '[') {
				continue
			}
			if ns, n, ok := shape(f.clock, s[i:]); ok {
				f.at, f.shape, f.known = i, k, true
				return ns, i + n, true
			}
		}
	}
	if i := strings.IndexByte(head, 0x1b); i >= 0 { // colours within the time
		return f.findColoured(head, i)
	}
	return 0, 0, false
}

// findColoured is find in the text without its control sequences, the first of which is at s[i].
func (f *timeFinder) findColoured(s string, i int) (ns int64, end int, ok bool) {
	var text [maxTimeSearch]byte
	var from [maxTimeSearch + 1]int // where in s a byte of text stands
	n := 0
	for j := range i {
		text[n], from[n] = s[j], j
		n++
	}
	for i < len(s) {
		if s[i] == 0x1b {
			i = escapeEnd(s, i)
			continue
		}
		text[n], from[n] = s[i], i
		n++
		i++
	}
	from[n] = len(s)
	plain := timeFinder{clock: f.clock}
	ns, end, ok = plain.find(string(text[:n]))
	f.at = from[plain.at]
	return ns, from[min(end, n)], ok
}

// escapeEnd is behind the control sequence (ECMA-48 §5.4) that begins at s[i].
func escapeEnd(s string, i int) int {
	if i++; i < len(s) && s[i] == '[' {
		for i++; i < len(s) && (s[i] < 0x40 || s[i] > 0x7e); i++ {
		}
		i++
	}
	return i
}

// dayMonthYear reads "02-Jan-2006 15:04:05.000", "02 Jan 2006 15:04:05 +0000" (RFC 5322
// without its weekday) and "02.01.2006 15:04:05".
func dayMonthYear(c *timestamp.Clock, s string) (ns int64, n int, ok bool) {
	d := 0
	for d < len(s) && d < 3 && isDigit(s[d]) {
		d++
	}
	if d == 0 || d > 2 || d >= len(s) {
		return 0, 0, false
	}
	var buf [64]byte
	sep := s[d]
	switch {
	case (sep == '-' || sep == ' ') && len(s) > d+9 && isLetter(s[d+1]) && s[d+4] == sep && isDigit(s[d+5]) && isDigit(s[d+8]) && (s[d+9] == ' ' || s[d+9] == ':'):
		// as the Common Log Format writes it
		m := copy(buf[:], s)
		buf[d], buf[d+4], buf[d+9] = '/', '/', ':'
		return c.CLF(event.View(buf[:m]))
	case sep == '.' && d == 2 && len(s) > 18 && s[5] == '.' && s[10] == ' ' && isDigit(s[6]) && isDigit(s[9]):
		// as ISO 8601 writes it
		copy(buf[:], s[6:10])
		buf[4] = '-'
		copy(buf[5:], s[3:5])
		buf[7] = '-'
		copy(buf[8:], s[:2])
		m := 10 + copy(buf[10:], s[10:])
		return c.ISO(event.View(buf[:m]))
	}
	return 0, 0, false
}

// compactTime reads "20060102T150405Z" (ISO 8601 basic) and "20060102 15:04:05".
func compactTime(c *timestamp.Clock, s string) (ns int64, n int, ok bool) {
	if len(s) < 15 || !isDigits(s[:8]) || s[8] != 'T' && s[8] != ' ' && s[8] != '-' && (s[8] != '.' || !isDigits(s[9:15])) {
		return 0, 0, false
	}
	var buf [64]byte
	copy(buf[:], s[:4])
	buf[4] = '-'
	copy(buf[5:], s[4:6])
	buf[7] = '-'
	copy(buf[8:], s[6:8])
	buf[10] = ' '
	if isDigits(s[9:15]) {
		copy(buf[11:], s[9:11])
		buf[13] = ':'
		copy(buf[14:], s[11:13])
		buf[16] = ':'
		m := 17 + copy(buf[17:], s[13:])
		ns, n, ok = c.ISO(event.View(buf[:m]))
		return ns, n - 4, ok
	}
	m := 11 + copy(buf[11:], s[9:])
	ns, n, ok = c.ISO(event.View(buf[:m]))
	return ns, n - 2, ok
}

// epochTime reads seconds with or without a fraction, or milliseconds, of the years
// 2001 to 2128: other numbers of that length are more often no times.
func epochTime(c *timestamp.Clock, s string) (ns int64, n int, ok bool) {
	for n < len(s) && n < 14 && isDigit(s[n]) {
		n++
	}
	if n != 10 && n != 13 || s[0] < '1' || s[0] > '4' {
		return 0, 0, false
	}
	if n == 10 && n < len(s) && s[n] == '.' {
		for n++; n < len(s) && n < 21 && isDigit(s[n]); n++ {
		}
	}
	if n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '.' || s[n] == '-') {
		return 0, 0, false
	}
	ns, ok = c.Epoch(s[:n])
	return ns, n, ok
}

// separatedTime reads a date and a time with words between: "2006/01/02 - 15:04:05" (Gin)
// and "date=2006-01-02 time=15:04:05", also with a comma (Fortinet, Sophos).
func separatedTime(c *timestamp.Clock, s string) (ns int64, n int, ok bool) {
	date, key := s, ""
	if rest, found := strings.CutPrefix(s, "date="); found {
		date, key = rest, "time="
	}
	if len(date) < 18 || !isDigits(date[:4]) || !isDigit(date[9]) {
		return 0, 0, false
	}
	gap := ""
	switch {
	case key != "" && (date[10] == ' ' || date[10] == ',') && strings.HasPrefix(date[11:], key):
		gap = date[10 : 11+len(key)]
	case key == "" && strings.HasPrefix(date[10:], " - "):
		gap = " - "
	default:
		return 0, 0, false
	}
	var buf [48]byte
	copy(buf[:], date[:10])
	buf[10] = ' '
	m := 11 + copy(buf[11:], date[10+len(gap):])
	ns, n, ok = c.ISO(event.View(buf[:m]))
	return ns, n - 1 + len(gap) + len(s) - len(date), ok
}

// shortTime reads the two-digit years of "060102 15:04:05" (MySQL) and "060102 150405"
// (Hadoop), and what numericYearless knows.
func shortTime(c *timestamp.Clock, s string) (ns int64, n int, ok bool) {
	if t, ok := numericYearless(s); ok {
		ns, ok = c.Yearless(t.month, t.day, t.hour, t.minute, t.second, t.nanosecond)
		return ns, t.length, ok
	}
	if len(s) > 17 && isLetter(s[0]) && s[9] == ' ' && isDigits(s[1:9]) { // glog with a year: "I20060102 15:04:05.000000"
		ns, n, ok = compactTime(c, s[1:])
		return ns, n + 1, ok
	}
	if len(s) < 14 || !isDigits(s[:6]) || s[6] != ' ' {
		return 0, 0, false
	}
	i := 7
	if s[i] == ' ' { // "060102  5:04:05"
		i++
	}
	at, n, ok := clockTime(s[i:])
	if !ok && len(s) >= 13 && isDigits(s[7:13]) && (len(s) == 13 || !isDigit(s[13])) {
		at.hour, at.minute, at.second = two(s[7:]), two(s[9:]), two(s[11:])
		i, n, ok = 7, 6, true
	}
	if !ok {
		return 0, 0, false
	}
	ns, ok = c.Local(2000+two(s), two(s[2:]), two(s[4:]), at.hour, at.minute, at.second, at.nanosecond)
	return ns, i + n, ok
}

// shortStamp is a time without a year, read but not yet placed.
type shortStamp struct {
	month, day, hour, minute, second, nanosecond int
	length                                       int // of its text
}

// numericYearless reads "I0102 15:04:05.000000" (glog, Kubernetes), "01-02 15:04:05.000"
// (Android) and "01/02-15:04:05.000000" (Snort).
func numericYearless(s string) (t shortStamp, ok bool) {
	i := 0
	switch {
	case len(s) > 14 && (s[0] == 'I' || s[0] == 'W' || s[0] == 'E' || s[0] == 'F') && isDigits(s[1:5]) && s[5] == ' ':
		t.month, t.day, i = two(s[1:]), two(s[3:]), 6
	case len(s) > 13 && isDigits(s[:2]) && isDigits(s[3:5]) && (s[2] == '-' && s[5] == ' ' || s[2] == '/' && s[5] == '-'):
		t.month, t.day, i = two(s), two(s[3:]), 6
	default:
		return t, false
	}
	at, n, ok := clockTime(s[i:])
	if !ok || t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31 {
		return t, false
	}
	at.month, at.day, at.length = t.month, t.day, i+n
	return at, true
}

// clockTime reads "15:04:05" and a fraction of a second.
func clockTime(s string) (t shortStamp, n int, ok bool) {
	if len(s) > 6 && isDigit(s[0]) && s[1] == ':' { // "5:04:05"
		var buf [32]byte
		buf[0] = '0'
		m := 1 + copy(buf[1:], s)
		t, n, ok = clockTime(event.View(buf[:m]))
		return t, n - 1, ok
	}
	if len(s) < 8 || !isDigits(s[:2]) || s[2] != ':' || !isDigits(s[3:5]) || s[5] != ':' || !isDigits(s[6:8]) {
		return t, 0, false
	}
	t.hour, t.minute, t.second = two(s), two(s[3:]), two(s[6:])
	n = 8
	if len(s) > 9 && (s[8] == '.' || s[8] == ',') && isDigit(s[9]) {
		scale := 100_000_000
		for n = 9; n < len(s) && isDigit(s[n]); n++ {
			t.nanosecond += int(s[n]-'0') * scale
			scale /= 10
		}
	}
	return t, n, n == len(s) || !isDigit(s[n])
}

// two is the value of two digits.
func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }
