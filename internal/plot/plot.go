// Package plot draws charts of the records of a store: it asks for the numbers
// of a chart and gives them to package chart. The command chart and the pages
// of the server draw with it.
package plot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
)

// Request is what a chart is to show.
type Request struct {
	Kind  string        // the name of one of Kinds
	Query string        // LogsQL; which records
	By    []string      // fields whose values are told apart; empty: those of Kind
	Value string        // field with numbers
	X     string        // scatter: field of the horizontal axis; empty: time
	Unit  string        // of the numbers: B for bytes, ms, s …; empty: B where the field's name says bytes, ns for event.duration
	Step  time.Duration // line, area: 0 for about 200 steps, else a second or more
	Top   int           // values told apart; 0: as many as suit the kind

	draw func(context.Context, store.Store, *Request) (chart.Chart, error)
}

// Wrong is a request that cannot be drawn, said for the person who made it.
type Wrong string

func (w Wrong) Error() string { return string(w) }

func wrong(format string, args ...any) error { return Wrong(fmt.Sprintf(format, args...)) }

// Kind is one kind of chart of records.
type Kind struct {
	Name, Short, Long string
	Example           string   // its flags in one
	Least, Most       int      // how many fields By must and may name
	Defaults          []string // By where it is empty
	Top               int      // where it is 0; a kind without has no such choice
	Value             bool     // takes a field with numbers
	Needs             bool     // and draws nothing without
	X, Step           bool     // takes these

	draw func(context.Context, store.Store, *Request) (chart.Chart, error)
}

// Kinds are all kinds, in the order in which a person is told of them.
var Kinds = []Kind{
	{Name: "bar", Short: "The most frequent values of a field; by a second one, stacked", Long: "With --value, the values with the greatest sums of the numbers in that field.",
		Example: "--by user.name,event.outcome", Least: 1, Most: 2, Defaults: []string{"event.dataset"}, Top: 15, Value: true, draw: bar},
	{Name: "histogram", Short: "How the numbers in a field are distributed", Example: "--value source.bytes", Value: true, Needs: true, draw: histogram},
	{Name: "line", Short: "Records over time, a line for each value of a field", Long: "With --value, the sum of the numbers in that field.",
		Example: "--by event.dataset --step 1h", Most: 1, Top: 7, Value: true, Step: true, draw: line},
	{Name: "area", Short: "Records over time, stacked by the values of a field", Long: "With --value, the sum of the numbers in that field.",
		Example: "--where 'event.outcome:failure' --by source.ip -o failures.svg", Most: 1, Top: 7, Value: true, Step: true, draw: area},
	{Name: "heatmap", Short: "Records by weekday and hour, or by any two fields", Example: "--by user.name,host.name", Most: 2, Top: 25, draw: heatmap},
	{Name: "calendar", Short: "Records by day", Example: "-o days.svg", draw: calendar},
	{Name: "scatter", Short: "A point for each record: a number over time, or over another number", Long: "--value is the number, --x the field of the other one; --by colours the points.",
		Example: "--value destination.bytes --by destination.port", Most: 1, Value: true, Needs: true, X: true, draw: scatter},
	{Name: "box", Short: "How numbers are distributed, for each value of a field", Example: "--value event.duration --by url.path", Most: 1, Top: 15, Value: true, Needs: true, draw: box},
	{Name: "sankey", Short: "How records flow through the values of two or more fields", Example: "--by source.ip,user.name,event.outcome",
		Least: 2, Most: 5, Defaults: []string{"source.ip", "user.name", "event.outcome"}, Top: 11, draw: sankey},
	{Name: "graph", Short: "Which values of two or more fields occur together: a graph of entities", Example: "--by user.name,host.name --theme dark -o graph.png",
		Least: 2, Most: 5, Defaults: []string{"source.ip", "user.name", "host.name"}, Top: 12, draw: graph},
}

// MaxTop bounds Request.Top.
const MaxTop = 500

