package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// fan finds one that deals with far more others than usual within an hour, or a day: a
// source that fails to log in to many accounts (spraying), an account that many
// sources fail to log in to, a source that contacts many hosts, or many ports of
// one (scanning), or asks a web server for many pages that do not exist. See docs/techniques/fan.md.
type fan struct {
	names   names
	spans   tally[fanPlace, fanSpan]
	tooMany bool
}

type fanKind uint8

const (
	fanUsers   fanKind = iota // accounts that a source failed to log in to
	fanSources                // sources that failed to log in to an account
	fanHosts                  // destinations a source connected to, of one's own network
	fanAbroad                 // and outside: who browses has many
	fanPorts                  // ports of one destination a source connected to
	fanLogins                 // hosts that an account logged in to
)

type fanKey struct {
	kind fanKind
	a, b string
	hour int32
}

// fanPlace is a key by the numbers of its names.
type fanPlace struct {
	kind fanKind
	a, b uint32
	hour int32
}

// fanSpan is what one did in an hour.
type fanSpan struct {
	values      distinct
	tries       tries
	first, last int64
	dataset     string // of the first record
}

const maxFanSpans = 300_000

var _ = register(newFan)

func newFan() Technique { return &fan{} }

// Name implements Technique.
func (*fan) Name() string { return "fan" }

// About implements Technique.
func (*fan) About() string { return "One that deals with many: sprays and scans" }

// Needs implements Technique.
func (*fan) Needs() []string { return []string{"source.ip", "user.name"} }

type fanDigest struct {
	keys  []fanKey
	spans []fanSpan
}

// Digest implements Technique.
func (t *fan) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*fan) digest(_ string, rs *rows) any {
	type key struct {
		packed uint64
		hour   int32
	}
	var t tally[key, fanSpan]
	put := func(r *row, k fanKind, a, b sym, value uint64) {
		s := t.at(key{pack(uint8(k), a, b, 0), hourOf(r.time)})
		if s.tries == (tries{}) {
			s.first, s.last, s.dataset = r.time, r.time, rs.keep(r.dataset)
		}
		s.tries.add(r.kind)
		s.first, s.last = min(s.first, r.time), max(s.last, r.time)
		s.values.add(value)
	}
	for i := range rs.list {
		r := &rs.list[i]
		if r.has(alert) {
			continue
		}
		if r.has(authentication) && r.user != 0 {
			if r.outcome == failure && r.source != 0 {
				put(r, fanUsers, r.source, 0, hashOf(rs.names[r.user]))
				if rs.names[r.user][0] != '(' { // "(unknown)": an account that the log does not name
					put(r, fanSources, r.user, 0, hashOf(rs.names[r.source]))
				}
			}
			if r.outcome == success && r.host != 0 {
				put(r, fanLogins, r.user, 0, hashOf(rs.names[r.host]))
			}
		}
		if r.source != 0 && r.destination != 0 && r.kind&(network|connection) != 0 && r.kind&web == 0 && r.question == "" && r.source != r.destination {
			kind := fanHosts
			if outside(rs.names[r.destination]) {
				kind = fanAbroad
			}
			put(r, kind, r.source, 0, hashOf(rs.names[r.destination]))
			if r.port != 0 {
				put(r, fanPorts, r.source, r.destination, mix(uint64(r.port)))
			}
		}
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &fanDigest{spans: t.vals}
	for _, k := range t.keys {
		d.keys = append(d.keys, fanKey{fanKind(k.packed >> 60), rs.keep(sym(k.packed >> 40 & (1<<20 - 1))), rs.keep(sym(k.packed >> 20 & (1<<20 - 1))), k.hour})
	}
	return d
}

// Merge implements Technique.
func (t *fan) Merge(digest any) {
	d := digest.(*fanDigest)
	for i, k := range d.keys {
		s := &d.spans[i]
		place, known := t.place(k)
		if known {
			_, known = t.spans.index[place]
		}
		if !known {
			if len(t.spans.keys) >= maxFanSpans {
				t.tooMany = true
				continue
			}
			*t.spans.at(fanPlace{k.kind, t.names.number(k.a), t.names.number(k.b), k.hour}) = *s
			continue
		}
		old := t.spans.at(place)
		old.tries.merge(s.tries)
		old.first, old.last = min(old.first, s.first), max(old.last, s.last)
		old.values.merge(&s.values)
	}
}

// place is the place of a key, if its names are known.
func (t *fan) place(k fanKey) (p fanPlace, known bool) {
	p = fanPlace{kind: k.kind, hour: k.hour}
	if p.a, known = t.names.numbers[k.a]; known {
		p.b, known = t.names.numbers[k.b]
	}
	return p, known
}

// key is the key of a place.
func (t *fan) key(p fanPlace) fanKey {
	return fanKey{p.kind, t.names.list[p.a], t.names.list[p.b], p.hour}
}

func (t *fan) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s different sources and accounts an hour: how many others the last of them dealt with was not counted", prose.Number(maxFanSpans))}
}

