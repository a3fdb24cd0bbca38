package sigma

import (
	"maps"
	"slices"
	"strconv"
)

// finishSlots numbers the slots for good and makes their automata.
func (b *builder) finishSlots() {
	e := b.e
	e.inputs = 1 + len(b.names)
	e.names = b.names
	for i, n := range b.names {
		e.slotOf[n] = Slot(i)
	}
	final := func(s int32) int32 {
		if s >= madeBase {
			return int32(e.inputs) + s - madeBase
		}
		return s
	}
	for i := range e.preds {
		e.preds[i].slot = final(e.preds[i].slot)
		e.preds[i].ref = final(e.preds[i].ref)
	}
	e.slots = make([]slotInfo, e.inputs+len(b.targets))
	for i, t := range b.targets {
		e.slots[e.inputs+i].absent = t.Absent
		a := newAlias(int32(e.inputs+i), t)
		for _, f := range t.From {
			first, second, between := splitJoin(f)
			if a.join = -1; between != "" {
				a.join = int32(len(e.joins))
				e.joins = append(e.joins, between)
			}
			s := &e.slots[b.fields[first]]
			if s.aliases = append(s.aliases, a); between != "" {
				a.second = true
				s = &e.slots[b.fields[second]]
				s.aliases = append(s.aliases, a)
				a.second = false
			}
		}
	}

	// Which slots a log's rules read.
	for l := range e.logs {
		e.logs[l].need = make([]uint64, (len(e.slots)+63)/64)
	}
	for v := range e.variants {
		var slots []int32
		var walk func(n *node)
		walk = func(n *node) {
			if n.kind == exprLeaf {
				ids := []int32{n.pred}
				if m, ok := b.members[n.pred]; ok {
					ids = m
				}
				for _, id := range ids {
					slots = append(slots, e.preds[id].slot)
					if e.preds[id].test.op == opFieldRef {
						slots = append(slots, e.preds[id].ref)
					}
				}
			}
			for i := range n.kids {
				walk(&n.kids[i])
			}
		}
		walk(&e.variants[v].logic)
		slices.Sort(slots)
		slots = slices.Compact(slots)
		for l := range e.logs {
			if e.variants[v].sources[l/64]&(1<<(l%64)) == 0 {
				continue
			}
			for _, s := range slots {
				e.logs[l].need[s/64] |= 1 << (s % 64)
			}
		}
	}

	// What finding a predicate makes true: itself, if anything asks it, and its groups.
	asked := make([]bool, len(e.preds))
	var walk func(n *node)
	walk = func(n *node) {
		if n.kind == exprLeaf {
			asked[n.pred] = true
		}
		for i := range n.kids {
			walk(&n.kids[i])
		}
	}
	for v := range e.variants {
		walk(&e.variants[v].logic)
	}
	for i := range e.preds {
		for _, any := range e.preds[i].guards {
			for _, g := range any {
				asked[g] = true
			}
		}
		if len(e.triggers.of(int32(i))) > 0 {
			asked[i] = true
		}
	}
	effects := make([][]int32, len(e.preds))
	for i := range e.preds {
		if asked[i] && e.preds[i].test != nil {
			effects[i] = append(effects[i], int32(i))
		}
	}
	for g := range int32(len(e.preds)) { // in order: the result must not depend on map order
		for _, m := range b.members[g] {
			effects[m] = append(effects[m], g)
		}
	}

	e.unmade = make([]*needles, len(e.slots))
	for i := range e.preds {
		p := &e.preds[i]
		if !p.marked || p.test == nil || len(effects[i]) == 0 {
			continue
		}
		if e.unmade[p.slot] == nil {
			e.unmade[p.slot] = &needles{}
		}
		s, n := e.unmade[p.slot], needle{p.test.text, effects[i]}
		switch p.test.op {
		case opEq:
			s.whole = append(s.whole, n)
		case opPrefix:
			s.prefix = append(s.prefix, n)
		case opSuffix:
			s.suffix = append(s.suffix, n)
		case opContains:
			s.inside = append(s.inside, n)
		case opExists:
			e.slots[p.slot].ifPresent = append(e.slots[p.slot].ifPresent, effects[i]...)
		case opAny:
			e.slots[p.slot].ifAny = append(e.slots[p.slot].ifAny, effects[i]...)
		case opCompare:
			if e.slots[p.slot].numbers == nil {
				e.slots[p.slot].numbers = map[float64][]int32{}
			}
			e.slots[p.slot].numbers[p.test.num] = append(e.slots[p.slot].numbers[p.test.num], effects[i]...)
		}
	}
	b.finishKeywords(effects)
	e.unmade[keywordSlot] = nil // see finderOf
}

// needles are what is looked for in a slot.
type needles struct{ prefix, whole, suffix, inside []needle }

// makeSlots makes the automata of a set of slots, but for those that are made. They are not made before an event of a log comes whose rules
// need them: a run meets few of the logs that there are rules for. Matchers read the slots' automata only after they called it.
func (e *Engine) makeSlots(need []uint64) {
	e.making.Lock()
	defer e.making.Unlock()
	var todo []int
	for i, n := range e.unmade {
		if n != nil && need[i/64]&(1<<(i%64)) != 0 {
			todo = append(todo, i)
		}
	}
	sideBySide(len(todo), func(k int) {
		e.slots[todo[k]].make(e.unmade[todo[k]])
		e.unmade[todo[k]] = nil
	})
}

