package detect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// Explain says of one detection rule what it looked for in an event and what
// was there.
func (d *Detector) Explain(r *sigma.Rule, e *event.Event) (*sigma.Explanation, error) {
	fields := map[string]any{}
	route := make([]string, d.routes)
	message, rendered := e.Raw, isRendering(e.Raw)
	if rendered {
		message = ""
	}
	for _, f := range e.Fields {
		if rendered && f.Name == "message" {
			continue // likewise made of the other fields
		}
		if use, ok := d.fields[f.Name]; ok && use.route >= 0 && route[use.route] == "" {
			route[use.route] = f.Value
		}
		var value any = f.Value
		if rendered && !ofRecord(f.Name) || isOurs(f.Name) {
			value = sigma.Made(f.Value)
		}
		switch have := fields[f.Name].(type) {
		case nil:
			fields[f.Name] = value
		case []any:
			fields[f.Name] = append(have, value)
		default:
			fields[f.Name] = []any{have, value}
		}
	}
	return d.engine.Explain(r, d.engine.NewMatcher().Route(route...), fields, message)
}

// CorrelationExplanation is what a case has for a correlation rule.
type CorrelationExplanation struct {
	*sigma.CorrelationExplanation
	Records int   // that were looked at
	Untimed int64 // matches that could not be used for want of a time
}

// ExplainCorrelation runs a correlation rule over the records of a store, and says how near it came to matching; if id is not "", in the
// group of the record with that event.id. Memory is bounded: matches beyond a bound go to temporary files.
func (d *Detector) ExplainCorrelation(ctx context.Context, store analyze.Querier, r *sigma.Rule, id string) (*CorrelationExplanation, error) {
	refers := map[*sigma.Rule]bool{}
	for _, other := range d.rules {
		if d.engine.Refers(r, other) {
			refers[other] = true
		}
	}
	filter, err := d.logsOf(refers)
	if err != nil {
		return nil, err
	}
	g, m := d.NewGatherer(), d.NewMatcher()
	defer g.observations.close()
	out := &CorrelationExplanation{}
	var hits []Hit
	err = store.Query(ctx, filter, func(row []event.Field) error {
		out.Records++
		e := Stored(row)
		hits = m.Match(&e, 0, hits[:0])
		for i := range hits {
			if refers[hits[i].Rule] {
				if err := g.observe(&e, &hits[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Untimed = g.untimed
	var failed error
	enough := errors.New("enough")
	observations := func(yield func(sigma.Observation) bool) {
		failed = g.observations.each(func(o decoded) error {
			if !yield(d.observation(o)) {
				return enough
			}
			return ctx.Err()
		})
	}
	sources := slices.AppendSeq([]sigma.SourceID{}, maps.Keys(m.seen))
	out.CorrelationExplanation, err = d.engine.ExplainCorrelation(r, observations, sigma.CorrelationQuestion{Event: id, Sources: sources})
	if failed != nil && failed != enough {
		return nil, failed
	}
	return out, err
}

// logsOf is a query for at least the records of the logs that rules are for: it spares reading the others.
func (d *Detector) logsOf(rules map[*sigma.Rule]bool) (string, error) {
	const everything, most = "*", 100
	mapping, err := sigma.ParseMapping("logsources.yaml", logSources)
	if err != nil {
		return "", err
	}
	var any []string
	for r := range rules {
		if r.Detection == nil {
			continue
		}
		for _, s := range d.engine.SourcesOf(r.LogSource) {
			log := &mapping.Logs[s]
			if len(log.When) == 0 {
				return everything, nil
			}
			for _, when := range log.When {
				all := make([]string, 0, len(when))
				for _, field := range slices.Sorted(maps.Keys(when)) {
					if q := oneOf(field, when[field]); q != "" {
						all = append(all, q)
					}
				}
				if len(all) == 0 {
					return everything, nil
				}
				any = append(any, "("+strings.Join(all, " ")+")")
			}
		}
	}
	slices.Sort(any)
	any = slices.Compact(any)
	switch {
	case len(any) > most:
		return everything, nil
	case len(any) == 0:
		return `"event.id":=""`, nil // no log is any of theirs
	}
	return strings.Join(any, " or "), nil
}

// oneOf is a query for at least the records whose field has one of the values, or "" where that cannot be asked.
func oneOf(field string, values []string) string {
	var any []string
	for _, v := range values {
		if v == "" || strings.ContainsAny(v, "*?\\") {
			return ""
		}
		any = append(any, strconv.Quote(field)+":i("+strconv.Quote(v)+")")
	}
	return "(" + strings.Join(any, " or ") + ")"
}
