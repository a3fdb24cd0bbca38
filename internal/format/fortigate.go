package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// FortiGate's logs (FortiOS Log Message Reference): key=value, quoted where a value has blanks, in a
// syslog packet whose header is only a priority. Fields that ECS knows go there, as in
// Elastic's integration, the rest below fortinet.firewall.
var (
	_ = register(Format{
		Name:      datasetFortigate,
		Title:     "Fortinet FortiGate log",
		Group:     "network",
		Recognise: func(s *Sample) int { return s.majority(95, isFortigate) },
		Lines: func(p *Params) LineDecoder {
			return (&fortigate{clock: p.Clock}).decode
		},
	})
)

const datasetFortigate = "fortinet_fortigate.log"

func isFortigate(l string) bool {
	l = l[:min(len(l), 4096)]
	key := func(k string) bool {
		i := strings.Index(l, k)
		return i == 0 || i > 0 && (l[i-1] == ' ' || l[i-1] == '>' || l[i-1] == ',')
	}
	return key("logid=") && !key("device_id=") && key("type=") && (key("subtype=") || key("devid=")) && (key("date=") || key("eventtime=") || key("devid="))
}

var errNoFortigate = errors.New("no logid and type among the keys")

type fortigate struct {
	clock *timestamp.Clock
	f     []fortiPair
	names map[string]string // of keys
}

type fortiPair struct{ key, value string }

// nextFortiPair takes "key=value" or `key="value"` off s; a quote in a value is escaped with a backslash.
func nextFortiPair(s string) (p fortiPair, rest string, ok bool) {
	for s != "" && (s[0] == ' ' || s[0] == ',' || s[0] == '\t') {
		s = s[1:]
	}
	eq := strings.IndexByte(s, '=')
	if eq <= 0 {
		return p, "", false
	}
	p.key = s[:eq]
	p.key = p.key[strings.LastIndexByte(p.key, ' ')+1:]
	s = s[eq+1:]
	if s != "" && s[0] == '"' {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				p.value = s[1:i]
				return p, s[i+1:], true
			}
		}
		p.value = s[1:]
		return p, "", true
	}
	end := strings.IndexAny(s, " ,")
	if end < 0 {
		end = len(s)
	}
	p.value = s[:end]
	return p, s[end:], true
}

const maxFortiPairs = 300

