package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
)

// meeting is that two had to do with each other.
type meeting struct {
	hour float64
	rule string // of pairs that is asked
	a, b string
	more []string // fields
}

var firstRules = []struct{ rule, planted string }{
	{"pairs.user-host", "three hosts that the account never was on"},
	{"pairs.user-source", "a login from a network that nobody used"},
	{"pairs.user-country", "a login from a country that the account never was in"},
	{"pairs.process-parent", "one start of a program that its parent never starts"},
	{"pairs.host-destination", "a server contacts what nobody did"},
	{"pairs.host-destination, workstations", "a workstation contacts what nobody did"},
}

// meetings makes four weeks of an invented company of 40: each has a workstation and two to four of twelve servers, takes up another about once in seven weeks,
// and all get a new one on the 15th day; logs in from the office, from home, whose address changes every third day within its provider's /23, from a
// telephone with one of four networks of a carrier, and in one day of a hundred from a hotel; in one of two hundred from abroad. Its
// programs start twelve others, and one time in 10,000 an installation with a name of its own. 20 servers contact two to six destinations each, and a new one
// in fifty days; 40 workstations look at thirty pages a day of 400, and three that nobody saw before.
func meetings(r *rand.Rand, days int) (all []meeting) {
	put := func(d int, from, to float64, rule, a, b string, more ...string) {
		all = append(all, meeting{float64(d)*24 + from + (to-from)*r.Float64(), rule, a, b, more})
	}
	address := func() string { return fmt.Sprintf("198.%d.%d.%d", 18+r.IntN(2), r.IntN(256), 1+r.IntN(254)) }
	fresh := 0
	for n := range 40 {
		user := fmt.Sprint("person", n)
		hosts := []string{fmt.Sprint("ws", n)}
		for range 2 + r.IntN(3) {
			hosts = append(hosts, fmt.Sprint("srv", r.IntN(12)))
		}
		phone := r.IntN(4)
		home := ""
		for d := range days {
			if d%3 == 0 {
				home = fmt.Sprintf("100.%d.%d.%d", 64+n, 2+r.IntN(2), 1+r.IntN(254))
			}
			if d%7 >= 5 {
				continue
			}
			if r.Float64() < 0.03 {
				hosts = append(hosts, fmt.Sprint("srv", r.IntN(12)))
			}
			if d == 14 {
				hosts = append(hosts, "files-new")
			}
			for range 6 {
				put(d, 8, 17, "pairs.user-host", user, hosts[r.IntN(len(hosts))], "source.ip", fmt.Sprintf("10.2.0.%d", n), "source.geo.country_iso_code", "DE")
			}
			put(d, 18, 22, "pairs.user-source", user, home, "host.name", "vpn", "source.geo.country_iso_code", "DE")
			if r.Float64() < 0.4 {
				put(d, 7, 20, "pairs.user-source", user, fmt.Sprintf("100.120.%d.%d", phone, 1+r.IntN(254)), "host.name", "vpn", "source.geo.country_iso_code", "DE")
			}
			if r.Float64() < 0.01 {
				put(d, 18, 22, "pairs.user-source", user, address(), "host.name", "vpn", "source.geo.country_iso_code", "DE")
			}
			if r.Float64() < 0.005 {
				put(d, 18, 22, "pairs.user-country", user, []string{"FR", "AT", "US"}[r.IntN(3)], "host.name", "vpn", "source.ip", address())
			}
			for range 40 {
				child := fmt.Sprint("program", int(12*math.Pow(r.Float64(), 2)), ".exe")
				if r.Float64() < 0.0001 {
					fresh++
					child = fmt.Sprint("setup", fresh, ".exe")
				}
				put(d, 8, 17, "pairs.process-parent", "explorer.exe", child)
			}
			workstation := fmt.Sprintf("10.2.0.%d", n)
			for range 30 {
				put(d, 8, 17, "pairs.host-destination", workstation, fmt.Sprintf("www.site%d.example", int(400*math.Pow(r.Float64(), 2))))
			}
			for range 3 {
				fresh++
				put(d, 8, 17, "pairs.host-destination", workstation, fmt.Sprintf("www.page%d.example", fresh))
			}
		}
	}
	for n := range 20 {
		server := fmt.Sprintf("10.3.0.%d", 1+n)
		to := make([]string, 2+r.IntN(5))
		for i := range to {
			to[i] = address()
		}
		for d := range days {
			if r.Float64() < 0.02 {
				to = append(to, address())
			}
			for _, t := range to {
				put(d, 0, 24, "pairs.host-destination", server, t)
			}
		}
	}
	return all
}

