package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// visit is when somebody was somewhere.
type visit struct {
	user     string
	from, to time.Time
}

// visits are those of a number of people, of whom each is there once at a time.
func (h *house) visits(people int) (all []visit) {
	for k := range people {
		at := h.start
		for {
			at = at.Add(time.Minute + time.Duration(h.r.ExpFloat64()*float64(4*time.Hour)))
			to := at.Add(2*time.Second + time.Duration(h.r.ExpFloat64()*float64(50*time.Minute)))
			if to.After(h.start.AddDate(0, 0, houseDays)) {
				break
			}
			all = append(all, visit{fmt.Sprintf("p%02d", k), at, to})
			at = to.Add(2 * time.Minute)
		}
	}
	slices.SortStableFunc(all, func(a, b visit) int { return a.from.Compare(b.from) })
	return all
}

// stayed notes what was so, and reports whether its end is written.
func (h *house) stayed(row, kind, host, user string, from, to time.Time) bool {
	s := stay{row, kind, host, user, from, to}
	ends := h.r.Float64() >= houseLostEnd
	if !ends {
		s.to = time.Time{}
	}
	h.stays = append(h.stays, s)
	return ends
}

// elsewhere makes the sessions of what is no shell: tunnels, desktops, terminals, shares, databases and applications.
func (h *house) elsewhere() {
	address := func() string { return fmt.Sprintf("10.7.%d.%d", h.r.IntN(4), 1+h.r.IntN(200)) }
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
	for _, v := range h.visits(25) {
		from := address()
		h.log("asa/asa.log", v.from, "asa1 : %%ASA-6-113039: Group <staff> User <%s> IP <%s> AnyConnect parent session started.", v.user, from)
		h.log("asa/asa.log", v.from.Add(time.Second), "asa1 : %%ASA-4-722051: Group <staff> User <%s> IP <%s> IPv4 Address <10.9.0.%d> IPv6 address <::> assigned to session", v.user, from, 1+h.r.IntN(250))
		if h.stayed("vpn (Cisco ASA)", "vpn", "asa1", v.user, v.from, v.to) {
			h.log("asa/asa.log", v.to, "asa1 : %%ASA-4-113019: Group = staff, Username = %s, IP = %s, Session disconnected. Session Type: SSL, Duration: 0h:10m:00s, Bytes xmt: 100, Bytes rcv: 200, Reason: User Requested", v.user, from)
		}
	}
	line := func(file string, at time.Time, format string, args ...any) {
		h.logs[file] = append(h.logs[file], stamp(at)+" "+fmt.Sprintf(format, args...))
	}
	for _, v := range h.visits(25) {
		peer := fmt.Sprintf("%s:%d", address(), 1024+h.r.IntN(60_000))
		line("openvpn/openvpn.log", v.from.Add(-time.Second), "%s TLS: Initial packet from [AF_INET]%s, sid=aabbccdd 11223344", peer, peer)
		line("openvpn/openvpn.log", v.from, "%s [%s] Peer Connection Initiated with [AF_INET]%s", peer, v.user, peer)
		line("openvpn/openvpn.log", v.from.Add(time.Second), "%s/%s MULTI_sva: pool returned IPv4=10.8.0.%d, IPv6=(Not enabled)", v.user, peer, 2+h.r.IntN(250))
		if h.stayed("vpn (OpenVPN)", "vpn", "", v.user, v.from, v.to) {
			line("openvpn/openvpn.log", v.to, "%s/%s SIGTERM[soft,remote-exit] received, client-instance exiting", v.user, peer)
		}
	}
	for _, v := range h.visits(12) { // xrdp: the session manager and PAM tell of the same, by two processes
		pid, from := 700+h.r.IntN(30_000), address()
		h.log("term1/auth.log", v.from, "term1 xrdp-sesman[612]: [INFO ] ++ created session (access granted): username %s, ip ::ffff:%s:51234 - socket: 12", v.user, from)
		h.log("term1/auth.log", v.from.Add(300*time.Millisecond), "term1 xrdp-sesman[%d]: pam_unix(xrdp-sesman:session): session opened for user %s(uid=1001) by (uid=0)", pid, v.user)
		if h.stayed("rdp (xrdp)", "rdp", "term1", v.user, v.from, v.to) {
			h.log("term1/auth.log", v.to, "term1 xrdp-sesman[%d]: pam_unix(xrdp-sesman:session): session closed for user %s", pid, v.user)
			h.log("term1/auth.log", v.to.Add(100*time.Millisecond), "term1 xrdp-sesman[612]: [INFO ] ++ terminated session:  username %s, display :10.0, session_pid %d, ip ::ffff:%s:51234 - socket: 12", v.user, pid, from)
		}
	}
	session := 1
	for _, v := range h.visits(12) { // Windows: of a session people are disconnected, and come back
		session = 1 + session%40
		user := `CORP\` + v.user
		said := func(at time.Time, code int) { h.desktop("rds1", at, code, user, session, address()) }
		said(v.from, 21)
		said(v.from.Add(time.Second), 22)
		from := v.from
		if length := v.to.Sub(v.from); h.r.IntN(3) == 0 && length > 10*time.Minute {
			h.stays = append(h.stays, stay{"rdp (Windows)", "rdp", "rds1", user, from, from.Add(length / 3)})
			said(from.Add(length/3), 40)
			said(from.Add(length/3+100*time.Millisecond), 24)
			from = from.Add(length / 2)
			said(from, 25)
		}
		if h.stayed("rdp (Windows)", "rdp", "rds1", user, from, v.to) {
			said(v.to, 23)
			said(v.to.Add(500*time.Millisecond), 24)
		} else {
			session = 1 + session%40
		}
	}
	for _, p := range []struct{ row, kind, program, module string }{{"smb (Samba, PAM)", "smb", "smbd", "samba"}, {"terminal (login, PAM)", "terminal", "login", "login"}, {"desktop (GDM, PAM)", "gdm-password", "gdm-password]", "gdm-password"}} {
		for _, v := range h.visits(8) {
			pid, by := 700+h.r.IntN(30_000), ""
			if p.program == "login" {
				by = "LOGIN"
			}
			h.log("box1/auth.log", v.from, "box1 %s[%d]: pam_unix(%s:session): session opened for user %s(uid=1001) by %s(uid=0)", p.program, pid, p.module, v.user, by)
			if p.program == "login" {
				h.log("box1/auth.log", v.from.Add(50*time.Millisecond), "box1 login[%d]: LOGIN ON tty2 BY %s", pid, v.user)
			}
			if h.stayed(p.row, p.kind, "box1", v.user, v.from, v.to) {
				h.log("box1/auth.log", v.to, "box1 %s[%d]: pam_unix(%s:session): session closed for user %s", p.program, pid, p.module, v.user)
			}
		}
	}
	for range houseSessions { // applications connect many times over
		from, to := h.when()
		pid, client := 1000+h.r.IntN(30_000), address()
		pg := func(at time.Time, who, format string, args ...any) {
			h.logs["db/postgresql.log"] = append(h.logs["db/postgresql.log"], fmt.Sprintf("%s UTC [%d] %sLOG:  %s", at.UTC().Format("2006-01-02 15:04:05.000"), pid, who, fmt.Sprintf(format, args...)))
		}
		user := fmt.Sprintf("app%d", h.r.IntN(4))
		pg(from, "", "connection received: host=%s port=40000", client)
		if h.r.IntN(10) == 0 {
			continue // whoever it was did not get in
		}
		pg(from.Add(8*time.Millisecond), user+"@shop ", "connection authorized: user=%s database=shop", user)
		if h.stayed("database (PostgreSQL)", "postgresql", "", user, from, to) {
			pg(to, user+"@shop ", "disconnection: session time: %d:%02d:%02d.000 user=%s database=shop host=%s port=40000", int(to.Sub(from).Hours()), int(to.Sub(from).Minutes())%60, int(to.Sub(from).Seconds())%60, user, client)
		}
	}
	thread := 0
	query := func(at time.Time, id int, format string, args ...any) {
		h.logs["db/general.log"] = append(h.logs["db/general.log"], fmt.Sprintf("%s\t%5d %s", at.UTC().Format("2006-01-02T15:04:05.000000Z"), id, fmt.Sprintf(format, args...)))
	}
	for _, v := range h.visits(25) {
		if thread++; thread == 200 {
			thread = 1 // the server was started anew
		}
		query(v.from, thread, "Connect\t%s@%s on shop using TCP/IP", v.user, address())
		query(v.from.Add(time.Second), thread, "Query\tSELECT 1")
		if h.stayed("database (MySQL)", "mysql", "", v.user, v.from, v.to) {
			query(v.to, thread, "Quit\t")
		}
	}
	for _, v := range h.visits(25) {
		said := func(at time.Time, format string, args ...any) {
			h.logs["app/shop.log"] = append(h.logs["app/shop.log"], at.UTC().Format("2006-01-02 15:04:05,000")+" INFO [auth] "+fmt.Sprintf(format, args...))
		}
		said(v.from, "User %s logged in from %s", v.user, address())
		said(v.from.Add(time.Second), "Session of %s has 3 items, notifications were not logged in time", v.user)
		if h.stayed("web login (application)", "application", "", v.user, v.from, v.to) {
			said(v.to, "User %s logged out", v.user)
		}
	}
	h.mac()
	h.terminals()
}

// desktop is an event of Windows' session manager.
func (h *house) desktop(host string, at time.Time, code int, user string, session int, from string) {
	data := fmt.Sprintf(`"User":"%s","SessionID":"%d","Address":"%s"`, `CORP\\`+user[len(`CORP\`):], session, from)
	if code == 40 {
		data = fmt.Sprintf(`"Session":"%d","Reason":"11"`, session)
	}
	name := host + "/sessions.jsonl"
	h.logs[name] = append(h.logs[name], fmt.Sprintf(`{"@timestamp":"%s","host":{"name":"%s"},"winlog":{"channel":"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational","provider_name":"Microsoft-Windows-TerminalServices-LocalSessionManager","event_id":"%d","computer_name":"%s","user_data":{%s}}}`,
		at.UTC().Format("2006-01-02T15:04:05.000000Z"), host, code, host, data))
}

// mac is what Endpoint Security tells of a computer of Apple's.
func (h *house) mac() {
	said := func(at time.Time, pid int, program, kind, data string) {
		h.logs["mac/eslogger.jsonl"] = append(h.logs["mac/eslogger.jsonl"], fmt.Sprintf(`{"time":"%s","schema_version":1,"version":7,"seq_num":%[2]d,"global_seq_num":%[2]d,"mach_time":%[3]d,"event_type":119,"process":{"audit_token":{"pid":%d,"euid":0},"executable":{"path":"%s"}},"event":{"%s":{%s}}}`,
			at.UTC().Format("2006-01-02T15:04:05.000000000Z"), at.UnixMicro(), at.UnixNano(), pid, program, kind, data))
	}
	for _, v := range h.visits(12) {
		pid, from := 700+h.r.IntN(60_000), fmt.Sprintf("10.7.0.%d", 1+h.r.IntN(200))
		said(v.from.Add(-time.Second), pid, "/usr/sbin/sshd", "openssh_login", fmt.Sprintf(`"success":false,"result_type":"auth_fail_passwd","source_address":"%s","username":"%s"`, from, v.user))
		said(v.from, pid, "/usr/sbin/sshd", "openssh_login", fmt.Sprintf(`"success":true,"result_type":"auth_success","source_address":"%s","username":"%s"`, from, v.user))
		if h.stayed("ssh (macOS, eslogger)", "ssh", "", v.user, v.from, v.to) {
			said(v.to, pid, "/usr/sbin/sshd", "openssh_logout", fmt.Sprintf(`"source_address":"%s","username":"%s"`, from, v.user))
		}
	}
	for _, v := range h.visits(6) {
		said(v.from, 170, "/System/Library/CoreServices/loginwindow.app/Contents/MacOS/loginwindow", "lw_session_login", fmt.Sprintf(`"username":"%s","graphical_session_id":258`, v.user))
		if h.stayed("desktop (macOS, eslogger)", "macos desktop", "", v.user, v.from, v.to) {
			said(v.to, 170, "/System/Library/CoreServices/loginwindow.app/Contents/MacOS/loginwindow", "lw_session_logout", fmt.Sprintf(`"username":"%s","graphical_session_id":258`, v.user))
		}
	}
}

// terminals are those of wtmp: a terminal that is left is used again.
func (h *house) terminals() {
	type record struct {
		at   time.Time
		kind uint16 // utmp(5): 7 USER_PROCESS, 8 DEAD_PROCESS
		line int
		user string
	}
	var all []record
	busy := make([]time.Time, 100)
	for _, v := range h.visits(12) {
		line := slices.IndexFunc(busy, func(t time.Time) bool { return t.Before(v.from) })
		busy[line] = v.to.Add(time.Second)
		all = append(all, record{v.from, 7, line, v.user})
		if h.stayed("terminal (wtmp)", "terminal", "", v.user, v.from, v.to) {
			all = append(all, record{v.to, 8, line, ""})
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return a.at.Compare(b.at) })
	for _, r := range all {
		b := make([]byte, wtmpRecord)
		binary.LittleEndian.PutUint16(b, r.kind)
		binary.LittleEndian.PutUint32(b[4:], uint32(1000+r.line))
		copy(b[8:40], fmt.Sprintf("pts/%d", r.line))
		copy(b[40:44], fmt.Sprint(r.line))
		copy(b[44:76], r.user)
		copy(b[76:332], "10.7.0.9")
		binary.LittleEndian.PutUint32(b[340:], uint32(r.at.Unix()))
		binary.LittleEndian.PutUint32(b[344:], uint32(r.at.Nanosecond()/1000))
		copy(b[348:], []byte{10, 7, 0, 9})
		h.logs["box2/wtmp"] = append(h.logs["box2/wtmp"], string(b))
	}
}

// wtmpRecord is the size of a record of wtmp on Linux.
const wtmpRecord = 384
