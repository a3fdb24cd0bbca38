package sigma

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxExpansions bounds how many values one value may become (windash, placeholders).
const maxExpansions = 10_000

// operand is a value on its way through the modifiers. It becomes a different kind of thing as they are applied.
type operand struct {
	pat  pattern
	raw  string // as written in the rule, for modifiers that read no escapes
	kind operandKind
	num  float64
	is   bool // kind operandBool

	re         string // kind operandRegexp
	flags      string
	cmp        cmpOp
	part       timePart
	starts     bool // kind operandRef and operandRegexp: startswith, contains
	ends       bool
	compared   bool
	isWildcard bool // contains and its like added stars to pat
}

type operandKind uint8

const (
	operandString operandKind = iota
	operandNumber
	operandBool
	operandNull
	operandRegexp
	operandCIDR
	operandRef
	operandExists
)

// lowerItem turns an item into logic over tests. placeholders are the values for expand.
func lowerItem(it *Item, placeholders map[string][]string) (*expr, error) {
	all, negated, cased := false, false, false
	groups := make([][]operand, len(it.Values)) // a value may become several: any of those
	for i, v := range it.Values {
		o := operand{raw: v.Text, num: v.Num, is: v.Bool}
		switch v.Kind {
		case NumberValue:
			o.kind = operandNumber
			o.pat = pattern{}.literal(v.Text)
		case BoolValue:
			o.kind = operandBool
			o.pat = pattern{}.literal(strings.ToLower(v.Text))
		case NullValue:
			o.kind = operandNull
		default:
			o.pat = parsePattern(v.Text)
		}
		groups[i] = []operand{o}
	}
	for i, m := range it.Modifiers {
		switch m {
		case "all":
			all = true
			continue
		case "neq":
			negated = true
			continue
		case "cased":
			cased = true
			continue
		}
		total := 0
		for j, g := range groups {
			var out []operand
			for _, o := range g {
				r, err := modify(m, o, it, i, placeholders)
				if err != nil {
					return nil, fmt.Errorf("%s: value %q: %w", m, it.Values[j].Text, err)
				}
				out = append(out, r...)
			}
			if len(out) > maxExpansions {
				return nil, fmt.Errorf("%s: value %q becomes more than %d values", m, it.Values[j].Text, maxExpansions)
			}
			groups[j] = out
			if total += len(out); total > maxTests {
				return nil, fmt.Errorf("%s: the values become more than %d", m, maxTests)
			}
		}
	}
	kids := make([]*expr, len(groups))
	for i, g := range groups {
		alternatives := make([]*expr, len(g))
		for j, o := range g {
			x, err := o.test(it, cased)
			if err != nil {
				return nil, fmt.Errorf("value %q: %w", it.Values[i].Text, err)
			}
			alternatives[j] = x
		}
		kids[i] = or(alternatives...)
	}
	x := or(kids...)
	if all {
		x = and(kids...)
	}
	if negated {
		x = not(x)
	}
	return x, nil
}

// errNeedsText is for modifiers that make sense of text only.
var errNeedsText = errors.New("works on text only")

