package source

import "strings"

// Log is the path of the current file of the log that a file is a part of, by its path alone: the
// path itself if it names no rotation. Folders that are named by a day, as collectors and the clouds
// make them, are left out ("/logs/2026/11/30/a.log", "/logs/2026-11-30/a.log" and
// "/logs/year=2026/month=11/day=30/a.log" are of "/logs/a.log").
// It is sure unless the name may be that of a log of its own ("app.1.log", "192.0.2.1"), which it is
// where there is no file of the path returned.
func Log(path string) (log string, sure bool) {
	at := strings.LastIndexAny(path, separators) + 1
	folder, known := withoutDays(path[:at])
	name := plainName(path[at:])
	stem, ext := name, ""
	if i := strings.IndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i:]
	}
	if known > none && known.next(stem) > known { // "2026/11/30.log"
		return folder + ext, true
	}
	r := readRotation(name)
	base := r.base
	if m := weekdayName.FindStringSubmatch(base); m != nil {
		base = m[1] + m[2]
	}
	return folder + base, !r.unsure
}

const separators = `/\!` // of folders, and of an archive and what is in it

// part is how much of a date is known from the folders above.
type part int

const (
	none part = iota
	year
	month
	day
	hour
	minute
)

// withoutDays takes the dates out of the folders that a file lies in, and says how much of a
// date the last of them gave.
func withoutDays(folder string) (string, part) {
	var kept strings.Builder
	known := none
	for folder != "" {
		end := strings.IndexAny(folder, separators) + 1
		name := folder[:end-1]
		if p := known.next(name); p != none {
			known = p
		} else {
			known = none
			kept.WriteString(withoutDate(name))
			kept.WriteByte(folder[end-1])
		}
		folder = folder[end:]
	}
	return kept.String(), known
}

// next is how much of a date is known with a folder's name added to what the folders above
// told; none if the name is no part of a date.
func (known part) next(name string) part {
	key, value, named := strings.Cut(name, "=") // as Hive names partitions
	if !named {
		value = name
	}
	if order, from, end := calendarDate(value); order != nil && from == 0 && end == len(value) {
		return min(part(len(order)), minute)
	}
	digits := digitRun(value)
	if known == year && !named && isMonthName(value) {
		return month
	}
	if digits == 0 || digits != len(value) || digits > 4 {
		return none
	}
	n := number(value)
	is := known + 1
	if named {
		is = partNames[strings.ToLower(key)]
		if key == "m" && known >= hour {
			is = minute
		}
	}
	switch {
	case (is == year || !named) && digits == 4 && validDate(n, 1, 1):
		return year
	case is == month && !named && digits == 4 && validDate(2000, n/100, n%100): // 2026/1130
		return day
	case digits > 2:
		return none
	case is == month && 1 <= n && n <= 12, is == day && 1 <= n && n <= 31:
		return is
	case (named || digits == 2) && (is == hour && n <= 23 || is == minute && n <= 59):
		return is
	}
	return none
}

var partNames = map[string]part{
	"year": year, "yyyy": year, "yr": year, "y": year,
	"month": month, "mm": month, "mon": month, "m": month,
	"day": day, "dd": day, "d": day,
	"hour": hour, "hh": hour, "hr": hour, "h": hour,
	"minute": minute, "min": minute,
}

// isMonthName reports whether s is an English name of a month, or its first three letters.
func isMonthName(s string) bool {
	for _, m := range []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"} {
		if strings.EqualFold(s, m) || strings.EqualFold(s, m[:3]) {
			return true
		}
	}
	return false
}

// withoutDate takes a date out of a folder's name if it stands apart in it: "web1-2026-11-30".
// "srv202611" is a name, and so is what may be a time in seconds or a number of anything.
func withoutDate(name string) string {
	_, from, end := calendarDate(name)
	if end == 0 || from > 0 && !strings.ContainsRune("-_.@ ", rune(name[from-1])) || end < len(name) && !strings.ContainsRune("-_. Z", rune(name[end])) {
		return name
	}
	r, _ := readDated(name)
	return r.base
}

// calendarDate is findDate for what is written as a date.
func calendarDate(name string) (order []int, from, end int) {
	order, from, end = findDate(name)
	if order == nil {
		return nil, 0, 0
	}
	digits := name[from : from+digitRun(name[from:])]
	if n := len(digits); n >= 10 && !validDate(number(digits[:4]), number(digits[4:6]), number(digits[6:8])) {
		return nil, 0, 0 // seconds or milliseconds
	}
	if len(order) > 3 && order[3] > 23 { // a number of twelve digits that begins like a date
		return nil, 0, 0
	}
	return order, from, end
}
