package format

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/sextant-logs/sextant/internal/event"
)

// Chunk is a stretch of a source that begins and ends between records.
type Chunk struct {
	Data    []byte    // nobody writes to it again: decoders may keep strings of it
	Offset  int64     // where Data begins in the source
	Header  []string  // header lines in force at its beginning
	Refused []Refusal // what the framer left out behind Data: it lies between this chunk and the next

	// Of formats whose events follow from many records (a flow from its packets), the framer makes
	// the events, for it alone sees all records in order. Theirs are the bytes of Data but for Structure.
	Events    []event.Event
	Structure int64
}

// A Framer cuts a source into chunks, in order. Next returns io.EOF after the
// last one; another error comes with the source's end too, and what could be
// read before it has been returned.
type Framer interface {
	Next() (*Chunk, error)
}

// chunkBytes is the usual size of a chunk: some thousand records, small enough
// that a few in flight stay in the cache.
const chunkBytes = 256 << 10

// firstRead is the size of a framer's first buffer: most logs are small.
const firstRead = 8 << 10

// NewFramer returns the format's framer over the stream of a source.
func (f *Format) NewFramer(r io.Reader) Framer {
	if f.Frame != nil {
		return f.Frame(r)
	}
	return &lineFramer{r: r, header: f.Header, joins: f.Joins, goes: f.Goes, blank: f.Blank}
}

// NewDecoder returns a decoder for one chunk of a source. Its events' fields are valid
// UTF-8 whatever the source is.
func (f *Format) NewDecoder(p *Params) Decoder {
	if f.UTF8 {
		return f.decoder(p)
	}
	q := *p
	d := &validText{done: p.Done}
	q.Done = d.complete
	d.Decoder = f.decoder(&q)
	return d
}

func (f *Format) decoder(p *Params) Decoder {
	if f.Decode != nil {
		return f.Decode(p)
	}
	return &lineChunks{f: f, p: p}
}

// validText makes UTF-8 of the fields of events that come from anything else: text in
// Latin-1 or Windows-1252, binary data. Their Raw stays as it is in the source.
type validText struct {
	Decoder
	stray bool // there are bytes in the chunk that are not UTF-8
	done  func(*event.Batch)
}

// Decode implements Decoder.
func (d *validText) Decode(c *Chunk, b *event.Batch) Bytes {
	d.stray = !event.ValidText(c.Data)
	return d.Decoder.Decode(c, b)
}

func (d *validText) complete(b *event.Batch) {
	if d.stray {
		b.TextFields()
	}
	if d.done != nil {
		d.done(b)
	}
}

// lineFramer cuts after line ends, but before no line that joins the record
// above it. Its buffer grows to one record of MaxRecord at most.
type lineFramer struct {
	r      io.Reader
	header func([]byte) bool
	joins  func([]byte) bool
	goes   func(before, line string) bool
	blank  bool // a blank line may be followed by one that joins
	most   int  // bytes of a record; 0: MaxRecord

	buf     []byte // read, not yet returned
	offset  int64  // of buf in the source
	headers []string
	err     error // from r
}

const maxHeaderLines = 64

func (f *lineFramer) Next() (*Chunk, error) {
	for {
		end := f.boundary()
		if end < 0 && f.err == nil && len(f.buf) > cmp.Or(f.most, MaxRecord) {
			return f.oversized()
		}
		if end < 0 && f.err != nil {
			end = len(f.buf)
		}
		if end > 0 {
			return f.take(end), nil
		}
		if f.err != nil {
			return nil, f.err
		}
		f.fill()
	}
}

// boundary is the end of the last whole record in a full buffer, -1 if more
// must be read.
func (f *lineFramer) boundary() int {
	if f.err != nil {
		if len(f.buf) == 0 {
			return -1
		}
		return len(f.buf)
	}
	if len(f.buf) < chunkBytes {
		return -1
	}
	end := bytes.LastIndexByte(f.buf, '\n') + 1
	if f.joins == nil && f.goes == nil || end == 0 {
		if end == 0 {
			return -1
		}
		return end
	}
	return f.lastRecord(f.buf[:end])
}

// lastRecord is where the last record of whole lines begins, -1 if that is the first one. The line behind
// may not be here yet: a record is known to end only where another begins, or at a blank line that none can follow.
func (f *lineFramer) lastRecord(lines []byte) int {
	for end := len(lines); end > 0; {
		start := bytes.LastIndexByte(lines[:end-1], '\n') + 1
		if start == 0 {
			break
		}
		line := trimEOL(lines[start:end])
		if f.goes != nil {
			before := bytes.LastIndexByte(lines[:start-1], '\n') + 1
			if !f.goes(event.View(trimEOL(lines[before:start])), event.View(line)) {
				return start
			}
		} else if len(line) == 0 && !f.blank || len(line) > 0 && !f.joins(line) {
			return start
		}
		end = start
	}
	return -1
}

// take returns the first n bytes of the buffer as a chunk.
func (f *lineFramer) take(n int) *Chunk {
	data := f.buf[:n:n]
	c := &Chunk{Data: data, Offset: f.offset, Header: f.headers}
	f.offset += int64(n)
	rest := f.buf[n:]
	if f.buf = nil; len(rest) > 0 || f.err == nil {
		f.buf = make([]byte, len(rest), max(chunkBytes+chunkBytes/4, len(rest)))
		copy(f.buf, rest)
	}
	if f.header != nil {
		f.remember(data)
	}
	return c
}

