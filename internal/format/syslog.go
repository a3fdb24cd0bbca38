package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Syslog in all the shapes files and sockets hold it: RFC 3164 with and without
// its <PRI>, RFC 5424 with structured data, rsyslog's file format with an ISO time,
// BusyBox's "facility.severity" word, and either of them in RFC 6587 octet counting.
// The header is decoded here; the message goes to the program that wrote it
// (see program).
var _ = register(Format{
	Name:  "syslog",
	Title: "Syslog: auth.log, secure, messages, kern.log (RFC 3164, RFC 5424, rsyslog)",
	Group: "system",
	Recognise: func(s *Sample) int {
		records, ours := 0, 0
		for _, line := range s.Lines {
			if line[0] != '\t' && line[0] != ' ' {
				records++
				if isSyslog(line) {
					ours++
				}
			}
		}
		if ours*4 < records {
			return 0
		}
		return ours * 80 / max(1, records)
	},
	Lines: func(p *Params) LineDecoder {
		return newSyslogDecoder(p.Clock).decode
	},
	Joins: indented,
	Date: func(line []byte) (month, day int, ok bool) {
		s := event.View(line)
		if _, rest, ok := cutPriority(s); ok {
			s = rest
		}
		if len(s) > 4 && s[3] == ' ' && isLetter(s[4]) { // "Mon Jan  2 …"
			s = s[4:]
		}
		return timestamp.YearlessDate(s)
	},
})

// indented lines go on with the record above them: no record begins with a blank.
func indented(line []byte) bool {
	return len(line) > 0 && (line[0] == '\t' || line[0] == ' ')
}

// syslogHeader is what stands before a message.
type syslogHeader struct {
	priority  string // digits of <PRI>, "" when there is none
	version   string // "1" for RFC 5424
	time      int64  // event.NoTime when the header has none
	facility  string // its word, where the header spells it
	severity  string
	host      string
	address   string // the host's, where it follows its name
	relay     string // who passed the record on, where it said so before it
	collected bool   // another stamp, which has a year, stands before its own
	hops      int    // how many relays' headers were taken off
	tag       string // program as written: "sshd", "/usr/sbin/cron", "sshd(pam_unix)"
	pid       string // as written, digits or not
	msgid     string
	data      string // RFC 5424 STRUCTURED-DATA, "" for "-"
	rest      string // everything behind the time
	text      string // the message
}

var errNoSyslogHeader = errors.New("no syslog header")

// isSyslog is stricter than the parser: a time alone does not make a syslog line.
func isSyslog(line string) bool {
	var h syslogHeader
	var c timestamp.Clock
	if line[0] == '\t' || line[0] == ' ' {
		return false
	}
	return h.parse(line, &c) == nil && !(h.host == "" && h.pid == "" && h.priority == "" && lowerLevel(h.tag)) && // "2026-03-04T10:11:12Z error: …" is of an application
		(h.tag != "" || h.priority != "" || h.host != "" && strings.HasPrefix(h.text, "last message repeated"))
}

// parse reads the header of a record.
func (h *syslogHeader) parse(s string, c *timestamp.Clock) error {
	h.time = event.NoTime
	s = uncounted(s)
	if pri, rest, ok := cutPriority(s); ok {
		h.priority = pri
		if h.parse5424(rest, c) {
			return nil
		}
		s = rest
	} else if len(s) > 24 && s[0] == '1' && s[1] == ' ' && s[6] == '-' && s[12] == 'T' && h.parse5424(s, c) {
		return nil // as Check Point and collectors write files: RFC 5424 without its <PRI>
	}
	ns, n, ok := stamp(s, c)
	loose := ok && (isDigit(s[0]) && s[10] != 'T' && s[4] != ':' || s[3] == ' ' && s[8] == '-')
	switch {
	case ok && n == len(s):
		return errNoSyslogHeader
	case ok && s[n] == ' ':
		h.time = ns
		h.rest = s[n+1:]
		if isDigit(s[0]) && isRFC3164Stamp(h.rest) { // CloudWatch and other collectors put theirs, which has a year, before the line's own
			h.rest = h.rest[16:]
			h.collected = true
		}
	case ok && strings.HasPrefix(s[n:], ": "): // "Jan  2 03:04:05: %SYS-5-CONFIG_I: …"
		h.time = ns
		h.rest = s[n+1:]
	case h.priority == "":
		return errNoSyslogHeader
	default: // logger(1) and the like send "<13>tag: message"
		h.rest = s
		h.cutTag(s)
		return nil
	}
	h.cutHost()
	if h.host != "" && h.tag == "" && len(h.text) > 16 {
		h.unrelay(isDigit(s[0]), c)
	}
	if loose && (h.host == "" || !isDigits(h.pid)) {
		return errNoSyslogHeader // "2006-01-02 15:04:05 …" begins the lines of half the world
	}
	return nil
}

