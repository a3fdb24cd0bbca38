package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/enrich/geofile"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/simulate"
	"github.com/sextant-logs/sextant/internal/store"
)

// question is what is asked of a technique: which entities it should name, by what an
// intrusion's records say and never by what they were made for, and what a simple means would go by.
type question struct {
	technique string
	means     []string                  // ATT&CK techniques that it is meant to see; a sub-technique counts as such
	fields    []string                  // who is named
	truth     string                    // in words
	least     int                       // true from so many records on that are
	of        func(e *event.Event) bool // of the kind that it looks at; nil is any
	simply    string                    // in words
	by        func(of *facts, entity string) float64
}

var questions = []question{
	{"beacon", []string{"T1071.001"}, []string{"source.ip"}, "sources that call out 20 times and more", 20, func(e *event.Event) bool {
		return e.Get("destination.ip") != "" && e.Get("dns.question.name") == "" // a resolver answers, it does not call
	},
		"contacts with one destination", func(f *facts, e string) float64 { return f.contacts[e] }},
	{"tunnel", []string{"T1071.004"}, []string{"source.ip"}, "sources that look up names that carry data, resolvers left out", 100, has("dns.question.name"),
		"different names looked up", func(f *facts, e string) float64 { return f.names[e] }},
	{"generated", []string{"T1568.002"}, []string{"source.ip"}, "sources that look for a made-up domain, resolvers left out", 10, has("dns.question.name"),
		"different names looked up", func(f *facts, e string) float64 { return f.names[e] }},
	{"fan", []string{"T1046", "T1110.003"}, []string{"source.ip"}, "sources that scan or spray", 10, has("source.ip"),
		"destinations and ports, or accounts, in an hour", func(f *facts, e string) float64 { return f.fan[e] }},
	{"volume", []string{"T1048", "T1567", "T1041"}, []string{"source.ip"}, "sources that send 10 MB out and more at once", 1, func(e *event.Event) bool { return number(e.Get("source.bytes")) >= 1e7 },
		"bytes sent in a day", func(f *facts, e string) float64 { return f.bytes[e] }},
	{"long", []string{"T1071", "T1572", "T1090", "T1219"}, []string{"source.ip"}, "sources of connections of an hour and more", 1, func(e *event.Event) bool { return number(e.Get("event.duration")) >= float64(time.Hour) },
		"longest connection", func(f *facts, e string) float64 { return f.longest[e] }},
	{"hours", []string{"T"}, []string{"user.name"}, "accounts known for ten days that are used at a time of day at which they do nothing, within two hours, on nine of ten other days", 1, func(e *event.Event) bool {
		return e.Get("event.outcome") != "failure"
	},
		"records between 20 and 6", func(f *facts, e string) float64 { return f.night[e] }},
	{"travel", []string{"T1078"}, []string{"user.name"}, "accounts that are logged in to from outside, within ten hours of a login from another place", 1, func(e *event.Event) bool {
		return e.Get("event.outcome") == "success" && e.Get("source.geo.location.lat") != ""
	}, "different places of logins", func(f *facts, e string) float64 { return f.places[e] }},
	{"pairs", []string{"T1078", "T1021", "T1550"}, []string{"user.name"}, "accounts that are logged in to from where they never were, from the eighth day on", 1, nil,
		"different sources", func(f *facts, e string) float64 { return f.sources[e] }},
	{"rates", []string{"T1110", "T1039", "T1558", "T1486", "T1046"}, []string{"source.ip", "user.name"}, "of 50 records and more", 50, nil,
		"records in its busiest hour", func(f *facts, e string) float64 { return f.busiest[e] }},
	{"isolation", []string{"T"}, []string{"source.ip", "user.name", "host.name"}, "of any record of an intrusion", 1, nil,
		"records in its busiest hour", func(f *facts, e string) float64 { return f.busiest[e] }},
}

// ownHours are the hours (UTC) of each day on which accounts did something themselves: a bit for each.
type ownHours map[string]map[int64]uint32

func (o ownHours) add(user string, at int64) {
	if o[user] == nil {
		o[user] = map[int64]uint32{}
	}
	o[user][at/int64(24*time.Hour)] |= 1 << (at / int64(time.Hour) % 24)
}

// about is on how many other days than that of at an account did something, and on how many of these within two hours of that time of day.
func (o ownHours) about(user string, at int64) (days, near int) {
	var about uint32
	for off := int64(-2); off <= 2; off++ {
		about |= 1 << ((at/int64(time.Hour) + off + 24) % 24)
	}
	for day, hours := range o[user] {
		if day != at/int64(24*time.Hour) {
			days++
			if hours&about != 0 {
				near++
			}
		}
	}
	return days, near
}

