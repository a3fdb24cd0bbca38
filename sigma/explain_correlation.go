package sigma

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CorrelationExplanation says why a correlation rule did or did not match, or how near it came.
type CorrelationExplanation struct {
	Rule    *Rule
	Matches int // how often it matched; with CorrelationQuestion.Event, how often in that event's groups
	Rules   []ReferredRule
	Groups  int // group-by combinations that had an event to count

	// The group that came nearest, or the nearest of those that the asked event belongs to. Counted is false when there is none.
	Counted bool
	// Asked is whether the asked event is among the group's.
	Asked bool
	Group []GroupValue
	Value float64 // the most, or what is nearest to the condition, within one timespan: a count, a sum, the number of rules, …
	First int64   // time of the first and last event of that
	Last  int64
	Seen  []string // of temporal correlations: the rules seen then, in the rule's order

	// Changes are ways to make the nearest group match, any one of which is enough; empty when it does.
	Changes   []string
	Truncated bool // there were more events than could be held; those later in time were not looked at
}

// ReferredRule is what a correlation had of one of the rules it refers to.
type ReferredRule struct {
	Rule    *Rule
	Matches int
	NoLog   bool           // none of the sources is of a log that the rule is for
	Missing []MissingField // fields that the correlation needs of its events, for want of which some were not counted
}

// MissingField says how many events did not have a field.
type MissingField struct {
	Field  string
	Events int
}

// CorrelationQuestion narrows what ExplainCorrelation is asked.
type CorrelationQuestion struct {
	Event   string     // explain the groups that this event belongs to; "" for the nearest of all
	Sources []SourceID // the logs that were looked at, if known
}

// maxExplained bounds the events that an explanation holds.
const maxExplained = 1 << 20

// ExplainCorrelation runs one correlation rule over the matches of the rules that it refers to, directly or through other correlations,
// in event-time order, and says how near it came to matching. Other rules' matches are ignored.
func (e *Engine) ExplainCorrelation(r *Rule, observations iter.Seq[Observation], ask CorrelationQuestion) (*CorrelationExplanation, error) {
	c := NewCorrelator(e, CorrelatorOptions{})
	at := slices.IndexFunc(c.state, func(s *corrState) bool { return s.rule == r })
	switch {
	case r.Correlation == nil:
		return nil, errors.New("not a correlation rule")
	case at < 0:
		for _, f := range e.report.Failed {
			if f.File == r.File && f.Rule == r.Ref() {
				return nil, f
			}
		}
		return nil, errors.New("the rule is not among those compiled, or could not be used")
	}
	x := &explainer{c: c, s: c.state[at], ask: ask, groups: map[string]*nearGroup{}, refers: c.refers(c.state[at])}
	x.out.Rule = r
	for _, ref := range x.s.refs {
		x.out.Rules = append(x.out.Rules, ReferredRule{Rule: e.rules[ref], NoLog: e.noLog(e.rules[ref], ask.Sources)})
	}
	x.missing = make([]map[string]int, len(x.s.refs))
	for o := range observations {
		if x.refers[o.Match.Rule] && !x.observe(&o) {
			break
		}
	}
	x.matched(nil, c.Flush(nil))
	x.conclude()
	return &x.out, nil
}

// Refers reports whether a correlation rule refers to a rule, directly or through other correlations.
func (e *Engine) Refers(correlation, r *Rule) bool {
	for _, k := range e.correlations {
		if k.rule != correlation {
			continue
		}
		for _, ref := range k.refs { // there are no cycles
			if e.rules[ref] == r || e.Refers(e.rules[ref], r) {
				return true
			}
		}
	}
	return false
}

// refers lists the detections that a correlation refers to, directly or through others.
func (c *Correlator) refers(s *corrState) map[*Rule]bool {
	out := map[*Rule]bool{}
	for r := range c.feeds {
		out[r] = c.e.Refers(s.rule, r)
	}
	return out
}

// noLog reports that of the known sources none is one that a rule is tried on.
func (e *Engine) noLog(r *Rule, sources []SourceID) bool {
	return r.Detection != nil && sources != nil && !slices.ContainsFunc(sources, func(s SourceID) bool {
		return s >= 0 && int(s) < len(e.mapping.Logs) && e.covers(s, r)
	})
}

