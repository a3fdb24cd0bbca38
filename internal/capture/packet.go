package capture

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Packet is one frame as it was captured.
type Packet struct {
	Time   int64  // nanoseconds since the Unix epoch
	Data   []byte // what was kept of the frame; the engine keeps no part of it
	Wire   int    // its length on the wire
	Link   int    // link type of its interface (https://www.tcpdump.org/linktypes.html)
	Offset int64  // where its record begins in the source; names the flow it opens
	At     int64  // where Data begins in the source; names messages in it
}

// Link types that are read.
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkPPPHDLC  = 50
	linkRawBSD   = 12 // DLT_RAW of most systems, and 14 of OpenBSD
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

const (
	protoICMP   = 1
	protoIPIP   = 4
	protoTCP    = 6
	protoUDP    = 17
	protoIPv6   = 41
	protoGRE    = 47
	protoICMPv6 = 58
	protoSCTP   = 132
)

const (
	etherIPv4    = 0x0800
	etherARP     = 0x0806
	etherTEB     = 0x6558 // transparent Ethernet bridging, in GRE
	etherVLAN    = 0x8100
	etherIPv6    = 0x86dd
	etherMPLS    = 0x8847
	etherMPLSMC  = 0x8848
	etherPPPoED  = 0x8863
	etherPPPoES  = 0x8864
	etherQinQ    = 0x88a8
	etherQinQOld = 0x9100
)

// TCP's flags (RFC 9293 §3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// frame is what a packet's headers say. Addresses of the innermost IP header count.
type frame struct {
	src, dst         netip.Addr
	srcMAC, dstMAC   [6]byte
	hasMAC           bool
	vlan             [2]uint16 // outer and inner tag's id
	vlans            int
	ether            uint16 // of what is no IP: its EtherType
	proto            uint8
	srcPort, dstPort uint16 // ICMP: see icmpPorts
	oneWay           bool   // ICMP of a kind that has no answer
	icmpType         uint8
	icmpCode         uint8
	flags            uint8
	seq              uint32
	payload          []byte // of TCP or UDP, as much as was captured
	at               int    // where payload begins in the packet
	length           int    // of the whole payload, by the IP header
	size             int    // of the packet from its IP header on, or of the frame
	fragment         bool
	later            bool   // a fragment other than the first: it has no ports
	id               uint32 // of the packet it is a fragment of
	tunnels          int
	cut              bool // the capture kept too little of it
}

var (
	errShort = errors.New("packet is cut off in its headers")
	errLink  = errors.New("packets of this link type are not read")
	errIP    = errors.New("packet has no sound IP header")
)

// maxNesting bounds tags, labels, extension headers and tunnels of one packet.
const maxNesting = 12

// decode reads the headers of a packet. data begins at the link layer.
func (f *frame) decode(p *Packet) error {
	*f = frame{size: max(p.Wire, len(p.Data)), cut: p.Wire > len(p.Data)}
	return f.link(p.Link, p.Data, 0)
}

func (f *frame) link(link int, data []byte, at int) error {
	switch link {
	case linkEthernet:
		return f.ethernet(data, at)
	case linkNull, linkLoop:
		if len(data) < 4 {
			return errShort
		}
		// The address family in the byte order of the host that captured, so either; families of
		// IPv6 differ between systems.
		family := binary.LittleEndian.Uint32(data)
		if family > 0xffff {
			family = binary.BigEndian.Uint32(data)
		}
		switch family {
		case 2:
			return f.ip(etherIPv4, data[4:], at+4, 0)
		case 10, 23, 24, 28, 30:
			return f.ip(etherIPv6, data[4:], at+4, 0)
		}
		return errLink
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return f.rawIP(data, at, 0)
	case linkPPP, linkPPPHDLC:
		if len(data) >= 2 && data[0] == 0xff && data[1] == 3 { // address and control of HDLC
			data, at = data[2:], at+2
		}
		return f.ppp(data, at, 0)
	case linkSLL: // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
		if len(data) < 16 {
			return errShort
		}
		if binary.BigEndian.Uint16(data[4:]) == 6 {
			copy(f.srcMAC[:], data[6:12])
			f.hasMAC = true
		}
		return f.network(binary.BigEndian.Uint16(data[14:]), data[16:], at+16, 0)
	case linkSLL2: // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
		if len(data) < 20 {
			return errShort
		}
		if data[11] == 6 {
			copy(f.srcMAC[:], data[12:18])
			f.hasMAC = true
		}
		return f.network(binary.BigEndian.Uint16(data), data[20:], at+20, 0)
	}
	return errLink
}

func (f *frame) ethernet(data []byte, at int) error {
	if len(data) < 14 {
		return errShort
	}
	copy(f.dstMAC[:], data)
	copy(f.srcMAC[:], data[6:])
	f.hasMAC = true
	return f.network(binary.BigEndian.Uint16(data[12:]), data[14:], at+14, 0)
}

