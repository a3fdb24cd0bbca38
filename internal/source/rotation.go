package source

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Set is one log: its current file and what was rotated away, oldest first.
type Set struct {
	Key     string // Folder and the name without rotation suffix; stable, and unique among the sets of a gathering
	Sources []*Source
}

// Group sorts sources into rotation sets by folder and name alone; whether
// their contents belong together is for the caller to see. Every source is in
// exactly one set, alone where its name says nothing; sets come in the order
// of their first source.
//
// Names are read as logrotate, newsyslog, journald, log4j, logback, Python's handlers,
// Tomcat, PostgreSQL, IIS, Zeek and the Windows event log write them: a number
// (higher is older), a date with or without time and counter (higher is
// newer), ".old". Dated files come before numbered ones, and both before the
// current one.
func Group(sources []*Source) []Set {
	type place struct{ folder, name string }
	present := make(map[place]bool, len(sources))
	for _, s := range sources {
		present[place{s.Folder, s.Name}] = true
	}
	ranks := make(map[*Source]rank, len(sources))
	index := make(map[string]int)
	var sets []Set
	for _, s := range sources {
		r := readRotation(s.Name)
		if r.unsure && !present[place{s.Folder, r.base}] {
			r = rank{base: s.Name, class: current}
		}
		ranks[s] = r
		key := s.Folder + r.base
		i, known := index[key]
		if !known {
			i = len(sets)
			index[key] = i
			sets = append(sets, Set{Key: key})
		}
		sets[i].Sources = append(sets[i].Sources, s)
	}
	for _, set := range sets {
		slices.SortStableFunc(set.Sources, func(a, b *Source) int {
			return cmp.Or(
				ranks[a].compare(ranks[b]),
				a.ModTime.Compare(b.ModTime),
				-cmp.Compare(len(a.Layers), len(b.Layers)), // auth.log.1.gz was made of auth.log.1
				strings.Compare(a.Display, b.Display),
			)
		})
	}
	return sets
}

// rank is what a file's name tells of its place in a rotation set.
type rank struct {
	base   string // the name of the current file
	class  int
	order  []int // ascending with time within a class
	unsure bool  // a rotation only if the base is there too
}

const (
	dated = iota
	numbered
	current
)

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.class, o.class), slices.Compare(r.order, o.order))
}

var (
	numberedName = regexp.MustCompile(`^(.+)\.(\d{1,3})$`)                                                                          // auth.log.1
	numberInside = regexp.MustCompile(`^(.+)\.(\d{1,3})(\.[A-Za-z]+)$`)                                                             // app.1.log
	oldName      = regexp.MustCompile(`^(.+)[.-](?:old|OLD|prev|previous|bak)$`)                                                    // pfirewall.log.old
	yearName     = regexp.MustCompile(`^(.+)\.((?:19|20)\d\d)$`)                                                                    // messages.2023
	iisName      = regexp.MustCompile(`^((?:u_)?(?:ex|in|nc))(\d\d)(\d\d)(\d\d)(\d\d)?(\D.*)?$`)                                    // u_ex240101.log
	zeekName     = regexp.MustCompile(`^(.+)\.(\d\d):(\d\d):(\d\d)-\d\d:\d\d:\d\d(\..+)$`)                                          // conn.00:00:00-01:00:00.log
	journalName  = regexp.MustCompile(`^(.+)@[0-9a-f]{32}-([0-9a-f]{16})-([0-9a-f]{16})(\.journal)~?$`)                             // system@….journal
	dirtyName    = regexp.MustCompile(`^(.+)@([0-9a-f]{16})-([0-9a-f]{16})(\.journal)~$`)                                           // of a crash
	weekdayName  = regexp.MustCompile(`(?i)^(.+)[-_.](?:mon|tue|wed|thu|fri|sat|sun)(?:day|sday|nesday|rsday|urday)?((?:\.\D*)?)$`) // postgresql-Mon.log
	dottedQuad   = regexp.MustCompile(`^[-_.]\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:\D|$)`)
)

