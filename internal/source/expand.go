package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// expansion lists what is in one outer file: it recognises layer after layer
// until there is content, and makes that a Source.
type expansion struct {
	ctx      context.Context
	evidence *Evidence
	outer    *outer
	sources  []*Source
	problems []*Problem

	members int
	total   int64 // bytes listed or passed over in archives
	limited *Problem
	limits  int
	whole   bool                       // the outer file is being read from front to back
	full    bool                       // a bound for the whole outer file was reached: stop
	told    map[*Problem]bool          // already reported, or to be with a source
	names   map[*node]map[string]int32 // member names seen, per archive
}

// expandOuter lists the sources of o. Its error is ctx's or that of the
// temporary file.
func (e *Evidence) expandOuter(ctx context.Context, o *outer, name string) (*expansion, error) {
	x := &expansion{ctx: ctx, evidence: e, outer: o, told: make(map[*Problem]bool), names: make(map[*node]map[string]int32)}
	root := newOuterNode(o, name)
	h := sha256.New()
	live, err := root.openSection(ctx, h)
	if err == nil {
		err = x.expand(root, live, false)
		if err == nil && x.whole {
			if err = drain(live); err == nil {
				o.setDigest(hex.EncodeToString(h.Sum(nil)))
			}
		}
		live.Close()
	}
	for _, s := range x.sources {
		if s.inspected != nil {
			s.inspected.OuterSHA256, s.inspected.OuterSize = o.sum, o.size
		}
	}
	var p *Problem
	if errors.As(err, &p) {
		x.report(p)
		err = nil
	}
	if x.limited != nil && x.limits > 1 {
		x.limited.What += fmt.Sprintf(" (and %d more inside this file like it)", x.limits-1)
	}
	return x, err
}

// report keeps a problem unless it has been told. Bombs hold bombs: of those
// refused by a bound only the first gets a line, with the count of the rest.
func (x *expansion) report(p *Problem) {
	if x.told[p] {
		return
	}
	x.told[p] = true
	if p.Kind == Limit {
		if x.limits++; x.limits > 1 {
			return
		}
		x.limited = p
	}
	x.problems = append(x.problems, p)
}

// expand lists what is in n, of which live gives the bytes from the start.
// passing says that live comes by once, within an archive being read from
// front to back, so that content has to be inspected now. The caller closes
// live. A *Problem as error concerns what holds n.
func (x *expansion) expand(n *node, live *stream, passing bool) error {
	head, err := live.Peek(sniffSize)
	if ctxErr := x.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	kind := sniff(head)
	if kind == "" {
		n.foreign = sniffForeign(head)
		return x.leaf(n, live, passing)
	}
	if _, readable := err.(*Problem); readable && len(head) == 0 {
		return err
	}
	if n.depth >= x.evidence.options.MaxDepth {
		x.report(n.problem(Limit, fmt.Sprintf("%s inside %d layers of compression and archive: not opened", kind, n.depth), "raise the depth limit, or unpack it first", nil))
		return nil
	}
	if kind == "tar" || kind == "zip" {
		members, problems := x.members, len(x.told)
		archive := x.zip
		if kind == "tar" {
			archive = x.tar
		}
		if err := archive(n, live); err != nil {
			return err
		}
		if x.members == members && len(x.told) == problems {
			x.report(n.problem(Empty, "the "+kind+" archive holds no files", "", nil))
		}
		return nil
	}
	return x.compressed(n, kind, live, passing)
}

func (x *expansion) compressed(n *node, kind string, live *stream, passing bool) error {
	c := n.compressed(kind)
	s, modTime := c.decompress(x.ctx, kind, live)
	defer func() { s.layer.close = nil; s.Close() }() // live is the caller's
	if !modTime.IsZero() {
		c.modTime, c.modTimeFrom = modTime, kind
	}
	return x.expand(c, s, passing)
}

// leaf makes n a source.
func (x *expansion) leaf(n *node, live *stream, passing bool) error {
	s := &Source{
		Display: n.display(), Path: x.outer.path, Members: n.members, Name: Printable(n.name), Folder: n.folder(), Layers: n.layers(),
		Aliases: x.outer.aliases, ModTime: n.modTime, ModTimeFrom: n.modTimeFrom, StoredSize: n.stored, Size: n.size,
		evidence: x.evidence, node: n,
	}
	x.sources = append(x.sources, s)
	if !passing {
		return nil
	}
	in, err := s.inspect(live)
	if err != nil {
		return err
	}
	if in.Problem != nil {
		x.told[in.Problem] = true
	}
	if n.size < 0 {
		x.pass(n, in.Size)
	}
	s.inspected = in
	return nil
}

// pass counts bytes that came out of archives against the bounds of the whole
// outer file, and reports whether to go on.
func (x *expansion) pass(n *node, bytes int64) bool {
	o := &x.evidence.options
	x.total += max(bytes, 0)
	if x.full {
		return false
	}
	ratio := x.total / max(x.outer.size, 1)
	switch {
	case x.total > o.MaxTotal:
		x.report(n.problem(Limit, fmt.Sprintf("holds more than %d bytes: the rest is not read", o.MaxTotal), "raise the limit on the total, or unpack it first", nil))
	case x.total > o.FreeSize && ratio > o.MaxRatio:
		x.report(n.problem(Limit, fmt.Sprintf("expands to more than %d times its size: taken for a decompression bomb, the rest is not read", o.MaxRatio),
			"raise the ratio limit if the file is trusted", nil))
	case x.members > o.MaxMembers:
		x.report(n.problem(Limit, fmt.Sprintf("holds more than %d members: the rest is not read", o.MaxMembers), "raise the limit on members, or unpack it first", nil))
	default:
		return true
	}
	x.full = true
	return false
}

// add makes the node of the next member of archive n.
func (x *expansion) add(n *node, archive, name string) *node {
	seen := x.names[n]
	if seen == nil {
		seen = make(map[string]int32)
		x.names[n] = seen
	}
	m := n.member(archive, name, int(seen[name]))
	seen[name]++
	x.members++
	return m
}

// folder is where n lies, as shown: its directory or its archive's folder.
func (n *node) folder() string {
	whole := n.display()
	cut := strings.LastIndexAny(whole, `/\!`)
	if n.shown == "" {
		cut = strings.LastIndexByte(whole, '/')
		if i := strings.LastIndexByte(whole, pathSeparator); i > cut {
			cut = i
		}
	}
	return whole[:cut+1]
}

// drain reads s to its end: nil at io.EOF.
func drain(s *stream) error {
	for {
		if _, err := s.Discard(bufferSize); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
