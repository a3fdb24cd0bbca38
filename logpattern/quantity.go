package logpattern

import "strings"

// quantityEnd returns the end of a number with a unit, "1.5 KB", "20ms", that
// begins at i, and 0 if there is none.
func quantityEnd(s string, i int) int {
	j := numberEnd(s, i)
	if j == i {
		return 0
	}
	if j < len(s) && s[j] == ' ' {
		j++
	}
	k := wordOfLetters(s, j)
	if !isUnit(s[j:k]) {
		return 0
	}
	return k
}

func numberEnd(s string, i int) int {
	j := i
	for j < len(s) && (class[s[j]] == digit || j > i && (s[j] == '.' || s[j] == ',') && j+1 < len(s) && class[s[j+1]] == digit) {
		j++
	}
	return j
}

func wordOfLetters(s string, i int) int {
	for i < len(s) && class[s[i]]&(upper|lower) != 0 {
		i++
	}
	return i
}

// isUnit reports whether w is a unit of data or time.
func isUnit(w string) bool {
	if len(w) == 0 || len(w) > len("milliseconds") {
		return false
	}
	switch strings.ToLower(w) {
	case "b", "k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib", "byte", "bytes", "bits",
		"ns", "us", "ms", "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours",
		"d", "day", "days", "millis", "milliseconds", "microseconds":
		return true
	}
	return false
}

// restated returns the end of a parenthesis at i that holds nothing but
// quantities: programs say a large number again for people, and leave
// it out where it is small: "1500000 bytes (1.5 MB, 1.4 MiB)". It is 0 if it holds anything else.
func restated(s string, i int) int {
	for i++; ; i++ {
		for i < len(s) && s[i] == ' ' {
			i++
		}
		if i = quantityEnd(s, i); i == 0 || i >= len(s) {
			return 0
		}
		if s[i] == ')' {
			return i + 1
		}
		if s[i] != ',' {
			return 0
		}
	}
}

// withoutRestated returns the message without what masking leaves out of it.
func withoutRestated(message string) string {
	for i := 1; i < len(message); i++ {
		if message[i] != '(' {
			continue
		}
		if end := restated(message, i); end > 0 && afterUnit(appendMasked(nil, message[:i])) {
			message = strings.TrimRight(message[:i], " ") + message[end:]
			i--
		}
	}
	return message
}

// afterUnit reports whether a masked message ends in a variable with a unit.
func afterUnit(masked []byte) bool {
	n := len(masked)
	for n > 0 && masked[n-1] == ' ' {
		n--
	}
	k := n
	for k > 0 && class[masked[k-1]]&(upper|lower) != 0 {
		k--
	}
	return k > 1 && masked[k-1] == ' ' && masked[k-2] == variable && isUnit(string(masked[k:n]))
}

// bound returns the end of what a value is less than, with its unit, at i:
// "<1 sec", "<1ms". It is 0 if there is none, as in "<5>".
func bound(s string, i int) int {
	j := numberEnd(s, i+1)
	if j == i+1 {
		return 0
	}
	if end := quantityEnd(s, i+1); end > 0 {
		j = end
	}
	if j < len(s) && (class[s[j]]&space == 0 && strings.IndexByte(",;)]", s[j]) < 0) {
		return 0
	}
	return j
}
