package capture

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fingerprints of the software that speaks TLS.

// ja4 is FoxIO's JA4 (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md);
// transport is 't' for TCP, 'q' for QUIC, 'd' for DTLS.
func (h *clientHello) ja4(transport byte) string {
	head, ciphers, rest := h.ja4Parts(transport)
	return head + "_" + shortHash(ciphers) + "_" + shortHash(rest)
}

// ja4Parts is JA4_r before the hashes: head, sorted ciphers, and sorted extensions with
// the signature algorithms.
func (h *clientHello) ja4Parts(transport byte) (head, ciphers, rest string) {
	var c, x []string
	count := 0
	for _, id := range h.ciphers {
		if !isGREASE(id) {
			c = append(c, fmt.Sprintf("%04x", id))
		}
	}
	for _, id := range h.extensions {
		if isGREASE(id) {
			continue
		}
		count++
		if id != 0 && id != 16 {
			x = append(x, fmt.Sprintf("%04x", id))
		}
	}
	slices.Sort(c)
	slices.Sort(x)
	var s []string
	for _, id := range h.signatures {
		if !isGREASE(id) {
			s = append(s, fmt.Sprintf("%04x", id))
		}
	}
	rest = strings.Join(x, ",")
	if len(s) > 0 && rest != "" {
		rest += "_" + strings.Join(s, ",")
	}
	sni := byte('i')
	if h.hasSNI {
		sni = 'd'
	}
	head = fmt.Sprintf("%c%s%c%02d%02d%s", transport, h.ja4Version(), sni, min(len(c), 99), min(count, 99), h.ja4ALPN())
	return head, strings.Join(c, ","), rest
}

// ja4Version is the highest version offered.
func (h *clientHello) ja4Version() string {
	version := uint16(0)
	for _, v := range h.versions {
		if !isGREASE(v) {
			version = max(version, v)
		}
	}
	if version == 0 {
		version = h.version
	}
	switch version {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// ja4ALPN is the first and last character of the first protocol offered, or of its bytes
// in hex where these are no letters and digits.
func (h *clientHello) ja4ALPN() string {
	if len(h.alpn) == 0 || h.alpn[0] == "" {
		return "00"
	}
	p := h.alpn[0]
	first, last := p[0], p[len(p)-1]
	if isAlnum(first) && isAlnum(last) {
		return string([]byte{first, last})
	}
	x := hex.EncodeToString([]byte(p))
	return x[:1] + x[len(x)-1:]
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// shortHash is the first 12 hex digits of the SHA-256, zeros of nothing.
func shortHash(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// ja3 is Salesforce's JA3 (https://github.com/salesforce/ja3).
func (h *clientHello) ja3() string {
	points := make([]uint16, len(h.points))
	for i, p := range h.points {
		points[i] = uint16(p)
	}
	return md5Hex(strings.Join([]string{strconv.Itoa(int(h.version)), decimals(h.ciphers), decimals(h.extensions), decimals(h.groups), decimals(points)}, ","))
}

// ja3s is JA3S, that of the server's answer.
func (h *serverHello) ja3s() string {
	return md5Hex(strings.Join([]string{strconv.Itoa(int(h.legacy)), strconv.Itoa(int(h.cipher)), decimals(h.extensions)}, ","))
}

func decimals(ids []uint16) string {
	var b []byte
	for _, id := range ids {
		if isGREASE(id) {
			continue
		}
		if len(b) > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	return string(b)
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// isGREASE: values that mean nothing, sent to keep servers tolerant (RFC 8701).
func isGREASE(id uint16) bool { return id&0x0f0f == 0x0a0a && id>>8 == id&0xff }
