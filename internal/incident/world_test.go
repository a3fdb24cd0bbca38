package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// world is a case made by hand: records as a store would hold them, findings
// over them, and the coverage that follows from the records.
type world struct {
	rs       []record
	findings []analyze.Finding
	ips      []hostAddress
}

var day0 = time.Date(2025, 3, 4, 9, 0, 0, 0, time.UTC).UnixNano()

// at is a time some seconds after the world's first.
func at(seconds int) int64 { return day0 + int64(seconds)*1e9 }

// log adds a record and returns its id.
func (w *world) log(seconds int, r record) string {
	r.time = at(seconds)
	r.id = fmt.Sprintf("e%05d", len(w.rs))
	if r.message == "" {
		r.message = r.dataset + " record " + r.id
	}
	w.rs = append(w.rs, r)
	return r.id
}

func sshd(host, source, user, outcome string) record {
	return record{dataset: "linux.auth", host: host, category: []string{"authentication", "session"}, types: []string{"info"}, action: "ssh_login",
		outcome: outcome, source: source, user: user, process: "sshd", method: "password"}
}

func accessed(host, source, method, path string, status int, bytes int64) record {
	return record{dataset: "apache.access", host: host, category: []string{"web"}, types: []string{"access"}, source: source, request: method,
		url: path, urlPath: path, status: status, size: bytes, outcome: map[bool]string{true: "failure", false: "success"}[status >= 400]}
}

// find adds a finding of a rule over the records named.
func (w *world) find(rule, level string, techniques, tactics []string, ids ...string) *analyze.Finding {
	f := analyze.Finding{Kind: "sigma", Rule: analyze.Rule{ID: rule, Name: rule}, Title: rule, Level: level, Explanation: rule,
		Count: len(ids), Techniques: techniques, Tactics: tactics}
	add := func(list *[]string, vs ...string) {
		for _, v := range vs {
			if v != "" && !slices.Contains(*list, v) && len(*list) < analyze.MaxEntities {
				*list = append(*list, v)
			}
		}
	}
	for _, r := range w.rs {
		if !slices.Contains(ids, r.id) {
			continue
		}
		if f.Evidence == nil {
			f.First = r.time
		}
		f.Last = r.time
		f.Evidence = append(f.Evidence, analyze.Evidence{ID: r.id, Time: r.time, Message: r.message, Path: r.path, Outcome: r.outcome})
		add(&f.Entities.Users, r.user, r.target)
		add(&f.Entities.Sources, r.source)
		add(&f.Entities.Destinations, r.destination)
		add(&f.Entities.Hosts, r.host)
		add(&f.Entities.Processes, r.executable)
		add(&f.Entities.Files, r.file)
		add(&f.Entities.URLs, r.url)
		add(&f.Outcomes, r.outcome)
		add(&f.Datasets, r.dataset)
	}
	if n := len(f.Evidence); n > analyze.MaxEvidence {
		f.Evidence = slices.Concat(f.Evidence[:analyze.MaxEvidence/2], f.Evidence[n-analyze.MaxEvidence/2:])
	}
	for _, l := range []*[]string{&f.Entities.Users, &f.Entities.Sources, &f.Entities.Destinations, &f.Entities.Hosts, &f.Entities.URLs, &f.Outcomes, &f.Datasets} {
		slices.Sort(*l)
	}
	f.ID = fmt.Sprintf("f%05d", len(w.findings))
	w.findings = append(w.findings, f)
	return &w.findings[len(w.findings)-1]
}

// bruteForce logs failed logins and finds them.
func (w *world) bruteForce(start, n, step int, host, source string, users ...string) *analyze.Finding {
	var ids []string
	for i := range n {
		ids = append(ids, w.log(start+i*step, sshd(host, source, users[i%len(users)], "failure")))
	}
	return w.find("SSH brute force", "medium", []string{"T1110.001"}, []string{"credential-access"}, ids...)
}

// quiet logs something harmless, so that a log reaches to a time.
func (w *world) quiet(seconds int, dataset, host string, category ...string) string {
	return w.log(seconds, record{dataset: dataset, host: host, category: category, types: []string{"info"}, action: "cron"})
}

func (w *world) coverage() []Coverage {
	var cs []Coverage
	for _, r := range w.rs {
		i := slices.IndexFunc(cs, func(c Coverage) bool { return c.Dataset == r.dataset && c.Host == r.host })
		if i < 0 {
			cs = append(cs, Coverage{Dataset: r.dataset, Host: r.host, First: r.time, Last: r.time, Events: 1})
			continue
		}
		cs[i].First, cs[i].Last = min(cs[i].First, r.time), max(cs[i].Last, r.time)
		cs[i].Events++
	}
	return cs
}

// build makes the incidents and checks what must hold of all incidents.
func (w *world) build(t testing.TB) []Incident {
	t.Helper()
	incs, err := build(t.Context(), Input{Findings: w.findings, Coverage: w.coverage()}, w)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range w.rs {
		known[r.id] = true
	}
	for _, f := range w.findings {
		for _, e := range f.Evidence {
			known[e.ID] = true
		}
	}
	if err := Check(incs, func(id string) bool { return known[id] }); err != nil {
		t.Fatal(err)
	}
	return incs
}

