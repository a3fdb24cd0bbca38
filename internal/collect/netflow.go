package collect

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gonetflow "github.com/netsampler/goflow2/v2/decoders/netflow"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// NetFlow 5 and 9 and IPFIX: each flow becomes a JSON document in ECS terms, with
// the exporter's own fields under netflow.* as Filebeat names them. Templates are
// kept over a restart; flows whose template has not come yet wait for it.
//
// Source: RFC 3954 (NetFlow 9), RFC 7011 (IPFIX), IANA's IPFIX elements.
var _ = register("netflow", "NetFlow 5 and 9, IPFIX over UDP", newNetflow)

const (
	maxExporters  = 4096
	maxTemplates  = 1024 // of one exporter
	maxFlowFields = 512  // of one template
	maxPending    = 256  // sets of one exporter that wait for a template
	maxFlows      = 64 << 10

	maxWaitingBytes = 32 << 20 // of all sets that wait
)

func newNetflow(u *url.URL, o Options) (Collector, error) {
	n := &netflow{o: o, exporters: map[netip.AddrPort]*exporter{}}
	c := &datagrams{url: u, o: o, format: "json"}
	c.peered = func(p []byte, peer netip.AddrPort) []spool.Record { return n.datagram(p, peer, time.Now()) }
	c.begin = func(sink Sink) { n.sink = sink }
	c.mark = n.mark
	return c, nil
}

type netflow struct {
	o         Options
	sink      Sink
	exporters map[netip.AddrPort]*exporter
	learnt    map[netip.Addr][]byte // templates that are new since the last delivery
	waiting   int                   // bytes of all pending sets
}

// exporter is one sender of flows: an address and port, as each has its own templates.
type exporter struct {
	templates map[templateID]*template
	pending   []pendingSet
}

type templateID struct {
	version uint16
	domain  uint32
	id      uint16
}

// template says what a data set's records are made of.
type template struct {
	fields  []flowField
	least   int  // bytes of a record
	options bool // tells of the exporter, not of flows
}

type flowField struct {
	id         uint16
	enterprise uint32
	length     uint16 // 65535: in front of the value
}

type pendingSet struct {
	id   templateID
	head flowHeader
	data []byte
}

// flowHeader is what a packet says of all its flows.
type flowHeader struct {
	version  uint16
	domain   uint32
	exported time.Time
	uptime   uint32 // ms
	booted   time.Time
	exporter string
}

var errFlow = errors.New("malformed flow packet")

// datagram returns the flows of a packet as documents.
func (n *netflow) datagram(p []byte, peer netip.AddrPort, now time.Time) []spool.Record {
	ex := n.exporters[peer]
	if ex == nil {
		if len(n.exporters) >= maxExporters {
			clear(n.exporters)
			n.waiting = 0
		}
		ex = &exporter{templates: map[templateID]*template{}}
		n.exporters[peer] = ex
		n.recall(ex, peer)
	}
	var out []spool.Record
	if err := n.packet(ex, p, peer, now, &out); err != nil {
		n.o.Stats.Errors.Add(1)
	}
	return out
}

func (n *netflow) packet(ex *exporter, p []byte, peer netip.AddrPort, now time.Time, out *[]spool.Record) error {
	if len(p) < 2 {
		return errFlow
	}
	h := flowHeader{version: binary.BigEndian.Uint16(p), exporter: peer.String()}
	switch {
	case h.version == 5 && len(p) >= 24:
		return flows5(h, p, out)
	case h.version == 9 && len(p) >= 20:
		h.uptime = binary.BigEndian.Uint32(p[4:])
		h.exported = time.Unix(int64(binary.BigEndian.Uint32(p[8:])), 0)
		h.domain = binary.BigEndian.Uint32(p[16:])
		p = p[20:]
	case h.version == 10 && len(p) >= 16:
		if size := int(binary.BigEndian.Uint16(p[2:])); size >= 16 && size < len(p) {
			p = p[:size]
		}
		h.exported = time.Unix(int64(binary.BigEndian.Uint32(p[4:])), 0)
		h.domain = binary.BigEndian.Uint32(p[12:])
		p = p[16:]
	default:
		return fmt.Errorf("%w: version %d", errFlow, h.version)
	}
	h.booted = h.exported.Add(-time.Duration(h.uptime) * time.Millisecond)
	for len(p) >= 4 {
		set, size := binary.BigEndian.Uint16(p), int(binary.BigEndian.Uint16(p[2:]))
		if size < 4 {
			return nil // padding of the packet
		}
		if size > len(p) {
			return errFlow
		}
		body := p[4:size]
		p = p[size:]
		switch {
		case h.version == 9 && set <= 1 || h.version == 10 && (set == 2 || set == 3):
			if err := n.learn(ex, h, set, body, peer, out); err != nil {
				return err
			}
		case set >= 256:
			id := templateID{h.version, h.domain, set}
			t := ex.templates[id]
			if t == nil {
				if len(ex.pending) >= maxPending || n.waiting+len(body) > maxWaitingBytes {
					n.o.Stats.Lost.Add(1)
					continue
				}
				n.waiting += len(body)
				ex.pending = append(ex.pending, pendingSet{id, h, body})
				continue
			}
			t.records(h, body, out)
		}
	}
	return nil
}