func (d *fortigate) decode(line string, b *event.Batch) error {
	var h syslogHeader
	s := line
	if pri, rest, ok := cutPriority(line); ok {
		h.priority, s = pri, rest
	}
	start := -1
	for _, k := range [...]string{"date=", "devname=", "logver=", "timestamp=", "device_id=", "logid=", "log_id=", "eventtime="} {
		if i := strings.Index(s[:min(len(s), 256)], k); i >= 0 && (start < 0 || i < start) {
			start = i
		}
	}
	if start < 0 {
		return errNoFortigate
	}
	if start > 4 { // a relay's header
		if h2 := (syslogHeader{}); h2.parse(line[:len(line)-len(s)+start]+"x: y", d.clock) == nil {
			h = h2
			h.tag = ""
			b.Event().Time = h.time
		}
	}
	h.add(b)
	d.f = d.f[:0]
	for s = s[start:]; s != "" && len(d.f) < maxFortiPairs; {
		p, rest, ok := nextFortiPair(s)
		if !ok {
			break
		}
		s = rest
		if name, ok := fortiAliases[p.key]; ok {
			p.key = name
		}
		d.f = append(d.f, p)
	}
	if (d.get("type") == "" || d.get("logid") == "") && d.get("msg") == "" { // a few say no more than that
		return errNoFortigate
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", datasetFortigate)
	b.Add("observer.vendor", "Fortinet")
	b.Add("observer.product", "Fortigate")
	b.Add("observer.type", "firewall")
	d.time(b)
	d.fields(b)
	d.classify(b)
	return nil
}

func (d *fortigate) get(key string) string {
	for i := range d.f {
		if d.f[i].key == key {
			return d.f[i].value
		}
	}
	return ""
}

// time reads date and time in the zone that tz gives; eventtime, in seconds or
// nanoseconds, is when the session began to be logged.
func (d *fortigate) time(b *event.Batch) {
	date, clock, zone := d.get("date"), d.get("time"), d.get("tz")
	var buf [64]byte
	t := append(append(append(append(buf[:0], date...), ' '), clock...), zone...)
	if date != "" && len(t) < len(buf) {
		if ns, _, ok := d.clock.ISO(event.View(t)); ok {
			b.Event().Time = ns
		}
	}
	if v := d.get("eventtime"); v != "" {
		if ns, ok := d.clock.Epoch(v); ok {
			addTime("event.start", ns, b)
			if b.Event().Time == event.NoTime {
				b.Event().Time = ns
			}
		}
	}
}

// fortiAliases are keys of FortiManager and of VoIP records, by what all others call them.
var fortiAliases = map[string]string{
	"device_id": "devid", "log_id": "logid", "pri": "level", "src_port": "srcport", "dst_port": "dstport", "src_int": "srcintf", "dst_int": "dstintf",
	"policy_id": "policyid", "remote_ip": "srcip", "remote_port": "srcport",
}

// fortiNames are the keys that are an ECS field and nothing else.
var fortiNames = map[string]string{
	"devname": "observer.name", "devid": "observer.serial_number", "logid": "event.code", "level": "log.level", "tz": "event.timezone",
	"srcintf": "observer.ingress.interface.name", "dstintf": "observer.egress.interface.name", "app": "network.application",
	"policyid": "rule.id", "policyname": "rule.name", "poluuid": "rule.uuid", "logdesc": "rule.description", "msg": "message", "reason": "event.reason",
	"group": "source.user.group.name", "hostname": "url.domain", "qname": "dns.question.name", "qtype": "dns.question.type", "qclass": "dns.question.class",
	"xid": "dns.id", "scertcname": "tls.server.x509.subject.common_name", "filename": "file.name", "filehash": "file.hash.sha256",
	"attack": "rule.name", "attackid": "rule.id", "virus": "threat.indicator.name", "ref": "rule.reference", "vpntunnel": "fortinet.firewall.vpntunnel",
	"rcvdpkt": "destination.packets", "sentpkt": "source.packets", "sentbyte": "source.bytes", "rcvdbyte": "destination.bytes", "filesize": "file.size",
	"agent": "user_agent.original", "adminprof": "source.user.roles", "referralurl": "http.request.referrer", "httpmethod": "http.request.method", "unauthuser": "source.user.name",
}

func (d *fortigate) fields(b *event.Batch) {
	kind := d.get("subtype")
	for _, p := range d.f {
		v := p.value
		if v == "" || v == "N/A" || v == "n/a" {
			continue
		}
		switch p.key {
		case "date", "time", "eventtime":
			continue
		case "srcip":
			b.Add("source.ip", plainIP(v))
			continue
		case "dstip":
			b.Add("destination.ip", plainIP(v))
			continue
		case "srcport":
			addPort(b, "source.port", v)
			continue
		case "dstport":
			addPort(b, "destination.port", v)
			continue
		case "srcmac", "dstmac":
			if isMAC(v) {
				side := "source.mac"
				if p.key == "dstmac" {
					side = "destination.mac"
				}
				b.Add(side, ecsMAC(b, v))
				continue
			}
		case "remip", "locip", "remport", "locport":
			d.tunnel(p, b)
			continue
		case "proto":
			if isDigits(v) {
				addTransport(b, v)
				continue
			}
		case "service":
			b.Add("network.protocol", lower(v, b))
			continue
		case "user":
			if b.Event().Has("user.name") {
				continue
			}
			b.Add("source.user.name", v)
			if kind == "system" {
				b.Add("user.name", v)
			}
			continue
		case "duration":
			if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
				b.AddInt("event.duration", n*1e9)
				continue
			}
		case "direction":
			switch v {
			case "outgoing", "outbound":
				b.Add("network.direction", "outbound")
				continue
			case "incoming", "inbound":
				b.Add("network.direction", "inbound")
				continue
			}
		case "url":
			if strings.Contains(v, "://") {
				addURL(v, b)
			} else {
				addPath(v, b)
			}
			continue
		case "profile", "applist", "policytype":
			if !b.Event().Has("rule.ruleset") {
				b.Add("rule.ruleset", v)
				continue
			}
		case "catdesc", "appcat":
			if !b.Event().Has("rule.category") {
				b.Add("rule.category", strings.ReplaceAll(v, ".", "-"))
				continue
			}
		case "ipaddr":
			for ip := range strings.SplitSeq(v, ",") {
				if ip = strings.TrimSpace(ip); ipVersion(ip) != 0 {
					b.Add("dns.resolved_ip", ip)
				}
			}
			continue
		case "scertissuer":
			b.Add("tls.server.issuer", v)
			b.Add("tls.server.x509.issuer.common_name", v)
			continue
		case "transip":
			if v != "0.0.0.0" && ipVersion(v) != 0 {
				b.Add("source.nat.ip", v)
			}
		case "tranip":
			if v != "0.0.0.0" && ipVersion(v) != 0 {
				b.Add("destination.nat.ip", v)
			}
		case "transport":
			addPort(b, "source.nat.port", v)
			continue
		case "tranport":
			addPort(b, "destination.nat.port", v)
			continue
		case "ui":
			if i := strings.IndexByte(v, '('); i > 0 && strings.HasSuffix(v, ")") && !b.Event().Has("source.ip") && d.get("srcip") == "" {
				if ip := v[i+1 : len(v)-1]; ipVersion(ip) != 0 {
					b.Add("source.ip", ip)
				}
			}
		case "userfrom": // "JSON(192.0.2.1)"
			if _, ip, ok := strings.Cut(strings.TrimSuffix(v, ")"), "("); ok && ipVersion(ip) != 0 && d.get("srcip") == "" {
				b.Add("source.ip", ip)
			}
		case "adminprof":
			b.Add("user.roles", v)
		case "ip", "tunnelip":
			if ipVersion(v) != 0 {
				b.Add("related.ip", v)
			}
		case "from":
			if d.get("subtype") == "voip" {
				b.Add("email.from.address", v)
			}
		case "dstname":
			b.Add("destination.address", v)
		case "srcname":
			b.Add("host.name", lower(v, b))
		case "action":
			if d.get("eventtype") == "" && d.get("type") == "traffic" {
				b.Add("event.action", v)
			} else if v == "login" || v == "logout" {
				b.Add("event.action", v)
			}
		case "eventtype":
			b.Add("event.action", v)
			continue
		}
		if name, ok := fortiNames[p.key]; ok {
			switch p.key {
			case "sentbyte", "rcvdbyte", "sentpkt", "rcvdpkt", "filesize":
				b.AddNumber(name, v)
			default:
				b.Add(name, v)
			}
			continue
		}
		if len(p.key) > 100 {
			continue
		}
		b.Add(d.name(p.key), v)
	}
	d.sum(b, "sentbyte", "rcvdbyte", "network.bytes")
	d.sum(b, "sentpkt", "rcvdpkt", "network.packets")
}

