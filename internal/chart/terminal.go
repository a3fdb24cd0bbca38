package chart

import (
	"bufio"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// span is text in one colour; row is a line of a terminal.
type span struct {
	text string
	ink  ink
}

type row []span

func (r row) cells() int {
	n := 0
	for _, s := range r {
		n += Cells(s.text)
	}
	return n
}

// clip cuts a row that is wider than its panel, such as a bar in a terminal
// too narrow for its label and value.
func (r row) clip(cells int) row {
	for i, s := range r {
		n := Cells(s.text)
		if n > cells {
			return append(r[:i:i], span{Fit(s.text, cells), s.ink})
		}
		cells -= n
	}
	return r
}

// terminalColours are the nearest of the 256 colours of xterm, chosen to read
// on black and on white grounds.
var terminalColours = map[ink]int{
	muted: 245, axis: 245, grid: 240, rest: 245,
	series0: 32, series0 + 1: 214, series0 + 2: 36, series0 + 3: 175, series0 + 4: 74, series0 + 5: 166, series0 + 6: 184,
	heat0: 240, heat0 + 1: 24, heat0 + 2: 25, heat0 + 3: 31, heat0 + 4: 32, heat0 + 5: 38, heat0 + 6: 74, heat0 + 7: 80, heat0 + 8: 214,
}

// write ends the line; the text of spans is cleaned here once more, so that no
// kind of chart can forget to.
func (r row) write(b *bufio.Writer, o Options) {
	line, colour := row{}, o.Colour
	for _, s := range r {
		s.text = Clean(s.text)
		if o.ASCII {
			s.text = ascii(s.text)
		}
		line = append(line, s)
	}
	for len(line) > 0 {
		last := &line[len(line)-1]
		if last.text = strings.TrimRight(last.text, " "); last.text != "" {
			break
		}
		line = line[:len(line)-1]
	}
	for _, s := range line {
		code, ok := terminalColours[s.ink]
		switch {
		case colour && s.ink == text:
			b.WriteString("\x1b[1m" + s.text + "\x1b[0m")
		case colour && ok && s.text != "":
			b.WriteString("\x1b[38;5;" + strconv.Itoa(code) + "m" + s.text + "\x1b[0m")
		default:
			b.WriteString(s.text)
		}
	}
	b.WriteByte('\n')
}

func composeRows(fig Figure, o Options) []row {
	width := 80
	if o.Columns > 0 {
		width = min(max(o.Columns, 24), 1000)
	}
	var out []row
	add := func(s string, c ink, most int) {
		for _, l := range wrapCells(Clean(s), width, most) {
			out = append(out, row{{l, c}})
		}
	}
	add(fig.Title, text, 2)
	add(fig.Subtitle, muted, 3)
	const gap = 4
	columns := max(1, min(len(fig.Panels), (width+gap)/(56+gap)))
	cell := (width - gap*(columns-1)) / columns
	for i := 0; i < len(fig.Panels); i += columns {
		if len(out) > 0 {
			out = append(out, nil)
		}
		var blocks [][]row
		high := 0
		for _, p := range fig.Panels[i:min(len(fig.Panels), i+columns)] {
			var rows []row
			if t := p.heading(); t != "" {
				for _, l := range wrapCells(Clean(t), cell, 2) {
					rows = append(rows, row{{l, text}})
				}
			}
			for _, r := range p.rows(cell) {
				rows = append(rows, r.clip(cell))
			}
			blocks = append(blocks, rows)
			high = max(high, len(rows))
		}
		for y := range high {
			var line row
			for c, rows := range blocks {
				line = append(line, span{spaces(c*(cell+gap) - line.cells()), none})
				if y < len(rows) {
					line = append(line, rows[y]...)
				}
			}
			out = append(out, line)
		}
	}
	for _, p := range fig.Caption {
		if len(out) > 0 {
			out = append(out, nil)
		}
		add(p, none, 40)
	}
	return out
}

var (
	horizontalBlocks = []rune(" ▏▎▍▌▋▊▉█")
	verticalBlocks   = []rune(" ▁▂▃▄▅▆▇█")
	partBlocks       = []rune("█▓▒░")
)

// ascii is a text for a terminal that knows no more; it takes as many columns.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else if a := asciiOf(r); a != 0 {
			b.WriteRune(a)
		} else {
			b.WriteString(strings.Repeat("?", runeCells(r)))
		}
	}
	return b.String()
}

