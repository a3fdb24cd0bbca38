package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/incident"
)

const (
	maxTogether   = 8  // values of a kind that a finding may name for its pairs to be drawn: more say little about who did what
	maxGraphEdges = 60 // of one picture, the weightiest
)

// entityGraph shows which addresses, accounts, hosts and programs the findings of
// an incident name together. False if that is nothing a sentence would not say.
func entityGraph(inv *Investigation, in *incident.Incident) (chart.Figure, bool) {
	g := chart.Graph{Title: "Who and what the findings name together", Unit: "records", Kinds: []string{"From", "Account", "Host", "Program"}}
	member := map[string]bool{}
	for _, id := range in.Findings {
		member[id] = true
	}
	edges := map[[2]int]int{}
	for i := range inv.Findings {
		f := &inv.Findings[i]
		if !member[f.ID] {
			continue
		}
		kinds := [][]string{f.Entities.Sources, f.Entities.Users, f.Entities.Hosts, programs(f.Entities.Processes)}
		before := -1
		for k, values := range kinds {
			if len(values) == 0 || len(values) > maxTogether {
				continue
			}
			if before >= 0 {
				for _, a := range kinds[before] {
					for _, b := range values {
						key := [2]int{g.Node(before, a), g.Node(k, b)}
						edges[key] = max(edges[key], f.Count)
					}
				}
			}
			before = k
		}
	}
	for key, n := range edges {
		g.Edges = append(g.Edges, chart.Edge{From: key[0], To: key[1], Value: float64(n)})
	}
	slices.SortFunc(g.Edges, func(a, b chart.Edge) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	g.Edges = g.Edges[:min(len(g.Edges), maxGraphEdges)]
	return chart.Figure{Panels: []chart.Chart{g}}, len(g.Edges) >= 3
}

// programs are the base names of programs, each once.
func programs(paths []string) []string {
	var out []string
	for _, p := range paths {
		name := p[strings.LastIndexAny(p, `/\`)+1:]
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
