package store

import (
	"context"
	"fmt"
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
	filesOfDay = 150 // files a query opens for a day: eight small parts, or one large one of 60 columns
	minChunk   = 8   // days
)

// openReaders counts the files that the engine has open for queries.
var openReaders = metrics.GetOrCreateCounter("vm_fs_readers")

// chunkOf is how many days a query may read at once.
func chunkOf(maxFiles int) int { return max(minChunk, maxFiles/2/filesOfDay) }

// engineRun has the engine answer a query, in chunks where there are many days.
func (s *Embedded) engineRun(qctx *logstorage.QueryContext, write logstorage.WriteDataBlockFunc) error {
	days := s.engine.PartitionList()
	if len(days) <= s.chunk {
		s.reading.RLock()
		defer s.reading.RUnlock()
		return s.engine.RunQuery(qctx, write)
	}
	spans, err := spansOf(days, s.chunk)
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
				if err := s.closeFiles(); err != nil {
					return err
				}
				part, err := logstorage.ParseQueryAtTimestamp(text, q.GetTimestamp())
				if err != nil {
					return fmt.Errorf("internal error: %w in %s", err, text)
				}
				part.AddExtraFilters(span)
				// The pipes that put the answers together keep one state for each
				// node, which is the worker's number here.
				var one sync.Mutex
				if err := s.runSpan(qctx.WithContextAndQuery(ctx, part), func(_ uint, db *logstorage.DataBlock) {
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

func (s *Embedded) runSpan(qctx *logstorage.QueryContext, write logstorage.WriteDataBlockFunc) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	return s.engine.RunQuery(qctx, write)
}

// spansOf cuts all of time into stretches that have at most n of the days,
// which are in order.
func spansOf(days []string, n int) ([]*logstorage.Filter, error) {
	var out []*logstorage.Filter
	from := time.Unix(0, minTime).UTC()
	for len(days) > 0 {
		to := time.Unix(0, maxTime).UTC()
		days = days[min(n, len(days)):]
		if len(days) > 0 {
			next, err := time.Parse("20060102", days[0])
			if err != nil {
				return nil, err
			}
			// Before 1970 the engine's days end where their names begin; which
			// day a row is in matters for the number of files only.
			to = next.Add(-1)
		}
		f, err := logstorage.ParseFilter(timeFilter(from.UnixNano(), to.UnixNano()))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
		from = to.Add(1)
	}
	return out, nil
}

// timeFilter is LogsQL for a stretch of time with both ends.
func timeFilter(from, to int64) string {
	const layout = "2006-01-02T15:04:05.000000000Z"
	return fmt.Sprintf("_time:[%s, %s]", time.Unix(0, from).UTC().Format(layout), time.Unix(0, to).UTC().Format(layout))
}

// closeFiles makes the engine close its files when it has opened many of those
// it may, which it does for days that are taken away and put back. It does
// nothing while a query runs: that of another goroutine, or of a caller up the
// stack.
func (s *Embedded) closeFiles() error {
	if int(openReaders.Get()) < s.maxFiles/4 || !s.reading.TryLock() {
		return nil
	}
	defer s.reading.Unlock()
	s.adding.Lock()
	defer s.adding.Unlock()
	return s.closeFilesLocked()
}

// closeFilesLocked is closeFiles for who holds s.reading and s.adding.
func (s *Embedded) closeFilesLocked() error {
	for _, day := range s.engine.PartitionList() {
		if err := s.engine.PartitionDetach(day); err != nil {
			return err
		}
		if err := s.engine.PartitionAttach(day); err != nil {
			return err
		}
	}
	return nil
}
