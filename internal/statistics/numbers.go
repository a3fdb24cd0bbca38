package statistics

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Numbers is how the numbers of a field are distributed: each different one
// and how often it occurs, ascending.
type Numbers struct {
	Values  []float64
	Counts  []float64
	N       int64
	NotOnes int64 // values that are no numbers
	Rounded bool  // there were so many different ones that they are rounded to three digits
}

// maxDistinct is how many different numbers are kept apart.
const maxDistinct = 1 << 20

// CountNumbers returns the distribution of the numbers in a field over the
// events that a query finds.
func CountNumbers(ctx context.Context, st store.Store, query, field string) (*Numbers, error) {
	n := &Numbers{}
	var counts map[float64]int64
	begin := func() {
		counts = map[float64]int64{}
		n.N, n.NotOnes = 0, 0
	}
	err := store.Group(ctx, st, unrolled(with(query, quote(field)+":*"), field), []string{field}, []store.Figure{{Name: "sextant_n", Of: "count()"}}, begin, func(row []event.Field) error {
		c, err := number(row, "sextant_n")
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(column(row, field), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			n.NotOnes += c
			return nil
		}
		if n.Rounded {
			v = threeDigits(v)
		}
		counts[v] += c
		n.N += c
		if len(counts) > maxDistinct && !n.Rounded {
			n.Rounded = true
			rounded := map[float64]int64{}
			for v, c := range counts {
				rounded[threeDigits(v)] += c
			}
			counts = rounded
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	type pair struct {
		v float64
		c int64
	}
	pairs := make([]pair, 0, len(counts))
	for v, c := range counts {
		pairs = append(pairs, pair{v, c})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.v, b.v) })
	for _, p := range pairs {
		n.Values, n.Counts = append(n.Values, p.v), append(n.Counts, float64(p.c))
	}
	return n, nil
}

func threeDigits(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// Quantile is the least number that at least a share p of all are not above;
// NaN where there is none.
func (n *Numbers) Quantile(p float64) float64 {
	if len(n.Values) == 0 {
		return math.NaN()
	}
	return stat.Quantile(p, stat.Empirical, n.Values, n.Counts)
}

// Mean returns the mean and the standard deviation.
func (n *Numbers) Mean() (mean, deviation float64) {
	if len(n.Values) == 0 {
		return math.NaN(), math.NaN()
	}
	mean, deviation = stat.MeanStdDev(n.Values, n.Counts)
	if n.N < 2 {
		deviation = 0
	}
	return mean, deviation
}

// Sum is the sum of all numbers.
func (n *Numbers) Sum() float64 {
	s := 0.0
	for i, v := range n.Values {
		s += v * n.Counts[i]
	}
	return s
}

// Expand returns at most so many numbers that are distributed as all are, for a
// picture: all of them where that is not too much, else quantiles.
func (n *Numbers) Expand(most int) []float64 {
	var out []float64
	if n.N <= int64(most) {
		for i, v := range n.Values {
			for range int64(n.Counts[i]) {
				out = append(out, v)
			}
		}
		return out
	}
	at, below := 0, 0.0 // of the numbers before at, the sum of counts
	for i := range most {
		want := (float64(i) + 0.5) / float64(most) * float64(n.N)
		for at < len(n.Values)-1 && below+n.Counts[at] < want {
			below += n.Counts[at]
			at++
		}
		out = append(out, n.Values[at])
	}
	return out
}

// distance is the Kolmogorov–Smirnov distance of two distributions, and where
// they are farthest apart.
func distance(a, b *Numbers) (d, at float64) {
	if a.N == 0 || b.N == 0 {
		return 0, 0
	}
	i, j, fa, fb := 0, 0, 0.0, 0.0
	for i < len(a.Values) || j < len(b.Values) {
		var v float64
		switch {
		case j == len(b.Values) || i < len(a.Values) && a.Values[i] <= b.Values[j]:
			v = a.Values[i]
		default:
			v = b.Values[j]
		}
		if i < len(a.Values) && a.Values[i] == v {
			fa += a.Counts[i] / float64(a.N)
			i++
		}
		if j < len(b.Values) && b.Values[j] == v {
			fb += b.Counts[j] / float64(b.N)
			j++
		}
		if x := math.Abs(fa - fb); x > d {
			d, at = x, v
		}
	}
	return d, at
}
