package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Microsoft 365's unified audit log, as the Management Activity API gives it. The
// exports of the Purview portal and of Search-UnifiedAuditLog are CSV with such a record in
// the column AuditData.
// https://learn.microsoft.com/en-us/office/office-365-management-api/office-365-management-activity-api-schema
var _ = registerCloud(&cloudLog{
	name:   "o365.audit",
	title:  "Microsoft 365 unified audit log",
	prefix: "o365.audit.",
	recognise: func(has func(string) bool) bool {
		return has("CreationTime") && (has("Operation") && (has("RecordType") || has("Workload") || has("OrganizationId") || has("UserType")) ||
			has("RecordType") && (has("ClientIP") || has("OriginatingServer") || has("UserId") || has("Id"))) // cut down by who sent it
	},
	times: []string{"CreationTime"},
	fields: map[string]string{
		"Operation": "event.action", "Workload": "event.provider", "OrganizationName": "organization.name", "OrganizationId": "organization.id host.id",
		"UserId": "user.id", "SourceRelativeUrl": "file.directory", "SourceFileExtension": "file.extension", "SourceFileName": "file.name",
		"SharePointMetaData.FileOwner": "file.owner related.user", "SharePointMetaData.UniqueID": "file.inode", "SharePointMetaData.FilePathUrl": "url.original", "SharePointMetaData.FileName": "file.name",
		"GroupName": "group.name", "PolicyDetails.Rules.RuleId": "rule.id", "PolicyDetails.Rules.RuleName": "rule.name",
		"ExchangeMetaData.From": "email.from.address", "ExchangeMetaData.To": "email.to.address", "ExchangeMetaData.Subject": "email.subject", "ExchangeMetaData.MessageID": "email.message_id",
		"ClientProcessName": "process.name",
		"LogonError":        "event.reason",
	},
	finish: finishO365,
})

// o365Kinds are the names of the record types that are met most (enum AuditLogRecordType).
var o365Kinds = map[string]string{
	"1": "ExchangeAdmin", "2": "ExchangeItem", "3": "ExchangeItemGroup", "4": "SharePoint", "6": "SharePointFileOperation", "7": "OneDrive", "8": "AzureActiveDirectory",
	"9": "AzureActiveDirectoryAccountLogon", "10": "DataCenterSecurityCmdlet", "11": "ComplianceDLPSharePoint", "13": "ComplianceDLPExchange", "14": "SharePointSharingOperation",
	"15": "AzureActiveDirectoryStsLogon", "18": "SecurityComplianceCenterEOPCmdlet", "20": "PowerBIAudit", "21": "CRM", "22": "Yammer", "23": "SkypeForBusinessCmdlets", "24": "Discovery",
	"25": "MicrosoftTeams", "28": "ThreatIntelligence", "30": "MicrosoftFlow", "31": "AeD", "33": "ComplianceDLPSharePointClassification", "35": "Project", "36": "SharePointListOperation",
	"37": "SharePointCommentOperation", "38": "DataGovernance", "40": "SecurityComplianceAlerts", "41": "ThreatIntelligenceUrl", "44": "WorkplaceAnalytics", "47": "ThreatIntelligenceAtpContent",
	"48": "LabelContentExplorer", "50": "ExchangeItemAggregated", "52": "DataInsightsRestApiAudit", "54": "SharePointListItemOperation", "55": "SharePointContentTypeOperation",
	"56": "SharePointFieldOperation", "64": "AirInvestigation", "65": "Quarantine", "66": "MicrosoftForms",
}

