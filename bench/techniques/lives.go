package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
)

// somebody is a person of an invented company. The rates are assumptions, written down here so
// that they can be doubted; nothing of the simulator is in them.
type somebody struct {
	name   string
	kind   string
	zone   float64 // hours east of Greenwich
	starts float64 // of the working day, local
	hours  float64
	busy   float64 // chance of a record in an hour of work
	days   [7]bool // of the week, Monday first
	over   float64 // chance that a day goes on for two to four hours more
	later  float64 // of a look in the evening, between 20 and 23
	night  float64 // of one between 0 and 5
	extra  float64 // chance of work on a day that is free
	onCall bool    // a week in four, of whose nights a quarter have something
	shifts bool    // early, late and night, a week each
	always bool    // around the clock
	away   [2]int  // days of a journey, or none
	shift  float64 // its zone, beside one's own
	off    [2]int  // days of holidays, or none
}

var weekdays = [7]bool{true, true, true, true, true, false, false}

// peopleKinds are who works there, and how many of a hundred.
var peopleKinds = []struct {
	kind  string
	share float64
	make  func(r *rand.Rand, s *somebody)
}{
	{"office", 50, func(r *rand.Rand, s *somebody) {}},
	{"abroad", 10, func(r *rand.Rand, s *somebody) { s.zone = []float64{-8, -5, 5.5, 9}[r.IntN(4)] }},
	{"part time", 8, func(r *rand.Rand, s *somebody) {
		s.hours = 4 + r.Float64()
		s.days = [7]bool{r.IntN(2) == 0, true, r.IntN(2) == 0, true, false}
	}},
	{"seldom seen", 8, func(r *rand.Rand, s *somebody) { s.busy = 0.15 }},
	{"late and often", 6, func(r *rand.Rand, s *somebody) { s.over, s.later, s.night, s.extra = 0.25, 0.3, 0.06, 0.25 }},
	{"on call", 6, func(r *rand.Rand, s *somebody) { s.onCall = true }},
	{"shifts", 5, func(r *rand.Rand, s *somebody) { s.shifts, s.hours = true, 8 }},
	{"nights", 3, func(r *rand.Rand, s *somebody) { s.starts, s.hours = 22, 8 }},
	{"around the clock", 4, func(r *rand.Rand, s *somebody) { s.always, s.busy = true, 0.3 }},
}

// company makes n people who live for so many days.
func company(r *rand.Rand, n, days int) []*somebody {
	var all []*somebody
	total := 0.0
	for _, k := range peopleKinds {
		total += k.share
	}
	for i := range n {
		s := &somebody{name: fmt.Sprintf("person%d", i), starts: 8.5 + r.NormFloat64()*0.8, hours: 8.5 + r.NormFloat64()*0.7, busy: 0.85, days: weekdays, zone: 1, over: 0.06, later: 0.06, night: 0.003, extra: 0.03}
		at := r.Float64() * total
		for _, k := range peopleKinds {
			if at -= k.share; at < 0 {
				s.kind = k.kind
				k.make(r, s)
				break
			}
		}
		if r.Float64() < 0.06 && days > 12 {
			from := r.IntN(days - 7)
			s.away, s.shift = [2]int{from, from + 3 + r.IntN(4)}, []float64{-9, -6, 5, 8}[r.IntN(4)]
		}
		if r.Float64() < 0.2 && days > 25 {
			from := r.IntN(days - 14)
			s.off = [2]int{from, from + 5 + r.IntN(9)}
		}
		all = append(all, s)
	}
	return all
}

// deed is a record of somebody, at an hour since the beginning.
type deed struct {
	who  *somebody
	hour float64
}

