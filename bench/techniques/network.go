package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/store"
)

// life is what goes on in a network anyway: a simulated world less its intrusions, or all real logs of the corpus.
type life struct {
	name   string
	real   bool
	first  time.Time // of the days in which something is put
	days   int
	events []event.Event // in order of time
}

// network puts what malware does into the life of networks, by kind and pace, and asks the techniques of
// the network for it; what they tell of the same life without is mistaken.
func (m *measurement) network() error {
	n := &network{recall: map[string]*rate{}, mistaken: map[string]*mistakes{}, verbose: m.verbose}
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			l := &life{name: fmt.Sprint("world ", seed), first: w.first.Truncate(24*time.Hour).AddDate(0, 0, 1), days: m.days}
			if err := l.read(st, func(e *event.Event) bool { return w.labels[e.ID].Label != "malicious" }); err != nil {
				return err
			}
			return n.live(l)
		})
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	if _, err := os.Stat(m.corpus); err != nil {
		fmt.Println("Real logs: left out, there is no corpus")
	} else if err := n.corpus(m.corpus); err != nil {
		return err
	}
	n.print(m)
	n.floors(m)
	return nil
}

// read takes the records that techniques of the network look at.
func (l *life) read(st *store.Embedded, keep func(*event.Event) bool) error {
	fields := []string{"_time", "event.id", "event.kind", "event.dataset", "event.category", "event.type", "event.action", "event.outcome", "event.duration", "event.start",
		"user.name", "user.target.name", "host.name", "source.ip", "source.port", "source.bytes", "client.ip", "destination.ip", "destination.port", "destination.bytes", "destination.domain", "url.domain", "tls.client.server_name",
		"dns.question.name", "dns.question.type", "dns.response_code", "dns.type", "network.transport", "network.community_id"}
	same := map[string]string{}
	err := st.Query(context.Background(), `(destination.ip:* or dns.question.name:* or url.domain:* or event.category:authentication) "sextant.time":"" | fields `+strings.Join(fields, ","), func(row []event.Field) error {
		e := detect.Stored(row)
		if e.Time != event.NoTime && keep(&e) {
			for i := range e.Fields { // the same few values again and again
				f := &e.Fields[i]
				if v, ok := same[f.Value]; ok {
					f.Value = v
				} else if len(same) < 100_000 {
					same[f.Value] = f.Value
				}
			}
			l.events = append(l.events, e)
		}
		return nil
	})
	slices.SortFunc(l.events, func(a, b event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID)) })
	return err
}

// corpus is the life of all logs of the corpus that tell of networks, whatever wrote them and when.
func (n *network) corpus(dir string) error {
	tmp, err := os.MkdirTemp("", "techniques")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var paths []string
	for _, d := range all {
		// Rules and alerts are no logs of a network.
		if d.IsDir() && !slices.Contains([]string{"sigma", "ait_alert_data_set", "anomaly_sequences", "loghub", "geoip_test_db"}, d.Name()) {
			paths = append(paths, filepath.Join(dir, d.Name()))
		}
	}
	st, _, err := pipeline.Load(context.Background(), pipeline.Options{Paths: paths}, filepath.Join(tmp, "store"))
	if err != nil {
		return err
	}
	defer st.Close()
	l := &life{name: "corpus", real: true, first: time.Date(2018, 3, 24, 0, 0, 0, 0, time.UTC), days: 1}
	if err := l.read(st, func(*event.Event) bool { return true }); err != nil {
		return err
	}
	return n.live(l)
}

// network is what came of it.
type network struct {
	recall   map[string]*rate     // by "technique|table|row|column"
	keys     []string             // in the order in which they came
	mistaken map[string]*mistakes // by "technique|life"
	days     int                  // of simulated life
	verbose  bool
}

type rate struct{ planted, told, low, medium int }

type mistakes struct {
	levels   [3]int // informational, low, medium and more
	examples []string
}

// planted is something put into a life: who does it, and its records.
type planted struct {
	key    string // technique|table|row|column
	who    string
	events []event.Event
}

func (n *network) live(l *life) error {
	if !l.real {
		n.days += l.days
	}
	for _, part := range []func(*life) error{n.generated, n.beacons, n.tunnels, n.fans, n.longs} {
		if err := part(l); err != nil {
			return err
		}
	}
	return nil
}

// digests are what a technique keeps of records, in order of time.
func digests(name string, events []event.Event) (out []any) {
	slices.SortStableFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Time, b.Time) })
	t := technique(name)
	for part := range slices.Chunk(events, 4096) {
		if d := t.Digest("", &event.Batch{Events: part}); d != nil {
			out = append(out, d)
		}
	}
	return out
}

// look has a technique look at what it keeps of records.
func look(name string, digests []any) ([]analyze.Finding, error) {
	t := technique(name)
	for _, d := range digests {
		t.Merge(d)
	}
	return t.Findings(context.Background(), nil)
}

// try looks for what was planted, beside the digests of a life, which Merge must not change.
func (n *network) try(name string, l []any, ps []planted) error {
	var more []event.Event
	for _, p := range ps {
		more = append(more, p.events...)
	}
	found, err := look(name, slices.Concat(l, digests(name, more)))
	if err != nil {
		return err
	}
	for _, p := range ps {
		r := n.at(p.key)
		r.planted++
		level := -1
		for _, f := range found {
			e := &f.Entities
			if slices.Contains(slices.Concat(e.Sources, e.Hosts, e.Users), p.who) {
				level = max(level, analyze.LevelRank(f.Level))
			}
		}
		if level >= 0 {
			r.told++
		}
		if level >= 1 {
			r.low++
		}
		if level >= 2 {
			r.medium++
		}
	}
	return nil
}

// mistakes are what is told of a life in which nothing was put.
func (n *network) mistakes(name, where string, l []event.Event) error {
	found, err := look(name, digests(name, l))
	if err != nil {
		return err
	}
	k := name + "|" + where
	w := n.mistaken[k]
	if w == nil {
		w = &mistakes{}
		n.mistaken[k] = w
	}
	for _, f := range found {
		w.levels[min(2, analyze.LevelRank(f.Level))]++
		w.examples = append(w.examples, f.Level+": "+f.Explanation)
	}
	return nil
}

// where is where mistakes of a life are counted.
func (l *life) where() string {
	if l.real {
		return "real logs"
	}
	return "simulated worlds"
}

func record(at time.Time, fields ...string) event.Event {
	e := event.Event{Time: at.UnixNano()}
	for i := 0; i+1 < len(fields); i += 2 {
		e.Fields = append(e.Fields, event.Field{Name: fields[i], Value: fields[i+1]})
	}
	return e
}

