package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// MongoDB's audit log in JSON: {"atype":"authenticate","ts":{"$date":…},"local":{…},"remote":{"ip":…,"port":…},
// "users":[{"user":…,"db":…}],"roles":[…],"param":{…},"result":18}. A result of 0 is a success, others are
// error codes. https://www.mongodb.com/docs/manual/reference/audit-message/mongo/
var _ = register(Format{
	Name:  "mongodb.audit",
	Title: "MongoDB audit log (JSON)",
	Group: "database",
	JSON: func(has func(string) bool) bool {
		return has("atype") && has("ts.$date") && has("param") || has("atype") && has("ts.$date") && has("result")
	},
	Lines: func(p *Params) LineDecoder { return (&mongoAudit{clock: p.Clock}).decode },
})

type mongoAudit struct {
	clock *timestamp.Clock
	scan  event.Scanner
}

const errNotMongoAudit = errorString("no atype and ts: not a record of MongoDB's audit log")

func (d *mongoAudit) decode(line string, b *event.Batch) error {
	leaves, err := d.scan.Scan(line, b)
	if err != nil {
		return err
	}
	var action, result, ip, port, user, asked, users string
	timed := false
	for i := range leaves {
		l := &leaves[i]
		switch l.Name.Path {
		case "atype":
			action = l.Value
			continue
		case "ts.$date":
			if l.Kind == event.Number {
				b.Event().Time, timed = d.clock.Epoch(l.Value)
			} else if ns, n, ok := d.clock.ISO(l.Value); ok && n == len(l.Value) {
				b.Event().Time, timed = ns, true
			}
			continue
		case "remote.ip":
			ip = l.Value
		case "remote.port":
			port = l.Value
		case "result":
			result = l.Value
		case "users":
			users = l.Value
		case "users.user":
			user = l.Value
		case "param.user":
			asked = l.Value
		}
		b.AddKind("mongodb.audit."+l.Name.Path, l.Value, l.Kind)
	}
	if action == "" {
		return errNotMongoAudit
	}
	if !timed {
		d.clock.NoTime()
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "mongodb.audit")
	b.Add("event.action", action)
	b.Add("event.category", "database")
	switch action {
	case "authenticate":
		b.Add("event.category", "authentication")
		b.Add("event.type", "start")
	case "logout":
		b.Add("event.category", "authentication")
		b.Add("event.type", "end")
	case "createUser", "dropUser", "dropAllUsersFromDatabase", "updateUser", "grantRolesToUser", "revokeRolesFromUser", "createRole", "updateRole", "dropRole", "grantPrivilegesToRole", "revokePrivilegesFromRole":
		b.Add("event.category", "iam")
		b.Add("event.type", "change")
		b.Add("user.target.name", asked)
	case "authCheck":
		b.Add("event.type", "access")
	default:
		b.Add("event.type", "info")
	}
	switch {
	case result == "0":
		b.Add("event.outcome", "success")
	case result != "":
		b.Add("event.outcome", "failure")
		b.Add("error.code", result)
	}
	if isIP(ip) {
		addSource(b, ip, port)
	}
	if user == "" && strings.HasPrefix(users, "[") {
		user = jsonMember(users[1:], "user")
	}
	if user == "" && action == "authenticate" {
		user = asked
	}
	b.Add("user.name", strings.Trim(user, `"`))
	return nil
}
