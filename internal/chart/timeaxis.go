package chart

import (
	"math"
	"time"
)

// timeTick is a mark on a time axis with its label, and under it the larger
// unit where that changes.
type timeTick struct {
	at           float64 // Unix seconds
	label, under string
}

const day = 86400.0

// Steps people read at a glance, in seconds, up to a fortnight; longer ones
// follow the calendar.
var clockSteps = []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
	60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, day, 2 * day, 7 * day, 14 * day}

// timeTicks returns at most about n ticks between two times.
func timeTicks(lo, hi float64, n int, zone *time.Location) []timeTick {
	raw := (hi - lo) / float64(n)
	for _, step := range clockSteps {
		if step >= raw {
			return clockTicks(lo, hi, step, zone)
		}
	}
	for _, months := range []int{1, 3, 6} {
		if float64(months)*30.4*day >= raw {
			return calendarTicks(lo, hi, months, zone)
		}
	}
	years := max(1, niceStep(raw/(365.25*day)))
	return calendarTicks(lo, hi, int(min(years, 1e6))*12, zone)
}

func clockTicks(lo, hi, step float64, zone *time.Location) []timeTick {
	_, offset := fromSeconds(lo, zone).Zone()
	shift := float64(offset)
	if step >= 7*day {
		shift -= 4 * day // weeks begin on Monday; the epoch was a Thursday
	}
	layout, underLayout, underFirst := "15:04", "2 Jan", "2 Jan 2006"
	switch {
	case step < 1:
		layout = "15:04:05.000"
	case step < 60:
		layout = "15:04:05"
	case step >= day:
		layout, underLayout, underFirst = "2 Jan", "2006", "2006"
	}
	var out []timeTick
	previous := ""
	for i := math.Ceil((lo + shift) / step); len(out) < 200; i++ {
		at := i*step - shift
		if at > hi {
			break
		}
		t := fromSeconds(at, zone)
		tick := timeTick{at: at, label: t.Format(layout)}
		if u := t.Format(underLayout); u != previous {
			previous = u
			tick.under = u
			if len(out) == 0 {
				tick.under = t.Format(underFirst)
			}
		}
		out = append(out, tick)
		if i+1 == i {
			break
		}
	}
	return out
}

func calendarTicks(lo, hi float64, months int, zone *time.Location) []timeTick {
	begin := fromSeconds(lo, zone)
	month := begin.Year()*12 + int(begin.Month()) - 1
	month = int(math.Floor(float64(month)/float64(months))) * months
	var out []timeTick
	year := ""
	for ; len(out) < 200; month += months {
		t := time.Date(0, time.Month(month+1), 1, 0, 0, 0, 0, zone)
		at := float64(t.Unix())
		if at > hi {
			break
		}
		if at < lo {
			continue
		}
		if months >= 12 {
			out = append(out, timeTick{at: at, label: t.Format("2006")})
			continue
		}
		tick := timeTick{at: at, label: t.Format("Jan")}
		if y := t.Format("2006"); y != year {
			tick.under, year = y, y
		}
		out = append(out, tick)
	}
	return out
}

func fromSeconds(s float64, zone *time.Location) time.Time {
	whole := math.Floor(s)
	// Rounded to microseconds, the precision of a float of today's seconds.
	return time.Unix(int64(whole), int64(math.Round((s-whole)*1e6))*1000).In(zone)
}

// zone names the zone of the ticks at the beginning of their line, in a panel
// whose left edge is x, and returns from where on there is room for them.
func (s *scene) zone(f frame, x float64, zone *time.Location, at float64) float64 {
	name := fromSeconds(at, zone).Format("MST")
	s.text(point{x, f.area.bottom() + tickSize + 6}, name, style{size: tickSize, ink: muted}, "")
	return x + s.regular.width(name, tickSize) + 6
}

// underAxis sets a tick's label, and the larger unit under it, at x or as near
// as left and right allow, and returns the left of what is free then.
func (s *scene) underAxis(f frame, x, left, right float64, label, under string) float64 {
	w := max(s.regular.width(label, tickSize), s.regular.width(under, tickSize))
	begin := min(max(x-w/2, left), right-w)
	if begin < left-0.5 || begin > x || begin+w < x {
		return left // its place is taken
	}
	st := style{size: tickSize, ink: muted, anchor: middle}
	switch at := begin + w/2; {
	case at > x+0.5:
		st.anchor, x = start, begin
	case at < x-0.5:
		st.anchor, x = end, begin+w
	}
	s.text(point{x, f.area.bottom() + tickSize + 6}, label, st, "")
	s.text(point{x, f.area.bottom() + 2*tickSize + 8}, under, st, "")
	return begin + w + 4
}
