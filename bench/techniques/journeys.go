package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
)

// place is somewhere on earth.
type place struct{ latitude, longitude float64 }

var (
	potsdam, paris, milan = place{52.4, 13.1}, place{48.9, 2.4}, place{45.5, 9.2}
	leipzig               = place{51.3, 12.4}
	far                   = []place{{40.7, -74}, {19.1, 72.9}, {1.4, 103.8}, {-23.5, -46.6}, {43.7, -79.4}, {35.7, 139.7}}
)

// wayIn is from where somebody logs in.
type wayIn struct {
	network string // three bytes of the address
	place
}

type logIn struct {
	user string
	hour float64
	from wayIn
	last int // byte of the address
}

// journeys asks travel of people who log in from home, the office a hundred km away, a telephone whose carrier goes to the internet
// 600 to 900 km away, a VPN of the company with its way out abroad, and on real journeys; of accounts that two people a continent apart use; and of
// accounts that are stolen: logged in to from a continent that they never are on within the hour of a login of their owner.
func (m *measurement) journeys() error {
	const days, each = 28, 10
	kinds := []string{"home and office, 100 km", "telephone", "VPN on three days a week", "VPN now and then", "a journey by air", "an account of two", "the first week of a VPN"}
	stolen, found := map[string]int{}, map[string]int{}
	medium := map[string]int{}
	q := newRanking()
	for _, seed := range m.seeds {
		r := rand.New(rand.NewPCG(seed, 5))
		var all []logIn
		kindOf := map[string]string{}
		theft := map[string]float64{}
		vpn := wayIn{"198.51.100", far[0]}
		for k, kind := range kinds {
			for n := range each {
				user := fmt.Sprintf("p%d-%d", k, n)
				kindOf[user] = kind
				home := wayIn{fmt.Sprintf("100.%d.%d", 64+k, n), potsdam}
				office := wayIn{"203.0.113", leipzig}
				phone := wayIn{fmt.Sprintf("100.100.%d", r.IntN(4)), []place{paris, milan}[r.IntN(2)]}
				other := wayIn{fmt.Sprintf("100.110.%d", n), far[1+r.IntN(5)]}
				away := [2]int{-1, -1}
				if kind == "a journey by air" {
					from := 8 + r.IntN(12)
					away = [2]int{from, from + 4}
				}
				mine := len(all)
				for d := range days {
					if d%7 >= 5 {
						continue
					}
					if d == away[0] || d == away[1] {
						continue // in the air
					}
					at := func(h float64, w wayIn) { all = append(all, logIn{user, float64(d)*24 + h, w, 7 + n}) }
					if away[0] < d && d < away[1] {
						for range 3 {
							at(8+10*r.Float64(), other)
						}
						continue
					}
					at(7+0.5*r.Float64(), home)
					for range 2 {
						at(9+8*r.Float64(), office)
					}
					switch kind {
					case "telephone":
						for range 2 {
							at(7+13*r.Float64(), phone)
						}
					case "VPN on three days a week":
						if d%7 < 3 {
							at(8+8*r.Float64(), vpn)
						}
					case "VPN now and then":
						if r.Float64() < 0.1 {
							at(8+8*r.Float64(), vpn)
						}
					case "the first week of a VPN":
						if d >= 21 {
							at(8+8*r.Float64(), wayIn{"192.0.2", far[2]})
						}
					case "an account of two":
						at(20+3*r.Float64(), other)
						at(8+9*r.Float64(), other)
					}
				}
				if n%3 == 0 {
					l := all[mine+10+r.IntN(len(all)-mine-10)]
					h := l.hour + 0.1 + 0.8*r.Float64()
					theft[user] = h
					stolen[kind]++
					from := far[r.IntN(len(far))]
					for slices.ContainsFunc(all[mine:], func(l logIn) bool { return apart(l.from.place, from) < 3000 }) {
						from = far[r.IntN(len(far))]
					}
					all = append(all, logIn{user, h, wayIn{fmt.Sprintf("100.120.%d", r.IntN(200)), from}, 200})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b logIn) int { return cmp.Compare(a.hour, b.hour) })
		simple := map[leftDay][]float64{} // places, speed
		at := map[leftDay]map[place]bool{}
		last := map[string]logIn{}
		events := make([]event.Event, len(all))
		for i, l := range all {
			events[i] = event.Event{Time: peopleStart.Add(time.Duration(l.hour * float64(time.Hour))).UnixNano(), Fields: []event.Field{
				{Name: "event.category", Value: "authentication"}, {Name: "event.outcome", Value: "success"}, {Name: "user.name", Value: l.user},
				{Name: "source.ip", Value: fmt.Sprintf("%s.%d", l.from.network, l.last)}, {Name: "source.geo.location.lat", Value: fmt.Sprint(l.from.latitude)}, {Name: "source.geo.location.lon", Value: fmt.Sprint(l.from.longitude)}}}
			k := leftDay{kindOf[l.user], l.user, int(l.hour / 24)}
			if at[k] == nil {
				at[k], simple[k] = map[place]bool{}, []float64{0, 0}
			}
			at[k][l.from.place] = true
			simple[k][0] = float64(len(at[k]))
			if p, ok := last[l.user]; ok {
				if km := apart(p.from.place, l.from.place); km > 100 {
					simple[k][1] = max(simple[k][1], km/max(l.hour-p.hour, 0.01))
				}
			}
			last[l.user] = l
		}
		findings, err := ask("travel", slices.Chunk(events, 4096))
		if err != nil {
			return err
		}
		plant := map[leftDay]string{}
		for u, h := range theft {
			plant[leftDay{kindOf[u], u, int(h) / 24}] = fmt.Sprintf("a theft at %.1f", h)
		}
		scores := q.add(m, seed, findings, func(g *analyze.Finding) (leftDay, float64, bool) {
			u := g.Entities.Users[0]
			k := leftDay{kindOf[u], u, hourSince(g.Last) / 24}
			v := g.Surprise
			if g.Level == "medium" {
				v += 1e6
				medium[k.rule] += b2i(plant[k] == "")
			}
			return k, v, true
		}, plant, simple)
		for k := range plant {
			found[k.rule] += b2i(scores[k] > 0)
		}
	}
	var truth []bool
	scores := make([][]float64, 3)
	accountDays := 0
	for _, k := range kinds {
		accountDays += q.days[k]
		truth = append(truth, q.truth[k]...)
		for i := range scores {
			scores[i] = append(scores[i], q.scores[k][i]...)
		}
	}
	header(fmt.Sprintf("travel: seeds %v, %d days: %d days of accounts, %d with a theft", m.seeds, days, accountDays, trues(truth)))
	show("  level and surprise", learn.Measure(scores[0], truth))
	show("  simply: places in a day", learn.Measure(scores[1], truth))
	show("  simply: speed between logins", learn.Measure(scores[2], truth))
	total, of, mistakes := 0, 0, 0
	for _, k := range kinds {
		total, of, mistakes = total+found[k], of+stolen[k], mistakes+q.wrong[k]
		fmt.Printf("  %-28s %d of %d thefts told; mistaken %d, of them medium %d\n", k, found[k], stolen[k], q.wrong[k], medium[k])
	}
	fmt.Printf("  recall %s, mistaken a hundred accounts and day %.2f\n", share(total, of), 100*float64(mistakes)/float64(accountDays))
	return nil
}

func apart(a, b place) float64 {
	const degree = math.Pi / 180
	s1, s2 := math.Sin((b.latitude-a.latitude)*degree/2), math.Sin((b.longitude-a.longitude)*degree/2)
	return 2 * 6371 * math.Asin(math.Sqrt(min(1, s1*s1+math.Cos(a.latitude*degree)*math.Cos(b.latitude*degree)*s2*s2)))
}