// live makes somebody's records, in UTC; from half of the days on, summer time is an hour ahead.
func (s *somebody) live(r *rand.Rand, days int) (out []deed) {
	for d := range days {
		if s.off[0] <= d && d < s.off[1] {
			continue
		}
		zone := s.zone
		if d >= days/2 {
			zone++
		}
		if s.away[0] <= d && d < s.away[1] {
			zone += s.shift
		}
		at := func(local float64) { out = append(out, deed{s, float64(d)*24 + local - zone}) }
		if s.always {
			for h := range 24 {
				if r.Float64() < s.busy {
					at(float64(h) + r.Float64())
				}
			}
			continue
		}
		if s.onCall && d/7%4 == len(s.name)%4 && r.Float64() < 0.25 {
			at(22 + 8*r.Float64())
		}
		if r.Float64() < s.night {
			at(5 * r.Float64())
		}
		works := s.days[d%7]
		if s.shifts {
			works = d%7 < 5
		}
		if !works && r.Float64() >= s.extra || works && r.Float64() < 0.04 { // ill
			continue
		}
		starts, hours := s.starts+r.NormFloat64()*0.4, s.hours+r.NormFloat64()*0.4
		if s.shifts {
			starts = []float64{6, 14, 22}[d/7%3] + r.NormFloat64()*0.1
		}
		if !works {
			starts, hours = 9+r.Float64()*8, 1+2*r.Float64()
		}
		if r.Float64() < s.over {
			hours += 2 + 2*r.Float64()
		}
		if r.Float64() < s.later {
			at(20 + 3*r.Float64())
		}
		for h := 0.0; h < hours; h++ {
			if r.Float64() < s.busy {
				at(starts + min(h+r.Float64(), hours))
			}
		}
	}
	return out
}

var peopleStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

// theft puts an intruder into somebody's life: at a time of day that is four hours and more from any at which
// this life has more than one day of a hundred's work, for an hour or two, in one night of two and in
// two or three on end of the others. ok is false where nobody could know.
func theft(r *rand.Rand, life []deed, days int) (hours []float64, ok bool) {
	var at [24]float64
	seen := map[int]bool{}
	last := 0.0
	done := map[[2]int]bool{}
	for _, d := range life {
		day, h := int(math.Floor(d.hour/24)), ((int(math.Floor(d.hour))%24)+24)%24
		seen[day] = true
		last = max(last, d.hour)
		if !done[[2]int{day, h}] {
			done[[2]int{day, h}] = true
			at[h]++
		}
	}
	if len(seen) <= 7 {
		return nil, false
	}
	var quiet []int
	for h := range 24 {
		near := 0.0
		for off := -3; off <= 3; off++ {
			near += at[(h+off+24)%24]
		}
		if near <= 0.03*float64(len(seen)) {
			quiet = append(quiet, h)
		}
	}
	if len(quiet) == 0 {
		return nil, false
	}
	h := quiet[r.IntN(len(quiet))]
	first := days/3 + r.IntN(days-days/3-3)
	nights := 1
	if r.IntN(2) == 0 {
		nights = 2 + r.IntN(2)
	}
	for n := range nights {
		for range 1 + r.IntN(2) {
			hours = append(hours, float64((first+n)*24+h)+r.Float64())
		}
	}
	return hours, true
}