// one builds and wants a single incident.
func (w *world) one(t testing.TB) Incident {
	t.Helper()
	incs := w.build(t)
	if len(incs) != 1 {
		for _, i := range incs {
			t.Logf("%d %s: %v", i.Score, i.Title, i.Findings)
		}
		t.Fatalf("%d incidents, want 1", len(incs))
	}
	return incs[0]
}

func (w *world) remove(id string) {
	w.rs = slices.DeleteFunc(w.rs, func(r record) bool { return r.id == id })
}

func cited(ss []Sentence, id string) bool {
	return slices.ContainsFunc(ss, func(s Sentence) bool { return slices.Contains(s.Evidence, id) })
}

func said(ss []Sentence, words string) bool {
	return slices.ContainsFunc(ss, func(s Sentence) bool { return strings.Contains(s.Text, words) })
}

func bytesOf(t testing.TB, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func shuffled[T any](vs []T, seed uint64) []T {
	vs = slices.Clone(vs)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(vs), func(i, j int) { vs[i], vs[j] = vs[j], vs[i] })
	return vs
}

// The world answers as a store does.

func (w *world) pick(s span, limit int, want func(r *record) bool) ([]record, error) {
	var out []record
	for _, r := range w.rs {
		if (s.from == event.NoTime || r.time >= s.from) && (s.to == event.NoTime || r.time <= s.to) && want(&r) {
			out = append(out, r)
		}
	}
	sortRecords(out)
	return out[:min(len(out), limit)], nil
}

func isLogin(r *record) bool {
	return (r.is("authentication") || r.is("session")) && r.outcome == "success" && !r.has("end")
}

func (w *world) records(_ context.Context, ids []string, s span) ([]record, error) {
	want := map[string]bool{}
	for _, id := range ids {
		want[id] = true
	}
	return w.pick(s, len(ids), func(r *record) bool { return want[r.id] })
}

func (w *world) logins(_ context.Context, sources []string, s span, limit int) ([]record, error) {
	n := map[string]int{}
	return w.pick(s, len(w.rs), func(r *record) bool {
		if !isLogin(r) || !slices.Contains(sources, r.source) || n[r.source] == limit {
			return false
		}
		n[r.source]++
		return true
	})
}

func (w *world) failures(_ context.Context, sources []string, s span, limit int) ([]tally, error) {
	var ts []tally
	rs, _ := w.pick(s, len(w.rs), func(r *record) bool {
		return r.is("authentication") && r.outcome == "failure" && slices.Contains(sources, r.source)
	})
	for k, r := range rs {
		i := slices.IndexFunc(ts, func(t tally) bool { return t.source == r.source && t.host == r.host })
		if i < 0 {
			i = len(ts)
			ts = append(ts, tally{source: r.source, host: r.host, first: r.time})
		}
		ts[i].count++
		if r.user != "" && !slices.ContainsFunc(rs[:k], func(o record) bool { return o.source == r.source && o.host == r.host && o.user == r.user }) {
			ts[i].users++
		}
		ts[i].last = r.time
		if len(ts[i].records) < limit {
			ts[i].records = append(ts[i].records, r)
		}
	}
	slices.SortFunc(ts, func(a, b tally) int { return strings.Compare(a.source+" "+a.host, b.source+" "+b.host) })
	return ts, nil
}

func (w *world) userLogins(_ context.Context, users, hosts []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return isLogin(r) && r.source != "" && slices.Contains(users, r.user) && (len(hosts) == 0 || slices.Contains(hosts, r.host))
	})
}

func (w *world) refusals(_ context.Context, users, hosts []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return r.is("authentication") && r.outcome == "failure" && r.source != "" && slices.Contains(users, r.user) && (len(hosts) == 0 || slices.Contains(hosts, r.host))
	})
}

func (w *world) ofMachines(_ context.Context, accepted bool, names, hosts []string, s span, limit int) ([]record, error) {
	want := map[bool]string{true: "success", false: "failure"}[accepted]
	return w.pick(s, limit, func(r *record) bool {
		return r.is("authentication") && r.outcome == want && !(accepted && r.has("end")) && slices.Contains(names, r.from) && (len(hosts) == 0 || slices.Contains(hosts, r.host))
	})
}

func (w *world) doings(_ context.Context, hosts []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return slices.Contains(hosts, r.host) && (r.process == "systemd" || r.process == "sudo" || r.is("process") && r.has("start"))
	})
}

func (w *world) saidBefore(_ context.Context, host, message string, to int64) (bool, error) {
	rs, err := w.pick(span{noTime, to}, 1, func(r *record) bool { return r.host == host && r.message == message })
	return len(rs) > 0, err
}

