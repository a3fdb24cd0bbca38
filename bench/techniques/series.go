package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// flux is something that happens so often an hour: with the hours of the day and the days of the week, and not evenly.
type flux struct {
	kind   string
	rate   float64 // an hour, on average
	lasts  bool    // what chance adds lasts for hours
	fields func(n int) []event.Field
	drops  bool // it may also fail
}

var fluxes = []flux{
	{"records of a log", 120, false, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "app.log"}, {Name: "host.name", Value: fmt.Sprintf("app%d", n)}}
	}, true},
	{"records, busy and quiet for hours", 120, true, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "db.log"}, {Name: "host.name", Value: fmt.Sprintf("db%d", n)}}
	}, true},
	{"one action of a log", 60, false, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: fmt.Sprintf("audit%d", n)}, {Name: "host.name", Value: fmt.Sprintf("files%d", n)}, {Name: "event.action", Value: "file-read"}}
	}, true},
	{"answers 5xx", 4, false, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "nginx.access"}, {Name: "host.name", Value: fmt.Sprintf("web%d", n)}, {Name: "event.category", Value: "web"}, {Name: "http.response.status_code", Value: "503"}}
	}, false},
	{"failed logins of an account", 0.4, false, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "system.auth"}, {Name: "host.name", Value: "ssh1"}, {Name: "event.category", Value: "authentication"}, {Name: "event.outcome", Value: "failure"}, {Name: "user.name", Value: fmt.Sprintf("person%d", n)}}
	}, false},
}

// counts makes how many there are in each hour: by day (six times as much at work as at night), by week (a third on weekends), by a chance of
// its own with a deviation of 0.3 of the mean (each hour's own and gamma-distributed; or log-normal and, by seven tenths, that of the hour before), Poisson.
func (f *flux) counts(r *rand.Rand, days int) []int {
	level := f.rate * math.Exp(0.4*r.NormFloat64())
	out := make([]int, days*24)
	was := r.NormFloat64()
	for h := range out {
		m := level * 0.3
		if x := h % 24; x >= 8 && x < 18 {
			m = level * 1.8
		}
		if h/24%7 >= 5 {
			m /= 3
		}
		g := 0.0
		if f.lasts {
			was = 0.7*was + math.Sqrt(1-0.49)*r.NormFloat64()
			g = math.Exp(0.3*was - 0.045)
		} else {
			const shape = 11
			for range shape {
				g += r.ExpFloat64() / shape
			}
		}
		out[h] = poisson(r, m*g)
	}
	return out
}

func poisson(r *rand.Rand, mean float64) (n int) {
	if mean > 200 {
		return max(0, int(mean+math.Sqrt(mean)*r.NormFloat64()+0.5))
	}
	for p := r.Float64(); p > math.Exp(-mean); n++ {
		p *= r.Float64()
	}
	return n
}

// change is what is planted in a series, from an hour on.
type change struct {
	name  string
	times float64
	hours int
	drop  bool
}

var changes = []change{{"×2, 1 h", 2, 1, false}, {"×3, 1 h", 3, 1, false}, {"×5, 1 h", 5, 1, false}, {"×10, 1 h", 10, 1, false}, {"×2, 4 h", 2, 4, false}, {"×3, 4 h", 3, 4, false},
	{"to 1/2, 4 h", 0.5, 4, true}, {"to 1/5, 4 h", 0.2, 4, true}, {"to 0, 4 h", 0, 4, true}}

const burstSizes = 6 // of changes

