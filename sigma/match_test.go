package sigma

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// compileOne compiles one rule for any log and fails the test if it cannot be used.
func compileOne(t testing.TB, text string, opt Options) *Engine {
	t.Helper()
	rules, errs := Parse("rule.yml", []byte(text))
	for _, e := range errs {
		t.Fatal(e)
	}
	eng := Compile(rules, opt)
	for _, e := range eng.Report().Failed {
		t.Fatal(e)
	}
	return eng
}

// fires reports whether the first rule matches an event, after checking that the matcher and the slow evaluation behind Explain agree.
func fires(t testing.TB, eng *Engine, event map[string]any, message string) bool {
	t.Helper()
	sources := eng.SourcesOf(eng.Rules()[0].LogSource)
	got := len(eng.NewMatcher().MatchMap(sources, event, message)) > 0
	x, err := eng.Explain(eng.Rules()[0], sources, event, message)
	if err != nil {
		t.Fatal(err)
	}
	if x.Matched != got {
		t.Errorf("matcher says %v, explanation says %v: %+v", got, x.Matched, x)
	}
	if x.Matched == (len(x.Changes) > 0) {
		t.Errorf("matched %v, changes %q", x.Matched, x.Changes)
	}
	return got
}

func rule(search string) string {
	return "title: t\nlogsource: {}\ndetection:\n  s:\n" + indent(search, "    ") + "\n  condition: s\n"
}

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+by)
}

type ev = map[string]any

