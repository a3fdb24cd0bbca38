package sigma

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// corrRules are the detections that the correlation tests refer to: a field "r" names the rules that match.
const corrRules = `
name: a
detection: {s: {r: a}, condition: s}
---
name: b
detection: {s: {r: b}, condition: s}
---
name: c
detection: {s: {r: c}, condition: s}
---
`

// happening is one event: seconds, and fields as "k=v k=v".
type happening struct {
	at     float64
	fields string
}

func correlate(t testing.TB, text string, opt CorrelatorOptions, events []happening) (matches []string, c *Correlator) {
	t.Helper()
	eng := compileOne(t, corrRules+text, Options{})
	c = NewCorrelator(eng, opt)
	m := eng.NewMatcher()
	sources := eng.SourcesOf(LogSource{})
	var out []CorrelationMatch
	for i, h := range events {
		fields := ev{}
		for _, kv := range strings.Fields(h.fields) {
			k, v, _ := strings.Cut(kv, "=")
			old, _ := fields[k].([]any)
			fields[k] = append(old, v)
		}
		for _, x := range m.MatchMap(sources, fields, "") {
			out = c.Observe(Observation{
				Time: int64(h.at * 1e9), Event: fmt.Sprint(i), Match: x,
				Field: func(name string) (string, bool) {
					v, ok := fields[name].([]any)
					if !ok {
						return "", false
					}
					return v[0].(string), true
				},
			}, out)
		}
	}
	out = c.Flush(out)
	for _, x := range out {
		s := fmt.Sprintf("%s[%s]", x.Rule.Ref(), strings.Join(x.Events, " "))
		for _, g := range x.Group {
			s += " " + g.Field + "=" + g.Value
		}
		s += fmt.Sprintf(" %v", x.Value)
		if x.Silent {
			s += " silent"
		}
		matches = append(matches, s)
	}
	return matches, c
}

