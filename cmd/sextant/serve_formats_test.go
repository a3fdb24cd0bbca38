//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A user's format in YAML is a format live as well: where it is named, where it is found from
// content, and in a file that is followed.
func TestServeReadsFormatsOfTheUser(t *testing.T) {
	dir := t.TempDir()
	formats := filepath.Join(dir, "formats")
	if err := os.Mkdir(formats, 0o755); err != nil {
		t.Fatal(err)
	}
	const gate = `name: acme.gate
title: Acme gate log
group: auth
match:
  - '^%{TIMESTAMP_ISO8601:@timestamp} gate user=%{USERNAME:user.name} from=%{IP:source.ip} %{WORD:event.outcome}$'
time:
  zone: Europe/Berlin
set:
  event.category: [authentication]
map:
  - field: event.outcome
    values: {ok: success, denied: failure}
samples:
  - line: '2026-07-04 10:11:12 gate user=alice from=192.0.2.9 ok'
    expect: {'@timestamp': '2026-07-04T08:11:12Z', user.name: alice}
`
	if err := os.WriteFile(filepath.Join(formats, "gate.yml"), []byte(gate), 0o644); err != nil {
		t.Fatal(err)
	}
	followed := filepath.Join(dir, "gate.log")
	if err := os.WriteFile(followed, []byte("2026-07-04 10:11:12 gate user=carol from=192.0.2.11 denied\n2026-07-04 10:11:13 gate user=carol from=192.0.2.11 ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startLive(t, "--formats", formats, "--tail", followed)
	for path, text := range map[string]string{
		"/ingest?format=acme.gate": "2026-07-04 10:11:12 gate user=alice from=192.0.2.9 ok\n",
		"/ingest":                  "2026-07-04 10:11:13 gate user=bob from=192.0.2.10 denied\n",
	} {
		if err := s.post(path, "text/plain", []byte(text)); err == nil || !strings.Contains(err.Error(), "204") {
			t.Fatalf("%s: %v", path, err)
		}
	}
	rows := s.wait(`event.dataset:=acme.gate | sort by (user.name, _time)`, 4)
	want := []struct{ user, source, outcome, at string }{
		{"alice", "192.0.2.9", "success", "2026-07-04T08:11:12Z"}, {"bob", "192.0.2.10", "failure", "2026-07-04T08:11:13Z"},
		{"carol", "192.0.2.11", "failure", "2026-07-04T08:11:12Z"}, {"carol", "192.0.2.11", "success", "2026-07-04T08:11:13Z"},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows of %d: %v", len(rows), len(want), rows)
	}
	for i, w := range want {
		r := rows[i]
		if r["user.name"] != w.user || r["source.ip"] != w.source || r["event.outcome"] != w.outcome || r["_time"] != w.at || r["event.category"] != "authentication" && r["event.category"] != `["authentication"]` {
			t.Errorf("row %d: %v, want %+v", i, r, w)
		}
	}
}