// learn reads a template set.
func (n *netflow) learn(ex *exporter, h flowHeader, set uint16, p []byte, peer netip.AddrPort, out *[]spool.Record) error {
	whole := p
	options := set == 1 || set == 3
	fresh := false
	for len(p) >= 4 {
		id := binary.BigEndian.Uint16(p)
		if id < 256 {
			break // padding
		}
		var count int
		switch {
		case !options:
			count = int(binary.BigEndian.Uint16(p[2:]))
			p = p[4:]
		case len(p) < 6:
			return errFlow
		case h.version == 9: // lengths in bytes of the scopes and the options
			count = int(binary.BigEndian.Uint16(p[2:]))/4 + int(binary.BigEndian.Uint16(p[4:]))/4
			p = p[6:]
		default:
			count = int(binary.BigEndian.Uint16(p[2:]))
			p = p[6:]
		}
		if count > maxFlowFields {
			return errFlow
		}
		t := &template{options: options}
		for range count {
			if len(p) < 4 {
				return errFlow
			}
			f := flowField{id: binary.BigEndian.Uint16(p), length: binary.BigEndian.Uint16(p[2:])}
			p = p[4:]
			if h.version == 10 && f.id&0x8000 != 0 {
				if len(p) < 4 {
					return errFlow
				}
				f.id &^= 0x8000
				f.enterprise = binary.BigEndian.Uint32(p)
				p = p[4:]
			}
			t.fields = append(t.fields, f)
			if f.length == math.MaxUint16 {
				t.least++
			} else {
				t.least += int(f.length)
			}
		}
		tid := templateID{h.version, h.domain, id}
		if t.least == 0 { // a withdrawal, or a template of nothing
			delete(ex.templates, tid)
			continue
		}
		if len(ex.templates) >= maxTemplates {
			clear(ex.templates)
		}
		fresh = fresh || !sameTemplate(ex.templates[tid], t)
		ex.templates[tid] = t
		rest := ex.pending[:0]
		for _, w := range ex.pending {
			if w.id == tid {
				n.waiting -= len(w.data)
				t.records(w.head, w.data, out)
			} else {
				rest = append(rest, w)
			}
		}
		ex.pending = rest
	}
	if fresh {
		if n.learnt == nil {
			n.learnt = map[netip.Addr][]byte{}
		}
		n.learnt[peer.Addr()] = appendTemplates(n.learnt[peer.Addr()], h, set, whole)
	}
	return nil
}

func sameTemplate(a, b *template) bool {
	if a == nil || len(a.fields) != len(b.fields) {
		return false
	}
	for i := range a.fields {
		if a.fields[i] != b.fields[i] {
			return false
		}
	}
	return true
}

const maxMark = 64 << 10 // bytes of templates kept of one exporter

// appendTemplates adds a template set as recall reads it.
func appendTemplates(dst []byte, h flowHeader, set uint16, body []byte) []byte {
	if len(dst)+len(body) > maxMark {
		dst = nil
	}
	dst = binary.BigEndian.AppendUint16(dst, h.version)
	dst = binary.BigEndian.AppendUint32(dst, h.domain)
	dst = binary.BigEndian.AppendUint16(dst, set)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...)
}

// mark is the position of what peer sent: its templates, when they are new.
func (n *netflow) mark(peer netip.Addr) spool.Mark {
	fresh, ok := n.learnt[peer]
	if !ok || n.sink == nil {
		return spool.Mark{}
	}
	delete(n.learnt, peer)
	name := "netflow:" + peer.String()
	old, _ := base64.StdEncoding.DecodeString(n.sink.Mark(name))
	if len(old)+len(fresh) > maxMark {
		old = nil
	}
	return spool.Mark{Name: name, Value: base64.StdEncoding.EncodeToString(append(old, fresh...))}
}

