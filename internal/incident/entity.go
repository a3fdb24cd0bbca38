package incident

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
)

// A bond is what a finding shares with others: one entity, how strongly it
// says that two findings are of one story, and for how long.
//
// Weights are in units of the strength that makes two findings one incident
// (see link): what weighs 1 or more binds alone while it is fresh, what weighs
// less needs company.
type bond struct {
	key      string        // "user:deploy"
	weight   float64       // before rarity
	halfLife time.Duration // the weight halves with each such gap between findings
	specific bool          // names a person, an outside address or a thing, rather than a place all share
	shared   bool          // grows weaker the more findings have it
}

// The table of bonds. An address from outside keeps its meaning for hours, one
// inside may be NAT or be leased to another machine; a host is where
// everything happens and never binds alone.
const (
	weightOutside       = 2.0
	halfOutside         = 12 * time.Hour
	weightInside        = 1.2
	halfInside          = 2 * time.Hour
	weightInsideTarget  = 0.5
	weightOutsideTarget = 2.0
	halfOutsideTarget   = 24 * time.Hour
	weightUser          = 1.4
	halfUser            = 4 * time.Hour
	weightSharedUser    = 0.7 // admin, ubuntu, postgres: one name, many people
	weightSystemUser    = 0.35
	weightHost          = 0.7
	halfHost            = time.Hour
	weightFile          = 1.3
	halfFile            = 24 * time.Hour
	weightProgram       = 1.0 // a program in a place where programs do not belong
	halfProgram         = 12 * time.Hour
	weightShell         = 2.0 // a web shell, by its host and path
	weightServer        = 1.3 // a web server and the account it runs under
	halfServer          = time.Hour
	weightCommon        = 0.15 // system programs, well-known files, URLs
)

const maxBonds = 24 // of one finding, the heaviest

// Findings of the very same records are of one story. Those of many records are
// left out: what they share may be one of a thousand.
const (
	weightRecord  = 2.0
	halfRecord    = 24 * time.Hour
	recordsBound  = 4
	recordsShared = 25
)

// recordBonds ties findings that see different things in the same records.
func (n *node) recordBonds() {
	if n.behaviour != other || n.f.Count > recordsShared {
		return
	}
	for _, id := range evidenceIDs(n.f, recordsBound) {
		n.bonds = append(n.bonds, bond{"record:" + id, weightRecord, halfRecord, true, false})
	}
	n.bonds = trimBonds(n.bonds)
}

// bondsOf lists what a finding may be tied to others by, at most maxBonds,
// sorted by key. Its hosts go by their names; owner knows whose an address is,
// and services which addresses outside are everybody's.
func bondsOf(e *analyze.Entities, hostNames []string, owner map[string]string, services map[string]bool) []bond {
	var bs []bond
	add := func(b bond, n int) {
		if n > 3 {
			b.weight *= 3 / float64(n) // what is about forty users is about none of them in particular
			b.specific = b.specific && n <= 10
		}
		bs = append(bs, b)
	}
	for _, h := range hostNames {
		add(bond{"host:" + h, weightHost, halfHost, false, true}, len(hostNames))
	}
	// What comes from outside is aimed at the network's own: a public address of
	// a victim is a place, like any host, and not somebody whom it contacted.
	inbound := slices.ContainsFunc(e.Sources, func(v string) bool {
		a, ok := parseAddress(v)
		return ok && isOutside(a) && owner[a.String()] == ""
	})
	address := func(v string, target bool, n int) {
		a, ok := parseAddress(v)
		if !ok {
			return
		}
		key := "address:" + a.String()
		stranger := isOutside(a) && owner[a.String()] == ""
		switch {
		case stranger && target && services[a.String()]:
			add(bond{key, weightInsideTarget, halfHost, false, true}, n)
		case stranger && target && !inbound:
			add(bond{key, weightOutsideTarget, halfOutsideTarget, true, false}, n)
		case stranger && !target:
			add(bond{key, weightOutside, halfOutside, true, false}, n)
		case target:
			add(bond{key, weightInsideTarget, halfHost, false, true}, n)
		default:
			add(bond{key, weightInside, halfInside, false, true}, n)
		}
		if h := owner[a.String()]; h != "" && !slices.Contains(hostNames, h) {
			add(bond{"host:" + h, weightHost, halfHost, false, true}, n)
		}
	}
	for _, v := range e.Sources {
		address(v, false, len(e.Sources))
	}
	for _, v := range e.Destinations {
		address(v, true, len(e.Destinations))
	}
	named := 0
	for _, v := range e.Users {
		if userWeight(userName(v)) == weightUser {
			named++
		}
	}
	for _, v := range e.Users {
		u := userName(v)
		switch w := userWeight(u); w {
		case 0:
		case weightUser:
			add(bond{"user:" + u, w, halfUser, true, true}, named)
		case weightSharedUser:
			add(bond{"user:" + u, w, halfUser, false, true}, len(e.Users))
		default:
			add(bond{"user:" + u, w, halfHost, false, true}, len(e.Users))
		}
	}
	for _, v := range e.Files {
		if p := normalPath(v); oddPlace(p) || !commonFile(p) {
			add(bond{"file:" + p, weightFile, halfFile, true, true}, len(e.Files))
		} else {
			add(bond{"file:" + p, weightCommon, halfHost, false, true}, len(e.Files))
		}
	}
	for _, v := range e.Processes {
		if p := normalPath(v); oddPlace(p) {
			add(bond{"program:" + p, weightProgram, halfProgram, true, true}, len(e.Processes))
		} else {
			add(bond{"program:" + p, weightCommon, halfHost, false, true}, len(e.Processes))
		}
	}
	return trimBonds(bs)
}

