// Package pipeline wires the rooms of Sextant together: evidence is gathered,
// recognised, decoded in parallel, enriched, matched against the rules and
// stored; what came of it becomes an investigation. It is the only package that
// knows them all.
//
// The work is done in two passes. The first hashes each source, recognises its
// format and counts the new years of logs that write none; it makes a list of
// [Log]s. The second cuts each log into chunks, which workers decode in
// parallel and a sequencer puts back in order, so that the result does not
// depend on the number of threads.
package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/source"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Options say what to read and how. The zero value of each has a default.
type Options struct {
	Paths   []string
	Format  string         // take every source for this format; "" to recognise each
	Zone    *time.Location // of stamps that have none; nil is UTC
	Year    int            // of the first stamp of logs that write no year; 0 to infer it
	Threads int            // GOMAXPROCS
	Geo     *enrich.Geo    // says where addresses are; nil to leave it
	Recover bool           // also take records from unused and damaged parts of binary logs

	// Progress, when set, is told how far a stage is, from any goroutine,
	// often: bytes done of total (0 if unknown) and events so far.
	Progress func(stage string, done, total, events int64)
}

func (o *Options) threads() int { return cmp.Or(max(o.Threads, 0), runtime.GOMAXPROCS(0)) }

func (o *Options) progress(stage string, done, total, events int64) {
	if o.Progress != nil {
		o.Progress(stage, done, total, events)
	}
}

// Log is one source that is ready to be decoded, and the books on it.
type Log struct {
	Source     *source.Source
	Inspection *source.Inspection
	ID         string         // content id: first 24 hex digits of the SHA-256
	Format     *format.Format // nil if refused
	Refused    string         // why it is not decoded
	SameAs     *Log           // an earlier log with the same content; this one is not decoded again

	Account     source.Account
	Quality     timestamp.Quality
	First, Last int64 // times of the first and last event, event.NoTime if none has one
	Problems    []string

	recover   bool
	path      string                   // as shown, log.file.path
	reference func(offset int64) int64 // for stamps without a year; nil if the format has them
	zone      *time.Location
}

// Path is the log's path as shown: members of archives come after '!'.
func (l *Log) Path() string { return l.path }

func (l *Log) clock(offset int64) *timestamp.Clock {
	var ref int64
	if l.reference != nil {
		ref = l.reference(offset)
	} else if !l.Source.ModTime.IsZero() {
		// A stamp without a year in a format that usually has one.
		ref = l.Source.ModTime.AddDate(0, -6, 0).UnixNano()
	}
	return timestamp.NewClock(l.zone, ref)
}

// fallback is the time at which events without one are stored.
func (l *Log) fallback() int64 {
	if l.Source.ModTime.IsZero() {
		return 0
	}
	return l.Source.ModTime.UnixNano()
}

// Plan is the result of the first pass.
type Plan struct {
	Logs     []*Log // in the order in which they are decoded and reported
	Problems []string
	Unread   bool // some path could not be read

	evidence *source.Evidence
}

// Close ends all reading of the evidence.
func (p *Plan) Close() error { return p.evidence.Close() }

// Total is the number of bytes that will be decoded.
func (p *Plan) Total() int64 {
	var n int64
	for _, l := range p.Logs {
		if l.Format != nil && l.SameAs == nil {
			n += l.Inspection.TextSize
		}
	}
	return n
}

// probe looks at the bytes of one source as the first pass reads them.
type probe struct {
	head   []byte
	sample *format.Sample
	format *format.Format
	years  timestamp.Years
	scan   func([]byte)
}

const headBytes = 64 << 10

func (p *probe) write(name string, forced *format.Format) func([]byte) {
	return func(chunk []byte) {
		if p.sample != nil {
			if p.scan != nil {
				p.scan(chunk)
			}
			return
		}
		p.head = append(p.head, chunk...)
		if len(p.head) >= headBytes {
			p.decide(name, false, forced)
		}
	}
}

func (p *probe) decide(name string, whole bool, forced *format.Format) {
	p.sample = format.NewSample(name, p.head, whole)
	p.format = forced
	if p.format == nil {
		p.format, _ = format.Recognise(p.sample)
	}
	if p.format != nil {
		if p.scan = p.format.DateScanner(&p.years); p.scan != nil {
			p.scan(p.head)
		}
	}
	p.head = nil
}

