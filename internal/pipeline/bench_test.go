package pipeline

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/rulepack"
)

// benchScale multiplies the inputs of the benchmarks: SEXTANT_BENCH_SCALE=10
// shows that memory does not grow with them.
func benchScale() int {
	n, err := strconv.Atoi(os.Getenv("SEXTANT_BENCH_SCALE"))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

func investigate(ctx context.Context, dir string, threads int, paths ...string) (*Plan, int64, error) {
	inv, err := Investigate(ctx, Investigation{
		Options: Options{Paths: paths, Threads: threads}, Case: dir, Rules: detect.Options{Embedded: rulepack.Rules}, Version: "test"})
	if err != nil {
		return nil, 0, err
	}
	return nil, inv.Accounting.Records, WriteCase(dir, inv)
}

// benchInvestigate measures the whole way from the file to the report: two
// passes, all rules built in, the store on disk. Each op is one investigation.
func benchInvestigate(b *testing.B, kind, distinct string, events int) {
	events *= benchScale()
	path := makeLog(b, b.TempDir(), kind, distinct, events, 1)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	b.SetBytes(info.Size())
	used := measure(b)
	n := 0
	for b.Loop() {
		n++
		_, records, err := investigate(b.Context(), filepath.Join(dir, strconv.Itoa(n)), 0, path)
		if err != nil {
			b.Fatal(err)
		}
		if records != int64(events) {
			b.Fatalf("%d records, want %d", records, events)
		}
	}
	used(events * n)
}

func BenchmarkInvestigateAuthLog(b *testing.B)   { benchInvestigate(b, "auth", "", 600_000) }
func BenchmarkInvestigateAccessLog(b *testing.B) { benchInvestigate(b, "access", "", 400_000) }
func BenchmarkInvestigateEve(b *testing.B)       { benchInvestigate(b, "eve", "", 200_000) }

// What an attacker can make many of must not make memory grow.
func BenchmarkInvestigateDistinct(b *testing.B) {
	for _, c := range []struct{ name, kind, distinct string }{
		{"addresses", "auth", "address"}, {"users", "auth", "user"}, {"hosts", "auth", "host"}, {"origins", "access", "address"},
		{"everything", "json", "everything"},
	} {
		b.Run(c.name, func(b *testing.B) { benchInvestigate(b, c.kind, c.distinct, 100_000) })
	}
}

// BenchmarkDecode measures the way to decoded and enriched events alone.
func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		kind   string
		events int
	}{{"auth", 600_000}, {"access", 400_000}, {"eve", 200_000}} {
		b.Run(c.kind, func(b *testing.B) {
			events := c.events * benchScale()
			path := makeLog(b, b.TempDir(), c.kind, "", events, 1)
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			used := measure(b)
			n := 0
			for b.Loop() {
				n++
				opt := Options{Paths: []string{path}}
				plan, err := NewPlan(b.Context(), opt)
				if err != nil {
					b.Fatal(err)
				}
				err = read(b.Context(), plan.Logs, opt, func(*Log) (bool, error) { return false, nil },
					func() worker { return worker{do: func(*task) error { return nil }} },
					func(*task) error { return nil }, func(*Log) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
				if got := plan.Logs[0].Account.Records; got != int64(events) {
					b.Fatalf("%d records, want %d", got, events)
				}
				plan.Close()
			}
			used(events * n)
		})
	}
}

// BenchmarkParse measures decoding with each event written as JSON.
func BenchmarkParse(b *testing.B) {
	events := 200_000 * benchScale()
	path := makeLog(b, b.TempDir(), "auth", "", events, 1)
	used := measure(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := Parse(b.Context(), Options{Paths: []string{path}}, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	used(events * n)
}

// BenchmarkInvestigateManyFiles measures what a source costs whatever is in it.
func BenchmarkInvestigateManyFiles(b *testing.B) {
	const files = 5000
	logs := b.TempDir()
	for i := range files {
		dir := filepath.Join(logs, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		makeLog(b, dir, "auth", "", 10, uint64(i))
	}
	dir := b.TempDir()
	used := measure(b)
	n := 0
	for b.Loop() {
		n++
		if _, _, err := investigate(b.Context(), filepath.Join(dir, strconv.Itoa(n)), 0, logs); err != nil {
			b.Fatal(err)
		}
	}
	used(files * 10 * n)
	b.ReportMetric(float64(files*n)/b.Elapsed().Seconds(), "files/s")
}
