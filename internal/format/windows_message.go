package format

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxMessageBytes bounds a message made up of an event's data.
const maxMessageBytes = 400

// message makes the line by which a person tells an event: a log holds only the data
// of the text that the Event Viewer shows. Known events get a title and the
// data that matter most; others their provider, id and data as they come.
func (w *winlog) message(ev *winEvent) {
	if w.keep && w.b.Event().Has("message") {
		return
	}
	out := append(w.text[:0], strconv.FormatUint(uint64(w.id), 10)...)
	out = append(out, ' ')
	n := 0
	add := func(label, value string) bool {
		if value == "" || value == "-" {
			return true
		}
		if n++; n == 1 {
			out = append(out, ':', ' ')
		} else {
			out = append(out, ',', ' ')
		}
		if label != "" {
			out = append(append(out, label...), ' ')
		}
		out = appendLine(out, value, 120)
		return len(out) < maxMessageBytes
	}
	if ev == nil || ev.title == "" {
		out = appendLine(out, w.provider, 80)
		for i := range w.data {
			if d := &w.data[i]; d.value != "" && d.value != "-" {
				if n++; n == 1 {
					out = append(out, ':')
				}
				out = append(out, ' ')
				out = append(appendLine(out, d.name, 40), '=')
				if out = appendLine(out, d.value, 120); len(out) >= maxMessageBytes {
					break
				}
			}
		}
	} else {
		out = append(out, ev.title...)
		details := eventDetails
		if ev.who == 0 && !strings.EqualFold(w.channel, "Security") {
			details = serviceDetails
		}
		for i := range details {
			d := &details[i]
			if d.who != 0 && ev.who&d.who == 0 {
				continue
			}
			v := w.get(d.name)
			if d.codes != nil {
				if name := d.codes[v]; name != "" {
					v = name
				}
			}
			if !add(d.label, v) {
				break
			}
		}
		if n == 0 {
			for i := range w.data {
				if !add(w.data[i].name, w.data[i].value) {
					break
				}
			}
		}
	}
	w.b.Add("message", w.b.Bytes(out))
	w.text = out[:0]
}

// detail is a datum worth a place in a message, and the word before it.
type detail struct {
	name, label string
	codes       map[string]string
	who         who // only in events with one of these roles; 0: in all
}

// eventDetails are those of the Security log.
var eventDetails = []detail{
	{name: "TargetUserName", label: "user", who: ofAccount},
	{name: "MemberName", label: "member"},
	{name: "MemberSid", label: "member"},
	{name: "TargetUserName", label: "group", who: onGroup},
	{name: "TargetUserName", label: "account", who: onTarget | asEffective | onMachine},
	{name: "OldTargetUserName", label: "from"},
	{name: "NewTargetUserName", label: "to"},
	{name: "AccountName", label: "user"},
	{name: "NewProcessName"},
	{name: "CommandLine", label: "command"},
	{name: "ServiceName", label: "service"},
	{name: "ServiceFileName", label: "file"},
	{name: "TaskName", label: "task"},
	{name: "ShareName", label: "share"},
	{name: "RelativeTargetName", label: "file"},
	{name: "ObjectName", label: "object"},
	{name: "Application", label: "program"},
	{name: "IpAddress", label: "from"},
	{name: "ClientAddress", label: "from"},
	{name: "SourceAddress", label: "from"},
	{name: "DestAddress", label: "to"},
	{name: "DestPort", label: "port"},
	{name: "WorkstationName", label: "workstation"},
	{name: "Workstation", label: "workstation"},
	{name: "LogonType", label: "logon type", codes: logonTypes},
	{name: "Status", label: "status"},
	{name: "SubStatus", label: "sub status"},
	{name: "PrivilegeList", label: "privileges"},
	{name: "ProcessName", label: "by program"},
	{name: "SubjectUserName", label: "by", who: bySubject},
}

// serviceDetails are those of Sysmon, PowerShell and the rest.
var serviceDetails = []detail{
	{name: "Image"}, {name: "SourceImage"}, {name: "CommandLine", label: "command"}, {name: "User", label: "user"}, {name: "ParentImage", label: "parent"},
	{name: "TargetImage", label: "target"}, {name: "GrantedAccess", label: "access"}, {name: "ImageLoaded", label: "image"}, {name: "TargetFilename", label: "file"},
	{name: "PipeName", label: "pipe"}, {name: "TargetObject", label: "key"}, {name: "Details", label: "data"}, {name: "QueryName", label: "name"},
	{name: "QueryResults", label: "results"}, {name: "SourceIp", label: "from"}, {name: "DestinationIp", label: "to"}, {name: "DestinationPort", label: "port"},
	{name: "Protocol"}, {name: "Configuration"}, {name: "State"},
	{name: "ScriptBlockText"}, {name: "Payload"}, {name: "ServiceName", label: "service"}, {name: "ImagePath", label: "file"}, {name: "AccountName", label: "as"},
	{name: "TaskName", label: "task"}, {name: "UserContext", label: "user"}, {name: "ActionName", label: "action"}, {name: "Threat Name", label: "threat"},
	{name: "Path", label: "path"}, {name: "Detection User", label: "user"}, {name: "Address", label: "from"}, {name: "RuleName", label: "rule"},
	{name: "FullFilePath", label: "file"}, {name: "FilePath", label: "file"}, {name: "url"}, {name: "payload"}, {name: "SubjectUserName", label: "by"},
	{name: "Channel", label: "log"}, {name: "param1"}, {name: "param2"}, {name: "Param1"}, {name: "Param2"}, {name: "Param3", label: "from"},
}

// appendLine appends at most max bytes of s as one line.
func appendLine(dst []byte, s string, max int) []byte {
	cut := len(s) > max
	if cut {
		for max > 0 && !utf8.RuneStart(s[max]) {
			max--
		}
		s = s[:max]
	}
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f {
			c = ' '
			if n := len(dst); n > 0 && dst[n-1] == ' ' {
				continue
			}
		}
		dst = append(dst, c)
	}
	if cut {
		dst = append(dst, "…"...)
	}
	return dst
}
