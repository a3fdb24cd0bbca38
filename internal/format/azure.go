package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Azure's logs as diagnostic settings send them to event hubs and storage accounts, one
// object a line or {"records":[…]}: the control plane's activity, and the directory's
// sign-ins and audit. The sign-ins and audit that Graph hands out ("userPrincipalName" at
// the top) and the columns of Log Analytics ("UserPrincipalName") are the same logs.
// https://learn.microsoft.com/en-us/entra/identity/monitoring-health/concept-activity-log-schemas
var (
	_ = registerCloud(&cloudLog{
		name:   "azure.signinlogs",
		title:  "Microsoft Entra (Azure AD) sign-in log",
		prefix: "azure.signinlogs.",
		recognise: func(has func(string) bool) bool {
			return has("category") && has("operationName") && (has("properties.authenticationProcessingDetails") || has("properties.conditionalAccessStatus") ||
				has("properties.clientAppUsed") || has("properties.isInteractive") || has("properties.servicePrincipalName") && has("properties.riskState")) ||
				has("appDisplayName") && has("createdDateTime") && (has("userPrincipalName") || has("servicePrincipalName")) && (has("status.errorCode") || has("conditionalAccessStatus"))
		},
		times: []string{"properties.createdDateTime", "createdDateTime", "time", "TimeGenerated"},
		fields: azureFields("azure.signinlogs.", map[string]string{
			"properties.id": "", "properties.processingTimeInMilliseconds": "azure.signinlogs.properties.processing_time_ms",
			"properties.createdDateTime":       "azure.signinlogs.properties.created_at",
			"properties.riskLevelDuringSignIn": "azure.signinlogs.properties.risk_level_during_signin",
			"properties.userDisplayName":       "azure.signinlogs.properties.user_display_name",
			"properties.userId":                "azure.signinlogs.properties.user_id user.id",
			"userId":                           "user.id",
			"identity":                         "azure.signinlogs.identity user.full_name",
			"callerIpAddress":                  "azure.signinlogs.caller_ip_address",
			"ipAddress":                        "",
			"properties.location.city":         "", "properties.location.state": "", "properties.location.countryOrRegion": "",
			"properties.location.geoCoordinates.latitude": "geo.location.lat", "properties.location.geoCoordinates.longitude": "geo.location.lon",
		}),
		rename: snake,
		finish: finishSignIn,
	})
	_ = registerCloud(&cloudLog{
		name:   "azure.auditlogs",
		title:  "Microsoft Entra (Azure AD) audit log",
		prefix: "azure.auditlogs.",
		recognise: func(has func(string) bool) bool {
			return has("category") && has("operationName") && has("properties.activityDisplayName") ||
				has("activityDisplayName") && has("activityDateTime") && has("loggedByService")
		},
		times: []string{"time", "activityDateTime", "properties.activityDateTime", "TimeGenerated"},
		fields: azureFields("azure.auditlogs.", map[string]string{
			"properties.correlationId":       "azure.auditlogs.properties.correlation_id",
			"properties.activityDateTime":    "azure.auditlogs.properties.activity_datetime",
			"activityDisplayName":            "event.action",
			"properties.additionalDetails":   "azure.auditlogs.properties.additional_details",
			"properties.result":              "",
			"properties.initiatedBy.user.id": "azure.auditlogs.properties.initiated_by.user.id user.id",
		}),
		rename: func(path string) string {
			for _, who := range [...]string{"properties.initiatedBy.user.", "properties.initiatedBy.app."} {
				if rest, ok := strings.CutPrefix(path, who); ok {
					return snake(who) + rest
				}
			}
			if strings.HasPrefix(path, "properties.targetResources.") {
				return "" // Elastic numbers them; see targets
			}
			return snake(path)
		},
		finish: finishAzureAudit,
	})
	_ = registerCloud(&cloudLog{
		name:   "azure.activitylogs",
		title:  "Azure activity log",
		prefix: "azure.activitylogs.",
		score:  90,
		recognise: func(has func(string) bool) bool {
			return has("operationName") && has("resourceId") && has("correlationId") && has("resultType") && (has("time") || has("timeStamp")) ||
				has("operationName.value") && has("eventTimestamp") && has("resourceId") // as the portal and the CLI export it
		},
		times: []string{"time", "eventTimestamp", "timeStamp", "TimeGenerated"},
		fields: azureFields("azure.activitylogs.", map[string]string{
			"identity": "azure.activitylogs.identity_name", "properties.eventCategory": "azure.activitylogs.event_category",
			"operationName.value": "event.action", "caller": "user.name",
			"tenantId": "azure.activitylogs.tenant_id",
			"Level":    "azure.activitylogs.level",
		}),
		rename: func(path string) string {
			if rest, ok := strings.CutPrefix(path, "identity.claims."); ok {
				if rest = strings.ReplaceAll(rest, ".", "_"); rest == path[len("identity.claims."):] {
					return ""
				}
				return "identity.claims." + rest
			}
			if strings.HasPrefix(path, "properties.") {
				return ""
			}
			return snake(path)
		},
		finish: finishAzureActivity,
	})
)

