package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/store"
)

// eventFlags are the flags of every command that asks questions of many
// events: those of a case, or of logs that are named and belong to none.
type eventFlags struct {
	read       readFlags
	caseDir    string
	where      string
	from, to   string
	host, user string
	server     serverFlags
}

func (f *eventFlags) register(c *cobra.Command) {
	c.Flags().StringVarP(&f.caseDir, "case", "c", "case", "case directory, where no PATH is given")
	f.selection(c)
	f.read.register(c)
}

// queryer is what answers a query.
type queryer interface {
	Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error
}

// selection registers the flags that say which records are meant.
func (f *eventFlags) selection(c *cobra.Command) {
	c.Flags().StringVar(&f.where, "where", "", "only records that this LogsQL query finds: 'event.outcome:failure'")
	c.Flags().StringVar(&f.from, "from", "", "only records from this time on: 2026-03-01 or 2026-03-01T12:00:00Z")
	c.Flags().StringVar(&f.to, "to", "", "only records before this time")
	c.Flags().StringVar(&f.host, "host", "", "only records of this host.name")
	c.Flags().StringVar(&f.user, "user", "", "only records that name this user")
	f.server.register(c)
}

// query is the query for the records that the flags ask for.
func (f *eventFlags) query() (string, error) {
	from, err := parseTime("--from", f.from)
	if err != nil {
		return "", err
	}
	to, err := parseTime("--to", f.to)
	if err != nil {
		return "", err
	}
	var conditions []string
	stamp := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	if from != 0 && to != 0 && from >= to {
		return "", usagef("--from %s is not before --to %s", f.from, f.to)
	}
	if f.from != "" {
		conditions = append(conditions, "_time:>="+stamp(from))
	}
	if f.to != "" {
		conditions = append(conditions, "_time:<"+stamp(to))
	}
	if f.host != "" {
		conditions = append(conditions, "host.name:="+strconv.Quote(f.host))
	}
	if f.user != "" {
		u := strconv.Quote(f.user)
		conditions = append(conditions, "(user.name:="+u+" or related.user:="+u+" or related.user:json_array_contains_any("+u+"))")
	}
	condition := strings.Join(conditions, " ")
	if condition == "" {
		condition = "*"
	}
	q, err := store.Narrowed(f.where, condition)
	if err != nil {
		return "", usagef("--where: %w", err)
	}
	return q, nil
}

// open returns the store to ask and what to do with it in the end: the case's,
// or a passing one of the logs under the paths.
func (f *eventFlags) open(c *cobra.Command, paths []string) (store.Store, func(), error) {
	if len(paths) == 0 {
		st, err := f.server.open(c.Context(), f.caseDir)
		if err != nil {
			return nil, nil, err
		}
		st = watch(st, c.OutOrStdout(), c.ErrOrStderr())
		return st, func() { st.Close() }, nil
	}
	if c.Flags().Changed("case") {
		return nil, nil, usagef("give --case or a PATH, not both")
	}
	if c.Flags().Changed("server") {
		return nil, nil, usagef("give --server or a PATH, not both")
	}
	opt, err := f.read.options(paths)
	if err != nil {
		return nil, nil, err
	}
	stderr := c.ErrOrStderr()
	bar := newProgress(stderr)
	opt.Progress = bar.report
	dir, err := os.MkdirTemp("", "sextant-")
	if err != nil {
		return nil, nil, err
	}
	st, plan, err := pipeline.Load(c.Context(), opt, dir)
	bar.clear()
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	problems := plan.Problems
	records := int64(0)
	for _, l := range plan.Logs {
		problems = append(problems, l.Problems...)
		records += l.Account.Records
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, export.Terminal(p))
	}
	shown := watch(st, c.OutOrStdout(), stderr)
	done := func() {
		shown.Close()
		os.RemoveAll(dir)
	}
	if records == 0 && (plan.Unread || len(problems) > 0) {
		done()
		return nil, nil, errSources
	}
	return shown, done, nil
}
