package detect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/sextant-logs/sextant/internal/event"
)

const ongoingRules = testRules + `
---
title: Another host
name: h1
status: test
level: low
logsource: {product: linux, service: sshd}
detection:
  s: {event.outcome: failure, host.name: h1}
  condition: s
---
title: The first host
name: h0
status: test
level: low
logsource: {product: linux, service: sshd}
detection:
  s: {event.outcome: failure, host.name: h0}
  condition: s
---
title: Few
level: medium
correlation: {type: event_count, rules: [failed], group-by: [host.name], timespan: 2m, condition: {lt: 3}, generate: true}
---
title: Many users
level: medium
correlation: {type: value_count, rules: [failed], group-by: [source.ip], timespan: 5m, condition: {field: user.name, gte: 4}}
---
title: Both
level: medium
correlation: {type: temporal, rules: [failed, h1], group-by: [source.ip], timespan: 1m}
---
title: One after the other
name: ordered
level: medium
correlation: {type: temporal_ordered, rules: [h0, h1], group-by: [source.ip], timespan: 3m, generate: true}
---
title: Again
level: high
correlation: {type: event_count, rules: [ordered], group-by: [source.ip], timespan: 60m, condition: {gte: 3}, generate: true}
`

// TestASnapshotIsWhatAllOfThePastSays gathers logins that come out of order, some
// of them very late, takes snapshots on the way, and holds each against a
// gatherer that takes none.
func TestASnapshotIsWhatAllOfThePastSays(t *testing.T) {
	d, err := Load(Options{Embedded: fstest.MapFS{"linux/r.yml": {Data: []byte(ongoingRules)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Failed() {
		t.Fatal(f)
	}
	r := rand.New(rand.NewPCG(3, 4))
	var logins []login
	store := memory{}
	now := int64(100_000)
	g, m := d.NewGatherer(), d.NewMatcher()
	defer g.Close()
	kept, anew, kinds := 0, 0, map[string]bool{}
	for round := range 60 {
		var b event.Batch
		from := len(logins)
		for range r.IntN(40) {
			now += int64(r.IntN(30))
			l := login{fmt.Sprint("h", r.IntN(2)), fmt.Sprint("192.0.2.", r.IntN(4)), now - int64(r.IntN(8))}
			if round%20 == 19 && r.IntN(10) == 0 {
				l.second -= 5000
			}
			store[fmt.Sprintf("x-%06d", len(logins))] = l
			l.begin(&b, len(logins))
			logins = append(logins, l)
		}
		var hits []Hit
		for i := range b.Events {
			hits = m.Match(&b.Events[i], i, hits)
		}
		if err := g.Add(&b, "auth.log", hits); err != nil {
			t.Fatal(err)
		}
		if g.ongoing != nil && g.ongoing.past != nil {
			kept++
		} else {
			anew++
		}
		b.Reset() // whoever kept strings of it has other strings now
		for range 40 {
			login{"zz", "203.0.113.99", 1}.begin(&b, 999_999)
		}
		got, err := g.Snapshot(context.Background(), store)
		if err != nil {
			t.Fatal(err)
		}
		order := make([]int, len(logins))
		for i := range order {
			order[i] = i
		}
		want := gather(t, d, logins, order, 1000)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d, %d logins (%d of them new): a snapshot of %d findings is not the %d there are", round, len(logins), len(logins)-from, len(got), len(want))
		}
		for _, f := range want {
			kinds[f.Rule.Name] = true
		}
	}
	if kept < 40 || anew < 3 || len(kinds) < 8 {
		t.Errorf("%d snapshots went on from the last and %d began anew; rules %v: that proves little", kept, anew, kinds)
	}
}
