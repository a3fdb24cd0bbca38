package sigma

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// test is the smallest question a rule asks: one comparison of one field.
type test struct {
	field string // Sigma's name; "" asks any field and the message (keywords)
	op    op
	cased bool
	text  string         // opEq, opPrefix, opSuffix, opContains: the needle, folded unless cased. opFieldRef: the other field
	glob  pattern        // opGlob, likewise folded
	re    *regexp.Regexp // opRegexp: must match
	veto  *regexp.Regexp // opRegexp: must not match, see translateRegexp
	lits  [][]string     // opRegexp: folded literals; a matching value has at least one of each set
	short int            // opRegexp: a matching value has at least so many bytes
	run   *classRun      // opRegexp: … and such a stretch, unless nil
	net   netip.Prefix   // opCIDR
	num   float64        // opCompare
	cmp   cmpOp          // opCompare
	part  timePart       // opCompare: compare this part of a date instead of a number
	how   op             // opFieldRef: opEq, opPrefix, opSuffix or opContains
	want  string         // for people
}

type op uint8

const (
	opEq op = iota
	opPrefix
	opSuffix
	opContains
	opGlob
	opRegexp
	opCIDR
	opCompare
	opAny      // the field has a value, whatever it is: "*"
	opExists   // the field is present, even null
	opNull     // the field is missing or null
	opFieldRef // like another field of the event
)

type cmpOp uint8

const (
	cmpEq cmpOp = iota
	cmpLT
	cmpLTE
	cmpGT
	cmpGTE
)

var cmpNames = [...]string{"=", "<", "≤", ">", "≥"}

type timePart uint8

const (
	partNone timePart = iota
	partMinute
	partHour
	partDay
	partWeek
	partMonth
	partYear
)

var partNames = [...]string{"", "minute", "hour", "day", "week", "month", "year"}

// key identifies equal tests on the same slot, so that they are evaluated once.
func (t *test) key() string {
	cased := "i"
	if t.cased {
		cased = "c"
	}
	switch t.op {
	case opEq, opPrefix, opSuffix, opContains:
		return fmt.Sprintf("%d%s%s", t.op, cased, t.text)
	case opGlob:
		return fmt.Sprintf("%d%s%s", t.op, cased, t.glob)
	case opRegexp:
		veto := ""
		if t.veto != nil {
			veto = t.veto.String()
		}
		return fmt.Sprintf("%d%s\x00%s", t.op, t.re, veto)
	case opCIDR:
		return fmt.Sprintf("%d%s", t.op, t.net)
	case opCompare:
		return fmt.Sprintf("%d %d %d %v", t.op, t.cmp, t.part, t.num)
	case opFieldRef:
		return fmt.Sprintf("%d%s%d%s", t.op, cased, t.how, t.text)
	}
	return strconv.Itoa(int(t.op))
}

// matches reports whether one value passes. folded is the value's fold. It is not for the operations that need more than
// one value: opExists, opNull, opFieldRef.
func (t *test) matches(value, folded string) bool {
	s := folded
	if t.cased {
		s = value
	}
	switch t.op {
	case opEq:
		return s == t.text
	case opPrefix:
		return strings.HasPrefix(s, t.text)
	case opSuffix:
		return strings.HasSuffix(s, t.text)
	case opContains:
		return strings.Contains(s, t.text)
	case opGlob:
		return t.glob.match(s)
	case opRegexp:
		return len(value) >= t.short && (t.run == nil || t.run.within(value)) && t.re.MatchString(value) && (t.veto == nil || !t.veto.MatchString(value))
	case opCIDR:
		a, ok := parseAddr(value)
		return ok && t.net.Contains(a)
	case opCompare:
		n, ok := 0.0, false
		if t.part != partNone {
			n, ok = timePartOf(value, t.part)
		} else {
			n, ok = parseNumber(value)
		}
		return ok && compare(n, t.cmp, t.num)
	case opAny:
		return true
	}
	return false
}

// refers reports whether value is like other, in the way that an opFieldRef test asks.
func (t *test) refers(value, other string) bool {
	if !t.cased {
		if t.how == opEq {
			return strings.EqualFold(value, other)
		}
		value, other = fold(value), fold(other)
	}
	switch t.how {
	case opPrefix:
		return strings.HasPrefix(value, other)
	case opSuffix:
		return strings.HasSuffix(value, other)
	case opContains:
		return strings.Contains(value, other)
	}
	return value == other
}

func compare(n float64, op cmpOp, m float64) bool {
	switch op {
	case cmpLT:
		return n < m
	case cmpLTE:
		return n <= m
	case cmpGT:
		return n > m
	case cmpGTE:
		return n >= m
	}
	return n == m
}

// parseNumber reads a field as a number: decimal, or hexadecimal with 0x as Windows logs have it. Spaces around it are allowed.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	c := s[0]
	if (c == '+' || c == '-') && len(s) > 1 {
		c = s[1]
	}
	if (c < '0' || c > '9') && c != '.' { // no inf, nan, or words
		return 0, false
	}
	small := len(s) <= 15
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			small = false
			break
		}
		n = n*10 + int(s[i]-'0')
	}
	if small {
		return float64(n), true
	}
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		return float64(u), err == nil
	}
	if strings.ContainsAny(s, "xXpP_") { // Go's hexadecimal floats and digit groups are not log numbers
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// parseAddr reads an IP address, without the zone, port brackets or IPv4-in-IPv6 dress that logs put on it.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, false
	}
	return a.Unmap().WithZone(""), true
}

// timeLayouts are the ways a date field may be written; the zone is read past, never converted, as the specification
// ("Time Modifiers") wants.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
	"2006-01-02", "2006/01/02 15:04:05", "01/02/2006 15:04:05", "01/02/2006 03:04:05 PM", time.RFC1123Z, time.RFC1123,
	time.ANSIC, time.UnixDate, "02/Jan/2006:15:04:05 -0700", "Jan _2 15:04:05 2006",
}

// timePartOf extracts a part of a date as it is written. Numbers are seconds, milliseconds, microseconds or nanoseconds since the epoch,
// in UTC, told apart by their size.
func timePartOf(s string, part timePart) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	var t time.Time
	if n, ok := parseNumber(s); ok && len(s) >= 9 {
		for n >= 1e11 {
			n /= 1000
		}
		if n < 0 {
			return 0, false
		}
		t = time.Unix(int64(n), 0).UTC()
	} else {
		found := false
		for _, layout := range timeLayouts {
			if x, err := time.Parse(layout, s); err == nil {
				t, found = x, true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	switch part {
	case partMinute:
		return float64(t.Minute()), true
	case partHour:
		return float64(t.Hour()), true
	case partDay:
		return float64(t.Day()), true
	case partWeek:
		_, w := t.ISOWeek()
		return float64(w), true
	case partMonth:
		return float64(t.Month()), true
	}
	return float64(t.Year()), true
}
