package forward

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Case is a case that grows.
type Case interface {
	// Store must be the store of the case.
	Store() store.Store

	// Ledger must be its ledger.
	Ledger() *store.Ledger

	// Progress must say up to which log.offset the store has all of the source
	// that is being stored; writers need not have been flushed to readers.
	Progress() (source string, upTo int64)
}

// The queue of what is yet to be sent is the case itself, and this is where
// sending is in it. What collectors received is stored source after source, and each
// in the order of log.offset: so this is all there is to know, however long a
// receiver is away.
type position struct {
	Receiver  string    `json:"receiver"`
	After     string    `json:"after"`              // the source sent last, as a whole
	Committed time.Time `json:"committed,omitzero"` // when it was
	Source    string    `json:"source,omitempty"`   // the one behind it, of which
	Offset    int64     `json:"offset,omitempty"`   // all up to this log.offset is sent
}

const (
	window  = 2 << 20 // of log.offset: about so many bytes of records are read together
	lookFor = time.Second
)

// Run sends what the case has got and gets, from sources at the path, until
// ctx ends. After a death some events are sent a second time, with the same ids.
func (f *Forwarder) Run(ctx context.Context, c Case, path string) error {
	at, err := f.load(c)
	if err != nil {
		return err
	}
	for {
		more, err := f.round(ctx, c, path, at)
		if err != nil && ctx.Err() == nil {
			f.warn("cannot send on", err)
			more = false
		}
		if ctx.Err() != nil {
			return nil
		}
		if !more && !sleep(ctx, lookFor) {
			return nil
		}
	}
}

// Rest sends what is there now and returns.
func (f *Forwarder) Rest(ctx context.Context, c Case, path string) error {
	at, err := f.load(c)
	if err != nil {
		return err
	}
	for {
		more, err := f.round(ctx, c, path, at)
		if err != nil || !more {
			return err
		}
	}
}

// round sends one source, or as much of the last one as there is, and reports
// whether anything was sent.
func (f *Forwarder) round(ctx context.Context, c Case, path string, at *position) (more bool, err error) {
	// In this order: a source that is committed meanwhile is in the ledger then.
	growing, upTo := c.Progress()
	sources := c.Ledger().After(at.After, at.Committed)
	f.stats.Waiting.Store(int64(len(sources)))
	for _, s := range sources {
		if s.Path == path {
			if err := f.source(ctx, c, at, s.ID, cmp.Or(s.Size, -1)); err != nil {
				return false, err
			}
			more = true
		}
		at.After, at.Committed, at.Source, at.Offset = s.ID, s.Committed, "", 0
		if err := f.save(at); err != nil {
			return false, err
		}
		if s.ID == growing {
			growing = ""
		}
		f.stats.Waiting.Add(-1)
	}
	if growing == "" || growing == at.After || growing == at.Source && at.Offset >= upTo {
		return more, nil
	}
	if err := c.Store().Flush(ctx); err != nil {
		return false, err
	}
	return true, f.source(ctx, c, at, growing, upTo)
}

// source sends the source up to an offset, -1 for its end.
func (f *Forwarder) source(ctx context.Context, c Case, at *position, id string, upTo int64) error {
	if at.Source != id {
		at.Source, at.Offset = id, 0
	}
	of := `{"sextant.source"=` + strconv.Quote(id) + `}`
	if upTo < 0 {
		err := c.Store().Query(ctx, of+" | stats max(log.offset) n", func(row []event.Field) error {
			for _, col := range row {
				if n, err := strconv.ParseInt(col.Value, 10, 64); col.Name == "n" && err == nil {
					upTo = n
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for at.Offset < upTo {
		to := min(at.Offset+window, upTo)
		query, err := store.Narrowed(f.where, fmt.Sprintf("%s log.offset:range(%d, %d]", of, at.Offset, to))
		if err != nil {
			return err
		}
		// All are read before the first is sent: sending may take hours.
		var docs []Document
		err = c.Store().Query(ctx, query, func(row []event.Field) error {
			docs = append(docs, NewDocument(row))
			return nil
		})
		if err != nil {
			return err
		}
		var b batch
		for _, d := range docs {
			if b.add(d) {
				if err := f.Send(ctx, b.docs); err != nil {
					return err
				}
				b.reset()
			}
		}
		if err := f.Send(ctx, b.docs); err != nil {
			return err
		}
		at.Offset = to
		if err := f.save(at); err != nil {
			return err
		}
	}
	return nil
}

func (f *Forwarder) positionPath() string { return filepath.Join(f.dir, "position.json") }

// load reads the position, or makes the first.
func (f *Forwarder) load(c Case) (*position, error) {
	data, err := os.ReadFile(f.positionPath())
	if err == nil {
		at := &position{}
		if err := json.Unmarshal(data, at); err != nil {
			return nil, fmt.Errorf("%s: %w", f.positionPath(), err)
		}
		return at, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	at := &position{Receiver: f.name}
	if !f.start {
		at.Source, at.Offset = c.Progress()
		if all := c.Ledger().After("", time.Time{}); len(all) > 0 {
			last := all[len(all)-1]
			at.After, at.Committed = last.ID, last.Committed
		}
	}
	return at, f.save(at)
}

// save keeps the position.
func (f *Forwarder) save(at *position) error {
	data, err := json.Marshal(at)
	if err == nil {
		err = os.MkdirAll(f.dir, 0o700)
	}
	if err == nil {
		err = replace(f.positionPath(), append(data, '\n'))
	}
	return err
}

// replace gives a file another content, as a whole.
func replace(path string, data []byte) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
