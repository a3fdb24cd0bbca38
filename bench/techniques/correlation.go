package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/sextant-logs/sextant/internal/statistics"
)

// Of series.
const (
	seriesSpan   = 24 * time.Hour
	seriesHours  = 24
	seriesThin   = 0.4 // of what a leader does, followed
	seriesLonely = 8   // series that follow and lead none
)

var (
	seriesLags  = []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}
	seriesKinds = []string{"even", "bursty", "sparse"}
)

// timesOf makes the times of a series, in seconds of a day. Night and day are those of all series.
func timesOf(r *rand.Rand, bursty bool, perHour float64) []float64 {
	var out []float64
	day := seriesSpan.Seconds()
	season := func(t float64) float64 { return 0.55 + 0.45*math.Sin(2*math.Pi*(t/day-0.3)) }
	for t := 0.0; ; {
		if t += r.ExpFloat64() * 3600 / perHour; t >= day {
			break
		}
		if r.Float64() < season(t) {
			out = append(out, t)
		}
	}
	if bursty {
		for range 30 + r.IntN(60) {
			at := r.Float64() * day
			if r.Float64() > season(at) {
				continue
			}
			for range int(math.Exp(2 + 1.2*r.NormFloat64())) {
				if t := at + r.ExpFloat64()*20; t < day {
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// follow adds to a series what follows a leader by a lag.
func follow(r *rand.Rand, own, leader []float64, lag time.Duration) []float64 {
	for _, t := range leader {
		if f := t + lag.Seconds() + r.Float64()*0.5; r.Float64() < seriesThin && f < seriesSpan.Seconds() {
			own = append(own, f)
		}
	}
	return own
}

func counted(times []float64, step time.Duration) []float64 {
	out := make([]float64, int(seriesSpan/step)+1)
	for _, t := range times {
		out[int(t/step.Seconds())]++
	}
	return out
}

// correlation plants followers among unrelated series with the same night and day.
func (m *measurement) correlation() error {
	step := statistics.StepFor(seriesSpan, 16_384)
	const lags = 60
	type tally struct{ planted, found, right, pearson int }
	tallies := map[string]*tally{}
	var order []string
	unrelated, wrong, wrongPearson := 0, 0, 0
	worlds := 8 * len(m.seeds)
	for world := range worlds {
		r := rand.New(rand.NewPCG(m.seeds[world%len(m.seeds)], uint64(1000+world)))
		var names []string
		var counts [][]float64
		add := func(name string, times []float64) {
			names, counts = append(names, name), append(counts, counted(times, step))
		}
		for _, kind := range seriesKinds {
			for _, lag := range seriesLags {
				rate := 200.0
				if kind == "sparse" {
					rate = 20
				}
				leader := timesOf(r, kind == "bursty", rate)
				name := fmt.Sprintf("%s, %s", kind, statistics.ShortLength(lag))
				add(name+" leader", leader)
				add(name+" follower", follow(r, timesOf(r, false, rate*0.6), leader, lag))
				if tallies[name] == nil {
					tallies[name] = &tally{}
					order = append(order, name)
				}
				tallies[name].planted++
			}
		}
		for i := range seriesLonely {
			add(fmt.Sprintf("lonely %d", i), timesOf(r, i%2 == 0, 100+300*r.Float64()))
		}
		pair := func(a, b string) string {
			name, ok := strings.CutSuffix(a, " leader")
			if other, follows := strings.CutSuffix(b, " follower"); ok && follows && name == other {
				return name
			}
			return ""
		}
		unrelated += len(names)*(len(names)-1)/2 - len(seriesKinds)*len(seriesLags)
		for _, a := range statistics.Associate(names, counts, step, lags).Associations {
			name := cmp.Or(pair(a.Leader, a.Follower), pair(a.Follower, a.Leader))
			if name == "" {
				wrong++
				if m.verbose {
					fmt.Println("unrelated:", a.Sentence())
				}
				continue
			}
			t := tallies[name]
			t.found++
			lag := lagOf(name)
			if d := a.Lag - lag; d.Abs() <= max(a.Step, step) && (a.Lag == 0 || strings.HasSuffix(a.Leader, " leader")) {
				t.right++
			}
		}
		for _, k := range pearsonPairs(counts, lags) {
			if name := cmp.Or(pair(names[k[0]], names[k[1]]), pair(names[k[1]], names[k[0]])); name != "" {
				tallies[name].pearson++
			} else {
				wrongPearson++
			}
		}
	}
	fmt.Printf("What rises together: %d days of %d series with the same night and day, seeds %v; a follower has %.0f%% of what its leader did, and as much of its own\n",
		worlds, len(seriesKinds)*len(seriesLags)*2+seriesLonely, m.seeds, 100*seriesThin)
	fmt.Printf("  %-20s %8s %10s %12s %10s\n", "leader, lag", "planted", "found", "lag right", "Pearson")
	found, planted, right := 0, 0, 0
	for _, name := range order {
		t := tallies[name]
		fmt.Printf("  %-20s %8d %10s %12s %10s\n", name, t.planted, share(t.found, t.planted), share(t.right, t.found), share(t.pearson, t.planted))
		found, planted, right = found+t.found, planted+t.planted, right+t.right
	}
	perThousand := func(n int) float64 { return 1000 * float64(n) / float64(unrelated) }
	fmt.Printf("  false, of 1,000 unrelated pairs (%d tested): %.2f; Pearson with the same correction: %.0f\n", unrelated, perThousand(wrong), perThousand(wrongPearson))
	m.floor("associations found", float64(found)/float64(planted), 0.95)
	m.floor("associations that are none, less", -perThousand(wrong), -2)
	return nil
}

func lagOf(name string) time.Duration {
	_, lag, _ := strings.Cut(name, ", ")
	d, _ := time.ParseDuration(lag)
	return d
}

// pearsonPairs is the plain means: the best correlation of the counts at any lag, its probability by Student's t times
// the lags, corrected for all pairs (Benjamini–Hochberg) at the same .01.
func pearsonPairs(counts [][]float64, lags int) [][2]int {
	var pairs [][2]int
	var p []float64
	for i := range counts {
		for j := i + 1; j < len(counts); j++ {
			best := 0.0
			n := len(counts[i])
			for lag := -lags; lag <= lags; lag++ {
				a, b := counts[i][max(0, -lag):n-max(0, lag)], counts[j][max(0, lag):n-max(0, -lag)]
				best = max(best, stat.Correlation(a, b, nil))
			}
			t := best * math.Sqrt(float64(n-2)/(1-best*best))
			pairs = append(pairs, [2]int{i, j})
			p = append(p, min(1, distuv.UnitNormal.Survival(t)*float64(2*lags+1)))
		}
	}
	var out [][2]int
	for i, q := range statistics.Adjust(slices.Clone(p), len(p)) {
		if q <= 0.01 {
			out = append(out, pairs[i])
		}
	}
	return out
}
