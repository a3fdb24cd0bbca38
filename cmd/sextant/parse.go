package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
)

var _ = command(newParse)

func newParse() *cobra.Command {
	var read readFlags
	var output string
	c := &cobra.Command{
		Use:   "parse PATH…",
		Short: "Decode logs to Elastic Common Schema, one JSON document a line",
		Long: `Decode every log under the paths and print one nested ECS document for each
record, in source order. Nothing is left out: a record that no format understands
is printed with its text as message and the reason as error.message.

A PATH is a file, a directory, an archive or compressed file, or - for standard input.`,
		Example: `  sextant parse /var/log/auth.log
  zcat access.log.*.gz | sextant parse - | jq .source.ip
  sextant parse --tz Europe/Berlin --year 2023 evidence.tar.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "jsonl"); err != nil {
				return err
			}
			opt, err := read.options(args)
			if err != nil {
				return err
			}
			bar := newProgress(c.ErrOrStderr())
			if isTerminal(c.OutOrStdout()) {
				bar.enabled = false // the documents themselves show how it goes
			}
			opt.Progress = bar.report
			w := buffered(c)
			plan, err := pipeline.Parse(c.Context(), opt, w)
			bar.clear()
			if e := w.Flush(); err == nil {
				err = e
			}
			if err != nil {
				return err
			}
			return problems(c.ErrOrStderr(), plan)
		},
	}
	read.register(c)
	c.Flags().StringVarP(&output, "output", "o", "jsonl", "output format: jsonl")
	return c
}

// problems prints what was wrong with the evidence, one line each, and returns
// errSources if some of it could not be read.
func problems(w io.Writer, plan *pipeline.Plan) error {
	failed := plan.Unread
	for _, p := range plan.Problems {
		fmt.Fprintln(w, export.Terminal(p))
	}
	for _, l := range plan.Logs {
		failed = failed || l.Failed()
		for _, p := range l.Problems {
			fmt.Fprintln(w, export.Terminal(p))
		}
	}
	if failed {
		return errSources
	}
	return nil
}
