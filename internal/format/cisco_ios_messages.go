package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// iosPhrases are further messages of IOS, IOS-XE and NX-OS by facility and mnemonic ("Cisco IOS System
// Message Guide"): ways in, interfaces, and what switches see of their neighbours.
var iosPhrases = map[string]func(m *iosMessage, s string, b *event.Batch) bool{
	"SSH-SSH2_USERAUTH": iosSSH, "SSH-SSH_USERAUTH": iosSSH, "SSH-SSH2_SESSION": iosSSH, "SSH-SSH_SESSION": iosSSH,
	"SYS-PRIV_AUTH_PASS": iosPrivilege, "SYS-PRIV_AUTH_FAIL": iosPrivilege,
	"SNMP-AUTHFAIL":       iosSNMP,
	"LINK-UPDOWN":         iosInterface,
	"LINEPROTO-UPDOWN":    iosInterface,
	"LINK-CHANGED":        iosInterface,
	"FW-SESS_AUDIT_TRAIL": iosSession, "FW-SESS_AUDIT_TRAIL_START": iosSession,
	"PORT_SECURITY-PSECURE_VIOLATION": iosViolation,
	"SW_MATM-MACFLAP_NOTIF":           iosFlapping,
	"SYS-RESTART":                     iosRestart, "SYS-RELOAD": iosRestart,
}

func (m *iosMessage) phrase(b *event.Batch) bool {
	if m.facility == "AUTHMGR" || m.facility == "DOT1X" || m.facility == "MAB" || m.facility == "SESSION_MGR" {
		return m.client(b)
	}
	if decode := iosPhrases[m.facility+"-"+m.mnemonic]; decode != nil {
		return decode(m, m.text, b)
	}
	return false
}

// iosSSH: "User 'admin' authentication for SSH2 Session from 192.0.2.5 (tty = 0) using … Succeeded",
// "SSH2 Session request from 192.0.2.5 (tty = 0) using … Succeeded".
func iosSSH(m *iosMessage, s string, b *event.Batch) bool {
	who, rest, ok := cutLast(s, " from ")
	address, rest, _ := strings.Cut(rest, " ")
	if !ok || ipVersion(address) == 0 {
		return false
	}
	outcome := "success"
	if strings.HasSuffix(strings.TrimRight(rest, "."), "Failed") {
		outcome = "failure"
	}
	addSource(b, address, "")
	if name, ok := strings.CutPrefix(who, "User '"); ok {
		name, _, _ = cutLast(name, "' ")
		b.Add("user.name", name)
		b.Add("event.category", "authentication")
		classify(b, "network", "start", "login", outcome)
		return true
	}
	classify(b, "network", "connection", "ssh_session", outcome)
	b.Add("event.type", "start")
	return true
}

// iosPrivilege: "Privilege level set to 15 by admin on vty0 (192.0.2.5)", "Authentication to Privilege level 15 failed by admin on vty0 (192.0.2.5)".
func iosPrivilege(m *iosMessage, s string, b *event.Batch) bool {
	_, who, ok := cutLast(s, " by ")
	if !ok {
		return false
	}
	user, where, _ := strings.Cut(who, " on ")
	if user != "unknown" {
		b.Add("user.name", user)
	}
	if _, address, ok := strings.Cut(where, "("); ok {
		addSource(b, strings.TrimRight(address, ")."), "")
	}
	outcome := "success"
	if m.mnemonic == "PRIV_AUTH_FAIL" {
		outcome = "failure"
	}
	classify(b, "authentication", "info", "privilege-level", outcome)
	return true
}

// iosSNMP: "Authentication failure for SNMP req from host 192.0.2.9".
func iosSNMP(_ *iosMessage, s string, b *event.Batch) bool {
	_, address, ok := cutLast(s, " from host ")
	if !ok || ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, "")
	b.Add("network.protocol", "snmp")
	b.Add("event.category", "authentication")
	classify(b, "network", "info", "snmp-authentication", "failure")
	return true
}

// iosInterface: "[Line protocol on ]Interface GigabitEthernet0/1, changed state to [administratively ]down".
func iosInterface(_ *iosMessage, s string, b *event.Batch) bool {
	_, rest, ok := strings.Cut(s, "Interface ")
	name, state, cut := strings.Cut(rest, ", changed state to ")
	if !ok || !cut {
		return false
	}
	b.Add("observer.ingress.interface.name", name)
	b.Add("event.reason", state)
	action := "interface-down"
	if state == "up" {
		action = "interface-up"
	}
	classify(b, "network", "info", action, "")
	return true
}

