package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Each function decodes what follows its phrase in sshdPhrases. Attempts are
// ssh_login with an outcome; what sshd says before and after them has actions
// of its own, so that one attempt is counted once.

func sshAccepted(_ *message, s string, b *event.Batch) bool {
	method, s, ok := strings.Cut(s, " for ")
	var l sshLogin
	if !ok || !l.parse(s) {
		return false
	}
	l.add("Accepted", method, b)
	b.Add("event.category", "authentication")
	classify(b, "session", "info", "ssh_login", "success")
	return true
}

func sshFailed(_ *message, s string, b *event.Batch) bool {
	method, s, ok := strings.Cut(s, " for ")
	var l sshLogin
	if !ok || strings.IndexByte(method, ' ') >= 0 || !l.parse(s) {
		return false
	}
	l.add("Failed", method, b)
	classify(b, "authentication", "info", "ssh_login", "failure")
	return true
}

// sshPostponed: one step of an attempt that goes on.
func sshPostponed(m *message, s string, b *event.Batch) bool {
	method, s, ok := strings.Cut(s, " for ")
	var l sshLogin
	if !ok || strings.IndexByte(method, ' ') >= 0 || !l.parse(s) {
		return false
	}
	kind := "Partial"
	if strings.Contains(m.Text[:min(len(m.Text), 24)], "Postponed") {
		kind = "Postponed"
	}
	l.add(kind, method, b)
	classify(b, "authentication", "info", "ssh_login_step", "unknown")
	return true
}

// sshInvalidUser: "USER from ADDRESS[ port N]".
func sshInvalidUser(m *message, s string, b *event.Batch) bool {
	var l sshLogin
	if !l.peer(s) {
		i := strings.LastIndex(s, " from ")
		if i < 0 || !isPeer(s[i+len(" from "):]) {
			return false
		}
		l.user, l.address = s[:i], s[i+len(" from "):]
	}
	kind := "Invalid"
	if strings.HasPrefix(m.Text, "Illegal") {
		kind = "Illegal"
	}
	l.invalid = true
	l.add(kind, "", b)
	classify(b, "authentication", "info", "ssh_login", "failure")
	return true
}

// sshUnknownUser names the user of an attempt that is told of elsewhere.
func sshUnknownUser(_ *message, s string, b *event.Batch) bool {
	b.AddBool("system.auth.ssh.invalid_user", true)
	b.Add("user.name", s)
	classify(b, "authentication", "info", "ssh_invalid_user", "failure")
	return true
}

func sshTooMany(_ *message, s string, b *event.Batch) bool {
	var l sshLogin
	if !l.parse(s) && !l.peer(s) {
		return false
	}
	l.done()
	l.add("", "", b)
	classify(b, "authentication", "info", "ssh_max_attempts", "failure")
	return true
}

func sshTooManyAnonymous(_ *message, _ string, b *event.Batch) bool {
	classify(b, "authentication", "info", "ssh_max_attempts", "failure")
	return true
}

// sshPAM: "Authentication failure for [illegal user ]USER from HOST".
func sshPAM(_ *message, s string, b *event.Batch) bool {
	why, rest, ok := strings.Cut(s, " for ")
	i := strings.LastIndex(rest, " from ")
	if !ok || i < 0 || !isPeer(rest[i+len(" from "):]) {
		return false
	}
	l := sshLogin{user: rest[:i], address: rest[i+len(" from "):]}
	l.done()
	l.add("", "", b)
	b.Add("event.reason", why)
	classify(b, "authentication", "info", "authentication_failure", "failure")
	return true
}

