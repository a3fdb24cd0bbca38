package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/source"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// task is one chunk on its way from the reader through a worker to the sink,
// or, without a chunk, the end of its log.
type task struct {
	seq   int64
	log   *Log
	chunk *format.Chunk
	err   error // of the log's stream, at its end
	read  int64 // bytes of the log that were read, at its end

	batch       event.Batch
	bytes       format.Bytes
	quality     timestamp.Quality
	undecoded   int64
	first, last int64
	hits        []detect.Hit
	digests     []any  // by technique; nil where it keeps nothing of the batch
	kinds       masked // the batch's messages, for the miner of patterns
	out         []byte
	stored      bool // the case already has the log
	fail        error
}

// worker does what is done to a chunk besides decoding it. Each goroutine has one.
type worker struct {
	skim func(b *event.Batch, category string) bool // see format.Params; nil: all of every event is wanted
	mask *masker                                    // prepares the messages for the miner of patterns: fills task.kinds; may be nil
	do   func(t *task) error
}

// stages are what becomes of the tasks. Those of one goroutine see them in order.
type stages struct {
	stored func(*Log) (bool, error) // from the reader: has the case the log already?
	worker func() worker            // on all cores, after decoding
	sink   func(*task) error        // from one goroutine
	storer func() worker            // on all cores; may be nil
	after  func(*task) error        // from another goroutine: the task is stored; may be nil
	finish func(*Log) error         // from that goroutine: all of the log is stored, its books are closed
}

// read decodes the logs and hands every chunk to sink, in order and from one
// goroutine; then, for each log, finish once its books are closed.
func read(ctx context.Context, logs []*Log, opt Options, stored func(*Log) (bool, error),
	newWorker func() worker, sink func(*task) error, finish func(*Log) error) error {

	return pass(ctx, logs, opt, stages{stored: stored, worker: newWorker, sink: sink, finish: finish})
}

// pass leads the logs through the stages. Memory is bounded by a few chunks
// for each thread.
func pass(ctx context.Context, logs []*Log, opt Options, st stages) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	threads := opt.threads()
	inFlight := 3*threads + 1
	// As roomy as there are tasks: only the reader ever waits, for a free one.
	free, work, done := make(chan *task, inFlight), make(chan *task, inFlight), make(chan *task, inFlight)
	store, kept := make(chan *task, inFlight), make(chan *task, inFlight)
	for range inFlight {
		free <- &task{}
	}
	busy := make(chan struct{}, threads) // decoding and storing together are on so many cores

	go func() {
		defer close(work)
		r := reader{ctx: ctx, free: free, work: work, stored: st.stored}
		for _, l := range logs {
			if err := r.log(l); err != nil {
				cancel(err)
				return
			}
		}
	}()

	var decoders sync.WaitGroup
	for range threads {
		decoders.Go(func() {
			w := st.worker()
			en := enrich.Enricher{Geo: opt.Geo}
			for t := range work {
				if t.chunk != nil && ctx.Err() == nil {
					busy <- struct{}{}
					decode(t, &en, w)
					t.fail = w.do(t)
					<-busy
				}
				done <- t
			}
		})
	}
	go func() {
		decoders.Wait()
		close(done)
	}()

	go func() {
		defer close(store)
		inOrder(done, func(t *task) {
			if t.chunk != nil && ctx.Err() == nil {
				if err := settle(t, st.sink); err != nil {
					cancel(err)
				}
			}
			store <- t
		})
	}()

	var storers sync.WaitGroup
	for range threads {
		storers.Go(func() {
			var do func(*task) error
			if st.storer != nil {
				do = st.storer().do
			}
			for t := range store {
				if do != nil && t.chunk != nil && ctx.Err() == nil {
					busy <- struct{}{}
					t.fail = do(t)
					<-busy
				}
				kept <- t
			}
		})
	}
	go func() {
		storers.Wait()
		close(kept)
	}()

	var total, bytesDone, events int64
	for _, l := range logs {
		if l.Format != nil && l.SameAs == nil {
			total += l.Inspection.TextSize
		}
	}
	inOrder(kept, func(t *task) {
		if ctx.Err() == nil {
			if err := t.end(&st); err != nil {
				cancel(err)
			}
			if t.chunk != nil {
				bytesDone += int64(len(t.chunk.Data))
				for _, r := range t.chunk.Refused {
					bytesDone += r.Length
				}
				events += int64(len(t.batch.Events))
				opt.progress("reading", bytesDone, total, events)
			}
		}
		free <- t
	})
	return context.Cause(ctx)
}

// inOrder calls do with the tasks in the order in which they were read.
func inOrder(in <-chan *task, do func(*task)) {
	waiting := map[int64]*task{}
	var next int64
	for t := range in {
		waiting[t.seq] = t
		for t := waiting[next]; t != nil; t = waiting[next] {
			delete(waiting, next)
			next++
			do(t)
		}
	}
}

// end is the last that is done with a task, in order.
func (t *task) end(st *stages) error {
	switch {
	case t.chunk == nil:
		closeBooks(t.log, t)
		return st.finish(t.log)
	case t.fail != nil:
		return fmt.Errorf("%s: %w", t.log.path, t.fail)
	case st.after != nil:
		return st.after(t)
	}
	return nil
}

// reader cuts logs into chunks.
type reader struct {
	ctx    context.Context
	free   chan *task
	work   chan *task
	stored func(*Log) (bool, error)
	seq    int64
}

