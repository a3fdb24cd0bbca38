package detect_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/sigma"
)

// eventPlace is where Windows keeps what a Sigma category or service names, by the specification's taxonomy
// and the channels that SigmaHQ's checks of its own logs use.
type eventPlace struct {
	channel, provider string
	id                int  // 0: whatever the rule asks for
	user              bool // the events have user data
}

const sysmonChannel, sysmonProvider = "Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon"

func sysmonLogs(ids ...int) (logs []eventPlace) {
	for _, id := range ids {
		logs = append(logs, eventPlace{channel: sysmonChannel, provider: sysmonProvider, id: id})
	}
	return logs
}

func channels(provider string, user bool, names ...string) (logs []eventPlace) {
	for _, name := range names {
		logs = append(logs, eventPlace{channel: name, provider: provider, user: user})
	}
	return logs
}

var windowsCategories = map[string][]eventPlace{
	"process_creation":          sysmonLogs(1),
	"file_change":               sysmonLogs(2),
	"network_connection":        sysmonLogs(3),
	"sysmon_status":             sysmonLogs(4, 16),
	"process_termination":       sysmonLogs(5),
	"driver_load":               sysmonLogs(6),
	"image_load":                sysmonLogs(7),
	"create_remote_thread":      sysmonLogs(8),
	"raw_access_thread":         sysmonLogs(9),
	"process_access":            sysmonLogs(10),
	"file_event":                sysmonLogs(11),
	"registry_event":            sysmonLogs(12, 13, 14),
	"registry_add":              sysmonLogs(12),
	"registry_delete":           sysmonLogs(12),
	"registry_set":              sysmonLogs(13),
	"registry_rename":           sysmonLogs(14),
	"create_stream_hash":        sysmonLogs(15),
	"pipe_created":              sysmonLogs(17, 18),
	"wmi_event":                 sysmonLogs(19, 20, 21),
	"dns_query":                 sysmonLogs(22),
	"file_delete":               sysmonLogs(23),
	"clipboard_capture":         sysmonLogs(24),
	"process_tampering":         sysmonLogs(25),
	"file_delete_detected":      sysmonLogs(26),
	"file_block_executable":     sysmonLogs(27),
	"file_block_shredding":      sysmonLogs(28),
	"file_executable_detected":  sysmonLogs(29),
	"sysmon_error":              sysmonLogs(255),
	"ps_module":                 {{channel: "Microsoft-Windows-PowerShell/Operational", provider: "Microsoft-Windows-PowerShell", id: 4103}, {channel: "PowerShellCore/Operational", provider: "PowerShellCore", id: 4103}},
	"ps_script":                 {{channel: "Microsoft-Windows-PowerShell/Operational", provider: "Microsoft-Windows-PowerShell", id: 4104}, {channel: "PowerShellCore/Operational", provider: "PowerShellCore", id: 4104}},
	"ps_classic_start":          {{channel: "Windows PowerShell", provider: "PowerShell", id: 400}},
	"ps_classic_provider_start": {{channel: "Windows PowerShell", provider: "PowerShell", id: 600}},
	"ps_classic_script":         {{channel: "Windows PowerShell", provider: "PowerShell", id: 800}},
	"file_access":               {{channel: "Microsoft-Windows-Kernel-File/Analytic", provider: "Microsoft-Windows-Kernel-File", id: 12}},
	"file_rename":               {{channel: "Microsoft-Windows-Kernel-File/Analytic", provider: "Microsoft-Windows-Kernel-File", id: 27}},
}

