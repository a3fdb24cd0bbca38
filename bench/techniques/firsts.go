package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
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

// Whose firsts are ranked together: the left sides of a kind. What is planted in them stands in firstPlants.
var firstRules = []string{"pairs.user-host", "pairs.user-host, domain controllers", "pairs.user-source", "pairs.user-source, service accounts", "pairs.user-country", "pairs.process-parent",
	"pairs.process-parent, settled parents", "pairs.host-destination", "pairs.host-destination, workstations", "pairs.host-destination, servers within"}

var firstPlants = []struct{ rule, what string }{
	{"pairs.user-host", "three hosts that the account never was on"},
	{"pairs.user-host, domain controllers", "a login to a domain controller"},
	{"pairs.user-source", "a login from a network that nobody used"},
	{"pairs.user-source, service accounts", "a login of a service account from outside"},
	{"pairs.user-country", "a login from a country that the account never was in"},
	{"pairs.process-parent", "one start of a program that the explorer never starts"},
	{"pairs.process-parent, settled parents", "a shell, started by what never starts anything new"},
	{"pairs.process-parent, settled parents", "a program that nobody has, started by such"},
	{"pairs.host-destination", "a server contacts what nobody did"},
	{"pairs.host-destination, workstations", "a workstation contacts an address without a name"},
	{"pairs.host-destination, workstations", "a workstation contacts a new name thirty times in the hour"},
	{"pairs.host-destination, workstations", "a workstation contacts a new name once"},
	{"pairs.host-destination, servers within", "a server that never contacted the outside does"},
}

// whose is the row of firstRules that a pair belongs to.
func whose(rule, a, b string) string {
	switch {
	case rule == "pairs.user-host" && strings.HasPrefix(b, "dc"):
		return rule + ", domain controllers"
	case rule == "pairs.user-source" && strings.HasPrefix(a, "service"):
		return rule + ", service accounts"
	case rule == "pairs.process-parent" && a != "explorer.exe":
		return rule + ", settled parents"
	case rule == "pairs.host-destination" && a[:5] == "10.2.":
		return rule + ", workstations"
	case rule == "pairs.host-destination" && a[:5] == "10.4.":
		return rule + ", servers within"
	}
	return rule
}

// meetings makes four weeks of an invented company of 40: each has a workstation and two to four of twelve servers, takes up another about once in seven weeks,
// and all get a new one on the 15th day; logs in from the office, from home, whose address changes every third day within its provider's /23, from a
// telephone with one of four networks of a carrier, and in one day of a hundred from a hotel; in one of two hundred from abroad. Its
// programs start twelve others, and one time in 10,000 an installation with a name of its own. 20 servers contact two to six destinations each, and a new one
// in fifty days; 40 workstations look at thirty pages a day of 400, and three that nobody saw before. Three of the people administrate two domain controllers.
// 10 service accounts log in from an address of their own, 10 servers contact two others within and nothing outside. Four programs start one to thirty others, and never
// another.
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
	parents := map[string]int{"services.exe": 30, "w3wp.exe": 2, "winword.exe": 2, "sqlservr.exe": 1}
	for n := range 10 {
		for d := range days {
			for h := range 6 {
				put(d, float64(4*h), float64(4*h+4), "pairs.user-source", fmt.Sprint("service", n), fmt.Sprintf("10.5.0.%d", n+1), "host.name", fmt.Sprint("srv", n), "source.geo.country_iso_code", "")
			}
			for k := range 2 {
				put(d, 0, 24, "pairs.host-destination", fmt.Sprintf("10.4.0.%d", n+1), fmt.Sprintf("10.3.0.%d", 1+(n+7*k)%20))
			}
			if n < 3 && d%7 < 5 {
				for k := range 2 {
					put(d, 8, 17, "pairs.user-host", fmt.Sprint("person", n), fmt.Sprint("dc", k+1), "source.ip", fmt.Sprintf("10.2.0.%d", n), "source.geo.country_iso_code", "DE")
				}
			}
		}
	}
	for d := range days {
		for _, parent := range slices.Sorted(maps.Keys(parents)) {
			for range 60 {
				put(d, 0, 24, "pairs.process-parent", parent, fmt.Sprintf("%s-%d.exe", parent[:3], r.IntN(parents[parent])))
			}
		}
		for range 3 {
			put(d, 8, 17, "pairs.process-parent", "explorer.exe", "cmd.exe")
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
		if p.more[i+1] == "" {
			continue
		}
		add(p.more[i], p.more[i+1])
	}
	return event.Event{Time: peopleStart.Add(time.Duration(p.hour * float64(time.Hour))).UnixNano(), Fields: f}
}

// leftDay is a day of somebody, of whom a rule may tell.
type leftDay struct {
	rule, who string
	day       int
}

