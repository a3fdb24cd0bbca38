package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// What an account does on a host, it does in a session, and the session began
// with a login from somewhere. An analyst reads it backwards: this command was
// alice's on app1; she had come there from bastion1, and to bastion1 from an
// address outside; and then forwards: what else was done in these sessions.
// Findings of one session are of one story, whatever else they share.

const (
	sessionReach  = 12 * time.Hour   // a session whose end no record tells is not older
	sessionAfter  = 30 * time.Minute // what is told of a session after the last finding in it
	maxHops       = 4                // hosts that a login is followed back over
	maxCommands   = 40               // of one session
	maxQuestions  = 1000             // asked of the store for all findings
	weightSession = 2.0
	halfSession   = 12 * time.Hour
)

// traceAll finds the sessions that the findings happened in.
func (c *court) traceAll(ctx context.Context, nodes []*node) error {
	c.sessions, c.ends = map[[2]string][]visit{}, map[string]visit{}
	c.time, c.budget = (&group{nodes: nodes}).span(), maxQuestions
	traced := func(n *node) []string {
		if n.behaviour != other || n.f.First == noTime || len(n.hosts) == 0 || len(n.hosts) > 3 {
			return nil
		}
		if users := people(n.f.Entities.Users); len(users) <= 3 {
			return users
		}
		return nil
	}
	var all []string
	for _, n := range nodes {
		all = append(all, traced(n)...)
	}
	c.book = newBook(all, c.time.to, maxVisits)
	trails := map[*node][]visit{}
	for _, n := range nodes {
		n.processBonds()
		if n.behaviour == bruteForce && n.verdict.result == Succeeded {
			for _, r := range n.verdict.followed {
				n.sessionBond(r.id)
			}
			continue
		}
		for _, u := range traced(n) {
			for _, h := range n.hosts {
				trail, err := c.trace(ctx, h, u, n.f.Entities.Sources, n.f.First)
				if err != nil {
					return err
				}
				if len(trail) > len(trails[n]) {
					trails[n] = trail
				}
				for i := range trail {
					n.sessionBond(trail[i].id)
				}
			}
		}
		if trail := trails[n]; len(trail) > 0 {
			// Where the first login came from is where the finding came from.
			if a, ok := parseAddress(trail[0].source); ok && isOutside(a) && c.owner[a.String()] == "" {
				n.bonds = append(n.bonds, bond{"address:" + a.String(), weightOutside, halfOutside, true, false})
			}
			n.bonds = trimBonds(n.bonds)
		}
	}
	return c.readTrails(ctx, nodes, trails)
}

// readTrails fetches the records of the logins of all trails.
func (c *court) readTrails(ctx context.Context, nodes []*node, trails map[*node][]visit) error {
	var ids []string
	for _, n := range nodes {
		for _, v := range trails[n] {
			ids = append(ids, v.id)
		}
	}
	slices.Sort(ids)
	byID := map[string]record{}
	if len(ids) == 0 {
		return nil
	}
	rs, err := c.store.records(ctx, slices.Compact(ids), span{noTime, noTime})
	if err != nil {
		return err
	}
	for _, r := range rs {
		byID[r.id] = r
	}
	for _, n := range nodes {
		for _, v := range trails[n] {
			if r, ok := byID[v.id]; ok {
				n.trail = append(n.trail, r)
			}
		}
	}
	return nil
}

// people leaves out accounts that every host has: many act under them at once.
func people(users []string) []string {
	var out []string
	for _, u := range users {
		if w := userWeight(userName(u)); w >= weightSharedUser {
			out = append(out, u)
		}
	}
	return out
}

func (n *node) sessionBond(login string) {
	n.bonds = append(n.bonds, bond{"session:" + login, weightSession, halfSession, true, false})
}

// trace returns the logins by which the user came to the host, the earliest
// first; nil when no session of the user was open on the host at the time.
func (c *court) trace(ctx context.Context, host, user string, from []string, at int64) ([]visit, error) {
	var trail []visit
	seen := map[string]bool{}
	for range maxHops {
		if seen[host] {
			break
		}
		seen[host] = true
		login, ok, err := c.openSession(ctx, host, user, from, at)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		trail = append(trail, login)
		a, ok := parseAddress(login.source)
		if !ok || c.owner[a.String()] == "" {
			break
		}
		from = nil
		host, at = c.owner[a.String()], login.time
	}
	slices.Reverse(trail)
	return trail, nil
}

