package logpattern

import (
	"cmp"
	"slices"
	"strings"
)

// The miner divides messages of one order of separators at a time, and knows of each such group no more than
// what stands in it. What the groups know together is put together here, whenever templates are asked for:
//
//   - words that are values in one kind of message are values in another, where too few came to tell
//     ([partitioner].vocabulary);
//   - what is variable and may be several words is of different length in different messages: "Backup of <*>
//     to <*>" is one kind, of however many words the first is (Qin et al., Plug it and Play on Logs, 2025, merge
//     templates by what describes what; Vaarandi's LogCluster, CNSM 2015, allows several words in a place).
//
// All of it is a function of the groups' templates, not of their order.

// gap stands in the text of a template for a variable that was learnt from words. It may
// hold several words in another message; a variable told by its look holds one.
const gap = 3

// kinds is what the templates of all groups are together.
type kinds struct {
	templates []kindOf
	of        []int32 // the template of each shape
}

type kindOf struct {
	first Handle // the earliest of its shapes
	text  string
	wide  *widened // if a variable of it may be several words
}

// settled is a group with the templates of all that came.
type settled struct {
	skeleton string
	shapes   []Handle
	words    [][]string // of each shape
	leaves   []leaf
	fixed    bool // its leaves are what they are
}

// maxSettled is how many words of a group are looked at once more; of a larger one those that it gave up stay what they were.
const maxSettled = 1 << 18

// settle cuts the shapes of each group again, those too that it gave up.
func (m *Miner) settle() []settled {
	groups := make([]settled, len(m.groups))
	for h := range m.shapes {
		if m.shapes[h].known() {
			s := &groups[m.shapes[h].group]
			s.shapes = append(s.shapes, Handle(h))
		}
	}
	var form []byte
	for i, g := range m.groups {
		s := &groups[i]
		s.skeleton = g.skeleton
		s.fixed = g.skeleton != "" && g.skeleton[0] == literal || m.any >= 0 && m.shapes[m.any].group == int32(i)
		places := strings.Count(g.skeleton, string(rune(variable)))
		if s.fixed || len(s.shapes)*places > maxSettled {
			s.leaves = append(slices.Clone(g.sealed.all), m.partition(g)...)
			s.shapes, s.words = nil, nil
			continue
		}
		all := make([]string, 0, len(s.shapes)*places)
		for _, h := range s.shapes {
			from := len(all)
			all, form = cut(m.shapes[h].text, all, form[:0])
			s.words = append(s.words, all[from:len(all):len(all)])
		}
		s.divide(nil)
	}
	return groups
}

func (s *settled) divide(v vocabulary) {
	if s.shapes != nil && (v == nil || s.says(v)) {
		s.leaves = leavesOf(s.skeleton, s.shapes, s.words, v)
	}
}

// says reports whether any template of the group says a word that is a value elsewhere.
func (s *settled) says(v vocabulary) bool {
	for i := range s.leaves {
		for p, w := range s.leaves[i].words {
			if !s.leaves[i].open[p] && v.isValue(w) {
				return true
			}
		}
	}
	return false
}

// unify makes the templates from those of all groups.
func (m *Miner) unify() *kinds {
	if m.kinds != nil {
		return m.kinds
	}
	groups := m.settle()
	v := vocabularyOf(groups)
	var all []*kind
	at := make([]int32, len(m.shapes)) // the place in all of each shape's leaf
	for i := range at {
		at[i] = -1
	}
	for i := range groups {
		s := &groups[i]
		s.divide(v)
		for j := range s.leaves {
			l := &s.leaves[j]
			for _, h := range l.members {
				at[h] = int32(len(all))
			}
			all = append(all, &kind{first: l.members[0], text: l.render(s.skeleton), fixed: s.fixed})
		}
		if h := m.groups[i].rest; h >= 0 && at[h] < 0 { // what fitted no other
			at[h] = int32(len(all))
			all = append(all, &kind{first: h, text: s.skeleton, fixed: true})
		}
	}
	for h := range m.shapes {
		if at[h] >= 0 {
			continue
		}
		if at[h] = at[m.shapes[h].first]; at[h] < 0 { // it came when its template was sealed
			at[h] = int32(len(all))
			all = append(all, &kind{first: Handle(h), text: m.shapes[h].text})
		}
	}
	join(all)

	out := &kinds{of: make([]int32, len(m.shapes))}
	place := map[*kind]int32{}
	for h := range m.shapes {
		k := all[at[h]].root()
		i, ok := place[k]
		if !ok {
			i = int32(len(out.templates))
			place[k] = i
			of := kindOf{first: Handle(h), text: shown(k.text)}
			if k.wide && strings.IndexByte(k.text, gap) >= 0 {
				of.wide = widen(k)
			}
			out.templates = append(out.templates, of)
		}
		out.of[h] = i
	}
	m.kinds = out
	return out
}

