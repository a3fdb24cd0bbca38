package analyze

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// rows is a batch as the techniques that count see it: of each event that has a
// time, the few fields they work on, with names as small numbers. It is made once for
// all of them, since looking through the fields of every event is what costs.
type rows struct {
	events []event.Event
	list   []row
	names  []string       // by sym; the event's own strings, until kept
	kept   []string       // clones of names, by sym, "" while not needed
	syms   map[string]sym // of names
}

// sym is a name in rows.names; 0 is none.
type sym uint32

// row is one event. Numbers that the event does not have are -1.
type row struct {
	time int64
	at   int32 // index of the event in its batch
	kind kind

	dataset, host, user, action sym
	source, destination, domain sym // source.ip, destination.ip; the name that was asked for or talked to
	process, parent             sym
	country, as                 sym // of the source: the country, the autonomous system
	hostIP                      sym // host.ip, of several the last
	direction                   direction
	question                    string
	outcome                     outcome
	port                        uint16 // of the destination; 0 unknown
	sourcePort                  uint16
	status                      int16 // of the HTTP response
	out, in, duration           int64 // bytes from source to destination and back; ns
	latitude, longitude         float32
	located                     bool // latitude and longitude are known
	qtype, rcode                string
	answered                    bool // a DNS record that has an answer
}

// kind is what an event is about, from event.category and event.type.
type kind uint16

const (
	authentication kind = 1 << iota
	network
	web
	processes
	started    // event.type start
	ended      // event.type end, or access: the record is of the whole
	connection // event.type connection, or allowed or denied by a firewall
	denied
	alert // event.kind alert: a copy of what other records tell
	session
	files
	announced // an attempt to log in, which a record of its refusal follows or not
	leaving   // the end of a connection without a login, of whose refusals there are records or not
)

// tries counts records of attempts to log in: refusals, attempts announced, ends of connections; see Attempts.
type tries [3]int32

func (t *tries) add(k kind) {
	switch {
	case k&leaving != 0:
		t[2]++
	case k&announced != 0:
		t[1]++
	default:
		t[0]++
	}
}

func (t *tries) merge(o tries) {
	for i, n := range o {
		t[i] += n
	}
}

// count is how many attempts there were.
func (t *tries) count() int { return Attempts(int(t[0]), int(t[1]), int(t[2])) }

// Announced and Leaving are LogsQL for records of failed logins that are not themselves a refusal: sshd's of a name that it does not know, and of a
// connection that ended without a login.
const (
	Announced = `("system.auth.ssh.event":in("Invalid","Illegal") or "event.action":="ssh_invalid_user")`
	Leaving   = `"event.action":in("ssh_preauth_disconnect","ssh_max_attempts")`
)

// Attempts is how many attempts to log in so many records are of: sshd writes of one that it is announced, that it is refused, and that the
// connection ended, or only some of these (a server that takes keys only refuses no password).
func Attempts(refused, announced, leaving int) int {
	if refused > 0 {
		return refused
	}
	return max(announced, leaving)
}

// refusals asks for records of refusals alone.
func (w where) refusals() where { return append(w, "!"+Announced, "!"+Leaving) }

// direction is network.direction, as far as the record knows one's own network.
type direction uint8

const (
	noDirection direction = iota
	outbound
	inbound
)

type outcome uint8

const (
	noOutcome outcome = iota
	success
	failure
)

// has reports whether the row is of all the kinds.
func (r *row) has(k kind) bool { return r.kind&k == k }

var rowPool = sync.Pool{New: func() any { return &rows{syms: map[string]sym{}} }}

// newRows makes rows of a batch; free gives them back.
func newRows(b *event.Batch) *rows {
	rs := rowPool.Get().(*rows)
	rs.events = b.Events
	rs.names, rs.kept = append(rs.names[:0], ""), append(rs.kept[:0], "")
	rs.list = rs.list[:0]
	var last [8]sym // the values of the event before, which are mostly the same
	for i := range b.Events {
		if b.Events[i].Time != event.NoTime {
			rs.add(i, &last)
		}
	}
	return rs
}

func (rs *rows) free() {
	clear(rs.syms)
	clear(rs.names)
	clear(rs.kept)
	clear(rs.list)
	rs.events = nil
	rowPool.Put(rs)
}

// maxName bounds the names that are told apart by more than their beginning.
const maxName = 255

// sym numbers a name; hint is the one it probably is.
func (rs *rows) sym(name string, hint *sym) sym {
	if name == "" || name == "-" {
		return 0
	}
	if len(name) > maxName {
		name = name[:maxName]
	}
	if rs.names[*hint] == name {
		return *hint
	}
	s, ok := rs.syms[name]
	if !ok {
		s = sym(len(rs.names))
		rs.names, rs.kept = append(rs.names, name), append(rs.kept, "")
		rs.syms[name] = s
	}
	*hint = s
	return s
}

