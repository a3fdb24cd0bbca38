package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Splunk's HTTP Event Collector: events as JSON objects, one behind the other,
// and raw lines. An event's text is decoded as the log it is; what stands around
// it, host and source above all, goes along.
//
// Source: Splunk, "Format events for HTTP Event Collector", "HTTP Event
// Collector REST API endpoints".
var (
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector", Title: "Splunk HTTP Event Collector", Handler: newHEC})
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector/event", Title: "the same", Handler: newHEC})
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector/event/1.0", Title: "the same", Handler: newHEC})
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector/raw", Title: "the same, lines: ?host=&source=&sourcetype=", Handler: newHECRaw})
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector/raw/1.0", Title: "the same", Handler: newHECRaw})
	_ = registerEndpoint(Endpoint{Pattern: "OPTIONS /services/collector/event/1.0", Title: "the same; Docker's driver asks first", Open: true, Handler: newHECHealth})
	_ = registerEndpoint(Endpoint{Pattern: "POST /services/collector/ack", Title: "the same: acknowledgements", Handler: newHECAck})
	_ = registerEndpoint(Endpoint{Pattern: "GET /services/collector/health", Title: "the same: health", Open: true, Handler: newHECHealth})
	_ = registerEndpoint(Endpoint{Pattern: "GET /services/collector/health/1.0", Title: "the same", Open: true, Handler: newHECHealth})
)

// hecAcks numbers the answers: a sender that asks for acknowledgements tells
// its requests apart by them.
var hecAcks atomic.Int64

func hecAnswer(w http.ResponseWriter, status, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What is answered with an ackId is on disk; see newHECAck.
	if code == 0 {
		fmt.Fprintf(w, `{"text":%q,"code":0,"ackId":%d}`+"\n", text, hecAcks.Add(1)-1)
		return
	}
	fmt.Fprintf(w, `{"text":%q,"code":%d}`+"\n", text, code)
}

func newHECHealth(Sink, string, Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hecAnswer(w, http.StatusOK, 17, "HEC is healthy") })
}

// newHECAck answers that all that was answered before is indexed: an answer is
// only given when it is.
func newHECAck(Sink, string, Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ask struct{ Acks []int64 }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&ask); err != nil {
			hecAnswer(w, http.StatusBadRequest, 6, "Invalid data format")
			return
		}
		acks := map[string]bool{}
		for _, id := range ask.Acks {
			acks[strconv.FormatInt(id, 10)] = true
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"acks": acks})
	})
}

// hecEvent is one event with what stands around it.
type hecEvent struct {
	Time       json.RawMessage            `json:"time"`
	Host       string                     `json:"host"`
	Source     string                     `json:"source"`
	SourceType string                     `json:"sourcetype"`
	Index      string                     `json:"index"`
	Event      json.RawMessage            `json:"event"`
	Fields     map[string]json.RawMessage `json:"fields"`
}

var errHEC = errors.New("event field is required")

func newHEC(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			hecAnswer(w, bodyStatus(err), 6, err.Error())
			return
		}
		var g grouped
		dec := json.NewDecoder(bytes.NewReader(body))
		for n := 0; ; n++ {
			var e hecEvent
			if err = dec.Decode(&e); err == io.EOF {
				break
			}
			if err == nil && n >= maxRecords {
				err = errRecords
			}
			if err == nil && (len(e.Event) == 0 || string(e.Event) == "null" || string(e.Event) == `""`) {
				err = errHEC
			}
			if err != nil {
				o.Stats.Errors.Add(1)
				hecAnswer(w, http.StatusBadRequest, 6, fmt.Sprintf("event %d: %v", n, err))
				return
			}
			g.add(e.record())
		}
		hecKeep(w, r, sink, o, g.deliveries(newDelivery(r, name, "/services/collector", "")), body)
	})
}

func hecKeep(w http.ResponseWriter, r *http.Request, sink Sink, o Options, ds []*spool.Delivery, body []byte) {
	if len(ds) == 0 {
		hecAnswer(w, http.StatusBadRequest, 5, "No data")
		return
	}
	request := spool.KeyOf([]byte(ds[0].Peer), body)
	for i, d := range ds {
		d.Request = spool.KeyOf(request[:], []byte(strconv.Itoa(i)))
	}
	if err := deliver(r.Context(), sink, o.Stats, ds...); err != nil {
		o.Stats.Errors.Add(1)
		hecAnswer(w, http.StatusServiceUnavailable, 9, "Server is busy")
		return
	}
	hecAnswer(w, http.StatusOK, 0, "Success")
	if http.NewResponseController(w).Flush() == nil {
		for _, d := range ds {
			settle(sink, d.Request, body)
		}
	}
}

// record is the event's text or object; group tells which events are of one log.
func (e *hecEvent) record() (r spool.Record, path, format, group string) {
	var text string
	if json.Unmarshal(e.Event, &text) == nil {
		r.Data = []byte(text)
	} else {
		r.Data = oneLine(e.Event)
		format = "json"
	}
	r.Time = epochTime(strings.Trim(string(e.Time), `"`))
	if e.Host != "" {
		r.Fields = append(r.Fields, spool.Field{Name: "host.name", Value: e.Host})
	}
	for _, f := range []spool.Field{{Name: "splunk.sourcetype", Value: e.SourceType}, {Name: "splunk.index", Value: e.Index}} {
		if f.Value != "" {
			r.Fields = append(r.Fields, f)
		}
	}
	for name, v := range e.Fields {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		r.Fields = append(r.Fields, spool.Field{Name: "splunk.fields." + name, Value: text})
	}
	sortFields(r.Fields)
	return r, e.Source, format, e.Source + "\x00" + e.SourceType + "\x00" + format
}

func newHECRaw(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			o.Stats.Errors.Add(1)
			hecAnswer(w, bodyStatus(err), 6, err.Error())
			return
		}
		q := r.URL.Query()
		d := newDelivery(r, name, "/services/collector/raw", "")
		d.Path = q.Get("source")
		if d.Records = cutRecords(body); len(d.Records) > maxRecords {
			o.Stats.Errors.Add(1)
			hecAnswer(w, bodyStatus(errRecords), 6, errRecords.Error())
			return
		}
		for i := range d.Records {
			if host := q.Get("host"); host != "" {
				d.Records[i].Fields = []spool.Field{{Name: "host.name", Value: host}}
			}
		}
		if len(d.Records) == 0 {
			hecAnswer(w, http.StatusBadRequest, 5, "No data")
			return
		}
		hecKeep(w, r, sink, o, []*spool.Delivery{d}, body)
	})
}

// epochTime reads seconds since the epoch with a fraction, or milli-, micro- or
// nanoseconds, as ns; 0 for anything else.
func epochTime(s string) int64 {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	switch {
	case n < 1e11: // seconds, up to the year 5138
		if len(fraction) > 9 {
			fraction = fraction[:9]
		}
		f, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil || n > 9_000_000_000 {
			return 0
		}
		return n*1e9 + f
	case n < 1e14:
		if n > 9_000_000_000_000 {
			return 0
		}
		return n * 1e6
	case n < 1e17:
		if n > 9_000_000_000_000_000 {
			return 0
		}
		return n * 1e3
	}
	return n
}
