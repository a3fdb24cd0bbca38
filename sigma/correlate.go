package sigma

import (
	"cmp"
	"container/heap"
	"math/bits"
	"slices"
	"strconv"
)

// CorrelatorOptions bound a Correlator's memory. Zero values take the defaults.
type CorrelatorOptions struct {
	MaxGroups  int // group-by combinations held per correlation rule; default 100,000
	MaxEvents  int // events held per group; default 10,000 (raised to what a rule's threshold needs)
	MaxRelated int // event ids named in a match; default 1,000
}

// Correlator runs the engine's correlation rules over its matches. It is not safe for concurrent use: feed it from
// one goroutine, in event-time order; the same input gives the same output.
//
// Windows slide: a condition that more events can only fulfil (gt, gte, temporal) matches with the event that fulfils it, and
// again after each timespan for as long as it stays fulfilled. Conditions that further events can undo (lt, lte, eq, neq,
// averages, percentiles, "not") are decided for windows that begin with a group's first event and end a timespan later. An
// event without one of the group-by fields belongs to no group and is not counted; group values compare without regard to case.
type Correlator struct {
	e     *Engine
	opt   CorrelatorOptions
	state []*corrState
	feeds map[*Rule][]*feed // which correlations a rule's matches go to
	now   int64
	begun bool
	due   windowHeap
	open  int // windows in due that are not of forgotten groups
	seq   int
	late  map[*Rule]int
	out   []CorrelationMatch

	key    []byte   // of the group being looked for
	values []string // its group-by values
}

// feed is the way of a rule's matches to a correlation.
type feed struct {
	to      *corrState
	pos     int
	groupBy []string // the Sigma fields in the referred rule's events
	fields  []string // those that are counted
}

// corrState is a correlation rule's groups. They form a list from the longest untouched to the latest.
type corrState struct {
	*correlation
	from      []*feed // by position
	groups    map[string]*group
	oldest    *group
	newest    *group
	maxEvents int
	evicted   int // groups
	dropped   int // events
	ungrouped int
	targets   map[targetKey]Target
}

type targetKey struct {
	source SourceID
	field  string
}

// group is the events of one correlation that share their group-by values.
type group struct {
	key        string
	values     []string
	older      *group
	newer      *group
	touched    int64
	held       []entry  // in time order
	ids        []string // of the events in held, one each, while that is so; only ever appended to and cut
	mixed      bool     // it is not: an event twice in a row, events out of order, those of a correlation
	valueless  bool     // nobody asks how many distinct values there are
	distinct   map[string]int
	sum        float64
	last       []entry          // temporal: by position, the latest event
	chains     map[uint64]*link // temporal_ordered: by the rules in it, the chain that began last
	fulfilled  bool
	reported   bool
	reportedAt int64
	end        int64 // of the open window
	open       bool
	gone       bool
}

type entry struct {
	time   int64
	first  int64    // of a correlation's match: its first event; otherwise time
	events []string // one, or those of a correlation's match
	pos    int
	value  string
	num    float64
	set    bool
}

// link is the end of a chain of events in order.
type link struct {
	entry
	before *link
	start  int64
	older  *link // that it took the place of and that ends in another event, which this one may follow as another rule
}

// NewCorrelator returns a correlator for the engine's correlation rules.
func NewCorrelator(e *Engine, opt CorrelatorOptions) *Correlator {
	opt.MaxGroups = cmp.Or(max(opt.MaxGroups, 0), 100_000)
	opt.MaxEvents = cmp.Or(max(opt.MaxEvents, 0), 10_000)
	opt.MaxRelated = cmp.Or(max(opt.MaxRelated, 0), 1_000)
	c := &Correlator{e: e, opt: opt, feeds: map[*Rule][]*feed{}, late: map[*Rule]int{}}
	for _, k := range e.correlations {
		s := &corrState{correlation: k, groups: map[string]*group{}, maxEvents: opt.MaxEvents, targets: map[targetKey]Target{}}
		for _, b := range k.c.Condition.Bounds {
			if k.c.Type == "event_count" || k.c.Type == "value_count" {
				s.maxEvents = max(s.maxEvents, int(min(b.Value, 10_000_000))+1)
			}
		}
		c.state = append(c.state, s)
		for pos, ref := range k.refs {
			f := &feed{to: s, pos: pos}
			for _, field := range k.c.GroupBy {
				f.groupBy = append(f.groupBy, k.field[fieldKey(pos, field)])
			}
			for _, field := range k.c.Condition.Fields {
				f.fields = append(f.fields, k.field[fieldKey(pos, field)])
			}
			s.from = append(s.from, f)
			c.feeds[e.rules[ref]] = append(c.feeds[e.rules[ref]], f)
		}
	}
	return c
}

