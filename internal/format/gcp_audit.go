package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Google Cloud's audit logs: log entries with an AuditLog payload.
// https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
var _ = registerCloud(&cloudLog{
	name:   "gcp.audit",
	title:  "Google Cloud audit log",
	prefix: "gcp.audit.",
	recognise: func(has func(string) bool) bool {
		return has("protoPayload.methodName") || has("protoPayload.serviceName") || has("protoPayload.@type") && has("logName") ||
			has("data.protoPayload.methodName") // as Pub/Sub sinks of older agents wrap it
	},
	times: []string{"timestamp", "receiveTimestamp", "data.timestamp"},
	fields: map[string]string{
		"timestamp": "", "receiveTimestamp": "", "insertId": "",
		"logName": "log.logger", "severity": "log.level",
		"protoPayload.methodName":                              "event.action gcp.audit.method_name",
		"protoPayload.serviceName":                             "service.name gcp.audit.service_name",
		"protoPayload.resourceName":                            "gcp.audit.resource_name",
		"protoPayload.@type":                                   "gcp.audit.type",
		"protoPayload.authenticationInfo.principalEmail":       "client.user.email user.email gcp.audit.authentication_info.principal_email",
		"protoPayload.authenticationInfo.principalSubject":     "client.user.id user.id",
		"protoPayload.authenticationInfo.authoritySelector":    "gcp.audit.authentication_info.authority_selector",
		"protoPayload.authorizationInfo.permission":            "gcp.audit.authorization_info.permission",
		"protoPayload.authorizationInfo.granted":               "gcp.audit.authorization_info.granted",
		"protoPayload.authorizationInfo.resource":              "gcp.audit.authorization_info.resource",
		"protoPayload.requestMetadata.callerSuppliedUserAgent": "",
		"protoPayload.requestMetadata.callerIp":                "gcp.audit.request_metadata.caller_ip",
		"protoPayload.status.code":                             "gcp.audit.status.code",
		"protoPayload.status.message":                          "gcp.audit.status.message",
		"protoPayload.numResponseItems":                        "gcp.audit.num_response_items",
		"protoPayload.resourceLocation.currentLocations":       "gcp.audit.resource_location.current_locations",
		"resource.labels.project_id":                           "cloud.project.id",
		"resource.labels.instance_id":                          "cloud.instance.id",
		"resource.labels.cluster_name":                         "orchestrator.cluster.name",
	},
	rename: func(path string) string {
		rest, ok := strings.CutPrefix(path, "protoPayload.")
		if !ok {
			return ""
		}
		return snakeButIn(rest, "request", "response", "metadata", "serviceData")
	},
	finish: finishGCP,
})

func finishGCP(r *cloudRecord) {
	b := r.b
	b.Add("cloud.provider", "gcp")
	if log := r.get("logName"); log != "" {
		kind := log[strings.LastIndexByte(log, '/')+1:]
		if _, after, ok := strings.Cut(kind, "%2F"); ok {
			kind = after
		}
		b.Add("event.provider", kind)
	}
	email := r.get("protoPayload.authenticationInfo.principalEmail")
	name, _, _ := strings.Cut(email, "@")
	b.Add("user.name", name)
	if ip := r.get("protoPayload.requestMetadata.callerIp"); isIP(ip) {
		addSource(b, ip, "")
	}
	r.agent(r.get("protoPayload.requestMetadata.callerSuppliedUserAgent"))
	outcome := "success"
	granted := r.list("protoPayload.authorizationInfo", "granted")
	switch code := r.get("protoPayload.status.code"); {
	case code != "" && code != "0":
		outcome = "failure"
	case granted == "false":
		outcome = "failure"
	case granted == "":
		outcome = "unknown"
	}
	b.Add("event.outcome", outcome)
	method := r.get("protoPayload.methodName")
	op := method[strings.LastIndexByte(method, '.')+1:]
	service := r.get("protoPayload.serviceName")
	if service == "admin.googleapis.com" || service == "login.googleapis.com" {
		workspaceParameters(b)
	}
	switch service {
	case "login.googleapis.com":
		b.Add("event.category", "authentication")
		b.Add("event.type", "info")
		return
	case "iam.googleapis.com", "iamcredentials.googleapis.com", "admin.googleapis.com":
		b.Add("event.category", "iam")
		if v := verb(op); v != "access" {
			b.Add("event.type", v)
		}
		return
	}
	r.classes("event.category", "network configuration")
	if v := verb(op); v != "" {
		b.Add("event.type", v)
	} else if strings.Contains(op, "SetIamPolicy") {
		b.Add("event.type", "change")
	}
}

// workspaceParameters gives each parameter of Google Workspace's activities a field of its name, as the Reports API's activities have: which value is whose
// cannot be told from a list of names and one of values.
func workspaceParameters(b *event.Batch) {
	const parameter, most = "gcp.audit.metadata.event.parameter.", 64
	name, n := "", 0
	for i, end := 0, len(b.Event().Fields); i < end && n < most; i++ {
		switch f := b.Event().Fields[i]; f.Name {
		case parameter + "name":
			name = f.Value
		case parameter + "value": // comes behind the name, and is missing where the value is no text
			if name != "" && len(name) <= 64 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789abcdefghijklmnopqrstuvwxyz") == "" {
				b.AddKind(b.Bytes([]byte("gcp.audit.metadata.event.parameters."+name)), f.Value, f.Kind)
				n++
			}
			name = ""
		}
	}
}