// remember keeps the header lines of a chunk for the chunks behind it. Lines
// that follow a record start a new header.
func (f *lineFramer) remember(data []byte) {
	var hs []string
	inHeader, found := false, false
	for len(data) > 0 {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		line = trimEOL(line)
		if f.header(line) {
			if !inHeader {
				hs, inHeader = nil, true
			}
			if len(hs) < maxHeaderLines {
				hs = append(hs, string(line))
			}
			found = true
		} else if len(line) > 0 {
			inHeader = false
		}
	}
	if found {
		f.headers = hs
	}
}

// oversized returns the first MaxRecord bytes of a record that is longer, and
// skips the rest of its line.
func (f *lineFramer) oversized() (*Chunk, error) {
	most := cmp.Or(f.most, MaxRecord)
	if nl := bytes.IndexByte(f.buf, '\n'); nl >= 0 && nl <= most {
		// Short lines that all join the first: the record is cut at a line end.
		end := bytes.LastIndexByte(f.buf[:most], '\n') + 1
		return f.take(end), nil
	}
	c := f.take(most)
	var skipped int64
	for {
		if i := bytes.IndexByte(f.buf, '\n'); i >= 0 {
			skipped += int64(i)
			f.offset += int64(i)
			f.buf = append(f.buf[:0], f.buf[i:]...)
			break
		}
		skipped += int64(len(f.buf))
		f.offset += int64(len(f.buf))
		f.buf = f.buf[:0]
		if f.err != nil {
			break
		}
		f.fill()
	}
	c.Refused = []Refusal{{Offset: c.Offset + int64(most), Length: skipped, Reason: fmt.Sprintf("record longer than %d KiB: the rest was cut off", most>>10)}}
	return c, nil
}

// stretch returns the first MaxRecord bytes of a record that has no end.
func (f *lineFramer) stretch() (*Chunk, error) { return f.take(MaxRecord), nil }

// cutFramer cuts a full buffer where cut says that no record goes on, 0 for
// nowhere; a buffer over MaxRecord without such a place is for oversized.
type cutFramer struct {
	lines     lineFramer
	cut       func([]byte) int
	oversized func(*lineFramer) (*Chunk, error)
}

// Next implements Framer.
func (f *cutFramer) Next() (*Chunk, error) {
	l := &f.lines
	for {
		switch {
		case l.err != nil && len(l.buf) == 0:
			return nil, l.err
		case l.err != nil:
			return l.take(len(l.buf)), nil
		case len(l.buf) >= chunkBytes:
			if end := f.cut(l.buf); end > 0 {
				return l.take(end), nil
			}
			if len(l.buf) > MaxRecord {
				return f.oversized(l)
			}
		}
		l.fill()
	}
}

// fill reads once more into the buffer.
func (f *lineFramer) fill() {
	if cap(f.buf)-len(f.buf) < min(chunkBytes/8, max(1, cap(f.buf)/2)) {
		next := make([]byte, len(f.buf), max(firstRead, min(4*cap(f.buf), cap(f.buf)+chunkBytes)))
		copy(next, f.buf)
		f.buf = next
	}
	for range 100 {
		n, err := f.r.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		if err != nil {
			f.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	f.err = io.ErrNoProgress
}

func trimEOL(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// BlockFramer frames a binary format of a file header and blocks of one size:
// each chunk holds whole blocks, but for the last one of a cut-off file. The
// header comes with the first chunk.
type BlockFramer struct {
	R      io.Reader
	Header int // bytes before the first block
	Block  int
	offset int64
	err    error
}

// Next implements Framer.
func (f *BlockFramer) Next() (*Chunk, error) {
	if f.err != nil {
		return nil, f.err
	}
	size := max(1, chunkBytes/f.Block) * f.Block
	if f.offset == 0 {
		size += f.Header
	}
	data := make([]byte, size)
	n, err := io.ReadFull(f.R, data)
	if err != nil {
		f.err = err
		if errors.Is(err, io.ErrUnexpectedEOF) {
			f.err = io.EOF
		}
	}
	if n == 0 {
		return nil, f.err
	}
	c := &Chunk{Data: data[:n:n], Offset: f.offset}
	f.offset += int64(n)
	return c, nil
}

// ended ends the event that b began for a record. What its decoder refused with an
// error becomes plain text, by text, or by a decoder of its own if that is nil.
func (p *Params) ended(raw string, err error, text func(string, *event.Batch), b *event.Batch) {
	if err != nil {
		if text == nil {
			text = newTextDecoder(p)
		}
		b.Rollback()
		text(raw, b)
		b.Event().Err = err.Error()
	}
	if p.Done != nil {
		p.Done(b)
	}
}

// refuse books what of the chunk became no event.
func (n *Bytes) refuse(c *Chunk) {
	for _, r := range c.Refused {
		n.Refused += r.Length
	}
	n.Refusals = c.Refused
}

// decodeCut decodes a chunk of records of many lines: next measures the first of what is
// left, decode reads it without the blank space around it. What decode refuses becomes plain text.
func (p *Params) decodeCut(c *Chunk, b *event.Batch, next func([]byte) int, decode func(record string) error) Bytes {
	var n Bytes
	for data, offset := c.Data, c.Offset; len(data) > 0; {
		size := next(data)
		text := bytes.TrimRight(data[:size], " \t\r\n")
		start := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
		if text = text[start:]; len(text) > 0 {
			raw := event.View(text)
			b.Begin(offset+int64(start), raw)
			p.ended(raw, decode(raw), nil, b)
		}
		n.Events += int64(len(text))
		n.Structure += int64(size - len(text))
		data, offset = data[size:], offset+int64(size)
	}
	n.refuse(c)
	return n
}