// Wants reports whether a correlation refers to the rule: only such matches need be observed.
func (c *Correlator) Wants(r *Rule) bool { return len(c.feeds[r]) > 0 }

// Fields names the caller's fields that Observe may ask for when given a match of the rule on the source.
func (c *Correlator) Fields(r *Rule, s SourceID) []string {
	seen := map[string]bool{}
	var out []string
	visited := map[*Rule]bool{}
	var walk func(r *Rule)
	walk = func(r *Rule) {
		if visited[r] {
			return
		}
		visited[r] = true
		for _, f := range c.feeds[r] {
			for _, field := range slices.Concat(f.groupBy, f.fields) {
				for _, from := range c.target(f.to, s, field).fields() {
					if !seen[from] {
						seen[from] = true
						out = append(out, from)
					}
				}
			}
			walk(f.to.rule) // a chain may ask the event for fields that the correlation does not group by
		}
	}
	walk(r)
	return out
}

func (c *Correlator) target(s *corrState, source SourceID, field string) Target {
	if source < 0 || int(source) >= len(c.e.mapping.Logs) {
		return Target{From: []string{field}}
	}
	key := targetKey{source, field}
	t, ok := s.targets[key]
	if !ok {
		t = c.e.mapping.Logs[source].Resolve(field)
		s.targets[key] = t
	}
	return t
}

// Observation is one match of a detection rule.
type Observation struct {
	Time  int64  // nanoseconds since the epoch
	Event string // the caller's id of the event; opaque
	Match Match
	// Field returns the value of one of the caller's fields, and whether the event has it.
	Field func(name string) (string, bool)
}

// Observe takes the next match and appends the correlations that it completes to dst.
func (c *Correlator) Observe(o Observation, dst []CorrelationMatch) []CorrelationMatch {
	feeds := c.feeds[o.Match.Rule]
	if len(feeds) == 0 {
		return dst
	}
	dst = c.Advance(o.Time, dst)
	if o.Time < c.now {
		c.late[o.Match.Rule]++
	}
	c.out = dst
	events := []string{o.Event}
	for _, f := range feeds {
		lookup := func(field string) (string, bool) { return c.lookup(f.to, &o, field) }
		c.take(f, entry{time: o.Time, first: o.Time, events: events, pos: f.pos}, lookup, &o, true)
	}
	dst, c.out = c.out, nil
	return dst
}

// lookup reads a Sigma field of an observed event.
func (c *Correlator) lookup(s *corrState, o *Observation, field string) (string, bool) {
	if o == nil || o.Field == nil {
		return "", false
	}
	t := c.target(s, o.Match.Source, field)
	read := func(from string) (string, bool) {
		first, second, between := splitJoin(from)
		v, ok := o.Field(first)
		if ok && between != "" {
			var w string
			w, ok = o.Field(second)
			v += between + w
		}
		return v, ok
	}
	for _, from := range t.From {
		if v, ok := read(from); ok {
			if t.Values != nil || t.Prefixes != nil {
				a := newAlias(0, t)
				v = a.rewrite(v)
			}
			return v, true
		}
	}
	return "", false
}

// Advance tells the correlator that no match before t will come, and appends correlations that are decided
// by the end of their window ("fewer than", averages, percentiles, not).
func (c *Correlator) Advance(t int64, dst []CorrelationMatch) []CorrelationMatch {
	if c.begun && t <= c.now {
		return dst
	}
	c.out = dst
	for len(c.due) > 0 && c.due[0].end < t {
		c.close()
	}
	c.now, c.begun = t, true
	dst, c.out = c.out, nil
	return dst
}

// Flush ends the input: every open window is decided.
func (c *Correlator) Flush(dst []CorrelationMatch) []CorrelationMatch {
	c.out = dst
	for len(c.due) > 0 {
		c.close()
	}
	dst, c.out = c.out, nil
	return dst
}

