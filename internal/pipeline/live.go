package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// LiveOptions say what a live case does with what arrives.
type LiveOptions struct {
	Case     string // the case directory; made if it does not exist
	Rules    detect.Options
	Detector *detect.Detector // instead of Rules, if it is not nil
	Zone     *time.Location   // of stamps that have none; nil is UTC
	Geo      *enrich.Geo      // says where addresses are; nil to leave it
	Threads  int              // GOMAXPROCS
	Version  string
	Spool    spool.Options
	Log      *slog.Logger

	// Window is how far back findings and incidents look, a day. All of the case
	// is what Investigate looks at.
	Window time.Duration

	// History is how far back the analysis techniques look to know what is usual,
	// 14 days; negative for no techniques.
	History time.Duration

	// Found, when set, is called with findings that are new, from one goroutine.
	Found func([]analyze.Finding)

	// Incident, when set, is called with incidents that are new or have become
	// worse, from one goroutine.
	Incident func([]incident.Incident)

	sealEvery time.Duration // for tests
}

// Live is a case that grows: what collectors hand over goes to the spool,
// where it is safe, and from there is decoded, matched against the rules and
// stored. It implements collect.Sink.
//
// A segment of the spool is a source of the case. It is committed in the ledger
// once all of it is in the store for good, so a process that was killed finds
// out what to do again: no record is lost, none is stored twice.
type Live struct {
	o        LiveOptions
	store    *store.Embedded
	spool    *spool.Spool
	detector *detect.Detector // the sequencer's, once Run has begun
	setup    atomic.Pointer[liveSetup]
	changes  chan *liveChange
	ended    chan struct{} // Run has returned

	started            time.Time
	records, undecoded atomic.Int64
	lag                atomic.Int64 // ns from the arrival to the storing of the last record
	since              atomic.Int64 // when what gatherer knows begins
	progress           atomic.Pointer[Progress]
	halting            chan struct{} // closed when nobody is to wait for the disk any more
	haltOnce           sync.Once

	mining *mining // names the kinds of messages
	turns  *turns  // in which it does

	gatherer *detect.Gatherer  // the sequencer's
	dirty    bool              // it has learnt something since the last snapshot
	took     time.Duration     // by the last snapshot
	taken    time.Time         // when
	ruled    []analyze.Finding // by the last snapshot
	watch    *watch            // nil without techniques

	senders *senders

	telling sync.Mutex // guards told
	told    *toldOf

	reporting sync.Mutex // one at a time makes the report
	reported  liveReport

	building sync.Mutex // one at a time builds the investigation
	fresh    chan struct{}

	mu       sync.Mutex
	from     int64             // when what the snapshot rests on begins
	snapshot []analyze.Finding // the latest
	version  int64             // of snapshot
	built    *report.Investigation
	builtAt  int64 // version of the snapshot it was built from
}

const (
	sealEvery = 30 * time.Second
	lookBatch = 2048 // records looked at again together

	// What waits is decoded and stored together, up to so many records and bytes: the
	// more rows the engine is given at a time, the less it has to merge. Of short records these are some full blocks.
	liveBatch = 8192
	liveBytes = 2 << 20

	snapshotEvery = 2 * time.Second
	maxLastWords  = 10 * time.Second
)

// OpenLive opens the case and takes up what an earlier process left undone.
func OpenLive(ctx context.Context, o LiveOptions) (*Live, error) {
	o.Window = cmp.Or(o.Window, 24*time.Hour)
	o.History = cmp.Or(o.History, 14*24*time.Hour)
	o.sealEvery = cmp.Or(o.sealEvery, sealEvery)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	detector := o.Detector
	if detector == nil {
		var err error
		if detector, err = detect.Load(o.Rules); err != nil {
			return nil, err
		}
	}
	l := &Live{o: o, detector: detector, fresh: make(chan struct{}, 1), changes: make(chan *liveChange), ended: make(chan struct{}), halting: make(chan struct{}), turns: newTurns(), started: time.Now()}
	// The spool stops taking while the store still has room for what it took.
	st, err := store.Open(o.Case, store.Options{Log: o.Log, MinFreeDisk: spool.Reserve(o.Case) / 2, DiskFull: l.awaitDisk,
		Synonyms: store.Synonyms{patterns.Field: func(id string) []string { return l.mining.synonyms(id) }}})
	if err != nil {
		return nil, err
	}
	l.store = st
	if err := l.open(ctx); err != nil {
		st.Close()
		return nil, err
	}
	l.setup.Store(&liveSetup{detector, o.Geo, l.watch})
	return l, nil
}

