package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/rulepack"
)

var _ = command(newRules)

func newRules() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "List, check and test Sigma rules",
		Long: `The rules built in, and those of directories: list them, check that they can be
used, and run the tests that stand beside them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRulesList(), newRulesLint(), newRulesTest(), newRulesExplain())
	return c
}

func loadRules(dirs []string) (*detect.Detector, error) {
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			return nil, usageError{err}
		}
	}
	opt := detect.Options{Paths: dirs}
	if len(dirs) == 0 {
		opt.Embedded = rulepack.Rules
	}
	return detect.Load(opt)
}

func newRulesList() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list [PATH…]",
		Short: "List the rules built in, or those under the paths",
		Example: `  sextant rules list
  sextant rules list -o json sigma/rules | jq -r '.[] | select(.level=="critical").title'`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			d, err := loadRules(args)
			if err != nil {
				return err
			}
			w := buffered(c)
			defer w.Flush()
			if output == "json" {
				type row struct {
					ID        string   `json:"id"`
					Title     string   `json:"title"`
					Level     string   `json:"level"`
					Status    string   `json:"status"`
					LogSource string   `json:"logsource"`
					Tags      []string `json:"tags"`
					File      string   `json:"file"`
				}
				rows := []row{}
				for _, r := range d.Rules() {
					rows = append(rows, row{r.ID, r.Title, r.Level.String(), r.Status, r.LogSource.String(), r.Tags, r.File})
				}
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			for _, r := range d.Rules() {
				what := r.LogSource.String()
				if r.Correlation != nil {
					what = "correlation: " + r.Correlation.Type
				}
				fmt.Fprintf(w, "%-13s %s (%s)\n", r.Level, export.Terminal(r.Title), export.Terminal(what))
			}
			fmt.Fprintf(w, "%s\n", prose.Count(int64(len(d.Rules())), "rule"))
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, json")
	return c
}

func newRulesLint() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [PATH…]",
		Short: "Check that rules can be used, and say for which no log source is known",
		Example: `  sextant rules lint sigma/rules
  sextant rules lint my-rule.yml`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := loadRules(args)
			if err != nil {
				return err
			}
			w := buffered(c)
			defer w.Flush()
			failed := d.Failed()
			for _, f := range failed {
				fmt.Fprintln(w, export.Terminal(f.Error()))
			}
			report := d.Engine().Report()
			for _, r := range report.Unmapped {
				fmt.Fprintf(w, "%s:%d: %s: no log that Sextant knows is of %s\n", export.Terminal(r.File), r.Line, export.Terminal(r.Ref()), export.Terminal(r.LogSource.String()))
			}
			fmt.Fprintf(w, "%s: %d usable, %d for a log source that is not known, %d cannot be used\n",
				prose.Count(int64(report.Active+len(report.Unmapped)+len(failed)), "rule"), report.Active, len(report.Unmapped), len(failed))
			if len(failed) > 0 {
				return errSources
			}
			return nil
		},
	}
}

func newRulesTest() *cobra.Command {
	var more []string
	c := &cobra.Command{
		Use:   "test [PATH…]",
		Short: "Run the tests beside rules: NAME.test.yml with samples that must and must not match",
		Long: `Run the tests that stand beside rules. The test of NAME.yml is NAME.test.yml:

  format: syslog          # as in sextant formats; recognised if left out
  match:
    - 'log lines that the rule must match'
  no_match:
    - 'log lines that it must not match'

Rules that a correlation refers to are looked for in its own folder, in the folders
around it as far as the PATH names them (rules/logins/guess.yml: in rules as well), in
those of --rules, and among the rules built in.`,
		Example: `  sextant rules test
  sextant rules test my-rules/
  sextant rules test my-rules/correlations/guess.yml --rules base-rules/`,
		RunE: func(c *cobra.Command, args []string) error {
			w := buffered(c)
			defer w.Flush()
			passed, failed := 0, 0
			check := func(err error) {
				if err != nil {
					failed++
					fmt.Fprintln(w, export.Terminal(strings.ReplaceAll(err.Error(), "\n", "; ")))
					return
				}
				passed++
			}
			if len(args) == 0 {
				files, err := rulepack.Files(rulepack.Rules)
				if err != nil {
					return err
				}
				pack := rulepack.NewPack(rulepack.Rules)
				for _, f := range files {
					check(pack.Check(f))
				}
			}
			var others []fs.FS
			for _, dir := range more {
				if info, err := os.Stat(dir); err != nil || !info.IsDir() {
					return usagef("--rules %s: want a folder of rules", dir)
				}
				others = append(others, os.DirFS(dir))
			}
			others = append(others, rulepack.Rules)
			for _, arg := range args {
				info, err := os.Stat(arg)
				if err != nil {
					return usageError{err}
				}
				dir, files := filepath.Dir(arg), []string{filepath.Base(arg)}
				if info.IsDir() {
					dir = arg
					if files, err = rulepack.Files(os.DirFS(dir)); err != nil {
						return err
					}
				}
				dir, within := outermost(dir)
				for i := range files {
					files[i] = path.Join(within, files[i])
				}
				pack := rulepack.NewPack(os.DirFS(dir), others...)
				for _, f := range files {
					check(pack.Check(f))
				}
			}
			fmt.Fprintf(w, "%d passed, %d failed\n", passed, failed)
			if failed > 0 {
				return errSources
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&more, "rules", nil, "folders of rules that correlations refer to")
	return c
}

// outermost is the outermost folder that the path of a folder names, and the way
// from there; of a path from the root, or out of this folder, itself.
func outermost(dir string) (outer, within string) {
	dir = filepath.Clean(dir)
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, "..") {
		return dir, ""
	}
	outer, within, _ = strings.Cut(filepath.ToSlash(dir), "/")
	return outer, within
}
