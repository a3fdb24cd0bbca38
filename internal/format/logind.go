package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// systemd-logind (and elogind): sessions, seats, power.
var _ = registerProgram(program{
	Names:   []string{"systemd-logind", "elogind-daemon", "elogind"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		return logindPhrases.decode(m, m.Text, b)
	},
})

var logindPhrases = newPhraseBook(
	// "New session 12 of user alice.", since v256 "New session '12' of user 'alice' with class 'user' and type 'tty'."
	phrase{"New session ", func(_ *message, s string, b *event.Batch) bool {
		id, rest, ok := strings.Cut(s, " of user ")
		if !ok {
			return false
		}
		user, _, quoted := strings.Cut(rest, "' with class ")
		if !quoted {
			user = strings.TrimSuffix(rest, ".")
		}
		b.Add("user.name", strings.Trim(user, "'"))
		b.Add("system.auth.session.id", strings.Trim(id, "'"))
		classify(b, "session", "start", "logged-on", "success")
		return true
	}},
	// "Removed session 12.", "Session 12 logged out. Waiting for processes to exit."
	phrase{"Removed session ", func(_ *message, s string, b *event.Batch) bool {
		b.Add("system.auth.session.id", strings.Trim(strings.TrimSuffix(s, "."), "'"))
		classify(b, "session", "end", "logged-off", "success")
		return true
	}},
	phrase{"Session ", func(_ *message, s string, b *event.Batch) bool {
		id, rest, ok := strings.Cut(s, " ")
		if !ok || !strings.HasPrefix(rest, "logged out") {
			return false
		}
		b.Add("system.auth.session.id", strings.Trim(id, "'"))
		classify(b, "session", "end", "session-closing", "success")
		return true
	}},
	phrase{"New seat ", func(_ *message, s string, b *event.Batch) bool {
		classify(b, "host", "info", "seat-added", "")
		return true
	}},
	phrase{"Removed seat ", func(_ *message, s string, b *event.Batch) bool {
		classify(b, "host", "info", "seat-removed", "")
		return true
	}},
	phrase{"Power key pressed", logindPower},
	phrase{"System is powering down", logindPower},
	phrase{"System is rebooting", logindPower},
	phrase{"The system will ", logindPower},
	phrase{"Failed to ", func(m *message, _ string, b *event.Batch) bool {
		b.Add("event.reason", m.Text)
		b.Add("event.outcome", "failure")
		return false
	}},
)

func logindPower(m *message, _ string, b *event.Batch) bool {
	action := "shutdown"
	if strings.Contains(m.Text, "reboot") {
		action = "reboot"
	}
	classify(b, "host", "end", action, "")
	return true
}
