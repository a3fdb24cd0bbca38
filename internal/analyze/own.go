package analyze

import (
	"maps"
	"net/netip"
	"slices"
)

// homes learns which public addresses are of one's own network. Private ones are (inside). Of others it is
// so if a log says it: they are of a host that writes logs (host.ip), or of the near end of a connection whose
// direction the log knows. And a sensor sees only what crosses the border of its network, so that each
// connection between public addresses has an end in it: the few networks that have an end in all of them, each with many
// others, are one's own.
type homes struct {
	told  map[netip.Addr]bool
	links map[[2]netip.Prefix]bool // between public networks, the lesser first
}

const (
	maxTold      = 20_000
	maxHomeLinks = 50_000
	homeLinks    = 20   // other networks that one's own must deal with
	homeShare    = 0.25 // of the links that are not of a network found before
)

func newHomes() homes { return homes{map[netip.Addr]bool{}, map[[2]netip.Prefix]bool{}} }

// homesDigest is what a batch says of it.
type homesDigest struct {
	told  []netip.Addr
	links [][2]netip.Prefix
}

// homesOf collects it from rows.
func homesOf(rs *rows) (d homesDigest) {
	public := map[sym]netip.Addr{}
	of := func(s sym) netip.Addr {
		if s == 0 {
			return netip.Addr{}
		}
		a, known := public[s]
		if !known {
			if outside(rs.names[s]) {
				a, _ = address(rs.names[s])
			}
			public[s] = a
		}
		return a
	}
	type pair struct{ a, b sym }
	linked, told := map[pair]bool{}, map[sym]bool{}
	tell := func(s sym) {
		if a := of(s); a.IsValid() && !told[s] {
			told[s] = true
			d.told = append(d.told, a)
		}
	}
	for i := range rs.list {
		r := &rs.list[i]
		tell(r.hostIP)
		switch r.direction {
		case outbound:
			tell(r.source)
		case inbound:
			tell(r.destination)
		}
		if !r.has(network) || r.has(alert) || r.source == 0 || r.destination == 0 || linked[pair{r.source, r.destination}] {
			continue
		}
		linked[pair{r.source, r.destination}] = true
		a, b := of(r.source), of(r.destination)
		if !a.IsValid() || !b.IsValid() {
			continue
		}
		x, y := networkOf(a), networkOf(b)
		if y.Compare(x) < 0 {
			x, y = y, x
		}
		if x != y {
			d.links = append(d.links, [2]netip.Prefix{x, y})
		}
	}
	return d
}

// networkOf is the network that an address is assigned with, as far as it can be known: a /24, of IPv6 a /48.
func networkOf(a netip.Addr) netip.Prefix {
	n := 24
	if a.Is6() {
		n = 48
	}
	p, _ := a.WithZone("").Prefix(n)
	return p
}

func (h *homes) merge(d homesDigest) {
	for _, a := range d.told {
		if len(h.told) < maxTold {
			h.told[a] = true
		}
	}
	for _, l := range d.links {
		if len(h.links) < maxHomeLinks {
			h.links[l] = true
		}
	}
}

// own returns a function that says whether an address is of one's own network.
func (h *homes) own() func(address string) bool {
	networks := map[netip.Prefix]bool{}
	rest := slices.Collect(maps.Keys(h.links))
	for len(rest) > 0 {
		degree := map[netip.Prefix]int{}
		var best netip.Prefix
		for _, l := range rest {
			for _, p := range l {
				degree[p]++
			}
		}
		for p, n := range degree {
			if m := degree[best]; n > m || n == m && p.Compare(best) < 0 {
				best = p
			}
		}
		if n := degree[best]; n < homeLinks || float64(n) < homeShare*float64(len(rest)) {
			break
		}
		networks[best] = true
		rest = slices.DeleteFunc(rest, func(l [2]netip.Prefix) bool { return l[0] == best || l[1] == best })
	}
	return func(s string) bool {
		if inside(s) {
			return true
		}
		a, ok := address(s)
		return ok && outside(s) && (h.told[a] || networks[networkOf(a)])
	}
}
