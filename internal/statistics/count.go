// Package statistics describes the events of a case with numbers: how often
// which value occurs, how values of two fields go together, how numbers are
// distributed, and what changed between two periods.
//
// All of it are queries of the store, so memory is bounded by the answer and
// not by the events: of a field with any number of values the most frequent
// are kept, and what is said about the rest (how many there are, the entropy)
// is exact all the same, since each value is counted in one part of the
// question only. Results do not depend on the order in which rows arrive.
//
// A query here is LogsQL: a filter, with pipes behind it or not.
package statistics

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Value is how often a value of a field occurs.
type Value struct {
	Value string
	Count int64
	First int64 // ns since the epoch of the first and last event that has it, event.NoTime if none of them has a time
	Last  int64
}

// Distribution is the distribution of a field's values over events.
type Distribution struct {
	Field    string
	Events   int64 // that the query finds
	With     int64 // of these, that have the field; one with several values counts for each
	Distinct int64
	Entropy  float64 // bits
	Once     int64   // values that occur once
	First    int64   // ns of the first and last event, event.NoTime if no event has a time
	Last     int64
	Top      []Value // most first, then by value
	Bottom   []Value // least first, then by value
}

// Evenness is the entropy as a share of what it could be, 0 when all events
// have the same value and 1 when all values are equally frequent.
func (d *Distribution) Evenness() float64 {
	if d.Distinct < 2 {
		return 0
	}
	return d.Entropy / math.Log2(float64(d.Distinct))
}

// quote is a name as LogsQL takes it anywhere.
func quote(name string) string { return strconv.Quote(name) }

// with narrows a query by conditions on the rows it ends with.
func with(query string, conditions ...string) string {
	for _, c := range conditions {
		if c != "" {
			query += " | filter " + c
		}
	}
	return query
}

// unrolled adds what makes one row of each value where a field has several.
func unrolled(query, field string) string {
	if !event.IsArray(field) {
		return query
	}
	return query + " | unroll if (" + quote(field) + `:~"^\\[\"") by (` + quote(field) + ")"
}

// timed leaves out events whose time is made up (see package store).
const timed = `!"sextant.time":*`

func column(row []event.Field, name string) string {
	for i := range row {
		if row[i].Name == name {
			return row[i].Value
		}
	}
	return ""
}

func number(row []event.Field, name string) (int64, error) {
	v := column(row, name)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the store answered %q for %s, which is no count", v, name)
	}
	return n, nil
}

func parseTime(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

// Span returns how many events the query finds, and the times of the first and
// the last, event.NoTime where none has a time.
func Span(ctx context.Context, st store.Store, query string) (events, first, last int64, err error) {
	events, _, first, last, err = Extent(ctx, st, query)
	return events, first, last, err
}

// Extent is Span that also says how many of the events have no time.
func Extent(ctx context.Context, st store.Store, query string) (events, untimed, first, last int64, err error) {
	first, last = event.NoTime, event.NoTime
	err = st.Query(ctx, query+" | stats count() sextant_n", func(row []event.Field) (err error) {
		events, err = number(row, "sextant_n")
		return err
	})
	if err != nil {
		return 0, 0, first, last, err
	}
	err = st.Query(ctx, with(query, timed)+" | stats count() sextant_n, min(_time) sextant_first, max(_time) sextant_last", func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		if untimed = events - n; n > 0 {
			first, last = parseTime(column(row, "sextant_first")), parseTime(column(row, "sextant_last"))
		}
		return err
	})
	return events, untimed, first, last, err
}

// Count returns the distribution of a field over the events that a query finds,
// with at most so many of the most and of the least frequent values.
func Count(ctx context.Context, st store.Store, query, field string, top, bottom int) (*Distribution, error) {
	d := &Distribution{Field: field}
	var err error
	if d.Events, d.First, d.Last, err = Span(ctx, st, query); err != nil {
		return nil, err
	}
	most := keeper{n: top, before: func(a, b Value) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) }}
	least := keeper{n: bottom, before: func(a, b Value) int { return cmp.Or(cmp.Compare(a.Count, b.Count), strings.Compare(a.Value, b.Value)) }}
	sizes := map[int64]int64{} // values by how often they occur
	begin := func() {
		most.kept, least.kept = nil, nil
		clear(sizes)
	}
	figures := []store.Figure{{Name: "sextant_n", Of: "count()"}, {Name: "sextant_first", Of: "min(_time) if (" + timed + ")"}, {Name: "sextant_last", Of: "max(_time) if (" + timed + ")"}}
	err = store.Group(ctx, st, unrolled(with(query, quote(field)+":*"), field), []string{field}, figures, begin, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		if err != nil {
			return err
		}
		v := Value{Value: column(row, field), Count: n, First: parseTime(column(row, "sextant_first")), Last: parseTime(column(row, "sextant_last"))}
		if v.Value == "" {
			return nil
		}
		sizes[n]++
		most.add(v)
		least.add(v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.Top, d.Bottom, d.Once = most.sorted(), least.sorted(), sizes[1]
	for n, values := range sizes {
		d.With += n * values
		d.Distinct += values
	}
	d.Entropy = entropy(sizes, d.With)
	return d, nil
}

// entropy is Shannon's, in bits, of values by how often they occur.
func entropy(sizes map[int64]int64, total int64) float64 {
	if total == 0 {
		return 0
	}
	h := 0.0
	for _, n := range slices.Sorted(maps.Keys(sizes)) { // in order: sums of floats depend on it
		p := float64(n) / float64(total)
		h -= float64(sizes[n]) * p * math.Log2(p)
	}
	return max(h, 0)
}

// keeper keeps the first n values of an order, whatever the order they come in.
type keeper struct {
	n      int
	before func(a, b Value) int
	kept   []Value
}

func (k *keeper) Len() int           { return len(k.kept) }
func (k *keeper) Less(i, j int) bool { return k.before(k.kept[i], k.kept[j]) > 0 } // the last is on top
func (k *keeper) Swap(i, j int)      { k.kept[i], k.kept[j] = k.kept[j], k.kept[i] }
func (k *keeper) Push(v any)         { k.kept = append(k.kept, v.(Value)) }
func (k *keeper) Pop() any {
	v := k.kept[len(k.kept)-1]
	k.kept = k.kept[:len(k.kept)-1]
	return v
}

// add keeps a copy of v if it is among the first.
func (k *keeper) add(v Value) {
	if k.n <= 0 || len(k.kept) == k.n && k.before(v, k.kept[0]) >= 0 {
		return
	}
	v.Value = strings.Clone(v.Value)
	heap.Push(k, v)
	if len(k.kept) > k.n {
		heap.Pop(k)
	}
}

func (k *keeper) sorted() []Value {
	out := slices.Clone(k.kept)
	slices.SortFunc(out, k.before)
	return out
}
