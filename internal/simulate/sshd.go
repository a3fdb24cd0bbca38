package simulate

import "fmt"

// sshConnection is a connection to a host's sshd and the process that serves it.
type sshConnection struct {
	a      *actor
	h      *host
	pid    int64
	from   string
	port   int
	flow   flow
	failed int    // passwords
	first  string // user who failed
}

// sshConnect opens a connection; sshd with its default LogLevel INFO says
// nothing yet.
func (h *host) sshConnect(a *actor, from string) *sshConnection {
	c := &sshConnection{a: a, h: h, pid: h.newPID(a), from: from, port: clientPort(a)}
	c.flow = h.w.sensor.open(a, "TCP", from, c.port, h.address, 22)
	c.flow.app = "ssh"
	return c
}

func (c *sshConnection) logf(format string, args ...any) {
	c.h.authf(c.a, "sshd", c.pid, format, args...)
}

// who is how sshd names a user who has not logged in.
func (c *sshConnection) who(user string) string {
	if _, ok := c.h.accounts[user]; ok {
		return "authenticating user " + user
	}
	return "invalid user " + user
}

// fail is one wrong password.
func (c *sshConnection) fail(user string) {
	_, known := c.h.accounts[user]
	if !known && c.failed == 0 {
		c.logf("Invalid user %s from %s port %d", user, c.from, c.port)
	}
	c.a.pause(200*msec, 600*msec)
	switch {
	case c.failed > 0 && known: // pam_unix reports the first, and the sum at the end
	case known:
		c.logf("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", c.from, user)
	case c.failed > 0:
		c.logf("pam_unix(sshd:auth): check pass; user unknown")
	default:
		c.logf("pam_unix(sshd:auth): check pass; user unknown")
		c.logf("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s ", c.from)
	}
	c.a.pause(1500*msec, 2600*msec) // pam_faildelay
	invalid := ""
	if !known {
		invalid = "invalid user "
	}
	c.logf("Failed password for %s%s from %s port %d ssh2", invalid, user, c.from, c.port)
	if acct := user; known {
		c.audit("USER_AUTH", "PAM:authentication grantors=?", acct, false)
	} else {
		c.audit("USER_AUTH", "PAM:authentication grantors=?", "(unknown)", false)
	}
	c.failed++
	c.first = user
	c.flow.toServer += 300
	c.flow.toClient += 250
}

// giveUp ends a connection that never logged in, the client's way: a clean
// disconnect as libssh and paramiko send it, or just closing.
func (c *sshConnection) giveUp(clean bool) {
	c.a.pause(20*msec, 400*msec)
	switch {
	case c.first == "":
		c.logf("Connection closed by %s port %d [preauth]", c.from, c.port)
	case clean:
		c.logf("Received disconnect from %s port %d:11: Bye Bye [preauth]", c.from, c.port)
		c.logf("Disconnected from %s %s port %d [preauth]", c.who(c.first), c.from, c.port)
	default:
		c.logf("Connection closed by %s %s port %d [preauth]", c.who(c.first), c.from, c.port)
	}
	c.summary()
	c.close()
}

// tooMany is what happens at MaxAuthTries (6) wrong passwords.
func (c *sshConnection) tooMany() {
	invalid := ""
	if _, known := c.h.accounts[c.first]; !known {
		invalid = "invalid user "
	}
	c.logf("error: maximum authentication attempts exceeded for %s%s from %s port %d ssh2 [preauth]", invalid, c.first, c.from, c.port)
	c.logf("Disconnecting %s %s port %d: Too many authentication failures [preauth]", c.who(c.first), c.from, c.port)
	c.summary()
	c.close()
}

// summary is what PAM says of further failures when the connection ends.
func (c *sshConnection) summary() {
	if c.failed < 2 {
		return
	}
	user := ""
	if _, known := c.h.accounts[c.first]; known {
		user = " user=" + c.first
	}
	s := "s"
	if c.failed == 2 {
		s = ""
	}
	c.logf("PAM %d more authentication failure%s; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s %s", c.failed-1, s, c.from, user)
	if c.failed > 3 {
		c.logf("PAM service(sshd) ignoring max retries; %d > 3", c.failed)
	}
}

func (c *sshConnection) close() {
	c.flow.toServer += 1500
	c.flow.toClient += 1900
	c.h.w.sensor.close(c.a, &c.flow)
}

// session is someone logged in on a Linux host.
type session struct {
	c      *sshConnection
	a      *actor
	h      *host
	user   string
	uid    int
	number int64
	child  int64 // sshd of the user
	shell  int64
	tty    string
}

