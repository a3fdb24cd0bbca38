package store

import (
	"encoding/json"
	"errors"
	"time"
)

// Record is what the ledger holds of one source.
type Record struct {
	ID         string          `json:"id"`               // Source.ID
	Path       string          `json:"path"`             // log.file.path
	SHA256     string          `json:"sha256,omitempty"` // of the whole content
	Size       int64           `json:"size"`             // bytes of that content
	Records    int64           `json:"records"`
	Report     Report          `json:"report"`
	Accounting json.RawMessage `json:"accounting,omitempty"` // the caller's own books
	Started    time.Time       `json:"started,omitzero"`
	Committed  time.Time       `json:"committed,omitzero"` // zero: started and never finished
}

// Ledger is the case's list of sources: which were started and which are in
// the store to the last row. It may be used from several goroutines.
type Ledger struct{}

// Begin notes that rows of the source may be in the store from now on. It
// fails for a source that an earlier run began and Recover has not removed.
func (l *Ledger) Begin(r Record) error { return errors.ErrUnsupported }

// Commit notes that the sources' rows are complete and durable: call it after
// Store.Sync.
func (l *Ledger) Commit(records ...Record) error { return errors.ErrUnsupported }

// Committed returns the record of a source whose rows are all in the store.
func (l *Ledger) Committed(id string) (Record, bool) { return Record{}, false }

// Sources returns the committed sources in order of their ids.
func (l *Ledger) Sources() []Record { return nil }

// Leftovers returns the sources that were begun and never committed, in order of their ids.
func (l *Ledger) Leftovers() []Record { return nil }

// Prefixes returns the committed sources that are smaller than size bytes,
// largest first. A source whose first Size bytes have that SHA-256 is a grown
// log: Size bytes of it are in the store already.
func (l *Ledger) Prefixes(size int64) []Record { return nil }

// SetMeta keeps a value of the case, such as its name, under a key; Meta
// returns it as it was set last.
func (l *Ledger) SetMeta(key, value string) error { return errors.ErrUnsupported }
func (l *Ledger) Meta(key string) string          { return "" }
