package chart

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The gallery holds every kind in its ordinary and its awkward states. With
// -gallery DIR it is written out to be looked at.
var galleryDir = flag.String("gallery", "", "write the pictures of the gallery to this directory")

type picture struct {
	name string
	fig  Figure
}

const hostile = "\x1b[31mred\x1b[0m </text><script>alert(1)</script> & \"q\" \u202eevil\u202c \xff\x00 日本語 テスト"

func one(c Chart) Figure { return Figure{Panels: []Chart{c}} }

func gallery() []picture {
	r := rand.New(rand.NewPCG(1, 2))
	users := Bars{Title: "Top 10 users by login attempts", XLabel: "User", YLabel: "Login attempts", RotateLabels: true}
	for i := range 10 {
		users.Items = append(users.Items, Item{Label: fmt.Sprintf("user_%04d", i*37), Value: math.Round(90 / float64(i+1))})
	}
	parts := users
	parts.Title, parts.Parts = "Stacked: successes and failures", []string{"succeeded", "failed"}
	parts.Items = nil
	for i, it := range users.Items {
		parts.Items = append(parts.Items, Item{Label: it.Label, Parts: []float64{it.Value * 0.7, it.Value * 0.3 * float64(i%3)}})
	}
	attempts := Histogram{Title: "Attempts per user", XLabel: "Login attempts", YLabel: "Users"}
	for i := range 120 {
		attempts.Values = append(attempts.Values, math.Round(90/float64(i+1))+1)
	}
	tail := Histogram{Title: "Attempts per user, 50,000 users", XLabel: "Login attempts", YLabel: "Users"}
	for i := range 50000 {
		tail.Values = append(tail.Values, math.Round(36000/float64(i+3))+1)
	}
	normal := Histogram{Title: "Round-trip time", XLabel: "Milliseconds", YLabel: "Requests", Unit: "ms"}
	for range 3000 {
		normal.Values = append(normal.Values, 40+7*r.NormFloat64())
	}
	across := users
	across.Horizontal, across.Title = true, "Bytes sent by process"
	across.XLabel, across.YLabel, across.Unit, across.Items = "Bytes", "", "B", nil
	for i := range 14 {
		across.Items = append(across.Items, Item{Label: fmt.Sprintf("C:\\Windows\\System32\\process%d-with-a-very-long-name-indeed.exe", i), Value: 4e9 / math.Pow(2.2, float64(i))})
	}
	week := TimeSeries{Title: "Events over a week", YLabel: "Events per hour"}
	monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	names := []string{"auth", "web", "firewall", "sysmon"}
	for h := range 24 * 7 {
		week.Times = append(week.Times, monday.Add(time.Duration(h)*time.Hour))
	}
	for j, n := range names {
		s := Series{Name: n}
		for h := range 24 * 7 {
			day := 1 + math.Sin(float64(h%24-6)*math.Pi/12)
			s.Values = append(s.Values, math.Round((100+300*day)*(0.5+r.Float64())/float64(j+1)))
		}
		week.Series = append(week.Series, s)
	}
	lines := week
	lines.Lines, lines.Title = true, "Events over a week, as lines"
	many := TimeSeries{Title: "Twelve series", Times: week.Times[:48], YLabel: "Events"}
	for j := range 12 {
		s := Series{Name: fmt.Sprintf("service-%d", j)}
		for range 48 {
			s.Values = append(s.Values, float64(r.IntN(20*(j+1))))
		}
		many.Series = append(many.Series, s)
	}
	var counts [7][24]float64
	for d := range 7 {
		for h := range 24 {
			busy := max(0.02, math.Sin(float64(h-6)*math.Pi/14))
			if d > 4 {
				busy *= 0.2
			}
			counts[d][h] = math.Round(400 * busy * (0.7 + 0.6*r.Float64()))
		}
	}
	heat := HourWeekday("Logins by hour and weekday (UTC)", &counts)
	spiky := counts
	spiky[2][3] = 1e6
	words := []string{"admin", "a", strings.Repeat("long", 40), hostile, "root"}
	var nasty Bars
	nasty.Title, nasty.XLabel, nasty.YLabel = hostile, hostile, hostile
	for i, w := range words {
		nasty.Items = append(nasty.Items, Item{Label: w, Value: float64(i * i)})
	}
	decades := TimeSeries{Title: "Decades apart", Times: []time.Time{time.Unix(0, 0), monday, monday.AddDate(60, 0, 0)},
		Series: []Series{{Name: "a", Values: []float64{3, 9, 1}}}}
	odd := Bars{Title: "Huge, negative, missing", Items: []Item{{Label: "huge", Value: math.MaxFloat64}, {Label: "negative", Value: -1e307},
		{Label: "NaN", Value: math.NaN()}, {Label: "Inf", Value: math.Inf(1)}}}
	minus := Bars{Title: "Change since last week", YLabel: "Events", Items: []Item{{Label: "auth", Value: 120}, {Label: "web", Value: -80}, {Label: "dns", Value: 3}, {Label: "none", Value: math.NaN()}}}
	crowd := Bars{Title: "Five hundred bars", YLabel: "Events"}
	for i := range 500 {
		crowd.Items = append(crowd.Items, Item{Label: fmt.Sprintf("host-%03d", i), Value: float64(500 - i)})
	}

	var year, short, epochs Calendar
	year.Title, short.Title, epochs.Title = "Records by day", "Three weeks", "Years apart"
	for d := range 400 {
		v := math.Round(500 * r.Float64())
		if d%7 == 0 || d%7 == 6 {
			v = math.Round(v / 10)
		}
		year.Days = append(year.Days, Day{monday.AddDate(0, 0, d), v})
		if d < 21 {
			short.Days = append(short.Days, Day{monday.AddDate(0, 0, d), v})
		}
	}
	for y := range 12 {
		epochs.Days = append(epochs.Days, Day{monday.AddDate(5*y, y, 0), float64(y)})
	}
	cloud := Scatter{Title: "Bytes by duration", XLabel: "Duration", XUnit: "s", YLabel: "Bytes", Unit: "B"}
	for j := range 3 {
		c := Cloud{Name: names[j]}
		for range 80 {
			x := math.Exp(3 * r.NormFloat64())
			c.X, c.Y = append(c.X, x), append(c.Y, 100*x*math.Exp(r.NormFloat64())*float64(j+1))
		}
		cloud.Clouds = append(cloud.Clouds, c)
	}
	timed := Scatter{Title: "Response times", Times: true, YLabel: "Milliseconds", Unit: "ms", Clouds: []Cloud{{}}}
	for i := range 20000 {
		timed.Clouds[0].X = append(timed.Clouds[0].X, float64(monday.Unix()+int64(i*30)))
		timed.Clouds[0].Y = append(timed.Clouds[0].Y, 40+10*r.NormFloat64()+20*math.Sin(float64(i)/3000))
	}
	boxes := Boxes{Title: "Bytes sent by user", XLabel: "bytes per request", Unit: "B"}
	for i := range 8 {
		var v []float64
		for range 200 {
			v = append(v, math.Exp(8+float64(i)/2+1.2*r.NormFloat64()))
		}
		boxes.Items = append(boxes.Items, BoxOf(fmt.Sprintf("user_%04d", i*37), v))
	}
	flows := Sankey{Title: "Who logged in from where, and to what", Stages: []string{"source.ip", "user.name", "event.outcome"}}
	for i := range 30 {
		for j := range 6 {
			if v := math.Floor(300 * r.Float64() * r.Float64() / float64(i/3+1)); v > 0 {
				flows.Flows = append(flows.Flows, Flow{[]string{fmt.Sprintf("203.0.113.%d", i), fmt.Sprintf("user_%d", (i+j)%17), []string{"success", "failure"}[j%2]}, v})
			}
		}
	}
	entities := Graph{Title: "Entities of the incident", Kinds: []string{"Address", "Account", "Host", "Process"}}
	for i, name := range []string{"203.0.113.9", "198.51.100.7", "alice", "root", "backup-service-with-a-long-name@example.com", "web1", "db1", "dc1.example.com", "/usr/bin/curl", "C:\\Windows\\System32\\cmd.exe"} {
		entities.Nodes = append(entities.Nodes, Node{name, []int{0, 0, 1, 1, 1, 2, 2, 2, 3, 3}[i]})
	}
	for _, e := range [][3]int{{0, 2, 211}, {0, 3, 40}, {1, 3, 2}, {1, 4, 1}, {2, 5, 3}, {3, 5, 9}, {4, 7, 1}, {5, 6, 4}, {5, 8, 12}, {7, 9, 2}, {6, 5, 1}, {0, 5, 3}} {
		entities.Edges = append(entities.Edges, Edge{From: e[0], To: e[1], Value: float64(e[2])})
	}
	hairball := Graph{Title: "Sixty by forty", Kinds: []string{"Address", "Host"}}
	for i := range 100 {
		hairball.Nodes = append(hairball.Nodes, Node{fmt.Sprintf("node-%03d", i), i / 60})
	}
	for i := range 60 {
		for j := range 40 {
			if (i*j)%7 == 1 {
				hairball.Edges = append(hairball.Edges, Edge{From: i, To: 60 + j, Value: float64(1 + i*j)})
			}
		}
	}
	nastyGraph := Graph{Title: hostile, Kinds: []string{hostile, strings.Repeat("k", 300)}, Nodes: []Node{{hostile, 0}, {strings.Repeat("long", 100), 1}, {"", 99}, {"x", -4}},
		Edges: []Edge{{0, 1, math.Inf(1), hostile}, {0, 1, math.MaxFloat64, hostile}, {1, 0, -5, ""}, {7, -1, 1, ""}, {2, 2, 1, ""}, {2, 3, 1, hostile}}}
	nastyFlows := Sankey{Title: hostile, Stages: []string{hostile, hostile, hostile}, Flows: []Flow{{[]string{hostile, "b", strings.Repeat("long", 100)}, math.MaxFloat64}, {[]string{"a"}, 3}, {[]string{"a", "b", "c"}, math.NaN()}, {[]string{"a", "b", "c"}, 1}}}

	return []picture{
		{"calendar", Figure{Panels: []Chart{year}}}, {"calendar-short", one(short)}, {"calendar-years", one(epochs)},
		{"scatter", one(cloud)}, {"scatter-dense", one(timed)}, {"boxes", one(boxes)}, {"sankey", one(flows)}, {"graph", one(entities)}, {"graph-many", one(hairball)},
		{"hostile-graph", Figure{Panels: []Chart{nastyGraph, nastyFlows}}},
		{"empty-new", Figure{Title: "Nothing", Panels: []Chart{Calendar{Title: "Calendar"}, Scatter{Title: "Scatter"}, Boxes{Title: "Boxes"}, Sankey{Title: "Sankey"}, Graph{Title: "Graph"}}}},
		{"one-datum-new", Figure{Title: "One datum", Panels: []Chart{
			Calendar{Title: "Calendar", Days: []Day{{monday, 4}}}, Scatter{Title: "Scatter", Clouds: []Cloud{{X: []float64{3}, Y: []float64{5}}}},
			Scatter{Title: "Timed", Times: true, Clouds: []Cloud{{X: []float64{float64(monday.Unix())}, Y: []float64{0}}}},
			Boxes{Title: "Boxes", Items: []Box{BoxOf("only", []float64{7})}}, Sankey{Title: "Sankey", Stages: []string{"a", "b"}, Flows: []Flow{{[]string{"x", "y"}, 1}}},
			Graph{Title: "Graph", Kinds: []string{"Host"}, Nodes: []Node{{"alone", 0}}}}}},
		{"worked-example", Figure{Title: "Login attempts by user", Subtitle: "network_logs.csv, 2026-01-05 to 2026-01-11 UTC", Panels: []Chart{users, attempts},
			Caption: []string{"user_0000 leads with 90 login attempts; the top ten range from 9 to 90. A caption may be long enough to be wrapped at the width of the figure, as this one is, without running over its edge.", "A second paragraph follows."}}},
		{"tail", Figure{Title: "A long tail", Panels: []Chart{parts, tail}}},
		{"across", one(across)}, {"week", one(week)}, {"lines", one(lines)}, {"many-series", one(many)},
		{"heat", one(heat)}, {"heat-spike", one(HourWeekday("One spike", &spiky))},
		{"normal", one(normal)}, {"hostile", one(nasty)},
		{"four", Figure{Title: "Four panels", Panels: []Chart{users, heat, week, normal}}},
		{"minus", Figure{Panels: []Chart{minus, odd}}}, {"crowd", one(crowd)}, {"decades", one(decades)},
		{"empty", Figure{Title: "Nothing", Panels: []Chart{Bars{Title: "Bars"}, Histogram{Title: "Histogram"}, TimeSeries{Title: "Series"}, HeatMap{Title: "Heat"}}}},
		{"one-datum", Figure{Title: "One datum", Panels: []Chart{
			Bars{Title: "Bars", Items: []Item{{Label: "only", Value: 1}}},
			Histogram{Title: "Histogram", Values: []float64{7}},
			TimeSeries{Title: "Series", Times: []time.Time{monday}, Series: []Series{{Name: "a", Values: []float64{5}}, {Name: "b", Values: []float64{2}}}},
			HeatMap{Title: "Heat", Rows: []string{"r"}, Cols: []string{"c"}, Cells: [][]float64{{3}}}}}},
		{"all-equal", Figure{Title: "All equal", Panels: []Chart{
			Bars{Title: "Bars", Items: []Item{{Label: "a", Value: 4}, {Label: "b", Value: 4}, {Label: "c", Value: 4}}},
			Histogram{Title: "Histogram", Values: []float64{0.25, 0.25, 0.25}},
			TimeSeries{Title: "Series", Times: week.Times[:10], Series: []Series{{Name: "a", Values: []float64{5, 5, 5, 5, 5, 5, 5, 5, 5, 5}}}},
			TimeSeries{Title: "Zero", Times: week.Times[:3], Series: []Series{{Name: "a", Values: []float64{0, 0, 0}}}, Lines: true}}}},
		{"nothing", Figure{}},
	}
}

func TestGalleryRendersInEveryBackendAndTheme(t *testing.T) {
	for _, p := range gallery() {
		scale := 1
		if *galleryDir != "" {
			scale = 2
		}
		for _, o := range []Options{{}, {Theme: Dark, Scale: scale}} {
			var svg, png, term bytes.Buffer
			if err := SVG(&svg, p.fig, o); err != nil {
				t.Fatalf("%s: SVG: %v", p.name, err)
			}
			if err := PNG(&png, p.fig, o); err != nil {
				t.Fatalf("%s: PNG: %v", p.name, err)
			}
			if err := Terminal(&term, p.fig, Options{Colour: o.Theme == Dark}); err != nil {
				t.Fatalf("%s: Terminal: %v", p.name, err)
			}
			if *galleryDir == "" {
				continue
			}
			name := p.name + []string{"-light", "-dark"}[o.Theme]
			for ext, b := range map[string][]byte{".svg": svg.Bytes(), ".png": png.Bytes(), ".txt": term.Bytes()} {
				if err := os.WriteFile(filepath.Join(*galleryDir, name+ext), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
