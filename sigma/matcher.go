package sigma

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strconv"
)

// Match is one rule that matched the event.
type Match struct {
	Rule   *Rule
	Source SourceID // the first of the event's sources on which it matched
	// Silent is set when the rule only serves correlations that do not ask to generate its own matches.
	Silent bool
}

// Matcher matches one event at a time. Per event: Reset, Set for each field, Match.
//
// Setting a field runs the slot's automata over the value; they mark the predicates that hold. A marked predicate makes candidates of
// the rules that cannot match without it, and Match evaluates only those.
type Matcher struct {
	e *Engine

	epoch      uint32 // of the event; every stamp below that differs is of an earlier one
	on         marks  // predicates that hold
	off        marks  // predicates that were computed and do not
	tried      marks  // variants that are candidates
	candidates []int32
	tries      // by the event's sources
	all        map[string]*tries
	spell      []byte // scratch: a key of all

	head    []int32  // by slot: index of its first value in values
	tail    []int32  // by slot: index of its last
	present []uint32 // by slot: epoch*2+1 it has a value, epoch*2 it is null
	values  []slotValue

	memos     []memo // by slot
	halves    [][2]half
	recording bool // markAll only takes down what it is given
	recorded  []int32

	folds  []string
	fold   []byte
	found  []found
	routes map[string][]SourceID
	key    []byte
}

// tries is what is tried on the events of some sources.
type tries struct {
	sources  []SourceID
	need     []uint64 // bit set: slots that their rules read
	live     []uint64 // bit set: variants that are for any of them
	rouse    []uint64 // bit set: predicates that make any of these candidates
	always   []int32  // of these, those that can match without any predicate holding
	text     bool     // keywords are looked for:
	keywords *finder
	absent   []int32 // slots that are looked at also when they have no value
	kept     bool    // some keywords are no needles, so that values must be kept
}

type slotValue struct {
	text string
	fold int32 // where in folds its fold is, once that was needed, or -1
	next int32 // index of the slot's next value, or -1
}

type found struct{ rule, variant int32 }

// Bounds of caches; hostile logs could make any number of routes.
const (
	maxRoutes = 1 << 14
	maxTries  = 1 << 10
)

// NewMatcher returns a matcher for one goroutine.
func (e *Engine) NewMatcher() *Matcher {
	return &Matcher{
		e:       e,
		epoch:   1,
		on:      newMarks(len(e.preds)),
		off:     newMarks(len(e.preds)),
		tried:   newMarks(len(e.variants)),
		tries:   *e.triesOf(nil),
		all:     map[string]*tries{},
		head:    make([]int32, len(e.slots)),
		tail:    make([]int32, len(e.slots)),
		present: make([]uint32, len(e.slots)),
		memos:   make([]memo, len(e.slots)),
		halves:  make([][2]half, len(e.joins)),
		routes:  map[string][]SourceID{},
	}
}

// Route returns the sources that an event is of, given the values of Engine.RouteFields in that order
// ("" for an absent one). Results are cached: the usual cost is one map lookup. The returned slice is the
// matcher's; it stays valid and must not be changed.
func (m *Matcher) Route(values ...string) []SourceID {
	m.key = m.key[:0]
	for i, v := range values {
		if v != "" && i < len(m.e.router.any) && m.e.router.any[i] {
			v = "*" // which value does not matter: the results of one are those of all
		}
		m.key = binary.AppendUvarint(m.key, uint64(len(v)))
		m.key = append(m.key, v...)
	}
	if s, ok := m.routes[string(m.key)]; ok {
		return s
	}
	s := m.e.route(values)
	if len(m.routes) >= maxRoutes {
		clear(m.routes)
	}
	if len(m.key) < 4096 {
		m.routes[string(m.key)] = s
	}
	return s
}

