package sigma

import (
	"slices"
)

// A slot's needles are looked for by three machines, each one pass over the value:
//
//   - dfa finds every needle anywhere in it (contains): a dense Aho–Corasick automaton over byte classes;
//   - trie, forwards, finds needles at its start (startswith) and those it is equal to;
//   - trie, backwards, finds needles at its end.
//
// All of them read ASCII capitals as small letters; text beyond ASCII is folded before.

// outputs lists, for each state of a machine, the predicates that reaching it makes true.
type outputs struct {
	start []int32 // by state, one longer than the states
	preds []int32
}

func (o *outputs) of(state int32) []int32 { return o.preds[o.start[state]:o.start[state+1]] }

func packOutputs(by [][]int32) outputs {
	o := outputs{start: make([]int32, 1, len(by)+1)}
	for _, preds := range by {
		o.preds = append(o.preds, preds...)
		o.start = append(o.start, int32(len(o.preds)))
	}
	return o
}

// dfa is the automaton for needles anywhere. next holds rows of one entry per byte class; an entry is the index of the next
// state's row, with hitBit set when that state has outputs. The last entry of a row is the number of its outputs.
type dfa struct {
	next    []uint32
	class   [256]uint8
	stride  uint32
	outs    outputs
	longest int // bytes of the longest needle
	seen    int // where the automaton's outputs begin in Matcher.seen
}

const hitBit = 1 << 31

// maxNeedle is how much of a needle an automaton holds: longer ones are verified when this much was seen. It bounds the
// automaton; rules beyond it are rare. maxDFA bounds it altogether, in table entries.
const (
	maxNeedle = 32
	maxDFA    = 48 << 20
)

// needle is a folded string and the predicates that finding it makes true.
type needle struct {
	text  string
	preds []int32
}

