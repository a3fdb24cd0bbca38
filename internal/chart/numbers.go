package chart

import (
	"bufio"
	"fmt"
	"html"
	"strings"
)

// table is the numbers of a chart in words, for people who cannot see it or
// cannot point at it.
type table struct {
	head []string
	rows [][]string
	note string // what of the chart the rows leave out, a sentence; may be empty
}

// maxNumbers bounds the rows of a table.
const maxNumbers = 250

// add appends a row, or counts that one more was left out.
func (t *table) add(left *int, cells ...string) {
	if len(t.rows) >= maxNumbers {
		*left++
		return
	}
	t.rows = append(t.rows, cells)
}

// more says that rows were left out.
func (t *table) more(left int) {
	if left > 0 {
		t.note = strings.TrimSpace(t.note + fmt.Sprintf(" %s more are left out here.", grouped(float64(left), 0)))
	}
}

// writeNumbers writes the tables of a figure as a part of an HTML page that the
// reader opens. The first cell of a row names it.
func writeNumbers(w *bufio.Writer, fig Figure, id string) {
	var tables []table
	var titles []string
	for _, p := range fig.Panels {
		if t := p.numbers(); len(t.rows) > 0 {
			tables, titles = append(tables, t), append(titles, Clean(p.heading()))
		}
	}
	if len(tables) == 0 {
		return
	}
	cell := func(s string) string { return html.EscapeString(Clean(s)) }
	fmt.Fprintf(w, `<figcaption><details data-id="%s-numbers"><summary>Numbers<span class="unseen"> of %s</span></summary>`, id, cell(strings.Join(titles, ", ")))
	for i, t := range tables {
		fmt.Fprintf(w, `<div class="numbers" tabindex="0" role="region" aria-label="%s"><table><caption>%[1]s</caption><thead><tr>`, cell(titles[i]))
		for _, h := range t.head {
			fmt.Fprintf(w, `<th scope="col">%s</th>`, cell(h))
		}
		w.WriteString("</tr></thead><tbody>\n")
		for _, r := range t.rows {
			fmt.Fprintf(w, `<tr><th scope="row">%s</th>`, cell(r[0]))
			for _, c := range r[1:] {
				fmt.Fprintf(w, "<td>%s</td>", cell(c))
			}
			w.WriteString("</tr>\n")
		}
		w.WriteString("</tbody></table>")
		if t.note != "" {
			fmt.Fprintf(w, "<p>%s</p>", cell(t.note))
		}
		w.WriteString("</div>")
	}
	w.WriteString("</details></figcaption>")
}