func TestCorrelations(t *testing.T) {
	for _, c := range []struct {
		name, text string
		events     []happening
		want       []string
	}{
		{"event_count counts per group", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 3}}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=2"}, {2, "r=a u=1"}, {3, "r=b u=1"}, {4, "r=a u=1"}},
			[]string{"x[0 2 4] u=1 3"}},
		{"the window slides and includes both its ends", "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}}",
			[]happening{{0, "r=a"}, {5, "r=a"}, {10.001, "r=a"}, {15, "r=a"}},
			[]string{"x[1 2 3] 3"}},
		{"exactly a timespan apart is within it", "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gte: 2}}",
			[]happening{{0, "r=a"}, {10, "r=a"}}, []string{"x[0 1] 2"}},
		{"a match that goes on is reported once a timespan", "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gt: 1}}",
			[]happening{{0, "r=a"}, {4, "r=a"}, {8, "r=a"}, {12, "r=a"}, {16, "r=a"}, {40, "r=a"}, {41, "r=a"}},
			[]string{"x[0 1] 2", "x[2 3 4] 3", "x[5 6] 2"}},
		{"several rules count together", "name: x\ncorrelation: {type: event_count, rules: [a, b], timespan: 10s, condition: {gte: 3}}",
			[]happening{{0, "r=a"}, {1, "r=b"}, {2, "r=c"}, {3, "r=a"}}, []string{"x[0 1 3] 3"}},
		{"group-by of several fields, without regard to case", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u, h], timespan: 10s, condition: {gte: 2}}",
			[]happening{{0, "r=a u=Anna h=1"}, {1, "r=a u=anna h=2"}, {2, "r=a u=ANNA h=1"}, {3, "r=a u=anna"}},
			[]string{"x[0 2] u=Anna h=1 2"}},
		{"fewer than is decided at the window's end", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {lt: 2}}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=2"}, {2, "r=a u=2"}, {30, "r=a u=2"}},
			[]string{"x[0] u=1 1", "x[3] u=2 1"}},
		{"a range", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gt: 1, lte: 2}}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=2"}, {2, "r=a u=2"}, {3, "r=a u=3"}, {4, "r=a u=3"}, {5, "r=a u=3"}},
			[]string{"x[1 2] u=2 2"}},
		{"eq and neq", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {neq: 2}}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=2"}, {2, "r=a u=2"}}, []string{"x[0] u=1 1"}},
		{"value_count counts distinct values", "name: x\ncorrelation: {type: value_count, rules: [a], group-by: [h], timespan: 10s, condition: {field: u, gte: 3}}",
			[]happening{{0, "r=a h=1 u=p"}, {1, "r=a h=1 u=P"}, {2, "r=a h=1 u=q"}, {3, "r=a h=1"}, {4, "r=a h=2 u=s"}, {5, "r=a h=1 u=s"}},
			[]string{"x[0 1 2 5] h=1 3"}},
		{"value_count of values that leave the window", "name: x\ncorrelation: {type: value_count, rules: [a], timespan: 10s, condition: {field: u, gte: 3}}",
			[]happening{{0, "r=a u=p"}, {6, "r=a u=q"}, {12, "r=a u=r"}, {13, "r=a u=p"}}, []string{"x[1 2 3] 3"}},
		{"value_count of pairs", "name: x\ncorrelation: {type: value_count, rules: [a], timespan: 10s, condition: {field: [u, h], gte: 3}}",
			[]happening{{0, "r=a u=p h=1"}, {1, "r=a u=p h=2"}, {2, "r=a u=q h=1"}, {3, "r=a u=q"}}, []string{"x[0 1 2] 3"}},
		{"value_sum", "name: x\ncorrelation: {type: value_sum, rules: [a], group-by: [u], timespan: 10s, condition: {field: n, gt: 100}}",
			[]happening{{0, "r=a u=1 n=60"}, {1, "r=a u=1 n=many"}, {2, "r=a u=1 n=41"}, {3, "r=a u=2 n=100"}}, []string{"x[0 2] u=1 101"}},
		{"value_avg", "name: x\ncorrelation: {type: value_avg, rules: [a], group-by: [u], timespan: 10s, condition: {field: n, gte: 50}}",
			[]happening{{0, "r=a u=1 n=60"}, {1, "r=a u=1 n=20"}, {2, "r=a u=2 n=40"}, {3, "r=a u=2 n=60"}}, []string{"x[2 3] u=2 50"}},
		{"value_median", "name: x\ncorrelation: {type: value_median, rules: [a], timespan: 10s, condition: {field: n, eq: 5}}",
			[]happening{{0, "r=a n=1"}, {1, "r=a n=100"}, {2, "r=a n=5"}}, []string{"x[0 1 2] 5"}},
		{"value_percentile of numbers", "name: x\ncorrelation: {type: value_percentile, rules: [a], timespan: 10s, condition: {field: n, percentile: 75, gte: 4}}",
			[]happening{{0, "r=a n=1"}, {1, "r=a n=2"}, {2, "r=a n=3"}, {3, "r=a n=4"}, {4, "r=a n=5"}}, []string{"x[0 1 2 3 4] 4"}},
		{"value_percentile as share of a value", "name: x\ncorrelation: {type: value_percentile, rules: [a], group-by: [h], timespan: 1h, condition: {field: image, lte: 20}}",
			[]happening{{0, "r=a h=1 image=common"}, {1, "r=a h=1 image=common"}, {2, "r=a h=1 image=rare"}, {3, "r=a h=1 image=common"}, {4, "r=a h=1 image=common"}, {5, "r=a h=2 image=only"}},
			[]string{"x[2] h=1 20"}},
		{"value_min and value_max", "name: x\ncorrelation: {type: value_max, rules: [a], timespan: 10s, condition: {field: n, gt: 9}}\n---\nname: y\ncorrelation: {type: value_min, rules: [a], timespan: 10s, condition: {field: n, lt: 2}}",
			[]happening{{0, "r=a n=1"}, {1, "r=a n=10"}}, []string{"x[0 1] 10", "y[0 1] 1"}},

		{"temporal wants all rules in any order", "name: x\ncorrelation: {type: temporal, rules: [a, b, c], group-by: [u], timespan: 10s}",
			[]happening{{0, "r=c u=1"}, {1, "r=a u=1"}, {2, "r=b u=2"}, {3, "r=c u=1"}, {4, "r=b u=1"}, {30, "r=a u=1"}, {31, "r=b u=1"}},
			[]string{"x[1 3 4] u=1 3"}},
		{"temporal with a count", "name: x\ncorrelation: {type: temporal, rules: [a, b, c], timespan: 10s, condition: {gte: 2}}",
			[]happening{{0, "r=a"}, {1, "r=a"}, {2, "r=c"}}, []string{"x[1 2] 2"}},
		{"temporal with an expression", "name: x\ncorrelation: {type: temporal, rules: [a, b, c], timespan: 10s, condition: a and (b or c)}",
			[]happening{{0, "r=b"}, {1, "r=c"}, {2, "r=a"}}, []string{"x[0 1 2] 3"}},
		{"temporal with not waits for the window's end", "name: x\ncorrelation: {type: temporal, timespan: 10s, group-by: [u], condition: a and not b}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=2"}, {5, "r=b u=1"}, {30, "r=c u=2"}}, []string{"x[1] u=2 1"}},
		{"one event may match several rules", "name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=a r=b"}}, []string{"x[0] 2"}},

		{"temporal_ordered wants their order", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b, c], timespan: 10s}",
			[]happening{{0, "r=b"}, {1, "r=a"}, {2, "r=c"}, {3, "r=b"}, {4, "r=c"}}, []string{"x[1 3 4] 3"}},
		{"a chain begins as late as it can", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=a"}, {9, "r=a"}, {15, "r=b"}}, []string{"x[1 2] 2"}},
		{"a chain that is too long is none", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b, c], timespan: 10s}",
			[]happening{{0, "r=a"}, {8, "r=b"}, {11, "r=c"}}, nil},
		{"an event does not follow itself", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=a r=b"}}, nil},
		{"an event that matches both rules follows the one before it", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=a"}, {1, "r=a r=b"}}, []string{"x[0 1] 2"}},
		{"… and the next follows it", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b, c], timespan: 10s}",
			[]happening{{0, "r=a r=b"}, {1, "r=a r=b"}, {2, "r=b r=c"}, {14, "r=c r=b r=a"}}, []string{"x[0 1 2] 3"}},
		{"two events at the same time do, in the order they came", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{5, "r=a"}, {5, "r=b"}}, []string{"x[0 1] 2"}},
		{"temporal_ordered with a count", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b, c], timespan: 10s, condition: {gte: 2}}",
			[]happening{{0, "r=c"}, {1, "r=a"}, {2, "r=c"}}, []string{"x[1 2] 2"}},

		{"aliases name a field differently per rule", "name: x\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  group-by: [ip]\n  timespan: 10s\n  aliases:\n    ip: {a: src, b: dst}",
			[]happening{{0, "r=a src=1 dst=9"}, {1, "r=b src=1 dst=2"}, {2, "r=b src=7 dst=1"}}, []string{"x[0 2] ip=1 2"}},
		{"chains: many failures, then success", `name: many
correlation: {type: event_count, rules: [a], group-by: [u, h], timespan: 10s, condition: {gte: 3}}
---
name: x
correlation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: 10s}`,
			[]happening{{0, "r=b u=1 h=1"}, {1, "r=a u=1 h=1"}, {2, "r=a u=1 h=1"}, {3, "r=a u=1 h=1"}, {4, "r=b u=2 h=1"}, {5, "r=b u=1 h=5"}},
			[]string{"many[1 2 3] u=1 h=1 3 silent", "x[1 2 3 5] u=1 2"}},
		{"chains see that a correlation still holds", `name: many
correlation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 3}}
---
name: x
correlation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: 10s}`,
			[]happening{{0, "r=a u=1"}, {4, "r=a u=1"}, {8, "r=a u=1"}, {12, "r=a u=1"}, {16, "r=a u=1"}, {17, "r=b u=1"}},
			[]string{"many[0 1 2] u=1 3 silent", "x[2 3 4 5] u=1 2"}},
		{"chains may group by what the inner one does not", `name: many
correlation: {type: event_count, rules: [a], group-by: [h], timespan: 10s, condition: {gte: 2}}
---
name: x
correlation: {type: temporal, rules: [many, b], group-by: [u], timespan: 10s, generate: true}`,
			[]happening{{0, "r=a u=1 h=1"}, {1, "r=a u=2 h=1"}, {2, "r=b u=2 h=3"}},
			[]string{"many[0 1] h=1 2", "x[0 1 2] u=2 2"}},
		{"counts of correlations count matches, not their going on", `name: many
correlation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}
---
name: x
correlation: {type: event_count, rules: [many], timespan: 1h, condition: {gte: 2}}`,
			[]happening{{0, "r=a u=1"}, {1, "r=a u=1"}, {2, "r=a u=1"}, {3, "r=a u=2"}, {4, "r=a u=2"}},
			[]string{"many[0 1] u=1 2 silent", "many[3 4] u=2 2 silent", "x[0 1 3 4] 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := correlate(t, c.text, CorrelatorOptions{}, c.events)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestCorrelationsThatCannotWorkSayWhy(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\ncorrelation: {type: temporal, rules: [a, nope], timespan: 1m}":                                                                        `"nope", which is not loaded`,
		"name: x\ncorrelation: {type: temporal, rules: [a, y], timespan: 1m}\n---\nname: y\ncorrelation: {type: temporal, rules: [x, b], timespan: 1m}": "cycle of correlations: x → y → x",
		"name: x\ncorrelation: {type: temporal, rules: [x, a], timespan: 1m}":                                                                           "cycle of correlations: x → x",
		"name: z\ndetection: {s: {A|nope: x}, condition: s}\n---\nname: x\ncorrelation: {type: temporal, rules: [a, z], timespan: 1m}":                  "could not be used",
		"name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m, aliases: {ip: {c: src}}}":                                                  "does not refer to",
		"name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 1m, condition: a and not b}":                                           "must not happen",
		"name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m, condition: a and (b}":                                                      "parenthesis",
		"name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m, condition: a and c}":                                                       "not in rules",
		"name: x\ncorrelation: {type: temporal, rules: [a, a], timespan: 1m}":                                                                           "twice",
		"name: x\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {more: 1}}":                                                     "unknown condition",
		"name: x\ncorrelation: {type: value_percentile, rules: [a], timespan: 1m, condition: {field: x, percentile: 101, gt: 1}}":                       "0 to 100",
	} {
		rules, errs := Parse("c.yml", []byte(corrRules+text))
		eng := Compile(rules, Options{})
		errs = append(errs, eng.Report().Failed...)
		var all []string
		for _, e := range errs {
			all = append(all, e.Error())
			if e.Line == 0 {
				t.Errorf("no line: %v", e)
			}
		}
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%s:\n%q\nwant %q", text, all, want)
		}
		if rep := eng.Report(); rep.Active+len(rep.Failed)+len(rep.Unmapped) != rep.Rules {
			t.Errorf("%s: rules are unaccounted for: %+v", text, rep)
		}
	}
}

