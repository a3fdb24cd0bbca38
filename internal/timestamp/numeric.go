package timestamp

// Numeric reads a date of numbers with the year last and the time behind it, as
// Windows and spreadsheets write it: "3/4/2025 5:06:01 PM", "04.03.2025 05:06:01",
// "03/04/25, 17:06". With '/' the month comes first (the United States', and .NET's invariant
// culture), with '.' or '-' the day; a number above 12 says so itself. The seconds may be missing.
func (c *Clock) Numeric(s string) (ns int64, n int, ok bool) {
	first, i, ok := number(s, 0, 1, 2)
	if !ok || i >= len(s) || s[i] != '/' && s[i] != '.' && s[i] != '-' {
		return 0, 0, false
	}
	sep := s[i]
	second, i, ok := number(s, i+1, 1, 2)
	if !ok || i >= len(s) || s[i] != sep {
		return 0, 0, false
	}
	start := i + 1
	year, i, ok := number(s, start, 2, 4)
	if !ok || i-start == 3 {
		return 0, 0, false
	}
	if i-start == 2 {
		if sep != '/' {
			return 0, 0, false
		}
		year += 2000
	}
	month, day := first, second
	if sep != '/' && second <= 12 || first > 12 {
		month, day = second, first
	}
	if month < 1 || month > 12 || day < 1 {
		return 0, 0, false
	}
	if i < len(s) && s[i] == ',' {
		i++
	}
	if i >= len(s) || s[i] != ' ' && s[i] != 'T' && s[i] != '\t' {
		return 0, 0, false
	}
	for i < len(s) && s[i] == ' ' || i < len(s) && i > start && s[i] == 'T' || i < len(s) && s[i] == '\t' {
		i++
	}
	hour, i, ok := number(s, i, 1, 2)
	if !ok || i >= len(s) || s[i] != ':' && s[i] != '.' {
		return 0, 0, false
	}
	minute, i, ok := number(s, i+1, 2, 2)
	if !ok || hour > 24 || minute > 59 {
		return 0, 0, false
	}
	sec, nsec := 0, 0
	if i < len(s) && s[i] == ':' {
		if sec, i, ok = number(s, i+1, 2, 2); !ok || sec > 60 {
			return 0, 0, false
		}
		nsec, i = fraction(s, i)
	}
	if half, j := halfDay(s, i); half != 0 {
		if hour < 1 || hour > 12 {
			return 0, 0, false
		}
		hour %= 12
		if half == 'p' {
			hour += 12
		}
		i = j
	}
	if hour > 23 {
		return 0, 0, false
	}
	if off, j, has := zone(s, i); has {
		ns, ok = c.Zoned(year, month, day, hour, minute, sec, nsec, off)
		return ns, j, ok
	}
	ns, ok = c.Local(year, month, day, hour, minute, sec, nsec)
	return ns, i, ok
}

// halfDay reads "AM" or "PM" behind an optional blank, which newer versions of Windows write as
// a narrow one that does not break (U+202F); 0 for neither.
func halfDay(s string, i int) (half byte, next int) {
	switch {
	case i < len(s) && s[i] == ' ':
		i++
	case len(s) >= i+3 && s[i:i+3] == "\u202f":
		i += 3
	}
	if i+1 >= len(s) || s[i+1]|0x20 != 'm' || i+2 < len(s) && isAlnum(s[i+2]) {
		return 0, i
	}
	if h := s[i] | 0x20; h == 'a' || h == 'p' {
		return h, i + 2
	}
	return 0, i
}
