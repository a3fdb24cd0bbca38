package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// sysmonEvents are Sysmon's events (its documentation, "Events"), categorised as in
// Elastic's windows integration.
var sysmonEvents = indexEvents([]winEvent{
	{1, "process", "start", "Process creation", 0, "Process created"},
	{2, "file", "change", "A process changed a file creation time", 0, "File creation time changed"},
	{3, "network", "start connection protocol", "Network connection", 0, "Network connection"},
	{4, "process", "change", "Sysmon service state changed", 0, "Sysmon service state changed"},
	{5, "process", "end", "Process terminated", 0, "Process terminated"},
	{6, "driver", "start", "Driver loaded", 0, "Driver loaded"},
	{7, "process", "change", "Image loaded", 0, "Image loaded"},
	{8, "process", "change", "CreateRemoteThread", 0, "Thread created in another process"},
	{9, "process", "access", "RawAccessRead", 0, "Raw read of a disk"},
	{10, "process", "access", "ProcessAccess", 0, "Process opened another"},
	{11, "file", "creation", "FileCreate", 0, "File created"},
	{12, "configuration registry", "change", "RegistryEvent (Object create and delete)", 0, "Registry key or value created or deleted"},
	{13, "configuration registry", "change", "RegistryEvent (Value Set)", 0, "Registry value set"},
	{14, "configuration registry", "change", "RegistryEvent (Key and Value Rename)", 0, "Registry key or value renamed"},
	{15, "file", "access", "FileCreateStreamHash", 0, "File stream created"},
	{16, "configuration", "change", "ServiceConfigurationChange", 0, "Sysmon configuration changed"},
	{17, "file", "creation", "PipeEvent (Pipe Created)", 0, "Pipe created"},
	{18, "file", "access", "PipeEvent (Pipe Connected)", 0, "Pipe connected"},
	{19, "process", "info", "WmiEvent (WmiEventFilter activity detected)", 0, "WMI event filter registered"},
	{20, "process", "change", "WmiEvent (WmiEventConsumer activity detected)", 0, "WMI event consumer registered"},
	{21, "process", "access", "WmiEvent (WmiEventConsumerToFilter activity detected)", 0, "WMI event consumer bound to a filter"},
	{22, "network", "connection protocol info", "DNSEvent (DNS query)", 0, "DNS query"},
	{23, "file", "deletion", "FileDelete (File Delete archived)", 0, "File deleted and archived"},
	{24, "", "change", "ClipboardChange (New content in the clipboard)", 0, "Clipboard changed"},
	{25, "process", "change", "ProcessTampering (Process image change)", 0, "Process image tampered with"},
	{26, "file", "deletion", "FileDeleteDetected (File Delete logged)", 0, "File deleted"},
	{27, "file", "creation", "FileBlockExecutable", 0, "Creation of an executable blocked"},
	{28, "file", "deletion", "FileBlockShredding", 0, "Shredding of a file blocked"},
	{29, "file", "creation", "FileExecutableDetected", 0, "Executable file created"},
	{255, "process", "", "Error", 0, "Sysmon error"},
})

// sysmon adds the fields of one of Sysmon's events.
func (w *winlog) sysmon() {
	switch w.id {
	case 27, 255:
		w.outcome("failure")
	}
	w.copy("rule.name", "RuleName")
	w.copy("process.entity_id", "ProcessGuid")
	w.put("process.entity_id", w.either("process.entity_id", "SourceProcessGuid", "SourceProcessGUID"))
	w.number("process.pid", w.first("ProcessId", "SourceProcessId"))
	w.image("process", w.first("Image", "SourceImage", "Destination"))
	w.commandLine("process", w.get("CommandLine"))
	w.copy("process.working_directory", "CurrentDirectory")
	w.number("process.thread.id", w.get("SourceThreadId"))
	w.copy("process.parent.entity_id", "ParentProcessGuid")
	w.number("process.parent.pid", w.get("ParentProcessId"))
	w.image("process.parent", w.get("ParentImage"))
	w.commandLine("process.parent", w.get("ParentCommandLine"))
	pe := &processPE
	if w.id == 7 {
		pe = &filePE
	}
	w.copy(pe.name, "OriginalFileName")
	w.copy(pe.company, "Company")
	w.copy(pe.description, "Description")
	w.copy(pe.version, "FileVersion")
	w.copy(pe.product, "Product")
	w.hashes(w.first("Hashes", "Hash"))

	w.file(w.first("TargetFilename", "ImageLoaded", "Device"))
	w.copy("file.name", "PipeName")
	w.copy("file.code_signature.subject_name", "Signature")
	if status := w.get("SignatureStatus"); status != "" {
		w.put("file.code_signature.status", status)
		if status == "Valid" {
			w.bool("file.code_signature.valid", "true")
		}
	}
	w.bool("sysmon.file.archived", w.get("Archived"))
	w.bool("sysmon.file.is_executable", w.get("IsExecutable"))

	switch w.id {
	case 3:
		w.sysmonConnection()
	case 12, 13, 14:
		w.registryPath(w.get("TargetObject"))
		w.registryData(w.get("Details"))
	case 22:
		w.sysmonQuery()
	case 255:
		w.copy("error.code", "ID")
	}
	w.sysmonUser()
}

