package format

import "strings"

// Findings of AWS Security Hub in the AWS Security Finding Format (ASFF), which all AWS services and many others write.
// https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html
var _ = registerCloud(&cloudLog{
	name:   "aws.securityhub_findings",
	title:  "AWS Security Hub findings (ASFF)",
	prefix: "aws.securityhub_findings.",
	recognise: func(has func(string) bool) bool {
		return has("ProductArn") && has("AwsAccountId") && has("GeneratorId") && (has("SchemaVersion") || has("Title"))
	},
	times: []string{"UpdatedAt", "LastObservedAt", "CreatedAt"},
	fields: map[string]string{
		"AwsAccountId": "aws.securityhub_findings.aws_account_id cloud.account.id", "CompanyName": "aws.securityhub_findings.company.name organization.name", "GeneratorId": "aws.securityhub_findings.generator.id",
		"ProductArn": "aws.securityhub_findings.product.arn", "ProductName": "aws.securityhub_findings.product.name", "SchemaVersion": "aws.securityhub_findings.schema.version", "Title": "aws.securityhub_findings.title rule.name",
		"WorkflowState": "aws.securityhub_findings.workflow.state", "Region": "aws.securityhub_findings.region cloud.region", "Severity.Label": "aws.securityhub_findings.severity.label log.level",
		"Severity.Normalized": "aws.securityhub_findings.severity.normalized event.severity", "Description": "aws.securityhub_findings.description message", "Action.ActionType": "aws.securityhub_findings.action.type",
		"Compliance.SecurityControlId": "aws.securityhub_findings.compliance.security_control_id rule.id", "Remediation.Recommendation.Url": "aws.securityhub_findings.remediation.recommendation.url rule.reference",
		"Network.Direction": "aws.securityhub_findings.network.direction", "Network.Protocol": "aws.securityhub_findings.network.protocol", "Network.SourceDomain": "aws.securityhub_findings.network.source.domain source.domain",
		"Network.DestinationDomain": "aws.securityhub_findings.network.destination.domain destination.domain", "Process.Name": "aws.securityhub_findings.process.name process.name", "Process.Path": "aws.securityhub_findings.process.path process.executable",
	},
	rename: func(path string) string {
		head, rest, _ := strings.Cut(path, ".")
		switch head {
		case "ProductFields": // of any names: as they are
			return "product.fields." + rest
		case "FindingProviderFields":
			return "provider_fields." + snake(rest)
		case "Resources": // objects of each service's own
			return "resources." + rest
		}
		return snake(path)
	},
	finish: func(r *cloudRecord) {
		b := r.b
		b.Add("event.type", "info")
		b.Add("cloud.provider", "aws")
		b.Add("event.action", lower(r.get("Action.ActionType"), b))
		switch r.get("Compliance.Status") {
		case "PASSED":
			b.Add("event.outcome", "success")
		case "FAILED":
			b.Add("event.outcome", "failure")
		}
		remote := func(action string) string {
			return r.get("Action." + action + ".RemoteIpDetails.IpAddressV4")
		}
		for _, ip := range [...]string{r.get("Network.SourceIpV4", "Network.SourceIpV6"), remote("NetworkConnectionAction"), remote("AwsApiCallAction")} {
			if isIP(ip) {
				addSource(b, ip, r.get("Network.SourcePort"))
				break
			}
		}
		if ip := r.get("Network.DestinationIpV4", "Network.DestinationIpV6"); isIP(ip) {
			addDestination(b, ip, r.get("Network.DestinationPort"))
		}
	},
})
