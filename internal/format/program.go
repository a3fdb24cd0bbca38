package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// A program is a writer of syslog messages: one file of this package that
// registers the names under which it logs and decodes its messages. The same
// decoder serves whatever carries the message: a syslog file or socket, the
// journal, a container's log.
//
//	var _ = registerProgram(program{
//		Names:  []string{"sshd", "sshd-session"},
//		Decode: decodeSSHD,
//	})
type program struct {
	// Names are what the tag says before the process id, without a directory.
	// A name ending in '/' stands for a family ("postfix/"), one that begins
	// with '%' and ends in '-' for a mnemonic ("%ASA-").
	Names   []string
	Dataset string // event.dataset of its messages; "" for datasetSyslog

	NoProcess bool // the tag is a mark and names no process

	// Decode adds what it understands of m.Text and reports whether it did.
	// Of a message that nobody understands, addresses, users, hashes and the like
	// are still recognised.
	Decode func(m *message, b *event.Batch) bool
}

const (
	datasetAuth   = "system.auth"
	datasetSyslog = "system.syslog"
)

// message is one syslog message on its way to its program. The decoder may
// change Dataset and Message; both are added to the event when it returns.
type message struct {
	Text    string // without header and leading blanks
	Tag     string // program as written
	PID     string // as written
	Host    string
	Version string // RFC 5424's
	Rest    string // everything behind the header's time
	Program string // Tag without directory and PAM module: process.name
	Dataset string
	Message string // "": Text as it was

	known   *program // whose name the tag is, where that has been looked up
	facts   *textFacts
	carried *carriedText // made when first wanted, as facts is
}

var programs = map[string]*program{}

func registerProgram(p program) *program {
	for _, name := range p.Names {
		programs[name] = &p
	}
	return &p
}

// lookupProgram finds the decoder for a process name.
func lookupProgram(name string) *program {
	if p := programs[name]; p != nil {
		return p
	}
	if i := strings.IndexByte(name, '/'); i > 0 {
		return programs[name[:i+1]]
	}
	if strings.HasPrefix(name, "ovpn-") { // as Debian and systemd's units name it after its configuration
		return programs["openvpn"]
	}
	if strings.HasPrefix(name, "%") {
		if i := strings.IndexByte(name, '-'); i > 0 {
			return programs[name[:i+1]]
		}
	}
	return nil
}

// programMemo remembers the programs of a log's tags, which are few.
type programMemo [8]struct {
	tag string
	p   *program
}

// lookup is programs[tag].
func (m *programMemo) lookup(tag string) *program {
	if tag == "" {
		return nil
	}
	e := &m[(int(tag[0])+5*len(tag))%len(m)]
	if e.tag != tag {
		e.tag, e.p = tag, programs[tag]
	}
	return e.p
}

// decode gives the message to its program and adds the fields that every
// message has.
func (m *message) decode(b *event.Batch) {
	b.Add("event.kind", "event")
	full := m.Text
	m.Program = m.Tag
	module := ""
	if i := strings.IndexByte(m.Tag, '('); i > 0 && strings.HasSuffix(m.Tag, ")") {
		m.Program, module = m.Tag[:i], m.Tag[i+1:len(m.Tag)-1] // "sshd(pam_unix)": Linux-PAM before 0.99
	}
	if strings.HasPrefix(m.Program, "/") {
		b.Add("process.executable", m.Program)
		m.Program = m.Program[strings.LastIndexByte(m.Program, '/')+1:]
	}
	p := m.known
	if p == nil || m.Program != m.Tag {
		p = lookupProgram(m.Program)
	}
	packet := p == nil && decodeNetfilter(m, b) // its rule's label may stand in the tag's place
	if p == nil || !p.NoProcess {
		b.Add("process.name", m.Program)
	}
	if isDigits(m.PID) {
		b.AddNumber("process.pid", m.PID)
	} else if m.PID != "" && m.Version == "" {
		b.Add("log.syslog.procid", m.PID)
	}
	m.unrepeat(b)
	m.unnumber(b)

	understood := false
	switch {
	case packet:
		understood = true
	case strings.HasPrefix(module, "pam_"):
		m.Dataset = datasetAuth
		understood = decodePAM(m, module, m.Program, "", m.Text, b)
	case strings.HasPrefix(m.Text, "pam_") && !strings.HasPrefix(m.Text, "pam_authenticate: ") || strings.HasPrefix(m.Text, "PAM "):
		m.Dataset = datasetAuth
		understood = decodePAMLine(m, b)
	case p != nil:
		if p.Dataset != "" {
			m.Dataset = p.Dataset
		}
		understood = p.Decode(m, b)
	case m.Tag != "":
		if m.carried == nil {
			m.carried = newCarriedText()
		}
		understood = m.carried.decode(m, b)
	}
	if !understood {
		if m.facts == nil {
			m.facts = &textFacts{}
		}
		// A known program's message in an unknown shape may hold words of an attacker's:
		// what they mean is then not guessed.
		m.facts.add(plainText(b, m.Text), p == nil, b)
	}
	if m.Dataset == "" {
		m.Dataset = datasetSyslog
	}
	if m.Version != "" && m.Dataset == datasetAuth {
		b.Add("system.auth.syslog.version", m.Version)
	}
	if m.Message == "" {
		m.Message = plainText(b, full)
	}
	b.Add("event.dataset", m.Dataset)
	b.Add("message", m.Message)
}

