package sigma

func (s *corrState) append(g *group) {
	g.older, g.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = g
	} else {
		s.oldest = g
	}
	s.newest = g
}

func (s *corrState) unlink(g *group) {
	if g.older != nil {
		g.older.newer = g.newer
	} else {
		s.oldest = g.newer
	}
	if g.newer != nil {
		g.newer.older = g.older
	} else {
		s.newest = g.older
	}
}

func (c *Correlator) forget(s *corrState, g *group) {
	s.unlink(g)
	delete(s.groups, g.key)
	g.gone = true
}

// window is an open window of a group; windowHeap gives the one that ends first.
type window struct {
	end int64
	seq int
	s   *corrState
	g   *group
}

type windowHeap []window

func (h windowHeap) Len() int { return len(h) }
func (h windowHeap) Less(i, j int) bool {
	return h[i].end < h[j].end || h[i].end == h[j].end && h[i].seq < h[j].seq
}
func (h windowHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *windowHeap) Push(x any)   { *h = append(*h, x.(window)) }
func (h *windowHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = window{}
	*h = old[:len(old)-1]
	return w
}

// Limits returns the bounds that were reached, in a fixed order; empty when nothing was lost.
func (c *Correlator) Limits() []Limit {
	var out []Limit
	for _, s := range c.state {
		for _, l := range []Limit{
			{s.rule, "groups", s.evicted}, {s.rule, "events", s.dropped}, {s.rule, "without group-by field", s.ungrouped},
		} {
			if l.Count > 0 {
				out = append(out, l)
			}
		}
	}
	for _, r := range c.e.rules {
		if n := c.late[r]; n > 0 {
			out = append(out, Limit{r, "late", n})
		}
	}
	return out
}

// Limit says that a correlation rule reached one of the correlator's bounds.
type Limit struct {
	Rule  *Rule
	What  string // "groups", "events": the oldest were forgotten; "without group-by field": not counted; "late": out of time order
	Count int    // how often
}

// CorrelationMatch is one correlation rule that matched.
type CorrelationMatch struct {
	Rule      *Rule
	First     int64 // time of the first and last event counted, nanoseconds
	Last      int64
	Group     []GroupValue
	Value     float64  // what the condition was compared with: count, sum, …
	Events    []string // ids of the events counted, in time order, at most MaxRelated
	Truncated bool     // more events than Events names
	Silent    bool     // the rule only serves other correlations
}

// GroupValue is one group-by field and its value.
type GroupValue struct{ Field, Value string }
