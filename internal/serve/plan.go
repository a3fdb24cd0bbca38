package serve

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/alert"
	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/config"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/server"
)

// plan is how to get from what runs to what settings say.
type plan struct {
	to             Settings
	removed, added []*unit
	outputs        []*output // that begin
	ended          []*output
	alerts         *alert.Alerter
	newAlerts      bool
	detector       *detect.Detector // nil: as before
	rules          string
	broken         map[string]bool // rule files that cannot be used
	geo            *enrich.Geo
	newGeo         bool
}

// planner gathers what is wrong.
type planner struct {
	*plan
	s        *Server
	strict   bool // what a running server would get over is wrong as well
	problems []config.Problem
}

func (p *planner) wrong(name string, i int, format string, args ...any) {
	p.problems = append(p.problems, config.Problem{Where: p.to.Origin.Of(name, i), What: fmt.Sprintf(format, args...)})
}

func (p *planner) warn(name string, i int, format string, args ...any) {
	p.problems = append(p.problems, config.Problem{Where: p.to.Origin.Of(name, i), What: fmt.Sprintf(format, args...), Warning: true})
}

// bad is wrong when strict, else a warning.
func (p *planner) bad(name string, i int, format string, args ...any) {
	if p.strict {
		p.wrong(name, i, format, args...)
	} else {
		p.warn(name, i, format, args...)
	}
}

// plan checks settings as far as that is possible without taking anything, and
// tells all that is wrong.
func (s *Server) plan(to Settings, strict bool) (*plan, []config.Problem) {
	p := &planner{plan: &plan{to: to}, s: s, strict: strict}
	p.listeners()
	p.tails()
	p.alerting()
	p.forwarding()
	p.ruling()
	p.places()
	return p.plan, p.problems
}

// Check tells everything that is wrong with settings.
func Check(o Options) []config.Problem {
	s := &Server{o: o, log: o.Log, now: o.Settings}
	var problems []config.Problem
	if err := writable(o.Case); err != nil {
		problems = append(problems, config.Problem{Where: o.Origin.Of("case", -1), What: err.Error()})
	}
	if access, err := server.OpenAccess(o.Case); err != nil {
		problems = append(problems, config.Problem{Where: o.Origin.Of("case", -1), What: err.Error()})
	} else {
		s.access = access
	}
	p, more := s.plan(o.Settings, true)
	p.geo.Close()
	return append(problems, more...)
}

// writable says why a case cannot be kept in dir.
func writable(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is no directory", at)
		}
		f, err := os.CreateTemp(at, ".sextant-check-*")
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w", at, errors.Unwrap(err))
		}
		f.Close()
		return os.Remove(f.Name())
	}
}

// listeners finds which listeners end and which begin.
func (p *planner) listeners() {
	running := map[string]*unit{}
	for _, u := range p.s.all() {
		running[u.key] = u
	}
	keep := map[string]bool{}
	seen := map[string]bool{}
	mine := map[string]bool{} // addresses that this case's server has
	for _, u := range running {
		if u.url.Host != "" {
			mine[network(u.url)+" "+u.url.Host] = true
		}
	}
	if len(running) == 0 {
		for _, raw := range ReadState(p.to.Case).Listen {
			if u, err := url.Parse(raw); err == nil {
				mine[network(u)+" "+u.Host] = true
			}
		}
	}
	for i, raw := range p.to.Listen {
		if seen[raw] {
			p.wrong("listen", i, "listed twice: %s", redacted(raw))
			continue
		}
		seen[raw] = true
		u, err := p.s.unit(raw, &p.to)
		if err != nil {
			p.wrong("listen", i, "%s", strings.TrimPrefix(err.Error(), "--listen "))
			continue
		}
		if why := collect.Exposed(u.url); why != "" && !p.to.Open {
			p.wrong("listen", i, "%s: %s; if that is what you want, add --let-anyone-connect", redacted(raw), why)
			continue
		}
		if u.url.Scheme == "https" && !collect.Loopback(u.url) && !p.to.Open && p.s.empty(p.to.Case) {
			p.wrong("listen", i, "%s: others can reach it and nobody may log in yet: make a user or token with `sextant access`, or add --let-anyone-connect", redacted(raw))
		}
		for name := range u.url.Query() {
			if !slices.Contains(collect.Parameters, name) {
				hint := "known are " + strings.Join(collect.Parameters, ", ")
				if best := config.Nearest(name, collect.Parameters); best != "" {
					hint = fmt.Sprintf("did you mean %q?", best)
				}
				p.warn("listen", i, "%s has no use for the parameter %q; %s", u.url.Scheme, name, hint)
			}
		}
		if !p.certificate(i, u.url) {
			continue
		}
		if old := running[u.key]; old != nil {
			keep[u.key] = true
			continue
		}
		if !mine[network(u.url)+" "+u.url.Host] {
			if err := taken(u.url); err != nil {
				p.wrong("listen", i, "%s: %v", redacted(raw), err)
				continue
			}
		}
		p.added = append(p.added, u)
	}
	if len(p.to.Tail) > 0 && p.s.now.Case != "" {
		keep[tailKey(p.to.Tail)] = true
	}
	for key, u := range running {
		if !keep[key] {
			p.removed = append(p.removed, u)
		}
	}
	slices.SortFunc(p.removed, func(a, b *unit) int { return strings.Compare(a.key, b.key) })
}

