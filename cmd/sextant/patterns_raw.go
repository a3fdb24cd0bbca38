package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/logpattern"
)

// rawPatterns mines lines as they stand. What each was taken for waits in a
// file until all have been seen, for only then are the templates known.
func rawPatterns(c *cobra.Command, opt pipeline.Options, output string, options export.Options, order string, limit int, out io.Writer) error {
	waiting, err := os.CreateTemp("", "sextant-patterns-")
	if err != nil {
		return err
	}
	defer os.Remove(waiting.Name())
	defer waiting.Close()
	handles := bufio.NewWriter(waiting)
	miner := logpattern.New()
	lines := int64(0)
	var examples []string // by handle; of those that a table may show
	var number []byte
	plan, err := pipeline.Lines(c.Context(), opt, func(line []byte) error {
		lines++
		h := miner.Add(string(line))
		if output != "csv" && int(h) >= len(examples) {
			examples = append(examples, make([]string, int(h)-len(examples))...)
			examples = append(examples, string(line[:min(len(line), 200)]))
		}
		number = binary.AppendUvarint(number[:0], uint64(h))
		_, err := handles.Write(number)
		return err
	})
	if err != nil {
		return err
	}
	if output == "csv" {
		if err := handles.Flush(); err != nil {
			return err
		}
		if _, err := waiting.Seek(0, io.SeekStart); err != nil {
			return err
		}
		err = writeLines(out, bufio.NewReader(waiting), miner, lines)
	} else {
		err = writeTemplates(out, miner, examples, lines, output, options, order, limit)
	}
	return errors.Join(err, problems(c.ErrOrStderr(), plan))
}

// writeLines writes a row for each line: its number, and the id and text of its template.
func writeLines(out io.Writer, handles io.ByteReader, miner *logpattern.Miner, lines int64) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"line", "template_id", "template"}); err != nil {
		return err
	}
	known := map[logpattern.Handle]logpattern.Template{}
	row := make([]string, 3)
	for n := range lines {
		h, err := binary.ReadUvarint(handles)
		if err != nil {
			return err
		}
		t, ok := known[logpattern.Handle(h)]
		if !ok {
			t = miner.Template(logpattern.Handle(h))
			t.Text = strings.ToValidUTF8(t.Text, "\uFFFD")
			known[logpattern.Handle(h)] = t
		}
		row[0], row[1], row[2] = strconv.FormatInt(n+1, 10), t.ID, t.Text
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// writeTemplates writes a row for each template.
func writeTemplates(out io.Writer, miner *logpattern.Miner, examples []string, lines int64, output string, options export.Options, order string, limit int) error {
	options.Columns = []string{"id", "count", "share", "template", "example"}
	if output == "table" {
		options.Columns = []string{"id", "count", "share", "template"}
	}
	w, err := export.New(out, output, options)
	if err != nil {
		return err
	}
	example := map[string]string{}
	for h, line := range examples {
		if id := miner.Template(logpattern.Handle(h)).ID; example[id] == "" {
			example[id] = line
		}
	}
	for i, t := range sortTemplates(miner.Templates(), order) {
		if limit > 0 && i >= limit {
			break
		}
		err := w.Write([]event.Field{{Name: "id", Value: t.ID}, {Name: "count", Value: strconv.FormatInt(t.Count, 10)},
			{Name: "share", Value: fmt.Sprintf("%.2f%%", 100*float64(t.Count)/float64(max(lines, 1)))},
			{Name: "template", Value: t.Text}, {Name: "example", Value: example[t.ID]}})
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// sortTemplates sorts by count, or leaves templates as they came first or, for
// "last", the other way round.
func sortTemplates(ts []logpattern.Template, order string) []logpattern.Template {
	switch order {
	case "count":
		slices.SortStableFunc(ts, func(a, b logpattern.Template) int { return cmp.Compare(b.Count, a.Count) })
	case "rare":
		slices.SortStableFunc(ts, func(a, b logpattern.Template) int { return cmp.Compare(a.Count, b.Count) })
	case "first", "last":
		slices.Reverse(ts)
	}
	return ts
}
