package main

import (
	"os"
	"slices"
	"testing"
	"time"
)

// No folder of the corpus falls below what it reached once.
func TestEveryFolderReachesItsFloor(t *testing.T) {
	if _, err := os.Stat(corpusDir()); err != nil {
		t.Skip("no corpus: set SEXTANT_CORPUS to its folder")
	}
	scores := measure(find(corpusDir()), func(name string) bool { return true })
	seen := map[string]bool{}
	for _, s := range scores {
		seen[s.name] = true
		if s.err != nil {
			t.Errorf("%s: %v", s.name, s.err)
		}
		if s.class() == kindRest {
			continue
		}
		if _, ok := floors[s.name]; !ok {
			t.Errorf("%s has no floor in floors.tsv", s.name)
		}
		if p := s.equalPercent(); p < s.floor.fields {
			t.Errorf("%s: %.2f %% of the fields are equal, its floor is %g %%", s.name, p, s.floor.fields)
		}
		if p := s.rightPercent(); p < s.floor.right {
			t.Errorf("%s: %.2f %% of the records are recognised, its floor is %g %%", s.name, p, s.floor.right)
		}
	}
	for name := range floors {
		if !seen[name] {
			t.Logf("%s is not in this corpus", name)
		}
	}
}

func TestAFieldIsEqualByValueAndNotByWriting(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want []string
		inferred   bool
		equal      bool
	}{
		{"source.port", []string{"80"}, []string{"80"}, false, true},
		{"source.port", []string{"80"}, []string{"81"}, false, false},
		{"source.port", nil, []string{"80"}, false, false},
		{"x", []string{"1.50"}, []string{"1.5"}, false, true},
		{"x", []string{"007"}, []string{"7"}, false, false}, // no numbers but names
		{"@timestamp", []string{"2025-01-02T03:04:05.123456Z"}, []string{"2025-01-02T03:04:05.123Z"}, false, true},
		{"@timestamp", []string{"2025-01-02T03:04:05Z"}, []string{"2025-01-02T04:04:05+01:00"}, false, true},
		{"@timestamp", []string{"2024-01-02T03:04:05Z"}, []string{"2025-01-02T03:04:05Z"}, false, false},
		{"@timestamp", []string{"2024-01-02T03:04:05Z"}, []string{"2025-01-02T03:04:05Z"}, true, true},
		{"event.category", []string{"a", "b"}, []string{"a"}, false, false},
		{"related.ip", []string{"192.0.2.1", "192.0.2.2"}, []string{"192.0.2.2"}, false, true},
		{"related.ip", []string{"192.0.2.1"}, []string{"192.0.2.2"}, false, false},
		{"message", []string{"a\r\nb\r\n"}, []string{"a\nb"}, false, true},
	} {
		if got := equal(c.name, c.have, c.want, &config{}, c.inferred); got != c.equal {
			t.Errorf("%s: %q and %q are equal: %v", c.name, c.have, c.want, got)
		}
	}
}

func TestWhatIsNotComparedHasAReason(t *testing.T) {
	for _, r := range rows(ignoredTable, 5) {
		if !slices.Contains([]string{"network", "bookkeeping", "mistake"}, r[0]) || r[1] == "" || r[2] == "" || r[2] == "*" || len(r[4]) < 10 {
			t.Errorf("ignored.tsv: %q", r)
		}
	}
	doc := map[string][]string{"event.code": {"23"}, "winlog.channel": {"Microsoft-Windows-Sysmon/Operational"}}
	for when, want := range map[string]bool{"event.code=23|24": true, "event.code=2": false, "winlog.channel=*Sysmon*": true, "none=*": false} {
		if holds(when, doc) != want {
			t.Errorf("%s holds: %v", when, !want)
		}
	}
}

func TestAnAgentsZoneIsReadInAllItsSpellings(t *testing.T) {
	for s, offset := range map[string]int{"+0500": 5 * 3600, "-04:00": -4 * 3600, "GMT-0200": -2 * 3600, "GMT+2": 2 * 3600, "UTC": 0} {
		z := zoneOf(s)
		if z == nil {
			t.Errorf("%s is no zone", s)
			continue
		}
		if _, got := time.Unix(0, 0).In(z).Zone(); got != offset {
			t.Errorf("%s is %d s from UTC", s, got)
		}
	}
}
