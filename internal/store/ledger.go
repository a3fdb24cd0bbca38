package store

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
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
	Started    time.Time       `json:"started,omitzero"`     // set by Begin when zero
	Committed  time.Time       `json:"committed,omitzero"`   // set by Commit when zero; until then the source is unfinished

	nth int // of the commits
}

// Ledger is the case's list of sources: which were begun and which are in the
// store to the last row. It is a file of JSON lines that is only appended to,
// each line on disk before the method that wrote it returns; a line torn by
// the death of the process is as if it had not been written. It may be used
// from several goroutines.
type Ledger struct {
	mu        sync.Mutex
	file      *os.File
	broken    error // why nothing can be appended any more
	begun     map[string]Record
	committed map[string]Record
	leftover  map[string]bool // begun by an earlier run, not committed, rows not removed yet
	meta      map[string]string
	commits   int
}

const ledgerName = "ledger.jsonl"

// ledgerVersion is raised when an older Sextant could not read the case.
const ledgerVersion = 1

// entry is one line of the file. Exactly one of its members is set, but for
// the first line, which has Sextant and Version.
type entry struct {
	Sextant string   `json:"sextant,omitempty"` // "case"
	Version int      `json:"version,omitempty"`
	Begin   *Record  `json:"begin,omitempty"`
	Commit  *Record  `json:"commit,omitempty"`
	Retract []string `json:"retract,omitempty"` // ids that were committed and whose rows are to be removed
	Removed []string `json:"removed,omitempty"` // ids whose rows are no longer in the store
	Key     string   `json:"key,omitempty"`
	Value   string   `json:"value,omitempty"`
}

// openLedger reads the ledger in dir or makes it.
func openLedger(dir string) (*Ledger, error) {
	l := &Ledger{
		begun:     map[string]Record{},
		committed: map[string]Record{},
		leftover:  map[string]bool{},
		meta:      map[string]string{},
	}
	path := filepath.Join(dir, ledgerName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	whole, lines, err := l.read(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// What follows the last whole line is torn: take it away, so that the next
	// line does not become part of it.
	if err := errors.Join(f.Truncate(whole), seek(f, whole)); err != nil {
		f.Close()
		return nil, err
	}
	l.file = f
	for id := range l.begun {
		l.leftover[id] = true
	}
	if lines == 0 {
		if err := l.append(entry{Sextant: "case", Version: ledgerVersion}); err != nil {
			f.Close()
			return nil, err
		}
		syncDir(dir)
	}
	return l, nil
}

func seek(f *os.File, offset int64) error {
	_, err := f.Seek(offset, io.SeekStart)
	return err
}

// read applies all whole lines and returns where the last of them ends.
func (l *Ledger) read(f io.Reader) (whole int64, lines int, err error) {
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return whole, lines, nil
		}
		if err != nil {
			return whole, lines, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			// A torn line is the last one and has no newline; but a file system
			// may have kept the length and lost the bytes, which then are zero.
			if rest, _ := io.ReadAll(r); len(bytes.Trim(rest, "\x00")) == 0 && bytes.IndexByte(line, 0) >= 0 {
				return whole, lines, nil
			}
			return whole, lines, fmt.Errorf("line %d is damaged: %w", lines+1, err)
		}
		lines++
		if lines == 1 && e.Sextant != "case" {
			return whole, lines, errors.New("not the ledger of a Sextant case")
		}
		if e.Version > ledgerVersion {
			return whole, lines, fmt.Errorf("made by a newer Sextant (case version %d, this one knows %d)", e.Version, ledgerVersion)
		}
		l.apply(e)
		whole += int64(len(line))
	}
}

func (l *Ledger) apply(e entry) {
	switch {
	case e.Begin != nil:
		l.begun[e.Begin.ID] = *e.Begin
	case e.Commit != nil:
		delete(l.begun, e.Commit.ID)
		l.commits++
		r := *e.Commit
		r.nth = l.commits
		l.committed[r.ID] = r
	case e.Key != "":
		l.meta[e.Key] = e.Value
	}
	for _, id := range e.Retract {
		if r, ok := l.committed[id]; ok {
			l.begun[id], l.leftover[id] = r, true
			delete(l.committed, id)
		}
	}
	for _, id := range e.Removed {
		delete(l.begun, id)
		delete(l.committed, id)
		delete(l.leftover, id)
	}
}