// recall gives an exporter the templates that its address sent before.
func (n *netflow) recall(ex *exporter, peer netip.AddrPort) {
	if n.sink == nil {
		return
	}
	p, _ := base64.StdEncoding.DecodeString(n.sink.Mark("netflow:" + peer.Addr().String()))
	learnt := n.learnt
	for len(p) >= 10 {
		h := flowHeader{version: binary.BigEndian.Uint16(p), domain: binary.BigEndian.Uint32(p[2:])}
		set, size := binary.BigEndian.Uint16(p[6:]), int(binary.BigEndian.Uint16(p[8:]))
		if p = p[10:]; size > len(p) {
			break
		}
		var none []spool.Record
		_ = n.learn(ex, h, set, p[:size], peer, &none)
		p = p[size:]
	}
	n.learnt = learnt
	delete(n.learnt, peer.Addr())
}

// records decodes a data set.
func (t *template) records(h flowHeader, p []byte, out *[]spool.Record) {
	for len(p) >= t.least && len(*out) < maxFlows {
		var f flow
		for i := range t.fields {
			size := int(t.fields[i].length)
			if size == math.MaxUint16 { // RFC 7011 §7
				if len(p) < 1 {
					return
				}
				size, p = int(p[0]), p[1:]
				if size == 255 {
					if len(p) < 2 {
						return
					}
					size, p = int(binary.BigEndian.Uint16(p)), p[2:]
				}
			}
			if size > len(p) {
				return
			}
			f.set(&h, t.fields[i], p[:size])
			p = p[size:]
		}
		*out = append(*out, f.record(&h, t.options))
	}
}

// flows5 decodes a packet of NetFlow 5 (fixed records of 48 bytes).
func flows5(h flowHeader, p []byte, out *[]spool.Record) error {
	count := int(binary.BigEndian.Uint16(p[2:]))
	h.uptime = binary.BigEndian.Uint32(p[4:])
	h.exported = time.Unix(int64(binary.BigEndian.Uint32(p[8:])), int64(binary.BigEndian.Uint32(p[12:])%1e9))
	h.booted = h.exported.Add(-time.Duration(h.uptime) * time.Millisecond)
	h.domain = uint32(p[21])
	layout := []struct {
		id, at, size uint16
	}{{8, 0, 4}, {12, 4, 4}, {15, 8, 4}, {10, 12, 2}, {14, 14, 2}, {2, 16, 4}, {1, 20, 4}, {22, 24, 4}, {21, 28, 4}, {7, 32, 2}, {11, 34, 2},
		{6, 37, 1}, {4, 38, 1}, {5, 39, 1}, {16, 40, 2}, {17, 42, 2}, {9, 44, 1}, {13, 45, 1}}
	for p = p[24:]; count > 0 && len(p) >= 48; count, p = count-1, p[48:] {
		var f flow
		for _, l := range layout {
			f.set(&h, flowField{id: l.id, length: l.size}, p[l.at:l.at+l.size])
		}
		*out = append(*out, f.record(&h, false))
	}
	if count > 0 {
		return errFlow
	}
	return nil
}

// flow gathers the values of one record.
type flow struct {
	fields                 []event.Field
	source, destination    netip.Addr
	srcPort, dstPort       uint64
	bytes, packets         uint64
	protocol               uint64
	hasProtocol, hasBytes  bool
	hasPackets, hasSrcPort bool
	hasDstPort             bool
	start, end             time.Time
	srcMAC, dstMAC         string
}

// Elements of IANA's registry that ECS has a name for.
const (
	ieBytes, iePackets, ieProtocol      = 1, 2, 4
	ieSrcPort, ieSrcIPv4, ieSrcIPv6     = 7, 8, 27
	ieDstPort, ieDstIPv4, ieDstIPv6     = 11, 12, 28
	ieEndUptime, ieStartUptime          = 21, 22
	ieSrcMAC, ieDstMAC                  = 56, 80
	ieTotalBytes, ieTotalPackets        = 85, 86
	ieStartSeconds, ieEndSeconds        = 150, 151
	ieStartMillis, ieEndMillis          = 152, 153
	ieStartMicros, ieEndMicros          = 154, 155
	ieStartNanos, ieEndNanos            = 156, 157
	iePostSrcIPv4, iePostDstIPv4        = 225, 226
	iePostSrcPort, iePostDstPort        = 227, 228
	ieObservationSeconds                = 322
	ieObservationMillis                 = 323
	ieInitiatorBytes, ieResponderOctets = 231, 232
)

