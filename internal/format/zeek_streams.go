package format

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// zeekStream is one of Zeek's logs: what ECS calls it and its fields.
type zeekStream struct {
	name      string // as Elastic's integration names it
	sign      string // members by which a JSON record without _path is known: all of one alternative ("a+b c")
	kind      string // event.kind; "" for event
	category  string
	types     string
	protocol  string // network.protocol
	transport string // network.transport, where the record does not say
	fields    map[string]zeekField
	dataset   string

	once  sync.Once
	known []zeekTarget // by the tag of a name
}

// target says where a member goes.
func (s *zeekStream) target(path string) zeekTarget {
	f, known := s.fields[path]
	if !known {
		f.own = path
	}
	t := zeekTarget{ecs: f.ecs, op: f.op, port: strings.HasSuffix(f.ecs, ".port")}
	if f.own != "" {
		t.own = s.dataset + "." + f.own
	}
	return t
}

// targets are those of all members that any stream knows.
func (s *zeekStream) targets() []zeekTarget {
	s.once.Do(func() {
		s.known = make([]zeekTarget, len(zeekTags)+1)
		for path, tag := range zeekTags {
			s.known[tag] = s.target(path)
		}
	})
	return s.known
}

// The tags of members that every stream has.
const (
	zeekTS int32 = iota + 1
	zeekUID
	zeekUnderscore
	zeekOrigH
	zeekRespH
	zeekOrigP
	zeekRespP
	zeekFirstOther
)

// zeekTags number the members that are known, so that a record's are looked up in a
// table: those of some stream, and some that every log of connections has.
var zeekTags = func() map[string]int32 {
	m := map[string]int32{
		"ts": zeekTS, "uid": zeekUID, "uids": zeekUID, "_path": zeekUnderscore, "_write_ts": zeekUnderscore, "_system_name": zeekUnderscore,
		"id.orig_h": zeekOrigH, "id.resp_h": zeekRespH, "id.orig_p": zeekOrigP, "id.resp_p": zeekRespP,
	}
	next := zeekFirstOther
	add := func(path string) {
		if _, ok := m[path]; !ok {
			m[path] = next
			next++
		}
	}
	for _, s := range zeekStreams {
		for _, path := range slices.Sorted(maps.Keys(s.fields)) {
			add(path)
		}
	}
	for path := range strings.FieldsSeq("proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents " +
		"trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected method host uri referrer version user_agent request_body_len response_body_len status_code status_msg " +
		"tags resp_fuids resp_mime_types orig_fuids orig_mime_types info_code info_msg username password cipher curve server_name resumed established ssl_history next_protocol sni_matches_cert cert_chain_fps client_cert_chain_fps validation_status " +
		"fuid source depth analyzers mime_type filename is_orig seen_bytes total_bytes missing_bytes overflow_bytes timedout md5 sha1 name addl notice peer note msg sub actions suppress_for remote_location.country_code community_id") {
		add(path)
	}
	return m
}()

func zeekTag(path string) int32 { return zeekTags[path] }

// zeekField says where a member goes: under its own name, and to an ECS field.
type zeekField struct {
	own string // below "zeek.NAME."; "" for nowhere
	ecs string
	op  byte // 't' a time, 's' a number as text, 'i' an address, 'l' in lower case
}