// azureFields adds what all of Azure's logs have at the top.
func azureFields(prefix string, own map[string]string) map[string]string {
	m := map[string]string{
		"time": "", "callerIpAddress": "", "durationMs": "", "level": "log.level",
		"operationName": prefix + "operation_name event.action",
		"resourceId":    "azure.resource.id", "tenantId": "azure.tenant_id", "correlationId": "azure.correlation_id",
		"Level": "log.level",
	}
	for k, v := range own {
		m[k] = v
	}
	return m
}

// azure adds what all of Azure's logs have in common.
func (r *cloudRecord) azure() {
	b := r.b
	b.Add("cloud.provider", "azure")
	if ip := r.get("callerIpAddress", "properties.ipAddress", "ipAddress", "httpRequest.clientIpAddress", "properties.initiatedBy.user.ipAddress", "initiatedBy.user.ipAddress"); ip != "" {
		host, port := ip, ""
		if h, p := splitPort(ip); p != "" && isIP(h) {
			host, port = h, p
		}
		if isIP(host) {
			b.Add("client.ip", plainIP(host))
			addSource(b, host, port)
		} else {
			b.Add("source.address", host) // a network: "127.0.0.0/8"
		}
	}
	if place := r.get("location"); len(place) == 2 { // of whoever signed in
		b.Add("geo.name", place)
	}
	if ms := r.get("durationMs"); isDigits(ms) {
		b.AddInt("event.duration", wholeNumber(ms)*1_000_000)
	}
	id := r.get("resourceId")
	for key, rest := "", strings.Trim(id, "/"); rest != ""; {
		var word string
		word, rest, _ = strings.Cut(rest, "/")
		switch {
		case strings.EqualFold(key, "subscriptions"):
			b.Add("azure.subscription_id", word)
		case strings.EqualFold(key, "resourceGroups"):
			b.Add("azure.resource.group", word)
		case strings.EqualFold(key, "providers"):
			b.Add("azure.resource.provider", word)
			kind, name, _ := strings.Cut(rest, "/")
			name, _, _ = strings.Cut(name, "/")
			switch {
			case strings.EqualFold(kind, "namespaces"):
				b.Add("azure.resource.namespace", name)
			case name != "":
				b.Add("azure.resource.name", name)
			}
		case strings.EqualFold(key, "authorizationRules"):
			b.Add("azure.resource.authorization_rule", word)
		}
		key = word
	}
}

func finishSignIn(r *cloudRecord) {
	b := r.b
	r.azure()
	r.agent(r.get("properties.userAgent", "userAgent"))
	r.azureUser(r.get("properties.userPrincipalName", "userPrincipalName"))
	if r.get("identity") == "" {
		b.Add("user.full_name", r.get("properties.userDisplayName", "userDisplayName"))
	}
	b.Add("service.name", r.get("properties.appDisplayName", "appDisplayName"))
	if b.Event().Get("event.action") == "" {
		b.Add("event.action", "Sign-in activity")
	}
	code := r.get("properties.status.errorCode", "status.errorCode", "resultType")
	switch {
	case code == "0" || r.get("resultSignature") == "SUCCESS":
		b.Add("event.outcome", "success")
	case code != "":
		b.Add("event.outcome", "failure")
	}
	b.Add("event.reason", r.get("properties.status.failureReason", "status.failureReason", "resultDescription"))
	if name := r.get("location", "properties.location.countryOrRegion"); len(name) == 2 {
		b.Add("geo.country_iso_code", strings.ToUpper(name))
	}
	b.Add("geo.city_name", r.get("properties.location.city"))
	b.Add("geo.country_name", r.get("properties.location.state"))
	b.Add("event.category", "authentication")
	b.Add("event.type", "info")
}

