package analyze

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Link says that an address belonged to somebody or something for a time, as
// far as a log tells.
type Link struct {
	Address  string // an IP address
	Kind     string // "user", "host" or "mac"
	Value    string
	From, To int64 // ns since the epoch: the first and last record that say so
	// Until is how long it may be taken to hold: To where its end is recorded,
	// else a time that the kind of record allows (a lease, a ticket), or when
	// somebody else got the address.
	Until    int64
	By       string   // what tells so: "DHCP lease", "ssh session on web1"
	Count    int      // records that say so
	Evidence []string // event.ids of the first and the last
}

// Links are all links of a case.
type Links struct {
	all       []Link // by address, From, kind, value
	byAddress map[string][]int
	byValue   map[string][]int // lower case
	More      bool             // there were more than are kept
}

const (
	maxLinks     = 200_000
	leaseTime    = 24 * time.Hour // of a lease whose length is not logged
	ticketTime   = 10 * time.Hour // default life of a Kerberos ticket, and how long a logon is taken to say something
	sessionGuess = 12 * time.Hour // of a session whose end is not logged

	// A computer asks for a ticket and logs on with it in the same second: one thing to know.
	computerBy = "computer account (4768, 4624)"
)

// observation is one record, or an hour of alike records, that links.
type observation struct {
	address, kind, value, by string
	from, to                 int64
	until                    int64 // 0: to plus life
	life                     time.Duration
	exclusive                bool // the address has one such value at a time
	ended                    bool // the record says that it ended
	lease                    bool // of a length that is not logged
	count                    int
	first, last              string // event.ids
}

// ReadLinks asks the store who and what was at which address when: DHCP leases
// (ISC, dnsmasq, Windows, Zeek, Suricata), VPN sessions, logins with their end, Windows
// logons and Kerberos tickets, computer accounts, and arpwatch.
func ReadLinks(ctx context.Context, q Querier) (*Links, error) {
	r := &linkReader{}
	sessions, err := ReadSessions(ctx, q, "")
	if err != nil {
		return nil, err
	}
	r.more = sessions.More
	for i := range sessions.All {
		r.session(&sessions.All[i])
	}
	for _, read := range []func(context.Context, Querier) error{r.dhcp, r.windows, r.arpwatch} {
		if err := read(ctx, q); err != nil {
			return nil, err
		}
	}
	return r.links(), nil
}

type linkReader struct {
	seen []observation
	more bool
}

func (r *linkReader) add(o observation) {
	a, err := netip.ParseAddr(o.address)
	if err != nil || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || o.value == "" || o.value == "-" || o.from == event.NoTime {
		return
	}
	if len(r.seen) >= 4*maxLinks {
		r.more = true
		return
	}
	o.address = a.Unmap().WithZone("").String()
	o.count = max(o.count, 1)
	r.seen = append(r.seen, o)
}

func (r *linkReader) session(s *Session) {
	place := s.Kind
	if !strings.Contains(place, "logon") && !strings.Contains(place, "session") {
		place += " session"
	}
	if s.Host != "" {
		place += " on " + s.Host
	}
	o := observation{kind: "user", value: s.User, by: place, from: s.From, to: s.From, life: sessionGuess, count: len(s.Evidence)}
	if len(s.Evidence) > 0 {
		o.first, o.last = s.Evidence[0], s.Evidence[len(s.Evidence)-1]
	}
	if s.To != event.NoTime {
		o.to, o.until, o.ended = s.To, s.To, true
	}
	if strings.HasSuffix(s.User, "$") { // a computer's account; see windows
		return
	}
	o.address = s.Source
	r.add(o)
	o.address, o.exclusive = s.Address, true // of a pool: one has it at a time
	r.add(o)
}

