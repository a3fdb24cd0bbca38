package incident

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
)

// hostNames knows that logs spell one host in several ways: WEB1, web1 and,
// where only one domain has a host of that name, web1.example.com.
type hostNames struct {
	name   map[string]string   // as spelt → as this package names it: the shortest spelling
	spelt  map[string][]string // and back
	labels map[string][]string // first label, lower case → names
}

func nameHosts(all []string) *hostNames {
	full := map[string]map[string]bool{} // short name → full names, lower case
	bare := map[string]bool{}
	all = slices.Clone(all)
	slices.Sort(all)
	all = slices.Compact(all)
	key := func(h string) string {
		h = strings.ToLower(h)
		short, _, dotted := strings.Cut(h, ".")
		if _, err := netip.ParseAddr(h); err == nil || !dotted || short == "" {
			return h
		}
		if len(full[short]) == 1 && bare[short] {
			return short
		}
		return h
	}
	for _, h := range all {
		h = strings.ToLower(h)
		short, _, dotted := strings.Cut(h, ".")
		if !dotted {
			bare[h] = true
		} else if full[short] == nil {
			full[short] = map[string]bool{h: true}
		} else {
			full[short][h] = true
		}
	}
	groups := map[string][]string{}
	for _, h := range all {
		if hostName(h) != "" {
			k := key(h)
			groups[k] = append(groups[k], h)
		}
	}
	n := &hostNames{map[string]string{}, map[string][]string{}, map[string][]string{}}
	for _, spellings := range groups {
		name := slices.MinFunc(spellings, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
		})
		for _, s := range spellings {
			n.name[s] = name
		}
		n.spelt[name] = spellings
		label, _, _ := strings.Cut(strings.ToLower(name), ".")
		if _, err := netip.ParseAddr(name); err != nil {
			n.labels[label] = append(n.labels[label], name)
		}
	}
	return n
}

// of returns the host's name, "" for what names no machine.
func (n *hostNames) of(spelling string) string {
	return cmp.Or(n.name[spelling], hostName(spelling))
}

// machine returns the name of the host that another log calls so, by its first
// label where only one host has it; nil knows none.
func (n *hostNames) machine(called string) string {
	if n == nil {
		return hostName(called)
	}
	if h := n.name[called]; h != "" {
		return h
	}
	label, _, _ := strings.Cut(strings.ToLower(called), ".")
	if hs := n.labels[label]; len(hs) == 1 {
		return hs[0]
	}
	return hostName(called)
}

// all returns the names of hosts, sorted, each once.
func (n *hostNames) all(spellings []string) []string {
	var hs []string
	for _, s := range spellings {
		if h := n.of(s); h != "" {
			hs = append(hs, h)
		}
	}
	slices.Sort(hs)
	return slices.Compact(hs)
}

// spellings returns all that the hosts are called in logs.
func (n *hostNames) spellings(hosts []string) []string {
	var out []string
	for _, h := range hosts {
		if s := n.spelt[h]; len(s) > 0 {
			out = append(out, s...)
		} else {
			out = append(out, h)
		}
	}
	return out
}

// hostName drops names that all machines have.
func hostName(h string) string {
	switch strings.ToLower(h) {
	case "", "-", "localhost", "localhost.localdomain", "127.0.0.1", "::1":
		return ""
	}
	return h
}

// named is a store that speaks of hosts by their names.
type named struct {
	evidenceStore
	hosts  *hostNames
	places places
}

func (s named) rename(rs []record, err error) ([]record, error) {
	for i := range rs {
		rs[i].host = cmp.Or(s.hosts.of(rs[i].host), s.places.of(rs[i].path, rs[i].dataset))
	}
	return rs, err
}

func (s named) records(ctx context.Context, ids []string, sp span) ([]record, error) {
	return s.rename(s.evidenceStore.records(ctx, ids, sp))
}

func (s named) logins(ctx context.Context, sources []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.logins(ctx, sources, sp, limit))
}

func (s named) failures(ctx context.Context, sources []string, sp span, limit int) ([]tally, error) {
	ts, err := s.evidenceStore.failures(ctx, sources, sp, limit)
	for i := range ts {
		ts[i].host = s.hosts.of(ts[i].host)
	}
	return ts, err
}

func (s named) userLogins(ctx context.Context, users, hosts []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.userLogins(ctx, users, s.hosts.spellings(hosts), sp, limit))
}

func (s named) refusals(ctx context.Context, users, hosts []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.refusals(ctx, users, s.hosts.spellings(hosts), sp, limit))
}

func (s named) ofMachines(ctx context.Context, accepted bool, names, hosts []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.ofMachines(ctx, accepted, names, s.hosts.spellings(hosts), sp, limit))
}

func (s named) doings(ctx context.Context, hosts []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.doings(ctx, s.hosts.spellings(hosts), sp, limit))
}

func (s named) saidBefore(ctx context.Context, host, message string, to int64) (bool, error) {
	for _, h := range s.hosts.spellings([]string{host}) {
		if said, err := s.evidenceStore.saidBefore(ctx, h, message, to); said || err != nil {
			return said, err
		}
	}
	return false, nil
}

func (s named) calls(ctx context.Context, callers, sources []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.calls(ctx, callers, sources, sp, limit))
}

func (s named) visits(ctx context.Context, users []string, sp span, limit int) ([]visit, error) {
	vs, err := s.evidenceStore.visits(ctx, users, sp, limit)
	for i := range vs {
		vs[i].host = s.hosts.of(vs[i].host)
	}
	return vs, err
}

func (s named) requests(ctx context.Context, source string, low, high int, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.requests(ctx, source, low, high, sp, limit))
}

func (s named) startedBy(ctx context.Context, hosts, parents, users []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.startedBy(ctx, s.hosts.spellings(hosts), parents, users, sp, limit))
}

func (s named) flows(ctx context.Context, sources, destinations []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.flows(ctx, sources, destinations, sp, limit))
}

func (s named) connections(ctx context.Context, sources []string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.connections(ctx, sources, sp, limit))
}

func (s named) seen(ctx context.Context, source string, sp span, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.seen(ctx, source, sp, limit))
}

func (s named) sessionEnds(ctx context.Context, hosts []string, pid string, sp span) ([]record, error) {
	return s.rename(s.evidenceStore.sessionEnds(ctx, s.hosts.spellings(hosts), pid, sp))
}

func (s named) ofProcesses(ctx context.Context, sp span, ids []string, children, starts bool, limit int) ([]record, error) {
	return s.rename(s.evidenceStore.ofProcesses(ctx, sp, ids, children, starts, limit))
}
