package learn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMeasureCountsPairsAndTies(t *testing.T) {
	q := Measure([]float64{9, 5, 5, 1}, []bool{true, true, false, false})
	if q.AUC != (2+1+0.5)/4 {
		t.Errorf("AUC %v", q.AUC)
	}
	if q.Precision != 0.75 { // of the two highest: one, and half of a tie of one in two
		t.Errorf("precision %v", q.Precision)
	}
	if q.BestF1 != 0.8 || q.Recall != 1 {
		t.Errorf("%+v", q)
	}
	if q := Measure([]float64{1, 2}, []bool{false, false}); !math.IsNaN(q.AUC) || q.Precision != 0 {
		t.Errorf("%+v without positives", q)
	}
	if q := Measure(nil, nil); !math.IsNaN(q.AUC) {
		t.Errorf("%+v of nothing", q)
	}
}

func TestASequenceSurprisesWhereItLeavesTheUsualWay(t *testing.T) {
	s := NewSequence(2)
	for range 50 {
		h := []int32{0}
		for _, n := range []int32{1, 2, 3, 4} {
			s.Learn(h, n)
			h = append(h, n)
		}
	}
	usual, odd, unknown := s.Surprise([]int32{0, 1}, 2), s.Surprise([]int32{0, 1}, 4), s.Surprise([]int32{0, 1}, 99)
	if usual > 0.2 || odd < 5 || unknown < odd {
		t.Errorf("%.2f, %.2f and %.2f bits", usual, odd, unknown)
	}
	if x, ok := s.Expect([]int32{0, 1}, 20); !ok || x != (Expectation{Next: 2, Times: 50, Of: 50, Run: 2}) {
		t.Errorf("%+v %v", x, ok)
	}
	if _, ok := s.Expect([]int32{7, 8}, 1); ok {
		t.Error("something is expected after what was never seen")
	}
	sum := 0.0
	for n := range int32(5) {
		sum += math.Exp2(-s.Surprise([]int32{1, 2}, n))
	}
	if sum > 1 {
		t.Errorf("the chances of some symbols sum to %v", sum)
	}
}

func TestASequenceModelIsBounded(t *testing.T) {
	s := NewSequence(3)
	var h []int32
	for i := range int32(400_000) {
		s.Learn(h, i)
		h = append(h[max(0, len(h)-3):], i)
	}
	if len(s.runs) > maxRuns || len(s.follow) > maxEdges {
		t.Errorf("%d runs, %d edges", len(s.runs), len(s.follow))
	}
	if b := s.Surprise(h, 1); math.IsNaN(b) || math.IsInf(b, 0) || b < 0 {
		t.Errorf("%v bits", b)
	}
}

func TestOrderCountsWhereItExplainsALogAndRarityWhereItDoesNot(t *testing.T) {
	weigh := func(next func(i int) int32) (Blend, *Sequence) {
		var b Blend
		s, times := NewSequence(2), map[int32]int{}
		var h []int32
		for i := range 4000 {
			x := next(i)
			b.Learn(s.Step(h, x), Rarity(times[x], i))
			times[x]++
			h = append(h, x)
		}
		return b, s
	}
	r := rand.New(rand.NewPCG(3, 4))
	ordered, model := weigh(func(i int) int32 { return int32(i % 8) })
	random, _ := weigh(func(int) int32 { return r.Int32N(8) })
	if ordered.Weight() < 0.99 || random.Weight() > 0.01 {
		t.Errorf("the order weighs %.3f where it is all, %.3f where it is none", ordered.Weight(), random.Weight())
	}
	// A usual kind out of its order is a surprise to the one, none to the other.
	if b := model.Surprise([]int32{1, 2}, 7); ordered.Bits(b, 3) < 9 || random.Bits(b, 3) > 3.1 {
		t.Errorf("%.1f bits: %.1f and %.1f", b, ordered.Bits(b, 3), random.Bits(b, 3))
	}
	var none Blend
	if none.Weight() != 0 || none.Bits(5, 2) != 2 {
		t.Errorf("%v of nothing", none.Weight())
	}
	if Rarity(0, 0) != 0 || Rarity(0, 1023) != 10 || Rarity(9, 3) != 0 {
		t.Error(Rarity(0, 0), Rarity(0, 1023), Rarity(9, 3))
	}
}

func cloud(n int) (rows [][]float64) {
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		rows = append(rows, []float64{r.NormFloat64(), r.NormFloat64(), 3})
	}
	return rows
}