// NewPlan gathers and inspects the evidence. Trouble with evidence is told in
// the plan; an error means that nothing can be done.
func NewPlan(ctx context.Context, opt Options) (*Plan, error) {
	var forced *format.Format
	if opt.Format != "" {
		if forced = format.Lookup(opt.Format); forced == nil {
			return nil, fmt.Errorf("no format is named %q; `sextant formats` lists them", opt.Format)
		}
	}
	var mu sync.Mutex
	probes := map[*source.Source]*probe{}
	var done int64
	looked := false
	evidence, err := source.Gather(ctx, opt.Paths, source.Options{
		Threads: opt.threads(),
		Hook: func(s *source.Source) func([]byte) {
			p := &probe{}
			mu.Lock()
			probes[s] = p
			mu.Unlock()
			return p.write(s.Name, forced)
		},
		Progress: func(n int64) {
			mu.Lock()
			defer mu.Unlock()
			if done += n; !looked { // the second pass reports for itself
				opt.progress("looking", done, 0, 0)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	plan := &Plan{evidence: evidence}
	if err := evidence.Inspect(ctx); err != nil {
		evidence.Close()
		return nil, err
	}
	mu.Lock()
	looked = true
	mu.Unlock()
	for _, p := range evidence.Problems {
		plan.Problems = append(plan.Problems, p.String())
		plan.Unread = plan.Unread || p.Kind != source.Linked && p.Kind != source.Loop && p.Kind != source.Empty
	}
	for _, set := range source.Group(evidence.Sources) {
		var logs []*Log
		var years []*timestamp.Years
		for _, s := range set.Sources {
			in, err := s.Inspect(ctx)
			if err != nil {
				evidence.Close()
				return nil, err
			}
			p := probes[s]
			if p == nil {
				p = &probe{head: in.Head}
			}
			if p.sample == nil {
				p.decide(s.Name, true, forced)
			}
			l := newLog(s, in, p.format, p.sample)
			l.zone, l.recover = opt.Zone, opt.Recover
			logs, years = append(logs, l), append(years, &p.years)
		}
		placeYears(logs, years, opt.Year)
		plan.Logs = append(plan.Logs, logs...)
	}
	seen := map[string]*Log{}
	for _, l := range plan.Logs {
		if first := seen[l.Inspection.SHA256]; first != nil && l.Inspection.Size > 0 {
			l.SameAs = first
		} else {
			seen[l.Inspection.SHA256] = l
		}
	}
	return plan, nil
}

func newLog(s *source.Source, in *source.Inspection, f *format.Format, sample *format.Sample) *Log {
	l := &Log{Source: s, Inspection: in, ID: in.ContentID(), Format: f, First: event.NoTime, Last: event.NoTime, path: s.Display}
	if in.Problem != nil {
		l.Problems = append(l.Problems, in.Problem.String())
	}
	switch {
	case in.Problem.Refuses():
		l.Format, l.Refused = nil, in.Problem.What
	case in.TextSize == 0:
		l.Format, l.Refused = nil, "empty"
		if in.Problem == nil {
			l.Problems = append(l.Problems, l.path+": empty; nothing to read")
		}
	case f == nil || f.Lines != nil && !sample.Text() && f.Name == "text":
		l.Format, l.Refused = nil, "binary data of an unknown format"
		l.Problems = append(l.Problems, fmt.Sprintf("%s: binary data of an unknown format, %d bytes not read; name its format with --format if you know it", l.path, in.TextSize))
	}
	return l
}

// placeYears gives the logs of one rotated set, oldest first, the years that
// their stamps leave out: from firstYear on, or else back from the newest
// one's file time, each older part ending where the next begins.
func placeYears(logs []*Log, years []*timestamp.Years, firstYear int) {
	first := make([]int, len(logs)) // year of each part's first stamp
	newer := -1
	for i := len(logs) - 1; i >= 0; i-- {
		if !years[i].Any() {
			continue
		}
		limit := logs[i].Source.ModTime
		if limit.IsZero() {
			limit = time.Now()
		}
		if newer >= 0 {
			if next := time.Unix(0, years[newer].Reference(first[newer])(0)); next.Before(limit) {
				limit = next
			}
		}
		first[i] = years[i].FirstYear(limit)
		newer = i
	}
	if firstYear != 0 {
		older := -1
		for i := range logs {
			if !years[i].Any() {
				continue
			}
			first[i] = firstYear
			if older >= 0 {
				first[i] = years[i].Continues(years[older], first[older])
			}
			older = i
		}
	}
	for i, l := range logs {
		if years[i].Any() {
			l.reference = years[i].Reference(first[i])
		}
	}
}

// printable is s on one line, without control characters.
func printable(s string) string { return source.Printable(strings.ToValidUTF8(s, "\uFFFD")) }

// Failed reports whether part of the log could not be read. An empty log and
// a copy of another are read.
func (l *Log) Failed() bool {
	if p := l.Inspection.Problem; p != nil && p.Kind != source.Empty {
		return true
	}
	return l.Format == nil && l.Inspection.TextSize > 0
}
