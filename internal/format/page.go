package format

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// Page is what is to be said of one format: what it reads, and what it makes of it. The
// tests make the pages from the comments in the source and from the golden files.
type Page struct {
	Reads    string   `json:"reads,omitempty"`    // the documentation of the format, with its sources
	Datasets []string `json:"datasets,omitempty"` // event.dataset of its records, sorted
	Fields   []string `json:"fields,omitempty"`   // the dotted names that its records had, sorted
}

//go:embed pages.json
var pagesJSON []byte

var pages = sync.OnceValue(func() map[string]Page {
	var m map[string]Page
	if json.Unmarshal(pagesJSON, &m) != nil { // the tests see to it
		return nil
	}
	return m
})

// Page returns the format's page; of a user's format it says nothing.
func (f *Format) Page() Page { return pages()[f.Name] }

// ECS parts the fields into those of the Elastic Common Schema, and the names under which the
// product's own stand ("postgresql.log").
func (p Page) ECS() (fields, own []string) {
	seen := map[string]bool{}
	for _, f := range p.Fields {
		set, rest, dotted := strings.Cut(f, ".")
		switch {
		case f == "@timestamp" || f == "message" || f == "tags" || f == "labels" || dotted && set != "winlog" && set != "json" && set != "agent" && displaced(set):
			fields = append(fields, f)
			continue
		case dotted:
			if part, _, more := strings.Cut(rest, "."); more {
				set += "." + part
			}
		}
		if !seen[set] {
			seen[set] = true
			own = append(own, set)
		}
	}
	return fields, own
}

// Near returns the names of formats that a mistaken name may stand for, the nearest first.
func Near(name string) []string {
	name = strings.ToLower(name)
	var in, near []string
	for _, f := range All() {
		switch n := strings.ToLower(f.Name); {
		case name != "" && (strings.Contains(n, name) || strings.Contains(name, n) || strings.Contains(strings.ToLower(f.Title), name)):
			in = append(in, f.Name)
		case edits(name, n) <= 2, len(name) > 4 && edits(name, n[:min(len(n), len(name)+1)]) <= 2:
			near = append(near, f.Name)
		}
	}
	out := append(near, in...)
	return out[:min(len(out), 8)]
}

// edits is Levenshtein's distance of two short words.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
