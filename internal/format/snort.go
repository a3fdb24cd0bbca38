package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Alerts of Snort 2 and 3 as text (alert_fast, alert_full, alert_csv), and Suricata's
// fast.log, which is alert_fast with a year of four digits:
//
//	01/02[/06]-15:04:05.000000  [**] [1:527:8] MESSAGE [**] [Classification: C] [Priority: 2] {UDP} 192.0.2.1:68 -> 198.51.100.1:67
//
// Snort 3, told to show the year, writes it before the month (06/01/02) where Snort 2 writes it
// behind the day. Names follow Elastic's Snort integration. The same alerts arrive by syslog without their time.
var (
	_ = register(Format{
		Name:      datasetSnort,
		Title:     "Snort alerts: fast, full and CSV",
		Group:     "network",
		Recognise: func(s *Sample) int { return recogniseSnort(s, false) },
		Lines:     func(p *Params) LineDecoder { return (&snort{clock: p.Clock, vendor: "snort"}).decode },
		Joins:     snortJoins,
		Date: func(line []byte) (month, day int, ok bool) {
			s := event.View(line)
			if n, digits := snortStampLength(s); n > 0 && digits == 0 {
				return two(s), two(s[3:]), true
			}
			return 0, 0, false
		},
	})
	_ = register(Format{
		Name:      "snort3.log",
		Title:     "Snort 3 alerts with the year before the month",
		Group:     "network",
		Recognise: func(s *Sample) int { return recogniseSnort(s, true) },
		Lines:     func(p *Params) LineDecoder { return (&snort{clock: p.Clock, vendor: "snort", yearFirst: true}).decode },
		Joins:     snortJoins,
	})
	_ = register(Format{
		Name:  "suricata.fast",
		Title: "Suricata fast.log",
		Group: "network",
		Recognise: func(s *Sample) int {
			return s.majority(96, func(l string) bool {
				_, digits := snortStampLength(l)
				return digits == 4 && isSnort(l)
			})
		},
		Lines: func(p *Params) LineDecoder { return (&snort{clock: p.Clock, vendor: "suricata"}).decode },
	})
	_ = registerProgram(program{Names: []string{"snort", "suricata"}, Decode: func(m *message, b *event.Batch) bool {
		at := strings.IndexByte(m.Text, '[')
		if at < 0 || at > 8 {
			return false
		}
		d := snort{vendor: m.Program}
		if !d.alert(m.Text[at:], b) {
			return false
		}
		m.Dataset = d.dataset()
		b.Set("event.kind", "alert")
		return true
	}})
)

const datasetSnort = "snort.log"

// recogniseSnort tells alerts that write the year first, if they write one of two digits, from those that do not.
func recogniseSnort(s *Sample, yearFirst bool) int {
	records, ours, first := 0, 0, false
	for _, l := range s.Lines {
		if snortJoins([]byte(l)) {
			l = strings.TrimLeft(l, " ")
			if _, digits := snortStampLength(l); digits == 2 && two(l) > 12 {
				first = true // of an alert over several lines
			}
			continue
		}
		records++
		if _, digits := snortStampLength(l); digits != 4 && isSnort(l) {
			ours++
			first = first || digits == 2 && (two(l) > 12 || two(l[3:]) <= 12 && strings.Contains(l, `] "`)) // Snort 3 quotes the message
		}
	}
	if first != yearFirst || ours*2 < records {
		return 0
	}
	return min(95, 100*ours/max(records, 1))
}

func isSnort(l string) bool {
	if strings.HasPrefix(l, "[**] [") {
		return true
	}
	n, _ := snortStampLength(l)
	if n == 0 {
		return false
	}
	rest := strings.TrimLeft(l[n:], " ")
	if strings.HasPrefix(rest, "[**] [") || strings.HasPrefix(rest, "[Drop] [**] [") || strings.HasPrefix(rest, "[wDrop] [**] [") {
		return true
	}
	return strings.HasPrefix(rest, ",") && strings.Count(rest, ",") >= 8
}

// snortJoins holds for the lines of a full alert but its first.
func snortJoins(line []byte) bool {
	s := event.View(line)
	return len(s) > 0 && !isSnort(s) && s[0] != '{'
}

// snortStampLength measures "01/02[/06|/2006]-15:04:05.000000" and gives the year's digits.
func snortStampLength(s string) (n, yearDigits int) {
	if len(s) < 14 || !isDigits(s[:2]) || s[2] != '/' || !isDigits(s[3:5]) {
		return 0, 0
	}
	n = 5
	if s[5] == '/' {
		for n = 6; n < len(s) && isDigit(s[n]) && n < 10; n++ {
			yearDigits++
		}
		if yearDigits != 2 && yearDigits != 4 {
			return 0, 0
		}
	}
	if n >= len(s) || s[n] != '-' {
		return 0, 0
	}
	_, m, ok := clockTime(s[n+1:])
	if !ok {
		return 0, 0
	}
	return n + 1 + m, yearDigits
}

