// Package serve is a server at work: what collects, the HTTP listeners, the
// rules and the alerts of a live case, all of which can change while it runs.
//
//	err := serve.Run(ctx, serve.Options{Settings: s, Reload: read, Hangup: signals})
//
// A change takes over what stays the same: a listener that is in the old and
// the new settings keeps its socket and its connections.
package serve

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/alert"
	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/config"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/server"
)

// Settings are what a server is told to do.
type Settings struct {
	Case      string
	Listen    []string // URLs
	Tail      []string // globs of files to follow
	Open      bool     // listeners that others can reach need no TLS and no login
	Alerts    alert.Options
	Forward   []string // URLs that what arrives is sent on to
	Rules     detect.Options
	RuleFiles []string // further files that Rules were made from
	Geo       []string // databases
	Zone      *time.Location
	Threads   int
	Window    time.Duration
	History   time.Duration // that techniques learn from; negative for no techniques
	Fixed     string        // of what else cannot change while the server runs

	Origin *config.Origin // where the settings are from, for messages
}

// Options configure Run.
type Options struct {
	Settings
	Reload  func() (Settings, []config.Problem) // reads the settings anew
	Hangup  <-chan os.Signal                    // asks for it
	Ready   func(*Server)                       // called once, when every listener is open
	Log     *slog.Logger
	Version string
}

// Server is a server at work.
type Server struct {
	o      Options
	log    *slog.Logger
	live   *pipeline.Live
	access *server.Access
	token  string // of serve.json: for programs of the same user
	cancel context.CancelCauseFunc
	ctx    context.Context // until which units run

	reload sync.Mutex // one reload at a time; guards what is not named below
	now    Settings
	rules  string // fingerprint
	broken map[string]bool
	geo    *enrich.Geo

	mu      sync.Mutex // guards units, alerts, outputs
	units   []*unit
	alerts  *alerts
	outputs []*output
}

// runner is a collector or an HTTP listener.
type runner = collect.Collector

// unit is one of them, and whether it runs.
type unit struct {
	key    string // what it was made of
	url    *url.URL
	runner runner
	http   *server.Server // nil for a collector
	stats  *collect.Stats
	cancel context.CancelFunc
	done   chan struct{}
}

// page makes a runner of an HTTP listener.
type page struct{ *server.Server }

func (p page) Run(ctx context.Context, _ collect.Sink) error { return p.Server.Run(ctx) }

// alerts is an alerter at work.
type alerts struct {
	*alert.Alerter
	cancel context.CancelFunc
	done   chan struct{}
}

func (s *Server) startAlerts(a *alert.Alerter) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx)) // what is found last is told, too
	w := &alerts{Alerter: a, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		a.Run(ctx)
	}()
	s.mu.Lock()
	s.alerts = w
	s.mu.Unlock()
}

func (s *Server) found(fs []analyze.Finding) {
	s.mu.Lock()
	a := s.alerts
	s.mu.Unlock()
	if a != nil {
		a.Found(fs)
	}
}

func (s *Server) incidents(all []incident.Incident) {
	s.mu.Lock()
	a := s.alerts
	s.mu.Unlock()
	if a != nil {
		a.Incidents(all)
	}
}

// Run opens the case and all listeners, says ready, and works until ctx ends
// and all that arrived is stored.
func Run(ctx context.Context, o Options) (err error) {
	s := &Server{o: o, log: o.Log, now: o.Settings, token: "sxl_" + rand.Text()}
	p, problems := s.plan(o.Settings, false)
	for _, w := range problems {
		if w.Warning {
			s.log.Warn(w.String())
		}
	}
	if err := config.Join(problems); err != nil {
		return err
	}
	s.rules, s.broken, s.geo = p.rules, p.broken, p.geo
	defer func() { s.geo.Close() }()
	s.live, err = pipeline.OpenLive(ctx, pipeline.LiveOptions{Case: o.Case, Detector: p.detector, Zone: o.Zone, Geo: p.geo, Threads: o.Threads,
		Window: o.Window, Version: o.Version, Log: s.log, Found: s.found, Incident: s.incidents, History: o.History})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.live.Close()) }()
	if s.access, err = server.OpenAccess(o.Case); err != nil {
		return err
	}
	var cancel context.CancelCauseFunc
	s.ctx, cancel = context.WithCancelCause(ctx)
	s.cancel = cancel
	defer cancel(nil)
	if err := s.listen(p.added); err != nil {
		return err
	}
	stored := make(chan error, 1)
	go func() {
		err := s.live.Run(context.WithoutCancel(ctx))
		if err != nil {
			cancel(err) // nothing can be kept any more
		}
		stored <- err
	}()
	s.startAlerts(p.alerts)
	for _, u := range p.added {
		s.start(u)
	}
	for _, f := range p.outputs {
		s.startOutput(f)
	}
	if err := s.writeState(); err != nil {
		s.log.Warn("other programs will not find this server", "error", err)
	}
	defer removeState(o.Case)
	if o.Ready != nil {
		o.Ready(s)
	}
	for open := true; open; {
		select {
		case <-s.ctx.Done():
			open = false
		case <-o.Hangup:
			_, _ = s.Reload(s.ctx)
		}
	}
	s.reload.Lock() // one under way comes to its end
	defer s.reload.Unlock()
	for _, u := range s.all() {
		<-u.done
	}
	for _, f := range s.outputs {
		<-f.done
	}
	err = errors.Join(s.live.Stop(), <-stored)
	s.alerts.cancel()
	<-s.alerts.done
	s.sendRest()
	if cause := context.Cause(s.ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// all returns the units that run.
func (s *Server) all() []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.units)
}

