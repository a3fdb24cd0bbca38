package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Alerts of network sensors about attempts: a sensor sees the attack pass, not
// what it did.
//
//	every packet was dropped                                                → failed
//	within ten minutes the target connects to the attacker, or a login from
//	the attacker is accepted                                                → succeeded
//	else                                                                    → unknown: the target's process log,
//	and the log of the service that the alert is about
var _ = register(pairing{
	name:    "alert",
	rank:    30, // after web, which leaves alerts without an answer to this one
	applies: func(n *node) bool { return n.behaviour == ids },
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 50); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := alertOutcome(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	},
})

const alertReach = 10 * time.Minute

func alertOutcome(ctx context.Context, c *court, n *node) error {
	all := n.tried(attempts)
	if len(all) == 0 {
		return nil
	}
	alerts := prose.Count(n.tries, "alert")
	blocked := len(n.details) > 0
	for _, r := range n.details {
		blocked = blocked && (r.has("denied") || r.action == "blocked" || r.outcome == "failure")
	}
	if blocked {
		text := fmt.Sprintf("the sensor blocked what each of the %s cited is about", prose.Count(len(n.details), "alert"))
		n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), all}}}
		return nil
	}
	w := window(n, alertReach)
	sources, targets := n.f.Entities.Sources, n.f.Entities.Destinations
	if n.f.First != noTime && len(sources) > 0 {
		if len(targets) > 0 {
			calls, err := c.store.flows(ctx, targets, sources, w, 50)
			if err != nil {
				return err
			}
			calls = slices.DeleteFunc(calls, func(r record) bool {
				return r.is("intrusion_detection") || !established(&r) || slices.ContainsFunc(n.details, func(d record) bool { return d.id == r.id })
			})
			if len(calls) > 0 {
				r := calls[0]
				text := fmt.Sprintf("after %s, the target %s itself opened a connection to the attacker %s (port %s) at %s", alerts, show(r.source), show(r.destination), show(cmp.Or(r.port, "unknown")), clock(r.time))
				n.verdict = verdict{result: Succeeded, followed: calls[:1], why: []Sentence{{sentence(text), cite(all, idsOf(calls[:1]))}}}
				return nil
			}
		}
		logins, err := c.store.logins(ctx, sources[:min(len(sources), maxIn)], w, 5)
		if err != nil {
			return err
		}
		if len(logins) > 0 {
			r := logins[0]
			text := fmt.Sprintf("after %s, %s accepted a login as %s from %s at %s", alerts, hostPhrase(r.host), show(r.user), show(r.source), clock(r.time))
			n.verdict = verdict{result: Succeeded, followed: logins[:1], users: []string{r.user}, why: []Sentence{{sentence(text), cite(all, idsOf(logins[:1]))}}}
			return nil
		}
	}
	host := ""
	if hosts := c.targets(n); len(hosts) == 1 {
		host = hosts[0]
	}
	text := fmt.Sprintf("the sensor let pass what %s are about and saw no session follow; what it did on the target, a sensor cannot see", alerts)
	if n.tries == 1 {
		text = "the sensor let pass what 1 alert is about and saw no session follow; what it did on the target, a sensor cannot see"
	}
	needs := []string{processLog(host)}
	switch {
	case anyPort(n, loginPorts):
		needs = append(needs, authenticationLog(host))
	case anyPort(n, webPorts):
		needs = append(needs, accessLog(host))
	}
	n.verdict = verdict{result: Unknown, needs: needs, why: []Sentence{{sentence(text), all}}}
	return nil
}

// loginPorts and webPorts are the well-known ports of services that write of
// each who comes to them (IANA's registry; 5985 is WinRM).
var (
	loginPorts = []string{"21", "22", "23", "135", "139", "445", "2222", "3389", "5900", "5985", "5986"}
	webPorts   = []string{"80", "443", "8000", "8080", "8443", "8888"}
)

// anyPort reports whether the records cited are of connections to one of the ports.
func anyPort(n *node, ports []string) bool {
	return slices.ContainsFunc(n.details, func(r record) bool { return slices.Contains(ports, r.port) })
}