// snortTime reads such a stamp; Snort 3 writes a year of two digits first.
func snortTime(c *timestamp.Clock, s string, yearFirst bool) (ns int64, n int, ok bool) {
	n, digits := snortStampLength(s)
	if n == 0 {
		return 0, 0, false
	}
	month, day := two(s), two(s[3:])
	t, _, _ := clockTime(s[6+digits+min(digits, 1):])
	switch digits {
	case 0:
		ns, ok = c.Yearless(month, day, t.hour, t.minute, t.second, t.nanosecond)
	case 2:
		year := two(s[6:])
		if yearFirst {
			year, month, day = month, day, year
		}
		ns, ok = c.Local(2000+year, month, day, t.hour, t.minute, t.second, t.nanosecond)
	default:
		ns, ok = c.Local(two(s[6:])*100+two(s[8:]), month, day, t.hour, t.minute, t.second, t.nanosecond)
	}
	return ns, n, ok
}

type snort struct {
	clock  *timestamp.Clock
	vendor string
	fields []string

	yearFirst bool // 06/01/02
}

var (
	errSnortTime  = errors.New("no time of the form 01/02-15:04:05.000000")
	errSnortAlert = errors.New("no [generator:signature:revision] and message")
)

func (d *snort) dataset() string {
	if d.vendor == "suricata" {
		return "suricata.fast"
	}
	return datasetSnort
}

func (d *snort) head(b *event.Batch) {
	b.Add("event.kind", "alert")
	b.Add("event.dataset", d.dataset())
}

func (d *snort) decode(line string, b *event.Batch) error {
	d.head(b)
	if strings.HasPrefix(line, "[**]") {
		return d.full(line, b)
	}
	ns, n, ok := snortTime(d.clock, line, d.yearFirst)
	if !ok {
		return errSnortTime
	}
	b.Event().Time = ns
	rest := strings.TrimLeft(line[n:], " ")
	if strings.HasPrefix(rest, ",") {
		return d.csv(rest[1:], b)
	}
	if action, after, ok := strings.Cut(rest, "] [**]"); ok && (action == "[Drop" || action == "[wDrop") {
		if action == "[Drop" {
			b.Add("event.type", "denied")
			b.Add("event.action", "drop")
		} else { // would have, were it not only watching
			b.Add("event.type", "info")
			b.Add("event.action", "would_drop")
		}
		rest = "[**]" + after
	}
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "[**]"), " ")
	if !d.alert(rest, b) {
		return errSnortAlert
	}
	return nil
}

// alert reads "[1:527:8] MESSAGE [**] [Classification: C] [Priority: 2] {UDP} A:P -> B:P".
func (d *snort) alert(s string, b *event.Batch) bool {
	s, ok := d.rule(s, b)
	if !ok {
		return false
	}
	s = d.brackets(s, b)
	if proto, after, ok := strings.Cut(s, "} "); ok && strings.HasPrefix(proto, "{") {
		snortTransport(b, proto[1:])
		if from, to, ok := strings.Cut(after, " -> "); ok {
			from, to = strings.TrimSpace(from), strings.TrimSpace(to)
			if strings.HasPrefix(proto, "{ICMP") || strings.HasPrefix(proto, "{IPv6-ICMP") { // Suricata writes type and code in the ports' place
				var typ, code string
				from, typ = snortEnd(from)
				to, code = snortEnd(to)
				b.AddNumber("snort.icmp.type", typ)
				b.AddNumber("snort.icmp.code", code)
			}
			snortEnds(from, to, b)
		}
	}
	return true
}

