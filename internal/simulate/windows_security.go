package simulate

import (
	"fmt"
	"strconv"

	"github.com/sextant-logs/sextant/evtx"
)

const (
	auditSuccess = 0x8020000000000000
	auditFailure = 0x8010000000000000
)

func audit(id uint32, version uint8, task uint16, keywords uint64, fields string) *shape {
	return newShape(evtx.System{
		ProviderName: "Microsoft-Windows-Security-Auditing", ProviderGUID: "{54849625-5478-4994-a5ba-3e3b0328c30d}",
		EventID: id, Version: version, Task: task, Keywords: keywords,
	}, fields)
}

// The events of the Security log as Windows 10 and Server 2019 define them.
var (
	auditLogon = audit(4624, 2, 12544, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64
		TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:x64 LogonType:u32 LogonProcessName AuthenticationPackageName
		WorkstationName LogonGuid:guid TransmittedServices LmPackageName KeyLength:u32 ProcessId:ptr ProcessName IpAddress IpPort
		ImpersonationLevel RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount TargetLinkedLogonId:x64 ElevatedToken`)
	auditLogonFailed = audit(4625, 0, 12544, auditFailure, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64
		TargetUserSid:sid TargetUserName TargetDomainName Status:x32 FailureReason SubStatus:x32 LogonType:u32 LogonProcessName
		AuthenticationPackageName WorkstationName TransmittedServices LmPackageName KeyLength:u32 ProcessId:ptr ProcessName IpAddress IpPort`)
	auditLogoff    = audit(4634, 0, 12545, auditSuccess, `TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:x64 LogonType:u32`)
	auditExplicit  = audit(4648, 0, 12544, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64 LogonGuid:guid TargetUserName TargetDomainName TargetLogonGuid:guid TargetServerName TargetInfo ProcessId:ptr ProcessName IpAddress IpPort`)
	auditPrivilege = audit(4672, 0, 12548, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64 PrivilegeList`)
	auditProcess   = audit(4688, 2, 13312, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64 NewProcessId:ptr NewProcessName
		TokenElevationType ProcessId:ptr CommandLine TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:x64 ParentProcessName MandatoryLabel:sid`)
	auditTGT = audit(4768, 0, 14339, auditSuccess, `TargetUserName TargetDomainName TargetSid:sid ServiceName ServiceSid:sid TicketOptions:x32 Status:x32
		TicketEncryptionType:x32 PreAuthType IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint`)
	auditTicket = audit(4769, 0, 14337, auditSuccess, `TargetUserName TargetDomainName ServiceName ServiceSid:sid TicketOptions:x32 TicketEncryptionType:x32
		IpAddress IpPort Status:x32 LogonGuid:guid TransmittedServices`)
	auditPreAuth    = audit(4771, 0, 14339, auditFailure, `TargetUserName TargetSid:sid ServiceName TicketOptions:x32 Status:x32 PreAuthType IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint`)
	auditNTLM       = audit(4776, 0, 14336, auditSuccess, `PackageName TargetUserName Workstation Status:x32`)
	auditNTLMFailed = audit(4776, 0, 14336, auditFailure, `PackageName TargetUserName Workstation Status:x32`)
	auditShare      = audit(5140, 1, 12808, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64 ObjectType IpAddress IpPort ShareName ShareLocalPath AccessMask:x32 AccessList`)
	auditShareFile  = audit(5145, 0, 12811, auditSuccess, `SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64 ObjectType IpAddress IpPort ShareName ShareLocalPath RelativeTargetName AccessMask:x32 AccessList AccessReason`)
	auditUserNew    = audit(4720, 0, 13824, auditSuccess, `TargetUserName TargetDomainName TargetSid:sid SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64
		PrivilegeList SamAccountName DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath ProfilePath UserWorkstations PasswordLastSet AccountExpires
		PrimaryGroupId AllowedToDelegateTo OldUacValue NewUacValue UserAccountControl UserParameters SidHistory LogonHours`)
	auditUserEnabled = audit(4722, 0, 13824, auditSuccess, `TargetUserName TargetDomainName TargetSid:sid SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64`)
	auditUserReset   = audit(4724, 0, 13824, auditSuccess, `TargetUserName TargetDomainName TargetSid:sid SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:x64`)
	auditLogCleared  = &shape{
		system: evtx.System{ProviderName: "Microsoft-Windows-Eventlog", ProviderGUID: "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", EventID: 1102, Level: 4, Task: 104, Keywords: 0x4020000000000000},
		kind:   evtx.UserData, name: "LogFileCleared",
		fields: []evtx.Field{{Name: "SubjectUserSid", Type: evtx.TypeSID}, {Name: "SubjectUserName", Type: evtx.TypeString}, {Name: "SubjectDomainName", Type: evtx.TypeString}, {Name: "SubjectLogonId", Type: evtx.TypeHexInt64}},
	}
)

