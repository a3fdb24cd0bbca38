package format

// eveOp says what is done with a member of an eve record beyond keeping it.
type eveOp uint8

const (
	eveKeep     eveOp = iota
	eveDrop           // said elsewhere
	eveMove           // to the ECS name
	eveBoth           // to the ECS name, and kept
	eveText           // kept, a number as text
	eveTime           // to the ECS name, as a time in UTC
	eveMAC            // to the ECS name, in the form of ECS
	eveLower          // to the ECS name, in lower case
	eveLate           // by a rule of its own
	eveMetadata       // alert.metadata.X: kept as alert.X
)

type eveField struct {
	op  eveOp
	ecs string
}

// eveFields is the mapping of members to ECS, after Elastic's suricata package.
var eveFields = map[string]eveField{
	"timestamp": {eveLate, ""}, "event_type": {eveKeep, ""}, "flow_id": {eveText, ""},
	"src_ip": {eveLate, "source"}, "dest_ip": {eveLate, "destination"}, "src_port": {eveMove, "source.port"}, "dest_port": {eveMove, "destination.port"},
	"proto": {eveLower, "network.transport"}, "app_proto": {eveMove, "network.protocol"}, "community_id": {eveMove, "network.community_id"}, "host": {eveMove, "observer.hostname"},
	"vlan":          {eveBoth, "network.vlan.id"},
	"ether.src_mac": {eveMAC, "source.mac"}, "ether.dest_mac": {eveMAC, "destination.mac"},

	"flow.pkts_toserver": {eveMove, "source.packets"}, "flow.pkts_toclient": {eveMove, "destination.packets"},
	"flow.bytes_toserver": {eveMove, "source.bytes"}, "flow.bytes_toclient": {eveMove, "destination.bytes"},
	"flow.start": {eveTime, "event.start"}, "flow.end": {eveTime, "event.end"},
	"flow.src_ip": {eveDrop, ""}, "flow.dest_ip": {eveDrop, ""}, "flow.src_port": {eveDrop, ""}, "flow.dest_port": {eveDrop, ""},
	"netflow.pkts": {eveBoth, "source.packets"}, "netflow.bytes": {eveBoth, "source.bytes"}, "netflow.start": {eveTime, "event.start"}, "netflow.end": {eveTime, "event.end"},

	"alert.severity": {eveMove, "event.severity"}, "alert.action": {eveLate, ""}, "alert.signature_id": {eveBoth, "rule.id"},
	"alert.signature": {eveBoth, "rule.name"}, "alert.category": {eveBoth, "rule.category"}, "alert.rev": {eveBoth, "rule.version"},
	"alert.metadata.mitre_tactic_id": {eveMove, "threat.tactic.id"}, "alert.metadata.mitre_tactic_name": {eveMove, "threat.tactic.name"},
	"alert.metadata.mitre_technique_id": {eveMove, "threat.technique.id"}, "alert.metadata.mitre_technique_name": {eveMove, "threat.technique.name"},
	"alert.metadata.created_at": {eveLate, ""}, "alert.metadata.updated_at": {eveLate, ""}, "alert.metadata.mitre_attack": {eveLate, ""},
	"alert.metadata.filename": {eveMove, "file.name"},

	"http.hostname": {eveLate, ""}, "http.url": {eveLate, ""}, "http.http_user_agent": {eveLate, ""}, "http.http_method": {eveMove, "http.request.method"},
	"http.status": {eveMove, "http.response.status_code"}, "http.length": {eveMove, "http.response.body.bytes"}, "http.http_refer": {eveMove, "http.request.referrer"},

	"dns.rrname": {eveBoth, "dns.question.name"}, "dns.rrtype": {eveBoth, "dns.question.type"}, "dns.id": {eveBoth, "dns.id"}, "dns.rcode": {eveBoth, "dns.response_code"},
	"dns.type": {eveLate, ""}, "dns.grouped.A": {eveLate, ""}, "dns.grouped.AAAA": {eveLate, ""}, "dns.answers": {eveLate, ""},
	"dns.queries": {eveLate, ""}, "dns.query": {eveLate, ""}, "dns.rdata": {eveLate, ""},

	"tls.subject": {eveLate, "tls.server.subject"}, "tls.issuerdn": {eveLate, "tls.server.issuer"}, "tls.sni": {eveLate, ""}, "tls.version": {eveLate, ""},
	"tls.fingerprint": {eveLate, ""}, "tls.notbefore": {eveLate, ""}, "tls.notafter": {eveLate, ""},
	"tls.serial": {eveLate, ""}, "tls.ja3.hash": {eveBoth, "tls.client.ja3"}, "tls.ja3s.hash": {eveBoth, "tls.server.ja3s"},
	"tls.ja4": {eveBoth, "tls.client.ja4"}, "tls.session_resumed": {eveBoth, "tls.resumed"},

	"fileinfo.filename": {eveBoth, "file.path"}, "fileinfo.size": {eveBoth, "file.size"}, "fileinfo.md5": {eveBoth, "file.hash.md5"},
	"fileinfo.sha1": {eveBoth, "file.hash.sha1"}, "fileinfo.sha256": {eveBoth, "file.hash.sha256"}, "fileinfo.magic": {eveKeep, ""},

	"smtp.mail_from": {eveBoth, "email.from.address"}, "smtp.rcpt_to": {eveBoth, "email.to.address"}, "email.from": {eveBoth, "email.sender.address"}, "email.subject": {eveBoth, "email.subject"},
	"ssh.client.software_version": {eveBoth, "user_agent.original"},
	"krb5.cname":                  {eveBoth, "user.name"}, "krb5.error_code": {eveLate, ""}, "smb.ntlmssp.user": {eveBoth, "user.name"}, "smb.filename": {eveBoth, "file.path"}, "smb.status": {eveLate, ""},
	"ftp.command": {eveKeep, ""}, "rfb.authentication.security_result": {eveLate, ""},
	"dhcp.client_mac": {eveMAC, "client.mac"}, "dhcp.assigned_ip": {eveBoth, "client.ip"}, "dhcp.hostname": {eveBoth, "host.hostname"},
	"anomaly.event": {eveBoth, "event.action"},
}
