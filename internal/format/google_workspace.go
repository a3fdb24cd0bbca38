package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Google Workspace's audit activities, as the Admin SDK's Reports API gives them: who (actor) did
// what (events) in which application (id.applicationName), which is the second half of the dataset. What
// was done is told by parameters of names of its own for each event.
// https://developers.google.com/admin-sdk/reports/reference/rest/v1/activities
var _ = registerCloud(&cloudLog{
	name:   "google_workspace.activity",
	title:  "Google Workspace audit activities (Reports API)",
	prefix: "google_workspace.",
	recognise: func(has func(string) bool) bool {
		return has("id.applicationName") && (has("id.time") || has("id.uniqueQualifier")) && (has("actor.email") || has("actor.callerType") || has("events.name") || has("events"))
	},
	times: []string{"id.time"},
	fields: map[string]string{
		"actor.callerType": "google_workspace.actor.type", "ownerDomain": "google_workspace.organization.domain", "id.customerId": "organization.id google_workspace.id.customer.id", "id.applicationName": "event.provider google_workspace.id.application_name",
		"actor.profileId": "user.id source.user.id google_workspace.actor.profile.id", "actor.key": "google_workspace.actor.key", "events.type": "google_workspace.event.type", "events.name": "event.action google_workspace.event.name",
		"id.uniqueQualifier": "google_workspace.id.unique_qualifier", "ipAddress": "google_workspace.ip_address",
	},
	finish: finishWorkspace,
})

func finishWorkspace(r *cloudRecord) {
	b := r.b
	app := r.get("id.applicationName")
	if r.get("events.type") == "CLOUD_OSLOGIN" { // told by the token application too
		app = "gcp"
	}
	r.domains(r.get("actor.email"), r.get("ownerDomain"))
	r.source(r.get("ipAddress"))
	for _, who := range [...]string{"user.", "source.user."} {
		r.login(who, r.get("actor.email"))
	}
	dataset := "google_workspace." + plainApp(app)
	b.Set("event.dataset", b.Bytes([]byte(dataset)))
	names := workspaceNames[app]
	if names == nil && strings.HasPrefix(app, "groups") {
		names = workspaceNames["groups"]
	}
	prefix := dataset + "."
	var member, group, failure string
	kind, action := r.get("events.type"), r.get("events.name")
	for i := range r.leaves {
		switch l := &r.leaves[i]; {
		case l.Name.Path == "events.parameters" && l.Kind == event.JSON:
			r.parameters(0, l.Value, prefix, names, func(name, v string) {
				switch name {
				case "USER_EMAIL", "user_email", "affected_email_address", "target_user":
					member = v
				case "GROUP_EMAIL", "group_email":
					group = v
				case "login_failure_type", "failure_type":
					failure = v
				case "doc_title":
					b.Add("file.name", v)
					b.Add("file.type", "file")
				case "owner":
					owner, _, _ := strings.Cut(v, "@")
					b.Add("file.owner", owner)
					b.Add("related.user", owner)
				case "rule_id":
					b.Add("rule.id", v)
				case "rule_name":
					b.Add("rule.name", v)
				case "actor_ip_address":
					b.Add("related.ip", v)
				case "resource_recipients", "resource_owner_email":
					r.domains(v)
				}
				if app == "gcp" && strings.EqualFold(name, "user_email") {
					b.Add("related.user", v)
					b.Add("related.user", r.get("actor.profileId"))
				}
			})
		case l.Name.Path == "events" && l.Kind == event.JSON: // several that happened as one
			r.eachAt(0, l.Value, func(get func(string) string) {
				if action == "" {
					kind, action = get("type"), get("name")
				}
				r.parameters(1, get("parameters"), prefix, names, func(string, string) {})
			})
		}
	}
	if name, domain, ok := strings.Cut(member, "@"); ok {
		b.Add("user.target.name", name)
		b.Add("user.target.domain", domain)
		b.Add("user.target.email", member)
	}
	if name, domain, ok := strings.Cut(group, "@"); ok {
		b.Add("group.name", name)
		b.Add("group.domain", domain)
		b.Add("user.target.group.name", name)
		b.Add("user.target.group.domain", domain)
	}
	r.workspaceClass(app, kind, action, failure)
}

// domains adds domains, and those of mail addresses, to related.hosts.
func (r *cloudRecord) domains(of ...string) {
	for _, s := range of {
		if domain := s[strings.LastIndexByte(s, '@')+1:]; isHostName(domain) && strings.IndexByte(domain, '.') > 0 {
			r.b.Add("related.hosts", domain)
		}
	}
}

