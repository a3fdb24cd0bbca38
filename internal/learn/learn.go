// Package learn holds the models that Sextant learns from a case: an isolation
// forest over rows of numbers, a model of sequences, and a judge that learns
// from verdicts. They know nothing of events. Each tells what its answer rests on, is
// bounded in memory, and gives the same answer in every run.
package learn

import (
	"cmp"
	"math"
	"slices"
)

// Quality is how well scores tell positives from negatives.
type Quality struct {
	AUC       float64 // chance that a positive scores above a negative (area under the ROC curve); ties count half
	Precision float64 // of the K highest scores, K being the number of positives: the share that is positive;
	Recall    float64 // and of the positives, the share at or above the threshold of best F1
	BestF1    float64 // the highest F1 over all thresholds
	BestP     float64 // precision at that threshold
}

// Measure compares scores with the truth. Without positives or negatives,
// the AUC is NaN.
func Measure(score []float64, positive []bool) (q Quality) {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	all := 0
	for _, p := range positive {
		if p {
			all++
		}
	}
	negatives := len(score) - all
	var above, area float64 // positives so far; pairs in order
	seen := 0.0
	for i := 0; i < len(order); {
		j, tied, tiedNegative := i, 0.0, 0.0
		for j < len(order) && score[order[j]] == score[order[i]] {
			if positive[order[j]] {
				tied++
			} else {
				tiedNegative++
			}
			j++
		}
		area += tiedNegative * (above + tied/2)
		if i < all { // the share of the tied that falls within the K highest
			q.Precision += tied * min(1, float64(all-i)/float64(j-i))
		}
		above += tied
		seen += tied + tiedNegative
		if f1 := 2 * above / (seen + float64(all)); f1 > q.BestF1 {
			q.BestF1, q.BestP, q.Recall = f1, above/seen, above/float64(all)
		}
		i = j
	}
	q.AUC = math.NaN()
	if all > 0 && negatives > 0 {
		q.AUC = area / (float64(all) * float64(negatives))
	}
	if all > 0 {
		q.Precision /= float64(all)
	}
	return q
}

// Reliability is how far chances that were foretold are what came (reliability diagram;
// Murphy, Winkler, Reliability of Subjective Probability Forecasts, JRSS C 26(1), 1977).
type Reliability struct {
	Bins  [5]Bin  // chances from 0, 0.2, 0.4, 0.6 and 0.8 on
	Brier float64 // mean square of chance less truth: 0 is best; Base is what the share that is true would have as everybody's chance
	Base  float64
	Error float64 // mean of how far the bins' chances are from their truth, by what is in them
}

// Bin is what was foretold about alike.
type Bin struct {
	N        int
	Foretold float64 // mean chance
	True     float64 // share that was true
}

// Rely compares chances, from 0 to 1, with the truth.
func Rely(chance []float64, truth []bool) (r Reliability) {
	all := 0.0
	for i, p := range chance {
		b, is := &r.Bins[max(0, min(int(p*5), 4))], 0.0
		if truth[i] {
			is = 1
		}
		b.N++
		b.Foretold += p
		b.True += is
		all += is
		r.Brier += (p - is) * (p - is)
	}
	n := float64(len(chance))
	if n == 0 {
		return r
	}
	r.Brier /= n
	r.Base = all / n * (1 - all/n)
	for i := range r.Bins {
		if b := &r.Bins[i]; b.N > 0 {
			r.Error += math.Abs(b.Foretold-b.True) / n
			b.Foretold, b.True = b.Foretold/float64(b.N), b.True/float64(b.N)
		}
	}
	return r
}
