package statistics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
)

// percent writes a share with as many digits as it has meaning.
func percent(p float64) string {
	switch v := 100 * p; {
	case v == 0:
		return "0%"
	case v < 0.01:
		return "<0.01%"
	case v < 1:
		return fmt.Sprintf("%.2f%%", v)
	case v < 10:
		return fmt.Sprintf("%.1f%%", v)
	default:
		return fmt.Sprintf("%.0f%%", v)
	}
}

// Percent is a share for people.
func Percent(p float64) string { return percent(p) }

// probability writes "q = .012", or what it is below.
func probability(name string, p float64) string {
	switch {
	case p < 0.0001:
		return name + " < .0001"
	case p >= 0.1:
		return fmt.Sprintf("%s = %.2f", name, p)
	default:
		return fmt.Sprintf("%s = %s", name, strings.TrimPrefix(fmt.Sprintf("%.4f", p), "0"))
	}
}

// times writes by how much a share grew or shrank.
func times(before, after float64) string {
	r := after / before
	if r < 1 {
		return "to a " + ordinal(1/r)
	}
	switch {
	case r < 1.95:
		return fmt.Sprintf("by %.0f%%", 100*(r-1))
	case r < 10:
		return fmt.Sprintf("%.1f-fold", r)
	}
	return prose.Number(int64(math.Round(r))) + "-fold"
}

func ordinal(r float64) string {
	switch {
	case r < 1.95:
		return fmt.Sprintf("share of %.0f%%", 100/r)
	case r < 2.5:
		return "half"
	case r < 3.5:
		return "third"
	case r < 4.5:
		return "quarter"
	case r < 10:
		return fmt.Sprintf("%.0fth", r)
	}
	n := int64(math.Round(r))
	suffix := "th"
	switch {
	case n%10 == 1 && n%100 != 11:
		suffix = "st"
	case n%10 == 2 && n%100 != 12:
		suffix = "nd"
	case n%10 == 3 && n%100 != 13:
		suffix = "rd"
	}
	return prose.Number(n) + suffix
}

// Sentence says what became of the value.
func (ch *Change) Sentence(c *Comparison) string {
	value := brief(ch.Value, 120)
	s := ch.Field + ": " + value
	counts := fmt.Sprintf("%s → %s records, %s → %s", prose.Number(ch.Before), prose.Number(ch.After), percent(ch.ShareBefore), percent(ch.ShareAfter))
	blocks := func(n, of int) string { return fmt.Sprintf("%d of %d %s", n, of, c.stretches()) }
	switch {
	case ch.Before == 0:
		s += " is new: " + counts + ", in " + blocks(ch.BlocksAfter, c.BlocksAfter)
	case ch.After == 0:
		s += " is gone: " + counts + ", before in " + blocks(ch.BlocksBefore, c.BlocksBefore)
	case ch.ShareAfter > ch.ShareBefore:
		s += " rose " + times(ch.ShareBefore, ch.ShareAfter) + ": " + counts
	default:
		s += " fell " + times(ch.ShareBefore, ch.ShareAfter) + ": " + counts
	}
	if ch.Before > 0 && ch.After > 0 {
		s += fmt.Sprintf(", in %d of %d and %s", ch.BlocksBefore, c.BlocksBefore, blocks(ch.BlocksAfter, c.BlocksAfter))
	}
	return s + " (" + probability("q", ch.Q) + ")."
}

// News says which values of which fields are new or gone, those first whose values change least otherwise: a
// new host among twelve tells more than a new path among a thousand.
func (c *Comparison) News() []string {
	var telling, churning []*Changed
	for i := range c.Fields {
		f := &c.Fields[i]
		switch {
		case f.Numeric || f.EventsBefore == 0 || f.New+f.Gone == 0:
		case f.turnover() > 0.5 && f.New+f.Gone > 20:
			churning = append(churning, f)
		default:
			telling = append(telling, f)
		}
	}
	slices.SortStableFunc(telling, func(a, b *Changed) int {
		return cmp.Or(cmp.Compare(a.turnover(), b.turnover()), strings.Compare(a.Field, b.Field))
	})
	var out []string
	for _, f := range telling {
		out = append(out, f.news())
	}
	if len(churning) > 0 {
		var names []string
		for _, f := range churning {
			names = append(names, fmt.Sprintf("%s (%s new, %s gone)", f.Field, prose.Number(f.New), prose.Number(f.Gone)))
		}
		slices.Sort(names)
		out = append(out, "Most values are others each time in "+strings.Join(names, ", ")+".")
	}
	return out
}

