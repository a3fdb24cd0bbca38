package simulate

import (
	"fmt"
	"strings"

	"github.com/sextant-logs/sextant/evtx"
)

// windows is the state of a Windows host: its logon sessions and processes.
type windows struct {
	owner  *person // of a workstation
	luid   uint64  // of the last logon session
	guid   uint32  // of the machine, in Sysmon's GUIDs
	number uint16  // of the last process, in the same
	pid    int64
	lsass  int64
	sysmon int64
	evlog  int64
	scm    int64

	winlogon, services, svchost, explorer *process
}

// newWindows gives a host its event logs. The domain controller has no Sysmon.
func (h *host) newWindows() {
	open := func(source, file, channel string) *eventLog {
		if h.w.o.without(h.name, source) {
			return nil
		}
		return h.w.newEventLog(h, file, channel)
	}
	h.security = open("security", "Security.evtx", "Security")
	h.system = open("system", "System.evtx", "System")
	rng := h.w.random("windows " + h.name)
	if h.windows == nil {
		h.windows = &windows{}
	}
	s := h.windows
	s.luid, s.guid, s.pid = rng.next()>>40, uint32(rng.next()), 4*rng.between(500, 1500)
	s.lsass, s.scm, s.evlog, s.sysmon = 4*rng.between(150, 200), 4*rng.between(140, 150), 4*rng.between(220, 400), 4*rng.between(600, 900)
	if h == h.w.ws {
		h.sysmon = open("sysmon", "Microsoft-Windows-Sysmon%4Operational.evtx", "Microsoft-Windows-Sysmon/Operational")
		h.powershell = open("powershell", "Microsoft-Windows-PowerShell%4Operational.evtx", "Microsoft-Windows-PowerShell/Operational")
	}
	system := h.localSystem()
	running := func(image, command string, parent *process) *process {
		p := &process{h: h, logon: system, parent: parent, image: image, command: command, integrity: "System", directory: `C:\Windows\system32\`}
		p.number(h.boot)
		return p
	}
	s.winlogon = running(`C:\Windows\System32\winlogon.exe`, "winlogon.exe", nil)
	s.services = running(`C:\Windows\System32\services.exe`, `C:\Windows\system32\services.exe`, nil)
	s.svchost = running(`C:\Windows\System32\svchost.exe`, `C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule`, s.services)
}

// computer is the host's name in its event logs.
func (h *host) computer() string { return strings.ToUpper(h.name) + "." + domain }

// netbiosName is its short name.
func (h *host) netbiosName() string { return strings.ToUpper(h.name) }

// shape is one kind of event as its provider's manifest has it.
type shape struct {
	system evtx.System
	kind   evtx.DataKind
	name   string // of the element in UserData
	fields []evtx.Field
}

// newShape reads fields as "Name:type Name …"; string is the default type.
func newShape(system evtx.System, fields string) *shape {
	types := map[string]evtx.Type{
		"": evtx.TypeString, "sid": evtx.TypeSID, "x32": evtx.TypeHexInt32, "x64": evtx.TypeHexInt64, "guid": evtx.TypeGUID,
		"u8": evtx.TypeUInt8, "u16": evtx.TypeUInt16, "u32": evtx.TypeUInt32, "u64": evtx.TypeUInt64, "i32": evtx.TypeInt32, "bool": evtx.TypeBool, "ptr": evtx.TypeHexInt64, "binary": evtx.TypeBinary,
	}
	s := &shape{system: system, kind: evtx.EventData}
	for _, f := range strings.Fields(fields) {
		name, kind, _ := strings.Cut(f, ":")
		t, ok := types[kind]
		if !ok {
			panic("simulate: no type is called " + kind) // of a table in this package
		}
		s.fields = append(s.fields, evtx.Field{Name: name, Type: t})
	}
	return s
}

// write logs an event of this shape with the values in the fields' order.
func (l *eventLog) event(m mark, s *shape, pid, tid int64, user string, values ...string) {
	if l == nil {
		return
	}
	rec := evtx.Record{System: s.system, DataKind: s.kind, DataName: s.name}
	rec.System.ProcessID, rec.System.ThreadID, rec.System.UserID = uint32(pid), uint32(tid), user
	rec.Data = make([]evtx.Field, len(s.fields))
	copy(rec.Data, s.fields)
	if len(values) != len(s.fields) {
		l.err = fmt.Errorf("event %d has %d fields, got %d", s.system.EventID, len(s.fields), len(values))
		return
	}
	for i, v := range values {
		rec.Data[i].Value = v
	}
	l.write(&rec, m)
}

// logon is a logon session on a Windows host.
type logon struct {
	h      *host
	id     uint64 // LUID
	user   string
	domain string
	sid    string
	kind   int // LogonType
	high   bool
}

func (h *host) localSystem() *logon {
	return &logon{h: h, id: 0x3e7, user: h.netbiosName() + "$", domain: netbios, sid: "S-1-5-18", high: true}
}

func (l *logon) account() string {
	if l.sid == "S-1-5-18" {
		return `NT AUTHORITY\SYSTEM`
	}
	return l.domain + `\` + l.user
}

func (s *windows) newLUID(a *actor) uint64 {
	s.luid += 0x40 + uint64(a.rng.below(0x9000))
	return s.luid
}

func hex32(v int64) string { return fmt.Sprintf("0x%x", v) }

// process is a running program.
type process struct {
	h         *host
	logon     *logon
	parent    *process
	image     string
	command   string
	directory string
	integrity string
	pid       int64
	guid      string
}

// number gives the process its id and Sysmon's GUID: machine, start, sequence.
func (p *process) number(start int64) {
	s := p.h.windows
	s.pid += 4 * (1 + int64(nidsMix(uint64(start)^uint64(s.number))%40))
	if s.pid > 30_000 {
		s.pid = 1000 + s.pid%2000&^3
	}
	s.number++
	p.pid = s.pid
	sec := uint32(start / second)
	p.guid = fmt.Sprintf("{%08x-%04x-%04x-%02x%02x-000000001200}", s.guid, sec&0xffff, sec>>16, s.number&0xff, s.number>>8)
}
