package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/plot"
	"github.com/sextant-logs/sextant/internal/store"
)

// The charts are those of `sextant chart`, drawn by the server: an overview of
// what is stored, and any that a form asks for.

// chartForm is what of a chart, or of the overview, a person asked for.
type chartForm struct {
	Kind, By, Value, X, Top, Step string
	Where, From, To, Last         string
	Part                          string // of the overview; empty for all of it

	key string
}

func chartFormOf(r *http.Request) chartForm {
	v := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	f := chartForm{Kind: v("kind"), By: v("by"), Value: v("value"), X: v("x"), Top: v("top"), Step: v("step"), Where: v("q"), From: v("from"), To: v("to"), Last: v("last"), Part: v("part")}
	return f.keyed()
}

// usual reports whether no time was asked for.
func (f chartForm) usual() bool { return f.Last == "" && f.From == "" && f.To == "" }

func (f chartForm) keyed() chartForm {
	q := url.Values{}
	for _, p := range [][2]string{{"kind", f.Kind}, {"by", f.By}, {"value", f.Value}, {"x", f.X}, {"top", f.Top}, {"step", f.Step}, {"q", f.Where}, {"from", f.From}, {"to", f.To}, {"last", f.Last}, {"part", f.Part}} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	f.key = q.Encode()
	return f
}

// With is the query string of the same form with one thing changed.
func (f chartForm) With(name, value string) string {
	q, _ := url.ParseQuery(f.key)
	q.Set(name, value)
	return "?" + q.Encode()
}

// Encoded is the form as a query string.
func (f chartForm) Encoded() string { return "?" + f.key }

// lasts are the windows of time that are offered.
var lasts = []struct {
	Value, Name string
	Length      time.Duration // 0 for all
}{{"1h", "the last hour", time.Hour}, {"24h", "the last 24 hours", 24 * time.Hour}, {"7d", "the last 7 days", 7 * 24 * time.Hour}, {"30d", "the last 30 days", 30 * 24 * time.Hour}, {"all", "all times", 0}}

// formTime reads a time as the form's hint writes it.
func formTime(name, s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, plot.Wrong(fmt.Sprintf("%s: want a time such as 2026-03-01 or 2026-03-01T12:00:00Z", name))
}

// query is the LogsQL of the records that are meant, and how long a time they span; 0 for any.
func (f *chartForm) query(now time.Time) (string, time.Duration, error) {
	var conditions []string
	var span time.Duration
	from, to := time.Time{}, now
	var err error
	for _, l := range lasts {
		if l.Value == f.Last && l.Length > 0 && f.From == "" {
			from = now.Add(-l.Length)
		}
	}
	if f.From != "" {
		if from, err = formTime("from", f.From); err != nil {
			return "", 0, err
		}
	}
	if f.To != "" {
		if to, err = formTime("before", f.To); err != nil {
			return "", 0, err
		}
		conditions = append(conditions, "_time:<"+to.UTC().Format(time.RFC3339Nano))
	}
	if !from.IsZero() {
		if !from.Before(to) {
			return "", 0, plot.Wrong("from: it is not before the end")
		}
		conditions = append(conditions, "_time:>="+from.UTC().Format(time.RFC3339Nano))
		span = to.Sub(from)
	}
	if len(conditions) == 0 {
		conditions = []string{"*"}
	}
	q, err := store.Narrowed(f.Where, strings.Join(conditions, " "))
	return q, span, err
}

