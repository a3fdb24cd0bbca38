package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/report"
)

var _ = command(newInvestigate)

func newInvestigate() *cobra.Command {
	var read readFlags
	var rules ruleFlags
	var caseDir, output string
	var perDay int
	c := &cobra.Command{
		Use:   "investigate PATH…",
		Short: "Read every log under the paths and answer what happened",
		Long: `Read every log under the paths, find out what each is, store its records in a case,
run the rules over them, and put what belongs together into incidents that say what
happened, when, where, who did it, whether it succeeded, and what the impact was.

A PATH is a file, a directory (walked), an archive or compressed file (gz, bz2, xz,
zst, lz4, zip, tar, nested in any way), or - for standard input. The format of each is
found from its content.

The case directory keeps the records (search them with sextant query), a ledger of
what was read, and report.html, report.md and report.json. Investigating again with the
same case adds only what is new. A run that is stopped can simply be started again.`,
		Example: `  sextant investigate /var/log
  sextant investigate --case break-in --rules sigma/rules evidence.tar.gz
  sextant investigate -o json logs/ | jq '.incidents[].title'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "text", "json", "markdown"); err != nil {
				return err
			}
			ruleOptions, err := rules.options()
			if err != nil {
				return err
			}
			opt, err := read.options(args)
			if err != nil {
				return err
			}
			stderr := c.ErrOrStderr()
			bar := newProgress(stderr)
			opt.Progress = bar.report
			chosen, err := chosenSettings(c)
			if err != nil {
				return err
			}
			in := pipeline.Investigation{Options: opt, MaxFindingsPerDay: perDay, Case: caseDir, Rules: ruleOptions, Version: version, Settings: chosen}
			began := time.Now()
			inv, err := pipeline.Investigate(c.Context(), in)
			bar.clear()
			if err != nil {
				if pipeline.Interrupted(err) {
					err = fmt.Errorf("the case %s is consistent; run the same command again to go on: %w", caseDir, err)
				}
				return err
			}
			if err := pipeline.WriteCase(caseDir, inv); err != nil {
				return err
			}
			for _, p := range inv.Problems {
				fmt.Fprintln(stderr, export.Terminal(p))
			}
			w := buffered(c)
			switch output {
			case "json":
				data, err := report.JSON(inv)
				if err != nil {
					return err
				}
				w.Write(data)
			case "markdown":
				data, err := report.Markdown(inv)
				if err != nil {
					return err
				}
				w.Write(data)
			default:
				(&answers{w: w, width: min(width(c.OutOrStdout()), 100), colour: useColour(c.OutOrStdout())}).print(inv)
				fmt.Fprintf(w, "\nReport: %s\n", filepath.Join(caseDir, "report.html"))
				fmt.Fprintf(w, "Search: sextant query --case %s 'event.outcome:failure'\n", shellWord(caseDir))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if isTerminal(stderr) {
				spent := time.Since(began)
				fmt.Fprintf(stderr, "%s in %s\n", prose.Count(inv.Accounting.Records, "record"), spent.Round(10*time.Millisecond))
			}
			if unread(inv) {
				return errSources
			}
			return nil
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory; made if it does not exist")
	c.Flags().StringVarP(&output, "output", "o", "text", "what to print: text, json, markdown")
	read.register(c)
	rules.register(c)
	budgetFlag(c, &perDay)
	return c
}

// unread reports whether some evidence could not be read to its end.
func unread(inv *report.Investigation) bool {
	for _, s := range inv.Sources {
		if s.Unread {
			return true
		}
	}
	return inv.Unread
}

// answers prints the six answers of each incident for a terminal.
type answers struct {
	w      io.Writer
	width  int
	colour bool
}

const shownIncidents = 10

func (a *answers) print(inv *report.Investigation) {
	n := inv.Accounting
	a.say("", fmt.Sprintf("%s in %s: %s, %s decoded, %s kept as plain text, %s there already. %s.",
		prose.Count(n.Records, "record"), prose.Count(int64(len(inv.Sources)), "source"), prose.Size(n.BytesIn), prose.Number(n.Decoded), prose.Number(n.Undecoded), prose.Number(n.Duplicate), balance(n)))
	a.say("", fmt.Sprintf("%s loaded, %d of them had logs to work on, %d of these matched%s. %s.",
		prose.Count(int64(inv.Rules.Loaded), "rule"), inv.Rules.Applied, inv.Rules.Matched, othersFailed(len(inv.Rules.Failed)), prose.Count(int64(len(inv.Findings)), "finding")))
	fmt.Fprintln(a.w)
	if len(inv.Incidents) == 0 {
		fmt.Fprintln(a.w, "No incident found.")
		if len(inv.Findings) > 0 {
			fmt.Fprintln(a.w, "The findings are in the report.")
		}
		return
	}
	for i := range inv.Incidents[:min(shownIncidents, len(inv.Incidents))] {
		if i > 0 {
			fmt.Fprintln(a.w)
		}
		a.incident(i+1, &inv.Incidents[i])
	}
	if more := len(inv.Incidents) - shownIncidents; more > 0 {
		fmt.Fprintf(a.w, "\n… and %s in the report.\n", prose.Count(int64(more), "more incident"))
	}
}

func balance(n report.Accounting) string {
	switch {
	case !n.Balanced:
		return "THE BOOKS DO NOT BALANCE: see the report"
	case n.BytesRefused > 0:
		return prose.Size(n.BytesRefused) + " refused, for the reasons given"
	}
	return "Nothing was lost"
}

func (a *answers) incident(number int, in *incident.Incident) {
	head := fmt.Sprintf("%d. [%s %d] %s", number, in.Severity, in.Score, in.Title)
	if a.colour {
		fmt.Fprintf(a.w, "\x1b[1m%s\x1b[0m\n", export.Terminal(head))
	} else {
		fmt.Fprintln(a.w, export.Terminal(head))
	}
	a.sentences("what", "", in.What)
	a.say("when", report.When(in.When))
	where := list(in.Where.Hosts)
	for _, p := range []struct {
		word   string
		values []string
	}{{"from", in.Where.Sources}, {"to", in.Where.Destinations}, {"as told by", in.Where.Logs}} {
		if len(p.values) > 0 {
			where += " " + p.word + " " + list(p.values)
		}
	}
	a.say("where", strings.TrimSpace(where))
	a.say("who", list(append(append([]string{}, in.Who.Users...), in.Who.Processes...)))
	a.sentences("outcome", in.Outcome.Result+": ", in.Outcome.Why)
	if len(in.Outcome.Needs) > 0 {
		a.say("       ", "It would be told by: "+strings.Join(in.Outcome.Needs, "; ")+".")
	}
	a.sentences("impact", in.Impact.Level+": ", in.Impact.Facts)
}

const shownValues = 6

func list(values []string) string {
	if len(values) > shownValues {
		return strings.Join(values[:shownValues], ", ") + fmt.Sprintf(" and %d more", len(values)-shownValues)
	}
	return strings.Join(values, ", ")
}

func (a *answers) sentences(label, lead string, ss []incident.Sentence) {
	if len(ss) == 0 {
		a.say(label, strings.TrimSuffix(lead, ": "))
		return
	}
	const most = 5
	for i, s := range ss[:min(most, len(ss))] {
		if i == 0 {
			a.say(label, lead+s.Text)
		} else {
			a.say(strings.Repeat(" ", len(label)), s.Text)
		}
	}
	if len(ss) > most {
		a.say(strings.Repeat(" ", len(label)), fmt.Sprintf("… and %d more in the report", len(ss)-most))
	}
}

// say prints text under a label, wrapped to the width.
func (a *answers) say(label, text string) {
	if text == "" {
		return
	}
	indent := ""
	if label != "" {
		indent = strings.Repeat(" ", 12)
		if l := strings.TrimSpace(label); l != "" && a.colour {
			fmt.Fprintf(a.w, "   \x1b[2m%-8s\x1b[0m ", l)
		} else {
			fmt.Fprintf(a.w, "   %-8s ", l)
		}
	}
	column := len(indent)
	for i, word := range strings.Fields(export.Terminal(text)) {
		n := chart.Cells(word)
		if i > 0 {
			if column+1+n > a.width {
				fmt.Fprint(a.w, "\n", indent)
				column = len(indent)
			} else {
				fmt.Fprint(a.w, " ")
				column++
			}
		}
		fmt.Fprint(a.w, word)
		column += n
	}
	fmt.Fprintln(a.w)
}

// shellWord quotes s for a POSIX shell where it must be.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(export.Terminal(s), "'", `'\''`) + "'"
}
