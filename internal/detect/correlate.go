package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/sigma"
)

// ruleSource is a rule on one of the logs that it is tried on.
type ruleSource struct {
	rule   *sigma.Rule
	source sigma.SourceID
}

// observe keeps a match that correlation rules refer to.
func (g *Gatherer) observe(e *event.Event, h *Hit) error {
	if e.Time == event.NoTime {
		g.untimed++
		return nil
	}
	d := decoded{time: e.Time, rule: g.d.order[h.Rule], source: int(h.Source), silent: h.Silent, id: e.ID}
	key := ruleSource{h.Rule, h.Source}
	names, known := g.wants[key]
	if !known {
		names = g.correlator.Fields(h.Rule, h.Source)
		g.wants[key] = names
	}
	for _, name := range names {
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
	return g.findings(ctx, store)
}

// Snapshot is Findings so far, for a gatherer that goes on gathering. It must be
// called by who calls Add.
func (g *Gatherer) Snapshot(ctx context.Context, store analyze.Querier) ([]analyze.Finding, error) {
	counts, coarse := maps.Clone(g.counts), g.coarse
	g.correlator = sigma.NewCorrelator(g.d.engine, sigma.CorrelatorOptions{})
	findings, err := g.findings(ctx, store)
	g.counts, g.coarse = counts, coarse
	g.correlator = sigma.NewCorrelator(g.d.engine, sigma.CorrelatorOptions{})
	return findings, err
}

// Close gives up what a gatherer holds that Findings is not asked for.
func (g *Gatherer) Close() { g.observations.close() }

func (g *Gatherer) findings(ctx context.Context, store analyze.Querier) ([]analyze.Finding, error) {
	var findings []analyze.Finding
	for _, gr := range g.groups {
		for _, s := range gr.spans {
			f := s.finding(gr.key.rule, gr.key.host+"\x00"+gr.key.origin+"\x00"+gr.key.alert)
			if gr.key.alert != "" {
				f.Title += ": " + clip(gr.key.alert)
			}
			findings = append(findings, f)
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

// Bounds of what the matches of correlations hold.
const (
	maxChains   = 10_000    // further ones are told together for each rule
	maxChainIDs = 20_000    // of one chain
	maxAllIDs   = 1_000_000 // of all; chains hold no more than they cite from then on
)

// correlate runs the correlation rules and joins what belongs together.
func (g *Gatherer) correlate(ctx context.Context) ([]*chain, error) {
	open := map[string]*chain{}
	var done []*chain
	ids := 0
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
				if len(done) >= maxChains {
					g.coarse = true
					rest := fmt.Sprint(g.d.order[m.Rule], "\x00…")
					if c = open[rest]; c == nil {
						c = &chain{rule: m.Rule, first: m.First, last: m.Last}
						open[rest] = c
						done = append(done, c)
					}
				} else {
					c = &chain{rule: m.Rule, group: slices.Clone(m.Group), first: m.First, last: m.Last}
					open[key.String()] = c
					done = append(done, c)
				}
			}
			c.first, c.last = min(c.first, m.First), max(c.last, m.Last)
			c.value = max(c.value, m.Value)
			c.matches++
			c.cut = c.cut || m.Truncated
			for _, id := range m.Events {
				if len(c.ids) >= maxChainIDs || ids >= maxAllIDs && len(c.ids) >= maxEvidence {
					c.cut = true
					break
				}
				if i, found := slices.BinarySearch(c.ids, id); !found {
					c.ids = slices.Insert(c.ids, i, strings.Clone(id))
					ids++
				}
			}
		}
	}
	err := g.replay(ctx, func(m []sigma.CorrelationMatch) error {
		matches = m
		take()
		return nil
	})
	return done, err
}

// Correlation is one match of a correlation rule.
type Correlation = sigma.CorrelationMatch

// Correlate keeps only what correlation rules need of the hits, for callers
// that want matches and not findings.
func (g *Gatherer) Correlate(b *event.Batch, hits []Hit) error {
	for i := range hits {
		h := &hits[i]
		g.counts[h.Rule]++
		if g.correlator.Wants(h.Rule) {
			if err := g.observe(&b.Events[h.Event], h); err != nil {
				return err
			}
		}
	}
	return nil
}

// Correlations runs the correlations and calls fn with each match that is not
// silent. It ends the gathering.
func (g *Gatherer) Correlations(ctx context.Context, fn func(Correlation) error) error {
	defer g.observations.close()
	return g.replay(ctx, func(ms []sigma.CorrelationMatch) error {
		for _, m := range ms {
			if m.Silent {
				continue
			}
			g.counts[m.Rule]++
			if err := fn(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// replay feeds the correlator what was observed, in order of time, and calls
// take with what matches.
func (g *Gatherer) replay(ctx context.Context, take func([]sigma.CorrelationMatch) error) error {
	var matches []sigma.CorrelationMatch
	var n int
	err := g.observations.each(func(d decoded) error {
		if n++; n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		matches = g.correlator.Observe(g.d.observation(d), matches[:0])
		if len(matches) > 0 {
			return take(matches)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return take(g.correlator.Flush(matches[:0]))
}

// observation is a match as the engine's correlations take it.
func (d *Detector) observation(o decoded) sigma.Observation {
	return sigma.Observation{
		Time: o.time, Event: o.id,
		Match: sigma.Match{Rule: d.rules[o.rule], Source: sigma.SourceID(o.source), Silent: o.silent},
		Field: func(name string) (string, bool) {
			for i := 0; i+1 < len(o.fields); i += 2 {
				if o.fields[i] == name {
					return o.fields[i+1], true
				}
			}
			return "", false
		},
	}
}

// RuleFields describes a rule in ECS: rule.* and threat.*.
func RuleFields(r *sigma.Rule) []event.Field {
	fs := []event.Field{{Name: "rule.id", Value: r.Ref()}, {Name: "rule.name", Value: r.Title}, {Name: "rule.level", Value: level(r)},
		{Name: "rule.file", Value: r.File}, {Name: "threat.framework", Value: "MITRE ATT&CK"}}
	techniques, tactics := attack(r.Tags)
	for _, t := range techniques {
		fs = append(fs, event.Field{Name: "threat.technique.id", Value: t})
	}
	for _, t := range tactics {
		fs = append(fs, event.Field{Name: "threat.tactic.name", Value: t})
	}
	return fs
}

// describe turns chains into findings, asking the store for the records they
// cite: entities come from them.
func describe(ctx context.Context, store analyze.Querier, chains []*chain) ([]analyze.Finding, error) {
	var findings []analyze.Finding
	each := max(min(maxEvidence, 200_000/max(len(chains), 1)), 10) // with many findings, each cites less
	wanted := map[string][]*span{}
	spans := make([]*span, len(chains))
	for i, c := range chains {
		spans[i] = &span{first: c.first, last: c.last}
		for _, id := range cited(c.ids, each) {
			wanted[id] = append(wanted[id], spans[i])
		}
	}
	if err := fetch(ctx, store, wanted); err != nil {
		return nil, err
	}
	for i, c := range chains {
		if f, ok := c.finding(spans[i]); ok {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// cited picks at most most ids, from both ends.
func cited(ids []string, most int) []string {
	if len(ids) <= most {
		return ids
	}
	return slices.Concat(ids[:most/2], ids[len(ids)-most/2:])
}

// spanFields are what a span takes of a record.
var spanFields = []string{
	"_time", "sextant.time", "_msg", "event.id", "log.offset", "log.file.path", "event.dataset", "event.outcome",
	"user.name", "user.target.name", "user.effective.name", "user.changes.name", "source.ip", "destination.ip", "host.name",
	"process.executable", "process.name", "file.path", "url.original",
}

// fetch reads the wanted records from the store and gives each to its spans.
func fetch(ctx context.Context, store analyze.Querier, wanted map[string][]*span) error {
	return byID(ctx, store, slices.Collect(maps.Keys(wanted)), spanFields, func(e event.Event) error {
		for _, s := range wanted[e.ID] {
			first, last := s.first, s.last
			s.take(&e, strings.Clone(e.Get("log.file.path")), plenty)
			s.first, s.last = first, last
		}
		return nil
	})
}

// byID calls fn with the fields of each of the records with the given ids that
// the store has.
func byID(ctx context.Context, querier analyze.Querier, ids, fields []string, fn func(event.Event) error) error {
	only := " | fields"
	for i, f := range fields {
		if i > 0 {
			only += ","
		}
		only += " " + strconv.Quote(f)
	}
	var ask func(analyze.Lookup) error
	ask = func(l analyze.Lookup) error {
		query := l.Filter + ` | sort by ("event.id") limit ` + strconv.Itoa(len(l.IDs)) + only
		err := querier.Query(ctx, query, func(row []event.Field) error {
			return fn(Stored(slices.DeleteFunc(row, func(f event.Field) bool { return f.Value == "" })))
		})
		if len(l.IDs) == 1 || !errors.Is(err, store.ErrMemory) {
			return err
		}
		for _, half := range l.Halves() { // very long records
			if err := ask(half); err != nil {
				return err
			}
		}
		return nil
	}
	for _, l := range analyze.Lookups(ids) {
		if err := ask(l); err != nil {
			return err
		}
	}
	return nil
}

// Fetch reads records from the store for citing them.
func Fetch(ctx context.Context, store analyze.Querier, ids []string) ([]analyze.Evidence, error) {
	var out []analyze.Evidence
	fields := []string{"_time", "sextant.time", "_msg", "event.id", "log.offset", "log.file.path", "event.outcome"}
	err := byID(ctx, store, ids, fields, func(e event.Event) error {
		out = append(out, analyze.Evidence{ID: e.ID, Time: e.Time, Message: clip(e.Message()), Path: e.Get("log.file.path"),
			Offset: e.Offset, Outcome: e.Get("event.outcome")})
		return nil
	})
	return out, err
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
