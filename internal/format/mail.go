package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Mail servers, as far as who tried to log in and whom they turned away.

var _ = registerProgram(program{Names: []string{"dovecot", "dovecot/"}, Dataset: "dovecot.log", Decode: decodeDovecot})

// Dovecot's own file (log_path) has a time before the process, and the level behind it:
// "Jan  2 15:04:05 imap-login: Info: Login: user=<alice>, …".
var _ = register(Format{
	Name:  "dovecot.log",
	Title: "Dovecot's own log file",
	Group: "auth",
	Recognise: func(s *Sample) int {
		return s.majority(90, func(line string) bool {
			_, _, ok := cutDovecot(line, &timestamp.Clock{})
			return ok
		})
	},
	Lines: func(p *Params) LineDecoder {
		var m message
		return func(line string, b *event.Batch) error {
			ns, text, ok := cutDovecot(line, p.Clock)
			if !ok {
				return errNotDovecot
			}
			b.Event().Time = ns
			m = message{Text: text, Tag: "dovecot", facts: m.facts}
			m.decode(b)
			return nil
		}
	},
	Date: func(line []byte) (month, day int, ok bool) { return timestamp.YearlessDate(event.View(line)) },
})

var errNotDovecot = errors.New("no time, process and level of Dovecot")

func cutDovecot(line string, c *timestamp.Clock) (ns int64, text string, ok bool) {
	ns, n, ok := c.RFC3164(line)
	if !ok || n+1 >= len(line) || line[n] != ' ' {
		return 0, "", false
	}
	text = line[n+1:]
	process, rest, ok := strings.Cut(text, ": ")
	level, _, leveled := strings.Cut(rest, ": ")
	return ns, text, ok && leveled && strings.IndexByte(process, ' ') < 0 && dovecotLevels[level]
}

var dovecotLevels = map[string]bool{"Info": true, "Warning": true, "Error": true, "Debug": true, "Fatal": true, "Panic": true}

// Dovecot logs by process: "imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, lip=…",
// "pop3-login: Disconnected (auth failed, 2 attempts in 3 secs): user=<bob>, …, rip=…",
// "auth: passwd-file(bob,192.0.2.7): unknown user", "auth-worker(812): pam(bob,192.0.2.7,<id>): …".
func decodeDovecot(m *message, b *event.Batch) bool {
	process, s, ok := strings.Cut(m.Text, ": ")
	if !ok {
		return false
	}
	service, _, _ := strings.Cut(process, "(")
	if login, ok := strings.CutSuffix(service, "-login"); ok {
		b.Add("network.protocol", login)
		dovecotLogin(dovecotLevel(s, b), b)
		return true
	}
	if service == "auth" || service == "auth-worker" {
		return dovecotAuth(dovecotLevel(s, b), b)
	}
	// "imap(alice)<812><id>: Disconnected: Logged out in=… out=…"
	if _, user, ok := strings.Cut(process, "("); ok && (service == "imap" || service == "pop3" || service == "lmtp" || service == "lda") {
		user, _, _ = strings.Cut(user, ")")
		user, from, _ := strings.Cut(user, ",")
		b.Add("user.name", user)
		if ipVersion(from) != 0 {
			addSource(b, from, "")
		}
		b.Add("network.protocol", service)
		s = dovecotLevel(s, b)
		if strings.HasPrefix(s, "Disconnected") || strings.HasPrefix(s, "Logged out") || strings.HasPrefix(s, "Connection closed") {
			classify(b, "session", "end", "mail_logout", "success")
		}
		return true
	}
	return false
}

// dovecotLevel takes the level off that Dovecot writes when it logs to a file.
func dovecotLevel(s string, b *event.Batch) string {
	level, rest, ok := strings.Cut(s, ": ")
	if !ok || !dovecotLevels[level] {
		return s
	}
	b.Add("log.level", lower(level, b))
	return rest
}

