package evtx

import (
	"strings"
	"unicode/utf8"
)

// source is what a record's XML is made from.
type source struct {
	w     *walker
	first int32
	turn  uint64 // of the walker, while this record is the one it holds
}

// AppendXML appends the record as the XML Windows would show for it: one line,
// no declaration, attributes in single quotes. Characters XML cannot hold become
// U+FFFD. A record that is no longer valid, or did not come from a reader, gives nothing. What a chunk made to expand
// without end gives is cut off, but its tags are closed.
func (r *Record) AppendXML(dst []byte) []byte {
	w := r.src.w
	if w == nil || w.turn != r.src.turn {
		return dst
	}
	x := xmlWriter{w: w, dst: dst, steps: w.xml.steps, limit: len(dst) + w.xml.output}
	for i := r.src.first; i >= 0; i = w.instances[i].next {
		in := &w.instances[i]
		x.children(in, in.t.nodes[0].child)
	}
	w.xml = budget{max(x.steps, 0), max(x.limit-len(x.dst), 0)}
	return x.dst
}

type xmlWriter struct {
	w     *walker
	dst   []byte
	steps int
	limit int // no more values beyond this length of dst; what is open is still closed
}

func (x *xmlWriter) children(in *instance, first int32) {
	for i := first; i != 0; {
		n := &in.t.nodes[i]
		i = n.next
		if n.static {
			x.dst = append(x.dst, n.open...)
			continue
		}
		if x.steps--; x.steps <= 0 || len(x.dst) > x.limit {
			return
		}
		if n.kind == nodeElement {
			x.element(in, n)
		} else {
			x.value(in, n, false)
		}
	}
}

// element writes an element, once for each element of an array among its content.
func (x *xmlWriter) element(in *instance, n *node) {
	w := x.w
	if n.dep >= 0 {
		if v := w.value(in, n.dep); v.null() {
			return
		}
	}
	if n.sub < 0 || n.sub >= in.count || !w.vals[in.vals+n.sub].typ.IsArray() {
		x.single(in, n)
		return
	}
	slot := in.vals + n.sub
	whole := w.vals[slot]
	b := w.chunk[whole.off : whole.off+whole.size]
	for first := true; (first || len(b) > 0) && x.steps > 0 && len(x.dst) <= x.limit; first = false {
		item, rest := nextItem(whole.typ.Elem(), b)
		off := whole.off + whole.size - uint32(len(b))
		w.vals[slot] = value{off: off, size: uint32(len(item)), typ: whole.typ.Elem(), item: true, inst: -1}
		x.single(in, n)
		x.steps--
		b = rest
	}
	w.vals[slot] = whole
}

func (x *xmlWriter) single(in *instance, n *node) {
	x.dst = append(x.dst, n.open...)
	if !n.opened {
		for a := n.attr; a != 0; a = in.t.nodes[a].next {
			x.attribute(in, &in.t.nodes[a])
		}
		if n.empty {
			x.dst = append(x.dst, '/', '>')
			return
		}
		x.dst = append(x.dst, '>')
	} else if n.empty {
		return
	}
	x.children(in, n.child)
	x.dst = append(x.dst, n.end...)
}

func (x *xmlWriter) attribute(in *instance, n *node) {
	if n.static {
		x.dst = append(x.dst, n.open...)
		return
	}
	if c := &in.t.nodes[n.child]; c.kind == nodeSubst && c.optional && c.next == 0 {
		if v := x.w.value(in, c.sub); v.null() {
			return
		}
	}
	x.dst = append(x.dst, n.open...)
	for i := n.child; i != 0; {
		c := &in.t.nodes[i]
		i = c.next
		if c.kind == nodeSubst {
			x.value(in, c, true)
		} else {
			x.dst = escapeText(x.dst, c.text, true)
		}
	}
	x.dst = append(x.dst, '\'')
}

// value writes the value of a substitution.
func (x *xmlWriter) value(in *instance, n *node, attribute bool) {
	w := x.w
	if x.steps--; x.steps <= 0 || len(x.dst) > x.limit {
		return
	}
	v := w.value(in, n.sub)
	if v.inst >= 0 {
		if attribute {
			return
		}
		for k := v.inst; k >= 0; k = w.instances[k].next {
			nested := &w.instances[k]
			x.children(nested, nested.t.nodes[0].child)
		}
		return
	}
	from := len(x.dst)
	x.dst = appendValue(x.dst, v.typ, w.chunk[v.off:v.off+v.size])
	switch v.typ.Elem() {
	case TypeString, TypeANSI, typeXMLText:
		x.dst = escapeTail(x.dst, from, attribute, &w.scratch)
	}
}

// escapeTail escapes dst[from:] where it needs it, which is seldom.
func escapeTail(dst []byte, from int, attribute bool, scratch *[]byte) []byte {
	b := dst[from:]
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if suspect(le.Uint64(b[i:])) {
			break
		}
	}
	for ; i < len(b) && !special[b[i]]; i++ {
	}
	if i == len(b) {
		return dst
	}
	*scratch = append((*scratch)[:0], b[i:]...)
	return escapeBytes(dst[:from+i], *scratch, attribute)
}

// special are the bytes that are or may begin what XML text cannot hold as it is:
// markup, controls, and U+FFFE and U+FFFF.
var special = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = c != '\t' && c != '\n' && c != '\r'
	}
	t['<'], t['>'], t['&'], t['\''], t[0xef] = true, true, true, true, true
	return t
}()

// suspect reports whether one of eight bytes may be special; tabs, line ends and
// non-ASCII letters are, too, here.
func suspect(x uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	zero := func(x uint64) uint64 { return (x - ones) &^ x }
	return (zero(x^'<'*ones)|zero(x^'>'*ones)|zero(x^'&'*ones)|zero(x^'\''*ones)|(x-ones*0x20)|x)&highs != 0
}

func escapeText(dst []byte, s string, attribute bool) []byte {
	return escapeBytes(dst, []byte(s), attribute)
}

func escapeBytes(dst, b []byte, attribute bool) []byte {
	from := 0
	for i := 0; i < len(b); i++ {
		if !special[b[i]] {
			continue
		}
		with, width := "", 1
		switch c := b[i]; {
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c == '&':
			with = "&amp;"
		case c == '\'':
			if !attribute {
				continue
			}
			with = "&apos;"
		case c < 0x20:
			with = "\ufffd"
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r != 0xfffe && r != 0xffff {
				continue
			}
			with, width = "\ufffd", n
		}
		dst = append(dst, b[from:i]...)
		dst = append(dst, with...)
		from = i + width
		i = from - 1
	}
	return append(dst, b[from:]...)
}

// xmlName makes sure a damaged or malicious name cannot break out of its tag.
func xmlName(name string) string {
	bad := func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == 0xfffe || r == 0xffff || strings.ContainsRune(`<>&'"/=?!;`, r)
	}
	if name != "" && strings.IndexFunc(name, bad) < 0 {
		return name
	}
	return "_" + strings.Map(func(r rune) rune {
		if bad(r) {
			return '_'
		}
		return r
	}, name)
}
