package format

import (
	"cmp"
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Cisco's firewalls: ASA (and PIX and FWSM before it) and Firepower Threat Defense
// (FTD), which write "%ASA-LEVEL-ID: TEXT" behind a syslog header of many shapes
// (Cisco Secure Firewall ASA Series Syslog Messages). What a text of each ID
// holds is in asaMessages; the security events of FTD (430001–430005) are lists
// of "Name: value" (see cisco_ftd.go). Names follow Elastic's integrations.
var (
	_ = register(Format{
		Name:      datasetASA,
		Title:     "Cisco ASA, PIX and FWSM firewall log",
		Group:     "network",
		Recognise: func(s *Sample) int { return recogniseCisco(s, "%ASA-", "%PIX-", "%FWSM-") },
		Lines:     func(p *Params) LineDecoder { return (&ciscoDecoder{clock: p.Clock, product: "asa"}).decode },
		Date:      ciscoDate,
	})
	_ = register(Format{
		Name:      datasetFTD,
		Title:     "Cisco Firepower Threat Defense log",
		Group:     "network",
		Recognise: recogniseFTD,
		Lines:     func(p *Params) LineDecoder { return (&ciscoDecoder{clock: p.Clock, product: "ftd"}).decode },
		Date:      ciscoDate,
	})
	_ = registerProgram(program{Names: []string{"%ASA-", "%PIX-", "%FWSM-", "%FTD-"}, NoProcess: true, Decode: decodeASAMessage})
	_ = registerProgram(program{Names: []string{"CiscoASA"}, Decode: decodeASAMessage})
	_ = registerProgram(program{Names: []string{"ftd"}, Decode: decodeFTDMessage})
)

const (
	datasetASA = "cisco_asa.log"
	datasetFTD = "cisco_ftd.log"
)

func recogniseCisco(s *Sample, marks ...string) int {
	return s.majority(95, func(l string) bool {
		head := l[:min(len(l), 256)]
		for _, m := range marks {
			if i := strings.Index(head, m); i >= 0 {
				var h asaHead
				return h.parse(l[i:])
			}
		}
		return false
	})
}

func ciscoDate(line []byte) (month, day int, ok bool) {
	s := event.View(line)
	if _, rest, ok := cutPriority(s); ok {
		s = rest
	}
	return timestamp.YearlessDate(s)
}

var (
	errNoCiscoTime = errors.New("no time at the beginning of a Cisco message")
	errNoCiscoMark = errors.New("no message mnemonic (%ASA-5-111008) in the line")
)

// ciscoDecoder decodes lines whose header syslog's own decoder need not understand.
type ciscoDecoder struct {
	clock   *timestamp.Clock
	product string
	facts   textFacts
}

func (d *ciscoDecoder) decode(line string, b *event.Batch) error {
	head, text := line, ""
	i := -1
	for _, mark := range [...]string{"%ASA-", "%FTD-", "%PIX-", "%FWSM-", "%FTD<"} {
		if i = strings.Index(line, mark); i >= 0 {
			head, text = line[:i], line[i:]
			break
		}
	}
	if i < 0 && d.product != "ftd" {
		return errNoCiscoMark
	}
	var h syslogHeader
	if pri, rest, ok := cutPriority(head); ok {
		h.priority, head = pri, rest
	} else if pri, rest, ok := strings.Cut(head, ">"); ok && len(pri) < 8 && strings.HasPrefix(pri, "<") { // "<14.2>"
		head = rest
	}
	if len(head) > 2 && isDigits(strings.TrimRight(head[:2], ":")) && strings.HasPrefix(head[1:], " ") && !isDigit(head[2]) { // RFC 5424's version, loosely
		head = head[2:]
	}
	if i >= 0 {
		head = strings.TrimLeft(head, ": ")
	}
	ns, n, ok := stamp(head, d.clock)
	switch {
	case ok:
		b.Event().Time = ns
	case i >= 0 && isSyslogHost(strings.TrimRight(head, " :")): // nor that, but the host was
		d.clock.NoTime()
		n = 0
	case i >= 0 && strings.Trim(head, " :") == "": // "logging timestamp" was off
		d.clock.NoTime()
		n = len(head)
	default:
		return errNoCiscoTime
	}
	rest := strings.TrimLeft(head[n:], " ")
	if zone, after, ok := strings.Cut(rest, ":"); ok && len(zone) <= 5 && isCapitals(zone) { // "09:34:34 EDT: %ASA"
		rest = after
	}
	if i < 0 {
		h.add(b)
		return decodeFTDWithoutID(rest, h.priority == "", b)
	}
	rest = strings.TrimRight(strings.TrimLeft(rest, ": "), ": ")
	var tag string
	h.host, tag, _ = strings.Cut(rest, " ")
	tag = strings.TrimLeft(tag, " :-")
	if h.host == ":" {
		h.host = ""
	}
	h.add(b)
	if open := strings.IndexByte(tag, '['); open > 0 && strings.HasSuffix(tag, "]") {
		b.Add("process.name", tag[:open])
		b.AddNumber("process.pid", tag[open+1:len(tag)-1])
	} else {
		b.Add("process.name", strings.TrimRight(tag, ":"))
	}
	var a asaHead
	if !a.parse(text) {
		return errNoCiscoMark
	}
	b.Add("event.kind", a.kind())
	b.Add("event.dataset", a.dataset())
	b.Add("observer.hostname", h.host)
	if !a.decode(b) {
		d.facts.add(a.text, false, b)
	}
	b.Add("message", a.text)
	return nil
}

func isCapitals(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != ""
}

// decodeASAMessage decodes a message whose header is syslog's.
func decodeASAMessage(m *message, b *event.Batch) bool {
	text := m.Text
	if strings.HasPrefix(m.Tag, "%") { // the mnemonic was taken for a tag
		if i := strings.LastIndex(m.Rest, m.Tag); i >= 0 {
			text = m.Rest[i:]
		}
	} else if i := strings.IndexByte(text, '%'); i >= 0 && i < 4 {
		text = text[i:]
	}
	var a asaHead
	if !a.parse(text) {
		return false
	}
	m.Dataset = a.dataset()
	b.Set("event.kind", a.kind())
	b.Add("observer.hostname", m.Host)
	understood := a.decode(b)
	m.Message = a.text
	return understood
}

// asaHead is "%ASA-LEVEL-ID: " taken apart; some write a message class before the level.
type asaHead struct {
	product, suffix, id, text string
	level                     byte
}

func (a *asaHead) parse(s string) bool {
	mark, rest, ok := strings.Cut(s, "-")
	if !ok || len(s) == 0 || s[0] != '%' {
		return false
	}
	a.product = "asa"
	if strings.HasPrefix(mark, "%FTD") { // "%FTD<Up>" is also seen
		a.product = "ftd"
	}
	for rest != "" && !isDigit(rest[0]) {
		word, after, ok := strings.Cut(rest, "-")
		if !ok || len(word) > 24 {
			return false
		}
		a.suffix, rest = word, after
	}
	if len(rest) < 8 || rest[0] > '7' || rest[1] != '-' || !isDigits(rest[2:8]) {
		return false
	}
	a.level, a.id = rest[0]-'0', rest[2:8]
	if isFTDEvent(a.id) {
		a.product = "ftd"
	}
	a.text = strings.TrimSpace(strings.TrimPrefix(rest[8:], ":"))
	return true
}

func (a *asaHead) dataset() string {
	if a.product == "ftd" {
		return datasetFTD
	}
	return datasetASA
}

func (a *asaHead) kind() string {
	if a.id == "430001" { // an intrusion rule's
		return "alert"
	}
	return "event"
}

var ciscoLevels = [8]string{"emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug"}

// decode adds what the message says and reports whether its text was understood.
func (a *asaHead) decode(b *event.Batch) bool {
	b.Add("event.code", a.id)
	b.AddInt("event.severity", int64(a.level))
	b.Set("log.level", ciscoLevels[a.level])
	b.Add("observer.vendor", "Cisco")
	b.Add("observer.product", a.product)
	if a.product == "ftd" {
		b.Add("observer.type", "idps")
	} else {
		b.Add("observer.type", "firewall")
	}
	b.Add(a.field("suffix"), a.suffix)
	if isFTDEvent(a.id) {
		text, ok := decodeFTDEvent(a.id, a.text, b)
		a.text = cmp.Or(text, a.text)
		return ok
	}
	m := asaMessages[a.id]
	if m == nil {
		b.Add("event.category", "network")
		b.Add("event.type", "info")
		return false
	}
	r := asaRecords.Get().(*asaRecord)
	*r = asaRecord{head: a, b: b, direction: m.direction, proto: m.proto}
	defer func() {
		*r = asaRecord{} // it must not keep the record's text
		asaRecords.Put(r)
	}()
	for i := range m.patterns {
		r.src, r.dst = asaEnd{}, asaEnd{}
		r.values = r.values[:0]
		if r.match(&m.patterns[i], a.text) {
			r.emit(m)
			return true
		}
	}
	r.values = r.values[:0]
	r.src, r.dst = asaEnd{}, asaEnd{}
	r.emit(m)
	return false
}

// field is a name below cisco.asa or cisco.ftd.
func (a *asaHead) field(name string) string {
	names := asaFieldNames[name]
	if a.product == "ftd" {
		return names[1]
	}
	return names[0]
}

var asaFieldNames = func() map[string][2]string {
	m := map[string][2]string{}
	for _, n := range []string{
		"suffix", "source_interface", "destination_interface", "connection_id", "rule_name", "mapped_source_ip", "mapped_source_host", "mapped_source_port",
		"mapped_destination_ip", "mapped_destination_host", "mapped_destination_port", "source_username", "destination_username", "termination_user",
		"termination_initiator", "icmp_type", "icmp_code", "threat_level", "threat_category", "session_type", "assigned_ip", "tunnel_type", "rejection_reason",
		"interface_name", "redundant_interface_name", "source_user_security_group_tag", "source_user_security_group_tag_name",
		"destination_user_security_group_tag", "destination_user_security_group_tag_name", "tcp_flags", "spi", "command_line_arguments", "list_id", "translation_type",
	} {
		m[n] = [2]string{"cisco.asa." + n, "cisco.ftd." + n}
	}
	return m
}()
