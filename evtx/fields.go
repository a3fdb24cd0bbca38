package evtx

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"
)

// place says where in an event the walk is.
type place uint8

const (
	inDocument place = iota
	inEvent
	inSystem
	inEventData
	inUserData // its one child names the data
	inUserDataElement
	inNested // inside an element of EventData or UserData
	inExtra
)

// Bounds on what the records of one chunk can expand to, for the fields and again for
// the XML. Honest ones take a fraction of it; templates can be made to multiply.
const (
	maxSteps  = 1 << 19 // nodes visited
	maxOutput = 8 << 20 // bytes of text
)

// budget is what is left of the bounds.
type budget struct{ steps, output int }

var errBounds = errors.New("the chunk's templates expand beyond all bounds")

// walker turns resolved instances into a Record's fields.
type walker struct {
	resolver
	rec     *Record
	block   []byte // strings are cut from it; what was handed out is never written again
	scratch []byte
	param   int    // place among the children of EventData
	turn    uint64 // counts records

	budget        // for the fields of this chunk
	xml    budget // for its XML
}

const blockSize = 64 << 10

func (w *walker) reset(chunk []byte) {
	w.resolver.reset(chunk)
	w.budget = budget{maxSteps, maxOutput}
	w.xml = w.budget
}

// fields fills rec from the instances starting at first.
func (w *walker) fields(rec *Record, first int32) error {
	w.rec, w.param = rec, 0
	for i := first; i >= 0; i = w.instances[i].next {
		in := &w.instances[i]
		w.children(in, in.t.nodes[0].child, inDocument, "")
	}
	if w.steps <= 0 || w.output <= 0 {
		return errBounds
	}
	return nil
}

// orphans adds the values of instances whose template could not be read, so
// that they are not lost: Substitution.0, Substitution.1, …
func (w *walker) orphans(first int32) {
	for i := range w.instances {
		in := &w.instances[i]
		if in.t.err == nil || int32(i) == first && w.commonSystem(in) {
			continue
		}
		for k := range in.count {
			v := w.vals[in.vals+k]
			if v.size > 0 && v.inst < 0 && w.output > 0 {
				w.rec.Extra = append(w.rec.Extra, Field{"Substitution." + strconv.Itoa(int(k)), w.valueString(&v), v.typ})
			}
		}
	}
}

// value is the value of substitution sub, null if there is none.
func (w *walker) value(in *instance, sub int32) value {
	if sub >= in.count {
		return value{inst: -1}
	}
	return w.vals[in.vals+sub]
}

// children visits the content starting at node first: elements, nested fragments, and text.
func (w *walker) children(in *instance, first int32, at place, prefix string) {
	for i := first; i != 0; {
		n := &in.t.nodes[i]
		if w.steps--; w.steps <= 0 {
			return
		}
		switch n.kind {
		case nodeElement:
			w.element(in, n, at, prefix)
		case nodeSubst:
			v := w.value(in, n.sub)
			for k := v.inst; k >= 0; k = w.instances[k].next {
				nested := &w.instances[k]
				w.children(nested, nested.t.nodes[0].child, at, prefix)
			}
			if v.inst < 0 && v.size > 0 {
				w.stray(at, w.valueString(&v), v.typ)
			}
		case nodeText:
			if strings.TrimSpace(n.text) != "" {
				w.stray(at, n.text, TypeString)
			}
		}
		i = n.next
	}
}

// stray keeps text that stands directly in a container.
func (w *walker) stray(at place, text string, t Type) {
	switch at {
	case inEventData, inUserDataElement:
		w.param++
		w.rec.Data = append(w.rec.Data, Field{w.paramName(), text, t})
	case inUserData:
		w.rec.Data = append(w.rec.Data, Field{"UserData", text, t})
	case inSystem:
		w.rec.Extra = append(w.rec.Extra, Field{"System", text, t})
	case inDocument, inEvent:
		w.rec.Extra = append(w.rec.Extra, Field{"Event", text, t})
	}
	// Elsewhere it is the value of the element it stands in.
}

// element visits one element; an array among its content repeats it once for
// each of the array's elements (MS-EVEN6 §2.2.12.3).
func (w *walker) element(in *instance, n *node, at place, prefix string) {
	if n.dep >= 0 {
		if v := w.value(in, n.dep); v.null() {
			return
		}
	}
	if n.sub < 0 || n.sub >= in.count || !w.vals[in.vals+n.sub].typ.IsArray() {
		w.single(in, n, at, prefix)
		return
	}
	slot := in.vals + n.sub
	whole := w.vals[slot]
	b := w.chunk[whole.off : whole.off+whole.size]
	for first := true; (first || len(b) > 0) && w.steps > 0; first = false {
		item, rest := nextItem(whole.typ.Elem(), b)
		off := whole.off + whole.size - uint32(len(b))
		w.vals[slot] = value{off: off, size: uint32(len(item)), typ: whole.typ.Elem(), item: true, inst: -1}
		w.single(in, n, at, prefix)
		w.steps--
		b = rest
	}
	w.vals[slot] = whole
}