// lookup is a query as Zeek tells of it, or, without an answer, as BIND's query log does.
func lookup(at time.Time, source, name, kind, code string) event.Event {
	if code == "" {
		return record(at, "event.kind", "event", "event.dataset", "bind.query", "event.category", "network", "dns.type", "query", "source.ip", source, "dns.question.name", name, "dns.question.type", kind)
	}
	return record(at, "event.kind", "event", "event.dataset", "zeek.dns", "event.category", "network", "source.ip", source, "source.port", "40000", "destination.ip", "10.20.1.53", "destination.port", "53",
		"dns.question.name", name, "dns.question.type", kind, "dns.response_code", code)
}

// having are the records of a life that have a field.
func having(events []event.Event, field string) (out []event.Event) {
	for _, e := range events {
		if e.Get(field) != "" {
			out = append(out, e)
		}
	}
	return out
}

// without is a copy of records without a field.
func without(events []event.Event, field string) []event.Event {
	out := make([]event.Event, len(events))
	for i, e := range events {
		e.Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f event.Field) bool { return f.Name == field })
		out[i] = e
	}
	return out
}

// as is a copy of records with another source.
func as(events []event.Event, source string) []event.Event {
	out := make([]event.Event, len(events))
	for i, e := range events {
		e.Fields = slices.Clone(e.Fields)
		for j := range e.Fields {
			if e.Fields[j].Name == "source.ip" {
				e.Fields[j].Value = source
			}
		}
		out[i] = e
	}
	return out
}

// bySource are records by source.ip, and the sources in order.
func bySource(events []event.Event) (map[string][]event.Event, []string) {
	out := map[string][]event.Event{}
	for _, e := range events {
		if s := e.Get("source.ip"); s != "" {
			out[s] = append(out[s], e)
		}
	}
	return out, slices.Sorted(maps.Keys(out))
}

// ——— generated domains

// generated puts infected computers into the life of a network: each lives as another does, and looks for its master
// on five days of seven. A fiftieth of what it asks for exists.
func (n *network) generated(l *life) error {
	dns := having(l.events, "dns.question.name")
	by, sources := bySource(dns)
	sources = slices.DeleteFunc(sources, func(s string) bool { return len(by[s]) < 20 })
	if len(sources) == 0 {
		return nil
	}
	unanswered := without(dns, "dns.response_code")
	for i, e := range []([]event.Event){dns, unanswered} {
		if err := n.mistakes("generated", l.where()+[]string{"", ", answers not logged"}[i], e); err != nil {
			return err
		}
	}
	harmless := ordinary(l, by, sources)
	for _, b := range harmless {
		if err := n.mistakes("generated", "of those who only look like it: "+b.key, slices.Concat(dns, b.events)); err != nil {
			return err
		}
		if err := n.mistakes("generated", "of those who only look like it, answers not logged: "+b.key, without(slices.Concat(dns, b.events), "dns.response_code")); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(11, uint64(len(dns))))
	for _, answers := range []bool{true, false} {
		base := dns
		if !answers {
			base = unanswered
		}
		kept, odd, gone := digests("generated", base), 0, 0
		for _, h := range append(harmless, planted{events: base}) {
			o, g := simple(h.events)
			for s := range o {
				odd = max(odd, o[s])
			}
			for s := range g {
				gone = max(gone, g[s])
			}
		}
		for _, pace := range []int{5, 10, 50, 500} {
			// One at a time of each family would take long, all at once would make half of the network ill.
			for group := range slices.Chunk(families, 3) {
				var ps []planted
				for i, f := range group {
					who := fmt.Sprintf("10.99.%d.%d", i, pace%250)
					donor := sources[rng.IntN(len(sources))]
					ev := as(by[donor], who)
					days := 1
					if !l.real {
						days = 5
					}
					start := rng.IntN(max(1, l.days-6))
					for d := range days {
						day := l.first.AddDate(0, 0, start+d)
						for j := range pace {
							at := day.Add(time.Duration(8*3600+rng.IntN(9*3600)) * time.Second)
							code := "NXDOMAIN"
							if rng.IntN(50) == 0 {
								code = "NOERROR"
							}
							ev = append(ev, lookup(at, who, f.domain(day, j), "A", code))
						}
					}
					column := "answers logged"
					if !answers {
						ev, column = without(ev, "dns.response_code"), "not logged"
					}
					ps = append(ps, planted{fmt.Sprintf("generated|%s|%s|%d a day", l.where()+", "+column, f.name, pace), who, ev})
				}
				if err := n.try("generated", kept, ps); err != nil {
					return err
				}
				n.simply(ps, odd, gone, answers)
			}
		}
	}
	return nil
}

// simple counts what simple means go by, on the day of each source on which it is most: different domains whose names have
// 3.5 bits of entropy and more, and different names that do not exist.
func simple(events []event.Event) (odd, gone map[string]int) {
	type day struct {
		source string
		day    int64
	}
	o, g := map[day]map[string]bool{}, map[day]map[string]bool{}
	put := func(m map[day]map[string]bool, k day, name string) {
		if m[k] == nil {
			m[k] = map[string]bool{}
		}
		m[k][name] = true
	}
	for i := range events {
		e := &events[i]
		name := e.Get("dns.question.name")
		d, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(strings.ToLower(name), "."))
		if err != nil || strings.HasSuffix(d, ".arpa") || strings.HasSuffix(d, ".local") {
			continue
		}
		k := day{e.Get("source.ip"), e.Time / int64(24*time.Hour)}
		if label, _, _ := strings.Cut(d, "."); shannon(label) >= 3.5 {
			put(o, k, d)
		}
		if e.Get("dns.response_code") == "NXDOMAIN" {
			put(g, k, name)
		}
	}
	most := func(m map[day]map[string]bool) map[string]int {
		out := map[string]int{}
		for k, v := range m {
			out[k.source] = max(out[k.source], len(v))
		}
		return out
	}
	return most(o), most(g)
}

// simply counts whom simple means would tell of, if they told of who has more than anybody harmless, so that
// they are mistaken in nobody.
func (n *network) simply(ps []planted, odd, gone int, answers bool) {
	for _, p := range ps {
		o, g := simple(p.events)
		parts := strings.Split(p.key, "|")
		n.count(strings.Join([]string{parts[0], parts[1], "(simply: names of high entropy)", parts[3]}, "|"), o[p.who] > odd)
		if answers {
			n.count(strings.Join([]string{parts[0], parts[1], "(simply: names that do not exist)", parts[3]}, "|"), g[p.who] > gone)
		}
	}
}

