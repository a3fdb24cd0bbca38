package server

import (
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/forward"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
)

// The pages are plain HTML: a search, what was found, how collection is doing.

//go:embed pages.html.tmpl
var pagesText string

//go:embed live.js
var liveScript []byte

func script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(liveScript)
}

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{
	"ago":        ago,
	"n":          prose.Number[int64],
	"shown":      export.Terminal, // what would turn text around, or hide, is shown instead
	"when":       func(t string) string { return strings.Replace(strings.TrimSuffix(first(t, 19), "Z"), "T", " ", 1) },
	"chartStyle": func() template.CSS { return chart.InlineStyle },
	"cited": func(ids []string) string { // a search for records
		var q []string
		for _, id := range ids[:min(len(ids), 50)] {
			q = append(q, strconv.Quote(id))
		}
		return "\"event.id\":in(" + strings.Join(q, ",") + ")"
	},
}).Parse(pagesText))

func loginPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, "login", map[string]any{"Title": "Log in", "Failed": r.URL.Query().Has("failed")})
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func first(s string, n int) string { return s[:min(len(s), n)] }

// root shows people the page, and greets agents that take us for Elasticsearch.
func (s *Server) root(g *guard, mux *http.ServeMux) http.Handler {
	page := g.want(Viewer, s.limited(s.page))
	var agents http.Handler
	for _, e := range collect.Endpoints() {
		if e.Pattern == "/" {
			agents = g.want(Ingest, e.Handler(s.o.Case, s.Name(), collect.Options{Log: s.o.Log, Stats: &s.stats}))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			page.ServeHTTP(w, r)
			return
		}
		agents.ServeHTTP(w, r)
	})
}

// pageRow is a record as the page shows it.
type pageRow struct {
	Stamped                      bool // it is a record, not a row of counts
	Time, Dataset, Host, Message string
	Fields                       []event.Field
}

// collecting is a collector as the page shows it.
type collecting struct {
	Name                          string
	Records, Lost, Errors, Behind int64
	Idle                          time.Duration
	Never                         bool
	Alone                         bool          // it has one sender, which is itself
	Lag                           time.Duration // then
	Peers                         []pipeline.SourceStats
}

// state is what of the page changes by itself.
func (s *Server) state(r *http.Request) map[string]any {
	st := s.o.Case.Stats()
	data := map[string]any{"Who": whoIs(r), "Stats": st, "Now": time.Now()}
	if inv := s.o.Case.Latest(); inv != nil {
		data["Incidents"], data["More"] = inv.Incidents[:min(len(inv.Incidents), pageIncidents)], max(0, len(inv.Incidents)-pageIncidents)
		data["Findings"] = len(inv.Findings)
	}
	var cs []collecting
	if s.o.Collectors != nil {
		s.o.Collectors(func(name string, c *collect.Stats) {
			last := c.Last.Load()
			one := collecting{Name: name, Records: c.Records.Load(), Lost: c.Lost.Load(), Errors: c.Errors.Load(), Behind: c.Behind.Load(),
				Idle: time.Since(time.Unix(0, last)), Never: last == 0}
			for _, src := range st.Sources {
				if rest, ok := strings.CutPrefix(src.Collector, name); ok && (rest == "" || rest[0] == '/') && len(one.Peers) < pagePeers {
					if src.Peer == "" && src.Path == "" && rest == "" { // nobody sends
						one.Alone, one.Lag = true, src.Lag
						continue
					}
					one.Peers = append(one.Peers, src)
				}
			}
			cs = append(cs, one)
		})
	}
	data["Collectors"] = cs
	var outs []sending
	if s.o.Outputs != nil {
		s.o.Outputs(func(name string, f *forward.Stats) {
			outs = append(outs, sending{name, f.Sent.Load(), f.Refused.Load(), f.Retries.Load()})
		})
	}
	data["Outputs"] = outs
	return data
}

// sending is an output as the page shows it.
type sending struct {
	Name                   string
	Sent, Refused, Retries int64
}

// now is the part of the page that changes.
func (s *Server) now(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = pages.ExecuteTemplate(w, "now", s.state(r))
}

const (
	pageIncidents = 100
	pagePeers     = 50
)

const pageRows = 200

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	q := strings.TrimSpace(r.FormValue("q"))
	data := s.state(r)
	data["Query"], data["Rate"], data["Page"] = q, rate(), "now"
	if q != "" {
		data["Title"], data["Page"] = "Search", "search"
	}
	shown, options := q, store.QueryOptions{Limit: pageRows}
	if shown == "" {
		// The newest of the last hour, and what is stamped with a time to come.
		shown, options.From = "* | sort by (_time desc) | limit "+strconv.Itoa(pageRows), time.Now().Add(-time.Hour).UnixNano()
	} else {
		s.audit.write(r, whoIs(r), "search", q)
	}
	var rows []pageRow
	err := s.o.Case.Store().QueryWith(r.Context(), shown, options, func(row []event.Field) error {
		var p pageRow
		for _, f := range row {
			f.Name, f.Value = strings.Clone(f.Name), strings.Clone(f.Value)
			switch f.Name {
			case "_time":
				p.Time = strings.Replace(strings.TrimSuffix(first(f.Value, 19), "Z"), "T", " ", 1)
			case "_msg":
				p.Message, p.Stamped = f.Value, true
			case "event.id":
				p.Stamped = true
			case "event.dataset":
				p.Dataset = f.Value
			case "host.name":
				p.Host = f.Value
			}
			p.Fields = append(p.Fields, f)
		}
		rows = append(rows, p)
		return nil
	})
	if err != nil {
		data["Error"] = err.Error()
	}
	data["Rows"] = rows
	data["Columns"], data["Cells"] = table(rows)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, "page", data)
}

// table is rows that are no records, such as counts, under the names of their
// fields; none if one is a record.
func table(rows []pageRow) (columns []string, cells [][]string) {
	at := map[string]int{}
	for _, r := range rows {
		if r.Stamped {
			return nil, nil
		}
		for _, f := range r.Fields {
			if _, ok := at[f.Name]; !ok {
				at[f.Name] = len(columns)
				columns = append(columns, f.Name)
			}
		}
	}
	for _, r := range rows {
		line := make([]string, len(columns))
		for _, f := range r.Fields {
			line[at[f.Name]] = f.Value
		}
		cells = append(cells, line)
	}
	return columns, cells
}

// report is the report of what is in the window now.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	inv, err := s.o.Case.Report(r.Context())
	if err == nil {
		var html []byte
		if html, err = report.HTML(inv); err == nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(html)
			return
		}
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
