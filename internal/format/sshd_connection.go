package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// What sshd says of connections and sessions, before and after a login.

// sshClosed: "[authenticating |invalid ][user ]USER ADDRESS port N[ reason]". With a
// user whose authentication was going on, the end of the connection is the
// failure of the login; sshd may not log it otherwise (LogLevel INFO and keys).
func sshClosed(m *message, s string, b *event.Batch) bool {
	head, address, port, ok := cutPeer(s)
	if !ok {
		if !isPeer(s) || s == "remote" {
			return false
		}
		head, address = "", s
	}
	sshEnd(m, strings.TrimSuffix(head, " "), address, port, b)
	return true
}

func sshEnd(m *message, who, address, port string, b *event.Batch) {
	addSource(b, address, port)
	state, user, ok := strings.Cut(who, "user ")
	switch {
	case ok:
	case strings.HasSuffix(m.Text, " [preauth]"): // nobody has logged in
		classify(b, "network", "connection", "ssh_preauth_disconnect", "failure")
		b.Add("event.type", "end")
		return
	default:
		classify(b, "network", "connection", "ssh_disconnect", "")
		b.Add("event.type", "end")
		return
	}
	b.Add("user.name", user)
	switch {
	case state == "":
		classify(b, "session", "end", "ssh_disconnect", "success")
	case state == "invalid ":
		b.AddBool("system.auth.ssh.invalid_user", true)
		fallthrough
	default:
		classify(b, "authentication", "end", "ssh_preauth_disconnect", "failure")
	}
}

// sshDisconnecting: "Disconnecting: REASON".
func sshDisconnecting(_ *message, s string, b *event.Batch) bool {
	if rest, ok := strings.CutPrefix(s, "Too many authentication failures"); ok {
		b.Add("event.reason", "Too many authentication failures")
		if user, ok := strings.CutPrefix(rest, " for "); ok {
			b.Add("user.name", strings.TrimPrefix(user, "invalid user "))
		}
		classify(b, "authentication", "info", "ssh_max_attempts", "failure")
		return true
	}
	b.Add("event.reason", s)
	classify(b, "network", "connection", "ssh_disconnect", "")
	b.Add("event.type", "end")
	return true
}

// sshDisconnectingPeer: "[authenticating |invalid ]user USER ADDRESS port N: REASON".
// Of several readings the one counts whose reason is sshd's own and, where it
// names the user again, names the same.
func sshDisconnectingPeer(m *message, s string, b *event.Batch) bool {
	const changed = "Change of username or service not allowed: ("
	best, why, found := "", "", 0
	for from := 0; ; {
		i := strings.Index(s[from:], ": ")
		if i < 0 {
			break
		}
		i += from
		from = i + 2
		head, _, _, ok := cutPeer(s[:i])
		reason := s[from:]
		if !ok {
			continue
		}
		if names, ok := strings.CutPrefix(reason, changed); ok {
			_, user, _ := strings.Cut(strings.TrimSuffix(head, " "), "user ")
			if !strings.HasPrefix(names, user) || !strings.HasPrefix(names[len(user):], ",") {
				continue
			}
			best, why = s[:i], reason
			break
		}
		best, why = s[:i], reason
		found++
	}
	if best == "" {
		return false
	}
	head, address, port, _ := cutPeer(best)
	sshEnd(m, strings.TrimSuffix(head, " "), address, port, b)
	b.Add("event.reason", why)
	return true
}

// sshReceivedDisconnect: "ADDRESS[ port N]:CODE: TEXT". The text is the client's.
func sshReceivedDisconnect(_ *message, s string, b *event.Batch) bool {
	address, rest, _ := strings.Cut(s, " ")
	port := ""
	if p, ok := strings.CutPrefix(rest, "port "); ok {
		if port, rest, ok = strings.Cut(p, ":"); !ok {
			return false
		}
	} else {
		address = strings.TrimSuffix(address, ":")
	}
	if !isPeer(address) || port != "" && !isDigits(port) {
		return false
	}
	addSource(b, address, port)
	if code, text, ok := strings.Cut(rest, ": "); ok && isDigits(code) {
		b.Add("event.code", code)
		b.Add("event.reason", text)
	}
	classify(b, "network", "connection", "ssh_disconnect", "")
	b.Add("event.type", "end")
	return true
}

