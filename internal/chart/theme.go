package chart

import (
	"image/color"
	"math"
)

// Theme chooses the colours of a picture.
type Theme int

const (
	// Light is dark ink on a white ground.
	Light Theme = iota
	// Dark is light ink on a dark ground.
	Dark
	// Auto is Light, with a style sheet in the SVG that turns to Dark where
	// the reader prefers it, or where the page's root element carries
	// data-theme="dark". PNG knows no preference and uses Light.
	Auto
)

// ink is a role; a theme gives it a colour. The scene holds roles only, so one
// scene serves both themes.
type ink uint8

const (
	none ink = iota
	ground
	text
	muted
	axis
	grid
	rest    // the series "other", bins without meaning
	series0 // series0+i for i < seriesInks
)

const (
	seriesInks = 7
	heatInks   = 9
	heat0      = series0 + seriesInks // heat0 means zero; heat0+i grows with the value
	pale0      = heat0 + heatInks     // pale0+i is the series ink i, faint: areas behind text
	paleRest   = pale0 + seriesInks
	inkCount   = int(paleRest) + 1
)

func seriesInk(i int) ink {
	if i >= seriesInks {
		return rest
	}
	return series0 + ink(i)
}

// paleInk is the faint form of a series' ink.
func paleInk(c ink) ink {
	if c == rest {
		return paleRest
	}
	return c - series0 + pale0
}

// The series have the hues of Okabe and Ito (Color Universal Design, 2008),
// moved until each has a contrast of 3 with the ground and any two differ by 10
// (CIEDE2000) or more also for people who lack one kind of cone; a test holds
// them to it. The heat ramp has one hue and grows monotonically in contrast with
// the ground; it leaps in the middle, so that a number is legible on each step: in
// the text's ink on the lower half, in the ground's on the upper.
var (
	light = palette(rgb(0xffffff), rgb(0x1c2229), rgb(0x59636e), rgb(0x8a939c), rgb(0xe3e7eb), rgb(0x929292),
		[seriesInks]color.RGBA{rgb(0x0368bd), rgb(0xc68513), rgb(0x168869), rgb(0xb47caa), rgb(0x209cdf), rgb(0xbb5500), rgb(0x9c945e)},
		rgb(0xf1f4f7), []color.RGBA{rgb(0xd3e5f3), rgb(0x56a5d8), rgb(0x0f74b0), rgb(0x08294a)})
	dark = palette(rgb(0x14181d), rgb(0xe8ecf0), rgb(0xa3adb8), rgb(0x727d88), rgb(0x2c343c), rgb(0x878787),
		[seriesInks]color.RGBA{rgb(0x2f8de6), rgb(0xeaa01c), rgb(0x29c392), rgb(0xc594bb), rgb(0xaadbfe), rgb(0xd46536), rgb(0xffee60)},
		rgb(0x20262d), []color.RGBA{rgb(0x1d3f5a), rgb(0x2b6796), rgb(0x5da9dc), rgb(0xeef7fd)})
)

func palette(back, fore, faint, line, mesh, other color.RGBA, series [seriesInks]color.RGBA, zero color.RGBA, ramp []color.RGBA) [inkCount]color.RGBA {
	var p [inkCount]color.RGBA
	p[ground], p[text], p[muted], p[axis], p[grid], p[rest] = back, fore, faint, line, mesh, other
	copy(p[series0:], series[:])
	p[heat0] = zero
	const half = (heatInks - 1) / 2
	for i := range half {
		at := float64(i) / (half - 1)
		p[int(heat0)+1+i], p[int(heat0)+1+half+i] = mix(ramp[:2], at), mix(ramp[2:], at)
	}
	for i := range seriesInks {
		p[int(pale0)+i] = mix([]color.RGBA{back, series[i]}, 0.34)
	}
	p[paleRest] = mix([]color.RGBA{back, other}, 0.34)
	return p
}

// mix interpolates along a ramp of colours; at is 0 to 1.
func mix(ramp []color.RGBA, at float64) color.RGBA {
	x := at * float64(len(ramp)-1)
	i := min(int(x), len(ramp)-2)
	f := x - float64(i)
	blend := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + f*(float64(b)-float64(a)))) }
	a, b := ramp[i], ramp[i+1]
	return color.RGBA{blend(a.R, b.R), blend(a.G, b.G), blend(a.B, b.B), 255}
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

func (t Theme) colours() *[inkCount]color.RGBA {
	if t == Dark {
		return &dark
	}
	return &light
}

// onHeat reports whether a number on a heat cell is legible in the ground's ink,
// else it is in the text's.
func onHeat(c ink) bool { return c > heat0+heatInks/2 }

// contrast is the ratio of WCAG 2.1 §1.4.3, from 1 to 21.
func contrast(a, b color.RGBA) float64 {
	la, lb := luminance(a), luminance(b)
	if la < lb {
		la, lb = lb, la
	}
	return (la + 0.05) / (lb + 0.05)
}

func luminance(c color.RGBA) float64 {
	lin := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
}
