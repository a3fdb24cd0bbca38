package format

import (
	"bytes"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/otlp"
)

// OpenTelemetry logs as the collector's file exporter writes them (OTLP/JSON, one export request a
// line: resources, scopes and their log records within each other). Every log record is
// an event whose original is its own text; what is around it is structure.
// https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
var _ = register(Format{
	Name:  "otlp.json",
	Title: "OpenTelemetry logs (OTLP JSON lines)",
	Group: "general",
	Recognise: func(s *Sample) int {
		head := bytes.TrimLeft(s.Head[:min(len(s.Head), 4<<10)], " \t\r\n")
		if len(head) == 0 || head[0] != '{' {
			return 0
		}
		if rest := bytes.TrimLeft(head[1:], " "); bytes.HasPrefix(rest, []byte(`"resourceLogs"`)) {
			return 97
		}
		return 0
	},
	Frame:  func(r io.Reader) Framer { return &lineFramer{r: r, most: maxOTLPLine} },
	Decode: func(p *Params) Decoder { return &otlpChunks{p: p} },
})

// maxOTLPLine bounds a request: exporters batch some thousand records in one.
const maxOTLPLine = 16 << 20

type otlpChunks struct{ p *Params }

// Decode implements Decoder.
func (d *otlpChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	document, fallback := newJSONDecoder(d.p), newTextDecoder(d.p)
	done := func() {
		if d.p.Done != nil {
			d.p.Done(b)
		}
	}
	for data, offset := c.Data, c.Offset; len(data) > 0; {
		size, end := line(data)
		request := data[:end]
		switch records, docs, err := otlpRecords(request); {
		case isBlank(request):
		case err == nil:
			for i, r := range records {
				raw := event.View(request[r[0]:r[1]])
				b.Begin(offset+int64(r[0]), raw)
				if err := document(event.View(docs[i]), b); err != nil {
					b.Rollback()
					fallback(raw, b)
					b.Event().Err = err.Error()
				} else if b.Event().Get("event.dataset") == "json" {
					b.Set("event.dataset", "otlp.json")
				}
				done()
				n.Events += int64(r[1] - r[0])
			}
		default:
			raw := event.View(request[:min(end, MaxRecord)])
			b.Begin(offset, raw)
			if document(raw, b) != nil {
				b.Rollback()
				fallback(raw, b)
			}
			b.Event().Err = err.Error()
			done()
			n.Events += int64(len(raw))
			if end > MaxRecord {
				n.Refused += int64(end - MaxRecord)
				n.Refusals = append(n.Refusals, Refusal{Offset: offset + MaxRecord, Length: int64(end - MaxRecord), Reason: "record longer than 512 KiB: the rest was cut off"})
			}
		}
		offset += int64(size)
		data = data[size:]
	}
	for _, r := range c.Refused {
		n.Refused += r.Length
	}
	n.Refusals = append(n.Refusals, c.Refused...)
	n.Structure = int64(len(c.Data)) - n.Events
	for _, r := range n.Refusals[:len(n.Refusals)-len(c.Refused)] {
		n.Structure -= r.Length
	}
	return n
}

// otlpRecords are the log records of a request: where each stands in it, and what it is as a document.
func otlpRecords(request []byte) (records [][2]int, docs [][]byte, err error) {
	if memberAt(request, 0, "resourceLogs") < 0 {
		return nil, nil, errorString("not a request of log records")
	}
	var u plog.JSONUnmarshaler
	logs, err := u.UnmarshalLogs(request)
	if err != nil {
		return nil, nil, fmt.Errorf("OTLP: %w", err)
	}
	elementsAt(request, memberAt(request, 0, "resourceLogs"), func(resource int) {
		elementsAt(request, memberAt(request, resource, "scopeLogs"), func(scope int) {
			elementsAt(request, memberAt(request, scope, "logRecords"), func(record int) {
				records = append(records, [2]int{record, valueEnd(request, record)})
			})
		})
	})
	for i := range logs.ResourceLogs().Len() {
		rl := logs.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(j)
			for k := range sl.LogRecords().Len() {
				docs = append(docs, otlp.Document(rl.Resource(), sl.Scope(), sl.LogRecords().At(k), 0))
			}
		}
	}
	if len(docs) != len(records) || len(docs) == 0 {
		return nil, nil, fmt.Errorf("OTLP: %d log records at %d places", len(docs), len(records))
	}
	return records, docs, nil
}

// valueEnd is behind the value that begins at p[i].
func valueEnd(p []byte, i int) int {
	if i < len(p) && p[i] == '"' {
		if end := stringEnd(p, i); end > 0 {
			return end
		}
		return len(p)
	}
	var v valueScanner
	n, _ := v.feed(p[i:])
	return i + n
}

// memberAt is where the value of the object's member begins, -1 if there is none or p[i]
// begins no object.
func memberAt(p []byte, i int, name string) int {
	i = skipSpace(p, i)
	if i < 0 || i >= len(p) || p[i] != '{' {
		return -1
	}
	for i = skipSpace(p, i+1); i < len(p) && p[i] == '"'; {
		end := stringEnd(p, i)
		if end < 0 {
			return -1
		}
		key := p[i+1 : end-1]
		if i = skipSpace(p, end); i >= len(p) || p[i] != ':' {
			return -1
		}
		i = skipSpace(p, i+1)
		if string(key) == name {
			return i
		}
		if i = skipSpace(p, valueEnd(p, i)); i >= len(p) || p[i] != ',' {
			return -1
		}
		i = skipSpace(p, i+1)
	}
	return -1
}

// elementsAt calls f with where each element of the array begins that begins at p[i].
func elementsAt(p []byte, i int, f func(at int)) {
	if i < 0 || i >= len(p) || p[i] != '[' {
		return
	}
	for i = skipSpace(p, i+1); i < len(p) && p[i] != ']'; {
		f(i)
		next := skipSpace(p, valueEnd(p, i))
		if next <= i || next >= len(p) || p[next] != ',' {
			return
		}
		i = skipSpace(p, next+1)
	}
}
