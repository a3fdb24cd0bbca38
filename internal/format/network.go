package format

import "github.com/sextant-logs/sextant/internal/event"

// transportNames are IANA's protocol numbers that firewalls meet, with their names in
// ECS's network.transport.
var transportNames = [...]struct{ number, name string }{
	{"6", "tcp"}, {"17", "udp"}, {"1", "icmp"}, {"58", "ipv6-icmp"}, {"2", "igmp"}, {"47", "gre"}, {"50", "esp"}, {"51", "ah"},
	{"89", "ospf"}, {"103", "pim"}, {"112", "vrrp"}, {"132", "sctp"}, {"4", "ipv4"}, {"41", "ipv6"}, {"88", "eigrp"}, {"0", "hopopt"},
	{"33", "dccp"}, {"136", "udplite"}, {"108", "ipcomp"}, {"115", "l2tp"},
}

// addTransport adds network.transport and network.iana_number for a protocol's name
// in any case, or its number.
func addTransport(b *event.Batch, proto string) {
	proto = lower(proto, b)
	switch proto {
	case "":
		return
	case "icmp6", "icmpv6", "ipv6icmp":
		proto = "ipv6-icmp"
	}
	for i := range transportNames {
		t := &transportNames[i]
		if proto == t.number || proto == t.name {
			b.Add("network.iana_number", t.number)
			b.Add("network.transport", t.name)
			return
		}
	}
	if isDigits(proto) {
		b.Add("network.iana_number", proto)
	} else {
		b.Add("network.transport", proto)
	}
}

// addNetworkType adds the family of an address.
func addNetworkType(b *event.Batch, ip string) {
	switch ipVersion(ip) {
	case 4:
		b.Add("network.type", "ipv4")
	case 6:
		b.Add("network.type", "ipv6")
	}
}

// majority is how sure a format is whose lines match: most where nearly all do, 0 where
// not even half do, for then they are guests in a log of another kind.
func (s *Sample) majority(most int, match func(line string) bool) int {
	if n := s.Share(match); n >= 50 {
		return min(most, n)
	}
	return 0
}

// addWords adds each of the words that blanks part.
func addWords(b *event.Batch, name, words string) {
	for words != "" {
		i := 0
		for i < len(words) && words[i] != ' ' {
			i++
		}
		b.Add(name, words[:i])
		words = words[min(i+1, len(words)):]
	}
}
