package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/sextant-logs/sextant/internal/event"
)

// dnsQuery is a question that waits for its answer.
type dnsQuery struct {
	time, offset int64
	client       int
	length       int
	msg          dnsMessage
}

// dnsMessage is what of a message (RFC 1035 §4) is kept.
type dnsMessage struct {
	id        uint16
	response  bool
	opcode    layers.DNSOpCode
	code      layers.DNSResponseCode
	flags     []string
	z         uint8 // the three bits that once were reserved
	questions []question
	answers   []answer
	more      int // answers beyond maxAnswers
	bad       string
}

type question struct{ name, typ, class string }

type answer struct {
	name, typ, class, data string
	ttl                    uint32
	ip                     netip.Addr
}

const (
	maxAnswers = 64
	maxQueries = 64 // of one flow that wait
)

// dnsDecoder decodes one message after another.
type dnsDecoder struct{ layer layers.DNS }

// decode reads a message; what of a cut-off one can be read is there.
func (d *dnsDecoder) decode(p []byte) (m dnsMessage, ok bool) {
	if len(p) < 12 {
		return m, false
	}
	defer func() {
		if r := recover(); r != nil { // hostile messages were not all met in the library's tests
			m, ok = dnsMessage{}, false
		}
	}()
	l := &d.layer
	err := l.DecodeFromBytes(p, gopacket.NilDecodeFeedback)
	if l.Z > 7 || l.QDCount > 64 || len(l.Questions) == 0 && len(l.Answers) == 0 && l.QDCount+l.ANCount > 0 {
		return m, false // no DNS at all
	}
	m = dnsMessage{id: l.ID, response: l.QR, opcode: l.OpCode, code: l.ResponseCode, z: l.Z}
	if err != nil {
		m.bad = err.Error()
	}
	for _, f := range [...]struct {
		set  bool
		name string
	}{{l.AA, "AA"}, {l.TC, "TC"}, {l.RD, "RD"}, {l.RA, "RA"}, {p[3]&0x20 != 0, "AD"}, {p[3]&0x10 != 0, "CD"}} {
		if f.set {
			m.flags = append(m.flags, f.name)
		}
	}
	for i := range l.Questions {
		q := &l.Questions[i]
		m.questions = append(m.questions, question{text(q.Name), dnsType(q.Type), dnsClass(q.Class)})
	}
	for i := range l.Answers {
		if i == maxAnswers {
			m.more = len(l.Answers) - i
			break
		}
		m.answers = append(m.answers, dnsAnswer(&l.Answers[i]))
	}
	return m, true
}

func dnsAnswer(r *layers.DNSResourceRecord) answer {
	a := answer{name: text(r.Name), typ: dnsType(r.Type), class: dnsClass(r.Class), ttl: r.TTL}
	switch r.Type {
	case layers.DNSTypeA, layers.DNSTypeAAAA:
		a.ip, _ = netip.AddrFromSlice(r.IP)
		a.data = a.ip.String()
	case layers.DNSTypeCNAME:
		a.data = text(r.CNAME)
	case layers.DNSTypeNS:
		a.data = text(r.NS)
	case layers.DNSTypePTR:
		a.data = text(r.PTR)
	case layers.DNSTypeMX:
		a.data = strconv.Itoa(int(r.MX.Preference)) + " " + text(r.MX.Name)
	case layers.DNSTypeSRV:
		a.data = fmt.Sprintf("%d %d %d %s", r.SRV.Priority, r.SRV.Weight, r.SRV.Port, text(r.SRV.Name))
	case layers.DNSTypeSOA:
		a.data = fmt.Sprintf("%s %s %d %d %d %d %d", text(r.SOA.MName), text(r.SOA.RName), r.SOA.Serial, r.SOA.Refresh, r.SOA.Retry, r.SOA.Expire, r.SOA.Minimum)
	case layers.DNSTypeTXT:
		var parts []string
		for _, t := range r.TXTs {
			parts = append(parts, text(t))
		}
		a.data = strings.Join(parts, " ")
	default:
		a.data = fmt.Sprintf("%x", r.Data[:min(len(r.Data), 256)])
	}
	return a
}

