package triage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/verdict"
)

// made is a case of 40 findings, half of them of a scanner, the first n of which are judged.
func made(t *testing.T, n int) *Case {
	t.Helper()
	dir := t.TempDir()
	var fs []map[string]any
	var marks []verdict.Mark
	for i := range 40 {
		source, v := "192.0.2.1", verdict.FalsePositive
		if i%2 == 1 {
			source, v = "198.51.100.7", verdict.TruePositive
		}
		id := fmt.Sprintf("f%03d", i)
		fs = append(fs, map[string]any{"id": id, "kind": "sigma", "rule": map[string]any{"id": "r"}, "title": "Scan", "level": "medium",
			"count": 3, "entities": map[string]any{"source_ips": []string{source}}, "first": "2024-03-04T10:00:00Z"})
		if i < n {
			marks = append(marks, verdict.Mark{ID: id, Kind: verdict.Finding, Verdict: v})
		}
	}
	data, err := json.Marshal(map[string]any{"findings": fs, "incidents": []map[string]any{{"id": "in", "title": "I", "severity": "high", "score": 50, "findings": []string{"f039"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if len(marks) > 0 {
		if err := verdict.Append(dir, marks...); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerdictsMoveWhatHasSomethingInCommonAndSayWhy(t *testing.T) {
	c := made(t, 20)
	m := Train(c)
	items := c.Rank(m)
	for i, it := range items {
		real := it.ID[len(it.ID)-1]%2 == 1 // of f001, f003 …
		if (i < 20) != real {
			t.Fatalf("place %d: %+v", i, it)
		}
	}
	top := items[0]
	if top.Chance <= top.Prior || !strings.HasPrefix(top.Why[0].String(), "source 198.51.100.7: 10 of 10 judged real (+") {
		t.Errorf("%.2f, before %.2f: %v", top.Chance, top.Prior, top.Why)
	}
	if in := c.RankIncidents(m)[0]; in.Chance <= in.Prior {
		t.Errorf("%+v", in)
	}
	if x := Evaluate(c); x.Judged != 20 || x.True != 10 || x.Learnt.AUC < 0.95 || x.Prior.AUC != 0.5 {
		t.Errorf("%+v", x)
	}
}

func TestWithoutVerdictsThePriorRanks(t *testing.T) {
	c := made(t, 0)
	m := Train(c)
	for _, it := range c.Rank(m) {
		if m.Judged != 0 || it.Chance != it.Prior || len(it.Why) != 3 || it.Why[0].String() != "findings of its rule: 40 (-1.8)" {
			t.Fatalf("%+v", it)
		}
	}
}

func TestWhatOneCaseTaughtRanksTheNext(t *testing.T) {
	last, next := made(t, 20), made(t, 0)
	for i, it := range next.Rank(Train(next, last)) {
		if real := it.ID[len(it.ID)-1]%2 == 1; real != (i < 20) || real != (it.Chance > 0.5) || it.Verdict != "" {
			t.Errorf("%s: %.2f, before %.2f", it.ID, it.Chance, it.Prior)
		}
	}
}

func TestAVerdictOnAnIncidentTeachesOfItsFindings(t *testing.T) {
	c := made(t, 0)
	c.States["in"] = verdict.State{Kind: verdict.Incident, Verdict: verdict.FalsePositive}
	m := Train(c)
	if m.Judged != 1 || m.True != 0 {
		t.Fatalf("%+v", m)
	}
	for _, it := range c.Rank(m) { // f039, which the incident has, is of the odd ones
		if it.ID == "f037" && it.Chance >= it.Prior {
			t.Errorf("%.3f, before %.3f: %v", it.Chance, it.Prior, it.Why)
		}
		for _, r := range it.Why[:len(it.Why)-3] { // the last three are the prior's
			if strings.HasSuffix(r.String(), "0.0)") {
				t.Errorf("%s: a reason that weighs nothing: %s", it.ID, r)
			}
		}
	}
	// What is said of a finding itself counts before what is said of its incident.
	c.States["f039"] = verdict.State{Kind: verdict.Finding, Verdict: verdict.TruePositive}
	if m := Train(c); m.Judged != 1 || m.True != 1 {
		t.Errorf("%+v", m)
	}
}

func TestVerdictsThatContradictAreTold(t *testing.T) {
	c := made(t, 20)
	if m := Train(c); len(m.Contradict) != 0 || m.Judged != 20 || m.True != 10 {
		t.Fatalf("%+v", m)
	}
	c.States["f004"] = verdict.State{Kind: verdict.Finding, Verdict: verdict.TruePositive}
	m := Train(c)
	if len(m.Contradict) != 1 || m.Contradict[0] != (Contradiction{True: "f004", False: "f000"}) {
		t.Errorf("%+v", m.Contradict)
	}
}
