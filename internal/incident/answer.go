package incident

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/prose"
)

const (
	maxWhat  = 20  // sentences
	maxNames = 100 // in a list of who and where
	maxSteps = 200
	maxAlike = 3    // findings of one technique that are told one by one
	maxIDs   = 1000 // findings named, first to last
)

// answer makes an incident of a group.
func (g *group) answer(ctx context.Context, c *court) (Incident, error) {
	if err := g.readSessions(ctx, c); err != nil {
		return Incident{}, err
	}
	if err := g.readTree(ctx, c); err != nil {
		return Incident{}, err
	}
	if err := g.readFootprint(ctx, c); err != nil {
		return Incident{}, err
	}
	if err := g.readWhose(ctx, c); err != nil {
		return Incident{}, err
	}
	if err := g.readOrigin(ctx, c); err != nil {
		return Incident{}, err
	}
	if err := g.readCalls(ctx, c); err != nil {
		return Incident{}, err
	}
	o := g.outcome()
	impact, err := g.impact(ctx, c, o)
	if err != nil {
		return Incident{}, err
	}
	inc := Incident{Outcome: o, Impact: impact, What: g.what(), Timeline: g.timeline()}
	inc.Score = g.score(o, impact.Level)
	inc.Severity = severityOf(inc.Score)
	inc.Title = g.title(o, impact)

	s := g.span()
	for _, n := range g.nodes { // what showed the success is part of it
		for _, r := range n.verdict.followed {
			if r.time != noTime && s.to != noTime {
				s.to = max(s.to, r.time)
			}
		}
	}
	inc.When = When{First: stamp(s.from), Last: stamp(s.to)}

	var hosts, sources, destinations, users, processes, techniques, tactics []string
	for _, n := range slices.Concat(g.nodes, g.context) {
		e := &n.f.Entities
		inc.Findings = append(inc.Findings, n.f.ID)
		sources = append(sources, e.Sources...)
		techniques = append(techniques, n.f.Techniques...)
		tactics = append(tactics, n.f.Tactics...)
		if n.level < findingLevel {
			continue // context adds what, not who
		}
		hosts = append(hosts, n.hosts...)
		hosts = append(hosts, c.callers(n)...)
		destinations = append(destinations, e.Destinations...)
		users = append(users, e.Users...)
		processes = append(processes, e.Processes...)
		for _, r := range n.verdict.tried {
			sources = append(sources, r.source)
		}
		for i := range n.details {
			if len(e.Sources)+len(n.verdict.tried) == 0 {
				sources = append(sources, n.details[i].origin())
			}
		}
		for _, r := range n.verdict.followed {
			hosts = append(hosts, r.host)
			users = append(users, r.user, r.effective)
			if n.behaviour == bruteForce || r.source != "" && slices.Contains(e.Destinations, r.source) {
				sources = append(sources, r.source)
			}
			processes = append(processes, cmp.Or(r.executable, r.process))
		}
	}
	for _, s := range g.sessions {
		hosts, users, sources = append(hosts, s.login.host), append(users, s.login.user), append(sources, s.login.source)
		for _, r := range s.commands {
			users = append(users, r.effective)
		}
	}
	for _, p := range g.tree {
		for i := range p.records {
			users = append(users, people([]string{p.records[i].user})...)
		}
	}
	users = append(users, g.movers...)
	hosts = append(hosts, g.at...)
	inc.When = g.when(inc.When)
	if o.Result == Succeeded || o.Result == Mixed {
		techniques = append(techniques, g.loginTechniques(c)...)
	}
	for _, t := range g.techniques { // the parent of one that is named says no more
		if !slices.ContainsFunc(slices.Concat(techniques, g.techniques), func(named string) bool { return strings.HasPrefix(named, t+".") }) {
			techniques = append(techniques, t)
		}
	}
	destinations = append(destinations, g.contacted...)
	sources = slices.DeleteFunc(sources, loopback)
	inc.Where = Where{Hosts: names(hosts), Sources: names(sources), Destinations: names(destinations), Logs: g.places(hosts)}
	inc.Who = Who{Users: names(users), SourceIPs: names(sources), Processes: names(processes)}
	inc.Techniques = names(techniques)
	inc.Tactics = sortTactics(append([]string{}, tactics...))
	inc.Findings = names2(inc.Findings, maxIDs)
	inc.ID = identify(inc.Findings)
	inc.Evidence = g.evidence(&inc)
	return inc, nil
}

