package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Vixie cron and cronie ("(root) CMD (…)"), crontab(1) ("(alice) LIST (bob)"), BusyBox
// crond, anacron, at.
var _ = registerProgram(program{
	Names:  []string{"CRON", "cron", "crond", "CROND", "crontab", "anacron", "fcron", "CRON ", "cronie"},
	Decode: decodeCron,
})

var _ = registerProgram(program{Names: []string{"atd", "at"}, Decode: func(m *message, b *event.Batch) bool {
	// "Starting job 7 (a00007…) for user 'alice' (1000)"
	s, ok := strings.CutPrefix(m.Text, "Starting job ")
	if !ok {
		return false
	}
	if _, user, ok := strings.Cut(s, " for user '"); ok {
		user, id, _ := strings.Cut(user, "' (")
		b.Add("user.name", user)
		b.Add("user.id", strings.TrimSuffix(id, ")"))
	}
	classify(b, "process", "start", "job-started", "")
	return true
}})

func decodeCron(m *message, b *event.Batch) bool {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "Job `"); ok { // anacron: "Job `cron.daily' started"
		name, what, _ := strings.Cut(rest, "' ")
		b.Add("service.name", name)
		switch {
		case strings.HasPrefix(what, "started"):
			classify(b, "process", "start", "job-started", "")
		case strings.HasPrefix(what, "terminated"):
			classify(b, "process", "end", "job-ended", "")
		}
		return true
	}
	if rest, ok := strings.CutPrefix(s, "USER "); ok { // BusyBox: "USER root pid 12 cmd run-parts /etc/periodic"
		user, rest, _ := strings.Cut(rest, " ")
		if _, command, ok := strings.Cut(rest, " cmd "); ok {
			b.Add("user.name", user)
			b.Add("process.command_line", command)
			classify(b, "process", "start", "cron_command", "")
			return true
		}
		return false
	}
	if s == "" || s[0] != '(' {
		return false
	}
	user, rest, ok := strings.Cut(s[1:], ") ")
	if !ok {
		return false
	}
	verb, arg, _ := strings.Cut(rest, " (")
	arg = strings.TrimSuffix(arg, ")")
	switch verb {
	case "CMD", "CMDOUT", "CMDEND":
		b.Add("user.name", user)
		arg = strings.TrimLeft(arg, " \t")
		if verb == "CMDOUT" {
			b.Add("process.io.text", arg)
			classify(b, "process", "info", "cron_output", "")
			return true
		}
		command := unescapeOctal(b, arg)
		b.Add("process.command_line", command)
		if verb == "CMD" {
			classify(b, "process", "start", "cron_command", "")
		} else {
			classify(b, "process", "end", "cron_command", "")
		}
	case "LIST", "BEGIN EDIT", "END EDIT", "REPLACE", "DELETE", "ADD":
		b.Add("user.name", user)
		b.Add("user.target.name", arg)
		switch verb {
		case "LIST":
			classify(b, "file", "access", "crontab_list", "success")
		case "REPLACE", "ADD":
			classify(b, "configuration", "change", "crontab_replace", "success")
		case "DELETE":
			classify(b, "configuration", "deletion", "crontab_delete", "success")
		case "BEGIN EDIT":
			classify(b, "configuration", "info", "crontab_edit_begin", "")
		default:
			classify(b, "configuration", "info", "crontab_edit_end", "")
		}
	case "AUTH":
		b.Add("user.name", user)
		b.Add("event.reason", arg)
		classify(b, "authentication", "info", "crontab_denied", "failure")
	case "RELOAD":
		cronOwner(user, b)
		b.Add("file.path", arg)
		classify(b, "configuration", "change", "crontab_reload", "success")
	case "WRONG FILE OWNER", "INSECURE MODE (mode 0600 expected)", "BAD FILE MODE", "WRONG INODE INFO", "NOT A REGULAR FILE":
		b.Add("file.path", arg)
		b.Add("event.reason", verb)
		classify(b, "configuration", "error", "crontab_refused", "failure")
	case "ORPHAN":
		cronOwner(user, b)
		b.Add("event.reason", arg)
		classify(b, "configuration", "error", "crontab_refused", "failure")
	case "MAIL":
		b.Add("user.name", user)
		b.Add("event.reason", arg)
		classify(b, "process", "info", "cron_mail", "")
	default:
		if user != "CRON" && user != "cron" {
			cronOwner(user, b)
		}
		switch {
		case strings.Contains(verb, "ERROR"), strings.Contains(rest, "failed"), strings.HasPrefix(rest, "error"):
			b.Add("event.reason", rest)
			b.Add("event.outcome", "failure")
		case verb == "INFO", verb == "info", verb == "STARTUP":
		default:
			return false
		}
	}
	return true
}

// cronOwner adds whose a table is; "*system*" and "*system*NAME" stand for /etc/crontab and
// the files of cron.d.
func cronOwner(user string, b *event.Batch) {
	if !strings.HasPrefix(user, "*system*") {
		b.Add("user.name", user)
	}
}

// run-parts of cronie and anacron: tag "run-parts(/etc/cron.daily)" or "run-parts" with "(/etc/cron.daily) starting logrotate".
var _ = registerProgram(program{Names: []string{"run-parts"}, Decode: func(m *message, b *event.Batch) bool {
	s := m.Text
	if strings.HasPrefix(s, "(") {
		_, s, _ = strings.Cut(s, ") ")
	}
	if name, ok := strings.CutPrefix(s, "starting "); ok {
		b.Add("service.name", name)
		classify(b, "process", "start", "job-started", "")
		return true
	}
	if name, ok := strings.CutPrefix(s, "finished "); ok {
		b.Add("service.name", name)
		classify(b, "process", "end", "job-ended", "")
		return true
	}
	return false
}})
