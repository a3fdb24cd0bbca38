// Package event holds the one thing that flows through Sextant: a log record
// decoded to Elastic Common Schema fields.
//
// An [Event] is what one record said: when, its raw text, where in its source
// it stands, and an ordered list of [Field]s with flat dotted ECS names
// ("source.ip"). Events travel in a [Batch] of some thousand, whose fields lie
// in one slab and whose made-up strings lie in one arena, so that the hot path
// allocates per batch and not per event.
//
// A field may occur more than once; that is how ECS arrays are held
// (event.category, related.ip). [AppendJSON] turns them back into arrays and
// nests the dotted names.
package event

import (
	"math"
	"strconv"
	"time"
)

// NoTime is the Event.Time of a record whose time is unknown.
const NoTime = math.MinInt64

// Kind says how a field's value is written in JSON.
type Kind uint8

const (
	String Kind = iota // text; written quoted
	Number             // a JSON number; written bare
	Bool               // "true" or "false"; written bare
	JSON               // a raw JSON value (array of objects, null); written as it is
)

// Field is one ECS field of an event. Value is always text, as the store and
// the detection engine want it; Kind keeps the type for JSON.
type Field struct {
	Name  string
	Value string
	Kind  Kind
}

// Event is one log record.
//
// Strings in an Event stay valid for as long as anyone holds them, but they
// pin the chunk they were cut from: whoever keeps one beyond the batch clones
// it (strings.Clone). The Fields slice itself is reused after Batch.Reset.
type Event struct {
	Time     int64   // nanoseconds since the Unix epoch, UTC; NoTime if unknown
	Offset   int64   // where the record begins in its source's decoded bytes
	Length   int64   // bytes the record takes there, separators not counted
	Sequence int64   // record number for logs that have one (EVTX); 0: none
	ID       string  // event.id; set by the pipeline, see package pipeline
	Raw      string  // event.original
	Err      string  // error.message: why no decoder understood the record; "" when one did
	Bare     bool    // only the record's own fields are there, since nobody asked for more; see format.Params.Skim
	Fields   []Field // in the order the decoder added them
}

// Unterminated is the value of log.flags of a record whose line does not end: the last of a file that is
// cut, was copied while it was written, or was made by something that does not end its last line.
const Unterminated = "unterminated"

// Zeroed is the value of log.flags of a record that is nothing but zeros between others.
const Zeroed = "zeroed"

// Get returns the first value of the named field, "" when it is absent.
func (e *Event) Get(name string) string {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value
		}
	}
	return ""
}

// Has reports whether the event has the named field, be it empty.
func (e *Event) Has(name string) bool {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return true
		}
	}
	return false
}

// Values calls fn with each value of the named field.
func (e *Event) Values(name string, fn func(value string)) {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			fn(e.Fields[i].Value)
		}
	}
}

// Message is the event's message field, or the raw record where the format
// has no message of its own.
func (e *Event) Message() string {
	if m := e.Get("message"); m != "" {
		return m
	}
	return e.Raw
}

// Timestamp is Time as a time.Time in UTC; the zero time when unknown.
func (e *Event) Timestamp() time.Time {
	if e.Time == NoTime {
		return time.Time{}
	}
	return time.Unix(0, e.Time).UTC()
}

// Batch is the unit of work: the events of one chunk of one source. Decoders
// fill it with Begin and the Add methods. A Batch is used by one goroutine at
// a time and may be reused after Reset.
type Batch struct {
	Events []Event

	slab  []Field   // the slab being filled, as far as the fields of complete events go
	open  int       // 1 + the index of the event being built, whose fields lie behind slab's end; 0: none
	full  [][]Field // slabs filled before it
	free  [][]Field // slabs to fill again after Reset
	arena []byte
}

const (
	slabFields  = 16 << 10
	firstFields = 256
	maxFree     = 16 // slabs that are kept
	arenaBytes  = 64 << 10
	firstArena  = 2 << 10
)

// Reset empties the batch and keeps its slabs for reuse. Events' Fields taken
// from it are invalid afterwards; strings are not.
func (b *Batch) Reset() {
	b.finish()
	clear(b.Events)
	b.Events = b.Events[:0]
	clear(b.slab)
	for _, slab := range b.full {
		clear(slab)
		if cap(slab) == slabFields && len(b.free) < maxFree {
			b.free = append(b.free, slab[:0])
		}
	}
	clear(b.full)
	b.full = b.full[:0]
	b.slab = b.slab[:0]
	b.arena = nil // strings point into it and may outlive us
}

// Begin starts a new event for the record raw, which begins at offset in its
// source. The Add methods add to it until the next Begin. The pointer is valid
// until then.
func (b *Batch) Begin(offset int64, raw string) *Event {
	b.finish()
	n := len(b.slab)
	b.Events = append(b.Events, Event{Time: NoTime, Offset: offset, Length: int64(len(raw)), Raw: raw, Fields: b.slab[n:n]})
	b.open = len(b.Events)
	return &b.Events[b.open-1]
}

