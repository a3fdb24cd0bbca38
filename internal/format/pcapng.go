package format

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/big"
	"slices"

	"github.com/sextant-logs/sextant/internal/capture"
)

// A capture as Wireshark and dumpcap write it (draft-ietf-opsawg-pcapng): sections of
// blocks, each with its length before and behind; packets from any number of interfaces.
var _ = register(Format{
	Name:  "pcapng",
	Title: "Packet capture: flows, DNS, HTTP, TLS (pcapng)",
	Group: "network",
	Recognise: func(s *Sample) int {
		if len(s.Head) >= 12 && bytes.HasPrefix(s.Head, pcapngMagic) && sectionOrder(s.Head) != nil {
			return 100
		}
		return 0
	},
	Frame:  func(r io.Reader) Framer { return newCaptureFramer(r, &pcapngReader{}) },
	Decode: func(p *Params) Decoder { return &capturedEvents{p: p} },
})

var pcapngMagic = []byte{0x0a, 0x0d, 0x0d, 0x0a}

// sectionOrder is the byte order of a section, nil if this is no section header.
func sectionOrder(p []byte) binary.ByteOrder {
	switch {
	case binary.LittleEndian.Uint32(p[8:]) == 0x1a2b3c4d:
		return binary.LittleEndian
	case binary.BigEndian.Uint32(p[8:]) == 0x1a2b3c4d:
		return binary.BigEndian
	}
	return nil
}

// Types of blocks that hold packets or say what they are.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacketOld = 2
	blockSimple    = 3
	blockPacket    = 6
)

const (
	maxBlock      = 16 << 20
	maxInterfaces = 4096
)

// pcapngInterface is an interface of the section.
type pcapngInterface struct {
	link    int
	snaplen uint32
	base    uint64 // parts of a second in which its times count
	offset  int64  // seconds to add
}

type pcapngReader struct {
	order      binary.ByteOrder
	interfaces []pcapngInterface
	last       int64 // time of the packet before, for those without one
}

// next implements captureReader.
func (d *pcapngReader) next(f *captureFramer) bool {
	p := f.need(12)
	if len(p) == 0 {
		return false
	}
	if len(p) < 12 {
		return f.rest("capture: cut off within a block")
	}
	if bytes.Equal(p[:4], pcapngMagic) {
		if order := sectionOrder(p); order != nil {
			d.order, d.interfaces = order, nil
		}
	}
	if d.order == nil {
		return f.rest("capture: no section header")
	}
	kind, size := d.order.Uint32(p), int(d.order.Uint32(p[4:]))
	if size < 12 || size > maxBlock {
		return d.resync(f)
	}
	size = (size + 3) &^ 3
	p = f.need(size)
	if len(p) < size {
		return d.cutOff(f, kind, p)
	}
	if int(d.order.Uint32(p[size-4:])+3)&^3 != size {
		return d.resync(f)
	}
	body := p[8 : size-4]
	switch kind {
	case blockInterface:
		d.addInterface(body)
	case blockPacket, blockPacketOld, blockSimple:
		if packet, header, ok := d.packet(kind, body); ok {
			f.packet(&packet, size, header)
			return true
		}
		f.refuse(size, "capture: damaged block")
		return true
	}
	f.structure(size)
	return true
}

// cutOff takes what there is of the packet in the last block.
func (d *pcapngReader) cutOff(f *captureFramer, kind uint32, p []byte) bool {
	if kind == blockPacket && len(p) > 28 {
		if packet, header, ok := d.packet(kind, p[8:]); ok {
			f.packet(&packet, len(p), header)
			return true
		}
	}
	f.refuse(len(p), "capture: cut off within a block")
	return true
}

