package serve

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/forward"
	"github.com/sextant-logs/sextant/internal/pipeline"
)

// output is a place that what arrives is sent on to.
type output struct {
	*forward.Forwarder
	key    string // its URL
	cancel context.CancelFunc
	done   chan struct{}
}

// forwarding finds which outputs end and which begin.
func (p *planner) forwarding() {
	for i, raw := range p.to.Forward {
		if slices.Index(p.to.Forward, raw) < i {
			p.wrong("forward", i, "listed twice: %s", redacted(raw))
			continue
		}
		if slices.ContainsFunc(p.s.outputs, func(o *output) bool { return o.key == raw }) {
			continue
		}
		f, err := forward.New(raw, filepath.Join(p.to.Case, "forward"), p.s.log)
		if err != nil {
			p.wrong("forward", i, "%s", strings.TrimPrefix(err.Error(), "--forward "))
			continue
		}
		p.outputs = append(p.outputs, &output{Forwarder: f, key: raw})
	}
	for _, o := range p.s.outputs {
		if !slices.Contains(p.to.Forward, o.key) {
			p.ended = append(p.ended, o)
		}
	}
}

func (s *Server) startOutput(o *output) {
	ctx, cancel := context.WithCancel(s.ctx)
	o.cancel, o.done = cancel, make(chan struct{})
	s.mu.Lock()
	s.outputs = append(s.outputs, o)
	s.mu.Unlock()
	go func() {
		defer close(o.done)
		if err := o.Run(ctx, s.live, pipeline.LivePath); err != nil && ctx.Err() == nil {
			s.cancel(fmt.Errorf("%s: %w", o.Name(), err))
		}
	}()
}

// stopOutput ends an output. What it has not sent it sends when it is set again.
func (s *Server) stopOutput(o *output) {
	o.cancel()
	<-o.done
	o.Close()
	s.mu.Lock()
	s.outputs = slices.DeleteFunc(s.outputs, func(other *output) bool { return other == o })
	s.mu.Unlock()
}

func (s *Server) eachOutput(fn func(string, *forward.Stats)) {
	s.mu.Lock()
	all := slices.Clone(s.outputs)
	s.mu.Unlock()
	for _, o := range all {
		fn(o.Name(), o.Stats())
	}
}

// sendRest sends on what the last seconds brought. What a receiver does not take
// within a moment is sent when the case is served again.
func (s *Server) sendRest() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, f := range s.outputs {
		all.Go(func() {
			defer f.Close()
			if err := f.Rest(ctx, s.live, pipeline.LivePath); err != nil {
				s.log.Warn("not all is sent on; the rest goes when the case is served again", "forward", f.Name(), "error", err)
			}
		})
	}
	all.Wait()
}
