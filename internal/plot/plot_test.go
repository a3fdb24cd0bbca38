package plot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// stored is a store with so many records on each of some days.
func stored(t *testing.T, days map[string]int) store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w, n := st.NewWriter(), 0
	var b event.Batch
	for day, count := range days {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		for i := range count {
			e := b.Begin(int64(n), "x")
			e.ID, e.Time = fmt.Sprintf("000000000000000000000001-%010x", n), at.Add(time.Duration(i)*time.Minute).UnixNano()
			n++
		}
	}
	if err := w.Add(&store.Source{ID: "000000000000000000000001", Path: "x.log"}, b.Events); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := st.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAWrongClockDoesNotPressAllOthersTogether(t *testing.T) {
	for name, c := range map[string]struct {
		days    map[string]int
		step    time.Duration
		outside string // of the records
		drawn   float64
	}{
		"one of a wrong clock, one old":    {map[string]int{"2026-03-02": 900, "2026-03-03": 400, "1999-01-01": 1, "2097-05-06": 1}, 0, "2 of 1,302 records from 1999-01-01 to 2097-05-06", 1300},
		"four of a hundred, a year before": {map[string]int{"2026-03-02": 960, "2025-03-02": 40}, 0, "40 of 1,000 records from 2025-03-02 to 2026-03-02", 960},
		"too many to be left out":          {map[string]int{"2026-03-02": 600, "2016-03-02": 400}, 0, "", 1000},
		"not far enough":                   {map[string]int{"2026-03-02": 960, "2026-03-05": 40}, 0, "", 1000},
		"one of a thousand, three days":    {map[string]int{"2026-03-02": 1000, "2026-03-05": 1}, 0, "1 of 1,001 records", 1000},
		"a step was chosen":                {map[string]int{"2026-03-02": 960, "2025-03-02": 4}, 24 * time.Hour, "", 964},
		"one day":                          {map[string]int{"2026-03-02": 10}, 0, "", 10},
		"none":                             {nil, 0, "", 0},
	} {
		drawn, err := Draw(t.Context(), stored(t, c.days), Request{Kind: "area", Query: "*", Step: c.step})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ts := drawn.(chart.TimeSeries)
		sum := 0.0
		for _, s := range ts.Series {
			for _, v := range s.Values {
				sum += v
			}
		}
		if sum != c.drawn || !strings.HasPrefix(ts.XLabel, c.outside) || (ts.XLabel == "") != (c.outside == "") {
			t.Errorf("%s: %v records are drawn, said %q; want %v, %q", name, sum, ts.XLabel, c.drawn, c.outside)
		}
	}
}
