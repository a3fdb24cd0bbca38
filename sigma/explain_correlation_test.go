package sigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// observations matches events, as correlate does, and gives what matched.
func observations(eng *Engine, events []happening) (out []Observation) {
	m := eng.NewMatcher()
	sources := eng.SourcesOf(LogSource{})
	for i, h := range events {
		fields := ev{}
		for _, kv := range strings.Fields(h.fields) {
			k, v, _ := strings.Cut(kv, "=")
			fields[k] = v
		}
		for _, x := range m.MatchMap(sources, fields, "") {
			out = append(out, Observation{
				Time: int64(h.at * 1e9), Event: fmt.Sprint(i), Match: x,
				Field: func(name string) (string, bool) { v, ok := fields[name].(string); return v, ok },
			})
		}
	}
	return out
}

func explainLast(t testing.TB, text string, events []happening, ask CorrelationQuestion) *CorrelationExplanation {
	t.Helper()
	eng := compileOne(t, corrRules+text, Options{})
	x, err := eng.ExplainCorrelation(eng.Rules()[len(eng.Rules())-1], slices.Values(observations(eng, events)), ask)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *CorrelationExplanation) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d matches, %d groups", x.Matches, x.Groups)
	for _, r := range x.Rules {
		fmt.Fprintf(&s, "; %s %d", r.Rule.Ref(), r.Matches)
		for _, m := range r.Missing {
			fmt.Fprintf(&s, " (%d without %s)", m.Events, m.Field)
		}
	}
	if x.Counted {
		fmt.Fprintf(&s, "; %v: %v in %v-%v %v", x.Group, x.Value, x.First/1e9, x.Last/1e9, x.Seen)
	}
	fmt.Fprintf(&s, "; %s", strings.Join(x.Changes, " | "))
	return s.String()
}