// bursts asks rates of series in which an hour or four are too full, or four too empty; beside it, at as many mistakes, a z-score over all
// hours, one over the same hour on days of the same kind, and a fixed threshold (so many times the mean of all hours).
func (m *measurement) bursts() error {
	const each, days = 24, 28
	type plant struct {
		flux, change, from, to, n int
		simple                    [3]float64 // the highest of its hours
	}
	told := make([][][2]int, len(fluxes)) // by flux and change: planted, told
	for i := range told {
		told[i] = make([][2]int, len(changes))
	}
	var mistakes [2]int // bursts, drops
	var wrong [2][3][]float64
	var all []plant
	seriesDays, dropDays := 0, 0
	for _, seed := range m.seeds {
		r := rand.New(rand.NewPCG(seed, 77))
		var plants []plant
		type written struct {
			counts []int
			fields []event.Field
		}
		var logs []written
		for fi := range fluxes {
			f := &fluxes[fi]
			for n := range each {
				counts := f.counts(r, days)
				seriesDays += days
				truth := make([]int, len(counts)) // 1 and the plant
				// One burst and one drop in each, in the third week, at any time of a working day.
				here := len(plants)
				for kind := range 2 {
					ci := n % burstSizes
					if kind == 1 {
						if !f.drops {
							continue
						}
						dropDays += days
						ci = burstSizes + n%(len(changes)-burstSizes)
						if f.kind != "one action of a log" { // a log that falls silent is told by silence
							ci = burstSizes + n%2
						}
					}
					c := changes[ci]
					at := (14+kind*2+r.IntN(2))*24 + r.IntN(25-c.hours)
					if c.drop {
						at = at/24*24 + 9 + r.IntN(5)
					}
					for h := at; h < at+c.hours; h++ {
						if c.drop {
							counts[h] = int(float64(counts[h])*c.times + 0.5)
						} else {
							mean := 0.0
							for _, d := range []int{-7, 7, -1, 1} {
								mean += float64(counts[h+24*d]) / 4
							}
							counts[h] = int(max(mean, f.rate*0.3) * c.times)
							if f.rate < 5 {
								counts[h] = max(counts[h], int(f.rate*c.times*5)) // a burst of what hardly ever happens
							}
						}
						truth[h] = len(plants) + 1
					}
					plants = append(plants, plant{flux: fi, change: ci, from: at, to: at + c.hours, n: n})
				}
				logs = append(logs, written{counts, f.fields(n)})
				if f.kind == "one action of a log" { // beside others, so that the log goes on
					fields := f.fields(n)
					fields[2].Value = "other"
					logs = append(logs, written{fluxes[0].counts(r, days), fields})
				}
				for i := here; i < len(plants); i++ {
					plants[i].simple = [3]float64{-1e9, -1e9, -1e9}
				}
				mean, dev := meanOf(counts, func(int) bool { return true })
				for h, c := range counts {
					hm, hd := meanOf(counts, func(o int) bool { return o != h && o%24 == h%24 && (o/24%7 >= 5) == (h/24%7 >= 5) })
					for i, z := range [3]float64{(float64(c) - mean) / max(dev, 1), (float64(c) - hm) / max(hd, 1), float64(c) / max(mean, 1)} {
						if truth[h] == 0 {
							wrong[0][i] = append(wrong[0][i], z)
							if f.drops {
								wrong[1][i] = append(wrong[1][i], -z)
							}
							continue
						}
						p := &plants[truth[h]-1]
						if changes[p.change].drop {
							z = -z
						}
						p.simple[i] = max(p.simple[i], z)
					}
				}
			}
		}
		findings, err := ask("rates", func(yield func([]event.Event) bool) {
			for h := range days * 24 { // an hour at a time
				var events []event.Event
				for _, l := range logs {
					for range l.counts[h] {
						events = append(events, event.Event{Time: peopleStart.Add(time.Duration((float64(h) + r.Float64()) * float64(time.Hour))).UnixNano(), Fields: l.fields})
					}
				}
				if !yield(events) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
		named := make([]bool, len(plants))
		for i := range findings {
			g := &findings[i]
			first, last := hourSince(g.First), hourSince(g.Last)
			hit, drop := false, g.Rule.ID == "rates.drop"
			for j, p := range plants {
				f := fluxes[p.flux].fields(p.n)
				names := slices.Concat(g.Entities.Users, g.Entities.Hosts, g.Entities.Sources, g.Datasets)
				same := slices.ContainsFunc(f, func(f event.Field) bool {
					return !slices.Contains([]string{"ssh1", "app.log", "db.log", "system.auth", "nginx.access"}, f.Value) && slices.Contains(names, f.Value)
				}) || fluxes[p.flux].rate < 1 && slices.Contains(names, "ssh1") // guessing at one is told of the host, too
				if changes[p.change].drop == drop && first < p.to && last >= p.from && same {
					named[j], hit = true, true
				}
			}
			if !hit {
				mistakes[b2i(drop)]++
			}
			if m.verbose {
				fmt.Printf("seed %d, %s, %s, %.1f bits: %s\n", seed, map[bool]string{true: "right", false: "mistaken"}[hit], g.Level, g.Surprise, g.Explanation)
			}
		}
		for j, p := range plants {
			told[p.flux][p.change][0]++
			if named[j] {
				told[p.flux][p.change][1]++
			} else if m.verbose {
				fmt.Printf("seed %d: missed %s %s, series %d, hour %d\n", seed, fluxes[p.flux].kind, changes[p.change].name, p.n, p.from)
			}
		}
		all = append(all, plants...)
	}
	fmt.Printf("Bursts and drops put into series with days and weeks: seeds %v, %d days, %d series each; %d of each size in a row\n", m.seeds, days, each*len(fluxes), each/burstSizes*len(m.seeds))
	fmt.Printf("%-46s", "recall")
	for _, c := range changes {
		fmt.Printf("  %11s", c.name)
	}
	fmt.Println()
	row := func(name string, of func(change int) [2]int) {
		fmt.Printf("%-46s", "  "+name)
		for j := range changes {
			x := of(j)
			fmt.Printf("  %11s", share(x[1], x[0]))
		}
		fmt.Println()
	}
	for i, f := range fluxes {
		row(f.kind, func(j int) [2]int { return told[i][j] })
	}
	row("all", func(j int) (x [2]int) {
		for i := range fluxes {
			x[0], x[1] = x[0]+told[i][j][0], x[1]+told[i][j][1]
		}
		return x
	})
	for i, name := range []string{"simply: z-score over all hours", "simply: z-score, same hour and kind of day", "simply: so many times the mean"} {
		var limit [2]float64
		for kind := range 2 { // the threshold is where it makes as many mistakes as rates does
			slices.SortFunc(wrong[kind][i], func(a, b float64) int { return cmp.Compare(b, a) })
			limit[kind] = wrong[kind][i][mistakes[kind]]
		}
		row(name, func(j int) (x [2]int) {
			for _, p := range all {
				if p.change == j {
					x[0]++
					x[1] += b2i(p.simple[i] > limit[b2i(changes[j].drop)])
				}
			}
			return x
		})
	}
	fmt.Printf("  mistaken: %d bursts, %d drops; a hundred series and day %.2f, %.2f\n", mistakes[0], mistakes[1], 100*float64(mistakes[0])/float64(seriesDays), 100*float64(mistakes[1])/float64(dropDays))
	return nil
}

// ask gives events to a technique, a batch after the other, and returns what it finds.
func ask(name string, batches iter.Seq[[]event.Event]) ([]analyze.Finding, error) {
	t := technique(name)
	for b := range batches {
		if d := t.Digest("", &event.Batch{Events: b}); d != nil {
			t.Merge(d)
		}
	}
	return t.Findings(context.Background(), nil)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func hourSince(ns int64) int {
	return int(math.Floor(time.Unix(0, ns).Sub(peopleStart).Hours()))
}

func meanOf(counts []int, of func(h int) bool) (mean, deviation float64) {
	n := 0.0
	for h, c := range counts {
		if of(h) {
			n++
			mean += float64(c)
		}
	}
	mean /= max(n, 1)
	for h, c := range counts {
		if of(h) {
			deviation += (float64(c) - mean) * (float64(c) - mean)
		}
	}
	return mean, math.Sqrt(deviation / max(n, 1))
}
