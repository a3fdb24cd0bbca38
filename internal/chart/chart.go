// Package chart draws the pictures of a report: bars, histograms, series over
// time, heat maps, calendars, scatter and box charts, flows and graphs of
// entities, alone or side by side in a figure.
//
// A chart is plain data. It is laid out once, as a scene of primitives in
// pixels, and the scene is written as SVG or PNG; both therefore show the same
// picture. The terminal has no pixels, so each kind also lays itself out as
// rows of text from the same bins, ticks and number formats.
//
//	fig := chart.Figure{Title: "Logins", Panels: []chart.Chart{
//		chart.Bars{Title: "By user", Items: []chart.Item{{Label: "alice", Value: 12}}},
//	}}
//	err := chart.SVG(w, fig, chart.Options{})
//
// The same figure and options give the same bytes. Labels may come from
// hostile logs: every text passes through Clean, is cut to a bounded length,
// and is escaped by the backend that writes it. NaN and infinite values are
// treated as missing.
//
// Adding a kind is one file: a struct with the methods of Chart.
package chart

import (
	"bufio"
	"io"
)

// Chart is one panel of a figure. The kinds are Bars, Histogram, TimeSeries,
// HeatMap, Calendar, Scatter, Boxes, Sankey and Graph.
type Chart interface {
	// heading must return the panel's title, possibly empty.
	heading() string
	// describe must say in one sentence what the picture shows, with its
	// extremes, for people who do not see it.
	describe() string
	// numbers must return what the picture shows as a table.
	numbers() table
	// height must return the height in pixels that suits a panel this wide.
	height(s *scene, width float64) float64
	// draw must stay within area and must cope with having no data.
	draw(s *scene, area rect)
	// rows must return lines of at most width cells, title excluded.
	rows(width int) []row
}

// Other names what is made of many values that are not told apart; it is drawn
// in grey.
const Other = "(other)"

// Figure is one or several charts side by side under one title.
type Figure struct {
	Title    string
	Subtitle string
	Panels   []Chart
	// Caption holds paragraphs written under the panels.
	Caption []string
}

// Options says how a figure is rendered. The zero value is a light picture
// 900 pixels wide, or a terminal of 80 columns without colour.
type Options struct {
	Width  int   // pixels of the whole figure; 0 means 900
	Height int   // pixels of the whole figure; 0 means as the charts need
	Theme  Theme // Light, Dark, or (SVG only) Auto
	Scale  int   // PNG: device pixels per pixel, 1 to 4; 0 means 1
	// ID makes element identifiers unique when several SVGs share one page;
	// empty derives it from the picture.
	ID      string
	Columns int  // terminal: width in cells; 0 means 80
	Colour  bool // terminal: use 256-colour escape sequences
	ASCII   bool // terminal: use no other characters
}

// SVG writes fig as one self-contained SVG element with a title and a
// description, without scripts or references to anything outside.
func SVG(w io.Writer, fig Figure, o Options) error {
	s := compose(fig, o)
	return writeSVG(w, s, fig, o)
}

// InlineStyle is what a page's style sheet must hold for Inline. On paper the
// picture stands alone: what its numbers are worth is in report.json.
const InlineStyle = `figure.chart{margin:0 0 1.2rem}figure.chart svg{display:block;width:100%;height:auto}` +
	`figure.chart>svg:nth-of-type(2){display:none}` +
	`figure.chart summary{font-size:.82rem;margin:.1rem 0}.numbers{overflow-x:auto;margin:0 0 .6rem}.numbers table{width:auto;font-size:.82rem}` +
	`.numbers caption{text-align:left;font-weight:600;padding:.2rem 0}.numbers td,.numbers th{text-align:right;padding:.1rem .8rem .1rem 0;white-space:nowrap;max-width:24rem;overflow:hidden;text-overflow:ellipsis}` +
	`.numbers th:first-child{text-align:left}.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}` +
	`@media screen and (max-width:40rem){figure.chart>svg:nth-of-type(1){display:none}figure.chart>svg:nth-of-type(2){display:block}}` +
	`@media print{figure.chart{break-inside:avoid}figure.chart figcaption{display:none}}`

// Inline writes fig as an element of an HTML page, drawn for a page of o.Width
// and once more for the screen of a telephone, where the first could not be read;
// the page shows one of them, and the numbers as tables to those who ask.
func Inline(w io.Writer, fig Figure, o Options) error {
	if _, err := io.WriteString(w, `<figure class="chart">`); err != nil {
		return err
	}
	if err := SVG(w, fig, o); err != nil {
		return err
	}
	id := o.ID
	o.Width, o.ID = 380, o.ID+"n"
	if err := SVG(w, fig, o); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	writeNumbers(b, fig, id)
	b.WriteString("</figure>\n")
	return b.Flush()
}

// PNG writes fig as a PNG image, Scale times the size in pixels.
func PNG(w io.Writer, fig Figure, o Options) error {
	s := compose(fig, o)
	return writePNG(w, s, o)
}

// Terminal writes fig as lines of text of at most Columns cells. Panels stand
// beside each other where each gets at least 56 columns, else below each other.
func Terminal(w io.Writer, fig Figure, o Options) error {
	b := bufio.NewWriter(w)
	for _, r := range composeRows(fig, o) {
		r.write(b, o)
	}
	return b.Flush()
}
