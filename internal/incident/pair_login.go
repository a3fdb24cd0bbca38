package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// Guessed passwords: attempts are paired with accepted logins.
//
//	accepted login from the same address, from the first attempt to a day after the last  → succeeded
//	five addresses or more on one account, then a login to it from an address that is new
//	to it, within ten minutes of an attempt                                               → succeeded
//	none, and the host's authentication log covers the attempts                           → failed
//	else                                                                                   → unknown: that log
var _ = register(pairing{
	name:    "login",
	rank:    10,
	applies: func(n *node) bool { return n.behaviour == bruteForce },
	resolve: resolveLogins,
})

const (
	loginReach  = 24 * time.Hour   // after the last attempt, from the same address
	spreadReach = 10 * time.Minute // after an attempt, from another address
	spreadMin   = 5                // addresses that make attempts spread
	tryReach    = time.Hour        // attempts this long before and after those of a finding are of it
	triesEach   = 30               // refused logins cited of one address
	loginsEach  = 50               // accepted logins asked for of one address
	pastReach   = 30 * 24 * time.Hour
)

func resolveLogins(ctx context.Context, c *court, nodes []*node) error {
	if err := c.detail(ctx, nodes, 30); err != nil {
		return err
	}
	if err := sameAddress(ctx, c, nodes); err != nil {
		return err
	}
	if err := otherAddress(ctx, c, nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if n.verdict.result != "" {
			continue
		}
		if ownRecords(n) {
			continue
		}
		if len(n.f.Entities.Sources) == 0 {
			if err := nameless(ctx, c, n); err != nil {
				return err
			}
			if n.verdict.result != "" {
				continue
			}
		}
		if err := noLogin(ctx, c, n); err != nil {
			return err
		}
	}
	return nil
}

// sameAddress asks for the logins of many findings' addresses at once.
func sameAddress(ctx context.Context, c *court, nodes []*node) error {
	const maxSpan = int64(2 * 24 * time.Hour)
	each := max(min(triesEach, 100_000/max(len(nodes), 1)), 4) // with many findings, each cites less
	for len(nodes) > 0 {
		asked := map[string]bool{}
		s := window(nodes[0], loginReach)
		end := max(s.to, s.from+maxSpan)
		part := 0
		for _, n := range nodes {
			w := window(n, loginReach)
			if part > 0 && (len(asked) >= maxIn || (w.from == event.NoTime) != (s.from == event.NoTime) || s.from != event.NoTime && w.to > end) {
				break
			}
			for _, source := range n.f.Entities.Sources {
				asked[source] = true
			}
			s.from, s.to = min(s.from, w.from), max(s.to, w.to)
			part++
		}
		sources := sortedKeys(asked)
		bySource := map[string][]record{}
		if len(sources) > 0 {
			if s.from != event.NoTime {
				around := span{s.from - int64(tryReach), s.to - int64(loginReach) + int64(tryReach)}
				tallies, err := c.store.failures(ctx, sources, around, each)
				if err != nil {
					return err
				}
				extend(nodes[:part], tallies)
			}
			rs, err := c.store.logins(ctx, sources, s, loginsEach)
			if err != nil {
				return err
			}
			for _, r := range rs {
				bySource[r.source] = append(bySource[r.source], r)
			}
		}
		for _, n := range nodes[:part] {
			if err := accepted(ctx, c, n, bySource); err != nil {
				return err
			}
		}
		nodes = nodes[part:]
	}
	return nil
}

// extend gives findings of one address the whole extent of its attempts: a
// rule that counts tells of no more than it needs to fire.
func extend(nodes []*node, tallies []tally) {
	bySource := map[string][]*tally{}
	for i := range tallies {
		t := &tallies[i]
		bySource[t.source] = append(bySource[t.source], t)
	}
	for _, n := range nodes {
		e := &n.f.Entities
		if len(e.Sources) != 1 || fromSensor(n.f) {
			continue
		}
		hosts := n.hosts
		for _, t := range bySource[e.Sources[0]] {
			if len(hosts) > 1 || len(hosts) == 1 && hosts[0] != hostName(t.host) || t.count < n.tries || t.first > n.done+int64(tryReach) || t.last < n.begun-int64(tryReach) {
				continue
			}
			n.accounts = max(n.accounts, t.users)
			if t.count == n.tries {
				continue
			}
			n.tries = t.count
			n.begun, n.done = min(n.begun, t.first), max(n.done, t.last)
			all := slices.Clone(n.records)
			for _, r := range t.records {
				if !slices.ContainsFunc(all, func(e analyze.Evidence) bool { return e.ID == r.id }) {
					all = append(all, analyze.Evidence{ID: r.id, Time: r.time})
				}
			}
			slices.SortFunc(all, func(a, b analyze.Evidence) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID))
			})
			n.records = all
		}
	}
}

