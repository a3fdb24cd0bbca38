package format

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/sextant-logs/sextant/internal/capture"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// A capture of network packets as tcpdump and many sensors write it
// (draft-ietf-opsawg-pcap): a header of 24 bytes, then each packet behind one of 16.
// Its events are what package capture makes of the packets.
var _ = register(Format{
	Name:  "pcap",
	Title: "Packet capture: flows, DNS, HTTP, TLS (pcap)",
	Group: "network",
	Recognise: func(s *Sample) int {
		if h, ok := pcapHeaderOf(s.Head); ok && h.major == 2 {
			return 100
		}
		return 0
	},
	Frame:  func(r io.Reader) Framer { return newCaptureFramer(r, &pcapReader{}) },
	Decode: func(p *Params) Decoder { return &capturedEvents{p: p} },
})

// pcapHeader is what the file's header says.
type pcapHeader struct {
	order   binary.ByteOrder
	nano    bool
	record  int // size of a packet's header
	major   uint16
	snaplen uint32
	link    int
}

const pcapHeaderSize = 24

func pcapHeaderOf(p []byte) (h pcapHeader, ok bool) {
	if len(p) < pcapHeaderSize {
		return h, false
	}
	for _, order := range [...]binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		h = pcapHeader{order: order, record: 16}
		switch order.Uint32(p) {
		case 0xa1b2c3d4:
		case 0xa1b23c4d:
			h.nano = true
		case 0xa1b2cd34: // Kuznetsov's, with the interface behind each header
			h.record = 24
		default:
			continue
		}
		h.major, h.snaplen, h.link = order.Uint16(p[4:]), order.Uint32(p[16:]), int(order.Uint32(p[20:])&0x0fffffff)
		return h, true
	}
	return pcapHeader{}, false
}

const (
	maxPacket        = 256 << 10 // the largest that is believed; libpcap's MAXIMUM_SNAPLEN
	pcapResync       = 1 << 20   // bytes in which a sound packet is looked for behind a damaged one
	pcapDay    int64 = 24 * 3600
)

type pcapReader struct {
	header pcapHeader // without an order until it has been read
	last   int64      // seconds of the packet before
}

// next implements captureReader.
func (d *pcapReader) next(f *captureFramer) bool {
	if d.header.order == nil {
		var ok bool
		if d.header, ok = pcapHeaderOf(f.need(pcapHeaderSize)); !ok {
			return f.rest("capture: no header")
		}
		f.structure(pcapHeaderSize)
		return true
	}
	h := &d.header
	p := f.need(h.record)
	if len(p) == 0 {
		return false
	}
	if len(p) < h.record {
		return f.rest("capture: cut off within a packet")
	}
	size, _, ok := d.packet(p)
	if !ok {
		return d.resync(f)
	}
	p = f.need(h.record + size)
	sec, frac := int64(h.order.Uint32(p)), int64(h.order.Uint32(p[4:]))
	if !h.nano {
		frac *= 1000
	}
	d.last = sec
	// What there is of a packet that is cut off is a packet.
	kept := min(len(p), h.record+size)
	f.packet(&capture.Packet{Time: sec*1e9 + frac, Data: p[h.record:kept], Wire: int(h.order.Uint32(p[12:])), Link: h.link}, kept, h.record)
	return true
}

// packet reads a packet's header, and reports whether it can be one.
func (d *pcapReader) packet(p []byte) (size int, sec int64, ok bool) {
	h := &d.header
	frac, kept, wire := h.order.Uint32(p[4:]), h.order.Uint32(p[8:]), h.order.Uint32(p[12:])
	limit := uint32(1e6)
	if h.nano {
		limit = 1e9
	}
	return int(kept), int64(h.order.Uint32(p)), kept <= maxPacket && frac < 2*limit && (wire <= maxPacket*4 || wire >= kept && wire < 1<<26)
}

