package format

import (
	"strings"
)

// AWS CloudTrail, as files of {"Records":[…]}, as lines, or as CloudWatch and Athena
// hand them out; and its digests, which name the files of an hour with their hashes.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
var _ = registerCloud(&cloudLog{
	name:   "aws.cloudtrail",
	title:  "AWS CloudTrail",
	prefix: "aws.cloudtrail.",
	recognise: func(has func(string) bool) bool {
		return has("eventTime") && has("eventVersion") && (has("eventName") && has("eventSource") || has("eventCategory") || has("insightDetails.state")) || // the latter: insight events
			has("eventName") && has("eventSource") && has("awsRegion") && (has("userIdentity.type") || has("eventID") || has("eventTime")) ||
			has("digestStartTime") && has("digestEndTime") && has("digestS3Object")
	},
	times: []string{"eventTime", "digestEndTime"},
	fields: map[string]string{
		"awsRegion":   "cloud.region",
		"eventName":   "event.action",
		"eventSource": "event.provider",

		"additionalEventData.LoginTo": "aws.cloudtrail.console_login.additional_eventdata.login_to aws.cloudtrail.flattened.additional_eventdata.LoginTo",
		"tlsDetails.cipherSuite":      "tls.cipher", "tlsDetails.clientProvidedHostHeader": "tls.client.server_name",

		"userIdentity.sessionContext.attributes.mfaAuthenticated": "aws.cloudtrail.user_identity.session_context.mfa_authenticated",
		"userIdentity.sessionContext.attributes.creationDate":     "aws.cloudtrail.user_identity.session_context.creation_date",
		"userIdentity.accountId":                                  "cloud.account.id",
		"userIdentity.principalId":                                "user.id",
		"userIdentity.userName":                                   "user.name",

		"requestParameters.groupName":   "group.name aws.cloudtrail.flattened.request_parameters.groupName",
		"requestParameters.newUserName": "user.changes.name aws.cloudtrail.flattened.request_parameters.newUserName",
		"requestParameters.userName":    "user.target.name aws.cloudtrail.flattened.request_parameters.userName",

		"errorCode": "aws.cloudtrail.error_code error.code",
		"userAgent": "", "sourceIPAddress": "", "eventTime": "", "eventID": "",
		"resources.ARN": "aws.cloudtrail.resources.arn", "resources.accountId": "aws.cloudtrail.resources.account_id",
		"requestID":       "aws.cloudtrail.request_id",
		"awsAccountId":    "cloud.account.id",
		"digestStartTime": "aws.cloudtrail.digest.start_time", "digestEndTime": "aws.cloudtrail.digest.end_time",
		"digestS3Bucket": "aws.cloudtrail.digest.s3_bucket", "digestS3Object": "aws.cloudtrail.digest.s3_object",
		"digestPublicKeyFingerprint": "aws.cloudtrail.digest.public_key_fingerprint", "digestSignatureAlgorithm": "aws.cloudtrail.digest.signature_algorithm",
		"newestEventTime": "aws.cloudtrail.digest.newest_event_time", "oldestEventTime": "aws.cloudtrail.digest.oldest_event_time",
		"previousDigestS3Bucket": "aws.cloudtrail.digest.previous_s3_bucket", "previousDigestHashAlgorithm": "aws.cloudtrail.digest.previous_hash_algorithm",
	},
	rename: func(path string) string {
		head, rest, nested := strings.Cut(path, ".")
		switch head {
		case "requestParameters", "responseElements", "insightDetails", "serviceEventDetails":
			if nested {
				return "flattened." + snake(head) + "." + rest
			}
			return snake(head)
		case "additionalEventData":
			return "flattened.additional_eventdata." + rest
		}
		return snake(path)
	},
	finish: finishCloudTrail,
})

