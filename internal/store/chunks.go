package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/VictoriaMetrics/metrics"
)

// The engine opens a file when it first reads from it, keeps it open, and
// panics when it may not open another. A day has some dozen files for each of
// its parts, one or two for each column once parts are merged, so a query over
// the logs of some years would end the process where it may open 20,000 files.
// Such a query runs over some days at a time, as on the nodes of a cluster, and
// between them the engine is made to close what it has open.

const (
	filesOfDay = 150 // files a query opens for a day mostly: eight small parts, or one large one of 60 columns
	minChunk   = 8   // days
)

// A dayFiles is how many files a day has on disk: while many logs are read, there may be dozens of parts of it.
type dayFiles struct {
	changed time.Time // of the directory of its parts
	files   int
}

// filesOf is how many files a query may open for a day. It looks again where the day has other parts than when it last looked.
func (s *Embedded) filesOf(day string) int {
	dir := filepath.Join(s.dir, engineName, "partitions", day, "datadb")
	info, err := os.Stat(dir)
	if err != nil {
		return 0
	}
	s.days.Lock()
	known, ok := s.files[day]
	s.days.Unlock()
	if ok && known.changed.Equal(info.ModTime()) {
		return known.files
	}
	known = dayFiles{changed: info.ModTime()}
	parts, _ := os.ReadDir(dir)
	for _, p := range parts {
		if p.IsDir() {
			files, _ := os.ReadDir(filepath.Join(dir, p.Name()))
			known.files += len(files)
		}
	}
	s.days.Lock()
	defer s.days.Unlock()
	if s.files == nil {
		s.files = map[string]dayFiles{}
	}
	s.files[day] = known
	return known.files
}

// openReaders counts the files that the engine has open for queries.
var openReaders = metrics.GetOrCreateCounter("vm_fs_readers")

// chunkOf is how many days a query may read at once.
func chunkOf(maxFiles int) int { return max(minChunk, maxFiles/2/filesOfDay) }

