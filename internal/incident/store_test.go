package incident

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// stored puts the world's records into a real store.
func (w *world) stored(t *testing.T) *store.Embedded {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var b event.Batch
	for i, r := range w.rs {
		e := b.Begin(int64(i*100), r.message)
		e.Time, e.ID = r.time, r.id
		b.Add("event.dataset", r.dataset)
		b.Add("host.name", r.host)
		for _, c := range r.category {
			b.Add("event.category", c)
		}
		for _, c := range r.types {
			b.Add("event.type", c)
		}
		for name, v := range map[string]string{
			"event.action": r.action, "event.outcome": r.outcome, "event.code": r.code, "event.provider": r.provider,
			"user.name": r.user, "user.target.name": r.target, "user.effective.name": r.effective, "source.ip": r.source,
			"destination.ip": r.destination, "destination.port": r.port, "network.protocol": r.protocol, "system.auth.ssh.method": r.method, "http.request.method": r.request,
			"url.original": r.url, "url.path": r.urlPath, "process.name": r.process, "process.executable": r.executable,
			"process.command_line": r.command, "process.parent.name": r.parent, "file.path": r.file, "zeek.connection.state": r.connection,
			"process.pid": r.pid, "process.entity_id": r.entity, "process.parent.entity_id": r.parentEntity, "source.port": r.sourcePort, "source.domain": r.from,
		} {
			b.Add(name, v)
		}
		for name, n := range map[string]int64{"source.bytes": r.sentBytes, "destination.bytes": r.receivedBytes, "http.response.status_code": int64(r.status), "http.response.body.bytes": r.size} {
			if n != 0 {
				b.AddInt(name, n)
			}
		}
	}
	for _, a := range w.ips {
		e := b.Begin(1<<20, "boot")
		e.Time, e.ID = day0, "boot-"+a.host
		b.Add("host.name", a.host)
		b.Add("host.ip", a.address)
	}
	wr := s.NewWriter()
	if err := errors.Join(wr.Add(&store.Source{ID: "00112233445566778899aabb", Path: "made.log", Fallback: day0}, b.Events), wr.Flush(), s.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	return s
}

const injection = `x" OR * | delete "\` + "`'"

// everything is a world with something for every question.
func everything() *world {
	w := &world{ips: []hostAddress{{"web1", "10.0.0.5"}}}
	intrusion(w, 0, "web1", attacker, "deploy")
	intrusion(w, 30, "db1", stranger, "carol")
	w.bruteForce(50, 5, 3, "web1", "192.0.2.3", injection, "root")
	w.log(70, sshd("web1", "192.0.2.3", injection, "success"))
	w.log(90, sshd(injection, "2001:db8::7", "Zoë", "success"))
	end := sshd("web1", attacker, "deploy", "success")
	end.types = []string{"end"}
	w.log(95, end)
	for i := range 6 {
		w.log(100+i, accessed("web1", "192.0.2.4", "GET", "/a b?c=\"d\"", 200+100*(i%4), int64(1000*i)))
	}
	w.log(101, record{dataset: "auditd.log", host: "WEB1", category: []string{"process"}, types: []string{"start"}, parent: "apache2", process: "sh", command: "sh -c id", user: "www-data"})
	w.log(103, loggedOff("web1", "Zoë", "77"))
	w.log(104, loggedOff("db1", "Zoë", "77"))
	w.log(105, record{dataset: "windows.sysmon", host: "ws1", category: []string{"process"}, types: []string{"start"}, entity: "{b}", parentEntity: "{a}", process: "x.exe"})
	w.log(106, record{dataset: "windows.sysmon", host: "ws1", category: []string{"file"}, types: []string{"creation"}, entity: "{b}", process: "x.exe", file: "y"})
	w.log(107, sudo("web1", "Zoë", "/bin/sh", "failure"))
	w.log(108, record{dataset: "system.security", host: "web1", category: []string{"authentication"}, outcome: "failure", user: "ann", from: "KALI"})
	w.log(109, record{dataset: "system.security", host: "dc1", category: []string{"authentication"}, outcome: "success", user: "ann", from: "KALI"})
	w.log(120, record{dataset: "zeek.conn", category: []string{"network"}, types: []string{"connection"}, connection: "SF", source: "10.0.0.5", destination: attacker, port: "443", sentBytes: 5000, receivedBytes: 700})
	w.log(130, record{dataset: "aws.cloudtrail", category: []string{"iam"}, action: "GetObject", outcome: "success", source: attacker, user: "svc"})
	w.log(131, record{dataset: "aws.cloudtrail", category: []string{"iam"}, action: "GetObject", outcome: "success", source: "192.0.2.8", user: "svc"})
	return w
}

// records are visits as far as they are alike.
func records(vs []visit) []record {
	rs := make([]record, len(vs))
	for i, v := range vs {
		rs[i] = record{id: v.id, time: v.time, host: v.host, source: v.source, pid: v.pid}
	}
	return rs
}

func TestTheStoreAnswersAsAsked(t *testing.T) {
	w := everything()
	real := logsQL{w.stored(t)}
	ctx := t.Context()
	all := span{noTime, noTime}
	part := span{at(60), at(110)}
	var some []string
	for i, r := range w.rs {
		if i%3 == 0 {
			some = append(some, r.id)
		}
	}
	some = append(some, "absent", injection)
	questions := map[string]func(s evidenceStore) ([]record, error){
		"records":         func(s evidenceStore) ([]record, error) { return s.records(ctx, some, all) },
		"records in time": func(s evidenceStore) ([]record, error) { return s.records(ctx, some, part) },
		"logins": func(s evidenceStore) ([]record, error) {
			return s.logins(ctx, []string{attacker, stranger, "192.0.2.3"}, all, 50)
		},
		"logins, limited": func(s evidenceStore) ([]record, error) {
			return s.logins(ctx, []string{attacker, "192.0.2.3", "2001:db8::7"}, all, 1)
		},
		"logins, hostile": func(s evidenceStore) ([]record, error) { return s.logins(ctx, []string{injection}, all, 50) },
		"user logins": func(s evidenceStore) ([]record, error) {
			return s.userLogins(ctx, []string{"deploy", injection, "Zoë"}, nil, all, 50)
		},
		"user logins host": func(s evidenceStore) ([]record, error) {
			return s.userLogins(ctx, []string{"deploy", "Zoë"}, []string{injection}, all, 50)
		},
		"refusals of machines": func(s evidenceStore) ([]record, error) {
			return s.ofMachines(ctx, false, []string{"KALI", injection}, []string{"web1"}, all, 50)
		},
		"logins of machines": func(s evidenceStore) ([]record, error) {
			return s.ofMachines(ctx, true, []string{"KALI", injection}, nil, all, 50)
		},
		"refusals": func(s evidenceStore) ([]record, error) {
			return s.refusals(ctx, []string{"root", injection}, []string{"web1"}, all, 50)
		},
		"doings": func(s evidenceStore) ([]record, error) {
			return s.doings(ctx, []string{"web1", "WEB1", injection}, all, 50)
		},
		"calls": func(s evidenceStore) ([]record, error) {
			return s.calls(ctx, []string{"svc", injection}, []string{attacker, stranger}, all, 50)
		},
		"visits": func(s evidenceStore) ([]record, error) {
			vs, err := s.visits(ctx, []string{"deploy", injection, "Zoë"}, all, 1000)
			return records(vs), err
		},
		"ends of sessions": func(s evidenceStore) ([]record, error) {
			vs, err := s.visits(ctx, nil, all, 1000)
			return records(vs), err
		},
		"requests": func(s evidenceStore) ([]record, error) { return s.requests(ctx, "192.0.2.4", 200, 399, all, 50) },
		"started": func(s evidenceStore) ([]record, error) {
			return s.startedBy(ctx, []string{"WEB1", injection}, webServers, webUsers, all, 50)
		},
		"started anywhere": func(s evidenceStore) ([]record, error) { return s.startedBy(ctx, nil, webServers, webUsers, part, 50) },
		"flows": func(s evidenceStore) ([]record, error) {
			return s.flows(ctx, []string{"10.0.0.5"}, []string{attacker}, all, 50)
		},
		"flows to": func(s evidenceStore) ([]record, error) { return s.flows(ctx, nil, []string{attacker}, all, 50) },
		"connections": func(s evidenceStore) ([]record, error) {
			return s.connections(ctx, []string{"10.0.0.5", attacker, injection}, all, 50)
		},
		"session ends": func(s evidenceStore) ([]record, error) {
			return s.sessionEnds(ctx, []string{"web1", injection}, "77", all)
		},
		"processes": func(s evidenceStore) ([]record, error) {
			return s.ofProcesses(ctx, all, []string{"{b}", injection}, false, false, 50)
		},
		"processes started": func(s evidenceStore) ([]record, error) {
			return s.ofProcesses(ctx, part, []string{"{a}"}, true, true, 50)
		},
		"commands of a user": func(s evidenceStore) ([]record, error) {
			return s.startedBy(ctx, []string{"web1"}, nil, []string{"Zoë"}, all, 50)
		},
		"seen": func(s evidenceStore) ([]record, error) { return s.seen(ctx, attacker, part, 10) },
	}
	for name, ask := range questions {
		want, err := ask(w)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ask(real)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(idsOf(got), idsOf(want)) {
			t.Errorf("%s: got %v, want %v", name, idsOf(got), idsOf(want))
			continue
		}
		if name != "logins, hostile" && len(got) == 0 {
			t.Errorf("%s: the question has no answer to compare", name)
		}
		for i := range got {
			got[i].path = "" // the world has no files
			if g, w := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); g != w {
				t.Errorf("%s:\n got %s\nwant %s", name, g, w)
			}
		}
	}
	sources := []string{attacker, stranger, "192.0.2.3", "192.0.2.99"}
	wantTallies, _ := w.failures(ctx, sources, part, 2)
	tallies, err := real.failures(ctx, sources, part, 2)
	if err != nil || len(tallies) < 3 || fmt.Sprint(short(tallies)) != fmt.Sprint(short(wantTallies)) {
		t.Errorf("failures: %v %v, want %v", short(tallies), err, short(wantTallies))
	}
	wantN, wantBig, _ := w.pageSizes(ctx, "/a b?c=\"d\"", []string{"192.0.2.99", injection}, all)
	n, big, err := real.pageSizes(ctx, "/a b?c=\"d\"", []string{"192.0.2.99", injection}, all)
	if err != nil || n != wantN || big.id != wantBig.id || n == 0 || big.size == 0 {
		t.Errorf("page sizes: %d %s %v, want %d %s", n, big.id, err, wantN, wantBig.id)
	}
	paths := []string{"/a b?c=\"d\"", injection, "/absent"}
	wantPages, _ := w.pages(ctx, paths, all, 2)
	pages, err := real.pages(ctx, paths, all, 2)
	if err != nil || len(pages) == 0 || len(pages) != len(wantPages) {
		t.Errorf("pages: %v %v, want %v", pages, err, wantPages)
	}
	for path, p := range pages {
		if want := wantPages[path]; p.count != want.count || !slices.Equal(idsOf(p.biggest), idsOf(want.biggest)) {
			t.Errorf("page %q: %v, want %v", path, p, want)
		}
	}
	kinds := func(s evidenceStore) string {
		ks, err := s.kinds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, k := range ks {
			out = append(out, fmt.Sprintf("%q", k))
		}
		slices.Sort(out)
		return strings.Join(slices.Compact(out), "\n")
	}
	if got, want := kinds(real), kinds(w); got != want {
		t.Errorf("kinds:\n%s\nwant\n%s", got, want)
	}
	if got, err := real.addresses(ctx); err != nil || !slices.Equal(got, w.ips) {
		t.Errorf("addresses: %v %v", got, err)
	}
}