func dovecotLogin(s string, b *event.Batch) {
	what, _, _ := strings.Cut(s, ": user=<")
	// The name is the client's; Dovecot's own words follow the last address.
	if head, tail, ok := cutLast(s, ", rip="); ok {
		if _, user, ok := strings.Cut(head, "user=<"); ok {
			if name, _, ok := cutLast(user, ">, method="); ok {
				user = name
			}
			b.Add("user.name", strings.TrimSuffix(user, ">"))
		}
		address, rest, _ := strings.Cut(tail, ", ")
		addSource(b, address, "")
		if local, ok := strings.CutPrefix(rest, "lip="); ok {
			local, _, _ = strings.Cut(local, ", ")
			addDestination(b, local, "")
		}
	}
	b.Add("event.reason", what)
	switch {
	case strings.HasPrefix(s, "Login: "):
		b.Add("event.category", "authentication")
		classify(b, "session", "start", "mail_login", "success")
	case strings.Contains(what, "auth failed"), strings.HasPrefix(s, "Aborted login (auth failed"):
		classify(b, "authentication", "info", "mail_login", "failure")
	case strings.HasPrefix(s, "Disconnected"), strings.HasPrefix(s, "Aborted login"), strings.HasPrefix(s, "Login aborted"):
		classify(b, "network", "connection", "mail_disconnect", "")
		b.Add("event.type", "end")
	}
}

// dovecotAuth: "[conn …: ]DRIVER(USER,ADDRESS[,<SESSION>]): WHAT".
func dovecotAuth(s string, b *event.Batch) bool {
	var what, inner string
	for rest := s; ; {
		head, tail, ok := strings.Cut(rest, ": ")
		if !ok {
			return false
		}
		if driver, args, ok := strings.Cut(head, "("); ok && strings.HasSuffix(args, ")") && strings.IndexByte(args, ',') > 0 && strings.IndexByte(driver, ' ') < 0 {
			inner, what = args[:len(args)-1], tail
			break
		}
		rest = tail
	}
	if i := strings.LastIndex(inner, ",<"); i >= 0 && strings.HasSuffix(inner, ">") {
		inner = inner[:i]
	}
	user, address, ok := cutLast(inner, ",")
	if !ok || ipVersion(address) == 0 {
		return false
	}
	b.Add("user.name", user)
	addSource(b, address, "")
	reason, _, _ := strings.Cut(what, " (given password: ") // nobody's password becomes a field
	b.Add("event.reason", reason)
	lowered := strings.ToLower(what[:min(len(what), 256)])
	for _, w := range [...]string{"unknown user", "password mismatch", "authentication failure", "failed", "invalid credentials"} {
		if strings.Contains(lowered, w) {
			classify(b, "authentication", "info", "authentication_failure", "failure")
			return true
		}
	}
	b.Add("event.category", "authentication")
	b.Add("event.type", "info")
	return true
}

var _ = registerProgram(program{Names: []string{"postfix/", "postfix"}, Dataset: "postfix.log", Decode: decodePostfix})