func identify(findings []string) string {
	h := sha256.New()
	for _, f := range findings {
		fmt.Fprintf(h, "%d:%s", len(f), f)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func names(vs []string) []string { return names2(vs, maxNames) }

// names2 sorts values, each once, the first most of them; never nil.
func names2(vs []string, most int) []string {
	out := make([]string, 0, len(vs))
	for _, v := range vs {
		if v != "" && v != "-" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.Clip(out[:min(len(out), most)])
}

// when widens the time of the findings by that of the sessions they happened
// in and of what else is told of who got in.
func (g *group) when(w When) When {
	if w.First == "" {
		return w
	}
	first, last := parseTime(w.First), parseTime(w.Last)
	widen := func(t int64) {
		if t != noTime {
			first, last = min(first, t), max(last, t)
		}
	}
	for _, s := range g.sessions {
		widen(s.login.time)
		if s.end.id != "" {
			widen(s.end.time)
		}
	}
	for _, r := range slices.Concat(g.records, g.quiet) {
		widen(r.time)
	}
	w.First, w.Last = stamp(first), stamp(last)
	return w
}

// loginTechniques names what logging in to the sessions was: the use of an
// account (T1078), and from one host of the case to the next, of remote
// services (T1021; over SSH T1021.004).
func (g *group) loginTechniques(c *court) []string {
	var ts []string
	for _, s := range g.sessions {
		ts = append(ts, "T1078")
		a, ok := parseAddress(s.login.source)
		if !ok || c.owner[a.String()] == "" || c.owner[a.String()] == s.login.host {
			continue
		}
		if strings.HasPrefix(programName(&s.login), "sshd") {
			ts = append(ts, "T1021.004")
		} else {
			ts = append(ts, "T1021")
		}
	}
	return ts
}

// places names the accounts of clouds, else the sites and log files of an incident on hosts that no record
// names: that is where it happened, as far as is known.
func (g *group) places(hosts []string) []string {
	if len(hosts) > 0 {
		return nil
	}
	var out []string
	for _, n := range g.nodes {
		for i := range n.details {
			out = append(out, n.details[i].cloudPlace())
		}
	}
	if out = names2(out, 10); len(out) > 0 {
		return out
	}
	for _, n := range g.nodes {
		out = append(out, n.logs()...)
		for i := range n.details {
			out = append(out, n.details[i].domain)
		}
	}
	return names2(out, 10)
}

// evidence lists every event id the incident cites, in order of time.
func (g *group) evidence(inc *Incident) []string {
	times := map[string]int64{}
	for _, n := range slices.Concat(g.nodes, g.context) {
		for _, e := range slices.Concat(n.f.Evidence, n.records) {
			times[e.ID] = e.Time
		}
		for _, r := range slices.Concat(n.details, n.verdict.followed, n.verdict.tried) {
			times[r.id] = r.time
		}
	}
	for _, r := range slices.Concat(g.records, g.quiet, g.aside) {
		times[r.id] = r.time
	}
	var lists [][]string
	for _, ss := range [][]Sentence{inc.What, inc.Outcome.Why, inc.Impact.Facts} {
		for _, s := range ss {
			lists = append(lists, s.Evidence)
		}
	}
	for _, s := range inc.Timeline {
		lists = append(lists, s.Evidence)
	}
	all := cite(lists...)
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(times[a], times[b]), strings.Compare(a, b))
	})
	return all
}