// people asks hours of invented companies, in which a third of those with hours of their own lose their account to somebody
// who uses it at a time at which they never do.
func (m *measurement) people() error {
	for _, size := range []struct{ people, days int }{{12, 14}, {30, 30}, {300, 30}} {
		var score, night, never, far []float64
		var truth []bool
		var told, right, mistaken, accountDays, lost, found int
		byKind := map[string]int{}
		for _, seed := range m.seeds {
			r := rand.New(rand.NewPCG(seed, uint64(size.people)))
			reps := max(1, 300/size.people)
			for range reps {
				var deeds []deed
				stolen := map[string][]float64{}
				kind := map[string]string{}
				for _, s := range company(r, size.people, size.days) {
					life := s.live(r, size.days)
					kind[s.name] = s.kind
					if r.IntN(3) == 0 {
						if hours, ok := theft(r, life, size.days); ok {
							stolen[s.name] = hours
							for _, h := range hours {
								life = append(life, deed{s, h})
							}
						}
					}
					deeds = append(deeds, life...)
				}
				slices.SortStableFunc(deeds, func(a, b deed) int { return cmp.Compare(a.hour, b.hour) })
				t := technique("hours")
				var b event.Batch
				type accountDay struct {
					user string
					day  int
				}
				hours := map[accountDay]uint32{}
				known := map[string]int{}
				for _, d := range deeds {
					b.Events = append(b.Events, event.Event{Time: peopleStart.Add(time.Duration(d.hour * float64(time.Hour))).UnixNano(),
						Fields: []event.Field{{Name: "user.name", Value: d.who.name}, {Name: "event.outcome", Value: "success"}}})
					k := accountDay{d.who.name, int(math.Floor(d.hour / 24))}
					if hours[k] == 0 {
						known[k.user]++
					}
					hours[k] |= 1 << (int(math.Floor(d.hour)-float64(k.day)*24) % 24)
				}
				if d := t.Digest("", &b); d != nil {
					t.Merge(d)
				}
				findings, err := t.Findings(context.Background(), nil)
				if err != nil {
					return err
				}
				is := func(user string, first, last float64) bool {
					return slices.ContainsFunc(stolen[user], func(h float64) bool { return first <= h && h <= last })
				}
				since := func(ns int64) float64 { return time.Unix(0, ns).Sub(peopleStart).Hours() }
				named := map[string]bool{}
				for _, f := range findings {
					told++
					u := f.Entities.Users[0]
					if is(u, since(f.First), since(f.Last)) {
						right++
						named[u] = true
					} else {
						mistaken++
						byKind[kind[u]]++
						if m.verbose {
							fmt.Printf("seed %d, %s: %.1f bits: %s\n", seed, kind[u], f.Surprise, f.Explanation)
						}
					}
				}
				for u := range stolen {
					lost++
					if named[u] {
						found++
					} else if m.verbose {
						fmt.Printf("seed %d, %s: missed %s at %.1f\n", seed, kind[u], u, stolen[u])
					}
				}
				scores := map[accountDay]float64{}
				for _, s := range analyze.HourScores(t) {
					k := accountDay{s.Entity, int(math.Floor(since(s.Hour*int64(time.Hour)) / 24))}
					scores[k] = max(scores[k], s.Score)
				}
				// What simple means say of each day of an account, from its other days.
				sum := map[string]*[24]float64{}
				for k, h := range hours {
					if sum[k.user] == nil {
						sum[k.user] = &[24]float64{}
					}
					for x := range 24 {
						sum[k.user][x] += float64(h >> x & 1)
					}
				}
				keys := make([]accountDay, 0, len(hours))
				for k := range hours {
					keys = append(keys, k)
				}
				slices.SortFunc(keys, func(a, b accountDay) int { return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.day, b.day)) })
				for _, k := range keys {
					if known[k.user] <= 7 {
						continue
					}
					accountDays++
					truth = append(truth, is(k.user, float64(k.day)*24, float64(k.day)*24+24))
					score = append(score, scores[k])
					n, v, f := simply(hours[k], *sum[k.user])
					night, never, far = append(night, n), append(never, v), append(far, f)
				}
			}
		}
		fmt.Println()
		header(fmt.Sprintf("hours: companies of %d people, %d days: %d days of accounts, %d stolen", size.people, size.days, accountDays, trues(truth)))
		q := learn.Measure(score, truth)
		show("  surprise", q)
		show("  simply: hours of the day between 20 and 6", learn.Measure(night, truth))
		show("  simply: hours to the next that it ever worked", learn.Measure(never, truth))
		show("  simply: deviations from the mean hour (circular)", learn.Measure(far, truth))
		fmt.Printf("  findings: %d, of the %d lost accounts %d told: precision %s, recall %s; mistaken a hundred accounts and day: %.2f", told, lost, found, share(right, told), share(found, lost), 100*float64(mistaken)/float64(accountDays))
		for _, k := range peopleKinds {
			if byKind[k.kind] > 0 {
				fmt.Printf(", %s %d", k.kind, byKind[k.kind])
			}
		}
		fmt.Println()
	}
	return nil
}

// simply is what simple means say of a day's hours, sum being how often each hour was worked on all days: how many lie at night;
// how far the farthest is from any worked on another day; and how many deviations from the mean on the circle.
func simply(hours uint32, sum [24]float64) (night, never, far float64) {
	var x, y, n float64
	for h := range 24 {
		sum[h] -= float64(hours >> h & 1)
		a := (float64(h) + 0.5) * math.Pi / 12
		x, y, n = x+sum[h]*math.Cos(a), y+sum[h]*math.Sin(a), n+sum[h]
	}
	length := math.Hypot(x, y) / max(n, 1)
	mean := math.Atan2(y, x) * 12 / math.Pi
	spread := math.Sqrt(-2*math.Log(max(length, 1e-9))) * 12 / math.Pi
	for h := range 24 {
		if hours>>h&1 == 0 {
			continue
		}
		if h >= 20 || h < 6 {
			night++
		}
		for d := range 13 {
			if sum[(h+d)%24] > 0 || sum[(h-d+24)%24] > 0 {
				never = max(never, float64(d))
				break
			}
		}
		away := math.Abs(math.Mod(float64(h)+0.5-mean+60, 24) - 12)
		far = max(far, away/max(spread, 0.5))
	}
	return night, never, far
}
