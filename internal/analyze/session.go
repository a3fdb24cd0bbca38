package analyze

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Session is a stay of a user on a host: from the record that says it began to
// the one that says it ended.
type Session struct {
	Kind     string // "ssh", "windows logon", "rdp", "sudo", "su", "vpn", "terminal", "smb", "postgresql", "mysql", "application" and more, or the program that told of it
	Host     string // host.name where it was, "" if the log names none
	User     string
	Source   string // source.ip it came from, "" if none is told
	Address  string // address that it was given, for a VPN
	From     int64  // ns since the epoch
	To       int64  // of the last record; event.NoTime if the end is not recorded
	Detail   string // logon type, terminal, database, or log of an application
	Evidence []string
}

// Sessions is what ReadSessions found.
type Sessions struct {
	All  []Session // by From, then host, user and first record
	More bool      // there were more than are kept
}

const (
	maxSessions     = 200_000
	maxOpenSessions = 100_000
)

// sessionQuery finds the records that begin and end sessions.
const sessionQuery = `!"sextant.time":* ((event.code:in(4624,4634,4647) event.category:authentication)
	or (event.category:session !process.name:in(CRON,crond,cron,systemd,"systemd-logind"))
	or (event.dataset:="openvpn.log" event.action:="connection-ended")
	or event.action:in("client-vpn-connected","client-vpn-disconnected","address-assigned","tunnel-up","tunnel-down","ssl-new-con")
	or (event.dataset:="postgresql.log" event.action:in("connection-received","connection-authorized","disconnection"))
	or (event.dataset:in("mysql.general","mysql.audit") event.action:in(connect,quit,"mysql-connect","mysql-disconnect"))
	or (event.dataset:="macos.eslogger" event.action:in(openssh_login,login_login,screensharing_attach,screensharing_detach))
	or (event.dataset:in(text,json,"application.log","python.log","java.log") "user.name":* _msg:("logged in" or "logged out" or "signed in" or "signed out")))`

const sessionFields = ` | fields _time, _msg, event.id, event.action, event.code, event.type, event.outcome, event.dataset, event.start, event.provider, host.name, log.file.path, process.name, process.pid, user.name, user.effective.name, user.domain, source.ip, source.port, destination.ip, client.nat.ip, cisco.asa.assigned_ip, fortinet.firewall.tunnelip, fortinet.firewall.tunnelid, winlog.event_data.TargetLogonId, winlog.logon.id, winlog.logon.type, winlog.user_data.SessionID, winlog.event_data.SessionID, utmp.type, process.tty.name, postgresql.log.session_id, postgresql.log.database, mysql.thread_id, okta.authentication_context.external_session_id`

// ReadSessions pairs the records that begin sessions with those that end them:
// Windows logons by logon id, SSH logins, su and sudo by the process that told
// of them, Remote Desktop by session, terminals of utmp by line, VPNs by tunnel, or user and address, connections of
// databases by their number, logins of applications by user. filter
// narrows the records, "" for none.
func ReadSessions(ctx context.Context, q Querier, filter string) (*Sessions, error) {
	query := sessionQuery
	if filter != "" {
		query += " | filter " + filter
	}
	s := &sessionReader{open: map[string]*Session{}}
	err := q.Query(ctx, query+sessionFields, func(row []event.Field) error {
		r := sessionRow(row)
		s.read(&r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, o := range s.open {
		s.done(o)
	}
	slices.SortFunc(s.out.All, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.From, b.From), strings.Compare(a.Host, b.Host), strings.Compare(a.User, b.User), slices.Compare(a.Evidence, b.Evidence))
	})
	return &s.out, nil
}

// sessionRow is a record as the query gives it.
type sessionRow []event.Field

// get returns the first value of a column, a copy.
func (r sessionRow) get(name string) string {
	for _, f := range r {
		if f.Name == name {
			v := f.Value
			if strings.HasPrefix(v, `["`) {
				v, _, _ = strings.Cut(v[2:], `"`)
			}
			return strings.Clone(v)
		}
	}
	return ""
}

func (r sessionRow) time() int64 { return r.timeOf("_time") }

