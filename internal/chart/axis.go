package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// axisScale maps values onto an axis: the span it covers, the ticks on it and
// their labels, all in one unit of measure.
type axisScale struct {
	lo, hi float64
	ticks  []float64
	labels []string
	log    bool    // by ratios; what is not above zero lies at lo
	near   float64 // if above zero: by ratios to both sides of zero, but evenly so near to it
}

// at returns where v lies, 0 at lo and 1 at hi.
func (a axisScale) at(v float64) float64 {
	if a.log {
		return (math.Log10(max(v, a.lo)) - math.Log10(a.lo)) / (math.Log10(a.hi) - math.Log10(a.lo))
	}
	if a.near > 0 {
		lo := math.Asinh(a.lo / a.near)
		return (math.Asinh(v/a.near) - lo) / (math.Asinh(a.hi/a.near) - lo)
	}
	// Halved first: the span of the largest floats would overflow.
	return (v/2 - a.lo/2) / (a.hi/2 - a.lo/2)
}

// limit keeps sums and differences of values finite.
const limit = math.MaxFloat64 / 64

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// newScale covers lo to hi with about n ticks at 1, 2, 2.5 or 5 times a power
// of ten (of 1024 for bytes), and widens the span to the outer ticks.
func newScale(lo, hi float64, n int, unit string, integer bool) axisScale {
	lo, hi = max(lo, -limit), min(hi, limit)
	if !(hi > lo) {
		switch {
		case lo == 0 || !finite(lo):
			lo, hi = 0, 1
		case lo > 0:
			lo, hi = 0, lo
		default:
			hi = 0
		}
	}
	base := 1.0
	if unit == "B" {
		for base*1024 <= max(math.Abs(lo), math.Abs(hi)) && base < 1e18 {
			base *= 1024
		}
	}
	step := niceStep((hi/base-lo/base)/float64(max(n, 1))) * base
	if integer || unit == "B" {
		step = max(step, 1)
	}
	first, last := math.Floor(lo/step), math.Ceil(hi/step)
	a := axisScale{lo: first * step, hi: last * step}
	for i := first; i <= last && len(a.ticks) < 100; i++ {
		a.ticks = append(a.ticks, i*step)
		if i+1 == i {
			break
		}
	}
	top := max(math.Abs(a.lo), math.Abs(a.hi))
	for _, t := range a.ticks {
		a.labels = append(a.labels, formatTick(t, step, top, unit))
	}
	return a
}

// newLogScale covers lo to hi, both above zero, with ticks at powers of ten, or
// of 32 for bytes.
func newLogScale(lo, hi float64, n int, unit string) axisScale {
	base := 10.0
	if unit == "B" {
		base = 32
	}
	power := func(v float64) float64 { return math.Log(v) / math.Log(base) }
	first, last := math.Floor(power(lo)+1e-9), math.Ceil(power(hi)-1e-9)
	first, last = max(first, -200), min(last, 300)
	if last <= first {
		last = first + 1
	}
	every := max(1, math.Ceil((last-first)/float64(max(n, 1))))
	a := axisScale{lo: math.Pow(base, first), hi: math.Pow(base, last), log: true}
	for e := first; e <= last; e += every {
		v := math.Pow(base, e)
		a.ticks, a.labels = append(a.ticks, v), append(a.labels, formatValue(v, unit))
	}
	return a
}

// newTwoSidedScale covers lo, zero or below, and hi above zero by ratios, with ticks at zero and at powers of
// ten, or of 32 for bytes, from the least magnitude on that occurs.
func newTwoSidedScale(lo, hi, least float64, n int, unit string) axisScale {
	base := 10.0
	if unit == "B" {
		base = 32
	}
	power := func(v float64) float64 { return math.Log(v) / math.Log(base) }
	first := max(math.Floor(power(least)+1e-9), -200)
	below, above := max(math.Ceil(power(-lo)-1e-9), first), min(max(math.Ceil(power(hi)-1e-9), first), 200)
	every := max(1, math.Ceil((below+above-2*first)/float64(max(n-1, 1))))
	a := axisScale{lo: -math.Pow(base, below), hi: math.Pow(base, above), near: math.Pow(base, first)}
	if lo >= 0 {
		a.lo = 0
	}
	tick := func(v float64) {
		a.ticks, a.labels = append(a.ticks, v), append(a.labels, formatValue(v, unit))
	}
	for e := below; e > first; e -= every {
		tick(-math.Pow(base, e))
	}
	tick(0)
	for e := above - math.Floor((above-first)/every)*every; e <= above; e += every {
		if e > first {
			tick(math.Pow(base, e))
		}
	}
	return a
}

// newRatioScale covers lo, zero or above, to hi by ratios; zero is a tick of its own.
func newRatioScale(lo, hi, least float64, n int, unit string) axisScale {
	if lo > 0 {
		return newLogScale(lo, hi, n, unit)
	}
	return newTwoSidedScale(0, hi, least, n, unit)
}

