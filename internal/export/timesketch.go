package export

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// timesketch writes rows as Timesketch imports them (its guide "Import from JSON
// or CSV"): JSON lines with message, datetime in ISO 8601, timestamp in
// microseconds since the epoch, timestamp_desc, tag, and all other columns.
type timesketch struct {
	w       *bufio.Writer
	options Options
	line    []byte
}

func newTimesketch(w io.Writer, options Options) *timesketch {
	return &timesketch{w: bufio.NewWriterSize(w, 64<<10), options: options}
}

func (t *timesketch) Write(row []event.Field) error {
	var at, message, id, dataset, action string
	made := false
	for _, f := range row {
		switch f.Name {
		case "_time":
			at = f.Value
		case "_msg":
			message = f.Value
		case "event.id":
			id = f.Value
		case "event.dataset":
			dataset = f.Value
		case "event.action":
			action = f.Value
		case "sextant.time":
			made = f.Value != ""
		}
	}
	when, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		when = time.Unix(0, 0).UTC()
		made = true
	}
	what := strings.TrimSpace(dataset + " " + action)
	switch {
	case made:
		what = "Time unknown; last change of the file"
	case what == "":
		what = "Event Logged"
	}
	if message == "" {
		message = what // the field must be there
	}
	t.line = append(t.line[:0], `{"datetime":`...)
	t.line = event.AppendQuoted(t.line, when.Format("2006-01-02T15:04:05.000000-07:00"))
	t.line = append(append(t.line, `,"timestamp":`...), strconv.FormatInt(when.UnixMicro(), 10)...)
	t.line = event.AppendQuoted(append(t.line, `,"timestamp_desc":`...), what)
	t.line = event.AppendQuoted(append(t.line, `,"message":`...), message)
	if t.options.Tags != nil {
		if tags := t.options.Tags(id); len(tags) > 0 {
			t.line = append(t.line, `,"tag":[`...)
			for i, tag := range tags {
				if i > 0 {
					t.line = append(t.line, ',')
				}
				t.line = event.AppendQuoted(t.line, tag)
			}
			t.line = append(t.line, ']')
		}
	}
	for _, f := range row {
		switch f.Name {
		case "_time", "_msg", "_stream", "_stream_id", "datetime", "timestamp", "timestamp_desc", "message", "tag", "":
			continue
		}
		if f.Value != "" {
			t.line = append(event.AppendQuoted(append(t.line, ','), f.Name), ':')
			t.line = event.AppendQuoted(t.line, f.Value)
		}
	}
	t.line = append(t.line, "}\n"...)
	_, err = t.w.Write(t.line)
	return err
}

func (t *timesketch) Close() error   { return t.w.Flush() }
func (t *timesketch) Discard() error { return t.w.Flush() }

// tagged adds the tags of a record to its row as the column sextant.tags.
type tagged struct {
	Writer
	tags func(id string) []string
	row  []event.Field
}

func (t *tagged) Write(row []event.Field) error {
	for _, f := range row {
		if f.Name != "event.id" {
			continue
		}
		if tags := t.tags(f.Value); len(tags) > 0 {
			list := []byte{'['}
			for i, tag := range tags {
				if i > 0 {
					list = append(list, ',')
				}
				list = event.AppendQuoted(list, tag)
			}
			t.row = append(t.row[:0], row...)
			// In the order of the store's rows, by name.
			at := len(t.row)
			for at > 0 && compareColumns(t.row[at-1].Name, "sextant.tags") > 0 {
				at--
			}
			t.row = append(t.row, event.Field{})
			copy(t.row[at+1:], t.row[at:])
			t.row[at] = event.Field{Name: "sextant.tags", Value: string(append(list, ']'))}
			return t.Writer.Write(t.row)
		}
	}
	return t.Writer.Write(row)
}
