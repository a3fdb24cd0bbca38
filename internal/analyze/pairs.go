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
	early       int    // records on the day of the first
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
		v.on(r.time, 1)
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

// on counts records of a day, before the first record is known to be another.
func (p *bound) on(time int64, n int) {
	switch d := dayOf(time) - dayOf(p.first); {
	case d == 0:
		p.early += n
	case d < 0:
		p.early = n
	}
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
		p.on(from.first, from.early)
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
	newADay    = 2 // of a kind that are told, on average: those with the highest level and surprise
	fewestNew  = 5 // days that are counted at least
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
	ofNewKind // the first outside of one's own network, or the first bare address of who else asks for names
	strangenesses
)

// newPair is a pair that began after the left side was learnt.
type newPair struct {
	key     boundKey
	p       *bound
	strange strangeness
	within  bool // it had to do with nothing outside before
	known   int  // left sides that had to do with the right one before
	comers  int  // others that began with it when it had been known for a week
}

// Findings implements Technique.
func (t *pairs) Findings(context.Context, Querier) ([]Finding, error) {
	t.remarks = nil
	of := map[leftKey][]boundKey{} // pairs of each left side
	rights := [pairKinds]map[string][]int64{}
	groups := [pairKinds]map[string]*firstTwo{} // by the network or domain of the right side
	for k := range rights {
		rights[k], groups[k] = map[string][]int64{}, map[string]*firstTwo{}
	}
	for _, k := range t.order {
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
		if t.tooMany[lk.kind] || lk.kind == pairHostConnection && t.left[leftKey{pairHostDestination, lk.a}] != nil {
			continue
		}
		keys := of[lk]
		slices.SortFunc(keys, func(a, b boundKey) int {
			return cmp.Or(cmp.Compare(t.pairs[a].first, t.pairs[b].first), strings.Compare(a.b, b.b))
		})
		own := map[string]bool{}
		var sorts [sorts]bool
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
				sort := sortOf(k)
				if (sort == sortAddress || sort == sortName && !sorts[sortAddress]) && !sorts[sort] && (k.kind != pairUserSource || n.strange == ofNobody) {
					n.strange, n.within = ofNewKind, !sorts[sortName]
				}
				if firsts := rights[k.kind][k.b]; n.known > 0 {
					settled, _ := slices.BinarySearch(firsts, firsts[0]+learning*day)
					n.comers = len(firsts) - settled
					if p.first >= firsts[0]+learning*day {
						n.comers--
					}
				}
				news[lk] = append(news[lk], n)
			}
			sorts[sortOf(k)] = true
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
	var spans [pairKinds][2]int32 // days on which anybody was seen
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
			x.pairs = append(x.pairs, n)
			days[lk] = ds
			habit[lk.kind].note(n)
		}
		for i := range days[lk] {
			// The strangest first, and of these what there is most of.
			slices.SortStableFunc(days[lk][i].pairs, func(a, b newPair) int {
				return cmp.Or(cmp.Compare(b.strange, a.strange), cmp.Compare(b.p.early, a.p.early), cmp.Compare(a.comers, b.comers))
			})
		}
		if a := t.after(l); a > 0 {
			habit[lk.kind].add(days[lk], a)
		}
		if s, first, last := &spans[lk.kind], l.days[0], l.days[len(l.days)-1]; s[1] == 0 {
			*s = [2]int32{first, last}
		} else {
			*s = [2]int32{min(s[0], first), max(s[1], last)}
		}
	}
	for k := range habit {
		habit[k].settle()
	}
	var some [pairKinds][]Finding
	out, told := t.rare(rights[pairParentProcess])
	for _, lk := range t.lefts {
		l := t.left[lk]
		for _, d := range days[lk] {
			before, _ := slices.BinarySearch(l.days, d.day)
			if before < fewActive {
				continue
			}
			if lk.kind == pairParentProcess {
				d.pairs = slices.DeleteFunc(slices.Clone(d.pairs), func(n newPair) bool { return told[n.key] })
				if len(d.pairs) == 0 {
					continue
				}
			}
			if bits, why := habit[lk.kind].surprise(days[lk], d, t.after(l)); bits >= newBits {
				some[lk.kind] = append(some[lk.kind], t.newPair(d.pairs, l, before, bits, why))
			}
		}
	}
	for k, l := range some {
		slices.SortStableFunc(l, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(LevelRank(b.Level), LevelRank(a.Level)), cmp.Compare(b.Surprise, a.Surprise))
		})
		l = l[:min(len(l), newADay*max(fewestNew, int(spans[k][1]-spans[k][0])+1-learning))]
		slices.SortStableFunc(l, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
		out = append(out, l...)
	}
	return out, nil
}

