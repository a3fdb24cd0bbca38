package format

import (
	"net/netip"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// addTarget adds the fields of an HTTP request target (RFC 9112 §3.2) as it
// was logged. domain is the host the request went to, where the log says so.
func addTarget(target, domain string, b *event.Batch) {
	b.Add("url.original", target)
	path := target
	switch {
	case target == "" || target == "*":
		b.Add("url.domain", domain)
		return
	case target[0] == '/': // a path, even where it begins "//"
		b.Add("url.domain", domain)
	default:
		i := strings.Index(target, "://")
		if i <= 0 || i > 12 {
			// "host:443" of CONNECT, or junk.
			if host, port := splitPort(target); port != "" && isHostOrIP(host) {
				b.Add("url.domain", host)
				b.AddNumber("url.port", port)
				return
			}
			b.Add("url.domain", domain)
			break
		}
		b.Add("url.scheme", strings.ToLower(target[:i]))
		path = addAuthority(target[i+3:], b)
	}
	addPath(path, b)
}

// addURL adds the fields of an absolute URL or of a path.
func addURL(u string, b *event.Batch) { addTarget(u, "", b) }

// addAuthority adds the authority at the start of s and returns the rest.
func addAuthority(s string, b *event.Batch) string {
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	auth := s[:end]
	if at := strings.LastIndexByte(auth, '@'); at >= 0 {
		user, password, _ := strings.Cut(auth[:at], ":")
		b.Add("url.username", user)
		b.Add("url.password", password)
		auth = auth[at+1:]
	}
	host, port := splitPort(auth)
	b.Add("url.domain", strings.Trim(host, "[]"))
	if port != "" {
		b.AddNumber("url.port", port)
	}
	return s[end:]
}

// addPath adds path, query, fragment and extension. The path is added decoded,
// as Elastic's uri_parts does; url.original has it as it was sent.
func addPath(path string, b *event.Batch) {
	var query, fragment string
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		if path[i] == '?' {
			path, query = path[:i], path[i+1:]
			query, fragment, _ = strings.Cut(query, "#")
		} else {
			path, fragment = path[:i], path[i+1:]
		}
	}
	b.Add("url.path", unescapePercent(path, b))
	b.Add("url.query", unescapePercent(query, b))
	b.Add("url.fragment", fragment)
	last := path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.LastIndexByte(last, '.'); i >= 0 && len(last)-i-1 <= 32 {
		b.Add("url.extension", last[i+1:])
	}
}

// unescapePercent decodes %XX (RFC 3986 §2.1); what is no such escape stays as
// it is.
func unescapePercent(s string, b *event.Batch) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	var few [512]byte
	out := append(few[:0], s[:i]...)
	for ; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 16 && lo < 16 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return b.Bytes(out)
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// splitPort cuts ":port" off an address; an IPv6 address stays whole unless
// it is in brackets.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || !isDigits(s[i+1:]) || len(s)-i > 6 {
		return s, ""
	}
	if s[i-1] == ']' && s[0] == '[' {
		return s[1 : i-1], s[i+1:]
	}
	if strings.IndexByte(s[:i], ':') >= 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// isIP reports whether s is an IP address in its usual text.
func isIP(s string) bool { return ipVersion(s) != 0 }

// isPublic reports whether s is an address of the public Internet.
func isPublic(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.IsGlobalUnicast() && !a.IsPrivate()
}

// isHost reports whether s could be a host name.
func isHost(s string) bool {
	if s == "" || len(s) > 253 || s == "-" {
		return false
	}
	letters := false
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			letters = true
		case '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return letters && s[0] != '.' && s[0] != '-'
}

func isHostOrIP(s string) bool { return isIP(s) || isHost(s) }
