package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// As much of Elasticsearch's HTTP interface as what sends logs to it needs:
// the bulk interface, the greeting with the version, and yes to the questions
// about licence, templates, lifecycle policies and pipelines that agents ask
// before they begin. Nothing is indexed under those names: an index is only
// remembered as a field of its documents.
//
// Source: Elasticsearch's REST reference, "Bulk API", "Root API", "License API".
//
// It has all paths that nobody else has: an index may have any name.
var _ = registerEndpoint(Endpoint{Pattern: "/", Title: "Elasticsearch: /_bulk, /INDEX/_bulk, /INDEX/_doc as Filebeat, Winlogbeat, Logstash, Fluent Bit, Vector and rsyslog use them", Handler: newElasticsearch})

// elasticAnswers are for what agents ask before they send, by the first part of
// the path.
var elasticAnswers = map[string]string{
	"_license":            `{"license":{"uid":"00000000-0000-0000-0000-000000000000","type":"basic","status":"active","mode":"basic"}}`,
	"_xpack":              `{"build":{},"license":{"uid":"0","type":"basic","mode":"basic","status":"active"},"features":{"ilm":{"available":true,"enabled":true}},"tagline":"Sextant"}`,
	"_cluster":            `{"cluster_name":"sextant","status":"green","timed_out":false,"number_of_nodes":1}`,
	"_nodes":              `{"cluster_name":"sextant","nodes":{}}`,
	"_cat":                `[]`,
	"_ilm":                `{"acknowledged":true}`,
	"_index_template":     `{"acknowledged":true,"index_templates":[]}`,
	"_component_template": `{"acknowledged":true,"component_templates":[]}`,
	"_template":           `{"acknowledged":true}`,
	"_ingest":             `{"acknowledged":true}`,
	"_data_stream":        `{"acknowledged":true,"data_streams":[]}`,
	"_alias":              `{}`,
	"_security":           `{"acknowledged":true}`,
}

func newElasticsearch(sink Sink, name string, o Options) http.Handler {
	bulk, document := newBulk(sink, name, o), newDocument(sink, name, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		last := parts[len(parts)-1]
		sends := r.Method == http.MethodPost || r.Method == http.MethodPut
		switch {
		case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			greeting(w)
		case sends && last == "_bulk" && len(parts) <= 3:
			if len(parts) > 1 {
				r.SetPathValue("index", parts[0])
			}
			bulk.ServeHTTP(w, r)
		case sends && len(parts) >= 2 && len(parts) <= 3 && (parts[1] == "_doc" || parts[1] == "_create") && !strings.HasPrefix(parts[0], "_"):
			r.SetPathValue("index", parts[0])
			if len(parts) == 3 {
				r.SetPathValue("id", parts[2])
			}
			document.ServeHTTP(w, r)
		case elasticAnswers[parts[0]] != "":
			elastic(w)
			if r.Method != http.MethodHead {
				fmt.Fprintln(w, elasticAnswers[parts[0]])
			}
		default:
			elastic(w)
			elasticError(w, http.StatusNotFound, "resource_not_found_exception", "nothing is at "+r.URL.Path)
		}
	})
}

// elasticsearchVersion is the version that agents are told: they refuse to
// send to one older than they are.
const elasticsearchVersion = "8.17.0"

// greeting answers GET / to a client of Elasticsearch.
func greeting(w http.ResponseWriter) {
	elastic(w)
	fmt.Fprintf(w, `{"name":"sextant","cluster_name":"sextant","cluster_uuid":"c2V4dGFudC1zZXh0YW50LQ","version":{"number":%q,"build_flavor":"default","build_type":"tar","build_hash":"0","build_date":"2025-01-01T00:00:00Z","build_snapshot":false,"lucene_version":"9.12.0","minimum_wire_compatibility_version":"7.17.0","minimum_index_compatibility_version":"7.0.0"},"tagline":"You Know, for Search"}`+"\n", elasticsearchVersion)
}

// elastic sets the header without which Elastic's clients hang up.
func elastic(w http.ResponseWriter) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
}

func newBulk(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elastic(w)
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			elasticError(w, bodyStatus(err), "parse_exception", err.Error())
			return
		}
		d := newDelivery(r, name, "/_bulk", "json")
		items, err := bulkItems(body, r.PathValue("index"))
		if err != nil {
			o.Stats.Errors.Add(1)
			elasticError(w, http.StatusBadRequest, "illegal_argument_exception", err.Error())
			return
		}
		for _, it := range items {
			if it.status == http.StatusCreated {
				d.Records = append(d.Records, spool.Record{Data: it.doc, Key: it.key})
			}
		}
		if unkeyed(d.Records) {
			d.Request = spool.KeyOf([]byte(d.Peer), body)
		}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			o.Stats.Errors.Add(1)
			w.Header().Set("Retry-After", "2")
			elasticError(w, http.StatusTooManyRequests, "es_rejected_execution_exception", err.Error())
			return
		}
		w.Write(bulkAnswer(items))
		if http.NewResponseController(w).Flush() == nil {
			settle(sink, d.Request, body)
		}
	})
}

