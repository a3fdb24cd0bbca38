package format

import "strings"

// Events of other providers that matter to an investigation. Microsoft documents
// few of them; ids and the names of their data are those of the manifests that
// Windows carries (wevtutil gp NAME /ge).

// providerEvents are the known events of a provider, and what else their data give.
type providerEvents struct {
	events map[uint32]*winEvent
	add    func(w *winlog)
}

var serviceEvents = map[string]*providerEvents{
	"Service Control Manager": {indexEvents([]winEvent{
		{7000, "process", "start", "service-start-failed", 0, "A service failed to start"},
		{7009, "process", "start", "service-start-failed", 0, "A service did not connect in time"},
		{7011, "process", "info", "service-timeout", 0, "A service did not answer in time"},
		{7022, "process", "start", "service-start-failed", 0, "A service hung on starting"},
		{7023, "process", "end", "service-terminated-with-error", 0, "A service terminated with an error"},
		{7024, "process", "end", "service-terminated-with-error", 0, "A service terminated with an error"},
		{7031, "process", "end", "service-terminated-unexpectedly", 0, "A service terminated unexpectedly"},
		{7034, "process", "end", "service-terminated-unexpectedly", 0, "A service terminated unexpectedly"},
		{7035, "process", "info", "service-control-sent", 0, "A service was sent a control"},
		{7036, "process", "info", "service-state-changed", 0, "A service changed its state"},
		{7040, "configuration", "change", "service-start-type-changed", 0, "The start type of a service was changed"},
		{7045, "iam configuration", "admin change", "service-installed", 0, "A service was installed in the system"},
	}), (*winlog).serviceControl},
	"Microsoft-Windows-Eventlog": {indexEvents([]winEvent{
		{104, "configuration", "deletion", "event-log-cleared", 0, "An event log was cleared"},
		{105, "configuration", "info", "event-log-archived", 0, "An event log was backed up"},
		{1102, "iam", "admin change", "audit-log-cleared", 0, "The audit log was cleared"},
	}), (*winlog).subjectOnly},
	"EventLog": {indexEvents([]winEvent{
		{6005, "host", "start", "event-log-started", 0, "The event log service was started"},
		{6006, "host", "end", "event-log-stopped", 0, "The event log service was stopped"},
		{6008, "host", "end", "unexpected-shutdown", 0, "The previous shutdown was unexpected"},
		{6009, "host", "info", "windows-version", 0, "Windows version at boot"},
		{6013, "host", "info", "system-uptime", 0, "System uptime"},
	}), nothing},
	"Microsoft-Windows-Kernel-General": {indexEvents([]winEvent{
		{1, "configuration", "change", "system-time-changed", 0, "The system time was changed"},
		{12, "host", "start", "windows-started", 0, "The operating system started"},
		{13, "host", "end", "windows-shutdown", 0, "The operating system is shutting down"},
	}), nothing},
	"Microsoft-Windows-Kernel-Power": {indexEvents([]winEvent{
		{41, "host", "start", "unexpected-reboot", 0, "The system rebooted without shutting down cleanly"},
		{42, "host", "change", "system-sleep", 0, "The system is entering sleep"},
		{107, "host", "change", "system-resume", 0, "The system resumed from sleep"},
		{109, "host", "end", "windows-shutdown", 0, "A shutdown was initiated"},
	}), nothing},
	"User32": {indexEvents([]winEvent{
		{1074, "host", "end", "shutdown-initiated", 0, "A shutdown or restart was initiated"},
	}), func(w *winlog) {
		w.image("process", firstWord(w.get("param1")))
		w.logonName(plainUser, w.get("param7"))
	}},
	"Microsoft-Windows-TerminalServices-LocalSessionManager": {indexEvents([]winEvent{
		{21, "authentication session", "start", "session-logon", 0, "Remote Desktop Services: session logon succeeded"},
		{22, "session", "start", "session-shell-start", 0, "Remote Desktop Services: shell started"},
		{23, "authentication session", "end", "session-logoff", 0, "Remote Desktop Services: session logoff succeeded"},
		{24, "session", "end", "session-disconnected", 0, "Remote Desktop Services: session has been disconnected"},
		{25, "session", "start", "session-reconnected", 0, "Remote Desktop Services: session reconnection succeeded"},
		{39, "session", "end", "session-disconnected", 0, "A session was disconnected by another"},
		{40, "session", "end", "session-disconnected", 0, "A session was disconnected"},
	}), func(w *winlog) {
		if w.id == 21 || w.id == 23 || w.id == 25 {
			w.outcome("success")
		}
		w.logonName(plainUser, w.get("User"))
		w.end("source", w.get("Address"), "")
	}},
	"Microsoft-Windows-TerminalServices-RemoteConnectionManager": {indexEvents([]winEvent{
		// Despite its title it is logged for whoever reaches the logon screen.
		{1149, "network session", "connection start", "remote-desktop-connected", 0, "Remote Desktop Services: a client connected"},
		{261, "network", "connection start", "remote-desktop-listener-connected", 0, "The Remote Desktop listener received a connection"},
	}), func(w *winlog) {
		w.person(plainUser, w.get("Param1"), w.get("Param2"), "")
		w.end("source", w.get("Param3"), "")
	}},
	"Microsoft-Windows-RemoteDesktopServices-RdpCoreTS": {indexEvents([]winEvent{
		{131, "network", "connection start", "remote-desktop-connection-accepted", 0, "The server accepted a connection"},
		{140, "authentication", "start", "logon-failed", 0, "A connection failed because the user name or password is wrong"},
	}), func(w *winlog) {
		ip, port := splitAddress(w.first("ClientIP", "IPString"))
		w.end("source", ip, port)
		if w.id == 140 {
			w.outcome("failure")
		}
	}},
	"Microsoft-Windows-TaskScheduler": {indexEvents([]winEvent{
		{100, "process", "start", "scheduled-task-started", 0, "Task started"},
		{102, "process", "end", "scheduled-task-completed", 0, "Task completed"},
		{106, "iam configuration", "creation admin", "scheduled-task-created", 0, "Task registered"},
		{110, "process", "start", "scheduled-task-triggered", 0, "Task triggered by user"},
		{129, "process", "start", "scheduled-task-process-created", 0, "Task process created"},
		{140, "iam configuration", "change admin", "scheduled-task-updated", 0, "Task registration updated"},
		{141, "iam configuration", "deletion admin", "scheduled-task-deleted", 0, "Task registration deleted"},
		{142, "iam configuration", "change admin", "scheduled-task-disabled", 0, "Task disabled"},
		{200, "process", "start", "scheduled-task-action-started", 0, "Task action started"},
		{201, "process", "end", "scheduled-task-action-completed", 0, "Task action completed"},
	}), func(w *winlog) {
		w.logonName(plainUser, w.first("UserContext", "UserName"))
		w.image("process", strings.Trim(w.first("ActionName", "Path"), `"`))
		w.number("process.pid", w.get("ProcessID"))
	}},
	"Microsoft-Windows-WMI-Activity": {indexEvents([]winEvent{
		{5857, "process", "info", "wmi-provider-started", 0, "WMI provider started"},
		{5858, "process", "info", "wmi-query-failed", 0, "WMI query failed"},
		{5859, "configuration", "info", "wmi-subscription-registered", 0, "WMI subscription registered"},
		{5860, "configuration", "creation", "wmi-temporary-subscription-created", 0, "Temporary WMI event subscription created"},
		{5861, "configuration", "creation", "wmi-permanent-subscription-created", 0, "Permanent WMI event subscription created"},
	}), func(w *winlog) {
		w.logonName(plainUser, w.get("User"))
		w.number("process.pid", w.first("ClientProcessId", "processid"))
	}},
	"Microsoft-Windows-Windows Defender": {indexEvents([]winEvent{
		{1000, "malware", "start", "scan-started", 0, "Scan started"},
		{1001, "malware", "end", "scan-completed", 0, "Scan completed"},
		{1002, "malware", "end", "scan-stopped", 0, "Scan stopped before completion"},
		{1006, "malware", "info", "malware-detected", 0, "Malware found"},
		{1007, "malware", "change", "malware-action-taken", 0, "Action taken against malware"},
		{1008, "malware", "change", "malware-action-failed", 0, "Action against malware failed"},
		{1009, "malware", "change", "malware-restored", 0, "An item was restored from quarantine"},
		{1013, "configuration", "deletion", "malware-history-deleted", 0, "History of malware was deleted"},
		{1015, "malware", "info", "suspicious-behavior-detected", 0, "Suspicious behaviour found"},
		{1116, "malware", "info", "malware-detected", 0, "Malware found"},
		{1117, "malware", "change", "malware-action-taken", 0, "Action taken against malware"},
		{1118, "malware", "change", "malware-action-failed", 0, "Action against malware failed"},
		{1119, "malware", "change", "malware-action-failed", 0, "Action against malware failed critically"},
		{1121, "malware", "denied", "attack-surface-reduction-blocked", 0, "An attack surface reduction rule blocked an action"},
		{1122, "malware", "info", "attack-surface-reduction-audited", 0, "An attack surface reduction rule would have blocked an action"},
		{1123, "malware", "denied", "controlled-folder-access-blocked", 0, "Controlled folder access blocked an action"},
		{2001, "configuration", "change", "definition-update-failed", 0, "Update of definitions failed"},
		{5001, "configuration", "change", "real-time-protection-disabled", 0, "Real-time protection was disabled"},
		{5004, "configuration", "change", "real-time-protection-changed", 0, "Real-time protection configuration changed"},
		{5007, "configuration", "change", "antivirus-configuration-changed", 0, "Antivirus configuration changed"},
		{5010, "configuration", "change", "antispyware-disabled", 0, "Scanning for malware is disabled"},
		{5012, "configuration", "change", "antivirus-disabled", 0, "Scanning for viruses is disabled"},
		{5013, "configuration", "denied", "tamper-protection-blocked", 0, "Tamper protection blocked a change"},
	}), (*winlog).defender},
	"Microsoft-Windows-AppLocker": {indexEvents([]winEvent{
		{8002, "process", "start", "", 0, "Allowed to run"},
		{8003, "process", "start", "", 0, "Allowed to run, would be blocked if the policy were enforced"},
		{8004, "process", "start denied", "", 0, "Prevented from running"},
		{8005, "process", "start", "", 0, "Allowed to run"},
		{8006, "process", "start", "", 0, "Allowed to run, would be blocked if the policy were enforced"},
		{8007, "process", "start denied", "", 0, "Prevented from running"},
		{8020, "process", "start", "", 0, "Packaged app allowed"},
		{8021, "process", "start", "", 0, "Packaged app allowed, would be blocked if the policy were enforced"},
		{8022, "process", "start denied", "", 0, "Packaged app disabled"},
		{8023, "process", "start", "", 0, "Packaged app installation allowed"},
		{8025, "process", "start denied", "", 0, "Packaged app installation disabled"},
	}), (*winlog).appLocker},
	"Microsoft-Windows-Windows Firewall With Advanced Security": {indexEvents([]winEvent{
		{2002, "configuration", "change", "windows-firewall-setting-changed", 0, "A Windows Firewall setting was changed"},
		{2003, "configuration", "change", "windows-firewall-setting-changed", 0, "A Windows Firewall profile setting was changed"},
		{2004, "configuration", "creation", "windows-firewall-rule-added", 0, "A rule was added to the Windows Firewall"},
		{2005, "configuration", "change", "windows-firewall-rule-modified", 0, "A rule of the Windows Firewall was modified"},
		{2006, "configuration", "deletion", "windows-firewall-rule-deleted", 0, "A rule of the Windows Firewall was deleted"},
		{2032, "configuration", "change", "windows-firewall-reset", 0, "Windows Firewall was reset"},
		{2033, "configuration", "deletion", "windows-firewall-rules-deleted", 0, "All rules of the Windows Firewall were deleted"},
		{2071, "configuration", "creation", "windows-firewall-rule-added", 0, "A rule was added to the Windows Firewall"},
		{2097, "configuration", "creation", "windows-firewall-rule-added", 0, "A rule was added to the Windows Firewall"},
	}), func(w *winlog) {
		w.copy("rule.name", "RuleName")
		w.copy("rule.id", "RuleId")
		w.image("process", w.get("ModifyingApplication"))
		w.copy("user.id", "ModifyingUser")
	}},
	"Microsoft-Windows-Bits-Client": {indexEvents([]winEvent{
		{3, "network", "creation", "transfer-job-created", 0, "BITS job created"},
		{4, "network", "end", "transfer-job-completed", 0, "BITS job completed"},
		{5, "network", "end", "transfer-job-cancelled", 0, "BITS job cancelled"},
		{59, "network", "connection start", "transfer-started", 0, "BITS transfer started"},
		{60, "network", "connection end", "transfer-stopped", 0, "BITS transfer stopped"},
		{61, "network", "connection end", "transfer-stopped", 0, "BITS transfer stopped with an error"},
		{16403, "network", "creation", "transfer-job-created", 0, "BITS job created"},
	}), func(w *winlog) {
		if url := w.first("url", "RemoteName"); url != "" {
			addTarget(url, "", w.b)
		}
		w.logonName(plainUser, w.get("jobOwner"))
		w.number("process.pid", w.first("processId", "ClientProcessId"))
		w.image("process", w.first("processPath", "ClientProcessName"))
		w.file(w.get("LocalName"))
	}},
	"Microsoft-Windows-DNS-Client": {indexEvents([]winEvent{
		{3006, "network", "protocol start", "dns-query-started", 0, "DNS query called"},
		{3008, "network", "protocol info", "dns-query-completed", 0, "DNS query completed"},
		{3020, "network", "protocol info", "dns-response", 0, "DNS query response"},
	}), func(w *winlog) {
		w.put("network.protocol", "dns")
		w.put("dns.question.name", strings.TrimSuffix(w.get("QueryName"), "."))
		w.put("dns.question.type", dnsTypes[w.get("QueryType")])
		for item := range strings.SplitSeq(w.get("QueryResults"), ";") {
			if ipVersion(item) != 0 {
				w.b.Add("dns.resolved_ip", plainIP(item))
			}
		}
	}},
	"Microsoft-Windows-PrintService": {indexEvents([]winEvent{
		{307, "file", "info", "document-printed", 0, "A document was printed"},
		{316, "driver", "creation", "printer-driver-added", 0, "A printer driver was added or updated"},
		{808, "driver", "start", "printer-plugin-load-failed", 0, "The print spooler failed to load a plug-in"},
	}), func(w *winlog) { w.logonName(plainUser, w.get("Param3")) }},
	"Microsoft-Windows-WinRM": {indexEvents([]winEvent{
		{6, "session", "start", "winrm-session-created", 0, "WSMan session created"},
		{91, "session", "start", "winrm-shell-created", 0, "WSMan shell created"},
		{161, "authentication", "start", "winrm-logon-failed", 0, "WSMan client: authentication failed"},
		{168, "authentication", "start", "winrm-request", 0, "WSMan authentication of a request"},
	}), nothing},
	"MSSQLSERVER": {indexEvents([]winEvent{
		{18453, "authentication", "start", "logged-in", 0, "SQL Server: login succeeded"},
		{18454, "authentication", "start", "logged-in", 0, "SQL Server: login succeeded"},
		{18456, "authentication", "start", "logon-failed", 0, "SQL Server: login failed"},
	}), (*winlog).sqlServer},
	"OpenSSH": {indexEvents([]winEvent{
		{2, "", "", "", 0, "OpenSSH"},
		{4, "", "", "", 0, "OpenSSH"},
	}), (*winlog).openSSH},
	"MsiInstaller": {indexEvents([]winEvent{
		{1033, "package", "installation", "package-installed", 0, "Windows Installer installed a product"},
		{1034, "package", "deletion", "package-removed", 0, "Windows Installer removed a product"},
		{11707, "package", "installation", "package-installed", 0, "Installation completed"},
		{11724, "package", "deletion", "package-removed", 0, "Removal completed"},
	}), func(w *winlog) {
		if w.id < 10000 {
			w.copy("package.name", "param1")
			w.copy("package.version", "param2")
		}
	}},
	"Application Error": {indexEvents([]winEvent{
		{1000, "process", "end", "application-crashed", 0, "An application crashed"},
	}), func(w *winlog) {
		w.put("process.executable", w.first("AppPath", "param11"))
		w.put("process.name", w.first("AppName", "param1"))
	}},
}