// openSession returns the user's last login to the host before a time that had
// not ended by then.
// Where the finding names addresses, the login is from one of them.
func (c *court) openSession(ctx context.Context, host, user string, from []string, at int64) (visit, bool, error) {
	logins, err := c.loginsOf(ctx, host, user, span{at - int64(sessionReach), at})
	if err != nil {
		return visit{}, false, err
	}
	looked := 0
	for _, v := range slices.Backward(logins) {
		if len(from) > 0 && !slices.Contains(from, v.source) {
			continue
		}
		if looked++; looked > 5 {
			break
		}
		end, err := c.endOf(ctx, v)
		if err != nil {
			return visit{}, false, err
		}
		if end.id == "" || end.time > at {
			return v, true, nil
		}
	}
	return visit{}, false, nil
}

// loginsOf returns the user's logins to the host within a time. Where the book
// does not have it, it asks once for the whole time of the findings, where that is not too much.
func (c *court) loginsOf(ctx context.Context, host, user string, s span) ([]visit, error) {
	if ok, err := c.book.has(ctx, c.store, s); ok || err != nil {
		return c.book.loginsTo(host, user, s), err
	}
	const most = 2000
	ask := func(s span) ([]visit, error) {
		if c.asked++; c.asked > maxQuestions {
			return nil, nil
		}
		rs, err := c.store.userLogins(ctx, []string{user}, []string{host}, s, most)
		vs := make([]visit, len(rs))
		for i := range rs {
			vs[i] = visitOf(&rs[i])
		}
		return vs, err
	}
	key := [2]string{host, user}
	all, ok := c.sessions[key]
	if !ok {
		var err error
		if all, err = ask(span{c.time.from - int64(maxHops*sessionReach), c.time.to}); err != nil {
			return nil, err
		}
		c.sessions[key] = all
	}
	if len(all) == most {
		return ask(s)
	}
	return slices.DeleteFunc(slices.Clone(all), func(v visit) bool { return v.time == noTime || v.time < s.from || v.time > s.to }), nil
}

func visitOf(r *record) visit { return visit{r.time, r.id, r.host, r.user, r.source, r.pid} }

// endOf returns the record of a session's end, of which the process that took
// the login tells; none after a day.
func (c *court) endOf(ctx context.Context, login visit) (visit, error) {
	if login.pid == "" {
		return visit{}, nil
	}
	if end, ok := c.ends[login.id]; ok {
		return end, nil
	}
	if c.book.held.from <= login.time && login.time <= c.book.held.to {
		end, _ := c.book.endAfter(&login)
		return end, nil
	}
	ends, err := c.store.sessionEnds(ctx, []string{login.host}, login.pid, span{login.time, login.time + 2*int64(sessionReach)})
	if err != nil {
		return visit{}, err
	}
	var end visit
	if len(ends) > 0 {
		end = visitOf(&ends[0])
	}
	c.ends[login.id] = end
	return end, nil
}

// session is a login of the trail and what the account did after it.
type session struct {
	login    record
	end      record // zero: not recorded
	commands []record
	visits   []record // what services say the account asked for
}

