package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// long finds connections from one's own network to outside that stayed open for
// hours, longer than others to the same port, as those that a remote hand holds open.
// The steps are RITA's: an hour, four, eight, twelve. Flow exporters tell of a connection that stays open in parts, at
// every active timeout (RFC 7011 §8.4): these are put together. See docs/techniques/long.md.
type long struct {
	open    map[fiveTuple]*chain // what parts of a connection were last seen
	ports   map[portKey]*lengths
	top     map[pairKey]*longest
	order   []pairKey
	sources map[string]*distinct
	tooMany bool
}

type portKey struct {
	dataset string
	port    uint16
}

// lengths counts durations by their magnitude: the n-th bucket is 2^n seconds.
type lengths [24]int

// longest is the longest connection of a pair.
type longest struct {
	duration, out, in int64
	end               int64 // time of the record, of several the last
	from, to          int64 // when it was open
	port              uint16
	dataset, host     string
	domain            string
	first, last       int64
	parts             int // records it was put together of, 0 for one
}

// fiveTuple is one connection, as one log tells of it.
type fiveTuple struct {
	dataset, source, to string
	sourcePort, port    uint16
}

// part is a record of a connection: its time, which is that of its beginning or of its end, as the log has it.
type part struct{ time, duration int64 }

// chain is parts of a connection that follow each other.
type chain struct {
	first, last part
	total       longest // what they are together
	parts       int
}

const (
	longLeast    = hour
	longCommon   = 5 // sources with long connections to one destination, from which on it is what everybody has
	maxLongPairs = 50_000
	partLeast    = 50 * second // active timeouts are a minute, five, half an hour
	partPause    = minute      // between two parts nothing may be sent for as long as an inactive timeout
)

// follows reports whether n goes on where p ends, whether times are of beginnings or of ends.
func (p part) follows(n part) bool {
	between := n.time - p.time
	for _, d := range [2]int64{p.duration, n.duration} {
		if off := between - d; between > 0 && off >= -partPause && off <= partPause+d/10 {
			return true
		}
	}
	return false
}

// open is from when to when a record says that a connection was open. Where the record does not say, its time is
// that of the end, at which most logs write; Zeek's ts is that of the first packet (docs.zeek.org, conn.log).
func (r *row) open(rs *rows) (from, to int64) {
	for _, f := range rs.events[r.at].Fields {
		if f.Name != "event.start" && f.Name != "event.end" {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, f.Value); err == nil {
			if f.Name == "event.start" {
				return at.UnixNano(), at.UnixNano() + r.duration
			}
			return at.UnixNano() - r.duration, at.UnixNano()
		}
	}
	if strings.HasPrefix(rs.names[r.dataset], "zeek.") {
		return r.time, r.time + r.duration
	}
	return r.time - r.duration, r.time
}

// join adds what follows.
func (c *chain) join(n *chain) {
	c.last = n.last
	c.parts += n.parts
	t := &c.total
	t.end, t.last = n.total.end, n.total.last
	t.from, t.to = min(t.from, n.total.from), max(t.to, n.total.to)
	t.duration = max(c.last.time-c.first.time+c.first.duration, c.last.time-c.first.time+c.last.duration)
	if t.out >= 0 && n.total.out >= 0 {
		t.out += n.total.out
	}
	if t.in >= 0 && n.total.in >= 0 {
		t.in += n.total.in
	}
}

var _ = register(newLong)

func newLong() Technique {
	return &long{open: map[fiveTuple]*chain{}, ports: map[portKey]*lengths{}, top: map[pairKey]*longest{}, sources: map[string]*distinct{}}
}

// Name implements Technique.
func (*long) Name() string { return "long" }

// About implements Technique.
func (*long) About() string { return "Connections that stay open" }

// Needs implements Technique.
func (*long) Needs() []string { return []string{"event.duration", "event.end"} }

type longDigest struct {
	ports   []portKey
	lengths []lengths
	keys    []pairKey
	vals    []longest
	parts   []fiveTuple // in order of time, as many as there are chains
	chains  []*chain
}

