package logpattern

import (
	"slices"
	"strings"
)

// Bounds of a Miner. What comes when one is reached is put to the template it
// fits best, and nothing new is learnt from it.
const (
	maxShapes  = 100_000  // different masked messages that are remembered
	maxText    = 16 << 20 // bytes of them
	maxPlaces  = 1 << 20  // words of them
	maxGroups  = 20_000   // different orders of separators
	maxMembers = 4096     // masked messages with one order of separators; then those that are alike are given up for their template
	maxAlike   = 2048     // masked messages that are remembered of a template whose messages were given up
)

// Handle names what a message was taken for. It is an index: small, and valid
// for the Miner that gave it.
type Handle int32

// Template is a kind of message.
type Template struct {
	// ID is twelve hexadecimal digits: a hash of the first masked message of the kind.
	ID string

	// Text is the message with <*> for each variable.
	Text string

	// Aliases are the other ids that [Miner.ID] gave to messages of the kind before
	// it was known to be one.
	Aliases []string

	// Count is how many messages were of the kind.
	Count int64
}

// Miner learns templates from messages. Use New; a Miner is for one goroutine.
type Miner struct {
	shapes []shape
	known  map[string]Handle // masked message to its shape
	groups []*group
	byForm map[string]int32 // skeleton to its group
	text   int              // bytes in shapes
	places int              // words in shapes
	full   bool
	any    Handle // the template of anything, once there are too many groups; -1
	kinds  *kinds // what the templates are; nil once something came
	wide   []told // templates of which a variable may be several words, as they were when last looked for
	looked int    // shapes when they were looked for

	masked, form []byte
	words        []string
}

// A shape is a masked message, cut into the words that stand between its
// separators. Messages with the same separators in the same order have the same
// skeleton; only those can have one template.
type shape struct {
	text  string
	words []string // nil once its group gave it up
	group int32
	first Handle // the first shape of the template it was put to when it came
	count int64
	id    string
	given bool // its id was given to messages of other shapes, or by another Miner, which was merged
}

// group is the shapes of one skeleton.
type group struct {
	skeleton string
	members  []Handle // in the order in which they came
	leaves   leaves   // as of the last division
	sealed   leaves   // those whose members were given up
	divided  int      // members at the last division
	closed   bool     // takes no more members
	rest     Handle   // the template of what fits no other, once closed; -1
	final    []leaf   // the templates of all members
}

// leaves are templates of one group, to be found by the words of a message.
type leaves struct {
	all     []leaf
	byFirst map[string][]int32 // by the first word, where it is not variable: those that may match; "\x01": where it is
}

// fewLeaves are looked through one by one.
const fewLeaves = 16

// find returns the first that matches.
func (l *leaves) find(words []string) *leaf {
	if len(l.all) <= fewLeaves {
		for i := range l.all {
			if l.all[i].matches(words) {
				return &l.all[i]
			}
		}
		return nil
	}
	if l.byFirst == nil {
		l.byFirst = map[string][]int32{}
		for i := range l.all {
			key := l.all[i].words[0]
			if l.all[i].open[0] {
				key = string(rune(variable))
			}
			l.byFirst[key] = append(l.byFirst[key], int32(i))
		}
	}
	found := int32(len(l.all))
	for _, key := range []string{words[0], string(rune(variable))} {
		for _, i := range l.byFirst[key] {
			if i >= found {
				break
			}
			if l.all[i].matches(words) {
				found = i
				break
			}
		}
	}
	if int(found) == len(l.all) {
		return nil
	}
	return &l.all[found]
}

// leaf is a set of shapes that have one template.
type leaf struct {
	members []Handle // in the order in which they came
	words   []string // of the template
	open    []bool   // the places that are variable
	more    int      // shapes that were remembered since the members were given up
}

// New returns a Miner that knows nothing.
func New() *Miner {
	return &Miner{known: map[string]Handle{}, byForm: map[string]int32{}, any: -1}
}

// Add learns from a message.
func (m *Miner) Add(message string) Handle {
	m.masked = appendMasked(m.masked[:0], message)
	return m.AddMasked(m.masked, 1)
}

// AddMasked learns from a message that occurred count times and was masked by
// [AppendMasked]. It keeps a copy if it keeps it at all.
func (m *Miner) AddMasked(masked []byte, count int64) Handle {
	h, ok := m.known[string(masked)]
	if !ok {
		h = m.learn(string(masked), false)
	}
	m.shapes[h].count += count
	return h
}

// ID returns the id of the template that the message was put to when a message
// like it first came. [Miner.Resolve] tells what became of the id since.
func (m *Miner) ID(h Handle) string { return m.shapes[m.shapes[h].first].id }

