package capture

import (
	"container/list"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/sextant-logs/sextant/internal/event"
)

// flow is what two ends said to each other with one protocol and pair of ports.
type flow struct {
	key              key
	swapped          bool // the originator is the key's second end
	flipped          bool // the first packet seen was the responder's
	src, dst         netip.Addr
	srcPort, dstPort uint16
	mac              [2][6]byte
	hasMAC           [2]bool
	vlan             [2]uint16
	vlans            int
	offset           int64 // of the first packet
	size             int64 // of its packets in the source
	first, last      int64
	touched          int64
	list             int
	element          *list.Element
	half             [2]half // originator, responder
	history          []byte
	icmpType         uint8
	icmpCode         uint8
	fragments        int64
	tunnels          int
	protocol         string // as recognised from what was said
	software         [2]string
	id               string // community id

	app   parser
	tried [2]bool // the beginning of this half was looked at and is of no protocol known
	dead  bool    // nothing more is read of its streams
	dns   []*dnsQuery
}

// half is what one end sent.
type half struct {
	packets, bytes, payload int64
	state                   tcpState
	stream                  stream
}

type tcpState uint8

const (
	inactive tcpState = iota
	synSent
	synAckSent
	partial // data without a handshake
	established
	closed
	reset
)

// newFlow opens the flow of a packet. Where the packet is evidently an answer, the
// other end is the originator.
func newFlow(f *frame, p *Packet, k key) *flow {
	fl := &flow{key: k, offset: p.Offset, first: p.Time, last: p.Time, vlan: f.vlan, vlans: f.vlans, tunnels: f.tunnels, icmpType: f.icmpType, icmpCode: f.icmpCode}
	fl.src, fl.dst, fl.srcPort, fl.dstPort = f.src, f.dst, f.srcPort, f.dstPort
	switch f.proto {
	case protoTCP:
		if f.flags&flagSYN != 0 {
			fl.flipped = f.flags&flagACK != 0
		} else {
			fl.flipped = fromServer(f)
		}
	case protoUDP:
		fl.flipped = fromServer(f)
	case protoICMP:
		fl.flipped = !f.oneWay && (f.icmpType == 0 || f.icmpType == 14 || f.icmpType == 16 || f.icmpType == 18)
	case protoICMPv6:
		fl.flipped = !f.oneWay && f.icmpType == 129
	}
	if fl.flipped {
		fl.src, fl.dst, fl.srcPort, fl.dstPort = fl.dst, fl.src, fl.dstPort, fl.srcPort
		fl.history = append(fl.history, '^')
	}
	if f.src.IsValid() && f.ether != etherARP {
		ends := k
		ends.src, ends.dst, ends.srcPort, ends.dstPort = fl.src, fl.dst, fl.srcPort, fl.dstPort
		fl.id = communityID(&ends, k.oneWay)
	}
	return fl
}

// fromServer: ports below 1024 are those of services, the others of who asks.
func fromServer(f *frame) bool { return f.srcPort < 1024 && f.dstPort >= 1024 && f.srcPort != 0 }

func (fl *flow) count(f *frame, p *Packet, dir int) {
	h := &fl.half[dir]
	h.packets++
	h.bytes += int64(f.size)
	h.payload += int64(f.length)
	fl.size += int64(len(p.Data)) + p.At - p.Offset
	fl.first, fl.last = min(fl.first, p.Time), max(fl.last, p.Time)
	if f.fragment {
		fl.fragments++
	}
	if f.hasMAC && !fl.hasMAC[dir] {
		fl.mac[dir], fl.hasMAC[dir] = f.srcMAC, true
		if other := 1 - dir; !fl.hasMAC[other] && f.dstMAC != [6]byte{} {
			fl.mac[other], fl.hasMAC[other] = f.dstMAC, true
		}
	}
}

// said notes in the history what an end did for the first time, in Zeek's letters:
// capitals for the originator.
func (fl *flow) said(dir int, letter byte) {
	if dir == 1 {
		letter |= 0x20
	}
	for _, c := range fl.history {
		if c == letter {
			return
		}
	}
	fl.history = append(fl.history, letter)
}

