package detect_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sextant-logs/sextant/sigma"
)

// This file makes an event out of a rule: what the rule's own detection asks for, in the rule's own names. native_test.go
// writes such an event as the product would log it.

// synthetic is an event in a rule's terms.
type synthetic struct {
	rule     *sigma.Rule
	fields   map[string]string
	kinds    map[string]sigma.ValueKind // of the rule's value, for formats that keep numbers apart from text
	absent   map[string]bool            // what must not be there
	keywords []string
}

// names lists the fields in order.
func (s *synthetic) names() []string {
	var names []string
	for f := range s.fields {
		names = append(names, f)
	}
	slices.Sort(names)
	return names
}

// asMap is the event for Matcher.MatchMap.
func (s *synthetic) asMap() (map[string]any, string) {
	m := map[string]any{}
	for f, v := range s.fields {
		m[f] = v
	}
	return m, strings.Join(s.keywords, " ")
}

// synthesiser makes events of rules. An engine without a mapping, which takes the rules' names as they stand, judges them.
type synthesiser struct {
	m      *sigma.Matcher
	e      *sigma.Engine
	values map[string][]string // of placeholders
}

func newSynthesiser(rules []*sigma.Rule, placeholders map[string][]string) *synthesiser {
	e := sigma.Compile(rules, sigma.Options{Placeholders: placeholders})
	return &synthesiser{m: e.NewMatcher(), e: e, values: placeholders}
}

// fires reports whether the rule matches the event when its fields are called as the rule calls them.
func (s *synthesiser) fires(ev *synthetic) bool {
	m, text := ev.asMap()
	return slices.ContainsFunc(s.m.MatchMap(s.e.SourcesOf(ev.rule.LogSource), m, text), func(x sigma.Match) bool { return x.Rule == ev.rule })
}

// event returns an event that the rule matches, the accept function taking it; nil if 400 tries found none.
func (s *synthesiser) event(r *sigma.Rule, accept func(*synthetic) bool) *synthetic {
	for try := range 400 {
		d := &choices{rand: rand.New(rand.NewPCG(7, uint64(try))), first: try == 0, placeholders: s.values}
		ev := d.attempt(r)
		if ev != nil && s.fires(ev) && accept(ev) {
			return ev
		}
	}
	return nil
}

// choices picks among what a rule allows: the first of everything, or at random.
type choices struct {
	rand         *rand.Rand
	first        bool
	placeholders map[string][]string
	wants        map[string]*wants
	order        []string
	keywords     []string
	failed       bool
}

func (c *choices) of(n int) int {
	if c.first || n < 2 {
		return 0
	}
	return c.rand.IntN(n)
}

// wants is what the chosen items ask of one field.
type wants struct {
	exact, prefix, suffix, inside []string
	absent                        bool
	kind                          sigma.ValueKind
}

func (c *choices) attempt(r *sigma.Rule) *synthetic {
	c.wants = map[string]*wants{}
	condition := r.Detection.Conditions[c.of(len(r.Detection.Conditions))]
	p := &conditionReader{tokens: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(condition)), rule: r}
	p.read()(c, true)
	if c.failed {
		return nil
	}
	ev := &synthetic{rule: r, fields: map[string]string{}, kinds: map[string]sigma.ValueKind{}, absent: map[string]bool{}, keywords: c.keywords}
	for _, f := range c.order {
		w := c.wants[f]
		if w.absent {
			ev.absent[f] = true
			continue
		}
		ev.kinds[f] = w.kind
		switch {
		case len(w.exact) > 0:
			ev.fields[f] = w.exact[0]
		default:
			longest := func(s []string) string {
				return slices.MaxFunc(append([]string{""}, s...), func(a, b string) int { return len(a) - len(b) })
			}
			joint := [...]string{"", " ", "x", " x "}[c.of(4)]
			parts := []string{longest(w.prefix)}
			if parts[0] == "" && c.of(3) == 1 {
				parts[0] = "x"
			}
			for _, s := range w.inside {
				if !slices.ContainsFunc(append(parts, w.suffix...), func(p string) bool { return p != "" && strings.Contains(strings.ToLower(p), strings.ToLower(s)) }) {
					parts = append(parts, s)
				}
			}
			if len(w.suffix) == 0 && c.of(3) == 1 {
				parts = append(parts, "x")
			}
			if s := longest(w.suffix); s != parts[0] || len(parts) > 1 {
				parts = append(parts, s)
			}
			ev.fields[f] = strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), joint)
			if ev.fields[f] == "" {
				ev.fields[f] = "x" + f
			}
		}
	}
	return ev
}

