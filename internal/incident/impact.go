package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/prose"
)

// impactLevels are the values of Impact.Level that facts have, lowest first.
var impactLevels = []string{"none", "low", "medium", "high", "critical"}

const maxFacts = 20

// fact is a sentence of impact in the making: what was done, of one kind, on
// one host.
type fact struct {
	kind, host string
	level      int // rank in impactLevels
	first      int64
	subjects   []string
	cited      []string
	one, many  string
	extra      string // the sentence, where it is not made of the above
	events     int
}

// impact lists what an incident did, from the records of its findings and
// those that showed their success.
func (g *group) impact(ctx context.Context, c *court, o Outcome) (Impact, error) {
	facts := map[[2]string]*fact{}
	var order []*fact
	at := func(kind, host string) *fact {
		key := [2]string{kind, host}
		f := facts[key]
		if f == nil {
			f = &fact{kind: kind, host: host, first: noTime}
			facts[key] = f
			order = append(order, f)
		}
		return f
	}
	done := map[string]bool{}
	take := func(r *record) bool {
		as := actsOf(r)
		for _, a := range as {
			if done[a.kind+r.id] {
				continue
			}
			done[a.kind+r.id] = true
			f := at(a.kind, hostName(r.host))
			f.one, f.many = a.one, a.many
			g.techniques = append(g.techniques, techniqueOf(a, r))
			level := slices.Index(impactLevels, a.level)
			if a.kind == "login" && (userWeight(userName(r.user)) == weightSystemUser || userName(r.user) == "administrator") {
				level = slices.Index(impactLevels, "high")
			}
			f.level = max(f.level, level)
			if r.time != noTime && (f.first == noTime || r.time < f.first) {
				f.first = r.time
			}
			if s := show(a.subject(r)); s != "" && !slices.Contains(f.subjects, s) {
				f.subjects = append(f.subjects, s)
			}
			f.cited = append(f.cited, r.id)
		}
		return slices.ContainsFunc(as, func(a *act) bool { return a.kind != "programs" && a.kind != "files" && a.kind != "login" })
	}
	for _, n := range g.nodes {
		told := false // that something was done, which its techniques need not say again
		if n.behaviour == other || n.verdict.result == Succeeded {
			for i := range n.details {
				told = take(&n.details[i]) || told
			}
		}
		for i := range n.verdict.followed {
			r := &n.verdict.followed[i]
			told = take(r) || told
			if n.behaviour == webAttack && !r.is("web") {
				f := at("foreign code", hostName(cmp.Or(r.host, single(n.hosts))))
				f.level, f.one, f.many = 3, "program was run or address called by the web server under attack", "programs were run or addresses called by the web server under attack"
				if f.first == noTime || r.time < f.first {
					f.first = r.time
				}
				what := programPhrase(r)
				if r.is("network") {
					what = show(r.destination) + " port " + show(cmp.Or(r.port, "unknown"))
				}
				if !slices.Contains(f.subjects, what) {
					f.subjects = append(f.subjects, what)
				}
				f.cited = append(f.cited, r.id)
			}
			if n.behaviour == webAttack && r.is("web") && r.size > 0 {
				f := at("data out", hostName(r.host))
				f.level, f.one = 3, "data went out in an answer of the web server"
				f.subjects = append(f.subjects, prose.Size(r.size)+" from "+show(r.urlPath))
				f.first, f.cited, told = r.time, append(f.cited, r.id), true
			}
		}
		if n.verdict.result == Succeeded || n.verdict.result == Mixed {
			if !told && n.behaviour == other {
				techniqueFact(n, facts, at)
			}
		}
		if n.behaviour == scanning && n.verdict.result != Succeeded {
			f := at("probes", "")
			f.one, f.many = "probe was received", "probes were received"
			f.extra = prose.Count(n.f.Count, "recorded probe was received", "recorded probes were received") + ": services that answered are known to who sent them"
			f.cited = append(f.cited, evidenceIDs(n.f, attempts)...)
		}
	}
	for i := range g.records {
		take(&g.records[i])
	}
	for _, s := range g.sessions {
		for i := range s.visits {
			r := &s.visits[i]
			name := cmp.Or(r.file, r.share)
			if !r.is("file") || name == "" || r.outcome == "failure" {
				continue
			}
			f := at("files asked for", hostName(r.host))
			f.one, f.many, f.level = "file or share was asked for", "files or shares were asked for", 1
			if f.first == noTime {
				f.first = r.time
			}
			if !slices.Contains(f.subjects, show(name)) {
				f.subjects = append(f.subjects, show(name))
			}
			f.cited = append(f.cited, r.id)
		}
	}
	if err := g.dataOut(ctx, c, at); err != nil {
		return Impact{}, err
	}
	for i := range g.began {
		r := &g.began[i]
		f := at("new service", hostName(r.host))
		f.one, f.many, f.level = "service began to run that had not before", "services began to run that had not before", 2
		if f.first == noTime {
			f.first = r.time
		}
		f.subjects = append(f.subjects, show(strings.TrimSuffix(strings.TrimPrefix(r.message, "Started "), ".")))
		f.cited = append(f.cited, r.id)
	}
	for _, s := range g.sent {
		if facts[[2]string{"data out", s.to}] != nil {
			continue
		}
		f := at("data out", s.to)
		f.level = 2
		if s.bytes >= 10*sentMuch {
			f.level = 3
		}
		f.extra = fmt.Sprintf("%s went out from %s to %s in %s", prose.Size(s.bytes), hostPhrase(s.host), show(s.to), prose.Count(len(s.flows), "recorded connection"))
		f.cited = idsOf(s.flows[:min(len(s.flows), attempts)])
		g.quiet = append(g.quiet, s.flows[:min(len(s.flows), attempts)]...)
		g.techniques = append(g.techniques, "T1041")
	}
	if n := len(g.taken); n > 0 {
		f := at("data out", "cloud")
		f.level = 2
		f.extra = prose.Count(n, "object was read from the cloud's storage", "objects were read from the cloud's storage") + " by " + accountPhrase(names(usersOf(g.taken)))
		f.cited = idsOf(spreadRecords(g.taken, attempts))
		g.quiet = append(g.quiet, spreadRecords(g.taken, attempts)...)
	}
	g.hostsReached(at)

	impact := Impact{Level: "none", Facts: []Sentence{}}
	slices.SortFunc(order, func(a, b *fact) int {
		return cmp.Or(cmp.Compare(b.level, a.level), strings.Compare(a.kind, b.kind), strings.Compare(a.host, b.host))
	})
	most := 0
	for _, f := range order {
		if len(f.cited) == 0 {
			continue
		}
		most = max(most, f.level)
		if len(impact.Facts) < maxFacts {
			impact.Facts = append(impact.Facts, f.sentence())
		}
	}
	switch {
	case most > 0:
		impact.Level = impactLevels[most]
	case o.Result == Failed && g.covered():
		text := fmt.Sprintf("no effect of %s is recorded: every attempt failed, and the logs that would show a success cover the time", prose.Count(g.events(), "attempt"))
		impact.Facts = append(impact.Facts, Sentence{sentence(text), g.cited(maxCited)})
	case o.Result == Succeeded || o.Result == Mixed:
		impact.Level = "low"
		for _, w := range o.Why[:min(len(o.Why), 3)] {
			impact.Facts = append(impact.Facts, w)
		}
	case len(impact.Facts) > 0 && o.Result == Failed:
	default:
		impact.Level = "unknown"
	}
	return impact, nil
}

