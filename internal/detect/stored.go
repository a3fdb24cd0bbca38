package detect

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Stored turns a row of the store back into an event (see package store for
// the columns). What the store kept as text stays text; values that are JSON
// arrays of strings become several fields again. The strings are copies.
func Stored(row []event.Field) event.Event {
	e := event.Event{Time: event.NoTime}
	var message string
	untimed := false
	for _, f := range row {
		v := strings.Clone(f.Value)
		switch f.Name {
		case "_time":
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				e.Time = t.UnixNano()
			}
		case "sextant.time":
			untimed = true
		case "_msg":
			message = v
		case "event.id":
			e.ID = v
		case "event.original":
			e.Raw = v
		case "error.message":
			e.Err = v
		case "log.offset":
			e.Offset, _ = strconv.ParseInt(v, 10, 64)
		case "event.sequence":
			e.Sequence, _ = strconv.ParseInt(v, 10, 64)
		case "_stream", "_stream_id":
		default:
			name := strings.Clone(f.Name)
			var many []string
			if strings.HasPrefix(v, `["`) && json.Unmarshal([]byte(v), &many) == nil {
				for _, v := range many {
					e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
				}
				continue
			}
			e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
		}
	}
	if untimed {
		e.Time = event.NoTime
	}
	if e.Raw == "" {
		e.Raw = message
	} else {
		e.Fields = append(e.Fields, event.Field{Name: "message", Value: message})
	}
	return e
}
