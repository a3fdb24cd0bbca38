package format

import (
	"bytes"

	"github.com/sextant-logs/sextant/internal/timestamp"
)

// DateScanner feeds years with the dates of a source's lines: the first pass
// over formats whose stamps have no year. The function it returns is given the
// source's bytes in order, cut anywhere; nil for formats that need no such pass.
func (f *Format) DateScanner(years *timestamp.Years) func(p []byte) {
	if f.Date == nil {
		return nil
	}
	var head []byte // beginning of a line whose end has not come
	var offset int64
	const enough = 256 // bytes of a line that Date may want
	return func(p []byte) {
		for len(p) > 0 {
			i := bytes.IndexByte(p, '\n')
			part := p
			if i >= 0 {
				part = p[:i]
			}
			line := part
			if len(head) > 0 || i < 0 {
				head = append(head, part[:min(len(part), enough-min(enough, len(head)))]...)
				line = head
			}
			if i < 0 {
				offset += int64(len(p))
				return
			}
			if month, day, ok := f.Date(line[:min(len(line), enough)]); ok {
				years.Add(offset+int64(i), month, day) // the line's end: no chunk begins within
			}
			head = head[:0]
			offset += int64(i + 1)
			p = p[i+1:]
		}
	}
}
