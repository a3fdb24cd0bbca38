package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Audit logs of the MySQL family that are no JSON: the XML of MySQL Enterprise's and Percona's plugin in its old style (attributes)
// and its new one (elements), and the lines of MariaDB's server_audit, which Amazon RDS has too:
//
//	20060102 15:04:05,serverhost,user,host,connection,query,operation,database,'object',status
//
// https://dev.mysql.com/doc/refman/8.4/en/audit-log-file-formats.html https://mariadb.com/kb/en/mariadb-audit-plugin-log-format/
var _ = register(Format{
	Name:      datasetMySQLAudit,
	Title:     "MySQL or MariaDB audit log (XML, server_audit)",
	Group:     "database",
	Recognise: recogniseMySQLAudit,
	Header: func(line []byte) bool {
		l := strings.TrimSpace(event.View(line))
		return strings.HasPrefix(l, "<?xml") || l == "<AUDIT>" || l == "</AUDIT>"
	},
	Joins: func(line []byte) bool {
		l := strings.TrimLeft(event.View(line), " \t")
		return !strings.HasPrefix(l, "<AUDIT") && !strings.HasPrefix(l, "</AUDIT>") && !strings.HasPrefix(l, "<?xml") && !isServerAudit(l)
	},
	Lines: func(p *Params) LineDecoder { return (&mysqlAudit{p: p}).decode },
})

func recogniseMySQLAudit(s *Sample) int {
	for i, l := range s.Lines {
		l = strings.TrimLeft(l, " \t")
		if strings.HasPrefix(l, "<AUDIT_RECORD") {
			return 97
		}
		if i > 4 || l[0] != '<' {
			break
		}
	}
	return s.majority(96, isServerAudit)
}

// isServerAudit reports whether a line begins as one of server_audit, and has its columns.
func isServerAudit(l string) bool {
	if len(l) < 30 || l[8] != ' ' || l[11] != ':' || l[14] != ':' || l[17] != ',' || !isDigits(l[:8]) {
		return false
	}
	var w [7]string
	for i := range w {
		var more bool
		if w[i], l, more = strings.Cut(l, ","); !more {
			return false
		}
	}
	return isDigits(w[4]) && isDigits(w[5]) && mysqlOperations[w[6]] != ""
}

// mysqlOperations are what server_audit tells of, with ECS's event.type.
var mysqlOperations = map[string]string{
	"CONNECT": "connection start", "DISCONNECT": "connection end", "FAILED_CONNECT": "connection start denied", "QUERY": "access", "QUERY_DDL": "change", "QUERY_DML": "change", "QUERY_DML_NO_SELECT": "change", "QUERY_DCL": "change",
	"READ": "access", "WRITE": "change", "CREATE": "creation", "ALTER": "change", "RENAME": "change", "DROP": "deletion", "TABLE": "access", "CHANGEUSER": "change", "PROXY_CONNECT": "connection start",
}

const datasetMySQLAudit = "mysql.audit"

func addMySQLAudit(b *event.Batch) {
	b.Add("event.kind", "event")
	b.Add("event.module", "mysql")
	b.Add("event.category", "database")
}

// With server_audit_output_type=syslog the columns come without the time.
var _ = registerProgram(program{
	Names:   []string{"mysql-server_auditing"},
	Dataset: datasetMySQLAudit,
	Decode: func(m *message, b *event.Batch) bool {
		if !isServerAudit("20060102 15:04:05," + m.Text) {
			return false
		}
		addMySQLAudit(b)
		serverAuditColumns(m.Text, b)
		return true
	},
})

var errNotMySQLAudit = errorString("not a record of an audit log of MySQL or MariaDB")

type mysqlAudit struct{ p *Params }

func (d *mysqlAudit) decode(record string, b *event.Batch) error {
	b.Add("event.dataset", datasetMySQLAudit)
	addMySQLAudit(b)
	l := strings.TrimLeft(record, " \t")
	if rest, ok := strings.CutPrefix(l, "<AUDIT_RECORD"); ok {
		return d.xml(rest, b)
	}
	return d.serverAudit(l, b)
}

func (d *mysqlAudit) serverAudit(l string, b *event.Batch) error {
	if !isServerAudit(l) {
		return errNotMySQLAudit
	}
	ns, ok := d.p.Clock.Any(l[:4] + "-" + l[4:6] + "-" + l[6:17])
	if !ok {
		return errNotMySQLAudit
	}
	b.Event().Time = ns
	serverAuditColumns(l[18:], b)
	return nil
}

// serverAuditColumns adds the columns behind the time; syslog has them alone.
func serverAuditColumns(l string, b *event.Batch) {
	var w [6]string
	rest := l
	for i := range w {
		w[i], rest, _ = strings.Cut(rest, ",")
	}
	operation := w[5]
	database, object, _ := strings.Cut(rest, ",")
	object, status := cutLastComma(object)
	if len(object) > 1 && object[0] == '\'' && object[len(object)-1] == '\'' {
		object = object[1 : len(object)-1]
		if strings.IndexByte(object, '\\') >= 0 {
			object = serverAuditEscapes.Replace(object)
		}
	}
	if !b.Event().Has("host.hostname") {
		b.Add("host.hostname", w[0])
	}
	b.Add("user.name", w[1])
	addPeer(b, w[2])
	b.AddNumber("mysql.thread_id", w[3])
	if w[4] != "0" {
		b.AddNumber("mysql.audit.query_id", w[4])
	}
	b.Add("mysql.audit.operation", operation)
	b.Add("mysql.audit.database", database)
	b.Add("mysql.audit.status", status)
	if strings.HasPrefix(operation, "QUERY") {
		b.Add("mysql.audit.query", object)
		b.Add("message", object)
	} else {
		b.Add("mysql.audit.object", object)
	}
	finishMySQLAudited(b, operation, status)
}