func (w *walker) single(in *instance, n *node, at place, prefix string) {
	switch at {
	case inDocument:
		if n.known == knownEvent {
			w.children(in, n.child, inEvent, "")
			return
		}
		fallthrough // a fragment without its root
	case inEvent:
		switch n.known {
		case knownSystem:
			w.children(in, n.child, inSystem, "")
		case knownEventData:
			w.rec.DataKind = EventData
			for a := n.attr; a != 0; a = in.t.nodes[a].next {
				if in.t.nodes[a].known == knownName {
					w.rec.DataName = w.text(in, &in.t.nodes[a])
				}
			}
			w.children(in, n.child, inEventData, "")
		case knownUserData:
			w.rec.DataKind = UserData
			w.children(in, n.child, inUserData, "")
		default:
			w.leaf(in, n, "", inExtra)
		}
	case inSystem:
		w.system(in, n)
	case inUserData:
		w.rec.DataName = n.name
		w.attributes(in, n, &w.rec.Data, "", true)
		w.children(in, n.child, inUserDataElement, "")
	case inEventData, inUserDataElement:
		w.param++
		w.leaf(in, n, "", at)
	default:
		w.leaf(in, n, prefix, at)
	}
}

// leaf adds an element with a value, its further attributes, and what is nested in it.
func (w *walker) leaf(in *instance, n *node, prefix string, at place) {
	to := &w.rec.Data
	if at == inExtra {
		to = &w.rec.Extra
	}
	if n.leaf {
		v := w.value(in, n.sub)
		if v.inst < 0 {
			name := n.text
			if n.known == knownData && name == n.name && at != inExtra && prefix == "" {
				name = w.paramName()
			} else if prefix != "" {
				name = prefix + name
			}
			t := v.typ
			if v.item {
				t |= TypeArray
			}
			*to = append(*to, Field{name, w.valueString(&v), t})
			return
		}
	}
	name := n.name
	named := false
	for a := n.attr; a != 0; a = in.t.nodes[a].next {
		if at := &in.t.nodes[a]; at.known == knownName {
			if s := w.text(in, at); s != "" {
				name, named = s, true
			}
		}
	}
	if n.known == knownData && !named && at != inExtra && prefix == "" {
		name = w.paramName()
	}
	name = prefix + name
	value, t, nested := w.content(in, n)
	if value != "" || !nested {
		*to = append(*to, Field{name, value, t})
	}
	w.attributes(in, n, to, name+".", named)
	if !nested || strings.Count(name, ".") > maxDepth {
		return
	}
	if at != inExtra {
		at = inNested
	}
	w.children(in, n.child, at, name+".")
}

// attributes adds an element's attributes as fields; skipName leaves out Name, which named the element.
func (w *walker) attributes(in *instance, n *node, to *[]Field, prefix string, skipName bool) {
	for a := n.attr; a != 0; a = in.t.nodes[a].next {
		at := &in.t.nodes[a]
		if isNamespace(at.name) || skipName && at.known == knownName {
			continue
		}
		if s := w.text(in, at); s != "" {
			*to = append(*to, Field{prefix + at.name, s, TypeString})
		}
	}
}

// content is an element's own text, its type, and whether other elements are nested in it.
func (w *walker) content(in *instance, n *node) (s string, t Type, nested bool) {
	t = TypeNull
	pieces := 0
	buf := w.scratch[:0]
	for i := n.child; i != 0; i = in.t.nodes[i].next {
		c := &in.t.nodes[i]
		if w.steps--; w.steps <= 0 || w.output < len(buf) {
			break
		}
		switch c.kind {
		case nodeElement:
			nested = true
		case nodeText, nodeEntity:
			buf = append(buf, c.text...)
			t = TypeString
			pieces++
		case nodeSubst:
			v := w.value(in, c.sub)
			if v.inst >= 0 {
				nested = true
				continue
			}
			buf = appendValue(buf, v.typ, w.chunk[v.off:v.off+v.size])
			if t = v.typ; v.item {
				t |= TypeArray
			}
			pieces++
		}
	}
	w.scratch = buf
	if nested && len(strings.TrimSpace(unsafe.String(unsafe.SliceData(buf), len(buf)))) == 0 {
		buf = buf[:0] // the white space between elements is no value
	}
	if pieces > 1 {
		t = TypeString
	}
	return w.keep(buf), t, nested
}

// text is the text of an attribute, or of an element's own content.
func (w *walker) text(in *instance, n *node) string {
	if n.static && n.kind == nodeAttribute {
		return n.text
	}
	if c := &in.t.nodes[n.child]; n.child != 0 && c.next == 0 && c.kind == nodeSubst {
		v := w.value(in, c.sub)
		return w.valueString(&v)
	}
	s, _, _ := w.content(in, n)
	return s
}

// valueString makes the string of a value straight in the block.
func (w *walker) valueString(v *value) string {
	if v.size == 0 || v.inst >= 0 {
		return ""
	}
	b := w.chunk[v.off : v.off+v.size]
	w.reserve(maxText(v.typ, b))
	from := len(w.block)
	w.block = appendValue(w.block, v.typ, b)
	return w.cut(from)
}

// keep copies b to the block.
func (w *walker) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	w.reserve(len(b))
	from := len(w.block)
	w.block = append(w.block, b...)
	return w.cut(from)
}

// reserve makes room for n bytes, in a new block if need be: a block that strings
// were cut from never moves.
func (w *walker) reserve(n int) {
	if cap(w.block)-len(w.block) < n {
		w.block = make([]byte, 0, max(blockSize, n))
	}
}

// cut makes a string of the block's end. The bytes are written once and before
// this, so the string is as immutable as any.
func (w *walker) cut(from int) string {
	n := len(w.block) - from
	if n == 0 {
		return ""
	}
	w.output -= n
	if w.output < 0 {
		return ""
	}
	return unsafe.String(&w.block[from], n)
}

// paramNames are the names of unnamed Data elements.
var paramNames = func() (names [65]string) {
	for i := range names {
		names[i] = "param" + strconv.Itoa(i)
	}
	return names
}()

func (w *walker) paramName() string {
	if w.param < len(paramNames) {
		return paramNames[w.param]
	}
	return "param" + strconv.Itoa(w.param)
}