func (p *meeting) event() event.Event {
	f := []event.Field{{Name: "event.dataset", Value: "l"}}
	add := func(name, value string) { f = append(f, event.Field{Name: name, Value: value}) }
	switch p.rule {
	case "pairs.process-parent":
		add("event.category", "process")
		add("event.type", "start")
		add("process.parent.name", p.a)
		add("process.name", p.b)
	case "pairs.host-destination":
		add("event.category", "network")
		add("source.ip", p.a)
		if p.b[0] < 'a' {
			add("destination.ip", p.b)
		} else {
			add("destination.domain", p.b)
		}
	default:
		add("event.category", "authentication")
		add("event.outcome", "success")
		add("user.name", p.a)
		add(map[string]string{"pairs.user-host": "host.name", "pairs.user-source": "source.ip", "pairs.user-country": "source.geo.country_iso_code"}[p.rule], p.b)
	}
	for i := 0; i < len(p.more); i += 2 {
		add(p.more[i], p.more[i+1])
	}
	return event.Event{Time: peopleStart.Add(time.Duration(p.hour * float64(time.Hour))).UnixNano(), Fields: f}
}

// firsts asks pairs for what never was before, put into the third and fourth week of an invented company; beside it, to tell every pair that is new after a
// week, and to rank them by how many the left side has.
func (m *measurement) firsts() error {
	const days, each = 28, 5
	type leftDay struct {
		rule, a string
		day     int
	}
	score := map[string][]float64{}
	simple := map[string][]float64{}
	truth := map[string][]bool{}
	planted, found, wrong, told := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	lefts := map[string]int{}
	class := func(rule, a string) string {
		if rule == "pairs.host-destination" && a[:5] == "10.2." {
			return rule + ", workstations"
		}
		return rule
	}
	for _, seed := range m.seeds {
		r := rand.New(rand.NewPCG(seed, 9))
		all := meetings(r, days)
		plant := map[leftDay]bool{}
		for _, f := range firstRules {
			for range each {
				d := 14 + r.IntN(12)
				for d%7 >= 5 {
					d--
				}
				h := float64(d)*24 + 8 + 9*r.Float64()
				user := fmt.Sprint("person", r.IntN(40))
				one := func(b string, more ...string) { all = append(all, meeting{h, f.rule, user, b, more}) }
				switch f.rule {
				case "pairs.user-host":
					n := 0
					for _, s := range r.Perm(12) {
						host := fmt.Sprint("srv", s)
						if n < 3 && !slices.ContainsFunc(all, func(p meeting) bool { return p.a == user && p.b == host }) {
							one(host, "source.ip", "10.2.0."+user[6:])
							n++
						}
					}
				case "pairs.user-source":
					one(fmt.Sprintf("203.0.113.%d", 1+r.IntN(254)), "host.name", "vpn", "source.geo.country_iso_code", "DE")
				case "pairs.user-country":
					one([]string{"BR", "CN", "NG", "RU"}[r.IntN(4)], "host.name", "vpn", "source.ip", fmt.Sprintf("203.0.113.%d", 1+r.IntN(254)))
				case "pairs.process-parent":
					user = "explorer.exe"
					one(fmt.Sprintf("tool%d.exe", r.IntN(1000)))
				default:
					user = fmt.Sprintf("10.3.0.%d", 1+r.IntN(20))
					rule := f.rule
					if rule != "pairs.host-destination" {
						rule, user = "pairs.host-destination", fmt.Sprintf("10.2.0.%d", r.IntN(40))
					}
					all = append(all, meeting{h, rule, user, fmt.Sprintf("192.0.2.%d", 1+r.IntN(254)), nil})
				}
				k := leftDay{f.rule, user, d}
				if !plant[k] {
					plant[k] = true
					planted[f.rule]++
				}
			}
		}
		slices.SortStableFunc(all, func(a, b meeting) int { return cmp.Compare(a.hour, b.hour) })
		t := technique("pairs")
		seen := map[[3]string]bool{}
		news, sides := map[leftDay]float64{}, map[leftDay]bool{}
		for chunk := range slices.Chunk(all, 4096) {
			var b event.Batch
			for i := range chunk {
				p := &chunk[i]
				b.Events = append(b.Events, p.event())
				k := leftDay{class(p.rule, p.a), p.a, int(p.hour / 24)}
				sides[k] = true
				if strings.HasPrefix(p.rule, "pairs.user-") {
					for _, f := range firstRules[:3] {
						sides[leftDay{f.rule, p.a, k.day}] = true
					}
				}
				if x := [3]string{p.rule, p.a, p.b}; !seen[x] {
					seen[x] = true
					if k.day >= 7 {
						news[k]++
					}
				}
			}
			if d := t.Digest("", &b); d != nil {
				t.Merge(d)
			}
		}
		findings, err := t.Findings(context.Background(), nil)
		if err != nil {
			return err
		}
		scores := map[leftDay]float64{}
		for i := range findings {
			g := &findings[i]
			a := ""
			switch {
			case g.Rule.ID == "pairs.process-parent":
				a = "explorer.exe"
			case g.Rule.ID == "pairs.host-destination":
				a = g.Entities.Sources[0]
			default:
				a = g.Entities.Users[0]
			}
			k := leftDay{class(g.Rule.ID, a), a, hourSince(g.First) / 24}
			told[k.rule]++
			scores[k] = max(scores[k], g.Surprise)
			if !plant[k] {
				// A login from a new country is from a new address as well.
				if (k.rule == "pairs.user-source" || k.rule == "pairs.user-country") && (plant[leftDay{"pairs.user-country", a, k.day}] || plant[leftDay{"pairs.user-source", a, k.day}]) {
					told[k.rule]--
					continue
				}
				wrong[k.rule]++
				if m.verbose {
					fmt.Printf("seed %d, %s, %.1f bits: %s\n", seed, g.Level, g.Surprise, g.Explanation)
				}
			}
		}
		for k := range plant {
			if scores[k] > 0 {
				found[k.rule]++
			} else if m.verbose {
				fmt.Printf("seed %d, missed: %+v\n", seed, k)
			}
		}
		for k := range sides {
			lefts[k.rule]++
			if k.day >= 7 {
				score[k.rule], simple[k.rule], truth[k.rule] = append(score[k.rule], scores[k]), append(simple[k.rule], news[k]), append(truth[k.rule], plant[k])
			}
		}
	}
	header(fmt.Sprintf("pairs: seeds %v, %d days; days of left sides after the first week", m.seeds, days))
	for _, f := range firstRules {
		show(fmt.Sprintf("%s (%d days, %d true)", f.rule, len(truth[f.rule]), trues(truth[f.rule])), learn.Measure(score[f.rule], truth[f.rule]))
		show("  simply: pairs that are new", learn.Measure(simple[f.rule], truth[f.rule]))
		n, hit := 0, 0
		for i, v := range simple[f.rule] {
			if v > 0 {
				n++
				if truth[f.rule][i] {
					hit++
				}
			}
		}
		fmt.Printf("  %s: %d told, precision %s, recall %s, mistaken a hundred left sides and day %.2f; if every new pair is told: precision %s, recall %s\n", f.planted, told[f.rule],
			share(told[f.rule]-wrong[f.rule], told[f.rule]), share(found[f.rule], planted[f.rule]), 100*float64(wrong[f.rule])/float64(lefts[f.rule]), share(hit, n), share(hit, trues(truth[f.rule])))
	}
	return nil
}