// trimBonds keeps the heaviest bond of each key and the heaviest maxBonds,
// sorted by key.
func trimBonds(bs []bond) []bond {
	byKey := func(a, b bond) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return compareDown(a.weight, b.weight)
	}
	slices.SortFunc(bs, byKey)
	bs = slices.CompactFunc(bs, func(a, b bond) bool { return a.key == b.key })
	if len(bs) > maxBonds {
		slices.SortFunc(bs, func(a, b bond) int {
			if c := compareDown(a.weight, b.weight); c != 0 {
				return c
			}
			return strings.Compare(a.key, b.key)
		})
		bs = bs[:maxBonds]
		slices.SortFunc(bs, byKey)
	}
	return bs
}

func compareDown(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

// webUser reports whether programs of web servers run under the account.
func webUser(u string) bool {
	return slices.ContainsFunc(webUsers, func(w string) bool { return strings.EqualFold(w, userName(u)) })
}

// userName takes the domain from a name, as DOMAIN\name or name@domain, and
// its case, which Windows does not keep.
func userName(u string) string {
	u = strings.ToLower(u)
	if i := strings.LastIndexByte(u, '\\'); i >= 0 {
		u = u[i+1:]
	}
	if i := strings.IndexByte(u, '@'); i > 0 {
		u = u[:i]
	}
	return u
}

// systemUsers are accounts that every machine has: they say nothing about who.
var systemUsers = map[string]bool{
	"root": true, "system": true, "local service": true, "network service": true, "anonymous logon": true, "anonymous": true,
	"daemon": true, "nobody": true, "www-data": true, "apache": true, "nginx": true, "sshd": true, "systemd": true, "guest": true,
	"iusr": true, "defaultapppool": true, "unknown": true, "messagebus": true, "syslog": true, "cron": true, "bin": true, "sys": true,
}

// sharedUsers are names that many people and many machines share.
var sharedUsers = map[string]bool{
	"admin": true, "administrator": true, "administrateur": true, "administrador": true, "user": true, "test": true, "ubuntu": true,
	"debian": true, "centos": true, "ec2-user": true, "vagrant": true, "pi": true, "oracle": true, "postgres": true, "mysql": true,
	"git": true, "backup": true, "ftp": true, "support": true, "service": true, "jenkins": true, "ansible": true, "sa": true,
}

// userWeight says how much a normalised name tells of who it is; 0: nothing.
func userWeight(u string) float64 {
	switch {
	case u == "" || u == "-" || u == "(unknown)" || u == "(invalid user)" || u == "n/a":
		return 0
	case systemUsers[u] || strings.HasSuffix(u, "$") || strings.HasPrefix(u, "dwm-") || strings.HasPrefix(u, "umfd-") || strings.HasPrefix(u, "systemd-"):
		return weightSystemUser
	case sharedUsers[u]:
		return weightSharedUser
	}
	return weightUser
}

func parseAddress(v string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(v)
	if err != nil {
		return a, false
	}
	a = a.Unmap().WithZone("")
	return a, !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

func isOutside(a netip.Addr) bool {
	return !a.IsPrivate() && !a.IsLinkLocalUnicast() && !carrierNAT.Contains(a)
}

// outside returns the addresses that are not of a private network.
func outside(vs []string) []string {
	var out []string
	for _, v := range vs {
		if a, ok := parseAddress(v); ok && isOutside(a) {
			out = append(out, a.String())
		}
	}
	return out
}

func normalPath(p string) string { return strings.ToLower(strings.ReplaceAll(p, `\`, "/")) }

// oddPlace reports whether a normal path is where users and malware put
// programs, and packages do not.
func oddPlace(p string) bool {
	if !strings.Contains(p, "/") {
		return false
	}
	for _, dir := range []string{
		"/tmp/", "/var/tmp/", "/dev/shm/", "/users/", "/home/", "/root/", "/temp/", "/programdata/", "/perflogs/", "/$recycle.bin/", "/var/www/", "/inetpub/", "/run/user/",
	} {
		if strings.Contains(p, dir) {
			return true
		}
	}
	return false
}

// commonFile reports whether a normal path names something that all hosts have.
func commonFile(p string) bool {
	for _, dir := range []string{"/etc/", "/dev/", "/proc/", "/sys/", "/usr/", "/bin/", "/sbin/", "/lib", "/var/log/", "/var/lib/", "/windows/", "/program files"} {
		if strings.HasPrefix(p, dir) || len(p) > 2 && p[1] == ':' && strings.HasPrefix(p[2:], dir) {
			return true
		}
	}
	return path.Base(p) == p // a bare name
}

// loopback reports whether a value is an address by which a host talks to itself.
func loopback(v string) bool {
	a, err := netip.ParseAddr(v)
	return err == nil && a.Unmap().IsLoopback()
}
