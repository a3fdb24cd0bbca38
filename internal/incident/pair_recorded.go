package incident

import (
	"context"
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Everything else: the event is its own outcome.
//
//	event.outcome success, or a record that is only written when it happened (a program
//	started, a file or registry value was written, a connection was let through) → succeeded
//	event.outcome failure, or denied                                             → failed, but for a search that goes on until it finds
//	both                                                                         → mixed
//	neither                                                                      → unknown
var _ = register(pairing{
	name:    "recorded",
	rank:    100,
	applies: func(n *node) bool { return true },
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 12); err != nil {
			return err
		}
		for _, n := range nodes {
			recordedOutcome(n)
		}
		return nil
	},
})

func recordedOutcome(n *node) {
	var done, refused []string
	byID := make(map[string]*record, len(n.details))
	for i := range n.details {
		byID[n.details[i].id] = &n.details[i]
	}
	for _, e := range n.f.Evidence {
		if e.ID == "" {
			continue
		}
		outcome := e.Outcome
		if r := byID[e.ID]; r != nil && outcome != "success" && outcome != "failure" {
			outcome = happened(r)
		}
		switch outcome {
		case "success":
			done = append(done, e.ID)
		case "failure":
			refused = append(refused, e.ID)
		}
	}
	all := evidenceIDs(n.f, attempts)
	v := verdict{}
	switch what := show(n.f.Title); {
	case len(done) > 0 && len(refused) > 0:
		v.result = Mixed
		text := fmt.Sprintf("%s: of the records cited, %s a success and %s a failure", what, prose.Count(len(done), "states", "state"), prose.Count(len(refused), "states", "state"))
		v.why = []Sentence{{sentence(text), cite(done[:min(len(done), attempts)], refused[:min(len(refused), attempts)])}}
	case len(done) > 0 && n.callsOut():
		v.result = Succeeded
		v.states = statement{what, "that the connection came about", done}
	case len(done) > 0:
		v.result = Succeeded
		v.states = statement{what, "that it happened", done}
	case len(refused) > 0 && technique(n.f, "T1568"):
		v.result = Unknown
		v.states = statement{what, "that a name does not exist, which does not tell whether the program that asked found one that does", refused}
		v.needs = []string{processLog(single(n.hosts))}
	case len(refused) > 0 && exploit(n):
		v.result = Unknown
		v.states = statement{what, "a failure of the program attacked, which does not tell whether the attack failed", refused}
		v.needs = []string{processLog(single(n.hosts))}
	case len(refused) > 0:
		v.result, v.covered = Failed, true
		v.states = statement{what, "that it failed or was refused", refused}
	case len(all) > 0:
		v.result = Unknown
		text := fmt.Sprintf("%s: the records do not state an outcome", what)
		v.why = []Sentence{{sentence(text), all}}
		host := ""
		if len(n.hosts) == 1 {
			host = n.hosts[0]
		}
		v.needs = []string{processLog(host)}
	}
	if len(v.states.ids) > 0 {
		v.why = []Sentence{v.states.sentence()}
	}
	n.verdict = v
}

// exploit reports whether a finding is of a weakness being used: the program
// that has it crashes or complains when it works as when it does not.
func exploit(n *node) bool {
	return technique(n.f, "T1068") || technique(n.f, "T1203") || technique(n.f, "T1210") || technique(n.f, "T1211") || technique(n.f, "T1212")
}

// happened reads the outcome from what kind of record it is, where it states none.
func happened(r *record) string {
	switch {
	case r.has("denied") || r.has("error") && !r.has("start"):
		return "failure"
	case r.is("process") && (r.has("start") || r.has("change") || r.has("access")),
		r.is("file") && (r.has("creation") || r.has("change") || r.has("deletion")),
		r.is("registry") || r.is("driver") || r.is("library"),
		r.is("iam") && (r.has("creation") || r.has("change") || r.has("deletion")),
		r.is("configuration") && (r.has("change") || r.has("creation") || r.has("deletion")),
		r.is("network") && (r.has("allowed") || r.has("connection") || r.has("start")) && !r.has("denied"),
		r.is("session") && r.has("start"),
		windows(r, "4103", "4104"): // PowerShell logs what it is about to run
		return "success"
	}
	// Some records exist only because it happened, whatever fields a decoder gave them.
	for i := range acts {
		if a := &acts[i]; a.proof && a.match(r) {
			return "success"
		}
	}
	if slices.Contains([]string{"success", "failure"}, r.outcome) {
		return r.outcome
	}
	return ""
}
