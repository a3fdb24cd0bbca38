package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// clock finds logs in which time steps back, of those that are otherwise
// written in order of time: a clock that was set, or parts put together or put in.
// And it finds logs that end within a record. See docs/techniques/clock.md.
type clock struct {
	logs    map[string]*ticks // by source id, or path
	order   []string
	tooMany bool
	going   bool // logs go on: they are known by their paths, and have no end yet
}

// ticks is how time goes in a stretch of a log.
type ticks struct {
	path, dataset, host string
	ends                bool  // its records are written when what they tell of is over, with the time it began
	records             int   // with a time
	back                int   // steps back of more than a second; see slack
	first, last         int64 // times of the first and last record
	lastID              string
	steps               []step
	broken              string // id of the last record, if it was not understood
	undecoded           int
	open                string // id of the last record, if its line does not end
	zeroed              int
	zeroes              []string // ids of the first records that are nothing but zeros
	zeroedAt            int64    // time of the record before the first
}

// step is one step back.
type step struct {
	from, to      int64
	before, after string // event ids
}

const (
	maxClockLogs = 100_000
	maxSteps     = 8
	stepLeast    = 2 * minute

	// A sensor writes of a connection that was not closed when it has been silent for a while: Zeek, after
	// five minutes for TCP and one for what else there is (tcp_inactivity_timeout, udp_inactivity_timeout).
	idleLeast = 7 * minute
)

var _ = register(newClock)

func newClock() Technique { return &clock{logs: map[string]*ticks{}} }

func (t *clock) live() { t.going = true }

// Name implements Technique.
func (*clock) Name() string { return "clock" }

// About implements Technique.
func (*clock) About() string { return "Clocks set back, logs cut short or overwritten" }

// Needs implements Technique.
func (*clock) Needs() []string { return []string{"@timestamp"} }

type clockDigest struct {
	source          string
	ticks           ticks
	firstID, lastID string // of the records with a time
}

// Digest implements Technique.
func (t *clock) Digest(path string, b *event.Batch) any {
	if len(b.Events) == 0 {
		return nil
	}
	id, _, _ := strings.Cut(b.Events[0].ID, "-")
	if t.going {
		id = path
	}
	d := &clockDigest{source: strings.Clone(id)}
	d.ticks.path = path
	var last *event.Event
	var before int64 // when last was written
	for i := range b.Events {
		e := &b.Events[i]
		d.ticks.broken = ""
		if e.Err != "" {
			d.ticks.undecoded++
			d.ticks.broken = e.ID
		}
		if e.Time == event.NoTime {
			if e.Get("log.flags") == event.Zeroed {
				at := int64(event.NoTime)
				if last != nil {
					at = before
				}
				d.ticks.zero([]string{strings.Clone(e.ID)}, 1, at)
			}
			continue
		}
		if last == nil {
			d.ticks.ends = e.Get("event.dataset") == "zeek.connection"
		}
		written := e.Time
		if d.ticks.ends {
			duration, _ := strconv.ParseInt(e.Get("event.duration"), 10, 64)
			written += max(duration, 0)
		}
		if last == nil {
			d.ticks.first = written
			d.ticks.dataset, d.ticks.host = strings.Clone(e.Get("event.dataset")), strings.Clone(e.Get("host.name"))
			d.firstID = strings.Clone(e.ID)
		} else {
			d.ticks.tick(before, written, last.ID, e.ID, true)
		}
		d.ticks.records++
		last, before = e, written
	}
	if e := &b.Events[len(b.Events)-1]; e.Get("log.flags") == event.Unterminated {
		d.ticks.open = strings.Clone(e.ID)
	}
	d.ticks.broken = strings.Clone(d.ticks.broken)
	if last != nil {
		d.ticks.last, d.lastID = before, strings.Clone(last.ID)
	}
	return d
}

// zero notes records of zeros, behind one of a time.
func (t *ticks) zero(ids []string, n int, at int64) {
	if t.zeroed == 0 {
		t.zeroedAt = at
	}
	t.zeroed += n
	t.zeroes = append(t.zeroes, ids[:min(len(ids), maxSteps-min(maxSteps, len(t.zeroes)))]...)
}

// tick notes the step from one record to the next.
func (t *ticks) tick(from, to int64, before, after string, clone bool) {
	least, slack := stepLeast, second
	if t.ends {
		least, slack = idleLeast, idleLeast
	}
	if from-to <= slack {
		return
	}
	t.back++
	if from-to < least || len(t.steps) >= maxSteps {
		return
	}
	if clone {
		before, after = strings.Clone(before), strings.Clone(after)
	}
	t.steps = append(t.steps, step{from, to, before, after})
}

// Merge implements Technique.
func (t *clock) Merge(digest any) {
	d := digest.(*clockDigest)
	l := t.logs[d.source]
	if l == nil {
		if len(t.logs) >= maxClockLogs {
			t.tooMany = true
			return
		}
		l = &ticks{path: d.ticks.path, ends: d.ticks.ends}
		t.logs[d.source] = l
		t.order = append(t.order, d.source)
	}
	l.undecoded += d.ticks.undecoded
	l.broken, l.open = d.ticks.broken, d.ticks.open
	if d.ticks.zeroed > 0 {
		at := d.ticks.zeroedAt
		if at == event.NoTime && l.records > 0 {
			at = l.last
		}
		l.zero(d.ticks.zeroes, d.ticks.zeroed, at)
	}
	if d.ticks.records == 0 {
		return
	}
	if l.records == 0 {
		l.first, l.dataset, l.host = d.ticks.first, d.ticks.dataset, d.ticks.host
	} else {
		l.tick(l.last, d.ticks.first, l.lastID, d.firstID, false)
	}
	l.ends = d.ticks.ends
	l.records += d.ticks.records
	l.back += d.ticks.back
	for _, s := range d.ticks.steps {
		if len(l.steps) < maxSteps {
			l.steps = append(l.steps, s)
		}
	}
	l.last, l.lastID = d.ticks.last, d.lastID
}

