package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/plot"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/internal/timeline"
)

var _ = command(newTimeline)

// timelineCommand prints one timeline.
type timelineCommand struct {
	events eventFlags
	show   []string
	limit  int
	output string

	c     *cobra.Command
	st    store.Store
	query string
	w     *bufio.Writer
	width int
	a     answers
	day   string // how a day is written: with the year where there are several

	stretched     bool
	foundBursts   []timeline.Burst
	foundSilences []timeline.Silence
}

var timelineParts = []string{"overview", "bursts", "rhythms", "silence", "sessions", "processes", "flows", "events"}

func newTimeline() *cobra.Command {
	var t timelineCommand
	c := &cobra.Command{
		Use:   "timeline [PATH…]",
		Short: "All sources in one order: bursts, rhythms, silence, sessions, and the events themselves",
		Long: `Put the records of all sources in one order of time. First what a list does not show: how
many when, by hour and weekday and by day, bursts, what repeats at intervals, silences,
sessions from login to logout; then the events, those that repeat within a minute as one
line. --show chooses parts: ` + strings.Join(timelineParts, ", ") + `.

-o timesketch, csv and jsonl write all events for other programs.`,
		Example: `  sextant timeline --case case
  sextant timeline --case case --from 2026-03-02T08:00:00Z --to 2026-03-02T10:00:00Z --show events
  sextant timeline --user alice --show sessions,processes,events auth.log Security.evtx
  sextant timeline --case case -o timesketch > case.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", t.output, "text", "timesketch", "csv", "jsonl"); err != nil {
				return err
			}
			for _, s := range t.show {
				if err := oneOf("--show", s, timelineParts...); err != nil {
					return err
				}
			}
			if t.limit < 0 {
				return usagef("--limit %d: want 0, for all, or more", t.limit)
			}
			q, err := t.events.query()
			if err != nil {
				return err
			}
			st, done, err := t.events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			t.w = buffered(c)
			t.c, t.st, t.query, t.width = c, st, q, width(c.OutOrStdout())
			t.a = answers{w: t.w, width: min(t.width, 100)}
			if t.output == "text" {
				err = t.text()
			} else {
				var tags func(string) []string
				if len(args) == 0 {
					if tags, err = caseTags(t.events.caseDir); err != nil {
						return err
					}
				}
				err = exportRows(c, st, q, t.w, t.output, tags)
			}
			if e := t.w.Flush(); err == nil {
				err = e
			}
			return err
		},
	}
	c.Flags().StringSliceVar(&t.show, "show", []string{"overview", "bursts", "rhythms", "silence", "sessions", "events"}, "which parts")
	c.Flags().IntVarP(&t.limit, "limit", "n", 200, "at most so many events, and a tenth of it of the rest; 0 for all")
	c.Flags().StringVarP(&t.output, "output", "o", "text", "text, timesketch, csv or jsonl")
	t.events.register(c)
	return c
}

// few is how many of a list are shown.
func (t *timelineCommand) few() int {
	if t.limit == 0 {
		return 1 << 30
	}
	return max(5, t.limit/10)
}

func (t *timelineCommand) head(title string) {
	fmt.Fprintln(t.w)
	if useColour(t.c.OutOrStdout()) {
		fmt.Fprintf(t.w, "\x1b[1m%s\x1b[0m\n", title)
	} else {
		fmt.Fprintln(t.w, title)
	}
}

// list prints a sentence for each of n things, at most few.
func (t *timelineCommand) list(n int, sentence func(i int) string) {
	for i := range min(n, t.few()) {
		writePoint(t.w, sentence(i), t.a.width)
	}
	if more := n - t.few(); more > 0 {
		t.a.say("", fmt.Sprintf("… and %s more; --limit shows more.", prose.Number(int64(more))))
	}
}

func (t *timelineCommand) text() error {
	ctx := t.c.Context()
	events, untimed, first, last, err := statistics.Extent(ctx, t.st, t.query)
	if err != nil {
		return err
	}
	if events == 0 {
		t.a.say("", "No record is found.")
		return nil
	}
	t.day = "01-02"
	if first == event.NoTime {
		t.a.say("", fmt.Sprintf("%s, none with a time.", prose.Count(events, "record")))
	} else {
		if time.Unix(0, first).UTC().Year() != time.Unix(0, last).UTC().Year() {
			t.day = time.DateOnly
		}
		t.a.say("", fmt.Sprintf("%s%s from %s to %s UTC (%s).", prose.Count(events, "record"), without(untimed), shortStamp(first), shortStamp(last), lasting(time.Duration(last-first))))
	}
	parts := map[string]func() error{
		"overview": func() error { return t.overview(first, last) }, "bursts": func() error { return t.bursts(first, last) }, "rhythms": t.rhythms, "silence": func() error { return t.silence(first, last) },
		"sessions": t.sessions, "processes": t.processes, "flows": t.flows, "events": t.entries,
	}
	for _, name := range timelineParts {
		if slices.Contains(t.show, name) && (first != event.NoTime || name == "events") {
			if err := parts[name](); err != nil {
				return err
			}
		}
	}
	return nil
}

// overview draws how many records there are when.
func (t *timelineCommand) overview(first, last int64) error {
	ctx := t.c.Context()
	opt := chart.Options{Columns: min(t.width, 120), Colour: useColour(t.c.OutOrStdout()), ASCII: asciiLocale()}
	draw := func(c chart.Chart) error {
		fmt.Fprintln(t.w)
		return chart.Terminal(t.w, chart.Figure{Panels: []chart.Chart{c}}, opt)
	}
	over, err := plot.Draw(ctx, t.st, plot.Request{Kind: "area", Query: t.query, By: []string{"event.dataset"}})
	if err == nil {
		err = draw(over)
	}
	if err != nil {
		return err
	}
	span := time.Duration(last - first)
	if span >= 48*time.Hour {
		hours, err := plot.Draw(ctx, t.st, plot.Request{Kind: "heatmap", Query: t.query})
		if err == nil {
			err = draw(hours)
		}
		if err != nil {
			return err
		}
	}
	if span >= 14*24*time.Hour {
		days, err := plot.Draw(ctx, t.st, plot.Request{Kind: "calendar", Query: t.query})
		if err != nil {
			return err
		}
		return draw(days)
	}
	return nil
}

func (t *timelineCommand) bursts(first, last int64) error {
	bursts, _, err := t.stretches(first, last)
	if err != nil || len(bursts) == 0 {
		return err
	}
	t.head("Bursts")
	t.list(len(bursts), func(i int) string { return bursts[i].Sentence() })
	return nil
}

// stretches are read once for both parts that tell of them.
func (t *timelineCommand) stretches(first, last int64) ([]timeline.Burst, []timeline.Silence, error) {
	var err error
	if !t.stretched {
		t.foundBursts, t.foundSilences, err = timeline.Stretches(t.c.Context(), t.st, t.query, first, last)
		t.stretched = err == nil
	}
	return t.foundBursts, t.foundSilences, err
}

func (t *timelineCommand) rhythms() error {
	all, err := timeline.Rhythms(t.c.Context(), t.st, t.query)
	if err != nil || len(all) == 0 {
		return err
	}
	t.head("What repeats at intervals")
	t.list(len(all), func(i int) string { return all[i].Sentence() })
	return nil
}

func (t *timelineCommand) silence(first, last int64) error {
	_, all, err := t.stretches(first, last)
	if err != nil || len(all) == 0 {
		return err
	}
	t.head("Silences")
	t.list(len(all), func(i int) string { return all[i].Sentence() })
	return nil
}

func (t *timelineCommand) sessions() error {
	condition, err := t.sessionFilter()
	if err != nil {
		return err
	}
	all, err := analyze.ReadSessions(t.c.Context(), t.st, condition)
	if err != nil {
		return err
	}
	from, _ := parseTime("--from", t.events.from)
	to, _ := parseTime("--to", t.events.to)
	sessions := slices.DeleteFunc(all.All, func(s analyze.Session) bool {
		return t.events.from != "" && s.To != event.NoTime && s.To < from || t.events.to != "" && s.From >= to || s.Kind == "windows logon" && strings.HasSuffix(s.User, "$")
	})
	if len(sessions) == 0 {
		return nil
	}
	groups := timeline.GroupSessions(sessions)
	t.head(fmt.Sprintf("Sessions (%s)", prose.Number(int64(len(sessions)))))
	t.list(len(groups), func(i int) string { return groups[i].Sentence() })
	return nil
}

// sessionFilter is what narrows sessions: not the time, which would cut them.
func (t *timelineCommand) sessionFilter() (string, error) {
	f := t.events
	f.from, f.to = "", ""
	q, err := f.query()
	if err != nil || q == "*" {
		return "", err
	}
	filter, pipes, err := store.Split(q)
	return strings.Join(append([]string{filter}, pipes...), " | "), err
}

func (t *timelineCommand) processes() error {
	all, err := timeline.ReadProcesses(t.c.Context(), t.st, t.query)
	if err != nil || len(all.Roots) == 0 {
		return err
	}
	t.head("Process trees")
	lines, most := 0, max(t.limit, t.few())
	all.Walk(func(p *timeline.Process, depth, times int) {
		if lines++; t.limit > 0 && lines > most {
			return
		}
		when := strings.Repeat(" ", len(t.day)+len(" 15:04:05 "))
		if p.Started != event.NoTime {
			when = time.Unix(0, p.Started).UTC().Format(t.day + " 15:04:05 ")
		}
		text := strings.Repeat("  ", depth) + p.Command
		if depth == 0 {
			text = p.Host + " " + text
		}
		if times > 1 {
			text += fmt.Sprintf(" (× %d)", times)
		}
		fmt.Fprintln(t.w, when+chart.Fit(export.Terminal(text), t.width-len(when)))
	})
	if t.limit > 0 && lines > most {
		t.a.say("", fmt.Sprintf("… and %s more.", prose.Number(int64(lines-most))))
	}
	return nil
}

func (t *timelineCommand) flows() error {
	all, err := timeline.Flows(t.c.Context(), t.st, t.query, min(t.few(), 1000))
	if err != nil || len(all) == 0 {
		return err
	}
	t.head("Flows of connections, most bytes first")
	var rows [][]export.Cell
	for _, f := range all {
		when := shortSpan(f.First, f.Last)
		if t.width > 0 && t.width < 100 { // addresses first
			if when = time.Unix(0, f.First).UTC().Format(t.day); f.Last-f.First >= int64(24*time.Hour) {
				when += "–" + time.Unix(0, f.Last).UTC().Format(t.day)
			}
		}
		rows = append(rows, []export.Cell{{Name: "source", Value: f.Source, Whole: true}, {Name: "destination", Value: f.Destination, Whole: true}, {Name: "port", Value: f.Port}, {Name: "records", Value: f.Count},
			{Name: "sent", Text: prose.Size(int64(f.Sent))}, {Name: "received", Text: prose.Size(int64(f.Received))}, {Name: "when", Text: when, Whole: true}})
	}
	return export.WriteCells(t.w, "table", rows, t.width)
}

// entries prints the events, day by day.
func (t *timelineCommand) entries() error {
	t.head("Events")
	day := ""
	n := 0
	enough := errors.New("enough")
	more := int64(event.NoTime)
	err := timeline.Entries(t.c.Context(), t.st, t.query, func(e *timeline.Entry) error {
		if n++; t.limit > 0 && n > t.limit {
			more = e.First
			return enough
		}
		at := time.Unix(0, e.First).UTC()
		d := at.Format("Monday 2 January 2006")
		if e.Untimed || e.First == event.NoTime {
			d = "Without a time, in the order of their files' last change"
		}
		if d != day {
			day = d
			fmt.Fprintln(t.w, "── "+d+" "+strings.Repeat("─", max(0, min(t.width, 100)-len(d)-4)))
		}
		clock := at.Format("15:04:05")
		if e.Untimed || e.First == event.NoTime {
			clock = "  ?     "
		}
		mark := " "
		if e.Outcome == "failure" {
			mark = "✗"
		}
		host := e.Host
		if i := strings.IndexByte(host, '.'); i > 0 {
			host = host[:i]
		}
		source := host
		if source == "" {
			source = e.Dataset
		}
		source = chart.Fit(source, 12)
		line := clock + " " + source + strings.Repeat(" ", max(0, 12-chart.Cells(source))) + " " + mark + " "
		tail := ""
		if e.Count > 1 {
			tail = fmt.Sprintf(" × %s", prose.Number(e.Count))
			if e.Last-e.First >= int64(time.Second) {
				tail += " to " + time.Unix(0, e.Last).UTC().Format("15:04:05")
			}
		}
		room := t.width - chart.Cells(line) - chart.Cells(tail)
		fmt.Fprintln(t.w, strings.TrimRight(line+chart.Fit(export.Terminal(e.Text), max(room, 10))+tail, " "))
		return nil
	})
	if errors.Is(err, enough) {
		t.a.say("", fmt.Sprintf("… and more, from %s on: --from, --to and --where narrow them, --limit 0 shows all.", shortStamp(more)))
		return nil
	}
	return err
}
