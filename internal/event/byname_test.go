package event

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The table says what a map says, whatever the order of asking and adding, and wherever the names lie.
func TestByNameIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("field.number.%d", i))
	}
	all := strings.Join(names, "") // names that are part of one string
	want := map[string]int{}
	var table ByName[int]
	for range 200_000 {
		name := names[r.IntN(len(names))]
		switch r.IntN(40) {
		case 0:
			if i := r.IntN(100); i > 0 {
				want[name] = i
				table.Put(name, i)
			}
		case 1:
			a := r.IntN(len(all))
			name = all[a:min(len(all), a+r.IntN(40))]
		case 2:
			name = strings.Clone(name)
		}
		got, ok := table.Get(name)
		if w, known := want[name]; got != w || ok != known {
			t.Fatalf("%q: %d, %t, want %d, %t", name, got, ok, w, known)
		}
	}
	if table.Len() != len(want) {
		t.Errorf("%d names, want %d", table.Len(), len(want))
	}
}