// take adds an event to the group that it belongs to. fresh is false when a correlation that already matched is still
// fulfilled: temporal correlations see it happen again, counts do not.
func (c *Correlator) take(f *feed, e entry, lookup func(string) (string, bool), o *Observation, fresh bool) {
	s := f.to
	temporal := s.c.Type == "temporal" || s.c.Type == "temporal_ordered"
	if !fresh && !temporal {
		return
	}
	key, values := c.key[:0], c.values[:0]
	for _, field := range f.groupBy {
		v, ok := lookup(field)
		if !ok {
			s.ungrouped++
			return
		}
		values = append(values, v)
		folded := fold(v)
		key = strconv.AppendInt(key, int64(len(folded)), 36)
		key = append(key, ':')
		key = append(key, folded...)
	}
	c.key, c.values = key, values
	if len(f.fields) > 0 && !c.measure(f, &e, lookup) {
		return // the field that is counted is not there
	}
	span := int64(s.c.Timespan)
	for s.oldest != nil && !s.oldest.open && s.oldest.touched < c.now-span { // what is past can take part in nothing
		c.forget(s, s.oldest)
	}
	g := s.groups[string(key)]
	if g == nil {
		if len(s.groups) >= c.opt.MaxGroups {
			if s.oldest.open {
				c.open--
			}
			s.oldest.held = nil
			c.forget(s, s.oldest)
			s.evicted++
		}
		g = &group{key: string(key), values: slices.Clone(values), valueless: s.c.Type != "value_count" && !s.shares()}
		s.groups[g.key] = g
	} else {
		s.unlink(g)
	}
	s.append(g)
	g.touched = max(g.touched, e.time)

	switch {
	case s.closes:
		if !g.open {
			if c.open++; len(c.due) > 1024 && len(c.due) > 2*c.open { // mostly windows of forgotten groups
				c.due = slices.DeleteFunc(c.due, func(w window) bool { return w.g.gone })
				heap.Init(&c.due)
			}
			g.open, g.end = true, e.time+span
			c.seq++
			heap.Push(&c.due, window{g.end, c.seq, s, g})
		}
		c.hold(s, g, e)
	case s.c.Type == "temporal":
		c.temporal(s, g, e, o)
	case s.c.Type == "temporal_ordered":
		c.ordered(s, g, e, o)
	default:
		c.count(s, g, e, o)
	}
}

// measure reads the value that a value_* correlation is about.
func (c *Correlator) measure(f *feed, e *entry, lookup func(string) (string, bool)) bool {
	for i, field := range f.fields {
		v, ok := lookup(field)
		if !ok {
			return false
		}
		if i > 0 {
			e.value += "\x00"
		}
		e.value += fold(v)
		if i == 0 {
			e.num, e.set = parseNumber(v)
		}
	}
	if f.to.c.Type == "value_count" || f.to.shares() {
		return true
	}
	return e.set // sums and averages are of numbers
}

// shares: value_percentile without a percentile asks how common a value is among all of its group.
func (s *corrState) shares() bool {
	return s.c.Type == "value_percentile" && s.c.Condition.Percentile == nil
}

// hold inserts an event in time order and drops the oldest beyond the bound.
func (c *Correlator) hold(s *corrState, g *group, e entry) {
	at := len(g.held)
	for at > 0 && g.held[at-1].time > e.time {
		at--
	}
	if n := len(g.ids); !g.mixed && at == len(g.held) && len(e.events) == 1 && (n == 0 || g.ids[n-1] != e.events[0]) {
		g.ids = append(g.ids, e.events[0])
	} else {
		g.ids, g.mixed = nil, true
	}
	g.held = slices.Insert(g.held, at, e)
	g.account(&e, 1)
	if len(g.held) > s.maxEvents {
		g.drop(1)
		s.dropped++
	}
}

func (g *group) account(e *entry, by int) {
	g.sum += float64(by) * e.num
	if g.valueless {
		return
	}
	if g.distinct == nil {
		g.distinct = map[string]int{}
	}
	if g.distinct[e.value] += by; g.distinct[e.value] == 0 {
		delete(g.distinct, e.value)
	}
}

