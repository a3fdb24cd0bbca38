package sigma

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// A matcher that has seen values before says the same of them as a new one, also of values that have the place of others.
func TestValuesSeenBeforeMatchAsNewOnes(t *testing.T) {
	var text strings.Builder
	r := rand.New(rand.NewPCG(5, 5))
	word := func() string { return []string{"alpha", "beta", "GAMMA", "delta.exe", "ünder", "x"}[r.IntN(6)] }
	for i := range 40 {
		op := []string{"contains", "startswith", "endswith", "contains|all"}[i%4]
		fmt.Fprintf(&text, "name: r%d\ndetection: {s: {%c|%s: ['%s', '%s%s']}, condition: s}\n---\n", i, 'a'+i%3, op, word(), word(), word())
	}
	text.WriteString("name: number\ndetection: {s: {a: 123456}, k: [deltadelta, alphabet], condition: s or k}\n")
	eng := compileOne(t, text.String(), Options{})
	sources := eng.SourcesOf(LogSource{})
	m := eng.NewMatcher()
	matched := 0
	for i := range 3 * memoTrial {
		e := ev{}
		for _, f := range []string{"a", "b", "c"} {
			v := word() + word() + word()
			if i > memoTrial && f == "c" { // from now on they do not repeat
				v += fmt.Sprint(i)
			}
			e[f] = v
		}
		if i%7 == 0 {
			e["a"] = "123456"
		}
		got, want := m.MatchMap(sources, e, ""), eng.NewMatcher().MatchMap(sources, e, "")
		if matched += len(got); !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d, %v: %v, by a new matcher %v", i, e, got, want)
		}
	}
	if matched == 0 {
		t.Error("nothing matched")
	}
}

// Automata are made when an event first needs them: matchers that need the same ones at the same time agree with one that is alone.
func TestMatchersSideBySideAgree(t *testing.T) {
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, "name: r%d\nlogsource: {category: c%d}\ndetection: {s: {f%d|contains: 'needle%d'}, k: ['word%d'], condition: s or k}\n---\n", i, i%5, i%7, i%3, i%4)
	}
	rules, errs := Parse("rules.yml", []byte(text.String()))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	events := func(m *Matcher, e *Engine) (out []string) {
		for i := range 400 {
			field := fmt.Sprintf("f%d", i%7)
			for _, match := range m.MatchMap(e.SourcesOf(LogSource{Category: fmt.Sprintf("c%d", i%5)}), ev{field: fmt.Sprintf("a needle%d, word%d", i%3, i%9)}, "") {
				out = append(out, fmt.Sprint(i, match.Rule.Name))
			}
		}
		return out
	}
	alone := Compile(rules, Options{})
	want := events(alone.NewMatcher(), alone)
	if len(want) == 0 {
		t.Fatal("nothing matched")
	}
	together := Compile(rules, Options{})
	got := make([][]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = events(together.NewMatcher(), together) })
	}
	all.Wait()
	for i := range got {
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("matcher %d: %d matches, alone %d", i, len(got[i]), len(want))
		}
	}
}

// A skipper finds the needles that strings.Contains finds.
func TestSkipperFindsAllNeedles(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcd"[r.IntN(4)]
		}
		return string(b)
	}
	used := 0
	for range 300 {
		var needles []needle
		start := letters(4)
		for i := range 1 + r.IntN(30) {
			n := start + letters(r.IntN(6))
			if r.IntN(3) == 0 {
				n = letters(skipLeast + r.IntN(20))
			}
			needles = append(needles, needle{n, []int32{int32(i)}})
		}
		k := newSkipper(needles)
		if k == nil {
			t.Fatal("no skipper for few needles")
		}
		for range 20 {
			text := letters(r.IntN(30)) + needles[r.IntN(len(needles))].text + letters(r.IntN(9))
			m := &Matcher{recording: true}
			scanSkip(k, strings.ToUpper(text), m)
			for i, n := range needles {
				found := false
				for _, p := range m.recorded {
					found = found || p == int32(i)
				}
				if found != strings.Contains(text, n.text) {
					t.Fatalf("%q in %q: %v", n.text, text, found)
				}
				if found {
					used++
				}
			}
		}
	}
	if used == 0 {
		t.Error("nothing was found")
	}
}

func TestSkipperLeavesShortAndManyNeedlesToTheAutomaton(t *testing.T) {
	if newSkipper([]needle{{"abc", nil}}) != nil {
		t.Error("a needle shorter than the least window has a skipper")
	}
	var many []needle
	for i := range 1000 {
		many = append(many, needle{fmt.Sprintf("%04d", i*7), nil})
	}
	if newSkipper(many) != nil {
		t.Error("needles that begin in a thousand ways have a skipper")
	}
}

// The same value in events of other logs is looked through for those logs' keywords, also when it was seen before.
func TestKeywordsOfEachLogAreFoundInValuesSeenBefore(t *testing.T) {
	mapping, err := ParseMapping("m.yml", []byte("logs:\n  - {name: one, product: one}\n  - {name: two, product: two}\n  - {name: three, product: three}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, errs := Parse("r.yml", []byte(`
title: k1
logsource: {product: one}
detection: {k: [alphabet, 'plain words'], condition: k}
---
title: k2
logsource: {product: two}
detection: {k: [betamax], s: {f|contains: alphabet}, condition: k or s}
---
title: k3
logsource: {product: three}
detection: {s: {f|endswith: words}, condition: s}
---
title: k4
logsource: {product: two}
detection: {k: {'|re': 'b.tam'}, condition: not k}
`))
	for _, e := range errs {
		t.Fatal(e)
	}
	eng := Compile(rules, Options{Mapping: mapping})
	m := eng.NewMatcher()
	r := rand.New(rand.NewPCG(2, 2))
	found := map[string]int{}
	for i := range 3000 {
		var sources []SourceID
		for s := range SourceID(3) {
			if r.IntN(2) == 0 {
				sources = append(sources, s)
			}
		}
		e := ev{"f": []string{"alphabet soup", "betamax tapes", "some plain words", "nothing at all"}[r.IntN(4)], "g": []string{"betamax tapes", "other"}[r.IntN(2)]}
		got, want := m.MatchMap(sources, e, ""), eng.NewMatcher().MatchMap(sources, e, "")
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("event %d, %v of %v: %v, by a new matcher %v", i, e, sources, got, want)
		}
		for _, x := range got {
			found[x.Rule.Title]++
			if ex, err := eng.Explain(x.Rule, sources, e, ""); err != nil || !ex.Matched {
				t.Fatalf("%s matches %v of %v, and is explained as %+v, %v", x.Rule.Title, e, sources, ex, err)
			}
		}
	}
	for _, title := range []string{"k1", "k2", "k3", "k4"} {
		if found[title] == 0 {
			t.Errorf("%s never matched", title)
		}
	}
}
