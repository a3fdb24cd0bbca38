package analyze

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// pairs finds what two had to do with each other for the first time, where new
// pairs are rare: an account and the host or source it logs in to and from, or
// the country; a computer and what it contacts; and programs that a parent hardly ever
// starts. See docs/techniques/pairs.md.
type pairs struct {
	pairs   map[boundKey]*bound
	order   []boundKey
	left    map[leftKey]*leftSide
	lefts   []leftKey
	tooMany [pairKinds]bool
	remarks []string
}

type pairKind uint8

const (
	pairUserHost pairKind = iota
	pairUserSource
	pairUserCountry
	pairParentProcess
	pairHostDestination
	pairKinds = 5
)

var pairNames = [pairKinds]string{"accounts and hosts", "accounts and sources", "accounts and countries", "programs and their parents", "computers and what they contact"}

type boundKey struct {
	kind pairKind
	a, b string
}

// bound is what is known of a pair.
type bound struct {
	first, last int64
	count       int
	dataset     string // of the first record
}

type leftKey struct {
	kind pairKind
	a    string
}

// leftSide is what is known of the left of pairs: on which days it was seen.
type leftSide struct {
	days  []int32 // sorted
	count int
}

const (
	maxBounds = 100_000 // of each kind
	maxDays   = 5_000
)

var _ = register(newPairs)

func newPairs() Technique {
	return &pairs{pairs: map[boundKey]*bound{}, left: map[leftKey]*leftSide{}}
}

// Name implements Technique.
func (*pairs) Name() string { return "pairs" }

// About implements Technique.
func (*pairs) About() string { return "First-seen pairs: who dealt with what for the first time" }

// Needs implements Technique.
func (*pairs) Needs() []string { return []string{"user.name", "process.parent.name", "destination.ip"} }

type pairsDigest struct {
	keys []boundKey
	vals []bound
	days [][]int32 // of the pair, in the batch
}