// Postfix: "warning: HOST[ADDRESS]: SASL LOGIN authentication failed: …", "QUEUEID: client=HOST[ADDRESS],
// sasl_method=PLAIN, sasl_username=alice", "NOQUEUE: reject: RCPT from HOST[ADDRESS]: 554 …",
// "connect from HOST[ADDRESS]", "QUEUEID: to=<…>, relay=…, status=sent (…)".
func decodePostfix(m *message, b *event.Batch) bool {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "warning: "); ok {
		b.Add("log.level", "warning")
		if who, ok := strings.CutPrefix(rest, "non-SMTP command from "); ok {
			who, what, _ := strings.Cut(who, ": ")
			if !postfixPeer(who, b) {
				return false
			}
			b.Add("event.reason", what)
			classify(b, "network", "protocol", "smtp_protocol_error", "failure")
			return true
		}
		if name, ok := strings.CutPrefix(rest, "hostname "); ok { // "hostname H does not resolve to address A[: REASON]"
			host, what, ok := strings.Cut(name, " does not resolve to address ")
			what, why, _ := cutAddress(what)
			if !ok || ipVersion(what) == 0 {
				return false
			}
			addSource(b, what, "")
			b.Add("source.domain", host)
			b.Add("event.reason", why)
			classify(b, "network", "info", "smtp_reverse_mapping_failed", "failure")
			return true
		}
		who, what, ok := strings.Cut(rest, ": SASL ")
		if !ok || !postfixPeer(who, b) {
			return false
		}
		method, why, _ := strings.Cut(what, " authentication failed")
		why = strings.TrimPrefix(why, ": ")
		if why, user, ok := cutLast(why, ", sasl_username="); ok {
			b.Add("user.name", user)
			b.Add("event.reason", why)
		} else {
			b.Add("event.reason", why)
		}
		b.Add("postfix.sasl_method", method)
		classify(b, "authentication", "info", "smtp_auth", "failure")
		return true
	}
	for _, p := range [...]struct{ prefix, typ, action string }{
		{"connect from ", "start", "smtp_connect"}, {"disconnect from ", "end", "smtp_disconnect"},
		{"lost connection after ", "end", "smtp_disconnect"}, {"timeout after ", "end", "smtp_disconnect"},
		{"CONNECT from ", "start", "smtp_connect"}, {"too many errors after ", "end", "smtp_disconnect"},
		{"HANGUP after ", "end", "smtp_disconnect"},
	} {
		rest, ok := strings.CutPrefix(s, p.prefix)
		if !ok {
			continue
		}
		if _, after, ok := strings.Cut(rest, " from "); ok {
			rest = after
		}
		rest, _, _ = strings.Cut(rest, " ")
		if !postfixPeer(rest, b) {
			return false
		}
		classify(b, "network", "connection", p.action, "")
		b.Add("event.type", p.typ)
		return true
	}
	for _, p := range [...]string{"SSL_accept error from ", "improper command pipelining after ", "PREGREET ", "BARE NEWLINE from ", "NON-SMTP COMMAND from ", "COMMAND PIPELINING from "} {
		rest, ok := strings.CutPrefix(s, p)
		if !ok {
			continue
		}
		if _, after, ok := strings.Cut(rest, " from "); ok {
			rest = after
		}
		i := strings.Index(rest, "]") // of the address, behind whose port the colon is the one wanted
		who, what, ok := strings.Cut(rest[max(i, 0):], ": ")
		if who = rest[:max(i, 0)] + who; !ok {
			who, what, _ = strings.Cut(rest, " ")
		}
		if !postfixPeer(who, b) {
			return false
		}
		b.Add("event.reason", what)
		classify(b, "network", "protocol", "smtp_protocol_error", "failure")
		return true
	}
	if rest, ok := strings.CutPrefix(s, "DNSBL rank "); ok { // postscreen: "DNSBL rank 3 for [192.0.2.9]:4444"
		rank, who, _ := strings.Cut(rest, " for ")
		if !postfixPeer(who, b) {
			return false
		}
		if isDigits(rank) {
			b.AddNumber("postfix.dnsbl_rank", rank)
		}
		classify(b, "email", "denied", "smtp_dnsbl", "")
		return true
	}
	queue, s, ok := strings.Cut(s, ": ")
	if !ok || queue == "" || strings.IndexByte(queue, ' ') >= 0 {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "reject: "); ok {
		_, who, ok := strings.Cut(rest, " from ")
		who, why, _ := strings.Cut(who, ": ")
		if !ok || !postfixPeer(who, b) {
			return false
		}
		if code, _, ok := strings.Cut(why, " "); ok && isDigits(code) {
			b.Add("event.code", code)
		}
		b.Add("event.reason", why)
		if _, envelope, ok := cutLast(why, "; from=<"); ok { // "from=<A> to=<B> proto=ESMTP helo=<H>", in the server's order
			from, rest, _ := strings.Cut(envelope, ">")
			b.Add("email.from.address", from)
			if to, ok := strings.CutPrefix(rest, " to=<"); ok {
				to, rest, _ = strings.Cut(to, ">")
				b.Add("email.to.address", to)
			}
			if _, helo, ok := strings.Cut(rest, " helo=<"); ok {
				b.Add("postfix.helo", strings.TrimSuffix(helo, ">"))
			}
		}
		b.Add("event.category", "email")
		b.Add("event.type", "denied")
		b.Add("event.action", "smtp_reject")
		b.Add("event.outcome", "failure")
		return true
	}
	if !isQueueID(queue) {
		return false
	}
	b.Add("email.local_id", queue)
	if rest, ok := strings.CutPrefix(s, "client="); ok {
		who, rest, _ := strings.Cut(rest, ", ")
		postfixPeer(who, b)
		if _, user, ok := strings.Cut(rest, "sasl_username="); ok {
			user, _, _ = strings.Cut(user, ", ")
			b.Add("user.name", user)
			b.Add("event.category", "authentication")
			classify(b, "email", "info", "smtp_auth", "success")
			return true
		}
		classify(b, "email", "info", "smtp_client", "")
		return true
	}
	if s == "removed" {
		classify(b, "email", "info", "mail_removed", "")
		return true
	}
	for n := 0; s != "" && n < 16; n++ {
		key, value, ok := strings.Cut(s, "=")
		if !ok || strings.IndexByte(key, ' ') >= 0 {
			break
		}
		value, s, _ = strings.Cut(value, ", ")
		switch key {
		case "from":
			b.Add("email.from.address", strings.Trim(value, "<>"))
		case "to":
			b.Add("email.to.address", strings.Trim(value, "<>"))
		case "message-id":
			b.Add("email.message_id", strings.Trim(value, "<>"))
		case "relay":
			b.Add("postfix.relay", value)
			if host, peer, ok := strings.Cut(value, "["); ok {
				if address, port := unbracket("[" + peer); ipVersion(address) != 0 {
					addDestination(b, address, port)
					b.Add("destination.domain", host)
				}
			}
		case "status":
			status, why, _ := strings.Cut(value, " ")
			if s != "" {
				why = value[len(status):]
			}
			b.Add("postfix.status", status)
			b.Add("event.reason", strings.Trim(why, " ()"))
			outcome := "failure"
			if status == "sent" {
				outcome = "success"
			}
			classify(b, "email", "info", "delivery", outcome)
			return true
		}
	}
	b.Add("event.category", "email")
	b.Add("event.type", "info")
	return true
}

