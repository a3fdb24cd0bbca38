// Package prose writes numbers as sentences need them.
package prose

import (
	"fmt"
	"strconv"
)

// Integer is any whole number.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Number groups the digits of n: "1,204".
func Number[N Integer](n N) string {
	s := ""
	if n < 0 {
		s = strconv.FormatInt(int64(n), 10)
	} else {
		s = strconv.FormatUint(uint64(n), 10)
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count is n with its noun: "1 record", "1,204 records". The plural is given
// where it is not the noun with an s.
func Count[N Integer](n N, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return Number(n) + " " + many[0]
	}
	return Number(n) + " " + one + "s"
}

// Size is n bytes in the binary unit that suits: "812 B", "1.4 MiB".
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit && i < 4; i++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTP"[i])
}
