package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Daemons that read logs and shut out whom they find there: Fail2ban and SSHGuard.
//
// Fail2ban's own file: "2024-03-04 10:00:00,123 fail2ban.actions        [92]: NOTICE  [sshd] Ban 192.0.2.9"
// (server/server.py); to syslog it writes the same from the logger's name on.
var _ = register(Format{
	Name:      "fail2ban.log",
	Title:     "Fail2ban log",
	Group:     "auth",
	Recognise: func(s *Sample) int { return s.Share(looksFail2ban) },
	Lines: func(p *Params) LineDecoder {
		var m message
		return func(line string, b *event.Batch) error {
			ns, n, ok := p.Clock.ISO(line)
			if !ok || !strings.HasPrefix(line[n:], " fail2ban.") {
				return errNoFail2banHeader
			}
			tag, text, ok := strings.Cut(line[n+1:], "]: ")
			name, pid, named := strings.Cut(tag, "[")
			if !ok || !named {
				return errNoFail2banHeader
			}
			b.Event().Time = ns
			m = message{Text: strings.TrimLeft(text, " "), Tag: strings.TrimRight(name, " "), PID: strings.TrimSpace(pid), facts: m.facts}
			m.decode(b)
			return nil
		}
	},
})

var errNoFail2banHeader = errors.New("no Fail2ban header")

func looksFail2ban(line string) bool {
	return len(line) > 32 && line[4] == '-' && isDigits(line[:4]) && strings.HasPrefix(strings.TrimLeft(line[19:], ",.0123456789"), " fail2ban.") && strings.Contains(line, "]: ")
}

var _ = registerProgram(program{
	Names: []string{"fail2ban", "fail2ban-server", "fail2ban.actions", "fail2ban.filter", "fail2ban.jail", "fail2ban.server", "fail2ban.action",
		"fail2ban.observer", "fail2ban.utils", "fail2ban.database", "fail2ban.asyncserver", "fail2ban.filtersystemd", "fail2ban.filterpyinotify",
		"fail2ban.filterpoll", "fail2ban.transmitter", "fail2ban.ipdns", "fail2ban.jails", "fail2ban.datedetector", "fail2ban.CommandAction"},
	Dataset: "fail2ban.log",
	Decode:  decodeFail2ban,
})

// decodeFail2ban: "NOTICE  [sshd] Ban 192.0.2.9", "INFO    [sshd] Found 192.0.2.9 - 2024-03-04 09:59:59",
// "NOTICE  [sshd] Restore Ban 2001:db8::9", "WARNING [sshd] 192.0.2.9 already banned".
func decodeFail2ban(m *message, b *event.Batch) bool {
	s := m.Text
	if i := strings.Index(s, "]: "); i >= 0 && strings.HasPrefix(s, "fail2ban.") { // the logger's name within a message of "fail2ban-server"
		s = strings.TrimLeft(s[i+3:], " ")
	}
	level, rest, _ := strings.Cut(s, " ")
	if level = strings.TrimSuffix(level, ":"); !appLevel(level) {
		rest = s
	} else {
		b.Add("log.level", lower(level, b))
	}
	rest = strings.TrimLeft(rest, " ")
	if !strings.HasPrefix(rest, "[") {
		return false
	}
	jail, what, ok := strings.Cut(rest[1:], "] ")
	if !ok {
		return false
	}
	b.Add("rule.name", jail)
	ip := func(s string) bool {
		s, _, _ = strings.Cut(s, " ")
		address, _, _ := strings.Cut(s, "/")
		if ipVersion(address) == 0 {
			return false
		}
		addSource(b, address, "")
		return true
	}
	for _, p := range [...]struct{ words, category, typ, action, outcome string }{
		{"Restore Ban ", "intrusion_detection", "denied", "ban", "success"},
		{"Ban ", "intrusion_detection", "denied", "ban", "success"},
		{"Increase Ban ", "intrusion_detection", "denied", "ban", "success"},
		{"Unban ", "intrusion_detection", "info", "unban", "success"},
		{"Found ", "intrusion_detection", "info", "attempt_found", ""},
		{"Ignore ", "intrusion_detection", "allowed", "attempt_ignored", ""},
	} {
		if rest, ok := strings.CutPrefix(what, p.words); ok && ip(rest) {
			classify(b, p.category, p.typ, p.action, p.outcome)
			return true
		}
	}
	if strings.HasSuffix(what, " already banned") && ip(what) {
		classify(b, "intrusion_detection", "info", "already_banned", "")
		return true
	}
	return false
}

var _ = registerProgram(program{Names: []string{"sshguard"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	// `Blocking "192.0.2.9/32" for 120 secs (3 attacks in 2 secs, …)`, `Attack from "192.0.2.9" on service SSH with danger 10.`
	for _, p := range [...]struct{ words, typ, action string }{
		{"Blocking ", "denied", "ban"}, {"Unblocking ", "info", "unban"}, {"Releasing ", "info", "unban"}, {"Attack from ", "info", "attempt_found"},
	} {
		rest, ok := strings.CutPrefix(m.Text, p.words)
		if !ok {
			continue
		}
		address, rest, _ := strings.Cut(strings.TrimPrefix(rest, `"`), " ")
		address, _, _ = strings.Cut(strings.TrimRight(address, `"`), "/")
		address, _, _ = strings.Cut(address, ":4") // before version 2: "192.0.2.9:4 for >630secs"
		if ipVersion(address) == 0 {
			return false
		}
		addSource(b, address, "")
		if name, ok := strings.CutPrefix(rest, "on service "); ok {
			name, _, _ = strings.Cut(name, " ")
			b.Add("service.name", name)
		}
		classify(b, "intrusion_detection", p.typ, p.action, "")
		return true
	}
	return false
}})