// dhcp reads leases. Servers and clients tell of them, and sensors that see them.
func (r *linkReader) dhcp(ctx context.Context, q Querier) error {
	const query = `!"sextant.time":* ((event.dataset:in("dhcpd.log","dnsmasq.log") event.action:in(DHCPACK,DHCPRELEASE,DHCPDECLINE,DHCPEXPIRE)) or (event.dataset:="microsoft_dhcp.log" event.action:in("dhcp-new","dhcp-renew","bootp-new","dhcp-release","dhcp-delete","dhcp-expire","bootp-delete")) or event.dataset:="zeek.dhcp" or (event.dataset:="suricata.eve" suricata.eve.dhcp.dhcp_type:=ack))
		| fields _time, event.id, event.dataset, event.action, event.provider, host.name, host.hostname, client.ip, client.address, client.mac, client.domain, source.ip, source.mac, source.domain, zeek.dhcp.address.assigned, zeek.dhcp.assigned_addr, zeek.dhcp.host_name, zeek.dhcp.hostname, zeek.dhcp.lease_time, zeek.dhcp.duration, suricata.eve.dhcp.lease_time, suricata.eve.dhcp.assigned_ip`
	return q.Query(ctx, query, func(row []event.Field) error {
		f := sessionRow(row)
		first := func(names ...string) string {
			for _, n := range names {
				if v := f.get(n); v != "" {
					return v
				}
			}
			return ""
		}
		o := observation{address: first("zeek.dhcp.address.assigned", "zeek.dhcp.assigned_addr", "suricata.eve.dhcp.assigned_ip", "client.ip", "client.address"), from: f.time(), by: leaseBy, life: leaseTime, exclusive: true,
			first: f.get("event.id"), last: f.get("event.id")}
		o.to = o.from
		if s, err := strconv.ParseFloat(first("zeek.dhcp.lease_time", "suricata.eve.dhcp.lease_time"), 64); err == nil && s > 0 && s < 1e8 {
			o.life = time.Duration(s * float64(time.Second))
		} else {
			o.lease = true
		}
		switch f.get("event.action") {
		case "DHCPRELEASE", "DHCPDECLINE", "DHCPEXPIRE", "dhcp-release", "dhcp-delete", "dhcp-expire", "bootp-delete":
			o.until, o.ended = o.to, true
		}
		mac, name := f.get("client.mac"), first("client.domain", "zeek.dhcp.host_name", "zeek.dhcp.hostname")
		switch {
		case f.get("event.provider") == "dhclient": // the host's own address
			name = f.get("host.name")
		case f.get("event.dataset") == "suricata.eve":
			name = f.get("host.hostname")
		case f.get("event.dataset") == "microsoft_dhcp.log":
			o.address, mac, name = f.get("source.ip"), f.get("source.mac"), f.get("source.domain")
		}
		o.kind, o.value = "mac", mac
		r.add(o)
		o.kind, o.value = "host", name
		r.add(o)
		return nil
	})
}

// lengths sets the life of leases whose length is not logged. A client renews its lease when half of it is over (RFC 2131 §4.4.5), so twice
// the time between two records of the same client at the same address is the length; those that were started anew
// say less, those that were away more. r.seen is sorted.
func (r *linkReader) lengths() {
	var gaps []int64
	last := map[[2]string]int64{}
	for i := range r.seen {
		if o := &r.seen[i]; o.lease && o.kind == "mac" {
			k := [2]string{o.address, o.value}
			if before, ok := last[k]; ok && !o.ended && o.from-before > int64(time.Minute) && o.from-before <= int64(leaseTime)/2 {
				gaps = append(gaps, o.from-before)
			}
			if last[k] = o.from; o.ended {
				delete(last, k)
			}
		}
	}
	if len(gaps) < 10 {
		return
	}
	slices.Sort(gaps)
	life := time.Duration(2 * gaps[len(gaps)/2])
	for i := range r.seen {
		if o := &r.seen[i]; o.lease {
			o.life = life + life/20 // a renewal may be late
		}
	}
}