// zeekStreams is in the order in which records without _path are tried. A mapping reads
// MEMBER:OWN:ECS:OP with '=' for the member's own name.
// https://docs.zeek.org/en/master/script-reference/log-files.html; names after Elastic's zeek package.
var zeekStreams = makeZeekStreams([][8]string{
	{"capture_loss", "percent_lost", "metric", "", "info", "", "", ""},
	{"conn>connection", "conn_state", "", "network", "", "", "", "proto::network.transport service::network.protocol conn_state:state: duration:: orig_pkts::source.packets resp_pkts::destination.packets vlan:=:network.vlan.id orig_l2_addr::source.mac:m resp_l2_addr::destination.mac:m"},
	{"dce_rpc", "named_pipe endpoint+operation", "", "network", "connection protocol info", "dce_rpc", "tcp", "operation:=:event.action"},
	{"dhcp", "msg_types uids+mac lease_time", "", "network", "connection protocol info", "dhcp", "udp", "client_addr:address.client: server_addr:address.server: mac:address.mac: requested_addr:address.requested: assigned_addr:address.assigned: domain:=:network.name host_name:hostname: msg_types:msg.types: client_message:msg.client: server_message:msg.server: msg_orig:msg.origin: client_software:software.client: server_software:software.server: circuit_id:id.circuit: agent_remote_id:id.remote_agent: subscriber_id:id.subscriber:"},
	{"dnp3", "fc_request fc_reply iin", "", "network", "connection protocol info", "dnp3", "tcp", "fc_request:function.request:event.action:l fc_reply:function.reply: iin:id:"},
	{"dns", "trans_id rejected+query AA+TC", "", "network", "connection protocol info", "dns", "udp", "proto::network.transport trans_id:=:dns.id:s query:=:dns.question.name qclass_name:=:dns.question.class qtype_name:=:dns.question.type rcode_name:=:dns.response_code Z::"},
	{"dpd", "failure_reason+analyzer+!cause", "", "network", "connection info", "", "", "proto::network.transport"},
	{"files", "fuid+source seen_bytes", "", "file", "info", "", "", "conn_uids:session_ids: uid:session_ids: mime_type:=:file.mime_type filename:=:file.name total_bytes:=:file.size md5:=:file.hash.md5 sha1:=:file.hash.sha1 sha256:=:file.hash.sha256 id.orig_h:: id.orig_p:: id.resp_h:: id.resp_p:: tx_hosts:: rx_hosts:: extracted:=: parent_fuid:=:"},
	{"ftp", "reply_code data_channel.passive", "", "network", "connection protocol info", "ftp", "tcp", "user:=:user.name command:=:event.action reply_code:reply.code: reply_msg:reply.msg: mime_type:file.mime_type:file.mime_type file_size:file.size:file.size fuid:file.uid: data_channel.orig_h:data_channel.originating_host: data_channel.resp_h:data_channel.response_host: data_channel.resp_p:data_channel.response_port:"},
	{"sip", "request_from response_from", "", "network", "connection protocol", "sip", "udp", "trans_depth:transaction_depth: method:sequence.method:event.action uri:=:url.full request_from:request.from: request_to:request.to: response_from:response.from: response_to:response.to: seq:: request_path:request.path: response_path:response.path: status_code:status.code: status_msg:status.msg: request_body_len:request.body_length: response_body_len:response.body_length: user_agent:=:user_agent.original"},
	{"smtp", "helo mailfrom last_reply", "", "network", "connection protocol", "smtp", "tcp", "trans_depth:transaction_depth: mailfrom:mail_from:email.from.address rcptto:rcpt_to:email.to.address from:=: to:=: cc:=:email.cc.address reply_to:=:email.reply_to.address msg_id:=:email.message_id subject:=:email.subject date:=: x_originating_ip:=: tls:=:tls.established user_agent:=:user_agent.original"},
	{"http", "request_body_len trans_depth", "", "network web", "connection protocol info", "", "tcp", "version::http.version request_body_len::http.request.body.bytes response_body_len::http.response.body.bytes status_code::http.response.status_code uri:: host:: user_agent:: referrer::http.request.referrer username::user.name password:=:url.password trans_depth:=: method::http.request.method orig_mime_types:=: resp_mime_types:=: status_msg:=:"},
	{"intel", "seen.indicator", "enrichment", "threat", "indicator", "", "", "seen.indicator:=: seen.indicator_type:=: file_mime_type:=:"},
	{"kerberos", "request_type+client request_type+service till+renewable", "", "network authentication", "connection protocol access", "kerberos", "tcp", "request_type:=:event.action till:valid.until:@:t from:valid.from:@:t error_msg:error.msg: error_code:error.code: client_cert_subject:cert.client.subject: client_cert_fuid:cert.client.fuid: server_cert_subject:cert.server.subject: server_cert_fuid:cert.server.fuid: cert.client_subject:cert.client.subject: cert.server_subject:cert.server.subject:"},
	{"known_certs", "port_num+serial port_num+subject", "", "network file", "info", "", "", "host::@host port_num::server.port subject::tls.server.subject issuer_subject::tls.server.issuer serial::tls.server.x509.serial_number"},
	{"known_services", "port_num+port_proto", "", "network", "info", "", "", "host::@host port_num::server.port port_proto::network.transport service::network.application"},
	{"modbus", "func", "", "network", "connection protocol", "modbus", "tcp", "func:function:event.action"},
	{"mysql", "cmd+arg cmd+success", "", "network database", "connection protocol info", "mysql", "tcp", "cmd:=:event.action"},
	{"signatures>signature", "sig_id", "alert", "network", "", "", "", "src_addr::source.address:i src_port::source.port dst_addr::destination.address:i dst_port::destination.port sig_id::rule.id event_msg::rule.description"},
	{"notice", "note", "alert", "intrusion_detection", "info", "", "", "note:=:rule.name msg:=:rule.description src::source.address:i dst::destination.address:i p::destination.port proto::network.transport actions:=: file_mime_type:=:file.mime_type"},
	{"ntlm", "server_nb_computer_name ntlm domainname+username username+hostname", "", "network authentication", "connection info", "ntlm", "tcp", "username:=:user.name domainname:domain:user.domain server_nb_computer_name:server.name.netbios: server_dns_computer_name:server.name.dns: server_tree_name:server.name.tree: hostname:=:source.domain"},
	{"ntp", "stratum ref_id", "", "network", "connection protocol info", "ntp", "udp", "ref_time:=:@:t org_time:=:@:t rec_time:=:@:t xmt_time:=:@:t"},
	{"ocsp", "certStatus", "", "", "", "", "tcp", "id:file_id: hashAlgorithm:hash.algorithm: issuerNameHash:hash.issuer.name: issuerKeyHash:hash.issuer.key: serialNumber:serial_number: certStatus:status: revoketime:revoke.time:@:t revokereason:revoke.reason: thisUpdate:update.this:@:t nextUpdate:update.next:@:t"},
	{"pe", "is_exe compile_ts", "", "file", "info", "", "", "compile_ts:compile_time:@:t"},
	{"radius", "result+username framed_addr", "", "network authentication", "connection info", "radius", "udp", "username:=:user.name framed_addr:=: result:=: reply_msg:=: connect_info:=:"},
	{"rdp", "security_protocol keyboard_layout cert_count cookie", "", "network", "protocol info", "rdp", "tcp", "ssl:=:tls.established client_name:client.name: client_build:client.build: client_dig_product_id:client.product_id: cert_type:cert.type: cert_count:cert.count: cert_permanent:cert.permanent: encryption_level:encryption.level: encryption_method:encryption.method: desktop_width:desktop.width: desktop_height:desktop.height: requested_color_depth:desktop.color_depth:"},
	{"rfb", "client_major_version authentication_method", "", "network", "connection info", "rfb", "tcp", "client_major_version:version.client.major: client_minor_version:version.client.minor: server_major_version:version.server.major: server_minor_version:version.server.minor: authentication_method:auth.method: auth:auth.success:"},
	{"smb_cmd", "sub_command referenced_file.name command+argument+!nick", "", "network", "connection protocol", "smb", "tcp", "command:=:event.action referenced_file.ts:: referenced_file.uid:file.uid: referenced_file.id.orig_h:file.host.tx: referenced_file.id.resp_h:file.host.rx: referenced_file.id.orig_p:: referenced_file.id.resp_p:: referenced_file.action:file.action: referenced_file.name:file.name: referenced_file.size::"},
	{"smb_files", "action+name+size times.modified", "", "network file", "connection protocol info", "smb", "tcp", "action:=:event.action name:=:file.name size:=:file.size times.modified:=:file.mtime:t times.accessed:=:file.accessed:t times.created:=:file.created:t times.changed:=:file.ctime:t"},
	{"smb_mapping", "share_type", "", "network", "connection protocol", "smb", "tcp", ""},
	{"snmp", "get_requests get_bulk_requests", "", "network", "connection protocol", "snmp", "udp", "get_requests:get.requests: get_bulk_requests:get.bulk_requests: get_responses:get.responses: set_requests:set.requests: up_since:=:@:t"},
	{"socks", "request_p bound_p", "", "network", "connection protocol", "socks", "tcp", "request.host:request.host: request.name:request.host: request_p:request.port: bound.host:bound.host: bound.name:bound.host: bound_p:bound.port: user:=:user.name"},
	{"software", "software_type", "", "network", "info", "", "", "host::host.ip name:=:package.name version.unparsed_version:=: unparsed_version:=:"},
	{"ssh", "auth_attempts kex_alg auth_success hasshVersion client+server+version", "", "network", "connection protocol", "ssh", "tcp", "auth_success:auth.success: auth_attempts:auth.attempts: cipher_alg:algorithm.cipher: mac_alg:algorithm.mac: compression_alg:algorithm.compression: kex_alg:algorithm.key_exchange: host_key_alg:algorithm.host_key:"},
	{"ssl", "established cipher+version ssl_history", "", "network", "connection protocol", "", "tcp", "cipher:=:tls.cipher resumed:=:tls.resumed established:=:tls.established server_name:server.name:tls.client.server_name curve:=:tls.curve next_protocol:=:tls.next_protocol cert_chain_fuids:server.cert_chain_fuids: client_cert_chain_fuids:client.cert_chain_fuids: subject::tls.server.subject issuer::tls.server.issuer client_subject:client_subject:tls.client.subject client_issuer:client_issuer:tls.client.issuer validation_status:validation.status: validation_code:validation.code: ja3:=:tls.client.ja3 ja3s:=:tls.server.ja3s ja4:=:tls.client.ja4"},
	{"stats", "pkts_proc", "metric", "", "", "", "", "mem:memory: pkts_proc:packets.processed: pkts_dropped:packets.dropped: pkts_link:packets.received: bytes_recv:bytes.received: events_proc:events.processed: events_queued:events.queued: active_tcp_conns:connections.tcp.active: active_udp_conns:connections.udp.active: active_icmp_conns:connections.icmp.active: tcp_conns:connections.tcp.count: udp_conns:connections.udp.count: icmp_conns:connections.icmp.count: timers:timers.count: active_timers:timers.active: files:files.count: active_files:files.active: dns_requests:dns_requests.count: active_dns_requests:dns_requests.active: reassem_tcp_size:reassembly_size.tcp: reassem_file_size:reassembly_size.file: reassem_frag_size:reassembly_size.frag: reassem_unknown_size:reassembly_size.unknown: pkt_lag:timestamp_lag:"},
	{"syslog", "facility+severity", "", "", "", "syslog", "", "proto::network.transport facility:=:log.syslog.facility.name severity:=:log.syslog.severity.name message:msg:message"},
	{"tunnel", "tunnel_type", "", "network", "connection", "", "", "tunnel_type:type: action:=:event.action"},
	{"x509", "certificate.serial", "", "", "info", "", "", "id:: fingerprint:=:file.hash.sha256 certificate.version:=:file.x509.version_number:s certificate.serial:=:file.x509.serial_number certificate.subject:: certificate.issuer:: certificate.not_valid_before:certificate.valid.from:file.x509.not_before:t certificate.not_valid_after:certificate.valid.until:file.x509.not_after:t certificate.key_alg:certificate.key.algorithm:file.x509.public_key_algorithm certificate.sig_alg:certificate.signature_algorithm: certificate.key_type:certificate.key.type: certificate.key_length:certificate.key.length:file.x509.public_key_size certificate.exponent:=:file.x509.public_key_exponent certificate.curve:certificate.curve:file.x509.public_key_curve san.dns:=:file.x509.alternative_names san.ip:=:file.x509.alternative_names san.uri:=:file.x509.alternative_names san.email:=:file.x509.alternative_names basic_constraints.ca:basic_constraints.certificate_authority: basic_constraints.path_len:basic_constraints.path_length:"},
	{"irc", "nick addl+command value+command", "", "network", "connection protocol info", "irc", "tcp", "user:=:user.name command:=:event.action dcc_file_name:dcc.file.name:file.name dcc_file_size:dcc.file.size:file.size dcc_mime_type:dcc.mime_type:file.mime_type fuid:=:"},
	{"weird", "name+notice", "", "network", "info", "", "", ""},
	{"reporter", "level+location", "", "", "info", "", "", "level:=:log.level:l message:=:message"},
	{"traceroute", "src+dst+proto", "", "network", "info", "", "", "src::source.address:i dst::destination.address:i proto::network.transport"},
	{"known_hosts", "host+!uid+!name", "", "network host", "info", "", "", "host::@host"},
})