func (l *Live) open(ctx context.Context) error {
	if err := l.store.Recover(ctx); err != nil {
		return err
	}
	o := l.o.Spool
	o.Stored = func(id string) bool { _, ok := l.store.Ledger().Committed(id); return ok }
	var err error
	if l.spool, err = spool.Open(filepath.Join(l.o.Case, "spool"), o); err != nil {
		return err
	}
	for _, p := range l.spool.Problems() {
		l.o.Log.Error(p)
	}
	if l.senders, err = openSenders(l.o.Case, l.started); err != nil {
		return err
	}
	if l.told, err = openTold(l.o.Case); err != nil {
		return err
	}
	// The ids that the rows of a segment have that is not committed are forgotten with the rows.
	if l.mining, err = openMining(l.o.Case, l.store.Ledger()); err != nil {
		return err
	}
	return l.look(ctx, time.Now().Add(-l.o.Window))
}

// look begins a new gatherer with what the store has since a time.
func (l *Live) look(ctx context.Context, since time.Time) error {
	if l.gatherer != nil {
		l.gatherer.Close()
	}
	l.gatherer, l.dirty = l.detector.NewGatherer(), true
	if l.watch != nil {
		l.watch.end()
		l.watch = nil
	}
	learn := since
	if l.o.History > 0 {
		l.watch = newWatch()
		if t := time.Now().Add(-l.o.History); t.Before(since) {
			learn = t
		}
	}
	learn, err := l.affordable(ctx, learn)
	if err != nil {
		return err
	}
	if learn.After(since) {
		since = learn
	}
	l.since.Store(since.UnixNano())
	matcher := l.detector.NewMatcher()
	batches := map[string]*event.Batch{} // by path
	n := 0
	flush := func() error {
		for _, path := range slices.Sorted(maps.Keys(batches)) {
			b := batches[path]
			if l.watch != nil {
				l.watch.take(l.watch.set.DigestUnordered(path, b, nil))
			}
			var hits []detect.Hit
			for i := range b.Events {
				if t := b.Events[i].Time; t == event.NoTime || t >= since.UnixNano() {
					hits = matcher.Match(&b.Events[i], i, hits)
				}
			}
			if err := l.gatherer.Add(b, path, hits); err != nil {
				return err
			}
		}
		clear(batches)
		n = 0
		return nil
	}
	err = l.store.QueryWith(ctx, "*", store.QueryOptions{From: learn.UnixNano()}, func(row []event.Field) error {
		e := detect.Stored(row)
		path := strings.Clone(e.Get("log.file.path"))
		b := batches[path]
		if b == nil {
			b = &event.Batch{}
			batches[path] = b
		}
		b.Events = append(b.Events, e)
		if n++; n >= lookBatch {
			return flush()
		}
		return nil
	})
	return cmp.Or(err, flush())
}

// maxLook is how many records are looked at again when a server starts or its
// rules change: some minutes' work.
const maxLook = 5_000_000

