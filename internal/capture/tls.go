package capture

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// tlsFlow reads the handshake of TLS (RFC 8446, RFC 5246) as far as it is in clear.
type tlsFlow struct {
	client    int
	handshake [2][]byte // messages not yet whole
	hello     *clientHello
	server    *serverHello
	certs     [][]byte
	time      int64
	offset    int64
	last      int64
	changed   [2]bool // began to encrypt
	data23    [2]bool // sent application data
	alert     string
	done      bool
}

// clientHello is what JA3 and JA4 are made of, and what else tells about a client.
type clientHello struct {
	version    uint16
	ciphers    []uint16
	extensions []uint16
	groups     []uint16
	points     []uint8
	signatures []uint16
	versions   []uint16
	alpn       []string
	serverName string
	session    bool
	hasSNI     bool
}

type serverHello struct {
	version    uint16 // that was agreed on
	legacy     uint16
	cipher     uint16
	extensions []uint16
	alpn       string
}

const maxHandshake = 48 << 10

func (t *tlsFlow) data(e *Engine, fl *flow, dir int, p []byte) int {
	taken := 0
	for len(p)-taken >= 5 && !fl.dead {
		q := p[taken:]
		n := int(binary.BigEndian.Uint16(q[3:]))
		if q[0] < 20 || q[0] > 24 || q[1] != 3 || n > 1<<14+2048 {
			t.add(e, fl)
			fl.dead = true
			return len(p)
		}
		if len(q) < 5+n {
			if q[0] == 23 && dir == t.client { // as good as whole
				t.data23[dir] = true
			}
			break
		}
		if t.offset == 0 {
			t.time, t.offset = e.now, fl.half[dir].stream.where(taken)
		}
		t.last = e.now
		t.record(e, fl, dir, q[0], q[5:5+n])
		taken += 5 + n
		if t.ready() {
			t.add(e, fl)
			fl.dead = true
			return len(p)
		}
	}
	return taken
}

// ready: both ends encrypt, or one has given up.
func (t *tlsFlow) ready() bool {
	if t.alert != "" || t.data23[0] && t.data23[1] {
		return true
	}
	if t.server != nil && t.server.version >= tls.VersionTLS13 {
		return t.data23[t.client]
	}
	return t.changed[0] && t.changed[1]
}

func (t *tlsFlow) record(e *Engine, fl *flow, dir int, kind byte, p []byte) {
	switch kind {
	case 20:
		t.changed[dir] = true
	case 21:
		if len(p) == 2 && !t.changed[dir] {
			if t.alert = alerts[p[1]]; t.alert == "" {
				t.alert = fmt.Sprintf("alert %d", p[1])
			}
			if p[0] == 1 && p[1] != 0 { // a warning, and it goes on
				t.alert = ""
			}
		}
	case 22:
		if t.changed[dir] || len(t.handshake[dir])+len(p) > maxHandshake {
			return
		}
		t.handshake[dir] = append(t.handshake[dir], p...)
		for len(t.handshake[dir]) >= 4 {
			m := t.handshake[dir]
			n := int(m[1])<<16 | int(m[2])<<8 | int(m[3])
			if len(m) < 4+n {
				break
			}
			switch m[0] {
			case 1:
				if t.hello == nil {
					t.hello = parseClientHello(m[4 : 4+n])
					t.client = dir
				}
			case 2:
				if t.server == nil || t.server.version == 0 {
					t.server = parseServerHello(m[4 : 4+n])
				}
			case 11:
				if dir != t.client && t.certs == nil {
					t.certs = parseCertificates(m[4 : 4+n])
				}
			}
			t.handshake[dir] = m[4+n:]
		}
	case 23:
		t.data23[dir] = true
	}
}

func (t *tlsFlow) gap(e *Engine, fl *flow, _ int, _ int64) {
	t.add(e, fl)
	fl.dead = true
}

func (t *tlsFlow) end(e *Engine, fl *flow) { t.add(e, fl) }

// cursor reads the length-prefixed values of a handshake; what is not there is zero.
type cursor struct {
	p   []byte
	bad bool
}

