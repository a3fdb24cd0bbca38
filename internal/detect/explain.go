package detect

import (
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// Explain says of one detection rule what it looked for in an event and what
// was there.
func (d *Detector) Explain(r *sigma.Rule, e *event.Event) (*sigma.Explanation, error) {
	fields := map[string]any{}
	route := make([]string, d.routes)
	for _, f := range e.Fields {
		if use, ok := d.fields[f.Name]; ok && use.route >= 0 && route[use.route] == "" {
			route[use.route] = f.Value
		}
		switch have := fields[f.Name].(type) {
		case nil:
			fields[f.Name] = f.Value
		case string:
			fields[f.Name] = []any{have, f.Value}
		case []any:
			fields[f.Name] = append(have, f.Value)
		}
	}
	return d.engine.Explain(r, d.engine.NewMatcher().Route(route...), fields, e.Raw)
}