// shown is the text of a template as people see it.
func shown(text string) string {
	return strings.NewReplacer(string(rune(variable)), wildcard, string(rune(gap)), wildcard).Replace(text)
}

// kind is a template on the way to be joined with others.
type kind struct {
	text  string // with variable and gap for what is variable
	first Handle
	fixed bool // is never joined
	wide  bool // its gaps have been seen to hold several words
	into  *kind
}

func (k *kind) root() *kind {
	for k.into != nil {
		k = k.into
	}
	return k
}

// join joins templates that say the same.
func join(all []*kind) {
	joinAlike(all, func(k *kind) string { return joinGaps(k.text) })
	absorb(all)
	endings(all)
	absorb(all)
	joinAlike(all, func(k *kind) string { return joinLists(loosely(k.text)) })
}

// joinLists makes variables with commas between them one.
func joinLists(text string) string {
	var b []byte
	for i := range len(text) {
		c := text[i]
		if c == gap {
			c = variable
		}
		if n := len(b); c == variable && n > 2 && b[n-1] == ' ' && b[n-2] == ',' && b[n-3] == variable {
			b = b[:n-2]
			b[n-3] = variable
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// joinAlike joins those of which the key is the same; it becomes their text.
func joinAlike(all []*kind, key func(*kind) string) {
	by := map[string]*kind{}
	for _, k := range all {
		if k.fixed || k.into != nil {
			continue
		}
		t := key(k)
		o := by[t]
		if o == nil {
			by[t] = k
			continue
		}
		if o.text != k.text {
			o.text, o.wide = t, true
		}
		o.take(k)
	}
}

func (k *kind) take(o *kind) {
	k.first = min(k.first, o.first)
	o.into = k
}

// joinGaps makes variables learnt from words that stand side by side one.
func joinGaps(text string) string {
	const two = "\x03 \x03"
	for strings.Contains(text, two) {
		text = strings.ReplaceAll(text, two, "\x03")
	}
	return text
}

// loosely makes variables one with their units, and those that a separator within a value joins, as those who write templates by hand do:
// host and port, a ratio, a path in an archive (Khan et al., ICSE 2022, DV and CV).
func loosely(text string) string {
	var b []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == gap {
			c = variable
		}
		if n := len(b); c == ' ' && n > 0 && b[n-1] == variable {
			j := wordOfLetters(text, i+1)
			if isUnit(text[i+1 : j]) {
				if strings.HasPrefix(text[j:], "/s") && wordEnd(text, j) == j+2 {
					j += 2
				}
				i = j - 1
				continue
			}
		}
		if n := len(b); c == variable && n > 1 && b[n-2] == variable && strings.IndexByte(":./@#,-+_", b[n-1]) >= 0 {
			b = b[:n-1]
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// absorb joins what says the same as a template of which a variable may be several words.
func absorb(all []*kind) {
	var wide []*widened
	for _, k := range all {
		if k.into == nil && !k.fixed && strings.IndexByte(k.text, gap) >= 0 {
			if w := widen(k); w != nil {
				wide = append(wide, w)
			}
		}
	}
	slices.SortFunc(wide, func(a, b *widened) int {
		return cmp.Or(b.said-a.said, len(b.kind.text)-len(a.kind.text), strings.Compare(a.kind.text, b.kind.text))
	})
	byStart := map[string][]*kind{} // by the first word
	var open []*kind
	for _, k := range all {
		if k.into != nil || k.fixed {
			continue
		}
		open = append(open, k)
		s := startOf(k.text)
		byStart[s] = append(byStart[s], k)
	}
	for _, w := range wide {
		if w.kind.into != nil {
			continue
		}
		among := open
		if s := startOf(w.kind.text); !strings.ContainsAny(s, "\x01\x03") {
			among = byStart[s]
		}
		w.absorb(among)
	}
}

// startOf is the first word of a text.
func startOf(text string) string {
	i := 0
	for i < len(text) && class[text[i]] == strong {
		i++
	}
	return text[:wordEnd(text, i)]
}

// widened is a template that may say what others say.
type widened struct {
	kind   *kind
	pieces []string // what stands between its variables
	gaps   []bool   // which variables may be several words
	said   int      // words of letters that it says
}

func widen(k *kind) *widened {
	w := &widened{kind: k}
	from := 0
	text := joinGaps(k.text)
	for i := range len(text) {
		if c := text[i]; c == variable || c == gap {
			w.pieces = append(w.pieces, text[from:i])
			w.gaps = append(w.gaps, c == gap)
			from = i + 1
		}
	}
	w.pieces = append(w.pieces, text[from:])
	for i := 0; i < len(text); {
		j := wordEnd(text, i)
		if j == i {
			i++
			continue
		}
		w.said += saying(text, i, j, w.said)
		i = j
	}
	if w.said == 0 {
		return nil
	}
	return w
}

// saying returns how much the word text[i:j] adds to what a text says, which said so much before it. A
// label before a colon names who speaks and says nothing; but "java.io.IOException: " is what exceptions write before any
// text (Throwable.toString, and Python's tracebacks alike).
func saying(text string, i, j, said int) int {
	switch w := text[i:j]; {
	case said == 0 && j < len(text) && text[j] == ':':
		if strings.HasSuffix(w, "Exception") || strings.HasSuffix(w, "Error") && len(w) > len("Error") {
			return 2
		}
	case plainWord(w):
		return 1
	}
	return 0
}

// plainWord reports whether a word is two letters or more, and nothing that varies.
func plainWord(w string) bool {
	letters := 0
	for i := range len(w) {
		switch {
		case w[i] == variable || w[i] == gap:
			return false
		case class[w[i]]&(upper|lower) != 0:
			letters++
		}
	}
	return letters >= 2
}

// fit returns what stands in the text in the gaps that are several words there, and whether the text says what the
// template does.
func (w *widened) fit(text string) (held string, ok bool) {
	if !strings.HasPrefix(text, w.pieces[0]) || !strings.HasSuffix(text, w.pieces[len(w.pieces)-1]) {
		return "", false
	}
	at := len(w.pieces[0])
	for i, isGap := range w.gaps {
		next := w.pieces[i+1]
		var n int
		if i == len(w.gaps)-1 {
			n = len(text) - at - len(next)
		} else {
			n = strings.Index(text[min(at+1, len(text)):], next) + 1
		}
		if n < 1 {
			return "", false
		}
		v := text[at : at+n]
		if strings.IndexByte(v, ' ') >= 0 {
			if !isGap {
				return "", false
			}
			held += v
		} else if !isGap && strings.IndexByte(v, variable) < 0 {
			return "", false
		}
		at += n + len(next)
	}
	return held, true
}

// isText reports whether several words are a text that stands for a variable: nothing that is variable by its look, no order of its own.
func isText(words string) bool { return !strings.ContainsAny(words, "\x01=:|<>{}[]()\"") }

// describes reports whether the template says what a text says.
func (w *widened) describes(text string) bool {
	held, ok := w.fit(text)
	return ok && isText(held)
}

// How many other messages, of how many lengths, must say what a template says but with several words in
// a variable's place, by how many words the template says.
var wideNeeds = []struct{ texts, lengths int }{1: {24, 3}, 2: {10, 3}, 3: {6, 3}, 4: {5, 2}, 5: {4, 2}}

func (w *widened) absorb(among []*kind) {
	var fits, same []*kind // with several words for one; word for word
	lengths := map[int]bool{}
	texts := map[string]bool{}
	for _, k := range among {
		if k.into != nil || k == w.kind {
			continue
		}
		held, ok := w.fit(k.text)
		if !ok {
			continue
		}
		if held == "" {
			same = append(same, k)
			continue
		}
		if !isText(held) {
			continue
		}
		fits = append(fits, k)
		lengths[strings.Count(held, " ")] = true
		texts[held] = true
	}
	if w.said >= 3 {
		for _, k := range same {
			w.kind.take(k)
		}
	}
	need := wideNeeds[min(w.said, len(wideNeeds)-1)]
	if (!w.kind.wide || w.said < 2) && (len(texts) < need.texts || len(lengths) < need.lengths) || len(fits) == 0 {
		return
	}
	w.kind.wide = true
	for _, k := range fits {
		w.kind.take(k)
	}
	w.kind.text = joinGaps(w.kind.text)
}

// How many different words must follow on what messages begin with, for what follows to be any text, by how many words the beginning says.
var textNeeds = []int{1: 48, 2: 16, 3: 8, 4: 6, 5: 5}

// endings joins messages that begin alike and end in any text, none of which came often enough to be told from its own form.
func endings(all []*kind) {
	// beginnings are those that messages have in common, the longest first.
	type beginning struct {
		text  string
		said  int
		kinds []*kind
	}
	byText := map[string]*beginning{}
	var order []*beginning
	for _, k := range all {
		if k.into != nil || k.fixed {
			continue
		}
		said := 0
		for i := 0; i < len(k.text); {
			j := wordEnd(k.text, i)
			if j == i {
				i++
				continue
			}
			if i > 0 && said > 0 && (k.text[i-1] == ' ' || strings.IndexByte("\"'([=:", k.text[i-1]) >= 0) {
				t := strings.ReplaceAll(k.text[:i], string(rune(gap)), string(rune(variable)))
				b := byText[t]
				if b == nil {
					b = &beginning{text: t, said: said}
					byText[t], order = b, append(order, b)
				}
				b.kinds = append(b.kinds, k)
			}
			said += saying(k.text, i, j, said)
			i = j
		}
	}
	slices.SortFunc(order, func(a, b *beginning) int {
		return cmp.Or(b.said-a.said, len(b.text)-len(a.text), strings.Compare(a.text, b.text))
	})
	for _, b := range order {
		if len(b.kinds) < textNeeds[len(textNeeds)-1] {
			continue
		}
		byEnd := map[string][]*kind{}
		seen := map[*kind]bool{}
		n := 0
		for _, k := range b.kinds {
			if k = k.root(); seen[k] || len(k.text) <= len(b.text) {
				continue
			}
			seen[k] = true
			n++
			end := k.text[strings.LastIndexByte(k.text, ' ')+1:]
			if k.text[len(k.text)-1] == gap {
				end = ""
			}
			byEnd[end] = append(byEnd[end], k)
		}
		if len(byEnd)*4 > n {
			var rest []*kind
			for _, ks := range byEnd {
				rest = append(rest, ks...)
			}
			byEnd = map[string][]*kind{"": rest}
		}
		for _, ks := range byEnd {
			joinTexts(b.text, b.said, ks)
		}
	}
}

// joinTexts joins messages that begin with the same words, if what follows is any text.
func joinTexts(begin string, said int, ks []*kind) {
	if len(ks) < 2 {
		return
	}
	slices.SortFunc(ks, func(a, b *kind) int { return int(a.first - b.first) })
	end := ks[0].text[len(begin):]
	for _, k := range ks[1:] {
		rest := k.text[len(begin):]
		n := 0
		for n < min(len(end), len(rest)) && end[len(end)-1-n] == rest[len(rest)-1-n] {
			n++
		}
		end = end[len(end)-n:]
	}
	for end != "" && end[0] != ' ' && class[end[0]] != strong && end[0] != '.' { // whole words
		end = end[1:]
	}
	follow := map[string]bool{}
	lengths := map[int]bool{}
	varied := 0
	for _, k := range ks {
		text := k.text[len(begin) : len(k.text)-len(end)]
		if text == "" {
			return
		}
		follow[text[:wordEnd(text, 0)]] = true
		lengths[strings.Count(text, " ")] = true
		if strings.IndexByte(text, variable) >= 0 {
			varied++
		}
	}
	need := textNeeds[min(said, len(textNeeds)-1)]
	if len(follow) < need || len(lengths) < 2 || len(follow)*5 < len(ks)*2 && len(follow) < 2*need || varied*4 > len(ks) {
		return
	}
	for _, k := range ks[1:] {
		ks[0].take(k)
	}
	ks[0].text, ks[0].wide = begin+string(rune(gap))+end, true
}
