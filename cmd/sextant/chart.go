package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
)

var _ = command(newChart)

func newChart() *cobra.Command {
	c := &cobra.Command{
		Use:   "chart",
		Short: "Draw a chart: terminal, SVG or PNG",
		Long: `Draw a chart of the records of a case, or of logs under a PATH. The kind of picture
follows from the name of the output file: .png, .svg; without one it is drawn in the
terminal.`,
		Example: `  sextant chart line --case case --by event.dataset
  sextant chart area --case case --where 'event.outcome:failure' --by source.ip -o failures.svg
  sextant chart heatmap auth.log
  sextant chart sankey --case case --by source.ip,user.name,event.outcome -o logins.svg --theme auto`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newChartLogins())
	for _, k := range chartKinds {
		c.AddCommand(newChartOf(k))
	}
	return c
}

// pictureFlags say where a figure goes and how it looks.
type pictureFlags struct {
	output, kind, theme  string
	scale, width, height int
}

func (f *pictureFlags) register(c *cobra.Command) {
	c.Flags().StringVarP(&f.output, "output", "o", "-", "file to write; - is standard output")
	c.Flags().StringVar(&f.kind, "type", "", "terminal, svg or png (default: from the file's name)")
	c.Flags().StringVar(&f.theme, "theme", "light", "light, dark, or for SVG auto")
	c.Flags().IntVar(&f.scale, "scale", 2, "PNG: pixels of the file for each of the drawing, 1 to 4")
	c.Flags().IntVar(&f.width, "width", 0, "width of the drawing in pixels, or of a terminal's in columns (default 900, or the terminal's)")
	c.Flags().IntVar(&f.height, "height", 0, "height of the drawing in pixels (default: as it needs)")
}

// check completes the flags.
func (f *pictureFlags) check(c *cobra.Command) error {
	if f.kind == "" {
		switch lower := strings.ToLower(f.output); {
		case f.output == "-":
			f.kind = "terminal"
		case strings.HasSuffix(lower, ".png"):
			f.kind = "png"
		case strings.HasSuffix(lower, ".svg"):
			f.kind = "svg"
		case strings.HasSuffix(lower, ".txt"):
			f.kind = "terminal"
		default:
			return usagef("-o %q: want a name that ends in .png, .svg or .txt, or say --type", f.output)
		}
	}
	if err := oneOf("--type", f.kind, "terminal", "svg", "png"); err != nil {
		return err
	}
	if err := oneOf("--theme", f.theme, "light", "dark", "auto"); err != nil {
		return err
	}
	if f.scale < 1 || f.scale > 4 {
		return usagef("--scale %d: want 1 to 4", f.scale)
	}
	if f.width < 0 || f.height < 0 {
		return usagef("--width and --height: want a number of pixels")
	}
	if f.kind == "png" && f.output == "-" && isTerminal(c.OutOrStdout()) {
		return usagef("a PNG is no text: give a file with -o")
	}
	return nil
}

func (f *pictureFlags) write(c *cobra.Command, fig chart.Figure) error {
	opt := chart.Options{Scale: f.scale, Width: f.width, Height: f.height, Theme: map[string]chart.Theme{"light": chart.Light, "dark": chart.Dark, "auto": chart.Auto}[f.theme]}
	return writeFile(c, f.output, func(w io.Writer) error {
		switch f.kind {
		case "png":
			return chart.PNG(w, fig, opt)
		case "svg":
			return chart.SVG(w, fig, opt)
		}
		opt.Columns = min(width(c.OutOrStdout()), 160)
		if f.width > 0 {
			opt.Columns = f.width
		}
		opt.Colour = f.output == "-" && useColour(c.OutOrStdout())
		opt.ASCII = f.output == "-" && asciiLocale()
		return chart.Terminal(w, fig, opt)
	})
}

func newChartLogins() *cobra.Command {
	var picture pictureFlags
	var top int
	var flags loginFlags
	c := &cobra.Command{
		Use:   "logins FILE…",
		Short: "The top users by login attempts beside a histogram of attempts per user",
		Long: `Draw two panels side by side, a bar chart of the users with the most login attempts
and a histogram of attempts per user, with the interpretation of the numbers under them. The
kind of picture follows from the name of the output file: .png, .svg; without one the
figure is drawn in the terminal.`,
		Example: `  sextant chart logins network_logs.csv
  sextant chart logins network_logs.csv -o logins.png
  sextant chart logins network_logs.csv --top 20 --theme dark -o logins.svg`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := picture.check(c); err != nil {
				return err
			}
			if top < 1 {
				return usagef("--top %d: want 1 or more", top)
			}
			res, err := flags.read(c, args, top)
			if err != nil {
				return err
			}
			return picture.write(c, res.Figure(top))
		},
	}
	c.Flags().IntVar(&top, "top", 10, "users in the bar chart")
	picture.register(c)
	flags.register(c)
	return c
}