// what says what happened, a sentence for each thing that the findings tell.
func (g *group) what() []Sentence {
	type part struct {
		key   string
		nodes []*node
	}
	var parts []*part
	byKey, alike := map[string]*part{}, map[string]int{}
	main := map[string]bool{} // behaviours and addresses that the incident is about
	for _, n := range g.nodes {
		for _, s := range n.f.Entities.Sources {
			main[fmt.Sprint(n.behaviour, s)] = true
		}
	}
	for _, n := range slices.Concat(g.nodes, g.context) {
		key := "rule " + n.f.Rule.ID + " " + n.f.Title
		if n.explains() { // a few of a kind are told one by one, in their own words
			if alike[key]++; alike[key] <= maxAlike {
				key += " " + n.f.ID
			}
		}
		if n.behaviour != other && (n.level >= findingLevel || len(n.f.Entities.Sources) == 1 && main[fmt.Sprint(n.behaviour, n.f.Entities.Sources[0])]) {
			key = fmt.Sprint("behaviour ", n.behaviour)
			if n.behaviour == webAttack || n.behaviour == ids {
				key += " " + n.f.Title
			}
		}
		if byKey[key] == nil {
			byKey[key] = &part{key: key}
			parts = append(parts, byKey[key])
		}
		byKey[key].nodes = append(byKey[key].nodes, n)
	}
	// Too many to tell: the most serious are told, in order of time.
	if len(parts) > maxWhat {
		most := func(p *part) int {
			return slices.MaxFunc(p.nodes, func(a, b *node) int { return cmp.Compare(a.level, b.level) }).level
		}
		ranked := slices.Clone(parts)
		slices.SortStableFunc(ranked, func(a, b *part) int { return cmp.Compare(most(b), most(a)) })
		keep := ranked[:maxWhat]
		parts = slices.DeleteFunc(parts, func(p *part) bool { return !slices.Contains(keep, p) })
	}
	slices.SortStableFunc(parts, func(a, b *part) int {
		return cmp.Compare((&group{nodes: a.nodes}).span().from, (&group{nodes: b.nodes}).span().from)
	})
	out := []Sentence{}
	for _, p := range parts {
		if s := tell(p.nodes); len(s.Evidence) > 0 {
			out = append(out, s)
		}
	}
	return slices.Concat(out, g.tellSigns(), g.tellSessions(), g.tellTree(), g.footprint)
}

// explains reports whether a technique made the finding, which says itself what it saw.
func (n *node) explains() bool {
	return n.behaviour == other && n.f.Surprise > 0 && n.f.Explanation != ""
}

// tell says what findings of one kind tell.
func tell(nodes []*node) Sentence {
	n := nodes[0]
	all := &group{nodes: nodes}
	s := all.span()
	when := between(s.from, s.to)
	sources, hosts, users := all.sources(), all.hosts(), all.users()
	events := all.events()
	evidence := all.cited(maxCited)
	var text string
	switch {
	case len(nodes) == 1 && n.explains():
		// A technique says itself what it saw, against what is usual.
		text = show(n.f.Title) + ": " + showUpTo(n.f.Explanation, maxExplained)
	case n.behaviour == other || !slices.ContainsFunc(nodes, func(n *node) bool { return n.level >= findingLevel }):
		text = show(n.f.Title)
		if len(hosts) > 0 {
			text += " on " + hostsPhrase(hosts)
		}
		if len(users) > 0 {
			text += ", with " + accountPhrase(users)
		}
		if len(sources) > 0 {
			text += ", from " + some(sources, "addresses")
		}
		text += ", " + when + " (" + prose.Count(events, "record") + ")"
	case n.behaviour == bruteForce:
		text = fmt.Sprintf("%s of %s on %s", prose.Count(attemptsOf(nodes, events), "recorded attempt"), serviceOf(nodes), hostsPhrase(hosts))
		if len(sources) > 0 {
			text += " from " + some(sources, "addresses")
		}
		if len(users) > 0 {
			text += " tried " + triedPhrase(nodes, users)
		}
		text += ", " + when
	case n.behaviour == scanning:
		text = fmt.Sprintf("%s of %s", prose.Count(events, "recorded probe"), hostsPhrase(hosts))
		if len(sources) > 0 {
			text += " from " + some(sources, "addresses")
		}
		text += ", " + when
	default:
		text = fmt.Sprintf("%s: %s", show(n.f.Title), prose.Count(events, "recorded request"))
		if n.behaviour == ids {
			text = fmt.Sprintf("%s: %s of a network sensor", show(n.f.Title), prose.Count(events, "alert"))
		}
		if len(sources) > 0 {
			text += " from " + some(sources, "addresses")
		}
		if len(hosts) > 0 {
			text += " to " + hostsPhrase(hosts)
		}
		if len(n.f.Entities.URLs) > 0 {
			text += ", such as " + show(n.f.Entities.URLs[0])
		}
		text += ", " + when
	}
	return Sentence{sentence(text), evidence}
}

