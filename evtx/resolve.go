package evtx

import (
	"errors"
	"fmt"
)

// instance is a template with the values of one record, or an element that stood
// in the record itself (no values).
type instance struct {
	t     *template
	vals  int32 // first of its values in resolver.vals
	count int32
	next  int32 // next instance of the same fragment, -1 if none
}

// resolver finds the templates and values of a record. It checks every bound,
// so that what walks the result (fields.go, xml.go) need not.
type resolver struct {
	chunk     []byte
	names     names
	instances []instance
	vals      []value

	byOffset map[uint32]*template        // of this chunk
	byKey    map[templateKey][]*template // of all chunks so far
	byID     map[uint32]*template        // latest with this id, to recover records that lost theirs
	kept     int                         // size of byKey
	compiled int                         // bytes compiled for this chunk
	salvage  bool                        // a record being carved may borrow a template by id
}

type templateKey struct {
	guid [16]byte
	size uint32
}

const (
	maxTemplates = 4096    // compiled templates kept between chunks
	maxKept      = 8 << 20 // bytes of definitions kept to compare with
	maxVariants  = 16      // of one GUID and size
	maxInstances = 1 << 12 // fragments in one record
)

var (
	errTemplate  = errors.New("template definition outside the chunk or not the one meant")
	errInstances = fmt.Errorf("more than %d nested fragments in one record", maxInstances)
)

// reset starts a new chunk.
func (r *resolver) reset(chunk []byte) {
	r.chunk = chunk
	r.compiled = 0
	if r.byOffset == nil {
		r.byOffset = make(map[uint32]*template)
		r.byKey = make(map[templateKey][]*template)
		r.byID = make(map[uint32]*template)
	}
	clear(r.byOffset)
}

// record resolves the binary XML between pos and end. It returns the first
// instance (-1 if none) and the first error; what could be resolved is there all the same.
func (r *resolver) record(pos, end uint32) (int32, error) {
	r.instances = r.instances[:0]
	r.vals = r.vals[:0]
	return r.fragment(pos, end, 0)
}

func (r *resolver) fragment(pos, end uint32, depth int) (first int32, err error) {
	first, last := int32(-1), int32(-1)
	if depth > maxDepth {
		return first, errDepth
	}
	for pos < end {
		var id int32
		switch tok := r.chunk[pos]; tok {
		case tokEOF:
			return first, err
		case tokFragment:
			pos += 4
			continue
		case tokTemplate:
			var e error
			if id, pos, e = r.instance(pos, end, depth); e != nil && err == nil {
				err = e
			}
		case tokElement, tokElement | tokMore:
			if r.compiled > maxCompile {
				return first, errCompile
			}
			t, next := compileElement(r.chunk, pos, end, &r.names)
			r.compiled += int(next - pos)
			pos = next
			id = r.add(instance{t: t, next: -1})
			if t.err != nil {
				pos = end
				if err == nil {
					err = t.err
				}
			}
		default:
			if err == nil {
				err = fmt.Errorf("unknown token 0x%02x", tok)
			}
			return first, err
		}
		if id < 0 {
			return first, err
		}
		if last < 0 {
			first = id
		} else {
			r.instances[last].next = id
		}
		last = id
	}
	return first, err
}

func (r *resolver) add(in instance) int32 {
	r.instances = append(r.instances, in)
	return int32(len(r.instances) - 1)
}

// instance resolves the template instance at pos: token, one byte, template id,
// offset of the definition, the definition itself where it is used first,
// number of values, their sizes and types, the values.
func (r *resolver) instance(pos, end uint32, depth int) (id int32, next uint32, err error) {
	if end-pos < 14 {
		return -1, end, errShort
	}
	if len(r.instances) >= maxInstances {
		return -1, end, errInstances
	}
	templateID := le.Uint32(r.chunk[pos+2:])
	def := le.Uint32(r.chunk[pos+6:])
	pos += 10
	t := r.template(def, templateID)
	err = t.err
	if def == pos {
		if end-pos < templateHead+4 {
			return -1, end, errShort
		}
		size := le.Uint32(r.chunk[pos+20:])
		if size > end-pos-templateHead-4 {
			return -1, end, errTemplate
		}
		pos += templateHead + size
	}
	count := le.Uint32(r.chunk[pos:])
	pos += 4
	if count > (end-pos)/4 {
		return -1, end, fmt.Errorf("%d values in %d bytes", count, end-pos)
	}
	base := int32(len(r.vals))
	at := pos + 4*count
	for ; pos < at; pos += 4 {
		r.vals = append(r.vals, value{size: uint32(le.Uint16(r.chunk[pos:])), typ: Type(r.chunk[pos+2]), inst: -1})
	}
	id = r.add(instance{t: t, vals: base, count: int32(count), next: -1})
	for i := base; i < base+int32(count); i++ {
		v := &r.vals[i]
		if v.size > end-at {
			// The rest is cut off; what there is of this value is kept.
			v.size = end - at
			if err == nil {
				err = errShort
			}
		}
		v.off = at
		at += v.size
		if v.typ == TypeBinXML && v.size > 0 {
			first, e := r.fragment(v.off, at, depth+1)
			r.vals[i].inst = first // fragment may have moved vals
			if e != nil && err == nil {
				err = e
			}
		}
	}
	return id, at, err
}

// template returns the compiled definition at off. One that cannot be compiled
// has err set and what could be read of it.
func (r *resolver) template(off, id uint32) *template {
	if t, ok := r.byOffset[off]; ok {
		return t
	}
	t := r.load(off, id)
	if t.err != nil && r.salvage {
		if known := r.byID[id]; known != nil {
			return known
		}
	}
	r.byOffset[off] = t
	return t
}

func (r *resolver) load(off, id uint32) *template {
	chunk := r.chunk
	if uint64(off)+templateHead > uint64(len(chunk)) || le.Uint32(chunk[off+4:]) != id {
		return &template{nodes: make([]node, 1), err: errTemplate}
	}
	size := le.Uint32(chunk[off+20:])
	pos := off + templateHead
	if size > uint32(len(chunk))-pos {
		return &template{nodes: make([]node, 1), err: errTemplate}
	}
	key := templateKey{guid: [16]byte(chunk[off+4:]), size: size}
	for _, t := range r.byKey[key] {
		if t.match(chunk, pos, pos+size) {
			return t
		}
	}
	if r.compiled += int(size); r.compiled > maxCompile {
		return &template{nodes: make([]node, 1), err: errCompile}
	}
	t := compileDefinition(chunk, pos, pos+size, &r.names, r.salvage)
	if t.err != nil {
		return t
	}
	if len(r.byKey) >= maxTemplates || r.kept > maxKept {
		clear(r.byKey)
		clear(r.byID)
		r.kept = 0
	}
	if variants := r.byKey[key]; len(variants) < maxVariants {
		t.keep(chunk[pos : pos+size])
		r.byKey[key] = append(variants, t)
		r.kept += int(size)
	}
	r.byID[id] = t
	return t
}
