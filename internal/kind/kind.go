// Package kind holds registries: of collectors, alert outputs and receivers, each
// kind of which is one file that registers itself under the first part of its
// URL's scheme.
//
//	var kinds = kind.Registry[newOutput]{}
//	var _ = kinds.Add("file", "JSON lines appended to a file: file:///PATH", newFile)
package kind

import (
	"maps"
	"slices"
)

// Registry has what makes one of a kind, by the kind's name.
type Registry[Make any] map[string]Kind[Make]

// Kind is a kind, in words for a person, and what makes one.
type Kind[Make any] struct {
	Title string
	New   Make
}

// Add registers a kind. Its result is for a declaration at package level.
func (r Registry[Make]) Add(name, title string, make Make) bool {
	r[name] = Kind[Make]{title, make}
	return true
}

// Names are those of all kinds, in order.
func (r Registry[Make]) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Each calls fn with each kind, in order of the names.
func (r Registry[Make]) Each(fn func(name, title string)) {
	for _, name := range r.Names() {
		fn(name, r[name].Title)
	}
}
