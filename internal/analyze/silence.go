package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/source"
)

// silence finds logs that fall silent for longer than their own history makes
// likely, that end while other logs of the host go on, and that begin late; a log
// that alone is silent was stopped, cut, emptied, or lost. See docs/techniques/silence.md.
type silence struct {
	streams map[streamKey]*stream
	order   []streamKey
	cells   int
	folded  bool // files share a stream for want of room
	tooMany bool

	// Of a live case: the minute up to which all that was sent is here, and that from
	// which on it would have been. 0 for evidence that ends where it ends.
	upTo, from int64
}

// streamKey is a log of a host: records of one dataset in one file and those that it
// was rotated to. Without a family, in any file.
type streamKey struct{ dataset, host, family string }

// stream is in which minutes a log was written: a bit for each minute of an hour.
type stream struct {
	hours   []int32 // sorted
	minutes []uint64
	paths   []string // of its files, the first maxPaths of them
	counted bool     // it numbers its records, and may have overwritten the oldest
}

const (
	maxStreams     = 20_000
	maxStreamCells = 1_000_000 // 12 bytes each
	maxPaths       = 64
)

var _ = register(newSilence)

func newSilence() Technique { return &silence{streams: map[streamKey]*stream{}} }

// Name implements Technique.
func (*silence) Name() string { return "silence" }

// About implements Technique.
func (*silence) About() string { return "Logs that fall silent, end or begin late" }

// Needs implements Technique.
func (*silence) Needs() []string { return []string{"@timestamp"} }

type silenceDigest struct {
	path    string
	counted bool
	keys    []streamKey
	hours   []int32
	minutes []uint64
}