// either is the first of several data, for a field that may be there already.
func (w *winlog) either(field string, names ...string) string {
	if w.b.Event().Has(field) {
		return ""
	}
	return w.first(names...)
}

var (
	processPE = peNames("process.pe.")
	filePE    = peNames("file.pe.")
)

type pe struct{ name, company, description, version, product, imphash string }

func peNames(prefix string) pe {
	return pe{prefix + "original_file_name", prefix + "company", prefix + "description", prefix + "file_version", prefix + "product", prefix + "imphash"}
}

// sysmonUser adds the account of the process. The account that Windows noted for the
// event is Sysmon's own: its id is used only where the data name nobody else.
func (w *winlog) sysmonUser() {
	full := w.first("User", "SourceUser")
	w.logonName(plainUser, full)
	name := full[strings.LastIndexByte(full, '\\')+1:]
	if full == "" || w.sid == "S-1-5-18" && name == "SYSTEM" || w.sid == "S-1-5-19" && name == "LOCAL SERVICE" || w.sid == "S-1-5-20" && name == "NETWORK SERVICE" {
		w.put("user.id", w.sid)
	}
	w.logonName(targetUser, w.get("TargetUser"))
}

// hashes adds "SHA1=…,MD5=…,IMPHASH=…": of the program that ran, or of the file that
// was loaded, written or deleted.
func (w *winlog) hashes(list string) {
	if list == "" {
		return
	}
	names := &fileHashes
	imphash := filePE.imphash
	switch w.id {
	case 1, 25:
		names, imphash = &processHashes, processPE.imphash
	case 24:
		names, imphash = &noHashes, "" // of what was in the clipboard
	}
	for item := range strings.SplitSeq(list, ",") {
		key, value, _ := strings.Cut(item, "=")
		if strings.Trim(value, "0") == "" {
			continue
		}
		value = w.lower(value)
		field := ""
		switch key {
		case "MD5":
			field = names[0]
		case "SHA1":
			field = names[1]
		case "SHA256":
			field = names[2]
		case "IMPHASH":
			field = imphash
		}
		if field == "" {
			w.b.Add("related.hash", value)
		} else {
			w.put(field, value)
		}
	}
}

var (
	processHashes = [3]string{"process.hash.md5", "process.hash.sha1", "process.hash.sha256"}
	fileHashes    = [3]string{"file.hash.md5", "file.hash.sha1", "file.hash.sha256"}
	noHashes      [3]string
)

// lower is s in lower case ASCII, kept in the batch.
func (w *winlog) lower(s string) string {
	w.text = append(w.text[:0], s...)
	for i, c := range w.text {
		if 'A' <= c && c <= 'Z' {
			w.text[i] = c | 0x20
		}
	}
	return w.b.Bytes(w.text)
}

func (w *winlog) sysmonConnection() {
	w.copy("network.transport", "Protocol")
	w.put("network.protocol", w.first("DestinationPortName", "SourcePortName"))
	w.end("source", w.get("SourceIp"), w.get("SourcePort"))
	w.copy("source.domain", "SourceHostname")
	w.end("destination", w.get("DestinationIp"), w.get("DestinationPort"))
	w.copy("destination.domain", "DestinationHostname")
	switch w.get("Initiated") {
	case "true":
		w.put("network.direction", "egress")
	case "false":
		w.put("network.direction", "ingress")
	}
	switch w.get("SourceIsIpv6") {
	case "true":
		w.put("network.type", "ipv6")
	case "false":
		w.put("network.type", "ipv4")
	}
}

const maxAnswers = 256