// ranking is what a technique and simple means say of days, and what is so.
type ranking struct {
	truth  map[string][]bool      // by rule
	scores map[string][][]float64 // the technique's first
	told   map[string]int         // findings
	wrong  map[string]int         // of nothing that was planted
	days   map[string]int
}

func newRanking() *ranking {
	return &ranking{map[string][]bool{}, map[string][][]float64{}, map[string]int{}, map[string]int{}, map[string]int{}}
}

// add holds findings against the days on which something was planted: of tells of whom and when a finding is (false for one that is not asked for), and what it is worth. It
// returns the days that were told. simple are the days of all, with what simple means say of them.
func (q *ranking) add(m *measurement, seed uint64, findings []analyze.Finding, of func(*analyze.Finding) (leftDay, float64, bool), plant map[leftDay]string, simple map[leftDay][]float64) map[leftDay]float64 {
	scores := map[leftDay]float64{}
	for i := range findings {
		g := &findings[i]
		k, worth, ok := of(g)
		if !ok {
			continue
		}
		q.told[k.rule]++
		scores[k] = max(scores[k], worth)
		if plant[k] == "" {
			q.wrong[k.rule]++
		}
		if m.verbose {
			fmt.Printf("seed %d, %s, %s, %s, %.1f bits: %s\n", seed, map[bool]string{true: "right", false: "mistaken"}[plant[k] != ""], k.rule, g.Level, g.Surprise, g.Explanation)
		}
	}
	for k, what := range plant {
		if m.verbose && scores[k] == 0 {
			fmt.Printf("seed %d, missed: %s, %+v\n", seed, what, k)
		}
	}
	for k, values := range simple {
		q.days[k.rule]++
		q.truth[k.rule] = append(q.truth[k.rule], plant[k] != "")
		values = append([]float64{scores[k]}, values...)
		if q.scores[k.rule] == nil {
			q.scores[k.rule] = make([][]float64, len(values))
		}
		for i, v := range values {
			q.scores[k.rule][i] = append(q.scores[k.rule][i], v)
		}
	}
	return scores
}

// show prints the rows of a rule: the technique, and each simple means.
func (q *ranking) show(rule string, simply ...string) {
	truth := q.truth[rule]
	show(fmt.Sprintf("%s (%d days, %d true)", rule, len(truth), trues(truth)), learn.Measure(q.scores[rule][0], truth))
	for i, name := range simply {
		show("  simply: "+name, learn.Measure(q.scores[rule][i+1], truth))
	}
}

