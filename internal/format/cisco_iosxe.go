package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Cisco IOS, IOS XE and their kin (Cisco IOS System Message Guide):
//
//	[<PRI>][COUNT: ][HOST: ][SEQUENCE: ][*|.]TIME [ZONE]: %FACILITY-SEVERITY-MNEMONIC: TEXT
//
// NX-OS writes the year first. A star before the time says that the clock was never set, a dot that it lost its source.
// Then the time of a relay's header is the better one.
var _ = register(Format{
	Name:  datasetIOS,
	Title: "Cisco IOS log",
	Group: "network",
	Recognise: func(s *Sample) int {
		mnemonics := 0
		n := s.majority(92, func(l string) bool {
			_, _, ok := iosMnemonic(l)
			if ok {
				mnemonics++
			}
			return ok || strings.Contains(l[:min(len(l), 128)], "Cisco IOS Software, ") || strings.Contains(l[:min(len(l), 128)], "cisco.com/techsupport")
		})
		if mnemonics == 0 {
			return 0
		}
		return n
	},
	Lines: func(p *Params) LineDecoder { return (&ciscoIOS{clock: p.Clock}).decode },
	Date:  iosDate,
})

// Mnemonics that reach us by syslog with their header taken off.
func init() {
	for _, facility := range []string{"SYS", "LINK", "LINEPROTO", "SEC", "SEC_LOGIN", "SSH", "AAA", "AAAA", "TCP", "OSPF", "BGP", "LDP", "DUAL", "FW", "IPS", "CRYPTO", "ISAKMP", "PARSER", "DOT1X", "PORT_SECURITY", "PM", "SPANTREE", "CDP", "HSRP", "SNMP", "DHCPD", "DHCP_SNOOPING", "SW_DAI", "AUTHMGR", "MAB", "FMANFP", "IOSXE", "HA_EM", "PNP"} {
		registerProgram(program{Names: []string{"%" + facility + "-"}, Dataset: datasetIOS, NoProcess: true, Decode: func(m *message, b *event.Batch) bool {
			i := strings.LastIndex(m.Rest, m.Tag)
			if i < 0 {
				return false
			}
			at, msg, ok := iosMnemonic(m.Rest[i:])
			if !ok || at != 0 {
				return false
			}
			m.Message = msg.text
			b.Add("observer.product", "IOS")
			msg.add(b)
			return msg.decode(b)
		}})
	}
}

const datasetIOS = "cisco_ios.log"

func iosDate(line []byte) (month, day int, ok bool) {
	s := event.View(line)
	if i := strings.IndexByte(s, '%'); i > 0 { // the relay's or the device's, as decode has it
		if month, day, ok = timestamp.YearlessDate(s[:i]); ok {
			return month, day, ok
		}
		for j := 0; j+15 < i; j++ {
			if isLetter(s[j]) && (j == 0 || !isLetter(s[j-1])) {
				if month, day, ok = timestamp.YearlessDate(s[j:i]); ok {
					return month, day, true
				}
			}
		}
	}
	return 0, 0, false
}

// iosMessage is "%FACILITY-SEVERITY-MNEMONIC: TEXT".
type iosMessage struct {
	facility, mnemonic, text string
	severity                 byte
}

// iosMnemonic finds the message in a line.
func iosMnemonic(l string) (at int, m iosMessage, ok bool) {
	head := l[:min(len(l), 256)]
	for from := 0; ; {
		i := strings.IndexByte(head[from:], '%')
		if i < 0 {
			return 0, m, false
		}
		i += from
		from = i + 1
		if i > 0 && head[i-1] != ' ' && head[i-1] != ':' {
			continue
		}
		word, text, found := strings.Cut(l[i+1:], ":")
		if !found || len(word) > 80 {
			continue
		}
		facility, mnemonic, found := cutLast(word, "-")
		if !found || len(facility) < 3 || facility[len(facility)-2] != '-' || facility[len(facility)-1] < '0' || facility[len(facility)-1] > '7' || !isMnemonic(mnemonic) {
			continue
		}
		m.severity = facility[len(facility)-1] - '0'
		m.facility = facility[:len(facility)-2]
		if !isMnemonic(m.facility) || m.facility == "ASA" || m.facility == "FTD" || m.facility == "PIX" || m.facility == "FWSM" {
			continue
		}
		m.mnemonic, m.text = mnemonic, strings.TrimSpace(text)
		return i, m, true
	}
}