// keep returns a name that outlives the batch.
func (rs *rows) keep(s sym) string {
	if rs.kept[s] == "" && s != 0 {
		rs.kept[s] = strings.ToValidUTF8(strings.Clone(rs.names[s]), "\uFFFD")
	}
	return rs.kept[s]
}

// placed is where a record itself says that its client was, as sign-in logs of clouds do.
type placed struct {
	country             string
	latitude, longitude float32
	lat, lon            bool
}

// take takes what stands in a field below "client.geo." or "geo.".
func (p *placed) take(name, value string) {
	switch name {
	case "country_iso_code":
		p.country = value
	case "location.lat", "location.lon":
		v, err := strconv.ParseFloat(value, 32)
		if err != nil {
			return
		}
		if name == "location.lat" {
			p.latitude, p.lat = float32(v), true
		} else {
			p.longitude, p.lon = float32(v), true
		}
	}
}

func (rs *rows) add(at int, last *[8]sym) {
	e := &rs.events[at]
	rs.list = append(rs.list, row{time: e.Time, at: int32(at), status: -1, out: -1, in: -1, duration: -1})
	r := &rs.list[len(rs.list)-1]
	var user2, host2, sni, urlDomain, destinationDomain, executable, parentExecutable, code, start, end string
	var bodyIn, bodyOut int64 = -1, -1
	var none sym
	var where placed
	for i := range e.Fields {
		f := &e.Fields[i]
		name := f.Name
		if len(name) < 7 || len(name) > 27 {
			continue
		}
		switch name[0] {
		case 'e':
			switch name {
			case "event.dataset":
				r.dataset = rs.sym(f.Value, &last[0])
			case "event.action":
				r.action = rs.sym(f.Value, &last[3])
				switch f.Value {
				case "ssh_invalid_user":
					r.kind |= announced
				case "ssh_preauth_disconnect", "ssh_max_attempts":
					r.kind |= leaving
				}
			case "event.code":
				code = f.Value
			case "event.outcome":
				switch f.Value {
				case "success":
					r.outcome = success
				case "failure":
					r.outcome = failure
				}
			case "event.category":
				switch f.Value {
				case "authentication":
					r.kind |= authentication
				case "network":
					r.kind |= network
				case "web":
					r.kind |= web
				case "process":
					r.kind |= processes
				case "file":
					r.kind |= files
				case "session":
					r.kind |= session
				}
			case "event.type":
				switch f.Value {
				case "start":
					r.kind |= started
				case "end", "access":
					r.kind |= ended
				case "connection", "allowed":
					r.kind |= connection
				case "denied":
					r.kind |= connection | denied
				}
			case "event.kind":
				if f.Value == "alert" {
					r.kind |= alert
				}
			case "event.duration":
				r.duration = number(f.Value)
			case "event.start":
				start = f.Value
			case "event.end":
				end = f.Value
			}
		case 'h':
			switch name {
			case "host.name":
				r.host = rs.sym(f.Value, &last[1])
			case "host.hostname":
				host2 = f.Value
			case "host.ip":
				r.hostIP = rs.sym(f.Value, &none)
			case "http.response.status_code":
				r.status = int16(max(-1, min(999, number(f.Value))))
			case "http.response.body.bytes", "http.response.bytes":
				bodyIn = max(bodyIn, number(f.Value))
			case "http.request.body.bytes", "http.request.bytes":
				bodyOut = max(bodyOut, number(f.Value))
			}
		case 'u':
			switch name {
			case "user.name":
				r.user = rs.sym(f.Value, &last[2])
			case "user.target.name":
				user2 = f.Value
			case "url.domain":
				urlDomain = f.Value
			}
		case 's':
			switch name {
			case "system.auth.ssh.event":
				if f.Value == "Invalid" || f.Value == "Illegal" {
					r.kind |= announced
				}
			case "source.ip":
				r.source = rs.sym(f.Value, &last[4])
			case "source.port":
				r.sourcePort = portNumber(f.Value)
			case "source.bytes":
				r.out = number(f.Value)
			case "source.geo.country_iso_code":
				r.country = rs.sym(f.Value, &none)
			case "source.as.number":
				r.as = rs.sym(f.Value, &none)
			case "source.geo.location.lat":
				if v, err := strconv.ParseFloat(f.Value, 32); err == nil {
					r.latitude, r.located = float32(v), true
				}
			case "source.geo.location.lon":
				if v, err := strconv.ParseFloat(f.Value, 32); err == nil {
					r.longitude = float32(v)
				}
			}
		case 'g':
			where.take(strings.TrimPrefix(name, "geo."), f.Value)
		case 'd':
			switch name {
			case "destination.ip":
				r.destination = rs.sym(f.Value, &last[5])
			case "destination.port":
				r.port = portNumber(f.Value)
			case "destination.bytes":
				r.in = number(f.Value)
			case "destination.domain":
				destinationDomain = f.Value
			case "dns.question.name":
				r.question = f.Value
			case "dns.question.type":
				r.qtype = f.Value
			case "dns.response_code":
				r.rcode = f.Value
			case "dns.type":
				r.answered = f.Value != "query"
			}
		case 'n':
			if name == "network.direction" {
				switch f.Value {
				case "outbound", "egress":
					r.direction = outbound
				case "inbound", "ingress":
					r.direction = inbound
				}
			}
		case 't':
			if name == "tls.client.server_name" {
				sni = f.Value
			}
		case 'p':
			switch name {
			case "process.name":
				r.process = rs.sym(f.Value, &last[6])
			case "process.executable":
				executable = f.Value
			case "process.parent.name":
				r.parent = rs.sym(f.Value, &last[7])
			case "process.parent.executable":
				parentExecutable = f.Value
			}
		case 'c':
			if name == "client.ip" && r.source == 0 {
				r.source = rs.sym(f.Value, &none)
			} else if at, ok := strings.CutPrefix(name, "client.geo."); ok {
				where.take(at, f.Value)
			}
		}
	}
	if !r.located && where.lat && where.lon {
		r.latitude, r.longitude, r.located = where.latitude, where.longitude, true
	}
	if r.country == 0 {
		r.country = rs.sym(where.country, &none)
	}
	if r.duration < 0 && start != "" && end != "" { // flow logs of clouds
		from, err := time.Parse(time.RFC3339, start)
		to, err2 := time.Parse(time.RFC3339, end)
		if d := to.Sub(from); err == nil && err2 == nil && d >= 0 {
			r.duration = int64(d)
		}
	}
	if r.user == 0 {
		r.user = rs.sym(user2, &none)
	}
	if r.host == 0 {
		r.host = rs.sym(host2, &none)
	}
	for _, d := range [...]string{sni, urlDomain, destinationDomain} {
		if d != "" && r.domain == 0 {
			r.domain = rs.sym(d, &none)
		}
	}
	if r.process == 0 {
		r.process = rs.sym(base(executable), &none)
	}
	if r.parent == 0 {
		r.parent = rs.sym(base(parentExecutable), &none)
	}
	if r.action == 0 {
		r.action = rs.sym(code, &none)
	}
	if r.out < 0 {
		r.out = bodyOut
	}
	if r.in < 0 {
		r.in = bodyIn
	}
}

