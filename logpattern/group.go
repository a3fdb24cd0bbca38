package logpattern

import (
	"slices"
	"strings"
)

// cut cuts a masked message into the words of a shape and its skeleton, in
// which each word is a variable byte.
func cut(text string, words []string, skeleton []byte) ([]string, []byte) {
	if text != "" && text[0] == literal {
		return words, append(skeleton, text...)
	}
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || class[c] == strong {
			skeleton = append(skeleton, c)
			i++
			if closing := opposite(c); closing != 0 && i < len(text) && text[i] == closing && (i == 1 || text[i-2] == ' ') {
				// Brackets that stand by themselves and hold nothing hold an empty value.
				words = append(words, "")
				skeleton = append(skeleton, variable)
			} else {
				end := 0
				if c == '"' || c == '\'' {
					end = inQuotes(text, i, c)
				} else {
					end = inBrackets(text, i, closing)
				}
				if end > 0 {
					words = append(words, text[i:end])
					skeleton = append(skeleton, variable)
					i = end
				}
			}
			continue
		}
		j := wordEnd(text, i)
		// A run of variables with the same separator between them is one word: a list,
		// whose length may vary.
		if c == variable || class[c] == fine {
			j = listEnd(text, i, j)
		}
		if j < len(text) && text[j] == ',' && (i == 0 || text[i-1] == ' ' || text[i-1] == '=') {
			j = tightList(text, i, j)
		}
		words = append(words, text[i:j])
		skeleton = append(skeleton, variable)
		i = j
	}
	return words, skeleton
}

// tightList returns the end of a list with commas and no spaces, of which text[i:j] is the first word: prose puts spaces
// behind commas. A whole message of that form is no list but a record, and so is one of very many words.
func tightList(text string, i, j int) int {
	end := j
	for n := 1; n < 24 && end+1 < len(text) && text[end] == ','; n++ {
		k := wordEnd(text, end+1)
		if k == end+1 {
			return j
		}
		end = k
	}
	if i == 0 && end == len(text) || end < len(text) && text[end] != ' ' && text[end] != ')' && text[end] != ']' && text[end] != ';' {
		return j
	}
	return end
}

// inBrackets returns the end of what stands from i up to a closing bracket, if it is a list of two or more words
// with commas between them: it is one word, for lists differ in length. It is 0 if it is anything else.
func inBrackets(text string, i int, closing byte) int {
	if closing == 0 {
		return 0
	}
	quoted := false
	for n := 1; ; n++ {
		quote := byte(0)
		if i < len(text) && (text[i] == '"' || text[i] == '\'') {
			quote, quoted = text[i], true
			i++
		}
		j := i
		for j < len(text) && text[j] != ' ' && (class[text[j]] != strong || text[j] == ':' && quote == 0) {
			j++
		}
		if j == i {
			return 0
		}
		if i = j; quote != 0 {
			if i >= len(text) || text[i] != quote {
				return 0
			}
			i++
		}
		switch {
		case i < len(text) && text[i] == closing && (n > 1 || quoted):
			return i
		case i >= len(text) || text[i] != ',':
			return 0
		}
		if i++; i < len(text) && text[i] == ' ' {
			i++
		}
	}
}

// inQuotes returns the end of what stands from i up to a closing quote, if it is of more than one word and the quotes
// stand around it as quotes do: what is quoted is said whole. It is 0 if it is anything else.
func inQuotes(text string, i int, quote byte) int {
	if i > 1 && text[i-2] != ' ' && strings.IndexByte("([{=:,", text[i-2]) < 0 {
		return 0
	}
	many := false
	for j := i; j < len(text) && j-i <= 4*maxWord; j++ {
		switch text[j] {
		case ' ':
			many = true
		case '\\': // quotes within quotes hold what is said in parts
			return 0
		case quote:
			if !many || j+1 < len(text) && text[j+1] != ' ' && class[text[j+1]] != strong {
				return 0
			}
			return j
		}
	}
	return 0
}

func opposite(c byte) byte {
	switch c {
	case '(':
		return ')'
	case '[':
		return ']'
	case '{':
		return '}'
	}
	return 0
}

