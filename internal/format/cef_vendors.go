package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Extensions that CEF leaves to the vendor: custom fields, told by their labels, and keys
// of its own. Names follow Elastic's CEF integration, which knows two vendors (Check Point R81,
// "Log Exporter: CEF mapping"; Forcepoint NGFW SMC, "Log fields").

// cefLabels say where the value of a custom field with that label goes.
var cefLabels = map[string]map[string]string{
	"Check Point": {
		"Source IPv6 Address": "source.ip", "Destination IPv6 Address": "destination.ip", "Duration in Seconds": "event.duration", "Elapsed Time in Seconds": "host.uptime",
		"Application Rule Name": "rule.name", "Threat Prevention Rule Name": "rule.name", "Threat Prevention Rule ID": "rule.id", "Rule Name": "rule.name",
		"Matched Category": "rule.category", "Categories": "rule.category", "Application Name": "network.application", "Virus Name": "checkpoint.virus_name",
		"Malware Family": "checkpoint.malware_family", "Malware Action": "rule.description", "Protection Type": "checkpoint.protection_type", "Protection Name": "checkpoint.protection_name",
		"Peer Gateway": "checkpoint.peer_gateway", "User Group": "group.name", "Destination OS": "os.name", "Frequency": "checkpoint.frequency", "Industry Reference": "checkpoint.industry_reference",
		"Email ID": "checkpoint.email_id", "Email Control": "checkpoint.email_control", "Email Session ID": "checkpoint.email_session_id", "Email Spool ID": "checkpoint.email_spool_id",
		"Email Subject": "checkpoint.email_subject", "Email Recipients Number": "checkpoint.email_recipients_num", "Suspicious Email": "checkpoint.email_subject",
		"Incident Extension": "checkpoint.incident_extension", "Integrity Check": "checkpoint.integrity_av_invoke_type", "Spyware Name": "checkpoint.spyware_name", "Spyware Status": "checkpoint.spyware_status",
		"Log ID": "checkpoint.log_id", "ICMP Type": "checkpoint.icmp_type", "ICMP Code": "checkpoint.icmp_code", "DLP Incident UID": "checkpoint.uuid", "DLP Rule Name": "rule.name",
		"Application Signature ID": "checkpoint.app_sig_id", "Media Source": "checkpoint.media_source", "Update Status": "checkpoint.update_status", "Subscription expiration": "checkpoint.subs_exp",
		"Confidence": "checkpoint.confidence_level", "Performance Impact": "checkpoint.performance_impact", "Destination Phone Number": "checkpoint.dst_phone_number",
		"Attack Information": "rule.description", "Malware Status": "checkpoint.spyware_status", "Service Name": "network.application", "Source Interface": "observer.ingress.interface.name",
	},
	"FORCEPOINT": {"RuleID": "rule.id", "VirusID": "forcepoint.virus_id"},
}

// cefKeys are the vendor's own keys.
var cefKeys = map[string]map[string]string{
	"Check Point": {
		"rule_uid": "rule.uuid", "ifname": "observer.ingress.interface.name", "inzone": "observer.ingress.zone", "outzone": "observer.egress.zone",
		"cp_app_risk": "checkpoint.app_risk", "cp_severity": "checkpoint.severity", "baseEventCount": "checkpoint.event_count", "deviceFacility": "observer.type",
		"requestCookies": "checkpoint.cookie", "status": "checkpoint.status",
	},
	"FORCEPOINT": {"applicationProtocol": "network.application"},
}

// checkPointRisks are the words for a risk or severity.
var checkPointRisks = map[string]int64{"Unknown": 0, "Informational": 0, "Very-Low": 1, "Low": 2, "Medium": 3, "High": 4, "Very-High": 5}

// checkPointFacilities are the products behind a device facility's number.
var checkPointFacilities = map[string]string{"0": "Gateways", "1": "Endpoint", "2": "Access", "3": "Threat", "4": "Mobile"}

// addCEFVendor adds what the vendor's own fields of the record mean.
func addCEFVendor(vendor string, b *event.Batch) {
	labels, keys := cefLabels[vendor], cefKeys[vendor]
	if labels == nil {
		return
	}
	const prefix = "cef.extensions."
	fields := b.Event().Fields // as they are now: b adds behind them
	e := event.Event{Fields: fields}
	for i := range fields {
		name, ok := strings.CutPrefix(fields[i].Name, prefix)
		if !ok {
			continue
		}
		v := fields[i].Value
		if custom, ok := strings.CutSuffix(fields[i].Name, "Label"); ok {
			if ecs := labels[v]; ecs != "" {
				addCEFCustom(ecs, e.Get(custom), b)
			}
			continue
		}
		ecs := keys[name]
		if ecs == "" {
			continue
		}
		switch name {
		case "cp_app_risk":
			if n, ok := checkPointRisks[v]; ok {
				b.AddInt("event.risk_score", n)
			}
		case "cp_severity":
			if n, ok := checkPointRisks[v]; ok {
				b.AddInt("event.severity", n)
			}
		case "deviceFacility":
			v = checkPointFacilities[v]
		case "baseEventCount":
			b.AddNumber(ecs, v)
			continue
		}
		b.Add(ecs, v)
	}
	if e.Has("source.ip") || e.Has("destination.ip") || b.Event().Has("source.ip") {
		b.Add("event.category", "network")
	}
}

func addCEFCustom(ecs, v string, b *event.Batch) {
	switch ecs {
	case "source.ip", "destination.ip":
		if ipVersion(v) != 0 {
			b.Add(ecs, v)
		}
	case "event.duration":
		if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
			b.AddInt(ecs, n*1e9)
		}
	case "host.uptime", "checkpoint.icmp_type", "checkpoint.icmp_code", "checkpoint.email_recipients_num", "checkpoint.confidence_level", "checkpoint.performance_impact":
		b.AddNumber(ecs, v)
	default:
		b.Add(ecs, v)
	}
}
