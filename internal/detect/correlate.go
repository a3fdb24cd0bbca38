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
	if g.ongoing != nil {
		if err := g.ongoing.add(context.Background(), d); err != nil {
			return err
		}
	}
	return g.observations.add(d)
}

// Findings ends the gathering: it runs the correlations and returns all
// findings in order of time, then id. Store is asked for the records that
// correlations cite.
func (g *Gatherer) Findings(ctx context.Context, store analyze.Querier) ([]analyze.Finding, error) {
	defer g.observations.close()
	c := newCorrelation(g.d, g.correlator)
	err := g.observations.each(func(o decoded) error { return c.observe(ctx, o) })
	if err != nil {
		return nil, err
	}
	c.flush()
	for r, n := range c.counts {
		g.counts[r] += n
	}
	g.coarse = g.coarse || c.coarse
	return g.findings(ctx, store, c)
}

// Snapshot is Findings so far, for a gatherer that goes on gathering. It must be
// called by who calls Add. What the correlations made of the past is kept between
// snapshots, see ongoing.
func (g *Gatherer) Snapshot(ctx context.Context, store analyze.Querier) ([]analyze.Finding, error) {
	c, err := g.soFar(ctx)
	if err != nil {
		return nil, err
	}
	return g.findings(ctx, store, c)
}

// Close gives up what a gatherer holds that Findings is not asked for.
func (g *Gatherer) Close() { g.observations.close() }

func (g *Gatherer) findings(ctx context.Context, store analyze.Querier, c *correlation) ([]analyze.Finding, error) {
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
	more, err := describe(ctx, store, c.chains)
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

// correlation is the correlation rules at work on observations in order of
// time, and the chains that their matches made.
type correlation struct {
	d          *Detector
	correlator *sigma.Correlator
	open       map[string]*chain // the latest of each rule and group
	chains     []*chain
	ids        int // of all chains
	counts     map[*sigma.Rule]int64
	coarse     bool
	seen       int
	matches    []sigma.CorrelationMatch // for reuse
}

func newCorrelation(d *Detector, c *sigma.Correlator) *correlation {
	return &correlation{d: d, correlator: c, open: map[string]*chain{}, counts: map[*sigma.Rule]int64{}}
}

// clone returns a copy to go on with, good until c goes on itself.
func (c *correlation) clone() *correlation {
	out := *c
	out.correlator, out.counts, out.matches = c.correlator.Clone(), maps.Clone(c.counts), nil
	out.chains = make([]*chain, len(c.chains))
	copies := make(map[*chain]*chain, len(c.chains))
	for i, old := range c.chains {
		chain := *old
		chain.ids = slices.Clip(chain.ids) // to insert is to copy
		out.chains[i], copies[old] = &chain, &chain
	}
	out.open = make(map[string]*chain, len(c.open))
	for key, old := range c.open {
		out.open[key] = copies[old]
	}
	return &out
}

func (c *correlation) observe(ctx context.Context, o decoded) error {
	if c.seen++; c.seen&0xffff == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	c.matches = c.correlator.Observe(c.d.observation(o), c.matches[:0])
	c.take(c.matches)
	return nil
}

// flush ends the observations.
func (c *correlation) flush() { c.take(c.correlator.Flush(c.matches[:0])) }

// take joins matches that belong together.
func (c *correlation) take(matches []sigma.CorrelationMatch) {
	for _, m := range matches {
		if m.Silent {
			continue
		}
		c.counts[m.Rule]++
		var key strings.Builder
		fmt.Fprint(&key, c.d.order[m.Rule])
		for _, v := range m.Group {
			fmt.Fprintf(&key, "\x00%s", v.Value)
		}
		ch := c.open[key.String()]
		if ch == nil || m.First-ch.last > max(pause, int64(m.Rule.Correlation.Timespan)) {
			if len(c.chains) >= maxChains {
				c.coarse = true
				rest := fmt.Sprint(c.d.order[m.Rule], "\x00…")
				if ch = c.open[rest]; ch == nil {
					ch = &chain{rule: m.Rule, first: m.First, last: m.Last}
					c.open[rest] = ch
					c.chains = append(c.chains, ch)
				}
			} else {
				ch = &chain{rule: m.Rule, group: slices.Clone(m.Group), first: m.First, last: m.Last}
				c.open[key.String()] = ch
				c.chains = append(c.chains, ch)
			}
		}
		ch.first, ch.last = min(ch.first, m.First), max(ch.last, m.Last)
		ch.value = max(ch.value, m.Value)
		ch.matches++
		ch.cut = ch.cut || m.Truncated
		for _, id := range m.Events {
			if len(ch.ids) >= maxChainIDs || c.ids >= maxAllIDs && len(ch.ids) >= maxEvidence {
				ch.cut = true
				break
			}
			if i, found := slices.BinarySearch(ch.ids, id); !found {
				ch.ids = slices.Insert(ch.ids, i, strings.Clone(id))
				c.ids++
			}
		}
	}
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
