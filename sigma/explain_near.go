package sigma

import (
	"math"
	"math/bits"
	"slices"
)

// approach finds the part of a group's events, no longer than the timespan, that comes nearest to fulfilling the correlation, and the
// least timespan with which it would be fulfilled.
func (s *corrState) approach(g *nearGroup) {
	g.span, g.score = -1, math.Inf(-1)
	switch {
	case s.closes:
		s.approachWindows(g)
	case s.c.Type == "temporal":
		s.approachTemporal(g)
	case s.c.Type == "temporal_ordered":
		s.approachOrdered(g)
	default:
		s.approachCount(g)
	}
}

// take makes a window the nearest if it is nearer than what is there.
func (g *nearGroup) take(score, value float64, first, last int64, seen uint64) {
	if score > g.score {
		g.score, g.value, g.first, g.last, g.seen = score, value, first, last, seen
	}
}

// lessen notes a timespan with which the group would match.
func (g *nearGroup) lessen(span int64) {
	if g.span < 0 || span < g.span {
		g.span = span
	}
}

// distance is how far a value is from fulfilling a condition; 0 when it does.
func (c *CorrelationCondition) distance(v float64) float64 {
	d := 0.0
	for _, b := range c.Bounds {
		if !b.holds(v) {
			d += max(math.Abs(v-b.Value), math.SmallestNonzeroFloat64) / max(1, math.Abs(b.Value))
		}
	}
	return d
}

func (b Bound) holds(v float64) bool {
	c := CorrelationCondition{Bounds: []Bound{b}}
	return c.Holds(v)
}

// approachCount slides a window over counts and sums that must only be large enough.
func (s *corrState) approachCount(g *nearGroup) {
	cond := &s.c.Condition
	if s.c.Type == "value_max" { // one event is enough
		for _, e := range g.entries {
			g.take(-cond.distance(e.num), e.num, e.time, e.time, 0)
		}
		if cond.Holds(g.value) {
			g.span = 0
		}
		return
	}
	negative := false
	w := group{}
	for _, e := range g.entries {
		negative = negative || e.num < 0
		w.held = append(w.held, e)
		w.account(&e, 1)
		n := 0
		for w.held[n].time < e.time-int64(s.c.Timespan) {
			n++
		}
		w.drop(n)
		v := s.measured(&w)
		g.take(-cond.distance(v), v, w.held[0].time, e.time, 0)
	}
	if s.c.Type == "value_sum" && negative {
		return // a longer window may hold less
	}
	w = group{}
	for _, e := range g.entries {
		w.held = append(w.held, e)
		w.account(&e, 1)
		for len(w.held) > 0 && cond.Holds(s.measured(&w)) {
			g.lessen(e.time - w.held[0].time)
			w.drop(1)
		}
	}
}

// approachTemporal looks, at each event, how many of the rules were seen within the timespan before it.
func (s *corrState) approachTemporal(g *nearGroup) {
	last := make([]entry, len(s.refs))
	order := make([]int, 0, len(s.refs)) // positions seen, latest first
	for _, e := range g.entries {
		last[e.pos] = e
		if i := slices.Index(order, e.pos); i >= 0 {
			order = slices.Delete(order, i, i+1)
		}
		order = slices.Insert(order, 0, e.pos)
		var seen, near uint64
		first := e.time
		fulfilled := false
		for _, pos := range order {
			seen |= 1 << pos
			if last[pos].time >= e.time-int64(s.c.Timespan) {
				near, first = seen, last[pos].time
			}
			if !fulfilled && s.satisfied(seen, bits.OnesCount64(seen)) {
				fulfilled = true
				g.lessen(e.time - last[pos].time)
			}
		}
		g.take(s.share(near), float64(bits.OnesCount64(near)), first, e.time, near)
	}
}

// share is the part of the rules that were seen, or 1 when they are enough.
func (s *corrState) share(seen uint64) float64 {
	n := bits.OnesCount64(seen)
	if s.satisfied(seen, n) {
		return 1
	}
	return float64(n) / float64(len(s.refs)+1)
}

// approachOrdered follows, for every set of rules that can be had in order, the chain that began last, as Correlator.ordered does, but
// gives none up: how long it took is what is asked.
func (s *corrState) approachOrdered(g *nearGroup) {
	type end struct {
		start int64
		entry entry
		older *end // see link
	}
	chains := map[uint64]end{}
	var masks []uint64
	for _, e := range g.entries {
		bit := uint64(1) << e.pos
		masks = masks[:0]
		for m := range chains {
			if m < bit && (!s.all || m == bit-1) {
				masks = append(masks, m)
			}
		}
		slices.Sort(masks)
		put := func(m uint64, start int64) {
			if old, ok := chains[m]; !ok {
				chains[m] = end{start, e, nil}
			} else if start >= old.start {
				before := old.older
				if !slices.Equal(old.entry.events, e.events) {
					before = &end{old.start, old.entry, nil}
				}
				chains[m] = end{start, e, before}
			}
			if s.satisfied(m, bits.OnesCount64(m)) {
				g.lessen(e.time - start)
			}
			if e.time-start <= int64(s.c.Timespan) {
				g.take(s.share(m), float64(bits.OnesCount64(m)), start, e.time, m)
			}
		}
		if !s.all || e.pos == 0 {
			put(bit, e.first)
		}
		for _, m := range masks {
			c := chains[m]
			if slices.Equal(c.entry.events, e.events) { // an event does not follow itself
				if c.older == nil {
					continue
				}
				c = *c.older
			}
			if c.entry.time <= e.time {
				put(m|bit, c.start)
			}
		}
	}
	if math.IsInf(g.score, -1) { // nothing that could begin
		e := g.entries[0]
		g.take(0, 0, e.time, e.time, 0)
	}
}

// approachWindows goes through the windows that are decided at their end, and finds the one nearest to the condition.
func (s *corrState) approachWindows(g *nearGroup) {
	cond := &s.c.Condition
	for at := 0; at < len(g.entries); {
		begin := g.entries[at].time
		n := at
		w := group{}
		var seen uint64
		for ; n < len(g.entries) && g.entries[n].time <= begin+int64(s.c.Timespan); n++ {
			w.held = append(w.held, g.entries[n])
			w.account(&g.entries[n], 1)
			seen |= 1 << g.entries[n].pos
		}
		last := g.entries[n-1].time
		switch {
		case s.shares():
			for _, count := range w.distinct { // the order does not matter: which value has a share is not told
				share := 100 * float64(count) / float64(len(w.held))
				g.take(-cond.distance(share), share, begin, last, 0)
			}
		case s.c.Type == "temporal":
			g.take(s.share(seen), float64(bits.OnesCount64(seen)), begin, last, seen)
		default:
			v := s.measured(&w)
			g.take(-cond.distance(v), v, begin, last, 0)
		}
		at = n
	}
}
