package format

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The security events of Firepower Threat Defense, 430001 to 430005, are lists of
// "Name: value" with commas between (Cisco Secure Firewall Threat Defense Syslog
// Messages, "Security Event Syslog Messages"). Each name is kept below cisco.ftd in snake case.

func recogniseFTD(s *Sample) int {
	return s.majority(95, func(l string) bool {
		return strings.Contains(l[:min(len(l), 256)], "%FTD") || strings.HasPrefix(l, "<") && isFirepowerAudit(l) || isFTDList(l)
	})
}

// isFirepowerAudit recognises what a management center writes of what people did,
// "PROGRAM: HOST: user@FROM, WHERE, WHAT". FROM is an address, a host or neither.
func isFirepowerAudit(s string) bool {
	s = s[:min(len(s), 200)]
	i := strings.IndexByte(s, '@')
	if i < 0 || strings.Count(s[:i], ": ") < 2 || strings.Count(s[i:], ", ") == 0 {
		return false
	}
	program, _, _ := strings.Cut(s[:i], ": ")
	word := program[strings.LastIndexByte(program, ' ')+1:]
	return strings.HasSuffix(word, ".cgi") || strings.HasSuffix(word, ".pl") || word == "sfdccsm" || word == "mojo_server"
}

// isFTDList recognises a security event without its mnemonic: behind a tag, pairs of
// "Name: value" whose names are those of such events.
func isFTDList(l string) bool {
	_, list, ok := strings.Cut(l[:min(len(l), 1024)], "]: ")
	if !ok {
		return false
	}
	known := 0
	for range 8 {
		f, rest, ok := nextFTDField(strings.TrimLeft(list, " ,"))
		if !ok {
			break
		}
		if _, ok := ftdEventNames[f.name]; ok || f.name == "Message" {
			known++
		}
		list = rest
	}
	return known >= 2
}

var errNoFTDMessage = errors.New("neither a message mnemonic (%FTD-1-430002) nor the fields of a security event")

// decodeFTDWithoutID decodes what stands behind the time of a line without mnemonic: a security
// event whose kind its fields tell, or the audit line of a management center.
func decodeFTDWithoutID(s string, bare bool, b *event.Batch) error {
	b.Add("event.kind", "event")
	b.Add("event.dataset", datasetFTD)
	b.Add("observer.vendor", "Cisco")
	b.Add("observer.product", "ftd")
	b.Add("observer.type", "idps")
	b.AddInt("event.severity", 7)
	b.Set("log.level", "debug")
	if program, rest, ok := strings.Cut(s, ": "); ok && isFirepowerAudit(s) {
		host, rest, _ := strings.Cut(rest, ": ")
		who, what, _ := strings.Cut(rest, ", ")
		user, ip, _ := strings.Cut(who, "@")
		b.Add("process.name", strings.TrimLeft(program, " "))
		b.Add("host.name", host)
		b.Add("user.name", user)
		if ipVersion(ip) != 0 {
			addSource(b, ip, "")
		}
		b.Add("event.category", "configuration")
		b.Add("event.type", "info")
		b.Add("message", what)
		return nil
	}
	host, rest, ok := strings.Cut(s, " ")
	tag, list, ok2 := strings.Cut(rest, ": ")
	if !ok || !ok2 {
		return errNoFTDMessage
	}
	id := ftdEventID(s)
	if id == "" {
		return errNoFTDMessage
	}
	b.Add("host.hostname", host)
	b.Add("host.name", host)
	b.Add("observer.hostname", host)
	b.Add("event.code", id)
	if i := strings.IndexByte(tag, '['); i > 0 {
		b.Add("process.name", tag[:i])
		b.AddNumber("process.pid", strings.TrimRight(tag[i+1:], "]"))
	}
	if id == "430001" {
		b.Set("event.kind", "alert")
	}
	text, _ := decodeFTDEvent(id, list, b)
	b.Add("message", cmp.Or(text, list))
	return nil
}

