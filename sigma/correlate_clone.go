package sigma

import (
	"maps"
	"slices"
)

// Clone returns a correlator in the same state, that goes on by itself. It costs
// what is held: groups that are not past, and their events.
func (c *Correlator) Clone() *Correlator {
	out := *c
	out.late, out.feeds, out.out = maps.Clone(c.late), map[*Rule][]*feed{}, nil
	out.key, out.values = nil, nil
	states := make(map[*corrState]*corrState, len(c.state))
	groups := map[*group]*group{}
	out.state = make([]*corrState, len(c.state))
	for i, s := range c.state {
		state := *s
		state.targets = maps.Clone(s.targets)
		state.groups, state.oldest, state.newest = make(map[string]*group, len(s.groups)), nil, nil
		for g := s.oldest; g != nil; g = g.newer {
			groups[g] = g.clone()
			state.append(groups[g])
			state.groups[g.key] = groups[g]
		}
		state.from = nil
		for _, f := range s.from {
			feed := *f
			feed.to = &state
			state.from = append(state.from, &feed)
		}
		out.state[i], states[s] = &state, &state
	}
	for r, feeds := range c.feeds {
		for _, f := range feeds {
			out.feeds[r] = append(out.feeds[r], states[f.to].from[f.pos])
		}
	}
	out.due = make(windowHeap, 0, len(c.due)) // with the order of a heap, which it is
	for _, w := range c.due {
		g := groups[w.g]
		if g == nil { // forgotten
			g = &group{gone: true}
		}
		out.due = append(out.due, window{w.end, w.seq, states[w.s], g})
	}
	return &out
}

// clone copies what changes; entries and links never do.
func (g *group) clone() *group {
	out := *g
	out.ids = slices.Clip(g.ids) // both append
	out.held, out.last = slices.Clone(g.held), slices.Clone(g.last)
	out.distinct, out.chains = maps.Clone(g.distinct), maps.Clone(g.chains)
	return &out
}