// Reset starts an event that is of the given sources.
func (m *Matcher) Reset(sources []SourceID) {
	m.on.empty()
	m.off.empty()
	m.tried.empty()
	if m.epoch++; m.epoch >= 1<<31-1 {
		clear(m.present)
		clear(m.halves)
		m.epoch = 1
	}
	m.candidates, m.values, m.folds = m.candidates[:0], m.values[:0], m.folds[:0]
	if !slices.Equal(sources, m.sources) {
		m.spell = m.spell[:0]
		for _, s := range sources {
			m.spell = append(m.spell, byte(s), byte(s>>8), byte(s>>16), byte(s>>24))
		}
		known, ok := m.all[string(m.spell)]
		if !ok {
			if len(m.all) >= maxTries {
				clear(m.all)
			}
			known = m.e.triesOf(sources)
			m.all[string(m.spell)] = known
		}
		m.tries = *known
	}
	if m.kept {
		m.present[keywordSlot] = m.epoch * 2
		m.head[keywordSlot] = -1
	}
}

// triesOf gathers what is tried on the events of some sources.
func (e *Engine) triesOf(sources []SourceID) *tries {
	words := func(n int) []uint64 { return make([]uint64, (n+63)/64) }
	t := &tries{need: words(len(e.slots)), live: words(len(e.variants)), rouse: words(len(e.preds)), sources: slices.Clone(sources)}
	var keywords []int
	for _, s := range sources {
		if s < 0 || int(s) >= len(e.logs) {
			continue
		}
		log := &e.logs[s]
		if t.kept = t.kept || log.kept; log.text {
			keywords = append(keywords, log.keywords)
		}
		for i, w := range log.need {
			t.need[i] |= w
		}
		for v := range e.variants {
			if e.variants[v].sources[s/64]&(1<<(s%64)) != 0 {
				t.live[v/64] |= 1 << (v % 64)
			}
		}
		for _, v := range log.always {
			if !slices.Contains(t.always, v) {
				t.always = append(t.always, v)
			}
		}
	}
	e.makeSlots(t.need)
	for s := range int32(len(e.slots)) {
		if e.slots[s].absent != nil && t.need[s/64]&(1<<(s%64)) != 0 {
			t.absent = append(t.absent, s)
		}
	}
	for p := range int32(len(e.preds)) {
		for _, v := range e.triggers.of(p) {
			if t.live[v/64]&(1<<(v%64)) != 0 {
				t.rouse[p/64] |= 1 << (p % 64)
				break
			}
		}
	}
	if t.text = len(keywords) > 0; t.text {
		slices.Sort(keywords)
		t.keywords = e.finderOf(slices.Compact(keywords))
	}
	return t
}

// Set gives a field's value; again with the same slot for a further value. NoSlot is ignored. The string is read
// until the next Reset, not after.
func (m *Matcher) Set(s Slot, value string) {
	if s < 0 || int(s) >= m.e.inputs-1 {
		return
	}
	slot := int32(s) + 1 // slot 0 is for keywords
	if m.kept {
		m.add(keywordSlot, value)
	}
	m.put(slot, value, m.text)
	m.setAliases(slot, value)
}

// SetMade is Set for a value that was made of others or repeats one: no keywords are looked for in it.
func (m *Matcher) SetMade(s Slot, value string) {
	if s < 0 || int(s) >= m.e.inputs-1 {
		return
	}
	slot := int32(s) + 1
	m.put(slot, value, false)
	m.setAliases(slot, value)
}

// Wants reports whether a rule for this event reads the field, so that a value may be made for SetMade only then.
func (m *Matcher) Wants(s Slot) bool {
	if s < 0 || int(s) >= m.e.inputs-1 {
		return false
	}
	slot := int32(s) + 1
	return m.needs(slot) || slices.ContainsFunc(m.e.slots[slot].aliases, func(a alias) bool { return m.needs(a.to) })
}

func (m *Matcher) setAliases(slot int32, value string) {
	for i := range m.e.slots[slot].aliases {
		if a := &m.e.slots[slot].aliases[i]; m.needs(a.to) {
			v := value
			if a.join >= 0 {
				var whole bool
				if v, whole = m.pair(a, value); !whole {
					continue
				}
			}
			m.put(a.to, a.rewrite(v), false)
		}
	}
}