// accepted decides a finding by the logins from its addresses.
func accepted(ctx context.Context, c *court, n *node, bySource map[string][]record) error {
	w := window(n, loginReach)
	var got []record
	for _, source := range n.f.Entities.Sources {
		rs := within(bySource[source], w)
		if len(rs) == 0 && len(bySource[source]) >= loginsEach {
			var err error // the first logins of the address are of an earlier time
			if rs, err = c.store.logins(ctx, []string{source}, w, loginsEach); err != nil {
				return err
			}
		}
		got = append(got, rs...)
	}
	sortRecords(got)
	got = onTargets(c, n, got)
	if len(got) == 0 {
		return nil
	}
	if w.from == event.NoTime {
		n.verdict = verdict{
			result: Unknown,
			why: []Sentence{{
				sentence(fmt.Sprintf("a login as %s was accepted from %s, but no record tells whether before or after the attempts", show(got[0].user), show(got[0].source))),
				cite(n.tried(attempts), idsOf(got[:1]))}},
			needs: []string{"authentication log of " + hostPhrase(got[0].host) + " with times"},
		}
		return nil
	}
	return grant(ctx, c, n, got, "")
}

// grant decides that the logins are what the attempts led to, unless the
// address is known for just these logins and no password was asked for.
func grant(ctx context.Context, c *court, n *node, got []record, note string) error {
	past := map[string][]record{}
	var mine, habit []record
	for _, r := range got {
		earlier, ok := past[r.source]
		if !ok {
			var err error
			s := span{n.begun - int64(pastReach), n.begun - 1}
			if earlier, err = c.store.logins(ctx, []string{r.source}, s, 4*loginsEach); err != nil {
				return err
			}
			past[r.source] = earlier
		}
		i := slices.IndexFunc(earlier, func(p record) bool { return userName(p.user) == userName(r.user) })
		switch {
		case i < 0:
			mine = append(mine, r)
		case !passwordless(&r):
			mine = append(mine, r)
			habit = append(habit, earlier[i])
		}
	}
	if len(mine) == 0 {
		return nil
	}
	byUser := map[string][]record{}
	var users []string
	for _, r := range mine {
		key := userName(r.user) + " " + hostName(r.host) + " " + r.source
		if byUser[key] == nil {
			users = append(users, key)
		}
		byUser[key] = append(byUser[key], r)
	}
	v := verdict{result: Succeeded, known: len(habit) == len(mine)}
	for i, key := range users {
		rs := byUser[key]
		r := rs[0]
		v.users = append(v.users, r.user)
		v.followed = append(v.followed, r)
		if i >= 5 {
			continue // the incident's impact lists all
		}
		how := ""
		if passwordless(&r) {
			how = " with a key, not a password"
		}
		text := fmt.Sprintf("after %s, %s accepted a login as %s from %s at %s%s%s",
			prose.Count(n.tries, "recorded attempt"), hostPhrase(r.host), show(r.user), show(r.source), clock(r.time), how, note)
		if len(rs) > 1 {
			text += ", the first of " + prose.Count(len(rs), "such login")
		}
		v.why = append(v.why, Sentence{sentence(text), cite(n.tried(attempts), idsOf(rs[:min(len(rs), 5)]))})
	}
	if len(habit) > 0 {
		r := habit[0]
		text := fmt.Sprintf("%s had logged in as %s already at %s, before the first attempt: it may be the account's owner", show(r.source), show(r.user), clock(r.time))
		v.why = append(v.why, Sentence{sentence(text), idsOf(habit[:1])})
	}
	n.verdict = v
	return nil
}

// passwordless reports whether the login was proved by something that cannot be guessed.
func passwordless(r *record) bool {
	m := strings.ToLower(r.method)
	return strings.Contains(m, "publickey") || strings.Contains(m, "gssapi") || strings.Contains(m, "hostbased")
}

func within(rs []record, w span) []record {
	var out []record
	for _, r := range rs {
		if w.from == event.NoTime || r.time != event.NoTime && w.from <= r.time && r.time <= w.to {
			out = append(out, r)
		}
	}
	return out
}

