package timestamp

import (
	"encoding/hex"
	"strings"
)

// Written reads the stamps that are rarer than those of the other methods: of other
// countries, of Windows and databases, and numbers of other epochs.
//
//	3/24/2026 10:11:12 AM     24/03/2026 10:11:12     24.3.2026, 10:11:12     24-03-26 10:11:12
//	4. März 2026 10:11:12     4 de marzo de 2026 10:11:12     04-MAR-26 10.11.12.345 AM
//	March 4, 2026 10:11:12    Mär  4 10:11:12    2026 Mar  4 10:11:12    2026年3月4日 10:11:12
//	2026-03-04T10:11Z    2026/3/4 10:11:12    2026:03:04-10:11:12    2026-03-04-10.11.12.345    20260304101112.345Z
//	10:11:12.345 04.03.2026    10:11:12 UTC Wed Mar 4 2026    Mar-04-2026 10:11:12    2026-063 10:11:12
//	@4000000069a8054a14970000 (TAI64N)    134170926723450000 (FILETIME)    1772619072345678 (µs, ns)
//
// Of two numbers that could both be the month, the first is it where a slash is between
// and the second elsewhere: who writes the day first mostly writes dots or dashes. Behind
// dots the month is always second, and the rest is refused.
func (c *Clock) Written(s string) (ns int64, n int, ok bool) {
	if len(s) < 12 {
		return 0, 0, false
	}
	switch b := s[0]; {
	case b == '@':
		return c.tai64n(s)
	case b < '0' || b > '9':
		return c.monthFirst(s)
	}
	digits := 1
	for digits < len(s) && digits < 20 && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	switch digits {
	case 14:
		return c.compact(s)
	case 16, 19:
		if s[0] == '1' && (digits == 16 || s[1] < '9') && endsNumber(s, digits) {
			ns, ok = c.Epoch(s[:digits])
			return ns, digits, ok
		}
		return 0, 0, false
	case 18:
		return c.filetime(s)
	case 4:
		return c.yearFirst(s)
	case 1, 2:
		if s[digits] == ':' {
			return c.timeFirst(s)
		}
		return c.dayFirst(s, digits)
	}
	return 0, 0, false
}

// civilParts are those of a stamp that is being read.
type civilParts struct{ year, month, day int }

// tai64n reads the external format of TAI64N (https://cr.yp.to/libtai/tai64.html): seconds from 2^62 on, which
// daemontools and its kin write as ten ahead of UTC's, and nanoseconds.
func (c *Clock) tai64n(s string) (ns int64, n int, ok bool) {
	if len(s) < 25 || s[1] != '4' {
		return 0, 0, false
	}
	p, err := hex.DecodeString(s[1:25])
	if err != nil {
		return 0, 0, false
	}
	var sec, nano int64
	for _, b := range p[:8] {
		sec = sec<<8 | int64(b)
	}
	for _, b := range p[8:] {
		nano = nano<<8 | int64(b)
	}
	sec -= 1<<62 + 10
	if sec < 0 || sec > 9_000_000_000 || nano >= 1e9 {
		return 0, 0, false
	}
	c.Quality |= Exact
	return sec*1e9 + nano, 25, true
}

// filetime reads 100 ns since 1601 of the years 2012 to 2043: other numbers of that length
// are more often no times.
func (c *Clock) filetime(s string) (ns int64, n int, ok bool) {
	v, _, ok := number(s, 0, 18, 18)
	if !ok || s[:2] != "13" || !endsNumber(s, 18) {
		return 0, 0, false
	}
	c.Quality |= Exact
	return (int64(v) - 116444736000000000) * 100, 18, true
}

func endsNumber(s string, n int) bool {
	return n == len(s) || !isAlnum(s[n]) && s[n] != '.' && s[n] != '-'
}

// compact reads yyyymmddhhmmss, also as LDAP's generalised time (RFC 4517 §3.3.13).
func (c *Clock) compact(s string) (ns int64, n int, ok bool) {
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year := two(0)*100 + two(2)
	if year < 1970 || year > 2100 {
		return 0, 0, false
	}
	nsec, i := fraction(s, 14)
	return c.finish(s, i, civilParts{year, two(4), two(6)}, two(8), two(10), two(12), nsec)
}

// finish reads AM or PM and a zone behind a time.
func (c *Clock) finish(s string, i int, d civilParts, h, m, sec, nsec int) (ns int64, n int, ok bool) {
	if h, i, ok = meridiem(s, i, h); !ok {
		return 0, 0, false
	}
	if off, j, has := zone(s, i); has {
		ns, ok = c.Zoned(d.year, d.month, d.day, h, m, sec, nsec, off)
		return ns, j, ok
	}
	ns, ok = c.Local(d.year, d.month, d.day, h, m, sec, nsec)
	return ns, i, ok
}