// empty reports whether nobody may log in.
func (s *Server) empty(dir string) bool {
	if s.access != nil {
		return s.access.Empty()
	}
	a, err := server.OpenAccess(dir)
	return err == nil && a.Empty()
}

// certificate checks the certificate of a TLS listener.
func (p *planner) certificate(i int, u *url.URL) bool {
	if u.Query().Get("cert") == "" && u.Scheme != "https" && !strings.HasSuffix(u.Scheme, "+tls") && !strings.HasSuffix(u.Scheme, "grpcs") || strings.HasPrefix(u.Scheme, "kafka") {
		return true
	}
	c, err := collect.TLS(u)
	if err != nil {
		p.wrong("listen", i, "%v", err)
		return false
	}
	var leaf *x509.Certificate
	if leaf = collect.Leaf(c); leaf == nil {
		return true
	}
	const day = 24 * time.Hour
	left := time.Until(leaf.NotAfter)
	file := u.Query().Get("cert")
	switch {
	case left < 0:
		p.bad("listen", i, "the certificate %s expired on %s", file, leaf.NotAfter.UTC().Format(time.DateOnly))
	case time.Now().Before(leaf.NotBefore):
		p.bad("listen", i, "the certificate %s is not valid before %s", file, leaf.NotBefore.UTC().Format(time.RFC3339))
	case left < 14*day:
		p.warn("listen", i, "the certificate %s expires in %d days", file, int(left/day))
	}
	return true
}

// network is what a listener's address is of: "udp", "tcp", or "" where none
// listens.
func network(u *url.URL) string {
	switch {
	case u.Host == "" || strings.HasPrefix(u.Scheme, "kafka"):
		return ""
	case strings.Contains(u.Scheme, "udp") || u.Scheme == "netflow":
		return "udp"
	}
	return "tcp"
}

// taken says why an address cannot be listened on.
func taken(u *url.URL) error {
	var lc net.ListenConfig
	var err error
	switch network(u) {
	case "udp":
		var c net.PacketConn
		if c, err = lc.ListenPacket(context.Background(), "udp", u.Host); err == nil {
			c.Close()
		}
	case "tcp":
		var l net.Listener
		if l, err = lc.Listen(context.Background(), "tcp", u.Host); err == nil {
			l.Close()
		}
	}
	if e := new(net.OpError); errors.As(err, &e) {
		var call *os.SyscallError
		if err = e.Err; errors.As(err, &call) {
			err = call.Err
		}
	}
	return err
}

// redacted is a URL without its password.
func redacted(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	return raw
}

// tails checks the files to follow.
func (p *planner) tails() {
	for i, glob := range p.to.Tail {
		paths, err := filepath.Glob(glob)
		if err != nil {
			p.wrong("tail", i, "%q: %v", glob, err)
			continue
		}
		var denied []string
		files := 0
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				continue
			}
			files++
			f, err := os.Open(path)
			if err != nil {
				denied = append(denied, path)
				continue
			}
			f.Close()
		}
		switch {
		case p.strict && len(denied) > 0:
			p.warn("tail", i, "%d of %d files that match %s may not be read by this user, as %s", len(denied), files, glob, denied[0])
		case p.strict && files == 0:
			p.warn("tail", i, "no file matches %s yet", glob)
		}
	}
	key := tailKey(p.to.Tail)
	if len(p.to.Tail) == 0 || slices.ContainsFunc(p.s.all(), func(u *unit) bool { return u.key == key }) {
		return
	}
	u, err := p.s.tail(p.to.Tail)
	if err != nil {
		return // told above
	}
	p.added = append(p.added, u)
}

