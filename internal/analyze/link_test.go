package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// caseOf is a store with the given records: a time and fields, name and value in turn.
func caseOf(t testing.TB, records ...[]string) store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var b event.Batch
	for i, r := range records {
		e := b.Begin(int64(i), "record")
		e.ID = fmt.Sprintf("id%d", i)
		at, err := time.Parse("2006-01-02 15:04:05", "2026-03-"+r[0])
		if err != nil {
			t.Fatal(err)
		}
		e.Time = at.UnixNano()
		for j := 1; j < len(r); j += 2 {
			b.Add(r[j], r[j+1])
		}
	}
	w := st.NewWriter()
	if err := w.Add(&store.Source{ID: "s", Path: "x.log"}, b.Events); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := st.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}

func at(s string) int64 {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-03-"+s)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

func lease(when, action, ip, mac, name string) []string {
	return []string{when, "event.dataset", "dhcpd.log", "event.action", action, "client.ip", ip, "client.mac", mac, "client.domain", name}
}

func logon(when, code, id, user, ip, kind string) []string {
	return []string{when, "event.dataset", "system.security", "event.code", code, "event.category", "authentication", "event.outcome", "success", "host.name", "dc1",
		"winlog.event_data.TargetLogonId", id, "user.name", user, "source.ip", ip, "winlog.logon.type", kind}
}

func ssh(when, action, pid, user, ip string) []string {
	return []string{when, "event.dataset", "system.auth", "event.action", action, "event.category", "session", "event.outcome", "success", "process.name", "sshd", "process.pid", pid, "host.name", "web1", "user.name", user, "source.ip", ip}
}

func links(t *testing.T, records ...[]string) *Links {
	t.Helper()
	l, err := ReadLinks(t.Context(), caseOf(t, records...))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func values(links []Link) []string {
	var out []string
	for _, k := range links {
		out = append(out, k.Value)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestAnAddressIsWhosTheLastLeaseGaveItTo(t *testing.T) {
	l := links(t,
		lease("02 08:02:00", "DHCPACK", "192.0.2.15", "00-00-5E-00-53-01", "ws7"),
		lease("02 12:00:00", "DHCPACK", "192.0.2.15", "00-00-5E-00-53-01", "ws7"),
		lease("02 16:40:00", "DHCPACK", "192.0.2.15", "00-00-5E-00-53-02", "ws9"),
		lease("03 10:00:00", "DHCPRELEASE", "192.0.2.15", "00-00-5E-00-53-02", "ws9"))
	for when, want := range map[string]string{"02 08:01:59": "[]", "02 09:00:00": "[00-00-5E-00-53-01 ws7]", "02 16:39:59": "[00-00-5E-00-53-01 ws7]",
		"02 16:41:00": "[00-00-5E-00-53-02 ws9]", "03 09:59:00": "[00-00-5E-00-53-02 ws9]", "03 10:00:01": "[]"} {
		if got := fmt.Sprint(values(l.At("192.0.2.15", at(when)))); got != want {
			t.Errorf("at %s: %s, want %s", when, got, want)
		}
	}
	if n := len(l.Always("WS7")); n != 1 {
		t.Errorf("ws7 has %d links", n)
	}
}

func TestALeaseAndALogonSayWhoWasThereInOneSentence(t *testing.T) {
	l := links(t,
		lease("02 08:02:00", "DHCPACK", "192.0.2.15", "00-00-5E-00-53-01", "ws7"),
		lease("02 16:40:00", "DHCPRELEASE", "192.0.2.15", "00-00-5E-00-53-01", "ws7"),
		logon("02 08:10:00", "4624", "0x1234", "alice", "192.0.2.15", "Interactive"),
		logon("02 16:30:00", "4634", "0x1234", "alice", "", "Interactive"))
	if got, want := l.Sentence("192.0.2.15", at("02 09:00:00")), "192.0.2.15 was ws7/alice, 08:10–16:30 UTC, per DHCP lease and windows logon on dc1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if s := l.Sentence("192.0.2.99", at("02 09:00:00")); s != "" {
		t.Error(s)
	}
	for _, k := range l.Of("alice", at("02 12:00:00")) {
		if k.Address != "192.0.2.15" || !slices.Equal(k.Evidence, []string{"id2", "id3"}) {
			t.Errorf("%+v", k)
		}
	}
	if len(l.Of("alice", at("02 16:31:00"))) != 0 {
		t.Error("alice is still there after her logoff")
	}
}

func TestSessionsPairTheirBeginningWithTheirEnd(t *testing.T) {
	st := caseOf(t,
		ssh("02 10:00:00", "ssh_login", "700", "bob", "203.0.113.9"),
		ssh("02 10:00:00", "logged-on", "700", "bob", ""),
		ssh("02 10:05:00", "ssh_login", "701", "eve", "203.0.113.10"),
		ssh("02 11:00:00", "logged-off", "700", "bob", ""),
		ssh("03 10:00:00", "ssh_login", "700", "carol", "203.0.113.11"), // the process id again
		logon("02 09:00:00", "4624", "0x3e7", "SYSTEM", "", "Service"),
		logon("02 09:01:00", "4624", "0xabc", "alice", "192.0.2.15", "RemoteInteractive"),
		logon("02 09:31:00", "4647", "0xabc", "alice", "", ""))
	s, err := ReadSessions(t.Context(), st, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range s.All {
		end := "open"
		if x.To != event.NoTime {
			end = time.Duration(x.To - x.From).String()
		}
		got = append(got, strings.Join([]string{x.Kind, x.Host, x.User, x.Source, end}, " "))
	}
	want := []string{"windows logon dc1 alice 192.0.2.15 30m0s", "ssh web1 bob 203.0.113.9 1h0m0s", "ssh web1 eve 203.0.113.10 open", "ssh web1 carol 203.0.113.11 open"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVPNSessionsLinkTheInnerAddressToo(t *testing.T) {
	vpn := func(when, action string, more ...string) []string {
		return append([]string{when, "event.dataset", "cisco_asa.log", "event.action", action, "user.name", "erin", "source.ip", "203.0.113.50"}, more...)
	}
	l := links(t, vpn("02 10:00:00", "address-assigned", "cisco.asa.assigned_ip", "192.0.2.77"), vpn("02 18:00:00", "client-vpn-disconnected"))
	if got := values(l.At("192.0.2.77", at("02 12:00:00"))); !slices.Equal(got, []string{"erin"}) {
		t.Errorf("%q", got)
	}
	if len(l.At("192.0.2.77", at("02 18:00:01"))) != 0 || len(l.At("203.0.113.50", at("02 12:00:00"))) != 1 {
		t.Error("the session's end, or its outer address, is lost")
	}
}

func TestMachineAccountsTicketsAndARPNameAddresses(t *testing.T) {
	ticket := []string{"02 07:00:00", "event.code", "4768", "event.outcome", "success", "user.name", "WS7$", "source.ip", "::ffff:192.0.2.15"}
	arp := []string{"02 07:00:00", "process.name", "arpwatch", "message", "new station 192.0.2.15 0:0:5e:0:53:1 eth0"}
	l := links(t, ticket, arp)
	if got := values(l.At("192.0.2.15", at("02 08:00:00"))); !slices.Equal(got, []string{"00-00-5E-00-53-01", "WS7"}) {
		t.Errorf("%q", got)
	}
}

func TestNothingThatLinksGivesNoLinks(t *testing.T) {
	l := links(t, []string{"02 07:00:00", "event.code", "4768", "event.outcome", "success", "user.name", "x", "source.ip", "not an address"},
		[]string{"02 07:00:00", "process.name", "arpwatch", "message", "new station \x1b[31m x:x:x:x:x:x"},
		[]string{"02 07:00:00", "event.dataset", "dhcpd.log", "event.action", "DHCPRELEASE", "client.ip", "192.0.2.1", "client.domain", "a"})
	if len(l.All()) != 0 {
		t.Errorf("%+v", l.All())
	}
}

func TestATunnelIsOneHoweverItsRecordsAreOrderedAndEndsWhereThePeerIsTheDestination(t *testing.T) {
	asa := func(when, action string, more ...string) []string {
		return append([]string{when, "event.dataset", "cisco_asa.log", "event.action", action, "host.name", "asa1", "user.name", "ann"}, more...)
	}
	st := caseOf(t,
		asa("02 08:00:00", "address-assigned", "source.ip", "198.51.100.9", "cisco.asa.assigned_ip", "10.9.0.1"),
		asa("02 08:00:00", "client-vpn-connected", "source.ip", "198.51.100.9"),
		asa("02 09:00:00", "client-vpn-disconnected", "destination.ip", "198.51.100.9"),
		// Of this one only the end is there, which tells when it began.
		asa("03 09:00:00", "client-vpn-disconnected", "destination.ip", "198.51.100.9", "event.start", "2026-03-03T08:30:00Z"),
		// Two whose ends are lost: the address goes to the next.
		asa("04 08:00:00", "address-assigned", "source.ip", "198.51.100.9", "cisco.asa.assigned_ip", "10.9.0.1"),
		asa("04 10:00:00", "address-assigned", "source.ip", "198.51.100.9", "cisco.asa.assigned_ip", "10.9.0.2"),
	)
	links, err := ReadLinks(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range links.All() {
		got = append(got, fmt.Sprintf("%s %s %s", k.Address, time.Unix(0, k.From).UTC().Format("02 15:04"), time.Unix(0, k.Until).UTC().Format("02 15:04")))
	}
	want := []string{"10.9.0.1 02 08:00 02 09:00", "10.9.0.1 04 08:00 04 20:00", "10.9.0.2 04 10:00 04 22:00",
		"198.51.100.9 02 08:00 02 09:00", "198.51.100.9 03 08:30 03 09:00", "198.51.100.9 04 08:00 04 22:00"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestALeaseIsAsLongAsItsRenewalsSayAndAPersonLeavesWithTheMachine(t *testing.T) {
	var records [][]string
	for h := range 12 { // renewed each half hour, so of an hour
		records = append(records, lease(fmt.Sprintf("02 %02d:00:00", 8+h/2), "DHCPACK", "192.0.2.9", "00-00-5E-00-53-01", "ws1"))
		records[h][0] = fmt.Sprintf("02 %02d:%02d:00", 8+h/2, h%2*30)
	}
	records = append(records, []string{"02 13:10:00", "event.code", "4624", "event.category", "authentication", "winlog.event_data.TargetLogonId", "0x77", "winlog.logon.type", "Network",
		"user.name", "ann", "user.domain", "CORP", "source.ip", "192.0.2.9", "host.name", "dc1"})
	links, err := ReadLinks(t.Context(), caseOf(t, records...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		when string
		want string
	}{{"02 14:00:00", "host user mac"}, {"02 14:35:00", ""}, {"02 20:00:00", ""}} {
		var kinds []string
		for _, k := range links.At("192.0.2.9", at(c.when)) {
			kinds = append(kinds, k.Kind)
		}
		slices.Sort(kinds)
		want := strings.Fields(c.want)
		slices.Sort(want)
		if !slices.Equal(kinds, want) {
			t.Errorf("at %s: %q, want %q", c.when, kinds, want)
		}
	}
}

func TestAComputersTicketAndLogonAreOneThingToKnow(t *testing.T) {
	l := links(t,
		logon("02 08:00:01", "4768", "", "WS7$", "192.0.2.7", ""), logon("02 08:00:01", "4624", "0x1", "WS7$", "192.0.2.7", "3"),
		logon("02 12:00:01", "4768", "", "ws7$", "192.0.2.7", ""))
	if all := l.All(); len(all) != 1 || all[0].Kind != "host" || all[0].Count != 3 {
		t.Errorf("%+v", all)
	}
}

func TestAPersonWithAndWithoutADomainIsNamedOnce(t *testing.T) {
	l := links(t, logon("02 08:00:01", "4768", "", "ulla", "192.0.2.7", ""), logon("02 08:00:02", "4624", "0x1", `CORP\ulla`, "192.0.2.7", "3"))
	if s := l.Sentence("192.0.2.7", at("02 08:00:03")); strings.Count(s, "ulla") != 1 {
		t.Error(s)
	}
}
