package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

func render(t testing.TB, f func(io.Writer, Figure, Options) error, fig Figure, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, fig, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSameFigureGivesSameBytes(t *testing.T) {
	first, second := gallery(), gallery()
	for i := range first {
		for name, f := range map[string]func(io.Writer, Figure, Options) error{"SVG": SVG, "PNG": PNG, "Terminal": Terminal} {
			if a, b := render(t, f, first[i].fig, Options{}), render(t, f, second[i].fig, Options{}); !bytes.Equal(a, b) {
				t.Errorf("%s of %s differs between two renderings", name, first[i].name)
			}
		}
	}
}

// checkSVG reads the XML and returns the text of all text elements.
func checkSVG(t testing.TB, name string, svg []byte) []string {
	t.Helper()
	allowed := []string{"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text"}
	d := xml.NewDecoder(bytes.NewReader(svg))
	d.Strict = true
	var texts, stack []string
	titles := map[string]bool{}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: not well-formed XML: %v", name, err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			stack = append(stack, e.Name.Local)
			if !slices.Contains(allowed, e.Name.Local) {
				t.Fatalf("%s: unexpected element <%s>", name, e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Fatalf("%s: unexpected attribute %s", name, a.Name.Local)
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Fatalf("%s: attribute %s=%q", name, a.Name.Local, a.Value)
				}
				if e.Name.Local == "rect" && a.Value[0] == '-' {
					t.Fatalf("%s: rectangle with %s=%s", name, a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) == 3 && stack[2] == "text" {
				texts = append(texts, string(e))
			}
			if len(stack) == 2 && (stack[1] == "title" || stack[1] == "desc") && strings.TrimSpace(string(e)) != "" {
				titles[stack[1]] = true
			}
		}
	}
	if !titles["title"] {
		t.Errorf("%s: SVG without title", name)
	}
	return texts
}

func TestSVGIsWellFormedSelfContainedAndNamed(t *testing.T) {
	for _, p := range gallery() {
		for _, theme := range []Theme{Light, Dark, Auto} {
			svg := render(t, SVG, p.fig, Options{Theme: theme})
			checkSVG(t, p.name, svg)
			if bytes.Contains(svg, []byte("url(")) || bytes.Count(svg, []byte("http")) != 1 { // the namespace
				t.Errorf("%s: SVG refers to something outside", p.name)
			}
		}
	}
}

func TestAutoThemeStylesEveryMark(t *testing.T) {
	svg := string(render(t, SVG, gallery()[0].fig, Options{Theme: Auto}))
	for _, line := range strings.Split(svg, "\n") {
		if (strings.HasPrefix(line, "<rect") || strings.HasPrefix(line, "<text") || strings.HasPrefix(line, "<path")) && !strings.Contains(line, `class="`) {
			t.Fatalf("mark without a class: %s", line)
		}
	}
	if !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Error("no dark style sheet")
	}
}

func TestTwoPicturesOnOnePageHaveDifferentIdentifiers(t *testing.T) {
	g := gallery()
	id := func(p picture) string {
		s := string(render(t, SVG, p.fig, Options{}))
		_, s, _ = strings.Cut(s, `<title id="`)
		s, _, _ = strings.Cut(s, `"`)
		return s
	}
	if id(g[0]) == id(g[1]) {
		t.Error("both are", id(g[0]))
	}
}

func TestHostileLabelsAreShownAndHarmless(t *testing.T) {
	fig := one(Bars{Title: hostile, Items: []Item{{Label: hostile, Value: 3}, {Label: "<b>&", Value: 2}}})
	texts := checkSVG(t, "hostile", render(t, SVG, fig, Options{Theme: Auto}))
	if !slices.Contains(texts, "<b>&") {
		t.Errorf("label lost: %q", texts)
	}
	for _, colour := range []bool{false, true} {
		out := string(render(t, Terminal, fig, Options{Colour: colour}))
		if colour {
			for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[38;5;32m"} {
				out = strings.ReplaceAll(out, code, "")
			}
		}
		for _, r := range out {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("colour %v: control character %U in %q", colour, r, out)
			}
		}
	}
}

