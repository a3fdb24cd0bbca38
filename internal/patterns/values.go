package patterns

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/logpattern"
)

// maxValues bounds the different values of a variable that are counted one by
// one; those beyond are counted together.
const maxValues = 50_000

// Value is what stands for a variable, and how often.
type Value struct {
	Value string
	Count int64
}

// Others is the Value that stands for those beyond the bound.
const Others = "(others)"

// Values returns for each variable of a pattern its values among the rows that
// match a filter, most frequent first.
func Values(ctx context.Context, q Querier, p Pattern, filter string) ([][]Value, error) {
	counts := make([]map[string]int64, strings.Count(p.Text, "<*>"))
	for i := range counts {
		counts[i] = map[string]int64{}
	}
	err := q.Query(ctx, "("+filter+") "+p.Filter()+" | fields _msg", func(row []event.Field) error {
		if len(row) == 0 {
			return nil
		}
		values, ok := logpattern.Parameters(p.Text, row[0].Value)
		if !ok || len(values) != len(counts) {
			return nil
		}
		for i, v := range values {
			if _, ok := counts[i][v.Value]; !ok {
				if len(counts[i]) >= maxValues {
					counts[i][Others]++
					continue
				}
				v.Value = strings.Clone(v.Value)
			}
			counts[i][v.Value]++
		}
		return nil
	})
	out := make([][]Value, len(counts))
	for i, c := range counts {
		for v, n := range c {
			out[i] = append(out[i], Value{v, n})
		}
		slices.SortFunc(out[i], func(a, b Value) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	}
	return out, err
}
