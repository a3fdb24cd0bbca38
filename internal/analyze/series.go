package analyze

import (
	"cmp"
	"math"
	"slices"
)

// cell is how often something happened in one hour, and from when to when.
type cell struct {
	hour        int32
	count       uint32
	first, last int64
}

// series is what happened by the hour: its cells, by hour. Hours without are not there.
type series []cell

// add adds a cell to the series and reports whether that made it longer.
func (s *series) add(c cell) bool {
	i := len(*s)
	if i > 0 && (*s)[i-1].hour >= c.hour {
		var found bool
		i, found = slices.BinarySearchFunc(*s, c.hour, func(c cell, h int32) int { return cmp.Compare(c.hour, h) })
		if found {
			old := &(*s)[i]
			old.count += c.count
			old.first, old.last = min(old.first, c.first), max(old.last, c.last)
			return false
		}
	}
	*s = slices.Insert(*s, i, c)
	return true
}

// usual is what a series is like in some hours of the day, from other days.
type usual struct {
	days      int     // other days it was learnt from
	hours     int     // that were taken together
	low, high float64 // nine of ten lie between
	mean      float64
	seasonal  bool // learnt from the same time of day, not from all hours
	weekly    bool // and from working days only, or from free ones only
	free      bool // which of both
	peers     int  // hours of others of its kind it was compared with, of which the share has at most
	peak      float64
	share     float64
}

// How a baseline is learnt. Older weeks weigh less: what was usual half a year
// ago says little of today.
const (
	reach       = 56 // days to both sides that are looked at
	halfLife    = 28 // days after which a day weighs half
	fewestDays  = 5  // of the same time of day; with fewer, all hours are taken together
	fewestHours = 24 // with fewer, nothing is said
	ownDays     = 10 // days after which the variance of an hour of the day counts as much as that of all hours
	clipped     = 3  // deviations above its mean at which what a baseline is learnt from is cut, so that one burst does not hide the next
)

func age(days int32) float64 { return math.Exp2(-math.Abs(float64(days)) / halfLife) }

// isWeekend reports whether a day since the epoch, which was a Thursday, is a
// Saturday or Sunday.
func isWeekend(d int32) bool {
	w := (d%7 + 7) % 7
	return w == 2 || w == 3
}

// windows are in how many hours that follow one another a change is looked for.
var windows = [...]int{1, 2, 3, 6, 12, 24}

// A scan judges series of one log, one after the other, with memory that is used again. A series is laid out by day and hour of the log's
// calendar, and each stretch of hours compared with the same hours on other days: its mean and variance are those of the days of its kind,
// newer ones weighing more; the variance is shared with all hours of the series, in which the deviation is the same part of
// the mean (negative binomial), since twenty days are too few to know each by itself.
type scan struct {
	c    *calendar
	y    []float64 // by day and hour; NaN where the log was not written yet, or no more
	sums []float64 // of a window that begins there
	cut  []float64 // the same, without what is far too high
	base [3][]baseline
}

// baseline is what the other days of a kind say of a window.
type baseline struct {
	weight, days   float64 // of the days; how many they are
	mean, variance float64
}

// use makes room for the log with the calendar.
func (s *scan) use(c *calendar) {
	n := 24 * len(c.days)
	s.c = c
	s.y, s.sums, s.cut = room(s.y, n), room(s.sums, n), room(s.cut, n)
	for k := range s.base {
		s.base[k] = room(s.base[k], n)
	}
}

func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// at is the slot of an index of the layout, and index the other way round; -1 for one that there is not.
func (s *scan) at(t int) int32 { return s.c.days[t/24]*24 + int32(t%24) }

func (s *scan) index(slot int32) int {
	d := int32(floorDiv(int64(slot), 24))
	i, found := slices.BinarySearch(s.c.days, d)
	if !found {
		return -1
	}
	return i*24 + int(slot-24*d)
}