func wordEnd(text string, i int) int {
	for i < len(text) && text[i] != ' ' && class[text[i]] != strong {
		i++
	}
	return i
}

// listEnd returns the end of a list of words alike that are
// variable, of which text[i:j] is the first.
func listEnd(text string, i, j int) int {
	word := text[i:j]
	if strings.IndexByte(word, variable) < 0 || j >= len(text) {
		return j
	}
	k, least := j, 3
	if text[k] == ':' {
		k, least = k+1, 2 // 17:03, 1:17:03
	}
	for k < len(text) && (text[k] == ' ' || text[k] == ',') && k-j < 2 && least == 3 {
		k++
	}
	sep := text[j:k]
	if k > j && text[j] == ',' {
		least = 2
	}
	if sep == "" {
		return j
	}
	end, n := j, 1
	for strings.HasPrefix(text[end:], sep) && strings.HasPrefix(text[end+len(sep):], word) {
		e := end + len(sep) + len(word)
		if e < len(text) && text[e] != ' ' && class[text[e]] != strong {
			break
		}
		end = e
		n++
	}
	if n < least {
		return j
	}
	return end
}

// divide divides messages of one skeleton, each given by its words, into
// templates. It depends on the set of messages alone, not on their order: each
// leaf is a set of indexes, rising, and the places that are variable in it.
func divide(skeleton string, words [][]string, v vocabulary, leaf func(members []int, open []bool)) {
	all := make([]int, len(words))
	for i := range all {
		all[i] = i
	}
	if len(all) == 0 {
		return
	}
	p := partitioner{words: words, context: contexts(skeleton), after: after(skeleton), vocabulary: v, leaf: leaf}
	for i := range len(skeleton) {
		if class[skeleton[i]] == strong {
			p.marks++
		}
	}
	p.divide(all, nil)
}

type partitioner struct {
	words   [][]string
	context []byte // what separator stands before each word
	after   []byte // and after it
	marks   int    // separators other than spaces
	vocabulary
	leaf func(members []int, open []bool)
}

// contexts returns for each word of a skeleton the separator before it, 0 at
// the beginning; for a space behind a separator the separator counts.
func contexts(skeleton string) []byte {
	var out []byte
	var before byte
	for i := range len(skeleton) {
		c := skeleton[i]
		switch {
		case c == variable:
			out = append(out, before)
			before = 0
		case c != ' ' || before == 0:
			before = c
		}
	}
	return out
}

// after returns for each word of a skeleton what stands right after it.
func after(skeleton string) []byte {
	var out []byte
	for i := range len(skeleton) {
		if skeleton[i] != variable {
			continue
		}
		if i+1 < len(skeleton) {
			out = append(out, skeleton[i+1])
		} else {
			out = append(out, 0)
		}
	}
	return out
}

// divide divides members; what is known to be variable, because it was so of more of them, is in known.
func (p *partitioner) divide(members []int, known []bool) {
	places := len(p.words[members[0]])
	open := make([]bool, places)
	if len(members) == 1 {
		for i, w := range p.words[members[0]] {
			open[i] = p.isName(w) && p.isNamePlace(members[0], i, w)
		}
		p.leaf(members, open)
		return
	}
	best, bestDistinct, opened := -1, 0, 0
	least, leastDistinct := -1, 0
	all := make([]values, places)
	said, common := 0, p.marks/2 // words of letters that all say; what else makes them alike
	looks := 0                   // places that are variable by their look
	for i := range places {
		if all[i] = p.values(members, i); all[i].distinct > 1 {
			continue
		}
		if all[i].plain == 1 {
			said++
		}
		looks += strings.Count(p.words[members[0]][i], string(rune(variable)))
		if plainWord(p.words[members[0]][i]) {
			common++
		}
	}
	for i, v := range all {
		if v.distinct == 1 {
			continue
		}
		if least < 0 || v.distinct < leastDistinct {
			least, leastDistinct = i, v.distinct
		}
		if known != nil && known[i] || p.isOpen(members, i, v, said) {
			open[i] = true
			if v.masked+v.numbered < v.distinct {
				opened++
			}
		} else if best < 0 || v.distinct < bestDistinct {
			best, bestDistinct = i, v.distinct
		}
	}
	common += looks / 3
	if best >= 0 {
		best, known = p.independent(members, all, open, known, best, common)
	}
	if best < 0 && opened > common*2 && (len(members) < manyTexts || !p.beginAlike(members, all)) {
		best = least // too little in common to be one template
	}
	if best < 0 {
		p.leaf(members, open)
		return
	}
	parts := p.parts(members, best, p.key)
	if len(parts) == 1 {
		parts = p.parts(members, best, func(m, place int) string { return p.words[m][place] })
	}
	for _, part := range parts {
		p.divide(part, known)
	}
}

