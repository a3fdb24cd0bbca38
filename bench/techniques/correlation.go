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
	seriesThin   = 0.4 // of what a leader does, followed
	seriesLonely = 8   // series that follow and lead none
)

var (
	seriesLags  = []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}
	seriesKinds = []string{"even", "bursty", "sparse"}
)

// workday is how much there is of everything at a second of a week that begins with Monday: offices open within an hour and close within three.
func workday(t float64) float64 {
	hour, weekday := math.Mod(t/3600, 24), int(t/86400)%7
	level := 0.1 + 0.9*min(max(hour-7.5, 0), 1)*min(max((20-hour)/3, 0), 1)
	if weekday >= 5 {
		return level * 0.3
	}
	return level
}

// timesOf makes the times of a series, in seconds. Night and day, and week, are those of all series.
func timesOf(r *rand.Rand, span time.Duration, bursty bool, perHour float64) []float64 {
	var out []float64
	end := span.Seconds()
	season := func(t float64) float64 { return 0.55 + 0.45*math.Sin(2*math.Pi*(t/86400-0.3)) }
	bursts := 30 + r.IntN(60)
	if span > 24*time.Hour {
		season = workday
		bursts *= int(span/(24*time.Hour)) / 4
	}
	for t := 0.0; ; {
		if t += r.ExpFloat64() * 3600 / perHour; t >= end {
			break
		}
		if r.Float64() < season(t) {
			out = append(out, t)
		}
	}
	if bursty {
		for range bursts {
			at := r.Float64() * end
			if r.Float64() > season(at) {
				continue
			}
			for range int(math.Exp(2 + 1.2*r.NormFloat64())) {
				if t := at + r.ExpFloat64()*20; t < end {
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// follow adds to a series what follows a leader by a lag.
func follow(r *rand.Rand, span time.Duration, own, leader []float64, lag time.Duration) []float64 {
	for _, t := range leader {
		if f := t + lag.Seconds() + r.Float64()*0.5; r.Float64() < seriesThin && f < span.Seconds() {
			own = append(own, f)
		}
	}
	return own
}

func counted(times []float64, span, step time.Duration) []float64 {
	out := make([]float64, int(span/step)+1)
	for _, t := range times {
		out[int(t/step.Seconds())]++
	}
	return out
}

// correlation plants followers among unrelated series with the same night and day: of a day, and of four weeks.
func (m *measurement) correlation() error {
	if err := m.correlationOver(24*time.Hour, 200, 8); err != nil {
		return err
	}
	return m.correlationOver(28*24*time.Hour, 40, 2)
}

// correlationOver makes so many worlds of a seed; leaders do something so often an hour when most is done.
func (m *measurement) correlationOver(span time.Duration, perHour float64, each int) error {
	step := statistics.StepFor(span, 16_384)
	const lags = 60
	type tally struct{ planted, found, right, pearson int }
	tallies := map[string]*tally{}
	var order []string
	unrelated, wrong, wrongPearson := 0, 0, 0
	worlds := each * len(m.seeds)
	for world := range worlds {
		r := rand.New(rand.NewPCG(m.seeds[world%len(m.seeds)], uint64(1000+world)))
		var names []string
		var counts [][]float64
		add := func(name string, times []float64) {
			names, counts = append(names, name), append(counts, counted(times, span, step))
		}
		for _, kind := range seriesKinds {
			for _, lag := range seriesLags {
				rate := perHour
				if kind == "sparse" {
					rate /= 10
				}
				leader := timesOf(r, span, kind == "bursty", rate)
				name := fmt.Sprintf("%s, %s", kind, statistics.ShortLength(lag))
				add(name+" leader", leader)
				add(name+" follower", follow(r, span, timesOf(r, span, false, rate*0.6), leader, lag))
				if tallies[name] == nil {
					tallies[name] = &tally{}
					order = append(order, name)
				}
				tallies[name].planted++
			}
		}
		for i := range seriesLonely {
			add(fmt.Sprintf("lonely %d", i), timesOf(r, span, i%2 == 0, perHour*(0.5+1.5*r.Float64())))
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
	fmt.Printf("What rises together: %d times %s of %d series with the same night and day, in steps of %s, seeds %v; a follower has %.0f%% of what its leader did, and as much of its own\n",
		worlds, statistics.ShortLength(span), len(seriesKinds)*len(seriesLags)*2+seriesLonely, statistics.ShortLength(step), m.seeds, 100*seriesThin)
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