// affordable is since, or later where there are more records than maxLook.
func (l *Live) affordable(ctx context.Context, since time.Time) (time.Time, error) {
	hours := map[string]int64{}
	err := l.store.QueryWith(ctx, "* | stats by (_time:1h) count() n", store.QueryOptions{From: since.UnixNano()}, func(row []event.Field) error {
		var hour string
		var n int64
		for _, f := range row {
			switch f.Name {
			case "_time":
				hour = strings.Clone(f.Value)
			case "n":
				n, _ = strconv.ParseInt(f.Value, 10, 64)
			}
		}
		hours[hour] += n
		return nil
	})
	if err != nil {
		return since, err
	}
	var total int64
	names := slices.Sorted(maps.Keys(hours))
	for i, h := range slices.Backward(names) {
		if total += hours[h]; total > maxLook && i < len(names)-1 {
			later, err := time.Parse(time.RFC3339Nano, names[i+1])
			if err != nil {
				return since, nil
			}
			l.o.Log.Warn("there are too many records to look at all of the window again", "window", l.o.Window, "from", later)
			return later, nil
		}
	}
	return since, nil
}

// Accept implements collect.Sink.
func (l *Live) Accept(ctx context.Context, ds ...*spool.Delivery) error {
	err := l.spool.Append(ctx, ds...)
	if err == nil {
		l.senders.heard(ds)
	}
	return err
}

// Settle implements collect.Sink.
func (l *Live) Settle(request spool.Key) { l.spool.Settle(request) }

// Mark implements collect.Sink.
func (l *Live) Mark(name string) string { return l.spool.Mark(name) }

// Store is the store of the case.
func (l *Live) Store() store.Store { return l.store }

// LivePath is the path under which the ledger has what was collected live.
const LivePath = "live"

// Progress says how far the store has a segment of the spool that is not
// committed yet.
type Progress struct {
	Segment string
	UpTo    int64 // log.offset of the last record
}

// Progress returns how far the store has what arrived, and the ledger of what
// came before, which may have the same segment by now.
func (l *Live) Progress() (segment string, upTo int64) {
	if p := l.progress.Load(); p != nil {
		return p.Segment, p.UpTo
	}
	return "", 0
}

// Patterns returns the state of the miner of the case, as a case has it in a file.
func (l *Live) Patterns() ([]byte, error) { return l.mining.state() }

// Ledger is the case's.
func (l *Live) Ledger() *store.Ledger { return l.store.Ledger() }

// LiveStats are figures of a live case.
type LiveStats struct {
	Spool     spool.Stats
	Records   int64 // stored since Open
	Undecoded int64 // of them, kept as text
	Lag       time.Duration
	Findings  int
	Full      bool          // so much waits to be stored that senders wait
	Sources   []SourceStats // by collector, peer, path
}

// Stats returns the figures as they are now.
func (l *Live) Stats() LiveStats {
	l.mu.Lock()
	n := len(l.snapshot)
	l.mu.Unlock()
	return LiveStats{Full: l.full(), Sources: l.senders.stats(), Spool: l.spool.Stats(), Records: l.records.Load(), Undecoded: l.undecoded.Load(), Lag: time.Duration(l.lag.Load()), Findings: n}
}

// full reports whether so much waits to be stored that senders wait.
func (l *Live) full() bool {
	st := l.spool.Stats()
	return st.DiskFull || st.Backlog >= cmp.Or(l.o.Spool.MaxBytes, 2<<30)
}

// liveTask is some deliveries of one segment on their way, or its end.
type liveTask struct {
	seq     int64
	segment string
	entries []*spool.Entry
	end     bool

	batch     event.Batch
	kinds     masked
	bounds    []int // where the events of each entry end
	hits      []detect.Hit
	digests   [][]any // of the techniques
	undecoded int64
	fail      error
}

