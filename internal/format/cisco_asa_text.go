package format

import (
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// asaMessage is what is known of the messages of one ID.
type asaMessage struct {
	action, category, types, outcome string // categories and types separated by blanks
	direction, proto                 string
	patterns                         []asaPattern
}

// asaPattern is the shape of a text: literals with a part after each, compiled
// from "Deny {proto} src {S} dst {D}". {S} and {D} are endpoints, {name} is the text
// up to the next literal, and {tail} is read by asaRecord.tail.
type asaPattern []asaPart

type asaPart struct{ literal, name string }

func newASAPattern(s string) asaPattern {
	var p asaPattern
	for s != "" {
		literal, rest, ok := strings.Cut(s, "{")
		if !ok {
			return append(p, asaPart{literal: literal})
		}
		name, after, _ := strings.Cut(rest, "}")
		p = append(p, asaPart{literal, name})
		s = after
	}
	return p
}

// asaEnd is one end of a connection as messages write it:
// "inside:192.0.2.1/80 (198.51.100.1/1080)(LOCAL\alice, 99:tag)", "inside/192.0.2.1(80)", "192.0.2.1/80".
type asaEnd struct {
	iface, host, port, mapped, mappedPort, user, tag, tagName string
}

// read takes an endpoint off the beginning of s and returns its length, 0 for none.
func (e *asaEnd) read(s string) int {
	const identity = "NP Identity Ifc:" // the firewall itself, the one name with blanks
	n := 0
	if strings.HasPrefix(s, identity) {
		n = len(identity)
	}
	for n < len(s) && s[n] != ' ' && s[n] != '(' && s[n] != ',' {
		n++
	}
	word := s[:n]
	if n == len(s) || s[n] != '(' {
		word = strings.TrimRight(word, ".:;")
		n = len(word)
	}
	if word == "" {
		return 0
	}
	slash := strings.LastIndexByte(word, '/')
	if i := strings.IndexByte(s[n:], ')'); i > 1 && i <= 6 && s[n] == '(' && isDigits(s[n+1:n+i]) && slash > 0 { // inside/192.0.2.1(80)
		slash = strings.IndexByte(word, '/')
		e.iface, e.host, e.port = word[:slash], word[slash+1:], s[n+1:n+i]
		n += i + 1
	} else {
		if slash >= 0 {
			word, e.port = word[:slash], word[slash+1:]
		}
		if ipVersion(word) == 0 {
			if i := strings.IndexByte(word, ':'); i >= 0 {
				e.iface, word = word[:i], word[i+1:]
			}
		}
		e.host = word
	}
	for n < len(s) {
		open := n
		if s[open] == ' ' {
			open++
		}
		if open >= len(s) || s[open] != '(' {
			break
		}
		end := strings.IndexByte(s[open:], ')')
		if end < 0 {
			break
		}
		group := s[open+1 : open+end]
		if i := strings.LastIndexByte(group, '/'); open > n && i > 0 && isDigits(group[i+1:]) && e.mapped == "" {
			e.mapped, e.mappedPort = group[:i], group[i+1:]
		} else if open > n {
			break // " (user)" behind the record's end, " (type 3, code 3)"
		} else {
			e.identity(group)
		}
		n = open + end + 1
	}
	return n
}

// identity reads "LOCAL\alice", "99:tag" or both with a comma.
func (e *asaEnd) identity(s string) {
	user, tag, both := strings.Cut(s, ", ")
	if number, name, ok := strings.Cut(user, ":"); !both && ok && isDigits(number) {
		e.tag, e.tagName = number, name
		return
	} else if !both && isDigits(user) {
		e.tag = user
		return
	}
	e.user = user
	e.tag, e.tagName, _ = strings.Cut(tag, ":")
}

type asaValue struct{ name, value string }

// asaRecord gathers what a pattern finds.
type asaRecord struct {
	head             *asaHead
	b                *event.Batch
	src, dst         asaEnd
	proto, direction string
	values           []asaValue
	buf              [12]asaValue
}

func (r *asaRecord) match(p *asaPattern, s string) bool {
	if r.values == nil {
		r.values = r.buf[:0]
	}
	for i := range *p {
		part := &(*p)[i]
		if !strings.HasPrefix(s, part.literal) {
			return false
		}
		s = s[len(part.literal):]
		switch part.name {
		case "":
		case "S", "D":
			e := &r.src
			if part.name == "D" {
				e = &r.dst
			}
			n := e.read(s)
			if n == 0 {
				return false
			}
			s = s[n:]
		case "tail":
			r.tail(s)
			s = ""
		default:
			n := len(s)
			if i+1 < len(*p) && (*p)[i+1].literal != "" {
				if n = strings.Index(s, (*p)[i+1].literal); n < 0 {
					return false
				}
			}
			if part.name != "_" {
				r.values = append(r.values, asaValue{part.name, s[:n]})
			}
			s = s[n:]
		}
	}
	return true
}

const maxTailWords = 64

// tail reads what may stand in any order behind the endpoints: "duration 0:00:30 bytes
// 12 REASON from IFACE (user)", "(type 3, code 3)", "type 8 code 0", "hit-cnt 1 …".
func (r *asaRecord) tail(s string) {
	s = strings.TrimLeft(s, " ,")
	for n := 0; s != "" && n < maxTailWords; n++ {
		word, rest, _ := strings.Cut(s, " ")
		if word == "" {
			s = rest
			continue
		}
		switch strings.TrimLeft(word, "(") {
		case "duration", "type", "code", "bytes", "Duration:":
			value, after, _ := strings.Cut(rest, " ")
			value = strings.TrimRight(value, ",).")
			switch word {
			case "duration":
				r.add("duration", value)
			case "bytes":
				r.add("network.bytes", value)
				r.reason(after)
				return
			case "code":
				r.add("icmp_code", value)
			default:
				r.add("icmp_type", value)
			}
			s = after
		case "by":
			if group, ok := strings.CutPrefix(rest, `access-group "`); ok {
				name, after, _ := strings.Cut(group, `"`)
				r.add("rule_name", name)
				s = strings.TrimLeft(after, " ")
				continue
			}
			s = rest
		default:
			if word[0] == '(' && strings.HasSuffix(s, ")") && strings.IndexByte(s, ')') == len(s)-1 {
				r.add("termination_user", s[1:len(s)-1])
				return
			}
			if user, after, ok := strings.Cut(s[1:], ") "); word[0] == '(' && ok && strings.HasPrefix(after, "type ") {
				r.add("termination_user", user)
				s = after
				continue
			}
			s = rest
		}
	}
}

// reason: "TCP FINs from outside (user)", each part of which may be missing.
func (r *asaRecord) reason(s string) {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '('); i >= 0 && strings.HasSuffix(s, ")") {
		r.add("termination_user", s[i+1:len(s)-1])
		s = strings.TrimSpace(s[:i])
	}
	if why, who, ok := cutLast(s, " from "); ok {
		r.add("termination_initiator", who)
		s = why
	}
	r.add("event.reason", s)
}

