package sigma

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// brute is an event as the slow evaluation sees it.
type brute struct {
	at    float64
	rule  string // a letter for each that it matches
	user  string // "" when the event has none
	value int    // 0 when the event has none
}

// measure computes a correlation's value over the events of one window and group, as the specification defines it; false
// when there is none.
func measure(kind string, window []brute) (float64, bool) {
	distinct, sum, n := map[int]bool{}, 0, 0
	var numbers []float64
	rules := map[string]bool{}
	for _, e := range window {
		for _, r := range e.rule {
			rules[string(r)] = true
		}
		if e.value > 0 {
			distinct[e.value] = true
			sum += e.value
			numbers = append(numbers, float64(e.value))
			n++
		}
	}
	switch kind {
	case "event_count":
		return float64(len(window)), true
	case "value_count":
		return float64(len(distinct)), true
	case "value_sum":
		return float64(sum), true
	case "value_avg":
		return float64(sum) / float64(max(n, 1)), n > 0
	case "temporal":
		return float64(len(rules)), true
	case "value_min", "value_max", "value_median", "value_percentile":
		return share(numbers, map[string]float64{"value_min": 0, "value_max": 1, "value_median": .5, "value_percentile": .75}[kind]), n > 0
	}
	// temporal_ordered: the first of each rule after the one before it.
	want := []string{"a", "b", "c"}
	best := 0
	for i := range window {
		k := 0
		for _, e := range window[i:] {
			if k < 3 && strings.Contains(e.rule, want[k]) { // one event is one step
				k++
			}
		}
		best = max(best, k)
	}
	return float64(best), true
}

// share is the number below which a share of the numbers lies; between two of them, in proportion.
func share(numbers []float64, of float64) float64 {
	slices.Sort(numbers)
	for i, x := range numbers {
		place := of*float64(len(numbers)-1) - float64(i)
		if place == 0 || i == len(numbers)-1 {
			return x
		}
		if place < 1 {
			return x*(1-place) + numbers[i+1]*place
		}
	}
	return 0
}

var matchLine = regexp.MustCompile(`^x\[([0-9 ]+)\] who=(\d) ([0-9.]+)`)