// Run works until Stop was called and all that was accepted is stored, or until
// something fails for good.
func (l *Live) Run(ctx context.Context) error {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, l.halt)()
	threads := (&Options{Threads: l.o.Threads}).threads()
	inFlight := 2*threads + 1
	free := make(chan *liveTask, inFlight)
	for range inFlight {
		free <- &liveTask{}
	}
	work, done := make(chan *liveTask, inFlight), make(chan *liveTask, inFlight)

	var others sync.WaitGroup
	others.Go(func() { l.sealer(ctx) })
	others.Go(func() { l.investigator(ctx) })
	go func() {
		defer close(work)
		if err := l.take(ctx, free, work); err != nil && !errors.Is(err, spool.ErrClosed) {
			cancel(err)
		}
	}()
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			w := &liveWorker{l: l, writer: l.store.NewWriter(), mask: newMasker()}
			for t := range work {
				if !t.end && ctx.Err() == nil {
					t.fail = w.do(t)
				} else {
					l.turns.do(t.seq, nil)
				}
				done <- t
			}
		})
	}
	go func() {
		workers.Wait()
		close(done)
	}()

	waiting := map[int64]*liveTask{}
	var next, segmentRecords int64
	tick := time.NewTicker(snapshotEvery / 4)
	defer tick.Stop()
	defer close(l.ended)
	var changes []*liveChange // that wait until nothing is under way
	var held []*liveTask      // kept from free meanwhile
	for open := true; open; {
		select {
		case t, ok := <-done:
			if open = ok; !ok {
				break
			}
			waiting[t.seq] = t
			for t := waiting[next]; t != nil; t = waiting[next] {
				delete(waiting, next)
				next++
				if ctx.Err() == nil {
					if err := l.settle(ctx, t, &segmentRecords); err != nil {
						cancel(err)
					}
				}
				if len(changes) > 0 {
					held = append(held, t)
				} else {
					free <- t
				}
			}
		case c := <-l.changes:
			changes = append(changes, c)
		case r := <-l.watch.results():
			if err := l.watch.collect(r, l.since.Load()); err != nil && ctx.Err() == nil {
				l.o.Log.Warn("the analysis techniques failed; they are asked again", "error", err)
			}
			l.publish()
		case <-tick.C:
		}
		if l.watch != nil && ctx.Err() == nil {
			l.watch.ask(ctx, l.store, func(set *analyze.Set) {
				set.SetTemplates(l.mining.templates())
				set.UpToNow(l.started.UnixNano(), time.Now().UnixNano()-l.lag.Load())
			})
		}
		if changed, err := l.senders.judge(ctx, time.Now(), l.full, l.store); err != nil && ctx.Err() == nil {
			l.o.Log.Warn("cannot say who has fallen silent; it is tried again", "error", err)
		} else if changed && ctx.Err() == nil {
			l.publish()
		}
		if len(changes) == 0 && time.Now().UnixNano()-l.since.Load() > int64(2*l.o.Window) {
			changes = append(changes, &liveChange{detector: l.detector, done: make(chan error, 1)})
		}
		if len(changes) > 0 && ctx.Err() == nil {
			if held = gather(held, free); len(held) == inFlight {
				for _, c := range changes {
					err := l.change(ctx, c)
					if c.done <- err; err != nil {
						cancel(fmt.Errorf("take other rules: %w", err))
					}
				}
				for _, t := range held {
					free <- t
				}
				held, changes = held[:0], changes[:0]
			}
		}
		if ctx.Err() == nil {
			if err := l.show(ctx, false); err != nil {
				cancel(err)
			}
		}
	}
	err := context.Cause(ctx)
	if err == nil {
		err = l.show(ctx, true)
	}
	cancel(nil)
	others.Wait()
	if l.watch != nil {
		l.watch.end()
	}
	if err == nil {
		l.lastWords(outer)
	}
	return errors.Join(err, l.told.save(true), l.senders.save(time.Now(), true))
}

// liveSetup is what workers work with.
type liveSetup struct {
	detector *detect.Detector
	geo      *enrich.Geo
	watch    *watch // whose techniques digest
}

// liveChange asks the sequencer for another setup. Nil means as before.
type liveChange struct {
	detector *detect.Detector
	geo      *enrich.Geo
	setGeo   bool
	done     chan error // with room for one
}

// gather takes what tasks are free.
func gather(held []*liveTask, free <-chan *liveTask) []*liveTask {
	for {
		select {
		case t := <-free:
			held = append(held, t)
		default:
			return held
		}
	}
}

