package pipeline

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/internal/store"
)

// Some tests kill a process that investigates. It is this test binary, run
// again with childEnv set to the case and the evidence; it says how far it is.
const childEnv = "SEXTANT_PIPELINE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir, logs, ok := strings.Cut(os.Getenv(childEnv), "\n"); ok {
		in := investigationOf(dir, 2, logs)
		in.syncEvents = 1000
		in.Progress = func(stage string, done, _, _ int64) { fmt.Println(stage, done) }
		inv, err := Investigate(context.Background(), in)
		if err == nil {
			err = WriteCase(dir, inv)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func investigationOf(dir string, threads int, paths ...string) Investigation {
	return Investigation{Options: Options{Paths: paths, Threads: threads}, Case: dir,
		Rules: detect.Options{Embedded: rulepack.Rules}, Version: "test"}
}

// investigated returns the case's report.
func investigated(t testing.TB, dir string, threads int, paths ...string) *report.Investigation {
	t.Helper()
	inv, err := Investigate(context.Background(), investigationOf(dir, threads, paths...))
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteCase(dir, inv); err != nil {
		t.Fatal(err)
	}
	return inv
}

func contents(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newCase is a directory for a case; all of a test have the same name, which
// the report shows.
func newCase(t testing.TB) string { return filepath.Join(t.TempDir(), "case") }

// mixedLogs makes a directory of evidence of many kinds: logs of n records,
// rotated and compressed, a copy, another encoding, and what cannot be read.
func mixedLogs(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, madeStart.AddDate(0, 0, 9), madeStart.AddDate(0, 0, 9)); err != nil {
			t.Fatal(err)
		}
	}
	auth := makeLog(t, dir, "auth", "", n, 1)
	makeLog(t, dir, "access", "", n, 2)
	makeLog(t, dir, "eve", "", n, 3)
	text := contents(t, auth)
	half := strings.LastIndexByte(text[:len(text)/2], '\n') + 1
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	zw.Write([]byte(text[:half]))
	zw.Close()
	info, _ := os.Stat(auth)
	put("auth.log.1.gz", packed.Bytes())
	put("auth.log", []byte(text[half:]))
	if err := os.Chtimes(auth, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	put("copy-of-access.log", []byte(contents(t, filepath.Join(dir, "access.log"))))
	put("torn.gz", packed.Bytes()[:packed.Len()/2])
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text[:min(half, 4000)])) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	put("wide.log", wide)
	put("empty.log", nil)
	junk := make([]byte, 3000)
	for i := range junk {
		junk[i] = byte(i * i * 7 >> 3)
	}
	put("junk.bin", junk)
	put("odd.log", []byte("Mar  4 00:00:01 web01 sshd[1]: \xff\xfe broken \x00 text\nno header at all\n\n\nMar  4 00:00:02 web01 sshd[2]: Failed password for root from 203.0.113.9 port 1 ssh2"))
	return dir
}

func TestTheReportIsTheSameAtAnyNumberOfThreads(t *testing.T) {
	logs := mixedLogs(t, 2500)
	want := ""
	for _, threads := range []int{1, 2, 7} {
		dir := newCase(t)
		inv := investigated(t, dir, threads, logs)
		if len(inv.Findings) < 20 || len(inv.Incidents) < 3 {
			t.Fatalf("%d findings, %d incidents: too few to compare", len(inv.Findings), len(inv.Incidents))
		}
		got := contents(t, filepath.Join(dir, "report.json"))
		if want == "" {
			want = got
		}
		difference(t, fmt.Sprintf("report.json with %d threads", threads), got, want)
	}
}

// difference fails the test at the first line that is not the same.
func difference(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s: line %d:\n got %.300s\nwant %.300s", what, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", what, len(g), len(w))
}

func TestTheBooksBalance(t *testing.T) {
	logs := mixedLogs(t, 1500)
	dir := newCase(t)
	inv := investigated(t, dir, 2, logs)
	if !inv.Accounting.Balanced {
		t.Error("the books of the case do not balance")
	}
	var stored int64
	kinds := map[string]bool{}
	for _, s := range inv.Sources {
		a := s.Accounting
		if !a.Balanced || a.BytesIn != a.BytesEvents+a.BytesSeparators+a.BytesRefused || a.Records != a.Decoded+a.Undecoded+a.Duplicate {
			t.Errorf("%s: %+v", s.Path, a)
		}
		stored += a.Decoded + a.Undecoded
		kinds[fmt.Sprint(a.BytesRefused > 0, a.Undecoded > 0, a.Duplicate > 0)] = true
	}
	if len(kinds) < 4 {
		t.Errorf("the evidence has only %v: too little to balance", kinds)
	}
	if n := rows(t, dir, `* | stats count() n, count_uniq(event.id) u`); n != fmt.Sprintf("n=%d u=%[1]d\n", stored) {
		t.Errorf("the store has %s of %d records", n, stored)
	}
}