// learn takes in a masked message that was not met before. One whose id was given elsewhere is remembered as long as there is room.
func (m *Miner) learn(text string, given bool) Handle {
	m.words, m.form = cut(text, m.words[:0], m.form[:0])
	at, ok := m.byForm[string(m.form)]
	if !ok {
		if m.full || len(m.groups) >= maxGroups {
			return m.anything()
		}
		at = int32(len(m.groups))
		m.groups = append(m.groups, &group{skeleton: string(m.form), rest: -1})
		m.byForm[m.groups[at].skeleton] = at
	}
	g := m.groups[at]
	if l := g.sealed.find(m.words); l != nil {
		if l.more++; l.more > maxAlike && !given {
			return l.members[0]
		}
		return m.remember(text, at, nil, m.lend(l))
	}
	if len(m.shapes) >= max(3*m.looked, fewShapes) {
		m.lookAhead()
	}
	told := m.tells(text)
	if told != nil {
		if told.more++; told.more > maxAlike && !given {
			return told.first
		}
	}
	if m.full || g.closed {
		var first Handle
		if l := g.leaves.find(m.words); l != nil {
			first = m.lend(l)
		} else {
			first = m.remainder(at)
		}
		if given && !m.full {
			return m.remember(text, at, nil, first)
		}
		return first
	}
	h := m.remember(text, at, slices.Clone(m.words), -1)
	g.members = append(g.members, h)
	if n := len(g.members); n <= 16 || n*4 >= g.divided*5 {
		m.divide(g)
	} else if l := g.leaves.find(m.words); l != nil {
		m.shapes[h].first = m.lend(l)
	}
	if told != nil && m.shapes[h].first == h {
		m.shapes[h].first = told.first
	}
	if len(g.members) >= maxMembers {
		m.seal(g)
	}
	return h
}

// fewShapes is how many masked messages there are when templates of which a variable may be several words are first looked for;
// then whenever there are three times as many.
const fewShapes = 512

// told is a template that says what messages of other forms say.
type told struct {
	widened
	first Handle
	more  int
}

// lookAhead puts together what the groups know, so that messages that come later get the id of the kind they will be of.
func (m *Miner) lookAhead() {
	m.looked = len(m.shapes)
	all := m.unify()
	more := map[Handle]int{}
	for _, t := range m.wide {
		more[t.first] = t.more
	}
	m.wide = m.wide[:0]
	for _, k := range all.templates {
		if k.wide != nil {
			m.wide = append(m.wide, told{*k.wide, k.first, more[k.first]})
			m.shapes[k.first].given = true
		}
	}
	for h := range m.shapes {
		s := &m.shapes[h]
		if s.first == Handle(h) {
			s.given = true
		}
		s.first = all.templates[all.of[h]].first
	}
}

// tells returns the template that says what a text of another form says, nil if none is known.
func (m *Miner) tells(text string) *told {
	for i := range m.wide {
		if t := &m.wide[i]; t.describes(text) {
			return t
		}
	}
	return nil
}

// lend returns the shape of a template of which others take the id.
func (m *Miner) lend(l *leaf) Handle {
	m.shapes[l.members[0]].given = true
	return l.members[0]
}

// remember adds a shape; first is that of its template, -1 for itself. When
// there is no room left, a shape that has a template is only counted with it.
func (m *Miner) remember(text string, group int32, words []string, first Handle) Handle {
	if m.full && first >= 0 {
		return first
	}
	text = strings.Clone(text)
	for i, at := 0, 0; i < len(words); i++ { // words lie within the text: hold it once
		at += strings.Index(text[at:], words[i])
		words[i] = text[at : at+len(words[i])]
		at += len(words[i])
	}
	m.kinds = nil
	h := Handle(len(m.shapes))
	if first < 0 {
		first = h
	}
	m.shapes = append(m.shapes, shape{text: text, words: words, group: group, first: first, id: identify(text)})
	m.known[text] = h
	m.text += len(text)
	m.places += len(words)
	m.full = m.full || len(m.shapes) >= maxShapes || m.text >= maxText || m.places >= maxPlaces
	return h
}

// remainder returns the template of a group's messages that fit no other: all
// of its words are variable.
func (m *Miner) remainder(at int32) Handle {
	g := m.groups[at]
	if g.rest < 0 {
		g.rest = m.catchAll(at, g.skeleton+" ")
	}
	return g.rest
}

// anything returns the template of every message.
func (m *Miner) anything() Handle {
	if m.any < 0 {
		at := int32(len(m.groups))
		v := string(rune(variable))
		m.groups = append(m.groups, &group{skeleton: v, rest: -1, closed: true})
		m.any = m.catchAll(at, "\x01 ")
		m.groups[at].sealed.all = []leaf{{members: []Handle{m.any}, words: []string{v}, open: []bool{true}}}
	}
	return m.any
}

// catchAll adds a shape that no message has: it ends in a space.
func (m *Miner) catchAll(group int32, text string) Handle {
	m.kinds = nil
	h := Handle(len(m.shapes))
	m.shapes = append(m.shapes, shape{text: text, group: group, first: h, id: identify("*" + text)})
	return h
}

// divide divides the members of a group into templates and puts the newest of
// them to its own.
func (m *Miner) divide(g *group) {
	g.leaves = leaves{all: m.partition(g)}
	g.divided = len(g.members)
	newest := g.members[len(g.members)-1]
	for i := range g.leaves.all {
		if l := g.leaves.all[i].members; l[len(l)-1] == newest {
			m.shapes[newest].first = m.shapes[l[0]].first
			if len(l) == 1 {
				m.shapes[newest].first = newest
			}
		}
	}
}

