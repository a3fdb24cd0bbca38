package sigma

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestARuleMirrorsTheSpecification(t *testing.T) {
	rules, errs := Parse("dir/rule.yml", []byte(`title: Example
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: example
related:
  - {id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}
taxonomy: sigma
status: experimental
description: |
  Two
  lines
license: MIT
references: [https://example.com/a, https://example.com/b]
author: Anna, Bert
date: 2024-01-02
modified: 2024-02-03
logsource:
  category: process_creation
  product: windows
  service: sysmon
  definition: turn it on
detection:
  selection:
    Image|endswith: '\a.exe'
    EventID: [1, 2]
  keywords:
    - foo
  condition: selection or keywords
fields: [Image]
falsepositives:
  - none
level: high
tags: [attack.t1059, attack.execution]
scope: server
custom: {x: 1}
`))
	if len(errs) > 0 || len(rules) != 1 {
		t.Fatal(errs)
	}
	r := rules[0]
	got := fmt.Sprintf("%s|%s|%s|%v|%s|%s|%q|%s|%v|%s|%s|%s|%s|%s|%v|%v|%v|%v|%v", r.Title, r.ID, r.Name, r.Related, r.Taxonomy, r.Status,
		r.Description, r.License, r.References, r.Author, r.Date, r.Modified, r.LogSource, r.LogSource.Definition, r.Fields, r.FalsePositives, r.Level, r.Tags, r.Scope)
	want := `Example|929a690e-bef0-4204-a928-ef5e620d6fcc|example|[{08fbc97d-0a2f-491c-ae21-8ffcfd3174e9 derived}]|sigma|experimental|` +
		`"Two\nlines\n"|MIT|[https://example.com/a https://example.com/b]|Anna, Bert|2024-01-02|2024-02-03|category=process_creation product=windows service=sysmon|` +
		`turn it on|[Image]|[none]|high|[attack.t1059 attack.execution]|[server]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r.Custom["custom"] == nil || r.File != "dir/rule.yml" || r.Line != 1 || len(r.Detection.Searches) != 2 {
		t.Errorf("%+v", r)
	}
	it := r.Detection.Searches[0].Alternatives[0].Items[1]
	if it.Field != "EventID" || it.Line != 24 || it.Values[1].Num != 2 || it.Values[1].Kind != NumberValue {
		t.Errorf("%+v", it)
	}
}

func TestABrokenRuleCostsOnlyItself(t *testing.T) {
	const good = "title: good\ndetection: {s: {A: x}, condition: s}\n"
	for _, c := range []struct {
		name, bad string
		line      int // of the error, counted from the broken document's first line
		says      string
	}{
		{"broken YAML", "title: [\ndetection: }\n", 0, "broken YAML"},
		{"tabs", "title: x\ndetection:\n\ts: x\n", 3, "broken YAML"},
		{"not a map", "- a\n- b\n", 1, "not a map"},
		{"no section", "title: x\nlevel: low\n", 1, "none of detection"},
		{"two sections", "title: x\ndetection: {s: {A: x}, condition: s}\ncorrelation: {type: temporal, rules: [a], timespan: 1m}\n", 1, "only one of"},
		{"no condition", "title: x\ndetection:\n  s: {A: x}\n", 3, "no condition"},
		{"no search", "title: x\ndetection:\n  condition: s\n", 3, "no search"},
		{"unknown level", "title: x\nlevel: awful\ndetection: {s: {A: x}, condition: s}\n", 2, "unknown level"},
		{"attribute twice", "title: x\ntitle: y\ndetection: {s: {A: x}, condition: s}\n", 2, "twice"},
		{"field twice", "title: x\ndetection:\n  s:\n    A: x\n    A: y\n  condition: s\n", 5, "twice"},
		{"map as value", "title: x\ndetection:\n  s:\n    A: {b: c}\n  condition: s\n", 4, "map as value"},
		{"empty list", "title: x\ndetection:\n  s:\n    A: []\n  condition: s\n", 4, "empty list"},
		{"list in a list", "title: x\ndetection:\n  s:\n    - [a]\n  condition: s\n", 4, "list inside"},
		{"unknown action", "title: x\naction: explode\n", 2, "unknown action"},
		{"alias bomb", bomb(), 0, "counting aliases"},
		{"anchor inside itself", "title: x\ndetection: &a\n  s: *a\n  condition: s\n", 0, ""},
		{"too deep", "title: x\ndetection: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", 0, "deeper than"},
		{"too large", "title: x\ndescription: " + strings.Repeat("x", 10<<20) + "\ndetection: {s: {A: x}, condition: s}\n", 1, "larger than"},
		{"not UTF-8", "title: \xff\xfe\n", 1, "UTF-8"},
		{"bad timespan", "title: x\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 5 minutes\n  condition: {gte: 1}\n", 5, "timespan"},
		{"unknown correlation", "title: x\ncorrelation:\n  type: magic\n  rules: [a]\n  timespan: 5m\n", 3, "unknown correlation type"},
		{"correlation without condition", "title: x\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 5m\n", 3, "no condition"},
		{"value_count without field", "title: x\ncorrelation:\n  type: value_count\n  rules: [a]\n  timespan: 5m\n  condition: {gte: 3}\n", 3, "field"},
		{"filter without rules", "title: x\nlogsource: {}\nfilter:\n  s: {A: x}\n  condition: not s\n", 4, "names no rules"},
	} {
		text := good + "---\n" + c.bad + "---\n" + good
		rules, errs := Parse("f.yml", []byte(text))
		if len(rules) != 2 || len(errs) == 0 {
			t.Errorf("%s: %d rules, errors %v", c.name, len(rules), errs)
			continue
		}
		e := errs[0]
		if e.File != "f.yml" || e.Line < 3 || (c.line > 0 && e.Line != 3+c.line) || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: line %d: %v", c.name, e.Line-3, e)
		}
	}
}

func TestRepeatOfNothingIsAnError(t *testing.T) {
	rules, errs := Parse("f.yml", []byte("action: global\nlevel: low\n---\ntitle: x\naction: repeat\n---\ntitle: good\ndetection: {s: {A: x}, condition: s}\n"))
	if len(rules) != 1 || len(errs) != 1 || errs[0].Line != 4 || !strings.Contains(errs[0].Error(), "without a rule before") {
		t.Errorf("%d rules, %v", len(rules), errs)
	}
}

func TestRulesThatCannotBeCompiledSayWhere(t *testing.T) {
	for _, c := range []struct{ item, says string }{
		{"F|nope: x", "unknown modifier"},
		{"F|re: '('", "regular expression"},
		{"F|cidr: 10.0.0.0/99", "CIDR"},
		{"F|gt: abc", "needs a number"},
		{"F|exists: maybe", "true or false"},
		{"F|i: abc", "must follow"},
		{"F|contains|re: abc", "first modifier"},
		{"F|base64: 'a*b'", "wildcards"},
		{"F|contains: null", "text only"},
		{"'|exists': true", "needs a field"},
		{"F|windash|contains: '" + strings.Repeat(" -a", 20) + "'", "too many"},
	} {
		rules, errs := Parse("f.yml", []byte("title: bad\ndetection:\n  s:\n    A: x\n    "+c.item+"\n  condition: s\n---\n"+rule("A: x")))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		eng := Compile(rules, Options{})
		f := eng.Report().Failed
		if len(f) != 1 || f[0].Line != 5 || f[0].File != "f.yml" || f[0].Rule != "bad" || !strings.Contains(f[0].Error(), c.says) {
			t.Errorf("%s: %v", c.item, f)
		}
		if eng.Report().Active != 1 || len(eng.NewMatcher().MatchMap(eng.SourcesOf(LogSource{}), ev{"A": "x"}, "")) != 1 {
			t.Errorf("%s: the other rule does not work any more", c.item)
		}
	}
}

func bomb() string {
	s := "title: x\na: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		s += fmt.Sprintf("b%d: &a%d [%s]\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return s
}

func TestCollectionsMergeDocuments(t *testing.T) {
	rules, errs := Parse("c.yml", []byte(`action: global
title: shared
level: high
logsource: {product: windows}
detection:
  condition: s
---
logsource: {service: security}
detection:
  s: {EventID: 1}
---
title: own
level: low
logsource: {service: system}
detection:
  s: {EventID: 2}
---
action: repeat
logsource: {service: application}
---
action: reset
---
title: alone
detection:
  s: {A: x}
  condition: s
`))
	for _, e := range errs {
		t.Fatal(e)
	}
	var got []string
	for _, r := range rules {
		got = append(got, fmt.Sprint(r.Title, "/", r.Level, "/", r.LogSource.Product, "/", r.LogSource.Service, "/", len(r.Detection.Searches)))
	}
	want := "[shared/high/windows/security/1 own/low/windows/system/1 own/low/windows/application/1 alone////1]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAnchorsAndMergeKeysWork(t *testing.T) {
	eng := compileOne(t, "title: t\ndetection:\n  base: &b {A: x, B: y}\n  s:\n    <<: *b\n    B: z\n  condition: s\n", Options{})
	if !fires(t, eng, ev{"A": "x", "B": "z"}, "") || fires(t, eng, ev{"A": "x", "B": "y"}, "") {
		t.Error("a map may be merged into another")
	}
}

func TestLoadReadsFoldersInOrder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b/2.yml": rule("A: x"), "a/1.yaml": rule("A: x"), "a/readme.txt": "no rule", "z.yml": "title: [", "c.yml": "\xef\xbb\xbf" + rule("A: x"), "empty.yml": "# nothing\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rules, errs := Load(dir, filepath.Join(dir, "missing"))
	var got []string
	for _, r := range rules {
		rel, _ := filepath.Rel(dir, r.File)
		got = append(got, filepath.ToSlash(rel))
	}
	if fmt.Sprint(got) != "[a/1.yaml b/2.yml c.yml]" {
		t.Error(got)
	}
	if len(errs) != 2 {
		t.Errorf("want an error for the broken and one for the missing file: %v", errs)
	}
}

func TestTimespans(t *testing.T) {
	for s, want := range map[string]time.Duration{"10s": 10 * time.Second, "90m": 90 * time.Minute, "1h": time.Hour, "2d": 48 * time.Hour, "1w": 168 * time.Hour} {
		if d, err := parseTimespan(s); err != nil || d != want {
			t.Errorf("%s: %v %v", s, d, err)
		}
	}
	for _, s := range []string{"", "m", "0m", "-1m", "1", "1 m", "1x", "99999999999999d", "4000000000y", "1.5h"} {
		if d, err := parseTimespan(s); err == nil {
			t.Errorf("%q is %v", s, d)
		}
	}
}

func TestFiltersJoinTheRulesTheyName(t *testing.T) {
	const base = `title: one
id: id-1
logsource: {product: windows, category: process_creation}
detection: {s: {Image|endswith: '\a.exe'}, condition: s}
---
title: two
name: two
logsource: {product: windows, category: process_creation}
detection: {s: {Image|endswith: '\a.exe'}, condition: s}
---
title: three
logsource: {product: linux, category: process_creation}
detection: {s: {Image|endswith: '\a.exe'}, condition: s}
---
title: f
logsource: {product: windows}
filter:
  rules: RULES
  admins: {User|startswith: adm_}
  condition: not admins
`
	for refs, want := range map[string]string{"[id-1]": "two", "[two]": "one", "[id-1, two]": "", "any": "", "[three]": "one two"} {
		rules, errs := Parse("f.yml", []byte(strings.Replace(base, "RULES", refs, 1)))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		eng := Compile(rules, Options{})
		m := eng.NewMatcher()
		sources := eng.SourcesOf(LogSource{Product: "windows", Category: "process_creation"})
		var names []string
		for _, x := range m.MatchMap(sources, ev{"Image": `c:\a.exe`, "User": "adm_anna"}, "") {
			names = append(names, x.Rule.Title)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("rules: %s: an administrator triggers %q, want %q", refs, got, want)
		}
		if n := len(m.MatchMap(sources, ev{"Image": `c:\a.exe`, "User": "bert"}, "")); n != 2 {
			t.Errorf("rules: %s: others trigger %d rules", refs, n)
		}
		if failed := eng.Report().Failed; (len(failed) > 0) != (refs == "[three]") {
			t.Errorf("rules: %s: a filter that joins no rule says so: %v", refs, failed)
		}
	}
}

func TestRulesThatGrowAreBounded(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("x,", 50_000), ",")
	searches := ""
	for i := range 100 {
		searches += fmt.Sprintf("  s%d: {F|contains: [%s]}\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("v%d,", i), 100), ","))
	}
	for name, text := range map[string]string{
		"windash":   "title: t\ndetection:\n  s: {F|windash: [" + strings.ReplaceAll(many, "x", "' -a -b'") + "]}\n  condition: s\n",
		"condition": "title: t\ndetection:\n" + searches + "  condition: " + strings.Repeat("1 of them and ", 4000) + "s0\n",
	} {
		rules, errs := Parse("r.yml", []byte(text))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if f := Compile(rules, Options{}).Report().Failed; len(f) != 1 || !strings.Contains(f[0].Error(), "more than") {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestPlaceholderFiles(t *testing.T) {
	p, err := ParsePlaceholders("p.yml", []byte("Administrators: [root, 'adm_*']\n'%Servers%': srv*\n"))
	if err != nil || fmt.Sprint(p) != "map[Administrators:[root adm_*] Servers:[srv*]]" {
		t.Error(p, err)
	}
	if _, err := ParsePlaceholders("p.yml", []byte("a: b\nc: {d: e}\n")); err == nil || !strings.HasPrefix(err.Error(), "p.yml:2: ") {
		t.Error(err)
	}
}
