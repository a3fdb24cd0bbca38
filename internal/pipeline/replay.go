package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Rows of a source that are held at once when it is read back.
const (
	usualRows = 16_384
	mostRows  = 65_536
)

var errManyRows = errors.New("more rows than are held at once")

// stretches reads those records of a source that a query finds back from the store, in the order of the source, as
// techniques see it when it is decoded: the store gives rows by time, which
// would hide a clock that was set back. It reads stretches of bytes that hold as many
// records as can be sorted in memory.
func stretches(ctx context.Context, st store.Store, query string, r store.Record, fn func(*event.Batch) error) error {
	width := r.Size + 1
	if r.Records > usualRows {
		width = max(1, r.Size/(r.Records/usualRows+1))
	}
	for from := int64(0); ; from += width {
		to := from + width
		if to > r.Size {
			to = 1 << 62 // whatever lies beyond what the ledger says
		}
		if err := stretch(ctx, st, query, r.ID, from, to, fn); err != nil || to > r.Size {
			return err
		}
	}
}

// stretch reads the records that begin at bytes [from, to) of a source.
func stretch(ctx context.Context, st store.Store, query, id string, from, to int64, fn func(*event.Batch) error) error {
	var batch event.Batch
	narrowed, err := store.Narrowed(query, fmt.Sprintf("sextant.source:=%q log.offset:>=%d log.offset:<%d", id, from, to))
	if err != nil {
		return err
	}
	err = st.Query(ctx, narrowed, func(row []event.Field) error {
		if len(batch.Events) >= mostRows && to-from > 1 {
			return errManyRows
		}
		batch.Events = append(batch.Events, detect.Stored(row))
		return nil
	})
	if errors.Is(err, errManyRows) {
		middle := from + (to-from)/2
		if err := stretch(ctx, st, query, id, from, middle, fn); err != nil {
			return err
		}
		return stretch(ctx, st, query, id, middle, to, fn)
	}
	if err != nil || len(batch.Events) == 0 {
		return err
	}
	slices.SortStableFunc(batch.Events, func(a, b event.Event) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Sequence, b.Sequence))
	})
	return fn(&batch)
}
