package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Many a program of no decoder writes the lines of another log to syslog or the journal: a web server its
// access log, an application its JSON, a container runtime whatever is within. Such a text is recognised as
// a line of that log. Another syslog header is not believed, nor a line of the kernel's: who may write to one
// program's log would write in the name of any other.
type carriedText struct {
	lines  *lineRouter
	json   LineDecoder
	clock  *timestamp.Clock
	batch  event.Batch
	misses map[string]int // texts of a program that nobody knew, before the first that somebody did
}

const (
	maxMisses   = 16      // then a program's texts are not tried any more,
	maxMissTags = 1 << 10 // nor those of programs beyond so many
)

func newCarriedText() *carriedText {
	p := &Params{Clock: timestamp.NewClock(nil, 0)}
	lines := newLineRouter(p)
	lines.not = [2]string{"syslog", "dmesg"}
	return &carriedText{lines: lines, json: newJSONDecoder(p), clock: p.Clock, misses: map[string]int{}}
}

// decode adds what the text says as a line of a known log, and reports whether it is one.
func (c *carriedText) decode(m *message, b *event.Batch) bool {
	text := strings.TrimPrefix(m.Text, "@cee:") // Common Event Expression's cookie
	if len(text) < 16 || m.Tag == "" {
		return false
	}
	text = strings.TrimLeft(text, " ")
	missed := c.misses[m.Program]
	if missed >= maxMisses || missed == 0 && len(c.misses) >= maxMissTags {
		return false
	}
	if e := b.Event(); e.Time != event.NoTime {
		c.clock.Seen(e.Time)
	}
	c.batch.Reset()
	c.batch.Begin(0, text)
	known := false
	if text[0] == '{' {
		known = c.json(text, &c.batch) == nil
	} else {
		known = c.lines.decode(text, m.Program, &c.batch)
	}
	if !known {
		if missed >= 0 {
			c.misses[m.Program] = missed + 1
		}
		return false
	}
	c.misses[m.Program] = -1 // always tried
	e := b.Event()
	own := len(e.Fields)
	has := func(name string) bool {
		for i := range own {
			if e.Fields[i].Name == name {
				return true
			}
		}
		return false
	}
	for _, f := range c.batch.Event().Fields {
		switch {
		case f.Name == "event.dataset":
			if f.Value != "json" {
				m.Dataset = f.Value
			}
		case f.Name == "message":
			m.Message = f.Value
		case !has(f.Name):
			b.AddKind(f.Name, f.Value, f.Kind)
		}
		e = b.Event()
	}
	if e.Time == event.NoTime {
		e.Time = c.batch.Event().Time
	}
	return true
}
