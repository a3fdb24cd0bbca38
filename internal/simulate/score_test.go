package simulate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forged is a case whose report says what the test wants it to.
func forged(t *testing.T, report map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestScoreRewardsTheTruthAndNothingElse(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds", "ssh-brute-force-fails"}, Days: 1, Users: 5, Seed: 21})
	truth, labels := truthOf(t, dir)
	k := truth.Incidents[0]
	var noise []string
	for _, l := range labels {
		if l.Label == "background" && len(noise) < 4 {
			noise = append(noise, l.Event)
		}
	}
	var impact []any
	for _, l := range labels {
		if l.Incident == k.ID && l.Step == "account" {
			impact = append(impact, map[string]any{"text": "account", "evidence": []string{l.Event}})
		}
	}
	perfect := map[string]any{
		"id": "i1", "title": "brute force", "techniques": k.Techniques, "evidence": k.Records[:len(k.Records)/2],
		"findings": []string{"f1"}, "outcome": map[string]any{"result": "succeeded"},
		"when":   map[string]any{"first": k.First, "last": k.Last},
		"where":  map[string]any{"hosts": []string{"192.0.2.10"}},
		"who":    map[string]any{"users": append([]string{`CORP\extra`}, k.Users...), "source_ips": k.Sources},
		"impact": map[string]any{"facts": impact},
	}
	var rest []any
	for _, id := range k.Records[len(k.Records)/2:] {
		rest = append(rest, map[string]any{"event.id": id})
	}
	report := map[string]any{
		"findings": []any{map[string]any{"id": "f1", "evidence": rest}},
		"incidents": []any{
			perfect,
			map[string]any{"id": "i2", "title": "noise", "evidence": noise},
			map[string]any{"id": "i3", "title": "nothing", "evidence": []string{strings.Repeat("0", 24) + "-0000000000"}},
		},
	}
	s, err := ReadScore(filepath.Join(dir, "truth.json"), forged(t, report))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Incidents[0]
	if !got.Found || got.Purity != 1 || got.Completeness != 1 || got.Records != 1 || got.Techniques != 1 || !got.OutcomeRight || got.Hosts != 1 ||
		got.Users != 1 || got.Sources != 1 || got.When != 1 || got.Detect != 0 || got.Fragments != 1 {
		t.Errorf("a perfect answer scores %+v", got)
	}
	if got.Impact <= 0 || got.Impact >= 1 {
		t.Errorf("one fact of several scores %v", got.Impact)
	}
	if missed := s.Incidents[1]; missed.Found || missed.OutcomeRight {
		t.Errorf("an incident that no one told scores %+v", missed)
	}
	sum := s.Summary
	if sum.Found != 1 || sum.FoundRate != 0.5 || sum.OutcomeAccuracy != 0.5 || sum.Noise != 1 || sum.False != 1 || sum.FalsePerDay != 1 {
		t.Errorf("summary %+v", sum)
	}

	// The same with the wrong outcome, half of its evidence foreign, and a step missing.
	var wrong []string
	for _, l := range labels {
		if l.Incident == k.ID && l.Step == "guess" && len(wrong) < 20 {
			wrong = append(wrong, l.Event)
		}
	}
	for i := range 20 {
		wrong = append(wrong, fmt.Sprintf("%024d-%010x", 0, i))
	}
	perfect["evidence"], perfect["findings"], perfect["outcome"] = wrong, nil, map[string]any{"result": "failed"}
	s, err = ReadScore(filepath.Join(dir, "truth.json"), forged(t, report))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Incidents[0]; got.OutcomeRight || got.Purity != 0.5 || got.Completeness >= 0.5 || got.Completeness == 0 {
		t.Errorf("a poor answer scores %+v", got)
	}
}

func TestUnknownIsRightWhereTheLogThatTellsIsMissing(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds"}, Days: 1, Users: 5, Seed: 21, Without: []string{"web1/auth"}})
	truth, _ := truthOf(t, dir)
	k := truth.Incidents[0]
	for result, want := range map[string]bool{"unknown": true, "succeeded": true, "failed": false} {
		s, err := ReadScore(filepath.Join(dir, "truth.json"), forged(t, map[string]any{
			"incidents": []any{map[string]any{"id": "i", "evidence": k.Records[:1], "outcome": map[string]any{"result": result, "needs": []string{"authentication log of host web1"}}}},
		}))
		if err != nil {
			t.Fatal(err)
		}
		if s.Incidents[0].OutcomeRight != want {
			t.Errorf("%s is right: %v", result, !want)
		}
	}
	s, err := ReadScore(filepath.Join(dir, "truth.json"), forged(t, map[string]any{
		"incidents": []any{map[string]any{"id": "i", "evidence": k.Records[:1], "outcome": map[string]any{"result": "unknown"}}},
	}))
	if err != nil || s.Incidents[0].OutcomeRight {
		t.Errorf("unknown is right that names no log: %v", err)
	}
}

func TestWhatIsMetInPassingIsNotFound(t *testing.T) {
	dir := simulated(t, Options{Campaigns: []string{"ssh-brute-force-succeeds"}, Days: 1, Users: 5, Seed: 21})
	truth, _ := truthOf(t, dir)
	k := truth.Incidents[0]
	evidence := k.Records[:1:1]
	for i := range 30 {
		evidence = append(evidence, fmt.Sprintf("%024d-%010x", 0, i))
	}
	s, err := ReadScore(filepath.Join(dir, "truth.json"), forged(t, map[string]any{
		"incidents": []any{map[string]any{"id": "i", "evidence": evidence, "outcome": map[string]any{"result": "succeeded"}}},
	}))
	if err != nil || len(k.Records) <= 10 || s.Incidents[0].Found || s.Incidents[0].OutcomeRight || s.Summary.False != 0 {
		t.Errorf("%v %+v", err, s.Incidents[0])
	}
}
