package sigma

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ruleReader turns one document into a Rule. line is where it is reading, for errors.
type ruleReader struct {
	rule *Rule
	line int
}

func (r *ruleReader) read(root *yaml.Node) error {
	u := r.rule
	r.line = root.Line
	// Names first, so that an error anywhere can say which rule it is in.
	for key, dst := range map[string]*string{"title": &u.Title, "id": &u.ID, "name": &u.Name} {
		if n := lookup(root, key); n != nil && n.Kind == yaml.ScalarNode {
			*dst = n.Value
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		r.line = k.Line
		if k.Kind != yaml.ScalarNode {
			return errors.New("a rule's attribute names must be plain text")
		}
		if seen[k.Value] {
			return fmt.Errorf("attribute %q is given twice", k.Value)
		}
		seen[k.Value] = true
		var err error
		switch k.Value {
		case "title":
			u.Title, err = r.text(v)
		case "id":
			u.ID, err = r.text(v)
		case "name":
			u.Name, err = r.text(v)
		case "related":
			err = r.related(v)
		case "taxonomy":
			u.Taxonomy, err = r.text(v)
		case "status":
			u.Status, err = r.text(v)
		case "description":
			u.Description, err = r.text(v)
		case "license":
			u.License, err = r.text(v)
		case "author":
			var authors []string
			authors, err = r.texts(v)
			u.Author = strings.Join(authors, ", ")
		case "reference", "references":
			u.References, err = r.texts(v)
		case "date":
			u.Date, err = r.text(v)
		case "modified":
			u.Modified, err = r.text(v)
		case "logsource":
			err = r.logSource(v)
		case "fields":
			u.Fields, err = r.texts(v)
		case "falsepositives":
			u.FalsePositives, err = r.texts(v)
		case "level":
			var s string
			if s, err = r.text(v); err == nil {
				u.Level, err = ParseLevel(strings.ToLower(s))
			}
		case "tags":
			u.Tags, err = r.texts(v)
		case "scope":
			u.Scope, err = r.texts(v)
		case "detection":
			u.Detection = &Detection{}
			err = r.detection(v, u.Detection)
		case "correlation":
			u.Correlation = &Correlation{}
			err = r.correlation(v)
		case "generate": // at the top level in the specification's schema, inside correlation in its tools
			continue
		case "filter":
			u.Filter = &Filter{}
			err = r.filter(v)
		default:
			if u.Custom == nil {
				u.Custom = map[string]*yaml.Node{}
			}
			u.Custom[k.Value] = v
		}
		if err != nil {
			return err
		}
	}
	r.line = root.Line
	sections := 0
	for _, has := range []bool{u.Detection != nil, u.Correlation != nil, u.Filter != nil} {
		if has {
			sections++
		}
	}
	switch {
	case sections == 0:
		return errors.New("not a Sigma rule: none of detection, correlation, filter")
	case sections > 1:
		return errors.New("a rule has only one of detection, correlation, filter")
	}
	if n := lookup(root, "generate"); n != nil && u.Correlation != nil {
		r.line = n.Line
		return r.boolean(n, &u.Correlation.Generate)
	}
	return nil
}

func (r *ruleReader) text(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		r.line = n.Line
		return "", errors.New("want plain text here, not a list or map")
	}
	if n.ShortTag() == "!!null" {
		return "", nil
	}
	return n.Value, nil
}

// texts reads a list of strings; a single string is a list of one.
func (r *ruleReader) texts(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		s, err := r.text(n)
		if s == "" || err != nil {
			return nil, err
		}
		return []string{s}, nil
	}
	out := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		s, err := r.text(c)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (r *ruleReader) boolean(n *yaml.Node, dst *bool) error {
	switch strings.ToLower(n.Value) {
	case "true", "yes":
		*dst = true
	case "false", "no":
		*dst = false
	default:
		r.line = n.Line
		return fmt.Errorf("want true or false, not %q", n.Value)
	}
	return nil
}

// pairs calls f for each key and value of a map.
func (r *ruleReader) pairs(n *yaml.Node, what string, f func(k string, v *yaml.Node) error) error {
	r.line = n.Line
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("%s must be a map", what)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		r.line = n.Content[i].Line
		if n.Content[i].Kind != yaml.ScalarNode {
			return fmt.Errorf("%s: a name must be plain text", what)
		}
		if err := f(n.Content[i].Value, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *ruleReader) related(n *yaml.Node) error {
	r.line = n.Line
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return errors.New("related must be a list of maps")
	}
	for _, c := range n.Content {
		var rel Related
		err := r.pairs(c, "related", func(k string, v *yaml.Node) (err error) {
			switch k {
			case "id":
				rel.ID, err = r.text(v)
			case "type":
				rel.Type, err = r.text(v)
			}
			return err
		})
		if err != nil {
			return err
		}
		r.rule.Related = append(r.rule.Related, rel)
	}
	return nil
}

