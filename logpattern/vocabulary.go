package logpattern

import "strings"

// vocabulary tells which words are values.
type vocabulary map[string]*usage

type usage struct {
	open   int // places that are variable in which the word stands
	closed int // templates that say it
}

// maxVocabulary bounds the words that are remembered of one place.
const maxVocabulary = 4096

// vocabularyOf counts in what places words stand.
func vocabularyOf(groups []settled) vocabulary {
	v := vocabulary{}
	get := func(w string) *usage {
		u := v[w]
		if u == nil {
			u = &usage{}
			v[w] = u
		}
		return u
	}
	for i := range groups {
		s := &groups[i]
		if s.shapes == nil {
			continue
		}
		at := map[Handle]int{}
		for i, h := range s.shapes {
			at[h] = i
		}
		context, behind := contexts(s.skeleton), after(s.skeleton)
		for _, l := range s.leaves {
			for p, open := range l.open {
				if !open {
					continue
				}
				// Where words stand side by side that vary, text stands, not names.
				if p > 0 && l.open[p-1] && context[p] == ' ' || p+1 < len(l.open) && l.open[p+1] && behind[p] == ' ' && context[p+1] == ' ' {
					continue
				}
				names := map[string]bool{}
				for _, h := range l.members {
					if w := s.words[at[h]][p]; plainWord(w) && strings.IndexByte(w, ' ') < 0 && len(names) < maxVocabulary {
						names[w] = true
					}
				}
				if len(names) >= manyNames*2 {
					for w := range names {
						get(w).open++
					}
				}
			}
		}
	}
	for i := range groups {
		s := &groups[i]
		for p := range strings.Count(s.skeleton, string(rune(variable))) {
			said := map[string]int{} // by how many templates
			for _, l := range s.leaves {
				if s.shapes == nil || l.open[p] || v[l.words[p]] == nil {
					continue
				}
				if len(l.members) > 1 {
					said[l.words[p]]++
				}
			}
			if len(said) >= manyNames { // values again
				continue
			}
			for w, n := range said {
				v[w].closed += n
			}
		}
	}
	return v
}

// isValue reports whether a word is a value where others stand in its place.
func (v vocabulary) isValue(w string) bool {
	u := v[w]
	return u != nil && u.open > 0 && u.open >= 3*u.closed
}

// isName reports whether a word is a value wherever it stands.
func (v vocabulary) isName(w string) bool {
	u := v[w]
	return u != nil && u.open > 1 && u.closed == 0
}
