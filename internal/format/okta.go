package format

import "strings"

// Okta's system log, as its API and its log streams hand it out.
// https://developer.okta.com/docs/reference/api/system-log/
var _ = registerCloud(&cloudLog{
	name:   "okta.system",
	title:  "Okta system log",
	prefix: "okta.",
	recognise: func(has func(string) bool) bool {
		return has("eventType") && has("published") && (has("uuid") || has("actor.id") || has("legacyEventType") || has("displayMessage"))
	},
	times: []string{"published"},
	fields: map[string]string{
		"uuid": "okta.uuid", "published": "", "displayMessage": "okta.display_message message",
		"eventType":                                  "okta.event_type event.action",
		"actor.displayName":                          "okta.actor.display_name client.user.full_name source.user.full_name user.full_name",
		"actor.id":                                   "okta.actor.id client.user.id source.user.id",
		"client.ipAddress":                           "okta.client.ip client.ip",
		"client.geographicalContext.city":            "okta.client.geographical_context.city client.geo.city_name",
		"client.geographicalContext.state":           "okta.client.geographical_context.state client.geo.region_name",
		"client.geographicalContext.country":         "okta.client.geographical_context.country client.geo.country_name",
		"client.geographicalContext.geolocation.lat": "okta.client.geographical_context.geolocation.lat client.geo.location.lat",
		"client.geographicalContext.geolocation.lon": "okta.client.geographical_context.geolocation.lon client.geo.location.lon",
		"outcome.reason":                             "okta.outcome.reason event.reason",
		"securityContext.domain":                     "okta.security_context.domain client.domain source.domain",
		"securityContext.asNumber":                   "okta.security_context.as.number",
		"securityContext.asOrg":                      "okta.security_context.as.organization.name",
		"severity":                                   "",
		"debugContext.debugData.requestId":           "okta.debug_context.debug_data.request_id okta.debug_context.debug_data.flattened.requestId",
		"debugContext.debugData.requestUri":          "okta.debug_context.debug_data.request_uri okta.debug_context.debug_data.flattened.requestUri",
		"debugContext.debugData.dtHash":              "okta.debug_context.debug_data.dt_hash okta.debug_context.debug_data.flattened.dtHash",
		"debugContext.debugData.risk":                "okta.debug_context.debug_data.risk_object okta.debug_context.debug_data.flattened.risk_object",
		"debugContext.debugData.factor":              "okta.debug_context.debug_data.factor okta.debug_context.debug_data.flattened.factor",
		"debugContext.debugData.url":                 "okta.debug_context.debug_data.url okta.debug_context.debug_data.flattened.url",
		"debugContext.debugData.authnRequestId":      "okta.debug_context.debug_data.authnRequestId okta.debug_context.debug_data.flattened.authnRequestId",
		"transaction.detail.requestApiTokenId":       "okta.transaction.detail.request_api_token_id",

		"debugContext.debugData.deviceFingerprint": "okta.debug_context.debug_data.device_fingerprint okta.debug_context.debug_data.flattened.deviceFingerprint",
		"debugContext.debugData.threatSuspected":   "okta.debug_context.debug_data.threat_suspected okta.debug_context.debug_data.flattened.threatSuspected",
	},
	rename: func(path string) string {
		if rest, ok := strings.CutPrefix(path, "debugContext.debugData."); ok {
			return "debug_context.debug_data.flattened." + rest
		}
		return snake(path)
	},
	finish: finishOkta,
})

