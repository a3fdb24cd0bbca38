package format

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Tables with a header: comma-separated values as RFC 4180 has them, and the same
// with ';', tab or '|'. A quoted field may hold line ends, so records are cut by
// a framer of their own. Columns are named by the header and mapped to ECS like
// the names of JSON records.
var _ = register(Format{
	Name:      "csv",
	Title:     "CSV or TSV with a header",
	Group:     "general",
	Recognise: recogniseCSV,
	Frame:     frameCSV,
	Decode:    decodeCSV(newCSVDecoder),
})

const csvDelimiters = ",;\t|"

// maxQuoted is how far a quoted field may reach. A quote that is not closed
// within it is taken as text, so that one stray quote does not swallow a file.
const maxQuoted = 32 << 10

// csvCutter cuts a stream into records.
type csvCutter struct {
	delimiter byte

	// plain is for how many bytes to come records end at line ends, whatever
	// quotes they hold: as many as were searched in vain for a closing quote. It
	// keeps a source of stray quotes from being searched over and over.
	plain int
}

// next measures the record at the start of p, with its line end. 0 says that p
// ends before the record does; not so when final says that nothing follows.
func (c *csvCutter) next(p []byte, final bool) int {
	n, stray := 0, false
	if c.plain > 0 {
		n = lineEnd(p, 0, final)
	} else {
		n, stray = csvRecord(p, c.delimiter, final)
	}
	c.plain = max(0, c.plain-n)
	if stray && n > 0 {
		c.plain = max(0, maxQuoted-n)
	}
	return n
}

// csvRecord measures a record; stray says that a quote in it closes nowhere.
func csvRecord(p []byte, delimiter byte, final bool) (n int, stray bool) {
	line := lineEnd(p, 0, final)
	if line > 0 && bytes.IndexByte(p[:line], '"') < 0 {
		return line, false
	}
	for i := 0; i < len(p); {
		// A field begins at i.
		if p[i] == '"' {
			end := quotedEnd(event.View(p), i, delimiter)
			if end < 0 {
				if !final && len(p)-i < maxQuoted {
					return 0, false
				}
				return max(line, lineEnd(p, i, final)), true
			}
			i = end
		}
		for i < len(p) && p[i] != delimiter && p[i] != '\n' {
			i++
		}
		if i < len(p) && p[i] == '\n' {
			return i + 1, false
		}
		i++
	}
	if final {
		return len(p), false
	}
	return 0, false
}

// lineEnd is the index behind the first line end at or behind i.
func lineEnd(p []byte, i int, final bool) int {
	if j := bytes.IndexByte(p[i:], '\n'); j >= 0 {
		return i + j + 1
	}
	if final {
		return len(p)
	}
	return 0
}

// quotedEnd is the index behind the closing quote of the field at i, -1 where
// there is none in reach. A quote closes where a delimiter or the record's end
// follows; elsewhere it is text, as spreadsheets read it.
func quotedEnd(p string, i int, delimiter byte) int {
	limit := min(len(p), i+maxQuoted)
	for i++; i < limit; i++ {
		j := strings.IndexByte(p[i:limit], '"')
		if j < 0 {
			return -1
		}
		i += j
		if i+1 < len(p) && p[i+1] == '"' {
			i++
			continue
		}
		if i+1 == len(p) || p[i+1] == delimiter || p[i+1] == '\n' || p[i+1] == '\r' {
			return i + 1
		}
	}
	return -1
}

// splitCSV appends the fields of a record to dst, unquoted; what has quotes in
// it is made in b's arena.
func splitCSV(dst []string, record string, delimiter byte, b *event.Batch) []string {
	p := record
	quotes := true
	for {
		if quotes && p != "" && p[0] == '"' {
			end := quotedEnd(p, 0, delimiter)
			quotes = end > 0 // behind a stray quote they are text
			if quotes {
				v := p[1 : end-1]
				if strings.IndexByte(v, '"') >= 0 {
					v = b.Bytes([]byte(strings.ReplaceAll(v, `""`, `"`)))
				}
				dst = append(dst, v)
				if p = p[end:]; p == "" {
					return dst
				}
				if p[0] == delimiter {
					p = p[1:]
					continue
				}
			}
		}
		i := strings.IndexByte(p, delimiter)
		if i < 0 {
			return append(dst, p)
		}
		dst = append(dst, p[:i])
		p = p[i+1:]
	}
}

