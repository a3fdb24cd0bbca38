package timestamp

// The parsers read a stamp at the very start of s and return its time and how
// many bytes it took. ok is false when s does not start with such a stamp.

// RFC3164 reads "Jan _2 15:04:05" (RFC 3164 §4.1.2), also with the year that
// some daemons write after the month's day or after the time ("Jan _2 2006 15:04:05",
// "Jan _2 15:04:05 2006" is ANSI C's; see CTime) and with a fraction of a second.
func (c *Clock) RFC3164(s string) (ns int64, n int, ok bool) { return c.rfc3164(s, false) }

// RFC3164Named is RFC3164 for devices that write the name of their zone behind the time and
// a colon behind that: "Jan _2 15:04:05.000 EST: ".
func (c *Clock) RFC3164Named(s string) (ns int64, n int, ok bool) { return c.rfc3164(s, true) }

func (c *Clock) rfc3164(s string, named bool) (ns int64, n int, ok bool) {
	if len(s) < 15 {
		return 0, 0, false
	}
	month := monthName(s)
	if month == 0 || s[3] != ' ' {
		return 0, 0, false
	}
	i := 4
	if s[i] == ' ' {
		i++
	}
	d, i, ok := number(s, i, 1, 2)
	if !ok || i >= len(s) || s[i] != ' ' {
		return 0, 0, false
	}
	i++
	year, hasYear := 0, false
	if y, j, yes := number(s, i, 4, 4); yes && j < len(s) && s[j] == ' ' {
		year, hasYear, i = y, true, j+1
	}
	h, m, sec, i, ok := clock(s, i)
	if !ok {
		return 0, 0, false
	}
	nsec, i := fraction(s, i)
	if named {
		if off, j, has := zone(s, i); has && j < len(s) && s[j] == ':' {
			if hasYear {
				ns, ok = c.Zoned(year, month, d, h, m, sec, nsec, off)
			} else {
				ns, ok = c.yearlessZoned(month, d, h, m, sec, nsec, off)
			}
			return ns, j, ok
		}
	}
	if hasYear {
		ns, ok = c.Local(year, month, d, h, m, sec, nsec)
	} else {
		ns, ok = c.Yearless(month, d, h, m, sec, nsec)
	}
	return ns, i, ok
}

// YearlessDate reads only the month and day of an RFC 3164 stamp: enough to
// notice a new year in a pass that decodes nothing.
func YearlessDate(s string) (month, dayOfMonth int, ok bool) {
	if len(s) < 15 || s[3] != ' ' || s[9] != ':' && s[8] != ':' {
		return 0, 0, false
	}
	month = monthName(s)
	i := 4
	if s[i] == ' ' {
		i++
	}
	dayOfMonth, i, ok = number(s, i, 1, 2)
	return month, dayOfMonth, ok && month != 0 && s[i] == ' ' && dayOfMonth >= 1 && dayOfMonth <= 31
}

// ISO reads a year-first date and time as ISO 8601, RFC 3339 and the many
// loggers near them write it: '-' or '/' or '.' between the date's parts, 'T', 't', '_' or
// blanks before the time, '.' or ',' before a fraction, then "Z", "UTC", "GMT", ±hh:mm, ±hhmm, ±hh
// (a blank may come before them) or nothing for the assumed zone.
func (c *Clock) ISO(s string) (ns int64, n int, ok bool) {
	y, i, ok := number(s, 0, 4, 4)
	if !ok || i >= len(s) || s[i] != '-' && s[i] != '/' && s[i] != '.' {
		return 0, 0, false
	}
	sep := s[i]
	mo, i, ok := number(s, i+1, 2, 2)
	if !ok || i >= len(s) || s[i] != sep {
		return 0, 0, false
	}
	d, i, ok := number(s, i+1, 2, 2)
	if !ok || i >= len(s) {
		return 0, 0, false
	}
	switch s[i] {
	case 'T', 't', ' ', '_', '\t':
	default:
		return 0, 0, false
	}
	i++
	for i < len(s) && s[i] == ' ' {
		i++
	}
	h, m, sec, i, ok := clock(s, i)
	if !ok {
		return 0, 0, false
	}
	nsec, i := fraction(s, i)
	if i+2 < len(s) && (s[i+1]|0x20 == 'a' || s[i+1]|0x20 == 'p') {
		if h, i, ok = meridiem(s, i, h); !ok {
			return 0, 0, false
		}
	}
	if off, j, has := zone(s, i); has {
		ns, ok = c.Zoned(y, mo, d, h, m, sec, nsec, off)
		return ns, j, ok
	}
	ns, ok = c.Local(y, mo, d, h, m, sec, nsec)
	return ns, i, ok
}