// flags takes the state of both ends on.
func (fl *flow) flags(dir int, f *frame) {
	me, peer := &fl.half[dir], &fl.half[1-dir]
	switch {
	case f.flags&flagRST != 0:
		fl.said(dir, 'R')
		if me.state != closed || peer.state != closed {
			me.state = reset
		}
	case f.flags&flagSYN != 0:
		if f.flags&flagACK != 0 {
			fl.said(dir, 'H')
		} else {
			fl.said(dir, 'S')
		}
		switch {
		case me.state != inactive:
		case peer.state == synSent:
			me.state, peer.state = established, established
		case f.flags&flagACK != 0:
			me.state = synAckSent
		default:
			me.state = synSent
		}
	default:
		if me.state == inactive {
			me.state = partial
			if peer.state == synAckSent {
				me.state, peer.state = established, established
			}
		}
		switch {
		case f.length > 0:
			fl.said(dir, 'D')
		case f.flags&(flagACK|flagFIN) == flagACK:
			fl.said(dir, 'A')
		}
		if f.flags&flagFIN != 0 {
			fl.said(dir, 'F')
			if me.state != reset {
				me.state = closed
			}
		}
	}
}

// over reports whether a TCP connection has ended.
func (fl *flow) over() bool {
	a, b := fl.half[0].state, fl.half[1].state
	return a == reset || b == reset || a == closed && b == closed
}

// state is that of Zeek's conn_state.
func (fl *flow) state() string {
	orig, resp := &fl.half[0], &fl.half[1]
	if fl.key.proto != protoTCP {
		switch {
		case fl.key.proto != protoUDP && fl.key.proto != protoSCTP:
			return "OTH"
		case orig.packets == 0:
			return "SHR"
		case resp.packets == 0:
			return "S0"
		}
		return "SF"
	}
	switch {
	case resp.state == reset:
		switch {
		case orig.state == synSent, orig.state == reset && orig.payload == 0 && resp.payload == 0:
			return "REJ"
		case orig.state == inactive:
			return "RSTRH"
		}
		return "RSTR"
	case orig.state == reset:
		if resp.state == inactive {
			return "RSTOS0"
		}
		return "RSTO"
	case orig.state == closed && resp.state == closed:
		return "SF"
	case orig.state == closed:
		if resp.state == inactive {
			return "SH"
		}
		return "S2"
	case resp.state == closed:
		if orig.state == inactive {
			return "SHR"
		}
		return "S3"
	case orig.state == synSent && resp.state == inactive:
		return "S0"
	case orig.state == established && resp.state == established:
		return "S1"
	}
	return "OTH"
}

var transports = map[uint8]string{protoICMP: "icmp", protoTCP: "tcp", protoUDP: "udp", protoICMPv6: "ipv6-icmp", protoSCTP: "sctp", protoGRE: "gre", 2: "igmp", 50: "esp", 51: "ah", 89: "ospf", 103: "pim", 112: "vrrp"}

var etherTypes = map[uint16]string{etherARP: "arp", etherPPPoES: "pppoe", etherPPPoED: "pppoe", 0x88cc: "lldp", 0x888e: "eapol", 0x8035: "rarp", 0x88e5: "macsec", 0x8892: "profinet", 0x22f0: "avtp"}

// network is the network's and the transport's name.
func (fl *flow) network() (network, transport string) {
	switch fl.key.ether {
	case etherIPv4:
		network = "ipv4"
	case etherIPv6:
		network = "ipv6"
	default:
		if fl.key.ether < 0x600 { // a length: IEEE 802.2
			return "llc", ""
		}
		if name, ok := etherTypes[fl.key.ether]; ok {
			return name, ""
		}
		return fmt.Sprintf("ethertype-0x%04x", fl.key.ether), ""
	}
	if transport = transports[fl.key.proto]; transport == "" {
		transport = "ip-" + strconv.Itoa(int(fl.key.proto))
	}
	return network, transport
}

