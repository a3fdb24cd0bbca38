package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Linux-PAM modules log through the program that called them, so their messages
// are found under any program's name: "pam_unix(sshd:auth): authentication
// failure; …" (pam_syslog(3)), "PAM 2 more authentication failures; …" (pam_unix
// at the end of a conversation, by way of sshd's own log).

// decodePAMLine decodes a message that begins with "pam_" or "PAM ".
func decodePAMLine(m *message, b *event.Batch) bool {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "PAM "); ok {
		return decodePAM(m, "pam_unix", m.Program, "", rest, b)
	}
	colon := strings.Index(s, ": ")
	if colon < 0 || colon > 128 {
		return false
	}
	module, rest := s[:colon], s[colon+2:]
	service, kind := "", ""
	if open := strings.IndexByte(module, '('); open > 0 && strings.HasSuffix(module, ")") {
		service = module[open+1 : len(module)-1]
		module = module[:open]
		if i := strings.LastIndexByte(service, ':'); i >= 0 {
			service, kind = service[:i], service[i+1:]
		}
	} else if open > 0 {
		return false
	}
	return decodePAM(m, module, service, kind, rest, b)
}

// decodePAM decodes what a module says on behalf of a service. kind is the
// management group ("auth", "account", "session", "chauthtok"), "" when the
// message does not tell.
func decodePAM(m *message, module, service, kind, s string, b *event.Batch) bool {
	b.Add("system.auth.pam.module", module)
	b.Add("system.auth.pam.service", service)
	b.Add("system.auth.pam.type", kind)
	switch {
	case strings.HasPrefix(s, "session opened for "):
		return pamOpened(s[len("session opened for "):], b)
	case strings.HasPrefix(s, "session closed for "):
		user := unquote(strings.TrimPrefix(s[len("session closed for "):], "user "))
		user, id := cutUID(user)
		b.Add("user.name", user)
		b.AddNumber("user.id", id)
		classify(b, "session", "end", "logged-off", "success")
		return true
	case strings.Contains(s, "authentication failure"):
		// "authentication failure; logname=…", "2 more authentication failures; logname=…"
		if n, _, ok := strings.Cut(s, " more authentication failure"); ok && isDigits(n) {
			b.AddNumber("log.syslog.repeated", n)
		}
		pamPeer(module, s, b)
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "authentication success"):
		pamPeer(module, s, b)
		classify(b, "authentication", "info", "authentication_success", "success")
		return true
	case strings.HasPrefix(s, "received for user "): // pam_sss: "received for user alice: 7 (Authentication failure)"
		user, why, _ := strings.Cut(s[len("received for user "):], ": ")
		b.Add("user.name", user)
		b.Add("event.reason", why)
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "check pass; user unknown"):
		b.Add("event.reason", "user unknown")
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "bad username ["):
		b.Add("user.name", bracketedTail(s[len("bad username "):]))
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "password changed for "):
		user := s[len("password changed for "):]
		b.Add("user.name", user)
		b.Add("user.target.name", user)
		classify(b, "iam", "change", "password-changed", "success")
		return true
	case strings.HasPrefix(s, "auth could not identify password for ["):
		b.Add("user.name", bracketedTail(s[len("auth could not identify password for "):]))
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "Consecutive login failures for user "): // pam_faillock
		user, _, _ := strings.Cut(s[len("Consecutive login failures for user "):], " account temporarily locked")
		b.Add("user.name", user)
		classify(b, "authentication", "info", "account-locked", "failure")
		return true
	case strings.HasPrefix(s, "user ") && strings.Contains(s, " tally "): // pam_tally2: "user bob (1001) tally 6, deny 5"
		head, _, _ := strings.Cut(s[len("user "):], " tally ")
		user, id := cutUID(strings.Replace(head, " (", "(uid=", 1))
		b.Add("user.name", user)
		b.AddNumber("user.id", id)
		classify(b, "authentication", "info", "account-locked", "failure")
		return true
	case strings.HasPrefix(s, "account ") && strings.Contains(s, " has expired ") || strings.HasPrefix(s, "expired password for user "):
		// "account bob has expired (account expired)", "expired password for user bob (password aged)"
		user, why, ok := strings.Cut(strings.TrimPrefix(s, "account "), " has expired ")
		if !ok {
			user, why, _ = strings.Cut(strings.TrimPrefix(s, "expired password for user "), " ")
		}
		b.Add("user.name", user)
		b.Add("event.reason", strings.Trim(why, "()"))
		classify(b, "authentication", "info", "account-expired", "failure")
		return true
	case strings.HasPrefix(s, "requirement ") && strings.Contains(s, " not met by user "): // pam_succeed_if
		i := strings.Index(s, " not met by user ")
		b.Add("event.reason", s[:i+len(" not met")])
		b.Add("user.name", unquote(s[i+len(" not met by user "):]))
		classify(b, "authentication", "info", "access-denied", "failure")
		return true
	case strings.HasPrefix(s, "Refused user "): // pam_listfile
		user, svc, _ := strings.Cut(s[len("Refused user "):], " for service ")
		b.Add("user.name", user)
		b.Add("service.name", svc)
		classify(b, "authentication", "info", "access-denied", "failure")
		return true
	case strings.HasPrefix(s, "access denied for user "): // pam_access, pam_time
		user, from, ok := strings.Cut(s[len("access denied for user "):], " from ")
		user, _, _ = strings.Cut(user, ";")
		b.Add("user.name", unquote(user))
		if ok {
			addSource(b, unquote(from), "")
		}
		classify(b, "authentication", "info", "access-denied", "failure")
		return true
	case strings.HasPrefix(s, "service(") && strings.Contains(s, ") ignoring max retries"):
		classify(b, "authentication", "info", "max-retries-exceeded", "failure")
		return true
	}
	if pamVerdicts.decode(m, s, b) {
		return true
	}
	switch kind {
	case "session":
		b.Add("event.category", "session")
	case "auth":
		b.Add("event.category", "authentication")
		b.Add("event.type", "info")
	case "chauthtok":
		b.Add("event.category", "iam")
		b.Add("event.type", "info")
		if strings.Contains(s, "does not exist") || strings.Contains(s, "not acceptable") || strings.Contains(s, "BAD PASSWORD") {
			b.Add("event.action", "password-changed")
			b.Add("event.outcome", "failure")
		}
	}
	return false
}