// lay lays out a series.
func (s *scan) lay(of series) {
	for t := range s.y {
		s.y[t] = 0
	}
	for t := 0; t < len(s.y) && s.at(t) < s.c.from; t++ {
		s.y[t] = math.NaN()
	}
	for t := len(s.y) - 1; t >= 0 && s.at(t) > s.c.to; t-- {
		s.y[t] = math.NaN()
	}
	day := 0
	for i := range of {
		slot := s.c.slot(of[i].hour)
		d := int32(floorDiv(int64(slot), 24))
		for day < len(s.c.days) && s.c.days[day] < d {
			day++
		}
		if day == len(s.c.days) {
			break
		}
		if s.c.days[day] == d {
			// The hour that comes twice when clocks are set back counts once.
			t := day*24 + int(slot-24*d)
			s.y[t] = max(s.y[t], float64(of[i].count))
		}
	}
}

// sum adds up so many hours from each on.
func (s *scan) sum(hours int) {
	for t := range s.y {
		s.sums[t] = s.window(t, hours)
	}
}

// window is the sum of so many hours, NaN where some of them are not there.
func (s *scan) window(t, hours int) (sum float64) {
	if t+hours > len(s.y) || s.c.days[(t+hours-1)/24]-s.c.days[t/24] != int32((t+hours-1)/24-t/24) {
		return math.NaN()
	}
	for _, v := range s.y[t : t+hours] {
		sum += v
	}
	return sum
}

// gather collects sums of values over days.
type gather struct{ weight, days, sum, squares float64 }

func (g *gather) add(v, weight float64, days float64) {
	g.weight += weight
	g.days += days
	g.sum += weight * v
	g.squares += weight * v * v
}

// learn fills a kind of days' baselines of values from those of the days before and after each.
func (s *scan) learn(kind int, values []float64) {
	list, fade := s.c.alike[kind], s.c.fade[kind]
	base := s.base[kind]
	for _, i := range list {
		clear(base[i*24 : i*24+24])
	}
	pass := func(at, next func(x int) int) {
		var g [24]gather
		tail := 0
		for x := range list {
			i := list[at(x)]
			if x > 0 {
				f := fade[next(x)]
				for h := range g {
					g[h].weight, g[h].sum, g[h].squares = g[h].weight*f, g[h].sum*f, g[h].squares*f
				}
			}
			for ; tail < x; tail++ {
				j := list[at(tail)]
				apart := s.c.days[j] - s.c.days[i]
				if -reach <= apart && apart <= reach {
					break
				}
				for h := range g {
					if v := values[j*24+h]; v == v {
						g[h].add(v, -age(apart), -1)
					}
				}
			}
			for h := range g {
				b := &base[i*24+h]
				b.weight, b.days, b.mean, b.variance = b.weight+g[h].weight, b.days+g[h].days, b.mean+g[h].sum, b.variance+g[h].squares
				if v := values[i*24+h]; v == v {
					g[h].add(v, 1, 1)
				}
			}
		}
	}
	n := len(list) - 1
	pass(func(x int) int { return x }, func(x int) int { return x })
	pass(func(x int) int { return n - x }, func(x int) int { return n - x + 1 })
	for _, i := range list {
		for h := range 24 {
			b := &base[i*24+h]
			if b.days > 0 {
				b.mean /= b.weight
				b.variance = max(0, b.variance/b.weight-b.mean*b.mean)
			}
		}
	}
}

// kinds are the kinds of days that a log has, and of which kind a day is: 2 for any.
func (s *scan) kinds() []int {
	if s.c.weekly {
		return []int{0, 1, 2}
	}
	return []int{2}
}

// of returns the baseline of the window at t, and the kind of days it is of: of days of the same kind, or else of all; nil where there are too few.
func (s *scan) of(t int) (*baseline, int) {
	if s.c.weekly {
		k := 0
		if s.c.free[t/24] {
			k = 1
		}
		if b := &s.base[k][t]; b.days >= fewestDays {
			return b, k
		}
	}
	if b := &s.base[2][t]; b.days >= fewestDays {
		return b, 2
	}
	return nil, 2
}