// Check fills in what a request leaves open, and returns an error that is Wrong
// where it cannot be drawn.
func (r *Request) Check() error {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == r.Kind })
	if i < 0 {
		return wrong("there is no chart %q", r.Kind)
	}
	k := &Kinds[i]
	if len(r.By) == 0 {
		r.By = k.Defaults
	}
	if n := len(r.By); n < k.Least || n > k.Most || k.Name == "heatmap" && n == 1 {
		return wrong("--by names %s; chart %s wants %s", prose.Count(n, "field"), k.Name, k.wanted())
	}
	if k.Needs && r.Value == "" {
		return wrong("chart %s draws numbers: name their field with --value, such as source.bytes", k.Name)
	}
	if k.Name == "bar" && r.Value != "" && len(r.By) > 1 {
		return wrong("--value with two fields: want one field in --by")
	}
	if r.Top == 0 {
		r.Top = k.Top
	}
	if k.Top > 0 && (r.Top < 1 || r.Top > MaxTop) {
		return wrong("--top %d: want 1 to %d", r.Top, MaxTop)
	}
	if r.Step < 0 || r.Step > 0 && r.Step < time.Second {
		return wrong("--step %s: want 1s or more", r.Step)
	}
	if r.X == "" {
		r.X = "_time"
	}
	r.draw = k.draw
	return nil
}

// Draw makes the chart of a request.
func Draw(ctx context.Context, st store.Store, r Request) (chart.Chart, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	return r.draw(ctx, st, &r)
}

func (k *Kind) wanted() string {
	switch {
	case k.Most == 0:
		return "none"
	case k.Name == "heatmap":
		return "two, or none for weekday and hour"
	case k.Least == k.Most:
		return fmt.Sprint(k.Least)
	}
	return fmt.Sprintf("%d to %d", k.Least, k.Most)
}

func (f *Request) unitOf() string {
	if f.Unit == "" && (strings.HasSuffix(f.Value, ".bytes") || strings.HasSuffix(f.Value, ".size")) {
		return "B"
	}
	if f.Unit == "" && f.Value == "event.duration" {
		return "ns" // ECS
	}
	return f.Unit
}

func bar(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	b := chart.Bars{Title: "Records by " + f.By[0], XLabel: "records", Horizontal: true, Unit: f.unitOf()}
	if f.Value != "" {
		top, err := statistics.TopSums(ctx, st, f.Query, f.By[0], f.Value, f.Top)
		if err != nil {
			return nil, err
		}
		b.Title, b.XLabel = "Sum of "+f.Value+" by "+f.By[0], f.Value
		for _, v := range top {
			b.Items = append(b.Items, chart.Item{Label: v.Value, Value: v.Sum})
		}
		return b, nil
	}
	if len(f.By) == 1 {
		top, more, err := statistics.Top(ctx, st, f.Query, f.By[0], f.Top)
		if err != nil {
			return nil, err
		}
		rest := int64(0)
		for _, v := range top {
			b.Items = append(b.Items, chart.Item{Label: v.Value, Value: float64(v.Count)})
			rest -= v.Count
		}
		if more {
			values, with, err := statistics.Distinct(ctx, st, f.Query, f.By[0])
			if err != nil {
				return nil, err
			}
			b.XLabel = fmt.Sprintf("records (%s in %s more values)", prose.Number(rest+with), prose.Number(values-int64(len(top))))
		}
		return b, nil
	}
	t, err := statistics.Cross(ctx, st, f.Query, f.By[0], f.By[1], f.Top, 6)
	if err != nil {
		return nil, err
	}
	b.Title += " and " + f.By[1]
	b.Parts = t.Cols
	for r, name := range t.Rows {
		it := chart.Item{Label: name, Parts: []float64{}}
		for _, n := range t.Counts[r] {
			it.Parts = append(it.Parts, float64(n))
		}
		if name != statistics.Other { // the rest is no bar
			b.Items = append(b.Items, it)
		}
	}
	return b, nil
}

func histogram(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	n, err := statistics.CountNumbers(ctx, st, f.Query, f.Value)
	if err != nil {
		return nil, err
	}
	label := "records"
	const most = 200_000
	if n.N > most {
		label = fmt.Sprintf("records (of %s, as quantiles)", prose.Number(n.N))
	}
	return chart.Histogram{Title: "Distribution of " + f.Value, XLabel: f.Value, YLabel: label, Unit: f.unitOf(), Values: n.Expand(most)}, nil
}