// On random events every correlation finds the groups that looking at every window finds, and what it reports is such a
// window: of one group, within the timespan, with the value that it says. Rule b calls the group-by field otherwise than
// a and c do.
func TestCorrelationsAgreeWithLookingAtEveryWindow(t *testing.T) {
	const span = 9
	r := rand.New(rand.NewPCG(4, 4))
	kinds := []string{"event_count", "value_count", "value_sum", "value_avg", "temporal", "temporal_ordered", "value_min", "value_max", "value_median", "value_percentile", "few", "few values"}
	matched := map[string]int{}
	for round := range 600 {
		kind := kinds[round%len(kinds)]
		fewer := strings.HasPrefix(kind, "few") // fewer than so many
		var events []brute
		var given []happening
		at := 0.0
		for range 30 {
			at += float64(1 + r.IntN(4))
			e := brute{at: at, rule: string("abc"[r.IntN(3)])}
			if strings.HasPrefix(kind, "temporal") && r.IntN(3) == 0 {
				e.rule += strings.Replace("abc", e.rule, "", 1)[:1+r.IntN(2)]
			}
			fields := "r=" + strings.Join(strings.Split(e.rule, ""), " r=")
			if r.IntN(8) > 0 {
				e.user = strconv.Itoa(r.IntN(3))
				fields += " v=" + e.user + " u=" + e.user
				if len(e.rule) == 1 {
					fields = "r=" + e.rule + map[bool]string{true: " v=", false: " u="}[e.rule == "b"] + e.user
				}
			}
			if r.IntN(8) > 0 {
				e.value = 1 + r.IntN(5)
				fields += fmt.Sprintf(" n=%d", e.value)
			}
			events = append(events, e)
			given = append(given, happening{at, fields})
		}
		threshold := float64(2 + r.IntN(3))
		condition := fmt.Sprintf("condition: {gte: %v}", threshold)
		switch kind {
		case "value_sum":
			threshold *= 4
			fallthrough
		case "value_count", "value_avg":
			condition = fmt.Sprintf("condition: {field: n, gte: %v}", threshold)
		case "value_min", "value_max", "value_median":
			condition = fmt.Sprintf("condition: {field: n, gte: %v}", threshold)
		case "value_percentile":
			condition = fmt.Sprintf("condition: {field: n, percentile: 75, gte: %v}", threshold)
		case "few":
			kind, condition = "event_count", fmt.Sprintf("condition: {lt: %v}", threshold)
		case "few values":
			kind, condition = "value_count", fmt.Sprintf("condition: {field: n, lte: %v}", threshold-1)
		case "temporal", "temporal_ordered":
			threshold, condition = 3, ""
		}
		text := fmt.Sprintf("name: x\ncorrelation:\n  type: %s\n  rules: [a, b, c]\n  group-by: [who]\n  timespan: %ds\n"+
			"  aliases: {who: {a: u, b: v, c: u}}\n  %s\n", kind, span, condition)
		got, _ := correlate(t, text, CorrelatorOptions{}, given)

		found := map[string]bool{}
		for _, line := range got {
			m := matchLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%s: odd match %q", kind, line)
			}
			found[m[2]] = true
			matched[kinds[round%len(kinds)]]++
			var window []brute
			for _, id := range strings.Fields(m[1]) {
				i, _ := strconv.Atoi(id)
				if events[i].user != m[2] {
					t.Fatalf("%s: %q counts event %d of another group: %v", kind, line, i, given[i])
				}
				window = append(window, events[i])
			}
			if d := window[len(window)-1].at - window[0].at; d > span {
				t.Fatalf("%s: %q spans %v s: %v", kind, line, d, given)
			}
			value, ok := measure(kind, window)
			said, _ := strconv.ParseFloat(m[3], 64)
			if !ok || fewer != (value < threshold) || value-said > 1e-9 || said-value > 1e-9 {
				t.Fatalf("%s: %q, but the events it names give %v, wanted %v: %v", kind, line, value, threshold, given)
			}
		}
		if fewer || kind == "value_avg" || kind == "value_min" || kind == "value_max" || kind == "value_median" || kind == "value_percentile" {
			// Decided once a window, which begins with a group's first event after the one before (where values are asked for, the first that
			// has one); what such windows give is what must be found.
			ends, wanted := map[string]float64{}, map[string]bool{}
			for i, first := range events {
				if first.user == "" || kind != "event_count" && first.value == 0 || first.at <= ends[first.user] && ends[first.user] > 0 {
					continue
				}
				ends[first.user] = first.at + span
				var window []brute
				for _, e := range events[i:] {
					if e.user == first.user && e.at <= first.at+span {
						window = append(window, e)
					}
				}
				if value, ok := measure(kind, window); ok && fewer == (value < threshold) {
					wanted[first.user] = true
				}
			}
			if fmt.Sprint(found) != fmt.Sprint(wanted) {
				t.Fatalf("%s (%s), %v: found %v, want %v in %v", kind, condition, threshold, found, wanted, given)
			}
			continue
		}
		wanted := map[string]bool{}
		for i, last := range events {
			var window []brute
			for _, e := range events[:i+1] {
				if e.user == last.user && e.user != "" && last.at-e.at <= span {
					window = append(window, e)
				}
			}
			if value, ok := measure(kind, window); ok && value >= threshold {
				wanted[last.user] = true
			}
		}
		if fmt.Sprint(found) != fmt.Sprint(wanted) {
			t.Fatalf("%s, at least %v: found %v, want %v in %v", kind, threshold, found, wanted, given)
		}
	}
	for _, kind := range kinds {
		if matched[kind] == 0 {
			t.Errorf("%s never matched: the test shows nothing", kind)
		}
	}
}

// happened is one time that a rule or a correlation held, and when what it rests on began.
type happened struct{ first, last float64 }

// often are the times at which at least n of the events lie in the span that ends there, with the first of these.
func often(events []happened, n int, span float64) (out []happened) {
	for i, e := range events {
		k := i
		for k > 0 && e.last-events[k-1].last <= span {
			k--
		}
		if i-k+1 >= n {
			out = append(out, happened{events[k].first, e.last})
		}
	}
	return out
}

