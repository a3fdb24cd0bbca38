package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// observe keeps a match that correlation rules refer to.
func (g *Gatherer) observe(e *event.Event, h *Hit) error {
	if e.Time == event.NoTime {
		g.untimed++
		return nil
	}
	d := decoded{time: e.Time, rule: g.d.order[h.Rule], source: int(h.Source), silent: h.Silent, id: e.ID}
	for _, name := range g.correlator.Fields(h.Rule, h.Source) {
		for i := range e.Fields {
			if e.Fields[i].Name == name {
				d.fields = append(d.fields, name, e.Fields[i].Value)
				break
			}
		}
	}
	return g.observations.add(d)
}

// Findings ends the gathering: it runs the correlations and returns all
// findings in order of time, then id. Store is asked for the records that
// correlations cite.
func (g *Gatherer) Findings(ctx context.Context, store analyze.Querier) ([]analyze.Finding, error) {
	defer g.observations.close()
	var findings []analyze.Finding
	for _, gr := range g.groups {
		for _, s := range gr.spans {
			findings = append(findings, s.finding(gr.key.rule, gr.key.host+"\x00"+gr.key.origin))
		}
	}
	correlated, err := g.correlate(ctx)
	if err != nil {
		return nil, err
	}
	more, err := describe(ctx, store, correlated)
	if err != nil {
		return nil, err
	}
	findings = append(findings, more...)
	slices.SortFunc(findings, func(a, b analyze.Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	return findings, nil
}

// chain is the matches of one correlation rule with the same group-by values
// and no long pause between them.
type chain struct {
	rule        *sigma.Rule
	group       []sigma.GroupValue
	first, last int64
	value       float64  // the highest that the rule's condition saw
	ids         []string // sorted, without repeats
	matches     int
	cut         bool
}

const maxChainIDs = 20_000

// correlate runs the correlation rules and joins what belongs together.
func (g *Gatherer) correlate(ctx context.Context) ([]*chain, error) {
	open := map[string]*chain{}
	var done []*chain
	var matches []sigma.CorrelationMatch
	take := func() {
		for _, m := range matches {
			if m.Silent {
				continue
			}
			g.counts[m.Rule]++
			var key strings.Builder
			fmt.Fprint(&key, g.d.order[m.Rule])
			for _, v := range m.Group {
				fmt.Fprintf(&key, "\x00%s", v.Value)
			}
			c := open[key.String()]
			if c == nil || m.First-c.last > max(pause, int64(m.Rule.Correlation.Timespan)) {
				c = &chain{rule: m.Rule, group: slices.Clone(m.Group), first: m.First, last: m.Last}
				open[key.String()] = c
				done = append(done, c)
			}
			c.first, c.last = min(c.first, m.First), max(c.last, m.Last)
			c.value = max(c.value, m.Value)
			c.matches++
			c.cut = c.cut || m.Truncated
			for _, id := range m.Events {
				if len(c.ids) >= maxChainIDs {
					c.cut = true
					break
				}
				if i, found := slices.BinarySearch(c.ids, id); !found {
					c.ids = slices.Insert(c.ids, i, id)
				}
			}
		}
		matches = matches[:0]
	}
	var n int
	err := g.observations.each(func(d decoded) error {
		if n++; n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		matches = g.correlator.Observe(sigma.Observation{
			Time: d.time, Event: d.id,
			Match: sigma.Match{Rule: g.d.rules[d.rule], Source: sigma.SourceID(d.source), Silent: d.silent},
			Field: func(name string) (string, bool) {
				for i := 0; i+1 < len(d.fields); i += 2 {
					if d.fields[i] == name {
						return d.fields[i+1], true
					}
				}
				return "", false
			},
		}, matches)
		if len(matches) > 0 {
			take()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	matches = g.correlator.Flush(matches)
	take()
	return done, nil
}

// describe turns chains into findings, asking the store for the records they
// cite: entities come from them.
func describe(ctx context.Context, store analyze.Querier, chains []*chain) ([]analyze.Finding, error) {
	var findings []analyze.Finding
	for len(chains) > 0 {
		// As many chains at a time as make a query of some thousand ids.
		n, ids := 0, 0
		wanted := map[string][]*span{}
		var batch []*span
		for n < len(chains) && (n == 0 || ids < 2000) {
			s := &span{first: chains[n].first, last: chains[n].last}
			batch = append(batch, s)
			for _, id := range cited(chains[n].ids) {
				wanted[id] = append(wanted[id], s)
				ids++
			}
			n++
		}
		if err := fetch(ctx, store, wanted); err != nil {
			return nil, err
		}
		for i, c := range chains[:n] {
			if f, ok := c.finding(batch[i]); ok {
				findings = append(findings, f)
			}
		}
		chains = chains[n:]
	}
	return findings, nil
}

// cited picks at most maxEvidence ids, from both ends.
func cited(ids []string) []string {
	if len(ids) <= maxEvidence {
		return ids
	}
	return slices.Concat(ids[:maxEvidence/2], ids[len(ids)-maxEvidence/2:])
}

// fetch reads the wanted records from the store and gives each to its spans.
func fetch(ctx context.Context, store analyze.Querier, wanted map[string][]*span) error {
	if len(wanted) == 0 {
		return nil
	}
	ids := make([]string, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, strconv.Quote(id))
	}
	slices.Sort(ids)
	query := "event.id:in(" + strings.Join(ids, ",") + ")"
	return store.Query(ctx, query, func(row []event.Field) error {
		e := Stored(row)
		for _, s := range wanted[e.ID] {
			first, last := s.first, s.last
			s.take(&e, strings.Clone(e.Get("log.file.path")))
			s.first, s.last = first, last
		}
		return nil
	})
}

// finding is what the chain has become, given a span with its records.
func (c *chain) finding(s *span) (analyze.Finding, bool) {
	if s.count == 0 {
		return analyze.Finding{}, false // none of its records is in the store
	}
	var where []string
	for _, v := range c.group {
		where = append(where, v.Field+" "+v.Value)
	}
	f := s.finding(c.rule, strings.Join(where, "\x00"))
	f.Kind = "correlation"
	f.Count = len(c.ids)
	f.Explanation = fmt.Sprintf("%d records together match the correlation “%s”", f.Count, c.rule.Title)
	if len(where) > 0 {
		f.Explanation += " for " + strings.Join(where, ", ")
	}
	f.Explanation += fmt.Sprintf(" between %s and %s: %s.", stamp(c.first), stamp(c.last), c.measure())
	f.ID = findingID(f.Kind, c.rule.Ref(), strings.Join(where, "\x00"), f.Evidence[0].ID)
	return f, true
}

// measure says what the rule counted, against what it asks for.
func (c *chain) measure() string {
	co := c.rule.Correlation
	what := strings.ReplaceAll(co.Type, "_", " ")
	var asks []string
	for _, b := range co.Condition.Bounds {
		asks = append(asks, b.Op+" "+strconv.FormatFloat(b.Value, 'f', -1, 64))
	}
	s := what
	if len(asks) > 0 {
		s = fmt.Sprintf("%s reached %s, the rule asks for %s", what, strconv.FormatFloat(c.value, 'f', -1, 64), strings.Join(asks, " and "))
	}
	return s + " within " + co.Timespan.String()
}
