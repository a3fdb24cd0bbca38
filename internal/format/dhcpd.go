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
	if m.Program == "dhcp6c" || m.Program == "dhcpd6" {
		b.Add("network.protocol", "dhcpv6")
	} else {
		b.Add("network.protocol", "dhcp")
	}
	b.Add("network.transport", "udp")
	b.Add("event.category", "network")
	for _, t := range [...]string{"connection", "protocol", "info"} {
		b.Add("event.type", t)
	}
	verb, rest, _ := strings.Cut(m.Text, " ")
	switch {
	case strings.HasPrefix(verb, "DHCP") && len(verb) > 6:
		b.Add("event.action", strings.TrimRight(verb, ":"))
		dhcpWords(m, rest, b)
		return true
	case strings.Contains(m.Text, " message from "):
		kind, peer, _ := strings.Cut(m.Text, " message from ")
		dhcpPeer(kind, peer, b)
		return true
	case verb == "Sending":
		if kind, peer, ok := strings.Cut(rest, " to "); ok {
			dhcpPeer(kind, peer, b)
			return true
		}
	}
	return false
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
					b.Add("client.domain", name[1:])
					b.Add("source.domain", name[1:])
					after = strings.TrimLeft(tail, " ")
				}
				s = after
				continue
			}
			if ipVersion(value) != 0 {
				if server || word == "to" {
					b.Add("client.ip", value)
					addSource(b, value, "")
				} else {
					b.Add("server.ip", value)
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
