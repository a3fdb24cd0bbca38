package chart

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

// What a person who cannot see a picture is told: its name, a sentence, and its
// numbers as a table whose every cell has a heading.
func TestEveryInlineChartHasANameASentenceAndItsNumbers(t *testing.T) {
	for _, p := range gallery() {
		var b bytes.Buffer
		if err := Inline(&b, p.fig, Options{Theme: Auto, ID: "x"}); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(&b)
		texts, ids := map[string]string{}, map[string]string{} // by id; element by id
		var labels []string
		var stack, open []string
		heads, cells, rows := 0, 0, 0
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			switch e := tok.(type) {
			case xml.StartElement:
				attr := map[string]string{}
				for _, a := range e.Attr {
					attr[a.Name.Local] = a.Value
				}
				id := attr["id"]
				if id != "" && ids[id] != "" {
					t.Errorf("%s: two elements with the id %s", p.name, id)
				}
				if id != "" {
					ids[id] = e.Name.Local
				}
				if e.Name.Local == "svg" {
					if attr["role"] != "img" {
						t.Errorf("%s: role %q of the picture", p.name, attr["role"])
					}
					labels = append(labels, attr["aria-labelledby"], attr["aria-describedby"])
				}
				switch e.Name.Local {
				case "thead":
					heads = 0
				case "tr":
					cells = 0
				case "th", "td":
					cells++
					if e.Name.Local == "th" && attr["scope"] == "" {
						t.Errorf("%s: a heading of a table without scope", p.name)
					}
				}
				stack, open = append(stack, e.Name.Local), append(open, id)
			case xml.CharData:
				if len(open) > 0 && open[len(open)-1] != "" {
					texts[open[len(open)-1]] += string(e)
				}
			case xml.EndElement:
				stack, open = stack[:len(stack)-1], open[:len(open)-1]
				if e.Name.Local != "tr" {
					break
				}
				if slices.Contains(stack, "thead") {
					heads = cells
				} else if rows++; cells != heads {
					t.Errorf("%s: a row of %d cells under %d headings", p.name, cells, heads)
				}
			}
		}
		if len(labels) != 4 {
			t.Errorf("%s: names of two pictures are %v", p.name, labels)
		}
		for _, id := range labels {
			if strings.TrimSpace(texts[id]) == "" {
				t.Errorf("%s: %s says nothing", p.name, id)
			}
		}
		drawn := 0
		for _, c := range p.fig.Panels {
			if !strings.HasSuffix(c.describe(), "no data.") {
				drawn++
			}
		}
		if drawn > 0 && rows == 0 {
			t.Errorf("%s: no numbers", p.name)
		}
		if rows > maxNumbers*len(p.fig.Panels) {
			t.Errorf("%s: %d rows of numbers", p.name, rows)
		}
	}
}

func TestNumbersAreThoseOfThePicture(t *testing.T) {
	for _, c := range []struct {
		of   Chart
		want string
	}{
		{Bars{XLabel: "records", Horizontal: true, Items: []Item{{Label: "alice", Value: 1200}}}, "name|records;alice|1,200"},
		{Bars{YLabel: "records", Parts: []string{"ok", "no"}, Items: []Item{{Label: "a", Parts: []float64{2, 3}}}}, "name|records|ok|no;a|5|2|3"},
		{Boxes{Unit: "B", Items: []Box{BoxOf("log", []float64{1, 2, 3, 4, 1 << 20})}}, "name|count|minimum|lower whisker|lower quartile|median|upper quartile|upper whisker|maximum;log|5|1 B|1 B|2 B|3 B|4 B|4 B|1 MiB"},
		{Sankey{Stages: []string{"source", "user"}, Flows: []Flow{{[]string{"x", "y"}, 3}, {[]string{"z", "y"}, 9}}}, "source|user|value;z|y|9;x|y|3"},
	} {
		n := c.of.numbers()
		lines := []string{strings.Join(n.head, "|")}
		for _, r := range n.rows {
			lines = append(lines, strings.Join(r, "|"))
		}
		if got := strings.Join(lines, ";"); got != c.want {
			t.Errorf("%T: %s, want %s", c.of, got, c.want)
		}
	}
}