// events counts the findings' events, those of findings that look at the same
// thing once: of the same sources and hosts, the most.
func (g *group) events() int {
	most, bySource := map[string]int{}, map[string]int{}
	total := 0
	for _, n := range g.nodes {
		e := &n.f.Entities
		key := strings.Join(e.Sources, " ")
		if key == "" {
			key = n.f.ID
		}
		bySource[key] = max(bySource[key], n.tries)
		key += "|" + n.f.Rule.ID
		most[key] += n.own
	}
	// Rules that look at the same: the one that saw most of a source.
	for key, n := range most {
		source, _, _ := strings.Cut(key, "|")
		bySource[source] = max(bySource[source], n)
	}
	for _, n := range bySource {
		total += n
	}
	return total
}

func (g *group) users() []string {
	all := map[string]bool{}
	for _, n := range g.nodes {
		for _, u := range n.f.Entities.Users {
			if u != "" && u != "-" {
				all[u] = true
			}
		}
	}
	return sortedKeys(all)
}

func accountPhrase(users []string) string {
	if len(users) == 1 {
		return "account " + show(users[0])
	}
	if len(users) <= 3 {
		return "accounts " + list(users, 3)
	}
	return some(users, "accounts")
}

// attemptsOf is how many attempts there were where those of one address on one host were counted, once for each stretch of
// time that they fill; else as many as the findings have records.
func attemptsOf(nodes []*node, records int) int {
	all := &group{nodes: nodes}
	if len(all.sources()) != 1 || len(all.hosts()) > 1 {
		return records
	}
	stretches := map[span]int{}
	n := 0
	for _, m := range nodes {
		if s := (span{m.begun, m.done}); m.accounts > 0 && stretches[s] == 0 {
			stretches[s] = m.tries
			n += m.tries
		}
	}
	return cmp.Or(n, records)
}

// triedPhrase is accountPhrase of the accounts that were tried: where one address tried one host, all of them were
// counted, of which the findings name those of the records that they cite.
func triedPhrase(nodes []*node, users []string) string {
	all := &group{nodes: nodes}
	text := accountPhrase(users)
	if named := prose.Number(len(users)); len(users) > 3 && len(all.sources()) == 1 && len(all.hosts()) <= 1 {
		if n := slices.MaxFunc(nodes, func(a, b *node) int { return cmp.Compare(a.accounts, b.accounts) }).accounts; n > len(users) {
			return prose.Number(n) + strings.TrimPrefix(text, named)
		}
	}
	return text
}

// serviceOf names what was logged in to, from the records and their logs.
func serviceOf(nodes []*node) string {
	for _, n := range nodes {
		for _, r := range n.details {
			switch p := programName(&r); {
			case strings.HasPrefix(p, "sshd"):
				return "SSH logins"
			case r.is("web"):
				return "web logins"
			case r.code != "" && windows(&r, r.code):
				return "Windows logons"
			case p == "su" || p == "sudo":
				return p + " logins"
			}
		}
	}
	return "logins"
}

