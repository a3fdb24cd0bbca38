package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// gaps finds records that are missing from logs which number theirs: deleted, lost,
// or left out of an export. A log that begins with a high number is no gap: old
// records are overwritten. See docs/techniques/gaps.md.
type gaps struct {
	logs    map[countKey]*counted
	order   []countKey
	tooMany bool
}

// countKey is what is numbered by one counter.
type countKey struct {
	path, host, dataset string
	counter             string // of several in one log: a channel, a session, a device
}

// counted is the numbers of one counter.
type counted struct {
	path, host, dataset string // of the first record
	kind                counterKind
	records             int
	runs                []countRun // each begins with a counter that began anew
	low, top            uint64     // of the last run
	before              uint64     // top of the run before it
	since               int        // records of the last run
	doubted             int        // records since doubt
	doubt               numberAt   // a number far below top: a late record, or the first of a new run
}

type countRun struct {
	ids         evtx.Gaps
	first, last int64 // times
}

type numberAt struct {
	n  uint64
	at int64
}

// counterKind is what is known of a counter.
type counterKind uint8

const (
	restarting   counterKind = iota // begins anew when what counts does
	windowsLog                      // EventRecordID: goes on for as long as the log exists
	journalFiles                    // goes on over all files of a journal
)

const (
	maxCounted = 100_000 // counters
	maxRuns    = 64      // of a counter
	lateBy     = 256     // numbers that a record may come late by
	lateAtOnce = 16      // and those that it may if it is lower than all before it, or the first of a new run
	fewGaps    = 3       // with more, and half of the range missing, it is an export of some events
	fewNumbers = 20      // with fewer records it is a sample of a log
	manyGaps   = 20      // with more, numbers are missing all over: of what is filtered, or lost on its way
	restless   = 50      // a counter that begins anew more than once in so many records counts something else
)

var _ = register(newGaps)

func newGaps() Technique { return &gaps{logs: map[countKey]*counted{}} }

// Name implements Technique.
func (*gaps) Name() string { return "gaps" }

// About implements Technique.
func (*gaps) About() string { return "Missing record numbers" }

// Needs implements Technique.
func (*gaps) Needs() []string { return []string{"event.sequence"} }

// gapsDigest is the record numbers of a stretch of a source.
type gapsDigest struct {
	keys  []countKey
	first []counted
	path  string
	of    []int32 // which key each number is of
	ids   []numberAt
}

// Digest implements Technique.
func (*gaps) Digest(path string, b *event.Batch) any {
	var t tally[countKey, counted]
	d := &gapsDigest{path: path}
	var last countKey
	var of int32
	for i := range b.Events {
		e := &b.Events[i]
		if e.Sequence <= 0 {
			continue
		}
		k, kind := counterOf(path, e)
		if k != last || len(t.keys) == 0 {
			if _, known := t.index[k]; !known {
				k.host, k.dataset, k.counter = strings.Clone(k.host), strings.Clone(k.dataset), strings.Clone(k.counter)
				*t.at(k) = counted{path: path, host: strings.Clone(e.Get("host.name")), dataset: strings.Clone(e.Get("event.dataset")), kind: kind}
			}
			last, of = k, t.index[k]
		}
		d.of, d.ids = append(d.of, of), append(d.ids, numberAt{uint64(e.Sequence), e.Time})
	}
	if len(d.ids) == 0 {
		return nil
	}
	d.keys, d.first = t.keys, t.vals
	return d
}

// counterOf tells what counts a record.
func counterOf(path string, e *event.Event) (countKey, counterKind) {
	k := countKey{path: path}
	var channel, record string
	kind := restarting
	for i := range e.Fields {
		switch f := &e.Fields[i]; f.Name {
		case "host.name":
			k.host = f.Value
		case "event.dataset":
			k.dataset = f.Value
		case "winlog.channel":
			channel, kind = f.Value, windowsLog
		case "winlog.record_id":
			record, kind = f.Value, windowsLog
		case "journald.seqnum_id":
			k.counter, kind = f.Value, journalFiles
		case "postgresql.log.session_id", "panw.panos.type":
			k.counter = f.Value
		case "log.syslog.structured_data.meta.sequenceId":
			k.counter = "syslog" // what the sender counts is all that it sends
		case "mysql.audit.record_id", "mysql.audit.record": // NUMBER_OPENED
			_, k.counter, _ = strings.Cut(f.Value, "_")
		}
	}
	if k.counter == "syslog" {
		k.dataset = ""
	}
	switch kind {
	case windowsLog:
		k.counter = channel
		if record != "" && record != strconv.FormatInt(e.Sequence, 10) || len(path) > 5 && strings.EqualFold(path[len(path)-5:], ".evtx") {
			// A file numbers its records itself, also those that were forwarded to it.
			k.host, k.dataset, k.counter = "", "", ""
		}
	case journalFiles:
		// All files of a journal share a counter, and what is one program's is no log of its own.
		k.path, k.dataset = "", ""
	}
	return k, kind
}

