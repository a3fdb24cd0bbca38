package timeline

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
)

// Rhythm is something that repeats at regular intervals.
type Rhythm struct {
	What   string // host, program, action, user and the like, what they are of
	Period time.Duration
	Jitter time.Duration // typical deviation from the period, or from when it should come
	Times  int           // occurrences, events that come together counted once
	Missed int           // times at which it should have come and did not
	First,
	Last int64
	// Share is the part of intervals that are the period or a multiple of it, or of events
	// that come within a quarter of the period of when they should.
	Share float64
	Noisy bool // other events come in between, a fifth of all and more; Times are all
	Alike int  // others at the same place that beat in the same time
}

const (
	minTimes    = 8
	maxTimes    = 1 << 16 // of one rhythm; what has more is not looked at
	busyTimes   = 4000    // what has more of them is looked at after all others
	maxBusy     = 100     // of such candidates
	maxRhythms  = 3000    // of the others
	maxAllTimes = 4 << 20 // of all candidates together
)

// rhythmKeys are what a rhythm may be of: the columns that tell its events from
// others, most telling sets first.
var rhythmKeys = [][]string{
	{"host.name", "process.name", "event.action", "user.name"},
	{"source.ip", "destination.ip", "destination.port"},
	{"source.ip", "url.path"},
	{"source.ip", "dns.question.name"},
}

// Rhythms finds what repeats at regular intervals among the events that a query
// finds: scheduled jobs, polling, beacons. Each is said once, for the most
// telling set of columns; the most regular come first.
func Rhythms(ctx context.Context, st store.Store, query string) ([]Rhythm, error) {
	return RhythmsAmong(ctx, st, query, maxRhythms)
}

// RhythmsAmong is Rhythms among so many candidates of each set of columns, those
// with the most events.
func RhythmsAmong(ctx context.Context, st store.Store, query string, most int) ([]Rhythm, error) {
	var out []Rhythm
	for _, keys := range rhythmKeys {
		found, err := rhythmsBy(ctx, st, query, keys, most)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b Rhythm) int {
		if a.Noisy != b.Noisy {
			if a.Noisy {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.Share*math.Log(float64(b.Times)), a.Share*math.Log(float64(a.Times))), strings.Compare(a.What, b.What))
	})
	return merged(out), nil
}

// merged makes one of what beats in the same time at the same place: a job's
// start, its session and its end.
func merged(all []Rhythm) []Rhythm {
	var out []Rhythm
	for _, r := range all {
		place := strings.Join(strings.SplitN(r.What+"  ", " ", 3)[:2], " ")
		same := slices.IndexFunc(out, func(o Rhythm) bool {
			return strings.HasPrefix(o.What, place) && o.Noisy == r.Noisy && math.Abs(float64(o.Period-r.Period)) <= 0.02*float64(o.Period) && math.Abs(float64(o.Times-r.Times)) <= 0.1*float64(o.Times)
		})
		if same >= 0 {
			out[same].Alike++
			continue
		}
		out = append(out, r)
	}
	return out
}

