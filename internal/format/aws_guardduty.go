package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Findings of Amazon GuardDuty: what its detectors saw happen to which resource. They come as the API and the export to S3
// write them, or as the detail of an EventBridge event.
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html
var _ = registerCloud(&cloudLog{
	name:   "aws.guardduty",
	title:  "AWS GuardDuty findings",
	prefix: "aws.guardduty.",
	recognise: func(has func(string) bool) bool {
		return has("schemaVersion") && has("resource.resourceType") && (has("service.action.actionType") || has("service.detectorId") || has("service.serviceName"))
	},
	times: []string{"updatedAt", "createdAt"},
	fields: map[string]string{
		"accountId": "aws.guardduty.account_id cloud.account.id", "region": "cloud.region", "severity": "aws.guardduty.severity.code", "description": "message",
		"resource.instanceDetails.instanceId": "aws.guardduty.resource.instance_details.instance.id cloud.instance.id host.id", "resource.instanceDetails.instanceType": "aws.guardduty.resource.instance_details.instance.type cloud.machine.type host.type",
		"service.action.actionType": "aws.guardduty.service.action.type event.action", "service.serviceName": "aws.guardduty.service.service_name cloud.service.name", "type": "rule.name",
		"service.eventFirstSeen": "aws.guardduty.service.event.first_seen event.start", "service.eventLastSeen": "aws.guardduty.service.event.last_seen event.end",
		"service.action.dnsRequestAction.domain":                        "aws.guardduty.service.action.dns_request_action.domain dns.question.name",
		"service.action.networkConnectionAction.localPortDetails.port":  "aws.guardduty.service.action.network_connection_action.local_port_details.port.value",
		"service.action.networkConnectionAction.protocol":               "aws.guardduty.service.action.network_connection_action.transport",
		"service.action.networkConnectionAction.remotePortDetails.port": "aws.guardduty.service.action.network_connection_action.remote_port_details.port.value",
		"service.action.awsApiCallAction.api":                           "aws.guardduty.service.action.aws_api_call_action.api",
		"resource.eksClusterDetails.createdAt":                          "", // as a time
		"resource.kubernetesDetails.kubernetesUserDetails.username":     "aws.guardduty.resource.kubernetes_details.kubernetes_user_details.user_name user.name",
		"resource.kubernetesDetails.kubernetesUserDetails.uid":          "aws.guardduty.resource.kubernetes_details.kubernetes_user_details.uid user.id",
		"resource.kubernetesDetails.kubernetesUserDetails.groups":       "aws.guardduty.resource.kubernetes_details.kubernetes_user_details.groups user.roles",
		"resource.rdsDbUserDetails.user":                                "aws.guardduty.resource.rdsdb_user_details.user user.name",
		"resource.accessKeyDetails.userName":                            "aws.guardduty.resource.access_key_details.user.name user.name",
		"resource.accessKeyDetails.userType":                            "aws.guardduty.resource.access_key_details.user.type",
		"resource.accessKeyDetails.principalId":                         "aws.guardduty.resource.access_key_details.principal_id user.id",
		"resource.instanceDetails.networkInterfaces.privateDnsName":     "aws.guardduty.resource.instance_details.network_interfaces.private.dns_name",
		"resource.instanceDetails.networkInterfaces.privateIpAddress":   "aws.guardduty.resource.instance_details.network_interfaces.private.ip_address",
		"resource.instanceDetails.networkInterfaces.publicDnsName":      "aws.guardduty.resource.instance_details.network_interfaces.public.dns_name",
		"resource.instanceDetails.networkInterfaces.publicIp":           "aws.guardduty.resource.instance_details.network_interfaces.public.ip",
		"resource.instanceDetails.networkInterfaces.ipv6Addresses":      "aws.guardduty.resource.instance_details.network_interfaces.ipv6_addresses", "resource.instanceDetails.networkInterfaces.vpcId": "aws.guardduty.resource.instance_details.network_interfaces.vpc_id",
		"resource.instanceDetails.networkInterfaces.privateIpAddresses.privateDnsName":   "aws.guardduty.resource.instance_details.network_interfaces.private.ip_addresses.private.dns_name",
		"resource.instanceDetails.networkInterfaces.privateIpAddresses.privateIpAddress": "aws.guardduty.resource.instance_details.network_interfaces.private.ip_addresses.private.ip_address",
		"resource.instanceDetails.networkInterfaces.securityGroups.groupId":              "aws.guardduty.resource.instance_details.network_interfaces.security_groups.group.id",
		"resource.instanceDetails.networkInterfaces.securityGroups.groupName":            "aws.guardduty.resource.instance_details.network_interfaces.security_groups.group.name",
	},
	rename: func(path string) string {
		if rest, ok := strings.CutPrefix(path, "service.additionalInfo."); ok { // of any names: as they are
			return "service.additional_info." + rest
		}
		parts := strings.Split(path, ".")
		for i, p := range parts {
			if name, ok := guardDutyNames[p]; ok {
				parts[i] = name
			} else {
				parts[i] = snake(p)
			}
		}
		return strings.Join(parts, ".")
	},
	finish: finishGuardDuty,
})

