package statistics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Association says that two series of event rates rise together, the second
// some time after the first.
type Association struct {
	Leader, Follower string
	Lag              time.Duration // by which the follower comes later; 0: together, within a step
	R                float64       // correlation at that lag
	// Episodes are the separate rises that both have, Of those that the leader
	// has: two bursts that happen to fall together are one episode.
	Episodes, Of int
	Stretches    float64 // over how many of 32 stretches of time the correlation is spread
	P            float64 // probability of as large an R at any lag looked at, by chance
	Q            float64 // P corrected for the number of pairs (false discovery rate)
	Shifts       float64 // share of all other shifts of time at which R is as large somewhere within as many lags
	Steps        int
	Step         time.Duration
}

// CorrelateOptions say how to look for associations; the zero value of each has
// a default.
type CorrelateOptions struct {
	By     []string      // fields whose values make a series; event.dataset, event.action, event.outcome
	Step   time.Duration // length of a step; from 1 s, so that there are at most 16,384
	MaxLag time.Duration // 60 steps
	Top    int           // series, those with the most events; 40
}

const (
	maxCorrelated = 16_384 // steps
	minRises      = 8      // steps in which a series has events, for it to be looked at
	minEpisodes   = 5
	minStretches  = 10 // of 32, over which the correlation of series without episodes is spread
)

// Correlation is what Correlate found.
type Correlation struct {
	Step, MaxLag time.Duration
	First, Last  int64
	Series       int // that were looked at
	Pairs        int
	Associations []Association // surest first; Q ≤ 0.01, the rest is left out
}

// Correlate looks for pairs of series that rise together or one after the other.
//
// Counts are square-rooted, which makes their variance even, and what changes
// slowly, such as night and day, is taken out: a running mean over some lags.
// All lags are had at once from the Fourier transform. What R is by chance is
// not taken from a formula but from the pair itself: from its correlations at
// all other shifts of time, at which the series keep their bursts and lose
// their relation. An association also needs several episodes that agree.
func Correlate(ctx context.Context, st store.Store, query string, o CorrelateOptions) (*Correlation, error) {
	if o.By == nil {
		o.By = []string{"event.dataset", "event.action", "event.outcome"}
	}
	if o.Top == 0 {
		o.Top = 40
	}
	query = with(query, timed)
	c := &Correlation{}
	var err error
	if _, c.First, c.Last, err = Span(ctx, st, query); err != nil || c.First == event.NoTime {
		return c, err
	}
	if o.Step <= 0 {
		o.Step = StepFor(time.Duration(c.Last-c.First), maxCorrelated)
	}
	o.Step = max(o.Step.Truncate(time.Second), time.Second)
	start := floorTo(c.First, o.Step)
	steps := int((c.Last-start)/int64(o.Step)) + 1
	if steps > 4*maxCorrelated {
		return nil, fmt.Errorf("%d steps of %s are too many, %d are allowed: choose longer ones, or a shorter time", steps, o.Step, 4*maxCorrelated)
	}
	lags := 60
	if o.MaxLag > 0 {
		lags = int(o.MaxLag / o.Step)
	}
	lags = max(1, min(lags, steps/6))
	c.Step, c.MaxLag = o.Step, time.Duration(lags)*o.Step
	if steps < 60 {
		return c, nil // too few for anything to be told from chance
	}
	names, counts, err := seriesOf(ctx, st, query, o, start, steps)
	if err != nil {
		return nil, err
	}
	c.correlate(names, counts, lags)
	return c, nil
}

// Associate looks for associations between series that are counted already: counts[i] are those of names[i], all of
// the same steps. It looks for followers up to so many steps later.
func Associate(names []string, counts [][]float64, step time.Duration, lags int) *Correlation {
	c := &Correlation{Step: step, MaxLag: time.Duration(lags) * step, First: event.NoTime, Last: event.NoTime}
	c.correlate(names, counts, lags)
	return c
}