func (w *world) calls(_ context.Context, callers, sources []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return cloudOf(r.dataset) != "" && slices.Contains(callers, r.user) && slices.Contains(sources, r.source)
	})
}

func (w *world) visits(_ context.Context, users []string, s span, limit int) ([]visit, error) {
	rs, err := w.pick(s, limit, func(r *record) bool {
		if users == nil {
			return r.is("session") && r.has("end") && r.pid != "" && r.host != ""
		}
		return isLogin(r) && r.source != "" && r.host != "" && slices.Contains(users, r.user)
	})
	var vs []visit
	for _, r := range rs {
		vs = append(vs, visit{r.time, r.id, r.host, r.user, r.source, r.pid})
	}
	return vs, err
}

func (w *world) requests(_ context.Context, source string, low, high int, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return r.is("web") && r.source == source && low <= r.status && r.status <= high
	})
}

func (w *world) pageSizes(_ context.Context, path string, sources []string, s span) (n int, biggest record, err error) {
	rs, _ := w.pick(s, len(w.rs), func(r *record) bool {
		return r.is("web") && r.urlPath == path && !slices.Contains(sources, r.source) && r.status/100 == 2
	})
	for _, r := range rs {
		if r.size > biggest.size {
			biggest = r
		}
	}
	return len(rs), biggest, nil
}

func (w *world) pages(_ context.Context, paths []string, s span, limit int) (map[string]page, error) {
	pages := map[string]page{}
	for _, path := range paths {
		rs, _ := w.pick(s, len(w.rs), func(r *record) bool { return r.is("web") && r.urlPath == path && r.status/100 == 2 })
		slices.SortStableFunc(rs, func(a, b record) int { return cmp.Compare(b.size, a.size) })
		if len(rs) > 0 {
			pages[path] = page{count: len(rs), biggest: rs[:min(len(rs), limit)]}
		}
	}
	return pages, nil
}

func (w *world) connections(_ context.Context, sources []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return r.is("network") && slices.Contains(sources, r.source) && !r.has("denied") && r.outcome != "failure" &&
			(r.sentBytes >= answerBytes && r.receivedBytes >= answerBytes || r.has("allowed"))
	})
}

func (w *world) startedBy(_ context.Context, hosts, parents, users []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return r.is("process") && (r.has("start") || r.process == "sudo") && (len(hosts) == 0 || slices.Contains(hosts, r.host)) && (slices.Contains(parents, r.parent) || slices.Contains(users, r.user))
	})
}

func (w *world) flows(_ context.Context, sources, destinations []string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		return r.is("network") && (len(sources) == 0 || slices.Contains(sources, r.source)) && (len(destinations) == 0 || slices.Contains(destinations, r.destination))
	})
}

func (w *world) visitors(_ context.Context, destinations []string) (map[string]int, error) {
	from := map[string]map[string]bool{}
	for i := range w.rs {
		r := &w.rs[i]
		if r.is("network") && slices.Contains(destinations, r.destination) {
			if from[r.destination] == nil {
				from[r.destination] = map[string]bool{}
			}
			from[r.destination][r.source] = true
		}
	}
	counts := map[string]int{}
	for d, sources := range from {
		counts[d] = len(sources)
	}
	return counts, nil
}

func (w *world) talkers(_ context.Context, most int) (int, error) {
	from := map[string]bool{}
	for i := range w.rs {
		if a, ok := parseAddress(w.rs[i].source); ok && a.IsPrivate() && w.rs[i].is("network") {
			from[w.rs[i].source] = true
		}
	}
	return min(len(from), most), nil
}

func (w *world) seen(_ context.Context, source string, s span, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool { return r.source == source })
}

func (w *world) kinds(context.Context) ([]logKind, error) {
	var ks []logKind
	for _, r := range w.rs {
		for _, c := range r.category {
			if k := (logKind{c, r.dataset, r.host}); !slices.Contains(ks, k) {
				ks = append(ks, k)
			}
		}
	}
	return ks, nil
}

func (w *world) addresses(context.Context) ([]hostAddress, error) { return w.ips, nil }

func (w *world) paths(context.Context) ([]logPath, error) {
	var ps []logPath
	for _, r := range w.rs {
		if p := (logPath{r.path, r.dataset, r.host}); r.path != "" && r.host != "" && !slices.Contains(ps, p) {
			ps = append(ps, p)
		}
	}
	return ps, nil
}

func (w *world) sessionEnds(_ context.Context, hosts []string, pid string, s span) ([]record, error) {
	return w.pick(s, 5, func(r *record) bool {
		return r.is("session") && r.has("end") && r.pid == pid && slices.Contains(hosts, r.host)
	})
}

func (w *world) ofProcesses(_ context.Context, s span, ids []string, children, starts bool, limit int) ([]record, error) {
	return w.pick(s, limit, func(r *record) bool {
		id := r.entity
		if children {
			id = r.parentEntity
		}
		return id != "" && slices.Contains(ids, id) && (!starts || r.is("process") && r.has("start"))
	})
}
