package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/prose"
)

// In a cloud there are no sessions: each call says who made it, from where. What
// a caller did about the time of a finding, whether a rule thought anything of
// it or not, is what a session is on a host.

const (
	callersMost = 10   // accounts and addresses of one incident that are asked for
	callsAsked  = 5000 // calls
	callsEach   = 8    // told of each kind
)

// clouds are the services whose logs are of calls, by the beginning of their datasets' names.
var clouds = []struct{ dataset, name string }{
	{"aws.", "AWS"}, {"gcp.", "Google Cloud"}, {"azure.", "Azure"}, {"o365.", "Microsoft 365"}, {"google_workspace.", "Google Workspace"},
	{"kubernetes.", "Kubernetes"},
}

// cloudOf names the cloud that a log is of; "" when it is of none.
func cloudOf(dataset string) string {
	for _, c := range clouds {
		if strings.HasPrefix(dataset, c.dataset) {
			return c.name
		}
	}
	return ""
}

// cloudCalls says what calls do that matters afterwards, by the last part of
// their names in lower case (google.iam.admin.v1.CreateServiceAccountKey), in
// Kubernetes by verb and resource.
var cloudCalls = map[string]string{
	"attachuserpolicy": "rights given", "attachrolepolicy": "rights given", "attachgrouppolicy": "rights given", "putuserpolicy": "rights given", "putrolepolicy": "rights given",
	"putgrouppolicy": "rights given", "addusertogroup": "rights given", "updateassumerolepolicy": "rights given", "setdefaultpolicyversion": "rights given", "setiampolicy": "rights given",
	"add member to role": "rights given", "add eligible member to role": "rights given", "add app role assignment to service principal": "rights given",
	"add delegated permission grant": "rights given", "consent to application": "rights given", "microsoft.authorization/roleassignments/write": "rights given", "add-mailboxpermission": "rights given",
	"createaccesskey": "keys made", "createloginprofile": "keys made", "updateloginprofile": "keys made", "createserviceaccountkey": "keys made", "add service principal credentials": "keys made",
	"stoplogging": "logs destroyed", "deletetrail": "logs destroyed", "deleteflowlogs": "logs destroyed", "deleteloggroup": "logs destroyed", "deletesink": "logs destroyed",
	"microsoft.insights/diagnosticsettings/delete": "logs destroyed",
	"deletedetector": "defences down", "deleteconfigurationrecorder": "defences down", "stopconfigurationrecorder": "defences down",
	"getsecretvalue": "secrets read", "accesssecretversion": "secrets read", "secretget": "secrets read",
	"deletedbinstance": "data destroyed", "deletedbcluster": "data destroyed", "deletebucket": "data destroyed", "deletesnapshot": "data destroyed", "deletedbsnapshot": "data destroyed", "schedulekeydeletion": "data destroyed",
	"get secrets": "secrets read", "list secrets": "secrets read",
	"create pods": "workload started", "create deployments": "workload started", "create daemonsets": "workload started", "create jobs": "workload started", "create cronjobs": "workload started",
	"create pods/exec": "command in a pod", "get pods/exec": "command in a pod", "create pods/attach": "command in a pod",
	"create clusterrolebindings": "rights given", "create rolebindings": "rights given",
}

// call names what a call of a cloud does: in Kubernetes the verb alone does not.
func (r *record) call() string { return strings.TrimSpace(r.action + " " + r.object) }

// cloudCall reports whether a record is of a call that does such a thing.
func cloudCall(r *record, kind string) bool {
	if cloudOf(r.dataset) == "" {
		return false
	}
	name := strings.TrimSuffix(strings.ToLower(r.call()), ".")
	if !strings.Contains(name, "/") { // the type of a resource has dots as well
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	return cloudCalls[name] == kind
}

// cloudPlace is where a call was made: the account, as far as the record says.
func (r *record) cloudPlace() string {
	name := cloudOf(r.dataset)
	if name == "" || r.account == "" {
		return ""
	}
	if r.region != "" {
		return name + " account " + r.account + ", " + r.region
	}
	return name + " account " + r.account
}

// readCalls gathers what the callers of the group's findings did in a cloud.
func (g *group) readCalls(ctx context.Context, c *court) error {
	if g.merged {
		return nil
	}
	callers, sources := map[string]bool{}, map[string]bool{}
	s := span{noTime, noTime}
	for _, n := range g.nodes {
		if n.behaviour != other || n.begun == noTime || n.verdict.result == Failed && n.level <= findingLevel {
			continue
		}
		for i := range n.details {
			if r := &n.details[i]; cloudOf(r.dataset) != "" && r.user != "" && r.source != "" {
				callers[r.user], sources[r.source] = true, true
				if s.from == noTime {
					s = span{n.begun, n.done}
				}
				s.from, s.to = min(s.from, n.begun), max(s.to, n.done)
			}
		}
	}
	if len(callers) == 0 || len(callers) > callersMost || len(sources) > callersMost {
		return nil
	}
	if c.budget--; c.budget < 0 {
		return nil
	}
	calls, err := c.store.calls(ctx, sortedKeys(callers), sortedKeys(sources), span{s.from - int64(footprintReach), s.to + int64(footprintReach)}, callsAsked)
	if err != nil || len(calls) == 0 {
		return err
	}
	kinds := map[string][]record{}
	var order, read []string
	var taken, matter []record
	for _, r := range calls {
		k := r.call() + " " + r.outcome
		if kinds[k] == nil {
			order = append(order, k)
		}
		kinds[k] = append(kinds[k], r)
		if r.outcome != "failure" && objectRead(&r) {
			taken = append(taken, r)
		}
		if slices.ContainsFunc(actsOf(&r), func(a *act) bool { return slices.Index(impactLevels, a.level) >= 2 }) && len(matter) < maxCited {
			matter = append(matter, r)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(len(kinds[b]), len(kinds[a])) })
	var told []record
	for _, k := range order {
		told = append(told, spreadRecords(kinds[k], callsEach)...)
		text := cmp.Or(kinds[k][0].call(), "a call")
		if n := len(kinds[k]); n > 1 {
			text += " " + prose.Number(n) + " times"
		}
		if kinds[k][0].outcome == "failure" {
			text += ", refused"
		}
		read = append(read, text)
	}
	told = told[:min(len(told), maxCited)]
	sortRecords(told)
	number := prose.Count(len(calls), "call")
	if len(calls) == callsAsked {
		number = "the first " + number
	}
	text := fmt.Sprintf("%s of %s from %s, %s: %s", number, accountPhrase(sortedKeys(callers)), some(sortedKeys(sources), "addresses"),
		between(calls[0].time, calls[len(calls)-1].time), strings.Join(read[:min(len(read), 12)], "; "))
	if len(read) > 12 {
		text += "; and " + prose.Count(len(read)-12, "other kind")
	}
	g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(told)})
	g.quiet = append(g.quiet, told...)
	g.taken = taken
	g.records = append(g.records, matter...)
	return nil
}

// objectRead reports whether a call read an object of a cloud's storage.
func objectRead(r *record) bool {
	switch r.action {
	case "GetObject", "storage.objects.get", "GetBlob", "FileDownloaded":
		return true
	}
	return false
}
