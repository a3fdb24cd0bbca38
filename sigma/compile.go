package sigma

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// builder gathers the predicates of all rules before the automata are made of them.
type builder struct {
	e       *Engine
	fields  map[string]int32 // the caller's field → slot
	names   []string
	made    map[string]int32 // a target that is not one plain field → slot, counted from madeBase
	targets []Target
	predOf  map[predicateKey]int32
	groupOf map[string]int32
	members map[int32][]int32 // group predicate → its members
	uses    []int             // by predicate: how many variants ask it
}

// Slots of several fields are numbered from madeBase until it is known how many plain ones there are.
const madeBase = 1 << 30

type predicateKey struct {
	slot int32
	key  string
}

// build compiles every usable detection for every log it is for.
func (e *Engine) build() {
	b := &builder{
		e: e, fields: map[string]int32{}, made: map[string]int32{}, predOf: map[predicateKey]int32{},
		groupOf: map[string]int32{}, members: map[int32][]int32{},
	}
	words := (len(e.mapping.Logs) + 63) / 64
	resolved := make([]map[string]int32, len(e.mapping.Logs))
	for i := range resolved {
		resolved[i] = map[string]int32{}
	}
	e.logs = make([]logInfo, len(e.mapping.Logs))
	for i, r := range e.rules {
		if e.logics[i] == nil {
			continue
		}
		fields := fieldsOf(e.logics[i])
		var signatures [][]int32 // of the variants made so far
		first := len(e.variants)
		active := false
		for l := range e.mapping.Logs {
			if !e.mapping.Logs[l].Covered(r.LogSource) || (!e.mapped && !sameSource(&e.mapping.Logs[l], r.LogSource)) {
				continue
			}
			active = true
			signature := make([]int32, len(fields))
			for k, f := range fields {
				s, ok := resolved[l][f]
				if !ok {
					s = b.slot(e.mapping.Logs[l].Resolve(f))
					resolved[l][f] = s
				}
				signature[k] = s
			}
			at := slices.IndexFunc(signatures, func(s []int32) bool { return slices.Equal(s, signature) })
			if at < 0 {
				at = len(signatures)
				signatures = append(signatures, signature)
				slotOf := make(map[string]int32, len(fields))
				for k, f := range fields {
					slotOf[f] = signature[k]
				}
				e.variants = append(e.variants, variant{
					rule: int32(i), sources: make([]uint64, words), logic: b.logic(e.logics[i], slotOf),
				})
			}
			e.variants[first+at].sources[l/64] |= 1 << (l % 64)
			e.logs[l].rules++
		}
		if !active {
			e.report.Unmapped = append(e.report.Unmapped, r)
			continue
		}
		e.report.Active++
	}
	b.chooseTriggers()
	b.finishSlots()
}

// sameSource keeps, without a mapping, each rule on the one log that is its own log source.
func sameSource(l *Log, ls LogSource) bool {
	return strings.Join(l.Category, ",") == ls.Category && strings.Join(l.Product, ",") == ls.Product && strings.Join(l.Service, ",") == ls.Service
}

// fieldsOf lists the Sigma fields that logic reads, each once.
func fieldsOf(x *expr) []string {
	seen := map[string]bool{}
	var out []string
	add := func(f string) {
		if f != "" && !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	var walk func(x *expr)
	walk = func(x *expr) {
		if x.kind == exprLeaf {
			add(x.test.field)
			if x.test.op == opFieldRef {
				add(x.test.text)
			}
		}
		for _, k := range x.kids {
			walk(k)
		}
	}
	walk(x)
	return out
}

// slot returns the slot of a target.
func (b *builder) slot(t Target) int32 {
	if len(t.From) == 1 && len(t.Values) == 0 && len(t.Prefixes) == 0 && t.Absent == nil {
		if _, _, between := splitJoin(t.From[0]); between == "" {
			return b.field(t.From[0])
		}
	}
	var key strings.Builder
	for _, f := range t.From {
		key.WriteString(strconv.Quote(f))
	}
	for _, m := range []map[string]string{t.Values, t.Prefixes} {
		key.WriteByte('|')
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			key.WriteString(strconv.Quote(k) + strconv.Quote(m[k]))
		}
	}
	if t.Absent != nil {
		key.WriteString("|" + strconv.Quote(*t.Absent))
	}
	if t.Itself != nil {
		fmt.Fprintf(&key, "|%q", t.Itself)
	}
	s, ok := b.made[key.String()]
	if !ok {
		s = madeBase + int32(len(b.targets))
		b.made[key.String()] = s
		b.targets = append(b.targets, t)
		for _, f := range t.fields() {
			b.field(f)
		}
	}
	return s
}

