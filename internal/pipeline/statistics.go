package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
)

// timed leaves out events whose time is made up (see package store).
const timed = `!"sextant.time":*`

// maxCoverage bounds the hosts whose logs are told apart: hostile ones name any number.
const maxCoverage = 100_000

// coverage asks the store which logs it holds of which hosts and from when to
// when: where there are too many, of those with the most events.
func coverage(ctx context.Context, st store.Store) ([]incident.Coverage, error) {
	figures := []store.Figure{{Name: "first", Of: "min(_time)"}, {Name: "last", Of: "max(_time)"}, {Name: "n", Of: "count()"}}
	var all []incident.Coverage
	byName := func(a, b incident.Coverage) int {
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	}
	keep := func(most int) {
		if len(all) > most {
			slices.SortFunc(all, func(a, b incident.Coverage) int { return cmp.Or(cmp.Compare(b.Events, a.Events), byName(a, b)) })
			clear(all[maxCoverage:])
			all = all[:maxCoverage]
		}
	}
	err := store.Group(ctx, st, timed, []string{"event.dataset", "host.name"}, figures, func() { all = nil }, func(row []event.Field) error {
		r := columns(row)
		c := incident.Coverage{Dataset: strings.Clone(r("event.dataset")), Host: strings.Clone(r("host.name"))}
		var err error
		if c.Events, err = strconv.ParseInt(r("n"), 10, 64); err != nil {
			return fmt.Errorf("coverage: %w", err)
		}
		c.First, c.Last = parseTime(r("first")), parseTime(r("last"))
		all = append(all, c)
		keep(2 * maxCoverage)
		return nil
	})
	keep(maxCoverage)
	slices.SortFunc(all, byName)
	return all, err
}

func columns(row []event.Field) func(string) string {
	return func(name string) string {
		for _, f := range row {
			if f.Name == name {
				return f.Value
			}
		}
		return ""
	}
}

func parseTime(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

type caseStatistics struct {
	report.Statistics
	first, last string // of all events with a time
}

const topValues = 20

// statistics asks the store for the counts behind the report's charts.
func statistics(ctx context.Context, st store.Store) (*caseStatistics, error) {
	s := &caseStatistics{}
	s.Days = []report.Count{}
	first, last := int64(event.NoTime), int64(event.NoTime)
	err := st.Query(ctx, timed+` | stats count() n, min(_time) first, max(_time) last`, func(row []event.Field) error {
		if r := columns(row); r("n") != "0" {
			first, last = parseTime(r("first")), parseTime(r("last"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.first, s.last = stamp(first), stamp(last)
	err = st.Query(ctx, `* | stats count() n`, func(row []event.Field) (err error) {
		s.Events, err = strconv.ParseInt(columns(row)("n"), 10, 64)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, t := range []struct {
		field string
		into  *[]report.Count
	}{
		{"event.dataset", &s.Datasets}, {"host.name", &s.Hosts}, {"user.name", &s.Users},
		{"source.ip", &s.SourceIPs}, {"event.action", &s.Actions}, {"event.outcome", &s.Outcomes},
	} {
		if *t.into, err = top(ctx, st, t.field); err != nil {
			return nil, err
		}
	}
	if first == event.NoTime {
		return s, nil
	}
	if s.Timeline, err = timeline(ctx, st, first, last); err != nil {
		return nil, err
	}
	days := map[string]int64{}
	err = st.Query(ctx, timed+` | stats by (_time:1h) count() n`, func(row []event.Field) error {
		t := time.Unix(0, parseTime(columns(row)("_time"))).UTC()
		n, err := strconv.ParseInt(columns(row)("n"), 10, 64)
		s.WeekHours[(int(t.Weekday())+6)%7][t.Hour()] += n
		days[t.Format(time.DateOnly)] += n
		return err
	})
	for _, day := range slices.Sorted(maps.Keys(days)) {
		s.Days = append(s.Days, report.Count{Value: day, Count: days[day]})
	}
	return s, err
}

// top counts the most frequent values of a field.
func top(ctx context.Context, st store.Store, field string) ([]report.Count, error) {
	counts := []report.Count{}
	var least int64 // that is among the first
	keep := func() {
		report.SortCounts(counts)
		if counts = counts[:min(len(counts), topValues)]; len(counts) == topValues {
			least = counts[topValues-1].Count
		}
	}
	err := store.Group(ctx, st, strconv.Quote(field)+":*", []string{field}, []store.Figure{{Name: "n", Of: "count()"}}, func() { counts, least = counts[:0], 0 }, func(row []event.Field) error {
		n, err := strconv.ParseInt(columns(row)("n"), 10, 64)
		if n < least {
			return err
		}
		if counts = append(counts, report.Count{Value: strings.Clone(columns(row)(field)), Count: n}); len(counts) >= 20*topValues {
			keep()
		}
		return err
	})
	keep()
	return counts, err
}

// steps are the bar widths a timeline may have.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour, 365 * 24 * time.Hour,
}

const (
	maxSteps  = 120
	maxSeries = 8 // datasets shown apart; the rest are "other"
)

// timeline counts events in at most maxSteps equal steps, by dataset.
func timeline(ctx context.Context, st store.Store, first, last int64) (report.Timeline, error) {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if (last-first)/int64(s) < maxSteps {
			step = s
			break
		}
	}
	start := first - first%int64(step)
	if first < 0 && first%int64(step) != 0 {
		start -= int64(step)
	}
	n := (last-start)/int64(step) + 1
	counts := map[string][]int64{}
	totals := map[string]int64{}
	q := fmt.Sprintf(`%s | stats by (_time:%ds, event.dataset) count() n`, timed, int64(step/time.Second))
	err := st.Query(ctx, q, func(row []event.Field) error {
		r := columns(row)
		at := (parseTime(r("_time")) - start) / int64(step)
		if at < 0 || at >= n {
			return nil // it came after first and last were asked for: a live case grows
		}
		c, err := strconv.ParseInt(r("n"), 10, 64)
		d := strings.Clone(r("event.dataset"))
		if counts[d] == nil {
			counts[d] = make([]int64, n)
		}
		counts[d][at] += c
		totals[d] += c
		return err
	})
	t := report.Timeline{Start: stamp(start), Step: int64(step / time.Second), Series: []report.TimelineSeries{}}
	var order []report.Count
	for d, c := range totals {
		order = append(order, report.Count{Value: d, Count: c})
	}
	report.SortCounts(order)
	for i, o := range order {
		if i >= maxSeries {
			other := &t.Series[maxSeries-1]
			other.Dataset = "other"
			for j, c := range counts[o.Value] {
				other.Counts[j] += c
			}
			continue
		}
		t.Series = append(t.Series, report.TimelineSeries{Dataset: o.Value, Counts: counts[o.Value]})
	}
	return t, err
}
