// Package server is what Sextant offers by HTTP under one address: the paths to
// which agents send logs, the API over the case, the web interface, and what
// tells how the server itself is doing.
package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/forward"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
)

// Case is what the server shows.
type Case interface {
	collect.Sink
	Store() store.Store
	Stats() pipeline.LiveStats
	Investigation(ctx context.Context) (*report.Investigation, error)
	Latest() *report.Investigation                             // the one built last, nil before the first
	Report(ctx context.Context) (*report.Investigation, error) // with all that a report tells
	Patterns() ([]byte, error)                                 // the kinds of messages, as the case has them in a file
}

// Options configure New.
type Options struct {
	Case       Case
	Dir        string  // the case directory, for the audit log
	Access     *Access // who may do what
	Log        *slog.Logger
	Open       bool                                         // everybody who can connect may do everything while nobody is known
	Token      string                                       // lets programs of the user who runs the server do everything; "" for none
	Collectors func(fn func(name string, s *collect.Stats)) // all that collect, for metrics
	Outputs    func(fn func(name string, s *forward.Stats)) // all that is sent on, for metrics
	Reload     func(context.Context) (string, error)        // takes the configuration anew, and says what changed
}

// Server is one HTTP listener.
type Server struct {
	o     Options
	url   *url.URL
	l     net.Listener
	http  *http.Server
	audit *audit
	stats collect.Stats
	asked chan struct{} // a place for each search under way

	drawnLock sync.Mutex
	drawn     map[string]drawn // charts of a moment ago, by form

	// A request's header and all of it must have come by then, and its answer be
	// taken in as much again.
	headerTime, requestTime time.Duration
}

// New makes the server of a listener's URL, http:// or https:// with cert and key.
func New(u *url.URL, o Options) *Server {
	return &Server{o: o, url: u, asked: make(chan struct{}, maxAsked), headerTime: 10 * time.Second, requestTime: time.Minute}
}

const (
	maxAsked = 8 // searches at once
	maxAsk   = 5 * time.Minute
)

// limited holds what is costly to few at once and to a time.
func (s *Server) limited(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wait := time.NewTimer(15 * time.Second)
		defer wait.Stop()
		select {
		case s.asked <- struct{}{}:
			defer func() { <-s.asked }()
		case <-wait.C:
			w.Header().Set("Retry-After", "15")
			http.Error(w, "too many searches are under way: try again in a moment", http.StatusServiceUnavailable)
			return
		case <-r.Context().Done():
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the search cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		// The request is here. The search may take longer, and who asked must take the answer.
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Time{})
		_ = c.SetWriteDeadline(time.Now().Add(maxAsk + s.requestTime))
		ctx, cancel := context.WithTimeout(r.Context(), maxAsk)
		defer cancel()
		h(w, r.WithContext(ctx))
	}
}

// SetAccess says who may do what, before Listen.
func (s *Server) SetAccess(a *Access) { s.o.Access = a }

// Stats are those of the paths that take logs.
func (s *Server) Stats() *collect.Stats { return &s.stats }

// Name is the listener's URL.
func (s *Server) Name() string {
	if s.l == nil {
		return s.url.Scheme + "://" + s.url.Host
	}
	return s.url.Scheme + "://" + s.l.Addr().String()
}

// Listen claims the address.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.url.Host)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name(), err)
	}
	l = collect.Limit(l)
	if s.url.Scheme == "https" {
		config, err := collect.TLS(s.url)
		if err != nil {
			l.Close()
			return err
		}
		l = tls.NewListener(l, config)
	}
	if s.audit, err = openAudit(s.o.Dir, s.o.Log); err != nil {
		l.Close()
		return err
	}
	s.l = l
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: s.headerTime, ReadTimeout: s.requestTime, WriteTimeout: 2 * s.requestTime, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ConnContext: withOwnUser,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelInfo)}
	return nil
}

// Run serves until ctx ends, then lets requests under way end.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.http.Shutdown(end)
	})
	defer s.audit.close()
	err := s.http.Serve(s.l)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// reload takes the configuration anew.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.o.Reload == nil {
		http.Error(w, "there is nothing to read again", http.StatusNotImplemented)
		return
	}
	said, err := s.o.Reload(context.WithoutCancel(r.Context()))
	if err != nil {
		s.audit.write(r, whoIs(r), "reload failed", err.Error())
		http.Error(w, "the old configuration stays:\n"+err.Error(), http.StatusBadRequest)
		return
	}
	s.audit.write(r, whoIs(r), "reload", said)
	fmt.Fprintln(w, said)
}

