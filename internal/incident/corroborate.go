package incident

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// What a technique finds unusual is told as low where by itself it is mostly
// harmless: many files read, much sent out, calls at even intervals, a
// connection held open for hours. That most such findings are harmless follows
// from how rare intrusions are (Axelsson, The base-rate fallacy and its
// implications for the difficulty of intrusion detection, 1999): one sign that
// a hundredth of all computers show on a day, by chance, names ten of a
// thousand. Two that have nothing to do with each other name one in ten days.
// So signs add up, as the logarithms of likelihood ratios do (Good, Probability
// and the Weighing of Evidence, 1950), and only as far as they are independent:
// made by different techniques, of different ways, from different records.
//
// The unit is one technique's finding of level low. Two of them make an incident.
const (
	signsEnough = 2.0

	signFinding = 1.0 // a technique's finding of level low
	signHint    = 0.5 // a technique's informational finding of calls; a rule's match of level low that the host does not always show

	// Of calls: what an analyst looks up. Alone and new are what RITA moves its
	// scores by (prevalence, first seen). A page that is left open calls evenly
	// as well, but nine of ten pages fetch from third parties when they open (HTTP
	// Archive, Web Almanac, chapter Third Parties): a program begins by itself. These three count for
	// rhythms only: the level of a long connection is by how few contact the destination already.
	signAlone     = 0.25 // one source alone of ten and more contacts the destination
	signNew       = 0.25 // nobody had for half a day of logs before
	signItself    = 0.5  // the computer contacted next to nothing else outside when the calls began
	signProgram   = 1.0  // the program that calls is one that runs what others wrote
	signPlace     = 0.5  // it lies where users may write
	signDisguised = 1.0  // the connection speaks another protocol than its port is for
	signBegan     = 1.5  // a service began just then that the host had not had

	corroborateReach = 6 * time.Hour
	aloneAmong       = 10             // computers that talk out, for one alone to mean something
	newAfter         = 12 * time.Hour // of logs
	besideWithin     = 10 * time.Second
	besideMost       = 1  // other destinations within that time of the first call
	corroborateMost  = 50 // findings of calls that are looked up
	neighbourSigns   = 50 // findings that each is held against
	hintsMost        = 2

	weightAt = 1.3 // of who a lease or a logon says was at an address: little less than of who is named
)

// lowLevel is the least level of what counts as a sign by itself.
var lowLevel = analyze.LevelRank("low")

// sign is something that counts towards an incident.
type sign struct {
	weight float64
	node   *node  // nil: looked up
	says   string // what, then
}

