package export

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
)

const (
	spoolMemory = 8 << 20 // text kept in memory before there is a file
	maxColumns  = 1000    // columns beyond which the rarest become one
)

// restColumn holds the fields of a row that have no column of their own, as a
// JSON object of texts.
const restColumn = "sextant.rest"

// spool keeps rows until all of them are known. A row is the number of its
// values, then for each its column's number, its length and its bytes; numbers
// are uvarints.
type spool struct {
	columns columns
	filled  []int64 // rows that have a value, by column
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
	for len(s.filled) < len(s.columns.names) {
		s.filled = append(s.filled, 0)
	}
	for i, n := range cols {
		if row[i].Value != "" {
			s.filled[n]++
		}
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

// layout returns the columns to write: those asked for, or all, of which the
// rarest beyond maxColumns are left to restColumn.
func (s *spool) layout(asked []string) []string {
	if asked != nil {
		return asked
	}
	order := s.columns.order()
	if len(order) > maxColumns {
		often := slices.Clone(order)
		slices.SortStableFunc(often, func(a, b int) int { return cmp.Compare(s.filled[b], s.filled[a]) })
		keep := make([]bool, len(order))
		for _, n := range often[:maxColumns-1] {
			keep[n] = true
		}
		order = slices.DeleteFunc(order, func(n int) bool { return !keep[n] })
	}
	names := make([]string, len(order))
	for i, n := range order {
		names[i] = s.columns.names[n]
	}
	if len(names) < len(s.columns.names) {
		names = append(names, restColumn)
	}
	return names
}

// read calls fn with the cells of each row under the columns of a layout, in
// the order they were written. They are valid during the call.
func (s *spool) read(layout []string, fn func(cells []string) error) error {
	place := make([]int, len(s.columns.names)) // of a column's cell, -1 for none
	for n, name := range s.columns.names {
		place[n] = slices.Index(layout, name)
	}
	rest := slices.Index(layout, restColumn)
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
	cells := make([]string, len(layout))
	type cut struct{ column, from, to int }
	var cuts []cut
	var text, object []byte
	for range s.rows {
		clear(cells)
		text, object, cuts = text[:0], object[:0], cuts[:0]
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		// The text may move while it grows, so the values are cut from it at the end.
		for range n {
			column, err1 := binary.ReadUvarint(r)
			length, err2 := binary.ReadUvarint(r)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			from := len(text)
			text = slices.Grow(text, int(length))[:from+int(length)]
			if _, err := io.ReadFull(r, text[from:]); err != nil {
				return err
			}
			cuts = append(cuts, cut{int(column), from, len(text)})
		}
		for _, c := range cuts {
			value := event.View(text[c.from:c.to])
			if at := place[c.column]; at >= 0 {
				cells[at] = value
			} else if rest >= 0 && value != "" {
				object = append(object, ',')
				object = append(event.AppendQuoted(object, s.columns.names[c.column]), ':')
				object = event.AppendQuoted(object, value)
			}
		}
		if len(object) > 0 {
			object[0] = '{'
			object = append(object, '}')
			cells[rest] = event.View(object)
		}
		if err := fn(cells); err != nil {
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
