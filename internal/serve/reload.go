package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/config"
)

// Reload reads the settings anew and changes what differs. While anything is
// wrong with them all stays as it is, and the error says what. It returns what
// changed, in words.
func (s *Server) Reload(ctx context.Context) (string, error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	said, err := s.change(ctx)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			s.log.Error("the new configuration is not used, the old one stays", "reason", strings.TrimSpace(line))
		}
		return "", err
	}
	s.log.Info("configuration read again", "changed", said)
	return said, nil
}

func (s *Server) change(ctx context.Context) (string, error) {
	if s.ctx.Err() != nil {
		return "", errors.New("the server is ending")
	}
	next, problems := s.o.Reload()
	if err := config.Join(problems); err != nil {
		return "", err
	}
	p, problems := s.plan(next, true)
	for _, w := range append(slices.Clip(problems), p.fixed(&s.now)...) {
		if w.Warning {
			s.log.Warn(w.String())
		}
	}
	if err := config.Join(problems); err != nil {
		p.geo.Close()
		return "", err
	}
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if err := s.exchange(p); err != nil {
		p.geo.Close()
		return "", err
	}
	for _, u := range p.removed {
		say("ended %s", u.runner.Name())
	}
	for _, u := range p.added {
		say("began %s", u.runner.Name())
	}
	for _, f := range p.ended {
		s.stopOutput(f)
		say("no longer sends to %s", f.Name())
	}
	for _, f := range p.outputs {
		s.startOutput(f)
		say("sends to %s", f.Name())
	}
	if p.detector != nil {
		if err := s.live.SetRules(ctx, p.detector); err != nil {
			return "", err
		}
		s.rules, s.broken = p.rules, p.broken
		say("took %d rules", len(p.detector.Rules()))
	}
	if p.newGeo {
		if err := s.live.SetGeo(ctx, p.geo); err != nil {
			return "", err
		}
		s.geo.Close()
		s.geo = p.geo
		say("took %d databases of addresses", len(next.Geo))
	}
	if p.newAlerts {
		s.alerts.cancel()
		<-s.alerts.done
		p.alerts.Succeed(s.alerts.Alerter)
		s.startAlerts(p.alerts)
		say("took %d alert outputs", len(next.Alerts.URLs))
	}
	s.now = next
	if err := s.writeState(); err != nil {
		s.log.Warn("other programs will not find this server", "error", err)
	}
	if len(said) == 0 {
		return "nothing", nil
	}
	return strings.Join(said, ", "), nil
}

// exchange ends and begins listeners. When one cannot begin, those that ended
// begin again.
func (s *Server) exchange(p *plan) error {
	for _, u := range p.removed {
		s.stop(u)
	}
	err := s.listen(p.added)
	if err == nil {
		for _, u := range p.added {
			s.start(u)
		}
		return nil
	}
	for _, u := range p.removed {
		again, e := s.again(u)
		if e == nil {
			e = s.listen([]*unit{again})
		}
		if e != nil {
			s.log.Error("a listener that was ended does not begin again", "error", e)
			continue
		}
		s.start(again)
	}
	return err
}

func (s *Server) again(u *unit) (*unit, error) {
	if u.url.Scheme == "tail" && u.key == tailKey(s.now.Tail) {
		return s.tail(s.now.Tail)
	}
	raw, _, _ := strings.Cut(u.key, " open ")
	return s.unit(raw, &s.now)
}