// Digest implements Technique.
func (t *pairs) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*pairs) digest(_ string, rs *rows) any {
	type value struct {
		bound
		days []int32
	}
	var t tally[uint64, value]
	inner := map[sym]bool{}
	put := func(r *row, kind pairKind, a, b sym) {
		if a == 0 || b == 0 {
			return
		}
		v := t.at(pack(uint8(kind), a, b, 0))
		if v.count == 0 {
			v.first, v.last, v.dataset = r.time, r.time, rs.keep(r.dataset)
		}
		v.count++
		if r.time < v.first {
			v.first, v.dataset = r.time, rs.keep(r.dataset)
		}
		v.last = max(v.last, r.time)
		v.days = withDay(v.days, dayOf(r.time))
	}
	for i := range rs.list {
		r := &rs.list[i]
		if r.has(authentication) && r.outcome == success {
			put(r, pairUserHost, r.user, r.host)
			put(r, pairUserSource, r.user, r.source)
			put(r, pairUserCountry, r.user, r.country)
		}
		if r.has(processes) && r.kind&ended == 0 {
			put(r, pairParentProcess, r.parent, r.process)
		}
		if r.source != 0 && r.question == "" && r.kind&(network|connection|alert) == network {
			in, ok := inner[r.source]
			if !ok {
				in = inside(rs.names[r.source])
				inner[r.source] = in
			}
			if in {
				to := r.domain
				if to == 0 {
					to = r.destination
				}
				put(r, pairHostDestination, r.source, to)
			}
		}
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &pairsDigest{}
	for i, k := range t.keys {
		key := boundKey{pairKind(k >> 60), rs.keep(sym(k >> 40 & (1<<20 - 1))), rs.keep(sym(k >> 20 & (1<<20 - 1)))}
		if key.kind == pairParentProcess {
			key.a, key.b = strings.ToLower(key.a), strings.ToLower(key.b)
		}
		d.keys, d.vals, d.days = append(d.keys, key), append(d.vals, t.vals[i].bound), append(d.days, t.vals[i].days)
	}
	return d
}

// withDay adds a day to sorted ones.
func withDay(days []int32, d int32) []int32 {
	if n := len(days); n > 0 && days[n-1] == d {
		return days
	}
	i, found := slices.BinarySearch(days, d)
	if found || len(days) >= maxDays {
		return days
	}
	return slices.Insert(days, i, d)
}

// Merge implements Technique.
func (t *pairs) Merge(digest any) {
	d := digest.(*pairsDigest)
	for i, k := range d.keys {
		from := d.vals[i]
		lk := leftKey{k.kind, k.a}
		l := t.left[lk]
		if l == nil {
			if len(t.left) >= maxBounds {
				t.tooMany[k.kind] = true
				continue
			}
			l = &leftSide{}
			t.left[lk] = l
			t.lefts = append(t.lefts, lk)
		}
		l.count += from.count
		for _, day := range d.days[i] {
			l.days = withDay(l.days, day)
		}
		p := t.pairs[k]
		if p == nil {
			if len(t.pairs) >= pairKinds*maxBounds {
				t.tooMany[k.kind] = true
				continue
			}
			t.pairs[k] = &from
			t.order = append(t.order, k)
			continue
		}
		p.count += from.count
		if from.first < p.first {
			p.first, p.dataset = from.first, from.dataset
		}
		p.last = max(p.last, from.last)
	}
}

func (t *pairs) limits() []string {
	out := slices.Clone(t.remarks)
	for k, many := range t.tooMany {
		if many {
			out = append(out, fmt.Sprintf("too many different %s: the last of them were not kept, and nothing is called new among them", pairNames[k]))
		}
	}
	return out
}

// How new pairs are judged.
const (
	learning   = 7   // days after its first record in which whatever one does is new
	fewActive  = 5   // days one must have been seen before
	oftenNew   = 0.2 // new pairs a day and left side, from which on new is not news
	newBits    = 5
	rareCount  = 2   // records of a pair at most, to be rare
	rareParent = 500 // records of its parent at least
	rareShare  = 0.01
)

// Findings implements Technique.
func (t *pairs) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	t.remarks = nil
	rights := [pairKinds]map[string][]int64{} // first times with each left side
	news := map[leftKey][]boundKey{}          // pairs that began after the learning period
	for k := range rights {
		rights[k] = map[string][]int64{}
	}
	for _, k := range t.order {
		p := t.pairs[k]
		rights[k.kind][k.b] = append(rights[k.kind][k.b], p.first)
		l := t.left[leftKey{k.kind, k.a}]
		if dayOf(p.first)-l.days[0] >= learning {
			news[leftKey{k.kind, k.a}] = append(news[leftKey{k.kind, k.a}], k)
		}
	}
	// How often new pairs come, a day that the left side is seen after it was learnt: of the whole kind.
	var new, seen [pairKinds]float64
	after := func(l *leftSide) float64 {
		i, _ := slices.BinarySearch(l.days, l.days[0]+learning)
		return float64(len(l.days) - i)
	}
	for _, lk := range t.lefts {
		new[lk.kind] += float64(len(news[lk]))
		seen[lk.kind] += after(t.left[lk])
	}
	for kind := range pairKind(pairKinds) {
		if t.tooMany[kind] || kind == pairParentProcess {
			continue
		}
		if seen[kind] > 0 && new[kind]/seen[kind] > oftenNew {
			t.remarks = append(t.remarks, fmt.Sprintf("of %s, new pairs are too common to be news: %.1f a day and each", pairNames[kind], new[kind]/seen[kind]))
		}
	}
	for _, lk := range t.lefts {
		l := t.left[lk]
		pooled := (new[lk.kind] + 0.5) / (seen[lk.kind] + 1)
		if t.tooMany[lk.kind] || pooled > oftenNew && lk.kind != pairParentProcess {
			continue
		}
		for _, k := range news[lk] {
			p := t.pairs[k]
			before, _ := slices.BinarySearch(l.days, dayOf(p.first))
			if before < fewActive {
				continue
			}
			// One's own rate, with the kind's as what is thought before one is known (a gamma prior).
			rate := float64(len(news[lk])) / (after(l) + 1/pooled)
			bits := -math.Log2(-math.Expm1(-rate))
			known := 0 // left sides that had to do with b before
			for _, first := range rights[k.kind][k.b] {
				if first < p.first {
					known++
				}
			}
			if known == 0 {
				bits++
			}
			if bits < newBits || lk.kind == pairParentProcess {
				continue
			}
			out = append(out, t.newPair(k, p, l, before, known, bits))
		}
	}
	return append(out, t.rare()...), nil
}

