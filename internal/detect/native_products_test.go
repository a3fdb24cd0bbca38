package detect_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/sigma"
)

// products are the ways in which other products than Windows write their logs, the most particular first.
var products = []struct {
	product, category, service string
	write                      func(ev *synthetic) []native
}{
	{product: "aws", service: "cloudtrail", write: cloudtrail},
	{product: "azure", service: "activitylogs", write: azureActivity},
	{product: "azure", service: "auditlogs", write: azureAudit},
	{product: "azure", service: "signinlogs", write: azureSignin},
	{product: "azure", service: "riskdetection", write: azureRisk},
	{product: "azure", service: "pim", write: azureRisk},
	{product: "gcp", service: "gcp.audit", write: gcpAudit},
	{product: "gcp", write: workspace},
	{product: "m365", write: m365},
	{product: "okta", write: document("okta.json", `{"uuid":"a1","published":"2024-03-04T05:06:07.000Z","version":"0","severity":"INFO","eventType":"user.session.start","displayMessage":"x","legacyEventType":"core.x","actor":{"id":"1","type":"User","alternateId":"bob","displayName":"Bob"},"client":{"ipAddress":"198.51.100.7"},"outcome":{"result":"SUCCESS"},"target":[{"id":"2","type":"AppUser","displayName":"app"}],"transaction":{"type":"WEB","id":"t"}}`)},
	{product: "github", write: document("audit.json", `{"@timestamp":1709528767000,"_document_id":"d1","action":"repo.create","actor":"bob","actor_location":{"country_code":"FI"},"org":"example","created_at":1709528767000,"operation_type":"create"}`)},
	{product: "onelogin", write: document("onelogin.json", `{"id":123456,"created_at":"2024-03-04T05:06:07.000Z","account_id":5,"user_id":7,"event_type_id":5,"notes":"","ipaddr":"198.51.100.7","actor_user_id":7,"user_name":"Bob","app_id":9,"app_name":"mail"}`)},
	{product: "bitbucket", write: document("audit.log", `{"affectedObjects":[],"auditType":{"action":"x","actionI18nKey":"bitbucket.x","area":"PERMISSIONS","category":"y","categoryI18nKey":"bitbucket.y","level":"BASE"},"author":{"id":"3","name":"bob","type":"NORMAL"},"changedValues":[],"extraAttributes":[],"method":"Browser","node":"n1","source":"198.51.100.7","system":"https://git.example.com","timestamp":{"epochSecond":1709528767,"nano":125000000},"version":"1.0"}`)},
	{product: "cisco", service: "duo", write: document("duo.json", `{"access_device":{"ip":"198.51.100.7"},"application":{"key":"K1","name":"vpn"},"auth_device":{"ip":"198.51.100.8","name":"phone"},"event_type":"authentication","factor":"duo_push","isotimestamp":"2024-03-04T05:06:07.000000+00:00","reason":"user_approved","result":"success","timestamp":1709528767,"txid":"t1","user":{"key":"U1","name":"bob"}}`)},
	{product: "opencanary", write: document("opencanary.log", `{"dst_host":"192.0.2.5","dst_port":21,"local_time":"2024-03-04 05:06:07.125","local_time_adjusted":"2024-03-04 05:06:07.125","logdata":{"USERNAME":"root","PASSWORD":"toor"},"logtype":2000,"node_id":"opencanary-1","src_host":"198.51.100.7","src_port":40000,"utc_time":"2024-03-04 05:06:07.125"}`)},
	{product: "kubernetes", write: kubernetes},
	{product: "zeek", write: zeek},
	{product: "qualys", write: document("qualys.json", `{"@timestamp":"2024-03-04T05:06:07Z","host":{"name":"ws01"}}`)},
	{product: "linux", service: "auditd", write: auditd},
	{product: "linux", category: "process_creation", write: unixProcess},
	{product: "macos", category: "process_creation", write: unixProcess},
	{product: "linux", category: "file_event", write: unixFile},
	{product: "macos", category: "file_event", write: unixFile},
	{product: "linux", category: "network_connection", write: unixNetwork},
	{product: "linux", write: linuxSyslog},
	{product: "cisco", write: ciscoIOS},
	{product: "huawei", write: lines("huawei.log", "Mar  4 2024 05:06:07 rt1 %%01BGP/3/BGP_AUTH_FAILED(l)[5]: {} (198.51.100.7:179)")},
	{product: "juniper", write: lines("messages", "Mar  4 05:06:07 rt1 rpd[1234]: bgp_pp_recv: {} from 198.51.100.7:179")},
	{product: "fortigate", write: fortigate},
	{product: "fortios", write: fortigate},
	{product: "paloalto", category: "appliance", write: lines("gpsvc.log", `{"level":"error","task":"1","time":"2024-03-04T05:06:07.125+0000","message":"{}"}`)},
	{category: "application", write: application},
	{category: "database", write: lines("postgresql.log", "2024-03-04 05:06:07.125 UTC [1234] bob@shop LOG:  statement: {}")},
	{category: "webserver", write: webserver},
	{category: "proxy", write: proxy},
	{category: "dns", write: dns},
	{category: "firewall", write: firewall},
	{category: "antivirus", write: antivirus},
	{service: "netflow", write: netflow},
	{service: "apache", write: lines("error.log", "[Mon Mar 04 05:06:07.125000 2024] [core:notice] [pid 1234:tid 1234] AH00094: {}")},
	{service: "nginx", write: lines("error.log", "2024/03/04 05:06:07 [alert] 1234#1234: {}, client: 198.51.100.7, server: www.example.com")},
}

// inArrays are the members that products keep in arrays.
var inArrays = []string{"targetResources", "modifiedProperties", "authorizationInfo", "containerDefinitions", "volumes", "containers", "add", "layers", "command", "additionalDetails"}

// put sets a member of nested objects, given a dotted path.
func put(m map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	for k := range m { // rules are not careful with capitals
		if strings.EqualFold(k, head) {
			head = k
		}
	}
	if !nested {
		m[head] = value
		if slices.Contains(inArrays, head) {
			m[head] = []any{value}
		}
		return
	}
	in, ok := m[head].(map[string]any)
	if list, is := m[head].([]any); is && len(list) > 0 {
		in, ok = list[0].(map[string]any)
	}
	if !ok {
		in = map[string]any{}
		m[head] = in
		if slices.Contains(inArrays, head) {
			m[head] = []any{in}
		}
	}
	put(in, rest, value)
}