// accept logs a user in, by password or with a key.
func (c *sshConnection) accept(user, key string) *session {
	a, h := c.a, c.h
	s := &session{c: c, a: a, h: h, user: user, uid: h.accounts[user], tty: fmt.Sprintf("pts/%d", a.rng.below(4))}
	a.pause(100*msec, 400*msec)
	if key != "" {
		c.logf("Accepted publickey for %s from %s port %d ssh2: ED25519 %s", user, c.from, c.port, key)
	} else {
		c.logf("Accepted password for %s from %s port %d ssh2", user, c.from, c.port)
	}
	a.wait(4 * msec)
	c.audit("USER_AUTH", "PAM:authentication grantors=pam_unix", user, true)
	c.audit("USER_LOGIN", "login", user, true)
	c.logf("pam_unix(sshd:session): session opened for user %s(uid=%d) by (uid=0)", user, s.uid)
	h.session++
	s.number = h.session
	a.pause(3*msec, 20*msec)
	h.authf(a, "systemd-logind", h.logind, "New session %d of user %s.", s.number, user)
	h.sysf(a, "systemd", 1, "Started session-%d.scope - Session %d of User %s.", s.number, s.number, user)
	manager := h.newPID(a)
	h.authf(a, "systemd", manager, "pam_unix(systemd-user:session): session opened for user %s(uid=%d) by (uid=0)", user, s.uid)
	s.child = h.newPID(a)
	s.shell = h.newPID(a)
	return s
}

// exit logs out.
func (s *session) exit() {
	a, c := s.a, s.c
	s.h.authf(a, "sshd", s.child, "Received disconnect from %s port %d:11: disconnected by user", c.from, c.port)
	s.h.authf(a, "sshd", s.child, "Disconnected from user %s %s port %d", s.user, c.from, c.port)
	a.wait(2 * msec)
	c.logf("pam_unix(sshd:session): session closed for user %s", s.user)
	a.wait(3 * msec)
	s.h.authf(a, "systemd-logind", s.h.logind, "Session %d logged out. Waiting for processes to exit.", s.number)
	s.h.authf(a, "systemd-logind", s.h.logind, "Removed session %d.", s.number)
	s.h.sysf(a, "systemd", 1, "session-%d.scope: Deactivated successfully.", s.number)
	c.flow.toServer += a.between(2000, 30_000)
	c.flow.toClient += a.between(5000, 120_000)
	c.close()
}

func (s *session) home() string {
	if s.user == "root" {
		return "/root"
	}
	return "/home/" + s.user
}

// sudo runs a command as root: do is what it does besides, or nil.
func (s *session) sudo(command string, do func()) {
	h, a := s.h, s.a
	h.newPID(a) // sudo logs none, but is a process
	h.authf(a, "sudo", 0, "%8s : TTY=%s ; PWD=%s ; USER=root ; COMMAND=%s", s.user, s.tty, s.home(), command)
	h.authf(a, "sudo", 0, "pam_unix(sudo:session): session opened for user root(uid=0) by %s(uid=%d)", s.user, s.uid)
	s.auditCommand(command)
	a.pause(50*msec, 300*msec)
	if do != nil {
		do()
	}
	a.pause(20*msec, 800*msec)
	h.authf(a, "sudo", 0, "pam_unix(sudo:session): session closed for user root")
}

// sudoTypo is a wrong password for sudo, to be tried again.
func (s *session) sudoTypo() {
	s.h.authf(s.a, "sudo", 0, "pam_unix(sudo:auth): authentication failure; logname=%s uid=%d euid=0 tty=/dev/%s ruser=%s rhost=  user=%s",
		s.user, s.uid, s.tty, s.user, s.user)
	s.a.pause(2*second, 5*second)
}

// su becomes another user for a while, through sudo as Debian's admins do it.
func (s *session) su(user string, stay int64) {
	h, a := s.h, s.a
	if _, known := h.accounts[user]; !known {
		h.accounts[user] = 100 + len(user)
	}
	s.sudo("/usr/bin/su - "+user, func() {
		pid := h.newPID(a)
		h.authf(a, "su", pid, "(to %s) root on %s", user, s.tty)
		h.authf(a, "su", pid, "pam_unix(su-l:session): session opened for user %s(uid=%d) by %s(uid=0)", user, h.accounts[user], s.user)
		a.wait(stay)
		h.authf(a, "su", pid, "pam_unix(su-l:session): session closed for user %s", user)
	})
}

// addUser is useradd -m, then chpasswd.
func (h *host) addUser(a *actor, name, tty string) {
	uid := 1001 + len(h.w.people) + len(h.accounts)
	h.accounts[name] = uid
	pid := h.newPID(a)
	h.authf(a, "useradd", pid, "new group: name=%s, GID=%d", name, uid)
	h.authf(a, "useradd", pid, "new user: name=%s, UID=%d, GID=%d, home=/home/%s, shell=/bin/bash, from=/dev/%s", name, uid, uid, name, tty)
	h.auditAccount(a, "ADD_USER", "adding user", name, "/usr/sbin/useradd")
}

func (h *host) setPassword(a *actor, name string) {
	h.authf(a, "chpasswd", h.newPID(a), "pam_unix(chpasswd:chauthtok): password changed for %s", name)
}

func (h *host) addToGroup(a *actor, name, group string) {
	pid := h.newPID(a)
	h.authf(a, "usermod", pid, "add '%s' to group '%s'", name, group)
	h.authf(a, "usermod", pid, "add '%s' to shadow group '%s'", name, group)
	h.auditAccount(a, "USER_MGMT", "add-user-to-group grp=\""+group+"\"", name, "/usr/sbin/usermod")
}
