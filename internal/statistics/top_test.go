package statistics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// full is a store whose engine cannot keep what a query would need at once.
type full struct{ store.Store }

func (f full) QueryWith(ctx context.Context, q string, o store.QueryOptions, fn func([]event.Field) error) error {
	if !strings.Contains(q, "sextant_part") && (strings.Contains(q, "| top ") || strings.Contains(q, "stats by") || strings.Contains(q, "count_uniq")) {
		if err := f.Store.QueryWith(ctx, q, o, fn); err != nil { // it may have given some rows by then
			return err
		}
		return store.ErrMemory
	}
	return f.Store.QueryWith(ctx, q, o, fn)
}

func TestTheMostFrequentAreThoseThatCountingAllWouldFind(t *testing.T) {
	var facts []fact
	for i := range 900 {
		facts = append(facts, fact{start, []string{"user.name", fmt.Sprint("u", i%37*i%11), "source.bytes", fmt.Sprint(i % 50), "event.category", fmt.Sprint("c", i%7), "event.category", fmt.Sprint("d", i%3)}})
	}
	plain := filled(t, facts)
	for name, st := range map[string]store.Store{"at once": plain, "in parts": full{plain}} {
		for _, field := range []string{"user.name", "event.category", "source.bytes", "nothing.here"} {
			for _, most := range []int{1, 5, 40, 500} {
				d, err := Count(t.Context(), plain, "*", field, most, 0)
				if err != nil {
					t.Fatal(err)
				}
				top, more, err := Top(t.Context(), st, "*", field, most)
				if err != nil {
					t.Fatal(err)
				}
				for i := range d.Top {
					d.Top[i].First, d.Top[i].Last = 0, 0
				}
				if !slices.Equal(top, d.Top) || more != (d.Distinct > int64(len(d.Top))) {
					t.Errorf("%s: the first %d of %s are %v, more: %v; want %v of %d", name, most, field, top, more, d.Top, d.Distinct)
				}
				values, events, err := Distinct(t.Context(), st, "*", field)
				if err != nil || values != d.Distinct || events != d.With {
					t.Errorf("%s: %d values of %s in %d events, %v; want %d, %d", name, values, field, events, err, d.Distinct, d.With)
				}
			}
		}
		sums, err := TopSums(t.Context(), st, "*", "user.name", "source.bytes", 3)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for i := range facts {
			all[facts[i].fields[1]] += float64(i % 50)
		}
		for i, s := range sums {
			larger := 0
			for _, v := range all {
				if v > s.Sum {
					larger++
				}
			}
			if s.Sum != all[s.Value] || larger > i {
				t.Errorf("%s: %s has the sum %v, %d are larger; want %v", name, s.Value, s.Sum, larger, all[s.Value])
			}
		}
		if len(sums) != 3 {
			t.Errorf("%s: %d sums", name, len(sums))
		}
	}
}
