package simulate

import (
	"fmt"
	"time"
)

// The company's account at a cloud provider, whose control plane AWS
// CloudTrail records: one record a line, as it is delivered to a collector
// (CloudTrail event reference, version 1.09).

const (
	cloudAccount = "210987654321"
	cloudRegion  = "eu-central-1"
	office1      = "192.0.2.1" // what the company's own people come from
)

// cloudCall is one call of the provider's interface.
type cloudCall struct {
	who, key     string // IAM user and its access key; "" for a role
	role         string
	from, agent  string
	service      string // "iam"
	name         string
	request      string // JSON, "" for null
	failed       string // error code
	write, data  bool
	bucket       string
	out          int64
	consoleLogin bool
}

func (w *world) newCloud(h *host) {
	if !w.o.without(h.name, "cloudtrail") {
		h.trail = w.newTextLog(h, "cloudtrail/"+cloudRegion+".jsonl")
	}
}

// call records a call.
func (h *host) call(a *actor, c cloudCall) {
	l := h.trail
	if l == nil {
		return
	}
	h.calls++
	at := time.UnixMicro(h.time()).UTC().Format("2006-01-02T15:04:05Z")
	id := func(salt uint64) string {
		x, y := nidsMix(uint64(h.calls)^salt<<40^h.w.o.Seed<<20), nidsMix(uint64(h.calls)<<8^salt)
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(x), uint16(x>>32), uint16(x>>48)&0xfff, uint16(y)&0xfff, y>>16)
	}
	l.line = append(l.line, `{"eventVersion":"1.09","userIdentity":`...)
	if c.role != "" {
		l.line = fmt.Appendf(l.line, `{"type":"AssumedRole","principalId":"AROAEXAMPLE%s:%s","arn":"arn:aws:sts::%s:assumed-role/%s/%s","accountId":"%s","accessKeyId":"ASIAEXAMPLE%s","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE%s","arn":"arn:aws:iam::%s:role/%s","accountId":"%s","userName":"%s"},"attributes":{"creationDate":"%s","mfaAuthenticated":"false"}}}`,
			c.role, c.who, cloudAccount, c.role, c.who, cloudAccount, c.role, c.role, cloudAccount, c.role, cloudAccount, c.role, at)
	} else {
		l.line = fmt.Appendf(l.line, `{"type":"IAMUser","principalId":"AIDAEXAMPLE%s","arn":"arn:aws:iam::%s:user/%s","accountId":"%s"`, c.who, cloudAccount, c.who, cloudAccount)
		if c.key != "" {
			l.line = fmt.Appendf(l.line, `,"accessKeyId":"%s"`, c.key)
		}
		l.line = fmt.Appendf(l.line, `,"userName":"%s"}`, c.who)
	}
	l.line = fmt.Appendf(l.line, `,"eventTime":"%s","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"%s","userAgent":"%s"`,
		at, c.service, c.name, cloudRegion, c.from, c.agent)
	if c.failed != "" {
		l.line = fmt.Appendf(l.line, `,"errorCode":"%s","errorMessage":"User: arn:aws:iam::%s:user/%s is not authorized to perform: %s:%s"`, c.failed, cloudAccount, c.who, c.service, c.name)
	}
	request := c.request
	if request == "" {
		request = "null"
	}
	answer := "null"
	if c.consoleLogin {
		answer = `{"ConsoleLogin":"Success"}`
		if c.failed != "" {
			answer = `{"ConsoleLogin":"Failure"}`
		}
	}
	l.line = fmt.Appendf(l.line, `,"requestParameters":%s,"responseElements":%s`, request, answer)
	if c.data {
		l.line = fmt.Appendf(l.line, `,"additionalEventData":{"bytesTransferredIn":0,"bytesTransferredOut":%d,"SignatureVersion":"SigV4"}`, c.out)
	}
	if c.consoleLogin {
		l.line = append(l.line, `,"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/","MobileVersion":"No","MFAUsed":"Yes"}`...)
	}
	kind, category := "AwsApiCall", "Management"
	if c.consoleLogin {
		kind = "AwsConsoleSignIn"
	}
	if c.data {
		category = "Data"
	}
	l.line = fmt.Appendf(l.line, `,"requestID":"%s","eventID":"%s","readOnly":%t,"eventType":"%s","managementEvent":%t,"recipientAccountId":"%s","eventCategory":"%s"}`,
		id(1), id(2), !c.write, kind, !c.data, cloudAccount, category)
	l.end(a.mark)
}

const (
	boto = "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#6.1 lang/python#3.11"
	cli  = "aws-cli/2.15.38 Python/3.11.8 Linux/6.5.0 exe/x86_64.ubuntu.22 prompt/off command/"
)

// cloudKey is a made-up access key id of a user.
func (w *world) cloudKey(user string) string {
	rng := w.random("cloud key " + user)
	b := []byte("AKIAEXAMPLE")
	for range 9 {
		b = append(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[rng.below(32)])
	}
	return string(b)
}

