package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// winExport is a Windows event that some tool wrote out of an event log: as XML, JSON, CSV or
// text, with any part of it left out. It becomes the same event as its record in an EVTX
// file: winlog.* as far as the export goes, and ECS from those.
type winExport struct {
	provider, guid, id, version, level, task, opcode, keywords string
	channel, computer, record, activity, related, pid, tid     string
	sid                                                        string // of the account that logged it
	userName, userDomain, userType                             string
	message                                                    string // as Windows rendered it
	userData                                                   string // the name of UserData's element; "" for EventData
	ns                                                         int64
	timed                                                      bool
	data                                                       []datum
	ecs                                                        winlog
	text                                                       []byte         // scratch
	lists                                                      *event.Scanner // of objects within the record; made when first wanted
}

func (x *winExport) reset() {
	*x = winExport{data: x.data[:0], ecs: x.ecs, lists: x.lists, text: x.text}
}

var errNoWinEvent = errorString("no event id and no provider or channel: not an event of Windows")

// positional names the data of classic events, which have none of their own.
func (x *winExport) positional(n int) string {
	if 0 < n && n <= len(positionalNames) {
		return positionalNames[n-1]
	}
	return "param" + strconv.Itoa(n)
}

var positionalNames = [...]string{"param1", "param2", "param3", "param4", "param5", "param6", "param7", "param8", "param9", "param10", "param11", "param12"}

func (x *winExport) add(b *event.Batch, clock *timestamp.Clock) error {
	id, err := strconv.ParseUint(x.id, 10, 32)
	if i := strings.LastIndex(x.provider, "/"); i > 0 && x.channel == "" {
		x.provider = x.provider[i+1:]
	}
	x.known()
	if err != nil || x.channel == "" && x.provider == "" {
		return errNoWinEvent
	}
	e := b.Event()
	if x.timed {
		e.Time = x.ns
	} else {
		clock.NoTime()
	}
	if isDigits(x.record) {
		if n, err := strconv.ParseInt(x.record, 10, 64); err == nil && n > 0 {
			e.Sequence = n
		}
	}
	dataset := winlogDataset(x.channel)
	b.Add("event.dataset", dataset)
	b.Add("event.module", moduleOf(dataset))
	b.Add("event.code", x.id)
	b.Add("event.provider", x.provider)
	b.Add("event.kind", "event")
	b.Add("host.name", x.computer)
	b.Add("winlog.event_id", x.id)
	b.Add("winlog.channel", x.channel)
	b.Add("winlog.provider_name", x.provider)
	b.Add("winlog.provider_guid", x.guid)
	b.Add("winlog.computer_name", x.computer)
	b.Add("winlog.record_id", x.record)
	if n, ok := smallNumber(x.level, 8); ok {
		b.Add("log.level", eventLevel(uint8(n)))
		b.AddInt("winlog.level", int64(n))
	} else {
		level, ok := lookupLower(localLevels, x.level)
		if !ok {
			level = strings.ToLower(x.level)
		}
		b.Add("log.level", level)
	}
	if isDigits(x.pid) && x.pid != "0" {
		b.AddNumber("winlog.process.pid", x.pid)
		if isDigits(x.tid) {
			b.AddNumber("winlog.process.thread.id", x.tid)
		}
	}
	if isDigits(x.version) && x.version != "0" {
		b.AddNumber("winlog.version", x.version)
	}
	opcode := x.opcode
	if n, ok := smallNumber(opcode, 8); ok {
		if name := opcodeName(x.provider, uint8(n)); name != "" {
			opcode = name
		}
	}
	b.Add("winlog.opcode", opcode)
	task := x.task
	if n, ok := smallNumber(task, 16); ok {
		if task = taskName(x.provider, uint16(n)); task == "" && n != 0 {
			b.Add("winlog.task", x.task)
		}
	} else if strings.EqualFold(task, "none") || strings.HasPrefix(task, "(") {
		task = ""
	}
	b.Add("winlog.task", task)
	b.Add("event.outcome", x.addKeywords(b))
	b.Add("winlog.activity_id", x.activity)
	b.Add("winlog.related_activity_id", x.related)
	b.Add("winlog.user.identifier", x.sid)
	b.Add("winlog.user.name", x.userName)
	b.Add("winlog.user.domain", x.userDomain)
	b.Add("winlog.user.type", x.userType)
	if len(x.data) == 0 && x.message != "" {
		x.readMessage()
	}
	prefix := "winlog.event_data."
	if x.userData != "" {
		prefix = "winlog.user_data."
		b.Add("winlog.user_data.xml_name", x.userData)
	}
	w := &x.ecs
	w.begin(b, x.channel, x.provider, uint32(id), x.sid)
	w.task = task
	for _, d := range x.data {
		b.AddKind(fieldNameIn(b, prefix, d.name), d.value, event.String)
		w.data = append(w.data, d)
	}
	if x.message != "" {
		b.Add("message", x.message)
		w.keep = true
	}
	w.addECS(w.kind())
	w.release()
	return nil
}