// want is a node of a condition: what must hold, or must not, is handed to the choices.
type want func(c *choices, holds bool)

// conditionReader reads a condition; the rules it is for have been compiled, so it need not be careful.
type conditionReader struct {
	tokens []string
	rule   *sigma.Rule
}

func (p *conditionReader) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *conditionReader) at(word string) bool {
	return len(p.tokens) > 0 && strings.EqualFold(p.tokens[0], word)
}

func (p *conditionReader) read() want {
	kids := []want{p.and()}
	for p.at("or") {
		p.next()
		kids = append(kids, p.and())
	}
	return some(1, kids)
}

func (p *conditionReader) and() want {
	kids := []want{p.not()}
	for p.at("and") {
		p.next()
		kids = append(kids, p.not())
	}
	return some(len(kids), kids)
}

func (p *conditionReader) not() want {
	switch t := p.next(); {
	case strings.EqualFold(t, "not"):
		kid := p.not()
		return func(c *choices, holds bool) { kid(c, !holds) }
	case t == "(":
		kid := p.read()
		p.next()
		return kid
	case p.at("of"):
		p.next()
		pattern := p.next()
		var kids []want
		for _, s := range p.rule.Detection.Searches {
			prefix, suffix, star := strings.Cut(pattern, "*")
			if strings.EqualFold(pattern, "them") && !strings.HasPrefix(s.Name, "_") || s.Name == pattern ||
				star && strings.HasPrefix(s.Name, prefix) && strings.HasSuffix(s.Name, suffix) {
				kids = append(kids, search(s))
			}
		}
		n, err := strconv.Atoi(t)
		switch {
		case strings.EqualFold(t, "all"):
			n = len(kids)
		case err != nil:
			n = 1
		}
		return some(n, kids)
	default:
		for _, s := range p.rule.Detection.Searches {
			if s.Name == t {
				return search(s)
			}
		}
		return some(0, nil)
	}
}