func series(ctx context.Context, st store.Store, f *Request, lines bool) (chart.Chart, error) {
	by := ""
	if len(f.By) == 1 {
		by = f.By[0]
	}
	query, outside, err := f.bulk(ctx, st)
	if err != nil {
		return nil, err
	}
	s, err := statistics.CountOverTime(ctx, st, query, by, f.Value, f.Step, f.Top)
	if err != nil {
		return nil, err
	}
	what := "Records"
	if f.Value != "" {
		what = f.Value
	}
	ts := chart.TimeSeries{Title: what + " over time", YLabel: strings.ToLower(what[:1]) + what[1:] + " per " + ShortStep(s.Step), XLabel: outside, Unit: f.unitOf(), Lines: lines}
	if by != "" {
		ts.Title += " by " + by
	}
	if len(s.Values) == 0 {
		return ts, nil
	}
	for i := range s.Values[0] {
		ts.Times = append(ts.Times, time.Unix(0, s.Start+int64(i)*int64(s.Step)).UTC())
	}
	for i, name := range s.Names {
		ts.Series = append(ts.Series, chart.Series{Name: name, Values: s.Values[i]})
	}
	return ts, nil
}

// bulk narrows a query to the time in which nearly all of its records lie, where
// few others are so far away that nothing could be told apart beside them: a clock
// that was wrong, one old log among new ones. It says what lies outside. Whoever
// chose a step sees all.
func (f *Request) bulk(ctx context.Context, st store.Store) (query, outside string, err error) {
	if f.Step > 0 {
		return f.Query, "", nil
	}
	days, err := statistics.CountByDay(ctx, st, f.Query)
	if err != nil || len(days) < 2 {
		return f.Query, "", err
	}
	order := slices.Sorted(maps.Keys(days))
	total := int64(0)
	for _, n := range days {
		total += n
	}
	first, last := order[0], order[len(order)-1]
	from, to, in, far := first, last, total, false
	// Leaving out more must gain more: so much of the records in so much less of the time.
	for _, b := range []struct {
		nearly float64
		longer int64
	}{{0.95, 10}, {0.995, 3}} {
		from, to, in = first, last, total
		for i, j, sum := 0, 0, int64(0); j < len(order); j++ {
			for sum += days[order[j]]; float64(sum-days[order[i]]) >= b.nearly*float64(total); i++ {
				sum -= days[order[i]]
			}
			if float64(sum) >= b.nearly*float64(total) && order[j]-order[i] < to-from {
				from, to, in = order[i], order[j], sum
			}
		}
		if far = last-first+1 >= b.longer*(to-from+1); far {
			break
		}
	}
	if !far {
		return f.Query, "", nil
	}
	date := func(day int64) time.Time { return time.Unix(day*86400, 0).UTC() }
	query, err = store.Narrowed(f.Query, fmt.Sprintf("_time:>=%s _time:<%s", date(from).Format(time.RFC3339), date(to+1).Format(time.RFC3339)))
	return query, fmt.Sprintf("%s of %s from %s to %s are not drawn: they lie outside", prose.Number(total-in), prose.Count(total, "record"), date(first).Format(time.DateOnly), date(last).Format(time.DateOnly)), err
}

// ShortStep is a step of time as the unit of a rate: "hour", "15 min".
func ShortStep(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d%day == 0 && d > day:
		return fmt.Sprintf("%d days", d/day)
	case d == day:
		return "day"
	case d == time.Hour:
		return "hour"
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d == time.Minute:
		return "minute"
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d == time.Second:
		return "second"
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return d.String()
}

func line(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	return series(ctx, st, f, true)
}
func area(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	return series(ctx, st, f, false)
}

func heatmap(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	switch len(f.By) {
	case 0:
		hours, err := statistics.CountByHour(ctx, st, f.Query)
		if err != nil {
			return nil, err
		}
		var counts [7][24]float64
		for h, n := range hours {
			t := time.Unix(h*3600, 0).UTC()
			counts[(int(t.Weekday())+6)%7][t.Hour()] += float64(n)
		}
		if len(hours) == 0 {
			return chart.HeatMap{Title: "Records by weekday and hour (UTC)"}, nil
		}
		return chart.HourWeekday("Records by weekday and hour (UTC)", &counts), nil
	}
	t, err := statistics.Cross(ctx, st, f.Query, f.By[0], f.By[1], f.Top, f.Top)
	if err != nil {
		return nil, err
	}
	h := chart.HeatMap{Title: "Records by " + f.By[0] + " and " + f.By[1], XLabel: f.By[1], YLabel: f.By[0], Rows: t.Rows, Cols: t.Cols}
	for _, row := range t.Counts {
		cells := make([]float64, len(row))
		for i, n := range row {
			cells[i] = float64(n)
		}
		h.Cells = append(h.Cells, cells)
	}
	return h, nil
}