func (c *cursor) bytes(n int) []byte {
	if n > len(c.p) {
		n, c.bad = len(c.p), true
	}
	v := c.p[:n]
	c.p = c.p[n:]
	return v
}

func (c *cursor) u8() int {
	if v := c.bytes(1); len(v) == 1 {
		return int(v[0])
	}
	return 0
}

func (c *cursor) u16() int {
	if v := c.bytes(2); len(v) == 2 {
		return int(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (c *cursor) vec8() cursor  { return cursor{p: c.bytes(c.u8())} }
func (c *cursor) vec16() cursor { return cursor{p: c.bytes(c.u16())} }

func (c *cursor) list16() (v []uint16) {
	for len(c.p) >= 2 {
		v = append(v, uint16(c.u16()))
	}
	return v
}

func parseClientHello(p []byte) *clientHello {
	c := cursor{p: p}
	h := &clientHello{version: uint16(c.u16())}
	c.bytes(32)
	session := c.vec8()
	h.session = len(session.p) > 0
	ciphers := c.vec16()
	h.ciphers = ciphers.list16()
	c.vec8() // compression
	all := c.vec16()
	for len(all.p) >= 4 {
		id := uint16(all.u16())
		x := all.vec16()
		h.extensions = append(h.extensions, id)
		switch id {
		case 0: // server_name (RFC 6066 §3)
			h.hasSNI = true
			names := x.vec16()
			for len(names.p) >= 3 {
				kind, name := names.u8(), names.vec16()
				if kind == 0 && h.serverName == "" {
					h.serverName = strings.ToLower(text(name.p))
				}
			}
		case 10: // supported_groups
			v := x.vec16()
			h.groups = v.list16()
		case 11: // ec_point_formats
			v := x.vec8()
			h.points = append([]uint8(nil), v.p...)
		case 13: // signature_algorithms
			v := x.vec16()
			h.signatures = v.list16()
		case 16: // ALPN (RFC 7301)
			names := x.vec16()
			for len(names.p) >= 1 && len(h.alpn) < 32 {
				name := names.vec8()
				h.alpn = append(h.alpn, string(name.p))
			}
		case 43: // supported_versions
			v := x.vec8()
			h.versions = v.list16()
		}
	}
	return h
}

func parseServerHello(p []byte) *serverHello {
	c := cursor{p: p}
	h := &serverHello{legacy: uint16(c.u16())}
	h.version = h.legacy
	if random := c.bytes(32); hex.EncodeToString(random[:min(8, len(random))]) == "cf21ad74e59a6111" {
		h.version = 0 // a HelloRetryRequest (RFC 8446 §4.1.3): another will come
		return h
	}
	c.vec8()
	h.cipher = uint16(c.u16())
	c.u8()
	all := c.vec16()
	for len(all.p) >= 4 {
		id := uint16(all.u16())
		x := all.vec16()
		h.extensions = append(h.extensions, id)
		switch id {
		case 16:
			names := x.vec16()
			name := names.vec8()
			h.alpn = text(name.p)
		case 43:
			h.version = uint16(x.u16())
		}
	}
	return h
}

func parseCertificates(p []byte) (certs [][]byte) {
	c := cursor{p: p}
	n := c.u8()<<16 | c.u16()
	all := cursor{p: c.bytes(n)}
	for len(all.p) > 3 && len(certs) < 10 {
		n := all.u8()<<16 | all.u16()
		if cert := all.bytes(n); !all.bad {
			certs = append(certs, cert)
		}
	}
	return certs
}

// add makes the event of the handshake, once.
func (t *tlsFlow) add(e *Engine, fl *flow) {
	if t.done || t.hello == nil && t.server == nil {
		return
	}
	t.done = true
	server, version := "", uint16(0)
	if t.hello != nil {
		server, version = t.hello.serverName, t.hello.version
	}
	if t.server != nil && t.server.version != 0 {
		version = t.server.version
	}
	raw := "tls " + fl.endpoint(t.client) + " > " + fl.endpoint(1-t.client)
	if server != "" {
		raw += " " + server
	}
	protocol, number := versionName(version)
	if t.server != nil {
		raw += " " + protocol + " " + number
	}
	ja4 := ""
	if t.hello != nil {
		ja4 = t.hello.ja4('t')
		raw += " " + ja4
	}
	ev := fl.begin(e, "pcap.tls", t.time, t.offset, raw, t.client)
	ev.Length = 5
	b := e.b
	b.Add("event.type", "protocol")
	b.Add("network.protocol", "tls")
	b.AddInt("event.duration", max(0, t.last-t.time))
	if t.server != nil && t.server.version != 0 {
		b.Add("tls.version", number)
		b.Add("tls.version_protocol", protocol)
		b.Add("tls.cipher", cipherName(t.server.cipher))
		b.Add("tls.next_protocol", t.server.alpn)
		b.Add("tls.server.ja3s", t.server.ja3s())
	}
	established := t.changed[0] && t.changed[1] || t.data23[t.client]
	b.AddBool("tls.established", established && t.alert == "")
	switch {
	case t.alert != "":
		b.Add("event.outcome", "failure")
		b.Add("pcap.tls.alert", t.alert)
	case established:
		b.Add("event.outcome", "success")
	}
	if h := t.hello; h != nil {
		b.Add("tls.client.server_name", h.serverName)
		b.Add("destination.domain", h.serverName)
		b.Add("tls.client.ja3", h.ja3())
		b.Add("tls.client.ja4", ja4)
		for i, c := range h.ciphers {
			if i < 128 && !isGREASE(c) {
				b.Add("tls.client.supported_ciphers", cipherName(c))
			}
		}
		for _, v := range h.alpn {
			b.Add("pcap.tls.client.next_protocols", text([]byte(v)))
		}
	}
	if len(t.certs) == 0 {
		return
	}
	sum := sha256.Sum256(t.certs[0])
	b.Add("tls.server.hash.sha256", strings.ToUpper(hex.EncodeToString(sum[:])))
	cert, err := x509.ParseCertificate(t.certs[0])
	if err != nil {
		b.Add("pcap.tls.server.certificate_error", text([]byte(err.Error())))
		return
	}
	subject, issuer := text([]byte(cert.Subject.String())), text([]byte(cert.Issuer.String()))
	b.Add("tls.server.subject", subject)
	b.Add("tls.server.issuer", issuer)
	b.Add("tls.server.not_before", cert.NotBefore.UTC().Format(time.RFC3339))
	b.Add("tls.server.not_after", cert.NotAfter.UTC().Format(time.RFC3339))
	b.Add("tls.server.x509.subject.distinguished_name", subject)
	b.Add("tls.server.x509.subject.common_name", text([]byte(cert.Subject.CommonName)))
	b.Add("tls.server.x509.issuer.distinguished_name", issuer)
	b.Add("tls.server.x509.issuer.common_name", text([]byte(cert.Issuer.CommonName)))
	b.Add("tls.server.x509.serial_number", strings.ToUpper(cert.SerialNumber.Text(16)))
	b.Add("tls.server.x509.public_key_algorithm", cert.PublicKeyAlgorithm.String())
	b.Add("tls.server.x509.signature_algorithm", cert.SignatureAlgorithm.String())
	for i, name := range cert.DNSNames {
		if i < 64 {
			b.Add("tls.server.x509.alternative_names", text([]byte(name)))
		}
	}
}

func versionName(v uint16) (protocol, number string) {
	switch v {
	case 0x0002:
		return "ssl", "2.0"
	case tls.VersionSSL30: //nolint:staticcheck // seen on old networks
		return "ssl", "3.0"
	case tls.VersionTLS10:
		return "tls", "1.0"
	case tls.VersionTLS11:
		return "tls", "1.1"
	case tls.VersionTLS12:
		return "tls", "1.2"
	case tls.VersionTLS13:
		return "tls", "1.3"
	}
	return "tls", fmt.Sprintf("0x%04x", v)
}

// cipherName is IANA's name where Go knows it, else the number as 0x%04X, as
// CipherSuiteName does.
func cipherName(c uint16) string { return tls.CipherSuiteName(c) }

// Alerts that end a handshake (RFC 8446 §6).
var alerts = map[byte]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate",
	44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied",
	50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
	90: "user_canceled", 109: "missing_extension", 112: "unrecognized_name", 116: "certificate_required", 120: "no_application_protocol",
}