func (f *flow) set(h *flowHeader, field flowField, p []byte) {
	if len(p) == 0 {
		return
	}
	if field.enterprise != 0 && field.enterprise != 29305 { // 29305: the same elements of the other direction (RFC 5103)
		f.fields = append(f.fields, event.Field{Name: fmt.Sprintf("netflow.enterprise_%d.field_%d", field.enterprise, field.id), Value: flowText("", p)})
		return
	}
	name := elementName(field.id)
	if field.enterprise == 29305 {
		f.fields = append(f.fields, event.Field{Name: "netflow.reverse_" + name, Value: flowText(name, p)})
		return
	}
	n, isNumber := flowNumber(p)
	switch field.id {
	case ieBytes, ieTotalBytes:
		if !f.hasBytes || field.id == ieBytes {
			f.bytes, f.hasBytes = n, isNumber
		}
	case iePackets, ieTotalPackets:
		if !f.hasPackets || field.id == iePackets {
			f.packets, f.hasPackets = n, isNumber
		}
	case ieProtocol:
		f.protocol, f.hasProtocol = n, isNumber
	case ieSrcPort:
		f.srcPort, f.hasSrcPort = n, isNumber
	case ieDstPort:
		f.dstPort, f.hasDstPort = n, isNumber
	case ieSrcIPv4, ieSrcIPv6:
		if a, ok := netip.AddrFromSlice(p); ok && (!f.source.IsValid() || !a.IsUnspecified()) {
			f.source = a
		}
	case ieDstIPv4, ieDstIPv6:
		if a, ok := netip.AddrFromSlice(p); ok && (!f.destination.IsValid() || !a.IsUnspecified()) {
			f.destination = a
		}
	case ieSrcMAC:
		f.srcMAC = flowText(name, p)
	case ieDstMAC:
		f.dstMAC = flowText(name, p)
	case ieStartUptime:
		if n <= math.MaxUint32 {
			f.start = h.booted.Add(time.Duration(n) * time.Millisecond)
		}
	case ieEndUptime:
		if n <= math.MaxUint32 {
			f.end = h.booted.Add(time.Duration(n) * time.Millisecond)
		}
	case ieStartSeconds, ieStartMillis, ieStartMicros, ieStartNanos:
		f.start = elementTime(field.id, n)
	case ieEndSeconds, ieEndMillis, ieEndMicros, ieEndNanos, ieObservationSeconds, ieObservationMillis:
		f.end = elementTime(field.id, n)
	}
	kind := event.String
	value := flowText(name, p)
	if isNumber && value == strconv.FormatUint(n, 10) {
		kind = event.Number
	}
	f.fields = append(f.fields, event.Field{Name: "netflow." + name, Value: value, Kind: kind})
}

// elementTime is the time of a dateTime element (RFC 7011 §6.1.7–6.1.10).
func elementTime(id uint16, n uint64) time.Time {
	switch id {
	case ieStartSeconds, ieEndSeconds, ieObservationSeconds:
		if n < 1<<32 {
			return time.Unix(int64(n), 0)
		}
	case ieStartMillis, ieEndMillis, ieObservationMillis:
		if n < 1<<53 {
			return time.UnixMilli(int64(n))
		}
	case ieStartMicros, ieEndMicros, ieStartNanos, ieEndNanos: // NTP: seconds since 1900 and a fraction of 2^32
		const toUnix = 2208988800
		if s := n >> 32; s > toUnix {
			return time.Unix(int64(s-toUnix), int64((n&math.MaxUint32)*1e9>>32))
		}
	}
	return time.Time{}
}