// engineRun has the engine answer a query, in chunks where there are many days.
func (s *Embedded) engineRun(qctx *logstorage.QueryContext, write logstorage.WriteDataBlockFunc) error {
	days := daysWithin(s.engine.PartitionList(), qctx.Query)
	chunks := s.chunks(days)
	if len(chunks) <= 1 {
		return s.runSpan(qctx, days, write)
	}
	spans, err := spansOf(days, chunks)
	if err != nil {
		return err
	}
	// What a node of a cluster would be asked, asked for each span.
	var search func(qctx *logstorage.QueryContext, write logstorage.WriteDataBlockFunc) error
	search = func(qctx *logstorage.QueryContext, write logstorage.WriteDataBlockFunc) error {
		runner, err := logstorage.NewNetQueryRunner(qctx, search, write)
		if err != nil {
			return err
		}
		return runner.Run(qctx.Context, qctx.Query.GetConcurrency(), func(stop <-chan struct{}, q *logstorage.Query, write logstorage.WriteDataBlockFunc) error {
			ctx, cancel := context.WithCancel(qctx.Context)
			defer cancel()
			go func() { // ends with ctx, that is with this function
				select {
				case <-stop: // a limit is reached
					cancel()
				case <-ctx.Done():
				}
			}()
			text := q.String()
			for node, span := range spans {
				if ctx.Err() != nil {
					return nil
				}
				if err := s.closeFiles(s.maxFiles / 4); err != nil {
					return err
				}
				part, err := logstorage.ParseQueryAtTimestamp(text, q.GetTimestamp())
				if err != nil {
					return fmt.Errorf("internal error: %w in %s", err, text)
				}
				part.AddExtraFilters(span.filter)
				// The pipes that put the answers together keep one state for each
				// node, which is the worker's number here.
				var one sync.Mutex
				if err := s.runSpan(qctx.WithContextAndQuery(ctx, part), span.days, func(_ uint, db *logstorage.DataBlock) {
					one.Lock()
					defer one.Unlock()
					write(uint(node), db)
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return search(qctx, write)
}

// chunks cuts days into runs that a query may read at once, and makes room for the first.
func (s *Embedded) chunks(days []string) (out [][]string) {
	from, files, most := 0, 0, 0
	for i, day := range days {
		n := s.filesOf(day)
		if i > from && (i-from >= s.chunk || files+n > s.maxFiles/2) {
			out = append(out, days[from:i])
			from, files = i, 0
		}
		files += n
		most = max(most, files)
	}
	if from < len(days) {
		out = append(out, days[from:])
	}
	if len(out) == 1 && most > s.maxFiles/4 {
		s.closeFiles(s.maxFiles/4*3 - most) // it runs all the same if that fails: a broken store says so itself
	}
	return out
}

// daysWithin returns the days that a query may read by the times it asks for.
func daysWithin(days []string, q *logstorage.Query) []string {
	from, to := q.GetFilterTimeRange()
	return slices.DeleteFunc(days, func(name string) bool {
		day, err := dayOf(name)
		return err == nil && (day < from/dayNanos-1 || day > to/dayNanos+1)
	})
}

// runSpan has the engine answer a query that may open files of the days.
func (s *Embedded) runSpan(qctx *logstorage.QueryContext, days []string, write logstorage.WriteDataBlockFunc) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	s.days.Lock()
	for _, name := range days {
		if day, err := dayOf(name); err == nil {
			s.opened[day] = struct{}{}
		}
	}
	s.days.Unlock()
	return s.engine.RunQuery(qctx, write)
}

// span is a stretch of time and the days that have rows in it.
type span struct {
	filter *logstorage.Filter
	days   []string
}

// spansOf cuts all of time into spans of chunks of the days, which are in
// order.
func spansOf(days []string, chunks [][]string) ([]span, error) {
	var out []span
	from := time.Unix(0, minTime).UTC()
	for _, some := range chunks {
		to := time.Unix(0, maxTime).UTC()
		if days = days[len(some):]; len(days) > 0 {
			next, err := time.Parse("20060102", days[0])
			if err != nil {
				return nil, err
			}
			to = next.Add(-1)
		}
		f, err := logstorage.ParseFilter(timeFilter(from.UnixNano(), to.UnixNano()))
		if err != nil {
			return nil, err
		}
		// Before 1970 the engine's days end where their names begin, so a span
		// may look into its neighbour's last.
		out = append(out, span{f, some})
		from = to.Add(1)
	}
	return out, nil
}

// timeFilter is LogsQL for a stretch of time with both ends.
func timeFilter(from, to int64) string {
	return fmt.Sprintf("_time:[%s, %s]", time.Unix(0, from).UTC().Format(timeLayout), time.Unix(0, to).UTC().Format(timeLayout))
}

// closeFiles makes the engine close its files when at least so many are open.
// It does nothing while a query runs: that of another goroutine, or of a caller
// up the stack. The caller holds neither lock.
func (s *Embedded) closeFiles(many int) error {
	if int(openReaders.Get()) < many || !s.reading.TryLock() {
		return nil
	}
	defer s.reading.Unlock()
	s.adding.Lock()
	defer s.adding.Unlock()
	s.days.Lock()
	days := namesOf(s.opened)
	s.days.Unlock()
	return s.reopen(days)
}

// reopen takes days out of the engine and puts them back, whereby their rows
// go from memory to disk and their files are closed. The caller holds s.reading
// and s.adding: rows added meanwhile would be dropped, and a query would miss
// the day.
func (s *Embedded) reopen(days []string) error {
	there := map[string]bool{}
	for _, day := range s.engine.PartitionList() {
		there[day] = true
	}
	days = slices.DeleteFunc(days, func(day string) bool { return !there[day] })
	err := inParallel(days, func(day string) error {
		if err := s.engine.PartitionDetach(day); err != nil {
			return err
		}
		return s.engine.PartitionAttach(day)
	})
	if err != nil {
		// A day may be missing now, and the engine drops what is added to it.
		err = fmt.Errorf("the store has lost a day it had open: %w; open the case again", err)
		s.broken.CompareAndSwap(nil, &err)
		return err
	}
	s.days.Lock()
	defer s.days.Unlock()
	for _, name := range days {
		if day, err := dayOf(name); err == nil {
			delete(s.opened, day)
			delete(s.dirty, day)
		}
	}
	return nil
}

// namesOf returns the engine's names of days.
func namesOf(days map[int64]struct{}) []string {
	names := make([]string, 0, len(days))
	for day := range days {
		names = append(names, time.Unix(0, day*dayNanos).UTC().Format("20060102"))
	}
	return names
}

func dayOf(name string) (int64, error) {
	t, err := time.Parse("20060102", name)
	return t.Unix() / int64(24*time.Hour/time.Second), err
}

// inParallel calls fn for each day, several at the same time, since most of
// the work is waiting for the disk.
func inParallel(days []string, fn func(day string) error) error {
	next := make(chan string, len(days))
	for _, day := range days {
		next <- day
	}
	close(next)
	one := func() (err error) {
		defer recovered("partition", &err)
		for day := range next {
			if err := fn(day); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, min(8, len(days)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = one() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
