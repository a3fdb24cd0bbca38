package store

import (
	"context"
	"errors"
	"log/slog"

	"github.com/sextant-logs/sextant/internal/event"
)

// Options configure Open. The zero value of each means the default given with it.
type Options struct {
	// MaxMemory is the memory the whole process aims to stay below, 1 GiB; the
	// engine's caches and query states get a quarter of it. The first Open of
	// a process decides: the engine cannot change it later.
	MaxMemory int64

	// MustExist makes Open fail with fs.ErrNotExist instead of making a new case.
	MustExist bool

	// Log gets what the engine has to say; by default it is dropped below Warn
	// and goes to slog.Default.
	Log *slog.Logger
}

// ErrLocked is what Open's error wraps when another process has the case open.
var ErrLocked = errors.New("the case is open in another process")

// Embedded is the Store of a case directory.
type Embedded struct{ ledger Ledger }

var _ Store = (*Embedded)(nil)

// Open opens the case in dir, or makes it. It fails with a line that says what
// to do when dir is something else, is damaged, or is open elsewhere (ErrLocked).
func Open(dir string, options Options) (*Embedded, error) { return nil, errors.ErrUnsupported }

// Ledger is the case's list of sources.
func (s *Embedded) Ledger() *Ledger { return &s.ledger }

// Recover removes the rows of sources that were begun and never committed, so
// that they can be read again. Call it before the first writer adds.
func (s *Embedded) Recover(ctx context.Context) error { return errors.ErrUnsupported }

func (s *Embedded) NewWriter() Writer { return nil }

func (s *Embedded) Flush(ctx context.Context) error { return errors.ErrUnsupported }

func (s *Embedded) Sync(ctx context.Context) error { return errors.ErrUnsupported }

func (s *Embedded) Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error {
	return s.QueryWith(ctx, logsql, QueryOptions{}, fn)
}

func (s *Embedded) QueryWith(ctx context.Context, logsql string, options QueryOptions, fn func(row []event.Field) error) error {
	return errors.ErrUnsupported
}

func (s *Embedded) Delete(ctx context.Context, sourceIDs []string) error {
	return errors.ErrUnsupported
}

func (s *Embedded) Close() error { return nil }