// seriesOf reads the series with the most events.
func seriesOf(ctx context.Context, st store.Store, query string, o CorrelateOptions, start int64, steps int) ([]string, [][]float64, error) {
	quoted := make([]string, len(o.By))
	for i, f := range o.By {
		quoted[i] = quote(f)
	}
	by := strings.Join(quoted, ", ")
	kept := keeper{n: o.Top, before: func(a, b Value) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) }}
	// The values of a row as one: quoted, since any byte may be part of them.
	key := func(row []event.Field) string {
		var k []byte
		for _, f := range o.By {
			k = strconv.AppendQuote(k, column(row, f))
		}
		return string(k)
	}
	none := strings.Repeat(`""`, len(o.By))
	err := store.Group(ctx, st, query, o.By, []store.Figure{{Name: "sextant_n", Of: "count()"}}, func() { kept.kept = nil }, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		if k := key(row); n >= minRises && k != none {
			kept.add(Value{Value: k, Count: n})
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	var counts [][]float64
	index := map[string]int{}
	var conditions []string
	for i, v := range kept.sorted() {
		index[v.Value] = i
		counts = append(counts, make([]float64, steps))
		var and, name []string
		for rest, j := v.Value, 0; rest != ""; j++ {
			one, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, nil, err
			}
			rest = rest[len(one):]
			part, _ := strconv.Unquote(one)
			and = append(and, quoted[j]+":="+quote(part))
			if part != "" {
				name = append(name, brief(part, 60))
			}
		}
		names = append(names, strings.Join(name, " "))
		conditions = append(conditions, "("+strings.Join(and, " ")+")")
	}
	if len(names) < 2 {
		return nil, nil, nil
	}
	// Each step of each series is a group: where those are too many for the engine, they are counted span by span.
	var count func(from, to int) error
	count = func(from, to int) error {
		part := make([][]float64, len(counts))
		for i := range part {
			part[i] = make([]float64, to-from)
		}
		options := store.QueryOptions{Unsorted: true, From: start + int64(from)*int64(o.Step), Until: start + int64(to)*int64(o.Step) - 1}
		err := st.QueryWith(ctx, with(query, strings.Join(conditions, " or "))+" | stats by ("+bucket(o.Step)+", "+by+") count() sextant_n", options, func(row []event.Field) error {
			n, err := number(row, "sextant_n")
			at := parseTime(column(row, "_time"))
			if i, ok := index[key(row)]; ok && at != event.NoTime {
				part[i][min(max(int((at-start)/int64(o.Step))-from, 0), to-from-1)] += float64(n)
			}
			return err
		})
		if errors.Is(err, store.ErrMemory) && to-from > 1 {
			middle := from + (to-from)/2
			if err := count(from, middle); err != nil {
				return err
			}
			return count(middle, to)
		}
		for i := range part {
			copy(counts[i][from:to], part[i])
		}
		return err
	}
	return names, counts, count(0, steps)
}

// correlate compares all pairs of series: in steps as they are, and in steps of eight and of 64, in which the same number of lags reaches
// farther. What a pair shows in shorter steps is told, for they tell the lag best.
func (c *Correlation) correlate(names []string, counts [][]float64, lags int) {
	if len(counts) == 0 {
		return
	}
	var scales []int
	for k := 1; k == 1 || k <= 64 && len(counts[0])/k >= minCoarse; k *= 8 {
		scales = append(scales, k)
	}
	var found []Association
	for i, k := range scales {
		n := c.compare(names, summed(counts, k), c.Step*time.Duration(k), lags, func(a Association) {
			a.P = min(1, a.P*float64(len(scales)))
			found = append(found, a)
		})
		c.Series, c.Pairs = max(c.Series, n), max(c.Pairs, n*(n-1)/2)
		if i > 0 {
			c.MaxLag = max(c.MaxLag, time.Duration(lags*k)*c.Step)
		}
	}
	p := make([]float64, len(found))
	for i := range p {
		p[i] = found[i].P
	}
	// P is for all scales together: a pair is one test.
	told := map[[2]string]bool{}
	for i, q := range Adjust(p, c.Pairs) {
		a := found[i]
		a.Q = q
		pair := [2]string{min(a.Leader, a.Follower), max(a.Leader, a.Follower)}
		if a.Q <= 0.01 && !told[pair] {
			told[pair] = true
			c.Associations = append(c.Associations, a)
		}
	}
	slices.SortFunc(c.Associations, func(a, b Association) int {
		return cmp.Or(cmp.Compare(b.R*math.Sqrt(float64(b.Episodes)), a.R*math.Sqrt(float64(a.Episodes))), strings.Compare(a.Leader, b.Leader), strings.Compare(a.Follower, b.Follower))
	})
}

