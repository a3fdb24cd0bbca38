package analyze

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// busy writes so many records as of says into each hour (UTC) of some days, with chance.
func busy(r *rand.Rand, start time.Time, days int, of func(t time.Time) float64, fields ...string) (out []event.Event) {
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		m := of(at)
		n := int(max(0, m*math.Exp(0.1*r.NormFloat64())+math.Sqrt(m)*r.NormFloat64()+0.5))
		for range n {
			e := event.Event{Time: at.Add(time.Duration(r.Int64N(int64(time.Hour)))).UnixNano()}
			for i := 0; i < len(fields); i += 2 {
				e.Fields = append(e.Fields, event.Field{Name: fields[i], Value: fields[i+1]})
			}
			out = append(out, e)
		}
	}
	return out
}

// ratesOf is what rates tells of events, a sentence each.
func ratesOf(t *testing.T, events []event.Event) (out []string) {
	t.Helper()
	slices.SortStableFunc(events, func(a, b event.Event) int { return int(min(1, max(-1, a.Time-b.Time))) })
	tech := newRates()
	if d := tech.Digest("log", &event.Batch{Events: events}); d != nil {
		tech.Merge(d)
	}
	found, err := tech.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		checkFinding(t, "rates", &found[i])
		out = append(out, found[i].Level+": "+found[i].Explanation)
	}
	return out
}

// A world of people has weekends where it is, summer time and holidays, new computers, and jobs that run once a week: nothing of it is a burst or a drop.
func TestLifeIsNoBurst(t *testing.T) {
	place := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		return l
	}
	start := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC) // a Monday
	work := func(where *time.Location, free ...time.Weekday) func(time.Time) float64 {
		if free == nil {
			free = []time.Weekday{time.Saturday, time.Sunday}
		}
		return func(t time.Time) float64 {
			if t = t.In(where); t.Hour() >= 8 && t.Hour() < 17 && !slices.Contains(free, t.Weekday()) {
				return 200
			}
			return 20
		}
	}
	for _, c := range []struct {
		name string
		of   func(time.Time) float64
	}{
		{"summer time in Europe", work(place("Europe/Berlin"))},
		{"summer time in America, days that begin in the afternoon of Greenwich", work(place("America/Los_Angeles"))},
		{"the far east", work(place("Asia/Tokyo"))},
		{"winter time in Australia", work(place("Australia/Sydney"))},
		{"weekends on Friday and Saturday", work(time.UTC, time.Friday, time.Saturday)},
		{"a holiday", func(t time.Time) float64 {
			if t.Month() == 4 && (t.Day() == 3 || t.Day() == 6) {
				return 20
			}
			return work(time.UTC)(t)
		}},
		{"a job each Sunday", func(t time.Time) float64 {
			if t.Weekday() == time.Sunday && t.Hour() == 3 {
				return 900
			}
			return work(time.UTC)(t)
		}},
		{"a job each night, at about one", func(t time.Time) float64 {
			if t.Hour() == 1-t.Day()%2 {
				return 900
			}
			return 20
		}},
		{"a computer that is there from the 20th day on", func(t time.Time) float64 {
			if t.Sub(start) < 20*24*time.Hour {
				return 0
			}
			return work(time.UTC)(t)
		}},
		{"a computer that is there on the last two days", func(t time.Time) float64 {
			if t.Sub(start) < 32*24*time.Hour {
				return 0
			}
			return work(time.UTC)(t)
		}},
		{"twice as much from the third week on", func(t time.Time) float64 {
			if t.Sub(start) > 15*24*time.Hour {
				return 2 * work(time.UTC)(t)
			}
			return work(time.UTC)(t)
		}},
	} {
		var told []string // by chance there may be one in these hundred days
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 3))
			start := start
			if strings.Contains(c.name, "America") {
				start = start.AddDate(0, 0, -14) // there it begins on 8 March
			}
			events := busy(r, start, 35, c.of, "event.dataset", "app", "host.name", "app1")
			events = append(events, busy(r, start, 35, func(time.Time) float64 { return 5 }, "event.dataset", "app", "host.name", "app2")...)
			told = append(told, ratesOf(t, events)...)
			// And in such a life a burst is one: on a working day (31 March), at noon.
			events = append(events, busy(r, time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), 1, func(t time.Time) float64 {
				if t.Hour() == 12 {
					return 1500
				}
				return 0
			}, "event.dataset", "app", "host.name", "app1")...)
			burst := ratesOf(t, events)
			if !strings.HasPrefix(c.name, "a computer") && !slices.ContainsFunc(burst, func(s string) bool { return strings.Contains(s, "records 2026-03-31 12:00–12:59, usually") }) {
				t.Errorf("%s: no burst: %s", c.name, strings.Join(burst, "\n"))
			}
		}
		if len(told) > 1 {
			t.Errorf("%s: %s", c.name, strings.Join(told, "\n"))
		}
	}
}

