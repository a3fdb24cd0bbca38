package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/report"
)

var _ = command(newReport)

func newReport() *cobra.Command {
	var caseDir, output, file string
	var only []string
	c := &cobra.Command{
		Use:   "report",
		Short: "Write a case's report again, for others to read",
		Long: `Write the report of a case again, with what people have said of its incidents since
(see sextant mark): as the page, as Markdown with tables, as a narrative to read from
top to bottom, as the JSON document, or as a STIX 2.1 bundle, which leaves out what was
marked false positive or benign.`,
		Example: `  sextant report -o narrative > story.md
  sextant report -o stix --file bundle.json
  sextant report --case break-in --incident 1 -o narrative`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			render, ok := renderers[output]
			if !ok {
				return usagef("-o %q: want html, markdown, narrative, json, stix", output)
			}
			inv, err := readCase(caseDir)
			if err != nil {
				return err
			}
			if err := inv.Judge(caseDir); err != nil {
				return err
			}
			if len(only) > 0 {
				var ids []string
				for _, name := range only {
					in, err := findIncident(inv, name)
					if err != nil {
						return err
					}
					ids = append(ids, in.ID)
				}
				inv.Only(ids)
			}
			data, err := render(inv)
			if err != nil {
				return err
			}
			if file != "" {
				return os.WriteFile(file, data, 0o644)
			}
			_, err = c.OutOrStdout().Write(data)
			return err
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().StringVarP(&output, "output", "o", "markdown", "html, markdown, narrative, json, stix")
	c.Flags().StringVar(&file, "file", "", "write to this file instead of standard output")
	c.Flags().StringSliceVar(&only, "incident", nil, "only these incidents: number in the report, id, or its beginning")
	return c
}

var renderers = map[string]func(*report.Investigation) ([]byte, error){
	"html": report.HTML, "markdown": report.Markdown, "narrative": report.Narrative, "json": report.JSON, "stix": report.STIX,
}

// readCase reads the report that an investigation left.
func readCase(dir string) (*report.Investigation, error) {
	path := filepath.Join(dir, "report.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s has no report; make one with `sextant investigate --case %s PATH…`", dir, shellWord(dir))
	} else if err != nil {
		return nil, err
	}
	inv := &report.Investigation{}
	if err := json.Unmarshal(data, inv); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return inv, nil
}

// findIncident finds an incident by its number in the report, its id, or the
// beginning of that.
func findIncident(inv *report.Investigation, name string) (*incident.Incident, error) {
	if n, err := strconv.Atoi(name); err == nil && len(name) < 5 {
		if n < 1 || n > len(inv.Incidents) {
			return nil, usagef("the case has no incident %d; it has %d", n, len(inv.Incidents))
		}
		return &inv.Incidents[n-1], nil
	}
	var found *incident.Incident
	for i := range inv.Incidents {
		in := &inv.Incidents[i]
		if len(name) >= 4 && strings.HasPrefix(in.ID, name) {
			if found != nil {
				return nil, usagef("more than one incident begins with %s", name)
			}
			found = in
		}
	}
	if found == nil {
		return nil, usagef("the case has no incident %s", name)
	}
	return found, nil
}
