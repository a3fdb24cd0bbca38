package sigma

import "math/bits"

// marks is a set of small numbers that is emptied with every event. A bit for each keeps the sets of all rules in the processor's nearest
// cache; blocks that were written to are taken down, so that an event with few fields is not charged for the whole.
type marks struct {
	words []uint64
	used  []uint64 // a bit for each block of markBlock words
}

const markBlock = 8 // words: one cache line

func newMarks(n int) marks {
	blocks := n/(64*markBlock) + 1
	return marks{words: make([]uint64, blocks*markBlock), used: make([]uint64, blocks/64+1)}
}

func (s *marks) has(i int32) bool { return s.words[uint32(i)/64]>>(uint32(i)%64)&1 != 0 }

func (s *marks) add(i int32) {
	at := uint32(i) / 64
	s.words[at] |= 1 << (uint32(i) % 64)
	at /= markBlock
	s.used[at/64] |= 1 << (at % 64)
}

func (s *marks) empty() {
	for i, w := range s.used {
		for s.used[i] = 0; w != 0; w &= w - 1 {
			at := (i*64 + bits.TrailingZeros64(w)) * markBlock
			clear(s.words[at : at+markBlock])
		}
	}
}