// network reads what an EtherType says follows.
func (f *frame) network(ether uint16, data []byte, at, depth int) error {
	if depth > maxNesting {
		return errIP
	}
	switch ether {
	case etherIPv4, etherIPv6:
		return f.ip(ether, data, at, depth)
	case etherVLAN, etherQinQ, etherQinQOld: // IEEE 802.1Q, 802.1ad
		if len(data) < 4 {
			return errShort
		}
		if f.vlans < len(f.vlan) {
			f.vlan[f.vlans] = binary.BigEndian.Uint16(data) & 0xfff
			f.vlans++
		}
		return f.network(binary.BigEndian.Uint16(data[2:]), data[4:], at+4, depth+1)
	case etherPPPoES: // RFC 2516 §4
		if len(data) < 6 {
			return errShort
		}
		return f.ppp(data[6:], at+6, depth+1)
	case etherMPLS, etherMPLSMC: // RFC 3032: labels up to the one with the bottom bit
		for i := 0; i+4 <= len(data) && i < 4*maxNesting; i += 4 {
			if data[i+2]&1 != 0 {
				return f.rawIP(data[i+4:], at+i+4, depth+1)
			}
		}
		return errShort
	case etherARP: // RFC 826, of IPv4 over Ethernet
		if len(data) >= 28 && binary.BigEndian.Uint16(data[2:]) == etherIPv4 && data[4] == 6 && data[5] == 4 {
			f.src, f.dst = netip.AddrFrom4([4]byte(data[14:18])), netip.AddrFrom4([4]byte(data[24:28]))
		}
	}
	f.ether = ether
	return nil
}

func (f *frame) ppp(data []byte, at, depth int) error {
	if len(data) < 2 {
		return errShort
	}
	protocol, n := binary.BigEndian.Uint16(data), 2
	if data[0]&1 != 0 { // RFC 1661 §6.5: compressed to one byte
		protocol, n = uint16(data[0]), 1
	}
	switch protocol {
	case 0x21:
		return f.ip(etherIPv4, data[n:], at+n, depth)
	case 0x57:
		return f.ip(etherIPv6, data[n:], at+n, depth)
	}
	f.ether = etherPPPoES // its control protocols
	return nil
}

func (f *frame) rawIP(data []byte, at, depth int) error {
	if len(data) == 0 {
		return errShort
	}
	switch data[0] >> 4 {
	case 4:
		return f.ip(etherIPv4, data, at, depth)
	case 6:
		return f.ip(etherIPv6, data, at, depth)
	}
	return errIP
}

// ip reads an IPv4 (RFC 791) or IPv6 (RFC 8200) header.
func (f *frame) ip(ether uint16, data []byte, at, depth int) error {
	if depth > maxNesting {
		return errIP
	}
	var length, header int
	var proto uint8
	f.fragment, f.later = false, false
	if ether == etherIPv4 {
		if len(data) < 20 {
			return errShort
		}
		header, length = int(data[0]&15)*4, int(binary.BigEndian.Uint16(data[2:]))
		if data[0]>>4 != 4 || header < 20 {
			return errIP
		}
		if length == 0 { // segmentation offload: the card fills it in
			length = max(f.size-at, len(data))
		}
		if length < header {
			return errIP
		}
		frag := binary.BigEndian.Uint16(data[6:])
		f.fragment, f.later = frag&0x3fff != 0, frag&0x1fff != 0
		f.id = uint32(binary.BigEndian.Uint16(data[4:]))
		proto = data[9]
		f.src, f.dst = netip.AddrFrom4([4]byte(data[12:16])), netip.AddrFrom4([4]byte(data[16:20]))
	} else {
		if len(data) < 40 {
			return errShort
		}
		if data[0]>>4 != 6 {
			return errIP
		}
		header = 40
		length = header + int(binary.BigEndian.Uint16(data[4:]))
		if length == header && data[6] != 59 {
			length = max(f.size-at, len(data))
		}
		f.src, f.dst = netip.AddrFrom16([16]byte(data[8:24])), netip.AddrFrom16([16]byte(data[24:40]))
		proto = data[6]
		for n := 0; ; n++ {
			switch proto {
			case 0, 43, 60, 135, 139, 140: // hop-by-hop, routing, destination, mobility, HIP, shim6
				if header+8 > len(data) || n > maxNesting {
					return errShort
				}
				proto, header = data[header], header+8+8*int(data[header+1])
				continue
			case 51: // authentication (RFC 4302)
				if header+8 > len(data) || n > maxNesting {
					return errShort
				}
				proto, header = data[header], header+8+4*int(data[header+1])
				continue
			case 44:
				if header+8 > len(data) || n > maxNesting {
					return errShort
				}
				offset := binary.BigEndian.Uint16(data[header+2:])
				f.fragment, f.later = offset&0xfff9 != 0, offset&0xfff8 != 0
				f.id = binary.BigEndian.Uint32(data[header+4:])
				proto, header = data[header], header+8
				if !f.later {
					continue
				}
			}
			break
		}
	}
	f.size, f.proto, f.ether = length, proto, ether
	if header > len(data) || header > length {
		f.cut = true
		return nil // the addresses are known
	}
	if length < len(data) {
		data = data[:length] // what follows is the link's padding
	} else if length > len(data) {
		f.cut = true
	}
	if f.later {
		return nil
	}
	return f.transport(data[header:], at+header, length-header, depth)
}