// append writes the entries in one piece, waits for the disk, and applies them.
func (l *Ledger) append(entries ...entry) error {
	if l.broken != nil {
		return l.broken
	}
	var buf []byte
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		buf = append(append(buf, line...), '\n')
	}
	if _, err := l.file.Write(buf); err == nil {
		err = l.file.Sync()
		if err == nil {
			for _, e := range entries {
				l.apply(e)
			}
			return nil
		}
		l.broken = err
	} else {
		l.broken = err
	}
	// Half a line may be there now; the next one must not be glued to it.
	l.broken = fmt.Errorf("ledger: %w; the case is consistent up to here, run again", l.broken)
	return l.broken
}

func (l *Ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = ErrClosed
	return l.file.Close()
}

// Begin notes that rows of the source may be in the store from now on. It
// fails for a source that is committed, and for one that an earlier run began
// and Recover has not removed.
func (l *Ledger) Begin(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.committed[r.ID]; ok {
		return fmt.Errorf("ledger: source %s (%s) is in the store already", r.ID, r.Path)
	}
	if l.leftover[r.ID] {
		return fmt.Errorf("ledger: source %s (%s) has rows of an interrupted run: Recover first", r.ID, r.Path)
	}
	if r.Started.IsZero() {
		r.Started = time.Now().UTC()
	}
	return l.append(entry{Begin: &r})
}

// Commit notes that the sources' rows are complete and durable: call it after
// Store.Sync. All of them are committed or, with an error, none.
func (l *Ledger) Commit(records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]entry, len(records))
	for i, r := range records {
		if r.Started.IsZero() {
			r.Started = l.begun[r.ID].Started
		}
		if r.Committed.IsZero() {
			r.Committed = time.Now().UTC()
		}
		entries[i] = entry{Commit: &r}
	}
	return l.append(entries...)
}

// retract notes that committed sources are to be removed: from now on they
// are leftovers.
func (l *Ledger) retract(ids []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(entry{Retract: ids})
}

// removed notes that no rows of the sources are in the store.
func (l *Ledger) removed(ids []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(entry{Removed: ids})
}

// Committed returns the record of a source whose rows are all in the store.
func (l *Ledger) Committed(id string) (Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.committed[id]
	return r, ok
}

// Sources returns the committed sources in order of their ids.
func (l *Ledger) Sources() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sorted(l.committed)
}

// Leftovers returns the sources that an earlier run began and did not commit,
// in order of their ids, until Recover removes them: what the store has of
// them is incomplete.
func (l *Ledger) Leftovers() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := map[string]Record{}
	for id := range l.leftover {
		left[id] = l.begun[id]
	}
	return sorted(left)
}

// After returns the sources that were committed after the one with the id, in
// the order of their commits; all of them for "". Where the source is no longer in
// the ledger, they are those committed after the time.
func (l *Ledger) After(id string, committed time.Time) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.committed[id]
	var rs []Record
	for _, r := range l.committed {
		if id == "" || known && r.nth > last.nth || !known && r.Committed.After(committed) {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b Record) int { return cmp.Compare(a.nth, b.nth) })
	return rs
}

func sorted(m map[string]Record) []Record {
	rs := make([]Record, 0, len(m))
	for _, r := range m {
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	return rs
}

// Prefixes returns the committed sources that are smaller than size bytes and
// not empty, largest first. Where the first Size bytes of a new source have
// the SHA256 of one of them, the source is that log grown: what lies before
// Size is in the store.
func (l *Ledger) Prefixes(size int64) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	rs := slices.DeleteFunc(sorted(l.committed), func(r Record) bool {
		return r.Size == 0 || r.Size >= size || r.SHA256 == ""
	})
	slices.SortStableFunc(rs, func(a, b Record) int { return cmp.Compare(b.Size, a.Size) })
	return rs
}

// SetMeta keeps a value of the case, such as its name, under a key that is not empty.
func (l *Ledger) SetMeta(key, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.meta[key]; ok && v == value {
		return nil
	}
	return l.append(entry{Key: key, Value: value})
}

// Meta returns the value that SetMeta kept last under the key, or "".
func (l *Ledger) Meta(key string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.meta[key]
}

// syncDir makes new names in dir durable where the system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