func nothing(*winlog) {}

func firstWord(s string) string {
	path, _, _ := strings.Cut(s, " (")
	return path
}

// serviceControl: classic events number their data, newer ones name them.
func (w *winlog) serviceControl() {
	w.put("service.name", w.first("ServiceName", "param1"))
	switch w.id {
	case 7036:
		w.copy("service.state", "param2")
	case 7040:
		w.copy("service.id", "param4")
	case 7045:
		w.file(imagePath(w.get("ImagePath")))
		w.copy("service.type", "ServiceType")
	case 7000, 7009, 7022, 7023, 7024, 7031, 7034:
		w.outcome("failure")
	}
}

func (w *winlog) subjectOnly() {
	w.person(plainUser, w.get("SubjectUserName"), w.get("SubjectDomainName"), w.get("SubjectUserSid"))
	w.file(w.get("BackupPath"))
}

// defender: the names of its data have blanks.
func (w *winlog) defender() {
	w.copy("rule.name", "Threat Name")
	w.logonName(plainUser, w.first("Detection User", "User"))
	w.image("process", w.get("Process Name"))
	path := w.get("Path")
	if _, rest, ok := strings.Cut(path, "file:_"); ok { // "containerfile:_C:\a.zip; file:_C:\a.zip->x.exe"
		path, _, _ = strings.Cut(rest, ";")
		path, _, _ = strings.Cut(path, "->")
		w.file(strings.TrimSpace(path))
	}
}

