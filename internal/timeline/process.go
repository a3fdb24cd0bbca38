package timeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Process is one that was started, with what it started itself.
type Process struct {
	Host, User, Command string
	PID                 string
	Started             int64 // event.NoTime for a parent that is known by name only
	ID                  string
	Children            []*Process
	parent              *Process
	program             string // the file's name, in small letters, "" if it is not known
	login               string // audit session that it is of, "" if none is told
	turn, number        int    // when its number was given out: after so many begins of them
}

// Processes is the forest of the processes that were started.
type Processes struct {
	Roots []*Process
	More  bool // there were more starts than are kept
}

const (
	maxProcesses = 20_000
	maxDepth     = 40
)

// ReadProcesses builds the forest of the process starts that a query finds, by
// the entity ids of processes where the log has them (Sysmon, EDR), else by
// their number on the host at the time. Where nothing but the number tells, as in Linux' audit, a
// process is the parent only if both are of one login, and if the number
// cannot have been given to another since: Linux counts up and begins again.
func ReadProcesses(ctx context.Context, st store.Store, query string) (*Processes, error) {
	out := &Processes{}
	byID := map[string]*Process{}
	n := 0
	given := map[string]*numbers{}
	q := query + ` | filter !"sextant.time":* event.category:process event.type:start process.pid:* | limit ` + fmt.Sprint(maxProcesses+1) + ` | fields _time, event.id, host.name, user.name, process.pid, process.entity_id, process.name, process.executable, process.command_line, process.parent.pid, process.parent.entity_id, process.parent.name, process.parent.executable, process.parent.command_line, auditd.log.ses`
	err := st.Query(ctx, q, func(fs []event.Field) error {
		if n++; n > maxProcesses {
			out.More = true
			return nil
		}
		r := row(fs)
		key := func(entity, pid string) string {
			if entity != "" {
				return "e\x00" + r.get("host.name") + "\x00" + entity
			}
			return "p\x00" + r.get("host.name") + "\x00" + pid
		}
		p := &Process{Host: r.get("host.name"), User: r.get("user.name"), PID: r.get("process.pid"), Started: r.time("_time"), ID: r.get("event.id"),
			Command: first(r.get("process.command_line"), r.get("process.executable"), r.get("process.name"), "process "+r.get("process.pid")), program: program(r.get("process.executable"), r.get("process.name"))}
		p.number, _ = strconv.Atoi(p.PID)
		if p.login = r.get("auditd.log.ses"); p.login == "4294967295" || p.login == "unset" {
			p.login = ""
		}
		linux := r.get("auditd.log.ses") != ""
		if linux {
			if given[p.Host] == nil {
				given[p.Host] = &numbers{}
			}
			p.turn = given[p.Host].turnOf(p.number)
		}
		if ppid := r.get("process.parent.pid"); ppid != "" || r.get("process.parent.entity_id") != "" {
			k := key(r.get("process.parent.entity_id"), ppid)
			parent := byID[k]
			name := first(r.get("process.parent.command_line"), r.get("process.parent.executable"), r.get("process.parent.name"))
			file := program(r.get("process.parent.executable"), r.get("process.parent.name"))
			if parent != nil && r.get("process.parent.entity_id") == "" && file != "" && parent.program != "" && file != parent.program {
				parent = nil // the number was used again by one whose start is not in the log
			}
			if parent != nil && linux && file == "" && !parent.surely(p) {
				parent = nil
			}
			if parent == nil && name != "" {
				parent = &Process{Host: p.Host, PID: ppid, Command: name, Started: event.NoTime, program: file}
				byID[k] = parent
				out.Roots = append(out.Roots, parent)
			}
			if parent != nil && depth(parent) < maxDepth {
				p.parent = parent
				parent.Children = append(parent.Children, p)
			}
		}
		if p.parent == nil {
			out.Roots = append(out.Roots, p)
		}
		byID[key(r.get("process.entity_id"), p.PID)] = p
		return nil
	})
	return out, err
}

// surely reports whether a process of the number that another names as its parent's is the parent.
func (p *Process) surely(child *Process) bool {
	passed := child.turn > p.turn+1 || child.turn == p.turn+1 && child.number > p.number
	return !passed && (p.login == "" || p.login == child.login)
}

// numbers follows how a host gives numbers to its processes: upwards, from the beginning again when
// they are used up. A number far below the last is that of a process that runs another program, or a new
// turn: the next tells, which goes on from there.
type numbers struct{ top, turn, doubt int }

func (n *numbers) turnOf(number int) int {
	switch {
	case n.top == 0 || number >= n.top:
		if n.doubt != 0 && n.top != 0 { // it went on from the top
			n.doubt = 0
		}
		n.top = number
	case n.doubt != 0 && number >= n.doubt && number < n.top:
		n.turn, n.top, n.doubt = n.turn+1, number, 0
	default:
		n.doubt = number
		return n.turn + 1
	}
	return n.turn
}

// program is the name of a program's file, by which it can be told from another.
func program(executable, name string) string {
	f := first(executable, name)
	return strings.ToLower(f[strings.LastIndexAny(f, `/\`)+1:])
}

func depth(p *Process) int {
	n := 0
	for ; p != nil && n <= maxDepth; p = p.parent {
		n++
	}
	return n
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Begun is when the first process of a tree was started.
func (p *Process) Begun() int64 {
	t := p.Started
	for _, c := range p.Children {
		if b := c.Begun(); t == event.NoTime || b != event.NoTime && b < t {
			t = b
		}
	}
	return t
}

// Walk calls fn with each process, parents first, trees in order of their first start. What is started over and over with the
// same command, by the same process or by one of which nothing is known, is one, with the number of times.
func (ps *Processes) Walk(fn func(p *Process, depth, times int)) {
	roots := slices.Clone(ps.Roots)
	slices.SortStableFunc(roots, func(a, b *Process) int { return cmp.Compare(a.Begun(), b.Begun()) })
	walk(roots, 0, fn)
}

func walk(all []*Process, depth int, fn func(p *Process, depth, times int)) {
	type what struct{ host, command, user string }
	var order []what
	same := map[what][]*Process{}
	for _, p := range all {
		k := what{p.Host, p.Command, p.User}
		if same[k] == nil {
			order = append(order, k)
		}
		same[k] = append(same[k], p)
	}
	for _, k := range order {
		one := *same[k][0]
		one.Children = nil
		for _, p := range same[k] {
			one.Children = append(one.Children, p.Children...)
		}
		fn(&one, depth, len(same[k]))
		walk(one.Children, depth+1, fn)
	}
}
