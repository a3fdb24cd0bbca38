package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Investigation says what to investigate, with which rules, and where to keep it.
type Investigation struct {
	Options
	Case    string         // the case directory; made if it does not exist
	Rules   detect.Options // which rules to run
	Version string         // of the program, for the report

	// Settings, when set, is kept in the case's ledger under SettingsKey: how to
	// investigate the same way again.
	Settings string

	MaxFindingsPerDay int // of techniques, see analyze.NewSet

	syncEvents int64 // default syncEvents; tests want it often
}

// SettingsKey is where the ledger has Investigation.Settings.
const SettingsKey = "settings"

// How often what was stored is made to survive a power cut, so that a run that
// is killed has to do little again.
const (
	syncEvery  = 30 * time.Second
	syncEvents = 2_000_000
)

// Investigate reads all evidence into the case, runs the rules over it, and
// returns the investigation. What the case has already is not stored again; the
// result is that of all evidence of the case, in whatever runs it came.
//
// When ctx ends the case is consistent: sources read to their end are in it,
// others not at all.
func Investigate(ctx context.Context, in Investigation) (*report.Investigation, error) {
	detector, err := detect.Load(in.Rules)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(in.Case, store.Options{})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	if err := st.Recover(ctx); err != nil {
		return nil, err
	}
	if in.Settings != "" && st.Ledger().Meta(SettingsKey) != in.Settings {
		if err := st.Ledger().SetMeta(SettingsKey, in.Settings); err != nil {
			return nil, err
		}
	}
	plan, err := NewPlan(ctx, in.Options)
	if err != nil {
		return nil, err
	}
	defer plan.Close()

	if err := supersede(ctx, st, plan); err != nil {
		return nil, err
	}
	run := &investigation{Investigation: in, detector: detector, gatherer: detector.NewGatherer(), techniques: analyze.NewSet(in.MaxFindingsPerDay), store: st, storers: storers{store: st}}
	if run.patterns, err = openMining(in.Case, st.Ledger()); err != nil {
		return nil, err
	}
	if err := run.ingest(ctx, plan); err != nil {
		return nil, err
	}
	if err := run.replay(ctx, plan); err != nil {
		return nil, err
	}
	for _, m := range run.matchers {
		run.gatherer.Saw(m)
	}
	return run.conclude(ctx, plan)
}

// supersede takes out of the case what the evidence now holds more of: a log
// that has grown since it was stored begins with all that was stored then.
func supersede(ctx context.Context, st *store.Embedded, plan *Plan) error {
	old := map[string]bool{}
	for _, l := range plan.Logs {
		if _, done := st.Ledger().Committed(l.ID); done || l.Format == nil || l.SameAs != nil {
			continue
		}
		ids, err := prefixes(ctx, l, st.Ledger().Prefixes(l.Inspection.Size))
		if err != nil {
			return err
		}
		for _, id := range ids {
			old[id] = true
		}
	}
	for _, l := range plan.Logs {
		delete(old, l.ID) // the smaller one is evidence as well: both stay
	}
	return st.Remove(ctx, slices.Sorted(maps.Keys(old)))
}

// prefixes returns the ids of those records whose whole content the log begins with.
func prefixes(ctx context.Context, l *Log, records []store.Record) ([]string, error) {
	if len(records) == 0 {
		return nil, nil
	}
	r, err := l.Source.OpenRaw(ctx)
	if err != nil {
		return nil, nil // reading will say so
	}
	defer r.Close()
	h := sha256.New()
	var at int64
	var ids []string
	for _, rec := range slices.Backward(records) { // smallest first
		n, err := io.CopyN(h, r, rec.Size-at)
		at += n
		if err != nil {
			return ids, ctx.Err()
		}
		if hex.EncodeToString(h.Sum(nil)) == rec.SHA256 {
			ids = append(ids, rec.ID)
		}
	}
	return ids, nil
}

type investigation struct {
	Investigation
	detector   *detect.Detector
	gatherer   *detect.Gatherer
	techniques *analyze.Set
	reports    []analyze.Report // what became of the techniques, once answers are given
	store      *store.Embedded
	storers    storers
	patterns   *mining
	matchers   []*detect.Matcher
	mu         sync.Mutex // guards matchers

	pending []store.Record // read to the end, not yet durable
	rows    int64          // stored since the last sync
	synced  time.Time
}

