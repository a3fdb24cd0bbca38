package detect

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

const testRules = `
title: Login failed
id: 11111111-1111-4111-8111-111111111111
name: failed
status: test
level: low
logsource: {product: linux, service: sshd}
detection:
  s: {event.outcome: failure}
  condition: s
---
title: Brute force
id: 22222222-2222-4222-8222-222222222222
level: medium
correlation:
  type: event_count
  rules: [failed]
  group-by: [source.ip]
  timespan: 10m
  condition: {gte: 5}
  generate: true
`

func testDetector(t testing.TB) *Detector {
	t.Helper()
	d, err := Load(Options{Embedded: fstest.MapFS{"linux/r.yml": {Data: []byte(testRules)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Failed() {
		t.Fatal(f)
	}
	return d
}

// logins makes failed logins: by host, source and second since the epoch.
type login struct {
	host, source string
	second       int64
}

func (l login) begin(b *event.Batch, i int) {
	e := b.Begin(int64(i), fmt.Sprintf("failed login %d", i))
	e.ID = fmt.Sprintf("x-%06d", i)
	e.Time = l.second * int64(time.Second)
	b.Add("event.dataset", "system.auth")
	b.Add("process.name", "sshd")
	b.Add("event.outcome", "failure")
	b.Add("host.name", l.host)
	b.Add("source.ip", l.source)
	b.Add("user.name", fmt.Sprintf("u%d", i%70))
}

// memory answers the one query that a Gatherer asks: records by their ids.
type memory map[string]login

func (m memory) Query(_ context.Context, q string, fn func([]event.Field) error) error {
	var b event.Batch
	for i := range len(m) {
		id := fmt.Sprintf("x-%06d", i)
		l, ok := m[id]
		if !ok || !strings.Contains(q, `"`+id+`"`) {
			continue
		}
		b.Reset()
		l.begin(&b, i)
		row := append([]event.Field{{Name: "_time", Value: time.Unix(l.second, 0).UTC().Format(time.RFC3339Nano)},
			{Name: "_msg", Value: b.Event().Raw}, {Name: "event.id", Value: id}}, b.Event().Fields...)
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}

// gather feeds the logins in the given order, cut into batches of a size.
func gather(t testing.TB, d *Detector, logins []login, order []int, size int) []analyze.Finding {
	t.Helper()
	g := d.NewGatherer()
	m := d.NewMatcher()
	store := memory{}
	for i, l := range logins {
		store[fmt.Sprintf("x-%06d", i)] = l
	}
	for part := range slices.Chunk(order, size) {
		var b event.Batch
		var hits []Hit
		for _, i := range part {
			logins[i].begin(&b, i)
		}
		for i := range b.Events {
			hits = m.Match(&b.Events[i], i, hits)
		}
		if err := g.Add(&b, "auth.log", hits); err != nil {
			t.Fatal(err)
		}
	}
	g.Saw(m)
	findings, err := g.Findings(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func TestFindingsDoNotDependOnOrderOrBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var logins []login
	for i := range 900 {
		logins = append(logins, login{fmt.Sprint("h", i%2), fmt.Sprint("192.0.2.", i%5), int64(r.IntN(40 * 3600))})
	}
	order := make([]int, len(logins))
	for i := range order {
		order[i] = i
	}
	d := testDetector(t)
	want := gather(t, d, logins, order, 1000)
	if len(want) < 20 {
		t.Fatalf("%d findings prove nothing", len(want))
	}
	total := 0
	for _, f := range want {
		if f.Kind == "sigma" {
			total += f.Count
		}
		if len(f.Evidence) == 0 || len(f.Evidence) > analyze.MaxEvidence {
			t.Errorf("%s cites %d records", f.ID, len(f.Evidence))
		}
		if !slices.IsSortedFunc(f.Evidence, compareEvidence) {
			t.Errorf("%s: evidence is not in time order", f.ID)
		}
	}
	if total != len(logins) {
		t.Errorf("the findings count %d records of %d", total, len(logins))
	}
	for n := range 5 {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if got := gather(t, d, logins, order, 1+n*37); !reflect.DeepEqual(got, want) {
			t.Fatalf("order %d: %d findings differ from %d", n, len(got), len(want))
		}
	}
}

func TestAPauseEndsAFindingAndAnEventInItJoinsBothSides(t *testing.T) {
	d := testDetector(t)
	sigma := func(logins []login) (n int) {
		order := make([]int, len(logins))
		for i := range order {
			order[i] = i
		}
		for _, f := range gather(t, d, logins, order, 10) {
			if f.Kind == "sigma" {
				n++
			}
		}
		return n
	}
	apart := []login{{"h", "192.0.2.1", 0}, {"h", "192.0.2.1", 7000}}
	if n := sigma(apart); n != 2 {
		t.Errorf("two hours apart: %d findings, want 2", n)
	}
	if n := sigma(append(apart, login{"h", "192.0.2.1", 3500})); n != 1 {
		t.Errorf("with one between: %d findings, want 1", n)
	}
}

func TestABruteForceIsOneCorrelationThatCitesItsRecords(t *testing.T) {
	var logins []login
	for i := range 300 {
		logins = append(logins, login{"h", "192.0.2.7", int64(i * 5)})
	}
	order := make([]int, len(logins))
	for i := range order {
		order[i] = len(order) - 1 - i // newest first
	}
	var found []analyze.Finding
	for _, f := range gather(t, testDetector(t), logins, order, 64) {
		if f.Kind == "correlation" {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d correlations, want 1", len(found))
	}
	f := found[0]
	if !slices.Equal(f.Entities.Sources, []string{"192.0.2.7"}) || f.Level != "medium" || f.Rule.Name != "Brute force" {
		t.Errorf("%+v", f)
	}
	for _, e := range f.Evidence {
		if !strings.HasPrefix(e.Message, "failed login") || e.ID == "" {
			t.Errorf("evidence %+v", e)
		}
	}
}

func TestObservationsComeBackInTimeOrderFromDiskToo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var all []decoded
	for i := range 5000 {
		all = append(all, decoded{time: int64(r.IntN(800) - 400), rule: i % 7, source: i % 3, silent: i%2 == 0,
			id: fmt.Sprintf("id-%05d", i), fields: []string{"source.ip", fmt.Sprint(i), "empty", ""}})
	}
	read := func(spills int) (out []decoded) {
		var o observations
		defer o.close()
		for i, d := range all {
			if err := o.add(d); err != nil {
				t.Fatal(err)
			}
			if spills > 0 && i%(len(all)/spills) == 17 {
				if err := o.spill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := o.each(func(d decoded) error {
			d.fields = slices.Clone(d.fields)
			out = append(out, d)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(o.runs) > maxObservationRuns+1 {
			t.Errorf("%d files are open at once", len(o.runs))
		}
		return out
	}
	want := slices.Clone(all)
	slices.SortFunc(want, func(a, b decoded) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id))
	})
	for _, spills := range []int{0, 1, 9, 3*maxObservationRuns + 5} {
		if got := read(spills); !reflect.DeepEqual(got, want) {
			t.Errorf("with %d spills they come back differently", spills)
		}
	}
}

func FuzzParseRecordNeverPanics(f *testing.F) {
	f.Add(appendBody(nil, decoded{time: 1, id: "x", fields: []string{"a", "b"}}))
	f.Fuzz(func(t *testing.T, body []byte) { parseRecord(body, nil) })
}

func BenchmarkMatchAndGather(b *testing.B) {
	d := testDetector(b)
	m := d.NewMatcher()
	g := d.NewGatherer()
	var batch event.Batch
	for i := range 4096 {
		login{"h", fmt.Sprint("192.0.2.", i%200), int64(i)}.begin(&batch, i)
	}
	var hits []Hit
	for b.Loop() {
		hits = hits[:0]
		for i := range batch.Events {
			hits = m.Match(&batch.Events[i], i, hits)
		}
		if err := g.Add(&batch, "auth.log", hits); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "events/s")
	g.observations.close()
}

// A flood of origins and hosts that nobody has seen before is held within bounds.
func TestAFloodIsBounded(t *testing.T) {
	d := testDetector(t)
	g, m := d.NewGatherer(), d.NewMatcher()
	const n = 60_000
	for from := 0; from < n; from += 1000 {
		var b event.Batch
		var hits []Hit
		for i := from; i < from+1000; i++ {
			login{fmt.Sprintf("host%d", i/2), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), int64(i)}.begin(&b, i)
			hits = m.Match(b.Event(), i-from, hits)
		}
		if err := g.Add(&b, "auth.log", hits); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.groups) > 2*maxGroups+1 || g.spans > 2*maxGroups+1 || !g.coarse {
		t.Errorf("%d groups, %d spans, coarse: %v", len(g.groups), g.spans, g.coarse)
	}
	total := 0
	for _, gr := range g.groups {
		for _, s := range gr.spans {
			total += s.count
			if k := len(s.early) + len(s.late); k == 0 || k > 2*g.keep.half || len(s.users) > g.keep.entities {
				t.Fatalf("%d records and %d users are held of a span, with limits %+v", k, len(s.users), g.keep)
			}
		}
	}
	if total != n {
		t.Errorf("%d events are in findings, want %d", total, n)
	}
}
