package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

var _ = registerProgram(program{Names: []string{"dropbear"}, Dataset: datasetAuth, Decode: decodeDropbear})

// Dropbear, the SSH server of small devices: "Bad password attempt for 'bob' from 192.0.2.7:4711",
// "Login attempt for nonexistent user from 192.0.2.7:4711", "Password auth succeeded for 'bob' from …",
// "Pubkey auth succeeded for 'bob' with … key … from …", "Child connection from 192.0.2.7:4711",
// "Exit before auth from <192.0.2.7:4711>: …", "Exit (bob): Disconnect received".
func decodeDropbear(m *message, b *event.Batch) bool {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "Exit ("); ok {
		user, why, _ := strings.Cut(rest, ")")
		b.Add("user.name", user)
		_, why, _ = strings.Cut(why, ": ")
		b.Add("event.reason", why)
		classify(b, "session", "end", "ssh_disconnect", "")
		return true
	}
	what, peer, ok := cutLast(s, " from ")
	if !ok {
		return false
	}
	peer, why, _ := strings.Cut(peer, ">: ")
	peer = strings.TrimPrefix(peer, "<")
	address, port, _ := cutLast(peer, ":")
	if ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, port)
	b.Add("event.reason", why)
	if _, user, ok := strings.Cut(what, " for '"); ok {
		user, _, _ = cutLast(user, "'")
		b.Add("user.name", user)
	}
	switch {
	case strings.Contains(what, "auth succeeded"):
		b.Add("event.category", "authentication")
		classify(b, "session", "info", "ssh_login", "success")
	case strings.HasPrefix(what, "Bad "), strings.HasPrefix(what, "Login attempt"), strings.Contains(what, "rejected"):
		classify(b, "authentication", "info", "ssh_login", "failure")
	case strings.HasPrefix(what, "Exit before auth"):
		classify(b, "authentication", "end", "ssh_preauth_disconnect", "failure")
	default:
		classify(b, "network", "connection", "ssh_connection", "")
		b.Add("event.type", "start")
	}
	return true
}