func (g *group) drop(n int) {
	for i := range n {
		g.account(&g.held[i], -1)
	}
	g.held = g.held[n:] // append moves the rest when the array is used up
	if !g.mixed {
		g.ids = g.ids[min(n, len(g.ids)):]
	} else if len(g.held) == 0 {
		g.mixed = false
	}
}

// count is event_count, value_count, value_sum and value_max with a lower bound only.
func (c *Correlator) count(s *corrState, g *group, e entry, o *Observation) {
	c.hold(s, g, e)
	n := 0
	for n < len(g.held) && g.held[n].time < c.now-int64(s.c.Timespan) {
		n++
	}
	g.drop(n)
	value := s.measured(g)
	c.settle(s, g, s.c.Condition.Holds(value), value, g.held, e.time, o)
}

// measured computes what a correlation's condition is compared with.
func (s *corrState) measured(g *group) float64 {
	switch s.c.Type {
	case "event_count":
		return float64(len(g.held))
	case "value_count":
		return float64(len(g.distinct))
	case "value_sum":
		return g.sum
	case "value_avg":
		return g.sum / float64(len(g.held))
	}
	nums := make([]float64, len(g.held))
	for i := range g.held {
		nums[i] = g.held[i].num
	}
	slices.Sort(nums)
	if len(nums) == 0 {
		return 0
	}
	rank := 50.0
	switch {
	case s.c.Type == "value_min":
		rank = 0
	case s.c.Type == "value_max":
		rank = 100
	case s.c.Condition.Percentile != nil:
		rank = *s.c.Condition.Percentile
	}
	at := rank / 100 * float64(len(nums)-1) // between two numbers, in proportion
	i := int(at)
	if i+1 >= len(nums) {
		return nums[len(nums)-1]
	}
	return nums[i] + (at-float64(i))*(nums[i+1]-nums[i])
}

func (c *Correlator) temporal(s *corrState, g *group, e entry, o *Observation) {
	if g.last == nil {
		g.last = make([]entry, len(s.refs))
	}
	if !g.last[e.pos].set || g.last[e.pos].time <= e.time {
		e.set = true
		g.last[e.pos] = e
	}
	var seen uint64
	var held []entry
	for i := range g.last {
		if g.last[i].set && g.last[i].time >= c.now-int64(s.c.Timespan) {
			seen |= 1 << i
			held = append(held, g.last[i])
		}
	}
	slices.SortStableFunc(held, func(a, b entry) int { return cmp.Compare(a.time, b.time) })
	n := bits.OnesCount64(seen)
	c.settle(s, g, s.satisfied(seen, n), float64(n), held, e.time, o)
}

// ordered follows, for every set of rules that can be had in order, the chain that began last: no other can do better.
func (c *Correlator) ordered(s *corrState, g *group, e entry, o *Observation) {
	if g.chains == nil {
		g.chains = map[uint64]*link{}
	}
	past := e.time - int64(s.c.Timespan)
	bit := uint64(1) << e.pos
	made := map[uint64]*link{}
	if !s.all || e.pos == 0 {
		made[bit] = &link{entry: e, start: e.first}
	}
	masks := make([]uint64, 0, len(g.chains))
	for m := range g.chains {
		masks = append(masks, m)
	}
	slices.Sort(masks)
	for _, m := range masks {
		l := g.chains[m]
		if l.start < past {
			delete(g.chains, m)
			continue
		}
		if slices.Equal(l.events, e.events) { // an event does not follow itself
			l = l.older
		}
		switch {
		case l == nil || l.start < past:
			continue
		case m >= bit: // its last rule is not before this one
			continue
		case s.all && m != bit-1:
			continue
		case l.time > e.time:
			continue
		}
		made[m|bit] = &link{entry: e, before: l, start: l.start}
	}
	var best *link
	bestN := 0
	for m, l := range made {
		if old := g.chains[m]; old == nil || l.start >= old.start {
			if l.older = old; old != nil && slices.Equal(old.events, e.events) {
				l.older = old.older
			}
			if l.older != nil && l.older.older != nil {
				one := *l.older
				one.older, l.older = nil, &one
			}
			g.chains[m] = l
		}
		if n := bits.OnesCount64(m); s.satisfied(m, n) && (n > bestN || n == bestN && l.start > best.start) {
			best, bestN = l, n
		}
	}
	var held []entry
	for l := best; l != nil; l = l.before {
		held = append(held, l.entry)
	}
	slices.Reverse(held)
	// Without this event the chain may be incomplete and yet hold as before: only its own completion counts.
	if best != nil {
		c.settle(s, g, true, float64(bestN), held, e.time, o)
	} else if g.reportedAt < past {
		g.fulfilled = false
	}
}

