package logins

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/prose"
)

// WriteTable writes the first top users (0: all) as a table of at most width
// columns (0: 80, at least 60), with a line of totals. Names are cleaned for
// the terminal; where the width does not suffice, times are shortened and at
// last left out, and names are cut; numbers never are.
func (r *Result) WriteTable(w io.Writer, top, width int) error {
	if width <= 0 {
		width = 80
	}
	width = max(width, 60)
	users := r.first(top)
	formats := []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "01-02 15:04", "2006-01-02", ""}
	if r.First.IsZero() {
		formats = formats[4:]
	} else if r.First.Year() != r.Last.Year() {
		formats = slices.Delete(formats, 2, 3)
	}
	var rows [][]string
	var widths []int
	format := ""
	for _, format = range formats {
		rows = r.tableRows(users, format)
		widths = make([]int, len(rows[0]))
		for _, row := range rows {
			for i, cell := range row {
				widths[i] = max(widths[i], chart.Cells(cell))
			}
		}
		others := len(widths) - 1
		for _, n := range widths[1:] {
			others += n
		}
		if widths[0] = min(widths[0], max(width-others, 6)); others+min(widths[0], 16) <= width && widths[0] >= min(16, longestName(users)) {
			break
		}
	}

	b := bufio.NewWriter(w)
	for i, row := range rows {
		if i == len(rows)-1 && len(users) < len(r.Users) {
			fmt.Fprintf(b, "… %s\n", prose.Count(int64(len(r.Users)-len(users)), "more user"))
		}
		var line strings.Builder
		for c, cell := range row {
			if c > 0 {
				line.WriteByte(' ')
			}
			cell = chart.Fit(cell, widths[c])
			gap := strings.Repeat(" ", widths[c]-chart.Cells(cell))
			if c == 0 || c >= 6 {
				line.WriteString(cell + gap)
			} else {
				line.WriteString(gap + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	switch {
	case r.First.IsZero() || format == "":
	case strings.HasPrefix(format, "01"):
		fmt.Fprintf(b, "Times are UTC, of %d.\n", r.First.Year())
	default:
		b.WriteString("Times are UTC.\n")
	}
	return b.Flush()
}

// tableRows are the cells with head and totals; an empty format leaves the
// times out.
func (r *Result) tableRows(users []User, format string) [][]string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.Format(format)
	}
	rows := [][]string{{"user", "attempts", "success", "failed", "rate", "sources", "first", "last"}}
	for _, u := range users {
		rows = append(rows, []string{name(u), prose.Number(u.Attempts), prose.Number(u.Successes), prose.Number(u.Failures),
			rate(u.Successes, u.Failures), prose.Number(int64(u.DistinctSources)), at(u.First), at(u.Last)})
	}
	rows = append(rows, []string{"all " + prose.Number(int64(len(r.Users))), prose.Number(r.Attempts), prose.Number(r.Successes), prose.Number(r.Failures),
		rate(r.Successes, r.Failures), "", at(r.First), at(r.Last)})
	if format == "" {
		for i := range rows {
			rows[i] = rows[i][:6]
		}
	}
	return rows
}

func longestName(users []User) int {
	n := 0
	for _, u := range users {
		n = max(n, chart.Cells(name(u)))
	}
	return n
}

func (r *Result) first(top int) []User {
	if top <= 0 {
		return r.Users
	}
	return r.Users[:min(top, len(r.Users))]
}

func rate(good, bad int64) string {
	if good+bad == 0 {
		return "–"
	}
	return percent(good, good+bad)
}

// WriteCSV writes all users as CSV (RFC 4180). A cell that a spreadsheet would
// take for a formula begins with an apostrophe; line ends are LF.
func (r *Result) WriteCSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString("user,attempts,successes,failures,success_rate,distinct_sources,first,last\n")
	var line []byte
	for _, u := range r.Users {
		line = appendCSV(line[:0], u.Name)
		for _, n := range []int64{u.Attempts, u.Successes, u.Failures} {
			line = strconv.AppendInt(append(line, ','), n, 10)
		}
		line = append(line, ',')
		if u.SuccessRate != nil {
			line = strconv.AppendFloat(line, tidy(*u.SuccessRate), 'f', -1, 64)
		}
		line = strconv.AppendInt(append(line, ','), int64(u.DistinctSources), 10)
		for _, t := range []time.Time{u.First, u.Last} {
			line = append(line, ',')
			if !t.IsZero() {
				line = t.AppendFormat(line, time.RFC3339Nano)
			}
		}
		b.Write(append(line, '\n'))
	}
	return b.Flush()
}

// appendCSV writes a text cell. Spreadsheets run what begins with = + - @ or a
// tab or carriage return (OWASP, CSV injection), also after blanks.
func appendCSV(dst []byte, s string) []byte {
	if t := strings.TrimLeft(s, " "); t != "" && strings.ContainsRune("=+-@\t\r\n|", rune(t[0])) ||
		strings.HasPrefix(strings.TrimLeft(s, " "), "＝") {
		s = "'" + s
	}
	if !strings.ContainsAny(s, ",\"\r\n") && strings.TrimSpace(s) == s {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// WriteJSON writes the whole Result as one JSON document.
func (r *Result) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write logins as JSON: %w", err)
	}
	return b.Flush()
}

// Figure is the picture of the result: the top users by login attempts beside
// the histogram of attempts per user, and the interpretation under them.
func (r *Result) Figure(top int) chart.Figure {
	users := r.first(top)
	bars := chart.Bars{
		Title:        fmt.Sprintf("Top %d users by login attempts", len(users)),
		XLabel:       "User",
		YLabel:       "Login attempts",
		RotateLabels: true,
		Parts:        []string{"succeeded", "failed"},
	}
	switch len(users) {
	case 0:
		bars.Title = "Users by login attempts"
	case 1:
		bars.Title = "The user with the most login attempts"
	}
	if r.Unknown > 0 {
		bars.Parts = append(bars.Parts, "outcome unknown")
	}
	for _, u := range users {
		parts := []float64{float64(u.Successes), float64(u.Failures), float64(u.Attempts - u.Successes - u.Failures)}
		bars.Items = append(bars.Items, chart.Item{Label: name(u), Parts: parts[:len(bars.Parts)]})
	}
	hist := chart.Histogram{
		Title:  "Login attempts per user",
		XLabel: "Login attempts",
		YLabel: "Users",
		Values: make([]float64, len(r.Users)),
	}
	for i, u := range r.Users {
		hist.Values[i] = float64(u.Attempts)
	}
	sub := fmt.Sprintf("%s by %s", prose.Count(r.Attempts, "attempt"), prose.Count(int64(len(r.Users)), "user"))
	if !r.First.IsZero() {
		sub += ", " + r.First.Format("2006-01-02 15:04") + " to " + r.Last.Format("2006-01-02 15:04") + " UTC"
	}
	return chart.Figure{
		Title:    "Login attempts by user",
		Subtitle: sub,
		Panels:   []chart.Chart{bars, hist},
		Caption:  []string{strings.Join(r.Interpret(top), " ")},
	}
}
