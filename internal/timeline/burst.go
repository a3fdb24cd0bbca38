package timeline

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/statistics"
)

// Burst is a stretch of time in which a log wrote much more than usual.
type Burst struct {
	Name     string // of the series
	From, To int64  // ns; To is the end of its last step
	Count    int64  // events in it
	Peak     int64  // of one step
	Usual    float64
	Step     time.Duration
	Weight   float64 // how much less it would cost to call it a burst than not, in nats
}

// Kleinberg's parameters: how much higher the rate of a burst is than usual, and
// how hard it is to get into one.
const (
	burstRatio = 3.0
	burstGamma = 1.0
	maxBursts  = 200 // of one series
	minBurst   = 20  // events
	around     = 6 * time.Hour
)

// Bursts finds the bursts of each series with Kleinberg's automaton of two
// states (Bursty and Hierarchical Structure in Streams, 2002), which does not
// fall out of a burst for one quiet step, nor into it for one busy one. The usual
// rate is the median of the hours around, which knows day from night and which
// a burst does not raise. The heaviest come first.
func Bursts(s *statistics.Series) []Burst {
	var out []Burst
	for i, name := range s.Names {
		out = append(out, burstsOf(name, s.Values[i], s.Start, s.Step)...)
	}
	slices.SortStableFunc(out, func(a, b Burst) int { return cmp.Compare(b.Weight, a.Weight) })
	return out
}

func burstsOf(name string, counts []float64, start int64, step time.Duration) []Burst {
	n := len(counts)
	if n < 12 {
		return nil
	}
	usual := local(counts, step)
	base := make([]float64, n)
	high := make([]float64, n)
	for i, u := range usual {
		base[i] = max(u, 0.5)
		high[i] = base[i]*burstRatio + 2
	}
	// Poisson cost of a count at a rate; what both states share is left out.
	cost := func(v, rate float64) float64 { return rate - v*math.Log(rate) }
	enter := burstGamma * math.Log(float64(n))
	quiet, busy := 0.0, enter
	from := make([][2]uint8, n) // the state before, by state
	for i, v := range counts {
		q, b := quiet, busy
		from[i] = [2]uint8{0, 1}
		if b < q {
			q, from[i][0] = b, 1
		}
		if x := quiet + enter; x < b {
			b, from[i][1] = x, 0
		}
		quiet, busy = q+cost(v, base[i]), b+cost(v, high[i])
	}
	state := uint8(0)
	if busy < quiet {
		state = 1
	}
	states := make([]uint8, n)
	for i := n - 1; i >= 0; i-- {
		states[i] = state
		state = from[i][state]
	}
	var out []Burst
	for i := 0; i < n; i++ {
		if states[i] == 0 {
			continue
		}
		b := Burst{Name: name, From: start + int64(i)*int64(step), Usual: usual[i], Step: step}
		for ; i < n && states[i] == 1; i++ {
			b.Count += int64(counts[i])
			b.Peak = max(b.Peak, int64(counts[i]))
			b.Weight += cost(counts[i], base[i]) - cost(counts[i], high[i])
			b.To = start + int64(i+1)*int64(step)
		}
		if b.Count >= minBurst {
			out = append(out, b)
		}
	}
	if len(out)*5 > n { // so many are how this log is
		return nil
	}
	slices.SortStableFunc(out, func(a, b Burst) int { return cmp.Compare(b.Weight, a.Weight) })
	return out[:min(len(out), maxBursts)]
}

// local returns for each step the median of those around it.
func local(counts []float64, step time.Duration) []float64 {
	n := len(counts)
	half := min(max(int(around/step/2), 12), max(n/4, 6))
	stride := max(1, half/16)
	out := make([]float64, n)
	window := make([]float64, 0, 2*half+1)
	for i := 0; i < n; i += stride {
		window = append(window[:0], counts[max(0, i-half):min(n, i+half+1)]...)
		slices.Sort(window)
		for j := i; j < min(i+stride, n); j++ {
			out[j] = window[len(window)/2]
		}
	}
	return out
}
