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
// longest first.
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
		for j, g := range gaps {
			if g >= silenceTimes*usual && g > 2 {
				out = append(out, Silence{Name: name, From: s.Start + int64(at[j]+1)*int64(s.Step), To: s.Start + int64(at[j+1])*int64(s.Step), Usual: time.Duration(usual) * s.Step})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Silence) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
	return out
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