func (f *fact) sentence() Sentence {
	cited := cite(f.cited)
	n := max(len(f.subjects), 1)
	if f.kind == "root commands" || f.kind == "programs" || f.kind == "login" || len(f.subjects) == 0 {
		n = max(n, len(cited))
	}
	text := f.extra
	if text == "" {
		text = "1 " + f.one
		if f.many == "" {
			text = f.one
		} else if n > 1 {
			text = prose.Number(n) + " " + f.many
		}
		if f.host != "" {
			text += " on " + hostPhrase(f.host)
		}
		if len(f.subjects) > 0 {
			text += ": " + list(f.subjects, 5)
		}
		if f.first != noTime {
			if n > 1 {
				text += ", the first at " + clock(f.first)
			} else {
				text += ", at " + clock(f.first)
			}
		}
	}
	return Sentence{sentence(text), cited[:min(len(cited), maxCited)]}
}

// techniqueFact adds what the finding's techniques mean where its records did
// not say it.
func techniqueFact(n *node, facts map[[2]string]*fact, at func(kind, host string) *fact) {
	host := ""
	if len(n.hosts) == 1 {
		host = n.hosts[0]
	}
	done := map[string]bool{}
	for _, t := range techniqueFacts {
		if done[t.kind] || !technique(n.f, t.technique) {
			continue
		}
		done[t.kind] = true
		level := slices.Index(impactLevels, t.level)
		if n.level == findingLevel && level > 2 && n.f.Kind != "sigma" {
			level = 2 // a statistical finding of medium level makes no high impact by itself
		}
		if f := facts[[2]string{t.kind, hostName(host)}]; f != nil && (t.kind == "programs" || t.kind == "login") && len(n.details) > 0 && slices.Contains(f.cited, n.details[0].id) {
			f.level = max(f.level, level) // its records are told there
			continue
		}
		f := at(t.kind+" by "+n.f.Rule.ID+n.f.Title, host)
		f.events += n.f.Count
		f.level = max(f.level, level)
		f.extra = fmt.Sprintf("sign of %s: %s (%s)", cmp.Or(signs[t.kind], t.kind), show(n.f.Title), prose.Count(f.events, "record"))
		if host != "" {
			f.extra += " on " + hostPhrase(host)
		}
		f.cited = append(f.cited, evidenceIDs(n.f, attempts)...)
	}
}