func sshReadError(_ *message, s string, b *event.Batch) bool {
	address, why, _ := strings.Cut(s, ": ")
	if head, a, port, ok := cutPeer(address); ok && head == "" {
		addSource(b, a, port)
	} else if isPeer(address) {
		addSource(b, address, "")
	}
	b.Add("event.reason", why)
	classify(b, "network", "connection", "ssh_disconnect", "")
	b.Add("event.type", "end")
	return true
}

// sshTimeout: "ADDRESS port N", since 9.8 "connection from ADDRESS to ADDRESS, pid = N".
func sshTimeout(_ *message, s string, b *event.Batch) bool {
	if rest, ok := strings.CutPrefix(s, "connection from "); ok {
		from, to, _ := strings.Cut(strings.Replace(rest, ",", " ", 1), " to ")
		address, _, _ := strings.Cut(from, " ")
		addSource(b, address, "")
		to, _, _ = strings.Cut(to, " ")
		addDestination(b, to, "")
	} else if _, address, port, ok := cutPeer(strings.TrimSuffix(s, ".")); ok {
		addSource(b, address, port)
	} else if isPeer(strings.TrimSuffix(s, ".")) {
		addSource(b, strings.TrimSuffix(s, "."), "")
	}
	classify(b, "authentication", "end", "ssh_timeout", "failure")
	return true
}

// sshConnection: "ADDRESS port N[ on ADDRESS port N[ rdomain R]]".
func sshConnection(_ *message, s string, b *event.Batch) bool {
	from, on, _ := strings.Cut(s, " on ")
	_, address, port, ok := cutPeer(from)
	if !ok {
		return false
	}
	addSource(b, address, port)
	on, _, _ = strings.Cut(on, " rdomain ")
	if _, address, port, ok := cutPeer(on); ok {
		addDestination(b, address, port)
	}
	classify(b, "network", "connection", "ssh_connection", "")
	b.Add("event.type", "start")
	return true
}

func sshNoIdentification(_ *message, s string, b *event.Batch) bool {
	address, port := s, ""
	if _, a, p, ok := cutPeer(s); ok {
		address, port = a, p
	}
	address, _, _ = strings.Cut(address, ":\x00")
	if !isPeer(address) {
		return false
	}
	if ipVersion(address) != 0 {
		b.Add("system.auth.ssh.dropped_ip", address)
	}
	addSource(b, address, port)
	classify(b, "network", "connection", "ssh_no_identification", "failure")
	return true
}

// sshBadProtocol: "'WHAT THE CLIENT SENT' from ADDRESS[ port N]".
func sshBadProtocol(_ *message, s string, b *event.Batch) bool {
	head, address, port, ok := cutPeer(s)
	if !ok {
		i := strings.LastIndexByte(s, ' ')
		if i < 0 || !isPeer(s[i+1:]) {
			return false
		}
		head, address = s[:i+1], s[i+1:]
	}
	addSource(b, address, port)
	b.Add("event.reason", strings.TrimSuffix(head, " from "))
	classify(b, "network", "protocol", "ssh_protocol_error", "failure")
	return true
}

// sshProtocolError: "[[authenticating |invalid ]user USER ]ADDRESS port N: REASON".
func sshProtocolError(_ *message, s string, b *event.Batch) bool {
	who, why, ok := strings.Cut(s, ": ")
	for ok {
		if _, _, _, peer := cutPeer(who); peer {
			break
		}
		var more string
		if more, why, ok = strings.Cut(why, ": "); ok {
			who = s[:len(who)+2+len(more)]
		}
	}
	head, address, port, peer := cutPeer(who)
	if !peer {
		return false
	}
	addSource(b, address, port)
	if _, user, ok := strings.Cut(strings.TrimSuffix(head, " "), "user "); ok {
		b.Add("user.name", user)
	}
	b.Add("event.reason", why)
	classify(b, "network", "protocol", "ssh_protocol_error", "failure")
	return true
}

func sshTailProtocolError(_ *message, s string, b *event.Batch) bool {
	_, address, port, ok := cutPeer(s)
	if ok {
		addSource(b, address, port)
	}
	classify(b, "network", "protocol", "ssh_protocol_error", "failure")
	return true
}

func sshAnonymousProtocolError(m *message, s string, b *event.Batch) bool {
	_, why := sshWords(m.Text)
	b.Add("event.reason", why)
	classify(b, "network", "protocol", "ssh_protocol_error", "failure")
	return true
}