func (t *clock) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s sources: whether time goes back in the last of them was not looked at", prose.Number(maxClockLogs))}
}

// orderly is the share of steps back, of all, up to which a log is one that is
// written in order of time: many write what took long late, with the time it began.
const orderly = 0.002

// Findings implements Technique.
func (t *clock) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	for _, id := range t.order {
		l := t.logs[id]
		if len(l.steps) > 0 && (l.back == 1 && l.records >= 20 || l.back == 2 && l.records >= 100 || float64(l.back) <= orderly*float64(l.records)) {
			out = append(out, l.stepped())
		}
		if (l.broken != "" && l.undecoded == 1 || l.open != "") && !t.going && l.records >= 20 {
			out = append(out, l.cut())
		}
		if l.zeroed > 0 && l.records > 0 {
			out = append(out, l.wiped())
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

func (l *ticks) stepped() Finding {
	worst := slices.MaxFunc(l.steps, func(a, b step) int { return cmp.Compare(a.from-a.to, b.from-b.to) })
	f := Finding{
		Title: "Time steps back in a log", Level: "low", First: worst.to, Last: worst.from,
		Rule:       Rule{ID: "clock.back", Name: "Clock set back", FalsePositives: []string{"The end of summer time, in a log that writes local time", "Parts of logs that were put together in another order", "A clock that was corrected after the start"}},
		Techniques: []string{"T1070.006"}, Tactics: []string{"defense-evasion"}, Datasets: nonEmpty(l.dataset), Entities: Entities{Hosts: nonEmpty(l.host)},
		Surprise: 10,
	}
	back := worst.from - worst.to
	how := ""
	if back > 59*minute && back < 61*minute {
		how = "; an hour is what local time goes back by when summer time ends"
		f.Level, f.Techniques, f.Tactics = "informational", nil, nil
	}
	times := "once"
	if l.back > 1 {
		times = fmt.Sprintf("%d times, the most", l.back)
	}
	f.Explanation = fmt.Sprintf("%s: time steps back %s, by %s from %s to %s, in %s records that are in order else%s.", clip(l.path, 120), times, lasting(back),
		span(worst.from, worst.from), span(worst.to, worst.to), prose.Number(l.records), how)
	var ids []string
	for _, s := range l.steps {
		ids = append(ids, quote(s.before), quote(s.after))
	}
	f.Query = `"event.id":in(` + strings.Join(ids, ",") + ")"
	return f
}

func (l *ticks) cut() Finding {
	f := Finding{
		Title: "A log ends within a record", Level: "informational", First: l.last, Last: l.last,
		Rule:     Rule{ID: "clock.cut", Name: "Cut log", FalsePositives: []string{"A copy of a log that was being written"}},
		Datasets: nonEmpty(l.dataset), Entities: Entities{Hosts: nonEmpty(l.host)}, Surprise: 5,
	}
	what, id := "and no other, is not whole", l.broken
	if id == "" {
		what, id = "and no other, does not end its line", l.open
		f.Rule.FalsePositives = append(f.Rule.FalsePositives, "A program that does not end the last line of what it exports")
	}
	records := l.records
	if l.broken != "" {
		records++ // it has no time, or none to be trusted
	}
	f.Explanation = fmt.Sprintf("%s: the last of its %s records, %s: the log was cut, or copied while it was written.", clip(l.path, 120), prose.Number(records), what)
	f.Query = `"event.id":in(` + quote(id) + ")"
	return f
}

func (l *ticks) wiped() Finding {
	at := l.zeroedAt
	if at == event.NoTime {
		at = l.first
	}
	f := Finding{
		Title: "Records of a log are overwritten with zeros", Level: "medium", First: at, Last: at,
		Rule:       Rule{ID: "clock.zeroed", Name: "Overwritten records", FalsePositives: []string{"A disk that lost what was written when the power went"}},
		Techniques: []string{"T1070.002"}, Tactics: []string{"defense-evasion"}, Datasets: nonEmpty(l.dataset), Entities: Entities{Hosts: nonEmpty(l.host)}, Surprise: 20,
	}
	if strings.HasPrefix(base(l.path), "utmp") {
		f.Level, f.Techniques, f.Tactics = "informational", nil, nil
		f.Rule.FalsePositives = []string{"utmp has a place for each terminal, which may be empty"}
	}
	f.Explanation = fmt.Sprintf("%s: %s between others %s nothing but zeros, the first behind that of %s; such logs are only appended to, and this is what programs do that take logins out of them.",
		clip(l.path, 120), prose.Count(l.zeroed, "record"), map[bool]string{true: "is", false: "are"}[l.zeroed == 1], span(at, at))
	var ids []string
	for _, id := range l.zeroes {
		ids = append(ids, quote(id))
	}
	f.Query = `"event.id":in(` + strings.Join(ids, ",") + ")"
	return f
}