func flowNumber(p []byte) (uint64, bool) {
	if len(p) > 8 {
		return 0, false
	}
	var n uint64
	for _, b := range p {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// flowText is a value as text, by what its element is called.
func flowText(name string, p []byte) string {
	switch {
	case len(p) == 4 && strings.HasSuffix(name, "ipv4_address"), len(p) == 16 && strings.HasSuffix(name, "ipv6_address"):
		a, _ := netip.AddrFromSlice(p)
		return a.String()
	case len(p) == 6 && strings.HasSuffix(name, "mac_address"):
		return strings.ReplaceAll(strings.ToUpper(net.HardwareAddr(p).String()), ":", "-")
	}
	text := strings.TrimRight(string(p), "\x00")
	printable := text != "" && utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
	if n, ok := flowNumber(p); ok && !(printable && (strings.HasSuffix(name, "name") || strings.HasSuffix(name, "description"))) {
		return strconv.FormatUint(n, 10)
	}
	if printable {
		return text
	}
	if text == "" {
		return ""
	}
	return hex.EncodeToString(p)
}

// record is the flow as a document.
func (f *flow) record(h *flowHeader, options bool) spool.Record {
	var b event.Batch
	b.Begin(0, "")
	at := h.exported
	switch {
	case !f.end.IsZero():
		at = f.end
	case !f.start.IsZero():
		at = f.start
	}
	b.Add("@timestamp", at.UTC().Format(time.RFC3339Nano))
	b.Add("ecs.version", "8.11.0")
	b.Add("event.kind", "event")
	b.Add("event.category", "network")
	b.Add("event.dataset", "netflow.log")
	b.Add("network.type", "")
	b.Add("observer.ip", strings.Split(h.exporter, ":")[0])
	if a, err := netip.ParseAddrPort(h.exporter); err == nil {
		b.Set("observer.ip", a.Addr().Unmap().String())
	}
	if options {
		b.Add("event.action", "netflow_options")
		b.Add("event.type", "info")
	} else {
		b.Add("event.action", "netflow_flow")
		b.Add("event.type", "connection")
	}
	if f.source.IsValid() {
		b.Add("source.ip", f.source.String())
	}
	if f.destination.IsValid() {
		b.Add("destination.ip", f.destination.String())
	}
	b.Add("source.mac", f.srcMAC)
	b.Add("destination.mac", f.dstMAC)
	if f.hasSrcPort {
		b.AddInt("source.port", int64(f.srcPort&math.MaxUint16))
	}
	if f.hasDstPort {
		b.AddInt("destination.port", int64(f.dstPort&math.MaxUint16))
	}
	count := func(network, source string, n uint64) {
		b.AddKind(network, strconv.FormatUint(n, 10), event.Number)
		b.AddKind(source, strconv.FormatUint(n, 10), event.Number)
	}
	if f.hasBytes {
		count("network.bytes", "source.bytes", f.bytes)
	}
	if f.hasPackets {
		count("network.packets", "source.packets", f.packets)
	}
	if f.hasProtocol {
		b.AddInt("network.iana_number", int64(f.protocol&0xff))
		b.Add("network.transport", transports[f.protocol&0xff])
	}
	if !f.start.IsZero() && !f.end.IsZero() {
		b.Add("event.start", f.start.UTC().Format(time.RFC3339Nano))
		b.Add("event.end", f.end.UTC().Format(time.RFC3339Nano))
		if d := f.end.Sub(f.start); d >= 0 {
			b.AddInt("event.duration", int64(d))
		}
	}
	b.Add("netflow.exporter.address", h.exporter)
	b.AddInt("netflow.exporter.source_id", int64(h.domain))
	b.Add("netflow.exporter.timestamp", h.exported.UTC().Format(time.RFC3339))
	b.AddInt("netflow.exporter.uptime_millis", int64(h.uptime))
	b.AddInt("netflow.exporter.version", int64(h.version))
	for _, x := range f.fields {
		if !b.Event().Has(x.Name) {
			b.AddKind(x.Name, x.Value, x.Kind)
		}
	}
	return spool.Record{Data: event.AppendFieldsJSON(nil, b.Event().Fields)}
}

var transports = map[uint64]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", 89: "ospf", 132: "sctp"}

// elementNames are IANA's names in snake case; those of NetFlow 9 have the same numbers.
var elementNames = func() (names [512]string) {
	for i := range names {
		if names[i] = snake(gonetflow.IPFIXTypeToString(uint16(i))); names[i] == "" || strings.Contains(names[i], "unassigned") {
			names[i] = "element_" + strconv.Itoa(i)
		}
	}
	return names
}()

func elementName(id uint16) string {
	if int(id) < len(elementNames) {
		return elementNames[id]
	}
	return "element_" + strconv.Itoa(int(id))
}

// snake turns sourceIPv4Address into source_ipv4_address.
func snake(s string) string {
	s = strings.NewReplacer("IPv4", "Ipv4", "IPv6", "Ipv6", "MPLS", "Mpls", "VLAN", "Vlan", "TCP", "Tcp", "UDP", "Udp", "ICMP", "Icmp", "IGMP", "Igmp", "BGP", "Bgp", "ID", "Id", "VRF", "Vrf", "VPN", "Vpn", "NAT", "Nat", "TTL", "Ttl", "IP", "Ip").Replace(s)
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}
