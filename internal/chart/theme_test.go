package chart

import (
	"image/color"
	"math"
	"testing"
)

// seen are the matrices, for linear RGB, by which Machado, Oliveira and Fernandes simulate what people
// without one kind of cone see (A Physiologically-based Model for Simulation of Color Vision Deficiency,
// 2009, severity 1).
var seen = map[string][3][3]float64{
	"usual":        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// lab is a colour, seen through a matrix, in CIELAB under D65.
func lab(c color.RGBA, m [3][3]float64) [3]float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	in := [3]float64{linear(c.R), linear(c.G), linear(c.B)}
	times := func(m [3][3]float64, v [3]float64) (out [3]float64) {
		for i := range out {
			out[i] = m[i][0]*v[0] + m[i][1]*v[1] + m[i][2]*v[2]
		}
		return out
	}
	in = times(m, in)
	for i := range in {
		in[i] = min(max(in[i], 0), 1)
	}
	xyz := times([3][3]float64{{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}}, in)
	var f [3]float64
	for i, white := range []float64{0.95047, 1, 1.08883} {
		if t := xyz[i] / white; t > 216.0/24389 {
			f[i] = math.Cbrt(t)
		} else {
			f[i] = (24389.0/27*t + 16) / 116
		}
	}
	return [3]float64{116*f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])}
}

// difference is CIEDE2000 (Sharma, Wu and Dalal 2005); 1 is about the least that is seen.
func difference(a, b [3]float64) float64 {
	rad := math.Pi / 180
	c := (math.Hypot(a[1], a[2]) + math.Hypot(b[1], b[2])) / 2
	g := 0.5 * (1 - math.Sqrt(math.Pow(c, 7)/(math.Pow(c, 7)+math.Pow(25, 7))))
	a1, b1 := a[1]*(1+g), b[1]*(1+g)
	ca, cb := math.Hypot(a1, a[2]), math.Hypot(b1, b[2])
	hue := func(y, x float64) float64 {
		h := math.Atan2(y, x) / rad
		if h < 0 {
			h += 360
		}
		return h
	}
	ha, hb := hue(a[2], a1), hue(b[2], b1)
	dl, dc, dh := b[0]-a[0], cb-ca, hb-ha
	h := ha + hb
	if ca*cb == 0 {
		dh = 0
	} else {
		switch {
		case math.Abs(ha-hb) <= 180:
			h /= 2
		case h < 360:
			h = (h + 360) / 2
		default:
			h = (h - 360) / 2
		}
		if dh > 180 {
			dh -= 360
		} else if dh < -180 {
			dh += 360
		}
	}
	dH := 2 * math.Sqrt(ca*cb) * math.Sin(dh/2*rad)
	l := (a[0] + b[0]) / 2
	c = (ca + cb) / 2
	t := 1 - 0.17*math.Cos((h-30)*rad) + 0.24*math.Cos(2*h*rad) + 0.32*math.Cos((3*h+6)*rad) - 0.20*math.Cos((4*h-63)*rad)
	turn := 30 * math.Exp(-math.Pow((h-275)/25, 2))
	rc := 2 * math.Sqrt(math.Pow(c, 7)/(math.Pow(c, 7)+math.Pow(25, 7)))
	sl := 1 + 0.015*(l-50)*(l-50)/math.Sqrt(20+(l-50)*(l-50))
	sc, sh := 1+0.045*c, 1+0.015*c*t
	rt := -math.Sin(2*turn*rad) * rc
	return math.Sqrt(math.Pow(dl/sl, 2) + math.Pow(dc/sc, 2) + math.Pow(dH/sh, 2) + rt*dc/sc*dH/sh)
}

// Of the pairs that Sharma, Wu and Dalal give to check implementations by.
func TestDifferenceIsCIEDE2000(t *testing.T) {
	for _, p := range []struct {
		a, b [3]float64
		want float64
	}{
		{[3]float64{50, 2.6772, -79.7751}, [3]float64{50, 0, -82.7485}, 2.0425},
		{[3]float64{50, -1.3802, -84.2814}, [3]float64{50, 0, -82.7485}, 1.0000},
		{[3]float64{50, 2.4900, -0.0010}, [3]float64{50, -2.4900, 0.0009}, 7.1792},
		{[3]float64{50, 2.5, 0}, [3]float64{73, 25, -18}, 27.1492},
		{[3]float64{22.7233, 20.0904, -46.6940}, [3]float64{23.0331, 14.9730, -42.5619}, 2.0373},
	} {
		if got := difference(p.a, p.b); math.Abs(got-p.want) > 0.0001 {
			t.Errorf("%v and %v differ by %.4f, want %.4f", p.a, p.b, got, p.want)
		}
	}
}

func TestSeriesAreToldApartWithEveryColourVision(t *testing.T) {
	for name, theme := range map[string]Theme{"light": Light, "dark": Dark} {
		p := theme.colours()
		inks := []ink{rest}
		for i := range seriesInks {
			inks = append(inks, seriesInk(i))
			if c := contrast(p[seriesInk(i)], p[ground]); c < 3 {
				t.Errorf("%s: series %d has contrast %.2f with the ground, WCAG 2.1 §1.4.11 asks for 3", name, i, c)
			}
		}
		for vision, m := range seen {
			least, a, b := math.Inf(1), ink(0), ink(0)
			for i, x := range inks {
				for _, y := range inks[:i] {
					if d := difference(lab(p[x], m), lab(p[y], m)); d < least {
						least, a, b = d, x, y
					}
				}
			}
			t.Logf("%s, %s: at least %.1f (%s and %s)", name, vision, least, hex(p[a]), hex(p[b]))
			if least < 10 {
				t.Errorf("%s: with %s, %s and %s differ by %.1f", name, vision, hex(p[a]), hex(p[b]), least)
			}
		}
	}
}