// Digest implements Technique.
func (t *silence) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*silence) digest(path string, rs *rows) any {
	type key struct {
		dataset, host sym
		hour          int32
	}
	var t tally[key, uint64]
	var last key
	var at *uint64
	counted := false
	for i := range rs.list {
		r := &rs.list[i]
		counted = counted || rs.events[r.at].Sequence > 0
		k := key{r.dataset, r.host, hourOf(r.time)}
		if at == nil || k != last {
			last, at = k, t.at(k)
		}
		*at |= 1 << uint((r.time-int64(k.hour)*hour)/minute)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &silenceDigest{path: path, counted: counted, minutes: t.vals}
	family := path
	if log, sure := source.Log(path); sure {
		family = log
	}
	for _, k := range t.keys {
		d.keys, d.hours = append(d.keys, streamKey{rs.keep(k.dataset), rs.keep(k.host), family}), append(d.hours, k.hour)
	}
	return d
}

// Merge implements Technique.
func (t *silence) Merge(digest any) {
	d := digest.(*silenceDigest)
	for i, k := range d.keys {
		s := t.streams[k]
		if s == nil && len(t.streams) >= maxStreams {
			t.folded = true
			k.family = ""
			s = t.streams[k]
		}
		if s == nil {
			if len(t.streams) >= 2*maxStreams {
				t.tooMany = true
				continue
			}
			s = &stream{}
			t.streams[k] = s
			t.order = append(t.order, k)
		}
		s.counted = s.counted || d.counted
		if len(s.paths) < maxPaths && !slices.Contains(s.paths, d.path) {
			s.paths = append(s.paths, d.path)
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
	var out []string
	if t.folded {
		out = append(out, fmt.Sprintf("more than %s logs: further files of a host and dataset were watched for silence as one", prose.Number(maxStreams)))
	}
	if t.tooMany {
		out = append(out, fmt.Sprintf("more than %s logs, or %s hours of them: the last were not watched for silence", prose.Number(2*maxStreams), prose.Number(maxStreamCells)))
	}
	return out
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

// union is a stream that is active when one of others is.
func union(all []*stream) *stream {
	out := &stream{}
	n := 0
	for _, s := range all {
		n += len(s.hours)
	}
	type cell struct {
		hour    int32
		minutes uint64
	}
	cells := make([]cell, 0, n)
	for _, s := range all {
		out.counted = out.counted || s.counted
		for i, h := range s.hours {
			cells = append(cells, cell{h, s.minutes[i]})
		}
		out.paths = append(out.paths, s.paths[:min(len(s.paths), maxPaths-len(out.paths))]...)
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.hour, b.hour) })
	for _, c := range cells {
		if n := len(out.hours); n > 0 && out.hours[n-1] == c.hour {
			out.minutes[n-1] |= c.minutes
			continue
		}
		out.hours, out.minutes = append(out.hours, c.hour), append(out.minutes, c.minutes)
	}
	return out
}

// watched is a log as it is judged.
type watched struct {
	streamKey
	*stream
	scope string // logs of one scope are compared: those of a host, of a folder where no host is known; see scoped
}

// passing is how long a file spans at most, in minutes, that is one of many which a writer
// begins anew every hour or day, whatever it names them: a day, an hour of which comes twice.
const passing = 26 * 60

// logs puts the streams together that are one log: of files that have the number of a
// rotation only if the file without one is there too, and of files that last no longer than a day.
func (t *silence) logs() []watched {
	parts := map[streamKey][]*stream{}
	var order []streamKey
	for _, k := range t.order {
		s := t.streams[k]
		if k.family != "" {
			if log, _ := source.Log(k.family); log != k.family {
				if o := (streamKey{k.dataset, k.host, log}); t.streams[o] != nil {
					k = o
				}
			}
			if s.last()-s.first() <= passing && (t.streams[k] == s) {
				k.family = ""
			}
		}
		if parts[k] == nil {
			order = append(order, k)
		}
		parts[k] = append(parts[k], s)
	}
	out := make([]watched, 0, len(order))
	for _, k := range order {
		s := parts[k][0]
		if len(parts[k]) > 1 {
			s = union(parts[k])
		}
		out = append(out, watched{k, s, ""})
	}
	scoped(out)
	return out
}

// scoped says which logs are compared: those of a host. One that names no host, as those of web servers do, is of the host
// that the others of its folder name, or of the next folder above in which one is named, if they name but one.
func scoped(logs []watched) {
	const many = "\x00"
	hosts := map[string]string{} // by folder
	for i := range logs {
		l := &logs[i]
		if l.host == "" {
			continue
		}
		for _, p := range l.paths[:min(len(l.paths), 4)] {
			for folder, ok := above(p); ok; folder, ok = above(folder) {
				if h, known := hosts[folder]; known && h != l.host {
					if h == many {
						break
					}
					hosts[folder] = many
				} else {
					hosts[folder] = l.host
				}
			}
		}
	}
	for i := range logs {
		l := &logs[i]
		l.scope = "host " + l.host
		if l.host != "" {
			continue
		}
		own, _ := above(l.paths[0])
		l.scope = "folder " + own
		for folder, ok := own, own != ""; ok; folder, ok = above(folder) {
			if h, known := hosts[folder]; known {
				if h != many {
					l.scope = "host " + h
				}
				break
			}
		}
	}
}

// above is the folder that a path lies in; not ok if none is named.
func above(path string) (folder string, ok bool) {
	i := strings.LastIndexAny(path, `/\`)
	return path[:max(i, 0)], i > 0
}

// gap is a stretch without records: between the active minutes from and to.
type gap struct {
	*watched
	from, to int64   // minutes
	kind     gapKind // what lies beyond
	judged   judgement
	others   int // active minutes of other logs of its scope meanwhile
	all      int // and of all logs
}

type gapKind uint8

const (
	within gapKind = iota
	atEnd          // the log did not go on
	atBegin
)

// silenceShortest is how many minutes a silence must last: restarts and updates take some.
const silenceShortest = 45

// Findings implements Technique.
func (t *silence) Findings(context.Context, Querier) ([]Finding, error) {
	logs := t.logs()
	scopes := map[string][]*stream{}
	kin := map[streamKey][]*stream{} // of a host and dataset
	var every []*stream
	for i := range logs {
		l := &logs[i]
		scopes[l.scope] = append(scopes[l.scope], l.stream)
		k := streamKey{dataset: l.dataset, host: l.host}
		kin[k] = append(kin[k], l.stream)
		every = append(every, l.stream)
	}
	all := union(every)
	of := map[string]*stream{}
	begun := map[string][]int64{} // when the logs of a scope begin
	for scope, streams := range scopes {
		of[scope] = union(streams)
		for _, s := range streams {
			begun[scope] = append(begun[scope], s.first())
		}
		slices.Sort(begun[scope])
	}
	var gaps []gap
	for i := range logs {
		l := &logs[i]
		r := newPulse(l.stream)
		if r == nil {
			continue
		}
		add := func(from, to int64, kind gapKind, j judgement) {
			if to-from > silenceShortest {
				gaps = append(gaps, gap{watched: l, from: from, to: to, kind: kind, judged: j, others: of[l.scope].active(from+1, to), all: all.active(from+1, to)})
			}
		}
		for _, o := range r.outliers() {
			add(o.from, o.to, within, r.judge(o.worth))
		}
		siblings := kin[streamKey{dataset: l.dataset, host: l.host}]
		end, heard := of[l.scope].last(), l.last()
		if t.upTo > 0 {
			end, heard = t.upTo, max(heard, t.from) // what came before would be here
		}
		if end-heard > silenceShortest && !goesOn(siblings, r, l.last()) {
			if j := r.judge(r.worth(heard, end)); j.strange {
				add(l.last(), end, atEnd, j)
			}
		}
		// Logs are kept for different times: one that was rotated, or overwrites its oldest records, has a beginning of its own.
		if b := begun[l.scope]; len(b) >= 3 && len(l.paths) == 1 && !l.counted && l.family != "" && !wentBefore(siblings, l.first()) {
			from := b[(len(b)-1)/2]
			if j := r.judge(r.worth(from, l.first())); j.strange {
				add(from, l.first(), atBegin, j)
			}
		}
	}
	slices.SortStableFunc(gaps, func(a, b gap) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	var out []Finding
	var together []*gap // silences of all logs, or of all of a scope, that were told
	type copied struct {
		dataset, host, name string
		from, to            int64
	}
	copies := map[copied]bool{}
	ofFile := map[streamKey][]*gap{} // by host and family: of records of several datasets
	for i := range gaps {
		g := &gaps[i]
		ofFile[streamKey{host: g.host, family: g.family}] = append(ofFile[streamKey{host: g.host, family: g.family}], g)
	}
	for i := range gaps {
		g := &gaps[i]
		if g.family != "" && slices.ContainsFunc(ofFile[streamKey{host: g.host, family: g.family}], g.hiddenBy) {
			continue
		}
		c := copied{g.dataset, g.host, base(g.family), g.from, g.to}
		if copies[c] {
			continue
		}
		copies[c] = true
		if g.others == 0 {
			if slices.ContainsFunc(together, func(o *gap) bool {
				return o.from-60 <= g.from && g.to <= o.to+60 && (o.all == 0 || o.scope == g.scope)
			}) {
				continue
			}
			together = append(together, g)
		}
		out = append(out, g.finding(len(logs)))
	}
	return out, nil
}

// hiddenBy reports whether a silence is that of a file, of which what it has more of tells better.
func (g *gap) hiddenBy(o *gap) bool {
	return o != g && o.from >= g.from && o.to <= g.to && 2*(o.to-o.from) >= g.to-g.from && o.judged.worth > g.judged.worth
}

// goesOn reports whether a log that ends goes on under another name: a file of its host and dataset
// begins soon after.
func goesOn(siblings []*stream, r *pulse, last int64) bool {
	return slices.ContainsFunc(siblings, func(s *stream) bool {
		return s.first() >= last && s != r.of && !r.judge(r.worth(last, s.first())).strange
	})
}

// wentBefore reports whether a file of the same host and dataset ended before a log begins.
func wentBefore(siblings []*stream, first int64) bool {
	return slices.ContainsFunc(siblings, func(s *stream) bool { return s.last() <= first })
}

func (g *gap) finding(logs int) Finding {
	f := Finding{
		Title: "A log is silent when it never is", Level: "informational", First: g.from * minute, Last: g.to*minute + minute - 1, Surprise: g.judged.bits,
		Datasets: nonEmpty(g.dataset), Entities: Entities{Hosts: nonEmpty(g.host)},
		Rule: Rule{ID: "silence", Name: "Silence of a log", FalsePositives: []string{"Maintenance, a restart, a network that was down", "Logs that were copied for different stretches of time"}},
	}
	what := "nothing"
	switch g.kind {
	case atEnd:
		f.Title, f.Rule.ID = "A log ends while others of the host go on", "silence.end"
		if g.others == 0 {
			f.Title = "A log does not go on"
		}
		what = "nothing more"
	case atBegin:
		f.Title, f.Rule.ID = "A log begins later than others of the host", "silence.begin"
		f.Rule.FalsePositives = []string{"A program that was installed then", "Logs that are kept for different times"}
		what = "nothing before its first record"
	}
	meanwhile := ""
	switch {
	case g.others > 0:
		whose := "the host"
		if !strings.HasPrefix(g.scope, "host ") {
			whose = "its folder"
		}
		meanwhile = fmt.Sprintf("; other logs of %s went on, in %s minutes", whose, prose.Number(g.others))
		if g.kind != atBegin {
			f.Level, f.Techniques, f.Tactics = "low", []string{"T1562.001", "T1070"}, []string{"defense-evasion"}
		}
	case g.all > 0 && g.host != "":
		meanwhile = "; logs of other hosts went on"
	case g.all > 0:
		meanwhile = "; other logs went on"
	case logs > 1:
		meanwhile = "; all logs are silent then"
	}
	f.Explanation = fmt.Sprintf("%s: %s for %s, %s: %s%s.", g.name(), what, lasting((g.to-g.from)*minute), span(g.from*minute, g.to*minute), g.judged.text(), meanwhile)
	// The records on both sides.
	edge := func(m int64) string { return where{}.between(m*minute, m*minute+minute-1).String() }
	w := where{}.is("event.dataset", g.dataset).is("host.name", g.host)
	if len(g.paths) < maxPaths && g.family != "" {
		var in []string
		for _, p := range g.paths {
			in = append(in, quote(p))
		}
		w = append(w, `"log.file.path":in(`+strings.Join(in, ",")+")")
	}
	times := "(" + edge(g.from) + " or " + edge(g.to) + ")"
	switch g.kind {
	case atEnd:
		times = edge(g.from)
	case atBegin:
		times = edge(g.to)
	}
	f.Query = append(w, times).String()
	return f
}

// name is how a log is called in a sentence.
func (l *watched) name() string {
	who := "log " + l.dataset
	if file := base(l.family); file != "" {
		who = clip(file, 80)
		if l.dataset != "" {
			who += " (" + l.dataset + ")"
		}
	} else if l.dataset == "" {
		who = "the log"
	}
	if l.host != "" {
		who += " of " + clip(l.host, 100)
	}
	return who
}
