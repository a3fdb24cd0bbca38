package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// A finding is one rule's matches that share host and origin, with no pause
// longer than this between them.
const pause = int64(time.Hour)

const (
	maxGroups     = 20_000 // rule × host × origin; what comes after is gathered by rule and host alone
	maxRuleGroups = 5_000  // of them of one rule, so that a flood of one kind leaves room for the others
	maxSpans      = 500    // findings of one group; the nearest are joined beyond
	maxAllSpans   = 30_000 // findings of all groups together; beyond, those of a group are joined
	maxEvidence   = analyze.MaxEvidence
	maxMessage    = 500 // bytes of a record kept for reading
)

// Gatherer turns hits into findings. It is used by one goroutine, which feeds
// it batches in source order; what it finds does not depend on how the sources
// were cut into batches, nor on the order of their times.
type Gatherer struct {
	d      *Detector
	groups map[groupKey]*group
	counts map[*sigma.Rule]int64
	seen   map[sigma.SourceID]bool

	correlator   *sigma.Correlator
	observations *observations
	ongoing      *ongoing                // nil before the first Snapshot
	wants        map[ruleSource][]string // what correlations want of a rule's matches; see Correlator.Fields
	ofRule       map[*sigma.Rule]int     // groups
	spans        int                     // of all groups
	keep         limits                  // of each span
	coarse       bool                    // maxGroups or maxRuleGroups was reached
	untimed      int64                   // matches without a time, useless to correlations
}

type groupKey struct {
	rule   *sigma.Rule
	host   string
	origin string // source.ip, else user.name
	alert  string // rule.name of an event that is itself an alert of a sensor
}

// limits are how much each finding holds. With very many findings it is less,
// so that all together stay within some 100 MB.
type limits struct{ half, entities int }

var (
	plenty = limits{maxEvidence / 2, analyze.MaxEntities}
	frugal = []struct {
		spans int // from so many on
		limits
	}{{2_000, limits{25, 40}}, {5_000, limits{10, 20}}, {10_000, limits{5, 10}}}
)

type group struct {
	key   groupKey
	spans []*span // sorted by first; apart by more than pause
}

// span is a finding being built: bounded, and the same whatever order its
// events come in.
type span struct {
	first, last int64
	count       int
	early, late []analyze.Evidence // the first and last events by time, then id
	users, sources, destinations, hosts,
	processes, files, urls, outcomes, datasets set
}

// set is a small sorted set of strings: the least ones of those added.
type set []string

func (s *set) add(v string, most int) {
	if v == "" {
		return
	}
	i, found := slices.BinarySearch(*s, v)
	if found || i == most {
		return
	}
	if len(*s) == most {
		*s = (*s)[:len(*s)-1]
	}
	*s = slices.Insert(*s, i, strings.Clone(v))
}

// NewGatherer returns an empty gatherer.
func (d *Detector) NewGatherer() *Gatherer {
	return &Gatherer{
		d: d, groups: map[groupKey]*group{}, counts: map[*sigma.Rule]int64{}, seen: map[sigma.SourceID]bool{},
		ofRule: map[*sigma.Rule]int{}, keep: plenty,
		correlator:   sigma.NewCorrelator(d.engine, sigma.CorrelatorOptions{}),
		observations: &observations{},
		wants:        map[ruleSource][]string{},
	}
}

// Add takes the hits on a batch that came from the source shown as path.
func (g *Gatherer) Add(b *event.Batch, path string, hits []Hit) error {
	for i := range hits {
		h := &hits[i]
		e := &b.Events[h.Event]
		g.counts[h.Rule]++
		if g.correlator.Wants(h.Rule) {
			if err := g.observe(e, h); err != nil {
				return err
			}
		}
		if !h.Silent {
			g.add(h.Told, e, path)
		}
	}
	return nil
}

func (g *Gatherer) add(r *sigma.Rule, e *event.Event, path string) {
	key := groupKey{rule: r, host: e.Get("host.name")}
	if r.Level > sigma.LevelInformational { // what only informs is told by host
		if key.origin = e.Get("source.ip"); key.origin == "" {
			key.origin = e.Get("user.name")
		}
	}
	if e.Get("event.kind") == "alert" {
		key.alert = e.Get("rule.name")
	}
	gr := g.groups[key]
	if gr == nil && (len(g.groups) >= maxGroups || g.ofRule[r] >= maxRuleGroups) {
		g.coarse = true
		key.origin, key.alert = "…", ""
		if len(g.groups) >= 2*maxGroups {
			key.host = "" // hostile logs name any number of hosts
		}
		gr = g.groups[key]
	}
	if gr == nil {
		key.host, key.origin, key.alert = strings.Clone(key.host), strings.Clone(key.origin), strings.Clone(key.alert)
		gr = &group{key: key}
		g.groups[key] = gr
		g.ofRule[r]++
	}
	had, most := len(gr.spans), maxSpans
	if g.spans >= maxAllSpans {
		most = max(1, had)
	}
	gr.at(e.Time, most, g.keep).take(e, path, g.keep)
	g.spans += len(gr.spans) - had
	for _, f := range frugal {
		if g.spans >= f.spans && f.half < g.keep.half {
			g.keep = f.limits
			for _, gr := range g.groups {
				for _, s := range gr.spans {
					s.trim(g.keep)
				}
			}
		}
	}
}

