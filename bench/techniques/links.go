package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/store"
)

// The office of entityLinks: machines that come and go and lease addresses, people who log on from them, tunnels from outside, and a
// gateway behind which several people are.
const (
	officeDays     = 5
	officeMachines = 40
	officePool     = 30 // addresses: fewer than machines, so that they change hands
	officeLease    = 8 * time.Hour
	officeVPN      = 25 // people with tunnels
	officeTunnels  = 12 // addresses for them
	officeSkew     = 70 * time.Second
)

// tenancy is that an address was somebody's for a time. sure says that logs could tell it at all.
type tenancy struct {
	address, kind, value string
	from, to             time.Time
}

// office makes the logs, and what was so.
type office struct {
	r     *rand.Rand
	start time.Time
	truth []tenancy
	taken []tenancy           // addresses that another machine took while they were leased
	logs  map[string][]string // by file, lines that begin with their time
}

func (o *office) log(file string, at time.Time, skew time.Duration, format string, args ...any) {
	at = at.Add(skew)
	o.logs[file] = append(o.logs[file], at.UTC().Format("2006-01-02T15:04:05Z")+" "+fmt.Sprintf(format, args...))
}

// dhcp lets machines come in the morning and go at night. Who leaves without a word keeps the address until the lease ends.
func (o *office) dhcp() {
	type holder struct {
		machine int
		until   time.Time
	}
	held := make([]holder, officePool) // by address
	for i := range held {
		held[i].machine = -1
	}
	last := make([]int, officeMachines) // address of a machine
	for i := range last {
		last[i] = -1
	}
	type visit struct {
		machine  int
		from, to time.Time
	}
	var visits []visit
	for day := range officeDays {
		for k := range officeMachines {
			if o.r.Float64() < 0.35 {
				continue
			}
			from := o.start.AddDate(0, 0, day).Add(7*time.Hour + time.Duration(o.r.Float64()*5*float64(time.Hour)))
			visits = append(visits, visit{k, from, from.Add(time.Duration((0.5 + 8*o.r.Float64()) * float64(time.Hour)))})
		}
	}
	slices.SortFunc(visits, func(a, b visit) int { return a.from.Compare(b.from) })
	for _, v := range visits {
		a := last[v.machine]
		if a < 0 || held[a].machine != v.machine && held[a].until.After(v.from) {
			a = -1
			for i := range held { // the address that is free for longest
				if !held[i].until.After(v.from) && (a < 0 || held[i].until.Before(held[a].until)) {
					a = i
				}
			}
			if a < 0 {
				continue // none is left
			}
		}
		last[v.machine] = a
		address, mac, name := fmt.Sprintf("10.1.0.%d", 10+a), fmt.Sprintf("00:00:5e:00:53:%02x", v.machine), fmt.Sprintf("ws%02d", v.machine)
		ack := func(at time.Time) {
			o.log("dhcp1/syslog", at, 0, "dhcp1 dhcpd[411]: DHCPREQUEST for %s from %s (%s) via eth1", address, mac, name)
			o.log("dhcp1/syslog", at, 0, "dhcp1 dhcpd[411]: DHCPACK on %s to %s (%s) via eth1", address, mac, name)
		}
		renewed := v.from
		for at := v.from; at.Before(v.to); at = at.Add(officeLease / 2) {
			ack(at)
			renewed = at
			if o.r.Float64() < 0.1 { // started anew
				if again := at.Add(time.Duration(o.r.Float64() * float64(time.Hour))); again.Before(v.to) {
					ack(again)
				}
			}
		}
		held[a] = holder{v.machine, renewed.Add(officeLease)}
		if o.r.Float64() < 0.4 {
			o.log("dhcp1/syslog", v.to, 0, "dhcp1 dhcpd[411]: DHCPRELEASE of %s from %s (%s) via eth1 (found)", address, mac, name)
			held[a].until = v.to
		}
		o.truth = append(o.truth, tenancy{address, "host", name, v.from, v.to})
		o.logons(address, name, v.machine, v.from, v.to)
		if o.r.Float64() < 0.1 {
			at := v.from.Add(time.Duration(o.r.Float64() * float64(v.to.Sub(v.from))))
			o.log("dhcp1/syslog", at, 0, "dhcp1 arpwatch: changed ethernet address %s 0:0:5e:0:53:%x (%s)", address, 0xf0+v.machine%16, strings.ReplaceAll(mac, ":0", ":"))
			o.taken = append(o.taken, tenancy{address, "mac", "", at, v.to})
		}
	}
}