func (r *asaRecord) value(name string) string {
	for i := range r.values {
		if r.values[i].name == name {
			return r.values[i].value
		}
	}
	return ""
}

func (r *asaRecord) add(name, value string) {
	if value != "" {
		r.values = append(r.values, asaValue{name, value})
	}
}

var asaRecords = sync.Pool{New: func() any { return new(asaRecord) }}

// emit adds the fields of the record.
func (r *asaRecord) emit(m *asaMessage) {
	b := r.b
	if m.action == "flow-creation" && r.value("direction") == "outbound" && r.proto == "" {
		r.src, r.dst = r.dst, r.src // the end named second opened it
	}
	action, typ, out := m.action, m.types, m.outcome
	for i := range r.values {
		v := &r.values[i]
		switch v.name {
		case "verdict":
			switch v.value {
			case "denied", "est-allowed", "dropped", "Deny", "discarded":
				typ = "connection denied"
				if v.value == "est-allowed" {
					typ = "connection allowed"
				}
			case "permitted":
				typ = "connection allowed"
			case "monitored":
				typ, out = "connection info", ""
			}
			if strings.HasPrefix(r.head.id, "338") && v.value != "dropped" {
				typ, out = "connection info", ""
			}
		case "user":
			r.user("source.user", v.value)
			if !b.Event().Has("user.name") {
				b.Add("user.name", bareUser(v.value))
			}
		case "user.name":
			b.Add("user.name", v.value)
		case "group":
			b.Add("source.user.group.name", strings.Trim(v.value, "<>"))
		case "source_interface", "destination_interface": // where an ICMP error came in, and would have gone
			b.Add(r.head.field(v.name), v.value)
			if v.name == "source_interface" {
				b.Add("observer.ingress.interface.name", v.value)
			} else {
				b.Add("observer.egress.interface.name", v.value)
			}
		case "icmp_source", "icmp_destination":
			if i := strings.IndexByte(v.value, '('); i > 0 && strings.HasSuffix(v.value, ")") {
				var e asaEnd
				e.identity(v.value[i+1 : len(v.value)-1])
				r.identity(v.name[len("icmp_"):], &e)
			}
		case "source_user", "destination_user":
			r.identity(strings.TrimSuffix(v.name, "_user"), &asaEnd{user: v.value})
		case "bytes": // "12 REASON from IFACE (user)"
			count, why, _ := strings.Cut(v.value, " ")
			b.AddNumber("network.bytes", count)
			b.Add("event.reason", why)
		case "duration":
			r.duration(v.value)
		case "src":
			addSource(b, strings.Trim(v.value, "<>"), "")
		case "dst":
			r.plainDestination(v.value)
		case "proto":
			r.proto = v.value
		case "direction":
			b.Add("network.direction", strings.ToLower(v.value))
		case "in":
			b.Add(r.head.field("source_interface"), v.value)
			b.Add("observer.ingress.interface.name", v.value)
		case "source.bytes", "destination.bytes", "network.bytes":
			b.AddNumber(v.name, v.value)
		case "icmp_type", "icmp_code":
			b.AddNumber(r.head.field(v.name), v.value)
		case "termination_user":
			if strings.HasPrefix(r.head.id, "30202") {
				b.Add(r.head.field("source_username"), v.value)
				r.user("source.user", v.value)
			} else {
				b.Add(r.head.field(v.name), v.value)
			}
		case "threat_category", "threat_level":
			b.Add(r.head.field(v.name), v.value)
		case "list":
			r.listed(v.value)
		case "gaddr":
			r.mapped("mapped_source", v.value)
			if ip, _, _ := strings.Cut(v.value, "/"); ip != r.src.host && ip != r.dst.host && ipVersion(ip) != 0 {
				b.Add("related.ip", ip)
			}
		case "url":
			addURL(v.value, b)
		case "accessor": // "192.0.2.1" or "alice@192.0.2.1(LOCAL\\alice)"
			who, peer, ok := cutLast(v.value, "@")
			if !ok {
				peer, who = who, ""
			}
			if i := strings.IndexByte(peer, '('); i > 0 {
				peer = peer[:i]
			}
			addSource(b, peer, "")
			r.user("source.user", who)
		case "assigned":
			b.Add("event.reason", v.value)
			if ip, ok := strings.CutPrefix(v.value, "IPv4 Address <"); ok {
				ip, _, _ = strings.Cut(ip, ">")
				b.Add(r.head.field("assigned_ip"), ip)
			}
		case "urlkind":
		case "protocol":
			b.Add("network.protocol", lower(v.value, b))
		default:
			if _, own := asaFieldNames[v.name]; own {
				b.Add(r.head.field(v.name), v.value)
			} else {
				b.Add(v.name, v.value)
			}
		}
	}
	r.end("source", &r.src)
	r.end("destination", &r.dst)
	b.Add("network.direction", r.direction)
	if r.proto != "" {
		addTransport(b, r.proto)
	}
	for c := range strings.FieldsSeq(m.category) {
		b.Add("event.category", c)
	}
	for t := range strings.FieldsSeq(typ) {
		b.Add("event.type", t)
	}
	b.Add("event.action", action)
	b.Add("event.outcome", out)
}