// requests are the charts of a form: the one it names, or the overview.
func (f *chartForm) requests(now time.Time) ([][]plot.Request, error) {
	q, span, err := f.query(now)
	if err != nil {
		return nil, err
	}
	r := plot.Request{Kind: f.Kind, Query: q, Value: f.Value, X: f.X}
	for name := range strings.SplitSeq(f.By, ",") {
		if name = strings.TrimSpace(name); name != "" {
			r.By = append(r.By, name)
		}
	}
	if f.Top != "" {
		if r.Top, err = strconv.Atoi(f.Top); err != nil {
			return nil, plot.Wrong("top: want a number")
		}
	}
	if f.Step != "" {
		if r.Step, err = time.ParseDuration(f.Step); err != nil {
			return nil, plot.Wrong("step: want a length such as 15m or 1h")
		}
	}
	if f.Kind != "" {
		return [][]plot.Request{{r}}, r.Check()
	}
	over := func(kind string, by ...string) plot.Request {
		return plot.Request{Kind: kind, Query: q, By: by}
	}
	var all [][]plot.Request
	for _, p := range parts {
		if f.Part != "" && f.Part != p.name || span > 0 && span < p.least {
			continue
		}
		var panels []plot.Request
		for _, by := range p.by {
			b := over(p.kind, by...)
			if p.kind == "bar" {
				b.Top = 10
			}
			if p.kind == "area" && f.By != "" {
				b.By = r.By
			}
			panels = append(panels, b)
		}
		all = append(all, panels)
	}
	return all, nil
}

// parts are those of the overview.
var parts = []struct {
	name, said string
	kind       string
	by         [][]string    // of each panel
	least      time.Duration // shown of a time as long as this, or of all
}{
	{"time", "Records over time", "area", [][]string{{"event.dataset"}}, 0},
	{"hours", "Records by weekday and hour", "heatmap", [][]string{nil}, 48 * time.Hour},
	{"days", "Records by day", "calendar", [][]string{nil}, 14 * 24 * time.Hour},
	{"most", "The most frequent accounts, addresses, hosts and actions", "bar", [][]string{{"user.name"}, {"source.ip"}, {"host.name"}, {"event.action"}}, 0},
	{"graph", "Who occurs together", "graph", [][]string{nil}, 0},
}

// rate is the chart on the first page.
func rate() chartForm {
	return chartForm{Kind: "area", By: "event.dataset"}.keyed()
}

// drawn is what was drawn of a form, and until when it is shown.
type drawn struct {
	html  template.HTML
	until time.Time
}

const (
	maxDrawn  = 32
	leastKept = 4 * time.Second
)

// charts draws what a form asks for. What was drawn a moment ago is shown again,
// the longer the more work it was, so that pages that ask again and again cost
// little.
func (s *Server) charts(ctx context.Context, f chartForm) (template.HTML, error) {
	now := time.Now()
	s.drawnLock.Lock()
	d, ok := s.drawn[f.key]
	s.drawnLock.Unlock()
	if ok && now.Before(d.until) {
		return d.html, nil
	}
	var b bytes.Buffer
	if f.usual() {
		f.Last = "24h"
		if f.key == rate().key {
			f.Last = "1h"
		}
		if recent, err := s.any(ctx, f, now); err != nil {
			return "", err
		} else if !recent {
			if f.Part == "" || f.Part == parts[0].name {
				fmt.Fprintf(&b, "<p class=\"dim\">No record is of %s; these are of all times.</p>\n", lastName(f.Last))
			}
			f.Last = "all"
		}
	}
	requests, err := f.requests(now.UTC())
	if err != nil {
		return "", err
	}
	for i, panels := range requests {
		var fig chart.Figure
		for _, r := range panels {
			c, err := plot.Draw(ctx, s.o.Case.Store(), r)
			if err != nil {
				return "", err
			}
			fig.Panels = append(fig.Panels, c)
		}
		if err := chart.Inline(&b, fig, chart.Options{Width: 1180, Theme: chart.Auto, ID: "c" + f.Part + strconv.Itoa(i)}); err != nil {
			return "", err
		}
	}
	html := template.HTML(b.String())
	s.drawnLock.Lock()
	defer s.drawnLock.Unlock()
	if s.drawn == nil || len(s.drawn) >= maxDrawn {
		s.drawn = map[string]drawn{}
	}
	s.drawn[f.key] = drawn{html, time.Now().Add(max(leastKept, 5*time.Since(now)))}
	return html, nil
}

