package statistics

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
	"github.com/sextant-logs/sextant/internal/store"
)

// Series is how many events there are in each of a row of equal steps of time,
// by the values of a field.
type Series struct {
	Start  int64 // ns since the epoch at which the first step begins
	Step   time.Duration
	Names  []string    // the most frequent values, most first, then Other if there are more; one empty name where no field was asked for
	Values [][]float64 // by name, then step
}

// Steps are the lengths of steps that people read at a glance.
var Steps = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 365 * 24 * time.Hour,
}

// StepFor returns the shortest step of which at most so many cover a time.
func StepFor(length time.Duration, most int) time.Duration {
	for _, s := range Steps {
		if int64(length/s) < int64(most) {
			return s
		}
	}
	return Steps[len(Steps)-1]
}

const maxSteps = 200_000

// floorTo is the begin of the step that holds t; weeks begin on Monday.
func floorTo(t int64, step time.Duration) int64 {
	offset := stepOffset(step)
	r := (t - offset) % int64(step)
	if r < 0 {
		r += int64(step)
	}
	return t - r
}

func stepOffset(step time.Duration) int64 {
	if step%(7*24*time.Hour) == 0 {
		return int64(4 * 24 * time.Hour) // the epoch was a Thursday
	}
	return 0
}

// bucket is the LogsQL for a step of time.
func bucket(step time.Duration) string { return bucketFrom(step, stepOffset(step)) }

// bucketFrom is the LogsQL for steps of time of which one begins at the second of from.
// The engine adds an offset before it rounds down, so its steps begin that much earlier.
func bucketFrom(step time.Duration, from int64) string {
	s := int64(step / time.Second)
	return fmt.Sprintf("_time:%ds offset %ds", s, ((-from/int64(time.Second))%s+s)%s)
}

// CountOverTime counts the events that a query finds, or sums the numbers in
// the field named value, in steps of time from the first to the last event (a
// step of 0 is chosen so that there are about 200). by may be empty; of its
// values so many are told apart.
func CountOverTime(ctx context.Context, st store.Store, query, by, value string, step time.Duration, top int) (*Series, error) {
	query = with(query, timed)
	if by != "" {
		query = with(query, quote(by)+":*")
	}
	if value != "" {
		query = with(query, quote(value)+":*")
	}
	_, first, last, err := Span(ctx, st, query)
	if err != nil || first == event.NoTime {
		return &Series{Step: max(step, time.Second)}, err
	}
	if step <= 0 {
		step = StepFor(time.Duration(last-first), 200)
	}
	step = max(step.Truncate(time.Second), time.Second)
	s := &Series{Start: floorTo(first, step), Step: step}
	n := (last-s.Start)/int64(step) + 1
	if n > maxSteps {
		return nil, fmt.Errorf("%d steps of %s from the first to the last record are too many, %d are allowed: choose longer ones, or a shorter time", n, step, maxSteps)
	}
	index := map[string]int{}
	group := bucket(step)
	if by == "" {
		s.Names, index[""] = []string{""}, 0
	} else {
		var names []string
		if query, names, err = folded(ctx, st, query, by, top); err != nil {
			return nil, err
		}
		for i, name := range names {
			index[name] = i
			s.Names = append(s.Names, shown(name))
		}
		group += ", " + quote(by)
	}
	for range s.Names {
		s.Values = append(s.Values, make([]float64, n))
	}
	what, any := "count()", false
	if value != "" {
		what = "sum(" + quote(value) + ")"
	}
	err = st.QueryWith(ctx, query+" | stats by ("+group+") "+what+" sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		at := parseTime(column(row, "_time"))
		i, ok := index[column(row, by)]
		v, err := strconv.ParseFloat(column(row, "sextant_n"), 64)
		if !ok || at == event.NoTime || err != nil || v != v {
			return nil // a sum of no numbers
		}
		s.Values[i][min(max((at-s.Start)/int64(step), 0), n-1)] += v
		any = true
		return nil
	})
	if !any {
		s.Names, s.Values = nil, nil
	}
	return s, err
}