func (d *pcapngReader) addInterface(body []byte) {
	if len(d.interfaces) >= maxInterfaces {
		return
	}
	i := pcapngInterface{base: 1e6}
	if len(body) >= 8 {
		i.link, i.snaplen = int(d.order.Uint16(body)), d.order.Uint32(body[4:])
		d.options(body[8:], func(code uint16, v []byte) {
			switch {
			case code == 9 && len(v) >= 1: // if_tsresol: a power of ten, or of two
				if n := v[0] & 0x7f; v[0]&0x80 != 0 && n < 64 {
					i.base = 1 << n
				} else if v[0]&0x80 == 0 && n < 20 {
					i.base = 1
					for range n {
						i.base *= 10
					}
				}
			case code == 14 && len(v) >= 8: // if_tsoffset
				i.offset = int64(d.order.Uint64(v))
			}
		})
	}
	d.interfaces = append(d.interfaces, i)
}

func (d *pcapngReader) options(p []byte, fn func(code uint16, value []byte)) {
	for n := 0; len(p) >= 4 && n < 256; n++ {
		code, size := d.order.Uint16(p), int(d.order.Uint16(p[2:]))
		if code == 0 || 4+size > len(p) {
			return
		}
		fn(code, p[4:4+size])
		p = p[min(len(p), 4+(size+3)&^3):]
	}
}

// packet reads a block's packet, of which the block may be cut off. header is where its
// data begin in the block.
func (d *pcapngReader) packet(kind uint32, body []byte) (p capture.Packet, header int, ok bool) {
	which, kept := uint32(0), uint32(0)
	fixed := 20
	if kind == blockSimple {
		fixed = 4
	}
	if len(body) < fixed {
		return p, 0, false
	}
	switch kind {
	case blockSimple:
		p.Wire = int(d.order.Uint32(body))
		kept = uint32(min(p.Wire, len(body)-4))
	case blockPacketOld:
		which = uint32(d.order.Uint16(body))
	default:
		which = d.order.Uint32(body)
	}
	if uint64(which) >= uint64(len(d.interfaces)) {
		return p, 0, false
	}
	i := &d.interfaces[which]
	if kind == blockSimple {
		p.Time = d.last
		if i.snaplen > 0 {
			kept = min(kept, i.snaplen)
		}
	} else {
		units := uint64(d.order.Uint32(body[4:]))<<32 | uint64(d.order.Uint32(body[8:]))
		if p.Time, ok = i.time(units); !ok {
			return p, 0, false
		}
		d.last = p.Time
		kept, p.Wire = d.order.Uint32(body[12:]), int(d.order.Uint32(body[16:]))
	}
	if kept > maxBlock {
		return p, 0, false
	}
	p.Link, p.Data = i.link, body[fixed:min(len(body), fixed+int(kept))]
	return p, 8 + fixed, true
}

// time converts an interface's time to nanoseconds since 1970.
func (i *pcapngInterface) time(units uint64) (int64, bool) {
	sec, frac := units/i.base, units%i.base
	if i.base == 1e6 {
		frac *= 1000
	} else if i.base != 1e9 {
		n := new(big.Int).SetUint64(frac)
		n.Mul(n, big.NewInt(1e9))
		frac = n.Quo(n, new(big.Int).SetUint64(i.base)).Uint64()
	}
	whole := int64(sec) + i.offset
	if sec > 1<<34 || whole < -1<<33 || whole > 1<<33 {
		return 0, false
	}
	return whole*1e9 + int64(frac), true
}

// resync finds the next block behind damage: one of a known type whose two lengths agree.
func (d *pcapngReader) resync(f *captureFramer) bool {
	p := f.need(pcapResync + maxPacket)
	known := []uint32{blockSection, blockInterface, blockPacketOld, blockSimple, 4, 5, blockPacket}
	for i := 4; i+12 <= len(p) && i < pcapResync; i += 4 {
		size := int(d.order.Uint32(p[i+4:]))
		if size < 12 || size%4 != 0 || size > maxPacket || i+size > len(p) || !slices.Contains(known, d.order.Uint32(p[i:])) {
			continue
		}
		if int(d.order.Uint32(p[i+size-4:])) == size {
			f.refuse(i, "capture: damaged block")
			return true
		}
	}
	f.refuse(min(len(p), pcapResync), "capture: damaged block")
	return true
}