// logons has the machine's person log on at the controller, whose clock is ahead, and now and then a colleague.
func (o *office) logons(address, machine string, k int, from, to time.Time) {
	logon := func(at time.Time, user string) {
		at = at.Add(officeSkew)
		o.logs["dc1/security.jsonl"] = append(o.logs["dc1/security.jsonl"], fmt.Sprintf(`{"@timestamp":"%s","host":{"name":"dc1"},"winlog":{"channel":"Security","provider_name":"Microsoft-Windows-Security-Auditing","event_id":"4624","computer_name":"dc1.corp.example","record_id":%d,"event_data":{"TargetUserName":"%s","TargetDomainName":"CORP","TargetLogonId":"0x%x","LogonType":"3","IpAddress":"%s","IpPort":"%d","WorkstationName":"%s","SubjectUserName":"-","SubjectUserSid":"S-1-0-0","SubjectLogonId":"0x0","AuthenticationPackageName":"Kerberos","LogonProcessName":"Kerberos"}}}`,
			at.UTC().Format("2006-01-02T15:04:05.000Z"), len(o.logs["dc1/security.jsonl"])+1, user, o.r.IntN(1<<30), address, 40000+o.r.IntN(9999), "-"))
	}
	user := fmt.Sprintf("person%02d", k)
	for at := from.Add(time.Minute); at.Before(to); at = at.Add(time.Duration(o.r.ExpFloat64() * float64(time.Hour))) {
		logon(at, user)
	}
	o.truth = append(o.truth, tenancy{address, "user", user, from.Add(time.Minute), to})
}

// tunnels are VPN sessions of a Cisco ASA; the end of some is lost.
func (o *office) tunnels() {
	free := make([]time.Time, officeTunnels)
	type session struct {
		user     int
		from, to time.Time
	}
	var all []session
	for day := range officeDays {
		for k := range officeVPN {
			if o.r.Float64() < 0.5 {
				from := o.start.AddDate(0, 0, day).Add(time.Duration((6 + 14*o.r.Float64()) * float64(time.Hour)))
				all = append(all, session{k, from, from.Add(time.Duration((0.3 + 3*o.r.Float64()) * float64(time.Hour)))})
			}
		}
	}
	slices.SortFunc(all, func(a, b session) int { return a.from.Compare(b.from) })
	for _, s := range all {
		a := slices.IndexFunc(free, func(t time.Time) bool { return t.Before(s.from) })
		if a < 0 {
			continue
		}
		free[a] = s.to.Add(time.Minute)
		user, address, outside := fmt.Sprintf("remote%02d", s.user), fmt.Sprintf("10.9.0.%d", 10+a), fmt.Sprintf("198.51.100.%d", 10+s.user/3) // some share a line
		o.log("vpn1/asa.log", s.from, 0, "asa1 : %%ASA-6-113039: Group <staff> User <%s> IP <%s> AnyConnect parent session started.", user, outside)
		o.log("vpn1/asa.log", s.from, 0, "asa1 : %%ASA-4-722051: Group <staff> User <%s> IP <%s> IPv4 Address <%s> IPv6 address <::> assigned to session", user, outside, address)
		if o.r.Float64() > 0.1 {
			o.log("vpn1/asa.log", s.to, 0, "asa1 : %%ASA-4-113019: Group = staff, Username = %s, IP = %s, Session disconnected. Session Type: SSL, Duration: %dh:%02dm:00s, Bytes xmt: 100, Bytes rcv: 200, Reason: User Requested", user, outside, int(s.to.Sub(s.from).Hours()), int(s.to.Sub(s.from).Minutes())%60)
		}
		o.truth = append(o.truth, tenancy{address, "user", user, s.from, s.to})
	}
}

// gateway is an address behind which several people are at once, whose sessions on a server end as they should.
func (o *office) gateway() {
	pid := 1000
	for day := range officeDays {
		for k := range 6 {
			from := o.start.AddDate(0, 0, day).Add(time.Duration((8 + 6*o.r.Float64()) * float64(time.Hour)))
			to := from.Add(time.Duration((0.5 + 3*o.r.Float64()) * float64(time.Hour)))
			pid++
			user := fmt.Sprintf("admin%d", k)
			o.log("web1/auth.log", from, 0, "web1 sshd[%d]: Accepted publickey for %s from 203.0.113.7 port %d ssh2", pid, user, 40000+o.r.IntN(9999))
			o.log("web1/auth.log", from, 0, "web1 sshd[%d]: pam_unix(sshd:session): session opened for user %s by (uid=0)", pid, user)
			o.log("web1/auth.log", to, 0, "web1 sshd[%d]: pam_unix(sshd:session): session closed for user %s", pid, user)
			o.truth = append(o.truth, tenancy{"203.0.113.7", "user", user, from, to})
		}
	}
}

// stored writes logs, the lines of each in the order of a key, reads them into a store and calls fn with it.
func stored(logs map[string][]string, key func(line string) string, fn func(store.Store) error) error {
	dir, err := os.MkdirTemp("", "techniques")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, lines := range logs {
		slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(key(a), key(b)) })
		path := filepath.Join(dir, "logs", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		end := "\n"
		if filepath.Base(name) == "wtmp" {
			end = ""
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, end)+end), 0o600); err != nil {
			return err
		}
	}
	st, plan, err := pipeline.Load(context.Background(), pipeline.Options{Paths: []string{filepath.Join(dir, "logs")}}, filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	defer st.Close()
	if plan.Unread {
		return errors.New("logs could not be read")
	}
	return fn(st)
}