// count counts one that was planted by a simple means.
func (n *network) count(key string, told bool) {
	r := n.at(key)
	r.planted++
	if told {
		r.told++
		r.low++
	}
}

func (n *network) at(key string) *rate {
	if n.recall[key] == nil {
		n.recall[key] = &rate{}
		n.keys = append(n.keys, key)
	}
	return n.recall[key]
}

func shannon(s string) (h float64) {
	counts := map[rune]int{}
	for _, c := range s {
		counts[c]++
	}
	for _, c := range slices.Sorted(maps.Values(counts)) {
		p := float64(c) / float64(len(s))
		h -= p * math.Log2(p)
	}
	return h
}

// ordinary is what looks up many strange names and is no malware: each as one more computer, or as all of them.
func ordinary(l *life, by map[string][]event.Event, sources []string) []planted {
	rng := rand.New(rand.NewPCG(12, 1))
	letters := func(n int, alphabet string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	const az, hexes, b32 = "abcdefghijklmnopqrstuvwxyz", "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz234567"
	word := func() string { return words[rng.IntN(len(words))] }
	site := func() string { return word() + word() + "." + []string{"com", "net", "de", "org"}[rng.IntN(4)] }
	days := min(l.days, 7)
	make := func(key string, hosts int, each func(who string, day time.Time, at func() time.Time) []event.Event) planted {
		p := planted{key: key}
		for h := range hosts {
			who := fmt.Sprintf("10.98.0.%d", h+1)
			p.events = append(p.events, as(by[sources[rng.IntN(len(sources))]], who)...)
			for d := range days {
				day := l.first.AddDate(0, 0, d)
				p.events = append(p.events, each(who, day, func() time.Time { return day.Add(time.Duration(rng.IntN(86400)) * time.Second) })...)
			}
		}
		return p
	}
	repeat := func(n int, one func() (name, kind, code string)) func(string, time.Time, func() time.Time) []event.Event {
		return func(who string, _ time.Time, at func() time.Time) (out []event.Event) {
			for range n {
				name, kind, code := one()
				out = append(out, lookup(at(), who, name, kind, code))
			}
			return out
		}
	}
	trackers := []string{}
	for range 150 {
		trackers = append(trackers, []string{letters(5+rng.IntN(4), az), word() + "ads", "ad" + word(), word() + "metrics"}[rng.IntN(4)]+".com")
	}
	cdn := []string{} // what the sites that people visit have there
	for range 100 {
		cdn = append(cdn, "d"+letters(13, az+"0123456789")+".cloudfront.net", letters(24, az+"0123456789")+".fastly.net", "r"+letters(1, "123456789")+"---sn-"+letters(8, az+"0123456789")+".googlevideo.com",
			"e"+letters(5, "0123456789")+".dscb.akamaiedge.net")
	}
	return []planted{
		make("content networks, names by hash", 3, repeat(300, func() (string, string, string) {
			return cdn[rng.IntN(len(cdn))], "A", "NOERROR"
		})),
		make("names with a number of each computer", 6, func(who string, _ time.Time, at func() time.Time) (out []event.Event) {
			for range 48 {
				out = append(out, lookup(at(), who, hexOf([]byte(who))+"-8f3e-4c1d-9a77.telemetry.vendor.com", "A", "NOERROR"))
			}
			return out
		}),
		make("senders checked by macros (SPF)", 1, repeat(400, func() (string, string, string) {
			return fmt.Sprintf("%d.%d.%d.%d.spf.iphmx.com", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256)), "A", "NOERROR"
		})),
		make("telemetry of a program that nobody else has, by random number", 1, repeat(100, func() (string, string, string) {
			return letters(8, hexes) + "-" + letters(4, hexes) + "-" + letters(12, hexes) + ".check.analytics.com", "A", "NOERROR"
		})),
		make("DNS blocklists", 1, repeat(2000, func() (string, string, string) {
			return fmt.Sprintf("%d.%d.%d.%d.zen.spamhaus.org", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256)), "A", []string{"NXDOMAIN", "NOERROR"}[rng.IntN(5)/4]
		})),
		make("virus scanners that ask by hash", 6, repeat(150, func() (string, string, string) {
			return []string{letters(26, b32) + "." + letters(26, b32) + ".avqs.mcafee.com", letters(40, hexes) + ".samples.sophosxl.net", letters(32, hexes) + ".malware.hash.cymru.com"}[rng.IntN(3)], []string{"A", "TXT"}[rng.IntN(2)], []string{"NXDOMAIN", "NOERROR"}[rng.IntN(2)]
		})),
		make("reverse lookups", 1, repeat(2000, func() (string, string, string) {
			if rng.IntN(4) == 0 {
				return strings.Join(strings.Split(letters(32, hexes), ""), ".") + ".ip6.arpa", "PTR", "NXDOMAIN"
			}
			return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256)), "PTR", "NXDOMAIN"
		})),
		make("Chrome's random probes", 6, repeat(30, func() (string, string, string) {
			return letters(7+rng.IntN(9), az) + []string{"", ".corp.example.com", ".home", ".lan"}[rng.IntN(4)], "A", "NXDOMAIN"
		})),
		make("names in Punycode", 2, repeat(60, func() (string, string, string) {
			return "xn--" + letters(4+rng.IntN(8), az) + "-" + letters(5, az+"0123456789") + ".com", "A", "NOERROR"
		})),
		make("trackers that the resolver blocks", 8, func(who string, _ time.Time, at func() time.Time) (out []event.Event) {
			for _, t := range trackers {
				if rng.IntN(3) > 0 {
					out = append(out, lookup(at(), who, t, "A", "NXDOMAIN"))
				}
			}
			return out
		}),
		make("a mail server that checks senders", 1, func(who string, _ time.Time, at func() time.Time) (out []event.Event) {
			for range 400 {
				name, code := site(), "NOERROR"
				if rng.IntN(12) == 0 {
					name, code = []string{site(), letters(8, az) + ".com", word() + letters(3, az) + ".info", "mail" + letters(4, "0123456789") + ".top"}[rng.IntN(4)], "NXDOMAIN"
				}
				out = append(out, lookup(at(), who, name, "MX", code), lookup(at(), who, "selector"+letters(1, "123")+"._domainkey."+name, "TXT", code))
			}
			return out
		}),
		make("a crawler that follows old links", 1, repeat(1500, func() (string, string, string) {
			if rng.IntN(15) == 0 {
				return "www." + []string{site(), word() + ".com", word() + "-" + word() + "-" + word() + ".org", letters(4, az) + ".net"}[rng.IntN(4)], "A", "NXDOMAIN"
			}
			return "www." + site(), "A", "NOERROR"
		})),
		make("people who mistype", 4, repeat(3, func() (string, string, string) {
			s := []byte(site())
			s[rng.IntN(5)] = 'a' + byte(rng.IntN(26))
			return string(s), "A", "NXDOMAIN"
		})),
		make("names of services of one's own network", 4, repeat(200, func() (string, string, string) {
			return []string{letters(12, hexes) + ".local", "_" + word() + "._tcp.local", "wpad.home", word() + ".corp.example.com"}[rng.IntN(4)], "A", "NXDOMAIN"
		})),
	}
}

