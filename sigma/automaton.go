package sigma

import (
	"slices"
	"strings"
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
// state's row, with hitBit set when that state has outputs. The last entry of a row is where in hits these are: how many, then each.
type dfa struct {
	next    []uint32
	class   [256]uint8
	stride  uint32
	hits    []int32  // predicates, and ^index of needles that must be compared in full first
	needles []needle // those
	longest int      // bytes of the longest needle, as far as the automaton holds it
}

const hitBit = 1 << 31

// maxNeedle is how much of a needle an automaton holds: of a longer one the end, and the rest is compared when that was seen. It keeps
// the automaton small and its lanes short (see scanDFA). maxDFA bounds it altogether, in table entries.
const (
	maxNeedle = 12
	maxDFA    = 48 << 20
)

// needle is a folded string and the predicates that finding it makes true.
type needle struct {
	text  string
	preds []int32
}

// newDFA builds the automaton of needles, none of them empty. It returns nil when the table would be larger than maxDFA.
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
	states := 1 // at most: one for each byte
	for _, n := range needles {
		states += min(len(n.text), maxNeedle)
	}
	next, row := make([]uint32, classes, min(classes*states, maxDFA)), make([]uint32, classes)
	own := [][]int32{nil} // by state, its outputs
	for _, n := range needles {
		text := n.text[max(0, len(n.text)-maxNeedle):]
		d.longest = max(d.longest, len(text))
		s := uint32(0)
		for i := range len(text) {
			at := s + uint32(d.class[text[i]])
			if next[at] == 0 {
				next[at] = uint32(len(next))
				own = append(own, nil)
				if len(next)+classes > maxDFA {
					return nil
				}
				next = append(next, row...)
			}
			s = next[at]
		}
		if len(text) < len(n.text) {
			own[s/d.stride] = append(own[s/d.stride], ^int32(len(d.needles)))
			d.needles = append(d.needles, n)
			continue
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
	for old := range own {
		to := place[old]
		if len(own[old]) > 0 {
			slices.Sort(own[old])
			own[old] = slices.Compact(own[old])
			d.next[to+d.stride-1] = uint32(len(d.hits))
			d.hits = append(append(d.hits, int32(len(own[old]))), own[old]...)
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
	return d
}

// scanDFA marks the outputs of every state that text passes through. text is folded, or ASCII in any case.
//
// Each step waits for the one before it, so a longer text is cut into parts that are walked side by side. A part starts as far
// before its place as the longest needle reaches, so that no needle is missed.
func scanDFA[T string | []byte](d *dfa, text T, m *Matcher) {
	next, class := d.next, &d.class
	overlap := d.longest - 1
	switch n := len(text); {
	case n >= 8*overlap+16:
		part := (n + 3*overlap + 3) / 4
		step := part - overlap
		a, b, c, e := text[:part], text[step:step+part], text[2*step:2*step+part], text[n-part:]
		var s, t, u, v uint32
		for i := 0; i < len(a) && i < len(b) && i < len(c) && i < len(e); i++ {
			s = next[s+uint32(class[a[i]])]
			t = next[t+uint32(class[b[i]])]
			u = next[u+uint32(class[c[i]])]
			v = next[v+uint32(class[e[i]])]
			if (s|t|u|v)&hitBit != 0 {
				if s&hitBit != 0 {
					s = reach(d, s, text, i, m)
				}
				if t&hitBit != 0 {
					t = reach(d, t, text, step+i, m)
				}
				if u&hitBit != 0 {
					u = reach(d, u, text, 2*step+i, m)
				}
				if v&hitBit != 0 {
					v = reach(d, v, text, n-part+i, m)
				}
			}
		}
	case n >= 2*overlap+8:
		part := (n + overlap + 1) / 2
		a, b := text[:part], text[n-part:]
		var s, t uint32
		for i := 0; i < len(a) && i < len(b); i++ {
			s = next[s+uint32(class[a[i]])]
			t = next[t+uint32(class[b[i]])]
			if (s|t)&hitBit != 0 {
				if s&hitBit != 0 {
					s = reach(d, s, text, i, m)
				}
				if t&hitBit != 0 {
					t = reach(d, t, text, n-part+i, m)
				}
			}
		}
	default:
		s := uint32(0)
		for i := 0; i < len(text); i++ {
			if s = next[s+uint32(class[text[i]])]; s&hitBit != 0 {
				if s&hitBit != 0 {
					s = reach(d, s, text, i, m)
				}
			}
		}
	}
}

// reach marks the outputs of a state that was reached with text[at], and returns the state's row.
func reach[T string | []byte](d *dfa, state uint32, text T, at int, m *Matcher) uint32 {
	state &^= hitBit
	k := d.next[state+d.stride-1]
	hits := d.hits[k+1:][:d.hits[k]]
	long := 0
	for long < len(hits) && hits[long] < 0 {
		if n := &d.needles[^hits[long]]; endsWith(text[:at+1], n.text) {
			m.markAll(n.preds)
		}
		long++
	}
	m.markAll(hits[long:])
	return state
}

// endsWith compares like strings.HasSuffix, capitals read as small letters.
func endsWith[T string | []byte](text T, end string) bool {
	at := len(text) - len(end)
	if at < 0 {
		return false
	}
	for i := len(end) - 1; i >= 0; i-- {
		if lower[text[at+i]] != end[i] {
			return false
		}
	}
	return true
}

// trie holds needles for one end of a value. Edges are in an open hash table keyed by node and byte; the first edge, where
// most values are done with, in an array. A stretch without branches or outputs is one edge with a label.
type trie struct {
	root   [256]int32 // index into edges, or -1
	edges  []edge
	shift  uint32
	labels string
	outs   outputs // reached: the value starts (ends) so
	ends   outputs // reached with nothing left: the value is equal
}

type edge struct {
	key   uint32 // node<<8 | byte; 0: free
	to    int32  // negative (^node) when the node has outputs
	label int32  // where in labels the bytes after the first begin
	size  int32  // how many they are
}

func hashEdge(key, shift uint32) uint32 { return key * 2654435769 >> shift }

// newTrie builds a trie of prefixes and whole values, or of suffixes if backwards (whole is then empty).
func newTrie(needles, whole []needle, backwards bool) *trie {
	if len(needles)+len(whole) == 0 {
		return nil
	}
	// Sorted, the needles that share a beginning lie together: each range of them with a common beginning is a node.
	type item struct {
		text  string
		preds []int32
		whole bool
	}
	items := make([]item, 0, len(needles)+len(whole))
	for _, n := range needles {
		items = append(items, item{text: n.text, preds: n.preds})
	}
	for _, n := range whole {
		items = append(items, item{n.text, n.preds, true})
	}
	if backwards {
		for i := range items {
			b := []byte(items[i].text)
			slices.Reverse(b)
			items[i].text = string(b)
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return strings.Compare(a.text, b.text) })

	t := &trie{}
	var labels strings.Builder
	var edges []edge
	outs, ends := [][]int32{nil}, [][]int32{nil}
	type job struct {
		items []item
		depth int
		node  int32
	}
	for jobs := []job{{items, 0, 0}}; len(jobs) > 0; {
		j := jobs[len(jobs)-1]
		jobs = jobs[:len(jobs)-1]
		for len(j.items) > 0 && len(j.items[0].text) == j.depth {
			if x := j.items[0]; x.whole {
				ends[j.node] = append(ends[j.node], x.preds...)
			} else {
				outs[j.node] = append(outs[j.node], x.preds...)
			}
			j.items = j.items[1:]
		}
		for len(j.items) > 0 {
			b := j.items[0].text[j.depth]
			n := 1
			for n < len(j.items) && j.items[n].text[j.depth] == b {
				n++
			}
			// The range's common beginning is that of its first and last.
			first, last := j.items[0].text, j.items[n-1].text
			end := j.depth + 1
			for end < len(first) && end < len(last) && first[end] == last[end] {
				end++
			}
			child := int32(len(outs))
			outs, ends = append(outs, nil), append(ends, nil)
			edges = append(edges, edge{uint32(j.node)<<8 | uint32(b), child, int32(labels.Len()), int32(end - j.depth - 1)})
			labels.WriteString(first[j.depth+1 : end])
			jobs = append(jobs, job{j.items[:n], end, child})
			j.items = j.items[n:]
		}
	}

	size, bits := 16, uint32(4)
	for size < 2*len(edges) {
		size, bits = size*2, bits+1
	}
	t.edges, t.shift, t.labels = make([]edge, size, size+256), 32-bits, labels.String()
	for i := range t.root {
		t.root[i] = -1
	}
	for _, x := range edges {
		if len(outs[x.to]) > 0 {
			x.to = ^x.to
		}
		if x.key < 256 { // kept beyond the hash table
			t.root[x.key] = int32(len(t.edges))
			t.edges = append(t.edges, x)
			continue
		}
		i := hashEdge(x.key, t.shift)
		for t.edges[i].key != 0 {
			i = (i + 1) & uint32(size-1)
		}
		t.edges[i] = x
	}
	t.outs, t.ends = packOutputs(outs), packOutputs(ends)
	return t
}

// follow returns the edge that leaves a node with byte b, or nil.
func (t *trie) follow(node int32, b byte) *edge {
	if node == 0 {
		if i := t.root[b]; i >= 0 {
			return &t.edges[i]
		}
		return nil
	}
	key := uint32(node)<<8 | uint32(b)
	mask := uint32(1)<<(32-t.shift) - 1
	for i := hashEdge(key, t.shift); ; i = (i + 1) & mask {
		switch t.edges[i].key {
		case key:
			return &t.edges[i]
		case 0:
			return nil
		}
	}
}

func scanStart[T string | []byte](t *trie, text T, m *Matcher) {
	node := int32(0)
	for i := 0; i < len(text); {
		e := t.follow(node, lower[text[i]])
		if e == nil {
			return
		}
		i++
		if e.size > 0 {
			label := t.labels[e.label : e.label+e.size]
			if len(text)-i < len(label) {
				return
			}
			for k := range len(label) {
				if lower[text[i+k]] != label[k] {
					return
				}
			}
			i += len(label)
		}
		if node = e.to; node < 0 {
			node = ^node
			m.markAll(t.outs.of(node))
		}
	}
	m.markAll(t.ends.of(node))
}

func scanEnd[T string | []byte](t *trie, text T, m *Matcher) {
	node := int32(0)
	for i := len(text) - 1; i >= 0; {
		e := t.follow(node, lower[text[i]])
		if e == nil {
			return
		}
		i--
		if e.size > 0 {
			label := t.labels[e.label : e.label+e.size]
			if i+1 < len(label) {
				return
			}
			for k := range len(label) {
				if lower[text[i-k]] != label[k] {
					return
				}
			}
			i -= len(label)
		}
		if node = e.to; node < 0 {
			node = ^node
			m.markAll(t.outs.of(node))
		}
	}
}
