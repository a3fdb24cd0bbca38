package sigma

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// maxRegexpBytes bounds a rule's regular expression; Go's own limits bound what it compiles to.
const maxRegexpBytes = 64 << 10

// translated is a rule's regular expression as RE2 can run it: a value matches when re does and veto, if any, does not.
type translated struct {
	re   *regexp.Regexp
	veto *regexp.Regexp
	// What a matching value must have: at least one of each set of folded literals, and so many bytes.
	lits  [][]string
	short int
	run   *classRun
}

// translateRegexp compiles a PCRE pattern. Sigma allows only the part of PCRE that RE2 has too, but rules use more; what has
// an exact equivalent is rewritten:
//
//   - spellings: \h \H \R \N \Z \e, comments (?#…), \s with the vertical tab;
//   - look-arounds whose place is fixed: (?=X) and (?<=X) at the very end or start, (?!X) and (?<!X) there over one character, and any
//     number of look-aheads directly after a leading ^ or \A.
//
// Anything else (back-references, other look-arounds, atomic groups, possessive quantifiers) is an error that says so.
func translateRegexp(src, flags string) (translated, error) {
	if len(src) > maxRegexpBytes {
		return translated{}, fmt.Errorf("regular expression longer than %d bytes", maxRegexpBytes)
	}
	prefix := ""
	if flags != "" {
		prefix = "(?" + flags + ")"
	}
	body, err := respell(src)
	if err != nil {
		return translated{}, err
	}
	veto := ""
	if strings.Contains(body, "(?=") || strings.Contains(body, "(?!") || strings.Contains(body, "(?<") {
		if body, veto, err = unlook(body, strings.Contains(flags, "m")); err != nil {
			return translated{}, err
		}
	}
	t := translated{}
	if t.re, err = regexp.Compile(prefix + body); err != nil {
		return t, explainRegexp(src, err)
	}
	if veto != "" {
		if t.veto, err = regexp.Compile(prefix + veto); err != nil {
			return t, explainRegexp(src, err)
		}
	}
	if tree, err := syntax.Parse(prefix+body, syntax.Perl); err == nil {
		t.short = shortest(tree)
		t.run = requiredRun(tree)
		t.lits = requiredLiterals(tree.Simplify())
	}
	return t, nil
}

func explainRegexp(src string, err error) error {
	for _, x := range []struct{ mark, what string }{
		{"(?>", "an atomic group"}, {"(?=", "a look-ahead"}, {"(?!", "a look-ahead"}, {"(?<=", "a look-behind"}, {"(?<!", "a look-behind"},
		{"*+", "a possessive quantifier"}, {"++", "a possessive quantifier"}, {"?+", "a possessive quantifier"},
	} {
		if strings.Contains(src, x.mark) {
			return fmt.Errorf("regular expression %q uses %s, which cannot be run in linear time: %w", src, x.what, err)
		}
	}
	return fmt.Errorf("regular expression %q: %w", src, err)
}