// beginAlike reports whether messages begin with the same word or more, besides a label before a colon.
func (p *partitioner) beginAlike(members []int, all []values) bool {
	for i, v := range all {
		if v.distinct > 1 {
			return false
		}
		if plainWord(p.words[members[0]][i]) && (i > 0 || p.after[0] != ':') {
			return true
		}
	}
	return false
}

// independent opens two places in which the same words come with one another in all ways: a program that says
// "from NEW to RUNNING" does not say each of such pairs by itself. It returns the place to divide at then, -1 if none,
// and which places are variable in all parts.
func (p *partitioner) independent(members []int, all []values, open, known []bool, best, common int) (int, []bool) {
	if common < 2 {
		return best, known
	}
	closed := func(i int) bool {
		return all[i].distinct > 1 && !open[i] && p.after[i] != '=' && (i > 0 || p.context[0] != 0)
	}
	for i := range all {
		for j := i + 1; j < len(all); j++ {
			if !closed(i) || !closed(j) || all[i].distinct < 3 || all[j].distinct < 3 {
				continue
			}
			pairs := map[[2]string]bool{}
			for _, m := range members {
				pairs[[2]string{p.words[m][i], p.words[m][j]}] = true
			}
			if n := max(all[i].distinct, all[j].distinct); len(pairs) >= max(2*n, manyPairs) && 2*len(pairs) >= all[i].distinct*all[j].distinct {
				if known = slices.Clone(known); known == nil {
					known = make([]bool, len(all))
				}
				for _, k := range []int{i, j} {
					// Words of letters may be what the program says, of codes and states: "check failed: DOWN".
					if v := all[k]; v.plain <= v.distinct/2 || all[i].plain > all[i].distinct/2 && all[j].plain > all[j].distinct/2 && v.distinct >= manyIndependent {
						open[k], known[k] = true, true
					}
				}
			}
		}
	}
	best = -1
	for i := range all {
		if all[i].distinct > 1 && !open[i] && (best < 0 || all[i].distinct < all[best].distinct) {
			best = i
		}
	}
	return best, known
}

// parts divides members by what stands at a place, in the order of the first of each.
func (p *partitioner) parts(members []int, place int, key func(member, place int) string) [][]int {
	var parts [][]int
	at := map[string]int{}
	for _, m := range members {
		k := key(m, place)
		i, ok := at[k]
		if !ok {
			i = len(parts)
			at[k], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], m)
	}
	return parts
}

// values is what stands at one place in some shapes.
type values struct {
	distinct int
	masked   int // of the distinct: holds a variable
	numbered int // of the distinct: holds a digit
	joined   int // of the distinct: holds a dot, hyphen, slash or the like between letters
	capitals int // of the distinct: nothing but capitals
	plain    int // of the distinct: letters, none of the above
	phrases  int // of the distinct: several words in quotes
	lists    int // of the distinct: several words with commas
	dotted   int // of the distinct: after the same words with dots, as names in a name space
	suffixed int // of the distinct: before the same suffix, as names of files of one kind
	humped   int // of the distinct: capitals within, as the names of classes and functions
}