func elasticError(w http.ResponseWriter, status int, kind, reason string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "error": map[string]any{"type": kind, "reason": reason}})
}

// bulkItem is one action of a bulk request and what came of it.
type bulkItem struct {
	action, index, id string
	doc               []byte
	key               spool.Key
	status            int
	reason            string
}

type bulkMeta struct {
	Index string          `json:"_index"`
	ID    json.RawMessage `json:"_id"`
}

// bulkItems reads the pairs of action and document (NDJSON).
func bulkItems(body []byte, index string) ([]bulkItem, error) {
	var items []bulkItem
	k := keyers.Get().(*keyer)
	defer keyers.Put(k)
	next := func() []byte {
		for len(body) > 0 {
			var line []byte
			if i := bytes.IndexByte(body, '\n'); i >= 0 {
				line, body = body[:i], body[i+1:]
			} else {
				line, body = body, nil
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return line[:len(line):len(line)]
			}
		}
		return nil
	}
	for number := 1; ; number++ {
		if number > maxRecords {
			return nil, errRecords
		}
		line := next()
		if line == nil {
			return items, nil
		}
		var action map[string]bulkMeta
		if err := json.Unmarshal(line, &action); err != nil || len(action) != 1 {
			return nil, fmt.Errorf("action %d: want {\"index\":{…}} or the like, got %.60q", number, line)
		}
		for name, meta := range action {
			it := bulkItem{action: name, index: meta.Index, status: http.StatusCreated, id: strings.Trim(string(meta.ID), `"`)}
			if it.index == "" {
				it.index = index
			}
			switch name {
			case "index", "create":
				if it.doc = next(); it.doc == nil {
					return nil, fmt.Errorf("action %d: its document is missing", number)
				}
				if it.doc[0] != '{' {
					it.status, it.reason = http.StatusBadRequest, "the document is no JSON object"
				} else if it.id != "" && it.id != "null" {
					it.key = spool.KeyOf([]byte("es"), []byte(it.index), []byte(it.id))
				} else {
					it.key = k.key(it.doc)
				}
			case "update":
				next()
				it.status, it.reason = http.StatusBadRequest, "records are only added, never changed"
			case "delete":
				it.status, it.reason = http.StatusBadRequest, "records are only added, never removed"
			default:
				return nil, fmt.Errorf("action %d: %q is none", number, name)
			}
			items = append(items, it)
		}
	}
}

func bulkAnswer(items []bulkItem) []byte {
	failed := false
	out := []byte(`,"items":[`)
	for i, it := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(event.AppendQuoted(append(out, '{'), it.action), `:{"_index":`...)
		out = append(event.AppendQuoted(out, it.index), `,"_id":`...)
		id := it.id
		if id == "" {
			id = strconv.Itoa(i)
		}
		out = append(event.AppendQuoted(out, id), `,"status":`...)
		out = strconv.AppendInt(out, int64(it.status), 10)
		if it.reason != "" {
			failed = true
			out = append(event.AppendQuoted(append(out, `,"error":{"type":"illegal_argument_exception","reason":`...), it.reason), '}')
		} else {
			out = append(out, `,"result":"created","_version":1,"_shards":{"total":1,"successful":1,"failed":0}`...)
		}
		out = append(out, "}}"...)
	}
	return append(append([]byte(`{"took":1,"errors":`+strconv.FormatBool(failed)), out...), "]}\n"...)
}

func newDocument(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elastic(w)
		body, err := readBody(w, r)
		if err == nil && (len(bytes.TrimSpace(body)) == 0 || bytes.TrimSpace(body)[0] != '{') {
			err = fmt.Errorf("%w: no JSON object", errBody)
		}
		if err != nil {
			o.Stats.Errors.Add(1)
			elasticError(w, bodyStatus(err), "parse_exception", err.Error())
			return
		}
		d := newDelivery(r, name, "/_doc", "json")
		rec := spool.Record{Data: oneLine(body)}
		id := r.PathValue("id")
		if id != "" {
			rec.Key = spool.KeyOf([]byte("es"), []byte(r.PathValue("index")), []byte(id))
		}
		d.Records = []spool.Record{rec}
		if err := deliver(r.Context(), sink, o.Stats, d); err != nil {
			elasticError(w, http.StatusTooManyRequests, "es_rejected_execution_exception", err.Error())
			return
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"_index": r.PathValue("index"), "_id": id, "result": "created", "_version": 1})
	})
}

// oneLine puts a JSON document on one line; what is none stays as it is.
func oneLine(doc []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return doc
	}
	return b.Bytes()
}
