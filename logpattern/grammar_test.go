package logpattern

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestManyKindsAreNotConfused mines messages of thousands of kinds of random words, some of them labels, numbers and names; one in
// four begins as another does. What is put together across orders of separators must be of one kind.
//
//	go test -v -run Confused ./logpattern
func TestManyKindsAreNotConfused(t *testing.T) {
	for _, c := range []struct {
		kinds int
		ga    float64
	}{{300, 0.99}, {3000, 0.98}, {10_000, 0.97}} {
		r := rand.New(rand.NewPCG(5, uint64(c.kinds)))
		vocabulary := make([]string, 3000)
		for i := range vocabulary {
			b := make([]byte, 2+r.IntN(8))
			for j := range b {
				b[j] = "eaiotnshrdlu"[r.IntN(12)]
			}
			vocabulary[i] = string(b)
		}
		word := func() string { return vocabulary[int(3000*math.Pow(r.Float64(), 3))] }
		names := make([]string, 200)
		for i := range names {
			names[i] = vocabulary[r.IntN(3000)] + vocabulary[r.IntN(3000)]
		}
		kinds := make([][]string, c.kinds)
		for i := range kinds {
			for range 3 + r.IntN(9) {
				w := word()
				switch r.IntN(24) {
				case 0, 1, 2:
					w = "NUMBER"
				case 3:
					w = "NAME"
				case 4, 5:
					w += ":"
				}
				kinds[i] = append(kinds[i], w)
			}
			if i > 0 && r.IntN(4) == 0 {
				o := kinds[r.IntN(i)]
				kinds[i] = append(slices.Clone(o[:1+r.IntN(min(4, len(o)))]), kinds[i]...)
			}
		}
		zipf := rand.NewZipf(r, 1.3, 5, uint64(c.kinds-1))
		var truth, messages []string
		for i := range 100_000 {
			k := i
			if i >= c.kinds {
				k = int(zipf.Uint64())
			}
			var m []string
			for _, w := range kinds[k] {
				switch w {
				case "NUMBER":
					w = fmt.Sprint(r.IntN(1e6))
				case "NAME":
					w = names[r.IntN(len(names))]
				}
				m = append(m, w)
			}
			truth, messages = append(truth, fmt.Sprint(k)), append(messages, strings.Join(m, " "))
		}
		texts := mined(messages)
		a := agree(truth, texts)
		t.Logf("%5d kinds, mined %5d  GA %.3f  FGA %.3f", c.kinds, distinct(texts), a.ga, a.fga)
		if a.ga < c.ga {
			t.Error("kinds are confused")
		}
	}
}