func (p *partitioner) values(members []int, place int) (v values) {
	first := p.words[members[0]][place]
	same := true
	for _, m := range members[1:] {
		if p.words[m][place] != first {
			same = false
			break
		}
	}
	if same {
		v.add(first)
		return v
	}
	seen := map[string]bool{}
	var distinct []string
	for _, m := range members {
		w := p.words[m][place]
		if !seen[w] {
			seen[w] = true
			distinct = append(distinct, w)
		}
	}
	before, behind := alike(distinct)
	for _, w := range distinct {
		v.add(w[before : len(w)-behind])
		if isHumped(w) {
			v.humped++
		}
	}
	word := distinct[0]
	if common := word[:before]; before > 0 && common[before-1] == '.' && strings.IndexByte(common, variable) < 0 {
		v.dotted = v.distinct
	}
	if common := word[len(word)-behind:]; behind > 1 && common[0] == '.' && class[common[1]]&(upper|lower) != 0 {
		v.suffixed = v.distinct
	}
	return v
}

// isHumped reports whether a word of letters has a capital behind a small letter.
func isHumped(w string) bool {
	for i := 1; i < len(w); i++ {
		if class[w[i]] == upper && class[w[i-1]] == lower {
			return true
		}
	}
	return false
}

// alike returns how many bytes all words begin and end with, up to a separator within the word: android.intent.SCREEN_ON and
// android.intent.SCREEN_OFF differ in a word of capitals.
func alike(words []string) (before, behind int) {
	before, behind = len(words[0]), len(words[0])
	for _, w := range words[1:] {
		n := 0
		for n < min(before, len(w)) && w[n] == words[0][n] {
			n++
		}
		before, n = n, 0
		for n < min(behind, len(w)) && w[len(w)-1-n] == words[0][len(words[0])-1-n] {
			n++
		}
		behind = n
	}
	w := words[0]
	for before > 0 && class[w[before-1]]&(fine|slash) == 0 {
		before--
	}
	for behind > 0 && class[w[len(w)-behind]]&(fine|slash) == 0 {
		behind--
	}
	for _, w := range words {
		if before+behind > len(w) {
			return before, 0
		}
	}
	return before, behind
}

func (v *values) add(w string) {
	v.distinct++
	var all uint8
	masked := w == ""
	if strings.IndexByte(w, ',') > 0 {
		v.lists++
	} else if strings.IndexByte(w, ' ') > 0 && w[0] != variable {
		v.phrases++
	}
	for i := range len(w) {
		if w[i] == variable {
			masked = true
		}
		all |= class[w[i]]
	}
	switch {
	case masked && all&(upper|lower) == 0:
		v.masked++
	case masked:
		v.joined++
	case all&digit != 0:
		v.numbered++
	case all&(fine|slash) != 0 && class[w[len(w)-1]]&fine == 0:
		v.joined++
	case all&lower == 0:
		v.capitals++
	default:
		v.plain++
	}
}

// How many different words at one place make it variable.
const (
	manyWords           = 8 // letters; fewer in a message of which more words are the same
	manyWordsOfMiddling = 6
	manyWordsOfLong     = 4
	manyNames           = 3  // after a word that names what follows
	manyValues          = 2  // after = or in quotes, or if the words hold digits
	manyAtFirst         = 24 // first in the message: a message begins with what it says
	manyPhrases         = 4  // several words in quotes
	manyPairs           = 12 // of words at two places
	manyIndependent     = 5  // words of letters at each of the two
	manyTexts           = 48 // messages that have little in common but are alike in that: free text
	manyCapital         = 24 // capitals are states, methods and codes
)

func (p *partitioner) isOpen(members []int, place int, v values, said int) bool {
	if p.after[place] == '=' { // a key
		return v.distinct >= manyAtFirst || v.numbered == v.distinct && v.distinct >= manyNames
	}
	if v.masked+v.numbered == v.distinct || p.isScaled(members, place) {
		return true
	}
	if p.vocabulary != nil && p.areValues(members, place) {
		return true
	}
	if v.capitals*2 > v.distinct {
		return v.distinct >= manyCapital
	}
	if v.lists > 0 {
		return v.distinct >= manyNames
	}
	if v.phrases > 0 {
		if place == 0 && p.context[0] == '"' || p.saysWhat(members, place) {
			return v.distinct >= manyAtFirst
		}
		return v.distinct >= manyPhrases
	}
	need := manyWords
	switch {
	case said >= 5:
		need = manyWordsOfLong
	case said >= 3:
		need = manyWordsOfMiddling
	}
	switch c := p.context[place]; {
	case p.saysWhat(members, place):
		need = manyAtFirst
	case c == '=' || c == '"' || c == '\'':
		need = manyValues
	case place == 0 && c == 0:
		need = manyAtFirst
	case p.isNamed(members, place):
		need = manyNames
		if v.masked+v.numbered+v.joined > 0 {
			need = manyValues
		}
	}
	if v.masked+v.numbered+v.joined >= v.distinct-1 && v.distinct > 2 {
		need = min(need, manyNames)
	}
	if v.dotted == v.distinct && (place > 0 || said >= 2) {
		need = min(need, manyValues)
	}
	if v.suffixed == v.distinct && said > 0 {
		need = min(need, manyNames)
	}
	if v.humped+v.masked+v.numbered == v.distinct && said > 0 {
		need = min(need, manyWords)
	}
	return v.distinct >= need
}

