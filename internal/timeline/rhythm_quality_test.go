package timeline

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var rhythmSeed = flag.Uint64("rhythms", 1, "seed of the arrivals by which rhythms are measured")

// beats are arrivals that repeat: of n periods each with its jitter (a share of
// the period, one standard deviation), some missed, and others in between.
func beats(r *rand.Rand, period time.Duration, n int, jitter, missed, between float64) []int64 {
	var times []int64
	for i := range n {
		if r.Float64() >= missed {
			times = append(times, start.Add(time.Duration((float64(i)+jitter*r.NormFloat64())*float64(period))).UnixNano())
		}
		for x := between; x > 0 && r.Float64() < x; x-- {
			times = append(times, start.Add(time.Duration(r.Float64()*float64(n)*float64(period))).UnixNano())
		}
	}
	slices.Sort(times)
	return times
}

// delayed are n arrivals each of which comes a period after the one before, give or
// take its jitter: what waits between what it does.
func delayed(r *rand.Rand, period time.Duration, n int, jitter, missed, _ float64) []int64 {
	var times []int64
	at := 0.0
	for range n {
		at += max(0.1, 1+jitter*r.NormFloat64())
		if r.Float64() >= missed {
			times = append(times, start.Add(time.Duration(at*float64(period))).UnixNano())
		}
	}
	return times
}

// workdays are n arrivals on working days, some each day at a time of day, in hours, with its spread.
func workdays(r *rand.Rand, n, each int, hour, spread float64) []int64 {
	var times []int64
	for day := 0; len(times) < n; day++ {
		for range each {
			if day%7 < 5 && r.Float64() < 0.9 {
				times = append(times, start.Add(time.Duration((24*float64(day)+hour+spread*r.NormFloat64())*float64(time.Hour))).UnixNano())
			}
		}
	}
	slices.Sort(times)
	return times
}

// irregular are arrivals without a period, as people and machines make them.
var irregular = map[string]func(r *rand.Rand, n int) []int64{
	"Poisson": func(r *rand.Rand, n int) []int64 { return gapped(n, func() float64 { return 60 * r.ExpFloat64() }) },
	"heavy-tailed gaps": func(r *rand.Rand, n int) []int64 {
		return gapped(n, func() float64 { return 20 * math.Exp(1.5*r.NormFloat64()) })
	},
	"bursts": func(r *rand.Rand, n int) []int64 {
		return gapped(n, func() float64 {
			if r.Float64() < 0.8 {
				return 2 * r.ExpFloat64()
			}
			return 1800 * r.ExpFloat64()
		})
	},
	"working hours": func(r *rand.Rand, n int) []int64 {
		at := 0.0
		return gapped(n, func() float64 {
			from := at
			for at += 300 * r.ExpFloat64(); math.Mod(at, 86400) > 9*3600; {
				at = (math.Floor(at/86400) + 1) * 86400
			}
			return at - from
		})
	},
	"who comes at nine":  func(r *rand.Rand, n int) []int64 { return workdays(r, min(n, 200), 1, 9, 0.6) },
	"who comes and goes": func(r *rand.Rand, n int) []int64 { return workdays(r, n, 3, 13, 2.5) },
	"who begins on time": func(r *rand.Rand, n int) []int64 {
		times := append(workdays(r, n/12, 1, 7, 0.1), workdays(r, n-n/12, 11, 12, 2)...)
		slices.Sort(times)
		return times
	},
	"who is there all day": func(r *rand.Rand, n int) []int64 { return workdays(r, n, 12, 13, 2.5) },
	"gaps of gamma shape 4": func(r *rand.Rand, n int) []int64 {
		return gapped(n, func() float64 { return 15 * (r.ExpFloat64() + r.ExpFloat64() + r.ExpFloat64() + r.ExpFloat64()) })
	},
	"uniform gaps": func(r *rand.Rand, n int) []int64 { return gapped(n, func() float64 { return 10 + 100*r.Float64() }) },
}

func gapped(n int, gap func() float64) []int64 {
	at := 0.0
	times := make([]int64, n)
	for i := range times {
		at += gap()
		times[i] = start.UnixNano() + int64(at*1e9)
	}
	return times
}

// autocorrelated is the simple mean: the lag, in steps of a fifth of the median
// gap, at which counts correlate most with themselves, if by 0.3 or more.
func autocorrelated(times []int64) (time.Duration, bool) {
	var gaps []int64
	for i := 1; i < len(times); i++ {
		gaps = append(gaps, times[i]-times[i-1])
	}
	slices.Sort(gaps)
	step := max(gaps[len(gaps)/2]/5, 1)
	n := min(int((times[len(times)-1]-times[0])/step)+1, 5_000)
	counts := make([]float64, n)
	total := 0.0
	for _, t := range times {
		if i := int((t - times[0]) / step); i < n {
			counts[i]++
			total++
		}
	}
	variance := 0.0
	for i := range counts {
		counts[i] -= total / float64(n)
		variance += counts[i] * counts[i]
	}
	best, lag := 0.0, 0
	for l := 2; l < min(n/2, 100); l++ {
		sum := 0.0
		for i := l; i < n; i++ {
			sum += counts[i] * counts[i-l]
		}
		if c := sum / variance; c > best {
			best, lag = c, l
		}
	}
	return time.Duration(int64(lag) * step), best >= 0.3
}

