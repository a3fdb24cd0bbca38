package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
)

// silence finds logs that fall silent, or end, when they never do at that time of
// day, and says whether other logs of the host, and of the case, went on: a log
// that alone is silent was stopped, cut, or lost. See docs/techniques/silence.md.
type silence struct {
	streams map[streamKey]*stream
	order   []streamKey
	cells   int
	tooMany bool

	// Of a live case: the minute up to which all that was sent is here, and that from
	// which on it would have been. 0 for evidence that ends where it ends.
	upTo, from int64
}

// streamKey is a log of a host.
type streamKey struct{ dataset, host string }

// stream is in which minutes a log was written: a bit for each minute of an hour.
type stream struct {
	hours   []int32 // sorted
	minutes []uint64
}

const (
	maxStreams     = 20_000
	maxStreamCells = 1_000_000 // 12 bytes each
)

var _ = register(newSilence)

func newSilence() Technique { return &silence{streams: map[streamKey]*stream{}} }

// Name implements Technique.
func (*silence) Name() string { return "silence" }

// About implements Technique.
func (*silence) About() string { return "Logs that fall silent or end" }

// Needs implements Technique.
func (*silence) Needs() []string { return []string{"@timestamp"} }

type silenceDigest struct {
	keys    []streamKey
	hours   []int32
	minutes []uint64
}

// Digest implements Technique.
func (t *silence) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*silence) digest(_ string, rs *rows) any {
	type key struct {
		dataset, host sym
		hour          int32
	}
	var t tally[key, uint64]
	var last key
	var at *uint64
	for i := range rs.list {
		r := &rs.list[i]
		k := key{r.dataset, r.host, hourOf(r.time)}
		if at == nil || k != last {
			last, at = k, t.at(k)
		}
		*at |= 1 << uint((r.time-int64(k.hour)*hour)/minute)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &silenceDigest{minutes: t.vals}
	for _, k := range t.keys {
		d.keys, d.hours = append(d.keys, streamKey{rs.keep(k.dataset), rs.keep(k.host)}), append(d.hours, k.hour)
	}
	return d
}

// Merge implements Technique.
func (t *silence) Merge(digest any) {
	d := digest.(*silenceDigest)
	for i, k := range d.keys {
		s := t.streams[k]
		if s == nil {
			if len(t.streams) >= maxStreams {
				t.tooMany = true
				continue
			}
			s = &stream{}
			t.streams[k] = s
			t.order = append(t.order, k)
		}
		at, found := slices.BinarySearch(s.hours, d.hours[i])
		switch {
		case found:
			s.minutes[at] |= d.minutes[i]
		case t.cells >= maxStreamCells:
			t.tooMany = true
		default:
			s.hours, s.minutes = slices.Insert(s.hours, at, d.hours[i]), slices.Insert(s.minutes, at, d.minutes[i])
			t.cells++
		}
	}
}

// upToNow implements clocked.
func (t *silence) upToNow(from, now int64) {
	t.from, t.upTo = floorDiv(from, minute), floorDiv(now, minute)
}

func (t *silence) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s logs, or %s hours of them: the last were not watched for silence", thousands(maxStreams), thousands(maxStreamCells))}
}

// first and last active minute since the epoch.
func (s *stream) first() int64 {
	return int64(s.hours[0])*60 + int64(bits.TrailingZeros64(s.minutes[0]))
}
func (s *stream) last() int64 {
	n := len(s.hours) - 1
	return int64(s.hours[n])*60 + int64(63-bits.LeadingZeros64(s.minutes[n]))
}

// active counts active minutes from one minute up to another.
func (s *stream) active(from, to int64) (n int) {
	i, _ := slices.BinarySearch(s.hours, int32(floorDiv(from, 60)))
	for ; i < len(s.hours) && int64(s.hours[i])*60 < to; i++ {
		m := s.minutes[i]
		if h := int64(s.hours[i]) * 60; h < from {
			m &= ^uint64(0) << uint(from-h)
		}
		if h := int64(s.hours[i]) * 60; h+60 > to {
			m &= 1<<uint(to-h) - 1
		}
		n += bits.OnesCount64(m)
	}
	return n
}

// gap is a stretch without records: between the active minutes from and to.
type gap struct {
	key      streamKey
	from, to int64 // minutes
	end      bool  // the log did not go on
	expected float64
	usual    usual
	others   int // active minutes of other logs of the host meanwhile
	all      int // and of all logs
}

// What a silence must be.
const (
	silenceShortest = 45 // minutes
	silenceMinutes  = 20 // active minutes that there would be in its quietest hours
)

