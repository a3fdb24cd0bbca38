package format

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"sync"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
)

// Windows event logs as Windows keeps them (Vista and later). An event has the
// fields of its record under winlog.*, as Winlogbeat names them, and the ECS fields
// that addWinlogECS derives from those. Its event.original is the record's XML.
var _ = register(Format{
	Name:      "windows.eventlog",
	Title:     "Windows event log (EVTX)",
	Group:     "windows",
	Recognise: recogniseEventLog,
	Frame:     frameEventLog,
	Decode:    func(p *Params) Decoder { return &eventLogDecoder{p} },
	UTF8:      true,
})

const chunkMagic = "ElfChnk\x00" // begins each chunk of an event log

// recogniseEventLog also knows a log whose file header is lost: cut off or damaged.
func recogniseEventLog(s *Sample) int {
	switch {
	case evtx.IsEventLog(s.Head), bytes.HasPrefix(s.Head, []byte(chunkMagic)):
		return 100
	case len(s.Head) > evtx.HeaderSize && bytes.HasPrefix(s.Head[evtx.HeaderSize:], []byte(chunkMagic)):
		return 95
	}
	return 0
}

func frameEventLog(r io.Reader) Framer {
	br := bufio.NewReaderSize(r, 16)
	f := &BlockFramer{R: br, Header: evtx.HeaderSize, Block: evtx.ChunkSize}
	if head, _ := br.Peek(len(chunkMagic)); string(head) == chunkMagic {
		f.Header = 0
	}
	return &eventLogFramer{blocks: f}
}

// eventLogFramer leaves out chunks of zeros that others follow: Windows allocates chunks at the end, so somebody erased these.
type eventLogFramer struct {
	blocks *BlockFramer
	ready  []*Chunk
	held   *Chunk // the last that was read; what follows it is not known yet
	zeros  int64  // bytes of zeros behind it
	err    error
}

// Next implements Framer.
func (f *eventLogFramer) Next() (*Chunk, error) {
	for len(f.ready) == 0 {
		if f.err != nil {
			return nil, f.err
		}
		c, err := f.blocks.Next()
		if err != nil {
			f.finish(err)
			continue
		}
		start := 0 // of what is not held yet
		for at := 0; at < len(c.Data); {
			size := evtx.ChunkSize
			if c.Offset == 0 && at == 0 {
				size += f.blocks.Header
			}
			end := min(at+size, len(c.Data))
			if evtx.IsErased(c.Data[at:end]) && f.held != nil {
				f.zeros += int64(end - at)
			} else {
				if f.zeros > 0 || start == at && f.held != nil {
					f.flush()
				}
				if f.held == nil {
					start = at
				}
				f.held = &Chunk{Data: c.Data[start:end:end], Offset: c.Offset + int64(start)}
			}
			at = end
		}
	}
	c := f.ready[0]
	f.ready = f.ready[1:]
	return c, nil
}

// flush makes the held chunk ready: another follows it.
func (f *eventLogFramer) flush() {
	if f.zeros > 0 {
		f.held.Refused = []Refusal{{Offset: f.held.Offset + int64(len(f.held.Data)), Length: f.zeros, Reason: refusals[evtx.ChunkErased]}}
	}
	f.ready = append(f.ready, f.held)
	f.held, f.zeros = nil, 0
}

// finish makes ready what is left: zeros at the end are chunks that Windows has not written yet.
func (f *eventLogFramer) finish(err error) {
	f.err = err
	if f.held == nil {
		return
	}
	offset, zeros := f.held.Offset+int64(len(f.held.Data)), f.zeros
	f.zeros = 0
	f.flush()
	for zeros > 0 {
		n := min(zeros, chunkBytes)
		f.ready = append(f.ready, &Chunk{Data: make([]byte, n), Offset: offset})
		offset, zeros = offset+n, zeros-n
	}
}

type eventLogDecoder struct{ p *Params }

// chunkReader decodes the chunks of one goroutine. It lives on in a pool with the
// templates it compiled and the names it made.
type chunkReader struct {
	evtx  evtx.ChunkDecoder
	ecs   winlog
	names event.ByName[string] // a record's own name of a datum of an event, its field's name
	other map[string]string    // likewise of all else, prefix and name
	xml   []byte
	p     *Params
	b     *event.Batch
	n     Bytes

	channel string // the last record's, and its dataset
	dataset string
}

var chunkReaders = sync.Pool{New: func() any {
	return &chunkReader{other: map[string]string{}}
}}

// maxNames bounds the names kept between chunks: those of a hostile log are without end.
const maxNames = 8 << 10