// resync finds the next packet behind damage: two headers in a row that can be
// headers, and a time near that of the packet before.
func (d *pcapReader) resync(f *captureFramer) bool {
	h := &d.header
	p := f.need(pcapResync + maxPacket + 2*h.record)
	for i := 1; i+h.record <= len(p) && i < pcapResync; i++ {
		size, sec, ok := d.packet(p[i:])
		if !ok || size == 0 || uint32(size) > h.order.Uint32(p[i+12:]) || d.last != 0 && (sec < d.last-pcapDay || sec > d.last+pcapDay) {
			continue
		}
		after := i + h.record + size
		if after+h.record <= len(p) {
			if _, next, ok := d.packet(p[after:]); !ok || next < sec-pcapDay || next > sec+pcapDay {
				continue
			}
		} else if after != len(p) {
			continue
		}
		f.refuse(i, "capture: damaged packet header")
		return true
	}
	f.refuse(min(len(p), pcapResync), "capture: damaged packet header")
	return true
}

// captureReader reads one record of a kind of capture file.
type captureReader interface {
	// next takes the next record of f by one of its methods; false at the end.
	next(f *captureFramer) bool
}

// captureFramer reads a capture in order and feeds the engine: the events of a chunk are
// those that its packets completed.
type captureFramer struct {
	recordFramer
	reader captureReader
	engine *capture.Engine
	batch  event.Batch
	ended  bool
}

func newCaptureFramer(r io.Reader, reader captureReader) *captureFramer {
	return &captureFramer{recordFramer: recordFramer{r: r}, reader: reader, engine: capture.NewEngine(capture.Options{})}
}

const maxChunkEvents = 4096

// Next implements Framer.
func (f *captureFramer) Next() (*Chunk, error) {
	f.batch = event.Batch{}
	f.begin()
	for !f.ended && !f.full() && len(f.batch.Events) < maxChunkEvents {
		f.ended = !f.reader.next(f)
	}
	if f.ended && f.empty() {
		f.engine.Flush(&f.batch, maxChunkEvents)
		if len(f.batch.Events) == 0 {
			return nil, f.end()
		}
	}
	return f.take(f.batch.Events), nil
}

// packet gives a packet of size bytes, header included, to the engine.
func (f *captureFramer) packet(p *capture.Packet, size, header int) {
	p.Offset = f.offset()
	p.At = p.Offset + int64(header)
	if err := f.engine.Packet(&f.batch, p); err != nil {
		shown := p.Data[:min(len(p.Data), 64)]
		e := f.batch.Begin(p.Offset, fmt.Sprintf("packet of %d bytes, link type %d: %x", p.Wire, p.Link, shown))
		e.Time, e.Length = p.Time, int64(size)
		e.Err = err.Error()
		f.batch.Add("event.kind", "event")
		f.batch.Add("event.module", "pcap")
		f.batch.Add("event.dataset", "pcap.packet")
	}
	f.record(size)
}

// capturedEvents hands on the events that the framer made.
type capturedEvents struct {
	p      *Params
	agents agentCache
}

// Decode implements Decoder.
func (d *capturedEvents) Decode(c *Chunk, b *event.Batch) Bytes {
	for i := range c.Events {
		from := &c.Events[i]
		e := b.Begin(from.Offset, from.Raw)
		e.Length, e.Time, e.Err = from.Length, from.Time, from.Err
		d.p.Clock.Quality |= timestamp.Exact
		http := false
		var host, target, agent string
		for _, f := range from.Fields {
			switch {
			case f.Name == "event.dataset":
				http = f.Value == "pcap.http"
			case http && f.Name == "url.domain":
				host = f.Value
				continue
			case http && f.Name == "url.original":
				target = f.Value
				continue
			case http && f.Name == "user_agent.original":
				agent = f.Value
				continue
			}
			b.AddKind(f.Name, f.Value, f.Kind)
		}
		if http {
			name, port := splitPort(host)
			addTarget(target, name, b)
			b.AddNumber("url.port", port)
			if name != "" && !isIP(name) {
				b.Add("destination.domain", name)
			}
			if agent != "" {
				d.agents.add(agent, b)
			}
		}
		if d.p.Done != nil {
			d.p.Done(b)
		}
	}
	n := Bytes{Events: int64(len(c.Data)) - c.Structure, Structure: c.Structure, Refusals: c.Refused}
	for _, r := range c.Refused {
		n.Refused += r.Length
	}
	return n
}