func TestPNGHasTheSizeAndScaleAskedFor(t *testing.T) {
	fig := gallery()[0].fig
	for _, c := range []struct {
		o    Options
		w, h int
	}{{Options{}, 900, 0}, {Options{Scale: 2}, 1800, 0}, {Options{Width: 700, Height: 500}, 700, 500}, {Options{Width: 700, Height: 500, Scale: 2}, 1400, 1000}} {
		img, err := png.Decode(bytes.NewReader(render(t, PNG, fig, c.o)))
		if err != nil {
			t.Fatal(err)
		}
		b := img.Bounds()
		if b.Dx() != c.w || c.h != 0 && (b.Dy() < c.h-2 || b.Dy() > c.h+2) {
			t.Errorf("%+v: %v, want %d×%d", c.o, b, c.w, c.h)
		}
	}
}

// TestPNGBarsAreAsTallAsTheirValues reads the picture back: the pixels of the
// bars' colour must be in the ratio of the values.
func TestPNGBarsAreAsTallAsTheirValues(t *testing.T) {
	values := []float64{100, 50, 25, 75}
	var b Bars
	for _, v := range values {
		b.Items = append(b.Items, Item{Label: "x", Value: v})
	}
	img, err := png.Decode(bytes.NewReader(render(t, PNG, one(b), Options{})))
	if err != nil {
		t.Fatal(err)
	}
	want := light[series0]
	var heights []int
	inBar := false
	for x := range img.Bounds().Dx() {
		n := 0
		for y := range img.Bounds().Dy() {
			if r, g, bl, _ := img.At(x, y).RGBA(); uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(bl>>8) == want.B {
				n++
			}
		}
		if n > 0 && !inBar {
			heights = append(heights, n)
		}
		inBar = n > 0
	}
	if len(heights) != len(values) {
		t.Fatalf("%d bars, want %d", len(heights), len(values))
	}
	for i, h := range heights {
		if r := float64(h) / float64(heights[0]); math.Abs(r-values[i]/100) > 0.01 {
			t.Errorf("bar %d is %.3f of the first, want %.2f", i, r, values[i]/100)
		}
	}
}

func TestTextStaysInsideThePicture(t *testing.T) {
	for _, p := range gallery() {
		for _, width := range []int{0, 400, 1400} {
			s := compose(p.fig, Options{Width: width})
			for _, m := range s.marks {
				if m.shape != textShape {
					continue
				}
				f := s.regular
				if m.bold {
					f = s.bold
				}
				w := f.width(m.text, m.size)
				from, to := 0.0, w
				switch m.anchor {
				case middle:
					from, to = -w/2, w/2
				case end:
					from, to = -w, 0
				}
				sin, cos := math.Sincos(m.angle * math.Pi / 180)
				for _, d := range []float64{from, to} {
					x, y := m.pts[0].x+d*cos, m.pts[0].y+d*sin
					if x < -1 || x > s.w+1 || y < 0 || y > s.h+1 {
						t.Errorf("%s at %d: text %q reaches (%.0f, %.0f) of %.0f×%.0f", p.name, width, m.text, x, y, s.w, s.h)
					}
				}
			}
		}
	}
}

