package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

var _ = command(newPatterns)

func newPatterns() *cobra.Command {
	var events eventFlags
	var output, sort, since, id, parameter string
	var raw, isNew, gone bool
	var limit int
	c := &cobra.Command{
		Use:   "patterns [PATH…]",
		Short: "The kinds of messages: what they say, how often, which are rare, new or gone",
		Long: `Mine the templates of messages: what a kind of message always says, with <*> for
what differs. Of the logs under the paths, or of the records of a case; each
record of a case has its template's id in the field log.pattern.id.

With --raw, each line of the input is a message as it stands; -o csv then prints
a row for each line in order, with the template as all lines together show it.`,
		Example: `  sextant patterns /var/log/syslog
  sextant patterns --sort rare                       # of the case in ./case
  sextant patterns --new --since 24h                 # kinds that came up on the last day
  sextant patterns --gone --since 2026-03-01
  sextant patterns --where 'host.name:=web1'
  sextant patterns --id 4f0c9d2a1b77                 # the values of one template's variables
  sextant patterns --parameter ip=192.0.2.7          # the records in which a variable is this
  sextant patterns --parameter 'number>100000' --id 4f0c9d2a1b77
  sextant patterns --raw -o csv messages.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case isNew && gone:
				return usagef("--new or --gone, not both")
			case (isNew || gone) == (since == ""):
				return usagef("--since says since when for --new and --gone, and they need it")
			}
			if err := oneOf("-o", output, export.Formats...); err != nil {
				return err
			}
			if err := oneOf("--sort", sort, "count", "rare", "first", "last"); err != nil {
				return err
			}
			w := buffered(c)
			defer w.Flush()
			options := export.Options{}
			if out := c.OutOrStdout(); isTerminal(out) {
				options.Width = width(out)
			}
			if raw {
				if len(args) == 0 {
					return usagef("--raw reads lines: give a PATH, or - for standard input")
				}
				if isNew || gone || id != "" || parameter != "" {
					return usagef("lines have no times and are in no case: --raw goes with none of --new, --gone, --id and --parameter")
				}
				opt, err := events.read.options(args)
				if err != nil {
					return err
				}
				return rawPatterns(c, opt, output, options, sort, limit, w)
			}
			var wanted patterns.Parameter
			if parameter != "" {
				var err error
				if wanted, err = patterns.ParseParameter(parameter); err != nil {
					return usagef("--parameter %w", err)
				}
			}
			filter, err := events.query()
			if err != nil {
				return err
			}
			st, done, err := events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			miner, err := minerOf(c.Context(), st, events.caseDir)
			if err != nil {
				return err
			}
			found, err := patterns.Count(c.Context(), st, miner, filter)
			if err != nil {
				return err
			}
			if parameter != "" {
				return patternRecords(c, st, found, wanted, id, filter, output, options, limit, w)
			}
			if id != "" {
				return patternValues(c.Context(), st, found, id, filter, output, options, limit, w)
			}
			total := int64(0)
			for _, p := range found {
				total += p.Count
			}
			var at int64
			if isNew || gone {
				if at, err = sinceTime(since, found); err != nil {
					return err
				}
				found = slices.DeleteFunc(found, func(p patterns.Pattern) bool {
					return p.First == event.NoTime || isNew && p.First < at || gone && p.Last >= at
				})
			}
			if len(found) == 0 && output != "table" {
				nothing(c)
			}
			if len(found) == 0 && output == "table" {
				switch {
				case total == 0:
					fmt.Fprintln(w, "No record is of any pattern.")
				case isNew:
					fmt.Fprintf(w, "No pattern is new: all were there before %s.\n", shortStamp(at))
				default:
					fmt.Fprintf(w, "No pattern is gone: all were seen from %s on.\n", shortStamp(at))
				}
				return nil
			}
			sortPatterns(found, sort)
			rest := len(found)
			if limit > 0 && len(found) > limit {
				found = found[:limit]
			}
			rest -= len(found)
			if err := writePatterns(c.Context(), st, found, total, isNew || gone || sort == "first" || sort == "last", output, options, w); err != nil {
				return err
			}
			if rest > 0 {
				fmt.Fprintf(c.ErrOrStderr(), "%s more; --limit 0 shows all\n", prose.Count(int64(rest), "pattern"))
			}
			return nil
		},
	}
	events.register(c)
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl, csv, parquet")
	c.Flags().BoolVar(&raw, "raw", false, "every line is one message, with no header")
	c.Flags().StringVar(&sort, "sort", "count", "order: count, rare (fewest first), first or last (latest seen first)")
	c.Flags().IntVarP(&limit, "limit", "n", 50, "at most so many patterns, or values; 0: all")
	c.Flags().BoolVar(&isNew, "new", false, "only patterns first seen since --since")
	c.Flags().BoolVar(&gone, "gone", false, "only patterns last seen before --since")
	c.Flags().StringVar(&since, "since", "", "a time such as 2026-03-01, or how long before the last record: 24h, 7d")
	c.Flags().StringVar(&id, "id", "", "show the values of the variables of the template with this id")
	c.Flags().StringVar(&parameter, "parameter", "", "show the records with this value of a variable: TYPE=VALUE, number>1000, or 2=VALUE for the second variable")
	return c
}

// minerOf returns what is known of the kinds of messages where a store is: of the
// server that it asks, or of its case.
func minerOf(ctx context.Context, st store.Store, dir string) (*logpattern.Miner, error) {
	if s, ok := st.(interface {
		Patterns(context.Context) (*logpattern.Miner, error)
	}); ok {
		return s.Patterns(ctx)
	}
	return patterns.Load(dirOf(st, dir))
}

// sinceTime reads a time, or a duration before the last record.
func sinceTime(s string, found []patterns.Pattern) (int64, error) {
	days, isDays := strings.CutSuffix(s, "d")
	ago, err := time.ParseDuration(s)
	if n, e := strconv.Atoi(days); isDays && e == nil && 0 <= n && n < 100_000 {
		ago, err = time.Duration(n)*24*time.Hour, nil
	}
	if err != nil {
		return parseTime("--since", s)
	}
	last := int64(event.NoTime)
	for _, p := range found {
		last = max(last, p.Last)
	}
	return last - int64(ago), nil
}

func sortPatterns(ps []patterns.Pattern, order string) {
	slices.SortFunc(ps, func(a, b patterns.Pattern) int {
		c := 0
		switch order {
		case "count":
			c = cmp.Compare(b.Count, a.Count)
		case "rare":
			c = cmp.Compare(a.Count, b.Count)
		case "first":
			c = cmp.Compare(b.First, a.First)
		case "last":
			c = cmp.Compare(b.Last, a.Last)
		}
		return cmp.Or(c, cmp.Compare(a.Text, b.Text), cmp.Compare(a.ID, b.ID))
	})
}

// writePatterns writes a row for each pattern, with the first of its messages.
func writePatterns(ctx context.Context, st store.Store, ps []patterns.Pattern, total int64, dated bool, output string, options export.Options, out io.Writer) error {
	options.Columns = []string{"id", "count", "share", "first", "last", "template", "example"}
	if output == "table" { // what fits on a screen
		options.Columns = []string{"id", "count", "share", "template"}
		if dated {
			options.Columns = []string{"id", "count", "first", "last", "template"}
		}
	}
	w, err := export.New(out, output, options)
	if err != nil {
		return err
	}
	for _, p := range ps {
		example := ""
		if output == "table" {
			err := w.Write(patternRow(p, total, ""))
			if err != nil {
				return err
			}
			continue
		}
		q := p.Filter()
		if p.First != event.NoTime {
			q += " _time:=" + rfc3339(p.First)
		}
		q += " | sort by (event.id) | limit 1 | fields _msg"
		err := st.Query(ctx, q, func(row []event.Field) error {
			for _, f := range row {
				example = strings.Clone(f.Value[:min(len(f.Value), 500)])
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = w.Write(patternRow(p, total, example))
		if err != nil {
			return err
		}
	}
	return w.Close()
}

func patternRow(p patterns.Pattern, total int64, example string) []event.Field {
	return []event.Field{
		{Name: "id", Value: p.ID}, {Name: "count", Value: strconv.FormatInt(p.Count, 10)},
		{Name: "share", Value: fmt.Sprintf("%.2f%%", 100*float64(p.Count)/float64(max(total, 1)))},
		{Name: "first", Value: rfc3339(p.First)}, {Name: "last", Value: rfc3339(p.Last)},
		{Name: "template", Value: p.Text}, {Name: "example", Value: example}}
}

func rfc3339(ns int64) string {
	if ns == event.NoTime {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

// patternValues writes what stands for the variables of one template: for each, its
// most frequent values.
func patternValues(ctx context.Context, st store.Store, found []patterns.Pattern, id, filter, output string, options export.Options, limit int, out io.Writer) error {
	p, err := patternOf(found, id)
	if err != nil {
		return err
	}
	values, err := patterns.Values(ctx, st, p, filter)
	if err != nil {
		return err
	}
	if output == "table" {
		fmt.Fprintf(out, "%s\n%s of this pattern\n\n", export.Terminal(p.Text), prose.Count(p.Count, "record"))
	}
	options.Columns = []string{"variable", "type", "value", "count"}
	w, err := export.New(out, output, options)
	if err != nil {
		return err
	}
	for n, v := range values {
		for k, x := range v {
			if limit > 0 && k >= limit {
				break
			}
			err := w.Write([]event.Field{{Name: "variable", Value: strconv.Itoa(n + 1)}, {Name: "type", Value: logpattern.Type(x.Value)},
				{Name: "value", Value: x.Value}, {Name: "count", Value: strconv.FormatInt(x.Count, 10)}})
			if err != nil {
				return err
			}
		}
	}
	return w.Close()
}

// patternOf returns the pattern that has the id now or had it once.
func patternOf(found []patterns.Pattern, id string) (patterns.Pattern, error) {
	i := slices.IndexFunc(found, func(p patterns.Pattern) bool { return p.ID == id || slices.Contains(p.Aliases, id) })
	if i < 0 {
		return patterns.Pattern{}, fmt.Errorf("no record is of the pattern %q", id)
	}
	return found[i], nil
}

// patternRecords writes the records in which a variable has a value.
func patternRecords(c *cobra.Command, st store.Store, found []patterns.Pattern, wanted patterns.Parameter, id, filter, output string, options export.Options, limit int, out io.Writer) error {
	if id != "" {
		p, err := patternOf(found, id)
		if err != nil {
			return err
		}
		found = []patterns.Pattern{p}
	}
	options.Columns = []string{"_time", "event.id", patterns.Field, "variable", "type", "value", "message"}
	if output == "table" {
		options.Columns = []string{"_time", "variable", "value", "message"}
	}
	w, err := export.New(out, output, options)
	if err != nil {
		return err
	}
	n := 0
	err = patterns.Find(c.Context(), st, found, wanted, filter, func(row []event.Field) error {
		if n++; limit > 0 && n > limit {
			return nil
		}
		return w.Write(row)
	})
	if err != nil {
		return errors.Join(err, w.Discard())
	}
	if limit > 0 && n > limit {
		defer fmt.Fprintf(c.ErrOrStderr(), "%s more; --limit 0 shows all\n", prose.Count(int64(n-limit), "record"))
	}
	return w.Close()
}