// half is the first value that came of either half of a joined pair.
type half struct {
	epoch uint32
	value string
}

// pair takes one half of a pair, and joins it with the other once that is there.
func (m *Matcher) pair(a *alias, value string) (joined string, whole bool) {
	own, other := &m.halves[a.join][0], &m.halves[a.join][1]
	if a.second {
		own, other = other, own
	}
	if own.epoch == m.epoch {
		return "", false // a further value of one field goes with none of the other
	}
	own.epoch, own.value = m.epoch, value
	if other.epoch != m.epoch {
		return "", false
	}
	return m.halves[a.join][0].value + m.e.joins[a.join] + m.halves[a.join][1].value, true
}

// SetNull says that a field is present without a value (JSON null).
func (m *Matcher) SetNull(s Slot) {
	if s < 0 || int(s) >= m.e.inputs-1 {
		return
	}
	slot := int32(s) + 1
	m.putNull(slot)
	for i := range m.e.slots[slot].aliases {
		if a := &m.e.slots[slot].aliases[i]; a.join < 0 {
			m.putNull(a.to)
		}
	}
}

// WantsText reports whether a rule for this event searches for keywords: only then do AddText and SetMessage matter.
func (m *Matcher) WantsText() bool { return m.text }

// SetMessage gives the raw message, which keywords are searched in.
func (m *Matcher) SetMessage(raw string) { m.AddText(raw) }

// AddText gives the value of a field that has no slot, for keywords.
func (m *Matcher) AddText(value string) {
	if m.kept {
		m.add(keywordSlot, value)
	}
	if m.text {
		m.scan(nil, value, true)
	}
}

func (m *Matcher) needs(slot int32) bool { return m.need[slot/64]&(1<<(slot%64)) != 0 }

func (m *Matcher) putNull(slot int32) {
	if m.needs(slot) && m.present[slot]>>1 != m.epoch {
		m.present[slot] = m.epoch * 2
		m.head[slot] = -1
		m.markAll(m.e.slots[slot].ifPresent)
	}
}

// add stores a value.
func (m *Matcher) add(slot int32, value string) {
	s := &m.e.slots[slot]
	n := int32(len(m.values))
	m.values = append(m.values, slotValue{value, -1, -1})
	if m.present[slot] == m.epoch*2+1 {
		m.values[m.tail[slot]].next = n
	} else {
		m.present[slot] = m.epoch*2 + 1
		m.head[slot] = n
		m.markAll(s.ifPresent)
		m.markAll(s.ifAny)
	}
	m.tail[slot] = n
}

// put stores a value, if a rule reads its slot, and marks the predicates that it makes true; also keywords, if text is set.
func (m *Matcher) put(slot int32, value string, text bool) {
	var s *slotInfo
	if m.needs(slot) {
		m.add(slot, value)
		if s = &m.e.slots[slot]; s.start == nil && s.end == nil && s.inside.none() && s.numbers == nil && len(s.naive) == 0 {
			s = nil
		}
	}
	if s == nil && !text {
		return
	}
	e, known := m.recall(slot, value, s != nil, text)
	if known {
		return
	}
	if e != nil {
		m.recording, m.recorded = true, m.recorded[:0]
	}
	m.scan(s, value, text)
	if e != nil {
		m.remember(e, value)
	}
}

