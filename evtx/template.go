package evtx

import (
	"errors"
	"fmt"
)

// A template is compiled to a tree of nodes with every name resolved and every
// constant already escaped. The same tree gives the fields (fields.go) and the
// XML (xml.go); only substitution values are looked at for each record.

type nodeKind uint8

const (
	nodeElement nodeKind = iota
	nodeAttribute
	nodeText
	nodeSubst
	nodeEntity // reference to an entity XML does not predefine; name is its name
	nodePI     // processing instruction; only in the XML
)

// node is an element, an attribute or a piece of their content. Links are
// indexes into template.nodes; 0 is none, since nodes[0] is the root.
type node struct {
	kind     nodeKind
	optional bool // nodeSubst: leave the attribute out when the value is null
	empty    bool // nodeElement: was written <x/>
	leaf     bool // nodeElement: content is exactly one substitution, no attributes but a constant Name
	static   bool // no substitutions below: open is all of its XML
	opened   bool // nodeElement: open is the whole start tag
	known    known
	next     int32
	attr     int32 // first attribute
	child    int32 // first piece of content
	sub      int32 // nodeSubst: its number; nodeElement: first substitution among its content, or -1
	dep      int32 // nodeElement: left out when this substitution is null, or -1
	name     string
	text     string // nodeText: the text; leaf element: name of the field
	open     string // XML: start tag as far as it is constant, or all of it if static
	end      string // XML: end tag
}

// template is a compiled template definition, or a single element compiled on the fly.
type template struct {
	nodes []node
	subs  int // number of substitutions it refers to
	err   error

	// To know the definition again in another chunk; see match.
	data  []byte
	names []nameRef
}

// nameRef is a reference to a name inside a definition. The offset stored there
// (and the hash chain pointer of an inline name) differ between chunks; all other bytes must not.
type nameRef struct {
	at     uint32 // of the 4-byte offset, from the start of the definition's data
	inline bool
	utf16  []byte
}

const (
	maxDepth     = 32      // elements in elements, fragments in fragments
	maxNodes     = 1 << 14 // of one template; a chunk has no room for more that mean anything
	maxCompile   = 4 * ChunkSize
	templateHead = 24 // next offset, GUID, size
)

var (
	errShort   = errors.New("data ends inside a token")
	errDepth   = fmt.Errorf("elements nested deeper than %d", maxDepth)
	errNodes   = fmt.Errorf("more than %d elements in one template", maxNodes)
	errCompile = errors.New("template definitions of this chunk overlap without end")
	errName    = errors.New("no name where one should be")
)

// compiler parses binary XML tokens (MS-EVEN6 §2.2.12) between pos and end of a chunk.
type compiler struct {
	chunk      []byte
	pos, end   uint32
	base       uint32 // start of the definition's data, for nameRef.at
	definition bool   // inside a template definition, where elements have a dependency id
	strict     bool   // names must have the hash stored with them: the definition may be overwritten
	t          *template
	names      *names
}

// compileDefinition compiles the template definition whose data is chunk[pos:end].
func compileDefinition(chunk []byte, pos, end uint32, nm *names, strict bool) *template {
	c := compiler{chunk: chunk, pos: pos, end: end, base: pos, definition: true, strict: strict, names: nm, t: &template{}}
	c.t.nodes = append(make([]node, 0, 48), node{})
	c.t.err = c.fragment()
	c.t.finish()
	return c.t
}

// compileElement compiles the element at pos that stands in a record outside
// any template, and returns where it ends.
func compileElement(chunk []byte, pos, end uint32, nm *names) (*template, uint32) {
	c := compiler{chunk: chunk, pos: pos, end: end, base: pos, names: nm, t: &template{}}
	c.t.nodes = append(make([]node, 0, 16), node{})
	var id int32
	if id, c.t.err = c.element(0); c.t.err != nil {
		// Some producers write dependency ids outside definitions, too.
		retry := compiler{chunk: chunk, pos: pos, end: end, base: pos, names: nm, t: &template{}, definition: true}
		retry.t.nodes = append(retry.t.nodes, node{})
		if rid, err := retry.element(0); err == nil {
			id, c = rid, retry
		}
	}
	c.t.nodes[0].child = id
	c.t.finish()
	return c.t, c.pos
}

// fragment parses the content of a definition: header, one element, end.
func (c *compiler) fragment() error {
	last := int32(0)
	for {
		tok, ok := c.peek()
		if !ok {
			return errShort
		}
		var id int32
		var err error
		switch tok {
		case tokEOF:
			return nil
		case tokFragment:
			c.pos += 4
			continue
		case tokElement, tokElement | tokMore:
			id, err = c.element(0)
		case tokPITarget:
			id, err = c.instruction()
		default:
			return fmt.Errorf("unknown token 0x%02x", tok)
		}
		if id != 0 {
			c.link(0, &last, id)
		}
		if err != nil {
			return err
		}
		if c.pos >= c.end {
			return nil
		}
	}
}