// entityLinks asks who and what was at each address each quarter of an hour, and compares with what was so.
func (m *measurement) entityLinks() error {
	type result struct {
		right, wrong, unknown   int // where somebody was there
		none, ghost, ghostAgain int // where nobody was: nothing said; said; said and marked as assumed
		several, contested      int
	}
	groups := []string{"machine at a leased address", "person at a workstation", "person in a tunnel", "people behind a gateway"}
	results := make([]result, len(groups))
	groupOf := func(address, kind string) int {
		switch {
		case strings.HasPrefix(address, "10.1.") && kind == "host":
			return 0
		case strings.HasPrefix(address, "10.1."):
			return 1
		case strings.HasPrefix(address, "10.9."):
			return 2
		}
		return 3
	}
	taken, disagree, mistaken, asked := 0, 0, 0, 0
	for _, seed := range m.seeds {
		o := &office{r: rand.New(rand.NewPCG(seed, 4242)), start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), logs: map[string][]string{}}
		o.dhcp()
		o.tunnels()
		o.gateway()
		var links *analyze.Links
		if err := stored(o.logs, func(l string) string { return l[:min(len(l), 45)] }, func(st store.Store) (err error) {
			links, err = analyze.ReadLinks(context.Background(), st)
			return err
		}); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		type question struct{ address, kind string }
		var questions []question
		for _, t := range o.truth {
			if q := (question{t.address, t.kind}); !slices.Contains(questions, q) {
				questions = append(questions, q)
			}
		}
		for _, t := range o.taken {
			taken++
			if strings.Contains(links.Sentence(t.address, t.from.Add(t.to.Sub(t.from)/2).UnixNano()), "they disagree") {
				disagree++
			}
		}
		for _, q := range questions {
			for at := o.start; at.Before(o.start.AddDate(0, 0, officeDays)); at = at.Add(15 * time.Minute) {
				var there []string
				for _, t := range o.truth {
					if t.address == q.address && t.kind == q.kind && !at.Before(t.from) && at.Before(t.to) {
						there = append(there, t.value)
					}
				}
				var said []string
				assumed := false
				for _, k := range links.At(q.address, at.UnixNano()) {
					v := strings.TrimPrefix(k.Value, `CORP\`)
					if k.Kind == q.kind && !slices.Contains(said, v) {
						if len(said) == 0 {
							assumed = at.UnixNano() > k.To
						}
						said = append(said, v)
					}
				}
				if q.kind == "host" && !slices.ContainsFunc(o.taken, func(t tenancy) bool {
					return t.address == q.address && !at.Before(t.from) && at.Before(t.from.Add(24*time.Hour))
				}) {
					asked++
					if strings.Contains(links.Sentence(q.address, at.UnixNano()), "they disagree") {
						mistaken++
					}
				}
				r := &results[groupOf(q.address, q.kind)]
				if len(said) > 1 {
					r.several++
				}
				switch {
				case len(there) == 0 && len(said) == 0:
					r.none++
				case len(there) == 0:
					r.ghost++
					if m.verbose {
						fmt.Printf("nobody was at %s at %s, told: %+v\n", q.address, at.Format(time.DateTime), links.At(q.address, at.UnixNano())[0])
					}
					if assumed {
						r.ghostAgain++
					}
				case len(said) == 0:
					r.unknown++
				case slices.Contains(there, said[0]) && !slices.ContainsFunc(there, func(v string) bool { return !slices.Contains(said, v) }):
					r.right++
				default:
					r.wrong++
					if slices.ContainsFunc(there, func(v string) bool { return slices.Contains(said, v) }) {
						r.contested++
					}
				}
			}
		}
	}
	fmt.Printf("Who was at which address: %d days of an office, seeds %v; leases of %s, asked each quarter of an hour\n", officeDays, m.seeds, officeLease)
	fmt.Printf("  %-28s %8s %6s %6s %8s   %s\n", "", "asked", "right", "wrong", "unknown", "nobody there: said so, somebody told (marked as assumed)")
	for i, g := range groups {
		r := results[i]
		asked := r.right + r.wrong + r.unknown
		nobody := r.none + r.ghost
		fmt.Printf("  %-28s %8d %6s %6s %8s   %s of %d, %s (%s); several told %d times\n", g, asked, share(r.right, asked), share(r.wrong, asked), share(r.unknown, asked),
			share(r.none, nobody), nobody, share(r.ghost, nobody), cmp.Or(share(r.ghostAgain, r.ghost), "–"), r.several)
	}
	fmt.Printf("  another machine takes a leased address %d times: told as a disagreement %s; told where none did: %d of %d\n", taken, share(disagree, taken), mistaken, asked)
	m.floor("disagreements", float64(disagree)/float64(max(1, taken)), 0.8)
	m.floor("tunnels", float64(results[2].right)/float64(max(1, results[2].right+results[2].wrong+results[2].unknown)), 0.95)
	m.floor("machines at leased addresses", float64(results[0].right)/float64(max(1, results[0].right+results[0].wrong+results[0].unknown)), 0.9)
	return nil
}
