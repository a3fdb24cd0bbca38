package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// behaviour is the way a finding's outcome is looked for.
type behaviour uint8

const (
	other      behaviour = iota // something that happened and was recorded
	scanning                    // looking for hosts, ports, services
	webAttack                   // requests that try to exploit or to enumerate a web application
	ids                         // a network sensor saw an attempt
	bruteForce                  // guessing passwords
)

// noTime is the time of records whose time is unknown.
const noTime = event.NoTime

// node is a finding on its way into an incident.
type node struct {
	f          *analyze.Finding
	hosts      []string // names of its hosts, sorted
	strangers  []string // source addresses from outside that are no host's of the case
	level      int      // rank of the level
	behaviour  behaviour
	stage      stage // first and last stage of its tactics
	last       stage
	bonds      []bond
	details    []record // some of its evidence as the store has it, in order of time
	verdict    verdict
	trail      []record // the logins by which its account came to its host, the first from farthest away
	spare      bool     // see Input.Spare
	raised     bool     // it makes an incident only with others: see corroborate
	because    []string // what was looked up that made it count for more
	background bool     // internet noise: a failed attempt from outside that nothing followed

	// What the attempts were, which rules that count show a part of: see widen.
	tries       int
	own         int // tries, by the finding alone
	accounts    int // that were tried, where the log was asked for all attempts
	begun, done int64
	records     []analyze.Evidence
}

// verdict says whether what a finding reports succeeded.
type verdict struct {
	result   string // Succeeded, Failed, Mixed, Unknown; "" not decided
	why      []Sentence
	states   statement // what its records state, if that is why
	needs    []string
	followed []record // the records that showed it: accepted logins, processes, flows
	tried    []record // the same attempts in a log that has their addresses, where the finding's has none
	users    []string // accounts that were got
	known    bool     // the address had logged in like that before: likely its owner
	covered  bool     // Failed: the log that would hold a success was there
}

// statement is that so many records state something of the same: findings of one rule
// are told together.
type statement struct {
	what, claim string // "New account", "that it happened"
	ids         []string
}

func (s statement) sentence() Sentence {
	text := fmt.Sprintf("%s: %s %s", s.what, prose.Count(len(s.ids), "record states", "records state"), s.claim)
	return Sentence{sentence(text), s.ids[:min(len(s.ids), attempts)]}
}

// A stage is how far an intrusion has come. ATT&CK's tactics are no strict
// order, so those that come in any order share one.
type stage uint8

const (
	noStage stage = iota
	recon
	access    // getting in
	foothold  // running, staying, rising, hiding, looking around
	spreading // moving on, collecting, calling home
	effect    // taking and breaking
)

// killChain is ATT&CK's order of tactics with their stages.
var killChain = []struct {
	tactic string
	stage  stage
}{
	{"reconnaissance", recon}, {"resource-development", recon},
	{"initial-access", access}, {"execution", foothold}, {"persistence", foothold}, {"privilege-escalation", foothold},
	{"defense-evasion", foothold}, {"stealth", foothold}, {"defense-impairment", foothold}, {"impair-defenses", foothold},
	{"credential-access", foothold}, {"discovery", foothold},
	{"lateral-movement", spreading}, {"collection", spreading}, {"command-and-control", spreading},
	{"exfiltration", effect}, {"impact", effect},
}

// tacticRank is a tactic's place in the kill chain; unknown ones come last.
func tacticRank(t string) int {
	for i := range killChain {
		if killChain[i].tactic == t {
			return i
		}
	}
	return len(killChain)
}

// normalTactic writes tactics as Sigma's tags do since 2.0: with hyphens.
func normalTactic(t string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(t), "attack."), "_", "-")
}

func sortTactics(ts []string) []string {
	for i := range ts {
		ts[i] = normalTactic(ts[i])
	}
	slices.SortFunc(ts, func(a, b string) int {
		return cmp.Or(cmp.Compare(tacticRank(a), tacticRank(b)), strings.Compare(a, b))
	})
	return slices.Compact(ts)
}

