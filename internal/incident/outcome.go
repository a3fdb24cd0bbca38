package incident

import (
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/prose"
)

const maxWhy = 12 // sentences

// outcome makes the incident's answer to "did it succeed?" of its findings'
// verdicts.
//
//   - a success, and nothing of a later stage failed: succeeded
//   - a success, and something of a later stage failed: mixed
//   - no success, and an attempt beyond reconnaissance of which nobody knows: unknown
//   - else, failures: failed
func (g *group) outcome() Outcome {
	var succeeded, failed, unknown, decided stage
	var won, lost, open, both bool
	for _, n := range g.nodes {
		if n.verdict.result != "" && n.stage > recon {
			decided = max(decided, n.last)
		}
	}
	for _, n := range g.nodes {
		s := max(n.last, n.stage)
		if s <= recon && decided > recon && n.verdict.result != Succeeded {
			continue // whether the scan before it found something is no longer the question
		}
		if n.verdict.result == Unknown && fromSensor(n.f) && g.toldByTarget(n) {
			continue // the target's own log tells what the sensor could not see
		}
		switch n.verdict.result {
		case Succeeded:
			succeeded, won = max(succeeded, s), true
		case Failed:
			failed, lost = max(failed, s), true
		case Mixed:
			both = true
		case Unknown:
			unknown, open = max(unknown, s), true
		}
	}
	o := Outcome{Result: Unknown, Why: []Sentence{}}
	switch {
	case won && lost && failed > succeeded:
		o.Result = Mixed
	case won:
		o.Result = Succeeded
	case both:
		o.Result = Mixed
	case open:
		o.Result = Unknown
	case lost:
		o.Result = Failed
	}
	var rank []string
	switch o.Result {
	case Succeeded:
		rank = []string{Succeeded}
	case Mixed:
		rank = []string{Mixed, Succeeded, Failed}
	case Failed:
		rank = []string{Failed}
	default:
		rank = []string{Unknown, Failed}
	}
	needs := map[string]bool{}
	for _, n := range g.nodes {
		if n.verdict.result == Unknown && o.Result == Unknown {
			for _, log := range n.verdict.needs {
				needs[log] = true
			}
		}
	}
	o.Needs = sortedKeys(needs)
	o.Needs = o.Needs[:min(len(o.Needs), 20)]
	if len(o.Needs) == 0 {
		o.Needs = nil
	}
	if g.merged {
		if s, ok := g.mergedWhy(o.Result); ok {
			o.Why = []Sentence{s}
			return o
		}
	}
	seen := map[string]bool{}
	for _, result := range rank {
		// Attempts come first: what was done after them is no news without them.
		for _, attempt := range []bool{true, false} {
			for _, n := range g.nodes {
				if n.verdict.result != result || (n.behaviour != other) != attempt {
					continue
				}
				why := n.verdict.why
				if s := n.verdict.states; len(s.ids) > 0 {
					about := s.what + "\x00" + s.claim
					if seen[about] {
						continue
					}
					seen[about] = true
					why = []Sentence{g.stated(s, result)}
				}
				for _, w := range why {
					// Rules that match the same attempts say the same of fewer of them.
					less := attempt && slices.ContainsFunc(o.Why, func(told Sentence) bool { return among(w.Evidence, told.Evidence) })
					if !seen[w.Text] && !less && len(w.Evidence) > 0 && len(o.Why) < maxWhy {
						seen[w.Text] = true
						o.Why = append(o.Why, w)
					}
				}
			}
		}
	}
	return o
}

// among reports whether every record is among others.
func among(ids, others []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(others, id) })
}

// stated is what the records of all findings with the same verdict state of the same.
func (g *group) stated(s statement, result string) Sentence {
	var ids [][]string
	for _, n := range g.nodes {
		if o := n.verdict.states; n.verdict.result == result && o.what == s.what && o.claim == s.claim {
			ids = append(ids, o.ids)
		}
	}
	s.ids = cite(ids...)
	return s.sentence()
}

