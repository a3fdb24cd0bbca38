package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Packet lines of the kernel's netfilter: the LOG target of iptables, ip6tables and
// nftables, and what UFW, firewalld, Shorewall and Ubiquiti write with them
// (net/netfilter/nf_log_syslog.c):
//
//	PREFIX IN=eth0 OUT= MAC=… SRC=… DST=… LEN=… … PROTO=TCP SPT=… DPT=… … SYN URGP=0
//
// Names follow Elastic's iptables integration.
const datasetNetfilter = "iptables.log"

// decodeNetfilter decodes a message that holds a packet; it adds nothing to others.
func decodeNetfilter(m *message, b *event.Batch) bool {
	s := m.Text
	start := netfilterStart(s)
	if start < 0 {
		return false
	}
	m.Dataset = datasetNetfilter
	m.Message = m.Rest
	b.Add("observer.name", m.Host)
	label := s[:start]
	if uptime, rest, ok := cutUptime(label); ok {
		b.AddNumber("kernel.uptime", uptime)
		label = rest
	}
	typ, outcome := netfilterLabel(m, label, b)
	var p packet
	p.scan(s[start:], b)
	b.Add("event.category", "network")
	b.Add("event.type", typ)
	if p.source && p.destination {
		b.Add("event.type", "connection")
	}
	b.Add("event.outcome", outcome)
	return true
}

// netfilterStart is where the packet begins in s, -1 when there is none: at "IN=…
// OUT=", or where a router cut the front off, at the first field of an IP header.
func netfilterStart(s string) int {
	head := s[:min(len(s), 256)]
	for from := 0; ; {
		i := strings.Index(head[from:], "IN=")
		if i < 0 {
			break
		}
		i += from
		from = i + 3
		if i > 0 && (isLetter(s[i-1]) || isDigit(s[i-1])) && s[i-1] != 'S' { // "PHYSIN=" is no beginning
			continue
		}
		if j := strings.Index(s[i:min(len(s), i+64)], " OUT="); j > 0 && strings.IndexByte(s[i:i+j], ' ') < 0 {
			return i
		}
	}
	// A field alone proves nothing; these four together do.
	if i := strings.Index(s, " PROTO="); i >= 0 && strings.Contains(s, " SPT=") && strings.Contains(s, " DPT=") {
		if j := strings.Index(s, "ID="); j >= 0 && j < i {
			for _, f := range [...]string{"TTL=", "TL=", "L="} {
				if k := strings.Index(s[:j], f); k >= 0 {
					return k
				}
			}
			return j
		}
	}
	return -1
}

