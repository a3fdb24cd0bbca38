package analyze

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

func TestLookupsFindEveryRecordNamedAndNoOther(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []string
	for i, source := range []string{"000000000000000000000001", "00000000000000000000000a", "ffffffffffffffffffffffff"} {
		var b event.Batch
		for n := range 2500 {
			offset := int64(n) * 100
			if n == 2499 {
				offset = 1 << 41 // more than ten digits
			}
			e := b.Begin(offset, "record")
			e.Time, e.ID = 1_700_000_000e9+int64(i*n), fmt.Sprintf("%s-%010x", source, offset)
			all = append(all, e.ID)
		}
		w := s.NewWriter()
		if err := errors.Join(w.Add(&store.Source{ID: source, Path: "made.log"}, b.Events), w.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var odd []string
	for i, id := range all {
		if i%3 != 1 {
			odd = append(odd, id)
		}
	}
	for _, ids := range [][]string{all, odd, all[:1], {all[2499], all[2500]}, {"no id at all", all[7]}, nil} {
		var found []string
		for _, l := range Lookups(append(slices.Clone(ids), ids...)) {
			for _, half := range l.Halves() {
				if len(half.IDs) == 0 {
					continue
				}
				err := s.Query(t.Context(), half.Filter+` | fields "event.id"`, func(row []event.Field) error {
					for _, f := range row {
						found = append(found, string([]byte(f.Value)))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		want := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "no id at all" })
		slices.Sort(found)
		slices.Sort(want)
		if !slices.Equal(found, want) {
			t.Errorf("%d records found of %d named", len(found), len(want))
		}
	}
}