// sorts are what a right side may be, as far as it says where it is.
const (
	sortNone    = iota
	sortInside  // an address of a private network
	sortAddress // one of the internet
	sortName
	sorts
)

func sortOf(k boundKey) int {
	switch k.kind {
	case pairUserSource, pairHostDestination, pairHostConnection:
		switch _, ok := address(k.b); {
		case !ok && k.kind == pairUserSource:
		case !ok:
			return sortName
		case outside(k.b):
			return sortAddress
		case inside(k.b):
			return sortInside
		}
	}
	return sortNone
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

// habits are how often the left sides of a kind have days with new pairs, and how many pairs these have; and what the new pairs are like.
type habits struct {
	lefts, days float64
	with        [strangenesses]map[int]float64 // left sides with so many days of what is so strange, or stranger
	sizes       [strangenesses]map[int]float64 // days with so many
	all         [strangenesses]float64         // days
	counts      []int                          // records of new pairs on their first day, sorted
	comers      []int                          // who else began with what is new to one and known to others, sorted
}

const manyNew = 100

func (h *habits) note(n newPair) {
	h.counts = append(h.counts, n.p.early)
	if n.known > 0 {
		h.comers = append(h.comers, n.comers)
	}
}

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

func (h *habits) settle() {
	slices.Sort(h.counts)
	slices.Sort(h.comers)
}

// why is what makes a day with new pairs surprising, beside that there are any.
type why uint8

const (
	forItself why = iota
	asMany        // so many at once
	soMuch        // so many records of it
	closed        // nobody else begins with it
)

// surprise is how unlikely a day with such new pairs is for who has had new ones, as strange, on so many other days: the rate
// at which a left side with x such days has the next is (x+1) times as many left sides as have x+1 of them by as many as have x
// (Robbins 1956), which needs to know nothing of how unlike they are. What sets the new pairs apart from other new ones is another surprise: that so many
// begin at once, that one has so many records, that it is a thing with which nobody else begins; the most unlikely of these, for there being three (Tippett).
func (h *habits) surprise(days []newDay, d newDay, seen float64) (float64, why) {
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
	bits := -math.Log2(-math.Expm1(-rate))
	today := float64(len(d.pairs))
	best, what := 0.0, forItself
	beside := func(chance float64, w why) {
		if b := -math.Log2(chance) - math.Log2(3); b > best {
			best, what = b, w
		}
	}
	if n := min(d.so(s), manyNew); n > 1 && bits >= someBits { // what comes all the time is no news, whatever its number
		as := 0.0
		for m, days := range h.sizes[s] {
			if m >= n {
				as += days
			}
		}
		beside((as-1+0.5)/(h.all[s]-1+0.5), asMany)
	}
	if d.pairs[0].key.kind >= pairHostDestination { // a task that is new goes on
		count, _ := slices.BinarySearch(h.counts, d.pairs[0].p.early)
		beside(today*(float64(len(h.counts)-count)-0.5)/float64(len(h.counts)), soMuch)
	}
	if p := d.pairs[0]; p.known > 0 {
		as, _ := slices.BinarySearch(h.comers, p.comers+1)
		beside(today*(float64(as)-0.5)/float64(len(h.comers)), closed)
	}
	return bits + best, what
}

// newPair tells of what began on a day, the most surprising first.
func (t *pairs) newPair(today []newPair, l *leftSide, before int, bits float64, because why) Finding {
	n := today[0]
	k, p := n.key, n.p
	f := Finding{Level: "informational", First: p.first, Last: min(p.last, p.first+day), Datasets: nonEmpty(p.dataset), Surprise: bits}
	w := where{}.between(f.First, f.Last)
	a, b := clip(k.a, 100), clip(k.b, 100)
	login := func(w where) where {
		return w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name")
	}
	what := [pairKinds]string{"account", "account", "account", "program", "computer", "computer"}[k.kind]
	others := "no other " + what + " had"
	if n.known > 0 {
		others = prose.Count(n.known, "other "+what) + " had"
	}
	switch {
	case n.strange == ofOwn:
		others += ", and it had to do with its network or domain before"
	case n.known == 0 && n.strange == ofOthers:
		others += ", but some had to do with its network or domain"
	case n.strange == ofNewKind && k.kind == pairUserSource:
		others += "; it had only logged in from private addresses before"
	case n.strange == ofNewKind && n.within:
		others += "; it had contacted nothing outside of its network before"
	case n.strange == ofNewKind:
		others += "; it had contacted nothing outside without a name before"
	}
	switch {
	case because == closed && n.comers == 0:
		others += "; nobody else began with it after its first week"
	case because == closed:
		others += fmt.Sprintf("; only %s began with it after its first week", prose.Number(n.comers))
	case because == soMuch:
		others += fmt.Sprintf("; with %s that day, more than nearly all that is new to %s", prose.Count(p.early, "record"), map[bool]string{true: "an ", false: "a "}[what == "account"]+what)
	}
	if len(today) > 1 {
		others += fmt.Sprintf("; %s as new that day", prose.Count(len(today)-1, "other"))
	}
	since := fmt.Sprintf("in %s before on which it was seen", prose.Count(before, "day"))
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
		if n.strange >= ofNobody && outside(k.b) {
			f.Level = "low"
		}
	case pairUserCountry:
		f.Title = "An account logs in from a country for the first time"
		f.Explanation = fmt.Sprintf("account %s logged in from country %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.user-country", Name: "New country of an account", FalsePositives: []string{"Travel", "A VPN service", "Geolocation that is wrong"}}
		f.Techniques, f.Tactics = []string{"T1078"}, []string{"initial-access"}
		f.Entities = Entities{Users: []string{k.a}}
		f.Level = "low"
		w = login(w).any(k.b, "source.geo.country_iso_code", "client.geo.country_iso_code", "geo.country_iso_code")
	case pairParentProcess:
		f.Title = "A program starts another for the first time"
		f.Explanation = fmt.Sprintf("%s started %s for the first time %s, not once %s; %s of %s; %s.", a, b, span(p.first, p.first), since, prose.Count(p.count, "time"), prose.Count(l.count, "start"), others)
		f.Rule = Rule{ID: "pairs.process-parent", Name: "New child process", FalsePositives: []string{"An update or installation", "An administrator's work"}}
		f.Techniques, f.Tactics = []string{"T1059"}, []string{"execution"}
		f.Entities = Entities{Processes: []string{k.b}}
		w = startsOf(w, k)
	case pairHostDestination, pairHostConnection:
		f.Title = "A computer contacts something for the first time"
		f.Explanation = fmt.Sprintf("%s contacted %s for the first time %s, not once %s; %s.", a, b, span(p.first, p.first), since, others)
		f.Rule = Rule{ID: "pairs.host-destination", Name: "New destination of a computer", FalsePositives: []string{"New software, new pages"}}
		f.Techniques, f.Tactics = []string{"T1071"}, []string{"command-and-control"}
		if n.strange == ofNewKind && n.within {
			f.Level = "low"
		}
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
		case pairParentProcess:
			f.Entities.Processes = append(f.Entities.Processes, n.key.b)
		}
	}
	return f
}