// netfilterLabel reads what the rule wrote before the packet. Its words tell what became
// of the packet; the rule and zones come from the conventions of UFW, Ubiquiti,
// Shorewall and firewalld.
func netfilterLabel(m *message, label string, b *event.Batch) (typ, outcome string) {
	label = strings.TrimSpace(label)
	if label == "" && m.Host == "" && m.Tag != "kernel" {
		label, m.Program = m.Tag, "" // "DENY: IN=…": the rule's label in the tag's place
	}
	if label == "" || label == "kernel" {
		return "", ""
	}
	b.Add("iptables.label", label)
	inner, ok := strings.CutPrefix(label, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	switch {
	case ok && closed && strings.HasPrefix(inner, "UFW "):
		action := inner[len("UFW "):]
		switch action {
		case "BLOCK":
			b.Add("event.action", "block")
			return "denied", "failure"
		case "ALLOW":
			b.Add("event.action", "allow")
			return "allowed", "success"
		case "LIMIT BLOCK":
			b.Add("event.action", "limit-block")
			return "denied", "failure"
		case "LIMIT":
			b.Add("event.action", "limit")
			return "denied", "failure"
		default: // AUDIT, AUDIT INVALID: logged, not judged
			b.Add("event.action", lower(strings.ReplaceAll(action, " ", "-"), b))
			return "info", ""
		}
	case ok && closed:
		if rules, action, ok := cutLast(inner, "-"); ok {
			if set, rule, ok := cutLast(rules, "-"); ok && len(action) <= 2 { // Ubiquiti: [RULESET-RULE-ACTION]
				b.Add("iptables.ubiquiti.rule_set", set)
				b.Add("iptables.ubiquiti.rule_number", rule)
				b.Add("rule.name", set)
				b.Add("rule.id", rule)
				if in, out, ok := strings.Cut(set, "-"); ok && strings.IndexByte(out, '-') < 0 {
					b.Add("iptables.ubiquiti.input_zone", in)
					b.Add("iptables.ubiquiti.output_zone", out)
					b.Add("observer.ingress.zone", in)
					b.Add("observer.egress.zone", out)
				}
				switch action {
				case "D":
					b.Add("event.action", "drop")
					return "denied", "failure"
				case "A":
					b.Add("event.action", "accept")
					return "allowed", "success"
				case "R":
					b.Add("event.action", "reject")
					return "denied", "failure"
				}
				b.Add("event.action", lower(action, b))
				return "", ""
			}
		}
		label = inner
	}
	// The last word that says what was done is the action: "iptables DROP_INPUT:",
	// "Shorewall:net-fw:DROP:", "FINAL_REJECT: ".
	rest := strings.TrimRight(label, ": ")
	for rest != "" {
		i := len(rest)
		for i > 0 && (isLetter(rest[i-1]) || isDigit(rest[i-1]) || rest[i-1] == '_') {
			i--
		}
		word := rest[i:]
		if typ, outcome := verdict(word); typ != "" {
			b.Add("event.action", lower(word, b))
			return typ, outcome
		}
		rest = strings.TrimRight(rest[:i], ":-. /[](){}*#=,;<>|")
		if i == len(rest) { // neither word nor separator
			break
		}
	}
	return "", ""
}

// verdict finds what a label's word says became of the packet.
func verdict(word string) (typ, outcome string) {
	for len(word) > 0 {
		part := word
		if i := strings.LastIndexByte(word, '_'); i >= 0 {
			part, word = word[i+1:], word[:i]
		} else {
			word = ""
		}
		switch len(part) {
		case 4, 5, 6, 7, 8:
		default:
			continue
		}
		for _, v := range verdicts {
			if strings.EqualFold(part, v.word) {
				return v.typ, v.outcome
			}
		}
	}
	return "", ""
}

var verdicts = [...]struct{ word, typ, outcome string }{
	{"DROP", "denied", "failure"}, {"DROPPED", "denied", "failure"}, {"DENY", "denied", "failure"}, {"DENIED", "denied", "failure"},
	{"BLOCK", "denied", "failure"}, {"BLOCKED", "denied", "failure"}, {"REJECT", "denied", "failure"}, {"REJECTED", "denied", "failure"},
	{"DISCARD", "denied", "failure"}, {"ACCEPT", "allowed", "success"}, {"ACCEPTED", "allowed", "success"}, {"ALLOW", "allowed", "success"},
	{"ALLOWED", "allowed", "success"}, {"PASS", "allowed", "success"}, {"PERMIT", "allowed", "success"},
}

// packet remembers what of a packet line was seen.
type packet struct {
	source, destination bool
	proto               string
	lengths             int
}

// scan reads "KEY=VALUE" and bare flag tokens.
func (p *packet) scan(s string, b *event.Batch) {
	for s != "" {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		if s[0] == '[' { // the packet an ICMP error is about
			end := strings.LastIndexByte(s, ']')
			if end < 0 {
				end = len(s)
			}
			innerPacket(s[1:end], b)
			s = s[min(end+1, len(s)):]
			continue
		}
		var token string
		token, s, _ = strings.Cut(s, " ")
		key, value, ok := strings.Cut(token, "=")
		switch {
		case ok:
			p.field(key, value, b)
		case token == "FRAG:":
			token, s, _ = strings.Cut(s, " ")
			b.AddNumber("iptables.fragment_offset", token)
		case strings.HasPrefix(token, "FRAG:"):
			b.AddNumber("iptables.fragment_offset", token[len("FRAG:"):])
		case token == "INCOMPLETE":
			if n, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), " bytes]"); ok && isDigits(n) {
				b.AddNumber("iptables.incomplete_bytes", n)
				s = rest
			}
		case token == "DF", token == "MF", token == "CE":
			b.Add("iptables.fragment_flags", token)
		default:
			p.flag(token, b)
		}
	}
}