var windowsServices = map[string][]eventPlace{
	"sysmon":                               channels(sysmonProvider, false, sysmonChannel),
	"security":                             append(channels("Microsoft-Windows-Security-Auditing", false, "Security"), channels("Microsoft-Windows-Eventlog", true, "Security")...),
	"system":                               append(channels("Service Control Manager", false, "System"), channels("Microsoft-Windows-Eventlog", true, "System")...),
	"application":                          channels("Application", false, "Application"),
	"powershell":                           channels("Microsoft-Windows-PowerShell", false, "Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"),
	"powershell-classic":                   channels("PowerShell", false, "Windows PowerShell"),
	"windefend":                            channels("Microsoft-Windows-Windows Defender", false, "Microsoft-Windows-Windows Defender/Operational"),
	"firewall-as":                          channels("Microsoft-Windows-Windows Firewall With Advanced Security", false, "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"),
	"bits-client":                          channels("Microsoft-Windows-Bits-Client", false, "Microsoft-Windows-Bits-Client/Operational"),
	"taskscheduler":                        channels("Microsoft-Windows-TaskScheduler", false, "Microsoft-Windows-TaskScheduler/Operational"),
	"dns-client":                           channels("Microsoft-Windows-DNS-Client", false, "Microsoft-Windows-DNS Client Events/Operational"),
	"dns-server":                           channels("Microsoft-Windows-DNS-Server-Service", true, "DNS Server"),
	"dns-server-analytic":                  channels("Microsoft-Windows-DNSServer", false, "Microsoft-Windows-DNS-Server/Analytical"),
	"driver-framework":                     channels("Microsoft-Windows-DriverFrameworks-UserMode", true, "Microsoft-Windows-DriverFrameworks-UserMode/Operational"),
	"ntlm":                                 channels("Microsoft-Windows-NTLM", false, "Microsoft-Windows-NTLM/Operational"),
	"dhcp":                                 channels("Microsoft-Windows-DHCP-Server", false, "Microsoft-Windows-DHCP-Server/Operational"),
	"applocker":                            channels("Microsoft-Windows-AppLocker", true, "Microsoft-Windows-AppLocker/MSI and Script", "Microsoft-Windows-AppLocker/EXE and DLL", "Microsoft-Windows-AppLocker/Packaged app-Deployment", "Microsoft-Windows-AppLocker/Packaged app-Execution"),
	"msexchange-management":                channels("MSExchange CmdletLogs", false, "MSExchange Management"),
	"printservice-admin":                   channels("Microsoft-Windows-PrintService", true, "Microsoft-Windows-PrintService/Admin"),
	"printservice-operational":             channels("Microsoft-Windows-PrintService", true, "Microsoft-Windows-PrintService/Operational"),
	"terminalservices-localsessionmanager": channels("Microsoft-Windows-TerminalServices-LocalSessionManager", true, "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"),
	"smbclient-security":                   channels("Microsoft-Windows-SMBClient", false, "Microsoft-Windows-SmbClient/Security"),
	"smbclient-connectivity":               channels("Microsoft-Windows-SMBClient", false, "Microsoft-Windows-SmbClient/Connectivity"),
	"smbserver-connectivity":               channels("Microsoft-Windows-SMBServer", false, "Microsoft-Windows-SMBServer/Connectivity"),
	"codeintegrity-operational":            channels("Microsoft-Windows-CodeIntegrity", false, "Microsoft-Windows-CodeIntegrity/Operational"),
	"wmi":                                  channels("Microsoft-Windows-WMI-Activity", true, "Microsoft-Windows-WMI-Activity/Operational"),
	"ldap":                                 channels("Microsoft-Windows-LDAP-Client", false, "Microsoft-Windows-LDAP-Client/Debug"),
	"appxdeployment-server":                channels("Microsoft-Windows-AppXDeployment-Server", false, "Microsoft-Windows-AppXDeploymentServer/Operational"),
	"appxpackaging-om":                     channels("Microsoft-Windows-AppxPackagingOM", false, "Microsoft-Windows-AppxPackaging/Operational"),
	"appmodel-runtime":                     channels("Microsoft-Windows-AppModel-Runtime", false, "Microsoft-Windows-AppModel-Runtime/Admin"),
	"lsa-server":                           channels("LsaSrv", false, "Microsoft-Windows-LSA/Operational"),
	"openssh":                              channels("OpenSSH", false, "OpenSSH/Operational"),
	"shell-core":                           channels("Microsoft-Windows-Shell-Core", false, "Microsoft-Windows-Shell-Core/Operational"),
	"capi2":                                channels("Microsoft-Windows-CAPI2", true, "Microsoft-Windows-CAPI2/Operational"),
	"certificateservicesclient-lifecycle-system": channels("Microsoft-Windows-CertificateServicesClient-Lifecycle-System", true, "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"),
	"diagnosis-scripted":                         channels("Microsoft-Windows-Diagnosis-Scripted", false, "Microsoft-Windows-Diagnosis-Scripted/Operational"),
	"iis-configuration":                          channels("Microsoft-Windows-IIS-Configuration", false, "Microsoft-IIS-Configuration/Operational"),
	"microsoft-servicebus-client":                channels("Microsoft-ServiceBus-Client", false, "Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client/Operational"),
	"servicebus-client":                          channels("Microsoft-ServiceBus-Client", false, "Microsoft-ServiceBus-Client/Admin"),
	"security-mitigations":                       channels("Microsoft-Windows-Security-Mitigations", false, "Microsoft-Windows-Security-Mitigations/Kernel Mode", "Microsoft-Windows-Security-Mitigations/User Mode"),
	"sense":                                      channels("Microsoft-Windows-SENSE", false, "Microsoft-Windows-SENSE/Operational"),
	"vhdmp":                                      channels("Microsoft-Windows-VHDMP", false, "Microsoft-Windows-VHDMP-Operational"),
	"bitlocker":                                  channels("Microsoft-Windows-BitLocker-API", false, "Microsoft-Windows-BitLocker/BitLocker Management"),
	"application-experience":                     channels("Microsoft-Windows-Application-Experience", false, "Microsoft-Windows-Application-Experience/Program-Telemetry", "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant"),
	"hyper-v-worker":                             channels("Microsoft-Windows-Hyper-V-Worker", false, "Microsoft-Windows-Hyper-V-Worker", "Microsoft-Windows-Hyper-V-Worker-Admin"),
	"kernel-event-tracing":                       channels("Microsoft-Windows-Kernel-EventTracing", false, "Microsoft-Windows-Kernel-EventTracing", "Microsoft-Windows-Kernel-EventTracing/Admin"),
	"ntfs":                                       channels("Microsoft-Windows-Ntfs", false, "Microsoft-Windows-Ntfs/Operational"),
	"kernel-shimengine":                          channels("Microsoft-Windows-Kernel-ShimEngine", false, "Microsoft-Windows-Kernel-ShimEngine/Operational", "Microsoft-Windows-Kernel-ShimEngine/Diagnostic"),
}