// toldByTarget reports whether the outcome of what a sensor saw is known from
// the logs of what it was aimed at: other findings tell of attempts by the same
// source at the same time.
func (g *group) toldByTarget(alert *node) bool {
	return slices.ContainsFunc(g.nodes, func(n *node) bool {
		apart, unknown := gap(n, alert)
		return !fromSensor(n.f) && (n.behaviour == bruteForce || n.behaviour == webAttack) && (n.verdict.result == Succeeded || n.verdict.result == Failed && n.verdict.covered) &&
			!unknown && apart <= int64(alertReach) && slices.ContainsFunc(n.f.Entities.Sources, func(s string) bool { return slices.Contains(alert.f.Entities.Sources, s) })
	})
}

// mergedWhy says in one sentence what the verdicts of merged attempts say each.
func (g *group) mergedWhy(result string) (Sentence, bool) {
	var evidence []string
	if result != Failed && result != Unknown || g.nodes[0].behaviour == other {
		return Sentence{}, false
	}
	like := 0
	for _, n := range g.nodes {
		if n.verdict.result == result {
			like++
		}
	}
	each := max(1, maxCited/max(like, 1))
	for _, n := range g.nodes {
		if n.verdict.result == result {
			evidence = append(evidence, n.tried(each)...)
		}
	}
	evidence = cite(evidence)
	evidence = evidence[:min(len(evidence), maxCited)]
	from := prose.Count(len(g.sources()), "address", "addresses")
	text := fmt.Sprintf("none of the attempts from %s got through; the logs that would show it cover the time", from)
	if g.nodes[0].behaviour == bruteForce {
		text = fmt.Sprintf("none of the attempts from %s was followed by an accepted login; the authentication logs of %s cover the time", from, hostsPhrase(g.hosts()))
	}
	if result == Unknown {
		text = fmt.Sprintf("the case does not hold the log that would tell whether any of the attempts from %s got through", from)
	}
	return Sentence{sentence(text), evidence}, len(evidence) > 0
}

// sources returns the source addresses of all the group's findings.
func (g *group) sources() []string {
	all := map[string]bool{}
	for _, n := range g.nodes {
		for _, s := range n.f.Entities.Sources {
			if !loopback(s) {
				all[s] = true
			}
		}
		for i := range n.details {
			if v := n.details[i].origin(); v != "" && len(n.f.Entities.Sources)+len(n.verdict.tried) == 0 && len(all) < maxNames {
				all[v] = true
			}
		}
		for i := range n.verdict.tried {
			all[n.verdict.tried[i].source] = true
		}
	}
	return sortedKeys(all)
}

// Score and severity; docs/incidents.md explains them to people.

// maxUnknown is the most that an incident scores of which nobody knows whether
// it succeeded: critical is what is known to have happened.
const maxUnknown = 79

// maxScan is the most for scanning that nothing is known to have followed: low.
const maxScan = 34

var levelScore = []int{5, 15, 30, 50, 70} // by rank in analyze.Levels

// score weighs an incident from 0 to 100.
func (g *group) score(o Outcome, impact string) int {
	s := levelScore[g.level()]
	switch o.Result {
	case Succeeded:
		s += 15
	case Mixed:
		s += 10
	case Unknown:
		s += 5
	case Failed:
		s -= 10
	}
	switch impact {
	case "critical":
		s += 20
	case "high":
		s += 12
	case "medium":
		s += 6
	case "low":
		s += 2
	}
	stages, rules := map[stage]bool{}, map[string]bool{}
	known := false
	for _, n := range g.nodes {
		if n.stage != noStage {
			stages[n.stage], stages[n.last] = true, true
		}
		rules[n.f.Rule.ID] = true
		known = known || n.verdict.known
	}
	s += min(12, 4*max(0, len(stages)-1))
	s += min(5, len(rules)-1)
	if known {
		s -= 20
	}
	if g.merged {
		s -= 5
	}
	if o.Result == Unknown {
		s = min(s, maxUnknown)
	}
	if o.Result != Succeeded && o.Result != Mixed && !slices.ContainsFunc(g.nodes, func(n *node) bool { return n.behaviour != scanning || n.level > findingLevel }) {
		s = min(s, maxScan)
	}
	return max(0, min(100, s))
}

// severityOf is the level that a score stands for.
func severityOf(score int) string {
	for i, least := range slices.Backward([]int{0, 15, 35, 60, 80}) {
		if score >= least {
			return analyze.Levels[i]
		}
	}
	return analyze.Levels[0]
}
