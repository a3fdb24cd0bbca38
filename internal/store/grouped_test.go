package store

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// tight is a store whose engine can hold so many groups.
type tight struct {
	Store
	most   int
	failed int
}

func (s *tight) QueryWith(ctx context.Context, query string, o QueryOptions, fn func([]event.Field) error) error {
	var rows [][]event.Field
	err := s.Store.QueryWith(ctx, query, o, func(row []event.Field) error {
		var r []event.Field
		for _, f := range row {
			r = append(r, event.Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)})
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return err
	}
	if len(rows) > s.most && !strings.Contains(query, " by (_time:") {
		s.failed++
		return fmt.Errorf("%w: %d groups", ErrMemory, len(rows))
	}
	for _, r := range rows {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func TestGroupsTooManyForMemoryAreCountedAllTheSame(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b event.Batch
	const n = 6000
	for i := range n {
		e := b.Begin(int64(i), "")
		switch { // half spread over weeks, with a crowd in one nanosecond, and some without a time
		case i%2 == 0:
			e.Time = testTime + int64(i)*int64(i)*50_000_000
		case i%10 == 1:
			e.Time = event.NoTime
		default:
			e.Time = testTime
		}
		e.Raw = "x"
		b.Add("user.name", fmt.Sprintf("user%d", i%1700))
		if i%3 > 0 {
			b.Add("host.name", fmt.Sprintf("h\x1f%d\n", i%7))
		}
	}
	add(t, s, &Source{ID: testID, Path: "p"}, b.Events)
	by := []string{"user.name", "host.name"}
	figures := []Figure{{"n", "count()"}, {"few", `count() if ("host.name":*)`}, {"first", `min(_time) if (!"sextant.time":*)`}, {"last", "max(_time)"}}
	group := func(st Store) map[string]int {
		out := map[string]int{}
		if err := Group(t.Context(), st, "*", by, figures, func() { clear(out) }, func(row []event.Field) error {
			key := ""
			for _, name := range []string{"user.name", "host.name", "n", "few", "first", "last"} {
				for _, f := range row {
					if f.Name == name {
						key += f.Value
					}
				}
				key += "|"
			}
			out[key]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	grouped := func(st Store) map[string]int {
		out := map[string]int{}
		if err := Grouped(t.Context(), st, "*", "user.name", `stats by ("user.name") count() n`, func() { clear(out) }, func(row []event.Field) error {
			out[row[0].Value+" "+row[1].Value]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	want, wantParts := group(s), grouped(s)
	for _, most := range []int{1100, 150} {
		small := &tight{Store: s, most: most}
		if got := group(small); !maps.Equal(got, want) {
			t.Errorf("with room for %d groups there are %d, want %d", most, len(got), len(want))
		}
		if got := grouped(small); !maps.Equal(got, wantParts) || len(got) != 1700 {
			t.Errorf("with room for %d groups there are %d in parts, want %d", most, len(got), len(wantParts))
		}
		if small.failed == 0 || len(want) < 1700 {
			t.Errorf("nothing failed, of %d groups", len(want))
		}
	}
}

func TestGroupsGoToFilesOfFiles(t *testing.T) {
	g := grouper{by: []string{"v"}, figures: []Figure{{"n", "count()"}}, seed: maphash.MakeSeed(), most: 1000}
	defer g.close()
	const n = 50_000
	for i := range 2 * n {
		if err := g.add([]event.Field{{Name: "v", Value: fmt.Sprint("value ", i%n)}, {Name: "n", Value: "3"}}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	if err := g.each(func(row []event.Field) error {
		if row[1].Value != "6" || seen[row[0].Value] {
			t.Fatalf("%v", row)
		}
		seen[strings.Clone(row[0].Value)] = true
		return nil
	}); err != nil || len(seen) != n {
		t.Errorf("%d groups, want %d: %v", len(seen), n, err)
	}
}