const (
	tokEOF        = 0x00
	tokElement    = 0x01
	tokCloseStart = 0x02
	tokCloseEmpty = 0x03
	tokEndElement = 0x04
	tokText       = 0x05
	tokAttribute  = 0x06
	tokCDATA      = 0x07
	tokCharRef    = 0x08
	tokEntityRef  = 0x09
	tokPITarget   = 0x0a
	tokPIData     = 0x0b
	tokTemplate   = 0x0c
	tokSubst      = 0x0d
	tokOptSubst   = 0x0e
	tokFragment   = 0x0f
	tokMore       = 0x40 // bit: has attributes, or another of its kind follows
)

// element parses one element with all it contains. On error it still returns
// the node, so that what came before the damage is kept.
func (c *compiler) element(depth int) (int32, error) {
	if depth > maxDepth {
		return 0, errDepth
	}
	head := uint32(5)
	if c.definition {
		head = 7
	}
	if !c.has(head) {
		return 0, errShort
	}
	more := c.chunk[c.pos]&tokMore != 0
	dep := int32(-1)
	if c.definition {
		if d := le.Uint16(c.chunk[c.pos+1:]); d != 0xffff {
			dep = int32(d)
		}
	}
	size := le.Uint32(c.chunk[c.pos+head-4:])
	c.pos += head
	if size > c.end-c.pos {
		return 0, errors.New("element longer than what holds it")
	}
	name, err := c.name()
	if err != nil {
		return 0, err
	}
	id, err := c.add(node{kind: nodeElement, name: name, known: knownNames[name], sub: -1, dep: dep})
	if err != nil {
		return 0, err
	}
	if dep >= 0 {
		c.t.subs = max(c.t.subs, int(dep)+1)
	}
	if more {
		if !c.has(4) {
			return id, errShort
		}
		c.pos += 4 // length of the list; the tokens say where it ends
		last := int32(0)
		for {
			tok, ok := c.peek()
			if !ok {
				return id, errShort
			}
			if tok&^tokMore != tokAttribute {
				break
			}
			c.pos++
			name, err := c.name()
			if err != nil {
				return id, err
			}
			a, err := c.add(node{kind: nodeAttribute, name: name, known: knownNames[name], sub: -1, dep: -1})
			if err != nil {
				return id, err
			}
			if last == 0 {
				c.t.nodes[id].attr = a
			} else {
				c.t.nodes[last].next = a
			}
			last = a
			if err := c.content(a, depth, true); err != nil {
				return id, err
			}
		}
	}
	tok, ok := c.peek()
	if !ok {
		return id, errShort
	}
	c.pos++
	switch tok {
	case tokCloseEmpty:
		c.t.nodes[id].empty = true
		return id, nil
	case tokCloseStart:
		return id, c.content(id, depth, false)
	}
	return id, fmt.Errorf("token 0x%02x where a start tag ends", tok)
}

// content parses the content of an attribute (which ends at the first token that
// cannot be part of it) or an element (which ends at its end tag).
func (c *compiler) content(parent int32, depth int, attribute bool) error {
	last := int32(0)
	for {
		tok, ok := c.peek()
		if !ok {
			return errShort
		}
		n := node{kind: nodeText, sub: -1, dep: -1}
		switch tok &^ tokMore {
		case tokText:
			if !c.has(4) {
				return errShort
			}
			typ := Type(c.chunk[c.pos+1])
			if typ != TypeString {
				return fmt.Errorf("constant of type 0x%02x", uint8(typ))
			}
			c.pos += 2
			s, err := c.counted()
			if err != nil {
				return err
			}
			n.text = s
		case tokCDATA:
			c.pos++
			s, err := c.counted()
			if err != nil {
				return err
			}
			n.text = s
		case tokCharRef:
			if !c.has(3) {
				return errShort
			}
			n.text = string(rune(le.Uint16(c.chunk[c.pos+1:])))
			c.pos += 3
		case tokEntityRef:
			c.pos++
			name, err := c.name()
			if err != nil {
				return err
			}
			if s, ok := entities[name]; ok {
				n.text = s
			} else {
				n.kind, n.name, n.text = nodeEntity, name, "&"+name+";"
			}
		case tokSubst, tokOptSubst:
			if !c.has(4) {
				return errShort
			}
			n.kind, n.optional = nodeSubst, tok&^tokMore == tokOptSubst
			n.sub = int32(le.Uint16(c.chunk[c.pos+1:]))
			c.t.subs = max(c.t.subs, int(n.sub)+1)
			c.pos += 4
			if p := &c.t.nodes[parent]; p.sub < 0 {
				p.sub = n.sub
			}
		case tokElement:
			if attribute {
				return nil
			}
			id, err := c.element(depth + 1)
			if id != 0 {
				c.link(parent, &last, id)
			}
			if err != nil {
				return err
			}
			continue
		case tokPITarget:
			if attribute {
				return nil
			}
			id, err := c.instruction()
			if err != nil {
				return err
			}
			c.link(parent, &last, id)
			continue
		case tokEndElement:
			if !attribute {
				c.pos++
			}
			return nil
		default:
			if attribute {
				return nil
			}
			return fmt.Errorf("unknown token 0x%02x", tok)
		}
		id, err := c.add(n)
		if err != nil {
			return err
		}
		c.link(parent, &last, id)
	}
}

