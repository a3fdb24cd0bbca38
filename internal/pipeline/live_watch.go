package pipeline

import (
	"context"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/store"
)

// watch has the analysis techniques look at a live case. They need days to know
// what is usual, so they look at more than the window: at History. What they
// found is asked of them now and then; while they work on that, what arrives waits
// for them, and the store does not wait.
type watch struct {
	set     *analyze.Set
	waiting [][]any // digests that came meanwhile
	busy    bool
	dirty   bool // there is something new
	took    time.Duration
	taken   time.Time
	done    chan watched

	found []analyze.Finding
	stale map[string]bool // keys of what was found at first and is older than the window
	first bool
}

type watched struct {
	findings []analyze.Finding
	err      error
	took     time.Duration
}

const (
	watchEvery = 15 * time.Second
	watchIdle  = 5 * time.Minute // also when nothing comes, which may be strange by itself
	watchCost  = 20              // at most one part in so many of the time goes into asking
	maxWaiting = 256             // batches that may wait
)

func newWatch() *watch {
	set := analyze.NewSet(0)
	set.Live()
	return &watch{set: set, done: make(chan watched, 1), stale: map[string]bool{}, first: true}
}

// results is where what the techniques found comes from.
func (w *watch) results() <-chan watched {
	if w == nil {
		return nil
	}
	return w.done
}

// take gives the techniques a digest. It blocks when they are too far behind.
func (w *watch) take(digests []any) {
	w.dirty = true
	if !w.busy {
		w.set.Merge(digests)
		return
	}
	w.waiting = append(w.waiting, digests)
	if len(w.waiting) >= maxWaiting {
		r := <-w.done
		w.caught(r)
		w.done <- r
		w.busy = true // what was found is still to be collected
	}
}

// caught lets the techniques catch up.
func (w *watch) caught(watched) {
	for _, d := range w.waiting {
		w.set.Merge(d)
	}
	w.waiting, w.busy = nil, false
}

// ask has the techniques say what they found, if it is time to. Prepare tells them
// before what they want to know.
func (w *watch) ask(ctx context.Context, st store.Store, prepare func(*analyze.Set)) {
	if w.busy || !w.dirty && time.Since(w.taken) < watchIdle || !w.first && time.Since(w.taken) < max(watchEvery, watchCost*w.took) {
		return
	}
	w.busy, w.dirty = true, false
	go func() {
		began := time.Now()
		err := st.Flush(ctx)
		var r watched
		if err == nil {
			prepare(w.set)
			r.findings, _, err = w.set.Findings(ctx, st)
		}
		r.err, r.took = err, time.Since(began)
		w.done <- r
	}()
}

// collect takes what the techniques found. Since is when the window begins.
func (w *watch) collect(r watched, since int64) error {
	w.caught(r)
	w.took, w.taken = r.took, time.Now()
	if r.err != nil {
		return r.err
	}
	w.found = w.found[:0:0]
	for i := range r.findings {
		f := &r.findings[i]
		if w.first && f.Last < since {
			w.stale[keyOf(f)] = true
		}
		if f.Last >= since || !w.stale[keyOf(f)] {
			w.found = append(w.found, *f)
		}
	}
	w.first = false
	return nil
}

// end waits until nothing is at work.
func (w *watch) end() {
	if w.busy {
		<-w.done
		w.busy = false
	}
}