// Decode implements Decoder.
func (d *eventLogDecoder) Decode(c *Chunk, b *event.Batch) Bytes {
	r := chunkReaders.Get().(*chunkReader)
	r.p, r.b, r.n = d.p, b, Bytes{}
	r.evtx.Recover = d.p.Recover
	data, offset := c.Data, c.Offset
	if offset == 0 && !bytes.HasPrefix(data, []byte(chunkMagic)) {
		header := data[:min(len(data), evtx.HeaderSize)]
		r.n.Structure += int64(len(header))
		evtx.ParseHeader(header, -1, func(g evtx.Diagnostic) { r.refuse(0, 0, g) })
		data, offset = data[len(header):], int64(len(header))
	}
	for len(data) > 0 {
		chunk := data[:min(len(data), evtx.ChunkSize)]
		r.chunk(chunk, offset)
		data, offset = data[len(chunk):], offset+int64(len(chunk))
	}
	for _, f := range c.Refused {
		r.n.Refused += f.Length
		r.n.Refusals = append(r.n.Refusals, f)
	}
	n := r.n
	r.p, r.b, r.n = nil, nil, Bytes{}
	r.ecs.release()
	r.channel, r.dataset = "", ""
	if r.names.Len()+len(r.other) > maxNames {
		r.names.Clear()
		clear(r.other)
	}
	chunkReaders.Put(r)
	return n
}

// chunk decodes one chunk and accounts for its bytes: what is neither record nor
// damaged is the chunk's header, tables and unused end.
func (r *chunkReader) chunk(chunk []byte, offset int64) {
	events, refused := r.n.Events, r.n.Refused
	size := int64(len(chunk))
	r.evtx.Diagnose = func(g evtx.Diagnostic) {
		lost := g.Lost
		if g.Code == evtx.ChunkHeader && bytes.HasPrefix(chunk, []byte(chunkMagic)) && size >= 512 {
			lost = 0 // bytes that the file should have had
		}
		left := size - (r.n.Events - events) - (r.n.Refused - refused)
		r.refuse(min(lost, left), g.Offset, g)
	}
	r.evtx.Decode(chunk, offset, func(rec *evtx.Record) error {
		r.record(rec)
		return nil
	})
	r.evtx.Diagnose = nil
	r.n.Structure += size - (r.n.Events - events) - (r.n.Refused - refused)
}

// refusals are the reasons by which damage is counted. A checksum that is wrong
// costs nothing but is told: its Length is 0.
var refusals = map[evtx.Code]string{
	evtx.FileHeader:         "event log: file header is damaged",
	evtx.FileHeaderChecksum: "event log: file header changed since it was written",
	evtx.FileDirty:          "event log: not closed properly, or copied while in use",
	evtx.ChunkHeader:        "event log: no chunk where one should be, or its header is damaged",
	evtx.ChunkErased:        "event log: nothing but zeros where records should be, as others follow",
	evtx.ChunkChecksum:      "event log: chunk header changed since it was written",
	evtx.RecordsChecksum:    "event log: records changed since they were written",
	evtx.RecordDamaged:      "event log: no sound record where one should be",
}

func (r *chunkReader) refuse(lost, offset int64, g evtx.Diagnostic) {
	reason, ok := refusals[g.Code]
	if !ok {
		return // of a record that is an event all the same: its error.message tells
	}
	r.n.Refused += lost
	if k := len(r.n.Refusals) - 1; k >= 0 && lost > 0 && r.n.Refusals[k].Reason == reason && r.n.Refusals[k].Offset+r.n.Refusals[k].Length == offset {
		r.n.Refusals[k].Length += lost
		return
	}
	r.n.Refusals = append(r.n.Refusals, Refusal{Offset: offset, Length: lost, Reason: reason})
}

