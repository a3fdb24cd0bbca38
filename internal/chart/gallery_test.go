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

	return []picture{
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
