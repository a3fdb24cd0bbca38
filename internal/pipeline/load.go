package pipeline

import (
	"context"

	"github.com/sextant-logs/sextant/internal/store"
)

// Load reads all evidence into a new store in dir, without rules or
// techniques, so that queries can be asked of logs that are in no case. The
// caller closes the store and removes dir.
func Load(ctx context.Context, opt Options, dir string) (*store.Embedded, *Plan, error) {
	plan, err := NewPlan(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer plan.Close()
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	err = read(ctx, plan.Logs, opt,
		func(*Log) (bool, error) { return false, nil },
		func() worker {
			writer := st.NewWriter()
			return worker{do: func(t *task) error {
				src := store.Source{ID: t.log.ID, Path: t.log.path, Fallback: t.log.fallback()}
				if err := writer.Add(&src, t.batch.Events); err != nil {
					return err
				}
				return writer.Flush()
			}}
		},
		func(*task) error { return nil },
		func(*Log) error { return nil })
	if err == nil {
		err = st.Flush(ctx)
	}
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return st, plan, nil
}
