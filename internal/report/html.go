package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/triage"
)

//go:embed report.html.tmpl
var page string

//go:embed report.css
var style string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"clean":    export.Terminal,
	"n":        thousands,
	"size":     size,
	"time":     shortTime,
	"headline": Headline, "scope": Scope, "books": Books, "when": When, "where": Where, "entities": Entities,
	"format":     sourceFormat,
	"join":       strings.Join,
	"add":        func(a, b int) int { return a + b },
	"first":      first,
	"firstItems": func(n int, l []triage.Item) []triage.Item { return l[:min(n, len(l))] },
	"percent":    func(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) },
	"rest":       func(n int, s []string) int { return max(0, len(s)-n) },
	"mark":       Mark,
	"note":       noteLine,
	"number":     func(string) int { return 0 }, // of a cited record; set for each page
	"who":        func(w incident.Who) []string { return slices.Concat(w.Users, w.Processes) },
}).Parse(page))

// view is what the template sees.
type view struct {
	*Investigation
	Style    template.CSS
	Charts   []template.HTML
	Graphs   []template.HTML // of each incident's entities; empty where there is little to see
	Rows     []Finding       // findings shown: gravest first
	Hidden   int             // findings not shown
	Sections []section       // what each technique found
	Said     []string        // what became of the techniques
	Entities []entityList
}

// section is the findings of one technique, gravest first.
type section struct {
	Name   string
	About  string
	MayBe  []string // what else each of its rules may see, one sentence a rule
	Rows   []Finding
	Hidden int
}

const maxSectionRows = 30