// decodeFTDMessage decodes what the tag "ftd" stands before: a message with its
// mnemonic, or a security event without.
func decodeFTDMessage(m *message, b *event.Batch) bool {
	if strings.HasPrefix(m.Text, "%") {
		return decodeASAMessage(m, b)
	}
	id := ftdEventID(m.Text)
	if id == "" {
		return false
	}
	m.Dataset = datasetFTD
	b.Add("observer.vendor", "Cisco")
	b.Add("observer.product", "ftd")
	b.Add("observer.type", "idps")
	b.Add("observer.hostname", m.Host)
	b.Add("event.code", id)
	b.AddInt("event.severity", 7)
	b.Set("log.level", "debug")
	if id == "430001" {
		b.Set("event.kind", "alert")
	}
	var ok bool
	m.Message, ok = decodeFTDEvent(id, m.Text, b)
	return ok
}

func isFTDEvent(id string) bool { return "430001" <= id && id <= "430005" }

// ftdEventID tells from its fields which security event a list is, "" for none.
func ftdEventID(s string) string {
	has := func(name string) bool { return strings.Contains(s, name+": ") }
	switch {
	case has("Message") || has("GID"):
		return "430001"
	case has("SHA_Disposition") || has("ThreatName"):
		return "430005"
	case has("FileAction"):
		return "430004"
	case has("ConnectionDuration"):
		return "430003"
	case has("AccessControlRuleAction"):
		return "430002"
	}
	return ""
}

// ftdField is a field of a security event.
type ftdField struct{ name, value string }

// nextFTDField takes a field off the beginning of a list. A comma ends its value only
// where another name follows.
func nextFTDField(s string) (f ftdField, rest string, ok bool) {
	name, value, ok := strings.Cut(s, ": ")
	if !ok || !isFTDName(name) {
		if name, ok = strings.CutSuffix(s, ":"); !ok || !isFTDName(name) {
			return f, "", false
		}
	}
	f.name = name
	for from := 0; ; {
		i := strings.Index(value[from:], ", ")
		if i < 0 {
			f.value = value
			return f, "", true
		}
		i += from
		next := value[i+2:]
		if end := strings.IndexByte(next[:min(len(next), maxFTDName+1)], ':'); end > 0 && isFTDName(next[:end]) && (end+1 == len(next) || next[end+1] == ' ' || next[end+1] == ',') {
			f.value = value[:i]
			return f, next, true
		}
		from = i + 2
	}
}

func isFTDName(s string) bool {
	if len(s) < 3 || len(s) > maxFTDName || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '_' && c != ' ' {
			return false
		}
	}
	return true
}

var ftdKinds = map[string]struct{ action, category, types string }{
	"430001": {"intrusion-detected", "intrusion_detection", "info"},
	"430002": {"connection-started", "network", "connection start"},
	"430003": {"connection-finished", "network", "connection end"},
	"430004": {"file-detected", "file", "info"},
	"430005": {"malware-detected", "malware file", "info"},
}

const (
	maxFTDFields = 150
	maxFTDName   = 40
)

