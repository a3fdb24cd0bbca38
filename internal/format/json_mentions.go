package format

import (
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// mentions adds to related.* what a record's values are, whatever their names mean: addresses, hashes and the hosts of URLs by
// their form; users, mail addresses and hosts where the last part of the name says so; and in texts what is recognised in
// any text.
type mentions struct {
	scan  [maxMentionDepth]event.Scanner // for the objects in arrays, by depth
	facts textFacts

	b                         *event.Batch
	ips, users, hosts, hashes int
	texts                     int
}

var mentionPool = sync.Pool{New: func() any {
	m := &mentions{}
	for i := range m.scan {
		m.scan[i].Tag = nameTag
	}
	return m
}}

const (
	maxMentioned    = 32 // values of each kind
	maxMentionDepth = 4  // arrays within arrays
	maxMentionTexts = 8
)

func (m *mentions) add(leaves []event.Leaf, b *event.Batch) {
	m.b, m.ips, m.users, m.hosts, m.hashes, m.texts = b, 0, 0, 0, 0, 0
	m.leaves(leaves, 0)
	m.b = nil
}

func (m *mentions) leaves(leaves []event.Leaf, depth int) {
	for i := range leaves {
		l := &leaves[i]
		switch v := l.Value; {
		case l.Kind == event.JSON:
			m.array(v, depth)
		case l.Kind == event.Number: // the few digits of a local account tell nobody apart
			if l.Name.Tag&tagUser != 0 && len(v) > 4 && tagAlias(l.Name.Tag) == aliasUserID {
				m.user(v)
			}
		case l.Kind == event.String && len(v) > 1 && v != "null" && v != "unknown":
			m.value(v, l.Name)
		}
	}
}

// array looks into the objects of an array.
func (m *mentions) array(array string, depth int) {
	if depth >= maxMentionDepth || array == "" || array[0] != '[' {
		return
	}
	p := []byte(array)
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < maxCloudObjects; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			return
		}
		leaves, err := m.scan[depth].Scan(array[i:i+size], m.b)
		if err != nil {
			return
		}
		m.leaves(leaves, depth+1)
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
}

func (m *mentions) value(v string, name *event.Name) {
	switch n := len(v); {
	case n > 128:
		m.text(v)
		return
	case n >= 7 && n <= 45 && isIP(v):
		m.ip(v)
		return
	case n == 32 || n == 40 || n == 64 || n == 128:
		if isHash(v, n) {
			if m.hashes++; m.hashes <= maxMentioned && namesHash(name.Path) {
				m.b.Add("related.hash", v)
			}
			return
		}
	}
	switch {
	case name.Tag&tagUser != 0:
		m.user(v)
		if mailAddress(v, "") { // who signs in by it is the account before the sign
			local, _, _ := strings.Cut(v, "@")
			m.user(local)
		}
	case strings.IndexByte(v, '@') > 0 && mailAddress(v, name.Path):
		m.user(v)
	case name.Tag&tagHost != 0:
		v = strings.TrimSuffix(v, ".")
		if isHost(v) {
			m.host(v)
		} else if host, port := splitPort(v); port != "" {
			m.end(host)
		}
	case strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://"):
		host := v[strings.Index(v, "://")+3:]
		if i := strings.IndexByte(host, '?'); i > 0 {
			m.query(host[i+1:])
		}
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		host, _ = splitPort(host[strings.LastIndexByte(host, '@')+1:])
		m.end(strings.Trim(host, "[]"))
	case v[0] == '/' && isIP(v[1:]): // as Java shows an address without a name
		m.ip(v[1:])
	case fuzzyHash(name.Path):
		if m.hashes++; m.hashes <= maxMentioned {
			m.b.Add("related.hash", v)
		}
	default:
		if host, port := splitPort(v); port != "" && isIP(host) {
			m.ip(host)
		} else if port != "" && isFullName(host) {
			m.host(host)
		} else if port == "" && isFullName(strings.TrimSuffix(v, ".")) && namesPeer(name.Path) {
			m.host(strings.TrimSuffix(v, "."))
		} else if ip, port, ok := strings.Cut(v, "#"); ok && isDigits(port) && isIP(ip) { // as BIND shows a peer
			m.ip(ip)
		} else if strings.IndexByte(v, ' ') > 0 || strings.IndexByte(v, ',') > 0 {
			m.text(v)
		}
	}
}

// text reads what a person may have written.
func (m *mentions) text(v string) {
	if m.texts++; m.texts <= maxMentionTexts {
		m.facts.add(v[:min(len(v), 2<<10)], false, m.b)
	}
}