func (s *Server) handler() http.Handler {
	g := newGuard(s.o.Access, collect.Loopback(s.url) || s.o.Open, s.url.Scheme == "https", s.audit)
	g.token, g.anyone = s.o.Token, s.o.Open
	mux := http.NewServeMux()
	for _, e := range collect.Endpoints() {
		h := e.Handler(s.o.Case, s.Name(), collect.Options{Log: s.o.Log, Stats: &s.stats})
		if !e.Open {
			h = g.want(Ingest, h)
		}
		mux.Handle(e.Pattern, h)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /live.js", script)
	mux.HandleFunc("GET /login", loginPage)
	mux.HandleFunc("POST /login", g.login)
	mux.HandleFunc("POST /logout", g.logout)
	viewer := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, g.want(Viewer, h)) }
	viewer("GET /metrics", s.metrics)
	viewer("GET /api/query", s.limited(s.query))
	viewer("POST /api/query", s.limited(s.query))
	viewer("GET /api/incidents", s.incidents)
	viewer("GET /api/patterns", s.patterns)
	viewer("GET /now", s.now)
	viewer("GET /charts", s.limited(s.chartPage))
	viewer("GET /charts/part", s.limited(s.chartPart))
	viewer("GET /api/chart", s.limited(s.picture))
	viewer("GET /api/investigation", s.investigation)
	viewer("GET /report", s.limited(s.report))
	mux.Handle("POST /api/reload", g.want(Admin, http.HandlerFunc(s.reload)))
	mux.Handle("GET /{$}", s.root(g, mux))
	// Other sites' pages must not make a browser that is logged in do anything here.
	return http.NewCrossOriginProtection().Handler(secured(mux))
}

// secured sets the headers that keep a browser from being used against us.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.ServeHTTP(w, r)
	})
}

// query answers ?query=LOGSQL&limit=N with JSON lines.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	var limit int64
	if n := r.FormValue("limit"); n != "" {
		if _, err := fmt.Sscan(n, &limit); err != nil || limit < 0 {
			http.Error(w, "limit: want a number", http.StatusBadRequest)
			return
		}
	}
	o := store.QueryOptions{Limit: limit, Unsorted: r.FormValue("unsorted") == "true"}
	for name, to := range map[string]*int64{"from": &o.From, "until": &o.Until} {
		if v := r.FormValue(name); v != "" {
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				http.Error(w, name+": want a time such as 2026-03-01T12:00:00Z", http.StatusBadRequest)
				return
			}
			*to = t.UnixNano()
		}
	}
	s.audit.write(r, whoIs(r), "search", r.FormValue("query"))
	w.Header().Set("Content-Type", "application/x-ndjson")
	var line []byte
	began := false
	err := s.o.Case.Store().QueryWith(r.Context(), r.FormValue("query"), o, func(row []event.Field) error {
		began = true
		line = append(line[:0], '{')
		for i, f := range row {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(event.AppendQuoted(line, f.Name), ':')
			line = event.AppendQuoted(line, f.Value)
		}
		_, err := w.Write(append(line, '}', '\n'))
		return err
	})
	if err == nil {
		return
	}
	if began { // the status is sent: an answer that breaks off must not look whole
		panic(http.ErrAbortHandler)
	}
	status := http.StatusInternalServerError
	if e := new(store.QueryError); errors.As(err, &e) {
		status = http.StatusBadRequest
	}
	http.Error(w, err.Error(), status)
}

// patterns answers with the state of the miner of messages' templates.
func (s *Server) patterns(w http.ResponseWriter, _ *http.Request) {
	state, err := s.o.Case.Patterns()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(state)
}

func (s *Server) investigation(w http.ResponseWriter, r *http.Request) {
	inv, err := s.o.Case.Investigation(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(inv)
}

// incidents answers with the incidents of the window. With ?after=VERSION it
// waits, half a minute at most, until there are others than those.
func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	after := r.FormValue("after")
	end := time.Now().Add(30 * time.Second)
	for {
		inv := s.o.Case.Latest()
		list := []incident.Incident{}
		if inv != nil && inv.Incidents != nil {
			list = inv.Incidents
		}
		body, err := json.Marshal(list)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sum := sha256.Sum256(body)
		version := hex.EncodeToString(sum[:8])
		if after == "" || after != version || time.Now().After(end) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, "{\"version\":%q,\"incidents\":%s}\n", version, body)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}