// Types that the library has no name for.
var dnsTypes = map[layers.DNSType]string{10: "NULL", 13: "HINFO", 43: "DS", 44: "SSHFP", 47: "NSEC", 50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA"}

func dnsType(t layers.DNSType) string {
	if name, ok := dnsTypes[t]; ok {
		return name
	}
	if s := t.String(); s != "Unknown" && s != "" {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t)) // RFC 3597 §5
}

func dnsClass(c layers.DNSClass) string {
	switch c &^ 0x8000 { // in multicast DNS the top bit is another matter (RFC 6762 §5.4)
	case 1:
		return "IN"
	case 3:
		return "CH"
	case 4:
		return "HS"
	}
	if c == 255 {
		return "ANY"
	}
	return "CLASS" + strconv.Itoa(int(c))
}

// udp takes a datagram.
func (e *Engine) udp(fl *flow, dir int, f *frame, p *Packet) {
	if len(f.payload) == 0 {
		return
	}
	switch port := min(fl.srcPort, fl.dstPort); {
	case fl.srcPort == 53, fl.dstPort == 53, port == 5353, port == 5355:
		e.dnsMessage(fl, dir, f.payload, p.At+int64(f.at))
	case fl.protocol == "" && (fl.dstPort == 443 || fl.srcPort == 443) && len(f.payload) > 6 && f.payload[0]&0xc0 == 0xc0 && isQUIC(binary.BigEndian.Uint32(f.payload[1:])):
		fl.protocol = "quic"
	}
}

// isQUIC: versions 1 (RFC 9000), 2 (RFC 9369) and the drafts before.
func isQUIC(v uint32) bool { return v == 1 || v == 0x6b3343cf || v>>8 == 0xff0000 }

// dnsMessage takes one message of a flow.
func (e *Engine) dnsMessage(fl *flow, dir int, p []byte, at int64) {
	m, ok := e.dns.decode(p)
	if !ok {
		return
	}
	if fl.protocol == "" {
		fl.protocol = "dns"
		switch {
		case fl.srcPort == 5353 || fl.dstPort == 5353:
			fl.protocol = "mdns"
		case fl.srcPort == 5355 || fl.dstPort == 5355:
			fl.protocol = "llmnr"
		}
	}
	if !m.response {
		q := &dnsQuery{time: e.now, offset: at, client: dir, length: len(p), msg: m}
		if fl.protocol == "mdns" { // nobody answers to whom asked
			e.addDNS(fl, q, nil, 0)
			return
		}
		if len(fl.dns) >= maxQueries {
			old := fl.dns[0]
			fl.dns = fl.dns[1:]
			e.addDNS(fl, old, nil, 0)
		}
		fl.dns = append(fl.dns, q)
		return
	}
	for i, q := range fl.dns {
		if q.msg.id == m.id && q.client != dir && (len(m.questions) == 0 || len(q.msg.questions) == 0 || strings.EqualFold(m.questions[0].name, q.msg.questions[0].name)) {
			fl.dns = append(fl.dns[:i], fl.dns[i+1:]...)
			e.addDNS(fl, q, &m, e.now)
			return
		}
	}
	e.addDNS(fl, &dnsQuery{time: e.now, offset: at, client: 1 - dir, length: len(p)}, &m, e.now)
}

// endDNS adds the questions that were not answered.
func (e *Engine) endDNS(fl *flow) {
	for _, q := range fl.dns {
		e.addDNS(fl, q, nil, 0)
	}
	fl.dns = nil
}