// modify applies one modifier to one operand. at is the modifier's position, for those that must come first.
func modify(m string, o operand, it *Item, at int, placeholders map[string][]string) ([]operand, error) {
	one := func() ([]operand, error) { return []operand{o}, nil }
	before := it.Modifiers[:at]
	first := !slices.ContainsFunc(before, func(m string) bool { return m != "all" && m != "neq" && m != "cased" && m != "expand" })
	// A number or a boolean that is searched for inside a string is text.
	if slices.Contains([]string{"contains", "startswith", "endswith", "re", "base64", "base64offset", "windash", "wide", "utf16",
		"utf16le", "utf16be"}, m) {
		switch o.kind {
		case operandNumber, operandBool:
			o.kind = operandString
		case operandNull, operandExists, operandCIDR:
			return nil, errNeedsText
		}
		if o.compared || o.part != partNone {
			return nil, errNeedsText
		}
	}
	switch m {
	case "contains", "startswith", "endswith":
		if o.kind == operandRegexp || o.kind == operandRef {
			o.starts = o.starts || m != "endswith"
			o.ends = o.ends || m != "startswith"
			return one()
		}
		o.isWildcard = true
		if m != "endswith" {
			o.pat = o.pat.join(pattern{{wild: '*'}})
		}
		if m != "startswith" {
			o.pat = pattern{{wild: '*'}}.join(o.pat)
		}
		return one()
	case "re":
		if !first || o.kind != operandString {
			return nil, errors.New("must be the first modifier")
		}
		o.kind, o.re = operandRegexp, o.raw
		return one()
	case "i", "ignorecase", "m", "multiline", "s", "dotall":
		if o.kind != operandRegexp {
			return nil, errors.New("is a flag of re and must follow it")
		}
		flag := map[string]string{"ignorecase": "i", "multiline": "m", "dotall": "s"}[m]
		if flag == "" {
			flag = m
		}
		if !strings.Contains(o.flags, flag) {
			o.flags += flag
		}
		return one()
	case "cidr":
		if !first || o.kind != operandString {
			return nil, errors.New("must be the first modifier, on text")
		}
		o.kind = operandCIDR
		return one()
	case "exists":
		if it.Field == "" {
			return nil, errors.New("needs a field")
		}
		if !first || o.kind != operandBool {
			return nil, errors.New("must be the only modifier, with true or false")
		}
		o.kind = operandExists
		return one()
	case "fieldref":
		if it.Field == "" || o.kind != operandString {
			return nil, errors.New("needs a field and another field's name")
		}
		o.starts, o.ends = slices.Contains(before, "startswith") || slices.Contains(before, "contains"),
			slices.Contains(before, "endswith") || slices.Contains(before, "contains")
		o.kind = operandRef
		return one()
	case "gt", "gte", "lt", "lte":
		if o.kind != operandNumber {
			n, ok := parseNumber(o.raw)
			if o.kind != operandString || !ok {
				return nil, errors.New("needs a number")
			}
			o.kind, o.num = operandNumber, n
		}
		o.compared = true
		o.cmp = map[string]cmpOp{"gt": cmpGT, "gte": cmpGTE, "lt": cmpLT, "lte": cmpLTE}[m]
		return one()
	case "minute", "hour", "day", "week", "month", "year":
		if o.kind != operandNumber {
			n, ok := parseNumber(o.raw)
			if o.kind != operandString || !ok {
				return nil, errors.New("needs a number")
			}
			o.kind, o.num = operandNumber, n
		}
		o.part = timePart(slices.Index(partNames[:], m))
		return one()
	case "wide", "utf16le", "utf16be", "utf16":
		if o.kind != operandString {
			return nil, errNeedsText
		}
		o.pat = o.pat.each(func(s string) string { return encodeUTF16(s, m == "utf16be") })
		if m == "utf16" {
			o.pat = pattern{{lit: "\xff\xfe"}}.join(o.pat)
		}
		return one()
	case "base64", "base64offset":
		s, ok := o.pat.plain()
		if o.kind != operandString || !ok {
			return nil, errors.New("cannot encode wildcards (escape them with a backslash, and put contains after)")
		}
		if m == "base64" {
			o.pat = pattern{}.literal(base64.StdEncoding.EncodeToString([]byte(s)))
			return one()
		}
		var out []operand
		for _, e := range base64Offsets(s) {
			c := o
			c.pat = pattern{}.literal(e)
			out = append(out, c)
		}
		return out, nil
	case "windash":
		if o.kind != operandString {
			return nil, errNeedsText
		}
		pats, err := windash(o.pat)
		if err != nil {
			return nil, err
		}
		out := make([]operand, len(pats))
		for i, p := range pats {
			out[i] = o
			out[i].pat = p
		}
		return out, nil
	case "expand":
		return expand(o, placeholders)
	}
	return nil, errors.New("unknown modifier")
}

