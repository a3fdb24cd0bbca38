package analyze

import (
	"math"
	"slices"
	"time"
)

// calendar says which hours of a log are alike: its days, which of them are free, and what its clock is. Logs tell of people, who live
// by a local time and its summer time, by the weekends of where they are and by holidays; all of that is read from how busy the log is.
type calendar struct {
	zone     int32        // hours that its days begin before those of UTC
	turns    []turn       // when its people change their clocks
	from, to int32        // slots of its first and last hour
	days     []int32      // on which it was written, sorted
	free     []bool       // of days: weekends and holidays
	weekly   bool         // there are days of both kinds to learn from
	alike    [3][]int     // indexes into days: working days, free ones, all
	fade     [3][]float64 // of alike: what a day weighs of the one after it
}

// turn is that from an hour (UTC) on, the clock is so many hours further on.
type turn struct{ hour, shift int32 }

const (
	twoWeeks    = 14 // days, from which on working days and free ones are told apart
	freeShare   = 0.6
	betterZone  = 0.9 // of the squared differences within the kinds of days at most, for another zone to be believed
	betterClock = 0.5 // and of the squared differences between two weeks, for a change of clocks
)

// newCalendar reads the calendar of a log from all its records.
func newCalendar(log series) *calendar {
	c := &calendar{}
	if len(log) == 0 {
		return c
	}
	c.lay(log)
	if n := len(c.days); n >= twoWeeks && int(c.days[n-1]-c.days[0]) < 2*n { // day after day
		c.zone = c.offset(log)
		c.lay(log)
		c.clocks(log)
		c.holidays(log)
	}
	c.weekly = len(c.days) >= twoWeeks
	for i := range c.days {
		k := 0
		if c.free[i] {
			k = 1
		}
		c.alike[k], c.alike[2] = append(c.alike[k], i), append(c.alike[2], i)
	}
	for k, l := range c.alike {
		c.fade[k] = make([]float64, len(l))
		for x := 1; x < len(l); x++ {
			c.fade[k][x] = age(c.days[l[x]] - c.days[l[x-1]])
		}
	}
	return c
}

// offset is how many hours before those of UTC days must begin for those of a kind to be alike: the least that is nearly the best.
func (c *calendar) offset(log series) int32 {
	var spreads [25]float64
	for z := range spreads {
		c.zone = int32(z - 12)
		c.lay(log)
		spreads[z] = c.spread(log)
	}
	best := slices.Min(spreads[:])
	if spreads[12]*betterZone <= best {
		return 0
	}
	for d := 1; d < 12; d++ {
		for _, z := range [...]int{12 - d, 12 + d} {
			if spreads[z]*betterZone <= best {
				return int32(z - 12)
			}
		}
	}
	return 0
}

// slot is the hour by the log's own clock.
func (c *calendar) slot(hour int32) int32 {
	h := hour + c.zone
	for _, t := range c.turns {
		if hour >= t.hour {
			h += t.shift
		}
	}
	return h
}

// lay finds the days of the log, and their kinds by the day of the week.
func (c *calendar) lay(log series) {
	c.days = c.days[:0]
	for i := range log {
		d := int32(floorDiv(int64(c.slot(log[i].hour)), 24))
		if n := len(c.days); n == 0 || c.days[n-1] < d {
			c.days = append(c.days, d)
		}
	}
	c.from, c.to = c.slot(log[0].hour), c.slot(log[len(log)-1].hour)
	c.free = c.free[:0]
	weekend := [7]bool{2: true, 3: true}
	if n := len(c.days); n >= twoWeeks && int(c.days[n-1]-c.days[0]) < 2*n {
		weekend = c.weekend(log)
	}
	for _, d := range c.days {
		c.free = append(c.free, weekend[(d%7+7)%7])
	}
}

// weekend is which days of the week (0 is Thursday) are free: those in which there is little, by the median, of what there is in the week about
// them; or Saturday and Sunday if one to three are not found.
func (c *calendar) weekend(log series) (free [7]bool) {
	totals := make([]float64, len(c.days))
	at := 0
	for i := range log {
		for d := int32(floorDiv(int64(c.slot(log[i].hour)), 24)); c.days[at] < d; {
			at++
		}
		totals[at] += float64(log[i].count)
	}
	var shares [7][]float64
	for i, d := range c.days {
		week := slices.Sorted(slices.Values(totals[max(0, i-3):min(len(totals), i+4)]))
		w := (d%7 + 7) % 7
		shares[w] = append(shares[w], totals[i]/percentile(week, 0.5))
	}
	n := 0
	for w, l := range shares {
		slices.Sort(l)
		if free[w] = len(l) >= 2 && percentile(l, 0.5) < freeShare; free[w] {
			n++
		}
	}
	if n == 0 || n > 3 {
		free = [7]bool{2: true, 3: true}
	}
	return free
}