// base is the last part of a path of either kind.
func base(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// number reads a whole number that is not negative; -1 for anything else.
func number(s string) int64 {
	if s == "" || len(s) > 18 {
		return -1
	}
	var n int64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			if s[i] == '.' && i > 0 {
				break
			}
			return -1
		}
		n = n*10 + int64(c)
	}
	return n
}

func portNumber(s string) uint16 {
	if n := number(s); 0 < n && n < 1<<16 {
		return uint16(n)
	}
	return 0
}

// inside reports whether an address is of a network of one's own: private,
// local, or of the host itself.
func inside(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// outside reports whether an address is one of the internet.
func outside(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap()
	return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// hourOf numbers hours since the epoch, rounding down.
func hourOf(ns int64) int32 { return int32(floorDiv(ns, hour)) }

// dayOf numbers days (UTC) since the epoch.
func dayOf(ns int64) int32 { return int32(floorDiv(ns, day)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

const (
	second int64 = 1e9
	minute       = 60 * second
	hour         = 60 * minute
	day          = 24 * hour
)

// tally gathers values by key, in the order in which the keys first appear.
type tally[K comparable, V any] struct {
	index map[K]int32
	keys  []K
	vals  []V
}

// at returns the value of k, a zero one if it is new.
func (t *tally[K, V]) at(k K) *V {
	i, ok := t.index[k]
	if !ok {
		if t.index == nil {
			t.index = make(map[K]int32, 64)
		}
		i = int32(len(t.keys))
		t.index[k] = i
		var zero V
		t.keys, t.vals = append(t.keys, k), append(t.vals, zero)
	}
	return &t.vals[i]
}

// names are numbered in the order in which they come.
type names struct {
	numbers map[string]uint32
	list    []string
}

// number is the number of a name, a new one if it is new.
func (n *names) number(s string) uint32 {
	i, ok := n.numbers[s]
	if !ok {
		if n.numbers == nil {
			n.numbers = map[string]uint32{}
		}
		i = uint32(len(n.list))
		n.numbers[s] = i
		n.list = append(n.list, s)
	}
	return i
}

// address parses an address; ok is false when it is none.
func address(s string) (a netip.Addr, ok bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// lower is s in lower case, without a root dot: the same string if it is so already.
func lower(s string) string {
	s = strings.TrimSuffix(s, ".")
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}
