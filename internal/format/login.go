package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// login(1) of util-linux and shadow, getty's and telnetd's way in:
//
//	FAILED LOGIN 1 FROM tty1 FOR alice, Authentication failure
//	FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
//	ROOT LOGIN ON tty1      LOGIN ON tty1 BY alice[ FROM host]      ROOT LOGIN  on '/dev/tty1'
var _ = registerProgram(program{
	Names:   []string{"login", "remote", "rlogin", "telnetd", "in.telnetd"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		s := m.Text
		rest, failed := strings.CutPrefix(s, "FAILED LOGIN ")
		if !failed {
			rest, failed = strings.CutPrefix(s, "TOO MANY LOGIN TRIES ")
		}
		if failed {
			where, rest, ok := strings.Cut(rest, " FOR ")
			if !ok {
				return false
			}
			user, why, _ := cutLast(rest, ", ")
			b.Add("user.name", unquote(user))
			b.Add("event.reason", why)
			loginPlace(where, b)
			classify(b, "authentication", "info", "login", "failure")
			return true
		}
		user := ""
		rest, ok := strings.CutPrefix(s, "ROOT LOGIN ")
		if ok {
			user = "root"
		} else if rest, ok = strings.CutPrefix(s, "LOGIN "); !ok {
			if rest, ok = strings.CutPrefix(s, "DIALUP AT "); !ok {
				return utmpxProcess(s, b) || tcpWrapper(s, b)
			}
			rest = "AT " + rest
		}
		head, from, _ := strings.Cut(rest, " FROM ")
		place, by, ok := strings.Cut(head, " BY ")
		if ok {
			user = by
		}
		b.Add("user.name", user)
		loginPlace(place, b)
		addSource(b, from, "")
		b.Add("event.category", "authentication")
		classify(b, "session", "start", "login", "success")
		return true
	},
})

// tcpWrapper: "connect from HOST (ADDRESS)", "refused connect from ADDRESS", as libwrap has
// daemons say (hosts_access(5)).
func tcpWrapper(s string, b *event.Batch) bool {
	typ, outcome := "start", ""
	rest, ok := strings.CutPrefix(s, "connect from ")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "refused connect from "); !ok {
			return false
		}
		typ, outcome = "denied", "failure"
	}
	host, address, ok := strings.Cut(rest, " (")
	if address = strings.TrimSuffix(address, ")"); !ok {
		address = host
	}
	if !isPeer(address) {
		return false
	}
	addSource(b, address, "")
	if host != address && ipVersion(host) == 0 && isHostName(host) {
		b.Add("source.domain", host)
	}
	classify(b, "network", "connection", "connect", outcome)
	b.Add("event.type", typ)
	return true
}

// loginPlace: "ON tty1", "1 FROM tty1", "(1) on '/dev/tty1'", "1 FROM host.example.com".
func loginPlace(s string, b *event.Batch) {
	i := strings.LastIndexByte(s, ' ')
	where := unquote(s[i+1:])
	switch {
	case where == "(null)" || where == "":
	case strings.HasPrefix(where, "/dev/"), strings.HasPrefix(where, "tty"), strings.HasPrefix(where, "pts"), strings.HasPrefix(where, "console"):
		b.Add("process.tty.name", where)
	case isPeer(where):
		addSource(b, where, "")
	}
}

// MIT Kerberos' klogind and kshd: "Authentication failed from HOST (ADDRESS): REASON".
var _ = registerProgram(program{
	Names:   []string{"klogind", "kshd", "eklogind"},
	Dataset: datasetAuth,
	Decode: func(m *message, b *event.Batch) bool {
		if rest, ok := strings.CutPrefix(m.Text, "Authentication failed from "); ok {
			who, why, ok := strings.Cut(rest, "): ")
			host, address, cut := strings.Cut(who, " (")
			if !ok || !cut || !isPeer(address) {
				return false
			}
			addSource(b, address, "")
			if host != address && ipVersion(host) == 0 && isHostName(host) {
				b.Add("source.domain", host)
			}
			b.Add("event.reason", why)
		} else if m.Text != "Kerberos authentication failed" {
			return false
		}
		classify(b, "authentication", "info", "authentication_failure", "failure")
		return true
	},
})