// ——— beacons

// beacons puts programs that call home into the life of a network, by interval, jitter and how long they do.
func (n *network) beacons(l *life) error {
	net := having(l.events, "destination.ip")
	if err := n.mistakes("beacon", l.where(), l.events); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(21, uint64(len(net))))
	var ps []planted
	// call puts one; the second from which a name or address is first contacted is random.
	call := func(table, row, column string, every time.Duration, jitter float64, lasts time.Duration, by day) {
		i := len(ps)
		who, to := fmt.Sprintf("10.97.%d.%d", i/200, 1+i%200), fmt.Sprintf("100.%d.%d.9", 64+i/200, 1+i%200)
		name := fmt.Sprintf("h%d.c2-%d.example", i, i)
		start := l.first
		if spare := time.Duration(l.days)*24*time.Hour - lasts - 48*time.Hour; spare > 0 {
			start = start.Add(36*time.Hour + time.Duration(rng.Int64N(int64(spare))))
		}
		p := planted{key: "beacon|" + l.where() + ", " + table + "|" + row + "|" + column, who: who}
		for at := start; at.Before(start.Add(lasts)); at = at.Add(time.Duration(float64(every) * (1 + jitter*(2*rng.Float64()-1)))) {
			if by.sleeps && (at.Hour() < 8 || at.Hour() >= 18) {
				continue
			}
			size := 300 + rng.IntN(40)
			if by.sizes {
				size = 300 + rng.IntN(3000)
			}
			out := fmt.Sprint(size)
			switch by.through {
			case "":
				p.events = append(p.events, record(at, "event.kind", "event", "event.dataset", "zeek.connection", "event.category", "network", "event.type", "connection", "source.ip", who, "source.bytes", out,
					"destination.ip", to, "destination.port", "443", "destination.bytes", "200", "event.duration", "400000000"))
			case "a proxy":
				p.events = append(p.events, record(at, "event.kind", "event", "event.dataset", "squid.access", "event.category", "web", "event.type", "access", "source.ip", who, "url.domain", name, "http.response.bytes", "900"))
			case "DNS":
				p.events = append(p.events, lookup(at, who, name, "TXT", "NOERROR"))
			case "TLS":
				p.events = append(p.events, record(at, "event.kind", "event", "event.dataset", "suricata.eve", "event.category", "network", "source.ip", who, "destination.ip", to, "destination.port", "443", "tls.client.server_name", name))
			}
		}
		ps = append(ps, p)
	}
	intervals := []struct {
		name  string
		every time.Duration
	}{{"10 s", 10 * time.Second}, {"60 s", time.Minute}, {"5 min", 5 * time.Minute}, {"1 h", time.Hour}, {"4 h", 4 * time.Hour}}
	spans := []struct {
		name  string
		lasts time.Duration
	}{{"12 hours", 12 * time.Hour}, {"a day", 24 * time.Hour}, {"3 days", 72 * time.Hour}, {"7 days", 7 * 24 * time.Hour}}
	for _, i := range intervals {
		for _, j := range []float64{0, 0.1, 0.3, 0.5} {
			for _, s := range spans {
				if i.every < time.Minute && s.lasts > 24*time.Hour {
					continue
				}
				call("connections", fmt.Sprintf("every %s ± %.0f %%", i.name, 100*j), s.name, i.every, j, s.lasts, day{})
			}
		}
	}
	for _, i := range intervals[1:] {
		for _, v := range []struct {
			name string
			by   day
		}{{"from 8 to 18 only", day{sleeps: true}}, {"of any size", day{sizes: true}}, {"of any size, from 8 to 18", day{sizes: true, sleeps: true}}, {"through a proxy", day{through: "a proxy"}}, {"as lookups", day{through: "DNS"}}, {"as TLS", day{through: "TLS"}}} {
			call("± 30 %, three days", v.name, i.name, i.every, 0.3, 72*time.Hour, v.by)
		}
	}
	if err := n.try("beacon", digests("beacon", l.events), ps); err != nil {
		return err
	}
	// RITA's score of each day's connections, and how often who calls whom.
	base := pairsOf(net)
	k, most, w := "beacon|"+l.where()+" (by RITA's score)", 0, &mistakes{}
	for _, d := range base {
		most = max(most, len(d.at))
		if score, ok := d.rita(); ok && score >= 0.7 {
			w.levels[2]++
		} else if ok && score >= 0.5 {
			w.levels[1]++
		}
	}
	if n.mistaken[k] == nil {
		n.mistaken[k] = &mistakes{}
	}
	for i := range w.levels {
		n.mistaken[k].levels[i] += w.levels[i]
	}
	for _, p := range ps {
		parts := strings.Split(p.key, "|")
		if !strings.HasSuffix(parts[1], "connections") {
			continue
		}
		told, many := false, false
		for _, d := range pairsOf(p.events) {
			score, ok := d.rita()
			told = told || ok && score >= 0.7
			many = many || len(d.at) > most
		}
		n.count("beacon|"+parts[1]+"|(RITA's score)|"+parts[3], told)
		n.count("beacon|"+parts[1]+"|(simply: contacts in a day)|"+parts[3], many)
	}
	return nil
}

// day is how a beacon goes about it.
type day struct {
	sleeps, sizes bool
	through       string
}

// contactsOf are a pair's connections on a day, as RITA takes them: it works on the last 24 hours.
type contactsOf struct {
	day   int64 // seconds
	at    []int64
	sizes []float64
}