// newDFA builds the automaton of needles, none empty or longer than maxNeedle. It returns nil when the table would be
// larger than maxDFA.
func newDFA(needles []needle) *dfa {
	d := &dfa{}
	// Byte classes: bytes that no needle has behave alike.
	used := [256]bool{}
	for _, n := range needles {
		for i := range len(n.text) {
			used[n.text[i]] = true
		}
	}
	classes := 1 // class 0: no needle has it
	for b := range used {
		if used[b] {
			if classes == 256 {
				break // every byte value is used; class 0 then means byte 0xff too, and only loses a distinction
			}
			d.class[b] = uint8(classes)
			classes++
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		d.class[c] = d.class[lower[c]]
	}
	if classes == 256 {
		return nil
	}
	classes++ // the outputs' number
	d.stride = uint32(classes)

	// The trie, its states in the order they are made.
	next := make([]uint32, classes, classes*1024)
	var own [][]int32
	own = append(own, nil)
	for _, n := range needles {
		d.longest = max(d.longest, len(n.text))
		s := uint32(0)
		for i := range len(n.text) {
			at := s + uint32(d.class[n.text[i]])
			if next[at] == 0 {
				next[at] = uint32(len(next))
				own = append(own, nil)
				if len(next)+classes > maxDFA {
					return nil
				}
				next = append(next, make([]uint32, classes)...)
			}
			s = next[at]
		}
		own[s/d.stride] = append(own[s/d.stride], n.preds...)
	}

	// Breadth first: a missing edge goes where the longest proper suffix's edge goes.
	fail := make([]uint32, len(own))
	queue := make([]uint32, 0, len(own))
	for c := range classes - 1 {
		if s := next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		f := fail[s/d.stride]
		if inherited := own[f/d.stride]; len(inherited) > 0 {
			own[s/d.stride] = append(slices.Clip(own[s/d.stride]), inherited...)
		}
		row, suffix := next[s:s+d.stride], next[f:f+d.stride]
		for c, to := range row[:classes-1] {
			if to == 0 {
				row[c] = suffix[c]
			} else {
				fail[to/d.stride] = suffix[c]
				queue = append(queue, to)
			}
		}
	}

	// Renumber breadth first, so that the shallow states, where nearly all time is spent, lie together.
	place := make([]uint32, len(own))
	for i, s := range queue {
		place[s/d.stride] = uint32(i+1) * d.stride
	}
	d.next = make([]uint32, len(next))
	var outs [][]int32
	for old := range own {
		to := place[old]
		if len(own[old]) > 0 {
			slices.Sort(own[old])
			d.next[to+d.stride-1] = uint32(len(outs))
			outs = append(outs, slices.Compact(own[old]))
		}
		from := next[uint32(old)*d.stride : uint32(old+1)*d.stride-1]
		for c, s := range from {
			t := place[s/d.stride]
			if len(own[s/d.stride]) > 0 {
				t |= hitBit
			}
			d.next[to+uint32(c)] = t
		}
	}
	d.outs = packOutputs(outs)
	return d
}

// scanDFA marks the outputs of every state that text passes through. text is folded, or ASCII in any case.
//
// Each step waits for the one before it, so a longer text is cut into parts that are walked side by side. A part starts as far
// before its place as the longest needle reaches, so that no needle is missed.
func scanDFA[T string | []byte](d *dfa, text T, m *Matcher) {
	next, class := d.next, &d.class
	overlap := d.longest - 1
	s, i := uint32(0), 0
	if part := (len(text) + overlap + 1) / 2; len(text) >= 2*overlap+32 && part < len(text) {
		a, b := text[:part], text[len(text)-part:]
		t := uint32(0)
		for j := 0; j < len(a) && j < len(b); j++ {
			s = next[s+uint32(class[a[j]])]
			t = next[t+uint32(class[b[j]])]
			if (s|t)&hitBit != 0 {
				if s&hitBit != 0 {
					s &^= hitBit
					m.markState(d, s)
				}
				if t&hitBit != 0 {
					t &^= hitBit
					m.markState(d, t)
				}
			}
		}
		return
	}
	for ; i < len(text); i++ {
		s = next[s+uint32(class[text[i]])]
		if s&hitBit != 0 {
			s &^= hitBit
			m.markState(d, s)
		}
	}
}

// markState marks a state's outputs, once per event.
func (m *Matcher) markState(d *dfa, state uint32) {
	n := d.next[state+d.stride-1]
	if seen := &m.seen[d.seen+int(n)]; *seen != m.epoch {
		*seen = m.epoch
		m.markAll(d.outs.of(int32(n)))
	}
}

// trie holds needles for one end of a value. Edges are in an open hash table keyed by node and byte; the first edge, where
// most values are done with, in an array.
type trie struct {
	root  [256]int32
	edges []edge
	shift uint32
	outs  outputs // reached: the value starts (ends) so
	ends  outputs // reached with nothing left: the value is equal
}

type edge struct {
	key uint32 // node<<8 | byte; 0: free
	to  int32  // negative (^node) when the node has outputs
}

func hashEdge(key, shift uint32) uint32 { return key * 2654435769 >> shift }

// newTrie builds a trie of prefixes and whole values, or of suffixes if backwards (whole is then empty).
func newTrie(needles, whole []needle, backwards bool) *trie {
	if len(needles)+len(whole) == 0 {
		return nil
	}
	t := &trie{}
	children := map[uint32]int32{}
	outs, ends := [][]int32{nil}, [][]int32{nil}
	insert := func(text string) int32 {
		node := int32(0)
		for i := range len(text) {
			b := text[i]
			if backwards {
				b = text[len(text)-1-i]
			}
			key := uint32(node)<<8 | uint32(b)
			child, ok := children[key]
			if !ok {
				child = int32(len(outs))
				children[key] = child
				outs, ends = append(outs, nil), append(ends, nil)
			}
			node = child
		}
		return node
	}
	for _, n := range needles {
		at := insert(n.text)
		outs[at] = append(outs[at], n.preds...)
	}
	for _, n := range whole {
		at := insert(n.text)
		ends[at] = append(ends[at], n.preds...)
	}
	size, bits := 16, uint32(4)
	for size < 2*len(children) {
		size, bits = size*2, bits+1
	}
	t.edges, t.shift = make([]edge, size), 32-bits
	for key, to := range children {
		if len(outs[to]) > 0 {
			to = ^to
		}
		if key < 256 {
			t.root[key] = to
			continue
		}
		i := hashEdge(key, t.shift)
		for t.edges[i].key != 0 {
			i = (i + 1) & uint32(size-1)
		}
		t.edges[i] = edge{key, to}
	}
	t.outs, t.ends = packOutputs(outs), packOutputs(ends)
	return t
}

func (t *trie) child(node int32, b byte) int32 {
	if node == 0 {
		return t.root[b]
	}
	key := uint32(node)<<8 | uint32(b)
	mask := uint32(len(t.edges) - 1)
	for i := hashEdge(key, t.shift); ; i = (i + 1) & mask {
		switch t.edges[i].key {
		case key:
			return t.edges[i].to
		case 0:
			return 0
		}
	}
}

func scanStart[T string | []byte](t *trie, text T, m *Matcher) {
	node := int32(0)
	for i := 0; i < len(text); i++ {
		if node = t.child(node, lower[text[i]]); node <= 0 {
			if node == 0 {
				return
			}
			node = ^node
			m.markAll(t.outs.of(node))
		}
	}
	m.markAll(t.ends.of(node))
}

func scanEnd[T string | []byte](t *trie, text T, m *Matcher) {
	node := int32(0)
	for i := len(text) - 1; i >= 0; i-- {
		if node = t.child(node, lower[text[i]]); node <= 0 {
			if node == 0 {
				return
			}
			node = ^node
			m.markAll(t.outs.of(node))
		}
	}
}