// meridiem reads "AM" or "PM" in its forms, and corrects the hour; without one it takes nothing.
func meridiem(s string, i, h int) (hour, next int, ok bool) {
	j := i
	if j < len(s) && s[j] == ' ' {
		j++
	} else if strings.HasPrefix(s[j:], "\u202f") { // as newer Unicode data has it
		j += len("\u202f")
	}
	if j+2 > len(s) {
		return h, i, true
	}
	half, end := s[j]|0x20, j+2
	if half != 'a' && half != 'p' {
		return h, i, true
	}
	if s[j+1] == '.' && j+4 <= len(s) && s[j+2]|0x20 == 'm' && s[j+3] == '.' {
		end = j + 4
	} else if s[j+1]|0x20 != 'm' || end < len(s) && isAlnum(s[end]) {
		return h, i, true
	}
	if h < 1 || h > 12 {
		return 0, i, false
	}
	h %= 12
	if half == 'p' {
		h += 12
	}
	return h, end, true
}

// timeOfDay reads what is between a date and the end of a stamp.
func (c *Clock) timeOfDay(s string, i int, d civilParts) (ns int64, n int, ok bool) {
	for i < len(s) && i < 40 && (s[i] == ',' || s[i] == ' ' || s[i] == '\t' || s[i] == 'T' || s[i] == ':') {
		i++
	}
	afternoon := false
	for _, w := range [...]string{"上午", "下午", "오전", "오후", "um ", "at ", "à ", "a las "} {
		if rest, found := strings.CutPrefix(s[i:], w); found {
			afternoon = w == "下午" || w == "오후"
			i = len(s) - len(strings.TrimLeft(rest, " "))
			break
		}
	}
	h, m, sec, j, ok := clock(s, i)
	if !ok { // "10.11.12"
		if h, j, ok = number(s, i, 1, 2); !ok || j+6 > len(s) || s[j] != '.' || s[j+3] != '.' {
			return 0, 0, false
		}
		if m, _, ok = number(s, j+1, 2, 2); !ok {
			return 0, 0, false
		}
		if sec, j, ok = number(s, j+4, 2, 2); !ok {
			return 0, 0, false
		}
	}
	nsec, j := fraction(s, j)
	if afternoon && h < 12 {
		h += 12
	}
	return c.finish(s, j, d, h, m, sec, nsec)
}

// yearFirst reads dates that begin with the year, which ISO leaves.
func (c *Clock) yearFirst(s string) (ns int64, n int, ok bool) {
	d := civilParts{}
	d.year, _, _ = number(s, 0, 4, 4)
	if d.year < 1970 || d.year > 2100 {
		return 0, 0, false
	}
	if s[4] == ' ' { // "2026 Mar  4"
		var size int
		if d.month, size = monthWord(s[5:]); d.month == 0 {
			return 0, 0, false
		}
		i := 5 + size
		for i < len(s) && s[i] == ' ' {
			i++
		}
		if d.day, i, ok = number(s, i, 1, 2); !ok {
			return 0, 0, false
		}
		return c.timeOfDay(s, i, d)
	}
	i := 5
	asian := strings.HasPrefix(s[4:], "年")
	if asian {
		i = 4 + len("年")
	}
	sep := s[4]
	if !asian && sep != '-' && sep != '/' && sep != '.' && (sep != ':' || len(s) < 19 || s[7] != ':' || s[10] != '-' && s[10] != ' ') {
		return 0, 0, false
	}
	if day, j, ok := number(s, i, 3, 3); ok && sep == '-' && day >= 1 && j < len(s) && (s[j] == ' ' || s[j] == 'T') { // ISO 8601's ordinal date
		for d.month = 1; d.month < 12 && day > daysIn(d.year, d.month); d.month++ {
			day -= daysIn(d.year, d.month)
		}
		d.day = day
		return c.timeOfDay(s, j, d)
	}
	if d.month, i, ok = number(s, i, 1, 2); !ok || i >= len(s) {
		return 0, 0, false
	}
	if asian {
		if !strings.HasPrefix(s[i:], "月") {
			return 0, 0, false
		}
		i += len("月")
	} else if s[i] != sep {
		return 0, 0, false
	} else {
		i++
	}
	if d.day, i, ok = number(s, i, 1, 2); !ok || i >= len(s) {
		return 0, 0, false
	}
	if asian {
		rest, found := strings.CutPrefix(s[i:], "日")
		if !found {
			return 0, 0, false
		}
		i = len(s) - len(rest)
	}
	if i < len(s) && s[i] == '-' { // DB2: "2026-03-04-10.11.12.345678"
		i++
	}
	if ns, n, ok = c.timeOfDay(s, i, d); ok {
		return ns, n, ok
	}
	return c.minutes(s, i, d)
}