// pamOpened decodes "user ROOT by ALICE(uid=1000)", since Linux-PAM 1.5 "user
// root(uid=0) by alice(uid=1000)", and without the one who asked "user alice by
// (uid=0)". The asker is user.*, the account of the session user.effective.*; an
// asker without a name is kept as an empty user.name, so that the account of
// the session is not taken for the one who owns user.id.
func pamOpened(s string, b *event.Batch) bool {
	s = strings.TrimPrefix(s, "user ")
	target, by, ok := s, "", false
	if i := strings.LastIndex(s, " by "); i >= 0 {
		target, by, ok = s[:i], s[i+len(" by "):], true
	} else if t, cut := strings.CutSuffix(s, " by"); cut {
		target, ok = t, true
	}
	target, targetID := cutUID(unquote(target))
	if ok {
		user, id := cutUID(by)
		b.AddKind("user.name", unquote(user), event.String)
		b.AddNumber("user.id", id)
		b.Add("user.effective.name", target)
		b.AddNumber("user.effective.id", targetID)
	} else {
		b.Add("user.name", target)
		b.AddNumber("user.id", targetID)
	}
	classify(b, "session", "start", "logged-on", "success")
	return true
}

// pamPeer decodes "…; logname=L uid=U euid=E tty=T ruser=R rhost=H  user=N". All
// but the last two are fixed in place and without blanks; the name runs to the end.
func pamPeer(module, s string, b *event.Batch) {
	_, s, ok := strings.Cut(s, "; ")
	if !ok {
		return
	}
	var rhost string
	i := strings.Index(s, " rhost=")
	if i < 0 {
		return
	}
	rhost = s[i+len(" rhost="):]
	s = s[:i]
	rhost, name, _ := strings.Cut(rhost, " ")
	if _, user, ok := strings.Cut(" "+name, " user="); ok {
		b.Add("user.name", user)
	}
	addSource(b, rhost, "")
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, " ")
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		switch key {
		case "tty":
			b.Add("process.tty.name", value)
		case "ruser":
			b.Add("system.auth.pam.ruser", value)
		case "logname":
			b.Add("system.auth.pam.logname", value)
			if module == "pam_krb5" && !b.Event().Has("user.name") { // which names whom it authenticates
				b.Add("user.name", value)
			}
		case "uid":
			b.AddNumber("system.auth.pam.uid", value)
		}
	}
}

// cutUID splits "root(uid=0)".
func cutUID(s string) (user, id string) {
	if i := strings.LastIndex(s, "(uid="); i >= 0 && strings.HasSuffix(s, ")") {
		return s[:i], s[i+len("(uid=") : len(s)-1]
	}
	return s, ""
}

