package simulate

import (
	"fmt"

	"github.com/sextant-logs/sextant/evtx"
)

func controlManager(id uint32, fields string) *shape {
	return newShape(evtx.System{
		ProviderName: "Service Control Manager", ProviderGUID: "{555908d1-a6d7-4695-8e1e-26931d2012f4}", EventSourceName: "Service Control Manager",
		EventID: id, Level: 4, Keywords: 0x8080000000000000, Qualifiers: 16384, HasQualifiers: true,
	}, fields)
}

var (
	serviceState  = controlManager(7036, "param1 param2 Binary:binary")
	serviceStart  = controlManager(7040, "param1 param2 param3 param4")
	serviceNew    = controlManager(7045, "ServiceName ImagePath ServiceType StartType AccountName")
	systemCleared = &shape{
		system: evtx.System{ProviderName: "Microsoft-Windows-Eventlog", ProviderGUID: "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", EventID: 104, Level: 4, Task: 104, Keywords: 0x8000000000000000},
		kind:   evtx.UserData, name: "LogFileCleared",
		fields: []evtx.Field{{Name: "SubjectUserName", Type: evtx.TypeString}, {Name: "SubjectDomainName", Type: evtx.TypeString}, {Name: "Channel", Type: evtx.TypeString}, {Name: "BackupPath", Type: evtx.TypeString}},
	}
	powershellBlock = newShape(evtx.System{
		ProviderName: "Microsoft-Windows-PowerShell", ProviderGUID: "{a0c1853b-5c40-4b15-8766-3cf1c58f985a}", EventID: 4104, Version: 1, Level: 5, Task: 2, Opcode: 15,
	}, "MessageNumber:i32 MessageTotal:i32 ScriptBlockText ScriptBlockId Path")
	powershellStart = newShape(evtx.System{
		ProviderName: "Microsoft-Windows-PowerShell", ProviderGUID: "{a0c1853b-5c40-4b15-8766-3cf1c58f985a}", EventID: 40961, Version: 1, Level: 4, Task: 4, Opcode: 1,
	}, "")
)

// service is a change of a service's state, "running" or "stopped".
func (h *host) service(a *actor, title, name, state string) {
	// The binary data is the name and the state, UTF-16.
	binary := ""
	for _, c := range name + "/" + map[string]string{"running": "4", "stopped": "1"}[state] + "\x00" {
		binary += fmt.Sprintf("%02X00", c)
	}
	h.system.event(a.mark, serviceState, h.windows.scm, h.windows.scm+1024, "", title, state, binary)
}

// powerShell logs a console's start, and a script block at level Verbose, or
// Warning where PowerShell itself finds it suspicious.
func (p *process) powerShell(a *actor, text, path string, suspicious bool) {
	l := p.h.powershell
	l.event(a.mark, powershellStart, p.pid, p.pid+60, p.logon.sid)
	s := *powershellBlock
	if suspicious {
		s.system.Level = 3
	}
	id := guid(a)
	l.event(a.mark, &s, p.pid, p.pid+88, p.logon.sid, "1", "1", text, id[1:len(id)-1], path)
}

// clearLog empties one of the host's logs, and leaves the notice of it.
func (l *logon) clearLog(a *actor, log *eventLog) {
	h := l.h
	if log == nil {
		return
	}
	log.clear()
	if log == h.security {
		log.event(a.mark, auditLogCleared, h.windows.evlog, h.windows.evlog+300, "", l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id))
		return
	}
	h.system.event(a.mark, systemCleared, h.windows.evlog, h.windows.evlog+300, l.sid, l.user, l.domain, log.channel, "")
}