func (r sessionRow) timeOf(name string) int64 {
	t, err := time.Parse(time.RFC3339Nano, r.get(name))
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

type sessionReader struct {
	out  Sessions
	open map[string]*Session

	databases int
}

func (s *sessionReader) read(r *sessionRow) {
	action, code, host, user := r.get("event.action"), r.get("event.code"), r.get("host.name"), r.get("user.name")
	source := r.get("source.ip")
	dataset, program, pid := r.get("event.dataset"), strings.TrimSuffix(r.get("process.name"), "]"), r.get("process.pid")
	if account := r.get("user.effective.name"); user == "" || account != "" && !asksForAnother[program] {
		user = cmp.Or(account, user)
	}
	switch {
	case code == "4624":
		id := r.get("winlog.event_data.TargetLogonId")
		switch kind := r.get("winlog.logon.type"); {
		case id == "" || id == "0x0" || id == "0x3e7" || id == "0x3e4" || id == "0x3e5": // the system's own
		case kind == "Service" || kind == "System" || kind == "Batch":
		case r.get("user.domain") == "Window Manager" || r.get("user.domain") == "Font Driver Host": // of each desktop
		default:
			if d := r.get("user.domain"); d != "" && d != "-" {
				user = d + `\` + user
			}
			s.begin("w\x00"+host+"\x00"+id, Session{Kind: "windows logon", Host: host, User: user, Source: source, Detail: kind}, r)
		}
	case code == "4634" || code == "4647":
		id := r.get("winlog.event_data.TargetLogonId")
		if id == "" {
			id = r.get("winlog.logon.id")
		}
		s.end("w\x00"+host+"\x00"+id, r)
	case action == "client-vpn-connected" || action == "tunnel-up" || action == "ssl-new-con" || action == "connection-started" && dataset == "openvpn.log":
		key := vpnKey(r, user, source)
		if o := s.open[key]; o != nil && r.time()-o.From < int64(time.Minute) { // its address was told first
			o.Evidence = cite(o.Evidence, r.get("event.id"))
			return
		}
		s.begin(key, Session{Kind: "vpn", Host: host, User: user, Source: source, Address: r.get("fortinet.firewall.tunnelip")}, r)
	case action == "address-assigned":
		key := vpnKey(r, user, source)
		address := r.get("client.nat.ip")
		if address == "" {
			address = r.get("cisco.asa.assigned_ip")
		}
		if o := s.open[key]; o == nil || o.Address != "" && address != "" && o.Address != address { // a new tunnel, whose beginning is not logged
			s.begin(key, Session{Kind: "vpn", Host: host, User: user, Source: source}, r)
		}
		if o := s.open[key]; o != nil && address != "" {
			o.Address = address
			o.Evidence = cite(o.Evidence, r.get("event.id"))
		}
	case action == "client-vpn-disconnected" || action == "tunnel-down" || action == "connection-ended" && dataset == "openvpn.log":
		if source == "" { // the peer, from where the firewall stands
			source = r.get("destination.ip")
		}
		key := vpnKey(r, user, source)
		if began := r.timeOf("event.start"); s.open[key] == nil && began != event.NoTime && began < r.time() && source != "" { // the end tells of the beginning
			s.begin(key, Session{Kind: "vpn", Host: host, User: user, Source: source}, r)
			if o := s.open[key]; o != nil {
				o.From = began
			}
		}
		s.end(key, r)
	case dataset == "postgresql.log":
		key := "d\x00" + cmp.Or(host, r.get("log.file.path")) + "\x00" + cmp.Or(r.get("postgresql.log.session_id"), pid)
		switch action {
		case "connection-received": // tells of the address, and not yet of the user
			s.begin(key, Session{Kind: "postgresql", Host: host, Source: source}, r)
		case "connection-authorized":
			if o := s.open[key]; o != nil && o.User == "" && r.time()-o.From < int64(time.Minute) {
				source = cmp.Or(source, o.Source)
			}
			delete(s.open, key)
			s.begin(key, Session{Kind: "postgresql", Host: host, User: user, Source: source, Detail: r.get("postgresql.log.database")}, r)
		default:
			s.end(key, r)
		}
	case dataset == "mysql.general" || dataset == "mysql.audit":
		key := "d\x00" + cmp.Or(host, r.get("log.file.path")) + "\x00" + r.get("mysql.thread_id")
		if action == "quit" || action == "mysql-disconnect" {
			s.end(key, r)
		} else if r.get("event.outcome") == "success" {
			s.end(key, nil) // the server was started anew
			s.begin(key, Session{Kind: "mysql", Host: host, User: user, Source: source}, r)
		}
	case r.get("event.provider") == "Microsoft-Windows-TerminalServices-LocalSessionManager":
		// Who is disconnected is not there, though the session and its programs stay.
		key := "r\x00" + host + "\x00" + cmp.Or(r.get("winlog.user_data.SessionID"), r.get("winlog.event_data.SessionID"))
		switch action {
		case "session-logon", "session-reconnected":
			if d := r.get("user.domain"); d != "" {
				user = d + `\` + user
			}
			s.end(key, nil)
			s.begin(key, Session{Kind: "rdp", Host: host, User: user, Source: source}, r)
		case "session-logoff", "session-disconnected":
			if code != "39" && code != "40" { // which 24 says too
				s.end(key, r)
			}
		}
	case program == "xrdp-sesman":
		key := "x\x00" + host + "\x00" + user // sesman and PAM both tell, with different processes
		switch o := s.open[key]; {
		case action == "logged-off" || action == "rdp_session" && r.get("event.type") == "end":
			s.end(key, r)
		case o != nil && r.time()-o.From < int64(time.Minute):
			o.Source = cmp.Or(o.Source, source)
		case action == "logged-on" || action == "rdp_session":
			s.end(key, nil)
			s.begin(key, Session{Kind: "rdp", Host: host, User: user, Source: source}, r)
		}
	case dataset == "macos.eslogger":
		kind, ends := macSessions[action], strings.HasSuffix(action, "_logout") || strings.HasSuffix(action, "_detach")
		if kind == "" || r.get("event.outcome") == "failure" {
			return
		}
		// What has no process of its own (the window server's logins) is one for each user.
		key := "m\x00" + host + "\x00" + kind + "\x00" + pid
		if kind == "macos desktop" {
			key = "m\x00" + host + "\x00" + kind + "\x00" + user
		}
		if ends {
			s.end(key, r)
		} else {
			s.end(key, nil)
			s.begin(key, Session{Kind: kind, Host: host, User: user, Source: source}, r)
		}
	case dataset == "okta.system" || dataset == "google_workspace.activity":
		key := "o\x00" + dataset + "\x00" + cmp.Or(r.get("okta.authentication_context.external_session_id"), user+"\x00"+source)
		switch {
		case r.get("event.type") == "end":
			s.end(key, r)
		case r.get("event.outcome") == "success" && s.open[key] == nil:
			kind, _, _ := strings.Cut(dataset, ".")
			s.begin(key, Session{Kind: strings.ReplaceAll(kind, "_", " "), User: user, Source: source}, r)
		}
	case applicationLogs[dataset]:
		begins, ends := toldOf(r.get("_msg"), user)
		key := "a\x00" + host + "\x00" + r.get("log.file.path") + "\x00" + user
		switch {
		case ends:
			s.end(key, r)
		case begins:
			s.end(key, nil)
			s.begin(key, Session{Kind: "application", Host: host, User: user, Source: source, Detail: base(r.get("log.file.path"))}, r)
		}
	case dataset == "utmp":
		key := "t\x00" + host + "\x00" + r.get("process.tty.name")
		switch r.get("utmp.type") {
		case "USER_PROCESS":
			s.end(key, nil) // whose end was not written
			s.begin(key, Session{Kind: "terminal", Host: host, User: user, Source: source, Detail: r.get("process.tty.name")}, r)
		case "DEAD_PROCESS":
			s.end(key, r)
		}
	default:
		if program == "sshd-session" || program == "sshd-auth" {
			program = "sshd"
		}
		if pid == "" || program == "" {
			return
		}
		key := "p\x00" + host + "\x00" + program + "\x00" + pid
		switch ends := action == "logged-off" || action == "ssh_disconnect"; {
		case ends:
			if o := s.open[key]; o != nil && program == "sshd" && user != "" && o.User != "" && user != o.User {
				return // another's connection, whose child has the number now
			}
			s.end(key, r)
		case action == "ssh_login" && r.get("event.outcome") == "success", action == "logged-on":
			kind := cmp.Or(programKinds[program], program)
			if o := s.open[key]; o != nil && o.User == user && r.time()-o.From < int64(time.Minute) {
				if o.Source == "" {
					o.Source = source
				}
				return // a second record of the same beginning
			}
			s.end(key, nil)
			s.begin(key, Session{Kind: kind, Host: host, User: user, Source: source}, r)
		}
	}
}

// asksForAnother are the programs whose sessions are of who asked, not of the account that they
// have then: it is alice who is root by sudo. Elsewhere PAM names what asked: "LOGIN".
var asksForAnother = map[string]bool{"sudo": true, "su": true, "su-l": true, "runuser": true, "runuser-l": true, "doas": true, "pkexec": true}

var programKinds = map[string]string{"sshd": "ssh", "dropbear": "ssh", "smbd": "smb", "login": "terminal", "vsftpd": "ftp"}

// macSessions are the kinds of sessions of events of Endpoint Security, and whether they end them. What
// su and sudo begin, it tells no end of.
var macSessions = map[string]string{
	"openssh_login": "ssh", "openssh_logout": "ssh", "login_login": "terminal", "login_logout": "terminal",
	"lw_session_login": "macos desktop", "lw_session_logout": "macos desktop", "screensharing_attach": "screen sharing", "screensharing_detach": "screen sharing",
}

var applicationLogs = map[string]bool{"text": true, "json": true, "application.log": true, "python.log": true, "java.log": true}

// toldOf reports whether a message of an application says that its user logged in, or out. It must be said of
// the user, by name or as "user": much else is logged in and out.
func toldOf(message, user string) (begins, ends bool) {
	m := strings.ToLower(message)
	for _, p := range [...]struct {
		phrase string
		ends   bool
	}{{"logged in", false}, {"signed in", false}, {"logged out", true}, {"signed out", true}} {
		before, _, ok := strings.Cut(m, p.phrase)
		if !ok {
			continue
		}
		words := strings.FieldsFunc(before, func(c rune) bool { return strings.ContainsRune(" \t'\"`(),;:[]<>", c) })
		for n := len(words); n > 0 && (words[n-1] == "has" || words[n-1] == "successfully" || words[n-1] == "was" || words[n-1] == "been" || words[n-1] == "just"); n-- {
			words = words[:n-1]
		}
		if n := len(words); n > 0 && (words[n-1] == "user" || words[n-1] == strings.ToLower(user)) && !slices.Contains(words, "not") && !slices.Contains(words, "failed") {
			return !p.ends, p.ends
		}
	}
	return false, false
}

// vpnKey tells tunnels apart.
func vpnKey(r *sessionRow, user, source string) string {
	if id := r.get("fortinet.firewall.tunnelid"); id != "" && id != "0" {
		return "v\x00" + id
	}
	if r.get("event.dataset") == "openvpn.log" {
		return "v\x00" + source + "\x00" + r.get("source.port")
	}
	return "v\x00" + user + "\x00" + source
}

func cite(ids []string, id string) []string {
	if id == "" || slices.Contains(ids, id) || len(ids) > 3 {
		return ids
	}
	return append(ids, id)
}

func (s *sessionReader) begin(key string, one Session, r *sessionRow) {
	if len(s.open) >= maxOpenSessions {
		s.out.More = true
		return
	}
	if old := s.open[key]; old != nil {
		s.done(old)
	}
	one.From, one.To = r.time(), event.NoTime
	one.Evidence = cite(nil, r.get("event.id"))
	s.open[key] = &one
}

// end closes a session; without a record, one whose end nobody told.
func (s *sessionReader) end(key string, r *sessionRow) {
	o := s.open[key]
	if o == nil {
		return
	}
	delete(s.open, key)
	if r != nil {
		o.To = r.time()
		o.Evidence = cite(o.Evidence, r.get("event.id"))
	}
	s.done(o)
}

func (s *sessionReader) done(o *Session) {
	if o.Kind == "postgresql" && o.User == "" {
		return // who knocked was not let in
	}
	if o.Kind == "postgresql" || o.Kind == "mysql" {
		if s.databases++; s.databases > maxSessions/2 { // pools of connections leave room for people
			s.out.More = true
			return
		}
	}
	if len(s.out.All) >= maxSessions {
		s.out.More = true
		return
	}
	s.out.All = append(s.out.All, *o)
}