// sshNotAllowed: "USER from HOST not allowed because REASON", also "USER not
// allowed because REASON" and "USER password has expired". The reasons are sshd's.
func sshNotAllowed(_ *message, s string, b *event.Batch) bool {
	if strings.HasPrefix(s, "child is on pid ") {
		return true
	}
	who, why, ok := cutLast(s, " not allowed because ")
	if !ok {
		return false
	}
	if i := strings.LastIndex(who, " from "); i >= 0 && isPeer(who[i+len(" from "):]) {
		addSource(b, who[i+len(" from "):], "")
		who = who[:i]
	}
	b.Add("user.name", who)
	b.Add("event.reason", why)
	classify(b, "authentication", "info", "ssh_login_denied", "failure")
	return true
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func sshRootRefused(_ *message, s string, b *event.Batch) bool {
	if _, address, port, ok := cutPeer(s); ok {
		addSource(b, address, port)
	} else if isPeer(s) {
		addSource(b, s, "")
	}
	b.Add("user.name", "root")
	classify(b, "authentication", "info", "ssh_login_denied", "failure")
	return true
}

func sshRestricted(_ *message, s string, b *event.Batch) bool {
	user, why, _ := strings.Cut(s, ": ")
	b.Add("user.name", user)
	b.Add("event.reason", why)
	classify(b, "authentication", "info", "ssh_login_denied", "failure")
	return true
}

// sshAuthenticationTried: "USER with correct key but not from a permitted host (host=H, ip=A)".
func sshAuthenticationTried(_ *message, s string, b *event.Batch) bool {
	user, rest, ok := cutLast(s, " with ")
	if !ok {
		return false
	}
	b.Add("user.name", user)
	if _, ip, ok := cutLast(rest, "ip="); ok {
		addSource(b, strings.TrimRight(ip, ")."), "")
	}
	b.Add("event.reason", strings.TrimSuffix(rest, "."))
	classify(b, "authentication", "info", "ssh_login_denied", "failure")
	return true
}

// sshAuthenticationRefused: "bad ownership or modes for directory /home/alice".
func sshAuthenticationRefused(_ *message, s string, b *event.Batch) bool {
	for _, what := range [...]string{" for directory ", " for file "} {
		if _, path, ok := strings.Cut(s, what); ok {
			b.Add("file.path", path)
		}
	}
	b.Add("event.reason", s)
	classify(b, "authentication", "info", "ssh_authentication_refused", "failure")
	return true
}

// sshAcceptedKey: "RSA SHA256:… found at /home/alice/.ssh/authorized_keys:1".
func sshAcceptedKey(_ *message, s string, b *event.Batch) bool {
	key, at, _ := strings.Cut(s, " found at ")
	b.Add("system.auth.ssh.signature", key)
	if path, _, ok := cutLast(at, ":"); ok {
		b.Add("file.path", path)
	}
	classify(b, "authentication", "info", "ssh_key_accepted", "")
	return true
}

// sshAccessDenied: "USER by PAM account configuration".
func sshAccessDenied(_ *message, s string, b *event.Batch) bool {
	user, ok := strings.CutSuffix(s, " by PAM account configuration")
	if !ok {
		return false
	}
	b.Add("user.name", user)
	b.Add("event.reason", "PAM account configuration")
	classify(b, "authentication", "info", "ssh_login_denied", "failure")
	return true
}

// sshKeyRefused: why a key or certificate was not looked at, "signature algorithm
// ssh-rsa not in PubkeyAcceptedAlgorithms", "expired".
func sshKeyRefused(_ *message, s string, b *event.Batch) bool {
	b.Add("event.reason", s)
	classify(b, "authentication", "info", "ssh_key_refused", "failure")
	return true
}

// sshKeyRevoked: "RSA SHA256:… revoked by file /etc/ssh/revoked".
func sshKeyRevoked(_ *message, s string, b *event.Batch) bool {
	key, file, ok := strings.Cut(s, " revoked by file ")
	if !ok {
		return false
	}
	b.Add("system.auth.ssh.signature", key)
	b.Add("file.path", file)
	b.Add("event.reason", "key revoked")
	classify(b, "authentication", "info", "ssh_key_refused", "failure")
	return true
}

// sshAcceptedCertificate: `"alice@example.com" (serial 7) signed by ED25519 CA SHA256:… via /etc/ssh/ca.pub`.
func sshAcceptedCertificate(_ *message, s string, b *event.Batch) bool {
	if _, file, ok := cutLast(s, " via "); ok {
		b.Add("file.path", file)
	}
	b.Add("system.auth.ssh.signature", s)
	classify(b, "authentication", "info", "ssh_key_accepted", "")
	return true
}