// unrelay reads the header of the record's origin behind that of a relay, which put its own before the
// whole of it: "Jan  2 03:04:05 relay Jan  2 03:04:04 web1 sshd[7]: …", also with the origin's <PRI>. The
// time is the origin's, unless only the relay's has a year.
func (h *syslogHeader) unrelay(year bool, c *timestamp.Clock) {
	s := h.text
	pri, rest, marked := cutPriority(s)
	if marked {
		s = rest
	}
	if isDigit(s[0]) && (len(s) < 20 || s[10] != 'T') || !isDigit(s[0]) && !isRFC3164Stamp(s) {
		return
	}
	var o syslogHeader // of the origin, or of the next relay
	if o.hops = h.hops + 1; o.hops > maxRelays || o.parse(h.text, c) != nil || o.host == "" || o.tag == "" && !marked {
		return
	}
	if !marked {
		pri = h.priority
	}
	o.relay, o.priority = h.host, pri
	if year && !isDigit(s[0]) {
		o.time = h.time
	}
	*h = o
}

// stamp reads the time of a header: RFC 3164's, ISO 8601's, or asctime's.
func stamp(s string, c *timestamp.Clock) (ns int64, n int, ok bool) {
	if len(s) < 15 {
		return 0, 0, false
	}
	switch {
	case s[3] == ' ' && s[8] == '-': // journalctl -o short-full: "Mon 2006-01-02 15:04:05 UTC"
		ns, n, ok = c.ISO(s[4:])
		return ns, n + 4, ok
	case isDigit(s[0]) && s[4] == ':' && s[7] == ':' && s[10] == '-' && len(s) > 19: // Sophos UTM: "2006:01:02-15:04:05 host …"
		return c.Written(s)
	case isDigit(s[0]):
		if s[10] != 'T' && s[10] != ' ' {
			return 0, 0, false
		}
		return c.ISO(s)
	case s[3] == ' ' && isLetter(s[4]):
		return c.CTime(s)
	case isLetter(s[0]):
		return c.RFC3164(s)
	}
	return 0, 0, false
}

// isRFC3164Stamp reports whether s begins like "Jan  2 15:04:05 ".
func isRFC3164Stamp(s string) bool {
	return len(s) > 16 && isLetter(s[0]) && isLetter(s[2]) && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && s[15] == ' ' && isDigit(s[5]) && isDigit(s[7]) && isDigit(s[14])
}

// uncounted takes the octet count of RFC 6587 §3.4.1 off a message.
func uncounted(s string) string {
	for i := 0; i < len(s) && i < 7; i++ {
		if !isDigit(s[i]) {
			if i > 0 && s[i] == ' ' && i+1 < len(s) && s[i+1] == '<' {
				return s[i+1:]
			}
			break
		}
	}
	return s
}

// cutPriority takes "<PRI>" off s: 0 to 191 (RFC 5424 §6.2.1).
func cutPriority(s string) (priority, rest string, ok bool) {
	if len(s) < 3 || s[0] != '<' {
		return "", s, false
	}
	v := 0
	for i := 1; i < len(s) && i <= 4; i++ {
		switch {
		case isDigit(s[i]) && i < 4:
			v = v*10 + int(s[i]-'0')
		case s[i] == '>' && i > 1 && v <= 191:
			return s[1:i], s[i+1:], true
		default:
			return "", s, false
		}
	}
	return "", s, false
}

// cutHost reads host, the optional facility.severity word, and the tag from rest.
func (h *syslogHeader) cutHost() {
	t := h.rest
	if t == "" {
		return
	}
	if t[0] == ' ' { // some daemons leave the host out and its blank in
		h.cutTag(strings.TrimLeft(t, " "))
		return
	}
	word, after, ok := strings.Cut(t, " ")
	if !ok || isTag(word) || !isSyslogHost(word) {
		h.cutTag(t)
		return
	}
	t = strings.TrimLeft(after, " ")
	if severity := capitalSeverity(word); severity != "" { // Chrome OS names the severity in the host's place
		h.severity = severity
		h.cutTag(t)
		return
	}
	h.host = word
	if ip, rest, ok := strings.Cut(t, " "); ok && len(ip) >= 7 && isDigit(ip[0]) && isIPv4(ip) { // "ns1.example.com 192.0.2.53 named[7]: …", as appliances write
		if tag, _, ok := strings.Cut(rest, " "); ok && isTag(tag) {
			h.address, t = ip, rest
		}
	}
	if strings.HasPrefix(t, ": ") { // "fw1 : %ASA-6-302013: …"
		t = t[2:]
	}
	if len(t) > 20 && isDigit(t[0]) && t[4] == '-' && t[10] == 'T' && t[13] == ':' { // another header, no tag
		h.text = t
		return
	}
	h.cutTag(h.cutFacility(t))
}

