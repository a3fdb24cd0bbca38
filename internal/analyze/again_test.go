package analyze

import (
	"context"
	"reflect"
	"testing"
)

// A live case asks now and again while records keep coming.
func TestAskingOnTheWayChangesNothingOfWhatIsFoundInTheEnd(t *testing.T) {
	w := newWorld(3, 8)
	w.plant()
	batches := w.batches(500)
	want := run(t, batches, 1)
	s := NewSet(-1)
	got := map[string][]Finding{}
	for i, b := range batches {
		s.Merge(s.Digest("log", b, nil))
		if i%(len(batches)/3+1) != 0 && i < len(batches)-1 {
			continue
		}
		for j, tech := range s.techniques {
			if !s.worked[j] {
				continue
			}
			for range 2 {
				found, err := tech.Findings(context.Background(), emptyStore{})
				if err != nil {
					t.Fatal(err)
				}
				got[tech.Name()] = found
			}
		}
	}
	if len(want) < 5 {
		t.Fatalf("%d techniques have something to work on", len(want))
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: asked on the way it finds %d things in the end, else %d\n%+v\n%+v", name, len(got[name]), len(want[name]), got[name], want[name])
		}
	}
}