// Text is measured by the widest font it may be shown in, so what does not
// overlap here does not overlap for anybody.
func TestTextsDoNotOverlap(t *testing.T) {
	type box struct {
		text string
		rect
	}
	for _, p := range gallery() {
		for _, width := range []int{400, 640, 900, 1400} {
			s := compose(p.fig, Options{Width: width})
			var boxes []box
			for _, m := range s.marks {
				if m.shape != textShape || m.angle == -45 {
					continue
				}
				f := s.regular
				if m.bold {
					f = s.bold
				}
				w := f.width(m.text, m.size)
				from := [...]float64{0, -w / 2, -w}[m.anchor]
				// From the height of a capital to half of a descender.
				b := box{m.text, rect{m.pts[0].x + from, m.pts[0].y - 0.72*m.size, w, 0.82 * m.size}}
				if m.angle == -90 {
					b.rect = rect{m.pts[0].x - 0.72*m.size, m.pts[0].y - from - w, 0.82 * m.size, w}
				}
				for _, o := range boxes {
					if min(b.right(), o.right())-max(b.x, o.x) > 0.5 && min(b.bottom(), o.bottom())-max(b.y, o.y) > 0.5 {
						t.Errorf("%s at %d: %q lies on %q", p.name, width, b.text, o.text)
					}
				}
				boxes = append(boxes, b)
			}
		}
	}
}

func TestTerminalKeepsToItsColumns(t *testing.T) {
	for _, p := range gallery() {
		for _, columns := range []int{24, 40, 80, 117, 200} {
			for i, line := range strings.Split(string(render(t, Terminal, p.fig, Options{Columns: columns})), "\n") {
				if n := Cells(line); n > columns {
					t.Errorf("%s at %d columns: line %d has %d cells: %q", p.name, columns, i, n, line)
				}
			}
		}
	}
}

func TestTerminalWritesEscapesOnlyWhenAsked(t *testing.T) {
	fig := gallery()[0].fig
	if out := render(t, Terminal, fig, Options{}); bytes.Contains(out, []byte("\x1b")) {
		t.Error("escape sequence without being asked")
	}
	if out := render(t, Terminal, fig, Options{Colour: true}); !bytes.Contains(out, []byte("\x1b[38;5;32m")) {
		t.Error("no colour though asked")
	}
}

func TestTerminalKeepsToASCIIWhenAsked(t *testing.T) {
	for _, p := range gallery() {
		usual := strings.Split(string(render(t, Terminal, p.fig, Options{})), "\n")
		for i, line := range strings.Split(string(render(t, Terminal, p.fig, Options{ASCII: true})), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e || r < 0x20 }) || Cells(line) != Cells(usual[i]) {
				t.Errorf("%s: %q for %q", p.name, line, usual[i])
			}
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                    "plain",
		"a\tb\r\nc":                "a b  c",
		"\x1b[2J":                  "\ufffd[2J",
		"\u202eabc":                "\ufffdabc",
		"\xff":                     "\ufffd",
		"\u009b31m":                "\ufffd31m",
		"می\u200cخواهم":            "میخواهم",
		"日本":                       "日本",
		strings.Repeat("x", 1<<20): strings.Repeat("x", maxRunes) + "…",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%.20q) = %.40q, want %.40q", in, got, want)
		}
	}
}

func TestFitCountsWideCharactersTwice(t *testing.T) {
	for _, c := range []struct {
		in    string
		cells int
		want  string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abc…f"}, {"service-account-7", 10, "servic…t-7"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"xxxxxxe\u0301", 4, "xx…e\u0301"}, {"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"ab", 0, ""}} {
		if got := Fit(c.in, c.cells); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.in, c.cells, got, c.want)
		}
	}
}

