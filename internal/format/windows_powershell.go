package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// PowerShell's events: those of the classic log "Windows PowerShell", whose context is
// a text of "Name=value" lines, and those of PowerShell/Operational, fields as in
// Elastic's windows integration.

var powershellClassicEvents = indexEvents([]winEvent{
	{400, "process", "start", "", 0, "Engine state changed"},
	{403, "process", "end", "", 0, "Engine state changed"},
	{500, "process", "info", "", 0, "Command started"},
	{501, "process", "info", "", 0, "Command stopped"},
	{600, "process", "info", "", 0, "Provider state changed"},
	{800, "process", "info", "", 0, "Pipeline execution details"},
})

var powershellEvents = indexEvents([]winEvent{
	{4100, "process", "info", "", 0, "Error"},
	{4103, "process", "info", "", 0, "Command invoked"},
	{4104, "process", "info", "", 0, "Script block"},
	{4105, "process", "start", "", 0, "Script block started"},
	{4106, "process", "end", "", 0, "Script block completed"},
	{40961, "process", "start", "", 0, "Console is starting up"},
	{40962, "process", "info", "", 0, "Console is ready for user input"},
	{53504, "process", "info", "", 0, "IPC listening thread started"},
})

var otherPowershell = winEvent{categories: "process", types: "info"}

// contextFields are the names of a context and of the fields they become. Keys are
// compared without blanks: the operational log writes "Host Name = ConsoleHost".
var contextFields = map[string]string{
	"HostId": "process.entity_id", "HostID": "process.entity_id", "HostName": "process.title",
	"NewEngineState": "powershell.engine.new_state", "PreviousEngineState": "powershell.engine.previous_state", "EngineVersion": "powershell.engine.version",
	"NewProviderState": "powershell.provider.new_state", "ProviderName": "powershell.provider.name",
	"PipelineId": "powershell.pipeline_id", "PipelineID": "powershell.pipeline_id", "RunspaceId": "powershell.runspace_id", "RunspaceID": "powershell.runspace_id",
	"HostVersion": "powershell.process.executable_version", "ShellID": "powershell.id",
	"CommandLine": "powershell.command.value", "CommandPath": "powershell.command.path", "CommandName": "powershell.command.name", "CommandType": "powershell.command.type",
}

var contextNumbers = map[string]string{"DetailTotal": "powershell.total", "DetailSequence": "powershell.sequence"}

func (w *winlog) powershellClassic(ev *winEvent) {
	if ev == nil {
		ev = &otherPowershell
	}
	w.classify(ev)
	if w.id == 800 {
		w.context(w.get("param2"))
		w.invocations(w.get("param3"))
	} else {
		w.context(w.get("param3"))
	}
	w.ownAccount()
}

func (w *winlog) powershell(ev *winEvent) {
	if ev == nil {
		ev = &otherPowershell
	}
	w.classify(ev)
	w.context(w.get("ContextInfo"))
	if w.id == 4103 {
		w.invocations(w.get("Payload"))
	}
	w.number("powershell.sequence", w.get("MessageNumber"))
	w.number("powershell.total", w.get("MessageTotal"))
	w.copy("powershell.file.script_block_id", "ScriptBlockId")
	w.copy("powershell.file.script_block_text", "ScriptBlockText")
	w.copy("powershell.runspace_id", "RunspaceId")
	w.file(w.get("Path"))
	w.ownAccount()
}

// context reads lines "Name=value" or "Name = value". A value goes on over
// lines that do not begin like another: scripts given on the command line do so.
func (w *winlog) context(text string) {
	var account, connected string
	for text != "" {
		key, value, rest := contextEntry(text)
		text = rest
		if value == "" {
			continue
		}
		switch key {
		case "HostApplication":
			w.commandLine("process", value)
		case "UserId", "User":
			account = value
		case "ConnectedUser":
			connected = value
		case "ScriptName":
			w.file(value)
		default:
			if field := contextFields[key]; field != "" {
				w.put(field, value)
			} else if field := contextNumbers[key]; field != "" {
				w.number(field, value)
			}
		}
	}
	if connected != "" { // a remote session: who came, and as whom the commands run
		w.logonName(sourceUser, connected)
		w.logonName(destinationUser, account)
		account = connected
	}
	w.logonName(plainUser, account)
}

// contextEntry takes the first entry off a context.
func contextEntry(text string) (key, value, rest string) {
	line, rest, more := strings.Cut(text, "\n")
	name, _, ok := contextKey(line)
	if !ok {
		return "", "", rest
	}
	key = name
	start := strings.IndexByte(line, '=') + 1
	end := len(line)
	for more {
		next, after, again := strings.Cut(rest, "\n")
		if _, _, ok := contextKey(next); ok || strings.TrimSpace(next) == "" && (after == "" || startsEntry(after)) {
			break
		}
		end = len(text) - len(rest) + len(next)
		rest, more = after, again
	}
	return key, strings.Trim(text[start:end], " \t\r\n"), rest
}

func startsEntry(text string) bool {
	line, _, _ := strings.Cut(text, "\n")
	_, _, ok := contextKey(line)
	return ok || strings.TrimSpace(line) == ""
}

// contextKey reads the name of a line that begins an entry. Only names that
// PowerShell writes begin one: a script has lines with '=' too.
func contextKey(line string) (key, value string, ok bool) {
	name, value, found := strings.Cut(line, "=")
	if !found || len(name) > 64 {
		return "", "", false
	}
	name = strings.TrimSpace(name)
	if strings.IndexByte(name, ' ') >= 0 {
		name = strings.ReplaceAll(name, " ", "")
	}
	switch name {
	case "HostApplication", "UserId", "User", "ConnectedUser", "ScriptName", "SequenceNumber", "Severity":
		return name, value, true
	}
	_, ok = contextFields[name]
	if !ok {
		_, ok = contextNumbers[name]
	}
	return name, value, ok
}

const maxInvocations = 256

// invocations reads lines such as
// ParameterBinding(Out-File): name="FilePath"; value="a.txt".
func (w *winlog) invocations(text string) {
	if text == "" || w.keep && w.b.Event().Has("powershell.command.invocation_details") {
		return
	}
	out := append(w.text[:0], '[')
	n := 0
	member := func(name, value string) {
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(event.AppendQuoted(out, name), ':')
		out = event.AppendQuoted(out, value)
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.TrimSpace(line) == "" || n >= maxInvocations {
			continue
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(out, '{')
		kind, rest, ok := strings.Cut(line, "(")
		command, value, closed := strings.Cut(rest, "): ")
		if !closed {
			command, closed = strings.CutSuffix(rest, "):")
		}
		if !ok || !closed || kind == "" || strings.IndexByte(kind, ':') >= 0 {
			member("value", line)
		} else {
			if name, bound, ok := strings.Cut(value, "; value="); ok && kind == "ParameterBinding" && strings.HasPrefix(name, "name=") {
				member("name", name[len("name="):])
				value = bound
			}
			member("related_command", command)
			member("type", kind)
			if value != "" {
				member("value", value)
			}
		}
		out = append(out, '}')
	}
	if n > 0 {
		w.b.AddKind("powershell.command.invocation_details", w.b.Bytes(append(out, ']')), event.JSON)
	}
	w.text = out[:0]
}