// turnover is the share of a field's values that only one of the periods has.
func (f *Changed) turnover() float64 {
	return float64(f.New+f.Gone) / float64(f.DistinctBefore+f.New)
}

// news names the values that are new or gone.
func (f *Changed) news() string {
	list := func(n int64, of []Value, what string, first bool) string {
		if n == 0 {
			return ""
		}
		s := prose.Number(n) + " " + what
		if f.Field == "log.pattern.id" {
			return s // an id tells nobody anything; see sextant patterns --new
		}
		var names []string
		for _, v := range of {
			at := v.Last
			if first {
				at = v.First
			}
			one := fmt.Sprintf("%s (%s", brief(v.Value, 80), prose.Count(v.Count, "record"))
			if at != event.NoTime {
				one += map[bool]string{true: ", from ", false: ", until "}[first] + time.Unix(0, at).UTC().Format("01-02 15:04")
			}
			names = append(names, one+")")
		}
		s += ": " + strings.Join(names, ", ")
		if more := n - int64(len(of)); more > 0 {
			s += " and " + prose.Number(more) + " more"
		}
		return s
	}
	var parts []string
	for _, p := range []string{list(f.New, f.NewTop, "new of "+prose.Number(f.DistinctAfter), true), list(f.Gone, f.GoneTop, "gone of "+prose.Number(f.DistinctBefore), false)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	s := f.Field + ": " + strings.Join(parts, "; ") + "."
	if f.Field == "log.pattern.id" {
		s = strings.TrimSuffix(s, ".") + " kinds of messages; sextant patterns --new or --gone names them."
	}
	return s
}

// brief is as much of a text as a sentence bears.
func brief(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if r := []rune(s[:min(len(s), 4*most)]); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// stretches is what a comparison's blocks are called.
func (c *Comparison) stretches() string {
	switch c.Block {
	case 24 * time.Hour:
		return "days"
	case time.Hour:
		return "hours"
	case time.Minute:
		return "minutes"
	}
	return "stretches of " + duration(c.Block)
}

// Sentence says what became of the field's distribution.
func (f *Changed) Sentence() string {
	if f.Numeric {
		word := "larger"
		if f.MedianAfter < f.MedianBefore {
			word = "smaller"
		}
		if f.MedianAfter == f.MedianBefore {
			return fmt.Sprintf("%s: the numbers are distributed otherwise, median %s as before (KS distance %.2f at %s, %s).",
				f.Field, export.Figure(f.MedianAfter), f.KS, export.Figure(f.KSAt), probability("p", f.KSP))
		}
		return fmt.Sprintf("%s: the numbers are %s, median %s → %s (KS distance %.2f, %s).",
			f.Field, word, export.Figure(f.MedianBefore), export.Figure(f.MedianAfter), f.KS, probability("p", f.KSP))
	}
	return fmt.Sprintf("%s: %s → %s different values; the distributions differ by %.3f bits of 1 (Cramér's V %.2f, %s).",
		f.Field, prose.Number(f.DistinctBefore), prose.Number(f.DistinctAfter), f.Divergence, f.CramersV, probability("p", f.P))
}

// Volume says what became of the number of events.
func (c *Comparison) Volume() string {
	before, after := float64(c.EventsBefore)/c.Before.length().Hours(), float64(c.EventsAfter)/c.After.length().Hours()
	s := fmt.Sprintf("%s (%s an hour) before, %s (%s an hour) after",
		prose.Count(c.EventsBefore, "record"), export.Figure(before), prose.Number(c.EventsAfter), export.Figure(after))
	switch {
	case c.EventsBefore == 0 && c.EventsAfter == 0:
		return "Neither period has a record."
	case c.EventsBefore == 0 || c.EventsAfter == 0:
		return s + ": with nothing on one side, only the rate can be compared."
	case c.RateP <= significant && after > before:
		s += ": more, by more than " + c.stretches() + " differ anyway"
	case c.RateP <= significant:
		s += ": fewer, by more than " + c.stretches() + " differ anyway"
	default:
		s += ": no more different than " + c.stretches() + " are anyway"
	}
	return s + " (" + probability("p", c.RateP) + ")."
}

func duration(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d >= day && d%day == 0:
		return prose.Count(int64(d/day), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return prose.Count(int64(d/time.Hour), "hour")
	case d >= time.Minute && d%time.Minute == 0:
		return prose.Count(int64(d/time.Minute), "minute")
	}
	return prose.Count(int64(d/time.Second), "second")
}
