package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
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
	pairHostDestination // by records that mostly name it: of TLS, of HTTP, of proxies
	pairHostConnection  // by those of connections, for computers of which there are no others
	pairKinds           = 6
)

var pairNames = [pairKinds]string{"accounts and hosts", "accounts and sources", "accounts and countries", "programs and their parents", "computers and what they contact", "computers and what they have connections to"}

type boundKey struct {
	kind pairKind
	a, b string
}

// bound is what is known of a pair.
type bound struct {
	first, last int64
	count       int
	dataset     string // of the first record
	as          string // the autonomous system of a source, if it is known
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
			if kind == pairUserSource {
				v.as = rs.keep(r.as)
			}
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
		if r.source != 0 && r.question == "" && r.kind&(network|denied|alert) == network {
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
				kind := pairHostDestination
				if r.has(connection) {
					kind = pairHostConnection
				}
				put(r, kind, r.source, to)
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
	learning   = 7 // days after its first record in which whatever one does is new
	fewActive  = 5 // days one must have been seen before
	newBits    = 4
	someBits   = 2 // from which on it matters how many are new on a day
	taken      = 3 // who take up what is new to all within a day of the first: it was handed out
	rareCount  = 2 // records of a pair at most, to be rare
	rareShare  = 0.01
	rareOthers = 10 // programs of a parent that are as rare, at most
)

// strangeness is how far a new right side is from what is known.
type strangeness uint8

const (
	ofOwn    strangeness = iota // in a network, of a provider, of a domain that the left side had to do with
	ofOthers                    // others had to do with it, or with its network, a week before: it is not one intruder who comes as many
	ofNobody
	strangenesses
)

// newPair is a pair that began after the left side was learnt.
type newPair struct {
	key     boundKey
	p       *bound
	strange strangeness
	known   int // left sides that had to do with the right one before
}

// Findings implements Technique.
func (t *pairs) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	t.remarks = nil
	of := map[leftKey][]boundKey{} // pairs of each left side
	rights := [pairKinds]map[string][]int64{}
	groups := [pairKinds]map[string]*firstTwo{} // by the network or domain of the right side
	for k := range rights {
		rights[k], groups[k] = map[string][]int64{}, map[string]*firstTwo{}
	}
	for _, k := range t.order {
		if k.kind == pairParentProcess {
			continue
		}
		of[leftKey{k.kind, k.a}] = append(of[leftKey{k.kind, k.a}], k)
		p := t.pairs[k]
		rights[k.kind][k.b] = append(rights[k.kind][k.b], p.first)
		if g := groupOf(k); g != "" {
			if groups[k.kind][g] == nil {
				groups[k.kind][g] = &firstTwo{}
			}
			groups[k.kind][g].add(k.a, p.first)
		}
	}
	for kind := range rights {
		for _, l := range rights[kind] {
			slices.Sort(l)
		}
	}
	news := map[leftKey][]newPair{}
	for _, lk := range t.lefts {
		if t.tooMany[lk.kind] || lk.kind == pairParentProcess || lk.kind == pairHostConnection && t.left[leftKey{pairHostDestination, lk.a}] != nil {
			continue
		}
		keys := of[lk]
		slices.SortFunc(keys, func(a, b boundKey) int {
			return cmp.Or(cmp.Compare(t.pairs[a].first, t.pairs[b].first), strings.Compare(a.b, b.b))
		})
		own := map[string]bool{}
		for _, k := range keys {
			p := t.pairs[k]
			g, provider := groupOf(k), p.provider(k)
			if dayOf(p.first)-t.left[lk].days[0] >= learning {
				n := newPair{key: k, p: p, strange: ofNobody}
				n.known, _ = slices.BinarySearch(rights[k.kind][k.b], p.first)
				settled, _ := slices.BinarySearch(rights[k.kind][k.b], p.first-learning*day)
				switch {
				case g != "" && own[g] || provider != "" && own[provider]:
					n.strange = ofOwn
				case settled > 0 || groups[k.kind][g].otherThan(k.a, p.first-learning*day):
					n.strange = ofOthers
				}
				news[lk] = append(news[lk], n)
			}
			if g != "" {
				own[g] = true
			}
			if provider != "" {
				own[provider] = true
			}
		}
	}
	days := map[leftKey][]newDay{}
	var habit [pairKinds]habits
	for _, lk := range t.lefts {
		l := t.left[lk]
		for _, n := range news[lk] {
			d := dayOf(n.p.first)
			// A host or service that is new to all, and that many take up at once, was handed out.
			firsts := rights[lk.kind][n.key.b]
			if lk.kind != pairUserSource && len(firsts) >= taken && firsts[taken-1] < firsts[0]+day && n.p.first < firsts[0]+learning*day {
				continue
			}
			ds := days[lk]
			if len(ds) == 0 || ds[len(ds)-1].day != d {
				ds = append(ds, newDay{day: d})
			}
			x := &ds[len(ds)-1]
			// The strangest first.
			if len(x.pairs) > 0 && n.strange > x.pairs[0].strange {
				x.pairs = append([]newPair{n}, x.pairs...)
			} else {
				x.pairs = append(x.pairs, n)
			}
			days[lk] = ds
		}
		if a := t.after(l); a > 0 {
			habit[lk.kind].add(days[lk], a)
		}
	}
	for _, lk := range t.lefts {
		l := t.left[lk]
		for _, d := range days[lk] {
			before, _ := slices.BinarySearch(l.days, d.day)
			if before < fewActive {
				continue
			}
			if bits := habit[lk.kind].surprise(days[lk], d, t.after(l)); bits >= newBits {
				out = append(out, t.newPair(d.pairs, l, before, bits))
			}
		}
	}
	return append(out, t.rare()...), nil
}