// change takes another setup while no task is under way, so that no match of
// the old rules meets what gathers those of the new ones.
func (l *Live) change(ctx context.Context, c *liveChange) error {
	next := *l.setup.Load()
	if c.setGeo {
		next.geo = c.geo
	}
	if c.detector != nil {
		next.detector, l.detector = c.detector, c.detector
		if err := l.store.Flush(ctx); err != nil {
			return err
		}
		if err := l.look(ctx, time.Now().Add(-l.o.Window)); err != nil {
			return err
		}
		next.watch = l.watch
	}
	l.setup.Store(&next)
	return nil
}

// SetRules has the rules of d matched from now on; what came within the window
// is looked at again. It returns when that is done.
func (l *Live) SetRules(ctx context.Context, d *detect.Detector) error {
	return l.ask(ctx, &liveChange{detector: d})
}

// SetGeo has addresses looked up in other databases from now on; the old ones
// may be closed when it returns.
func (l *Live) SetGeo(ctx context.Context, geo *enrich.Geo) error {
	return l.ask(ctx, &liveChange{geo: geo, setGeo: true})
}

func (l *Live) ask(ctx context.Context, c *liveChange) error {
	c.done = make(chan error, 1)
	select {
	case l.changes <- c:
	case <-l.ended:
		return spool.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-l.ended:
		select {
		case err := <-c.done:
			return err
		default:
			return spool.ErrClosed
		}
	}
}

// sealer ends segments, so that what is in them becomes the store's.
func (l *Live) sealer(ctx context.Context) {
	tick := time.NewTicker(l.o.sealEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.spool.Seal()
			if l.spool.Stats().DiskFull {
				l.o.Log.Error("the disk is nearly full: nothing more is taken, and senders wait", "case", l.o.Case)
			}
		}
	}
}

