package format

import (
	"cmp"
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Check Point's Log Exporter in its syslog format: RFC 5424 with [name:"value"; name:"value"; …]
// in the message's place (Check Point R81 Logging and Monitoring, "Log Exporter"). What ECS has no field for is
// kept below checkpoint, under the names of Elastic's integration.
var _ = registerProgram(program{Names: []string{"CheckPoint"}, Dataset: datasetCheckPoint, NoProcess: true, Decode: decodeCheckPoint})

const (
	datasetCheckPoint   = "checkpoint.firewall"
	maxCheckPointFields = 300
)

// nextCheckPoint takes `name:"value";` off s. A backslash escapes '"', ']' and itself.
func nextCheckPoint(s string) (name, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " ;")
	name, s, ok = strings.Cut(s, ":\"")
	name = strings.TrimSuffix(name, ":") // "scheme:" of a VPN
	if !ok || name == "" || len(name) > 100 || strings.ContainsAny(name, "\" ") {
		return "", "", "", false
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if i+1 == len(s) || s[i+1] == ';' || s[i+1] == ']' {
				return name, s[:i], s[i+1:], true
			}
		}
	}
	return "", "", "", false
}

// checkPointNames are fields that have another name.
var checkPointNames = map[string]string{
	"action": "", "time": "", "flags": "", "version": "", "__policy_id_tag": "", "layer_uuid": "", "proto": "", "src": "", "dst": "", "s_port": "", "service": "",
	"loguid": "event.id", "uid": "", "origin": "observer.name", "originsicname": "checkpoint.origin_sic_name", "sequencenum": "", "ifdir": "", "ifname": "",
	"administrator": "", "client_ip": "source.ip", "machine": "checkpoint.machine", "operation_number": "event.code", "product": "observer.product", "subject": "message",
	"inzone": "observer.ingress.zone", "outzone": "observer.egress.zone", "layer_name": "network.name", "rule_uid": "rule.uuid", "rule_name": "rule.name", "objectname": "rule.name",
	"service_id": "network.application", "appi_name": "network.application", "protection_name": "rule.name", "protection_id": "rule.id", "attack": "rule.category",
	"domain_name": "dns.question.name", "user": "", "src_user_name": "source.user.name", "dst_user_name": "destination.user.name", "src_machine_name": "source.domain",
	"session_description": "checkpoint.session_description", "action_reason": "checkpoint.action_reason_msg", "sent_bytes": "", "received_bytes": "", "client_inbound_bytes": "", "client_outbound_bytes": "",
	"xlatesrc": "", "xlatedst": "", "xlatesport": "", "xlatedport": "", "file_name": "file.name", "file_md5": "file.hash.md5", "file_sha1": "file.hash.sha1", "file_sha256": "file.hash.sha256",
	"resource": "", "method": "http.request.method", "web_server_type": "", "user_agent": "user_agent.original", "dns_query": "dns.question.name", "status": "", "severity": "checkpoint.severity",
	"objectuid": "", "uuid": "", "advanced_changes": "",
}

// Its formats "splunk" and "generic" write pairs: "time=1709546401|hostname=cp1|product=…|action=Accept|…|src=192.0.2.5",
// with or without a syslog header before them.
var _ = register(Format{
	Name:      "checkpoint.log",
	Title:     "Check Point Log Exporter in pairs (splunk, generic)",
	Group:     "network",
	Recognise: func(s *Sample) int { return s.Share(func(l string) bool { return checkPointPairs(l) >= 0 }) },
	Lines: func(p *Params) LineDecoder {
		return func(line string, b *event.Batch) error {
			at := checkPointPairs(line)
			if at < 0 {
				return errNoCheckPoint
			}
			var h syslogHeader
			if h.parse(line[:at]+"x: y", p.Clock) == nil {
				b.Event().Time = h.time
				h.tag, h.text = "", ""
				h.add(b)
			}
			var c checkPoint
			n := 0
			for pair := range strings.SplitSeq(line[at:], "|") {
				name, value, ok := strings.Cut(pair, "=")
				if ok && value != "" && n < maxCheckPointFields {
					c.field(name, value, p.Clock, b)
					n++
				}
			}
			if b.Event().Time == event.NoTime {
				p.Clock.NoTime()
			}
			b.Add("event.kind", "event")
			b.Add("event.dataset", datasetCheckPoint)
			b.Add("observer.vendor", "Checkpoint")
			b.Add("observer.type", "firewall")
			b.Add("message", cmp.Or(c.message, line[at:]))
			c.finish(b)
			return nil
		}
	},
})

var errNoCheckPoint = errors.New("no pairs of a Check Point log")

// checkPointPairs is where the pairs begin, -1 if there are none.
func checkPointPairs(l string) int {
	i := strings.Index(l[:min(len(l), 256)], "time=")
	if i < 0 || i > 0 && l[i-1] != ' ' || !strings.Contains(l, "|product=") || !strings.Contains(l, "|loguid=") && !strings.Contains(l, "|origin=") {
		return -1
	}
	return i
}

func decodeCheckPoint(m *message, b *event.Batch) bool {
	s, ok := strings.CutPrefix(m.Text, "[")
	if !ok {
		return false
	}
	n := 0
	var c checkPoint
	var clock timestamp.Clock
	for n < maxCheckPointFields {
		name, value, rest, ok := nextCheckPoint(s)
		if !ok {
			break
		}
		s = rest
		n++
		if value = strings.TrimSpace(unescapeSD(b, value)); value == "" {
			continue
		}
		c.field(name, value, &clock, b)
	}
	if n == 0 {
		return false
	}
	b.Add("observer.vendor", "Checkpoint")
	b.Add("observer.type", "firewall")
	if c.message != "" {
		m.Message = c.message
	}
	c.finish(b)
	return true
}

