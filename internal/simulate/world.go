package simulate

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// world is a small company's network: its hosts, its people, and its clock.
//
// The public network is 192.0.2.0/24 with a web server and a bastion; inside,
// 10.20.0.0/16 has an application server, a domain controller and one
// workstation per person. Everyone else on the internet lives in
// 198.51.100.0/24, 203.0.113.0/24 (RFC 5737) and 2001:db8::/32 (RFC 3849).
type world struct {
	clock
	o    Options
	dir  string
	logs []evidence

	hosts   []*host
	web     *host
	bastion *host
	app     *host
	dc      *host
	ws      *host
	sensor  *sensor
	cloud   *host
	people  []*person
	persons map[string]*person

	outside   []string          // addresses of the internet not yet given to anyone
	strangers int               // given when there were none left
	visitors  []string          // addresses of the web site's public
	bots      []string          // and of those who try what is open
	sites     map[string]string // of the internet, by name
	incidents []*incidentLog
}

// Hosts lists the hosts whose logs are kept.
func Hosts() []string { return []string{"web1", "bastion1", "app1", "dc1", "ws01", "sensor1", "aws1"} }

// Sources lists the kinds of logs that hosts keep.
func Sources() []string {
	return []string{"auth", "syslog", "kern", "auditd", "apache", "nginx", "iis", "postgresql", "kubernetes", "suricata", "zeek", "dns", "dhcp", "cloudtrail", "security", "system", "sysmon", "powershell"}
}

const (
	domain  = "corp.example.com"
	netbios = "CORP"
	// sidDomain is the domain's part of its accounts' SIDs.
	sidDomain = "S-1-5-21-2843518732-1198206147-3306894251"
)

// host is a computer that keeps logs.
type host struct {
	w       *world
	name    string
	address string
	mac     string
	iso     bool // syslog stamps are RFC 3339, as Debian has them since 12
	skew    int64
	zone    *time.Location

	pid      int64
	port     int64
	session  int64 // logind's last session
	sshdPID  int64
	logind   int64
	cronPID  int64
	accounts map[string]int // Linux accounts and their uid

	auth, syslog, kern *textLog
	access, errors     *textLog // of the web server
	security, system   *eventLog
	sysmon, powershell *eventLog
	auditLog, database *textLog
	named, iis         *textLog
	trail, kube        *textLog
	calls, serial      int64 // recorded by the cloud or the cluster, and by auditd
	windows            *windows
	firewall           firewall
	boot               int64
	second             int64 // that stamp is of
	stamp              []byte
	apacheWorkers      []int64
}

// person works here.
type person struct {
	name    string // account
	full    string
	uid     int
	rid     int
	role    role
	address string // of the workstation
	machine string // its name
	home    string // address when working from home
	key     string // fingerprint of the SSH key, "" for a password
	starts  int64  // of the working day, after midnight
	hours   int64
}

type role int

const (
	office role = iota
	developer
	admin
)

func (p *person) sid() string { return fmt.Sprintf("%s-%d", sidDomain, p.rid) }

func newWorld(dir string, o Options) (*world, error) {
	w := &world{o: o, dir: dir, persons: map[string]*person{}}
	w.now = o.Start.UnixMicro()
	w.end = w.now + int64(o.Days)*day
	rng := w.random("world")

	for _, prefix := range []string{"198.51.100.", "203.0.113."} {
		for i := 1; i < 255; i++ {
			w.outside = append(w.outside, fmt.Sprintf("%s%d", prefix, i))
		}
	}
	for i := range w.outside {
		j := rng.below(uint32(i + 1))
		w.outside[i], w.outside[j] = w.outside[j], w.outside[i]
	}

	w.bots, w.visitors, w.outside = w.outside[:120], w.outside[120:220], w.outside[220:]
	w.sites = map[string]string{}
	for _, name := range popular {
		w.sites[name] = w.stranger()
	}

	w.web = w.newHost("web1", "192.0.2.10", false)
	w.bastion = w.newHost("bastion1", "192.0.2.22", false)
	w.app = w.newHost("app1", "10.20.1.30", true)
	w.dc = w.newHost("dc1", "10.20.1.10", false)
	w.ws = w.newHost("ws01", "10.20.10.11", false)
	probe := w.newHost("sensor1", "10.20.1.5", false)
	for _, h := range []*host{w.web, w.bastion, w.app} {
		h.newLinux()
	}
	w.web.newApache()
	w.app.newNginx()
	w.sensor = w.newSensor(probe)
	w.newPeople(&rng)
	for _, h := range []*host{w.dc, w.ws} {
		h.newWindows()
	}
	w.cloud = w.newHost("aws1", "192.0.2.200", false)
	w.sensor.zeek = w.newZeek(probe)
	probe.named = w.newNamed(probe)
	w.newCloud(w.cloud)
	for _, h := range []*host{w.web, w.app} {
		w.newAuditd(h)
	}
	w.newPostgreSQL(w.app)
	w.newKubernetes(w.app)
	w.newIIS(w.dc)
	return w, nil
}

// random makes a generator that belongs to a name.
func (w *world) random(name string) nidsRNG {
	h := nidsMix(w.o.Seed ^ 0x5e47a47)
	for i := range len(name) {
		h = nidsMix(h ^ uint64(name[i]))
	}
	return nidsRNG(h)
}

