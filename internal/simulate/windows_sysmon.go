package simulate

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/evtx"
)

func sysmonShape(id uint32, version uint8, fields string) *shape {
	return newShape(evtx.System{
		ProviderName: "Microsoft-Windows-Sysmon", ProviderGUID: "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
		EventID: id, Version: version, Level: 4, Task: uint16(id), Keywords: 0x8000000000000000,
	}, "RuleName "+fields)
}

// The events of Sysmon 15.
var (
	sysmonProcess = sysmonShape(1, 5, `UtcTime ProcessGuid:guid ProcessId:u32 Image FileVersion Description Product Company OriginalFileName CommandLine CurrentDirectory
		User LogonGuid:guid LogonId:x64 TerminalSessionId:u32 IntegrityLevel Hashes ParentProcessGuid:guid ParentProcessId:u32 ParentImage ParentCommandLine ParentUser`)
	sysmonConnect = sysmonShape(3, 5, `UtcTime ProcessGuid:guid ProcessId:u32 Image User Protocol Initiated:bool SourceIsIpv6:bool SourceIp SourceHostname SourcePort:u16 SourcePortName
		DestinationIsIpv6:bool DestinationIp DestinationHostname DestinationPort:u16 DestinationPortName`)
	sysmonExit     = sysmonShape(5, 3, `UtcTime ProcessGuid:guid ProcessId:u32 Image User`)
	sysmonFile     = sysmonShape(11, 2, `UtcTime ProcessGuid:guid ProcessId:u32 Image TargetFilename CreationUtcTime User`)
	sysmonRegistry = sysmonShape(13, 2, `EventType UtcTime ProcessGuid:guid ProcessId:u32 Image TargetObject Details User`)
	sysmonDNS      = sysmonShape(22, 5, `UtcTime ProcessGuid:guid ProcessId:u32 QueryName QueryStatus QueryResults Image User`)
)

// programs is what the version resource of a program says; the key is its
// name in lower case.
var programs = map[string]struct{ version, description, product, company, original string }{
	"cmd.exe":                {"10.0.19041.4355 (WinBuild.160101.0800)", "Windows Command Processor", windowsProduct, microsoft, "Cmd.Exe"},
	"powershell.exe":         {"10.0.19041.3996 (WinBuild.160101.0800)", "Windows PowerShell", windowsProduct, microsoft, "PowerShell.EXE"},
	"vssadmin.exe":           {"10.0.19041.1 (WinBuild.160101.0800)", "Command Line Interface for Microsoft® Volume Shadow Copy Service", windowsProduct, microsoft, "VSSADMIN.EXE"},
	"wmic.exe":               {"10.0.19041.1741 (WinBuild.160101.0800)", "WMI Commandline Utility", windowsProduct, microsoft, "wmic.exe"},
	"bcdedit.exe":            {"10.0.19041.1 (WinBuild.160101.0800)", "Boot Configuration Data Editor", windowsProduct, microsoft, "bcdedit.exe"},
	"wevtutil.exe":           {"10.0.19041.1 (WinBuild.160101.0800)", "Eventing Command Line Utility", windowsProduct, microsoft, "wevtutil.exe"},
	"whoami.exe":             {"10.0.19041.1 (WinBuild.160101.0800)", "whoami - displays logged on user information", windowsProduct, microsoft, "whoami.exe"},
	"net.exe":                {"10.0.19041.1 (WinBuild.160101.0800)", "Net Command", windowsProduct, microsoft, "net.exe"},
	"net1.exe":               {"10.0.19041.1 (WinBuild.160101.0800)", "Net Command", windowsProduct, microsoft, "net1.exe"},
	"fodhelper.exe":          {"10.0.19041.3758 (WinBuild.160101.0800)", "Features On Demand Helper", windowsProduct, microsoft, "FodHelper.EXE"},
	"reg.exe":                {"10.0.19041.1 (WinBuild.160101.0800)", "Registry Console Tool", windowsProduct, microsoft, "reg.exe"},
	"svchost.exe":            {"10.0.19041.3636 (WinBuild.160101.0800)", "Host Process for Windows Services", windowsProduct, microsoft, "svchost.exe"},
	"explorer.exe":           {"10.0.19041.4474 (WinBuild.160101.0800)", "Windows Explorer", windowsProduct, microsoft, "EXPLORER.EXE"},
	"taskhostw.exe":          {"10.0.19041.4355 (WinBuild.160101.0800)", "Host Process for Windows Tasks", windowsProduct, microsoft, "taskhostw.exe"},
	"conhost.exe":            {"10.0.19041.4355 (WinBuild.160101.0800)", "Console Window Host", windowsProduct, microsoft, "CONHOST.EXE"},
	"backgroundtaskhost.exe": {"10.0.19041.3636 (WinBuild.160101.0800)", "Background Task Host", windowsProduct, microsoft, "backgroundTaskHost.exe"},
	"userinit.exe":           {"10.0.19041.1 (WinBuild.160101.0800)", "Userinit Logon Application", windowsProduct, microsoft, "USERINIT.EXE"},
	"mpcmdrun.exe":           {"4.18.26010.5 (WinBuild.160101.0800)", "Microsoft Malware Protection Command Line Utility", windowsProduct, microsoft, "MpCmdRun.exe"},
	"outlook.exe":            {"16.0.17928.20148", "Microsoft Outlook", "Microsoft Outlook", microsoft, "Outlook.exe"},
	"winword.exe":            {"16.0.17928.20148", "Microsoft Word", "Microsoft Office", microsoft, "WinWord.exe"},
	"excel.exe":              {"16.0.17928.20148", "Microsoft Excel", "Microsoft Office", microsoft, "Excel.exe"},
	"msedge.exe":             {"143.0.3650.80", "Microsoft Edge", "Microsoft Edge", microsoft, "msedge.exe"},
	"notepad.exe":            {"10.0.19041.3996 (WinBuild.160101.0800)", "Notepad", windowsProduct, microsoft, "NOTEPAD.EXE"},
	"chrome.exe":             {"144.0.7559.60", "Google Chrome", "Google Chrome", "Google LLC", "chrome.exe"},
	"7z.exe":                 {"24.09", "7-Zip Console", "7-Zip", "Igor Pavlov", "7z.exe"},
	"rclone.exe":             {"1.69.1", "Rclone", "Rclone", "https://rclone.org", "rclone.exe"},
}

