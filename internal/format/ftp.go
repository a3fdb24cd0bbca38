package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// FTP servers, as far as who connected and who logged in.

var _ = registerProgram(program{Names: []string{"vsftpd"}, Dataset: "vsftpd.log", Decode: decodeVsftpd})

// vsftpd with syslog_enable: `[alice] FAIL LOGIN: Client "192.0.2.7"`, `CONNECT: Client "192.0.2.7"`,
// `[alice] OK UPLOAD: Client "192.0.2.7", "/pub/x.bin", 4096 bytes, 12.34Kbyte/sec`. vsftpd's own
// file has "[pid 12] " first.
// vsftpd's own file: "Mon Jan  6 08:00:00 2025 [pid 2] [alice] OK LOGIN: Client "192.0.2.7"".
var _ = register(Format{
	Name:  "vsftpd",
	Title: "vsftpd log",
	Group: "auth",
	Recognise: func(s *Sample) int {
		return s.Share(func(line string) bool {
			var c timestamp.Clock
			_, n, ok := c.CTime(line)
			return ok && strings.HasPrefix(line[n:], " [pid ")
		}) * 90 / 100
	},
	Lines: func(p *Params) LineDecoder {
		var m message
		return func(line string, b *event.Batch) error {
			ns, n, ok := p.Clock.CTime(line)
			if !ok || !strings.HasPrefix(line[n:], " [pid ") {
				return errNoVsftpdHeader
			}
			b.Event().Time = ns
			m = message{Text: line[n+1:], Tag: "vsftpd", facts: m.facts}
			m.decode(b)
			return nil
		}
	},
})

var errNoVsftpdHeader = errors.New("no vsftpd header")

func decodeVsftpd(m *message, b *event.Batch) bool {
	s := m.Text
	if rest, ok := strings.CutPrefix(s, "[pid "); ok {
		pid, after, ok := strings.Cut(rest, "] ")
		if !ok {
			return false
		}
		if isDigits(pid) && !b.Event().Has("process.pid") {
			b.AddNumber("process.pid", pid)
		}
		s = after
	}
	// Before login the user's name is anybody's, behind it the file's: the last client
	// counts there, the first here.
	const client = `: Client "`
	what, peer, ok := cutLast(s, client)
	if !strings.HasSuffix(what, " LOGIN") {
		what, peer, ok = strings.Cut(s, client)
	}
	if !ok {
		return false
	}
	user := ""
	if strings.HasPrefix(what, "[") {
		if u, w, ok := cutLast(what, "] "); ok {
			user, what = u[1:], w
		}
	}
	address, rest, _ := strings.Cut(peer, `"`)
	b.Add("user.name", user)
	addSource(b, address, "")
	if what == "FTP command" || what == "FTP response" { // log_ftp_protocol
		said := strings.TrimSuffix(strings.TrimPrefix(rest, `, "`), `"`)
		b.Add("vsftpd."+what[len("FTP "):], said)
		classify(b, "network", "protocol", "ftp_"+what[len("FTP "):], "")
		return true
	}
	if path, size, ok := cutLast(strings.TrimPrefix(rest, `, "`), `"`); ok && rest != "" {
		b.Add("file.path", path)
		if n, _, ok := strings.Cut(strings.TrimPrefix(size, ", "), " bytes"); ok {
			b.AddNumber("file.size", n)
		}
	}
	outcome, verb, ok := strings.Cut(what, " ")
	switch {
	case what == "CONNECT":
		classify(b, "network", "connection", "ftp_connect", "")
		b.Add("event.type", "start")
		return true
	case outcome == "OK":
		outcome = "success"
	case outcome == "FAIL":
		outcome = "failure"
	default:
		return true
	}
	if verb == "LOGIN" {
		classify(b, "authentication", "info", "ftp_login", outcome)
	} else {
		classify(b, "file", "access", "ftp_"+lower(verb, b), outcome)
	}
	return true
}

var _ = registerProgram(program{Names: []string{"proftpd"}, Dataset: "proftpd.log", Decode: decodeProftpd})

// ProFTPD: "host (client.example.com[192.0.2.7]) - USER bob (Login failed): Incorrect password",
// "… USER bob: no such user found from … to …", "… USER bob: Login successful.".
func decodeProftpd(m *message, b *event.Batch) bool {
	_, s, ok := strings.Cut(m.Text, "(")
	peer, what, closed := strings.Cut(s, "])")
	if !ok || !closed {
		return false
	}
	host, address, ok := strings.Cut(peer, "[")
	if !ok || ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, "")
	if host != address && isHostName(host) && ipVersion(host) == 0 {
		b.Add("source.domain", host)
	}
	what = strings.TrimPrefix(strings.TrimPrefix(what, ":"), " ")
	what = strings.TrimPrefix(what, "- ")
	user, ok := strings.CutPrefix(what, "USER ")
	if !ok {
		if user, ok = strings.CutPrefix(what, "ANON "); !ok {
			return proftpdSession(what, b)
		}
	}
	if name, why, ok := cutLast(user, " (Login failed): "); ok {
		b.Add("user.name", name)
		b.Add("event.reason", why)
		classify(b, "authentication", "info", "ftp_login", "failure")
	} else if name, _, ok := cutLast(user, ": no such user found"); ok {
		b.Add("user.name", name)
		b.Add("event.reason", "no such user found")
		classify(b, "authentication", "info", "ftp_login", "failure")
	} else if name, _, ok := cutLast(user, ": Login successful"); ok {
		b.Add("user.name", name)
		classify(b, "authentication", "info", "ftp_login", "success")
	}
	return true
}

