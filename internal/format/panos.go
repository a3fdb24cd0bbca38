package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Palo Alto Networks' PAN-OS: comma-separated values, bare or behind a syslog header, whose columns
// depend on the log type in the fourth (PAN-OS Administrator's Guide, "Syslog Field Descriptions").
// Later releases append columns. Names follow Elastic's integration.
var (
	_ = register(Format{
		Name:      datasetPANOS,
		Title:     "Palo Alto Networks PAN-OS log",
		Group:     "network",
		Recognise: func(s *Sample) int { return s.majority(95, func(l string) bool { return panosStart(l) >= 0 }) },
		Lines:     func(p *Params) LineDecoder { return (&panos{clock: p.Clock}).decode },
		Date:      ciscoDate,
	})
)

const datasetPANOS = "panw.panos"

// panosStart is where the values begin in l, -1 for other lines. They begin with a digit that has
// no meaning and the time of receipt.
func panosStart(l string) int {
	head := l[:min(len(l), 256)]
	for i := 0; ; {
		j := strings.IndexByte(head[i:], ',')
		if j < 0 {
			return -1
		}
		i += j + 1
		rest := l[i:]
		if len(rest) > 24 && isDigits(rest[:4]) && rest[4] == '/' && rest[7] == '/' && rest[10] == ' ' && rest[13] == ':' && rest[19] == ',' {
			start := i - 1
			for start > 0 && l[start-1] != ' ' && l[start-1] != ':' {
				start--
			}
			_, after, _ := strings.Cut(rest[20:], ",")
			kind, _, _ := strings.Cut(after, ",")
			if panosColumns(kind) != nil {
				return start
			}
			if kind2, _, _ := strings.Cut(rest[20:], ","); kind2 == "audit" {
				return start
			}
			return -1
		}
		if i >= len(head) {
			return -1
		}
	}
}

var errNoPANOS = errors.New("no time of receipt and log type of PAN-OS")

type panos struct {
	clock  *timestamp.Clock
	f      []string
	agents agentCache
}

func (d *panos) decode(line string, b *event.Batch) error {
	start := panosStart(line)
	if start < 0 {
		return errNoPANOS
	}
	b.Add("event.kind", "event")
	host := ""
	if start > 0 {
		var h syslogHeader
		if h.parse(line[:start]+"x: y", d.clock) == nil {
			h.tag = ""
			b.Event().Time = h.time
			h.add(b)
			host = h.host
		}
	}
	s := line[start:]
	d.f = splitCSV(d.f[:0], s, ',', b)
	f := d.f
	b.Add("event.dataset", datasetPANOS)
	b.Add("observer.vendor", "Palo Alto Networks")
	b.Add("observer.product", "PAN-OS")
	b.Add("observer.type", "firewall")
	if len(f) > 5 && f[2] == "audit" {
		rest := s
		for range 3 {
			_, rest, _ = strings.Cut(rest, ",")
		}
		b.Add("message", rest)
		return d.audit(f, host, b)
	}
	if len(f) < 8 {
		return errNoPANOS
	}
	kind := strings.ToUpper(f[3])
	columns := panosColumns(kind)
	if kind == "CONFIG" && len(f) < 18 {
		columns = panosConfig0
	}
	if ns, n, ok := d.clock.ISO(f[1]); ok && n == len(f[1]) {
		b.Event().Time = ns
	}
	rest := s
	for range 7 {
		_, rest, _ = strings.Cut(rest, ",")
	}
	b.Add("message", rest)
	b.Add("observer.serial_number", f[2])
	d.fields(columns, f, b)
	if !b.Event().Has("observer.hostname") {
		b.Add("observer.hostname", host)
	}
	d.classify(kind, b)
	if e := b.Event(); e.Has("source.ip") != e.Has("destination.ip") { // of two ends it follows by itself
		addNetworkType(b, e.Get("source.ip"))
	}
	return nil
}

// audit reads what an administrator did (PAN-OS, "Audit Log Fields").
func (d *panos) audit(f []string, host string, b *event.Batch) error {
	if ns, n, ok := d.clock.ISO(f[1]); ok && n == len(f[1]) {
		b.Event().Time = ns
	}
	b.Add("observer.serial_number", f[0])
	b.Add("observer.hostname", host)
	d.fields(panosAudit, f, b)
	e := b.Event()
	b.Set("panw.panos.type", "AUDIT")
	b.Add("process.command_line", e.Get("panw.panos.cmd"))
	b.Add("event.category", "configuration")
	switch e.Get("panw.panos.result") {
	case "success":
		b.Add("event.outcome", "success")
	case "":
	default:
		b.Add("event.outcome", "failure")
	}
	return nil
}