// frameCSV is the Frame of formats that are tables with a header.
func frameCSV(r io.Reader) Framer { return &csvFramer{lines: lineFramer{r: r}} }

// csvFramer cuts between records. Each chunk's Header holds the delimiter, the
// header record, the cutter's state and, where the chunk begins with it, a mark.
type csvFramer struct {
	lines  lineFramer                // the buffer and what reads into it
	choose func(lines []string) byte // the delimiter; nil for csvDelimiter
	header []string
	cutter csvCutter
}

// Next implements Framer.
func (f *csvFramer) Next() (*Chunk, error) {
	l := &f.lines
	first := false
	if f.header == nil {
		for l.err == nil && len(l.buf) < maxHead {
			l.fill()
		}
		if len(l.buf) == 0 {
			return nil, l.err
		}
		head := l.buf[:min(len(l.buf), maxHead)]
		if f.choose == nil {
			f.choose = csvDelimiter
		}
		f.cutter.delimiter = f.choose(NewSample("", head, false).Lines)
		n := csvHeaderEnd(head, f.cutter.delimiter)
		f.header, first = []string{string(f.cutter.delimiter), string(head[:n])}, true
	}
	header := append(f.header[:2:2], strconv.Itoa(f.cutter.plain))
	if first {
		header = append(header, "first")
	}
	end := 0
	for {
		switch {
		case l.err != nil:
			if len(l.buf) == 0 {
				return nil, l.err
			}
			return f.take(f.cut(end, true), header), nil
		case len(l.buf) >= chunkBytes:
			if end = f.cut(end, false); end >= chunkBytes/2 || end > 0 && len(l.buf) > MaxRecord {
				return f.take(end, header), nil
			}
			if len(l.buf) > MaxRecord {
				c, err := l.oversized()
				c.Header = header
				return c, err
			}
		}
		l.fill()
	}
}

// csvPreamble reports whether a line before the header says how the table was written:
// PowerShell's "#TYPE …", or the delimiter, as spreadsheets do: "sep=;".
func csvPreamble(line string) bool {
	line = strings.TrimPrefix(line, "\uFEFF")
	return strings.HasPrefix(line, "#TYPE ") || strings.HasPrefix(line, `"#TYPE `) || len(line) >= 5 && len(line) <= 6 && strings.HasPrefix(line, "sep=")
}

// csvHeaderEnd is the end of the header record at the start of a table.
func csvHeaderEnd(head []byte, delimiter byte) int {
	n, _ := csvRecord(head, delimiter, true)
	if csvPreamble(strings.TrimRight(event.View(head[:n]), "\r\n")) && n < len(head) {
		m, _ := csvRecord(head[n:], delimiter, true)
		n += m
	}
	return n
}

// cut is the end of the last whole record from the record end at i on, or of the
// first one that fills a chunk.
func (f *csvFramer) cut(i int, final bool) int {
	buf := f.lines.buf
	if !final && bytes.IndexByte(buf[i:], '"') < 0 {
		n := bytes.LastIndexByte(buf[i:], '\n') + 1
		f.cutter.plain = max(0, f.cutter.plain-n)
		return i + n
	}
	for i < len(buf) && i < chunkBytes {
		n := f.cutter.next(buf[i:], final)
		if n == 0 {
			break
		}
		i += n
	}
	return i
}

func (f *csvFramer) take(n int, header []string) *Chunk {
	c := f.lines.take(n)
	c.Header = header
	return c
}

// tableDecoder decodes the fields of one record; fields is its own to change.
type tableDecoder func(fields []string, b *event.Batch) error

// decodeCSV is the Decode of a format over tables; table makes its decoder for
// the columns that the header names.
func decodeCSV(table func(p *Params, columns []string) tableDecoder) func(*Params) Decoder {
	return func(p *Params) Decoder { return &csvChunks{p, table} }
}

