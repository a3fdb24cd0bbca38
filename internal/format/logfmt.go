package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Lines of key=value pairs: logfmt as Go's and Heroku's loggers write it, and the like of many
// appliances. Values may stand in quotes. As with JSON, the pairs keep their names and get the
// ECS fields that their names and values make certain.
// https://brandur.org/logfmt
var _ = register(Format{
	Name:  "logfmt",
	Title: "Lines of key=value pairs (logfmt)",
	Group: "general",
	Recognise: func(s *Sample) int {
		share := s.Share(func(l string) bool {
			n := 0
			_, l, _ = stampedPairs(l, &timestamp.Clock{})
			return logfmtPairs(l, func(_, _ string, _ bool) { n++ }) && n >= 3
		})
		if share < 80 {
			return 0
		}
		return share * 6 / 10
	},
	Lines: func(p *Params) LineDecoder {
		d := &logfmt{named: namedRecord{p: p, prefix: "logfmt."}, names: map[string]*event.Name{}}
		return d.decode
	},
})

type logfmt struct {
	named  namedRecord
	names  map[string]*event.Name
	leaves []event.Leaf
}

func (d *logfmt) decode(line string, b *event.Batch) error {
	d.leaves = d.leaves[:0]
	ns, pairs, stamped := stampedPairs(line, d.named.p.Clock)
	ok := d.read(pairs, b)
	if !ok || len(d.leaves) == 0 {
		return errorString("not a line of key=value pairs")
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "logfmt")
	if !d.named.add(d.leaves, b) && stamped {
		b.Event().Time = ns
	}
	return nil
}

// read adds the pairs of a text to the leaves.
func (d *logfmt) read(pairs string, b *event.Batch) bool {
	return logfmtPairs(pairs, func(key, value string, quoted bool) {
		kind := event.String
		if quoted && strings.IndexByte(value, '\\') >= 0 {
			value = unescapeQuoted(value, b)
		} else if !quoted && isJSONNumber(value) {
			kind = event.Number
		}
		d.leaf(key, value, kind)
	})
}

func (d *logfmt) leaf(key, value string, kind event.Kind) {
	name := d.names[key]
	if name == nil {
		key = strings.Clone(key)
		name = &event.Name{Path: key, Tag: nameTag(key)}
		if len(d.names) < 1<<12 {
			d.names[key] = name
		}
	}
	d.leaves = append(d.leaves, event.Leaf{Name: name, Value: value, Kind: kind})
}

// maxPairs are the pairs of a line that are read.
const maxPairs = 1000

// logfmtPairs calls fn with each pair of a line, and reports whether the line is
// nothing else. A key that stands alone is true, but the first must have a value.
func logfmtPairs(l string, fn func(key, value string, quoted bool)) bool {
	n := 0
	for i := 0; i < len(l); n++ {
		for i < len(l) && (l[i] == ' ' || l[i] == '\t') {
			i++
		}
		if i == len(l) {
			break
		}
		start := i
		for i < len(l) && isKeyByte(l[i]) {
			i++
		}
		key := l[start:i]
		if key == "" || len(key) > 100 || n >= maxPairs {
			return false
		}
		if i == len(l) || l[i] != '=' {
			if n == 0 || i < len(l) && l[i] != ' ' {
				return false
			}
			fn(key, "true", false)
			continue
		}
		i++
		if i < len(l) && (l[i] == '"' || l[i] == '\'' && endsQuoted(l[i:])) {
			quote := l[i]
			start = i + 1
			for i = start; i < len(l) && l[i] != quote; i++ {
				if l[i] == '\\' {
					i++
				}
			}
			if i >= len(l) {
				return false
			}
			fn(key, l[start:i], true)
			if i++; i < len(l) && (l[i] == ',' || l[i] == ';') {
				i++
			}
			continue
		}
		start = i
		for i < len(l) && l[i] != ' ' && l[i] != '\t' {
			i++
		}
		v := l[start:i]
		if i < len(l) && len(v) > 0 && (v[len(v)-1] == ',' || v[len(v)-1] == ';') { // "user=alice, src=192.0.2.1"
			v = v[:len(v)-1]
		}
		fn(key, v, false)
	}
	return n > 0
}

// endsQuoted reports whether the text in single quotes at the start of s, as Python's repr
// writes it, ends before a blank or at the end.
func endsQuoted(s string) bool {
	for i := 1; i < len(s) && i < 4<<10; i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\t' || s[i+1] == ','
		}
	}
	return false
}

// stampedPairs cuts the time in front of pairs: "2026-03-04 10:11:12 user=alice src=192.0.2.1".
func stampedPairs(l string, c *timestamp.Clock) (ns int64, rest string, ok bool) {
	if len(l) < 24 || !isDigit(l[0]) {
		return 0, l, false
	}
	ns, n, ok := c.ISO(l)
	if !ok || n >= len(l) || l[n] != ' ' && l[n] != ',' {
		return 0, l, false
	}
	return ns, strings.TrimLeft(l[n:], " ,"), true
}

func isKeyByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '_' || c == '.' || c == '-' || c == '@' || c == '/'
}

// isJSONNumber reports whether a value may stand bare in JSON as a number.
func isJSONNumber(s string) bool {
	if s == "" || len(s) > 18 || s[0] == '0' && len(s) > 1 && s[1] != '.' {
		return false
	}
	whole, fraction, dot := strings.Cut(s, ".")
	return isDigits(whole) && (!dot || isDigits(fraction))
}

// unescapeQuoted takes the backslashes out of a quoted value.
func unescapeQuoted(s string, b *event.Batch) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			}
		}
		out = append(out, c)
	}
	return b.Bytes(out)
}
