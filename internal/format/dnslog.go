package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// DNS servers: dnsmasq (and Pi-hole, which is one), BIND's query and security categories, and unbound.
var (
	_ = registerProgram(program{Names: []string{"dnsmasq", "pihole-FTL", "dnsmasq-dhcp", "dnsmasq-tftp"}, Dataset: "dnsmasq.log", Decode: decodeDnsmasq})
	_ = registerProgram(program{Names: []string{"named"}, Decode: func(m *message, b *event.Batch) bool {
		ok := decodeBIND(m.Text, b)
		if ok {
			m.Dataset = datasetBIND
		}
		return ok
	}})
	_ = registerProgram(program{Names: []string{"unbound"}, Dataset: "unbound.log", Decode: decodeUnbound})
	_ = register(Format{
		Name:  datasetBIND,
		Title: "BIND query log (named)",
		Group: "network",
		Recognise: func(s *Sample) int {
			return s.majority(95, func(l string) bool {
				i := bindClient(l)
				return i >= 0 && i < 80 && (isDigit(l[0]) || i == 0 || strings.HasPrefix(l, "quer") || strings.HasPrefix(l, "security: ")) && bindPeer(l[i:])
			})
		},
		Lines: func(p *Params) LineDecoder {
			return func(line string, b *event.Batch) error {
				ns, n, ok := dayMonthYear(p.Clock, line)
				if !ok {
					ns, n, ok = p.Clock.ISO(line)
				}
				switch {
				case ok:
					b.Event().Time = ns
				case !isDigit(line[0]): // print-time no
					n = 0
					p.Clock.NoTime()
				default:
					return errors.New("no time at the beginning of the line")
				}
				b.Add("event.kind", "event")
				b.Add("event.dataset", datasetBIND)
				if !decodeBIND(strings.TrimLeft(line[n:], " "), b) {
					return errors.New("no client and query behind the time")
				}
				return nil
			}
		},
	})
)

const datasetBIND = "bind.query"

// addQuestion adds a DNS question. ECS has names without the root's dot.
func addQuestion(b *event.Batch, name, typ, class string) {
	if name != "." {
		name = strings.TrimSuffix(name, ".")
	}
	b.Add("dns.question.name", name)
	b.Add("dns.question.type", typ)
	b.Add("dns.question.class", class)
}

func dnsEvent(b *event.Batch, typ, action string) {
	b.Add("event.category", "network")
	b.Add("event.type", "protocol")
	b.Add("event.type", typ)
	b.Add("event.action", action)
	b.Add("network.protocol", "dns")
}

// decodeDnsmasq decodes what log-queries and log-dhcp write:
//
//	[SERIAL ADDRESS/PORT ]query[A] example.com from 192.0.2.9
//	forwarded example.com to 198.51.100.53       reply example.com is 203.0.113.4
//	cached|config|/etc/hosts|gravity blocked example.com is …
//	DHCPACK(eth0) 192.0.2.9 MAC host
func decodeDnsmasq(m *message, b *event.Batch) bool {
	s := m.Text
	if serial, rest, ok := strings.Cut(s, " "); ok && isDigits(serial) { // log-queries=extra, or DHCP's transaction
		s = rest
		if peer, after, ok := strings.Cut(s, " "); ok {
			if ip, port, cut := strings.Cut(peer, "/"); cut && ipVersion(ip) != 0 {
				addSource(b, ip, port)
				s = after
			}
		}
		b.Add("dns.id", serial)
	}
	verb, rest, ok := strings.Cut(s, " ")
	if !ok {
		return false
	}
	if open := strings.IndexByte(verb, '('); open > 0 && strings.HasPrefix(verb, "DHCP") {
		return dnsmasqDHCP(verb[:open], strings.TrimRight(verb[open+1:], ")"), rest, b)
	}
	if typ, ok := strings.CutPrefix(verb, "query["); ok {
		name, from, ok := cutLast(rest, " from ")
		if !ok {
			return false
		}
		addQuestion(b, name, strings.TrimRight(typ, "]"), "")
		b.Add("dns.type", "query")
		if !b.Event().Has("source.address") {
			addSource(b, from, "")
		}
		dnsEvent(b, "start", "query")
		return true
	}
	if verb == "forwarded" {
		name, to, ok := cutLast(rest, " to ")
		if !ok {
			return false
		}
		to, _, _ = strings.Cut(to, "#")
		addQuestion(b, name, "", "")
		b.Add("dns.type", "query")
		b.Add("destination.address", to)
		addDestination(b, to, "")
		dnsEvent(b, "info", "forwarded")
		return true
	}
	// "reply NAME is ANSWER", where the first word may be two or a file's path.
	head, answer, ok := cutLast(rest, " is ")
	if !ok {
		return false
	}
	name := head[strings.LastIndexByte(head, ' ')+1:]
	if !isHostName(strings.TrimSuffix(name, ".")) && ipVersion(name) == 0 || answer == "" {
		return false
	}
	action := verb
	if len(head) > len(name) {
		action = verb + " " + strings.TrimSpace(head[:len(head)-len(name)])
	}
	if verb[0] == '/' {
		action = "hosts"
		b.Add("file.path", verb)
	}
	addQuestion(b, name, "", "")
	b.Add("dns.type", "answer")
	typ := "info"
	switch {
	case ipVersion(answer) != 0:
		b.Add("dns.resolved_ip", answer)
		b.Add("dns.response_code", "NOERROR")
	case answer == "NXDOMAIN" || answer == "SERVFAIL" || answer == "REFUSED":
		b.Add("dns.response_code", answer)
	case strings.HasPrefix(answer, "NODATA"):
		b.Add("dns.response_code", "NOERROR")
	}
	if strings.Contains(action, "blocked") || strings.Contains(action, "blacklist") {
		typ = "denied"
	}
	dnsEvent(b, typ, action)
	return true
}

