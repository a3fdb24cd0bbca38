// Package enrich adds to an event what follows from its fields: the related.*
// lists for pivoting, and the direction of network traffic.
package enrich

import (
	"net/netip"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Enricher enriches events; one per goroutine.
type Enricher struct {
	seen []related
}

// related is one value of a related.* list.
type related struct{ list, value string }

// lists says which fields feed which related.* list (ECS, "related fields").
var lists = map[string]string{
	"source.ip": "related.ip", "destination.ip": "related.ip", "client.ip": "related.ip", "server.ip": "related.ip",
	"host.ip": "related.ip", "source.nat.ip": "related.ip", "destination.nat.ip": "related.ip", "dns.resolved_ip": "related.ip",
	"observer.ip": "related.ip", "network.forwarded_ip": "related.ip",
	"user.name": "related.user", "user.target.name": "related.user", "user.effective.name": "related.user",
	"user.changes.name": "related.user", "source.user.name": "related.user", "destination.user.name": "related.user",
	"host.name": "related.hosts", "host.hostname": "related.hosts", "source.domain": "related.hosts",
	"destination.domain": "related.hosts", "server.domain": "related.hosts", "client.domain": "related.hosts", "observer.name": "related.hosts",
	"file.hash.md5": "related.hash", "file.hash.sha1": "related.hash", "file.hash.sha256": "related.hash",
	"process.hash.md5": "related.hash", "process.hash.sha1": "related.hash", "process.hash.sha256": "related.hash",
	"dll.hash.md5": "related.hash", "dll.hash.sha1": "related.hash", "dll.hash.sha256": "related.hash",
	"tls.server.hash.sha1": "related.hash",
}

const maxRelated = 64 // values of an event

// Enrich completes the event that was built last in b.
func (en *Enricher) Enrich(b *event.Batch) {
	e := b.Event()
	en.seen = en.seen[:0]
	var source, destination string
	direction := false
	for i := range e.Fields {
		f := &e.Fields[i]
		switch f.Name {
		case "source.ip":
			source = f.Value
		case "destination.ip":
			destination = f.Value
		case "network.direction":
			direction = true
		}
		if strings.HasPrefix(f.Name, "related.") {
			en.seen = append(en.seen, related{f.Name, f.Value}) // the decoder's own
			continue
		}
		if list, ok := lists[f.Name]; ok && f.Value != "" && len(en.seen) < maxRelated {
			en.seen = append(en.seen, related{list, f.Value})
		}
	}
	for i, r := range en.seen {
		known := false
		for _, before := range en.seen[:i] {
			known = known || before == r
		}
		if !known && !has(e, r) {
			b.Add(r.list, r.value)
		}
	}
	if !direction && source != "" && destination != "" {
		if d := directionOf(source, destination); d != "" {
			b.Add("network.direction", d)
		}
	}
	clear(en.seen)
}

func has(e *event.Event, r related) bool {
	for i := range e.Fields {
		if e.Fields[i].Name == r.list && e.Fields[i].Value == r.value {
			return true
		}
	}
	return false
}

// directionOf is ECS network.direction as seen from the private networks.
func directionOf(source, destination string) string {
	s, err1 := netip.ParseAddr(source)
	d, err2 := netip.ParseAddr(destination)
	if err1 != nil || err2 != nil {
		return ""
	}
	switch in, out := internal(s), internal(d); {
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
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsMulticast() || a.IsUnspecified()
}
