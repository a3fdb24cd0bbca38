package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// sudo and its kin. sudo's line (sudoers(5), "LOG FORMAT"):
//
//	USER : [ERROR ; ]TTY=… ; [CHROOT=… ; ]PWD=… ; USER=… ; [GROUP=… ; ][TSID=… ; ][ENV=… ; ]COMMAND=…[ ; SIGNAL=…][ ; EXIT=…]
//
// The command runs to the end of the line whatever it holds.
var _ = registerProgram(program{
	Names:   []string{"sudo", "sudo-i", "sudoedit", "sudoreplay"},
	Dataset: datasetAuth,
	Decode:  decodeSudo,
})

var _ = registerProgram(program{Names: []string{"doas"}, Dataset: datasetAuth, Decode: decodeDoas})

func decodeSudo(m *message, b *event.Batch) bool {
	user, s, ok := strings.Cut(strings.TrimSuffix(m.Text, " ; "), " : ")
	if !ok || strings.IndexByte(user, ' ') >= 0 {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "(command continued) "); ok {
		b.Add("user.name", user)
		b.Add("system.auth.sudo.command_continued", rest)
		classify(b, "process", "info", "sudo_command_continued", "")
		return true
	}
	failure := ""
	if !startsSudoField(s) {
		// Errors hold no " ; TTY=", but may hold " ; ".
		for at := 0; ; {
			i := strings.Index(s[at:], " ; ")
			if i < 0 {
				failure, s = s, ""
				break
			}
			at += i + 3
			if startsSudoField(s[at:]) {
				failure, s = s[:at-3], s[at:]
				break
			}
		}
		if s == "" && !isSudoError(failure) {
			return false
		}
	}
	b.Add("user.name", user)
	b.Add("system.auth.sudo.error", failure)
	command := false
	exit, signal := "", ""
	for s != "" {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		if key == "COMMAND" {
			command = true
			value, exit, signal = cutSudoExit(value)
			b.Add("system.auth.sudo.command", value)
			b.Add("process.command_line", unescapeOctal(b, value))
			break
		}
		value, s = cutSudoField(value)
		switch key {
		case "TTY":
			b.Add("system.auth.sudo.tty", value)
			b.Add("process.tty.name", value)
		case "PWD":
			b.Add("system.auth.sudo.pwd", value)
			b.Add("process.working_directory", value)
		case "USER":
			b.Add("system.auth.sudo.user", value)
			b.Add("user.effective.name", value)
		case "GROUP":
			b.Add("system.auth.sudo.group", value)
			b.Add("user.effective.group.name", value)
		case "TSID":
			b.Add("system.auth.sudo.tsid", value)
		case "ENV":
			b.Add("system.auth.sudo.env", value)
		case "CHROOT":
			b.Add("system.auth.sudo.chroot", value)
		case "HOST":
			b.Add("system.auth.sudo.host", value)
		}
	}
	switch {
	case failure != "":
		b.Add("event.reason", failure)
		action := "sudo_denied"
		for _, w := range [...]string{"unable to ", "problem with ", "parse error", "unknown defaults"} {
			if strings.HasPrefix(failure, w) && !command { // a warning: sudo goes on, or tells of the command elsewhere
				classify(b, "process", "error", "sudo_error", "")
				return true
			}
		}
		for _, w := range [...]string{"incorrect password", "password is required", "conversation failed", "terminal is required", "no tty present"} {
			if strings.Contains(failure, w) {
				action = "sudo_authentication_failure"
			}
		}
		classify(b, "process", "info", action, "failure")
	case command && (exit != "" || signal != ""): // sudoers' log_exit_status: told of a second time, when it ends
		b.AddNumber("process.exit_code", exit)
		b.Add("system.auth.sudo.signal", signal)
		classify(b, "process", "end", "sudo_exit", "")
	case command:
		classify(b, "process", "start", "sudo_command", "success")
	default:
		b.Add("event.category", "process")
	}
	return true
}