// at returns the span that an event at time t belongs to, joining spans that
// the event connects, and the nearest where there are more than most.
func (g *group) at(t int64, most int, keep limits) *span {
	if n := len(g.spans); n > 0 { // logs run forwards: mostly it is the last
		if s := g.spans[n-1]; t >= s.first && t-s.last <= pause && s.first != event.NoTime {
			return s
		}
	}
	i, _ := slices.BinarySearchFunc(g.spans, t, func(s *span, t int64) int { return cmp.Compare(s.first, t) })
	// g.spans[i-1] begins before t, g.spans[i] at or after it.
	var at *span
	if i > 0 && near(g.spans[i-1].last, t) {
		at = g.spans[i-1]
	} else if i < len(g.spans) && near(t, g.spans[i].first) {
		at = g.spans[i]
		i++
	} else {
		at = &span{first: t, last: t}
		g.spans = slices.Insert(g.spans, i, at)
		if len(g.spans) > most {
			return g.joinNearest(at, keep)
		}
		return at
	}
	if i < len(g.spans) && g.spans[i] != at && near(max(at.last, t), g.spans[i].first) {
		at.join(g.spans[i], keep)
		g.spans = slices.Delete(g.spans, i, i+1)
	}
	return at
}

// near reports whether b is at most a pause after a; events without a time
// are near each other only.
func near(a, b int64) bool {
	if a == event.NoTime || b == event.NoTime {
		return a == b
	}
	return b <= a || b-a <= pause
}

// joinNearest joins the two spans with the shortest gap and returns the one
// that at is now.
func (g *group) joinNearest(at *span, keep limits) *span {
	best := 1
	for i := 1; i < len(g.spans); i++ {
		if g.spans[i].first-g.spans[i-1].last < g.spans[best].first-g.spans[best-1].last {
			best = i
		}
	}
	a, b := g.spans[best-1], g.spans[best]
	a.join(b, keep)
	g.spans = slices.Delete(g.spans, best, best+1)
	if at == b {
		return a
	}
	return at
}

func (s *span) take(e *event.Event, path string, keep limits) {
	s.first, s.last = min(s.first, e.Time), max(s.last, e.Time)
	s.count++
	s.cite(e, path, keep.half)
	for i := range e.Fields {
		f := &e.Fields[i]
		switch f.Name {
		case "user.name", "user.target.name", "user.effective.name", "user.changes.name":
			s.users.add(f.Value, keep.entities)
		case "source.ip":
			s.sources.add(f.Value, keep.entities)
		case "destination.ip":
			s.destinations.add(f.Value, keep.entities)
		case "host.name":
			s.hosts.add(f.Value, keep.entities)
		case "process.executable":
			s.processes.add(f.Value, keep.entities)
		case "process.name":
			if !e.Has("process.executable") {
				s.processes.add(f.Value, keep.entities)
			}
		case "file.path":
			s.files.add(f.Value, keep.entities)
		case "url.original":
			s.urls.add(clip(f.Value), keep.entities)
		case "event.outcome":
			s.outcomes.add(f.Value, keep.entities)
		case "event.dataset":
			s.datasets.add(f.Value, keep.entities)
		}
	}
}

// cite keeps the event if it is among the first or last half of the evidence.
func (s *span) cite(e *event.Event, path string, half int) {
	ev := analyze.Evidence{ID: e.ID, Time: e.Time}
	early := len(s.early) < half || before(ev, s.early[len(s.early)-1])
	late := len(s.late) < half || before(s.late[0], ev)
	if !early && !late {
		return
	}
	ev.ID = strings.Clone(e.ID)
	ev.Message = strings.Clone(clip(e.Message()))
	ev.Path, ev.Offset = path, e.Offset
	ev.Outcome = strings.Clone(e.Get("event.outcome"))
	if early {
		s.early = insertEvidence(s.early, ev)
		if len(s.early) > half {
			// What the first half loses, the last half may keep.
			ev = s.early[half]
			s.early = s.early[:half]
			late = len(s.late) < half || before(s.late[0], ev)
		} else {
			late = false
		}
	}
	if late {
		s.late = insertEvidence(s.late, ev)
		if len(s.late) > half {
			s.late = s.late[1:]
		}
	}
}