// corroborate raises findings below the level that makes an incident to it
// where signs of the same actor, within hours, are enough together.
func (c *court) corroborate(ctx context.Context, nodes []*node) error {
	var weak []*node
	actors := map[*node][]string{}
	byActor := map[string][]*node{}
	shown := map[string]map[string][]*node{} // of rules, by actor and rule
	for _, n := range nodes {
		w := n.signWeight()
		if w == 0 {
			continue
		}
		as, err := c.actors(ctx, n)
		if err != nil {
			return err
		}
		actors[n] = as
		if !n.byRule() && (w == signFinding || n.callsOut()) {
			weak = append(weak, n)
		}
		for _, a := range as {
			byActor[a] = append(byActor[a], n)
			if n.byRule() {
				if shown[a] == nil {
					shown[a] = map[string][]*node{}
				}
				shown[a][n.f.Rule.ID] = append(shown[a][n.f.Rule.ID], n)
			}
		}
	}
	var calls []*node // that make an incident by themselves
	for _, n := range nodes {
		if n.callsOut() && n.level >= findingLevel {
			calls = append(calls, n)
		}
	}
	raise := map[*node]bool{}
	asked := 0
	for _, n := range weak {
		var near []*node
		for _, a := range actors[n] {
			near = append(near, around(byActor[a], n)...)
		}
		slices.SortFunc(near, func(x, y *node) int {
			return cmp.Or(compareDown(x.signWeight(), y.signWeight()), compareNodes(x, y))
		})
		near = slices.CompactFunc(near, func(x, y *node) bool { return x == y })
		signs := []sign{{weight: n.signWeight(), node: n}}
		hints := 0
		for _, m := range near {
			if m.byRule() && (hints == hintsMost || usual(shown, actors[m], m)) || explained(m, n, calls) || explained(n, m, calls) ||
				slices.ContainsFunc(signs, func(s sign) bool { return !independent(s.node, m) }) {
				continue
			}
			if m.byRule() {
				hints++
			}
			signs = append(signs, sign{weight: m.signWeight(), node: m})
		}
		if n.callsOut() && asked < corroborateMost {
			asked++
			found, err := c.lookUp(ctx, n)
			if err != nil {
				return err
			}
			signs = append(signs, found...)
		}
		if sum(signs) < signsEnough {
			continue
		}
		for _, s := range signs {
			if s.node == nil {
				n.because = append(n.because, s.says)
				continue
			}
			raise[s.node] = raise[s.node] || !s.node.byRule()
			if len(signs) > 1 {
				s.node.bonds = append(s.node.bonds, bond{"signs:" + n.f.ID, weightOutside, halfOutside, true, false})
			}
		}
	}
	for n, yes := range raise {
		if yes {
			n.level, n.raised = max(n.level, findingLevel), true
		}
		n.bonds = trimBonds(n.bonds)
	}
	for _, n := range weak {
		if n.raised || !n.callsOut() {
			continue
		}
		// Calls that make no incident join that of who was at the computer.
		for _, a := range actors[n] {
			switch kind, _, _ := strings.Cut(a, ":"); kind {
			case "user":
				n.bonds = append(n.bonds, bond{a, weightAt, halfUser, true, true})
			case "host":
				n.bonds = append(n.bonds, bond{a, weightHost, halfHost, false, true})
			}
		}
		n.bonds = trimBonds(n.bonds)
	}
	return nil
}

func sum(signs []sign) (w float64) {
	for _, s := range signs {
		w += s.weight
	}
	return w
}

// byRule reports whether a rule made the finding, not a technique.
func (n *node) byRule() bool { return n.f.Kind == "sigma" || n.f.Kind == "correlation" }

// signWeight is what a finding below the level that makes an incident counts
// for; 0: nothing. What was done to somebody is no sign of what they do: not
// guesses, scans and requests.
func (n *node) signWeight() float64 {
	switch {
	case n.level >= findingLevel || n.f.First == noTime || n.behaviour != other || n.last <= recon:
		return 0
	case n.byRule() && n.level == lowLevel && len(n.strangers) == 0 && (!observed(n.f) || len(n.f.Entities.Sources) > 0):
		return signHint
	case n.byRule():
		return 0
	case n.level == lowLevel:
		return signFinding
	case n.callsOut():
		return signHint
	}
	return 0
}

// actors names who a finding says acted: addresses that something came from,
// people, and hosts by their addresses or by what a rule saw there. What names
// many is of none in particular.
func (c *court) actors(ctx context.Context, n *node) ([]string, error) {
	const few = 3
	var as []string
	e := &n.f.Entities
	if len(e.Sources) <= few {
		for _, s := range e.Sources {
			a, ok := parseAddress(s)
			if !ok {
				continue
			}
			as = append(as, "address:"+a.String())
			if h := c.owner[a.String()]; h != "" {
				as = append(as, "host:"+h)
				continue
			}
			if isOutside(a) || !n.callsOut() || c.readLinks == nil {
				continue
			}
			at, err := c.linksDuring(ctx, a.String(), n.begun, n.done)
			if err != nil {
				return nil, err
			}
			var there []string
			for _, l := range at {
				if u := userName(l.Value); l.Kind == "user" && userWeight(u) == weightUser {
					there = append(there, "user:"+u)
				} else if h := c.hosts.machine(l.Value); l.Kind == "host" && h != "" {
					there = append(there, "host:"+h)
				}
			}
			if there = names(there); len(there) <= few { // else a gateway, or a terminal server
				as = append(as, there...)
			}
		}
	}
	if len(e.Users) <= few {
		for _, v := range e.Users {
			if u := userName(v); userWeight(u) == weightUser {
				as = append(as, "user:"+u)
			}
		}
	}
	if n.byRule() && len(n.hosts) == 1 {
		as = append(as, "host:"+n.hosts[0])
	}
	return names(as), nil
}

