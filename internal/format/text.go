package format

import (
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
	Date: func(line []byte) (month, day int, ok bool) {
		s := event.View(line)
		s = s[:min(len(s), maxTimeSearch)]
		for i := range len(s) {
			if isLetter(s[i]) && (i == 0 || !isLetter(s[i-1]) && !isDigit(s[i-1])) {
				if month, day, ok = timestamp.YearlessDate(s[i:]); ok {
					return month, day, true
				}
			}
		}
		return 0, 0, false
	},
})

// newTextDecoder returns the decoder of last resort.
func newTextDecoder(p *Params) func(line string, b *event.Batch) {
	finder := timeFinder{clock: p.Clock}
	var facts textFacts
	return func(line string, b *event.Batch) {
		b.Add("event.kind", "event")
		b.Add("event.dataset", "text")
		b.Add("message", line)
		rest := line
		if ns, end, ok := finder.find(line); ok {
			b.Event().Time = ns
			if end <= len(line) {
				rest = line[end:]
				if finder.at > 0 && finder.at < maxTimeSearch {
					facts.level(line[:finder.at], b)
				}
			}
		} else {
			p.Clock.NoTime()
		}
		facts.level(rest, b)
		facts.add(line, true, b)
	}
}

const (
	maxTimeSearch = 256     // bytes of a line in which a time is looked for
	maxFactSearch = 8 << 10 // bytes in which the rest is
	maxFacts      = 16      // of each kind
)

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
		if i > 0 && (isLetter(head[i-1]) || isDigit(head[i-1])) || !isDigit(c) && !isLetter(c) {
			continue
		}
		for k, shape := range timeShapes {
			if isDigit(c) == (k == 2 || k == 3) {
				continue // digits begin none of these two, letters none of the others
			}
			if ns, n, ok := shape(f.clock, s[i:]); ok {
				f.at, f.shape, f.known = i, k, true
				return ns, i + n, true
			}
		}
	}
	return 0, 0, false
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
	if len(s) < 15 || !isDigits(s[:8]) || s[8] != 'T' && s[8] != ' ' && s[8] != '-' {
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
