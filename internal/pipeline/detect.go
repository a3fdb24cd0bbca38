package pipeline

import (
	"context"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
)

// Detect decodes the evidence, runs the rules over it, and writes one JSON
// document for each match to w: in source order, correlations last.
func Detect(ctx context.Context, opt Options, rules detect.Options, w io.Writer) (*Plan, *detect.Summary, error) {
	detector, err := detect.Load(rules)
	if err != nil {
		return nil, nil, err
	}
	plan, err := NewPlan(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer plan.Close()
	run := &investigation{detector: detector, gatherer: detector.NewGatherer()}
	err = read(ctx, plan.Logs, opt,
		func(*Log) (bool, error) { return false, nil },
		func() worker {
			matcher := detector.NewMatcher()
			run.keep(matcher)
			return worker{skim: matcher.Skim, do: func(t *task) error {
				t.hits = matcher.MatchBatch(&t.batch, t.hits)
				for _, h := range t.hits {
					if !h.Silent {
						e := &t.batch.Events[h.Event]
						t.out = appendMatch(t.out, e, t.log.path, h)
					}
				}
				return nil
			}}
		},
		func(t *task) error {
			if err := run.gatherer.Correlate(&t.batch, t.hits); err != nil {
				return err
			}
			_, err := w.Write(t.out)
			return err
		},
		func(*Log) error { return nil })
	if err != nil {
		return nil, nil, err
	}
	for _, m := range run.matchers {
		run.gatherer.Saw(m)
	}
	err = run.gatherer.Correlations(ctx, func(c detect.Correlation) error {
		_, err := w.Write(appendCorrelation(nil, c))
		return err
	})
	summary := run.gatherer.Summary()
	return plan, &summary, err
}

// appendMatch writes one match of a rule as a line of JSON.
func appendMatch(dst []byte, e *event.Event, path string, h detect.Hit) []byte {
	fs := detect.RuleFields(h.Told)
	fs = append(fs, event.Field{Name: "log.file.path", Value: path}, event.Field{Name: "log.offset", Value: itoa(e.Offset), Kind: event.Number},
		event.Field{Name: "event.id", Value: e.ID}, event.Field{Name: "message", Value: e.Message()})
	if e.Sequence != 0 {
		fs = append(fs, event.Field{Name: "event.sequence", Value: itoa(e.Sequence), Kind: event.Number})
	}
	if e.Time != event.NoTime {
		fs = append(fs, event.Field{Name: "@timestamp", Value: stamp(e.Time)})
	}
	for _, f := range e.Fields {
		switch f.Name {
		case "event.dataset", "host.name", "user.name", "source.ip", "destination.ip", "process.name", "process.executable",
			"process.command_line", "event.code", "event.outcome", "winlog.channel", "winlog.event_id":
			fs = append(fs, f)
		}
	}
	return append(event.AppendFieldsJSON(dst, fs), '\n')
}

// appendCorrelation writes one match of a correlation rule as a line of JSON.
func appendCorrelation(dst []byte, c detect.Correlation) []byte {
	fs := detect.RuleFields(c.Rule)
	fs = append(fs, event.Field{Name: "@timestamp", Value: stamp(c.Last)},
		event.Field{Name: "event.start", Value: stamp(c.First)}, event.Field{Name: "event.end", Value: stamp(c.Last)})
	for _, g := range c.Group {
		fs = append(fs, event.Field{Name: "group." + strings.ReplaceAll(g.Field, ".", "_"), Value: g.Value})
	}
	var ids []byte
	for i, id := range c.Events {
		if i > 0 {
			ids = append(ids, ',')
		}
		ids = event.AppendQuoted(ids, id)
	}
	fs = append(fs, event.Field{Name: "related.events", Value: "[" + string(ids) + "]", Kind: event.JSON})
	return append(event.AppendFieldsJSON(dst, fs), '\n')
}
