package export

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sextant-logs/sextant/internal/event"
)

// spoolMemory is how much text a spool keeps in memory before it makes a file.
const spoolMemory = 8 << 20

// spool keeps rows until all of them are known. A row is the number of its
// values, then for each its column's number, its length and its bytes; numbers
// are uvarints.
type spool struct {
	columns columns
	rows    int64
	dir     string
	buf     bytes.Buffer
	file    *os.File
	out     *bufio.Writer
	num     []byte
}

func newSpool(dir string) *spool { return &spool{dir: dir} }

func (s *spool) write(row []event.Field) error {
	var w io.Writer = &s.buf
	if s.out != nil {
		w = s.out
	} else if s.buf.Len() > spoolMemory {
		f, err := os.CreateTemp(s.dir, "sextant-export-*")
		if err != nil {
			return fmt.Errorf("keep rows until all columns are known: %w", err)
		}
		s.file, s.out = f, bufio.NewWriterSize(f, 256<<10)
		// Nobody else needs the name; where the system keeps it, close removes it.
		_ = os.Remove(f.Name())
		if _, err := s.out.Write(s.buf.Bytes()); err != nil {
			return err
		}
		s.buf = bytes.Buffer{}
		w = s.out
	}
	s.rows++
	cols := s.columns.add(row)
	s.num = binary.AppendUvarint(s.num[:0], uint64(len(row)))
	if _, err := w.Write(s.num); err != nil {
		return err
	}
	for i, n := range cols {
		s.num = binary.AppendUvarint(s.num[:0], uint64(n))
		s.num = binary.AppendUvarint(s.num, uint64(len(row[i].Value)))
		if _, err := w.Write(s.num); err != nil {
			return err
		}
		if _, err := io.WriteString(w, row[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// read calls fn with the values of each row, by column number, as they were
// written. They are valid during the call.
func (s *spool) read(fn func(values []string) error) error {
	r := bufio.NewReaderSize(bytes.NewReader(s.buf.Bytes()), 64<<10)
	if s.file != nil {
		if err := s.out.Flush(); err != nil {
			return err
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		r = bufio.NewReaderSize(s.file, 256<<10)
	}
	values := make([]string, len(s.columns.names))
	var text []byte
	for range s.rows {
		clear(values)
		text = text[:0]
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		// The text may move while it grows, so the values are cut from it at the end.
		type cut struct{ column, from, to int }
		cuts := make([]cut, 0, 64)
		for range n {
			column, err1 := binary.ReadUvarint(r)
			length, err2 := binary.ReadUvarint(r)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			from := len(text)
			text = append(text, make([]byte, length)...)
			if _, err := io.ReadFull(r, text[from:]); err != nil {
				return err
			}
			cuts = append(cuts, cut{int(column), from, len(text)})
		}
		for _, c := range cuts {
			values[c.column] = event.View(text[c.from:c.to])
		}
		if err := fn(values); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