// dataOut adds how much went to addresses outside, for findings that say that
// something did.
func (g *group) dataOut(ctx context.Context, c *court, at func(kind, host string) *fact) error {
	const most = 5000
	asked := 0
	seen := map[string]bool{}
	for _, n := range g.nodes {
		if n.verdict.result == Failed || n.f.First == noTime || !tactic(n.f, "exfiltration") && !tactic(n.f, "command-and-control") {
			continue
		}
		to := outside(n.f.Entities.Destinations)
		var from []string
		for _, s := range n.f.Entities.Sources {
			if a, ok := parseAddress(s); ok && (!isOutside(a) || c.owner[a.String()] != "") {
				from = append(from, s)
			}
		}
		key := strings.Join(to, " ") + "|" + strings.Join(from, " ")
		if len(to) == 0 || len(from) == 0 || seen[key] || asked == 10 {
			continue
		}
		seen[key] = true
		asked++
		flows, err := c.store.flows(ctx, from, to, window(n, 0), most)
		if err != nil {
			return err
		}
		flows = slices.DeleteFunc(flows, func(r record) bool { return r.sentBytes == 0 || r.has("denied") })
		if len(flows) == 0 {
			continue
		}
		full := len(flows) == most
		flows = distinct(flows)
		total := int64(0)
		for _, r := range flows {
			total += r.sentBytes
		}
		slices.SortStableFunc(flows, func(a, b record) int { return cmp.Compare(b.sentBytes, a.sentBytes) })
		if len(to) == 1 {
			key = to[0] // as g.sent
		}
		f := at("data out", key)
		f.level = 1
		if total >= 10<<20 || tactic(n.f, "exfiltration") {
			f.level = 3
		} else if total >= 1<<20 {
			f.level = 2
		}
		f.extra = fmt.Sprintf("%s went out from %s to %s in %s", prose.Size(total), some(from, "addresses"), some(to, "addresses"), prose.Count(len(flows), "recorded connection"))
		if full {
			f.extra = "at least " + f.extra
		}
		f.cited = append(f.cited, idsOf(flows[:min(len(flows), attempts)])...)
	}
	return nil
}

// distinct leaves one record of each connection, as two sensors write of it: the
// same client's and server's address and port, begun within a minute. It keeps
// the one with the most bytes.
func distinct(flows []record) []record {
	type connection struct{ source, sourcePort, destination, port string }
	last := map[connection]int{} // in out
	out := make([]record, 0, len(flows))
	for _, r := range flows {
		k := connection{r.source, r.sourcePort, r.destination, r.port}
		i, ok := last[k]
		if ok && r.sourcePort != "" && max(r.began()-out[i].began(), out[i].began()-r.began()) <= int64(time.Minute) {
			if r.sentBytes > out[i].sentBytes {
				out[i] = r
			}
			continue
		}
		last[k] = len(out)
		out = append(out, r)
	}
	return out
}

func usersOf(rs []record) []string {
	us := make([]string, len(rs))
	for i := range rs {
		us[i] = rs[i].user
	}
	return us
}

// signs are the kinds of facts as what a record is a sign of.
var signs = map[string]string{
	"account created": "an account created", "backups destroyed": "backups destroyed", "defences down": "defences switched off", "service stopped": "a service stopped",
	"login": "another's account used", "hosts reached": "another host reached", "programs": "foreign code run", "service disturbed": "a service disturbed",
}

// hostsReached adds on how many hosts the intruder got somewhere, from two on.
func (g *group) hostsReached(at func(kind, host string) *fact) {
	reached := map[string]string{}
	for _, n := range g.nodes {
		if n.verdict.result != Succeeded || n.stage == recon {
			continue
		}
		for _, r := range n.verdict.followed {
			if h := hostName(r.host); h != "" && reached[h] == "" {
				reached[h] = r.id
			}
		}
		for _, r := range n.details {
			if h := hostName(r.host); h != "" && reached[h] == "" && len(actsOf(&r)) > 0 {
				reached[h] = r.id
			}
		}
	}
	if len(reached) < 2 || g.merged {
		return
	}
	hosts := make([]string, 0, len(reached))
	for h := range reached {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	f := at("hosts reached", "*")
	f.level = 3
	f.extra = prose.Count(len(hosts), "host was reached", "hosts were reached") + ": " + list(hosts, 10)
	for _, h := range hosts {
		f.cited = append(f.cited, reached[h])
	}
}

// covered reports whether every failure is known from a log that would show success.
func (g *group) covered() bool {
	return !slices.ContainsFunc(g.nodes, func(n *node) bool {
		return n.stage > recon && !n.verdict.covered || n.verdict.result == Unknown && n.stage > recon
	})
}

// cited spreads up to most ids evenly over the group's findings.
func (g *group) cited(most int) []string {
	var all []string
	each := max(1, most/len(g.nodes))
	for _, n := range g.nodes {
		all = append(all, n.tried(each)...)
	}
	all = cite(all)
	return all[:min(len(all), most)]
}

// maxCited is how many records one sentence cites.
const maxCited = analyze.MaxEvidence