// guardDutyNames are the parts of paths that Elastic writes otherwise than by putting '_' before capitals.
var guardDutyNames = map[string]string{
	"iamInstanceProfile": "iaminstance_profile", "imageId": "image.id", "imageDescription": "image.description", "instanceState": "instance.state", "productCodeId": "product_code.id", "productCodeType": "product_code.type",
	"vpcId": "vpcid", "cityName": "name", "countryName": "name", "countryCode": "code", "asnOrg": "asnorg", "resourceType": "type", "rdsDbInstanceDetails": "rdsdb_instance_details", "rdsDbUserDetails": "rdsdb_user_details",
	"dbInstanceIdentifier": "instance_identifier", "dbClusterIdentifier": "cluster_identifier", "dbInstanceArn": "instance_arn", "threatListName": "threat.list_name", "threatNames": "threat.names", "sourceIPs": "source_ips",
	"accessKeyId": "accesskey_id", "portName": "port.name", "mountPath": "mount_path", "kmsKeyArn": "kmskey_arn", "volumeArn": "volume.arn", "volumeType": "volume.type", "volumeSizeInGB": "volume.size_in_gb",
}

func finishGuardDuty(r *cloudRecord) {
	b := r.b
	b.Set("event.kind", "alert")
	b.Add("cloud.provider", "aws")
	b.Add("event.type", "info")
	if kind := r.get("type"); kind != "" { // "ThreatPurpose:ResourceType/ThreatFamily.Mechanism!Artifact"
		purpose, _, _ := strings.Cut(kind, ":")
		ruleset, _, _ := strings.Cut(kind, "/")
		b.Add("rule.category", purpose)
		b.Add("rule.ruleset", ruleset)
	}
	severity := r.get("severity") // 1 to 8.9: GuardDuty's user guide, "Severity levels"
	whole, _, _ := strings.Cut(severity, ".")
	if len(whole) == 1 && isDigits(whole) {
		b.AddNumber("event.severity", whole)
		word := "Low"
		switch {
		case whole >= "9":
			word = "Critical"
		case whole >= "7":
			word = "High"
		case whole >= "4":
			word = "Medium"
		}
		b.Add("aws.guardduty.severity.value", word)
		b.Add("log.level", lower(word, b))
	}
	r.timeOf("resource.eksClusterDetails.createdAt", "aws.guardduty.resource.eks_cluster_details.created_at")
	for _, action := range [...]string{"awsApiCallAction", "kubernetesApiCallAction", "networkConnectionAction", "rdsLoginAttemptAction"} {
		if ip := r.get("service.action." + action + ".remoteIpDetails.ipAddressV4"); isIP(ip) {
			addSource(b, ip, r.get("service.action."+action+".remotePortDetails.port"))
		}
		r.agent(r.get("service.action." + action + ".userAgent"))
	}
	if ip := r.get("service.action.networkConnectionAction.localIpDetails.ipAddressV4"); isIP(ip) {
		addDestination(b, ip, r.get("service.action.networkConnectionAction.localPortDetails.port"))
	}
	addTransport(b, r.get("service.action.networkConnectionAction.protocol", "service.action.dnsRequestAction.protocol"))
	b.Add("related.hosts", r.get("service.action.dnsRequestAction.domain"))
	b.Add("related.user", r.get("resource.kubernetesDetails.kubernetesUserDetails.uid"))
	for i := range r.leaves {
		l := &r.leaves[i]
		switch l.Name.Path {
		case "resource.instanceDetails.networkInterfaces":
			if l.Kind == event.JSON {
				r.each(l.Value, func(get func(string) string) {
					for _, name := range [...]string{"publicIp", "privateIpAddress"} {
						if ip := get(name); isIP(ip) {
							b.Add("related.ip", plainIP(ip))
						}
					}
				})
			}
		case "service.action.kubernetesApiCallAction.sourceIPs":
			if isIP(l.Value) {
				b.Add("related.ip", plainIP(l.Value))
			}
		}
	}
}

// timeOf adds a member that is a time in seconds or ISO 8601 as RFC 3339.
func (r *cloudRecord) timeOf(path, name string) {
	named := namedRecord{p: r.p}
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == path {
			if ns, ok := named.time(l); ok {
				addTime(name, ns, r.b)
			}
			return
		}
	}
}
