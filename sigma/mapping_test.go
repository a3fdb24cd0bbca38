package sigma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const testMapping = `
fields:
  windows:
    EventID: winlog.event_id
    User: [user.name, winlog.event_data.User]
    "*": [winlog.event_data.*, winlog.user_data.*]
logs:
  - name: sysmon-1
    product: windows
    category: process_creation
    service: sysmon
    when: {winlog.channel: Microsoft-Windows-Sysmon/Operational, winlog.event_id: 1}
    use: [windows]
  - name: security
    product: windows
    service: security
    when: {winlog.channel: Security}
    use: windows
  - name: security-4688
    product: windows
    category: process_creation
    when: {winlog.channel: Security, winlog.event_id: [4688]}
    use: [windows]
    fields:
      Image: winlog.event_data.NewProcessName
      IntegrityLevel:
        from: winlog.event_data.MandatoryLabel
        values: {S-1-16-12288: High}
      TargetObject: {from: winlog.event_data.ObjectName, prefixes: {'\REGISTRY\MACHINE\': 'HKLM\'}}
  - name: web
    category: [webserver, proxy]
    when:
      - event.dataset: "apache.*"
      - event.dataset: nginx.access
        http.version: ''
`

func TestAMappingSaysWhichRulesAnEventIsFor(t *testing.T) {
	mapping, err := ParseMapping("map.yml", []byte(testMapping))
	if err != nil {
		t.Fatal(err)
	}
	rules, errs := Parse("r.yml", []byte(`title: process
logsource: {category: process_creation, product: windows}
detection: {s: {Image|endswith: '\evil.exe', IntegrityLevel: High}, condition: s}
---
title: logon
logsource: {product: windows, service: security}
detection: {s: {EventID: 4624, User: anna}, condition: s}
---
title: windows
logsource: {product: windows}
detection: {s: {TargetObject|startswith: 'HKLM\Soft'}, condition: s}
---
title: web
logsource: {category: webserver}
detection: {s: {cs-uri: /evil}, condition: s}
---
title: nowhere
logsource: {product: plan9}
detection: {s: {A: x}, condition: s}
---
title: service of the other entry
logsource: {category: process_creation, service: security}
detection: {s: {A: x}, condition: s}
---
title: keywords
logsource: {product: windows, service: security}
detection: {s: [needle], condition: s}
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	eng := Compile(rules, Options{Mapping: mapping})
	if rep := eng.Report(); rep.Rules != 7 || rep.Active != 5 || len(rep.Unmapped) != 2 || len(rep.Failed) != 0 {
		t.Fatalf("%+v", rep)
	}
	if got := strings.Join(eng.RouteFields(), " "); got != "event.dataset http.version winlog.channel winlog.event_id" {
		t.Error(got)
	}
	m := eng.NewMatcher()
	for i, c := range []struct {
		event ev
		want  string
	}{
		{ev{"winlog.channel": "microsoft-windows-sysmon/operational", "winlog.event_id": "1", "winlog.event_data.Image": `c:\EVIL.exe`, "winlog.event_data.IntegrityLevel": "high"}, "sysmon-1: process@sysmon-1"},
		{ev{"winlog.channel": "Microsoft-Windows-Sysmon/Operational", "winlog.event_id": "3", "winlog.event_data.Image": `c:\EVIL.exe`, "winlog.event_data.IntegrityLevel": "high"}, ": "},
		{ev{"winlog.channel": "Security", "winlog.event_id": "4688", "winlog.event_data.NewProcessName": `c:\evil.exe`, "winlog.event_data.MandatoryLabel": "S-1-16-12288"}, "security security-4688: process@security-4688"},
		{ev{"winlog.channel": "Security", "winlog.event_id": "4688", "winlog.event_data.Image": `c:\evil.exe`, "winlog.event_data.MandatoryLabel": "S-1-16-12288"}, "security security-4688: "},
		{ev{"winlog.channel": "Security", "winlog.event_id": "4624", "user.name": "x", "winlog.event_data.User": "Anna"}, "security: logon@security"},
		{ev{"winlog.channel": "Security", "winlog.event_id": "4657", "winlog.user_data.TargetObject": `hklm\software`}, "security: windows@security"},
		{ev{"winlog.channel": "Security", "winlog.event_id": "4688", "winlog.event_data.ObjectName": `\registry\machine\SOFTWARE`}, "security security-4688: windows@security-4688"},
		{ev{"winlog.channel": "Security", "winlog.event_id": "1", "other": "has a NEEDLE"}, "security: keywords@security"},
		{ev{"event.dataset": "apache.access", "cs-uri": "/EVIL"}, "web: web@web"},
		{ev{"event.dataset": "nginx.access", "cs-uri": "/evil"}, "web: web@web"},
		{ev{"event.dataset": "nginx.access", "http.version": "2", "cs-uri": "/evil"}, ": "},
	} {
		for range 2 { // the second time from the cache
			var values []string
			for _, f := range eng.RouteFields() {
				v, _ := c.event[f].(string)
				values = append(values, v)
			}
			sources := m.Route(values...)
			var logs, found []string
			for _, s := range sources {
				logs = append(logs, eng.SourceName(s))
			}
			for _, x := range m.MatchMap(sources, c.event, "") {
				found = append(found, x.Rule.Title+"@"+eng.SourceName(x.Source))
				why, err := eng.Explain(x.Rule, sources, c.event, "")
				if err != nil || !why.Matched || !why.Applies || why.Source != eng.SourceName(x.Source) {
					t.Errorf("event %d: explanation of %s: %+v %v", i, x.Rule.Title, why, err)
				}
			}
			if got := strings.Join(logs, " ") + ": " + strings.Join(found, " "); got != c.want {
				t.Errorf("event %d: got %q, want %q", i, got, c.want)
			}
		}
	}
	if eng.Slot("winlog.event_data.NewProcessName") == NoSlot || eng.Slot("no.rule.reads.this") != NoSlot {
		t.Error("slots are the caller's fields that rules read")
	}
	s := eng.SourcesOf(LogSource{Product: "windows", Category: "process_creation"})
	if fmt.Sprint(s) != "[0 2]" || eng.RulesFor(2) != 2 {
		t.Errorf("sources of a log source: %v, %d rules", s, eng.RulesFor(2))
	}
}

func TestBrokenMappingsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"logs:\n  - nope: 1\n":                 "m.yml:2",
		"logs:\n  - use: [missing]\n":          "unknown group",
		"fields: {g: {A: {values: {x: y}}}}\n": "mapped to nothing",
		"fields: {g: {A: {frm: x}}}\n":         "unknown attribute",
		"other: 1\n":                           "unknown attribute",
		"logs: 5\n":                            "must be a list",
		"logs: [\n":                            "broken YAML",
		"":                                     "one YAML document",
		"logs:\n  - when:\n      a: {b: c}\n    product: x\n": "m.yml:3",
	} {
		if _, err := ParseMapping("m.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestARuleMayNameAFieldInWhole(t *testing.T) {
	mapping, err := ParseMapping("map.yml", []byte(testMapping))
	if err != nil {
		t.Fatal(err)
	}
	log := mapping.Logs[0]
	for field, want := range map[string]string{"Hashes": "winlog.event_data.Hashes", "winlog.event_data.Hashes": "winlog.event_data.Hashes"} {
		if got := log.Resolve(field).From[0]; got != want {
			t.Errorf("%s is looked up as %s, want %s", field, got, want)
		}
	}
}

const joinMapping = `
objects: [api.call]
logs:
  - name: one
    product: p
    when: {kind: a, code: ['!104', '!2*']}
    fields:
      Account: ['domain\name', sid]
      Path: {from: 'key\value', prefixes: {'\REGISTRY\MACHINE\': 'HKLM\'}}
      Address: [path, 'path?query']
      "*": api.call.*
  - name: two
    product: p
    when: {kind: '*', code: 104}
  - name: any
    product: q
    when: {id: '*'}
`

// A mapping may join two fields, ask for what a field holds, and leave out values of a route field; Explain sees the same.
func TestAMappingJoinsFieldsAndLooksIntoObjects(t *testing.T) {
	mapping, err := ParseMapping("map.yml", []byte(joinMapping))
	if err != nil {
		t.Fatal(err)
	}
	rule := func(title, item string) string {
		return "title: " + title + "\nlogsource: {product: p}\ndetection:\n  s:\n    " + item + "\n  condition: s\n---\n"
	}
	rules, errs := Parse("r.yml", []byte(rule("account", `Account: 'EXAMPLE\bob'`)+rule("sid", "Account: S-1-5-18")+rule("path", `Path: 'HKLM\Run\x'`)+
		rule("address", "Address|contains: 'a?q=1'")+rule("object", `parameters|contains|all: ['"bucket":"b1"', Suspended]`)+rule("missing", "Account: null")+
		"title: q\nlogsource: {product: q}\ndetection: {s: {id|startswith: i}, condition: s}\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	e := Compile(rules, Options{Mapping: mapping})
	m := e.NewMatcher()
	for i, tt := range []struct {
		event map[string]any
		want  string
	}{
		{map[string]any{"domain": "example", "name": []string{"bob", "eve"}}, "account"},
		{map[string]any{"name": "bob"}, "missing"},
		{map[string]any{"name": "eve", "domain": "EXAMPLE", "sid": "S-1-5-18"}, "sid"},
		{map[string]any{"value": "x", "key": `\registry\machine\Run`}, "missing path"},
		{map[string]any{"path": "/a", "query": "q=1"}, "address missing"},
		{map[string]any{"path": "/a?q=1"}, "address missing"},
		{map[string]any{"api": map[string]any{"call": map[string]any{"parameters": map[string]any{"bucket": "b1", "v": map[string]any{"status": "Suspended"}}}}}, "missing object"},
	} {
		var got []string
		m.Reset(m.Route("4624", "", "a"))
		event := newView(&mapping.Logs[0], tt.event, "")
		for _, f := range flatten(tt.event) {
			m.Set(e.Slot(f.name), f.value)
			slots, prefix := e.Holders(f.name)
			for k, s := range slots {
				if !m.Wants(s) {
					t.Errorf("event %d: slot %s is not wanted", i, e.SlotField(s))
				}
				m.SetMade(s, Member(f.name[prefix[k]:], f.value, true))
			}
		}
		for _, x := range m.Match(nil) {
			got = append(got, x.Rule.Title)
		}
		for r, rule := range rules {
			if rule.Title != "q" && event.eval(e.logics[r]) != strings.Contains(" "+tt.want+" ", " "+rule.Title+" ") {
				t.Errorf("event %d: Explain says otherwise of rule %s", i, rule.Title)
			}
		}
		sortAndCompare(t, fmt.Sprint("event ", i), got, tt.want)
	}
	for _, tt := range []struct{ code, id, kind, want string }{
		{"1", "", "a", "one"}, {"104", "", "a", "two"}, {"20", "", "a", ""}, {"", "", "a", "one"}, {"104", "", "", ""}, {"", "i1", "", "any"}, {"", "i2", "b", "any"}, {"104", "x", "A", "any two"},
	} {
		var got []string
		for _, s := range m.Route(tt.code, tt.id, tt.kind) {
			got = append(got, e.SourceName(s))
		}
		sortAndCompare(t, fmt.Sprint("route ", tt), got, tt.want)
	}
}

func sortAndCompare(t *testing.T, what string, got []string, want string) {
	t.Helper()
	slices.Sort(got)
	if g := strings.Join(got, " "); g != want {
		t.Errorf("%s: got %q, want %q", what, g, want)
	}
}

// A table may say what rules call a value that is not there, and which of a field's names decide whether it is.
func TestFieldsThatAreAbsentHaveTheWordOfTheTable(t *testing.T) {
	mapping, err := ParseMapping("m.yml", []byte(`
logs:
  - name: proxy
    category: proxy
    fields:
      agent: {from: ua, absent: ''}
      nets: {from: networks, absent: '[]'}
      query: {from: [q, uri], itself: q}
`))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i, s := range []string{
		"agent: ''", "agent: null", "agent|exists: true", "agent|contains: x", "nets: '[]'", "nets|cased: '[]'", "nets|re: '.*'",
		"query: null", "query|exists: true", "query|exists: false", "query|contains: /a", "nets|startswith: '['",
	} {
		fmt.Fprintf(&text, "title: r%d\nlogsource: {category: proxy}\ndetection: {s: {%s}, condition: s}\n---\n", i, s)
	}
	rules, errs := Parse("r.yml", []byte(text.String()))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	eng := Compile(rules, Options{Mapping: mapping})
	for _, c := range []struct {
		event ev
		want  string
	}{
		{ev{}, "r0 r1 r4 r7 r9 r11"},
		{ev{"ua": "x/1", "networks": "[1]", "q": "a=1", "uri": "/a?a=1"}, "r2 r3 r6 r8 r10 r11"},
		{ev{"ua": "", "networks": "office", "uri": "/a"}, "r0 r2 r6 r7 r9 r10"},
	} {
		m := eng.NewMatcher()
		var got []string
		for _, x := range m.MatchMap([]SourceID{0}, c.event, "") {
			got = append(got, x.Rule.Title)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v: %v, want %s", c.event, got, c.want)
		}
		for i, r := range rules {
			x, err := eng.Explain(r, []SourceID{0}, c.event, "")
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.Contains(got, r.Title); x.Matched != want {
				t.Errorf("%v: rule %d is explained as %v, matched as %v", c.event, i, x.Matched, want)
			}
		}
	}
}
