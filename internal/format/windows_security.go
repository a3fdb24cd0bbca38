package format

import (
	"strconv"
	"strings"
)

// security adds the fields of an event of the Security channel (Microsoft's
// "Advanced security audit policy settings", one page per event).
func (w *winlog) security(ev *winEvent) {
	w.classify(ev)
	var roles who
	if ev != nil {
		roles = ev.who
	} else {
		roles = bySubject // whatever happened, the data say who did it
	}
	w.people(roles)
	w.securityProcess()
	w.end("source", w.first("IpAddress", "ClientAddress"), w.get("IpPort"))
	w.put("source.domain", w.first("WorkstationName", "ClientName"))
	switch w.id {
	case 4776:
		w.put("source.domain", strings.TrimLeft(w.get("Workstation"), `\`))
	case 4768, 4769, 4770, 4771, 4772, 4773:
		w.kerberos()
	case 4663, 4656, 4658, 4660, 4659, 4661, 4662, 4657, 4664:
		w.object()
	case 5140, 5142, 5143, 5144, 5145:
		w.share()
	case 4697, 4698, 4699, 4700, 4701, 4702:
		w.file(imagePath(w.get("ServiceFileName")))
	case 1105:
		w.file(w.get("BackupPath"))
	case 4706, 4707, 4716:
		w.put("winlog.trustType", trustTypes[w.get("TdoType")])
		w.put("winlog.trustDirection", trustDirections[w.get("TdoDirection")])
		w.put("winlog.trustAttribute", trustAttributes[w.get("TdoAttributes")])
	}
	if 5150 <= w.id && w.id <= 5159 {
		w.filtering()
	}
	w.copy("service.name", "ServiceName")
	w.put("service.type", serviceTypes[w.get("ServiceType")])
	w.logon()
	switch w.id { // an export may leave out the keyword that says so; these are always one or the other
	case 4625, 4771, 4777:
		w.outcome("failure")
	case 1102, 4624, 4634, 4647, 4648, 4672, 4720, 4722, 4725, 4726, 4728, 4732, 4740, 4756, 4778, 4779:
		w.outcome("success")
	}
	w.flags("winlog.event_data.NewUACList", w.get("NewUacValue"), accountFlags[:])
	w.described("winlog.event_data.AccessListDescription", w.get("AccessList"))
	w.described("winlog.event_data.AuditPolicyChangesDescription", w.get("AuditPolicyChanges"))
	if w.sid != "" && !w.b.Event().Has("user.name") && !w.b.Event().Has("user.id") {
		w.put("user.id", w.sid)
	}
}

// people adds who did it to whom.
func (w *winlog) people(roles who) {
	name, domain := w.get("TargetUserName"), w.get("TargetDomainName")
	id := w.first("TargetUserSid", "TargetSid")
	if roles&bySubject != 0 {
		w.person(plainUser, w.get("SubjectUserName"), w.get("SubjectDomainName"), w.get("SubjectUserSid"))
	}
	if roles&ofAccount != 0 {
		w.person(plainUser, name, domain, id)
	}
	if roles&onTarget != 0 {
		w.person(targetUser, name, domain, id)
	}
	if roles&asEffective != 0 {
		w.person(effectiveUser, name, domain, id)
	}
	if roles&onMachine != 0 {
		w.put("winlog.computerObject.name", name)
		w.put("winlog.computerObject.domain", domain)
		w.put("winlog.computerObject.id", id)
	}
	if roles&onGroup != 0 {
		w.put("group.name", name)
		w.put("group.domain", domain)
		w.put("group.id", id)
		if member := w.get("MemberName"); member != "" {
			w.distinguished(member)
			w.put("user.target.group.name", name)
			w.put("user.target.group.domain", domain)
			w.put("user.target.group.id", id)
		}
		w.copy("user.target.id", "MemberSid")
	}
	switch w.id {
	case 4624, 4625: // by whose service the logon was asked for
		if by := w.get("SubjectUserName"); by != "" && by != name {
			w.b.Add("related.user", by)
		}
	case 4778, 4779, 4800, 4801, 4802, 4803, 5378:
		w.person(plainUser, w.get("AccountName"), w.get("AccountDomain"), "")
		w.person(plainUser, name, domain, id)
	case 4781:
		w.copy("user.target.name", "OldTargetUserName")
		w.copy("user.changes.name", "NewTargetUserName")
	}
}

// distinguished adds the account of a distinguished name (RFC 4514), whose first
// part is its common name: "CN=Alice,CN=Users,DC=example,DC=com".
func (w *winlog) distinguished(dn string) {
	domain := ""
	for i, part := 0, ""; dn != ""; i++ {
		j := 0
		for j < len(dn) && dn[j] != ',' {
			if dn[j] == '\\' {
				j++
			}
			j++
		}
		j = min(j, len(dn))
		part, dn = dn[:j], strings.TrimPrefix(dn[j:], ",")
		key, value, ok := strings.Cut(part, "=")
		switch {
		case i == 0 && !ok:
			w.logonName(targetUser, part)
		case i == 0:
			w.put("user.target.name", strings.ReplaceAll(value, `\,`, ","))
		case strings.EqualFold(key, "DC") && domain == "":
			domain = value
		}
	}
	w.put("user.target.domain", domain)
}

// securityProcess adds the program that caused the event; in 4688 that is the parent
// of the one the event is about.
func (w *winlog) securityProcess() {
	switch w.id {
	case 4688:
		w.number("process.pid", w.get("NewProcessId"))
		w.image("process", w.get("NewProcessName"))
		w.commandLine("process", w.get("CommandLine"))
		w.number("process.parent.pid", w.get("ProcessId"))
		w.image("process.parent", w.get("ParentProcessName"))
	case 5152, 5153, 5154, 5155, 5156, 5157, 5158, 5159:
		w.image("process", w.get("Application"))
	default:
		w.number("process.pid", w.first("ProcessId", "CallerProcessId", "ClientProcessId"))
		w.image("process", w.first("ProcessName", "CallerProcessName"))
	}
}

// logon adds what the codes of a logon mean, and its id.
func (w *winlog) logon() {
	w.put("winlog.logon.type", logonTypes[w.get("LogonType")])
	switch w.id {
	case 4634, 4647, 4964:
		w.copy("winlog.logon.id", "TargetLogonId")
	case 4778, 4779:
		w.copy("winlog.logon.id", "LogonID")
	default:
		w.copy("winlog.logon.id", "SubjectLogonId")
	}
	if reason := w.get("FailureReason"); strings.HasPrefix(reason, "%%") {
		w.put("winlog.logon.failure.reason", parameterText(reason))
	}
	if w.id == 4625 || w.id == 4776 {
		status := w.get("Status")
		w.put("winlog.logon.failure.status", logonStatus[lowerHex(status)])
		w.put("winlog.logon.failure.sub_status", logonStatus[lowerHex(w.get("SubStatus"))])
	}
}

// lowerHex is a status code as the tables have it.
func lowerHex(s string) string {
	if strings.HasPrefix(s, "0x") {
		return strings.ToLower(s)
	}
	return s
}

func (w *winlog) kerberos() {
	if status := w.get("Status"); strings.HasPrefix(status, "0x") {
		if n, err := strconv.ParseUint(status[2:], 16, 32); err == nil {
			w.put("winlog.event_data.StatusDescription", kerberosStatus[uint32(n)])
		}
	}
	if kind := w.get("TicketEncryptionType"); strings.HasPrefix(kind, "0x") {
		if n, err := strconv.ParseUint(kind[2:], 16, 32); err == nil {
			w.put("winlog.event_data.TicketEncryptionTypeDescription", kerberosEncryption[uint32(n)])
		}
	}
	w.flags("winlog.event_data.TicketOptionsDescription", w.get("TicketOptions"), ticketOptions[:])
}

// bitName names one bit.
type bitName struct {
	bit  uint64
	name string
}

// flags adds the names of the bits that are set in a hexadecimal number.
func (w *winlog) flags(field, value string, names []bitName) {
	if !strings.HasPrefix(value, "0x") || w.keep && w.b.Event().Has(field) {
		return
	}
	n, err := strconv.ParseUint(value[2:], 16, 64)
	if err != nil {
		return
	}
	for i := range names {
		if n&names[i].bit != 0 {
			w.b.Add(field, names[i].name)
		}
	}
}

// described adds the words for a list of parameter codes ("%%4417 %%4418").
func (w *winlog) described(field, codes string) {
	if !strings.Contains(codes, "%%") || w.keep && w.b.Event().Has(field) {
		return
	}
	for code := range strings.FieldsFuncSeq(codes, func(r rune) bool { return r <= ' ' || r == ',' }) {
		w.b.Add(field, parameterText(code))
	}
}

// parameterText is what msobjs.dll has for "%%1537", "" if that is not in our table.
func parameterText(code string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(code, "%%"))
	if err != nil {
		return ""
	}
	return parameterTexts[n]
}

// object adds the file or key that was opened.
func (w *winlog) object() {
	name := w.get("ObjectName")
	switch w.get("ObjectType") {
	case "File":
		w.file(name)
		w.category("file")
	case "Key":
		w.registryPath(name)
		w.category("registry")
	default:
		if w.id == 4657 {
			w.registryPath(name)
			w.copy("registry.value", "ObjectValueName")
		}
	}
}

func (w *winlog) category(c string) {
	if !w.b.Event().Has("event.category") {
		w.b.Add("event.category", c)
		w.b.Add("event.type", "access")
	}
}

// share adds a file reached through a share: its name there and on the disk.
func (w *winlog) share() {
	name, directory, share := w.get("RelativeTargetName"), w.get("ShareLocalPath"), w.get("ShareName")
	w.put("file.name", name)
	w.put("file.directory", directory)
	if name == "" {
		return
	}
	if disk := strings.TrimSuffix(strings.TrimPrefix(directory, `\??\`), `\`); disk != "" {
		w.put("file.path", w.join(disk, `\`, name))
	}
	if share != "" {
		w.put("file.target_path", w.join(share, `\`, name))
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		w.put("file.extension", name[dot+1:])
	}
}

func (w *winlog) join(parts ...string) string {
	w.text = w.text[:0]
	for _, p := range parts {
		w.text = append(w.text, p...)
	}
	return w.b.Bytes(w.text)
}

// filtering adds the connection that the Windows Filtering Platform judged.
func (w *winlog) filtering() {
	w.end("source", w.get("SourceAddress"), w.get("SourcePort"))
	w.end("destination", w.first("DestAddress", "DestinationAddress"), w.get("DestPort"))
	if p := w.get("Protocol"); isDigits(p) {
		w.put("network.iana_number", p)
		if n, err := strconv.Atoi(p); err == nil {
			w.put("network.transport", transports[n])
		}
	}
	switch w.get("Direction") {
	case "%%14592":
		w.put("network.direction", "inbound")
	case "%%14593":
		w.put("network.direction", "outbound")
	}
	if layer := w.get("LayerName"); strings.HasPrefix(layer, "%%") {
		w.put("winlog.event_data.LayerNameDescription", parameterText(layer))
	}
}

var transports = map[int]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}

// imagePath is the program at the start of a service's command.
func imagePath(command string) string {
	if strings.HasPrefix(command, `"`) {
		path, _, _ := strings.Cut(command[1:], `"`)
		return path
	}
	// Without quotes Windows tries each blank in turn; the first word that
	// ends like a program is what it finds in practice.
	for i := 0; i < len(command); i++ {
		if command[i] == ' ' {
			switch ext := strings.ToLower(command[max(0, i-4):i]); ext {
			case ".exe", ".sys", ".dll", ".com", ".bat", ".cmd":
				return command[:i]
			}
		}
	}
	if i := strings.IndexByte(command, ' '); i > 0 && !strings.ContainsRune(command[:i], '\\') {
		return command[:i]
	}
	return command
}
