package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
)

// volume finds sources of one's own network that send far more data out in a day
// than on their other days, or than anyone does, and says where to. See
// docs/techniques/volume.md.
type volume struct {
	days    map[volumeKey]*sent
	order   []volumeKey
	seen    map[string]*firstDay // of destinations
	first   int64
	tooMany bool
}

// volumeKey is what a source sent in one day, by one log's account, since two sensors
// may see the same; to is empty for all destinations.
type volumeKey struct {
	dataset, source, to string
	day                 int32
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
	smallFlow    = 1 << 20 // flows that are less matter in the sum of a source only
	maxContacted = 100_000
)

var _ = register(newVolume)

func newVolume() Technique {
	return &volume{days: map[volumeKey]*sent{}, seen: map[string]*firstDay{}, first: event.NoTime}
}

// Name implements Technique.
func (*volume) Name() string { return "volume" }

// About implements Technique.
func (*volume) About() string { return "Far more data sent out than usual" }

// Needs implements Technique.
func (*volume) Needs() []string { return []string{"source.bytes", "http.request.body.bytes"} }

type volumeDigest struct {
	keys  []volumeKey
	vals  []sent
	to    []string // each destination with a source, in order
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
	var t tally[key, sent]
	var pairs tally[key, struct{}]
	inner := map[sym]bool{}
	is := func(cache map[sym]bool, s sym, f func(string) bool) bool {
		v, ok := cache[s]
		if !ok {
			v = f(rs.names[s])
			cache[s] = v
		}
		return v
	}
	outer := map[sym]bool{}
	for i := range rs.list {
		r := &rs.list[i]
		if r.out < 0 || r.source == 0 || r.has(alert) || !is(inner, r.source, inside) {
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
		d := dayOf(r.time)
		pairs.at(key{pack(0, 0, r.source, to), d})
		put := func(to sym) {
			s := t.at(key{pack(0, r.dataset, r.source, to), d})
			if s.flows == 0 {
				s.first, s.last = r.time, r.time
			}
			s.bytes += r.out
			s.flows++
			s.first, s.last = min(s.first, r.time), max(s.last, r.time)
			if r.domain != 0 {
				s.domain = rs.keep(r.domain)
			}
			if r.host != 0 {
				s.host = rs.keep(r.host)
			}
		}
		put(0)
		if r.out >= smallFlow {
			put(to)
		}
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &volumeDigest{vals: t.vals}
	name := func(k uint64, shift int) string { return rs.keep(sym(k >> shift & (1<<20 - 1))) }
	for _, k := range t.keys {
		d.keys = append(d.keys, volumeKey{name(k.packed, 40), name(k.packed, 20), name(k.packed, 0), k.day})
	}
	for _, k := range pairs.keys {
		d.pairs = append(d.pairs, volumePair{name(k.packed, 0), name(k.packed, 20), k.day})
	}
	return d
}

// Merge implements Technique.
func (t *volume) Merge(digest any) {
	d := digest.(*volumeDigest)
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
			if len(t.days) >= maxVolumes {
				t.tooMany = true
				continue
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
	return []string{fmt.Sprintf("more than %s pairs of source and destination a day: what the last of them sent was not counted", thousands(maxVolumes))}
}

// What a day's volume must be.
const (
	volumeLeast    = 50_000_000 // bytes
	volumeTimes    = 5          // times the most of nine in ten other days
	volumeBits     = 8
	volumeOwnDays  = 5   // other days of the source to be judged by itself; else by all sources
	volumeMainPart = 0.5 // of the day's bytes, that go to a destination that is named
)

// Findings implements Technique.
func (t *volume) Findings(context.Context, Querier) ([]Finding, error) {
	type who struct{ dataset, source string }
	own := map[who][]volumeKey{}
	everyone := map[string][]float64{} // bytes a day, by log
	parts := map[volumeKey][]volumeKey{}
	for _, k := range t.order {
		if k.to == "" {
			own[who{k.dataset, k.source}] = append(own[who{k.dataset, k.source}], k)
			everyone[k.dataset] = append(everyone[k.dataset], float64(t.days[k].bytes))
			continue
		}
		whole := k
		whole.to = ""
		parts[whole] = append(parts[whole], k)
	}
	for _, v := range everyone {
		slices.Sort(v)
	}
	var out []Finding
	told := map[volumeKey]bool{} // by source and day: two logs may tell of the same
	for _, k := range t.order {
		s := t.days[k]
		if k.to != "" || s.bytes < volumeLeast {
			continue
		}
		var others []weighted
		for _, o := range own[who{k.dataset, k.source}] {
			if o.day != k.day {
				others = append(others, weighted{float64(t.days[o].bytes), age(o.day - k.day)})
			}
		}
		n := float64(s.bytes)
		than, high, bits, ok := "", 0.0, 0.0, false
		if len(others) >= volumeOwnDays {
			sortWeighted(others)
			high = quantile(others, 0.9)
			bits = logSurprise(n, others)
			than = fmt.Sprintf("on nine of ten of its %d other days at most %s", len(others), bytesText(high))
			ok = true
		} else if all := everyone[k.dataset]; len(all) >= 20 {
			high = percentile(all, 0.95)
			vs := make([]weighted, len(all))
			for i, v := range all {
				vs[i] = weighted{v, 1}
			}
			bits = logSurprise(n, vs)
			than = fmt.Sprintf("of %d days of all sources, 19 of 20 are at most %s", len(all), bytesText(high))
			ok = true
		}
		if !ok || n < volumeTimes*high || bits < volumeBits {
			continue
		}
		same := volumeKey{source: k.source, day: k.day}
		if told[same] {
			continue
		}
		told[same] = true
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
			f.First, f.Last, f.Count = m.first, m.last, m.flows
			name := clip(main.to, 100)
			if m.domain != "" && m.domain != main.to {
				name += " (" + clip(m.domain, 80) + ")"
			}
			n, age := 1, int32(0)
			if c := t.seen[main.to]; c != nil {
				n, age = c.sources.count(), k.day-c.day
			}
			to = fmt.Sprintf(", %s of it to %s", bytesText(float64(m.bytes)), name)
			if age <= 1 && n <= 2 && k.day-dayOf(t.first) >= 3 {
				to += ", which nobody had contacted before"
				f.Level = "medium"
			}
			if _, ok := address(main.to); ok {
				f.Entities.Destinations = []string{main.to}
				w = w.is("destination.ip", main.to)
			} else {
				w = w.any(main.to, "url.domain", "tls.client.server_name", "destination.domain")
			}
		}
		f.Explanation = fmt.Sprintf("%s sent %s out in a day, %s%s; %s.", clip(k.source, 100), bytesText(n), span(s.first, s.last), to, than)
		f.Query = w.between(f.First, f.Last).String()
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
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
