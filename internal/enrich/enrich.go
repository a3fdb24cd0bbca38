// Package enrich adds to an event what follows from its own fields: the
// related.* lists for pivoting, addresses that stand only in *.address, and what
// the two ends of a connection say of it (network.type, direction, community_id).
// It adds nothing that the record does not imply but for what geolocation databases say
// of its addresses, where some are given.
package enrich

import (
	"net/netip"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Enricher enriches events; one per goroutine. The zero Enricher is ready.
type Enricher struct {
	Geo *Geo // nil: addresses are not looked up

	seen   []related
	places [2]map[string]place // of sources and destinations that were looked up
}

// related is one value of a related.* list.
type related struct {
	list  list
	known bool // the event has it in the list already
	value string
}

type list uint8

const (
	none list = iota
	ips
	users
	hosts
	hashes
)

var listNames = [...]string{ips: "related.ip", users: "related.user", hosts: "related.hosts", hashes: "related.hash"}

// listOf says which related.* list a field feeds (ECS, "related fields"). It runs
// for every field of every event.
func listOf(name string) list {
	if len(name) < 7 || len(name) > 23 {
		return none
	}
	switch name {
	case "source.ip", "destination.ip", "client.ip", "server.ip", "host.ip", "observer.ip", "source.nat.ip", "destination.nat.ip",
		"dns.resolved_ip", "network.forwarded_ip":
		return ips
	case "user.name", "user.target.name", "user.effective.name", "user.changes.name", "source.user.name", "destination.user.name",
		"client.user.name", "server.user.name":
		return users
	case "host.name", "host.hostname", "source.domain", "destination.domain", "client.domain", "server.domain", "url.domain",
		"observer.name", "observer.hostname", "dns.question.name", "tls.client.server_name":
		return hosts
	case "file.hash.md5", "file.hash.sha1", "file.hash.sha256", "file.hash.sha512", "file.hash.imphash", "process.hash.md5", "process.hash.sha1",
		"process.hash.sha256", "process.hash.imphash", "dll.hash.md5", "dll.hash.sha1", "dll.hash.sha256", "dll.hash.imphash", "file.pe.imphash", "process.pe.imphash",
		"tls.server.hash.sha1", "tls.server.hash.sha256", "tls.client.ja3", "tls.server.ja3s":
		return hashes
	}
	return none
}

const maxRelated = 64 // values of an event

// Enrich completes the event that was built last in b.
func (en *Enricher) Enrich(b *event.Batch) {
	e := b.Event()
	en.seen = en.seen[:0]
	var ends [2]end
	var transport, icmpType, icmpCode string
	var has struct{ direction, kind, community bool }
	for i := range e.Fields {
		f := &e.Fields[i]
		switch f.Name {
		case "source.ip":
			ends[0].ip = f.Value
		case "source.address":
			ends[0].address = f.Value
		case "source.port":
			ends[0].port = f.Value
		case "destination.ip":
			ends[1].ip = f.Value
		case "destination.address":
			ends[1].address = f.Value
		case "destination.port":
			ends[1].port = f.Value
		case "network.transport":
			transport = f.Value
		case "network.direction":
			has.direction = true
		case "network.type":
			has.kind = true
		case "network.community_id":
			has.community = true
		case "related.ip":
			en.note(ips, f.Value, true)
		case "related.user":
			en.note(users, f.Value, true)
		case "related.hosts":
			en.note(hosts, f.Value, true)
		case "related.hash":
			en.note(hashes, f.Value, true)
		default:
			if l := listOf(f.Name); l != none {
				// A host that is an address is one; an observer's name names it whatever it looks like.
				if l == hosts && !strings.HasPrefix(f.Name, "observer.") && looksLikeIP(f.Value) {
					l = ips
				}
				en.note(l, f.Value, false)
			} else if n := len(f.Name); n >= 9 && f.Name[n-9:n-5] == "icmp" { // "iptables.icmp.type", "cisco.asa.icmp_code"
				switch f.Name[n-4:] {
				case "type":
					icmpType = f.Value
				case "code":
					icmpCode = f.Value
				}
			}
		}
	}
	for i, name := range [...]string{"source.ip", "destination.ip"} {
		if ends[i].ip == "" && ends[i].address != "" && looksLikeIP(ends[i].address) {
			ends[i].ip = ends[i].address
			b.Add(name, ends[i].ip)
		}
		en.note(ips, ends[i].ip, false)
	}
	for _, r := range en.seen {
		if !r.known {
			b.Add(listNames[r.list], r.value)
		}
	}
	if ends[0].ip != "" && ends[1].ip != "" {
		source, err1 := netip.ParseAddr(ends[0].ip)
		destination, err2 := netip.ParseAddr(ends[1].ip)
		if err1 == nil && err2 == nil {
			if !has.kind {
				b.Add("network.type", networkType(source))
			}
			if !has.direction {
				b.Add("network.direction", direction(source, destination))
			}
			if !has.community {
				if transport == "icmp" || transport == "ipv6-icmp" {
					ends[0].port, ends[1].port = icmpType, icmpCode
				}
				b.Add("network.community_id", communityID(source, destination, ends[0].port, ends[1].port, transport, b))
			}
		}
	}
	if en.Geo != nil {
		en.locate(b, "source.", ends[0].ip)
		en.locate(b, "destination.", ends[1].ip)
	}
	clear(en.seen)
}

// end is one end of a connection.
type end struct{ ip, address, port string }

// note remembers a value for its list, once.
func (en *Enricher) note(l list, value string, known bool) {
	if value == "" || value == "-" || len(en.seen) >= maxRelated {
		return
	}
	for i := range en.seen {
		if en.seen[i].list == l && en.seen[i].value == value {
			en.seen[i].known = en.seen[i].known || known
			return
		}
	}
	en.seen = append(en.seen, related{l, known, value})
}

func looksLikeIP(s string) bool {
	if len(s) > 60 || s == "" {
		return false
	}
	if c := s[0] | 0x20; (s[0] < '0' || '9' < s[0]) && (c < 'a' || 'f' < c) && s[0] != ':' {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func networkType(a netip.Addr) string {
	if a.Is4() || a.Is4In6() {
		return "ipv4"
	}
	return "ipv6"
}

// direction is ECS's network.direction as seen from the private networks.
func direction(source, destination netip.Addr) string {
	switch in, out := internal(source), internal(destination); {
	case in && out:
		return "internal"
	case in:
		return "outbound"
	case out:
		return "inbound"
	}
	return "external"
}

func internal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
		a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