func (b *builder) field(name string) int32 {
	s, ok := b.fields[name]
	if !ok {
		s = int32(len(b.names)) + 1
		b.fields[name] = s
		b.names = append(b.names, name)
	}
	return s
}

// predicate interns a test of a slot.
func (b *builder) predicate(slot int32, t *test, slotOf map[string]int32) int32 {
	key := predicateKey{slot, t.key()}
	p := predicate{test: t, slot: slot}
	if t.op == opFieldRef {
		p.ref = slotOf[t.text]
		key.key += "\x00" + strconv.Itoa(int(p.ref))
	}
	if id, ok := b.predOf[key]; ok {
		return id
	}
	insensitive := func(o op, text string) int32 {
		return b.predicate(slot, &test{op: o, text: text}, nil)
	}
	switch {
	case t.op == opAny, t.op == opExists, t.op == opCompare && t.cmp == cmpEq && t.part == partNone:
		p.marked = true
	case t.op <= opContains && !t.cased:
		p.marked = true
	case t.op <= opContains:
		if utf8.ValidString(t.text) { // pieces of characters fold differently alone
			p.guards = [][]int32{{insensitive(t.op, fold(t.text))}}
		}
	case t.op == opGlob:
		p.folds = !t.cased
		for _, x := range t.glob {
			if len(x.lit) > 1 && utf8.ValidString(x.lit) {
				p.guards = append(p.guards, []int32{insensitive(opContains, fold(x.lit))})
			}
		}
	case t.op == opRegexp:
		for _, any := range t.lits {
			var set []int32
			for _, l := range any {
				set = append(set, insensitive(opContains, l))
			}
			p.guards = append(p.guards, set)
		}
	}
	if !p.marked && len(p.guards) == 0 && t.op != opNull {
		p.guards = [][]int32{{b.predicate(slot, &test{op: opAny}, nil)}}
	}
	id := int32(len(b.e.preds))
	b.e.preds = append(b.e.preds, p)
	b.uses = append(b.uses, 0)
	b.predOf[key] = id
	return id
}

// logic compiles an expression. Alternatives that the automata find themselves become one predicate.
func (b *builder) logic(x *expr, slotOf map[string]int32) node {
	switch x.kind {
	case exprLeaf:
		slot := int32(keywordSlot)
		if x.test.field != "" {
			slot = slotOf[x.test.field]
		}
		if slot >= madeBase && (x.test.op == opNull || x.test.op == opExists) {
			if itself := b.targets[slot-madeBase].Itself; itself != nil {
				n := node{kind: exprAnd}
				if x.test.op == opExists {
					n.kind = exprOr
				}
				for _, f := range itself {
					p := b.predicate(b.field(f), x.test, nil)
					b.uses[p]++
					n.kids = append(n.kids, node{kind: exprLeaf, pred: p, marked: b.e.preds[p].marked})
				}
				return n
			}
		}
		p := b.predicate(slot, x.test, slotOf)
		b.uses[p]++
		return node{kind: exprLeaf, pred: p, marked: b.e.preds[p].marked}
	case exprSearch:
		return b.logic(x.kids[0], slotOf)
	}
	n := node{kind: x.kind, n: int32(x.n)}
	var add func(kids []*expr)
	add = func(kids []*expr) {
		for _, k := range kids {
			for k.kind == exprSearch {
				k = k.kids[0]
			}
			if k.kind == x.kind && (x.kind == exprAnd || x.kind == exprOr) {
				add(k.kids)
				continue
			}
			n.kids = append(n.kids, b.logic(k, slotOf))
		}
	}
	add(x.kids)
	if x.kind == exprOr {
		n = b.group(n)
	}
	slices.SortStableFunc(n.kids, func(x, y node) int { return b.effort(&x) - b.effort(&y) }) // cheap before dear
	return n
}

// effort ranks how much work it is to evaluate a node.
func (b *builder) effort(n *node) int {
	if n.kind == exprLeaf {
		p := &b.e.preds[n.pred]
		switch {
		case p.marked:
			return 0
		case p.test.op == opRegexp && len(p.test.lits) == 0:
			return 1000
		case p.test.op == opRegexp:
			return 100
		case p.test.op == opNull:
			return 1
		}
		return 10
	}
	sum := 1
	for i := range n.kids {
		sum += b.effort(&n.kids[i])
	}
	return sum
}