func (r *ruleReader) logSource(n *yaml.Node) error {
	l := &r.rule.LogSource
	return r.pairs(n, "logsource", func(k string, v *yaml.Node) (err error) {
		switch k {
		case "category":
			l.Category, err = r.text(v)
		case "product":
			l.Product, err = r.text(v)
		case "service":
			l.Service, err = r.text(v)
		case "definition":
			l.Definition, _ = r.text(v)
		}
		return err
	})
}

func (r *ruleReader) detection(n *yaml.Node, d *Detection) error {
	start := n.Line
	err := r.pairs(n, "detection", func(k string, v *yaml.Node) (err error) {
		switch k {
		case "condition":
			d.conditionLine = v.Line
			d.Conditions, err = r.texts(v)
			return err
		case "timeframe": // of the aggregations that correlations replaced; without one it means nothing
			return nil
		}
		if slices.ContainsFunc(d.Searches, func(s Search) bool { return s.Name == k }) {
			return fmt.Errorf("search %q is given twice", k)
		}
		s := Search{Name: k, Line: r.line}
		if s.Alternatives, err = r.alternatives(v); err != nil {
			return err
		}
		d.Searches = append(d.Searches, s)
		return nil
	})
	if err != nil {
		return err
	}
	r.line = start
	if len(d.Conditions) == 0 {
		return errors.New("detection has no condition")
	}
	if len(d.Searches) == 0 {
		return errors.New("detection has no search")
	}
	return nil
}

// alternatives reads a search: a map, a list of maps, a list of keywords, a mixture, or one keyword.
func (r *ruleReader) alternatives(n *yaml.Node) ([]Alternative, error) {
	switch n.Kind {
	case yaml.MappingNode:
		a, err := r.alternative(n)
		return []Alternative{a}, err
	case yaml.SequenceNode:
		var out []Alternative
		keywords := -1 // index of the alternative that gathers the plain values
		for _, c := range n.Content {
			r.line = c.Line
			switch c.Kind {
			case yaml.MappingNode:
				a, err := r.alternative(c)
				if err != nil {
					return nil, err
				}
				out = append(out, a)
			case yaml.ScalarNode:
				v, err := r.value(c)
				if err != nil {
					return nil, err
				}
				if keywords < 0 {
					keywords = len(out)
					out = append(out, Alternative{Items: []Item{{Line: c.Line}}})
				}
				it := &out[keywords].Items[0]
				it.Values = append(it.Values, v)
			default:
				return nil, errors.New("a list inside a search's list has no meaning in Sigma")
			}
		}
		if len(out) == 0 {
			r.line = n.Line
			return nil, errors.New("empty search")
		}
		return out, nil
	}
	v, err := r.value(n)
	if err == nil && v.Kind == NullValue {
		err = errors.New("empty search")
	}
	return []Alternative{{Items: []Item{{Line: n.Line, Values: []Value{v}}}}}, err
}

func (r *ruleReader) alternative(n *yaml.Node) (Alternative, error) {
	var a Alternative
	seen := map[string]bool{}
	err := r.pairs(n, "search", func(k string, v *yaml.Node) error {
		if seen[k] {
			return fmt.Errorf("%q is given twice in one map", k)
		}
		seen[k] = true
		parts := strings.Split(k, "|")
		it := Item{Field: parts[0], Modifiers: parts[1:], Line: r.line}
		values := []*yaml.Node{v}
		switch v.Kind {
		case yaml.SequenceNode:
			values = v.Content
			if len(values) == 0 {
				return fmt.Errorf("%q has an empty list", k)
			}
		case yaml.MappingNode:
			return fmt.Errorf("%q has a map as value", k)
		}
		for _, c := range values {
			x, err := r.value(c)
			if err != nil {
				return err
			}
			it.Values = append(it.Values, x)
		}
		a.Items = append(a.Items, it)
		return nil
	})
	if err == nil && len(a.Items) == 0 {
		err = errors.New("empty map in a search")
	}
	return a, err
}

func (r *ruleReader) value(n *yaml.Node) (Value, error) {
	v := Value{Text: n.Value, Line: n.Line}
	if n.Kind != yaml.ScalarNode {
		r.line = n.Line
		return v, errors.New("a value must be plain: text, number, true, false or null")
	}
	switch n.ShortTag() {
	case "!!null":
		v.Kind = NullValue
	case "!!bool":
		v.Kind = BoolValue
		v.Bool = strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.Kind, v.Num = NumberValue, f
		}
	}
	return v, nil
}