func dnsmasqDHCP(verb, iface, s string, b *event.Batch) bool {
	b.Add("event.category", "network")
	b.Add("event.type", "protocol")
	b.Add("event.type", "info")
	b.Add("event.action", verb)
	b.Add("network.protocol", "dhcp")
	b.Add("network.transport", "udp")
	addInterface(b, iface)
	for i := 0; s != "" && i < 3; i++ {
		word, rest, _ := strings.Cut(s, " ")
		switch {
		case ipVersion(word) != 0:
			addSource(b, word, "")
			b.Add("client.ip", word)
		case isMAC(word):
			mac := ecsMAC(b, word)
			b.Add("source.mac", mac)
			b.Add("client.mac", mac)
		case isHostName(word) && b.Event().Has("source.mac"):
			b.Add("source.domain", word)
			b.Add("client.domain", word)
		}
		s = rest
	}
	return true
}

// bindPeer reports whether s goes on with the client's address and port: "client [@0x7f… ]192.0.2.9#53211 ".
func bindPeer(s string) bool {
	s = strings.TrimPrefix(s, "client ")
	if strings.HasPrefix(s, "@0x") {
		_, s, _ = strings.Cut(s, " ")
	}
	ip, port, ok := strings.Cut(s[:min(len(s), 60)], "#")
	return ok && ipVersion(ip) != 0 && port != "" && isDigit(port[0])
}

// bindClient is where "client …" begins in s, at its start or behind the names of category and
// severity; -1 where it does not.
func bindClient(s string) int {
	if strings.HasPrefix(s, "client ") {
		return 0
	}
	i := strings.Index(s[:min(len(s), 120)], ": client ")
	if i < 0 {
		if i = strings.Index(s[:min(len(s), 40)], " client "); i >= 0 {
			return i + 1
		}
		return -1
	}
	return i + 2
}

