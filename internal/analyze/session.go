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
	Kind     string // "ssh", "windows logon", "sudo", "su", "vpn", "terminal", or the program that told of it
	Host     string // host.name where it was, "" if the log names none
	User     string
	Source   string // source.ip it came from, "" if none is told
	Address  string // address that it was given, for a VPN
	From     int64  // ns since the epoch
	To       int64  // of the last record; event.NoTime if the end is not recorded
	Detail   string // logon type or terminal
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
const sessionQuery = `!"sextant.time":* ((event.code:in(4624,4634,4647) event.category:authentication) or (event.category:session !process.name:in(CRON,crond,cron,systemd,"systemd-logind")) or (event.dataset:="openvpn.log" event.action:="connection-ended") or event.action:in("client-vpn-connected","client-vpn-disconnected","address-assigned","tunnel-up","tunnel-down","ssl-new-con"))`

const sessionFields = ` | fields _time, event.id, event.action, event.code, event.type, event.outcome, event.dataset, event.start, host.name, process.name, process.pid, user.name, user.effective.name, user.domain, source.ip, source.port, destination.ip, client.nat.ip, cisco.asa.assigned_ip, fortinet.firewall.tunnelip, fortinet.firewall.tunnelid, winlog.event_data.TargetLogonId, winlog.logon.id, winlog.logon.type, utmp.type, process.tty.name`

// ReadSessions pairs the records that begin sessions with those that end them:
// Windows logons by logon id, SSH logins, su and sudo by the process that told
// of them, terminals of utmp by line, VPNs by tunnel, or user and address. filter
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
}

func (s *sessionReader) read(r *sessionRow) {
	action, code, host, user := r.get("event.action"), r.get("event.code"), r.get("host.name"), r.get("user.name")
	source := r.get("source.ip")
	if user == "" {
		user = r.get("user.effective.name")
	}
	switch {
	case code == "4624":
		id := r.get("winlog.event_data.TargetLogonId")
		switch kind := r.get("winlog.logon.type"); {
		case id == "" || id == "0x0" || id == "0x3e7" || id == "0x3e4" || id == "0x3e5": // the system's own
		case kind == "Service" || kind == "System" || kind == "Batch":
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
	case action == "client-vpn-connected" || action == "tunnel-up" || action == "ssl-new-con" || action == "connection-started" && r.get("event.dataset") == "openvpn.log":
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
	case action == "client-vpn-disconnected" || action == "tunnel-down" || action == "connection-ended" && r.get("event.dataset") == "openvpn.log":
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
	case r.get("event.dataset") == "utmp":
		key := "t\x00" + host + "\x00" + r.get("process.tty.name")
		switch r.get("utmp.type") {
		case "USER_PROCESS":
			s.end(key, nil) // whose end was not written
			s.begin(key, Session{Kind: "terminal", Host: host, User: user, Source: source, Detail: r.get("process.tty.name")}, r)
		case "DEAD_PROCESS":
			s.end(key, r)
		}
	default:
		program, pid := r.get("process.name"), r.get("process.pid")
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
			kind := program
			if program == "sshd" {
				kind = "ssh"
			}
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
	if len(s.out.All) >= maxSessions {
		s.out.More = true
		return
	}
	s.out.All = append(s.out.All, *o)
}
