package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// systemd, the manager: units that start, stop and fail. The unit's name or, where
// only that is written, its description is service.name.
var _ = registerProgram(program{
	Names: []string{"systemd", "init"},
	Decode: func(m *message, b *event.Batch) bool {
		if systemdPhrases.decode(m, m.Text, b) {
			return true
		}
		return systemdUnit(m.Text, b)
	},
})

var systemdPhrases = newPhraseBook(
	phrase{"Started ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "start", "service_started", "success", b)
	}},
	phrase{"Stopped ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "end", "service_stopped", "success", b)
	}},
	phrase{"Starting ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "info", "service_starting", "", b)
	}},
	phrase{"Stopping ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "info", "service_stopping", "", b)
	}},
	phrase{"Finished ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "end", "service_finished", "success", b)
	}},
	phrase{"Reloaded ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "change", "service_reloaded", "success", b)
	}},
	phrase{"Failed to start ", func(_ *message, s string, b *event.Batch) bool {
		return systemdJob(s, "error", "service_failed", "failure", b)
	}},
	phrase{"Created slice ", systemdQuiet}, phrase{"Removed slice ", systemdQuiet}, phrase{"Reached target ", systemdQuiet},
	phrase{"Stopped target ", systemdQuiet}, phrase{"Listening on ", systemdQuiet}, phrase{"Closed ", systemdQuiet},
	phrase{"Mounted ", systemdQuiet}, phrase{"Mounting ", systemdQuiet}, phrase{"Unmounting ", systemdQuiet}, phrase{"Unmounted ", systemdQuiet},
	phrase{"Reloading", systemdQuiet}, phrase{"Startup finished in ", systemdQuiet},
	phrase{"Time has been changed", func(_ *message, _ string, b *event.Batch) bool {
		classify(b, "host", "change", "time_changed", "")
		return true
	}},
)

func systemdQuiet(_ *message, _ string, b *event.Batch) bool { return true }

// systemdJob: "OpenBSD Secure Shell server.", "ssh.service - OpenBSD Secure Shell server…",
// "Session 3 of User alice.".
func systemdJob(s, typ, action, outcome string, b *event.Batch) bool {
	name := strings.TrimRight(s, ".")
	name = strings.TrimSuffix(name, "…")
	if rest, ok := strings.CutPrefix(name, "Session "); ok {
		if id, user, ok := strings.Cut(rest, " of "); ok {
			user = strings.TrimPrefix(strings.TrimPrefix(user, "User "), "user ")
			b.Add("user.name", user)
			b.Add("system.auth.session.id", id)
			classify(b, "session", typ, "session_scope", outcome)
			return true
		}
	}
	if unit, _, ok := strings.Cut(name, " - "); ok && isUnit(unit) {
		name = unit
	}
	if strings.HasPrefix(name, "target ") {
		return true
	}
	b.Add("service.name", name)
	classify(b, "process", typ, action, outcome)
	return true
}

// systemdUnit: "nginx.service: Main process exited, code=exited, status=1/FAILURE",
// "nginx.service: Failed with result 'exit-code'.", "Unit nginx.service entered failed state.".
func systemdUnit(s string, b *event.Batch) bool {
	if rest, ok := strings.CutPrefix(s, "Unit "); ok {
		unit, what, _ := strings.Cut(rest, " ")
		if !isUnit(unit) {
			return false
		}
		b.Add("service.name", unit)
		if strings.Contains(what, "failed state") {
			classify(b, "process", "error", "service_failed", "failure")
		}
		return true
	}
	unit, what, ok := strings.Cut(s, ": ")
	if !ok || !isUnit(unit) {
		return false
	}
	b.Add("service.name", unit)
	switch {
	case strings.HasPrefix(what, "Main process exited"), strings.HasPrefix(what, "Control process exited"):
		outcome := "failure"
		if strings.Contains(what, "status=0/") {
			outcome = "success"
		}
		b.Add("event.reason", what)
		classify(b, "process", "end", "service_exited", outcome)
	case strings.HasPrefix(what, "Failed with result"), strings.HasPrefix(what, "Start request repeated too quickly"), strings.HasPrefix(what, "Failed to "):
		b.Add("event.reason", what)
		classify(b, "process", "error", "service_failed", "failure")
	case strings.HasPrefix(what, "Succeeded"), strings.HasPrefix(what, "Deactivated successfully"):
		classify(b, "process", "end", "service_stopped", "success")
	case strings.HasPrefix(what, "A process of this unit has been killed by the OOM killer"):
		classify(b, "process", "end", "oom_kill", "failure")
	}
	return true
}

func isUnit(s string) bool {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || strings.IndexByte(s, ' ') >= 0 {
		return false
	}
	switch s[i+1:] {
	case "service", "socket", "target", "timer", "scope", "slice", "mount", "automount", "swap", "path", "device":
		return true
	}
	return false
}