// begin starts an event about a flow, of which the client is the end it came from.
func (fl *flow) begin(e *Engine, dataset string, at, offset int64, raw string, client int) *event.Event {
	b := e.b
	ev := b.Begin(offset, raw)
	ev.Time = at
	b.Add("event.kind", "event")
	b.Add("event.module", "pcap")
	b.Add("event.dataset", dataset)
	b.Add("event.category", "network")
	network, transport := fl.network()
	b.Add("network.type", network)
	b.Add("network.transport", transport)
	b.Add("network.community_id", fl.id)
	src, dst, srcPort, dstPort := fl.src, fl.dst, fl.srcPort, fl.dstPort
	if client == 1 {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	e.address("source", src, srcPort, fl)
	e.address("destination", dst, dstPort, fl)
	for i, name := range [...]string{"network.vlan.id", "network.inner.vlan.id"} {
		if i < fl.vlans {
			b.Add(name, strconv.Itoa(int(fl.vlan[i])))
		}
	}
	return ev
}

func (e *Engine) address(side string, a netip.Addr, port uint16, fl *flow) {
	if !a.IsValid() {
		return
	}
	e.scratch = a.AppendTo(e.scratch[:0])
	s := e.b.Bytes(e.scratch)
	e.b.Add(side+".address", s)
	e.b.Add(side+".ip", s)
	switch fl.key.proto {
	case protoTCP, protoUDP, protoSCTP:
		e.b.AddInt(side+".port", int64(port))
	}
}

// add makes the flow's own event.
func (fl *flow) add(e *Engine, why string) {
	network, transport := fl.network()
	state := fl.state()
	isIP := transport != ""
	if !isIP {
		transport = network
	}
	orig, resp := &fl.half[0], &fl.half[1]
	raw := fmt.Sprintf("%s %s > %s %s %d/%d packets %d/%d bytes %.6f s", transport, fl.endpoint(0), fl.endpoint(1), state, orig.packets, resp.packets, orig.bytes, resp.bytes, float64(fl.last-fl.first)/1e9)
	ev := fl.begin(e, "pcap.flow", fl.first, fl.offset, raw, 0)
	ev.Length = fl.size
	b := e.b
	b.Add("event.type", "connection")
	switch {
	case !isIP:
		b.Add("event.type", "info")
	case state == "REJ":
		b.Add("event.type", "denied")
	case state == "OTH", state == "SHR", state == "RSTRH":
		b.Add("event.type", "info")
	default:
		b.Add("event.type", "start")
		if fl.key.proto == protoTCP && fl.over() || why == "idle" {
			b.Add("event.type", "end")
		}
	}
	b.Add("event.action", "network_flow")
	b.Add("event.start", stamp(fl.first))
	b.Add("event.end", stamp(fl.last))
	b.AddInt("event.duration", fl.last-fl.first)
	b.Add("network.protocol", fl.protocol)
	if isIP {
		b.Add("network.iana_number", strconv.Itoa(int(fl.key.proto)))
	}
	b.AddInt("network.packets", orig.packets+resp.packets)
	b.AddInt("network.bytes", orig.bytes+resp.bytes)
	for i, side := range [...]string{"source", "destination"} {
		if fl.hasMAC[i] {
			m := fl.mac[i]
			b.Add(side+".mac", fmt.Sprintf("%02X-%02X-%02X-%02X-%02X-%02X", m[0], m[1], m[2], m[3], m[4], m[5]))
		}
		b.AddInt(side+".packets", fl.half[i].packets)
		b.AddInt(side+".bytes", fl.half[i].bytes)
		b.AddInt("pcap.flow."+side+".payload_bytes", fl.half[i].payload)
		if fl.software[i] != "" {
			b.Add("pcap.flow."+side+".software", fl.software[i])
		}
	}
	if isIP {
		b.Add("pcap.flow.state", state)
		b.Add("pcap.flow.state_message", stateMessages[state])
	}
	if fl.key.proto == protoTCP {
		b.Add("pcap.flow.history", string(fl.history))
	}
	if fl.key.proto == protoICMP || fl.key.proto == protoICMPv6 {
		b.AddInt("pcap.flow.icmp.type", int64(fl.icmpType))
		b.AddInt("pcap.flow.icmp.code", int64(fl.icmpCode))
	}
	if fl.fragments > 0 {
		b.AddInt("pcap.flow.fragments", fl.fragments)
	}
	if fl.tunnels > 0 {
		b.AddInt("pcap.flow.tunnels", int64(fl.tunnels))
	}
	b.Add("pcap.flow.reason", why)
}

// endpoint is one end for people.
func (fl *flow) endpoint(dir int) string {
	a, port := fl.src, fl.srcPort
	if dir == 1 {
		a, port = fl.dst, fl.dstPort
	}
	switch {
	case !a.IsValid() && fl.hasMAC[dir]:
		m := fl.mac[dir]
		return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
	case !a.IsValid():
		return "?"
	case fl.key.proto == protoTCP, fl.key.proto == protoUDP, fl.key.proto == protoSCTP:
		return netip.AddrPortFrom(a, port).String()
	}
	return a.String()
}

var stateMessages = map[string]string{
	"S0": "An attempt that was not answered.", "S1": "Established, not ended.", "SF": "Established and ended by both.", "REJ": "An attempt that was rejected.",
	"S2": "Established; the originator has closed, the responder not.", "S3": "Established; the responder has closed, the originator not.",
	"RSTO": "Established; the originator broke it off.", "RSTR": "The responder broke it off.", "RSTOS0": "The originator broke its attempt off, unanswered.",
	"RSTRH": "The responder accepted and broke off; the attempt itself was not seen.", "SH": "The originator closed its attempt, unanswered.",
	"SHR": "Only the responder was seen.", "OTH": "Neither beginning nor end was seen.",
}
