package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Histogram shows how many of the values fall into each of a row of bins.
type Histogram struct {
	Title          string
	XLabel, YLabel string
	Unit           string // of the values, as in Bars
	Values         []float64
	// Bins is about how many bins to make; 0 chooses by the data. Whole
	// numbers get bins of whole width, one for each number where there are
	// few. Positive data with a tail so long that nearly all of it would fall
	// into the first bin get bins that double in width, which then are
	// labelled by their bounds.
	Bins int
}

// bin counts the values in [lo, hi); the last bin of a histogram of fractions
// includes hi.
type bin struct {
	lo, hi float64
	count  int
}

type binning struct {
	bins    []bin
	integer bool // every value is whole: a bin holds lo to hi−1
	doubled bool // widths double: bins are drawn equally wide and labelled by bounds
	n       int  // finite values
}

const (
	maxBins   = 30
	maxSingle = 60      // whole numbers that get a bin each
	exact     = 1 << 53 // whole numbers below have a float of their own
)

func (h Histogram) heading() string { return h.Title }

// bin sorts the finite values into bins.
func (h Histogram) bin() binning {
	values := make([]float64, 0, len(h.Values))
	for _, v := range h.Values {
		if finite(v) {
			values = append(values, clampValue(v))
		}
	}
	out := binning{n: len(values), integer: whole(values)}
	if len(values) == 0 {
		return out
	}
	slices.Sort(values)
	edges := h.edges(values, &out)
	out.bins = make([]bin, len(edges)-1)
	at := 0
	for i := range out.bins {
		b := &out.bins[i]
		b.lo, b.hi = edges[i], edges[i+1]
		last := i == len(out.bins)-1
		to := len(values)
		if !last {
			to = at + sortedBelow(values[at:], b.hi)
		}
		b.count = to - at
		at = to
	}
	return out
}

// sortedBelow returns how many of the sorted values are less than v.
func sortedBelow(values []float64, v float64) int {
	n, _ := slices.BinarySearch(values, v)
	return n
}

// edges chooses the bounds of the bins of sorted values; at least two.
func (h Histogram) edges(values []float64, b *binning) []float64 {
	lo, hi := values[0], values[len(values)-1]
	want := min(h.Bins, 200)
	if want <= 0 {
		want = automaticBins(values)
	}
	if lo == hi {
		if b.integer && math.Abs(lo) < exact {
			return []float64{lo, lo + 1}
		}
		d := max(math.Abs(lo)*0.05, 1e-9)
		return []float64{lo - d, lo + d}
	}
	if b.integer && h.Bins <= 0 && max(-lo, hi) >= exact && max(-lo, hi) < 1e20 && longTail(values) {
		b.doubled = true
		return doubling(lo, hi)
	}
	if b.integer && max(-lo, hi) < exact {
		if span := hi - lo + 1; span <= maxSingle && h.Bins <= 0 || span <= float64(want) {
			return steps(lo, hi+1, 1)
		}
		if h.Bins <= 0 && longTail(values) {
			b.doubled = true
			return doubling(lo, hi)
		}
		step := max(1, math.Round(niceStep((hi-lo)/float64(want))))
		first := math.Floor(lo/step) * step
		if lo == 1 {
			first = 1 // counts begin at one: 1–5, 6–10 …
		}
		return steps(first, hi+1, step)
	}
	b.integer = false
	step := niceStep(hi/float64(want) - lo/float64(want))
	first := math.Floor(lo/step) * step
	if !finite(first) || first+step == first || hi-step == hi {
		return []float64{lo, hi} // too fine for floating point
	}
	e := steps(first, hi, step)
	return e
}

// automaticBins is the rule of Freedman and Diaconis (1981), which outliers
// do not disturb, kept between 5 and maxBins.
func automaticBins(sorted []float64) int {
	n := len(sorted)
	iqr := sorted[n*3/4] - sorted[n/4]
	span := sorted[n-1] - sorted[0]
	if !(iqr > 0) {
		return max(5, min(maxBins, int(math.Ceil(math.Log2(float64(n))))+1)) // Sturges
	}
	bins := span / (2 * iqr / math.Cbrt(float64(n)))
	return int(max(5, min(maxBins, math.Ceil(bins))))
}

