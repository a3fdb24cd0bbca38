package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
)

// story tells an incident in paragraphs: what happened, where and who, whether
// it succeeded, what it led to.
func story(in *incident.Incident) []string {
	var out []string
	say := func(ss []incident.Sentence, before string) {
		var words []string
		if before != "" {
			words = append(words, before)
		}
		for _, s := range ss {
			words = append(words, s.Text)
		}
		if len(words) > 0 {
			out = append(out, strings.Join(words, " "))
		}
	}
	scene := "When: " + When(in.When) + "."
	if w := Where(in.Where); w != "" {
		scene += " Where: " + w + "."
	}
	out = append(out, scene)
	say(in.What, "")
	outcome := map[string]string{incident.Succeeded: "It succeeded.", incident.Failed: "It failed.", incident.Mixed: "It succeeded in part.",
		incident.Unknown: "Whether it succeeded, the logs here do not tell."}[in.Outcome.Result]
	say(in.Outcome.Why, outcome)
	if len(in.Outcome.Needs) > 0 {
		out = append(out, "What would tell: "+strings.Join(in.Outcome.Needs, "; ")+".")
	}
	say(in.Impact.Facts, "Impact: "+in.Impact.Level+".")
	return out
}

// Narrative is the incidents as a text to read from top to bottom, in
// Markdown, the earliest first, with the records that prove each sentence as
// numbered notes at its end.
func Narrative(inv *Investigation) ([]byte, error) {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	records := map[string]*analyze.Evidence{}
	for i := range inv.Evidence {
		records[inv.Evidence[i].ID] = &inv.Evidence[i]
	}
	p("# What happened: %s\n\n%s\n\n%s\n", md(inv.Case.Name), md(Headline(inv)), md(Scope(inv)))
	sorted := slices.Clone(inv.Incidents)
	slices.SortStableFunc(sorted, func(a, b incident.Incident) int { return cmp.Compare(a.When.First, b.When.First) })
	var notes []string
	number := map[string]int{}
	cite := func(ids []string) string {
		var marks []string
		for _, id := range ids[:min(len(ids), shownIDs)] {
			if number[id] == 0 {
				notes = append(notes, id)
				number[id] = len(notes)
			}
			marks = append(marks, fmt.Sprint(number[id]))
		}
		if len(ids) == 0 {
			return ""
		}
		s := " \\[" + strings.Join(marks, ", ")
		if more := len(ids) - len(marks); more > 0 {
			s += fmt.Sprintf(" and %d more", more)
		}
		return s + "\\]"
	}
	tell := func(before string, ss []incident.Sentence) {
		if before == "" && len(ss) == 0 {
			return
		}
		p("\n%s", before)
		for i, s := range ss {
			if i > 0 || before != "" {
				p(" ")
			}
			p("%s%s", md(s.Text), cite(s.Evidence))
		}
		p("\n")
	}
	for _, in := range sorted {
		p("\n## %s\n\nWhen: %s. Where: %s. Severity %s, score %d.\n", md(in.Title), md(When(in.When)), md(cmp.Or(Where(in.Where), "not known")), md(in.Severity), in.Score)
		if s, ok := inv.Verdicts[in.ID]; ok {
			p("\n> %s\n", md(Mark(s)))
			for _, n := range s.Notes {
				p(">\n> %s\n", md(noteLine(n)))
			}
		}
		tell("", in.What)
		tell("**Did it succeed? "+md(in.Outcome.Result)+".**", in.Outcome.Why)
		if len(in.Outcome.Needs) > 0 {
			p("\nWhat would tell: %s.\n", md(strings.Join(in.Outcome.Needs, "; ")))
		}
		tell("**Impact: "+md(in.Impact.Level)+".**", in.Impact.Facts)
	}
	if len(notes) > 0 {
		p("\n## Records\n\n")
		for i, id := range notes {
			p("%d. `%s`", i+1, md(id))
			if e := records[id]; e != nil {
				p(" %s, byte %d: %s", md(e.Path), e.Offset, md(e.Message))
			}
			p("\n")
		}
	}
	return b.Bytes(), nil
}