// Findings implements Technique.
func (t *silence) Findings(context.Context, Querier) ([]Finding, error) {
	ends := map[string]int64{} // of a host
	for _, k := range t.order {
		ends[k.host] = max(ends[k.host], t.streams[k].last())
	}
	var gaps []gap
	for _, k := range t.order {
		s := t.streams[k]
		var counts series
		var days []int32
		for i, h := range s.hours {
			counts = append(counts, cell{hour: h, count: uint32(bits.OnesCount64(s.minutes[i]))})
			days = withDay(days, int32(floorDiv(int64(h), 24)))
		}
		consider := func(from, to int64, end bool) {
			heard := from // what came before would be here
			if end {
				heard = max(from, t.from)
			}
			if to-heard <= silenceShortest {
				return
			}
			g := gap{key: k, from: from, to: to, end: end}
			// A silence of weeks is not made worse by looking at all of it.
			for h := heard / 60; h <= to/60 && h < heard/60+48; h++ {
				u, ok := counts.expect(int32(h), days)
				if !ok {
					return
				}
				if isWeekend(int32(floorDiv(h, 24))) && !u.weekly {
					continue // weekends are not known
				}
				share := float64(min(to, h*60+60)-max(heard+1, h*60)) / 60
				g.expected += u.low * share
				if g.usual.days == 0 {
					g.usual = u
				}
			}
			if g.expected < silenceMinutes {
				return
			}
			for _, o := range t.order {
				if o == k {
					continue
				}
				n := t.streams[o].active(from+1, to)
				g.all += n
				if o.host == k.host && k.host != "" {
					g.others += n
				}
			}
			gaps = append(gaps, g)
		}
		last := s.first()
		for i, h := range s.hours {
			for m := s.minutes[i]; m != 0; m &= m - 1 {
				at := int64(h)*60 + int64(bits.TrailingZeros64(m))
				consider(last, at, false)
				last = at
			}
		}
		switch {
		case t.upTo > 0:
			consider(last, t.upTo, true)
		case k.host != "":
			consider(last, ends[k.host], true)
		}
	}
	slices.SortStableFunc(gaps, func(a, b gap) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	var out []Finding
	var told []gap // of silences of all logs, or of all of a host
	for _, g := range gaps {
		if g.all == 0 || g.others == 0 && g.key.host != "" {
			if slices.ContainsFunc(told, func(o gap) bool {
				return o.from-60 <= g.from && g.to <= o.to+60 && (o.all == 0 || o.key.host == g.key.host)
			}) {
				continue
			}
			told = append(told, g)
		}
		out = append(out, g.finding(len(t.streams)))
	}
	return out, nil
}

func (g *gap) finding(streams int) Finding {
	f := Finding{
		Title: "A log is silent when it never is", Level: "informational", First: g.from * minute, Last: g.to*minute + minute - 1, Surprise: g.expected,
		Datasets: nonEmpty(g.key.dataset), Entities: Entities{Hosts: nonEmpty(g.key.host)},
		Rule: Rule{ID: "silence", Name: "Silence of a log", FalsePositives: []string{"Maintenance, a restart, a network that was down", "Logs that were copied for different stretches of time"}},
	}
	who := "log " + g.key.dataset
	if g.key.host != "" {
		who += " of " + clip(g.key.host, 100)
	}
	if g.key.dataset == "" {
		who = "the log of " + clip(g.key.host, 100)
	}
	what := "nothing"
	if g.end {
		f.Title = "A log ends while others of the host go on"
		if g.others == 0 {
			f.Title = "A log does not go on"
		}
		f.Rule.ID = "silence.end"
		what = "nothing more"
	}
	at := fmt.Sprintf("nine of ten hours at that time of day have records in %.0f to %.0f minutes, over %s", g.usual.low, g.usual.high, plural(g.usual.days, "day", "days"))
	if !g.usual.seasonal {
		at = fmt.Sprintf("nine of ten of its hours have records in %.0f to %.0f minutes, over %s", g.usual.low, g.usual.high, plural(g.usual.days, "day", "days"))
	}
	meanwhile := ""
	switch {
	case g.others > 0:
		meanwhile = fmt.Sprintf("; other logs of the host went on, in %s minutes", thousands(g.others))
		f.Level, f.Techniques, f.Tactics = "low", []string{"T1562.001", "T1070"}, []string{"defense-evasion"}
	case g.all > 0:
		meanwhile = "; logs of other hosts went on"
		if g.key.host == "" {
			meanwhile = "; other logs went on"
		}
	case streams > 1:
		meanwhile = "; all logs are silent then"
	}
	f.Explanation = fmt.Sprintf("%s: %s for %s, %s; %s%s.", who, what, lasting((g.to-g.from)*minute), span(g.from*minute, g.to*minute), at, meanwhile)
	// The records on both sides.
	edge := func(m int64) string { return where{}.between(m*minute, m*minute+minute-1).String() }
	w := where{}.is("event.dataset", g.key.dataset).is("host.name", g.key.host)
	times := edge(g.from)
	if !g.end {
		times = "(" + times + " or " + edge(g.to) + ")"
	}
	f.Query = append(w, times).String()
	return f
}