func (m *mentions) ip(v string) {
	if m.ips++; m.ips <= maxMentioned {
		m.b.Add("related.ip", v)
	}
}

func (m *mentions) user(v string) {
	if m.users++; m.users <= maxMentioned && len(v) <= 128 {
		m.b.Add("related.user", v)
	}
}

func (m *mentions) host(v string) {
	if m.hosts++; m.hosts <= maxMentioned {
		m.b.Add("related.hosts", v)
	}
}

// query takes the user of a URL's query: "username=alice&page=2".
func (m *mentions) query(s string) {
	for n := 0; s != "" && n < 16; n++ {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "user", "username", "user_name", "login":
			if isUserName(value) {
				m.user(value)
			}
		}
	}
}

// end is the host of a URL or a peer.
func (m *mentions) end(host string) {
	switch {
	case isIP(host):
		m.ip(host)
	case isHostName(host):
		m.host(host)
	}
}

// persons are the parts of names that stand for somebody: what is below them as name or id is that of a user.
var persons = map[string]bool{
	"user": true, "actor": true, "author": true, "account": true, "owner": true, "principal": true, "initiator": true, "creator": true, "createdby": true, "updatedby": true, "modifiedby": true, "assignee": true,
	"requester": true, "caller": true, "operator": true, "admin": true, "member": true, "targetuser": true, "sourceuser": true, "useridentity": true, "performedby": true, "triggeredby": true, "person": true,
}

// namesPerson reports whether the last part of a path, key, is the name or the id of what its parent says is a person.
func namesPerson(path, key string) bool {
	switch key {
	case "name", "id", "displayname", "login", "uid", "principalid":
	default:
		return persons[key] && key != "caller" && key != "account" && key != "member" && key != "owner" && key != "principal" && key != "admin"
	}
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return false
	}
	parent := path[:i]
	return persons[plainName(parent[strings.LastIndexByte(parent, '.')+1:])]
}

// namesPeer reports whether a name is one under which the name of a host may stand, as other things may.
func namesPeer(path string) bool {
	switch plainName(path[strings.LastIndexByte(path, '.')+1:]) {
	case "uri", "url", "helo", "ehlo", "relay", "peer", "sni", "server", "address", "remoteaddress", "remote", "target", "site", "origin":
		return true
	}
	return false
}

// fuzzyHash reports whether a name is that of a digest that is written otherwise than in the hexadecimal digits of the common ones.
func fuzzyHash(path string) bool {
	switch plainName(path[strings.LastIndexByte(path, '.')+1:]) {
	case "ssdeep", "tlsh", "imphash", "pehash", "vhash", "telfhash", "authentihash":
		return true
	}
	return false
}

// namesMachine reports whether the last part of a path, key, is the name of what its parent says is a machine.
func namesMachine(path, key string) bool {
	if key != "name" && key != "displayname" {
		return false
	}
	parent := strings.TrimSuffix(path[:len(path)-len(path[strings.LastIndexByte(path, '.')+1:])], ".")
	switch plainName(parent[strings.LastIndexByte(parent, '.')+1:]) {
	case "host", "device", "endpoint", "machine", "computer", "workstation", "server":
		return true
	}
	return false
}

// mailAddress reports whether v is an address of electronic mail (RFC 5321), and no identifier of a message.
func mailAddress(v, path string) bool {
	local, domain, ok := strings.Cut(v, "@")
	if !ok || local == "" || len(v) > 128 || strings.IndexByte(domain, '.') <= 0 || !isHostName(domain) {
		return false
	}
	for i := range len(local) {
		if c := local[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`<>()[],;:\"/`, c) >= 0 {
			return false
		}
	}
	top := domain[strings.LastIndexByte(domain, '.')+1:]
	return len(top) >= 2 && !strings.ContainsAny(top, "0123456789-_") &&
		!endsIn(plainName(path[strings.LastIndexByte(path, '.')+1:]), "messageid", "msgid", "references", "inreplyto", "mid")
}

// namesHash reports whether a name promises a hash, and not an identifier of hex digits.
func namesHash(path string) bool {
	last := plainName(path[strings.LastIndexByte(path, '.')+1:])
	switch last {
	case "value": // of what its parent says: "hashes": [{"value": …}]
		parent := strings.TrimSuffix(path, ".value")
		last = plainName(parent[strings.LastIndexByte(parent, '.')+1:])
	case "indicator", "ioc", "indicatorvalue", "iocvalue", "observable", "observablevalue":
		return true
	}
	return strings.Contains(last, "md5") || strings.Contains(last, "sha") || strings.Contains(last, "hash") || strings.Contains(last, "fingerprint") || strings.Contains(last, "checksum") || strings.Contains(last, "digest")
}