// liveCloud is the everyday use of the account.
func (w *world) liveCloud(h *host) {
	if h.trail == nil {
		return
	}
	w.spawn("cloud deploys", w.now, func(a *actor) {
		key := w.cloudKey("svc-deploy")
		for {
			a.busy(25 * minute)
			by := cloudCall{who: "svc-deploy", key: key, from: office1, agent: boto}
			step := func(service, name, request string, write bool) {
				c := by
				c.service, c.name, c.request, c.write = service, name, request, write
				h.call(a, c)
				a.pause(200*msec, 3*second)
			}
			step("sts", "GetCallerIdentity", "", false)
			step("ecr", "GetAuthorizationToken", "", false)
			step("ecs", "DescribeServices", `{"cluster":"shop","services":["web"]}`, false)
			step("ecs", "UpdateService", `{"cluster":"shop","service":"web","forceNewDeployment":true}`, true)
			for range a.between(1, 5) {
				c := by
				c.service, c.name, c.data, c.out = "s3", "GetObject", true, a.between(1000, 400_000)
				c.request = fmt.Sprintf(`{"bucketName":"shop-artifacts","key":"build/%d.tgz"}`, a.rng.below(4000))
				h.call(a, c)
				a.pause(100*msec, second)
			}
		}
	})
	w.spawn("cloud monitor", w.now, func(a *actor) {
		for {
			a.wait(5*minute + a.between(0, 2*second))
			for _, name := range []string{"DescribeInstances", "DescribeInstanceStatus"} {
				h.call(a, cloudCall{who: "monitor", role: "monitoring", from: "192.0.2.123", agent: boto, service: "ec2", name: name})
			}
		}
	})
	for _, p := range w.people {
		if p.role == office {
			continue
		}
		w.spawn("cloud "+p.name, w.now, func(a *actor) {
			for {
				a.busy(3 * hour)
				by := cloudCall{who: p.name, from: office1, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0"}
				c := by
				c.service, c.name, c.consoleLogin, c.write = "signin", "ConsoleLogin", true, true
				h.call(a, c)
				for range a.between(3, 20) {
					a.pause(2*second, 90*second)
					c := by
					one := pick(&a.rng, []cloudCall{
						{service: "ec2", name: "DescribeInstances"}, {service: "ec2", name: "DescribeSecurityGroups"}, {service: "s3", name: "ListBuckets"},
						{service: "cloudwatch", name: "GetMetricData"}, {service: "logs", name: "FilterLogEvents"}, {service: "iam", name: "ListUsers"},
						{service: "rds", name: "DescribeDBInstances"}, {service: "lambda", name: "ListFunctions20150331"},
					})
					c.service, c.name = one.service, one.name
					if p.role == admin && a.rng.chance(30) {
						c.service, c.name, c.write, c.request = "ec2", "AuthorizeSecurityGroupIngress", true, `{"groupId":"sg-0a1b2c3d","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"ipRanges":{"items":[{"cidrIp":"192.0.2.0/24"}]}}]}}`
					}
					h.call(a, c)
				}
			}
		})
	}
}

var _ = campaign(Campaign{
	Name:  "cloud-key-abuse",
	Title: "A deployment key that leaked is used from elsewhere: an administrator is made, the trail is stopped, data is taken",
	Run: func(k *attack) {
		w, a, h := k.w, k.actor, k.w.cloud
		k.user("svc-deploy")
		k.tells("aws1/cloudtrail")
		key := w.cloudKey("svc-deploy")
		agent := pick(&k.rng, []string{cli + "iam", boto, "Boto3/1.28.1 md/Botocore#1.31.1 ua/2.0 os/linux#5.10-kali lang/python#3.11"})
		call := func(service, name, request, failed string, write bool) {
			h.call(a, cloudCall{who: "svc-deploy", key: key, from: k.source(), agent: agent, service: service, name: name, request: request, failed: failed, write: write})
			k.lull(second, 20*second)
		}
		k.step("T1078.004", "key", "uses the key of svc-deploy and asks who it is")
		call("sts", "GetCallerIdentity", "", "", false)
		k.succeeds()
		k.fact("access", "svc-deploy", "the account is used with the key of svc-deploy")
		k.step("T1580", "look", "looks around")
		for _, c := range [][3]string{{"iam", "ListUsers", ""}, {"iam", "ListAttachedUserPolicies", "AccessDenied"}, {"iam", "GetAccountAuthorizationDetails", "AccessDenied"}, {"s3", "ListBuckets", ""},
			{"ec2", "DescribeInstances", ""}, {"secretsmanager", "ListSecrets", "AccessDenied"}, {"rds", "DescribeDBSnapshots", ""}, {"organizations", "ListAccounts", "AccessDenied"}} {
			call(c[0], c[1], "", c[2], false)
		}
		k.step("T1136.003", "account", "makes an administrator of its own")
		name := pick(&k.rng, []string{"backup-admin", "svc-audit", "support-ops"})
		k.user(name)
		call("iam", "CreateUser", fmt.Sprintf(`{"userName":"%s"}`, name), "", true)
		k.fact("account-created", name, "the account %s was made", name)
		k.step("T1098.003", "rights", "gives it all rights and a key")
		call("iam", "AttachUserPolicy", fmt.Sprintf(`{"userName":"%s","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}`, name), "", true)
		call("iam", "CreateAccessKey", fmt.Sprintf(`{"userName":"%s"}`, name), "", true)
		k.fact("privilege", name, "%s may do everything", name)
		k.step("T1562.008", "trail", "stops the trail's logging")
		call("cloudtrail", "StopLogging", `{"name":"arn:aws:cloudtrail:eu-central-1:210987654321:trail/main"}`, "", true)
		k.fact("defences-down", "trail main", "the trail main was told to stop")
		k.step("T1530", "data", "reads the customers' exports")
		var out int64
		from := k.source()
		for i := range k.between(40, 200) {
			n := k.between(200_000, 9_000_000)
			out += n
			h.call(a, cloudCall{who: "svc-deploy", key: key, from: from, agent: agent, service: "s3", name: "GetObject", data: true, out: n,
				request: fmt.Sprintf(`{"bucketName":"shop-customer-exports","key":"export/part-%05d.parquet"}`, i)})
			k.lull(80*msec, 900*msec)
		}
		k.fact("data-out", "shop-customer-exports", "about %d MB of exports were read", out/1_000_000)
	},
})