func (t *pairs) newPair(k boundKey, p *bound, l *leftSide, before, known int, bits float64) Finding {
	f := Finding{Level: "informational", First: p.first, Last: min(p.last, p.first+day), Datasets: nonEmpty(p.dataset), Surprise: bits}
	w := where{}.between(f.First, f.Last)
	a, b := clip(k.a, 100), clip(k.b, 100)
	login := func(w where) where {
		return w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name")
	}
	others := "nobody else had before"
	if known > 0 {
		others = plural(known, "other", "others") + " had before"
	}
	since := fmt.Sprintf("in %s before that it was seen", plural(before, "day", "days"))
	switch k.kind {
	case pairUserHost:
		f.Title = "An account logs in to a host for the first time"
		f.Explanation = fmt.Sprintf("account %s logged in to %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.user-host", Name: "New host of an account", FalsePositives: []string{"A new task", "A new host"}}
		f.Techniques, f.Tactics = []string{"T1078"}, []string{"initial-access", "lateral-movement"}
		f.Entities = Entities{Users: []string{k.a}, Hosts: []string{k.b}}
		w = login(w).any(k.b, "host.name", "host.hostname")
	case pairUserSource:
		f.Title = "An account logs in from an address for the first time"
		f.Explanation = fmt.Sprintf("account %s logged in from %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.user-source", Name: "New source of an account", FalsePositives: []string{"Travel, a new connection at home, a provider that changes addresses"}}
		f.Techniques, f.Tactics = []string{"T1078"}, []string{"initial-access"}
		f.Entities = Entities{Users: []string{k.a}, Sources: []string{k.b}}
		w = login(w).any(k.b, "source.ip", "client.ip")
		if known == 0 && outside(k.b) {
			f.Level = "low"
		}
	case pairUserCountry:
		f.Title = "An account logs in from a country for the first time"
		f.Explanation = fmt.Sprintf("account %s logged in from country %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.user-country", Name: "New country of an account", FalsePositives: []string{"Travel", "A VPN service", "Geolocation that is wrong"}}
		f.Techniques, f.Tactics = []string{"T1078"}, []string{"initial-access"}
		f.Entities = Entities{Users: []string{k.a}}
		f.Level = "low"
		w = login(w).is("source.geo.country_iso_code", k.b)
	case pairHostDestination:
		f.Title = "A computer contacts something for the first time"
		f.Explanation = fmt.Sprintf("%s contacted %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.host-destination", Name: "New destination of a computer", FalsePositives: []string{"New software, new pages"}}
		f.Techniques, f.Tactics = []string{"T1071"}, []string{"command-and-control"}
		f.Entities = Entities{Sources: []string{k.a}}
		w = w.is("source.ip", k.a)
		if _, ok := address(k.b); ok {
			f.Entities.Destinations = []string{k.b}
			w = w.is("destination.ip", k.b)
		} else {
			w = w.any(k.b, "tls.client.server_name", "url.domain", "destination.domain")
		}
	}
	f.Query = w.String()
	return f
}

// rare finds programs that a parent started once or twice of many times, where what
// it starts is mostly the same.
func (t *pairs) rare() (out []Finding) {
	if t.tooMany[pairParentProcess] {
		return nil
	}
	seldom := map[string]int{} // rare children of a parent
	for _, k := range t.order {
		if k.kind == pairParentProcess && t.pairs[k].count <= rareCount {
			seldom[k.a]++
		}
	}
	for _, k := range t.order {
		if k.kind != pairParentProcess {
			continue
		}
		p, l := t.pairs[k], t.left[leftKey{k.kind, k.a}]
		if p.count > rareCount || l.count < rareParent || float64(seldom[k.a]) > rareShare*float64(l.count) || seldom[k.a] > 10 || len(l.days) < 3 {
			continue
		}
		f := Finding{
			Title: "A program that its parent hardly ever starts", Level: "informational", First: p.first, Last: p.last, Datasets: nonEmpty(p.dataset),
			Rule:       Rule{ID: "pairs.process-parent", Name: "Rare child process", FalsePositives: []string{"An update or installation", "An administrator's work"}},
			Techniques: []string{"T1059"}, Tactics: []string{"execution"},
			Entities: Entities{Processes: []string{k.b}},
			Surprise: math.Log2(float64(l.count) / float64(p.count)),
		}
		f.Explanation = fmt.Sprintf("%s started %s %s of %s (%d programs are as rare with it), %s.", clip(k.a, 100), clip(k.b, 100),
			plural(p.count, "time", "times"), thousands(l.count), seldom[k.a], span(p.first, p.last))
		f.Query = strings.Join(append(where{}.between(p.first, p.last).has("event.category", "process"),
			fmt.Sprintf(`"process.name":~%s`, quote("(?i)^"+regexp.QuoteMeta(k.b)+"$")), fmt.Sprintf(`("process.parent.name":~%s or "process.parent.executable":~%s)`, quote("(?i)^"+regexp.QuoteMeta(k.a)+"$"), quote(`(?i)[/\\]`+regexp.QuoteMeta(k.a)+"$"))), " ")
		out = append(out, f)
	}
	return out
}