// end adds an endpoint; side is "source" or "destination".
func (r *asaRecord) end(side string, e *asaEnd) {
	if e.host == "" {
		return
	}
	b := r.b
	icmpEnd := strings.HasPrefix(r.head.id, "30202")
	if side == "source" {
		addSource(b, e.host, "")
		if !icmpEnd {
			addPort(b, "source.port", e.port)
		}
		b.Add(r.head.field("source_interface"), e.iface)
		b.Add("observer.ingress.interface.name", e.iface)
		r.mapped("mapped_source", e.mapped)
		r.port("mapped_source_port", e.mappedPort)
		if e.mapped != e.host && ipVersion(e.mapped) != 0 {
			b.Add("source.nat.ip", e.mapped)
		}
		if e.mappedPort != e.port {
			addPort(b, "source.nat.port", e.mappedPort)
		}
		r.identity(side, e)
		return
	}
	r.plainDestination(e.host)
	if !icmpEnd {
		addPort(b, "destination.port", e.port)
	}
	b.Add(r.head.field("destination_interface"), e.iface)
	b.Add("observer.egress.interface.name", e.iface)
	r.mapped("mapped_destination", e.mapped)
	r.port("mapped_destination_port", e.mappedPort)
	if e.mapped != e.host && ipVersion(e.mapped) != 0 {
		b.Add("destination.nat.ip", e.mapped)
	}
	if e.mappedPort != e.port {
		addPort(b, "destination.nat.port", e.mappedPort)
	}
	r.identity(side, e)
}

