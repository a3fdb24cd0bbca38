package evtx

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// Writer writes an event log that Windows and other readers open: chunks,
// checksums, string and template tables, one template per shape of event.
//
//	w, err := evtx.NewWriter(file)
//	err = w.Write(&evtx.Record{
//		System: evtx.System{
//			ProviderName: "Microsoft-Windows-Security-Auditing",
//			ProviderGUID: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
//			EventID: 4624, Channel: "Security", Computer: "ws01.example.com",
//			Keywords: 0x8020000000000000, TimeCreated: evtx.FiletimeOf(t),
//		},
//		DataKind: evtx.EventData,
//		Data: []evtx.Field{
//			{Name: "TargetUserName", Value: "alice", Type: evtx.TypeString},
//			{Name: "TargetUserSid", Value: "S-1-5-21-1-2-3-1001", Type: evtx.TypeSID},
//			{Name: "TargetLogonId", Value: "0x3e7", Type: evtx.TypeHexInt64},
//		},
//	})
//	err = w.Close()
//
// The same records give the same bytes.
type Writer struct {
	out    io.Writer
	seeker io.WriteSeeker // out, if it can seek
	start  int64          // of the file in seeker
	chunks []byte         // all chunks so far, if out cannot seek
	count  int            // chunks written
	number uint64         // records written
	id     uint64         // of the last record

	// The chunk being filled.
	buf       []byte
	pos       int
	overflow  bool // what was written last does not fit
	first     chunkFirst
	last      int // offset of the last record
	names     map[string]uint32
	templates map[string]uint32
	journal   []string // names and templates the present record added
	key       []byte

	err error
}

type chunkFirst struct{ number, id uint64 }

const (
	stringTable   = 0x80  // 64 offsets of name structures, by hash
	templateTable = 0x180 // 32 offsets of template definitions, by hash of the GUID
)

var errTooLarge = errors.New("record does not fit a chunk of 64 KiB")

// NewWriter starts a log on w. The file header counts the chunks, so it is written
// last: if w can seek (io.WriteSeeker) chunks are written as they fill, otherwise all are
// kept in memory until Close.
func NewWriter(w io.Writer) (*Writer, error) {
	wr := &Writer{out: w, buf: make([]byte, ChunkSize)}
	if s, ok := w.(io.WriteSeeker); ok {
		if start, err := s.Seek(0, io.SeekCurrent); err == nil { // a pipe has the method only
			if _, err := s.Write(make([]byte, HeaderSize)); err != nil {
				return nil, fmt.Errorf("write file header: %w", err)
			}
			wr.seeker, wr.start = s, start
		}
	}
	wr.reset()
	return wr, nil
}

// Write appends a record. ID 0 means the next one (from 1), Written 0 means
// TimeCreated, EventRecordID 0 means ID. Values are given as the text the reader
// would give for the Type (decimal also for hexadecimal types); text that is not of
// the type is an error. A Field without a Name becomes an unnamed Data; consecutive fields of
// one name with the TypeArray bit become one array. UserData needs a DataName. Extra is not written.
// After an error the log is as if Write had not been called, unless writing failed.
func (w *Writer) Write(rec *Record) error {
	if w.err != nil {
		return w.err
	}
	if rec.System.EventID > 0xffff {
		return fmt.Errorf("event id %d is over 65535", rec.System.EventID)
	}
	if rec.DataKind == UserData && rec.DataName == "" {
		return errors.New("user data without the name of its element (DataName)")
	}
	for attempt := range 2 {
		before := w.begin()
		err := w.record(rec)
		if err == nil && !w.overflow {
			w.number++
			w.last = before.pos
			if before.pos == chunkHead {
				w.first = chunkFirst{w.number, w.id}
			}
			return nil
		}
		w.rollback(before)
		if err != nil {
			return err
		}
		if attempt > 0 || before.pos == chunkHead {
			break
		}
		if w.err = w.flush(); w.err != nil {
			return w.err
		}
	}
	return errTooLarge
}

