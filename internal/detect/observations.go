package detect

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// observations holds what correlation rules need of the matches they refer
// to, and gives it back in event-time order: sources come one after another,
// time does not. Beyond a bound, sorted runs go to temporary files.
type observations struct {
	buf   []byte        // encoded, one after another
	index []observation // of buf
	body  []byte        // of the record being added
	runs  []*os.File
	count int64
}

// observation is where a record lies in buf. It holds no pointer, so that the garbage
// collector has nothing to look at however many there are.
type observation struct {
	time int64
	off  int32
}

// A record is uvarint-prefixed: rule, source, silent, id, then pairs of field
// name and value.
type decoded struct {
	time   int64
	rule   int
	source int
	silent bool
	id     string
	fields []string // name, value, name, value, …
}

// What is held before it goes to a file, and how many files there are before they
// are made one.
const (
	maxObservationBytes = 32 << 20
	maxObservationRuns  = 64
)

// add keeps one match.
func (o *observations) add(d decoded) error {
	off := len(o.buf)
	o.body = appendBody(o.body[:0], d)
	o.buf = append(binary.AppendUvarint(o.buf, uint64(len(o.body))), o.body...)
	o.index = append(o.index, observation{d.time, int32(off)})
	o.count++
	if len(o.buf)+len(o.index)*16 > maxObservationBytes {
		return o.spill()
	}
	return nil
}

func appendBody(dst []byte, d decoded) []byte {
	dst = binary.AppendVarint(dst, d.time)
	dst = binary.AppendUvarint(dst, uint64(d.rule))
	dst = binary.AppendUvarint(dst, uint64(d.source))
	silent := byte(0)
	if d.silent {
		silent = 1
	}
	dst = append(dst, silent)
	dst = appendString(dst, d.id)
	for _, f := range d.fields {
		dst = appendString(dst, f)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

var errRecord = errors.New("temporary file of matches is damaged")

// parseRecord reads a record; its fields are appended to fields.
func parseRecord(body []byte, fields []string) (d decoded, err error) {
	var n int
	if d.time, n = binary.Varint(body); n <= 0 {
		return d, errRecord
	}
	body = body[n:]
	for _, p := range []*int{&d.rule, &d.source} {
		v, n := binary.Uvarint(body)
		if n <= 0 {
			return d, errRecord
		}
		*p, body = int(v), body[n:]
	}
	if len(body) == 0 {
		return d, errRecord
	}
	d.silent, body = body[0] == 1, body[1:]
	text := string(body)
	next := func() (string, bool) {
		v, n := binary.Uvarint(body)
		if n <= 0 || uint64(len(body)-n) < v {
			return "", false
		}
		start := len(text) - len(body) + n
		body = body[n+int(v):]
		return text[start : start+int(v)], true
	}
	var ok bool
	if d.id, ok = next(); !ok {
		return d, errRecord
	}
	d.fields = fields
	for len(body) > 0 {
		s, ok := next()
		if !ok {
			return d, errRecord
		}
		d.fields = append(d.fields, s)
	}
	return d, nil
}

// sort puts what is held in order of time, then event id.
func (o *observations) sort() {
	slices.SortFunc(o.index, func(a, b observation) int {
		if c := cmp.Compare(a.time, b.time); c != 0 {
			return c
		}
		return cmp.Or(bytes.Compare(o.id(a), o.id(b)), cmp.Compare(a.off, b.off))
	})
}

// id is the event id of a record that is held.
func (o *observations) id(of observation) []byte {
	b := o.buf[of.off:]
	skip := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	for range 4 { // length, time, rule, source
		skip()
	}
	b = b[1:] // silent
	return b[:skip()]
}

// spill sorts what is held and writes it to a temporary file.
func (o *observations) spill() error {
	o.sort()
	err := o.write(func(w *bufio.Writer) error {
		for _, i := range o.index {
			n, k := binary.Uvarint(o.buf[i.off:])
			if _, err := w.Write(o.buf[int(i.off) : int(i.off)+k+int(n)]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	o.buf, o.index = o.buf[:0], o.index[:0]
	if len(o.runs) <= maxObservationRuns {
		return nil
	}
	old := o.runs
	o.runs = nil
	err = o.write(func(w *bufio.Writer) error {
		return merge(old, nil, func(r *run) error {
			if _, err := w.Write(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(r.body)))); err != nil {
				return err
			}
			_, err := w.Write(r.body)
			return err
		})
	})
	for _, f := range old {
		f.Close()
		os.Remove(f.Name())
	}
	return err
}

// write adds a temporary file.
func (o *observations) write(fill func(*bufio.Writer) error) error {
	f, err := os.CreateTemp("", "sextant-matches-*")
	if err != nil {
		return fmt.Errorf("too many rule matches for memory, and no temporary file for them: %w", err)
	}
	o.runs = append(o.runs, f)
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fill(w); err != nil {
		return err
	}
	return w.Flush()
}

// each calls fn with every observation in order of time, then event id. It may
// be called again, with more observations. The slice of fields is valid during the call.
func (o *observations) each(fn func(decoded) error) error {
	o.sort()
	return merge(o.runs, &run{buf: o.buf, index: o.index}, func(r *run) error { return fn(r.head) })
}

// merge calls fn with the records of sorted files, and of what is in memory if
// there is any, each the head of its run, in order.
func merge(files []*os.File, memory *run, fn func(*run) error) error {
	var h runHeap
	for i, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		h = append(h, &run{r: bufio.NewReaderSize(f, 256<<10), number: i})
	}
	if memory != nil {
		memory.number = len(files)
		h = append(h, memory)
	}
	for _, r := range h {
		if err := r.next(); err != nil {
			return err
		}
	}
	h = slices.DeleteFunc(h, func(r *run) bool { return r.done })
	heap.Init(&h)
	for len(h) > 0 {
		r := h[0]
		if err := fn(r); err != nil {
			return err
		}
		if err := r.next(); err != nil {
			return err
		}
		if r.done {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// close removes the temporary files.
func (o *observations) close() {
	for _, f := range o.runs {
		f.Close()
		os.Remove(f.Name())
	}
	o.runs, o.buf, o.index, o.body = nil, nil, nil, nil
}

// run is one sorted temporary file being read, or, last, what is in memory.
type run struct {
	r      *bufio.Reader // nil: buf in the order of index
	buf    []byte
	index  []observation
	number int
	head   decoded
	body   []byte
	done   bool
}

func (r *run) next() (err error) {
	if r.r == nil {
		if r.done = len(r.index) == 0; r.done {
			return nil
		}
		off := int(r.index[0].off)
		r.index = r.index[1:]
		n, k := binary.Uvarint(r.buf[off:])
		r.head, err = parseRecord(r.buf[off+k:off+k+int(n)], r.head.fields[:0])
		return err
	}
	n, err := binary.ReadUvarint(r.r)
	if err == io.EOF {
		r.done = true
		return nil
	}
	if err != nil {
		return err
	}
	if n > maxObservationBytes {
		return errRecord
	}
	r.body = append(r.body[:0], make([]byte, n)...)
	if _, err := io.ReadFull(r.r, r.body); err != nil {
		return err
	}
	r.head, err = parseRecord(r.body, r.head.fields[:0])
	return err
}

type runHeap []*run

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].head.time, h[j].head.time), cmp.Compare(h[i].head.id, h[j].head.id), cmp.Compare(h[i].number, h[j].number)) < 0
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
