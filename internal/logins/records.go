package logins

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"github.com/sextant-logs/sextant/internal/prose"
)

// block is a run of whole records, or instead a refusal of bytes that are none.
type block struct {
	seq     int
	data    []byte
	refusal string
	lines   int64 // taken by the refusal
}

// blockReader cuts a stream into blocks at the ends of records.
type blockReader struct {
	r     io.Reader
	size  int // of a block, and the longest a record may be
	comma byte
	bytes int64
	buf   []byte // read and not yet handed on
	eof   bool
	err   error
	pool  bufferPool
}

// bufferPool hands buffers back and forth without boxing them.
type bufferPool struct {
	free chan []byte
	size int
}

func (p *bufferPool) Get() []byte {
	select {
	case b := <-p.free:
		return b[:0]
	default:
		return make([]byte, 0, p.size)
	}
}

func (p *bufferPool) Put(b []byte) {
	if cap(b) < p.size {
		return
	}
	select {
	case p.free <- b:
	default:
	}
}

// fill reads until the buffer holds n bytes, never more, or the input ends: so
// what is too long does not depend on how the input comes in.
func (in *blockReader) fill(n int) {
	for empty := 0; len(in.buf) < n && !in.eof; {
		in.buf = slices.Grow(in.buf, n-len(in.buf))
		k, err := in.r.Read(in.buf[len(in.buf):n])
		in.buf = in.buf[:len(in.buf)+k]
		in.bytes += int64(k)
		if err != nil {
			in.eof = true
			if err != io.EOF {
				in.err = err
			}
		}
		if empty++; k > 0 {
			empty = 0
		} else if empty > 100 {
			in.eof, in.err = true, io.ErrNoProgress
		}
	}
}

