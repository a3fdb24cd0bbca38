package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// DHCP as ISC's server and client log it:
//
//	DHCPDISCOVER from MAC (name) via eth0[: reason]
//	DHCPREQUEST for IP (SERVER) from MAC (name) via eth0[: reason]
//	DHCPACK|DHCPOFFER on IP to MAC (name) via eth0
//	DHCPNAK on IP to MAC via eth0, DHCPRELEASE of IP from MAC …, DHCPINFORM from IP via eth0
//	Solicit message from IP6 port 546, transaction ID 0x…; Sending Reply to IP6 port 546
var _ = registerProgram(program{Names: []string{"dhcpd", "dhcpd6", "dhclient", "dhcp6c", "kea-dhcp4"}, Dataset: "dhcpd.log", Decode: decodeDHCP})

func decodeDHCP(m *message, b *event.Batch) bool {
	b.Add("event.provider", m.Program)
	b.Add("network.transport", "udp")
	b.Add("event.category", "network")
	for _, t := range [...]string{"connection", "protocol", "info"} {
		b.Add("event.type", t)
	}
	understood := dhcpMessage(m, b)
	e := b.Event()
	ip := e.Get("source.ip")
	if m.Program == "dhcp6c" || m.Program == "dhcpd6" || ipVersion(ip) == 6 { // one daemon of either version may log as "dhcpd"
		b.Add("network.protocol", "dhcpv6")
	} else {
		b.Add("network.protocol", "dhcp")
	}
	if !e.Has("destination.ip") {
		addNetworkType(b, ip)
	}
	return understood
}

