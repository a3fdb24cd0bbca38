package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
)

var _ = command(newExport)

func newExport() *cobra.Command {
	var events eventFlags
	var format, output string
	c := &cobra.Command{
		Use:   "export",
		Short: "Hand a case's records on: Timesketch, CSV, Parquet, JSON lines",
		Long: `Write the records of a case for other programs, in order of time, each with the
incidents and findings that cite it: as "tag" for Timesketch, as the column sextant.tags
otherwise. Timesketch gets JSON lines with datetime, timestamp, timestamp_desc and message.`,
		Example: `  sextant export --case case --format timesketch -o case.jsonl
  sextant export --case case --format parquet -o case.parquet
  sextant export --case case --format csv --where 'user.name:=alice' -o alice.csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--format", format, "timesketch", "csv", "parquet", "jsonl"); err != nil {
				return err
			}
			if format == "parquet" && output == "-" && isTerminal(c.OutOrStdout()) {
				return usagef("Parquet is no text: give a file with -o")
			}
			q, err := events.query()
			if err != nil {
				return err
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
			return writeFile(c, output, func(w io.Writer) error { return exportRows(c, st, q, w, format, tags) })
		},
	}
	c.Flags().StringVarP(&events.caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVar(&format, "format", "timesketch", "timesketch, csv, parquet or jsonl")
	c.Flags().StringVarP(&output, "output", "o", "-", "file to write; - is standard output")
	events.selection(c)
	return c
}

// caseTags reads which records the case's findings and incidents cite.
func caseTags(dir string) (func(id string) []string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var report struct {
		Incidents []struct {
			ID       string   `json:"id"`
			Title    string   `json:"title"`
			Severity string   `json:"severity"`
			Evidence []string `json:"evidence"`
		} `json:"incidents"`
		Findings []struct {
			Title    string `json:"title"`
			Evidence []struct {
				ID string `json:"event.id"`
			} `json:"evidence"`
			Techniques []string `json:"techniques"`
		} `json:"findings"`
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, "report.json"), err)
	}
	tags := map[string][]string{}
	add := func(id, tag string) {
		if !slices.Contains(tags[id], tag) && len(tags[id]) < 50 {
			tags[id] = append(tags[id], tag)
		}
	}
	for _, in := range report.Incidents {
		for _, id := range in.Evidence {
			add(id, "incident:"+in.ID+" "+in.Title)
			add(id, "severity:"+in.Severity)
		}
	}
	for _, f := range report.Findings {
		for _, e := range f.Evidence {
			add(e.ID, "finding:"+f.Title)
			for _, t := range f.Techniques {
				add(e.ID, t)
			}
		}
	}
	return func(id string) []string { return tags[id] }, nil
}

// exportRows writes what a query finds, in order of time.
func exportRows(c *cobra.Command, st queryer, query string, out io.Writer, format string, tags func(string) []string) error {
	w, err := export.New(out, format, export.Options{Tags: tags})
	if err != nil {
		return err
	}
	any := false
	var own []event.Field
	if err := st.Query(c.Context(), query, func(row []event.Field) error {
		any = true
		own = own[:0]
		for _, f := range row {
			if f.Name != "_stream" && f.Name != "_stream_id" { // the engine's, which say what sextant.source says
				own = append(own, f)
			}
		}
		return w.Write(own)
	}); err != nil {
		return errors.Join(err, w.Discard())
	}
	if !any {
		nothing(c)
	}
	return w.Close()
}
