package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/simulate"
)

var _ = command(newScore)

func newScore() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "score TRUTH CASE",
		Short: "Compare a case's answers with the truth about a simulated intrusion",
		Long: `Compare what an investigation found with what really happened: for each incident of
TRUTH (the truth.json that ` + "`sextant simulate intrusion`" + ` wrote) whether the case
has an incident that cites its records, how pure and complete that is, and
whether each of its answers is right; and how many incidents are false.`,
		Example: `  sextant simulate intrusion --campaign all --seed 7 -o world
  sextant investigate --case case world/evidence
  sextant score world/truth.json case`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			s, err := simulate.ReadScore(args[0], args[1])
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				return e.Encode(s)
			}
			return writeScore(c, s)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func writeScore(c *cobra.Command, s *simulate.Score) error {
	out := buffered(c)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "incident\tfound\tpurity\tcomplete\ttechniques\toutcome\texpected\thosts\tusers\tsources\twhen\timpact\tdetect s\tparts\t")
	for _, i := range s.Incidents {
		switch {
		case !i.Visible:
			fmt.Fprintf(w, "%s\tno record\t\t\t\t\t\t\t\t\t\t\t\t\t\n", i.ID)
		case !i.Found:
			fmt.Fprintf(w, "%s\tno\t\t\t\t\t%s\t\t\t\t\t\t\t0\t\n", i.ID, i.OutcomeExpected)
		default:
			mark := ""
			if !i.OutcomeRight {
				mark = "!"
			}
			fmt.Fprintf(w, "%s\tyes\t%.2f\t%.2f\t%.2f\t%s%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%d\t\n", i.ID, i.Purity, i.Completeness, i.Techniques,
				mark, export.Terminal(i.OutcomeGiven), i.OutcomeExpected, i.Hosts, i.Users, i.Sources, i.When, i.Impact, i.Detect, i.Fragments)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	t := s.Summary
	fmt.Fprintf(out, "\n%d of %d incidents found (%.0f %%), outcome right for %.0f %%; of those found: purity %.2f, completeness %.2f, techniques %.2f\n",
		t.Found, t.Incidents, 100*t.FoundRate, 100*t.OutcomeAccuracy, t.Purity, t.Completeness, t.Techniques)
	fmt.Fprintf(out, "%d false incidents (%.2f a day), %d of hostile noise that came to nothing\n", t.False, t.FalsePerDay, t.Noise)
	for _, o := range s.Others {
		fmt.Fprintf(out, "  %-5s  %s  %s\n", o.Kind, export.Terminal(o.Incident), export.Terminal(o.Title))
	}
	return out.Flush()
}