func before(a, b analyze.Evidence) bool {
	if a.Time != b.Time {
		return a.Time < b.Time
	}
	return a.ID < b.ID
}

func compareEvidence(a, b analyze.Evidence) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID))
}

func insertEvidence(list []analyze.Evidence, ev analyze.Evidence) []analyze.Evidence {
	i, _ := slices.BinarySearchFunc(list, ev, compareEvidence)
	return slices.Insert(list, i, ev)
}

// join adds all of o to s.
func (s *span) join(o *span, keep limits) {
	s.first, s.last = min(s.first, o.first), max(s.last, o.last)
	s.count += o.count
	half := keep.half
	all := slices.Concat(s.early, s.late, o.early, o.late)
	slices.SortFunc(all, compareEvidence)
	s.early = slices.Clone(all[:min(half, len(all))])
	s.late = slices.Clone(all[max(len(s.early), len(all)-half):])
	for _, p := range []struct{ a, b *set }{
		{&s.users, &o.users}, {&s.sources, &o.sources}, {&s.destinations, &o.destinations}, {&s.hosts, &o.hosts},
		{&s.processes, &o.processes}, {&s.files, &o.files}, {&s.urls, &o.urls}, {&s.outcomes, &o.outcomes}, {&s.datasets, &o.datasets},
	} {
		for _, v := range *p.b {
			p.a.add(v, keep.entities)
		}
	}
}

// trim makes the span what it would be with these limits from the start.
func (s *span) trim(keep limits) {
	all := slices.Concat(s.early, s.late)
	s.early = slices.Clone(all[:min(keep.half, len(all))])
	s.late = slices.Clone(all[max(len(s.early), len(all)-keep.half):])
	for _, p := range []*set{&s.users, &s.sources, &s.destinations, &s.hosts, &s.processes, &s.files, &s.urls, &s.outcomes, &s.datasets} {
		if len(*p) > keep.entities {
			*p = slices.Clone((*p)[:keep.entities])
		}
	}
}

// finding is what the span has become.
func (s *span) finding(r *sigma.Rule, origin string) analyze.Finding {
	f := analyze.Finding{
		Kind: "sigma", Title: r.Title, Level: level(r),
		Rule:  analyze.Rule{ID: r.ID, Name: r.Title, File: r.File, FalsePositives: r.FalsePositives, References: r.References},
		First: s.first, Last: s.last, Count: s.count,
		Outcomes: s.outcomes, Datasets: s.datasets,
		Entities: analyze.Entities{Users: s.users, Sources: s.sources, Destinations: s.destinations, Hosts: s.hosts,
			Processes: s.processes, Files: s.files, URLs: s.urls},
		Evidence: slices.Concat(s.early, s.late),
	}
	f.Techniques, f.Tactics = attack(r.Tags)
	f.Explanation = explain(r, s.count, s.first, s.last)
	f.ID = findingID(f.Kind, r.Ref(), origin, f.Evidence[0].ID)
	return f
}

func findingID(parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(h[:8])
}

func level(r *sigma.Rule) string {
	if r.Level == sigma.LevelNone {
		return analyze.Levels[0]
	}
	return r.Level.String()
}

func explain(r *sigma.Rule, count int, first, last int64) string {
	what := fmt.Sprintf("%d records match", count)
	if count == 1 {
		what = "1 record matches"
	}
	s := fmt.Sprintf("%s the rule “%s”", what, r.Title)
	switch {
	case first == event.NoTime:
	case first == last:
		s += " at " + stamp(first)
	default:
		s += fmt.Sprintf(" between %s and %s", stamp(first), stamp(last))
	}
	return s + "."
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }

// attack splits Sigma's attack.* tags in ATT&CK techniques and tactics.
func attack(tags []string) (techniques, tactics []string) {
	for _, t := range tags {
		t, ok := strings.CutPrefix(strings.ToLower(t), "attack.")
		switch {
		case !ok || t == "":
		case len(t) > 4 && t[0] == 't' && '0' <= t[1] && t[1] <= '9':
			techniques = append(techniques, strings.ToUpper(t))
		case len(t) > 1 && (t[0] == 's' || t[0] == 'g') && '0' <= t[1] && t[1] <= '9': // software, group
		default:
			tactics = append(tactics, strings.ReplaceAll(t, "_", "-"))
		}
	}
	slices.Sort(techniques)
	slices.Sort(tactics)
	return slices.Compact(techniques), slices.Compact(tactics)
}

// clip cuts s to maxMessage bytes between runes.
func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	n := maxMessage
	for n > maxMessage-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