// sshNegotiation: "ADDRESS[ port N]: no matching WHAT found. Their offer: LIST".
func sshNegotiation(_ *message, s string, b *event.Batch) bool {
	who, why, ok := strings.Cut(s, ": ")
	if !ok {
		return false
	}
	if head, address, port, ok := cutPeer(who); ok && head == "" {
		addSource(b, address, port)
	} else if isPeer(who) {
		addSource(b, who, "")
	} else {
		return false
	}
	b.Add("event.reason", why)
	classify(b, "network", "protocol", "ssh_negotiation_failed", "failure")
	return true
}

func sshNegotiationAnonymous(m *message, _ string, b *event.Batch) bool {
	_, why := sshWords(m.Text)
	b.Add("event.reason", why)
	classify(b, "network", "protocol", "ssh_negotiation_failed", "failure")
	return true
}

// sshReverseMapping: "HOST [ADDRESS] failed - POSSIBLE BREAK-IN ATTEMPT!".
func sshReverseMapping(_ *message, s string, b *event.Batch) bool {
	host, rest, ok := strings.Cut(s, " [")
	address, _, closed := strings.Cut(rest, "]")
	if !ok || !closed || ipVersion(address) == 0 {
		// "for HOST failed - POSSIBLE BREAK-IN ATTEMPT!" before OpenSSH 4
		host, _, ok = strings.Cut(s, " ")
		if !ok || !isHostName(host) {
			return false
		}
		b.Add("source.domain", host)
	} else {
		addSource(b, address, "")
		b.Add("source.domain", host)
	}
	classify(b, "network", "info", "ssh_reverse_mapping_failed", "failure")
	return true
}

// sshAddressMaps: "ADDRESS maps to HOST, but this does not map back to the address…".
func sshAddressMaps(_ *message, s string, b *event.Batch) bool {
	address, rest, ok := strings.Cut(s, " maps to ")
	if !ok || ipVersion(address) == 0 {
		return false
	}
	host, _, _ := strings.Cut(rest, ", but this")
	addSource(b, address, "")
	b.Add("source.domain", host)
	classify(b, "network", "info", "ssh_reverse_mapping_failed", "failure")
	return true
}

// sshNastyPTR: `"NAME" is set up for ADDRESS, ignoring`.
func sshNastyPTR(_ *message, s string, b *event.Batch) bool {
	name, rest, ok := cutLast(s, " is set up for ")
	address, _, _ := strings.Cut(rest, ",")
	if !ok || !isPeer(address) {
		return false
	}
	addSource(b, address, "")
	b.Add("source.domain", unquote(name))
	classify(b, "network", "info", "ssh_reverse_mapping_failed", "failure")
	return true
}

// sshRefusedConnect is TCP wrappers': "HOST (ADDRESS)" or "ADDRESS".
func sshRefusedConnect(_ *message, s string, b *event.Batch) bool {
	host, address, ok := strings.Cut(s, " (")
	if address = strings.TrimSuffix(address, ")"); !ok || ipVersion(address) == 0 {
		address = host
	}
	if !isPeer(address) {
		return false
	}
	addSource(b, address, "")
	classify(b, "network", "denied", "ssh_refused", "failure")
	b.Add("event.type", "connection")
	return true
}

// sshDropped: "N from [ADDRESS]:PORT on [ADDRESS]:PORT REASON".
func sshDropped(_ *message, s string, b *event.Batch) bool {
	_, s, ok := strings.Cut(s, " from ")
	from, rest, _ := strings.Cut(s, " ")
	address, port := unbracket(from)
	if !ok || ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, port)
	if on, ok := strings.CutPrefix(rest, "on "); ok {
		on, why, _ := strings.Cut(on, " ")
		address, port := unbracket(on)
		addDestination(b, address, port)
		b.Add("event.reason", why)
	}
	classify(b, "network", "denied", "ssh_refused", "failure")
	b.Add("event.type", "connection")
	return true
}

// sshSession: "shell on pts/0 for USER from ADDRESS port N id 0", "command for …",
// "subsystem 'sftp' for …", "forced-command (config) '…' for …".
func sshSession(_ *message, s string, b *event.Batch) bool {
	if i := strings.LastIndex(s, " id "); i > 0 && isDigits(s[i+4:]) {
		s = s[:i]
	}
	head, address, port, ok := cutPeer(s)
	if !ok {
		return false
	}
	what, user, _ := cutLast(strings.TrimSuffix(head, " from "), " for ")
	kind, tty, _ := strings.Cut(what, " on ")
	b.Add("user.name", user)
	b.Add("system.auth.ssh.session", kind)
	b.Add("process.tty.name", tty)
	addSource(b, address, port)
	classify(b, "session", "start", "ssh_session", "success")
	return true
}

