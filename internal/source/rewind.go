package source

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
)

// tarStream opens members of an archive that can only be read from its start,
// as often as wanted and in any order. Readers are parked after the member
// they have given, for a later one to go on from, and small members that they
// pass over are kept in memory.
type tarStream struct {
	node   *node
	wanted []int // indexes of the members that are sources or hold some, ascending
}

// cursor is a reader somewhere in an archive. The context it reads under is
// that of whoever has it now.
type cursor struct {
	*tarReader
	stream *tarStream
	ctx    *borrowed
}

type borrowed struct{ context.Context }

func (t *tarStream) open(ctx context.Context, m *node, index int) (*stream, error) {
	kept := m.outer.evidence.kept
	if b, ok := kept.take(t, index); ok {
		return newStream(ctx, m, bytes.NewReader(b), nil, nil), nil
	}
	c := kept.unpark(t, index)
	if c == nil {
		c = &cursor{stream: t, ctx: &borrowed{ctx}}
		under, err := t.node.open(c.ctx)
		if err != nil {
			return nil, err
		}
		c.tarReader = newTarReader(under)
	}
	c.ctx.Context = ctx
	for c.index < index {
		h, err := c.next()
		if err != nil {
			fault := c.in.fault()
			c.in.Close()
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case fault != nil:
				return nil, fault
			}
			return nil, m.problem(Changed, "is no longer where it was in the archive", "run again", err)
		}
		if _, wanted := slices.BinarySearch(t.wanted, c.index); wanted && c.index < index && h.Size <= kept.limit/4 {
			if b, err := io.ReadAll(c.r); err == nil {
				kept.put(t, c.index, b)
			}
		}
	}
	s := c.member(ctx, m)
	s.layer.close = func() { kept.park(c) }
	return s, nil
}

// maxParked bounds the readers at rest: each may hold a descriptor and the
// memory of a decompressor.
const maxParked = 8

// kept is what is held between one Open and the next, over all archives.
type kept struct {
	limit int64 // bytes of members

	mu      sync.Mutex
	parked  []*cursor // longest at rest first
	members []keptMember
	size    int64
}

type keptMember struct {
	stream *tarStream
	index  int
	bytes  []byte
}

// unpark returns the reader of t nearest before index, or nil.
func (k *kept) unpark(t *tarStream, index int) *cursor {
	k.mu.Lock()
	defer k.mu.Unlock()
	best := -1
	for i, c := range k.parked {
		if c.stream == t && c.index < index && (best < 0 || c.index > k.parked[best].index) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	c := k.parked[best]
	k.parked = slices.Delete(k.parked, best, best+1)
	return c
}

func (k *kept) park(c *cursor) {
	var over *cursor
	k.mu.Lock()
	if c.in.end != nil && c.in.end != io.EOF {
		over = c // it goes no further
	} else {
		k.parked = append(k.parked, c)
		if len(k.parked) > maxParked {
			over = k.parked[0]
			k.parked = slices.Delete(k.parked, 0, 1)
		}
	}
	k.mu.Unlock()
	if over != nil {
		over.in.Close() // which may park the archive that holds this one
	}
}

// put keeps a member until it is taken or room is needed.
func (k *kept) put(t *tarStream, index int, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.members {
		if m.stream == t && m.index == index {
			return
		}
	}
	k.members = append(k.members, keptMember{t, index, b})
	k.size += int64(len(b))
	for k.size > k.limit {
		k.size -= int64(len(k.members[0].bytes))
		k.members = slices.Delete(k.members, 0, 1)
	}
}

func (k *kept) take(t *tarStream, index int) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, m := range k.members {
		if m.stream == t && m.index == index {
			k.members = slices.Delete(k.members, i, i+1)
			k.size -= int64(len(m.bytes))
			return m.bytes, true
		}
	}
	return nil, false
}

func (k *kept) close() {
	for {
		k.mu.Lock()
		k.members, k.size = nil, 0
		if len(k.parked) == 0 {
			k.mu.Unlock()
			return
		}
		c := k.parked[len(k.parked)-1]
		k.parked = k.parked[:len(k.parked)-1]
		k.mu.Unlock()
		c.in.Close()
	}
}
