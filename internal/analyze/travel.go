package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// travel finds accounts that log in from two places, one after the other, faster
// than anybody gets from one to the other. It needs source.geo.location (or client.geo's, or geo's, which sign-in logs of clouds have), which a
// database given by --geoip brings. See docs/techniques/travel.md.
type travel struct {
	users   map[string][]stay
	order   []string
	stays   int
	tooMany bool
}

// stay is logins of an account from one address within an hour.
type stay struct {
	source, country     string
	latitude, longitude float32
	first, last         int64
}

const (
	maxStays     = 500_000
	maxUserStays = 5_000
)

var _ = register(newTravel)

func newTravel() Technique { return &travel{users: map[string][]stay{}} }

// Name implements Technique.
func (*travel) Name() string { return "travel" }

// About implements Technique.
func (*travel) About() string { return "Logins from places too far apart" }

// Needs implements Technique.
func (*travel) Needs() []string {
	return []string{"source.geo.location.lat", "client.geo.location.lat", "geo.location.lat"}
}

type travelDigest struct {
	users []string
	stays []stay
}

// Digest implements Technique.
func (t *travel) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*travel) digest(_ string, rs *rows) any {
	type key struct {
		user, source sym
		hour         int32
	}
	var t tally[key, stay]
	for i := range rs.list {
		r := &rs.list[i]
		if !r.located || !(r.latitude >= -90 && r.latitude <= 90 && r.longitude >= -180 && r.longitude <= 180) || r.user == 0 || r.source == 0 || !r.has(authentication) || r.outcome != success {
			continue
		}
		s := t.at(key{r.user, r.source, hourOf(r.time)})
		if s.source == "" {
			*s = stay{rs.keep(r.source), rs.keep(r.country), r.latitude, r.longitude, r.time, r.time}
		}
		s.first, s.last = min(s.first, r.time), max(s.last, r.time)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &travelDigest{stays: t.vals}
	for _, k := range t.keys {
		d.users = append(d.users, rs.keep(k.user))
	}
	return d
}

// Merge implements Technique.
func (t *travel) Merge(digest any) {
	d := digest.(*travelDigest)
	for i, u := range d.users {
		s := d.stays[i]
		all, known := t.users[u]
		if n := len(all); n > 0 && all[n-1].source == s.source && hourOf(all[n-1].first) == hourOf(s.first) {
			all[n-1].first, all[n-1].last = min(all[n-1].first, s.first), max(all[n-1].last, s.last)
			continue
		}
		if t.stays >= maxStays || len(all) >= maxUserStays {
			t.tooMany = true
			continue
		}
		t.stays++
		t.users[u] = append(all, s)
		if !known {
			t.order = append(t.order, u)
		}
	}
}

func (t *travel) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s logins from different addresses an hour, or %s of one account: the last were not compared", prose.Number(maxStays), prose.Number(maxUserStays))}
}

// What is impossible.
const (
	travelSpeed = 1000 // km/h; airliners cruise at 900
	travelFar   = 500  // km; databases are often wrong by less
	travelHome  = 5    // days at other places, from which on a place that is new is strange
	travelHabit = 2    // days before or after the two on which an account is at both places: it is always so
	travelNear  = 100  // km, within which it is the same place
	travelExit  = 3    // accounts and days, beside these, of which a network is that in and out of which everybody goes
)