// finish ends the event being built: its slice grows no more.
func (b *Batch) finish() {
	if b.open > 0 && b.open <= len(b.Events) {
		e := &b.Events[b.open-1]
		n := len(e.Fields)
		e.Fields = e.Fields[:n:n]
		if used := len(b.slab) + n; used <= cap(b.slab) { // or somebody gave the event other fields
			b.slab = b.slab[:used]
		}
	}
	b.open = 0
}

// Event is the event being built: the last one begun.
func (b *Batch) Event() *Event { return &b.Events[len(b.Events)-1] }

// Rollback takes back the fields, time and sequence of the event being built, so that
// another decoder can try the same record.
func (b *Batch) Rollback() {
	e := b.Event()
	clear(e.Fields)
	e.Fields, e.Time, e.Sequence, e.Err = e.Fields[:0], NoTime, 0, ""
}

func (b *Batch) add(f Field) {
	if f.Name == "" { // of a JSON member: the store would take it for its message
		f.Name = "unnamed"
	}
	e := &b.Events[len(b.Events)-1]
	if len(e.Fields) == cap(e.Fields) {
		b.grow(e)
	}
	e.Fields = append(e.Fields, f)
}

// grow moves the fields of the event being built to a slab with room for more.
func (b *Batch) grow(e *Event) {
	cur := e.Fields
	var next []Field
	if n := len(b.free); n > 0 && 2*len(cur) <= slabFields {
		next, b.free = b.free[n-1], b.free[:n-1]
	} else {
		// The first slabs are small: many a batch holds one record, or few.
		next = make([]Field, 0, max(min(slabFields, max(firstFields, 4*cap(b.slab))), 2*len(cur)))
	}
	if cap(b.slab) > 0 {
		b.full = append(b.full, b.slab[:cap(b.slab)])
	}
	b.slab, b.open = next, len(b.Events)
	e.Fields = append(next, cur...)
}

// Add adds a text field; an empty value is no field.
func (b *Batch) Add(name, value string) {
	if value != "" {
		b.add(Field{Name: name, Value: value})
	}
}

// AddKind adds a field whose value is already the text of the given kind. An
// empty value is kept: it says the record had the field and it was empty.
func (b *Batch) AddKind(name, value string, kind Kind) {
	b.add(Field{Name: name, Value: value, Kind: kind})
}

// AddInt adds a whole number.
func (b *Batch) AddInt(name string, n int64) {
	b.add(Field{Name: name, Value: b.int(n), Kind: Number})
}

// AddNumber adds a number that the record spells in plain decimal digits with
// an optional sign and fraction; anything else is added as text.
func (b *Batch) AddNumber(name, digits string) {
	if digits == "" {
		return
	}
	k := Number
	if !isNumber(digits) {
		k = String
	}
	b.add(Field{Name: name, Value: digits, Kind: k})
}

// AddBool adds a truth value.
func (b *Batch) AddBool(name string, v bool) {
	b.add(Field{Name: name, Value: strconv.FormatBool(v), Kind: Bool})
}

// AddFloat adds a number with the fewest digits that give it back.
func (b *Batch) AddFloat(name string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	var buf [32]byte
	b.add(Field{Name: name, Value: b.Bytes(strconv.AppendFloat(buf[:0], v, 'g', -1, 64)), Kind: Number})
}

// Set replaces the named field of the event being built, or adds it.
func (b *Batch) Set(name, value string) {
	fields := b.Event().Fields
	for i := range fields {
		if fields[i].Name == name {
			fields[i].Value, fields[i].Kind = value, String
			return
		}
	}
	b.Add(name, value)
}

// Bytes copies p into the batch's arena and returns it as a string.
func (b *Batch) Bytes(p []byte) string {
	if len(p) == 0 {
		return ""
	}
	if len(p) > arenaBytes/4 {
		return string(p)
	}
	if len(p) > cap(b.arena)-len(b.arena) {
		b.arena = make([]byte, 0, min(arenaBytes, max(firstArena, 4*cap(b.arena), 4*len(p))))
	}
	n := len(b.arena)
	b.arena = append(b.arena, p...)
	return unsafeString(b.arena[n:])
}

func (b *Batch) int(n int64) string {
	if 0 <= n && n < 100 {
		return strconv.Itoa(int(n)) // strconv keeps these without allocating
	}
	var buf [20]byte
	return b.Bytes(strconv.AppendInt(buf[:0], n, 10))
}

func isNumber(s string) bool {
	i := 0
	if s[0] == '-' {
		i++
	}
	digits, dot := 0, false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c == '.' && !dot && digits > 0 && i+1 < len(s):
			dot = true
		default:
			return false
		}
	}
	if digits == 0 || len(s) > 40 {
		return false
	}
	first := s
	if first[0] == '-' {
		first = first[1:]
	}
	return len(first) == 1 || first[0] != '0' || first[1] == '.' // JSON has no leading zeros
}
