package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// volume finds sources of one's own network that send far more data out in a day
// than on their other days, or than anyone does, and says where to; much data that goes to
// where nobody sent any before; and accounts that fetch far more than usual. See docs/techniques/volume.md.
type volume struct {
	homes   homes
	days    map[volumeKey]*sent
	order   []volumeKey
	seen    map[string]*firstDay // of destinations
	first   int64
	public  int // of the days, of public addresses
	tooMany bool
}

// volumeKey is what a source sent in one day, by one log's account, since two sensors
// may see the same; to is empty for all destinations. Or it is what an account (the source) fetched.
type volumeKey struct {
	dataset, source, to string
	day                 int32
	fetched             bool
}

type sent struct {
	bytes       int64
	flows       int
	first, last int64
	domain      string // by which the destination was called last
	host        string
}

// firstDay is when a destination was first contacted, and by how many sources.
type firstDay struct {
	day     int32
	sources distinct
}

const (
	maxVolumes   = 300_000
	maxPublic    = 50_000  // of them of public addresses, of which few are one's own
	smallFlow    = 1 << 20 // flows that are less matter in the sum of a source of a private address only
	maxContacted = 100_000
)

var _ = register(newVolume)

func newVolume() Technique {
	return &volume{homes: newHomes(), days: map[volumeKey]*sent{}, seen: map[string]*firstDay{}, first: event.NoTime}
}

// Name implements Technique.
func (*volume) Name() string { return "volume" }

// About implements Technique.
func (*volume) About() string { return "Far more data sent out than usual" }

// Needs implements Technique.
func (*volume) Needs() []string {
	return []string{"source.bytes", "http.request.body.bytes", "http.response.body.bytes"}
}

type volumeDigest struct {
	homes homesDigest
	keys  []volumeKey
	vals  []sent
	pairs []volumePair
}

type volumePair struct {
	to, source string
	day        int32
}

// Digest implements Technique.
func (t *volume) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*volume) digest(_ string, rs *rows) any {
	type key struct {
		packed uint64
		day    int32
	}
	const sentOut, fetched = 0, 1
	var t tally[key, sent]
	var pairs tally[key, struct{}]
	is := func(cache map[sym]bool, s sym, f func(string) bool) bool {
		v, ok := cache[s]
		if !ok {
			v = f(rs.names[s])
			cache[s] = v
		}
		return v
	}
	inner, outer := map[sym]bool{}, map[sym]bool{}
	put := func(r *row, kind uint8, who, to sym, bytes int64) {
		s := t.at(key{pack(kind, r.dataset, who, to), dayOf(r.time)})
		if s.flows == 0 {
			s.first, s.last = r.time, r.time
		}
		s.bytes += bytes
		s.flows++
		s.first, s.last = min(s.first, r.time), max(s.last, r.time)
		if r.domain != 0 {
			s.domain = rs.keep(r.domain)
		}
		if r.host != 0 {
			s.host = rs.keep(r.host)
		}
	}
	for i := range rs.list {
		r := &rs.list[i]
		if r.has(alert) {
			continue
		}
		if r.user != 0 && r.in > 0 && r.status != -1 {
			put(r, fetched, r.user, 0, r.in)
		}
		if r.out < 0 || r.source == 0 {
			continue
		}
		// Which public addresses are one's own is known at the end only: of them big flows are kept.
		private := is(inner, r.source, inside)
		if !private && !(r.out >= smallFlow && is(outer, r.source, outside)) {
			continue
		}
		to := r.destination
		if to != 0 && !is(outer, to, outside) {
			continue
		}
		if to == 0 {
			if to = r.domain; to == 0 {
				continue
			}
		}
		pairs.at(key{pack(0, 0, r.source, to), dayOf(r.time)})
		if r.domain != 0 && r.domain != to {
			pairs.at(key{pack(0, 0, r.source, r.domain), dayOf(r.time)})
		}
		put(r, sentOut, r.source, 0, r.out)
		if r.out >= smallFlow {
			put(r, sentOut, r.source, to, r.out)
		}
	}
	d := &volumeDigest{homes: homesOf(rs), vals: t.vals}
	if len(t.keys) == 0 && len(d.homes.told) == 0 && len(d.homes.links) == 0 {
		return nil
	}
	name := func(k uint64, shift int) string { return rs.keep(sym(k >> shift & (1<<20 - 1))) }
	for _, k := range t.keys {
		d.keys = append(d.keys, volumeKey{name(k.packed, 40), name(k.packed, 20), name(k.packed, 0), k.day, k.packed>>60 == fetched})
	}
	for _, k := range pairs.keys {
		d.pairs = append(d.pairs, volumePair{name(k.packed, 0), name(k.packed, 20), k.day})
	}
	return d
}