// Each calls fn with everything that collects.
func (s *Server) Each(fn func(name string, stats *collect.Stats)) {
	for _, u := range s.all() {
		fn(u.runner.Name(), u.stats)
	}
}

// make makes the unit of a listener's URL.
func (s *Server) unit(raw string, set *Settings) (*unit, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("no URL: %w", errors.Unwrap(err))
	}
	n := &unit{key: raw, url: u, stats: &collect.Stats{}}
	if u.Scheme == "http" || u.Scheme == "https" {
		n.key = fmt.Sprint(raw, " open ", set.Open)
		n.http = server.New(u, server.Options{Case: later{s}, Dir: set.Case, Access: s.access, Open: set.Open, Token: s.token, Log: s.log, Collectors: s.Each, Outputs: s.eachOutput,
			Reload: func(ctx context.Context) (string, error) { return s.Reload(ctx) }})
		n.runner, n.stats = page{n.http}, n.http.Stats()
		return n, nil
	}
	n.runner, err = collect.New(raw, collect.Options{Log: s.log.With("collector", u.Scheme), Stats: n.stats})
	return n, err
}

// tailKey is the key of the unit that follows files.
func tailKey(globs []string) string { return "tail " + strings.Join(globs, "\x00") }

func (s *Server) tail(globs []string) (*unit, error) {
	n := &unit{key: tailKey(globs), url: &url.URL{Scheme: "tail"}, stats: &collect.Stats{}}
	var err error
	n.runner, err = collect.NewTail(globs, false, collect.Options{Log: s.log.With("collector", "tail"), Stats: n.stats})
	return n, err
}

// listen has units claim their addresses, all or none.
func (s *Server) listen(units []*unit) error {
	for i, u := range units {
		if u.http != nil {
			u.http.SetAccess(s.access)
		}
		if err := u.runner.Listen(s.ctx); err != nil {
			s.unlisten(units[:i])
			return err
		}
		s.log.Debug("listening", "at", u.runner.Name())
	}
	return nil
}

// unlisten gives up addresses that were claimed: a runner does so when it ends.
func (s *Server) unlisten(units []*unit) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, u := range units {
		_ = u.runner.Run(ctx, s.live)
	}
}

// start has a unit work that has claimed its address.
func (s *Server) start(u *unit) {
	ctx, cancel := context.WithCancel(s.ctx)
	u.cancel, u.done = cancel, make(chan struct{})
	s.mu.Lock()
	s.units = append(s.units, u)
	s.mu.Unlock()
	go func() {
		defer close(u.done)
		if err := u.runner.Run(ctx, s.live); err != nil && ctx.Err() == nil {
			s.cancel(fmt.Errorf("%s: %w", u.runner.Name(), err))
		}
	}()
}

// maxStop is how long a unit may take to end before a reload goes on.
const maxStop = 20 * time.Second

// stop ends a unit; what it received is handed over before stop returns.
func (s *Server) stop(u *unit) {
	u.cancel()
	select {
	case <-u.done:
	case <-time.After(maxStop):
		s.log.Warn("a listener takes long to end", "at", u.runner.Name())
	}
	s.mu.Lock()
	s.units = slices.DeleteFunc(s.units, func(o *unit) bool { return o == u })
	s.mu.Unlock()
}

// Names are the URLs of what collects, with the ports really taken.
func (s *Server) Names() []string {
	var names []string
	for _, u := range s.all() {
		names = append(names, u.runner.Name())
	}
	return names
}

// Pages are the URLs of the HTTP listeners, those for this machine first.
func (s *Server) Pages() []string {
	var names []string
	for _, u := range s.all() {
		if u.http != nil {
			names = append(names, u.runner.Name())
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(remote(a), remote(b)) })
	return names
}

func remote(raw string) int {
	if u, err := url.Parse(raw); err == nil && collect.Loopback(u) {
		return 0
	}
	return 1
}

// Access is who may use the server.
func (s *Server) Access() *server.Access { return s.access }

// alertDir is where alerts of a case wait.
func alertDir(dir string) string { return filepath.Join(dir, "alerts") }