// One burst is one finding, whoever sees it: three sensors, the host and its log, and the account.
func TestABurstIsToldOnce(t *testing.T) {
	start := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		put  func(add func(n int, fields ...string))
		want string
	}{
		{"a scan that three sensors see", func(add func(n int, fields ...string)) {
			for _, d := range []string{"fw", "ids", "flows"} {
				add(900, "event.dataset", d, "host.name", d+"1", "source.ip", "10.0.0.9", "event.category", "network", "event.type", "denied")
			}
		}, `^informational: source 10\.0\.0\.9: [\d,]+ records in \w+ 2026-03-30 02:00–02:59, usually 0 an hour over 27 days; also above their usual then: source 10\.0\.0\.9 in log \w+ \([\d,]+\), source 10\.0\.0\.9 in log \w+ \([\d,]+\), host \w+1 \([\d,]+\) and 2 more\.$`},
		{"guessing at one account from three addresses", func(add func(n int, fields ...string)) {
			for _, a := range []string{"10.0.0.7", "10.0.0.8", "10.0.0.9"} {
				add(70, "event.dataset", "auth", "host.name", "web1", "source.ip", a, "user.name", "backup-svc", "event.action", "login", "event.category", "authentication", "event.outcome", "failure")
			}
		}, `^low: account backup-svc: 2\d\d failed logins 2026-03-30 02:00–02:59, usually 0 an hour over 27 days; .* above their usual then: host web1 \(\d+\), action login \(\d+\), source 10\.0\.0\.. \(\d+ failed logins\) and 2 more\.$`},
		{"guessing at many accounts", func(add func(n int, fields ...string)) {
			for _, a := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
				add(20, "event.dataset", "auth", "host.name", "web1", "source.ip", "10.0.0.7", "user.name", a, "event.action", "login", "event.category", "authentication", "event.outcome", "failure")
			}
		}, `^low: source 10\.0\.0\.7: 2\d\d failed logins 2026-03-30 02:00–02:59, usually 0 an hour`},
	} {
		r := rand.New(rand.NewPCG(1, 4))
		var events []event.Event
		for _, d := range []string{"fw", "ids", "flows", "auth"} {
			host := map[bool]string{true: "web1", false: d + "1"}[d == "auth"]
			events = append(events, busy(r, start, 28, func(time.Time) float64 { return 30 }, "event.dataset", d, "host.name", host)...)
			for _, a := range []string{"10.0.1.1", "10.0.1.2"} {
				events = append(events, busy(r, start, 28, func(t time.Time) float64 { return float64(t.Hour() % 3) }, "event.dataset", d, "host.name", host, "source.ip", a, "user.name", "u"+a[7:], "event.action", "login", "event.category", "authentication", "event.outcome", "failure")...)
			}
		}
		c.put(func(n int, fields ...string) {
			events = append(events, busy(r, start.Add((21*24+2)*time.Hour), 1, func(t time.Time) float64 {
				if t.Hour() == 2 {
					return float64(n)
				}
				return 0
			}, fields...)...)
		})
		told := ratesOf(t, events)
		if len(told) != 1 || !regexp.MustCompile(c.want).MatchString(told[0]) {
			t.Errorf("%s: %s", c.name, strings.Join(told, "\n"))
		}
	}
}
