package format

import (
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Suricata's eve.json: one object per event of the sensor, told apart by
// event_type. https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
//
// As in Elastic's integration, what ECS has a field for goes there, and the rest
// stays under suricata.eve.
var _ = register(Format{
	Name:  "suricata.eve",
	Title: "Suricata eve.json",
	Group: "network",
	JSON:  isSuricata,
	Lines: newSuricataDecoder,
})

func isSuricata(has func(string) bool) bool {
	return has("event_type") && has("timestamp") && (has("flow_id") || has("src_ip") || has("stats.uptime") || has("engine.message"))
}

// eveTargets gives each distinct path of eve records a number: what to do with
// it, and its full name.
type eveTargets struct {
	scan    event.Scanner
	nested  event.Scanner // for what stands in arrays
	targets []eveTarget
}

type eveTarget struct {
	eveField
	path string
	own  string // "suricata.eve." + path
}

var evePool = sync.Pool{New: func() any {
	t := &eveTargets{}
	t.scan.Tag = func(path string) int32 {
		f, ok := eveFields[path]
		own := "suricata.eve." + path
		if rest, meta := strings.CutPrefix(path, "alert.metadata."); meta {
			own = "suricata.eve.alert." + rest
			if !ok {
				f.op = eveMetadata
			}
		}
		t.targets = append(t.targets, eveTarget{f, path, own})
		return int32(len(t.targets) - 1)
	}
	return t
}}

type suricata struct {
	p      *Params
	agents agentCache
	*eveTargets
	b *event.Batch

	start, end             int64 // of the flow
	bytes, packets         [2]int64
	kind, action, category string
	status                 string
	outcome                string
	host, url, sni         string
	answered               bool
}

func newSuricataDecoder(p *Params) LineDecoder {
	return (&suricata{p: p}).decode
}

func (d *suricata) decode(record string, b *event.Batch) error {
	*d = suricata{p: d.p, agents: d.agents, b: b, start: event.NoTime, end: event.NoTime}
	t := evePool.Get().(*eveTargets)
	d.eveTargets = t
	defer func() {
		d.eveTargets, d.b = nil, nil
		if len(t.targets) < 1<<14 { // else it met names without end
			evePool.Put(t)
		}
	}()
	leaves, err := t.scan.Scan(record, b)
	if err != nil {
		return err
	}
	timed := false
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Path {
		case "event_type":
			d.kind = l.Value
		case "timestamp":
			if ns, n, ok := d.p.Clock.ISO(l.Value); ok && n == len(l.Value) {
				b.Event().Time, timed = ns, true
			}
		}
	}
	if d.kind == "" {
		return errNotSuricata
	}
	if !timed {
		d.p.Clock.NoTime()
	}
	b.Add("event.dataset", "suricata.eve")
	b.Add("event.module", "suricata")
	b.Add("observer.vendor", "OISF")
	b.Add("observer.product", "Suricata")
	b.Add("observer.type", "ids")
	for i := range leaves {
		d.leaf(&leaves[i], &t.targets[leaves[i].Name.Tag])
	}
	d.finish()
	return nil
}

var errNotSuricata = errorString("no event_type: not a Suricata event")

type errorString string

func (e errorString) Error() string { return string(e) }

func (d *suricata) leaf(l *event.Leaf, t *eveTarget) {
	b := d.b
	switch t.op {
	case eveKeep, eveMetadata:
		b.AddKind(t.own, l.Value, l.Kind)
	case eveDrop:
	case eveText:
		b.AddKind(t.own, l.Value, event.String)
	case eveMove, eveBoth:
		if t.op == eveBoth {
			b.AddKind(t.own, l.Value, l.Kind)
		}
		switch {
		case t.ecs == "rule.id" || t.ecs == "rule.version" || t.ecs == "dns.id":
			b.Add(t.ecs, l.Value)
		case l.Value == "" || l.Kind == event.JSON && t.op == eveBoth:
		default:
			b.AddKind(t.ecs, l.Value, l.Kind)
		}
		switch t.ecs {
		case "source.bytes":
			d.bytes[0] = wholeNumber(l.Value)
		case "destination.bytes":
			d.bytes[1] = wholeNumber(l.Value)
		case "source.packets":
			d.packets[0] = wholeNumber(l.Value)
		case "destination.packets":
			d.packets[1] = wholeNumber(l.Value)
		case "rule.category":
			d.category = l.Value
		case "http.response.status_code":
			d.status = l.Value
		}
	case eveLower:
		b.Add(t.ecs, lower(l.Value, b))
	case eveMAC:
		b.Add(t.ecs, macAddress(l.Value, b))
	case eveTime:
		ns, n, ok := d.p.Clock.ISO(l.Value)
		if !ok || n != len(l.Value) {
			b.AddKind(t.own, l.Value, l.Kind)
			return
		}
		switch t.ecs {
		case "event.start":
			d.start = ns
		case "event.end":
			d.end = ns
		}
		addTime(t.ecs, ns, b)
	case eveLate:
		d.late(l, t)
	}
}

