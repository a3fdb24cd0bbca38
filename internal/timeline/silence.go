package timeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/statistics"
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
