package pipeline

import (
	"context"
	"io"

	"github.com/sextant-logs/sextant/internal/event"
)

// Parse decodes the evidence and writes one ECS document a line to w, in
// source order. The logs are returned with their books closed.
func Parse(ctx context.Context, opt Options, w io.Writer) (*Plan, error) {
	plan, err := NewPlan(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer plan.Close()
	err = read(ctx, plan.Logs, opt,
		func(*Log) (bool, error) { return false, nil },
		func() worker {
			return worker{do: func(t *task) error {
				for i := range t.batch.Events {
					e := &t.batch.Events[i]
					// Not a field of the event: it is the same for all of a log.
					fields := append(e.Fields, event.Field{Name: "log.file.path", Value: t.log.path})
					e.Fields = fields
					t.out = append(event.AppendJSON(t.out, e), '\n')
				}
				return nil
			}}
		},
		func(t *task) error {
			_, err := w.Write(t.out)
			return err
		},
		func(*Log) error { return nil })
	return plan, err
}
