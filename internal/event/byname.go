package event

import "unsafe"

// ByName is a table by field name, for hot paths. Names of fields are constants or made once for many events, so a name is mostly
// recognised by where it lies in memory, without hashing it. The zero value is empty. Not safe for concurrent use.
type ByName[T any] struct {
	all  map[string]T
	near [nearNames]nearName[T]
}

const nearNames = 512

type nearName[T any] struct {
	name  string // keeps its bytes from being used for another
	value T
	known bool // to be in the table
}

// Len is the number of names.
func (t *ByName[T]) Len() int { return len(t.all) }

// Clear empties the table.
func (t *ByName[T]) Clear() { *t = ByName[T]{} }

// Put sets the value of a name.
func (t *ByName[T]) Put(name string, value T) {
	if t.all == nil {
		t.all = map[string]T{}
	}
	t.all[name] = value
	clear(t.near[:])
}

// Get returns the value of a name, and whether it has one.
func (t *ByName[T]) Get(name string) (T, bool) {
	at := uintptr(unsafe.Pointer(unsafe.StringData(name)))
	n := &t.near[(at>>3^at>>12^uintptr(len(name)))%nearNames]
	if len(n.name) == len(name) && len(name) > 0 && unsafe.StringData(n.name) == unsafe.StringData(name) {
		return n.value, n.known
	}
	v, known := t.all[name]
	n.name, n.value, n.known = name, v, known
	return v, known
}
