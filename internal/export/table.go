package export

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

const (
	tableRows  = 1000    // rows that decide on columns and widths
	tableBytes = 4 << 20 // of their text at most
	minWidth   = 8       // cells that a cut column keeps
	maxWidth   = 120     // cells of a column where the line has no bound, but for the last
)

// telling are the columns of whole records that a person wants to see first
// when not all of them fit.
var telling = []string{"_time", "host.name", "event.dataset", "event.action", "event.outcome", "user.name", "source.ip", "_msg"}

// table writes rows in columns that are aligned. The first rows decide which
// columns there are and how wide; later rows are cut to that.
type table struct {
	w       *bufio.Writer
	options Options
	columns columns
	rows    [][]string // cells by column number, of rows waiting
	bytes   int
	begun   bool
	shown   []int // columns by number, in order
	widths  []int
	right   []bool // all of the first rows' values are numbers
	hidden  map[string]bool
	line    []byte
}

func newTable(w io.Writer, options Options) *table {
	t := &table{w: bufio.NewWriterSize(w, 64<<10), options: options, hidden: map[string]bool{}}
	for _, name := range options.Columns {
		t.columns.add([]event.Field{{Name: name}})
		t.columns.said = true
	}
	return t
}

func (t *table) Write(row []event.Field) error {
	at := t.columns.add(row)
	cells := make([]string, len(t.columns.names))
	for i, n := range at {
		cells[n] = Terminal(row[i].Value)
		if t.begun {
			if row[i].Value != "" && !slices.Contains(t.shown, n) {
				t.hidden[t.columns.names[n]] = true
			}
			continue
		}
		cells[n] = strings.Clone(cells[n])
		t.bytes += len(cells[n])
	}
	if t.begun {
		return t.put(cells)
	}
	t.rows = append(t.rows, cells)
	if len(t.rows) >= tableRows || t.bytes >= tableBytes {
		return t.begin()
	}
	return nil
}

// begin writes the header and the rows waiting.
func (t *table) begin() error {
	t.begun = true
	if t.options.Columns != nil {
		for _, name := range t.options.Columns {
			t.shown = append(t.shown, t.columns.index[name])
		}
	} else {
		t.shown = t.columns.order()
	}
	t.fit()
	header := make([]string, len(t.columns.names))
	for i, name := range t.columns.names {
		header[i] = Terminal(name)
	}
	if len(t.shown) > 0 {
		if err := t.put(header); err != nil {
			return err
		}
	}
	for _, cells := range t.rows {
		if err := t.put(cells); err != nil {
			return err
		}
	}
	t.rows = nil
	return t.w.Flush() // a person is waiting
}

// fit decides on the columns' widths and, where a line is bounded, which of
// them are shown.
func (t *table) fit() {
	natural := make([]int, len(t.columns.names))
	right := make([]bool, len(t.columns.names))
	for i, name := range t.columns.names {
		natural[i], right[i] = cells(Terminal(name)), true
	}
	for _, row := range t.rows {
		for i, cell := range row {
			natural[i] = max(natural[i], cells(cell))
			right[i] = right[i] && (cell == "" || isNumber(cell))
		}
	}
	total := func() int {
		n := 2 * (len(t.shown) - 1)
		for _, c := range t.shown {
			n += natural[c]
		}
		return n
	}
	bound := t.options.Width
	if bound > 0 && total() > bound && t.options.Columns == nil && !t.columns.said {
		// Whole records: a few columns that tell most.
		var some []int
		for _, name := range telling {
			if c, ok := t.columns.index[name]; ok {
				some = append(some, c)
			}
		}
		if len(some) > 1 {
			t.hide(some)
		}
	}
	if bound <= 0 {
		for _, c := range t.shown[:max(0, len(t.shown)-1)] { // the last one needs no width
			natural[c] = min(natural[c], maxWidth)
		}
	}
	// The widest gives way first.
	for bound > 0 && total() > bound {
		widest := t.shown[0]
		for _, c := range t.shown {
			if natural[c] > natural[widest] {
				widest = c
			}
		}
		if natural[widest] > minWidth {
			natural[widest] = max(minWidth, natural[widest]-(total()-bound), second(natural, t.shown, widest))
			continue
		}
		if len(t.shown) == 1 {
			break
		}
		t.hide(t.shown[:len(t.shown)-1])
	}
	t.widths, t.right = natural, right
}

// second is the width of the widest column but one, less one, so that several
// wide columns give way together.
func second(natural []int, shown []int, widest int) int {
	n := 0
	for _, c := range shown {
		if c != widest {
			n = max(n, natural[c]-1)
		}
	}
	return min(n, natural[widest]-1)
}

// hide shows only the columns of some.
func (t *table) hide(some []int) {
	for _, c := range t.shown {
		if !slices.Contains(some, c) {
			t.hidden[t.columns.names[c]] = true
		}
	}
	t.shown = slices.Clone(some)
}

func (t *table) put(row []string) error {
	t.line = t.line[:0]
	for i, c := range t.shown {
		if i > 0 {
			t.line = append(t.line, "  "...)
		}
		cell := ""
		if c < len(row) {
			cell = shorten(row[c], t.widths[c])
		}
		pad := t.widths[c] - cells(cell)
		if t.right[c] {
			t.line = append(append(t.line, strings.Repeat(" ", max(pad, 0))...), cell...)
			continue
		}
		t.line = append(t.line, cell...)
		if i < len(t.shown)-1 {
			t.line = append(t.line, strings.Repeat(" ", max(pad, 0))...)
		}
	}
	t.line = append([]byte(strings.TrimRight(string(t.line), " ")), '\n')
	_, err := t.w.Write(t.line)
	return err
}

func (t *table) Discard() error { return t.w.Flush() }

func (t *table) Close() error {
	if !t.begun {
		if err := t.begin(); err != nil {
			return err
		}
	}
	if n := len(t.hidden); n > 0 && t.options.Columns == nil {
		what := "columns are"
		if n == 1 {
			what = "column is"
		}
		fmt.Fprintf(t.w, "(%d more %s not shown: name them with | fields …, or use -o jsonl)\n", n, what)
	}
	return t.w.Flush()
}

// isNumber reports whether s is a plain decimal number as JSON has it, without
// an exponent.
func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, dot := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 1 && whole[0] == '0' || dot && fraction == "" {
		return false
	}
	return strings.Trim(whole, "0123456789") == "" && strings.Trim(fraction, "0123456789") == ""
}