// fanLeast is how many others within an hour there must be at least: more than
// people come to by mistake.
var fanLeast = map[fanKind]int{fanUsers: 8, fanSources: 12, fanHosts: 25, fanAbroad: 25, fanPorts: 25, fanLogins: 8}

// fanTimes is by how many times one must exceed its own usual, and nine of ten
// of its kind.
const fanTimes = 3

// Findings implements Technique.
func (t *fan) Findings(context.Context, Querier) ([]Finding, error) {
	// What is usual of each, and of its kind, by the hour; hours without are not counted.
	own := map[fanPlace][]fanSpanAt{}
	kinds := map[fanKind][]float64{}
	for i, k := range t.spans.keys {
		n := t.spans.vals[i].values.count()
		kinds[k.kind] = append(kinds[k.kind], float64(n))
		h := k.hour
		k.hour = 0
		own[k] = append(own[k], fanSpanAt{h, float64(n)})
	}
	for _, v := range kinds {
		slices.Sort(v)
	}
	var out []Finding
	type run struct {
		f     Finding
		hour  int32
		most  int
		tries tries
		key   fanPlace
		of    string
	}
	runs := map[fanPlace]*run{}
	var flushed []*run
	ordered := slices.Clone(t.spans.keys)
	byName := func(a, b uint32) int { return cmp.Compare(t.names.list[a], t.names.list[b]) }
	slices.SortFunc(ordered, func(a, b fanPlace) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), byName(a.a, b.a), byName(a.b, b.b), cmp.Compare(a.hour, b.hour))
	})
	for _, k := range ordered {
		s := t.spans.at(k)
		n := s.values.count()
		if n < fanLeast[k.kind] {
			continue
		}
		who := k
		who.hour = 0
		mine, known := usualFan(own[who], k.hour)
		common := ninth(kinds[k.kind], counts(own[who]))
		usual := common
		if known && !(k.kind == fanUsers && outside(t.names.list[k.a])) { // who tries from outside does not vouch for itself
			usual = mine
		}
		if float64(n) < fanTimes*usual {
			continue
		}
		// Spraying tries few passwords on each account; many are one source's guesses at some.
		if k.kind == fanUsers && s.tries.count() > 20*n {
			continue
		}
		r := runs[who]
		if r != nil && k.hour > r.hour+1 {
			flushed = append(flushed, r)
			r = nil
		}
		if r == nil {
			r = &run{key: k, f: Finding{First: s.first, Last: s.last, Datasets: nonEmpty(s.dataset)}}
			r.of = fmt.Sprintf("otherwise %.0f at most in nine of ten hours of its own", mine)
			if usual != mine || !known {
				r.of = fmt.Sprintf("others of its kind %.0f at most in nine of ten hours", common)
			}
			runs[who] = r
		}
		r.hour = k.hour
		r.f.Last = max(r.f.Last, s.last)
		r.tries.merge(s.tries)
		r.most = max(r.most, n)
		r.f.Surprise = max(r.f.Surprise, math.Log2(float64(len(kinds[k.kind])+1))+math.Log2(float64(n)/max(1, usual)))
	}
	for _, k := range ordered { // in the order of keys
		k.hour = 0
		if r := runs[k]; r != nil {
			flushed = append(flushed, r)
			delete(runs, k)
		}
	}
	for _, r := range flushed {
		r.f.describeFan(t.key(r.key), r.most, r.tries, "in an hour", r.of)
		out = append(out, r.f)
	}
	out = append(out, t.slow(ordered, flushedKeys(flushed, func(r *run) fanPlace { return r.key }))...)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// fanSlow is by how many times a day's others must exceed what an hour's must, since a day has more of everything.
const fanSlow = 3

// fanDays is how many other days make known what is usual of one.
const fanDays = 3

