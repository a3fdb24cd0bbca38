package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/report"
)

var _ = command(newSources)

func newSources() *cobra.Command {
	var caseDir, output string
	c := &cobra.Command{
		Use:   "sources [CASE]",
		Short: "List the sources of a case and account for every record and byte of them",
		Long: `List the sources that a case holds: what format each has, how many records it gave, how
many of them no decoder understood, and whether its books balance: bytes read are bytes of
records, of what separates them, and of what was refused.`,
		Example: `  sextant sources case
  sextant sources -o jsonl case | jq 'select(.accounting.balanced | not)'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "jsonl"); err != nil {
				return err
			}
			if len(args) > 0 {
				caseDir = args[0]
			}
			st, err := openCase(caseDir)
			if err != nil {
				return err
			}
			defer st.Close()
			w := buffered(c)
			if len(st.Ledger().Sources()) == 0 && output != "table" {
				nothing(c)
			}
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			if output == "table" {
				fmt.Fprintln(table, "RECORDS\tAS TEXT\tBYTES\tBOOKS\tFORMAT\tSOURCE")
			}
			var all report.Accounting
			all.Balanced = true
			sources := st.Ledger().Sources()
			for _, r := range sources {
				var s report.Source
				if err := json.Unmarshal(r.Accounting, &s); err != nil {
					return fmt.Errorf("ledger: books of %s: %w", r.Path, err)
				}
				a := s.Accounting
				all.Add(a)
				if output == "jsonl" {
					line, err := json.Marshal(s)
					if err != nil {
						return err
					}
					fmt.Fprintf(w, "%s\n", line)
					continue
				}
				books := "balanced"
				if !a.Balanced {
					books = "NOT balanced"
				}
				fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%s\t%s\n", a.Records, a.Undecoded, a.BytesIn, books, export.Terminal(s.Format), export.Terminal(s.Path))
			}
			if output == "table" {
				if err := table.Flush(); err != nil {
					return err
				}
				fmt.Fprintf(w, "%s, %s, %d bytes\n", prose.Count(int64(len(sources)), "source"), prose.Count(all.Records, "record"), all.BytesIn)
			}
			return w.Flush()
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVarP(&output, "output", "o", "table", "table or jsonl")
	return c
}