// Merge implements Technique.
func (t *volume) Merge(digest any) {
	d := digest.(*volumeDigest)
	t.homes.merge(d.homes)
	for _, p := range d.pairs {
		f := t.seen[p.to]
		if f == nil {
			if len(t.seen) >= maxContacted {
				continue
			}
			f = &firstDay{day: p.day}
			t.seen[p.to] = f
		}
		f.day = min(f.day, p.day)
		f.sources.add(hashOf(p.source))
	}
	for i, k := range d.keys {
		from := &d.vals[i]
		if t.first == event.NoTime || from.first < t.first {
			t.first = from.first
		}
		s := t.days[k]
		if s == nil {
			public := !k.fetched && outside(k.source)
			if len(t.days) >= maxVolumes || public && t.public >= maxPublic {
				t.tooMany = true
				continue
			}
			if public {
				t.public++
			}
			s = &sent{first: from.first, last: from.last}
			t.days[k] = s
			t.order = append(t.order, k)
		}
		s.bytes += from.bytes
		s.flows += from.flows
		s.first, s.last = min(s.first, from.first), max(s.last, from.last)
		s.domain, s.host = cmp.Or(from.domain, s.domain), cmp.Or(from.host, s.host)
	}
}

func (t *volume) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s pairs of source and destination a day, or %s of public sources: what the last of them sent was not counted", prose.Number(maxVolumes), prose.Number(maxPublic))}
}

// What a day's volume must be.
const (
	volumeLeast    = 50_000_000 // bytes
	volumeTimes    = 5          // times the most of nine in ten other days
	volumeBits     = 8
	volumeOwnDays  = 5          // other days of the source to be judged by itself; else by all sources
	volumeMainPart = 0.5        // of the day's bytes, that go to a destination that is named
	volumeCommon   = 3          // days on which others send half as much there: it is what the destination is for
	volumeNew      = 10_000_000 // bytes, to a destination that nobody had contacted
	volumeNewBits  = 7          // of all that are new one in 128 may get as much
	volumeLearnt   = 3          // days, after which that means something
	volumeFetched  = 100_000_000
)