// title names the incident after its most telling finding.
func (g *group) title(o Outcome, impact Impact) string {
	n := slices.MinFunc(g.nodes, func(a, b *node) int {
		return cmp.Or(
			cmp.Compare(boolRank(b.verdict.result == Succeeded && b.behaviour != other), boolRank(a.verdict.result == Succeeded && a.behaviour != other)),
			cmp.Compare(known(b, o), known(a, o)),
			cmp.Compare(boolRank(fromSensor(a.f)), boolRank(fromSensor(b.f))), // the log of what was attacked knows better
			cmp.Compare(b.behaviour, a.behaviour),
			cmp.Compare(boolRank(a.raised), boolRank(b.raised)),
			compareNodes(a, b))
	})
	sources, hosts := g.sources(), g.hosts()
	var same []*node
	for _, m := range g.nodes {
		if m.behaviour == n.behaviour {
			same = append(same, m)
		}
	}
	if n.behaviour != other {
		only := &group{nodes: same}
		sources, hosts = only.sources(), only.hosts()
	}
	from := ""
	if len(sources) == 1 {
		from = " from " + show(sources[0])
	} else if len(sources) > 1 {
		from = " from " + prose.Count(len(sources), "address", "addresses")
	}
	on := ""
	if len(hosts) == 1 {
		on = show(hosts[0])
	} else if len(hosts) > 1 {
		on = prose.Count(len(hosts), "host")
	}
	end := map[string]string{Succeeded: " succeeded", Failed: " failed", Mixed: " succeeded in part", Unknown: ": outcome unknown"}[n.verdict.result]
	if n.verdict.result == Unknown && o.Result != Unknown {
		end = "" // other findings of the incident tell
	}
	var t string
	switch n.behaviour {
	case bruteForce:
		t = map[string]string{"SSH logins": "SSH brute force", "Windows logons": "Windows logon brute force", "web logins": "Web login brute force"}[serviceOf(same)]
		if t == "" {
			t = "Brute force"
		}
		if slices.ContainsFunc(same, func(n *node) bool { return technique(n.f, "T1110.003") }) {
			t = strings.Replace(t, "brute force", "password spray", 1)
			t = strings.Replace(t, "Brute force", "Password spray", 1)
		}
		t += from
		if on != "" {
			t += " against " + on
		}
		t += end
		if users := got(same); len(users) > 0 {
			t += " as " + list(users, 3)
		}
	case scanning:
		t = "Scan" + from
		if on != "" {
			t += " of " + on
		}
		if n.verdict.result == Succeeded {
			t += " found a way in"
		}
	case webAttack, ids:
		t = show(n.f.Title) + from
		if on != "" {
			t += " against " + on
		}
		t += end
	default:
		t = show(n.f.Title)
		if talks(n.f) {
			t += g.talk(n)
			break
		}
		if on != "" {
			t += " on " + on
		}
		if len(sources) > 0 && len(sources) <= 3 {
			t += from
		}
		if users := (&group{nodes: []*node{n}}).users(); len(users) > 0 && len(users) <= 3 {
			t += " by " + list(users, 3)
		}
		if o.Result == Failed {
			t += " failed"
		}
	}
	if ps := g.places(g.hosts()); on == "" && len(ps) == 1 { // no record names a host: the site, or the log
		t += " (" + show(ps[0][strings.LastIndexByte(ps[0], '/')+1:]) + ")"
	}
	if len(g.nodes) > 1 && !g.merged {
		if then := g.then(n); then != "" {
			t += ", with " + then
		}
	}
	return t
}

// talk says from which computer to where it is that a finding is of.
func (g *group) talk(n *node) string {
	t := ""
	switch hosts := names(append(slices.Clone(n.hosts), g.at...)); {
	case len(hosts) == 1:
		t = " from " + show(hosts[0])
	case len(n.f.Entities.Sources) == 1:
		t = " from " + show(n.f.Entities.Sources[0])
	default:
		t = " from " + prose.Count(len(n.f.Entities.Sources), "address", "addresses")
	}
	if n.callsOut() && len(n.f.Entities.Destinations) > 0 {
		t += " to " + list(n.f.Entities.Destinations, 2)
	}
	return t
}

