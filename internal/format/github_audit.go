package format

import "strings"

// GitHub's audit log, as an organisation's or enterprise's export, API or stream.
// https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
var _ = registerCloud(&cloudLog{
	name:   "github.audit",
	title:  "GitHub audit log",
	prefix: "github.",
	recognise: func(has func(string) bool) bool {
		return has("action") && (has("created_at") || has("@timestamp")) && (has("actor") || has("_document_id") || has("actor_id")) &&
			(has("org") || has("business") || has("repo") || has("_document_id") || has("user") || has("actor_location.country_code") || has("team"))
	},
	times: []string{"@timestamp", "created_at"},
	fields: map[string]string{
		"@timestamp": "", "created_at": "",
		"action": "event.action", "actor": "user.name", "actor_id": "user.id", "user": "user.target.name", "user_id": "user.target.id",
		"actor_location.country_code": "client.geo.country_iso_code",
		"data.team":                   "github.team",
	},
	finish: finishGitHub,
})

func finishGitHub(r *cloudRecord) {
	b := r.b
	action := r.get("action")
	what, did, _ := strings.Cut(action, ".")
	b.Add("github.category", what)
	r.source(r.get("actor_ip"))
	r.agent(r.get("user_agent"))
	user := r.get("user")
	r.classes("event.category", "configuration web")
	kind := ""
	switch v := verb(did); {
	case v == "creation", strings.HasPrefix(did, "add"):
		kind = "creation"
	case v == "deletion" && !strings.HasPrefix(did, "destroy"), strings.HasPrefix(did, "remove"), strings.HasSuffix(did, "_removed"):
		kind = "deletion"
	case what == "org" || what == "team":
	default:
		kind = "change"
	}
	if what == "org" || what == "team" {
		b.Add("event.category", "iam")
		r.classes("event.type", "group user")
		group := r.get("team", "data.team")
		if what == "org" || group == "" {
			group = r.get("org")
		}
		b.Add("group.name", group)
		if user != "" {
			b.Add("user.target.group.name", group)
		}
	}
	b.Add("event.type", kind)
}