// alerting makes the alerter.
func (p *planner) alerting() {
	for i, raw := range p.to.Alerts.URLs {
		if err := alert.Check(raw); err != nil {
			p.wrong("alert", i, "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "--alert: "), "--alert "))
		}
	}
	o := p.to.Alerts
	o.Dir, o.Log = alertDir(p.to.Case), p.s.log
	if p.to.Alerts.Level != "" {
		if _, err := alert.New(alert.Options{Level: o.Level}); err != nil {
			p.wrong("alert-level", -1, "%v", err)
		}
	}
	for i, what := range o.On {
		if what != alert.OnFindings && what != alert.OnIncidents && what != alert.OnSources {
			p.wrong("alert-on", i, "%q: want findings, incidents, sources, or several of them", what)
		}
	}
	p.alerts, _ = alert.New(o)
	p.newAlerts = !reflect.DeepEqual(p.to.Alerts, p.s.now.Alerts)
}

// ruling loads the rules, if they are not those in force.
func (p *planner) ruling() {
	p.rules = fingerprint(&p.to)
	if p.s.rules == p.rules {
		p.rules, p.broken = p.s.rules, p.s.broken
		return
	}
	d, err := detect.Load(p.to.Rules)
	if err != nil {
		p.wrong("rules", -1, "%v", err)
		return
	}
	p.detector, p.broken = d, map[string]bool{}
	for _, f := range d.Failed() {
		where := f.File
		if f.Line > 0 {
			where = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		p.broken[f.File] = true
		if p.strict && !p.s.broken[f.File] {
			p.problems = append(p.problems, config.Problem{Where: where, What: f.Err.Error()})
		} else {
			p.problems = append(p.problems, config.Problem{Where: where, What: "this rule is not used: " + f.Err.Error(), Warning: true})
		}
	}
	if len(d.Rules()) == 0 && len(p.to.Rules.Paths) > 0 {
		p.wrong("rules", -1, "there are no rules in %s", strings.Join(p.to.Rules.Paths, ", "))
	}
}

// fingerprint changes when the rules may have.
func fingerprint(s *Settings) string {
	h := sha256.New()
	o := s.Rules
	fmt.Fprintf(h, "%v %q %v %q %q %q %q %v %v %v\n", o.Embedded != nil, o.Paths, o.MinLevel, o.Include, o.Exclude, o.Tags, o.Status, o.Since, o.Until, o.Placeholders)
	note := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			fmt.Fprintf(h, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	}
	for _, path := range slices.Concat(o.Paths, s.RuleFiles) {
		_ = filepath.WalkDir(path, note)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// places opens the databases of addresses.
func (p *planner) places() {
	p.geo = p.s.geo
	if p.newGeo = p.s.geo == nil && len(p.to.Geo) > 0 || !slices.Equal(p.to.Geo, p.s.now.Geo); !p.newGeo {
		return
	}
	p.geo = nil
	for i, file := range p.to.Geo {
		if g, err := enrich.OpenGeo([]string{file}); err != nil {
			p.wrong("geoip", i, "%v", err)
		} else {
			g.Close()
		}
	}
	if len(p.to.Geo) > 0 {
		p.geo, _ = enrich.OpenGeo(p.to.Geo)
	}
}

// fixed tells of settings that only a restart changes.
func (p *plan) fixed(now *Settings) (ws []config.Problem) {
	say := func(name string) {
		ws = append(ws, config.Problem{Where: p.to.Origin.Of(name, -1), What: name + " changes when the server starts again, not before", Warning: true})
	}
	if p.to.Case != now.Case {
		say("case")
	}
	if fmt.Sprint(p.to.Zone) != fmt.Sprint(now.Zone) {
		say("tz")
	}
	if p.to.Threads != now.Threads {
		say("threads")
	}
	if p.to.Window != now.Window {
		say("window")
	}
	if p.to.History != now.History {
		say("history")
	}
	if p.to.Fixed != now.Fixed {
		say("what else the file says of formats, logging or memory")
	}
	return ws
}
