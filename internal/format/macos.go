package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// What macOS' own daemons write to system.log and install.log.

// Sessions by way of utmpx: "USER_PROCESS: 120 console", "DEAD_PROCESS: 300 ttys000".
var _ = registerProgram(program{Names: []string{"loginwindow", "sessionlogoutd"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	return utmpxProcess(m.Text, b)
}})

func utmpxProcess(s string, b *event.Batch) bool {
	kind, rest, ok := strings.Cut(s, ": ")
	if !ok || kind != "USER_PROCESS" && kind != "DEAD_PROCESS" {
		return false
	}
	pid, tty, ok := strings.Cut(rest, " ")
	if !ok || !isDigits(pid) {
		return false
	}
	b.Add("process.tty.name", tty)
	if kind == "USER_PROCESS" {
		classify(b, "session", "start", "logged-on", "success")
	} else {
		classify(b, "session", "end", "logged-off", "success")
	}
	return true
}

// Screen sharing: "Authentication: FAILED :: User Name: root :: Viewer Address: 192.0.2.9 :: Type: DH".
var _ = registerProgram(program{Names: []string{"screensharingd"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	verdict, rest, ok := strings.Cut(m.Text, " :: User Name: ")
	// The name is the viewer's to choose; what follows it is not.
	user, rest, cut := cutLast(rest, " :: Viewer Address: ")
	if !ok || !cut || !strings.HasPrefix(verdict, "Authentication: ") {
		return false
	}
	address, _, _ := strings.Cut(rest, " :: ")
	if user != "N/A" {
		b.Add("user.name", user)
	}
	addSource(b, address, "")
	outcome := "failure"
	if verdict == "Authentication: SUCCEEDED" {
		outcome = "success"
	}
	classify(b, "authentication", "info", "screen_sharing_login", outcome)
	return true
}})

// Boot and shutdown: "BOOT_TIME 1709546408 0", "SHUTDOWN_TIME: 1709546400 0", "reboot by alice:", "halt by root: ".
var _ = registerProgram(program{Names: []string{"bootlog", "shutdown", "reboot", "halt"}, Decode: func(m *message, b *event.Batch) bool {
	s := m.Text
	switch {
	case strings.HasPrefix(s, "BOOT_TIME"):
		classify(b, "host", "start", "boot", "")
		return true
	case strings.HasPrefix(s, "SHUTDOWN_TIME"):
		classify(b, "host", "end", "shutdown", "")
		return true
	}
	verb, user, ok := strings.Cut(s, " by ")
	if !ok {
		return false
	}
	action := "shutdown"
	switch verb {
	case "reboot", "rebooted":
		action = "reboot"
	case "halt", "halted", "power-down", "shutdown":
	default:
		return false
	}
	user, _, _ = strings.Cut(user, ":")
	b.Add("user.name", strings.TrimSpace(user))
	classify(b, "host", "end", action, "")
	return true
}})

// The authorization daemon: "Succeeded authorizing right 'system.preferences' by client '/Applications/X.app'
// [500] for authorization created by '/Applications/X.app' [500] (3,0)", "Failed to authorize right '…' by client '…' …".
var _ = registerProgram(program{Names: []string{"authd", "com.apple.authd"}, Dataset: datasetAuth, Decode: func(m *message, b *event.Batch) bool {
	outcome := "success"
	rest, ok := strings.CutPrefix(m.Text, "Succeeded authorizing right '")
	if !ok {
		if rest, ok = strings.CutPrefix(m.Text, "Failed to authorize right '"); !ok {
			return false
		}
		outcome = "failure"
	}
	right, rest, ok := strings.Cut(rest, "' by client '")
	client, _, closed := strings.Cut(rest, "'")
	if !ok || !closed {
		return false
	}
	b.Add("rule.name", right)
	b.Add("process.executable", client)
	classify(b, "authentication", "info", "authorization", outcome)
	return true
}})

// The installer: `Installed "Example Agent" (1.2.3)`, "Product archive /Users/alice/x.pkg trustLevel=350".
var _ = registerProgram(program{Names: []string{"installd", "Installer", "installer", "softwareupdated", "system_installd"}, Decode: func(m *message, b *event.Batch) bool {
	if rest, ok := strings.CutPrefix(m.Text, `Installed "`); ok {
		name, version, ok := cutLast(rest, `" (`)
		if !ok {
			return false
		}
		b.Add("package.name", name)
		b.Add("package.version", strings.TrimSuffix(version, ")"))
		b.Add("event.category", "package")
		b.Add("event.type", "installation")
		b.Add("event.action", "package_installed")
		b.Add("event.outcome", "success")
		return true
	}
	if rest, ok := strings.CutPrefix(m.Text, "Product archive "); ok {
		path, _, _ := cutLast(rest, " trustLevel=")
		b.Add("file.path", path)
		classify(b, "package", "info", "package_opened", "")
		return true
	}
	return false
}})
