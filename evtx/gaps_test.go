package evtx

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestGapsAreFoundInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var in []uint64
		seen := make(map[uint64]bool)
		for range random.IntN(60) {
			id := random.Uint64N(100) + 1
			in = append(in, id)
			seen[id] = true
		}
		var g, half Gaps
		for i, id := range in {
			if i%3 == 0 {
				half.Add(id)
			} else {
				g.Add(id)
			}
		}
		g.Merge(&half)
		var want []Gap
		first, last, count := g.Range()
		for id := first; len(in) > 0 && id <= last; id++ {
			if seen[id] {
				continue
			}
			if n := len(want); n > 0 && want[n-1].Last == id-1 {
				want[n-1].Last = id
			} else {
				want = append(want, Gap{id, id})
			}
		}
		if got := g.Missing(); !slices.Equal(got, want) {
			t.Fatalf("ids %v: missing %v, want %v", in, got, want)
		}
		if len(in) > 0 && (first != slices.Min(in) || last != slices.Max(in)) || count != uint64(len(seen)) {
			t.Fatalf("ids %v: range %d to %d, %d ids", in, first, last, count)
		}
	}
}

func TestGapsAtTheEndsOfTheRange(t *testing.T) {
	var g Gaps
	for _, id := range []uint64{^uint64(0), 0, ^uint64(0), 1} {
		g.Add(id)
	}
	if got := g.Missing(); len(got) != 1 || got[0] != (Gap{2, ^uint64(0) - 1}) {
		t.Errorf("missing %v", got)
	}
}

func TestGapsAreBounded(t *testing.T) {
	var g Gaps
	for id := range uint64(maxStretches * 3) {
		g.Add(2 * id)
	}
	if len(g.runs) > maxStretches {
		t.Errorf("%d stretches", len(g.runs))
	}
}