// strange reports whether who knows an account's own life for ten days would know that it is not it that does something then.
func (o ownHours) strange(user string, at int64) bool {
	days, near := o.about(user, at)
	return days >= 10 && near*10 <= days
}

func has(fields ...string) func(*event.Event) bool {
	return func(e *event.Event) bool {
		return slices.ContainsFunc(fields, func(f string) bool { return e.Get(f) != "" })
	}
}

func atNight(e *event.Event) bool {
	h := time.Unix(0, e.Time).UTC().Hour()
	return e.Get("event.outcome") != "failure" && (h >= 20 || h < 6)
}

// facts are what simple means go by, by entity.
type facts struct {
	contacts, names, fan, bytes, longest, night, places, sources, busiest map[string]float64
}

// counter counts different things of each entity within groups; most is the most of any group.
type counter map[string]map[string]map[string]float64

func (c counter) add(entity, group, thing string, n float64) {
	if c[entity] == nil {
		c[entity] = map[string]map[string]float64{}
	}
	if c[entity][group] == nil {
		c[entity][group] = map[string]float64{}
	}
	c[entity][group][thing] += n
}

func (c counter) most(measure func(things map[string]float64) float64) map[string]float64 {
	out := map[string]float64{}
	for e, groups := range c {
		for _, things := range groups {
			out[e] = max(out[e], measure(things))
		}
	}
	return out
}

func different(things map[string]float64) float64 { return float64(len(things)) }

func largest(things map[string]float64) (n float64) {
	for _, v := range things {
		n = max(n, v)
	}
	return n
}

// world is one that was simulated, in a store.
type world struct {
	seed        uint64
	dir         string
	first, last time.Time
	labels      map[string]simulate.Label // by event.id
	geo         *enrich.Geo
}

func (m *measurement) world(seed uint64, dir string) (*world, error) {
	_, err := simulate.Intrusion(filepath.Join(dir, "world"), simulate.Options{Campaigns: []string{"all"}, Days: m.days, Users: m.users, Seed: seed, WindowsJSON: true})
	if err != nil {
		return nil, err
	}
	w := &world{seed: seed, dir: dir, labels: map[string]simulate.Label{}}
	f, err := os.Open(filepath.Join(dir, "world", "labels.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var l simulate.Label
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, err
		}
		w.labels[l.Event] = l
	}
	b, err := os.ReadFile(filepath.Join(dir, "world", "truth.json"))
	if err != nil {
		return nil, err
	}
	var t simulate.Truth
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, err
	}
	if w.first, err = time.Parse(time.RFC3339, t.First); err != nil {
		return nil, err
	}
	if w.last, err = time.Parse(time.RFC3339, t.Last); err != nil {
		return nil, err
	}
	// Each address of the internet lies somewhere else: people log in from their homes, of which they have one.
	cities := []geofile.Place{{Country: "DE", City: "Berlin", Latitude: 52.5, Longitude: 13.4}, {Country: "AU", City: "Sydney", Latitude: -33.9, Longitude: 151.2},
		{Country: "BR", City: "São Paulo", Latitude: -23.5, Longitude: -46.6}, {Country: "JP", City: "Tokyo", Latitude: 35.7, Longitude: 139.7},
		{Country: "US", City: "Seattle", Latitude: 47.6, Longitude: -122.3}, {Country: "ZA", City: "Cape Town", Latitude: -33.9, Longitude: 18.4}}
	var places []geofile.Place
	for _, net := range []string{"198.51.100.0", "203.0.113.0"} {
		a := netip.MustParseAddr(net).As4()
		for i := range 256 {
			a[3] = byte(i)
			p := cities[(i*7+int(a[0]))%len(cities)]
			p.Network = netip.PrefixFrom(netip.AddrFrom4(a), 32)
			places = append(places, p)
		}
	}
	data, err := geofile.Database(places)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "places.mmdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	w.geo, err = enrich.OpenGeo([]string{path})
	return w, err
}

// load reads the evidence as it is now into a new store.
func (w *world) load(name string) (*store.Embedded, error) {
	st, plan, err := pipeline.Load(context.Background(), pipeline.Options{Paths: []string{filepath.Join(w.dir, "world", "evidence")}, Geo: w.geo}, filepath.Join(w.dir, name))
	if err != nil {
		return nil, err
	}
	if plan.Unread {
		return nil, fmt.Errorf("seed %d: evidence could not be read", w.seed)
	}
	return st, nil
}

// records calls fn with each record of a store.
func records(st *store.Embedded, fn func(e *event.Event)) error { return recordsOf(st, "*", fn) }

