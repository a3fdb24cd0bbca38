package chart

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"
)

// fontStack names faces that text is measured to fit in; DejaVu Sans is the
// widest. A face that is added must not be wider.
const fontStack = "'Go','Segoe UI','Helvetica Neue',Helvetica,Arial,'Noto Sans','DejaVu Sans',sans-serif"

// svgWriter appends to a buffer; identical scenes give identical bytes.
type svgWriter struct {
	buf     []byte
	auto    bool
	colours *[inkCount]color.RGBA
}

func writeSVG(w io.Writer, s *scene, fig Figure, o Options) error {
	x := &svgWriter{auto: o.Theme == Auto, colours: o.Theme.colours()}
	body := x.marks(s)

	var desc strings.Builder
	for i, p := range fig.Panels {
		if i > 0 {
			desc.WriteByte(' ')
		}
		desc.WriteString(Clean(p.describe()))
	}
	if desc.Len() == 0 {
		desc.WriteString("No data.")
	}
	title := strings.TrimSpace(Clean(fig.Title))
	for _, p := range fig.Panels {
		if title == "" {
			title = strings.TrimSpace(Clean(p.heading()))
		}
	}
	if title == "" {
		title = "Chart"
	}
	id := o.ID
	if id == "" {
		h := fnv.New64a()
		h.Write(body)
		io.WriteString(h, title)
		id = fmt.Sprintf("chart-%x", h.Sum64())
	}
	id = escapeXML(Clean(id))

	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" class="sextant-chart" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" `+
		`role="img" aria-labelledby="%[3]s-title" aria-describedby="%[3]s-desc" font-family="%[4]s" style="max-width:100%%;height:auto">`+"\n",
		number(s.w), number(s.h), id, fontStack)
	fmt.Fprintf(b, "<title id=\"%s-title\">%s</title>\n<desc id=\"%[1]s-desc\">%[3]s</desc>\n", id, escapeXML(title), escapeXML(desc.String()))
	if x.auto {
		b.WriteString(autoStyle())
	}
	// The title and the description say it all; marks by themselves, with the tips
	// that a pointer shows, would only be read out one by one.
	b.WriteString("<g aria-hidden=\"true\">\n")
	b.Write(body)
	b.WriteString("</g>\n</svg>\n")
	return b.Flush()
}

// autoStyle overrides the light colours, which the marks carry as attributes,
// where the page or its reader asks for dark ones.
func autoStyle() string {
	var b strings.Builder
	rules := func(scope string) {
		for i := ink(1); int(i) < inkCount; i++ {
			fmt.Fprintf(&b, "%s .sextant-chart .f%d{fill:%s}%[1]s .sextant-chart .s%[2]d{stroke:%[3]s}\n", scope, i, hex(dark[i]))
		}
	}
	b.WriteString("<style>\n@media screen and (prefers-color-scheme:dark){\n")
	rules(`:root:not([data-theme="light"])`)
	// A picture that is a file of its own is its own root.
	for i := ink(1); int(i) < inkCount; i++ {
		fmt.Fprintf(&b, ":root.sextant-chart .f%d{fill:%s}:root.sextant-chart .s%[1]d{stroke:%[2]s}\n", i, hex(dark[i]))
	}
	b.WriteString("}\n")
	rules(`:root[data-theme="dark"]`)
	b.WriteString("</style>\n")
	return b.String()
}

func (x *svgWriter) marks(s *scene) []byte {
	for i := range s.marks {
		m := &s.marks[i]
		switch m.shape {
		case rectShape:
			a, b := m.pts[0], m.pts[1]
			x.open("rect")
			x.num("x", a.x)
			x.num("y", a.y)
			x.num("width", b.x-a.x)
			x.num("height", b.y-a.y)
			x.fill(m.ink)
			x.attr("shape-rendering", "crispEdges")
			x.close(m, "rect", "")
		case lineShape:
			x.open("path")
			x.attr("d", path(m.pts, false))
			x.stroke(m)
			x.close(m, "path", "")
		case polygonShape:
			x.open("path")
			x.attr("d", path(m.pts, true))
			x.fill(m.ink)
			x.close(m, "path", "")
		case circleShape:
			x.open("circle")
			x.num("cx", m.pts[0].x)
			x.num("cy", m.pts[0].y)
			x.num("r", m.r)
			x.fill(m.ink)
			x.close(m, "circle", "")
		case textShape:
			x.open("text")
			x.num("x", m.pts[0].x)
			x.num("y", m.pts[0].y)
			x.num("font-size", m.size)
			if m.bold {
				x.attr("font-weight", "bold")
			}
			if m.anchor != start {
				x.attr("text-anchor", [...]string{"start", "middle", "end"}[m.anchor])
			}
			if m.angle != 0 {
				x.attr("transform", "rotate("+number(m.angle)+" "+number(m.pts[0].x)+" "+number(m.pts[0].y)+")")
			}
			if m.halo {
				x.halo(m.ink)
			} else {
				x.fill(m.ink)
			}
			x.close(m, "text", m.text)
		}
	}
	return x.buf
}

func (x *svgWriter) open(name string) {
	x.buf = append(x.buf, '<')
	x.buf = append(x.buf, name...)
}

// attr appends an attribute whose value needs no escaping.
func (x *svgWriter) attr(name, value string) {
	x.buf = append(x.buf, ' ')
	x.buf = append(x.buf, name...)
	x.buf = append(x.buf, `="`...)
	x.buf = append(x.buf, value...)
	x.buf = append(x.buf, '"')
}

