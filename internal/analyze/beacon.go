package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// beacon finds connections that come at even intervals for hours, as those of
// malware that asks for orders do: pairs of a source and what it talks to, by address
// or by name, in connection, proxy, DNS, TLS and process-connection records. It scores as RITA does
// (github.com/activecm/rita, "beacons"): evenness of intervals and of sizes by Bowley's
// skewness and the median absolute deviation, a flat histogram over the hours, and how long
// it lasted. See docs/techniques/beacon.md.
type beacon struct {
	pairs       map[pairKey]*contacts
	order       []pairKey
	samples     int
	sources     map[string]*distinct // sources of a destination, for its prevalence
	first, last int64                // of all records
	tooMany     bool
}

// pairKey is a source and what it talks to, as one log's records of one kind tell.
type pairKey struct {
	log         string // dataset and what kind of record
	source, to  string
	destination bool // to is an address
}

// contacts are the times and sizes of a pair's connections.
type contacts struct {
	dataset, host string
	at            []contact // as they came
	skipped       int       // beyond maxContacts
}

// contact is one connection: when, in seconds, and bytes sent, -1 unknown.
type contact struct {
	second int64
	out    int32
}

const (
	maxPairs    = 60_000
	maxContacts = 3_000     // of a pair: a day at one in 29 s, two months at one in half an hour
	maxSamples  = 3_000_000 // 16 bytes each
)

var _ = register(newBeacon)

func newBeacon() Technique {
	return &beacon{pairs: map[pairKey]*contacts{}, sources: map[string]*distinct{}, first: event.NoTime, last: event.NoTime}
}

// Name implements Technique.
func (*beacon) Name() string { return "beacon" }

// About implements Technique.
func (*beacon) About() string { return "Connections at even intervals" }

// Needs implements Technique.
func (*beacon) Needs() []string { return []string{"destination.ip", "dns.question.name", "url.domain"} }

type beaconDigest struct {
	keys        []pairKey
	vals        []contacts
	first, last int64
}

// Digest implements Technique.
func (t *beacon) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*beacon) digest(_ string, rs *rows) any {
	type key struct {
		dataset, kind, source, to sym
		address                   bool
	}
	var t tally[key, contacts]
	d := &beaconDigest{first: event.NoTime}
	var none sym
	for i := range rs.list {
		r := &rs.list[i]
		if d.first == event.NoTime || r.time < d.first {
			d.first = r.time
		}
		d.last = max(d.last, r.time)
		if r.has(alert) || r.has(denied) {
			continue
		}
		k := key{dataset: r.dataset, kind: r.action, source: r.source}
		if r.source == 0 {
			k.source = r.host
		}
		switch {
		case k.source == 0:
			continue
		case r.question != "":
			if r.answered || len(r.question) > maxName {
				continue // the question is enough
			}
			k.to = rs.sym(lower(r.question), &none)
		case r.domain != 0:
			k.to = r.domain
		case r.destination != 0 && r.kind&(network|connection) != 0:
			k.to, k.address = r.destination, true
		default:
			continue
		}
		if k.to == 0 || k.to == k.source {
			continue
		}
		c := t.at(k)
		if c.dataset == "" {
			c.dataset, c.host = rs.keep(r.dataset), rs.keep(r.host)
		}
		out := int32(-1)
		if r.out >= 0 {
			out = int32(min(r.out, math.MaxInt32))
		}
		c.add(contact{floorDiv(r.time, second), out})
	}
	for i, k := range t.keys {
		log := rs.keep(k.dataset)
		if strings.Contains(log, "dhcp") {
			continue // leases are renewed at even intervals (RFC 2131 §4.4.5)
		}
		d.vals = append(d.vals, t.vals[i])
		if k.kind != 0 {
			log += " " + rs.keep(k.kind)
		}
		d.keys = append(d.keys, pairKey{log, rs.keep(k.source), rs.keep(k.to), k.address})
	}
	if d.first == event.NoTime {
		return nil
	}
	return d
}

