package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

func TestRowsTooBigToSortAtOnceComeInOrder(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b event.Batch
	const n = 120
	for i := range n {
		k := (i * 77) % n
		e := b.Begin(int64(k), "")
		e.Time = testTime + int64(k/40)
		e.Raw = fmt.Sprintf("%d %s", k, strings.Repeat(fmt.Sprintf("%08d ", k), 100_000))
		b.AddInt("k", int64(k))
	}
	add(t, s, &Source{ID: testID, Path: "p"}, b.Events)
	size, i := 0, 0
	if err := s.Query(t.Context(), "*", func(row []event.Field) error {
		for _, f := range row {
			size += len(f.Value)
			if f.Name == "k" && f.Value != fmt.Sprint(i) {
				t.Fatalf("row %d is %s", i, f.Value)
			}
		}
		i++
		return nil
	}); err != nil || i != n || size < 100<<20 {
		t.Errorf("%d rows of %d bytes: %v", i, size, err)
	}
}
