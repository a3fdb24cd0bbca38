package collect

import (
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/spool"
)

// grouped gathers records that arrive together by the log that each is of, so
// that a log's format is found from all its records at hand.
type grouped struct {
	order []*group
	of    map[string]*group

	records int
}

type group struct {
	path, format string
	records      []spool.Record
}

func (g *grouped) add(r spool.Record, path, format, key string) {
	if g.of == nil {
		g.of = map[string]*group{}
	}
	in := g.of[key]
	if in == nil {
		in = &group{path: path, format: format}
		g.of[key] = in
		g.order = append(g.order, in)
	}
	in.records = append(in.records, r)
}

// deliveries returns one delivery like d for each group.
func (g *grouped) deliveries(like *spool.Delivery) []*spool.Delivery {
	var ds []*spool.Delivery
	for _, in := range g.order {
		d := *like
		d.Path, d.Records = in.path, in.records
		if in.format != "" {
			d.Format = in.format
		}
		ds = append(ds, &d)
	}
	return ds
}

func sortFields(fs []spool.Field) {
	slices.SortFunc(fs, func(a, b spool.Field) int { return strings.Compare(a.Name, b.Name) })
}
