package chart

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HeatMap shows a table of values as shades. Cells[r][c] belongs to Rows[r]
// and Cols[c]; missing and NaN cells are blank.
type HeatMap struct {
	Title          string
	XLabel, YLabel string
	Unit           string // as in Bars
	Rows, Cols     []string
	Cells          [][]float64
}

// HourWeekday returns the heat map of counts by hour and day of the week,
// counts[0] being Monday. Count fills such a table.
func HourWeekday(title string, counts *[7][24]float64) HeatMap {
	h := HeatMap{Title: title, XLabel: "Hour of day",
		Rows: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}}
	for hour := range 24 {
		h.Cols = append(h.Cols, fmt.Sprintf("%02d", hour))
	}
	for d := range counts {
		h.Cells = append(h.Cells, counts[d][:])
	}
	return h
}

// Count adds one event at t, in t's own zone, to a table for HourWeekday.
func Count(counts *[7][24]float64, t time.Time) {
	counts[(int(t.Weekday())+6)%7][t.Hour()]++
}

const (
	maxHeatRows = 100
	maxHeatCols = 240
)

func (h HeatMap) heading() string { return h.Title }

func (h HeatMap) cell(r, c int) float64 {
	if r < len(h.Cells) && c < len(h.Cells[r]) {
		return h.Cells[r][c]
	}
	return math.NaN()
}

// size is how much of the table is drawn.
func (h HeatMap) size() (rows, cols int) {
	return min(len(h.Rows), maxHeatRows), min(len(h.Cols), maxHeatCols)
}

// shades sorts values into inks: zero and less have their own, the rest is
// divided evenly, or by equal ratios where the greatest is more than thirty
// times the median.
type shades struct {
	lo, hi float64
	log    bool
}

func (h HeatMap) shades() (shades, bool) {
	rows, cols := h.size()
	return shadesOf(func(yield func(float64) bool) {
		for r := range rows {
			for c := range cols {
				if !yield(h.cell(r, c)) {
					return
				}
			}
		}
	})
}

// shadesOf returns the shades of values, false if none is finite.
func shadesOf(values iter.Seq[float64]) (shades, bool) {
	var positive []float64
	found := false
	for v := range values {
		found = found || finite(v)
		if finite(v) && v > 0 {
			positive = append(positive, clampValue(v))
		}
	}
	if len(positive) == 0 {
		return shades{}, found
	}
	slices.Sort(positive)
	hi := positive[len(positive)-1]
	return shades{positive[0], hi, hi/positive[len(positive)/2] > 30}, true
}

func (sh shades) ink(v float64) ink {
	if !(v > 0) || sh.hi == 0 {
		return heat0
	}
	f := v / sh.hi
	if sh.log && sh.hi > sh.lo {
		f = (math.Log(v)-math.Log(sh.lo))/(math.Log(sh.hi)-math.Log(sh.lo))*(1-1.0/16) + 1.0/16
	}
	return heat0 + ink(min(max(math.Ceil(f*(heatInks-1)-1e-9), 1), heatInks-1))
}