type checkPoint struct {
	action, operation, status, message, peer, info string
	user                                           string
}

func (c *checkPoint) field(name, v string, clock *timestamp.Clock, b *event.Batch) {
	switch name {
	case "action":
		c.action = v
	case "time":
		ns, ok := clock.Epoch(v)
		if !ok {
			var n int
			if ns, n, ok = clock.ISO(v); n != len(v) {
				ok = false
			}
		}
		if ok {
			b.Event().Time = ns
		}
	case "uid":
		b.Add("source.user.id", v)
		b.Add("user.id", v)
	case "segment_time", "starttime", "start_time":
		c.moment("event.start", v, clock, b)
	case "lastupdatetime", "last_update_time", "endtime", "end_time":
		c.moment("event.end", v, clock, b)
	case "sequencenum":
		b.AddNumber("event.sequence", v)
	case "ifdir":
		b.Add("network.direction", v)
	case "ifname":
		c.info = v
	case "src":
		if ipVersion(v) != 0 {
			b.Add("source.ip", v)
			c.peer = v
		}
	case "client_ip":
		if c.peer == "" && ipVersion(v) != 0 {
			b.Add("source.ip", v)
			c.peer = v
		}
	case "dst":
		if ipVersion(v) != 0 {
			b.Add("destination.ip", v)
		}
	case "s_port":
		addPort(b, "source.port", v)
	case "service":
		addPort(b, "destination.port", v)
	case "xlatesrc", "xlatedst":
		if ipVersion(v) != 0 && v != "0.0.0.0" {
			side := "source.nat.ip"
			if name == "xlatedst" {
				side = "destination.nat.ip"
			}
			b.Add(side, v)
		}
	case "xlatesport":
		addPort(b, "source.nat.port", v)
	case "xlatedport":
		addPort(b, "destination.nat.port", v)
	case "proto":
		addTransport(b, v)
	case "administrator", "user":
		if name == "user" && c.user != "" {
			b.Add("checkpoint.user", v)
			return
		}
		c.user = v
		b.Add("source.user.name", v)
		b.Add("user.name", v)
	case "machine":
		b.Add("checkpoint.machine", v)
		if v != "localhost" && isHostName(v) {
			b.Add("source.domain", v)
		}
	case "operation":
		c.operation = v
		b.Add("checkpoint.operation", v)
	case "operation_number":
		b.Add("event.code", v)
		b.Add("checkpoint.operation_number", v)
	case "subject":
		c.message = v
	case "audit_status", "status":
		c.status = v
		b.Add("checkpoint."+name, v)
	case "additional_info":
		b.Add("checkpoint.additional_info", v)
		if _, why, ok := strings.Cut(v, "failed to log in: "); ok {
			b.Add("event.reason", why)
			c.status = "Failure"
		}
	case "reason":
		b.Add("event.reason", v)
	case "sent_bytes", "client_outbound_bytes":
		b.AddNumber("source.bytes", v)
	case "received_bytes", "client_inbound_bytes":
		b.AddNumber("destination.bytes", v)
	case "resource":
		addURL(v, b)
	default:
		if full, ok := checkPointNames[name]; ok {
			if full != "" {
				b.Add(full, v)
			}
			return
		}
		b.Add(b.Bytes(append([]byte("checkpoint."), name...)), v)
	}
}

// moment adds a time that may be in seconds, milliseconds or as ISO 8601.
func (c *checkPoint) moment(name, v string, clock *timestamp.Clock, b *event.Batch) {
	ns, ok := clock.Epoch(v)
	if !ok {
		var n int
		if ns, n, ok = clock.ISO(v); n != len(v) {
			ok = false
		}
	}
	if ok {
		addTime(name, ns, b)
	}
}

func (c *checkPoint) finish(b *event.Batch) {
	if c.info != "" {
		side := "observer.ingress.interface.name"
		if b.Event().Get("network.direction") == "outbound" {
			side = "observer.egress.interface.name"
		}
		b.Add(side, c.info)
	}
	switch c.operation {
	case "Log In", "Log Out", "Force Log Out":
		b.Add("event.category", "authentication")
		if c.operation == "Log In" {
			b.Add("event.type", "start")
			if strings.HasPrefix(c.status, "Fail") {
				b.Add("event.action", "logon-failed")
				b.Add("event.outcome", "failure")
			} else {
				b.Add("event.action", "logged-in")
				b.Add("event.outcome", "success")
			}
		} else {
			b.Add("event.type", "end")
			b.Add("event.action", "logged-out")
			b.Add("event.outcome", "success")
		}
		return
	}
	b.Add("event.action", c.action)
	b.Add("event.category", "network")
	if c.operation != "" {
		if c.status != "" && strings.HasPrefix(c.status, "Fail") {
			b.Add("event.outcome", "failure")
		} else if c.action == "Accept" {
			b.Add("event.outcome", "success")
		}
		return
	}
	switch c.action {
	case "Accept", "Allow", "Decrypt", "Encrypt":
		b.Add("event.type", "allowed")
		b.Add("event.type", "connection")
		b.Add("event.outcome", "success")
	case "Drop", "Reject", "Block", "Prevent":
		b.Add("event.type", "connection")
		b.Add("event.type", "denied")
		b.Add("event.outcome", "success")
	}
}
