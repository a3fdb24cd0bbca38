package format

import (
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// JSON records of any product: one object a line, objects over many lines, or
// an array of them. Documents that already speak ECS (Beats, Elastic Agent,
// ecs-logging) pass as they are; other records keep their own names, dotted, and
// get the ECS fields that their names and values make certain.
var _ = register(Format{
	Name:      "json",
	Title:     "JSON records with any field names",
	Group:     "general",
	Recognise: recogniseJSON,
	Frame:     frameJSON,
	Decode:    decodeJSON(newJSONDecoder),
})

func recogniseJSON(s *Sample) int {
	n := jsonLeaves(s, func(func(string) bool) bool { return true })
	return (n*6 + 9) / 10
}

// scannerPool keeps the scanners of a format between chunks, with the names they
// have learnt.
func scannerPool(tag func(path string) int32) *sync.Pool {
	return &sync.Pool{New: func() any { return &event.Scanner{Tag: tag} }}
}

var namedScanners = scannerPool(nameTag)

type jsonDecoder struct {
	named namedRecord
}

func newJSONDecoder(p *Params) LineDecoder {
	return (&jsonDecoder{named: namedRecord{p: p, prefix: "json."}}).decode
}

func (d *jsonDecoder) decode(record string, b *event.Batch) error {
	scan := namedScanners.Get().(*event.Scanner)
	defer namedScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	if isECS(leaves) {
		d.pass(leaves, b)
		return nil
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "json")
	d.named.add(leaves, b)
	return nil
}

// isECS reports whether a document speaks ECS: it has @timestamp and says so,
// or was sent by a Beat.
func isECS(leaves []event.Leaf) bool {
	timed, sign := false, false
	for i := range leaves {
		switch leaves[i].Name.Path {
		case "@timestamp", "winlog.time_created":
			timed = true
		case "ecs.version", "agent.type", "agent.version", "beat.name", "event.kind", "event.module", "data_stream.dataset", "winlog.channel":
			sign = true
		}
	}
	return timed && sign
}

// pass adds a document that is in ECS already.
func (d *jsonDecoder) pass(leaves []event.Leaf, b *event.Batch) {
	dataset := false
	timed := false
	windows := false
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Path {
		case "winlog.event_id":
			windows = true
		case "@timestamp":
			if ns, ok := d.named.time(l); ok {
				b.Event().Time, timed = ns, true
				continue
			}
		case "event.dataset":
			dataset = true
		}
		d.named.own(l, b)
	}
	if !dataset {
		b.Add("event.dataset", "json")
	}
	if windows {
		addWinlogECS(b, d.named.p.Clock)
	}
	if !timed && b.Event().Time == event.NoTime {
		d.named.p.Clock.NoTime()
	}
}