func pairsOf(events []event.Event) (out []*contactsOf) {
	type pair struct {
		dataset, from, to string
		day               int64
	}
	index := map[pair]*contactsOf{}
	for i := range events {
		e := &events[i]
		if e.Get("dns.question.name") != "" || e.Get("event.kind") == "alert" {
			continue
		}
		s := e.Time / int64(time.Second)
		k := pair{e.Get("event.dataset"), e.Get("source.ip"), e.Get("destination.ip"), s / 86400}
		if from, err := netip.ParseAddr(k.from); err != nil || !from.IsPrivate() {
			continue // RITA looks at what goes from within to outside
		}
		if to, err := netip.ParseAddr(k.to); err != nil || to.IsPrivate() {
			continue
		}
		c := index[k]
		if c == nil {
			c = &contactsOf{day: k.day * 86400}
			index[k] = c
			out = append(out, c)
		}
		c.at = append(c.at, s)
		c.sizes = append(c.sizes, number(e.Get("source.bytes")))
	}
	return out
}

// rita is the score of RITA's documentation (github.com/activecm/rita, docs of the beacon score, default configuration), written anew: the mean
// of how even intervals and sizes are, how flat the 24 hours, and how long it lasts; four contacts at least.
func (c *contactsOf) rita() (float64, bool) {
	slices.Sort(c.at)
	var intervals []float64
	for i := range c.at[1:] {
		if d := c.at[i+1] - c.at[i]; d > 0 {
			intervals = append(intervals, float64(d))
		}
	}
	if len(c.at) < 4 || len(intervals) < 3 {
		return 0, false
	}
	median := func(v []float64) float64 {
		if n := len(v); n%2 == 0 {
			return (v[n/2-1] + v[n/2]) / 2
		}
		return v[len(v)/2]
	}
	even := func(v []float64, otherwise float64) float64 {
		v = slices.Sorted(slices.Values(v))
		n := len(v)
		q1, q2, q3 := median(v[:n/2]), median(v), median(v[(n+1)/2:])
		skew := 0.0
		if q3-q1 >= 10 && q2 != q1 && q2 != q3 {
			skew = math.Abs((q1 + q3 - 2*q2) / (q3 - q1))
		}
		off := make([]float64, n)
		for i, x := range v {
			off[i] = math.Abs(x - q2)
		}
		slices.Sort(off)
		mad := otherwise
		if q2 >= 1 {
			mad = max(0, (q2-median(off))/q2)
		}
		return (1 - skew + mad) / 2
	}
	var bars [24]float64
	for _, s := range c.at {
		bars[(s-c.day)/3600]++
	}
	total, run, longest, sum, squares, highest := 0, 0, 0, 0.0, 0.0, 0.0
	for i := range 48 { // a run may go on from the end to the beginning
		if bars[i%24] > 0 {
			run++
			longest = min(24, max(longest, run))
		} else {
			run = 0
		}
	}
	for _, b := range bars {
		if b > 0 {
			total++
		}
		sum += b
		squares += b * b
		highest = max(highest, b)
	}
	mean := sum / 24
	flat := max(0, 1-math.Sqrt(max(0, squares/24-mean*mean))/mean)
	if total >= 11 { // two heights that most hours have, but one
		heights := map[int]int{}
		width := max(1, math.Round(0.05*highest))
		for _, b := range bars {
			if b > 0 {
				heights[int(b/width)]++
			}
		}
		counts := slices.Sorted(maps.Values(heights))
		two := counts[len(counts)-1]
		if len(counts) > 1 {
			two += counts[len(counts)-2]
		}
		flat = max(flat, min(1, float64(two)/float64(max(1, total-1))))
	}
	lasts := 0.0
	if total >= 6 {
		lasts = min(1, max(float64(c.at[len(c.at)-1]-c.at[0])/86400, float64(longest)/12))
	}
	return (even(intervals, 1) + even(c.sizes, 0) + flat + lasts) / 4, true
}

// ——— tunnels

