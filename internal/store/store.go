// Package store keeps the events of a case and answers LogsQL over them.
//
// [Open] gives the store of a case directory: VictoriaLogs' storage engine
// embedded in this process, so that no server is needed.
//
//	s, err := store.Open("case", store.Options{})
//	if err != nil { … }
//	defer s.Close()
//	err = s.Recover(ctx)                       // removes what a killed run left behind
//	if _, done := s.Ledger().Committed(id); !done {
//		err = s.Ledger().Begin(store.Record{ID: id, Path: path})
//		w := s.NewWriter()                 // one for each goroutine
//		err = w.Add(&store.Source{ID: id, Path: path, Fallback: modTime}, batch.Events)
//		err = w.Flush()
//		err = s.Sync(ctx)                  // once for many sources
//		err = s.Ledger().Commit(store.Record{ID: id, Path: path, SHA256: sum, …})
//	}
//	err = s.Query(ctx, `event.outcome:failure | stats by (user.name) count() n`, print)
//
// # Rows
//
// An event becomes one row. Its columns, all text as the engine has it:
//
//	_time             the event's time; its source's Fallback when it has none, see sextant.time
//	_msg              message, or the raw record where there is none
//	event.original    the raw record, where it differs from _msg; see below
//	event.id          as given
//	error.message     why no decoder understood the record
//	log.file.path     Source.Path
//	log.offset        byte offset; event.sequence: record number
//	sextant.source    Source.ID
//	sextant.time      "none" when the event has no time, "out of range" when the engine cannot hold it,
//	                  "too many days" beyond Options.MaxDays; sextant.time.original then keeps it
//	sextant.renamed   JSON object: column name to the field's own name, for names the engine cannot hold
//	sextant.overflow  JSON object with the fields that did not fit into columns
//	sextant.cut       names of columns that were cut because the row would not fit, as a JSON array
//
// and every other field under its own name. A field with several values is a
// JSON array of strings in one column, as LogsQL's json_array functions read
// it; a field with one value is that value alone, also where ECS calls it an
// array, so that event.category:=authentication finds it and a word filter
// finds both. The engine knows no empty values: an empty field is no field.
//
// Fields whose name is one of the columns above or the engine's own get the
// prefix "original.", as in original._time.
//
// Where a record ends with its message, as in syslog, only what stands before
// the message is kept, in the column sextant.head: this saves a fifth of the
// work and a quarter of the disk. Queries that give whole rows or that name
// event.original get it back, so nobody has to know; to look for words, _msg is
// faster.
package store

import (
	"context"

	"github.com/sextant-logs/sextant/internal/event"
)

// Store is a place that keeps events and answers LogsQL over them. All
// methods but Close may be called from several goroutines.
type Store interface {
	// NewWriter must give a Writer that shares nothing with others.
	NewWriter() Writer

	// Flush must make every row that writers have flushed visible to Query.
	Flush(ctx context.Context) error

	// Sync must Flush and return only after these rows survive the death of
	// the process. It is made for every few seconds, not for every batch.
	Sync(ctx context.Context) error

	// Query must run any LogsQL query over all times and call fn with each
	// row, from the calling goroutine, in the query's order; without one, in
	// the order of QueryOptions. Fields are valid during the call only. An
	// error of fn ends the query and is returned. It does not see rows that
	// are not flushed.
	Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error

	// QueryWith is Query with options.
	QueryWith(ctx context.Context, logsql string, options QueryOptions, fn func(row []event.Field) error) error

	// Delete must remove all rows of the sources with the given ids and
	// return when no query sees them. No writer may add while it runs.
	Delete(ctx context.Context, sourceIDs []string) error

	// Close must make all flushed rows durable. Further calls do nothing.
	Close() error
}

// Writer turns events into rows. It belongs to one goroutine.
type Writer interface {
	// Add must take all the events or fail; it keeps nothing of them.
	Add(source *Source, events []event.Event) error

	// Flush must hand all added rows to the store. Unflushed rows are lost.
	Flush() error

	// Report must tell what was changed to fit so far.
	Report() Report
}

// Source says where a writer's events come from.
type Source struct {
	ID       string // sextant.source: 24 hex characters of the content's SHA-256
	Path     string // log.file.path
	Fallback int64  // ns since the epoch: the _time of events without one, usually the file's last change
}

// Report counts rows and what had to be done so that the engine takes them.
// Nothing is ever dropped: each count is of rows stored, changed as said.
type Report struct {
	Rows       int64 `json:"rows"`                   // rows handed to the store
	NoTime     int64 `json:"no_time,omitempty"`      // stored at the source's fallback time
	OutOfRange int64 `json:"out_of_range,omitempty"` // their time is one the engine cannot hold, or of one day too many: stored at the fallback time
	Renamed    int64 `json:"renamed,omitempty"`      // had a field whose name the engine cannot hold
	Overflowed int64 `json:"overflowed,omitempty"`   // had more fields than the engine has columns
	Cut        int64 `json:"cut,omitempty"`          // had values cut because the row was longer than the engine can hold
}

// Add adds the counts of b to r.
func (r *Report) Add(b Report) {
	r.Rows += b.Rows
	r.NoTime += b.NoTime
	r.OutOfRange += b.OutOfRange
	r.Renamed += b.Renamed
	r.Overflowed += b.Overflowed
	r.Cut += b.Cut
}

// QueryOptions shape a query's answer. The zero value is Query's default: all
// rows, in a deterministic order.
type QueryOptions struct {
	// Limit ends the answer after so many rows; 0 means no limit.
	Limit int64

	// From and Until bound _time, in ns since the epoch, both ends included; 0
	// for no bound.
	From, Until int64

	// Unsorted takes rows as the engine finds them, in no order at all. By
	// default, rows of a query that defines no order come by _time, then
	// sextant.source, log.offset, event.sequence, event.id, in bounded memory
	// however many they are.
	Unsorted bool
}