const (
	noSID  = "S-1-0-0"
	noGUID = "{00000000-0000-0000-0000-000000000000}"
)

// audit writes to the Security log as lsass does.
func (h *host) audit(a *actor, s *shape, values ...string) {
	h.security.event(a.mark, s, h.windows.lsass, int64(400+4*a.rng.below(700)), "", values...)
}

// target is who logs on.
type target struct{ user, domain, sid string }

func (p *person) target() target { return target{p.name, netbios, p.sid()} }

func machine(name string) target {
	h := nidsRNG(0)
	for i := range len(name) {
		h = nidsRNG(nidsMix(uint64(h) ^ uint64(name[i])))
	}
	return target{name + "$", netbios, fmt.Sprintf("%s-%d", sidDomain, 7000+uint64(h)%90_000)}
}

// kerberos reports how an address shows in Kerberos events.
func kerberos(address string) string { return "::ffff:" + address }

func guid(a *actor) string {
	v := a.rng.next()
	u := a.rng.next()
	return fmt.Sprintf("{%08x-%04x-%04x-%04x-%012x}", uint32(v), uint16(v>>32), uint16(v>>48), uint16(u), u>>16)
}

// logOn is a logon that succeeds over the network with Kerberos (3), over the
// network with NTLM (kind 3, ntlm), interactive (2), unlocking (7) or
// over remote desktop (10).
func (h *host) logOn(a *actor, t target, kind int, ntlm bool, from, workstation string, privileged bool) *logon {
	s := h.windows
	l := &logon{h: h, id: s.newLUID(a), user: t.user, domain: t.domain, sid: t.sid, kind: kind, high: privileged}
	elevated := "%%1843"
	if privileged {
		elevated = "%%1842"
	}
	port := "0"
	subject := [4]string{noSID, "-", "-", "0x0"}
	process, program, id := "Kerberos", "-", "0x0"
	pack, lm, key, g := "Kerberos", "-", "0", guid(a)
	switch {
	case kind == 3 && ntlm:
		process, pack, lm, key, g = "NtLmSsp ", "NTLM", "NTLM V2", "128", noGUID
		port = strconv.Itoa(clientPort(a))
	case kind == 3:
		workstation = "-"
		port = strconv.Itoa(clientPort(a))
	default:
		subject = [4]string{"S-1-5-18", h.netbiosName() + "$", netbios, "0x3e7"}
		process, pack = "User32 ", "Negotiate"
		program, id = `C:\Windows\System32\svchost.exe`, hex32(s.svchost.pid)
		workstation = h.netbiosName()
	}
	h.audit(a, auditLogon, subject[0], subject[1], subject[2], subject[3], t.sid, t.user, t.domain, fmt.Sprintf("0x%x", l.id), strconv.Itoa(kind),
		process, pack, workstation, g, "-", lm, key, id, program, from, port, "%%1833", "-", "-", "-", "%%1843", "0x0", elevated)
	if privileged {
		a.wait(msec)
		h.audit(a, auditPrivilege, t.sid, t.user, t.domain, fmt.Sprintf("0x%x", l.id),
			"SeSecurityPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeRestorePrivilege\r\n\t\t\tSeTakeOwnershipPrivilege\r\n\t\t\tSeDebugPrivilege\r\n\t\t\tSeSystemEnvironmentPrivilege\r\n\t\t\tSeLoadDriverPrivilege\r\n\t\t\tSeImpersonatePrivilege\r\n\t\t\tSeDelegateSessionUserImpersonatePrivilege")
	}
	return l
}

// logOff ends a session.
func (l *logon) logOff(a *actor) {
	l.h.audit(a, auditLogoff, l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id), strconv.Itoa(l.kind))
}

// serviceLogOn is a service starting under its own account.
func (h *host) serviceLogOn(a *actor) {
	s := h.windows
	h.audit(a, auditLogon, "S-1-5-18", h.netbiosName()+"$", netbios, "0x3e7", "S-1-5-18", "SYSTEM", "NT AUTHORITY", "0x3e7", "5",
		"Advapi  ", "Negotiate", "-", noGUID, "-", "-", "0", hex32(s.services.pid), `C:\Windows\System32\services.exe`, "-", "-", "%%1833", "-", "-", "-", "%%1843", "0x0", "%%1842")
	h.audit(a, auditPrivilege, "S-1-5-18", "SYSTEM", "NT AUTHORITY", "0x3e7",
		"SeAssignPrimaryTokenPrivilege\r\n\t\t\tSeTcbPrivilege\r\n\t\t\tSeSecurityPrivilege\r\n\t\t\tSeTakeOwnershipPrivilege\r\n\t\t\tSeLoadDriverPrivilege\r\n\t\t\tSeBackupPrivilege\r\n\t\t\tSeRestorePrivilege\r\n\t\t\tSeDebugPrivilege\r\n\t\t\tSeAuditPrivilege\r\n\t\t\tSeSystemEnvironmentPrivilege\r\n\t\t\tSeImpersonatePrivilege\r\n\t\t\tSeDelegateSessionUserImpersonatePrivilege")
}

