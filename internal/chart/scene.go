package chart

import "math"

// A scene is a picture as a list of marks, painted in order. Coordinates are
// pixels, x to the right and y downwards, whatever the backend's scale.
type scene struct {
	w, h          float64
	theme         Theme
	marks         []mark
	regular, bold *face
}

type point struct{ x, y float64 }

type rect struct{ x, y, w, h float64 }

func (r rect) right() float64  { return r.x + r.w }
func (r rect) bottom() float64 { return r.y + r.h }

// inset returns the rectangle without the given margins; never negative.
func (r rect) inset(top, right, bottom, left float64) rect {
	return rect{r.x + left, r.y + top, max(0, r.w-left-right), max(0, r.h-top-bottom)}
}

type shape uint8

const (
	rectShape shape = iota
	lineShape
	polygonShape
	circleShape
	textShape
)

type anchor uint8

const (
	start anchor = iota
	middle
	end
)

// mark is one primitive. Which fields count depends on its shape:
// rect: pts[0] is the top left, pts[1] the bottom right; line: a polyline of
// any number of points; circle: pts[0] and r; text: pts[0] is the anchor point
// on the baseline, rotated by angle degrees clockwise about it.
type mark struct {
	shape  shape
	ink    ink
	pts    []point
	r      float64 // circle
	width  float64 // line
	dash   []float64
	text   string
	size   float64
	bold   bool
	anchor anchor
	angle  float64
	halo   bool   // text: ringed by the ground, to be read upon other marks
	tip    string // shown when the reader points at the mark (SVG)
}

func newScene(w, h float64, t Theme) *scene {
	f := fonts()
	return &scene{w: w, h: h, theme: t, regular: newFace(f[0], &wideRegular), bold: newFace(f[1], &wideBold)}
}

// rect draws nothing for a rectangle without extent.
func (s *scene) rect(r rect, c ink, tip string) {
	if !(r.w > 0) || !(r.h > 0) {
		return
	}
	s.marks = append(s.marks, mark{shape: rectShape, ink: c, tip: Clean(tip),
		pts: []point{{r.x, r.y}, {r.right(), r.bottom()}}})
}

func (s *scene) line(a, b point, c ink, width float64) { s.polyline([]point{a, b}, c, width, nil) }

func (s *scene) polyline(pts []point, c ink, width float64, dash []float64) {
	s.marks = append(s.marks, mark{shape: lineShape, ink: c, pts: pts, width: width, dash: dash})
}

func (s *scene) polygon(pts []point, c ink, tip string) {
	s.marks = append(s.marks, mark{shape: polygonShape, ink: c, pts: pts, tip: Clean(tip)})
}

func (s *scene) circle(at point, r float64, c ink, tip string) {
	s.marks = append(s.marks, mark{shape: circleShape, ink: c, pts: []point{at}, r: r, tip: Clean(tip)})
}

// marker draws a point of the form that tells series i from the others without
// colour. The forms cover about the same area.
func (s *scene) marker(at point, r float64, i int, c ink, tip string) {
	switch x, y := at.x, at.y; i % 4 {
	case 0:
		s.circle(at, r, c, tip)
	case 1:
		r *= 0.9
		s.polygon([]point{{x - r, y - r}, {x + r, y - r}, {x + r, y + r}, {x - r, y + r}}, c, tip)
	case 2:
		s.polygon([]point{{x, y - 1.3*r}, {x + 1.3*r, y + r}, {x - 1.3*r, y + r}}, c, tip)
	case 3:
		s.polygon([]point{{x, y - 1.4*r}, {x + 1.2*r, y}, {x, y + 1.4*r}, {x - 1.2*r, y}}, c, tip)
	}
}

// style is how a text is set.
type style struct {
	size   float64
	ink    ink
	bold   bool
	anchor anchor
	angle  float64
}

func (s *scene) text(at point, str string, st style, tip string) {
	if str = Clean(str); str == "" {
		return
	}
	s.marks = append(s.marks, mark{shape: textShape, ink: st.ink, pts: []point{at}, text: str,
		size: st.size, bold: st.bold, anchor: st.anchor, angle: st.angle, tip: Clean(tip)})
}

// halo is text to be read upon other marks.
func (s *scene) halo(at point, str string, st style, tip string) {
	n := len(s.marks)
	if s.text(at, str, st, tip); len(s.marks) > n {
		s.marks[n].halo = true
	}
}

// haloWidth is how far the ground reaches around a text with a halo.
const haloWidth = 2.0

// Sizes of text in pixels: legible at report width, and when a figure of 900
// pixels is shown at two thirds of it.
const (
	titleSize   = 17.0
	headingSize = 13.5
	labelSize   = 12.0
	tickSize    = 11.0
	pad         = 16.0
)

