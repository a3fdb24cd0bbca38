package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// A host on the internet is tried from thousands of addresses a day. That is
// one thing to know, not thousands: attempts that failed and led to nothing
// become one incident for each target, behaviour and day. So do findings of
// one rule, below level critical, that are tied to nothing else; but not of how
// computers talk to others: each has its own story.

const (
	prominentCount = 1000 // events from which on an attempt is told by itself
	prominentWays  = 3    // behaviours from which on a source is
	manyHosts      = 5    // hosts with the same lone finding on a day, from which on they are told together
)

// mergeBackground joins such groups; the others stay as they are.
func mergeBackground(groups []*group) []*group {
	groups = mergeBy(groups, 2, func(g *group) string {
		if !g.isBackground() {
			return ""
		}
		b := g.nodes[0].behaviour
		for _, n := range g.nodes {
			b = max(b, n.behaviour)
		}
		if b == scanning {
			return fmt.Sprintf("background %d %d", b, g.day()) // of the network: scanners go from address to address
		}
		return fmt.Sprintf("background %d %s %d", b, strings.Join(g.hosts(), " "), g.day())
	})
	lone := func(g *group, level string) bool {
		n := g.nodes[0]
		return n.behaviour == other && !talks(n.f) && n.level <= analyze.LevelRank(level) && !slices.ContainsFunc(g.nodes, func(m *node) bool {
			return m.f.Rule.ID != n.f.Rule.ID || m.level != n.level
		})
	}
	groups = mergeBy(groups, 2, func(g *group) string {
		if !lone(g, "high") {
			return ""
		}
		return fmt.Sprintf("lone %q %s %d", g.nodes[0].f.Rule.ID, strings.Join(g.hosts(), " "), g.day())
	})
	return mergeBy(groups, manyHosts+1, func(g *group) string {
		if !lone(g, "medium") {
			return ""
		}
		return fmt.Sprintf("lone %q %d", g.nodes[0].f.Rule.ID, g.day())
	})
}

// mergeBy joins groups with the same key where there are at least so many; ""
// is no key.
func mergeBy(groups []*group, least int, key func(g *group) string) []*group {
	keys := make([]string, len(groups))
	same := map[string][]*group{}
	for i, g := range groups {
		if keys[i] = key(g); keys[i] != "" {
			same[keys[i]] = append(same[keys[i]], g)
		}
	}
	var out []*group
	for i, g := range groups {
		gs := same[keys[i]]
		switch {
		case keys[i] == "" || len(gs) < least:
			out = append(out, g)
		case gs[0] == g:
			all := &group{merged: true}
			for _, g := range gs {
				all.nodes = append(all.nodes, g.nodes...)
				all.context = append(all.context, g.context...)
			}
			all.context = all.context[:min(len(all.context), maxContext)]
			slices.SortFunc(all.nodes, compareNodes)
			slices.SortFunc(all.context, compareNodes)
			out = append(out, all)
		}
	}
	return out
}

// isBackground reports whether all of the group is noise from outside that is
// not worth telling by itself.
func (g *group) isBackground() bool {
	ways := map[behaviour]bool{}
	events := 0
	for _, n := range g.nodes {
		if !n.background || n.verdict.result != Failed && n.level > findingLevel && n.behaviour != bruteForce {
			return false
		}
		ways[n.behaviour] = true
		events = max(events, n.f.Count)
	}
	for _, n := range g.context {
		if n.verdict.result == Succeeded && n.level >= analyze.LevelRank("low") {
			return false
		}
	}
	return len(ways) < prominentWays && events < prominentCount
}

// hosts returns the names of all hosts of the group's findings, or the
// addresses aimed at where no host is named.
func (g *group) hosts() []string {
	all := map[string]bool{}
	for _, n := range g.nodes {
		for _, h := range n.hosts {
			all[h] = true
		}
	}
	if len(all) == 0 {
		for _, n := range g.nodes {
			for _, d := range n.f.Entities.Destinations {
				all[d] = true
			}
		}
	}
	return sortedKeys(all)
}

// day numbers the day the group begins on, in UTC.
func (g *group) day() int64 {
	first := int64(noTime)
	for _, n := range g.nodes {
		if t := n.f.First; t != noTime && (first == noTime || t < first) {
			first = t
		}
	}
	if first == noTime {
		return -1
	}
	return first / 86400e9
}

// span returns the first and last time of what the group's findings tell.
func (g *group) span() (s span) {
	s = span{noTime, noTime}
	for _, n := range g.nodes {
		if n.begun == noTime {
			continue
		}
		if s.from == noTime {
			s = span{n.begun, n.done}
			continue
		}
		s.from, s.to = min(s.from, n.begun), max(s.to, n.done)
	}
	return s
}

// level is the highest level of the group's findings.
func (g *group) level() int {
	return slices.MaxFunc(g.nodes, func(a, b *node) int { return cmp.Compare(a.level, b.level) }).level
}