// Reasons of a failed logon: sub status and the text's number.
const (
	wrongPassword = "0xc000006a"
	noSuchUser    = "0xc0000064"
)

// logOnFails is a network logon with NTLM or an interactive one that fails.
func (h *host) logOnFails(a *actor, user string, kind int, sub, from, workstation string) {
	subject := [4]string{noSID, "-", "-", "0x0"}
	process, pack, program, id, port := "NtLmSsp ", "NTLM", "-", "0x0", strconv.Itoa(clientPort(a))
	if kind != 3 {
		subject = [4]string{"S-1-5-18", h.netbiosName() + "$", netbios, "0x3e7"}
		process, pack, program, id, port = "User32 ", "Negotiate", `C:\Windows\System32\svchost.exe`, hex32(h.windows.svchost.pid), "0"
	}
	h.audit(a, auditLogonFailed, subject[0], subject[1], subject[2], subject[3], noSID, user, netbios, "0xc000006d", "%%2313", sub, strconv.Itoa(kind),
		process, pack, workstation, "-", "-", "0", id, program, from, port)
}

// ntlm is the domain controller's check of an NTLM password; status "0x0" is right.
func (h *host) ntlm(a *actor, user, workstation, status string) {
	s := auditNTLM
	if status != "0x0" {
		s = auditNTLMFailed
	}
	h.audit(a, s, "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", user, workstation, status)
}

// tgt, ticket and preAuthFails are the domain controller's Kerberos.
func (h *host) tgt(a *actor, t target, from string) {
	h.audit(a, auditTGT, t.user, netbios, t.sid, "krbtgt", sidDomain+"-502", "0x40810010", "0x0", "0x12", "2", kerberos(from), strconv.Itoa(clientPort(a)), "", "", "")
}

func (h *host) ticket(a *actor, t target, from, service string, encryption string) {
	h.audit(a, auditTicket, t.user+"@CORP.EXAMPLE.COM", "CORP.EXAMPLE.COM", service, machine(service).sid, "0x40810000", encryption, kerberos(from), strconv.Itoa(clientPort(a)), "0x0", guid(a), "-")
}

func (h *host) preAuthFails(a *actor, t target, from string) {
	h.audit(a, auditPreAuth, t.user, t.sid, "krbtgt/"+netbios, "0x40810010", "0x18", "2", kerberos(from), strconv.Itoa(clientPort(a)), "", "", "")
}

// openShare is a network session's access to a share, and readFile to a file in it.
func (l *logon) openShare(a *actor, from, share, path string) {
	l.h.security.event(a.mark, auditShare, 4, int64(60+4*a.rng.below(500)), "", l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id), "File", from, strconv.Itoa(clientPort(a)),
		`\\*\`+share, path, "0x1", "%%4416\r\n\t\t\t\t")
}

func (l *logon) readFile(a *actor, from string, port int, share, path, file string) {
	l.h.security.event(a.mark, auditShareFile, 4, int64(60+4*a.rng.below(500)), "", l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id), "File", from, strconv.Itoa(port),
		`\\*\`+share, path, file, "0x120089", "%%1538\r\n\t\t\t\t%%1541\r\n\t\t\t\t%%4416\r\n\t\t\t\t%%4419\r\n\t\t\t\t%%4423\r\n\t\t\t\t", "-")
}

// newUser is an admin creating an account in the domain.
func (l *logon) newUser(a *actor, name, full string, rid int) {
	h, sid, id := l.h, fmt.Sprintf("%s-%d", sidDomain, rid), fmt.Sprintf("0x%x", l.id)
	h.audit(a, auditUserNew, name, l.domain, sid, l.sid, l.user, l.domain, id, "-", name, full, name+"@"+domain, "-", "-", "-", "-", "-", "%%1794", "%%1794",
		"513", "-", "0x0", "0x15", "\r\n\t\t%%2080\r\n\t\t%%2082\r\n\t\t%%2084", "-", "-", "%%1793")
	a.pause(msec, 30*msec)
	h.audit(a, auditUserEnabled, name, l.domain, sid, l.sid, l.user, l.domain, id)
	h.audit(a, auditUserReset, name, l.domain, sid, l.sid, l.user, l.domain, id)
}

// resetPassword is an admin setting someone's password.
func (l *logon) resetPassword(a *actor, p *person) {
	l.h.audit(a, auditUserReset, p.name, netbios, p.sid(), l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id))
}
