package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/format"
)

var _ = command(newFormats)

func newFormats() *cobra.Command {
	var output string
	var dirs, check []string
	c := &cobra.Command{
		Use:   "formats",
		Short: "List the log formats that are recognised",
		Long: `List the formats that Sextant recognises from content and decodes. The names are
those of --format and, for most, of event.dataset.

Formats of your own are YAML files in a directory (docs/yaml-formats.md). --check reads
them, decodes the samples in them, and says what is not as expected.`,
		Example: `  sextant formats
  sextant formats --formats my-formats/ -o json
  sextant formats --check my-formats/`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			w := buffered(c)
			defer w.Flush()
			if len(check) > 0 {
				return checkFormats(w, check)
			}
			if err := useFormats(dirs); err != nil {
				return err
			}
			type row struct {
				Name  string `json:"name"`
				Group string `json:"group"`
				Title string `json:"title"`
			}
			var rows []row
			for _, f := range format.All() {
				rows = append(rows, row{f.Name, f.Group, f.Title})
			}
			if output == "json" {
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			for _, r := range rows {
				fmt.Fprintf(w, "%-18s %-10s %s\n", r.Name, r.Group, r.Title)
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&dirs, "formats", nil, "directories with formats of your own in YAML, besides "+userFormatsPath())
	c.Flags().StringSliceVar(&check, "check", nil, "check the formats of these directories against the samples in them")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, json")
	return c
}