// header takes the first record that is not blank, without byte order mark.
func (in *blockReader) header() (header string, lines int64, err error) {
	in.pool = bufferPool{make(chan []byte, 64), in.size}
	in.fill(4)
	in.buf = bytes.TrimPrefix(in.buf, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(in.buf, []byte("\xff\xfe")) || bytes.HasPrefix(in.buf, []byte("\xfe\xff")) {
		return "", 0, errors.New("is UTF-16 text; convert it to UTF-8 first")
	}
	in.fill(in.size)
	for {
		end := bytes.IndexByte(in.buf, '\n') + 1
		if end == 0 {
			if !in.eof {
				return "", 0, fmt.Errorf("no line end in the first %d bytes: not a CSV file", len(in.buf))
			}
			end = len(in.buf)
		}
		if end == 0 {
			if in.err != nil {
				return "", 0, in.err
			}
			return "", 0, errors.New("is empty; the first line must name the columns")
		}
		lines++
		header = strings.TrimRight(string(in.buf[:end]), "\r\n")
		in.buf = in.buf[end:]
		if strings.TrimSpace(header) != "" {
			return header, lines, nil
		}
	}
}

// blocks sends the rest of the input, cut at ends of records.
func (in *blockReader) blocks(out chan<- block) error {
	seq := 0
	send := func(b block) {
		b.seq = seq
		seq++
		out <- b
	}
	for {
		in.fill(in.size)
		if len(in.buf) == 0 {
			return in.err
		}
		cut := in.cut()
		if cut > 0 {
			// The rest moves to a fresh buffer; the block goes to a worker.
			data := in.buf[:cut]
			in.buf = append(in.pool.Get(), in.buf[cut:]...)
			send(block{data: data})
			continue
		}
		// The first record is longer than a record may be.
		lines := int64(0)
		for {
			if i := bytes.IndexByte(in.buf, '\n'); i >= 0 {
				in.buf = in.buf[i+1:]
				lines = 1
				break
			}
			in.buf = in.buf[:0]
			if in.eof {
				break
			}
			in.fill(in.size)
		}
		send(block{refusal: fmt.Sprintf("line longer than %s bytes", prose.Number(int64(in.size))), lines: lines})
	}
}

// cut returns the length of the whole records at the start of the buffer; 0
// means that its first line is too long.
func (in *blockReader) cut() int {
	if in.eof {
		return len(in.buf)
	}
	if bytes.IndexByte(in.buf, '"') < 0 {
		return bytes.LastIndexByte(in.buf, '\n') + 1
	}
	s := unsafe.String(&in.buf[0], len(in.buf))
	at := 0
	for at < len(s) {
		end, whole := recordEnd(s[at:], in.comma, in.size, in.eof)
		if !whole {
			break
		}
		at += end
	}
	return at
}

// recordEnd returns where the record at the start of s ends, its line end
// included. A record with a mistake in its quoting ends with its first line.
// It is not whole when s ends before the record and more may follow, or when
// even its first line exceeds size.
func recordEnd(s string, comma byte, size int, eof bool) (end int, whole bool) {
	view := s[:min(len(s), size)]
	line := strings.IndexByte(view, '\n') + 1
	more := len(view) < size && !eof // what is not in view yet may decide
	newline := line - 1              // the next one at or after i, kept so that each byte is searched once
	for i := 0; ; {
		if i < len(view) && view[i] == '"' {
			for i++; ; i++ {
				q := strings.IndexByte(view[i:], '"')
				if q < 0 {
					if more {
						return 0, false
					}
					return firstLine(s, line, size, eof)
				}
				i += q + 1
				if i == len(view) && more {
					return 0, false // a second quote may follow
				}
				if i >= len(view) || view[i] != '"' {
					break
				}
			}
			rest := strings.TrimPrefix(view[i:], "\r")
			switch {
			case rest == "" && more:
				return 0, false
			case rest == "" && eof:
				return len(view), true
			case rest != "" && rest[0] == '\n':
				return len(view) - len(rest) + 1, true
			case view[i:] != "" && view[i] == comma:
				i++
				continue
			}
			return firstLine(s, line, size, eof)
		}
		if newline >= 0 && newline < i {
			if newline = strings.IndexByte(view[i:], '\n'); newline >= 0 {
				newline += i
			}
		}
		field := view[i:]
		if newline >= 0 {
			field = view[i:newline]
		}
		next := strings.IndexByte(field, comma)
		switch {
		case next >= 0:
			i += next + 1
		case newline >= 0:
			return newline + 1, true
		case more:
			return 0, false
		case eof && len(s) == len(view):
			return len(s), true
		default:
			return firstLine(s, line, size, eof)
		}
	}
}

func firstLine(s string, line, size int, eof bool) (end int, whole bool) {
	switch {
	case line > 0:
		return line, true
	case eof && len(s) <= size:
		return len(s), true // it is the last
	}
	return 0, false
}

// splitRecord splits a record without its line end; quoted fields with quotes
// inside are unquoted into scratch, and stay valid until it is used again.
func splitRecord(s string, comma byte, fields []string, scratch []byte) ([]string, []byte, string) {
	// Unquoting never makes text longer: with room for all of it the buffer
	// does not move under the strings cut from it.
	scratch = slices.Grow(scratch[:0], len(s))
	for {
		if s == "" || s[0] != '"' {
			i := strings.IndexByte(s, comma)
			if i < 0 {
				return append(fields, s), scratch, ""
			}
			fields, s = append(fields, s[:i]), s[i+1:]
			continue
		}
		s = s[1:]
		begin := len(scratch)
		field, doubled := "", false
		for {
			q := strings.IndexByte(s, '"')
			if q < 0 {
				return fields, scratch, "quoted field is not closed"
			}
			if q+1 < len(s) && s[q+1] == '"' {
				scratch = append(scratch, s[:q+1]...)
				s = s[q+2:]
				doubled = true
				continue
			}
			field, s = s[:q], s[q+1:]
			break
		}
		if doubled {
			scratch = append(scratch, field...)
			b := scratch[begin:]
			field = unsafe.String(unsafe.SliceData(b), len(b))
		}
		fields = append(fields, field)
		switch {
		case s == "":
			return fields, scratch, ""
		case s[0] != comma:
			return fields, scratch, "text after the closing quote of a field"
		}
		s = s[1:]
	}
}