// recordsOf is records of those that a query finds.
func recordsOf(st *store.Embedded, query string, fn func(e *event.Event)) error {
	fields := []string{"_time", "event.id", "event.dataset", "event.category", "event.type", "event.action", "event.code", "event.outcome", "event.duration", "event.sequence",
		"user.name", "host.name", "source.ip", "source.bytes", "source.geo.location.lat", "destination.ip", "destination.port", "dns.question.name", "process.name", "url.path", "log.file.path", "log.offset"}
	return st.Query(context.Background(), query+` "sextant.time":"" | fields `+strings.Join(fields, ","), func(row []event.Field) error {
		e := detect.Stored(row)
		if e.Time != event.NoTime {
			fn(&e)
		}
		return nil
	})
}

// meant reports whether an ATT&CK technique is one of those, or a sub-technique.
func meant(technique string, by []string) bool {
	return slices.ContainsFunc(by, func(t string) bool { return technique == t || strings.HasPrefix(technique, t+".") || t == "T" })
}

// tally is what came of a question over all worlds.
type tally struct {
	score, simple []float64
	truth, told   []bool
	sure          []bool // told at level low or more

	isolated, rare []float64   // of hours
	rows           [][]float64 // the same, what the forest is given

	findings                    int
	right, other, hostile, free int // of findings: what is meant, another record of an intrusion, noise or lookalikes, plain life
	aloud                       int // of those of plain life, at level low or more
	missed                      []string
}

// simulated lets the techniques look at worlds, and holds who they name against the labels.
func (m *measurement) simulated() error {
	tallies := make([]tally, len(questions))
	var hours [3]tally
	kinds := []string{"user.name", "host.name", "source.ip"}
	others := map[string]*tally{} // techniques that no question is asked of
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			return m.ask(w, st, tallies, hours[:], kinds, others)
		})
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	days := float64(m.days * len(m.seeds))
	fmt.Printf("Simulated worlds: seeds %v, %d days, %d people, every campaign once, without a noise budget\n\n", m.seeds, m.days, m.users)
	fmt.Printf("%-11s %8s  %6s %9s %8s %8s   %s\n", "findings of", "all", "meant", "intrusion", "hostile", "benign", "benign a day, of level low and above")
	line := func(name string, t *tally) {
		fmt.Printf("%-11s %8d  %6d %9d %8d %8d   %.2f, %.2f\n", name, t.findings, t.right, t.other, t.hostile, t.free, float64(t.free)/days, float64(t.aloud)/days)
	}
	for i, q := range questions {
		line(q.technique, &tallies[i])
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		line(name, others[name])
	}
	fmt.Println("(meant: cites a record of what the technique is there for; intrusion: of another step of an intrusion; hostile: noise of the internet, or made to look like it)")
	for i, q := range questions {
		t := &tallies[i]
		fmt.Println()
		header(fmt.Sprintf("%s: %d of %d %s", q.technique, trues(t.truth), len(t.truth), strings.Join(q.fields, ", ")))
		fmt.Printf("  true: %s\n", q.truth)
		own := learn.Measure(t.score, t.truth)
		show("  surprise and level of findings", own)
		show("  simply: "+q.simply, learn.Measure(t.simple, t.truth))
		for _, o := range []struct {
			name string
			told []bool
		}{{"named by any finding", t.told}, {"named at level low or more", t.sure}} {
			hit := 0
			for i := range o.told {
				if o.told[i] && t.truth[i] {
					hit++
				}
			}
			fmt.Printf("  %s: %d, of them true %d: precision %s, recall %s\n", o.name, trues(o.told), hit, share(hit, trues(o.told)), share(hit, trues(t.truth)))
		}
		if len(t.missed) > 0 {
			fmt.Printf("  missed: %s\n", strings.Join(t.missed[:min(len(t.missed), 12)], ", "))
		}
	}
	fmt.Println()
	header("isolation, hours of somebody with a record of an intrusion")
	for i, k := range kinds {
		q := learn.Measure(hours[i].score, hours[i].truth)
		show(fmt.Sprintf("%s (%d hours, %d true)", k, len(hours[i].truth), trues(hours[i].truth)), q)
		show("  the forest alone", learn.Measure(hours[i].isolated, hours[i].truth))
		rare, many := learn.Measure(hours[i].rare, hours[i].truth), learn.Measure(hours[i].simple, hours[i].truth)
		show("  simply: the rarest kind of record", rare)
		show("  simply: number of records", many)
		show("  simply: the highest z-score of a quantity", learn.Measure(zScores(hours[i].rows), hours[i].truth))
		m.floor("simulated: AUC of isolation of "+k, q.AUC, max(0.8, rare.AUC, many.AUC))
	}
	return nil
}