// around returns of findings in order of time those within reach of one, at
// most so many.
func around(all []*node, n *node) []*node {
	var out []*node
	for _, m := range all {
		if apart, _ := gap(m, n); m != n && apart <= int64(corroborateReach) {
			if out = append(out, m); len(out) == neighbourSigns {
				break
			}
		}
	}
	return out
}

// usual reports whether the rule finds the same of the actor at other times as well.
func usual(shown map[string]map[string][]*node, actors []string, n *node) bool {
	for _, a := range actors {
		for _, m := range shown[a][n.f.Rule.ID] {
			if apart, _ := gap(m, n); apart > int64(corroborateReach) {
				return true
			}
		}
	}
	return false
}

// explained reports whether m is a search that led to other calls than n is of.
func explained(m, n *node, calls []*node) bool {
	return slices.ContainsFunc(calls, func(k *node) bool {
		apart, _ := gap(m, k)
		return k != n && apart <= int64(corroborateReach) && ledTo(m, k) && (otherParties(k, n) || !n.callsOut())
	})
}

// independent reports whether two findings tell of two things: by different
// techniques or rules, of different ATT&CK techniques unless they are of two
// rules, from different records, and not of calls to different parties.
func independent(a, b *node) bool {
	if a == nil || b == nil {
		return true
	}
	switch {
	case a.f.Kind == b.f.Kind && (!a.byRule() || a.f.Rule.ID == b.f.Rule.ID):
		return false
	case !a.byRule() && !b.byRule() && slices.Equal(a.f.Techniques, b.f.Techniques):
		return false
	case otherParties(a, b):
		return false
	}
	ids := map[string]bool{}
	for _, e := range a.f.Evidence {
		ids[e.ID] = true
	}
	same := 0
	for _, e := range b.f.Evidence {
		if ids[e.ID] {
			same++
		}
	}
	return 5*same <= min(len(a.f.Evidence), len(b.f.Evidence))
}

// otherParties reports whether two findings are of a host's calls to different
// addresses outside: what it polls is no reason to look at what it sends elsewhere.
func otherParties(a, b *node) bool {
	x, y := names(outside(a.f.Entities.Destinations)), names(outside(b.f.Entities.Destinations))
	return a.callsOut() && b.callsOut() && len(x) > 0 && len(y) > 0 && !intersect(x, y)
}

// runsOthersCode are programs that come with a system or an interpreter and do
// what a file or a command line tells them: what calls home through them is not
// theirs (ATT&CK T1059, T1218, T1127).
var runsOthersCode = []string{
	"powershell.exe", "pwsh.exe", "wscript.exe", "cscript.exe", "mshta.exe", "rundll32.exe", "regsvr32.exe", "msbuild.exe", "installutil.exe",
	"certutil.exe", "bitsadmin.exe", "cmstp.exe", "regasm.exe", "regsvcs.exe", "msxsl.exe", "odbcconf.exe", "hh.exe", "wmic.exe", "cmd.exe",
}

