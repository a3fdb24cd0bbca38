package format

import (
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// zeekRecord adds one record, however it was written.
type zeekRecord struct {
	p      *Params
	agents agentCache
	leaves []event.Leaf

	ttls    []string
	out     []byte
	others  map[zeekMember]zeekTarget // members that no stream knows
	streams map[uint64]*zeekStream    // by the names of a record's members
}

// zeekMember is a member of one stream's records.
type zeekMember struct {
	stream *zeekStream
	name   *event.Name
}

type zeekTarget struct {
	own, ecs string // full names
	op       byte
	port     bool // ecs is a port
}

const maxZeekTargets = 4096

// target says where a member goes.
func (d *zeekRecord) target(s *zeekStream, name *event.Name) zeekTarget {
	if name.Tag > 0 {
		return s.targets()[name.Tag]
	}
	key := zeekMember{s, name}
	t, ok := d.others[key]
	if ok {
		return t
	}
	t = s.target(name.Path)
	if d.others == nil {
		d.others = map[zeekMember]zeekTarget{}
	}
	if len(d.others) < maxZeekTargets {
		d.others[key] = t
	}
	return t
}

func (d *zeekRecord) has(path string) bool {
	for i := range d.leaves {
		if d.leaves[i].Name.Path == path {
			return true
		}
	}
	return false
}

func (d *zeekRecord) get(path string) string {
	for i := range d.leaves {
		if d.leaves[i].Name.Path == path {
			return d.leaves[i].Value
		}
	}
	return ""
}

var zeekNoStream = &zeekStream{name: "log", dataset: "zeek.log", category: "network", types: "info"}

func (d *zeekRecord) add(s *zeekStream, leaves []event.Leaf, b *event.Batch) error {
	d.leaves = leaves
	if s == nil {
		s = zeekNoStream
	}
	timed := false
	b.Add("event.dataset", s.dataset)
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Tag {
		case zeekTS:
			if ns, ok := zeekTime(l, d.p); ok && !timed {
				b.Event().Time, timed = ns, true
			}
		case zeekUID:
			if s.name != "files" {
				b.Add("zeek.session_id", l.Value)
			} else {
				b.Add("zeek.files.session_ids", l.Value)
			}
		case zeekUnderscore:
			if l.Name.Path == "_system_name" {
				b.Add("observer.hostname", l.Value)
			}
		case zeekOrigH:
			addZeekAddress("source.", l.Value, b)
		case zeekRespH:
			addZeekAddress("destination.", l.Value, b)
		case zeekOrigP:
			addPort(b, "source.port", l.Value)
		case zeekRespP:
			addPort(b, "destination.port", l.Value)
		default:
			d.leaf(s, l, b)
		}
	}
	if !timed {
		if !d.has("id.orig_h") && !d.has("uid") {
			return errNotZeek
		}
		d.p.Clock.NoTime()
	}
	d.finish(s, b)
	return nil
}

func addZeekAddress(side, address string, b *event.Batch) {
	if side == "source." {
		b.Add("source.address", address)
		if isIP(address) {
			b.Add("source.ip", plainIP(address))
		}
		return
	}
	b.Add("destination.address", address)
	if isIP(address) {
		b.Add("destination.ip", plainIP(address))
	}
}

func zeekTime(l *event.Leaf, p *Params) (int64, bool) {
	if l.Kind == event.Number {
		if ns, ok := p.Clock.Epoch(l.Value); ok {
			return ns, true
		}
		return secondsBefore1973(l.Value)
	}
	ns, n, ok := p.Clock.ISO(l.Value)
	return ns, ok && n == len(l.Value)
}

// secondsBefore1973 reads what has too few digits, or a sign, for Clock.Epoch.
func secondsBefore1973(s string) (int64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if !isDigits(whole) || len(whole) > 10 || fraction != "" && !isDigits(fraction) {
		f, err := strconv.ParseFloat(s, 64) // with an exponent
		if err != nil || f < -9e9 || f > 9e9 {
			return 0, false
		}
		return int64(f * 1e9), true
	}
	ns := wholeNumber(whole)*1e9 + wholeNumber((fraction + "000000000")[:9])
	if wholeNumber(whole) > 9e9 {
		return 0, false
	}
	if negative {
		ns = -ns
	}
	return ns, true
}