// onTargets keeps logins on the hosts the attempts were made on, where both are
// known; a login through a domain controller is recorded there or on the target.
func onTargets(c *court, n *node, rs []record) []record {
	targets := c.targets(n)
	if len(targets) == 0 || fromSensor(n.f) || slices.ContainsFunc(n.details, func(r record) bool { return r.provider != "" || strings.HasPrefix(r.dataset, "win") }) {
		return rs
	}
	return slices.DeleteFunc(rs, func(r record) bool {
		h := hostName(r.host)
		return h != "" && !slices.Contains(targets, h)
	})
}

// otherAddress looks for logins to accounts that were tried from many addresses.
func otherAddress(ctx context.Context, c *court, nodes []*node) error {
	const most = 2000 // questions asked of the store
	type account struct{ host, user string }
	tried := map[account][]*node{}
	var order []account
	for _, n := range nodes {
		if n.f.First == event.NoTime || fromSensor(n.f) {
			continue
		}
		hosts := c.targets(n)
		if len(hosts) != 1 || len(n.f.Entities.Users) > 20 {
			continue
		}
		for _, u := range n.f.Entities.Users {
			if userWeight(userName(u)) == 0 {
				continue
			}
			a := account{hosts[0], u}
			if tried[a] == nil {
				order = append(order, a)
			}
			tried[a] = append(tried[a], n)
		}
	}
	asked := 0
	for _, a := range order {
		ns := tried[a]
		all := map[string]bool{}
		s := span{ns[0].begun, ns[0].done}
		for _, n := range ns {
			for _, source := range n.f.Entities.Sources {
				all[source] = true
			}
			s.from, s.to = min(s.from, n.begun), max(s.to, n.done)
		}
		if len(all) < spreadMin || asked == most {
			continue
		}
		asked++
		s.to += int64(spreadReach)
		got, err := c.store.userLogins(ctx, []string{a.user}, []string{a.host}, s, loginsEach)
		if err != nil {
			return err
		}
		for _, r := range got {
			addr, ok := parseAddress(r.source)
			if !ok || !isOutside(addr) || all[r.source] || passwordless(&r) {
				continue
			}
			var near []*node
			sources := map[string]bool{}
			for _, n := range ns {
				if n.begun <= r.time && r.time <= n.done+int64(spreadReach) {
					near = append(near, n)
					for _, source := range n.f.Entities.Sources {
						sources[source] = true
					}
				}
			}
			if len(sources) < spreadMin {
				continue
			}
			earlier, err := c.store.logins(ctx, []string{r.source}, span{s.from - int64(pastReach), s.from - 1}, 4*loginsEach)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(earlier, func(p record) bool { return userName(p.user) == userName(r.user) }) {
				continue
			}
			note := fmt.Sprintf(", an address new to the account, while it was tried from %s", prose.Count(len(sources), "other address", "other addresses"))
			for _, n := range near {
				if n.verdict.result == "" {
					if err := grant(ctx, c, n, []record{r}, note); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// nameless decides attempts that no record gives an address of by the logins to
// the accounts tried: one from an address that is new to the account, within
// minutes of the attempts, is what they led to.
func nameless(ctx context.Context, c *court, n *node) error {
	if n.f.First == event.NoTime || len(n.hosts) == 0 || fromSensor(n.f) {
		return nil
	}
	machines, tried, err := sameMachine(ctx, c, n)
	if err != nil {
		return err
	}
	if len(machines) > 0 {
		// Windows writes the machine's name of a login that it accepts as well.
		got, err := c.store.ofMachines(ctx, true, machines, n.hosts, window(n, loginReach), loginsEach)
		if err != nil {
			return err
		}
		if got = slices.DeleteFunc(got, func(r record) bool { return r.source == "" }); len(got) > 0 {
			if err := grant(ctx, c, n, got, ", the machine of the attempts by its name"); err != nil || n.verdict.result != "" {
				n.triedFrom(c, tried)
				return err
			}
		}
	}
	accounts := names(slices.Concat(n.f.Entities.Users, usersOf(tried)))
	if decided, err := sameAttemptsFrom(ctx, c, n, accounts, tried); decided || err != nil {
		return err
	}
	users := people(accounts)
	if len(users) == 0 {
		return nil
	}
	got, err := c.store.userLogins(ctx, users, n.hosts, window(n, spreadReach), loginsEach)
	if err != nil {
		return err
	}
	for _, r := range got {
		if passwordless(&r) {
			continue
		}
		earlier, err := c.store.logins(ctx, []string{r.source}, span{n.begun - int64(pastReach), n.begun - 1}, 4*loginsEach)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(earlier, func(p record) bool { return userName(p.user) == userName(r.user) }) {
			continue // the owner, as before
		}
		if len(earlier) > 0 { // somebody else's address: a guess that was right, or addresses dealt out anew
			text := fmt.Sprintf("%s accepted a login as %s from %s at %s, an address new to the account, but no record gives the address of the attempts", hostPhrase(r.host), show(r.user), show(r.source), clock(r.time))
			n.verdict = verdict{result: Unknown, needs: []string{"a log with the addresses of the attempts on " + hostPhrase(single(n.hosts)) + " (Windows Security 4625, or the NTLM log)"},
				why: []Sentence{{sentence(text), cite(n.tried(attempts), []string{r.id})}}}
			continue
		}
		return grant(ctx, c, n, []record{r}, ", an address that nobody had logged in from before; of the attempts no address is recorded")
	}
	return nil
}

// sameMachine gives attempts, of which the log has the name of the machine that
// they came from and no address, their whole extent, and returns the names and
// the attempts: a rule that counts tells of no more than it needs to fire.
func sameMachine(ctx context.Context, c *court, n *node) (machines []string, tried []record, err error) {
	const asked, most = 1000, 3
	for i := range n.details {
		machines = append(machines, n.details[i].origin())
	}
	if machines = names(machines); len(machines) == 0 || len(machines) > most {
		return nil, nil, nil
	}
	tried, err = c.store.ofMachines(ctx, false, machines, n.hosts, span{n.begun - int64(tryReach), n.done + int64(tryReach)}, asked)
	tried = slices.DeleteFunc(tried, func(r record) bool { return r.time == noTime })
	if err != nil || len(tried) <= n.tries {
		return machines, tried, err
	}
	n.tries = len(tried)
	n.begun, n.done = min(n.begun, tried[0].time), max(n.done, tried[len(tried)-1].time)
	n.records = nil
	for _, r := range spreadRecords(tried, maxCited) {
		n.records = append(n.records, analyze.Evidence{ID: r.id, Time: r.time})
	}
	return machines, tried, nil
}

// triedFrom notes that another log has the attempts with addresses.
func (n *node) triedFrom(c *court, tried []record) {
	tried = slices.DeleteFunc(slices.Clone(tried), func(r record) bool { _, ok := parseAddress(r.source); return !ok })
	sources := make([]string, len(tried))
	for i := range tried {
		sources[i] = tried[i].source
	}
	sources = names(sources)
	n.verdict.tried = tried
	n.strangers = append(n.strangers, outside(sources)...)
	for _, source := range sources {
		n.bonds = append(n.bonds, bondsOf(&analyze.Entities{Sources: []string{source}}, nil, c.owner, c.services)...)
	}
}

// sameAttemptsFrom decides attempts of which their log gives no address, where
// another log of the host has the same attempts with one (Windows' 4625 beside
// 4776): an address that several of the accounts were tried from at that time.
func sameAttemptsFrom(ctx context.Context, c *court, n *node, accounts []string, mine []record) (decided bool, err error) {
	const asked, slack = 1000, int64(2 * time.Second)
	tried, err := c.store.refusals(ctx, accounts, n.hosts, span{n.begun - slack, n.done + slack}, asked)
	if err != nil {
		return false, err
	}
	users := map[string]map[string]bool{}
	for _, r := range tried {
		if users[r.source] == nil {
			users[r.source] = map[string]bool{}
		}
		users[r.source][userName(r.user)] = true
	}
	var sources []string
	for source, us := range users {
		if _, ok := parseAddress(source); ok && len(us) > 1 { // one account: its owner, mistyping
			sources = append(sources, source)
		}
	}
	for i := range mine { // the machine of the attempts, by its name
		if _, ok := parseAddress(mine[i].source); ok {
			sources = append(sources, mine[i].source)
		}
	}
	tried = once(append(tried, mine...))
	if sources = names2(sources, maxIn); len(sources) == 0 {
		return false, nil
	}
	got, err := c.store.logins(ctx, sources, window(n, loginReach), loginsEach)
	if err != nil {
		return false, err
	}
	got = onTargets(c, n, got)
	tried = slices.DeleteFunc(tried, func(r record) bool { return !slices.Contains(sources, r.source) })
	text := fmt.Sprintf("of these attempts no address is recorded; another log has attempts on %s of the accounts at that time, from %s", prose.Number(len(names(usersOf(tried)))), some(sources, "addresses"))
	from := Sentence{sentence(text), idsOf(spreadRecords(tried, attempts))}
	if len(got) > 0 {
		if err := grant(ctx, c, n, got, ""); err != nil || n.verdict.result == "" {
			return false, err
		}
	} else {
		s, ok := c.logs.span("authentication", single(n.hosts))
		if !ok || !s.covers(n.begun, n.done) {
			return false, nil
		}
		text := fmt.Sprintf("none of %s was followed by an accepted login from %s; the authentication log of %s covers the time until %s",
			prose.Count(n.tries, "recorded attempt"), some(sources, "addresses"), hostsPhrase(n.hosts), clock(s.to))
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), n.tried(attempts)}}}
	}
	n.verdict.why = append(n.verdict.why, from)
	n.triedFrom(c, tried)
	return true, nil
}

// ownRecords decides a finding without an address by the outcomes of its own
// records: failures, then a success.
func ownRecords(n *node) bool {
	failedAt := int64(event.NoTime)
	for _, e := range n.f.Evidence {
		switch e.Outcome {
		case "failure":
			if failedAt == event.NoTime {
				failedAt = e.Time
			}
		case "success":
			i := slices.IndexFunc(n.details, func(r record) bool { return r.id == e.ID })
			if failedAt == event.NoTime || i < 0 || n.details[i].has("end") || !n.details[i].is("authentication") {
				continue
			}
			r := n.details[i]
			n.verdict = verdict{
				result: Succeeded, followed: []record{r}, users: []string{r.user},
				why: []Sentence{{
					sentence(fmt.Sprintf("after %s, %s accepted a login as %s at %s", prose.Count(n.f.Count-1, "recorded attempt"), hostPhrase(r.host), show(r.user), clock(r.time))),
					cite(n.tried(attempts), []string{r.id})}},
			}
			return true
		}
	}
	return false
}

// noLogin tells failure from not knowing.
func noLogin(ctx context.Context, c *court, n *node) error {
	tried := n.tried(attempts)
	if len(tried) == 0 {
		return nil
	}
	hosts := c.targets(n)
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	var missing []string
	var ended []Sentence
	until := int64(event.NoTime)
	for _, h := range hosts {
		s, ok := c.logs.span("authentication", h)
		if !ok || !s.covers(n.begun, n.done) {
			missing = append(missing, authenticationLog(h))
			if ok && s.to != event.NoTime && n.done != event.NoTime && s.to < n.done {
				ended = append(ended, Sentence{sentence(fmt.Sprintf("the authentication log of %s ends at %s, before the last attempt at %s", hostPhrase(h), clock(s.to), clock(n.done))), tried[len(tried)-1:]})
			}
			continue
		}
		if until == event.NoTime || s.to < until {
			until = s.to
		}
		// A log that stops amid the attempts, while another still sees them, hides how they ended.
		if s.to-n.done < int64(time.Minute) {
			for _, source := range n.f.Entities.Sources[:min(len(n.f.Entities.Sources), 5)] {
				later, err := c.store.seen(ctx, source, span{s.to + int64(time.Minute), s.to + int64(loginReach)}, 1)
				if err != nil {
					return err
				}
				if len(later) > 0 {
					missing = append(missing, authenticationLog(h))
					ended = append(ended, Sentence{sentence(fmt.Sprintf("the authentication log of %s ends at %s with the attempts, while %s was still seen at %s", hostPhrase(h), clock(s.to), show(source), clock(later[0].time))), cite(tried, idsOf(later))})
					break
				}
			}
		}
	}
	from := "these addresses"
	if len(n.f.Entities.Sources) == 1 {
		from = show(n.f.Entities.Sources[0])
	} else if len(n.f.Entities.Sources) == 0 {
		from = "there"
	}
	if len(missing) > 0 {
		text := fmt.Sprintf("whether any of %s was accepted is not known: the case does not hold the %s for that time", prose.Count(n.tries, "recorded attempt"), list(missing, 3))
		n.verdict = verdict{result: Unknown, needs: missing, why: append([]Sentence{{sentence(text), tried}}, ended...)}
		return nil
	}
	if len(n.f.Entities.Sources) == 0 {
		from = "an address new to them"
	}
	text := fmt.Sprintf("none of %s was followed by an accepted login from %s; the authentication log of %s covers the time until %s",
		prose.Count(n.tries, "recorded attempt"), from, hostsPhrase(hosts), clock(until))
	n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), tried}}}
	return nil
}

func hostsPhrase(hosts []string) string {
	switch {
	case len(hosts) == 0 || len(hosts) == 1 && hosts[0] == "":
		return "the host attacked"
	case len(hosts) == 1:
		return "host " + show(hosts[0])
	}
	return "hosts " + some(hosts, "hosts")
}