// explainer collects what a correlation had to count.
type explainer struct {
	c       *Correlator
	s       *corrState
	ask     CorrelationQuestion
	refers  map[*Rule]bool
	out     CorrelationExplanation
	groups  map[string]*nearGroup
	missing []map[string]int // by position: events without a field
	held    int
	buf     []CorrelationMatch
}

// nearGroup is all events of one group, in time order, and how near they came.
type nearGroup struct {
	key     string
	values  []string
	entries []entry
	asked   bool
	matches int

	value       float64
	score       float64 // 1: fulfilled; the nearer to it the better
	first, last int64
	seen        uint64
	span        int64 // the least timespan with which it would match; -1 when none would
}

// observe takes one event; it returns false when no more can be held.
func (x *explainer) observe(o *Observation) bool {
	e := x.c.e
	for pos, ref := range x.s.refs {
		if e.rules[ref] == o.Match.Rule {
			lookup := func(field string) (string, bool) { return x.c.lookup(x.s, o, field) }
			x.collect(pos, entry{time: o.Time, first: o.Time, events: []string{o.Event}, pos: pos}, lookup)
		}
	}
	x.buf = x.c.Observe(*o, x.buf[:0])
	x.matched(o, x.buf)
	x.out.Truncated = x.held >= maxExplained
	return !x.out.Truncated
}

// matched takes what the correlator says: matches of the rule itself, and of correlations that it refers to.
func (x *explainer) matched(o *Observation, matches []CorrelationMatch) {
	for i := range matches {
		m := &matches[i]
		if m.Rule == x.s.rule {
			values := make([]string, len(m.Group))
			for k, v := range m.Group {
				values[k] = v.Value
			}
			x.group(values).matches++
		}
		for pos, ref := range x.s.refs {
			if x.c.e.rules[ref] != m.Rule {
				continue
			}
			at := o
			if x.closes(m.Rule) {
				at = nil // decided by the end of its window, not by this event
			}
			lookup := func(field string) (string, bool) {
				for _, v := range m.Group {
					if v.Field == field {
						return v.Value, true
					}
				}
				return x.c.lookup(x.s, at, field)
			}
			x.collect(pos, entry{time: m.Last, first: m.First, events: m.Events, pos: pos}, lookup)
		}
	}
}

func (x *explainer) closes(r *Rule) bool {
	return slices.ContainsFunc(x.c.state, func(s *corrState) bool { return s.rule == r && s.closes })
}

func (x *explainer) group(values []string) *nearGroup {
	var key []byte
	for _, v := range values {
		v = fold(v)
		key = strconv.AppendInt(key, int64(len(v)), 36)
		key = append(append(key, ':'), v...)
	}
	g := x.groups[string(key)]
	if g == nil {
		g = &nearGroup{key: string(key), values: slices.Clone(values)}
		x.groups[g.key] = g
	}
	return g
}

// collect counts an event of the rule at a position, as Correlator.take does, and holds it without regard to the timespan.
func (x *explainer) collect(pos int, e entry, lookup func(string) (string, bool)) {
	x.out.Rules[pos].Matches++
	lacks := func(field string) {
		if x.missing[pos] == nil {
			x.missing[pos] = map[string]int{}
		}
		x.missing[pos][field]++
	}
	values := make([]string, len(x.s.c.GroupBy))
	for i, field := range x.s.c.GroupBy {
		v, ok := lookup(x.s.from[pos].groupBy[i])
		if !ok {
			lacks(field)
			return
		}
		values[i] = v
	}
	if fields := x.s.c.Condition.Fields; len(fields) > 0 && !x.c.measure(x.s.from[pos], &e, lookup) {
		lacks(strings.Join(fields, " or "))
		return
	}
	g := x.group(values)
	g.entries = append(g.entries, e)
	g.asked = g.asked || x.ask.Event != "" && slices.Contains(e.events, x.ask.Event)
	x.held++
}

