package timeline

import (
	"math"
	"slices"
	"time"
)

// What waits for some time after it did something keeps no phase: each delay goes on. Its intervals
// are the period or, where beats are missed, a multiple of it, each with its jitter: a mixture of normal
// distributions about the multiples, with variances that grow with them. It is a
// rhythm if that explains the intervals much better than the gamma and log-normal distributions do
// of events that come at random with a coefficient of variation of .4 and more.
const (
	mostIntervals = 128 // that the search looks at
	mostMissing   = 0.6
	mostMultiple  = 6
	stray         = 0.05 // of intervals: those of others in between
)

var (
	jitters  = []float64{0.03, 0.06, 0.12, 0.2} // of the period, one standard deviation
	gammas   = []float64{0.25, 0.5, 1, 1.5, 2.5, 4, 6}
	logSigma = []float64{0.4, 0.6, 0.9, 1.3, 2}
)

// renewed finds the interval of what begins anew after each time, in ascending times.
func renewed(times []int64) (Rhythm, bool) {
	starts := collapse(times, time.Second)
	if len(starts) < minTimes {
		return Rhythm{}, false
	}
	all := make([]float64, 0, len(starts)-1)
	for i := 1; i < len(starts); i++ {
		all = append(all, float64(starts[i]-starts[i-1]))
	}
	intervals := all[:min(len(all), mostIntervals)]
	sorted := slices.Clone(intervals)
	slices.Sort(sorted)
	mean, n := 0.0, 0.0 // of all but the nights, in which a computer is off
	for _, d := range sorted {
		if d <= longQuiet*sorted[len(sorted)/2] {
			mean, n = mean+d, n+1
		}
	}
	mean /= n
	if mean*(1-mostMissing) < float64(2*time.Second) {
		return Rhythm{}, false
	}
	// A twentieth of the intervals are anything: both sides may put it where they like.
	width := math.Log(sorted[len(sorted)-1]/max(sorted[0], 1)) + 1
	background := func(d float64) float64 { return stray / (max(d, 1) * width) }
	random := math.Inf(-1)
	for _, l := range irregularDensities(intervals) {
		sum := 0.0
		for _, d := range intervals {
			sum += math.Log((1-stray)*l(d) + background(d))
		}
		random = max(random, sum)
	}
	best, tried := math.Inf(-1), 0
	var period, jitter float64
	for p := mean * (1 - mostMissing); p <= 1.05*mean; p *= 1.02 {
		miss := max(0.01, 1-p/mean)
		for _, j := range jitters {
			tried++
			sum := 0.0
			for _, d := range intervals {
				sum += math.Log((1-stray)*repeated(d, p, j*p, miss) + background(d))
			}
			if sum > best {
				best, period, jitter = sum, p, j*p
			}
		}
	}
	if best-random < math.Log(float64(tried))-math.Log(falseAlarm) {
		return Rhythm{}, false
	}
	r := Rhythm{Times: len(starts), First: starts[0], Last: starts[len(starts)-1]}
	fits, sum, turns := 0, 0.0, 0.0
	var off []float64
	for _, d := range all {
		k := math.Round(d / period)
		if k < 1 || k > mostMultiple || math.Abs(d-k*period) > 3*math.Sqrt(k)*jitter {
			continue
		}
		fits++
		sum, turns = sum+d, turns+k
		off = append(off, math.Abs(d-k*period)/math.Sqrt(k))
		r.Missed += int(k) - 1
	}
	r.Share = float64(fits) / float64(len(all))
	if r.Share < 0.8 {
		return Rhythm{}, false
	}
	slices.Sort(off)
	r.Period, r.Jitter = time.Duration(sum/turns), time.Duration(off[len(off)/2])
	return r, true
}

// repeated is the density of an interval of what comes each period and is missed with a probability.
func repeated(d, period, sigma, miss float64) float64 {
	sum := 0.0
	k := max(1, math.Floor(d/period)-1)
	p := (1 - miss) * math.Pow(miss, k-1)
	for range 4 {
		if k > mostMultiple {
			break
		}
		s := sigma * math.Sqrt(k)
		if x := (d - k*period) / s; math.Abs(x) < 6 {
			sum += p * math.Exp(-x*x/2) / (s * math.Sqrt(2*math.Pi))
		}
		k, p = k+1, p*miss
	}
	return sum
}

// irregularDensities are those of intervals without a period, fitted by their mean.
func irregularDensities(intervals []float64) []func(float64) float64 {
	mean, logMean := 0.0, 0.0
	for _, d := range intervals {
		mean += d / float64(len(intervals))
		logMean += math.Log(max(d, 1)) / float64(len(intervals))
	}
	var out []func(float64) float64
	for _, k := range gammas {
		scale := mean / k
		g, _ := math.Lgamma(k)
		out = append(out, func(d float64) float64 {
			d = max(d, 1)
			return math.Exp((k-1)*math.Log(d/scale) - d/scale - g - math.Log(scale))
		})
	}
	for _, s := range logSigma {
		out = append(out, func(d float64) float64 {
			d = max(d, 1)
			x := (math.Log(d) - logMean) / s
			return math.Exp(-x*x/2) / (d * s * math.Sqrt(2*math.Pi))
		})
	}
	return out
}
