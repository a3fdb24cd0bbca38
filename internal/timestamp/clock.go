// Package timestamp reads the times that logs write, fills in what they leave
// out, and says how sure the result is.
//
// A log time may lack its year (RFC 3164) or its zone (most text logs). A
// [Clock] belongs to one source and holds what is known about it: the zone to
// assume and, for logs without a year, the time around which the next stamp
// must lie. Every parse adds to the Clock's [Quality], so that nothing is
// assumed in silence.
//
// Times are nanoseconds since the Unix epoch, UTC.
package timestamp

import "time"

// Quality says how the times of a source were known: a set of flags.
type Quality uint8

const (
	Exact        Quality = 1 << iota // the record gives year and zone
	ZoneAssumed                      // the zone is the person's --tz, or UTC
	YearInferred                     // the year comes from the source's order and file times
	Missing                          // some records give no time at all
)

// String is the wording of DESIGN.md: "exact", "zone assumed", …, joined by ", ".
func (q Quality) String() string {
	s := ""
	for _, f := range []struct {
		q    Quality
		name string
	}{{Exact, "exact"}, {ZoneAssumed, "zone assumed"}, {YearInferred, "year inferred"}, {Missing, "none"}} {
		if q&f.q != 0 {
			if s != "" {
				s += ", "
			}
			s += f.name
		}
	}
	return s
}

// Clock turns the stamps of one source into times. The zero Clock assumes UTC
// and 1970. A Clock is used by one goroutine; At makes one for each chunk.
type Clock struct {
	Quality Quality // gathered from every stamp read

	zone *time.Location // nil: UTC
	ref  int64          // a time near the next stamp, for stamps without a year

	yearSet bool
	year    int // year of the last stamp without a year
	refDay  int // its month*32+day

	hour    int64 // the local hour (hours since epoch as if UTC) whose offset is cached
	offset  int64 // its zone offset in nanoseconds
	cached  bool
	dayKey  int64 // year<<9|month<<5|day of the cached day
	dayBase int64 // its midnight in nanoseconds as if UTC
}

// NewClock returns a clock for a source whose stamps without a zone are in
// zone (nil: UTC) and whose first stamp without a year lies about ref.
func NewClock(zone *time.Location, ref int64) *Clock {
	if zone == time.UTC {
		zone = nil
	}
	return &Clock{zone: zone, ref: ref}
}

const (
	day      = int64(24 * time.Hour)
	halfYear = 183
	lateDays = 7 // how late a record of the old year may be written in the new
)

// Assume has stamps without a zone be in zone from now on, because the format of the
// log says so.
func (c *Clock) Assume(zone *time.Location) {
	if zone == time.UTC {
		zone = nil
	}
	c.zone, c.cached = zone, false
}

// Local is the time of a stamp that has a year and no zone. Out-of-range parts
// give ok = false.
func (c *Clock) Local(year, month, dayOfMonth, hour, min, sec, nsec int) (ns int64, ok bool) {
	if !valid(month, dayOfMonth, hour, min, sec) {
		return 0, false
	}
	c.Quality |= ZoneAssumed
	ns, ok = c.civil(year, month, dayOfMonth, hour, min, sec, nsec)
	return c.toUTC(ns), ok
}

// Zoned is the time of a stamp with year and offset east of UTC in seconds.
func (c *Clock) Zoned(year, month, dayOfMonth, hour, min, sec, nsec, offset int) (ns int64, ok bool) {
	if !valid(month, dayOfMonth, hour, min, sec) {
		return 0, false
	}
	c.Quality |= Exact
	ns, ok = c.civil(year, month, dayOfMonth, hour, min, sec, nsec)
	return ns - int64(offset)*int64(time.Second), ok
}

