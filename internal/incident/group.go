package incident

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// group is the findings of one incident to be.
type group struct {
	nodes   []*node // in order of time; those of level medium and above come from linking
	context []*node // low and informational findings that belong to it
	merged  bool    // of the same kind but of no common story: see background.go

	sessions []session // that it happened in: see trace.go
	tree     []part    // what else its programs did: see tree.go
	records  []record  // of the sessions and the tree

	techniques []string // that acts are
	began      []record // services that began with what is found
	movers     []string // who ran what may have brought them

	footprint []Sentence // what else is recorded of who got in: see footprint.go
	quiet     []record   // its records, which the timeline does not list
	taken     []record   // calls that read a cloud's storage
	at        []string   // hosts whose addresses findings are from, as leases and logons say
	aside     []record   // that say so
	sent      []sending  // to addresses outside by hosts that an intruder got in to
	contacted []string   // addresses outside that its hosts or programs connected to
}

// Two findings are of one incident when what they share weighs this much.
const enough = 1.0

// Findings below level medium are many, and need to be nearer: an account alone
// binds them for half an hour.
const contextEnough = 1.25

const (
	neighbours   = 6                // findings before one that are looked at, for each entity
	progress     = 1.6              // a step forward in the kill chain, soon after, makes a link this much stronger
	progressSoon = 30 * time.Minute //
	unknownTime  = 0.5              // of the strength stays when a time is not known
	commonFrom   = 20               // findings with an entity from which on it says less
	weakSpan     = 6 * time.Hour    // an incident held by weak links alone is no longer than this
	longSpan     = 7 * 24 * time.Hour
	bigGroup     = 50 // two groups of this size are joined by strong links only
	strongLink   = 1.8
	maxContext   = 200
)

// link is that two findings, by index, share something.
type link struct {
	a, b     int
	strength float64
	specific bool // through something that names a person, an outside address or a thing
	party    bool // not if they have to do with different parties outside
}

// attributed are a node's bonds ready for comparison.
type attributed struct {
	key      []int // of bonds, ascending
	weight   []float64
	half     []float64 // ns
	specific []bool
}

// findingLevel is the least level that makes an incident.
var findingLevel = analyze.LevelRank("medium")