func isMnemonic(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && !isDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9' || len(s) > 6)
}

type ciscoIOS struct {
	clock *timestamp.Clock
}

var errNoIOS = errors.New("no time before the message of IOS")

func (d *ciscoIOS) decode(line string, b *event.Batch) error {
	at, m, ok := iosMnemonic(line)
	head := line
	if ok {
		head = line[:at]
	}
	b.Add("event.kind", "event")
	dataset, product := datasetIOS, "IOS"
	var h syslogHeader
	relayed := false
	if ns, n, ok := stamp(head, d.clock); ok && strings.IndexByte(head, '<') > 0 { // a relay's header
		rest := strings.TrimLeft(head[n:], " ")
		if host, after, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(after, "<") {
			b.Event().Time, relayed = ns, true
			h.host, head = host, after
		}
	}
	if pri, rest, ok := cutPriority(head); ok {
		h.priority, head = pri, rest
	}
	var numbers [2]string
	n := 0
	set := true // the device's clock
	timed := false
	for head != "" {
		head = strings.TrimLeft(head, " ")
		part := head
		if part != "" && (part[0] == '*' || part[0] == '.') {
			set, part = false, part[1:]
		}
		if ns, n, ok := d.stamp(part, set || !relayed); ok {
			timed = true
			// "Jan  2 15:04:05 192.0.2.1 %SYS-5-…": syslog's header and not the device's
			if host := strings.Trim(part[n:], " "); h.host == "" && host != "" && host[len(host)-1] != ':' && !isCapitals(host) && isSyslogHost(host) {
				h.host = host
			}
			if set || !relayed {
				b.Event().Time = ns
			}
			break
		}
		if ns, ok := nexusTime(d.clock, part); ok {
			timed, dataset, product = true, "cisco_nexus.log", "Nexus"
			b.Event().Time = ns
			break
		}
		word, rest, ok := strings.Cut(head, ": ")
		if !ok {
			break
		}
		if host, number, ok := strings.Cut(word, " "); ok && h.host == "" && isDigits(number) && isSyslogHost(host) { // a collector's "192.0.2.1 6705: "
			h.host, word = host, number
		}
		switch {
		case isDigits(word) && n < 2:
			numbers[n] = word
			n++
		case h.host == "" && isSyslogHost(word):
			h.host = word
		}
		head = rest
	}
	if !timed && !relayed {
		return errNoIOS
	}
	b.Add("event.dataset", dataset)
	b.Add("observer.product", product)
	if h.priority != "" {
		h.add(b)
	} else {
		b.Add("host.hostname", h.host)
		b.Add("host.name", h.host)
	}
	b.Add("log.syslog.hostname", h.host)
	switch {
	case n == 2:
		b.AddNumber("cisco.ios.message_count", numbers[0])
		b.Add("cisco.ios.sequence", numbers[1])
	case n == 1 && relayed:
		b.Add("cisco.ios.sequence", numbers[0])
	case n == 1:
		b.AddNumber("cisco.ios.message_count", numbers[0])
	}
	if n > 0 {
		setNumber(b, numbers[n-1])
	}
	if !ok {
		m.text = strings.TrimSpace(head)
		b.Add("event.category", "network")
		b.Add("event.type", "info")
		b.Add("message", m.text)
		iosObserver(b)
		return nil
	}
	m.add(b)
	b.Add("message", m.text)
	if !m.decode(b) {
		var facts textFacts
		facts.add(m.text, false, b)
	}
	return nil
}

// stamp reads the device's time. Where it is not to be used, for the device says that its
// clock was never set and a relay wrote the time, only its length is found: a date far from
// the relay's would turn the years of a log that writes none.
func (d *ciscoIOS) stamp(s string, use bool) (ns int64, n int, ok bool) {
	c := d.clock
	if !use {
		c = &timestamp.Clock{}
	}
	if len(s) > 4 && isLetter(s[0]) && !isLetter(s[4]) {
		return c.RFC3164Named(s)
	}
	return stamp(s, c)
}

