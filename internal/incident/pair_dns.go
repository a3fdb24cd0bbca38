package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Data or commands carried in DNS: what a client asks, a name server answers.
//
//	questions are answered without error: somebody at the other end keeps up the talk → succeeded
//	no answers are recorded, or errors only                                            → unknown: the DNS server's log
var _ = register(pairing{
	name: "dns",
	rank: 50,
	applies: func(n *node) bool {
		return n.behaviour == other && !fromHost(n.f.Datasets) && (technique(n.f, "T1071.004") || technique(n.f, "T1572") || technique(n.f, "T1048"))
	},
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 50); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := dnsOutcome(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	},
})

func fromHost(datasets []string) bool {
	return slices.ContainsFunc(datasets, func(d string) bool { return strings.HasPrefix(d, "system.") })
}

func dnsOutcome(ctx context.Context, c *court, n *node) error {
	parents := map[string]bool{} // of the names asked for
	var answered, asked []string
	failed := 0
	read := func(r *record) {
		switch {
		case r.name == "":
		case r.rcode == "NOERROR":
			answered = append(answered, r.id)
		case r.rcode != "":
			failed++
		default:
			asked = append(asked, r.id)
		}
	}
	for i := range n.details {
		r := &n.details[i]
		if r.name != "" {
			parents[parentName(r.name)] = true
		}
		read(r)
	}
	if len(parents) == 0 {
		return nil
	}
	if len(answered) == 0 && len(n.f.Entities.Sources) > 0 && len(n.f.Entities.Destinations) > 0 && n.f.First != noTime {
		// Products that write question and answer apart.
		rs, err := c.store.flows(ctx, n.f.Entities.Destinations, n.f.Entities.Sources, window(n, 0), 500)
		if err != nil {
			return err
		}
		for i := range rs {
			if rs[i].rcode != "" && parents[parentName(rs[i].name)] {
				read(&rs[i])
				n.verdict.followed = append(n.verdict.followed, rs[i])
			}
		}
		n.verdict.followed = n.verdict.followed[:min(len(n.verdict.followed), attempts)]
	}
	all := n.tried(attempts)
	names := some(sortedKeys(parents), "domains")
	switch {
	case len(answered) > 0:
		if len(n.verdict.followed) > 0 {
			answered = answered[:min(len(answered), attempts)]
		}
		text := fmt.Sprintf("of %s for names in %s, %s without error: somebody at the other end keeps up the talk", prose.Count(n.tries, "recorded question"), names, prose.Count(len(answered), "answer is cited that was", "answers are cited that were"))
		n.verdict.result = Succeeded
		n.verdict.why = []Sentence{{sentence(text), cite(answered[:min(len(answered), attempts)], all)}}
	case len(all) > 0:
		text := fmt.Sprintf("no answer without error to the questions for names in %s is recorded", names)
		n.verdict = verdict{result: Unknown, needs: []string{"log of the DNS server, with answers"}, why: []Sentence{{sentence(text), all}}}
	}
	return nil
}

// parentName is a name's last two labels.
func parentName(name string) string {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(name), "."), ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}
