package chart

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Calendar shows a value for each day as a shade, a block for each year, the
// weeks from left to right and Monday on top. Days that are not given are
// blank between the first and the last; a day given twice counts as the sum.
// More than maxCalendarYears years become a heat map of months.
type Calendar struct {
	Title string
	Unit  string // as in Bars
	Days  []Day
}

// Day is a day's value; the day is that of At in its own zone.
type Day struct {
	At    time.Time
	Value float64
}

const maxCalendarYears = 6

// days is a Calendar made ready to draw: days since the epoch, ascending.
type days struct {
	at     []int
	values map[int]float64
}

func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func dateOf(n int) time.Time { return time.Unix(int64(n)*86400, 0).UTC() }

func weekdayOf(n int) int { return ((n+3)%7 + 7) % 7 } // 0 is Monday; the epoch was a Thursday

func (c Calendar) prepare() days {
	d := days{values: map[int]float64{}}
	for _, x := range c.Days {
		if !finite(x.Value) {
			continue
		}
		n := dayNumber(x.At)
		if _, ok := d.values[n]; !ok {
			d.at = append(d.at, n)
		}
		d.values[n] = clampValue(d.values[n] + x.Value)
	}
	slices.Sort(d.at)
	return d
}

func (d days) all() iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for _, n := range d.at {
			if !yield(d.values[n]) {
				return
			}
		}
	}
}

func (d days) years() (first, last int) {
	return dateOf(d.at[0]).Year(), dateOf(d.at[len(d.at)-1]).Year()
}

// year is one block of the calendar.
type year struct {
	number      int
	first, last int // day numbers that are drawn
	monday      int // of the first week
	weeks       int
}

func (d days) blocks() []year {
	from, to := d.years()
	var out []year
	for y := from; y <= to; y++ {
		first := dayNumber(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC))
		last := dayNumber(time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC))
		b := year{number: y, first: max(first, d.at[0]), last: min(last, d.at[len(d.at)-1])}
		if from == to {
			first = b.first // one year: only the weeks that have days
		} else {
			first = min(first, b.first)
		}
		b.monday = first - weekdayOf(first)
		end := last
		if from == to {
			end = b.last
		}
		b.weeks = (end-b.monday)/7 + 1
		out = append(out, b)
	}
	return out
}

// months is the heat map of a calendar of too many years.
func (c Calendar) months(d days) HeatMap {
	from, to := d.years()
	h := HeatMap{Title: c.Title, Unit: c.Unit, XLabel: "Month", Cols: []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}}
	sums := map[int][]float64{}
	for _, n := range d.at {
		t := dateOf(n)
		if sums[t.Year()] == nil {
			sums[t.Year()] = make([]float64, 12)
		}
		sums[t.Year()][t.Month()-1] += d.values[n]
	}
	for y := from; y <= to; y++ {
		if sums[y] == nil {
			if to-from > 60 { // years without anything would fill the page
				continue
			}
			sums[y] = make([]float64, 12)
		}
		h.Rows = append(h.Rows, fmt.Sprint(y))
		h.Cells = append(h.Cells, sums[y])
	}
	return h
}

func (c Calendar) long(d days) bool {
	if len(d.at) == 0 {
		return false
	}
	from, to := d.years()
	return to-from >= maxCalendarYears
}

func (c Calendar) heading() string { return c.Title }

func (c Calendar) numbers() table {
	d := c.prepare()
	t, left := table{head: []string{"day", "value"}}, 0
	for _, n := range d.at {
		t.add(&left, dateOf(n).Format(time.DateOnly), formatValue(d.values[n], c.Unit))
	}
	t.more(left)
	return t
}

func (c Calendar) describe() string {
	d := c.prepare()
	if len(d.at) == 0 {
		return "Calendar" + quoted(c.Title) + ": no data."
	}
	most := d.at[0]
	for _, n := range d.at {
		if d.values[n] > d.values[most] {
			most = n
		}
	}
	return fmt.Sprintf("Calendar%s of %s from %s to %s; the greatest, %s, on %s.", quoted(c.Title), prose.Count(len(d.at), "day"),
		dateOf(d.at[0]).Format(time.DateOnly), dateOf(d.at[len(d.at)-1]).Format(time.DateOnly), formatValue(d.values[most], c.Unit), dateOf(most).Format(time.DateOnly))
}

const calendarLeft = 76.0 // year and weekday

func calendarCell(width float64, blocks []year) float64 {
	weeks := 1
	for _, b := range blocks {
		weeks = max(weeks, b.weeks)
	}
	return min(max((width-calendarLeft)/float64(weeks), 3), 26)
}

