package analyze

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// worked has accounts, each of which works at certain hours (local) of working days, in a
// zone; odd adds hours (UTC, since the beginning).
type worked struct {
	name       string
	from, to   int
	zone, days int
	odd        []int
	weekends   bool
}

func hoursOfWork(t *testing.T, all ...worked) []Finding {
	t.Helper()
	var b event.Batch
	for _, w := range all {
		put := func(h int) {
			b.Events = append(b.Events, event.Event{Time: worldStart + int64(h)*hour + 20*minute, Fields: []event.Field{{Name: "user.name", Value: w.name}}})
		}
		for d := range w.days {
			if d%7 >= 5 && !w.weekends {
				continue
			}
			for h := w.from; h < w.to; h++ {
				put(d*24 + h - w.zone)
			}
		}
		for _, h := range w.odd {
			put(h)
		}
	}
	tech := newWorking()
	tech.Merge(tech.Digest("log", &b))
	f, err := tech.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// colleagues are n ordinary accounts.
func colleagues(n int) (all []worked) {
	for i := range n {
		all = append(all, worked{name: fmt.Sprint("colleague", i), from: 8, to: 17, days: 28})
	}
	return all
}

func TestANightIsOddForWhoNeverWorksThenAndIsToldOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		who  worked
		want int
		says string
	}{
		{"one night", worked{name: "x", from: 8, to: 17, days: 28, odd: []int{15*24 + 3}}, 1, "2026-03-17 03:00–03:59 (UTC), 5 hours off its usual 08:00–17:00, and on none of its 19 other days"},
		{"three nights on end", worked{name: "x", from: 8, to: 17, days: 28, odd: []int{15*24 + 3, 16*24 + 3, 17*24 + 3}}, 1, "03:00"},
		{"half of all nights", worked{name: "x", from: 8, to: 17, days: 28, odd: []int{3, 50, 99, 171, 219, 267, 339, 387, 435, 507}}, 0, ""},
		{"an hour later, as summer time begins", worked{name: "x", from: 8, to: 17, days: 28, odd: []int{17, 24 + 17}}, 0, ""},
		{"far from Greenwich", worked{name: "x", from: 8, to: 17, zone: -8, days: 28}, 0, ""},
		{"far from Greenwich, a night", worked{name: "x", from: 8, to: 17, zone: -8, days: 28, odd: []int{15*24 + 11}}, 1, "5 hours off its usual 16:00–01:00"},
		{"around the clock", worked{name: "x", from: 0, to: 24, days: 28, weekends: true}, 0, ""},
		{"at night only", worked{name: "x", from: 22, to: 30, days: 28}, 0, ""},
		{"known for a week", worked{name: "x", from: 8, to: 17, days: 7, odd: []int{3*24 + 3}}, 0, ""},
		{"a Sunday", worked{name: "x", from: 8, to: 17, days: 35, odd: []int{13*24 + 11}}, 1, "weekend, 2026-03-15 11:00–11:59 (UTC), and on none of 3 others"},
	} {
		found := hoursOfWork(t, append(colleagues(15), c.who)...)
		if len(found) != c.want || c.want == 1 && !strings.Contains(found[0].Explanation, c.says) {
			t.Errorf("%s: %d findings, want %d that says %q: %+v", c.name, len(found), c.want, c.says, found)
		}
	}
}

// What is strange for somebody depends on what his like do, and one late evening does not
// make it usual.
func TestOneNightWeighsByWhatEverybodyDoes(t *testing.T) {
	night := worked{name: "x", from: 8, to: 17, days: 28, odd: []int{15*24 + 3}}
	among := func(who worked, others []worked) float64 {
		for _, f := range hoursOfWork(t, append(others, who)...) {
			if f.Entities.Users[0] == "x" && f.First/hour == worldStart/hour+int64(who.odd[len(who.odd)-1]) {
				return f.Surprise
			}
		}
		return 0
	}
	strict, lively := colleagues(15), colleagues(15)
	for i := range lively {
		lively[i].odd = []int{(i%4)*24 + 3, (7+i%4)*24 + 2, (21+i%4)*24 + 3}
	}
	if s, l := among(night, strict), among(night, lively); s <= l || s == 0 {
		t.Errorf("a night is worth %.1f bits where nobody works at night and %.1f where all do", s, l)
	}
	second := night
	second.odd = []int{24 + 4, 15*24 + 3}
	if once, twice := among(night, strict), among(second, strict); twice >= once {
		t.Errorf("the second night is worth %.1f bits, the only one %.1f", twice, once)
	}
}