// unrepeat takes the wrapping off "message repeated 3 times: [ TEXT]", as rsyslog
// writes it, and notes how often a message stands for itself.
func (m *message) unrepeat(b *event.Batch) {
	const wrapped, last = "message repeated ", "last message repeated "
	s := m.Text
	switch {
	case strings.HasPrefix(s, wrapped):
		n, rest, ok := strings.Cut(s[len(wrapped):], " ")
		if ok && isDigits(n) && strings.HasPrefix(rest, "times: [") && strings.HasSuffix(rest, "]") {
			b.AddNumber("log.syslog.repeated", n)
			m.Text = strings.TrimLeft(rest[len("times: ["):len(rest)-1], " ")
		}
	case strings.HasPrefix(s, last):
		if n, rest, ok := strings.Cut(s[len(last):], " "); ok && isDigits(n) && strings.HasPrefix(rest, "time") {
			b.AddNumber("log.syslog.repeated", n)
		}
	}
}

// unnumber takes off the message id that Solaris puts before each text,
// "[ID 800047 auth.notice] ".
func (m *message) unnumber(b *event.Batch) {
	s, ok := strings.CutPrefix(m.Text, "[ID ")
	if !ok {
		return
	}
	id, rest, ok := strings.Cut(s, " ")
	if !ok || !isDigits(id) {
		return
	}
	word, text, ok := strings.Cut(rest, "] ")
	facility, severity, dotted := strings.Cut(word, ".")
	if !ok || !dotted || facilityCode(facility) < 0 || severityCode(severity) < 0 {
		return
	}
	b.Add("event.code", id)
	b.Add("log.syslog.facility.name", facility)
	b.Add("log.syslog.severity.name", severityNames[severityCode(severity)])
	m.Text = text
}

// A phrase is one kind of message: those that begin with Prefix. Decode gets what
// follows it and reports whether the rest had the expected shape.
type phrase struct {
	Prefix string
	Decode func(m *message, rest string, b *event.Batch) bool
}

// phraseBook finds the phrase of a message by its first byte.
type phraseBook [256][]phrase

func newPhraseBook(phrases ...phrase) *phraseBook {
	var p phraseBook
	for _, f := range phrases {
		p[f.Prefix[0]] = append(p[f.Prefix[0]], f)
	}
	return &p
}

// decode tries the phrases that s may begin with, in the order they were given.
func (p *phraseBook) decode(m *message, s string, b *event.Batch) bool {
	if s == "" {
		return false
	}
	for _, f := range p[s[0]] {
		if strings.HasPrefix(s, f.Prefix) && f.Decode(m, s[len(f.Prefix):], b) {
			return true
		}
	}
	return false
}

// classify adds what the record is in ECS terms; an outcome of "" is not said.
func classify(b *event.Batch, category, typ, action, outcome string) {
	b.Add("event.category", category)
	b.Add("event.type", typ)
	b.Add("event.action", action)
	b.Add("event.outcome", outcome)
}