func TestExplainSaysHowNearACorrelationCame(t *testing.T) {
	logins := []happening{{0, "r=a u=1"}, {1, "r=a"}, {2, "r=a u=2"}, {4, "r=a u=1"}, {5, "r=a u=1"}, {30, "r=a u=1"}, {31, "r=b u=1"}}
	for _, c := range []struct {
		name, text string
		events     []happening
		ask        CorrelationQuestion
		want       string
	}{
		{"a longer timespan, or a lower threshold", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 4}}", logins, CorrelationQuestion{},
			"0 matches, 2 groups; a 6 (1 without u); [{u 1}]: 3 in 0-5 []; a timespan of at least 30s | gte 3 instead of gte 4"},
		{"only a lower threshold", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gt: 4}}", logins, CorrelationQuestion{},
			"0 matches, 2 groups; a 6 (1 without u); [{u 1}]: 3 in 0-5 []; gte 3 instead of gt 4"},
		{"the group of the event that is asked for", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}", logins, CorrelationQuestion{Event: "2"},
			"0 matches, 2 groups; a 6 (1 without u); [{u 2}]: 1 in 2-2 []; gte 1 instead of gte 2"},
		{"a match", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 3}}", logins, CorrelationQuestion{},
			"1 matches, 2 groups; a 6 (1 without u); [{u 1}]: 3 in 0-5 []; "},
		{"no group-by field anywhere", "name: x\ncorrelation: {type: event_count, rules: [a], group-by: [nosuch], timespan: 10s, condition: {gte: 3}}", logins, CorrelationQuestion{},
			"0 matches, 0 groups; a 6 (6 without nosuch); a value of nosuch in the matches of a: 6 of 6 have none"},
		{"nothing to count", "name: x\ncorrelation: {type: event_count, rules: [c], timespan: 10s, condition: {gte: 3}}", logins, CorrelationQuestion{},
			"0 matches, 0 groups; c 0; matches of c: there are none"},
		{"different values", "name: x\ncorrelation: {type: value_count, rules: [a], timespan: 3s, condition: {field: u, gte: 2}}",
			[]happening{{0, "r=a u=1"}, {1, "r=a u=1"}, {9, "r=a u=2"}, {12, "r=a"}}, CorrelationQuestion{},
			"0 matches, 1 groups; a 4 (1 without u); []: 1 in 0-0 []; a timespan of at least 8s | gte 1 instead of gte 2"},
		{"a rule that is missing", "name: x\ncorrelation: {type: temporal, rules: [a, b, c], group-by: [u], timespan: 10s}", logins, CorrelationQuestion{},
			"0 matches, 2 groups; a 6 (1 without u); b 1; c 0; [{u 1}]: 2 in 30-31 [a b]; a condition of gte 2 | in this group, a match of c (it matches nothing)"},
		{"rules too far apart", "name: x\ncorrelation: {type: temporal, rules: [a, b], group-by: [u], timespan: 10s}",
			[]happening{{0, "r=a u=1"}, {60.5, "r=b u=1"}}, CorrelationQuestion{},
			"0 matches, 1 groups; a 1; b 1; [{u 1}]: 1 in 0-0 [a]; a timespan of at least 1m1s"},
		{"the wrong order", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=b"}, {1, "r=a"}}, CorrelationQuestion{},
			"0 matches, 1 groups; a 1; b 1; []: 1 in 1-1 [a]; the order a, b; here they come in another one"},
		{"the right order, too slowly", "name: x\ncorrelation: {type: temporal_ordered, rules: [a, b], timespan: 10s}",
			[]happening{{0, "r=a"}, {5, "r=a"}, {20, "r=b"}}, CorrelationQuestion{},
			"0 matches, 1 groups; a 2; b 1; []: 1 in 0-0 [a]; a timespan of at least 15s"},
		{"fewer than", "name: x\ncorrelation: {type: event_count, rules: [a], timespan: 10s, condition: {lt: 2}}",
			[]happening{{0, "r=a"}, {1, "r=a"}, {2, "r=a"}, {20, "r=a"}, {21, "r=a"}}, CorrelationQuestion{},
			"0 matches, 1 groups; a 5; []: 2 in 20-21 []; lte 2 instead of lt 2"},
		{"a correlation of correlations", "name: many\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 10s, condition: {gte: 2}}\n---\n" +
			"name: x\ncorrelation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: 5s}", logins, CorrelationQuestion{},
			"0 matches, 1 groups; many 1; b 1; [{u 1}]: 1 in 0-4 [many]; a timespan of at least 31s"},
	} {
		if got := explainLast(t, c.text, c.events, c.ask).String(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestExplainNamesRulesWithoutALog(t *testing.T) {
	x := explainLast(t, "name: x\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m}", nil, CorrelationQuestion{Sources: []SourceID{}})
	if !x.Rules[0].NoLog || !strings.Contains(x.Changes[0], "there are none") {
		t.Errorf("got %+v", x)
	}
}

func TestExplainRefusesWhatIsNoCorrelation(t *testing.T) {
	eng := compileOne(t, corrRules, Options{})
	if _, err := eng.ExplainCorrelation(eng.Rules()[0], slices.Values([]Observation(nil)), CorrelationQuestion{}); err == nil {
		t.Error("a detection was explained as a correlation")
	}
}

// The timespan that an explanation names is the least with which the correlator itself matches.
func TestTheTimespanThatIsNamedIsTheLeastThatMatches(t *testing.T) {
	named := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		rule := []string{
			"type: event_count, rules: [a, b], condition: {gte: 5}", "type: value_count, rules: [a], condition: {field: v, gt: 2}",
			"type: value_sum, rules: [a, c], condition: {field: v, gte: 9}", "type: temporal, rules: [a, b, c]",
			"type: temporal, rules: [a, b, c], condition: a and (b or c)", "type: temporal, rules: [a, b, c], condition: {gte: 2}",
			"type: temporal_ordered, rules: [a, b, c]", "type: temporal_ordered, rules: [c, a, b], condition: {gte: 2}",
		}[seed%8]
		text := corrRules + "name: x\ncorrelation: {" + rule + ", group-by: [u], timespan: 1s}"
		var events []happening
		at := 0.0
		for range 3 + r.IntN(30) {
			at += float64(1 + r.IntN(20))
			events = append(events, happening{at, fmt.Sprintf("r=%c u=1 v=%d", 'a'+r.IntN(3), r.IntN(5))})
		}
		matches := func(span time.Duration) (n int, x *CorrelationExplanation, least int64) {
			eng := compileOne(t, text, Options{})
			rule := eng.Rules()[3]
			rule.Correlation.Timespan = span
			obs := observations(eng, events)
			x, err := eng.ExplainCorrelation(rule, slices.Values(obs), CorrelationQuestion{})
			if err != nil {
				t.Fatal(err)
			}
			c := NewCorrelator(eng, CorrelatorOptions{})
			least = -1
			g := &nearGroup{}
			for _, o := range obs {
				n += len(c.Observe(o, nil))
				for pos, ref := range c.state[0].refs {
					if eng.rules[ref] == o.Match.Rule {
						e := entry{time: o.Time, first: o.Time, events: []string{o.Event}, pos: pos}
						if len(rule.Correlation.Condition.Fields) == 0 || c.measure(c.state[0].from[pos], &e, o.Field) {
							g.entries = append(g.entries, e)
						}
					}
				}
			}
			if len(g.entries) > 0 {
				c.state[0].approach(g)
				least = g.span
			}
			return n, x, least
		}
		n, x, least := matches(time.Second)
		if n != x.Matches {
			t.Fatalf("seed %d: the correlator matches %d times, the explanation says %d", seed, n, x.Matches)
		}
		if least < 0 {
			if n, _, _ := matches(time.Hour); n > 0 {
				t.Errorf("seed %d: said that no timespan helps, but an hour does", seed)
			}
			continue
		}
		if least == 0 {
			continue
		}
		named++
		if n, x, _ := matches(time.Duration(least)); n == 0 || len(x.Changes) > 0 {
			t.Errorf("seed %d: does not match with the timespan %v: %v", seed, time.Duration(least), x)
		}
		if n, x, _ := matches(time.Duration(least) - 1); n > 0 || !strings.Contains(x.String(), "timespan of at least "+Span(time.Duration(least))) {
			t.Errorf("seed %d: matches with less than %v, or it is not named: %v", seed, time.Duration(least), x)
		}
	}
	if named < 100 {
		t.Errorf("only %d cases tried a timespan", named)
	}
}

func TestSpansReadAsRulesWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 20*time.Minute + 10*time.Second: "20m10s", 24 * time.Hour: "24h"} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %s, want %s", d, got, want)
		}
	}
}