// decodeBIND decodes messages about clients (BIND 9 Administrator Reference Manual, "The Query
// Log"):
//
//	[queries: info: ]client [@0x7f… ]192.0.2.9#53211 (NAME): [view internal: ]query: NAME IN A +E(0)K (198.51.100.53)
//	client …: query (cache) 'NAME/A/IN' denied
//	client …: query failed (SERVFAIL) for NAME/IN/A at query.c:5580
//	client …: zone transfer 'example.com/AXFR/IN' denied
func decodeBIND(s string, b *event.Batch) bool {
	i := bindClient(s)
	if i < 0 {
		return false
	}
	if category, severity, ok := strings.Cut(strings.TrimSuffix(s[:i], ": "), ": "); ok {
		b.Add("bind.category", category)
		b.Add("log.level", levelName(severity))
	}
	rest := s[i+len("client "):]
	if strings.HasPrefix(rest, "@") {
		_, rest, _ = strings.Cut(rest, " ")
	}
	peer, text, ok := strings.Cut(rest, ": ")
	if j := strings.Index(peer, " ("); ok && j > 0 {
		if k := strings.Index(rest, "): "); k > 0 { // a name may hold anything
			peer, text = rest[:j], rest[k+3:]
		}
	}
	if !ok {
		return false
	}
	ip, port, _ := strings.Cut(strings.TrimSpace(peer), "#")
	port, _, _ = strings.Cut(port, " ")
	port, _, _ = strings.Cut(port, "/") // "/key NAME"
	if ipVersion(ip) == 0 {
		return false
	}
	addSource(b, ip, port)
	if view, after, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(view, "view ") {
		b.Add("bind.view", view[len("view "):])
		text = after
	}
	outcome, action := "", ""
	switch {
	case strings.HasPrefix(text, "query: "):
		f := strings.Fields(text[len("query: "):])
		if len(f) < 3 {
			return false
		}
		addQuestion(b, f[0], f[2], f[1])
		b.Add("dns.type", "query")
		for _, w := range f[3:] {
			switch {
			case w[0] == '+' || w[0] == '-':
				b.Add("bind.flags", w)
				if w[0] == '+' {
					b.Add("dns.header_flags", "RD")
				}
				if strings.IndexByte(w, 'T') > 0 {
					addTransport(b, "tcp")
				} else {
					addTransport(b, "udp")
				}
			case w[0] == '(':
				if to := strings.Trim(w, "()"); ipVersion(to) != 0 {
					b.Add("destination.address", to)
					addDestination(b, to, "")
				}
			}
		}
		dnsEvent(b, "start", "query")
		return true
	case strings.HasPrefix(text, "query ") && strings.HasSuffix(text, " denied"), strings.HasPrefix(text, "query failed "):
		action, outcome = "query", "failure"
	case strings.HasPrefix(text, "zone transfer "), strings.HasPrefix(text, "transfer of "):
		action = "zone-transfer"
	case strings.HasPrefix(text, "update "), strings.HasPrefix(text, "updating zone "):
		action = "update"
	case strings.HasPrefix(text, "rate limit "):
		action, outcome = "rate-limit", "failure"
	default:
		action = "client"
	}
	if _, quoted, ok := strings.Cut(text, "'"); ok {
		quoted, _, _ = strings.Cut(quoted, "'")
		bindTriple(b, quoted)
	} else if _, triple, ok := strings.Cut(text, " for "); ok {
		triple, _, _ = strings.Cut(triple, " ")
		bindTriple(b, triple)
	}
	typ := "info"
	if strings.HasSuffix(text, " denied") {
		typ, outcome = "denied", "failure"
	}
	b.Add("event.reason", text)
	b.Add("event.outcome", outcome)
	dnsEvent(b, typ, action)
	return true
}

// bindTriple: "NAME/TYPE/CLASS" or "NAME/CLASS/TYPE".
func bindTriple(b *event.Batch, s string) {
	head, last, ok := cutLast(s, "/")
	name, middle, ok2 := cutLast(head, "/")
	if !ok || !ok2 {
		return
	}
	if middle == "IN" || middle == "CH" {
		middle, last = last, middle
	}
	addQuestion(b, name, middle, last)
}

// decodeUnbound decodes log-queries: "[PID:THREAD] info: 192.0.2.9 example.com. A IN".
func decodeUnbound(m *message, b *event.Batch) bool {
	s := m.Text
	if _, rest, ok := strings.Cut(s, "] "); ok && s[0] == '[' {
		s = rest
	}
	level, rest, ok := strings.Cut(s, ": ")
	if !ok || levelName(level) == "" {
		return false
	}
	b.Add("log.level", levelName(level))
	b.Add("event.provider", m.Program)
	f := strings.Fields(rest)
	if len(f) < 4 || ipVersion(f[0]) == 0 {
		b.Add("event.category", "network")
		return false
	}
	b.Add("client.address", f[0])
	b.Add("client.ip", f[0])
	addSource(b, f[0], "")
	addNetworkType(b, f[0])
	addQuestion(b, f[1], f[2], f[3])
	b.Add("dns.type", "query")
	if len(f) > 4 { // log-replies: rcode, seconds, cached, bytes
		b.Set("dns.type", "answer")
		b.Add("dns.response_code", f[4])
	}
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	b.Add("network.protocol", "dns")
	return true
}
