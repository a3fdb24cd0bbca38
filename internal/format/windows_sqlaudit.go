package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// SQL Server's audit, where its target is the Application or the Security log: event 33205, whose one datum is lines of
// "name:value". The statement may hold line ends itself; what follows it is additional_information.
// https://learn.microsoft.com/en-us/sql/relational-databases/security/auditing/sql-server-audit-records

const sqlAuditID = 33205

var sqlAuditEvent = winEvent{sqlAuditID, "database", "", "", 0, "SQL Server audit event"}

// isSQLAudit: the provider is MSSQLSERVER$AUDIT, MSSQL$INSTANCE$AUDIT or the server itself.
func (w *winlog) isSQLAudit() bool {
	return w.id == sqlAuditID && strings.HasPrefix(w.provider, "MSSQL")
}

func (w *winlog) sqlAudit() {
	text := ""
	for i := range w.data {
		if strings.Contains(w.data[i].value, "action_id:") {
			text = w.data[i].value
			break
		}
	}
	b := w.b
	b.Set("event.dataset", "microsoft_sqlserver.audit")
	b.Set("event.module", "microsoft_sqlserver")
	text = strings.TrimPrefix(text, "Audit event: ")
	var action, class, principal, domain, sid, targetName, targetSID, statement, address string
	name := ""
	flush := func(value string) {
		value = strings.TrimSpace(value)
		if value == "" || name == "" {
			return
		}
		switch name {
		case "event_time":
			return
		case "action_id":
			action = strings.ToUpper(value)
			return
		case "class_type":
			class = strings.ToUpper(value)
			return
		case "server_principal_name":
			principal = value
		case "server_principal_sid":
			sid = value
		case "target_server_principal_name":
			targetName = value
		case "target_server_principal_sid":
			targetSID = value
		case "statement":
			statement = value
		case "client_ip":
			if address == "" {
				address = value
			}
		case "additional_information": // XML, with the address of who logs in
			if _, rest, ok := strings.Cut(value, "<address>"); ok {
				address, _, _ = strings.Cut(rest, "</address>")
			}
		case "duration_milliseconds":
			if isDigits(value) && len(value) < 13 {
				b.AddInt("event.duration", wholeNumber(value)*1e6)
			}
			return
		case "succeeded":
			if !b.Event().Has("event.outcome") {
				w.outcome(map[string]string{"true": "success", "false": "failure"}[value])
			}
		}
		field := b.Bytes(append([]byte("sqlserver.audit."), name...))
		switch name {
		case "sequence_number", "affected_rows", "response_rows":
			b.AddNumber(field, value)
		case "succeeded", "is_column_permission":
			b.AddBool(field, value == "true")
		default:
			b.Add(field, value)
		}
	}
	value := ""
	for start := 0; start < len(text); {
		line := text[start:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		key, v, ok := strings.Cut(line, ":")
		if ok && isSnakeName(key) && (name != "statement" || key == "additional_information") {
			flush(value)
			name, value = key, v
			if key == "statement" || key == "additional_information" { // to where the next name begins
				value = text[start+len(key)+1:]
				if end := nextAuditName(value, key); end >= 0 {
					value = value[:end]
				}
				start += len(key) + 1 + len(value)
				continue
			}
		}
		start += len(line) + 1
	}
	flush(strings.TrimSuffix(value, "\n."))

	if long, ok := sqlClasses[class]; ok {
		class = long
	}
	b.Add("sqlserver.audit.class_type", class)
	if a, ok := sqlActions[action]; ok {
		b.Add("sqlserver.audit.action_id", a.name)
		b.Set("event.action", a.action)
		w.classes("event.type", a.types)
		w.classes("event.category", a.categories)
	} else if action != "" {
		b.Add("sqlserver.audit.action_id", action)
		b.Set("event.action", "unknown-"+strings.ToLower(action))
		b.Add("event.type", "info")
	}
	if i := strings.IndexByte(principal, '\\'); i > 0 {
		domain, principal = principal[:i], principal[i+1:]
	}
	w.put("user.name", principal)
	w.put("user.domain", domain)
	w.put("user.id", sid)
	w.logonName(targetUser, targetName)
	w.put("user.target.id", targetSID)
	w.end("source", address, "")
	w.put("process.pid", b.Event().Get("winlog.process.pid"))
	w.put("process.thread.id", b.Event().Get("winlog.process.thread.id"))
	w.data = append(w.data[:0], datum{"action", b.Event().Get("event.action")}, datum{"by", principal}, datum{"from", address}, datum{"statement", statement}) // for the message
	fields := b.Event().Fields
	for i := range fields {
		if f := &fields[i]; (f.Name == "process.pid" || f.Name == "process.thread.id") && isDigits(f.Value) {
			f.Kind = event.Number
		}
	}
}

// classes adds each of the words.
func (w *winlog) classes(name, words string) {
	for word := range strings.FieldsSeq(words) {
		w.b.Add(name, word)
	}
}

func isSnakeName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || 'z' < c) && c != '_' {
			return false
		}
	}
	return true
}

// nextAuditName is where the line begins that ends the text of a statement or of what was added to it.
func nextAuditName(s, of string) int {
	next := []string{"\nadditional_information:"}
	if of == "additional_information" {
		next = []string{"\nuser_defined_information:", "\napplication_name:", "\nconnection_id:", "\n."}
	}
	for _, n := range next {
		if i := strings.Index(s, n); i >= 0 {
			return i
		}
	}
	return -1
}
