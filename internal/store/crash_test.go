package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The tests of this file kill a process that stores events. It is this test
// binary, run again with childEnv set to what it shall do and where; it says
// how far it is, and waits to be killed when that is the line in stopEnv.
const (
	childEnv = "SEXTANT_STORE_TEST_CHILD"
	stopEnv  = "SEXTANT_STORE_TEST_STOP"
)

func say(what ...any) {
	line := strings.TrimSpace(fmt.Sprintln(what...))
	fmt.Println(line)
	if line == os.Getenv(stopEnv) {
		time.Sleep(time.Minute)
	}
}

func TestMain(m *testing.M) {
	if do, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		if err := map[string]func(string) error{"sync": childSync, "ingest": ingest, "hold": childHold}[do](dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startChild starts the child and returns when it has said the line, or all it
// has to say; without a line it waits for the child's end.
func startChild(t *testing.T, do, dir, line string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+do+" "+dir, stopEnv+"="+line)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = append(said, lines.Text()); lines.Text() == line {
			return cmd
		}
	}
	if err := cmd.Wait(); err != nil || line != "" {
		t.Fatalf("the child ended: %v, having said %q", err, said)
	}
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

const syncRows = 3000

// childSync syncs rows of three days, says so, and goes on adding.
func childSync(dir string) error {
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	w := s.NewWriter()
	for round := 0; ; round++ {
		events := scattered(syncRows)
		for i := range events {
			events[i].Time += int64(i%3) * dayNanos
			events[i].ID = fmt.Sprintf("%d-%s", round, events[i].ID)
		}
		if err := errors.Join(w.Add(&Source{ID: testID, Path: "p"}, events), w.Flush(), s.Sync(context.Background())); err != nil {
			return err
		}
		say("synced", round)
	}
}

func TestSyncedRowsSurviveKill(t *testing.T) {
	for _, rounds := range []int{0, 2} {
		dir := t.TempDir()
		kill(t, startChild(t, "sync", dir, fmt.Sprint("synced ", rounds)))
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for round := range rounds + 1 {
			n := query(t, s, fmt.Sprintf(`{sextant.source=%q} event.id:="%d-"* | stats count() n, count_uniq(event.id) u`, testID, round))
			if want := fmt.Sprintf("n=%d u=%[1]d", syncRows); n[0] != want {
				t.Errorf("round %d: %s, want %s", round, n[0], want)
			}
		}
		if left := s.engine.PartitionSnapshotList(); len(left) > 0 {
			t.Errorf("snapshots are left: %q", left)
		}
	}
}

const ingestSources, ingestRows = 6, 2000

// ingest brings a case to the state where all sources are committed.
func ingest(dir string) error {
	ctx := context.Background()
	s, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	if err := s.Recover(ctx); err != nil {
		return err
	}
	say("open")
	var done []Record
	for i := range ingestSources {
		id := fmt.Sprintf("%024d", i)
		if _, ok := s.Ledger().Committed(id); ok {
			continue
		}
		r := Record{ID: id, Path: "p" + strconv.Itoa(i), Size: int64(i) + 1, SHA256: strings.Repeat(strconv.Itoa(i), 64), Records: ingestRows}
		if err := s.Ledger().Begin(r); err != nil {
			return err
		}
		events := scattered(ingestRows)
		for j := range events {
			events[j].ID = id + events[j].ID
			events[j].Time += int64(j%2) * dayNanos
		}
		w := s.NewWriter()
		for j, part := range slices.Collect(slices.Chunk(events, 300)) {
			if err := errors.Join(w.Add(&Source{ID: id, Path: r.Path}, part), w.Flush()); err != nil {
				return err
			}
			if i == 4 && j == 2 { // as when another source is committed meanwhile
				if err := s.Sync(ctx); err != nil {
					return err
				}
				say("synced half of", i)
			}
		}
		say("added", i)
		if done = append(done, r); i%2 == 1 || i == ingestSources-1 {
			if err := s.Sync(ctx); err != nil {
				return err
			}
			say("synced", i)
			if err := s.Ledger().Commit(done...); err != nil {
				return err
			}
			say("committed", i)
			done = nil
		}
	}
	return s.Close()
}

func TestAKilledRunFinishedLaterGivesTheSameRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, line := range []string{"open", "added 0", "added 2", "synced 3", "committed 3", "added 4", "synced half of 4"} {
		kill(t, startChild(t, "ingest", dir, line))
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	left := s.Ledger().Leftovers()
	if len(left) != 1 || query(t, s, "sextant.source:="+left[0].ID+" | stats count() n")[0] != "n=900" {
		t.Fatalf("no half source is left to be removed: %v", left)
	}
	if err := s.Ledger().Begin(left[0]); err == nil {
		t.Error("a source with rows of an earlier run can begin again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	startChild(t, "ingest", dir, "")
	undisturbed := t.TempDir()
	if err := ingest(undisturbed); err != nil {
		t.Fatal(err)
	}
	var rows [2][]string
	for i, d := range []string{undisturbed, dir} {
		s, err := Open(d, Options{MustExist: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		rows[i] = query(t, s, "* | delete _stream, _stream_id")
		if n := len(s.Ledger().Sources()); n != ingestSources || len(s.Ledger().Leftovers()) != 0 {
			t.Errorf("%d sources, leftovers %v", n, s.Ledger().Leftovers())
		}
	}
	if len(rows[0]) != ingestSources*ingestRows || !slices.Equal(rows[0], rows[1]) {
		t.Errorf("%d rows undisturbed, %d rows after kills, or not the same", len(rows[0]), len(rows[1]))
	}
}

// childHold opens the case and waits.
func childHold(dir string) error {
	if _, err := Open(dir, Options{}); err != nil {
		return err
	}
	say("open")
	return nil
}

func TestTwoProcessesCannotOpenTheSameCase(t *testing.T) {
	dir := t.TempDir()
	cmd := startChild(t, "hold", dir, "open")
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	kill(t, cmd)
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice in one process: %v", err)
	}
}
