package collect

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// Lines over HTTP: JSON documents or any other text, one record a line, or a
// JSON array. With an Idempotency-Key header a repeated request is taken once.
var (
	_ = registerEndpoint(Endpoint{Pattern: "POST /insert/jsonline", Title: "JSON lines, or lines of any known format", Handler: newLines})
	_ = registerEndpoint(Endpoint{Pattern: "POST /ingest", Title: "the same; Logstash's http output with format json, json_batch or message", Handler: newLines})
	_ = registerEndpoint(Endpoint{Pattern: "PUT /ingest", Title: "the same", Handler: newLines})
	_ = registerEndpoint(Endpoint{Pattern: "/ingest/form", Title: "one record as a form: Python's logging.handlers.HTTPHandler", Handler: newForm})
)

func newLines(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			http.Error(w, err.Error(), bodyStatus(err))
			return
		}
		d := newDelivery(r, name, r.URL.Path, r.URL.Query().Get("format"))
		if d.Records = cutRecords(body); len(d.Records) > maxRecords {
			o.Stats.Errors.Add(1)
			http.Error(w, errRecords.Error(), bodyStatus(errRecords))
			return
		}
		if key := r.Header.Get("Idempotency-Key"); key != "" {
			d.Request = spool.KeyOf([]byte(d.Peer), []byte(key), body)
		} else if finelyTimed(body) {
			d.Request = spool.KeyOf([]byte(d.Peer), body)
		}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			refuse(w, o, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		if http.NewResponseController(w).Flush() == nil {
			settle(sink, d.Request, body)
		}
	})
}

// newForm takes a record whose fields are those of a form or a query, named as
// Python's LogRecord attributes are where it has them.
func newForm(sink Sink, name string, o Options) http.Handler {
	names := map[string]string{"msg": "message", "levelname": "log.level", "name": "log.logger", "filename": "log.origin.file.name",
		"lineno": "log.origin.file.line", "funcName": "log.origin.function", "process": "process.pid", "processName": "process.name", "threadName": "process.thread.name"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil || len(r.Form) == 0 {
			o.Stats.Errors.Add(1)
			http.Error(w, "want a form with the record's fields", http.StatusBadRequest)
			return
		}
		var b event.Batch
		b.Begin(0, "")
		for _, key := range slices.Sorted(maps.Keys(r.Form)) {
			for _, v := range r.Form[key] {
				switch ecs := names[key]; {
				case key == "created" && epochTime(v) != 0:
					b.Add("@timestamp", time.Unix(0, epochTime(v)).UTC().Format(time.RFC3339Nano))
				case ecs == "log.level":
					b.Add(ecs, strings.ToLower(v))
				case ecs != "":
					b.Add(ecs, v)
				default:
					b.Add("labels."+key, v)
				}
			}
		}
		b.Add("ecs.version", "8.11.0")
		d := newDelivery(r, name, "/ingest/form", "json")
		d.Records = []spool.Record{{Data: event.AppendFieldsJSON(nil, b.Event().Fields), Time: d.Received}}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			refuse(w, o, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// cutRecords cuts a body into lines or, where it is a JSON array, its elements.
func cutRecords(body []byte) []spool.Record {
	if b := bytes.TrimSpace(body); len(b) > 1 && b[0] == '[' && b[len(b)-1] == ']' {
		if records, ok := cutArray(b); ok {
			return records
		}
	}
	var records []spool.Record
	for line := range bytes.Lines(body) {
		if len(records) > maxRecords {
			break
		}
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) > 0 {
			records = append(records, spool.Record{Data: line})
		}
	}
	return records
}

// cutArray cuts a JSON array of objects into these, without checking them.
func cutArray(b []byte) ([]spool.Record, bool) {
	var records []spool.Record
	depth, start, quoted := 0, -1, false
	for i := 0; i < len(b); i++ {
		c := b[i]
		if quoted {
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			if depth++; depth == 2 {
				if c != '{' {
					return nil, false
				}
				start = i
			}
		case '}', ']':
			if depth--; depth == 1 {
				if records = append(records, spool.Record{Data: b[start : i+1 : i+1]}); len(records) > maxRecords {
					return records, true
				}
			}
			if depth < 0 {
				return nil, false
			}
		}
	}
	return records, depth == 0 && len(records) > 0
}