// typed is a field's value as JSON has it.
func (s *synthetic) typed(field string) any {
	v := s.fields[field]
	switch s.kinds[field] {
	case sigma.NumberValue:
		return json.Number(v)
	case sigma.BoolValue:
		return strings.EqualFold(v, "true")
	}
	return v
}

// object is a JSON log of one record: base, with the event's fields where place says.
func object(name, base string, ev *synthetic, place func(m map[string]any, field string, value any)) native {
	m := map[string]any{}
	d := json.NewDecoder(strings.NewReader(base))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic(err)
	}
	for _, f := range ev.names() {
		place(m, f, ev.typed(f))
	}
	if len(ev.keywords) > 0 {
		m["note"] = strings.Join(ev.keywords, " ")
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return native{name, append(out, '\n')}
}

// document writes records whose members are called as rules call them.
func document(name, base string) func(*synthetic) []native {
	return func(ev *synthetic) []native { return []native{object(name, base, ev, put)} }
}

// lines writes a line of text with the rule's keywords at {}.
func lines(name, line string) func(*synthetic) []native {
	return func(ev *synthetic) []native {
		text := strings.Join(ev.keywords, " ")
		if strings.Contains(line, `"{}"`) {
			quoted, _ := json.Marshal(text)
			text = string(quoted[1 : len(quoted)-1])
		}
		return []native{{name, []byte(strings.Replace(line, "{}", text, 1) + "\n")}}
	}
}

func cloudtrail(ev *synthetic) []native {
	const base = `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/bob","accountId":"111122223333","userName":"bob"},"eventTime":"2024-03-04T05:06:07Z","eventSource":"ec2.amazonaws.com","eventName":"X","awsRegion":"eu-north-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2","requestParameters":null,"responseElements":null,"requestID":"r1","eventID":"e1","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333"}`
	one := object("cloudtrail.json", base, ev, func(m map[string]any, f string, v any) {
		switch s := fmt.Sprint(v); f {
		case "requestParameters", "responseElements": // the rule looks into the whole of it
			m[f] = map[string]any{"attribute": s}
			if strings.ContainsAny(s, `"{`) {
				m[f] = s
			}
		default:
			put(m, f, v)
		}
	})
	return []native{one, {"records.json", []byte(`{"Records":[` + strings.TrimSpace(string(one.data)) + `]}` + "\n")}}
}

func azureActivity(ev *synthetic) []native {
	const base = `{"time":"2024-03-04T05:06:07.1234567Z","resourceId":"/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/RG1","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/READ","category":"Administrative","resultType":"Success","resultSignature":"Succeeded.","callerIpAddress":"198.51.100.7","correlationId":"c1","identity":{"claims":{"name":"Bob"}},"level":"Information","properties":{"eventCategory":"Administrative"}}`
	return []native{object("activity.json", base, ev, func(m map[string]any, f string, v any) {
		switch f {
		case "OperationNameValue", "properties.message":
			f = "operationName"
		case "CategoryValue":
			f = "category"
		case "ResourceId":
			f = "resourceId"
		}
		put(m, f, v)
	})}
}

func azureAudit(ev *synthetic) []native {
	const base = `{"time":"2024-03-04T05:06:07.1234567Z","resourceId":"/tenants/11111111-2222-3333-4444-555555555555/providers/Microsoft.aadiam","operationName":"Update user","operationVersion":"1.0","category":"AuditLogs","tenantId":"11111111-2222-3333-4444-555555555555","resultSignature":"None","durationMs":0,"callerIpAddress":"198.51.100.7","correlationId":"c1","level":"Informational","properties":{"id":"Directory_1","category":"UserManagement","correlationId":"c1","result":"success","resultReason":"","activityDisplayName":"Update user","activityDateTime":"2024-03-04T05:06:07.12+00:00","loggedByService":"Core Directory","operationType":"Update","initiatedBy":{"user":{"id":"u1","userPrincipalName":"bob@example.com","ipAddress":"198.51.100.7"}},"targetResources":[{"id":"t1","displayName":"Alice","type":"User","modifiedProperties":[{"displayName":"X","oldValue":"[]","newValue":"[]"}]}],"additionalDetails":[]}}`
	return []native{object("audit.json", base, ev, func(m map[string]any, f string, v any) {
		p := m["properties"].(map[string]any)
		switch f {
		case "properties.message", "ActivityDisplayName", "ActivityType", "activityType", "OperationName", "operationName":
			m["operationName"], p["activityDisplayName"] = v, v
		case "Category", "category":
			p["category"] = v
		case "LoggedByService":
			p["loggedByService"] = v
		case "Status", "properties.result":
			p["result"] = strings.ToLower(fmt.Sprint(v))
		case "failure_status_reason":
			p["resultReason"] = v
		case "Initiatedby", "Initiatied.By", "properties.initiatedBy":
			put(p, "initiatedBy.user.userPrincipalName", v)
		case "Target", "properties.targetResources":
			put(p, "targetResources.userPrincipalName", v)
		case "TargetResources.modifiedProperties":
			put(p, "targetResources.modifiedProperties.newValue", v)
		case "TargetResources":
			put(p, "targetResources.displayName", v)
		default:
			switch {
			case strings.HasPrefix(strings.ToLower(f), "targetresources."):
				put(p, f, v)
			case strings.HasPrefix(f, "properties."):
				put(m, f, v)
			default:
				put(p, f, v)
			}
		}
	})}
}