// minutes reads a time without seconds behind a date: "T10:11Z", " 10:11", ", 5:06 PM".
func (c *Clock) minutes(s string, i int, d civilParts) (ns int64, n int, ok bool) {
	if i < len(s) && s[i] == ',' {
		i++
	}
	if i >= len(s) || s[i] != 'T' && s[i] != ' ' && s[i] != '\t' {
		return 0, 0, false
	}
	h, i, ok := number(s, i+1, 1, 2)
	if !ok || i >= len(s) || s[i] != ':' {
		return 0, 0, false
	}
	m, i, ok := number(s, i+1, 2, 2)
	if !ok || i < len(s) && (s[i] == ':' || s[i] == '.') {
		return 0, 0, false
	}
	return c.finish(s, i, d, h, m, 0, 0)
}

// dayFirst reads dates that begin with the day, or with the month in numbers.
func (c *Clock) dayFirst(s string, digits int) (ns int64, n int, ok bool) {
	first, _, _ := number(s, 0, 1, 2)
	d := civilParts{day: first}
	i := digits
	sep := s[i]
	if sep == '/' || sep == '-' || sep == '.' {
		if second, j, yes := number(s, i+1, 1, 2); yes && j < len(s) && s[j] == sep {
			year, k, yes := number(s, j+1, 2, 4)
			if !yes || k-j-1 == 3 || k >= len(s) || s[k] != ' ' && s[k] != ',' && s[k] != 'T' && s[k] != ':' && s[k] != '\t' {
				return 0, 0, false
			}
			if k-j-1 == 2 {
				if sep == '.' && j != len("04.03") { // "4.3.25" is a version
					return 0, 0, false
				}
				year = century(year)
			}
			d = civilParts{year, second, first}
			if sep != '.' && (second > 12 || sep == '/' && first <= 12) {
				d.month, d.day = first, second
			}
			if ns, n, ok = c.timeOfDay(s, k, d); ok {
				return ns, n, ok
			}
			return c.minutes(s, k, d)
		}
	}
	// A month's name: "4. März 2026", "04-MAR-26", "4 de marzo de 2026".
	if sep == '.' {
		i++
	}
	for i < len(s) && (s[i] == ' ' || s[i] == '-' || s[i] == '/') && i < digits+3 {
		i++
	}
	if rest, found := strings.CutPrefix(s[i:], "de "); found {
		i = len(s) - len(rest)
	}
	month, size := monthWord(s[i:])
	if month == 0 {
		return 0, 0, false
	}
	d.month = month
	if i += size; i < len(s) && (s[i] == ' ' || s[i] == '-' || s[i] == '/' || s[i] == ',') {
		i++
	}
	if rest, found := strings.CutPrefix(s[i:], "de "); found {
		i = len(s) - len(rest)
	}
	from := i
	if d.year, i, ok = number(s, i, 2, 4); !ok || i-from == 3 {
		return 0, 0, false
	}
	if i-from == 2 {
		d.year = century(d.year)
	}
	return c.timeOfDay(s, i, d)
}

// timeFirst reads a time of the day with the date behind it, which may follow a zone and a weekday.
func (c *Clock) timeFirst(s string) (ns int64, n int, ok bool) {
	h, _, _, i, ok := clock(s, 0)
	if !ok {
		return 0, 0, false
	}
	_, i = fraction(s, i)
	if _, i, ok = meridiem(s, i, h); !ok {
		return 0, 0, false
	}
	var buf [80]byte // the date, the time, the zone
	time, zoned := s[:i], ""
	if _, j, has := zone(s, i); has {
		zoned, i = s[i:j], j
	}
	for i < len(s) && (s[i] == ' ' || s[i] == ',') {
		i++
	}
	if isWeekday(s[i:]) {
		for i += 3; i < len(s) && (s[i] == ' ' || s[i] == ','); i++ {
		}
	}
	j, words := i, 0
	for ; j < len(s) && j-i < 24; j++ {
		if b := s[j]; b == ' ' || b == ',' {
			if b == ' ' {
				words++
			}
			if words > 2 || !strings.ContainsAny(s[i:j], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") && words > 1 {
				break
			}
			if numeric := strings.IndexAny(s[i:j], "-./"); numeric > 0 { // "04.03.2026" ends at the first blank
				break
			}
		} else if !isAlnum(b) && b != '-' && b != '.' && b != '/' {
			break
		}
	}
	date := strings.TrimRight(s[i:j], " ,.")
	if len(date) < 8 || len(date)+len(time)+len(zoned)+1 > len(buf) {
		return 0, 0, false
	}
	m := copy(buf[:], date)
	buf[m] = ' '
	m++
	m += copy(buf[m:], time)
	m += copy(buf[m:], zoned)
	whole := string(buf[:m])
	if ns, n, ok = c.ISO(whole); !ok {
		if b := whole[0]; b < '0' || b > '9' {
			ns, n, ok = c.monthFirst(whole)
		} else {
			k := 0
			for k < len(whole) && '0' <= whole[k] && whole[k] <= '9' {
				k++
			}
			if k == 4 {
				ns, n, ok = c.yearFirst(whole)
			} else if k == 1 || k == 2 {
				ns, n, ok = c.dayFirst(whole, k)
			}
		}
	}
	if !ok || n != m {
		return 0, 0, false
	}
	return ns, i + len(date), true
}

