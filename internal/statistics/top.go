package statistics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Top returns the most frequent values of a field, by count, then value, and
// whether there are more than so many. It is Count for those who want no more
// than that: the engine keeps the first, and no value's times are looked at.
func Top(ctx context.Context, st store.Store, query, field string, most int) (top []Value, more bool, err error) {
	query = unrolled(with(query, quote(field)+":*"), field)
	k := keeper{n: most + 1, before: func(a, b Value) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value)) }}
	take := func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		if v := column(row, field); v != "" {
			k.add(Value{Value: v, Count: n})
		}
		return err
	}
	limit := most + 2 // an array may hold an empty value, which is none
	err = st.QueryWith(ctx, fmt.Sprintf("%s | top %d by (%s) hits as sextant_n", query, limit, quote(field)), store.QueryOptions{Unsorted: true}, take)
	if errors.Is(err, store.ErrMemory) {
		err = store.Group(ctx, st, query, []string{field}, []store.Figure{{Name: "sextant_n", Of: "count()"}}, func() { k.kept = nil }, take)
	}
	if err != nil {
		return nil, false, err
	}
	top = k.sorted()
	return top[:min(len(top), most)], len(top) > most, nil
}

// Distinct returns how many different values a field has, and in how many
// events; a value of a list counts as an event.
func Distinct(ctx context.Context, st store.Store, query, field string) (values, events int64, err error) {
	q := with(unrolled(with(query, quote(field)+":*"), field), quote(field)+":*")
	err = st.QueryWith(ctx, q+" | stats count_uniq_hash("+quote(field)+") sextant_d, count() sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) (err error) {
		if values, err = number(row, "sextant_d"); err == nil {
			events, err = number(row, "sextant_n")
		}
		return err
	})
	if errors.Is(err, store.ErrMemory) {
		var d *Distribution
		if d, err = Count(ctx, st, query, field, 0, 0); err == nil {
			values, events = d.Distinct, d.With
		}
	}
	return values, events, err
}

// Sum is a value of a field and the sum of the numbers that another field has with it.
type Sum struct {
	Value string
	Sum   float64
}

// TopSums returns the values of a field with the greatest sums of numbers in
// another one, greatest first. Values without a number are none of them.
func TopSums(ctx context.Context, st store.Store, query, field, value string, most int) ([]Sum, error) {
	query = unrolled(with(query, quote(field)+":*", quote(value)+":*"), field)
	var all []Sum
	stats := fmt.Sprintf("stats by (%s) sum(%s) sextant_n | sort by (sextant_n desc, %[1]s) limit %[3]d", quote(field), quote(value), most+1)
	err := store.Grouped(ctx, st, query, field, stats, func() { all = nil }, func(row []event.Field) error {
		// What is no number has no sum.
		if v, err := strconv.ParseFloat(column(row, "sextant_n"), 64); err == nil && v == v && column(row, field) != "" {
			all = append(all, Sum{strings.Clone(column(row, field)), v})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Sum) int { return cmp.Or(cmp.Compare(b.Sum, a.Sum), strings.Compare(a.Value, b.Value)) })
	all = all[:min(len(all), most)]
	for i, s := range all {
		if s.Sum == math.Trunc(s.Sum) && math.Abs(s.Sum) < 1<<53 {
			continue // whole, so the same in whatever order it was added up
		}
		n, err := CountNumbers(ctx, st, with(query, quote(field)+":="+quote(s.Value)), value)
		if err != nil {
			return nil, err
		}
		all[i].Sum = n.Sum()
	}
	return all, nil
}