func (p *packet) flag(token string, b *event.Batch) {
	switch token {
	case "CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN":
		b.Add("iptables.tcp.flags", token)
	}
}

func (p *packet) field(key, value string, b *event.Batch) {
	switch key {
	case "IN":
		b.AddKind("iptables.input_device", value, event.String)
		b.Add("observer.ingress.interface.name", value)
	case "OUT":
		b.AddKind("iptables.output_device", value, event.String)
		b.Add("observer.egress.interface.name", value)
	case "PHYSIN":
		b.Add("iptables.physical_input_device", value)
	case "PHYSOUT":
		b.Add("iptables.physical_output_device", value)
	case "MAC":
		netfilterMAC(value, b)
	case "SRC":
		if !p.source && ipVersion(value) != 0 {
			p.source = true
			b.Add("source.ip", value)
			p.family(value, b)
		}
	case "DST":
		if !p.destination && ipVersion(value) != 0 {
			p.destination = true
			b.Add("destination.ip", value)
		}
	case "LEN":
		if p.lengths++; p.lengths == 1 && p.proto == "" {
			b.AddNumber("iptables.length", value)
		} else if p.proto != "" {
			b.AddNumber("iptables.udp.length", value)
		}
	case "TOS", "TC":
		addHex(b, "iptables.tos", value)
	case "PREC":
		addHex(b, "iptables.precedence_bits", value)
	case "TTL", "HOPLIMIT", "TL", "L":
		b.AddNumber("iptables.ttl", value)
	case "ID":
		if p.proto == "" {
			b.AddNumber("iptables.id", value)
		} else {
			b.AddNumber("iptables.icmp.id", value)
		}
	case "FLOWLBL":
		b.AddNumber("iptables.flow_label", value)
	case "PROTO":
		p.proto = value
		if isDigits(value) {
			b.Add("network.iana_number", value)
		} else {
			b.Add("network.transport", netfilterTransport(b, value))
		}
	case "SPT":
		addPort(b, "source.port", value)
	case "DPT":
		addPort(b, "destination.port", value)
	case "WINDOW":
		b.AddNumber("iptables.tcp.window", value)
	case "RES":
		addHex(b, "iptables.tcp.reserved_bits", value)
	case "SEQ":
		if strings.HasPrefix(p.proto, "ICMP") {
			b.AddNumber("iptables.icmp.seq", value)
		} else {
			b.AddNumber("iptables.tcp.seq", value)
		}
	case "ACK":
		b.AddNumber("iptables.tcp.ack", value)
	case "TYPE":
		b.AddNumber("iptables.icmp.type", value)
	case "CODE":
		b.AddNumber("iptables.icmp.code", value)
	case "GATEWAY":
		b.Add("iptables.icmp.redirect", value)
	case "PARAMETER":
		b.AddNumber("iptables.icmp.parameter", value)
	case "MTU":
		b.AddNumber("iptables.icmp.mtu", value)
	case "MARK":
		b.Add("iptables.mark", value)
	case "UID":
		b.Add("user.id", value)
	case "GID":
		b.Add("group.id", value)
	case "MACSRC", "MACDST":
		side := "source.mac"
		if key == "MACDST" {
			side = "destination.mac"
		}
		if isMAC(value) {
			b.Add(side, ecsMAC(b, value))
		}
	case "MACPROTO":
		p.etherType(value, b)
	case "SPI":
		addHex(b, "iptables.spi", value)
	}
}

