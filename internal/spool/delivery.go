package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Delivery is what a collector hands over at once and is told about as a
// whole: the datagrams read together, the lines of a connection's buffer, a
// batch that a sender wants acknowledged.
type Delivery struct {
	Collector string   // where it arrived, as a URL without secrets: "syslog+tcp://127.0.0.1:6514"
	Peer      string   // address of the sender, "" if there is none
	Path      string   // log.file.path: the file a line was read from; "" for what came by network
	Format    string   // name of the records' format; "" to recognise it
	Header    []string // lines that govern the records ("#Fields: …")
	Received  int64    // ns since the epoch
	Records   []Record

	// Request identifies the delivery as the sender would repeat it. A repeated
	// one is only left out while it is not known whether the sender learnt that
	// the first arrived: after a restart, or until Settle. Zero: none.
	Request Key

	// Mark is where the collector stands once this is taken, under a name of its
	// own; Spool.Mark gives it back after a restart.
	Mark Mark
}

// Size is a bound on the bytes of the delivery on disk, and about what they take in memory.
func (d *Delivery) Size() int {
	n := 128 + len(d.Collector) + len(d.Peer) + len(d.Path) + len(d.Format) + len(d.Mark.Name) + len(d.Mark.Value)
	for _, h := range d.Header {
		n += len(h) + 10
	}
	for i := range d.Records {
		n += len(d.Records[i].Data) + 50
		for _, f := range d.Records[i].Fields {
			n += len(f.Name) + len(f.Value) + 20
		}
	}
	return n
}

// Record is one log record as it came.
type Record struct {
	Data []byte

	// What came with the record and is not in it: a time, for records that say none
	// (ns since the epoch; 0: none), and fields by their ECS names.
	Time   int64
	Fields []Field

	// Key identifies the record itself wherever and however often it is sent
	// (agent, file and offset; a document's _id): further records with it are
	// left out. Zero: none.
	Key Key
}

// Field is an ECS field that a record's envelope had.
type Field struct{ Name, Value string }

// Mark is a position of a collector.
type Mark struct {
	Name  string
	Value string // "" with a Name: the mark is gone
}

// Key is a hash of what makes a record or request the same one.
type Key [16]byte

// KeyOf hashes the parts, of which none runs into the next.
func KeyOf(parts ...[]byte) Key {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	var k Key
	copy(k[:], h.Sum(nil))
	return k
}

// A delivery on disk is its strings, each behind its length as a uvarint, and
// its numbers, in the order of the fields.

func appendDelivery(dst []byte, d *Delivery) []byte {
	dst = appendText(dst, d.Collector)
	dst = appendText(dst, d.Peer)
	dst = appendText(dst, d.Path)
	dst = appendText(dst, d.Format)
	dst = binary.AppendUvarint(dst, uint64(len(d.Header)))
	for _, h := range d.Header {
		dst = appendText(dst, h)
	}
	dst = binary.AppendVarint(dst, d.Received)
	dst = append(dst, d.Request[:]...)
	dst = appendText(dst, d.Mark.Name)
	dst = appendText(dst, d.Mark.Value)
	dst = binary.AppendUvarint(dst, uint64(len(d.Records)))
	for i := range d.Records {
		r := &d.Records[i]
		if r.Key == (Key{}) {
			dst = append(dst, 0)
		} else {
			dst = append(append(dst, 1), r.Key[:]...)
		}
		dst = binary.AppendVarint(dst, r.Time)
		dst = binary.AppendUvarint(dst, uint64(len(r.Fields)))
		for _, f := range r.Fields {
			dst = appendText(appendText(dst, f.Name), f.Value)
		}
		dst = binary.AppendUvarint(dst, uint64(len(r.Data)))
		dst = append(dst, r.Data...)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errDelivery = errors.New("a delivery is damaged")

// parseDelivery reads what appendDelivery wrote. offsets are where each
// record's data begins in body. Records point into body.
func parseDelivery(body []byte) (d *Delivery, offsets []int64, err error) {
	r := reading{rest: body, all: len(body)}
	d = &Delivery{Collector: r.text(), Peer: r.text(), Path: r.text(), Format: r.text()}
	for range r.count() {
		d.Header = append(d.Header, r.text())
	}
	d.Received = r.varint()
	copy(d.Request[:], r.take(len(d.Request)))
	d.Mark = Mark{r.text(), r.text()}
	n := r.count()
	d.Records = make([]Record, 0, n)
	offsets = make([]int64, 0, n)
	for range n {
		var rec Record
		if flag := r.take(1); len(flag) == 1 && flag[0] == 1 {
			copy(rec.Key[:], r.take(len(rec.Key)))
		}
		rec.Time = r.varint()
		for range r.count() {
			rec.Fields = append(rec.Fields, Field{r.text(), r.text()})
		}
		size := r.uvarint()
		offsets = append(offsets, int64(r.all-len(r.rest)))
		rec.Data = r.take(int(min(size, uint64(len(r.rest)+1))))
		d.Records = append(d.Records, rec)
		if r.bad {
			break
		}
	}
	if r.bad || len(r.rest) > 0 {
		return nil, nil, errDelivery
	}
	return d, offsets, nil
}

// reading cuts values off rest; bad is set when there are none.
type reading struct {
	rest []byte
	all  int
	bad  bool
}

func (r *reading) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

func (r *reading) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reading) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads a number of things of at least one byte each.
func (r *reading) count() int {
	v := r.uvarint()
	if v > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(v)
}

func (r *reading) text() string {
	v := r.uvarint()
	return string(r.take(int(min(v, uint64(len(r.rest)+1)))))
}
