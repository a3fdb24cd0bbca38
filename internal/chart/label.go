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

// Fit returns the text cleaned and cut to at most cells columns. What is cut out is the middle, and an
// ellipsis marks it: names that begin alike mostly end differently.
func Fit(s string, cells int) string {
	s = Clean(s)
	if Cells(s) <= cells {
		return s
	}
	if cells < 1 {
		return ""
	}
	return elide(s, float64(cells-1), func(r rune) float64 { return float64(runeCells(r)) })
}

// elide cuts out the middle of a text that is wider than room: of what is left two thirds are its
// beginning. The ellipsis is not counted.
func elide(s string, room float64, measure func(rune) float64) string {
	tail, w := len(s), 0.0
	for tail > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:tail])
		if w+measure(r) > room/3 {
			break
		}
		w += measure(r)
		tail -= n
	}
	head := 0
	for i, r := range s[:tail] {
		if w += measure(r); w > room {
			break
		}
		head = i + utf8.RuneLen(r)
	}
	// A mark belongs to the letter before it.
	for r, n := utf8.DecodeRuneInString(s[tail:]); n > 0 && runeCells(r) == 0; r, n = utf8.DecodeRuneInString(s[tail:]) {
		tail += n
	}
	return strings.TrimRight(s[:head], " ") + "…" + strings.TrimLeft(s[tail:], " ")
}

// face measures text and outlines it in one weight of the Go fonts. A PNG is
// drawn in these; an SVG in whatever face of fontStack the reader has, so text
// is measured by the widest of them. A face is not safe for concurrent use: each
// scene has its own.
type face struct {
	font *sfnt.Font
	buf  sfnt.Buffer
	adv  map[rune]float64 // advance at size 1
	wide *[95]uint16
}

// wideRegular and wideBold are the advances of U+0020 to U+007E in DejaVu Sans, the widest face of
// fontStack, in thousandths of the size.
var (
	wideRegular = [95]uint16{318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000,
		684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500,
		613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838}
	wideBold = [95]uint16{348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 580, 1000,
		774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 500, 500,
		675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838}
)

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

func newFace(f *sfnt.Font, wide *[95]uint16) *face {
	return &face{font: f, adv: map[rune]float64{}, wide: wide}
}

// advance is how far the Go font moves the pen.
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

// room is what a letter may take in any face of fontStack.
func (f *face) room(r rune) float64 {
	a := f.advance(r)
	if r >= 0x20 && r < 0x7f {
		return max(a, float64(f.wide[r-0x20])/1000)
	}
	return 1.15 * a // what DejaVu's letters of other scripts have on the Go font's, on average or more
}

func (f *face) width(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += f.room(r)
	}
	return w * size
}

// drawn is the width of a text in the Go font.
func (f *face) drawn(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += f.advance(r)
	}
	return w * size
}

// fit is Fit of cleaned text for a width in pixels.
func (f *face) fit(s string, size, limit float64) string {
	if f.width(s, size) <= limit {
		return s
	}
	return elide(s, limit-f.width("…", size), func(r rune) float64 { return f.room(r) * size })
}

// fitAll is fit of names that stand together. Where two of them would be cut to the same text, what the
// cut ones all end in, such as a domain, goes first.
func (f *face) fitAll(names []string, size, limit float64) []string {
	return cutAll(names, func(s string) string { return f.fit(s, size, limit) })
}

// fitAllCells is fitAll for a terminal.
func fitAllCells(names []string, cells int) []string {
	return cutAll(names, func(s string) string { return Fit(s, cells) })
}

func cutAll(names []string, cut func(string) string) []string {
	out := make([]string, len(names))
	first := map[string]string{} // of what was cut
	same := false
	var ending *string
	for i, n := range names {
		n = Clean(n)
		out[i] = cut(n)
		if out[i] == n {
			continue
		}
		other, ok := first[out[i]]
		same = same || ok && other != n
		first[out[i]] = n
		if ending == nil {
			ending = &n
			continue
		}
		k := 0
		for k < min(len(n), len(*ending)) && n[len(n)-1-k] == (*ending)[len(*ending)-1-k] {
			k++
		}
		common := n[len(n)-k:]
		ending = &common
	}
	if !same || *ending == "" {
		return out
	}
	for i, n := range names {
		if n = Clean(n); out[i] != n {
			out[i] = cut(strings.ToValidUTF8(strings.TrimSuffix(n, *ending), "") + "…")
		}
	}
	return out
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