// cutFacility takes BusyBox's and OpenWrt's "daemon.notice " off t.
func (h *syslogHeader) cutFacility(t string) string {
	dot := 0
	for i := 0; i < len(t) && i < 20; i++ {
		switch c := t[i]; {
		case 'a' <= c && c <= 'z' || isDigit(c):
		case c == '.' && dot == 0:
			dot = i
		case c == ' ' && dot > 0:
			if facilityCode(t[:dot]) >= 0 && severityCode(t[dot+1:i]) >= 0 {
				h.facility, h.severity = t[:dot], t[dot+1:i]
				return t[i+1:]
			}
			return t
		default:
			return t
		}
	}
	return t
}

// capitalSeverity is the keyword of a severity in capitals, "" for any other word.
func capitalSeverity(word string) string {
	switch word {
	case "EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG":
		return levelName(word)
	}
	return ""
}

// isTag reports whether the first word behind the time is a tag: the host was
// left out.
func isTag(word string) bool {
	n := len(word)
	if word[n-1] != ':' || n > 1 && word[n-2] == ':' {
		return false
	}
	return n > 1 && ipVersion(word[:n-1]) == 0
}

func isSyslogHost(s string) bool {
	if s == "" || len(s) > 255 || s == "--" || s == "---" {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isLetter(c) || isDigit(c) || c >= 0x80:
		case c == '.' || c == '-' || c == '_' || c == ':' || c == '%' || c == '/' || c == '@' || c == '+':
		default:
			return false
		}
	}
	return true
}

const maxRelays = 4

const maxTag = 96 // RFC 3164 allows 32, daemons more

// cutTag splits t into tag, process id and message. Tags are written
// "sshd[1234]: ", "sudo: ", "sshd(pam_unix)[12]: ", "proftpd[12] ", "Google Chrome[7]: ".
// A line without one is all message.
func (h *syslogHeader) cutTag(t string) {
	h.text = t
	n := min(len(t), maxTag)
	for i := 0; i < n; i++ {
		switch t[i] {
		case ':':
			if i == 0 || isDigits(t[:i]) || strings.HasPrefix(t[i+1:], "//") {
				return
			}
			h.tag = t[:i]
			h.text = strings.TrimLeft(t[i+1:], " ")
			return
		case '[':
			h.cutPID(t, i)
			return
		case ' ':
			if j := namedWithBlanks(t[:n], i); j > 0 {
				h.cutPID(t, j)
			}
			return
		case '(': // "sshd(pam_unix)[12]:", "polkitd(authority=local):"
			if end := strings.IndexByte(t[i:n], ')'); end > 0 && i > 0 {
				i += end
			}
		case '"', '=', '<', '{', ',', ';':
			return
		}
	}
}

