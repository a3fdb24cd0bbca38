package format

import (
	"bytes"
	"cmp"

	"github.com/sextant-logs/sextant/internal/event"
)

// lineChunks decodes the chunks of a line format: it splits them into records,
// leaves out headers, and gives what the format does not understand to the
// decoder of plain text.
type lineChunks struct {
	f *Format
	p *Params
}

// Decode implements Decoder.
func (d *lineChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	p := *d.p
	p.header = c.Header
	decode := d.f.Lines(&p)
	fallback := newTextDecoder(&p)
	data := c.Data
	offset := c.Offset
	inHeader := false
	for len(data) > 0 {
		size, end := d.f.Record(data)
		line := data[:end]
		data = data[size:]
		switch {
		case isBlank(line):
			n.Structure += int64(size)
		case d.f.Header != nil && d.f.Header(line):
			n.Structure += int64(size)
			if !inHeader {
				p.header, inHeader = nil, true
			}
			if len(p.header) < maxHeaderLines {
				p.header = append(p.header, event.View(line))
			}
		default:
			if inHeader {
				inHeader = false
				decode = d.f.Lines(&p)
			}
			raw := event.View(line)
			e := b.Begin(offset, raw)
			if err := decode(raw, b); err != nil {
				b.Rollback()
				fallback(raw, b)
				e = b.Event()
				e.Err = err.Error()
			}
			if size == end {
				b.Add("log.flags", event.Unterminated)
			}
			if p.Done != nil {
				p.Done(b)
			}
			n.Events += int64(end)
			n.Structure += int64(size - end)
		}
		offset += int64(size)
	}
	n.refuse(c)
	return n
}

func isBlank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// JoinsLines reports whether a record of the format may have many lines.
func (f *Format) JoinsLines() bool { return f.Joins != nil || f.Goes != nil }

// Settled is how many bytes of whole lines, of a format that joins them, are records which no further
// line can go on with; 0 where even the first one may go on.
func (f *Format) Settled(lines []byte) int {
	r := lineFramer{joins: f.Joins, goes: f.Goes, blank: f.Blank}
	return max(0, r.lastRecord(lines))
}

// Record measures the first record of data, which begins with neither a blank line nor a header: its size with
// the line end and without.
func (f *Format) Record(data []byte) (size, end int) {
	size, end = line(data)
	if !f.JoinsLines() {
		return size, end
	}
	last := 0 // where the line before begins
	most := cmp.Or(f.Joined, MaxRecord)
	for next := size; next < len(data) && next < most; {
		s, e := line(data[next:])
		if e == 0 && f.Blank {
			next += s
			continue
		}
		if e == 0 || next+e > most {
			break
		}
		if text := data[next : next+e]; f.Goes != nil {
			if !f.Goes(event.View(data[last:end]), event.View(text)) {
				break
			}
		} else if !f.Joins(text) {
			break
		}
		last, end, size = next, next+e, next+s
		next = size
	}
	return size, end
}

// line measures the first line of data: with its line end and without.
func line(data []byte) (size, end int) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		return len(data), len(data)
	}
	end = i
	if end > 0 && data[end-1] == '\r' {
		end--
	}
	return i + 1, end
}