// Merge implements Technique.
func (g *gaps) Merge(digest any) {
	d := digest.(*gapsDigest)
	logs := make([]*counted, len(d.keys))
	for i, k := range d.keys {
		if logs[i] = g.logs[k]; logs[i] == nil {
			if len(g.logs) >= maxCounted {
				g.tooMany = true
				continue
			}
			first := d.first[i]
			logs[i] = &first
			g.logs[k] = logs[i]
			g.order = append(g.order, k)
		}
	}
	for i, n := range d.ids {
		if l := logs[d.of[i]]; l != nil {
			l.add(n)
		}
	}
}

func (g *gaps) limits() []string {
	if !g.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s counters of records: gaps in the last of them were not looked for", prose.Number(maxCounted))}
}

// add takes the next number. One that is far below those before it is a record that comes late,
// unless the next goes on from there: then what counts began anew.
func (l *counted) add(n numberAt) {
	l.records++
	if len(l.runs) == 0 {
		l.begin()
	}
	// A counter that begins anew before it came far begins below where the log did.
	far := n.n+lateBy < l.top || n.n < l.low && n.n+lateAtOnce < l.top
	switch l.since++; {
	case l.kind == restarting && l.before > 0 && l.since <= lateAtOnce && n.n > l.top+lateAtOnce && n.n+lateAtOnce > l.before && n.n <= l.before+lateAtOnce:
		l.putTo(len(l.runs)-2, n) // the last of the run before come late
		l.before = max(l.before, n.n)
	case l.kind != restarting || !far:
		if l.doubted++; l.doubted > lateAtOnce { // the last of a run may come behind the first of the next
			l.settle()
		}
		l.put(n)
		l.top = max(l.top, n.n)
	case l.doubt.n != 0 && n.n+lateAtOnce >= l.doubt.n && n.n <= l.doubt.n+lateBy:
		doubt := l.doubt
		l.doubt = numberAt{}
		if l.before = 0; len(l.runs) < maxRuns {
			l.before = l.top
		}
		l.since = 2
		l.begin()
		l.low, l.top = min(n.n, doubt.n), max(n.n, doubt.n)
		l.put(doubt)
		l.put(n)
	default:
		l.settle()
		l.doubt, l.doubted = n, 0
	}
}

func (l *counted) begin() {
	if len(l.runs) < maxRuns {
		l.runs = append(l.runs, countRun{first: event.NoTime, last: event.NoTime})
	} else {
		l.runs[maxRuns-1] = countRun{first: event.NoTime, last: event.NoTime}
	}
}

// settle holds the number in doubt to be that of a late record.
func (l *counted) settle() {
	if l.doubt.n != 0 {
		l.put(l.doubt)
		l.doubt = numberAt{}
	}
}

func (l *counted) put(n numberAt) {
	l.putTo(len(l.runs)-1, n)
	if l.low == 0 || n.n < l.low {
		l.low = n.n
	}
}

func (l *counted) putTo(run int, n numberAt) {
	r := &l.runs[run]
	r.ids.Add(n.n)
	if n.at != event.NoTime {
		if r.first == event.NoTime || n.at < r.first {
			r.first = n.at
		}
		r.last = max(r.last, n.at)
	}
}

// numbered is a log, by what its counters say.
type numbered struct {
	countKey
	first             *counted
	kind              counterKind
	lost, have        uint64
	stretches         int
	longest           evtx.Gap
	low, high         uint64
	counters, records int
	runs              int
	edges             []string // LogsQL filters of the records on both sides of the first gaps
}

const shownGaps = 10