// rule reads "[1:527:8] MESSAGE [**]" and returns what follows.
func (d *snort) rule(s string, b *event.Batch) (rest string, ok bool) {
	id, after, ok := strings.Cut(strings.TrimPrefix(s, "["), "] ")
	gid, sid, ok1 := strings.Cut(id, ":")
	sid, rev, ok2 := strings.Cut(sid, ":")
	if !ok || !ok1 || !ok2 || !isDigits(gid) || !isDigits(sid) || s[0] != '[' {
		return "", false
	}
	end := strings.Index(after, " [**]")
	next := end + len(" [**]")
	if end < 0 {
		for _, mark := range [...]string{" [Classification: ", " [Priority: ", " {"} {
			if end = strings.Index(after, mark); end >= 0 {
				break
			}
		}
		if end < 0 {
			end = len(after)
		}
		next = end
	}
	msg := strings.Trim(after[:end], "\" :")
	b.AddNumber("snort.gid", gid)
	b.Add("rule.id", sid)
	b.Add("rule.version", rev)
	b.Add("rule.description", msg)
	if d.vendor == "suricata" {
		b.Add("rule.name", msg)
	}
	b.Add("message", msg)
	b.Add("event.category", "network")
	b.Add("event.category", "intrusion_detection")
	b.Add("observer.vendor", d.vendor)
	b.Add("observer.product", "ids")
	b.Add("observer.type", "ids")
	return after[next:], true
}

// brackets reads "[Classification: C]", "[Priority: 2]" and passes over others.
func (d *snort) brackets(s string, b *event.Batch) string {
	for s = strings.TrimLeft(s, " :\r\n"); strings.HasPrefix(s, "["); s = strings.TrimLeft(s, " :\r\n") {
		inner, rest, ok := strings.Cut(s[1:], "]")
		if !ok {
			return s
		}
		key, value, _ := strings.Cut(inner, ": ")
		switch key {
		case "Classification":
			if value != "(null)" {
				b.Add("rule.category", value)
			}
		case "Priority":
			b.AddNumber("event.severity", strings.TrimSpace(value))
		}
		s = rest
	}
	return s
}

func snortTransport(b *event.Batch, proto string) {
	proto = strings.TrimSpace(proto)
	if i := strings.Index(proto, ":"); i > 0 { // "PROTO:047"
		proto = strings.TrimLeft(proto[i+1:], "0")
	}
	addTransport(b, proto)
}

func snortEnds(from, to string, b *event.Batch) {
	ip, port := snortEnd(from)
	addSource(b, ip, port)
	ip, port = snortEnd(to)
	b.Add("destination.address", ip)
	addDestination(b, ip, port)
}

// snortEnd splits "ADDRESS:PORT", where an IPv6 address has no brackets.
func snortEnd(s string) (ip, port string) {
	if ipVersion(s) == 4 {
		return s, ""
	}
	if ip, port, ok := cutLast(s, ":"); ok && isDigits(port) {
		if ip = strings.Trim(ip, "[]"); ipVersion(ip) != 0 && (isIPv4(ip) || strings.Count(s, ":") > 7 || strings.Contains(ip, "::") || strings.HasPrefix(s, "[")) {
			return ip, port
		}
	}
	return s, ""
}

// full reads an alert over several lines.
func (d *snort) full(s string, b *event.Batch) error {
	line, rest, _ := strings.Cut(s, "\n")
	if _, ok := d.rule(strings.TrimLeft(strings.TrimPrefix(line, "[**]"), " "), b); !ok {
		return errSnortAlert
	}
	timed, proto := false, ""
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\n")
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "[Xref"):
			for line != "" {
				ref, after, _ := strings.Cut(strings.TrimLeft(line, " ["), "]")
				if _, url, ok := strings.Cut(ref, "=> "); ok {
					b.Add("rule.reference", url)
				}
				line = after
			}
		case strings.HasPrefix(line, "["):
			d.brackets(line, b)
		case !timed:
			ns, n, ok := snortTime(d.clock, line, d.yearFirst)
			if !ok {
				return errSnortTime
			}
			timed = true
			b.Event().Time = ns
			ends := strings.TrimSpace(line[n:])
			if i := strings.Index(ends, " type:0x"); i > 0 { // -e: "MAC -> MAC type:0x800 len:0x4A"
				from, to, _ := strings.Cut(ends[:i], " -> ")
				if isMAC(from) && isMAC(to) {
					b.Add("source.mac", ecsMAC(b, from))
					b.Add("destination.mac", ecsMAC(b, to))
				}
				continue
			}
			if from, to, ok := strings.Cut(ends, " -> "); ok {
				snortEnds(from, to, b)
			}
		case strings.Contains(line, " TTL:"):
			proto, _, _ = strings.Cut(line, " ")
			if !b.Event().Has("source.ip") {
				if from, after, ok := strings.Cut(line, " -> "); ok {
					to, tail, _ := strings.Cut(after, " ")
					snortEnds(from, to, b)
					proto, _, _ = strings.Cut(tail, " ")
				}
			}
			snortTransport(b, proto)
			snortIP(line, b)
		case strings.Contains(line, "Seq: 0x"):
			snortTCP(line, b)
		case strings.HasPrefix(line, "Type:"):
			for word := range strings.FieldsSeq(line) {
				switch key, value, _ := strings.Cut(word, ":"); key {
				case "Type":
					b.AddNumber("snort.icmp.type", value)
				case "Code":
					b.AddNumber("snort.icmp.code", value)
				case "ID":
					b.AddNumber("snort.icmp.id", value)
				case "Seq":
					b.AddNumber("snort.icmp.seq", value)
				}
			}
		case strings.HasPrefix(line, "Len: "):
			b.AddNumber("snort.udp.length", line[len("Len: "):])
		}
	}
	if !timed {
		return errSnortTime
	}
	return nil
}