// iosSession: "Stop http session: initiator (192.0.2.5:50000) sent 100 bytes -- responder (198.51.100.9:80) sent 200 bytes".
func iosSession(_ *iosMessage, s string, b *event.Batch) bool {
	head, rest, ok := strings.Cut(s, " initiator (")
	from, rest, ok2 := strings.Cut(rest, ")")
	middle, rest, ok3 := strings.Cut(rest, "responder (")
	to, tail, ok4 := strings.Cut(rest, ")")
	if !ok || !ok2 || !ok3 || !ok4 {
		return false
	}
	ip, port, _ := iosEnd(from)
	addSource(b, ip, port)
	ip, port, _ = iosEnd(to)
	b.Add("destination.address", ip)
	addDestination(b, ip, port)
	sent := func(s, field string) {
		_, n, _ := strings.Cut(s, "sent ")
		if n, _, ok := strings.Cut(n, " bytes"); ok && isDigits(n) {
			b.AddNumber(field, n)
		}
	}
	sent(middle, "source.bytes")
	sent(tail, "destination.bytes")
	words := strings.Fields(strings.TrimSuffix(head, ":"))
	if len(words) == 3 {
		b.Add("network.protocol", words[1])
	}
	typ := "end"
	if strings.HasPrefix(head, "Start") {
		typ = "start"
	}
	classify(b, "network", "connection", "firewall-session", "")
	b.Add("event.type", typ)
	return true
}

// iosViolation: "Security violation occurred, caused by MAC address 0011.2233.4455 on port GigabitEthernet0/1."
func iosViolation(_ *iosMessage, s string, b *event.Batch) bool {
	_, rest, ok := strings.Cut(s, "MAC address ")
	mac, rest, cut := strings.Cut(rest, " ")
	if !ok || !cut {
		return false
	}
	addMAC(b, "source.mac", mac)
	if port, ok := strings.CutPrefix(rest, "on port "); ok {
		b.Add("observer.ingress.interface.name", strings.TrimSuffix(port, "."))
	}
	classify(b, "network", "denied", "port-security-violation", "failure")
	return true
}

// iosFlapping: "Host 0011.2233.4455 in vlan 10 is flapping between port Gi0/1 and port Gi0/2".
func iosFlapping(_ *iosMessage, s string, b *event.Batch) bool {
	rest, ok := strings.CutPrefix(s, "Host ")
	mac, rest, cut := strings.Cut(rest, " in vlan ")
	if !ok || !cut {
		return false
	}
	addMAC(b, "source.mac", mac)
	vlan, _, _ := strings.Cut(rest, " ")
	b.Add("network.vlan.id", vlan)
	classify(b, "network", "info", "mac-flapping", "")
	return true
}

func iosRestart(m *iosMessage, s string, b *event.Batch) bool {
	action := "boot"
	if m.mnemonic == "RELOAD" {
		action = "reboot"
	}
	classify(b, "network", "info", action, "")
	return true
}

// client: 802.1X and its kin, "Authorization failed or unapplied for client (0011.2233.4455) on Interface Gi1/0/1 AuditSessionID 0A…".
func (m *iosMessage) client(b *event.Batch) bool {
	_, rest, ok := strings.Cut(m.text, "client (")
	mac, rest, cut := strings.Cut(rest, ")")
	if !ok || !cut || mac == "" {
		return false
	}
	addMAC(b, "source.mac", mac)
	if _, port, ok := strings.Cut(rest, "on Interface "); ok {
		port, _, _ = strings.Cut(port, " ")
		b.Add("observer.ingress.interface.name", port)
	}
	switch m.mnemonic {
	case "SUCCESS":
		classify(b, "authentication", "info", "port-authentication", "success")
	case "FAIL", "SECURITY_VIOLATION":
		classify(b, "authentication", "info", "port-authentication", "failure")
	default:
		classify(b, "authentication", "info", "port-authentication", "")
	}
	return true
}

// nexusSystem decodes what NX-OS passes on of the programs that run on it: "pam_aaa:Authentication failed for
// user admin from 192.0.2.9 - dcos_sshd[812]", "error: PAM: Authentication failure for root from 192.0.2.9 - dcos_sshd[812]".
func (m *iosMessage) nexusSystem(b *event.Batch) bool {
	text, program, ok := cutLast(m.text, " - ")
	if !ok {
		return false
	}
	name, pid, _ := strings.Cut(strings.TrimSuffix(program, "]"), "[")
	if strings.IndexByte(name, ' ') >= 0 {
		return false
	}
	name = strings.TrimPrefix(name, "dcos_")
	inner := message{Text: text, Tag: name, Program: name}
	b.Add("process.name", name)
	if isDigits(pid) {
		b.AddNumber("process.pid", pid)
	}
	if who, ok := strings.CutPrefix(text, "pam_aaa:Authentication failed for user "); ok {
		user, address, _ := cutLast(who, " from ")
		b.Add("user.name", user)
		addSource(b, address, "")
		classify(b, "authentication", "info", "login", "failure")
		return true
	}
	if strings.HasPrefix(text, "pam_") {
		return decodePAMLine(&inner, b)
	}
	if name == "sshd" {
		_, inner.Text = sshWords(text) // the mnemonic has the level
	}
	if p := lookupProgram(name); p != nil {
		return p.Decode(&inner, b)
	}
	return false
}

// addMAC adds a hardware address written in any way, "0011.2233.4455".
func addMAC(b *event.Batch, field, s string) {
	var out [17]byte
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.' || c == ':' || c == '-':
			continue
		case !isHex(s[i:i+1]) || n == len(out):
			return
		case 'a' <= c && c <= 'f':
			c -= 'a' - 'A'
		}
		if n%3 == 2 {
			out[n] = '-'
			n++
		}
		out[n] = c
		n++
	}
	if n == len(out) {
		b.Add(field, b.Bytes(out[:]))
	}
}