func TestAForestFindsTheRowThatStandsAloneAndSaysWhy(t *testing.T) {
	rows := append(cloud(500), []float64{0.1, 9, 3})
	f := NewForest(rows, 7)
	odd := f.Score(rows[500])
	for i, r := range rows[:500] {
		if f.Score(r) >= odd {
			t.Fatalf("row %d of the cloud is as strange: %.3f, %.3f", i, f.Score(r), odd)
		}
	}
	why := f.Explain(rows[500], []float64{0, 0, 3})
	if why[1] < 0.1 || math.Abs(why[0]) > why[1]/2 || why[2] != 0 {
		t.Errorf("%v", why)
	}
	if again := NewForest(rows, 7).Score(rows[500]); again != odd {
		t.Errorf("%v, then %v", odd, again)
	}
}

func TestAForestOfFewOrEqualRowsFindsNothing(t *testing.T) {
	for _, rows := range [][][]float64{nil, {{1, 2}}, {{1, 2}, {1, 2}, {1, 2}}} {
		f := NewForest(rows, 1)
		if s := f.Score([]float64{1, 2}); math.IsNaN(s) || s > 0.6 {
			t.Errorf("%d rows: %v", len(rows), s)
		}
	}
}

func TestAJudgeLearnsWhatTheVerdictsHaveInCommon(t *testing.T) {
	var told []Example
	for range 10 {
		told = append(told, Example{Features: []string{"rule=scan", "source=printer"}}, Example{Features: []string{"rule=scan", "source=guest"}, True: true})
	}
	j := Learn(told)
	low, why := j.Judge([]string{"rule=scan", "source=printer"}, 0)
	high, _ := j.Judge([]string{"rule=scan", "source=guest"}, 0)
	if low > 0.3 || high < 0.7 {
		t.Errorf("%.2f and %.2f", low, high)
	}
	if why[0].Feature != "source=printer" || why[0].Weight >= 0 {
		t.Errorf("%v", why)
	}
	unknown, why := j.Judge([]string{"never=seen"}, 0)
	if math.Abs(unknown-0.5) > 0.05 || len(why) != 0 {
		t.Errorf("%v %v", unknown, why)
	}
	slices.Reverse(told)
	if again, _ := Learn(told).Judge([]string{"rule=scan", "source=guest"}, 0); math.Abs(again-high) > 1e-4 {
		t.Errorf("the order of the verdicts matters: %v, %v", high, again)
	}
}

func TestAJudgeWithoutVerdictsKeepsToThePrior(t *testing.T) {
	if p, why := Learn(nil).Judge([]string{"a"}, 2); math.Abs(p-0.8808) > 1e-3 || len(why) != 0 {
		t.Errorf("%v %v", p, why)
	}
}

func TestVerdictsOfOneKindMoveWhatIsLikeThem(t *testing.T) {
	for _, real := range []bool{false, true} {
		var told []Example
		for range 5 {
			told = append(told, Example{Features: []string{"rule=scan", "source=printer"}, True: real})
		}
		j := Learn(told)
		like, why := j.Judge([]string{"rule=scan", "source=printer"}, 0)
		other, _ := j.Judge([]string{"rule=login", "source=guest"}, 0)
		if len(why) != 2 || real && !(like > other && other >= 0.5) || !real && !(like < other && other <= 0.5) {
			t.Errorf("all %v: %.2f for what is like them, %.2f for another; %v", real, like, other, why)
		}
	}
}

func TestReliabilityTellsChancesThatComeTrueFromThoseThatDoNot(t *testing.T) {
	var chance, bold []float64
	var truth []bool
	for i := range 1000 {
		p := float64(i%10)/10 + 0.05
		chance, bold, truth = append(chance, p), append(bold, math.Round(p)), append(truth, i/10 < i%10*10+5)
	}
	r, b := Rely(chance, truth), Rely(bold, truth)
	if r.Error > 0.01 || r.Bins[0].N != 200 || math.Abs(r.Bins[4].True-0.9) > 0.01 || r.Brier >= r.Base || b.Error < 0.2 || b.Brier <= r.Brier {
		t.Errorf("%+v\n%+v", r, b)
	}
	if r := Rely(nil, nil); r.Brier != 0 || r.Error != 0 {
		t.Errorf("%+v of nothing", r)
	}
}

func BenchmarkSequence(b *testing.B) {
	s := NewSequence(2)
	r := rand.New(rand.NewPCG(1, 1))
	h := make([]int32, 1<<16)
	for i := range h {
		h[i] = int32(i % 7) // as programs do
		if r.IntN(20) == 0 {
			h[i] = int32(r.IntN(50))
		}
	}
	for i := 2; b.Loop(); i++ {
		k := i%(len(h)-3) + 2
		s.Step(h[k-2:k], h[k])
	}
}