func finishCloudTrail(r *cloudRecord) {
	b := r.b
	name, service := r.get("eventName"), r.get("eventSource")
	b.Add("cloud.provider", "aws")
	if end := r.get("digestEndTime"); end != "" && name == "" {
		b.Add("event.start", r.get("digestStartTime"))
		b.Add("event.end", end)
		b.Add("event.type", "info")
		return
	}
	r.source(r.get("sourceIPAddress"))
	r.agent(r.get("userAgent"))
	if account := r.get("recipientAccountId"); r.get("userIdentity.accountId") == "" {
		b.Add("cloud.account.id", account)
	}
	if r.get("userIdentity.userName") == "" {
		b.Add("user.name", r.get("userIdentity.sessionContext.sessionIssuer.userName", "userIdentity.identityProvider"))
		if r.get("userIdentity.type") == "Root" {
			b.Add("user.name", "root")
		}
	}
	for i := range r.leaves {
		switch l := &r.leaves[i]; l.Name.Path {
		case "additionalEventData.MFAUsed":
			b.AddBool("aws.cloudtrail.console_login.additional_eventdata.mfa_used", l.Value == "Yes")
		case "additionalEventData.MobileVersion":
			b.AddBool("aws.cloudtrail.console_login.additional_eventdata.mobile_version", l.Value == "Yes")
		}
	}
	if version := r.get("tlsDetails.tlsVersion"); version != "" {
		if v, ok := strings.CutPrefix(version, "TLSv"); ok {
			b.Add("tls.version", v)
			b.Add("tls.version_protocol", "tls")
		}
	}
	outcome := "success"
	if r.get("errorCode") != "" || r.get("errorMessage") != "" || r.get("responseElements.ConsoleLogin") == "Failure" {
		outcome = "failure"
	} else if name == "ConsoleLogin" && r.get("responseElements.ConsoleLogin") == "" {
		outcome = "unknown" // the console's export leaves the answer out
	}
	b.Add("event.outcome", outcome)
	category, types := cloudTrailClass(service, name)
	r.classes("event.category", category)
	r.classes("event.type", types)
}

// cloudTrailClass says what a call is in ECS's words, by the service and by the
// verb and the object in the call's name.
func cloudTrailClass(service, name string) (category, types string) {
	service, _, _ = strings.Cut(service, ".")
	kind := verb(name)
	switch service {
	case "iam", "organizations", "sso", "sso-directory", "identitystore":
		if kind == "access" || kind == "" {
			return "iam", "info"
		}
		object := "user"
		switch {
		case name == "UploadSSHPublicKey" || name == "UploadServerCertificate" || name == "UploadSigningCertificate":
			return "iam", "user change"
		case strings.Contains(name, "Group"):
			object = "group"
		case strings.Contains(name, "AccountPasswordPolicy"), strings.Contains(name, "Role"), strings.Contains(name, "Policy") && !strings.Contains(name, "User"),
			strings.Contains(name, "Provider"), strings.Contains(name, "Account") && !strings.Contains(name, "Assignment"):
			object = "admin"
		}
		switch name { // which change a user
		case "CreateAccessKey", "DeleteAccessKey", "CreateLoginProfile", "DeleteLoginProfile", "CreateVirtualMFADevice", "DeleteVirtualMFADevice", "DeleteUserPolicy", "DeleteGroupPolicy", "DeleteRolePolicy":
			kind = "change"
		}
		return "iam", object + " " + kind
	case "sts", "signin", "cognito-idp":
		if name == "GetCallerIdentity" || name == "GetAccessKeyInfo" || name == "DecodeAuthorizationMessage" {
			return "iam", "info"
		}
		return "authentication", "info"
	case "s3":
		switch {
		case kind == "":
			return "file", "info"
		case strings.HasPrefix(name, "Put") && (name == "PutObject"):
			return "file", "creation"
		}
		return "file", kind
	}
	switch {
	case strings.HasSuffix(name, "KeyPair") && kind != "access":
		return "iam", "admin " + kind
	case strings.Contains(name, "SecurityGroup"), strings.Contains(name, "NetworkAcl"), strings.Contains(name, "Route"), strings.Contains(name, "Vpc"), strings.Contains(name, "Subnet"), strings.Contains(name, "Gateway"):
		if kind == "access" || kind == "" {
			return "network", "info"
		}
		return "network configuration", kind
	case strings.Contains(name, "Instance") && service == "ec2":
		switch {
		case name == "RunInstances", strings.HasPrefix(name, "Start"):
			return "host", "start"
		case strings.HasPrefix(name, "Terminate"), strings.HasPrefix(name, "Stop"):
			return "host", "end"
		case kind == "access" || kind == "":
			return "host", "info"
		}
		return "host", kind
	case kind == "access" || kind == "":
		return "", "info"
	}
	return "configuration", kind
}