// instruction parses a processing instruction.
func (c *compiler) instruction() (int32, error) {
	c.pos++
	name, err := c.name()
	if err != nil {
		return 0, err
	}
	n := node{kind: nodePI, name: name, sub: -1, dep: -1}
	if tok, ok := c.peek(); ok && tok == tokPIData {
		c.pos++
		if n.text, err = c.counted(); err != nil {
			return 0, err
		}
	}
	return c.add(n)
}

func (c *compiler) peek() (byte, bool) {
	if c.pos >= c.end {
		return 0, false
	}
	return c.chunk[c.pos], true
}

// has reports whether n bytes follow.
func (c *compiler) has(n uint32) bool { return c.end-c.pos >= n }

func (c *compiler) add(n node) (int32, error) {
	if len(c.t.nodes) >= maxNodes {
		return 0, errNodes
	}
	c.t.nodes = append(c.t.nodes, n)
	return int32(len(c.t.nodes) - 1), nil
}

// link makes id the next piece of parent's content.
func (c *compiler) link(parent int32, last *int32, id int32) {
	if *last == 0 {
		c.t.nodes[parent].child = id
	} else {
		c.t.nodes[*last].next = id
	}
	*last = id
}

// counted reads a length-prefixed UTF-16 string.
func (c *compiler) counted() (string, error) {
	if !c.has(2) {
		return "", errShort
	}
	n := 2 * uint32(le.Uint16(c.chunk[c.pos:]))
	c.pos += 2
	if !c.has(n) {
		return "", errShort
	}
	s := c.names.intern(c.chunk[c.pos : c.pos+n])
	c.pos += n
	return s, nil
}

// name reads a name reference; the name itself follows where it is used first in the chunk.
func (c *compiler) name() (string, error) {
	if !c.has(4) {
		return "", errShort
	}
	ref := nameRef{at: c.pos - c.base}
	off := le.Uint32(c.chunk[c.pos:])
	c.pos += 4
	b, ok := nameAt(c.chunk, off)
	if !ok || c.strict && nameHash(b) != le.Uint16(c.chunk[off+4:]) {
		return "", errName
	}
	if off == c.pos {
		size := 8 + uint32(len(b)) + 2
		if !c.has(size) {
			return "", errShort
		}
		c.pos += size
		ref.inline = true
	}
	ref.utf16 = b
	c.t.names = append(c.t.names, ref)
	return c.names.intern(b), nil
}

// nameAt returns the UTF-16 text of the name structure at off: next name in its
// hash bucket (4 bytes), hash (2), length (2), characters, NUL.
func nameAt(chunk []byte, off uint32) ([]byte, bool) {
	if uint64(off)+8 > uint64(len(chunk)) {
		return nil, false
	}
	n := 2 * uint32(le.Uint16(chunk[off+6:]))
	if uint64(off)+8+uint64(n)+2 > uint64(len(chunk)) || n == 0 {
		return nil, false
	}
	return chunk[off+8 : off+8+n], true
}

// nameHash is the hash by which names are kept in the chunk's string table.
func nameHash(b []byte) uint16 {
	h := uint32(0)
	for ; len(b) >= 2; b = b[2:] {
		h = h*65599 + uint32(le.Uint16(b))
	}
	return uint16(h)
}

// names turns UTF-16 names and constants into strings, each of which is made once.
type names struct {
	known map[string]string
	buf   []byte
}

const maxNames, maxInterned = 1 << 13, 256

func (n *names) intern(b []byte) string {
	n.buf = appendUTF16(n.buf[:0], trimNUL16(b))
	if len(n.buf) > maxInterned {
		return string(n.buf)
	}
	if s, ok := n.known[string(n.buf)]; ok {
		return s
	}
	if n.known == nil || len(n.known) >= maxNames {
		n.known = make(map[string]string)
	}
	s := string(n.buf)
	n.known[s] = s
	return s
}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}