// azureUser adds "alice@example.com" as user.name and user.domain.
func (r *cloudRecord) azureUser(upn string) {
	if name, domain, ok := strings.Cut(upn, "@"); ok {
		r.b.Add("user.name", name)
		r.b.Add("user.domain", domain)
		r.b.Add("user.email", upn)
	} else {
		r.b.Add("user.name", upn)
	}
}

func finishAzureAudit(r *cloudRecord) {
	b := r.b
	action := r.get("operationName", "activityDisplayName")
	r.azure()
	r.azureUser(r.get("properties.initiatedBy.user.userPrincipalName", "initiatedBy.user.userPrincipalName"))
	b.Add("event.reason", r.get("properties.resultReason", "resultReason"))
	outcome := strings.ToLower(r.get("properties.result", "result", "resultSignature"))
	switch outcome {
	case "success", "failure", "unknown":
		b.Add("event.outcome", b.Bytes([]byte(outcome)))
	case "timeout":
		b.Add("event.outcome", "failure")
	}
	for i := range r.leaves {
		l := &r.leaves[i]
		if l.Name.Path == "properties.targetResources" || l.Name.Path == "targetResources" {
			r.targets(l)
		}
	}
	object := strings.ToLower(action)
	kind := verb(action)
	switch {
	case strings.Contains(object, "group"):
		b.Add("event.category", "iam")
		b.Add("event.type", "group")
	case strings.Contains(object, "user"), strings.Contains(object, "role"), strings.Contains(object, "password"), strings.Contains(object, "owner"), strings.Contains(object, "member"):
		b.Add("event.category", "iam")
		b.Add("event.type", "user")
	default:
		b.Add("event.category", "configuration")
	}
	if kind == "access" || kind == "" {
		kind = "info"
	}
	b.Add("event.type", kind)
}

// targets adds what was changed, numbered as Elastic does.
func (r *cloudRecord) targets(l *event.Leaf) {
	n := 0
	r.each(l.Value, func(get func(string) string) {
		if n >= 8 {
			return
		}
		base := "azure.auditlogs.properties.target_resources." + digit(n) + "."
		n++
		for _, m := range [...][2]string{{"id", "id"}, {"displayName", "display_name"}, {"type", "type"}, {"userPrincipalName", "user_principal_name"}, {"groupType", "group_type"}, {"ipAddress", "ip_address"}} {
			r.b.Add(base+m[1], get(m[0]))
		}
		if get("type") == "User" {
			r.b.Add("user.target.id", get("id"))
			name, _, _ := strings.Cut(get("userPrincipalName"), "@")
			r.b.Add("user.target.name", name)
		}
		if get("type") == "Group" {
			r.b.Add("group.id", get("id"))
			r.b.Add("group.name", get("displayName"))
		}
		k := 0
		r.eachAt(1, get("modifiedProperties"), func(get func(string) string) {
			if k >= 8 {
				return
			}
			change := base + "modified_properties." + digit(k) + "."
			k++
			r.b.Add(change+"display_name", get("displayName"))
			r.b.Add(change+"new_value", get("newValue"))
			r.b.Add(change+"old_value", get("oldValue"))
		})
	})
}

func digit(n int) string { return "01234567"[n : n+1] }

func finishAzureActivity(r *cloudRecord) {
	b := r.b
	action := r.get("operationName", "operationName.value")
	r.azure()
	if claims := r.get("identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "identity.claims.name"); claims != "" && r.get("caller") == "" {
		r.azureUser(claims)
	}
	result := strings.ToLower(r.get("resultType", "status.value", "resultSignature"))
	switch {
	case strings.HasPrefix(result, "succe"), strings.HasPrefix(result, "accept"):
		b.Add("event.outcome", "success")
	case strings.HasPrefix(result, "fail"):
		b.Add("event.outcome", "failure")
	}
	switch category := r.get("category", "category.value"); category {
	case "Action", "Write", "Administrative", "Delete":
		b.Add("azure.activitylogs.event_category", "Administrative")
		switch lower := strings.ToLower(action); {
		case strings.HasSuffix(lower, "/delete"):
			b.Add("event.type", "deletion")
		default:
			b.Add("event.type", "change")
		}
		b.Add("event.category", "configuration")
	default:
		b.Add("azure.activitylogs.event_category", category)
	}
}