// smallNumber reads a decimal number of so many bits, where words may stand as well.
func smallNumber(s string, bits int) (uint64, bool) {
	if !isDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}

// lookupLower is m[strings.ToLower(s)], of names in ASCII without making one.
func lookupLower[V any](m map[string]V, s string) (v V, ok bool) {
	var few [96]byte
	if len(s) > len(few) {
		return v, false
	}
	low := few[:len(s)]
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			v, ok = m[strings.ToLower(s)]
			return v, ok
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	v, ok = m[string(low)]
	return v, ok
}

// addKeywords adds the names of the keywords, which are written as a number of 64 bits
// with or without a sign, or by name, and returns the outcome that they tell.
func (x *winExport) addKeywords(b *event.Batch) (outcome string) {
	k := x.keywords
	var bits uint64
	number := false
	if k != "" && (isDigit(k[0]) || k[0] == '-' || k[0] == '+') {
		if isDigit(k[0]) {
			n, err := strconv.ParseUint(k, 0, 64)
			bits, number = n, err == nil
		}
		if !number {
			n, err := strconv.ParseInt(k, 10, 64)
			bits, number = uint64(n), err == nil
		}
	}
	if !number {
		k, _, _ = strings.Cut(k, ",") // "Audit Failure, Classic"
		if e, ok := lookupLower(localKeywords, strings.ReplaceAll(k, "’", "'")); ok {
			k = e
		}
		for i := range keywordNames {
			if strings.EqualFold(strings.ReplaceAll(k, "_", " "), keywordNames[i].name) {
				k, outcome = keywordNames[i].name, keywordNames[i].outcome
			}
		}
		if !strings.EqualFold(k, "none") {
			b.Add("winlog.keywords", k)
		}
		return outcome
	}
	for _, n := range keywordNames {
		if bits&n.bit != 0 {
			b.Add("winlog.keywords", n.name)
			outcome = n.outcome
		}
	}
	return outcome
}

// localLevels and localKeywords are what the windows of the Event Viewer and wevtutil show in
// German, French and Spanish, in lower case.
var (
	localLevels = map[string]string{
		"informationen": "information", "warnung": "warning", "fehler": "error", "kritisch": "critical", "ausführlich": "verbose",
		"avertissement": "warning", "erreur": "error", "critique": "critical", "commentaires": "verbose",
		"información": "information", "advertencia": "warning", "crítico": "critical", "informazioni": "information", "avviso": "warning", "errore": "error",
	}
	localKeywords = map[string]string{
		"überwachung erfolgreich": "Audit Success", "erfolgsüberwachung": "Audit Success", "überwachung gescheitert": "Audit Failure", "fehlerüberwachung": "Audit Failure",
		"succès de l'audit": "Audit Success", "échec de l'audit": "Audit Failure",
		"auditoría correcta": "Audit Success", "error de auditoría": "Audit Failure",
		"successaudit": "Audit Success", "failureaudit": "Audit Failure",
	}
)