// family is the layer-3 protocol as the addresses show it: the MAC field may be
// missing, and is for packets of this host.
func (p *packet) family(ip string, b *event.Batch) {
	if strings.IndexByte(ip, ':') >= 0 {
		b.Set("network.type", "ipv6")
	} else {
		b.Set("network.type", "ipv4")
	}
}

func (p *packet) etherType(hex string, b *event.Batch) {
	addHex(b, "iptables.ether_type", hex)
}

// innerPacket adds the endpoints of the packet that an ICMP error quotes.
func innerPacket(s string, b *event.Batch) {
	for s != "" {
		var token string
		token, s, _ = strings.Cut(s, " ")
		key, value, _ := strings.Cut(token, "=")
		switch key {
		case "SRC":
			b.Add("iptables.inner.source.ip", value)
		case "DST":
			b.Add("iptables.inner.destination.ip", value)
		case "PROTO":
			b.Add("iptables.inner.transport", netfilterTransport(b, value))
		case "SPT":
			b.AddNumber("iptables.inner.source.port", value)
		case "DPT":
			b.AddNumber("iptables.inner.destination.port", value)
		}
	}
}

// netfilterTransport is ECS's network.transport for the kernel's PROTO.
func netfilterTransport(b *event.Batch, proto string) string {
	switch proto {
	case "TCP":
		return "tcp"
	case "UDP":
		return "udp"
	case "ICMP":
		return "icmp"
	case "ICMPv6":
		return "ipv6-icmp"
	}
	return lower(proto, b)
}

// netfilterMAC splits "MAC=": destination, source, then the EtherType and what the
// driver wrote beyond (the link-layer header as it is).
func netfilterMAC(s string, b *event.Batch) {
	const mac = len("00:00:00:00:00:00")
	if len(s) >= mac && isMAC(s[:mac]) {
		b.Add("destination.mac", ecsMAC(b, s[:mac]))
		s = strings.TrimPrefix(s[mac:], ":")
	} else {
		return
	}
	if len(s) >= mac && isMAC(s[:mac]) {
		b.Add("source.mac", ecsMAC(b, s[:mac]))
		s = strings.TrimPrefix(s[mac:], ":")
	}
	if len(s) >= 5 && s[2] == ':' && isHex(s[:2]) && isHex(s[3:5]) {
		addHex(b, "iptables.ether_type", s[:5])
	}
}

func isMAC(s string) bool {
	if len(s) != 17 {
		return false
	}
	for i := 0; i < 17; i++ {
		if i%3 == 2 {
			if s[i] != ':' && s[i] != '-' {
				return false
			}
		} else if !isHex(s[i : i+1]) {
			return false
		}
	}
	return true
}

// ecsMAC writes a MAC address as ECS wants it: upper case with dashes (RFC 7042).
func ecsMAC(b *event.Batch, s string) string {
	var buf [17]byte
	for i := range buf {
		switch c := s[i]; {
		case c == ':':
			buf[i] = '-'
		case 'a' <= c && c <= 'f':
			buf[i] = c - 'a' + 'A'
		default:
			buf[i] = c
		}
	}
	return b.Bytes(buf[:])
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return s != ""
}

// addHex adds a hexadecimal value, "0x1F" or "08:00", as a number.
func addHex(b *event.Batch, name, s string) {
	s = strings.TrimPrefix(s, "0x")
	if len(s) == 0 || len(s) > 15 {
		return
	}
	var v int64
	for i := 0; i < len(s); i++ {
		switch c := s[i] | 0x20; {
		case isDigit(s[i]):
			v = v<<4 | int64(s[i]-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | int64(c-'a'+10)
		case s[i] != ':':
			return
		}
	}
	b.AddInt(name, v)
}
