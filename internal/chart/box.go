package chart

import (
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Boxes shows how values are distributed in each of several groups: a box from
// the lower to the upper quartile with a line at the median, whiskers to the
// farthest values within one and a half box lengths, and points beyond (Tukey,
// Exploratory Data Analysis, 1977). The axis is logarithmic where the values
// differ by thousands.
type Boxes struct {
	Title  string
	XLabel string
	Unit   string // as in Bars
	Items  []Box
}

// Box is the summary of one group; BoxOf makes it of values.
type Box struct {
	Label            string
	N                int
	Q1, Median, Q3   float64
	Low, High        float64 // ends of the whiskers
	Outliers         []float64
	Minimum, Maximum float64
}

const maxOutliers = 40 // drawn of one box, the farthest

// BoxOf sums up values; NaN and infinite ones are left out.
func BoxOf(label string, values []float64) Box {
	v := make([]float64, 0, len(values))
	for _, x := range values {
		if finite(x) {
			v = append(v, clampValue(x))
		}
	}
	b := Box{Label: label, N: len(v)}
	if len(v) == 0 {
		return b
	}
	slices.Sort(v)
	at := func(p float64) float64 { // linear between neighbours: type 7 of Hyndman and Fan (1996)
		x := p * float64(len(v)-1)
		i := int(x)
		if i+1 >= len(v) {
			return v[len(v)-1]
		}
		return v[i] + (x-float64(i))*(v[i+1]-v[i])
	}
	b.Q1, b.Median, b.Q3 = at(0.25), at(0.5), at(0.75)
	b.Minimum, b.Maximum = v[0], v[len(v)-1]
	reach := 1.5 * (b.Q3 - b.Q1)
	lo, _ := slices.BinarySearch(v, b.Q1-reach)
	hi, _ := slices.BinarySearchFunc(v, b.Q3+reach, func(x, t float64) int {
		if x <= t {
			return -1
		}
		return 1
	})
	b.Low, b.High = v[min(lo, len(v)-1)], v[max(hi-1, 0)]
	out := append(slices.Clone(v[:lo]), v[hi:]...)
	slices.SortStableFunc(out, func(x, y float64) int {
		switch dx, dy := math.Abs(x-b.Median), math.Abs(y-b.Median); {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		}
		return 0
	})
	b.Outliers = out[:min(len(out), maxOutliers)]
	return b
}

func (b Boxes) heading() string { return b.Title }

func (b Boxes) drawn(most int) ([]Box, int) {
	var items []Box
	for _, it := range b.Items {
		if it.N > 0 {
			items = append(items, it)
		}
	}
	if len(items) <= most {
		return items, 0
	}
	return items[:most], len(items) - most
}

func (b Boxes) scale(items []Box, n int) axisScale {
	var all, medians []float64
	for _, it := range items {
		all = append(all, it.Low, it.Q1, it.Median, it.Q3, it.High)
		all = append(all, it.Outliers...)
		if it.Median > 0 {
			medians = append(medians, it.Median)
		}
	}
	slices.Sort(all)
	slices.Sort(medians)
	lo, hi := all[0], all[len(all)-1]
	above, _ := slices.BinarySearch(all, math.SmallestNonzeroFloat64)
	if lo >= 0 && len(medians) > 0 && hi/all[above] > 1000 && hi/medians[len(medians)/2] > 30 {
		return newRatioScale(lo, hi, all[above], n, b.Unit)
	}
	return suits(all, n, b.Unit)
}

func (b Boxes) tip(it Box) string {
	return fmt.Sprintf("%s: %s; median %s, quartiles %s and %s, from %s to %s", it.Label, prose.Count(it.N, "value"),
		formatValue(it.Median, b.Unit), formatValue(it.Q1, b.Unit), formatValue(it.Q3, b.Unit), formatValue(it.Minimum, b.Unit), formatValue(it.Maximum, b.Unit))
}

func (b Boxes) numbers() table {
	t, left := table{head: []string{"name", "count", "minimum", "lower whisker", "lower quartile", "median", "upper quartile", "upper whisker", "maximum"}}, 0
	for _, it := range b.Items {
		if it.N == 0 {
			continue
		}
		cells := []string{it.Label, grouped(float64(it.N), 0)}
		for _, v := range []float64{it.Minimum, it.Low, it.Q1, it.Median, it.Q3, it.High, it.Maximum} {
			cells = append(cells, formatValue(v, b.Unit))
		}
		t.add(&left, cells...)
	}
	t.more(left)
	return t
}

func (b Boxes) describe() string {
	items, _ := b.drawn(1000)
	if len(items) == 0 {
		return "Box chart" + quoted(b.Title) + ": no data."
	}
	most := slices.MaxFunc(items, func(x, y Box) int {
		switch {
		case x.Median < y.Median:
			return -1
		case x.Median > y.Median:
			return 1
		}
		return 0
	})
	return fmt.Sprintf("Box chart%s of %s; the highest median, %s, is of %s.", quoted(b.Title), prose.Count(len(items), "group"), formatValue(most.Median, b.Unit), most.Label)
}

func (b Boxes) height(_ *scene, _ float64) float64 {
	items, _ := b.drawn(60)
	return max(150, float64(len(items))*30+76)
}

func (b Boxes) draw(s *scene, area rect) {
	area = s.header(area, b.Title, nil)
	items, more := b.drawn(min(60, max(1, int((area.h-40)/18))))
	if len(items) == 0 {
		s.empty(area)
		return
	}
	x := b.scale(items, max(2, int(area.w/120)))
	widest := 0.0
	var names []string
	for _, it := range items {
		names = append(names, it.Label)
	}
	names = s.regular.fitAll(names, tickSize, area.w*0.34)
	for _, n := range names {
		widest = max(widest, s.regular.width(n, tickSize))
	}
	title := noteMore(b.XLabel, more)
	below := tickSize + 10
	if title != "" {
		below += labelSize + 7
	}
	in := area.inset(2, s.regular.width(x.labels[len(x.labels)-1], tickSize)/2+4, below, widest+12)
	px := func(v float64) float64 { return in.x + x.at(v)*in.w }
	for i, t := range x.ticks {
		s.line(point{px(t), in.y}, point{px(t), in.bottom()}, grid, 1)
		s.text(point{px(t), in.bottom() + tickSize + 4}, x.labels[i], style{size: tickSize, ink: muted, anchor: middle}, "")
	}
	slot := in.h / float64(len(items))
	thick := min(slot*0.6, 22)
	for i, it := range items {
		y := in.y + slot*(float64(i)+0.5)
		s.text(point{in.x - 8, y + 4}, names[i], style{size: tickSize, ink: muted, anchor: end}, it.Label)
		s.line(point{px(it.Low), y}, point{px(it.Q1), y}, axis, 1.5)
		s.line(point{px(it.Q3), y}, point{px(it.High), y}, axis, 1.5)
		for _, v := range []float64{it.Low, it.High} {
			s.line(point{px(v), y - thick/4}, point{px(v), y + thick/4}, axis, 1.5)
		}
		s.rect(rect{px(it.Q1), y - thick/2, max(px(it.Q3)-px(it.Q1), 2), thick}, series0, b.tip(it))
		s.rect(rect{px(it.Median) - 1.5, y - thick/2, 3, thick}, series0+1, b.tip(it))
		for _, v := range it.Outliers {
			s.circle(point{px(v), y}, 2.3, series0+5, it.Label+": "+formatValue(v, b.Unit))
		}
	}
	if title != "" {
		s.text(point{in.x + in.w/2, area.bottom() - 4}, s.regular.fit(Clean(title), labelSize, in.w), style{size: labelSize, ink: text, anchor: middle}, title)
	}
}

func (b Boxes) rows(width int) []row {
	items, more := b.drawn(60)
	if len(items) == 0 {
		return []row{{{"No data", muted}}}
	}
	x := b.scale(items, 4)
	label, value := 0, 0
	var names []string
	for _, it := range items {
		names = append(names, it.Label)
		label = max(label, min(Cells(Clean(it.Label)), width/3))
		value = max(value, Cells(formatValue(it.Median, b.Unit)))
	}
	room := max(8, width-label-value-2)
	col := func(v float64) int { return min(max(int(x.at(v)*float64(room-1)+0.5), 0), room-1) }
	names = fitAllCells(names, label)
	var out []row
	for i, it := range items {
		cells := []rune(spaces(room))
		for _, v := range it.Outliers {
			cells[col(v)] = '·'
		}
		for c := col(it.Low); c <= col(it.High); c++ {
			cells[c] = '─'
		}
		cells[col(it.Low)], cells[col(it.High)] = '├', '┤'
		for c := col(it.Q1); c <= col(it.Q3); c++ {
			cells[c] = '█'
		}
		m := col(it.Median)
		cells[m] = '┃'
		out = append(out, row{{padRight(names[i], label) + " ", none}, {string(cells[:m]), series0}, {"┃", series0 + 1},
			{string(cells[m+1:]), series0}, {" " + padLeft(formatValue(it.Median, b.Unit), value), none}})
	}
	from, to := formatValue(x.lo, b.Unit), formatValue(x.hi, b.Unit)
	if x.log || x.near > 0 {
		to = "(logarithmic) " + to
	}
	out = append(out, row{{spaces(label+1) + from + spaces(room-Cells(from)-Cells(to)) + to, muted}})
	if more > 0 {
		out = append(out, row{{"… and " + prose.Count(more, "more group"), muted}})
	}
	note := "┃ and the number are the median"
	if b.XLabel != "" {
		note = b.XLabel + "; " + note
	}
	return append(out, row{{Fit(note, width), muted}})
}