// bracketedTail is what stands between the '[' that begins s and its last ']'.
func bracketedTail(s string) string {
	if i := strings.LastIndexByte(s, ']'); i > 0 {
		return s[1:i]
	}
	return strings.TrimPrefix(s, "[")
}

// unquote takes one pair of quotes off, be they "name", 'name' or `name'.
func unquote(s string) string {
	if len(s) >= 2 {
		first, last := s[0], s[len(s)-1]
		if first == last && (first == '"' || first == '\'') || first == '`' && last == '\'' {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// What other modules say of an attempt, found by its beginning.
var pamVerdicts = newPhraseBook(
	phrase{"conversation failed", pamVerdict("authentication_failure", "failure")},
	phrase{"user [", pamBracketed}, // pam_unix: "user [bob] has blank password; authenticated without it"
	phrase{"user \"", pamMissing},
	phrase{"root access granted", pamRoot},                            // pam_rootok
	phrase{"Access denied ", pamWheel("access-denied", "failure")},    // pam_wheel: "Access denied to 'bob' for 'root'"
	phrase{"Access granted ", pamWheel("access-granted", "success")},  // pam_wheel
	phrase{"access denied: ", pamVerdict("access-denied", "failure")}, // pam_securetty
	phrase{"requirement ", pamRequirement},                            // pam_succeed_if
	phrase{"Accepted google_authenticator for ", pamUser("authentication_success", "success", "")},
	phrase{"Invalid verification code for ", pamUser("authentication_failure", "failure", "")},
	phrase{"Too many concurrent login attempts", pamVerdict("authentication_failure", "failure")},
	phrase{"Successful Duo login for ", pamUser("authentication_success", "success", " from ")},
	phrase{"Failed Duo login for ", pamUser("authentication_failure", "failure", " from ")},
	phrase{"Aborted Duo login for ", pamUser("authentication_failure", "failure", " from ")},
	phrase{"Skipped Duo login for ", pamUser("authentication_success", "success", " from ")},
	phrase{"user '", pamQuotedUser}, // pam_winbind: "user 'bob' granted access"
	phrase{"user ", pamKerberosUser},
	phrase{"request wbcLogonUser failed", pamVerdict("authentication_failure", "failure")},
	phrase{"error trying to bind as user ", pamBind}, // pam_ldap, nslcd
	phrase{"Blocking access from ", pamBlocked},      // pam_abl
	phrase{"authentication failed", pamVerdict("authentication_failure", "failure")},
	phrase{"authentication succeeded", pamVerdict("authentication_success", "success")},
	phrase{"password for user ", pamPasswordAge}, // pam_unix: "password for user bob will expire in 3 days"
)

// pamVerdict: a message that names nobody, and whose words are the reason.
func pamVerdict(action, outcome string) func(*message, string, *event.Batch) bool {
	return func(_ *message, s string, b *event.Batch) bool {
		b.Add("event.reason", strings.TrimLeft(s, ",:; "))
		classify(b, "authentication", "info", action, outcome)
		return true
	}
}

// pamUser: "bob", "'bob' from 192.0.2.7: REASON".
func pamUser(action, outcome, from string) func(*message, string, *event.Batch) bool {
	return func(_ *message, s string, b *event.Batch) bool {
		if from != "" {
			if user, rest, ok := cutLast(s, from); ok {
				s = user
				host, why, _ := strings.Cut(rest, ": ")
				if ipVersion(rest) != 0 { // an address of version 6 has colons itself
					host = rest
				}
				addSource(b, unquote(host), "")
				b.Add("event.reason", why)
			} else if user, why, ok := cutLast(s, ": "); ok {
				s = user
				b.Add("event.reason", why)
			}
		}
		b.Add("user.name", unquote(s))
		classify(b, "authentication", "info", action, outcome)
		return true
	}
}

func pamRoot(_ *message, _ string, b *event.Batch) bool {
	b.Add("user.name", "root")
	classify(b, "authentication", "info", "access-granted", "success")
	return true
}

// pamWheel: "to 'USER' for 'TARGET'".
func pamWheel(action, outcome string) func(*message, string, *event.Batch) bool {
	return func(_ *message, s string, b *event.Batch) bool {
		who, target, ok := strings.Cut(s, " for ")
		user, named := strings.CutPrefix(who, "to ")
		if !ok || !named {
			return false
		}
		b.Add("user.name", unquote(user))
		b.Add("user.effective.name", unquote(target))
		classify(b, "authentication", "info", action, outcome)
		return true
	}
}

// pamRequirement: `"user ingroup admin" was met by user "bob"`; one that is not met is a denial.
func pamRequirement(_ *message, s string, b *event.Batch) bool {
	what, user, ok := cutLast(s, " was met by user ")
	if !ok {
		return false
	}
	b.Add("event.reason", "requirement "+what+" was met")
	b.Add("user.name", unquote(user))
	classify(b, "authentication", "info", "access-granted", "success")
	return true
}

func pamBracketed(_ *message, s string, b *event.Batch) bool {
	user, why, ok := strings.Cut(s, "] ")
	if !ok || !strings.Contains(why, "blank password") {
		return false
	}
	b.Add("user.name", user)
	b.Add("event.reason", why)
	classify(b, "authentication", "info", "authentication_success", "success")
	return true
}

// pamMissing: `bob" does not exist in /etc/passwd`, when a password is to be changed.
func pamMissing(m *message, s string, b *event.Batch) bool {
	user, why, ok := cutLast(s, `" `)
	if !ok || !strings.HasPrefix(why, "does not exist") {
		return false
	}
	b.Add("user.name", user)
	b.Add("event.reason", why)
	if strings.Contains(m.Text, ":chauthtok)") {
		classify(b, "iam", "change", "password-changed", "failure")
	} else {
		classify(b, "authentication", "info", "authentication_failure", "failure")
	}
	return true
}

// pamQuotedUser: "bob' granted access", "bob' denied access (incorrect password or invalid membership)".
func pamQuotedUser(_ *message, s string, b *event.Batch) bool {
	user, what, ok := cutLast(s, "' ")
	if !ok {
		return false
	}
	switch {
	case strings.HasPrefix(what, "granted access"), strings.HasPrefix(what, "OK"):
		classify(b, "authentication", "info", "access-granted", "success")
	case strings.HasPrefix(what, "denied access"), strings.HasPrefix(what, "password expired"), strings.HasPrefix(what, "new password required"):
		b.Add("event.reason", what)
		classify(b, "authentication", "info", "access-denied", "failure")
	default:
		return false
	}
	b.Add("user.name", user)
	return true
}

// pamKerberosUser: "bob authenticated as bob@EXAMPLE.COM".
func pamKerberosUser(_ *message, s string, b *event.Batch) bool {
	user, _, ok := strings.Cut(s, " authenticated as ")
	if !ok || strings.IndexByte(user, ' ') >= 0 {
		return false
	}
	b.Add("user.name", user)
	classify(b, "authentication", "info", "authentication_success", "success")
	return true
}

// pamBind: `"uid=bob,ou=people,dc=example,dc=com" (Invalid credentials)`.
func pamBind(_ *message, s string, b *event.Batch) bool {
	dn, why, ok := cutLast(s, " (")
	if !ok {
		return false
	}
	if name, ok := strings.CutPrefix(unquote(dn), "uid="); ok {
		name, _, _ = strings.Cut(name, ",")
		b.Add("user.name", name)
	}
	b.Add("event.reason", strings.TrimSuffix(why, ")"))
	classify(b, "authentication", "info", "authentication_failure", "failure")
	return true
}

// pamBlocked: "192.0.2.7 to service sshd, user root".
func pamBlocked(_ *message, s string, b *event.Batch) bool {
	address, rest, ok := strings.Cut(s, " to service ")
	service, user, named := strings.Cut(rest, ", user ")
	if !ok || !named {
		return false
	}
	addSource(b, address, "")
	b.Add("service.name", service)
	b.Add("user.name", user)
	classify(b, "authentication", "info", "access-denied", "failure")
	return true
}

func pamPasswordAge(_ *message, s string, b *event.Batch) bool {
	user, why, ok := strings.Cut(s, " will expire ")
	if !ok {
		return false
	}
	b.Add("user.name", user)
	b.Add("event.reason", "will expire "+why)
	classify(b, "authentication", "info", "password-expiring", "")
	return true
}

// The helper by which pam_unix reads the passwords of a caller that may not
// (unix_chkpwd(8)), and the tools of pam_tally2 and pam_faillock.
var _ = registerProgram(program{
	Names:   []string{"unix_chkpwd", "unix_update", "pam_tally2", "pam_faillock", "faillock"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		if user, ok := strings.CutPrefix(m.Text, "password check failed for user ("); ok {
			b.Add("user.name", strings.TrimSuffix(user, ")"))
			classify(b, "authentication", "info", "authentication_failure", "failure")
			return true
		}
		module := "pam_unix"
		if strings.HasPrefix(m.Program, "pam_") {
			module = m.Program
		}
		return decodePAM(m, module, m.Program, "", m.Text, b)
	},
})
