package format

import (
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// A line that another record carries (an agent's document, a container's log) is
// recognised on its own, by the same tests that recognise a source.

// carriedLogs are the formats a lone line can be told to be of.
var carriedLogs = sync.OnceValue(func() []*Format {
	var fs []*Format
	for _, f := range All() {
		if f.Lines == nil || f.Header != nil || f.JSON != nil && f.Frame != nil || f.Recognise == nil {
			continue
		}
		switch f.Name {
		case "text", "text.stamped", "csv", "docker.json", "containerd.cri": // a lone line is never one of these, or always
			continue
		}
		fs = append(fs, f)
	}
	return fs
})

// sureLine is how sure a format must be of a carried line.
const sureLine = 75

type lineRouter struct {
	p        *Params
	decoders map[*Format]LineDecoder
	last     *Format   // which the line before was of: it is tried first
	hint     string    // that line's
	sure     int       // how sure a format must be
	not      [2]string // formats that are none of them

	sample Sample
	shapes map[string]*Format // by hint and line with all its digits alike; nil where no format knows it
	shape  []byte
}

const (
	maxLineShapes = 512
	maxLineShape  = 512 // bytes; longer lines are seldom alike
)

func newLineRouter(p *Params) *lineRouter {
	return &lineRouter{p: p, sure: sureLine, decoders: map[*Format]LineDecoder{}, shapes: map[string]*Format{}}
}

// decode decodes the line if it is of a known format, and reports whether it is. The
// hint is what the carrier says of it (a path, a data set): it decides between formats
// that are equally sure.
func (d *lineRouter) decode(line, hint string, b *event.Batch) bool {
	if len(line) < 8 {
		return false
	}
	f := d.format(line, hint)
	if f == nil {
		return false
	}
	decode := d.decoders[f]
	if decode == nil {
		decode = f.Lines(d.p)
		d.decoders[f] = decode
	}
	if decode(line, b) != nil {
		b.Rollback()
		return false
	}
	return true
}

// format is the format of the line, nil for none that is known. To ask all formats
// takes longer than to decode the line, and what a program prints is much alike: lines that differ in nothing but
// the digits of their numbers are of one format.
func (d *lineRouter) format(line, hint string) *Format {
	alike := len(line) <= maxLineShape
	if alike {
		d.shape = append(append(d.shape[:0], hint...), 0)
		for i := range len(line) {
			c := line[i]
			if c-'0' < 10 {
				c = '0'
			}
			d.shape = append(d.shape, c)
		}
		if f, ok := d.shapes[string(d.shape)]; ok {
			if f != nil {
				d.last, d.hint = f, hint
			}
			return f
		}
	}
	f := d.search(line, hint)
	if alike {
		if len(d.shapes) >= maxLineShapes {
			clear(d.shapes)
		}
		d.shapes[string(d.shape)] = f
	}
	return f
}

func (d *lineRouter) search(line, hint string) *Format {
	s := &d.sample
	if head := line[:min(len(line), 8<<10)]; strings.IndexByte(head, '\n') < 0 {
		*s = Sample{Name: hint, Head: []byte(head), Lines: s.Lines[:0], Whole: true}
		if l := strings.TrimRight(head, "\r \t"); l != "" {
			s.Lines = append(s.Lines, l)
		}
	} else {
		*s = *NewSample(hint, []byte(head), true)
	}
	if len(s.Lines) == 0 {
		return nil
	}
	f := d.last
	if f == nil || hint != d.hint || f.Recognise(s) < 90 {
		f = nil
		best := d.sure - 1
		for _, c := range carriedLogs() {
			if d.not[0] == c.Name || d.not[1] == c.Name {
				continue
			}
			if n := c.Recognise(s); n > best {
				best, f = n, c
			}
		}
	}
	if f != nil {
		d.last, d.hint = f, hint
	}
	return f
}
