package verdict

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLaterMarksDecideAndNotesStay(t *testing.T) {
	dir := t.TempDir()
	for _, m := range []Mark{
		{ID: "a", Kind: Incident, Verdict: FalsePositive, By: "alice", Tags: []string{"scanner", "old"}},
		{ID: "a", Kind: Incident, Note: "ask the network people"},
		{ID: "b", Kind: Finding, Verdict: TruePositive},
		{ID: "a", Kind: Incident, Verdict: TruePositive, By: "bob", Untag: []string{"old"}, Note: "they know nothing of it"},
		{ID: "b", Kind: Finding, Verdict: Undecided},
	} {
		if err := Append(dir, m); err != nil {
			t.Fatal(err)
		}
	}
	s, bad, err := Read(dir)
	if err != nil || bad != 0 {
		t.Fatal(bad, err)
	}
	a := s["a"]
	if a.Verdict != TruePositive || a.By != "bob" || !slices.Equal(a.Tags, []string{"scanner"}) || len(a.Notes) != 2 || a.Notes[0].Text != "ask the network people" {
		t.Errorf("%+v", a)
	}
	if s["b"].Verdict != "" {
		t.Errorf("taken back, and still %q", s["b"].Verdict)
	}
}

func TestWrongMarksAreRefusedAndDamagedLinesPassedOver(t *testing.T) {
	dir := t.TempDir()
	for _, m := range []Mark{
		{}, {ID: "a"}, {ID: "a", Kind: Incident}, {ID: "a", Kind: Incident, Verdict: "maybe"}, {ID: "a", Kind: "host", Verdict: Benign},
		{ID: "a", Kind: Incident, Tags: []string{"two words"}}, {ID: "a", Kind: Incident, Tags: []string{""}},
		{ID: "a", Kind: Incident, Note: string(make([]rune, maxText+1))},
	} {
		if Append(dir, m) == nil {
			t.Errorf("taken: %+v", m)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, File), []byte("{\"id\":\"x\"}\nnonsense\n{\"id\":\"a\",\"kind\":\"incident\",\"verd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Append(dir, Mark{ID: "a", Kind: Incident, Verdict: Benign}); err != nil {
		t.Fatal(err)
	}
	s, bad, err := Read(dir)
	if err != nil || bad != 3 || s["a"].Verdict != Benign || len(s) != 1 {
		t.Errorf("%d bad, %v, %+v", bad, err, s)
	}
}

func TestWhatWasSaidFollowsAnIncidentThatGotAnotherID(t *testing.T) {
	states := map[string]State{
		"old":   {Kind: Incident, Verdict: FalsePositive, Signs: []string{"1", "2", "3"}},
		"same":  {Kind: Incident, Verdict: TruePositive, Signs: []string{"9"}},
		"gone":  {Kind: Incident, Verdict: TruePositive, Signs: []string{"7", "8", "5"}},
		"of f1": {Kind: Finding, Verdict: Benign},
	}
	got := Carry(states, map[string][]string{"new": {"1", "2", "4"}, "same": {"9", "7"}, "other": {"5"}})
	if len(got) != 3 || got["new"].Verdict != FalsePositive || got["same"].Verdict != TruePositive || got["of f1"].Verdict != Benign {
		t.Errorf("%+v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"a","kind":"incident","verdict":"benign","tags":["x"],"untag":["x"]}`))
	f.Add([]byte("{\"id\":\"a\",\"kind\":\"finding\",\"note\":\"\x00\"}\n\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, File), data, 0o644); err != nil {
			t.Fatal(err)
		}
		states, _, err := Read(dir)
		if err != nil {
			return // a line that is too long
		}
		for id, s := range states {
			if id == "" || s.Verdict != "" && !slices.Contains(Verdicts, s.Verdict) || !slices.IsSorted(s.Tags) {
				t.Errorf("%q: %+v", id, s)
			}
		}
	})
}