// Findings implements Technique.
func (t *volume) Findings(context.Context, Querier) ([]Finding, error) {
	type who struct {
		dataset, source string
		fetched         bool
	}
	type kind struct {
		dataset string
		fetched bool
	}
	own := map[who][]volumeKey{}
	everyone := map[kind][]float64{} // bytes a day, by log
	parts := map[volumeKey][]volumeKey{}
	usedBy := map[string][]volumeKey{} // by destination
	home := t.homes.own()
	mine := map[string]bool{}
	var order []volumeKey
	for _, k := range t.order {
		if !k.fetched {
			is, known := mine[k.source]
			if !known {
				is = home(k.source)
				mine[k.source] = is
			}
			if !is || k.to != "" && home(k.to) {
				continue
			}
		}
		if k.to == "" {
			order = append(order, k)
			w := who{k.dataset, k.source, k.fetched}
			own[w] = append(own[w], k)
			everyone[kind{k.dataset, k.fetched}] = append(everyone[kind{k.dataset, k.fetched}], float64(t.days[k].bytes))
			continue
		}
		whole := k
		whole.to = ""
		parts[whole] = append(parts[whole], k)
		usedBy[k.of(t.days[k])] = append(usedBy[k.of(t.days[k])], k)
	}
	for _, v := range everyone {
		slices.Sort(v)
	}
	var out []Finding
	told := map[volumeKey]bool{} // by source and day: two logs may tell of the same
	for _, k := range order {
		s := t.days[k]
		least := int64(volumeLeast)
		if k.fetched {
			least = volumeFetched
		}
		if s.bytes < least {
			continue
		}
		var others []weighted
		for _, o := range own[who{k.dataset, k.source, k.fetched}] {
			if o.day != k.day {
				others = append(others, weighted{float64(t.days[o].bytes), age(o.day - k.day)})
			}
		}
		n := float64(s.bytes)
		than, high, bits, ok := "", 0.0, 0.0, false
		all := everyone[kind{k.dataset, k.fetched}]
		what, whose := "sources", "it sent"
		if k.fetched {
			what, whose = "accounts", "it fetched"
		}
		if len(others) >= volumeOwnDays {
			sortWeighted(others)
			high = quantile(others, 0.9)
			bits = logSurprise(n, others)
			than = fmt.Sprintf("on nine of ten of the %d other days on which %s any it was at most %s", len(others), whose, bytesText(high))
			ok = true
		} else if len(all) >= 20 {
			high = percentile(all, 0.95)
			vs := make([]weighted, len(all))
			for i, v := range all {
				vs[i] = weighted{v, 1}
			}
			bits = logSurprise(n, vs)
			than = fmt.Sprintf("of %d days of all %s, 19 of 20 are at most %s", len(all), what, bytesText(high))
			ok = true
		}
		if !ok || n < volumeTimes*high || bits < volumeBits {
			continue
		}
		same := volumeKey{source: k.source, day: k.day, fetched: k.fetched}
		if told[same] {
			continue
		}
		if k.fetched {
			told[same] = true
			out = append(out, fetchedFinding(k, s, than, bits))
			continue
		}
		f := Finding{
			Title: "Far more data sent out than usual", Level: "low", First: s.first, Last: s.last, Count: s.flows, Datasets: nonEmpty(k.dataset), Surprise: bits,
			Rule:       Rule{ID: "volume", Name: "Volume of data sent out", FalsePositives: []string{"A backup or an upload that is part of the work", "A video call"}},
			Techniques: []string{"T1048", "T1567"}, Tactics: []string{"exfiltration"},
			Entities: Entities{Sources: []string{k.source}, Hosts: nonEmpty(s.host)},
		}
		w := where{}.is("event.dataset", k.dataset).any(k.source, "source.ip", "client.ip")
		main := volumeKey{}
		for _, p := range parts[k] {
			if b := t.days[p].bytes; main.to == "" || b > t.days[main].bytes || b == t.days[main].bytes && p.to < main.to {
				main = p
			}
		}
		to := ""
		if m := t.days[main]; m != nil && float64(m.bytes) >= volumeMainPart*n {
			as := 0 // days on which others sent as much there
			for _, o := range usedBy[main.of(m)] {
				if o.source != main.source && 2*t.days[o].bytes >= m.bytes {
					as++
				}
			}
			if as >= volumeCommon {
				continue
			}
			f.First, f.Last, f.Count = m.first, m.last, m.flows
			to = fmt.Sprintf(", %s of it to %s", bytesText(float64(m.bytes)), m.named(main.to))
			if t.isNew(main, m) {
				to += ", which nobody had contacted before"
				f.Level = "medium"
			}
			w = m.destination(main.to, w, &f)
		}
		told[same] = true
		f.Explanation = fmt.Sprintf("%s sent %s out in a day, %s%s; %s.", clip(k.source, 100), bytesText(n), span(s.first, s.last), to, than)
		f.Query = w.between(f.First, f.Last).String()
		out = append(out, f)
	}
	out = append(out, t.toNew(parts, order, told)...)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// of is what a destination is told apart by: the domain by which it is called, else the address.
func (k *volumeKey) of(s *sent) string { return cmp.Or(s.domain, k.to) }

// named is a destination for reading.
func (s *sent) named(to string) string {
	name := clip(to, 100)
	if s.domain != "" && s.domain != to {
		name += " (" + clip(s.domain, 80) + ")"
	}
	return name
}

// destination adds a destination to a finding and to what it asks for.
func (s *sent) destination(to string, w where, f *Finding) where {
	if _, ok := address(to); ok {
		f.Entities.Destinations = []string{to}
		return w.is("destination.ip", to)
	}
	return w.any(to, "url.domain", "tls.client.server_name", "destination.domain")
}

// isNew reports whether a destination, and the domain by which it was called, was contacted by nobody before that day but for
// the day before, and by hardly anybody then.
func (t *volume) isNew(k volumeKey, s *sent) bool {
	if k.day-dayOf(t.first) < volumeLearnt {
		return false
	}
	for _, name := range [...]string{k.to, s.domain} {
		if c := t.seen[name]; name != "" && (c == nil || k.day-c.day > 1 || c.sources.count() > 2) {
			return false
		}
	}
	return true
}

// toNew finds much data that goes to a destination on the day on which it is first contacted, by how much goes to all
// destinations on theirs: this sees leaks that are small beside what a source sends anyway.
func (t *volume) toNew(parts map[volumeKey][]volumeKey, order []volumeKey, told map[volumeKey]bool) (out []Finding) {
	var addresses, domains int // that were new after those that were learnt
	for name, c := range t.seen {
		if c.day-dayOf(t.first) < volumeLearnt {
			continue
		}
		if _, ok := address(name); ok {
			addresses++
		} else {
			domains++
		}
	}
	news := max(addresses, domains)
	type amount struct {
		part  volumeKey
		bytes int64
	}
	var amounts []amount
	known := map[volumeKey]int{} // by source, destination and day: two logs may tell of the same
	for _, whole := range order {
		for _, p := range parts[whole] {
			m := t.days[p]
			same := p
			same.dataset = ""
			if !t.isNew(p, m) {
				continue
			}
			if i, again := known[same]; again {
				amounts[i].bytes = max(amounts[i].bytes, m.bytes)
				continue
			}
			known[same] = len(amounts)
			amounts = append(amounts, amount{p, m.bytes})
		}
	}
	slices.SortStableFunc(amounts, func(a, b amount) int { return cmp.Compare(b.bytes, a.bytes) })
	for i, a := range amounts {
		m := t.days[a.part]
		bits := -math.Log2(float64(i+1) / float64(news+1))
		if a.bytes < volumeNew || bits < volumeNewBits {
			break
		}
		if told[volumeKey{source: a.part.source, day: a.part.day}] {
			continue
		}
		f := Finding{
			Title: "Much data sent to where nobody sent any before", Level: "low", First: m.first, Last: m.last, Count: m.flows, Datasets: nonEmpty(a.part.dataset), Surprise: bits,
			Rule:       Rule{ID: "volume.new", Name: "Volume to a new destination", FalsePositives: []string{"The first upload to a new service"}},
			Techniques: []string{"T1048", "T1567"}, Tactics: []string{"exfiltration"},
			Entities: Entities{Sources: []string{a.part.source}, Hosts: nonEmpty(m.host)},
		}
		w := where{}.is("event.dataset", a.part.dataset).any(a.part.source, "source.ip", "client.ip")
		w = m.destination(a.part.to, w, &f)
		f.Explanation = fmt.Sprintf("%s sent %s to %s, %s, which nobody had contacted before; of %s destinations that were new after %d days %s.",
			clip(a.part.source, 100), bytesText(float64(m.bytes)), m.named(a.part.to), span(m.first, m.last), prose.Number(news), volumeLearnt, noneOr(i, "got as much on their first day"))
		f.Query = w.between(f.First, f.Last).String()
		out = append(out, f)
	}
	return out
}

// noneOr says of how many something is so, besides one.
func noneOr(n int, what string) string {
	if n == 0 {
		return "no other " + what
	}
	return prose.Count(n, "other") + " " + what
}

func fetchedFinding(k volumeKey, s *sent, than string, bits float64) Finding {
	f := Finding{
		Title: "An account fetches far more data than usual", Level: "low", First: s.first, Last: s.last, Count: s.flows, Datasets: nonEmpty(k.dataset), Surprise: bits,
		Rule:       Rule{ID: "volume.fetched", Name: "Volume of data fetched by an account", FalsePositives: []string{"A backup, a migration or an export that is part of the work"}},
		Techniques: []string{"T1530", "T1213"}, Tactics: []string{"collection"},
		Entities: Entities{Users: []string{k.source}, Hosts: nonEmpty(s.host)},
	}
	f.Explanation = fmt.Sprintf("account %s fetched %s in a day, in %s, %s; %s.", clip(k.source, 100), bytesText(float64(s.bytes)), prose.Count(s.flows, "answer"), span(s.first, s.last), than)
	f.Query = where{}.is("event.dataset", k.dataset).any(k.source, "user.name", "user.target.name").between(s.first, s.last).String()
	return f
}

// logSurprise is how far a volume is above others, in bits, if volumes are spread
// log-normally: from the median and the deviation of the logarithms, of which a
// third of an order of magnitude is the least that is believed.
func logSurprise(n float64, others []weighted) float64 {
	logs := make([]float64, len(others))
	for i, o := range others {
		logs[i] = math.Log(o.value + 1000)
	}
	slices.Sort(logs)
	median := percentile(logs, 0.5)
	spread := max(1.4826*deviation(logs, median), math.Log(10)/3)
	z := (math.Log(n+1000) - median) / spread
	if z <= 0 {
		return 0
	}
	if p := math.Erfc(z/math.Sqrt2) / 2; p > 1e-280 {
		return -math.Log2(p)
	}
	return maxSurprise
}