func iosObserver(b *event.Batch) {
	b.Add("event.provider", "firewall")
	b.Add("observer.vendor", "Cisco")
	b.Add("observer.type", "firewall")
}

// nexusTime reads NX-OS's "2006 Jan  2 15:04:05[.000]".
func nexusTime(c *timestamp.Clock, s string) (ns int64, ok bool) {
	if len(s) < 20 || !isDigits(s[:4]) || s[4] != ' ' || !isLetter(s[5]) {
		return 0, false
	}
	var buf [40]byte // as "Jan  2 2006 15:04:05"
	n := copy(buf[:], s[5:11])
	n += copy(buf[n:], " ")
	n += copy(buf[n:], s[:4])
	n += copy(buf[n:], s[11:])
	ns, _, ok = c.RFC3164(event.View(buf[:n]))
	return ns, ok
}

// add adds what the mnemonic says.
func (m *iosMessage) add(b *event.Batch) {
	iosObserver(b)
	b.Add("cisco.ios.facility", m.facility)
	b.Add("event.code", m.mnemonic)
	b.AddInt("event.severity", int64(m.severity))
	b.Set("log.level", ciscoLevels[m.severity])
}

// decode reads the texts that say who did what; of the others it says so.
func (m *iosMessage) decode(b *event.Batch) bool {
	s := m.text
	word := func(key string) string {
		_, rest, ok := strings.Cut(s, key)
		if !ok {
			return ""
		}
		rest = strings.TrimLeft(rest, " ")
		if i := strings.IndexAny(rest, "] ,()"); i >= 0 {
			rest = rest[:i]
		}
		return rest
	}
	switch {
	case m.facility == "IPS" && m.mnemonic == "SIGNATURE": // "Sig:3051 Subsig:1 Sev:4 NAME [192.0.2.1:51654 -> 192.0.2.2:4444]"
		head, ends, ok := strings.Cut(strings.TrimRight(s, "] "), " [")
		from, to, ok2 := strings.Cut(ends, " -> ")
		ip, port, good := iosEnd(from)
		if !ok || !ok2 || !good {
			return false
		}
		addSource(b, ip, port)
		ip, port, _ = iosEnd(strings.TrimRight(to, "]"))
		b.Add("destination.address", ip)
		addDestination(b, ip, port)
		b.Add("rule.id", word("Sig:"))
		if _, name, ok := strings.Cut(head, "Sev:"); ok {
			if _, name, ok = strings.Cut(name, " "); ok {
				b.Add("rule.name", name)
			}
		}
		b.Set("event.kind", "alert")
		b.Add("event.category", "network")
		classify(b, "intrusion_detection", "info", "intrusion-detected", "")
		return true
	case m.facility == "SEC" && strings.HasPrefix(m.mnemonic, "IPACCESSLOG"), m.facility == "IPV6_ACL" && strings.HasPrefix(m.mnemonic, "ACCESSLOG"):
		return m.accessList(b)
	case m.facility == "SEC_LOGIN" && (strings.HasPrefix(m.mnemonic, "LOGIN_")):
		outcome := "success"
		if m.mnemonic == "LOGIN_FAILED" {
			outcome = "failure"
		}
		b.Add("user.name", word("[user:"))
		if ip := word("[Source:"); ipVersion(ip) != 0 {
			addSource(b, ip, "")
		}
		if _, why, ok := strings.Cut(s, "[Reason:"); ok {
			why, _, _ = strings.Cut(why, "]")
			b.Add("event.reason", strings.TrimSpace(why))
		}
		b.Add("event.category", "authentication")
		classify(b, "network", "start", "login", outcome)
		return true
	case m.facility == "SYS" && m.mnemonic == "CONFIG_I":
		_, who, ok := strings.Cut(s, " by ")
		if ok {
			user, _, _ := strings.Cut(who, " ")
			if user != "console" {
				b.Add("user.name", user)
			}
			if i := strings.LastIndexByte(s, '('); i > 0 {
				if ip := strings.TrimRight(s[i+1:], ")"); ipVersion(ip) != 0 {
					addSource(b, ip, "")
				}
			}
		}
		classify(b, "configuration", "change", "configured", "")
		return true
	case m.facility == "PARSER" && m.mnemonic == "CFGLOG_LOGGEDCMD":
		b.Add("user.name", word("User:"))
		if _, command, ok := strings.Cut(s, "logged command:"); ok {
			b.Add("process.command_line", strings.TrimSpace(command))
		}
		classify(b, "configuration", "change", "command-executed", "success")
		return true
	case m.facility == "SYS" && m.mnemonic == "LOGOUT":
		b.Add("user.name", word("User "))
		if _, where, ok := cutLast(s, "("); ok { // "… has exited tty session 2(192.0.2.5)"
			addSource(b, strings.TrimRight(where, ")."), "")
		}
		classify(b, "session", "end", "logout", "")
		return true
	case m.phrase(b), m.mnemonic == "SYSTEM_MSG" && m.nexusSystem(b):
		return true
	}
	b.Add("event.category", "network")
	b.Add("event.type", "info")
	// "… from 192.0.2.1(64999) to 192.0.2.2(15448) …", also with ':' before the port
	if _, rest, ok := strings.Cut(s, " from "); ok {
		from, rest, ok := strings.Cut(rest, " to ")
		to, tail, _ := strings.Cut(rest, " ")
		if ip, port, good := iosEnd(from); ok && good {
			if ip2, port2, good := iosEnd(to); good {
				addSource(b, ip, port)
				b.Add("destination.address", ip2)
				addDestination(b, ip2, port2)
				if _, id, ok := strings.Cut(tail, "tableid - "); ok {
					b.Add("cisco.ios.tableid", id)
				}
				return true
			}
		}
	}
	return false
}

