package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A host of the case that calls out in a way that is odd began to at some time,
// and something had made it: what ran on it just then, and what services it had
// not had before. What it fetched from the very address belongs to it as well.

const (
	originBefore = 3 * time.Minute
	originAfter  = time.Minute
	originEach   = 10 // commands, and messages, told
	originHosts  = 3
	originKnown  = 6 * time.Hour // that a host's logs reach back: before, all is new
)

// callsOut reports whether a finding is of how a host talks to somewhere outside.
func (n *node) callsOut() bool {
	return n.f.Kind == "beacon" || n.f.Kind == "long" || n.f.Kind == "volume"
}

// callers names the hosts that talk out: those whose addresses a finding has as sources.
func (c *court) callers(n *node) []string {
	var hs []string
	if n.callsOut() {
		for _, s := range n.f.Entities.Sources {
			if a, ok := parseAddress(s); ok && c.owner[a.String()] != "" {
				hs = append(hs, c.owner[a.String()])
			}
		}
	}
	return names(hs)
}

// readOrigin gathers what was done on the hosts when they began to call.
func (g *group) readOrigin(ctx context.Context, c *court) error {
	told := 0
	for _, n := range g.nodes {
		to := outside(n.f.Entities.Destinations)
		if g.merged || !n.callsOut() || n.begun == noTime || len(to) == 0 || len(to) > originHosts {
			continue
		}
		for _, h := range c.callers(n) {
			if told++; told > originHosts {
				return nil
			}
			if c.budget--; c.budget < 0 {
				return nil
			}
			flows, err := c.store.flows(ctx, c.owns[h], to, span{n.begun - int64(2*sessionReach), n.done}, 200)
			if err != nil {
				return err
			}
			began := n.begun
			for i := range flows {
				began = min(began, flows[i].began())
			}
			early := slices.DeleteFunc(flows, func(r record) bool { return r.began() > n.begun })
			if len(early) > 0 {
				early = spreadRecords(early, originEach)
				text := fmt.Sprintf("%s first contacted %s at %s", hostPhrase(h), some(to, "addresses"), clock(began))
				var got []string
				for i := range early {
					if r := &early[i]; r.url != "" && !slices.Contains(got, r.url) {
						got = append(got, r.url)
					}
				}
				if len(got) > 0 {
					text += ", and fetched " + list(got, 4)
				}
				g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(early)})
				g.quiet = append(g.quiet, early...)
			}
			if err := g.tellBeginning(ctx, c, h, began); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginning returns what ran on a host about a time, and what its service manager
// said that it had not said before.
func (c *court) beginning(ctx context.Context, host string, at int64) (ran, said []record, err error) {
	rs, err := c.store.doings(ctx, []string{host}, span{at - int64(originBefore), at + int64(originAfter)}, 500)
	if err != nil {
		return nil, nil, err
	}
	since := c.logs.since(host)
	known := since != noTime && since <= at-int64(originKnown)
	for _, r := range rs {
		switch name := programName(&r); {
		case name == "sudo" && r.command != "", r.is("process") && r.has("start") && r.command != "" && name != "conhost.exe" && parentProgram(&r) != "cron":
			if len(ran) < originEach {
				ran = append(ran, r)
			}
		case known && name == "systemd" && strings.HasPrefix(r.message, "Started ") && !strings.Contains(r.message, ".scope") && len(said) < originEach:
			before, err := c.store.saidBefore(ctx, host, r.message, r.time-1)
			if err != nil {
				return nil, nil, err
			}
			if !before {
				said = append(said, r)
			}
		}
	}
	return ran, said, nil
}

// tellBeginning tells of it.
func (g *group) tellBeginning(ctx context.Context, c *court, host string, at int64) error {
	ran, said, err := c.beginning(ctx, host, at)
	if err != nil {
		return err
	}
	if len(ran) > 0 {
		var commands []string
		for i := range ran {
			if p := programPhrase(&ran[i]); !slices.Contains(commands, p) {
				commands = append(commands, p)
			}
		}
		text := fmt.Sprintf("about that time %s ran %s", hostPhrase(host), list(commands, 4))
		g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(ran)})
		g.quiet = append(g.quiet, ran...)
		if len(said) > 0 { // one of them may have brought the service
			g.movers = append(g.movers, people(usersOf(ran))...)
		}
	}
	if len(said) > 0 {
		g.began = append(g.began, said...)
		g.techniques = append(g.techniques, "T1543.002")
		var lines []string
		for i := range said {
			lines = append(lines, `"`+show(strings.TrimSuffix(said[i].message, "."))+`"`)
		}
		text := fmt.Sprintf("about that time the service manager of %s said what it had not before: %s", hostPhrase(host), list(lines, 4))
		g.footprint = append(g.footprint, Sentence{sentence(text), idsOf(said)})
		g.quiet = append(g.quiet, said...)
	}
	return nil
}
