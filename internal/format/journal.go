package format

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/sextant-logs/sextant/internal/event"
)

// The systemd journal as journald(8) keeps it (https://systemd.io/JOURNAL_FILE_FORMAT):
// objects one behind the other, of which entries refer to the data objects that hold
// their fields. Every object is written before those that refer to it, so the file is read
// from front to back as a stream, whatever its index says: a file that was not closed or
// is damaged gives what is there. An event has the fields of the export format.
var _ = register(Format{
	Name:  "journal",
	Title: "systemd journal, binary file",
	Group: "system",
	Recognise: func(s *Sample) int {
		if bytes.HasPrefix(s.Head, journalMagic) && len(s.Head) >= journalHeaderMin {
			return 100
		}
		return 0
	},
	Frame: func(r io.Reader) Framer {
		return &journalFramer{recordFramer: recordFramer{r: r}, data: map[int64]*journalData{}}
	},
	Decode: func(p *Params) Decoder { return &journalDecoder{p} },
})

var journalMagic = []byte("LPKSHHRH")

const journalHeaderMin = 208

// Types of objects.
const (
	objectData       = 1
	objectField      = 2
	objectEntry      = 3
	objectEntryArray = 6
	objectTag        = 7
)

// How a data object is compressed, by its flags.
const (
	compressedXZ = 1 << iota
	compressedLZ4
	compressedZSTD
)

const (
	flagCompact = 1 << 4 // of the header: offsets of 32 bits

	maxJournalObject = 16 << 20 // of data or an entry; others are passed over at any size
	maxJournalFields = 1000     // of one entry
	maxJournalData   = 256 << 20
	maxJournalSpent  = 8 << 20
	maxJournalEvents = 2048 // of a chunk
)

// journalData is a value that entries to come may refer to.
type journalData struct {
	offset  int64
	text    string // NAME=value
	left    uint64 // entries that will refer to it, by its own count; 0 if unknown
	element *list.Element
	spent   bool
}

// journalFramer reads objects in order and makes an event of each entry.
type journalFramer struct {
	recordFramer
	header  bool
	counter []string // seqnum_id, of which entries have their numbers
	compact bool
	skip    int64 // of a large object, still to be passed over
	data    map[int64]*journalData
	live    list.List // of those that will be referred to, oldest first
	spent   list.List // of those that were referred to as often as they said
	bytes   [2]int64  // of both
	events  []event.Event
	zstd    *zstd.Decoder
}

// Next implements Framer.
func (f *journalFramer) Next() (*Chunk, error) {
	f.events = nil
	f.begin()
	for !f.full() && len(f.events) < maxJournalEvents && f.object() {
	}
	if f.empty() {
		if f.zstd != nil {
			f.zstd.Close()
		}
		return nil, f.end()
	}
	c := f.take(f.events)
	c.Header = f.counter
	return c, nil
}

// object takes the next object; false at the end.
func (f *journalFramer) object() bool {
	if f.skip > 0 {
		n := int(min(f.skip, int64(len(f.need(1)))))
		f.structure(n)
		f.skip -= int64(n)
		return n > 0
	}
	if !f.header {
		return f.fileHeader()
	}
	p := f.need(16)
	if len(p) < 16 {
		if len(p) > 0 {
			f.refuse(len(p), "journal: cut off within an object")
		}
		return len(p) > 0
	}
	kind, size, ok := journalObject(p)
	if !ok {
		return f.resync()
	}
	if kind != objectData && kind != objectEntry {
		f.structure(16)
		f.skip = (size+7)&^7 - 16
		return true
	}
	whole := int((size + 7) &^ 7)
	if p = f.need(whole); len(p) < int(size) {
		f.refuse(len(p), "journal: cut off within an object")
		return true
	}
	at := f.offset()
	if kind == objectData {
		ok = f.keep(at, p[:size])
	} else {
		ok = f.entry(at, p[:size])
	}
	if whole = min(whole, len(p)); !ok {
		f.refuse(whole, "journal: damaged object")
	} else {
		f.record(whole)
	}
	return true
}

func (f *journalFramer) fileHeader() bool {
	p := f.need(journalHeaderMin)
	if len(p) < journalHeaderMin || !bytes.HasPrefix(p, journalMagic) {
		return f.rest("journal: no header")
	}
	f.header = true
	f.compact = binary.LittleEndian.Uint32(p[12:])&flagCompact != 0
	f.counter = []string{hex.EncodeToString(p[72:88])}
	size := int64(binary.LittleEndian.Uint64(p[88:]))
	if size < journalHeaderMin || size > 4096 {
		size = 272 // as it has been since systemd 254; what is wrong with it shows at the first object
	}
	f.structure(journalHeaderMin)
	f.skip = (size+7)&^7 - journalHeaderMin
	return true
}

