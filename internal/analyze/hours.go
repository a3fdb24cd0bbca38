package analyze

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// working finds people who act at a time of day, or on days of the week, at which
// they never do. See docs/techniques/hours.md.
type working struct {
	users   map[string]*workdays
	order   []string
	tooMany bool
}

// workdays are the hours of each day on which an account did something: a bit for each.
type workdays struct {
	days  []int32 // sorted
	hours []uint32
}

const maxWorkers = 50_000

var _ = register(newWorking)

func newWorking() Technique { return &working{users: map[string]*workdays{}} }

// Name implements Technique.
func (*working) Name() string { return "hours" }

// About implements Technique.
func (*working) About() string { return "People at unusual hours" }

// Needs implements Technique.
func (*working) Needs() []string { return []string{"user.name"} }

type workingDigest struct {
	users []string
	days  []int32
	hours []uint32
}

// Digest implements Technique.
func (t *working) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*working) digest(_ string, rs *rows) any {
	type key struct {
		user sym
		day  int32
	}
	var t tally[key, uint32]
	for i := range rs.list {
		r := &rs.list[i]
		// What others do to an account, such as guess at its password, is not its doing.
		if r.user == 0 || r.outcome == failure || r.has(alert) || !person(rs.names[r.user]) {
			continue
		}
		d := dayOf(r.time)
		*t.at(key{r.user, d}) |= 1 << uint(hourOf(r.time)-d*24)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &workingDigest{hours: t.vals}
	for _, k := range t.keys {
		d.users, d.days = append(d.users, rs.keep(k.user)), append(d.days, k.day)
	}
	return d
}

// person reports whether an account may be somebody's: not one of a machine, or
// that every host has.
func person(name string) bool {
	if strings.HasSuffix(name, "$") || strings.ContainsAny(name, ":") {
		return false
	}
	switch strings.ToLower(name) {
	case "root", "system", "local service", "network service", "anonymous logon", "daemon", "nobody", "www-data", "dwm-1", "umfd-0", "umfd-1", "-", "postgres", "mysql", "nginx", "apache":
		return false
	}
	return true
}

// Merge implements Technique.
func (t *working) Merge(digest any) {
	d := digest.(*workingDigest)
	for i, u := range d.users {
		w := t.users[u]
		if w == nil {
			if len(t.users) >= maxWorkers {
				t.tooMany = true
				continue
			}
			w = &workdays{}
			t.users[u] = w
			t.order = append(t.order, u)
		}
		at, found := slices.BinarySearch(w.days, d.days[i])
		switch {
		case found:
			w.hours[at] |= d.hours[i]
		case len(w.days) < maxDays:
			w.days, w.hours = slices.Insert(w.days, at, d.days[i]), slices.Insert(w.hours, at, d.hours[i])
		}
	}
}

func (t *working) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s accounts: when the last of them work was not learnt", thousands(maxWorkers))}
}

// What it takes to know somebody's hours.
const (
	workLearnt  = 10  // days
	workQuiet   = 8   // hours of the day, in a row, in which nothing ever happened
	workBits    = 2.5 // surprise, in bits, that older days weighing less may leave
	workAway    = 2   // hours to the nearest at which one is known to work
	workWeekend = 3   // weekends on which one did nothing
)

