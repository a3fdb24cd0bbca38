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
	var walk func(re *syntax.Regexp) [][]string
	walk = func(re *syntax.Regexp) [][]string {
		switch re.Op {
		case syntax.OpLiteral:
			if slices.Contains(re.Rune, utf8.RuneError) { // could also be a byte that is not UTF-8
				return nil
			}
			return [][]string{{fold(string(re.Rune))}}
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
				if len(next) == 0 || len(run)*len(next) > 16 {
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
		case syntax.OpAlternate: // the best set of each branch together are one set
			var all []string
			for _, sub := range re.Sub {
				sets := walk(sub)
				if len(sets) == 0 {
					return nil
				}
				all = append(all, slices.MaxFunc(sets, func(a, b []string) int { return score(a) - score(b) })...)
			}
			if len(all) <= most {
				return [][]string{all}
			}
		}
		return nil
	}
	sets := walk(re)
	// What nearly every log line has filters nothing and costs the automaton.
	sets = slices.DeleteFunc(sets, func(lits []string) bool {
		return slices.ContainsFunc(lits, func(l string) bool {
			return l == "" || len(l) == 1 && (l[0] >= 0x80 || l[0] >= 'a' && l[0] <= 'z' || l[0] >= '0' && l[0] <= '9' ||
				strings.Contains(` .,:/\-_"'=()`, l))
		})
	})
	slices.SortStableFunc(sets, func(a, b []string) int { return score(b) - score(a) })
	return sets[:min(len(sets), mostSets)]
}

// spellings lists all folded strings that an expression matches, if they are few.
func spellings(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if !slices.Contains(re.Rune, utf8.RuneError) {
			return []string{fold(string(re.Rune))}
		}
	case syntax.OpCapture:
		return spellings(re.Sub[0])
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