// readRotation takes a base name apart. Whatever it is, the base of a name is
// shorter than it unless the name is that of a current file.
func readRotation(name string) rank {
	name = plainName(name)
	if m := iisName.FindStringSubmatch(name); m != nil && validDate(2000+number(m[2]), number(m[3]), number(m[4])) {
		return rank{base: m[1] + m[6], class: dated, order: numbers("20"+m[2], m[3], m[4], m[5])}
	}
	if m := zeekName.FindStringSubmatch(name); m != nil {
		return rank{base: m[1] + m[5], class: dated, order: numbers(m[2], m[3], m[4])}
	}
	if m := journalName.FindStringSubmatch(name); m != nil {
		return rank{base: m[1] + m[4], class: dated, order: []int{hexadecimal(m[3])}}
	}
	if m := dirtyName.FindStringSubmatch(name); m != nil {
		return rank{base: m[1] + m[4], class: dated, order: []int{hexadecimal(m[2])}}
	}
	if r, ok := readDated(name); ok {
		return r
	}
	if m := yearName.FindStringSubmatch(name); m != nil {
		return rank{base: m[1], class: dated, order: numbers(m[2])}
	}
	if m := numberedName.FindStringSubmatch(name); m != nil {
		// A base that ends in a digit may as well be an address or a version.
		return rank{base: m[1], class: numbered, order: []int{-number(m[2])}, unsure: isDigit(m[1][len(m[1])-1])}
	}
	if m := numberInside.FindStringSubmatch(name); m != nil {
		return rank{base: m[1] + m[3], class: numbered, order: []int{-number(m[2])}, unsure: true}
	}
	if m := oldName.FindStringSubmatch(name); m != nil {
		return rank{base: m[1], class: numbered, order: []int{-1}}
	}
	return rank{base: name, class: current}
}

// plainName takes off a compression suffix that the content did not bear out.
func plainName(name string) string {
	for _, kind := range []string{"gzip", "bzip2", "xz", "zstd", "lz4"} {
		for _, suffix := range suffixes[kind] {
			if base, ok := cutSuffixFold(name, suffix); ok && base != "" {
				return base
			}
		}
	}
	return name
}

// readDated takes the first date in name out of it, and the numbers of time and counter
// that follow it.
func readDated(name string) (rank, bool) {
	order, from, end := findDate(name)
	if order == nil {
		return rank{}, false
	}
	before, after := strings.TrimRight(name[:from], "-_.@ "), strings.TrimPrefix(name[end:], "Z")
	if before == "" {
		after = strings.TrimLeft(after, "-_ ")
	}
	if base, ok := strings.CutPrefix(before, "Archive-"); ok && strings.EqualFold(after, ".evtx") {
		before = base // the event log service's own archives
	}
	return rank{base: before + after, class: dated, order: order}, true
}

// findDate finds the first date in name, with the numbers of time and counter that follow
// it: its numbers, most significant first, and where it is; nil if there is none.
func findDate(name string) (order []int, from, end int) {
	for i := range len(name) {
		if !isDigit(name[i]) || i > 0 && isDigit(name[i-1]) {
			continue
		}
		order, size := readDate(name[i:])
		if order == nil {
			continue
		}
		end := i + size
		for groups := 0; groups < 5 && end+1 < len(name); groups++ {
			digits := digitRun(name[end+1:])
			if !strings.ContainsRune("-_.:T+", rune(name[end])) || digits == 0 || digits > 9 || dottedQuad.MatchString(name[end:]) {
				break
			}
			order = append(order, number(name[end+1:end+1+digits]))
			end += 1 + digits
		}
		return order, i, end
	}
	return nil, 0, 0
}

// readDate reads a date at the start of s and returns its numbers, most
// significant first, and its length; nil if there is none. It knows
// YYYYMMDD[HH[MM[SS]]], YYYYMM, Unix time in s or ms, YYYY-MM-DD and YYYY-MM with
// "-", "_" or ".".
func readDate(s string) ([]int, int) {
	n := digitRun(s)
	switch n {
	case 6, 8, 10, 12, 14:
		order := []int{number(s[:4])}
		for i := 4; i < n; i += 2 {
			order = append(order, number(s[i:i+2]))
		}
		if n == 6 && validDate(order[0], order[1], 1) || n >= 8 && validDate(order[0], order[1], order[2]) {
			return order, n
		}
		if n != 10 {
			return nil, 0
		}
		fallthrough
	case 13:
		if s[0] != '1' {
			return nil, 0
		}
		t := time.Unix(int64(number(s[:10])), 0).UTC()
		return []int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()}, n
	case 4:
		if len(s) < 7 || !strings.ContainsRune("-_.", rune(s[4])) || digitRun(s[5:]) != 2 {
			return nil, 0
		}
		year, month := number(s[:4]), number(s[5:7])
		if len(s) >= 10 && s[7] == s[4] && digitRun(s[8:]) == 2 && validDate(year, month, number(s[8:10])) {
			return []int{year, month, number(s[8:10])}, 10
		}
		if validDate(year, month, 1) {
			return []int{year, month}, 7
		}
	}
	return nil, 0
}

func validDate(year, month, day int) bool {
	return 1990 <= year && year <= 2099 && 1 <= month && month <= 12 && 1 <= day && day <= 31
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digitRun(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// number is the value of a short run of digits, 0 for none.
func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func hexadecimal(s string) int {
	n, _ := strconv.ParseInt(s, 16, 64)
	return int(n)
}

func numbers(groups ...string) []int {
	var order []int
	for _, g := range groups {
		if g != "" {
			order = append(order, number(g))
		}
	}
	return order
}