func azureSignin(ev *synthetic) []native {
	const base = `{"time":"2024-03-04T05:06:07.1234567Z","resourceId":"/tenants/11111111-2222-3333-4444-555555555555/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"11111111-2222-3333-4444-555555555555","resultType":"50126","resultSignature":"None","resultDescription":"","durationMs":0,"callerIpAddress":"198.51.100.7","correlationId":"c1","identity":"Bob","Level":4,"location":"FI","properties":{"id":"s1","createdDateTime":"2024-03-04T05:06:07.12+00:00","userDisplayName":"Bob","userPrincipalName":"bob@example.com","userId":"u1","appId":"a1","appDisplayName":"App","ipAddress":"198.51.100.7","status":{"errorCode":50126},"clientAppUsed":"Browser","userAgent":"Mozilla/5.0","deviceDetail":{"deviceId":"","operatingSystem":"Linux","browser":"Firefox"},"location":{"city":"Espoo","countryOrRegion":"FI"},"conditionalAccessStatus":"notApplied","authenticationRequirement":"singleFactorAuthentication","riskState":"none","resourceDisplayName":"Graph","resourceTenantId":"11111111-2222-3333-4444-555555555555","homeTenantId":"11111111-2222-3333-4444-555555555555"}}`
	return []native{object("signin.json", base, ev, func(m map[string]any, f string, v any) {
		p := m["properties"].(map[string]any)
		switch f {
		case "ResultType", "resultType":
			m["resultType"] = fmt.Sprint(v)
			put(p, "status.errorCode", v)
		case "ResultDescription", "Resultdescription":
			m["resultDescription"] = v
		case "Status":
			switch strings.ToLower(fmt.Sprint(v)) {
			case "success":
				if _, ok := ev.fields["ResultType"]; !ok {
					m["resultType"] = "0"
					put(p, "status.errorCode", 0)
				}
			case "mfa denied":
				put(p, "status.additionalDetails", "MFA denied; user declined the authentication")
			}
		case "callerIpAddress":
			m[f] = v
		case "location":
			m[f] = v
			put(p, "location.countryOrRegion", v)
		case "ClientApp":
			p["clientAppUsed"] = v
		case "Username":
			p["userPrincipalName"] = v
		case "properties.message":
			if protocol := map[any]string{"Device Code": "deviceCode", "ROPC": "ropc"}[v]; protocol != "" {
				p["authenticationProtocol"] = protocol
				return
			}
			m["resultDescription"] = v
		case "ActivityDetails":
			m["operationName"] = v
		case "NetworkLocationDetails":
			if v == "[]" {
				p["networkLocationDetails"] = []any{}
				return
			}
			put(p, "networkLocationDetails", []any{map[string]any{"networkType": "namedNetwork", "networkNames": []any{v}}})
		default:
			if strings.HasPrefix(f, "properties.") {
				put(m, f, v)
			} else {
				put(p, f, v)
			}
		}
	})}
}

func azureRisk(ev *synthetic) []native {
	const base = `{"time":"2024-03-04T05:06:07.1234567Z","resourceId":"/tenants/11111111-2222-3333-4444-555555555555/providers/microsoft.aadiam","operationName":"User Risk Detection","operationVersion":"1.0","category":"UserRiskEvents","tenantId":"11111111-2222-3333-4444-555555555555","resultSignature":"None","durationMs":0,"callerIpAddress":"198.51.100.7","correlationId":"c1","identity":"bob","Level":4,"location":"fi","properties":{"id":"r1","requestId":"q1","riskEventType":"x","riskState":"atRisk","riskLevel":"high","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","ipAddress":"198.51.100.7","activityDateTime":"2024-03-04T05:06:07.12Z","userDisplayName":"Bob","userPrincipalName":"bob@example.com","userId":"u1"}}`
	return []native{object("risk.json", base, ev, func(m map[string]any, f string, v any) { put(m["properties"].(map[string]any), f, v) })}
}

func gcpAudit(ev *synthetic) []native {
	const base = `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"bob@example.com"},"requestMetadata":{"callerIp":"198.51.100.7"},"serviceName":"compute.googleapis.com","methodName":"x","authorizationInfo":[{"permission":"p","granted":true}],"resourceName":"projects/p1"},"insertId":"i1","resource":{"type":"gce_instance","labels":{"project_id":"p1"}},"timestamp":"2024-03-04T05:06:07.123456Z","severity":"NOTICE","logName":"projects/p1/logs/cloudaudit.googleapis.com%2Factivity","receiveTimestamp":"2024-03-04T05:06:08Z"}`
	return []native{object("gcp.json", base, ev, func(m map[string]any, f string, v any) {
		switch f {
		case "gcp.audit.method_name":
			f = "protoPayload.methodName"
		case "data.protoPayload.logName":
			f = "logName"
		case "data.protoPayload.resource.type":
			f = "resource.type"
		}
		put(m, strings.TrimPrefix(f, "data."), v)
	})}
}

// workspace writes Google Workspace's activities as the Reports API gives them, and as Cloud Logging has them.
func workspace(ev *synthetic) (logs []native) {
	admin := strings.HasSuffix(ev.rule.LogSource.Service, "admin")
	app := map[bool]string{true: "admin", false: "login"}[admin]
	var name, service any = "X", app + ".googleapis.com"
	parameters := []any{}
	for _, f := range ev.names() {
		switch v := ev.typed(f); f {
		case "eventName", "protoPayload.metadata.event.eventName":
			name = v
		case "eventService", "protoPayload.serviceName", "protoPayload.Servicename":
			service = v
		default:
			parameters = append(parameters, map[string]any{"name": strings.ToUpper(f), "value": v})
		}
	}
	marshal := func(v any) []byte {
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return append(out, '\n')
	}
	// in the API's own order
	logs = append(logs, native{"activity.json", fmt.Appendf(nil, `{"kind":"admin#reports#activity","id":{"time":"2024-03-04T05:06:07.125Z","uniqueQualifier":"1","applicationName":%q,"customerId":"C1"},"etag":"e","actor":{"callerType":"USER","email":"bob@example.com","profileId":"1"},"ipAddress":"198.51.100.7","events":[{"type":"T","name":%s,"parameters":%s}]}`+"\n",
		app, bytes.TrimSpace(marshal(name)), bytes.TrimSpace(marshal(parameters)))})
	for i := range parameters {
		p := parameters[i].(map[string]any)
		parameters[i] = map[string]any{"name": p["name"], "value": p["value"], "label": "LABEL_OPTIONAL", "type": "TYPE_STRING"}
	}
	return append(logs, native{"gcp.json", marshal(map[string]any{
		"protoPayload": map[string]any{
			"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "authenticationInfo": map[string]any{"principalEmail": "bob@example.com"},
			"requestMetadata": map[string]any{"callerIp": "198.51.100.7"}, "serviceName": service, "methodName": "google.admin.AdminService.x", "resourceName": "organizations/1",
			"metadata": map[string]any{"@type": "type.googleapis.com/ccc_hosted_reporting.ActivityProto", "event": []any{map[string]any{"eventName": name, "eventType": "T", "parameter": parameters}}},
		},
		"insertId": "i1", "resource": map[string]any{"type": "audited_resource", "labels": map[string]any{"service": service}}, "timestamp": "2024-03-04T05:06:07.123456Z", "severity": "NOTICE",
		"logName": "organizations/1/logs/cloudaudit.googleapis.com%2Factivity",
	})})
}

