package evtx

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// ChunkDecoder decodes chunks one at a time. The zero value is ready. It keeps
// compiled templates between calls; use one per goroutine.
type ChunkDecoder struct {
	// Recover also delivers records carved from unused and damaged space.
	Recover bool
	// Diagnose, if not nil, is told what is wrong with the chunk.
	Diagnose func(Diagnostic)

	w      walker
	rec    Record
	chunk  []byte
	offset int64
	fn     func(*Record) error
	seen   []seenRecord // delivered from this chunk, when recovering
}

// seenRecord is enough to know a record that lies in a chunk twice.
type seenRecord struct {
	id      uint64
	written Filetime
}

const (
	chunkHead  = 512 // header, string and template tables
	recordHead = 24  // signature, size, id, time written
	recordTail = 4   // size again
)

var (
	chunkSignature  = []byte("ElfChnk\x00")
	recordSignature = []byte("**\x00\x00")
)

// Decode calls fn for every record of one chunk, in order. chunk is normally
// ChunkSize bytes (a shorter one is a truncated file: what is there is read) and
// must not change until Decode returns; offset is where it lies in the file, for
// Record.Offset and diagnostics. Decode returns only the error fn returned;
// everything wrong with the chunk is a diagnostic. A chunk of zeros, which Windows
// allocates in advance, gives nothing.
func (d *ChunkDecoder) Decode(chunk []byte, offset int64, fn func(*Record) error) error {
	// Offsets are 32 bits wide, and nothing in a chunk is this far away.
	chunk = chunk[:min(len(chunk), ChunkSize)]
	d.chunk, d.offset, d.fn = chunk, offset, fn
	d.seen = d.seen[:0]
	d.w.reset(chunk)
	defer func() {
		d.chunk, d.fn, d.w.chunk = nil, nil, nil
		d.w.turn++
	}()

	if !bytes.HasPrefix(chunk, chunkSignature) {
		if IsErased(chunk) || len(chunk) == 0 {
			return nil
		}
		detail := "no chunk where one should be"
		if !d.Recover && bytes.Contains(chunk, recordSignature) {
			detail += "; it may hold records, try recovering"
		}
		d.report(Diagnostic{Code: ChunkHeader, Lost: int64(len(chunk)), Detail: detail})
		if !d.Recover {
			return nil
		}
		return d.carve(0)
	}
	if len(chunk) < chunkHead {
		d.report(Diagnostic{Code: ChunkHeader, Lost: int64(len(chunk)), Detail: "file ends inside the chunk's header"})
		return nil
	}
	end, sure := d.header()
	pos, err := d.records(chunkHead, end, sure)
	if err != nil {
		return err
	}
	if d.Recover {
		return d.carve(pos)
	}
	return nil
}

// header checks the chunk's header and returns where its records end, and whether
// that can be relied on.
func (d *ChunkDecoder) header() (end int, sure bool) {
	chunk := d.chunk
	free := le.Uint32(chunk[48:])
	sure = true
	sum := crc32.Update(crc32.ChecksumIEEE(chunk[:120]), crc32.IEEETable, chunk[128:chunkHead])
	if sum != le.Uint32(chunk[124:]) {
		sure = false
		d.report(Diagnostic{Code: ChunkChecksum, Detail: fmt.Sprintf("chunk header has checksum %08x, says %08x", sum, le.Uint32(chunk[124:]))})
	}
	if free < chunkHead || free > ChunkSize {
		d.report(Diagnostic{Code: ChunkHeader, Detail: fmt.Sprintf("records of the chunk end at impossible offset %d", free)})
		return len(chunk), false
	}
	if int(free) > len(chunk) {
		d.report(Diagnostic{Code: ChunkHeader, Lost: int64(free) - int64(len(chunk)), Detail: fmt.Sprintf("chunk has records up to byte %d, but the file ends at %d", free, len(chunk))})
		return len(chunk), sure
	}
	if sum := crc32.ChecksumIEEE(chunk[chunkHead:free]); sum != le.Uint32(chunk[52:]) {
		d.report(Diagnostic{Code: RecordsChecksum, Detail: fmt.Sprintf("records of the chunk have checksum %08x, header says %08x", sum, le.Uint32(chunk[52:]))})
	}
	return int(free), sure
}

