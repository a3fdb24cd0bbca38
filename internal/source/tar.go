package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// tar lists the members of n, a tar archive that live reads.
func (x *expansion) tar(n *node, live *stream) error {
	x.whole = true
	t := newTarReader(live)
	shared := &tarStream{node: n}
	for {
		h, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return x.endTar(n, live, t, err)
		}
		if !x.pass(n, 0) {
			return nil
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse && h.Typeflag != tarContiguous {
			continue // a directory or link holds nothing that is not elsewhere in the archive
		}
		m := x.add(n, "tar", h.Name)
		m.size, m.stored = h.Size, h.Size
		if h.ModTime.Unix() > 0 {
			m.modTime, m.modTimeFrom = h.ModTime.UTC(), "tar"
		}
		index := t.index
		if off := t.offset(); n.section != nil && !sparse(h) {
			left := max(n.section.size-off, 0)
			m.section = &section{n.section.outer, n.section.off + min(off, n.section.size), min(h.Size, left), h.Size}
			m.open = func(ctx context.Context) (*stream, error) { return m.openSection(ctx, nil) }
		} else {
			m.open = func(ctx context.Context) (*stream, error) { return shared.open(ctx, m, index) }
			shared.wanted = append(shared.wanted, index)
		}
		s := t.member(x.ctx, m)
		err = x.expand(m, s, true)
		p := s.fault()
		s.Close()
		if err != nil {
			return err
		}
		if t.cut = p != nil; t.cut {
			x.told[p] = true // by the member
			continue
		}
		if !x.pass(m, h.Size) {
			return nil
		}
	}
}

// endTar reports why the archive could not be read further, unless the member
// in whose middle that was has done so.
func (x *expansion) endTar(n *node, live *stream, t *tarReader, err error) error {
	if ctxErr := x.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	var p *Problem
	switch fault := live.fault(); {
	case t.cut:
		return nil
	case fault != nil:
		p = fault
	case errors.Is(err, io.ErrUnexpectedEOF):
		p = n.problem(Truncated, fmt.Sprintf("the tar archive ends early, after %d members", t.index+1), "these were read; get a complete copy", err)
	default:
		p = n.problem(Corrupt, fmt.Sprintf("the tar archive is damaged at byte %d", t.offset()),
			fmt.Sprintf("the %d members before were read", t.index+1), err)
	}
	x.report(p)
	return nil
}

const tarContiguous = '7' // POSIX.1-1988: reads as a regular file

// sparse reports whether the member's bytes lie in the archive other than in
// one piece (GNU tar manual, "Storing Sparse Files").
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if len(key) > 11 && key[:11] == "GNU.sparse." {
			return true
		}
	}
	return false
}

// tarReader goes through an archive, and through others joined to its end (as
// tar -A and cat leave them).
type tarReader struct {
	in    *stream
	count countingReader
	r     *tar.Reader
	index int  // of the current member, -1 before the first
	cut   bool // the current member could not be read to its end
}

type countingReader struct {
	in io.Reader
	n  int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

func newTarReader(in *stream) *tarReader {
	t := &tarReader{in: in, index: -1}
	t.count.in = in
	t.r = tar.NewReader(&t.count)
	return t
}

func (t *tarReader) next() (*tar.Header, error) {
	for {
		h, err := t.r.Next()
		if err == nil {
			t.index++
			return h, nil
		}
		if err != io.EOF {
			return nil, err
		}
		// The end mark, two zero blocks, or the end of the bytes.
		for {
			block, err := t.in.Peek(512)
			if len(block) < 512 {
				if err == io.EOF {
					return nil, io.EOF
				}
				return nil, err
			}
			if len(bytes.Trim(block, "\x00")) > 0 {
				if !isTar(block) {
					return nil, errors.New("bytes after its end belong to no member")
				}
				break
			}
			t.in.Discard(512)
			t.count.n += 512
		}
		t.r = tar.NewReader(&t.count)
	}
}

// offset is where the current member's bytes begin, once next has returned.
func (t *tarReader) offset() int64 { return t.count.n }

// member is the current member's bytes.
func (t *tarReader) member(ctx context.Context, m *node) *stream {
	s := newStream(ctx, m, t.r, t.in, nil)
	s.bound = true // a sparse member may be a bomb
	return s
}