func (r *reader) log(l *Log) error {
	if l.Format == nil || l.SameAs != nil {
		return r.send(l, nil, nil, 0, false)
	}
	stored, err := r.stored(l)
	if err != nil {
		return err
	}
	stream, err := l.Source.Open(r.ctx)
	if err != nil {
		return r.send(l, nil, err, 0, stored)
	}
	defer stream.Close()
	counted := &counter{r: stream}
	framer := l.Format.NewFramer(counted)
	for {
		chunk, err := framer.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return r.send(l, nil, err, counted.n, stored)
		}
		if err := r.send(l, chunk, nil, 0, stored); err != nil {
			return err
		}
	}
}

// send hands the next task, or the end of a log, to the workers.
func (r *reader) send(l *Log, c *format.Chunk, err error, read int64, stored bool) error {
	select {
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case t := <-r.free:
		t.seq, t.log, t.chunk, t.err, t.read, t.stored, t.fail = r.seq, l, c, err, read, stored, nil
		r.seq++
		r.work <- t // as roomy as there are tasks
		return nil
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// decode turns the task's chunk into events with their ids and times.
func decode(t *task, en *enrich.Enricher, w worker) {
	t.batch.Reset()
	t.hits, t.out, t.undecoded = t.hits[:0], t.out[:0], 0
	t.first, t.last = event.NoTime, event.NoTime
	if w.mask != nil {
		w.mask.begin(&t.kinds)
	}
	clock := t.log.clock(t.chunk.Offset)
	prefix := t.log.ID
	d := t.log.Format.NewDecoder(&format.Params{Clock: clock, Recover: t.log.recover, Skim: w.skim, Done: func(b *event.Batch) {
		e := b.Event()
		if e.Err != "" {
			t.undecoded++
		}
		if e.Time != event.NoTime {
			if t.first == event.NoTime || e.Time < t.first {
				t.first = e.Time
			}
			t.last = max(t.last, e.Time)
		}
		if !e.Bare {
			e.ID = eventID(b, prefix, e.Offset)
			en.Enrich(b)
		}
		if w.mask != nil {
			w.mask.add(b)
		}
	}})
	t.bytes = d.Decode(t.chunk, &t.batch)
	t.quality = clock.Quality
}

// eventID is the log's content id, a dash, and the record's offset in ten hex
// digits or more: an id that is the same wherever the evidence is read, tells where
// the record is, and sorts as the source does.
func eventID(b *event.Batch, log string, offset int64) string {
	var buf [48]byte
	id := append(append(buf[:0], log...), '-')
	for shift := int64(1 << 36); shift > 0 && offset < shift; shift >>= 4 {
		id = append(id, '0')
		if shift == 1 {
			return b.Bytes(id)
		}
	}
	return b.Bytes(strconv.AppendInt(id, offset, 16))
}

// settle takes a decoded task in order: it books it and passes it on.
func settle(t *task, sink func(*task) error) error {
	l := t.log
	if t.fail != nil {
		return fmt.Errorf("%s: %w", l.path, t.fail)
	}
	a := &l.Account
	a.BytesEvents += t.bytes.Events
	a.BytesSeparators += t.bytes.Structure
	for _, r := range t.bytes.Refusals {
		a.Refuse(r.Reason, r.Length)
		if len(l.Problems) < maxProblems {
			said := fmt.Sprintf("%s: byte %d: %s", l.path, r.Offset, printable(r.Reason))
			if r.Length > 0 { // else it is only worth knowing
				said += fmt.Sprintf("; %d bytes refused", r.Length)
			}
			l.Problems = append(l.Problems, said)
		}
	}
	n := int64(len(t.batch.Events))
	a.Records += n
	a.Undecoded += t.undecoded
	a.Decoded += n - t.undecoded
	l.Quality |= t.quality
	if t.first != event.NoTime {
		if l.First == event.NoTime || t.first < l.First {
			l.First = t.first
		}
		l.Last = max(l.Last, t.last)
	}
	return sink(t)
}

const maxProblems = 20 // of one log; the sums say the rest

// closeBooks ends the account of a log at the end of its stream.
func closeBooks(l *Log, t *task) {
	a := &l.Account
	switch {
	case l.SameAs != nil:
		// Same bytes, same books, but that the case has each record already.
		*a = source.Account{}
		a.Add(l.SameAs.Account)
		a.Decoded, a.Undecoded, a.Duplicate = 0, 0, a.Records
		l.First, l.Last, l.Quality = l.SameAs.First, l.SameAs.Last, l.SameAs.Quality
		return
	case l.Format == nil:
		a.BytesIn = l.Inspection.BytesIn()
		a.Refuse(l.Refused, a.BytesIn)
		return
	}
	a.BytesIn = t.read + l.Inspection.BOM
	a.BytesSeparators += l.Inspection.BOM
	if t.err != nil && l.Inspection.Problem == nil {
		l.Problems = append(l.Problems, l.path+": "+printable(t.err.Error()))
	}
	if t.read != l.Inspection.TextSize {
		l.Problems = append(l.Problems, fmt.Sprintf("%s: changed while it was read: %d bytes first, %d bytes later; investigate a copy", l.path, l.Inspection.TextSize, t.read))
	}
	if err := a.Check(); err != nil {
		l.Problems = append(l.Problems, l.path+": "+err.Error())
	}
}
