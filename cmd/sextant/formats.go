package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/format"
)

var _ = command(newFormats)

func newFormats() *cobra.Command {
	var output string
	var dirs, check []string
	c := &cobra.Command{
		Use:   "formats [NAME]",
		Short: "List the log formats that are recognised, or tell what one reads and makes",
		Long: `List the formats that Sextant recognises from content and decodes. The names are
those of --format and, for most, of event.dataset. With a name: what the format
reads, and the datasets and fields that its own test logs give.

Formats of your own are YAML files in a directory (docs/yaml-formats.md). --check reads
them, decodes the samples in them, and says what is not as expected.`,
		Example: `  sextant formats
  sextant formats postgresql.log
  sextant formats --formats my-formats/ -o json
  sextant formats --check my-formats/`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
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
			if len(args) > 0 {
				return showFormat(w, args[0], output)
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
				fmt.Fprintf(w, "%-31s %-9s %s\n", r.Name, r.Group, r.Title)
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&dirs, "formats", nil, "directories with formats of your own in YAML, besides "+userFormatsPath())
	c.Flags().StringSliceVar(&check, "check", nil, "check the formats of these directories against the samples in them")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, json")
	return c
}

// showFormat prints the page of one format.
func showFormat(w io.Writer, name, output string) error {
	f := format.Lookup(name)
	if f == nil {
		near := format.Near(name)
		if len(near) == 0 {
			return fmt.Errorf("no format is named %q; sextant formats lists them", name)
		}
		return fmt.Errorf("no format is named %q; did you mean %s?", name, strings.Join(near, ", "))
	}
	page := f.Page()
	fields, own := page.ECS()
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Name  string `json:"name"`
			Group string `json:"group"`
			Title string `json:"title"`
			format.Page
		}{f.Name, f.Group, f.Title, page})
	}
	fmt.Fprintf(w, "%s: %s\n", f.Name, f.Title)
	if page.Reads != "" {
		fmt.Fprintf(w, "\n%s\n", indent(page.Reads))
	}
	list := func(title string, names []string, suffix string) {
		if len(names) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		line := " "
		for _, n := range names {
			if len(line)+len(n)+len(suffix) > 98 {
				fmt.Fprintln(w, line)
				line = " "
			}
			line += " " + export.Terminal(n) + suffix
		}
		fmt.Fprintln(w, line)
	}
	list("Datasets", page.Datasets, "")
	list("Fields of the Elastic Common Schema that its test logs give", fields, "")
	list("Fields of its own", own, ".*")
	fmt.Fprintf(w, "\nTry it\n  sextant parse --format %s FILE\n", f.Name)
	if len(page.Datasets) > 0 {
		fmt.Fprintf(w, "  sextant query --case CASE 'event.dataset:=%s | stats by (event.action, event.outcome) count() n'\n", page.Datasets[0])
	}
	return nil
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