type csvChunks struct {
	p     *Params
	table func(p *Params, columns []string) tableDecoder
}

// Decode implements Decoder.
func (d *csvChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	n.refuse(c)
	if len(c.Header) < 3 {
		n.Structure += int64(len(c.Data))
		return n
	}
	delimiter, header := c.Header[0][0], strings.TrimRight(c.Header[1], "\r\n")
	plain, _ := strconv.Atoi(c.Header[2])
	cutter := csvCutter{delimiter, plain}
	if first, rest, ok := strings.Cut(header, "\n"); ok && csvPreamble(first) {
		header = rest
	}
	decode := d.table(d.p, columnNames(header, delimiter))
	fallback := newTextDecoder(d.p)
	var fields []string
	data, offset := c.Data, c.Offset
	if len(c.Header) > 3 {
		size := min(len(c.Header[1]), len(data))
		n.Structure += int64(size)
		data, offset = data[size:], offset+int64(size)
	}
	for len(data) > 0 {
		size := cutter.next(data, true)
		record := trimEOL(data[:size])
		raw := event.View(record)
		if blank := strings.Trim(raw, " \t\r\n"); blank == "" || raw == header {
			n.Structure += int64(size) // a header again: files that were joined
		} else {
			e := b.Begin(offset, raw)
			fields = splitCSV(fields[:0], raw, delimiter, b)
			if err := decode(fields, b); err != nil {
				b.Rollback()
				fallback(raw, b)
				e = b.Event()
				e.Err = err.Error()
			}
			if d.p.Done != nil {
				d.p.Done(b)
			}
			n.Events += int64(len(record))
			n.Structure += int64(size - len(record))
		}
		data, offset = data[size:], offset+int64(size)
	}
	return n
}

const maxColumns = 1000

// columnNames are the names of the header's columns; one without a name is "column_N".
func columnNames(header string, delimiter byte) []string {
	var b event.Batch
	b.Begin(0, "")
	names := splitCSV(nil, strings.TrimPrefix(header, "\uFEFF"), delimiter, &b)
	names = names[:min(len(names), maxColumns)]
	for i := range names {
		if names[i] = strings.TrimSpace(names[i]); names[i] == "" || len(names[i]) > 128 {
			names[i] = "column_" + strconv.Itoa(i+1)
		}
	}
	return names
}

