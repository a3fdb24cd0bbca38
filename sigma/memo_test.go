package sigma

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
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