// add adds a contact; several in the second of the one before are one, as the
// connections of a page are.
func (c *contacts) add(n contact) {
	if l := len(c.at); l > 0 && c.at[l-1].second == n.second {
		c.at[l-1].out = max(c.at[l-1].out, n.out)
		return
	}
	if len(c.at) >= maxContacts {
		c.skipped++
		return
	}
	c.at = append(c.at, n)
}

// Merge implements Technique.
func (t *beacon) Merge(digest any) {
	d := digest.(*beaconDigest)
	if t.first == event.NoTime || d.first < t.first {
		t.first = d.first
	}
	t.last = max(t.last, d.last)
	for i, k := range d.keys {
		from := &d.vals[i]
		s := t.sources[k.to]
		if s == nil && len(t.sources) < maxPairs {
			s = &distinct{}
			t.sources[k.to] = s
		}
		if s != nil {
			s.add(hashOf(k.source))
		}
		c := t.pairs[k]
		if c == nil {
			if len(t.pairs) >= maxPairs {
				t.tooMany = true
				continue
			}
			c = &contacts{dataset: from.dataset, host: from.host}
			t.pairs[k] = c
			t.order = append(t.order, k)
		}
		for _, n := range from.at {
			if t.samples >= maxSamples {
				t.tooMany = true
				break
			}
			before := len(c.at)
			c.add(n)
			t.samples += len(c.at) - before
		}
		c.skipped += from.skipped
	}
}

func (t *beacon) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s pairs of source and destination, or %s connections of them: the last were not looked at for beacons", prose.Number(maxPairs), prose.Number(maxSamples))}
}

// What a beacon must be.
const (
	beaconLeast    = 20        // contacts
	beaconShortest = hour      // from the first to the last
	beaconLong     = 2 * hour  // and to be worth an incident: pages that are open poll for an hour
	beaconFastest  = 3.0       // seconds between two, half of them
	beaconEnough   = 0.70      // score from which it is told: where RITA's low ends and its medium begins (default_config.hjson, score_thresholds)
	beaconHint     = 0.60      // and from which it is of a source alone: what began it may tell more
	beaconCommon   = 5         // sources of one destination, from which on it is what everybody has
	beaconFew      = 2         // sources at most, to be worth an incident
	beaconSettled  = 36 * hour // what goes on from the first hours of the logs is part of how things are
	beaconClear    = 0.95      // score from which, of one source alone, less will do:
	beaconUnseen   = 12 * hour // half a day without it
	beaconSeldom   = 6         // contacts, of fewer than beaconLeast, if they are too even for chance:
	beaconChance   = 10        // bits more than it takes for one of all such pairs to be so
	beaconSlowest  = 60.0      // seconds between two of so few, at least
)