func (w *winlog) appLocker() {
	w.copy("user.id", "TargetUser")
	path := w.first("FullFilePath", "FilePath")
	w.put("file.name", path[strings.LastIndexByte(path, '\\')+1:])
	w.file(path)
	w.copy("file.hash.sha256", "FileHash")
	w.copy("rule.name", "RuleName")
	w.number("process.pid", w.get("TargetProcessId"))
	// "O=VENDOR, L=CITY, S=STATE, C=US\PRODUCT\FILE.EXE\1.2.3.4"
	parts := strings.Split(w.get("Fqbn"), `\`)
	if len(parts) != 4 {
		return
	}
	w.put("file.pe.product", parts[1])
	w.put("file.pe.original_file_name", parts[2])
	w.put("file.pe.file_version", parts[3])
	for rdn := range strings.SplitSeq(parts[0], ", ") {
		key, value, _ := strings.Cut(rdn, "=")
		if field := x509Subject[key]; field != "" {
			w.put(field, value)
		}
	}
}

var x509Subject = map[string]string{
	"CN": "file.x509.subject.common_name", "O": "file.x509.subject.organization", "OU": "file.x509.subject.organizational_unit",
	"L": "file.x509.subject.locality", "S": "file.x509.subject.state_or_province", "C": "file.x509.subject.country",
}

// sqlServer: user, reason and "[CLIENT: 192.0.2.1]".
func (w *winlog) sqlServer() {
	if w.id == 18456 {
		w.outcome("failure")
	} else {
		w.outcome("success")
	}
	w.logonName(plainUser, w.get("param1"))
	for _, d := range w.data {
		if _, rest, ok := strings.Cut(d.value, "[CLIENT: "); ok {
			ip, _, _ := strings.Cut(rest, "]")
			w.end("source", ip, "")
		}
	}
}

// openSSH gives the message of Windows' port to the decoder of sshd's syslog.
func (w *winlog) openSSH() {
	text := w.get("payload")
	if w.keep || w.get("process") != "sshd" || text == "" {
		return
	}
	m := message{Text: text, Program: "sshd", Tag: "sshd", Dataset: datasetAuth}
	w.b.Add("process.name", "sshd")
	decodeSSHD(&m, w.b)
}

// splitAddress splits "192.0.2.1:49152" and "[2001:db8::1]:49152".
func splitAddress(s string) (ip, port string) {
	if strings.HasPrefix(s, "[") {
		return unbracket(s)
	}
	if strings.Count(s, ":") == 1 {
		ip, port, _ = strings.Cut(s, ":")
		return ip, port
	}
	return s, ""
}
