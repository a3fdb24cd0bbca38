package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
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
	if strings.HasSuffix(name, "$") || strings.ContainsAny(name, ":") || wellKnown(name) {
		return false
	}
	switch strings.ToLower(name) {
	case "root", "system", "local service", "network service", "anonymous logon", "daemon", "nobody", "www-data", "dwm-1", "umfd-0", "umfd-1", "-", "postgres", "mysql", "nginx", "apache":
		return false
	}
	return true
}

// wellKnown reports whether a name is the SID of a well-known account, which every host has (MS-DTYP 2.4.2.4): all but those of
// domains and computers, S-1-5-21-…, and of Entra ID, S-1-12-1-….
func wellKnown(name string) bool {
	return strings.HasPrefix(name, "S-1-") && !strings.HasPrefix(name, "S-1-5-21-") && !strings.HasPrefix(name, "S-1-12-1-")
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
	return []string{fmt.Sprintf("more than %s accounts: when the last of them work was not learnt", prose.Number(maxWorkers))}
}

// How somebody's hours are judged.
const (
	workLearnt = 7   // other days it takes
	workMost   = 0.9 // of what an account does, by hours and days, lies in its usual hours
	workQuiet  = 6   // hours in a row that must not be usual, or the account has no hours
	workAway   = 3   // hours from the next usual one, from which on it is odd
	workPrior  = 6   // days that what is known of everybody weighs
	workBits   = 4.5 // surprise that is told at least
	workWeeks  = 3   // other weekends it takes
	workReach  = 4 * halfLife
)

// bins are places in the day seen from an account's usual hours: so many hours after the
// last of them or, negative, before the next. 0 is the usual ones.
const (
	maxBin = 12
	bins   = 2*maxBin + 1
)

// usualHours are the hours of the day in which most of what happens at these weights does:
// the densest ones (the highest density region: Hyndman, The American Statistician 50, 1996)
// of the circular distribution, smoothed by two hours to both sides.
func usualHours(at *[24]float64) (usual uint32) {
	var dense [24]float64
	var order [24]int
	var total, sum float64
	for h := range at {
		order[h] = h
		total += at[h]
		for off, w := range [...]float64{1, 2, 3, 2, 1} {
			dense[h] += w * at[(h+off+22)%24]
		}
	}
	slices.SortStableFunc(order[:], func(a, b int) int { return cmp.Compare(dense[b], dense[a]) })
	for _, h := range order {
		if sum >= workMost*total {
			break
		}
		usual |= 1 << h
		sum += at[h]
	}
	return usual
}

// quietest is the longest stretch of hours that are not usual, which may go over midnight.
func quietest(usual uint32) (begin, length int) {
	run := 0
	for h := range 48 {
		if usual>>(h%24)&1 != 0 {
			run = 0
			continue
		}
		if run++; run > length && run <= 24 {
			begin, length = (h-run+1+24)%24, run
		}
	}
	return begin, length
}

// binOf places an hour of the day.
func binOf(usual uint32, h int) int {
	for n := range maxBin + 1 {
		if usual>>((h-n+24)%24)&1 != 0 {
			return n
		}
		if usual>>((h+n)%24)&1 != 0 {
			return -n
		}
	}
	return maxBin
}

// life is the days of an account, each from the middle of its night on, so that the
// work of a day is not cut in two for those who live far from Greenwich.
type life struct {
	user  string
	night int      // the hour, UTC, at which its days begin
	days  []int32  // the UTC day on which each begins
	hours []uint32 // by hour of the day, UTC
	odd   []oddDay
}

// oddDay is a day with something at hours that are far from the usual ones.
type oddDay struct {
	at     int     // index of the day
	usual  uint32  // hours
	odd    uint32  // hours
	exist  uint32  // bins that the day has
	filled uint32  // and those in which something happened
	known  float64 // weight of the other days
	chance float64 // that a day of anybody has something as unlikely
	run    int     // index of the first odd day of days on end
}

func (l *life) hour(i, h int) int32 {
	d := l.days[i]
	if h < l.night {
		d++
	}
	return d*24 + int32(h)
}

// date is the day that the account's clock shows on most of a day of its.
func (l *life) date(i int) int32 { return int32(floorDiv(int64(l.days[i])*24+int64(l.night)+12, 24)) }