// take reads deliveries from the spool into tasks.
func (l *Live) take(ctx context.Context, free <-chan *liveTask, work chan<- *liveTask) error {
	var seq int64
	begun := ""
	next := func(e *spool.Entry) error {
		if e.Segment != begun {
			if err := l.store.Ledger().Begin(store.Record{ID: e.Segment, Path: e.Path}); err != nil {
				return err
			}
			begun = e.Segment
		}
		return nil
	}
	var held *spool.Entry
	for {
		e := held
		held = nil
		if e == nil {
			var err error
			if e, err = l.spool.Next(ctx); err != nil {
				return err
			}
		}
		if err := next(e); err != nil {
			return err
		}
		var t *liveTask
		select {
		case t = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		t.seq, t.segment, t.end, t.fail = seq, e.Segment, e.End, nil
		t.entries = t.entries[:0]
		seq++
		if !e.End {
			t.entries = append(t.entries, e)
			for n, bytes := len(e.Delivery.Records), e.Delivery.Size(); n < liveBatch && bytes < liveBytes; {
				more, err := l.spool.Poll()
				if err != nil && !errors.Is(err, spool.ErrClosed) {
					return err
				}
				if more == nil || more.End || more.Segment != e.Segment {
					held = more
					break
				}
				t.entries = append(t.entries, more)
				n, bytes = n+len(more.Delivery.Records), bytes+more.Delivery.Size()
			}
		}
		work <- t // as roomy as there are tasks
	}
}

// liveWorker decodes, matches and stores; one per goroutine.
type liveWorker struct {
	l       *Live
	setup   *liveSetup
	matcher *detect.Matcher
	writer  store.Writer
	mask    *masker
	en      enrich.Enricher
}

func (w *liveWorker) do(t *liveTask) error {
	if now := w.l.setup.Load(); now != w.setup {
		w.setup, w.matcher, w.en = now, now.detector.NewMatcher(), enrich.Enricher{Geo: now.geo}
	}
	t.batch.Reset()
	t.hits, t.bounds, t.digests, t.undecoded = t.hits[:0], t.bounds[:0], t.digests[:0], 0
	w.mask.begin(&t.kinds)
	for _, e := range t.entries {
		from := len(t.batch.Events)
		w.decode(t, e)
		t.bounds = append(t.bounds, len(t.batch.Events))
		for i := from; i < len(t.batch.Events); i++ {
			t.hits = w.matcher.Match(&t.batch.Events[i], i, t.hits)
		}
	}
	w.l.turns.do(t.seq, func() { w.l.mining.name(&t.batch, &t.kinds) })
	from := 0
	for i, e := range t.entries {
		d := e.Delivery
		src := store.Source{ID: t.segment, Path: cmp.Or(d.Path, d.Collector), Fallback: d.Received}
		if err := w.writer.Add(&src, t.batch.Events[from:t.bounds[i]]); err != nil {
			return err
		}
		from = t.bounds[i]
	}
	w.digest(t)
	return w.writer.Flush()
}

// digest lets the techniques look at the events, those of one log together.
func (w *liveWorker) digest(t *liveTask) {
	if w.setup.watch == nil {
		return
	}
	path := func(e *spool.Entry) string { return cmp.Or(e.Delivery.Path, e.Delivery.Collector) }
	// A file that is followed is read in order. What comes by network is not in the
	// order of anybody's clock: several machines write it.
	followed := func(e *spool.Entry) bool { return strings.HasPrefix(e.Delivery.Collector, "tail:") }
	from := 0
	for i := 0; i < len(t.entries); {
		j := i + 1
		for j < len(t.entries) && path(t.entries[j]) == path(t.entries[i]) && followed(t.entries[j]) == followed(t.entries[i]) {
			j++
		}
		b := event.Batch{Events: t.batch.Events[from:t.bounds[j-1]]}
		if len(b.Events) > 0 {
			digest := w.setup.watch.set.DigestUnordered
			if followed(t.entries[i]) {
				digest = w.setup.watch.set.Digest
			}
			t.digests = append(t.digests, digest(path(t.entries[i]), &b, nil))
		}
		from, i = t.bounds[j-1], j
	}
}

// decode turns the records of a delivery into events.
func (w *liveWorker) decode(t *liveTask, e *spool.Entry) {
	d := e.Delivery
	f := format.Lookup(d.Format)
	if f == nil {
		f = recogniseRecords(d)
	}
	// A stamp without a year is of the half year before or behind the arrival.
	clock := timestamp.NewClock(w.l.o.Zone, time.Unix(0, d.Received).AddDate(0, -6, 0).UnixNano())
	created := time.Unix(0, d.Received).UTC().Format(time.RFC3339Nano)
	var record *spool.Record // the one being decoded
	decode := f.NewRecordDecoder(&format.Params{Clock: clock, Done: func(b *event.Batch) {
		ev := b.Event()
		ev.ID = eventID(b, t.segment, ev.Offset)
		if ev.Err != "" {
			t.undecoded++
		}
		if ev.Time == event.NoTime {
			ev.Time = cmp.Or(record.Time, d.Received)
		}
		for _, f := range record.Fields {
			if !ev.Has(f.Name) {
				b.Add(f.Name, f.Value)
			}
		}
		b.Add("event.created", created)
		b.Add("log.source.address", d.Peer)
		w.en.Enrich(b)
		w.mask.add(b)
	}}, d.Header)
	for i := range d.Records {
		record = &d.Records[i]
		decode(record.Data, e.Offsets[i], &t.batch)
	}
}

// recogniseRecords finds the format of records that came without one.
func recogniseRecords(d *spool.Delivery) *format.Format {
	var head []byte
	for i := range d.Records {
		if len(head) >= headBytes {
			break
		}
		head = append(append(head, d.Records[i].Data...), '\n')
	}
	f, _ := format.Recognise(format.NewSample("", head, true))
	if f == nil || !f.Streams() {
		f = format.Lookup("text")
	}
	return f
}

// settle takes a finished task in order.
func (l *Live) settle(ctx context.Context, t *liveTask, segmentRecords *int64) error {
	if t.fail != nil {
		return t.fail
	}
	if t.end {
		if err := l.store.Sync(ctx); err != nil {
			return err
		}
		// Before the ledger says that the segment is stored: its rows hold ids of these patterns.
		if err := l.mining.save(); err != nil {
			return err
		}
		books, err := json.Marshal(report.Source{ID: t.segment, Path: LivePath, Format: "live", TimeQuality: timestamp.Exact.String(),
			Accounting: report.Accounting{Records: *segmentRecords, Decoded: *segmentRecords, Balanced: true}})
		if err != nil {
			return err
		}
		rec := store.Record{ID: t.segment, Path: LivePath, Records: *segmentRecords, Accounting: books}
		if p := l.progress.Load(); p != nil && p.Segment == t.segment {
			rec.Size = p.UpTo
		}
		*segmentRecords = 0
		if err := l.store.Ledger().Commit(rec); err != nil {
			return err
		}
		return l.spool.Done(t.segment)
	}
	n := int64(len(t.batch.Events))
	*segmentRecords += n
	for _, d := range t.digests {
		l.watch.take(d)
	}
	l.records.Add(n)
	l.undecoded.Add(t.undecoded)
	hits := t.hits
	for i, e := range t.entries {
		mine := 0
		for mine < len(hits) && hits[mine].Event < t.bounds[i] {
			mine++
		}
		if mine > 0 {
			l.dirty = true
			if err := l.gatherer.Add(&t.batch, cmp.Or(e.Delivery.Path, e.Delivery.Collector), hits[:mine]); err != nil {
				return err
			}
		}
		hits = hits[mine:]
		from := 0
		if i > 0 {
			from = t.bounds[i-1]
		}
		l.senders.count(e.Delivery, t.batch.Events[from:t.bounds[i]])
		l.lag.Store(time.Now().UnixNano() - e.Delivery.Received)
		if n := len(e.Offsets); n > 0 {
			l.progress.Store(&Progress{t.segment, e.Offsets[n-1]})
		}
	}
	return nil
}

// show makes a new snapshot of the findings when there is something new, and
// tells of those that are. The more a snapshot costs, the rarer it is.
func (l *Live) show(ctx context.Context, last bool) error {
	if !last && time.Since(l.taken) < max(snapshotEvery, 10*l.took) {
		return nil
	}
	if !l.dirty {
		return nil
	}
	began := time.Now()
	if err := l.store.Flush(ctx); err != nil {
		return err
	}
	findings, err := l.gatherer.Snapshot(ctx, l.store)
	if err != nil {
		return err
	}
	l.ruled, l.dirty, l.taken, l.took = findings, false, time.Now(), time.Since(began)
	l.publish()
	return nil
}

// publish makes a snapshot of what rules and techniques found last, and tells of
// what is new.
func (l *Live) publish() {
	findings := slices.Clone(l.ruled)
	if l.watch != nil {
		findings = append(findings, l.watch.found...)
	}
	findings = append(findings, l.senders.findings(time.Now().Add(-l.o.Window))...)
	slices.SortFunc(findings, func(a, b analyze.Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	from := l.since.Load()
	var fresh []analyze.Finding
	l.telling.Lock()
	for i := range findings {
		if f := &findings[i]; f.First != event.NoTime {
			from = min(from, f.First-int64(time.Hour))
		}
		if l.told.fresh(&findings[i]) {
			fresh = append(fresh, findings[i])
		}
	}
	if err := l.told.save(false); err != nil {
		l.o.Log.Warn("cannot note what was told of; some may be told again after a restart", "error", err)
	}
	l.telling.Unlock()
	l.mu.Lock()
	l.snapshot, l.from = findings, from
	l.version++
	l.mu.Unlock()
	select {
	case l.fresh <- struct{}{}:
	default:
	}
	if l.o.Found != nil && len(fresh) > 0 {
		l.o.Found(fresh)
	}
}

// investigator builds the investigation anew after each snapshot, and tells of
// incidents. The more it costs, the rarer it does.
func (l *Live) investigator(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.fresh:
		}
		began := time.Now()
		inv, err := l.Investigation(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.o.Log.Warn("cannot build incidents; it is tried again", "error", err)
		default:
			l.tell(inv.Incidents)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(time.Second, 10*time.Since(began))):
		}
	}
}

