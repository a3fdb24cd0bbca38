package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// Build makes incidents of findings, the highest score first.
//
// Findings first get a verdict each: pairings look in the case's store for
// what came of what they report. Then those that share people, outside
// addresses, things or, with less weight, places close in time become one
// incident. Findings below level medium join incidents and make none.
//
// The same findings, coverage and store give the same incidents, whatever the
// order of the lists in in. Every event.id cited is of a finding's evidence or
// was returned by the store. Build fails when the store does, or ctx ends.
func Build(ctx context.Context, in Input) ([]Incident, error) {
	if in.Events == nil {
		return nil, fmt.Errorf("incidents: no store to ask")
	}
	return build(ctx, in, newScreen(logsQL{in.Events}, in.Findings))
}

func build(ctx context.Context, in Input, store evidenceStore) ([]Incident, error) {
	incidents := []Incident{}
	if !slices.ContainsFunc(slices.Concat(in.Findings, in.Spare), func(f analyze.Finding) bool {
		return analyze.LevelRank(f.Level) >= lowLevel || f.Kind == "beacon" || f.Kind == "long"
	}) {
		return incidents, ctx.Err()
	}
	kinds, err := store.kinds(ctx)
	if err != nil {
		return nil, err
	}
	addresses, err := store.addresses(ctx)
	if err != nil {
		return nil, err
	}
	var spellings []string
	for _, k := range kinds {
		spellings = append(spellings, k.host)
	}
	for _, cover := range in.Coverage {
		spellings = append(spellings, cover.Host)
	}
	for _, a := range addresses {
		spellings = append(spellings, a.host)
	}
	for i := range in.Findings {
		spellings = append(spellings, in.Findings[i].Entities.Hosts...)
	}
	hosts := nameHosts(spellings)
	paths, err := store.paths(ctx)
	if err != nil {
		return nil, err
	}
	places := newPlaces(paths, hosts)
	c := &court{store: named{store, hosts, places}, logs: newLogs(in.Coverage, kinds, hosts), hosts: hosts, owner: map[string]string{}, owns: map[string][]string{}}
	if in.Events != nil {
		c.readLinks = linksOf(in.Events)
	}
	for _, a := range addresses {
		h := hosts.of(a.host)
		if h == "" {
			continue
		}
		if !slices.Contains(c.owns[h], a.address) {
			c.owns[h] = append(c.owns[h], a.address)
		}
		if other, taken := c.owner[a.address]; taken && other != h {
			c.owner[a.address] = "" // two hosts had it: it names neither
			continue
		}
		c.owner[a.address] = h
	}

	if err := c.public(ctx, slices.Concat(in.Findings, in.Spare)); err != nil {
		return nil, err
	}
	nodes := make([]*node, 0, len(in.Findings))
	for i := range in.Findings {
		nodes = append(nodes, newNode(&in.Findings[i], hosts, places, c.owner, c.services))
	}
	for i := range in.Spare {
		n := newNode(&in.Spare[i], hosts, places, c.owner, c.services)
		n.spare = true
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, compareNodes)
	nodes = slices.CompactFunc(nodes, func(a, b *node) bool { return a.f.ID == b.f.ID })
	widen(nodes)
	if err := c.corroborate(ctx, nodes); err != nil {
		return nil, err
	}
	nodes = slices.DeleteFunc(nodes, func(n *node) bool { return n.spare && n.level < findingLevel })
	judged := slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n.level < findingLevel })
	if err := c.judge(ctx, judged); err != nil {
		return nil, err
	}
	if err := c.traceAll(ctx, judged); err != nil {
		return nil, err
	}
	for _, g := range mergeBackground(gather(nodes)) {
		inc, err := g.answer(ctx, c)
		if err != nil {
			return nil, err
		}
		incidents = append(incidents, inc)
	}
	slices.SortFunc(incidents, func(a, b Incident) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.When.First, b.When.First), strings.Compare(a.ID, b.ID))
	})
	return incidents, ctx.Err()
}

// manyVisitors is how many different addresses talk to an address outside that
// is a service for all (a resolver, an update server) rather than an accomplice.
const manyVisitors = 10

// public finds which of the addresses outside that findings name as contacted
// are such services.
func (c *court) public(ctx context.Context, findings []analyze.Finding) error {
	asked := map[string]bool{}
	for i := range findings {
		for _, d := range findings[i].Entities.Destinations {
			if a, ok := parseAddress(d); ok && isOutside(a) && c.owner[a.String()] == "" && len(asked) < maxScreened {
				asked[d] = true
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	counts, err := c.store.visitors(ctx, sortedKeys(asked))
	if err != nil {
		return err
	}
	c.services, c.visitors = map[string]bool{}, map[string]int{}
	for d, n := range counts {
		if a, ok := parseAddress(d); ok {
			c.visitors[a.String()] = n
			c.services[a.String()] = n >= manyVisitors
		}
	}
	return nil
}
