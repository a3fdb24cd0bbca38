// Package format recognises log formats and decodes them to ECS events.
//
// A format is one file of this package that registers one [Format] value, and
// one folder testdata/NAME with *.log inputs and the *.golden.jsonl they decode
// to. Nothing else needs an edit:
//
//	var _ = register(Format{
//		Name:      "vendor.product",
//		Title:     "Vendor Product log",
//		Recognise: func(s *Sample) int { return s.Share(looksLikeProduct) },
//		Lines:     func(p *Params) LineDecoder { return (&product{p.Clock}).decode },
//	})
//
// Bytes flow through a format in two steps. A [Framer] cuts the source's stream
// into [Chunk]s that end where a record ends; it is cheap and runs in order. A
// [Decoder] turns one chunk into events; chunks are decoded in parallel, so a
// decoder knows nothing of the chunk before but what Params and the chunk's Header say.
//
// A record that its format's decoder does not understand still becomes an event:
// the plain-text decoder gets what can be got from it, and error.message says why.
package format

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Format is one log format: how it is recognised, framed and decoded.
type Format struct {
	Name  string // as in --format and, unless the decoder says otherwise, event.dataset: "apache.access"
	Title string // for people: "Apache HTTP Server access log"
	Group string // for the list of formats: "auth", "system", "kernel", "network", "web", "database", "audit", "windows", "general"

	// Recognise says how sure it is that the sample is of this format: 0 not at
	// all, 100 certain. It must be cheap and go by content, never by name alone.
	// A general format (syslog, JSON lines) stays at or below 80 and plain text
	// at 1, so that a format which knows more about the content wins.
	Recognise func(s *Sample) int

	// Line formats set Lines; Header and Joins where they have such lines.
	Lines  func(p *Params) LineDecoder
	Header func(line []byte) bool         // the line is no record but governs those that follow ("#Fields: …")
	Joins  func(line []byte) bool         // the line continues the record before it (stack trace)
	Goes   func(before, line string) bool // the same, where it takes a look at the line before it as well
	Blank  bool                           // and does so behind blank lines too
	Joined int                            // the most bytes that joined lines add up to; 0: MaxRecord

	// Date gives month and day of a line whose stamp has no year; nil for
	// formats that write one. See timestamp.Years.
	Date func(line []byte) (month, day int, ok bool)

	// Formats whose records are JSON objects set JSON, which tells a record by the names
	// it has (has("a.b") for {"a":{"b":…}}), and Lines, which decodes the text of one object and
	// refuses what is not its own: that goes to the format that knows it. Recognise, Frame and
	// Decode follow from these two. JSONScore is how sure a sample of nothing but such records is; 0: 95.
	JSON      func(has func(path string) bool) bool
	JSONScore int

	// Formats that are not lines set these two instead of Lines.
	Frame  func(r io.Reader) Framer
	Decode func(p *Params) Decoder
	UTF8   bool // Decode makes UTF-8 of whatever is in the source by itself
}

// Params is what a decoder is told of the source before a chunk.
type Params struct {
	Clock   *timestamp.Clock   // reads stamps; it starts at the chunk's place in time
	Recover bool               // also take records from unused and damaged parts of binary logs
	Done    func(*event.Batch) // nil, or called when an event is complete, while it still is the batch's last

	// Skim, if not nil, may be asked of an event that has its record's own fields but not yet what follows from them: the other ECS
	// fields and event.original. category is the first event.category it will get. If it says no, the rest is left
	// out and the event is Bare. A decoder that does not know the difference never asks.
	Skim func(b *event.Batch, category string) bool

	header []string
}

// Header is the block of header lines that governs the records to come. Lines
// is called anew when it changes, so a decoder reads it once.
func (p *Params) Header() []string { return p.header }

// LineDecoder decodes one record, without its line end, to the event that was
// begun for it. An error means the record is not understood; what it added is
// then taken back. Strings it adds may be parts of line.
type LineDecoder func(line string, b *event.Batch) error

