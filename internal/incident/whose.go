package incident

import (
	"context"
	"fmt"
	"slices"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// An address of the own network that no log of the case is of belongs to a
// machine all the same, and to somebody who sits at it: DHCP leases, VPN sessions
// and logons say so, each for a time. See analyze.ReadLinks.

const whoseMost = 3 // addresses of an incident that are told of

// readWhose tells who and what was at the addresses that findings are from.
func (g *group) readWhose(ctx context.Context, c *court) error {
	if g.merged || c.readLinks == nil {
		return nil
	}
	told := map[string]bool{}
	for _, n := range g.nodes {
		for _, s := range n.f.Entities.Sources {
			a, ok := parseAddress(s)
			if !ok || isOutside(a) || c.owner[a.String()] != "" || n.begun == noTime || told[a.String()] || len(told) == whoseMost {
				continue
			}
			told[a.String()] = true
			at, err := c.linksAt(ctx, a.String(), n.begun)
			if err != nil {
				return err
			}
			text := c.links.Sentence(a.String(), n.begun)
			var ids []string
			for _, l := range at {
				ids = append(ids, l.Evidence[:min(len(l.Evidence), 1)]...) // of as many as there are, the first and the last
				ids = append(ids, l.Evidence[max(0, len(l.Evidence)-1):]...)
			}
			ids = cite(ids)
			if text == "" || len(ids) == 0 {
				continue
			}
			ids = ids[:min(len(ids), attempts)]
			rs, err := c.store.records(ctx, slices.Clone(ids), span{noTime, noTime})
			if err != nil {
				return err
			}
			if len(rs) == 0 {
				continue
			}
			for _, l := range at {
				if l.Kind == "host" {
					g.at = append(g.at, c.hosts.machine(l.Value))
				}
			}
			g.aside = append(g.aside, rs...)
			g.footprint = append(g.footprint, Sentence{sentence(showUpTo(text, maxExplained)), idsOf(rs)})
		}
	}
	return nil
}

// linksOf reads a store's links.
func linksOf(q analyze.Querier) func(context.Context) (*analyze.Links, error) {
	return func(ctx context.Context) (*analyze.Links, error) { return analyze.ReadLinks(ctx, q) }
}

// linksAt returns who and what was at an address at a time.
func (c *court) linksAt(ctx context.Context, address string, t int64) ([]analyze.Link, error) {
	if err := c.needLinks(ctx); err != nil {
		return nil, err
	}
	return c.links.At(address, t), nil
}

// linksDuring returns who and what was at an address at some time of a stretch.
func (c *court) linksDuring(ctx context.Context, address string, from, to int64) ([]analyze.Link, error) {
	if err := c.needLinks(ctx); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(c.links.Always(address), func(l analyze.Link) bool { return l.From > to || l.Until < from }), nil
}

func (c *court) needLinks(ctx context.Context) error {
	if c.links != nil {
		return nil
	}
	links, err := c.readLinks(ctx)
	if err != nil {
		return fmt.Errorf("incidents: ask whose addresses are: %w", err)
	}
	c.links = links
	return nil
}
