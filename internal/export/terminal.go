package export

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Terminal returns s as one line that cannot drive a terminal: control
// characters, line ends among them, are shown as \n, \t or \x1b, characters
// that change the direction of text or cannot be seen as \u{202e}, and bytes
// that are no UTF-8 as \xff. Text without such characters comes back as it is.
func Terminal(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return string(appendTerminal(make([]byte, 0, len(s)+16), s))
		}
	}
	return s
}

func appendTerminal(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = fmt.Appendf(dst, `\x%02x`, s[i])
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < ' ' || 0x7f <= r && r < 0xa0:
			dst = fmt.Appendf(dst, `\x%02x`, r)
		case r < 0x7f || unicode.IsPrint(r) || unicode.Is(unicode.Zs, r):
			dst = append(dst, s[i:i+n]...)
		default:
			dst = fmt.Appendf(dst, `\u{%x}`, r)
		}
		i += n
	}
	return dst
}

// cells is how many columns of a terminal s takes; s has been through Terminal.
func cells(s string) (n int) {
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// shorten returns as much of s as fits into n cells, with … where it was cut.
func shorten(s string, n int) string {
	if len(s) <= n || cells(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeCells(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}
