package chart

import (
	"cmp"
	"fmt"
	"github.com/sextant-logs/sextant/internal/prose"
	"math"
	"slices"
	"strconv"
	"time"
)

// TimeSeries shows values over time: stacked areas, or lines when Lines is
// set. Times belong to all series; gaps in a line are NaN values. Times need
// not be sorted or regular. More series than the palette has colours are
// folded into "other", the smallest first.
type TimeSeries struct {
	Title          string
	XLabel, YLabel string
	Unit           string // of the values, as in Bars
	Times          []time.Time
	Series         []Series
	Lines          bool
	Location       *time.Location // of the tick labels; nil means UTC
}

// Series is one row of values, Values[i] belonging to TimeSeries.Times[i].
type Series struct {
	Name   string
	Values []float64
}

// track is a TimeSeries made ready to draw: sorted, folded and bounded.
type track struct {
	t      []float64 // Unix seconds, ascending
	names  []string
	values [][]float64 // by series, then time
	ink    []ink
}

func (ts TimeSeries) heading() string { return ts.Title }

func (ts TimeSeries) prepare() track {
	var k track
	order := make([]int, len(ts.Times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return ts.Times[a].Compare(ts.Times[b]) })
	k.t = make([]float64, len(order))
	for i, o := range order {
		k.t[i] = float64(ts.Times[o].Unix()) + float64(ts.Times[o].Nanosecond())/1e9
	}
	column := func(s Series) []float64 {
		v := make([]float64, len(order))
		for i, o := range order {
			v[i] = math.NaN()
			if o < len(s.Values) && finite(s.Values[o]) {
				v[i] = clampValue(s.Values[o])
			}
			if !ts.Lines && !(v[i] > 0) {
				v[i] = 0 // what is missing or negative cannot be stacked
			}
		}
		return v
	}
	keep := ts.largest(seriesInks)
	var other []float64
	folded := 0
	for i, s := range ts.Series {
		v := column(s)
		if keep[i] {
			k.names = append(k.names, s.Name)
			k.ink = append(k.ink, seriesInk(len(k.values)))
			k.values = append(k.values, v)
			continue
		}
		if s.Name != Other {
			folded++
		}
		if other == nil {
			other = v
			continue
		}
		for j := range other {
			if math.IsNaN(other[j]) {
				other[j] = v[j]
			} else if finite(v[j]) {
				other[j] = clampValue(other[j] + v[j])
			}
		}
	}
	if other != nil {
		name := fmt.Sprintf("other (%d)", folded)
		if folded < len(ts.Series)-len(k.names) {
			name = Other
		}
		k.names = append(k.names, name)
		k.ink = append(k.ink, rest)
		k.values = append(k.values, other)
	}
	if len(k.values) == 0 {
		k.t = nil
	}
	return k
}