func (b *builder) group(n node) node {
	var marked []int32
	var rest []node
	for _, k := range n.kids {
		if k.kind == exprLeaf && b.e.preds[k.pred].marked {
			if g, ok := b.members[k.pred]; ok {
				marked = append(marked, g...)
			} else {
				marked = append(marked, k.pred)
			}
		} else {
			rest = append(rest, k)
		}
	}
	slices.Sort(marked)
	marked = slices.Compact(marked)
	if len(marked) < 2 {
		return n
	}
	var key []byte
	for _, p := range marked {
		key = strconv.AppendInt(key, int64(p), 36)
		key = append(key, ' ')
	}
	id, ok := b.groupOf[string(key)]
	if !ok {
		id = int32(len(b.e.preds))
		b.groupOf[string(key)] = id
		b.e.preds = append(b.e.preds, predicate{marked: true, slot: -1})
		b.uses = append(b.uses, 0)
		b.members[id] = marked
	}
	b.uses[id]++
	leaf := node{kind: exprLeaf, pred: id, marked: true}
	if len(rest) == 0 {
		return leaf
	}
	return node{kind: exprOr, kids: append([]node{leaf}, rest...)}
}

// chance guesses how often a predicate makes its rules candidates: how likely it is on an event, times what that costs.
func (b *builder) chance(p int32) float64 {
	if members, ok := b.members[p]; ok {
		sum := 0.0
		for _, m := range members {
			sum += b.chance(m)
		}
		return sum
	}
	c, t := 0.01, b.e.preds[p].test
	switch t.op {
	case opAny, opExists:
		c = 0.9
	case opCompare:
		c = 0.2
	case opEq:
		if len(t.text) <= 4 {
			c = 0.03
		}
	case opPrefix, opSuffix:
		if len(t.text) <= 5 {
			c = 0.1
		}
	case opContains:
		c = 0.01 + 0.6*math.Pow(0.55, float64(len(t.text)-1))
	}
	return c * (1 + float64(b.uses[p])/8) // what many rules ask is often so
}

// choose returns predicates of which at least one holds whenever n does (not n, if negated), and how often they do. Infinity: n can
// hold without any.
func (b *builder) choose(n *node, negated bool) (float64, []int32) {
	kind := n.kind
	switch kind {
	case exprLeaf:
		p := &b.e.preds[n.pred]
		if negated || p.test != nil && p.test.op == opNull {
			return math.Inf(1), nil
		}
		if p.marked {
			return b.chance(n.pred), []int32{n.pred}
		}
		best, set := math.Inf(1), []int32(nil)
		for _, any := range p.guards {
			cost := 0.0
			for _, g := range any {
				cost += b.chance(g)
			}
			if cost < best {
				best, set = cost, any
			}
		}
		return best * 0.9, set
	case exprNot:
		return b.choose(&n.kids[0], !negated)
	case exprAtLeast:
		if negated {
			return math.Inf(1), nil
		}
		kind = exprOr
	case exprAnd:
		if negated {
			kind = exprOr
		}
	case exprOr:
		if negated {
			kind = exprAnd
		}
	}
	if kind == exprAnd {
		best, set := math.Inf(1), []int32(nil)
		for i := range n.kids {
			if c, s := b.choose(&n.kids[i], negated); c < best {
				best, set = c, s
			}
		}
		return best, set
	}
	sum, set := 0.0, []int32(nil)
	for i := range n.kids {
		c, s := b.choose(&n.kids[i], negated)
		sum += c
		set = append(slices.Clip(set), s...)
	}
	return sum, set
}

func (b *builder) chooseTriggers() {
	triggers := make([][]int32, len(b.e.preds))
	for v := range b.e.variants {
		cost, set := b.choose(&b.e.variants[v].logic, false)
		if math.IsInf(cost, 1) {
			for l := range b.e.logs {
				if b.e.variants[v].sources[l/64]&(1<<(l%64)) != 0 {
					b.e.logs[l].always = append(b.e.logs[l].always, int32(v))
				}
			}
			continue
		}
		slices.Sort(set)
		for _, p := range slices.Compact(set) {
			triggers[p] = append(triggers[p], int32(v))
		}
	}
	b.e.triggers = packOutputs(triggers)
}