func m365(ev *synthetic) []native {
	const base = `{"CreationTime":"2024-03-04T05:06:07","Id":"11111111-2222-3333-4444-555555555555","Operation":"AlertTriggered","OrganizationId":"22222222-2222-3333-4444-555555555555","RecordType":40,"UserKey":"SecurityComplianceAlerts","UserType":4,"Version":1,"Workload":"SecurityComplianceCenter","ObjectId":"x","UserId":"bob@example.com","ResultStatus":"Succeeded","ClientIP":"198.51.100.7"}`
	return []native{object("o365.json", base, ev, func(m map[string]any, f string, v any) {
		switch f {
		case "eventSource":
			f = "Workload"
		case "eventName":
			if f = "Name"; ev.rule.LogSource.Service == "exchange" {
				f = "Operation"
			}
		case "status":
			f = "ResultStatus"
		case "Parameters", "OperationProperties":
			m[f] = []any{map[string]any{"Name": "x", "Value": v}}
			return
		case "Payload":
			f = "Data"
		}
		put(m, f, v)
	})}
}

func kubernetes(ev *synthetic) []native {
	const base = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods","verb":"create","user":{"username":"bob","groups":["system:authenticated"]},"sourceIPs":["198.51.100.7"],"userAgent":"kubectl/v1.29","objectRef":{"resource":"pods","namespace":"default","name":"p1","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Pod","spec":{"containers":[{"name":"c","image":"nginx"}]}},"requestReceivedTimestamp":"2024-03-04T05:06:07.123456Z","stageTimestamp":"2024-03-04T05:06:07.125456Z"}`
	return []native{object("audit.log", base, ev, func(m map[string]any, f string, v any) {
		switch f {
		case "hostPath":
			put(m, "requestObject.spec.volumes.hostPath", map[string]any{"path": v})
		case "capabilities":
			put(m, "requestObject.spec.containers.securityContext.capabilities.add", v)
		case "apiGroup":
			put(m, "objectRef.apiGroup", v)
		default:
			put(m, f, v)
		}
	})}
}

func zeek(ev *synthetic) []native {
	base := fmt.Sprintf(`{"_path":%q,"ts":1709528767.123456,"uid":"C1","id.orig_h":"198.51.100.7","id.orig_p":40000,"id.resp_h":"192.0.2.5","id.resp_p":445}`, ev.rule.LogSource.Service)
	log := object(ev.rule.LogSource.Service+".log", base, ev, func(m map[string]any, f string, v any) {
		switch f {
		case "c-useragent":
			f = "user_agent"
		case "c-uri":
			f = "uri"
		}
		m[f] = v // Zeek's names have dots in them
	})
	return []native{log}
}

// auditValue writes a value as auditd does: in quotes, or in hexadecimal if a quote, blank or control character is in it.
func auditValue(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }) {
		return strings.ToUpper(hex.EncodeToString([]byte(s)))
	}
	return `"` + s + `"`
}

const auditStamp = " msg=audit(1709528767.123:42): "