// largest marks the n series with the greatest sums; Other is none of them.
func (ts TimeSeries) largest(n int) []bool {
	keep := make([]bool, len(ts.Series))
	type sized struct {
		i   int
		sum float64
	}
	all := make([]sized, len(ts.Series))
	for i, s := range ts.Series {
		all[i].i = i
		for _, v := range s.Values {
			if finite(v) {
				all[i].sum += math.Abs(v) / 1e6 // scaled: a sum of huge values stays finite
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sized) int { return cmp.Compare(b.sum, a.sum) })
	for _, s := range all {
		if n > 0 && ts.Series[s.i].Name != Other {
			keep[s.i] = true
			n--
		}
	}
	return keep
}

func (k track) total(i int) float64 {
	sum := 0.0
	for _, v := range k.values {
		if finite(v[i]) {
			sum += v[i]
		}
	}
	return clampValue(sum)
}

// thin keeps at most n times: of neighbours that would share a pixel, the one
// where the total is greatest, so that peaks survive.
func (k track) thin(n int) track {
	if len(k.t) <= n || n < 1 {
		return k
	}
	var picked []int
	for g := range n {
		from, to := g*len(k.t)/n, (g+1)*len(k.t)/n
		best := from
		for i := from + 1; i < to; i++ {
			if k.total(i) > k.total(best) {
				best = i
			}
		}
		picked = append(picked, best)
	}
	out := track{names: k.names, ink: k.ink}
	take := func(v []float64) []float64 {
		w := make([]float64, len(picked))
		for i, p := range picked {
			w[i] = v[p]
		}
		return w
	}
	out.t = take(k.t)
	for _, v := range k.values {
		out.values = append(out.values, take(v))
	}
	return out
}

// span returns the least and greatest value that is drawn.
func (k track) span(stacked bool) (lo, hi float64, integer bool) {
	integer = true
	for i := range k.t {
		if stacked {
			hi = max(hi, k.total(i))
		}
		for _, v := range k.values {
			if finite(v[i]) {
				lo, hi = min(lo, v[i]), max(hi, v[i])
				integer = integer && v[i] == math.Trunc(v[i])
			}
		}
	}
	return lo, hi, integer
}

func (ts TimeSeries) numbers() table {
	k := ts.prepare()
	zone := ts.zone()
	t, left, none := table{head: append([]string{"from"}, k.names...)}, 0, 0
	for i := range k.t {
		cells, any := []string{moment(k.t[i], zone)}, false
		for _, v := range k.values {
			any = any || finite(v[i]) && v[i] != 0
			cells = append(cells, formatValue(v[i], ts.Unit))
		}
		if !any {
			none++
			continue
		}
		t.add(&left, cells...)
	}
	if none > 0 {
		t.note = prose.Count(none, "step") + " without any left out."
	}
	t.more(left)
	return t
}

func (ts TimeSeries) describe() string {
	k := ts.prepare()
	if len(k.t) == 0 {
		return "Chart over time" + quoted(ts.Title) + ": no data."
	}
	peak := 0
	for i := range k.t {
		if k.total(i) > k.total(peak) {
			peak = i
		}
	}
	zone := ts.zone()
	return fmt.Sprintf("Chart over time%s of %s series from %s to %s; the peak, %s, at %s.", quoted(ts.Title), strconv.Itoa(len(ts.Series)),
		moment(k.t[0], zone), moment(k.t[len(k.t)-1], zone), formatValue(k.total(peak), ts.Unit), moment(k.t[peak], zone))
}

func (ts TimeSeries) zone() *time.Location {
	if ts.Location == nil {
		return time.UTC
	}
	return ts.Location
}

func moment(seconds float64, zone *time.Location) string {
	return fromSeconds(seconds, zone).Format("2006-01-02 15:04:05 MST")
}

// between says from when to when in at most cells columns, less exactly where they are few.
func between(first, last float64, zone *time.Location, cells int) string {
	a, b := fromSeconds(first, zone), fromSeconds(last, zone)
	until := "2006-01-02"
	if a.Year() == b.Year() {
		until = "01-02"
	}
	for _, clock := range []string{" 15:04:05", " 15:04", ""} {
		if s := a.Format("2006-01-02"+clock) + " – " + b.Format(until+clock+" MST"); Cells(s) <= cells {
			return s
		}
	}
	return Fit(a.Format("2006-01-02")+" – "+b.Format(until), cells)
}

func (ts TimeSeries) height(_ *scene, width float64) float64 {
	return min(max(width*0.42, 240), 340)
}

func (ts TimeSeries) draw(s *scene, area rect) {
	k := ts.prepare()
	var legend []entry
	for i, n := range k.names {
		e := entry{name: n, ink: k.ink[i], line: ts.Lines}
		if ts.Lines {
			e.dash = dashes[i%len(dashes)]
		}
		legend = append(legend, e)
	}
	area = s.header(area, ts.Title, legend)
	if len(k.t) == 0 {
		s.empty(area)
		return
	}
	lo, hi, integer := k.span(!ts.Lines)
	y := newScale(lo, hi, 5, ts.Unit, integer)
	f := s.newFrame(area, y, ts.XLabel, ts.YLabel, 2*tickSize+12, 0)
	k = k.thin(max(2, int(f.area.w)))

	first, last := k.t[0], k.t[len(k.t)-1]
	if first == last {
		first, last = first-30, last+30
	}
	px := func(t float64) float64 { return f.area.x + (t-first)/(last-first)*f.area.w }
	left := s.zone(f, area.x, ts.zone(), first)
	for _, t := range timeTicks(first, last, max(2, int(f.area.w/85)), ts.zone()) {
		x := px(t.at)
		s.line(point{x, f.area.bottom()}, point{x, f.area.bottom() + 4}, axis, 1)
		left = s.underAxis(f, x, left, area.right(), t.label, t.under)
	}
	switch {
	case k.t[0] == k.t[len(k.t)-1]:
		ts.instant(f, k, px(k.t[0]))
	case ts.Lines:
		ts.lines(f, k, px)
	default:
		ts.areas(f, k, px)
	}
	f.base()
}

// dashes tell lines apart without colour.
var dashes = [][]float64{nil, {7, 3}, {2, 3}, {9, 3, 2, 3}}

// instant draws values of a single moment, which have no extent in time.
func (ts TimeSeries) instant(f frame, k track, x float64) {
	from := 0.0
	for j, v := range k.values {
		for i := range k.t {
			if !finite(v[i]) {
				continue
			}
			tip := k.names[j] + ": " + formatValue(v[i], ts.Unit)
			if ts.Lines {
				f.s.circle(point{x, f.py(v[i])}, 4, k.ink[j], tip)
				continue
			}
			to := clampValue(from + v[i])
			if i == 0 {
				f.s.rect(rect{x - 8, f.py(to), 16, f.py(from) - f.py(to)}, k.ink[j], tip)
				from = to
			}
		}
	}
}

func (ts TimeSeries) areas(f frame, k track, px func(float64) float64) {
	base := make([]float64, len(k.t))
	for j, v := range k.values {
		pts := make([]point, 0, 2*len(k.t))
		for i, t := range k.t {
			pts = append(pts, point{px(t), f.py(min(base[i]+v[i], f.y.hi))})
		}
		for i := len(k.t) - 1; i >= 0; i-- {
			pts = append(pts, point{px(k.t[i]), f.py(min(base[i], f.y.hi))})
			base[i] += v[i]
		}
		f.s.polygon(pts, k.ink[j], k.names[j])
	}
}

func (ts TimeSeries) lines(f frame, k track, px func(float64) float64) {
	for j, v := range k.values {
		var run []point
		flush := func() {
			switch len(run) {
			case 0:
			case 1:
				f.s.circle(run[0], 2.5, k.ink[j], k.names[j])
			default:
				f.s.polyline(run, k.ink[j], 1.8, dashes[j%len(dashes)])
			}
			run = nil
		}
		for i, t := range k.t {
			if !finite(v[i]) {
				flush()
				continue
			}
			run = append(run, point{px(t), f.py(v[i])})
		}
		flush()
	}
}

// rows draws the total as columns of blocks, then a line for each series.
func (ts TimeSeries) rows(width int) []row {
	k := ts.prepare()
	if len(k.t) == 0 {
		return []row{{{"No data", muted}}}
	}
	lo, hi, integer := k.span(!ts.Lines)
	scale := newScale(max(lo, 0), hi, 4, ts.Unit, integer)
	labels := 0
	for _, l := range scale.labels {
		labels = max(labels, Cells(l))
	}
	const high = 8
	columns := max(8, width-labels-2)
	total := make([]float64, columns)
	series := make([][]float64, len(k.values))
	for j := range series {
		series[j] = make([]float64, columns)
	}
	first, last := k.t[0], k.t[len(k.t)-1]
	at := 0
	for c := range columns {
		// A column shows the greatest value in its time, or the last before it.
		to := len(k.t)
		if c < columns-1 {
			end := first + (last-first)*float64(c+1)/float64(columns)
			to, _ = slices.BinarySearch(k.t, end)
		}
		for i := max(0, min(at, to-1)); i < max(to, 1); i++ {
			sum := k.total(i)
			if ts.Lines {
				sum = 0
			}
			for j, v := range k.values {
				if finite(v[i]) {
					series[j][c] = max(series[j][c], v[i])
					if ts.Lines {
						sum = max(sum, v[i])
					}
				}
			}
			total[c] = max(total[c], sum)
		}
		at = max(at, to)
	}
	if first == last { // a moment, not a duration
		for c := range columns {
			if c != columns/2 {
				total[c] = 0
				for j := range series {
					series[j][c] = 0
				}
			}
		}
	}
	var out []row
	for r := range high {
		label := ""
		for i, t := range scale.ticks {
			if int(math.Round((1-scale.at(t))*high)) == r && t > 0 {
				label = scale.labels[i]
			}
		}
		line := row{{padLeft(label, labels) + " ", muted}}
		cells := ""
		for c := range columns {
			filled := scale.at(total[c])*high - float64(high-1-r)
			cells += string(block(verticalBlocks, filled))
		}
		out = append(out, append(line, span{cells, series0}))
	}
	zone := ts.zone()
	from, to := moment(first, zone), moment(last, zone)
	gap := columns - Cells(from) - Cells(to)
	if first == last {
		out = append(out, row{{padLeft("0", labels) + " " + spaces((columns-Cells(from))/2) + from, muted}})
	} else if gap >= 1 {
		out = append(out, row{{padLeft("0", labels) + " " + from + spaces(gap) + to, muted}})
	} else {
		out = append(out, row{{between(first, last, zone, width), muted}})
	}
	if len(k.names) > 1 {
		out = append(out, sparklines(k, series, width, ts.Unit)...)
	}
	return out
}

func sparklines(k track, series [][]float64, width int, unit string) []row {
	label, value := 0, 0
	for j, n := range k.names {
		label = max(label, min(Cells(Clean(n)), width/4))
		value = max(value, Cells("peak "+formatValue(slices.Max(series[j]), unit)))
	}
	room := max(4, width-label-value-2)
	names := fitAllCells(k.names, label)
	var out []row
	for j := range k.names {
		top := slices.Max(series[j])
		line := ""
		for c := range room {
			from := c * len(series[j]) / room
			to := max(from+1, (c+1)*len(series[j])/room)
			v := 0.0
			if top > 0 {
				v = slices.Max(series[j][from:to]) / top
			}
			line += string(block(verticalBlocks, v))
		}
		out = append(out, row{{padRight(names[j], label) + " ", none}, {line, k.ink[j]},
			{" " + padLeft("peak "+formatValue(top, unit), value), muted}})
	}
	return out
}