// slow tells of those who take their time: too few in each hour, far more than others in a day.
// told are those of whom an hour was told.
func (t *fan) slow(ordered []fanPlace, told map[fanPlace]bool) []Finding {
	type span struct {
		key   fanPlace // of the day's first hour
		n     int
		hours int
		fanSpan
	}
	var days []span
	for i := 0; i < len(ordered); {
		k := ordered[i]
		day, j, sum := floorDiv(int64(k.hour), 24), i, 0
		for ; j < len(ordered); j++ {
			o := ordered[j]
			if o.kind != k.kind || o.a != k.a || o.b != k.b || floorDiv(int64(o.hour), 24) != day {
				break
			}
			sum += t.spans.at(o).values.count()
		}
		s := span{key: k, n: sum, hours: j - i}
		if s.fanSpan = *t.spans.at(k); sum >= fanSlow*fanLeast[k.kind] {
			s.values = distinct{}
			for _, o := range ordered[i:j] {
				from := t.spans.at(o)
				s.values.merge(&from.values)
				if o != k {
					s.tries.merge(from.tries)
				}
				s.first, s.last = min(s.first, from.first), max(s.last, from.last)
			}
			s.n = s.values.count()
		}
		days = append(days, s)
		i = j
	}
	kinds := map[fanKind][]float64{}
	own := map[fanPlace][]float64{}
	for _, s := range days {
		kinds[s.key.kind] = append(kinds[s.key.kind], float64(s.n))
		k := s.key
		k.hour = 0
		own[k] = append(own[k], float64(s.n))
	}
	for _, v := range kinds {
		slices.Sort(v)
	}
	var out []Finding
	for _, s := range days {
		k := s.key
		k.hour = 0
		if s.n < fanSlow*fanLeast[k.kind] || s.hours < 3 || told[k] {
			continue
		}
		usual := ninth(kinds[k.kind], slices.Sorted(slices.Values(own[k])))
		than := fmt.Sprintf("nine of ten days of its kind %.0f at most", usual)
		if o := slices.Sorted(slices.Values(own[k])); len(o) > fanDays && !(k.kind == fanUsers && outside(t.names.list[k.a])) {
			if i, ok := slices.BinarySearch(o, float64(s.n)); ok {
				o = slices.Delete(o, i, i+1)
			}
			usual = percentile(o, 0.5) // most days are as they always are
			than = fmt.Sprintf("on half of its other days %.0f at most", usual)
		}
		if float64(s.n) < fanTimes*usual {
			continue
		}
		if k.kind == fanUsers && s.tries.count() > 20*s.n {
			continue
		}
		f := Finding{First: s.first, Last: s.last, Datasets: nonEmpty(s.dataset),
			Surprise: math.Log2(float64(len(kinds[k.kind])+1)) + math.Log2(float64(s.n)/max(1, usual))}
		f.describeFan(t.key(k), s.n, s.tries, "that day", than)
		f.Level = "low" // a day of slips of many people's hands through one address may be as much
		out = append(out, f)
	}
	return out
}

// ninth is what nine of ten of all stay below but for some of them; both are sorted.
func ninth(all, but []float64) float64 {
	want := 9 * (len(all) - len(but)) / 10
	upTo := func(list []float64, v float64) int {
		return sort.Search(len(list), func(i int) bool { return list[i] > v })
	}
	i := sort.Search(len(all), func(i int) bool { return upTo(all, all[i])-upTo(but, all[i]) > want })
	if i == len(all) {
		return 0
	}
	return all[i]
}

// counts are the counts of spans, sorted.
func counts(spans []fanSpanAt) []float64 {
	var ns []float64
	for _, s := range spans {
		ns = append(ns, s.n)
	}
	slices.Sort(ns)
	return ns
}

// flushedKeys are the keys of what was told.
func flushedKeys[R any](list []R, key func(R) fanPlace) map[fanPlace]bool {
	out := map[fanPlace]bool{}
	for _, r := range list {
		k := key(r)
		k.hour = 0
		out[k] = true
	}
	return out
}

type fanSpanAt struct {
	hour int32
	n    float64
}

// usualFan is what nine of ten of one's other hours stay below; it is not known with fewer than five of them.
func usualFan(all []fanSpanAt, not int32) (most float64, known bool) {
	var vs []float64
	for _, s := range all {
		if s.hour-not > 2 || not-s.hour > 2 {
			vs = append(vs, s.n)
		}
	}
	if len(vs) < 5 {
		return 0, false
	}
	slices.Sort(vs)
	return percentile(vs, 0.9), true
}