// CLF reads the time of the Common Log Format, "02/Jan/2006:15:04:05 -0700"
// (Apache mod_log_config %t), without its brackets; the zone may be missing and
// a fraction is taken.
func (c *Clock) CLF(s string) (ns int64, n int, ok bool) {
	d, i, ok := number(s, 0, 1, 2)
	if !ok || i+9 >= len(s) || s[i] != '/' || s[i+4] != '/' {
		return 0, 0, false
	}
	mo := monthName(s[i+1:])
	y, i, ok := number(s, i+5, 4, 4)
	if !ok || mo == 0 || i >= len(s) || s[i] != ':' && s[i] != ' ' {
		return 0, 0, false
	}
	h, m, sec, i, ok := clock(s, i+1)
	if !ok {
		return 0, 0, false
	}
	nsec, i := fraction(s, i)
	if off, j, has := zone(s, i); has {
		ns, ok = c.Zoned(y, mo, d, h, m, sec, nsec, off)
		return ns, j, ok
	}
	ns, ok = c.Local(y, mo, d, h, m, sec, nsec)
	return ns, i, ok
}

// CTime reads "Mon Jan _2 15:04:05 2006" (ANSI C asctime), with the fraction of a
// second that Apache's error log adds and an optional zone name before the year as
// date(1) writes it.
func (c *Clock) CTime(s string) (ns int64, n int, ok bool) {
	if len(s) < 24 || !isWeekday(s) || s[3] != ' ' {
		return 0, 0, false
	}
	mo := monthName(s[4:])
	if mo == 0 || s[7] != ' ' {
		return 0, 0, false
	}
	i := 8
	if s[i] == ' ' {
		i++
	}
	d, i, ok := number(s, i, 1, 2)
	if !ok || i >= len(s) || s[i] != ' ' {
		return 0, 0, false
	}
	h, m, sec, i, ok := clock(s, i+1)
	if !ok {
		return 0, 0, false
	}
	nsec, i := fraction(s, i)
	if i >= len(s) || s[i] != ' ' {
		return 0, 0, false
	}
	off, j, zoned := zone(s, i)
	if zoned {
		i = j
	}
	y, i, ok := number(s, i+1, 4, 4)
	if !ok {
		return 0, 0, false
	}
	if zoned {
		ns, ok = c.Zoned(y, mo, d, h, m, sec, nsec, off)
	} else {
		ns, ok = c.Local(y, mo, d, h, m, sec, nsec)
	}
	return ns, i, ok
}

// Epoch reads all of s as seconds since the Unix epoch with an optional
// fraction, or as milli-, micro- or nanoseconds, told apart by magnitude:
// 9 or 10 digits before the point are seconds (1973–2286), 12 or 13
// milliseconds, 15 or 16 microseconds, 18 or 19 nanoseconds.
func (c *Clock) Epoch(s string) (ns int64, ok bool) {
	v, i, ok := number(s, 0, 9, 19)
	if !ok {
		return 0, false
	}
	digits := i
	nsec := 0
	if i < len(s) && s[i] == '.' {
		nsec, i = fraction(s, i)
	}
	if i != len(s) {
		return 0, false
	}
	switch digits {
	case 9, 10:
		ns = int64(v)*1e9 + int64(nsec)
	case 12, 13:
		ns = int64(v)*1e6 + int64(nsec)/1e3
	case 15, 16:
		ns = int64(v)*1e3 + int64(nsec)/1e6
	case 18, 19:
		ns = int64(v)
	default:
		return 0, false
	}
	c.Quality |= Exact
	return ns, true
}

// Any reads all of s as a time in any of the forms above.
func (c *Clock) Any(s string) (ns int64, ok bool) {
	for _, p := range [...]func(string) (int64, int, bool){c.ISO, c.CLF, c.RFC3164, c.CTime, c.Written} {
		if ns, n, ok := p(s); ok && n == len(s) {
			return ns, true
		}
	}
	return c.Epoch(s)
}

// clock reads h:mm:ss.
func clock(s string, i int) (h, m, sec, next int, ok bool) {
	if h, i, ok = number(s, i, 1, 2); !ok || i >= len(s) || s[i] != ':' {
		return 0, 0, 0, 0, false
	}
	if m, i, ok = number(s, i+1, 2, 2); !ok || i >= len(s) || s[i] != ':' {
		return 0, 0, 0, 0, false
	}
	sec, i, ok = number(s, i+1, 2, 2)
	return h, m, sec, i, ok
}

// fraction reads '.' or ',' and one digit or more as nanoseconds; digits past
// the ninth are dropped. ':' and three digits are a fraction too. Without one it takes nothing.
func fraction(s string, i int) (nsec, next int) {
	if i+1 >= len(s) || s[i] != '.' && s[i] != ',' && s[i] != ':' || s[i+1] < '0' || s[i+1] > '9' {
		return 0, i
	}
	if s[i] == ':' {
		if ms, j, ok := number(s, i+1, 3, 3); ok && (j == len(s) || s[j] != ':' && s[j] != '.') {
			return ms * 1e6, j
		}
		return 0, i
	}
	if s[i] == ',' { // of a list a comma begins the next value
		j := i + 1
		for j < len(s) && '0' <= s[j] && s[j] <= '9' {
			j++
		}
		if n := j - i - 1; n%3 != 0 && (j == len(s) || s[j] != 'Z' && s[j] != '+' && s[j] != '-' && s[j] != ' ' && s[j] != ']') {
			return 0, i
		}
	}
	i++
	scale := 100_000_000
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		nsec += int(s[i]-'0') * scale
		scale /= 10
		i++
	}
	return nsec, i
}