// Findings implements Technique.
func (t *beacon) Findings(context.Context, Querier) ([]Finding, error) {
	type found struct {
		key  pairKey
		c    *contacts
		s    rhythm
		also []pairKey
	}
	best := map[pairKey]found{} // by source and name or address: the log that shows it best
	var keys []pairKey
	seldom := 0
	for _, k := range t.order {
		if n := len(t.pairs[k].at); beaconSeldom <= n && n < beaconLeast {
			seldom++
		}
	}
	for _, k := range t.order {
		c := t.pairs[k]
		if len(c.at) < beaconSeldom {
			continue
		}
		var s rhythm
		var ok bool
		if len(c.at) < beaconLeast {
			s, ok = c.seldom(seldom)
		} else if s, ok = c.rhythm(); s.score < beaconHint {
			ok = false
		}
		if !ok || s.score < beaconEnough && t.common(k.to) > 1 {
			continue
		}
		who := pairKey{source: k.source, to: k.to}
		old, ok := best[who]
		if !ok {
			keys = append(keys, who)
		}
		if !ok || s.score > old.s.score || s.score == old.s.score && k.log < old.key.log {
			best[who] = found{key: k, c: c, s: s}
		}
	}
	var out []Finding
	bySource := map[string][]*found{}
	for _, k := range keys {
		b := best[k]
		bySource[k.source] = append(bySource[k.source], &b)
	}
	slices.SortStableFunc(keys, func(a, b pairKey) int { return strings.Compare(a.source, b.source) })
	keys = slices.CompactFunc(keys, func(a, b pairKey) bool { return a.source == b.source })
	for _, k := range keys {
		// The address and the names that one beacon goes to: told once.
		all := bySource[k.source]
		slices.SortStableFunc(all, func(a, b *found) int {
			return cmp.Or(cmp.Compare(t.common(a.key.to), t.common(b.key.to)), cmp.Compare(b.s.score, a.s.score), strings.Compare(a.key.to, b.key.to))
		})
		var told []*found
		for _, b := range all {
			if i := slices.IndexFunc(told, func(o *found) bool { return same(&o.s, &b.s) }); i >= 0 {
				if t.common(b.key.to) < beaconCommon || t.common(told[i].key.to) >= beaconCommon { // else the name server that was asked
					told[i].also = append(told[i].also, b.key)
				}
				continue
			}
			told = append(told, b)
		}
		for _, b := range told {
			out = append(out, t.finding(b.key, b.c, b.s, b.also))
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// common is how many sources a destination has.
func (t *beacon) common(to string) int {
	if d := t.sources[to]; d != nil {
		return d.count()
	}
	return 1
}

// same reports whether two rhythms of one source are of one beacon: at the same time and as often.
func same(a, b *rhythm) bool {
	near := func(x, y, of float64) bool { return math.Abs(x-y) <= of }
	return near(float64(a.first), float64(b.first), 2*a.interval+60) && near(float64(a.last), float64(b.last), 2*a.interval+60) &&
		near(a.interval, b.interval, 0.1*a.interval) && near(float64(a.count), float64(b.count), 0.2*float64(a.count))
}

func (t *beacon) finding(k pairKey, c *contacts, s rhythm, also []pairKey) Finding {
	f := Finding{
		Title: "Connections at even intervals", First: s.first * second, Last: s.last*second + second - 1,
		Rule: Rule{ID: "beacon", Name: "Beacon", References: []string{"https://github.com/activecm/rita"},
			FalsePositives: []string{"Updates, monitoring, time synchronisation, mail clients: anything that polls"}},
		Techniques: []string{"T1071"}, Tactics: []string{"command-and-control"}, Datasets: nonEmpty(c.dataset),
		Surprise: 100 * s.score, Count: s.count,
	}
	n := t.common(k.to)
	measured := ""
	if c.skipped > 0 {
		measured = fmt.Sprintf(" and %s times more", prose.Number(c.skipped))
	}
	size := ""
	if s.sized {
		size = fmt.Sprintf(" and %s±%s sent each time", bytesText(s.size), bytesText(s.sizeDeviation))
	}
	among := "no other source does"
	if n > 1 {
		among = fmt.Sprintf("%s contact it", prose.Count(n, "source"))
	}
	to := clip(k.to, 100)
	for _, a := range also {
		to += " (" + clip(a.to, 100) + ")"
	}
	judged := fmt.Sprintf("score %.2f of 1", s.score)
	if s.chance > 0 {
		judged = fmt.Sprintf("contacts at random are so even once in %s such pairs", powerOfTen(s.chance))
		f.Surprise = min(f.Surprise, s.chance)
	}
	f.Explanation = fmt.Sprintf("%s contacted %s %s times %s%s, every %s±%s%s; %s; %s.", clip(k.source, 100), to,
		prose.Number(s.count), span(f.First, f.Last), measured, lasting(int64(s.interval*1e9)), lasting(int64(s.deviation*1e9)), size, judged, among)
	// How grave: out of one's own network, by few, and new, is how malware does it.
	f.Level = "informational"
	out := inside(k.source) && (!k.destination || outside(k.to)) || k.destination && !inside(k.source) && outside(k.to) && !outside(k.source)
	if _, isHost := address(k.source); !isHost {
		out = !k.destination || outside(k.to)
	}
	plain := s.score >= beaconClear && n == 1 && f.First-t.first > beaconUnseen
	fresh := plain || f.First-t.first > beaconSettled || c.skipped == 0 && t.last-f.Last > beaconSettled
	switch {
	case !out || n >= beaconCommon || s.score < beaconEnough:
	case n <= beaconFew && fresh && f.Last-f.First >= beaconLong:
		f.Level = "medium"
	default:
		f.Level = "low"
	}
	w := where{}.between(f.First, f.Last)
	if len(also) == 0 {
		w = w.is("event.dataset", c.dataset)
	}
	if _, ok := address(k.source); ok {
		w = w.any(k.source, "source.ip", "client.ip")
		f.Entities.Sources = []string{k.source}
	} else {
		w = w.is("host.name", k.source)
		f.Entities.Hosts = []string{k.source}
	}
	var ends []string
	for _, k := range append([]pairKey{k}, also...) {
		if k.destination {
			ends = append(ends, where{}.is("destination.ip", k.to).String())
			f.Entities.Destinations = append(f.Entities.Destinations, k.to)
		} else {
			ends = append(ends, where{}.any(k.to, "tls.client.server_name", "url.domain", "destination.domain", "dns.question.name").String())
		}
	}
	f.Entities.Hosts = append(f.Entities.Hosts, nonEmpty(c.host)...)
	f.Query = append(w, "("+strings.Join(ends, " or ")+")").String()
	return f
}

// rhythm is how even a pair's contacts are.
type rhythm struct {
	first, last         int64 // seconds
	count               int
	interval, deviation float64 // median and its median absolute deviation, seconds
	size, sizeDeviation float64
	sized               bool
	score               float64
	chance              float64 // of few contacts: bits, how unlikely random ones are so even
}

// seldom measures contacts that are too few for a score, and reports whether they are too even
// for chance: random arrivals have exponential intervals, of which the share 0.5·(2^e-2^-e) is
// within e of the median. tests is how many pairs are looked at, which makes one of them even by chance.
func (c *contacts) seldom(tests int) (s rhythm, ok bool) {
	at := slices.Clone(c.at)
	slices.SortFunc(at, func(a, b contact) int { return cmp.Compare(a.second, b.second) })
	at = slices.CompactFunc(at, func(a, b contact) bool { return a.second == b.second })
	s.first, s.last, s.count = at[0].second, at[len(at)-1].second, len(at)
	if s.count < beaconSeldom || (s.last-s.first)*second < beaconLong {
		return s, false
	}
	var intervals []float64
	for i := range at[1:] {
		intervals = append(intervals, float64(at[i+1].second-at[i].second))
	}
	slices.Sort(intervals)
	s.interval = percentile(intervals, 0.5)
	s.deviation = deviation(intervals, s.interval)
	if s.interval < beaconSlowest {
		return s, false
	}
	widths := [...]float64{0.01, 0.02, 0.05, 0.1, 0.2}
	for _, e := range widths {
		e = max(e, 1/s.interval) // times are whole seconds
		within := 0
		for _, v := range intervals {
			if math.Abs(v-s.interval) <= e*s.interval {
				within++
			}
		}
		// One of them is the median, by which the others are measured.
		s.chance = max(s.chance, manyBits(within-1, len(intervals)-1, (math.Exp2(e)-math.Exp2(-e))/2))
	}
	s.chance -= math.Log2(float64(len(widths)))
	s.score = evenness(intervals) * beaconHint
	return s, s.chance >= beaconChance+math.Log2(float64(max(1, tests)))
}

// powerOfTen is 2^bits, in words.
func powerOfTen(bits float64) string {
	n := bits * math.Log10(2)
	switch {
	case n < 6:
		return prose.Number(int(math.Pow(10, n)))
	case n < 9:
		return fmt.Sprintf("%.0f million", math.Pow(10, n-6))
	default:
		return fmt.Sprintf("10^%.0f", n)
	}
}

// rhythm measures contacts; ok is false when they are too few, too short or too
// fast to be a beacon at all.
func (c *contacts) rhythm() (s rhythm, ok bool) {
	at := slices.Clone(c.at)
	slices.SortFunc(at, func(a, b contact) int { return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(b.out, a.out)) })
	at = slices.CompactFunc(at, func(a, b contact) bool { return a.second == b.second })
	s.first, s.last, s.count = at[0].second, at[len(at)-1].second, len(at)
	if s.count < beaconLeast || (s.last-s.first)*second < beaconShortest {
		return s, false
	}
	intervals := make([]float64, 0, len(at)-1)
	sizes := make([]float64, 0, len(at))
	for i, n := range at {
		if i > 0 {
			intervals = append(intervals, float64(n.second-at[i-1].second))
		}
		if n.out > 0 {
			sizes = append(sizes, float64(n.out))
		}
	}
	slices.Sort(intervals)
	slices.Sort(sizes)
	s.interval = percentile(intervals, 0.5)
	s.deviation = deviation(intervals, s.interval)
	if s.interval < beaconFastest {
		return s, false
	}
	times := evenness(intervals)
	histogram, longest, bars := hours(at, s.interval)
	// Half a day without a break is as long as it need be, or nearly all of the hours from
	// the first to the last; or a hundred beats, which RITA does not count.
	lasted := max(min(1, float64(longest)/12), min(1, float64(len(at))/100))
	if span := float64((s.last-s.first)/3600 + 1); span >= 6 {
		lasted = max(lasted, min(1, float64(bars)/span)*min(1, span/12))
	}
	parts, total := times+histogram+lasted, 3.0
	if len(sizes)*10 >= len(at)*9 {
		s.sized = true
		s.size = percentile(sizes, 0.5)
		s.sizeDeviation = deviation(sizes, s.size)
		parts, total = parts+evenness(sizes), 4
	}
	s.score = parts / total
	// However long and flat: intervals of a person or a busy service are not even.
	if times < 0.6 || s.deviation > 0.35*s.interval {
		return s, false
	}
	return s, true
}

// evenness is RITA's score of sorted values: the mean of one less Bowley's
// skewness, (Q1+Q3-2·Q2)/(Q3-Q1), and of one less the median absolute deviation
// as a share of the median.
func evenness(sorted []float64) float64 {
	q1, q2, q3 := percentile(sorted, 0.25), percentile(sorted, 0.5), percentile(sorted, 0.75)
	skew := 0.0
	if q3-q1 >= 10 && q2 != q1 && q2 != q3 {
		skew = math.Abs((q1 + q3 - 2*q2) / (q3 - q1))
	}
	mad := 1.0
	if q2 >= 1 {
		mad = max(0, 1-deviation(sorted, q2)/q2)
	}
	return (1 - skew + mad) / 2
}

// hours scores how flat the histogram of contacts over the hours is: one less the
// coefficient of variation, over the hours between the first and last that have any, so
// that a computer that is off at night is not held against it. For slow beacons the
// bars are as wide as four intervals. longest is the longest run of bars without a break and
// bars their number, both in hours.
func hours(at []contact, interval float64) (score float64, longest, bars int) {
	width := int64(3600)
	if span := at[len(at)-1].second - at[0].second; span < 8*width {
		width = max(span/8, 60) // else the first and last bar, which are not whole, are most of it
	}
	if w := int64(4 * interval); w > width {
		width = w
	}
	var counts []float64
	run, bar, n := 0, int64(math.MinInt64), 0.0
	flush := func() {
		if n > 0 {
			counts = append(counts, n)
		}
	}
	for _, c := range at {
		b := floorDiv(c.second, width)
		switch {
		case b == bar:
		case b == bar+1 && bar != math.MinInt64:
			flush()
			run, n = run+1, 0
		default:
			flush()
			run, n = 1, 0
		}
		bar = b
		n++
		longest = max(longest, run)
	}
	flush()
	per := float64(width) / 3600
	bars = int(float64(len(counts)) * per)
	longest = int(float64(longest) * per)
	if len(counts) > 4 { // the first and last are not whole
		counts = counts[1 : len(counts)-1]
	}
	var sum, squares float64
	for _, c := range counts {
		sum += c
	}
	mean := sum / float64(len(counts))
	for _, c := range counts {
		squares += (c - mean) * (c - mean)
	}
	return max(0, 1-math.Sqrt(squares/float64(len(counts)))/mean), longest, bars
}
