package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/plot"
	"github.com/sextant-logs/sextant/internal/report"
	numbers "github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
	times "github.com/sextant-logs/sextant/internal/timeline"
	"github.com/sextant-logs/sextant/logpattern"
)

// maxRhythmCandidates bounds how much an investigation looks for rhythms; the
// command timeline looks longer.
const maxRhythmCandidates = 200

// overview looks at all records at once: what goes with what, what repeats, who
// was where. What is too much for the store's memory is said, not fatal; so is
// what takes longer than within (0: as long as it may), of which each part has no
// more than half of what is left.
func overview(ctx context.Context, st store.Store, miner *logpattern.Miner, within time.Duration) (report.Overview, error) {
	o := report.Overview{Associations: []report.Association{}, Rhythms: []report.Rhythm{}, Sessions: []report.Session{}, Remarks: []string{}}
	end := time.Now().Add(within)
	for _, part := range []struct {
		of, name string
		read     func(context.Context, store.Store, *report.Overview) error
	}{{"correlation", "what rises together", associations}, {"timeline", "what repeats at intervals", rhythms}, {"timeline", "sessions", sessions}, {"timeline", "bursts and silences", burstsAndSilences},
		{"flows", "who came from where", links}, {"statistics", "how sizes are distributed", sizes}, {"statistics", "what changed", changes},
		{"patterns", "kinds of messages", func(ctx context.Context, st store.Store, o *report.Overview) error { return kinds(ctx, st, miner, o) }}} {
		limited, cancel := ctx, context.CancelFunc(func() {})
		if within > 0 {
			limited, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		}
		err := limited.Err()
		if err == nil {
			err = part.read(limited, st, &o)
		}
		late := err != nil && limited.Err() != nil && ctx.Err() == nil
		cancel()
		if late {
			o.Missing = append(o.Missing, report.Missing{Part: part.of, Text: fmt.Sprintf("Of %s nothing is told here: it takes longer than a page may with so many records. Export them and investigate the file.", part.name)})
		} else if errors.Is(err, store.ErrMemory) {
			text := fmt.Sprintf("Of %s nothing can be told: there is too much for the memory given (SEXTANT_MEMORY).", part.name)
			o.Remarks, o.Missing = append(o.Remarks, text), append(o.Missing, report.Missing{Part: part.of, Text: text})
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

// kinds are the kinds of messages by how many records are of them.
func kinds(ctx context.Context, st store.Store, miner *logpattern.Miner, o *report.Overview) error {
	all, err := patterns.Count(ctx, st, miner, "*")
	if err != nil {
		return err
	}
	o.KindCount = len(all)
	for i, p := range all {
		if i < report.MaxOverview {
			o.Kinds = append(o.Kinds, report.Count{Value: p.Text, Count: p.Count})
		}
		if p.Count == 1 {
			o.KindsOnce++
		}
	}
	return nil
}

// burstsAndSilences are when a log of a host wrote much more than usual, or nothing.
func burstsAndSilences(ctx context.Context, st store.Store, o *report.Overview) error {
	_, first, last, err := numbers.Span(ctx, st, "*")
	if err != nil || first == event.NoTime || first == last {
		return err
	}
	const most = 10
	bursts, silences, err := times.Stretches(ctx, st, "*", first, last)
	for i := range bursts[:min(len(bursts), most)] {
		o.Bursts = append(o.Bursts, bursts[i].Sentence()+".")
	}
	for i := range silences[:min(len(silences), most)] {
		o.Silences = append(o.Silences, silences[i].Sentence()+".")
	}
	return err
}

// links are who came from where to what, and with which outcome.
func links(ctx context.Context, st store.Store, o *report.Overview) error {
	for _, l := range []struct {
		kind   string
		fields []string
		top    int
		into   *[]report.Path
	}{{"", []string{"source.ip", "user.name", "event.outcome"}, 9, &o.Flows}, {"from", []string{"source.ip", "user.name"}, 11, &o.Links}, {"to", []string{"user.name", "host.name"}, 11, &o.Links}} {
		paths, err := numbers.CountPaths(ctx, st, "*", l.fields, l.top)
		if err != nil {
			return err
		}
		for _, p := range paths {
			*l.into = append(*l.into, report.Path{Kind: l.kind, Values: p.Values, Count: p.Count})
		}
	}
	return nil
}

// sizes are how much the logs say was sent, as boxes.
func sizes(ctx context.Context, st store.Store, o *report.Overview) error {
	for _, field := range []string{"source.bytes", "destination.bytes", "http.response.body.bytes"} {
		c, err := plot.Draw(ctx, st, plot.Request{Kind: "box", Query: "*", Value: field, By: []string{"event.dataset"}, Top: 8})
		if err != nil {
			return err
		}
		boxes, ok := c.(chart.Boxes)
		if !ok || len(boxes.Items) == 0 {
			continue
		}
		s := report.Sizes{Field: field, Unit: "B"}
		for _, b := range boxes.Items {
			s.Boxes = append(s.Boxes, report.Box(b))
		}
		o.Sizes = append(o.Sizes, s)
	}
	return nil
}

// telling are the fields by which two halves of a case are compared: those of
// the six questions. The command stats compares more.
var telling = []string{"event.dataset", "event.action", "event.outcome", "event.code", "host.name", "user.name", "source.ip", "destination.ip", "destination.port", "process.name", "http.response.status_code", "rule.name"}

// changes compares the later half of the time with the earlier one.
func changes(ctx context.Context, st store.Store, o *report.Overview) error {
	_, first, last, err := numbers.Span(ctx, st, "*")
	if err != nil || first == event.NoTime || last-first < int64(2*time.Hour) {
		return err
	}
	half := first + (last-first)/2
	c, err := numbers.Compare(ctx, st, "*", numbers.Period{From: first, To: half}, numbers.Period{From: half, To: last + 1}, telling)
	if err != nil {
		return err
	}
	o.Changes = append(o.Changes, c.Volume())
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.Q < 0.05 && len(o.Changes) <= 10 {
			o.Changes = append(o.Changes, ch.Sentence(c))
		}
	}
	news := c.News()
	o.Changes = append(o.Changes, news[:min(len(news), 8)]...)
	return nil
}
