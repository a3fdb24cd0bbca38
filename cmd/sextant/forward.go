package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/forward"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
)

var _ = command(newForward)

func newForward() *cobra.Command {
	var kinds strings.Builder
	forward.Kinds(func(name, title string) {
		fmt.Fprintf(&kinds, "  %-13s  %s\n", name, strings.ReplaceAll(title, "\n", " "))
	})
	var events eventFlags
	c := &cobra.Command{
		Use:   "forward URL",
		Short: "Send a case's records to Logstash or Elasticsearch",
		Long: `Send the records of a case on, in order of time, each with the incidents and findings
that cite it as sextant.tags. Elasticsearch keeps a record once, however often it is sent;
what it will never take is written to forward/…/refused.jsonl in the case. A receiver that
is away is waited for. Several HOSTs, with commas between, stand in for each other;
where=LOGSQL chooses events. What a live case gets, ` + "`sextant serve --forward URL`" + ` sends as it arrives.

Receivers:
` + strings.TrimRight(kinds.String(), "\n"),
		Example: `  sextant forward --case case 'elasticsearch+https://elastic:secret@es.example.com:9200/logs-sextant-default?ca=ca.pem'
  sextant forward --case case --where 'event.outcome:failure' logstash+tls://logstash.example.com:5044?ca=ca.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q, err := events.query()
			if err != nil {
				return err
			}
			f, err := forward.New(args[0], filepath.Join(events.caseDir, "forward"), nil)
			if err != nil {
				return usageError{err}
			}
			defer f.Close()
			if q, err = store.Narrowed(f.Where(), q); err != nil {
				return usageError{err}
			}
			st, done, err := events.open(c, nil)
			if err != nil {
				return err
			}
			defer done()
			tags, err := caseTags(events.caseDir)
			if err != nil {
				return err
			}
			w := export.Tagged(f.NewWriter(c.Context()), tags)
			if err := st.Query(c.Context(), q, w.Write); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			n := f.Stats()
			fmt.Fprintf(c.OutOrStdout(), "%s sent, %d of them known there already\n", prose.Count(n.Sent.Load(), "record"), n.Known.Load())
			if refused := n.Refused.Load(); refused > 0 {
				return fmt.Errorf("%s refused: see %s", prose.Count(refused, "record"), f.Refusals())
			}
			return nil
		},
	}
	c.Flags().StringVarP(&events.caseDir, "case", "c", "case", "case directory")
	events.selection(c)
	return c
}