// longTail reports whether equal bins would put nearly everything in the first.
func longTail(sorted []float64) bool {
	n := len(sorted)
	lo, hi := sorted[0], sorted[n-1]
	if hi-lo < 60 {
		return false
	}
	if lo < 0 { // to both sides of zero
		near := max(-lo, hi) / 15
		return sortedBelow(sorted, near)-sortedBelow(sorted, -near) >= n*4/5
	}
	return sortedBelow(sorted, lo+(hi-lo)/15) >= n*4/5
}

// doubling returns bounds 1, 2, 4, 8 … from the power of two at or below lo, and the same below
// zero, which has a bin of its own. A negative bin's bounds are those of its values, turned about:
// −7 to −4 are one.
func doubling(lo, hi float64) []float64 {
	var e []float64
	for x := 1.0; lo < 0; x *= 2 {
		e = append(e, 1-x)
		if 1-x <= lo {
			break
		}
	}
	slices.Reverse(e)
	if lo < 0 {
		e = e[:len(e)-1] // zero comes below
	}
	x := 1.0
	if lo < 1 {
		e = append(e, 0)
	} else {
		for x*2 <= lo {
			x *= 2
		}
	}
	for ; x <= hi; x *= 2 {
		e = append(e, x)
	}
	return append(e, x)
}

// steps returns lo, lo+step … up to the first bound not below hi.
func steps(lo, hi, step float64) []float64 {
	e := []float64{lo}
	for i := 1; len(e) < 1000; i++ {
		x := lo + float64(i)*step
		e = append(e, x)
		if x >= hi {
			break
		}
	}
	return e
}

// label names a bin by what it holds.
func (b binning) label(i int, unit string) string {
	x := b.bins[i]
	if b.integer {
		if x.hi-x.lo == 1 {
			return formatValue(x.lo, unit)
		}
		from, to := formatValue(x.lo, unit), formatValue(x.hi-1, unit)
		number, of, _ := strings.Cut(from, " ")
		if _, of2, _ := strings.Cut(to, " "); of == of2 {
			from = number // the unit once
		}
		if unit == "%" {
			from = strings.TrimSuffix(from, "%")
		}
		return from + "–" + to
	}
	step := x.hi - x.lo
	top := max(math.Abs(b.bins[0].lo), math.Abs(b.bins[len(b.bins)-1].hi))
	return formatTick(x.lo, step, top, "") + "–" + formatTick(x.hi, step, top, unit)
}

func (h Histogram) numbers() table {
	b := h.bin()
	t, left := table{head: []string{cmp.Or(h.XLabel, "value"), cmp.Or(h.YLabel, "count")}}, 0
	for i := range b.bins {
		t.add(&left, b.label(i, h.Unit), grouped(float64(b.bins[i].count), 0))
	}
	t.more(left)
	return t
}

func (h Histogram) describe() string {
	b := h.bin()
	if b.n == 0 {
		return "Histogram" + quoted(h.Title) + ": no data."
	}
	most := 0
	for i := range b.bins {
		if b.bins[i].count > b.bins[most].count {
			most = i
		}
	}
	return fmt.Sprintf("Histogram%s of %s in %s; most, %s, at %s.", quoted(h.Title), prose.Count(b.n, "value"),
		prose.Count(len(b.bins), "bin"), grouped(float64(b.bins[most].count), 0), b.label(most, h.Unit))
}

func (h Histogram) height(_ *scene, width float64) float64 {
	return min(max(width*0.72, 270), 420)
}