// csvDelimiter is the delimiter under which the lines have the most columns, the same
// number in each.
func csvDelimiter(lines []string) byte {
	if len(lines) > 1 && csvPreamble(lines[0]) {
		lines = lines[1:]
	}
	best, bestScore := byte(','), 0
	var b event.Batch
	b.Begin(0, "")
	for _, d := range []byte(csvDelimiters) {
		columns, same := csvShape(lines, d, &b)
		if score := same * min(columns, 50); columns > 1 && score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

// csvShape gives the number of columns of the first line and the percentage
// of lines that have as many.
func csvShape(lines []string, delimiter byte, b *event.Batch) (columns, same int) {
	var fields []string
	lines = lines[:min(len(lines), 64)]
	for i, l := range lines {
		fields = splitCSV(fields[:0], l, delimiter, b)
		if i == 0 {
			columns = len(fields)
		} else if len(fields) == columns {
			same++
		}
	}
	if len(lines) > 1 {
		same = 100 * same / (len(lines) - 1)
	}
	return columns, same
}

func recogniseCSV(s *Sample) int {
	columns, delimiter, same := csvHeader(s)
	switch {
	case columns == nil || same < 60:
		return 0
	case len(columns) == 2 && (same < 100 || delimiter == '|'):
		return 0
	case len(columns) == 2:
		return 15
	}
	known := 0
	for _, c := range columns {
		if tag := nameTag(c); tagAlias(tag) != noAlias || tagRank(tag) > 0 {
			known++
		}
	}
	return 35 + same/10 + min(known, 5)*3
}

// csvHeader returns the columns that a sample's first record names, nil if it
// is no header, and how many percent of the lines have as many.
func csvHeader(s *Sample) (columns []string, delimiter byte, same int) {
	if len(s.Lines) < 2 || !s.Text() {
		return nil, 0, 0
	}
	lines := s.Lines
	if csvPreamble(lines[0]) {
		lines = lines[1:]
	}
	delimiter = csvDelimiter(lines)
	var b event.Batch
	b.Begin(0, "")
	// Lines are no records where fields hold line ends; cut again.
	var records []string
	cutter := csvCutter{delimiter: delimiter}
	for head := s.Head; len(head) > 0 && len(records) < 64; {
		n := cutter.next(head, s.Whole)
		if n == 0 {
			break
		}
		if r := strings.TrimRight(string(head[:n]), "\r\n"); r != "" && !(len(records) == 0 && csvPreamble(r)) {
			records = append(records, r)
		}
		head = head[n:]
	}
	if len(records) < 2 {
		return nil, 0, 0
	}
	n, same := csvShape(records, delimiter, &b)
	if n < 2 {
		return nil, 0, 0
	}
	columns = splitCSV(nil, strings.TrimPrefix(records[0], "\uFEFF"), delimiter, &b)
	seen := map[string]bool{}
	for _, c := range columns {
		c = strings.TrimSpace(c)
		if !isColumnName(c) || seen[c] && c != "" {
			return nil, 0, 0
		}
		seen[c] = true
	}
	return columns, delimiter, same
}

// isColumnName reports whether a cell reads as the name of a column and not as
// a value: few words, with a letter and no time, address or bracket in it.
func isColumnName(s string) bool {
	if len(s) > 64 || strings.Count(s, " ") > 4 || strings.Contains(s, ": ") {
		return false
	}
	if s == "" {
		return true
	}
	letter := false
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c) || c >= 0x80:
			letter = true
		case isDigit(c) && i == 0, c == ':' && i > 0 && isDigit(s[i-1]): // a number, a time
			return false
		case c < ' ' || c == '=' || c == '"' || c == '{' || c == '}' || c == '<' || c == '>' || c == '\'' && i == 0 || c == '[' && i == 0:
			return false
		}
	}
	return letter && !isIP(s)
}

// newCSVDecoder decodes tables of any columns.
func newCSVDecoder(p *Params, columns []string) tableDecoder {
	named := namedRecord{p: p, prefix: "csv."}
	names := make([]event.Name, len(columns))
	for i, c := range columns {
		names[i] = event.Name{Path: c, Tag: nameTag(c)}
	}
	carried := carriedColumn(columns)
	table := cloudTableOf(columns)
	var cloud LineDecoder
	var row []byte
	if table != nil {
		cloud = table.format.Lines(p)
	}
	var router *jsonRouter
	var leaves []event.Leaf
	return func(fields []string, b *event.Batch) error {
		leaves = leaves[:0]
		if carried >= 0 && carried < len(fields) && fields[carried] != "" {
			if router == nil {
				router = newJSONRouter(p)
			}
			if router.inner(fields[carried], "", false, b) {
				for i, v := range fields[:min(len(fields), len(columns))] {
					if i != carried && v != "" {
						b.Add(b.Bytes([]byte("csv."+columns[i])), v)
					}
				}
				return nil
			}
			b.Rollback()
		}
		if cloud != nil {
			row = table.record(row[:0], fields)
			if cloud(b.Bytes(row), b) == nil {
				if table.blind {
					b.Set("event.outcome", "unknown")
				}
				return nil
			}
			b.Rollback()
		}
		for i, v := range fields {
			if i >= len(names) {
				if len(names) >= maxColumns {
					break
				}
				c := "column_" + strconv.Itoa(i+1) // more than the header names
				names = append(names, event.Name{Path: c})
			}
			if v != "" {
				leaves = append(leaves, event.Leaf{Name: &names[i], Value: v})
			}
		}
		b.Add("event.kind", "event")
		b.Add("event.dataset", "csv")
		named.add(leaves, b)
		return nil
	}
}

// carriedColumn is the column that holds a whole record of another log: what Purview exports of
// Microsoft 365's audit log, and Splunk's events; -1 for none.
func carriedColumn(columns []string) int {
	for i, c := range columns {
		if c == "AuditData" || c == "_raw" {
			return i
		}
	}
	return -1
}