// record adds the event of one record.
func (r *chunkReader) record(rec *evtx.Record) {
	b := r.b
	e := b.Begin(rec.Offset, "")
	e.Length = int64(rec.Size)
	e.Sequence = int64(rec.ID & (1<<63 - 1))
	r.n.Events += int64(rec.Size)
	if rec.Err != nil {
		e.Err = rec.Err.Error()
	}
	when := rec.System.TimeCreated
	if when == 0 {
		when = rec.Written
	}
	if ns, ok := unixNano(when); ok {
		e.Time = ns
		r.p.Clock.Seen(ns)
	} else {
		r.p.Clock.NoTime()
	}
	r.system(&rec.System)
	w := &r.ecs
	w.begin(b, rec.System.Channel, rec.System.ProviderName, rec.System.EventID, rec.System.UserID)
	if rec.DataKind == evtx.UserData {
		b.Add("winlog.user_data.xml_name", rec.DataName)
	}
	for i := range rec.Data {
		f := &rec.Data[i]
		name := ""
		if rec.DataKind == evtx.UserData {
			name = r.name("winlog.user_data.", f.Name)
		} else if known, ok := r.names.Get(f.Name); ok {
			name = known
		} else {
			own := string([]byte(f.Name)) // lives on
			name = fieldName("winlog.event_data.", own)
			r.names.Put(own, name)
		}
		b.AddKind(name, f.Value, event.String)
		w.data = append(w.data, datum{f.Name, f.Value})
	}
	for i := range rec.Extra {
		b.AddKind(r.name("winlog.", rec.Extra[i].Name), rec.Extra[i].Value, event.String)
	}
	kind := w.kind()
	// An event of OpenSSH is of whatever category its text says.
	if r.p.Skim != nil && w.provider != "OpenSSH" && !r.p.Skim(b, kind.category()) {
		e.Bare = true
	} else {
		r.xml = rec.AppendXML(r.xml[:0])
		e.Raw = b.Bytes(r.xml)
		w.addECS(kind)
	}
	if r.p.Done != nil {
		r.p.Done(b)
	}
}

// system adds the System element as Winlogbeat does.
func (r *chunkReader) system(s *evtx.System) {
	b := r.b
	var few [20]byte
	number := func(n uint64) string { return b.Bytes(strconv.AppendUint(few[:0], n, 10)) }
	id := number(uint64(s.EventID))
	if r.dataset == "" || r.channel != s.Channel {
		r.channel, r.dataset = s.Channel, winlogDataset(s.Channel)
	}
	b.Add("event.dataset", r.dataset)
	b.Add("event.module", moduleOf(r.dataset))
	b.Add("event.code", id)
	b.Add("event.provider", s.ProviderName)
	b.Add("event.kind", "event")
	b.Add("log.level", eventLevel(s.Level))
	b.Add("host.name", s.Computer)
	b.Add("winlog.event_id", id)
	b.Add("winlog.channel", s.Channel)
	b.Add("winlog.provider_name", s.ProviderName)
	b.Add("winlog.provider_guid", s.ProviderGUID)
	b.Add("winlog.computer_name", s.Computer)
	b.Add("winlog.record_id", number(s.EventRecordID))
	b.AddInt("winlog.level", int64(s.Level))
	if s.ProcessID != 0 || s.ThreadID != 0 {
		b.AddInt("winlog.process.pid", int64(s.ProcessID))
		b.AddInt("winlog.process.thread.id", int64(s.ThreadID))
	}
	if s.Version != 0 {
		b.AddInt("winlog.version", int64(s.Version))
	}
	if name := opcodeName(s.ProviderName, s.Opcode); name != "" {
		b.Add("winlog.opcode", name)
	} else {
		b.Add("winlog.opcode", number(uint64(s.Opcode)))
	}
	task := taskName(s.ProviderName, s.Task)
	if task != "" {
		b.Add("winlog.task", task)
	} else if s.Task != 0 {
		b.Add("winlog.task", number(uint64(s.Task)))
	}
	outcome := ""
	for _, k := range keywordNames {
		if s.Keywords&k.bit != 0 {
			b.Add("winlog.keywords", k.name)
			outcome = k.outcome
		}
	}
	b.Add("event.outcome", outcome)
	b.Add("winlog.activity_id", s.ActivityID)
	b.Add("winlog.related_activity_id", s.RelatedActivityID)
	b.Add("winlog.user.identifier", s.UserID)
	r.ecs.task = task
}

// name is the field of a record's own name under prefix.
func (r *chunkReader) name(prefix, name string) string {
	key := prefix + name
	if full, ok := r.other[key]; ok {
		return full
	}
	full := fieldName(prefix, name)
	r.other[key] = full
	return full
}

// fieldName is prefix and a record's own name, which a hostile record may have made of
// anything: what the store could not take is cut.
func fieldName(prefix, name string) string {
	if name == "" {
		name = "_"
	}
	return prefix + name[:min(len(name), 100)]
}

// fieldNameIn is fieldName in the batch's arena.
func fieldNameIn(b *event.Batch, prefix, name string) string {
	if name == "" {
		name = "_"
	}
	var few [160]byte
	return b.Bytes(append(append(few[:0], prefix...), name[:min(len(name), 100)]...))
}

// unixNano converts 100 ns since 1601 to ns since 1970; not ok for none and for
// what int64 cannot hold.
func unixNano(t evtx.Filetime) (int64, bool) {
	const epoch = 116444736000000000
	const last = epoch + 1<<63/100
	if t == 0 || t > last-1 || t < epoch-(1<<63/100)+1 {
		return 0, false
	}
	return (int64(t) - epoch) * 100, true
}