func TestMatchesOfReferredRulesAreSilentUnlessGenerated(t *testing.T) {
	for generate, want := range map[string]bool{"false": true, "true": false} {
		eng := compileOne(t, corrRules+"name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m, generate: "+generate+"}", Options{})
		got := eng.NewMatcher().MatchMap(eng.SourcesOf(LogSource{}), ev{"r": []any{"a", "c"}}, "")
		if len(got) != 2 || got[0].Silent != want || got[1].Silent {
			t.Errorf("generate %s: %+v", generate, got)
		}
	}
}

func TestTheCorrelatorIsBoundedAndSaysSo(t *testing.T) {
	var events []happening
	for i := range 500 {
		events = append(events, happening{float64(i) / 1000, fmt.Sprintf("r=a u=%d", i%100)})
	}
	const rule = "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 5}}\n---\nname: y\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {lt: 3}}"
	got, c := correlate(t, rule, CorrelatorOptions{MaxGroups: 10}, events)
	if len(c.state[0].groups) > 10 || len(c.state[1].groups) > 10 || len(c.due) > 2048 {
		t.Errorf("%d and %d groups, %d windows", len(c.state[0].groups), len(c.state[1].groups), len(c.due))
	}
	if l := c.Limits(); len(l) != 2 || l[0].What != "groups" || l[0].Count != 490 {
		t.Errorf("%+v, matches %q", l, got)
	}
	all, c := correlate(t, rule, CorrelatorOptions{}, events)
	if len(all) != 100 || len(c.Limits()) != 0 {
		t.Errorf("%d matches unbounded, limits %+v", len(all), c.Limits())
	}

	for i := range events {
		events[i].fields = "r=a"
	}
	one := "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gte: 300}}"
	got, c = correlate(t, one, CorrelatorOptions{MaxEvents: 50, MaxRelated: 7}, events)
	if len(got) != 1 || !strings.HasPrefix(got[0], "x[293 294 295 296 297 298 299] 300") {
		t.Errorf("the bound grows to what the rule needs, and the latest events are named: %q", got)
	}
	if n := len(c.state[0].groups[""].held); n > 301 {
		t.Errorf("%d events held", n)
	}
	late := []happening{{10, "r=a"}, {5, "r=a"}, {11, "r=a"}}
	got, c = correlate(t, "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}}", CorrelatorOptions{}, late)
	if fmt.Sprint(got) != "[x[1 0 2] 3]" || len(c.Limits()) != 1 || c.Limits()[0].What != "late" {
		t.Errorf("%q %+v", got, c.Limits())
	}
	_, c = correlate(t, "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 3}}", CorrelatorOptions{}, late)
	if l := c.Limits(); len(l) != 2 || l[0].What != "without group-by field" || l[0].Count != 3 {
		t.Errorf("%+v", l)
	}
}

