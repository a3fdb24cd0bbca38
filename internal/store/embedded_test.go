package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	testStore(t, func(t *testing.T) Store {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestEmbeddedWithFewFilesAtOnce(t *testing.T) {
	t.Parallel()
	testStore(t, func(t *testing.T) Store {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.maxFiles, s.chunk = 0, 1 // a day at a time, and closed whenever that may be
		return s
	}, "more rows than a window come in order")
}

func TestManyDaysNeedFewFiles(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const days, n = 30, 30 * 40
	s.maxFiles = 2000
	s.chunk = chunkOf(s.maxFiles)
	for i := range 3 {
		events := scattered(n)
		for j := range events {
			events[j].Time = testTime + int64(j%days)*dayNanos
		}
		add(t, s, &Source{ID: fmt.Sprintf("%024d", i), Path: "p"}, events)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		rows := 0
		if err := s.Query(t.Context(), "*", func([]event.Field) error {
			if rows++; int(openReaders.Get()) > s.maxFiles {
				t.Fatalf("%d files are open", openReaders.Get())
			}
			return nil
		}); err != nil || rows != 3*n {
			t.Fatal(rows, err)
		}
		expect(t, s, "* | stats by (user.name) count() n | limit 1", "user.name=user0 n=516")
	}
}

func TestACaseHasABoundedNumberOfDays(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{MaxDays: 3})
	if err != nil {
		t.Fatal(err)
	}
	var b event.Batch
	for i := range 6 {
		b.Begin(int64(i), "x").Time = testTime + int64(i)*dayNanos
	}
	r := add(t, s, &Source{ID: testID, Path: "p", Fallback: testTime - 100*dayNanos}, b.Events)
	if r.OutOfRange != 3 {
		t.Errorf("%+v", r)
	}
	expect(t, s, `* | stats count() n, count(sextant.time.original) o, count_uniq(_time) t`, "n=6 o=3 t=4")
	expect(t, s, `sextant.time:="too many days" | fields sextant.time.original | limit 1`, "sextant.time.original=2024-03-07T05:06:07.123456789Z")
	s.Close()
	if s, err = Open(dir, Options{MaxDays: 3}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := add(t, s, &Source{ID: testID, Path: "p"}, b.Events); r.OutOfRange != 3 {
		t.Errorf("after opening again: %+v", r)
	}
}

// made gives a closed case with some rows in it.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(500))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenRefusesWhatIsNotAWholeCase(t *testing.T) {
	find := func(dir, pattern string) string {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		return found[0]
	}
	const part = "store/partitions/*/datadb/*/"
	for _, tt := range []struct {
		name string
		harm func(dir string) error
		says string
	}{
		{"not a case", func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o644))
		}, `not a Sextant case and not empty (it has "letter.txt")`},
		{"a file", func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644)) }, "is a file"},
		{"no ledger", func(dir string) error { return os.Remove(filepath.Join(dir, ledgerName)) }, "lost its ledger.jsonl"},
		{"foreign day", func(dir string) error { return os.Mkdir(filepath.Join(dir, "store/partitions/today"), 0o755) }, "today: not a day"},
		{"no metadata", func(dir string) error { return os.Remove(find(dir, part+"metadata.json")) }, "metadata.json: missing"},
		{"garbled metadata", func(dir string) error { return os.WriteFile(find(dir, part+"metadata.json"), []byte("{"), 0o644) }, "metadata.json: unexpected end"},
		{"zero metadata", func(dir string) error { return os.WriteFile(find(dir, part+"metadata.json"), []byte("{}"), 0o644) }, "impossible"},
		{"cut values", func(dir string) error { return os.Truncate(find(dir, part+"values.bin0"), 3) }, "bytes together"},
		{"no values", func(dir string) error { return os.Remove(find(dir, part+"values.bin0")) }, "values.bin0: missing"},
		{"garbled parts", func(dir string) error {
			return os.WriteFile(find(dir, "store/partitions/*/datadb/parts.json"), []byte("[1]"), 0o644)
		}, "parts.json: "},
		{"no parts.json", func(dir string) error { return os.Remove(find(dir, "store/partitions/*/indexdb/parts.json")) }, "parts.json: missing"},
		{"lost part", func(dir string) error { return os.RemoveAll(filepath.Dir(find(dir, part+"metadata.json"))) }, "metadata.json: missing"},
		{"garbled tasks", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "store/delete_tasks.json"), []byte("x"), 0o644)
		}, "delete_tasks.json: "},
		{"garbled index", func(dir string) error {
			return os.WriteFile(find(dir, "store/partitions/*/indexdb/*/metaindex.bin"), []byte("junk"), 0o644)
		}, "metaindex.bin: "},
		{"garbled columns", func(dir string) error {
			path := find(dir, part+"column_names.bin")
			info, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, bytes.Repeat([]byte{7}, int(info.Size())), 0o644))
		}, "column_names.bin: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := made(t)
			if err := tt.harm(dir); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{MustExist: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a case that must exist: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{MustExist: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory that must be a case: %v", err)
	}
}

