package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// MIT Kerberos' key distribution centre (kdc_util.c, log_as_req and log_tgs_req):
//
//	AS_REQ (8 etypes {18 17}) 192.0.2.5: ISSUE: authtime 1710000000, etypes {…}, alice@EXAMPLE.COM for krbtgt/EXAMPLE.COM@EXAMPLE.COM
//	AS_REQ (8 etypes {18 17}) 192.0.2.5: CLIENT_NOT_FOUND: bob@EXAMPLE.COM for krbtgt/…, Client not found in Kerberos database
//	TGS_REQ (8 etypes {18 17}) 192.0.2.5: ISSUE: authtime …, etypes {…}, alice@EXAMPLE.COM for host/web.example.com@EXAMPLE.COM
//
// and its administration server: "Request: kadm5_create_principal, eve@EXAMPLE.COM, success,
// client=root/admin@EXAMPLE.COM, service=kadmin/admin@EXAMPLE.COM, addr=192.0.2.5".
var _ = registerProgram(program{Names: []string{"krb5kdc"}, Dataset: datasetAuth, Decode: decodeKDC})
var _ = registerProgram(program{Names: []string{"kadmind"}, Dataset: datasetAuth, Decode: decodeKadmin})

func decodeKDC(m *message, b *event.Batch) bool {
	s := m.Text
	action := "kerberos_as_request"
	rest, ok := strings.CutPrefix(s, "AS_REQ ")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "TGS_REQ "); !ok {
			if why, ok := strings.CutPrefix(s, "preauth ("); ok { // "preauth (encrypted_timestamp) verify failure: …"
				b.Add("event.reason", "preauth ("+why)
				classify(b, "authentication", "info", "kerberos_preauthentication", "failure")
				return true
			}
			return false
		}
		action = "kerberos_tgs_request"
	}
	if _, after, ok := strings.Cut(rest, ") "); ok && strings.HasPrefix(rest, "(") {
		rest = after
	}
	address, rest, ok := strings.Cut(rest, ": ")
	if i := strings.LastIndexByte(address, '@'); i >= 0 { // "192.0.2.5@88" of some versions
		address = address[:i]
	}
	address, _ = unbracket(address)
	status, rest, cut := strings.Cut(rest, ": ")
	if !ok || !cut || ipVersion(address) == 0 {
		return false
	}
	addSource(b, address, "")
	outcome := "failure"
	switch status {
	case "ISSUE":
		outcome = "success"
		if _, after, ok := strings.Cut(rest, "}, "); ok {
			rest = after
		}
	case "NEEDED_PREAUTH", "MORE_PREAUTH_DATA_REQUIRED": // a step of every request
		outcome = "unknown"
	default:
		if after, ok := strings.CutPrefix(rest, "authtime "); ok { // as for tickets: "authtime 0, alice@… for …"
			_, rest, _ = strings.Cut(after, ", ")
		}
	}
	client, service, ok := strings.Cut(rest, " for ")
	if !ok {
		return false
	}
	service, why, _ := strings.Cut(service, ", ")
	user, realm, _ := cutLast(client, "@")
	b.Add("user.name", user)
	b.Add("user.domain", realm)
	b.Add("service.name", service)
	b.Add("event.code", status)
	b.Add("event.reason", why)
	classify(b, "authentication", "info", action, outcome)
	return true
}

func decodeKadmin(m *message, b *event.Batch) bool {
	s, ok := strings.CutPrefix(m.Text, "Request: ")
	if !ok {
		return false
	}
	call, s, _ := strings.Cut(s, ", ")
	principal, s, ok := strings.Cut(s, ", ")
	result, s, more := strings.Cut(s, ", client=")
	if !ok || !more {
		return false
	}
	client, s, _ := strings.Cut(s, ", ")
	user, realm, _ := cutLast(client, "@")
	b.Add("user.name", user)
	b.Add("user.domain", realm)
	target, _, _ := cutLast(principal, "@")
	b.Add("user.target.name", target)
	if _, address, ok := strings.Cut(s, "addr="); ok {
		address, _, _ = strings.Cut(address, ",")
		addSource(b, address, "")
	}
	outcome := "success"
	if result != "success" {
		outcome = "failure"
		b.Add("event.reason", result)
	}
	typ := "info"
	switch {
	case strings.Contains(call, "create"):
		typ = "creation"
	case strings.Contains(call, "delete"):
		typ = "deletion"
	case strings.Contains(call, "modify"), strings.Contains(call, "chpass"), strings.Contains(call, "cpw"), strings.Contains(call, "randkey"), strings.Contains(call, "rename"):
		typ = "change"
	}
	b.Add("event.category", "iam")
	b.Add("event.type", "user")
	b.Add("event.type", typ)
	b.Add("event.action", call)
	b.Add("event.outcome", outcome)
	return true
}
