package detect

import (
	"cmp"
	"slices"

	"github.com/sextant-logs/sextant/sigma"
)

// Summary says what became of every rule in a run: Loaded are those Applied and NotApplicable together, and Failed are others.
type Summary struct {
	Loaded        int                // rules, correlations and filters that can be used
	Applied       int                // there were logs to try them on
	Matched       int                // of these, matched at least once
	NotApplicable []*sigma.Rule      // no such log here
	Failed        []*sigma.RuleError // files, documents and rules that cannot be used, and why
	Counts        []RuleCount        // of rules that matched, most first
	Limits        []sigma.Limit      // bounds that correlations reached
	Coarse        bool               // too many different origins: later ones were gathered together
	Idle          []string           // entries of the tuning that do nothing, and why
	Untimed       int64              // matches that correlations could not use for want of a time
}

// RuleCount is how often a rule matched.
type RuleCount struct {
	Rule  *sigma.Rule
	Count int64
}

// Saw tells the gatherer which logs a matcher met. Call it when the matcher's
// work is over.
func (g *Gatherer) Saw(m *Matcher) {
	for s := range m.seen {
		g.seen[s] = true
	}
}

// Summary sums up the run.
func (g *Gatherer) Summary() Summary {
	s := Summary{Failed: g.d.Failed(), Idle: g.d.idle, Limits: g.correlator.Limits(), Coarse: g.coarse, Untimed: g.untimed}
	type place struct{ file, rule string }
	failed := map[place]bool{}
	for _, f := range g.d.engine.Report().Failed {
		failed[place{f.File, f.Rule}] = true
	}
	byRef := map[string]*sigma.Rule{}
	for _, r := range g.d.rules {
		for _, ref := range []string{r.ID, r.Name} {
			if ref != "" {
				byRef[ref] = r
			}
		}
	}
	applies := map[*sigma.Rule]bool{}
	var check func(r *sigma.Rule, depth int) bool
	check = func(r *sigma.Rule, depth int) bool {
		if known, ok := applies[r]; ok {
			return known
		}
		yes := false
		if r.Correlation != nil {
			for _, ref := range r.Correlation.Rules {
				if b := byRef[ref]; b != nil && depth < 16 && check(b, depth+1) {
					yes = true
				}
			}
		} else {
			for _, id := range g.d.engine.SourcesOf(r.LogSource) {
				yes = yes || g.seen[id]
			}
		}
		applies[r] = yes
		return yes
	}
	for _, r := range g.d.rules {
		switch {
		case failed[place{r.File, r.Ref()}]:
			continue
		case check(r, 0):
			s.Applied++
		default:
			s.NotApplicable = append(s.NotApplicable, r)
		}
		s.Loaded++
		if n := g.counts[r]; n > 0 {
			s.Matched++
			s.Counts = append(s.Counts, RuleCount{r, n})
		}
	}
	slices.SortStableFunc(s.Counts, func(a, b RuleCount) int { return cmp.Compare(b.Count, a.Count) })
	return s
}
