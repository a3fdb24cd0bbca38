package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// upload is a connection out of an invented company.
type upload struct {
	hour             float64
	from, to, domain string
	bytes            float64
}

// outgoing makes three weeks of them: 30 computers of private addresses with some fifty uploads on a working day (log-normal, median 8 kB,
// deviation of the logarithm 2: one in 10,000 is above 14 MB), mostly to 300 sites that all know, twice a day to one that nobody does; video calls of
// 100 to 600 MB to one provider with ever new addresses; two that send 1 to 3 GB to a backup each night; and 4 servers of public addresses that
// the internet visits and that send some 20 MB a day to their partners.
func outgoing(r *rand.Rand, days int) (all []upload) {
	random := func() string { return fmt.Sprintf("198.%d.%d.%d", 18+r.IntN(2), r.IntN(256), 1+r.IntN(254)) }
	sites := make([]string, 300)
	for i := range sites {
		sites[i] = random()
	}
	partners := []string{random(), random(), random()}
	size := func() float64 { return math.Exp(math.Log(8000) + 2*r.NormFloat64()) }
	for d := range days {
		at := func(from, to float64) float64 { return float64(d)*24 + from + (to-from)*r.Float64() }
		for c := range 30 {
			source := fmt.Sprintf("10.1.0.%d", 10+c)
			if c < 2 {
				all = append(all, upload{at(1, 3), source, partners[0], "backup.example", 1e9 + 2e9*r.Float64()})
			}
			if d%7 >= 5 {
				continue
			}
			for range poisson(r, 50) {
				n := int(float64(len(sites)) * math.Pow(r.Float64(), 2))
				all = append(all, upload{at(8, 18), source, sites[n], fmt.Sprintf("site%d.example", n), size()})
			}
			for range poisson(r, 2) {
				to := random()
				all = append(all, upload{at(8, 18), source, to, "www." + to + ".example", size()})
			}
			if r.Float64() < 0.3 {
				all = append(all, upload{at(9, 17), source, fmt.Sprintf("198.19.255.%d", 1+r.IntN(254)), "calls.example", 1e8 + 5e8*r.Float64()})
			}
		}
		for s := range 4 {
			server := fmt.Sprintf("203.0.113.%d", 10+s)
			for range 40 {
				all = append(all, upload{at(0, 24), random(), server, "", 600 + 500*r.ExpFloat64()})
			}
			for range 10 {
				all = append(all, upload{at(0, 24), server, partners[r.IntN(3)], "", 2e6 * 2 * r.Float64()})
			}
		}
	}
	return all
}

