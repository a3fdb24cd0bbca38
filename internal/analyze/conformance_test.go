package analyze

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

// emptyStore has no records.
type emptyStore struct{}

func (emptyStore) Query(context.Context, string, func([]event.Field) error) error { return nil }

// run has fresh techniques digest batches with so many goroutines, and returns what each found.
func run(t testing.TB, batches []*event.Batch, threads int) map[string][]Finding {
	t.Helper()
	s := NewSet(-1)
	digests := make([][]any, len(batches))
	var wg sync.WaitGroup
	for n := range threads {
		wg.Go(func() {
			for i := n; i < len(batches); i += threads {
				digests[i] = s.Digest("log", batches[i], nil)
			}
		})
	}
	wg.Wait()
	for _, d := range digests {
		s.Merge(d)
	}
	out := map[string][]Finding{}
	for i, tech := range s.techniques {
		if !s.worked[i] {
			continue
		}
		found, err := tech.Findings(context.Background(), emptyStore{})
		if err != nil {
			t.Fatalf("%s: %v", tech.Name(), err)
		}
		out[tech.Name()] = found
	}
	return out
}

func TestFindingsDoNotDependOnCutsOrThreads(t *testing.T) {
	w := newWorld(1, 20)
	w.plant()
	want := run(t, w.batches(1000), 1)
	for _, c := range []struct{ size, threads int }{{1000, 4}, {37, 3}} {
		got := run(t, w.batches(c.size), c.threads)
		for name := range want {
			if !reflect.DeepEqual(got[name], want[name]) {
				t.Errorf("%s: batches of %d with %d threads find %d things, not the same as batches of 1000 (%d)\n%+v\n%+v", name, c.size, c.threads, len(got[name]), len(want[name]), got[name], want[name])
			}
		}
	}
}

func TestEveryFindingExplainsItselfAndItsQueryParses(t *testing.T) {
	w := newWorld(2, 20)
	w.plant()
	seen := 0
	for name, fs := range run(t, w.batches(1000), 2) {
		for _, f := range fs {
			seen++
			checkFinding(t, name, &f)
		}
	}
	if seen < 10 {
		t.Errorf("%d findings in a world with twelve planted", seen)
	}
}

func checkFinding(t *testing.T, name string, f *Finding) {
	t.Helper()
	if f.Query == "" && len(f.Evidence) == 0 {
		t.Errorf("%s: %q has neither query nor evidence", name, f.Explanation)
	}
	if f.Query != "" {
		if _, err := logstorage.ParseQuery(f.Query); err != nil {
			t.Errorf("%s: query %s: %v", name, f.Query, err)
		}
	}
	if !strings.HasSuffix(f.Explanation, ".") || !strings.ContainsAny(f.Explanation, "0123456789") || len(f.Explanation) > 1500 || !utf8.ValidString(f.Explanation) {
		t.Errorf("%s: no sentence with numbers: %q", name, f.Explanation)
	}
	if f.Title == "" || f.Rule.ID == "" || f.Rule.Name == "" || len(f.Rule.FalsePositives) == 0 {
		t.Errorf("%s: without title, rule or what may be wrong: %+v", name, f)
	}
	if !slices.Contains(Levels, f.Level) || f.First == event.NoTime || f.Last < f.First || !(f.Surprise >= 0) {
		t.Errorf("%s: level %q, %d to %d, surprise %v", name, f.Level, f.First, f.Last, f.Surprise)
	}
}

func TestBadInputGivesASensibleResult(t *testing.T) {
	hostile := []string{"\x00", "\" or 1=1 | delete", "\n# heading", "<script>alert(1)</script>", "\xff\xfe\x80", strings.Repeat("A", 70_000), "'; drop", "\u202eevil", "*", "", "-", "a:=\"b\" | stats", "`x`", "(?i)[", "\\"}
	record := func(t int64, i int, v string) made {
		return made{t, "l", []string{"event.dataset", v, "host.name", v, "user.name", v, "source.ip", v, "destination.ip", v, "event.category", "authentication", "event.category", "network",
			"event.category", "process", "event.category", "file", "event.type", "connection", "event.outcome", []string{"failure", "success"}[i%2], "dns.question.name", v + ".example.com", "process.name", v, "process.parent.name", v,
			"source.bytes", v, "event.duration", "99999999999999999999", "destination.port", "-1", "http.response.status_code", "5e9", "source.geo.location.lat", "NaN", "source.geo.location.lon", v}}
	}
	cases := map[string][]made{"none": nil}
	cases["one"] = []made{record(worldStart, 0, "x")}
	for i := range 1000 {
		cases["same time"] = append(cases["same time"], record(worldStart, i, fmt.Sprint("v", i%7)))
		cases["decades apart"] = append(cases["decades apart"], record(int64(i%60)*365*day+int64(i)*second, i, fmt.Sprint("v", i%3)))
		cases["hostile"] = append(cases["hostile"], record(worldStart+int64(i)*20*minute, i, hostile[i%len(hostile)]))
		cases["edges of time"] = append(cases["edges of time"], record([]int64{-1 << 62, 1<<63 - 1, 0, -1, 1}[i%5], i, "v"))
		cases["no time"] = append(cases["no time"], record(event.NoTime, i, "v"))
		cases["backwards"] = append(cases["backwards"], record(worldStart-int64(i)*hour, i, "v"))
	}
	for name, records := range cases {
		t.Run(name, func(t *testing.T) {
			for technique, fs := range run(t, batchesOf("src", records, 500), 2) {
				if len(records) < 2 && len(fs) > 0 {
					t.Errorf("%s finds something in %d records: %s", technique, len(records), fs[0].Explanation)
				}
				for _, f := range fs {
					checkFinding(t, technique, &f)
				}
			}
		})
	}
}

