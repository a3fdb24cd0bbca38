package chart

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Item is one bar.
type Item struct {
	Label string
	Value float64
	// Parts, when given, are stacked from the axis and coloured in the order
	// of Bars.Parts; negative and missing parts count as zero, and the length
	// of the bar is their sum, whatever Value says.
	Parts []float64
}

// Bars is a bar for each item, in the order given.
type Bars struct {
	Title          string
	XLabel, YLabel string // as drawn: XLabel under the picture, YLabel beside it
	Unit           string // "" for counts, "B" for bytes, "%", or any other unit's name
	Items          []Item
	Parts          []string // names of the stacked parts, if any
	Horizontal     bool
	RotateLabels   bool // turn the labels under vertical bars even where they would fit
}

func (b Bars) heading() string { return b.Title }

// drawn returns the bars that can be told apart in a space, and how many of
// the last are left out.
func (b Bars) drawn(space, each float64) ([]Item, int) {
	n := max(1, int(space/each))
	if len(b.Items) <= n {
		return b.Items, 0
	}
	return b.Items[:n], len(b.Items) - n
}

func (it Item) total() float64 {
	if it.Parts == nil {
		return it.Value
	}
	sum := 0.0
	for _, p := range it.Parts {
		if finite(p) && p > 0 {
			sum = clampValue(sum + p)
		}
	}
	return sum
}

func (b Bars) span(items []Item) (lo, hi float64, integer bool) {
	integer = true
	for _, it := range items {
		if v := it.total(); finite(v) {
			lo, hi = min(lo, v), max(hi, v)
			integer = integer && v == math.Trunc(v)
		}
	}
	return lo, hi, integer
}

func (b Bars) legend() []entry {
	var out []entry
	for i, p := range b.Parts {
		e := entry{name: p, ink: seriesInk(i)}
		if p == Other {
			e.ink = rest
		}
		out = append(out, e)
	}
	return out
}

func (b Bars) numbers() table {
	what := cmp.Or(b.XLabel, "value")
	if !b.Horizontal {
		what = cmp.Or(b.YLabel, "value")
	}
	t, left := table{head: append([]string{"name", what}, b.Parts...)}, 0
	for _, it := range b.Items {
		cells := []string{it.Label, formatValue(it.total(), b.Unit)}
		for i := range b.Parts {
			part := 0.0
			if i < len(it.Parts) {
				part = it.Parts[i]
			}
			cells = append(cells, formatValue(part, b.Unit))
		}
		t.add(&left, cells...)
	}
	t.more(left)
	return t
}

func (b Bars) describe() string {
	if len(b.Items) == 0 {
		return "Bar chart" + quoted(b.Title) + ": no data."
	}
	most, least := b.Items[0], b.Items[0]
	for _, it := range b.Items {
		if it.total() > most.total() {
			most = it
		}
		if it.total() < least.total() {
			least = it
		}
	}
	return fmt.Sprintf("Bar chart%s: %s, the largest %s (%s), the smallest %s (%s).", quoted(b.Title), prose.Count(len(b.Items), "bar"),
		most.Label, formatValue(most.total(), b.Unit), least.Label, formatValue(least.total(), b.Unit))
}

func quoted(title string) string {
	if title == "" {
		return ""
	}
	return " “" + title + "”"
}

func (b Bars) height(_ *scene, width float64) float64 {
	if b.Horizontal {
		items, _ := b.drawn(2400, 20)
		return max(150, float64(len(items))*22+76)
	}
	return min(max(width*0.72, 270), 420)
}

func (b Bars) draw(s *scene, area rect) {
	area = s.header(area, b.Title, b.legend())
	if len(b.Items) == 0 {
		s.empty(area)
		return
	}
	if b.Horizontal {
		b.across(s, area)
	} else {
		b.upright(s, area)
	}
}

func (b Bars) upright(s *scene, area rect) {
	items, more := b.drawn(area.w-60, 4)
	lo, hi, integer := b.span(items)
	y := newScale(lo, hi, 5, b.Unit, integer)
	labels := make([]string, len(items))
	for i, it := range items {
		labels[i] = it.Label
	}
	slot := (area.w - 60) / float64(len(items))
	how := named
	if b.RotateLabels {
		how = turned
	}
	lay := s.layLabels(labels, slot, how)
	f := s.newFrame(area, y, noteMore(b.XLabel, more), b.YLabel, min(lay.below, area.h/2), lay.left-slot/2)
	slot = f.area.w / float64(len(items))
	thick := min(slot*0.78, 72)
	fits := slot >= 20
	for _, it := range items {
		fits = fits && s.regular.width(formatValue(it.total(), b.Unit), 10) < slot+2
	}
	for i, it := range items {
		x := f.area.x + slot*(float64(i)+0.5)
		b.bar(s, it, func(from, to float64) rect {
			top, bottom := f.py(max(from, to)), f.py(min(from, to))
			if bottom-top < 1 && from != to {
				top = bottom - 1 // what exists stays visible
			}
			return rect{x - thick/2, top, thick, bottom - top}
		})
		lay.draw(f, i, x)
		if v := it.total(); fits || !finite(v) {
			at := point{x, f.py(max(0, clampValue(v))) - 4}
			if !finite(v) {
				at.y = f.py(max(0, y.lo)) - 4
			}
			s.text(at, formatValue(v, b.Unit), style{size: 10, ink: text, anchor: middle}, "")
		}
	}
	f.base()
}

