package main

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// floor is what a folder must reach.
type floor struct {
	fields, right float64  // percent of fields that are equal, of records that have the right dataset
	datasets      []string // that are right; patterns
}

//go:embed floors.tsv
var floorsTable string

//go:embed ignored.tsv
var ignoredTable string

var floors = readFloors()

func rows(table string, columns int) (out [][]string) {
	for line := range strings.Lines(table) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != columns {
			panic("not " + strconv.Itoa(columns) + " columns: " + line)
		}
		out = append(out, cells)
	}
	return out
}

func readFloors() map[string]floor {
	out := map[string]floor{}
	for _, r := range rows(floorsTable, 4) {
		fields, err1 := strconv.ParseFloat(r[1], 64)
		right, err2 := strconv.ParseFloat(r[2], 64)
		if err1 != nil || err2 != nil {
			panic("floors.tsv: " + r[0])
		}
		f := floor{fields: fields, right: right, datasets: strings.Fields(r[3])}
		if len(f.datasets) == 0 {
			f.datasets = []string{r[0][strings.LastIndexByte(r[0], '/')+1:]}
		}
		out[r[0]] = f
	}
	return out
}

// printFloors prints the table with what was measured now where that is more, to the half percent.
func printFloors(w io.Writer, scores []*score) {
	for line := range strings.Lines(floorsTable) {
		if strings.HasPrefix(line, "#") {
			io.WriteString(w, line)
		}
	}
	for _, s := range scores {
		if s.class() == kindRest {
			continue
		}
		datasets := ""
		for _, r := range rows(floorsTable, 4) {
			if r[0] == s.name {
				datasets = r[3]
			}
		}
		half := func(p float64) float64 { return math.Floor(2*p) / 2 }
		fmt.Fprintf(w, "%s\t%g\t%g\t%s\n", s.name, max(s.floor.fields, half(s.equalPercent())), max(s.floor.right, half(s.rightPercent())), datasets)
	}
}

// rule is a field that is not compared.
type rule struct {
	folder, field, when string
	class               string
}

var ignored = func() (out []rule) {
	for _, r := range rows(ignoredTable, 5) {
		out = append(out, rule{r[1], r[2], r[3], r[0]})
	}
	return out
}()

// ignoredAs says why a field is not compared: "network", "bookkeeping" or "mistake"; "" when it is.
func ignoredAs(folder, field string, want map[string][]string) string {
	for i := range ignored {
		r := &ignored[i]
		if r.field != field && !(strings.HasSuffix(r.field, "*") && strings.HasPrefix(field, r.field[:len(r.field)-1])) {
			continue
		}
		if r.folder != "*" && !strings.Contains(folder, r.folder) {
			continue
		}
		if r.when != "" && !holds(r.when, want) {
			continue
		}
		return r.class
	}
	return ""
}

// holds reports whether a document has a value of a field: "event.code=23|24". Values are patterns.
func holds(when string, doc map[string][]string) bool {
	field, values, _ := strings.Cut(when, "=")
	return slices.ContainsFunc(doc[field], func(v string) bool {
		for p := range strings.SplitSeq(values, "|") {
			if ok, _ := filepath.Match(p, strings.ReplaceAll(v, "/", "-")); ok {
				return true
			}
		}
		return false
	})
}