// conclude picks the group and says what it lacks.
func (x *explainer) conclude() {
	for pos, fields := range x.missing {
		for _, f := range slices.Sorted(maps.Keys(fields)) {
			x.out.Rules[pos].Missing = append(x.out.Rules[pos].Missing, MissingField{f, fields[f]})
		}
	}
	asked := false
	for _, g := range x.groups {
		asked = asked || g.asked
	}
	var best *nearGroup
	for _, key := range slices.Sorted(maps.Keys(x.groups)) {
		g := x.groups[key]
		if len(g.entries) == 0 {
			continue
		}
		x.out.Groups++
		if g.asked != asked {
			continue
		}
		x.out.Matches += g.matches
		slices.SortStableFunc(g.entries, func(a, b entry) int { return cmp.Compare(a.time, b.time) })
		x.s.approach(g)
		if best == nil || g.nearer(best) {
			best = g
		}
	}
	if best == nil {
		x.uncounted()
		return
	}
	x.out.Counted, x.out.Asked = true, best.asked
	for i, f := range x.s.c.GroupBy {
		x.out.Group = append(x.out.Group, GroupValue{f, best.values[i]})
	}
	x.out.Value, x.out.First, x.out.Last = best.value, best.first, best.last
	for pos, ref := range x.s.refs {
		if best.seen&(1<<pos) != 0 {
			x.out.Seen = append(x.out.Seen, x.c.e.rules[ref].Ref())
		}
	}
	if best.matches == 0 {
		x.changes(best)
	}
}

func (g *nearGroup) nearer(than *nearGroup) bool {
	spans := func(g *nearGroup) int64 { // those that no timespan helps come last
		if g.span < 0 {
			return 1<<63 - 1
		}
		return g.span
	}
	return cmp.Or(-cmp.Compare(g.matches, than.matches), -cmp.Compare(g.score, than.score), cmp.Compare(spans(g), spans(than))) < 0
}

// uncounted says what would give the rule something to count.
func (x *explainer) uncounted() {
	for _, r := range x.out.Rules {
		switch {
		case r.NoLog:
			x.out.Changes = append(x.out.Changes, fmt.Sprintf("logs of %s, which %s is for: there are none", r.Rule.LogSource, r.Rule.Ref()))
		case r.Matches == 0:
			x.out.Changes = append(x.out.Changes, fmt.Sprintf("matches of %s: there are none", r.Rule.Ref()))
		}
		for _, m := range r.Missing {
			x.out.Changes = append(x.out.Changes, fmt.Sprintf("a value of %s in the matches of %s: %d of %d have none", m.Field, r.Rule.Ref(), m.Events, r.Matches))
		}
	}
}

// changes says what would make a group match.
func (x *explainer) changes(g *nearGroup) {
	s, out := x.s, &x.out.Changes
	say := func(format string, args ...any) { *out = append(*out, fmt.Sprintf(format, args...)) }
	temporal := strings.HasPrefix(s.c.Type, "temporal")
	if g.span > int64(s.c.Timespan) {
		// Whole seconds are what a rule can say.
		say("a timespan of at least %s", Span(time.Duration(g.span+int64(time.Second)-1).Truncate(time.Second)))
	}
	switch {
	case temporal && s.logic == nil && !s.closes && g.value > 0 && (g.value > 1 || !s.all):
		say("a condition of gte %s", number(g.value))
	case !temporal:
		for _, b := range s.c.Condition.Bounds {
			if b.holds(g.value) {
				continue
			}
			op := "gte"
			switch b.Op {
			case "lt", "lte":
				op = "lte"
			case "eq":
				op = "eq"
			case "neq":
				say("another value than %s", number(g.value))
				continue
			}
			say("%s %s instead of %s %s", op, number(g.value), b.Op, number(b.Value))
		}
	}
	if !temporal || s.closes {
		return
	}
	var lacking []string
	have := uint64(0)
	for i := range g.entries {
		have |= 1 << g.entries[i].pos
	}
	for pos, r := range x.out.Rules {
		if have&(1<<pos) != 0 {
			continue
		}
		what := r.Rule.Ref()
		switch {
		case r.NoLog:
			what += fmt.Sprintf(" (no log of %s was looked at)", r.Rule.LogSource)
		case r.Matches == 0:
			what += " (it matches nothing)"
		default:
			what += fmt.Sprintf(" (its %d matches are of other groups)", r.Matches)
		}
		lacking = append(lacking, what)
	}
	switch {
	case len(lacking) > 0:
		say("in this group, a match of %s", strings.Join(lacking, ", "))
	case s.c.Type == "temporal_ordered" && g.span < 0:
		say("the order %s; here they come in another one", strings.Join(s.c.Rules, ", "))
	}
}

// Span writes a duration as rules and people do: 5m, not 5m0s.
func Span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
