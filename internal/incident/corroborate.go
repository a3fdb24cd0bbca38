package incident

import (
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// What a technique finds unusual is told as low where by itself it is mostly
// harmless: many files read, much sent out, calls at even intervals. Two of
// different kinds that are steps of one way, by the same account or from the
// same address within hours, are a story: each makes the other a reason to look.

const corroborateReach = 6 * time.Hour

// lowLevel is the least level of what can corroborate.
var lowLevel = analyze.LevelRank("low")

// corroborate raises such findings, in order of time, to the level that makes an incident.
func corroborate(nodes []*node) {
	var weak []*node
	for _, n := range nodes {
		if n.level == lowLevel && n.f.Kind != "sigma" && n.f.Kind != "correlation" && n.stage > recon && n.f.First != noTime {
			weak = append(weak, n)
		}
	}
	const neighbours = 50 // that each is compared with
	raise := make([]bool, len(weak))
	for i, a := range weak {
		for j := i + 1; j < len(weak) && j <= i+neighbours; j++ {
			b := weak[j]
			apart, _ := gap(a, b)
			if apart > int64(corroborateReach) || a.f.Kind == b.f.Kind || a.last >= b.last || !sameActor(a, b) || otherParties(a, b) {
				continue
			}
			raise[i], raise[j] = true, true
		}
	}
	for i, n := range weak {
		if raise[i] {
			n.level = findingLevel
		}
	}
}

// otherParties reports whether two findings are of a host's calls to different
// addresses outside: what it polls is no reason to look at what it sends elsewhere.
func otherParties(a, b *node) bool {
	x, y := names(outside(a.f.Entities.Destinations)), names(outside(b.f.Entities.Destinations))
	return a.callsOut() && b.callsOut() && len(x) > 0 && len(y) > 0 && !intersect(x, y)
}

// sameActor reports whether two findings are of one address or of one person's
// account. What names many of them is of none in particular.
func sameActor(a, b *node) bool {
	x, y := &a.f.Entities, &b.f.Entities
	few := func(vs []string) bool { return len(vs) > 0 && len(vs) <= 3 }
	if few(x.Sources) && few(y.Sources) && slices.ContainsFunc(x.Sources, func(v string) bool { return slices.Contains(y.Sources, v) }) {
		return true
	}
	return few(x.Users) && few(y.Users) && slices.ContainsFunc(x.Users, func(v string) bool {
		return userWeight(userName(v)) == weightUser && slices.ContainsFunc(y.Users, func(w string) bool { return userName(v) == userName(w) })
	})
}
