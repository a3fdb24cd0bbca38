package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/report"
)

var _ = command(newAnomalies)

func newAnomalies() *cobra.Command {
	var events eventFlags
	var output, level string
	var perDay int
	c := &cobra.Command{
		Use:   "anomalies [PATH…]",
		Short: "What is unlike itself: rates, new pairs, scans, beacons, tunnels, volumes, hours, gaps",
		Long: `Let the analysis techniques look at logs under the paths, or at the records of a case,
and print what they find: bursts and drops against what is usual at that time of day,
pairs seen for the first time, one that deals with many, connections at even intervals,
long connections, data in DNS names, generated domains, data sent out, work at odd
hours, silent logs, clocks set back, missing records, impossible travel.

Each finding says why in a sentence with numbers, and --output jsonl names its records.
What is found is held to a noise budget: of each day, those that matter most. Baselines
need days: most techniques say nothing of logs of a few hours.`,
		Example: `  sextant anomalies /var/log
  sextant anomalies --case case --max-findings-per-day 3
  sextant anomalies --geoip GeoLite2-City.mmdb auth.log
  sextant anomalies --case case -o jsonl | jq -r .explanation`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "jsonl"); err != nil {
				return err
			}
			if level != "" {
				if err := oneOf("--min-level", level, analyze.Levels...); err != nil {
					return err
				}
			}
			query, err := events.query()
			if err != nil {
				return err
			}
			st, done, err := events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			findings, reports, err := pipeline.Anomalies(c.Context(), st, query, perDay)
			if err != nil {
				return err
			}
			w := buffered(c)
			defer w.Flush()
			page := &answers{w: w, width: min(width(c.OutOrStdout()), 100), colour: useColour(c.OutOrStdout())}
			shown := 0
			for _, f := range findings {
				if analyze.LevelRank(f.Level) < analyze.LevelRank(level) {
					continue
				}
				shown++
				if output == "jsonl" {
					at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
					line, err := json.Marshal(report.Finding{Finding: f, First: at(f.First), Last: at(f.Last)})
					if err != nil {
						return err
					}
					w.Write(append(line, '\n'))
					continue
				}
				page.say("", fmt.Sprintf("%s  %s, %s", time.Unix(0, f.First).UTC().Format("2006-01-02 15:04"), f.Level, f.Kind))
				page.say(" ", f.Explanation)
			}
			if output != "table" {
				if shown == 0 {
					nothing(c)
				}
				return nil
			}
			if shown > 0 {
				fmt.Fprintln(w)
			} else if len(findings) > 0 {
				fmt.Fprintf(w, "Nothing is of level %s or above.\n", level)
			}
			for _, s := range report.Techniques(reports) {
				page.say("", s)
			}
			return nil
		},
	}
	events.register(c)
	budgetFlag(c, &perDay)
	c.Flags().StringVar(&level, "min-level", "", "leave out findings below this level: informational, low, medium, high, critical")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl")
	return c
}

// budgetFlag adds the flag for the noise budget of analysis techniques.
func budgetFlag(c *cobra.Command, perDay *int) {
	*perDay = analyze.MaxFindingsPerDay
	c.Flags().Var((*budget)(perDay), "max-findings-per-day", "keep so many findings of analysis techniques a day, those that matter most; -1: all")
}

// budget is a number of findings: -1 or from 1.
type budget int

func (b *budget) String() string { return strconv.Itoa(int(*b)) }
func (b *budget) Type() string   { return "int" }
func (b *budget) Set(s string) error {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n == 0 || n < -1 {
		return fmt.Errorf("want a number from 1, or -1 for all")
	}
	*b = budget(n)
	return nil
}
