package timeline

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

// What repeats by a timetable keeps its phase: however late each beat is, the next is late
// by the timetable and not by the last. Folded at the period, the times lie together, where those
// of anything else lie anywhere (Rayleigh 1880; Mardia and Jupp 2000, §6.3). Missing beats take
// nothing from that but their number.
//
// Each turn of the period counts as a whole, divided by what turns vary: of events that come in
// clusters a cluster is one. So the null hypothesis is that events may come as they like, as long
// as it is not more often at one phase than at another (the jitter method of Amarasingham et al.
// 2012), and busy and quiet hours make no rhythm.
const (
	mostBins     = 1 << 15 // of the search for periods
	binsOfPeriod = 8
	leastBeats   = 0.35 // of the turns of a period, those that have an event; with fewer it is no period
	mostTried    = 6    // periods of one series that are tried
	harmonics    = 8    // that tell sharp beats from dull ones
	leastFocus   = 0.35 // length of the mean of all phases: two of three events are others, or the jitter is .23 of the period
	falseAlarm   = 1e-5 // of a series without a period
	longQuiet    = 20   // turns without an event that are no missed beats: a computer is off
)

// locked finds the period of a timetable in ascending times.
func locked(times []int64) (Rhythm, bool) {
	times = searchable(times)
	if len(times) < minTimes {
		return Rhythm{}, false
	}
	periods, tried := likelyPeriods(times)
	var best folding
	for _, p := range periods {
		f := foldAt(times, p)
		// At a half of the period events lie together too, but half of the turns have none.
		if f.evidence-math.Log(tried) > -math.Log(falseAlarm) && f.focus >= leastFocus && f.beats >= minTimes && f.worth() > best.worth() {
			best = f
		}
	}
	if best.period == 0 {
		return Rhythm{}, false
	}
	r := Rhythm{Period: time.Duration(best.period), Jitter: time.Duration(best.jitter), Times: best.beats, Missed: best.missed, First: times[0], Last: times[len(times)-1],
		Share: float64(best.near) / float64(best.events)}
	r.Noisy = r.Share < 0.8
	if r.Noisy {
		r.Times = best.events
	}
	return r, true
}

// searchable is the times, or the half of them that has more, and so on, in which all periods
// that they may have can be told apart by mostBins.
func searchable(times []int64) []int64 {
	for len(times) >= minTimes {
		length := float64(times[len(times)-1] - times[0])
		if length <= 0 {
			return nil
		}
		if length/shortest(times)*binsOfPeriod < mostBins {
			return times
		}
		middle, _ := slices.BinarySearch(times, times[0]+int64(length/2))
		if middle >= len(times)-middle {
			times = times[:middle]
		} else {
			times = times[middle:]
		}
	}
	return nil
}

// shortest is the shortest period that times may have.
func shortest(times []int64) float64 {
	gaps := make([]int64, len(times)-1)
	for i := range gaps {
		gaps[i] = times[i+1] - times[i]
	}
	slices.Sort(gaps)
	long := longQuiet * max(gaps[len(gaps)/2], int64(time.Second))
	active := 0.0
	for _, g := range gaps {
		active += float64(min(g, long))
	}
	return max(leastBeats*active/float64(len(times)), float64(2*time.Second))
}

// likelyPeriods are those at which the counts of times vary most, and how many were looked at.
func likelyPeriods(times []int64) (periods []float64, tried float64) {
	first, length := times[0], float64(times[len(times)-1]-times[0])
	least := shortest(times)
	step := least / binsOfPeriod
	bins := int(length/step) + 1
	size := 1 << bits.Len(uint(2*bins-1))
	x := make([]float64, size)
	sum := 0.0
	for _, t := range times {
		if at := int(float64(t-first) / step); x[at] == 0 { // what comes together is one
			x[at] = 1
			sum++
		}
	}
	for i := range bins {
		x[i] -= sum / float64(bins)
	}
	c := fourier.NewFFT(size).Coefficients(nil, x)
	power := func(i int) float64 { return real(c[i])*real(c[i]) + imag(c[i])*imag(c[i]) }
	whole := float64(size) * step
	from, to := max(2, int(whole/(length/(minTimes-1)))), min(len(c)-2, int(whole/least))
	var peaks []int
	for i := from; i <= to; i++ {
		if power(i) >= power(i-1) && power(i) > power(i+1) {
			peaks = append(peaks, i)
		}
	}
	slices.SortFunc(peaks, func(a, b int) int { return cmp.Or(cmp.Compare(power(b), power(a)), cmp.Compare(a, b)) })
	for _, i := range peaks[:min(len(peaks), mostTried)] {
		// Where between its neighbours the peak is, by a parabola.
		a, b, d := math.Sqrt(power(i-1)), math.Sqrt(power(i)), math.Sqrt(power(i+1))
		at := float64(i)
		if bend := a - 2*b + d; bend < 0 {
			at += 0.5 * (a - d) / bend
		}
		periods = append(periods, whole/at)
	}
	return periods, max(1, length/least)
}

