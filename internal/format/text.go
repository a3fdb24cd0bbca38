package format

import "github.com/sextant-logs/sextant/internal/event"

// newTextDecoder returns the decoder of last resort.
func newTextDecoder(p *Params) func(line string, b *event.Batch) {
	return func(line string, b *event.Batch) {
		b.Add("event.dataset", "text")
		b.Add("message", line)
		p.Clock.NoTime()
	}
}