func (c Calendar) height(s *scene, width float64) float64 {
	d := c.prepare()
	if len(d.at) == 0 {
		return 150
	}
	if c.long(d) {
		return c.months(d).height(s, width)
	}
	blocks := d.blocks()
	each := calendarCell(width, blocks)
	return max(150, float64(len(blocks))*(7*each+34)+24+30)
}

func (c Calendar) draw(s *scene, area rect) {
	d := c.prepare()
	if c.long(d) {
		c.months(d).draw(s, area)
		return
	}
	area = s.header(area, c.Title, nil)
	if len(d.at) == 0 {
		s.empty(area)
		return
	}
	sh, _ := shadesOf(d.all())
	blocks := d.blocks()
	each := calendarCell(area.w, blocks)
	each = max(2, min(each, ((area.h-30)/float64(len(blocks))-34)/7))
	numbers := each >= 20
	for n := range d.values {
		numbers = numbers && s.regular.width(formatValue(d.values[n], c.Unit), 9.5) < each-4
	}
	y := area.y
	for _, b := range blocks {
		x := area.x + calendarLeft
		s.text(point{area.x, y + 12}, fmt.Sprint(b.number), style{size: tickSize, ink: text, bold: true}, "")
		free := x
		for n := b.first; n <= b.last; n++ {
			at := point{x + float64((n-b.monday)/7)*each, y + 18 + float64(weekdayOf(n))*each}
			if t := dateOf(n); (t.Day() == 1 || n == b.first) && at.x >= free {
				s.text(point{at.x, y + 12}, t.Format("Jan"), style{size: tickSize, ink: muted}, "")
				free = at.x + s.regular.width("Mmm  ", tickSize)
			}
			v, ok := d.values[n]
			shade := heat0
			if ok {
				shade = sh.ink(v)
			}
			gap := min(1.5, each/6)
			s.rect(rect{at.x, at.y, each - gap, each - gap}, shade, dateOf(n).Format("Mon 2 Jan 2006")+": "+formatValue(v, c.Unit))
			if numbers && v != 0 {
				on := text
				if onHeat(shade) {
					on = ground
				}
				s.text(point{at.x + (each-gap)/2, at.y + (each-gap)/2 + 3.5}, formatValue(v, c.Unit), style{size: 9.5, ink: on, anchor: middle}, "")
			}
		}
		for i, w := range [...]string{"Mon", "", "Wed", "", "Fri", "", "Sun"} {
			if w != "" && each*2 >= tickSize {
				s.text(point{x - 8, y + 18 + (float64(i)+0.5)*each + 3}, w, style{size: tickSize, ink: muted, anchor: end}, "")
			}
		}
		y += 7*each + 34
	}
	sh.legend(s, c.Unit, "", point{area.x + calendarLeft, y - 4})
}

// rows draws a column for each week, two cells wide where there is room.
func (c Calendar) rows(width int) []row {
	d := c.prepare()
	if len(d.at) == 0 {
		return []row{{{"No data", muted}}}
	}
	if c.long(d) {
		return c.months(d).rows(width)
	}
	sh, _ := shadesOf(d.all())
	blocks := d.blocks()
	var out []row
	for _, b := range blocks {
		const label = 5
		each := 1
		if label+2*b.weeks <= width {
			each = 2
		}
		if label+3*b.weeks <= width {
			each = 3
		}
		weeks := min(b.weeks, (width-label)/each)
		skip := b.weeks - weeks // the last ones are shown
		head := padRight(fmt.Sprint(b.number), label)
		for w := range weeks {
			monday := b.monday + 7*(w+skip)
			for n := monday; n < monday+7; n++ {
				t := dateOf(n)
				if n >= b.first && n <= b.last && (t.Day() == 1 || n == b.first) && Cells(head) <= label+w*each && label+w*each+3 <= width {
					head += spaces(label+w*each-Cells(head)) + t.Format("Jan") + " "
				}
			}
		}
		out = append(out, row{{head, muted}})
		for day, name := range [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
			line := row{{padRight(name, label), none}}
			for w := range weeks {
				n := b.monday + 7*(w+skip) + day
				glyph, shade := ' ', muted
				if n >= b.first && n <= b.last {
					shade = sh.ink(d.values[n])
					glyph = heatGlyphs[shade-heat0]
				}
				cell := ""
				for range max(1, each-each/3) {
					cell += string(glyph)
				}
				line = append(line, span{padRight(cell, each), shade})
			}
			out = append(out, line)
		}
	}
	if sh.hi > 0 {
		out = append(out, row{{Fit(sh.words(c.Unit), width), muted}})
	}
	return out
}