// name is the full name of a key that ECS has no field for.
func (d *fortigate) name(key string) string {
	name, ok := d.names[key]
	if !ok {
		name = "fortinet.firewall." + key
		if d.names == nil {
			d.names = map[string]string{}
		}
		if len(d.names) < maxFortiPairs {
			d.names[strings.Clone(key)] = name
		}
	}
	return name
}

func (d *fortigate) sum(b *event.Batch, x, y, name string) {
	if d.get(x) == "" || d.get(y) == "" {
		return
	}
	n, err1 := strconv.ParseInt(d.get(x), 10, 62)
	m, err2 := strconv.ParseInt(d.get(y), 10, 62)
	if err1 == nil && err2 == nil {
		b.AddInt(name, n+m)
	}
}

// tunnel adds the ends of a VPN: the remote one is the source unless we began.
func (d *fortigate) tunnel(p fortiPair, b *event.Batch) {
	if d.get("init") == "local" || d.get("dir") == "outbound" || d.get("direction") == "outbound" {
		switch p.key {
		case "remip":
			p.key = "locip"
		case "locip":
			p.key = "remip"
		case "remport":
			p.key = "locport"
		case "locport":
			p.key = "remport"
		}
	}
	switch p.key {
	case "remip":
		if d.get("srcip") == "" && ipVersion(p.value) != 0 {
			b.Add("source.ip", p.value)
		}
	case "locip":
		if d.get("dstip") == "" && ipVersion(p.value) != 0 {
			b.Add("destination.ip", p.value)
		}
	case "remport":
		addPort(b, "source.port", p.value)
	case "locport":
		addPort(b, "destination.port", p.value)
	}
}