// minCoarse is how many longer steps there must be for anything to be told in them.
const minCoarse = 960

// summed returns the series in steps of k.
func summed(counts [][]float64, k int) [][]float64 {
	if k == 1 {
		return counts
	}
	out := make([][]float64, len(counts))
	for i, x := range counts {
		out[i] = make([]float64, (len(x)+k-1)/k)
		for j, v := range x {
			out[i][j/k] += v
		}
	}
	return out
}

// compare compares all pairs of series in steps of one length, and returns how many series there are of which anything can be told.
func (c *Correlation) compare(names []string, counts [][]float64, step time.Duration, lags int, associated func(Association)) int {
	type prepared struct {
		name      string
		z         []float64    // unit length, mean zero
		transform []complex128 // of z, padded
		rises     []int        // steps in which it is high, the first of each episode
	}
	n := len(counts[0])
	size := 1 << bits.Len(uint(n-1))
	if size < n+n/2+lags { // so that no shift that is looked at wraps around
		size *= 2
	}
	fft := fourier.NewFFT(size)
	var all []prepared
	for i, x := range counts {
		if occupied(x) < minRises {
			continue
		}
		z, ok := whiten(x, step, 4*lags)
		if !ok {
			continue
		}
		padded := make([]float64, size)
		copy(padded, z)
		all = append(all, prepared{names[i], z, fft.Coefficients(nil, padded), rises(z, max(2, lags/20))})
	}
	product := make([]complex128, size/2+1)
	r := make([]float64, size)
	for i := range all {
		for j := i + 1; j < len(all); j++ {
			a, b := &all[i], &all[j]
			for k := range product {
				product[k] = complex(real(a.transform[k]), -imag(a.transform[k])) * b.transform[k]
			}
			fft.Sequence(r, product)
			// The farther the shift, the less is left of both to agree by chance.
			at := func(shift int) float64 {
				return r[(shift+size)%size] / float64(size) * math.Sqrt(float64(n)/float64(n-abs(shift)))
			}
			best := 0
			for s := -lags; s <= lags; s++ {
				if v := at(s); v > at(best) || v == at(best) && abs(s) < abs(best) {
					best = s
				}
			}
			found := Association{Leader: a.name, Follower: b.name, R: at(best), Lag: time.Duration(best) * step, Steps: n, Step: step}
			if found.R < 0.1 {
				continue
			}
			// The shifts that keep at least half of the series over each other.
			far := min(n/2, size-n/2-1)
			var others, maxima []float64
			for s := lags + 1; s+2*lags <= far; s++ {
				others = append(others, at(s), at(-s))
			}
			for s := lags + 1; s+2*lags <= far; s += max(1, lags/2) {
				up, down := math.Inf(-1), math.Inf(-1)
				for k := range 2*lags + 1 {
					up, down = max(up, at(s+k)), max(down, at(-s-k))
				}
				maxima = append(maxima, up, down)
			}
			if len(maxima) < 6 {
				continue
			}
			as := 0
			for _, m := range maxima {
				if m >= found.R {
					as++
				}
			}
			found.Shifts = float64(as) / float64(len(maxima))
			sd := spread(others)
			one := distuv.UnitNormal.Survival(found.R / sd)
			found.P = min(1, max(one*float64(2*lags+1), extreme(maxima, found.R)))
			found.P = max(found.P, 1e-300)
			lead, follow, lag := a, b, best
			if best < 0 {
				found.Leader, found.Follower, found.Lag = b.name, a.name, -found.Lag
				lead, follow, lag = b, a, -best
			}
			found.Of, found.Episodes = len(lead.rises), agreeing(lead.rises, follow.z, lag)
			found.Stretches = stretches(lead.z, follow.z, lag)
			if found.Shifts > 0.02 || !found.often() && found.Stretches < minStretches {
				found.P = 1
			}
			associated(found)
		}
	}
	return len(all)
}