// folding is a series folded at a period.
type folding struct {
	period   float64 // ns
	evidence float64 // -ln of the chance that a series without this period is as uneven
	focus    float64 // length of the mean of all phases, 0 to 1
	jitter   float64 // ns, typical
	beats    int     // turns with an event where most are
	missed   int
	events   int // those that come together counted once
	near     int // events that are where most are
}

// worth is how well a period explains events: how many of them are beats, and how many turns have one.
func (f *folding) worth() float64 {
	return f.focus * math.Sqrt(float64(f.beats)/float64(max(1, f.beats+f.missed)))
}

func foldAt(times []int64, period float64) folding {
	times = collapse(times, time.Duration(period/20))
	phases := make([]float64, len(times)) // turns since the first event
	for i, t := range times {
		phases[i] = float64(t-times[0]) / period
	}
	// The period that the events next to the beat have, by least squares.
	for range 3 {
		mean, _ := meanPhase(phases)
		var n, sx, sy, sxx, sxy float64
		for i, p := range phases {
			turn := math.Round(p - mean)
			if math.Abs(p-mean-turn) > 0.25 {
				continue
			}
			y := float64(times[i] - times[0])
			n, sx, sy, sxx, sxy = n+1, sx+turn, sy+y, sxx+turn*turn, sxy+turn*y
		}
		slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
		if !(math.Abs(slope-period) < 0.05*period) {
			return folding{}
		}
		period = slope
		for i, t := range times {
			phases[i] = float64(t-times[0]) / period
		}
	}
	f := folding{period: period, events: len(times)}
	mean, focus := meanPhase(phases)
	f.focus = focus
	// Turns are cut where fewest events are: opposite to the mean.
	var z [harmonics]complex128
	var sum [harmonics]complex128
	var squares [harmonics]float64
	end := func() {
		for h := range z {
			sum[h] += z[h]
			squares[h] += real(z[h])*real(z[h]) + imag(z[h])*imag(z[h])
			z[h] = 0
		}
	}
	var off []float64
	last, beat := math.Inf(-1), math.Inf(-1)
	for _, p := range phases {
		turn := math.Round(p - mean)
		if turn != last {
			end()
			last = turn
		}
		d := p - mean - turn
		for h := range z {
			s, c := math.Sincos(2 * math.Pi * float64(h+1) * d)
			z[h] += complex(c, s)
		}
		if math.Abs(d) > 0.25 {
			continue
		}
		f.near++
		off = append(off, math.Abs(d)*period)
		if turn != beat {
			if skipped := turn - beat - 1; f.beats > 0 && skipped < longQuiet {
				f.missed += int(skipped)
			}
			f.beats++
			beat = turn
		}
	}
	end()
	if len(off) == 0 {
		return folding{}
	}
	slices.Sort(off)
	f.jitter = off[len(off)/2]
	// One harmonic suits dull beats, several sharp ones (de Jager, Raubenheimer and Swanepoel 1989: the H test,
	// whose chance is e^(-0.4H)). Either may tell.
	total, h := 0.0, 0.0
	for m := range sum {
		rayleigh := (real(sum[m])*real(sum[m]) + imag(sum[m])*imag(sum[m])) / squares[m]
		if m == 0 {
			f.evidence = rayleigh
		}
		total += 2 * rayleigh
		h = max(h, total-4*float64(m+1)+4)
	}
	f.evidence = max(f.evidence, 0.4*h) - math.Ln2
	return f
}

// meanPhase is the mean of phases on their circle, in turns, and how close to it they are.
func meanPhase(phases []float64) (mean, focus float64) {
	var s, c float64
	for _, p := range phases {
		sin, cos := math.Sincos(2 * math.Pi * p)
		s, c = s+sin, c+cos
	}
	return math.Atan2(s, c) / (2 * math.Pi), math.Hypot(s, c) / float64(len(phases))
}