func (h HeatMap) numbers() table {
	const wide = 31
	rows, cols := h.size()
	t, left := table{}, 0
	if cols <= wide {
		t.head = append([]string{h.YLabel}, h.Cols[:cols]...)
		for r := range rows {
			cells := []string{h.Rows[r]}
			for c := range cols {
				cells = append(cells, formatValue(h.cell(r, c), h.Unit))
			}
			t.add(&left, cells...)
		}
		t.more(left)
		return t
	}
	type cell struct{ r, c int }
	var all []cell // with so many columns, those that hold something, the greatest first
	for r := range rows {
		for c := range cols {
			if v := h.cell(r, c); finite(v) && v != 0 {
				all = append(all, cell{r, c})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b cell) int { return cmp.Compare(h.cell(b.r, b.c), h.cell(a.r, a.c)) })
	t.head = []string{cmp.Or(h.YLabel, "row"), cmp.Or(h.XLabel, "column"), "value"}
	for _, x := range all {
		t.add(&left, h.Rows[x.r], h.Cols[x.c], formatValue(h.cell(x.r, x.c), h.Unit))
	}
	t.more(left)
	return t
}

func (h HeatMap) describe() string {
	sh, found := h.shades()
	if !found {
		return "Heat map" + quoted(h.Title) + ": no data."
	}
	rows, cols := h.size()
	for r := range rows {
		for c := range cols {
			if h.cell(r, c) == sh.hi && sh.hi > 0 {
				return fmt.Sprintf("Heat map%s of %d by %d cells; the greatest, %s, at %s, %s.", quoted(h.Title),
					rows, cols, formatValue(sh.hi, h.Unit), h.Rows[r], h.Cols[c])
			}
		}
	}
	return fmt.Sprintf("Heat map%s of %d by %d cells, none above zero.", quoted(h.Title), rows, cols)
}

func (h HeatMap) height(_ *scene, width float64) float64 {
	rows, _ := h.size()
	each := min(max(width/30, 14), 26)
	return max(150, each*float64(rows)+100)
}

func (h HeatMap) draw(s *scene, area rect) {
	area = s.header(area, h.Title, nil)
	sh, found := h.shades()
	rows, cols := h.size()
	if !found {
		s.empty(area)
		return
	}
	left := 0.0
	names := s.regular.fitAll(h.Rows[:rows], tickSize, area.w*0.3)
	for _, n := range names {
		left = max(left, s.regular.width(n, tickSize))
	}
	left += 8
	if h.YLabel != "" {
		left += labelSize + 6
	}
	lay := s.layLabels(h.Cols[:cols], (area.w-left)/float64(cols), ordered)
	below := lay.below + 26 // the legend
	note := h.XLabel
	if more := len(h.Rows) - rows + len(h.Cols) - cols; more > 0 {
		note = noteMore(note, more)
	}
	if note != "" {
		below += labelSize + 5
	}
	in := area.inset(0, 2, min(below, area.h*0.7), max(left, lay.left))
	w, t := in.w/float64(cols), in.h/float64(rows)
	gap := 1.0
	if min(w, t) < 5 {
		gap = 0
	}
	numbers := t >= 15 && h.fits(s, w-6)
	for r := range rows {
		for c := range cols {
			v := h.cell(r, c)
			if !finite(v) {
				continue
			}
			shade := sh.ink(v)
			at := rect{in.x + float64(c)*w, in.y + float64(r)*t, w - gap, t - gap}
			s.rect(at, shade, h.Rows[r]+", "+h.Cols[c]+": "+formatValue(v, h.Unit))
			if v != 0 && numbers {
				on := text
				if onHeat(shade) {
					on = ground
				}
				s.text(point{at.x + at.w/2, at.y + at.h/2 + 3.5}, formatValue(v, h.Unit), style{size: 10, ink: on, anchor: middle}, "")
			}
		}
		if t >= tickSize || r%int(math.Ceil(tickSize/t)) == 0 {
			s.text(point{in.x - 6, in.y + (float64(r)+0.5)*t + 3.5}, names[r],
				style{size: tickSize, ink: muted, anchor: end}, h.Rows[r])
		}
	}
	f := frame{s: s, area: in}
	for c := range cols {
		lay.draw(f, c, in.x+(float64(c)+0.5)*w-gap/2)
	}
	y := in.bottom() + lay.below
	if note != "" {
		y += labelSize + 3
		s.text(point{in.x + in.w/2, y}, note, style{size: labelSize, ink: text, anchor: middle}, "")
	}
	if h.YLabel != "" {
		s.text(point{area.x + labelSize, in.y + in.h/2}, s.regular.fit(Clean(h.YLabel), labelSize, in.h),
			style{size: labelSize, ink: text, anchor: middle, angle: -90}, h.YLabel)
	}
	sh.legend(s, h.Unit, "", point{in.x, y + 10})
}

// fits reports whether every number has room in its cell.
func (h HeatMap) fits(s *scene, width float64) bool {
	rows, cols := h.size()
	for r := range rows {
		for c := range cols {
			if v := h.cell(r, c); finite(v) && s.regular.width(formatValue(v, h.Unit), 10) > width {
				return false
			}
		}
	}
	return true
}

// legend explains the shades; what says of what they are, if that is not told elsewhere.
func (sh shades) legend(s *scene, unit, what string, at point) {
	if sh.hi == 0 {
		return
	}
	x := at.x
	put := func(str string) {
		s.text(point{x, at.y + 9}, str, style{size: tickSize, ink: muted}, "")
		x += s.regular.width(str, tickSize) + 6
	}
	put("0")
	s.rect(rect{x, at.y, 14, 10}, heat0, "")
	x += 14 + 12
	low := formatValue(sh.lo, unit)
	if sh.lo < sh.hi {
		put(low)
		for i := 1; i < heatInks; i++ {
			s.rect(rect{x, at.y, 14, 10}, heat0+ink(i), "")
			x += 14
		}
		x += 6
	} else {
		s.rect(rect{x, at.y, 14, 10}, heat0+heatInks-1, "")
		x += 20
	}
	put(formatValue(sh.hi, unit))
	put(what)
	if sh.log {
		put("(logarithmic)")
	}
}

var heatGlyphs = []rune("·░░▒▒▓▓██")

// words is the legend of a terminal.
func (sh shades) words(unit string) string {
	if sh.lo == sh.hi {
		return "· 0   █ " + formatValue(sh.hi, unit)
	}
	return "· 0   ░ " + formatValue(sh.lo, unit) + " … █ " + formatValue(sh.hi, unit)
}

// rows draws a cell as wide as its number and its column's name where there is
// room, else up to three columns wide.
func (h HeatMap) rows(width int) []row {
	sh, found := h.shades()
	if !found {
		return []row{{{"No data", muted}}}
	}
	rows, cols := h.size()
	label := 0
	for _, l := range h.Rows[:rows] {
		label = max(label, min(Cells(Clean(l)), width/4))
	}
	each := 1
	if label+1+2*cols <= width {
		each = 2
	}
	if each == 2 && label+1+3*cols <= width {
		each = 3
	}
	if n := (width - label - 1) / cols; n >= 6 && !h.clock() {
		return h.table(width, label, min(n, 24), sh)
	}
	cols = max(1, min(cols, (width-label-1)/each))
	head := spaces(label + 1)
	for c, next := 0, 0; c < cols; c++ {
		l := Fit(h.Cols[c], each*8)
		if c*each < next || Cells(head)-label-1 > c*each || Cells(head)+Cells(l) > width {
			continue
		}
		head += spaces(label+1+c*each-Cells(head)) + l
		next = c*each + Cells(l) + 1
	}
	out := []row{{{head, muted}}}
	names := fitAllCells(h.Rows[:rows], label)
	for r := range rows {
		line := row{{padRight(names[r], label) + " ", none}}
		for c := range cols {
			v := h.cell(r, c)
			glyph, shade := ' ', muted
			if finite(v) {
				shade = sh.ink(v)
				glyph = heatGlyphs[shade-heat0]
			}
			cell := ""
			for range each {
				cell += string(glyph)
			}
			line = append(line, span{cell, shade})
		}
		out = append(out, line)
	}
	if sh.hi > 0 {
		legend := sh.words(h.Unit)
		if h.XLabel != "" {
			legend = h.XLabel + "   " + legend
		}
		out = append(out, row{{Fit(legend, width), muted}})
	}
	if more := len(h.Cols) - cols + len(h.Rows) - rows; more > 0 {
		out = append(out, row{{"… and " + strconv.Itoa(more) + " more rows or columns", muted}})
	}
	return out
}

// clock reports whether the columns are hours, which need no names of their own.
func (h HeatMap) clock() bool { return len(h.Cols) == 24 && h.Cols[0] == "00" }

// table draws a cell with its number, behind a block of its shade.
func (h HeatMap) table(width, label, each int, sh shades) []row {
	rows, cols := h.size()
	widest := 0
	for c := range cols {
		widest = max(widest, Cells(Clean(h.Cols[c])))
		for r := range rows {
			if v := h.cell(r, c); finite(v) {
				widest = max(widest, Cells(formatValue(v, h.Unit))+3)
			}
		}
	}
	each = min(each, widest+2)
	head := row{{spaces(label + 1), none}}
	for _, name := range fitAllCells(h.Cols[:cols], each-1) {
		head = append(head, span{padLeft(name, each-1) + " ", muted})
	}
	out := []row{head}
	names := fitAllCells(h.Rows[:rows], label)
	for r := range rows {
		line := row{{padRight(names[r], label) + " ", none}}
		for c := range cols {
			v := h.cell(r, c)
			if !finite(v) || v == 0 {
				line = append(line, span{padLeft("·", each-1) + " ", muted})
				continue
			}
			shade := sh.ink(v)
			number := formatValue(v, h.Unit)
			if Cells(number) > each-1 {
				number = formatShort(v)
			}
			block := ""
			if n := min(each-2-Cells(number), 2); n > 0 {
				block = strings.Repeat(string(heatGlyphs[shade-heat0]), n) + " "
			}
			line = append(line, span{padLeft(block, each-1-Cells(number)), shade}, span{number + " ", none})
		}
		out = append(out, line)
	}
	out = append(out, axisRow(h.XLabel, width)...)
	if more := len(h.Cols) - cols + len(h.Rows) - rows; more > 0 {
		out = append(out, row{{"… and " + strconv.Itoa(more) + " more rows or columns", muted}})
	}
	return out
}
