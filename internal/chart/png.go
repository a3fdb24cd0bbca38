package chart

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// canvas paints a scene's marks onto an image, scale device pixels a pixel.
type canvas struct {
	img     *image.RGBA
	scale   float64
	colours *[inkCount]color.RGBA
	raster  vector.Rasterizer
	path    []stroke // of the mark at work, in device pixels
}

// stroke is one step of a path; move starts a new contour, ctrl is the control
// point of a quadratic curve when curve is set.
type stroke struct {
	move, curve bool
	ctrl, to    point
}

func writePNG(w io.Writer, s *scene, o Options) error {
	scale := float64(min(max(o.Scale, 1), 4))
	c := &canvas{
		img:     image.NewRGBA(image.Rect(0, 0, int(math.Ceil(s.w*scale)), int(math.Ceil(s.h*scale)))),
		scale:   scale,
		colours: o.Theme.colours(),
	}
	for i := range s.marks {
		c.paint(s, &s.marks[i])
	}
	enc := png.Encoder{CompressionLevel: png.DefaultCompression}
	return enc.Encode(w, c.img)
}

func (c *canvas) paint(s *scene, m *mark) {
	c.path = c.path[:0]
	switch m.shape {
	case rectShape:
		c.box(m.pts[0], m.pts[1], m.ink)
		return
	case lineShape:
		if c.straight(m) {
			return
		}
		for _, run := range dashed(m.pts, m.dash) {
			c.outline(run, m.width)
		}
	case polygonShape:
		for i, p := range m.pts {
			c.path = append(c.path, stroke{move: i == 0, to: c.device(p)})
		}
	case circleShape:
		c.disc(m.pts[0], m.r)
	case textShape:
		f := s.regular
		if m.bold {
			f = s.bold
		}
		if m.halo {
			for i := range 12 {
				around := *m
				sin, cos := math.Sincos(float64(i) * math.Pi / 6)
				around.pts = []point{{m.pts[0].x + haloWidth*cos, m.pts[0].y + haloWidth*sin}}
				c.glyphs(f, &around)
				c.fill(ground)
				c.path = c.path[:0]
			}
		}
		c.glyphs(f, m)
	}
	c.fill(m.ink)
}

func (c *canvas) device(p point) point { return point{p.x * c.scale, p.y * c.scale} }

// box fills a rectangle on whole device pixels, so that edges are sharp and
// what is thinner than a pixel still shows.
func (c *canvas) box(a, b point, k ink) {
	edge := func(v float64) int { return int(math.Round(min(max(v*c.scale, -1e6), 1e6))) }
	r := image.Rect(edge(a.x), edge(a.y), edge(b.x), edge(b.y))
	if r.Dx() == 0 {
		r.Max.X++
	}
	if r.Dy() == 0 {
		r.Max.Y++
	}
	draw.Draw(c.img, r.Intersect(c.img.Bounds()), image.NewUniform(c.colours[k]), image.Point{}, draw.Src)
}

// straight draws a level or upright line as a box.
func (c *canvas) straight(m *mark) bool {
	if len(m.pts) != 2 || m.dash != nil {
		return false
	}
	a, b := m.pts[0], m.pts[1]
	h := m.width / 2
	switch {
	case a.y == b.y:
		c.box(point{min(a.x, b.x), a.y - h}, point{max(a.x, b.x), a.y + h}, m.ink)
	case a.x == b.x:
		c.box(point{a.x - h, min(a.y, b.y)}, point{a.x + h, max(a.y, b.y)}, m.ink)
	default:
		return false
	}
	return true
}

// outline appends a polyline as a box for each segment and a disc for each
// joint. All contours turn the same way, so where they overlap they add up
// instead of cancelling.
func (c *canvas) outline(pts []point, width float64) {
	for i, b := range pts {
		if i == 0 {
			continue
		}
		a := pts[i-1]
		dx, dy := b.x-a.x, b.y-a.y
		length := math.Hypot(dx, dy)
		if length == 0 {
			continue
		}
		nx, ny := -dy/length*width/2, dx/length*width/2
		for j, p := range []point{{a.x + nx, a.y + ny}, {a.x - nx, a.y - ny}, {b.x - nx, b.y - ny}, {b.x + nx, b.y + ny}} {
			c.path = append(c.path, stroke{move: j == 0, to: c.device(p)})
		}
		if i < len(pts)-1 {
			c.disc(b, width/2)
		}
	}
}