// plainApp is an application's name as part of a dataset.
func plainApp(app string) string {
	if app == "" || len(app) > 40 {
		return "activity"
	}
	return strings.Map(func(c rune) rune {
		if c == '_' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(app))
}

// parameters adds a list of {"name":…,"value":…} under the names that Elastic has for them.
func (r *cloudRecord) parameters(depth int, list, prefix string, names map[string]string, fn func(name, value string)) {
	if list == "" || list[0] != '[' {
		return
	}
	p := []byte(list)
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < maxCloudObjects; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			return
		}
		leaves, err := r.names.inner[depth].Scan(list[i:i+size], r.b)
		if err != nil {
			return
		}
		name := ""
		for j := range leaves {
			if leaves[j].Name.Path == "name" {
				name = leaves[j].Value
			}
		}
		field := names[name]
		if field == "" {
			field = strings.ToLower(name)
		}
		for j := range leaves {
			l := &leaves[j]
			if l.Name.Path == "name" || l.Value == "" || name == "" || len(name) > 80 {
				continue
			}
			r.b.AddKind(r.b.Bytes(append([]byte(prefix), field...)), l.Value, l.Kind)
			fn(name, l.Value)
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
}

func (r *cloudRecord) workspaceClass(app, kind, action, failure string) {
	b := r.b
	lower := strings.ToLower(action)
	switch app {
	case "login", "saml":
		switch {
		case lower == "login_success" || lower == "logout":
			r.classes("event.category", "authentication session")
			b.Add("event.outcome", "success")
			if lower == "logout" {
				b.Add("event.type", "end")
			} else {
				b.Add("event.type", "start")
			}
		case lower == "login_failure":
			r.classes("event.category", "authentication session")
			b.Add("event.type", "start")
			b.Add("event.outcome", "failure")
			b.Add("event.reason", failure)
		case strings.HasPrefix(lower, "account_disabled"):
			classify(b, "iam", "user", "", "")
			b.Add("event.type", "change")
		case strings.HasPrefix(lower, "gov_attack"):
			classify(b, "iam", "user", "", "")
		default:
			classify(b, "authentication", "info", "", "")
		}
	case "drive":
		b.Add("event.category", "file")
		if kind == "acl_change" || strings.HasPrefix(lower, "approval") {
			r.classes("event.category", "iam configuration")
		}
		b.Add("event.type", workspaceVerb(lower))
	case "user_accounts", "token", "mobile":
		classify(b, "iam", "change", "", "")
		b.Add("event.type", "user")
	case "rules", "gcp", "meet", "chat", "chrome", "calendar":
	default: // admin, groups
		b.Add("event.category", "iam")
		if strings.Contains(lower, "setting") || strings.HasPrefix(lower, "toggle") {
			b.Add("event.category", "configuration")
		}
		b.Add("event.type", workspaceVerb(lower))
		switch {
		case kind == "USER_SETTINGS" || strings.HasPrefix(lower, "mobile_device"):
			b.Add("event.type", "user")
		case kind == "GROUP_SETTINGS" && !strings.HasPrefix(lower, "create") && !strings.HasPrefix(lower, "delete"), strings.HasPrefix(app, "groups"):
			b.Add("event.type", "group")
		}
	}
}

// workspaceVerb is the event.type that the words of an action mean.
func workspaceVerb(action string) string {
	for word := range strings.SplitSeq(action, "_") {
		switch word {
		case "create", "created", "creation", "generate", "regenerate", "undelete", "untrash", "upload":
			return "creation"
		case "delete", "deleted", "deletion", "trash":
			return "deletion"
		case "view", "download", "verify", "skip", "request", "requested", "cancelled", "resend", "invite", "bulk", "search", "preview", "print", "copy", "restore", "enroll":
			return "info"
		}
	}
	return "change"
}

// workspaceNames are the names that Elastic has for the parameters of each application; others
// are in lower case.
var workspaceNames = map[string]map[string]string{
	"admin": {
		"ACTION_ID": "mobile.action.id", "ACTION_TYPE": "mobile.action.type", "ALERT_NAME": "alert.name", "API_CLIENT_NAME": "api.client.name", "API_SCOPES": "api.scopes", "APPLICATION_EDITION": "application.edition",
		"APPLICATION_ENABLED": "application.enabled", "APPLICATION_NAME": "application.name", "APP_ID": "application.id", "APP_LICENSES_ORDER_NUMBER": "application.licences_order_number", "ASP_ID": "application.asp_id",
		"BULK_UPLOAD_FAIL_USERS_NUMBER": "bulk_upload.failed", "BULK_UPLOAD_TOTAL_USERS_NUMBER": "bulk_upload.total", "CHROME_LICENSES_ALLOWED": "chrome_licenses.allowed", "CHROME_LICENSES_ENABLED": "chrome_licenses.enabled",
		"CHROME_NUM_LICENSES_PURCHASED": "application.licences_purchased", "COMPANY_DEVICE_ID": "device.id", "DESTINATION_USER_EMAIL": "new_value", "DEVICE_ID": "device.id", "DEVICE_TYPE": "device.type",
		"DISTRIBUTION_ENTITY_NAME": "distribution.entity.name", "DISTRIBUTION_ENTITY_TYPE": "distribution.entity.type", "DOMAIN_ALIAS": "domain.alias", "DOMAIN_NAME": "domain.name", "DOMAIN_VERIFICATION_METHOD": "verification_method",
		"EMAIL_EXPORT_INCLUDE_DELETED": "email_dump.include_deleted", "EMAIL_EXPORT_PACKAGE_CONTENT": "email_dump.package_content", "EMAIL_LOG_SEARCH_MSG_ID": "email.log_search_filter.message_id",
		"EMAIL_LOG_SEARCH_RECIPIENT": "email.log_search_filter.recipient.value", "EMAIL_LOG_SEARCH_SENDER": "email.log_search_filter.sender.value", "EMAIL_LOG_SEARCH_SMTP_RECIPIENT_IP": "email.log_search_filter.recipient.ip",
		"EMAIL_LOG_SEARCH_SMTP_SENDER_IP": "email.log_search_filter.sender.ip", "EMAIL_MONITOR_DEST_EMAIL": "email_monitor.dest_email", "EMAIL_MONITOR_LEVEL_CHAT": "email_monitor.level.chat",
		"EMAIL_MONITOR_LEVEL_DRAFT_EMAIL": "email_monitor.level.draft", "EMAIL_MONITOR_LEVEL_INCOMING_EMAIL": "email_monitor.level.incoming", "EMAIL_MONITOR_LEVEL_OUTGOING_EMAIL": "email_monitor.level.outgoing", "FIELD_NAME": "field",
		"FLASHLIGHT_EDU_NON_FEATURED_SERVICES_SELECTION": "non_featured_services_selection", "FULL_ORG_UNIT_PATH": "org_unit.full", "GROUP_EMAIL": "group.email", "GROUP_MEMBER_BULK_UPLOAD_FAILED_NUMBER": "bulk_upload.failed",
		"GROUP_MEMBER_BULK_UPLOAD_TOTAL_NUMBER": "bulk_upload.total", "GROUP_PRIORITIES": "group.priorities", "MANAGED_CONFIGURATION_NAME": "managed_configuration", "MOBILE_APP_PACKAGE_ID": "application.package_id",
		"MOBILE_CERTIFICATE_COMMON_NAME": "mobile.certificate.name", "NEW_PERMISSION_GRANT_STATE": "new_value", "NUMBER_OF_COMPANY_OWNED_DEVICES": "mobile.company_owned_devices", "OLD_PERMISSION_GRANT_STATE": "old_value",
		"ORG_UNIT_NAME": "org_unit.name", "PERMISSION_GROUP_NAME": "setting.name", "PLAY_FOR_WORK_MDM_VENDOR_NAME": "mdm.vendor", "PLAY_FOR_WORK_TOKEN_ID": "mdm.token", "QUARANTINE_NAME": "email.quarantine_name",
		"REQUEST_ID": "request.id", "RESOURCE_IDENTIFIER": "resource.id", "RULE_NAME": "rule.name", "SEARCH_QUERY_FOR_DUMP": "email_dump.query", "SECONDARY_DOMAIN_NAME": "domain.secondary_name", "SERVICE_NAME": "service.name",
		"SETTING_DESCRIPTION": "setting.description", "SETTING_NAME": "setting.name", "SITE_NAME": "url.name", "SKU_NAME": "product.sku", "PRODUCT_NAME": "product.name", "USER_CUSTOM_FIELD": "setting.name",
		"USER_DEFINED_SETTING_NAME": "user_defined_setting.name", "USER_EMAIL": "user.email", "USER_NICKNAME": "user.nickname", "ROLE_NAME": "role.name", "ROLE_ID": "role.id", "PRIVILEGE_NAME": "privilege.name",
	},
	"drive": {
		"doc_id": "file.id", "doc_type": "file.type", "owner": "file.owner.email", "owner_is_shared_drive": "file.owner.is_shared_drive", "owner_is_team_drive": "file.owner.is_shared_drive",
		"new_settings_state": "new_value", "old_settings_state": "old_value", "target_user": "target",
	},
	"groups": {
		"group_email": "email", "info_setting": "setting", "member_role": "member.role", "message_id": "message.id", "message_moderation_action": "message.moderation_action", "new_value_repeated": "new_value",
		"old_value_repeated": "old_value", "post_replies_setting": "setting", "spam_moderation_setting": "setting", "topic_setting": "setting", "user_email": "member.email",
	},
	"login": {
		"login_challenge_method": "challenge_method", "login_challenge_status": "challenge_status", "login_failure_type": "failure_type", "login_timestamp": "timestamp", "login_type": "type",
	},
	"rules": {
		"resource_recipients": "resource.recipients", "resource_recipients_omitted_count": "resource.recipients_omitted_count", "rule_id": "id", "rule_name": "name", "rule_type": "type", "rule_resource_name": "resource_name", "rule_update_time_usec": "update_time_usec",
		"resource_id": "resource.id", "resource_name": "resource.name", "resource_title": "resource.title", "resource_type": "resource.type", "resource_owner_email": "resource.owner_email", "device_id": "device.id", "device_type": "device.type",
		"matched_detectors": "matched.detectors", "matched_threshold": "matched.threshold", "matched_trigger": "matched.trigger", "matched_templates": "matched.templates", "mobile_device_type": "mobile_device_type", "mobile_ios_vendor_id": "mobile_ios_vendor_id",
	},
	"saml": {
		"saml_second_level_status_code": "second_level_status_code", "saml_status_code": "status_code",
	},
}
