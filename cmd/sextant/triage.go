package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/triage"
)

var _ = command(newTriage)

func newTriage() *cobra.Command {
	var caseDir, of, output string
	var learnFrom []string
	var limit int
	var open, evaluate bool
	c := &cobra.Command{
		Use:   "triage",
		Short: "Rank findings or incidents by how likely they are real, as verdicts tell",
		Long: `Rank the findings of a case, or its incidents, by the chance that they are real. What
was said of them with ` + "`sextant mark`" + ` teaches the ranking: what has the rule, the
source, the user, the time of day or anything else in common with what was judged
moves up or down, and each line says by what: the number in brackets is what it adds to
the log-odds, 0.7 doubles the odds. Without verdicts, the rank is that of the level, of
how rare the rule is in the case, and of how many records there are.`,
		Example: `  sextant triage
  sextant triage --of incidents --open
  sextant triage --learn-from last-month --learn-from the-month-before
  sextant triage --evaluate                # how well verdicts are foretold`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--of", of, "findings", "incidents"); err != nil {
				return err
			}
			if err := oneOf("-o", output, "table", "jsonl", "csv"); err != nil {
				return err
			}
			var cases []*triage.Case
			for _, dir := range append([]string{caseDir}, learnFrom...) {
				one, err := triage.Read(dir)
				if errors.Is(err, fs.ErrNotExist) {
					return usagef("%s has no report; make one with `sextant investigate --case %s PATH…`", dir, shellWord(dir))
				}
				if err != nil {
					return err
				}
				cases = append(cases, one)
			}
			w := buffered(c)
			defer w.Flush()
			if evaluate {
				return writeEvaluation(w, triage.Evaluate(cases...))
			}
			model := triage.Train(cases...)
			items := cases[0].Rank(model)
			if of == "incidents" {
				items = cases[0].RankIncidents(model)
			}
			if model.Judged == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "No verdicts yet: ranked by level, rarity and number of records. `sextant mark` teaches the ranking.")
			}
			tellVerdicts(c.ErrOrStderr(), model)
			if open {
				items = slices.DeleteFunc(items, func(it triage.Item) bool { return it.Verdict != "" })
			}
			if len(items) == 0 && output == "table" {
				fmt.Fprintf(w, "There are no %s to rank.\n", of)
				return nil
			}
			return writeTriage(c, w, items, output, limit)
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVar(&of, "of", "findings", "what to rank: findings, incidents")
	c.Flags().StringSliceVar(&learnFrom, "learn-from", nil, "another case whose verdicts teach as well")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl, csv")
	c.Flags().IntVarP(&limit, "limit", "n", 20, "at most so many; 0: all")
	c.Flags().BoolVar(&open, "open", false, "only what nobody has judged")
	c.Flags().BoolVar(&evaluate, "evaluate", false, "foretell each fifth of the verdicts from the others, and say how well")
	return c
}

// tellVerdicts says what keeps verdicts from teaching more: they are all alike, or contradict each other.
func tellVerdicts(w io.Writer, m *triage.Model) {
	switch {
	case m.Judged > 0 && m.True == 0:
		fmt.Fprintf(w, "Nothing was judged real (%s): what is like it sinks, and nothing is known of what is real.\n", prose.Count(int64(m.Judged), "verdict"))
	case m.Judged > 0 && m.True == m.Judged:
		fmt.Fprintf(w, "All that was judged is real (%s): what is like it rises, and nothing is known of what is not.\n", prose.Count(int64(m.Judged), "verdict"))
	}
	if n := len(m.Contradict); n > 0 {
		x := m.Contradict[0]
		fmt.Fprintf(w, "Verdicts contradict each other: %s was judged real and %s was not, which has the same rule, addresses, users and hosts", export.Terminal(x.True), export.Terminal(x.False))
		if n > 1 {
			fmt.Fprintf(w, " (one of %d such pairs)", n)
		}
		fmt.Fprintln(w, ". Such verdicts cancel out, but for what their times tell.")
	}
}

