package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// stored answers the query for the records at the edges of gaps.
type stored map[int]bool

func (r stored) Query(_ context.Context, q string, fn func([]event.Field) error) error {
	for n := range r {
		if strings.Contains(q, fmt.Sprintf("(%d,", n)) || strings.Contains(q, fmt.Sprintf(",%d,", n)) || strings.Contains(q, fmt.Sprintf(",%d)", n)) {
			err := fn([]event.Field{{Name: "_time", Value: fmt.Sprintf("2024-03-04T10:%02d:00Z", n%60)}, {Name: "event.id", Value: fmt.Sprintf("s-%d", n)}, {Name: "_msg", Value: "record"}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func missing(t *testing.T, numbers []int) []Finding {
	t.Helper()
	g := newGaps()
	have := stored{}
	for i := 0; i < len(numbers); i += 7 {
		var b event.Batch
		for _, n := range numbers[i:min(i+7, len(numbers))] {
			e := b.Begin(int64(n), "x")
			e.ID, e.Sequence = fmt.Sprintf("s-%d", n), int64(n)
			b.Add("event.dataset", "system.security")
			b.Add("host.name", "dc1")
			b.Add("winlog.channel", "Security")
			have[n] = true
		}
		g.Merge(g.Digest("Security.evtx", &b))
	}
	f, err := g.Findings(context.Background(), have)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sequence(from, to int, without ...int) (ns []int) {
	gone := map[int]bool{}
	for _, n := range without {
		gone[n] = true
	}
	for n := from; n <= to; n++ {
		if !gone[n] {
			ns = append(ns, n)
		}
	}
	return ns
}

func TestMissingRecordNumbersAreAFindingWithTheRecordsBesideThem(t *testing.T) {
	fs := missing(t, sequence(5000, 5100, 5050, 5051, 5052))
	if len(fs) != 1 {
		t.Fatalf("%d findings", len(fs))
	}
	f := fs[0]
	if f.Level != "medium" || len(f.Evidence) != 2 || f.Evidence[0].ID != "s-5049" || f.Evidence[1].ID != "s-5053" {
		t.Errorf("%s %+v", f.Level, f.Evidence)
	}
	if want := "Security.evtx of dc1: 3 of the 101 record numbers from 5000 to 5100 are missing, 5050 to 5052."; f.Explanation != want {
		t.Errorf("%q", f.Explanation)
	}
}

func TestAWholeLogHasNoGapWhereverItBegins(t *testing.T) {
	if fs := missing(t, sequence(90000, 90300)); len(fs) != 0 {
		t.Errorf("%+v", fs)
	}
}

func TestAFilteredExportIsNoMoreThanInformation(t *testing.T) {
	var ns []int
	for n := 1; n < 400; n += 9 {
		ns = append(ns, n)
	}
	fs := missing(t, ns)
	if len(fs) != 1 || fs[0].Level != "informational" || len(fs[0].Techniques) != 0 {
		t.Errorf("%+v", fs)
	}
}

func TestACounterThatBeginsAnewHasNoGap(t *testing.T) {
	for name, numbers := range map[string][]int{
		"after many":                   slices.Concat(sequence(5000, 5400), sequence(1, 300)),
		"after few":                    slices.Concat(sequence(121, 190), sequence(1, 300)),
		"and the first come late":      slices.Concat(sequence(121, 190), []int{2, 1, 3, 5, 4}, sequence(6, 300)),
		"twice":                        slices.Concat(sequence(900, 1400), sequence(1, 300), sequence(1, 300)),
		"and the last comes later":     slices.Concat(sequence(121, 600), []int{1, 2, 601, 3, 4}, sequence(5, 300)),
		"and the first comes before":   slices.Concat(sequence(5000, 5400), []int{1, 5401, 2, 5402, 3}, sequence(4, 300)),
		"and one of before comes late": slices.Concat(sequence(5000, 5398), sequence(5400, 5450), []int{5399}, sequence(1, 300)),
	} {
		g := newGaps()
		have := stored{}
		var b event.Batch
		for i, n := range numbers {
			e := b.Begin(int64(i), "x")
			e.ID, e.Sequence = fmt.Sprintf("s-%d", n), int64(n)
			b.Add("event.dataset", "cisco_ios.log")
			b.Add("host.name", "sw1")
			have[n] = true
		}
		g.Merge(g.Digest("switch.log", &b))
		fs, err := g.Findings(context.Background(), have)
		if err != nil || len(fs) != 0 {
			t.Errorf("%s: %v %v", name, fs, err)
		}
	}
}
