package format

import "strings"

// The state of a MySQL or MariaDB replica as Metricbeat's sql module sends it: the columns of SHOW REPLICA STATUS (or SHOW SLAVE
// STATUS) in lower case. https://dev.mysql.com/doc/refman/8.4/en/show-replica-status.html
var _ = registerCloud(&cloudLog{
	name:   "mysql.replica_status",
	title:  "MySQL replica status (Metricbeat sql)",
	group:  "database",
	prefix: "mysql.replica_status.",
	recognise: func(has func(string) bool) bool {
		return has("sql.metrics.string.slave_io_running") || has("sql.metrics.string.replica_io_running")
	},
	times: []string{"@timestamp"},
	rename: func(path string) string {
		kind, column, ok := strings.Cut(strings.TrimPrefix(path, "sql.metrics."), ".")
		if !ok || kind != "numeric" && kind != "string" {
			return ""
		}
		// Since 8.0.22 a source has replicas; before, and with MariaDB, a master had slaves.
		column = replicaColumns.Replace(column)
		if name, ok := replicaNames[column]; ok {
			return name
		}
		return column
	},
	finish: func(r *cloudRecord) {
		b := r.b
		b.Add("event.module", "mysql")
		b.Add("event.category", "database")
		b.Add("event.type", "info")
		b.Add("service.type", "mysql")
		get := func(column string) string { return r.get("sql.metrics.string."+column, "sql.metrics.numeric."+column) }
		b.Add("network.name", get("network_namespace"))
		b.Add("user.name", get("master_user"))
		b.Add("user.name", get("source_user"))
		addPort(b, "source.port", get("master_port"))
		addPort(b, "source.port", get("source_port"))
		for _, of := range [...]struct{ column, name string }{{"auto_position", "is_auto_position"}, {"get_master_public_key", "source.is_get_public_key"}, {"get_source_public_key", "source.is_get_public_key"}} {
			if v := get(of.column); v != "" {
				b.AddBool("mysql.replica_status."+of.name, v != "0")
			}
		}
		if v := get("master_ssl_verify_server_cert"); v != "" {
			b.AddBool("mysql.replica_status.source.ssl.is_verify_server_cert", strings.EqualFold(v, "yes"))
		}
		for _, of := range [...]struct{ column, name string }{{"last_io_error_timestamp", "io"}, {"last_sql_error_timestamp", "sql"}} { // "170320 10:45:04"
			if v := get(of.column); len(v) == 15 && isDigits(v[:6]) {
				if ns, ok := r.p.Clock.Any("20" + v[:2] + "-" + v[2:4] + "-" + v[4:6] + v[6:]); ok {
					addTime("mysql.replica_status.last_error."+of.name+".timestamp", ns, b)
				}
			}
		}
	},
})

// replicaNames are the names that Elastic has for the columns; "" for those that are said otherwise.
var replicaNames = map[string]string{
	"channel_name": "channel.name", "connect_retry": "connection.retry.sec", "skip_counter": "event_skip.count", "executed_gtid_set": "gtid.executed.set", "retrieved_gtid_set": "gtid.retrieved.set", "gtid_io_pos": "gtid_io_position",
	"using_gtid": "is_gtid_using", "slave_io_running": "is_io_thread_running", "slave_sql_running": "is_sql_thread_running", "last_io_error": "last_error.io.message", "last_io_errno": "last_error.io.number", "last_error": "last_error.message",
	"last_errno": "last_error.number", "last_sql_error": "last_error.sql.message", "last_sql_errno": "last_error.sql.number", "relay_log_file": "relay.log_file", "relay_log_pos": "relay.log_position", "relay_log_space": "relay.log_space",
	"slave_ddl_groups": "replica.ddl_groups", "slave_io_state": "replica.io.state", "slave_non_transactional_groups": "replica.non_transactional_groups", "slave_sql_running_state": "replica.sql.running_state", "slave_transactional_groups": "replica.transactional_groups",
	"replicate_do_db": "replicate.do_db", "replicate_do_table": "replicate.do_table", "replicate_ignore_db": "replicate.ignore.do_db", "replicate_ignore_server_ids": "replicate.ignore.server_id", "replicate_ignore_table": "replicate.ignore.table",
	"replicate_wild_ignore_table": "replicate.ignore.wild_table", "replicate_rewrite_db": "replicate.rewrite_db", "replicate_wild_do_table": "replicate.wild_do_table", "seconds_behind_master": "seconds_behind_source", "master_log_file": "source.binary_log_file",
	"master_bind": "source.bind.interface.name", "master_info_file": "source.file_info", "master_host": "source.host.name", "relay_master_log_file": "source.log_file.relay", "exec_master_log_pos": "source.log_position.exec",
	"read_master_log_pos": "source.log_position.read", "master_public_key_path": "source.public_key_path", "master_retry_count": "source.retry_count", "master_server_id": "source.server.id", "master_uuid": "source.server.uuid",
	"master_ssl_allowed": "source.ssl.allowed", "master_ssl_ca_path": "source.ssl.ca_path", "master_ssl_ca_file": "source.ssl.ca_file", "master_ssl_cert": "source.ssl.cert", "master_ssl_cipher": "source.ssl.cipher", "master_ssl_crl": "source.ssl.crl",
	"master_ssl_crlpath": "source.ssl.crl_path", "master_ssl_key": "source.ssl.key", "master_tls_version": "source.tls_version", "sql_delay": "thread.sql.delay.sec", "until_condition": "until.condition", "until_log_file": "until.log_file", "until_log_pos": "until.log_position",
	"auto_position": "", "get_master_public_key": "", "master_ssl_verify_server_cert": "", "last_io_error_timestamp": "", "last_sql_error_timestamp": "", "master_user": "", "master_port": "", "network_namespace": "",
}

// replicaColumns are the words of MySQL 8.0.22 and later in those of before.
var replicaColumns = strings.NewReplacer("source_", "master_", "replica_", "slave_", "behind_source", "behind_master")
