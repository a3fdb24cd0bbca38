package format

import (
	"fmt"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/timestamp"
)

// timeLayout is one way in which a user-written format says that times are written: a name,
// a layout of Go ("2006-01-02 15:04:05"), or one of Java and Logstash ("yyyy-MM-dd HH:mm:ss").
type timeLayout struct {
	name       string // of those below; "" for a layout
	layout     string
	year, zone bool
}

// layoutNames are the layouts that have a name.
var layoutNames = map[string]func(c *timestamp.Clock, s string) (int64, int, bool){
	"ISO8601": func(c *timestamp.Clock, s string) (int64, int, bool) { return c.ISO(s) },
	"SYSLOG":  func(c *timestamp.Clock, s string) (int64, int, bool) { return c.RFC3164(s) },
	"HTTP":    func(c *timestamp.Clock, s string) (int64, int, bool) { return c.CLF(s) },
	"CTIME":   func(c *timestamp.Clock, s string) (int64, int, bool) { return c.CTime(s) },
	"UNIX": func(c *timestamp.Clock, s string) (int64, int, bool) {
		ns, ok := c.Epoch(s)
		return ns, len(s), ok
	},
}

func parseTimeLayout(s string) (timeLayout, error) {
	name := strings.ToUpper(s)
	if name == "UNIX_MS" || name == "UNIX_US" || name == "UNIX_NS" {
		name = "UNIX" // told apart by magnitude
	}
	if _, ok := layoutNames[name]; ok {
		return timeLayout{name: name}, nil
	}
	l := timeLayout{layout: s}
	if !strings.Contains(s, "04") && !strings.Contains(s, "2006") {
		layout, err := javaLayout(s)
		if err != nil {
			return l, err
		}
		l.layout = layout
	}
	l.year = strings.Contains(l.layout, "2006") || strings.Contains(strings.NewReplacer(".000000", "", "0600", "").Replace(l.layout), "06")
	l.zone = strings.Contains(l.layout, "Z07") || strings.Contains(l.layout, "-07") || strings.Contains(l.layout, "MST")
	if !strings.Contains(l.layout, "4") || !strings.Contains(l.layout, "2") {
		return l, fmt.Errorf("layout %q has no day or no minute; want ISO8601, SYSLOG, HTTP, CTIME, UNIX, or one such as \"2006-01-02 15:04:05\" or \"yyyy-MM-dd HH:mm:ss\"", s)
	}
	return l, nil
}

// javaLayout turns a pattern of Java's DateTimeFormatter, as Logstash takes them, into a
// layout of Go.
func javaLayout(s string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		n := 1
		for i+n < len(s) && s[i+n] == c {
			n++
		}
		i += n
		word := ""
		switch {
		case c == '\'':
			if n > 1 { // a quote
				out.WriteByte('\'')
				continue
			}
			end := strings.IndexByte(s[i:], '\'')
			if end < 0 {
				return "", fmt.Errorf("layout %q: a quote is not closed", s)
			}
			out.WriteString(s[i : i+end])
			i += end + 1
			continue
		case c == 'y' || c == 'Y' || c == 'u':
			word = pickLayout(n, "2006", "06", "2006", "2006")
		case c == 'M' || c == 'L':
			word = pickLayout(n, "1", "01", "Jan", "January")
		case c == 'd':
			word = pickLayout(n, "2", "02", "02", "02")
		case c == 'E':
			word = pickLayout(n, "Mon", "Mon", "Mon", "Monday")
		case c == 'H':
			word = "15"
		case c == 'h' || c == 'K':
			word = pickLayout(n, "3", "03", "03", "03")
		case c == 'm':
			word = pickLayout(n, "4", "04", "04", "04")
		case c == 's':
			word = pickLayout(n, "5", "05", "05", "05")
		case c == 'S':
			word = strings.Repeat("0", min(n, 9))
			if out.Len() == 0 || !strings.HasSuffix(out.String(), ".") && !strings.HasSuffix(out.String(), ",") {
				return "", fmt.Errorf("layout %q: want a point or comma before the S", s)
			}
		case c == 'a':
			word = "PM"
		case c == 'z':
			word = "MST"
		case c == 'Z' || c == 'x' || c == 'X':
			word = pickLayout(n, "-0700", "-07:00", "-07:00", "-07:00")
			if c == 'X' {
				word = pickLayout(n, "Z07", "Z0700", "Z07:00", "Z07:00")
			}
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			return "", fmt.Errorf("layout %q: the letter %q is not known", s, c)
		default:
			word = strings.Repeat(string(c), n)
		}
		out.WriteString(word)
	}
	return out.String(), nil
}

func pickLayout(n int, words ...string) string { return words[min(n, len(words))-1] }

// read reads all of s.
func (l *timeLayout) read(c *timestamp.Clock, s string) (int64, bool) {
	if l.name != "" {
		ns, n, ok := layoutNames[l.name](c, s)
		return ns, ok && n == len(s)
	}
	t, err := time.Parse(l.layout, s)
	if err != nil {
		return 0, false
	}
	y, mo, d := t.Date()
	h, m, sec := t.Clock()
	switch {
	case l.zone && l.year:
		_, offset := t.Zone()
		return c.Zoned(y, int(mo), d, h, m, sec, t.Nanosecond(), offset)
	case l.year:
		return c.Local(y, int(mo), d, h, m, sec, t.Nanosecond())
	}
	return c.Yearless(int(mo), d, h, m, sec, t.Nanosecond())
}
