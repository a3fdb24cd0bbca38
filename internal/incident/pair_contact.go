package incident

import "context"

// Connections that a technique found odd, by their rhythm, length or size: they
// happened if a record of a connection says so, which may be one of many others about the
// same, such as of names looked up for it. So more records are looked at.
var _ = register(pairing{
	name: "contact",
	rank: 90,
	applies: func(n *node) bool {
		return n.behaviour == other && (n.f.Kind == "beacon" || n.f.Kind == "long" || n.f.Kind == "volume")
	},
	resolve: func(ctx context.Context, c *court, nodes []*node) error {
		if err := c.detail(ctx, nodes, 50); err != nil {
			return err
		}
		for _, n := range nodes {
			recordedOutcome(n)
		}
		return nil
	},
})