// model learns the baselines of windows of so many hours, and returns by how much the counts vary beyond Poisson: the variance is
// mean + dispersion·mean².
func (s *scan) model(hours int) (dispersion float64) {
	s.sum(hours)
	for _, k := range s.kinds() {
		s.learn(k, s.sums)
	}
	rough := s.rough()
	unseen := s.unseen(rough)
	for t, v := range s.sums {
		s.cut[t] = v
		if b, _ := s.of(t); b != nil && v == v {
			m := b.mean + unseen/b.weight
			s.cut[t] = min(v, m+clipped*math.Sqrt(m+rough*m*m))
		}
	}
	for _, k := range s.kinds() {
		s.learn(k, s.cut)
	}
	// Moments, each weighed by how well it is known.
	var num, den float64
	for t, v := range s.cut {
		b, _ := s.of(t)
		if b == nil || v != v {
			continue
		}
		m := b.mean + unseen/b.weight
		variance := m + rough*m*m
		a := m * m / (variance * variance)
		num += a * ((v-m)*(v-m)/(1+1/b.weight) - m)
		den += a * m * m
	}
	if den == 0 {
		return 0
	}
	return max(0, num/den)
}

// unseen is how much a baseline may have missed, so that what never happened is not held to be impossible: half of what comes at once, which
// is one if the counts are Poisson's, and the variance by the mean if they are not.
func (s *scan) unseen(dispersion float64) float64 {
	level, n := 0.0, 0.0
	for t := range s.sums {
		if b, _ := s.of(t); b != nil {
			level += b.mean
			n++
		}
	}
	return 0.5 * (1 + dispersion*level/max(n, 1))
}

// rough is the dispersion by the median of how far sums are from their means.
func (s *scan) rough() float64 {
	const most = 300
	step := len(s.sums)/most + 1
	var apart []float64
	var mean float64
	for t := 0; t < len(s.sums); t += step {
		if b, _ := s.of(t); b != nil && s.sums[t] == s.sums[t] && b.mean >= 1 {
			apart = append(apart, math.Abs(s.sums[t]-b.mean)/b.mean)
			mean += 1 / b.mean
		}
	}
	if len(apart) == 0 {
		return 0.1
	}
	slices.Sort(apart)
	dev := percentile(apart, 0.5) / 0.6745
	return max(0.001, dev*dev-mean/float64(len(apart)))
}

// expected is the mean and the variance of the window at t.
func (s *scan) expected(t int, dispersion, unseen float64) (mean, variance float64, ok bool) {
	b, _ := s.of(t)
	if b == nil {
		return 0, 0, false
	}
	mean = b.mean + unseen/b.weight
	shared := mean + dispersion*mean*mean
	variance = (ownDays*shared + b.weight*b.variance) / (ownDays + b.weight)
	return mean, max(shared, variance) * (1 + 1/b.weight), true // twenty days that were alike by chance are no promise
}

// describe says what is usual in the hours from t on.
func (s *scan) describe(t, hours int) usual {
	_, k := s.of(t)
	u := usual{hours: hours, seasonal: true, weekly: k < 2, free: k == 1}
	today := s.c.days[t/24]
	var vs []weighted
	for _, i := range s.c.alike[k] {
		apart := s.c.days[i] - today
		at := i*24 + t%24
		if apart < -reach || apart > reach || at < t+hours && t < at+hours {
			continue
		}
		if v := s.window(at, hours); v == v {
			vs = append(vs, weighted{v, age(apart)})
		}
	}
	u.days = len(vs)
	u.summarise(vs)
	return u
}

// everyHour says what is usual in an hour of any time of day; ok is false where there are too few.
func (s *scan) everyHour(t int) (u usual, variance float64, ok bool) {
	var vs []weighted
	for i, v := range s.y {
		if v == v && (i < t-3 || i > t+3) {
			vs = append(vs, weighted{v, 1})
		}
	}
	if len(vs) < fewestHours {
		return u, 0, false
	}
	u = usual{hours: 1, days: len(s.c.days)}
	variance = u.summarise(vs)
	return u, variance, true
}

// summarise describes values, and returns their variance without the highest twentieth.
func (u *usual) summarise(vs []weighted) (variance float64) {
	if len(vs) == 0 {
		return 0
	}
	sortWeighted(vs)
	u.low, u.high = quantile(vs, 0.05), quantile(vs, 0.95)
	var n, sum, squares float64
	for _, v := range vs {
		x := min(v.value, u.high)
		n += v.weight
		sum += v.weight * x
	}
	u.mean = sum / n
	for _, v := range vs {
		d := min(v.value, u.high) - u.mean
		squares += v.weight * d * d
	}
	u.mean += 0.5 / n
	return max(squares/n, u.mean)
}
