package format

import (
	"errors"
	"io"

	"github.com/sextant-logs/sextant/internal/event"
)

// recordFramer is the part that framers of binary records of many sizes share, which
// make the events of a chunk themselves: a buffer from which they take records in order,
// each as what it is. What is refused ends the chunk.
type recordFramer struct {
	r     io.Reader
	buf   []byte // of the chunk being made, and what was read beyond
	pos   int    // where the next record begins
	base  int64  // offset of buf
	err   error  // from r
	chunk Chunk
	cut   bool
}

// begin starts a chunk.
func (f *recordFramer) begin() {
	f.buf, f.base, f.pos = f.buf[f.pos:], f.base+int64(f.pos), 0
	f.chunk, f.cut = Chunk{Offset: f.base}, false
}

// full reports whether the chunk is to end, and empty whether nothing is in it.
func (f *recordFramer) full() bool  { return f.cut || f.pos >= chunkBytes }
func (f *recordFramer) empty() bool { return f.pos == 0 && !f.cut }

// take returns the chunk with its events.
func (f *recordFramer) take(events []event.Event) *Chunk {
	c := f.chunk
	size := f.pos
	for _, r := range c.Refused {
		size -= int(r.Length)
	}
	c.Data, c.Events = f.buf[:size:size], events
	return &c
}

// end is the error with which the source ended.
func (f *recordFramer) end() error {
	if f.err == nil || errors.Is(f.err, io.ErrUnexpectedEOF) {
		f.err = io.EOF
	}
	return f.err
}

// offset is where the next record begins in the source.
func (f *recordFramer) offset() int64 { return f.base + int64(f.pos) }

// need returns at least n bytes from the next record on, fewer at the end.
func (f *recordFramer) need(n int) []byte {
	for len(f.buf)-f.pos < n && f.err == nil {
		if cap(f.buf)-len(f.buf) < firstRead/2 {
			next := make([]byte, len(f.buf), len(f.buf)+max(firstRead, min(len(f.buf), max(n, chunkBytes))))
			copy(next, f.buf)
			f.buf = next
		}
		m := 0
		for try := 0; m == 0 && f.err == nil; try++ {
			if m, f.err = f.r.Read(f.buf[len(f.buf):cap(f.buf)]); try == 100 && m == 0 && f.err == nil {
				f.err = io.ErrNoProgress
			}
		}
		f.buf = f.buf[:len(f.buf)+m]
	}
	return f.buf[f.pos:]
}

// record passes over n bytes of which events are made.
func (f *recordFramer) record(n int) { f.pos += n }

// structure passes over n bytes that are no record.
func (f *recordFramer) structure(n int) {
	f.chunk.Structure += int64(n)
	f.pos += n
}

// refuse passes over n bytes that can be nothing. They end the chunk.
func (f *recordFramer) refuse(n int, reason string) {
	f.chunk.Refused = append(f.chunk.Refused, Refusal{Offset: f.offset(), Length: int64(n), Reason: reason})
	f.pos += n
	f.cut = true
}

// rest refuses what is left, a stretch at a time; false when there is nothing.
func (f *recordFramer) rest(reason string) bool {
	p := f.need(chunkBytes)
	if len(p) == 0 {
		return false
	}
	f.refuse(len(p), reason)
	return true
}