func TestMemoryIsBoundedByTheTechniqueNotByTheInput(t *testing.T) {
	if testing.Short() {
		t.Skip("many values")
	}
	s := NewSet(-1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const values, size = 112_000, 4000 // beyond all bounds but those of fan and volume, which are three times as high
	for i := 0; i < values; i += size {
		var records []made
		for j := i; j < i+size; j++ {
			v := fmt.Sprint("value-", j)
			ip := fmt.Sprintf("10.%d.%d.%d", j>>16&255, j>>8&255, j&255)
			out := fmt.Sprintf("93.%d.%d.%d", j>>16&255, j>>8&255, j&255)
			records = append(records, made{worldStart + int64(j)*second, "l", []string{"event.dataset", "d", "host.name", v, "user.name", v, "source.ip", ip, "destination.ip", out,
				"event.category", "authentication", "event.category", "network", "event.category", "process", "event.type", "connection", "event.outcome", []string{"failure", "success"}[j%2],
				"process.name", v, "process.parent.name", v, "source.bytes", "5000000", "event.duration", "7200000000000", "destination.port", "443", "source.geo.location.lat", "1", "source.geo.location.lon", "2"}},
				made{worldStart + int64(j)*second, "l", []string{"event.dataset", "dns", "source.ip", ip, "dns.question.name", fmt.Sprintf("a.%s.example", v)}})
		}
		for _, b := range batchesOf("src", records, 2*size) {
			s.Merge(s.Digest("log", b, nil))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 400<<20 {
		t.Errorf("%d MiB after %d different values of each field", grown>>20, values)
	} else {
		t.Logf("%d MiB for all techniques after %d different values of each field", grown>>20, values)
	}
	_, reports, err := s.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		switch r.Name {
		case "rates", "beacon", "tunnel", "generated", "long", "hours", "pairs", "silence":
			if len(r.Remarks) == 0 {
				t.Errorf("%s does not say that it reached a bound", r.Name)
			}
		}
	}
}

// TestPlantedAnomaliesAreFound prints how much of what was planted is found, and how
// much besides, over some seeds.
func TestPlantedAnomaliesAreFound(t *testing.T) {
	type score struct{ planted, found, false_, clean int }
	scores := map[string]*score{}
	at := func(n string) *score {
		if scores[n] == nil {
			scores[n] = &score{}
		}
		return scores[n]
	}
	const seeds = 2
	for seed := range uint64(seeds) {
		for name, fs := range run(t, newWorld(100+seed, 26).batches(4000), 2) {
			for _, f := range fs {
				if LevelRank(f.Level) >= LevelRank("low") {
					at(name).clean++
				}
			}
		}
		w := newWorld(100+seed, 26)
		ps := w.plant()
		all := run(t, w.batches(4000), 2)
		for _, p := range ps {
			at(p.technique).planted++
			if slices.ContainsFunc(all[p.technique], func(f Finding) bool { return p.isIn(&f) }) {
				at(p.technique).found++
			} else {
				t.Logf("seed %d: %s: not found: %s", seed, p.technique, p.what)
			}
		}
		for name, fs := range all {
			for _, f := range fs {
				if LevelRank(f.Level) >= LevelRank("low") && !slices.ContainsFunc(ps, func(p planted) bool { return p.isIn(&f) }) {
					at(name).false_++
					t.Logf("seed %d: %s: besides: %s", seed, name, f.Explanation)
				}
			}
		}
	}
	var names []string
	for n := range scores {
		names = append(names, n)
	}
	slices.Sort(names)
	t.Logf("%-10s %8s %6s %22s %26s", "technique", "planted", "found", "others, level ≥ low", "in clean worlds, ≥ low")
	for _, n := range names {
		s := scores[n]
		t.Logf("%-10s %8d %6d %22d %26d", n, s.planted, s.found, s.false_, s.clean)
		if s.found < s.planted {
			t.Errorf("%s: %d of %d planted anomalies found", n, s.found, s.planted)
		}
		if s.clean > seeds {
			t.Errorf("%s: %d findings of level low or more in %d clean worlds of 26 days", n, s.clean, seeds)
		}
	}
}

// isIn reports whether a finding is about what was planted, by whatever technique.
func (p *planted) isIn(f *Finding) bool {
	e := &f.Entities
	return f.First <= p.to+hour && f.Last >= p.from-hour && slices.Contains(slices.Concat(e.Users, e.Sources, e.Hosts, e.Destinations), p.entity)
}

func BenchmarkDigestAndMerge(b *testing.B) {
	w := newWorld(3, 10)
	batches := w.batches(2000)
	for b.Loop() {
		s := NewSet(-1)
		for _, batch := range batches {
			s.Merge(s.Digest("log", batch, nil))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.records)), "ns/event")
}

func BenchmarkTechnique(b *testing.B) {
	w := newWorld(3, 10)
	batches := w.batches(2000)
	for i, t := range NewSet(-1).techniques {
		b.Run(t.Name(), func(b *testing.B) {
			for b.Loop() {
				s := NewSet(-1)
				one := s.techniques[i]
				for _, batch := range batches {
					if d := one.Digest("log", batch); d != nil {
						one.Merge(d)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.records)), "ns/event")
		})
	}
	b.Run("rows", func(b *testing.B) {
		for b.Loop() {
			for _, batch := range batches {
				newRows(batch).free()
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.records)), "ns/event")
	})
}