func (x *svgWriter) num(name string, v float64) { x.attr(name, number(v)) }

func (x *svgWriter) fill(c ink) {
	x.attr("fill", hex(x.colours[c]))
	if x.auto {
		x.attr("class", "f"+strconv.Itoa(int(c)))
	}
}

// halo is fill, and a stroke in the colour of the ground under it.
func (x *svgWriter) halo(c ink) {
	x.attr("fill", hex(x.colours[c]))
	x.attr("stroke", hex(x.colours[ground]))
	x.num("stroke-width", 2*haloWidth)
	x.attr("stroke-linejoin", "round")
	x.attr("paint-order", "stroke")
	if x.auto {
		x.attr("class", "f"+strconv.Itoa(int(c))+" s"+strconv.Itoa(int(ground)))
	}
}

func (x *svgWriter) stroke(m *mark) {
	x.attr("fill", "none")
	x.attr("stroke", hex(x.colours[m.ink]))
	x.num("stroke-width", m.width)
	x.attr("stroke-linejoin", "round")
	if len(m.pts) == 2 && (m.pts[0].x == m.pts[1].x || m.pts[0].y == m.pts[1].y) {
		x.attr("shape-rendering", "crispEdges")
	}
	if m.dash != nil {
		var d []string
		for _, v := range m.dash {
			d = append(d, number(v))
		}
		x.attr("stroke-dasharray", strings.Join(d, " "))
	}
	if x.auto {
		x.attr("class", "s"+strconv.Itoa(int(m.ink)))
	}
}

// close ends an element, with its tip as a title when that says more.
func (x *svgWriter) close(m *mark, name, content string) {
	tip := m.tip
	if tip == content {
		tip = ""
	}
	if tip == "" && content == "" {
		x.buf = append(x.buf, "/>\n"...)
		return
	}
	x.buf = append(x.buf, '>')
	if tip != "" {
		x.buf = append(x.buf, "<title>"...)
		x.buf = append(x.buf, escapeXML(tip)...)
		x.buf = append(x.buf, "</title>"...)
	}
	x.buf = append(x.buf, escapeXML(content)...)
	x.buf = append(x.buf, "</"...)
	x.buf = append(x.buf, name...)
	x.buf = append(x.buf, ">\n"...)
}

func path(pts []point, closed bool) string {
	var b []byte
	for i, p := range pts {
		b = append(b, "ML"[min(i, 1)])
		b = append(b, number(p.x)...)
		b = append(b, ' ')
		b = append(b, number(p.y)...)
	}
	if closed {
		b = append(b, 'Z')
	}
	return string(b)
}

// number writes a coordinate to a hundredth of a pixel.
func number(v float64) string {
	if !finite(v) {
		return "0"
	}
	v = math.Round(v*100) / 100
	if v == 0 {
		return "0" // not -0
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

func escapeXML(s string) string { return xmlEscapes.Replace(s) }