// lookUp finds the signs that the records about a finding of calls hold.
func (c *court) lookUp(ctx context.Context, n *node) ([]sign, error) {
	to := outside(n.f.Entities.Destinations)
	if n.begun == noTime || len(to) == 0 || len(to) > originHosts {
		return nil, nil
	}
	var signs []sign
	add := func(w float64, says string) { signs = append(signs, sign{weight: w, says: says}) }
	if n.f.Kind == "beacon" && n.level >= lowLevel {
		if !slices.ContainsFunc(to, func(d string) bool { return c.visitors[d] != 1 }) {
			among, err := c.talkers(ctx)
			if err != nil {
				return nil, err
			}
			if among >= aloneAmong {
				add(signAlone, "no other computer of the case contacted the address")
			}
		}
		if s, ok := c.logs.anywhere("network"); ok && s.from != noTime && n.begun-s.from >= int64(newAfter) {
			add(signNew, "none had in the logs of half a day before")
		}
		if len(n.f.Entities.Sources) > 0 {
			beside, err := c.beside(ctx, n, to)
			if err != nil {
				return nil, err
			}
			if beside <= besideMost {
				add(signItself, "the computer contacted next to nothing else outside when the calls began")
			}
		}
	}
	from := slices.Clone(n.f.Entities.Sources)
	callers := c.callers(n)
	for _, h := range callers {
		from = append(from, c.owns[h]...)
	}
	if len(from) == 0 {
		return signs, nil
	}
	flows, err := c.store.flows(ctx, names(from), to, span{n.begun - int64(time.Minute), n.done}, 100)
	if err != nil {
		return nil, err
	}
	program, place, disguised := false, false, false
	for i := range flows {
		r := &flows[i]
		if r.outcome == "failure" || r.has("denied") {
			continue
		}
		disguised = disguised || otherProtocol(r.protocol, r.port)
		if r.entity != "" && !treeRoot(programName(r)) {
			n.bonds = append(n.bonds, bond{"process:" + r.entity, weightProcess, halfProcess, true, false})
		}
		program = program || slices.Contains(runsOthersCode, programName(r))
		place = place || oddPlace(normalPath(r.executable))
	}
	n.bonds = trimBonds(n.bonds)
	switch {
	case program:
		add(signProgram, "the program that calls is one that runs what others wrote")
	case place:
		add(signPlace, "the program that calls lies where users may write")
	}
	if disguised {
		add(signDisguised, "the connection speaks another protocol than its port is for")
	}
	for _, h := range callers {
		_, said, err := c.beginning(ctx, h, n.begun)
		if err != nil {
			return nil, err
		}
		if len(said) > 0 {
			add(signBegan, "a service began just then that the host had not had")
			break
		}
	}
	return signs, nil
}

// portsOf are the ports of protocols that sensors recognise by their first bytes.
var portsOf = map[string][]string{
	"ssh": {"22"}, "dns": {"53"}, "http": {"80", "8000", "8008", "8080", "8888", "3128"}, "tls": {"443", "8443", "465", "563", "636", "853", "989", "990", "993", "995", "3389", "5061", "5671", "8883"},
	"smtp": {"25", "587"}, "ftp": {"21"}, "rdp": {"3389"}, "smb": {"445", "139"}, "telnet": {"23"}, "imap": {"143"}, "pop3": {"110"}, "ntp": {"123"}, "socks": {"1080"},
}

// otherProtocol reports whether a connection speaks one protocol on a port that
// is another's (ATT&CK T1571): firewalls let through what they take for the
// other. TLS stands in for many, and begins within others (STARTTLS).
func otherProtocol(protocol, port string) bool {
	p := strings.ToLower(protocol)
	mine := portsOf[p]
	if mine == nil || p == "tls" || slices.Contains(mine, port) {
		return false
	}
	for _, ports := range portsOf {
		if slices.Contains(ports, port) {
			return true
		}
	}
	return false
}

// beside counts the other addresses outside that the computer contacted when it began to call.
func (c *court) beside(ctx context.Context, n *node, to []string) (int, error) {
	rs, err := c.store.flows(ctx, n.f.Entities.Sources, nil, span{n.begun - int64(besideWithin), n.begun + int64(besideWithin)}, 200)
	if err != nil {
		return 0, err
	}
	others := map[string]bool{}
	for i := range rs {
		for _, a := range outside([]string{rs[i].destination}) {
			if !slices.Contains(to, a) {
				others[a] = true
			}
		}
	}
	return len(others), nil
}

// talkers counts the own addresses that talk over the network, as far as it matters.
func (c *court) talkers(ctx context.Context) (int, error) {
	if c.talking == 0 {
		n, err := c.store.talkers(ctx, aloneAmong)
		if err != nil {
			return 0, err
		}
		c.talking = n + 1
	}
	return c.talking - 1, nil
}

// tellSigns says what was looked up that made an incident of calls that
// alone would be none. Each rests on the records of the calls.
func (g *group) tellSigns() []Sentence {
	var out []Sentence
	for _, n := range g.nodes {
		if ids := evidenceIDs(n.f, attempts); n.raised && len(n.because) > 0 && len(ids) > 0 {
			to := some(outside(n.f.Entities.Destinations), "addresses")
			out = append(out, Sentence{sentence("these calls to " + to + " stand out: " + strings.Join(n.because, "; ")), ids})
		}
	}
	return out
}
