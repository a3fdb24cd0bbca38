package simulate

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// auditd's log (audit.log of Linux Audit 3, log_format RAW): what PAM and sshd
// report by themselves, and what a rule of execve by root shows of commands.

func (w *world) newAuditd(h *host) {
	if !w.o.without(h.name, "auditd") {
		h.auditLog = w.newTextLog(h, "var/log/audit/audit.log")
	}
}

// event begins the records of one event; each is a line with its serial.
func (h *host) auditEvent() func(m mark, kind, format string, args ...any) {
	l := h.auditLog
	if l == nil {
		return func(mark, string, string, ...any) {}
	}
	h.serial++
	at := h.time()
	stamp := fmt.Sprintf("msg=audit(%d.%03d:%d): ", floorDiv(at, second), (at-floorDiv(at, second)*second)/msec, 40_000+h.serial)
	first := true
	return func(m mark, kind, format string, args ...any) {
		l.line = append(append(append(append(l.line, "type="...), kind...), ' '), stamp...)
		l.line = fmt.Appendf(l.line, format, args...)
		if first {
			l.end(m)
			first = false
			return
		}
		l.end(mark{}) // of the same event, which is known by its first line
		l.cur.records--
	}
}

// auditLogin is what sshd reports of a password, right or wrong.
func (c *sshConnection) audit(kind, op, user string, success bool) {
	res := "failed"
	if success {
		res = "success"
	}
	tty := "ssh"
	auid, ses := "4294967295", "4294967295"
	c.h.auditEvent()(c.a.mark, kind, `pid=%d uid=0 auid=%s ses=%s subj=unconfined msg='op=%s acct="%s" exe="/usr/sbin/sshd" hostname=%s addr=%s terminal=%s res=%s'`,
		c.pid, auid, ses, op, user, c.from, c.from, tty, res)
}

// auditCommand is a command that sudo runs: sudo's own report, and the call.
func (s *session) auditCommand(command string) {
	h, a := s.h, s.a
	if h.auditLog == nil {
		return
	}
	ev := h.auditEvent()
	ev(a.mark, "USER_CMD", `pid=%d uid=%d auid=%d ses=%d subj=unconfined msg='cwd="%s" cmd=%s exe="/usr/bin/sudo" terminal=%s res=success'`,
		h.pid, s.uid, s.uid, s.number, s.home(), auditText(command), s.tty)
	words := strings.Fields(command)
	if len(words) == 0 {
		return
	}
	ev = h.auditEvent()
	name := words[0][strings.LastIndexByte(words[0], '/')+1:]
	ev(a.mark, "SYSCALL", `arch=c000003e syscall=59 success=yes exit=0 a0=55d0c0a8 a1=55d0c0b0 a2=55d0c0c8 a3=8 items=2 ppid=%d pid=%d auid=%d uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=%s ses=%d comm="%s" exe="%s" subj=unconfined key="rootcmd"`,
		h.pid-1, h.pid, s.uid, strings.ReplaceAll(s.tty, "/", ""), s.number, name, words[0])
	args := fmt.Sprintf("argc=%d", len(words))
	for i, w := range words {
		args += fmt.Sprintf(" a%d=%s", i, auditValue(w))
	}
	ev(a.mark, "EXECVE", "%s", args)
	ev(a.mark, "CWD", `cwd="%s"`, s.home())
	ev(a.mark, "PATH", `item=0 name="%s" inode=%d dev=fe:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0`, words[0], nidsMix(uint64(len(words[0])))%900_000)
	ev(a.mark, "PROCTITLE", "proctitle=%s", strings.ToUpper(hex.EncodeToString([]byte(strings.Join(words, "\x00")))))
}

// auditText is a value that may hold spaces: hexadecimal, as audit writes those.
func auditText(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }

// auditValue is quoted, or hexadecimal where quotes would not hold it.
func auditValue(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }) {
		return auditText(s)
	}
	return `"` + s + `"`
}

// auditAccount is what the account tools report.
func (h *host) auditAccount(a *actor, kind, op, name, exe string) {
	h.auditEvent()(a.mark, kind, `pid=%d uid=0 auid=1000 ses=%d subj=unconfined msg='op=%s acct="%s" exe="%s" hostname=%s addr=? terminal=pts/0 res=success'`,
		h.pid, h.session, op, name, exe, h.name)
}
