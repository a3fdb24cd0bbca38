package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
)

var _ = command(newDetect)

func newDetect() *cobra.Command {
	var read readFlags
	var rules ruleFlags
	var output string
	c := &cobra.Command{
		Use:   "detect PATH…",
		Short: "Run Sigma rules over logs, one match a line",
		Long: `Decode every log under the paths, run the Sigma rules over it, and print one JSON
document for each match, in source order, correlations last. No case is made. What
became of the rules is said on standard error: none is silently unused.`,
		Example: `  sextant detect --rules sigma/rules Security.evtx
  sextant detect --no-builtin --rules my-rule.yml --min-level high logs/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "jsonl"); err != nil {
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
			bar := newProgress(c.ErrOrStderr())
			bar.enabled = bar.enabled && !isTerminal(c.OutOrStdout())
			opt.Progress = bar.report
			w := buffered(c)
			plan, summary, err := pipeline.Detect(c.Context(), opt, ruleOptions, w)
			bar.clear()
			if e := w.Flush(); err == nil {
				err = e
			}
			if err != nil {
				return err
			}
			err = problems(c.ErrOrStderr(), plan)
			sayRules(c.ErrOrStderr(), summary)
			return err
		},
	}
	read.register(c)
	rules.register(c)
	c.Flags().StringVarP(&output, "output", "o", "jsonl", "output format: jsonl")
	return c
}

// othersFailed ends a sentence about rules that were loaded.
func othersFailed(n int) string {
	if n == 0 {
		return "; none failed"
	}
	return fmt.Sprintf("; %d more failed", n)
}

// sayRules says what became of the rules.
func sayRules(w io.Writer, s *detect.Summary) {
	const most = 20
	for i, f := range s.Failed {
		if i == most {
			fmt.Fprintf(w, "… and %d more rules that could not be used; `sextant rules lint` lists them\n", len(s.Failed)-most)
			break
		}
		fmt.Fprintln(w, export.Terminal(f.Error()))
	}
	for _, s := range s.Idle {
		fmt.Fprintln(w, export.Terminal(s))
	}
	fmt.Fprintf(w, "rules: %d loaded: %d applied (%d matched, %d did not), %d not applicable (no such log here)%s\n",
		s.Loaded, s.Applied, s.Matched, s.Applied-s.Matched, len(s.NotApplicable), othersFailed(len(s.Failed)))
}
