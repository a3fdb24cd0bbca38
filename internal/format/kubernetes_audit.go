package format

import "strings"

// The Kubernetes API server's audit log, audit.k8s.io/v1.
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
var _ = registerCloud(&cloudLog{
	name:   "kubernetes.audit_logs",
	title:  "Kubernetes audit log",
	prefix: "kubernetes.audit.",
	recognise: func(has func(string) bool) bool {
		return has("auditID") && (has("verb") || has("requestURI") || has("stage")) ||
			has("verb") && (has("objectRef.resource") || has("requestURI")) && has("user.username")
	},
	score: 96, // above that of cloud logs that carry it
	times: []string{"stageTimestamp", "requestReceivedTimestamp", "metadata.creationTimestamp"},
	fields: map[string]string{
		"verb": "event.action", "requestURI": "", "userAgent": "",
		"user.username": "user.name", "user.uid": "user.id", "user.groups": "user.roles",
		"impersonatedUser.username":                 "user.effective.name",
		"responseStatus.code":                       "http.response.status_code",
		"responseStatus.reason":                     "event.reason",
		"objectRef.namespace":                       "orchestrator.namespace",
		"objectRef.name":                            "orchestrator.resource.name",
		"objectRef.resource":                        "orchestrator.resource.type",
		"objectRef.apiVersion":                      "orchestrator.api_version",
		"annotations.authorization.k8s.io/decision": "kubernetes.audit.annotations.authorization_k8s_io/decision",
		"annotations.authorization.k8s.io/reason":   "kubernetes.audit.annotations.authorization_k8s_io/reason",
	},
	finish: func(r *cloudRecord) {
		b := r.b
		action := r.get("verb")
		b.Add("orchestrator.type", "kubernetes")
		// sourceIPs: the client first, then the proxies (audit.k8s.io/v1 Event).
		first := true
		for i := range r.leaves {
			if l := &r.leaves[i]; l.Name.Path == "sourceIPs" && isIP(l.Value) {
				if first {
					addSource(b, l.Value, "")
					first = false
				} else {
					b.Add("network.forwarded_ip", plainIP(l.Value))
				}
			}
		}
		r.agent(r.get("userAgent"))
		if uri := r.get("requestURI"); uri != "" {
			addURL(uri, b)
		}
		resource, sub := r.get("objectRef.resource"), r.get("objectRef.subresource")
		category := "configuration"
		switch {
		case sub == "exec" || sub == "attach":
			category = "process"
		case sub == "portforward" || sub == "proxy":
			category = "network"
		case strings.Contains(resource, "role") || resource == "serviceaccounts" || sub == "token":
			category = "iam"
		case resource == "tokenreviews" || resource == "selfsubjectaccessreviews" || resource == "subjectaccessreviews":
			category = "authentication"
		}
		b.Add("event.category", category)
		switch action {
		case "create":
			switch {
			case category == "process":
				b.Add("event.type", "start")
			case category == "authentication":
				b.Add("event.type", "info")
			default:
				b.Add("event.type", "creation")
			}
		case "delete", "deletecollection":
			b.Add("event.type", "deletion")
		case "update", "patch":
			b.Add("event.type", "change")
		default:
			b.Add("event.type", "access")
		}
		decision, code := r.get("annotations.authorization.k8s.io/decision"), r.get("responseStatus.code")
		switch {
		case decision == "forbid":
			b.Add("event.type", "denied")
			b.Add("event.outcome", "failure")
		case code == "":
			if decision == "allow" {
				b.Add("event.type", "allowed")
				b.Add("event.outcome", "success")
			} else {
				b.Add("event.outcome", "unknown")
			}
		case len(code) == 3 && code[0] < '4':
			b.Add("event.outcome", "success")
		default:
			b.Add("event.outcome", "failure")
		}
	},
})