// leaks puts a leak into each of some computers: once, of a size, or as much over five days, to an address that nobody
// contacted before; and asks volume for them, and beside it two simple means at as many mistakes.
func (m *measurement) leaks() error {
	const days = 21
	sizes := []float64{5e6, 20e6, 50e6, 100e6, 300e6, 1e9}
	ways := []string{"a computer, at once", "a computer, over five days", "a public server, at once"}
	planted, told := map[[2]int]int{}, map[[2]int]int{}
	simple := [2]map[[2]int]int{{}, {}}
	mistaken, sourceDays := 0, 0
	type day struct {
		source string
		day    int
	}
	for _, seed := range m.seeds {
		for w := range ways {
			for z := range sizes {
				r := rand.New(rand.NewPCG(seed, uint64(w*100+z)))
				all := outgoing(r, days)
				stolen := map[string][2]float64{} // hours between which
				for c := range 4 {
					source := fmt.Sprintf("10.1.0.%d", 15+5*c)
					if w == 2 {
						source = fmt.Sprintf("203.0.113.%d", 10+c)
						if c > 0 {
							break
						}
					}
					first := float64((8+r.IntN(4))*24) + 20*r.Float64()
					to := fmt.Sprintf("192.0.2.%d", 1+r.IntN(254))
					n := 5
					for i := range n {
						h := first + float64(i)*0.1
						if w == 1 {
							h = first + float64(i)*24
						}
						all = append(all, upload{h, source, to, "", sizes[z] / float64(n)})
						stolen[source] = [2]float64{first, h}
					}
					planted[[2]int{w, z}]++
				}
				slices.SortStableFunc(all, func(a, b upload) int { return cmp.Compare(a.hour, b.hour) })
				t := technique("volume")
				sums := map[day]float64{}
				for chunk := range slices.Chunk(all, 4096) {
					var b event.Batch
					for _, u := range chunk {
						f := []event.Field{{Name: "event.dataset", Value: "zeek.connection"}, {Name: "event.category", Value: "network"}, {Name: "event.type", Value: "connection"},
							{Name: "source.ip", Value: u.from}, {Name: "destination.ip", Value: u.to}, {Name: "source.bytes", Value: strconv.Itoa(int(u.bytes))}}
						if u.domain != "" {
							f = append(f, event.Field{Name: "destination.domain", Value: u.domain})
						}
						b.Events = append(b.Events, event.Event{Time: peopleStart.Add(time.Duration(u.hour * float64(time.Hour))).UnixNano(), Fields: f})
						sums[day{u.from, int(u.hour / 24)}] += u.bytes
					}
					if d := t.Digest("", &b); d != nil {
						t.Merge(d)
					}
				}
				findings, err := t.Findings(context.Background(), nil)
				if err != nil {
					return err
				}
				named := map[string]bool{}
				wrong := 0
				for i := range findings {
					g := &findings[i]
					source := g.Entities.Sources[0]
					if s, ok := stolen[source]; ok && float64(hourSince(g.Last))+1 >= s[0] && float64(hourSince(g.First)) <= s[1] {
						named[source] = true
						continue
					}
					wrong++
					if m.verbose {
						fmt.Printf("seed %d, %s: %s\n", seed, g.Level, g.Explanation)
					}
				}
				told[[2]int{w, z}] += len(named)
				mistaken += wrong
				// Simply: the bytes of a source's day; and how many deviations they are from the mean of its days (of the logarithms).
				var keys []day
				days := map[string][]float64{}
				for k, n := range sums {
					if inOwn(k.source) {
						keys = append(keys, k)
						days[k.source] = append(days[k.source], math.Log(n))
					}
				}
				sourceDays += len(keys)
				for i := range simple {
					score := func(k day) float64 {
						if i == 0 {
							return sums[k]
						}
						mean, dev := 0.0, 0.0
						for _, v := range days[k.source] {
							mean += v / float64(len(days[k.source]))
						}
						for _, v := range days[k.source] {
							dev += (v - mean) * (v - mean) / float64(len(days[k.source]))
						}
						return (math.Log(sums[k]) - mean) / max(math.Sqrt(dev), 0.1)
					}
					is := func(k day) bool {
						s, ok := stolen[k.source]
						return ok && float64(k.day) >= math.Floor(s[0]/24) && float64(k.day) <= s[1]/24
					}
					var others []float64
					for _, k := range keys {
						if !is(k) {
							others = append(others, score(k))
						}
					}
					slices.SortFunc(others, func(a, b float64) int { return cmp.Compare(b, a) })
					limit := others[wrong]
					hit := map[string]bool{}
					for _, k := range keys {
						if is(k) && score(k) > limit {
							hit[k.source] = true
						}
					}
					simple[i][[2]int{w, z}] += len(hit)
				}
			}
		}
	}
	fmt.Printf("volume: leaks to a new address put into the uploads of invented companies: seeds %v, %d days\n%-48s", m.seeds, days, "recall")
	for _, s := range sizes {
		fmt.Printf("  %6.0f MB", s/1e6)
	}
	fmt.Println()
	line := func(name string, w int, of map[[2]int]int) {
		fmt.Printf("%-48s", name)
		for z := range sizes {
			fmt.Printf("  %9s", share(of[[2]int{w, z}], planted[[2]int{w, z}]))
		}
		fmt.Println()
	}
	for w, name := range ways {
		line("  "+name, w, told)
		line("    simply: bytes of a day", w, simple[0])
		line("    simply: deviations from the mean of its days", w, simple[1])
	}
	fmt.Printf("  mistaken: %d; a hundred sources and day %.2f (the simple means are given as many)\n", mistaken, 100*float64(mistaken)/float64(sourceDays))
	return nil
}

func inOwn(source string) bool { return source[:3] == "10." || source[:8] == "203.0.11" }