// firstTwo are the two left sides that first had to do with a network or domain.
type firstTwo struct {
	left  [2]string
	first [2]int64
}

func (f *firstTwo) add(left string, first int64) {
	switch {
	case f.left[0] == left:
		f.first[0] = min(f.first[0], first)
	case f.left[0] == "" || first < f.first[0]:
		f.left, f.first = [2]string{left, f.left[0]}, [2]int64{first, f.first[0]}
	case f.left[1] == "" || first < f.first[1]:
		f.left[1], f.first[1] = left, first
	}
}

// otherThan reports whether another left side had to do with it before.
func (f *firstTwo) otherThan(left string, before int64) bool {
	if f == nil {
		return false
	}
	for i, l := range f.left {
		if l != "" && l != left && f.first[i] < before {
			return true
		}
	}
	return false
}

// provider is who gave a source its address: the autonomous system or, where that is not known, a network as big as
// providers give addresses from.
func (p *bound) provider(k boundKey) string {
	a, ok := address(k.b)
	if k.kind != pairUserSource || !ok {
		return ""
	}
	if p.as != "" {
		return "AS" + p.as
	}
	n := 16
	if a.Is6() {
		n = 32
	}
	net, _ := a.WithZone("").Prefix(n)
	return net.String()
}

// groupOf is what a right side belongs to: the network of an address, the domain of a name. Of hosts and countries there is none.
func groupOf(k boundKey) string {
	switch k.kind {
	case pairUserSource, pairHostDestination, pairHostConnection:
		if a, ok := address(k.b); ok {
			if !outside(k.b) && k.kind != pairUserSource {
				return "" // which server of one's own it is matters
			}
			return networkOf(a).String()
		}
		if d, err := publicsuffix.EffectiveTLDPlusOne(lower(k.b)); err == nil {
			return d
		}
	}
	return ""
}

// after is on how many days a left side was seen after it was learnt.
func (t *pairs) after(l *leftSide) float64 {
	i, _ := slices.BinarySearch(l.days, l.days[0]+learning)
	return float64(len(l.days) - i)
}

// newDay is a day on which a left side had new pairs, the strangest first.
type newDay struct {
	day   int32
	pairs []newPair
}

// so reports how many of its pairs are as strange, or stranger.
func (d *newDay) so(s strangeness) (n int) {
	for _, p := range d.pairs {
		if p.strange >= s {
			n++
		}
	}
	return n
}

// habits are how often the left sides of a kind have days with new pairs, and how many pairs these have.
type habits struct {
	lefts, days float64
	with        [strangenesses]map[int]float64 // left sides with so many days of what is so strange, or stranger
	sizes       [strangenesses]map[int]float64 // days with so many
	all         [strangenesses]float64         // days
}

const manyNew = 100

func (h *habits) add(days []newDay, seen float64) {
	h.lefts++
	h.days += seen
	for s := range strangenesses {
		if h.with[s] == nil {
			h.with[s], h.sizes[s] = map[int]float64{}, map[int]float64{}
		}
		n := 0
		for i := range days {
			if m := days[i].so(s); m > 0 {
				n++
				h.all[s]++
				h.sizes[s][min(m, manyNew)]++
			}
		}
		h.with[s][n]++
	}
}