func finishOkta(r *cloudRecord) {
	b := r.b
	action := r.get("eventType")
	if id := r.get("actor.alternateId"); id != "" && id != "unknown" {
		name, _, _ := strings.Cut(id, "@")
		for _, field := range [...]string{"user.name", "client.user.name", "source.user.name"} {
			b.Add(field, name)
		}
		if name != id {
			b.Add("user.email", id)
		}
	}
	b.Add("related.user", r.get("actor.displayName"))
	if ip := r.get("client.ipAddress"); ip != "" {
		if isIP(ip) {
			b.Add("source.ip", plainIP(ip))
		} else {
			b.Add("source.address", ip)
		}
	}
	r.agent(r.get("client.userAgent.rawUserAgent"))
	b.Add("log.level", lower(r.get("severity"), b))
	oktaTargets(r)
	oktaRisk(r)
	switch result := r.get("outcome.result"); result {
	case "SUCCESS", "ALLOW":
		b.Add("event.outcome", "success")
	case "FAILURE", "DENY":
		b.Add("event.outcome", "failure")
	case "":
	default:
		b.Add("event.outcome", "unknown")
	}
	switch {
	case action == "user.session.start":
		r.classes("event.category", "authentication session")
		r.classes("event.type", "start info")
	case action == "user.session.end":
		r.classes("event.category", "authentication session")
		r.classes("event.type", "end info")
	case strings.HasPrefix(action, "user.authentication.sso"), strings.HasPrefix(action, "user.authentication."), action == "user.session.access_admin_app", strings.HasPrefix(action, "app.oauth2."):
		b.Add("event.category", "authentication")
		b.Add("event.type", "info")
	case strings.HasPrefix(action, "user.account.lock"):
		b.Add("event.category", "authentication")
		r.classes("event.type", "user denied")
	case strings.HasPrefix(action, "security.threat.detected"), strings.HasPrefix(action, "security."), action == "user.account.report_suspicious_activity_by_enduser":
		b.Add("event.category", "intrusion_detection")
		b.Add("event.type", "info")
	case strings.HasPrefix(action, "policy."), strings.HasPrefix(action, "zone."), strings.HasPrefix(action, "system."), strings.HasPrefix(action, "application.lifecycle."):
		b.Add("event.category", "configuration")
		b.Add("event.type", oktaVerb(action))
	case strings.HasPrefix(action, "group."):
		b.Add("event.category", "iam")
		r.classes("event.type", "group "+oktaVerb(action))
	case strings.HasPrefix(action, "user."), strings.HasPrefix(action, "application.user_membership."):
		b.Add("event.category", "iam")
		r.classes("event.type", "user "+oktaVerb(action))
	}
}

// oktaVerb is the type of an action by its last word: "policy.rule.delete".
func oktaVerb(action string) string {
	if v := verb(action[strings.LastIndexByte(action, '.')+1:]); v != "" && v != "access" {
		return v
	}
	return "change"
}

// oktaTargets adds the first user that something was done to.
func oktaTargets(r *cloudRecord) {
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == "target" {
			done := false
			r.each(l.Value, func(get func(string) string) {
				if kind := get("type"); done || kind != "User" && kind != "AppUser" {
					return
				}
				done = true
				r.b.Add("user.target.id", get("id"))
				r.b.Add("user.target.full_name", get("displayName"))
				if login := get("alternateId"); login != "unknown" {
					name, _, _ := strings.Cut(login, "@")
					r.b.Add("user.target.name", name)
				}
			})
		}
	}
}

// oktaRisk takes apart the debug data that Okta writes as Go and Java print maps:
// "{level=LOW, reasons=New Device}" and "{New City=NEGATIVE, Velocity=POSITIVE}".
func oktaRisk(r *cloudRecord) {
	const data = "okta.debug_context.debug_data."
	pairs := func(s string, fn func(key, value string)) {
		s, ok := strings.CutPrefix(s, "{")
		if s, ok2 := strings.CutSuffix(s, "}"); ok && ok2 {
			key, value := "", ""
			for part := range strings.SplitSeq(s, ", ") {
				k, v, ok := strings.Cut(part, "=")
				if !ok && key != "" { // a comma within the value
					value += ", " + part
					continue
				}
				if key != "" {
					fn(key, value)
				}
				key, value = k, v
			}
			if key != "" {
				fn(key, value)
			}
		}
	}
	for _, from := range [...]string{"debugContext.debugData.risk", "debugContext.debugData.logOnlySecurityData"} {
		pairs(r.get(from), func(key, value string) {
			if from[len(from)-1] == 'k' && (key == "level" || key == "reasons") {
				r.b.Add(r.b.Bytes([]byte(data+"flattened.risk."+key)), value)
				r.b.Add(r.b.Bytes([]byte(data+"risk_"+key)), value)
			}
		})
	}
	pairs(r.get("debugContext.debugData.behaviors"), func(key, value string) {
		if len(key) <= 64 {
			r.b.Add(r.b.Bytes([]byte(data+"flattened.behaviors."+key)), value)
			key = oktaNames.Replace(key)
			r.b.Add(r.b.Bytes([]byte(data+"behaviors."+key)), value)
		}
	})
}

var oktaNames = strings.NewReplacer(" ", "_", "-", "_")
