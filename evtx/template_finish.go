package evtx

import (
	"bytes"
	"strings"
)

// finish prepares what does not depend on substitutions.
func (t *template) finish() {
	var buf []byte
	for i := len(t.nodes) - 1; i > 0; i-- {
		// Children come after their parents, so they are finished first.
		n := &t.nodes[i]
		switch n.kind {
		case nodeText:
			n.static = true
			n.open = string(escapeText(buf[:0], n.text, false))
		case nodeEntity:
			n.static = true
			n.open = "&" + xmlName(n.name) + ";"
		case nodePI:
			n.static = true
			n.open = "<?" + xmlName(n.name) + " " + string(escapeText(nil, n.text, false)) + "?>"
		case nodeAttribute:
			t.finishAttribute(n)
		case nodeElement:
			t.finishElement(n)
		}
	}
}

func (t *template) finishAttribute(n *node) {
	n.open = " " + xmlName(n.name) + "='"
	if n.sub >= 0 {
		return
	}
	n.static = true
	n.text = t.constant(n.child)
	n.open += string(escapeText(nil, n.text, true)) + "'"
}

func (t *template) finishElement(n *node) {
	var open strings.Builder
	name := xmlName(n.name)
	open.WriteString("<" + name)
	n.static = n.dep < 0
	n.leaf = n.sub >= 0 && n.child != 0 && t.nodes[n.child].next == 0 && t.nodes[n.child].kind == nodeSubst
	n.text = n.name
	constant := true
	for a := n.attr; a != 0; a = t.nodes[a].next {
		at := &t.nodes[a]
		constant = constant && at.static
		if at.static && at.known == knownName && at.text != "" {
			n.text = at.text
		} else if !at.static || !isNamespace(at.name) {
			n.leaf = false
		}
		open.WriteString(at.open)
	}
	n.end = "</" + name + ">"
	if !constant {
		n.static = false
		n.open = "<" + name // attributes are written one by one
		return
	}
	n.opened = true
	if n.empty {
		open.WriteString("/>")
		n.open = open.String()
		return
	}
	open.WriteByte('>')
	for c := n.child; c != 0; c = t.nodes[c].next {
		n.static = n.static && t.nodes[c].static
	}
	if n.static {
		for c := n.child; c != 0; c = t.nodes[c].next {
			open.WriteString(t.nodes[c].open)
		}
		open.WriteString(n.end)
	}
	n.open = open.String()
}

// constant is the text of content without substitutions.
func (t *template) constant(first int32) string {
	var s strings.Builder
	for c := first; c != 0; c = t.nodes[c].next {
		s.WriteString(t.nodes[c].text)
	}
	return s.String()
}

func isNamespace(name string) bool { return name == "xmlns" || strings.HasPrefix(name, "xmlns:") }

// keep copies what match needs out of the chunk.
func (t *template) keep(data []byte) {
	t.data = bytes.Clone(data)
	for i := range t.names {
		t.names[i].utf16 = bytes.Clone(t.names[i].utf16)
	}
}

// match reports whether the definition whose data is chunk[pos:end] says exactly
// what t was compiled from: equal bytes, and equal names behind the offsets.
func (t *template) match(chunk []byte, pos, end uint32) bool {
	data := chunk[pos:end]
	if len(data) != len(t.data) {
		return false
	}
	from := uint32(0)
	for i := range t.names {
		ref := &t.names[i]
		if !bytes.Equal(data[from:ref.at], t.data[from:ref.at]) {
			return false
		}
		off := le.Uint32(data[ref.at:])
		from = ref.at + 4
		if inline := off == pos+from; inline != ref.inline {
			return false
		}
		name, ok := nameAt(chunk, off)
		if !ok || !bytes.Equal(name, ref.utf16) {
			return false
		}
		if ref.inline {
			from += 4 // pointer to the next name of the hash bucket
		}
	}
	return bytes.Equal(data[from:], t.data[from:])
}
