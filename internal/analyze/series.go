package analyze

import (
	"cmp"
	"math"
	"slices"
)

// cell is how often something happened in one hour, and from when to when.
type cell struct {
	hour        int32
	count       uint32
	first, last int64
}

// series is what happened by the hour: its cells, by hour. Hours without are not there.
type series []cell

// add adds a cell to the series and reports whether that made it longer.
func (s *series) add(c cell) bool {
	i := len(*s)
	if i > 0 && (*s)[i-1].hour >= c.hour {
		var found bool
		i, found = slices.BinarySearchFunc(*s, c.hour, func(c cell, h int32) int { return cmp.Compare(c.hour, h) })
		if found {
			old := &(*s)[i]
			old.count += c.count
			old.first, old.last = min(old.first, c.first), max(old.last, c.last)
			return false
		}
	}
	*s = slices.Insert(*s, i, c)
	return true
}

func (s series) at(hour int32) float64 {
	i, found := slices.BinarySearchFunc(s, hour, func(c cell, h int32) int { return cmp.Compare(c.hour, h) })
	if !found {
		return 0
	}
	return float64(s[i].count)
}

// usual is what a series is like at an hour of the day, from other days.
type usual struct {
	days           int     // other days it was learnt from
	median         float64 // an hour
	low, high      float64 // nine of ten hours lie between, the most extreme ones left out
	mean, variance float64
	seasonal       bool // learnt from the same time of day, not from all hours
	weekly         bool // and from working days only, or from weekends only
	peers          int  // hours of others of its kind it was compared with, which have at most
	peak           float64
}

// How a baseline is learnt. Older weeks weigh less: what was usual half a year
// ago says little of today.
const (
	reach       = 56 // days to both sides that are looked at
	halfLife    = 28 // days after which a day weighs half
	fewestDays  = 5  // of the same time of day; with fewer, all hours are taken together
	manyDays    = 10 // of the same time of day; with fewer, the hours before and after are taken with it
	fewestHours = 24 // with fewer, nothing is said
)

// expect learns what is usual at an hour from other days on which the log was
// written (covered, sorted): the same hour, on days of the same kind (working day or
// weekend) once there are two weeks of them; with fewer than manyDays, the neighbours of that hour as well, which are of
// little use where work begins and ends. The hours about
// the one asked for are left out: what is judged must not vouch for itself. ok is
// false when there is too little to learn from.
func (s series) expect(hour int32, covered []int32) (u usual, ok bool) {
	var vs []weighted
	today := int32(floorDiv(int64(hour), 24))
	from, _ := slices.BinarySearch(covered, today-reach)
	to, _ := slices.BinarySearch(covered, today+reach+1)
	covered = covered[from:to]
	weekly := len(covered) >= 14
	days := 0
	alike := 0
	for _, d := range covered {
		if d != today && (!weekly || isWeekend(d) == isWeekend(today)) {
			alike++
		}
	}
	about := int32(1)
	if alike >= manyDays {
		about = 0
	}
	for _, d := range covered {
		if d == today || weekly && isWeekend(d) != isWeekend(today) {
			continue
		}
		w := age(d - today)
		days++
		for off := -about; off <= about; off++ {
			h := hour + (d-today)*24 + off
			if h-hour < 12 && hour-h < 12 {
				continue
			}
			if off != 0 {
				w /= 2
			}
			vs = append(vs, weighted{s.at(h), w})
			if off != 0 {
				w *= 2
			}
		}
	}
	if days >= fewestDays {
		return summarise(vs, usual{days: days, seasonal: true, weekly: weekly}), true
	}
	vs = vs[:0]
	for _, d := range covered {
		for h := d * 24; h < d*24+24; h++ {
			if h-hour > 3 || hour-h > 3 {
				vs = append(vs, weighted{s.at(h), age(d - today)})
			}
		}
	}
	if len(vs) < fewestHours {
		return u, false
	}
	return summarise(vs, usual{days: len(covered)}), true
}

func age(days int32) float64 { return math.Exp2(-math.Abs(float64(days)) / halfLife) }

// isWeekend reports whether a day since the epoch, which was a Thursday, is a
// Saturday or Sunday.
func isWeekend(d int32) bool {
	w := (d%7 + 7) % 7
	return w == 2 || w == 3
}

// summarise describes values. The highest twentieth is left out of mean and
// variance, so that one earlier burst does not hide the next; half an event is
// added, so that what never happened is not held to be impossible.
func summarise(vs []weighted, u usual) usual {
	sortWeighted(vs)
	u.median, u.low, u.high = quantile(vs, 0.5), quantile(vs, 0.05), quantile(vs, 0.95)
	var n, sum, squares float64
	for _, v := range vs {
		x := min(v.value, u.high)
		n += v.weight
		sum += v.weight * x
	}
	u.mean = sum / n
	for _, v := range vs {
		d := min(v.value, u.high) - u.mean
		squares += v.weight * d * d
	}
	u.variance = squares / n
	u.mean += 0.5 / n
	u.variance = max(u.variance, u.mean)
	return u
}