// ingest decodes, matches and stores the evidence.
func (run *investigation) ingest(ctx context.Context, plan *Plan) error {
	run.synced = time.Now()
	ledger := run.store.Ledger()
	fresh := map[*Log]bool{} // begun in this run; written by the reader before any of the log's chunks
	err := pass(ctx, plan.Logs, run.Options, stages{
		stored: func(l *Log) (bool, error) {
			if _, done := ledger.Committed(l.ID); done {
				return true, nil
			}
			return false, ledger.Begin(store.Record{ID: l.ID, Path: l.path})
		},
		worker: run.newWorker,
		sink: func(t *task) error {
			run.patterns.name(&t.batch, &t.kinds)
			return run.consume(t.log.path, &t.batch, t.hits, t.digests)
		},
		storer: run.storers.worker,
		after: func(t *task) error {
			if !t.stored {
				fresh[t.log] = true
				run.rows += int64(len(t.batch.Events))
			}
			if run.rows > cmp.Or(run.syncEvents, syncEvents) || time.Since(run.synced) > syncEvery {
				return run.sync(ctx)
			}
			return nil
		},
		finish: func(l *Log) error {
			if !fresh[l] {
				return nil
			}
			delete(fresh, l)
			books, err := json.Marshal(describeLog(l))
			if err != nil {
				return err
			}
			run.pending = append(run.pending, store.Record{ID: l.ID, Path: l.path, SHA256: l.Inspection.SHA256,
				Size: l.Inspection.Size, Records: l.Account.Records, Accounting: books})
			return nil
		},
	})
	// Also after Ctrl-C: what was read to its end is kept.
	if e := run.sync(context.WithoutCancel(ctx)); err == nil {
		err = e
	}
	return err
}

func (run *investigation) newWorker() worker {
	matcher := run.detector.NewMatcher()
	run.keep(matcher)
	return worker{mask: newMasker(), do: func(t *task) error {
		t.hits = matcher.MatchBatch(&t.batch, t.hits)
		t.digests = run.techniques.Digest(t.log.path, &t.batch, t.digests[:0])
		return nil
	}}
}

// storers are the writers of a pass, one for each goroutine. A writer holds rows back until there are enough of
// them for the engine.
type storers struct {
	store *store.Embedded
	mu    sync.Mutex // guards all
	all   []*storer
}

type storer struct {
	mu     sync.Mutex // guards writer, which flush uses as well
	writer store.Writer
}

