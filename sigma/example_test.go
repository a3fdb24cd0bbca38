package sigma_test

import (
	"fmt"

	"github.com/sextant-logs/sextant/sigma"
)

const whoami = `
title: Whoami Execution
id: 5a1d0d44-6f3b-4c0f-9d55-b7e7a4d0c001
name: whoami
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\whoami.exe'
    filter:
        User|startswith: 'adm_'
    condition: selection and not filter
level: medium
`

func Example() {
	rules, errs := sigma.Parse("whoami.yml", []byte(whoami))
	for _, err := range errs {
		fmt.Println(err)
	}
	eng := sigma.Compile(rules, sigma.Options{})

	// What the event is of, and where its fields go, is found out once.
	sources := eng.SourcesOf(sigma.LogSource{Category: "process_creation", Product: "windows"})
	image, user := eng.Slot("Image"), eng.Slot("User")

	m := eng.NewMatcher()
	m.Reset(sources)
	m.Set(image, `C:\Windows\System32\whoami.exe`)
	m.Set(user, `EXAMPLE\anna`)
	for _, match := range m.Match(nil) {
		fmt.Println(match.Rule.Level, match.Rule.Title)
	}
	// Output: medium Whoami Execution
}

func ExampleEngine_Explain() {
	rules, _ := sigma.Parse("whoami.yml", []byte(whoami))
	eng := sigma.Compile(rules, sigma.Options{})
	sources := eng.SourcesOf(sigma.LogSource{Category: "process_creation", Product: "windows"})
	x, err := eng.Explain(rules[0], sources, map[string]any{"Image": `C:\Tools\who.exe`, "User": "adm_bert"}, "")
	if err != nil {
		fmt.Println(err)
	}
	for _, change := range x.Changes {
		fmt.Println(change)
	}
	// Output:
	// Image should be one that ends with "\\whoami.exe"; it is "C:\\Tools\\who.exe"
	// User should not be one that starts with "adm_"; it is "adm_bert"
}

func ExampleNewCorrelator() {
	rules, _ := sigma.Parse("many.yml", []byte(whoami+`
---
title: Whoami on many hosts
name: many
correlation:
    type: value_count
    rules: [whoami]
    group-by: [User]
    timespan: 10m
    condition: {field: Computer, gte: 2}
level: high
`))
	eng := sigma.Compile(rules, sigma.Options{})
	c := sigma.NewCorrelator(eng, sigma.CorrelatorOptions{})
	var found []sigma.CorrelationMatch
	for i, host := range []string{"ws1.example.com", "ws2.example.com"} {
		fields := map[string]string{"User": "anna", "Computer": host}
		found = c.Observe(sigma.Observation{
			Time: int64(i) * 1e9, Event: host, Match: sigma.Match{Rule: rules[0]},
			Field: func(name string) (string, bool) { v, ok := fields[name]; return v, ok },
		}, found)
	}
	for _, m := range c.Flush(found) {
		fmt.Println(m.Rule.Title, m.Group, m.Value, m.Events)
	}
	// Output: Whoami on many hosts [{User anna}] 2 [ws1.example.com ws2.example.com]
}

func ExampleParseMapping() {
	mapping, err := sigma.ParseMapping("mapping.yml", []byte(`
logs:
  - name: security-4688
    product: windows
    category: process_creation
    when: {winlog.channel: Security, winlog.event_id: 4688}
    fields:
      Image: winlog.event_data.NewProcessName
      User: winlog.event_data.TargetUserName
`))
	if err != nil {
		fmt.Println(err)
	}
	rules, _ := sigma.Parse("whoami.yml", []byte(whoami))
	eng := sigma.Compile(rules, sigma.Options{Mapping: mapping})
	m := eng.NewMatcher()
	fmt.Println(eng.RouteFields())
	sources := m.Route("Security", "4688")
	for _, match := range m.MatchMap(sources, map[string]any{"winlog.event_data.NewProcessName": `C:\Windows\System32\whoami.exe`}, "") {
		fmt.Println(match.Rule.Title, "in", eng.SourceName(match.Source))
	}
	// Output:
	// [winlog.channel winlog.event_id]
	// Whoami Execution in security-4688
}

// Rules with placeholders take their values from Options, and filters tune rules that are not one's own.
func ExampleOptions() {
	rules, errs := sigma.Parse("rules.yml", []byte(`
title: Whoami by somebody who is no administrator
name: whoami
logsource: {category: process_creation, product: windows}
detection:
    selection:
        Image|endswith: '\whoami.exe'
    administrators:
        User|expand: '%administrators%'
    condition: selection and not administrators
---
title: The inventory runs it every day
logsource: {category: process_creation, product: windows}
filter:
    rules: [whoami]
    selection:
        ParentImage|endswith: '\inventory.exe'
    condition: not selection
`))
	if len(errs) > 0 {
		fmt.Println(errs[0])
	}
	eng := sigma.Compile(rules, sigma.Options{Placeholders: map[string][]string{"administrators": {`EXAMPLE\root`}}})
	m := eng.NewMatcher()
	sources := eng.SourcesOf(sigma.LogSource{Category: "process_creation", Product: "windows"})
	for _, event := range []map[string]any{
		{"Image": `C:\Windows\System32\whoami.exe`, "User": `EXAMPLE\anna`, "ParentImage": `C:\Windows\explorer.exe`},
		{"Image": `C:\Windows\System32\whoami.exe`, "User": `example\ROOT`, "ParentImage": `C:\Windows\explorer.exe`},
		{"Image": `C:\Windows\System32\whoami.exe`, "User": `EXAMPLE\anna`, "ParentImage": `C:\Tools\inventory.exe`},
	} {
		fmt.Println(len(m.MatchMap(sources, event, "")))
	}
	// Output:
	// 1
	// 0
	// 0
}