// respell rewrites escapes and comments that RE2 spells otherwise.
func respell(src string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '\\' && i+1 < len(src) {
			i++
			n := src[i]
			if n == 'Q' { // quoted up to \E
				end := strings.Index(src[i:], `\E`)
				if end < 0 {
					end = len(src) - i
				}
				b.WriteString(`\` + src[i:i+end])
				i += end - 1
				continue
			}
			in, out := "", ""
			switch n {
			case 'h':
				in, out = `\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`, "[]"
			case 'H':
				in, out = `\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`, "[^]"
			case 's':
				in, out = `\s\x0b`, "[]"
			case 'S':
				if !class {
					in, out = `\s\x0b`, "[^]"
				}
			case 'e':
				in = `\x1b`
			case 'N':
				in, out = `\n`, "[^]"
			case 'R':
				if !class {
					in = `(?:\r\n|[\n\x0b\f\r\x{85}\x{2028}\x{2029}])`
				}
			case 'Z':
				in = `(?:\n?\z)`
			}
			switch {
			case in == "":
				if n >= '1' && n <= '9' && !class {
					return "", fmt.Errorf("regular expression %q uses a back-reference, which cannot be run in linear time", src)
				}
				if n >= utf8.RuneSelf { // an escaped letter beyond ASCII is that letter
					b.WriteByte(n)
					continue
				}
				b.WriteByte('\\')
				b.WriteByte(n)
			case class || out == "":
				if class && out == "[^]" {
					return "", fmt.Errorf(`regular expression %q: \%c in a class cannot be translated`, src, n)
				}
				b.WriteString(in)
			default:
				b.WriteString(out[:len(out)-1] + in + "]")
			}
			continue
		}
		switch {
		case class:
			if c == ']' {
				class = false
			} else if c == '[' && i+1 < len(src) && src[i+1] == ':' { // [:digit:]
				if end := strings.Index(src[i:], ":]"); end > 0 {
					b.WriteString(src[i : i+end+2])
					i += end + 1
					continue
				}
			}
			if c == '[' { // a plain bracket inside a class
				b.WriteByte('\\')
			}
		case c == '[':
			class = true
			b.WriteByte(c)
			if i+1 < len(src) && src[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(src) && src[i+1] == ']' { // first in a class it is a plain bracket
				i++
				b.WriteString(`\]`)
			}
			continue
		case strings.HasPrefix(src[i:], "(?#"):
			end := strings.IndexByte(src[i:], ')')
			if end < 0 {
				return "", fmt.Errorf("regular expression %q: comment without end", src)
			}
			i += end
			continue
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// unlook rewrites look-arounds whose place is fixed. body must be one alternative at its top level for them.
func unlook(body string, multiline bool) (out, veto string, err error) {
	if topLevelAlternation(body) {
		return body, "", nil // Go's compiler says what it does not know
	}
	inner := func(s string) (content, rest string, ok bool) {
		end := closing(s)
		if end < 0 {
			return "", "", false
		}
		return s[:end], s[end+1:], true
	}
	// Look-aheads after a leading anchor all start where the value does.
	for _, anchor := range []string{"^", `\A`} {
		rest, ok := strings.CutPrefix(body, anchor)
		if !ok || multiline {
			continue
		}
		positives := 0
		positive, negatives := "", []string{}
		for strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") {
			content, after, ok := inner(rest[3:])
			if !ok || strings.Contains(content, "(?=") || strings.Contains(content, "(?!") {
				return body, "", nil
			}
			if rest[2] == '!' {
				negatives = append(negatives, content)
			} else {
				positives++
				positive = content
			}
			rest = after
		}
		if quantified(rest) {
			return body, "", nil
		}
		if len(negatives) > 0 {
			veto = `\A(?:` + strings.Join(negatives, "|") + ")"
		}
		switch {
		case positives == 0:
			body = anchor + rest
		case positives == 1 && strings.Trim(strings.ReplaceAll(rest, "$", ""), ".*") == "" && !strings.Contains(rest, "$"):
			body = anchor + "(?:" + positive + ")" // what follows matches anything
		default:
			return body, "", nil
		}
		break
	}
	// At the very start or end, looking is the same as matching.
	if rest, ok := strings.CutPrefix(body, "(?<="); ok {
		if content, after, ok := inner(rest); ok && !quantified(after) {
			body = "(?:" + content + ")" + after
		}
	} else if rest, ok := strings.CutPrefix(body, "(?<!"); ok {
		if content, after, ok := inner(rest); ok && !quantified(after) {
			if class, one := negatedClass(content); one {
				body = `(?:\A|` + class + ")" + after
			}
		}
	}
	if i := lastGroup(body); i >= 0 {
		content := body[i+3 : len(body)-1]
		switch body[i : i+3] {
		case "(?=":
			body = body[:i] + "(?:" + content + ")"
		case "(?!":
			if class, one := negatedClass(content); one {
				body = body[:i] + "(?:" + class + `|\z)`
			}
		}
	}
	return body, veto, nil
}

// quantified reports whether what follows a group repeats it.
func quantified(after string) bool { return after != "" && strings.IndexByte("*+?{", after[0]) >= 0 }

// closing returns the index of the parenthesis that closes the group s is inside of, or -1.
func closing(s string) int {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

func topLevelAlternation(s string) bool {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			return true
		}
	}
	return false
}

// lastGroup returns where a look-ahead group that ends the pattern starts, or -1.
func lastGroup(s string) int {
	for _, mark := range []string{"(?=", "(?!"} {
		for at := 0; ; {
			i := strings.Index(s[at:], mark)
			if i < 0 {
				break
			}
			i += at
			if closing(s[i+3:]) == len(s)-i-4 && !topLevelOpen(s[:i]) {
				return i
			}
			at = i + 3
		}
	}
	return -1
}

// topLevelOpen reports whether a group is still open at the end of s.
func topLevelOpen(s string) bool { return closing(s+")") != len(s) }

// negatedClass gives the class of all characters that a pattern of exactly one character does not match.
func negatedClass(s string) (string, bool) {
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return "", false
	}
	switch tree = tree.Simplify(); {
	case tree.Op == syntax.OpCharClass, tree.Op == syntax.OpLiteral && len(tree.Rune) == 1 && tree.Flags&syntax.FoldCase == 0:
		if tree.Op == syntax.OpLiteral || !strings.HasPrefix(s, "[") {
			if len(s) > 2 {
				return "", false
			}
			return "[^" + s + "]", true
		}
		if rest, ok := strings.CutPrefix(s, "[^"); ok {
			return "[" + rest, true
		}
		return "[^" + s[1:], true
	}
	return "", false
}
