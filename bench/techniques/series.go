package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// flux is something that happens so often an hour: with the hours of the day and the days of the week, and not evenly.
type flux struct {
	kind   string
	rate   float64 // an hour, on average
	fields func(n int) []event.Field
	drops  bool // it may also fail
}

var fluxes = []flux{
	{"records of a log", 120, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "app.log"}, {Name: "host.name", Value: fmt.Sprintf("app%d", n)}}
	}, true},
	{"one action of a log", 60, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: fmt.Sprintf("audit%d", n)}, {Name: "host.name", Value: "files1"}, {Name: "event.action", Value: "file-read"}}
	}, true},
	{"failed logins of an account", 0.4, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "system.auth"}, {Name: "host.name", Value: "ssh1"}, {Name: "event.category", Value: "authentication"}, {Name: "event.outcome", Value: "failure"}, {Name: "user.name", Value: fmt.Sprintf("person%d", n)}}
	}, false},
	{"answers 5xx", 4, func(n int) []event.Field {
		return []event.Field{{Name: "event.dataset", Value: "nginx.access"}, {Name: "host.name", Value: fmt.Sprintf("web%d", n)}, {Name: "event.category", Value: "web"}, {Name: "http.response.status_code", Value: "503"}}
	}, false},
}

// each makes how many of each kind, in each hour: by day (six times as much at work as at night), by week (a third on weekends), by a
// gamma-distributed chance of its own each hour (deviation 0.3 of the mean), Poisson.
func (f *flux) counts(r *rand.Rand, days int) []int {
	level := f.rate * math.Exp(0.4*r.NormFloat64())
	out := make([]int, days*24)
	for h := range out {
		m := level * 0.3
		if x := h % 24; x >= 8 && x < 18 {
			m = level * 1.8
		}
		if h/24%7 >= 5 {
			m /= 3
		}
		const shape = 11
		g := 0.0
		for range shape {
			g += r.ExpFloat64()
		}
		out[h] = poisson(r, m*g/shape)
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

var changes = []change{{"×3 for an hour", 3, 1, false}, {"×10 for an hour", 10, 1, false}, {"to 0 for three hours", 0, 3, true}, {"to 1/4 for three hours", 0.25, 3, true}}

// bursts asks rates of series in which one hour is too full, or three are too empty; beside it, at as many mistakes, a z-score over all
// hours, one over the same hour on days of the same kind, and a fixed threshold (so many times the mean of all hours).
func (m *measurement) bursts() error {
	const each, days = 12, 28
	type cellOf struct {
		truth string // "", or the change
		z     [3]float64
	}
	var told [4][4][2]int // by flux and change: planted, told
	var mistakes [2]int   // bursts, drops
	var hours [2][]cellOf
	seriesDays := 0
	for _, seed := range m.seeds {
		r := rand.New(rand.NewPCG(seed, 77))
		var all []event.Event
		type plant struct{ flux, change, from, to, n int }
		var plants []plant
		for fi := range fluxes {
			f := &fluxes[fi]
			for n := range each {
				counts := f.counts(r, days)
				seriesDays += days
				truth := make([]int, len(counts))
				// One burst and one drop in each, in the third week, at any time of a working day.
				var planted []plant
				for kind := range 2 {
					if kind == 1 && !f.drops {
						continue
					}
					ci := 2*kind + n%2
					c := changes[ci]
					at := (14+kind*2+r.IntN(2))*24 + r.IntN(21)
					if c.drop {
						at = at/24*24 + 9 + r.IntN(6)
					}
					mean := 0.0
					for _, d := range []int{-7, 7, -1, 1} {
						mean += float64(counts[at+24*d]) / 4
					}
					for h := at; h < at+c.hours; h++ {
						if c.drop {
							counts[h] = int(float64(counts[h])*c.times + 0.5)
						} else {
							counts[h] = int(max(mean, f.rate*0.3) * c.times)
							if f.rate < 5 {
								counts[h] = max(counts[h], int(f.rate*c.times*5)) // a burst of what hardly ever happens
							}
						}
						truth[h] = ci + 1
					}
					planted = append(planted, plant{fi, ci, at, at + c.hours, n})
				}
				plants = append(plants, planted...)
				for h, c := range counts {
					for range c {
						all = append(all, event.Event{Time: peopleStart.Add(time.Duration((float64(h) + r.Float64()) * float64(time.Hour))).UnixNano(), Fields: f.fields(n)})
					}
				}
				if f.kind == "one action of a log" { // beside others, so that the log goes on
					other := fluxes[0].counts(r, days)
					for h, c := range other {
						for range c {
							fields := f.fields(n)
							fields[2].Value = "other"
							all = append(all, event.Event{Time: peopleStart.Add(time.Duration((float64(h) + r.Float64()) * float64(time.Hour))).UnixNano(), Fields: fields})
						}
					}
				}
				mean, dev := meanOf(counts, func(int) bool { return true })
				for h, c := range counts {
					hm, hd := meanOf(counts, func(o int) bool { return o != h && o%24 == h%24 && (o/24%7 >= 5) == (h/24%7 >= 5) })
					cell := cellOf{z: [3]float64{(float64(c) - mean) / max(dev, 1), (float64(c) - hm) / max(hd, 1), float64(c) / max(mean, 1)}}
					if truth[h] > 0 {
						cell.truth = changes[truth[h]-1].name
					}
					if truth[h] == 0 || !changes[truth[h]-1].drop {
						hours[0] = append(hours[0], cell)
					}
					if f.drops && (truth[h] == 0 || changes[truth[h]-1].drop) {
						for i := range cell.z {
							cell.z[i] = -cell.z[i]
						}
						hours[1] = append(hours[1], cell)
					}
				}
			}
		}
		slices.SortStableFunc(all, func(a, b event.Event) int { return cmp.Compare(a.Time, b.Time) })
		t := technique("rates")
		for b := range slices.Chunk(all, 4096) {
			if d := t.Digest("", &event.Batch{Events: b}); d != nil {
				t.Merge(d)
			}
		}
		findings, err := t.Findings(context.Background(), nil)
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
					return f.Value != "ssh1" && f.Value != "files1" && f.Value != "app.log" && f.Value != "system.auth" && f.Value != "nginx.access" && slices.Contains(names, f.Value)
				}) || p.flux == 2 && slices.Contains(names, "ssh1") // guessing at one is told of the host, too
				if changes[p.change].drop == drop && first < p.to && last >= p.from && same {
					named[j], hit = true, true
				}
			}
			if !hit {
				mistakes[b2i(drop)]++
				if m.verbose {
					fmt.Printf("seed %d, %s: %s\n", seed, g.Level, g.Explanation)
				}
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
	}
	fmt.Printf("Bursts and drops put into series with days and weeks: seeds %v, %d days, %d series each\n", m.seeds, days, each*len(fluxes))
	fmt.Printf("%-30s", "recall")
	for _, c := range changes {
		fmt.Printf("  %22s", c.name)
	}
	fmt.Println()
	for i, f := range fluxes {
		fmt.Printf("%-30s", "  "+f.kind)
		for j := range changes {
			fmt.Printf("  %22s", fmt.Sprintf("%s (%d of %d)", share(told[i][j][1], told[i][j][0]), told[i][j][1], told[i][j][0]))
		}
		fmt.Println()
	}
	fmt.Printf("  mistaken: %d bursts, %d drops; a hundred series and day %.2f, %.2f\n", mistakes[0], mistakes[1], 100*float64(mistakes[0])/float64(seriesDays), 100*float64(mistakes[1])/float64(seriesDays)*2)
	for i, name := range []string{"simply: z-score over all hours", "simply: z-score, same hour and kind of day", "simply: so many times the mean"} {
		fmt.Printf("%-46s", "  "+name)
		for kind := range 2 {
			// The threshold is where it makes as many mistakes as rates does.
			var wrong []float64
			for _, c := range hours[kind] {
				if c.truth == "" {
					wrong = append(wrong, c.z[i])
				}
			}
			slices.SortFunc(wrong, func(a, b float64) int { return cmp.Compare(b, a) })
			limit := wrong[mistakes[kind]]
			for _, ch := range changes {
				if ch.drop != (kind == 1) {
					continue
				}
				n, of := 0, 0
				for _, c := range hours[kind] {
					if c.truth == ch.name {
						of++
						if c.z[i] > limit {
							n++
						}
					}
				}
				fmt.Printf("  %s: %s", ch.name, share(n, of))
			}
		}
		fmt.Println()
	}
	return nil
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