// bar draws one bar's parts; place gives the rectangle between two values.
func (b Bars) bar(s *scene, it Item, place func(from, to float64) rect) {
	if it.Parts == nil {
		if finite(it.Value) {
			c := series0
			if it.Label == Other {
				c = rest
			}
			s.rect(place(0, clampValue(it.Value)), c, it.Label+": "+formatValue(it.Value, b.Unit))
		}
		return
	}
	from := 0.0
	for i, p := range it.Parts {
		if !finite(p) || p <= 0 {
			continue
		}
		name := ""
		if i < len(b.Parts) {
			name = ", " + b.Parts[i]
		}
		to := clampValue(from + p)
		s.rect(place(from, to), seriesInk(i), it.Label+name+": "+formatValue(p, b.Unit))
		from = to
	}
}

func clampValue(v float64) float64 { return min(max(v, -limit), limit) }

func noteMore(label string, more int) string {
	if more == 0 {
		return label
	}
	note := "(" + grouped(float64(more), 0) + " more not drawn)"
	if label == "" {
		return note
	}
	return label + " " + note
}

func (b Bars) across(s *scene, area rect) {
	items, more := b.drawn(max(area.h-40, 20), 14)
	lo, hi, integer := b.span(items)
	scale := newScale(lo, hi, max(2, int(area.w/110)), b.Unit, integer)
	widest, values := 0.0, 0.0
	var names []string
	for _, it := range items {
		names = append(names, it.Label)
	}
	names = s.regular.fitAll(names, tickSize, area.w*0.38)
	for i, it := range items {
		widest = max(widest, s.regular.width(names[i], tickSize))
		values = max(values, s.regular.width(formatValue(it.total(), b.Unit), 10))
	}
	left := widest + 10
	if b.YLabel != "" {
		left += labelSize + 6
	}
	below := tickSize + 10
	title := noteMore(b.XLabel, more)
	if title != "" {
		below += labelSize + 7
	}
	in := area.inset(2, values+8, below, left)
	px := func(v float64) float64 { return in.x + scale.at(v)*in.w }
	for i, t := range scale.ticks {
		s.line(point{px(t), in.y}, point{px(t), in.bottom()}, grid, 1)
		s.text(point{px(t), in.bottom() + tickSize + 4}, scale.labels[i], style{size: tickSize, ink: muted, anchor: middle}, "")
	}
	slot := in.h / float64(len(items))
	thick := min(slot*0.74, 26)
	for i, it := range items {
		y := in.y + slot*(float64(i)+0.5)
		b.bar(s, it, func(from, to float64) rect {
			l, r := px(min(from, to)), px(max(from, to))
			return rect{l, y - thick/2, max(r-l, 1), thick}
		})
		s.text(point{in.x - 6, y + 4}, names[i],
			style{size: tickSize, ink: muted, anchor: end}, it.Label)
		v := it.total()
		at := px(0)
		if finite(v) {
			at = px(max(0, clampValue(v)))
		}
		s.text(point{at + 4, y + 3.5}, formatValue(v, b.Unit), style{size: 10, ink: text}, "")
	}
	s.line(point{px(0), in.y}, point{px(0), in.bottom()}, axis, 1)
	if title != "" {
		s.text(point{in.x + in.w/2, area.bottom() - 4}, s.regular.fit(Clean(title), labelSize, in.w),
			style{size: labelSize, ink: text, anchor: middle}, title)
	}
	if b.YLabel != "" {
		s.text(point{area.x + labelSize, in.y + in.h/2}, s.regular.fit(Clean(b.YLabel), labelSize, in.h),
			style{size: labelSize, ink: text, anchor: middle, angle: -90}, b.YLabel)
	}
}

// rows lays the bars from left to right, whatever their direction in pixels.
func (b Bars) rows(width int) []row {
	items, more := b.drawn(100, 1)
	var out []row
	if r := legendRow(b.legend(), width); r != nil {
		out = append(out, r)
	}
	out = append(out, barRows(items, b.Unit, width)...)
	if more > 0 {
		out = append(out, row{{"… and " + strconv.Itoa(more) + " more", muted}})
	}
	value, by := b.YLabel, b.XLabel
	if b.Horizontal {
		value, by = by, value
	}
	return append(out, axisRow(measureOf(value, by), width)...)
}