// any reports whether a record is of the form's time.
func (s *Server) any(ctx context.Context, f chartForm, now time.Time) (found bool, err error) {
	q, _, err := f.query(now.UTC())
	if err == nil {
		err = s.o.Case.Store().QueryWith(ctx, q, store.QueryOptions{Limit: 1, Unsorted: true}, func([]event.Field) error {
			found = true
			return nil
		})
	}
	return found, err
}

func lastName(value string) string {
	for _, l := range lasts {
		if l.Value == value {
			return l.Name
		}
	}
	return value
}

// said is an error as the page shows it: what a person asked wrongly, in words of the form.
func said(err error) string {
	var w plot.Wrong
	if errors.As(err, &w) {
		return strings.ReplaceAll(err.Error(), "--", "")
	}
	return err.Error()
}

// pagePart is a part of the page of charts.
type pagePart struct {
	Name   string
	Form   chartForm
	Wait   bool // it is not drawn yet: the page asks for it
	Charts template.HTML
}

// soon is how long a page of charts is drawn before it is shown as far as it is.
const soon = time.Second

// chartPage is the overview, or the chart that the form asks for. What takes
// longer to count than soon comes after the page.
func (s *Server) chartPage(w http.ResponseWriter, r *http.Request) {
	f := chartFormOf(r)
	data := map[string]any{"Title": "Charts", "Page": "charts", "Who": whoIs(r), "Form": f, "Kinds": plot.Kinds, "Lasts": lasts}
	var all, shown []pagePart
	if f.Kind != "" {
		s.audit.write(r, whoIs(r), "chart", f.key)
		all = []pagePart{{Name: "Chart: " + f.Kind, Form: f}}
	} else {
		for _, p := range parts {
			of := f
			of.Part = p.name
			all = append(all, pagePart{Name: p.said, Form: of.keyed()})
		}
	}
	ctx := r.Context()
	if !r.Form.Has("whole") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, soon)
		defer cancel()
	}
	for _, p := range all {
		var err error
		if p.Charts, err = s.charts(ctx, p.Form); err != nil && ctx.Err() != nil {
			p.Wait, data["Waits"] = true, true
		} else if err != nil {
			data["Error"] = said(err)
			break
		}
		if p.Wait || p.Charts != "" {
			shown = append(shown, p)
		}
	}
	data["Parts"] = shown
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, "charts", data)
}

// chartPart is a part of the page as it is now.
func (s *Server) chartPart(w http.ResponseWriter, r *http.Request) {
	data := map[string]any{}
	html, err := s.charts(r.Context(), chartFormOf(r))
	data["Charts"] = html
	if err != nil {
		data["Error"] = said(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = pages.ExecuteTemplate(w, "drawn", data)
}

// picture answers with a chart as a file, ?type=svg or png.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	f := chartFormOf(r)
	requests, err := f.requests(time.Now().UTC())
	if err != nil || f.Kind == "" {
		http.Error(w, said(cmp.Or(err, error(plot.Wrong("kind: name a kind of chart")))), http.StatusBadRequest)
		return
	}
	s.audit.write(r, whoIs(r), "chart", f.key)
	c, err := plot.Draw(r.Context(), s.o.Case.Store(), requests[0][0])
	if err != nil {
		status := http.StatusInternalServerError
		if e := new(store.QueryError); errors.As(err, &e) {
			status = http.StatusBadRequest
		}
		http.Error(w, said(err), status)
		return
	}
	fig, opt := chart.Figure{Subtitle: f.Where, Panels: []chart.Chart{c}}, chart.Options{Scale: 2, Theme: map[string]chart.Theme{"dark": chart.Dark, "auto": chart.Auto}[r.FormValue("theme")]}
	var b bytes.Buffer
	kind := "svg"
	if r.FormValue("type") == "png" {
		kind = "png"
		err = chart.PNG(&b, fig, opt)
	} else {
		err = chart.SVG(&b, fig, opt)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", map[string]string{"svg": "image/svg+xml", "png": "image/png"}[kind])
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Kind+"."+kind+`"`)
	_, _ = w.Write(b.Bytes())
}