// compose lays a figure out.
func compose(fig Figure, o Options) *scene {
	width := 900.0
	if o.Width > 0 {
		width = float64(min(max(o.Width, 240), 4000))
	}
	s := newScene(width, 0, o.Theme)
	s.rect(rect{0, 0, width, 1}, ground, "") // grows to the whole picture at the end
	inner := width - 2*pad
	y := pad

	for _, l := range s.bold.wrap(Clean(fig.Title), titleSize, inner, 2) {
		y += titleSize
		s.text(point{pad, y}, l, style{size: titleSize, ink: text, bold: true}, "")
		y += 5
	}
	for _, l := range s.regular.wrap(Clean(fig.Subtitle), labelSize, inner, 3) {
		y += labelSize + 2
		s.text(point{pad, y}, l, style{size: labelSize, ink: muted}, "")
		y += 3
	}
	if y > pad {
		y += 9
	}

	n := len(fig.Panels)
	columns := max(1, min(n, int((width-pad)/360)))
	if columns > 2 && n%columns == 1 {
		columns-- // none is alone in its row
	}
	const gap = 24.0
	cell := (inner - gap*float64(columns-1)) / float64(columns)
	lines := captionLines(s, fig.Caption, inner)
	var heights []float64
	var total float64
	for i := 0; i < n; i += columns {
		h := 0.0
		for _, p := range fig.Panels[i:min(n, i+columns)] {
			h = max(h, p.height(s, cell))
		}
		heights = append(heights, h)
		total += h
	}
	if o.Height > 0 && total > 0 {
		room := float64(min(o.Height, 8000)) - y - pad - gap*float64(len(heights)-1) - captionHeight(lines)
		stretch := max(room, 150*float64(len(heights))) / total
		for i := range heights {
			heights[i] *= stretch
		}
	}
	for i, p := range fig.Panels {
		x := pad + float64(i%columns)*(cell+gap)
		p.draw(s, rect{x, y, cell, heights[i/columns]})
		if i%columns == columns-1 || i == n-1 {
			y += heights[i/columns]
			if i < n-1 {
				y += gap
			}
		}
	}

	if len(lines) > 0 {
		y += 10
		for _, l := range lines {
			if l == "" {
				y += 6
				continue
			}
			y += labelSize + 5
			s.text(point{pad, y}, l, style{size: labelSize, ink: text}, "")
		}
	}
	s.h = math.Ceil(y + pad)
	s.marks[0].pts[1] = point{s.w, s.h}
	return s
}

// captionLines wraps the paragraphs; an empty line parts them.
func captionLines(s *scene, paragraphs []string, limit float64) []string {
	var lines []string
	for _, p := range paragraphs {
		if w := s.regular.wrap(Clean(p), labelSize, limit, 12); len(w) > 0 {
			if len(lines) > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, w...)
		}
	}
	return lines
}

func captionHeight(lines []string) float64 {
	h := 0.0
	for _, l := range lines {
		if l == "" {
			h += 6
		} else {
			h += labelSize + 5
		}
	}
	if h > 0 {
		h += 10
	}
	return h
}

// entry is one line of a legend.
type entry struct {
	name string
	ink  ink
	dash []float64
	line bool
	dot  bool // a marker, its form by the entry's place
}

// header draws the panel's title and legend and returns the area below them.
func (s *scene) header(area rect, title string, legend []entry) rect {
	y := area.y
	if t := Clean(title); t != "" {
		for _, l := range s.bold.wrap(t, headingSize, area.w, 2) {
			y += headingSize
			s.text(point{area.x, y}, l, style{size: headingSize, ink: text, bold: true}, t)
			y += 4
		}
		y += 7
	}
	if len(legend) > 1 {
		x := area.x
		y += 4
		var names []string
		for _, e := range legend {
			names = append(names, e.name)
		}
		names = s.regular.fitAll(names, tickSize, min(160, area.w-18))
		for i, e := range legend {
			name := names[i]
			w := 17 + s.regular.width(name, tickSize)
			if x > area.x && x+w > area.right() {
				x = area.x
				y += 17
			}
			switch {
			case e.line:
				s.polyline([]point{{x, y + 5}, {x + 13, y + 5}}, e.ink, 2.5, e.dash)
			case e.dot:
				s.marker(point{x + 6, y + 6}, 5, i, e.ink, "")
			default:
				s.rect(rect{x, y, 11, 11}, e.ink, "")
			}
			s.text(point{x + 16, y + 10}, name, style{size: tickSize, ink: muted}, e.name)
			x += w + 14
		}
		y += 21
	}
	return rect{area.x, y, area.w, max(0, area.bottom()-y)}
}

// empty says that there is nothing to draw.
func (s *scene) empty(area rect) {
	s.rect(area, heat0, "")
	s.text(point{area.x + area.w/2, area.y + area.h/2 + 4}, "No data",
		style{size: labelSize, ink: muted, anchor: middle}, "")
}
