package format

import (
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
		case "text", "csv", "docker.json", "containerd.cri":
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
	last     *Format // which the line before was of: it is tried first
	hint     string  // that line's
	sure     int     // how sure a format must be
	not      string  // a format that is none of them
}

func newLineRouter(p *Params) *lineRouter {
	return &lineRouter{p: p, sure: sureLine, decoders: map[*Format]LineDecoder{}}
}

// decode decodes the line if it is of a known format, and reports whether it is. The
// hint is what the carrier says of it (a path, a data set): it decides between formats
// that are equally sure.
func (d *lineRouter) decode(line, hint string, b *event.Batch) bool {
	if len(line) < 8 {
		return false
	}
	s := NewSample(hint, []byte(line[:min(len(line), 8<<10)]), true)
	if len(s.Lines) == 0 {
		return false
	}
	f := d.last
	if f == nil || hint != d.hint || f.Recognise(s) < 90 {
		f = nil
		best := d.sure - 1
		for _, c := range carriedLogs() {
			if c.Name == d.not {
				continue
			}
			if n := c.Recognise(s); n > best {
				best, f = n, c
			}
		}
	}
	if f == nil {
		return false
	}
	d.last, d.hint = f, hint
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
