package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/report"
	numbers "github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
	times "github.com/sextant-logs/sextant/internal/timeline"
)

// maxRhythmCandidates bounds how much an investigation looks for rhythms; the
// command timeline looks longer.
const maxRhythmCandidates = 200

// overview looks at all records at once: what goes with what, what repeats, who
// was where. What is too much for the store's memory is said, not fatal.
func overview(ctx context.Context, st store.Store) (report.Overview, error) {
	o := report.Overview{Associations: []report.Association{}, Rhythms: []report.Rhythm{}, Sessions: []report.Session{}, Remarks: []string{}}
	for _, part := range []struct {
		name string
		read func(context.Context, store.Store, *report.Overview) error
	}{{"what rises together", associations}, {"what repeats at intervals", rhythms}, {"sessions", sessions}} {
		err := part.read(ctx, st, &o)
		if errors.Is(err, store.ErrMemory) {
			o.Remarks = append(o.Remarks, fmt.Sprintf("Of %s nothing can be told: there is too much for the memory given (SEXTANT_MEMORY).", part.name))
		} else if err != nil {
			return o, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return o, nil
}

func associations(ctx context.Context, st store.Store, o *report.Overview) error {
	found, err := numbers.Correlate(ctx, st, "*", numbers.CorrelateOptions{})
	if err != nil {
		return err
	}
	for _, a := range found.Associations[:min(len(found.Associations), report.MaxOverview)] {
		o.Associations = append(o.Associations, report.Association{Leader: a.Leader, Follower: a.Follower, LagSeconds: a.Lag.Seconds(), R: a.R, Episodes: a.Episodes, Text: a.Sentence()})
	}
	return nil
}

func rhythms(ctx context.Context, st store.Store, o *report.Overview) error {
	found, err := times.RhythmsAmong(ctx, st, "*", maxRhythmCandidates)
	if err != nil {
		return err
	}
	for _, r := range found[:min(len(found), report.MaxOverview)] {
		o.Rhythms = append(o.Rhythms, report.Rhythm{What: r.What, PeriodSeconds: r.Period.Seconds(), Times: r.Times, Missed: r.Missed,
			First: stamp(r.First), Last: stamp(r.Last), Text: r.Sentence() + "."})
	}
	return nil
}

func sessions(ctx context.Context, st store.Store, o *report.Overview) error {
	all, err := analyze.ReadSessions(ctx, st, "")
	if err != nil {
		return err
	}
	o.SessionCount = len(all.All)
	groups := times.GroupSessions(all.All)
	slices.SortStableFunc(groups, func(a, b *times.SessionGroup) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(b.Count, a.Count))
	})
	for _, g := range groups[:min(len(groups), report.MaxOverview)] {
		s := report.Session{Kind: g.Kind, User: g.User, Host: g.Host, Source: g.Source, Count: g.Count, Seconds: g.Total.Seconds(), Text: g.Sentence() + "."}
		if g.From != event.NoTime {
			s.First = stamp(g.From)
		}
		o.Sessions = append(o.Sessions, s)
	}
	if all.More {
		o.Remarks = append(o.Remarks, fmt.Sprintf("There are more than %d sessions; those that began first are told.", o.SessionCount))
	}
	return nil
}
