package export

import (
	"bufio"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// csv writes comma-separated values with a header (RFC 4180, with line feeds).
// Control characters other than tab and line ends are shown as \x1b; a value
// that a spreadsheet would take for a formula gets a ' in front (OWASP, "CSV
// Injection"), numbers stay.
type csv struct {
	w     *bufio.Writer
	cols  []string
	spool *spool // nil when the columns are known from the start
	cells []string
	line  []byte
}

func newCSV(w io.Writer, options Options) *csv {
	c := &csv{w: bufio.NewWriterSize(w, 64<<10), cols: options.Columns}
	if c.cols == nil {
		c.spool = newSpool(options.TempDir)
	} else {
		c.put(c.cols)
	}
	return c
}

func (c *csv) Write(row []event.Field) error {
	if c.spool != nil {
		return c.spool.write(row)
	}
	c.cells = append(c.cells[:0], make([]string, len(c.cols))...)
	for i, name := range c.cols {
		for j := range row {
			if row[j].Name == name {
				c.cells[i] = row[j].Value
			}
		}
	}
	return c.put(c.cells)
}

func (c *csv) Close() error {
	if c.spool == nil {
		return c.w.Flush()
	}
	defer c.spool.close()
	layout := c.spool.layout(nil)
	if len(layout) == 0 {
		return c.w.Flush() // no rows
	}
	if err := c.put(layout); err != nil {
		return err
	}
	if err := c.spool.read(layout, c.put); err != nil {
		return err
	}
	return c.w.Flush()
}

func (c *csv) Discard() error {
	if c.spool != nil {
		c.spool.close()
	}
	return c.w.Flush()
}

func (c *csv) put(cells []string) error {
	c.line = c.line[:0]
	for i, cell := range cells {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		c.line = appendCell(c.line, cell)
	}
	if len(cells) == 1 && cells[0] == "" {
		c.line = append(c.line, `""`...) // an empty line would be no record
	}
	c.line = append(c.line, '\n')
	_, err := c.w.Write(c.line)
	return err
}

func appendCell(dst []byte, s string) []byte {
	s = clean(s)
	formula := s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 && !isNumber(s)
	if !formula && !strings.ContainsAny(s, ",\"\r\n") && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	if formula {
		dst = append(dst, '\'')
	}
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// clean returns s as UTF-8 whose only control characters are tab and line ends.
func clean(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' || c >= 0x7f {
			return slowClean(s)
		}
	}
	return s
}

func slowClean(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || 0x7f <= r && r < 0xa0 {
			b.Write(appendTerminal(nil, string(r)))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