// zone reads an optional blank and a zone that says its own offset.
func zone(s string, i int) (seconds, next int, ok bool) {
	if i < len(s) && s[i] == ' ' {
		i++
	}
	if i >= len(s) {
		return 0, 0, false
	}
	switch c := s[i]; {
	case c == 'Z' || c == 'z':
		return 0, i + 1, i+1 == len(s) || !isAlnum(s[i+1])
	case len(s) >= i+3 && (s[i:i+3] == "UTC" || s[i:i+3] == "GMT"):
		if i+4 < len(s) && (s[i+3] == '+' || s[i+3] == '-') { // "GMT+2", "UTC-05:30": east is plus, unlike in POSIX' TZ
			h, j, ok := number(s, i+4, 1, 2)
			if !ok || h > 15 {
				h, j, ok = number(s[:min(len(s), i+6)], i+4, 2, 2) // "GMT+0200"
			}
			if ok && h <= 15 {
				m := 0
				if j < len(s) && s[j] == ':' {
					j++
				}
				if mm, e, ok := number(s, j, 2, 2); ok && mm < 60 {
					m, j = mm, e
				} else if s[j-1] == ':' {
					j--
				}
				sec := h*3600 + m*60
				if s[i+3] == '-' {
					sec = -sec
				}
				return sec, j, j == len(s) || !isAlnum(s[j])
			}
		}
		return 0, i + 3, i+3 == len(s) || !isAlnum(s[i+3])
	case c == '+' || c == '-':
		if len(s) < i+3 {
			return 0, 0, false
		}
		h, j, ok := number(s[:i+3], i+1, 2, 2)
		if !ok || h > 15 {
			return 0, 0, false
		}
		m := 0
		if k := j; k < len(s) && (s[k] == ':' || '0' <= s[k] && s[k] <= '9') {
			if s[k] == ':' {
				k++
			}
			if mm, e, ok := number(s, k, 2, 2); ok && mm < 60 {
				m, j = mm, e
			} else {
				return 0, 0, false
			}
		}
		sec := h*3600 + m*60
		if c == '-' {
			sec = -sec
		}
		return sec, j, true
	case 'A' <= c && c <= 'Z':
		j := i
		for j < len(s) && j-i < 5 && 'A' <= s[j] && s[j] <= 'Z' {
			j++
		}
		if minutes, ok := zoneMinutes[s[i:j]]; ok && (j == len(s) || !isAlnum(s[j])) {
			return minutes * 60, j, true
		}
	}
	return 0, 0, false
}

// zoneMinutes are the abbreviations of zones that stand for one offset in the whole
// world, or by far mostly (RFC 5322 §4.3 has the American ones): minutes east of UTC.
var zoneMinutes = map[string]int{
	"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
	"WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "SAST": 120, "MSK": 180, "SGT": 480, "HKT": 480, "JST": 540, "KST": 540,
	"AWST": 480, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
}

// number reads between least and most digits, and no digit may follow.
func number(s string, i, least, most int) (v, next int, ok bool) {
	start := i
	for i < len(s) && i-start < most && '0' <= s[i] && s[i] <= '9' {
		v = v*10 + int(s[i]-'0')
		i++
	}
	if i-start < least || v < 0 || i < len(s) && '0' <= s[i] && s[i] <= '9' {
		return 0, i, false
	}
	return v, i, true
}

// monthName is the month whose English abbreviation starts s, 0 for none.
func monthName(s string) int {
	if len(s) < 3 {
		return 0
	}
	switch uint32(s[0]|0x20)<<16 | uint32(s[1]|0x20)<<8 | uint32(s[2]|0x20) {
	case 'j'<<16 | 'a'<<8 | 'n':
		return 1
	case 'f'<<16 | 'e'<<8 | 'b':
		return 2
	case 'm'<<16 | 'a'<<8 | 'r':
		return 3
	case 'a'<<16 | 'p'<<8 | 'r':
		return 4
	case 'm'<<16 | 'a'<<8 | 'y':
		return 5
	case 'j'<<16 | 'u'<<8 | 'n':
		return 6
	case 'j'<<16 | 'u'<<8 | 'l':
		return 7
	case 'a'<<16 | 'u'<<8 | 'g':
		return 8
	case 's'<<16 | 'e'<<8 | 'p':
		return 9
	case 'o'<<16 | 'c'<<8 | 't':
		return 10
	case 'n'<<16 | 'o'<<8 | 'v':
		return 11
	case 'd'<<16 | 'e'<<8 | 'c':
		return 12
	}
	return 0
}

func isWeekday(s string) bool {
	if len(s) < 3 {
		return false
	}
	switch s[:3] {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
