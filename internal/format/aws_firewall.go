package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// AWS Network Firewall: Suricata's events within a record that names the firewall.
// https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html
var _ = registerCloud(&cloudLog{
	name:   "aws.firewall_logs",
	title:  "AWS Network Firewall log (alert, flow, TLS)",
	group:  "network",
	prefix: "aws.firewall.",
	score:  98, // above that of the event within
	recognise: func(has func(string) bool) bool {
		return has("firewall_name") && has("event_timestamp") && (has("event.event_type") || has("event.src_ip") || has("event.timestamp"))
	},
	times: []string{"event.timestamp", "event_timestamp"},
	fields: map[string]string{
		"firewall_name": "observer.name", "availability_zone": "cloud.availability_zone", "event.src_ip": "", "event.dest_ip": "", "event.src_port": "", "event.dest_port": "", "event.flow_id": "aws.firewall.flow.id",
		"event.netflow.bytes": "aws.firewall.flow.bytes network.bytes source.bytes", "event.netflow.pkts": "aws.firewall.flow.pkts network.packets source.packets", "event.netflow.start": "aws.firewall.flow.start", "event.netflow.end": "aws.firewall.flow.end",
		"event.netflow.age": "aws.firewall.flow.age", "event.netflow.min_ttl": "aws.firewall.flow.min_ttl", "event.netflow.max_ttl": "aws.firewall.flow.max_ttl", "event.tcp.tcp_flags": "aws.firewall.tcp_flags",
		"event.alert.category": "rule.category message", "event.alert.signature_id": "rule.id", "event.alert.signature": "rule.name", "event.alert.rev": "rule.version", "event.alert.severity": "event.severity",
		"event.http.hostname": "destination.domain", "event.http.http_method": "http.request.method", "event.http.status": "http.response.status_code", "event.http.length": "http.response.body.bytes", "event.http.http_refer": "http.request.referrer",
		"event.tls.sni": "tls.client.server_name destination.domain", "event.tls.ja3.hash": "tls.client.ja3", "event.tls.ja3s.hash": "tls.server.ja3s", "event.tls.subject": "tls.server.subject", "event.tls.issuerdn": "tls.server.issuer",
		"event.dns.rrname": "dns.question.name", "event.dns.rrtype": "dns.question.type", "event.dns.rcode": "dns.response_code",
	},
	finish: finishNetworkFirewall,
})

func finishNetworkFirewall(r *cloudRecord) {
	b := r.b
	if kind := r.get("event.event_type"); kind == "alert" {
		b.Set("event.kind", "alert")
	}
	b.Add("event.category", "network")
	b.Add("event.type", "connection")
	b.Add("cloud.provider", "aws")
	b.Add("observer.type", "firewall")
	b.Add("observer.vendor", "AWS")
	b.Add("observer.product", "Network Firewall")
	if zone := r.get("availability_zone"); zone != "" && isLetter(zone[len(zone)-1]) { // "us-east-2a" is of us-east-2
		b.Add("cloud.region", strings.TrimRight(zone, "abcdefghijklmnopqrstuvwxyz"))
	}
	b.Add("event.action", r.get("event.verdict.action", "event.alert.action", "event.event_type"))
	switch r.get("event.verdict.action", "event.alert.action") {
	case "allowed", "pass", "alert":
		b.Add("event.type", "allowed")
		b.Add("event.outcome", "success")
	case "blocked", "drop", "reject", "denied":
		b.Add("event.type", "denied")
		b.Add("event.outcome", "failure")
	}
	for _, of := range [...]struct{ name, field string }{{"src", "source."}, {"dest", "destination."}} {
		ip := r.get("event." + of.name + "_ip")
		b.Add(of.field+"address", ip)
		if isIP(ip) {
			b.Add(of.field+"ip", plainIP(ip))
		}
		addPort(b, of.field+"port", r.get("event."+of.name+"_port"))
	}
	addTransport(b, r.get("event.proto"))
	addNetworkType(b, r.get("event.src_ip"))
	if app := r.get("event.app_proto"); app != "" && app != "failed" {
		b.Add("network.protocol", app)
	} else {
		b.Add("network.protocol", "unknown")
	}
	for _, flag := range [...]string{"fin", "syn", "rst", "psh", "ack", "urg"} {
		if r.get("event.tcp."+flag) == "true" {
			b.Add("aws.firewall.tcp_flags_array", flag)
		}
	}
	if version, ok := strings.CutPrefix(r.get("event.tls.version"), "TLS "); ok {
		b.Add("tls.version", version)
		b.Add("tls.version_protocol", "tls")
	}
	if u := r.get("event.http.url"); u != "" {
		addTarget(u, r.get("event.http.hostname"), b)
	}
	r.agent(r.get("event.http.http_user_agent"))
	b.Add("http.version", strings.TrimPrefix(r.get("event.http.protocol"), "HTTP/"))
	for i := range b.Event().Fields { // an identity, not a quantity
		if f := &b.Event().Fields[i]; f.Name == "aws.firewall.flow.id" || f.Name == "rule.id" || f.Name == "rule.version" {
			f.Kind = event.String
		}
	}
}