// native is a log as a product writes it.
type native struct {
	name string
	data []byte
}

// windowsNatives writes an event of a Windows rule as event logs, one for each place where Windows may keep it.
func windowsNatives(ev *synthetic) (logs []native) {
	ls := ev.rule.LogSource
	places := windowsCategories[ls.Category]
	switch {
	case ls.Service != "":
		places = windowsServices[ls.Service]
	case ls.Category == "" && ls.Product == "windows":
		places = append(windowsServices["system"], windowsServices["application"]...)
	case ls.Product == "rpc_firewall":
		places = channels("RPCFW", false, "RPCFW")
	}
	for _, p := range places {
		if log, ok := eventLog(ev, p); ok {
			logs = append(logs, log)
		}
	}
	if ls.Service == "" {
		if log, ok := securityLog(ev); ok {
			logs = append(logs, log)
		}
	}
	return logs
}

// eventLog writes the event to a log of one record; not ok if it cannot be of that log.
func eventLog(ev *synthetic, p eventPlace) (native, bool) {
	rec := &evtx.Record{DataKind: evtx.EventData, System: evtx.System{
		ProviderName: p.provider, EventID: uint32(p.id), Channel: p.channel, Computer: "ws01.example.com", Level: 3,
		TimeCreated: evtx.FiletimeOf(time.Date(2024, 3, 4, 5, 6, 7, 0, time.UTC)),
	}}
	if rec.System.EventID == 0 {
		rec.System.EventID = 1000
	}
	if p.user {
		rec.DataKind, rec.DataName = evtx.UserData, "EventXML"
	}
	s := &rec.System
	for _, f := range ev.names() {
		v := ev.fields[f]
		n, err := strconv.ParseUint(v, 0, 64)
		switch f {
		case "EventID":
			if err != nil || n > 65535 || p.id != 0 && int(n) != p.id {
				return native{}, false
			}
			s.EventID = uint32(n)
		case "Channel", "EventLog":
			if ev.fields["EventID"] == "104" { // of the log that was cleared
				rec.Data = append(rec.Data, evtx.Field{Name: f, Value: v, Type: evtx.TypeString})
				continue
			}
			if !strings.EqualFold(v, p.channel) {
				return native{}, false
			}
		case "Provider_Name", "ProviderName", "Provider", "Source":
			s.ProviderName = v
		case "Computer", "ComputerName":
			s.Computer = v
		case "Level":
			if s.Level = uint8(n); err != nil {
				s.Level = map[string]uint8{"critical": 1, "error": 2, "warning": 3, "information": 4}[strings.ToLower(v)]
			}
		case "Task":
			s.Task = uint16(n)
		case "Keywords":
			s.Keywords = n
		case "Data":
			rec.Data = append(rec.Data, evtx.Field{Value: v, Type: evtx.TypeString})
		default:
			rec.Data = append(rec.Data, evtx.Field{Name: f, Value: v, Type: evtx.TypeString})
		}
	}
	if len(ev.keywords) > 0 {
		name := ""
		if p.user {
			name = "Param1" // user data has names
		}
		rec.Data = append(rec.Data, evtx.Field{Name: name, Value: strings.Join(ev.keywords, " "), Type: evtx.TypeString})
	}
	return writeLog(rec, p.channel)
}

