package report

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/triage"
)

// part is the place of one of the seven analysis techniques in the report: what
// it says of all records, its pictures, and what it found.
type part struct {
	ID, Name string
	About    string          // what it looks at, and the command that tells more
	Charts   []template.HTML // drawn from the numbers of the document
	Lists    []list
	Sections []section
	Triage   []triage.Item
	Missing  []string // what could not be told, a sentence each
}

// list is sentences under a heading.
type list struct {
	Name  string
	About string
	Items []string
}

// Of the techniques of package analyze, those that belong to another part than
// anomalies.
var partOf = map[string]string{"patterns": "patterns", "isolation": "learning", "sequences": "learning"}

// parts are the seven in the order in which they are told.
func parts(inv *Investigation, found []section) ([]part, error) {
	o := &inv.Overview
	texts := func(n int, text func(int) string) (out []string) {
		for i := range n {
			out = append(out, text(i))
		}
		return out
	}
	timeline := []list{{Name: "Bursts", Items: o.Bursts},
		{Name: "What repeats at intervals", Items: texts(len(o.Rhythms), func(i int) string { return o.Rhythms[i].Text })},
		{Name: "Silences", Items: o.Silences},
		{Name: "Sessions", About: fmt.Sprintf("%s from login to logout; the longest, those alike together.", prose.Number(o.SessionCount)), Items: texts(len(o.Sessions), func(i int) string { return o.Sessions[i].Text })}}
	all := []part{
		{ID: "timeline", Name: "Timeline", About: "All sources in one order of time; sextant timeline has every event."},
		{ID: "patterns", Name: "Patterns", About: kindsSaid(o)},
		{ID: "anomalies", Name: "Anomalies", About: "What differs from what is usual here; sextant anomalies tells how each is found."},
		{ID: "correlation", Name: "Correlation", About: "What rises together, or one after the other, and who occurs with what; sextant correlate and sextant entities tell more."},
		{ID: "learning", Name: "Machine learning", About: "Hours of an account that stand apart from all others, messages that came where others are the rule, and the order in which findings are worth a look."},
		{ID: "statistics", Name: "Statistics", About: "Counts, sizes, and what is otherwise in the later half of the time; sextant stats compares any two periods."},
		{ID: "flows", Name: "Who, from where, to what", About: "sextant chart draws any of these pictures for any records."},
	}
	lists := map[string][]list{"timeline": timeline,
		"correlation": {{Name: "What rises together, or one after the other", Items: texts(len(o.Associations), func(i int) string { return o.Associations[i].Text })}},
		"statistics":  {{Name: "What changed", Items: o.Changes}}}
	figures := map[string][]chart.Figure{"timeline": timeFigures(inv), "patterns": kindFigures(o), "anomalies": anomalyFigures(found),
		"correlation": associationFigures(o), "statistics": statisticsFigures(inv), "flows": flowFigures(o)}
	n := 0
	var out []part
	for _, p := range all {
		for _, fig := range figures[p.ID] {
			var b bytes.Buffer
			if err := chart.Inline(&b, fig, chart.Options{Width: 960, Theme: chart.Auto, ID: "c" + strconv.Itoa(n)}); err != nil {
				return nil, err
			}
			n++
			p.Charts = append(p.Charts, template.HTML(b.String()))
		}
		for _, l := range lists[p.ID] {
			if len(l.Items) > 0 {
				p.Lists = append(p.Lists, l)
			}
		}
		for _, s := range found {
			if of := partOf[s.Name]; of == p.ID || of == "" && p.ID == "anomalies" {
				p.Sections = append(p.Sections, s)
			}
		}
		if p.ID == "learning" {
			p.Triage = inv.Triage[:min(10, len(inv.Triage))]
		}
		for _, m := range o.Missing {
			if m.Part == p.ID {
				p.Missing = append(p.Missing, m.Text)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// Empty reports whether a part has nothing to tell of these records.
func (p part) Empty() bool {
	return len(p.Charts)+len(p.Lists)+len(p.Sections)+len(p.Triage)+len(p.Missing) == 0
}

func kindsSaid(o *Overview) string {
	s := "Messages by their kind, what varies in them left out; sextant patterns lists all."
	if o.KindCount > 0 {
		s = fmt.Sprintf("There are %s, %s of which came once. ", prose.Count(o.KindCount, "kind of message", "kinds of messages"), prose.Number(o.KindsOnce)) + s
	}
	return s
}

func one(c chart.Chart) chart.Figure { return chart.Figure{Panels: []chart.Chart{c}} }

// timeFigures are the records over time.
func timeFigures(inv *Investigation) []chart.Figure {
	var figs []chart.Figure
	st := &inv.Statistics
	t, err := time.Parse(time.RFC3339Nano, st.Timeline.Start)
	if err != nil || len(st.Timeline.Series) == 0 {
		return nil
	}
	step := time.Duration(st.Timeline.Step) * time.Second
	ts := chart.TimeSeries{Title: "Records over time, by log, in steps of " + duration(step), YLabel: "records per " + strings.TrimPrefix(duration(step), "1 ")}
	for i := range st.Timeline.Series[0].Counts {
		ts.Times = append(ts.Times, t.Add(time.Duration(i)*step))
	}
	for _, s := range st.Timeline.Series {
		values := make([]float64, len(s.Counts))
		for i, c := range s.Counts {
			values[i] = float64(c)
		}
		name := s.Dataset
		if name == "other" {
			name = chart.Other
		}
		ts.Series = append(ts.Series, chart.Series{Name: name, Values: values})
	}
	figs = append(figs, one(ts))
	var hours [7][24]float64
	for d := range hours {
		for h := range hours[d] {
			hours[d][h] = float64(st.WeekHours[d][h])
		}
	}
	figs = append(figs, one(chart.HourWeekday("Records by weekday and hour (UTC)", &hours)))
	c := chart.Calendar{Title: "Records by day (UTC)"}
	for _, d := range st.Days {
		if at, err := time.Parse(time.DateOnly, d.Value); err == nil {
			c.Days = append(c.Days, chart.Day{At: at, Value: float64(d.Count)})
		}
	}
	if len(c.Days) > 1 {
		figs = append(figs, one(c))
	}
	return figs
}

// bars are the first of a list; empty is false.
func bars(title, unit string, counts []Count, most int) (chart.Chart, bool) {
	b := chart.Bars{Title: title, XLabel: unit, Horizontal: true}
	for _, c := range counts[:min(most, len(counts))] {
		b.Items = append(b.Items, chart.Item{Label: c.Value, Value: float64(c.Count)})
	}
	return b, len(b.Items) > 0
}

func kindFigures(o *Overview) []chart.Figure {
	if b, ok := bars("Most frequent kinds of messages", "records", o.Kinds, 12); ok {
		return []chart.Figure{one(b)}
	}
	return nil
}

// anomalyFigures count the findings by technique and level.
func anomalyFigures(found []section) []chart.Figure {
	levels := []string{"informational", "low", "medium", "high", "critical"}
	b := chart.Bars{Title: "Findings of the techniques, by level", XLabel: "findings", Horizontal: true, Parts: levels}
	for _, s := range found {
		it := chart.Item{Label: s.Name, Parts: make([]float64, len(levels))}
		for level, n := range s.Levels {
			if i := slices.Index(levels, level); i >= 0 {
				it.Parts[i] = float64(n)
			}
		}
		b.Items = append(b.Items, it)
	}
	if len(b.Items) == 0 {
		return nil
	}
	return []chart.Figure{one(b)}
}

// associationFigures draw which kinds of records lead to which.
func associationFigures(o *Overview) []chart.Figure {
	g := chart.Graph{Title: "What rises with or before what", Kinds: []string{"first", "with it, or after"}}
	for _, a := range o.Associations {
		g.Edges = append(g.Edges, chart.Edge{From: g.Node(0, a.Leader), To: g.Node(1, a.Follower), Value: float64(a.Episodes), Label: a.Text})
	}
	if len(g.Edges) == 0 {
		return nil
	}
	return []chart.Figure{one(g)}
}

// statisticsFigures are the most frequent values, and sizes.
func statisticsFigures(inv *Investigation) []chart.Figure {
	st := &inv.Statistics
	var figs []chart.Figure
	var panels []chart.Chart
	for _, l := range []struct {
		title  string
		counts []Count
	}{{"Most frequent accounts", st.Users}, {"Most frequent source addresses", st.SourceIPs}, {"Most frequent hosts", st.Hosts}, {"Most frequent actions", st.Actions}} {
		if b, ok := bars(l.title, "records", l.counts, 10); ok {
			panels = append(panels, b)
		}
	}
	if len(panels) > 0 {
		figs = append(figs, chart.Figure{Panels: panels})
	}
	for _, s := range inv.Overview.Sizes {
		b := chart.Boxes{Title: "Distribution of " + s.Field + ", by log", XLabel: s.Field, Unit: s.Unit}
		for _, x := range s.Boxes {
			b.Items = append(b.Items, chart.Box(x))
		}
		figs = append(figs, one(b))
	}
	return figs
}

// flowFigures show who came from where, with which outcome, to what.
func flowFigures(o *Overview) []chart.Figure {
	var figs []chart.Figure
	if len(o.Flows) > 0 {
		k := chart.Sankey{Title: "Records by address, account and outcome", Stages: []string{"source.ip", "user.name", "event.outcome"}}
		for _, p := range o.Flows {
			k.Flows = append(k.Flows, chart.Flow{Path: p.Values, Value: float64(p.Count)})
		}
		figs = append(figs, one(k))
	}
	g := chart.Graph{Title: "Which addresses, accounts and hosts occur together", Unit: "records", Kinds: []string{"source.ip", "user.name", "host.name"}}
	for _, p := range o.Links {
		if len(p.Values) != 2 {
			continue
		}
		from := 0
		if p.Kind == "to" {
			from = 1
		}
		g.Edges = append(g.Edges, chart.Edge{From: g.Node(from, p.Values[0]), To: g.Node(from+1, p.Values[1]), Value: float64(p.Count)})
	}
	if len(g.Edges) > 0 {
		figs = append(figs, one(g))
	}
	return figs
}
