package export

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// jsonl writes a JSON object a line (jsonlines.org).
type jsonl struct {
	w       *bufio.Writer
	options Options
	line    []byte
	fields  []event.Field
}

func newJSONL(w io.Writer, options Options) *jsonl {
	return &jsonl{w: bufio.NewWriterSize(w, 64<<10), options: options}
}

func (j *jsonl) Write(row []event.Field) error {
	if j.options.Columns != nil {
		row = j.only(row)
	}
	if j.options.Nested {
		j.fields = appendECS(j.fields[:0], row)
		j.line = event.AppendFieldsJSON(j.line[:0], j.fields)
	} else {
		j.line = append(j.line[:0], '{')
		for i := range row {
			if row[i].Value == "" { // the store knows no empty values
				continue
			}
			if len(j.line) > 1 {
				j.line = append(j.line, ',')
			}
			j.line = append(event.AppendQuoted(j.line, row[i].Name), ':')
			j.line = event.AppendQuoted(j.line, row[i].Value)
		}
		j.line = append(j.line, '}')
	}
	j.line = append(j.line, '\n')
	_, err := j.w.Write(j.line)
	return err
}

func (j *jsonl) only(row []event.Field) []event.Field {
	var out []event.Field
	for _, name := range j.options.Columns {
		for i := range row {
			if row[i].Name == name {
				out = append(out, row[i])
			}
		}
	}
	return out
}

func (j *jsonl) Discard() error { return j.w.Flush() }

func (j *jsonl) Close() error { return j.w.Flush() }

// AppendDocument appends a row of the store as a nested ECS document.
func AppendDocument(dst []byte, row []event.Field) []byte {
	return event.AppendFieldsJSON(dst, appendECS(make([]event.Field, 0, len(row)), row))
}

// appendECS appends a row's columns as the fields of an ECS document: the
// store's names for time and message as ECS has them, arrays of texts taken
// apart, and numbers where ECS has numbers.
func appendECS(dst, row []event.Field) []event.Field {
	for _, f := range row {
		if f.Value == "" {
			continue
		}
		switch f.Name {
		case "_time":
			f.Name = "@timestamp"
		case "_msg":
			f.Name = "message"
		case "event.original", "error.message":
		case "_stream", "_stream_id":
			continue // the engine's own
		default:
			if values, ok := texts(f.Value); ok {
				for _, v := range values {
					dst = append(dst, event.Field{Name: f.Name, Value: v})
				}
				continue
			}
			if numeric(f.Name) && isNumber(f.Value) && len(f.Value) <= 18 {
				f.Kind = event.Number
			}
		}
		dst = append(dst, event.Field{Name: f.Name, Value: f.Value, Kind: f.Kind})
	}
	return dst
}

// texts takes a JSON array of strings apart, which is how the store holds a
// field with several values.
func texts(value string) (list []string, ok bool) {
	if !strings.HasPrefix(value, `["`) || !strings.HasSuffix(value, `"]`) {
		return nil, false
	}
	err := json.Unmarshal([]byte(value), &list)
	return list, err == nil && len(list) > 0
}

// numeric reports whether ECS defines fields of that last name as numbers.
func numeric(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "port", "bytes", "packets", "pid", "ppid", "pgid", "status_code", "offset", "sequence", "duration",
		"severity", "risk_score", "size", "exit_code", "ttl", "number", "lat", "lon", "priority", "uptime":
		return true
	}
	return false
}