// iosEnd splits "192.0.2.1(80)" and "192.0.2.1:80".
func iosEnd(s string) (ip, port string, ok bool) {
	s = strings.TrimRight(s, ",.")
	ip, port, _ = strings.Cut(s, "(")
	port = strings.TrimRight(port, ")")
	if port == "" && strings.Count(s, ":") == 1 {
		ip, port, _ = strings.Cut(s, ":")
	}
	return ip, port, ipVersion(ip) != 0
}

// accessList: "list NAME denied tcp 192.0.2.1(51515) [(interface MAC)] -> 198.51.100.2(22), 1 packet".
func (m *iosMessage) accessList(b *event.Batch) bool {
	name, rest, ok := strings.Cut(strings.TrimPrefix(m.text, "list "), " ")
	verdict, rest, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || verdict != "permitted" && verdict != "denied" {
		return false
	}
	head, tail, pair := strings.Cut(rest, " -> ")
	proto, from, _ := strings.Cut(head, " ")
	if m.mnemonic == "IPACCESSLOGS" || m.mnemonic == "IPACCESSLOGNP" && !pair { // "list 10 denied 192.0.2.1 3 packets"
		proto, from = "", head
	}
	from, _, _ = strings.Cut(from, " ")
	ip, port, good := iosEnd(from)
	if !good {
		return false
	}
	addSource(b, ip, port)
	if pair {
		to, after, _ := strings.Cut(tail, " ")
		if ip, port, good := iosEnd(to); good {
			b.Add("destination.address", ip)
			addDestination(b, ip, port)
		}
		if n := strings.IndexByte(after, ')'); strings.HasPrefix(after, "(") && n > 0 {
			if typ, code, ok := strings.Cut(after[1:n], "/"); ok { // ICMP
				b.AddNumber("icmp.type", typ)
				b.AddNumber("icmp.code", code)
			}
		}
	}
	for w := range strings.FieldsSeq(m.text) {
		if isDigits(w) {
			port = w
		} else if strings.HasPrefix(w, "packet") && isDigits(port) {
			b.AddNumber("source.packets", port)
		}
	}
	addTransport(b, proto)
	b.Add("cisco.ios.access_list", name)
	b.Add("rule.name", name)
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	if verdict == "denied" {
		b.Add("event.type", "denied")
		b.Add("event.action", "deny")
	} else {
		b.Add("event.type", "allowed")
		b.Add("event.action", "allow")
	}
	b.Add("event.outcome", "success")
	return true
}
