package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func reopen(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close() })
	return l
}

func ids(records []Record) (out []string) {
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

func TestLedgerKeepsSourcesAndMetaAcrossRuns(t *testing.T) {
	dir := t.TempDir()
	l := reopen(t, dir)
	a := Record{ID: "a", Path: "auth.log\n\"", SHA256: "00", Size: 5, Records: 2, Report: Report{Rows: 2}, Accounting: []byte(`{"x":1}`)}
	b := Record{ID: "b", Size: 9, SHA256: "11"}
	for _, err := range []error{l.SetMeta("name", "one"), l.Begin(a), l.Begin(b), l.Begin(Record{ID: "c"}), l.Commit(a, b), l.SetMeta("name", "two")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(l.Leftovers()) != 0 {
		t.Error("sources begun in this run are not leftovers")
	}
	l.close()
	l = reopen(t, dir)
	if got, ok := l.Committed("a"); !ok || got.Path != a.Path || got.Report.Rows != 2 || string(got.Accounting) != `{"x":1}` || got.Started.IsZero() || got.Committed.Before(got.Started) {
		t.Errorf("%+v", got)
	}
	if got := ids(l.Sources()); !slices.Equal(got, []string{"a", "b"}) {
		t.Error(got)
	}
	if got := ids(l.Leftovers()); !slices.Equal(got, []string{"c"}) {
		t.Error(got)
	}
	if got := ids(l.Prefixes(9)); !slices.Equal(got, []string{"a"}) {
		t.Error(got)
	}
	if got := ids(l.Prefixes(10)); !slices.Equal(got, []string{"b", "a"}) {
		t.Error(got)
	}
	if l.Meta("name") != "two" || l.Meta("none") != "" {
		t.Error(l.Meta("name"))
	}
	if l.Begin(a) == nil || l.Begin(Record{ID: "c"}) == nil {
		t.Error("a committed source and a leftover can begin")
	}
	if err := l.removed([]string{"c"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(Record{ID: "c"}); err != nil {
		t.Error(err)
	}
}

func TestLedgerTornAnywhereInItsLastLineLosesThatLineOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ledgerName)
	l := reopen(t, dir)
	if err := l.Commit(Record{ID: "a", Path: "p"}); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if err := l.Commit(Record{ID: "b", Path: "p"}); err != nil {
		t.Fatal(err)
	}
	l.close()
	whole, _ := os.ReadFile(path)
	for n := len(before); n < len(whole); n++ {
		for _, tail := range []string{"", strings.Repeat("\x00", len(whole)-n), strings.Repeat("\x00", 9) + "\n"} {
			if err := os.WriteFile(path, append(slices.Clone(whole[:n]), tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			l := reopen(t, dir)
			if got := ids(l.Sources()); !slices.Equal(got, []string{"a"}) {
				t.Fatalf("cut at %d: %v", n, got)
			}
			if err := l.Commit(Record{ID: "c", Path: "p"}); err != nil {
				t.Fatal(err)
			}
			l.close()
			l = reopen(t, dir)
			if got := ids(l.Sources()); !slices.Equal(got, []string{"a", "c"}) {
				t.Fatalf("cut at %d, after one more line: %v", n, got)
			}
			l.close()
		}
	}
}

func TestLedgerDamagedInTheMiddleIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ledgerName)
	l := reopen(t, dir)
	if err := l.Commit(Record{ID: "a"}, Record{ID: "b"}); err != nil {
		t.Fatal(err)
	}
	l.close()
	text, _ := os.ReadFile(path)
	for what, bad := range map[string]string{
		"line 2 is damaged": strings.Replace(string(text), `{"commit":{"id":"a"`, `{"commit":{"id":"a`, 1),
		"not the ledger":    strings.Replace(string(text), `"case"`, `"cake"`, 1),
		"newer Sextant":     strings.Replace(string(text), `"version":1`, `"version":99`, 1),
	} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := openLedger(dir); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte("{\"sextant\":\"case\",\"version\":1}\n{\"begin\":{\"id\":\"a\"}}\n"))
	f.Add([]byte("{\"sextant\":\"case\",\"version\":1}\n{\"commit\":{\"id\":\"a\"}}\n\x00\x00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ledgerName), text, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := openLedger(dir)
		if err != nil {
			return
		}
		had := len(l.Sources())
		if _, ok := l.Committed("new"); ok {
			had--
		}
		if err := l.Commit(Record{ID: "new"}); err != nil {
			t.Fatal(err)
		}
		l.close()
		l, err = openLedger(dir)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if got := len(l.Sources()); got != had+1 {
			t.Errorf("%d sources, want %d", got, had+1)
		}
		l.close()
	})
}