// decodeFTDEvent decodes the list of a security event; message is the rule's, if it has one.
func decodeFTDEvent(id, s string, b *event.Batch) (message string, ok bool) {
	kind := ftdKinds[id]
	var sent, received, duration, first string
	var rulesets [2]string
	verdict := ""
	n := 0
	for s != "" && n < maxFTDFields {
		f, rest, ok := nextFTDField(strings.TrimLeft(s, " ,"))
		if !ok {
			break
		}
		s = rest
		n++
		if f.value == "" {
			continue
		}
		addFTDName(f, b)
		switch f.name {
		case "AccessControlRuleAction", "InlineResult":
			verdict = f.value
		case "SrcIP", "InitiatorIP":
			addSource(b, f.value, "")
		case "DstIP", "ResponderIP":
			b.Add("destination.address", f.value)
			addDestination(b, f.value, "")
		case "SrcPort", "InitiatorPort":
			addPort(b, "source.port", f.value)
		case "DstPort", "ResponderPort":
			addPort(b, "destination.port", f.value)
		case "Protocol":
			addTransport(b, f.value)
		case "IngressInterface":
			b.Add("cisco.ftd.source_interface", f.value)
			b.Add("observer.ingress.interface.name", f.value)
		case "EgressInterface":
			b.Add("cisco.ftd.destination_interface", f.value)
			b.Add("observer.egress.interface.name", f.value)
		case "ACPolicy", "FilePolicy", "IntrusionPolicy":
			if rulesets[0] == "" && f.name != "IntrusionPolicy" {
				rulesets[0] = f.value
			}
		case "AccessControlRuleName":
			rulesets[1] = f.value
			b.Add("rule.name", f.value)
		case "SID":
			b.Add("rule.id", f.value)
		case "Revision":
			b.Add("rule.version", f.value)
		case "GID":
			b.Add("service.id", f.value)
		case "Message":
			message = unquote(f.value)
			b.Add("rule.description", unquote(f.value))
		case "Classification":
			b.Add("rule.category", f.value)
		case "User":
			if f.value != "No Authentication Required" && f.value != "Not Found" && f.value != "Unknown" {
				b.Add("user.id", f.value)
				b.Add("user.name", f.value[strings.LastIndexByte(f.value, '\\')+1:])
			}
		case "Client":
			b.Add("network.application", lower(f.value, b))
		case "ApplicationProtocol":
			b.Add("network.protocol", lower(f.value, b))
		case "InitiatorBytes":
			sent = f.value
			b.AddNumber("source.bytes", f.value)
		case "ResponderBytes":
			received = f.value
			b.AddNumber("destination.bytes", f.value)
		case "InitiatorPackets":
			b.AddNumber("source.packets", f.value)
		case "ResponderPackets":
			b.AddNumber("destination.packets", f.value)
		case "ConnectionDuration":
			duration = f.value
		case "FirstPacketSecond":
			first = f.value
		case "DNSQuery":
			b.Add("dns.question.name", f.value)
		case "DNSRecordType":
			b.Add("dns.question.type", dnsRecordType(f.value))
		case "DNSResponseType":
			b.Add("dns.response_code", dnsResponse(f.value))
		case "HTTPResponse":
			b.AddNumber("http.response.status_code", f.value)
		case "HTTPReferer":
			b.Add("http.request.referrer", f.value)
		case "UserAgent":
			b.Add("user_agent.original", f.value)
		case "URL", "URI":
			addURL(f.value, b)
		case "FileName":
			b.Add("file.name", f.value)
		case "FileSize":
			b.AddNumber("file.size", f.value)
		case "FileSHA256":
			b.Add("file.hash.sha256", f.value)
		case "ThreatName":
			b.Add("cisco.ftd.threat_category", f.value)
		case "ThreatScore":
			b.Add("cisco.ftd.threat_level", f.value)
		}
	}
	if n == 0 {
		return "", false
	}
	if b.Event().Has("dns.question.name") && !b.Event().Has("dns.response_code") {
		b.Add("dns.response_code", "NOERROR") // written only when it is an error
	}
	b.Add("rule.ruleset", rulesets[0])
	b.Add("cisco.ftd.rule_name", rulesets[0])
	b.Add("cisco.ftd.rule_name", rulesets[1])
	x, err1 := strconv.ParseInt(sent, 10, 62)
	y, err2 := strconv.ParseInt(received, 10, 62)
	if err1 == nil && err2 == nil {
		b.AddInt("network.bytes", x+y)
	}
	if d, err := strconv.ParseInt(duration, 10, 32); err == nil && d >= 0 {
		b.AddInt("event.duration", d*1e9)
		var c timestamp.Clock
		if start, n, ok := c.ISO(first); ok && n == len(first) {
			addTime("event.start", start, b)
			addTime("event.end", start+d*1e9, b)
		} else if t := b.Event().Time; t != event.NoTime {
			addTime("event.start", t-d*1e9, b)
			addTime("event.end", t, b)
		}
	} else {
		b.Add("event.start", first)
	}
	b.Add("event.action", kind.action)
	for c := range strings.FieldsSeq(kind.category) {
		b.Add("event.category", c)
	}
	for t := range strings.FieldsSeq(kind.types) {
		b.Add("event.type", t)
	}
	switch {
	case verdict == "Allow" || verdict == "Trust" || verdict == "Pass" || verdict == "Fastpath":
		b.Add("event.type", "allowed")
		b.Add("event.outcome", "success")
	case strings.HasPrefix(verdict, "Block") || verdict == "Dropped" || verdict == "Would have dropped":
		b.Add("event.type", "denied")
		b.Add("event.outcome", "success")
	case verdict == "Monitor":
		b.Add("event.outcome", "success")
	}
	return message, true
}

