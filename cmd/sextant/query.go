package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
)

var _ = command(newQuery)

func newQuery() *cobra.Command {
	var caseDir, output, file string
	var limit int64
	var nested, unsorted bool
	var server serverFlags
	c := &cobra.Command{
		Use:   "query LOGSQL",
		Short: "Search a case",
		Long: `Search the records of a case with LogsQL. Every ECS field is a column; the text
of a record is _msg, its time _time. Words are searched in _msg; field:value searches
a column; field:=value compares all of it; pipes aggregate.`,
		Example: `  sextant query 'event.outcome:failure'
  sextant query 'source.ip:=203.0.113.9 | fields _time, host.name, user.name, _msg'
  sextant query 'event.category:authentication | stats by (user.name) count() attempts | sort by (attempts desc)'
  sextant query -o csv '_time:[2024-03-01, 2024-03-02] http.response.status_code:>=500' > errors.csv
  sextant query -o parquet '*' > case.parquet
  sextant query --server https://logs.example.com:8514 --token sxt_… 'event.outcome:failure'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, export.Formats...); err != nil {
				return err
			}
			st, err := server.open(c.Context(), caseDir)
			if err != nil {
				return err
			}
			defer st.Close()
			out := c.OutOrStdout()
			if file != "" {
				f, err := os.Create(file)
				if err != nil {
					return err
				}
				defer f.Close()
				out = f
			} else if output == "parquet" && isTerminal(out) {
				return usagef("Parquet is no text: give a file with --file, or redirect the output")
			}
			options := export.Options{Nested: nested}
			if isTerminal(out) {
				options.Width = width(out)
			}
			w, err := export.New(out, output, options)
			if err != nil {
				return err
			}
			var rows int64
			err = st.QueryWith(c.Context(), args[0], store.QueryOptions{Limit: limit, Unsorted: unsorted}, func(row []event.Field) error {
				rows++
				return w.Write(row)
			})
			if err != nil {
				return errors.Join(err, w.Discard())
			}
			err = w.Close()
			if err == nil && isTerminal(c.ErrOrStderr()) {
				fmt.Fprintln(c.ErrOrStderr(), prose.Count(rows, "row"))
			}
			return err
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl, csv, parquet")
	c.Flags().StringVar(&file, "file", "", "write to this file instead of standard output")
	c.Flags().Int64VarP(&limit, "limit", "n", 0, "at most so many rows (default: all)")
	c.Flags().BoolVar(&nested, "nested", false, "jsonl: nested ECS documents instead of flat names")
	c.Flags().BoolVar(&unsorted, "unsorted", false, "rows as they are found, not by time: faster for very many")
	server.register(c)
	return c
}