// asciiOf is the character that stands for one that is drawn with, 0 for others.
func asciiOf(r rune) rune {
	switch {
	case r >= 0x2800 && r <= 0x28ff: // braille, by how many dots it has
		return rune(" ..::**##"[bits.OnesCount32(uint32(r-0x2800))])
	case r >= '▁' && r <= '█':
		return rune("_.:-=+*#"[r-'▁'])
	case r > '█' && r <= '▏':
		return rune("######=-"[r-'█'])
	}
	return asciiGlyphs[r]
}

var asciiGlyphs = map[rune]rune{'░': ':', '▒': '+', '▓': '%', '…': '~', '–': '-', '—': '-', '−': '-', '─': '-', '│': '|', '┃': '|', '“': '"', '”': '"', '┊': ':', '├': '|', '┤': '|', '┼': '+',
	'→': '>', '←': '<', '·': '.', '×': 'x', '■': '#', '□': 'o', '●': 'o', '•': '*', '±': '+'}

// block returns the glyph that fills a cell by so much; anything above zero
// shows.
func block(glyphs []rune, filled float64) rune {
	if !(filled > 0) {
		return glyphs[0]
	}
	return glyphs[int(min(max(math.Round(filled*8), 1), 8))]
}

// barRows lays items out as label, bar and value.
func barRows(items []Item, unit string, width int) []row {
	if len(items) == 0 {
		return []row{{{"No data", muted}}}
	}
	label, value, top := 0, 0, 0.0
	var names []string
	for _, it := range items {
		names = append(names, it.Label)
		label = max(label, min(Cells(Clean(it.Label)), width*2/5))
		value = max(value, Cells(formatValue(it.total(), unit)))
		if v := it.total(); finite(v) {
			top = max(top, math.Abs(clampValue(v)))
		}
	}
	room := max(4, width-label-value-2)
	names = fitAllCells(names, label)
	var out []row
	for i, it := range items {
		r := row{{padRight(names[i], label) + " ", none}}
		v := it.total()
		used := 0
		switch {
		case top == 0 || !finite(v):
		case it.Parts != nil:
			// Cut at the rounded running sum, so that parts never add up to
			// more than the whole bar.
			sum := 0.0
			for i, p := range it.Parts {
				if !finite(p) || p <= 0 {
					continue
				}
				sum += p
				n := int(math.Round(min(sum/top, 1)*float64(room))) - used
				if n < 1 && used == 0 {
					n = 1
				}
				r = append(r, span{strings.Repeat(string(partBlocks[i%len(partBlocks)]), max(n, 0)), seriesInk(i)})
				used += max(n, 0)
			}
		default:
			filled := math.Abs(clampValue(v)) / top * float64(room)
			full := min(int(filled), room)
			bar := strings.Repeat("█", full)
			if part := filled - float64(full); full < room && (part > 1.0/16 || full == 0 && v != 0) {
				bar += string(block(horizontalBlocks, part))
			}
			used = Cells(bar)
			c := series0
			if v < 0 {
				c, bar = series0+5, strings.Repeat("░", used) // differs without colour too
			}
			r = append(r, span{bar, c})
		}
		gap := " "
		if used == 0 {
			gap = ""
		}
		out = append(out, append(r, span{gap + formatValue(v, unit), none}))
	}
	return out
}

// legendRow names the glyphs of stacked parts.
func legendRow(legend []entry, width int) row {
	var r row
	for i, e := range legend {
		name := string(partBlocks[i%len(partBlocks)]) + " " + Fit(e.name, max(4, width/len(legend)-4))
		if i > 0 {
			r = append(r, span{"  ", none})
		}
		r = append(r, span{name, e.ink})
	}
	if r.cells() > width {
		return nil
	}
	return r
}

func axisRow(note string, width int) []row {
	if note == "" {
		return nil
	}
	return []row{{{Fit(note, width), muted}}}
}

// measureOf says in words what is counted and by what.
func measureOf(value, by string) string {
	switch {
	case value == "":
		return by
	case by == "":
		return value
	}
	first, n := utf8.DecodeRuneInString(by)
	if second, _ := utf8.DecodeRuneInString(by[n:]); unicode.IsLower(second) {
		by = string(unicode.ToLower(first)) + by[n:] // but not an acronym's
	}
	return value + " by " + by
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

func padRight(s string, cells int) string { return s + spaces(cells-Cells(s)) }

func padLeft(s string, cells int) string { return spaces(cells-Cells(s)) + s }
