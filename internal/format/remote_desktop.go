package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Other ways in: xrdp and its session manager, Cockpit, and xinetd before old daemons.

var _ = registerProgram(program{Names: []string{"xrdp", "xrdp-sesman"}, Dataset: datasetAuth, Decode: decodeXRDP})

// decodeXRDP: "[INFO ] Socket 12: AF_INET6 connection received from ::ffff:192.0.2.5 port 50000",
// "[INFO ] AUTHFAIL: user=bob ip=192.0.2.9 time=1710000000", "[INFO ] ++ created session (access
// granted): username alice, ip ::ffff:192.0.2.5:50000 - socket: 12", "[INFO ] Access permitted for user: alice".
func decodeXRDP(m *message, b *event.Batch) bool {
	s := m.Text
	if level, rest, ok := strings.Cut(s, "] "); ok && strings.HasPrefix(level, "[") {
		b.Add("log.level", lower(strings.TrimSpace(level[1:]), b))
		s = rest
	}
	switch {
	case strings.Contains(s, "connection received from "):
		_, from, _ := strings.Cut(s, "connection received from ")
		if head, address, port, ok := cutPeer(from); ok && head == "" {
			addSource(b, address, port)
		}
		classify(b, "network", "connection", "rdp_connection", "")
		b.Add("event.type", "start")
	case strings.HasPrefix(s, "AUTHFAIL: user="):
		s = s[len("AUTHFAIL: user="):]
		s, _, _ = cutLast(s, " time=")
		user, address, _ := cutLast(s, " ip=")
		b.Add("user.name", user)
		xrdpPeer(address, b)
		classify(b, "authentication", "info", "rdp_login", "failure")
	case strings.HasPrefix(s, "Username or password error for user: "):
		b.Add("user.name", s[len("Username or password error for user: "):])
		classify(b, "authentication", "info", "rdp_login", "failure")
	case strings.HasPrefix(s, "Access permitted for user: "):
		b.Add("user.name", s[len("Access permitted for user: "):])
		classify(b, "authentication", "info", "rdp_login", "success")
	// "++ created session (access granted): username U, ip A - socket: 12", "++ reconnected session: username U, display :10.0,
	// session_pid 1, ip A", "++ terminated session:  username U, display …"; "-- " ends some versions' too.
	case strings.HasPrefix(s, "++ "), strings.HasPrefix(s, "-- "):
		typ, outcome := "start", "success"
		if s[0] == '-' || strings.HasPrefix(s, "++ terminated session") {
			typ, outcome = "end", ""
		}
		if _, s, ok := strings.Cut(s, "username "); ok {
			s, address, _ := strings.Cut(s, ", ip ")
			user, _, _ := strings.Cut(s, ", display ")
			b.Add("user.name", user)
			address, _, _ = strings.Cut(address, " - ")
			xrdpPeer(address, b)
		} else if typ == "start" {
			return false
		}
		classify(b, "session", typ, "rdp_session", outcome)
	default:
		return false
	}
	return true
}

// xrdpPeer: "192.0.2.5", "192.0.2.5:50000", "::ffff:192.0.2.5:50000".
func xrdpPeer(s string, b *event.Batch) {
	if i := strings.LastIndexByte(s, ':'); i > 0 && isDigits(s[i+1:]) && strings.Contains(s[:i], ".") && ipVersion(s[:i]) != 0 {
		addSource(b, s[:i], s[i+1:])
		return
	}
	addSource(b, s, "")
}

var _ = registerProgram(program{Names: []string{"cockpit-ws", "cockpit-session", "cockpit-tls"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	if from, ok := strings.CutPrefix(m.Text, "New connection to session from "); ok {
		addSource(b, from, "")
		classify(b, "session", "start", "cockpit_session", "success")
		return true
	}
	switch {
	case strings.HasPrefix(m.Text, "logged in user session"), strings.HasPrefix(m.Text, "logged in user: "):
		_, user, _ := strings.Cut(m.Text, "user: ")
		b.Add("user.name", user)
		classify(b, "authentication", "info", "cockpit_login", "success")
	case strings.HasPrefix(m.Text, "User authentication failed"), strings.Contains(m.Text, ": authentication failed"):
		classify(b, "authentication", "info", "cockpit_login", "failure")
	default:
		return false
	}
	return true
}})

// xinetd: "START: ftp pid=123 from=192.0.2.9", "FAIL: telnet address from=192.0.2.9", "EXIT: ftp pid=123 duration=5(sec)".
var _ = registerProgram(program{Names: []string{"xinetd"}, Decode: func(m *message, b *event.Batch) bool {
	verb, s, ok := strings.Cut(m.Text, ": ")
	if !ok || verb != "START" && verb != "FAIL" && verb != "EXIT" {
		return false
	}
	name, s, _ := strings.Cut(s, " ")
	b.Add("service.name", name)
	for word := range strings.FieldsSeq(s) {
		if address, ok := strings.CutPrefix(word, "from="); ok {
			addSource(b, address, "")
		}
	}
	switch verb {
	case "START":
		classify(b, "network", "connection", "connect", "")
		b.Add("event.type", "start")
	case "FAIL":
		why, _, _ := strings.Cut(s, " from=")
		b.Add("event.reason", why)
		classify(b, "network", "connection", "connect", "failure")
		b.Add("event.type", "denied")
	default:
		classify(b, "network", "connection", "disconnect", "")
		b.Add("event.type", "end")
	}
	return true
}})