func TestValuesFarApartOnBothSidesOfZeroGetAScaleByRatios(t *testing.T) {
	values := []float64{-5, 0, 0, 1, 7, 2e4, 3e6, 1e15}
	a := suits(values, 6, "")
	if a.near == 0 || a.lo > -5 || a.hi < 1e15 || !slices.Contains(a.ticks, 0) || len(a.ticks) > 9 {
		t.Fatalf("%+v", a)
	}
	last := -1.0
	for _, v := range values {
		at := a.at(v)
		if at < 0 || at > 1 || at < last || v > 1 && at < last+0.02 {
			t.Errorf("%v lies at %v, what is below at %v", v, at, last)
		}
		last = at
	}
	if !slices.IsSorted(a.ticks) {
		t.Errorf("ticks %v", a.ticks)
	}
	if a := suits([]float64{-5, 3, 8, 20}, 5, ""); a.near != 0 {
		t.Errorf("near values are not shown evenly: %+v", a)
	}
	h := Histogram{Values: values}
	var got []string
	b := h.bin()
	for i, x := range b.bins {
		if x.count > 0 {
			got = append(got, fmt.Sprint(b.label(i, ""), ":", x.count))
		}
	}
	if want := "−7–−4:1 0:2 1:1 4–7:1 16,384–32,767:1"; !strings.HasPrefix(strings.Join(got, " "), want) {
		t.Errorf("bins %v", got)
	}
}

