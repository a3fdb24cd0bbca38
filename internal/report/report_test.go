package report

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/triage"
)

// evil is what an attacker would like to see in a report.
const evil = "<script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31m \u202e [x](javascript:alert(3)) |a|b| `c` http://evil.example/ \" ' \n# heading"

// full is an investigation that has something everywhere, all of it hostile.
func full() *Investigation {
	ev := analyze.Evidence{ID: "0123456789abcdef01234567-00000000ff", Time: 1, Message: evil, Path: evil, Offset: 255, Outcome: evil}
	s := []incident.Sentence{{Text: evil, Evidence: []string{ev.ID, "unknown-id"}}}
	return &Investigation{
		Case:       Case{Name: evil, Version: evil, Paths: []string{evil}, First: "2026-01-02T03:04:05Z", Last: "2026-01-03T03:04:05.5Z", TimeZone: "UTC"},
		Sources:    []Source{{ID: "x", Path: evil, Format: "syslog", SHA256: "ab", Bytes: 5, Problems: []string{evil}, Accounting: Accounting{BytesIn: 5, BytesEvents: 5, Balanced: true}}},
		Accounting: Accounting{BytesIn: 5, BytesEvents: 5, Records: 1, Decoded: 1, Balanced: true},
		Findings: []Finding{{Finding: analyze.Finding{ID: "f", Title: evil, Level: "high", Count: 2, Techniques: []string{"T1110"},
			Entities: analyze.Entities{Users: []string{evil}, Hosts: []string{evil}}, Evidence: []analyze.Evidence{ev}}, First: "2026-01-02T03:04:05Z"},
			{Finding: analyze.Finding{ID: "g", Kind: "patterns", Title: evil, Explanation: evil, Level: "low", Rule: analyze.Rule{FalsePositives: []string{evil}}, Evidence: []analyze.Evidence{ev}}}},
		Incidents: []incident.Incident{{ID: "i", Title: evil, Score: 9, Severity: "high", What: s, When: incident.When{First: "2026-01-02T03:04:05Z", Last: "2026-01-02T03:05:05Z"},
			Where: incident.Where{Hosts: []string{evil}}, Who: incident.Who{Users: []string{evil}}, Outcome: incident.Outcome{Result: incident.Unknown, Why: s, Needs: []string{evil}},
			Impact: incident.Impact{Level: "low", Facts: s}, Techniques: []string{"T1110"}, Timeline: []incident.Step{{Time: "2026-01-02T03:04:05Z", Text: evil, Evidence: []string{ev.ID}}}, Evidence: []string{ev.ID}}},
		Evidence: []analyze.Evidence{ev},
		Statistics: Statistics{Events: 1, Users: []Count{{evil, 1}}, SourceIPs: []Count{{"192.0.2.1", 1}},
			Timeline: Timeline{Start: "2026-01-02T03:00:00Z", Step: 3600, Series: []TimelineSeries{{evil, []int64{1, 0, 2}}}}},
		Rules:      Rules{Loaded: 1, Failed: []RuleProblem{{evil, evil}}, Matches: []RuleCount{{evil, evil, "high", 1}}, Missing: []Count{{evil, 1}}, Limits: []string{evil}},
		Problems:   []string{evil},
		Techniques: []analyze.Report{{Name: "patterns", About: evil, Worked: true, Remarks: []string{evil}}},
		Overview: Overview{Associations: []Association{{Leader: evil, Follower: evil, Text: evil}}, Rhythms: []Rhythm{{What: evil, Text: evil}},
			Sessions: []Session{{User: evil, Text: evil}}, SessionCount: 1, Remarks: []string{evil}},
		Triage: []triage.Item{{ID: "f", Title: evil, Level: "high", Chance: 0.5, Why: []triage.Reason{{Feature: "user=" + evil, True: 1}}}},
	}
}

func TestHostileTextIsTextInThePage(t *testing.T) {
	page, err := HTML(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "\x1b", "\u202e"} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("the page contains %q", bad)
		}
	}
	// Every quote of the text is escaped: no attribute was broken out of.
	if regexp.MustCompile(`onerror=alert\(2\)[^&]*"[^>]*>`).Match(page) {
		t.Error("an attribute holds the text unescaped")
	}
}

func TestThePageRefersToNothingOutside(t *testing.T) {
	page, err := HTML(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?i)\b(?:src|href|action|data|poster)\s*=\s*"([^"]*)"|url\(([^)]*)\)|@import`).FindAllSubmatch(page, -1) {
		if target := string(m[1]) + string(m[2]); !strings.HasPrefix(target, "#") {
			t.Errorf("refers to %q", target)
		}
	}
}

func TestEveryCitationLeadsToItsRecord(t *testing.T) {
	page, err := HTML(full())
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`href="#([^"]+)"`).FindAllSubmatch(page, -1)
	if len(links) < 8 {
		t.Fatalf("%d links", len(links))
	}
	for _, m := range links {
		if !bytes.Contains(page, []byte(`id="`+string(m[1])+`"`)) {
			t.Errorf("no element is #%s", m[1])
		}
	}
}

func TestHostileTextIsTextInMarkdown(t *testing.T) {
	md, err := Markdown(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "](javascript", "http://evil", "\n# heading", "\x1b", "\u202e"} {
		if bytes.Contains(md, []byte(bad)) {
			t.Errorf("the text contains %q", bad)
		}
	}
	cells := 0
	for line := range strings.Lines(string(md)) {
		if strings.HasPrefix(line, "| high |") {
			cells = strings.Count(line, "|")
		}
	}
	if cells != 7 {
		t.Errorf("the row of a finding has %d bars, want 7", cells)
	}
}

func TestJSONHasNoNullListsAndKeepsTheText(t *testing.T) {
	for _, inv := range []*Investigation{{}, full()} {
		data, err := JSON(inv)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("null")) {
			t.Errorf("null in %s", data)
		}
		var back Investigation
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if back.Case.Name != inv.Case.Name {
			t.Errorf("the name became %q", back.Case.Name)
		}
	}
}

func TestAnEmptyInvestigationIsAReportToo(t *testing.T) {
	inv := &Investigation{}
	for _, render := range []func(*Investigation) ([]byte, error){HTML, Markdown, JSON} {
		if out, err := render(inv); err != nil || len(out) == 0 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	}
}

// TestWritePage leaves the hostile page where SEXTANT_PAGE says, to be looked at.
func TestWritePage(t *testing.T) {
	file := os.Getenv("SEXTANT_PAGE")
	if file == "" {
		t.Skip("set SEXTANT_PAGE to a file name to look at the page")
	}
	page, err := HTML(full())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
}