// A window that slides must find what counting every window from scratch finds.
func TestEventCountAgreesWithCountingEveryWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var events []happening
		at := 0.0
		for range 40 {
			at += float64(r.IntN(5))
			events = append(events, happening{at, fmt.Sprintf("r=a u=%d", r.IntN(3))})
		}
		threshold := 2 + r.IntN(4)
		got, _ := correlate(t, fmt.Sprintf("name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 9s, condition: {gte: %d}}", threshold), CorrelatorOptions{}, events)
		fulfilled := map[string]bool{}
		for i, e := range events {
			n := 0
			for _, f := range events[:i+1] {
				if f.fields == e.fields && f.at >= e.at-9 {
					n++
				}
			}
			if n >= threshold {
				fulfilled[strings.Fields(e.fields)[1]] = true
			}
		}
		found := map[string]bool{}
		for _, m := range got {
			for _, u := range []string{"u=0", "u=1", "u=2"} {
				if strings.Contains(m, u) {
					found[u] = true
				}
			}
		}
		if fmt.Sprint(found) != fmt.Sprint(fulfilled) {
			t.Fatalf("threshold %d: found %v, want %v in %v", threshold, found, fulfilled, events)
		}
	}
}

func BenchmarkCorrelator(b *testing.B) {
	eng := compileOne(b, corrRules+`name: many
correlation: {type: event_count, rules: [a], group-by: [u], timespan: 1m, condition: {gte: 10}}
---
name: x
correlation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: 10m}`, Options{})
	c := NewCorrelator(eng, CorrelatorOptions{})
	users := make([]string, 1000)
	for i := range users {
		users[i] = fmt.Sprintf("user%d", i)
	}
	var out []CorrelationMatch
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		u := users[(i*7919)%len(users)]
		out = c.Observe(Observation{Time: int64(i) * int64(20*time.Millisecond), Event: "e", Match: Match{Rule: eng.rules[0]},
			Field: func(string) (string, bool) { return u, true }}, out[:0])
		i++
	}
}