// Digest implements Technique.
func (t *long) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*long) digest(_ string, rs *rows) any {
	var ports tally[uint64, lengths]
	var top tally[uint64, longest]
	type tuple struct {
		dataset, source, to sym
		sourcePort, port    uint16
	}
	last := map[tuple]int{} // the last of each in chains
	var tuples []tuple
	var chains []*chain
	for i := range rs.list {
		r := &rs.list[i]
		if r.duration < 0 || r.destination == 0 || r.source == 0 || r.has(alert) {
			continue
		}
		ports.at(uint64(r.dataset)<<16 | uint64(r.port))[magnitude(r.duration)]++
		if r.duration >= partLeast && r.sourcePort != 0 && inside(rs.names[r.source]) && outside(rs.names[r.destination]) {
			k := tuple{r.dataset, r.source, r.destination, r.sourcePort, r.port}
			p := part{r.time, r.duration}
			from, to := r.open(rs)
			n := chain{first: p, last: p, parts: 1, total: longest{duration: r.duration, out: r.out, in: r.in, end: r.time, from: from, to: to, port: r.port, first: r.time, last: r.time,
				dataset: rs.keep(r.dataset), host: rs.keep(r.host), domain: rs.keep(r.domain)}}
			if i, ok := last[k]; ok && chains[i].last.follows(p) {
				chains[i].join(&n)
			} else {
				last[k] = len(chains)
				tuples, chains = append(tuples, k), append(chains, &n)
			}
		}
		if r.duration < longLeast || !inside(rs.names[r.source]) || !outside(rs.names[r.destination]) {
			continue
		}
		l := top.at(uint64(r.source)<<32 | uint64(r.destination))
		if r.duration > l.duration {
			l.first, l.last = r.time, r.time
			l.from, l.to = r.open(rs)
			l.duration, l.out, l.in, l.end, l.port = r.duration, r.out, r.in, r.time, r.port
			l.dataset, l.host, l.domain = rs.keep(r.dataset), rs.keep(r.host), rs.keep(r.domain)
		}
	}
	if len(ports.keys) == 0 {
		return nil
	}
	d := &longDigest{lengths: ports.vals, vals: top.vals, chains: chains}
	for _, k := range tuples {
		d.parts = append(d.parts, fiveTuple{rs.keep(k.dataset), rs.keep(k.source), rs.keep(k.to), k.sourcePort, k.port})
	}
	for _, k := range ports.keys {
		d.ports = append(d.ports, portKey{rs.keep(sym(k >> 16)), uint16(k)})
	}
	for _, k := range top.keys {
		d.keys = append(d.keys, pairKey{source: rs.keep(sym(k >> 32)), to: rs.keep(sym(uint32(k)))})
	}
	return d
}

func magnitude(duration int64) int {
	n := 0
	for s := duration / second; s > 0 && n < len(lengths{})-1; s >>= 1 {
		n++
	}
	return n
}

// Merge implements Technique.
func (t *long) Merge(digest any) {
	d := digest.(*longDigest)
	for i, k := range d.ports {
		l := t.ports[k]
		if l == nil {
			if len(t.ports) >= maxLongPairs {
				continue
			}
			l = &lengths{}
			t.ports[k] = l
		}
		for j, n := range d.lengths[i] {
			l[j] += n
		}
	}
	for i, k := range d.parts {
		n := *d.chains[i]
		c := t.open[k]
		switch {
		case c != nil && c.last.follows(n.first):
			c.join(&n)
		case c != nil:
			c.counted(t.lengths(k))
			*c = n
		case len(t.open) >= maxLongPairs:
			t.tooMany = true
			continue
		default:
			c = &n
			t.open[k] = c
		}
		if c.parts > 1 && c.total.duration >= longLeast { // else the record itself is there
			c.total.parts = c.parts
			t.put(pairKey{source: k.source, to: k.to}, c.total)
		}
	}
	for i, k := range d.keys {
		t.put(k, d.vals[i])
	}
}