// lived makes an account's life of its days; ok is false if it has too few, or no hours.
func (w *workdays) lived(user string) (l *life, ok bool) {
	if len(w.days) <= workLearnt {
		return nil, false
	}
	var at [24]float64
	for _, hours := range w.hours {
		for h := hours; h != 0; h &= h - 1 {
			at[bits.TrailingZeros32(h)]++
		}
	}
	begin, length := quietest(usualHours(&at))
	if length < workQuiet {
		return nil, false
	}
	l = &life{user: user, night: (begin + length/2) % 24}
	late := uint32(1)<<24 - 1<<l.night
	for i, d := range w.days {
		for _, part := range [...]struct {
			day   int32
			hours uint32
		}{{d - 1, w.hours[i] &^ late}, {d, w.hours[i] & late}} {
			switch n := len(l.days); {
			case part.hours == 0:
			case n > 0 && l.days[n-1] == part.day:
				l.hours[n-1] |= part.hours
			default:
				l.days, l.hours = append(l.days, part.day), append(l.hours, part.hours)
			}
		}
	}
	return l, len(l.days) > workLearnt
}

// others is for each day what the account does at each hour of all its other days,
// newer ones weighing more to both sides, and what they weigh.
func (l *life) others(fn func(i int, at *[24]float64, weight float64)) {
	n := len(l.days)
	type sum struct {
		at     [24]float64
		weight float64
	}
	add := func(s *sum, hours uint32, passed int32) {
		fade := age(passed)
		s.weight = (s.weight + 1) * fade
		for h := range s.at {
			s.at[h] = (s.at[h] + float64(hours>>h&1)) * fade
		}
	}
	before := make([]sum, n)
	for i := 1; i < n; i++ {
		before[i] = before[i-1]
		add(&before[i], l.hours[i-1], l.days[i]-l.days[i-1])
	}
	var after sum
	for i := n - 1; i >= 0; i-- {
		if i < n-1 {
			add(&after, l.hours[i+1], l.days[i+1]-l.days[i])
		}
		s := before[i]
		for h := range s.at {
			s.at[h] += after.at[h]
		}
		fn(i, &s.at, s.weight+after.weight)
	}
}

// everybody is how often days of all accounts have something in a bin, by date.
type everybody struct {
	days  map[int32]*binned
	total binned
}

type binned struct {
	days          int
	exist, filled [bins]float64
}

func (b *binned) add(exist, filled uint32) {
	b.days++
	for ; exist != 0; exist &= exist - 1 {
		i := bits.TrailingZeros32(exist)
		b.exist[i]++
		b.filled[i] += float64(filled >> i & 1)
	}
}

// without is everybody's days but those about a date.
func (e *everybody) without(date int32) binned {
	b := e.total
	for d := date - 1; d <= date+1; d++ {
		if o := e.days[d]; o != nil {
			b.days -= o.days
			for i := range b.exist {
				b.exist[i] -= o.exist[i]
				b.filled[i] -= o.filled[i]
			}
		}
	}
	return b
}

// chance is how likely a day is to have something in a bin that is as unlikely as
// the least likely of those filled. Neighbouring bins are smoothed; of what never was, there is a day in
// all bins together (Perks' prior).
func (b *binned) chance(exist, filled uint32) float64 {
	var rate [bins]float64
	least := 1.0
	for i := range rate {
		exists, fills := 0.0, 0.0
		for off, w := range [...]float64{1, 2, 1} {
			if j := i + off - 1; 0 <= j && j < bins && j != maxBin {
				exists, fills = exists+w*b.exist[j]/4, fills+w*b.filled[j]/4
			}
		}
		rate[i] = (fills + 1./(bins-1)) / (exists + 1)
		if filled>>i&1 != 0 {
			least = min(least, rate[i])
		}
	}
	sum := 0.0
	for i := range rate {
		if exist>>i&1 != 0 && rate[i] <= least {
			sum += rate[i]
		}
	}
	return min(sum, 1)
}

// Findings implements Technique.
func (t *working) Findings(context.Context, Querier) ([]Finding, error) {
	out, _ := t.judge()
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Entities.Users[0], b.Entities.Users[0]))
	})
	return out, nil
}

// HourScores returns for every hour in which an account, known for long enough, did something far from its usual ones how surprising
// that day is, in bits, whether it is told or not, and the same of weekends; nil for another technique than hours. Events is 1.
func HourScores(t Technique) []Score {
	w, ok := t.(*working)
	if !ok {
		return nil
	}
	_, scores := w.judge()
	return scores
}

