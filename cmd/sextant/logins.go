package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/logins"
	"github.com/sextant-logs/sextant/internal/prose"
)

var _ = command(newLogins)

func newLogins() *cobra.Command {
	var output string
	var top int
	var flags loginFlags
	c := &cobra.Command{
		Use:   "logins FILE…",
		Short: "Count login attempts by user in CSV files, and say what the counts mean",
		Long: `Read CSV files with a header, keep the login attempts, and aggregate them by user:
attempts, successes, failures, success rate, distinct sources, first and last. Columns are
found by name: user, source address, action, success and time, in the usual spellings.
sextant chart logins draws the figure of the same numbers.`,
		Example: `  sextant logins network_logs.csv
  sextant logins -o csv --top 0 network_logs.csv > users.csv
  sextant chart logins network_logs.csv -o logins.png`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "csv", "json"); err != nil {
				return err
			}
			if top < 0 {
				return usagef("--top %d: want 0 or more", top)
			}
			res, err := flags.read(c, args, top)
			if err != nil {
				return err
			}
			w := buffered(c)
			switch output {
			case "csv":
				err = res.WriteCSV(w)
			case "json":
				err = res.WriteJSON(w)
			default:
				if err = res.WriteTable(w, top, width(c.OutOrStdout())); err == nil {
					writeParagraphs(w, res.Interpret(max(top, 1)), width(c.OutOrStdout()))
				}
			}
			if e := w.Flush(); err == nil {
				err = e
			}
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, csv, json")
	c.Flags().IntVar(&top, "top", 10, "show so many users (0: all)")
	flags.register(c)
	return c
}

type loginFlags struct {
	actions []string
	threads int
}

func (f *loginFlags) register(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.actions, "action", nil, "the actions that count as login attempts (default: recognised by name)")
	c.Flags().IntVar(&f.threads, "threads", envInt("SEXTANT_THREADS"), "read with so many threads (default: one for each core)")
}

// read counts the login attempts of all files and says on standard error what
// was refused.
func (f *loginFlags) read(c *cobra.Command, files []string, top int) (*logins.Result, error) {
	counter := logins.NewCounter(logins.Options{Actions: f.actions, Threads: f.threads})
	for _, name := range files {
		err := func() error {
			var r io.Reader = c.InOrStdin()
			if name != "-" {
				file, err := os.Open(name)
				if err != nil {
					return err
				}
				defer file.Close()
				r = file
			}
			src, err := counter.ReadCSV(r, name)
			if err != nil {
				return err
			}
			for _, refusal := range src.Refusals {
				fmt.Fprintln(c.ErrOrStderr(), export.Terminal(fmt.Sprintf("%s: line %d: %s", name, refusal.Line, refusal.Reason)))
			}
			if more := src.Refused - int64(len(src.Refusals)); more > 0 {
				fmt.Fprintf(c.ErrOrStderr(), "%s: %s refused likewise\n", export.Terminal(name), prose.Count(more, "more line"))
			}
			for _, note := range src.Notes {
				fmt.Fprintln(c.ErrOrStderr(), export.Terminal(name+": "+note))
			}
			return nil
		}()
		if err != nil {
			return nil, err
		}
	}
	return counter.Result(), nil
}

// writeParagraphs prints sentences, wrapped.
func writeParagraphs(w io.Writer, paragraphs []string, width int) {
	fmt.Fprintln(w)
	a := answers{w: w, width: min(width, 100)}
	a.say("", strings.Join(paragraphs, " "))
}
