package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/verdict"
)

var _ = command(newMark)

func newMark() *cobra.Command {
	var caseDir string
	var m verdict.Mark
	c := &cobra.Command{
		Use:   "mark [ID…]",
		Short: "Say what an incident or finding of a case is: verdict, note, tags",
		Long: `Say of incidents and findings of a case what they are, and write its reports again with
that. An ID is an incident's number in the report, the id of an incident or a finding,
or the beginning of one. Without an ID, what has been said is listed.

Verdicts are true_positive (or tp), false_positive (fp), benign (it happened and was
meant to) and undecided, which takes back what was said. What is said is kept in
verdicts.jsonl in the case, a line each, and nothing is ever removed from it. An
incident that gets another id when more evidence comes keeps what was said of it.`,
		Example: `  sextant mark 3 --verdict fp --note "our own scanner" --tag scanner
  sextant mark 9f2c --verdict tp --by alice
  sextant mark --case break-in`,
		RunE: func(c *cobra.Command, args []string) error {
			m.Verdict = cmpAlias(m.Verdict)
			if m.Verdict != "" && !slices.Contains(verdict.Verdicts, m.Verdict) {
				return usagef("--verdict %q: want %s, tp or fp", m.Verdict, strings.Join(verdict.Verdicts, ", "))
			}
			inv, err := readCase(caseDir)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if m.Verdict != "" || m.Note != "" || len(m.Tags)+len(m.Untag) > 0 {
					return usagef("of what? give the number or id of an incident, or the id of a finding")
				}
				if err := inv.Judge(caseDir); err != nil {
					return err
				}
				listMarks(c, inv)
				return nil
			}
			var marks []verdict.Mark
			for _, name := range args {
				one := m
				if one.ID, one.Kind, one.Signs, err = findMarked(inv, name); err != nil {
					return err
				}
				marks = append(marks, one)
			}
			if m.Verdict == "" && m.Note == "" && len(m.Tags)+len(m.Untag) == 0 {
				return usagef("nothing is said; give --verdict, --note or --tag")
			}
			if err := verdict.Append(caseDir, marks...); err != nil {
				return usageError{err}
			}
			return pipeline.WriteCase(caseDir, inv)
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVar(&m.Verdict, "verdict", "", "true_positive (tp), false_positive (fp), benign, undecided")
	c.Flags().StringVar(&m.Note, "note", "", "a note; earlier ones stay")
	c.Flags().StringSliceVar(&m.Tags, "tag", nil, "add a tag")
	c.Flags().StringSliceVar(&m.Untag, "untag", nil, "take a tag away")
	c.Flags().StringVar(&m.By, "by", os.Getenv("USER"), "who says so")
	return c
}

func cmpAlias(v string) string {
	switch v {
	case "tp":
		return verdict.TruePositive
	case "fp":
		return verdict.FalsePositive
	}
	return v
}

// findMarked finds an incident or a finding.
func findMarked(inv *report.Investigation, name string) (id, kind string, signs []string, err error) {
	in, err := findIncident(inv, name)
	if err == nil {
		return in.ID, verdict.Incident, inv.Signs(in), nil
	}
	for _, f := range inv.Findings {
		if len(name) >= 4 && strings.HasPrefix(f.ID, name) {
			if id != "" {
				return "", "", nil, usagef("more than one finding begins with %s", name)
			}
			id = f.ID
		}
	}
	if id == "" {
		return "", "", nil, usagef("the case has no incident and no finding %s", name)
	}
	return id, verdict.Finding, nil, nil
}

func listMarks(c *cobra.Command, inv *report.Investigation) {
	out := c.OutOrStdout()
	say := func(title, id string) {
		s, ok := inv.Verdicts[id]
		if !ok {
			return
		}
		fmt.Fprintln(out, export.Terminal(fmt.Sprintf("%s  %s: %s", id, title, report.Mark(s))))
		for _, n := range s.Notes {
			fmt.Fprintln(out, export.Terminal(fmt.Sprintf("    %s %s: %s", n.Time, n.By, n.Text)))
		}
	}
	for i, in := range inv.Incidents {
		say(fmt.Sprintf("incident %d, %s", i+1, in.Title), in.ID)
	}
	for _, f := range inv.Findings {
		say("finding, "+f.Title, f.ID)
	}
	if len(inv.Verdicts) == 0 {
		fmt.Fprintln(out, "Nothing has been said of this case.")
	}
}