func sshCloseSession(_ *message, s string, b *event.Batch) bool {
	if i := strings.LastIndex(s, " id "); i > 0 && isDigits(s[i+4:]) {
		s = s[:i]
	}
	var l sshLogin
	if !l.peer(s) {
		return false
	}
	l.add("", "", b)
	classify(b, "session", "end", "ssh_session", "success")
	return true
}

// sshSubsystem: "sftp by user alice[ failed, subsystem not found]".
func sshSubsystem(_ *message, s string, b *event.Batch) bool {
	name, user, ok := strings.Cut(s, " by user ")
	if !ok {
		name, _, _ = strings.Cut(s, " ")
	}
	outcome := "success"
	if u, failed := strings.CutSuffix(user, " failed, subsystem not found"); failed {
		user, outcome = u, "failure"
	}
	b.Add("user.name", user)
	b.Add("system.auth.ssh.subsystem", name)
	classify(b, "session", "info", "ssh_subsystem", outcome)
	return true
}

// sftpOpened: "USER from [ADDRESS]".
func sftpOpened(_ *message, s string, b *event.Batch) bool {
	return sftpSession(s, "start", b)
}

func sftpClosed(_ *message, s string, b *event.Batch) bool {
	return sftpSession(s, "end", b)
}

func sftpSession(s, typ string, b *event.Batch) bool {
	user, from, ok := cutLast(s, " from ")
	address, _ := unbracket(from)
	if !ok || !isPeer(address) {
		return false
	}
	b.Add("user.name", user)
	addSource(b, address, "")
	classify(b, "session", typ, "sftp_session", "success")
	return true
}

// sshListening: "0.0.0.0 port 22.".
func sshListening(_ *message, s string, b *event.Batch) bool {
	_, address, port, ok := cutPeer(strings.TrimSuffix(s, "."))
	if !ok {
		return false
	}
	if ipVersion(address) != 0 {
		b.Add("server.ip", plainIP(address))
	}
	addPort(b, "server.port", port)
	classify(b, "process", "start", "service_listening", "success")
	return true
}

func sshRestarting(_ *message, _ string, b *event.Batch) bool {
	classify(b, "process", "change", "service_restart", "")
	return true
}

func sshStopped(_ *message, s string, b *event.Batch) bool {
	classify(b, "process", "end", "service_stop", "")
	return true
}

// sshIdle: " from [user ]USER ADDRESS port N", also ".": a session whose client is gone.
func sshIdle(_ *message, s string, b *event.Batch) bool {
	if who, ok := strings.CutPrefix(s, " from "); ok {
		if head, address, port, ok := cutPeer(who); ok {
			addSource(b, address, port)
			_, user, _ := strings.Cut(strings.TrimSuffix(head, " "), "user ")
			b.Add("user.name", user)
		}
	}
	classify(b, "session", "end", "ssh_timeout", "")
	return true
}

func sshThrottling(m *message, _ string, b *event.Batch) bool {
	_, why := sshWords(m.Text)
	b.Add("event.reason", why)
	classify(b, "network", "denied", "ssh_throttling", "")
	return true
}

// sshPenalty: "ipv4: new 192.0.2.9/32 active penalty of 10 seconds for penalty: caused crash"
// (srclimit.c, since OpenSSH 9.8).
func sshPenalty(_ *message, s string, b *event.Batch) bool {
	for word := range strings.FieldsSeq(s) {
		if address, _, ok := strings.Cut(word, "/"); ok && ipVersion(address) != 0 {
			addSource(b, address, "")
			break
		}
	}
	_, why, _ := cutLast(s, "penalty: ")
	b.Add("event.reason", why)
	classify(b, "network", "denied", "ssh_penalty", "failure")
	return true
}

// sshTransferred: "3344, received 2988 bytes", as the server counts.
func sshTransferred(_ *message, s string, b *event.Batch) bool {
	sent, received, ok := strings.Cut(strings.TrimSuffix(s, " bytes"), ", received ")
	if !ok || !isDigits(sent) || !isDigits(received) {
		return false
	}
	b.AddNumber("source.bytes", received)
	b.AddNumber("destination.bytes", sent)
	classify(b, "network", "info", "ssh_transferred", "")
	return true
}

