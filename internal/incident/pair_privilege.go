package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Rights that were refused: somebody was told no by sudo. The refusals are
// paired with what sudo let the same account do afterwards.
//
//	within the half hour, the same account runs the very program that was refused, or
//	a shell, with the other account's rights                                          → succeeded
//	else, the records' own word: failed                                               → left to "recorded"
var _ = register(pairing{
	name: "privilege",
	rank: 50,
	applies: func(n *node) bool {
		return n.behaviour == other && len(n.hosts) == 1 && n.f.First != noTime && slices.Contains(n.f.Outcomes, "failure")
	},
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 25); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := laterAllowed(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	},
})

const privilegeReach = 30 * time.Minute

var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "fish", "su", "tcsh", "csh"}

func laterAllowed(ctx context.Context, c *court, n *node) error {
	refused := map[[2]string]bool{} // account and program
	users := map[string]bool{}
	var denied []string
	for i := range n.details {
		r := &n.details[i]
		if programName(r) != "sudo" || r.outcome != "failure" || r.user == "" || r.command == "" {
			continue
		}
		denied = append(denied, r.id)
		users[r.user] = true
		refused[[2]string{r.user, commandName(r)}] = true
	}
	if len(denied) == 0 {
		return nil
	}
	ran, err := c.store.startedBy(ctx, n.hosts, nil, sortedKeys(users), window(n, privilegeReach), 200)
	if err != nil {
		return err
	}
	for _, r := range ran {
		name := commandName(&r)
		if programName(&r) != "sudo" || r.outcome != "success" || r.time < n.begun || !refused[[2]string{r.user, name}] && !slices.Contains(shells, name) {
			continue
		}
		text := fmt.Sprintf("after %s, %s let %s run %s as %s at %s", prose.Count(len(denied), "refusal"), hostPhrase(r.host), show(r.user), programPhrase(&r), show(orRoot(r.effective)), clock(r.time))
		n.verdict = verdict{result: Succeeded, followed: []record{r}, users: []string{r.user}, why: []Sentence{{sentence(text), cite(denied[:min(len(denied), attempts)], []string{r.id})}}}
		return nil
	}
	return nil
}

// commandName is the base name of the first word of a record's command line.
func commandName(r *record) string {
	word, _, _ := strings.Cut(strings.TrimSpace(r.command), " ")
	word = normalPath(word)
	return word[strings.LastIndexByte(word, '/')+1:]
}

func orRoot(user string) string {
	if user == "" {
		return "root"
	}
	return user
}
