package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// ipVersion is 4 or 6 when all of s is an IP address, 0 otherwise. IPv4 is four
// decimal octets; IPv6 is RFC 4291 §2.2 in any of its forms, also with the zone
// of RFC 4007 §11.
func ipVersion(s string) int {
	switch {
	case len(s) < 2 || len(s) > 64:
		return 0
	case isIPv4(s):
		return 4
	case isIPv6(s):
		return 6
	}
	return 0
}

func isIPv4(s string) bool {
	if len(s) < 7 || len(s) > 15 {
		return false
	}
	octets, digits, v := 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			if digits++; digits > 3 {
				return false
			}
			v = v*10 + int(c-'0')
		case c == '.':
			if digits == 0 || v > 255 {
				return false
			}
			octets, digits, v = octets+1, 0, 0
		default:
			return false
		}
	}
	return octets == 3 && digits > 0 && v <= 255
}

func isIPv6(s string) bool {
	if i := strings.IndexByte(s, '%'); i > 0 {
		if i == len(s)-1 {
			return false
		}
		s = s[:i]
	}
	groups, digits, gap := 0, 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f':
			if digits++; digits > 4 {
				return false
			}
		case c == ':':
			if digits > 0 {
				groups++
			}
			switch {
			case i+1 < len(s) && s[i+1] == ':':
				if gap {
					return false
				}
				gap = true
				i++
			case digits == 0 || i+1 == len(s):
				return false
			}
			digits = 0
		case c == '.' && digits > 0:
			return isIPv4(s[i-digits:]) && (groups == 6 && !gap || groups < 6 && gap)
		default:
			return false
		}
	}
	if digits > 0 {
		groups++
	}
	return groups == 8 && !gap || groups < 8 && gap
}

// addSource adds the peer a record names: always as source.address, and as
// source.ip or, for a host name, source.domain. A port may come with it.
func addSource(b *event.Batch, address, port string) {
	if address == "" {
		return
	}
	b.Add("source.address", address)
	if ipVersion(address) != 0 {
		b.Add("source.ip", plainIP(address))
	} else if isHostName(address) {
		b.Add("source.domain", address)
	}
	addPort(b, "source.port", port)
}

// addDestination adds where a connection arrived, when that is an IP address.
func addDestination(b *event.Batch, address, port string) {
	if ipVersion(address) != 0 {
		b.Add("destination.ip", plainIP(address))
		addPort(b, "destination.port", port)
	}
}

// addPort adds a port number; what is none is no field.
func addPort(b *event.Batch, name, port string) {
	if len(port) <= 5 && isDigits(port) && (port[0] != '0' || len(port) == 1) && (len(port) < 5 || port <= "65535") {
		b.AddNumber(name, port)
	}
}

func withoutZone(ip string) string {
	if i := strings.IndexByte(ip, '%'); i >= 0 {
		return ip[:i]
	}
	return ip
}

// plainIP is an address without its zone, and that of an IPv4 host as IPv4 when a
// dual-stack socket wrote it as "::ffff:192.0.2.1" (RFC 4291 §2.5.5.2): the same host
// must have one name in all logs.
func plainIP(ip string) string {
	ip = withoutZone(ip)
	const mapped = "::ffff:"
	if len(ip) > len(mapped) && strings.EqualFold(ip[:len(mapped)], mapped) && isIPv4(ip[len(mapped):]) {
		return ip[len(mapped):]
	}
	return ip
}

// isHostName reports whether s could be the name of a host: letters, digits,
// dots, dashes and underscores.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isLetter(c) || isDigit(c) || c == '.' || c == '-' || c == '_':
		default:
			return false
		}
	}
	last := strings.TrimSuffix(s, ".")
	last = last[strings.LastIndexByte(last, '.')+1:] // which is never a number
	return last != "" && !isDigits(last) && s != "UNKNOWN"
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// cutPeer takes "ADDRESS port N" off the end of s. What an attacker wrote stands
// before it, so only the end can be trusted; head keeps its blank.
func cutPeer(s string) (head, address, port string, ok bool) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	const word = " port "
	if i == len(s) || len(s)-i > 5 || !strings.HasSuffix(s[:i], word) {
		return s, "", "", false
	}
	port = s[i:]
	rest := s[:i-len(word)]
	j := strings.LastIndexByte(rest, ' ') + 1
	if address = rest[j:]; !isPeer(address) {
		return s, "", "", false
	}
	return rest[:j], address, port, true
}

// isPeer reports whether s is an address, or a name that a daemon writes in its place.
func isPeer(s string) bool {
	return ipVersion(s) != 0 || isHostName(s) || s == "UNKNOWN"
}

// unbracket takes the brackets off "[192.0.2.1]" and "[2001:db8::1]:22", giving the
// port of the latter.
func unbracket(s string) (address, port string) {
	if s == "" || s[0] != '[' {
		return s, ""
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return s, ""
	}
	if rest := s[end+1:]; len(rest) > 1 && rest[0] == ':' && isDigits(rest[1:]) {
		port = rest[1:]
	}
	return s[1:end], port
}