// sections gathers the findings of techniques.
func sections(inv *Investigation) []section {
	var out []section
	for _, t := range inv.Techniques {
		s := section{Name: t.Name, About: t.About}
		for _, f := range inv.Findings {
			if f.Kind == t.Name {
				s.Rows = append(s.Rows, f)
			}
		}
		slices.SortStableFunc(s.Rows, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(levelRank(b.Level), levelRank(a.Level)), cmp.Compare(b.Surprise, a.Surprise))
		})
		if s.Hidden = len(s.Rows) - maxSectionRows; s.Hidden > 0 {
			s.Rows = s.Rows[:maxSectionRows]
		}
		for _, f := range s.Rows {
			if len(f.Rule.FalsePositives) == 0 {
				continue
			}
			if m := "May be: " + strings.Join(f.Rule.FalsePositives, "; ") + "."; !slices.Contains(s.MayBe, m) {
				s.MayBe = append(s.MayBe, m)
			}
		}
		if len(s.Rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

type entityList struct {
	Name   string
	Counts []Count
}

// maxGraphs bounds the incidents that get a picture of their entities.
const maxGraphs = 30

// maxRows bounds the findings shown in the page; report.json has them all.
const maxRows = 500

// HTML is the investigation as one page that needs neither network nor script:
// the answers first, then charts, findings, entities, cited records, sources
// with their accounting and hashes, and rules. Everything from logs is escaped.
func HTML(inv *Investigation) ([]byte, error) {
	v := view{Investigation: inv, Style: template.CSS(style)}
	v.Rows = slices.Clone(inv.Findings)
	slices.SortStableFunc(v.Rows, func(a, b Finding) int { return levelRank(b.Level) - levelRank(a.Level) })
	if len(v.Rows) > maxRows {
		v.Hidden = len(v.Rows) - maxRows
		v.Rows = v.Rows[:maxRows]
	}
	for _, l := range []entityList{{"Accounts", inv.Statistics.Users}, {"Source addresses", inv.Statistics.SourceIPs},
		{"Hosts", inv.Statistics.Hosts}, {"Actions", inv.Statistics.Actions}, {"Logs", inv.Statistics.Datasets}, {"Outcomes", inv.Statistics.Outcomes}} {
		if len(l.Counts) > 0 {
			v.Entities = append(v.Entities, l)
		}
	}
	for i, fig := range figures(inv) {
		var b bytes.Buffer
		if err := chart.SVG(&b, fig, chart.Options{Width: 960, Theme: chart.Auto, ID: "c" + strconv.Itoa(i)}); err != nil {
			return nil, err
		}
		v.Charts = append(v.Charts, template.HTML(b.String()))
	}
	for i := range inv.Incidents {
		var b bytes.Buffer
		if fig, ok := entityGraph(inv, &inv.Incidents[i]); ok && i < maxGraphs {
			if err := chart.SVG(&b, fig, chart.Options{Width: 900, Theme: chart.Auto, ID: "g" + strconv.Itoa(i)}); err != nil {
				return nil, err
			}
		}
		v.Graphs = append(v.Graphs, template.HTML(b.String()))
	}
	v.Sections, v.Said = sections(inv), Techniques(inv.Techniques)
	numbers := map[string]int{}
	for i, e := range inv.Evidence {
		numbers[e.ID] = i + 1
	}
	t, err := pageTemplate.Clone()
	if err != nil {
		return nil, err
	}
	t.Funcs(template.FuncMap{"number": func(id string) int { return numbers[id] }})
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// figures are the report's charts.
func figures(inv *Investigation) []chart.Figure {
	var figs []chart.Figure
	st := &inv.Statistics
	if t, err := time.Parse(time.RFC3339Nano, st.Timeline.Start); err == nil && len(st.Timeline.Series) > 0 {
		step := time.Duration(st.Timeline.Step) * time.Second
		ts := chart.TimeSeries{Title: "Records over time, by log, in steps of " + duration(step), YLabel: "records"}
		for i := range st.Timeline.Series[0].Counts {
			ts.Times = append(ts.Times, t.Add(time.Duration(i)*step))
		}
		for _, s := range st.Timeline.Series {
			values := make([]float64, len(s.Counts))
			for i, c := range s.Counts {
				values[i] = float64(c)
			}
			ts.Series = append(ts.Series, chart.Series{Name: s.Dataset, Values: values})
		}
		figs = append(figs, chart.Figure{Panels: []chart.Chart{ts}})
		var hours [7][24]float64
		for d := range hours {
			for h := range hours[d] {
				hours[d][h] = float64(st.WeekHours[d][h])
			}
		}
		figs = append(figs, chart.Figure{Panels: []chart.Chart{chart.HourWeekday("Records by weekday and hour (UTC)", &hours)}})
	}
	if n := len(st.Days); n > 0 {
		c := chart.Calendar{Title: "Records by day (UTC)"}
		for _, d := range st.Days {
			if at, err := time.Parse(time.DateOnly, d.Value); err == nil {
				c.Days = append(c.Days, chart.Day{At: at, Value: float64(d.Count)})
			}
		}
		if span := c.Days[len(c.Days)-1].At.Sub(c.Days[0].At); span >= 14*24*time.Hour {
			figs = append(figs, chart.Figure{Panels: []chart.Chart{c}})
		}
	}
	bars := func(title string, counts []Count) (chart.Chart, bool) {
		b := chart.Bars{Title: title, XLabel: "records", Horizontal: true}
		for _, c := range counts[:min(10, len(counts))] {
			b.Items = append(b.Items, chart.Item{Label: c.Value, Value: float64(c.Count)})
		}
		return b, len(b.Items) > 0
	}
	var panels []chart.Chart
	if b, ok := bars("Most frequent accounts", st.Users); ok {
		panels = append(panels, b)
	}
	if b, ok := bars("Most frequent source addresses", st.SourceIPs); ok {
		panels = append(panels, b)
	}
	if b, ok := bars("Most frequent hosts", st.Hosts); ok {
		panels = append(panels, b)
	}
	if b, ok := bars("Most frequent actions", st.Actions); ok {
		panels = append(panels, b)
	}
	if len(panels) > 0 {
		figs = append(figs, chart.Figure{Panels: panels})
	}
	return figs
}

func levelRank(level string) int {
	return slices.Index([]string{"informational", "low", "medium", "high", "critical"}, level)
}

func first(n int, s []string) []string { return s[:min(n, len(s))] }

// shortTime drops the fraction of a second for reading; the documents keep it.
func shortTime(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return s
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func duration(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d >= day:
		return count(int(d/day), "day", "days")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour", "hours")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute", "minutes")
	}
	return count(int(d/time.Second), "second", "seconds")
}

// thousands groups the digits of a whole number.
func thousands(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n int64) string {
	f, unit := float64(n), ""
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