func (f *Finding) describeFan(k fanKey, most int, tries tries, in, than string) {
	f.Count = tries.count()
	w := where{}.between(f.First, f.Last).not("event.kind", "alert")
	if (k.kind == fanUsers || k.kind == fanSources) && tries[0] > 0 && tries[1]+tries[2] > 0 {
		w = w.refusals()
	}
	connections := func(w where) where {
		return append(w, `("event.category":"network" or "event.type":"connection" or "event.type":"allowed" or "event.type":"denied")`).not("event.category", "web").any(k.a, "source.ip", "client.ip").some("destination.ip")
	}
	a, b := clip(k.a, 100), clip(k.b, 100)
	when := span(f.First, f.Last)
	f.Level = "low"
	switch k.kind {
	case fanUsers:
		f.Rule = Rule{ID: "fan.spray", Name: "One source, many accounts", FalsePositives: []string{"A proxy or terminal server that many people log in through"}}
		f.Title = "One source fails to log in to many accounts"
		f.Explanation = fmt.Sprintf("source %s failed to log in to %s with %s attempts %s; %s.", a, different(most, f.Count, "account", "different accounts"), prose.Number(f.Count), when, than)
		f.Techniques, f.Tactics = []string{"T1110.003"}, []string{"credential-access"}
		f.Entities.Sources = []string{k.a}
		w = w.has("event.category", "authentication").is("event.outcome", "failure").any(k.a, "source.ip", "client.ip").some("user.name", "user.target.name")
		if inside(k.a) {
			f.Level = "medium"
		}
	case fanSources:
		f.Rule = Rule{ID: "fan.distributed", Name: "Many sources, one account", FalsePositives: []string{"A password that was changed while many devices still use the old one"}}
		f.Title = "Many sources fail to log in to one account"
		f.Explanation = fmt.Sprintf("account %s: logins from %s failed, %s attempts %s; %s.", a, different(most, f.Count, "source", "different sources"), prose.Number(f.Count), when, than)
		f.Techniques, f.Tactics = []string{"T1110"}, []string{"credential-access"}
		f.Entities.Users = []string{k.a}
		w = w.has("event.category", "authentication").is("event.outcome", "failure").any(k.a, "user.name", "user.target.name").some("source.ip", "client.ip")
	case fanHosts, fanAbroad:
		where := "of its own network"
		if k.kind == fanAbroad {
			where = "of the internet"
		}
		f.Rule = Rule{ID: "fan.hosts", Name: "One source, many hosts", FalsePositives: []string{"A vulnerability scanner, monitoring or inventory of one's own", "A mail or DNS server"}}
		f.Title = "One source connects to many hosts"
		f.Explanation = fmt.Sprintf("source %s connected to %s %s %s, %s connections %s; %s.", a, different(most, f.Count, "host", "different hosts"), where, in, prose.Number(f.Count), when, than)
		f.Techniques, f.Tactics = []string{"T1018", "T1046"}, []string{"discovery"}
		f.Entities.Sources = []string{k.a}
		w = append(connections(w), `"dns.question.name":""`)
	case fanPorts:
		f.Rule = Rule{ID: "fan.ports", Name: "One source, many ports of a host", FalsePositives: []string{"A vulnerability scanner of one's own", "FTP in passive mode, RPC"}}
		f.Title = "One source connects to many ports of a host"
		f.Explanation = fmt.Sprintf("source %s connected to %s of %s, %s connections %s; %s.", a, different(most, f.Count, "port", "different ports"), b, prose.Number(f.Count), when, than)
		f.Techniques, f.Tactics = []string{"T1046"}, []string{"discovery"}
		f.Entities.Sources, f.Entities.Destinations = []string{k.a}, []string{k.b}
		w = append(connections(w).is("destination.ip", k.b).some("destination.port"), `"dns.question.name":""`)
	case fanLogins:
		f.Rule = Rule{ID: "fan.logins", Name: "One account, many hosts", FalsePositives: []string{"Management software", "An administrator's round"}}
		f.Title = "One account logs in to many hosts"
		f.Explanation = fmt.Sprintf("account %s logged in to %s %s, %s logins %s; %s.", a, different(most, f.Count, "host", "different hosts"), in, prose.Number(f.Count), when, than)
		f.Techniques, f.Tactics = []string{"T1021"}, []string{"lateral-movement"}
		f.Entities.Users = []string{k.a}
		w = w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name").some("host.name", "host.hostname")
	}
	f.Query = w.String()
}
