package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Scans: probes are paired with sessions that the same address got afterwards.
//
//	an accepted login from the address within a day                                    → succeeded
//	a connection from it that carried data both ways, or that a firewall let through   → succeeded,
//	unless to a web server or a login service whose own log tells what came of it
//	none, and every probe was refused, or a connection log covers the time             → failed
//	else                                                                               → unknown: the connection log
var _ = register(pairing{
	name:    "scan",
	rank:    20,
	applies: func(n *node) bool { return n.behaviour == scanning },
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 50); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := scanOutcome(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	},
})

// answerBytes is more than refusals (resets, ICMP) of a probe or two carry.
const answerBytes = 400

func scanOutcome(ctx context.Context, c *court, n *node) error {
	all := n.tried(attempts)
	if len(all) == 0 {
		return nil
	}
	probes := prose.Count(n.tries, "recorded probe")
	w := window(n, 24*time.Hour)
	sources := n.f.Entities.Sources[:min(len(n.f.Entities.Sources), 20)]
	if len(sources) > 0 && n.f.First != noTime {
		logins, err := c.store.logins(ctx, sources, w, 5)
		if err != nil {
			return err
		}
		if len(logins) > 0 {
			r := logins[0]
			text := fmt.Sprintf("after %s, %s accepted a login as %s from %s at %s", probes, hostPhrase(r.host), show(r.user), show(r.source), clock(r.time))
			n.verdict = verdict{result: Succeeded, followed: logins[:1], users: []string{r.user}, why: []Sentence{{sentence(text), cite(all, idsOf(logins[:1]))}}}
			return nil
		}
		flows, err := c.store.connections(ctx, sources, w, 200)
		if err != nil {
			return err
		}
		flows = slices.DeleteFunc(flows, func(r record) bool {
			return slices.Contains(all, r.id) || slices.ContainsFunc(n.details, func(d record) bool { return d.id == r.id }) || !established(&r) || toldElsewhere(c, &r) ||
				fromSensor(n.f) && len(n.details) > 0 && !anyPort(n, []string{r.port})
		})
		if len(flows) > 0 {
			r := flows[0]
			text := fmt.Sprintf("after %s, a connection from %s to %s port %s was established at %s (%s answered)",
				probes, show(r.source), show(r.destination), show(cmp.Or(r.port, "unknown")), clock(r.time), prose.Size(r.receivedBytes))
			n.verdict = verdict{result: Succeeded, followed: flows[:1], why: []Sentence{{sentence(text), cite(all, idsOf(flows[:1]))}}}
			return nil
		}
	}
	refused := len(n.details) > 0
	for _, r := range n.details {
		refused = refused && (r.has("denied") || r.outcome == "failure")
	}
	s, ok := c.logs.anywhere("network")
	covered := ok && s.covers(n.begun, n.done)
	switch {
	case refused && covered:
		text := fmt.Sprintf("every one of the %s cited was refused, and no session from %s followed in the connection logs, which reach until %s",
			prose.Count(len(n.details), "probe"), some(sources, "addresses"), clock(s.to))
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), all}}}
	case covered:
		text := fmt.Sprintf("no connection that carried an answer and no login from %s followed %s; the connection logs reach until %s", some(sources, "addresses"), probes, clock(s.to))
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), all}}}
	default:
		hosts := c.targets(n)
		host := ""
		if len(hosts) == 1 {
			host = hosts[0]
		}
		text := fmt.Sprintf("no session is recorded after %s, but the case holds no connection log for that time", probes)
		n.verdict = verdict{result: Unknown, needs: []string{flowLog(host)}, why: []Sentence{{sentence(text), all}}}
	}
	return nil
}

// established reports whether a network record is of a connection that came
// about and carried more than refusals: by bytes both ways, by Zeek's SF, S1…,
// by Suricata's flow state.
func established(r *record) bool {
	if r.has("denied") || r.outcome == "failure" {
		return false
	}
	switch r.connection {
	case "SF", "S1", "S2", "S3", "RSTO", "RSTR", "established", "closed":
		return r.receivedBytes >= answerBytes && r.sentBytes >= answerBytes
	case "":
		return r.receivedBytes >= answerBytes && r.sentBytes >= answerBytes || r.has("allowed") && r.receivedBytes == 0 && !r.is("intrusion_detection")
	}
	return false
}

// toldElsewhere reports whether a connection is to a service whose log tells
// more than that data went both ways, as it does with any visitor: a web
// server, or a login service of a host whose authentication log is there.
func toldElsewhere(c *court, r *record) bool {
	if slices.Contains(webPorts, r.port) {
		s, ok := c.logs.anywhere("web")
		return ok && s.covers(r.time, r.time)
	}
	if !slices.Contains(loginPorts, r.port) {
		return false
	}
	a, ok := parseAddress(r.destination)
	if !ok {
		return false
	}
	s, ok := c.logs.span("authentication", c.owner[a.String()])
	return ok && s.covers(r.time, r.time)
}