// rare finds programs that a parent started once or twice of many times, where what
// it starts is mostly the same: the chance that a start is of something so rare is the share of such starts (Good).
func (t *pairs) rare(starters map[string][]int64) (out []Finding, told map[boundKey]bool) {
	told = map[boundKey]bool{}
	if t.tooMany[pairParentProcess] {
		return nil, told
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
		as := "no other program is"
		if r.programs > 1 {
			as = prose.Count(r.programs-1, "other") + map[bool]string{true: " is", false: " are"}[r.programs == 2]
		}
		others := "nothing else started it"
		if n := len(starters[k.b]) - 1; n > 0 {
			others = prose.Count(n, "other program") + " started it, too"
		}
		f.Explanation = fmt.Sprintf("%s started %s %s of %s, %s; %s so rare with it; %s.", clip(k.a, 100), clip(k.b, 100), prose.Count(p.count, "time"), prose.Number(l.count), span(p.first, p.last), as, others)
		f.Query = startsOf(where{}.between(p.first, p.last), k).String()
		told[k] = true
		out = append(out, f)
	}
	return out, told
}

// startsOf selects the starts of a program by another; names are kept in lower case.
func startsOf(w where, k boundKey) where {
	return append(w.has("event.category", "process"), fmt.Sprintf(`"process.name":~%s`, quote("(?i)^"+regexp.QuoteMeta(k.b)+"$")),
		fmt.Sprintf(`("process.parent.name":~%s or "process.parent.executable":~%s)`, quote("(?i)^"+regexp.QuoteMeta(k.a)+"$"), quote(`(?i)[/\\]`+regexp.QuoteMeta(k.a)+"$")))
}
