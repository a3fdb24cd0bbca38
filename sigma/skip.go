package sigma

// skipper finds needles that begin in few ways, without looking at every byte of a value (Wu and Manber, "A fast algorithm for
// multi-pattern searching", 1994): where the last two bytes of a window can end the beginning of no needle, it moves on by as many as can be
// passed; where they can, a trie takes over. Keywords, which are looked for in all of an event, and hashes ("MD5=…") are like that: it is
// several times as fast as an automaton, and small.
type skipper struct {
	window int // bytes of the needles' beginnings that are looked at
	shift  [skipSlots]uint8
	trie   *trie // of the needles
}

const (
	skipSlots  = 1 << 11
	skipStarts = 64 // more beginnings fill the table, and an automaton is better
	skipLeast  = 4  // with shorter windows there is little to pass
	skipMost   = 16
)

// skipHash is the same for capitals and small letters, and for some other bytes that are told apart later.
func skipHash(a, b byte) uint32 {
	return (uint32(a|0x20)*37 ^ uint32(b|0x20)<<3) & (skipSlots - 1)
}

// newSkipper returns nil when an automaton is better. Needles are folded and ASCII.
func newSkipper(needles []needle) *skipper {
	if len(needles) == 0 || size(needles) >= maxTrie {
		return nil
	}
	k := &skipper{window: skipMost}
	for _, n := range needles {
		k.window = min(k.window, len(n.text))
	}
	starts := map[string]bool{}
	for ; k.window >= skipLeast; k.window-- {
		clear(starts)
		for _, n := range needles {
			if starts[n.text[:k.window]] = true; len(starts) > skipStarts {
				break
			}
		}
		if len(starts) <= skipStarts {
			break
		}
	}
	if k.window < skipLeast {
		return nil
	}
	for i := range k.shift {
		k.shift[i] = uint8(k.window - 1)
	}
	for s := range starts {
		for at := 1; at < k.window; at++ {
			h := skipHash(s[at-1], s[at])
			k.shift[h] = min(k.shift[h], uint8(k.window-1-at))
		}
	}
	k.trie = newTrie(needles, nil, false)
	return k
}

// scanSkip marks the needles that are in text, which is folded, or ASCII in any case.
func scanSkip[T string | []byte](k *skipper, text T, m *Matcher) {
	for at := k.window - 1; at < len(text); {
		if by := k.shift[skipHash(text[at-1], text[at])]; by > 0 {
			at += int(by)
			continue
		}
		scanStart(k.trie, text[at+1-k.window:], m)
		at++
	}
}