// suits returns a scale for values: by ratios where they differ so much that a linear one would
// crush most of them into a corner.
func suits(values []float64, n int, unit string) axisScale {
	var ok []float64
	for _, v := range values {
		if finite(v) {
			ok = append(ok, clampValue(v))
		}
	}
	if len(ok) == 0 {
		return newScale(0, 1, n, unit, false)
	}
	slices.Sort(ok)
	lo, hi := ok[0], ok[len(ok)-1]
	first, _ := slices.BinarySearch(ok, math.SmallestNonzeroFloat64)
	if above := ok[first:]; lo >= 0 && len(above) > 0 && hi/above[0] > 1000 && hi/above[len(above)/2] > 50 {
		return newRatioScale(lo, hi, above[0], n, unit)
	}
	if lo < 0 && hi > 0 {
		var sizes []float64
		for _, v := range ok {
			if v != 0 {
				sizes = append(sizes, math.Abs(v))
			}
		}
		slices.Sort(sizes)
		if far := max(-lo, hi); far/sizes[0] > 1000 && far/sizes[len(sizes)/2] > 50 {
			return newTwoSidedScale(lo, hi, sizes[0], n, unit)
		}
	}
	if lo > 0 && lo < hi/2 {
		lo = 0
	}
	return newScale(lo, hi, n, unit, whole(ok))
}