// winSources are the names that the Event Viewer shows of providers, and the channels
// that tools shorten, in lower case.
var winSources = map[string]struct{ provider, channel string }{
	"microsoft windows security auditing.": {"Microsoft-Windows-Security-Auditing", "Security"},
	"microsoft-windows-security-auditing":  {"Microsoft-Windows-Security-Auditing", "Security"},
	"security":                             {"Microsoft-Windows-Security-Auditing", "Security"},
	"eventlog":                             {"Microsoft-Windows-Eventlog", ""},
	"sysmon":                               {"Microsoft-Windows-Sysmon", channelSysmon},
	"microsoft-windows-sysmon":             {"Microsoft-Windows-Sysmon", channelSysmon},
	"linux-sysmon":                         {"Linux-Sysmon", "Linux-Sysmon/Operational"},
	"powershell (microsoft-windows-powershell)":              {"Microsoft-Windows-PowerShell", channelPowerShell},
	"microsoft-windows-powershell":                           {"Microsoft-Windows-PowerShell", channelPowerShell},
	"powershell (powershell)":                                {"PowerShell", "Windows PowerShell"},
	"powershell":                                             {"PowerShell", "Windows PowerShell"},
	"service control manager":                                {"Service Control Manager", "System"},
	"microsoft-windows-windows defender":                     {"Microsoft-Windows-Windows Defender", channelDefender},
	"windows defender":                                       {"Microsoft-Windows-Windows Defender", channelDefender},
	"taskscheduler":                                          {"Microsoft-Windows-TaskScheduler", "Microsoft-Windows-TaskScheduler/Operational"},
	"microsoft-windows-taskscheduler":                        {"Microsoft-Windows-TaskScheduler", "Microsoft-Windows-TaskScheduler/Operational"},
	"terminalservices-localsessionmanager":                   {"Microsoft-Windows-TerminalServices-LocalSessionManager", "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},
	"microsoft-windows-terminalservices-localsessionmanager": {"Microsoft-Windows-TerminalServices-LocalSessionManager", "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},
}

// winChannels are the short names that Hayabusa has for channels.
var winChannels = map[string]string{
	"sec": "Security", "sys": "System", "app": "Application", "sysmon": channelSysmon, "pwsh": channelPowerShell, "pwshclassic": "Windows PowerShell", "defender": channelDefender,
	"tasksch": "Microsoft-Windows-TaskScheduler/Operational", "wmi": "Microsoft-Windows-WMI-Activity/Operational", "rdp-client": "Microsoft-Windows-TerminalServices-RDPClient/Operational",
	"bitscli": "Microsoft-Windows-Bits-Client/Operational", "ntlm": "Microsoft-Windows-NTLM/Operational", "firewall": "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",
	"applocker": "Microsoft-Windows-AppLocker/EXE and DLL", "codeinteg": "Microsoft-Windows-CodeIntegrity/Operational", "rds-lsm": "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
	"dns-svr": "DNS Server", "ps": channelPowerShell, "ps-classic": "Windows PowerShell",
}

// known puts the provider's own name in the place of the one that is shown, and gives
// an event without a channel that in which its provider logs.
func (x *winExport) known() {
	if c, ok := lookupLower(winChannels, x.channel); ok {
		x.channel = c
	}
	s, ok := lookupLower(winSources, x.provider)
	if ok && (x.channel == "" || x.channel == s.channel || s.channel == "") {
		x.provider = s.provider
	}
	switch {
	case x.channel == "" && ok && s.channel != "":
		x.channel = s.channel
	case x.channel == "" && x.provider == "Microsoft-Windows-Eventlog" && (x.id == "1102" || x.id == "1100" || x.id == "1104" || x.id == "1105"):
		x.channel = "Security"
	case x.channel == "" && x.provider == "Microsoft-Windows-Eventlog":
		x.channel = "System"
	case x.provider == "":
		switch x.channel {
		case "Security":
			x.provider = "Microsoft-Windows-Security-Auditing"
		case channelSysmon:
			x.provider = "Microsoft-Windows-Sysmon"
		case channelPowerShell:
			x.provider = "Microsoft-Windows-PowerShell"
		}
	}
}