// Close writes what is left and the file header. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.pos > chunkHead || w.count == 0 {
		if w.err = w.flush(); w.err != nil {
			return w.err
		}
	}
	w.err = errors.New("event log writer is closed")
	head := w.fileHeader()
	if w.seeker == nil {
		if _, err := w.out.Write(append(head, w.chunks...)); err != nil {
			return fmt.Errorf("write event log: %w", err)
		}
		return nil
	}
	if _, err := w.seeker.Seek(w.start, io.SeekStart); err != nil {
		return fmt.Errorf("write file header: %w", err)
	}
	if _, err := w.seeker.Write(head); err != nil {
		return fmt.Errorf("write file header: %w", err)
	}
	_, err := w.seeker.Seek(0, io.SeekEnd)
	return err
}

func (w *Writer) fileHeader() []byte {
	h := make([]byte, HeaderSize)
	copy(h, "ElfFile\x00")
	le.PutUint64(h[16:], uint64(w.count-1))
	le.PutUint64(h[24:], w.id+1)
	le.PutUint32(h[32:], 128)
	le.PutUint16(h[36:], 1)
	le.PutUint16(h[38:], 3)
	le.PutUint16(h[40:], HeaderSize)
	le.PutUint16(h[42:], uint16(min(w.count, 0xffff)))
	le.PutUint32(h[124:], crc32.ChecksumIEEE(h[:120]))
	return h
}

// flush completes the chunk and starts another.
func (w *Writer) flush() error {
	b := w.buf
	copy(b, chunkSignature)
	first, last, lastID := w.first, w.number, w.id
	if w.pos == chunkHead {
		first, last, lastID = chunkFirst{1, 1}, ^uint64(0), ^uint64(0) // as Windows marks an empty one
	}
	le.PutUint64(b[8:], first.number)
	le.PutUint64(b[16:], last)
	le.PutUint64(b[24:], first.id)
	le.PutUint64(b[32:], lastID)
	le.PutUint32(b[40:], 128)
	le.PutUint32(b[44:], uint32(w.last))
	le.PutUint32(b[48:], uint32(w.pos))
	le.PutUint32(b[52:], crc32.ChecksumIEEE(b[chunkHead:w.pos]))
	le.PutUint32(b[124:], crc32.Update(crc32.ChecksumIEEE(b[:120]), crc32.IEEETable, b[128:chunkHead]))
	if w.seeker == nil {
		w.chunks = append(w.chunks, b...)
	} else if _, err := w.seeker.Write(b); err != nil {
		return fmt.Errorf("write chunk: %w", err)
	}
	w.count++
	w.reset()
	return nil
}

func (w *Writer) reset() {
	clear(w.buf)
	w.pos, w.last = chunkHead, 0
	if w.names == nil {
		w.names, w.templates = make(map[string]uint32), make(map[string]uint32)
	}
	clear(w.names)
	clear(w.templates)
}

// mark is the state of the chunk before a record.
type mark struct {
	pos    int
	id     uint64
	tables [chunkHead - stringTable]byte
}

func (w *Writer) begin() mark {
	w.overflow = false
	w.journal = w.journal[:0]
	return mark{w.pos, w.id, [chunkHead - stringTable]byte(w.buf[stringTable:])}
}

func (w *Writer) rollback(m mark) {
	clear(w.buf[m.pos:w.pos])
	copy(w.buf[stringTable:], m.tables[:])
	w.pos, w.id = m.pos, m.id
	for _, name := range w.journal {
		delete(w.names, name)
		delete(w.templates, name)
	}
}

// record writes one record at pos.
func (w *Writer) record(rec *Record) error {
	start := w.pos
	if w.id++; rec.ID != 0 {
		w.id = rec.ID
	}
	written := rec.Written
	if written == 0 {
		written = rec.System.TimeCreated
	}
	w.put(recordSignature...)
	w.put32(0)
	w.put64(w.id)
	w.put64(uint64(written))
	if err := w.event(rec); err != nil {
		return err
	}
	w.skip(-(w.pos + recordTail) & 7) // records start at multiples of 8
	size := uint32(w.pos - start + recordTail)
	w.put32(size)
	if w.pos == ChunkSize { // libevtx passes over a record that ends with its chunk
		w.overflow = true
	}
	if !w.overflow {
		le.PutUint32(w.buf[start+4:], size)
	}
	return nil
}