// journalObject reads an object's header, and reports whether it can be one.
func journalObject(p []byte) (kind byte, size int64, ok bool) {
	kind, size = p[0], int64(binary.LittleEndian.Uint64(p[8:]))
	if p[2]|p[3]|p[4]|p[5]|p[6]|p[7] != 0 {
		return kind, size, false
	}
	switch kind {
	case objectData:
		ok = size > 64 && size <= maxJournalObject
	case objectEntry:
		ok = size >= 64 && size <= maxJournalObject
	case objectField:
		ok = size > 40 && size <= maxJournalObject
	case objectTag:
		ok = size == 64
	case 4, 5, objectEntryArray: // hash tables
		ok = size >= 16 && size <= 1<<32
	}
	return kind, size, ok
}

// resync passes over what is no object: the unused end of the file, or damage up to the next
// object. Objects begin at multiples of eight.
func (f *journalFramer) resync() bool {
	p := f.need(chunkBytes)
	n := 0
	for ; n+8 <= len(p) && isZero(p[n:n+8]); n += 8 {
	}
	if n >= 8 {
		f.structure(n)
		return true
	}
	for n = 8; n+16 <= len(p); n += 8 {
		if kind, size, ok := journalObject(p[n:]); ok && (kind == objectData || kind == objectEntry || kind == objectField) && size < chunkBytes || isZero(p[n:n+16]) {
			break
		}
	}
	if n+16 > len(p) {
		n = len(p)
		if f.err == nil {
			n = (n - 16) &^ 7
		}
	}
	f.refuse(n, "journal: damaged object")
	return true
}

// keep takes a data object.
func (f *journalFramer) keep(at int64, p []byte) bool {
	header := 64
	if f.compact {
		header = 72
	}
	if len(p) <= header {
		return false
	}
	payload := p[header:]
	if flags := p[1]; flags != 0 {
		var ok bool
		if payload, ok = f.decompress(flags, payload); !ok {
			return false
		}
	}
	if eq := bytes.IndexByte(payload, '='); eq <= 0 {
		return false
	}
	d := &journalData{offset: at, text: string(payload[:min(len(payload), MaxRecord)]), left: binary.LittleEndian.Uint64(p[56:])}
	if old := f.data[at]; old != nil {
		f.drop(old)
	}
	d.element = f.live.PushBack(d)
	f.data[at] = d
	f.bytes[0] += int64(len(d.text)) + 128
	for f.bytes[0] > maxJournalData {
		f.drop(f.live.Front().Value.(*journalData))
	}
	return true
}

func (f *journalFramer) drop(d *journalData) {
	delete(f.data, d.offset)
	n := int64(len(d.text)) + 128
	if d.spent {
		f.spent.Remove(d.element)
		f.bytes[1] -= n
	} else {
		f.live.Remove(d.element)
		f.bytes[0] -= n
	}
}

// use notes that an entry refers to a value. One that no other will is kept for a while
// only: the count may be behind in a file that was not closed.
func (f *journalFramer) use(d *journalData) {
	if d.spent || d.left == 0 {
		return
	}
	if d.left--; d.left > 0 {
		return
	}
	n := int64(len(d.text)) + 128
	f.live.Remove(d.element)
	d.element, d.spent = f.spent.PushBack(d), true
	f.bytes[0] -= n
	f.bytes[1] += n
	for f.bytes[1] > maxJournalSpent {
		f.drop(f.spent.Front().Value.(*journalData))
	}
}

func (f *journalFramer) decompress(flags byte, p []byte) ([]byte, bool) {
	const limit = MaxRecord
	switch {
	case flags&compressedZSTD != 0:
		if f.zstd == nil {
			var err error
			if f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxJournalObject), zstd.WithDecoderMaxWindow(maxJournalObject)); err != nil {
				return nil, false
			}
		}
		out, err := f.zstd.DecodeAll(p, nil)
		return out, err == nil
	case flags&compressedLZ4 != 0: // the size, and one block
		if len(p) < 8 {
			return nil, false
		}
		size := binary.LittleEndian.Uint64(p)
		if size > min(maxJournalObject, 256*uint64(len(p))) { // a byte is 255 at most
			return nil, false
		}
		out := make([]byte, size)
		n, err := lz4.UncompressBlock(p[8:], out)
		return out[:max(n, 0)], err == nil
	case flags&compressedXZ != 0:
		if !xzDictionaryFits(p) {
			return nil, false
		}
		r, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(p))
		if err != nil {
			return nil, false
		}
		out, err := io.ReadAll(io.LimitReader(r, limit))
		return out, err == nil
	}
	return nil, false
}