// surprise is how unlikely a day with such new pairs is for who has had new ones, as strange, on so many other days: the rate
// at which a left side with x such days has the next is (x+1) times as many left sides as have x+1 of them by as many as have x
// (Robbins 1956), which needs to know nothing of how unlike they are. That so many begin at once is another surprise.
func (h *habits) surprise(days []newDay, d newDay, seen float64) float64 {
	s := d.pairs[0].strange
	x := 0
	for i := range days {
		if days[i].day != d.day && days[i].so(s) > 0 {
			x++
		}
	}
	each := h.days / h.lefts
	rate := float64(x+1) * (h.with[s][x+1] - 1 + 0.5) / (h.with[s][x] + 1) / each // itself is one of those with x+1
	// Nor is it rarer than one's own rate is at least, by nine chances of ten.
	rate = max(rate, (float64(x)-1.28*math.Sqrt(float64(x)))/seen)
	n := min(d.so(s), manyNew)
	as := 0.0
	for m, days := range h.sizes[s] {
		if m >= n {
			as += days
		}
	}
	chance := (as - 1 + 0.5) / (h.all[s] - 1 + 0.5)
	if n == 1 {
		chance = 1
	}
	bits := -math.Log2(-math.Expm1(-rate))
	if bits < someBits {
		return bits // what comes all the time is no news, whatever its number
	}
	return bits - math.Log2(min(1, chance))
}

// newPair tells of what began on a day, the most surprising first.
func (t *pairs) newPair(today []newPair, l *leftSide, before int, bits float64) Finding {
	k, p, known := today[0].key, today[0].p, today[0].known
	f := Finding{Level: "informational", First: p.first, Last: min(p.last, p.first+day), Datasets: nonEmpty(p.dataset), Surprise: bits}
	w := where{}.between(f.First, f.Last)
	a, b := clip(k.a, 100), clip(k.b, 100)
	login := func(w where) where {
		return w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name")
	}
	others := "nobody else had before"
	if known > 0 {
		others = prose.Count(known, "other") + " had before"
	}
	switch {
	case today[0].strange == ofOwn:
		others = "it is of a network or domain it had to do with before, and " + others
	case known == 0 && today[0].strange == ofOthers:
		others += ", but had to do with its network or domain"
	}
	if len(today) > 1 {
		others += "; " + prose.Count(len(today)-1, "other") + " that day as well"
	}
	since := fmt.Sprintf("in %s before that it was seen", prose.Count(before, "day"))
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
		if today[0].strange == ofNobody && outside(k.b) {
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
	case pairHostDestination, pairHostConnection:
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
	for _, n := range today[1:] {
		switch k.kind {
		case pairUserHost:
			f.Entities.Hosts = append(f.Entities.Hosts, n.key.b)
		case pairUserSource:
			f.Entities.Sources = append(f.Entities.Sources, n.key.b)
		}
	}
	return f
}

// rare finds programs that a parent started once or twice of many times, where what
// it starts is mostly the same: the chance that a start is of something so rare is the share of such starts (Good).
func (t *pairs) rare() (out []Finding) {
	if t.tooMany[pairParentProcess] {
		return nil
	}
	type rares struct{ programs, starts int }
	seldom := map[string]rares{} // of a parent
	for _, k := range t.order {
		if p := t.pairs[k]; k.kind == pairParentProcess && p.count <= rareCount {
			r := seldom[k.a]
			seldom[k.a] = rares{r.programs + 1, r.starts + p.count}
		}
	}
	for _, k := range t.order {
		if k.kind != pairParentProcess {
			continue
		}
		p, l := t.pairs[k], t.left[leftKey{k.kind, k.a}]
		r := seldom[k.a]
		share := float64(r.starts) / float64(l.count)
		if p.count > rareCount || share > rareShare || r.programs > rareOthers || len(l.days) < 3 {
			continue
		}
		f := Finding{
			Title: "A program that its parent hardly ever starts", Level: "informational", First: p.first, Last: p.last, Datasets: nonEmpty(p.dataset),
			Rule:       Rule{ID: "pairs.process-parent", Name: "Rare child process", FalsePositives: []string{"An update or installation", "An administrator's work"}},
			Techniques: []string{"T1059"}, Tactics: []string{"execution"},
			Entities: Entities{Processes: []string{k.b}},
			Surprise: -math.Log2(share),
		}
		f.Explanation = fmt.Sprintf("%s started %s %s of %s, %s; %s so rare with it.", clip(k.a, 100), clip(k.b, 100),
			prose.Count(p.count, "time"), prose.Number(l.count), span(p.first, p.last), map[bool]string{true: "no other program is", false: prose.Count(r.programs-1, "other is", "others are")}[r.programs == 1])
		f.Query = strings.Join(append(where{}.between(p.first, p.last).has("event.category", "process"),
			fmt.Sprintf(`"process.name":~%s`, quote("(?i)^"+regexp.QuoteMeta(k.b)+"$")), fmt.Sprintf(`("process.parent.name":~%s or "process.parent.executable":~%s)`, quote("(?i)^"+regexp.QuoteMeta(k.a)+"$"), quote(`(?i)[/\\]`+regexp.QuoteMeta(k.a)+"$"))), " ")
		out = append(out, f)
	}
	return out
}