func (r *ruleReader) filter(n *yaml.Node) error {
	f := r.rule.Filter
	rest := *n
	rest.Content = nil
	hasRules := false
	err := r.pairs(n, "filter", func(k string, v *yaml.Node) (err error) {
		if k != "rules" {
			rest.Content = append(rest.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k, Line: r.line}, v)
			return nil
		}
		hasRules = true
		if f.Rules, err = r.texts(v); err != nil {
			return err
		}
		if len(f.Rules) == 1 && (strings.EqualFold(f.Rules[0], "any") || strings.EqualFold(f.Rules[0], "all")) {
			f.Rules = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !hasRules {
		r.line = n.Line
		return errors.New(`filter names no rules (want ids or names, or "any")`)
	}
	return r.detection(&rest, &f.Detection)
}

var correlationTypes = []string{
	"event_count", "value_count", "temporal", "temporal_ordered",
	"value_sum", "value_avg", "value_percentile", "value_median", "value_min", "value_max",
}

func (r *ruleReader) correlation(n *yaml.Node) error {
	c := r.rule.Correlation
	start := n.Line
	var conditionLine int
	err := r.pairs(n, "correlation", func(k string, v *yaml.Node) (err error) {
		switch k {
		case "type":
			if c.Type, err = r.text(v); err == nil && !slices.Contains(correlationTypes, c.Type) {
				err = fmt.Errorf("unknown correlation type %q (want one of %s)", c.Type, strings.Join(correlationTypes, ", "))
			}
		case "rules":
			c.Rules, err = r.texts(v)
		case "group-by", "group_by":
			c.GroupBy, err = r.texts(v)
		case "timespan":
			var s string
			if s, err = r.text(v); err == nil {
				c.Timespan, err = parseTimespan(s)
			}
		case "generate":
			err = r.boolean(v, &c.Generate)
		case "aliases":
			c.Aliases = map[string]map[string]string{}
			err = r.pairs(v, "aliases", func(alias string, m *yaml.Node) error {
				c.Aliases[alias] = map[string]string{}
				return r.pairs(m, "alias "+alias, func(rule string, f *yaml.Node) (err error) {
					c.Aliases[alias][rule], err = r.text(f)
					return err
				})
			})
		case "condition":
			conditionLine = v.Line
			if v.Kind == yaml.ScalarNode {
				c.Expression = v.Value
				break
			}
			err = r.correlationCondition(v, &c.Condition)
		default:
			err = fmt.Errorf("unknown correlation attribute %q", k)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.line = start
	temporal := c.Type == "temporal" || c.Type == "temporal_ordered"
	switch {
	case c.Type == "":
		return errors.New("correlation has no type")
	case c.Timespan == 0:
		return errors.New("correlation has no timespan")
	case c.Expression != "" && !temporal:
		r.line = conditionLine
		return fmt.Errorf("a condition over rule names is for temporal correlations, not %s", c.Type)
	case c.Expression != "":
		names, err := expressionNames(c.Expression)
		if err != nil {
			r.line = conditionLine
			return fmt.Errorf("condition: %w", err)
		}
		if len(c.Rules) == 0 {
			c.Rules = names
		}
		for _, name := range names {
			if !slices.Contains(c.Rules, name) {
				r.line = conditionLine
				return fmt.Errorf("condition names %q, which is not in rules", name)
			}
		}
	case len(c.Condition.Bounds) == 0 && !temporal:
		return errors.New("correlation has no condition")
	}
	if len(c.Rules) == 0 {
		return errors.New("correlation names no rules")
	}
	if len(c.Rules) > 64 {
		return errors.New("correlation of more than 64 rules")
	}
	if temporal && c.Expression == "" && len(c.Condition.Bounds) == 0 {
		c.Condition.Bounds = []Bound{{Op: "gte", Value: float64(len(c.Rules))}}
	}
	if strings.HasPrefix(c.Type, "value_") && len(c.Condition.Fields) == 0 {
		return fmt.Errorf("%s needs a field in its condition", c.Type)
	}
	for i, name := range c.Rules {
		if slices.Contains(c.Rules[:i], name) {
			return fmt.Errorf("rule %q is listed twice", name)
		}
	}
	return nil
}

func (r *ruleReader) correlationCondition(n *yaml.Node, c *CorrelationCondition) error {
	return r.pairs(n, "condition", func(k string, v *yaml.Node) (err error) {
		switch k {
		case "field":
			c.Fields, err = r.texts(v)
			return err
		case "percentile":
			f, err := strconv.ParseFloat(v.Value, 64)
			if err != nil || !(f >= 0 && f <= 100) {
				return fmt.Errorf("percentile %q is not a number from 0 to 100", v.Value)
			}
			c.Percentile = &f
			return nil
		case "gt", "gte", "lt", "lte", "eq", "neq":
			f, err := strconv.ParseFloat(v.Value, 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("%s: %q is not a number", k, v.Value)
			}
			c.Bounds = append(c.Bounds, Bound{k, f})
			return nil
		}
		return fmt.Errorf("unknown condition %q (want gt, gte, lt, lte, eq, neq, field)", k)
	})
}

// parseTimespan reads number + unit. The specification has s, m, h, d; w, M and y are what its tools take as well.
func parseTimespan(s string) (time.Duration, error) {
	units := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
		'M': 2629746 * time.Second, 'y': 31556952 * time.Second, // mean Gregorian month and year
	}
	if len(s) >= 2 {
		n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
		unit, ok := units[s[len(s)-1]]
		if err == nil && ok && n > 0 && n <= uint64(math.MaxInt64/4/unit) {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, fmt.Errorf("timespan %q is not a number and s, m, h or d", s)
}
