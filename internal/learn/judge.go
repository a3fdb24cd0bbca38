package learn

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// Judge tells how likely a thing is true, having been told of others: logistic
// regression on named features, held near a prior by an L2 penalty, so that few
// examples change little and a feature that was never judged changes nothing.
type Judge struct {
	names   []string
	weights []float64
	bias    float64
}

// Example is a thing that was judged. Features are present or not.
type Example struct {
	Features []string
	Prior    float64 // log-odds before anything was learnt
	True     bool
}

const (
	penalty     = 1.0    // a weight of 1 costs as much as half a nat of likelihood
	maxExamples = 50_000 // the newest count
	maxFeatures = 20_000 // the most frequent count
)

// Learn fits a Judge to examples. It needs some of both kinds; with fewer than
// one of each it keeps to the prior.
func Learn(examples []Example) *Judge {
	if len(examples) > maxExamples {
		examples = examples[len(examples)-maxExamples:]
	}
	j := &Judge{}
	counts := map[string]int{}
	trues := 0
	for _, e := range examples {
		if e.True {
			trues++
		}
		for _, f := range e.Features {
			counts[f]++
		}
	}
	if trues == 0 || trues == len(examples) {
		return j
	}
	for f := range counts {
		j.names = append(j.names, f)
	}
	slices.SortFunc(j.names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	j.names = j.names[:min(len(j.names), maxFeatures)]
	slices.Sort(j.names)
	rows := make([][]int, len(examples))
	for i, e := range examples {
		rows[i] = j.find(e.Features)
	}

	// The bias is the last weight, and free of the penalty but for a little.
	n := len(j.names)
	loss := func(w []float64) float64 {
		sum := 0.0
		for _, x := range w[:n] {
			sum += penalty * x * x / 2
		}
		sum += 0.01 * w[n] * w[n] / 2
		for i, e := range examples {
			z := e.Prior + w[n]
			for _, k := range rows[i] {
				z += w[k]
			}
			if e.True {
				z = -z
			}
			sum += softplus(z)
		}
		return sum
	}
	gradient := func(g, w []float64) {
		for k, x := range w[:n] {
			g[k] = penalty * x
		}
		g[n] = 0.01 * w[n]
		for i, e := range examples {
			z := e.Prior + w[n]
			for _, k := range rows[i] {
				z += w[k]
			}
			d := 1 / (1 + math.Exp(-z))
			if e.True {
				d--
			}
			for _, k := range rows[i] {
				g[k] += d
			}
			g[n] += d
		}
	}
	result, err := optimize.Minimize(optimize.Problem{Func: loss, Grad: gradient}, make([]float64, n+1),
		&optimize.Settings{MajorIterations: 200, Concurrent: 0}, &optimize.LBFGS{})
	if result == nil || err != nil && len(result.X) != n+1 {
		return &Judge{}
	}
	j.weights, j.bias = result.X[:n], result.X[n]
	return j
}

// softplus is log(1+exp(z)).
func softplus(z float64) float64 {
	if z > 30 {
		return z
	}
	return math.Log1p(math.Exp(z))
}

// find returns the places of features that are known, each once.
func (j *Judge) find(features []string) []int {
	var out []int
	for _, f := range features {
		if i, ok := slices.BinarySearch(j.names, f); ok && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

// Reason is what a feature did to a judgement.
type Reason struct {
	Feature string
	Weight  float64 // in nats of log-odds: positive speaks for true
}

// Judge returns the chance that a thing is true, and why: features by how much they
// weigh, the heaviest first.
func (j *Judge) Judge(features []string, prior float64) (chance float64, reasons []Reason) {
	z := prior + j.bias
	for _, i := range j.find(features) {
		z += j.weights[i]
		reasons = append(reasons, Reason{j.names[i], j.weights[i]})
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)), cmp.Compare(a.Feature, b.Feature))
	})
	return 1 / (1 + math.Exp(-z)), reasons
}
