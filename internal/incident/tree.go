package incident

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Process trees: where a log gives processes an identity that is never used
// again (Sysmon's ProcessGuid, process.entity_id), what a finding's programs
// were started by, what they started, and what they wrote and contacted is of
// the same story. Names and pids would not do: both are used again.

const (
	treeHeight    = 6   // generations, up and down
	treeSize      = 300 // processes
	treeEach      = 40  // records told of each kind
	treeReach     = 24 * time.Hour
	weightProcess = 2.0
	halfProcess   = halfSession
)

// treeRoots start everything in a session or on a host: what they started
// has no more in common than that.
var treeRoots = []string{
	"explorer.exe", "services.exe", "svchost.exe", "winlogon.exe", "wininit.exe", "userinit.exe", "smss.exe", "csrss.exe", "lsass.exe", "system",
	"taskhostw.exe", "taskeng.exe", "sihost.exe", "runtimebroker.exe", "wmiprvse.exe", "msiexec.exe", "dllhost.exe", "ctfmon.exe", "",
	"systemd", "init", "cron", "crond", "sshd", "launchd", "conhost.exe",
}

func treeRoot(name string) bool { return slices.Contains(treeRoots, name) }

// processBonds ties findings about one process, or a process and its parent.
func (n *node) processBonds() {
	if n.behaviour != other {
		return
	}
	for i := range n.details[:min(len(n.details), 12)] {
		r := &n.details[i]
		if r.entity != "" && !treeRoot(programName(r)) {
			n.bonds = append(n.bonds, bond{"process:" + r.entity, weightProcess, halfProcess, true, false})
		}
		if r.parentEntity != "" && !treeRoot(parentProgram(r)) {
			n.bonds = append(n.bonds, bond{"process:" + r.parentEntity, weightProcess, halfProcess, true, false})
		}
	}
	n.bonds = trimBonds(n.bonds)
}

// parentProgram is the base name of the parent's program, lower case.
func parentProgram(r *record) string {
	p := normalPath(cmp.Or(r.parent, r.parentExecutable))
	return p[strings.LastIndexByte(p, '/')+1:]
}

// readTree gathers the records of the group's process trees.
func (g *group) readTree(ctx context.Context, c *court) error {
	if g.merged {
		return nil
	}
	in := map[string]bool{}
	var up, down []string
	add := func(list *[]string, id, name string) {
		if id != "" && !in[id] && !treeRoot(name) && len(in) < treeSize {
			in[id] = true
			*list = append(*list, id)
		}
	}
	for _, n := range g.nodes {
		if n.behaviour != other {
			continue
		}
		for i := range n.details {
			r := &n.details[i]
			add(&down, r.entity, programName(r))
			add(&up, r.parentEntity, parentProgram(r))
		}
	}
	if len(in) == 0 {
		return nil
	}
	if c.budget -= 2*treeHeight + 1; c.budget < 0 {
		return nil
	}
	around := g.span()
	if around.from != noTime {
		around = span{around.from - int64(treeReach), around.to + int64(treeReach)}
	}
	var started []record
	keep := func(rs []record) {
		for _, r := range rs {
			if r.has("start") && r.is("process") {
				started = append(started, r)
			}
		}
	}
	for range treeHeight {
		if len(up) == 0 {
			break
		}
		rs, err := c.store.ofProcesses(ctx, around, up, false, true, treeSize)
		if err != nil {
			return err
		}
		keep(rs)
		up = nil
		for i := range rs {
			add(&up, rs[i].parentEntity, parentProgram(&rs[i]))
		}
	}
	// Downwards from what the findings are about: a shell above it may have
	// started other things, that are nobody's finding.
	for range treeHeight {
		if len(down) == 0 {
			break
		}
		rs, err := c.store.ofProcesses(ctx, around, down, true, true, treeSize)
		if err != nil {
			return err
		}
		keep(rs)
		down = nil
		for i := range rs {
			add(&down, rs[i].entity, programName(&rs[i]))
		}
	}
	did, err := c.store.ofProcesses(ctx, around, sortedKeys(in), false, false, 5000)
	if err != nil {
		return err
	}
	g.tree = append(g.tree, part{"was started", "were started", spreadRecords(once(started), treeEach), func(r *record) string { return cmp.Or(programName(r), r.command) }})
	for _, k := range []struct {
		category, one, many string
		subject             func(r *record) string
	}{
		{"file", "is of files", "are of files", func(r *record) string { return r.file }},
		{"registry", "is of the registry", "are of the registry", func(r *record) string { return r.registry }},
		{"network", "is of the network", "are of the network", func(r *record) string { return cmp.Or(r.name, r.destination) }},
	} {
		var rs []record
		for _, r := range did {
			if r.is(k.category) && k.subject(&r) != "" && !policyTest(r.file) && !loaded(&r) {
				rs = append(rs, r)
			}
		}
		g.tree = append(g.tree, part{k.one, k.many, spreadRecords(once(rs), treeEach), k.subject})
	}
	for _, r := range did {
		if a, ok := parseAddress(r.destination); ok && c.owner[a.String()] != hostName(r.host) && r.is("network") && !r.has("denied") && r.destination != r.source && r.port != "53" {
			g.contacted = append(g.contacted, r.destination)
		}
	}
	for _, p := range g.tree {
		g.records = append(g.records, p.records...)
	}
	return nil
}

// loaded reports whether a record is of a registry key opened or made, as
// Windows' own libraries do in every program; what is told is values.
func loaded(r *record) bool { return r.is("registry") && windows(r, "12") && !runKey(r.registry) }

// part is what the programs of an incident did of one kind.
type part struct {
	one, many string
	records   []record
	subject   func(r *record) string
}

func once(rs []record) []record {
	sortRecords(rs)
	return slices.CompactFunc(rs, func(a, b record) bool { return a.id == b.id })
}

// spreadRecords takes up to n records, spread evenly, the first and the last among them.
func spreadRecords(rs []record, n int) []record {
	if len(rs) <= n {
		return rs
	}
	out := make([]record, 0, n)
	for i := range n {
		out = append(out, rs[i*(len(rs)-1)/(n-1)])
	}
	return out
}

// tellTree says what else the programs did.
func (g *group) tellTree() []Sentence {
	var out []Sentence
	for _, p := range g.tree {
		if len(p.records) == 0 {
			continue
		}
		var subjects []string
		for i := range p.records {
			if s := p.subject(&p.records[i]); s != "" && !slices.Contains(subjects, s) {
				subjects = append(subjects, s)
			}
		}
		text := "of the same process tree, " + prose.Count(len(p.records), "record "+p.one, "records "+p.many) + ": " + list(subjects, 5)
		if p.one == "was started" {
			text = "of the same process tree, " + prose.Count(len(p.records), "program was started", "programs were started") + ": " + list(subjects, 8)
		}
		out = append(out, Sentence{sentence(text), idsOf(p.records)})
	}
	return out
}