// settle reports a match when the condition comes to hold, and again after each timespan that it keeps holding.
func (c *Correlator) settle(s *corrState, g *group, holds bool, value float64, held []entry, at int64, o *Observation) {
	if !holds {
		g.fulfilled = false
		return
	}
	fresh := !g.fulfilled || g.reported && at-g.reportedAt > int64(s.c.Timespan)
	g.fulfilled = true
	if fresh {
		g.reported, g.reportedAt = true, at
	}
	c.emit(s, g, value, held, o, fresh)
}

// emit reports a match and hands it to the correlations that refer to this one.
func (c *Correlator) emit(s *corrState, g *group, value float64, held []entry, o *Observation, fresh bool) {
	outer := c.feeds[s.rule]
	if !fresh && len(outer) == 0 {
		return
	}
	m := CorrelationMatch{Rule: s.rule, Value: value, Silent: c.e.silent[s.index]}
	for i := range s.c.GroupBy {
		m.Group = append(m.Group, GroupValue{s.c.GroupBy[i], g.values[i]})
	}
	if len(held) > 0 {
		m.First, m.Last = held[0].first, held[0].time
	}
	all := len(held)
	if n := len(held) - c.opt.MaxRelated; n > 0 {
		held = held[n:]
		m.Truncated = true
	}
	if !g.mixed && all > 0 && all == len(g.ids) {
		// What stays fulfilled is handed on with every event: looking at all of them each time would be quadratic.
		m.Last = held[len(held)-1].time
		m.Events = slices.Clip(g.ids[all-len(held):])
		held = nil
	}
	for _, h := range held {
		m.First, m.Last = min(m.First, h.first), max(m.Last, h.time)
		for _, id := range h.events {
			if n := len(m.Events); n == 0 || m.Events[n-1] != id {
				m.Events = append(m.Events, id)
			}
		}
	}
	if n := len(m.Events) - c.opt.MaxRelated; n > 0 { // the latest say most
		m.Events = slices.Clone(m.Events[n:])
		m.Truncated = true
	}
	if fresh {
		c.out = append(c.out, m)
	}
	for _, f := range outer {
		lookup := func(field string) (string, bool) {
			for _, v := range m.Group {
				if v.Field == field {
					return v.Value, true
				}
			}
			return c.lookup(f.to, o, field)
		}
		c.take(f, entry{time: m.Last, first: m.First, events: m.Events, pos: f.pos}, lookup, o, fresh)
	}
}

// close decides the window that ends first.
func (c *Correlator) close() {
	w := heap.Pop(&c.due).(window)
	s, g := w.s, w.g
	if g.gone || !g.open {
		return
	}
	g.open = false
	c.open--
	c.forget(s, g)
	// What came after the window's end, out of order with it, belongs to the next one and is rare enough to be left out.
	held := slices.DeleteFunc(g.held, func(e entry) bool { return e.time > g.end })
	if len(held) == 0 {
		return
	}
	if s.shares() {
		c.closeShares(s, g, held)
		return
	}
	if s.c.Type == "temporal" {
		var seen uint64
		for _, e := range held {
			seen |= 1 << e.pos
		}
		if n := bits.OnesCount64(seen); s.satisfied(seen, n) {
			c.emit(s, g, float64(n), held, nil, true)
		}
		return
	}
	g.held = held
	if v := s.measured(g); s.c.Condition.Holds(v) {
		c.emit(s, g, v, held, nil, true)
	}
}

// closeShares reports each value whose share of its group's events, in percent, fulfils the condition.
func (c *Correlator) closeShares(s *corrState, g *group, held []entry) {
	byValue := map[string][]entry{}
	var order []string
	for _, e := range held {
		if byValue[e.value] == nil {
			order = append(order, e.value)
		}
		byValue[e.value] = append(byValue[e.value], e)
	}
	for _, v := range order {
		if share := 100 * float64(len(byValue[v])) / float64(len(held)); s.c.Condition.Holds(share) {
			c.emit(s, g, share, byValue[v], nil, true)
		}
	}
}