// namedWithBlanks finds the '[' of "Google Chrome[123]: ": up to three blanks
// in a name are believed when a process id in brackets and a colon follow.
func namedWithBlanks(t string, i int) int {
	blanks := 0
	for ; i < len(t); i++ {
		switch c := t[i]; {
		case c == ' ':
			if blanks++; blanks > 3 {
				return 0
			}
		case c == '[':
			end := strings.IndexByte(t[i:], ']')
			if end > 1 && isDigits(t[i+1:i+end]) && strings.HasPrefix(t[i+end:], "]: ") && t[i-1] != ' ' {
				return i
			}
			return 0
		case !isLetter(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' && c != '(' && c != ')':
			return 0
		}
	}
	return 0
}

// cutPID reads "[pid]" at t[open], what may follow it, and the message.
func (h *syslogHeader) cutPID(t string, open int) {
	end := strings.IndexByte(t[open:min(len(t), open+64)], ']')
	if open == 0 || end < 0 {
		return
	}
	end += open
	pid := t[open+1 : end]
	after := t[end+1:]
	switch {
	case strings.HasPrefix(after, ":"):
		after = after[1:]
	case strings.HasPrefix(after, " (") && strings.Contains(after[:min(len(after), maxTag*2)], "): "):
		// launchd names the job it speaks of: "com.apple.xpc.launchd[1] (com.example.job[77]): …"
		after = after[strings.Index(after, "): ")+2:]
	case strings.HasPrefix(after, " <") && strings.Contains(after[:min(len(after), 16)], ">: "): // macOS: "tccd[7] <Info>: …"
		level, rest, _ := strings.Cut(after[2:], ">: ")
		if h.severity == "" {
			h.severity = levelName(level)
		}
		after = rest
	case strings.HasPrefix(after, "(") && strings.Contains(after[:min(len(after), 16)], "): "): // Kerberos: "krb5kdc[7](info): …"
		level, rest, _ := strings.Cut(after[1:], "): ")
		if levelName(level) == "" {
			return
		}
		if h.severity == "" {
			h.severity = levelName(level)
		}
		after = rest
	case strings.HasPrefix(after, " ") && isDigits(pid):
	default:
		return
	}
	h.tag, h.pid = t[:open], pid
	h.text = strings.TrimLeft(after, " ")
}

// syslogDecoder decodes the records of one chunk.
type syslogDecoder struct {
	clock *timestamp.Clock
	times timeFinder // for messages whose header has no time
	m     message
	other carried
}

func newSyslogDecoder(c *timestamp.Clock) *syslogDecoder {
	return &syslogDecoder{clock: c, times: timeFinder{clock: c}, other: carried{clock: c}}
}

func (d *syslogDecoder) decode(line string, b *event.Batch) error {
	var h syslogHeader
	if err := h.parse(line, d.clock); err != nil {
		return err
	}
	if d.other.decode(line, &h, b) {
		return nil
	}
	e := b.Event()
	e.Time = h.time
	if h.time == event.NoTime { // the message itself may say when
		if ns, _, ok := d.times.find(h.text); ok {
			e.Time = ns
		} else {
			d.clock.NoTime()
		}
	}
	h.add(b)
	d.m = message{Text: h.text, Tag: h.tag, PID: h.pid, Host: h.host, Version: h.version, Rest: h.rest, known: d.other.programs.lookup(h.tag), facts: d.m.facts, carried: d.m.carried}
	switch h.facilityCode() {
	case 4, 10: // auth, authpriv
		d.m.Dataset = datasetAuth
	}
	d.m.decode(b)
	if h.data != "" && lookupProgram(d.m.Program) == nil { // what an unknown program says in its structured data
		if d.m.facts == nil {
			d.m.facts = &textFacts{}
		}
		d.m.facts.add(h.data, true, b)
	}
	return nil
}

// add adds what the header says.
func (h *syslogHeader) add(b *event.Batch) {
	if h.priority != "" {
		pri, _ := strconv.Atoi(h.priority)
		b.AddNumber("log.syslog.priority", h.priority)
		b.AddInt("log.syslog.facility.code", int64(pri>>3))
		b.Add("log.syslog.facility.name", facilityNames[pri>>3])
		b.AddInt("log.syslog.severity.code", int64(pri&7))
		b.Add("log.syslog.severity.name", severityNames[pri&7])
	} else if h.facility != "" {
		b.AddInt("log.syslog.facility.code", int64(facilityCode(h.facility)))
		b.Add("log.syslog.facility.name", facilityNames[facilityCode(h.facility)])
		b.AddInt("log.syslog.severity.code", int64(severityCode(h.severity)))
		b.Add("log.syslog.severity.name", severityNames[severityCode(h.severity)])
	} else {
		b.Add("log.level", h.severity)
	}
	if h.version != "" {
		b.Add("log.syslog.version", h.version)
		b.Add("log.syslog.hostname", h.host)
		b.Add("log.syslog.appname", h.tag)
		b.Add("log.syslog.procid", h.pid)
		b.Add("log.syslog.msgid", h.msgid)
		b.Add("event.code", h.msgid)
		addStructuredData(b, h.data)
	}
	b.Add("host.hostname", h.host)
	b.Add("host.name", h.host)
	b.Add("host.ip", h.address)
	b.Add("log.source.address", h.relay)
	if h.collected && isEC2Name(h.host) { // an instance's log as CloudWatch hands it out
		b.Add("aws.ec2.ip_address", h.host)
		b.Add("cloud.provider", "aws")
	}
}

// isEC2Name: "ip-10-0-1-17", the name that AWS gives an instance by its private address.
func isEC2Name(s string) bool {
	rest, ok := strings.CutPrefix(s, "ip-")
	return ok && strings.Count(rest, "-") == 3 && isDigits(strings.ReplaceAll(rest, "-", ""))
}

func (h *syslogHeader) facilityCode() int {
	switch {
	case h.priority != "":
		pri, _ := strconv.Atoi(h.priority)
		return pri >> 3
	case h.facility != "":
		return facilityCode(h.facility)
	}
	return -1
}

// facilityNames and severityNames are the words of RFC 5424 tables 1 and 2, spelt
// as Beats' syslog processor does.
var facilityNames = [24]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

var severityNames = [8]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

func facilityCode(word string) int {
	for i, name := range facilityNames {
		if name == word {
			return i
		}
	}
	return -1
}

func severityCode(word string) int {
	switch word {
	case "emerg", "panic":
		return 0
	case "alert":
		return 1
	case "crit":
		return 2
	case "err", "error":
		return 3
	case "warn", "warning":
		return 4
	case "notice":
		return 5
	case "info":
		return 6
	case "debug":
		return 7
	}
	return -1
}