// sessions reads what was done in the sessions that the group's findings
// happened in, in order of time.
func (g *group) readSessions(ctx context.Context, c *court) error {
	const few = 10 // findings that are told together but are of no common story
	if g.merged && (len(g.nodes) > few || g.nodes[0].behaviour != other) {
		return nil
	}
	seen := map[string]bool{}
	var acts group // a connection that stays open, or calls: somebody did something when they began
	for _, n := range g.nodes {
		if n.callsOut() {
			one := *n
			one.done = n.begun
			n = &one
		}
		acts.nodes = append(acts.nodes, n)
	}
	s := acts.span()
	for _, n := range g.nodes {
		logins := n.trail
		if n.behaviour == bruteForce && n.verdict.result == Succeeded {
			logins = n.verdict.followed
		}
		if !g.merged {
			back, err := c.comesBack(ctx, n)
			if err != nil {
				return err
			}
			logins = append(slices.Clone(logins), back...)
		}
		for _, r := range logins {
			if c.budget--; c.budget < 0 {
				break
			}
			if seen[r.id] || hostName(r.host) == "" || r.user == "" || r.time == noTime || len(g.sessions) == 10 {
				continue
			}
			seen[r.id] = true
			one := session{login: r}
			until := max(s.to, r.time) + int64(sessionAfter)
			end, err := c.endOf(ctx, visitOf(&r))
			if err != nil {
				return err
			}
			if end.id != "" {
				until = end.time
				rs, err := c.store.records(ctx, []string{end.id}, span{end.time, end.time})
				if err != nil {
					return err
				}
				if len(rs) > 0 {
					one.end = rs[0]
				}
			}
			did, err := c.store.startedBy(ctx, []string{r.host}, nil, []string{r.user}, span{r.time, until}, 10*maxCommands)
			if err != nil {
				return err
			}
			did = slices.DeleteFunc(did, func(r record) bool { return r.command == "" || programName(&r) == "cron" })
			one.commands = did[:min(len(did), maxCommands)]
			// What a file server or another service wrote of the same account from the same address.
			visits, err := c.store.seen(ctx, r.source, span{r.time, until}, 1000)
			if err != nil {
				return err
			}
			visits = slices.DeleteFunc(visits, func(v record) bool {
				return v.host != r.host || userName(v.user) != userName(r.user) || !v.is("file") && !v.is("database") && !v.is("process")
			})
			one.visits = spreadRecords(visits, maxCommands)
			g.records = append(g.records, one.visits...)
			g.sessions = append(g.sessions, one)
			g.records = append(append(append(g.records, r), one.commands...), one.end)
		}
	}
	g.records = slices.DeleteFunc(g.records, func(r record) bool { return r.id == "" })
	slices.SortStableFunc(g.sessions, func(a, b session) int {
		return cmp.Or(cmp.Compare(a.login.time, b.login.time), strings.Compare(a.login.id, b.login.id))
	})
	return nil
}

// comesBack returns the first logins of the accounts that a finding saw created:
// who made them uses them.
func (c *court) comesBack(ctx context.Context, n *node) ([]record, error) {
	const accounts, logins = 3, 3
	var out []record
	asked := map[string]bool{}
	if n.behaviour != other || n.verdict.result == Failed {
		return nil, nil
	}
	for i := range n.details {
		r := &n.details[i]
		user := target(r)
		if r.time == noTime || r.host == "" || user == "" || asked[user] || len(asked) == accounts ||
			!slices.ContainsFunc(actsOf(r), func(a *act) bool { return a.kind == "account created" }) {
			continue
		}
		asked[user] = true
		if c.budget--; c.budget < 0 {
			break
		}
		rs, err := c.store.userLogins(ctx, []string{user}, []string{r.host}, span{r.time, r.time + int64(2*sessionReach)}, logins)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	return out, nil
}

// tellSessions says how the account came in and what it ran.
func (g *group) tellSessions() []Sentence {
	var out []Sentence
	for _, s := range g.sessions {
		r := &s.login
		from := ""
		if r.source != "" && !loopback(r.source) {
			from = " from " + show(r.source)
		}
		text := fmt.Sprintf("account %s logged in to %s%s at %s", show(r.user), hostPhrase(r.host), from, clock(r.time))
		if passwordless(r) {
			text += " with a key"
		}
		evidence := []string{r.id}
		if s.end.id != "" {
			text += ", until " + clock(s.end.time)
			evidence = append(evidence, s.end.id)
		}
		if len(s.commands) > 0 {
			var ran []string
			for i := range s.commands {
				if line := programPhrase(&s.commands[i]); !slices.Contains(ran, line) {
					ran = append(ran, line)
				}
			}
			text += ", and ran " + list(ran, 4)
			evidence = append(evidence, idsOf(s.commands)...)
		}
		if len(s.visits) > 0 {
			var things []string
			for i := range s.visits {
				if v := cmp.Or(s.visits[i].file, s.visits[i].share); v != "" && !slices.Contains(things, v) {
					things = append(things, v)
				}
			}
			if len(things) > 0 {
				text += ", and asked for " + list(things, 4)
			} else {
				text += ", and did what " + prose.Count(len(s.visits), "further record tells", "further records tell")
			}
			evidence = append(evidence, idsOf(s.visits)...)
		}
		out = append(out, Sentence{sentence(text), evidence[:min(len(evidence), maxCited)]})
	}
	return out
}