// some holds if n of the kids do.
func some(n int, kids []want) want {
	if len(kids) == 1 {
		return kids[0]
	}
	return func(c *choices, holds bool) {
		if !holds {
			if n == 1 {
				for _, k := range kids {
					k(c, false)
				}
			} else if len(kids) > 0 {
				kids[c.of(len(kids))](c, false)
			}
			return
		}
		order := make([]int, len(kids))
		for i := range order {
			order[i] = i
		}
		if !c.first {
			c.rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for _, i := range order[:min(n, len(order))] {
			kids[i](c, true)
		}
	}
}

// search makes one alternative of a search hold. That it must not hold is left to chance: what is not asked for is seldom there.
func search(s sigma.Search) want {
	return func(c *choices, holds bool) {
		if !holds {
			c.refuse(s)
			return
		}
		a := s.Alternatives[c.of(len(s.Alternatives))]
		for _, it := range a.Items {
			if slices.Contains(it.Modifiers, "all") {
				for _, v := range it.Values {
					c.value(&it, v)
				}
			} else {
				c.value(&it, it.Values[c.of(len(it.Values))])
			}
		}
	}
}

// refuse gives a field that a refused search wants absent a value, now and then.
func (c *choices) refuse(s sigma.Search) {
	for _, a := range s.Alternatives {
		for _, it := range a.Items {
			for _, v := range it.Values {
				if slices.Contains(it.Modifiers, "fieldref") && c.of(2) == 0 {
					c.field(it.Field)
					c.field(v.Text)
				}
				empty := v.Kind == sigma.NullValue || v.Text == "" || slices.Contains(it.Modifiers, "exists") && !v.Bool || slices.Contains(it.Modifiers, "neq")
				if empty && it.Field != "" && (c.first || c.of(2) == 0) {
					c.field(it.Field)
					if slices.Contains(it.Modifiers, "neq") && v.Kind != sigma.NullValue {
						c.value(&sigma.Item{Field: it.Field, Modifiers: slices.DeleteFunc(slices.Clone(it.Modifiers), func(m string) bool { return m == "neq" })}, v)
					}
				}
			}
		}
	}
}

func (c *choices) field(name string) *wants {
	w := c.wants[name]
	if w == nil {
		w = &wants{}
		c.wants[name] = w
		c.order = append(c.order, name)
	}
	return w
}

// value asks for one value of an item.
func (c *choices) value(it *sigma.Item, v sigma.Value) {
	has := func(m string) bool { return slices.Contains(it.Modifiers, m) }
	text := v.Text
	if has("expand") {
		for name, values := range c.placeholders {
			text = strings.ReplaceAll(text, "%"+name+"%", values[c.of(len(values))])
		}
	}
	switch {
	case it.Field == "":
		if has("re") {
			text = c.matching(text)
		} else {
			text = c.literal(text)
		}
		c.keywords = append(c.keywords, text)
		return
	case has("neq"):
		c.field(it.Field)
		return
	case v.Kind == sigma.NullValue || has("exists") && !v.Bool:
		c.field(it.Field).absent = true
		return
	}
	w := c.field(it.Field)
	w.kind = v.Kind
	switch {
	case has("exists"):
		return
	case has("re"):
		text = c.matching(text)
	case has("cidr"):
		text = c.address(text)
		w.exact = append(w.exact, text)
		return
	case has("fieldref"):
		other := c.field(text)
		if len(w.exact) == 0 && len(other.exact) == 0 {
			w.exact, other.exact = []string{"same.example.com"}, []string{"same.example.com"}
		}
		return
	case has("gt") || has("gte") || has("lt") || has("lte"):
		n := v.Num
		switch {
		case has("gt"):
			n++
		case has("lt"):
			n--
		}
		w.exact = append(w.exact, strconv.FormatFloat(n, 'f', -1, 64))
		w.kind = sigma.NumberValue
		return
	default:
		text = c.literal(text)
	}
	for _, m := range it.Modifiers {
		switch m {
		case "wide", "utf16le", "utf16":
			var b []byte
			for _, u := range utf16.Encode([]rune(text)) {
				b = append(b, byte(u), byte(u>>8))
			}
			text = string(b)
		case "utf16be":
			var b []byte
			for _, u := range utf16.Encode([]rune(text)) {
				b = append(b, byte(u>>8), byte(u))
			}
			text = string(b)
		case "base64", "base64offset":
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	switch {
	case has("contains"):
		w.inside = append(w.inside, text)
	case has("startswith"):
		w.prefix = append(w.prefix, text)
	case has("endswith"):
		w.suffix = append(w.suffix, text)
	case has("re"):
		w.inside = append(w.inside, text)
	default:
		w.exact = append(w.exact, text)
	}
}

// literal gives a text that the pattern matches.
func (c *choices) literal(pattern string) string {
	var s strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch b := pattern[i]; {
		case b == '\\' && i+1 < len(pattern) && strings.IndexByte(`\*?`, pattern[i+1]) >= 0:
			i++
			s.WriteByte(pattern[i])
		case pattern == "*":
			s.WriteByte('x')
		case b == '*':
			s.WriteString([...]string{"", "x", " x ", "1"}[c.of(4)])
		case b == '?':
			s.WriteByte("?x"[c.of(2)])
		default:
			s.WriteByte(b)
		}
	}
	return s.String()
}

func (c *choices) address(network string) string {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		return network
	}
	a := p.Addr()
	if p.Bits() < a.BitLen() {
		for range 1 + c.of(5) {
			a = a.Next()
		}
	}
	return a.String()
}

// matching gives a text that a regular expression matches.
func (c *choices) matching(src string) string {
	// What Go has not: look-around, which is left out here, and possessive or atomic groups, which are taken as plain ones.
	for _, ahead := range []string{"(?!", "(?<!", "(?=", "(?<="} {
		for {
			i := strings.Index(src, ahead)
			if i < 0 {
				break
			}
			depth, j := 0, i
			for ; j < len(src); j++ {
				if src[j] == '\\' {
					j++
				} else if src[j] == '(' {
					depth++
				} else if src[j] == ')' {
					if depth--; depth == 0 {
						break
					}
				}
			}
			src = src[:i] + src[min(j+1, len(src)):]
		}
	}
	re, err := syntax.Parse(strings.ReplaceAll(src, "(?>", "(?:"), syntax.Perl)
	if err != nil {
		c.failed = true
		return ""
	}
	var s strings.Builder
	c.generate(re, &s)
	return s.String()
}

func (c *choices) generate(re *syntax.Regexp, s *strings.Builder) {
	switch re.Op {
	case syntax.OpLiteral:
		s.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			c.failed = true
			return
		}
		i := 2 * c.of(len(re.Rune)/2)
		lo, hi := max(re.Rune[i], 0x20), re.Rune[i+1]
		for k := 0; k < len(re.Rune) && (hi < 0x21 || lo > 0x7e); k += 2 { // rather something that prints
			lo, hi = max(re.Rune[k], 0x21), re.Rune[k+1]
		}
		if lo > hi {
			lo = hi
		}
		if !c.first && hi > lo {
			lo += rune(c.rand.IntN(int(min(hi-lo, 40)) + 1))
		}
		s.WriteRune(lo)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		s.WriteByte("xA1"[c.of(3)])
	case syntax.OpConcat, syntax.OpCapture:
		for _, k := range re.Sub {
			c.generate(k, s)
		}
	case syntax.OpAlternate:
		c.generate(re.Sub[c.of(len(re.Sub))], s)
	case syntax.OpStar, syntax.OpQuest, syntax.OpPlus, syntax.OpRepeat:
		n := re.Min
		if re.Op == syntax.OpPlus {
			n = 1
		}
		n += c.of(3)
		if re.Op == syntax.OpQuest {
			n = min(n, 1)
		}
		if re.Op == syntax.OpRepeat && re.Max >= 0 {
			n = min(n, re.Max)
		}
		for range n {
			c.generate(re.Sub[0], s)
		}
	}
}

// usable lists the rules that describe single events, and gives their placeholders values.
func usable(t testing.TB, paths ...string) (rules []*sigma.Rule, placeholders map[string][]string) {
	all, failed := sigma.Load(paths...)
	for _, f := range failed {
		t.Error(f)
	}
	placeholders = map[string][]string{}
	for _, r := range all {
		if r.Detection == nil {
			continue
		}
		rules = append(rules, r)
		for _, s := range r.Detection.Searches {
			for _, a := range s.Alternatives {
				for _, it := range a.Items {
					if !slices.Contains(it.Modifiers, "expand") {
						continue
					}
					for _, v := range it.Values {
						for i, name := range strings.Split(v.Text, "%") {
							if i%2 == 1 {
								placeholders[name] = []string{"value" + fmt.Sprint(len(placeholders)) + ".example.com", "other"}
								switch {
								case strings.Contains(name, "machine_accounts"):
									placeholders[name] = []string{"DC01$"}
								case strings.Contains(it.Field, "Ip"):
									placeholders[name] = []string{"192.0.2.77"}
								}
							}
						}
					}
				}
			}
		}
	}
	return rules, placeholders
}
