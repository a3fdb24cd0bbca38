package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/prose"
)

//go:embed report.html.tmpl
var page string

//go:embed report.css
var style string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"clean":    export.Terminal,
	"n":        func(n reflect.Value) string { return prose.Number(n.Int()) },
	"size":     prose.Size,
	"time":     shortTime,
	"headline": Headline, "scope": Scope, "books": Books, "when": When, "where": Where, "entities": Entities,
	"format":  sourceFormat,
	"join":    strings.Join,
	"add":     func(a, b int) int { return a + b },
	"first":   first,
	"percent": func(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) },
	"rest":    func(n int, s []string) int { return max(0, len(s)-n) },
	"mark":    Mark,
	"note":    noteLine,
	"number":  func(string) int { return 0 }, // of a cited record; set for each page
	"who":     func(w incident.Who) []string { return slices.Concat(w.Users, w.Processes) },
}).Parse(page))

// view is what the template sees.
type view struct {
	*Investigation
	Style    template.CSS
	Parts    []part
	Graphs   []template.HTML // of each incident's entities; empty where there is little to see
	Rows     []Finding       // findings shown: gravest first
	Hidden   int             // findings not shown
	Said     []string        // what became of the techniques
	Entities []entityList
}

// section is the findings of one technique, gravest first.
type section struct {
	Name   string
	About  string
	MayBe  []string // what else each of its rules may see, one sentence a rule
	Rows   []Finding
	Levels map[string]int // how many findings are of each
	Hidden int
}

const maxSectionRows = 30

// sections gathers the findings of techniques.
func sections(inv *Investigation) []section {
	var out []section
	for _, t := range inv.Techniques {
		s := section{Name: t.Name, About: t.About, Levels: map[string]int{}}
		for _, f := range inv.Findings {
			if f.Kind == t.Name {
				s.Rows = append(s.Rows, f)
				s.Levels[f.Level]++
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
	v := view{Investigation: inv, Style: template.CSS(style + chart.InlineStyle)}
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
	v.Said = Techniques(inv.Techniques)
	var err error
	if v.Parts, err = parts(inv, sections(inv)); err != nil {
		return nil, err
	}
	for i := range inv.Incidents {
		var b bytes.Buffer
		if fig, ok := entityGraph(inv, &inv.Incidents[i]); ok && i < maxGraphs {
			if err := chart.Inline(&b, fig, chart.Options{Width: 900, Theme: chart.Auto, ID: "g" + strconv.Itoa(i)}); err != nil {
				return nil, err
			}
		}
		v.Graphs = append(v.Graphs, template.HTML(b.String()))
	}
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
		return prose.Count(int(d/day), "day")
	case d >= time.Hour:
		return prose.Count(int(d/time.Hour), "hour")
	case d >= time.Minute:
		return prose.Count(int(d/time.Minute), "minute")
	}
	return prose.Count(int(d/time.Second), "second")
}
