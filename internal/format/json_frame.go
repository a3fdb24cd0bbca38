package format

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// JSON logs come in three shapes: an object a line (most; cut by lines, and a
// broken line costs only itself), objects that follow one another over many lines,
// and one document that holds the records in an array, bare or in an envelope
// ({"Records":[…]}). The latter two are cut at the records' braces.

// frameJSON is the Frame of every format whose records are JSON objects.
func frameJSON(r io.Reader) Framer { return &jsonFramer{r: r} }

// decodeJSON is their Decode; lines decodes the text of one object.
func decodeJSON(lines func(*Params) LineDecoder) func(*Params) Decoder {
	f := &Format{Lines: lines}
	return func(p *Params) Decoder { return &jsonChunks{f: f, p: p} }
}

type jsonFramer struct {
	r       io.Reader
	lines   Framer // when the source is an object a line
	decided bool

	buf    []byte
	offset int64
	err    error
	cut    jsonCutter
}

// Next implements Framer.
func (f *jsonFramer) Next() (*Chunk, error) {
	if !f.decided {
		for f.err == nil && len(f.buf) < maxHead {
			f.fill()
		}
		f.decided = true
		if !isJSONStream(f.buf) {
			f.lines = &lineFramer{r: io.MultiReader(bytes.NewReader(f.buf), readerOf(f.r, f.err))}
			f.buf = nil
		}
	}
	if f.lines != nil {
		return f.lines.Next()
	}
	header := f.cut.header()
	end := 0 // of the last whole part
	for {
		n, _ := f.cut.next(f.buf[end:], f.err != nil)
		if n > 0 {
			if end += n; end >= chunkBytes {
				return f.take(end, header), nil
			}
			continue
		}
		switch {
		case f.err != nil && end > 0:
			return f.take(end, header), nil
		case f.err != nil:
			return nil, f.err
		case len(f.buf) >= MaxRecord && end > 0:
			return f.take(end, header), nil
		case len(f.buf) >= MaxRecord:
			return f.oversized(header), nil
		}
		f.fill()
	}
}

func readerOf(r io.Reader, err error) io.Reader {
	if err == nil {
		return r
	}
	return failed{err}
}

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

func (f *jsonFramer) take(n int, header []string) *Chunk {
	c := &Chunk{Data: f.buf[:n:n], Offset: f.offset, Header: header}
	f.offset += int64(n)
	rest := f.buf[n:]
	if f.buf = nil; len(rest) > 0 || f.err == nil {
		f.buf = make([]byte, len(rest), max(chunkBytes+chunkBytes/4, len(rest)))
		copy(f.buf, rest)
	}
	return c
}

// oversized returns the first MaxRecord bytes of a record that is longer and
// skips to its end.
func (f *jsonFramer) oversized(header []string) *Chunk {
	c := f.take(MaxRecord, header)
	var v valueScanner
	v.feed(c.Data)
	start := f.offset
	for {
		n, done := v.feed(f.buf)
		f.offset += int64(n)
		f.buf = append(f.buf[:0], f.buf[n:]...)
		if done || f.err != nil {
			break
		}
		f.fill()
	}
	c.Refused = []Refusal{{Offset: start, Length: f.offset - start, Reason: "record longer than 512 KiB: the rest was cut off"}}
	return c
}

func (f *jsonFramer) fill() {
	lf := lineFramer{r: f.r, buf: f.buf, err: f.err}
	lf.fill()
	f.buf, f.err = lf.buf, lf.err
}

// isJSONStream says how a source that begins with head is to be cut: at braces,
// or at line ends.
func isJSONStream(head []byte) bool {
	i := skipSpace(head, 0)
	if i == len(head) {
		return false
	}
	if head[i] == '[' {
		i = skipSpace(head, i+1)
		return i < len(head) && (head[i] == '{' || head[i] == ']')
	}
	if head[i] != '{' {
		return false
	}
	if _, _, ok := envelope(head[i:], false); ok {
		return true
	}
	var v valueScanner
	n, done := v.feed(head[i:])
	if nl := bytes.IndexByte(head[i:i+n], '\n'); nl >= 0 {
		if nl > 1 && i+nl+1 < len(head) && head[i+nl+1] == '{' {
			return false // a line that is broken, and the next object
		}
		// Over several lines, or a line that was cut off in the middle of a
		// string, which JSON forbids to hold a line end.
		return done && !v.broken || !done
	}
	// Several on a line, or the middle of an array whose bracket is elsewhere: "{…},"?
	comma := false
	for j := i + n; j < len(head); j++ {
		switch head[j] {
		case '\n':
			return comma
		case '{':
			return true
		case ',':
			comma = true
		case ' ', '\t', '\r':
		default:
			comma = false
		}
	}
	return false
}