// test makes the final test of an operand.
func (o *operand) test(it *Item, cased bool) (*expr, error) {
	t := &test{field: it.Field, cased: cased}
	leaf := &expr{kind: exprLeaf, test: t}
	switch o.kind {
	case operandNull:
		if it.Field == "" {
			return nil, errors.New("null is no keyword")
		}
		t.op, t.want = opNull, "null"
		return leaf, nil
	case operandExists:
		t.op, t.want = opExists, "exists"
		if !o.is {
			return not(leaf), nil
		}
		return leaf, nil
	case operandRef:
		t.op, t.text, t.how, t.want = opFieldRef, o.raw, opEq, "the same as field "+o.raw
		switch {
		case o.starts && o.ends:
			t.how, t.want = opContains, "contains the value of field "+o.raw
		case o.starts:
			t.how, t.want = opPrefix, "starts with the value of field "+o.raw
		case o.ends:
			t.how, t.want = opSuffix, "ends with the value of field "+o.raw
		}
		return leaf, nil
	case operandCIDR:
		t.op, t.want = opCIDR, "in network "+o.raw
		p, err := netip.ParsePrefix(strings.TrimSpace(o.raw))
		if err != nil {
			a, err2 := netip.ParseAddr(strings.TrimSpace(o.raw))
			if err2 != nil {
				return nil, fmt.Errorf("not a network in CIDR notation")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // addresses are compared without that dress
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		t.net = p.Masked()
		return leaf, nil
	case operandRegexp:
		src := o.re
		// The pattern is searched for, so only a one-sided modifier says anything.
		switch {
		case o.starts && !o.ends:
			src = `\A(?:` + src + `)`
		case o.ends && !o.starts:
			src = `(?:` + src + `)\z`
		}
		r, err := translateRegexp(src, o.flags)
		if err != nil {
			return nil, err
		}
		t.op, t.re, t.veto, t.lits, t.short, t.run = opRegexp, r.re, r.veto, r.lits, r.short, r.run
		t.want = "matches " + strconv.Quote(o.re)
		if o.flags != "" {
			t.want += " (flags " + o.flags + ")"
		}
		return leaf, nil
	case operandNumber:
		if it.Field == "" {
			break // as text
		}
		t.op, t.num, t.cmp, t.part = opCompare, o.num, o.cmp, o.part
		t.cased = false
		t.want = strings.TrimSpace(partNames[o.part] + " " + cmpNames[o.cmp] + " " + strconv.FormatFloat(o.num, 'f', -1, 64))
		return leaf, nil
	}
	if it.Field == "" { // keywords are looked for inside the log
		o.pat = pattern{{wild: '*'}}.join(o.pat).join(pattern{{wild: '*'}})
	}
	t.setPattern(o.pat)
	return leaf, nil
}

// setPattern picks the cheapest operation that means the pattern.
func (t *test) setPattern(p pattern) {
	written := p
	if !t.cased {
		p = p.each(fold)
	}
	suffix := ""
	if t.cased {
		suffix = " (case-sensitive)"
	}
	quoted := func(verb string) string { return verb + " " + strconv.Quote(written.longest()) + suffix }
	wild := func(i int) bool { return p[i].wild == '*' }
	switch {
	case len(p) == 0:
		t.op, t.want = opEq, "is empty"
	case len(p) == 1 && p[0].wild == 0:
		t.op, t.text = opEq, p[0].lit
		t.want = quoted("is")
	case len(p) == 1 && wild(0):
		t.op, t.want = opAny, "has any value"
	case len(p) == 2 && wild(0) && p[1].wild == 0:
		t.op, t.text = opSuffix, p[1].lit
		t.want = quoted("ends with")
	case len(p) == 2 && wild(1) && p[0].wild == 0:
		t.op, t.text = opPrefix, p[0].lit
		t.want = quoted("starts with")
	case len(p) == 3 && wild(0) && p[1].wild == 0 && wild(2):
		t.op, t.text = opContains, p[1].lit
		t.want = quoted("contains")
	default:
		t.op, t.glob = opGlob, p
		t.want = "is like " + strconv.Quote(written.String()) + suffix
	}
}
