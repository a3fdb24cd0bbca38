package server

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/forward"
)

// ready says whether senders should be led here: not while they would wait.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if st := s.o.Case.Stats(); st.Full {
		http.Error(w, fmt.Sprintf("not ready: %d bytes wait to be stored, senders wait", st.Spool.Backlog), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// metrics writes the Prometheus text format.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	st := s.o.Case.Stats()
	m := metricWriter{w: w}
	m.put("records_stored_total", "records stored since the start", st.Records)
	m.put("records_undecoded_total", "of them, kept as text", st.Undecoded)
	m.put("spool_records_total", "records taken, safe on disk", st.Spool.Records)
	m.put("spool_duplicates_total", "records left out because they were there", st.Spool.Duplicates)
	m.put("spool_bytes_total", "bytes written to the spool", st.Spool.Bytes)
	m.put("spool_syncs_total", "times the spool was synced to disk", st.Spool.Syncs)
	m.put("spool_backlog_bytes", "bytes that the store does not have for good", st.Spool.Backlog)
	full := 0
	if st.Spool.DiskFull {
		full = 1
	}
	m.put("spool_disk_full", "1 while the disk is nearly full and senders wait", full)
	m.put("store_lag_seconds", "from arrival to storing, of the last record", st.Lag.Seconds())
	m.put("findings", "findings of the window", st.Findings)
	if inv := s.o.Case.Latest(); inv != nil {
		m.put("incidents", "incidents of the window", len(inv.Incidents))
	}
	for _, src := range st.Sources {
		labels := []string{"collector", src.Collector, "peer", src.Peer}
		if src.Path != "" {
			labels = append(labels, "path", src.Path)
		}
		m.put("source_records_total", "records stored, by who sent them", src.Records, labels...)
		m.put("source_undecoded_total", "of them, kept as text", src.Undecoded, labels...)
		m.put("source_lag_seconds", "from arrival to storing, of the last record", src.Lag.Seconds(), labels...)
		m.put("source_idle_seconds", "since the last record came", time.Since(src.Last).Seconds(), labels...)
		if src.Allowed > 0 {
			silent := 0
			if src.Silent {
				silent = 1
			}
			m.put("source_silent", "1 while it pauses longer than it would", silent, labels...)
			m.put("source_allowed_idle_seconds", "idle time from which on it would be silent at this hour, by its pauses of a week or two", src.Allowed.Seconds(), labels...)
		}
		if !src.Event.IsZero() {
			m.put("source_event_delay_seconds", "by how much the last record's own time is behind its arrival", src.Last.Sub(src.Event).Seconds(), labels...)
		}
	}
	if s.o.Outputs != nil {
		s.o.Outputs(func(name string, f *forward.Stats) {
			m.put("output_sent_total", "events that a receiver has", f.Sent.Load(), "output", name)
			m.put("output_known_total", "of them, those that it had already", f.Known.Load(), "output", name)
			m.put("output_refused_total", "events that a receiver will never take", f.Refused.Load(), "output", name)
			m.put("output_retries_total", "tries that failed", f.Retries.Load(), "output", name)
			m.put("output_waiting_segments", "parts of the case that are not all sent", f.Waiting.Load(), "output", name)
		})
	}
	if s.o.Collectors != nil {
		s.o.Collectors(func(name string, c *collect.Stats) {
			m.put("collector_records_total", "records taken", c.Records.Load(), "collector", name)
			m.put("collector_bytes_total", "bytes of them", c.Bytes.Load(), "collector", name)
			m.put("collector_deliveries_total", "deliveries taken", c.Deliveries.Load(), "collector", name)
			m.put("collector_errors_total", "deliveries refused, broken frames, failed connections", c.Errors.Load(), "collector", name)
			m.put("collector_cut_total", "records longer than may be kept", c.Cut.Load(), "collector", name)
			m.put("collector_lost_total", "datagrams the kernel dropped because they came too fast", c.Lost.Load(), "collector", name)
			m.put("collector_connections", "connections open, files followed", c.Connections.Load(), "collector", name)
			m.put("collector_behind_bytes", "bytes of followed files not read yet", c.Behind.Load(), "collector", name)
			if last := c.Last.Load(); last != 0 {
				m.put("collector_idle_seconds", "since the last delivery", time.Since(time.Unix(0, last)).Seconds(), "collector", name)
			}
		})
	}
	m.flush()
}

// metricWriter gathers the samples of each metric, which must stand together.
type metricWriter struct {
	w     http.ResponseWriter
	order []string
	text  map[string]*strings.Builder
}

var labelEscaper = strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "\n", "\\n")

func (m *metricWriter) put(name, help string, value any, labels ...string) {
	if m.text == nil {
		m.text = map[string]*strings.Builder{}
	}
	b := m.text[name]
	if b == nil {
		b = &strings.Builder{}
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		fmt.Fprintf(b, "# HELP sextant_%s %s\n# TYPE sextant_%s %s\n", name, help, name, kind)
		m.text[name] = b
		m.order = append(m.order, name)
	}
	b.WriteString("sextant_" + name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(b, "%s%s=\"%s\"", sep, labels[i], labelEscaper.Replace(strings.ToValidUTF8(labels[i+1], "?")))
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	fmt.Fprintf(b, " %v\n", value)
}

func (m *metricWriter) flush() {
	for _, name := range m.order {
		fmt.Fprint(m.w, m.text[name].String())
	}
}
