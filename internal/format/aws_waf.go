package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// AWS WAF's log of web requests: what was asked, by whom, and the rule that ended the evaluation.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html
var _ = registerCloud(&cloudLog{
	name:   "aws.waf",
	title:  "AWS WAF log of web requests",
	group:  "web",
	prefix: "aws.waf.",
	recognise: func(has func(string) bool) bool {
		return has("webaclId") && has("httpRequest.clientIp") && (has("action") || has("terminatingRuleId"))
	},
	times: []string{"timestamp"},
	fields: map[string]string{
		"webaclId": "aws.waf.arn", "action": "event.action", "terminatingRuleId": "rule.id", "terminatingRuleType": "rule.ruleset", "formatVersion": "aws.waf.format_version",
		"httpSourceName": "aws.waf.source.name", "httpSourceId": "aws.waf.source.id", "requestHeadersInserted": "aws.waf.request_headers_inserted", "ja3Fingerprint": "tls.client.ja3", "ja4Fingerprint": "aws.waf.ja4_fingerprint tls.client.ja4",
		"httpRequest.requestId": "http.request.id", "httpRequest.httpMethod": "http.request.method", "httpRequest.uri": "url.path", "httpRequest.args": "url.query", "httpRequest.fragment": "url.fragment",
		"httpRequest.scheme": "url.scheme", "httpRequest.host": "url.domain host.domain", "httpRequest.country": "source.geo.country_iso_code", "httpRequest.httpVersion": "", "httpRequest.headers": "", "httpRequest.headers.name": "", "httpRequest.headers.value": "",
		"terminatingRuleMatchDetails.conditionType": "aws.waf.terminating_rule_match_details.conditionType", "terminatingRuleMatchDetails.location": "aws.waf.terminating_rule_match_details.location",
		"terminatingRuleMatchDetails.matchedData": "aws.waf.terminating_rule_match_details.matchedData",
	},
	rename: func(path string) string { // but for its first part, Elastic leaves the names of what is in lists
		return snakeButIn(path, "ruleGroupList", "rateBasedRuleList", "nonTerminatingMatchingRules", "terminatingRuleMatchDetails")
	},
	finish: finishWAF,
})

func finishWAF(r *cloudRecord) {
	b := r.b
	b.Add("cloud.provider", "aws")
	r.classes("event.category", "web network")
	b.Add("event.type", "access")
	switch r.get("action") { // CAPTCHA and CHALLENGE end a request as BLOCK does, until they are solved
	case "ALLOW":
		b.Add("event.type", "allowed")
		b.Add("event.outcome", "success")
	case "BLOCK", "CAPTCHA", "CHALLENGE":
		b.Add("event.type", "denied")
		b.Add("event.outcome", "failure")
	}
	r.source(r.get("httpRequest.clientIp"))
	r.arn(r.get("webaclId"), "aws.waf.id")
	if protocol, version, ok := strings.Cut(r.get("httpRequest.httpVersion"), "/"); ok {
		b.Add("http.version", version)
		b.Add("network.protocol", lower(protocol, b))
		b.Add("network.transport", "tcp")
	}
	if code := r.get("responseCodeSent"); len(code) == 3 && isDigits(code) {
		b.AddNumber("http.response.status_code", code)
	}
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == "httpRequest.headers" && l.Kind == event.JSON {
			r.each(l.Value, func(get func(string) string) { r.header(get("name"), get("value")) })
		}
	}
}

// header adds a header of a request.
func (r *cloudRecord) header(name, value string) {
	if name == "" || len(name) > 60 || value == "" {
		return
	}
	b := r.b
	b.Add(b.Bytes(append([]byte("aws.waf.request.headers."), name...)), value)
	switch {
	case strings.EqualFold(name, "host"):
		if !b.Event().Has("url.domain") {
			host, port := splitPort(value)
			b.Add("url.domain", host)
			addPort(b, "url.port", port)
		}
	case strings.EqualFold(name, "user-agent"):
		r.agent(value)
	case strings.EqualFold(name, "referer"):
		b.Add("http.request.referrer", value)
	case strings.EqualFold(name, "x-forwarded-for"):
		for ip := range strings.SplitSeq(value, ",") {
			if ip = strings.TrimSpace(ip); isIP(ip) {
				b.Add("network.forwarded_ip", plainIP(ip))
			}
		}
	}
}

// arn adds what an Amazon resource name says: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
func (r *cloudRecord) arn(s, resource string) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return
	}
	r.b.Add("cloud.service.name", parts[2])
	r.b.Add("cloud.region", parts[3])
	r.b.Add("cloud.account.id", parts[4])
	r.b.Add(resource, parts[5])
}