// reports are those of the times at which a count holds that it reports: when it comes to hold, and after each span of holding.
func reports(events, holds []happened, span float64) (out []happened) {
	held, last := false, 0.0
	for _, e := range events {
		at := slices.IndexFunc(holds, func(h happened) bool { return h.last == e.last })
		if at >= 0 && (!held || e.last-last > span) {
			out, last = append(out, holds[at]), e.last
		}
		held = at >= 0
	}
	return out
}

// together are the times at which both have happened within the span before.
func together(a, b []happened, span float64) (out []happened) {
	for _, pair := range [2][2][]happened{{a, b}, {b, a}} {
		for _, x := range pair[0] {
			best := -1.0
			for _, y := range pair[1] {
				if y.last <= x.last && x.last-y.last <= span {
					best = max(best, y.last)
				}
			}
			if best >= 0 {
				out = append(out, happened{min(best, x.last), x.last})
			}
		}
	}
	slices.SortFunc(out, func(x, y happened) int { return cmp.Compare(x.last, y.last) })
	return out
}

// Correlations of correlations find the groups that are found by working out, for each group by itself, every time at which the inner one
// held and then what the outer one asks of these times.
func TestChainedCorrelationsAgreeWithWorkingThemOut(t *testing.T) {
	const inner, outer, third = 7, 11, 6
	text := fmt.Sprintf(`name: many
correlation: {type: event_count, rules: [a], group-by: [u], timespan: %ds, condition: {gte: 3}}
---
name: x-and
correlation: {type: temporal, rules: [many, b], group-by: [u], timespan: %ds}
---
name: x-then
correlation: {type: temporal_ordered, rules: [many, b], group-by: [u], timespan: %ds}
---
name: x-twice
correlation: {type: event_count, rules: [many], group-by: [u], timespan: %ds, condition: {gte: 2}}
---
name: x-third
correlation: {type: temporal, rules: [x-and, c], group-by: [u], timespan: %ds}
---
name: x-before
correlation: {type: temporal_ordered, rules: [c, many], group-by: [u], timespan: %ds}
`, inner, outer, outer, 3*outer, third, outer)
	r := rand.New(rand.NewPCG(11, 11))
	matched := map[string]int{}
	line := regexp.MustCompile(`^(x-[a-z]+)\[[0-9 ]+\] u=(\d) `)
	for range 400 {
		var given []happening
		by := map[string][]happened{} // rule and group
		at := 0.0
		for range 45 {
			at += float64(1 + r.IntN(3))
			rule, user := string("aaabc"[r.IntN(5)]), strconv.Itoa(r.IntN(3))
			given = append(given, happening{at, "r=" + rule + " u=" + user})
			by[rule+user] = append(by[rule+user], happened{at, at})
		}
		got, _ := correlate(t, text, CorrelatorOptions{}, given)
		found := map[string]bool{}
		for _, s := range got {
			if m := line.FindStringSubmatch(s); m != nil {
				found[m[1]+m[2]] = true
			}
		}
		wanted := map[string]bool{}
		for u := range 3 {
			user := strconv.Itoa(u)
			a, b, c := by["a"+user], by["b"+user], by["c"+user]
			many := often(a, 3, inner)
			and := together(many, b, outer)
			want := map[string]bool{
				"x-and":   len(and) > 0,
				"x-third": len(together(and, c, third)) > 0,
				"x-twice": len(often(reports(a, many, inner), 2, 3*outer)) > 0,
			}
			for _, m := range many {
				for _, x := range b { // from the first of the events that were many
					want["x-then"] = want["x-then"] || m.last < x.last && x.last-m.first <= outer
				}
				for _, x := range c {
					want["x-before"] = want["x-before"] || x.last < m.last && m.last-x.last <= outer
				}
			}
			for name, holds := range want {
				if holds {
					wanted[name+user] = true
					matched[name]++
				}
			}
		}
		if fmt.Sprint(found) != fmt.Sprint(wanted) {
			t.Fatalf("found %v, want %v in %v", found, wanted, given)
		}
	}
	for _, name := range []string{"x-and", "x-then", "x-twice", "x-third", "x-before"} {
		if matched[name] == 0 || matched[name] == 1200 {
			t.Errorf("%s matched %d of 1200 times: the test shows nothing", name, matched[name])
		}
	}
}