// transport reads the header behind IP's; length is that of what follows IP's.
func (f *frame) transport(data []byte, at, length, depth int) error {
	header := 0
	f.srcPort, f.dstPort = 0, 0
	switch f.proto {
	case protoTCP:
		if len(data) >= 4 {
			f.srcPort, f.dstPort = binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
		}
		if len(data) < 14 {
			f.cut = true
			return nil
		}
		f.seq, f.flags = binary.BigEndian.Uint32(data[4:]), data[13]
		header = max(20, int(data[12]>>4)*4)
	case protoUDP:
		if len(data) >= 4 {
			f.srcPort, f.dstPort = binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
		}
		header = 8
		if f.dstPort == 4789 && len(data) >= 30 && data[8] == 8 { // VXLAN (RFC 7348)
			inner := *f
			inner.tunnels++
			inner.size = length - 16
			if depth < maxNesting && inner.innerEthernet(data[16:], at+16, depth+4) == nil && inner.src.IsValid() {
				*f = inner
				return nil
			}
		}
	case protoSCTP:
		if len(data) >= 4 {
			f.srcPort, f.dstPort = binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
		}
		header = 12
	case protoICMP, protoICMPv6:
		if len(data) < 2 {
			f.cut = true
			return nil
		}
		f.icmpType, f.icmpCode = data[0], data[1]
		f.srcPort, f.dstPort, f.oneWay = icmpPorts(f.proto == protoICMPv6, data[0], data[1])
		header = min(8, len(data))
	case protoIPIP:
		return f.inner(etherIPv4, data, at, depth)
	case protoIPv6:
		return f.inner(etherIPv6, data, at, depth)
	case protoGRE: // RFC 2784, RFC 2890
		if len(data) < 4 {
			return nil
		}
		n := 4
		for _, bit := range [...]byte{0x80, 0x20, 0x10} {
			if data[0]&bit != 0 {
				n += 4
			}
		}
		if n <= len(data) && data[1]&7 == 0 {
			return f.inner(binary.BigEndian.Uint16(data[2:]), data[n:], at+n, depth)
		}
		return nil
	}
	if header > length {
		f.cut = true
		return nil
	}
	f.length = length - header
	if header < len(data) {
		f.payload, f.at = data[header:], at+header
	} else {
		f.at = at + len(data)
	}
	return nil
}

// inner reads the packet in a tunnel; what cannot be read leaves the outer one as it is.
func (f *frame) inner(ether uint16, data []byte, at, depth int) error {
	in := *f
	in.tunnels++
	in.size = len(data)
	if depth >= maxNesting {
		return nil
	}
	var err error
	switch ether {
	case etherTEB:
		err = in.innerEthernet(data, at, depth+4)
	case etherIPv4, etherIPv6:
		err = in.ip(ether, data, at, depth+4)
	default:
		return nil
	}
	if err == nil {
		*f = in
	}
	return nil
}

func (f *frame) innerEthernet(data []byte, at, depth int) error {
	if len(data) < 14 {
		return errShort
	}
	switch ether := binary.BigEndian.Uint16(data[12:]); ether {
	case etherIPv4, etherIPv6, etherVLAN:
		f.src, f.dst = netip.Addr{}, netip.Addr{}
		return f.network(ether, data[14:], at+14, depth)
	}
	return errIP
}

// icmpPorts gives an ICMP message the ports by which both halves of an exchange are one
// flow: its type, and the type of the answer to it or else its code
// (https://github.com/corelight/community-id-spec).
func icmpPorts(v6 bool, typ, code uint8) (src, dst uint16, oneWay bool) {
	pairs := icmpPairs[:]
	if v6 {
		pairs = icmp6Pairs[:]
	}
	for _, p := range pairs {
		switch typ {
		case p[0]:
			return uint16(typ), uint16(p[1]), false
		case p[1]:
			return uint16(typ), uint16(p[0]), false
		}
	}
	return uint16(typ), uint16(code), true
}

// Requests and their answers.
var (
	icmpPairs  = [...][2]uint8{{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}}
	icmp6Pairs = [...][2]uint8{{128, 129}, {133, 134}, {135, 136}, {130, 131}, {139, 140}, {144, 145}}
)