// known ranks findings by level, of which one counts less for what is not known
// to have worked in an incident of which something is.
func known(n *node, o Outcome) int {
	if (o.Result == Succeeded || o.Result == Mixed) && n.verdict.result != Succeeded && n.verdict.result != Mixed {
		return n.level - 1
	}
	return n.level
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// got lists the accounts that attempts obtained.
func got(nodes []*node) []string {
	all := map[string]bool{}
	for _, n := range nodes {
		for _, u := range n.verdict.users {
			if u != "" {
				all[show(u)] = true
			}
		}
	}
	return sortedKeys(all)
}

// then names up to two of the worst kinds of things the other findings show.
func (g *group) then(title *node) string {
	worst := map[string]int{}
	for _, n := range g.nodes {
		if n == title || n.behaviour != other || n.verdict.result == Failed {
			continue
		}
		for i := range n.details {
			for _, a := range actsOf(&n.details[i]) {
				if l := slices.Index(impactLevels, a.level); l >= 2 && a.kind != "login" && a.kind != "root commands" {
					worst[a.kind] = l
				}
			}
		}
	}
	kinds := make([]string, 0, len(worst))
	for k := range worst {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(worst[b], worst[a]), strings.Compare(a, b)) })
	return list(kinds[:min(len(kinds), 2)], 2)
}

// timeline lists findings, and the records that show successes and acts, in
// order of time: the first and the last where there are too many.
func (g *group) timeline() []Step {
	type step struct {
		at int64
		Step
	}
	var steps []step
	said := map[string]bool{}
	for _, n := range slices.Concat(g.nodes, g.context) {
		text := show(n.f.Title)
		if n.f.Count > 1 {
			text += " (" + prose.Count(n.f.Count, "record") + ", the last at " + clock(n.f.Last) + ")"
		}
		if e := evidenceIDs(n.f, 5); len(e) > 0 {
			steps = append(steps, step{n.f.First, Step{stamp(n.f.First), sentence(text), n.f.Level, n.f.ID, e}})
		}
		if n.level < findingLevel {
			continue
		}
		for i := range n.verdict.followed {
			r := &n.verdict.followed[i]
			if !said[r.id] {
				said[r.id] = true
				steps = append(steps, step{r.time, Step{stamp(r.time), sentence(happening(r)), "", n.f.ID, []string{r.id}}})
			}
		}
		for i := range n.details {
			r := &n.details[i]
			for _, a := range actsOf(r) {
				if slices.Index(impactLevels, a.level) >= 2 && !said[r.id] {
					said[r.id] = true
					steps = append(steps, step{r.time, Step{stamp(r.time), sentence(happening(r)), n.f.Level, n.f.ID, []string{r.id}}})
				}
			}
		}
	}
	for i := range g.records {
		r := &g.records[i]
		if !said[r.id] && !r.has("end") {
			said[r.id] = true
			steps = append(steps, step{r.time, Step{stamp(r.time), sentence(happening(r)), "", "", []string{r.id}}})
		}
	}
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.Text, b.Text), strings.Compare(a.Finding, b.Finding), slices.Compare(a.Evidence, b.Evidence))
	})
	if len(steps) > maxSteps {
		const tail = maxSteps / 4
		steps = slices.Concat(steps[:maxSteps-tail], steps[len(steps)-tail:])
	}
	out := make([]Step, len(steps))
	for i := range steps {
		out[i] = steps[i].Step
	}
	return out
}

// happening says in words what a record shows.
func happening(r *record) string {
	on := ""
	if h := hostName(r.host); h != "" {
		on = " on " + hostPhrase(h)
	}
	for _, a := range actsOf(r) {
		switch a.kind {
		case "login":
			return "login accepted" + on + " as " + show(r.user) + " from " + show(r.source)
		default:
			text := a.one + on
			if s := a.subject(r); s != "" {
				text += ": " + show(s)
			}
			if r.user != "" && a.subject(r) != r.user {
				text += ", by " + show(r.user)
			}
			return text
		}
	}
	switch {
	case r.is("file") && cmp.Or(r.file, r.share) != "" && (r.is("network") || r.share != ""):
		text := show(cmp.Or(r.user, "somebody")) + " asked" + on + " for " + show(cmp.Or(r.file, r.share))
		if r.source != "" {
			text += " from " + show(r.source)
		}
		return text
	case r.is("network") && r.destination != "":
		return "connection from " + show(r.source) + " to " + show(r.destination) + " port " + show(cmp.Or(r.port, "unknown"))
	case r.is("web"):
		return fmt.Sprintf("request %s %s from %s answered %d", show(r.request), show(cmp.Or(r.url, r.urlPath)), show(r.source), r.status)
	}
	return show(cmp.Or(r.message, r.action, "record"))
}