// addFTDName keeps the field under its own name in snake case.
func addFTDName(f ftdField, b *event.Batch) {
	full, known := ftdEventNames[f.name]
	if !known {
		full = b.Bytes(append([]byte("cisco.ftd.security."), snakeCase(f.name)...))
	}
	switch f.name {
	case "SrcPort", "DstPort", "ConnectionDuration", "DNS_TTL", "FileCount", "FileSize", "HTTPResponse", "InitiatorBytes", "InitiatorPackets",
		"ResponderBytes", "ResponderPackets":
		b.AddNumber(full, f.value)
	case "Message":
		b.Add(full, unquote(f.value))
	default:
		b.Add(full, f.value)
	}
}

// ftdEventNames are the fields that Elastic keeps below security_event; others are below security.
var ftdEventNames = func() map[string]string {
	m := map[string]string{}
	for _, n := range []string{
		"ACPolicy", "AccessControlRuleAction", "AccessControlRuleName", "AccessControlRuleReason", "ApplicationProtocol", "Client", "ClientVersion",
		"ConnectionDuration", "DNSQuery", "DNSRecordType", "DNSResponseType", "DNS_TTL", "DstIP", "DstPort", "EgressInterface", "EgressZone",
		"FileAction", "FileCount", "FileDirection", "FileName", "FilePolicy", "FileSandboxStatus", "FileSHA256", "FileSize", "FileType",
		"FirstPacketSecond", "HTTPReferer", "HTTPResponse", "ICMPCode", "ICMPType", "IngressInterface", "IngressZone", "InitiatorBytes",
		"InitiatorPackets", "NAPPolicy", "Prefilter Policy", "Protocol", "ReferencedHost", "ResponderBytes", "ResponderPackets", "SHA_Disposition",
		"SperoDisposition", "SrcIP", "SrcPort", "URI", "URL", "User", "UserAgent", "WebApplication", "TCPFlags", "URLCategory", "URLReputation",
		"OriginalClientSrcIP", "Tunnel or Prefilter Rule", "ArchiveDepth", "ArchiveFileName", "ArchiveFileStatus", "ArchiveSHA256", "DNSSICategory",
		"IPReputationSICategory", "URLSICategory", "SSLActualAction", "SSLFlowStatus", "SSLPolicy", "SSLRuleName", "SSLServerName", "SSLVersion",
	} {
		m[n] = "cisco.ftd.security_event." + snakeCase(n)
	}
	return m
}()

// snakeCase writes "FileSHA256" as "file_sha256" and "Prefilter Policy" as "prefilter_policy".
func snakeCase(s string) string {
	out := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		c := s[i]
		upper := 'A' <= c && c <= 'Z'
		switch {
		case c == ' ' || c == '_' || c == '-':
			if len(out) > 0 && out[len(out)-1] != '_' {
				out = append(out, '_')
			}
			continue
		case upper && len(out) > 0 && out[len(out)-1] != '_':
			before := s[i-1]
			lowerNext := i+1 < len(s) && 'a' <= s[i+1] && s[i+1] <= 'z'
			if 'a' <= before && before <= 'z' || isDigit(before) || lowerNext && isLetter(before) {
				out = append(out, '_')
			}
		}
		if upper {
			c |= 0x20
		}
		out = append(out, c)
	}
	return string(out)
}

func dnsRecordType(s string) string {
	switch s {
	case "a host address":
		return "A"
	case "IP6 Address":
		return "AAAA"
	case "the canonical name for an alias":
		return "CNAME"
	case "mail exchange":
		return "MX"
	case "text strings":
		return "TXT"
	case "an authoritative name server":
		return "NS"
	case "a domain name pointer":
		return "PTR"
	case "marks the start of a zone of authority":
		return "SOA"
	case "Server Selection":
		return "SRV"
	}
	return s
}

func dnsResponse(s string) string {
	switch s {
	case "No error", "No Error":
		return "NOERROR"
	case "Non-Existent Domain":
		return "NXDOMAIN"
	case "Server Failure":
		return "SERVFAIL"
	case "Query Refused":
		return "REFUSED"
	case "Format Error":
		return "FORMERR"
	case "Not Implemented":
		return "NOTIMP"
	}
	return s
}
