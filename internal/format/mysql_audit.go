package format

import "strings"

// The audit log of MySQL Enterprise (audit_log, audit_log_format=JSON) and of those who write the same.
// The file is one array of records; what each is about stands in a member of its class.
// https://dev.mysql.com/doc/refman/8.4/en/audit-log-file-formats.html
var _ = registerCloud(&cloudLog{
	name:   "mysql_enterprise.audit",
	title:  "MySQL Enterprise audit log, JSON",
	prefix: "mysqlenterprise.audit.",
	score:  97,
	recognise: func(has func(string) bool) bool {
		return has("timestamp") && has("class") && has("event") && has("connection_id") && has("id")
	},
	times: []string{"timestamp"},
	fields: map[string]string{
		"startup_data.os_version": "host.os.full", "startup_data.mysql_version": "service.version", "startup_data.server_id": "service.id", "startup_data.args": "process.args",
		"login.ip": "client.ip source.ip", "connection_data.connection_attributes._pid": "process.pid", "account.user": "server.user.name user.name", "account.host": "client.domain",
	},
	finish: finishMySQLAudit,
})

func finishMySQLAudit(r *cloudRecord) {
	b := r.b
	class, what := r.get("class"), r.get("event")
	b.Add("event.action", b.Bytes([]byte("mysql-"+what)))
	b.Add("event.category", "database")
	if class == "connection" {
		b.Add("event.category", "network")
	}
	switch {
	case class == "audit":
	case class != "connection":
		b.Add("event.type", "access")
	case what == "disconnect":
		r.classes("event.type", "access connection end")
	case what == "connect":
		r.classes("event.type", "access connection start")
	default:
		r.classes("event.type", "access connection")
	}
	switch status := r.get(b.Bytes([]byte(class + "_data.status"))); {
	case status == "":
		b.Add("event.outcome", "unknown")
	case status == "0":
		b.Add("event.outcome", "success")
	default:
		b.Add("event.outcome", "failure")
	}
	var args []string
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == "startup_data.args" {
			args = append(args, l.Value)
		}
	}
	if len(args) == 0 {
		b.Add("process.name", "mysqld")
		return
	}
	b.AddInt("process.args_count", int64(len(args)))
	b.Add("process.command_line", b.Bytes([]byte(strings.Join(args, " "))))
	b.Add("process.executable", args[0])
	b.Add("process.name", args[0][strings.LastIndexAny(args[0], `/\`)+1:])
}