func share(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(n)/float64(of))
}

// within makes a world and takes it away after fn.
func (m *measurement) within(seed uint64, fn func(*world, *store.Embedded) error) error {
	dir, err := os.MkdirTemp("", "techniques")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := m.world(seed, dir)
	if err != nil {
		return err
	}
	defer w.geo.Close()
	st, err := w.load("store")
	if err != nil {
		return err
	}
	defer st.Close()
	return fn(w, st)
}

func (m *measurement) ask(w *world, st *store.Embedded, tallies, hours []tally, kinds []string, others map[string]*tally) error {
	type hourOf struct {
		field, entity string
		hour          int64
	}
	contacts, names, fan, bytes, longest, night, places, sources, busiest := counter{}, counter{}, counter{}, counter{}, counter{}, counter{}, counter{}, counter{}, counter{}
	who := make([]map[string]bool, len(questions))        // everybody
	malicious := make([]map[string]int, len(questions))   // records that are true
	incident := make([]map[string]string, len(questions)) // which
	for i := range questions {
		who[i], malicious[i], incident[i] = map[string]bool{}, map[string]int{}, map[string]string{}
	}
	isolation := technique("isolation")
	bad := map[hourOf]bool{}
	type login struct {
		at        int64
		place     string
		malicious bool
	}
	logins := map[string][]login{}
	used := map[[2]string]bool{}           // account and source, in records that no intrusion caused
	strange := map[string]map[string]int{} // by account, sources of malicious logins
	lives := ownHours{}
	misused := map[string][]int64{} // by account, when it was
	var batch event.Batch
	flush := func() {
		if d := isolation.Digest("", &batch); d != nil {
			isolation.Merge(d)
		}
		batch.Reset()
	}
	resolvers := map[string]bool{} // they ask for others
	eighth := w.first.AddDate(0, 0, 7).UnixNano()
	err := records(st, func(e *event.Event) {
		source, user := e.Get("source.ip"), e.Get("user.name")
		at := time.Unix(0, e.Time).UTC()
		hour, day := at.Format("2006-01-02 15"), at.Format("2006-01-02")
		if source != "" {
			if to := cmp.Or(e.Get("destination.ip"), e.Get("dns.question.name")); to != "" {
				contacts.add(source, "", to, 1)
				fan.add(source, hour, to+" "+e.Get("destination.port"), 1)
			} else if user != "" {
				fan.add(source, hour, user, 1)
			}
			if n := e.Get("dns.question.name"); n != "" {
				names.add(source, "", n, 1)
				if e.Get("destination.port") == "53" {
					resolvers[e.Get("destination.ip")] = true
				}
			}
			if n := e.Get("source.bytes"); n != "" {
				bytes.add(source, day, e.Get("event.dataset"), number(n))
			}
			longest.add(source, e.ID, "", number(e.Get("event.duration")))
			busiest.add(source, hour, "", 1)
		}
		if user != "" {
			if e.Get("event.outcome") != "failure" && w.labels[e.ID].Label != "malicious" {
				lives.add(user, e.Time)
			}
			busiest.add(user, hour, "", 1)
			if atNight(e) {
				night.add(user, "", "", 1)
			}
			if source != "" && e.Get("event.outcome") == "success" {
				if w.labels[e.ID].Label != "malicious" {
					used[[2]string{user, source}] = true
				}
				sources.add(user, "", source, 1)
				if l := e.Get("source.geo.location.lat"); l != "" {
					places.add(user, "", l, 1)
					logins[user] = append(logins[user], login{e.Time, l, w.labels[e.ID].Label == "malicious"})
				}
			}
		}
		if h := e.Get("host.name"); h != "" {
			busiest.add(h, hour, "", 1)
		}
		l, labelled := w.labels[e.ID]
		for i := range questions {
			q := &questions[i]
			for _, f := range q.fields {
				v := e.Get(f)
				if v == "" {
					continue
				}
				who[i][v] = true
				if !labelled || l.Label != "malicious" || !meant(l.Technique, q.means) || q.of != nil && !q.of(e) || q.technique == "pairs" && (e.Time < eighth || e.Get("event.outcome") != "success") {
					continue
				}
				if q.technique == "pairs" {
					if source == "" {
						continue
					}
					if strange[v] == nil {
						strange[v] = map[string]int{}
					}
					strange[v][source]++
				}
				if q.technique == "hours" {
					misused[v] = append(misused[v], e.Time)
				}
				malicious[i][v]++
				incident[i][v] = l.Incident
			}
		}
		if labelled && l.Label == "malicious" {
			for _, k := range kinds {
				bad[hourOf{k, e.Get(k), e.Time / int64(time.Hour)}] = true
			}
		}
		batch.Events = append(batch.Events, *e)
		if len(batch.Events) >= 4096 {
			flush()
		}
	})
	if err != nil {
		return err
	}
	flush()
	f := &facts{contacts: contacts.most(largest), names: names.most(different), fan: fan.most(different), bytes: bytes.most(largest), longest: longest.most(largest),
		night: night.most(largest), places: places.most(different), sources: sources.most(different), busiest: busiest.most(largest)}
	for _, s := range analyze.Scores(isolation) {
		i := slices.Index(kinds, s.Field)
		hours[i].score, hours[i].simple = append(hours[i].score, s.Score), append(hours[i].simple, s.Events)
		hours[i].isolated, hours[i].rare = append(hours[i].isolated, s.Isolated), append(hours[i].rare, s.Rarity)
		hours[i].rows = append(hours[i].rows, s.Bits)
		hours[i].truth = append(hours[i].truth, bad[hourOf{s.Field, s.Entity, s.Hour}])
	}
	findings, _, err := pipeline.Anomalies(context.Background(), st, "*", -1)
	if err != nil {
		return err
	}
	scores := make([]map[string]float64, len(questions))
	sure := make([]map[string]bool, len(questions))
	for i := range scores {
		scores[i], sure[i] = map[string]float64{}, map[string]bool{}
	}
	for k := range findings {
		g := &findings[k]
		i := slices.IndexFunc(questions, func(q question) bool { return q.technique == g.Kind })
		var t *tally
		var means []string
		if i >= 0 {
			t, means = &tallies[i], questions[i].means
		} else {
			if others[g.Kind] == nil {
				others[g.Kind] = &tally{}
			}
			t, means = others[g.Kind], []string{"T"}
		}
		t.findings++
		right, other, hostile := false, false, false
		for _, e := range g.Evidence {
			switch l := w.labels[e.ID]; {
			case l.Label == "malicious" && meant(l.Technique, means):
				right = true
			case l.Label == "malicious":
				other = true
			case l.Label != "":
				hostile = true
			}
		}
		switch {
		case right:
			t.right++
		case other:
			t.other++
		case hostile:
			t.hostile++
		default:
			t.free++
			if analyze.LevelRank(g.Level) > 0 {
				t.aloud++
			}
			if m.verbose {
				fmt.Printf("seed %d, %s, %s: %s\n", w.seed, g.Level, g.Kind, g.Explanation)
			}
		}
		if i < 0 {
			continue
		}
		for _, field := range questions[i].fields {
			for _, v := range map[string][]string{"source.ip": g.Entities.Sources, "user.name": g.Entities.Users, "host.name": g.Entities.Hosts}[field] {
				scores[i][v] = max(scores[i][v], 1e6*float64(1+analyze.LevelRank(g.Level))+min(g.Surprise, 1e5))
				sure[i][v] = sure[i][v] || analyze.LevelRank(g.Level) > 0
			}
		}
	}
	// Only who was elsewhere shortly before or after can have travelled.
	travelled := func(user string) bool {
		return slices.ContainsFunc(logins[user], func(a login) bool {
			return a.malicious && slices.ContainsFunc(logins[user], func(b login) bool {
				return !b.malicious && a.place != b.place && max(a.at-b.at, b.at-a.at) < int64(10*time.Hour)
			})
		})
	}
	for i := range questions {
		q, t := &questions[i], &tallies[i]
		for _, e := range slices.Sorted(maps.Keys(who[i])) {
			is := malicious[i][e] >= q.least
			switch q.technique {
			case "hours":
				is = slices.ContainsFunc(misused[e], func(at int64) bool { return lives.strange(e, at) })
			case "tunnel", "generated":
				is = is && !resolvers[e]
			case "travel":
				is = is && travelled(e)
			case "pairs":
				is = false
				for s := range strange[e] {
					is = is || !used[[2]string{e, s}]
				}
			}
			t.truth, t.score, t.simple = append(t.truth, is), append(t.score, scores[i][e]), append(t.simple, q.by(f, e))
			t.told, t.sure = append(t.told, scores[i][e] > 0), append(t.sure, sure[i][e])
			if is && scores[i][e] == 0 {
				t.missed = append(t.missed, fmt.Sprintf("%s of %d %s", e, w.seed, incident[i][e]))
			}
		}
	}
	return nil
}

func number(s string) float64 {
	var n float64
	fmt.Sscan(s, &n)
	return n
}