func short(ts []tally) (out []string) {
	for _, t := range ts {
		out = append(out, fmt.Sprint(t.source, t.host, t.count, t.first, t.last, idsOf(t.records)))
	}
	return out
}

func TestIncidentsFromTheStoreAreThoseOfTheWorld(t *testing.T) {
	w := everything()
	in := Input{Findings: w.findings, Coverage: w.coverage()}
	want, err := build(t.Context(), in, w)
	if err != nil {
		t.Fatal(err)
	}
	in.Events = w.stored(t)
	got, err := Build(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := bytesOf(t, got), bytesOf(t, want); g != w {
		t.Errorf("got %s\nwant %s", g, w)
	}
	if err := Check(got, nil); err != nil {
		t.Error(err)
	}
}

func TestBuildFailsWithTheStore(t *testing.T) {
	w := everything()
	broken := errors.New("disk gone")
	_, err := Build(t.Context(), Input{Findings: w.findings, Events: failing{broken}})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Query(context.Context, string, func([]event.Field) error) error { return f.err }

func TestAddressesAreLearntFromTheFirewallAndTheSensor(t *testing.T) {
	s, err := store.Open(t.TempDir(), store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var b event.Batch
	log := func(seconds int, fields ...string) {
		e := b.Begin(int64(len(b.Events)*100), "record")
		e.Time, e.ID = at(seconds), fmt.Sprintf("id%05d", len(b.Events))
		for i := 0; i < len(fields); i += 2 {
			b.Add(fields[i], fields[i+1])
		}
	}
	filter := func(seconds int, host, to string, more ...string) {
		log(seconds, append([]string{"event.dataset", "iptables.log", "host.name", host, "observer.ingress.interface.name", "eth0", "source.ip", attacker, "destination.ip", to}, more...)...)
	}
	filter(1, "web1", "192.0.2.10")
	filter(2, "web1", "224.0.0.1")
	filter(3, "web1", "192.0.2.255", "destination.mac", "FF-FF-FF-FF-FF-FF")
	filter(4, "web1", "192.0.2.99", "observer.egress.interface.name", "eth1") // passed on
	for i := range 40 {
		filter(10+i, "router", fmt.Sprintf("192.0.2.%d", 100+i))
	}
	login := func(seconds int, host, port string) {
		log(seconds, "event.dataset", "system.auth", "event.category", "authentication", "host.name", host, "source.ip", attacker, "source.port", port)
	}
	flow := func(seconds int, to, port string) {
		log(seconds, "event.dataset", "suricata.eve", "event.category", "network", "source.ip", attacker, "source.port", port, "destination.ip", to)
	}
	login(100, "app1", "40001")
	login(101, "app1", "40002")
	flow(110, "192.0.2.30", "40001")
	flow(111, "192.0.2.30", "40002")
	login(120, "app2", "40003") // once is chance
	flow(121, "192.0.2.31", "40003")
	login(130, "app3", "40004") // the ports again, days later
	flow(130+100_000, "192.0.2.32", "40004")
	login(131, "app3", "40005")
	flow(131+100_000, "192.0.2.32", "40005")
	wr := s.NewWriter()
	if err := errors.Join(wr.Add(&store.Source{ID: "00112233445566778899aabb", Path: "made.log", Fallback: day0}, b.Events), wr.Flush(), s.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	got, err := logsQL{s}.addresses(t.Context())
	if want := []hostAddress{{"web1", "192.0.2.10"}, {"app1", "192.0.2.30"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	paths, err := logsQL{s}.paths(t.Context())
	if err != nil || !slices.Contains(paths, logPath{"made.log", "system.auth", "app1"}) {
		t.Errorf("paths: %v %v", paths, err)
	}
}

func TestTheStoreCountsWhoTalksToAnAddressAsAsked(t *testing.T) {
	w := everything()
	var all []string
	for i := range w.rs {
		if d := w.rs[i].destination; d != "" && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	want, _ := w.visitors(t.Context(), all)
	got, err := logsQL{w.stored(t)}.visitors(t.Context(), append(all, injection))
	if err != nil || len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
	for _, s := range []string{"10.0.0.7", "172.31.0.1", "192.168.3.4", "192.168.3.4", "172.32.0.1"} {
		w.log(1, record{dataset: "zeek.connection", category: []string{"network"}, types: []string{"connection"}, source: s, destination: stranger})
	}
	for _, most := range []int{2, 100} {
		own, _ := w.talkers(t.Context(), most)
		n, err := logsQL{w.stored(t)}.talkers(t.Context(), most)
		if err != nil || n != own || n < 2 {
			t.Errorf("%d own addresses talk (%v), want %d", n, err, own)
		}
	}
}