// Findings implements Technique.
func (t *travel) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	exits := t.exits()
	for _, u := range t.order {
		stays := slices.Clone(t.users[u])
		slices.SortFunc(stays, func(a, b stay) int {
			return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.source, b.source))
		})
		told := map[[2]string]bool{}
		for i := 1; i < len(stays); i++ {
			a, b := &stays[i-1], &stays[i]
			far := distance(a, b)
			took := max(b.first-a.last, second)
			speed := far / (float64(took) / float64(hour))
			if far < travelFar || speed < travelSpeed {
				continue
			}
			// The strange end is where the account is on fewer other days. Who is at both on others goes through a
			// VPN or a phone, or is more than one.
			strange, usual := t.days(stays, b, a), t.days(stays, a, b)
			end := b
			if usual < strange {
				strange, end = usual, a
			}
			if strange >= travelHabit || exits.used(end, u) {
				continue
			}
			pair := [2]string{min(a.source, b.source), max(a.source, b.source)}
			if told[pair] {
				continue
			}
			told[pair] = true
			f := Finding{
				Title: "An account logs in from two places too far apart", Level: "low", First: a.last, Last: b.first,
				Rule:       Rule{ID: "travel", Name: "Impossible travel", FalsePositives: []string{"A VPN or proxy, a mobile network that leaves elsewhere", "An account that several people or services use", "A wrong place in the database"}},
				Techniques: []string{"T1078"}, Tactics: []string{"initial-access"}, Entities: Entities{Users: []string{u}, Sources: []string{a.source, b.source}},
				Surprise: math.Log2(speed),
			}
			if f.Last < f.First {
				f.First, f.Last = b.first, a.last
			}
			home := map[int32]bool{}
			new := end == b
			for j := range stays {
				if j != i && distance(&stays[j], b) < travelFar {
					new = new && hourOf(stays[j].first)-hourOf(b.first) > -24 && hourOf(stays[j].first)-hourOf(b.first) < 24
				} else if j < i {
					home[dayOf(stays[j].first)] = true
				}
			}
			where1, where2 := a.place(), b.place()
			habit := ""
			if new && len(home) >= travelHome {
				f.Level = "medium"
				habit = fmt.Sprintf("; it was never there before, and elsewhere on %d days", len(home))
			}
			f.Explanation = fmt.Sprintf("account %s logged in from %s and %s later from %s: %s km apart, %s km/h%s.", clip(u, 100), where1, lasting(took), where2, prose.Number(int(far)), prose.Number(int(min(speed, 1e9))), habit)
			w := where{}.between(min(a.first, b.first), max(a.last, b.last)).has("event.category", "authentication").is("event.outcome", "success").any(u, "user.name", "user.target.name")
			f.Query = append(w, fmt.Sprintf(`"source.ip":in(%s,%s)`, quote(a.source), quote(b.source))).String()
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// days is on how many days, but those about the two stays, an account was where one of them is.
func (t *travel) days(stays []stay, at, other *stay) int {
	days := map[int32]bool{}
	for i := range stays {
		s := &stays[i]
		if d := dayOf(s.first); (d > dayOf(max(at.first, other.first))+1 || d < dayOf(min(at.first, other.first))-1) && distance(s, at) < travelNear {
			days[d] = true
			if len(days) >= travelHabit {
				break
			}
		}
	}
	return len(days)
}

// exits are who logged in from each network, and when.
type exits map[netip.Prefix][]exit

type exit struct {
	user string
	day  int32
}

func (t *travel) exits() exits {
	x := exits{}
	for _, u := range t.order {
		for _, s := range t.users[u] {
			a, ok := address(s.source)
			if !ok {
				continue
			}
			n, e := networkOf(a), exit{u, dayOf(s.first)}
			if l := x[n]; len(l) < maxUserStays && (len(l) == 0 || l[len(l)-1] != e) {
				x[n] = append(l, e)
			}
		}
	}
	return x
}

// used reports whether the network of a stay is one that many others use on other days: a company's way out, not
// somebody's who came yesterday.
func (x exits) used(s *stay, user string) bool {
	a, ok := address(s.source)
	if !ok {
		return false
	}
	users, days := map[string]bool{}, map[int32]bool{}
	for _, e := range x[networkOf(a)] {
		if away := e.day - dayOf(s.first); e.user != user && (away > 1 || away < -1) {
			users[e.user], days[e.day] = true, true
			if len(users) >= travelExit && len(days) >= travelExit {
				return true
			}
		}
	}
	return false
}

func (s *stay) place() string {
	if s.country == "" {
		return fmt.Sprintf("%s (%.1f, %.1f)", clip(s.source, 60), s.latitude, s.longitude)
	}
	return fmt.Sprintf("%s (%s)", clip(s.source, 60), clip(s.country, 20))
}

// distance is the length of the great circle between two stays, in km (haversine).
func distance(a, b *stay) float64 {
	const radius, degree = 6371, math.Pi / 180
	lat1, lat2 := float64(a.latitude)*degree, float64(b.latitude)*degree
	s1, s2 := math.Sin((lat2-lat1)/2), math.Sin(float64(b.longitude-a.longitude)*degree/2)
	h := s1*s1 + math.Cos(lat1)*math.Cos(lat2)*s2*s2
	return 2 * radius * math.Asin(math.Sqrt(max(0, min(1, h))))
}
