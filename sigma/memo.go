package sigma

import (
	"hash/maphash"
	"slices"
)

// memo remembers what a field's last values made true. Programs, users, companies and parents repeat from event to event: comparing a
// value with one seen before is much cheaper than looking for thousands of needles in it. A field whose values do not repeat is
// left alone for a while.
type memo struct {
	entries []memoEntry // nil until used
	tries   int32
	hits    int32
	pause   int32
}

type memoEntry struct {
	value    []byte
	keywords uint64 // number of those that were looked for, 0 for none
	slot     bool   // the slot's own needles were
	preds    []int32
}

const (
	memoEntries = 256 // of a field
	memoLeast   = 6   // bytes of a value: shorter ones are scanned as fast
	memoMost    = 512
	memoTrial   = 1 << 10 // values after which it is decided whether they repeat
	memoPause   = 1 << 14 // values that are not tried when they do not
)

var memoSeed = maphash.MakeSeed() // only where values lie depends on it, not what is found

// recall marks what value makes true, in its slot if own is set and as text, if it is remembered. Otherwise it returns where to remember it,
// or nil.
func (m *Matcher) recall(slot int32, value string, own, text bool) (e *memoEntry, known bool) {
	if len(value) < memoLeast || len(value) > memoMost {
		return nil, false
	}
	k := &m.memos[slot]
	if k.pause > 0 {
		k.pause--
		return nil, false
	}
	if k.entries == nil {
		k.entries = make([]memoEntry, memoEntries)
	}
	if k.tries++; k.tries == memoTrial {
		if k.hits < memoTrial/3 {
			k.pause = memoPause
		}
		k.tries, k.hits = 0, 0
	}
	keywords := uint64(0)
	if text {
		keywords = m.keywords.number
	}
	e = &k.entries[(maphash.String(memoSeed, value)+keywords)%memoEntries]
	if string(e.value) == value && e.keywords == keywords && e.slot == own {
		k.hits++
		m.markAll(e.preds)
		return nil, true
	}
	e.keywords, e.slot = keywords, own
	return e, false
}

// remember ends the recording of what value makes true.
func (m *Matcher) remember(e *memoEntry, value string) {
	m.recording = false
	slices.Sort(m.recorded)
	m.recorded = slices.Compact(m.recorded)
	e.value = append(e.value[:0], value...)
	e.preds = append(e.preds[:0], m.recorded...)
	m.markAll(m.recorded)
}
