package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Scatter shows a point for each pair of values. X is time where Times says
// so (X then holds Unix seconds). An axis is logarithmic where its values
// differ by thousands. Where there are too many points to tell apart, cells are
// shaded by how many points lie in them.
type Scatter struct {
	Title          string
	XLabel, YLabel string
	XUnit, Unit    string // as in Bars
	Times          bool
	Clouds         []Cloud
	Location       *time.Location // of the tick labels of Times; nil means UTC
}

// Cloud is a group of points in one colour, X[i] and Y[i] belonging together.
type Cloud struct {
	Name string
	X, Y []float64
}

const maxPoints = 3000 // drawn one by one

func (sc Scatter) heading() string { return sc.Title }

// dot is a point that can be drawn.
type dot struct {
	x, y float64
	c    ink
	name string
	form int
}

func (sc Scatter) dots() []dot {
	var out []dot
	for i, c := range sc.Clouds {
		for j := range min(len(c.X), len(c.Y)) {
			if finite(c.X[j]) && finite(c.Y[j]) {
				out = append(out, dot{clampValue(c.X[j]), clampValue(c.Y[j]), seriesInk(i), c.Name, i})
			}
		}
	}
	return out
}

func coordinates(dots []dot) (xs, ys []float64) {
	for _, d := range dots {
		xs, ys = append(xs, d.x), append(ys, d.y)
	}
	return xs, ys
}

// numbers are those of each cloud: how many points, and where.
func (sc Scatter) numbers() table {
	t, left := table{head: []string{"points", "count", "left", "right", "lowest", "median", "highest"}}, 0
	for _, c := range sc.Clouds {
		xs, ys := coordinates(Scatter{Clouds: []Cloud{c}}.dots())
		if len(xs) == 0 {
			continue
		}
		y := BoxOf("", ys)
		t.add(&left, cmp.Or(c.Name, "all"), grouped(float64(len(xs)), 0), sc.xText(slices.Min(xs)), sc.xText(slices.Max(xs)),
			formatValue(y.Minimum, sc.Unit), formatValue(y.Median, sc.Unit), formatValue(y.Maximum, sc.Unit))
	}
	t.more(left)
	return t
}

func (sc Scatter) describe() string {
	dots := sc.dots()
	if len(dots) == 0 {
		return "Scatter chart" + quoted(sc.Title) + ": no data."
	}
	top := dots[0]
	for _, d := range dots {
		if d.y > top.y {
			top = d
		}
	}
	return fmt.Sprintf("Scatter chart%s of %s; the highest, %s, at %s.", quoted(sc.Title), prose.Count(len(dots), "point"), formatValue(top.y, sc.Unit), sc.xText(top.x))
}

func (sc Scatter) zone() *time.Location {
	if sc.Location == nil {
		return time.UTC
	}
	return sc.Location
}

func (sc Scatter) xText(x float64) string {
	if sc.Times {
		return moment(x, sc.zone())
	}
	return formatValue(x, sc.XUnit)
}

func (sc Scatter) height(_ *scene, width float64) float64 { return min(max(width*0.5, 260), 440) }