// firsts asks pairs for what never was before, put into the third and fourth week of an invented company; beside it, to tell every pair that is new after a
// week, and to rank them by how many the left side has.
func (m *measurement) firsts() error {
	const days, each = 28, 5
	q := newRanking()
	planted, found := map[string]int{}, map[string]int{}
	for _, seed := range m.seeds {
		r := rand.New(rand.NewPCG(seed, 9))
		all := meetings(r, days)
		plant := map[leftDay]string{}
		for _, f := range firstPlants {
			for range each {
				d := 14 + r.IntN(12)
				for d%7 >= 5 {
					d--
				}
				rule, _, _ := strings.Cut(f.rule, ",")
				h := float64(d)*24 + 8 + 9*r.Float64()
				who := fmt.Sprint("person", 3+r.IntN(37))
				one := func(b string, more ...string) { all = append(all, meeting{h, rule, who, b, more}) }
				switch f.what {
				case "three hosts that the account never was on":
					n := 0
					for _, s := range r.Perm(12) {
						host := fmt.Sprint("srv", s)
						if n < 3 && !slices.ContainsFunc(all, func(p meeting) bool { return p.a == who && p.b == host }) {
							one(host, "source.ip", "10.2.0."+who[6:])
							n++
						}
					}
				case "a login to a domain controller":
					one(fmt.Sprint("dc", 1+r.IntN(2)), "source.ip", "10.2.0."+who[6:], "source.geo.country_iso_code", "DE")
				case "a login from a network that nobody used":
					one(fmt.Sprintf("203.0.113.%d", 1+r.IntN(254)), "host.name", "vpn", "source.geo.country_iso_code", "DE")
				case "a login of a service account from outside":
					who = fmt.Sprint("service", r.IntN(10))
					one(fmt.Sprintf("203.0.113.%d", 1+r.IntN(254)), "host.name", "vpn")
				case "a login from a country that the account never was in":
					one([]string{"BR", "CN", "NG", "RU"}[r.IntN(4)], "host.name", "vpn", "source.ip", fmt.Sprintf("203.0.113.%d", 1+r.IntN(254)))
				case "one start of a program that the explorer never starts":
					who = "explorer.exe"
					one(fmt.Sprintf("tool%d.exe", r.IntN(1000)))
				case "a shell, started by what never starts anything new":
					who = []string{"services.exe", "w3wp.exe", "winword.exe", "sqlservr.exe"}[r.IntN(4)]
					one("cmd.exe")
				case "a program that nobody has, started by such":
					who = []string{"services.exe", "w3wp.exe", "winword.exe", "sqlservr.exe"}[r.IntN(4)]
					one(fmt.Sprintf("tool%d.exe", r.IntN(1000)))
				case "a server contacts what nobody did":
					who = fmt.Sprintf("10.3.0.%d", 1+r.IntN(20))
					one(fmt.Sprintf("192.0.2.%d", 1+r.IntN(254)))
				case "a server that never contacted the outside does":
					who = fmt.Sprintf("10.4.0.%d", 1+r.IntN(10))
					one(fmt.Sprintf("192.0.2.%d", 1+r.IntN(254)))
				case "a workstation contacts an address without a name":
					who = fmt.Sprintf("10.2.0.%d", r.IntN(40))
					one(fmt.Sprintf("192.0.2.%d", 1+r.IntN(254)))
				default:
					who = fmt.Sprintf("10.2.0.%d", r.IntN(40))
					name := fmt.Sprintf("cdn.update%d.example", r.IntN(100000))
					for range map[bool]int{true: 30, false: 1}[strings.Contains(f.what, "thirty")] {
						one(name)
						h += 1.0 / 30
					}
				}
				k := leftDay{f.rule, who, d}
				if plant[k] == "" {
					plant[k] = f.what
					planted[f.what]++
				}
			}
		}
		slices.SortStableFunc(all, func(a, b meeting) int { return cmp.Compare(a.hour, b.hour) })
		seen := map[[3]string]bool{}
		simple := map[leftDay][]float64{}
		events := make([]event.Event, len(all))
		for i := range all {
			p := &all[i]
			events[i] = p.event()
			k := leftDay{whose(p.rule, p.a, p.b), p.a, int(p.hour / 24)}
			if k.day < 7 {
				seen[[3]string{p.rule, p.a, p.b}] = true
				continue
			}
			sides := []leftDay{k}
			if strings.HasPrefix(p.rule, "pairs.user-") {
				for _, rule := range []string{"pairs.user-host", "pairs.user-host, domain controllers", whose("pairs.user-source", p.a, ""), "pairs.user-country"} {
					sides = append(sides, leftDay{rule, p.a, k.day})
				}
			}
			for _, side := range sides {
				if simple[side] == nil {
					simple[side] = []float64{0}
				}
			}
			if x := [3]string{p.rule, p.a, p.b}; !seen[x] {
				seen[x] = true
				simple[k][0]++
			}
		}
		findings, err := ask("pairs", slices.Chunk(events, 4096))
		if err != nil {
			return err
		}
		scores := q.add(m, seed, findings, func(g *analyze.Finding) (leftDay, float64, bool) {
			a, b := "", ""
			switch {
			case g.Rule.ID == "pairs.process-parent":
				a, _, _ = strings.Cut(g.Explanation, " ")
			case g.Rule.ID == "pairs.host-destination":
				a = g.Entities.Sources[0]
			default:
				a = g.Entities.Users[0]
				if g.Rule.ID == "pairs.user-host" {
					b = g.Entities.Hosts[0]
				}
			}
			k := leftDay{whose(g.Rule.ID, a, b), a, hourSince(g.First) / 24}
			// A login from a new country is from a new address as well.
			other := map[string]string{"pairs.user-source": "pairs.user-country", "pairs.user-country": "pairs.user-source"}[k.rule]
			return k, g.Surprise, plant[k] != "" || other == "" || plant[leftDay{other, a, k.day}] == ""
		}, plant, simple)
		for k, what := range plant {
			found[what] += b2i(scores[k] > 0)
		}
	}
	header(fmt.Sprintf("pairs: seeds %v, %d days; days of left sides after the first week", m.seeds, days))
	for _, rule := range firstRules {
		q.show(rule, "pairs that are new")
		n, hit := 0, 0
		for i, v := range q.scores[rule][1] {
			n += b2i(v > 0)
			hit += b2i(v > 0 && q.truth[rule][i])
		}
		fmt.Printf("  %d told, precision %s, mistaken a day %.2f; if every new pair is told: precision %s, mistaken a day %.2f\n", q.told[rule], share(q.told[rule]-q.wrong[rule], q.told[rule]),
			float64(q.wrong[rule])/float64(len(m.seeds)*(days-7)), share(hit, n), float64(n-hit)/float64(len(m.seeds)*(days-7)))
		for _, f := range firstPlants {
			if f.rule == rule {
				fmt.Printf("  %s: %d of %d\n", f.what, found[f.what], planted[f.what])
			}
		}
	}
	return nil
}