// counted counts a connection of several parts as one, and not as its parts, which were.
func (c *chain) counted(l *lengths) {
	if c.parts > 1 {
		l[magnitude(c.last.duration)] -= c.parts
		l[magnitude(c.total.duration)]++
	}
}

// lengths are those of connections to the port.
func (t *long) lengths(k fiveTuple) *lengths {
	p := portKey{k.dataset, k.port}
	if t.ports[p] == nil {
		t.ports[p] = &lengths{}
	}
	return t.ports[p]
}

func (t *long) put(k pairKey, from longest) {
	l := t.top[k]
	if l == nil {
		if len(t.top) >= maxLongPairs {
			t.tooMany = true
			return
		}
		t.top[k] = &from
		t.order = append(t.order, k)
	} else if from.duration > l.duration {
		*l = from
	}
	s := t.sources[k.to]
	if s == nil {
		s = &distinct{}
		t.sources[k.to] = s
	}
	s.add(hashOf(k.source))
}

func (t *long) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s pairs had long connections: the last were not kept", prose.Number(maxLongPairs))}
}

// Findings implements Technique.
func (t *long) Findings(context.Context, Querier) ([]Finding, error) {
	still := map[portKey]lengths{} // those of several parts that may go on
	for k, c := range t.open {
		l := still[portKey{k.dataset, k.port}]
		c.counted(&l)
		still[portKey{k.dataset, k.port}] = l
	}
	var out []Finding
	for _, k := range t.order {
		l := t.top[k]
		sources := t.sources[k.to].count()
		if sources >= longCommon {
			continue // what many computers wait at: messages, remote support
		}
		all, longer := 0, 0
		if p := t.ports[portKey{l.dataset, l.port}]; p != nil {
			more := still[portKey{l.dataset, l.port}]
			for i, n := range p {
				n = max(0, n+more[i]) // parts may differ in length
				all += n
				if i >= magnitude(l.duration) {
					longer += n
				}
			}
		}
		share := float64(longer+1) / float64(all+2)
		if all >= 100 && share > 0.005 {
			continue // to this port that is how long they last
		}
		f := Finding{
			Title: "A connection to outside stayed open for hours", Level: "informational", First: l.from, Last: l.to, Count: 1, Datasets: nonEmpty(l.dataset),
			Rule: Rule{ID: "long", Name: "Long connection", References: []string{"https://github.com/activecm/rita"},
				FalsePositives: []string{"Messengers, remote support, VPN: what holds a connection open by design"}},
			Techniques: []string{"T1071"}, Tactics: []string{"command-and-control"},
			Entities: Entities{Sources: []string{k.source}, Destinations: []string{k.to}, Hosts: nonEmpty(l.host)},
			Surprise: -math.Log2(share) + math.Log2(float64(l.duration)/float64(longLeast)),
		}
		if l.duration >= 4*hour && sources <= 2 {
			f.Level = "low"
		}
		among := fmt.Sprintf("%d of %s connections to port %d lasted as long", longer, prose.Number(all), l.port)
		if all < 100 {
			among = fmt.Sprintf("there are %d connections to port %d to compare with", all, l.port)
		}
		carried := ""
		if l.out >= 0 && l.in >= 0 {
			carried = fmt.Sprintf(" and carried %s out, %s in", bytesText(float64(l.out)), bytesText(float64(l.in)))
		}
		recorded := span(l.from, l.to)
		if l.parts > 1 {
			recorded = fmt.Sprintf("%s in %d records that follow each other", span(l.first, l.last), l.parts)
		}
		name := clip(k.to, 100)
		if l.domain != "" && l.domain != k.to {
			name += " (" + clip(l.domain, 80) + ")"
		}
		f.Explanation = fmt.Sprintf("%s held a connection to %s port %d open for %s, %s%s; %s.", clip(k.source, 100), name, l.port, lasting(l.duration), recorded, carried, among)
		if l.parts > 1 {
			f.Count = l.parts
		}
		f.Query = where{}.between(l.first, l.end).is("event.dataset", l.dataset).any(k.source, "source.ip", "client.ip").is("destination.ip", k.to).String()
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Explanation, b.Explanation))
	})
	return out, nil
}