// dhcpSix are the messages of DHCPv6 that name an address, with what follows it.
var dhcpSix = newPhraseBook(
	phrase{"Picking pool address ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("picking-pool-address", s, b) }},
	phrase{"Advertise NA: address ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("advertise-na", s, b) }},
	phrase{"Reply NA: address ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("reply-na", s, b) }},
	phrase{"Reusing lease for: ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("reusing-lease", s, b) }},
	phrase{"remove an address ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("remove-an-address", s, b) }},
	phrase{"add an address ", func(m *message, s string, b *event.Batch) bool { return dhcpAddress("add-an-address", s, b) }},
	phrase{"Listening on ", func(m *message, s string, b *event.Batch) bool { return dhcpSocket("listening-on-", s, b) }},
	phrase{"Sending on ", func(m *message, s string, b *event.Batch) bool { return dhcpSocket("sending-on-", s, b) }},
)

func dhcpMessage(m *message, b *event.Batch) bool {
	verb, rest, _ := strings.Cut(m.Text, " ")
	if strings.HasPrefix(verb, "DHCP") && len(verb) > 6 {
		b.Add("event.action", strings.TrimRight(verb, ":"))
		dhcpWords(m, rest, b)
		return true
	}
	if dhcpSix.decode(m, m.Text, b) {
		return true
	}
	switch {
	case strings.Contains(m.Text, " message from "):
		kind, peer, _ := strings.Cut(m.Text, " from ")
		dhcpPeer(kind, peer, b)
		return true
	case verb == "Sending":
		if kind, peer, ok := strings.Cut(m.Text, " to "); ok {
			dhcpPeer(kind, peer, b)
			return true
		}
	case verb == "bound" && strings.HasPrefix(rest, "to "): // "bound to 192.0.2.9 -- renewal in 1599 seconds."
		ip, tail, _ := strings.Cut(rest[3:], " ")
		if ipVersion(ip) == 0 {
			return false
		}
		b.Add("event.action", "bound")
		b.Add("client.ip", ip)
		b.Add("client.address", ip)
		addSource(b, ip, "")
		if _, n, ok := strings.Cut(tail, "renewal in "); ok {
			n, _, _ = strings.Cut(n, " ")
			b.AddNumber("pfsense.dhcp.renewal_time", n)
		}
		return true
	case m.Program == "dhclient" && isCapitals(m.Text): // dhclient-script's reason: "RENEW"
		b.Add("event.action", lower(m.Text, b))
		return true
	}
	return false
}

// dhcpAddress reads an address and the words behind it: "on igb0", "to client with duid … iaid = …
// valid for 7200 seconds", "age 265 secs …".
func dhcpAddress(action, s string, b *event.Batch) bool {
	ip, rest, _ := strings.Cut(s, " ")
	ip, _, _ = strings.Cut(strings.TrimRight(ip, ","), "/")
	if ipVersion(ip) == 0 {
		return false
	}
	b.Add("event.action", action)
	b.Add("client.ip", plainIP(ip))
	b.Add("client.address", ip)
	addSource(b, ip, "")
	for word := ""; rest != ""; {
		word, rest, _ = strings.Cut(rest, " ")
		value, _, _ := strings.Cut(rest, " ")
		switch word {
		case "on":
			addInterface(b, value)
		case "duid":
			b.Add("pfsense.dhcp.duid", value)
		case "iaid":
			b.AddNumber("pfsense.dhcp.iaid", strings.TrimLeft(value2(rest), "-"))
		case "for":
			b.AddNumber("pfsense.dhcp.lease_time", value)
		case "age":
			b.AddNumber("pfsense.dhcp.age", value)
		}
	}
	return true
}

// value2 is the second word of "= VALUE …".
func value2(s string) string {
	_, s, _ = strings.Cut(s, " ")
	s, _, _ = strings.Cut(s, " ")
	return s
}

// dhcpSocket reads "BPF/igb1.15/5f:…/192.0.2.0/25" and "Socket/6/igb1.10/2001:db8::/64".
func dhcpSocket(action, s string, b *event.Batch) bool {
	kind, rest, ok := strings.Cut(s, "/")
	if !ok || kind != "BPF" && kind != "Socket" && kind != "LPF" {
		return false
	}
	b.Add("event.action", b.Bytes(append([]byte(action), strings.ToLower(kind)...)))
	if kind == "Socket" {
		_, rest, _ = strings.Cut(rest, "/")
	}
	iface, rest, _ := strings.Cut(rest, "/")
	addInterface(b, iface)
	if mac, subnet, ok := strings.Cut(rest, "/"); ok && isMAC(mac) {
		b.Add("server.mac", ecsMAC(b, mac))
		b.Add("destination.mac", ecsMAC(b, mac))
		rest = subnet
	}
	b.Add("pfsense.dhcp.subnet", rest)
	return true
}

func dhcpPeer(kind, s string, b *event.Batch) {
	b.Add("event.action", lower(strings.ReplaceAll(kind, " ", "-"), b))
	ip, rest, _ := strings.Cut(s, " ")
	if ipVersion(ip) == 0 {
		return
	}
	port := ""
	if p, ok := strings.CutPrefix(rest, "port "); ok {
		port, _, _ = strings.Cut(p, ",")
	}
	if _, id, ok := strings.Cut(rest, "transaction ID "); ok {
		b.Add("pfsense.dhcp.transaction_id", id)
	}
	b.Add("client.ip", plainIP(ip))
	b.Add("client.address", ip)
	addPort(b, "client.port", port)
	addSource(b, ip, port)
}

// dhcpWords reads the words behind the message's name; they come in any order.
func dhcpWords(m *message, s string, b *event.Batch) {
	server := m.Program == "dhcpd"
	for n := 0; s != "" && n < 32; n++ {
		word, rest, _ := strings.Cut(s, " ")
		value, after, _ := strings.Cut(rest, " ")
		value = strings.TrimRight(value, ":,")
		switch word {
		case "for", "on", "of":
			if ipVersion(value) != 0 {
				b.Add("client.ip", value)
				b.Add("client.address", value)
				addSource(b, value, "")
				s = after
				continue
			}
		case "from", "to":
			if isMAC(value) {
				mac := ecsMAC(b, value)
				b.Add("client.mac", mac)
				b.Add("source.mac", mac)
				if name, tail, ok := strings.Cut(after, ")"); ok && strings.HasPrefix(name, "(") {
					b.Add("pfsense.dhcp.hostname", name[1:])
					b.Add("client.domain", name[1:])
					b.Add("source.domain", name[1:])
					after = strings.TrimLeft(tail, " ")
				}
				s = after
				continue
			}
			if ipVersion(value) != 0 {
				if server { // dhcpd names its clients, dhclient its server
					b.Add("client.ip", value)
					addSource(b, value, "")
				} else {
					b.Add("server.ip", value)
					b.Add("server.address", value)
					b.Add("destination.address", value)
					b.Add("destination.ip", value)
				}
				s = after
				continue
			}
		case "via":
			if ipVersion(value) != 0 {
				b.Add("network.forwarded_ip", value) // a relay's
			} else {
				addInterface(b, value)
			}
			if i := strings.Index(rest, ": "); i >= 0 {
				b.Add("event.reason", rest[i+2:])
			}
			return
		}
		if strings.HasPrefix(word, "(") && ipVersion(strings.Trim(word, "()")) != 0 {
			ip := strings.Trim(word, "()")
			b.Add("server.ip", ip)
			b.Add("server.address", ip)
			b.Add("destination.address", ip)
			b.Add("destination.ip", ip)
		}
		s = rest
	}
}
