package analyze

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// pulse is how a log is usually written: what is expected of it at each time of day, and
// how unevenly it comes nevertheless.
//
// Time is measured in what the log would usually have written meanwhile, its worth in active
// minutes, as learnt from the same time of day on other days. Measured so, the
// silences of a log that is written at random are exponentially distributed
// whatever its busy hours (Papangelou 1972; Brown et al. 2002, "The Time-Rescaling Theorem"), those of one that is
// written by the clock are all alike, and those of one that comes in bursts have a heavy tail. Which it
// is, its own longest silences tell: a generalised Pareto distribution is fitted to what
// they exceed a high threshold by (Pickands 1975; Hosking and Wallis 1987).
type pulse struct {
	of    *stream
	days  []int32     // on which it was written
	hours [][24]uint8 // of each of the days, active minutes
	low   float64     // an hour; where too few days are known

	gaps []rest // the longest, the most worth first
	n    int    // of how many
	odd  int    // so many of them are outliers
	tail tail   // of the rest
}

// rest is a silence between two active minutes.
type rest struct {
	worth    float64
	from, to int64
}

const (
	fewestRests    = 24   // with fewer, nothing is said
	fewestAlike    = 3    // comparable days; with fewer, a log's quietest hours are taken
	fewestWeekends = 2    // comparable days of weekends; with fewer, weekends are not known
	mostOdd        = 3    // silences of a log that may be out of the ordinary
	mostRests      = 2048 // that are kept
	longestRest    = 14 * 24
	leastWorth     = 3  // active minutes that a silence must be worth
	leastBits      = 10 // a log of this history has such a silence in one case of 2^10
	leastRatio     = 2  // times as long, in worth, as the longest else
)

// newPulse learns the pulse of a log, nil if too little is known.
func newPulse(s *stream) *pulse {
	r := &pulse{of: s}
	if len(s.hours) < 2 {
		return nil
	}
	for i, h := range s.hours {
		d := int32(floorDiv(int64(h), 24))
		if n := len(r.days); n == 0 || r.days[n-1] != d {
			r.days, r.hours = append(r.days, d), append(r.hours, [24]uint8{})
		}
		r.hours[len(r.days)-1][h-d*24] = uint8(bits.OnesCount64(s.minutes[i]))
	}
	r.low = r.quietest()
	last := s.first()
	for i, h := range s.hours {
		perMinute := r.expected(h) / 60
		for m := s.minutes[i]; m != 0; m &= m - 1 {
			at := int64(h)*60 + int64(bits.TrailingZeros64(m))
			if at == last {
				continue
			}
			worth := perMinute * float64(at-last)
			if last < int64(h)*60 {
				worth = r.worth(last, at)
			}
			if worth > 0 {
				r.n++
				r.gaps = append(r.gaps, rest{worth, last, at})
				if len(r.gaps) >= 2*mostRests {
					r.sort()
				}
			}
			last = at
		}
	}
	if r.n < fewestRests {
		return nil
	}
	r.sort()
	r.split()
	return r
}

func (r *pulse) sort() {
	slices.SortFunc(r.gaps, func(a, b rest) int { return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(a.from, b.from)) })
	r.gaps = r.gaps[:min(len(r.gaps), mostRests)]
}

// expected is how many minutes of an hour since the epoch are usually active, by other days of
// the same kind within eight weeks; 0 if that is not known. The busiest tenth of the days is left out,
// so that what happened once is not expected of others.
func (r *pulse) expected(h int32) float64 {
	d := int32(floorDiv(int64(h), 24))
	at := int(h - d*24)
	weekend := isWeekend(d)
	from, _ := slices.BinarySearch(r.days, d-reach)
	to, _ := slices.BinarySearch(r.days, d+reach+1)
	var have [3][61]uint8 // of the hour before, the hour, and the one behind it: days by active minutes
	days := 0
	for i := from; i < to; i++ {
		if r.days[i] == d || isWeekend(r.days[i]) != weekend {
			continue
		}
		days++
		for k := range have {
			have[k][r.hours[i][(at+k+23)%24]]++
		}
	}
	if days < fewestWeekends && weekend {
		return 0
	}
	if days < fewestAlike && !weekend {
		return r.low
	}
	kept := days - (days+9)/10
	var mean [3]float64
	for k := range have {
		sum, left := 0, kept
		for minutes, n := range have[k] {
			sum += minutes * min(int(n), left)
			left -= min(int(n), left)
		}
		mean[k] = float64(sum) / float64(kept)
	}
	// The hours about it count as one more day of its own, so that few records do not make some hours impossible.
	return (mean[1]*float64(days) + (mean[0]+mean[2])/2) / float64(days+1)
}