func (h Histogram) draw(s *scene, area rect) {
	b := h.bin()
	area = s.header(area, h.Title, nil)
	if b.n == 0 {
		s.empty(area)
		return
	}
	most := 0
	for _, x := range b.bins {
		most = max(most, x.count)
	}
	y := newScale(0, float64(most), 5, "", true)
	n := float64(len(b.bins))
	slot := (area.w - 60) / n

	// Bars of whole numbers are labelled by what they hold, others by ticks at
	// their bounds.
	perBar := b.integer
	labels := make([]string, len(b.bins))
	for i := range b.bins {
		if perBar {
			labels[i] = b.label(i, h.Unit)
		}
	}
	var lay tickLabels
	below := tickSize + 9.0
	if perBar {
		how := ordered
		if b.doubled {
			how = named
		}
		lay = s.layLabels(labels, slot, how)
		below = lay.below
	}
	xLabel := h.XLabel
	if b.doubled {
		xLabel = strings.TrimSpace(xLabel + " (each bin twice as wide as the one before)")
	}
	f := s.newFrame(area, y, xLabel, h.YLabel, min(below, area.h/2), lay.left-slot/2)
	slot = f.area.w / n
	inset := 0.5
	if perBar && slot > 8 {
		inset = slot * 0.08
	}
	count := b.countFormat(s, slot-2)
	for i, x := range b.bins {
		left := f.area.x + slot*float64(i)
		if x.count > 0 {
			top := min(f.py(float64(x.count)), f.area.bottom()-1)
			s.rect(rect{left + inset, top, max(slot-2*inset, 0.5), f.area.bottom() - top}, series0,
				b.label(i, h.Unit)+": "+grouped(float64(x.count), 0))
			if count != nil {
				s.text(point{left + slot/2, top - 4}, count(float64(x.count)), style{size: 10, ink: text, anchor: middle}, "")
			}
		}
		if perBar {
			lay.draw(f, i, left+slot/2)
		}
	}
	f.base()
	if !perBar {
		h.boundTicks(f, b)
	}
}

// countFormat returns how to write the counts above the bars, nil where they
// have no room.
func (b binning) countFormat(s *scene, room float64) func(float64) string {
	full := func(v float64) string { return formatValue(v, "") }
	for _, format := range []func(float64) string{full, formatShort} {
		widest := 0.0
		for _, x := range b.bins {
			widest = max(widest, s.regular.width(format(float64(x.count)), 10))
		}
		if widest <= room {
			return format
		}
	}
	return nil
}

// boundTicks labels bounds of equal bins, as many as have room, at multiples
// of a round number.
func (h Histogram) boundTicks(f frame, b binning) {
	step := b.bins[0].hi - b.bins[0].lo
	slot := f.area.w / float64(len(b.bins))
	top := max(math.Abs(b.bins[0].lo), math.Abs(b.bins[len(b.bins)-1].hi))
	widest := 0.0
	for i := range b.bins {
		widest = max(widest, f.s.regular.width(formatTick(b.bound(i+1), step, top, h.Unit), tickSize))
	}
	every := max(1, math.Round(niceStep((widest+12)/slot)))
	for i := 0; i <= len(b.bins); i++ {
		n := math.Round(b.bound(i) / step)
		if math.Mod(n, every) != 0 && len(b.bins) > 1 {
			continue
		}
		x := f.area.x + slot*float64(i)
		f.s.line(point{x, f.area.bottom()}, point{x, f.area.bottom() + 4}, axis, 1)
		f.s.text(point{x, f.area.bottom() + tickSize + 6}, formatTick(b.bound(i), step, top, h.Unit),
			style{size: tickSize, ink: muted, anchor: middle}, "")
	}
}

func (b binning) bound(i int) float64 {
	if i < len(b.bins) {
		return b.bins[i].lo
	}
	return b.bins[len(b.bins)-1].hi
}

func (h Histogram) rows(width int) []row {
	b := h.bin()
	if h.Bins <= 0 && len(b.bins) > 25 { // a line each would fill the screen
		h.Bins = 20
		b = h.bin()
	}
	items := make([]Item, len(b.bins))
	for i, x := range b.bins {
		items[i] = Item{Label: b.label(i, h.Unit), Value: float64(x.count)}
	}
	return append(barRows(items, "", width), axisRow(measureOf(h.YLabel, h.XLabel), width)...)
}