// chartCommand is what a chart is to show.
type chartCommand struct {
	events  eventFlags
	picture pictureFlags
	by      []string
	value   string
	x       string
	unit    string
	step    time.Duration
	top     int
	title   string

	c     *cobra.Command
	st    store.Store
	query string
}

// chartKind is one kind of chart of records.
type chartKind struct {
	name, short, long string
	example           string   // its flags in one
	fields            [2]int   // how many --by must and may name
	defaults          []string // --by where it is not given
	top               int      // --top where it is not given
	flags             string   // of value, x, step: the ones it knows
	draw              func(*chartCommand) (chart.Chart, error)
}

var chartKinds = []chartKind{
	{"bar", "The most frequent values of a field; by a second one, stacked", "With --value, the sum of the numbers in that field instead of the number of records.", "--by user.name,event.outcome", [2]int{1, 2}, []string{"event.dataset"}, 15, "value", (*chartCommand).bar},
	{"histogram", "How the numbers in a field are distributed", "", "--value source.bytes", [2]int{0, 0}, nil, 0, "value", (*chartCommand).histogram},
	{"line", "Records over time, a line for each value of a field", "With --value, the sum of the numbers in that field.", "--by event.dataset --step 1h", [2]int{0, 1}, nil, 7, "value step", (*chartCommand).line},
	{"area", "Records over time, stacked by the values of a field", "With --value, the sum of the numbers in that field.", "--where 'event.outcome:failure' --by source.ip -o failures.svg", [2]int{0, 1}, nil, 7, "value step", (*chartCommand).area},
	{"heatmap", "Records by weekday and hour, or by any two fields", "", "--by user.name,host.name", [2]int{0, 2}, nil, 25, "", (*chartCommand).heatmap},
	{"calendar", "Records by day", "", "-o days.svg", [2]int{0, 0}, nil, 0, "", (*chartCommand).calendar},
	{"scatter", "A point for each record: a number over time, or over another number", "--value is the number, --x the field of the other one; --by colours the points.", "--value destination.bytes --by destination.port", [2]int{0, 1}, nil, 0, "value x", (*chartCommand).scatter},
	{"box", "How numbers are distributed, for each value of a field", "", "--value event.duration --by url.path", [2]int{0, 1}, nil, 15, "value", (*chartCommand).box},
	{"sankey", "How records flow through the values of two or more fields", "", "--by source.ip,user.name,event.outcome", [2]int{2, 5}, []string{"source.ip", "user.name", "event.outcome"}, 11, "", (*chartCommand).sankey},
	{"graph", "Which values of two or more fields occur together: a graph of entities", "", "--by user.name,host.name --theme dark -o graph.png", [2]int{2, 5}, []string{"source.ip", "user.name", "host.name"}, 12, "", (*chartCommand).graph},
}

func newChartOf(k chartKind) *cobra.Command {
	var f chartCommand
	c := &cobra.Command{
		Use:     k.name + " [PATH…]",
		Short:   k.short,
		Long:    strings.TrimSpace(k.short + ".\n" + k.long),
		Example: "  sextant chart " + k.name + " --case case " + k.example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.picture.check(c); err != nil {
				return err
			}
			if n := len(f.by); n < k.fields[0] || n > k.fields[1] {
				return usagef("--by names %s; chart %s wants %s", plural(int64(n), "field"), k.name, wanted(k.fields))
			}
			if strings.Contains(k.flags, "value") && f.value == "" && (k.name == "histogram" || k.name == "scatter" || k.name == "box") {
				return usagef("chart %s draws numbers: name their field with --value, such as source.bytes", k.name)
			}
			if k.top > 0 && (f.top < 1 || f.top > 500) {
				return usagef("--top %d: want 1 to 500", f.top)
			}
			q, err := f.events.query()
			if err != nil {
				return err
			}
			st, done, err := f.events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			f.c, f.st, f.query = c, st, q
			panel, err := k.draw(&f)
			if err != nil {
				return err
			}
			fig := chart.Figure{Title: f.title, Subtitle: f.scope(args), Panels: []chart.Chart{panel}}
			return f.picture.write(c, fig)
		},
	}
	if k.fields[1] > 0 {
		c.Flags().StringSliceVar(&f.by, "by", k.defaults, "the field, or fields, whose values are told apart")
		if k.top > 0 {
			c.Flags().IntVarP(&f.top, "top", "n", k.top, "tell so many values apart; the rest are one")
		}
	}
	if strings.Contains(k.flags, "value") {
		c.Flags().StringVar(&f.value, "value", "", "field with numbers")
		c.Flags().StringVar(&f.unit, "unit", "", "what the numbers are: B for bytes, ms, s … (default: B where the field's name says bytes)")
	}
	if strings.Contains(k.flags, "x") {
		c.Flags().StringVar(&f.x, "x", "_time", "field for the horizontal axis")
	}
	if strings.Contains(k.flags, "step") {
		c.Flags().DurationVar(&f.step, "step", 0, "length of a step of time, from 1s (default: about 200 steps)")
	}
	c.Flags().StringVar(&f.title, "title", "", "title of the picture")
	f.picture.register(c)
	f.events.register(c)
	return c
}

