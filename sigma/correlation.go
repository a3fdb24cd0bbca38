package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// correlation is a correlation rule linked to the rules it refers to.
type correlation struct {
	index  int // of the rule in Engine.rules
	rule   *Rule
	c      *Correlation
	refs   []int             // the referred rules, as indexes into Engine.rules, in the order of c.Rules
	logic  *expr             // the extended condition over tests whose text is a rule's name; nil without
	closes bool              // decided when the window ends; otherwise as soon as it holds
	all    bool              // temporal: wants every rule
	field  map[string]string // by "position\x00group-by or value field": the Sigma field in the referred rule's events
}

// maxOrdered bounds temporal_ordered correlations that do not want all their rules: each subset is followed.
const maxOrdered = 10

// linkCorrelations resolves what correlation rules refer to, refuses cycles, and settles which rules report for themselves.
func (e *Engine) linkCorrelations() {
	byRef := map[string]int{}
	for pass := range 2 { // ids before names
		for i, r := range e.rules {
			ref := r.ID
			if pass == 1 {
				ref = r.Name
			}
			if _, taken := byRef[ref]; !taken && ref != "" && r.Filter == nil {
				byRef[ref] = i
			}
		}
	}
	const (
		unvisited = iota
		visiting
		usable
		useless
	)
	state := make([]int, len(e.rules))
	made := make([]*correlation, len(e.rules))
	unmapped := map[*Rule]bool{}
	for _, r := range e.report.Unmapped {
		unmapped[r] = true
	}
	var path []string
	var visit func(i int) error
	visit = func(i int) error {
		r := e.rules[i]
		switch {
		case r.Correlation == nil && e.logics[i] == nil:
			return errors.New("which could not be used")
		case r.Correlation == nil || state[i] == usable:
			return nil
		case state[i] == useless:
			return errors.New("which could not be used")
		case state[i] == visiting:
			return fmt.Errorf("cycle of correlations: %s", strings.Join(append(path, r.Ref()), " → "))
		}
		state[i] = visiting
		path = append(path, r.Ref())
		defer func() { path = path[:len(path)-1] }()
		c, err := e.link(i, byRef, visit)
		if err != nil {
			state[i] = useless
			e.fail(r, 0, err)
			return err
		}
		state[i], made[i] = usable, c
		return nil
	}
	for i, r := range e.rules {
		if r.Correlation != nil && state[i] == unvisited {
			_ = visit(i) // failures are in the report
		}
	}

	reports, serves := make([]bool, len(e.rules)), make([]bool, len(e.rules))
	for i, c := range made {
		if c == nil {
			continue
		}
		if !slices.ContainsFunc(c.refs, func(ref int) bool { return !unmapped[e.rules[ref]] }) {
			unmapped[c.rule] = true
			e.report.Unmapped = append(e.report.Unmapped, c.rule)
		} else {
			e.report.Active++
		}
		e.correlations = append(e.correlations, c)
		for _, ref := range c.refs {
			serves[ref] = true
			reports[ref] = reports[ref] || e.rules[i].Correlation.Generate
		}
	}
	for i := range e.silent {
		e.silent[i] = serves[i] && !reports[i]
	}
}

// link makes one correlation. visit makes the correlations that it refers to before.
func (e *Engine) link(i int, byRef map[string]int, visit func(int) error) (*correlation, error) {
	r := e.rules[i]
	c := &correlation{index: i, rule: r, c: r.Correlation, field: map[string]string{}}
	for _, ref := range c.c.Rules {
		at, ok := byRef[ref]
		if !ok {
			return nil, fmt.Errorf("refers to rule %q, which is not loaded", ref)
		}
		if err := visit(at); err != nil {
			return nil, fmt.Errorf("refers to rule %q: %w", ref, err)
		}
		if slices.Contains(c.refs, at) {
			return nil, fmt.Errorf("refers to rule %q twice", ref)
		}
		c.refs = append(c.refs, at)
	}
	for alias, fields := range c.c.Aliases {
		for ref := range fields {
			if at, ok := byRef[ref]; !ok || !slices.Contains(c.refs, at) {
				return nil, fmt.Errorf("alias %s is for rule %q, which the correlation does not refer to", alias, ref)
			}
		}
	}
	for pos, at := range c.refs {
		for _, f := range slices.Concat(c.c.GroupBy, c.c.Condition.Fields) {
			name := f
			for ref, field := range c.c.Aliases[f] {
				if byRef[ref] == at {
					name = field
				}
			}
			c.field[fieldKey(pos, f)] = name
		}
	}

	temporal, ordered := c.c.Type == "temporal" || c.c.Type == "temporal_ordered", c.c.Type == "temporal_ordered"
	negated := false
	if c.c.Expression != "" {
		x, err := parseCondition(c.c.Expression, nil, func(name string) *expr {
			return &expr{kind: exprLeaf, n: slices.Index(c.c.Rules, name), test: &test{text: name}}
		})
		if err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
		c.logic, negated = x, hasNot(x)
		c.all = x.kind == exprAnd && len(x.kids) == len(c.refs) && !slices.ContainsFunc(x.kids, func(k *expr) bool { return k.kind != exprLeaf })
	} else if temporal {
		b := c.c.Condition.Bounds
		n := float64(len(c.refs))
		c.all = len(b) == 1 && (b[0].Op == "gte" && b[0].Value == n || b[0].Op == "eq" && b[0].Value == n || b[0].Op == "gt" && b[0].Value == n-1)
	}
	// More events can only raise a count, so "more than" is decided at once; everything else waits for the window's end.
	rising := !slices.ContainsFunc(c.c.Condition.Bounds, func(b Bound) bool { return b.Op != "gt" && b.Op != "gte" })
	switch {
	case c.all:
	case c.logic != nil:
		c.closes = negated
	case c.c.Type == "event_count", c.c.Type == "value_count", c.c.Type == "value_sum", c.c.Type == "value_max", temporal:
		c.closes = !rising
	default:
		c.closes = true
	}
	if c.closes && ordered {
		return nil, errors.New(`temporal_ordered cannot say what must not happen: use "and", "or", gt or gte`)
	}
	if ordered && !c.all && len(c.refs) > maxOrdered {
		return nil, fmt.Errorf("temporal_ordered of more than %d rules must want all of them", maxOrdered)
	}
	return c, nil
}

func fieldKey(pos int, field string) string { return string(rune(pos)) + "\x00" + field }

func hasNot(x *expr) bool { return x.kind == exprNot || slices.ContainsFunc(x.kids, hasNot) }

// satisfied evaluates a temporal condition over the rules that were seen (bit by position).
func (c *correlation) satisfied(seen uint64, count int) bool {
	if c.logic == nil {
		return c.c.Condition.Holds(float64(count))
	}
	var eval func(x *expr) bool
	eval = func(x *expr) bool {
		switch x.kind {
		case exprLeaf:
			return seen&(1<<x.n) != 0
		case exprNot:
			return !eval(x.kids[0])
		case exprAnd:
			return !slices.ContainsFunc(x.kids, func(k *expr) bool { return !eval(k) })
		}
		return slices.ContainsFunc(x.kids, eval)
	}
	return eval(c.logic)
}