// niceStep rounds a step up to 1, 2, 2.5 or 5 times a power of ten.
func niceStep(raw float64) float64 {
	if !(raw > 0) || math.IsInf(raw, 0) {
		return 1
	}
	exp := math.Floor(math.Log10(raw))
	power := math.Pow(10, exp)
	if power == 0 {
		return raw
	}
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m == 2.5 && exp <= 0 && raw > 0.9 {
			continue // steps of 2.5 make poor counts
		}
		if m*power >= raw*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

type prefix struct {
	size float64
	name string
}

var (
	decimal = []prefix{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}}
	binary  = []prefix{{1 << 60, "EiB"}, {1 << 50, "PiB"}, {1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}
)

// spans are the units of a span of time.
var spans = []struct {
	name string
	ns   float64
}{{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}}

// scaled picks the prefix that suits a magnitude, and the text after a number.
func scaled(top float64, unit string) (size float64, suffix string) {
	if unit == "B" {
		for _, p := range binary {
			if top >= p.size {
				return p.size, " " + p.name
			}
		}
		return 1, " B"
	}
	for i, u := range spans { // a span of time is told in the unit that suits it
		if unit != u.name {
			continue
		}
		for _, larger := range slices.Backward(spans[i+1:]) {
			if top >= larger.ns/u.ns {
				return larger.ns / u.ns, " " + larger.name
			}
		}
		return 1, " " + u.name
	}
	switch unit {
	case "":
	case "%":
		suffix = "%"
	default:
		suffix = " " + Fit(unit, 12)
	}
	for _, p := range decimal {
		if top >= p.size && unit != "%" {
			return p.size, p.name + suffix
		}
	}
	return 1, suffix
}

// formatTick writes a tick with as many decimals as its step needs; all ticks
// of an axis share the prefix of its largest.
func formatTick(v, step, top float64, unit string) string {
	if v == 0 {
		return "0"
	}
	size, suffix := scaled(top, unit)
	if top >= 1e21 {
		size, suffix = 1, strings.TrimPrefix(suffix, "E")
	}
	v, step = v/size, step/size
	if math.Abs(v) >= 1e6 || top < 1e-4 {
		return strconv.FormatFloat(v, 'g', 3, 64) + suffix
	}
	decimals, most := 0, 6
	if unit == "B" { // steps that are no round number of KiB need not be told to the byte
		most = int(min(max(2-math.Floor(math.Log10(step)), 0), 6))
	}
	for decimals < most && math.Abs(step-round(step, decimals)) > step*1e-6 {
		decimals++
	}
	return grouped(v, decimals) + suffix
}

func round(v float64, decimals int) float64 {
	p := math.Pow(10, float64(decimals))
	return math.Round(v*p) / p
}

// formatValue writes a single number: whole numbers below a million in full,
// others with three or four significant digits.
func formatValue(v float64, unit string) string {
	if !finite(v) {
		return "n/a"
	}
	size, suffix := scaled(math.Abs(v), unit)
	if math.Abs(v) >= 1e21 {
		size, suffix = 1, strings.TrimPrefix(suffix, "E")
	}
	v /= size
	switch m := math.Abs(v); {
	case m >= 1e6 || m > 0 && m < 1e-3:
		return strconv.FormatFloat(v, 'g', 3, 64) + suffix
	case v == math.Trunc(v) || m >= 1000:
		return grouped(v, 0) + suffix
	case m >= 100:
		return trimZeros(grouped(v, 1)) + suffix
	case m >= 1:
		return trimZeros(grouped(v, 2)) + suffix
	default:
		return trimZeros(grouped(v, 3)) + suffix
	}
}

// formatShort is formatValue in about four characters.
func formatShort(v float64) string {
	switch {
	case v >= 1e4 && v < 1e6:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + "k"
	case v >= 1e3 && v < 1e4:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + "k"
	}
	return formatValue(v, "")
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// grouped writes a number with commas between thousands.
func grouped(v float64, decimals int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	var b strings.Builder
	if v < 0 && strings.Trim(s, "0.") != "" {
		b.WriteString("−")
	}
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if fraction != "" {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return b.String()
}

// whole reports whether every finite value is an integer.
func whole(values []float64) bool {
	for _, v := range values {
		if finite(v) && v != math.Trunc(v) {
			return false
		}
	}
	return true
}

// frame is the part of a panel inside the axes, with the scale of its y axis.
type frame struct {
	s    *scene
	area rect
	y    axisScale
}

func (f frame) py(v float64) float64 { return f.area.bottom() - f.y.at(v)*f.area.h }

// newFrame draws a vertical value axis with grid lines and both axis titles
// and leaves below pixels under the plot for tick labels and left pixels at
// least beside it.
func (s *scene) newFrame(area rect, y axisScale, xTitle, yTitle string, below, left float64) frame {
	labels := 0.0
	for _, l := range y.labels {
		labels = max(labels, s.regular.width(l, tickSize))
	}
	margin := labels + 8
	if yTitle != "" {
		margin += labelSize + 6
	}
	if xTitle != "" {
		below += labelSize + 7
	}
	f := frame{s, area.inset(6, 6, below, max(margin, left)), y}
	for i, t := range y.ticks {
		py := f.py(t)
		s.line(point{f.area.x, py}, point{f.area.right(), py}, grid, 1)
		s.text(point{f.area.x - 6, py + 4}, y.labels[i], style{size: tickSize, ink: muted, anchor: end}, "")
	}
	if yTitle != "" {
		t := s.regular.fit(Clean(yTitle), labelSize, f.area.h)
		s.text(point{f.area.x - labels - 13, f.area.y + f.area.h/2}, t,
			style{size: labelSize, ink: text, anchor: middle, angle: -90}, yTitle)
	}
	if xTitle != "" {
		t := s.regular.fit(Clean(xTitle), labelSize, f.area.w)
		s.text(point{f.area.x + f.area.w/2, area.bottom() - 4}, t,
			style{size: labelSize, ink: text, anchor: middle}, xTitle)
	}
	return f
}

// base draws the line that bars stand on.
func (f frame) base() {
	y := f.py(max(f.y.lo, min(0, f.y.hi)))
	f.s.line(point{f.area.x, y}, point{f.area.right(), y}, axis, 1)
}

// tickLabels is how the labels under a row of slots are set.
type tickLabels struct {
	text  []string
	full  []string
	angle float64
	every int     // one in so many is shown
	below float64 // pixels needed under the axis
	left  float64 // pixels the first label reaches left of its slot's middle
}

// labelling says what may be done with labels that are too wide for a slot.
type labelling uint8

const (
	named   labelling = iota // each says something of its own: turn them
	turned                   // turn them even where they would fit
	ordered                  // each follows from its neighbours: leave some out
)

// layLabels fits labels under slots: level where they have room, else turned
// by 45°, else upright; where even upright ones would touch, some are left out.
func (s *scene) layLabels(labels []string, slot float64, how labelling) tickLabels {
	const longest = 110.0
	t := tickLabels{full: labels, text: make([]string, len(labels)), every: 1}
	if how == ordered {
		widest := 0.0
		for _, l := range labels {
			widest = max(widest, s.regular.width(Clean(l), tickSize))
		}
		if every := math.Ceil((widest + 6) / max(slot, 0.01)); every <= 6 {
			t.every, slot = int(every), slot*every
			for i := 0; i < len(labels); i += t.every {
				t.text[i] = Clean(labels[i])
			}
			t.below, t.left = tickSize+8, widest/2
			return t
		}
	}
	if slot < tickSize+3 {
		t.every = int(math.Ceil(1.7 * tickSize / max(slot, 0.01)))
	}
	widest := 0.0
	for i, l := range labels {
		if i%t.every == 0 {
			t.text[i] = s.regular.fit(Clean(l), tickSize, longest)
			widest = max(widest, s.regular.width(t.text[i], tickSize))
		}
	}
	switch room := slot * float64(t.every); {
	case how != turned && widest+6 <= room:
		t.below = tickSize + 8
		t.left = widest / 2
	case room >= 1.45*tickSize:
		t.angle = -45
		t.below = widest*math.Sqrt2/2 + tickSize + 4
		t.left = widest * math.Sqrt2 / 2
	default:
		t.angle = -90
		t.below = widest + 10
		t.left = tickSize / 2
	}
	return t
}

// draw sets label i under the middle of its slot.
func (t tickLabels) draw(f frame, i int, x float64) {
	if t.text[i] == "" {
		return
	}
	st := style{size: tickSize, ink: muted, anchor: middle, angle: t.angle}
	at := point{x, f.area.bottom() + tickSize + 4}
	switch t.angle {
	case -45:
		st.anchor, at = end, point{x + 4, f.area.bottom() + tickSize + 1}
	case -90:
		st.anchor, at = end, point{x + 4, f.area.bottom() + 6}
	}
	f.s.text(at, t.text[i], st, t.full[i])
}