func writeTriage(c *cobra.Command, w io.Writer, items []triage.Item, output string, limit int) error {
	if out := c.OutOrStdout(); output == "table" && isTerminal(out) {
		page := &answers{w: w, width: min(width(out), 100), colour: useColour(out)} // reasons do not fit into columns
		for i, it := range items {
			if limit > 0 && i >= limit {
				break
			}
			page.say("", strings.TrimSuffix(fmt.Sprintf("%s  %s, %s, %s", percent(it.Chance), it.Level, it.ID, it.Verdict), ", "))
			page.say(" ", it.Title)
			page.say(" ", why(it))
		}
		return nil
	}
	options := export.Options{Columns: []string{"id", "chance", "prior", "level", "verdict", "title", "why"}}
	if output == "table" {
		options.Columns = []string{"id", "chance", "level"}
		if slices.ContainsFunc(items, func(it triage.Item) bool { return it.Verdict != "" }) {
			options.Columns = append(options.Columns, "verdict")
		}
		options.Columns = append(options.Columns, "title")
		if slices.ContainsFunc(items, func(it triage.Item) bool { return len(it.Why) > 0 }) {
			options.Columns = append(options.Columns, "why")
		}
	}
	rows, err := export.New(w, output, options)
	if err != nil {
		return err
	}
	n := 0
	for _, it := range items {
		if limit > 0 && n >= limit {
			break
		}
		n++
		if output == "jsonl" {
			line, err := json.Marshal(it)
			if err != nil {
				return err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
			continue
		}
		err := rows.Write([]event.Field{{Name: "id", Value: it.ID}, {Name: "chance", Value: percent(it.Chance)}, {Name: "prior", Value: percent(it.Prior)},
			{Name: "level", Value: it.Level}, {Name: "verdict", Value: it.Verdict}, {Name: "title", Value: it.Title}, {Name: "why", Value: why(it)}})
		if err != nil {
			return err
		}
	}
	if output == "jsonl" {
		return nil
	}
	return rows.Close()
}

func why(it triage.Item) string {
	var all []string
	for _, r := range it.Why {
		all = append(all, r.String())
	}
	return strings.Join(all, "; ")
}

func percent(p float64) string { return fmt.Sprintf("%.0f%%", 100*p) }

func writeEvaluation(w io.Writer, x triage.Evaluation) error {
	if math.IsNaN(x.Learnt.AUC) {
		_, err := fmt.Fprintf(w, "%s, %d of them real: too few to tell. It takes some of both kinds.\n", prose.Count(int64(x.Judged), "verdict"), x.True)
		return err
	}
	fmt.Fprintf(w, "%s, %d of them real. Each fifth foretold from the others:\n%-27s%5s  %9s  %6s  (at the best F1)\n", prose.Count(int64(x.Judged), "verdict"), x.True, "", "AUC", "precision", "recall")
	var err error
	for _, r := range []struct {
		name string
		q    learn.Quality
	}{{"learnt", x.Learnt}, {"without verdicts", x.Prior}, {"simply: rarest rule first", x.Rarest}} {
		_, err = fmt.Fprintf(w, "%-27s%5.3f  %9.3f  %6.3f\n", r.name, r.q.AUC, r.q.BestP, r.q.Recall)
	}
	if err == nil {
		err = writeReliability(w, x.Reliable)
	}
	return err
}

// writeReliability says whether chances came true.
func writeReliability(w io.Writer, r learn.Reliability) error {
	fmt.Fprintf(w, "Do the chances come true? Foretold, and what was real of it:\n")
	for i, b := range r.Bins {
		if b.N > 0 {
			fmt.Fprintf(w, "%3d%% to %3d%%: %s, foretold %s, real %s\n", 20*i, 20*i+20, prose.Count(int64(b.N), "finding"), percent(b.Foretold), percent(b.True))
		}
	}
	_, err := fmt.Fprintf(w, "Brier score %.3f (0 is best; the same chance for all would have %.3f).\n", r.Brier, r.Base)
	return err
}
