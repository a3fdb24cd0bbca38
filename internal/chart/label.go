package chart

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/width"
)

// maxRunes bounds every text of a picture, so that a label of megabytes costs
// no more than a long one.
const maxRunes = 2000

// Clean makes log text safe to show on one line: line breaks and tabs become a
// space; other control characters, text direction overrides, invisible format
// characters and invalid UTF-8 become U+FFFD; joiners, which some scripts
// need, are dropped. What is left cannot move a cursor, start an escape
// sequence or reorder the text beside it.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxRunes {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case r == '\u200c' || r == '\u200d':
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == 0xfffe || r == 0xffff:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func plain(s string) bool {
	if len(s) > maxRunes {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// Cells returns how many columns of a terminal the text takes: two for wide
// East Asian characters, none for combining marks.
func Cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Fit returns the text cleaned and cut to at most cells columns; a cut is
// marked by an ellipsis.
func Fit(s string, cells int) string {
	s = Clean(s)
	if Cells(s) <= cells {
		return s
	}
	n := 0
	for i, r := range s {
		w := runeCells(r)
		if n+w > cells-1 {
			if cells < 1 {
				return ""
			}
			return s[:i] + "…"
		}
		n += w
	}
	return s
}

// face measures and outlines text in one weight of the Go fonts. A face is
// not safe for concurrent use: each scene has its own.
type face struct {
	font *sfnt.Font
	buf  sfnt.Buffer
	adv  map[rune]float64 // advance at size 1
}

// unit is the size at which advances are read, large enough to be exact.
const unit = fixed.Int26_6(2048 << 6)

var fonts = sync.OnceValue(func() [2]*sfnt.Font {
	var out [2]*sfnt.Font
	for i, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic("chart: embedded font: " + err.Error()) // a build without its font cannot be shipped
		}
		out[i] = f
	}
	return out
})

func newFace(f *sfnt.Font) *face { return &face{font: f, adv: map[rune]float64{}} }

func (f *face) advance(r rune) float64 {
	if a, ok := f.adv[r]; ok {
		return a
	}
	a := 0.6
	if g, err := f.font.GlyphIndex(&f.buf, r); err == nil {
		if v, err := f.font.GlyphAdvance(&f.buf, g, unit, font.HintingNone); err == nil {
			a = float64(v) / float64(unit)
		}
		if g == 0 && runeCells(r) != 1 { // the reader's own font will draw it, at its usual width
			a = 0.5 * float64(runeCells(r))
		}
	}
	f.adv[r] = a
	return a
}

func (f *face) width(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += f.advance(r)
	}
	return w * size
}

// fit cuts cleaned text to a width in pixels; a cut is marked by an ellipsis.
func (f *face) fit(s string, size, limit float64) string {
	if f.width(s, size) <= limit {
		return s
	}
	room := limit - f.width("…", size)
	w := 0.0
	for i, r := range s {
		w += f.advance(r) * size
		if w > room {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

// wrap breaks cleaned text into lines no wider than limit, at spaces where
// there are any. Lines beyond most are cut with an ellipsis.
func (f *face) wrap(s string, size, limit float64, most int) []string {
	return breakLines(s, limit, most, func(t string) float64 { return f.width(t, size) })
}

// wrapCells is wrap for a terminal.
func wrapCells(s string, cells, most int) []string {
	return breakLines(s, float64(cells), most, func(t string) float64 { return float64(Cells(t)) })
}

func breakLines(s string, limit float64, most int, measure func(string) float64) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		for {
			next := word
			if line != "" {
				next = line + " " + word
			}
			if measure(next) <= limit {
				line = next
				break
			}
			if line != "" {
				lines = append(lines, line)
				line = ""
				continue
			}
			cut := splitAt(word, limit, measure)
			lines = append(lines, word[:cut])
			if word = word[cut:]; word == "" {
				break
			}
		}
		if len(lines) > most {
			break
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	if len(lines) > most {
		lines = lines[:most]
		last := lines[most-1]
		for last != "" && measure(last+"…") > limit {
			_, n := utf8.DecodeLastRuneInString(last)
			last = last[:len(last)-n]
		}
		lines[most-1] = last + "…"
	}
	return lines
}

// splitAt returns how many bytes of an overlong word fit, at least one rune.
func splitAt(word string, limit float64, measure func(string) float64) int {
	w := 0.0
	for i, r := range word {
		w += measure(string(r))
		if w > limit && i > 0 {
			return i
		}
	}
	return len(word)
}