// gather makes groups of nodes, which are in order of time. It looks at each
// finding's neighbours in time for each of its entities, so that its work grows
// with the number of findings, and joins the strongest links first, so that a
// weak link cannot glue two stories that each have their own attacker.
func gather(nodes []*node) []*group {
	for _, n := range nodes {
		n.settle()
	}
	spreadBonds(nodes)
	features := compare(nodes)
	links := findLinks(nodes, features)
	slices.SortFunc(links, func(x, y link) int {
		return cmp.Or(compareDown(x.strength, y.strength), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	f := newForest(nodes)
	best := make([]link, len(nodes)) // of context findings
	for _, l := range links {
		a, b := nodes[l.a].level >= findingLevel, nodes[l.b].level >= findingLevel
		switch {
		case a && b:
			f.join(l)
		case l.strength < contextEnough || otherParties(nodes[l.a], nodes[l.b]) || !nodes[l.a].tells(l) || !nodes[l.b].tells(l):
		case a && best[l.b].strength == 0:
			best[l.b] = l
		case b && best[l.a].strength == 0:
			best[l.a] = link{a: l.b, b: l.a, strength: l.strength}
		}
	}
	byRoot := map[int]*group{}
	var groups []*group
	for i, n := range nodes {
		if n.level < findingLevel {
			continue
		}
		r := f.root(i)
		if byRoot[r] == nil {
			byRoot[r] = &group{}
			groups = append(groups, byRoot[r])
		}
		byRoot[r].nodes = append(byRoot[r].nodes, n)
	}
	for i, n := range nodes {
		if n.level >= findingLevel || best[i].strength == 0 {
			continue
		}
		if g := byRoot[f.root(best[i].a)]; len(g.context) < maxContext {
			g.context = append(g.context, n)
		}
	}
	return groups
}

// tells reports whether a link makes the finding, if it is below level medium,
// a part of a story. What a technique finds unusual of a host or of an account
// that every host has is of nobody in particular, and what it only mentions is
// of nobody unless nearly the same things are named.
func (n *node) tells(l link) bool {
	if n.level >= findingLevel || n.f.Kind == "sigma" || n.f.Kind == "correlation" {
		return true
	}
	if slices.Contains([]string{"patterns", "sequences", "isolation"}, n.f.Kind) && n.level < lowLevel {
		return false // unlike the rest, and not even much
	}
	return l.specific && (n.level >= lowLevel || l.strength >= strongLink)
}

// shellBonds ties requests to one web shell: nobody but who put it there knows of it.
func (n *node) shellBonds() {
	if !technique(n.f, "T1505.003") {
		return
	}
	for i := range n.details[:min(len(n.details), 20)] {
		if r := &n.details[i]; r.urlPath != "" && r.status >= 200 && r.status < 300 {
			n.bonds = append(n.bonds, bond{"shell:" + r.host + r.urlPath, weightShell, halfFile, true, false})
		}
	}
}

// holeBonds ties attacks that got more than the page out of the same page at
// the same time: one attack from many addresses.
func (n *node) holeBonds() {
	for i := range n.verdict.followed {
		if r := &n.verdict.followed[i]; r.is("web") && r.urlPath != "" {
			n.bonds = append(n.bonds, bond{"hole:" + r.host + r.urlPath, weightServer, halfServer, true, false})
		}
	}
}

// serverBonds ties requests that may have made a web server do something to
// what its account did on the host: it has no other business there.
func (n *node) serverBonds() {
	for _, h := range n.hosts {
		n.bonds = append(n.bonds, bond{"webserver:" + h, weightServer, halfServer, false, false})
	}
	n.bonds = trimBonds(n.bonds)
}

// settle adapts a node's bonds to its verdict. An attempt that failed binds by
// where it came from alone: those it was aimed at had no part in it. One that
// succeeded binds by the account it got and where.
func (n *node) settle() {
	attempt := n.behaviour != other
	switch {
	case !attempt:
		return
	case n.verdict.result == Succeeded:
		n.bonds = slices.DeleteFunc(n.bonds, func(b bond) bool {
			return n.behaviour == bruteForce && strings.HasPrefix(b.key, "user:")
		})
		var e analyze.Entities
		for _, r := range n.verdict.followed {
			e.Users = append(e.Users, r.user)
			if hostName(r.host) != "" {
				e.Hosts = append(e.Hosts, r.host)
			}
			if n.behaviour == bruteForce {
				e.Sources = append(e.Sources, r.source)
			}
		}
		slices.Sort(e.Users)
		e.Users = slices.Compact(e.Users)
		slices.Sort(e.Hosts)
		n.bonds = append(n.bonds, bondsOf(&e, slices.Compact(e.Hosts), nil, nil)...)
		if n.behaviour == webAttack {
			n.shellBonds()
			n.holeBonds()
			n.serverBonds()
		}
		n.bonds = trimBonds(n.bonds)
	default:
		sources := map[string]bool{}
		for _, s := range n.f.Entities.Sources {
			if a, ok := parseAddress(s); ok {
				sources["address:"+a.String()] = true
			}
		}
		away := len(outside(n.f.Entities.Sources)) > 0
		serious := n.behaviour == webAttack && n.verdict.result == Unknown && n.level > findingLevel
		n.bonds = slices.DeleteFunc(n.bonds, func(b bond) bool {
			return !sources[b.key] && !(serious && strings.HasPrefix(b.key, "host:")) && len(sources) > 0
		})
		if n.behaviour == webAttack && n.verdict.result == Unknown {
			n.shellBonds()
			n.serverBonds()
		}
		n.background = away && n.level < analyze.LevelRank("critical")
	}
}

// compare interns the bonds' keys and weighs them by how many findings have them.
func compare(nodes []*node) []attributed {
	index := map[string]int{}
	var have []int
	for _, n := range nodes {
		for _, b := range n.bonds {
			k, ok := index[b.key]
			if !ok {
				k = len(have)
				index[b.key] = k
				have = append(have, 0)
			}
			have[k]++
		}
	}
	features := make([]attributed, len(nodes))
	for i, n := range nodes {
		order := slices.Clone(n.bonds)
		slices.SortFunc(order, func(x, y bond) int { return cmp.Compare(index[x.key], index[y.key]) })
		f := &features[i]
		for _, b := range order {
			k := index[b.key]
			w := b.weight
			if b.shared && have[k] > commonFrom && len(nodes) > commonFrom {
				w *= max(0.5, 1-0.5*math.Log(float64(have[k])/commonFrom)/math.Log(float64(len(nodes))/commonFrom))
			}
			f.key = append(f.key, k)
			f.weight = append(f.weight, w)
			f.half = append(f.half, float64(b.halfLife))
			f.specific = append(f.specific, b.specific)
		}
	}
	return features
}

// findLinks compares each finding with those shortly before it that share an
// entity: the last few of each entity and the one that lasts longest.
func findLinks(nodes []*node, features []attributed) []link {
	type recent struct {
		last    []int
		longest int
	}
	recents := map[int]*recent{}
	seen := make([]int, len(nodes))
	var links []link
	for i := range nodes {
		consider := func(j int) {
			if j == i || seen[j] == i+1 {
				return
			}
			seen[j] = i + 1
			if nodes[i].level < findingLevel && nodes[j].level < findingLevel {
				return
			}
			if l := weigh(nodes, features, j, i); l.strength >= enough {
				links = append(links, l)
			}
		}
		f := &features[i]
		for x, k := range f.key {
			if f.weight[x] <= weightCommon {
				continue // adds to what others find, finds nothing itself
			}
			r := recents[2*k]
			for _, low := range []int{0, 1} { // low and informational ones do not push the others out
				if r = recents[2*k+low]; r != nil {
					for _, j := range r.last {
						consider(j)
					}
					consider(r.longest)
				}
			}
			at := 2 * k
			if nodes[i].level < findingLevel {
				at++
			}
			if r = recents[at]; r == nil {
				recents[at] = &recent{[]int{i}, i}
				continue
			}
			if len(r.last) == neighbours {
				r.last = slices.Delete(r.last, 0, 1)
			}
			r.last = append(r.last, i)
			if nodes[i].f.Last >= nodes[r.longest].f.Last {
				r.longest = i
			}
		}
	}
	return links
}

// weigh says how strongly two findings are linked; a is not after b.
func weigh(nodes []*node, features []attributed, a, b int) link {
	l := link{a: a, b: b}
	ns, unknown := gap(nodes[a], nodes[b])
	x, y := &features[a], &features[b]
	for i, j := 0, 0; i < len(x.key) && j < len(y.key); {
		switch {
		case x.key[i] < y.key[j]:
			i++
		case x.key[i] > y.key[j]:
			j++
		default:
			w := min(x.weight[i], y.weight[j]) * math.Exp2(-float64(ns)/min(x.half[i], y.half[j]))
			l.strength += w
			if w >= enough/2 && x.specific[i] && y.specific[j] {
				l.specific = true
			}
			i, j = i+1, j+1
		}
	}
	if sameAttempts(nodes[a], nodes[b]) {
		l.strength, l.specific = strongLink, true
	}
	if s := weightSearch * math.Exp2(-float64(ns)/float64(halfSearch)); s > l.strength && ledTo(nodes[a], nodes[b]) {
		l.strength, l.specific, l.party = s, true, true
	}
	switch {
	case unknown:
		l.strength *= unknownTime
	case l.strength < enough && sameMoment(nodes[a], nodes[b]):
		l.strength = enough
	case ns <= int64(progressSoon) && nodes[a].stage != noStage && forward(nodes[a], nodes[b]):
		l.strength *= progress
	}
	return l
}

// spreadBonds ties guesses from several addresses that are one attack spread over
// them: on one host they begin together, end together, and are as many. Two such
// may be chance.
func spreadBonds(nodes []*node) {
	const least, open = 3, 50 // addresses; attacks that each is compared with
	byHost := map[string][]*node{}
	for _, n := range nodes {
		if n.behaviour == bruteForce && n.begun != noTime && len(n.hosts) == 1 && len(n.f.Entities.Sources) == 1 && len(n.strangers) == 1 && n.done-n.begun >= int64(time.Minute) {
			byHost[n.hosts[0]] = append(byHost[n.hosts[0]], n)
		}
	}
	for _, ns := range byHost {
		slices.SortStableFunc(ns, func(a, b *node) int { return cmp.Or(cmp.Compare(a.begun, b.begun), compareNodes(a, b)) })
		var attacks [][]*node
		for _, n := range ns {
			slack := max(int64(20*time.Second), (n.done-n.begun)/20)
			i := len(attacks) - 1
			for ; i >= max(0, len(attacks)-open); i-- {
				m := attacks[i][0]
				if n.begun-m.begun <= slack && max(n.done-m.done, m.done-n.done) <= slack && 2*max(n.tries, m.tries) <= 3*min(n.tries, m.tries) {
					break
				}
			}
			if i < max(0, len(attacks)-open) {
				attacks = append(attacks, nil)
				i = len(attacks) - 1
			}
			attacks[i] = append(attacks[i], n)
		}
		for _, as := range attacks {
			from := map[string]bool{}
			for _, n := range as {
				from[n.strangers[0]] = true
			}
			if len(from) < least {
				continue
			}
			for _, n := range as {
				n.bonds = append(n.bonds, bond{"attack:" + as[0].f.ID, weightOutside, halfOutside, true, false})
			}
		}
	}
}

// sameAttempts reports whether two findings are of the same guesses, as two
// logs of a host have them of which one names no address (Windows' 4776 beside
// 4625): at one time, on one host, most of the accounts the same.
func sameAttempts(a, b *node) bool {
	x, y := &a.f.Entities, &b.f.Entities
	apart, unknown := gap(a, b)
	counted := func(n *node) bool { return n.f.Kind == "sigma" || n.f.Kind == "correlation" } // and not all that an account had in an hour
	if a.behaviour != bruteForce || b.behaviour != bruteForce || !counted(a) || !counted(b) || unknown || apart > int64(alertReach) ||
		len(x.Sources) > 0 && len(y.Sources) > 0 || !intersect(a.hosts, b.hosts) {
		return false
	}
	same := 0
	for _, u := range x.Users {
		if slices.Contains(y.Users, u) {
			same++
		}
	}
	return same > 0 && 2*same > min(len(x.Users), len(y.Users))
}

// A program that looks for where to call, by one name after the other, calls
// there when it has found it: a search and the calls of the same computer that
// begin after it are one story (ATT&CK T1568, then T1071).
const (
	weightSearch = 2.5
	halfSearch   = 6 * time.Hour
)

// ledTo reports whether a is such a search and b calls that may have come of it.
func ledTo(a, b *node) bool {
	if !technique(a.f, "T1568") || a.callsOut() || !b.callsOut() || b.begun < a.begun {
		return false
	}
	x, y := a.f.Entities.Sources, b.f.Entities.Sources
	return len(x) == 1 && len(y) == 1 && x[0] == y[0] || len(x)+len(y) == 0 && len(a.hosts) == 1 && slices.Equal(a.hosts, b.hosts)
}

// sameMoment reports whether two findings are of what was done on one host
// within seconds, by accounts that can be the same: one act, seen in two ways.
func sameMoment(a, b *node) bool {
	const moment, brief = int64(5 * time.Second), int64(time.Minute)
	apart, unknown := gap(a, b)
	if a.behaviour != other || b.behaviour != other || unknown || apart > moment || a.f.Last-a.f.First > brief || b.f.Last-b.f.First > brief || !intersect(a.hosts, b.hosts) {
		return false
	}
	of := func(n *node) (persons []string) {
		for _, u := range n.f.Entities.Users {
			if userWeight(userName(u)) == weightUser {
				persons = append(persons, userName(u))
			}
		}
		return names(persons)
	}
	x, y := of(a), of(b)
	return len(x) == 0 || len(y) == 0 || intersect(x, y)
}

// forward reports whether b is a step on from a: a later stage, or another
// tactic of the stage where tactics come in any order.
func forward(a, b *node) bool {
	if b.last > a.last {
		return true
	}
	// On the host that an intruder moved on to, it starts over.
	if a.last == spreading && b.last >= foothold && tactic(a.f, "lateral-movement") {
		return true
	}
	return a.last == foothold && b.last == foothold && !slices.Equal(a.f.Tactics, b.f.Tactics)
}

// forest joins findings to groups and knows what each group is about.
type forest struct {
	parent  []int
	size    []int
	first   []int64
	last    []int64
	sources [][]string // parties outside: addresses that something came from, or that a host calls; sorted, at most maxSources
}

const maxSources = 64

func newForest(nodes []*node) *forest {
	f := &forest{make([]int, len(nodes)), make([]int, len(nodes)), make([]int64, len(nodes)), make([]int64, len(nodes)), make([][]string, len(nodes))}
	for i, n := range nodes {
		f.parent[i], f.size[i], f.first[i], f.last[i] = i, 1, n.f.First, n.f.Last
		s := slices.Clone(n.strangers)
		if n.callsOut() { // whom a host calls is a party as well
			s = append(s, outside(n.f.Entities.Destinations)...)
		}
		slices.Sort(s)
		f.sources[i] = s[:min(len(s), maxSources)]
	}
	return f
}

func (f *forest) root(i int) int {
	for f.parent[i] != i {
		f.parent[i] = f.parent[f.parent[i]]
		i = f.parent[i]
	}
	return i
}

// join joins the groups of a link's ends, unless that made one story of two.
func (f *forest) join(l link) {
	a, b := f.root(l.a), f.root(l.b)
	if a == b {
		return
	}
	a, b = min(a, b), max(a, b)
	first, last := f.first[a], f.last[a]
	if first == noTime {
		first, last = f.first[b], f.last[b]
	} else if f.first[b] != noTime {
		first, last = min(first, f.first[b]), max(last, f.last[b])
	}
	if l.strength < strongLink {
		if f.size[a] > bigGroup && f.size[b] > bigGroup || last-first > int64(longSpan) && f.size[a]+f.size[b] > 2 {
			return
		}
	}
	if l.party && len(f.sources[a]) > 0 && len(f.sources[b]) > 0 && !intersect(f.sources[a], f.sources[b]) {
		return
	}
	if !l.specific {
		if last-first > int64(weakSpan) && l.strength < strongLink {
			return
		}
		if len(f.sources[a]) > 0 && len(f.sources[b]) > 0 && !intersect(f.sources[a], f.sources[b]) {
			return
		}
	}
	f.parent[b] = a
	f.size[a] += f.size[b]
	f.first[a], f.last[a] = first, last
	all := append(slices.Clone(f.sources[a]), f.sources[b]...)
	slices.Sort(all)
	all = slices.Compact(all)
	f.sources[a] = all[:min(len(all), maxSources)]
}

// intersect reports whether two sorted lists share a value.
func intersect(a, b []string) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch c := strings.Compare(a[i], b[j]); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			return true
		}
	}
	return false
}