// lastWords tells of incidents that the last snapshot made, if that does not
// take long; else they are told when the case is served again.
func (l *Live) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxLastWords)
	defer cancel()
	if inv, err := l.Investigation(ctx); err == nil {
		l.tell(inv.Incidents)
	}
}

// tell tells of incidents that are news.
func (l *Live) tell(all []incident.Incident) {
	var news []incident.Incident
	l.telling.Lock()
	for i := range all {
		if l.told.news(&all[i]) {
			news = append(news, all[i])
		}
	}
	l.telling.Unlock()
	if l.o.Incident != nil && len(news) > 0 {
		l.o.Incident(news)
	}
}

// Findings returns the findings of the latest snapshot, by time. They are not
// to be changed.
func (l *Live) Findings() []analyze.Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot
}

// Latest returns the investigation built last, which may be some seconds old;
// nil before the first. It costs nothing.
func (l *Live) Latest() *report.Investigation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.built
}

// Investigation answers what happened within the window: the incidents of the
// latest findings. It costs some seconds in a large case, so one that is
// current is given again.
func (l *Live) Investigation(ctx context.Context) (*report.Investigation, error) {
	l.building.Lock()
	defer l.building.Unlock()
	l.mu.Lock()
	findings, version, built, at, from := l.snapshot, l.version, l.built, l.builtAt, l.from
	l.mu.Unlock()
	if built != nil && at == version {
		return built, nil
	}
	st := windowed{l.store, cmp.Or(from, l.since.Load())}
	coverage, err := coverage(ctx, st)
	if err != nil {
		return nil, err
	}
	incidents, err := incident.Build(ctx, incident.Input{Findings: slices.Clone(findings), Coverage: coverage, Events: st})
	if err != nil {
		return nil, err
	}
	statistics, err := statistics(ctx, st)
	if err != nil {
		return nil, err
	}
	out := &report.Investigation{
		Case: report.Case{Name: filepath.Base(filepath.Clean(l.o.Case)), Version: l.o.Version, First: statistics.first,
			Last: statistics.last, TimeZone: zoneName(l.o.Zone)},
		Incidents: incidents, Statistics: statistics.Statistics,
	}
	for _, f := range findings {
		out.Findings = append(out.Findings, report.Finding{Finding: f, First: stamp(f.First), Last: stamp(f.Last)})
	}
	l.mu.Lock()
	l.built, l.builtAt = out, version
	l.mu.Unlock()
	return out, nil
}

// windowed is a store that shows what is not older than a time.
type windowed struct {
	store.Store
	since int64
}

func (w windowed) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return w.QueryWith(ctx, logsql, store.QueryOptions{}, fn)
}

func (w windowed) QueryWith(ctx context.Context, logsql string, o store.QueryOptions, fn func(row []event.Field) error) error {
	o.From = max(o.From, w.since)
	return w.Store.QueryWith(ctx, logsql, o, fn)
}

// Stop has the spool take nothing more; Run then ends when all is stored.
func (l *Live) Stop() error {
	l.halt()
	return l.spool.Close()
}

func (l *Live) halt() { l.haltOnce.Do(func() { close(l.halting) }) }

// awaitDisk waits a moment for somebody to make room on the disk; what the spool
// has is stored then, or after a restart.
func (l *Live) awaitDisk() error {
	select {
	case <-l.halting:
		return fmt.Errorf("%s: %w: what is not stored waits in the case; free some space and serve it again", l.o.Case, store.ErrDiskFull)
	case <-time.After(time.Second):
		return nil
	}
}

// Close closes the case, after Run has returned.
func (l *Live) Close() error {
	l.gatherer.Close()
	return errors.Join(l.spool.Close(), l.store.Close())
}