// Findings implements Technique.
func (g *gaps) Findings(ctx context.Context, q Querier) ([]Finding, error) {
	logs := map[countKey]*numbered{}
	var order []*numbered
	for _, k := range g.order {
		c := g.logs[k]
		whole := k
		if c.kind == restarting {
			whole.counter = ""
		}
		l := logs[whole]
		if l == nil {
			l = &numbered{countKey: whole, kind: c.kind, first: c}
			logs[whole] = l
			order = append(order, l)
		}
		l.take(k, c)
	}
	var findings []Finding
	for _, l := range order {
		if l.stretches == 0 || (l.runs-l.counters)*restless > l.records || l.kind == restarting && l.have < fewNumbers {
			continue
		}
		f, err := l.finding(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(f.Evidence) > 0 {
			findings = append(findings, f)
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return findings, nil
}

// take adds what a counter says. It does not settle a number in doubt: more may come.
func (l *numbered) take(k countKey, c *counted) {
	l.counters++
	l.records += c.records
	for i := range c.runs {
		r := &c.runs[i]
		l.runs++
		first, last, count := r.ids.Range()
		if l.runs == 1 || first < l.low {
			l.low = first
		}
		l.high = max(l.high, last)
		l.have += count
		for _, m := range r.ids.Missing() {
			l.lost += m.Last - m.First + 1
			l.stretches++
			if l.stretches == 1 || m.Last-m.First > l.longest.Last-l.longest.First {
				l.longest = m
			}
			if len(l.edges) < shownGaps {
				w := where{}.is("log.file.path", k.path).is("host.name", k.host).is("event.dataset", k.dataset)
				switch c.kind {
				case journalFiles:
					w = w.is("journald.seqnum_id", k.counter)
				case windowsLog:
					w = w.is("winlog.channel", k.counter)
				default:
					if k.dataset == "postgresql.log" {
						w = w.is("postgresql.log.session_id", k.counter)
					}
				}
				if r.first != event.NoTime {
					w = w.between(r.first, r.last)
				}
				l.edges = append(l.edges, fmt.Sprintf(`%s "event.sequence":in(%d,%d)`, w, m.First-1, m.Last+1))
			}
		}
	}
}

func (l *numbered) finding(ctx context.Context, q Querier) (Finding, error) {
	f := Finding{
		Kind: "gaps", Title: "Records are missing from a log that numbers them", Level: "low",
		Rule:       Rule{ID: "gaps", Name: "Missing record numbers", FalsePositives: []string{"An export that holds only some of a log's records", "Records that were lost on their way, or when the machine was too busy to write them", "A damaged file"}},
		First:      event.NoTime,
		Last:       event.NoTime,
		Techniques: []string{"T1070.002"}, Tactics: []string{"defense-evasion"},
		Datasets: nonEmpty(l.first.dataset), Entities: Entities{Hosts: nonEmpty(l.first.host)},
	}
	name := clip(l.path, 120)
	switch l.kind {
	case windowsLog:
		f.Title, f.Techniques = "Records are missing from an event log", []string{"T1070.001"}
		if strings.HasSuffix(strings.ToLower(l.path), ".evtx") { // the log itself, which loses none on its way
			f.Level = "medium"
		}
		if l.counter != "" && !strings.EqualFold(base(l.path), l.counter+".evtx") {
			name += ", " + clip(l.counter, 80)
		}
	case journalFiles:
		name = "the journal"
		f.Rule.FalsePositives = append(f.Rule.FalsePositives, "Journals of users, which share the numbers, that were not copied")
	}
	if l.first.host != "" {
		name += " of " + clip(l.first.host, 100)
	}
	of := fmt.Sprintf("the %s record numbers from %d to %d are missing", prose.Number(l.lost+l.have), l.low, l.high)
	if l.runs > 1 {
		of = fmt.Sprintf("%s record numbers, which began anew %s, are missing", prose.Number(l.lost+l.have), prose.Count(l.runs-1, "time"))
		if l.counters > 1 {
			of = fmt.Sprintf("the %s record numbers of %s counters are missing", prose.Number(l.lost+l.have), prose.Number(l.counters))
		}
	}
	f.Explanation = fmt.Sprintf("%s: %s of %s, %s.", name, prose.Number(l.lost), of, l.where())
	switch {
	case (l.stretches > fewGaps || l.have < fewNumbers) && l.lost*2 > l.have:
		f.Level, f.Techniques, f.Tactics = "informational", nil, nil
		f.Title = "A log holds only some of its records"
		f.Explanation += " So much is missing from an export that left records out."
	case l.stretches > manyGaps && l.kind != windowsLog:
		f.Level, f.Techniques, f.Tactics = "informational", nil, nil
		f.Title = "A log holds only some of its records"
		f.Explanation += " Gaps all over are those of a log that is filtered, shares its numbers with another, or came by a way on which records are lost."
	}
	var err error
	f.Evidence, err = records(ctx, q, nil, "("+strings.Join(l.edges, ") or (")+")")
	if err != nil || len(f.Evidence) == 0 {
		return f, err
	}
	f.Count = len(f.Evidence)
	f.cover()
	f.ID = stableID("gaps", l.path, l.host, l.dataset, l.counter)
	return f, nil
}

// where says which numbers are missing.
func (l *numbered) where() string {
	s := fmt.Sprintf("%d to %d", l.longest.First, l.longest.Last)
	if l.longest.First == l.longest.Last {
		s = fmt.Sprint(l.longest.First)
	}
	if l.stretches == 1 {
		return s
	}
	return fmt.Sprintf("in %s stretches, the longest %s", prose.Number(l.stretches), s)
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
