package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
)

var _ = command(newStats)

// statsCommand is what was asked for, and where to.
type statsCommand struct {
	events  eventFlags
	by      []string
	value   string
	compare string
	top     int
	bottom  int
	output  string

	c     *cobra.Command
	st    store.Store
	query string
	w     io.Writer
	width int
}

func newStats() *cobra.Command {
	var s statsCommand
	c := &cobra.Command{
		Use:   "stats [PATH…]",
		Short: "Count, compare and test: distributions, cross tables, quantiles, what changed",
		Long: `Describe records with numbers. Without --by, every field that tells something: how
often it is there, how many different values, how even they are, the most frequent.
--by FIELD counts its values, with 95% intervals; --by A,B makes a table of two fields
and says which values go together more than chance explains; --value FIELD sums up
numbers, for each value of --by. --compare says what changed between two periods: new,
gone, more and less frequent values, with an effect size and a probability that knows
that log records come in bursts.

The records are those of a case, or those of logs under a PATH.`,
		Example: `  sextant stats --case case
  sextant stats --case case --by source.ip --where 'event.outcome:failure' --top 20
  sextant stats --by user.name --bottom 20 auth.log
  sextant stats --by source.ip,event.outcome access.log
  sextant stats --value http.response.body.bytes --by url.path access.log
  sextant stats --case case --compare 7d
  sextant stats --case case --compare 2026-03-01..2026-03-07/2026-03-08..2026-03-14 -o jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", s.output, "table", "jsonl", "csv"); err != nil {
				return err
			}
			if len(s.by) > 2 && s.compare == "" || len(s.by) > 1 && s.value != "" {
				return usagef("--by %s: too many fields; want one, or two for a table of both", strings.Join(s.by, ","))
			}
			if s.compare != "" && s.value != "" {
				return usagef("--compare with --value: name the field with --by, numbers are compared as such")
			}
			if s.top < 0 || s.bottom < 0 || s.top > 100_000 || s.bottom > 100_000 {
				return usagef("--top and --bottom: want a number from 0 to 100,000")
			}
			q, err := s.events.query()
			if err != nil {
				return err
			}
			st, done, err := s.events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			w := buffered(c)
			s.c, s.st, s.query, s.w, s.width = c, st, q, w, width(c.OutOrStdout())
			switch {
			case s.compare != "":
				err = s.comparison()
			case s.value != "":
				err = s.numbers()
			case len(s.by) == 2:
				err = s.cross()
			case len(s.by) == 1:
				err = s.counts()
			default:
				err = s.profile()
			}
			if e := w.Flush(); err == nil {
				err = e
			}
			return err
		},
	}
	c.Flags().StringSliceVar(&s.by, "by", nil, "count by this field, or by these two; with --compare, compare only these")
	c.Flags().StringVar(&s.value, "value", "", "sum up the numbers in this field")
	c.Flags().StringVar(&s.compare, "compare", "", "two periods, BEFORE/AFTER, each FROM..TO; one: it and the same length before; 7d, 24h: the last so long and the one before")
	c.Flags().IntVarP(&s.top, "top", "n", 20, "show so many of the most frequent values, or of the greatest changes")
	c.Flags().IntVar(&s.bottom, "bottom", 0, "show so many of the rarest values instead")
	c.Flags().StringVarP(&s.output, "output", "o", "table", "output format: table, jsonl, csv")
	s.events.register(c)
	return c
}

func (s *statsCommand) write(rows [][]export.Cell) error {
	if len(rows) == 0 && s.output != "table" {
		nothing(s.c)
	}
	return export.WriteCells(s.w, s.output, rows, s.width)
}

// nothing says that what goes to a program is empty, and that this is no mistake.
func nothing(c *cobra.Command) {
	fmt.Fprintln(c.ErrOrStderr(), "There is nothing to write: no record tells of it.")
}

// say prints a sentence below a table; programs get the numbers only.
func (s *statsCommand) say(format string, args ...any) {
	if s.output == "table" {
		(&answers{w: s.w, width: min(s.width, 100)}).say("", fmt.Sprintf(format, args...))
	}
}

// point prints a sentence as one of a list.
func (s *statsCommand) point(text string) { writePoint(s.w, text, min(s.width, 100)) }

// writePoint prints a sentence as one of a list, wrapped and indented.
func writePoint(w io.Writer, text string, width int) {
	var b strings.Builder
	(&answers{w: &b, width: width - 2}).say("", text)
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		fmt.Fprintln(w, []string{"- ", "  "}[min(i, 1)]+line)
	}
}

// wideTable is the width from which tables have room for more columns.
const wideTable = 120

func stampOf(ns int64) string {
	if ns == event.NoTime {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

// shortStamp is a time for people, to the second.
func shortStamp(ns int64) string {
	if ns == event.NoTime {
		return ""
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05")
}

func interval(low, high float64) string {
	a, b := statistics.Percent(low), statistics.Percent(high)
	for digits := 1; a == b && low < high && digits <= 3; digits++ { // of many records an interval is narrow
		a, b = fmt.Sprintf("%.*f%%", digits, 100*low), fmt.Sprintf("%.*f%%", digits, 100*high)
	}
	return strings.TrimSuffix(a, "%") + "–" + b
}

func (s *statsCommand) counts() error {
	field := s.by[0]
	d, err := statistics.Count(s.c.Context(), s.st, s.query, field, max(s.top, 1), s.bottom)
	if err != nil {
		return err
	}
	values := d.Top[:min(len(d.Top), s.top)]
	if s.bottom > 0 {
		values = d.Bottom
	}
	hours := 0.0
	if d.First != event.NoTime {
		hours = time.Duration(d.Last - d.First).Hours()
	}
	var rows [][]export.Cell
	for _, v := range values {
		share, low, high := statistics.Share(v.Count, d.With)
		row := []export.Cell{{Name: field, Value: v.Value}, {Name: "records", Value: v.Count},
			{Name: "share", Value: share, Text: statistics.Percent(share)}, {Name: "95% interval", Text: interval(low, high)},
			{Name: "share_low", Value: low, Text: "-"}, {Name: "share_high", Value: high, Text: "-"}}
		if hours > 0 {
			rate, low, high := statistics.Rate(v.Count, hours)
			text := export.Figure(rate)
			if s.width >= wideTable {
				text += " (" + export.Figure(low) + "–" + export.Figure(high) + ")"
			}
			row = append(row, export.Cell{Name: "per hour", Text: text},
				export.Cell{Name: "per_hour", Value: rate, Text: "-"}, export.Cell{Name: "per_hour_low", Value: low, Text: "-"}, export.Cell{Name: "per_hour_high", Value: high, Text: "-"})
		}
		first, last := orDash(shortStamp(v.First)), orDash(shortStamp(v.Last))
		if s.width < wideTable {
			first, last = "-", "-"
		}
		row = append(row, export.Cell{Name: "first", Value: stampOf(v.First), Text: first}, export.Cell{Name: "last", Value: stampOf(v.Last), Text: last})
		rows = append(rows, row)
	}
	if err := s.write(rows); err != nil {
		return err
	}
	switch {
	case d.Events == 0:
		s.say("No record is found.")
		return nil
	case d.With == 0:
		s.say("No record of %s has the field %s.", prose.Number(d.Events), field)
		return nil
	}
	s.say("")
	have := "have"
	if d.Events == 1 {
		have = "has"
	}
	text := fmt.Sprintf("%s of %s %s %s: %s, %s of them once. ", prose.Number(min(d.With, d.Events)), prose.Count(d.Events, "record"), have, field, prose.Count(d.Distinct, "different value"), prose.Number(d.Once))
	text += fmt.Sprintf("Entropy %.2f bits", d.Entropy)
	if d.Distinct > 1 {
		text += fmt.Sprintf(", %s of what it could be", statistics.Percent(d.Evenness()))
	}
	text += "."
	if hours > 0 {
		text += fmt.Sprintf(" Over %s; the intervals take records to be independent, those of bursty logs are wider.", lasting(time.Duration(d.Last-d.First)))
	} else if d.First != event.NoTime {
		text += " All are of one moment, so there is no rate."
	}
	s.say("%s", text)
	return nil
}

// without says how many of some records have no time, if any.
func without(untimed int64) string {
	if untimed == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s without a time)", prose.Number(untimed))
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// lasting is a duration in the two units that matter.
func lasting(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d >= 2*365*day:
		return fmt.Sprintf("%.1f years", d.Hours()/24/365.25)
	case d >= 14*day:
		return prose.Count(int64(d/day), "day")
	case d >= day:
		return fmt.Sprintf("%s %d h", prose.Count(int64(d/day), "day"), d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return d.Round(time.Millisecond).String()
}

func (s *statsCommand) profile() error {
	events, untimed, first, last, err := statistics.Extent(s.c.Context(), s.st, s.query)
	if err != nil {
		return err
	}
	var rows [][]export.Cell
	for _, field := range statistics.DefaultFields {
		d, err := statistics.Count(s.c.Context(), s.st, s.query, field, 1, 0)
		if err != nil {
			return err
		}
		if d.With == 0 {
			continue
		}
		filled, _, _ := statistics.Share(min(d.With, events), events)
		most, _, _ := statistics.Share(d.Top[0].Count, d.With)
		rows = append(rows, []export.Cell{{Name: "field", Value: field}, {Name: "records", Value: d.With}, {Name: "filled", Value: filled, Text: statistics.Percent(filled)},
			{Name: "distinct", Value: d.Distinct}, {Name: "once", Value: d.Once, Text: "-"}, {Name: "entropy", Value: math.Round(d.Entropy*1e4) / 1e4, Text: fmt.Sprintf("%.2f", d.Entropy)},
			{Name: "top", Value: d.Top[0].Value}, {Name: "top share", Value: most, Text: statistics.Percent(most)}})
	}
	if err := s.write(rows); err != nil {
		return err
	}
	if events == 0 {
		s.say("No record is found.")
		return nil
	}
	s.say("")
	text := prose.Count(events, "record") + without(untimed)
	if first == event.NoTime {
		text = prose.Count(events, "record")
		s.say("%s, none with a time.", text)
		return nil
	}
	text += fmt.Sprintf(", %s to %s UTC", shortStamp(first), shortStamp(last))
	if hours := time.Duration(last - first).Hours(); hours > 0 {
		unit := "an hour"
		if float64(events)/hours < 0.01 {
			hours, unit = hours/24/365.25, "a year"
		}
		rate, low, high := statistics.Rate(events, hours)
		text += fmt.Sprintf(" (%s): %s %s (95%% interval %s–%s if records were independent)", lasting(time.Duration(last-first)), export.Figure(rate), unit, export.Figure(low), export.Figure(high))
	}
	s.say("%s. Entropy in bits: 0 where all records have the same value.", text)
	return nil
}

func (s *statsCommand) numbers() error {
	groups := []string{""}
	queries := []string{s.query}
	if len(s.by) == 1 {
		d, err := statistics.Count(s.c.Context(), s.st, s.query+fmt.Sprintf(" | filter %q:*", s.value), s.by[0], s.top, 0)
		if err != nil {
			return err
		}
		groups, queries = nil, nil
		for _, v := range d.Top {
			groups = append(groups, v.Value)
			queries = append(queries, s.query+fmt.Sprintf(" | filter %q:=%q", s.by[0], v.Value))
		}
	}
	var rows [][]export.Cell
	var notOnes int64
	rounded := false
	for i, q := range queries {
		n, err := statistics.CountNumbers(s.c.Context(), s.st, q, s.value)
		if err != nil {
			return err
		}
		notOnes += n.NotOnes
		rounded = rounded || n.Rounded
		if n.N == 0 {
			continue
		}
		mean, deviation := n.Mean()
		name := export.Cell{Name: "field", Value: s.value}
		if len(s.by) == 1 {
			name = export.Cell{Name: s.by[0], Value: groups[i]}
		}
		row := []export.Cell{name, {Name: "n", Value: n.N}, {Name: "min", Value: n.Values[0]}}
		for _, p := range []float64{0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
			c := export.Cell{Name: fmt.Sprintf("p%.0f", 100*p), Value: n.Quantile(p)}
			if p == 0.05 || p == 0.99 && s.width < 100 {
				c.Text = "-"
			}
			row = append(row, c)
		}
		row = append(row, export.Cell{Name: "max", Value: n.Values[len(n.Values)-1]}, export.Cell{Name: "mean", Value: mean},
			export.Cell{Name: "sd", Value: deviation}, export.Cell{Name: "sum", Value: n.Sum(), Text: "-"})
		rows = append(rows, row)
	}
	if err := s.write(rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		s.say("No record has a number in the field %s.", s.value)
		return nil
	}
	s.say("")
	if notOnes > 0 {
		s.say("%s of %s no number and left out.", prose.Count(notOnes, "value"), isAre(notOnes))
	}
	if rounded {
		s.say("There are so many different numbers that they were rounded to three digits: each is at most 0.5%% off, and so are quantiles and means.")
	}
	s.say("p50 is the median: half of the numbers are not above it; sd the standard deviation.")
	return nil
}

func isAre(n int64) string {
	if n == 1 {
		return "them is"
	}
	return "them are"
}

func (s *statsCommand) cross() error {
	rows, cols := s.top, 6
	if s.output != "table" {
		cols = s.top
	}
	t, err := statistics.Cross(s.c.Context(), s.st, s.query, s.by[0], s.by[1], max(rows, 1), max(cols, 1))
	if err != nil {
		return err
	}
	if s.output != "table" {
		var out [][]export.Cell
		for r := range t.Rows {
			for c := range t.Cols {
				out = append(out, []export.Cell{{Name: t.Fields[0], Value: t.Rows[r]}, {Name: t.Fields[1], Value: t.Cols[c]}, {Name: "records", Value: t.Counts[r][c]},
					{Name: "expected", Value: t.Expected(r, c)}, {Name: "residual", Value: t.Residual(r, c)}})
			}
		}
		return s.write(out)
	}
	if t.N == 0 {
		s.say("No record has both %s and %s.", s.by[0], s.by[1])
		return nil
	}
	// A quarter of the line for the rows' names, and some for the sums.
	room := max(6, min(18, (s.width*3/4-10)/len(t.Cols)-2))
	var out [][]export.Cell
	for r := range t.Rows {
		row := []export.Cell{{Name: t.Fields[0], Value: t.Rows[r]}}
		for c := range t.Cols {
			mark := " "
			switch t.Stands(r, c) {
			case 1:
				mark = "+"
			case -1:
				mark = "−"
			}
			row = append(row, export.Cell{Name: chart.Fit(export.Terminal(t.Cols[c]), room), Value: t.Counts[r][c], Text: prose.Number(t.Counts[r][c]) + mark})
		}
		out = append(out, append(row, export.Cell{Name: "sum", Value: t.RowSums[r]}))
	}
	if err := s.write(out); err != nil {
		return err
	}
	s.say("")
	s.say("%s against %s in %s. + and −: more, fewer than if they had nothing to do with each other (less likely than 4 standard deviations).", t.Fields[0], t.Fields[1], prose.Count(t.N, "record"))
	how := "weakly"
	switch {
	case t.CramersV >= 0.5:
		how = "strongly"
	case t.CramersV >= 0.2:
		how = "moderately"
	}
	if t.Freedom == 0 {
		s.say("One of them has a single value, so there is nothing to test.")
		return nil
	}
	s.say("They go together %s: Cramér's V %.2f (chi-square %s, %.0f degrees of freedom, %s if records were independent).", how, t.CramersV, export.Figure(t.ChiSquare), t.Freedom, pValue(t.P))
	if small, cells, rough := t.Small(); rough {
		s.say("%d of %d cells would have fewer than 5 records by chance: V and p are rough, the marks are not; --top tells fewer values apart.", small, cells)
	}
	return nil
}

func pValue(p float64) string {
	if p < 0.0001 {
		return "p < .0001"
	}
	return fmt.Sprintf("p = %.4f", p)
}

func (s *statsCommand) comparison() error {
	_, first, last, err := statistics.Span(s.c.Context(), s.st, s.query)
	if err != nil {
		return err
	}
	if first == event.NoTime {
		return fmt.Errorf("there is nothing to compare: no record that is asked for has a time")
	}
	before, after, err := parsePeriods(s.compare, last)
	if err != nil {
		return err
	}
	// Where records begin within the first period, the time before is no silence: nothing is known of it.
	covered := ""
	if before.From < first && first < before.To {
		covered = fmt.Sprintf("Records begin at %s only, %s into the period before.", shortStamp(first), lasting(time.Duration(first-before.From)))
		if !strings.Contains(s.compare, "/") {
			before.From = first
			covered = fmt.Sprintf("Records begin at %s, so the period before is of %s only; what is compared are shares, and numbers for each hour.", shortStamp(first), lasting(time.Duration(before.To-first)))
		}
	}
	var fields []string
	if len(s.by) > 0 {
		fields = s.by
	}
	cmp, err := statistics.Compare(s.c.Context(), s.st, s.query, before, after, fields)
	if err != nil {
		return err
	}
	if s.output != "table" {
		var rows [][]export.Cell
		for _, ch := range cmp.Changes {
			rows = append(rows, []export.Cell{{Name: "field", Value: ch.Field}, {Name: "value", Value: ch.Value}, {Name: "before", Value: ch.Before}, {Name: "after", Value: ch.After},
				{Name: "share_before", Value: ch.ShareBefore}, {Name: "share_after", Value: ch.ShareAfter}, {Name: "blocks_before", Value: ch.BlocksBefore}, {Name: "blocks_after", Value: ch.BlocksAfter},
				{Name: "divergence_bits", Value: ch.Bits}, {Name: "p", Value: ch.P}, {Name: "q", Value: ch.Q}, {Name: "significant", Value: ch.Significant()}, {Name: "sentence", Value: ch.Sentence(cmp)}})
		}
		return s.write(rows)
	}
	s.say("Before: %s to %s. After: %s to %s (UTC).", shortStamp(before.From), shortStamp(before.To), shortStamp(after.From), shortStamp(after.To))
	s.say("%s", covered)
	s.say("%s", cmp.Volume())
	if cmp.EventsBefore == 0 || cmp.EventsAfter == 0 {
		return nil
	}
	var sure, burst []statistics.Change
	others := 0
	for _, ch := range cmp.Changes {
		if ch.OfTheOthers(cmp) {
			others++
		} else if ch.Significant() {
			sure = append(sure, ch)
		} else if ch.Bits >= 0.002 && ch.Before+ch.After >= 20 {
			burst = append(burst, ch)
		}
	}
	list := func(title string, of []statistics.Change) {
		if len(of) == 0 {
			return
		}
		s.say("")
		s.say("%s", title)
		for _, ch := range of[:min(len(of), s.top)] {
			s.point(ch.Sentence(cmp))
		}
		if more := len(of) - s.top; more > 0 {
			s.say("… and %d more; --top shows more, -o jsonl all.", more)
		}
	}
	list("Changed, the largest first:", sure)
	if news := cmp.News(); len(news) > 0 {
		s.say("")
		s.say("In one of the periods only, first where values seldom change:")
		for _, text := range news[:min(len(news), s.top)] {
			s.point(text)
		}
	}
	list("Large, but in too few stretches of time to call it a change (bursts):", burst)
	var wholes []string
	for _, f := range cmp.Fields {
		if f.Significant() {
			wholes = append(wholes, f.Sentence())
		}
	}
	if len(wholes) > 0 {
		s.say("")
		s.say("Fields as a whole:")
		for _, text := range wholes {
			s.point(text)
		}
	}
	s.say("")
	if len(sure) == 0 {
		s.say("No value's share changed by more than chance explains.")
	}
	if others > 0 {
		s.say("Left out: %s about as frequent as before, of another share only since others came or went; -o jsonl has them.", prose.Count(int64(others), "value"))
	}
	s.say("%s tried in %s. q is the share of false alarms to expect among changes, corrected within each field and for the number of fields (Benjamini–Bogomolov); probabilities rest on how shares differ between stretches of time, not between records.",
		prose.Count(int64(cmp.Tests), "value"), prose.Count(int64(len(cmp.Fields)), "field"))
	return nil
}

// parsePeriods reads --compare. last is the time of the last record.
func parsePeriods(text string, last int64) (before, after statistics.Period, err error) {
	wrong := func() error {
		return usagef("--compare %q: want FROM..TO/FROM..TO, FROM..TO, or how long: 7d, 24h", text)
	}
	if length, ok := parseLength(text); ok {
		after = statistics.Period{From: last + 1 - int64(length), To: last + 1}
		return statistics.Period{From: after.From - int64(length), To: after.From}, after, nil
	}
	a, b, two := strings.Cut(text, "/")
	if !two {
		if after, err = parsePeriod(a); err != nil {
			return before, after, wrong()
		}
		return statistics.Period{From: 2*after.From - after.To, To: after.From}, after, nil
	}
	before, err = parsePeriod(a)
	if err == nil {
		after, err = parsePeriod(b)
	}
	if err != nil {
		return before, after, wrong()
	}
	if before.From < after.To && after.From < before.To {
		return before, after, usagef("--compare %q: the periods overlap", text)
	}
	return before, after, nil
}

// parsePeriod reads FROM..TO; a TO that is a day is included.
func parsePeriod(text string) (p statistics.Period, err error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		from, to = text, text // a day
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return p, usagef("%q is no period", text)
		}
	}
	if p.From, err = parseTime("--compare", from); err != nil {
		return p, err
	}
	if p.To, err = parseTime("--compare", to); err != nil {
		return p, err
	}
	if _, err := time.Parse(time.DateOnly, to); err == nil {
		p.To += int64(24 * time.Hour)
	}
	if p.From >= p.To || from == "" || to == "" {
		return p, usagef("%q is no period", text)
	}
	return p, nil
}

// parseLength reads 7d, 2w, or what time.ParseDuration knows.
func parseLength(s string) (time.Duration, bool) {
	day := 24 * time.Hour
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			if d, err := time.ParseDuration(n + "h"); err == nil && d > 0 && d < 1e6*time.Hour {
				return time.Duration(d.Hours() * float64(unit)), true
			}
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
