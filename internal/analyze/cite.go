package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// citedFields are those of a record that Evidence holds.
const citedFields = "event.id, _time, _msg, message, log.file.path, log.offset, event.outcome, event.dataset, host.name, user.name, source.ip, destination.ip"

// common finds values that all records have alike.
type common struct {
	values map[string]string
	counts map[string]int
}

func (c *common) note(field, value string) {
	if c == nil || value == "" {
		return
	}
	if old, seen := c.values[field]; !seen {
		c.values[field] = value
	} else if old != value {
		c.counts[field] = -1 << 30
	}
	c.counts[field]++
}

// of returns the value of a field that each of n records has, or none.
func (c *common) of(field string, n int) []string {
	if c.counts[field] < n {
		return nil
	}
	return []string{c.values[field]}
}

// cite gets a finding's evidence from the store: of the records that its Query
// selects, the first MaxEvidence by time, the last of them the very last.
func (f *Finding) cite(ctx context.Context, q Querier) error {
	shared := &common{map[string]string{}, map[string]int{}}
	first, err := records(ctx, q, shared, f.Query+fmt.Sprintf(" | sort by (_time, event.id) limit %d | fields %s", MaxEvidence, citedFields))
	if err != nil {
		return err
	}
	f.Evidence = first
	if len(first) == MaxEvidence {
		last, err := records(ctx, q, shared, f.Query+" | sort by (_time desc, event.id desc) limit 1 | fields "+citedFields)
		if err != nil {
			return err
		}
		if len(last) == 1 {
			f.Evidence[MaxEvidence-1] = last[0]
		}
	}
	// Techniques that count by the second or the hour know no better when it was. What is
	// longer is what the records tell of: a connection that was open.
	if n := len(first); n > 0 && first[0].Time != event.NoTime {
		if at := first[0].Time; at-f.First < hour {
			f.First = max(f.First, at)
		}
		if at := first[n-1].Time; f.Last-at < hour {
			f.Last = min(f.Last, at)
		}
	}
	// Who and where all the records name alike, the finding is about too.
	n := len(first)
	e := &f.Entities
	e.Users = append(e.Users, shared.of("user.name", n)...)
	e.Hosts = append(e.Hosts, shared.of("host.name", n)...)
	e.Sources = append(e.Sources, shared.of("source.ip", n)...)
	e.Destinations = append(e.Destinations, shared.of("destination.ip", n)...)
	return nil
}

// records returns what a query selects, as evidence, in order of time; shared,
// unless nil, learns what they have alike.
func records(ctx context.Context, q Querier, shared *common, query string) ([]Evidence, error) {
	var out []Evidence
	err := q.Query(ctx, query, func(row []event.Field) error {
		e := Evidence{Time: event.NoTime}
		var raw string
		for _, f := range row {
			v := strings.Clone(f.Value)
			switch f.Name {
			case "event.id":
				e.ID = v
			case "message":
				e.Message = shortMessage(v)
			case "_msg":
				raw = v
			case "log.file.path":
				e.Path = v
			case "log.offset":
				e.Offset, _ = strconv.ParseInt(v, 10, 64)
			case "event.outcome":
				e.Outcome = v
			case "host.name", "user.name", "source.ip", "destination.ip":
				shared.note(f.Name, v)
			case "_time":
				if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
					e.Time = t.UnixNano()
				}
			}
		}
		if e.Message == "" {
			e.Message = shortMessage(raw)
		}
		if e.ID != "" {
			out = append(out, e)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Evidence) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID)) })
	return out, err
}

func shortMessage(s string) string { return strings.ToValidUTF8(s[:min(len(s), 500)], "") }

// where builds the LogsQL filter of a finding's records.
type where []string

// is asks for records whose field has exactly the value; an empty value asks nothing.
func (w where) is(field, value string) where {
	if value == "" {
		return w
	}
	return append(w, strconv.Quote(field)+":="+quote(value))
}

// has asks for records of whose values of a field, which may be a list, one is the word.
func (w where) has(field, word string) where {
	return append(w, strconv.Quote(field)+":"+quote(word))
}

// not asks for records of whose values of a field none is the word.
func (w where) not(field, word string) where {
	return append(w, "!"+strconv.Quote(field)+":"+quote(word))
}

// some asks for records that have one of the fields.
func (w where) some(fields ...string) where {
	var or []string
	for _, f := range fields {
		or = append(or, strconv.Quote(f)+":*")
	}
	return append(w, "("+strings.Join(or, " or ")+")")
}

// any asks for records of which one of the fields has the value.
func (w where) any(value string, fields ...string) where {
	if value == "" {
		return w
	}
	var or []string
	for _, f := range fields {
		or = append(or, strconv.Quote(f)+":="+quote(value))
	}
	return append(w, "("+strings.Join(or, " or ")+")")
}

// between asks for records from first to last, both in ns and both included.
func (w where) between(first, last int64) where {
	const format = "2006-01-02T15:04:05.000000000Z"
	return append(w, fmt.Sprintf("_time:[%s,%s]", time.Unix(0, first).UTC().Format(format), time.Unix(0, last).UTC().Format(format)))
}

func (w where) String() string { return strings.Join(w, " ") }

// quote quotes text from a log for LogsQL, which reads Go's escapes.
func quote(s string) string { return strconv.Quote(s) }

// clock shows the time of a span within a day, and the day: "2026-03-04 02:00–02:20".
func span(first, last int64) string {
	a, b := time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	switch {
	case a.Truncate(time.Minute).Equal(b.Truncate(time.Minute)):
		return a.Format("2006-01-02 15:04")
	case a.Format(time.DateOnly) == b.Format(time.DateOnly):
		return a.Format("2006-01-02 15:04") + "–" + b.Format("15:04")
	}
	return a.Format("2006-01-02 15:04") + " to " + b.Format("2006-01-02 15:04")
}

// bytesText shows a number of bytes for reading.
func bytesText(n float64) string {
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			if n >= 10 || n == float64(int64(n)) {
				return fmt.Sprintf("%.0f %s", n, u)
			}
			return fmt.Sprintf("%.1f %s", n, u)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f TB", n)
}

// lasting shows a duration for reading, in its two biggest units.
func lasting(ns int64) string {
	d := time.Duration(ns).Round(time.Second)
	switch {
	case d < time.Minute:
		if ns < second {
			return time.Duration(ns).Round(time.Millisecond).String()
		}
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		if s := d % time.Minute / time.Second; s != 0 {
			return fmt.Sprintf("%d min %d s", d/time.Minute, s)
		}
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		if m := d % time.Hour / time.Minute; m != 0 {
			return fmt.Sprintf("%d h %d min", d/time.Hour, m)
		}
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", (d+12*time.Hour)/(24*time.Hour))
}

// day10 shows a day since the epoch.
func day10(d int32) string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

func weekday(d int32) string { return time.Unix(int64(d)*86400, 0).UTC().Weekday().String() }
