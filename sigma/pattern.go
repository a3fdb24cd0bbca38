package sigma

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is a rule's string after its escapes are read: literal pieces and wildcards.
type pattern []piece

type piece struct {
	lit  string
	wild byte // '*', '?', or 0 for a literal
}

// parsePattern reads escapes as the specification ("Escaping") has them: the backslash escapes *, ? and itself and is an
// ordinary character before anything else. So \* is a star, \\* a backslash and a wildcard, \\\* a backslash and a star,
// and both \\\x and \\\\x are two backslashes and an x.
func parsePattern(s string) pattern {
	var p pattern
	var lit strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			lit.WriteByte(s[i])
		case c == '*' || c == '?':
			p = p.literal(lit.String()).wildcard(c)
			lit.Reset()
		default:
			lit.WriteByte(c)
		}
	}
	return p.literal(lit.String())
}

func (p pattern) literal(s string) pattern {
	switch {
	case s == "":
		return p
	case len(p) > 0 && p[len(p)-1].wild == 0:
		q := append(pattern(nil), p...)
		q[len(q)-1].lit += s
		return q
	}
	return append(p[:len(p):len(p)], piece{lit: s})
}

// wildcard appends a wildcard; stars in a row are one.
func (p pattern) wildcard(c byte) pattern {
	if c == '*' && len(p) > 0 && p[len(p)-1].wild == '*' {
		return p
	}
	return append(p[:len(p):len(p)], piece{wild: c})
}

func (p pattern) join(q pattern) pattern {
	for _, x := range q {
		if x.wild != 0 {
			p = p.wildcard(x.wild)
		} else {
			p = p.literal(x.lit)
		}
	}
	return p
}

// plain returns the text of a pattern without wildcards.
func (p pattern) plain() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].wild == 0:
		return p[0].lit, true
	}
	return "", false
}

// each rewrites every literal piece.
func (p pattern) each(f func(string) string) pattern {
	var q pattern
	for _, x := range p {
		if x.wild != 0 {
			q = q.wildcard(x.wild)
		} else {
			q = q.literal(f(x.lit))
		}
	}
	return q
}

// match reports whether s is of the pattern: * any characters, ? exactly one. Case is the caller's affair. The pattern is cut
// at its stars; a segment between two of them may take the first place where it fits, so that no backtracking
// is needed: cost is bounded by len(s) times the length of the pattern.
func (p pattern) match(s string) bool {
	first, rest, star := p.segment()
	n, ok := first.prefix(s)
	if !ok {
		return false
	}
	if !star {
		return n == len(s)
	}
	s = s[n:]
	for {
		seg, after, more := rest.segment()
		if !more {
			return seg.suffix(s)
		}
		at, n := seg.find(s)
		if at < 0 {
			return false
		}
		s, rest = s[at+n:], after
	}
}

// segment returns what is before the first star, and what is after it.
func (p pattern) segment() (before, after pattern, star bool) {
	for i, x := range p {
		if x.wild == '*' {
			return p[:i], p[i+1:], true
		}
	}
	return p, nil, false
}

// prefix matches a pattern without stars at the start of s and returns how many bytes it took.
func (p pattern) prefix(s string) (int, bool) {
	n := 0
	for _, x := range p {
		if x.wild == 0 {
			if !strings.HasPrefix(s[n:], x.lit) {
				return 0, false
			}
			n += len(x.lit)
			continue
		}
		_, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 {
			return 0, false
		}
		n += size
	}
	return n, true
}

func (p pattern) find(s string) (at, n int) {
	for at := 0; at <= len(s); {
		if len(p) > 0 && p[0].wild == 0 {
			i := strings.Index(s[at:], p[0].lit)
			if i < 0 {
				return -1, 0
			}
			at += i
		}
		if n, ok := p.prefix(s[at:]); ok {
			return at, n
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += max(size, 1)
	}
	return -1, 0
}

// suffix matches a pattern without stars at the end of s.
func (p pattern) suffix(s string) bool {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].wild == 0 {
			if !strings.HasSuffix(s, p[i].lit) {
				return false
			}
			s = s[:len(s)-len(p[i].lit)]
			continue
		}
		_, size := utf8.DecodeLastRuneInString(s)
		if size == 0 {
			return false
		}
		s = s[:len(s)-size]
	}
	return true
}

// longest returns the longest literal piece.
func (p pattern) longest() string {
	best := ""
	for _, x := range p {
		if len(x.lit) > len(best) {
			best = x.lit
		}
	}
	return best
}

func (p pattern) String() string {
	var b strings.Builder
	for _, x := range p {
		if x.wild != 0 {
			b.WriteByte(x.wild)
			continue
		}
		for i := range len(x.lit) {
			if c := x.lit[i]; c == '*' || c == '?' || c == '\\' && i+1 < len(x.lit) && strings.IndexByte(`*?\`, x.lit[i+1]) >= 0 ||
				c == '\\' && i+1 == len(x.lit) {
				b.WriteByte('\\')
			}
			b.WriteByte(x.lit[i])
		}
	}
	return b.String()
}

// fold maps a string to one representative of all strings that differ from it by case only (Unicode simple folding, as
// strings.EqualFold has it). Bytes that are not UTF-8 stay as they are.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return string(appendFold(make([]byte, 0, len(s)+8), s))
		}
	}
	return s
}

func appendFold(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, lower[c])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += size
	}
	return dst
}

// foldRune picks the smallest of the runes that fold together, but the lower-case letter where ASCII is among them.
func foldRune(r rune) rune {
	best := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		best = min(best, f)
	}
	if 'A' <= best && best <= 'Z' {
		best += 'a' - 'A'
	}
	return best
}

// lower maps ASCII capitals to small letters and every other byte to itself.
var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for c := byte('A'); c <= 'Z'; c++ {
		t[c] = c + 'a' - 'A'
	}
	return t
}()

// isASCII looks at eight bytes at a time.
func isASCII(s string) bool {
	const high = 0x8080808080808080
	word := func(i int) uint64 {
		p := s[i : i+8]
		return uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 | // one load
			uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
	}
	i := 0
	for ; i+32 <= len(s); i += 32 {
		if (word(i)|word(i+8)|word(i+16)|word(i+24))&high != 0 {
			return false
		}
	}
	if len(s) >= 8 {
		for ; i+8 < len(s); i += 8 {
			if word(i)&high != 0 {
				return false
			}
		}
		return word(len(s)-8)&high == 0 // what is left, and some again
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
