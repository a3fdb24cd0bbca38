package analyze

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// surpriseOf is how surprising it is to count so many or more where the mean
// and the variance are these, in bits: -log2 of the upper tail of the Poisson
// distribution, or of the negative binomial one where the counts vary more than
// Poisson's do. It stays right for the small counts that a normal distribution
// is no model of.
func surpriseOf(count, mean, variance float64) float64 {
	if count <= mean || count <= 0 {
		return 0
	}
	mean = max(mean, 1e-6)
	var tail, logMass float64
	if variance <= mean*1.01 {
		tail = mathext.GammaIncReg(count, mean)
		g, _ := math.Lgamma(count + 1)
		logMass = count*math.Log(mean) - mean - g
	} else {
		r := mean * mean / (variance - mean)
		q := mean / (r + mean)
		tail = mathext.RegIncBeta(count, r, q)
		a, _ := math.Lgamma(count + r)
		b, _ := math.Lgamma(r)
		c, _ := math.Lgamma(count + 1)
		logMass = a - b - c + r*math.Log1p(-q) + count*math.Log(q)
	}
	if tail > 1e-280 && !math.IsNaN(tail) {
		return math.Min(-math.Log2(tail), maxSurprise)
	}
	return math.Max(0, math.Min(-logMass/math.Ln2, maxSurprise)) // the tail is hardly more than its first term
}

// maxSurprise bounds what no model is good enough to say.
const maxSurprise = 1000

// shortfallOf is the surprise of counting so many or fewer.
func shortfallOf(count, mean, variance float64) float64 {
	if count >= mean {
		return 0
	}
	var tail float64
	if variance <= mean*1.01 {
		tail = mathext.GammaIncRegComp(count+1, mean)
	} else {
		r := mean * mean / (variance - mean)
		tail = mathext.RegIncBeta(r, count+1, r/(r+mean))
	}
	if !(tail > 1e-280) {
		return maxSurprise
	}
	return math.Min(-math.Log2(tail), maxSurprise)
}

// weighted is a value and how much it counts.
type weighted struct{ value, weight float64 }

// quantile is the weighted quantile p of values sorted by value: the least
// value at which the share p of the weight is reached.
func quantile(sorted []weighted, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	var total, sum float64
	for _, v := range sorted {
		total += v.weight
	}
	for _, v := range sorted {
		if sum += v.weight; sum >= p*total {
			return v.value
		}
	}
	return sorted[len(sorted)-1].value
}

func sortWeighted(vs []weighted) {
	slices.SortFunc(vs, func(a, b weighted) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		case a.weight < b.weight: // so that sums do not depend on the order they came in
			return -1
		case a.weight > b.weight:
			return 1
		}
		return 0
	})
}

// percentile is the quantile p of sorted values, interpolated.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// deviation is the median absolute deviation of values about a median.
func deviation(values []float64, median float64) float64 {
	d := make([]float64, len(values))
	for i, v := range values {
		d[i] = math.Abs(v - median)
	}
	slices.Sort(d)
	return percentile(d, 0.5)
}
