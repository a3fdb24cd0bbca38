package timeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
)

// Silence is a stretch of time without events in a log that is otherwise seldom
// silent for so long.
type Silence struct {
	Name     string
	From, To int64         // ns: after the last step with events, up to the next one
	Usual    time.Duration // 19 of 20 silences are no longer
}

const (
	silenceTimes = 10 // as long as it usually is at most
	minOccupied  = 20 // steps with events, for a log to be judged
)

// Silences finds them in each series between its first and its last event, the
// longest first. What a log does at that time of other days counts: one that is silent each night
// has no silence in it, and one of working days none at weekends, once there are two of them.
func Silences(s *statistics.Series) []Silence {
	var out []Silence
	for i, name := range s.Names {
		var at []int
		for j, v := range s.Values[i] {
			if v > 0 {
				at = append(at, j)
			}
		}
		if len(at) < minOccupied {
			continue
		}
		gaps := make([]int, len(at)-1)
		for j := range gaps {
			gaps[j] = at[j+1] - at[j]
		}
		sorted := slices.Clone(gaps)
		slices.Sort(sorted)
		usual := sorted[len(sorted)*19/20]
		share := float64(len(at)) / float64(at[len(at)-1]-at[0]+1)
		var d habit
		for j := at[0]; j <= at[len(at)-1]; j++ {
			d.add(s, j, 1, s.Values[i][j] > 0)
		}
		for j, g := range gaps {
			if g >= silenceTimes*usual && g > 2 && d.expected(s, at[j]+1, at[j+1]) >= share*float64(g)/2 {
				out = append(out, Silence{Name: name, From: s.Start + int64(at[j]+1)*int64(s.Step), To: s.Start + int64(at[j+1])*int64(s.Step), Usual: time.Duration(usual) * s.Step})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Silence) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
	return out
}

// habit is how many steps a log has by hour, of working days and of weekends, and in how many it is written.
type habit struct{ steps, written [2][24]float64 }

func slot(s *statistics.Series, step int) (weekend, hour int) {
	t := time.Unix(0, s.Start+int64(step)*int64(s.Step)).UTC()
	if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
		weekend = 1
	}
	return weekend, t.Hour()
}

func (h *habit) add(s *statistics.Series, step int, n float64, written bool) {
	weekend, hour := slot(s, step)
	h.steps[weekend][hour] += n
	if written {
		h.written[weekend][hour] += n
	}
}

// expected is in how many steps of a silence the log would be written, by what it does at that hour of
// other days: of the same kind if there are any.
func (h habit) expected(s *statistics.Series, from, to int) (sum float64) {
	for j := from; j < to; j++ {
		h.add(s, j, -1, false)
	}
	aDay := max(1, float64(time.Hour/s.Step)) // steps of an hour of one day
	for j := from; j < to; j++ {
		k, hour := slot(s, j)
		steps, written := h.steps[k][hour], h.written[k][hour]
		if steps < aDay {
			steps, written = h.steps[0][hour]+h.steps[1][hour], h.written[0][hour]+h.written[1][hour]
		}
		if steps > 0 {
			sum += written / steps
		} else {
			sum++ // of this hour nothing is known
		}
	}
	return sum
}

// Stretches are the bursts and the silences of each log of each host, without
// those of what is not told apart.
func Stretches(ctx context.Context, st store.Store, query string, first, last int64) ([]Burst, []Silence, error) {
	b, err := rates(ctx, st, query, first, last, 2000)
	if err != nil {
		return nil, nil, err
	}
	s, err := rates(ctx, st, query, first, last, 5000)
	if err != nil {
		return nil, nil, err
	}
	bursts := slices.DeleteFunc(Bursts(b), func(x Burst) bool { return x.Name == statistics.Other })
	silences := slices.DeleteFunc(Silences(s), func(x Silence) bool { return x.Name == statistics.Other })
	return bursts, silences, nil
}

// rates are counts by log and host, in steps short enough to tell bursts.
func rates(ctx context.Context, st store.Store, query string, first, last int64, steps int) (*statistics.Series, error) {
	const column = "sextant.series"
	q := query + ` | format "<event.dataset> <host.name>" as "` + column + `"`
	return statistics.CountOverTime(ctx, st, q, column, "", statistics.StepFor(time.Duration(last-first), steps), 40)
}

// Sentence says what was silent for how long.
func (x *Silence) Sentence() string {
	return fmt.Sprintf("%s: nothing for %s, %s (usually at most %s)", strings.TrimSpace(x.Name), Length(time.Duration(x.To-x.From)), Span(x.From, x.To), Length(x.Usual))
}

// Sentence says what wrote how much when.
func (b *Burst) Sentence() string {
	return fmt.Sprintf("%s: %s records %s (peak %s in %s, usually %s)", strings.TrimSpace(b.Name), prose.Number(b.Count), Span(b.From, b.To), prose.Number(b.Peak), Length(b.Step), export.Figure(b.Usual))
}