// late handles the members that need more than a new name.
func (d *suricata) late(l *event.Leaf, t *eveTarget) {
	b := d.b
	switch t.path {
	case "timestamp":
	case "src_ip":
		b.Add("source.address", l.Value)
		if isIP(l.Value) {
			b.Add("source.ip", l.Value)
		}
	case "dest_ip":
		b.Add("destination.address", l.Value)
		if isIP(l.Value) {
			b.Add("destination.ip", l.Value)
		}
	case "alert.action":
		d.action = l.Value
	case "alert.metadata.created_at", "alert.metadata.updated_at":
		if v, ok := ruleDate(l.Value); ok {
			b.Add(t.own, b.Bytes([]byte(v)))
		} else {
			b.AddKind(t.own, l.Value, l.Kind)
		}
	case "alert.metadata.mitre_attack":
		b.Add("threat.technique.id", strings.ToUpper(l.Value))
	case "http.hostname":
		d.host, _ = splitPort(l.Value)
	case "http.url":
		d.url = l.Value
	case "http.http_user_agent":
		d.agents.add(l.Value, b)
	case "dns.type":
		b.AddKind(t.own, l.Value, l.Kind)
		switch l.Value {
		case "query", "request":
			b.Add("dns.type", "query")
		case "answer", "response":
			b.Add("dns.type", "answer")
		}
	case "dns.rdata": // one answer per event, as version 1 has it
		b.AddKind(t.own, l.Value, l.Kind)
		if isIP(l.Value) {
			b.Add("dns.resolved_ip", l.Value)
		}
	case "dns.grouped.A", "dns.grouped.AAAA":
		b.AddKind(t.own, l.Value, l.Kind)
		if !d.answered && isIP(l.Value) {
			b.Add("dns.resolved_ip", l.Value)
		}
	case "smb.status":
		b.AddKind(t.own, l.Value, l.Kind)
		switch l.Value {
		case "STATUS_SUCCESS":
			d.outcome = "success"
		case "STATUS_LOGON_FAILURE", "STATUS_ACCESS_DENIED", "STATUS_ACCOUNT_LOCKED_OUT", "STATUS_ACCOUNT_DISABLED", "STATUS_WRONG_PASSWORD":
			d.outcome = "failure"
		}
	case "dns.answers":
		d.answered = true
		b.AddKind(t.own, l.Value, l.Kind)
		d.answers(l.Value)
	case "dns.queries", "dns.query":
		b.AddKind(t.own, l.Value, l.Kind)
		d.queries(l.Value)
	case "tls.sni":
		b.AddKind(t.own, l.Value, l.Kind)
		b.Add("tls.client.server_name", l.Value)
		d.sni = l.Value
	case "tls.subject", "tls.issuerdn":
		b.AddKind(t.own, l.Value, l.Kind)
		b.Add(t.ecs, l.Value)
		names := &subjectNames
		if t.path == "tls.issuerdn" {
			names = &issuerNames
		}
		addName(names, l.Value, b)
	case "tls.notbefore", "tls.notafter":
		b.AddKind(t.own, l.Value, l.Kind)
		if ns, n, ok := d.p.Clock.ISO(l.Value); ok && n == len(l.Value) {
			if t.path == "tls.notbefore" {
				addTime("tls.server.not_before", ns, b)
				addTime("tls.server.x509.not_before", ns, b)
			} else {
				addTime("tls.server.not_after", ns, b)
				addTime("tls.server.x509.not_after", ns, b)
			}
		}
	case "tls.serial":
		b.AddKind(t.own, l.Value, l.Kind)
		b.Add("tls.server.x509.serial_number", strings.ReplaceAll(l.Value, ":", ""))
	case "tls.version":
		b.AddKind(t.own, l.Value, l.Kind)
		protocol, version, ok := strings.Cut(l.Value, " ")
		if !ok && strings.HasPrefix(l.Value, "SSLv") {
			protocol, version = "ssl", l.Value[4:]
		}
		if version != "" {
			b.Add("tls.version", strings.TrimPrefix(version, "v"))
			b.Add("tls.version_protocol", lower(protocol, b))
		}
	case "tls.fingerprint":
		b.AddKind(t.own, l.Value, l.Kind)
		b.Add("tls.server.hash.sha1", strings.ToUpper(strings.ReplaceAll(l.Value, ":", "")))
	case "krb5.error_code", "rfb.authentication.security_result":
		b.AddKind(t.own, l.Value, l.Kind)
		if l.Value != "OK" && l.Value != "" {
			d.outcome = "failure"
		} else {
			d.outcome = "success"
		}
	}
}

