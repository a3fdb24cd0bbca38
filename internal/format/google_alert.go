package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Alerts of Google Workspace's Alert Center. What an alert is of stands in data, of a shape for each of its types.
// https://developers.google.com/admin-sdk/alertcenter/reference/rest/v1beta1/alerts
// https://developers.google.com/admin-sdk/alertcenter/reference/alert-types
var _ = registerCloud(&cloudLog{
	name:   "google_workspace.alert",
	title:  "Google Workspace alerts (Alert Center)",
	prefix: "google_workspace.alert.",
	recognise: func(has func(string) bool) bool {
		return has("alertId") && has("customerId") && has("source") && has("type") && (has("createTime") || has("startTime"))
	},
	times: []string{"createTime", "startTime"},
	fields: map[string]string{
		"alertId": "google_workspace.alert.id", "customerId": "google_workspace.alert.customer.id organization.id", "source": "google_workspace.alert.source event.action", "startTime": "google_workspace.alert.start_time event.start",
		"endTime": "google_workspace.alert.end_time event.end", "metadata.alertId": "google_workspace.alert.metadata.alert.id", "metadata.customerId": "google_workspace.alert.metadata.customer.id",
		"metadata.assignee": "google_workspace.alert.metadata.assignee user.email", "metadata.severity": "google_workspace.alert.metadata.severity log.level", "data.@type": "google_workspace.alert.data.type", "data.email": "user.email google_workspace.alert.data.email",
		"data.domain": "google_workspace.alert.data.domain user.domain", "data.domainId.customerPrimaryDomain": "google_workspace.alert.data.domain_id.customer_primary_domain user.domain", "data.affectedUserEmails": "google_workspace.alert.data.affected.user_emails user.email",
		"data.actorEmail": "google_workspace.alert.data.actor.email source.user.email", "data.name": "google_workspace.alert.data.name rule.name", "data.displayName": "google_workspace.alert.data.display.name", "data.sourceIp": "google_workspace.alert.data.source.ip",
		"data.maliciousEntity.fromHeader": "google_workspace.alert.data.malicious_entity.from_header", "data.messages.messageId": "google_workspace.alert.data.messages.id email.message_id", "data.messages.subjectText": "google_workspace.alert.data.messages.subject_text email.subject",
		"data.messages.recipient": "google_workspace.alert.data.messages.recipient_email email.to.address", "data.messages.date": "google_workspace.alert.data.messages.date email.delivery_timestamp",
		"data.messages.attachmentsSha256Hash": "google_workspace.alert.data.messages.attachments_sha256_hash email.attachments.file.hash.sha256", "data.messages.md5HashMessageBody": "google_workspace.alert.data.messages.md5.hash.message_body", "data.messages.md5HashSubject": "google_workspace.alert.data.messages.md5.hash.subject",
		"data.ruleViolationInfo.ruleInfo.displayName": "google_workspace.alert.data.rule.violation_info.rule_info.display.name rule.name", "data.ruleViolationInfo.trigger": "google_workspace.alert.data.rule.violation_info.trigger.value",
		"data.ruleViolationInfo.triggeringUserEmail": "google_workspace.alert.data.rule.violation_info.trigger.user.email user.email", "data.ruleViolationInfo.dataSource": "google_workspace.alert.data.rule.violation_info.data.source",
	},
	rename: func(path string) string {
		parts := strings.Split(path, ".")
		for i, p := range parts {
			if name, ok := workspaceAlertNames[p]; ok && parts[0] == "data" {
				parts[i] = name
			} else {
				parts[i] = snake(p)
			}
		}
		return strings.Join(parts, ".")
	},
	finish: finishWorkspaceAlert,
})

// workspaceAlertNames are the parts of paths in data that Elastic writes otherwise than by putting '_' before capitals.
var workspaceAlertNames = map[string]string{
	"takeoutRequestId": "takeout.request.id", "attachmentData": "attachment.data", "deviceId": "device.id", "serialNumber": "serial.number", "deviceType": "device.type", "deviceModel": "device.model", "deviceProperty": "device.property",
	"resourceId": "resource.id", "iosVendorId": "ios_vendor.id", "dashboardUri": "dashboard.uri", "incidentTrackingId": "incident_tracking.id", "newIncidentTrackingId": "new_incident_tracking.id", "newAlertId": "new_alert.id",
	"primaryAdminChangedEvent": "primary.admin.changed_event", "ssoProfileCreatedEvent": "sso_profile.created_event", "ssoProfileUpdatedEvent": "sso_profile.updated_event", "ssoProfileDeletedEvent": "sso_profile.deleted_event",
	"inboundSsoProfileName": "inbound_sso.profile_name", "inboundSsoProfileChanges": "inbound_sso.profile_changes", "userEmail": "user.email", "requestInfo": "request.info", "appKey": "app.key", "appDeveloperEmail": "app.developer_email",
	"triggerSource": "trigger.source", "actionNames": "action.name", "ruleViolationInfo": "rule.violation_info", "displayName": "display_name", "resourceName": "resource.name", "resourceTitle": "resource.title", "documentId": "document.id",
	"detectorName": "name", "triggeredActionTypes": "triggered.action.types", "triggeredActionInfo": "triggered.action.info", "suppressedActionTypes": "suppressed.action.types",
}

func finishWorkspaceAlert(r *cloudRecord) {
	b := r.b
	b.Set("event.kind", "alert")
	r.classes("event.category", "threat malware")
	b.Add("event.type", "info")
	if r.has("data.messages") || r.has("data.messages.messageId") {
		b.Add("event.category", "email")
	}
	if ip := r.get("data.sourceIp", "data.loginDetails.ipAddress"); isIP(ip) {
		addSource(b, ip, "")
	}
	b.Add("email.from.address", r.get("data.maliciousEntity.fromHeader"))
	if from := r.get("data.maliciousEntity.entity.emailAddress"); from != "" {
		name, _, _ := strings.Cut(from, "@")
		b.Add("user.name", name)
	}
	b.Add("related.user", r.get("data.actorEmail"))
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == "data.messages" && l.Kind == event.JSON {
			r.each(l.Value, func(get func(string) string) { b.Add("related.hash", get("md5HashSubject")) })
		}
	}
	for i := range b.Event().Fields {
		if f := &b.Event().Fields[i]; f.Name == "email.attachments.file.hash.sha256" {
			b.Add("related.hash", f.Value)
		}
	}
}