// tunnels puts programs that send data in names into the life of a network, by encoding and pace.
func (n *network) tunnels(l *life) error {
	dns := having(l.events, "dns.question.name")
	by, sources := bySource(dns)
	sources = slices.DeleteFunc(sources, func(s string) bool { return len(by[s]) < 20 })
	if len(sources) == 0 {
		return nil
	}
	if err := n.mistakes("tunnel", l.where(), dns); err != nil {
		return err
	}
	for _, b := range ordinary(l, by, sources) {
		if err := n.mistakes("tunnel", "of those who only look like it: "+b.key, b.events); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(31, uint64(len(dns))))
	text := func(n int, alphabet string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	labels := func(s string, most int) string {
		var out []string
		for len(s) > most {
			out, s = append(out, s[:most]), s[most:]
		}
		return strings.Join(append(out, s), ".")
	}
	const az, hexes, b32 = "abcdefghijklmnopqrstuvwxyz", "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz012345"
	kinds := []struct {
		name string
		make func(i int) (name, kind string)
	}{
		{"iodine, base 32", func(i int) (string, string) {
			return labels(string(hexes[i%16])+text(90+rng.IntN(110), b32), 57), "NULL"
		}},
		{"iodine, base 64", func(i int) (string, string) {
			return labels(string(hexes[i%16])+text(90+rng.IntN(110), az+strings.ToUpper(az)+"0123456789+-"), 57), "TXT"
		}},
		{"iodine, base 128", func(i int) (string, string) {
			b := make([]byte, 100)
			for j := range b {
				b[j] = (az + strings.ToUpper(az) + "0123456789")[rng.IntN(62)]
				if rng.IntN(2) == 0 {
					b[j] = byte(188 + rng.IntN(65))
				}
			}
			return labels(string(hexes[i%16])+string(b), 57), "NULL"
		}},
		{"iodine, idle", func(i int) (string, string) { return "p" + text(4, b32), "NULL" }},
		{"dnscat2, hexadecimal", func(i int) (string, string) {
			return labels(fmt.Sprintf("%04x01%04x", rng.IntN(65536), 0x5c1d)+text(20+2*rng.IntN(60), hexes), 60), []string{"TXT", "CNAME", "MX"}[i%3]
		}},
		{"dnscat2, idle", func(i int) (string, string) {
			return fmt.Sprintf("%04x015c1d%04x%04x", rng.IntN(65536), i&0xffff, 0x1a2b), []string{"TXT", "CNAME", "MX"}[i%3]
		}},
		{"dns2tcp, base 64", func(i int) (string, string) {
			return labels(text(40+rng.IntN(80), az+strings.ToUpper(az)+"0123456789-/"), 63) + "." + []string{"=auth", "=connect", "r"}[min(i, 2)], "TXT"
		}},
		{"Cobalt Strike, check-in", func(i int) (string, string) { return fmt.Sprintf("%08x.%08x", rng.Uint32(), uint32(0x19997cf2)), "A" }},
		{"Cobalt Strike, data", func(i int) (string, string) {
			return fmt.Sprintf("post.1%s.%d%07x.%08x", text(56, hexes), i%10, i, uint32(0x19997cf2)), "A"
		}},
		{"short pieces in hexadecimal", func(i int) (string, string) { return text(14, hexes), "A" }},
		{"words", func(i int) (string, string) {
			return words[rng.IntN(len(words))] + "-" + words[rng.IntN(len(words))] + "-" + words[rng.IntN(len(words))] + "-" + words[rng.IntN(len(words))], "A"
		}},
	}
	paces := []struct {
		name  string
		every time.Duration
		count int
	}{{"144, 1 in 10 min", 10 * time.Minute, 144}, {"360, 1 a min", time.Minute, 360}, {"600, 10 a min", 6 * time.Second, 600}, {"3600, 1 a second", time.Second, 3600}}
	var ps []planted
	var own []string
	for i, k := range kinds {
		for j, pace := range paces {
			who, zone := fmt.Sprintf("10.96.%d.%d", i, 1+j), fmt.Sprintf("t.zone%c%c.com", 'a'+i, 'a'+j)
			at := l.first.Add(time.Duration(rng.IntN(max(1, l.days-2)))*24*time.Hour + 9*time.Hour)
			p := planted{key: "tunnel|" + l.where() + "|" + k.name + "|" + pace.name, who: who, events: as(by[sources[rng.IntN(len(sources))]], who)}
			for m := range pace.count {
				name, kind := k.make(m)
				p.events = append(p.events, lookup(at.Add(time.Duration(m)*pace.every), who, name+"."+zone, kind, "NOERROR"))
			}
			ps, own = append(ps, p), append(own, zone)
		}
	}
	if err := n.try("tunnel", digests("tunnel", dns), ps); err != nil {
		return err
	}
	// RITA counts names below a domain: a hundred are of low, five hundred of medium severity.
	below := func(events []event.Event) map[string]map[string]bool {
		out := map[string]map[string]bool{}
		for i := range events {
			name := strings.ToLower(events[i].Get("dns.question.name"))
			d, err := publicsuffix.EffectiveTLDPlusOne(name)
			if err != nil || strings.HasSuffix(d, ".arpa") {
				continue
			}
			if out[d] == nil {
				out[d] = map[string]bool{}
			}
			out[d][name] = true
		}
		return out
	}
	for i, p := range ps {
		parts := strings.Split(p.key, "|")
		n.count("tunnel|"+parts[1]+"|(simply: 100 names below a domain)|"+parts[3], len(below(p.events)[strings.TrimPrefix(own[i], "t.")]) >= 100)
	}
	w := &mistakes{}
	for _, b := range append(ordinary(l, by, sources), planted{events: dns}) {
		for _, names := range below(b.events) {
			if len(names) >= 500 {
				w.levels[2]++
			} else if len(names) >= 100 {
				w.levels[1]++
			}
		}
	}
	n.mistaken["tunnel|"+l.where()+" (by names below a domain, with all that only looks like it)"] = w
	return nil
}

// ——— scans and sprays

func connection(at time.Time, from, to string, port int, bytes string) event.Event {
	return record(at, "event.kind", "event", "event.dataset", "zeek.connection", "event.category", "network", "event.type", "connection", "source.ip", from, "source.port", "40000", "destination.ip", to,
		"destination.port", fmt.Sprint(port), "source.bytes", bytes, "destination.bytes", "0", "event.duration", "1000000")
}

func login(at time.Time, user, from, host, outcome string) event.Event {
	return record(at, "event.kind", "event", "event.dataset", "system.auth", "event.category", "authentication", "event.action", "ssh_login", "event.outcome", outcome, "user.name", user, "source.ip", from, "host.name", host)
}

// fans puts scans, sprays and guessing from many sources into the life of a network, by how fast they are.
func (n *network) fans(l *life) error {
	if err := n.mistakes("fan", l.where(), l.events); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(41, uint64(len(l.events))))
	paces := []struct {
		name  string
		every time.Duration
		count int
	}{{"60, 1 a second", time.Second, 60}, {"120, 10 a min", 6 * time.Second, 120}, {"720, 1 a min", time.Minute, 720}, {"144, 1 in 5 min", 5 * time.Minute, 144}, {"72, 1 in 10 min", 10 * time.Minute, 72}, {"24, 1 in 30 min", 30 * time.Minute, 24}}
	kinds := []struct {
		name string
		one  func(who string, i int, at time.Time) event.Event
		who  func(i, j int) string
	}{
		{"hosts scanned from within", func(who string, i int, at time.Time) event.Event {
			return connection(at, who, fmt.Sprintf("10.20.%d.%d", 30+i/250, 1+i%250), 445, "0")
		}, func(i, j int) string { return fmt.Sprintf("10.95.%d.%d", i, 1+j) }},
		{"ports of a host scanned from within", func(who string, i int, at time.Time) event.Event {
			return connection(at, who, "10.20.1.30", 1+i*13%9973, "0")
		}, func(i, j int) string { return fmt.Sprintf("10.95.%d.%d", i, 1+j) }},
		{"ports of a host scanned from outside", func(who string, i int, at time.Time) event.Event {
			return connection(at, who, "192.0.2.10", 1+i*13%9973, "0")
		}, func(i, j int) string { return fmt.Sprintf("100.95.%d.%d", i, 1+j) }},
		{"accounts sprayed from within", func(who string, i int, at time.Time) event.Event {
			return login(at, fmt.Sprint("person", i), who, "dc1", "failure")
		}, func(i, j int) string { return fmt.Sprintf("10.95.%d.%d", i, 1+j) }},
		{"accounts sprayed from outside", func(who string, i int, at time.Time) event.Event {
			return login(at, fmt.Sprint("person", i), who, "vpn1", "failure")
		}, func(i, j int) string { return fmt.Sprintf("100.95.%d.%d", i, 1+j) }},
		{"an account guessed at from many sources", func(who string, i int, at time.Time) event.Event {
			return login(at, who, fmt.Sprintf("100.94.%d.%d", i/250, 1+i%250), "vpn1", "failure")
		}, func(i, j int) string { return fmt.Sprintf("target%d-%d", i, j) }},
		{"hosts logged in to", func(who string, i int, at time.Time) event.Event {
			return login(at, who, "10.20.10.44", fmt.Sprint("server", i), "success")
		}, func(i, j int) string { return fmt.Sprintf("thief%d-%d", i, j) }},
	}
	var ps []planted
	for i, k := range kinds {
		for j, pace := range paces {
			who := k.who(i, j)
			at := l.first.Add(time.Duration(rng.IntN(max(1, l.days-2)))*24*time.Hour + 8*time.Hour)
			p := planted{key: "fan|" + l.where() + "|" + k.name + "|" + pace.name, who: who}
			for m := range pace.count {
				p.events = append(p.events, k.one(who, m, at.Add(time.Duration(m)*pace.every)))
			}
			ps = append(ps, p)
		}
	}
	if err := n.try("fan", digests("fan", l.events), ps); err != nil {
		return err
	}
	return n.busy(l)
}