func TestSearchesMatchAsTheSpecificationSays(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	wide := func(s string) string {
		out := ""
		for _, r := range s {
			out += string(r) + "\x00"
		}
		return out
	}
	for _, c := range []struct {
		name, search string
		yes, no      []ev
	}{
		{"values compare without regard to case", `F: 'CMD.exe'`, []ev{{"F": "cmd.EXE"}, {"F": []any{"x", "Cmd.Exe"}}}, []ev{{"F": "cmd.exe "}, {"F": ""}, {}, {"F": nil}, {"G": "cmd.exe"}}},
		{"beyond ASCII as well", `F: 'STRAßE ÄÖÜ K'`, []ev{{"F": "straße äöü k"}, {"F": "straße äöü \u212a"}}, []ev{{"F": "strasse äöü k"}}},
		{"cased compares exactly", `F|cased: 'CmD'`, []ev{{"F": "CmD"}}, []ev{{"F": "cmd"}, {"F": "CmD "}}},
		{"cased with contains", `F|contains|cased: 'CmD'`, []ev{{"F": "a CmD b"}}, []ev{{"F": "a cmd b"}}},
		{"cased with startswith", `F|startswith|cased: 'CmD'`, []ev{{"F": "CmD b"}}, []ev{{"F": "cmd b"}, {"F": "a CmD"}}},
		{"cased with endswith", `F|cased|endswith: 'CmD'`, []ev{{"F": "a CmD"}}, []ev{{"F": "a cmd"}}},
		{"cased with wildcards", `F|cased: 'C*D?e'`, []ev{{"F": "CxxDxe"}}, []ev{{"F": "cxxdxe"}}},

		{"a star is any text", `F: 'a*b'`, []ev{{"F": "ab"}, {"F": "A--B"}}, []ev{{"F": "abc"}, {"F": "xab"}}},
		{"a question mark is one character", `F: 'prog?.exe'`, []ev{{"F": "progA.exe"}, {"F": "progÄ.exe"}}, []ev{{"F": "prog.exe"}, {"F": "progAB.exe"}}},
		{"a star alone wants a value, even an empty one", `F: '*'`, []ev{{"F": ""}, {"F": "x"}}, []ev{{}, {"F": nil}}},
		{"question marks and stars together", `F: '??*x'`, []ev{{"F": "abx"}, {"F": "abcx"}}, []ev{{"F": "ax"}}},

		{"a backslash is itself before other characters", `F: 'C:\Windows\x'`, []ev{{"F": `c:\windows\x`}}, []ev{{"F": `c:windowsx`}}},
		{"two backslashes are one", `F: 'C:\\Windows'`, []ev{{"F": `C:\Windows`}}, []ev{{"F": `C:\\Windows`}}},
		{"three and four backslashes are two", "- F: 'a\\\\\\b'\n- F: 'c\\\\\\\\d'", []ev{{"F": `a\\b`}, {"F": `c\\d`}}, []ev{{"F": `a\b`}, {"F": `a\\\b`}, {"F": `c\d`}}},
		{"an escaped star is a star", `F: 'a\*b'`, []ev{{"F": "a*b"}}, []ev{{"F": "axb"}, {"F": `a\xb`}}},
		{"an escaped question mark is one", `F: 'a\?b'`, []ev{{"F": "a?b"}}, []ev{{"F": "axb"}}},
		{"two backslashes and a star are a backslash and a wildcard", `F: 'a\\*b'`, []ev{{"F": `a\xxb`}, {"F": `a\b`}}, []ev{{"F": "axb"}, {"F": "a*b"}}},
		{"three backslashes and a star are a backslash and a star", `F: 'a\\\*b'`, []ev{{"F": `a\*b`}}, []ev{{"F": `a\xb`}, {"F": "a*b"}}},
		{"a backslash at the end is itself", `F|endswith: 'dir\'`, []ev{{"F": `c:\dir\`}}, []ev{{"F": `c:\dir`}}},

		{"contains", `F|contains: 'b*d'`, []ev{{"F": "abcde"}, {"F": "bd"}}, []ev{{"F": "adcb"}}},
		{"startswith", `F|startswith: 'ab'`, []ev{{"F": "abc"}, {"F": "AB"}}, []ev{{"F": "xab"}}},
		{"endswith", `F|endswith: '\cmd.exe'`, []ev{{"F": `C:\CMD.EXE`}}, []ev{{"F": `cmd.exe`}}},
		{"an empty contains wants a value", `F|contains: ''`, []ev{{"F": "x"}, {"F": ""}}, []ev{{}}},
		{"long needles", `F|contains: '` + strings.Repeat("ab", 40) + `'`, []ev{{"F": "x" + strings.Repeat("AB", 41)}}, []ev{{"F": strings.Repeat("ab", 39)}}},
		{"a list is any of its values", "F|contains:\n  - aa\n  - bb", []ev{{"F": "xaax"}, {"F": "xbb"}}, []ev{{"F": "ab"}}},
		{"all wants all of them", "F|contains|all:\n  - aa\n  - bb", []ev{{"F": "bb aa"}, {"F": []any{"aa", "bb"}}}, []ev{{"F": "xaax"}, {"F": "bb"}}},
		{"a map wants all of its fields", "F: a\nG: b", []ev{{"F": "a", "G": "b"}}, []ev{{"F": "a"}, {"G": "b"}, {"F": "b", "G": "a"}}},
		{"a list of maps wants one of them", "- F: a\n- G: b\n  H: c", []ev{{"F": "a"}, {"G": "b", "H": "c"}}, []ev{{"G": "b"}, {"H": "c"}}},

		{"null is missing or null, not empty", `F: null`, []ev{{}, {"F": nil}}, []ev{{"F": ""}, {"F": "x"}}},
		{"the empty string is empty, not missing or null", `F: ''`, []ev{{"F": ""}}, []ev{{}, {"F": nil}, {"F": " "}}},
		{"null or empty in a list", "F:\n  - null\n  - ''", []ev{{}, {"F": nil}, {"F": ""}}, []ev{{"F": "x"}}},
		{"exists true", `F|exists: true`, []ev{{"F": "x"}, {"F": ""}, {"F": nil}}, []ev{{}}},
		{"exists false", `F|exists: false`, []ev{{}, {"G": "x"}}, []ev{{"F": "x"}, {"F": ""}, {"F": nil}}},

		{"numbers compare by value", `F: 4625`, []ev{{"F": "4625"}, {"F": 4625.0}, {"F": "0x1211"}, {"F": "04625"}, {"F": 4625}}, []ev{{"F": "46251"}, {"F": "x4625"}, {"F": ""}, {}}},
		{"quoted numbers are text", `F: '4625'`, []ev{{"F": "4625"}}, []ev{{"F": "04625"}, {"F": "0x1211"}}},
		{"hexadecimal text is text", `F: '0x17'`, []ev{{"F": "0X17"}}, []ev{{"F": "23"}}},
		{"numbers inside text", `F|contains: 443`, []ev{{"F": "port 443/tcp"}}, []ev{{"F": "port 44"}}},
		{"booleans", `F: true`, []ev{{"F": "True"}, {"F": true}, {"F": "true"}}, []ev{{"F": "false"}, {"F": "1"}}},
		{"negative and fractional numbers", "F:\n  - -1\n  - 2.5", []ev{{"F": "-1"}, {"F": "2.50"}}, []ev{{"F": "1"}, {"F": "2"}}},
		{"gt", `F|gt: 10`, []ev{{"F": "11"}, {"F": "10.5"}, {"F": "0xb"}}, []ev{{"F": "10"}, {"F": "9"}, {"F": "x"}, {}}},
		{"gte", `F|gte: 10`, []ev{{"F": "10"}}, []ev{{"F": "9.99"}}},
		{"lt", `F|lt: 10`, []ev{{"F": "9"}, {"F": "-3"}}, []ev{{"F": "10"}, {"F": ""}, {}}},
		{"lte", `F|lte: 10`, []ev{{"F": "10"}}, []ev{{"F": "10.01"}}},
		{"neq is not equal", `F|neq: 'abc'`, []ev{{"F": "x"}, {"F": ""}, {}}, []ev{{"F": "ABC"}, {"F": []any{"x", "abc"}}}},
		{"neq of numbers", `F|neq: 5`, []ev{{"F": "6"}}, []ev{{"F": "5"}, {"F": "5.0"}}},
		{"neq of a list is none of them", "F|neq:\n  - a\n  - b", []ev{{"F": "c"}}, []ev{{"F": "a"}, {"F": "b"}}},
		{"neq with contains", `F|contains|neq: 'a'`, []ev{{"F": "c"}}, []ev{{"F": "bab"}}},

		{"regular expressions are case-sensitive and unanchored", `F|re: 'A\d+'`, []ev{{"F": "xA1"}}, []ev{{"F": "xa1"}}},
		{"flag i", `F|re|i: 'A\d+'`, []ev{{"F": "xa1"}}, []ev{{"F": "xb1"}}},
		{"flag m: anchors match at lines", `F|re|m: '^b$'`, []ev{{"F": "a\nb\nc"}}, []ev{{"F": "a b c"}}},
		{"without m they match at the ends", `F|re: '^b$'`, []ev{{"F": "b"}}, []ev{{"F": "a\nb\nc"}}},
		{"flag s: the dot matches newlines", `F|re|s: 'a.b'`, []ev{{"F": "a\nb"}, {"F": "axb"}}, []ev{{"F": "ab"}}},
		{"without s it does not", `F|re: 'a.b'`, []ev{{"F": "axb"}}, []ev{{"F": "a\nb"}}},
		{"several flags", `F|re|i|m|s: '^A.B$'`, []ev{{"F": "x\na\nb\ny"}}, []ev{{"F": "xa\nb"}}},
		{"a list of regular expressions", "F|re:\n  - 'foo\\d'\n  - 'bar\\d'", []ev{{"F": "foo1"}, {"F": "bar1"}}, []ev{{"F": "foo"}}},
		{"all regular expressions", "F|re|all:\n  - 'foo\\d'\n  - 'bar\\d'", []ev{{"F": "foo1bar1"}}, []ev{{"F": "foo1"}}},
		{"startswith anchors a regular expression", `F|re|startswith: 'a|b'`, []ev{{"F": "bx"}}, []ev{{"F": "xb"}}},
		{"an escaped backslash in a regular expression", `F|re: '^C:\\Users\\[^\\]+$'`, []ev{{"F": `C:\Users\x`}}, []ev{{"F": `C:\Users\x\y`}}},

		{"cidr of IPv4", "F|cidr:\n  - 10.0.0.0/8\n  - 192.0.2.7/32", []ev{{"F": "10.1.2.3"}, {"F": "192.0.2.7"}, {"F": "::ffff:10.0.0.1"}}, []ev{{"F": "11.0.0.1"}, {"F": "10.0.0"}, {"F": "x"}, {}}},
		{"cidr of IPv6", `F|cidr: '2001:db8::/32'`, []ev{{"F": "2001:DB8:0::1"}, {"F": "2001:db8::1%eth0"}}, []ev{{"F": "2001:db9::1"}, {"F": "10.0.0.1"}}},
		{"an address is a network of one", `F|cidr: 192.0.2.7`, []ev{{"F": "192.0.2.7"}}, []ev{{"F": "192.0.2.8"}}},

		{"base64", `F|base64: 'ping'`, []ev{{"F": b64("ping")}}, []ev{{"F": "ping"}, {"F": "x" + b64("ping")}}},
		{"base64offset finds the text wherever it stands", `F|base64offset|contains: 'http://'`,
			[]ev{{"F": b64("http://a")}, {"F": b64("xhttp://a")}, {"F": b64("xyhttp://")}, {"F": b64("xyzhttp://abc")}}, []ev{{"F": b64("https://a")}, {"F": "http://"}}},
		{"wide is UTF-16LE", `F|wide|base64offset|contains: 'cmd'`, []ev{{"F": b64(wide("xcmdx"))}, {"F": b64("y" + wide("cmd"))}}, []ev{{"F": b64("cmd")}}},
		{"utf16le", `F|utf16le|base64: 'ab'`, []ev{{"F": b64("a\x00b\x00")}}, []ev{{"F": b64("ab")}}},
		{"utf16be", `F|utf16be|base64: 'ab'`, []ev{{"F": b64("\x00a\x00b")}}, []ev{{"F": b64("a\x00b\x00")}}},
		{"utf16 has a byte order mark", `F|utf16|base64: 'ab'`, []ev{{"F": b64("\xff\xfea\x00b\x00")}}, []ev{{"F": b64("a\x00b\x00")}}},

		{"windash: any dash of Windows", `F|windash|contains: ' -f '`, []ev{{"F": "x -f y"}, {"F": "x /F y"}, {"F": "x –f y"}, {"F": "x —f y"}, {"F": "x ―f y"}}, []ev{{"F": "x f y"}, {"F": "x +f y"}}},
		{"windash leaves dashes inside words", `F|windash: '-foo-bar'`, []ev{{"F": "/foo-bar"}}, []ev{{"F": "/foo/bar"}}},
		{"windash permutes every option", `F|contains|windash: '-a -b'`, []ev{{"F": "/a -b"}, {"F": "-a /b"}, {"F": "—a –b"}}, []ev{{"F": "-a b"}}},
		{"windash takes a slash too", `F|windash|endswith: ' /c'`, []ev{{"F": "cmd -c"}, {"F": "cmd /c"}}, []ev{{"F": "cmd c"}}},

		{"fieldref compares two fields", `F|fieldref: G`, []ev{{"F": "A", "G": "a"}, {"F": []any{"x", "y"}, "G": "y"}}, []ev{{"F": "a", "G": "b"}, {"F": "a"}, {"G": "a"}, {}, {"F": "G"}}},
		{"fieldref startswith", `F|fieldref|startswith: G`, []ev{{"F": "abc", "G": "AB"}}, []ev{{"F": "abc", "G": "bc"}}},
		{"fieldref endswith", `F|fieldref|endswith: G`, []ev{{"F": "abc", "G": "bc"}}, []ev{{"F": "abc", "G": "ab"}}},
		{"fieldref contains", `F|contains|fieldref: G`, []ev{{"F": "abc", "G": "b"}}, []ev{{"F": "abc", "G": "x"}}},
		{"fieldref cased", `F|fieldref|cased: G`, []ev{{"F": "A", "G": "A"}}, []ev{{"F": "A", "G": "a"}}},

		{"minute", `T|minute: 5`, []ev{{"T": "2024-03-01T10:05:00Z"}}, []ev{{"T": "2024-03-01T10:06:00Z"}, {"T": "x"}, {}}},
		{"hour as written, not converted", `T|hour: 22`, []ev{{"T": "2024-03-01T22:05:00+02:00"}, {"T": "2024-03-01 22:05:00.123"}}, []ev{{"T": "2024-03-01T20:05:00Z"}}},
		{"hour with a comparison", `T|hour|gte: 20`, []ev{{"T": "2024-03-01T21:00:00Z"}}, []ev{{"T": "2024-03-01T19:59:59Z"}}},
		{"day", `T|day: 31`, []ev{{"T": "2024-03-31"}}, []ev{{"T": "2024-03-30"}}},
		{"week", `T|week: 1`, []ev{{"T": "2024-01-03T00:00:00Z"}}, []ev{{"T": "2024-01-10T00:00:00Z"}}},
		{"month", "T|month:\n  - 1\n  - 12", []ev{{"T": "2023-12-24"}, {"T": "2023-01-24"}}, []ev{{"T": "2023-02-24"}}},
		{"year of an epoch in milliseconds", `T|year: 2023`, []ev{{"T": "1700000000000"}, {"T": "1700000000"}}, []ev{{"T": "1500000000"}}},

		{"dotted names reach into maps", `a.b.c: x`, []ev{{"a": map[string]any{"b": map[string]any{"c": "X"}}}, {"a.b.c": "x"}}, []ev{{"c": "x"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eng := compileOne(t, rule(c.search), Options{})
			for _, e := range c.yes {
				if !fires(t, eng, e, "") {
					t.Errorf("%s\ndoes not match %q", c.search, fmt.Sprint(e))
				}
			}
			for _, e := range c.no {
				if fires(t, eng, e, "") {
					t.Errorf("%s\nmatches %q", c.search, fmt.Sprint(e))
				}
			}
		})
	}
}

func TestKeywordsAreSearchedInEveryFieldAndTheMessage(t *testing.T) {
	eng := compileOne(t, rule("- 'event::CLEAR'\n- 'a*z'\n- 4711"), Options{})
	for _, c := range []struct {
		event   ev
		message string
		want    bool
	}{
		{ev{"x": "do Event::Clear now"}, "", true},
		{ev{"x": []any{"1", "event::clear"}}, "", true},
		{ev{}, "said: EVENT::CLEAR!", true},
		{ev{"x": "1 a-z 2"}, "", true},
		{ev{"x": "code 4711"}, "", true},
		{ev{"x": "event", "y": "::clear"}, "nothing", false},
		{ev{}, "", false},
	} {
		if got := fires(t, eng, c.event, c.message); got != c.want {
			t.Errorf("%v %q: %v", c.event, c.message, got)
		}
	}
	all := compileOne(t, rule("'|all':\n  - one\n  - two"), Options{})
	if !fires(t, all, ev{"x": "one", "y": "Two"}, "") || !fires(t, all, ev{"x": "one"}, "two") || fires(t, all, ev{"x": "one"}, "three") {
		t.Error("'|all' wants all keywords, wherever they are")
	}
	re := compileOne(t, rule(`'|re': 'id=\d+'`), Options{})
	if !fires(t, re, ev{}, "x id=42") || fires(t, re, ev{"f": "id=x"}, "") {
		t.Error("keywords may be regular expressions")
	}
	mixed := compileOne(t, rule("- one\n- F: two"), Options{})
	if !fires(t, mixed, ev{"F": "two"}, "") || !fires(t, mixed, ev{"G": "one"}, "") || fires(t, mixed, ev{"G": "two"}, "") {
		t.Error("a list may mix keywords and maps")
	}
}

func TestPlaceholdersAreExpandedOnlyWhenAsked(t *testing.T) {
	opt := Options{Placeholders: map[string][]string{"admins": {"root", "adm_*"}, "n": {"x"}}}
	for _, c := range []struct {
		search, value string
		want          bool
	}{
		{`F|expand: '%admins%'`, "ROOT", true},
		{`F|expand: '%admins%'`, "adm_anna", true},
		{`F|expand: '%admins%'`, "%admins%", false},
		{`F: '%admins%'`, "%admins%", true},
		{`F: '%admins%'`, "root", false},
		{`F|contains|expand: '\%admins%n%'`, "a%adminsxb", true},
		{`F|expand|contains: 'user=%admins%;'`, "a user=root; b", true},
	} {
		if got := fires(t, compileOne(t, rule(c.search), opt), ev{"F": c.value}, ""); got != c.want {
			t.Errorf("%s on %q: %v", c.search, c.value, got)
		}
	}
	rules, _ := Parse("r.yml", []byte(rule(`F|expand: '%unknown%'`)))
	failed := Compile(rules, opt).Report().Failed
	if len(failed) != 1 || !strings.Contains(failed[0].Error(), "%unknown%") {
		t.Errorf("a placeholder without values fails the rule: %v", failed)
	}
}

func TestConditionsFollowTheGrammar(t *testing.T) {
	base := "title: t\ndetection:\n  a1: {A: x}\n  a2: {B: x}\n  b: {C: x}\n  _h: {D: x}\n  condition: %s\n"
	A, B, C, D := ev{"A": "x"}, ev{"B": "x"}, ev{"C": "x"}, ev{"D": "x"}
	and := func(list ...ev) ev {
		out := ev{}
		for _, e := range list {
			for k, v := range e {
				out[k] = v
			}
		}
		return out
	}
	for _, c := range []struct {
		condition string
		yes, no   []ev
	}{
		{"a1", []ev{A}, []ev{B, {}}},
		{"a1 and a2", []ev{and(A, B)}, []ev{A, B}},
		{"a1 or a2 and b", []ev{A, and(B, C)}, []ev{B, C}},
		{"(a1 or a2) and b", []ev{and(A, C), and(B, C)}, []ev{A, and(A, B)}},
		{"not a1 and a2", []ev{B}, []ev{and(A, B), A}},
		{"not (a1 and a2)", []ev{{}, A}, []ev{and(A, B)}},
		{"not not a1", []ev{A}, []ev{{}}},
		{"not a1", []ev{{}, B}, []ev{A}},
		{"a1 AND NOT a2 OR b", []ev{A, C}, []ev{and(A, B), B}},
		{"1 of a*", []ev{A, B}, []ev{C}},
		{"any of a*", []ev{A, B}, []ev{C}},
		{"all of a*", []ev{and(A, B)}, []ev{A, B}},
		{"1 of *1", []ev{A}, []ev{B}},
		{"1 of them", []ev{A, B, C}, []ev{D, {}}},
		{"all of them", []ev{and(A, B, C)}, []ev{and(A, B), and(A, B, D)}},
		{"2 of them", []ev{and(A, B), and(A, C), and(A, B, C)}, []ev{A, and(A, D)}},
		{"1 of a* and not 1 of b*", []ev{A}, []ev{and(A, C)}},
		{"not 1 of a*", []ev{C, {}}, []ev{A}},
		{"not all of a*", []ev{A, {}}, []ev{and(A, B)}},
		{"not 2 of them", []ev{A, {}}, []ev{and(A, B)}},
		{"_h", []ev{D}, []ev{A}},
		{"1 of _*", []ev{D}, []ev{A}},
		{"a1 and not 1 of filter_*", []ev{A}, []ev{B}}, // no filter is there yet
		{"[a1, b]", []ev{A, C}, []ev{B}},
		{"((((a1))))", []ev{A}, []ev{B}},
	} {
		eng := compileOne(t, fmt.Sprintf(base, c.condition), Options{})
		for _, e := range c.yes {
			if !fires(t, eng, e, "") {
				t.Errorf("%q does not match %v", c.condition, e)
			}
		}
		for _, e := range c.no {
			if fires(t, eng, e, "") {
				t.Errorf("%q matches %v", c.condition, e)
			}
		}
	}
	for _, broken := range []string{
		"''", "a1 and", "and a1", "a1 a2", "(a1", "a1)", "nope", "1 of", "1 of nope*", "all of nope*", "5 of them", "0 of them", "x of them", "a1 | count() > 5",
		"not", "()", "1 of (a1)", strings.Repeat("(", 5000) + "a1" + strings.Repeat(")", 5000), strings.Repeat("not ", 5000) + "a1",
	} {
		rules, errs := Parse("r.yml", []byte(fmt.Sprintf(base, "'"+strings.Trim(broken, "'")+"'")))
		if len(errs) == 0 && len(Compile(rules, Options{}).Report().Failed) != 1 {
			t.Errorf("condition %.40q is accepted", broken)
		}
	}
}

func TestSelectionNamesMayBeOperatorsLookalikes(t *testing.T) {
	eng := compileOne(t, "title: t\ndetection:\n  1: {A: x}\n  all_of: {B: x}\n  not-this: {C: x}\n  condition: 1 or all_of and not not-this\n", Options{})
	if !fires(t, eng, ev{"A": "x"}, "") || !fires(t, eng, ev{"B": "x"}, "") || fires(t, eng, ev{"B": "x", "C": "x"}, "") {
		t.Error("names that look like words of the grammar")
	}
}

func TestPatternsThatPCRESpellsOtherwise(t *testing.T) {
	for _, c := range []struct {
		re      string
		yes, no []string
	}{
		{`a\hb`, []string{"a b", "a\tb", "a\u00a0b"}, []string{"a\nb"}},
		{`a[\h,]b`, []string{"a b", "a,b"}, []string{"axb"}},
		{`a\Rb`, []string{"a\r\nb", "a\nb"}, []string{"ab"}},
		{`a\Z`, []string{"xa", "xa\n"}, []string{"ax"}},
		{`a(?#comment)b`, []string{"ab"}, []string{"a(?#comment)b"}},
		{`a\sb`, []string{"a\x0bb", "a b"}, []string{"ab"}},
		{`[]a]b`, []string{"]b", "ab"}, []string{"cb"}},
		{`[[a]b`, []string{"[b"}, []string{"cb"}},
		{`\/x\_y\-z`, []string{"/x_y-z"}, []string{"x"}},
		{`^(?!.*safe)run`, []string{"run it"}, []string{"run safe", "xrun"}},
		{`^(?!a)(?!b)\w`, []string{"c"}, []string{"a", "b"}},
		{`^(?=.*\d).*`, []string{"x1"}, []string{"x"}},
		{`foo(?=bar)`, []string{"foobar"}, []string{"foo", "foobaz"}},
		{`foo(?!\d)`, []string{"foo", "foox"}, []string{"foo1"}},
		{`(?<=ab)c`, []string{"abc"}, []string{"xc"}},
		{`(?<!\d)c`, []string{"c", "xc"}, []string{"1c"}},
		{`foo(?![0-9])`, []string{"foo"}, []string{"foo5"}},
		{`(?<name>a)b`, []string{"ab"}, []string{"b"}},
	} {
		eng := compileOne(t, rule("F|re: '"+c.re+"'"), Options{})
		for _, s := range c.yes {
			if !fires(t, eng, ev{"F": s}, "") {
				t.Errorf("%s does not match %q", c.re, s)
			}
		}
		for _, s := range c.no {
			if fires(t, eng, ev{"F": s}, "") {
				t.Errorf("%s matches %q", c.re, s)
			}
		}
	}
	for _, re := range []string{`(a)\1`, `(?>a+)b`, `a++b`, `x(?=y)z`, `a(?!bc)d`, `(`, `[`, `a{5000}`, `(?<=a|b)?c`, `a\S[\S]\H[\H]`} {
		rules, _ := Parse("r.yml", []byte(rule("F|re: '"+re+"'")))
		if f := Compile(rules, Options{}).Report().Failed; len(f) != 1 || f[0].Line != 5 {
			if re != `a\S[\S]\H[\H]` || len(f) != 1 {
				t.Errorf("%s: %v", re, f)
			}
		}
	}
}