// isNamePlace reports whether a word that is a name elsewhere is likely one here.
func (p *partitioner) isNamePlace(member, place int, w string) bool {
	if p.after[place] == '=' || p.after[place] == ':' && place == 0 {
		return false
	}
	switch p.context[place] {
	case 0:
		return p.after[place] == '[' || strings.IndexByte(w, '.') > 0
	case ' ':
		return strings.IndexFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) > 0 || p.isNamed([]int{member}, place)
	}
	return true
}

// areValues reports whether what stands at the place is known as values from elsewhere, or varies by its look: most of it.
func (p *partitioner) areValues(members []int, place int) bool {
	known, others := 0, 0
	for _, m := range members {
		w := p.words[m][place]
		if p.isValue(w) {
			known++
		} else if strings.IndexByte(w, variable) < 0 {
			others++
		}
	}
	return known > 0 && known >= 4*others
}

// isScaled reports whether the place holds the unit of the number before it, of
// which a program takes the one that fits: 900 KB, 1.2 GB; 1 second, 2 seconds.
func (p *partitioner) isScaled(members []int, place int) bool {
	for _, m := range members {
		if !p.isCounted(m, place) || p.key(m, place) != p.key(members[0], place) {
			return false
		}
	}
	return true
}

// isCounted reports whether a number stands before the place.
func (p *partitioner) isCounted(member, place int) bool {
	if place == 0 || p.context[place] != ' ' {
		return false
	}
	n := p.words[member][place-1]
	return n != "" && n[len(n)-1] == variable
}

// key is the word at a place; behind a number all units are one, and so are
// one and many of a thing.
func (p *partitioner) key(member, place int) string {
	w := p.words[member][place]
	if !p.isCounted(member, place) {
		return w
	}
	if unit, per, _ := strings.Cut(w, "/"); isUnit(unit) && (per == "" || isUnit(per)) { // of a rate
		return "\x02" + per
	}
	return strings.TrimSuffix(w, "s")
}

// saysWhat reports whether the place holds the message of a line of keys and values.
func (p *partitioner) saysWhat(members []int, place int) bool {
	return place > 0 && p.context[place] == '"' && isMessageKey(p.words[members[0]][place-1])
}

// isNamed reports whether the word before the place says that a name follows.
func (p *partitioner) isNamed(members []int, place int) bool {
	if place == 0 {
		return false
	}
	w := p.words[members[0]][place-1]
	for _, m := range members[1:] {
		if p.words[m][place-1] != w {
			return false
		}
	}
	return names[strings.ToLower(w)]
}

// names are words after which a message customarily names something, in some languages.
var names = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`user users username account login group member for from by at host hostname server
		client node device interface file path directory dir image program process command service unit module
		driver class package job task thread session name named id key domain url uri address addr port to of on
		table column relation schema database role topic queue partition index bucket cluster volume container pod namespace
		pool executor worker project customer tenant zone region tag branch repository repo channel stream plugin template
		sensor function method mailbox share printer broker replica peer

		von an auf benutzer datei dienst konto rechner dans de par pour utilisateur fichier hôte por para desde usuario archivo servidor
		da per utente от с на пользователь файл служба 用户 文件 从 ユーザー ファイル 사용자 użytkownik plik uživatel soubor`) {
		m[w] = true
	}
	return m
}()