// busy is what deals with many and is no scan.
func (n *network) busy(l *life) error {
	days := min(l.days, 7)
	rng := rand.New(rand.NewPCG(42, 1))
	hourly := func(first int, many int, one func(i int, at time.Time) event.Event) (out []event.Event) {
		for d := first; d < days; d++ {
			for h := range 24 {
				for i := range many {
					out = append(out, one(i, l.first.AddDate(0, 0, d).Add(time.Duration(h)*time.Hour+time.Duration(rng.IntN(3600))*time.Second)))
				}
			}
		}
		return out
	}
	host := func(i int) string { return fmt.Sprintf("10.20.%d.%d", 30+i/250, 1+i%250) }
	for name, events := range map[string][]event.Event{
		"monitoring that asks 80 hosts an hour": hourly(0, 80, func(i int, at time.Time) event.Event { return connection(at, "10.93.0.1", host(i), 161, "90") }),
		"a domain controller that 200 ask":      hourly(0, 200, func(i int, at time.Time) event.Event { return connection(at, host(i), "10.93.0.2", 389, "900") }),
		"a gateway for 150 destinations an hour": hourly(0, 150, func(i int, at time.Time) event.Event {
			return connection(at, "10.93.0.3", fmt.Sprintf("100.93.%d.%d", rng.IntN(40), 1+rng.IntN(250)), 443, "900")
		}),
		"a mail server": hourly(0, 40, func(i int, at time.Time) event.Event {
			return connection(at, "10.93.0.4", fmt.Sprintf("100.92.%d.%d", rng.IntN(20), 1+rng.IntN(250)), 25, "9000")
		}),
		"a scanner of one's own, every night": func() (out []event.Event) {
			for d := range days {
				for i := range 200 {
					out = append(out, connection(l.first.AddDate(0, 0, d).Add(2*time.Hour+time.Duration(i)*9*time.Second), "10.93.0.5", host(i), 443, "0"))
				}
			}
			return out
		}(),
		"an account that manages 60 servers every night": func() (out []event.Event) {
			for d := range days {
				for i := range 60 {
					out = append(out, login(l.first.AddDate(0, 0, d).Add(3*time.Hour+time.Duration(i)*20*time.Second), "svc-manage", "10.93.0.6", fmt.Sprint("server", i), "success"))
				}
			}
			return out
		}(),
		"a terminal server where 60 people log in, three an hour wrong": hourly(0, 3, func(i int, at time.Time) event.Event {
			return login(at, fmt.Sprint("person", rng.IntN(60)), "10.93.0.7", "dc1", "failure")
		}),
		"a password that 5 devices still have": hourly(0, 5, func(i int, at time.Time) event.Event {
			return login(at, "moved", fmt.Sprintf("10.93.1.%d", i), "mail1", "failure")
		}),
	} {
		found, err := look("fan", digests("fan", slices.Concat(l.events, events)))
		if err != nil {
			return err
		}
		k := "fan|of those who only look like it: " + name
		w := n.mistaken[k]
		if w == nil {
			w = &mistakes{}
			n.mistaken[k] = w
		}
		for _, f := range found {
			if s := strings.Join(slices.Concat(f.Entities.Sources, f.Entities.Users, f.Entities.Destinations), " "); strings.Contains(s, "10.93.") || strings.Contains(s, "svc-manage") || strings.Contains(s, "moved") {
				w.levels[min(2, analyze.LevelRank(f.Level))]++
				w.examples = append(w.examples, f.Level+": "+f.Explanation)
			}
		}
	}
	return nil
}

// ——— long connections

// longs puts connections that stay open into the life of a network, by how they are logged.
func (n *network) longs(l *life) error {
	if err := n.mistakes("long", l.where(), l.events); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(51, uint64(len(l.events))))
	var ps []planted
	spans := []time.Duration{time.Hour + time.Minute, 4*time.Hour + time.Minute, 12*time.Hour + time.Minute, 36*time.Hour + time.Minute}
	for i, k := range []struct {
		name, dataset string
		port          int
		timeout       time.Duration // active timeout of the exporter; 0: told of once, at the end
	}{
		{"Zeek, at its end", "zeek.connection", 443, 0}, {"a firewall, at teardown", "cisco.asa", 443, 0}, {"SSH", "zeek.connection", 22, 0}, {"a VPN's UDP", "zeek.connection", 1194, 0},
		{"flows, a record a minute", "netflow.log", 443, time.Minute}, {"flows, one in five minutes", "netflow.log", 8443, 5 * time.Minute}, {"flows, one in half an hour", "netflow.log", 443, 30 * time.Minute},
	} {
		for j, lasts := range spans {
			who, to := fmt.Sprintf("10.92.%d.%d", i, 1+j), fmt.Sprintf("100.92.%d.%d", 100+i, 1+j)
			start := l.first.Add(time.Duration(rng.IntN(max(1, l.days-3)))*24*time.Hour + time.Duration(rng.IntN(86400))*time.Second)
			p := planted{key: "long|" + l.where() + "|" + k.name + "|" + []string{"1 h", "4 h", "12 h", "36 h"}[j], who: who}
			one := func(end time.Time, d time.Duration) {
				p.events = append(p.events, record(end, "event.kind", "event", "event.dataset", k.dataset, "event.category", "network", "event.type", "connection", "source.ip", who, "source.port", "51515", "destination.ip", to,
					"destination.port", fmt.Sprint(k.port), "source.bytes", "90000", "destination.bytes", "70000", "event.duration", fmt.Sprint(int64(d))))
			}
			if k.timeout == 0 {
				one(start.Add(lasts), lasts)
			} else {
				for at := start; at.Before(start.Add(lasts)); {
					d := k.timeout + time.Duration(rng.IntN(900))*time.Millisecond
					at = at.Add(time.Duration(rng.IntN(10_000)) * time.Millisecond) // until the next packet
					one(at.Add(d), d)
					at = at.Add(d)
				}
			}
			ps = append(ps, p)
		}
	}
	// Flows of everybody else, and a few that everybody holds open, so that there is something to compare with.
	var ordinary []event.Event
	for i := range 20_000 {
		d := time.Duration(rng.ExpFloat64() * float64(20*time.Second))
		ordinary = append(ordinary, record(l.first.Add(time.Duration(rng.Int64N(int64(24*time.Hour)))), "event.kind", "event", "event.dataset", "netflow.log", "event.category", "network", "event.type", "connection",
			"source.ip", fmt.Sprintf("10.91.0.%d", 1+i%200), "source.port", fmt.Sprint(30_000+i), "destination.ip", fmt.Sprintf("100.91.%d.%d", i%7, i%250), "destination.port", []string{"443", "8443"}[i%2], "source.bytes", "900", "destination.bytes", "9000",
			"event.duration", fmt.Sprint(int64(d))))
	}
	for i := range 200 {
		for j := range 9 * 60 {
			at := l.first.Add(8*time.Hour + time.Duration(i)*time.Second + time.Duration(j)*61*time.Second)
			ordinary = append(ordinary, record(at, "event.kind", "event", "event.dataset", "netflow.log", "event.category", "network", "event.type", "connection", "source.ip", fmt.Sprintf("10.91.0.%d", 1+i), "source.port", fmt.Sprint(20_000+i),
				"destination.ip", "100.91.9.9", "destination.port", "5223", "source.bytes", "90", "destination.bytes", "90", "event.duration", "60000000000"))
		}
	}
	if err := n.mistakes("long", "of those who only look like it: messages that 200 computers wait for all day, as flows", ordinary); err != nil {
		return err
	}
	return n.try("long", digests("long", slices.Concat(l.events, ordinary)), ps)
}