var sudoFields = [...]string{"TTY=", "PWD=", "USER=", "COMMAND=", "CHROOT=", "GROUP=", "TSID=", "ENV=", "HOST="}

func startsSudoField(s string) bool {
	for _, f := range sudoFields {
		if strings.HasPrefix(s, f) {
			return true
		}
	}
	return false
}

// cutSudoExit takes " ; SIGNAL=TERM ; EXIT=143" off a command.
func cutSudoExit(s string) (command, exit, signal string) {
	if c, n, ok := cutLast(s, " ; EXIT="); ok && isDigits(n) {
		s, exit = c, n
	}
	if c, name, ok := cutLast(s, " ; SIGNAL="); ok && strings.IndexByte(name, ' ') < 0 {
		s, signal = c, name
	}
	return s, exit, signal
}

// cutSudoField ends a value before the " ; " that another field follows.
func cutSudoField(s string) (value, rest string) {
	for at := 0; ; {
		i := strings.Index(s[at:], " ; ")
		if i < 0 {
			return s, ""
		}
		at += i + 3
		if startsSudoField(s[at:]) {
			return s[:at-3], s[at:]
		}
	}
}

func isSudoError(s string) bool {
	for _, w := range [...]string{"incorrect password", "NOT in sudoers", "not allowed", "NOT authorized", "password is required",
		"a terminal is required", "no tty present", "unknown uid", "parse error", "problem with defaults", "unable to"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// decodeDoas decodes OpenBSD's doas(1): "alice ran command /bin/ksh as root from
// /tmp", "alice ran command as root: ls", "failed auth for alice", "failed command
// for alice: ls", "command not permitted for alice: ls".
func decodeDoas(m *message, b *event.Batch) bool {
	s := m.Text
	if user, ok := strings.CutPrefix(s, "failed auth for "); ok {
		b.Add("user.name", user)
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	}
	for _, p := range [...]string{"failed command for ", "command not permitted for "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			user, command, _ := strings.Cut(rest, ": ")
			b.Add("user.name", user)
			b.Add("process.command_line", command)
			classify(b, "process", "info", "doas_denied", "failure")
			return true
		}
	}
	user, rest, ok := strings.Cut(s, " ran command ")
	if !ok {
		return false
	}
	b.Add("user.name", user)
	if as, ok := strings.CutPrefix(rest, "as "); ok {
		target, command, _ := strings.Cut(as, ": ")
		b.Add("user.effective.name", target)
		b.Add("process.command_line", command)
	} else {
		head, dir, _ := cutLast(rest, " from ")
		command, target, _ := cutLast(head, " as ")
		b.Add("process.command_line", command)
		b.Add("user.effective.name", target)
		b.Add("process.working_directory", dir)
	}
	classify(b, "process", "start", "doas_command", "success")
	return true
}

// plainText is s with the line ends and tabs that rsyslog wrote as "#012" and "#011"
// ($EscapeControlCharactersOnReceive). A single "#012" behind a blank is more likely a number.
// Programs' messages are read before that, so that no line end is taken for the message's.
func plainText(b *event.Batch, s string) string {
	i := strings.Index(s, "#01")
	if i < 0 {
		return s
	}
	if lines := strings.Count(s[i:], "#012"); strings.Contains(s[i:], "#011") || lines > 1 || lines == 1 && !strings.Contains(s, " #012") {
		return unescapeOctal(b, s)
	}
	return s
}

// unescapeOctal undoes rsyslog's and sudo's "#012" for control characters.
func unescapeOctal(b *event.Batch, s string) string {
	if !strings.Contains(s, "#0") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && i+3 < len(s) && s[i+1] == '0' && '0' <= s[i+2] && s[i+2] <= '3' && '0' <= s[i+3] && s[i+3] <= '7' {
			out = append(out, (s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, s[i])
	}
	return b.Bytes(out)
}