const (
	windowsProduct = "Microsoft® Windows® Operating System"
	microsoft      = "Microsoft Corporation"
)

// base is the file name of an image, in lower case.
func base(image string) string { return strings.ToLower(image[strings.LastIndexByte(image, '\\')+1:]) }

// hashes are those a file of this name has in this world.
func hashes(image string) string {
	return fmt.Sprintf("MD5=%X,SHA256=%X,IMPHASH=%X", md5.Sum([]byte(image)), sha256.Sum256([]byte(image)), md5.Sum([]byte("imports of "+image)))
}

func (h *host) utc() string {
	return time.UnixMicro(h.time()).UTC().Format("2006-01-02 15:04:05.000")
}

// sysmonEvent writes to Sysmon's log as its service does.
func (h *host) sysmonEvent(a *actor, s *shape, values ...string) {
	h.sysmon.event(a.mark, s, h.windows.sysmon, h.windows.sysmon+1200, "S-1-5-18", append([]string{"-"}, values...)...)
}

// start runs a program from p: event 4688 and Sysmon's 1.
func (p *process) start(a *actor, image, command string) *process {
	return p.startAs(a, p.logon, p.integrity, image, command)
}

func (p *process) startAs(a *actor, l *logon, integrity, image, command string) *process {
	h := p.h
	c := &process{h: h, logon: l, parent: p, image: image, command: command, integrity: integrity, directory: p.directory}
	c.number(h.time())
	label, elevation := "S-1-16-8192", "%%1938"
	switch {
	case integrity == "System":
		label, elevation = "S-1-16-16384", "%%1936"
	case integrity == "High":
		label, elevation = "S-1-16-12288", "%%1937"
	}
	h.security.event(a.mark, auditProcess, 4, int64(60+4*a.rng.below(900)), "", l.sid, l.user, l.domain, fmt.Sprintf("0x%x", l.id),
		hex32(c.pid), image, elevation, hex32(p.pid), command, noSID, "-", "-", "0x0", p.image, label)
	v := programs[base(image)]
	h.sysmonEvent(a, sysmonProcess, h.utc(), c.guid, strconv.FormatInt(c.pid, 10), image, dash(v.version), dash(v.description), dash(v.product), dash(v.company), dash(v.original),
		command, c.directory, l.account(), l.guid(), fmt.Sprintf("0x%x", l.id), c.terminal(), integrity, hashes(image),
		p.guid, strconv.FormatInt(p.pid, 10), p.image, p.command, p.logon.account())
	return c
}

// guid is Sysmon's for a logon session.
func (l *logon) guid() string {
	s := l.h.windows
	return fmt.Sprintf("{%08x-%04x-%04x-%04x-%02x0000000000}", s.guid, l.h.boot/second&0xffff, l.h.boot/second>>16&0xffff, l.id&0xffff, l.id>>16&0xff)
}

func (p *process) terminal() string {
	if p.integrity == "System" {
		return "0"
	}
	return "1"
}

// end is the process's exit.
func (p *process) end(a *actor) {
	p.h.sysmonEvent(a, sysmonExit, p.h.utc(), p.guid, strconv.FormatInt(p.pid, 10), p.image, p.logon.account())
}

// creates writes a new file.
func (p *process) creates(a *actor, file string) {
	p.h.sysmonEvent(a, sysmonFile, p.h.utc(), p.guid, strconv.FormatInt(p.pid, 10), p.image, file, p.h.utc(), p.logon.account())
}

// sets writes a registry value.
func (p *process) sets(a *actor, object, details string) {
	p.h.sysmonEvent(a, sysmonRegistry, "SetValue", p.h.utc(), p.guid, strconv.FormatInt(p.pid, 10), p.image, object, details, p.logon.account())
}

// looksUp resolves a name; the sensor sees the resolver ask outside.
func (p *process) looksUp(a *actor, name, address string) {
	p.h.w.sensor.resolve(a, p.h.address, name, address)
	p.h.sysmonEvent(a, sysmonDNS, p.h.utc(), p.guid, strconv.FormatInt(p.pid, 10), name, "0", "::ffff:"+address+";", p.image, p.logon.account())
}

// connects opens a TCP connection and returns the flow to be closed.
func (p *process) connects(a *actor, address, name string, port int) flow {
	h := p.h
	f := h.w.sensor.open(a, "TCP", h.address, 49152+int(a.rng.below(16000)), address, port)
	service := map[int]string{80: "http", 443: "https", 445: "microsoft-ds", 389: "ldap", 88: "kerberos"}[port]
	h.sysmonEvent(a, sysmonConnect, h.utc(), p.guid, strconv.FormatInt(p.pid, 10), p.image, p.logon.account(), "tcp", "true", "false", h.address, h.computer(),
		strconv.Itoa(f.sport), "-", "false", address, dash(name), strconv.Itoa(port), dash(service))
	return f
}
