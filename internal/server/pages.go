package server

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
)

// The pages are plain HTML: a search, what was found, how collection is doing.

//go:embed pages.html.tmpl
var pagesText string

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{
	"ago": func(d time.Duration) string { return d.Round(time.Second).String() },
}).Parse(pagesText))

func loginPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, "login", map[string]any{"Failed": r.URL.Query().Has("failed")})
}

// root shows people the page, and greets agents that take us for Elasticsearch.
func (s *Server) root(g *guard, mux *http.ServeMux) http.Handler {
	page := g.want(Viewer, http.HandlerFunc(s.page))
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
	Time, Dataset, Host, Message string
	Fields                       []event.Field
}

// collecting is a collector as the page shows it.
type collecting struct {
	Name                  string
	Records, Lost, Errors int64
	Idle                  time.Duration
	Never                 bool
}

const pageRows = 200

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	q := strings.TrimSpace(r.FormValue("q"))
	data := map[string]any{"Who": whoIs(r), "Query": q, "Stats": s.o.Case.Stats()}
	shown := q
	if shown == "" {
		shown = "* | sort by (_time desc)"
	} else {
		s.audit.write(r, whoIs(r), "search", q)
	}
	var rows []pageRow
	err := s.o.Case.Store().QueryWith(r.Context(), shown, store.QueryOptions{Limit: pageRows}, func(row []event.Field) error {
		var p pageRow
		for _, f := range row {
			f.Name, f.Value = strings.Clone(f.Name), strings.Clone(f.Value)
			switch f.Name {
			case "_time":
				p.Time = f.Value
			case "_msg":
				p.Message = f.Value
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
	if inv, err := s.o.Case.Investigation(r.Context()); err == nil {
		data["Incidents"] = inv.Incidents
		data["Findings"] = len(inv.Findings)
	}
	var cs []collecting
	if s.o.Collectors != nil {
		s.o.Collectors(func(name string, c *collect.Stats) {
			last := c.Last.Load()
			cs = append(cs, collecting{Name: name, Records: c.Records.Load(), Lost: c.Lost.Load(), Errors: c.Errors.Load(),
				Idle: time.Since(time.Unix(0, last)), Never: last == 0})
		})
	}
	data["Collectors"] = cs
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, "page", data)
}

// report is the report of what is in the window now.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	inv, err := s.o.Case.Investigation(r.Context())
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