// rows returns the answer of the case to a query, as text.
func rows(t testing.TB, dir, query string) string {
	t.Helper()
	st, err := store.Open(dir, store.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var b strings.Builder
	err = st.Query(context.Background(), query, func(row []event.Field) error {
		for i, f := range row {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(f.Name + "=" + f.Value)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestInvestigatingTwiceAddsNothing(t *testing.T) {
	logs := mixedLogs(t, 1500)
	dir := newCase(t)
	investigated(t, dir, 2, logs)
	first, all := contents(t, filepath.Join(dir, "report.json")), rows(t, dir, "*")
	investigated(t, dir, 2, logs)
	difference(t, "the second report", contents(t, filepath.Join(dir, "report.json")), first)
	difference(t, "the rows after the second run", rows(t, dir, "*"), all)
}

func TestAGrownLogReplacesItsFormerSelf(t *testing.T) {
	logs := t.TempDir()
	path := makeLog(t, logs, "access", "", 3000, 5)
	text := contents(t, path)
	grow := func(n int) {
		if err := os.WriteFile(path, []byte(text[:n]), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, madeStart, madeStart); err != nil {
			t.Fatal(err)
		}
	}
	dir := newCase(t)
	for _, n := range []int{1, 2, 3} {
		grow(strings.LastIndexByte(text[:len(text)*n/3], '\n') + 1)
		investigated(t, dir, 2, logs)
	}
	if n, want := rows(t, dir, "* | stats count() n"), "n=3000\n"; n != want {
		t.Errorf("the store has %s, want %s", n, want)
	}
	fresh := newCase(t)
	investigated(t, fresh, 2, logs)
	difference(t, "the report of the grown log", contents(t, filepath.Join(dir, "report.json")), contents(t, filepath.Join(fresh, "report.json")))
}

func TestAKilledRunLeavesNoTrace(t *testing.T) {
	logs := mixedLogs(t, 1500)
	calm := newCase(t)
	lines := child(t, calm, logs, -1)
	wantReport, wantRows := contents(t, filepath.Join(calm, "report.json")), rows(t, calm, "*")

	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 2 {
		dir := newCase(t)
		var at []int
		for range 2 { // killed twice in a row
			at = append(at, rnd.IntN(lines))
			child(t, dir, logs, at[len(at)-1])
		}
		child(t, dir, logs, -1)
		what := fmt.Sprintf("round %d (seed %d): killed after %d of %d lines", round, seed, at, lines)
		difference(t, what+": rows", rows(t, dir, "*"), wantRows)
		difference(t, what+": report.json", contents(t, filepath.Join(dir, "report.json")), wantReport)
	}
}

// child investigates in another process, which is killed after it has said so
// many lines; -1 for not at all. It returns how many lines it said.
func child(t *testing.T, dir, logs string, killAfter int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir+"\n"+logs)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	last := ""
	for s := bufio.NewScanner(out); s.Scan(); n++ {
		last = s.Text()
		if n == killAfter {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); killAfter < 0 && err != nil {
		t.Fatalf("the child ended: %v, having said %q", err, last)
	}
	return n
}

func TestAnInterruptedRunLeavesAConsistentCase(t *testing.T) {
	logs := mixedLogs(t, 1500)
	calm := newCase(t)
	investigated(t, calm, 2, logs)
	for _, share := range []int64{2, 7} { // tenths of the reading
		dir := newCase(t)
		ctx, stop := context.WithCancel(t.Context())
		var stopped atomic.Bool
		in := investigationOf(dir, 2, logs)
		in.Progress = func(stage string, done, total, _ int64) {
			if stage == "reading" && done*10 >= total*share {
				stopped.Store(true)
				stop()
			}
		}
		_, err := Investigate(ctx, in)
		stop()
		if !stopped.Load() || !Interrupted(err) {
			t.Fatalf("stopped: %v, error %v", stopped.Load(), err)
		}
		// What the ledger says is there is there to the last row; nothing else is once it is recovered.
		st, err := store.Open(dir, store.Options{MustExist: true})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{}
		for _, r := range st.Ledger().Sources() {
			want[r.ID] = r.Records
		}
		err = errors.Join(st.Recover(t.Context()), st.Close())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for line := range strings.Lines(rows(t, dir, "* | stats by (sextant.source) count() n")) {
			var id string
			var n int64
			if _, err := fmt.Sscanf(line, "sextant.source=%s n=%d", &id, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got[id] = n
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("stopped at %d/10: the store has %v, the ledger %v", share, got, want)
		}
		investigated(t, dir, 2, logs)
		difference(t, fmt.Sprintf("report.json after a stop at %d/10", share), contents(t, filepath.Join(dir, "report.json")), contents(t, filepath.Join(calm, "report.json")))
		difference(t, fmt.Sprintf("rows after a stop at %d/10", share), rows(t, dir, "*"), rows(t, calm, "*"))
		if err := noTemporary(dir); err != nil {
			t.Error(err)
		}
	}
}

func noTemporary(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".tmp") {
			return fmt.Errorf("%s is left", path)
		}
		return err
	})
}