func newNode(f *analyze.Finding, hosts *hostNames, ps places, owner map[string]string, services map[string]bool) *node {
	n := &node{f: f, hosts: hosts.all(f.Entities.Hosts), level: analyze.LevelRank(f.Level), behaviour: behaviourOf(f), tries: f.Count, begun: f.First, done: f.Last, records: f.Evidence}
	switch {
	case observed(f) || talks(f) && !slices.ContainsFunc(f.Datasets, ofTheHost): // where it was seen or asked is not where it happened
		n.hosts = nil
		for _, v := range slices.Concat(f.Entities.Sources, f.Entities.Destinations) {
			if a, ok := parseAddress(v); ok && owner[a.String()] != "" {
				n.hosts = append(n.hosts, owner[a.String()])
			}
		}
		slices.Sort(n.hosts)
		n.hosts = slices.Compact(n.hosts)
	case len(n.hosts) == 0:
		n.hosts = ps.hostsOf(n)
	}
	for _, s := range f.Entities.Sources {
		if a, ok := parseAddress(s); ok && isOutside(a) && owner[a.String()] == "" {
			n.strangers = append(n.strangers, a.String())
		}
	}
	for _, t := range f.Tactics {
		if r := tacticRank(normalTactic(t)); r < len(killChain) {
			s := killChain[r].stage
			if n.stage == noStage || s < n.stage {
				n.stage = s
			}
			n.last = max(n.last, s)
		}
	}
	switch n.behaviour {
	case webAttack:
		if n.stage == recon && n.last == recon {
			break // looking for pages is no attempt to get in
		}
		n.stage, n.last = access, max(n.last, access)
	case bruteForce:
		n.stage, n.last = access, access // credential-access, but from the outside
		for _, e := range f.Evidence {   // a rule of failures and then a login cites that as well
			if e.Outcome == "success" && n.tries > 1 {
				n.tries--
			}
		}
	case scanning:
		n.stage, n.last = recon, recon
	}
	n.own = n.tries
	n.bonds = bondsOf(&f.Entities, n.hosts, owner, services)
	n.recordBonds()
	if n.behaviour == other && slices.ContainsFunc(f.Entities.Users, webUser) {
		n.serverBonds()
	}
	return n
}

// behaviourOf tells a finding's behaviour from its techniques and logs, never
// from its rule's name.
func behaviourOf(f *analyze.Finding) behaviour {
	switch {
	case technique(f, "T1110"):
		return bruteForce
	case len(f.Datasets) > 0 && !slices.ContainsFunc(f.Datasets, func(d string) bool { return cloudOf(d) == "" }):
		return other // calls of a cloud have URLs, and say themselves what came of them
	case sensorScan(f):
		return scanning
	case technique(f, "T1046") || technique(f, "T1595.001") || technique(f, "T1595") && len(f.Entities.URLs) == 0:
		return scanning
	case len(f.Entities.URLs) > 0 && (technique(f, "T1190") || technique(f, "T1595") || technique(f, "T1189") || technique(f, "T1505.003") || tactic(f, "initial-access") || tactic(f, "reconnaissance")):
		return webAttack
	case fromSensor(f) && (technique(f, "T1190") || technique(f, "T1210") || technique(f, "T1203") || tactic(f, "initial-access") || tactic(f, "reconnaissance")):
		return ids
	case technique(f, "T1190"):
		return webAttack
	}
	return other
}

// technique reports whether the finding has the technique or one below it.
func technique(f *analyze.Finding, id string) bool {
	return slices.ContainsFunc(f.Techniques, func(t string) bool {
		t = strings.ToUpper(t)
		return strings.HasPrefix(t, id) && (len(t) == len(id) || t[len(id)] == '.')
	})
}

func tactic(f *analyze.Finding, name string) bool {
	return slices.ContainsFunc(f.Tactics, func(t string) bool { return normalTactic(t) == name })
}

// fromSensor reports whether a network intrusion detection system wrote the evidence.
func fromSensor(f *analyze.Finding) bool {
	return slices.ContainsFunc(f.Datasets, sensorLog)
}

// observed reports whether all of the evidence is of what a sensor saw pass by
// on the network.
func observed(f *analyze.Finding) bool {
	return len(f.Datasets) > 0 && !slices.ContainsFunc(f.Datasets, func(d string) bool { return !sensorLog(d) && !flowLogs(strings.ToLower(d)) })
}

// talks reports whether a technique found how an address talks to others: a
// name server or a proxy that wrote of it is not who talks.
func talks(f *analyze.Finding) bool {
	return len(f.Entities.Sources) > 0 && slices.Contains([]string{"beacon", "long", "volume", "tunnel", "generated"}, f.Kind)
}

// ofTheHost reports whether a log is of what happens on the very host that writes it.
func ofTheHost(dataset string) bool {
	for _, of := range []string{"windows.", "winlog", "system.", "sysmon", "auditd", "linux.", "macos."} {
		if strings.HasPrefix(strings.ToLower(dataset), of) {
			return true
		}
	}
	return false
}