// xzDictionaryFits reads the dictionary's size from the header of the first block (.xz file
// format 1.2 §3.1, §5.3.1): what a hostile one asks for would be allocated.
func xzDictionaryFits(p []byte) bool {
	if len(p) < 24 {
		return false
	}
	block := p[12:min(len(p), 12+(int(p[12])+1)*4)]
	i := bytes.Index(block, []byte{0x21, 1})
	return i >= 2 && i+2 < len(block) && block[i+2] <= 22 // 8 MiB; journald asks for one
}

// entry makes the event of an entry object.
func (f *journalFramer) entry(at int64, p []byte) bool {
	width := 16
	if f.compact {
		width = 4
	}
	items := p[64:]
	le := binary.LittleEndian
	realtime, boot := le.Uint64(p[24:]), fmt.Sprintf("%x", p[40:56])
	if realtime > 1<<53 {
		return false
	}
	fields := make([]event.Field, 0, len(items)/width+3)
	fields = append(fields, event.Field{Name: "__REALTIME_TIMESTAMP", Value: strconv.FormatUint(realtime, 10)},
		event.Field{Name: "__MONOTONIC_TIMESTAMP", Value: strconv.FormatUint(le.Uint64(p[32:]), 10)}, event.Field{Name: "_BOOT_ID", Value: boot})
	missing := 0
	for n := 0; len(items) >= width && n < maxJournalFields; n++ {
		ref := int64(le.Uint32(items))
		if !f.compact {
			ref = int64(le.Uint64(items))
		}
		items = items[width:]
		if ref == 0 {
			continue
		}
		d := f.data[ref]
		if d == nil {
			missing++
			continue
		}
		f.use(d)
		name, value, _ := strings.Cut(d.text, "=")
		if name == "_BOOT_ID" {
			continue
		}
		fields = append(fields, event.Field{Name: name, Value: value})
	}
	e := event.Event{Time: int64(realtime) * 1000, Offset: at, Length: int64(len(p)), Sequence: int64(le.Uint64(p[16:]) & (1<<63 - 1)), Fields: fields}
	if missing > 0 {
		e.Err = fmt.Sprintf("%d fields of the entry are damaged or missing", missing)
	}
	f.events = append(f.events, e)
	return true
}

// journalDecoder makes ECS of the entries that the framer put together.
type journalDecoder struct{ p *Params }

// Decode implements Decoder.
func (d *journalDecoder) Decode(c *Chunk, b *event.Batch) Bytes {
	entry := journalEntry{p: d.p}
	var raw []byte
	for i := range c.Events {
		from := &c.Events[i]
		raw = raw[:0]
		for k := range from.Fields {
			f := &from.Fields[k]
			if !utf8.ValidString(f.Value) {
				f.Value = strings.ToValidUTF8(f.Value, "\uFFFD")
			}
			if !utf8.ValidString(f.Name) {
				f.Name = strings.ToValidUTF8(f.Name, "\uFFFD")
			}
			if len(raw)+len(f.Name)+len(f.Value) < MaxRecord {
				if k > 0 {
					raw = append(raw, '\n')
				}
				raw = append(append(append(raw, f.Name...), '='), f.Value...)
			}
		}
		e := b.Begin(from.Offset, b.Bytes(raw))
		e.Length = from.Length
		entry.reset()
		for k := range from.Fields {
			entry.add(from.Fields[k].Name, from.Fields[k].Value, b)
		}
		if err := entry.finish(b); err != nil {
			b.Rollback()
			newTextDecoder(d.p)(b.Event().Raw, b)
			b.Event().Err = err.Error()
		}
		for _, id := range c.Header {
			b.Add("journald.seqnum_id", id)
		}
		e = b.Event()
		e.Sequence = from.Sequence
		if from.Err != "" {
			e.Err = from.Err
		}
		if d.p.Done != nil {
			d.p.Done(b)
		}
	}
	n := Bytes{Events: int64(len(c.Data)) - c.Structure, Structure: c.Structure, Refusals: c.Refused}
	for _, r := range c.Refused {
		n.Refused += r.Length
	}
	return n
}