func rhythmsBy(ctx context.Context, st store.Store, query string, keys []string, most int) ([]Rhythm, error) {
	quoted := make([]string, len(keys))
	any := make([]string, 0, len(keys))
	for i, k := range keys {
		quoted[i] = fmt.Sprintf("%q", k)
		if i > 0 || len(keys) > 2 {
			any = append(any, quoted[i]+":*")
		}
	}
	by := strings.Join(quoted, ", ")
	condition := strings.Join(any[len(any)-min(len(any), 2):], " ")
	if keys[0] == "host.name" {
		condition = `"event.action":* "process.name":*`
	}
	// Which combinations occur often enough, but not more often than can be looked at.
	base := query + ` | filter !"sextant.time":* ` + condition
	var out []Rhythm
	type candidate struct {
		values []string
		n      int64
	}
	var all []candidate
	keep := func() {
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.n, a.n), slices.Compare(a.values, b.values))
		})
		// A job of every minute has 40,000 a month. Most that is as busy has no rhythm: the least busy of it, after all others.
		busy := slices.IndexFunc(all, func(c candidate) bool { return c.n <= busyTimes })
		if busy < 0 {
			busy = len(all)
		}
		some := slices.Clone(all[max(0, busy-maxBusy):busy])
		slices.Reverse(some)
		all = append(slices.Clone(all[busy:min(len(all), busy+most)]), some...)
	}
	err := store.Group(ctx, st, base, keys, []store.Figure{{Name: "sextant_n", Of: "count()"}}, func() { all = nil }, func(fs []event.Field) error {
		r := row(fs)
		var c candidate
		if c.n, _ = strconv.ParseInt(r.get("sextant_n"), 10, 64); c.n < minTimes || c.n > maxTimes {
			return nil
		}
		for _, k := range keys {
			c.values = append(c.values, r.get(k))
		}
		if all = append(all, c); len(all) > 2*most+1000 {
			keep()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	keep()
	index := map[string]int{}
	var total int64
	for _, c := range all {
		if total += c.n; total > maxAllTimes {
			break
		}
		index[strings.Join(c.values, "\x1f")] = len(index)
	}
	if len(index) == 0 {
		return nil, nil
	}
	times := make([][]int64, len(index))
	var key []byte
	err = st.QueryWith(ctx, base+" | fields _time, "+by, store.QueryOptions{Unsorted: true}, func(fs []event.Field) error {
		r := row(fs)
		key = key[:0]
		for i, k := range keys {
			if i > 0 {
				key = append(key, '\x1f')
			}
			key = append(key, r.value(k)...)
		}
		i, ok := index[string(key)]
		if t := r.time("_time"); ok && t != event.NoTime && len(times[i]) < maxTimes {
			times[i] = append(times[i], t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range all[:len(index)] {
		ts := times[index[strings.Join(c.values, "\x1f")]]
		slices.Sort(ts)
		if rh, ok := rhythm(ts); ok {
			rh.What = named(keys, c.values)
			out = append(out, rh)
		}
	}
	return out, nil
}

// named says what values of columns are of.
func named(keys, values []string) string {
	var name []string
	for i, k := range keys {
		if values[i] == "" {
			continue
		}
		if i == 1 && (k == "destination.ip" || k == "dns.question.name" || k == "url.path") {
			name = append(name, "→")
		}
		name = append(name, limited(values[i], 80))
	}
	return strings.Join(name, " ")
}

// rhythm looks for a period in ascending times. Events that come together are
// one occurrence; how close that is, is tried out.
func rhythm(times []int64) (Rhythm, bool) {
	best, ok := Rhythm{}, false
	for _, together := range []time.Duration{0, time.Second, 10 * time.Second, time.Minute} {
		starts := collapse(times, together)
		if len(starts) < minTimes {
			break
		}
		if r, regular := regular(starts); regular && (!ok || r.Share > best.Share+0.02) {
			best, ok = r, true
		}
	}
	if !ok {
		if best, ok = locked(times); !ok {
			best, ok = renewed(times)
		}
	}
	return best, ok && !best.ofPeople(times)
}

// ofPeople reports whether what repeats within hours and days may as well be the habit of a person: it is not
// on time within a hundredth of the period, and does not go on at night and over weekends.
func (r *Rhythm) ofPeople(times []int64) bool {
	if r.Period < 2*time.Hour {
		return false
	}
	// Of what goes on all day only the first of each day may be on time: people begin then.
	near, begun := 0, times[0]
	for _, t := range times {
		if t-begun >= int64(r.Period)*6/10 {
			begun = t
		}
		if t-begun <= int64(r.Period)/4 {
			near++
		}
	}
	if r.Noisy || 5*near < 4*len(times) {
		return true
	}
	if r.Jitter <= r.Period/100 {
		return false
	}
	if f := foldAt(times, float64(r.Period)); f.beats >= minTimes && f.jitter <= f.period/100 { // each interval has the jitter of two
		return false
	}
	if r.Missed*4 > r.Times {
		return true
	}
	const day = int64(24 * time.Hour)
	weekends, beats := map[int64]bool{}, 0 // turns on Saturdays and Sundays
	weekend := func(t int64) bool { d := (t/day + 4) % 7; return d == 0 || d == 6 }
	for _, t := range times {
		if turn := (t - r.First + int64(r.Period/2)) / int64(r.Period); weekend(t) && !weekends[turn] {
			weekends[turn] = true
			beats++
		}
	}
	ought := 0
	for t := r.First; t <= r.Last; t += int64(r.Period) {
		if weekend(t) {
			ought++
		}
	}
	return beats < 2 || 4*beats < 3*ought
}

// collapse keeps the first of times that follow each other within a gap.
func collapse(times []int64, gap time.Duration) []int64 {
	var out []int64
	for i, t := range times {
		if i == 0 || t-times[i-1] > int64(gap) {
			out = append(out, t)
		}
	}
	return out
}

// regular tests whether intervals are mostly one period, or a small multiple of
// it where one was missed.
func regular(starts []int64) (Rhythm, bool) {
	intervals := make([]float64, len(starts)-1)
	for i := range intervals {
		intervals[i] = float64(starts[i+1] - starts[i])
	}
	sorted := slices.Clone(intervals)
	slices.Sort(sorted)
	period := sorted[len(sorted)/2]
	if period < float64(2*time.Second) {
		return Rhythm{}, false
	}
	// Multiples pull the median up when every second one is missed; the lower
	// quartile is tried by what fits.
	once, fits, missed := 0, 0, 0
	var off []float64
	sum, turns := 0.0, 0.0
	for _, d := range intervals {
		k := math.Round(d / period)
		if k < 1 || k > 50 || math.Abs(d-k*period) > 0.1*period+min(float64(time.Second), 0.1*period) {
			continue
		}
		fits++
		sum, turns = sum+d, turns+k
		missed += int(k) - 1
		if k == 1 {
			once++
			off = append(off, math.Abs(d-period))
		}
	}
	share := float64(fits) / float64(len(intervals))
	if share < 0.8 || once*2 < len(intervals) || missed > once {
		return Rhythm{}, false
	}
	slices.Sort(off)
	jitter := off[len(off)/2]
	// A tenth either side holds a fifth of intervals of any length about the
	// period; only what is much tighter is a rhythm where there are few.
	if jitter > 0.1*period || jitter > 0.05*period && len(starts) < 24 {
		return Rhythm{}, false
	}
	if jitter > period/200 {
		period = sum / turns // of exact ones the median is the better
	}
	return Rhythm{Period: time.Duration(period), Jitter: time.Duration(jitter), Times: len(starts), Missed: missed, First: starts[0], Last: starts[len(starts)-1], Share: share}, true
}

// Sentence says what repeats.
func (r *Rhythm) Sentence() string {
	if r.Noisy {
		return fmt.Sprintf("%s: about every %s ± %s among other events, %s times, %.0f%% of them then", r.What, Length(r.Period), Length(r.Jitter), prose.Number(r.Times), 100*r.Share)
	}
	s := fmt.Sprintf("%s: every %s ± %s, %s times", r.What, Length(r.Period), Length(r.Jitter), prose.Number(r.Times))
	if r.Missed > 0 {
		s += fmt.Sprintf(", %s missed", prose.Number(r.Missed))
	}
	if r.Alike > 0 {
		s += fmt.Sprintf(" (and %d more alike)", r.Alike)
	}
	return s
}

// Length is a duration in the one or two units that matter.
func Length(d time.Duration) string {
	day := 24 * time.Hour
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	two := func(a int64, u string, b int64, v string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, u)
		}
		return fmt.Sprintf("%d %s %d %s", a, u, b, v)
	}
	switch {
	case d >= day:
		return two(int64(d/day), "d", int64(d%day/time.Hour), "h")
	case d >= time.Hour:
		return two(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "min")
	case d >= time.Minute:
		return two(int64(d/time.Minute), "min", int64(d%time.Minute/time.Second), "s")
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return strings.Replace(fmt.Sprintf("%.1f s", d.Seconds()), ".0", "", 1)
	case d >= time.Millisecond:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
	return "0 s"
}