// classify tells category, type and outcome by the log's type, its action and its status.
func (d *fortigate) classify(b *event.Batch) {
	action, status := d.get("action"), d.get("status")
	subtype := d.get("subtype")
	switch d.get("type") {
	case "traffic":
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
		if action != "start" {
			b.Add("event.type", "end")
		} else {
			b.Add("event.type", "start")
		}
		if subtype == "local" {
			b.Add("event.type", "protocol")
		}
		switch action {
		case "deny", "block", "blocked", "dropped":
			b.Add("event.type", "denied")
		default:
			b.Add("event.type", "allowed")
		}
		b.Add("event.outcome", "success")
	case "utm":
		b.Add("event.category", "network")
		switch subtype {
		case "dns":
			b.Add("event.type", "info")
		case "ips", "anomaly":
			b.Add("event.category", "intrusion_detection")
		case "virus":
			b.Add("event.category", "malware")
		}
		switch action {
		case "block", "blocked", "dropped", "deny", "reset", "clear_session", "reset_client", "reset_server":
			b.Add("event.type", "denied")
			b.Add("event.outcome", "success")
		case "pass", "passthrough", "detected", "monitored", "accept":
			b.Add("event.type", "allowed")
			b.Add("event.outcome", "success")
		case "permit":
			b.Add("event.outcome", "success")
		}
	case "event":
		desc := d.get("desc")
		if desc == "" {
			desc = d.get("logdesc")
		}
		switch {
		case subtype == "system" && action == "" && (strings.HasPrefix(desc, "User login") || strings.HasPrefix(desc, "User logout")): // FortiManager's
			b.Add("event.category", "authentication")
			b.Add("event.action", "login")
			if strings.Contains(desc, "fail") {
				b.Add("event.outcome", "failure")
			} else {
				b.Add("event.outcome", "success")
			}
		case subtype == "user" || action == "login" || action == "logout" || strings.HasSuffix(action, "logon") || strings.HasSuffix(action, "logoff"):
			b.Add("event.category", "authentication")
			switch {
			case strings.HasSuffix(action, "logoff") || strings.HasSuffix(action, "logout"):
				b.Add("event.type", "end")
			case subtype == "user":
				b.Add("event.type", "start")
			}
			switch status {
			case "failed", "failure", "deny", "error":
				b.Add("event.outcome", "failure")
			default:
				b.Add("event.outcome", "success")
			}
		case subtype == "vpn":
			b.Add("event.category", "network")
			b.Add("event.type", "connection")
			if strings.Contains(action, "login") {
				b.Add("event.category", "authentication")
				b.Add("event.action", action)
				if user := d.get("user"); user != "N/A" {
					b.Add("user.name", user)
				}
			}
			switch {
			case strings.HasSuffix(status, "error") || status == "failure" || strings.HasSuffix(action, "fail"):
				b.Add("event.outcome", "failure")
			case status == "success":
				b.Add("event.outcome", "success")
			}
		case action == "perf-stats":
			b.Add("event.category", "host")
			b.Add("event.type", "info")
		case strings.EqualFold(action, "Edit") || strings.EqualFold(action, "Add") && subtype == "system" || strings.EqualFold(action, "Delete") && subtype == "system":
			b.Add("event.category", "configuration")
			b.Add("event.type", "change")
		}
	}
}