func TestOpenMendsADayThatWasBeingMade(t *testing.T) {
	dir := made(t)
	for _, sub := range []string{"20200101", "20200102/indexdb", "20200103/indexdb"} {
		if err := os.MkdirAll(filepath.Join(dir, "store/partitions", sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "store/partitions/20200103/indexdb/parts.json"), []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{MustExist: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect(t, s, "* | stats count() n", "n=500")
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	made(t) // starts what the engine starts once
	before := runtime.NumGoroutine()
	for range 3 {
		made(t)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

func TestTheEnginesLogGoesToOurs(t *testing.T) {
	var out bytes.Buffer
	dir := made(t)
	index := filepath.Join(dir, "store/partitions/20200101/indexdb")
	if err := errors.Join(os.MkdirAll(index, 0o755), os.WriteFile(filepath.Join(index, "parts.json"), []byte("[]"), 0o644)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `level=WARN msg="storage engine: creating missing datadb directory`) || strings.Contains(out.String(), "INFO") {
		t.Error(out.String())
	}
}

func TestEverySyncBringsAllRowsToDisk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		days           int
		links, reading bool
	}{
		"snapshots":                    {3, true, false},
		"days taken out":               {3, false, false},
		"many days":                    {20, true, false},
		"many days beside a query":     {20, true, true},
		"no hard links beside a query": {3, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.TempDir(), Options{flushInterval: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.links = tt.links
			events := scattered(500)
			for i := range events {
				events[i].Time = testTime + int64(i%tt.days)*dayNanos
			}
			add(t, s, &Source{ID: testID, Path: "p"}, events)
			if tt.reading {
				s.reading.RLock()
				defer s.reading.RUnlock()
			}
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			var st logstorage.StorageStats
			if s.engine.UpdateStats(&st); st.InmemoryRowsCount != 0 || st.SmallPartRowsCount+st.BigPartRowsCount != 500 {
				t.Errorf("%d rows in memory, %d on disk", st.InmemoryRowsCount, st.SmallPartRowsCount)
			}
			expect(t, s, "* | stats count() n", "n=500")
		})
	}
}

func TestASyncCanBeGivenUp(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.links = false
	s.reading.RLock()
	defer s.reading.RUnlock()
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(500))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAWriterRefusesRowsWhenTheDiskIsFull(t *testing.T) {
	s, err := Open(t.TempDir(), Options{MinFreeDisk: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := s.NewWriter()
	if err := errors.Join(w.Add(&Source{ID: testID, Path: "p"}, scattered(5)), w.Flush()); !errors.Is(err, ErrDiskFull) {
		t.Error(err)
	}
}

func TestDaysOfManyFilesAreReadFewAtATime(t *testing.T) {
	s := &Embedded{dir: t.TempDir(), maxFiles: 200, chunk: 3}
	var days []string
	write := func(day, part string, files int) {
		dir := filepath.Join(s.dir, engineName, "partitions", day, "datadb", part)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, files := range []int{40, 50, 20, 150, 1, 2, 3, 4} {
		day := fmt.Sprintf("2026010%d", i+1)
		write(day, "a", files)
		days = append(days, day)
	}
	want := [][]string{days[:2], days[2:3], days[3:4], days[4:7], days[7:]}
	if got := s.chunks(days); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	at := time.Now().Add(time.Hour)
	write(days[7], "b", 99)
	if err := os.Chtimes(filepath.Join(s.dir, engineName, "partitions", days[7], "datadb"), at, at); err != nil {
		t.Fatal(err)
	}
	if n := s.filesOf(days[7]); n != 103 {
		t.Errorf("%d files after another part, want 103", n)
	}
}