// century places a year of two digits as POSIX does (strptime(3), %y).
func century(y int) int {
	if y < 69 {
		return 2000 + y
	}
	return 1900 + y
}

// monthFirst reads dates that begin with the month's name: "March 4, 2026", "Mär  4".
func (c *Clock) monthFirst(s string) (ns int64, n int, ok bool) {
	month, i := monthWord(s)
	if month == 0 || i >= len(s) || s[i] != ' ' && s[i] != '-' && s[i] != '/' {
		return 0, 0, false
	}
	d := civilParts{month: month}
	if sep := s[i]; sep != ' ' { // "Mar-04-2026 10:11:12"
		if d.day, i, ok = number(s, i+1, 1, 2); !ok || i >= len(s) || s[i] != sep {
			return 0, 0, false
		}
		if d.year, i, ok = number(s, i+1, 4, 4); !ok {
			return 0, 0, false
		}
		return c.timeOfDay(s, i, d)
	}
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if d.day, i, ok = number(s, i, 1, 2); !ok || i >= len(s) || s[i] != ' ' && s[i] != ',' {
		return 0, 0, false
	}
	for i < len(s) && (s[i] == ' ' || s[i] == ',') {
		i++
	}
	if y, j, yes := number(s, i, 4, 4); yes {
		d.year = y
		return c.timeOfDay(s, j, d)
	}
	h, m, sec, i, ok := clock(s, i)
	if !ok {
		return 0, 0, false
	}
	nsec, i := fraction(s, i)
	ns, ok = c.Yearless(d.month, d.day, h, m, sec, nsec)
	return ns, i, ok
}

// monthWord is the month whose name, whole or abbreviated, in one of the languages of monthNames
// begins s, and the name's length with the point of an abbreviation.
func monthWord(s string) (month, size int) {
	for size < len(s) && size < 16 && (isAlnum(s[size]) && (s[size] < '0' || s[size] > '9') || s[size] >= 0x80) {
		size++
	}
	if size < 3 {
		return 0, 0
	}
	if month = monthNames[s[:size]]; month == 0 {
		if month = monthNames[strings.ToLower(s[:size])]; month == 0 {
			return 0, 0
		}
	}
	if size < len(s) && s[size] == '.' {
		size++
	}
	return month, size
}

// monthNames are the months in English, German, French, Spanish, Italian, Portuguese, Dutch,
// Danish, Norwegian, Swedish, Polish, Czech and Finnish, as the locales of common systems (CLDR) have them.
var monthNames = func() map[string]int {
	m := map[string]int{}
	for i, names := range [...]string{
		"jan january januar jän jänner janv janvier ene enero gen gennaio janeiro januari sty stycznia leden ledna led tammikuuta tammi",
		"feb february februar feber févr février fév febrero febbraio fev fevereiro februari lut lutego únor února úno helmikuuta helmi",
		"mar march mär märz mrz mars marzo março maart mrt marts marca březen března bře maaliskuuta maalis",
		"apr april avr avril abr abril aprile kwi kwietnia duben dubna dub huhtikuuta huhti",
		"may mai mayo mag maggio maio mei maj maja květen května kvě toukokuuta touko",
		"jun june juni juin junio giu giugno junho cze czerwca červen června čer kesäkuuta kesä",
		"jul july juli juil juillet julio lug luglio julho lip lipca červenec července čvc heinäkuuta heinä",
		"aug august août ago agosto augustus augusti sie sierpnia srpen srpna srp elokuuta elo",
		"sep sept september septembre septiembre set settembre setembro wrz września září zář syyskuuta syys",
		"oct october okt oktober octobre octubre ott ottobre out outubro paź października říjen října říj lokakuuta loka",
		"nov november novembre noviembre novembro lis listopada listopad marraskuuta marras",
		"dec december dez dezember déc décembre dic diciembre dicembre dezembro desember des gru grudnia prosinec prosince pro joulukuuta joulu",
	} {
		for name := range strings.FieldsSeq(names) {
			m[name] = i + 1
		}
	}
	return m
}()