func TestScaleHasRoundTicksThatCoverTheData(t *testing.T) {
	for _, c := range []struct {
		lo, hi  float64
		unit    string
		integer bool
		labels  []string
	}{
		{0, 90, "", true, []string{"0", "20", "40", "60", "80", "100"}},
		{0, 1, "", true, []string{"0", "1"}},
		{0, 1, "", false, []string{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		{0, 3, "", true, []string{"0", "1", "2", "3"}},
		{0, 12345, "", true, []string{"0", "2,500", "5,000", "7,500", "10,000", "12,500"}},
		{0, 4.2e6, "", true, []string{"0", "1M", "2M", "3M", "4M", "5M"}},
		{0, 4e9, "B", true, []string{"0", "1 GiB", "2 GiB", "3 GiB", "4 GiB"}},
		{0, 0, "", true, []string{"0", "1"}},
		{-80, 120, "", true, []string{"−100", "−50", "0", "50", "100", "150"}},
		{0, 0.003, "s", false, []string{"0", "0.001 s", "0.002 s", "0.003 s"}},
	} {
		a := newScale(c.lo, c.hi, 5, c.unit, c.integer)
		if !slices.Equal(a.labels, c.labels) {
			t.Errorf("%v to %v %q: %q, want %q", c.lo, c.hi, c.unit, a.labels, c.labels)
		}
		if a.lo > c.lo || a.hi < c.hi {
			t.Errorf("%v to %v: scale covers only %v to %v", c.lo, c.hi, a.lo, a.hi)
		}
	}
}

func TestHistogramCountsEveryValueOnce(t *testing.T) {
	sets := map[string][]float64{
		"one": {5}, "equal": {2, 2, 2}, "fraction": {0.1, 0.2, 0.3, 0.35, 0.9}, "negative": {-5, -3, 0, 4},
		"wide": {1, 1e300}, "huge": {math.MaxFloat64, -math.MaxFloat64, 0}, "close": {1e16, 1e16 + 2}, "missing": {math.NaN(), 1, math.Inf(1), 2},
		"tail": append(slices.Repeat([]float64{1, 2, 1, 3}, 100), 0, 900), "edge": {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100},
	}
	for name, values := range sets {
		for _, bins := range []int{0, 1, 7, 50} {
			want := 0
			for _, v := range values {
				if finite(v) {
					want++
				}
			}
			b := Histogram{Values: values, Bins: bins}.bin()
			got := 0
			for i, x := range b.bins {
				got += x.count
				if i > 0 && b.bins[i-1].hi != x.lo || !(x.lo < x.hi) {
					t.Errorf("%s/%d: bins do not follow each other: %+v", name, bins, b.bins)
				}
				n := 0
				for _, v := range values {
					if finite(v) && clampValue(v) >= x.lo && (clampValue(v) < x.hi || i == len(b.bins)-1) {
						n++
					}
				}
				if n != x.count {
					t.Errorf("%s/%d: bin %v–%v holds %d, counted %d", name, bins, x.lo, x.hi, n, x.count)
				}
			}
			if got != want {
				t.Errorf("%s/%d: %d values in bins, want %d", name, bins, got, want)
			}
		}
	}
}

func TestHistogramOfFewIntegersHasABinForEach(t *testing.T) {
	b := Histogram{Values: []float64{1, 1, 2, 5}}.bin()
	var labels []string
	for i := range b.bins {
		labels = append(labels, b.label(i, ""))
	}
	if want := []string{"1", "2", "3", "4", "5"}; !slices.Equal(labels, want) {
		t.Errorf("bins %q, want %q", labels, want)
	}
}

func TestTimeTicksFallOnRoundTimes(t *testing.T) {
	from := time.Date(2026, 1, 5, 10, 17, 3, 0, time.UTC)
	for _, c := range []struct {
		span time.Duration
		want string
	}{
		{time.Second * 10, "10:17:04"}, {time.Hour, "10:20"}, {24 * time.Hour, "12:00"},
		{7 * 24 * time.Hour, "6 Jan"}, {90 * 24 * time.Hour, "19 Jan"}, {400 * 24 * time.Hour, "Apr"}, {40 * 365 * 24 * time.Hour, "2030"},
	} {
		ticks := timeTicks(float64(from.Unix()), float64(from.Add(c.span).Unix()), 8, time.UTC)
		if len(ticks) < 2 || len(ticks) > 12 {
			t.Errorf("%v: %d ticks", c.span, len(ticks))
		}
		if !slices.ContainsFunc(ticks, func(k timeTick) bool { return k.label == c.want }) {
			t.Errorf("%v: no tick %q in %+v", c.span, c.want, ticks)
		}
	}
}

func TestSeriesBeyondThePaletteAreFoldedNotLost(t *testing.T) {
	ts := TimeSeries{Times: []time.Time{time.Unix(0, 0), time.Unix(60, 0)}}
	for i := range 20 {
		ts.Series = append(ts.Series, Series{Name: "s", Values: []float64{float64(i), 1}})
	}
	k := ts.prepare()
	if len(k.values) != seriesInks+1 || k.total(0) != 190 || k.total(1) != 20 {
		t.Errorf("%d series, totals %v and %v; want %d, 190, 20", len(k.values), k.total(0), k.total(1), seriesInks+1)
	}
}

func TestThinningKeepsThePeak(t *testing.T) {
	ts := TimeSeries{Series: []Series{{Values: make([]float64, 100000)}}}
	for i := range 100000 {
		ts.Times = append(ts.Times, time.Unix(int64(i), 0))
		ts.Series[0].Values[i] = 1
	}
	ts.Series[0].Values[77777] = 500
	k := ts.prepare().thin(800)
	if len(k.t) != 800 || slices.Max(k.values[0]) != 500 {
		t.Errorf("%d points, peak %v", len(k.t), slices.Max(k.values[0]))
	}
}

func TestUnsortedTimesDrawTheSamePicture(t *testing.T) {
	a := TimeSeries{Series: []Series{{Name: "x"}}}
	b := TimeSeries{Series: []Series{{Name: "x"}}}
	for i := range 50 {
		a.Times = append(a.Times, time.Unix(int64(i*3600), 0))
		a.Series[0].Values = append(a.Series[0].Values, float64(i%7))
		j := 49 - i
		b.Times = append(b.Times, time.Unix(int64(j*3600), 0))
		b.Series[0].Values = append(b.Series[0].Values, float64(j%7))
	}
	if !bytes.Equal(render(t, SVG, one(a), Options{}), render(t, SVG, one(b), Options{})) {
		t.Error("order of the input changes the picture")
	}
}

func TestInksAreLegibleInBothThemes(t *testing.T) {
	for _, theme := range []Theme{Light, Dark} {
		p := theme.colours()
		for _, i := range []ink{text, muted} {
			if c := contrast(p[i], p[ground]); c < 4.5 {
				t.Errorf("theme %d: text ink %d has contrast %.1f, WCAG AA asks for 4.5", theme, i, c)
			}
		}
		for i := heat0 + 1; i < pale0; i++ {
			if i > heat0+1 && contrast(p[i], p[ground]) <= contrast(p[i-1], p[ground]) {
				t.Errorf("theme %d: heat ink %d does not stand out more than the one before", theme, i)
			}
			on := text
			if onHeat(i) {
				on = ground
			}
			if c := contrast(p[on], p[i]); c < 4.5 {
				t.Errorf("theme %d: number on heat ink %d has contrast %.1f", theme, i, c)
			}
		}
		for i := pale0; int(i) < inkCount; i++ {
			if c := contrast(p[text], p[i]); c < 4.5 {
				t.Errorf("theme %d: text on pale ink %d has contrast %.1f", theme, i, c)
			}
		}
	}
}

func FuzzLabelsAndValues(f *testing.F) {
	f.Add("alice", 3.0, 80)
	f.Add(hostile, math.Inf(-1), 1)
	f.Add("\u0301\u0301", 1e-300, 30)
	f.Fuzz(func(t *testing.T, label string, value float64, width int) {
		fig := Figure{Title: label, Subtitle: label, Caption: []string{label}, Panels: []Chart{
			Bars{Title: label, XLabel: label, YLabel: label, Unit: label, Items: []Item{{Label: label, Value: value}, {Label: "b", Value: 1}, {Label: label, Parts: []float64{value, 2}}}},
			Bars{Horizontal: true, Items: []Item{{Label: label, Value: value}, {Label: label, Value: -value}}},
			Histogram{XLabel: label, Values: []float64{value, 1, 2, value * 3}, Bins: width % 64},
			TimeSeries{YLabel: label, Times: []time.Time{time.Unix(int64(width), 0), time.Unix(0, 0)}, Series: []Series{{Name: label, Values: []float64{value, 1}}}, Lines: width%2 == 0},
			HeatMap{Rows: []string{label, "r"}, Cols: []string{label}, Cells: [][]float64{{value}, {1}}},
			Calendar{Title: label, Unit: label, Days: []Day{{time.Unix(int64(width)*86400, 0), value}, {time.Unix(0, 0), 3}}},
			Scatter{XLabel: label, XUnit: label, Clouds: []Cloud{{label, []float64{value, 1, 2e9}, []float64{1, value, -value}}}},
			Scatter{Times: true, Clouds: []Cloud{{label, []float64{float64(width), 0}, []float64{1, value}}}},
			Boxes{XLabel: label, Items: []Box{BoxOf(label, []float64{value, 1, 2, 3, 4, value * 9})}},
			Sankey{Stages: []string{label, label}, Flows: []Flow{{[]string{label, label}, value}, {[]string{"a", label}, 1}}},
			Graph{Kinds: []string{label}, Nodes: []Node{{label, width}, {"a", 1}}, Edges: []Edge{{0, 1, value, label}, {width, 0, 1, ""}}},
		}}
		checkSVG(t, "fuzz", render(t, SVG, fig, Options{Width: width, ID: label}))
		columns := min(max(width, 24), 300)
		for _, line := range strings.Split(string(render(t, Terminal, fig, Options{Columns: columns})), "\n") {
			if Cells(line) > columns {
				t.Fatalf("line of %d cells at %d columns: %q", Cells(line), columns, line)
			}
		}
		if width%16 == 0 {
			render(t, PNG, fig, Options{Width: min(width, 600)})
		}
	})
}

func BenchmarkSVG(b *testing.B) {
	fig := gallery()[0].fig
	for b.Loop() {
		render(b, SVG, fig, Options{})
	}
}

func BenchmarkPNG(b *testing.B) {
	fig := gallery()[0].fig
	for b.Loop() {
		render(b, PNG, fig, Options{Scale: 2})
	}
}
