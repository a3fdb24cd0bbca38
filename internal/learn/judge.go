package learn

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/optimize"
)

// Judge tells how likely a thing is true, having been told of others: logistic
// regression on named features, held near a prior, so that few examples change
// little and a feature that was never judged changes nothing. How near is learnt
// for each family of features ("host=…", "rule=…"): one whose features tell
// nothing is held to nothing (empirical Bayes; MacKay, Bayesian Interpolation,
// Neural Computation 4(3), 1992).
type Judge struct {
	names   []string
	weights []float64
	bias    float64
}

// Example is a thing that was judged. Features are present or not; what is
// before a = names the family.
type Example struct {
	Features []string
	Prior    float64 // log-odds before anything was learnt
	True     bool
}

const (
	spread      = 0.3    // variance of weights, in nats², before anything is known of their family
	spreadWorth = 4      // as much as so many features tell of it
	biasSpread  = 4.0    // variance of the bias
	rounds      = 5      // of learning the variances
	maxExamples = 50_000 // the newest count
	maxFeatures = 20_000 // the most frequent count
)

// Learn fits a Judge to examples. Those of one kind alone teach, too: what is like them moves.
func Learn(examples []Example) *Judge {
	if len(examples) > maxExamples {
		examples = examples[len(examples)-maxExamples:]
	}
	j := &Judge{}
	counts := map[string]int{}
	for _, e := range examples {
		for _, f := range e.Features {
			counts[f]++
		}
	}
	if len(examples) == 0 {
		return j
	}
	for f := range counts {
		j.names = append(j.names, f)
	}
	slices.SortFunc(j.names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	j.names = j.names[:min(len(j.names), maxFeatures)]
	slices.Sort(j.names)
	family := make([]int, len(j.names))
	families := map[string]int{}
	for k, name := range j.names {
		name, _, _ = strings.Cut(name, "=")
		f, ok := families[name]
		if !ok {
			f = len(families)
			families[name] = f
		}
		family[k] = f
	}
	rows := make([][]int, len(examples))
	for i, e := range examples {
		rows[i] = j.find(e.Features)
	}
	variance := make([]float64, len(families))
	for f := range variance {
		variance[f] = spread
	}
	n := len(j.names)
	w := make([]float64, n+1) // the bias is the last weight
	odds := func(w []float64, i int) float64 {
		z := examples[i].Prior + w[n]
		for _, k := range rows[i] {
			z += w[k]
		}
		return z
	}
	loss := func(w []float64) float64 {
		sum := w[n] * w[n] / biasSpread / 2
		for k, x := range w[:n] {
			sum += x * x / variance[family[k]] / 2
		}
		for i, e := range examples {
			z := odds(w, i)
			if e.True {
				z = -z
			}
			sum += softplus(z)
		}
		return sum
	}
	gradient := func(g, w []float64) {
		for k, x := range w[:n] {
			g[k] = x / variance[family[k]]
		}
		g[n] = w[n] / biasSpread
		for i, e := range examples {
			d := 1 / (1 + math.Exp(-odds(w, i)))
			if e.True {
				d--
			}
			for _, k := range rows[i] {
				g[k] += d
			}
			g[n] += d
		}
	}
	for range rounds {
		result, err := optimize.Minimize(optimize.Problem{Func: loss, Grad: gradient}, w,
			&optimize.Settings{MajorIterations: 100, Concurrent: 0}, &optimize.LBFGS{})
		if result == nil || err != nil && len(result.X) != n+1 {
			return &Judge{}
		}
		w = result.X
		// What is known of a weight beside its variance is how far the verdicts bend the loss there.
		known := make([]float64, n)
		for i := range examples {
			p := 1 / (1 + math.Exp(-odds(w, i)))
			for _, k := range rows[i] {
				known[k] += p * (1 - p)
			}
		}
		sum, members := make([]float64, len(families)), make([]float64, len(families))
		for k, x := range w[:n] {
			f := family[k]
			sum[f] += x*x + 1/(1/variance[f]+known[k])
			members[f]++
		}
		for f := range variance {
			variance[f] = (spreadWorth*spread + sum[f]) / (spreadWorth + members[f])
		}
	}
	j.weights, j.bias = w[:n], w[n]
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

// Bias is what all that was learnt from says of anything, in nats of log-odds: how much more of it was true than was to be expected.
func (j *Judge) Bias() float64 { return j.bias }

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