func (d *panos) value(columns []string, name string) string {
	for i, c := range columns {
		if c == name && i < len(d.f) {
			return d.f[i]
		}
	}
	return ""
}

func (d *panos) fields(columns, f []string, b *event.Batch) {
	for i, v := range f[:min(len(f), len(columns))] {
		c := columns[i]
		if v == "" || c == "-" {
			continue
		}
		own := panosNames[c]
		if c == "sequence_number" {
			setNumber(b, v)
		}
		switch c {
		case "received_time", "generated_time", "logged_time", "start_time", "factorcompletiontime", "high_resolution_timestamp", "parent_session.start_time":
			ns, n, ok := d.clock.ISO(v)
			if !ok || n != len(v) || ns <= 0 { // 1970 stands for none
				continue
			}
			addTime(own, ns, b)
			if c == "high_resolution_timestamp" {
				b.Event().Time = ns
			}
			if c == "start_time" {
				addTime("event.start", ns, b)
			}
			continue
		case "source.port", "destination.port", "source.nat.port", "destination.nat.port", "repeat_count", "network.bytes", "bytes_sent", "bytes_received", "total_packets",
			"pkts_sent", "pkts_received", "elapsed_time", "timeout", "factorno", "network.packets", "packets_sent", "packets_received", "sctp.chunks",
			"sctp.chunks_sent", "sctp.chunks_received", "subject_common_name.length", "issuer_common_name.length", "root_common_name.length", "server_name_indication.length":
			b.AddNumber(own, v)
		case "flags":
			panosFlags(b, v)
			continue
		case "threat.id":
			id, name := v, ""
			if open := strings.LastIndexByte(v, '('); open >= 0 {
				id, name = strings.Trim(v[open:], "()"), v[:open]
			}
			if name == "" && id == "9999" {
				name = "URL-filtering"
			}
			b.Add("panw.panos.threat.id", id)
			b.Add("panw.panos.threat.name", name)
			continue
		case "severity":
			b.Add("log.level", v)
			if !columnsAre(columns, panosSystem) {
				b.Add(own, v)
			}
			if n := panosSeverity(v); n > 0 {
				b.AddInt("event.severity", n)
			}
			continue
		case "source.user", "destination.user":
			prefix := c
			r := asaRecord{b: b}
			r.user(prefix, v)
			b.Add(own, bareUser(v))
			if c == "source.user" {
				b.Add("user.name", bareUser(v))
				if realm, _, ok := strings.Cut(v, `\`); ok {
					b.Add("user.domain", realm)
				} else if _, realm, ok := cutLast(v, "@"); ok {
					b.Add("user.domain", realm)
				}
			}
			continue
		case "source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip":
			if ipVersion(v) == 0 {
				continue
			}
			b.Add(own, v)
			if v != "0.0.0.0" || !strings.Contains(c, "nat") {
				b.Add(c, v)
			}
			continue
		case "url_category_list":
			for category := range strings.SplitSeq(v, ",") {
				b.Add(own, category)
			}
			continue
		case "certificate.start", "certificate.end":
			if ns, n, ok := d.clock.ISO(v); ok && n == len(v) {
				name := "tls.client.not_before"
				if c == "certificate.end" {
					name = "tls.client.not_after"
				}
				addTime(name, ns, b)
			}
			continue
		case "subject_common_name": // not under their own names, below which are their lengths
			b.Add("tls.client.x509.subject.common_name", v)
			continue
		case "issuer_common_name":
			b.Add("tls.client.x509.issuer.common_name", v)
			continue
		case "root_common_name":
			continue
		case "server_name_indication":
			b.Add("tls.client.server_name", v)
			continue
		case "certificate.size":
			if isDigits(v) {
				b.AddNumber("tls.client.x509.public_key_size", v)
			} else {
				b.Add("panw.panos.certificate.raw_size", v)
			}
			continue
		case "tls.version":
			name, version := "", v
			if i := strings.IndexAny(v, "0123456789"); i > 0 {
				name, version = v[:i], v[i:]
			}
			b.Add("tls.version", version)
			b.Add("tls.version_protocol", lower(name, b))
			continue
		case "device_name":
			b.Add("observer.hostname", v)
			b.Add(own, v)
			continue
		case "path":
			b.Add(own, strings.TrimSpace(v))
			continue
		default:
			b.Add(own, v)
		}
		switch c {
		case "source.port", "destination.port":
			addPort(b, c, v)
		case "source.nat.port", "destination.nat.port":
			if ip := d.value(columns, strings.Replace(c, "port", "ip", 1)); v != "0" || ip != "" && ip != "0.0.0.0" {
				addPort(b, c, v)
			}
		case "ruleset":
			b.Add("rule.name", v)
		case "rule_uuid":
			b.Add("rule.uuid", v)
		case "tls.cipher":
			b.Add("tls.cipher", v)
		case "certificate.serial":
			b.Add("tls.client.x509.serial_number", v)
		case "certificate.fingerprint":
			if isHex(v) && len(v) == 64 {
				b.Add("tls.client.hash.sha256", v)
				b.Add("related.hash", v)
			}
		case "certificate.version":
			b.Add("tls.client.x509.version_number", v)
		case "tunnel_inspection_rule":
			b.Set("rule.name", v)
		case "network.packets":
			b.AddNumber("network.packets", v)
		case "packets_sent":
			b.AddNumber("source.packets", v)
		case "packets_received":
			b.AddNumber("destination.packets", v)
		case "network.application":
			b.Add("network.application", v)
		case "source.zone":
			b.Add("observer.ingress.zone", v)
		case "destination.zone":
			b.Add("observer.egress.zone", v)
		case "inbound_interface":
			b.Add("observer.ingress.interface.name", v)
		case "outbound_interface":
			b.Add("observer.egress.interface.name", v)
		case "protocol":
			b.Add("network.transport", lower(v, b))
		case "network.bytes":
			b.AddNumber("network.bytes", v)
		case "bytes_sent":
			b.AddNumber("source.bytes", v)
		case "bytes_received":
			b.AddNumber("destination.bytes", v)
		case "total_packets":
			b.AddNumber("network.packets", v)
		case "pkts_sent":
			b.AddNumber("source.packets", v)
		case "pkts_received":
			b.AddNumber("destination.packets", v)
		case "elapsed_time":
			if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
				b.AddInt("event.duration", n*1e9)
				if start, _, ok := d.clock.ISO(d.value(columns, "start_time")); ok {
					addTime("event.end", start+n*1e9, b)
				}
			}
		case "endreason":
			b.Add("event.reason", v)
		case "network.direction":
			switch v {
			case "client-to-server", "0":
				b.Add("network.direction", "inbound")
			case "server-to-client", "1":
				b.Add("network.direction", "outbound")
			}
		case "user_agent":
			d.agents.add(v, b)
		case "http_method":
			b.Add("http.request.method", v)
		case "referer":
			b.Add("http.request.referrer", v)
		case "file.hash":
			if isHex(v) && len(v) == 64 {
				b.Add("file.hash.sha256", v)
			}
		case "file.type":
			b.Add("file.type", v)
		case "misc":
			switch d.value(columns, "sub_type") {
			case "url":
				d.url(v, b)
			default:
				if i := strings.LastIndexAny(v, `\/`); i >= 0 {
					b.Add("file.path", v)
					v = v[i+1:]
				}
				b.Add("file.name", v)
			}
		case "host":
			if ipVersion(v) != 0 {
				b.Add("host.ip", v)
				b.Add("client.ip", v)
			}
		case "event.id":
			b.Add("event.code", v)
		case "public_ip":
			addSource(b, v, "")
		case "reason", "error":
			b.Add("event.reason", v)
		case "admin":
			b.Add("user.name", v)
		}
	}
}

func columnsAre(a, c []string) bool { return len(a) == len(c) && &a[0] == &c[0] }

// url is a URL without its scheme.
func (d *panos) url(v string, b *event.Batch) {
	b.Add("url.original", v)
	host, path, slash := strings.Cut(v, "/")
	host, port := splitPort(host)
	b.Add("url.domain", host)
	b.Add("destination.domain", host)
	if port != "" {
		b.AddNumber("url.port", port)
	}
	if slash {
		addPath(v[len(v)-len(path)-1:], b)
	}
}

func panosSeverity(s string) int64 {
	switch s {
	case "critical":
		return 1
	case "high":
		return 2
	case "medium":
		return 3
	case "low":
		return 4
	case "informational":
		return 5
	}
	return 0
}

// panosFlags names the bits of a session's flags.
func panosFlags(b *event.Batch, s string) {
	v, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
	if err != nil {
		return
	}
	for _, f := range [...]struct {
		bit  uint64
		name string
	}{
		{0x80000000, "labels.pcap_included"}, {0x02000000, "labels.ipv6_session"}, {0x01000000, "labels.ssl_decrypted"},
		{0x00800000, "labels.url_filter_denied"}, {0x00400000, "labels.nat_translated"}, {0x00200000, "labels.captive_portal"},
		{0x00080000, "labels.x_forwarded_for"}, {0x00000400, "labels.decrypted_traffic"}, {0x00040000, "labels.http_proxy"}, {0x00008000, "labels.container_page"},
		{0x00002000, "labels.temporary_match"}, {0x00000800, "labels.symmetric_return"},
	} {
		if v&f.bit != 0 {
			b.AddBool(f.name, true)
		}
	}
}

// panosLogin reads "… for user 'NAME'. … From: ADDRESS." of a login's description.
func panosLogin(s string, b *event.Batch) {
	if from, ip, ok := cutLast(s, "From: "); ok {
		if ip = strings.TrimRight(ip, ". "); ipVersion(ip) != 0 {
			addSource(b, ip, "")
			s = from
		}
	}
	if _, user, ok := strings.Cut(s, "user '"); ok {
		user, _, _ = strings.Cut(user, "'")
		b.Add("user.name", user)
	}
}

func (d *panos) classify(kind string, b *event.Batch) {
	e := b.Event()
	verdict := func() {
		switch e.Get("panw.panos.action") {
		case "allow", "alert", "continue", "override":
			b.Add("event.type", "allowed")
			b.Add("event.outcome", "success")
		case "deny", "drop", "block-url", "block-continue", "reset-both", "reset-client", "reset-server", "drop-all-packets", "drop-icmp", "drop ICMP", "reset both",
			"reset client", "reset server", "block-override", "block", "sinkhole", "block-ip", "random-drop":
			b.Add("event.type", "denied")
			b.Add("event.outcome", "failure")
		}
	}
	sub := e.Get("panw.panos.sub_type")
	switch kind {
	case "TRAFFIC":
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
		verdict()
		switch sub {
		case "start":
			b.Add("event.type", "start")
			b.Add("event.action", "flow_started")
		case "end":
			b.Add("event.type", "end")
			b.Add("event.action", "flow_terminated")
		case "drop":
			b.Add("event.action", "flow_dropped")
		case "deny":
			b.Add("event.action", "flow_denied")
		}
	case "THREAT":
		b.Set("event.kind", "alert")
		b.Add("event.category", "intrusion_detection")
		b.Add("event.category", "threat")
		b.Add("event.category", "network")
		verdict()
		switch sub {
		case "url":
			b.Add("event.action", "url_filtering")
		case "file":
			b.Add("event.action", "file_match")
		case "data":
			b.Add("event.action", "data_match")
		case "virus", "wildfire-virus", "ml-virus":
			b.Add("event.action", "virus_detected")
		case "spyware":
			b.Add("event.action", "spyware_detected")
		case "vulnerability":
			b.Add("event.action", "exploit_detected")
		case "wildfire":
			b.Add("event.action", "wildfire_verdict")
		case "scan":
			b.Add("event.action", "scan_detected")
		case "flood":
			b.Add("event.action", "flood_detected")
		default:
			b.Add("event.action", sub)
		}
	case "CONFIG":
		b.Add("event.category", "configuration")
		if cmd := e.Get("panw.panos.cmd"); cmd != "" {
			b.Add("event.action", b.Bytes(append([]byte("cmd-"), cmd...)))
		}
		switch e.Get("panw.panos.result") {
		case "Succeeded":
			b.Add("event.outcome", "success")
		case "Failed", "Unauthorized":
			b.Add("event.outcome", "failure")
		case "Submitted":
			b.Add("event.outcome", "unknown")
		}
	case "SYSTEM":
		switch {
		case sub == "auth":
			b.Add("event.category", "authentication")
			switch id := e.Get("event.code"); {
			case strings.HasSuffix(id, "fail") || strings.HasSuffix(id, "failure"):
				b.Add("event.outcome", "failure")
			case strings.HasSuffix(id, "succ") || strings.HasSuffix(id, "success"):
				b.Add("event.outcome", "success")
			}
			b.Add("event.action", "login")
			panosLogin(e.Get("panw.panos.description"), b)
		default:
			b.Add("event.category", "configuration")
		}
	case "USERID":
		b.Add("event.category", "network")
		b.Add("event.category", "iam")
	case "DECRYPTION":
		b.Add("event.category", "network")
		switch e.Get("panw.panos.action") {
		case "allow", "alert", "continue", "override":
			b.Add("event.type", "allowed")
		case "":
		default:
			b.Add("event.type", "denied")
		}
		if e.Has("panw.panos.error_message") {
			b.Add("event.outcome", "failure")
		} else {
			b.Add("event.outcome", "success")
		}
	case "GTP":
		b.Add("event.category", "network")
		b.Add("event.category", "malware")
	case "CORRELATION":
		b.Set("event.kind", "alert")
		b.Add("event.category", "network")
		b.Add("event.category", "intrusion_detection")
	case "GLOBALPROTECT", "AUTH", "AUTHENTICATION":
		b.Add("event.category", "network")
		b.Add("event.category", "authentication")
		switch e.Get("panw.panos.status") {
		case "success":
			b.Add("event.outcome", "success")
		case "failure":
			b.Add("event.outcome", "failure")
		}
		b.Add("event.action", e.Get("event.code"))
	default:
		b.Add("event.category", "network")
	}
}