// profile is how busy the days of a kind are by the hour, by the root, which has the same deviation for few and many, and how many days that is known of;
// from and to are indexes of days.
func (c *calendar) profile(log series, free bool, from, to int, skew int32) (mean, days [24]float64) {
	for i := from; i < to; i++ {
		if c.free[i] != free {
			continue
		}
		for h := range days {
			if slot := c.days[i]*24 + int32(h); slot >= c.from+skew && slot <= c.to+skew {
				days[h]++
			}
		}
	}
	at := 0
	for i := range log {
		s := c.slot(log[i].hour) + skew
		d := int32(floorDiv(int64(s), 24))
		for at < len(c.days) && c.days[at] < d {
			at++
		}
		if at >= to {
			break
		}
		if at >= from && c.days[at] == d && c.free[at] == free {
			h := s - 24*d
			mean[h] += math.Sqrt(float64(log[i].count)) / max(days[h], 1)
		}
	}
	return mean, days
}

// spread is how unlike the days of a kind are, by the root.
func (c *calendar) spread(log series) (sum float64) {
	var means, days [2][24]float64
	means[0], days[0] = c.profile(log, false, 0, len(c.days), 0)
	means[1], days[1] = c.profile(log, true, 0, len(c.days), 0)
	// The sum of squares is the count; the variance is what it is more than the squares of the means.
	for i := range log {
		sum += float64(log[i].count)
	}
	for k := range means {
		for h, m := range means[k] {
			sum -= days[k][h] * m * m
		}
	}
	return sum
}

// clocks finds out whether people changed their clocks on the Sundays on which somewhere clocks are changed: whether the working days of
// two weeks before are much more like those of two weeks after if these are an hour earlier, or later.
func (c *calendar) clocks(log series) {
	for i, d := range c.days {
		if !clocksChange(d) {
			continue
		}
		from, _ := slices.BinarySearch(c.days, d-twoWeeks)
		to, _ := slices.BinarySearch(c.days, d+twoWeeks)
		before, n := c.profile(log, false, from, i, 0)
		var apart [3]float64
		for skew := range apart {
			after, m := c.profile(log, false, i+1, to, int32(skew-1))
			if slices.Min(n[:]) < 3 || slices.Min(m[:]) < 3 {
				return
			}
			for h := range after {
				apart[skew] += (after[h] - before[h]) * (after[h] - before[h])
			}
		}
		for skew, a := range apart {
			if skew != 1 && a < betterClock*apart[1] && a < betterClock*apart[2-skew] {
				c.turns = append(c.turns, turn{d*24 - c.zone, int32(skew - 1)})
				c.lay(log)
				break
			}
		}
	}
}

// clocksChange reports whether on a day since the epoch clocks are changed in some countries: the second Sunday of March
// and the first of November, the last ones of March and October, of April, September and October in the south.
func clocksChange(d int32) bool {
	if (d%7+7)%7 != 3 {
		return false
	}
	_, month, day := time.Unix(int64(d)*86400, 0).UTC().Date()
	switch month {
	case 3:
		return 8 <= day && day <= 14 || day >= 25
	case 4, 11:
		return day <= 7
	case 9:
		return day >= 24
	case 10:
		return day <= 7 || day >= 25
	}
	return false
}

// holidays turns working days that were like free ones throughout into free ones, and weekends on which there was work into
// working days: in the hours in which these differ, three of four are nearer to the other kind.
func (c *calendar) holidays(log series) {
	work, n := c.profile(log, false, 0, len(c.days), 0)
	rest, m := c.profile(log, true, 0, len(c.days), 0)
	if slices.Min(n[:]) < fewestDays || slices.Min(m[:]) < 3 {
		return
	}
	var tells [24]bool
	hours := 0
	for h := range tells {
		if tells[h] = work[h] > 1.25*rest[h]; tells[h] {
			hours++
		}
	}
	if hours < 6 {
		return
	}
	like := make([]int, len(c.days)) // hours that are like those of free days
	for i := range like {
		like[i] = hours
	}
	at := 0
	for i := range log {
		s := c.slot(log[i].hour)
		d := int32(floorDiv(int64(s), 24))
		for c.days[at] < d {
			at++
		}
		if h := s - 24*d; tells[h] && math.Sqrt(float64(log[i].count)) > (work[h]+rest[h])/2 {
			like[at]--
		}
	}
	for i := range c.days {
		d := c.days[i]
		if d*24 < c.from || d*24+23 > c.to { // of which only a part is there
			continue
		}
		switch {
		case !c.free[i] && 4*like[i] >= 3*hours:
			c.free[i] = true
		case c.free[i] && 4*(hours-like[i]) >= 3*hours:
			c.free[i] = false
		}
	}
}