// each scans the objects of a raw array.
func (d *suricata) each(array string, fn func(leaves []event.Leaf)) {
	p := []byte(array)
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < 256; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			return
		}
		if leaves, err := d.nested.Scan(d.b.Bytes(p[i:i+size]), d.b); err == nil {
			fn(leaves)
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
}

// answers adds dns.answers in the shape of ECS, and the addresses among them.
func (d *suricata) answers(array string) {
	out := []byte{'['}
	d.each(array, func(leaves []event.Leaf) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, '{')
		first := true
		address := false
		for _, l := range leaves {
			name := ""
			switch l.Name.Path {
			case "rrname":
				name = "name"
			case "rrtype":
				name = "type"
				address = l.Value == "A" || l.Value == "AAAA"
			case "ttl":
				name = "ttl"
			case "rdata":
				name = "data"
				if address && isIP(l.Value) {
					d.b.Add("dns.resolved_ip", l.Value)
				}
			default:
				continue
			}
			if l.Kind == event.JSON {
				continue
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(event.AppendQuoted(out, name), ':')
			if l.Kind == event.String {
				out = event.AppendQuoted(out, l.Value)
			} else {
				out = append(out, l.Value...)
			}
		}
		out = append(out, '}')
	})
	if len(out) > 1 {
		d.b.AddKind("dns.answers", d.b.Bytes(append(out, ']')), event.JSON)
	}
}

// queries adds the first question, as version 3 writes them.
func (d *suricata) queries(array string) {
	if array == "" || array[0] != '[' {
		return
	}
	done := false
	d.each(array, func(leaves []event.Leaf) {
		for _, l := range leaves {
			switch {
			case done:
			case l.Name.Path == "rrname":
				d.b.Add("dns.question.name", l.Value)
			case l.Name.Path == "rrtype":
				d.b.Add("dns.question.type", l.Value)
			}
		}
		done = true
	})
}

// finish adds what the record says as a whole.
func (d *suricata) finish() {
	b := d.b
	if d.url != "" || d.host != "" {
		if d.url != "" {
			addTarget(d.url, d.host, b)
		} else {
			b.Add("url.domain", d.host)
		}
		b.Add("destination.domain", d.host)
	} else if d.sni != "" {
		b.Add("destination.domain", d.sni)
	}
	if d.bytes != [2]int64{} {
		b.AddInt("network.bytes", d.bytes[0]+d.bytes[1])
	}
	if d.packets != [2]int64{} {
		b.AddInt("network.packets", d.packets[0]+d.packets[1])
	}
	if d.start != event.NoTime && d.end != event.NoTime && d.end >= d.start {
		b.AddInt("event.duration", d.end-d.start)
	}
	kind := "event"
	switch d.kind {
	case "alert":
		kind = "alert"
		b.Add("message", d.category)
		b.Add("event.category", "network")
		b.Add("event.category", "intrusion_detection")
		switch d.action {
		case "allowed":
			b.Add("event.type", "allowed")
		case "blocked":
			b.Add("event.type", "denied")
		}
	case "http":
		b.Add("event.category", "network")
		b.Add("event.category", "web")
		b.Add("event.type", "access")
		b.Add("event.type", "protocol")
		b.Add("network.protocol", "http")
	case "flow", "netflow":
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
		if d.end != event.NoTime {
			b.Add("event.type", "end")
		} else if d.start != event.NoTime {
			b.Add("event.type", "start")
		}
	case "fileinfo":
		b.Add("event.category", "network")
		b.Add("event.category", "file")
		b.Add("event.type", "info")
	case "anomaly":
		b.Add("event.category", "network")
		b.Add("event.type", "info")
	case "stats":
		kind = "metric"
	case "drop":
		b.Add("event.category", "network")
		b.Add("event.type", "denied")
	default: // a protocol's own record: dns, tls, ssh, smb, …
		b.Add("event.category", "network")
		b.Add("event.type", "protocol")
		if !b.Event().Has("network.protocol") && d.kind != "engine" {
			b.Add("network.protocol", d.kind)
		}
	}
	b.Add("event.kind", kind)
	if len(d.status) == 3 && d.kind == "http" {
		d.outcome = "success"
		if d.status[0] >= '4' {
			d.outcome = "failure"
		}
	}
	b.Add("event.outcome", d.outcome)
}

