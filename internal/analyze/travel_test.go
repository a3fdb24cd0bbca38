package analyze

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

// What an account always does, and what everybody does, is no journey; a place at which it never is, is one.
func TestTravelKnowsHabitsAndTheWaysOutThatManyUse(t *testing.T) {
	type at struct {
		day    int
		hour   float64
		source string
		lat    string
		lon    string
	}
	home := func(d int) at { return at{d, 8, "198.51.100.7", "52.4", "13.1"} }
	abroad := func(d int, source string) at { return at{d, 9, source, "1.4", "103.8"} }
	var homes []at
	for d := range 20 {
		homes = append(homes, home(d))
	}
	for _, c := range []struct {
		name   string
		logins []at
		others int // accounts that use the same network on other days
		want   int
	}{
		{"never elsewhere", homes, 0, 0},
		{"once, within the hour", append([]at{abroad(10, "203.0.113.9")}, homes...), 0, 1},
		{"every week", append([]at{abroad(3, "203.0.113.9"), abroad(10, "203.0.113.9"), abroad(17, "203.0.113.9")}, homes...), 0, 0},
		{"once, through what others use", append([]at{abroad(10, "203.0.113.9")}, homes...), 4, 0},
		{"once, through what two others use", append([]at{abroad(10, "203.0.113.9")}, homes...), 2, 1},
		{"a hundred km away", append([]at{{10, 9, "203.0.113.9", "51.4", "12.4"}}, homes...), 0, 0},
	} {
		w := &world{start: worldStart, rng: rand.New(rand.NewPCG(1, 1))}
		put := func(user string, a at) {
			w.add(w.start+int64(a.day)*day+int64(a.hour*3600)*second, "system.auth", "event.category", "authentication", "event.outcome", "success", "user.name", user,
				"source.ip", a.source, "source.geo.location.lat", a.lat, "source.geo.location.lon", a.lon)
		}
		for _, a := range c.logins {
			put("x", a)
		}
		for n := range c.others {
			for d := range 4 {
				put(fmt.Sprint("other", n), abroad(d, fmt.Sprint("203.0.113.", 20+n)))
			}
		}
		tech := newTravel()
		for _, b := range w.batches(1000) {
			if d := tech.Digest("log", b); d != nil {
				tech.Merge(d)
			}
		}
		f, err := tech.Findings(context.Background(), emptyStore{})
		if err != nil || len(f) != c.want {
			t.Errorf("%s: %d findings, want %d: %+v %v", c.name, len(f), c.want, f, err)
		}
	}
}