// scan marks the predicates that a value makes true: those of a slot, if it is not nil, and keywords, if text is set.
func (m *Matcher) scan(s *slotInfo, value string, text bool) {
	ascii := isASCII(value)
	if !ascii {
		m.fold = appendFold(m.fold[:0], value)
	}
	if text {
		if len(m.keywords.naive) > 0 {
			m.scanNaive(m.keywords.naive, fold(value))
		}
		m.find(m.keywords, value, ascii)
	}
	if s == nil {
		return
	}
	if s.numbers != nil {
		if f, ok := parseNumber(value); ok {
			m.markAll(s.numbers[f])
		}
	}
	if len(s.naive) > 0 {
		m.scanNaive(s.naive, fold(value))
	}
	switch {
	case s.start != nil && ascii:
		scanStart(s.start, value, m)
	case s.start != nil:
		scanStart(s.start, m.fold, m)
	}
	switch {
	case s.end != nil && ascii:
		scanEnd(s.end, value, m)
	case s.end != nil:
		scanEnd(s.end, m.fold, m)
	}
	m.find(&s.inside, value, ascii)
}

// find looks for needles anywhere in a value; m.fold is its fold if it is not ASCII.
func (m *Matcher) find(f *finder, value string, ascii bool) {
	switch {
	case f.skip != nil && ascii:
		scanSkip(f.skip, value, m)
	case f.skip != nil:
		scanSkip(f.skip, m.fold, m)
	case f.plain != nil && ascii:
		scanDFA(f.plain, value, m)
	case f.plain != nil:
		scanDFA(f.plain, m.fold, m)
	}
	if f.wide != nil && !ascii {
		scanDFA(f.wide, m.fold, m)
	}
}

// scanNaive looks for the needles that did not fit the automata, one by one.
func (m *Matcher) scanNaive(needles []naiveNeedle, folded string) {
	for i := range needles {
		if needles[i].test.matches(folded, folded) {
			m.markAll(needles[i].preds)
		}
	}
}

// markAll makes predicates true and the rules that wait for them candidates.
func (m *Matcher) markAll(preds []int32) {
	if m.recording {
		m.recorded = append(m.recorded, preds...)
		return
	}
	for _, p := range preds {
		if m.on.has(p) {
			continue
		}
		m.on.add(p)
		if m.rouse[uint32(p)/64]>>(uint32(p)%64)&1 == 0 {
			continue
		}
		for _, v := range m.e.triggers.of(p) {
			if m.live[v/64]&(1<<(v%64)) != 0 && !m.tried.has(v) {
				m.tried.add(v)
				m.candidates = append(m.candidates, v)
			}
		}
	}
}

// Match appends the rules that match the event to dst, in the order the rules were given to Compile, each once.
func (m *Matcher) Match(dst []Match) []Match {
	for _, slot := range m.absent {
		if m.present[slot] != m.epoch*2+1 {
			m.scan(&m.e.slots[slot], *m.e.slots[slot].absent, false)
		}
	}
	m.found = m.found[:0]
	for _, v := range m.candidates {
		if m.holds(&m.e.variants[v].logic) {
			m.found = append(m.found, found{m.e.variants[v].rule, v})
		}
	}
	for _, v := range m.always {
		if m.holds(&m.e.variants[v].logic) {
			m.found = append(m.found, found{m.e.variants[v].rule, v})
		}
	}
	if len(m.found) == 0 {
		return dst
	}
	slices.SortFunc(m.found, func(a, b found) int {
		if a.rule != b.rule {
			return int(a.rule) - int(b.rule)
		}
		return int(a.variant) - int(b.variant)
	})
	last := int32(-1)
	for _, f := range m.found {
		if f.rule == last {
			continue
		}
		last = f.rule
		dst = append(dst, Match{Rule: m.e.rules[f.rule], Source: m.sourceOf(f.variant), Silent: m.e.silent[f.rule]})
	}
	return dst
}

func (m *Matcher) sourceOf(variant int32) SourceID {
	for _, s := range m.sources {
		if s >= 0 && m.e.variants[variant].sources[s/64]&(1<<(s%64)) != 0 {
			return s
		}
	}
	return -1
}

