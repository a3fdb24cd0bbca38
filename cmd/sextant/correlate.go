package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/statistics"
)

var _ = command(newCorrelate)

func newCorrelate() *cobra.Command {
	var events eventFlags
	var o statistics.CorrelateOptions
	var output string
	c := &cobra.Command{
		Use:   "correlate [PATH…]",
		Short: "Which kinds of records rise together, or one after the other",
		Long: `Count records of each kind in short steps of time and look for pairs of kinds of which
one rises when the other does, or some time after it. A kind is what has the same values in
the fields of --by. Night and day are taken out first; what could be chance is measured
by shifting the two against each other in time, and left out.`,
		Example: `  sextant correlate --case case
  sextant correlate --by event.dataset,event.outcome --step 10s --max-lag 10m fw.log access.log`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "jsonl", "csv"); err != nil {
				return err
			}
			if len(o.By) < 1 || len(o.By) > 4 || o.Top < 2 || o.Top > 200 || o.Step < 0 || o.MaxLag < 0 {
				return usagef("want 1 to 4 fields in --by, 2 to 200 series in --top, and lengths of time above zero")
			}
			q, err := events.query()
			if err != nil {
				return err
			}
			st, done, err := events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			found, err := statistics.Correlate(c.Context(), st, q, o)
			if err != nil {
				return err
			}
			const shown = 20
			w := buffered(c)
			if output != "table" {
				if len(found.Associations) == 0 {
					nothing(c)
				}
				var rows [][]export.Cell
				for _, a := range found.Associations {
					rows = append(rows, []export.Cell{{Name: "leader", Value: a.Leader}, {Name: "follower", Value: a.Follower}, {Name: "lag_seconds", Value: a.Lag.Seconds()}, {Name: "r", Value: a.R},
						{Name: "episodes", Value: a.Episodes}, {Name: "of", Value: a.Of}, {Name: "p", Value: a.P}, {Name: "q", Value: a.Q}, {Name: "step_seconds", Value: a.Step.Seconds()}, {Name: "sentence", Value: a.Sentence()}})
				}
				if err := export.WriteCells(w, output, rows, 0); err != nil {
					return err
				}
				return w.Flush()
			}
			a := answers{w: w, width: min(width(c.OutOrStdout()), 100)}
			switch {
			case found.First == event.NoTime:
				a.say("", "No record that is asked for has a time.")
			case found.Pairs == 0:
				a.say("", fmt.Sprintf("There is too little to correlate between %s and %s: it takes two kinds of records, each in several steps of time, and 60 steps (of %s here).", shortStamp(found.First), shortStamp(found.Last), statistics.ShortLength(found.Step)))
			default:
				sentences := found.Sentences()
				for _, s := range sentences[:min(len(sentences), shown)] {
					writePoint(w, s, a.width)
				}
				if more := len(sentences) - shown; more > 0 {
					a.say("", fmt.Sprintf("… and %d weaker ones; -o jsonl has all pairs.", more))
				}
				if len(found.Associations) > 0 {
					fmt.Fprintln(w)
				} else {
					a.say("", "Nothing rises together or one after the other by more than chance explains.")
				}
				a.say("", fmt.Sprintf("%s of %s in steps of %s from %s to %s UTC, up to %s apart. r is the correlation; q the share of false alarms to expect (Benjamini–Hochberg).",
					prose.Count(int64(found.Pairs), "pair"), prose.Count(int64(found.Series), "kind"), statistics.ShortLength(found.Step), shortStamp(found.First), shortStamp(found.Last), statistics.ShortLength(found.MaxLag)))
			}
			return w.Flush()
		},
	}
	c.Flags().StringSliceVar(&o.By, "by", []string{"event.dataset", "event.action", "event.outcome"}, "the fields whose values make a kind")
	c.Flags().DurationVar(&o.Step, "step", 0, "length of a step (default: the shortest for which 16,384 cover all)")
	c.Flags().DurationVar(&o.MaxLag, "max-lag", 0, "how far apart (default: 60 steps)")
	c.Flags().IntVarP(&o.Top, "top", "n", 40, "look at so many kinds, those with the most records")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl, csv")
	events.register(c)
	return c
}