// worker writes tasks to the store, but for those that it has.
func (s *storers) worker() worker {
	w := &storer{writer: s.store.NewWriter()}
	s.mu.Lock()
	s.all = append(s.all, w)
	s.mu.Unlock()
	return worker{do: func(t *task) error {
		if t.stored {
			return nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.writer.Add(&store.Source{ID: t.log.ID, Path: t.log.path, Fallback: t.log.fallback()}, t.batch.Events)
	}}
}

// flush hands the store all rows of tasks that are done.
func (s *storers) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.all {
		w.mu.Lock()
		err := w.writer.Flush()
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// consume hands a stretch of a source to all that gathers findings.
func (run *investigation) consume(path string, b *event.Batch, hits []detect.Hit, digests []any) error {
	run.techniques.Merge(digests)
	run.techniques.Observe(path, b)
	return run.gatherer.Add(b, path, hits)
}

// keep remembers a matcher, which knows what logs it met.
func (run *investigation) keep(m *detect.Matcher) {
	run.mu.Lock()
	run.matchers = append(run.matchers, m)
	run.mu.Unlock()
}

// sync makes the finished sources durable and says so in the ledger.
func (run *investigation) sync(ctx context.Context) error {
	if len(run.pending) > 0 {
		if err := run.storers.flush(); err != nil {
			return err
		}
		if err := run.store.Sync(ctx); err != nil {
			return err
		}
		// Before the ledger says that the sources are stored: their rows hold ids of these patterns.
		if err := run.patterns.save(); err != nil {
			return err
		}
		if err := run.store.Ledger().Commit(run.pending...); err != nil {
			return err
		}
		run.pending = nil
	}
	run.rows, run.synced = 0, time.Now()
	return nil
}

// replay runs the rules over sources that the case has from earlier runs and
// that are not among the evidence now, from what the store keeps of them.
func (run *investigation) replay(ctx context.Context, plan *Plan) error {
	present := map[string]bool{}
	for _, l := range plan.Logs {
		present[l.ID] = true
	}
	matcher := run.detector.NewMatcher()
	run.keep(matcher)
	for _, r := range run.store.Ledger().Sources() {
		if present[r.ID] {
			continue
		}
		err := stretches(ctx, run.store, "*", r, func(batch *event.Batch) error {
			var hits []detect.Hit
			for i := range batch.Events {
				hits = matcher.Match(&batch.Events[i], i, hits)
			}
			return run.consume(r.Path, batch, hits, run.techniques.Digest(r.Path, batch, nil))
		})
		if err != nil {
			return fmt.Errorf("read %s back from the case: %w", r.Path, err)
		}
	}
	return nil
}

// conclude turns what was gathered into the investigation document.
func (run *investigation) conclude(ctx context.Context, plan *Plan) (*report.Investigation, error) {
	run.progress("concluding", 0, 0, 0)
	findings, incidents, err := run.answers(ctx, run.store)
	if err != nil {
		return nil, err
	}
	statistics, err := statistics(ctx, run.store)
	if err != nil {
		return nil, err
	}
	over, err := overview(ctx, run.store, run.patterns.miner, 0)
	if err != nil {
		return nil, err
	}
	out := &report.Investigation{
		Case: report.Case{Name: filepath.Base(filepath.Clean(run.Case)), Version: run.Version, Paths: run.Paths,
			First: statistics.first, Last: statistics.last, TimeZone: zoneName(run.Zone)},
		Incidents:  incidents,
		Statistics: statistics.Statistics,
		Techniques: run.reports,
		Overview:   over,
		Rules:      describeRules(run.gatherer.Summary()),
		Problems:   slices.Clone(plan.Problems),
		Unread:     plan.Unread,
	}
	for _, f := range findings {
		out.Findings = append(out.Findings, report.Finding{Finding: f, First: stamp(f.First), Last: stamp(f.Last)})
	}
	run.certainty(incidents, plan)
	if out.Evidence, err = cited(ctx, run.store, incidents, findings, maxCited); err != nil {
		return nil, err
	}
	if err := run.describeSources(out, plan); err != nil {
		return nil, err
	}
	return out, nil
}

// answers makes findings and incidents of what was gathered and the store holds, once.
func (run *investigation) answers(ctx context.Context, st store.Store) ([]analyze.Finding, []incident.Incident, error) {
	findings, err := run.gatherer.Findings(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	var spare []analyze.Finding
	if run.techniques != nil {
		run.techniques.SetTemplates(run.patterns.templates())
		run.techniques.Ends()
		more, reports, err := run.techniques.Findings(ctx, st)
		if err != nil {
			return nil, nil, err
		}
		if spare, err = run.techniques.Spares(ctx, st); err != nil {
			return nil, nil, err
		}
		findings, run.reports = append(findings, more...), reports
	}
	byTime := func(a, b analyze.Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(findings, byTime)
	coverage, err := coverage(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	incidents, err := incident.Build(ctx, incident.Input{Findings: findings, Spare: spare, Coverage: coverage, Events: st})
	if err != nil {
		return nil, nil, err
	}
	for _, f := range spare {
		if slices.ContainsFunc(incidents, func(in incident.Incident) bool { return slices.Contains(in.Findings, f.ID) }) {
			findings = append(findings, f)
		}
	}
	slices.SortFunc(findings, byTime)
	return findings, incidents, nil
}

// certainty says of each incident how the times of the sources it cites were known.
func (run *investigation) certainty(incidents []incident.Incident, plan *Plan) {
	quality := map[string]timestamp.Quality{}
	for _, l := range plan.Logs {
		quality[l.ID] |= l.Quality
	}
	for i := range incidents {
		var q timestamp.Quality
		for _, id := range incidents[i].Evidence {
			source, _, _ := strings.Cut(id, "-")
			q |= quality[source] &^ timestamp.Missing
		}
		incidents[i].When.Certainty = q.String()
	}
}

// maxCited bounds the records that the report shows in full.
const maxCited = 5000

// cited returns the records that incidents cite, by time, then id: those that
// findings hold, and the rest from the store.
func cited(ctx context.Context, st store.Store, incidents []incident.Incident, findings []analyze.Finding, most int) ([]analyze.Evidence, error) {
	wanted := map[string]bool{}
	for _, in := range incidents {
		for _, id := range in.Evidence {
			if len(wanted) < most {
				wanted[id] = true
			}
		}
	}
	var out []analyze.Evidence
	for _, f := range findings {
		for _, e := range f.Evidence {
			if wanted[e.ID] {
				delete(wanted, e.ID)
				out = append(out, e)
			}
		}
	}
	rest, err := detect.Fetch(ctx, st, slices.Sorted(maps.Keys(wanted)))
	out = append(out, rest...)
	slices.SortFunc(out, func(a, b analyze.Evidence) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// describeSources lists the sources of this run and of earlier ones, by path.
func (run *investigation) describeSources(out *report.Investigation, plan *Plan) error {
	present := map[string]bool{}
	for _, l := range plan.Logs {
		present[l.ID] = true
		out.Sources = append(out.Sources, describeLog(l))
	}
	for _, r := range run.store.Ledger().Sources() {
		if present[r.ID] {
			continue
		}
		var s report.Source
		if err := json.Unmarshal(r.Accounting, &s); err != nil {
			return fmt.Errorf("ledger: books of %s: %w", r.Path, err)
		}
		out.Sources = append(out.Sources, s)
	}
	slices.SortStableFunc(out.Sources, func(a, b report.Source) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.ID, b.ID))
	})
	out.Accounting.Balanced = true
	for _, s := range out.Sources {
		out.Accounting.Add(s.Accounting)
		out.Problems = append(out.Problems, s.Problems...)
	}
	return nil
}

func describeLog(l *Log) report.Source {
	s := report.Source{
		ID: l.ID, Path: l.path, SHA256: l.Inspection.SHA256, Bytes: l.Inspection.Size, Encoding: string(l.Inspection.Encoding),
		First: stamp(l.First), Last: stamp(l.Last), TimeQuality: l.Quality.String(), Problems: l.Problems,
	}
	if l.Format != nil {
		s.Format = l.Format.Name
	}
	s.Unread = l.Failed()
	if l.SameAs != nil {
		s.DuplicateOf = l.SameAs.path
	}
	a := &l.Account
	s.Accounting = report.Accounting{
		BytesIn: a.BytesIn, BytesEvents: a.BytesEvents, BytesSeparators: a.BytesSeparators, BytesRefused: a.Refused(),
		Records: a.Records, Decoded: a.Decoded, Undecoded: a.Undecoded, Duplicate: a.Duplicate, Balanced: a.Check() == nil,
	}
	return s
}

func describeRules(s detect.Summary) report.Rules {
	r := report.Rules{Loaded: s.Loaded, Applied: s.Applied, Matched: s.Matched, NotApplicable: len(s.NotApplicable)}
	for _, f := range s.Failed {
		file := f.File
		if f.Line > 0 {
			file = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		r.Failed = append(r.Failed, report.RuleProblem{File: file, Error: f.Err.Error()})
	}
	for _, c := range s.Counts {
		level := c.Rule.Level.String()
		r.Matches = append(r.Matches, report.RuleCount{ID: c.Rule.ID, Name: c.Rule.Title, Level: level, Count: c.Count})
	}
	missing := map[string]int64{}
	for _, rule := range s.NotApplicable {
		if rule.Detection != nil {
			missing[rule.LogSource.String()]++
		}
	}
	for source, n := range missing {
		r.Missing = append(r.Missing, report.Count{Value: source, Count: n})
	}
	report.SortCounts(r.Missing)
	for _, l := range s.Limits {
		r.Limits = append(r.Limits, fmt.Sprintf("correlation “%s” reached its bound on %s %d times: it may have missed some", l.Rule.Title, l.What, l.Count))
	}
	r.Limits = append(r.Limits, s.Idle...)
	if s.Coarse {
		r.Limits = append(r.Limits, "very many different hosts and origins matched: the last of them are gathered by rule and host alone")
	}
	if s.Untimed > 0 {
		r.Limits = append(r.Limits, fmt.Sprintf("%d matches have no time and could not be correlated", s.Untimed))
	}
	return r
}

// stamp is a time in RFC 3339, "" for an unknown one.
func stamp(ns int64) string {
	if ns == event.NoTime {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

func zoneName(z *time.Location) string {
	if z == nil {
		return "UTC"
	}
	return z.String()
}

// WriteCase writes the investigation into its case directory: report.html,
// report.md and report.json, each whole or not at all, with what people made of
// its incidents and findings.
func WriteCase(dir string, inv *report.Investigation) error {
	if err := inv.Judge(dir); err != nil {
		return err
	}
	for _, f := range []struct {
		name   string
		render func(*report.Investigation) ([]byte, error)
	}{
		{"report.html", report.HTML}, {"report.md", report.Markdown}, {"report.json", report.JSON},
	} {
		data, err := f.render(inv)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path+".tmp", data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
	}
	return nil
}

// Interrupted reports whether err is the end of a run that the person stopped.
func Interrupted(err error) bool { return errors.Is(err, context.Canceled) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