func calendar(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	days, err := statistics.CountByDay(ctx, st, f.Query)
	if err != nil {
		return nil, err
	}
	return Calendar("Records by day (UTC)", days), nil
}

// Calendar is the chart of counts by day since 1970.
func Calendar(title string, days map[int64]int64) chart.Calendar {
	c := chart.Calendar{Title: title}
	for d, n := range days {
		c.Days = append(c.Days, chart.Day{At: time.Unix(d*86400, 0).UTC(), Value: float64(n)})
	}
	return c
}

func scatter(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	group := ""
	if len(f.By) == 1 {
		group = f.By[0]
	}
	const most = 50_000
	points, total, err := statistics.Points(ctx, st, f.Query, f.X, f.Value, group, most)
	if err != nil {
		return nil, err
	}
	s := chart.Scatter{Title: f.Value + " over time", YLabel: f.Value, Unit: f.unitOf(), Times: f.X == "_time"}
	if !s.Times {
		s.Title, s.XLabel = f.Value+" by "+f.X, f.X
		if strings.HasSuffix(f.X, ".bytes") {
			s.XUnit = "B"
		}
	}
	if total > most {
		s.Title += fmt.Sprintf(" (%s of %s records)", prose.Number(most), prose.Number(total))
	}
	var rest chart.Cloud
	for _, p := range points {
		c := &rest
		if p.Group != chart.Other {
			if len(s.Clouds) == 0 || s.Clouds[len(s.Clouds)-1].Name != p.Group {
				s.Clouds = append(s.Clouds, chart.Cloud{Name: p.Group})
			}
			c = &s.Clouds[len(s.Clouds)-1]
		}
		c.X, c.Y = append(c.X, p.X), append(c.Y, p.Y)
	}
	if len(rest.X) > 0 {
		rest.Name = chart.Other
		s.Clouds = append(s.Clouds, rest)
	}
	return s, nil
}

func box(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	b := chart.Boxes{Title: "Distribution of " + f.Value, XLabel: f.Value, Unit: f.unitOf()}
	groups := []string{""}
	if len(f.By) == 1 {
		top, _, err := statistics.Top(ctx, st, fmt.Sprintf("%s | filter %q:*", f.Query, f.Value), f.By[0], f.Top)
		if err != nil {
			return nil, err
		}
		b.Title += " by " + f.By[0]
		groups = nil
		for _, v := range top {
			groups = append(groups, v.Value)
		}
	}
	for _, g := range groups {
		q, label := f.Query, "all"
		if len(f.By) == 1 {
			q, label = fmt.Sprintf("%s | filter %q:=%q", q, f.By[0], g), g
		}
		n, err := statistics.CountNumbers(ctx, st, q, f.Value)
		if err != nil {
			return nil, err
		}
		box := chart.BoxOf(label, n.Expand(20_000))
		box.N = int(n.N)
		b.Items = append(b.Items, box)
	}
	return b, nil
}

func sankey(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	paths, err := statistics.CountPaths(ctx, st, f.Query, f.By, f.Top)
	if err != nil {
		return nil, err
	}
	k := chart.Sankey{Title: "Records by " + strings.Join(f.By, " → "), Stages: f.By}
	for _, p := range paths {
		k.Flows = append(k.Flows, chart.Flow{Path: p.Values, Value: float64(p.Count)})
	}
	return k, nil
}

func graph(ctx context.Context, st store.Store, f *Request) (chart.Chart, error) {
	g := chart.Graph{Title: "Which " + strings.Join(f.By, ", ") + " occur together", Kinds: f.By}
	for i := range len(f.By) - 1 {
		pairs, err := statistics.CountPaths(ctx, st, f.Query, f.By[i:i+2], f.Top)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			g.Edges = append(g.Edges, chart.Edge{From: g.Node(i, p.Values[0]), To: g.Node(i+1, p.Values[1]), Value: float64(p.Count)})
		}
	}
	return g, nil
}