// addDNS makes the event of a question and its answer; one of them may not have been seen.
func (e *Engine) addDNS(fl *flow, q *dnsQuery, m *dnsMessage, at int64) {
	asked := len(q.msg.questions) > 0 || m == nil
	of := &q.msg
	if !asked {
		of = m
	}
	var first question
	if len(of.questions) > 0 {
		first = of.questions[0]
	}
	raw := "dns " + fl.endpoint(q.client) + " " + first.typ + " " + first.name
	if m != nil {
		raw += ": " + m.code.String()
		for _, a := range m.answers {
			if len(raw) < 4096 {
				raw += ", " + a.typ + " " + a.data
			}
		}
	}
	ev := fl.begin(e, "pcap.dns", q.time, q.offset, raw, q.client)
	ev.Length = int64(q.length)
	b := e.b
	b.Add("event.type", "protocol")
	b.Add("event.action", "dns_query")
	b.Add("network.protocol", fl.protocol)
	b.Add("dns.id", strconv.Itoa(int(of.id)))
	b.Add("dns.op_code", strings.ToUpper(of.opcode.String()))
	b.Add("dns.question.name", first.name)
	b.Add("dns.question.type", first.typ)
	b.Add("dns.question.class", first.class)
	bad := q.msg.bad
	if m == nil {
		b.Add("dns.type", "query")
		for _, f := range q.msg.flags {
			b.Add("dns.header_flags", f)
		}
	} else {
		bad = m.bad
		b.Add("dns.type", "answer")
		b.Add("dns.response_code", responseCode(m.code))
		for _, f := range m.flags {
			b.Add("dns.header_flags", f)
		}
		if m.code == 0 {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
		if asked {
			b.AddInt("event.duration", max(0, at-q.time))
		}
		e.answers(m)
	}
	b.AddInt("pcap.dns.z", int64(of.z))
	b.Add("pcap.dns.error", bad)
}

// answers adds the records of an answer as ECS has them.
func (e *Engine) answers(m *dnsMessage) {
	b := e.b
	if len(m.answers) > 0 {
		out := []byte{'['}
		for i, a := range m.answers {
			if i > 0 {
				out = append(out, ',')
			}
			out = event.AppendQuoted(append(out, `{"name":`...), a.name)
			out = event.AppendQuoted(append(out, `,"type":`...), a.typ)
			out = event.AppendQuoted(append(out, `,"class":`...), a.class)
			out = strconv.AppendUint(append(out, `,"ttl":`...), uint64(a.ttl), 10)
			out = event.AppendQuoted(append(out, `,"data":`...), a.data)
			out = append(out, '}')
		}
		b.AddKind("dns.answers", b.Bytes(append(out, ']')), event.JSON)
	}
	for _, a := range m.answers {
		if a.ip.IsValid() {
			b.Add("dns.resolved_ip", a.data)
		}
	}
	if n := len(m.answers) + m.more; n > 0 {
		b.AddInt("dns.answers_count", int64(n))
	}
}

var responseCodes = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}

func responseCode(c layers.DNSResponseCode) string {
	if int(c) < len(responseCodes) {
		return responseCodes[c]
	}
	return strconv.Itoa(int(c))
}

// dnsStream reads DNS over TCP: each message behind its length (RFC 1035 §4.2.2).
type dnsStream struct{}

func (d *dnsStream) data(e *Engine, fl *flow, dir int, p []byte) int {
	taken := 0
	for len(p)-taken >= 2 {
		n := int(binary.BigEndian.Uint16(p[taken:]))
		if n < 12 {
			fl.dead = true
			return len(p)
		}
		if len(p)-taken < 2+n {
			break
		}
		e.dnsMessage(fl, dir, p[taken+2:taken+2+n], fl.half[dir].stream.where(taken+2))
		taken += 2 + n
	}
	return taken
}

func (d *dnsStream) gap(_ *Engine, fl *flow, _ int, _ int64) { fl.dead = true }
func (d *dnsStream) end(*Engine, *flow)                      {}