// ——— what came of it

// share is how many of those planted were told, over the tables, rows and columns that fit; at level low and more if loud.
func (n *network) share(technique, table, column string, loud bool) float64 {
	told, planted := 0, 0
	for _, k := range n.keys {
		p := strings.Split(k, "|")
		if p[0] != technique || p[1] != table || strings.HasPrefix(p[2], "(") || column != "" && !slices.Contains(strings.Split(column, ";"), p[3]) {
			continue
		}
		r := n.recall[k]
		planted += r.planted
		if loud {
			told += r.low
		} else {
			told += r.told
		}
	}
	return float64(told) / float64(planted)
}

// floors hold what came of it against what was reached.
func (n *network) floors(m *measurement) {
	for _, f := range []struct {
		technique, table, column string
		loud                     bool
		least                    float64
	}{
		{"generated", "simulated worlds, answers logged", "10 a day;50 a day;500 a day", true, 0.95},
		{"generated", "simulated worlds, not logged", "50 a day;500 a day", true, 0.40},
		{"beacon", "simulated worlds, connections", "", false, 0.80},
		{"beacon", "simulated worlds, connections", "a day;3 days;7 days", true, 0.80},
		{"tunnel", "simulated worlds", "", true, 0.75},
		{"fan", "simulated worlds", "60, 1 a second;120, 10 a min;720, 1 a min;144, 1 in 5 min", true, 0.95},
		{"long", "simulated worlds", "", false, 0.95},
	} {
		m.floor(fmt.Sprintf("network: %s, %s %s: told of those planted", f.technique, f.table, f.column), n.share(f.technique, f.table, f.column, f.loud), f.least)
	}
	for _, k := range slices.Sorted(maps.Keys(n.mistaken)) {
		if w := n.mistaken[k]; strings.HasSuffix(k, "|simulated worlds") {
			m.floor("network: mistaken at level medium, "+k, -float64(w.levels[2]), 0)
		}
	}
}

func (n *network) print(m *measurement) {
	fmt.Printf("What malware does, put into the life of networks: simulated worlds (seeds %v, %d days, %d people), and the real logs of the corpus\n", m.seeds, m.days, m.users)
	type table struct {
		technique, name string
		rows, columns   []string
	}
	var tables []*table
	for _, k := range n.keys {
		p := strings.Split(k, "|")
		i := slices.IndexFunc(tables, func(t *table) bool { return t.technique == p[0] && t.name == p[1] })
		if i < 0 {
			i = len(tables)
			tables = append(tables, &table{technique: p[0], name: p[1]})
		}
		t := tables[i]
		if !slices.Contains(t.rows, p[2]) {
			t.rows = append(t.rows, p[2])
		}
		if !slices.Contains(t.columns, p[3]) {
			t.columns = append(t.columns, p[3])
		}
	}
	slices.SortStableFunc(tables, func(a, b *table) int {
		return cmp.Or(cmp.Compare(a.technique, b.technique), cmp.Compare(b.name, a.name))
	})
	for _, t := range tables {
		fmt.Printf("\n%s, %s: told, of them at level low and more, of those planted\n  %-36s", t.technique, t.name, "")
		for _, c := range t.columns {
			fmt.Printf(" %14s", c)
		}
		fmt.Println()
		sums := make([]rate, len(t.columns))
		line := func(name string, cells []rate) {
			fmt.Printf("  %-36s", name)
			for _, r := range cells {
				fmt.Printf(" %14s", fmt.Sprintf("%d %d / %d", r.told, r.low, r.planted))
			}
			fmt.Println()
		}
		for _, r := range t.rows {
			var cells []rate
			for i, c := range t.columns {
				cell := rate{}
				if v := n.recall[t.technique+"|"+t.name+"|"+r+"|"+c]; v != nil {
					cell = *v
				}
				cells = append(cells, cell)
				if !strings.HasPrefix(r, "(") {
					sums[i].planted += cell.planted
					sums[i].told += cell.told
					sums[i].low += cell.low
				}
			}
			line(r, cells)
		}
		line("all", sums)
	}
	fmt.Printf("\nmistaken: told where nothing was put (simulated: %d days)\n  %-70s %13s %5s %7s\n", n.days, "", "informational", "low", "medium")
	for _, k := range slices.Sorted(maps.Keys(n.mistaken)) {
		w := n.mistaken[k]
		fmt.Printf("  %-70s %13d %5d %7d\n", strings.ReplaceAll(k, "|", ", "), w.levels[0], w.levels[1], w.levels[2])
		if n.verbose {
			for _, e := range w.examples {
				fmt.Println("     ", e)
			}
		}
	}
}
