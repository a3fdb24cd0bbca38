package analyze

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// logins makes four weeks of twelve accounts, each with a host and an address of its own, and what fn adds.
func newPairsOf(t *testing.T, fn func(w *world)) []Finding {
	t.Helper()
	w := &world{start: worldStart, rng: rand.New(rand.NewPCG(1, 1))}
	for d := range 28 {
		for u := range 12 {
			for n := range 3 {
				w.login(w.at(d, 8+float64(n)), fmt.Sprint("user", u), fmt.Sprintf("100.%d.1.%d", 64+u, d/3), fmt.Sprint("ws", u), "success", "source.geo.country_iso_code", "DE", "source.as.number", fmt.Sprint(64500+u))
			}
			for range 30 {
				w.add(w.at(d, 9), "sysmon", "event.category", "process", "event.type", "start", "process.parent.name", "Services.exe", "process.name", fmt.Sprint("svc", w.rng.IntN(5), ".exe"))
			}
			w.flow(w.at(d, 10), fmt.Sprintf("10.3.0.%d", u), fmt.Sprintf("198.18.0.%d", u%3), "", 443, 500, 500, 1e9)
		}
	}
	fn(w)
	tech := newPairs()
	for _, b := range w.batches(500) {
		if d := tech.Digest("log", b); d != nil {
			tech.Merge(d)
		}
	}
	f, err := tech.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryKindOfPairIsToldWhenItIsNewAndRare(t *testing.T) {
	for _, c := range []struct {
		name string
		add  func(w *world)
		rule string // "" for none
		says string
	}{
		{"nothing", func(*world) {}, "", ""},
		{"a host", func(w *world) {
			w.login(w.at(20, 12), "user3", "100.67.1.6", "dc1", "success", "source.as.number", "64503")
		}, "pairs.user-host", "account user3 logged in to dc1 for the first time 2026-03-22 12:00, not once in 20 days"},
		{"five hosts at once", func(w *world) {
			for n := range 5 {
				w.login(w.at(20, 12), "user3", "100.67.1.6", fmt.Sprint("srv", n), "success", "source.as.number", "64503")
			}
		}, "pairs.user-host", "4 others as new that day"},
		{"a host that all get at once", func(w *world) {
			for u := range 12 {
				w.login(w.at(20, 12), fmt.Sprint("user", u), fmt.Sprintf("100.%d.1.6", 64+u), "files2", "success", "source.as.number", fmt.Sprint(64500+u))
			}
		}, "", ""},
		{"an address from outside", func(w *world) {
			w.login(w.at(20, 12), "user3", "203.0.113.9", "ws3", "success", "source.as.number", "64999")
		},
			"pairs.user-source", "account user3 logged in from 203.0.113.9 for the first time"},
		{"another address of the provider", func(w *world) {
			w.login(w.at(20, 12), "user3", "192.0.2.9", "ws3", "success", "source.as.number", "64503")
		}, "", ""},
		{"a country", func(w *world) {
			w.login(w.at(20, 12), "user3", "100.67.1.6", "ws3", "success", "source.geo.country_iso_code", "AU")
		}, "pairs.user-country", "logged in from country AU"},
		{"a program", func(w *world) {
			w.add(w.at(20, 9), "sysmon", "event.category", "process", "event.type", "start", "process.parent.name", "services.exe", "process.name", "odd.exe")
		}, "pairs.process-parent", "services.exe started odd.exe 1 time of 10,081, 2026-03-22 09:00; no other program is so rare with it; nothing else started it."},
		{"a destination", func(w *world) { w.flow(w.at(20, 3), "10.3.0.4", "192.0.2.66", "", 443, 500, 500, 1e9) },
			"pairs.host-destination", "10.3.0.4 contacted 192.0.2.66 for the first time"},
	} {
		found := newPairsOf(t, c.add)
		switch {
		case c.rule == "" && len(found) > 0:
			t.Errorf("%s: %s", c.name, found[0].Explanation)
		case c.rule != "" && (len(found) != 1 || found[0].Rule.ID != c.rule || !strings.Contains(found[0].Explanation, c.says)):
			t.Errorf("%s: want one %s that says %q, got %+v", c.name, c.rule, c.says, found)
		}
	}
}

func TestWhoHasNewOnesAllTheTimeHasNoNews(t *testing.T) {
	found := newPairsOf(t, func(w *world) {
		for d := range 28 {
			w.login(w.at(d, 8), "admin", "10.9.0.1", fmt.Sprint("server", d), "success")
		}
	})
	for _, f := range found {
		if f.Rule.ID == "pairs.user-host" {
			t.Errorf("%s", f.Explanation)
		}
	}
}
