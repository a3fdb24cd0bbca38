package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/store"
)

// RemovalCheck says what became of sentences when a record that they cite was
// taken away and the answers were made anew from the rest of the evidence.
type RemovalCheck struct {
	Same    bool `json:"same"`    // made anew from all of the evidence, the answers are those of the report
	Removed int  `json:"removed"` // records, one at a time for each incident
	Changed int  `json:"changed"` // sentences that then read otherwise or were gone
	Weaker  int  `json:"weaker"`  // that read the same and cited fewer records: others prove it as well
	// That read the same on as many records, for another took the place of the one
	// removed, and read otherwise or were gone without all those that could.
	Replaced int       `json:"replaced"`
	Stood    []Removal `json:"stood"` // that read the same even so: what they cite is no proof
}

// Removal is one sentence and the record that was taken away.
type Removal struct {
	Incident string `json:"incident"`
	Text     string `json:"text"`
	Record   string `json:"record"`
}

// without is a store that does not show some records.
type without struct {
	store.Store
	condition string
}

func newWithout(st store.Store, ids []string) without {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = strconv.Quote(id)
	}
	return without{st, `!"event.id":in(` + strings.Join(quoted, ",") + ")"}
}

func (w without) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return w.QueryWith(ctx, logsql, store.QueryOptions{}, fn)
}

func (w without) QueryWith(ctx context.Context, logsql string, options store.QueryOptions, fn func(row []event.Field) error) error {
	narrowed, err := store.Narrowed(logsql, w.condition)
	if err != nil {
		return err
	}
	return w.Store.QueryWith(ctx, narrowed, options, fn)
}

// rebuild makes the answers anew from the evidence, as if the records were not
// in it.
func (v *verification) rebuild(ctx context.Context, detector *detect.Detector, ids []string) ([]incident.Incident, error) {
	run := &investigation{Investigation: v.Investigation, detector: detector, gatherer: detector.NewGatherer(), techniques: analyze.NewSet(v.MaxFindingsPerDay), store: v.store}
	var err error
	if run.patterns, err = openMining(v.Case, v.store.Ledger()); err != nil { // and never saved
		return nil, err
	}
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	err = read(ctx, v.plan.Logs, v.Options,
		func(*Log) (bool, error) { return true, nil },
		func() worker {
			keep := run.newWorker()
			take := keep.do
			keep.do = func(t *task) error {
				kinds := t.kinds.event[:0]
				for i := range t.kinds.event {
					if !gone[t.batch.Events[i].ID] {
						kinds = append(kinds, t.kinds.event[i])
					}
				}
				t.kinds.event = kinds
				t.batch.Events = slices.DeleteFunc(t.batch.Events, func(e event.Event) bool { return gone[e.ID] })
				return take(t)
			}
			return keep
		},
		func(t *task) error {
			run.patterns.name(&t.batch, &t.kinds)
			return run.consume(t.log.path, &t.batch, t.hits, t.digests)
		},
		func(*Log) error { return nil })
	if err != nil {
		return nil, err
	}
	var view store.Store = v.store
	if len(ids) > 0 {
		view = newWithout(v.store, ids)
	}
	_, incidents, err := run.answers(ctx, view)
	run.certainty(incidents, v.plan)
	return incidents, err
}

// sentencesOf are those of an incident that state something, without its timeline.
func sentencesOf(inc *incident.Incident) []incident.Sentence {
	return slices.Concat(inc.What, inc.Outcome.Why, inc.Impact.Facts)
}

// maxRounds is how often what takes the place of cited records is taken away too.
const maxRounds = 12

// remove takes away, for one sentence of each incident at a time, a record
// that it cites, and sees whether the sentence then reads the same.
func (v *verification) remove(ctx context.Context) error {
	if slices.ContainsFunc(v.out.Sources, func(s SourceCheck) bool { return s.State != SourceUnchanged }) {
		return fmt.Errorf("%w: a source has grown since", errRemove)
	}
	check := &RemovalCheck{}
	v.out.Removal = check
	detector, err := detect.Load(v.Rules)
	if err != nil {
		return err
	}
	incidents, err := v.rebuild(ctx, detector, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errRemove, err)
	}
	check.Same = slices.EqualFunc(incidents, v.report.Incidents, sameAnswers)
	v.out.OK = v.out.OK && check.Same
	// What to take away: of each sentence the record in the middle, of the first
	// sentences first, one of each incident in a round.
	var doubtful []Removal
	all := map[string]bool{} // that the doubtful cite
	for round := 0; check.Removed < v.Deep; round++ {
		what := map[string]string{} // record to incident
		texts := map[string]incident.Sentence{}
		for i := range v.report.Incidents {
			inc := &v.report.Incidents[i]
			ss := sentencesOf(inc)
			if round >= len(ss) || len(what)+check.Removed >= v.Deep {
				continue
			}
			s := ss[round]
			if id := s.Evidence[len(s.Evidence)/2]; what[id] == "" {
				what[id], texts[id] = inc.ID, s
			}
		}
		if len(what) == 0 {
			break
		}
		v.progress("removing", int64(check.Removed), int64(v.Deep), 0)
		check.Removed += len(what)
		incidents, err := v.rebuild(ctx, detector, slices.Sorted(maps.Keys(what)))
		if err != nil {
			return fmt.Errorf("%w: %w", errRemove, err)
		}
		said := map[string]int{} // and on how many records
		for i := range incidents {
			for _, s := range sentencesOf(&incidents[i]) {
				said[s.Text] = max(said[s.Text], len(s.Evidence))
			}
		}
		for _, id := range slices.Sorted(maps.Keys(what)) {
			switch n := said[texts[id].Text]; {
			case n == 0:
				check.Changed++
			case n < len(texts[id].Evidence):
				check.Weaker++
			default:
				doubtful = append(doubtful, Removal{what[id], texts[id].Text, id})
				for _, cited := range texts[id].Evidence {
					all[cited] = true
				}
			}
		}
	}
	// Without all that it cites, and all that is then cited instead, a sentence is gone.
	for range maxRounds {
		if len(doubtful) == 0 {
			break
		}
		incidents, err := v.rebuild(ctx, detector, slices.Sorted(maps.Keys(all)))
		if err != nil {
			return fmt.Errorf("%w: %w", errRemove, err)
		}
		doubtful = slices.DeleteFunc(doubtful, func(d Removal) bool {
			gone := true
			for i := range incidents {
				for _, s := range sentencesOf(&incidents[i]) {
					if s.Text == d.Text {
						gone = false
						for _, id := range s.Evidence {
							all[id] = true
						}
					}
				}
			}
			if gone {
				check.Replaced++
			}
			return gone
		})
	}
	check.Stood = doubtful
	slices.SortFunc(check.Stood, func(a, b Removal) int {
		return cmp.Or(strings.Compare(a.Incident, b.Incident), strings.Compare(a.Text, b.Text))
	})
	v.out.OK = v.out.OK && len(check.Stood) == 0
	return nil
}

// sameAnswers reports whether two incidents say the same on the same evidence.
func sameAnswers(a, b incident.Incident) bool {
	same := func(x, y incident.Sentence) bool { return x.Text == y.Text && slices.Equal(x.Evidence, y.Evidence) }
	return a.ID == b.ID && a.Title == b.Title && a.Score == b.Score && a.When == b.When && a.Outcome.Result == b.Outcome.Result &&
		a.Impact.Level == b.Impact.Level && slices.EqualFunc(sentencesOf(&a), sentencesOf(&b), same) && slices.Equal(a.Evidence, b.Evidence)
}