// sshForwardFailed: "HOST port N: failed.", a tunnel's end that could not be reached.
func sshForwardFailed(_ *message, s string, b *event.Batch) bool {
	who, why, _ := strings.Cut(s, ": ")
	_, host, port, ok := cutPeer(who)
	if !ok {
		return false
	}
	addForward(b, host, port)
	b.Add("event.reason", strings.TrimSuffix(why, "."))
	classify(b, "network", "connection", "ssh_forward", "failure")
	return true
}

// sshForwardRefused: "ADDRESS port N, target HOST port N".
func sshForwardRefused(_ *message, s string, b *event.Batch) bool {
	from, to, ok := strings.Cut(s, ", target ")
	_, address, port, peer := cutPeer(from)
	if !ok || !peer {
		return false
	}
	addSource(b, address, port)
	if _, host, port, ok := cutPeer(to); ok {
		addForward(b, host, port)
	}
	classify(b, "network", "denied", "ssh_forward", "failure")
	return true
}

// sshForwardDenied: "HOST port N to connect to host HOST port N, but the request was denied."
func sshForwardDenied(_ *message, s string, b *event.Batch) bool {
	s, ok := strings.CutSuffix(s, ", but the request was denied.")
	from, to, cut := strings.Cut(s, " to connect to host ")
	_, address, port, peer := cutPeer(from)
	if !ok || !cut || !peer {
		return false
	}
	addSource(b, address, port)
	if _, host, port, ok := cutPeer(to); ok {
		addForward(b, host, port)
	}
	classify(b, "network", "denied", "ssh_forward", "failure")
	return true
}

// addForward adds the far end of a tunnel.
func addForward(b *event.Batch, host, port string) {
	if ipVersion(host) != 0 {
		addDestination(b, host, port)
		return
	}
	b.Add("destination.address", host)
	b.Add("destination.domain", host)
	addPort(b, "destination.port", port)
}

// What sftp-server does for its client (sftp-server.c, at LogLevel INFO). A path runs to
// the last quote before the server's own words.

// sftpOpen: `PATH" flags WRITE,CREATE,TRUNCATE mode 0664`.
func sftpOpen(_ *message, s string, b *event.Batch) bool {
	path, rest, ok := cutLast(s, `" flags `)
	if !ok {
		return false
	}
	flags, mode, _ := strings.Cut(rest, " mode ")
	b.Add("file.path", path)
	b.Add("file.mode", mode)
	b.Add("system.auth.ssh.sftp_flags", flags)
	typ := "access"
	if strings.Contains(flags, "CREATE") {
		typ = "creation"
	} else if strings.Contains(flags, "WRITE") || strings.Contains(flags, "APPEND") {
		typ = "change"
	}
	classify(b, "file", typ, "sftp_open", "")
	return true
}

// sftpClose: `PATH" bytes read N written M`.
func sftpClose(_ *message, s string, b *event.Batch) bool {
	path, counts, ok := cutLast(s, `" bytes read `)
	if !ok {
		return false
	}
	read, written, _ := strings.Cut(counts, " written ")
	b.Add("file.path", path)
	if isDigits(read) {
		b.AddNumber("destination.bytes", read)
	}
	if isDigits(written) {
		b.AddNumber("source.bytes", written)
	}
	classify(b, "file", "access", "sftp_close", "")
	return true
}

// sftpOn: `PATH"[ mode 0777]`.
func sftpOn(category, typ, action string) func(*message, string, *event.Batch) bool {
	return func(_ *message, s string, b *event.Batch) bool {
		path, rest, ok := cutLast(s, `"`)
		if !ok {
			return false
		}
		b.Add("file.path", path)
		if mode, ok := strings.CutPrefix(rest, " mode "); ok {
			b.Add("file.mode", mode)
		}
		classify(b, category, typ, action, "")
		return true
	}
}

// sftpRename: `OLD" new "NEW"`.
func sftpRename(_ *message, s string, b *event.Batch) bool {
	from, to, ok := strings.Cut(strings.TrimSuffix(s, `"`), `" new "`)
	if !ok {
		return false
	}
	b.Add("file.path", to)
	b.Add("system.auth.ssh.sftp_old_path", from)
	classify(b, "file", "change", "sftp_rename", "")
	return true
}

func sftpLink(_ *message, s string, b *event.Batch) bool {
	target, path, ok := strings.Cut(strings.TrimSuffix(s, `"`), `" new "`)
	if !ok {
		return false
	}
	b.Add("file.path", path)
	b.Add("file.target_path", target)
	classify(b, "file", "creation", "sftp_link", "")
	return true
}