// xScale is the scale of the x axis, its ticks included.
func (sc Scatter) xScale(xs []float64, room float64) (axisScale, []string) {
	if !sc.Times {
		a := suits(xs, max(2, int(room/90)), sc.XUnit)
		return a, make([]string, len(a.ticks))
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, x := range xs {
		lo, hi = min(lo, x), max(hi, x)
	}
	if lo == hi {
		lo, hi = lo-30, hi+30
	}
	a := axisScale{lo: lo, hi: hi}
	var under []string
	for _, t := range timeTicks(lo, hi, max(2, int(room/90)), sc.zone()) {
		a.ticks, a.labels, under = append(a.ticks, t.at), append(a.labels, t.label), append(under, t.under)
	}
	return a, under
}

func (sc Scatter) draw(s *scene, area rect) {
	var legend []entry
	for i, c := range sc.Clouds {
		if i <= seriesInks {
			legend = append(legend, entry{name: c.Name, ink: seriesInk(i), dot: true})
		}
	}
	if n := len(sc.Clouds) - seriesInks; n > 1 {
		legend[seriesInks].name = fmt.Sprintf("other (%d)", n)
	}
	dots := sc.dots()
	dense := len(dots) > maxPoints
	if dense {
		legend = nil // its colours say how many
	}
	area = s.header(area, sc.Title, legend)
	if len(dots) == 0 {
		s.empty(area)
		return
	}
	xs, ys := coordinates(dots)
	y := suits(ys, 5, sc.Unit)
	below := tickSize + 12
	if sc.Times {
		below += tickSize + 2
	}
	foot := point{area.x, area.bottom() - 12}
	if dense {
		area.h -= 24
	}
	f := s.newFrame(area, y, sc.XLabel, sc.YLabel, below, 0)
	x, under := sc.xScale(xs, f.area.w)
	px := func(v float64) float64 { return f.area.x + x.at(v)*f.area.w }
	left := area.x
	if sc.Times {
		left = s.zone(f, area.x, sc.zone(), xs[0])
	}
	for i, t := range x.ticks {
		at := px(t)
		s.line(point{at, f.area.y}, point{at, f.area.bottom()}, grid, 1)
		left = s.underAxis(f, at, left, area.right(), x.labels[i], under[i])
	}
	if dense {
		foot.x = f.area.x
		sc.density(f, dots, px).legend(s, "", "points", foot)
	} else {
		r := 3.2
		if len(dots) > 400 {
			r = 2.2
		}
		for _, d := range dots {
			tip := sc.xText(d.x) + ", " + formatValue(d.y, sc.Unit)
			if d.name != "" {
				tip = d.name + ": " + tip
			}
			s.marker(point{px(d.x), f.py(d.y)}, r, d.form, d.c, tip)
		}
	}
	f.base()
}

// density shades cells of some pixels by the number of points in them.
func (sc Scatter) density(f frame, dots []dot, px func(float64) float64) shades {
	const side = 6.0
	cols, rows := max(1, int(f.area.w/side)), max(1, int(f.area.h/side))
	counts := make([]float64, cols*rows)
	for _, d := range dots {
		c := min(int((px(d.x)-f.area.x)/f.area.w*float64(cols)), cols-1)
		r := min(int((f.py(d.y)-f.area.y)/f.area.h*float64(rows)), rows-1)
		counts[max(r, 0)*cols+max(c, 0)]++
	}
	sh, _ := shadesOf(func(yield func(float64) bool) {
		for _, n := range counts {
			if n > 0 && !yield(n) {
				return
			}
		}
	})
	w, h := f.area.w/float64(cols), f.area.h/float64(rows)
	for i, n := range counts {
		if n > 0 {
			f.s.rect(rect{f.area.x + float64(i%cols)*w, f.area.y + float64(i/cols)*h, w, h}, sh.ink(n), prose.Count(int(n), "point"))
		}
	}
	return sh
}

// rows draws with braille patterns, of which each cell has two by four dots.
func (sc Scatter) rows(width int) []row {
	dots := sc.dots()
	if len(dots) == 0 {
		return []row{{{"No data", muted}}}
	}
	xs, ys := coordinates(dots)
	y := suits(ys, 4, sc.Unit)
	x, _ := sc.xScale(xs, float64(width)*7)
	labels := 0
	for _, l := range y.labels {
		labels = max(labels, Cells(l))
	}
	const high = 14
	columns := max(8, width-labels-2)
	cells := make([][]rune, high)
	inks := make([][]ink, high)
	for r := range cells {
		cells[r], inks[r] = make([]rune, columns), make([]ink, columns)
	}
	bits := [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	for _, d := range dots {
		c := min(max(int(x.at(d.x)*float64(2*columns)), 0), 2*columns-1)
		r := min(max(int((1-y.at(d.y))*4*high), 0), 4*high-1)
		cells[r/4][c/2] |= bits[r%4][c%2]
		inks[r/4][c/2] = d.c
	}
	var out []row
	if len(sc.Clouds) > 1 {
		var legend []string
		for _, c := range sc.Clouds[:min(len(sc.Clouds), seriesInks)] {
			legend = append(legend, Fit(c.Name, 20))
		}
		out = append(out, row{{Fit(strings.Join(legend, ", "), width), muted}})
	}
	for r := range high {
		label := ""
		for i, t := range y.ticks {
			if min(int(math.Round((1-y.at(t))*high)), high-1) == r {
				label = y.labels[i]
			}
		}
		line := row{{padLeft(label, labels) + " ", muted}}
		for c, b := range cells[r] {
			if b == 0 {
				line = append(line, span{" ", none})
			} else {
				line = append(line, span{string(0x2800 + b), inks[r][c]})
			}
		}
		out = append(out, line)
	}
	from, to := sc.xText(x.lo), sc.xText(x.hi)
	if gap := columns - Cells(from) - Cells(to); gap >= 1 {
		out = append(out, row{{spaces(labels+1) + from + spaces(gap) + to, muted}})
	} else {
		note := from + " – " + to
		if sc.Times {
			note = between(x.lo, x.hi, sc.zone(), width)
		}
		out = append(out, row{{Fit(note, width), muted}})
	}
	return append(out, axisRow(measureOf(sc.YLabel, sc.XLabel), width)...)
}
