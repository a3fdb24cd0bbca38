package sigma

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// brute is an event as the slow evaluation sees it.
type brute struct {
	at    float64
	rule  string
	user  string // "" when the event has none
	value int    // 0 when the event has none
}

// measure computes a correlation's value over the events of one window and group, as the specification defines it; false
// when there is none.
func measure(kind string, window []brute) (float64, bool) {
	distinct, sum, n := map[int]bool{}, 0, 0
	rules := map[string]bool{}
	for _, e := range window {
		rules[e.rule] = true
		if e.value > 0 {
			distinct[e.value] = true
			sum += e.value
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
	}
	// temporal_ordered: the first of each rule after the one before it.
	want := []string{"a", "b", "c"}
	best := 0
	for i := range window {
		k := 0
		for _, e := range window[i:] {
			if k < 3 && e.rule == want[k] {
				k++
			}
		}
		best = max(best, k)
	}
	return float64(best), true
}

var matchLine = regexp.MustCompile(`^x\[([0-9 ]+)\] who=(\d) ([0-9.]+)`)

// On random events every correlation finds the groups that looking at every window finds, and what it reports is such a
// window: of one group, within the timespan, with the value that it says. Rule b calls the group-by field otherwise than
// a and c do.
func TestCorrelationsAgreeWithLookingAtEveryWindow(t *testing.T) {
	const span = 9
	r := rand.New(rand.NewPCG(4, 4))
	kinds := []string{"event_count", "value_count", "value_sum", "value_avg", "temporal", "temporal_ordered"}
	matched := map[string]int{}
	for round := range 600 {
		kind := kinds[round%len(kinds)]
		var events []brute
		var given []happening
		at := 0.0
		for range 30 {
			at += float64(1 + r.IntN(4))
			e := brute{at: at, rule: string("abc"[r.IntN(3)])}
			fields := "r=" + e.rule
			if r.IntN(8) > 0 {
				e.user = strconv.Itoa(r.IntN(3))
				fields += map[bool]string{true: " v=", false: " u="}[e.rule == "b"] + e.user
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
			matched[kind]++
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
			if !ok || value < threshold || value-said > 1e-9 || said-value > 1e-9 {
				t.Fatalf("%s: %q, but the events it names give %v, wanted %v: %v", kind, line, value, threshold, given)
			}
		}
		if kind == "value_avg" {
			continue // decided once a window, not for every one
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
