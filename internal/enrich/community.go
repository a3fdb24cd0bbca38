package enrich

import (
	"crypto/sha1"
	"encoding/base64"
	"net/netip"

	"github.com/sextant-logs/sextant/internal/event"
)

// protocols are those that flows are hashed for, by network.transport.
var protocols = map[string]byte{
	"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "ipv6-icmp": 58,
	"igmp": 2, "ipv4": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112,
}

// icmpReplies are the ICMP types that answer each other: a request and its reply are
// one flow, all others go one way only (Community ID specification, after Zeek).
var (
	icmpReplies  = map[uint16]uint16{0: 8, 8: 0, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
	icmp6Replies = map[uint16]uint16{128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140, 140: 139, 144: 145, 145: 144}
)

// communityID is the Community ID flow hash, version 1 with seed 0
// (https://github.com/corelight/community-id-spec). In the place of ports, ICMP has its
// type and code. "" where the record lacks what the hash is made of.
func communityID(source, destination netip.Addr, sourcePort, destinationPort, transport string, b *event.Batch) string {
	proto := protocols[transport]
	source, destination = source.Unmap().WithZone(""), destination.Unmap().WithZone("")
	if proto == 0 || source.Is4() != destination.Is4() {
		return ""
	}
	var sp, dp uint16
	ports, oneWay := false, false
	switch proto {
	case 6, 17, 132, 1, 58:
		var ok1, ok2 bool
		sp, ok1 = port(sourcePort)
		dp, ok2 = port(destinationPort)
		if !ok1 || !ok2 {
			return ""
		}
		ports = true
	}
	if proto == 1 || proto == 58 {
		replies := icmpReplies
		if proto == 58 {
			replies = icmp6Replies
		}
		if reply, ok := replies[sp]; ok {
			dp = reply
		} else {
			oneWay = true
		}
	}
	if c := destination.Compare(source); !oneWay && (c < 0 || c == 0 && dp < sp) {
		source, destination, sp, dp = destination, source, dp, sp
	}
	var few [40]byte
	p := append(few[:0], 0, 0) // seed
	for _, a := range [...]netip.Addr{source, destination} {
		if a.Is4() {
			v := a.As4()
			p = append(p, v[:]...)
		} else {
			v := a.As16()
			p = append(p, v[:]...)
		}
	}
	p = append(p, proto, 0)
	if ports {
		p = append(p, byte(sp>>8), byte(sp), byte(dp>>8), byte(dp))
	}
	sum := sha1.Sum(p)
	var out [30]byte
	out[0], out[1] = '1', ':'
	base64.StdEncoding.Encode(out[2:], sum[:])
	return b.Bytes(out[:])
}

func port(s string) (uint16, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] || i > 4 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), s != "" && n <= 0xffff
}
