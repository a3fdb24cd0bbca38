package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/alert"
	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/forward"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/server"
)

var _ = command(newServe)

// Where serve listens when it is not told.
var defaultListeners = []string{"syslog+udp://127.0.0.1:5514", "syslog+tcp://127.0.0.1:5514", "http://127.0.0.1:8514"}

func newServe() *cobra.Command {
	var rules ruleFlags
	var caseDir, zone string
	var listen, tail, formats, forwards []string
	var alerts alert.Options
	var insecure bool
	var threads int
	c := &cobra.Command{
		Use:   "serve",
		Short: "Collect logs live, match the rules as they arrive, and answer queries",
		Long: `Collect logs live, match the rules as they arrive, and answer queries.

Without --listen it listens on this machine only: syslog on port 5514 (UDP and TCP) and
HTTP on port 8514. What arrives is on disk before its sender is told so; a server that was
killed goes on where it was.

Protocols, as URLs for --listen:
` + protocols() + `
Paths under an http:// or https:// listener:
` + paths(),
		Example: `  sextant serve --case live
  sextant serve --case live --listen syslog+tcp://127.0.0.1:6514 --listen http://127.0.0.1:8514 --tail '/var/log/*.log'
  sextant serve --case live --listen 'syslog+tls://0.0.0.0:6514?cert=cert.pem&key=key.pem&client-ca=ca.pem'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ruleOptions, err := rules.options()
			if err != nil {
				return err
			}
			if err := useFormats(formats); err != nil {
				return err
			}
			location, err := parseZone(zone)
			if err != nil {
				return err
			}
			if len(listen) == 0 {
				listen = defaultListeners
			}
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelInfo}))
			s := &serving{log: log}
			for _, l := range listen {
				if err := s.add(l, insecure); err != nil {
					return usageError{err}
				}
			}
			if len(tail) > 0 {
				o := s.options("tail")
				t, err := collect.NewTail(tail, false, o)
				if err != nil {
					return usageError{err}
				}
				s.collectors = append(s.collectors, t)
			}
			alerts.Dir, alerts.Log = filepath.Join(caseDir, "alerts"), log
			if s.alerts, err = alert.New(alerts); err != nil {
				return usageError{err}
			}
			for _, to := range forwards {
				f, err := forward.New(to, filepath.Join(caseDir, "forward"), log)
				if err != nil {
					return usageError{err}
				}
				s.forward = append(s.forward, f)
			}
			live, err := pipeline.OpenLive(c.Context(), pipeline.LiveOptions{Case: caseDir, Rules: ruleOptions, Zone: location,
				Threads: threads, Version: version, Log: log, Found: s.alerts.Found})
			if err != nil {
				return err
			}
			if s.access, err = server.OpenAccess(caseDir); err != nil {
				return errors.Join(err, live.Close())
			}
			s.dir, s.open = caseDir, insecure
			if err := s.guarded(); err != nil && !insecure {
				return errors.Join(usageError{err}, live.Close())
			}
			err = s.run(c.Context(), live, func() { fmt.Fprintln(c.ErrOrStderr(), "ready") })
			return errors.Join(err, live.Close())
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory; made if it does not exist")
	c.Flags().StringArrayVar(&listen, "listen", nil, "where to listen, as a URL; may be given several times (default: "+strings.Join(defaultListeners, ", ")+")")
	c.Flags().StringArrayVar(&tail, "tail", nil, "follow the files that match this pattern; may be given several times")
	c.Flags().StringArrayVar(&alerts.URLs, "alert", nil, "tell of new findings there; may be given several times (see `sextant alert --help`)")
	c.Flags().StringArrayVar(&forwards, "forward", nil, "send what arrives on to Logstash or Elasticsearch; may be given several times (see `sextant forward --help`)")
	c.Flags().StringVar(&alerts.Level, "alert-level", "high", "tell of findings from this level on")
	c.Flags().DurationVar(&alerts.Group, "alert-group", 30*time.Second, "gather findings for so long before telling of them")
	c.Flags().IntVar(&alerts.PerHour, "alerts-per-hour", 60, "at most so many messages to one place; what is beyond goes as one")
	c.Flags().StringSliceVar(&formats, "formats", nil, "directories with formats of your own in YAML, besides "+userFormatsPath())
	c.Flags().StringVar(&zone, "tz", "", "zone of times that name none (default UTC)")
	c.Flags().IntVar(&threads, "threads", envInt("SEXTANT_THREADS"), "decode with so many threads (default: one for each core)")
	c.Flags().BoolVar(&insecure, "let-anyone-connect", false, "allow listeners that other machines reach without TLS or without saying who they are")
	rules.register(c)
	return c
}

func protocols() string {
	var b strings.Builder
	collect.Schemes(func(name, title string) { fmt.Fprintf(&b, "  %-12s %s\n", name, title) })
	return b.String()
}

func paths() string {
	var b strings.Builder
	for _, e := range collect.Endpoints() {
		fmt.Fprintf(&b, "  %-22s %s\n", e.Pattern, e.Title)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// serving is all that collects.
type serving struct {
	log        *slog.Logger
	collectors []collect.Collector
	servers    []*url.URL
	stats      []*collect.Stats // of collectors, in order
	access     *server.Access
	dir        string
	open       bool
	alerts     *alert.Alerter
	forward    []*forward.Forwarder
}

// guarded says what is wrong with a server that others can reach and that asks
// nobody who he is.
func (s *serving) guarded() error {
	for _, u := range s.servers {
		if u.Scheme == "https" && !isLoopback(u) && s.access.Empty() {
			return fmt.Errorf("--listen %s://%s: others can reach it and nobody may log in yet: make a user or token with `sextant access`, or add --let-anyone-connect", u.Scheme, u.Host)
		}
	}
	return nil
}

func isLoopback(u *url.URL) bool {
	local := *u
	local.Scheme = "http"
	return collect.Exposed(&local) == ""
}

func (s *serving) options(name string) collect.Options {
	st := &collect.Stats{}
	s.stats = append(s.stats, st)
	return collect.Options{Log: s.log.With("collector", name), Stats: st}
}

// add takes one --listen.
func (s *serving) add(listen string, insecure bool) error {
	u, err := url.Parse(listen)
	if err != nil {
		return fmt.Errorf("--listen %q is no URL: %w", listen, err)
	}
	if why := collect.Exposed(u); why != "" && !insecure {
		return fmt.Errorf("--listen %s: %s; if that is what you want, add --let-anyone-connect", listen, why)
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		s.servers = append(s.servers, u)
		return nil
	}
	c, err := collect.New(listen, s.options(u.Scheme))
	if err != nil {
		return err
	}
	s.collectors = append(s.collectors, c)
	return nil
}

// run opens all listeners, says ready, and collects until ctx ends and all that
// arrived is stored.
func (s *serving) run(ctx context.Context, live *pipeline.Live, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var servers []*server.Server
	each := func(fn func(string, *collect.Stats)) {
		for i, c := range s.collectors {
			fn(c.Name(), s.stats[i])
		}
		for _, h := range servers {
			fn(h.Name(), h.Stats())
		}
	}
	outputs := func(fn func(string, *forward.Stats)) {
		for _, f := range s.forward {
			fn(f.Name(), f.Stats())
		}
	}
	for _, u := range s.servers {
		servers = append(servers, server.New(u, server.Options{Case: live, Dir: s.dir, Access: s.access, Open: s.open, Log: s.log, Collectors: each, Outputs: outputs}))
	}
	var all sync.WaitGroup // of collectors and servers
	type runner interface {
		Listen(context.Context) error
		Name() string
	}
	var opened []runner
	for _, c := range s.collectors {
		opened = append(opened, c)
	}
	for _, h := range servers {
		opened = append(opened, h)
	}
	for _, r := range opened {
		if err := r.Listen(ctx); err != nil {
			return err
		}
		s.log.Info("listening", "at", r.Name())
	}
	stored := make(chan error, 1)
	go func() {
		err := live.Run(context.WithoutCancel(ctx))
		if err != nil {
			cancel(err) // nothing can be kept any more
		}
		stored <- err
	}()
	for _, c := range s.collectors {
		all.Go(func() {
			if err := c.Run(ctx, live); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", c.Name(), err))
			}
		})
	}
	for _, h := range servers {
		all.Go(func() {
			if err := h.Run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", h.Name(), err))
			}
		})
	}
	all.Go(func() { s.alerts.Run(ctx) })
	for _, f := range s.forward {
		all.Go(func() {
			if err := f.Run(ctx, live, pipeline.LivePath); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", f.Name(), err))
			}
		})
	}
	ready()
	<-ctx.Done()
	all.Wait()
	err := errors.Join(live.Stop(), <-stored)
	s.sendRest(live)
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// sendRest sends on what the last seconds brought. What a receiver does not take
// within a moment is sent when the case is served again.
func (s *serving) sendRest(live *pipeline.Live) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, f := range s.forward {
		all.Go(func() {
			defer f.Close()
			if err := f.Rest(ctx, live, pipeline.LivePath); err != nil {
				s.log.Warn("not all is sent on; the rest goes when the case is served again", "forward", f.Name(), "error", err)
			}
		})
	}
	all.Wait()
}
