package statistics

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// z95 is how many standard deviations hold 95 % of a normal distribution.
var z95 = distuv.UnitNormal.Quantile(0.975)

// Share returns k of n as a share with its 95 % interval (Wilson, 1927), which
// unlike the usual one holds near 0 and 1 and for few events.
func Share(k, n int64) (share, low, high float64) {
	if n <= 0 {
		return 0, 0, 1
	}
	f, m := float64(k), float64(n)
	p, z2 := f/m, z95*z95
	middle := (p + z2/(2*m)) / (1 + z2/m)
	half := z95 / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	low, high = max(0, middle-half), min(1, middle+half)
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return p, low, high
}

// Rate returns the rate of k events in an exposure (of time, say) with its
// exact 95 % interval (Garwood, 1936). It takes events to be independent; where
// they come in bursts the true interval is wider.
func Rate(k int64, exposure float64) (rate, low, high float64) {
	if !(exposure > 0) {
		return 0, 0, math.Inf(1)
	}
	f := float64(k)
	if k > 0 {
		low = distuv.ChiSquared{K: 2 * f}.Quantile(0.025) / 2
	}
	high = distuv.ChiSquared{K: 2*f + 2}.Quantile(0.975) / 2
	return f / exposure, low / exposure, high / exposure
}

// chiSquareP is the probability of a statistic as large by chance.
func chiSquareP(x, df float64) float64 {
	if !(df > 0) || !(x > 0) {
		return 1
	}
	return distuv.ChiSquared{K: df}.Survival(x)
}

// studentP is the two-sided probability of t by chance.
func studentP(t, df float64) float64 {
	if math.IsNaN(t) || !(df > 0) {
		return 1
	}
	return min(1, 2*distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Survival(math.Abs(t)))
}

// kolmogorovP is the probability of a two-sample Kolmogorov–Smirnov distance as
// large by chance, for effective sizes n and m (Stephens, 1970).
func kolmogorovP(d, n, m float64) float64 {
	if !(d > 0) || !(n > 0) || !(m > 0) {
		return 1
	}
	root := math.Sqrt(n * m / (n + m))
	l := (root + 0.12 + 0.11/root) * d
	if l < 0.3 {
		return 1
	}
	sum, sign := 0.0, 1.0
	for j := 1.0; j <= 100; j++ {
		term := math.Exp(-2 * j * j * l * l)
		sum += sign * term
		if term < 1e-16 {
			break
		}
		sign = -sign
	}
	return min(max(2*sum, 0), 1)
}

// Adjust returns what p values become when so many tests were made (at least
// as many as there are values): the share of false discoveries among those at
// or below each (Benjamini and Hochberg, 1995).
func Adjust(p []float64, tests int) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	q := make([]float64, len(p))
	least := 1.0
	m := float64(max(tests, len(p)))
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		least = min(least, p[i]*m/float64(rank+1))
		q[i] = least
	}
	return q
}

// Family is a number of tests of one thing, such as of the values of a field:
// those of the least P, in any order, out of so many.
type Family struct {
	P     []float64
	Tests int
}

// Families returns what the p values of several families become: first families are
// chosen, by the least of their corrected values and how many families there are, then values
// within those chosen, each corrected for its own family and for the share of
// families chosen at the level (Benjamini and Bogomolov, 2014). So a field of three
// values is not drowned by one of a hundred thousand.
func Families(families []Family, level float64) [][]float64 {
	within := make([][]float64, len(families))
	var least []float64
	var tested []int
	for i, f := range families {
		within[i] = Adjust(f.P, f.Tests)
		if f.Tests > 0 {
			tested = append(tested, i)
			least = append(least, slices.Min(append(slices.Clone(within[i]), 1))) // Simes (1986)
		}
	}
	of := Adjust(least, len(least))
	chosen := 0
	for _, q := range of {
		if q <= level {
			chosen++
		}
	}
	for k, i := range tested {
		for j := range within[i] {
			q := within[i][j] * float64(len(tested)) / float64(max(chosen, 1))
			within[i][j] = min(1, max(q, of[k]))
		}
	}
	return within
}

// ratio is the share of x in n over blocks of time, with a standard error that
// knows that events come in bursts: it is estimated from how much the blocks
// differ (the linearised ratio estimator; Cochran, Sampling Techniques, 1977, §6).
func ratio(x, n []float64) (share, se float64, blocks int) {
	sx, sn := 0.0, 0.0
	for i := range n {
		sx, sn = sx+x[i], sn+n[i]
		if n[i] > 0 {
			blocks++
		}
	}
	if sn == 0 {
		return 0, 0, 0
	}
	share = sx / sn
	if blocks < 2 {
		return share, math.Inf(1), blocks
	}
	residual := 0.0
	for i := range n {
		r := x[i] - share*n[i]
		residual += r * r
	}
	m := float64(blocks)
	return share, math.Sqrt(residual*m/(m-1)) / sn, blocks
}

// welch tests whether two estimates differ.
func welch(a, seA float64, nA int, b, seB float64, nB int) (t, df float64) {
	va, vb := seA*seA, seB*seB
	if va+vb == 0 {
		if a == b {
			return 0, float64(nA + nB - 2)
		}
		// No block differs from another within either period: as sure as so many
		// blocks can make it.
		return math.Inf(1), float64(nA + nB - 2)
	}
	if math.IsInf(va+vb, 0) {
		return 0, 1
	}
	df = (va + vb) * (va + vb) / (va*va/float64(max(nA-1, 1)) + vb*vb/float64(max(nB-1, 1)))
	return (b - a) / math.Sqrt(va+vb), max(df, 1)
}

func mean(x []float64) (m, se float64) {
	m, sd := stat.MeanStdDev(x, nil)
	return m, sd / math.Sqrt(float64(len(x)))
}
