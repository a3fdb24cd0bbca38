package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	maxConditionBytes = 64 << 10
	maxConditionDepth = 100
)

// expr is a rule's logic as a tree over tests.
type expr struct {
	kind exprKind
	kids []*expr
	n    int    // atLeast: how many kids must hold
	test *test  // leaf
	name string // search: the identifier, kept for Explain
}

type exprKind uint8

const (
	exprAnd     exprKind = iota // no kids: true
	exprOr                      // no kids: false
	exprNot                     // one kid
	exprAtLeast                 // n of the kids
	exprLeaf
	exprSearch // one kid: what a search identifier stands for
)

func and(kids ...*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{kind: exprAnd, kids: kids}
}

func or(kids ...*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{kind: exprOr, kids: kids}
}

func not(kid *expr) *expr { return &expr{kind: exprNot, kids: []*expr{kid}} }

// conditionParser reads the condition grammar (sigma-rules-specification.md, "Condition"), loosest first:
//
//	or  =  and { "or" and }
//	and =  not { "and" not }
//	not =  "not" not | "(" or ")" | quantifier "of" ( "them" | pattern ) | identifier
//
// Operators are read without regard to case.
type conditionParser struct {
	tokens []string
	pos    int
	depth  int
	// search resolves an identifier; nil means unknown.
	search func(name string) *expr
	names  []string // all identifiers, for quantifiers; nil forbids them
}

// parseCondition reads one condition. names lists the identifiers in order, search resolves one.
func parseCondition(s string, names []string, search func(string) *expr) (*expr, error) {
	if len(s) > maxConditionBytes {
		return nil, fmt.Errorf("longer than %d bytes", maxConditionBytes)
	}
	tokens, err := conditionTokens(s)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, errors.New("empty")
	}
	p := &conditionParser{tokens: tokens, search: search, names: names}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.tokens) {
		return nil, fmt.Errorf("unexpected %q", p.tokens[p.pos])
	}
	return x, nil
}

func conditionTokens(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')':
			out = append(out, s[i:i+1])
			i++
		case c == '|':
			return nil, errors.New("aggregations after | were replaced by correlation rules")
		default:
			j := i
			for j < len(s) && !strings.ContainsRune(" \t\r\n()|", rune(s[j])) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		}
	}
	return out, nil
}

func (p *conditionParser) peek() string {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos]
	}
	return ""
}

func (p *conditionParser) take(keyword string) bool {
	if strings.EqualFold(p.peek(), keyword) {
		p.pos++
		return true
	}
	return false
}

func (p *conditionParser) or() (*expr, error) {
	return p.chain("or", (*conditionParser).and, or)
}

func (p *conditionParser) and() (*expr, error) {
	return p.chain("and", (*conditionParser).not, and)
}

func (p *conditionParser) chain(word string, next func(*conditionParser) (*expr, error), join func(...*expr) *expr) (*expr, error) {
	x, err := next(p)
	if err != nil {
		return nil, err
	}
	kids := []*expr{x}
	for p.take(word) {
		if x, err = next(p); err != nil {
			return nil, err
		}
		kids = append(kids, x)
	}
	return join(kids...), nil
}

func (p *conditionParser) not() (*expr, error) {
	if p.depth++; p.depth > maxConditionDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxConditionDepth)
	}
	defer func() { p.depth-- }()
	if p.pos >= len(p.tokens) {
		return nil, errors.New("ends where a search identifier is expected")
	}
	if p.take("not") {
		x, err := p.not()
		if err != nil {
			return nil, err
		}
		return not(x), nil
	}
	if p.take("(") {
		x, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, errors.New("a parenthesis is not closed")
		}
		return x, nil
	}
	word := p.tokens[p.pos]
	if p.pos+1 < len(p.tokens) && strings.EqualFold(p.tokens[p.pos+1], "of") && p.names != nil {
		return p.quantifier(word)
	}
	switch strings.ToLower(word) {
	case "and", "or", "of", ")":
		return nil, fmt.Errorf("unexpected %q", word)
	}
	p.pos++
	if x := p.search(word); x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("search %q is not defined", word)
}

func (p *conditionParser) quantifier(word string) (*expr, error) {
	n, all := 1, false
	switch strings.ToLower(word) {
	case "any":
	case "all":
		all = true
	default:
		var err error
		if n, err = strconv.Atoi(word); err != nil || n < 1 {
			return nil, fmt.Errorf("%q of: want all, any or a number from 1", word)
		}
	}
	p.pos += 2
	if p.pos >= len(p.tokens) {
		return nil, fmt.Errorf("%s of what?", word)
	}
	pattern := p.tokens[p.pos]
	p.pos++
	if pattern == "(" || pattern == ")" {
		return nil, fmt.Errorf("%s of %s: want them or a pattern of search names", word, pattern)
	}
	var kids []*expr
	for _, name := range p.names {
		switch {
		case strings.EqualFold(pattern, "them") && !slices.Contains(p.names, pattern):
			if strings.HasPrefix(name, "_") {
				continue
			}
		case !matchNames(pattern, name):
			continue
		case strings.HasPrefix(name, "_") && !strings.HasPrefix(pattern, "_"): // hidden from quantifiers by convention
			continue
		}
		kids = append(kids, p.search(name))
	}
	if all {
		n = len(kids)
	}
	if len(kids) < max(n, 1) {
		// "not 1 of filter_*" without a filter is a template kept ready; a selection without members can never match.
		if len(kids) == 0 && n == 1 && !all && p.pos >= 4 && strings.EqualFold(p.tokens[p.pos-4], "not") {
			return or(), nil
		}
		return nil, fmt.Errorf("%s of %s: only %d searches have such a name", word, pattern, len(kids))
	}
	switch {
	case n == len(kids):
		return and(kids...), nil
	case n == 1:
		return or(kids...), nil
	}
	return &expr{kind: exprAtLeast, n: n, kids: kids}, nil
}

// matchNames matches a search name against a pattern in which * stands for any characters.
func matchNames(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, last)
}

// expressionNames lists the rule names of an extended correlation condition in order of appearance.
func expressionNames(s string) ([]string, error) {
	var names []string
	_, err := parseCondition(s, nil, func(name string) *expr {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return or()
	})
	return names, err
}