func (s *slotInfo) make(n *needles) {
	if size(n.prefix)+size(n.whole) < maxTrie {
		s.start = newTrie(n.prefix, n.whole, false)
	} else {
		s.naive = append(naives(opPrefix, n.prefix), naives(opEq, n.whole)...)
	}
	if size(n.suffix) < maxTrie {
		s.end = newTrie(n.suffix, nil, true)
	} else {
		s.naive = append(s.naive, naives(opSuffix, n.suffix)...)
	}
	var left []needle
	s.inside, left = newFinder(n.inside)
	s.naive = append(s.naive, naives(opContains, left)...)
}

// newFinder makes the automata for needles anywhere; what does not fit is left.
func newFinder(needles []needle) (f finder, left []needle) {
	// Most values are ASCII, and what is not ASCII cannot be in them: its needles wait for values that are not, which
	// keeps the automaton that is always run small.
	var plain, wide []needle
	for _, x := range needles {
		if isASCII(x.text) {
			plain = append(plain, x)
		} else {
			wide = append(wide, x)
		}
	}
	if f.skip = newSkipper(plain); f.skip != nil {
		plain = nil
	}
	for _, x := range []struct {
		needles []needle
		dst     **dfa
	}{{plain, &f.plain}, {wide, &f.wide}} {
		if len(x.needles) == 0 {
			continue
		}
		if *x.dst = newDFA(x.needles); *x.dst == nil {
			left = append(left, x.needles...)
		}
	}
	return f, left
}

// finishKeywords gathers the keywords of each log's rules. Every value of every event is searched for them, so these are no more than
// they must be.
func (b *builder) finishKeywords(effects [][]int32) {
	e := b.e
	wanted := make([]map[int32]bool, len(e.logs))
	for v := range e.variants {
		var preds []int32
		var add func(p int32)
		add = func(p int32) {
			if members, ok := b.members[p]; ok {
				for _, m := range members {
					add(m)
				}
				return
			}
			if e.preds[p].slot != keywordSlot {
				return
			}
			preds = append(preds, p)
			for _, any := range e.preds[p].guards {
				preds = append(preds, any...)
			}
		}
		var walk func(n *node)
		walk = func(n *node) {
			if n.kind == exprLeaf {
				add(n.pred)
			}
			for i := range n.kids {
				walk(&n.kids[i])
			}
		}
		walk(&e.variants[v].logic)
		for l := range e.logs {
			if len(preds) == 0 || e.variants[v].sources[l/64]&(1<<(l%64)) == 0 {
				continue
			}
			if wanted[l] == nil {
				wanted[l] = map[int32]bool{}
			}
			for _, p := range preds {
				wanted[l][p] = true
			}
		}
	}
	shared := map[string]int{}
	for l := range e.logs {
		if wanted[l] == nil {
			continue
		}
		var key []byte
		var needles []needle
		for _, p := range slices.Sorted(maps.Keys(wanted[l])) {
			t := e.preds[p].test
			if !e.preds[p].marked || t.op != opContains {
				e.logs[l].kept = true
				continue
			}
			if len(effects[p]) > 0 {
				key = append(strconv.AppendInt(key, int64(p), 36), ' ')
				needles = append(needles, needle{t.text, effects[p]})
			}
		}
		at, ok := shared[string(key)]
		if !ok {
			at = len(e.keywords)
			shared[string(key)] = at
			e.keywords = append(e.keywords, needles)
		}
		e.logs[l].text, e.logs[l].keywords = true, at
	}
}

// maxUnions bounds the finders that are kept; a table of log sources has far fewer combinations that occur.
const maxUnions = 1 << 10

// finderOf returns the finder for some sets of keywords, given in order.
func (e *Engine) finderOf(sets []int) *finder {
	var key []byte
	for _, s := range sets {
		key = append(strconv.AppendInt(key, int64(s), 36), ' ')
	}
	u := &e.unions
	e.making.Lock()
	defer e.making.Unlock()
	if f, ok := u.made[string(key)]; ok {
		return f
	}
	var needles []needle
	known := map[string]bool{}
	for _, s := range sets {
		for _, n := range e.keywords[s] {
			if !known[n.text] { // what finding it makes true is the same in all of them
				known[n.text] = true
				needles = append(needles, n)
			}
		}
	}
	f, left := newFinder(needles)
	f.naive = naives(opContains, left)
	u.count++
	f.number = u.count
	if u.made == nil || len(u.made) >= maxUnions {
		u.made = map[string]*finder{}
	}
	u.made[string(key)] = &f
	return &f
}

// maxTrie bounds a trie's nodes: they are numbered in 24 bits.
const maxTrie = 1<<24 - 1

func size(needles []needle) int {
	n := 0
	for i := range needles {
		n += len(needles[i].text)
	}
	return n
}

func naives(o op, needles []needle) []naiveNeedle {
	out := make([]naiveNeedle, len(needles))
	for i, n := range needles {
		out[i] = naiveNeedle{&test{op: o, text: n.text}, n.preds}
	}
	return out
}
