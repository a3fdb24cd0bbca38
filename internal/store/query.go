package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

// Bounds of a query's text: the engine's parser recurses.
const (
	maxQuery = 1 << 20
	maxNest  = 50_000
)

// timeLayout is how a query names a time to the nanosecond.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// ErrMemory is what a query's error wraps when it has more groups, or rows to
// sort, than the engine may hold in memory.
var ErrMemory = errors.New("too much for memory")

// QueryError says what is wrong with a query's text.
type QueryError struct {
	Query  string
	Offset int    // bytes of Query up to where the parser stopped; -1 when unknown
	What   string // the parser's words
}

// Error is one line, or three where the place is known: the words, the query's
// line, and a caret below the place.
func (e *QueryError) Error() string {
	if e.Offset < 0 || e.Offset > len(e.Query) {
		return "query: " + e.What
	}
	from := strings.LastIndexByte(e.Query[:e.Offset], '\n') + 1
	line, _, _ := strings.Cut(e.Query[from:], "\n")
	before := []rune(e.Query[from:e.Offset])
	after := []rune(line[min(len(line), e.Offset-from):])
	if len(before) > 60 {
		before = append([]rune("…"), before[len(before)-59:]...)
	}
	if len(after) > 20 {
		after = append(after[:19:19], '…')
	}
	show := func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}
	return fmt.Sprintf("query: %s\n  %s\n  %s^", e.What,
		strings.Map(show, string(before)+string(after)), strings.Repeat(" ", len(before)))
}

// parse parses LogsQL as if at the time now.
func parse(logsql string, now int64) (q *logstorage.Query, err error) {
	defer func() {
		if p := recover(); p != nil {
			q, err = nil, &QueryError{logsql, -1, fmt.Sprintf("the engine cannot parse it: %v", p)}
		}
	}()
	if len(logsql) > maxQuery {
		return nil, &QueryError{logsql, -1, fmt.Sprintf("%d bytes are too long, %d are allowed", len(logsql), maxQuery)}
	}
	if n := nesting(logsql); n > maxNest {
		return nil, &QueryError{logsql, -1, fmt.Sprintf("%d brackets, colons and negations are too many, %d are allowed; in(…) takes a list", n, maxNest)}
	}
	if q, err = logstorage.ParseQueryAtTimestamp(logsql, now); err != nil {
		return nil, explain(logsql, err)
	}
	return q, nil
}

// nesting returns how deep the parser may have to recurse for a query, or more.
func nesting(logsql string) (n int) {
	for i := range len(logsql) {
		switch logsql[i] {
		case '(', '{', '[', '!', '-', ':':
			n++
		case 'n', 'N':
			if len(logsql) >= i+3 && strings.EqualFold(logsql[i:i+3], "not") {
				n++
			}
		}
	}
	return n
}

// explain finds in the engine's error where its parser stopped: it ends with
// the last 50 bytes of what was read.
func explain(logsql string, err error) error {
	what, at := err.Error(), -1
	if i := strings.Index(what, "; context: ["); i >= 0 {
		context := what[i+len("; context: ["):]
		what = what[:i]
		if j := strings.Index(context, "]; tail: ["); j >= 0 {
			context = context[:j]
		} else if j := strings.Index(context, "]; context: ["); j >= 0 { // of an outer query
			context = context[:j]
		} else {
			context = strings.TrimSuffix(context, "]")
		}
		if j := strings.LastIndex(logsql, context); j >= 0 && context != "" {
			at = j + len(context)
		}
	}
	return &QueryError{logsql, at, what}
}

func (s *Embedded) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return s.QueryWith(ctx, logsql, QueryOptions{}, fn)
}

