package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"
)

// node is a place in the tree of layers under one outer file: the file itself,
// what a compressed node holds, or a member of an archive. It is a recipe for
// opening its bytes as often as wanted.
type node struct {
	outer   *outer
	parent  *node
	layer   string   // what it was peeled out of: "gzip", "tar" …; "" for the outer file
	members []string // member chain
	shown   string   // the chain for display, with "!" between members
	name    string   // base name
	depth   int

	modTime     time.Time
	modTimeFrom string
	stored      int64 // bytes on disk or in the archive
	size        int64 // bytes of this node, -1 when unknown
	foreign     string

	section *section // where its bytes lie as they are, if they do
	open    func(context.Context) (*stream, error)
}

// newOuterNode is the root of the tree of o.
func newOuterNode(o *outer, name string) *node {
	n := &node{outer: o, name: name, stored: o.size, size: o.size}
	if !o.modTime.IsZero() {
		n.modTime, n.modTimeFrom = o.modTime, "file"
	}
	n.section = &section{o, 0, o.size, o.size}
	n.open = func(ctx context.Context) (*stream, error) { return n.openSection(ctx, nil) }
	return n
}

// openSection reads the node's bytes from where they lie; tee, if set, gets
// them too.
func (n *node) openSection(ctx context.Context, tee hash.Hash) (*stream, error) {
	o := n.section.outer
	if p := o.acquire(); p != nil {
		return nil, p
	}
	return newStream(ctx, n, &sectionReader{ctx: ctx, section: *n.section, tee: tee}, nil, o.release), nil
}

// openSummed opens a node for a pass that shall also make the digest of the
// outer file, if the node's bytes are its bytes one layer of compression or
// more away. finish, to be called at the end of the pass, reads what the
// layers left unread and keeps the digest.
func (n *node) openSummed(ctx context.Context) (s *stream, finish func() error, err error) {
	var layers []*node
	root := n
	for ; root.parent != nil; root = root.parent {
		if len(root.members) > len(root.parent.members) {
			s, err = n.open(ctx) // a member: the outer file is not read whole
			return s, func() error { return nil }, err
		}
		layers = append(layers, root)
	}
	if root.outer.summed() {
		s, err = n.open(ctx)
		return s, func() error { return nil }, err
	}
	h := sha256.New()
	bottom, err := root.openSection(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	s = bottom
	for i := len(layers) - 1; i >= 0; i-- {
		s, _ = layers[i].decompress(ctx, layers[i].layer, s)
	}
	return s, func() error {
		if err := drain(bottom); err != nil {
			return err
		}
		root.outer.setDigest(hex.EncodeToString(h.Sum(nil)))
		return nil
	}, nil
}

// compressed is the node of what kind of compression holds in n.
func (n *node) compressed(kind string) *node {
	c := *n
	c.parent, c.layer, c.depth = n, kind, n.depth+1
	c.size, c.section, c.foreign = -1, nil, ""
	for _, suffix := range suffixes[kind] {
		if base, ok := cutSuffixFold(n.name, suffix); ok && base != "" {
			c.name = base
			break
		}
	}
	if base, ok := cutSuffixFold(n.name, ".tgz"); ok && c.name == n.name {
		c.name = base + ".tar"
	}
	c.open = func(ctx context.Context) (*stream, error) {
		under, err := n.open(ctx)
		if err != nil {
			return nil, err
		}
		s, _ := c.decompress(ctx, kind, under)
		return s, nil
	}
	return &c
}

// member is the node of an archive's member. ordinal counts the members before
// it with the same name, which an archive may hold several times.
func (n *node) member(archive, name string, ordinal int) *node {
	shown := Printable(name)
	if ordinal > 0 {
		shown += "#" + strconv.Itoa(ordinal+1)
	}
	if n.shown != "" {
		shown = n.shown + "!" + shown
	}
	return &node{
		outer: n.outer, parent: n, layer: archive, depth: n.depth + 1,
		members: append(n.members[:len(n.members):len(n.members)], name),
		shown:   shown, name: baseName(name),
		modTime: n.modTime, modTimeFrom: n.modTimeFrom,
	}
}

func (n *node) problem(kind ProblemKind, what, remedy string, err error) *Problem {
	return &Problem{Kind: kind, Path: n.outer.path, Member: n.shown, Offset: -1, What: what, Remedy: remedy, Err: err}
}

// display is the whole path as shown.
func (n *node) display() string {
	if n.shown == "" {
		return Printable(n.outer.path)
	}
	return Printable(n.outer.path) + "!" + n.shown
}

// layers lists what was peeled off to get to n, outermost first.
func (n *node) layers() []string {
	if n.parent == nil {
		return nil
	}
	return append(n.parent.layers(), n.layer)
}

// baseName cuts a member's name at its last separator of either kind: zip
// archives made on Windows have been seen with both.
func baseName(name string) string {
	name = strings.TrimRight(name, `/\`)
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix) {
		return s[:len(s)-len(suffix)], true
	}
	return s, false
}
