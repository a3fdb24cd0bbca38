package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

// liveLines are lines of three kinds, and of one that only shows to be one kind once
// some of it came.
func liveLines(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		at := fmt.Sprintf("2026-03-04T10:%02d:%02dZ", i/60%60, i%60)
		switch i % 4 {
		case 0:
			lines[i] = fmt.Sprintf("<86>1 %s web1 sshd 7 - - Failed password for root from 203.0.113.%d port %d ssh2", at, i%200, 40000+i)
		case 1:
			lines[i] = fmt.Sprintf("<30>1 %s web1 app 8 - - request %d took %d ms", at, i, i%700)
		case 2:
			lines[i] = fmt.Sprintf("<30>1 %s web1 app 8 - - cache is cold", at)
		default:
			lines[i] = fmt.Sprintf("<30>1 %s web1 app 8 - - session of user %s ended", at, []string{"ada", "bob", "cleo", "dan", "eve"}[i/40%5])
		}
	}
	return lines
}

// runLive gives a live case lines, calls while it still runs, and ends it.
func runLive(t *testing.T, dir string, threads int, lines []string, while func(*Live)) {
	t.Helper()
	l, err := OpenLive(context.Background(), LiveOptions{Case: dir, Log: slog.New(slog.DiscardHandler), Threads: threads, History: -1})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }()
	for len(lines) > 0 {
		n := min(len(lines), 37)
		d := &spool.Delivery{Collector: "test:", Format: "syslog", Received: time.Now().UnixNano()}
		for _, line := range lines[:n] {
			d.Records = append(d.Records, spool.Record{Data: []byte(line)})
		}
		if err := l.Accept(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		lines = lines[n:]
	}
	if while != nil {
		while(l)
	}
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// namesOf returns the id that each message of a case has.
func namesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	names := map[string]string{}
	err = st.Query(context.Background(), `* | fields _msg, "log.pattern.id"`, func(row []event.Field) error {
		var message, id string
		for _, f := range row {
			if f.Name == patterns.Field {
				id = f.Value
			} else {
				message = f.Value
			}
		}
		names[message] = id
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWhatComesLiveIsOfThePatternsThatTheCaseKnows(t *testing.T) {
	dir, evidence := t.TempDir(), t.TempDir()
	log := "Mar  4 09:00:01 web1 sshd[7]: Failed password for root from 203.0.113.7 port 40000 ssh2\n" +
		"Mar  4 09:00:02 web1 cron[9]: nothing to do\n"
	if err := os.WriteFile(filepath.Join(evidence, "auth.log"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Investigate(context.Background(), Investigation{Options: Options{Paths: []string{evidence}}, Case: dir}); err != nil {
		t.Fatal(err)
	}
	first := namesOf(t, dir)
	lines := liveLines(400)
	runLive(t, dir, 2, lines[:200], func(l *Live) {
		for range 600 { // what the server tells of patterns knows what it has stored
			if l.Stats().Records == 200 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		state, err := l.Patterns()
		if err != nil || len(state) < 100 {
			t.Errorf("%q, %v", state, err)
		}
	})
	runLive(t, dir, 2, lines[200:], nil)
	names := namesOf(t, dir)
	if len(names) != 208 {
		t.Fatalf("%d messages", len(names))
	}
	miner, err := patterns.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := miner.Resolve()
	texts := map[string]string{}
	for _, p := range miner.Templates() {
		texts[p.ID] = p.Text
	}
	counts, kinds := map[string]int{}, map[string]string{} // by text, and by first word
	for message, id := range names {
		if n, ok := now[id]; ok {
			id = n
		}
		if texts[id] == "" {
			t.Fatalf("%q is of %q, of which the case does not know", message, id)
		}
		if _, fits := logpattern.Parameters(texts[id], message); !fits {
			t.Errorf("%q is said to be of %q", message, texts[id])
		}
		counts[texts[id]]++
		of, _, _ := strings.Cut(message, " ")
		kinds[of] = texts[id]
	}
	if len(counts) != 5 || counts[kinds["Failed"]] != 101 || counts[kinds["session"]] != 5 {
		t.Errorf("%v", counts)
	}
	for message, id := range first {
		if names[message] != id {
			t.Errorf("%q was of %s and is of %s", message, id, names[message])
		}
	}
}

func TestPatternsOfALiveCaseDoNotDependOnTheNumberOfThreads(t *testing.T) {
	lines := liveLines(6000)
	var want map[string]string
	for _, threads := range []int{1, 2, 5} {
		dir := t.TempDir()
		runLive(t, dir, threads, lines, nil)
		if got := namesOf(t, dir); want == nil {
			want = got
		} else if !maps.Equal(got, want) {
			t.Errorf("with %d threads messages have other ids", threads)
		}
	}
}