// quietest is how many minutes are active in all but the quietest twentieth of the hours, the longest silence left out.
func (r *pulse) quietest() float64 {
	s := r.of
	var counts []int
	longest, total := int32(0), s.hours[len(s.hours)-1]-s.hours[0]+1
	for i, h := range s.hours {
		counts = append(counts, bits.OnesCount64(s.minutes[i]))
		if i > 0 {
			longest = max(longest, h-s.hours[i-1]-1)
		}
	}
	empty := int(total-longest) - len(counts)
	slices.Sort(counts)
	if at := (len(counts) + empty) / 20; at >= empty && len(counts)+empty >= fewestHours {
		return float64(counts[at-empty])
	}
	return 0
}

// worth is in how many minutes there would have been records from one minute to another. A silence of weeks is not made
// worse by looking at all of it.
func (r *pulse) worth(from, to int64) (sum float64) {
	h := floorDiv(from, 60)
	for most := h + longestRest; h*60 < to && h < most; h++ {
		sum += r.expected(int32(h)) * float64(min(to, h*60+60)-max(from, h*60)) / 60
	}
	return sum
}

// split finds how many of the longest silences are out of the ordinary, looking from the inside
// so that two of them do not hide each other (Rosner 1983).
func (r *pulse) split() {
	for r.odd = mostOdd; r.odd > 0; r.odd-- {
		r.tail = tailOf(r.gaps[r.odd:], r.n-r.odd)
		if r.judge(r.gaps[r.odd-1].worth).strange {
			return
		}
	}
	r.tail = tailOf(r.gaps, r.n)
}

// outliers are the silences that are out of the ordinary.
func (r *pulse) outliers() []rest { return r.gaps[:r.odd] }

// judgement is what is thought of a silence.
type judgement struct {
	worth   float64
	longest rest // else
	bits    float64
	strange bool
}

func (r *pulse) judge(worth float64) judgement {
	j := judgement{worth: worth, longest: r.gaps[r.odd], bits: r.tail.surprise(worth)}
	j.strange = worth >= leastWorth && worth >= leastRatio*j.longest.worth && j.bits >= leastBits
	return j
}

func (j *judgement) text() string {
	return fmt.Sprintf("by what it does at that time on other days, records in about %.0f minutes would be there, against %.1f in its longest other silence (%s at %s)",
		j.worth, j.longest.worth, lasting((j.longest.to-j.longest.from)*minute), span(j.longest.from*minute, j.longest.from*minute))
}

// tail is how the longest silences of a log are distributed: of n, each exceeds the threshold by more than y
// with probability k/n·(1+shape·y/scale)^(-1/shape).
type tail struct{ k, threshold, scale, shape float64 }

// tailOf fits the tail of n silences, of which the longest are given in descending order, by probability-weighted
// moments. It is never held to be lighter than that of an exponential distribution, nor for sharper than a
// tenth of the threshold: minutes are whole, and a clock is late now and then.
func tailOf(gaps []rest, n int) tail {
	k := min(max(n/10, 8), 256, len(gaps)-1)
	t := tail{k: float64(k), threshold: gaps[k].worth}
	var a0, a1 float64
	for i := range k { // descending: i others are longer
		y := gaps[i].worth - t.threshold
		a0 += y
		a1 += y * float64(i) / float64(k-1)
	}
	a0, a1 = a0/float64(k), a1/float64(k)
	t.scale = a0
	if d := a0 - 2*a1; d > 0 {
		if shape := 2 - a0/d; shape > 0 {
			t.shape, t.scale = min(shape, 0.9), 2*a0*a1/d
		}
	}
	t.scale = max(t.scale, t.threshold/10, 1e-3)
	return t
}

// surprise is -log2 of how many silences of this worth are to be expected.
func (t *tail) surprise(worth float64) float64 {
	y := (worth - t.threshold) / t.scale
	if y <= 0 {
		return 0
	}
	log := y
	if t.shape > 1e-6 {
		log = math.Log1p(t.shape*y) / t.shape
	}
	return min(max(0, log/math.Ln2-math.Log2(t.k)), maxSurprise)
}