func finishO365(r *cloudRecord) {
	b := r.b
	operation := r.get("Operation")
	kind := r.get("RecordType")
	if isDigits(kind) {
		kind = o365Kinds[kind]
	}
	b.Add("event.code", kind)
	o365Address(r, r.get("ClientIP", "ClientIPAddress", "ActorIpAddress"))
	if name, rest, ok := strings.Cut(r.get("OriginatingServer"), " ("); ok { // "NAME (192.0.2.1)"
		if ip, _, ok := strings.Cut(rest, ")"); ok && isIP(ip) {
			b.Add("server.address", ip)
			b.Add("server.ip", ip)
			b.Add("destination.ip", ip)
		}
		b.Add("server.domain", name)
	}
	agent := r.get("UserAgent")
	if agent == "" {
		for i := range r.leaves { // Azure AD's come as a list of names and values
			if l := &r.leaves[i]; l.Name.Path == "ExtendedProperties" && l.Kind == event.JSON {
				r.each(l.Value, func(get func(string) string) {
					if get("Name") == "UserAgent" {
						agent = get("Value")
					}
				})
			}
		}
	}
	r.agent(agent)
	user := r.get("UserId")
	if name, domain, ok := strings.Cut(user, "@"); ok && isHostName(domain) {
		b.Add("user.name", name)
		b.Add("user.domain", domain)
		b.Add("user.email", user)
		if strings.HasSuffix(domain, ".onmicrosoft.com") && r.get("OrganizationName") == "" {
			b.Add("organization.name", domain)
		}
	} else if user != "" {
		b.Add("user.name", user)
	}
	if mailbox := r.get("MailboxOwnerUPN"); mailbox != "" && mailbox != user {
		b.Add("user.target.name", mailbox)
	}
	object := r.get("ObjectId")
	if strings.Contains(object, "://") {
		addURL(object, b)
	}
	for i := range r.leaves {
		switch l := &r.leaves[i]; l.Name.Path {
		case "Parameters", "ModifiedProperties", "ExtendedProperties":
			r.pairs(l)
		}
	}
	outcome := "success"
	switch strings.ToLower(r.get("ResultStatus")) {
	case "failed", "failure", "false", "partiallysucceeded", "loginfailed":
		outcome = "failure"
	}
	if strings.HasSuffix(operation, "Failed") {
		outcome = "failure"
	}
	category, types := "", ""
	switch {
	case operation == "UserLoggedIn":
		category, types = "authentication", "start access"
	case operation == "UserLoginFailed":
		category, types = "authentication", "start"
	case operation == "DLPRuleMatch":
		category, types = "file", "access"
		b.Set("event.kind", "alert")
		outcome = o365Blocked(r)
	case strings.HasPrefix(operation, "File") || strings.HasPrefix(operation, "Folder"):
		category = "file"
		switch {
		case strings.Contains(operation, "Deleted"), strings.Contains(operation, "Recycled"):
			types = "deletion"
		case strings.Contains(operation, "Uploaded"), strings.Contains(operation, "Created"), strings.Contains(operation, "Copied"), strings.Contains(operation, "Restored"):
			types = "creation"
		case strings.Contains(operation, "Modified"), strings.Contains(operation, "Moved"), strings.Contains(operation, "Renamed"):
			types = "change"
		default:
			types = "access"
		}
	case operation == "GroupCreation" || operation == "Add group.":
		category, types = "iam", "creation group"
	case strings.HasSuffix(operation, " group.") || strings.Contains(operation, " group "):
		category, types = "iam", "change group"
	case strings.HasPrefix(operation, "Add user") || strings.HasPrefix(operation, "Delete user") || strings.Contains(operation, "user password") || strings.HasPrefix(operation, "Update user"):
		category, types = "iam", "user "+verb(strings.Replace(operation, "Add ", "Create ", 1))
	case strings.Contains(operation, " role"):
		category, types = "iam", "admin change"
	}
	b.Add("event.category", "web")
	r.classes("event.category", category)
	b.Add("event.type", "info")
	r.classes("event.type", types)
	b.Add("event.outcome", outcome)
}

// o365Blocked: a DLP rule that blocks made the access fail.
func o365Blocked(r *cloudRecord) string {
	outcome := "success"
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == "PolicyDetails" && strings.Contains(l.Value, `"BlockAccess"`) {
			outcome = "failure"
		}
	}
	return outcome
}

// o365Address adds the client's address: "192.0.2.1", "192.0.2.1:443", "[2001:db8::1]:443",
// or a name.
func o365Address(r *cloudRecord, s string) {
	b := r.b
	address, port := s, ""
	if strings.HasPrefix(s, "[") {
		address, port = unbracket(s)
	} else if host, p := splitPort(s); p != "" && isIP(host) {
		address, port = host, p
	}
	if !isIP(address) {
		b.Add("client.address", address)
		if isHostName(address) {
			b.Add("client.domain", address)
		}
		return
	}
	address = plainIP(address)
	b.Add("client.address", address)
	b.Add("client.ip", address)
	b.Add("source.ip", address)
	addPort(b, "client.port", port)
	addPort(b, "source.port", port)
	b.Add("network.type", networkType(address))
}

// networkType is ECS's word for an address's family.
func networkType(address string) string {
	if ipVersion(address) == 6 {
		return "ipv6"
	}
	return "ipv4"
}

// pairs adds lists of {Name, Value} or {Name, NewValue, OldValue} under the names
// that they are about.
func (r *cloudRecord) pairs(l *event.Leaf) {
	r.each(l.Value, func(get func(string) string) {
		name := get("Name")
		if name == "" || len(name) > 64 {
			return
		}
		name = o365Names.Replace(name)
		for _, of := range [...]string{"Value", "NewValue", "OldValue"} {
			v := get(of)
			if v == "" {
				continue
			}
			full := r.names.log.prefix + l.Name.Path + "." + name
			if of != "Value" {
				full += "." + of
			}
			r.b.Add(full, v)
		}
	})
}

var o365Names = strings.NewReplacer(" ", "_", ".", "_")
