package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// su(1) of shadow, util-linux, coreutils, BSD and AIX:
//
//	Successful su for TARGET by USER            FAILED su for TARGET by USER
//	+ /dev/pts/1 USER:TARGET                    - /dev/pts/1 USER:TARGET   (also USER-TARGET)
//	(to TARGET) USER on pts/1                   FAILED SU (to TARGET) USER on pts/1
//	USER to TARGET on /dev/ttyp1                BAD SU USER to TARGET on /dev/ttyp0
var _ = registerProgram(program{
	Names:   []string{"su", "su-l", "runuser", "runuser-l"},
	Dataset: datasetAuth,
	Decode:  decodeSu,
})

func decodeSu(m *message, b *event.Batch) bool {
	s := m.Text
	outcome := "success"
	failed := false
	for _, p := range [...]string{"FAILED SU ", "BAD SU ", "failed: "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			s, outcome, failed = rest, "failure", true
			break
		}
	}
	var user, target, tty string
	switch {
	case strings.HasPrefix(s, "pam_authenticate: "):
		b.Add("event.reason", s[len("pam_authenticate: "):])
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	case strings.HasPrefix(s, "Successful su for "), strings.HasPrefix(s, "FAILED su for "):
		if s[0] == 'F' {
			outcome = "failure"
		}
		_, s, _ = strings.Cut(s, " su for ")
		target, user, _ = cutLast(s, " by ")
	case strings.HasPrefix(s, "+ "), strings.HasPrefix(s, "- "):
		if s[0] == '-' {
			outcome = "failure"
		}
		var names string
		var ok bool
		if tty, names, ok = strings.Cut(s[2:], " "); !ok {
			return false
		}
		if user, target, ok = strings.Cut(names, ":"); !ok {
			if user, target, ok = strings.Cut(names, "-"); !ok {
				return false
			}
		}
	case strings.HasPrefix(s, "(to "):
		var rest string
		target, rest, _ = strings.Cut(s[len("(to "):], ") ")
		user, tty, _ = cutLast(rest, " on ")
		if user == "" { // "(to root) on none": nobody was logged in there
			user, tty, _ = cutLast(" "+rest, " on ")
		}
	case failed && strings.Contains(s, " changing from "): // AIX: "ttyq4 changing from ldap to root"
		var rest string
		tty, rest, _ = strings.Cut(s, " changing from ")
		user, target, _ = cutLast(rest, " to ")
	case strings.HasPrefix(s, "'su "): // 4.3BSD: "'su root' failed for lonvick on /dev/pts/8"
		var rest string
		target, rest, _ = strings.Cut(s[len("'su "):], "' ")
		verb, who, ok := strings.Cut(rest, " for ")
		if !ok {
			return false
		}
		if verb != "succeeded" {
			outcome = "failure"
		}
		user, tty, _ = cutLast(who, " on ")
	default:
		head, on, ok := cutLast(s, " on ")
		if !ok || !strings.Contains(head, " to ") {
			return false
		}
		user, target, _ = strings.Cut(head, " to ")
		if strings.IndexByte(user, ' ') >= 0 || strings.IndexByte(target, ' ') >= 0 {
			return false
		}
		tty = on
	}
	b.Add("user.name", strings.TrimSpace(user))
	b.Add("user.effective.name", target)
	b.Add("process.tty.name", tty)
	classify(b, "authentication", "info", "su", outcome)
	return true
}