// seal gives up the members of those templates that have variables, for the
// templates know all that is to be known of them. A group that is full nevertheless
// takes no more.
func (m *Miner) seal(g *group) {
	m.divide(g)
	var rest []Handle
	var single []leaf
	for _, l := range g.leaves.all {
		if !slices.Contains(l.open, true) {
			rest = append(rest, l.members...)
			single = append(single, l)
			continue
		}
		for _, h := range l.members {
			m.places -= len(m.shapes[h].words)
			m.shapes[h].words = nil
		}
		g.sealed.all = append(g.sealed.all, l)
	}
	slices.Sort(rest)
	g.sealed.byFirst = nil
	g.members, g.leaves, g.divided = rest, leaves{all: single}, len(rest)
	g.closed = len(rest) > maxMembers*3/4 || len(g.sealed.all) > maxMembers
}

// partition divides the members of a group, in the order of their first members.
func (m *Miner) partition(g *group) []leaf {
	words := make([][]string, len(g.members))
	for i, h := range g.members {
		words[i] = m.shapes[h].words
	}
	return leavesOf(g.skeleton, g.members, words, nil)
}

// leavesOf divides shapes, each given by its words, into templates.
func leavesOf(skeleton string, shapes []Handle, words [][]string, v vocabulary) []leaf {
	var out []leaf
	divide(skeleton, words, v, func(members []int, open []bool) {
		l := leaf{open: open, words: templateWords(words, members, open)}
		joinUnits(skeleton, words, members, open, l.words)
		for _, i := range members {
			l.members = append(l.members, shapes[i])
		}
		out = append(out, l)
	})
	slices.SortFunc(out, func(a, b leaf) int { return int(a.members[0] - b.members[0]) })
	return out
}

// matches reports whether words fit the template.
func (l *leaf) matches(words []string) bool {
	for i, w := range words {
		if !l.open[i] && l.words[i] != w {
			return false
		}
	}
	return true
}

// Template returns the template of a message as all messages so far show it,
// without Aliases and Count. The templates depend on which messages came, not on their
// order, as long as no bound is reached.
func (m *Miner) Template(h Handle) Template {
	all := m.unify()
	k := all.templates[all.of[h]]
	return Template{ID: m.shapes[k.first].id, Text: k.text}
}

// Resolve returns for each id that [Miner.ID] may have given the id of the
// template that it belongs to now; an id that is its own is not in the map.
func (m *Miner) Resolve() map[string]string {
	now := map[string]string{}
	all := m.unify()
	for h := range m.shapes {
		if m.shapes[h].first != Handle(h) && !m.shapes[h].given {
			continue
		}
		if id := m.shapes[all.templates[all.of[h]].first].id; id != m.shapes[h].id {
			now[m.shapes[h].id] = id
		}
	}
	return now
}

// Templates returns all templates in the order in which they first came.
func (m *Miner) Templates() []Template {
	all := m.unify()
	out := make([]Template, len(all.templates))
	for i, k := range all.templates {
		out[i] = Template{ID: m.shapes[k.first].id, Text: k.text}
	}
	for h := range m.shapes {
		s, t := &m.shapes[h], &out[all.of[h]]
		t.Count += s.count
		if (s.first == Handle(h) || s.given) && s.id != t.ID {
			t.Aliases = append(t.Aliases, s.id)
		}
	}
	return out
}

// Merge learns all that another Miner did. The ids that it gave are known from then on.
func (m *Miner) Merge(o *Miner) {
	for i := range o.shapes {
		s := &o.shapes[i]
		gave := s.first == Handle(i) || s.given
		switch {
		case s.known():
			m.take([]byte(s.text), s.count, gave)
		case Handle(i) == o.any:
			m.shapes[m.anything()].count += s.count
		default:
			m.shapes[m.remainderOf(o.groups[s.group].skeleton)].count += s.count
		}
	}
}

// take learns from a message as [Miner.AddMasked] does, of which the id was given elsewhere.
func (m *Miner) take(masked []byte, count int64, gave bool) {
	h, ok := m.known[string(masked)]
	if !ok {
		h = m.learn(string(masked), gave)
	}
	m.shapes[h].count += count
	if s := &m.shapes[h]; gave && s.first != h && s.text == string(masked) {
		s.given = true
	}
}

// remainderOf returns the template of a skeleton's messages that fit no other.
func (m *Miner) remainderOf(skeleton string) Handle {
	at, ok := m.byForm[skeleton]
	if !ok {
		if len(m.groups) >= maxGroups {
			return m.anything()
		}
		at = int32(len(m.groups))
		m.groups = append(m.groups, &group{skeleton: skeleton, rest: -1})
		m.byForm[skeleton] = at
	}
	return m.remainder(at)
}

// known reports whether the shape is that of messages, not a template of what
// fits no other.
func (s *shape) known() bool { return !strings.HasSuffix(s.text, " ") }

// Len is how many different masked messages the Miner remembers.
func (m *Miner) Len() int { return len(m.shapes) }