// records delivers the records from pos to end. Where the end is not sure it goes
// on as long as records follow each other. It returns where it stopped.
func (d *ChunkDecoder) records(pos, end int, sure bool) (int, error) {
	last := uint64(0)
	for {
		limit := end
		if !sure {
			limit = len(d.chunk)
		}
		if pos >= limit {
			return pos, nil
		}
		size := d.frame(pos, limit)
		if size > 0 && pos >= end && last != 0 && le.Uint64(d.chunk[pos+8:]) != last+1 {
			return pos, nil // a record of the chunk's former life
		}
		if size > 0 {
			last = le.Uint64(d.chunk[pos+8:])
			if err := d.deliver(pos, size, false); err != nil {
				return pos, err
			}
			pos += size
			continue
		}
		if pos >= end {
			return pos, nil
		}
		next := pos + 1
		for next < end && d.frame(next, limit) == 0 {
			if i := bytes.Index(d.chunk[next+1:end], recordSignature); i >= 0 {
				next += 1 + i
			} else {
				next = end
			}
		}
		if lost := d.chunk[pos:next]; len(bytes.TrimLeft(lost, "\x00")) > 0 || next < end {
			g := Diagnostic{Code: RecordDamaged, Offset: d.offset + int64(pos), Lost: int64(next - pos), Detail: "no sound record here"}
			if bytes.HasPrefix(lost, recordSignature) && len(lost) >= recordHead {
				g.RecordID = le.Uint64(lost[8:])
				g.Detail = fmt.Sprintf("record of %d bytes does not end as it must", le.Uint32(lost[4:]))
			}
			d.report(g)
			if d.Recover {
				if err := d.carveRange(pos, next); err != nil {
					return pos, err
				}
			}
		}
		pos = next
	}
}

// frame returns the size of the record at pos, 0 if there is no sound one before limit.
func (d *ChunkDecoder) frame(pos, limit int) int {
	b := d.chunk[pos:limit]
	if len(b) < recordHead+recordTail || !bytes.HasPrefix(b, recordSignature) {
		return 0
	}
	size := le.Uint32(b[4:])
	if size < recordHead+recordTail || uint64(size) > uint64(len(b)) {
		return 0
	}
	if le.Uint32(b[size-recordTail:]) != size {
		// The copy of the size is damaged, but the next record confirms the first.
		if next := b[size:]; len(next) < recordHead || !bytes.HasPrefix(next, recordSignature) ||
			le.Uint64(next[8:]) != le.Uint64(b[8:])+1 {
			return 0
		}
	}
	return int(size)
}

// deliver decodes the record at pos and hands it on.
func (d *ChunkDecoder) deliver(pos, size int, recovered bool) error {
	b := d.chunk[pos:]
	rec := &d.rec
	*rec = Record{
		ID:        le.Uint64(b[8:]),
		Written:   Filetime(le.Uint64(b[16:])),
		Offset:    d.offset + int64(pos),
		Size:      size,
		Recovered: recovered,
		Data:      rec.Data[:0],
		Extra:     rec.Extra[:0],
	}
	w := &d.w
	w.salvage = recovered
	first, err := w.record(uint32(pos+recordHead), uint32(pos+size-recordTail))
	if e := w.fields(rec, first); err == nil {
		err = e
	}
	if first < 0 && err == nil {
		err = errShort
	}
	w.turn++
	rec.src = source{w, first, w.turn}
	if err != nil {
		w.orphans(first)
		rec.Err = fmt.Errorf("record %d: %w", rec.ID, err)
		d.report(Diagnostic{Code: RecordContent, Offset: rec.Offset, RecordID: rec.ID, Detail: err.Error()})
	}
	if recovered {
		d.report(Diagnostic{Code: RecordRecovered, Offset: rec.Offset, RecordID: rec.ID, Detail: fmt.Sprintf("record of %d bytes recovered", size)})
	}
	if d.Recover {
		d.seen = append(d.seen, seenRecord{rec.ID, rec.Written})
	}
	return d.fn(rec)
}

// carve delivers what looks like records from pos to the end of the chunk.
func (d *ChunkDecoder) carve(pos int) error { return d.carveRange(pos, len(d.chunk)) }

func (d *ChunkDecoder) carveRange(pos, end int) error {
	for pos < end {
		i := bytes.Index(d.chunk[pos:end], recordSignature)
		if i < 0 {
			return nil
		}
		pos += i
		size := d.carveable(pos, end)
		if size == 0 {
			pos++
			continue
		}
		rec := seenRecord{le.Uint64(d.chunk[pos+8:]), Filetime(le.Uint64(d.chunk[pos+16:]))}
		seen := false
		for _, s := range d.seen {
			seen = seen || s == rec
		}
		if !seen {
			if err := d.deliver(pos, size, true); err != nil {
				return err
			}
		}
		if d.frame(pos, len(d.chunk)) == size {
			pos += size
		} else {
			pos += recordHead // its end may be overwritten by another
		}
	}
	return nil
}

// carveable returns the size of what may be a record at pos, its end perhaps
// overwritten or cut off; 0 if there is none.
func (d *ChunkDecoder) carveable(pos, end int) int {
	if size := d.frame(pos, end); size > 0 {
		return size
	}
	b := d.chunk[pos:end]
	if len(b) < recordHead+8+recordTail || !bytes.Equal(b[recordHead:recordHead+4], []byte{tokFragment, 1, 1, 0}) {
		return 0
	}
	if tok := b[recordHead+4]; tok != tokTemplate && tok&^tokMore != tokElement {
		return 0
	}
	size := le.Uint32(b[4:])
	if size < recordHead+8+recordTail || size > ChunkSize {
		return 0
	}
	return min(int(size), len(b))
}

func (d *ChunkDecoder) report(g Diagnostic) {
	if d.Diagnose == nil {
		return
	}
	if g.Offset == 0 {
		g.Offset = d.offset
	}
	d.Diagnose(g)
}
