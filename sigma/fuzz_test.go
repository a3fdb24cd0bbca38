package sigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	f.Add(rule("F|contains|all:\n  - a\n  - 1\n  - null"))
	f.Add(corrRules + "name: x\ncorrelation: {type: value_count, rules: [a], group-by: [u], timespan: 1m, condition: {field: u, gte: 2}}")
	f.Add("action: global\ntitle: x\n---\ndetection: {s: [a, {b: c}], condition: 1 of s*}\n---\naction: repeat\nlevel: low\n")
	f.Add("a: &a [*a]\n---\n<<: {x: y}\ndetection: {s: {A|re|i: '^(?!x)[[:alpha:]]'}, condition: s}")
	f.Add("filter: {rules: any, s: {A|windash|expand: '%x% -a'}, condition: not s}\nlogsource: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, errs := Parse("f.yml", []byte(text))
		for _, e := range errs {
			if e.File != "f.yml" || e.Err == nil {
				t.Errorf("%+v", e)
			}
		}
		eng := Compile(rules, Options{Placeholders: map[string][]string{"x": {"1", "*"}}})
		rep := eng.Report()
		if rep.Active+len(rep.Unmapped)+len(rep.Failed) != len(rules) {
			t.Errorf("%d rules, report %+v", len(rules), rep)
		}
		m := eng.NewMatcher()
		event := ev{"A": "x1", "F": []any{"a", nil}, "u": "1"}
		for _, r := range rules {
			if r.Detection == nil {
				continue
			}
			sources := eng.SourcesOf(r.LogSource)
			matched := slices.ContainsFunc(m.MatchMap(sources, event, "msg"), func(x Match) bool { return x.Rule == r })
			if x, err := eng.Explain(r, sources, event, "msg"); err == nil && x.Matched != matched {
				t.Errorf("matcher %v, explanation %v: %s", matched, x.Matched, text)
			}
		}
		NewCorrelator(eng, CorrelatorOptions{})
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"a1 and not 1 of a*", "all of them or (b)", "2 of them", "not not (a1)", "1 of", "((", "a1 or or"} {
		f.Add(s)
	}
	names := []string{"a1", "a2", "b", "_h"}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parseCondition(s, names, func(n string) *expr {
			if slices.Contains(names, n) {
				return &expr{kind: exprLeaf, test: &test{field: n, op: opAny}}
			}
			return nil
		})
		if (x == nil) == (err == nil) {
			t.Fatalf("%q: %v %v", s, x, err)
		}
		if err == nil {
			newView(&Log{}, ev{"a1": "x"}, "").eval(x)
		}
	})
}

// naiveMatch is the obvious recursive wildcard matcher.
func naiveMatch(p []rune, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case '*':
		for i := range len(s) + 1 {
			if naiveMatch(p[1:], s[i:]) {
				return true
			}
		}
		return false
	case '?':
		return len(s) > 0 && naiveMatch(p[1:], s[1:])
	}
	return len(s) > 0 && s[0] == p[0] && naiveMatch(p[1:], s[1:])
}