// windows reads logons and Kerberos tickets, an hour of alike ones at a time.
func (r *linkReader) windows(ctx context.Context, q Querier) error {
	type kind struct{ code, name, by, filter string }
	for _, k := range []kind{
		{"4768", "user.name", "Kerberos ticket (4768)", "event.outcome:=success"},
		{"4624", "user.name", computerBy, `user.name:~"\\$$"`},
		{"4624", "winlog.event_data.WorkstationName", "workstation name of a logon (4624)", `winlog.logon.type:in(Interactive,Network,RemoteInteractive,Unlock)`},
	} {
		query := fmt.Sprintf(`!"sextant.time":* event.code:=%s source.ip:* %s | stats by (_time:1h, source.ip, %q) min(_time) first, max(_time) last, count() n, min(event.id) a, max(event.id) b | sort by (_time, source.ip, %[3]q)`, k.code, k.filter, k.name)
		err := q.Query(ctx, query, func(row []event.Field) error {
			f := sessionRow(row)
			n, _ := strconv.Atoi(f.get("n"))
			o := observation{address: f.get("source.ip"), kind: "user", value: f.get(k.name), by: k.by, from: parseStamp(f.get("first")), to: parseStamp(f.get("last")), life: ticketTime, count: n, first: f.get("a"), last: f.get("b")}
			if name, computer := strings.CutSuffix(o.value, "$"); computer || k.name != "user.name" {
				o.kind, o.value, o.exclusive = "host", name, true
				if computer && k.code == "4768" {
					o.by = computerBy
				}
			}
			if o.value != "ANONYMOUS LOGON" {
				r.add(o)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parseStamp(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

// arpwatch reads which hardware address answers for which address.
func (r *linkReader) arpwatch(ctx context.Context, q Querier) error {
	return q.Query(ctx, `!"sextant.time":* process.name:=arpwatch | fields _time, event.id, _msg`, func(row []event.Field) error {
		f := sessionRow(row)
		words := strings.Fields(f.get("_msg"))
		for i := 0; i+2 < len(words) && i < 4; i++ {
			if _, err := netip.ParseAddr(words[i+1]); err != nil || strings.Count(words[i+2], ":") != 5 {
				continue
			}
			o := observation{address: words[i+1], kind: "mac", value: canonicalMAC(words[i+2]), by: "ARP", from: f.time(), life: leaseTime, exclusive: true, first: f.get("event.id"), last: f.get("event.id")}
			o.to = o.from
			r.add(o)
			break
		}
		return nil
	})
}

// canonicalMAC is a hardware address as ECS has it: 00-00-5E-00-53-01.
func canonicalMAC(s string) string {
	parts := strings.Split(s, ":")
	for i, p := range parts {
		if len(p) == 1 {
			parts[i] = "0" + p
		}
	}
	return strings.ToUpper(strings.Join(parts, "-"))
}

// links joins observations of the same that follow each other before the one
// before has lost its meaning.
func (r *linkReader) links() *Links {
	slices.SortStableFunc(r.seen, func(a, b observation) int {
		return cmp.Or(strings.Compare(a.address, b.address), strings.Compare(a.kind, b.kind), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), strings.Compare(a.value, b.value), strings.Compare(a.first, b.first))
	})
	r.lengths()
	type key struct{ address, kind, value, by string }
	l := &Links{byAddress: map[string][]int{}, byValue: map[string][]int{}, More: r.more}
	open := map[key]int{}
	exclusive := map[[3]string]key{} // address, kind and source of information: who has it
	closed := map[int]bool{}
	for _, o := range r.seen {
		k := key{o.address, o.kind, strings.ToLower(o.value), o.by}
		until := o.until
		if until == 0 {
			until = o.to + int64(o.life)
		}
		if o.exclusive {
			x := [3]string{o.address, o.kind, o.by}
			if before, ok := exclusive[x]; ok && before != k {
				if i, ok := open[before]; ok { // the address has gone to another
					l.all[i].Until = min(l.all[i].Until, max(o.from, l.all[i].To))
					closed[i] = true
				}
			}
			exclusive[x] = k
		}
		if i, ok := open[k]; ok && !closed[i] && o.from <= l.all[i].Until {
			one := &l.all[i]
			one.To, one.Count = max(one.To, o.to), one.Count+o.count
			if o.ended && o.exclusive {
				one.Until = one.To
				closed[i] = true
			} else {
				one.Until = max(one.Until, until)
			}
			one.Evidence = append(one.Evidence[:1:1], nonEmpty(o.last)...)
			continue
		}
		if o.ended && o.exclusive && o.from == o.to {
			continue // the end of what is not known
		}
		if len(l.all) >= maxLinks {
			l.More = true
			break
		}
		open[k] = len(l.all)
		evidence := nonEmpty(o.first)
		if o.last != o.first {
			evidence = append(evidence, nonEmpty(o.last)...)
		}
		if len(evidence) == 0 {
			evidence = []string{""}
		}
		l.all = append(l.all, Link{Address: o.address, Kind: o.kind, Value: o.value, From: o.from, To: o.to, Until: until, By: o.by, Count: o.count, Evidence: evidence})
	}
	l.cut()
	slices.SortStableFunc(l.all, func(a, b Link) int {
		return cmp.Or(compareAddresses(a.Address, b.Address), cmp.Compare(a.From, b.From), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Value, b.Value), strings.Compare(a.By, b.By))
	})
	for i := range l.all {
		l.byAddress[l.all[i].Address] = append(l.byAddress[l.all[i].Address], i)
		v := strings.ToLower(l.all[i].Value)
		l.byValue[v] = append(l.byValue[v], i)
		if _, name, ok := strings.Cut(v, `\`); ok { // without its domain
			l.byValue[name] = append(l.byValue[name], i)
		}
	}
	return l
}

// cut ends what is assumed of a user where the machine that had the address when the user was last seen lost it.
func (l *Links) cut() {
	machines := map[string][]int{}
	for i := range l.all {
		if k := &l.all[i]; k.Kind != "user" && k.By == leaseBy {
			machines[k.Address] = append(machines[k.Address], i)
		}
	}
	for i := range l.all {
		k := &l.all[i]
		if k.Kind != "user" || k.Until <= k.To {
			continue
		}
		until := int64(event.NoTime)
		for _, j := range machines[k.Address] {
			if m := &l.all[j]; m.From <= k.To && k.To <= m.Until {
				until = max(until, m.Until)
			}
		}
		if until != event.NoTime && until < k.Until {
			k.Until = until
		}
	}
}

// leaseBy is what tells of leases.
const leaseBy = "DHCP lease"

func compareAddresses(a, b string) int {
	x, e1 := netip.ParseAddr(a)
	y, e2 := netip.ParseAddr(b)
	if e1 != nil || e2 != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// All returns all links, by address, then time. The caller must not change it.
func (l *Links) All() []Link { return l.all }

// At returns the links of an address that held at a time, those seen nearest to
// it first.
func (l *Links) At(address string, t int64) []Link {
	return l.holding(l.byAddress[canonicalAddress(address)], t)
}

// Of returns the links of a user, host or hardware address that held at a time.
// A user may be named with or without a domain.
func (l *Links) Of(value string, t int64) []Link {
	return l.holding(l.byValue[strings.ToLower(value)], t)
}

// Always returns the links of an address, or of a user, host or hardware
// address, at any time.
func (l *Links) Always(name string) []Link {
	var out []Link
	for _, i := range append(slices.Clone(l.byAddress[canonicalAddress(name)]), l.byValue[strings.ToLower(name)]...) {
		out = append(out, l.all[i])
	}
	return out
}

func canonicalAddress(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return a.Unmap().WithZone("").String()
}

func (l *Links) holding(among []int, t int64) []Link {
	var out []Link
	for _, i := range among {
		if k := &l.all[i]; k.From <= t && t <= k.Until {
			out = append(out, *k)
		}
	}
	away := func(k Link) int64 { return max(0, t-k.To) }
	slices.SortStableFunc(out, func(a, b Link) int { return cmp.Or(cmp.Compare(away(a), away(b)), cmp.Compare(b.From, a.From)) })
	return out
}

// Sentence says who and what was at an address at a time and what tells so, and where that cannot all be true; ""
// where no log tells.
func (l *Links) Sentence(address string, t int64) string {
	links := l.At(address, t)
	if len(links) == 0 {
		return ""
	}
	var names, by []string
	from, until := links[0].From, links[0].Until
	for _, kind := range []string{"host", "user", "mac"} {
		for _, k := range links {
			same := func(n string) bool { return strings.EqualFold(bareUser(n), bareUser(k.Value)) }
			if k.Kind != kind || slices.ContainsFunc(names, same) || kind == "mac" && len(names) > 0 || len(names) >= 4 {
				continue
			}
			names = append(names, k.Value)
			if !slices.Contains(by, k.By) {
				by = append(by, k.By)
			}
			from, until = max(from, k.From), min(until, k.Until)
		}
	}
	layout := "15:04"
	if at := time.Unix(0, from).UTC(); until-from > int64(24*time.Hour) || time.Unix(0, until).UTC().Day() != at.Day() {
		layout = "2006-01-02 15:04"
	}
	sentence := fmt.Sprintf("%s was %s, %s–%s UTC, per %s", address, strings.Join(names, "/"), time.Unix(0, from).UTC().Format(layout), time.Unix(0, until).UTC().Format(layout), strings.Join(by, " and "))
	if d := disagreement(links); d != "" {
		sentence += "; but they disagree: " + d
	}
	return sentence
}

// disagreement says which links of one address and time cannot all be true: it is one machine at a time. A name with and without its domain is one name.
func disagreement(links []Link) string {
	for _, kind := range []string{"mac", "host"} {
		var said []string
		var first *Link
		for i := range links {
			k := &links[i]
			if k.Kind != kind {
				continue
			}
			if first == nil {
				first = k
				said = append(said, k.Value+" per "+k.By)
			} else if !strings.EqualFold(bareHost(k.Value), bareHost(first.Value)) && len(said) < 4 {
				said = append(said, k.Value+" per "+k.By)
			}
		}
		if len(said) > 1 {
			return strings.Join(said, ", ")
		}
	}
	return ""
}

// bareUser is an account's name without its domain.
func bareUser(s string) string { return s[strings.LastIndexByte(s, '\\')+1:] }

// bareHost is a host's name without its domain.
func bareHost(s string) string {
	if strings.Count(s, ":") > 0 {
		return s
	}
	name, _, _ := strings.Cut(s, ".")
	return name
}