func snortIP(line string, b *event.Batch) {
	for word := range strings.FieldsSeq(line) {
		key, value, ok := strings.Cut(word, ":")
		switch {
		case !ok && (word == "DF" || word == "MF" || word == "RB"):
			b.Add("snort.ip.flags", word)
		case key == "TTL":
			b.AddNumber("snort.ip.ttl", value)
		case key == "TOS":
			addHex(b, "snort.ip.tos", value)
		case key == "ID":
			b.AddNumber("snort.ip.id", value)
		case key == "IpLen":
			b.AddNumber("snort.ip.length", value)
		case key == "DgmLen":
			b.AddNumber("snort.dgm.length", value)
		}
	}
}

// snortTCP reads "***AP*** Seq: 0x… Ack: 0x… Win: 0x… TcpLen: 20".
func snortTCP(line string, b *event.Batch) {
	flags, rest, _ := strings.Cut(line, " ")
	b.Add("snort.tcp.flags", strings.ReplaceAll(flags, "*", ""))
	for rest != "" {
		rest = strings.TrimLeft(rest, " ")
		key, after, ok := strings.Cut(rest, ": ")
		if !ok {
			return
		}
		value, tail, _ := strings.Cut(after, " ")
		switch key {
		case "Seq":
			addHex(b, "snort.tcp.seq", value)
		case "Ack":
			addHex(b, "snort.tcp.ack", value)
		case "Win":
			addHex(b, "snort.tcp.window", value)
		case "TcpLen":
			b.AddNumber("snort.tcp.length", value)
		}
		rest = tail
	}
}

// csv reads alert_csv behind its time. Two orders of columns are in use: pfSense's
// (sig_generator, sig_id, sig_rev, msg, proto, src, srcport, dst, dstport, id, classification,
// priority, action, disposition), and Snort 2's default, which goes on to the packet's headers.
func (d *snort) csv(s string, b *event.Batch) error {
	d.fields = splitCSV(d.fields[:0], s, ',', b)
	f := d.fields
	if len(f) < 9 || !isDigits(f[0]) || !isDigits(f[1]) {
		return errSnortAlert
	}
	get := func(i int) string {
		if i < len(f) {
			return strings.TrimSpace(f[i])
		}
		return ""
	}
	b.AddNumber("snort.gid", get(0))
	b.Add("rule.id", get(1))
	b.Add("rule.version", get(2))
	b.Add("rule.description", get(3))
	b.Add("message", get(3))
	b.Add("event.category", "network")
	b.Add("event.category", "intrusion_detection")
	b.Add("observer.vendor", d.vendor)
	b.Add("observer.product", "ids")
	b.Add("observer.type", "ids")
	snortTransport(b, get(4))
	addSource(b, get(5), get(6))
	b.Add("destination.address", get(7))
	addDestination(b, get(7), get(8))
	if len(f) > 20 { // ethsrc, ethdst, ethlen, tcpflags, tcpseq, tcpack, tcplen, tcpwindow, ttl, tos, id, dgmlen, iplen, icmp…
		if isMAC(get(9)) {
			b.Add("source.mac", ecsMAC(b, get(9)))
		}
		if isMAC(get(10)) {
			b.Add("destination.mac", ecsMAC(b, get(10)))
		}
		b.Add("snort.tcp.flags", strings.ReplaceAll(get(12), "*", ""))
		addHex(b, "snort.tcp.seq", get(13))
		addHex(b, "snort.tcp.ack", get(14))
		b.AddNumber("snort.ip.ttl", get(17))
		b.AddNumber("snort.ip.tos", get(18))
		b.AddNumber("snort.ip.id", get(19))
		b.AddNumber("snort.dgm.length", get(20))
		return nil
	}
	b.AddNumber("snort.ip.id", get(9))
	b.Add("rule.category", get(10))
	b.AddNumber("event.severity", get(11))
	b.Add("event.action", get(12))
	switch get(13) {
	case "Allow":
		b.Add("event.type", "allowed")
	case "Drop", "Block", "Reject":
		b.Add("event.type", "denied")
	}
	return nil
}