// x509Names are the fields of the parts of a distinguished name.
type x509Names struct {
	commonName, country, locality, organization, unit, state string
}

var (
	subjectNames = x509Names{
		"tls.server.x509.subject.common_name", "tls.server.x509.subject.country", "tls.server.x509.subject.locality",
		"tls.server.x509.subject.organization", "tls.server.x509.subject.organizational_unit", "tls.server.x509.subject.state_or_province",
	}
	issuerNames = x509Names{
		"tls.server.x509.issuer.common_name", "tls.server.x509.issuer.country", "tls.server.x509.issuer.locality",
		"tls.server.x509.issuer.organization", "tls.server.x509.issuer.organizational_unit", "tls.server.x509.issuer.state_or_province",
	}
)

// addName adds the parts of "C=US, O=Example, CN=www.example.com". A comma
// belongs to the value unless a key follows it.
func addName(names *x509Names, dn string, b *event.Batch) {
	for n := 0; dn != "" && n < 32; n++ {
		key, rest, ok := strings.Cut(dn, "=")
		if !ok {
			return
		}
		end := 0
		for end < len(rest) {
			i := strings.Index(rest[end:], ", ")
			if i < 0 {
				end = len(rest)
				break
			}
			end += i
			next, _, ok := strings.Cut(rest[end+2:], "=")
			if ok && !strings.ContainsAny(next, " ,") {
				break
			}
			end += 2
		}
		value := rest[:min(end, len(rest))]
		dn = strings.TrimPrefix(rest[len(value):], ", ")
		switch key {
		case "CN":
			b.Add(names.commonName, value)
		case "C":
			b.Add(names.country, value)
		case "L":
			b.Add(names.locality, value)
		case "O":
			b.Add(names.organization, value)
		case "OU":
			b.Add(names.unit, value)
		case "ST":
			b.Add(names.state, value)
		}
	}
}

// addTime adds a time as RFC 3339 in UTC with all its digits.
func addTime(name string, ns int64, b *event.Batch) {
	var few [40]byte
	b.Add(name, b.Bytes(time.Unix(0, ns).UTC().AppendFormat(few[:0], time.RFC3339Nano)))
}

// macAddress is a MAC address as ECS has it: upper case, parted by dashes (RFC 7042 §2.1).
func macAddress(s string, b *event.Batch) string {
	if len(s) != 17 {
		return s
	}
	var few [17]byte
	out := append(few[:0], s...)
	for i, c := range out {
		switch {
		case c == ':':
			out[i] = '-'
		case 'a' <= c && c <= 'f':
			out[i] = c - 0x20
		}
	}
	return b.Bytes(out)
}

// ruleDate turns the "2010_09_23" of a rule's metadata to a time.
func ruleDate(s string) (string, bool) {
	if len(s) != 10 || !isDigits(s[:4]) || !isDigits(s[5:7]) || !isDigits(s[8:]) || s[4] != '_' && s[4] != '-' {
		return "", false
	}
	return s[:4] + "-" + s[5:7] + "-" + s[8:] + "T00:00:00.000Z", true
}

// wholeNumber reads plain digits; what is none, or too large, is 0.
func wholeNumber(s string) int64 {
	if len(s) > 18 {
		return 0
	}
	n := int64(0)
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}