func FuzzWildcards(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*a?*", "äaß")
	f.Add("??", "é")
	f.Add("*ab*ab", "ababab")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 12 || len(s) > 24 || strings.Contains(p, `\`) || !utf8.ValidString(p) || !utf8.ValidString(s) {
			return
		}
		if got, want := parsePattern(p).match(s), naiveMatch([]rune(p), []rune(s)); got != want {
			t.Errorf("%q on %q: %v, want %v", p, s, got, want)
		}
		if q := parsePattern(parsePattern(p).String()); q.String() != parsePattern(p).String() || q.match(s) != parsePattern(p).match(s) {
			t.Errorf("%q is written as %q", p, q)
		}
	})
}

func FuzzRegexp(f *testing.F) {
	for _, s := range []string{`^(?!a)b`, `foo(?!\d)`, `(?<=ab)c`, `[\h]\R\Q*\E`, `a(?#x)b`, `(?<!x)(y|z)`, `\s[]a]`, "`?e`?n`?v"} {
		f.Add(s, "foo1 ab c")
		f.Add(`\s[a-f\d]{4}[é-ü]{5}\.[ "']x`, " abcd éüéüé. x")
	}
	f.Fuzz(func(t *testing.T, re, s string) {
		r, err := translateRegexp(re, "i")
		if err != nil {
			return
		}
		if r.re.MatchString(s) { // what is said to be required must be there
			if len(s) < r.short {
				t.Errorf("%q matches %q, which is shorter than %d", re, s, r.short)
			}
			if r.run != nil && utf8.ValidString(s) && !r.run.within(s) {
				t.Errorf("%q matches %q, which has no stretch of %d", re, s, r.run.min)
			}
			for _, any := range r.lits {
				if utf8.ValidString(s) && !slices.ContainsFunc(any, func(l string) bool { return strings.Contains(fold(s), l) }) {
					t.Errorf("%q matches %q, which has none of %q", re, s, any)
				}
			}
		}
	})
}

// FuzzMatcher makes rules of needles and modifiers and compares the compiled matcher with evaluating value by value.
func FuzzMatcher(f *testing.F) {
	f.Add(uint64(1), "abcab", "cABc")
	f.Add(uint64(2), "ÄäKſ", "äk\u212asS")
	f.Add(uint64(3), "a\xffb", "\xffA")
	f.Add(uint64(4), strings.Repeat("ab", 60), strings.Repeat("AB", 70))
	f.Fuzz(func(t *testing.T, seed uint64, needles, text string) {
		r := rand.New(rand.NewPCG(seed, 1))
		piece := func(s string, longest int) string {
			if s == "" {
				return ""
			}
			at := r.IntN(len(s))
			return s[at:min(len(s), at+r.IntN(longest+1))]
		}
		var rules []*Rule
		for i := range 1 + r.IntN(20) {
			d := &Detection{Conditions: []string{[]string{"1 of s*", "all of s*", "s0 and not s1", "s0 or not s1", "not 1 of s*", "2 of s*"}[r.IntN(6)]}}
			for j := range 3 {
				it := Item{Field: []string{"F", "G", "H", ""}[r.IntN(4)]}
				for range 1 + r.IntN(3) {
					it.Values = append(it.Values, Value{Text: piece(needles, []int{2, 6, 40}[r.IntN(3)])})
				}
				for _, m := range []string{"contains", "startswith", "endswith", "cased", "all", "neq"} {
					if r.IntN(3) == 0 {
						it.Modifiers = append(it.Modifiers, m)
					}
				}
				d.Searches = append(d.Searches, Search{Name: fmt.Sprint("s", j), Alternatives: []Alternative{{Items: []Item{it}}}})
			}
			rules = append(rules, &Rule{Title: fmt.Sprint(i), Detection: d})
		}
		eng := Compile(rules, Options{})
		m := eng.NewMatcher()
		for range 5 {
			event := ev{}
			for _, field := range []string{"F", "G", "H"} {
				switch r.IntN(5) {
				case 0:
				case 1:
					event[field] = nil
				case 2:
					event[field] = []any{piece(text, 80), piece(needles, 80)}
				default:
					event[field] = piece(text+needles, 200)
				}
			}
			message := piece(text, 50)
			matched := map[*Rule]bool{}
			for _, x := range m.MatchMap(eng.SourcesOf(LogSource{}), event, message) {
				matched[x.Rule] = true
			}
			view := newView(&eng.mapping.Logs[0], event, message)
			for i, rule := range rules {
				if want := view.eval(eng.logics[i]); matched[rule] != want {
					t.Fatalf("matcher %v, evaluation %v\nrule %+v\nevent %q %q", matched[rule], want, rule.Detection, event, message)
				}
			}
		}
	})
}

// FuzzAutomata compares the automata with the functions of package strings.
func FuzzAutomata(f *testing.F) {
	f.Add("ab\nbc\nabc\ncab", "xxabcabx")
	f.Add("a\naa\naaa", strings.Repeat("a", 200))
	f.Add("needle that is long\nx", strings.Repeat(".", 90)+"needle that is long"+strings.Repeat(".", 90))
	f.Fuzz(func(t *testing.T, list, text string) {
		text = fold(text)
		var needles []needle
		for _, n := range strings.Split(fold(list), "\n") {
			if n != "" && len(needles) < 200 {
				needles = append(needles, needle{n, []int32{int32(len(needles))}})
			}
		}
		if len(needles) == 0 {
			return
		}
		e := &Engine{preds: make([]predicate, len(needles)), triggers: packOutputs(make([][]int32, len(needles)))}
		inside := newDFA(needles)
		start, end := newTrie(needles, nil, false), newTrie(needles, nil, true)
		whole := newTrie(nil, needles, false)
		m := e.NewMatcher()
		for what, run := range map[string]struct {
			scan func()
			want func(n string) bool
		}{
			"contains": {func() { scanDFA(inside, text, m) }, func(n string) bool { return strings.Contains(text, n) }},
			"bytes":    {func() { scanDFA(inside, []byte(text), m) }, func(n string) bool { return strings.Contains(text, n) }},
			"starts":   {func() { scanStart(start, text, m) }, func(n string) bool { return strings.HasPrefix(text, n) }},
			"ends":     {func() { scanEnd(end, text, m) }, func(n string) bool { return strings.HasSuffix(text, n) }},
			"equals":   {func() { scanStart(whole, text, m) }, func(n string) bool { return text == n }},
		} {
			m.Reset(nil)
			run.scan()
			for i, n := range needles {
				if got := m.on.has(int32(i)); got != run.want(n.text) {
					t.Fatalf("%s %q in %q: %v", what, n.text, text, got)
				}
			}
		}
	})
}

func TestFoldingAgreesWithEqualFold(t *testing.T) {
	for r := rune(0); r <= 0x1ffff; r++ { // beyond are no letters with case
		a := string(r)
		for _, b := range []string{strings.ToUpper(a), strings.ToLower(a)} {
			if (fold(a) == fold(b)) != strings.EqualFold(a, b) {
				t.Fatalf("%q %q", a, b)
			}
		}
	}
}
