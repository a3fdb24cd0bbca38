package format_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/format"
)

// The corpus holds the same records as Zeek's ASCII writer and its JSON writer write them.
func TestZeekTablesAndJSONGiveTheSameFields(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus(t), "zeek/brimdata_tsv_json_pairs/*.log.gz"))
	if len(files) == 0 {
		t.Skip("not in this corpus")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			load := func(file, name string) []map[string]any {
				f, err := os.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				gz, err := gzip.NewReader(f)
				if err != nil {
					t.Fatal(err)
				}
				data, err := io.ReadAll(io.LimitReader(gz, 64<<10))
				if err != nil {
					t.Fatal(err)
				}
				data = data[:bytes.LastIndexByte(data, '\n')+1]
				if got, _ := format.Recognise(format.NewSample("", data, true)); got == nil || got.Name != name {
					t.Errorf("%s is recognised as %v", filepath.Base(file), got)
				}
				return decodeFile(t, format.Lookup(name), data)
			}
			table := load(file, "zeek")
			records := load(strings.TrimSuffix(file, ".log.gz")+".json.gz", "zeek.json")
			n := min(len(table), len(records))
			if n == 0 {
				t.Fatal("no events")
			}
			failed := 0
			for i := range n {
				a, b := flatten(table[i]), flatten(records[i])
				for _, m := range []map[string][]string{a, b} {
					delete(m, "event.original")
					delete(m, "message")
					delete(m, "log.offset")
				}
				for name, v := range a {
					if !slices.EqualFunc(v, b[name], sameNumber) && failed < 5 {
						failed++
						t.Errorf("record %d: %s is %q in the table and %q in JSON", i, name, v, b[name])
					}
				}
				for name, v := range b {
					if a[name] == nil && failed < 5 {
						failed++
						t.Errorf("record %d: %s is only in JSON: %q", i, name, v)
					}
				}
			}
		})
	}
}

// sameNumber: the ASCII writer rounds to microseconds.
func sameNumber(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return a == b || err1 == nil && err2 == nil && math.Abs(x-y) < 1e-6*max(1, math.Abs(x))
}
