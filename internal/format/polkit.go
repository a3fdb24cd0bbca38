package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// polkitd and pkexec:
//
//	Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT
//	authorization for action org.example.manage for unix-process:812:4711 [bash] (owned by unix-user:alice)
//	Operator of unix-session:2 FAILED to authenticate to gain authorization for action …
//	Registered Authentication Agent for unix-session:2 (…)
//	alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=/usr/bin/id]
var _ = registerProgram(program{
	Names:   []string{"polkitd", "polkit-agent-helper-1"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		s, ok := strings.CutPrefix(m.Text, "Operator of ")
		if !ok {
			return strings.Contains(m.Text, "egistered Authentication Agent for ")
		}
		if _, owner, ok := cutLast(s, "(owned by unix-user:"); ok {
			b.Add("user.name", strings.TrimSuffix(owner, ")"))
		}
		if _, action, ok := strings.Cut(s, " for action "); ok {
			action, _, _ = strings.Cut(action, " ")
			b.Add("system.auth.polkit.action", action)
		}
		if _, as, ok := strings.Cut(s, " authenticated as unix-user:"); ok {
			as, _, _ = strings.Cut(as, " ")
			b.Add("user.effective.name", as)
			classify(b, "authentication", "info", "polkit_authorization", "success")
			return true
		}
		if strings.Contains(s, " FAILED to authenticate ") {
			classify(b, "authentication", "info", "polkit_authorization", "failure")
		}
		return true
	},
})

var _ = registerProgram(program{
	Names:   []string{"pkexec"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		user, s, ok := strings.Cut(m.Text, ": ")
		i := strings.IndexByte(s, '[')
		if !ok || i < 0 {
			return false
		}
		what := strings.TrimSpace(s[:i])
		b.Add("user.name", user)
		for s = s[i:]; ; {
			var field string
			if field, ok = strings.CutPrefix(s, "["); !ok {
				break
			}
			key, value, ok := strings.Cut(field, "=")
			if !ok {
				break
			}
			if key == "COMMAND" { // the last; it may hold brackets
				b.Add("process.command_line", strings.TrimSuffix(value, "]"))
				break
			}
			value, s, _ = strings.Cut(value, "] ")
			switch key {
			case "USER":
				b.Add("user.effective.name", value)
			case "TTY":
				b.Add("process.tty.name", value)
			case "CWD":
				b.Add("process.working_directory", value)
			}
		}
		if what == "Executing command" {
			classify(b, "process", "start", "pkexec_command", "success")
		} else { // "The value for the SHELL variable was not found the /etc/shells file", "Error executing command as another user: Not authorized"
			b.Add("event.reason", what)
			classify(b, "process", "info", "pkexec_denied", "failure")
		}
		return true
	},
})