// sysmonQuery adds a DNS query and its answers, which Sysmon writes as
// "type:  5 www.example.com;::ffff:192.0.2.1;".
func (w *winlog) sysmonQuery() {
	w.put("network.protocol", "dns")
	w.copy("dns.question.name", "QueryName")
	if status := w.get("QueryStatus"); status != "" {
		if name := dnsStatus[status]; name != "" {
			status = name
		}
		w.put("sysmon.dns.status", status)
	}
	results := w.get("QueryResults")
	if results == "" || w.keep && w.b.Event().Has("dns.answers") {
		return
	}
	out := append(w.text[:0], '[')
	n := 0
	answer := func(kind, data string) {
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(out, '{')
		if data != "" {
			out = append(event.AppendQuoted(append(out, `"data":`...), data), ',')
		}
		out = append(event.AppendQuoted(append(out, `"type":`...), kind), '}')
	}
	// Elastic lists the names before the addresses.
	for _, addresses := range [...]bool{false, true} {
		for item := range strings.SplitSeq(results, ";") {
			item = strings.TrimSpace(item)
			if n >= maxAnswers || item == "" {
				continue
			}
			rest, named := strings.CutPrefix(item, "type:")
			switch {
			case named && !addresses:
				kind, data, _ := strings.Cut(strings.TrimSpace(rest), " ")
				if name := dnsTypes[kind]; name != "" {
					kind = name
				}
				data = strings.TrimSpace(data)
				answer(kind, data)
				if isHostName(data) {
					w.b.Add("related.hosts", data)
				}
			case !named && addresses && ipVersion(item) != 0:
				item = plainIP(item)
				kind := "A"
				if ipVersion(item) == 6 {
					kind = "AAAA"
				}
				answer(kind, item)
				w.b.Add("dns.resolved_ip", item)
			}
		}
	}
	if n > 0 {
		w.b.AddKind("dns.answers", w.b.Bytes(append(out, ']')), event.JSON)
	}
	w.text = out[:0]
}

// registryPath adds a key, with its hive when the path begins with one.
func (w *winlog) registryPath(path string) {
	if path == "" {
		return
	}
	w.put("registry.path", path)
	hive, key, _ := strings.Cut(path, `\`)
	switch {
	case strings.HasPrefix(path, `\REGISTRY\MACHINE\`): // the kernel's name for it
		hive, key = "HKLM", path[len(`\REGISTRY\MACHINE\`):]
	case strings.HasPrefix(path, `\REGISTRY\USER\`):
		hive, key = "HKU", path[len(`\REGISTRY\USER\`):]
	default:
		hive = hives[hive]
	}
	if hive != "" {
		w.put("registry.hive", hive)
		w.put("registry.key", key)
	}
	if w.id <= 14 { // Sysmon's path ends in the value
		w.put("registry.value", path[strings.LastIndexByte(path, '\\')+1:])
	}
}

var hives = map[string]string{
	"HKEY_CLASSES_ROOT": "HKCR", "HKCR": "HKCR", "HKEY_CURRENT_CONFIG": "HKCC", "HKCC": "HKCC", "HKEY_CURRENT_USER": "HKCU", "HKCU": "HKCU",
	"HKEY_DYN_DATA": "HKDD", "HKDD": "HKDD", "HKEY_LOCAL_MACHINE": "HKLM", "HKLM": "HKLM", "HKEY_PERFORMANCE_DATA": "HKPD", "HKPD": "HKPD",
	"HKEY_USERS": "HKU", "HKU": "HKU",
}

// registryData adds what a value was set to; Sysmon writes numbers as
// "DWORD (0x00000001)" and "QWORD (0x00000000-0x00000001)".
func (w *winlog) registryData(details string) {
	if details == "" || w.keep && w.b.Event().Has("registry.data.type") {
		return
	}
	kind, value := "REG_SZ", details
	switch word, hex, _ := strings.Cut(strings.TrimSuffix(details, ")"), " ("); {
	case word == "DWORD":
		if n, err := strconv.ParseUint(strings.TrimPrefix(hex, "0x"), 16, 32); err == nil {
			kind, value = "REG_DWORD", w.b.Bytes(strconv.AppendUint(w.text[:0], n, 10))
		}
	case word == "QWORD":
		high, low, _ := strings.Cut(hex, "-")
		h, err1 := strconv.ParseUint(strings.TrimPrefix(high, "0x"), 16, 32)
		l, err2 := strconv.ParseUint(strings.TrimPrefix(low, "0x"), 16, 32)
		if err1 == nil && err2 == nil {
			kind, value = "REG_QWORD", w.b.Bytes(strconv.AppendUint(w.text[:0], h<<32|l, 10))
		}
	case details == "Binary Data":
		kind = "REG_BINARY"
	}
	w.put("registry.data.strings", value)
	w.put("registry.data.type", kind)
}
