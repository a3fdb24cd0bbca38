package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
)

// gaps finds records that are missing from logs which number theirs, as
// Windows event logs do: deleted, lost, or left out of an export. A log that
// begins with a high number is no gap: old records are overwritten.
type gaps struct {
	logs map[string]*numbered // by source id, the part of event.id before the dash
}

type numbered struct {
	path    string
	dataset string
	host    string
	ids     evtx.Gaps
}

const (
	maxNumbered = 100_000 // logs
	fewGaps     = 3       // with more, and half of the range missing, it is an export of some events
)

var _ = register(newGaps)

func newGaps() Technique { return &gaps{logs: map[string]*numbered{}} }

// Name implements Technique.
func (*gaps) Name() string { return "gaps" }

// About implements Technique.
func (*gaps) About() string { return "Missing record numbers" }

// Needs implements Technique.
func (*gaps) Needs() []string { return []string{"event.sequence"} }

// gapsDigest is the record numbers of a stretch of one log.
type gapsDigest struct {
	source, path, dataset, host string
	ids                         []uint64
}

// Digest implements Technique.
func (*gaps) Digest(path string, b *event.Batch) any {
	var d *gapsDigest
	for i := range b.Events {
		e := &b.Events[i]
		if e.Sequence <= 0 {
			continue
		}
		if d == nil {
			id, _, _ := strings.Cut(e.ID, "-")
			d = &gapsDigest{source: strings.Clone(id), path: path,
				dataset: strings.Clone(e.Get("event.dataset")), host: strings.Clone(e.Get("host.name"))}
		}
		d.ids = append(d.ids, uint64(e.Sequence))
	}
	if d == nil {
		return nil
	}
	return d
}

// Merge implements Technique.
func (g *gaps) Merge(digest any) {
	d := digest.(*gapsDigest)
	log := g.logs[d.source]
	if log == nil {
		if len(g.logs) >= maxNumbered {
			return
		}
		log = &numbered{path: d.path, dataset: d.dataset, host: d.host}
		g.logs[d.source] = log
	}
	for _, id := range d.ids {
		log.ids.Add(id)
	}
}

// Findings implements Technique.
func (g *gaps) Findings(ctx context.Context, q Querier) ([]Finding, error) {
	var findings []Finding
	for id, log := range g.logs {
		missing := log.ids.Missing()
		if len(missing) == 0 {
			continue
		}
		f, err := log.finding(ctx, q, id, missing)
		if err != nil {
			return nil, err
		}
		if len(f.Evidence) > 0 {
			findings = append(findings, f)
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return findings, nil
}

func (l *numbered) finding(ctx context.Context, q Querier, source string, missing []evtx.Gap) (Finding, error) {
	var lost uint64
	for _, m := range missing {
		lost += m.Last - m.First + 1
	}
	first, last, count := l.ids.Range()
	f := Finding{
		Kind: "gaps", Title: "Records are missing from an event log", Level: "medium",
		Rule:       Rule{ID: "gaps", Name: "Missing record numbers", FalsePositives: []string{"An export that holds only some of a log's records", "A damaged file"}},
		First:      event.NoTime,
		Last:       event.NoTime,
		Techniques: []string{"T1070.001"}, Tactics: []string{"defense-evasion"},
		Datasets: nonEmpty(l.dataset), Entities: Entities{Hosts: nonEmpty(l.host)},
	}
	f.Explanation = fmt.Sprintf("%d of the %d record numbers from %d to %d are missing, %s.",
		lost, last-first+1, first, last, stretches(missing))
	if len(missing) > fewGaps && lost*2 > count {
		f.Level, f.Techniques, f.Tactics = "informational", nil, nil
		f.Title = "An event log holds only some of its records"
		f.Explanation += " So many gaps are those of an export that left records out."
	}
	var err error
	f.Evidence, err = edges(ctx, q, source, missing)
	if err != nil || len(f.Evidence) == 0 {
		return f, err
	}
	f.Count = len(f.Evidence)
	f.cover()
	f.ID = stableID("gaps", source)
	return f, nil
}

func stretches(missing []evtx.Gap) string {
	m := slices.MaxFunc(missing, func(a, b evtx.Gap) int { return cmp.Compare(a.Last-a.First, b.Last-b.First) })
	s := fmt.Sprintf("%d to %d", m.First, m.Last)
	if m.First == m.Last {
		s = fmt.Sprint(m.First)
	}
	if len(missing) == 1 {
		return s
	}
	return fmt.Sprintf("in %d stretches, the longest %s", len(missing), s)
}

const shownGaps = 10

// edges returns the records on both sides of the first gaps, in time order.
func edges(ctx context.Context, q Querier, source string, missing []evtx.Gap) ([]Evidence, error) {
	var numbers []string
	for _, m := range missing[:min(shownGaps, len(missing))] {
		numbers = append(numbers, strconv.FormatUint(m.First-1, 10), strconv.FormatUint(m.Last+1, 10))
	}
	query := fmt.Sprintf(`"sextant.source":=%q "event.sequence":in(%s)`, source, strings.Join(numbers, ","))
	return records(ctx, q, nil, query)
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