func (c *canvas) disc(at point, r float64) {
	n := 8 + int(min(r*c.scale, 56))
	for i := range n {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		c.path = append(c.path, stroke{move: i == 0, to: c.device(point{at.x + r*cos, at.y + r*sin})})
	}
}

// dashed cuts a polyline into the runs that are drawn.
func dashed(pts []point, dash []float64) [][]point {
	if len(dash) == 0 || len(pts) < 2 {
		return [][]point{pts}
	}
	var out [][]point
	run := []point{pts[0]}
	k, left, on := 0, dash[0], true
	for i := 1; i < len(pts); i++ {
		a, b := pts[i-1], pts[i]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		done := 0.0
		for length-done > left {
			done += left
			p := point{a.x + (b.x-a.x)*done/length, a.y + (b.y-a.y)*done/length}
			if on {
				out = append(out, append(run, p))
			}
			run = []point{p}
			on = !on
			k = (k + 1) % len(dash)
			left = dash[k]
		}
		left -= length - done
		run = append(run, b)
	}
	if on {
		out = append(out, run)
	}
	return out
}

// glyphs appends the outlines of a text, turned about its anchor.
func (c *canvas) glyphs(f *face, m *mark) {
	sin, cos := math.Sincos(m.angle * math.Pi / 180)
	origin := c.device(m.pts[0])
	size := m.size * c.scale
	x := 0.0
	switch m.anchor {
	case middle:
		x = -f.drawn(m.text, size) / 2
	case end:
		x = -f.drawn(m.text, size)
	}
	ppem := fixed.Int26_6(math.Round(size * 64))
	for _, r := range m.text {
		pen := x
		x += f.advance(r) * size
		g, err := f.font.GlyphIndex(&f.buf, r)
		if err != nil {
			continue
		}
		segments, err := f.font.LoadGlyph(&f.buf, g, ppem, nil)
		if err != nil {
			continue
		}
		turn := func(p fixed.Point26_6) point {
			gx, gy := pen+float64(p.X)/64, float64(p.Y)/64
			return point{origin.x + gx*cos - gy*sin, origin.y + gx*sin + gy*cos}
		}
		for _, seg := range segments {
			switch seg.Op {
			case sfnt.SegmentOpMoveTo:
				c.path = append(c.path, stroke{move: true, to: turn(seg.Args[0])})
			case sfnt.SegmentOpLineTo:
				c.path = append(c.path, stroke{to: turn(seg.Args[0])})
			case sfnt.SegmentOpQuadTo:
				c.path = append(c.path, stroke{curve: true, ctrl: turn(seg.Args[0]), to: turn(seg.Args[1])})
			}
		}
	}
}

// fill rasterises the path within its own bounds only.
func (c *canvas) fill(k ink) {
	if len(c.path) == 0 {
		return
	}
	lo, hi := c.path[0].to, c.path[0].to
	grow := func(p point) {
		lo = point{min(lo.x, p.x), min(lo.y, p.y)}
		hi = point{max(hi.x, p.x), max(hi.y, p.y)}
	}
	for _, s := range c.path {
		grow(s.to)
		if s.curve {
			grow(s.ctrl)
		}
	}
	if !finite(hi.x-lo.x) || !finite(hi.y-lo.y) {
		return
	}
	bounds := c.img.Bounds()
	box := image.Rect(int(max(lo.x, -2))-1, int(max(lo.y, -2))-1,
		int(min(hi.x, float64(bounds.Max.X)))+2, int(min(hi.y, float64(bounds.Max.Y)))+2).Intersect(bounds)
	if box.Empty() {
		return
	}
	z := &c.raster
	z.Reset(box.Dx(), box.Dy())
	at := func(p point) (float32, float32) {
		return float32(p.x - float64(box.Min.X)), float32(p.y - float64(box.Min.Y))
	}
	for i, s := range c.path {
		x, y := at(s.to)
		switch {
		case s.move:
			if i > 0 {
				z.ClosePath()
			}
			z.MoveTo(x, y)
		case s.curve:
			cx, cy := at(s.ctrl)
			z.QuadTo(cx, cy, x, y)
		default:
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	z.Draw(c.img, box, image.NewUniform(c.colours[k]), image.Point{})
}