// Yearless is the time of a stamp with neither year nor zone. It is in the
// year of the stamp read last, unless that would be half a year back (then the
// year has turned) or all but a week of a year forward (then it is a late record
// of the old year).
func (c *Clock) Yearless(month, dayOfMonth, hour, min, sec, nsec int) (ns int64, ok bool) {
	if !valid(month, dayOfMonth, hour, min, sec) {
		return 0, false
	}
	c.Quality |= ZoneAssumed | YearInferred
	if !c.yearSet {
		t := time.Unix(0, c.ref).UTC()
		c.year, c.refDay, c.yearSet = t.Year(), int(t.Month())*32+t.Day(), true
	}
	key := month*32 + dayOfMonth
	if key != c.refDay {
		c.year += yearStep(c.refDay, key)
		c.refDay = key
	}
	ns, ok = c.civil(c.year, month, dayOfMonth, hour, min, sec, nsec)
	if !ok && month == 2 && dayOfMonth == 29 { // the year was guessed; the day was read
		ns, ok = c.civil(c.year-1, month, 28, hour, min, sec, nsec)
		ns += day
	}
	return c.toUTC(ns), ok
}

// yearlessZoned is Yearless for a stamp that has its offset east of UTC in seconds.
func (c *Clock) yearlessZoned(month, dayOfMonth, hour, min, sec, nsec, offset int) (ns int64, ok bool) {
	zone, quality := c.zone, c.Quality
	c.zone = nil
	ns, ok = c.Yearless(month, dayOfMonth, hour, min, sec, nsec)
	c.zone = zone
	if ok {
		c.Quality = quality | Exact | YearInferred
	}
	return ns - int64(offset)*int64(time.Second), ok
}

// yearStep is by how many years the date turns between two stamps without a
// year, each given as month*32+day.
func yearStep(before, now int) int {
	switch d := dayOfYear(now) - dayOfYear(before); {
	case d < -halfYear:
		return 1
	case d > 366-lateDays:
		return -1
	}
	return 0
}

// Seen tells the clock a time that the source itself gave in full, from which
// later stamps without a year continue.
func (c *Clock) Seen(ns int64) { c.ref, c.yearSet = ns, false }

// NoTime records that a record gave no time.
func (c *Clock) NoTime() { c.Quality |= Missing }

// civil is the time of a civil date as if it were UTC. ok is false for a day
// the month does not have, and outside the years 1678–2261 that nanoseconds
// can hold.
func (c *Clock) civil(year, month, d, hour, min, sec, nsec int) (int64, bool) {
	key := int64(year)<<9 | int64(month)<<5 | int64(d)
	if key != c.dayKey || key == 0 {
		if year < 1678 || year > 2261 || d > daysIn(year, month) {
			return 0, false
		}
		c.dayKey, c.dayBase = key, daysFromCivil(year, month, d)*day
	}
	return c.dayBase + int64(hour*3600+min*60+sec)*int64(time.Second) + int64(nsec), true
}

// toUTC turns nanoseconds read as if UTC into the zone's UTC time. Of the two times that
// a stamp has in the hour which is repeated when summer ends, it is the first; one in the
// hour that is left out when summer begins counts on from before it.
func (c *Clock) toUTC(local int64) int64 {
	if c.zone == nil {
		return local
	}
	hour := local / int64(time.Hour)
	if !c.cached || hour != c.hour {
		off := c.offsetOf(local)
		c.hour, c.offset, c.cached = hour, int64(off)*int64(time.Second), true
	}
	return local - c.offset
}

// offsetOf is the zone's offset in seconds at a local time.
func (c *Clock) offsetOf(local int64) int {
	at := func(ns int64) int {
		_, off := time.Unix(0, ns).In(c.zone).Zone()
		return off
	}
	before, after := at(local-day), at(local+day)
	if before == after || at(local-int64(before)*int64(time.Second)) == before {
		return before
	}
	if at(local-int64(after)*int64(time.Second)) == after {
		return after
	}
	return before
}

func valid(month, d, hour, min, sec int) bool {
	return 1 <= month && month <= 12 && 1 <= d && d <= 31 && uint(hour) < 24 && uint(min) < 60 && uint(sec) <= 60
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil counts days since 1970-01-01 in the proleptic Gregorian
// calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era*146097 + doe - 719468)
}