func (t *working) judge() (out []Finding, scores []Score) {
	var lives []*life
	all := everybody{days: map[int32]*binned{}}
	dates := map[int32]bool{}
	judged := 0
	for _, u := range t.order {
		l, ok := t.users[u].lived(u)
		if !ok {
			continue
		}
		lives = append(lives, l)
		l.others(func(i int, at *[24]float64, weight float64) {
			usual := usualHours(at)
			if _, quiet := quietest(usual); quiet < workQuiet {
				return
			}
			o := oddDay{at: i, usual: usual, known: weight}
			for h := range 24 {
				b := binOf(usual, h)
				o.exist |= 1 << (maxBin + b)
				if l.hours[i]>>h&1 == 0 {
					continue
				}
				o.filled |= 1 << (maxBin + b)
				if max(b, -b) >= workAway {
					o.odd |= 1 << h
				}
			}
			o.exist &^= 1 << maxBin
			date := l.date(i)
			if all.days[date] == nil {
				all.days[date] = &binned{}
			}
			all.days[date].add(o.exist, o.filled)
			all.total.add(o.exist, o.filled)
			judged++
			dates[date] = true
			if o.odd != 0 {
				l.odd = append(l.odd, o)
			}
		})
		slices.Reverse(l.odd) // others goes back in time
	}
	if judged == 0 {
		return nil, nil
	}
	tests := math.Log2(float64(judged) / float64(len(dates)))
	for _, l := range lives {
		for j := range l.odd {
			o := &l.odd[j]
			b := all.without(l.date(o.at))
			o.chance = b.chance(o.exist, o.filled)
			o.run = j
			if j > 0 && l.odd[j-1].at == o.at-1 {
				o.run = l.odd[j-1].run
			}
		}
	}
	for _, l := range lives {
		told := -1 // run
		for j := range l.odd {
			o := &l.odd[j]
			others, like := l.like(j)
			surprise := -math.Log2((like + workPrior*o.chance) / (o.known + workPrior))
			for h := o.odd; h != 0; h &= h - 1 {
				scores = append(scores, Score{Field: "user.name", Entity: l.user, Hour: int64(l.hour(o.at, bits.TrailingZeros32(h))), Score: surprise, Events: 1})
			}
			if surprise < workBits {
				continue
			}
			if told == o.run { // a stretch of days is told once
				f := &out[len(out)-1]
				_, last := l.span(o)
				f.Last = max(f.Last, last)
				f.Query = userBetween(l.user, f.First, f.Last)
				continue
			}
			told = o.run
			b := all.without(l.date(o.at))
			out = append(out, l.finding(o, others, surprise-tests, &b))
		}
	}
	more, scored := weekends(lives, tests)
	return append(out, more...), append(scores, scored...)
}

// like is how many stretches of days, and of what weight, had something odd about the same time of
// day as an odd day, or something that is as unlikely. Days on end are one stretch: what lasts some nights must not vouch
// for itself.
func (l *life) like(j int) (n int, weight float64) {
	o := &l.odd[j]
	near := o.odd
	for off := 1; off < workAway; off++ {
		near |= turned(o.odd, off) | turned(o.odd, 24-off)
	}
	run, best := -1, 0.0
	for k := range l.odd {
		p := &l.odd[k]
		passed := l.days[p.at] - l.days[o.at]
		if p.run == o.run || passed < -workReach || p.odd&near == 0 && p.chance > o.chance {
			continue
		}
		if passed > workReach {
			break
		}
		if p.run != run {
			run, best, n = p.run, 0, n+1
		}
		if a := age(passed); a > best {
			weight += a - best
			best = a
		}
	}
	return n, weight
}

// turned is hours of the day, so many hours later.
func turned(hours uint32, by int) uint32 { return (hours<<by | hours>>(24-by)) & (1<<24 - 1) }

// span is from when to when a day is odd, by the hour.
func (l *life) span(o *oddDay) (first, last int64) {
	first, last = math.MaxInt64, 0
	for h := o.odd; h != 0; h &= h - 1 {
		at := int64(l.hour(o.at, bits.TrailingZeros32(h))) * hour
		first, last = min(first, at), max(last, at+hour-1)
	}
	return first, last
}

func userBetween(user string, first, last int64) string {
	return where{}.between(first, last).any(user, "user.name", "user.target.name").String()
}

