package export

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

func written(t *testing.T, format string, width int, rows ...[]Cell) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteCells(&b, format, rows, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCellsAreShownShortAndHandedOnWhole(t *testing.T) {
	row := []Cell{{Name: "value", Value: "evil\x1b[31m,\"quoted\""}, {Name: "n", Value: int64(1234567)}, {Name: "share", Value: 0.12345678, Text: "12%"}, {Name: "only people", Text: "see"},
		{Name: "only programs", Value: math.NaN(), Text: "-"}, {Name: "ids", Value: []string{"a", "b"}}}
	if got, want := written(t, "jsonl", 0, row), `{"value":"evil\u001b[31m,\"quoted\"","n":1234567,"share":0.12345678,"only programs":null,"ids":["a","b"]}`+"\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := written(t, "csv", 0, row), "value,n,share,only programs,ids\n\"evil\\x1b[31m,\"\"quoted\"\"\",1234567,0.12345678,,a b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	table := written(t, "table", 0, row)
	if strings.ContainsRune(table, '\x1b') || !strings.Contains(table, "1,234,567    12%  see") || strings.Contains(table, "only programs") {
		t.Errorf("%q", table)
	}
}

func TestATableKeepsToItsWidthButCutsNoTimes(t *testing.T) {
	row := []Cell{{Name: "what", Value: strings.Repeat("w", 60)}, {Name: "more", Value: strings.Repeat("m", 60)}, {Name: "when", Value: "2026-03-02 08:00", Whole: true}}
	for _, line := range strings.Split(written(t, "table", 60, row), "\n") {
		if cells(line) > 60 {
			t.Errorf("%d cells: %q", cells(line), line)
		}
	}
	if got := written(t, "table", 60, row); !strings.Contains(got, "2026-03-02 08:00") {
		t.Error(got)
	}
	if written(t, "table", 80) != "" || written(t, "csv", 0) != "" {
		t.Error("no rows are not nothing")
	}
}

// The mandatory fields are those of Timesketch's guide to importing JSON lines.
func TestTimesketchGetsItsFieldsAndTheTags(t *testing.T) {
	var b bytes.Buffer
	w, err := New(&b, "timesketch", Options{Tags: func(id string) []string { return map[string][]string{"id1": {"incident:1 \"x\"", "T1110"}}[id] }})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][]event.Field{
		{{Name: "_time", Value: "2026-03-02T08:00:00.123456789Z"}, {Name: "_msg", Value: "hello\x1b"}, {Name: "event.id", Value: "id1"}, {Name: "event.dataset", Value: "d"}, {Name: "event.action", Value: "a"}, {Name: "timestamp", Value: "evil"}},
		{{Name: "_time", Value: "2026-03-02T08:00:00Z"}, {Name: "sextant.time", Value: "none"}},
	} {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var docs []map[string]any
	d := json.NewDecoder(&b)
	for d.More() {
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		docs = append(docs, m)
	}
	if len(docs) != 2 || docs[0]["datetime"] != "2026-03-02T08:00:00.123456+00:00" || docs[0]["timestamp"] != 1772438400123456.0 || docs[0]["timestamp_desc"] != "d a" || docs[0]["message"] != "hello\x1b" || len(docs[0]["tag"].([]any)) != 2 {
		t.Errorf("%v", docs)
	}
	if docs[1]["message"] == "" || docs[1]["tag"] != nil || !strings.Contains(docs[1]["timestamp_desc"].(string), "unknown") {
		t.Errorf("%v", docs[1])
	}
}

func TestOtherFormatsGetTagsAsAColumn(t *testing.T) {
	var b bytes.Buffer
	w, err := New(&b, "csv", Options{Tags: func(id string) []string { return []string{"finding:" + id} }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write([]event.Field{{Name: "_time", Value: "t"}, {Name: "event.id", Value: "id1"}, {Name: "user.name", Value: "u"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "_time,event.id,sextant.tags,user.name\nt,id1,\"[\"\"finding:id1\"\"]\",u\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
