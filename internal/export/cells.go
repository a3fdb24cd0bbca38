package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// Cell is a value of a row that Sextant itself has worked out, with its name.
type Cell struct {
	Name  string
	Value any    // string, int64, int, float64 or bool; nil: of no use to a program
	Text  string // how a person reads it; "": Value as it is, "-": not shown to people
	Whole bool   // of no use to a person when it is cut
}

// WriteCells writes rows that all have the same cells in the same order: "table"
// for people, in lines of width columns (0 for no bound), "jsonl" or "csv" for
// programs, with all digits.
func WriteCells(w io.Writer, format string, rows [][]Cell, width int) error {
	b := bufio.NewWriter(w)
	switch format {
	case "jsonl":
		var line []byte
		for _, row := range rows {
			line = append(line[:0], '{')
			for _, c := range row {
				if c.Value == nil {
					continue
				}
				if len(line) > 1 {
					line = append(line, ',')
				}
				line = append(event.AppendQuoted(line, c.Name), ':')
				line = c.appendJSON(line)
			}
			b.Write(append(line, "}\n"...))
		}
	case "csv":
		var line []byte
		for i, row := range rows {
			if i == 0 {
				line = appendLine(line[:0], row, func(c Cell) string { return c.Name })
				b.Write(line)
			}
			line = appendLine(line[:0], row, Cell.plain)
			b.Write(line)
		}
	case "table":
		writeTable(b, rows, width)
	default:
		return fmt.Errorf("unknown output format %q: it is one of table, jsonl, csv", format)
	}
	return b.Flush()
}

func appendLine(dst []byte, row []Cell, text func(Cell) string) []byte {
	first := true
	for _, c := range row {
		if c.Value == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendCell(dst, text(c))
	}
	return append(dst, '\n')
}

func (c Cell) appendJSON(dst []byte) []byte {
	switch v := c.Value.(type) {
	case string:
		return event.AppendQuoted(dst, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...)
		}
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = event.AppendQuoted(dst, s)
		}
		return append(dst, ']')
	}
	data, err := json.Marshal(c.Value)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, data...)
}

// plain is the value for CSV.
func (c Cell) plain() string {
	switch v := c.Value.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, " ")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(c.Value)
}

// read is the value for people.
func (c Cell) read() string {
	if c.Text != "" {
		return Terminal(c.Text)
	}
	switch v := c.Value.(type) {
	case nil:
		return ""
	case string:
		return Terminal(v)
	case int64:
		return prose.Number(v)
	case int:
		return prose.Number(int64(v))
	case float64:
		return Figure(v)
	case []string:
		return Terminal(strings.Join(v, ", "))
	}
	return fmt.Sprint(c.Value)
}

func (c Cell) numeric() bool {
	switch c.Value.(type) {
	case int64, int, float64:
		return true
	}
	return false
}

// Figure writes a number with about three significant digits.
func Figure(v float64) string {
	switch m := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	case v == math.Trunc(v) && m < 1e15, m >= 1000 && m < 1e15:
		return prose.Number(int64(math.Round(v)))
	case m >= 1e15 || m < 0.001:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case m >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case m >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case m >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// writeTable aligns columns; where they do not fit, the widest text gives way.
func writeTable(b *bufio.Writer, rows [][]Cell, width int) {
	if len(rows) == 0 {
		return
	}
	var shown []int
	for i, c := range rows[0] {
		if c.Text != "-" {
			shown = append(shown, i)
		}
	}
	text := make([][]string, len(rows)+1)
	widths := make([]int, len(shown))
	right, whole := make([]bool, len(shown)), make([]bool, len(shown))
	for n, i := range shown {
		name := Terminal(rows[0][i].Name)
		text[0] = append(text[0], name)
		widths[n], right[n] = cells(name), rows[0][i].numeric()
		whole[n] = rows[0][i].Whole
	}
	for r, row := range rows {
		for n, i := range shown {
			s := row[i].read()
			text[r+1] = append(text[r+1], s)
			widths[n] = max(widths[n], cells(s))
		}
	}
	total := func() int {
		t := 2 * (len(widths) - 1)
		for _, w := range widths {
			t += w
		}
		return t
	}
	// The first column says what a row is about: it gives way last.
	for floor := width / 2; width > 0 && total() > width; {
		widest := -1
		for n := range widths {
			least := minWidth
			if n == 0 {
				least = max(floor, minWidth)
			}
			if !right[n] && !whole[n] && widths[n] > least && (widest < 0 || widths[n] > widths[widest]) {
				widest = n
			}
		}
		switch {
		case widest >= 0:
			widths[widest]--
		case floor > minWidth:
			floor = minWidth
		default:
			width = 0 // rather wide than wrong
		}
	}
	for _, row := range text {
		line := ""
		for n, s := range row {
			s = shorten(s, widths[n])
			pad := strings.Repeat(" ", max(0, widths[n]-cells(s)))
			if n > 0 {
				line += "  "
			}
			if right[n] {
				line += pad + s
			} else {
				line += s + pad
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