func (d *zeekRecord) leaf(s *zeekStream, l *event.Leaf, b *event.Batch) {
	f := d.target(s, l.Name)
	value, kind := l.Value, l.Kind
	if kind == event.Number {
		value = plainNumber(value, b)
	}
	switch f.op {
	case 't':
		ns, ok := zeekTime(l, d.p)
		if !ok {
			break
		}
		var few [40]byte
		value, kind = b.Bytes(time.Unix(0, ns).UTC().AppendFormat(few[:0], "2006-01-02T15:04:05.999999999Z")), event.String
	case 's':
		kind = event.String
	case 'i':
		addZeekAddress(f.ecs[:strings.IndexByte(f.ecs, '.')+1], value, b)
		return
	case 'm':
		value = macAddress(value, b)
	}
	if f.own != "" {
		own := value
		if own != "" || kind != event.String {
			b.AddKind(f.own, own, kind)
		}
	}
	switch {
	case f.ecs == "":
	case f.ecs == "@host":
		b.Add("host.ip", value)
		b.Add("server.ip", value)
	case f.op == 'l':
		b.Add(f.ecs, lower(value, b))
	case f.port:
		addPort(b, f.ecs, value)
	case value != "":
		b.AddKind(f.ecs, value, kind)
	}
}

// plainNumber writes a number as short as it can be, so that 1.500000 and 1.5 are
// one value.
func plainNumber(s string, b *event.Batch) string {
	point, exponent := false, false
	for i := range len(s) {
		switch s[i] {
		case '.':
			point = true
		case 'e', 'E':
			exponent = true
		}
	}
	if !point && !exponent {
		return s
	}
	if exponent {
		if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1e15 && f < 1e15 {
			return b.Bytes(strconv.AppendFloat(nil, f, 'f', -1, 64))
		}
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// finish adds what the record says as a whole.
func (d *zeekRecord) finish(s *zeekStream, b *event.Batch) {
	kind, category, types, transport, protocol := s.kind, s.category, s.types, s.transport, s.protocol
	outcome := ""
	if kind == "" {
		kind = "event"
	}
	if d.has("proto") {
		transport = ""
	}
	switch s.name {
	case "connection":
		types = "connection"
		if st, ok := zeekConnStates[d.get("conn_state")]; ok {
			b.Add("zeek.connection.state_message", st[0])
			b.Add("event.type", "connection")
			types = st[1]
		}
		d.connection(b)
	case "dns":
		d.dns(b)
		switch {
		case d.get("rejected") == "true":
			outcome = "failure"
		case d.has("rcode"):
			if outcome = "success"; d.get("rcode") != "0" {
				outcome = "failure"
			}
		}
	case "http":
		if m := d.get("method"); m != "" {
			b.Add("event.action", m)
		}
		host, port := splitPort(d.get("host"))
		if uri := d.get("uri"); uri != "" {
			addTarget(uri, host, b)
		} else {
			b.Add("url.domain", host)
		}
		b.AddNumber("url.port", port)
		b.Add("destination.domain", host)
		if a := d.get("user_agent"); a != "" {
			d.agents.add(a, b)
		}
		if st := d.get("status_code"); len(st) == 3 {
			if outcome = "success"; st[0] >= '4' {
				outcome = "failure"
			}
		}
		b.Add("network.protocol", "http")
	case "ssl":
		d.ssl(b)
	case "x509":
		b.Add("zeek.session_id", d.get("id"))
		d.dn("certificate.subject", "zeek.x509.certificate.subject.", "file.x509.subject.", b)
		d.dn("certificate.issuer", "zeek.x509.certificate.issuer.", "file.x509.issuer.", b)
		if a, ok := zeekSignatures[d.get("certificate.sig_alg")]; ok {
			b.Add("file.x509.signature_algorithm", a)
		}
	case "known_certs":
		d.dn("subject", "", "tls.server.x509.subject.", b)
		d.dn("issuer_subject", "", "tls.server.x509.issuer.", b)
		b.Add("tls.server.x509.subject.distinguished_name", d.get("subject"))
		b.Add("tls.server.x509.issuer.distinguished_name", d.get("issuer_subject"))
		b.Add("network.type", ipType(d.get("host")))
	case "known_hosts", "known_services":
		b.Add("network.type", ipType(d.get("host")))
	case "files":
		for i := range d.leaves {
			switch l := &d.leaves[i]; l.Name.Path {
			case "conn_uids", "uid":
				b.Add("zeek.session_id", l.Value)
			case "tx_hosts":
				b.Add("zeek.files.tx_host", l.Value)
				b.Add("server.ip", l.Value)
			case "rx_hosts":
				b.Add("zeek.files.rx_host", l.Value)
				b.Add("client.ip", l.Value)
			}
		}
		if d.has("id.orig_h") { // Zeek 5.1 and later
			if d.get("is_orig") == "true" {
				b.Add("zeek.files.tx_host", d.get("id.orig_h"))
			} else {
				b.Add("zeek.files.tx_host", d.get("id.resp_h"))
			}
		}
	case "kerberos":
		name, domain, ok := strings.Cut(d.get("client"), "/")
		b.Add("user.name", name)
		if ok {
			b.Add("user.domain", domain)
		}
		b.Add("client.address", d.get("id.orig_h"))
		b.Add("server.address", d.get("id.resp_h"))
		d.dn("cert.client_subject", "", "tls.client.x509.subject.", b)
		d.dn("cert.server_subject", "", "tls.server.x509.subject.", b)
		outcome = zeekOutcome(d.get("success"))
	case "ntlm", "mysql":
		outcome = zeekOutcome(d.get("success"))
	case "ssh":
		outcome = zeekOutcome(d.get("auth_success"))
	case "rfb":
		outcome = zeekOutcome(d.get("auth"))
	case "radius":
		if outcome = d.get("result"); outcome != "success" {
			outcome = "failure"
			if d.get("result") == "" {
				outcome = ""
			}
		}
	case "modbus":
		if outcome = "success"; d.has("exception") {
			outcome = "failure"
		}
	case "sip":
		seq, _, _ := strings.Cut(d.get("seq"), " ")
		b.Add("zeek.sip.sequence.number", seq)
		if st := d.get("status_code"); len(st) == 3 {
			if outcome = "success"; st[0] >= '4' {
				outcome = "failure"
			}
		}
	case "smb_cmd":
		if st := d.get("status"); st == "SUCCESS" {
			outcome = "success"
		} else if st != "" {
			outcome = "failure"
		}
	case "smb_files":
		if path := d.get("path"); path != "" && d.has("name") {
			b.Add("file.path", strings.TrimSuffix(path, `\`)+`\`+strings.TrimPrefix(d.get("name"), `\`))
		} else {
			b.Add("file.path", d.get("name"))
		}
	case "socks":
		if st := d.get("status"); st == "succeeded" {
			outcome = "success"
		} else if st != "" {
			outcome = "failure"
		}
	case "ftp":
		if code := d.get("reply_code"); len(code) == 3 {
			switch d.get("command") {
			case "PASS", "USER":
				category += " authentication"
				if code[0] == '2' {
					outcome = "success"
				} else if code[0] == '5' {
					outcome = "failure"
				}
			}
		}
	case "notice":
		switch d.get("dropped") {
		case "false":
			types = "info allowed"
		case "true":
			types = "info denied"
		}
	case "signature":
		b.Add("network.type", ipType(d.get("src_addr")))
	case "ntp":
		b.Add("network.type", ipType(d.get("id.orig_h")))
	case "dhcp":
		d.dhcp(b)
	case "intel":
		d.intel(b)
	}
	b.Add("event.kind", kind)
	addWords(b, "event.category", category)
	addWords(b, "event.type", types)
	b.Add("network.transport", transport)
	b.Add("network.protocol", protocol)
	b.Add("event.outcome", outcome)
}

func zeekOutcome(v string) string {
	switch v {
	case "true":
		return "success"
	case "false":
		return "failure"
	}
	return ""
}

func ipType(ip string) string {
	switch ipVersion(ip) {
	case 4:
		return "ipv4"
	case 6:
		return "ipv6"
	}
	return ""
}

// connection adds the sums, the duration and the direction of a connection.
func (d *zeekRecord) connection(b *event.Batch) {
	if v := d.get("duration"); v == "" {
	} else if f, err := strconv.ParseFloat(v, 64); err == nil && f >= 0 && f < 9e9 {
		b.AddInt("event.duration", int64(f*1e9+0.5))
	}
	var bytes, packets int64
	for _, side := range [...][4]string{{"orig_ip_bytes", "orig_bytes", "source.bytes", "orig_pkts"}, {"resp_ip_bytes", "resp_bytes", "destination.bytes", "resp_pkts"}} {
		v := d.get(side[0])
		if v == "" {
			v = d.get(side[1])
		}
		if v != "" {
			b.AddNumber(side[2], v)
			bytes += wholeNumber(v)
		}
		packets += wholeNumber(d.get(side[3]))
	}
	if d.has("orig_pkts") || d.has("orig_ip_bytes") {
		b.AddInt("network.bytes", bytes)
		b.AddInt("network.packets", packets)
	}
	if strings.HasPrefix(d.get("proto"), "icmp") {
		b.AddNumber("zeek.connection.icmp.type", d.get("id.orig_p"))
		b.AddNumber("zeek.connection.icmp.code", d.get("id.resp_p"))
	}
	if from, to := d.get("local_orig"), d.get("local_resp"); from != "" && to != "" {
		switch {
		case from == "true" && to == "true":
			b.Add("network.direction", "internal")
		case from == "true":
			b.Add("network.direction", "outbound")
		case to == "true":
			b.Add("network.direction", "inbound")
		default:
			b.Add("network.direction", "external")
		}
	}
}

// dns adds flags and answers.
func (d *zeekRecord) dns(b *event.Batch) {
	ttls := d.ttls[:0]
	for i := range d.leaves {
		if l := &d.leaves[i]; l.Name.Path == "TTLs" {
			ttls = append(ttls, plainNumber(l.Value, b))
		}
	}
	for _, flag := range [...]string{"AA", "TC", "RD", "RA"} {
		if d.get(flag) == "true" {
			b.Add("dns.header_flags", flag)
		}
	}
	out := append(d.out[:0], '[')
	n := 0
	for i := range d.leaves {
		l := &d.leaves[i]
		if l.Name.Path != "answers" || l.Kind == event.JSON {
			continue
		}
		if n > 0 {
			out = append(out, ',')
		}
		out = event.AppendQuoted(append(out, `{"data":`...), l.Value)
		if n < len(ttls) && isDigits(strings.Replace(ttls[n], ".", "", 1)) {
			out = append(append(out, `,"ttl":`...), ttls[n]...)
		}
		out = append(out, '}')
		n++
		if isIP(l.Value) {
			b.Add("dns.resolved_ip", plainIP(l.Value))
		}
	}
	if n > 0 {
		out = append(out, ']')
		b.AddKind("dns.answers", b.Bytes(out), event.JSON)
	}
	d.ttls, d.out = ttls, out
	if d.has("rcode") || n > 0 {
		b.Add("dns.type", "answer")
	} else {
		b.Add("dns.type", "query")
	}
}

// ssl adds the version and the certificate's names.
func (d *zeekRecord) ssl(b *event.Batch) {
	b.Add("client.address", d.get("id.orig_h"))
	b.Add("server.address", d.get("id.resp_h"))
	v := d.get("version")
	if rest, ok := strings.CutPrefix(v, "TLSv"); ok && rest != "" {
		b.Add("tls.version_protocol", "tls")
		if len(rest) == 2 && isDigits(rest) {
			rest = b.Bytes([]byte{rest[0], '.', rest[1]})
		} else if len(rest) == 1 {
			rest += ".0"
		}
		b.Add("tls.version", rest)
	} else if rest, ok := strings.CutPrefix(v, "SSLv"); ok {
		b.Add("tls.version_protocol", "ssl")
		b.Add("tls.version", rest)
	} else if rest, ok := strings.CutPrefix(v, "DTLSv"); ok && len(rest) == 2 {
		b.Add("tls.version_protocol", "dtls")
		b.Add("tls.version", b.Bytes([]byte{rest[0], '.', rest[1]}))
	}
	b.Add("destination.domain", d.get("server_name"))
	d.dn("subject", "zeek.ssl.server.subject.", "tls.server.x509.subject.", b)
	d.dn("issuer", "zeek.ssl.server.issuer.", "tls.server.x509.issuer.", b)
	d.dn("client_subject", "zeek.ssl.client.subject.", "tls.client.x509.subject.", b)
	d.dn("client_issuer", "zeek.ssl.client.issuer.", "tls.client.x509.issuer.", b)
}

func (d *zeekRecord) dhcp(b *event.Batch) {
	client := d.get("client_addr")
	if client == "" {
		client = d.get("assigned_addr")
	}
	server := d.get("server_addr")
	if !d.has("id.orig_h") {
		addZeekAddress("source.", client, b)
		addZeekAddress("destination.", server, b)
		if client != "" {
			b.AddNumber("source.port", "68")
		}
		if server != "" {
			b.AddNumber("destination.port", "67")
		}
	}
	b.Add("client.address", client)
	b.Add("server.address", server)
	b.Add("client.mac", macAddress(strings.ToUpper(d.get("mac")), b))
}

// intel adds what was seen of a known threat.
func (d *zeekRecord) intel(b *event.Batch) {
	v := d.get("seen.indicator")
	switch d.get("seen.indicator_type") {
	case "Intel::ADDR":
		b.Add("threat.indicator.ip", v)
		b.Add("threat.indicator.type", ipType(v)+"-addr")
	case "Intel::URL":
		b.Add("threat.indicator.type", "url")
		first := len(b.Event().Fields)
		addURL(v, b)
		fields := b.Event().Fields
		for i := first; i < len(fields); i++ { // it is not the event's own
			fields[i].Name = b.Bytes(append([]byte("threat.indicator."), fields[i].Name...))
		}
	case "Intel::DOMAIN":
		b.Add("threat.indicator.url.domain", v)
		b.Add("threat.indicator.type", "domain-name")
	case "Intel::EMAIL":
		b.Add("threat.indicator.email.address", v)
		b.Add("threat.indicator.type", "email-addr")
	case "Intel::FILE_HASH":
		b.Add("related.hash", v)
		b.Add("threat.indicator.type", "file")
	}
}

var zeekSignatures = map[string]string{
	"sha256WithRSAEncryption": "SHA256-RSA", "sha384WithRSAEncryption": "SHA384-RSA", "sha512WithRSAEncryption": "SHA512-RSA", "sha1WithRSAEncryption": "SHA1-RSA", "md5WithRSAEncryption": "MD5-RSA",
	"ecdsa-with-SHA1": "ECDSA-SHA1", "ecdsa-with-SHA256": "ECDSA-SHA256", "ecdsa-with-SHA384": "ECDSA-SHA384", "ecdsa-with-SHA512": "ECDSA-SHA512",
}

// zeekDN are the parts of a distinguished name: in the log's own fields and in ECS.
var zeekDN = map[string][2]string{
	"CN": {"common_name", "common_name"}, "C": {"country", "country"}, "L": {"locality", "locality"}, "O": {"organization", "organization"},
	"OU": {"organizational_unit", "organizational_unit"}, "ST": {"state", "state_or_province"},
}

// dn adds the parts of a distinguished name (RFC 4514): "CN=www.example.com,O=Example\, Inc.".
func (d *zeekRecord) dn(path, own, ecs string, b *event.Batch) {
	s := d.get(path)
	for n := 0; s != "" && n < 32; n++ {
		end := 0
		for end < len(s) && s[end] != ',' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(s))
		part := s[:end]
		s = strings.TrimPrefix(s[end:], ",")
		key, value, ok := strings.Cut(strings.TrimLeft(part, " "), "=")
		names, known := zeekDN[key]
		if !ok || !known {
			continue
		}
		if strings.IndexByte(value, '\\') >= 0 {
			value = b.Bytes([]byte(strings.ReplaceAll(value, `\`, "")))
		}
		if own != "" {
			b.Add(own+names[0], value)
		}
		b.Add(ecs+names[1], value)
	}
}
