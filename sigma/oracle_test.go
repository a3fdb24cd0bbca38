package sigma_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/sextant-logs/sextant/sigma"
)

// This file holds the engine to an evaluator that is written from the specification alone (SigmaHQ/sigma-specification, "Rules" and
// "Modifiers"), shares no code with it, and does everything the slow and obvious way. Rules and events are drawn from small alphabets, so
// that values coincide often.

// oracleItem is one field with its modifiers and values, as a rule has it.
type oracleItem struct {
	field     string // "" for keywords
	modifiers []string
	values    []any // string, float64, bool or nil
}

// oracleRule is a random rule, with its text and its meaning.
type oracleRule struct {
	searches map[string][][]oracleItem // by name: alternatives of items that must all hold
	names    []string
	holds    func(search func(name string) bool) bool
	text     string
}

// oracleEvent has any number of values by field; a field with none is null.
type oracleEvent struct {
	fields  map[string][]string
	message string
}

type drawer struct{ *rand.Rand }

func (d drawer) of(s ...string) string { return s[d.IntN(len(s))] }
func (d drawer) chance(n int) bool     { return d.IntN(n) == 0 }

// word draws text that events and rules share.
func (d drawer) word() string {
	atoms := []string{"a", "b", "A", "ab", `\`, "*", "?", " ", "-", "/", "é", "É", "ж", "x1", "cmd", "Cmd.exe", "powershell", "0", "İ", "K"}
	var s strings.Builder
	for range d.IntN(5) {
		s.WriteString(atoms[d.IntN(len(atoms))])
	}
	if d.chance(12) { // long, so that the automata cut it
		s.WriteString(strings.Repeat(d.of("long needle ", "-x "), 1+d.IntN(6)))
	}
	return s.String()
}

var oracleFields = []string{"f0", "f1", "f2", "f.3"}

func (d drawer) event(rule *oracleRule) oracleEvent {
	e := oracleEvent{fields: map[string][]string{}}
	var said []string // what the rule says, so that it is often met
	for _, name := range rule.names {
		for _, alternative := range rule.searches[name] {
			for _, it := range alternative {
				for _, v := range it.values {
					if s, ok := v.(string); ok {
						said = append(said, s)
					}
				}
			}
		}
	}
	value := func() string {
		switch {
		case len(said) > 0 && d.chance(2):
			s := strings.NewReplacer(`\\`, `\`, `\*`, "*", `\?`, "?", "*", d.word(), "?", d.of("a", "é", "")).Replace(said[d.IntN(len(said))])
			if d.chance(3) {
				s = strings.ToUpper(s)
			}
			switch d.IntN(7) {
			case 4:
				return d.word() + oracleWide(s, d.chance(2)) + d.word()
			case 5:
				return base64.StdEncoding.EncodeToString([]byte(d.of("", "x", "yy") + oracleWide(s, d.chance(2)) + d.word()))
			case 0:
				return s + d.word()
			case 1:
				return d.word() + s
			case 2:
				return d.word() + s + d.word()
			case 3:
				return d.word() + base64.StdEncoding.EncodeToString([]byte(d.of("", "x", "yy")+s+d.word())) + d.word()
			}
			return s
		case d.chance(4):
			if d.chance(3) {
				return d.of("cmd\nb", "A\ncmd", "a\nb", "first-ab", "aFirst", "second", "afirst", "2024-03-06T06:08:10+05:00", "2023-12-31 23:59:59", "2024-03-05 07:09:01.5 -0300", "2025-03-05")
			}
			return d.of("0", "1", "2", "10", "-3", "1.5", "192.0.2.7", "192.0.3.1", "2001:db8::5", "::ffff:192.0.2.9", "true", "2024-03-05T07:08:09Z")
		}
		return d.word()
	}
	for _, f := range oracleFields {
		switch d.IntN(8) {
		case 0: // not there
		case 1:
			e.fields[f] = nil
		case 2:
			e.fields[f] = []string{value(), value()}
		case 3:
			e.fields[f] = []string{""}
		default:
			e.fields[f] = []string{value()}
		}
	}
	if d.chance(3) {
		e.message = value()
	}
	return e
}

func (d drawer) item() oracleItem {
	it := oracleItem{field: d.of(oracleFields...)}
	text := func(n int) {
		for range 1 + d.IntN(n) {
			it.values = append(it.values, d.word())
		}
	}
	switch d.IntN(19) {
	case 14: // a part of a date, as it is written
		part := d.of("minute", "hour", "day", "week", "month", "year")
		it.modifiers = []string{part}
		it.values = []any{float64(map[string]int{"minute": 8, "hour": 7, "day": 5, "week": 10, "month": 3, "year": 2024}[part] + d.IntN(3) - 1)}
		if d.chance(2) {
			it.modifiers = append(it.modifiers, d.of("gt", "gte", "lt", "lte"))
		}
	case 15: // text of two bytes a character, plain and within Base64
		it.modifiers = []string{d.of("wide", "utf16le", "utf16be", "utf16"), "contains"}
		if d.chance(2) {
			it.modifiers = []string{it.modifiers[0], d.of("base64", "base64offset"), "contains"}
		}
		it.values = []any{d.of("cmd", "abab", "é1", "x")}
	case 16: // lines
		it.modifiers = []string{"re"}
		it.values = []any{d.of("^cmd$", "a.b", "b$", "^b", "A.*cmd")}
		for _, flag := range []string{"i", "m", "s"} {
			if d.chance(2) {
				it.modifiers = append(it.modifiers, flag)
			}
		}
	case 17:
		it.modifiers = []string{"expand"}
		if d.chance(2) {
			it.modifiers = append([]string{d.of("contains", "startswith", "endswith")}, it.modifiers...)
		}
		it.values = []any{d.of("%names%", "a%names%", "%one%-%names%", "no%such", "%one%")}
	case 0:
		it.modifiers = []string{"re"}
		it.values = []any{d.of("^a.*b", "cmd", `\\`, "a|b", "(?i)CMD", "x[0-9]$", "^$", ".", `a\b`, "long.needle", "é")}
		if d.chance(2) {
			it.modifiers = append(it.modifiers, "i")
		}
	case 1:
		it.modifiers = []string{"cidr"}
		it.values = []any{d.of("192.0.2.0/24", "192.0.0.0/16", "2001:db8::/32", "0.0.0.0/0")}
	case 2:
		it.modifiers = []string{"exists"}
		it.values = []any{d.chance(2)}
	case 3:
		it.modifiers = []string{"fieldref"}
		it.values = []any{d.of(oracleFields...)}
		if d.chance(2) {
			it.modifiers = append(it.modifiers, d.of("contains", "startswith", "endswith"))
		}
	case 4:
		it.modifiers = []string{d.of("gt", "gte", "lt", "lte")}
		it.values = []any{float64(d.IntN(4))}
	case 5:
		it.modifiers = []string{"base64", "contains"}
		if d.chance(2) {
			it.modifiers[0] = "base64offset"
		}
		it.values = []any{d.of("cmd", "powershell", "abab")}
	case 6:
		it.values = []any{nil}
		if d.chance(2) {
			it.values = append(it.values, d.word())
		}
	case 7:
		it.values = []any{float64(d.IntN(12))}
		if d.chance(3) {
			it.values = append(it.values, d.chance(2))
		}
	case 8:
		it.field = ""
		text(3)
		for i, v := range it.values {
			if v == "" {
				it.values[i] = "a"
			}
		}
		if d.chance(2) {
			it.modifiers = []string{"all"}
		}
	case 9:
		text(2)
		it.modifiers = []string{"windash", d.of("contains", "startswith")}
		for i := range it.values {
			it.values[i] = d.of(" -", "/", "", "a-") + d.of("a", "cmd", "b -x") + d.of("", " -q", "*")
		}
	default:
		text(4)
		switch d.IntN(5) {
		case 0:
		case 1:
			it.modifiers = []string{"contains"}
		case 2:
			it.modifiers = []string{"startswith"}
		case 3:
			it.modifiers = []string{"endswith"}
		case 4:
			it.modifiers = []string{"contains"}
			if d.chance(2) {
				it.modifiers = append(it.modifiers, "all")
			}
		}
		if d.chance(4) {
			it.modifiers = append(it.modifiers, "cased")
		}
	}
	if it.field != "" && !slices.Contains(it.modifiers, "exists") && d.chance(10) {
		it.modifiers = append(it.modifiers, "neq")
	}
	return it
}

func (d drawer) rule() *oracleRule {
	r := &oracleRule{searches: map[string][][]oracleItem{}}
	for i := range 1 + d.IntN(4) {
		name := d.of("sel", "filter", "_hidden", "x") + strconv.Itoa(i)
		var alternatives [][]oracleItem
		for range 1 + d.IntN(2)*d.IntN(2) {
			var items []oracleItem
			seen := map[string]bool{}
			for range 1 + d.IntN(3) {
				it := d.item()
				key := it.key()
				if it.field == "" && len(items) > 0 || seen[key] { // keywords stand alone, keys once
					continue
				}
				seen[key] = true
				items = append(items, it)
				if it.field == "" {
					break
				}
			}
			alternatives = append(alternatives, items)
		}
		if len(alternatives) > 1 { // keywords are no part of a list of maps
			alternatives = slices.DeleteFunc(alternatives, func(a []oracleItem) bool { return a[0].field == "" && len(a[0].modifiers) == 0 })
			if len(alternatives) == 0 {
				alternatives = [][]oracleItem{{{field: "f0", values: []any{"a"}}}}
			}
		}
		r.names = append(r.names, name)
		r.searches[name] = alternatives
	}
	condition, holds := d.condition(r.names, 3)
	r.holds = holds
	r.text = r.yaml(condition)
	return r
}

// condition draws a condition and what it means.
func (d drawer) condition(names []string, depth int) (string, func(func(string) bool) bool) {
	quantified := func(pattern string, all bool) func(func(string) bool) bool {
		return func(search func(string) bool) bool {
			n, met := 0, 0
			for _, name := range names {
				if pattern == "them" && !strings.HasPrefix(name, "_") || pattern != "them" && strings.HasPrefix(name, strings.TrimSuffix(pattern, "*")) {
					n++
					if search(name) {
						met++
					}
				}
			}
			if all {
				return met == n
			}
			return met > 0
		}
	}
	if depth == 0 || d.chance(3) {
		if d.chance(3) {
			patterns := []string{}
			for _, name := range names {
				patterns = append(patterns, strings.TrimRight(name, "0123456789")+"*")
				if !strings.HasPrefix(name, "_") {
					patterns = append(patterns, "them")
				}
			}
			pattern := d.of(patterns...)
			all := d.chance(2)
			if all {
				return "all of " + pattern, quantified(pattern, true)
			}
			return d.of("1 of ", "any of ") + pattern, quantified(pattern, false)
		}
		name := d.of(names...)
		return name, func(search func(string) bool) bool { return search(name) }
	}
	a, left := d.condition(names, depth-1)
	switch d.IntN(4) {
	case 0:
		return "not (" + a + ")", func(s func(string) bool) bool { return !left(s) }
	case 1:
		b, right := d.condition(names, depth-1)
		return "(" + a + ") and (" + b + ")", func(s func(string) bool) bool { return left(s) && right(s) }
	case 2:
		b, right := d.condition(names, depth-1)
		return "(" + a + ") or (" + b + ")", func(s func(string) bool) bool { return left(s) || right(s) }
	}
	// Without parentheses: not binds tighter than and, and tighter than or.
	x, y, z := d.of(names...), d.of(names...), d.of(names...)
	return x + " or not " + y + " and " + z, func(s func(string) bool) bool { return s(x) || !s(y) && s(z) }
}

func (it *oracleItem) key() string {
	return strings.Join(append([]string{it.field}, it.modifiers...), "|")
}

// yaml writes the rule; every string is double-quoted.
func (r *oracleRule) yaml(condition string) string {
	var s strings.Builder
	s.WriteString("title: t\nlogsource: {product: p}\ndetection:\n")
	value := func(v any) string {
		switch v := v.(type) {
		case nil:
			return "null"
		case string:
			return strconv.Quote(v)
		}
		return fmt.Sprint(v)
	}
	for _, name := range r.names {
		alternatives := r.searches[name]
		fmt.Fprintf(&s, "  %s:\n", name)
		for _, items := range alternatives {
			if items[0].key() == "" {
				for _, v := range items[0].values {
					fmt.Fprintf(&s, "    - %s\n", value(v))
				}
				continue
			}
			lead := "    "
			if len(alternatives) > 1 {
				lead = "    - "
			}
			for _, it := range items {
				fmt.Fprintf(&s, "%s%s:\n", lead, strconv.Quote(it.key()))
				for _, v := range it.values {
					fmt.Fprintf(&s, "%s  - %s\n", strings.Repeat(" ", len(lead)), value(v))
				}
				lead = strings.Repeat(" ", len(lead))
			}
		}
	}
	fmt.Fprintf(&s, "  condition: %s\n", condition)
	return s.String()
}

// matches is the rule's meaning.
func (r *oracleRule) matches(e oracleEvent) bool {
	return r.holds(func(name string) bool {
		return slices.ContainsFunc(r.searches[name], func(items []oracleItem) bool {
			return !slices.ContainsFunc(items, func(it oracleItem) bool { return !it.matches(e) })
		})
	})
}

// count notes the modifiers of items that hold.
func (r *oracleRule) count(e oracleEvent, held map[string]int) {
	for _, alternatives := range r.searches {
		for _, items := range alternatives {
			for _, it := range items {
				if len(it.modifiers) > 0 && it.matches(e) {
					for _, m := range it.modifiers {
						held[m]++
					}
				}
			}
		}
	}
}

func (it *oracleItem) matches(e oracleEvent) bool {
	met := 0
	for _, v := range it.values {
		if it.value(v, e) {
			met++
		}
	}
	ok := met > 0
	if slices.Contains(it.modifiers, "all") {
		ok = met == len(it.values)
	}
	if slices.Contains(it.modifiers, "neq") {
		return !ok
	}
	return ok
}

func (it *oracleItem) value(v any, e oracleEvent) bool {
	have, present := e.fields[it.field]
	if it.field == "" {
		for _, values := range e.fields {
			have = append(have, values...)
		}
		if e.message != "" {
			have = append(have, e.message)
		}
	}
	is := func(m string) bool { return slices.Contains(it.modifiers, m) }
	some := func(f func(s string) bool) bool { return slices.ContainsFunc(have, f) }
	number := func(s string) (float64, bool) {
		if hex, ok := strings.CutPrefix(s, "0x"); ok { // as Windows writes some
			n, err := strconv.ParseUint(hex, 16, 64)
			return float64(n), err == nil
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return n, err == nil
	}
	switch {
	case is("exists"):
		return present == v.(bool)
	case v == nil:
		return len(have) == 0
	case is("re"):
		src := v.(string)
		for _, flag := range []string{"i", "m", "s"} {
			if is(flag) {
				src = "(?" + flag + ")" + src
			}
		}
		return some(regexp.MustCompile(src).MatchString)
	case is("cidr"):
		network := netip.MustParsePrefix(v.(string))
		return some(func(s string) bool {
			a, err := netip.ParseAddr(s)
			return err == nil && network.Contains(a.Unmap())
		})
	case is("fieldref"):
		return some(func(s string) bool {
			return slices.ContainsFunc(e.fields[v.(string)], func(other string) bool {
				s, other := oracleFold(s), oracleFold(other)
				switch {
				case is("contains"):
					return strings.Contains(s, other)
				case is("startswith"):
					return strings.HasPrefix(s, other)
				case is("endswith"):
					return strings.HasSuffix(s, other)
				}
				return s == other
			})
		})
	}
	if n, ok := v.(float64); ok {
		return some(func(s string) bool {
			have, ok := number(s)
			for _, part := range []string{"minute", "hour", "day", "week", "month", "year"} {
				if is(part) {
					have, ok = oraclePart(s, part)
				}
			}
			switch {
			case !ok:
				return false
			case is("gt"):
				return have > n
			case is("gte"):
				return have >= n
			case is("lt"):
				return have < n
			case is("lte"):
				return have <= n
			}
			return have == n
		})
	}
	if b, ok := v.(bool); ok {
		v = fmt.Sprint(b)
	}
	patterns := [][]any{oraclePattern(v.(string))}
	wide := func(order ...string) bool { return slices.ContainsFunc(order, is) }
	if wide("wide", "utf16le", "utf16be", "utf16") { // the rule's text is plain here: no escapes
		s := oracleWide(v.(string), is("utf16be"))
		if is("utf16") {
			s = "\xff\xfe" + s
		}
		v = s
		patterns = [][]any{oracleText(s)}
	}
	if is("expand") {
		patterns = nil
		for _, s := range oracleExpand(v.(string)) {
			patterns = append(patterns, oraclePattern(s))
		}
	}
	switch {
	case is("base64"):
		patterns = [][]any{oracleText(base64.StdEncoding.EncodeToString([]byte(v.(string))))}
	case is("base64offset"):
		patterns = nil
		for lead := range 3 { // the characters that do not depend on what is before and after
			s := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", lead) + v.(string)))
			start, end := []int{0, 2, 3}[lead], len(s)-[]int{0, 3, 2}[(lead+len(v.(string)))%3]
			patterns = append(patterns, oracleText(s[start:end]))
		}
	case is("windash"):
		patterns = oracleWindash(patterns[0])
	}
	return slices.ContainsFunc(patterns, func(p []any) bool {
		if is("contains") || is("startswith") || it.field == "" {
			p = append(slices.Clip(p), '*')
		}
		if is("contains") || is("endswith") || it.field == "" {
			p = append([]any{'*'}, p...)
		}
		return some(func(s string) bool {
			p := p
			if !is("cased") {
				s = oracleFold(s)
				p = slices.Clone(p)
				for i := range p {
					if text, ok := p[i].(string); ok {
						p[i] = oracleFold(text)
					}
				}
			}
			return oracleLike(p, []rune(s))
		})
	})
}

// oracleNames are the values of placeholders.
var oracleNames = map[string][]string{"names": {"first", "Second*", "ab"}, "one": {"first"}}

// oracleExpand puts every value in the place of every placeholder.
func oracleExpand(s string) []string {
	for name, values := range oracleNames {
		if before, after, ok := strings.Cut(s, "%"+name+"%"); ok {
			var out []string
			for _, v := range values {
				out = append(out, oracleExpand(before+v+after)...)
			}
			return out
		}
	}
	return []string{s}
}

// oracleWide writes text in UTF-16.
func oracleWide(s string, bigEndian bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if bigEndian {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// oraclePart reads a part of a date as it stands, whatever its zone.
func oraclePart(s, part string) (float64, bool) {
	m := oracleDate.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	at := func(i int) int {
		n, _ := strconv.Atoi(m[i])
		return n
	}
	switch part {
	case "minute":
		return float64(at(5)), true
	case "hour":
		return float64(at(4)), true
	case "day":
		return float64(at(3)), true
	case "month":
		return float64(at(2)), true
	case "year":
		return float64(at(1)), true
	}
	_, week := time.Date(at(1), time.Month(at(2)), at(3), 0, 0, 0, 0, time.UTC).ISOWeek()
	return float64(week), true
}

var oracleDate = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):.*)?$`)

// oraclePattern reads a value's escapes: characters as strings, wildcards as runes.
func oraclePattern(s string) (out []any) {
	r := []rune(s)
	for i := 0; i < len(r); i++ {
		switch {
		case r[i] == '\\' && i+1 < len(r) && strings.ContainsRune(`*?\`, r[i+1]):
			i++
			out = append(out, string(r[i]))
		case r[i] == '*' || r[i] == '?':
			out = append(out, r[i])
		default:
			out = append(out, string(r[i]))
		}
	}
	return out
}

func oracleText(s string) (out []any) {
	for _, r := range s {
		out = append(out, string(r))
	}
	return out
}

func oracleLike(p []any, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case '*':
		return oracleLike(p[1:], s) || len(s) > 0 && oracleLike(p, s[1:])
	case '?':
		return len(s) > 0 && oracleLike(p[1:], s[1:])
	}
	return len(s) > 0 && p[0] == string(s[0]) && oracleLike(p[1:], s[1:])
}

// oracleWindash puts each of the dashes in place of one that is at a word's beginning and does not follow a word.
func oracleWindash(p []any) [][]any {
	isWord := func(i int) bool {
		if i < 0 || i >= len(p) {
			return false
		}
		s, ok := p[i].(string)
		return ok && oracleWord.MatchString(s)
	}
	out := [][]any{nil}
	for i, c := range p {
		choices := []any{c}
		if (c == "-" || c == "/") && isWord(i+1) && !isWord(i-1) {
			choices = []any{"-", "/", "\u2013", "\u2014", "\u2015"}
		}
		var next [][]any
		for _, o := range out {
			for _, c := range choices {
				next = append(next, append(slices.Clip(o), c))
			}
		}
		out = next
	}
	return out
}

// oracleFold makes letters alike that differ in case alone.
func oracleFold(s string) string {
	return strings.Map(func(r rune) rune {
		if f, ok := oracleFolds[r]; ok {
			return f
		}
		folded := r
		for _, a := range "abcdefghijklmnopqrstuvwxyzéж" {
			if strings.EqualFold(string(r), string(a)) {
				folded = a
			}
		}
		oracleFolds[r] = folded
		return folded
	}, s)
}

var (
	oracleFolds = map[rune]rune{}
	oracleWord  = regexp.MustCompile(`^[\pL\pN_]$`)
)

// The compiled matcher, with many rules at once, and the explanation of each agree with the specification on every rule and event.
func TestEngineAgreesWithTheSpecification(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	pairs, matched := 0, 0
	held := map[string]int{} // by modifier: how often an item with it held
	for seed := range rounds {
		d := drawer{rand.New(rand.NewPCG(uint64(seed), 4))}
		var meant []*oracleRule
		var rules []*sigma.Rule
		for range 20 {
			r := d.rule()
			parsed, errs := sigma.Parse("r.yml", []byte(r.text))
			if len(errs) > 0 {
				t.Fatalf("seed %d: %v\n%s", seed, errs, r.text)
			}
			meant, rules = append(meant, r), append(rules, parsed...)
		}
		engine := sigma.Compile(rules, sigma.Options{Placeholders: oracleNames})
		for _, f := range engine.Report().Failed {
			i := slices.IndexFunc(rules, func(r *sigma.Rule) bool { return r.Line == f.Line && r.File == f.File })
			t.Fatalf("seed %d: %v (%d)", seed, f, i)
		}
		sources := engine.SourcesOf(sigma.LogSource{Product: "p"})
		m := engine.NewMatcher()
		for range 60 {
			e := d.event(meant[d.IntN(len(meant))])
			given := map[string]any{}
			for name, values := range e.fields {
				switch len(values) {
				case 0:
					given[name] = nil
				case 1:
					given[name] = values[0]
				default:
					given[name] = values
				}
			}
			found := map[*sigma.Rule]bool{}
			for _, x := range m.MatchMap(sources, given, e.message) {
				found[x.Rule] = true
			}
			for i, r := range rules {
				meant[i].count(e, held)
				pairs++
				want := meant[i].matches(e)
				if want {
					matched++
				}
				x, err := engine.Explain(r, sources, given, e.message)
				if err != nil {
					t.Fatal(err)
				}
				if found[r] != want || x.Matched != want {
					t.Fatalf("seed %d: matcher %t, explanation %t, specification %t\n%s\nevent %q message %q", seed, found[r], x.Matched, want, meant[i].text, e.fields, e.message)
				}
			}
		}
	}
	if matched < pairs/20 || matched > pairs*19/20 {
		t.Errorf("%d of %d pairs match: the test shows little", matched, pairs)
	}
	for _, m := range []string{"all", "neq", "cased", "contains", "startswith", "endswith", "re", "i", "m", "s", "cidr", "exists", "fieldref", "gt", "gte", "lt", "lte", "base64", "base64offset",
		"wide", "utf16le", "utf16be", "utf16", "windash", "expand", "minute", "hour", "day", "week", "month", "year"} {
		if held[m] == 0 && !testing.Short() {
			t.Errorf("no item with the modifier %s held: the test shows nothing of it", m)
		}
	}
	t.Logf("%d pairs of rule and event, %d of them match", pairs, matched)
}

// A filter is joined to the rules it names by AND, whatever it and they are made of; to others it does nothing.
func TestFiltersAgreeWithTheSpecification(t *testing.T) {
	pairs, filtered := 0, 0
	for seed := range 60 {
		d := drawer{rand.New(rand.NewPCG(uint64(seed), 9))}
		var meant, filters []*oracleRule
		var text strings.Builder
		for i := range 6 {
			r := d.rule()
			meant = append(meant, r)
			fmt.Fprintf(&text, "id: r%d\nname: n%d\n%s---\n", i, i, r.text)
		}
		targets := [][]string{{"r0"}, {"n1", "r2"}, {"any"}}
		if seed%2 == 0 {
			targets[2] = []string{"r2", "r3"}
		}
		for i, names := range targets {
			f := d.rule()
			filters = append(filters, f)
			body := strings.Replace(f.text, "detection:\n", "filter:\n  rules: ["+strings.Join(names, ", ")+"]\n", 1)
			fmt.Fprintf(&text, "id: f%d\n%s---\n", i, body)
		}
		rules, errs := sigma.Parse("r.yml", []byte(text.String()))
		if len(errs) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, errs, text.String())
		}
		engine := sigma.Compile(rules, sigma.Options{Placeholders: oracleNames})
		if failed := engine.Report().Failed; len(failed) > 0 {
			t.Fatal(failed[0])
		}
		m := engine.NewMatcher()
		for range 40 {
			e := d.event(meant[d.IntN(len(meant))])
			given := map[string]any{}
			for name, values := range e.fields {
				given[name] = nil
				if len(values) > 0 {
					given[name] = values
				}
			}
			found := map[string]bool{}
			for _, x := range m.MatchMap(engine.SourcesOf(sigma.LogSource{Product: "p"}), given, e.message) {
				found[x.Rule.ID] = true
			}
			for i, r := range meant {
				pairs++
				id, name := fmt.Sprint("r", i), fmt.Sprint("n", i)
				want := r.matches(e)
				bare := want
				for k, names := range targets {
					if slices.Contains(names, id) || slices.Contains(names, name) || names[0] == "any" {
						want = want && filters[k].matches(e)
					}
				}
				if bare != want {
					filtered++
				}
				if found[id] != want {
					t.Fatalf("seed %d: rule %s: matcher %t, specification %t\n%s\nevent %q message %q", seed, id, found[id], want, text.String(), e.fields, e.message)
				}
			}
		}
	}
	if filtered == 0 {
		t.Error("no filter took a match away: the test shows nothing")
	}
	t.Logf("%d pairs of rule and event; filters took %d matches away", pairs, filtered)
}