// envelopeKeys are the members under which products put an array of records.
var envelopeKeys = map[string]bool{
	"Records": true, "records": true, "events": true, "Events": true, "logs": true, "logEvents": true, "value": true,
	"entries": true, "items": true, "results": true, "Findings": true, "findings": true, "alerts": true,
}

const (
	maxEnvelope     = 8 << 10
	maxRecordLooked = 64 << 10 // of a record in a body
)

// envelope reports whether the object at the start of p is an envelope and
// measures it up to and with the bracket of its records; n is -1 where p ends
// too early to tell. An object with a time of its own is a record. within says that the records
// stand in a member's object, as Azure's do in the documents of an event hub's messages: {"body":{"records":[…]},…}.
func envelope(p []byte, final bool) (n int, within, ok bool) {
	n, ok = envelopeOf(p, final, 1, &within)
	return n, within, ok
}

func envelopeOf(p []byte, final bool, depth int, within *bool) (n int, ok bool) {
	i := skipSpace(p, 1)
	for i < len(p) && i < maxEnvelope && p[i] == '"' {
		j := stringEnd(p, i)
		if j < 0 {
			return -1, false
		}
		key := p[i+1 : j-1]
		if timeRank(string(key)) > 0 {
			return 0, false
		}
		if i = skipSpace(p, j); i >= len(p) || p[i] != ':' {
			break
		}
		i = skipSpace(p, i+1)
		if i < len(p) && p[i] == '{' && depth > 0 && strings.EqualFold(string(key), "body") {
			m, ok := envelopeOf(p[i:], final, 0, within)
			if *within = ok; ok {
				return i + m, true
			}
			if m < 0 {
				return -1, false
			}
		}
		if i < len(p) && p[i] == '[' && envelopeKeys[string(key)] {
			k := skipSpace(p, i+1)
			if depth == 0 && k < len(p) { // another program's body is a part of its record
				var v valueScanner
				m, done := v.feed(p[k:])
				if !done && !final && m < maxRecordLooked {
					return -1, false
				}
				if string(key) != "records" || !bytes.Contains(p[k:k+m], []byte(`"resourceId"`)) {
					return 0, false
				}
			}
			if k < len(p) && p[k] == '{' || k == len(p) && final {
				return i + 1, true
			}
		}
		var v valueScanner
		m, done := v.feed(p[i:])
		if !done {
			i += m
			break
		}
		if string(key) == "id" && jsonMember(event.View(p[i:i+m]), "time") != "" {
			return 0, false // a record whose id holds its time, as Google Workspace's
		}
		i = skipSpace(p, i+m)
		if i < len(p) && p[i] == '}' {
			return 0, false
		}
		if i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	if i >= len(p) && len(p) < maxEnvelope {
		return -1, false
	}
	return 0, false
}

// jsonCutter cuts a stream of JSON into records and what stands between them.
type jsonCutter struct {
	state  byte   // where in the stream it is
	prefix string // the envelope's text before its records; behind "[" in an array, and "{" where they stand in a member's object
}

const (
	topLevel    = byte('0') // between documents
	inArray     = byte('1') // in an array of records
	inEnvelope  = byte('2') // in an envelope's array
	endEnvelope = byte('3') // behind it
	newArray    = byte('4') // at an element of an array that may be an envelope: the first, or one behind one
)

// header says at which state a chunk begins, for its decoder.
func (c *jsonCutter) header() []string {
	if c.state == 0 {
		c.state = topLevel
	}
	return []string{string(c.state), c.prefix}
}

func cutterOf(header []string) jsonCutter { return jsonCutter{header[0][0], header[1]} }

// next measures the part of the stream at the start of p: a record, or
// structure between records. 0 says that p ends before the part does; never so
// when final says that nothing follows, unless p is empty.
func (c *jsonCutter) next(p []byte, final bool) (n int, record bool) {
	if c.state == 0 {
		c.state = topLevel
	}
	for n < len(p) && (isSpace(p[n]) || p[n] == ',' && c.state != endEnvelope || p[n] == 0x1e) { // RFC 7464 puts RS before each text
		n++
	}
	if n > 0 || len(p) == 0 {
		return n, false
	}
	switch c.state {
	case topLevel:
		switch p[0] {
		case '[':
			c.state = newArray
			return 1, false
		case '{':
			n, within, ok := envelope(p, final)
			if ok {
				c.state, c.prefix = inEnvelope, string(p[:n])
				if within {
					c.prefix = "{" + c.prefix
				}
				return n, false
			}
			if n < 0 && !final {
				return 0, false
			}
		default: // no JSON: a line of something
			if i := bytes.IndexByte(p, '\n'); i >= 0 {
				return i, true
			}
			if !final {
				return 0, false
			}
			return len(p), true
		}
	case newArray, inArray, inEnvelope:
		if p[0] == ']' {
			if c.state != inEnvelope {
				c.state = topLevel
			} else {
				c.state = endEnvelope
			}
			return 1, false
		}
		if c.state == newArray { // an event hub's messages: [{"records":[…]},…]
			if p[0] == '{' {
				n, within, ok := envelope(p, final)
				if ok {
					c.state, c.prefix = inEnvelope, "["+string(p[:n])
					if within {
						c.prefix = "[{" + string(p[:n])
					}
					return n, false
				}
				if n < 0 && !final {
					return 0, false
				}
			}
			c.state = inArray
		}
	case endEnvelope:
		return c.envelopeEnd(p, final), false
	}
	var v valueScanner
	n, done := v.feed(p)
	if !done {
		if !final {
			return 0, false
		}
		return len(p), true
	}
	if n == 0 { // a closing brace that nothing opened
		n = 1
	}
	return n, true
}

// envelopeEnd measures one member behind an envelope's records, or its end.
func (c *jsonCutter) envelopeEnd(p []byte, final bool) int {
	if p[0] == '}' {
		if array, inner, ok := strings.Cut(c.prefix, "{{"); ok && (array == "" || array == "[") {
			c.prefix = array + "{" + inner // of the member; that around it ends later
			return 1
		}
		if c.state = topLevel; strings.HasPrefix(c.prefix, "[") {
			c.state = newArray
		}
		c.prefix = ""
		return 1
	}
	i := 0
	if p[0] == ',' {
		i = skipSpace(p, 1)
	}
	if i < len(p) && p[i] == '"' {
		if j := stringEnd(p, i); j > 0 {
			if k := skipSpace(p, j); k < len(p) && p[k] == ':' {
				i = skipSpace(p, k+1)
				if i < len(p) && p[i] == '[' {
					if k := skipSpace(p, i+1); k < len(p) && p[k] == '{' {
						c.state = inEnvelope
						return i + 1
					}
				}
				var v valueScanner
				if n, done := v.feed(p[i:]); done && n > 0 {
					return i + n
				}
			} else if k < len(p) {
				c.state = topLevel // this is no JSON any more
				return j
			}
		}
		if !final {
			return 0
		}
		return len(p)
	}
	if i >= len(p) && !final {
		return 0
	}
	c.state = topLevel
	return max(i, 1)
}

// valueScanner finds the end of a JSON value that may come in pieces.
type valueScanner struct {
	depth    int
	inString bool
	escape   bool
	begun    bool
	broken   bool // it ended at a line end within a string
}

// feed takes the next piece and returns how much of it belongs to the value,
// and whether the value ends there. A scalar ends before a comma, a bracket or a blank.
func (v *valueScanner) feed(p []byte) (n int, done bool) {
	for i := 0; i < len(p); {
		if v.inString {
			if v.escape {
				v.escape = false
				i++
				continue
			}
			if i = event.StringPause(p, i); i >= len(p) {
				break
			}
			switch c := p[i]; {
			case c == '"':
				v.inString = false
				if v.depth == 0 {
					return i + 1, true
				}
			case c == '\\':
				v.escape = true
			case c == '\n':
				v.broken = true
				return i, true
			}
			i++
			continue
		}
		switch c := p[i]; c {
		case '"':
			if v.begun && v.depth == 0 {
				return i, true
			}
			v.inString, v.begun = true, true
		case '{', '[':
			if v.begun && v.depth == 0 {
				return i, true
			}
			v.depth++
			v.begun = true
		case '}', ']':
			if v.depth == 0 {
				return i, true
			}
			if v.depth--; v.depth == 0 {
				return i + 1, true
			}
		case ',', ' ', '\t', '\r', '\n':
			if v.depth == 0 && v.begun {
				return i, true
			}
		default:
			v.begun = true
		}
		i++
	}
	return len(p), false
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func skipSpace(p []byte, i int) int {
	for i < len(p) && isSpace(p[i]) {
		i++
	}
	return i
}

// stringEnd is the index behind the string at i, -1 where it does not end.
func stringEnd(p []byte, i int) int {
	for i++; i < len(p); i++ {
		switch p[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// jsonChunks decodes the chunks of a jsonFramer.
type jsonChunks struct {
	f *Format
	p *Params
}

// Decode implements Decoder.
func (d *jsonChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	if len(c.Header) < 2 || c.Header[0] == "" {
		return (&lineChunks{f: d.f, p: d.p}).Decode(c, b)
	}
	var n Bytes
	cut := cutterOf(c.Header)
	envelopes := envelopePool.Get().(*envelopeScanner)
	defer envelopePool.Put(envelopes)
	outer := envelopes.fields(cut.prefix, b)
	decode, fallback := d.f.Lines(d.p), newTextDecoder(d.p)
	for data, offset := c.Data, c.Offset; len(data) > 0; {
		before := cut.prefix
		size, record := cut.next(data, true)
		if cut.prefix != before {
			outer = envelopes.fields(cut.prefix, b)
		}
		if !record {
			n.Structure += int64(size)
		} else {
			raw := event.View(data[:size])
			b.Begin(offset, raw)
			if err := decode(raw, b); err != nil {
				b.Rollback()
				fallback(raw, b)
				b.Event().Err = err.Error()
			}
			for _, f := range outer {
				b.AddKind(f.Name, f.Value, f.Kind)
			}
			if d.p.Done != nil {
				d.p.Done(b)
			}
			n.Events += int64(size)
		}
		data = data[size:]
		offset += int64(size)
	}
	n.refuse(c)
	return n
}

// envelopeScanner reads what stands in envelopes beside their records.
type envelopeScanner struct {
	scan  event.Scanner
	names map[*event.Name]string // in events, of names of the scanner
	out   []event.Field
}

var envelopePool = sync.Pool{New: func() any { return &envelopeScanner{names: map[*event.Name]string{}} }}

const maxEnvelopeNames = 4096

// fields are the scalars that stand in an envelope before its records: they hold
// for each of them. They are valid until the next call, and as long as b is.
func (s *envelopeScanner) fields(prefix string, b *event.Batch) []event.Field {
	if prefix == "" {
		return nil
	}
	text, within := strings.CutPrefix(strings.TrimPrefix(prefix, "["), "{{")
	if text += "]}"; within {
		text = "{" + text + "}"
	}
	leaves, err := s.scan.Scan(text, b)
	if err != nil {
		return nil
	}
	s.out = s.out[:0]
	for _, l := range leaves[:min(len(leaves), 32)] {
		name := s.names[l.Name]
		if name == "" {
			if len(s.names) >= maxEnvelopeNames {
				clear(s.names)
			}
			name = "json.envelope." + l.Name.Path
			s.names[l.Name] = name
		}
		s.out = append(s.out, event.Field{Name: name, Value: l.Value, Kind: l.Kind})
	}
	return s.out
}

// jsonRecords returns the first objects of a sample as text.
func jsonRecords(s *Sample) []string {
	const enough = 16
	var out []string
	if !isJSONStream(s.Head) {
		for _, l := range s.Lines[:min(len(s.Lines), 4*enough)] {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, "{") && len(out) < enough {
				out = append(out, l)
			}
		}
		return out
	}
	var cut jsonCutter
	for data := s.Head; len(data) > 0 && len(out) < enough; {
		n, record := cut.next(data, s.Whole)
		if n == 0 {
			break
		}
		if record && data[0] == '{' {
			out = append(out, string(data[:n]))
		}
		data = data[n:]
	}
	return out
}

// jsonShare is the percentage of a sample's records for which match holds, 0
// unless most of the sample is JSON.
func jsonShare(s *Sample, match func(record string) bool) int {
	i := skipSpace(s.Head, 0)
	if i == len(s.Head) || s.Head[i] != '{' && s.Head[i] != '[' {
		return 0
	}
	records, n := jsonRecords(s), 0
	for _, r := range records {
		if match(r) {
			n++
		}
	}
	if len(records) == 0 {
		return 0
	}
	return 100 * n / len(records)
}

// jsonLeaves is jsonShare for formats that ask for names at their place in the
// record: has reports whether it has a leaf of that dotted name.
func jsonLeaves(s *Sample, match func(has func(path string) bool) bool) int {
	var sc event.Scanner
	var b event.Batch
	b.Begin(0, "")
	return jsonShare(s, func(r string) bool {
		leaves, err := sc.Scan(r, &b)
		return err == nil && match(func(path string) bool {
			for i := range leaves {
				if leaves[i].Name.Path == path {
					return true
				}
			}
			return false
		})
	})
}
