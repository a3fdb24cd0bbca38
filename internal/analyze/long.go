package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
)

// long finds connections from one's own network to outside that stayed open for
// hours, longer than others to the same port, as those that a remote hand holds open.
// The steps are RITA's: an hour, four, eight, twelve. See docs/techniques/long.md.
type long struct {
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

// longest is the longest connection of a pair and how many were long.
type longest struct {
	duration, out, in int64
	end               int64
	port              uint16
	count             int
	dataset, host     string
	domain            string
	first, last       int64
}

const (
	longLeast    = hour
	maxLongPairs = 50_000
)

var _ = register(newLong)

func newLong() Technique {
	return &long{ports: map[portKey]*lengths{}, top: map[pairKey]*longest{}, sources: map[string]*distinct{}}
}

// Name implements Technique.
func (*long) Name() string { return "long" }

// About implements Technique.
func (*long) About() string { return "Connections that stay open" }

// Needs implements Technique.
func (*long) Needs() []string { return []string{"event.duration"} }

type longDigest struct {
	ports   []portKey
	lengths []lengths
	keys    []pairKey
	vals    []longest
}

// Digest implements Technique.
func (t *long) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*long) digest(_ string, rs *rows) any {
	var ports tally[uint64, lengths]
	var top tally[uint64, longest]
	for i := range rs.list {
		r := &rs.list[i]
		if r.duration < 0 || r.destination == 0 || r.source == 0 || r.has(alert) {
			continue
		}
		ports.at(uint64(r.dataset)<<16 | uint64(r.port))[magnitude(r.duration)]++
		if r.duration < longLeast || !inside(rs.names[r.source]) || !outside(rs.names[r.destination]) {
			continue
		}
		l := top.at(uint64(r.source)<<32 | uint64(r.destination))
		if l.count == 0 {
			l.first, l.last = r.time, r.time
		}
		l.count++
		l.first, l.last = min(l.first, r.time), max(l.last, r.time)
		if r.duration > l.duration {
			l.duration, l.out, l.in, l.end, l.port = r.duration, r.out, r.in, r.time, r.port
			l.dataset, l.host, l.domain = rs.keep(r.dataset), rs.keep(r.host), rs.keep(r.domain)
		}
	}
	if len(ports.keys) == 0 {
		return nil
	}
	d := &longDigest{lengths: ports.vals, vals: top.vals}
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
	for i, k := range d.keys {
		from := d.vals[i]
		l := t.top[k]
		if l == nil {
			if len(t.top) >= maxLongPairs {
				t.tooMany = true
				continue
			}
			t.top[k] = &from
			t.order = append(t.order, k)
		} else {
			count, first, last := l.count+from.count, min(l.first, from.first), max(l.last, from.last)
			if from.duration > l.duration {
				*l = from
			}
			l.count, l.first, l.last = count, first, last
		}
		s := t.sources[k.to]
		if s == nil {
			s = &distinct{}
			t.sources[k.to] = s
		}
		s.add(hashOf(k.source))
	}
}

func (t *long) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s pairs had long connections: the last were not kept", thousands(maxLongPairs))}
}

// Findings implements Technique.
func (t *long) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	for _, k := range t.order {
		l := t.top[k]
		all, longer := 0, 0
		if p := t.ports[portKey{l.dataset, l.port}]; p != nil {
			for i, n := range p {
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
			Title: "A connection to outside stayed open for hours", Level: "informational", First: l.end, Last: l.end, Count: 1, Datasets: nonEmpty(l.dataset),
			Rule: Rule{ID: "long", Name: "Long connection", References: []string{"https://github.com/activecm/rita"},
				FalsePositives: []string{"Messengers, remote support, VPN: what holds a connection open by design"}},
			Techniques: []string{"T1071"}, Tactics: []string{"command-and-control"},
			Entities: Entities{Sources: []string{k.source}, Destinations: []string{k.to}, Hosts: nonEmpty(l.host)},
			Surprise: -math.Log2(share) + math.Log2(float64(l.duration)/float64(longLeast)),
		}
		sources := 1
		if s := t.sources[k.to]; s != nil {
			sources = s.count()
		}
		if l.duration >= 4*hour && sources <= 2 {
			f.Level = "low"
		}
		among := fmt.Sprintf("%d of %s connections to port %d lasted as long", longer, thousands(all), l.port)
		if all < 100 {
			among = fmt.Sprintf("there are %d connections to port %d to compare with", all, l.port)
		}
		carried := ""
		if l.out >= 0 && l.in >= 0 {
			carried = fmt.Sprintf(" and carried %s out, %s in", bytesText(float64(l.out)), bytesText(float64(l.in)))
		}
		name := clip(k.to, 100)
		if l.domain != "" && l.domain != k.to {
			name += " (" + clip(l.domain, 80) + ")"
		}
		f.Explanation = fmt.Sprintf("%s held a connection to %s port %d open for %s, recorded %s%s; %s.", clip(k.source, 100), name, l.port, lasting(l.duration), span(l.end, l.end), carried, among)
		f.Query = where{}.between(l.end, l.end).is("event.dataset", l.dataset).any(k.source, "source.ip", "client.ip").is("destination.ip", k.to).String()
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}