func wanted(n [2]int) string {
	switch {
	case n[1] == 0:
		return "none"
	case n[0] == n[1]:
		return fmt.Sprint(n[0])
	}
	return fmt.Sprintf("%d to %d", n[0], n[1])
}

// scope says in the picture which records it shows.
func (f *chartCommand) scope(paths []string) string {
	var parts []string
	if f.events.where != "" {
		parts = append(parts, f.events.where)
	}
	for _, p := range [][2]string{{"host ", f.events.host}, {"user ", f.events.user}, {"from ", f.events.from}, {"before ", f.events.to}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	return strings.Join(parts, ", ")
}

func (f *chartCommand) unitOf() string {
	if f.unit == "" && (strings.HasSuffix(f.value, ".bytes") || strings.HasSuffix(f.value, ".size")) {
		return "B"
	}
	return f.unit
}

func (f *chartCommand) bar() (chart.Chart, error) {
	ctx := f.c.Context()
	b := chart.Bars{Title: "Records by " + f.by[0], XLabel: "records", Horizontal: true, Unit: f.unitOf()}
	if f.value != "" {
		if len(f.by) > 1 {
			return nil, usagef("--value with two fields: want one field in --by")
		}
		d, err := statistics.Count(ctx, f.st, f.query, f.by[0], f.top, 0)
		if err != nil {
			return nil, err
		}
		b.Title, b.XLabel = "Sum of "+f.value+" by "+f.by[0], f.value
		for _, v := range d.Top {
			n, err := statistics.CountNumbers(ctx, f.st, fmt.Sprintf("%s | filter %q:=%q", f.query, f.by[0], v.Value), f.value)
			if err != nil {
				return nil, err
			}
			b.Items = append(b.Items, chart.Item{Label: v.Value, Value: n.Sum()})
		}
		return b, nil
	}
	if len(f.by) == 1 {
		d, err := statistics.Count(ctx, f.st, f.query, f.by[0], f.top, 0)
		if err != nil {
			return nil, err
		}
		rest := d.With
		for _, v := range d.Top {
			b.Items = append(b.Items, chart.Item{Label: v.Value, Value: float64(v.Count)})
			rest -= v.Count
		}
		if more := d.Distinct - int64(len(d.Top)); more > 0 {
			b.XLabel = fmt.Sprintf("records (%s in %s more values)", thousands(rest), thousands(more))
		}
		return b, nil
	}
	t, err := statistics.Cross(ctx, f.st, f.query, f.by[0], f.by[1], f.top, 6)
	if err != nil {
		return nil, err
	}
	b.Title += " and " + f.by[1]
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

func (f *chartCommand) histogram() (chart.Chart, error) {
	n, err := statistics.CountNumbers(f.c.Context(), f.st, f.query, f.value)
	if err != nil {
		return nil, err
	}
	label := "records"
	const most = 200_000
	if n.N > most {
		label = fmt.Sprintf("records (of %s, as quantiles)", thousands(n.N))
	}
	return chart.Histogram{Title: "Distribution of " + f.value, XLabel: f.value, YLabel: label, Unit: f.unitOf(), Values: n.Expand(most)}, nil
}

func (f *chartCommand) series(lines bool) (chart.Chart, error) {
	if f.step < 0 || f.step > 0 && f.step < time.Second {
		return nil, usagef("--step %s: want 1s or more", f.step)
	}
	by := ""
	if len(f.by) == 1 {
		by = f.by[0]
	}
	s, err := statistics.CountOverTime(f.c.Context(), f.st, f.query, by, f.value, f.step, f.top)
	if err != nil {
		return nil, err
	}
	what := "Records"
	if f.value != "" {
		what = f.value
	}
	ts := chart.TimeSeries{Title: what + " over time", YLabel: strings.ToLower(what[:1]) + what[1:] + " per " + shortStep(s.Step), Unit: f.unitOf(), Lines: lines}
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

func shortStep(d time.Duration) string {
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
	}
	return d.String()
}

func (f *chartCommand) line() (chart.Chart, error) { return f.series(true) }
func (f *chartCommand) area() (chart.Chart, error) { return f.series(false) }

func (f *chartCommand) heatmap() (chart.Chart, error) {
	ctx := f.c.Context()
	switch len(f.by) {
	case 0:
		hours, err := statistics.CountByHour(ctx, f.st, f.query)
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
	case 1:
		return nil, usagef("--by names 1 field; chart heatmap wants two, or none for weekday and hour")
	}
	t, err := statistics.Cross(ctx, f.st, f.query, f.by[0], f.by[1], f.top, f.top)
	if err != nil {
		return nil, err
	}
	h := chart.HeatMap{Title: "Records by " + f.by[0] + " and " + f.by[1], XLabel: f.by[1], YLabel: f.by[0], Rows: t.Rows, Cols: t.Cols}
	for _, row := range t.Counts {
		cells := make([]float64, len(row))
		for i, n := range row {
			cells[i] = float64(n)
		}
		h.Cells = append(h.Cells, cells)
	}
	return h, nil
}

func (f *chartCommand) calendar() (chart.Chart, error) {
	days, err := statistics.CountByDay(f.c.Context(), f.st, f.query)
	if err != nil {
		return nil, err
	}
	return calendarOf("Records by day (UTC)", days), nil
}

func calendarOf(title string, days map[int64]int64) chart.Calendar {
	c := chart.Calendar{Title: title}
	for d, n := range days {
		c.Days = append(c.Days, chart.Day{At: time.Unix(d*86400, 0).UTC(), Value: float64(n)})
	}
	return c
}

func (f *chartCommand) scatter() (chart.Chart, error) {
	group := ""
	if len(f.by) == 1 {
		group = f.by[0]
	}
	const most = 50_000
	points, total, err := statistics.Points(f.c.Context(), f.st, f.query, f.x, f.value, group, most)
	if err != nil {
		return nil, err
	}
	s := chart.Scatter{Title: f.value + " over time", YLabel: f.value, Unit: f.unitOf(), Times: f.x == "_time"}
	if !s.Times {
		s.Title, s.XLabel = f.value+" by "+f.x, f.x
		if strings.HasSuffix(f.x, ".bytes") {
			s.XUnit = "B"
		}
	}
	if total > most {
		s.Title += fmt.Sprintf(" (%s of %s records)", thousands(most), thousands(total))
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

func (f *chartCommand) box() (chart.Chart, error) {
	ctx := f.c.Context()
	b := chart.Boxes{Title: "Distribution of " + f.value, XLabel: f.value, Unit: f.unitOf()}
	groups := []string{""}
	if len(f.by) == 1 {
		d, err := statistics.Count(ctx, f.st, fmt.Sprintf("%s | filter %q:*", f.query, f.value), f.by[0], f.top, 0)
		if err != nil {
			return nil, err
		}
		b.Title += " by " + f.by[0]
		groups = nil
		for _, v := range d.Top {
			groups = append(groups, v.Value)
		}
	}
	for _, g := range groups {
		q, label := f.query, "all"
		if len(f.by) == 1 {
			q, label = fmt.Sprintf("%s | filter %q:=%q", q, f.by[0], g), g
		}
		n, err := statistics.CountNumbers(ctx, f.st, q, f.value)
		if err != nil {
			return nil, err
		}
		box := chart.BoxOf(label, n.Expand(20_000))
		box.N = int(n.N)
		b.Items = append(b.Items, box)
	}
	return b, nil
}

func (f *chartCommand) sankey() (chart.Chart, error) {
	paths, err := statistics.CountPaths(f.c.Context(), f.st, f.query, f.by, f.top)
	if err != nil {
		return nil, err
	}
	k := chart.Sankey{Title: "Records by " + strings.Join(f.by, " → "), Stages: f.by}
	for _, p := range paths {
		k.Flows = append(k.Flows, chart.Flow{Path: p.Values, Value: float64(p.Count)})
	}
	return k, nil
}

func (f *chartCommand) graph() (chart.Chart, error) {
	g := chart.Graph{Title: "Which " + strings.Join(f.by, ", ") + " occur together", Kinds: f.by}
	index := map[[2]string]int{}
	node := func(kind int, name string) int {
		key := [2]string{f.by[kind], name}
		i, ok := index[key]
		if !ok {
			i = len(g.Nodes)
			index[key] = i
			g.Nodes = append(g.Nodes, chart.Node{Name: name, Kind: kind})
		}
		return i
	}
	for i := range len(f.by) - 1 {
		pairs, err := statistics.CountPaths(f.c.Context(), f.st, f.query, f.by[i:i+2], f.top)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			g.Edges = append(g.Edges, chart.Edge{From: node(i, p.Values[0]), To: node(i+1, p.Values[1]), Value: float64(p.Count)})
		}
	}
	return g, nil
}