// proftpdSession decodes what is said of a connection rather than of a user.
func proftpdSession(what string, b *event.Batch) bool {
	switch {
	case strings.HasPrefix(what, "FTP session opened"), strings.HasPrefix(what, "SSH2 session opened"):
		classify(b, "network", "connection", "ftp_connect", "")
		b.Add("event.type", "start")
	case strings.HasPrefix(what, "FTP session closed"), strings.HasPrefix(what, "SSH2 session closed"),
		strings.HasPrefix(what, "FTP login timed out"), strings.HasPrefix(what, "FTP no transfer timeout"), strings.HasPrefix(what, "FTP session idle timeout"):
		classify(b, "network", "connection", "ftp_disconnect", "")
		b.Add("event.type", "end")
	case strings.HasPrefix(what, "SECURITY VIOLATION: "):
		why := strings.TrimSuffix(what[len("SECURITY VIOLATION: "):], ".")
		if user, ok := strings.CutSuffix(why, " login attempted"); ok {
			b.Add("user.name", strings.TrimPrefix(user, "user "))
		}
		b.Add("event.reason", why)
		classify(b, "authentication", "info", "ftp_login", "failure")
	case strings.HasPrefix(what, "Maximum login attempts"):
		b.Add("event.reason", what)
		classify(b, "authentication", "info", "ftp_max_attempts", "failure")
	default:
		b.Add("event.category", "network")
	}
	return true
}

var _ = registerProgram(program{Names: []string{"pure-ftpd"}, Dataset: "pure-ftpd.log", Decode: decodePureFTPD})

// Pure-FTPd: "(USER@HOST) [WARNING] Authentication failed for user [bob]", "(?@192.0.2.7) [INFO] New
// connection from 192.0.2.7", "(?@192.0.2.7) [INFO] bob is now logged in".
func decodePureFTPD(m *message, b *event.Batch) bool {
	s, ok := strings.CutPrefix(m.Text, "(")
	who, s, closed := strings.Cut(s, ") [")
	level, what, leveled := strings.Cut(s, "] ")
	user, host, named := cutLast(who, "@")
	if !ok || !closed || !leveled || !named {
		return false
	}
	b.Add("log.level", lower(level, b))
	addSource(b, host, "")
	switch {
	case strings.HasPrefix(what, "Authentication failed for user ["):
		b.Add("user.name", bracketedTail(what[len("Authentication failed for user "):]))
		classify(b, "authentication", "info", "ftp_login", "failure")
		return true
	case strings.HasSuffix(what, " is now logged in"):
		b.Add("user.name", strings.TrimSuffix(what, " is now logged in"))
		classify(b, "authentication", "info", "ftp_login", "success")
		return true
	case strings.HasPrefix(what, "New connection from "):
		classify(b, "network", "connection", "ftp_connect", "")
		b.Add("event.type", "start")
		return true
	}
	if user != "?" {
		b.Add("user.name", user)
	}
	if strings.HasPrefix(what, "Logout.") {
		classify(b, "session", "end", "ftp_disconnect", "")
		return true
	}
	// "/srv/ftp//x.bin uploaded  (123 bytes, 0.50KB/sec)", "Deleted /srv/ftp/x.bin"
	for _, verb := range [...]string{" uploaded ", " downloaded "} {
		if path, size, ok := cutLast(what, verb+" ("); ok {
			b.Add("file.path", path)
			if n, _, ok := strings.Cut(size, " bytes"); ok && isDigits(n) {
				b.AddNumber("file.size", n)
			}
			classify(b, "file", "access", "ftp_"+strings.TrimSuffix(verb[1:], "ed "), "success")
			return true
		}
	}
	if path, ok := strings.CutPrefix(what, "Deleted "); ok {
		b.Add("file.path", path)
		classify(b, "file", "deletion", "ftp_delete", "success")
	}
	return true
}

// The inetd-era servers: "connection from 192.0.2.7 (host.example.com) at Fri Jul …", "FTP LOGIN
// FROM host [192.0.2.7], alice", "FTP LOGIN REFUSED (…) FROM host [192.0.2.7], alice".
var _ = registerProgram(program{Names: []string{"ftpd", "in.ftpd", "wu-ftpd"}, Dataset: "ftpd.log", Decode: func(m *message, b *event.Batch) bool {
	if rest, ok := strings.CutPrefix(m.Text, "connection from "); ok {
		address, rest, _ := strings.Cut(rest, " ")
		if !isPeer(address) {
			return false
		}
		addSource(b, address, "")
		if host, _, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")"); ok && isHostName(host) {
			b.Add("source.domain", host)
		}
		classify(b, "network", "connection", "ftp_connect", "")
		b.Add("event.type", "start")
		return true
	}
	outcome := "success"
	rest, ok := strings.CutPrefix(m.Text, "FTP LOGIN FROM ")
	if !ok {
		if _, rest, ok = strings.Cut(m.Text, ") FROM "); !ok || !strings.HasPrefix(m.Text, "FTP LOGIN ") {
			return false
		}
		outcome = "failure"
	}
	host, user, _ := strings.Cut(rest, ", ")
	_, address, ok := strings.Cut(host, "[")
	if !ok {
		return false
	}
	addSource(b, strings.TrimSuffix(address, "]"), "")
	b.Add("user.name", user)
	classify(b, "authentication", "info", "ftp_login", outcome)
	return true
}})