// holds evaluates logic. Predicates are evaluated at most once per event.
func (m *Matcher) holds(n *node) bool {
	switch n.kind {
	case exprLeaf:
		if n.marked {
			return m.on.has(n.pred)
		}
		return m.computed(n.pred)
	case exprNot:
		return !m.holds(&n.kids[0])
	case exprAnd:
		for i := range n.kids {
			if !m.holds(&n.kids[i]) {
				return false
			}
		}
		return true
	case exprOr:
		for i := range n.kids {
			if m.holds(&n.kids[i]) {
				return true
			}
		}
		return false
	}
	count := int32(0) // exprAtLeast
	for i := range n.kids {
		if m.holds(&n.kids[i]) {
			if count++; count >= n.n {
				return true
			}
		}
	}
	return false
}

// computed says whether a predicate holds that the automata do not find.
func (m *Matcher) computed(p int32) bool {
	switch {
	case m.on.has(p):
		return true
	case m.off.has(p):
		return false
	case m.compute(&m.e.preds[p]):
		m.on.add(p)
		return true
	}
	m.off.add(p)
	return false
}

func (m *Matcher) compute(p *predicate) bool {
	if p.test.op == opNull {
		return m.present[p.slot] != m.epoch*2+1
	}
	if m.present[p.slot] != m.epoch*2+1 {
		return false
	}
	for _, any := range p.guards {
		seen := false
		for _, g := range any {
			if m.on.has(g) {
				seen = true
				break
			}
		}
		if !seen {
			return false
		}
	}
	for i := m.head[p.slot]; i >= 0; i = m.values[i].next {
		v := &m.values[i]
		if p.test.op == opFieldRef {
			if m.present[p.ref] != m.epoch*2+1 {
				return false
			}
			for j := m.head[p.ref]; j >= 0; j = m.values[j].next {
				if p.test.refers(v.text, m.values[j].text) {
					return true
				}
			}
			continue
		}
		folded := ""
		if p.folds {
			if v.fold < 0 {
				v.fold = int32(len(m.folds))
				m.folds = append(m.folds, fold(v.text))
			}
			folded = m.folds[v.fold]
		}
		if p.test.matches(v.text, folded) {
			return true
		}
	}
	return false
}

// Made is a value, of events given as maps, that was made of others or repeats one: no keywords are looked for in it.
type Made string

// MatchMap matches one event held in a map: nested maps become dotted names, slices several values, nil null. For
// tests and importers; the other methods are the fast way.
func (m *Matcher) MatchMap(sources []SourceID, event map[string]any, message string) []Match {
	m.Reset(sources)
	for _, f := range flatten(event) {
		s := m.e.Slot(f.name)
		switch {
		case f.null:
			m.SetNull(s)
		case f.made:
			m.SetMade(s, f.value)
		case s == NoSlot:
			m.AddText(f.value)
		default:
			m.Set(s, f.value)
		}
	}
	if message != "" {
		m.SetMessage(message)
	}
	return m.Match(nil)
}

// flatField is one value of an event given as a map.
type flatField struct {
	name, value string
	null, made  bool
}

// flatten lists the fields of a map in name order.
func flatten(event map[string]any) []flatField {
	var out []flatField
	var walk func(name string, v any, depth int)
	walk = func(name string, v any, depth int) {
		if depth > maxDepth {
			return
		}
		switch v := v.(type) {
		case nil:
			out = append(out, flatField{name: name, null: true})
		case string:
			out = append(out, flatField{name: name, value: v})
		case Made:
			out = append(out, flatField{name: name, value: string(v), made: true})
		case float64:
			out = append(out, flatField{name: name, value: strconv.FormatFloat(v, 'f', -1, 64)})
		case map[string]any:
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			for _, k := range keys {
				full := k
				if name != "" {
					full = name + "." + k
				}
				walk(full, v[k], depth+1)
			}
		case []any:
			for _, x := range v {
				walk(name, x, depth+1)
			}
		case []string:
			for _, x := range v {
				walk(name, x, depth+1)
			}
		default:
			out = append(out, flatField{name: name, value: fmt.Sprint(v)})
		}
	}
	walk("", event, 0)
	return out
}