// Decoder decodes the records of a chunk in order, one event each, and says
// what every byte of the chunk was.
type Decoder interface {
	Decode(c *Chunk, b *event.Batch) Bytes
}

// Bytes accounts for a chunk: Events + Structure + Refused = its size.
type Bytes struct {
	Events    int64 // bytes of records
	Structure int64 // line ends, blank and header lines, brackets, padding
	Refused   int64 // bytes that could not become an event; see Refusals
	Refusals  []Refusal
}

// Refusal says why a stretch of the source became no event, or less than all of one.
type Refusal struct {
	Offset, Length int64
	Reason         string
}

// MaxRecord is the most bytes of one record that are kept; the rest is refused.
const MaxRecord = 512 << 10

var registry []*Format

func register(f Format) *Format {
	if f.JSON != nil {
		f.JSONScore = cmp.Or(f.JSONScore, 95)
		if f.Recognise == nil {
			f.Recognise = func(s *Sample) int { return jsonLeaves(s, f.JSON) * f.JSONScore / 100 }
			f.Frame = frameJSON
			f.Decode = decodeJSON(func(p *Params) LineDecoder { return jsonOwn(&f, p) })
		}
	}
	registry = append(registry, &f)
	return &f
}

// All returns every format, ordered by name.
func All() []*Format {
	fs := slices.Clone(registry)
	slices.SortFunc(fs, func(a, b *Format) int { return cmp.Compare(a.Name, b.Name) })
	return fs
}

// Lookup finds a format by name, nil if there is none.
func Lookup(name string) *Format {
	for _, f := range registry {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Recognise returns the format of a sample and how sure it is (1–100). Every
// text is at least "text"; what is neither text nor a known binary format gives nil.
func Recognise(s *Sample) (*Format, int) {
	var best *Format
	score := 0
	for _, f := range All() {
		if f.Recognise == nil {
			continue
		}
		if n := f.Recognise(s); n > score {
			best, score = f, n
		}
	}
	return best, score
}

// Sample is the beginning of a source, by which its format is recognised.
type Sample struct {
	Name  string   // base name without compression suffix; a hint between equals at most
	Head  []byte   // first bytes, at most 64 KiB, decoded to UTF-8
	Lines []string // its complete lines, not blank, at most 256
	Whole bool     // Head is the whole source
}

const (
	maxHead        = 64 << 10
	maxSampleLines = 256
)

// NewSample prepares the beginning of a source. whole says that head is all of it.
func NewSample(name string, head []byte, whole bool) *Sample {
	if len(head) > maxHead {
		head, whole = head[:maxHead], false
	}
	s := &Sample{Name: name, Head: head, Whole: whole}
	rest := head
	for len(rest) > 0 && len(s.Lines) < maxSampleLines {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else if whole || len(s.Lines) == 0 {
			rest = nil
		} else {
			break // cut off in the middle
		}
		if l := strings.TrimRight(string(line), "\r \t"); l != "" {
			s.Lines = append(s.Lines, l)
		}
	}
	return s
}

// Share is the percentage of sample lines for which match holds, rounded up so
// that one line in many still counts; 0 when there are none.
func (s *Sample) Share(match func(line string) bool) int {
	if len(s.Lines) == 0 {
		return 0
	}
	n := 0
	for _, l := range s.Lines {
		if match(l) {
			n++
		}
	}
	return (100*n + len(s.Lines) - 1) / len(s.Lines)
}

// Text reports whether the sample looks like text in any encoding: of what is
// not NUL, few bytes are control characters. In binary data of any entropy they are one
// in ten or more. NUL bytes alone do not make it binary: a file system leaves stretches
// of them in a log when the power fails.
func (s *Sample) Text() bool {
	control, n := 0, 0
	for _, c := range s.Head {
		if c == 0 {
			continue
		}
		n++
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != 0x1b || c == 0x7f {
			control++
		}
	}
	return n > 0 && control*30 <= n
}