var serverAuditEscapes = strings.NewReplacer(`\'`, `'`, `\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r")

// cutLastComma cuts what stands behind the last comma; server_audit puts the status there, whatever the text before holds.
func cutLastComma(s string) (before, last string) {
	i := strings.LastIndexByte(s, ',')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

func finishMySQLAudited(b *event.Batch, operation, status string) {
	action, key := append(make([]byte, 0, 64), "mysql-"...), make([]byte, 0, 64)
	for i := range len(operation) {
		switch c := operation[i]; {
		case c == ' ', c == '_':
			action, key = append(action, '-'), append(key, '_')
		case 'A' <= c && c <= 'Z':
			action, key = append(action, c+'a'-'A'), append(key, c)
		case 'a' <= c && c <= 'z':
			action, key = append(action, c), append(key, c+'A'-'a')
		default:
			action, key = append(action, c), append(key, c)
		}
	}
	b.Add("event.action", b.Bytes(action))
	types := mysqlOperations[string(key)]
	if types == "" {
		types = "info"
	}
	addWords(b, "event.type", types)
	if strings.HasPrefix(types, "connection") {
		b.Add("event.category", "network")
		if strings.Contains(types, "start") {
			b.Add("event.category", "authentication")
		}
	}
	switch {
	case operation == "FAILED_CONNECT", status != "" && status != "0":
		b.Add("event.outcome", "failure")
		if status != "0" {
			b.Add("error.code", status)
		}
	case status == "0":
		b.Add("event.outcome", "success")
	}
}

// addPeer adds the host from which a client came, a name or an address.
func addPeer(b *event.Batch, host string) {
	host, port := splitPort(host)
	addSource(b, host, port)
}

// xml reads a record behind "<AUDIT_RECORD", in either style.
func (d *mysqlAudit) xml(s string, b *event.Batch) error {
	var name, status, host, ip, user, sql string
	timed := false
	each := func(key, value string) {
		if value = strings.TrimSpace(value); value == "" || len(key) > 40 {
			return
		}
		var few [64]byte
		full := append(few[:0], "mysql.audit."...)
		for i := range len(key) {
			c := key[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			} else if (c < 'a' || 'z' < c) && c != '_' {
				return
			}
			full = append(full, c)
		}
		value = xmlText(value, b)
		switch key {
		case "TIMESTAMP":
			if ns, ok := d.p.Clock.Any(strings.TrimSuffix(value, " UTC")); ok {
				b.Event().Time, timed = ns, true
			}
			return
		case "NAME":
			name = value
		case "STATUS":
			status = value
		case "HOST":
			host = value
		case "IP":
			ip = value
		case "USER":
			user = value
		case "SQLTEXT":
			sql = value
		case "OS_USER", "OS_LOGIN":
			b.Add("client.user.name", value)
		case "DB":
			b.Add("mysql.audit.database", value)
		case "SERVER_ID":
			b.Add("service.id", value)
		case "MYSQL_VERSION":
			b.Add("service.version", value)
		case "CONNECTION_ID":
			b.AddNumber("mysql.thread_id", value)
		case "RECORD_ID", "RECORD": // SEQUENCE_TIME, the time being that at which the file was opened
			sequence, _, _ := strings.Cut(value, "_")
			setNumber(b, sequence)
		}
		b.Add(b.Bytes(full), value)
	}
	if strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), ">") {
		eachElement(s, each)
	} else {
		for n := 0; n < 64; n++ {
			key, value, rest, ok := xmlAttribute(s)
			if !ok {
				break
			}
			each(key, value)
			s = rest
		}
	}
	if name == "" || !timed {
		return errNotMySQLAudit
	}
	if i := strings.IndexByte(user, '['); i >= 0 { // "alice[alice] @ localhost [127.0.0.1]"
		user = user[:i]
	}
	b.Add("user.name", strings.TrimSpace(user))
	if ip == "" {
		ip = host
	}
	addPeer(b, ip)
	if isHostName(host) && host != ip {
		b.Add("source.domain", host)
	}
	b.Add("message", sql)
	finishMySQLAudited(b, name, status)
	return nil
}

// eachElement calls fn with the elements of a flat XML text.
func eachElement(s string, fn func(name, text string)) {
	for n := 0; n < 64; n++ {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return
		}
		s = s[i+1:]
		end := strings.IndexByte(s, '>')
		if end < 0 {
			return
		}
		name := s[:end]
		s = s[end+1:]
		if name == "" || name[0] == '/' || name[len(name)-1] == '/' {
			continue
		}
		text, rest, ok := strings.Cut(s, "</"+name+">")
		if !ok {
			continue
		}
		fn(name, text)
		s = rest
	}
}
