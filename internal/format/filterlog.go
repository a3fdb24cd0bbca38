package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// filterlog of pfSense and OPNsense: what pf did with a packet, as comma-separated values
// whose columns depend on IP version and protocol (Netgate, "Raw Filter Log Format"). Names follow
// Elastic's pfSense integration.
const datasetPfSense = "pfsense.log"

var _ = registerProgram(program{Names: []string{"filterlog"}, Dataset: datasetPfSense, Decode: decodeFilterlog})

func decodeFilterlog(m *message, b *event.Batch) bool {
	var f [64]string
	n := 0
	for s := m.Text; n < len(f); n++ {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			f[n] = s
			n++
			break
		}
		f[n], s = s[:i], s[i+1:]
	}
	if n < 9 || !isDigits(f[8]) {
		return false
	}
	v6 := f[8] == "6"
	at := 0 // of the protocol's columns
	var proto, size, src, dst string
	switch {
	case v6 && n >= 17: // class, flow label, hop limit, protocol, its number, length, source, destination
		proto, size, src, dst, at = f[13], f[14], f[15], f[16], 17
		if isDigits(f[12]) && !isDigits(f[13]) { // older releases have the name first
			proto = f[12]
		}
		b.Add("network.type", "ipv6")
		b.Add("pfsense.ip.tos", f[9])
		b.Add("pfsense.ip.flow_label", f[10])
		b.AddNumber("pfsense.ip.ttl", f[11])
	case f[8] == "4" && n >= 20: // TOS, ECN, TTL, ID, offset, flags, protocol's number, its name, length, …
		proto, size, src, dst, at = f[15], f[17], f[18], f[19], 20
		b.Add("network.type", "ipv4")
		b.Add("pfsense.ip.tos", f[9])
		b.Add("pfsense.ip.ecn", f[10])
		b.AddNumber("pfsense.ip.ttl", f[11])
		b.AddNumber("pfsense.ip.id", f[12])
		b.AddNumber("pfsense.ip.offset", f[13])
		b.Add("pfsense.ip.flags", f[14])
	default:
		return false
	}
	if ipVersion(src) == 0 || ipVersion(dst) == 0 {
		return false
	}
	b.Add("event.provider", "filterlog")
	b.Add("observer.vendor", "netgate")
	b.Add("observer.type", "firewall")
	b.Add("observer.name", m.Host)
	b.Add("rule.id", f[3])
	b.Add("pfsense.sub_rule", f[1])
	b.Add("pfsense.anchor", f[2])
	addInterface(b, f[4])
	b.Add("event.reason", f[5])
	b.Add("event.action", f[6])
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	switch f[6] {
	case "block", "reject":
		b.Add("event.type", "denied")
	case "pass", "nat", "rdr", "binat":
		b.Add("event.type", "allowed")
	}
	switch f[7] {
	case "in":
		b.Add("network.direction", "inbound")
	case "out":
		b.Add("network.direction", "outbound")
	}
	addTransport(b, proto)
	b.AddNumber("network.bytes", size)
	addSource(b, src, "")
	b.Add("destination.address", dst)
	addDestination(b, dst, "")
	get := func(i int) string {
		if at+i < n {
			return f[at+i]
		}
		return ""
	}
	switch strings.TrimLeft(lower(proto, b), " ") {
	case "tcp", "6":
		addPort(b, "source.port", get(0))
		addPort(b, "destination.port", get(1))
		b.AddNumber("pfsense.tcp.length", get(2))
		b.Add("pfsense.tcp.flags", get(3))
		b.AddNumber("pfsense.tcp.ack", get(5))
		b.AddNumber("pfsense.tcp.window", get(6))
		b.Add("pfsense.tcp.urg", get(7))
		for option := range strings.SplitSeq(get(8), ";") {
			b.Add("pfsense.tcp.options", option)
		}
	case "udp", "17":
		addPort(b, "source.port", get(0))
		addPort(b, "destination.port", get(1))
		b.AddNumber("pfsense.udp.length", get(2))
	case "icmp", "1", "icmpv6", "58", "ipv6-icmp":
		b.Add("pfsense.icmp.type", get(0))
		switch get(0) {
		case "request", "reply", "tstamp", "tstampreply":
			b.AddNumber("pfsense.icmp.id", get(1))
			if seq := strings.TrimLeft(get(2), "0"); seq != "" {
				b.AddNumber("pfsense.icmp.seq", seq)
			} else {
				b.Add("pfsense.icmp.seq", get(2))
			}
		case "unreachport":
			b.Add("pfsense.icmp.destination.ip", get(1))
			b.Add("pfsense.icmp.unreachable.protocol_id", get(2))
			b.AddNumber("pfsense.icmp.unreachable.port", get(3))
		case "unreachproto":
			b.Add("pfsense.icmp.destination.ip", strings.Trim(get(1), "[]"))
			b.Add("pfsense.icmp.unreachable.protocol_id", strings.Trim(get(2), "[]"))
		}
	}
	return true
}

// addInterface adds the interface a packet came in on, and the VLAN that FreeBSD's "igb1.12" tells.
func addInterface(b *event.Batch, name string) {
	b.Add("observer.ingress.interface.name", name)
	if i := strings.LastIndexByte(name, '.'); i > 0 && isDigits(name[i+1:]) {
		b.Add("observer.ingress.vlan.id", name[i+1:])
		b.Add("network.vlan.id", name[i+1:])
	}
}