// identity adds who is at an endpoint.
func (r *asaRecord) identity(side string, e *asaEnd) {
	names := &asaIdentityFields[0]
	if side == "destination" {
		names = &asaIdentityFields[1]
	}
	r.b.Add(r.head.field(names[0]), e.user)
	r.b.AddNumber(r.head.field(names[1]), e.tag)
	r.b.Add(r.head.field(names[2]), e.tagName)
	r.user(names[3], e.user)
	if e.user != "" && side == "destination" {
		r.b.Add("user.name", bareUser(e.user))
	}
}

var asaIdentityFields = [2][4]string{
	{"source_username", "source_user_security_group_tag", "source_user_security_group_tag_name", "source.user"},
	{"destination_username", "destination_user_security_group_tag", "destination_user_security_group_tag_name", "destination.user"},
}

func (r *asaRecord) port(name, port string) {
	if port != "" {
		addPort(r.b, r.head.field(name), port)
	}
}

func (r *asaRecord) plainDestination(host string) {
	r.b.Add("destination.address", host)
	if ipVersion(host) != 0 {
		r.b.Add("destination.ip", plainIP(host))
	} else if isHostName(host) {
		r.b.Add("destination.domain", host)
	}
}

func (r *asaRecord) mapped(name, host string) {
	host, _, _ = strings.Cut(host, "/")
	switch {
	case host == "":
	case ipVersion(host) != 0:
		r.b.Add(r.head.field(name+"_ip"), host)
	default:
		r.b.Add(r.head.field(name+"_host"), host)
	}
}

// listed is what a dynamic filter's list named: a host, or an address and mask.
func (r *asaRecord) listed(s string) {
	host, _, mask := strings.Cut(s, "/")
	r.b.Add(r.head.field("rule_name"), "dynamic")
	if !mask && ipVersion(host) == 0 {
		r.b.Add("server.domain", host)
		r.b.Add("destination.domain", host)
	}
}

// user adds "REALM\name", "REALM\domain\name" or "name@domain" below prefix.
func (r *asaRecord) user(prefix, s string) {
	s = strings.Trim(s, "<>")
	if s == "" || strings.Trim(s, "*") == "" {
		return
	}
	name, domain := s, ""
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		domain, name = strings.TrimRight(s[:i], `\`), s[i+1:]
		domain = domain[strings.LastIndexByte(domain, '\\')+1:]
		if domain == "LOCAL" {
			domain = ""
		}
	}
	names := &asaUserFields[0]
	if prefix == "destination.user" {
		names = &asaUserFields[1]
	}
	if local, at, ok := cutLast(name, "@"); ok && local != "" {
		r.b.Add(names[2], name)
		name, domain = local, at
	}
	r.b.Add(names[0], name)
	r.b.Add(names[1], domain)
}

var asaUserFields = [2][3]string{
	{"source.user.name", "source.user.domain", "source.user.email"},
	{"destination.user.name", "destination.user.domain", "destination.user.email"},
}

func bareUser(s string) string {
	s = strings.Trim(s, "<>")
	s = s[strings.LastIndexByte(s, '\\')+1:]
	if local, _, ok := cutLast(s, "@"); ok && local != "" {
		return local
	}
	return s
}

// duration reads "0:05:25" and "2h:27m:34s", with days before them in long ones ("1d 2h:27m:34s").
func (r *asaRecord) duration(s string) {
	ns, ok := clockDuration(s)
	if !ok {
		return
	}
	b := r.b
	b.AddInt("event.duration", ns)
	if t := b.Event().Time; t != event.NoTime {
		addTime("event.start", t-ns, b)
		addTime("event.end", t, b)
	}
}

// clockDuration reads numbers with ':' or blanks between them, each with its unit's letter
// ("1d 2h:27m:34s") or all without ("0:05:25").
func clockDuration(s string) (ns int64, ok bool) {
	var total, v int64
	digits := 0
	for i := 0; i <= len(s); i++ {
		c := byte(':')
		if i < len(s) {
			c = s[i]
		}
		switch c {
		case ':', ' ':
			if digits > 0 {
				total = total*60 + v
			} else if i == 0 || s[i-1] == ':' {
				return 0, false
			}
		case 'd':
			total += v * 86400
		case 'h':
			total += v * 3600
		case 'm':
			total += v * 60
		case 's':
			total += v
		default:
			if !isDigit(c) || digits > 6 {
				return 0, false
			}
			v = v*10 + int64(c-'0')
			digits++
			continue
		}
		v, digits = 0, 0
	}
	return total * 1e9, s != "" && total < 1e9
}