func (s *Embedded) QueryWith(ctx context.Context, logsql string, options QueryOptions, fn func(row []event.Field) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	now := time.Now().UnixNano()
	q, err := parse(logsql, now)
	if err != nil {
		return err
	}
	if s.same != nil {
		if q, err = parse(s.same.rewrite(q.String()), now); err != nil {
			return err
		}
	}
	r := &runner{s: s, now: now, fn: fn, left: options.Limit, fixed: q.IsFixedOutputFieldsOrder()}
	if r.left <= 0 {
		r.left = -1
	}
	filter, list, err := plan(q)
	if err != nil {
		return &QueryError{logsql, -1, err.Error()}
	}
	if options.From != 0 || options.Until != 0 {
		from, until := max(minTime, options.From), maxTime-1
		if options.Until != 0 {
			until = min(until, options.Until)
		}
		filter = timeFilter(from, until) + " (" + filter + ")"
	}
	if options.Unsorted {
		err = r.run(ctx, strings.Join(append([]string{filter}, list...), " | "), r.rows)
	} else {
		err = r.runPlan(ctx, filter, list)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// plan is restored for queries that the engine may be unable to read again
// once it has printed them, for which it panics.
func plan(q *logstorage.Query) (filter string, list []string, err error) {
	defer recovered("rewrite", &err)
	filter, list = restored(q)
	return filter, list, nil
}

// count returns the number of rows that a filter finds.
func (s *Embedded) count(ctx context.Context, filter string) (n int64, err error) {
	r := &runner{s: s, now: time.Now().UnixNano()}
	err = r.run(ctx, filter+" | stats count() n", func(db *logstorage.DataBlock) error {
		n, err = strconv.ParseInt(db.GetColumnByName("n").Values[0], 10, 64)
		return err
	})
	if err == nil {
		err = ctx.Err()
	}
	return n, err
}

// errEnough ends a query whose limit is reached.
var errEnough = errors.New("enough rows")

// runner answers one query, in one or more runs of the engine.
type runner struct {
	s     *Embedded
	now   int64
	fn    func(row []event.Field) error
	skip  int64 // rows not to give to fn
	left  int64 // rows still to give, -1 for all
	fixed bool  // the query says which columns come in which order

	row  []event.Field
	cols []int
}

// run has the engine answer a query and gives its blocks to emit, in the
// goroutine of the caller. The query is one that the engine has printed, or
// parts of such.
func (r *runner) run(ctx context.Context, logsql string, emit func(*logstorage.DataBlock) error) error {
	q, err := logstorage.ParseQueryAtTimestamp(logsql, r.now)
	if err != nil {
		return fmt.Errorf("query: internal error: %w in %s", err, logsql)
	}
	ctx, cancel := context.WithCancel(ctx)
	blocks, taken, done := make(chan *logstorage.DataBlock), make(chan struct{}), make(chan error, 1)
	var one = make(chan struct{}, 1) // a lock that a waiting worker leaves when the query ends
	go func() {
		done <- r.engine(ctx, q, func(_ uint, db *logstorage.DataBlock) {
			select {
			case one <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case blocks <- db:
				<-taken
			case <-ctx.Done():
			}
			<-one
		})
	}()
	finished := false
	defer func() { // also when emit panics
		cancel()
		close(taken)
		if !finished {
			<-done
		}
	}()
	for {
		select {
		case db := <-blocks:
			if err := emit(db); err != nil {
				return err
			}
			taken <- struct{}{}
		case err := <-done:
			finished = true
			return err
		}
	}
}

// engine runs a query and returns when all its workers are gone.
func (r *runner) engine(ctx context.Context, q *logstorage.Query, write logstorage.WriteDataBlockFunc) (err error) {
	defer recovered("query", &err)
	var stats logstorage.QueryStats
	qctx := logstorage.NewQueryContext(ctx, &stats, []logstorage.TenantID{{}}, q, false, nil)
	if err := r.s.engineRun(qctx, write); err != nil {
		if strings.Contains(err.Error(), "requires more than") {
			return fmt.Errorf("query: %w: %w", ErrMemory, err)
		}
		return fmt.Errorf("query: %w", err)
	}
	return nil
}

// rows gives the rows of a block to r.fn.
func (r *runner) rows(db *logstorage.DataBlock) error {
	cols := db.GetColumns(false)
	r.cols = r.cols[:0]
	for i := range cols {
		r.cols = append(r.cols, i)
	}
	if !r.fixed {
		slices.SortStableFunc(r.cols, func(a, b int) int { return compareColumns(cols[a].Name, cols[b].Name) })
	}
	for i := range db.RowsCount() {
		if r.skip > 0 {
			r.skip--
			continue
		}
		r.row = r.row[:0]
		for _, c := range r.cols {
			if v := cols[c].Values[i]; v != "" || r.fixed {
				r.row = append(r.row, event.Field{Name: cols[c].Name, Value: v})
			}
		}
		if err := r.fn(r.row); err != nil {
			return err
		}
		if r.left > 0 {
			if r.left--; r.left == 0 {
				return errEnough
			}
		}
	}
	return nil
}

// compareColumns puts _time and _msg first.
func compareColumns(a, b string) int {
	rank := func(name string) int {
		switch name {
		case "_time":
			return 0
		case "_msg":
			return 1
		}
		return 2
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	return strings.Compare(a, b)
}