// extreme is the probability of so large a maximum, given others of the same kind: their distribution is Gumbel's, fitted by its moments.
func extreme(maxima []float64, r float64) float64 {
	mean, sd := stat.MeanStdDev(maxima, nil)
	scale := max(sd, 1e-9) * math.Sqrt(6) / math.Pi
	const euler = 0.5772156649
	return -math.Expm1(-math.Exp(-(r - mean + euler*scale) / scale))
}

func abs(x int) int { return max(x, -x) }

const (
	slow     = 4 * time.Hour // what changes no faster is taken out
	leastSum = 36            // steps of a running mean
	minDays  = 4             // for what is the same each day to be known
)

// whiten returns a series without its slow changes and without what is the same each day, of mean zero and
// length one; false if nothing is left. All that people do rises in the morning: whatever the step, that
// must not be taken for what two series have in common, nor for chance.
func whiten(counts []float64, step time.Duration, window int) ([]float64, bool) {
	n := len(counts)
	x := make([]float64, n)
	for i, v := range counts {
		x[i] = math.Sqrt(v)
	}
	withoutDays(x, step)
	window = min(window, max(int(slow/step), leastSum))
	sum := make([]float64, n+1)
	for i, v := range x {
		sum[i+1] = sum[i] + v
	}
	z := make([]float64, n)
	for i := range x {
		lo, hi := max(0, i-window/2), min(n, i+window/2+1)
		z[i] = x[i] - (sum[hi]-sum[lo])/float64(hi-lo)
	}
	// One huge burst must not be all there is: what is above eight times the
	// usual size of a rise is cut to that.
	var up []float64
	for _, v := range z {
		if v > 0 {
			up = append(up, v)
		}
	}
	if len(up) == 0 {
		return nil, false
	}
	slices.Sort(up)
	cut := 8 * up[len(up)/2]
	mean, square := 0.0, 0.0
	for i := range z {
		z[i] = min(max(z[i], -cut), cut)
		mean += z[i] / float64(n)
	}
	for i := range z {
		z[i] -= mean
		square += z[i] * z[i]
	}
	if !(square > 1e-12) {
		return nil, false
	}
	for i := range z {
		z[i] /= math.Sqrt(square)
	}
	return z, true
}

// withoutDays takes the usual day out of a series of four days and more: its mean by the time of day, times
// how much of it there is on each day, so that a weekend is a small day and a holiday none.
func withoutDays(x []float64, step time.Duration) {
	const day = 24 * time.Hour
	width := max(step, 10*time.Minute) // of a part of the day
	if len(x) < int(minDays*day/step) || step > day/8 {
		return
	}
	bin := func(i int) (which, part int) {
		at := time.Duration(i) * step
		return int(at / day), int(at % day / width)
	}
	days, _ := bin(len(x) - 1)
	usual, n := make([]float64, int((day+width-1)/width)), make([]float64, int((day+width-1)/width))
	for i, v := range x {
		_, b := bin(i)
		usual[b] += v
		n[b]++
	}
	for b := range usual {
		usual[b] /= max(n[b], 1)
	}
	has, all := make([]float64, days+1), make([]float64, days+1)
	for i, v := range x {
		d, b := bin(i)
		has[d] += v * usual[b]
		all[d] += usual[b] * usual[b]
	}
	for i := range x {
		if d, b := bin(i); all[d] > 0 {
			x[i] -= has[d] / all[d] * usual[b]
		}
	}
}

// rises returns where episodes of a whitened series begin: steps above two of
// its standard deviations with none for some steps before.
func rises(z []float64, apart int) []int {
	high := 2 / math.Sqrt(float64(len(z)))
	var out []int
	last := -apart - 1
	for i, v := range z {
		if v > high {
			if i-last > apart {
				out = append(out, i)
			}
			last = i
		}
	}
	return out
}

// agreeing counts the episodes of a leader after which, by the lag and two
// steps more or less, the follower is high.
func agreeing(rises []int, z []float64, lag int) int {
	high := 1.5 / math.Sqrt(float64(len(z)))
	n := 0
	for _, at := range rises {
		for s := at + lag - 2; s <= at+lag+2; s++ {
			if s >= 0 && s < len(z) && z[s] > high {
				n++
				break
			}
		}
	}
	return n
}