func flowLogs(dataset string) bool {
	for _, of := range []string{"zeek.", "netflow", "pcap.", "aws.vpcflow"} {
		if strings.HasPrefix(dataset, of) {
			return true
		}
	}
	return false
}

func sensorLog(dataset string) bool {
	d := strings.ToLower(dataset)
	return strings.Contains(d, "suricata") || strings.Contains(d, "snort") || strings.HasPrefix(d, "zeek.notice") || strings.Contains(d, "ids")
}

// scanSignatures are the parts of the names of signatures that tell of somebody
// looking around, or of nothing but that the address is on a list: the
// categories that Emerging Threats and GPL rules are named by, and the class
// network-scan of Snort and Suricata. Whether it led anywhere, others tell.
var scanSignatures = []string{"et scan ", "gpl scan ", "etpro scan ", "et dshield ", "et cins ", "et drop ", "et compromised ", "et tor ", "et 3coresec ", "detection of a network scan"}

// sensorScan reports whether a network sensor's alert tells of scanning. One
// with a request belongs to the web server, whose answer is known.
func sensorScan(f *analyze.Finding) bool {
	if !fromSensor(f) || len(f.Entities.URLs) > 0 {
		return false
	}
	text := strings.ToLower(f.Title)
	if len(f.Evidence) > 0 {
		text += " " + strings.ToLower(f.Evidence[0].Message)
	}
	return slices.ContainsFunc(scanSignatures, func(s string) bool { return strings.Contains(text, s) })
}

// widen gives attempts their whole extent. A rule that fires at the fifth
// failure tells of five; the failures themselves, which a rule of low level
// found, tell of all. Of findings of the same behaviour, source and hosts that
// overlap, the biggest says how many attempts there were.
func widen(nodes []*node) {
	type who struct {
		b             behaviour
		source, hosts string
	}
	key := func(n *node) (who, bool) {
		e := &n.f.Entities
		if n.behaviour == other || len(e.Sources) != 1 || n.f.First == noTime || fromSensor(n.f) {
			return who{}, false
		}
		return who{n.behaviour, e.Sources[0], strings.Join(n.hosts, " ")}, true
	}
	all := map[who][]*node{}
	for _, n := range nodes {
		if k, ok := key(n); ok {
			all[k] = append(all[k], n)
		}
	}
	for _, n := range nodes {
		k, ok := key(n)
		if !ok || n.level < findingLevel {
			continue
		}
		// Those that begin before n ends, from the last on: in order of time.
		same := all[k]
		end, _ := slices.BinarySearchFunc(same, n.f.Last+1, func(m *node, t int64) int { return cmp.Compare(m.f.First, t) })
		for _, m := range slices.Backward(same[max(0, end-50):end]) {
			if m.f.Last >= n.f.First && m.own > n.tries {
				n.tries, n.records = m.own, m.f.Evidence
				n.begun, n.done = min(n.begun, m.f.First), max(n.done, m.f.Last)
			}
		}
	}
}

// tried returns up to most of the attempts' event ids, spread evenly.
func (n *node) tried(most int) []string { return spread(n.records, most) }

// evidenceIDs returns up to n of the finding's event ids, spread evenly, the
// first and last among them.
func evidenceIDs(f *analyze.Finding, n int) []string { return spread(f.Evidence, n) }

func spread(evidence []analyze.Evidence, n int) []string {
	if len(evidence) == 0 || n < 1 {
		return nil
	}
	n = min(n, len(evidence))
	ids := make([]string, 0, n)
	for i := range n {
		at := 0
		if n > 1 {
			at = i * (len(evidence) - 1) / (n - 1)
		}
		if id := evidence[at].ID; id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// compareNodes orders by time, then by id, so that no order of input shows.
func compareNodes(a, b *node) int {
	return cmp.Or(cmp.Compare(a.f.First, b.f.First), cmp.Compare(a.f.Last, b.f.Last), strings.Compare(a.f.ID, b.f.ID))
}

// gap is the time between two findings, 0 where they overlap; unknown says
// that one has no time.
func gap(a, b *node) (ns int64, unknown bool) {
	if a.f.First == event.NoTime || b.f.First == event.NoTime {
		return 0, true
	}
	return max(0, b.f.First-a.f.Last, a.f.First-b.f.Last), false
}
