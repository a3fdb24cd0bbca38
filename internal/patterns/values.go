package patterns

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
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

// Parameter asks for the values of variables: those of a type, as
// [logpattern.Type] names them, or of the variable with a number, from 1.
type Parameter struct {
	Type     string // "" for any
	Variable int    // 0 for any
	Compare  byte   // '=', '<', '>': the latter by number
	Value    string
}

// ParseParameter reads "ip=192.0.2.7", "2=alice", "number>1000".
func ParseParameter(s string) (p Parameter, err error) {
	i := strings.IndexAny(s, "=<>")
	if i <= 0 || i == len(s)-1 {
		return p, fmt.Errorf("%q: want TYPE=VALUE, or < and > for numbers: ip=192.0.2.7, number>1000; or the number of the variable for its type", s)
	}
	p = Parameter{Type: s[:i], Compare: s[i], Value: s[i+1:]}
	if n, err := strconv.Atoi(p.Type); err == nil {
		p.Type, p.Variable = "", n
	} else if !slices.Contains(logpattern.Types, p.Type) {
		return p, fmt.Errorf("%q is no type; types are %s", p.Type, strings.Join(logpattern.Types, ", "))
	}
	if p.Compare != '=' {
		if _, err := strconv.ParseFloat(p.Value, 64); err != nil {
			return p, fmt.Errorf("%q is no number to compare with", p.Value)
		}
	}
	return p, nil
}

// filter is a LogsQL filter that holds for all messages that may have it.
func (p *Parameter) filter() string {
	if p.Compare != '=' {
		return "*"
	}
	return "_msg:" + strconv.Quote(p.Value)
}

// match returns which variable it is, from 1, or 0.
func (p *Parameter) match(values []logpattern.Parameter) int {
	for i, v := range values {
		if p.Type != "" && v.Type != p.Type || p.Variable != 0 && p.Variable != i+1 {
			continue
		}
		if p.Compare == '=' {
			if v.Value == p.Value {
				return i + 1
			}
			continue
		}
		x, err := strconv.ParseFloat(v.Value, 64)
		limit, _ := strconv.ParseFloat(p.Value, 64)
		if err == nil && (p.Compare == '<' && x < limit || p.Compare == '>' && x > limit) {
			return i + 1
		}
	}
	return 0
}

// Find calls fn with the records of the patterns that have the parameter, by
// time: _time, event.id, the pattern's id, which variable it is, its value, the
// message.
func Find(ctx context.Context, q Querier, ps []Pattern, p Parameter, filter string, fn func(row []event.Field) error) error {
	texts := map[string]*Pattern{}
	for i := range ps {
		for _, id := range append([]string{ps[i].ID}, ps[i].Aliases...) {
			texts[id] = &ps[i]
		}
	}
	query := fmt.Sprintf("(%s) %q:* %s | fields _time, event.id, %q, _msg", filter, Field, p.filter(), Field)
	return q.Query(ctx, query, func(row []event.Field) error {
		var at, id, kind, message string
		for _, f := range row {
			switch f.Name {
			case "_time":
				at = f.Value
			case "event.id":
				id = f.Value
			case Field:
				kind = f.Value
			case "_msg":
				message = f.Value
			}
		}
		of := texts[kind]
		if of == nil {
			return nil
		}
		values, ok := logpattern.Parameters(of.Text, message)
		if !ok {
			return nil
		}
		n := p.match(values)
		if n == 0 {
			return nil
		}
		return fn([]event.Field{{Name: "_time", Value: at}, {Name: "event.id", Value: id}, {Name: Field, Value: of.ID},
			{Name: "variable", Value: strconv.Itoa(n)}, {Name: "type", Value: values[n-1].Type}, {Name: "value", Value: values[n-1].Value}, {Name: "message", Value: message}})
	})
}