// stranger gives an address of the internet that is no one else's.
func (w *world) stranger() string {
	if n := len(w.outside); n > 0 {
		a := w.outside[n-1]
		w.outside = w.outside[:n-1]
		return a
	}
	w.strangers++
	return fmt.Sprintf("2001:db8:e%03x:%x::1", w.strangers>>12, w.strangers&0xfff)
}

func (w *world) newHost(name, address string, iso bool) *host {
	rng := w.random("host " + name)
	h := &host{
		w: w, name: name, address: address, iso: iso,
		skew: w.o.Skew[name].Microseconds(), zone: cmp.Or(w.o.Zones[name], w.o.Zone),
		pid: rng.between(2000, 400_000), port: rng.between(32768, 60000),
		session: rng.between(20, 900), accounts: map[string]int{"root": 0, "www-data": 33},
		sshdPID: rng.between(600, 1100), logind: rng.between(400, 600), cronPID: rng.between(400, 600),
		second: -1,
	}
	h.mac = fmt.Sprintf("02:00:5e:00:53:%02x", len(w.hosts)+1)
	h.boot = w.now - rng.between(3*day, 40*day)
	w.hosts = append(w.hosts, h)
	return h
}

// time is now by the host's clock.
func (h *host) time() int64 { return h.w.now + h.skew }

// local is now by the host's clock, in its zone.
func (h *host) local() time.Time { return time.UnixMicro(h.time()).In(h.zone) }

// midnightAfter is when the host's clock comes to the next day.
func (h *host) midnightAfter() int64 {
	y, m, d := h.local().Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, h.zone).UnixMicro() - h.skew
}

// newPID numbers a process; others start in between.
func (h *host) newPID(a *actor) int64 {
	h.pid += 1 + int64(a.rng.below(4))
	if h.pid > 4_194_304 { // pid_max of a 64-bit Linux
		h.pid = 300
	}
	return h.pid
}

// clientPort is what a remote machine's next connection comes from.
func clientPort(a *actor) int { return int(a.between(32768, 61000)) }

var firstNames = strings.Fields("alice bob carol dave erin frank grace heidi ivan judy karl laura mike nina oscar paula quentin rosa sven tina ulla victor wanda xenia yusuf zoe amir bella chen dora emil fatima george hanna igor julia")
var lastNames = strings.Fields("Adler Baker Costa Diaz Evans Fischer Gupta Hansen Ito Jansen Keller Lopez Moreau Novak Olsen Patel Quinn Rossi Sato Turner Ueda Vogel Weber Xu Young Zeller")

// newPeople: two admins (three in larger companies), one in five a developer.
func (w *world) newPeople(rng *nidsRNG) {
	for i := range w.o.Users {
		first := firstNames[i%len(firstNames)]
		last := pick(rng, lastNames)
		p := &person{name: first, full: strings.ToUpper(first[:1]) + first[1:] + " " + last, uid: 1001 + i, rid: 1104 + i}
		if n := i / len(firstNames); n > 0 {
			p.name = fmt.Sprintf("%s%d", first, n+1)
		}
		switch {
		case i < 2 || i%40 == 2 && i > 10:
			p.role = admin
		case i%5 == 2:
			p.role = developer
		}
		number := i // of the workstation: WS01, whose logs are kept, is an ordinary employee's
		switch i {
		case 0:
			number = 3
		case 3:
			number = 0
			w.ws.windows = &windows{owner: p}
		}
		p.address = fmt.Sprintf("10.20.%d.%d", 10+(number+10)/250, (number+10)%250+1)
		p.machine = fmt.Sprintf("WS%02d", number+1)
		if p.role != office {
			p.home = w.stranger()
			if p.role == admin || rng.chance(600) {
				p.key = fingerprint(rng)
			}
			for _, h := range []*host{w.bastion, w.app} {
				h.accounts[p.name] = p.uid
			}
			if p.role == admin {
				w.web.accounts[p.name] = p.uid
			}
		}
		p.starts = 7*hour + rng.between(0, 3*hour)
		p.hours = 7*hour + rng.between(0, 2*hour)
		w.people = append(w.people, p)
		w.persons[p.name] = p
	}
}

// of picks someone with a role.
func (w *world) of(r *nidsRNG, want role) *person {
	for {
		if p := pick(r, w.people); p.role == want {
			return p
		}
	}
}

// fingerprint makes the SHA256 fingerprint of a key.
func fingerprint(r *nidsRNG) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := []byte("SHA256:")
	for range 42 {
		b = append(b, digits[r.below(64)])
	}
	return string(append(b, "AEIMQUYcgkosw048"[r.below(16)]))
}

// weekday reports whether a time is on one, in the hosts' zone.
func (w *world) weekday(at int64) bool {
	d := time.UnixMicro(at).In(w.o.Zone).Weekday()
	return d != time.Saturday && d != time.Sunday
}

// midnight of the day so many days after the first.
func (w *world) midnight(days int) int64 { return w.o.Start.UnixMicro() + int64(days)*day }

// today is how many days after the first it is.
func (w *world) today() int { return int((w.now - w.o.Start.UnixMicro()) / day) }
