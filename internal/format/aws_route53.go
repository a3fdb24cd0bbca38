package format

import (
	"errors"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Route 53's two logs of DNS queries: what the public name servers were asked about a hosted zone, as text, and what
// the resolver of a VPC was asked by its machines, as JSON.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/query-logs.html
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html
var (
	_ = register(Format{
		Name:  datasetRoute53Public,
		Title: "AWS Route 53 public DNS query log",
		Group: "network",
		Recognise: func(s *Sample) int {
			return s.majority(96, func(l string) bool {
				_, ok := cutRoute53(l, nil)
				return ok
			})
		},
		Lines: func(p *Params) LineDecoder { return (&route53{p: p}).decode },
	})
	_ = registerCloud(&cloudLog{
		name:   "aws.route53_resolver_logs",
		title:  "AWS Route 53 Resolver query log",
		group:  "network",
		prefix: "aws.route53.",
		recognise: func(has func(string) bool) bool {
			return has("query_timestamp") && has("query_name") && has("query_type") && (has("vpc_id") || has("srcaddr") || has("rcode"))
		},
		times: []string{"query_timestamp"},
		fields: map[string]string{
			"account_id": "cloud.account.id", "region": "cloud.region", "vpc_id": "aws.vpc_id", "query_type": "dns.question.type", "query_class": "dns.question.class", "rcode": "dns.response_code",
			"srcids.instance": "aws.instance_id cloud.instance.id", "srcids.resolver_endpoint": "aws.route53.srcids.resolver_endpoint_id", "srcids.resolver_network_interface": "aws.route53.srcids.resolver_network_interface_id",
			"firewall_rule_action": "aws.route53.firewall.action event.action", "firewall_rule_group_id": "aws.route53.firewall.rule_group.id rule.ruleset", "firewall_domain_list_id": "aws.route53.firewall.domain_list.id rule.id",
		},
		finish: finishResolver,
	})
)

const datasetRoute53Public = "aws.route53_public_logs"

var errNotRoute53 = errors.New("not a line of a Route 53 query log: version, time, zone, name, type, response code, protocol, location, address and subnet expected")

type route53 struct {
	p     *Params
	words []string
}

// cutRoute53 cuts a line at its ten columns.
func cutRoute53(line string, into []string) ([]string, bool) {
	if l := strings.TrimLeft(line, " \t"); !isISOStamp(l) && (len(l) < 24 || l[1] != '.' || !isISOStamp(l[4:])) {
		return nil, false
	}
	words := into
	for w := range strings.FieldsSeq(line) {
		if len(words) == 11 {
			return nil, false
		}
		words = append(words, w)
	}
	if len(words) == 11 && isISOStamp(words[0]) { // an export of CloudWatch puts the time before
		words = words[1:]
	}
	return words, len(words) == 10 && len(words[0]) == 3 && words[0][1] == '.' && isISOStamp(words[1]) && words[2][0] == 'Z' &&
		(words[6] == "UDP" || words[6] == "TCP") && isIP(words[8]) && (words[9] == "-" || strings.IndexByte(words[9], '/') > 0)
}

func isISOStamp(s string) bool { return len(s) >= 19 && s[4] == '-' && s[10] == 'T' && s[13] == ':' }

func (d *route53) decode(line string, b *event.Batch) error {
	w, ok := cutRoute53(line, d.words[:0])
	if !ok {
		return errNotRoute53
	}
	d.words = w
	ns, n, ok := d.p.Clock.ISO(w[1])
	if !ok || n != len(w[1]) {
		return errNotRoute53
	}
	b.Event().Time = ns
	b.Add("event.kind", "event")
	b.Add("event.dataset", datasetRoute53Public)
	b.Add("cloud.provider", "aws")
	b.Add("aws.route53.hosted_zone_id", w[2])
	b.Add("aws.route53.edge_location", w[7])
	if w[9] != "-" {
		b.Add("aws.route53.edns_client_subnet", w[9])
	}
	b.Add("dns.question.name", strings.TrimSuffix(w[3], "."))
	b.Add("dns.question.type", w[4])
	b.Add("dns.response_code", w[5])
	addSource(b, w[8], "")
	addNetworkType(b, w[8])
	addDNSQuery(b, w[3], w[6], w[5])
	return nil
}

// addDNSQuery adds what all answered questions have in common.
func addDNSQuery(b *event.Batch, name, transport, code string) {
	if ip, ok := reverseName(name, b); ok {
		b.Add("related.ip", ip)
	}
	b.Add("event.category", "network")
	b.Add("event.type", "protocol")
	b.Add("network.protocol", "dns")
	addTransport(b, transport)
	switch code {
	case "":
	case "NOERROR":
		b.Add("event.outcome", "success")
	default:
		b.Add("event.outcome", "failure")
	}
}

func finishResolver(r *cloudRecord) {
	b := r.b
	b.Add("cloud.provider", "aws")
	addSource(b, r.get("srcaddr"), r.get("srcport"))
	addNetworkType(b, r.get("srcaddr"))
	b.Add("dns.question.name", strings.TrimSuffix(r.get("query_name"), "."))
	addDNSQuery(b, r.get("query_name"), r.get("transport"), r.get("rcode"))
	switch r.get("firewall_rule_action") { // of the resolver's DNS firewall
	case "BLOCK":
		b.Add("event.type", "denied")
		b.Set("event.kind", "alert")
	case "ALERT":
		b.Set("event.kind", "alert")
	}
	for i := range r.leaves {
		l := &r.leaves[i]
		if l.Name.Path != "answers" || l.Kind != event.JSON {
			continue
		}
		r.each(l.Value, func(get func(string) string) {
			data := strings.TrimSuffix(get("Rdata"), ".")
			b.Add("dns.answers.data", data)
			b.Add("dns.answers.type", get("Type"))
			b.Add("dns.answers.class", get("Class"))
			switch {
			case isIP(data):
				b.Add("dns.resolved_ip", plainIP(data))
			case get("Type") == "CNAME":
				b.Add("dns.answers.name", data)
				b.Add("related.hosts", data)
			case isHostName(data):
				b.Add("related.hosts", data)
			}
		})
	}
}

// reverseName is the IPv4 address that a name of in-addr.arpa asks for (RFC 1035 §3.5).
func reverseName(name string, b *event.Batch) (string, bool) {
	digits, ok := strings.CutSuffix(strings.TrimSuffix(name, "."), ".in-addr.arpa")
	if !ok || !isIPv4(digits) {
		return "", false
	}
	parts := strings.Split(digits, ".")
	slices.Reverse(parts)
	return b.Bytes([]byte(strings.Join(parts, "."))), true
}
