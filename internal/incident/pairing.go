package incident

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// A pairing decides whether what findings report succeeded, by pairing the
// attempts with what other records say came of them. A pairing is one file of
// this package, pair_NAME.go, that registers one value:
//
//	var _ = register(pairing{name: "phishing", rank: 30, applies: …, resolve: …})
//
// Rules of evidence: Succeeded cites the attempt and the record that shows the
// success. Failed needs records that say so, or a log that covers the time and
// would hold the success. All else is Unknown and names the log that would tell.
type pairing struct {
	name string
	rank int // pairings are tried from low to high

	// applies must be cheap: it is asked for every finding.
	applies func(n *node) bool

	// resolve must set the verdict of those nodes that it can decide and may
	// leave the others to later pairings. It gets all nodes it applies to, in
	// order of time, so that it can ask the store once for many.
	resolve func(ctx context.Context, c *court, nodes []*node) error
}

var pairings []pairing

func register(p pairing) struct{} {
	pairings = append(pairings, p)
	return struct{}{}
}

// court is what pairings decide on.
type court struct {
	store evidenceStore
	logs  *logs
	hosts *hostNames
	owner map[string]string   // address to host name
	owns  map[string][]string // host name to its addresses

	readLinks func(context.Context) (*analyze.Links, error) // nil: there is nothing to read
	links     *analyze.Links                                // once read

	services map[string]bool // addresses outside that many talk to: see public
	visitors map[string]int  // how many do
	talking  int             // own addresses that talk over the network, and one; 0: not asked yet

	// Of following what findings belong to: see trace.go.
	time     span                  // of all findings
	book     *book                 // who logged in when, as far as findings name them
	sessions map[[2]string][]visit // what the book does not hold: logins by host and user
	ends     map[string]visit      // likewise of sessions, by the login's event.id
	asked    int                   // questions for these
	budget   int                   // questions that trees and footprints may still ask
}

// judge gives every node a verdict.
func (c *court) judge(ctx context.Context, nodes []*node) error {
	ps := slices.Clone(pairings)
	slices.SortFunc(ps, func(a, b pairing) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	for _, p := range ps {
		var mine []*node
		for _, n := range nodes {
			if n.verdict.result == "" && p.applies(n) {
				mine = append(mine, n)
			}
		}
		if len(mine) == 0 {
			continue
		}
		if err := p.resolve(ctx, c, mine); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// detail loads up to each of the nodes' evidence from the store, where it is
// not there yet. The total is bounded: with many findings, each shows less.
func (c *court) detail(ctx context.Context, nodes []*node, each int) error {
	const total, atOnce = 100_000, 5_000 // records
	each = max(min(each, total/max(len(nodes), 1)), 4)
	for len(nodes) > 0 {
		var ids []string
		s := span{event.NoTime, event.NoTime}
		timed := true
		part := nodes
		for i, n := range nodes {
			if len(ids) >= atOnce {
				part = nodes[:i]
				break
			}
			if n.details != nil {
				continue
			}
			ids = append(ids, evidenceIDs(n.f, each)...)
			if n.f.First == event.NoTime {
				timed = false
			} else if s.from == event.NoTime {
				s = span{n.f.First, n.f.Last}
			} else {
				s.from, s.to = min(s.from, n.f.First), max(s.to, n.f.Last)
			}
		}
		nodes = nodes[len(part):]
		if len(ids) == 0 {
			continue
		}
		if !timed {
			s = span{event.NoTime, event.NoTime}
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		rs, err := c.store.records(ctx, ids, s)
		if err != nil {
			return err
		}
		byID := make(map[string]record, len(rs))
		for _, r := range rs {
			byID[r.id] = r
		}
		for _, n := range part {
			if n.details != nil {
				continue
			}
			n.details = []record{}
			for _, id := range evidenceIDs(n.f, each) {
				if r, ok := byID[id]; ok {
					n.details = append(n.details, r)
				}
			}
			sortRecords(n.details)
		}
	}
	return nil
}

// targets names the hosts that a finding's attempts were made on. A sensor's
// own name is not among them: what it saw went to the destinations.
func (c *court) targets(n *node) []string {
	if !fromSensor(n.f) && !observed(n.f) {
		return n.hosts
	}
	var ts []string
	for _, d := range n.f.Entities.Destinations {
		if a, ok := parseAddress(d); ok {
			ts = append(ts, cmp.Or(c.owner[a.String()], a.String()))
		}
	}
	slices.Sort(ts)
	return slices.Compact(ts)
}

// window is the time in which a success can follow a finding's attempts.
func window(n *node, reach time.Duration) span {
	if n.f.First == event.NoTime {
		return span{event.NoTime, event.NoTime}
	}
	return span{n.begun, n.done + int64(reach)}
}

func idsOf(rs []record) []string {
	out := make([]string, len(rs))
	for i := range rs {
		out[i] = rs[i].id
	}
	return out
}

// cite joins lists of event ids, each once, in the order given.
func cite(lists ...[]string) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range lists {
		for _, id := range l {
			if id != "" && !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	return out
}

// attempts is how many of a finding's events a sentence cites.
const attempts = 25