// auditd writes the records of one event: the record of the type that the rule asks for, with the rule's fields, beside those that the
// kernel writes with it.
func auditd(ev *synthetic) []native {
	kind := strings.ToUpper(ev.fields["type"])
	if kind == "" {
		kind = "SYSCALL"
	}
	syscall := ev.fields["SYSCALL"]
	if syscall == "" {
		syscall = ev.fields["syscall"]
	}
	if syscall == "" {
		syscall = "execve"
	}
	number, ok := map[string]string{"execve": "59", "openat": "257", "open": "2", "personality": "135", "ptrace": "101", "uname": "63", "unlink": "87", "unlinkat": "263", "rmdir": "84", "rename": "82", "renameat": "264", "init_module": "175", "finit_module": "313", "delete_module": "176", "socket": "41", "connect": "42", "bind": "49", "setsockopt": "54", "kexec_load": "246", "clone": "56", "memfd_create": "319", "mount": "165"}[syscall]
	if !ok {
		number = syscall
	}
	var s strings.Builder
	get := func(f, other string) string {
		if v, ok := ev.fields[f]; ok {
			return v
		}
		return other
	}
	call := func() {
		fmt.Fprintf(&s, "type=SYSCALL%sarch=c000003e syscall=%s success=yes exit=0", auditStamp, number)
		for i := range 4 {
			a := fmt.Sprintf("a%d", i)
			v := "7ffe0"
			if kind != "EXECVE" {
				v = get(a, v)
			}
			fmt.Fprintf(&s, " %s=%s", a, v)
		}
		fmt.Fprintf(&s, " items=2 ppid=1000 pid=1001 auid=1000 uid=1000 gid=1000 euid=%s suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=%s exe=%s key=%s\n",
			get("euid", "1000"), auditValue(get("comm", "cmd")), auditValue(get("exe", "/usr/bin/cmd")), auditValue(get("key", "k")))
	}
	keywords := strings.Join(ev.keywords, " ")
	switch kind {
	case "SYSCALL":
		call()
		if keywords != "" {
			fmt.Fprintf(&s, "type=PROCTITLE%sproctitle=%s\n", auditStamp, auditValue(keywords))
		}
	case "EXECVE":
		call()
		n := 0
		var args strings.Builder
		for i := range 8 {
			a := fmt.Sprintf("a%d", i)
			if v, ok := ev.fields[a]; ok {
				for ; n < i; n++ {
					fmt.Fprintf(&args, ` a%d="x"`, n)
				}
				fmt.Fprintf(&args, " %s=%s", a, auditValue(v))
				n = i + 1
			}
		}
		for i, k := range ev.keywords {
			fmt.Fprintf(&args, " a%d=%s", n+i, auditValue(k))
		}
		fmt.Fprintf(&s, "type=EXECVE%sargc=%d%s\n", auditStamp, n+len(ev.keywords), args.String())
	case "PATH":
		call()
		fmt.Fprintf(&s, "type=CWD%scwd=\"/root\"\ntype=PATH%sitem=0 name=%s inode=1 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=%s\n", auditStamp, auditStamp, auditValue(get("name", "/tmp/x")), get("nametype", "NORMAL"))
	case "SERVICE_STOP", "SERVICE_START":
		fmt.Fprintf(&s, "type=%s%spid=1 uid=0 auid=4294967295 ses=4294967295 msg='unit=%s comm=\"systemd\" exe=\"/usr/lib/systemd/systemd\" hostname=? addr=? terminal=? res=success'\n", kind, auditStamp, get("unit", "x"))
	case "USER_AUTH", "ADD_USER", "USER_LOGIN":
		fmt.Fprintf(&s, "type=%s%spid=1234 uid=0 auid=1000 ses=3 msg='op=%s acct=\"bob\" exe=%s hostname=? addr=? terminal=pts/0 res=success'\n", kind, auditStamp, cmpOr(keywords, "PAM:authentication"), auditValue(get("exe", "/usr/sbin/x")))
	default:
		fmt.Fprintf(&s, "type=%s%s", kind, auditStamp)
		for _, f := range ev.names() {
			if f != "type" {
				fmt.Fprintf(&s, "%s=%s ", f, auditValue(ev.fields[f]))
			}
		}
		fmt.Fprintf(&s, "pid=1234 uid=0 auid=1000 ses=3 %s\n", keywords)
	}
	return []native{{"audit.log", []byte(s.String())}}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ecsDocument is what agents that speak ECS send of processes, files and connections.
func ecsDocument(ev *synthetic, category string, names map[string]string) (native, bool) {
	base := fmt.Sprintf(`{"@timestamp":"2024-03-04T05:06:07.125Z","event":{"category":[%q],"type":["start"],"kind":"event"},"host":{"name":"h1","os":{"type":%q,"platform":%q}},"process":{"pid":1001},"ecs":{"version":"8.11.0"}}`,
		category, ev.rule.LogSource.Product, map[string]string{"linux": "debian", "macos": "darwin"}[ev.rule.LogSource.Product])
	ok := true
	log := object("agent.ndjson", base, ev, func(m map[string]any, f string, v any) {
		name := names[f]
		if name == "" {
			ok = false
			return
		}
		put(m, name, fmt.Sprint(v))
	})
	return log, ok
}

// sysmonLinux is a record of Sysmon for Linux in the system's log.
func sysmonLinux(ev *synthetic, id int) native {
	var s strings.Builder
	fmt.Fprintf(&s, `Mar  4 05:06:07 web1 sysmon: <Event><System><Provider Name="Linux-Sysmon" Guid="{ff032593-a8d3-4f13-b0d6-01fc615a0f97}"/><EventID>%d</EventID><Version>5</Version><Level>4</Level><Task>%d</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime="2024-03-04T05:06:07.123456000Z"/><EventRecordID>42</EventRecordID><Correlation/><Execution ProcessID="1" ThreadID="1"/><Channel>Linux-Sysmon/Operational</Channel><Computer>web1</Computer><Security UserId="0"/></System><EventData><Data Name="RuleName">-</Data>`, id, id)
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", " ")
	for _, f := range ev.names() {
		fmt.Fprintf(&s, `<Data Name="%s">%s</Data>`, f, escape.Replace(ev.fields[f]))
	}
	s.WriteString("</EventData></Event>\n")
	return native{"syslog", []byte(s.String())}
}

// eslogger is an event of macOS's Endpoint Security, as eslogger prints it.
func eslogger(ev *synthetic, names map[string]string) (native, bool) {
	m := map[string]any{"version": 4, "seq_num": 1, "global_seq_num": 1, "time": "2024-03-04T05:06:07.123456789Z", "mach_time": 1, "action_type": 1, "event_type": 9}
	put(m, "process.audit_token.pid", 100)
	put(m, "process.executable.path", "/bin/zsh")
	put(m, "event.exec.target.audit_token.pid", 101)
	put(m, "event.exec.target.executable.path", "/bin/x")
	put(m, "event.exec.args", []any{"x"})
	for f, v := range ev.fields {
		switch f {
		case "Image":
			put(m, "event.exec.target.executable.path", v)
		case "CommandLine":
			var args []any
			for _, a := range strings.Split(v, " ") {
				args = append(args, a)
			}
			put(m, "event.exec.args", args)
		case "ParentImage":
			put(m, "process.executable.path", v)
		default:
			return native{}, false
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return native{"es.json", append(out, '\n')}, true
}

func unixProcess(ev *synthetic) (logs []native) {
	names := map[string]string{"Image": "process.executable", "CommandLine": "process.command_line", "ParentImage": "process.parent.executable", "ParentCommandLine": "process.parent.command_line", "User": "user.name", "CurrentDirectory": "process.working_directory"}
	if log, ok := ecsDocument(ev, "process", names); ok {
		logs = append(logs, log)
	}
	if ev.rule.LogSource.Product == "macos" {
		if log, ok := eslogger(ev, names); ok {
			logs = append(logs, log)
		}
		return logs
	}
	logs = append(logs, sysmonLinux(ev, 1))
	// auditd: SYSCALL, EXECVE, CWD and PROCTITLE of one event.
	for f := range ev.fields {
		if f != "Image" && f != "CommandLine" && f != "CurrentDirectory" {
			return logs
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, "type=SYSCALL%sarch=c000003e syscall=59 success=yes exit=0 a0=55d a1=55e a2=55f a3=8 items=2 ppid=1000 pid=1001 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=\"x\" exe=%s key=\"exec\"\n",
		auditStamp, auditValue(cmpOr(ev.fields["Image"], "/usr/bin/x")))
	args := strings.Split(cmpOr(ev.fields["CommandLine"], "x"), " ")
	fmt.Fprintf(&s, "type=EXECVE%sargc=%d", auditStamp, len(args))
	for i, a := range args {
		fmt.Fprintf(&s, " a%d=%s", i, auditValue(a))
	}
	fmt.Fprintf(&s, "\ntype=CWD%scwd=%s\n", auditStamp, auditValue(cmpOr(ev.fields["CurrentDirectory"], "/root")))
	fmt.Fprintf(&s, "type=PROCTITLE%sproctitle=%s\n", auditStamp, strings.ToUpper(hex.EncodeToString([]byte(strings.Join(args, "\x00")))))
	return append(logs, native{"audit.log", []byte(s.String())})
}

func unixFile(ev *synthetic) (logs []native) {
	if log, ok := ecsDocument(ev, "file", map[string]string{"TargetFilename": "file.path", "Image": "process.executable"}); ok {
		logs = append(logs, log)
	}
	if ev.rule.LogSource.Product == "linux" {
		logs = append(logs, sysmonLinux(ev, 11))
	}
	return logs
}

func unixNetwork(ev *synthetic) (logs []native) {
	return []native{sysmonLinux(ev, 3)}
}

// linuxSyslog writes keywords as the program of the service would.
func linuxSyslog(ev *synthetic) []native {
	program := map[string]string{"sshd": "sshd[1234]", "sudo": "sudo", "cron": "CRON[1234]", "clamav": "clamd[1234]", "guacamole": "guacd[1234]", "vsftpd": "vsftpd[1234]"}[ev.rule.LogSource.Service]
	text := strings.Join(ev.keywords, " ")
	if rest, ok := strings.CutPrefix(text, "pkexec "); ok {
		program, text = "pkexec[1234]", "bob: "+rest
	}
	if user, ok := ev.fields["USER"]; ok {
		text = "bob : TTY=pts/0 ; PWD=/home/bob ; USER=" + user + " ; COMMAND=/bin/bash"
	}
	return []native{
		{"syslog", []byte("Mar  4 05:06:07 web1 " + cmpOr(program, "app[99]") + ": " + text + "\n")},
		{"messages", []byte("<30>1 2024-03-04T05:06:07.125Z web1 " + strings.TrimSuffix(cmpOr(program, "app"), "[1234]") + " 1234 - - " + text + "\n")},
	}
}

func ciscoIOS(ev *synthetic) []native {
	text := strings.Join(ev.keywords, " ")
	line := "Mar  4 05:06:07 rt1 77: Mar  4 05:06:07.125: %PARSER-5-CFGLOG_LOGGEDCMD: User:bob  logged command:" + text
	switch ev.rule.LogSource.Service {
	case "bgp":
		line = "Mar  4 05:06:07 rt1 77: Mar  4 05:06:07.125: %" + strings.Replace(text, ":179", "", 1) + ": No MD5 digest from 198.51.100.7(40000) to 192.0.2.5:179"
		if strings.HasPrefix(text, ":179 ") {
			line = "Mar  4 05:06:07 rt1 77: Mar  4 05:06:07.125: %" + strings.TrimPrefix(text, ":179 ") + ": No MD5 digest from 198.51.100.7:40000 to 192.0.2.5:179"
		}
	case "ldp":
		line = "Mar  4 05:06:07 rt1 77: Mar  4 05:06:07.125: %LDP-3-AUTH: " + text
	}
	return []native{{"cisco.log", []byte(line + "\n")}}
}

func fortigate(ev *synthetic) []native {
	var s strings.Builder
	s.WriteString(`date=2024-03-04 time=05:06:07 devname="fw1" devid="FGT1" eventtime=1709528767123456789 tz="+0000" logid="0100044547" type="event" subtype="system" level="information" vd="root" logdesc="Object attribute configured" user="admin" ui="ssh(198.51.100.7)"`)
	for _, f := range ev.names() {
		fmt.Fprintf(&s, " %s=%q", f, ev.fields[f])
	}
	fmt.Fprintf(&s, " msg=%q\n", cmpOr(strings.Join(ev.keywords, " "), "Add x"))
	return []native{{"fortigate.log", []byte(s.String())}}
}

func application(ev *synthetic) []native {
	text := strings.Join(ev.keywords, " ")
	switch ev.rule.LogSource.Product {
	case "python", "django":
		return lines("app.log", "2024-03-04 05:06:07,125 ERROR django.request: {}")(ev)
	case "nodejs":
		return []native{
			{"app.log", []byte("2024-03-04T05:06:07.125Z error: " + text + "\n")},
			{"pino.json", []byte(`{"level":50,"time":1709528767125,"pid":12,"hostname":"web1","msg":` + quoted(text) + "}\n")},
		}
	case "ruby_on_rails":
		return lines("production.log", "E, [2024-03-04T05:06:07.125123 #1234] ERROR -- : {}")(ev)
	case "sql":
		return []native{
			{"app.log", []byte("2024-03-04 05:06:07,125 ERROR db: " + text + "\n")},
			{"mysqld.log", []byte("2024-03-04T05:06:07.123456Z 12 [ERROR] [MY-010000] [Server] " + text + "\n")},
			{"postgresql.log", []byte("2024-03-04 05:06:07.125 UTC [1234] bob@shop ERROR:  " + text + "\n")},
		}
	}
	return lines("app.log", "2024-03-04 05:06:07.125 ERROR [http-nio-8080-exec-1] c.e.App - {}")(ev)
}

func quoted(s string) string {
	out, _ := json.Marshal(s)
	return string(out)
}

// request is a web request in the terms of access logs.
type request struct {
	method, uri, status, agent, referer, host, user, client, server, content, cookie string
	ok                                                                               bool
}

// requestOf reads a rule's names of web requests.
func requestOf(ev *synthetic) (r request) {
	r = request{method: "GET", status: "200", agent: "Mozilla/5.0", referer: "-", host: "-", user: "-", client: "198.51.100.7", server: "192.0.2.5", ok: true}
	stem, query, extension := "", "", ""
	for _, f := range ev.names() {
		v := ev.fields[f]
		switch f {
		case "cs-method":
			r.method = v
		case "c-uri", "cs-uri":
			r.uri = v
		case "cs-uri-stem", "c-uri-path":
			stem = v
		case "cs-uri-query", "c-uri-query":
			query = v
		case "c-uri-extension":
			extension = v
		case "sc-status":
			r.status = v
		case "cs-user-agent", "c-useragent":
			r.agent = v
		case "cs-referer", "cs-referrer":
			r.referer = v
		case "cs-host", "r-dns":
			r.host = v
		case "cs-username":
			r.user = v
		case "cs-content-type":
			r.content = v
		case "cs-cookie":
			r.cookie = v
		case "dst_ip":
			r.server = v
		case "src_ip", "c-ip":
			r.client = v
		default:
			r.ok = false
		}
	}
	for f := range ev.absent {
		switch f {
		case "cs-user-agent", "c-useragent":
			r.agent = "-"
		case "cs-username", "cs-referer", "cs-referrer":
		default:
			r.ok = false
		}
	}
	for _, k := range ev.keywords {
		if strings.ContainsAny(k, " \"\t") {
			r.agent += " " + k
		} else if r.uri == "" {
			query += k
		} else {
			r.uri += k
		}
	}
	if r.uri != "" && query != "" {
		r.uri += "?" + query
	}
	if r.uri == "" {
		if stem == "" {
			stem = "/"
		}
		if extension != "" {
			stem += "file." + extension
		}
		if path, rest, ok := strings.Cut(query, "?"); ok && strings.HasPrefix(path, "/") && stem == "/" { // rules say "query" and mean all of it
			stem, query = path, rest
			r.ok = r.ok && rest != "" // W3C logs have a column for what follows
		} else if strings.HasPrefix(query, "/") && stem == "/" && !strings.Contains(query, "=") {
			stem, query = query, ""
		}
		if r.uri = stem; query != "" {
			r.uri += "?" + strings.TrimPrefix(query, "?")
		}
	}
	if strings.HasSuffix(r.uri, "?") {
		r.ok = false
	}
	return r
}

// combined is a line of Apache's combined log.
func (r request) combined() string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	return fmt.Sprintf("%s - %s [04/Mar/2024:05:06:07 +0000] \"%s %s HTTP/1.1\" %s 512 \"%s\" \"%s\"\n", r.client, strings.ReplaceAll(r.user, " ", "%20"), r.method, escape.Replace(strings.ReplaceAll(r.uri, " ", "%20")), r.status, escape.Replace(r.referer), escape.Replace(r.agent))
}

// w3c is a log in the W3C format with all fields.
func (r request) w3c(software string) string {
	field := func(s string) string {
		if s == "" {
			return "-"
		}
		return strings.ReplaceAll(s, " ", "+")
	}
	path, query, _ := strings.Cut(r.uri, "?")
	if u, err := url.Parse(r.uri); err == nil && u.Host != "" {
		path = u.EscapedPath()
	}
	return "#Software: " + software + "\n#Version: 1.0\n#Date: 2024-03-04 05:06:07\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) cs-host cs(Cookie) sc-status sc-substatus sc-win32-status time-taken\n" +
		"2024-03-04 05:06:07 " + strings.Join([]string{field(r.server), r.method, field(path), field(query), "80", field(r.user), r.client, field(r.agent), field(r.referer), field(r.host), field(r.cookie), r.status, "0", "0", "15"}, " ") + "\n"
}

func webserver(ev *synthetic) (logs []native) {
	r := requestOf(ev)
	if !r.ok {
		return nil
	}
	if r.content == "" && r.host == "-" {
		logs = append(logs, native{"access.log", []byte(r.combined())})
	}
	if r.content == "" {
		logs = append(logs, native{"u_ex240304.log", []byte(r.w3c("Microsoft Internet Information Services 10.0"))})
	}
	return logs
}

// proxy writes an elaborated Squid log where that has all, the JSON of Suricata and Zeek as sensors beside a proxy, and a W3C log as Blue Coat writes.
func proxy(ev *synthetic) (logs []native) {
	r := requestOf(ev)
	if !r.ok {
		return nil
	}
	host := r.host
	full := r.uri
	if host == "-" {
		host = "www.example.invalid"
	}
	if u, err := url.Parse(full); err == nil && u.Host != "" {
		if r.host == "-" {
			host = u.Host
		}
	} else if !strings.HasPrefix(full, "http") {
		full = "http://" + host + "/" + strings.TrimPrefix(full, "/")
	}
	field := func(s string) string {
		if s == "" || s == "-" {
			return "-"
		}
		if strings.ContainsAny(s, ` "`) {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return s
	}
	path := full
	if _, rest, ok := strings.Cut(full, "://"); ok {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	path, query, _ := strings.Cut(path, "?")
	if agent, asked := ev.fields["c-useragent"]; asked && agent == "" { // other logs have a dash for none, or no such field
		r.agent = ""
		return append(logs, proxySensors(r, host)...)
	}
	bluecoat := "#Software: SGOS 6.7.5.1\n#Version: 1.0\n#Date: 2024-03-04 05:06:07\n#Fields: date time time-taken c-ip cs-username cs-auth-group s-supplier-name s-supplier-ip x-exception-id sc-filter-result cs-categories cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) s-ip sc-bytes cs-bytes cs(Cookie)\n" +
		"2024-03-04 05:06:07 15 " + strings.Join([]string{r.client, field(r.user), "-", "-", r.server, "-", "OBSERVED", `"none"`, field(r.referer), r.status, "TCP_NC_MISS", r.method, "text/html", "http", host, "80", field(path), field(strings.TrimSpace("?" + query)), "-", field(r.agent), "192.0.2.1", "512", "100", field(r.cookie)}, " ") + "\n"
	logs = append(logs, native{"bluecoat.log", []byte(bluecoat)})
	if r.agent == "Mozilla/5.0" && r.cookie == "" && r.referer == "-" {
		logs = append(logs, native{"access.log", []byte(fmt.Sprintf("1709528767.123    15 %s TCP_MISS/%s 512 %s %s - HIER_DIRECT/%s text/html\n", r.client, r.status, r.method, strings.ReplaceAll(full, " ", "%20"), r.server))})
	}
	if r.cookie == "" {
		logs = append(logs, proxySensors(r, host)...)
	}
	return logs
}

// proxySensors writes what Suricata and Zeek see of a request.
func proxySensors(r request, host string) (logs []native) {
	logs = append(logs, native{"eve.json", []byte(fmt.Sprintf(`{"timestamp":"2024-03-04T05:06:07.123456+0000","flow_id":1,"event_type":"http","src_ip":%s,"src_port":40000,"dest_ip":%s,"dest_port":80,"proto":"TCP","http":{"hostname":%s,"url":%s,"http_user_agent":%s,"http_method":%s,"protocol":"HTTP/1.1","status":%s,"length":512}}`+"\n",
		quoted(r.client), quoted(r.server), quoted(host), quoted(r.uri), quoted(r.agent), quoted(r.method), r.status))})
	return append(logs, native{"http.log", []byte(fmt.Sprintf(`{"_path":"http","ts":1709528767.123456,"uid":"C1","id.orig_h":%s,"id.orig_p":40000,"id.resp_h":%s,"id.resp_p":80,"trans_depth":1,"method":%s,"host":%s,"uri":%s,"version":"1.1","user_agent":%s,"request_body_len":0,"response_body_len":512,"status_code":%s}`+"\n",
		quoted(r.client), quoted(r.server), quoted(r.method), quoted(host), quoted(r.uri), quoted(r.agent), r.status))})
}

func dns(ev *synthetic) (logs []native) {
	query, kind := cmpOr(ev.fields["query"], "www.example.org"), cmpOr(ev.fields["record_type"], "A")
	answer := ev.fields["answer"]
	if strings.HasSuffix(query, ".") || strings.Contains(query, " ") {
		return nil // logs have names without the root's dot
	}
	if answer == "" {
		logs = append(logs, native{"query.log", []byte("04-Mar-2024 05:06:07.123 client @0x7f0000000000 198.51.100.7#40000 (" + query + "): query: " + query + " IN " + kind + " + (192.0.2.5)\n")})
		logs = append(logs, native{"dnsmasq.log", []byte("Mar  4 05:06:07 dnsmasq[123]: query[" + kind + "] " + query + " from 198.51.100.7\n")})
	}
	logs = append(logs, native{"dns.log", []byte(fmt.Sprintf(`{"_path":"dns","ts":1709528767.123456,"uid":"C1","id.orig_h":"198.51.100.7","id.orig_p":40000,"id.resp_h":"192.0.2.5","id.resp_p":53,"proto":"udp","query":%s,"qtype_name":%s,"rcode_name":"NOERROR","answers":[%s]}`+"\n", quoted(query), quoted(kind), quoted(answer)))})
	return logs
}

func firewall(ev *synthetic) []native {
	return []native{
		{"asa.log", []byte(fmt.Sprintf("Mar  4 05:06:07 fw1 : %%ASA-6-302013: Built inbound TCP connection 42 for outside:%s/40000 (%s/40000) to inside:%s/%s (%s/%s)\n",
			cmpOr(ev.fields["src_ip"], "198.51.100.7"), cmpOr(ev.fields["src_ip"], "198.51.100.7"), cmpOr(ev.fields["dst_ip"], "192.0.2.5"), cmpOr(ev.fields["dst_port"], "80"), cmpOr(ev.fields["dst_ip"], "192.0.2.5"), cmpOr(ev.fields["dst_port"], "80")))},
		{"forti.log", []byte(fmt.Sprintf("date=2024-03-04 time=05:06:07 devname=\"fw1\" devid=\"FGT1\" eventtime=1709528767123456789 tz=\"+0000\" logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip=%s srcport=40000 srcintf=\"port1\" dstip=%s dstport=%s dstintf=\"port2\" proto=6 action=\"accept\" policyid=1 service=\"HTTP\"\n",
			cmpOr(ev.fields["src_ip"], "198.51.100.7"), cmpOr(ev.fields["dst_ip"], "192.0.2.5"), cmpOr(ev.fields["dst_port"], "80")))},
	}
}

func antivirus(ev *synthetic) (logs []native) {
	signature, file := cmpOr(ev.fields["Signature"], "Test"), cmpOr(ev.fields["Filename"], `C:\x.exe`)
	if len(ev.keywords) > 0 {
		file += strings.Join(ev.keywords, " ")
	}
	clam := native{"clamav.log", []byte("Mar  4 05:06:07 web1 clamd[1234]: " + file + ": " + signature + "(0123456789abcdef0123456789abcdef:68) FOUND\n")}
	defender := &synthetic{rule: ev.rule, fields: map[string]string{"EventID": "1116", "Threat Name": signature, "Path": file}}
	windows, _ := eventLog(defender, eventPlace{channel: "Microsoft-Windows-Windows Defender/Operational", provider: "Microsoft-Windows-Windows Defender"})
	cef := native{"cef.log", []byte("CEF:0|Example|AntiVirus|1.0|100|Malware found|8|rt=1709528767123 cat=malware dvchost=ws01 fname=" + strings.ReplaceAll(file, `\`, `\\`) + " cs1Label=VirusName cs1=" + strings.ReplaceAll(signature, `\`, `\\`) + "\n")}
	_ = cef
	return append(logs, windows, clam)
}

func netflow(ev *synthetic) []native {
	return []native{object("netflow.ndjson", `{"@timestamp":"2024-03-04T05:06:07.125Z","ecs":{"version":"8.11.0"},"event":{"category":["network"],"action":"netflow_flow","dataset":"netflow.log"},"netflow":{"type":"netflow_flow","exporter":{"address":"192.0.2.1:2055","version":9}},"source":{"ip":"198.51.100.7","port":40000},"destination":{"ip":"192.0.2.5"},"network":{"transport":"tcp"}}`, ev, put)}
}
