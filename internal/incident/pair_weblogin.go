package incident

import (
	"context"
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Guessed passwords of a web application, as its access log has them: the
// attempts' answers are paired with a later answer of another kind.
//
//	401 or 403, then 2xx or 3xx for the same path and address                       → succeeded
//	POST answered 2xx each time, then a redirect of the same POST: forms that
//	accept send the browser on                                                      → succeeded
//	every request to the path in the access log answered like the failed attempts   → failed
//
// Other findings are left to the login pairing, which asks for accepted logins.
var _ = register(pairing{
	name: "web login",
	rank: 5,
	applies: func(n *node) bool {
		return n.behaviour == bruteForce && len(n.f.Entities.URLs) > 0 && !fromSensor(n.f)
	},
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 100); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := webLogin(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	},
})

func webLogin(ctx context.Context, c *court, n *node) error {
	paths := map[string]bool{}
	denied, form := 0, 0
	var last record
	for _, r := range n.details {
		switch {
		case !r.is("web") || r.status == 0:
			return nil // not only an access log: logins tell more
		case r.status == 401 || r.status == 403:
			denied++
		case r.status < 300 && r.request == "POST":
			form++
		}
		paths[r.urlPath] = true
		last = r
	}
	low := 200
	switch {
	case len(n.details) == 0 || len(n.f.Entities.Sources) != 1:
		return nil
	case denied == 0 && form > 0:
		low = 300
	case denied == 0:
		return nil
	}
	answers, err := c.store.requests(ctx, n.f.Entities.Sources[0], low, 399, window(n, loginReach), 1000)
	if err != nil {
		return err
	}
	for _, r := range answers {
		own := slices.ContainsFunc(n.details, func(d record) bool { return d.id == r.id && d.time == n.details[0].time })
		if own || !paths[r.urlPath] || low == 300 && r.request != "POST" {
			continue
		}
		text := fmt.Sprintf("after %s, the login page %s answered %s with status %d at %s, unlike before (%d)",
			prose.Count(n.tries, "recorded attempt"), show(r.urlPath), show(r.source), r.status, clock(r.time), n.details[0].status)
		n.verdict = verdict{result: Succeeded, followed: []record{r}, why: []Sentence{{sentence(text), cite(n.tried(attempts), []string{r.id})}}}
		if r.user != "" && r.user != "-" {
			n.verdict.users = []string{r.user}
		}
		return nil
	}
	text := fmt.Sprintf("none of %s was answered in another way than refused (status %d) up to the last at %s",
		prose.Count(n.tries, "recorded attempt"), last.status, clock(n.done))
	n.verdict = verdict{result: Failed, covered: true, why: []Sentence{{sentence(text), n.tried(attempts)}}}
	return nil
}
