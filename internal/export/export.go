// Package export writes the rows of a query for people and other programs:
// as a table, JSON lines, CSV or Parquet.
//
//	w, err := export.New(os.Stdout, "csv", export.Options{})
//	err = store.Query(ctx, logsql, w.Write)
//	err = w.Close()
//
// What a log says is hostile: the table neutralises control characters with
// [Terminal], CSV escapes what a spreadsheet would take for a formula, and
// text that is not UTF-8 is made so everywhere.
package export

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Formats are the names that New knows.
var Formats = []string{"table", "jsonl", "csv", "parquet"}

// Options shape the output.
type Options struct {
	Columns []string // the columns to write, in this order; none: those the rows have
	Width   int      // table: characters of a line, 0 for no bound
	Nested  bool     // jsonl: nested documents with ECS names and types; else flat names, all text
	// Tags gives what a record is marked with, by its event.id: Timesketch gets
	// it as "tag", others as the column sextant.tags; nil for no tags.
	Tags    func(id string) []string
	TempDir string // csv, parquet: where rows wait until all columns are known, os.TempDir()
}

// Writer writes rows in one format.
type Writer interface {
	// Write must write the row or keep a copy of it.
	Write(row []event.Field) error

	// Close must write what is left and remove what was kept. It does not
	// close the underlying writer.
	Close() error

	// Discard must remove what was kept and write no more: for a query that
	// failed or was ended.
	Discard() error
}

// New returns a Writer of one of Formats, or "timesketch", on w. Without Options.Columns, CSV
// and Parquet keep the rows in memory, and beyond some MiB in a temporary
// file, until Close: only then are all columns known. Of more than 1,000
// columns, the rarest become one, sextant.rest, a JSON object.
func New(w io.Writer, format string, options Options) (Writer, error) {
	if tags := options.Tags; tags != nil && format != "timesketch" {
		options.Tags = nil
		inner, err := New(w, format, options)
		return Tagged(inner, tags), err
	}
	switch format {
	case "timesketch":
		return newTimesketch(w, options), nil
	case "table":
		return newTable(w, options), nil
	case "jsonl":
		return newJSONL(w, options), nil
	case "csv":
		return newCSV(w, options), nil
	case "parquet":
		return newParquet(w, options), nil
	}
	return nil, fmt.Errorf("unknown output format %q: it is one of %s", format, strings.Join(Formats, ", "))
}

// Tagged adds the column sextant.tags to the rows before w gets them; tags may be nil.
func Tagged(w Writer, tags func(id string) []string) Writer {
	if tags == nil {
		return w
	}
	return &tagged{Writer: w, tags: tags}
}

// columns finds the columns of rows that come one by one. Where each row has
// them in the store's order, _time and _msg first and then by name, so have
// all together; else the query said an order, and new ones go to the end.
type columns struct {
	names []string
	index map[string]int
	said  bool
	last  []int // columns of the row seen last, which the next one mostly has too
}

// add returns the numbers of the row's columns, valid until the next call.
func (c *columns) add(row []event.Field) []int {
	if c.index == nil {
		c.index = map[string]int{}
	}
	before := c.last
	c.last = c.last[:0]
	for i := range row {
		name := row[i].Name
		if i > 0 && !c.said && compareColumns(row[i-1].Name, name) >= 0 {
			c.said = true
		}
		if i < len(before) && c.names[before[i]] == name {
			c.last = append(c.last, before[i])
			continue
		}
		n, ok := c.index[name]
		if !ok {
			n = len(c.names)
			name = strings.Clone(name)
			c.names = append(c.names, name)
			c.index[name] = n
		}
		c.last = append(c.last, n)
	}
	return c.last
}

// order returns the columns' numbers as they are to be written.
func (c *columns) order() []int {
	out := make([]int, len(c.names))
	for i := range out {
		out[i] = i
	}
	if !c.said {
		slices.SortFunc(out, func(a, b int) int { return compareColumns(c.names[a], c.names[b]) })
	}
	return out
}

func compareColumns(a, b string) int {
	rank := func(name string) int {
		switch name {
		case "_time":
			return 0
		case "_msg":
			return 1
		}
		return 2
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	return strings.Compare(a, b)
}
