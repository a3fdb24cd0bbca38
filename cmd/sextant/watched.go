package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
)

// watched is a store that says on a terminal, while a question to it takes long, how
// long the command has been at it and how many rows it got.
type watched struct {
	store.Store
	bar   *progress
	quiet bool // rows may go to the same terminal: say nothing once there are any
	began time.Time

	mu     sync.Mutex
	asking int   // how many questions are under way
	rows   int64 // of all questions
	silent bool  // of the one under way rows have come, and quiet
	stop   chan struct{}
	ended  chan struct{}
}

// patience is how long a command may take before it says that it is at work.
const patience = time.Second

// watch returns the store itself where no terminal would show anything.
func watch(st store.Store, out, diagnostics io.Writer) store.Store {
	bar := newProgress(diagnostics)
	if !bar.enabled {
		return st
	}
	w := &watched{Store: st, bar: bar, quiet: isTerminal(out), began: time.Now(), stop: make(chan struct{}), ended: make(chan struct{})}
	go w.tell()
	return w
}

func (w *watched) tell() {
	defer close(w.ended)
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.mu.Lock()
			if spent := time.Since(w.began); w.asking > 0 && !w.silent && spent >= patience {
				w.bar.say(watchedLine(spent, w.rows))
			}
			w.mu.Unlock()
		}
	}
}

func watchedLine(spent time.Duration, rows int64) string {
	s := "asking the case: " + spent.Truncate(time.Second).String()
	if rows > 0 {
		s += fmt.Sprintf(", %s rows so far", prose.Number(rows))
	}
	return s
}

func (w *watched) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return w.QueryWith(ctx, logsql, store.QueryOptions{}, fn)
}

func (w *watched) QueryWith(ctx context.Context, logsql string, options store.QueryOptions, fn func(row []event.Field) error) error {
	w.mu.Lock()
	w.asking++
	w.mu.Unlock()
	n, told := int64(0), int64(0)
	first := true
	count := func() {
		w.mu.Lock()
		w.rows += n - told
		told = n
		if w.quiet && first {
			w.silent = true
			w.bar.clear()
		}
		first = false
		w.mu.Unlock()
	}
	err := w.Store.QueryWith(ctx, logsql, options, func(row []event.Field) error {
		if n++; first || n&1023 == 0 {
			count()
		}
		return fn(row)
	})
	count()
	w.mu.Lock()
	if w.asking--; w.asking == 0 {
		w.silent = false
		w.bar.clear()
	}
	w.mu.Unlock()
	return err
}

func (w *watched) Close() error {
	close(w.stop)
	<-w.ended
	w.bar.clear()
	return w.Store.Close()
}