// folded is the query with all but the most frequent values of a field made
// one, rest, and the values that it then gives.
func folded(ctx context.Context, st store.Store, query, field string, top int) (string, []string, error) {
	query = unrolled(with(query, quote(field)+":*"), field)
	most, more, err := Top(ctx, st, query, field, top)
	if err != nil {
		return "", nil, err
	}
	var names []string
	for _, v := range most {
		names = append(names, v.Value)
	}
	if more {
		names = append(names, rest)
		query += " | format if (!(" + among(field, most) + ")) " + quote(rest) + " as " + quote(field)
	}
	return query, names, nil
}

// Path is a combination of values of several fields and how many events have it.
type Path struct {
	Values []string
	Count  int64
}

// CountPaths counts the combinations of values of some fields over the events
// that have all of them; of each field so many values are told apart, the rest
// are Other. Most first.
func CountPaths(ctx context.Context, st store.Store, query string, fields []string, top int) ([]Path, error) {
	var err error
	quoted := make([]string, len(fields))
	for i, f := range fields {
		quoted[i] = quote(f)
		query = with(query, quote(f)+":*")
	}
	for _, f := range fields {
		if query, _, err = folded(ctx, st, query, f, top); err != nil {
			return nil, err
		}
	}
	var paths []Path
	err = st.QueryWith(ctx, query+" | stats by ("+strings.Join(quoted, ", ")+") count() sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		p := Path{Count: n}
		for _, f := range fields {
			p.Values = append(p.Values, strings.Clone(shown(column(row, f))))
		}
		paths = append(paths, p)
		return err
	})
	slices.SortFunc(paths, func(a, b Path) int { return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Values, b.Values)) })
	return paths, err
}

// CountByHour counts events by hour since the epoch: only hours that have any.
func CountByHour(ctx context.Context, st store.Store, query string) (map[int64]int64, error) {
	return countBy(ctx, st, query, time.Hour)
}

// CountByDay counts events by day since the epoch, UTC: only days that have any.
func CountByDay(ctx context.Context, st store.Store, query string) (map[int64]int64, error) {
	return countBy(ctx, st, query, 24*time.Hour)
}

func countBy(ctx context.Context, st store.Store, query string, step time.Duration) (map[int64]int64, error) {
	out := map[int64]int64{}
	err := st.QueryWith(ctx, with(query, timed)+" | stats by ("+bucket(step)+") count() sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		if at := parseTime(column(row, "_time")); at != event.NoTime {
			out[floorTo(at, step)/int64(step)] += n
		}
		return err
	})
	return out, err
}

// Point is the numbers of two fields of one event and the value of a third. X
// is Unix seconds where it is the time.
type Point struct {
	X, Y  float64
	Group string
}

// Points returns the numbers of two fields (of "_time", for the first, the
// time), of at most so many events, which are drawn by the hash of their id where
// there are more: the same ones each time. total is how many there are.
func Points(ctx context.Context, st store.Store, query, x, y, group string, most int64) (points []Point, total int64, err error) {
	query = with(query, timed, quote(y)+":*")
	if x != "_time" {
		query = with(query, quote(x)+":*")
	}
	if total, _, _, err = Span(ctx, st, query); err != nil {
		return nil, 0, err
	}
	fields := quote(x) + ", " + quote(y)
	if group != "" {
		if query, _, err = folded(ctx, st, query, group, 7); err != nil {
			return nil, 0, err
		}
		fields += ", " + quote(group)
	}
	if total > most {
		share := float64(most) / float64(total)
		query += fmt.Sprintf(` | hash("event.id") sextant_part | filter sextant_part:<%d`, int64(share*(1<<53)))
	}
	counts := map[Point]int{}
	err = st.QueryWith(ctx, query+" | fields "+fields, store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		var p Point
		var err error
		if x == "_time" {
			at := parseTime(column(row, x))
			if at == event.NoTime {
				return nil
			}
			p.X = float64(at) / 1e9
		} else if p.X, err = strconv.ParseFloat(column(row, x), 64); err != nil {
			return nil
		}
		if p.Y, err = strconv.ParseFloat(column(row, y), 64); err != nil {
			return nil
		}
		p.Group = strings.Clone(shown(column(row, group)))
		counts[p]++
		return nil
	})
	points = slices.SortedFunc(maps.Keys(counts), func(a, b Point) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y))
	})
	return points, total, err
}
