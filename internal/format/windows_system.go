package format

import "strings"

// What the numbers of an event's System element mean where that does not depend on
// message files of the host (winmeta.xml of the Windows SDK; the audit subcategories
// of MS-GPAC §2.2.1.4 are the tasks of the Security log).

// eventLevel is log.level; events that are always logged (level 0) count as information.
func eventLevel(level uint8) string {
	if level < uint8(len(eventLevels)) {
		return eventLevels[level]
	}
	return ""
}

var eventLevels = [...]string{"information", "critical", "error", "warning", "information", "verbose"}

func opcodeName(provider string, opcode uint8) string {
	switch {
	case opcode >= 10 && provider == "Microsoft-Windows-PowerShell":
		return powershellOpcodes[opcode]
	case opcode < uint8(len(opcodeNames)):
		return opcodeNames[opcode]
	case opcode == 240:
		return "Receive"
	}
	return ""
}

var opcodeNames = [...]string{"Info", "Start", "Stop", "DCStart", "DCStop", "Extension", "Reply", "Resume", "Suspend", "Send"}

var keywordNames = [...]struct {
	bit           uint64
	name, outcome string
}{
	{0x0001000000000000, "Response Time", ""},
	{0x0002000000000000, "WDI Context", ""},
	{0x0004000000000000, "WDI Diag", ""},
	{0x0008000000000000, "SQM", ""},
	{0x0040000000000000, "Correlation Hint", ""},
	{0x0080000000000000, "Classic", ""},
	{0x0020000000000000, "Audit Success", "success"},
	{0x0010000000000000, "Audit Failure", "failure"},
}

// taskName is what the message file of a provider would call a task, for the few
// providers whose tasks are worth a table; "" otherwise.
func taskName(provider string, task uint16) string {
	switch provider {
	case "Microsoft-Windows-Security-Auditing":
		return auditTasks[task]
	case "Microsoft-Windows-Eventlog":
		return eventlogTasks[task]
	case "PowerShell":
		return powershellClassicTasks[task]
	case "Microsoft-Windows-PowerShell":
		return powershellTasks[task]
	}
	return ""
}

var (
	powershellOpcodes      = map[uint8]string{15: "On create calls", 20: "To be used when operation is just executing a method"}
	eventlogTasks          = map[uint16]string{101: "Event processing", 102: "File processing", 103: "Service shutdown", 104: "Log clear", 105: "Log automatic backup"}
	powershellClassicTasks = map[uint16]string{4: "Engine Lifecycle", 6: "Provider Lifecycle", 7: "Command Lifecycle", 8: "Pipeline Execution Details"}
	powershellTasks        = map[uint16]string{2: "Execute a Remote Command", 101: "Command Started", 102: "Starting Command", 103: "Stopping Command", 106: "Executing Pipeline"}
)

var auditTasks = map[uint16]string{
	12288: "Security State Change", 12289: "Security System Extension", 12290: "System Integrity", 12291: "IPsec Driver", 12292: "Other System Events",
	12544: "Logon", 12545: "Logoff", 12546: "Account Lockout", 12547: "IPsec Main Mode", 12548: "Special Logon", 12549: "IPsec Quick Mode",
	12550: "IPsec Extended Mode", 12551: "Other Logon/Logoff Events", 12552: "Network Policy Server", 12553: "User / Device Claims", 12554: "Group Membership",
	12800: "File System", 12801: "Registry", 12802: "Kernel Object", 12803: "SAM", 12804: "Other Object Access Events", 12805: "Certification Services",
	12806: "Application Generated", 12807: "Handle Manipulation", 12808: "File Share", 12809: "Filtering Platform Packet Drop",
	12810: "Filtering Platform Connection", 12811: "Detailed File Share", 12812: "Removable Storage", 12813: "Central Policy Staging",
	13056: "Sensitive Privilege Use", 13057: "Non Sensitive Privilege Use", 13058: "Other Privilege Use Events",
	13312: "Process Creation", 13313: "Process Termination", 13314: "DPAPI Activity", 13315: "RPC Events", 13316: "Plug and Play Events", 13317: "Token Right Adjusted Events",
	13568: "Audit Policy Change", 13569: "Authentication Policy Change", 13570: "Authorization Policy Change", 13571: "MPSSVC Rule-Level Policy Change",
	13572: "Filtering Platform Policy Change", 13573: "Other Policy Change Events",
	13824: "User Account Management", 13825: "Computer Account Management", 13826: "Security Group Management", 13827: "Distribution Group Management",
	13828: "Application Group Management", 13829: "Other Account Management Events",
	14080: "Directory Service Access", 14081: "Directory Service Changes", 14082: "Directory Service Replication", 14083: "Detailed Directory Service Replication",
	14336: "Credential Validation", 14337: "Kerberos Service Ticket Operations", 14338: "Other Account Logon Events", 14339: "Kerberos Authentication Service",
}

// winlogDataset names the dataset of a channel as Elastic's integrations do: their
// "system" and "windows" packages, and "winlog" for every other channel.
func winlogDataset(channel string) string {
	for _, d := range winlogDatasets {
		if strings.EqualFold(d.channel, channel) {
			return d.dataset
		}
	}
	return "winlog.winlog"
}

var winlogDatasets = [...]struct{ channel, dataset string }{
	{"Security", "system.security"},
	{"System", "system.system"},
	{"Application", "system.application"},
	{channelSysmon, "windows.sysmon_operational"},
	{channelPowerShell, "windows.powershell_operational"},
	{"PowerShellCore/Operational", "windows.powershell_operational"},
	{"Windows PowerShell", "windows.powershell"},
	{"ForwardedEvents", "windows.forwarded"},
	{channelDefender, "windows.windows_defender"},
	{"Microsoft-Windows-AppLocker/EXE and DLL", "windows.applocker_exe_and_dll"},
	{"Microsoft-Windows-AppLocker/MSI and Script", "windows.applocker_msi_and_script"},
	{"Microsoft-Windows-AppLocker/Packaged app-Deployment", "windows.applocker_packaged_app_deployment"},
	{"Microsoft-Windows-AppLocker/Packaged app-Execution", "windows.applocker_packaged_app_execution"},
}

const (
	channelSysmon     = "Microsoft-Windows-Sysmon/Operational"
	channelPowerShell = "Microsoft-Windows-PowerShell/Operational"
	channelDefender   = "Microsoft-Windows-Windows Defender/Operational"
)

// moduleOf is the part of a dataset's name before the dot.
func moduleOf(dataset string) string {
	module, _, _ := strings.Cut(dataset, ".")
	return module
}
