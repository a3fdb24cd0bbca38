package pipeline

import (
	"context"

	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
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
	storers := storers{store: st}
	mining := &mining{dir: dir, miner: logpattern.New()}
	err = pass(ctx, plan.Logs, opt, stages{
		stored: func(*Log) (bool, error) { return false, nil },
		worker: func() worker { return worker{mask: newMasker(), do: func(*task) error { return nil }} },
		sink: func(t *task) error {
			mining.name(&t.batch, &t.kinds)
			return nil
		},
		storer: storers.worker,
		finish: func(*Log) error { return nil },
	})
	if err == nil {
		err = mining.save()
	}
	if err == nil {
		err = storers.flush()
	}
	if err == nil {
		err = st.Flush(ctx)
	}
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return st, plan, nil
}
