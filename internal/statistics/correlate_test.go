package statistics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// rates makes a day of steps of 10 seconds of a series with night and day and
// bursts of its own.
func rates(r *rand.Rand) []float64 {
	x := make([]float64, 8640)
	level := math.Exp(r.NormFloat64())
	for i := range x {
		day := 1 + math.Sin(2*math.Pi*float64(i)/8640)
		x[i] = poisson(r, 0.2*level*day)
	}
	for range 20 + r.IntN(60) {
		at, size := r.IntN(len(x)), math.Exp(1.5+r.NormFloat64())
		for i := at; i < min(at+1+r.IntN(6), len(x)); i++ {
			x[i] += poisson(r, size)
		}
	}
	return x
}

func poisson(r *rand.Rand, mean float64) float64 {
	n, p := 0.0, math.Exp(-min(mean, 500))
	for q := r.Float64(); q > p && n < 2000; n++ {
		q *= r.Float64()
	}
	return n
}

func correlated(series [][]float64) *Correlation {
	c := &Correlation{Step: 10 * time.Second}
	var names []string
	for i := range series {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	c.correlate(names, series, 60)
	return c
}

func TestUnrelatedSeriesWithTheSameDayAreNotAssociated(t *testing.T) {
	wrong, pairs := 0, 0
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 11))
		var series [][]float64
		for range 14 {
			series = append(series, rates(r))
		}
		c := correlated(series)
		pairs += c.Pairs
		wrong += len(c.Associations)
		for _, a := range c.Associations {
			t.Log(a.Sentence())
		}
	}
	t.Logf("%d of %d pairs of unrelated series", wrong, pairs)
	if wrong > pairs/200 {
		t.Errorf("%d of %d pairs were called associated", wrong, pairs)
	}
}

func TestWhatFollowsIsFoundWithItsLag(t *testing.T) {
	found, right := 0, 0
	const trials = 12
	for seed := range uint64(trials) {
		r := rand.New(rand.NewPCG(seed, 12))
		leader, follower := rates(r), rates(r)
		lag := 1 + r.IntN(40)
		for i := range leader { // a third of what the leader does has a follower
			if i+lag < len(follower) && leader[i] > 4 {
				follower[i+lag] += poisson(r, leader[i]/3)
			}
		}
		c := correlated([][]float64{follower, leader, rates(r), rates(r)})
		for _, a := range c.Associations {
			if a.Leader == "s1" && a.Follower == "s0" {
				found++
				if a.Lag == time.Duration(lag)*10*time.Second {
					right++
				}
			}
		}
	}
	t.Logf("%d of %d found, %d with the right lag", found, trials, right)
	if found < trials*3/4 || right < found*9/10 {
		t.Errorf("%d of %d found, %d with the right lag", found, trials, right)
	}
}

func TestOneCoincidenceIsNoAssociation(t *testing.T) {
	a, b := make([]float64, 5000), make([]float64, 5000)
	for i := range 30 { // one burst in each, twenty steps apart
		a[2000+i], b[2020+i] = 50, 50
	}
	for i := range 40 { // and some noise
		a[i*120]++
		b[i*97+50]++
	}
	if c := correlated([][]float64{a, b}); len(c.Associations) != 0 {
		t.Error(c.Associations[0].Sentence())
	}
}

func TestTooLittleToCorrelateIsNoError(t *testing.T) {
	st := filled(t, []fact{{start, []string{"event.dataset", "a"}}, {start, []string{"event.dataset", "b"}}})
	if c, err := Correlate(t.Context(), st, "*", CorrelateOptions{}); err != nil || len(c.Associations) != 0 {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := Correlate(t.Context(), st, "none:=here", CorrelateOptions{}); err != nil || c.Pairs != 0 {
		t.Errorf("%+v %v", c, err)
	}
	far := filled(t, []fact{{start, []string{"event.dataset", "a"}}, {start.AddDate(-50, 0, 0), []string{"event.dataset", "b"}}})
	if c, err := Correlate(t.Context(), far, "*", CorrelateOptions{}); err != nil || len(c.Associations) != 0 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestFiguresOfTheStoreAreCorrelated(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var facts []fact
	for range 60 {
		at := start.Add(time.Duration(r.IntN(14*3600)) * time.Second)
		for i := range 20 {
			facts = append(facts, fact{at.Add(time.Duration(i) * time.Second), []string{"event.dataset", "iptables.log", "event.action", "drop"}},
				fact{at.Add(time.Duration(30+i) * time.Second), []string{"event.dataset", "nginx.access", "event.action", "error"}})
		}
	}
	c, err := Correlate(t.Context(), filled(t, facts), "*", CorrelateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Associations) != 1 || c.Associations[0].Leader != "iptables.log drop" || c.Associations[0].Lag != 30*time.Second {
		t.Fatalf("%+v", c.Associations)
	}
	t.Log(c.Associations[0].Sentence())
}

func TestSeriesOfWhichEachTwoRiseTogetherAreSaidAtOnce(t *testing.T) {
	pair := func(a, b string, lag time.Duration) Association {
		return Association{Leader: a, Follower: b, Lag: lag, R: 0.9, Q: 0.002, Episodes: 7, Of: 8, Step: time.Second, Steps: 7200}
	}
	c := Correlation{Associations: []Association{pair("a", "b", 0), pair("x", "a", time.Minute), pair("a", "c", 0), pair("c", "b", 0), pair("c", "d", 0)}}
	want := []string{
		"a, b and c rise together, within 1s (each two of them: r from .90 over 2 h, q = .0020).",
		"x leads a by 1m (r = .90 over 2 h, in 7 of its 8 rises, q = .0020).",
		"c and d rise together, within 1s (r = .90 over 2 h, in 7 of its 8 rises, q = .0020).",
	}
	if got := c.Sentences(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