// The figures of docs/techniques/timeline.md: how many rhythms are found with
// their period, within a twentieth, by how they are disturbed, and how often
// arrivals without a period are called regular.
func TestRhythmsAreFoundWithTheirPeriod(t *testing.T) {
	r := rand.New(rand.NewPCG(*rhythmSeed, 11))
	near := func(got, want time.Duration) bool { return math.Abs(float64(got-want)) <= 0.05*float64(want) }
	type score struct{ ours, simple, of int }
	rows := map[string]*score{}
	var order []string
	count := func(name string, ours, simple bool) {
		s := rows[name]
		if s == nil {
			s = &score{}
			rows[name], order = s, append(order, name)
		}
		s.of++
		if ours {
			s.ours++
		}
		if simple {
			s.simple++
		}
	}
	for _, d := range []struct {
		name                    string
		jitter, missed, between float64
		arrive                  func(r *rand.Rand, period time.Duration, n int, jitter, missed, between float64) []int64
	}{{"exact", 0, 0, 0, beats}, {"jitter 1%", 0.01, 0, 0, beats}, {"jitter 3%", 0.03, 0, 0, beats}, {"jitter 5%", 0.05, 0, 0, beats}, {"jitter 10%", 0.10, 0, 0, beats}, {"jitter 20%", 0.2, 0, 0, beats},
		{"a tenth missed", 0.01, 0.1, 0, beats}, {"three tenths missed", 0.01, 0.3, 0, beats}, {"half missed", 0.01, 0.5, 0, beats},
		{"a third as many others between", 0.005, 0, 0.33, beats}, {"as many others between", 0.005, 0, 1, beats}, {"half missed, jitter 10%", 0.1, 0.5, 0, beats},
		{"a tenth missed, jitter 3%, a tenth others", 0.03, 0.1, 0.1, beats},
		{"delays: jitter 5%", 0.05, 0, 0, delayed}, {"delays: jitter 10%", 0.1, 0, 0, delayed}, {"delays: jitter 20%", 0.2, 0, 0, delayed}, {"delays: half missed, jitter 5%", 0.05, 0.5, 0, delayed}} {
		for _, period := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour} {
			for _, n := range []int{30, 100, 300} {
				for range 4 {
					times := d.arrive(r, period, n, d.jitter, d.missed, d.between)
					rh, ok := rhythm(times)
					simple, found := autocorrelated(times)
					count(d.name, ok && near(rh.Period, period), found && near(simple, period))
				}
			}
		}
	}
	total, called := score{}, score{}
	for _, name := range order {
		s := rows[name]
		t.Logf("%-42s found %5.1f%%  autocorrelation %5.1f%%  (of %d)", name, 100*float64(s.ours)/float64(s.of), 100*float64(s.simple)/float64(s.of), s.of)
		total.ours, total.simple, total.of = total.ours+s.ours, total.simple+s.simple, total.of+s.of
	}
	names := []string{}
	for name := range irregular {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := score{}
		for _, n := range []int{30, 100, 300, 1000} {
			for range 40 {
				times := irregular[name](r, n)
				if _, ok := rhythm(times); ok {
					s.ours++
				}
				if _, ok := autocorrelated(times); ok {
					s.simple++
				}
				s.of++
			}
		}
		t.Logf("%-42s called regular %5.1f%%  autocorrelation %5.1f%%  (of %d)", name, 100*float64(s.ours)/float64(s.of), 100*float64(s.simple)/float64(s.of), s.of)
		called.ours, called.simple, called.of = called.ours+s.ours, called.simple+s.simple, called.of+s.of
	}
	say := func(found, wrong, of int) string {
		return fmt.Sprintf("recall %.3f, precision %.3f", float64(found)/float64(of), float64(found)/float64(max(found+wrong, 1)))
	}
	t.Logf("all: %s; autocorrelation %s", say(total.ours, called.ours, total.of), say(total.simple, called.simple, total.of))
	for _, name := range []string{"jitter 10%", "a tenth missed", "half missed", "delays: jitter 5%"} {
		if s := rows[name]; s.ours*10 < s.of*9 {
			t.Errorf("of rhythms with %s %d of %d are found", name, s.ours, s.of)
		}
	}
	if called.ours*200 > called.of {
		t.Errorf("of arrivals without a period %d of %d are called regular", called.ours, called.of)
	}
}
