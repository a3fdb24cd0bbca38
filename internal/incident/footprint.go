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

// What else is recorded of an intruder who got in: all that came from the
// address around that time, whether a rule thought anything of it or not, and
// where the hosts that it got in to connected to afterwards, as they never had.

const (
	footprintReach  = time.Hour // before the first finding and after the last
	footprintMost   = 3         // addresses; of more, each is one of many
	footprintEach   = 8         // records told of each kind
	newTargetsMost  = 10
	newTargetsAsked = 40
	sentMuch        = 1 << 20 // bytes
)

// sending is what a host sent to an address, the biggest connection first.
type sending struct {
	host, to string
	bytes    int64
	flows    []record
}

// readFootprint gathers the records of intruders from outside.
func (g *group) readFootprint(ctx context.Context, c *court) error {
	var sources, hosts []string
	s := span{noTime, noTime}
	won := slices.ContainsFunc(g.nodes, func(n *node) bool { return n.verdict.result == Succeeded && n.stage > recon })
	for _, n := range g.nodes {
		// What failed, and what nobody knows of, is no reason to read on: but of a
		// session from outside in which something worked, all is.
		if g.merged || n.begun == noTime || n.verdict.result != Succeeded && !(won && len(n.trail) > 0) {
			continue
		}
		var came []string
		called := len(n.f.Datasets) > 0 && !slices.ContainsFunc(n.f.Datasets, func(d string) bool { return cloudOf(d) == "" })
		if n.behaviour != other || called { // else an address may be that of a server that answered
			came = slices.Clone(n.strangers)
		}
		if len(n.trail) > 0 {
			if a, ok := parseAddress(n.trail[0].source); ok && isOutside(a) && c.owner[a.String()] == "" {
				came = append(came, a.String())
			}
		}
		if len(came) == 0 || len(came) > footprintMost {
			continue
		}
		sources = append(sources, came...)
		if n.behaviour != scanning && n.behaviour != ids {
			hosts = append(hosts, n.hosts...)
		}
		if s.from == noTime {
			s = span{n.begun, n.done}
		}
		s.from, s.to = min(s.from, n.begun), max(s.to, n.done)
	}
	sources, hosts = names(sources), names(hosts)
	if len(sources) == 0 || len(sources) > footprintMost {
		return nil
	}
	reach := span{s.from - int64(footprintReach), s.to + int64(footprintReach)}
	for _, source := range sources {
		if c.budget--; c.budget < 0 {
			return nil
		}
		rs, err := c.store.seen(ctx, source, reach, 5000)
		if err != nil {
			return err
		}
		byKind := map[string][]record{}
		for _, r := range rs {
			k := r.dataset + " " + r.host + " " + r.action + " " + strings.Join(r.category, " ") + " " + r.request + " " + fmt.Sprint(r.status/100)
			byKind[k] = append(byKind[k], r)
		}
		var told []record
		logs := map[string]bool{}
		for _, k := range sortedKinds(byKind) {
			told = append(told, spreadRecords(byKind[k], footprintEach)...)
			logs[byKind[k][0].dataset] = true
		}
		sortRecords(told)
		told = told[:min(len(told), maxCited)]
		if len(told) == 0 {
			continue
		}
		text := fmt.Sprintf("of %s there are %s around that time, in %s", show(source), prose.Count(len(rs), "record"), list(sortedKeys(logs), 5))
		g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(told)})
		g.quiet = append(g.quiet, told...)
	}
	for _, h := range hosts {
		if err := g.newTargets(ctx, c, h, span{s.from, reach.to}); err != nil {
			return err
		}
	}
	return nil
}

func sortedKinds(m map[string][]record) []string {
	has := map[string]bool{}
	for k := range m {
		has[k] = true
	}
	return sortedKeys(has)
}

// newTargets tells where the host connected to outside, as it had not before.
func (g *group) newTargets(ctx context.Context, c *court, host string, s span) error {
	own := c.owns[host]
	if len(own) == 0 {
		return nil
	}
	flows, err := c.store.flows(ctx, own, nil, s, 5000)
	if err != nil {
		return err
	}
	to := map[string][]record{}
	var order []string
	for _, r := range flows {
		a, ok := parseAddress(r.destination)
		if !ok || !isOutside(a) || c.owner[a.String()] != "" || r.sourcePort != "" && lowPort(r.sourcePort) || r.has("denied") {
			continue // what answers from a service's port was not begun by the host
		}
		if to[r.destination] == nil {
			order = append(order, r.destination)
		}
		to[r.destination] = append(to[r.destination], r)
	}
	told := 0
	for i, d := range order {
		if i == newTargetsAsked || told == newTargetsMost {
			break
		}
		if c.budget--; c.budget < 0 {
			return nil
		}
		before, err := c.store.flows(ctx, own, []string{d}, span{s.from - int64(pastReach), s.from - 1}, 1)
		if err != nil {
			return err
		}
		if len(before) > 0 {
			continue
		}
		rs := distinct(to[d])
		sent := int64(0)
		for _, r := range rs {
			sent += r.sentBytes
		}
		text := fmt.Sprintf("%s connected to %s (port %s) %s, as it had not before in this case", hostPhrase(host), show(d), show(cmp.Or(rs[0].port, "unknown")), between(rs[0].time, rs[len(rs)-1].time))
		if sent > 0 {
			text += ", and sent " + prose.Size(sent)
		}
		if sent >= sentMuch {
			slices.SortStableFunc(rs, func(a, b record) int { return cmp.Compare(b.sentBytes, a.sentBytes) })
			g.sent = append(g.sent, sending{host, d, sent, rs})
		}
		rs = spreadRecords(rs, footprintEach)
		g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(rs)})
		g.quiet = append(g.quiet, rs...)
		g.contacted = append(g.contacted, d)
		told++
	}
	return nil
}

// lowPort reports whether a port is one that services listen on.
func lowPort(p string) bool { return len(p) < 4 || len(p) == 4 && p < "1024" }
