package sigma

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// requiredLiterals returns sets of folded strings of which every match holds at least one each. They let a regular
// expression wait until its literals were seen.
func requiredLiterals(re *syntax.Regexp) [][]string {
	const most, mostSets = 64, 8
	score := func(lits []string) int { // of one set: its shortest member counts
		short := math.MaxInt
		for _, l := range lits {
			short = min(short, len(l))
		}
		return short*most - len(lits)
	}
	// useful orders sets, the best first, without those that filter nothing and cost the automaton: of what nearly
	// every log line has.
	useful := func(sets [][]string) [][]string {
		sets = slices.DeleteFunc(sets, func(lits []string) bool {
			return slices.ContainsFunc(lits, func(l string) bool {
				return l == "" || len(l) == 1 && (l[0] >= 0x80 || l[0] >= 'a' && l[0] <= 'z' || l[0] >= '0' && l[0] <= '9' ||
					strings.Contains(` .,:/\-_"'=()`, l))
			})
		})
		slices.SortStableFunc(sets, func(a, b []string) int { return score(b) - score(a) })
		return sets
	}
	var walk func(re *syntax.Regexp) [][]string
	walk = func(re *syntax.Regexp) [][]string {
		switch re.Op {
		case syntax.OpLiteral:
			if slices.Contains(re.Rune, utf8.RuneError) { // could also be a byte that is not UTF-8
				return nil
			}
			return [][]string{{fold(string(re.Rune))}}
		case syntax.OpCharClass:
			if all := spellings(re); len(all) > 0 {
				return [][]string{all}
			}
		case syntax.OpCapture, syntax.OpPlus:
			return walk(re.Sub[0])
		case syntax.OpRepeat:
			if re.Min > 0 {
				return walk(re.Sub[0])
			}
		case syntax.OpConcat:
			// Neighbours of few spellings make longer literals: \.[ "'] is one of three.
			var all [][]string
			var run []string
			for _, sub := range re.Sub {
				next := spellings(sub)
				if len(next) == 0 || len(run)*len(next) > maxSpellings {
					if len(run) > 0 {
						all = append(all, run)
					}
					run = next
					if len(next) == 0 {
						all = append(all, walk(sub)...)
					}
					continue
				}
				run = product(run, next)
			}
			if len(run) > 0 {
				all = append(all, run)
			}
			return all
		case syntax.OpAlternate:
			// The best set of each branch together are one set, and so are the second best: (<|%3c)(script|img)
			// among others must not be tried on every path with an img.
			var best, second []string
			two := false
			for _, sub := range re.Sub {
				sets := useful(walk(sub))
				if len(sets) == 0 {
					return nil
				}
				best, second = append(best, sets[0]...), append(second, sets[min(1, len(sets)-1)]...)
				two = two || len(sets) > 1
			}
			var out [][]string
			if len(best) <= most {
				out = append(out, best)
			}
			if two && len(second) <= most {
				out = append(out, second)
			}
			return out
		}
		return nil
	}
	sets := useful(walk(re))
	return sets[:min(len(sets), mostSets)]
}

const maxSpellings = 16

// spellings lists all folded strings that an expression matches, if they are few.
func spellings(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if !slices.Contains(re.Rune, utf8.RuneError) {
			return []string{fold(string(re.Rune))}
		}
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpCapture:
		return spellings(re.Sub[0])
	case syntax.OpQuest:
		if all := spellings(re.Sub[0]); 0 < len(all) && len(all) < maxSpellings {
			return append(all, "")
		}
	case syntax.OpConcat:
		var all []string
		for _, sub := range re.Sub {
			next := spellings(sub)
			if len(next) == 0 || len(all)*len(next) > maxSpellings {
				return nil
			}
			all = product(all, next)
		}
		return all
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			next := spellings(sub)
			if len(next) == 0 || len(all)+len(next) > maxSpellings {
				return nil
			}
			all = append(all, next...)
		}
		return all
	case syntax.OpCharClass:
		var out []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] >= 8 || re.Rune[i+1] >= utf8.RuneSelf {
				return nil
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if s := fold(string(r)); !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
		if len(out) <= 8 {
			return out
		}
	}
	return nil
}

func product(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	var out []string
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// classRun is a stretch of bytes of one class that a match must have. Finding none is much cheaper than matching.
type classRun struct {
	in  [256]bool
	min int
}

func (c *classRun) within(s string) bool {
	n := 0
	for i := range len(s) {
		if !c.in[s[i]] {
			n = 0
		} else if n++; n >= c.min {
			return true
		}
	}
	return false
}

// requiredRun finds the longest repetition of a character class that every match has, or nil.
func requiredRun(re *syntax.Regexp) *classRun {
	var best *classRun
	var walk func(re *syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		case syntax.OpRepeat:
			if re.Min == 0 {
				return
			}
			class := re.Sub[0]
			for class.Op == syntax.OpCapture {
				class = class.Sub[0]
			}
			if class.Op != syntax.OpCharClass {
				walk(class)
				return
			}
			if re.Min < 4 || best != nil && best.min >= re.Min {
				return
			}
			best = &classRun{min: re.Min}
			for i := 0; i+1 < len(class.Rune); i += 2 {
				for r := class.Rune[i]; r <= class.Rune[i+1] && r < utf8.RuneSelf; r++ {
					best.in[r] = true
				}
				if class.Rune[i+1] >= utf8.RuneSelf { // then any byte beyond ASCII may be part of one
					for b := utf8.RuneSelf; b < 256; b++ {
						best.in[b] = true
					}
				}
			}
		}
	}
	walk(re)
	return best
}

// shortest is the least number of bytes that a match has.
func shortest(re *syntax.Regexp) int {
	const enough = 4096
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = 1
	case syntax.OpCapture, syntax.OpPlus:
		n = shortest(re.Sub[0])
	case syntax.OpRepeat:
		n = re.Min * shortest(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			n += shortest(sub)
		}
	case syntax.OpAlternate:
		n = enough
		for _, sub := range re.Sub {
			n = min(n, shortest(sub))
		}
	}
	return min(n, enough)
}
