package format

import (
	"strconv"

	"github.com/sextant-logs/sextant/internal/event"
)

// setNumber says that the event is the n-th record of its log, which numbers them one by one: what
// is missing of them is looked for (package analyze, gaps). Anything but a number from 1 on says nothing.
func setNumber(b *event.Batch, n string) {
	if v, err := strconv.ParseInt(n, 10, 64); err == nil && v > 0 {
		b.Event().Sequence = v
	}
}

// Streams reports whether records of the format can arrive one by one: it is
// made of lines or of JSON documents.
func (f *Format) Streams() bool {
	if f.Lines != nil {
		return true
	}
	if f.Decode == nil {
		return false
	}
	_, ok := f.Decode(&Params{}).(*jsonChunks)
	return ok
}

// NewRecordDecoder returns a function that decodes a record which arrived by
// itself, as over a network: to one event or, if the record is an envelope of
// several, more; to text with error.message where the format does not
// understand it. header are the header lines that govern it. The record must
// not be written to afterwards.
func (f *Format) NewRecordDecoder(p *Params, header []string) func(record []byte, offset int64, b *event.Batch) {
	q := *p
	q.header = header
	text := &validText{done: p.Done}
	q.Done = text.complete
	fallback := newTextDecoder(&q)
	whole := func(raw string, offset int64, b *event.Batch, why string) {
		b.Begin(offset, raw)
		fallback(raw, b)
		b.Event().Err = why
		q.Done(b)
	}
	d, lines := Decoder(nil), f.Lines
	if lines == nil {
		d = f.decoder(&q)
		if j, ok := d.(*jsonChunks); ok { // a document a record
			lines = j.f.Lines
		}
	}
	if lines != nil {
		decode := lines(&q)
		return func(record []byte, offset int64, b *event.Batch) {
			text.stray = !event.ValidText(record)
			raw := event.View(record)
			b.Begin(offset, raw)
			q.ended(raw, decode(raw, b), fallback, b)
		}
	}
	return func(record []byte, offset int64, b *event.Batch) {
		text.stray = !event.ValidText(record)
		n := len(b.Events)
		d.Decode(&Chunk{Data: record, Offset: offset, Header: header}, b)
		if len(b.Events) == n { // nothing in it that the format takes for a record
			whole(event.View(record), offset, b, "no record of the format "+f.Name)
		}
	}
}

// JournalEntry is the length of the entry in the journal's export format at the
// start of p with the blank line that ends it; 0 where it does not end.
func JournalEntry(p []byte) int { return exportEntry(p, nil) }