// stretches tells over how many of 32 stretches of time the correlation is spread: 32 if each gives the same to it, about one
// if it is all of one burst. It is what speaks for series without rests between their rises.
func stretches(lead, follow []float64, lag int) float64 {
	var part [32]float64
	for i := range lead {
		if j := i + lag; j < len(follow) {
			part[i*len(part)/len(lead)] += lead[i] * follow[j]
		}
	}
	sum, squares := 0.0, 0.0
	for _, v := range part {
		sum += v
		squares += v * v
	}
	if sum <= 0 {
		return 0
	}
	return sum * sum / squares
}

// spread is a standard deviation that outliers widen but do not rule: the
// larger of the usual one and the one of the middle 95 %.
func spread(x []float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	sd := 0.0
	for _, v := range s {
		sd += v * v
	}
	sd = math.Sqrt(sd / float64(len(s)))
	middle := (s[len(s)*39/40] - s[len(s)/40]) / 3.92
	return max(sd, middle, 1e-9)
}

// Sentences says what goes with what, surest first. Series of which each two rise together, about as
// much, are said at once: three kinds of record of one happening make three pairs, and no more news.
func (c *Correlation) Sentences() []string {
	together := map[[2]string]*Association{}
	for i := range c.Associations {
		if a := &c.Associations[i]; a.Lag == 0 {
			together[[2]string{a.Leader, a.Follower}], together[[2]string{a.Follower, a.Leader}] = a, a
		}
	}
	var out []string
	said := map[*Association]bool{}
	for i := range c.Associations {
		a := &c.Associations[i]
		if said[a] {
			continue
		}
		names, of := []string{a.Leader, a.Follower}, []*Association{a}
		for j := range c.Associations[i+1:] {
			for _, n := range []string{c.Associations[i+1+j].Leader, c.Associations[i+1+j].Follower} {
				pairs := make([]*Association, 0, len(names))
				for _, m := range names {
					if p := together[[2]string{m, n}]; p != nil && a.Lag == 0 && !said[p] && p.R >= 0.7*a.R {
						pairs = append(pairs, p)
					}
				}
				if len(pairs) == len(names) {
					names, of = append(names, n), append(of, pairs...)
				}
			}
		}
		if len(names) == 2 {
			out = append(out, a.Sentence())
			continue
		}
		least, most := a.R, a.Q
		for _, p := range of {
			said[p] = true
			least, most = min(least, p.R), max(most, p.Q)
		}
		q := probability("q", most)
		out = append(out, fmt.Sprintf("%s and %s rise together, within %s (each two of them: r from %s over %s, %s).", strings.Join(names[:len(names)-1], ", "), names[len(names)-1], ShortLength(a.Step), correlation(least), a.over(), q))
	}
	return out
}

// correlation writes r as statistics are written, without the zero.
func correlation(r float64) string {
	if s := fmt.Sprintf("%.2f", r); s[0] == '0' {
		return s[1:]
	}
	return fmt.Sprintf("%.2f", r)
}

// over is how long the series are.
func (a *Association) over() string {
	over := time.Duration(a.Steps) * a.Step
	switch {
	case over < 2*time.Hour:
		return fmt.Sprintf("%.0f min", over.Minutes())
	case over >= 72*time.Hour:
		return fmt.Sprintf("%.0f days", over.Hours()/24)
	}
	return fmt.Sprintf("%.0f h", over.Hours())
}

// often tells whether enough of the leader's rises agree.
func (a *Association) often() bool { return a.Episodes >= minEpisodes && a.Episodes*3 >= a.Of }

// Sentence says what goes with what.
func (a *Association) Sentence() string {
	where := fmt.Sprintf("in %d of its %d rises", a.Episodes, a.Of)
	if !a.often() {
		where = fmt.Sprintf("spread over %.0f of 32 parts of the time", a.Stretches)
	}
	support := fmt.Sprintf("r = %s over %s, %s, %s", correlation(a.R), a.over(), where, probability("q", a.Q))
	if a.Lag == 0 {
		return fmt.Sprintf("%s and %s rise together, within %s (%s).", a.Leader, a.Follower, ShortLength(a.Step), support)
	}
	return fmt.Sprintf("%s leads %s by %s (%s).", a.Leader, a.Follower, ShortLength(a.Lag), support)
}

// ShortLength is a length of time without the units that are zero.
func ShortLength(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
