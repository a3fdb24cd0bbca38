package analyze

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func uploads(t *testing.T, fn func(w *world)) []Finding {
	t.Helper()
	w := &world{start: worldStart, rng: rand.New(rand.NewPCG(1, 1))}
	fn(w)
	tech := newVolume()
	for _, b := range w.batches(500) {
		if d := tech.Digest("log", b); d != nil {
			tech.Merge(d)
		}
	}
	f, err := tech.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A server whose address is public is one's own if the log says that connections go out from it, or if all that a sensor sees
// has an end in its network; the many that visit it are not.
func TestVolumeKnowsOnesOwnPublicAddresses(t *testing.T) {
	visits := func(w *world) {
		for d := range 14 {
			for n := range 30 {
				w.flow(w.at(d, float64(n)/2), fmt.Sprintf("198.18.%d.7", n+30*d%90), "203.0.113.10", "", 443, 700, 9000, 1e9)
			}
			w.flow(w.at(d, 3), "203.0.113.10", "198.51.100.5", "", 443, 2_000_000, 900, 1e9)
		}
	}
	found := uploads(t, func(w *world) {
		visits(w)
		w.flow(w.at(11, 2), "203.0.113.10", "192.0.2.77", "", 443, 400_000_000, 900, 1e9)
		w.flow(w.at(11, 5), "198.18.3.7", "203.0.113.10", "", 443, 400_000_000, 900, 1e9) // an upload by a visitor
	})
	if len(found) != 1 || !slices.Contains(found[0].Entities.Sources, "203.0.113.10") || found[0].Level != "medium" || !strings.Contains(found[0].Explanation, "400 MB of it to 192.0.2.77, which nobody had contacted before") {
		t.Errorf("learnt from links: %+v", found)
	}
	found = uploads(t, func(w *world) {
		for d := range 14 {
			w.flow(w.at(d, 3), "203.0.113.10", "198.51.100.5", "", 443, 2_000_000, 900, 1e9)
			w.records[len(w.records)-1].fields = append(w.records[len(w.records)-1].fields, "network.direction", "outbound")
		}
		w.flow(w.at(11, 2), "203.0.113.10", "192.0.2.77", "", 443, 400_000_000, 900, 1e9)
	})
	if len(found) != 1 {
		t.Errorf("told by the log: %+v", found)
	}
}

func TestVolumeSeesALittleMuchWhereNobodySentAny(t *testing.T) {
	found := uploads(t, func(w *world) {
		for d := range 14 {
			for n := range 60 {
				w.flow(w.at(d, 9+float64(n)/10), "10.1.0.5", fmt.Sprintf("198.18.%d.%d", d, n), "", 443, 40_000, 900, 1e9)
			}
			w.flow(w.at(d, 12), "10.1.0.5", "198.51.100.5", "", 443, 300_000_000, 900, 1e9)
		}
		w.flow(w.at(10, 15), "10.1.0.5", "192.0.2.77", "", 443, 25_000_000, 900, 1e9)
	})
	if len(found) != 1 || found[0].Rule.ID != "volume.new" || !strings.Contains(found[0].Explanation, "sent 25 MB to 192.0.2.77") {
		t.Errorf("%+v", found)
	}
}

func TestVolumeLeavesAloneWhatADestinationIsFor(t *testing.T) {
	found := uploads(t, func(w *world) {
		for d := range 14 {
			for c := range 8 {
				source := fmt.Sprint("10.1.0.", 10+c)
				w.flow(w.at(d, 9), source, "198.51.100.5", "", 443, 40_000, 900, 1e9)
				if (c+d)%9 == 0 {
					w.flow(w.at(d, 10), source, fmt.Sprint("198.18.0.", d*10+c), "calls.example", 443, 400_000_000, 900, 1e9)
				}
			}
		}
	})
	if len(found) != 0 {
		t.Errorf("video calls: %+v", found)
	}
}

func TestVolumeTellsOfAnAccountThatFetchesFarMore(t *testing.T) {
	found := uploads(t, func(w *world) {
		for d := range 14 {
			for range 20 {
				w.add(w.at(d, 10), "aws.s3access", "user.name", "ci", "http.response.status_code", "200", "http.response.body.bytes", "900000")
			}
		}
		for range 50 {
			w.add(w.at(12, 3), "aws.s3access", "user.name", "ci", "http.response.status_code", "200", "http.response.body.bytes", "90000000")
		}
	})
	if len(found) != 1 || found[0].Rule.ID != "volume.fetched" || !strings.Contains(found[0].Explanation, "account ci fetched 4.5 GB in a day") {
		t.Errorf("%+v", found)
	}
}