// Findings implements Technique.
func (t *working) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	for _, u := range t.order {
		w := t.users[u]
		for i, d := range w.days {
			if f, ok := w.odd(u, i, d); ok {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		if a.First != b.First {
			if a.First < b.First {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Entities.Users[0], b.Entities.Users[0])
	})
	return out, nil
}

// odd judges one day by the others, of which older ones weigh less.
func (w *workdays) odd(user string, i int, d int32) (f Finding, ok bool) {
	var at [24]float64 // weight of the days on which the hour was worked
	var total float64
	days, weekends, free := 0, map[int32]bool{}, map[int32]bool{}
	from, _ := slices.BinarySearch(w.days, d-reach)
	to, _ := slices.BinarySearch(w.days, d+reach+1)
	for j := from; j < to; j++ {
		if o := w.days[j]; o != d {
			days++
			weight := age(o - d)
			total += weight
			for h := w.hours[j]; h != 0; h &= h - 1 {
				at[bits.TrailingZeros32(h)] += weight
			}
			if isWeekend(o) && floorDiv(int64(o)+3, 7) != floorDiv(int64(d)+3, 7) {
				weekends[int32(floorDiv(int64(o)+3, 7))] = true
			}
		}
	}
	if days < workLearnt {
		return f, false
	}
	f = Finding{
		Level: "informational", Techniques: []string{"T1078"}, Tactics: []string{"initial-access"}, Entities: Entities{Users: []string{user}},
	}
	// Whole weeks between the first and last day that were looked at.
	for week := floorDiv(int64(w.days[from])+3, 7) + 1; week < floorDiv(int64(w.days[to-1])+3, 7); week++ {
		if !weekends[int32(week)] && week != floorDiv(int64(d)+3, 7) {
			free[int32(week)] = true
		}
	}
	if isWeekend(d) && len(weekends) == 0 && len(free) >= workWeekend {
		n := bits.OnesCount32(w.hours[i])
		first := int64(d)*day + int64(bits.TrailingZeros32(w.hours[i]))*hour
		last := int64(d)*day + int64(32-bits.LeadingZeros32(w.hours[i]))*hour - 1
		f.Title, f.First, f.Last = "An account is active on a weekend as never before", first, last
		f.Rule = Rule{ID: "hours.weekend", Name: "Active on a weekend", FalsePositives: []string{"Overtime", "On call"}}
		f.Surprise = math.Log2(float64(len(free)+1)) + 1
		f.Explanation = fmt.Sprintf("account %s was active in %s of %s, a %s; on none of the %d weekends about it was it, and on %d other days it was.", clip(user, 100),
			plural(n, "hour", "hours"), day10(d), weekday(d), len(free), days)
		f.Query = where{}.between(first, last).any(user, "user.name", "user.target.name").String()
		return f, true
	}
	quiet, longest := 0, 0
	for h := range 48 {
		if at[h%24] == 0 {
			quiet++
			longest = max(longest, min(quiet, 24))
		} else {
			quiet = 0
		}
	}
	if longest < workQuiet {
		return f, false
	}
	var odd uint32
	for h := w.hours[i]; h != 0; h &= h - 1 {
		x := bits.TrailingZeros32(h)
		far := true
		for off := -workAway; off <= workAway; off++ {
			far = far && at[(x+off+24)%24] == 0
		}
		if far {
			odd |= 1 << x
		}
	}
	f.Surprise = math.Log2(total + 1)
	if odd == 0 || f.Surprise < workBits {
		return f, false
	}
	begin, end := hoursOf(at)
	first := int64(d)*day + int64(bits.TrailingZeros32(odd))*hour
	last := int64(d)*day + int64(32-bits.LeadingZeros32(odd))*hour - 1
	f.Title, f.First, f.Last = "An account is active at a time of day at which it never is", first, last
	f.Rule = Rule{ID: "hours.day", Name: "Active outside its hours", FalsePositives: []string{"Overtime, travel to another time zone", "A scheduled task that runs as the person"}}
	f.Explanation = fmt.Sprintf("account %s was active %s (UTC), on none of %d other days at such a time: it usually is between %02d:00 and %02d:00.", clip(user, 100), span(first, last), days, begin, end)
	f.Query = where{}.between(first, last).any(user, "user.name", "user.target.name").String()
	return f, true
}

// hoursOf is the stretch of the day, over midnight if need be, outside of the
// longest quiet one.
func hoursOf(at [24]float64) (begin, end int) {
	best, run := 0, 0
	for h := range 48 {
		if at[h%24] != 0 {
			run = 0
			continue
		}
		if run++; run > best {
			best, begin = run, (h+1)%24
		}
	}
	return begin, (begin + 24 - min(best, 24)) % 24
}