// instance writes a fragment header and a template instance up to its values;
// define writes the definition, the first time w.key is used in the chunk.
func (w *Writer) instance(define func()) {
	w.put(tokFragment, 1, 1, 0, tokTemplate, 1)
	if off, ok := w.templates[string(w.key)]; ok {
		w.put(w.buf[off+4 : off+8]...)
		w.put32(off)
		return
	}
	key := string(w.key)
	guid := sha256.Sum256(w.key)
	w.put(guid[:4]...)
	w.put32(uint32(w.pos + 4))
	w.templates[key] = uint32(w.pos)
	w.journal = append(w.journal, key)
	hash := uint32(0)
	for i := 0; i < 16; i += 2 {
		hash = hash*65599 + uint32(le.Uint16(guid[i:]))
	}
	w.chain(templateTable + 4*int(hash%32))
	w.put(guid[:16]...)
	end := w.sized()
	w.put(tokFragment, 1, 1, 0)
	define()
	w.put(tokEOF)
	end()
}

// chain writes the pointer to what a bucket held until now, and makes it hold this place.
func (w *Writer) chain(bucket int) {
	at := uint32(w.pos)
	w.put32(le.Uint32(w.buf[bucket:]))
	le.PutUint32(w.buf[bucket:], at)
}

// element starts an element; what it returns ends it. dep is the substitution
// without which the element is left out, -1 for none.
func (w *Writer) element(name string, attributes bool, dep int) (end func()) {
	token := byte(tokElement)
	if attributes {
		token |= tokMore
	}
	w.put(token)
	w.put16(uint16(dep))
	end = w.sized()
	w.name(name)
	return end
}

// sized leaves room for the 32-bit size of what follows; calling what it returns enters it.
func (w *Writer) sized() func() {
	at := w.pos
	w.put32(0)
	return func() {
		if !w.overflow {
			le.PutUint32(w.buf[at:], uint32(w.pos-at-4))
		}
	}
}

func (w *Writer) attributeName(name string, more bool) {
	token := byte(tokAttribute)
	if more {
		token |= tokMore
	}
	w.put(token)
	w.name(name)
}

func (w *Writer) subst(token byte, sub int, t Type) {
	w.put(token)
	w.put16(uint16(sub))
	w.put(byte(t))
}

func (w *Writer) constant(s string) {
	w.put(tokText, byte(TypeString))
	u := utf16.Encode([]rune(s))
	w.put16(uint16(min(len(u), 0xffff)))
	w.putUTF16(u)
}

// name writes a reference to a name, and the name itself the first time it is used in the chunk.
func (w *Writer) name(s string) {
	key := "name\x00" + s
	if off, ok := w.names[key]; ok {
		w.put32(off)
		return
	}
	w.put32(uint32(w.pos + 4))
	w.names[key] = uint32(w.pos)
	w.journal = append(w.journal, key)
	u := utf16.Encode([]rune(s))
	hash := uint32(0)
	for _, c := range u {
		hash = hash*65599 + uint32(c)
	}
	w.chain(stringTable + 4*int(hash&0xffff%64))
	w.put16(uint16(hash))
	w.put16(uint16(min(len(u), 0xffff)))
	w.putUTF16(u)
	w.put16(0)
}

func (w *Writer) put(b ...byte) {
	if w.overflow || len(b) > len(w.buf)-w.pos {
		w.overflow = true
		return
	}
	w.pos += copy(w.buf[w.pos:], b)
}

func (w *Writer) skip(n int) {
	if w.overflow || n > len(w.buf)-w.pos {
		w.overflow = true
		return
	}
	w.pos += n
}

func (w *Writer) put16(v uint16) { w.put(byte(v), byte(v>>8)) }

func (w *Writer) put32(v uint32) { w.put(byte(v), byte(v>>8), byte(v>>16), byte(v>>24)) }

func (w *Writer) put64(v uint64) { w.put32(uint32(v)); w.put32(uint32(v >> 32)) }

func (w *Writer) putUTF16(u []uint16) {
	for _, c := range u {
		w.put16(c)
	}
}