func (l *life) finding(o *oddDay, like int, surprise float64, b *binned) Finding {
	first, last := l.span(o)
	begin, length := quietest(o.usual)
	far := 0
	for h := o.odd; h != 0; h &= h - 1 {
		x := binOf(o.usual, bits.TrailingZeros32(h))
		far = max(far, x, -x)
	}
	so := 0.0 // days of anybody that had something as far away
	for i := range b.filled {
		if x := i - maxBin; max(x, -x) >= far {
			so = max(so, b.filled[i])
		}
	}
	f := Finding{
		Title: "An account is active at a time of day at which it hardly ever is", Level: "informational", First: first, Last: last, Surprise: max(0, surprise),
		Rule:       Rule{ID: "hours.day", Name: "Active outside its hours", FalsePositives: []string{"Overtime, travel to another time zone", "A scheduled task that runs as the person"}},
		Techniques: []string{"T1078"}, Tactics: []string{"initial-access"}, Entities: Entities{Users: []string{l.user}},
		Query: userBetween(l.user, first, last),
	}
	f.Explanation = fmt.Sprintf("account %s was active %s (UTC), %s off its usual %02d:00–%02d:00, and %s of its %d other days at such a time; of %s of all accounts %s so far off.",
		clip(l.user, 100), span(first, last), prose.Count(far, "hour"), (begin+length)%24, begin, onTimes(like), len(l.days)-1, prose.Count(b.days, "day"), haveIt(so))
	return f
}

func haveIt(n float64) string {
	switch n {
	case 0:
		return "none is"
	case 1:
		return "1 is"
	}
	return fmt.Sprintf("%.0f are", n)
}

// onTimes says how often.
func onTimes(n int) string {
	if n == 0 {
		return "on none"
	}
	return fmt.Sprintf("on %d", n)
}

// weekends finds accounts that do something on a weekend and hardly ever do.
func weekends(lives []*life, tests float64) (out []Finding, scores []Score) {
	type weekend struct {
		week   int32
		active bool
		days   []int // of the life
	}
	each := make([][]weekend, len(lives))
	active, known := map[int32]float64{}, map[int32]float64{} // accounts, by week
	var allDid, allOf float64
	for n, l := range lives {
		var seen []weekend // those of weeks on whose working days it did something, too
		for i := range l.days {
			d := l.date(i)
			week := int32(floorDiv(int64(d)+3, 7))
			if isWeekend(d) {
				if m := len(seen); m > 0 && seen[m-1].week == week {
					seen[m-1].active = true
					seen[m-1].days = append(seen[m-1].days, i)
				}
			} else if m := len(seen); m == 0 || seen[m-1].week != week {
				seen = append(seen, weekend{week: week})
			}
		}
		if m := len(seen); m > 0 && !seen[m-1].active && int32(floorDiv(int64(l.date(len(l.days)-1))+3, 7)) == seen[m-1].week {
			seen = seen[:m-1] // its last may be to come
		}
		each[n] = seen
		for _, w := range seen {
			known[w.week]++
			allOf++
			if w.active {
				active[w.week]++
				allDid++
			}
		}
	}
	for n, l := range lives {
		for _, w := range each[n] {
			if !w.active {
				continue
			}
			others, free := 0, 0
			var k, m float64
			for _, o := range each[n] {
				if o.week == w.week {
					continue
				}
				a := age((o.week - w.week) * 7)
				m += a
				if o.active {
					others++
					k += a
				} else {
					free++
				}
			}
			if others+free < workWeeks {
				continue
			}
			rate := (allDid - active[w.week] + 0.5) / (allOf - known[w.week] + 1)
			surprise := -math.Log2((k + workPrior*rate) / (m + workPrior))
			first, last := int64(math.MaxInt64), int64(0)
			hours := 0
			for _, i := range w.days {
				for h := l.hours[i]; h != 0; h &= h - 1 {
					at := int64(l.hour(i, bits.TrailingZeros32(h))) * hour
					first, last = min(first, at), max(last, at+hour-1)
					hours++
				}
			}
			scores = append(scores, Score{Field: "user.name", Entity: l.user, Hour: int64(hourOf(first)), Score: surprise, Events: 1})
			if surprise < workBits {
				continue
			}
			f := Finding{
				Title: "An account is active on a weekend and hardly ever is", Level: "informational", First: first, Last: last, Surprise: max(0, surprise-tests),
				Rule:       Rule{ID: "hours.weekend", Name: "Active on a weekend", FalsePositives: []string{"Overtime", "On call"}},
				Techniques: []string{"T1078"}, Tactics: []string{"initial-access"}, Entities: Entities{Users: []string{l.user}},
				Query: userBetween(l.user, first, last),
			}
			f.Explanation = fmt.Sprintf("account %s was active in %s of a weekend, %s (UTC), and %s of %d others of weeks in which it worked; all accounts are on %.0f of %.0f.",
				clip(l.user, 100), prose.Count(hours, "hour"), span(first, last), onTimes(others), others+free, allDid-active[w.week], allOf-known[w.week])
			out = append(out, f)
		}
	}
	return out, scores
}