func writeLog(rec *evtx.Record, channel string) (native, bool) {
	if rec.DataKind == evtx.UserData && slices.ContainsFunc(rec.Data, func(f evtx.Field) bool { return f.Name == "" }) {
		return native{}, false // user data has names
	}
	if len(rec.Data) == 0 {
		rec.DataKind = evtx.NoData
	}
	var out bytes.Buffer
	w, err := evtx.NewWriter(&out)
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return native{channel + " " + strconv.Itoa(int(rec.System.EventID)), out.Bytes()}, true
}

// securityLog writes the event as the Security log has what Sysmon would tell of: with audit policies alone, and no Sysmon.
func securityLog(ev *synthetic) (native, bool) {
	rec := &evtx.Record{DataKind: evtx.EventData, System: evtx.System{
		ProviderName: "Microsoft-Windows-Security-Auditing", Channel: "Security", Computer: "ws01.example.com", Keywords: 0x8020000000000000,
		TimeCreated: evtx.FiletimeOf(time.Date(2024, 3, 4, 5, 6, 7, 0, time.UTC)),
	}}
	add := func(name, value string) {
		rec.Data = append(rec.Data, evtx.Field{Name: name, Value: value, Type: evtx.TypeString})
	}
	var names map[string]string
	switch ev.rule.LogSource.Category {
	case "process_creation":
		rec.System.EventID = 4688
		names = map[string]string{"Image": "NewProcessName", "CommandLine": "CommandLine", "ParentImage": "ParentProcessName", "User": "", "IntegrityLevel": "MandatoryLabel", "LogonId": "SubjectLogonId"}
	case "registry_set":
		rec.System.EventID = 4657
		names = map[string]string{"TargetObject": "", "Image": "ProcessName", "Details": ""}
	case "network_connection":
		rec.System.EventID = 5156
		names = map[string]string{"Image": "Application", "SourceIp": "SourceAddress", "SourcePort": "SourcePort", "DestinationIp": "DestAddress", "DestinationPort": "DestPort", "Initiated": "", "Protocol": ""}
	default:
		return native{}, false
	}
	for _, f := range ev.names() {
		v := ev.fields[f]
		name, ok := names[f]
		switch {
		case !ok:
			return native{}, false
		case f == "User":
			domain, user, both := strings.Cut(v, `\`)
			if !both {
				domain, user = v, v
			}
			add("SubjectUserName", user)
			add("SubjectDomainName", domain)
			add("TargetUserName", "-")
			add("TargetDomainName", "-")
		case f == "IntegrityLevel":
			label, ok := map[string]string{"low": "S-1-16-4096", "medium": "S-1-16-8192", "high": "S-1-16-12288", "system": "S-1-16-16384"}[strings.ToLower(v)]
			if !ok {
				return native{}, false
			}
			add(name, label)
		case f == "TargetObject":
			object := v
			for short, long := range map[string]string{`HKLM\`: `\REGISTRY\MACHINE\`, `HKU\`: `\REGISTRY\USER\`} {
				if len(object) > len(short) && strings.EqualFold(object[:len(short)], short) {
					object = long + object[len(short):]
				}
			}
			at := strings.LastIndexByte(object, '\\')
			if at < 0 {
				return native{}, false
			}
			add("ObjectName", object[:at])
			add("ObjectValueName", object[at+1:])
		case f == "Details":
			if n, ok := strings.CutPrefix(v, "DWORD (0x"); ok {
				n, err := strconv.ParseUint(strings.TrimSuffix(n, ")"), 16, 32)
				if err != nil {
					return native{}, false
				}
				add("NewValueType", "%%1876")
				add("NewValue", strconv.FormatUint(n, 10))
				continue
			}
			if strings.HasPrefix(v, "QWORD") || strings.HasPrefix(v, "Binary") || v == "(Empty)" {
				return native{}, false
			}
			add("NewValueType", "%%1873")
			add("NewValue", v)
		case f == "Initiated":
			add("Direction", map[string]string{"true": "%%14593", "false": "%%14592"}[strings.ToLower(v)])
		case f == "Protocol":
			add("Protocol", map[string]string{"tcp": "6", "udp": "17"}[strings.ToLower(v)])
		case name == "Application": // the kernel's name of the volume
			if len(v) > 2 && v[1] == ':' {
				v = `\device\harddiskvolume3` + v[2:]
			}
			add(name, v)
		default:
			add(name, v)
		}
	}
	return writeLog(rec, "Security")
}

// isWindows reports whether a rule is for event logs.
func isWindows(ls sigma.LogSource) bool {
	return ls.Product == "windows" || ls.Product == "rpc_firewall"
}