// Cyrus SASL's daemon: "do_auth         : auth failure: [user=alice] [service=smtp]
// [realm=example.com] [mech=pam] [reason=PAM auth error]", "auth success: …".
var _ = registerProgram(program{Names: []string{"saslauthd"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	_, s, ok := strings.Cut(m.Text, ": auth ")
	verdict, s, cut := strings.Cut(s, ": [user=")
	if !ok || !cut {
		return false
	}
	// A realm or user may hold a bracket; the daemon's own words end the line.
	s, why, _ := cutLast(strings.TrimSuffix(s, "]"), "] [reason=")
	user, s, _ := strings.Cut(s, "] [service=")
	service, _, _ := strings.Cut(s, "]")
	b.Add("user.name", user)
	b.Add("service.name", service)
	b.Add("event.reason", why)
	if verdict == "success" {
		classify(b, "authentication", "info", "authentication_success", "success")
	} else {
		classify(b, "authentication", "info", "authentication_failure", "failure")
	}
	return true
}})

// postfixPeer: "mail.example.com[192.0.2.7]", "unknown[192.0.2.7]:47407", "[192.0.2.7]:47407".
func postfixPeer(s string, b *event.Batch) bool {
	host, _, _ := strings.Cut(s, "[")
	address, port := unbracket(s[len(host):])
	if ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, port)
	if host != "unknown" && host != "" {
		b.Add("source.domain", host)
	}
	return true
}

func isQueueID(s string) bool {
	if len(s) < 6 || len(s) > 20 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return s != "NOQUEUE" && s != "statistics"
}

// cutAddress cuts an address from what stands behind it and a colon.
func cutAddress(s string) (address, rest string, ok bool) {
	if i := strings.Index(s, ": "); i >= 0 {
		return s[:i], s[i+2:], true
	}
	return s, "", false
}
