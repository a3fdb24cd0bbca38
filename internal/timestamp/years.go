package timestamp

import (
	"sort"
	"time"
)

// Years is the first pass over a source (or a rotated set) whose stamps have no
// year: fed each stamp's month and day in order, it counts the new years, and
// at the end places the last stamp by what is known of the file. It then gives
// the reference time from which a Clock can start at any chunk.
type Years struct {
	marks []yearMark // one per change of month, in order
	first int        // month*32+day of the first stamp
	last  int        // the same of the last
	year  int        // years from the first stamp to the last
}

type yearMark struct {
	offset int64 // where the first stamp of this month stands
	date   int   // its month*32+day
	year   int   // years since the first stamp
}

const maxMarks = 16 << 10 // a file of disordered months must not take the memory

// Add feeds the next stamp: where its record begins, its month and day.
func (y *Years) Add(offset int64, month, dayOfMonth int) {
	key := month*32 + dayOfMonth
	if y.first == 0 {
		y.first, y.last = key, key
		y.marks = append(y.marks, yearMark{offset, key, 0})
		return
	}
	if key == y.last {
		return
	}
	y.year += yearStep(y.last, key)
	if key/32 != y.last/32 && len(y.marks) < maxMarks {
		y.marks = append(y.marks, yearMark{offset, key, y.year})
	}
	y.last = key
}

// Any reports whether a stamp without a year was seen.
func (y *Years) Any() bool { return y.first != 0 }

// FirstYear is the year of the first stamp if the last one lies in the latest
// year that does not put it more than a day after newest: the file's
// modification time, or the first stamp of the log that continues this one.
func (y *Years) FirstYear(newest time.Time) int {
	newest = newest.UTC()
	year := newest.Year() + 1
	month, d := y.last/32, y.last%32
	limit := newest.Add(24 * time.Hour).UnixNano()
	for year > 1970 && (d > daysIn(year, month) || daysFromCivil(year, month, d)*day > limit) {
		year--
	}
	return year - y.year
}

// Continues is the year of the first stamp if the stamps follow those of the
// log before, whose own first stamp is of the given year.
func (y *Years) Continues(before *Years, firstYear int) int {
	return firstYear + before.year + yearStep(before.last, y.first)
}

// Reference returns the function that gives the time about which the stamps
// of a chunk at an offset lie, given the year of the first stamp.
func (y *Years) Reference(firstYear int) func(offset int64) int64 {
	marks := y.marks
	return func(offset int64) int64 {
		i := sort.Search(len(marks), func(i int) bool { return marks[i].offset > offset })
		if i > 0 {
			i--
		}
		if i >= len(marks) {
			return daysFromCivil(firstYear, 1, 1) * day
		}
		m := marks[i]
		return daysFromCivil(firstYear+m.year, m.date/32, m.date%32) * day
	}
}

// dayOfYear counts from 0 in a leap year.
func dayOfYear(key int) int {
	return daysBefore[key/32&15] + key%32 - 1
}

var daysBefore = [16]int{1: 0, 2: 31, 3: 60, 4: 91, 5: 121, 6: 152, 7: 182, 8: 213, 9: 244, 10: 274, 11: 305, 12: 335}