var zeekPaths = func() map[string]*zeekStream {
	m := map[string]*zeekStream{}
	for _, s := range zeekStreams {
		m[s.name] = s
	}
	m["conn"], m["signatures"] = m["connection"], m["signature"]
	return m
}()

func makeZeekStreams(rows [][8]string) []*zeekStream {
	out := make([]*zeekStream, 0, len(rows))
	for _, r := range rows {
		name := r[0]
		if i := strings.IndexByte(name, '>'); i > 0 {
			name = name[i+1:]
		}
		s := &zeekStream{name: name, sign: r[1], kind: r[2], category: r[3], types: r[4], protocol: r[5], transport: r[6], dataset: "zeek." + name, fields: map[string]zeekField{}}
		for spec := range strings.FieldsSeq(r[7]) {
			parts := append(strings.Split(spec, ":"), "", "", "")
			f := zeekField{own: parts[1], ecs: parts[2]}
			if f.own == "=" {
				f.own = parts[0]
			}
			if parts[3] != "" {
				f.op = parts[3][0]
			}
			if f.ecs == "@" {
				f.ecs = ""
			}
			s.fields[parts[0]] = f
		}
		out = append(out, s)
	}
	return out
}

// zeekConnStates explain conn_state, and say of what type the event is.
var zeekConnStates = map[string][2]string{
	"S0":     {"Connection attempt seen, no reply.", "start"},
	"S1":     {"Connection established, not terminated.", "start"},
	"SF":     {"Normal establishment and termination.", "start end"},
	"REJ":    {"Connection attempt rejected.", "start denied"},
	"S2":     {"Connection established and close attempt by originator seen (but no reply from responder).", "info"},
	"S3":     {"Connection established and close attempt by responder seen (but no reply from originator).", "info"},
	"RSTO":   {"Connection established, originator aborted (sent a RST).", "info"},
	"RSTR":   {"Responder sent a RST.", "info"},
	"RSTOS0": {"Originator sent a SYN followed by a RST, we never saw a SYN-ACK from the responder.", "info"},
	"RSTRH":  {"Responder sent a SYN ACK followed by a RST, we never saw a SYN from the (purported) originator.", "info"},
	"SH":     {"Originator sent a SYN followed by a FIN, we never saw a SYN ACK from the responder (hence the connection was 'half' open).", "info"},
	"SHR":    {"Responder sent a SYN ACK followed by a FIN, we never saw a SYN from the originator.", "info"},
	"OTH":    {"No SYN seen, just midstream traffic (a 'partial connection' that was not later closed).", "info"},
}
