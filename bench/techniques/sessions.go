package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/internal/timeline"
)

// The house of sessions: some days of hosts to which people log in, and on which programs start others.
const (
	houseDays     = 4
	housePeople   = 25
	houseLostEnd  = 0.15 // of sessions whose end is not written: a crash, a log cut off
	houseSessions = 600  // of each kind
	houseStarts   = 3000 // processes of each log
	housePIDs     = 1500 // process numbers, so that they are used again
)

// stay is a session as it was; to is zero if its end was not written.
type stay struct {
	row              string // of the table
	kind, host, user string
	from, to         time.Time
}

// house makes logs, and what was so.
type house struct {
	r       *rand.Rand
	start   time.Time
	logs    map[string][]string // lines that begin with their time
	stays   []stay
	parents map[string]string // by the command of a process, which no other has: that of what started it, "" if no log can tell
}

func (h *house) log(file string, at time.Time, format string, args ...any) {
	h.logs[file] = append(h.logs[file], at.UTC().Format("2006-01-02T15:04:05.000000Z")+" "+fmt.Sprintf(format, args...))
}

// when is a random time, and one some minutes or hours later.
func (h *house) when() (from, to time.Time) {
	from = h.start.Add(time.Duration(h.r.Float64() * houseDays * 24 * float64(time.Hour)))
	return from, from.Add(time.Second + time.Duration(h.r.ExpFloat64()*float64(40*time.Minute)))
}

// logins are of sshd (whose end is told by the process that began it, and by a child with another number), sudo and su,
// and Windows' logons with numbers that begin again with each start, of which some are logged off twice: by the user, then by the system.
// Failures, logons of services and what others do at the same time are in between.
func (h *house) logins() {
	for range houseSessions {
		from, to := h.when()
		user, host, pid := fmt.Sprintf("p%02d", h.r.IntN(housePeople)), fmt.Sprintf("srv%d", h.r.IntN(4)), 700+h.r.IntN(30_000)
		file, lost := host+"/auth.log", h.r.Float64() < houseLostEnd
		address := fmt.Sprintf("10.7.0.%d", 1+h.r.IntN(200))
		h.log(file, from.Add(-time.Second), "%s sshd[%d]: Failed password for %s from %s port 50022 ssh2", host, pid, user, address)
		h.log(file, from, "%s sshd[%d]: Accepted publickey for %s from %s port 50022 ssh2: ED25519 SHA256:AAAA", host, pid, user, address)
		h.log(file, from.Add(20*time.Millisecond), "%s sshd[%d]: pam_unix(sshd:session): session opened for user %s(uid=1000) by (uid=0)", host, pid, user)
		s := stay{"ssh", "ssh", host, user, from, to}
		if lost {
			s.to = time.Time{}
		} else {
			h.log(file, to.Add(-10*time.Millisecond), "%s sshd[%d]: Disconnected from user %s %s port 50022", host, pid+1, user, address)
			h.log(file, to, "%s sshd[%d]: pam_unix(sshd:session): session closed for user %s", host, pid, user)
		}
		h.stays = append(h.stays, s)
		from, to = h.when()
		program := []string{"sudo", "su"}[h.r.IntN(2)]
		pid = 700 + h.r.IntN(30_000)
		h.log(file, from, "%s %s[%d]: pam_unix(%s:session): session opened for user root(uid=0) by %s(uid=1000)", host, program, pid, program, user)
		s = stay{program, program, host, user, from, to}
		if h.r.Float64() < houseLostEnd {
			s.to = time.Time{}
		} else {
			h.log(file, to, "%s %s[%d]: pam_unix(%s:session): session closed for user root", host, program, pid, program)
		}
		h.stays = append(h.stays, s)
		h.log(file, from.Add(time.Minute), "%s CRON[%d]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", host, pid+7)
		h.log(file, from.Add(time.Minute+time.Second), "%s CRON[%d]: pam_unix(cron:session): session closed for user root", host, pid+7)
	}
	id := map[string]int{}
	for range houseSessions {
		from, to := h.when()
		user, host := fmt.Sprintf("p%02d", h.r.IntN(housePeople)), fmt.Sprintf("ws%d", h.r.IntN(4))
		if boot := host + from.Format("2"); id[boot] == 0 { // a start each day
			id[boot] = 0x10000 + h.r.IntN(4096)
		}
		id[host+from.Format("2")] += 1 + h.r.IntN(200)
		logon := fmt.Sprintf("0x%x", id[host+from.Format("2")])
		if next := h.start.AddDate(0, 0, 1+int(from.Sub(h.start)/(24*time.Hour))); to.After(next) {
			to = next.Add(-time.Second) // the computer is turned off
		}
		if !to.After(from) {
			continue
		}
		kind := []int{2, 3, 10}[h.r.IntN(3)]
		h.windows(host, from, 4624, fmt.Sprintf(`"TargetUserName":"%s","TargetDomainName":"CORP","TargetLogonId":"%s","LogonType":"%d","IpAddress":"10.7.1.%d","SubjectLogonId":"0x3e7"`, user, logon, kind, 1+h.r.IntN(200)))
		h.windows(host, from, 4624, `"TargetUserName":"SYSTEM","TargetDomainName":"NT AUTHORITY","TargetLogonId":"0x3e7","LogonType":"5","IpAddress":"-","SubjectLogonId":"0x3e7"`)
		s := stay{"windows logon", "windows logon", host, `CORP\` + user, from, to}
		if h.r.Float64() < houseLostEnd {
			s.to = time.Time{}
		} else {
			if kind != 3 && h.r.IntN(2) == 0 {
				h.windows(host, to, 4647, fmt.Sprintf(`"TargetUserName":"%s","TargetDomainName":"CORP","TargetLogonId":"%s"`, user, logon))
				h.windows(host, to.Add(700*time.Millisecond), 4634, fmt.Sprintf(`"TargetUserName":"%s","TargetDomainName":"CORP","TargetLogonId":"%s","LogonType":"%d"`, user, logon, kind))
			} else {
				h.windows(host, to, 4634, fmt.Sprintf(`"TargetUserName":"%s","TargetDomainName":"CORP","TargetLogonId":"%s","LogonType":"%d"`, user, logon, kind))
			}
		}
		h.stays = append(h.stays, s)
	}
}

func (h *house) windows(host string, at time.Time, code int, data string) {
	h.channel(host, "security", "Security", "Microsoft-Windows-Security-Auditing", at, code, data)
}

func (h *house) channel(host, file, channel, provider string, at time.Time, code int, data string) {
	name := host + "/" + file + ".jsonl"
	h.logs[name] = append(h.logs[name], fmt.Sprintf(`{"@timestamp":"%s","host":{"name":"%s"},"winlog":{"channel":"%s","provider_name":"%s","event_id":"%d","computer_name":"%s","event_data":{%s}}}`,
		at.UTC().Format("2006-01-02T15:04:05.000000Z"), host, channel, provider, code, host, data))
}

// programs start others, by logs that name what started them in three ways: Sysmon by an id that no other process has,
// the Security log and the kernel's audit by its number, which is used again; the audit names no parent beside, but the login that both are of.
func (h *house) programs() {
	type process struct {
		command string
		pid     int
		ended   time.Time
		login   int // what it is part of, for the audit
	}
	for _, log := range []string{"sysmon", "security", "auditd"} {
		var all []process
		host := "pc-" + log
		at := h.start
		taken := map[int]time.Time{}
		next := 1000
		for i := range houseStarts {
			at = at.Add(time.Duration(h.r.ExpFloat64() * float64(houseDays*24*time.Hour/houseStarts)))
			pid := 4 * (100 + h.r.IntN(housePIDs))
			if log == "auditd" { // Linux counts on, past those that are not logged, and begins again at the end
				pid = next + 1 + h.r.IntN(60)
			}
			for pid = wrapped(log, pid); taken[pid].After(at); pid = wrapped(log, pid) {
				if pid++; log != "auditd" {
					pid = 4 * (100 + h.r.IntN(housePIDs))
				}
			}
			next = pid
			p := process{fmt.Sprintf("/opt/%s/p%d", log, i), pid, at.Add(time.Duration(h.r.ExpFloat64() * float64(3*time.Hour))), 0}
			taken[pid] = p.ended
			// What started it is of those that run, or one that began before the log or of which the log does not tell.
			parent, told := process{command: "/sbin/unseen", pid: 4 * (100 + housePIDs + h.r.IntN(housePIDs)), login: 1 + h.r.IntN(20)}, false
			if len(all) > 0 && h.r.Float64() < 0.9 {
				for range 20 {
					if q := all[max(0, len(all)-1-h.r.IntN(200))]; q.ended.After(at) {
						parent, told = q, true
						break
					}
				}
			}
			if !told && h.r.Float64() < 0.5 && len(all) > 0 { // which may have the number of one that is gone
				for range 20 {
					if q := all[h.r.IntN(len(all))]; !taken[q.pid].After(at) {
						parent.pid = q.pid
						taken[q.pid] = at.Add(time.Hour)
						break
					}
				}
			}
			p.login = parent.login
			h.parents[p.command] = ""
			if told {
				h.parents[p.command] = parent.command
			} else if log != "auditd" {
				h.parents[p.command] = "/sbin/unseen"
			}
			guid := func(p process) string {
				return fmt.Sprintf("{00000000-0000-0000-%04x-%012x}", p.pid, p.ended.UnixMilli())
			}
			switch log {
			case "sysmon":
				h.channel(host, "sysmon", "Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon", at, 1,
					fmt.Sprintf(`"ProcessGuid":"%s","ProcessId":"%d","Image":"%s","CommandLine":"%s","User":"CORP\\p01","ParentProcessGuid":"%s","ParentProcessId":"%d","ParentImage":"%s","ParentCommandLine":"%s","UtcTime":"%s"`,
						guid(p), p.pid, p.command, p.command, guid(parent), parent.pid, parent.command, parent.command, at.UTC().Format("2006-01-02 15:04:05.000")))
			case "security":
				h.channel(host, "security", "Security", "Microsoft-Windows-Security-Auditing", at, 4688,
					fmt.Sprintf(`"NewProcessId":"0x%x","NewProcessName":"%s","CommandLine":"%s","ProcessId":"0x%x","ParentProcessName":"%s","SubjectUserName":"p01","SubjectDomainName":"CORP","SubjectLogonId":"0x1234"`, p.pid, p.command, p.command, parent.pid, parent.command))
			case "auditd":
				stamp := fmt.Sprintf("%d.%03d:%d", at.Unix(), at.Nanosecond()/1e6, 1000+i)
				name := host + "/audit.log"
				h.logs[name] = append(h.logs[name], fmt.Sprintf(`type=SYSCALL msg=audit(%s): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=%d pid=%d auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=%d comm="p%d" exe="%s" key="exec"`, stamp, parent.pid, p.pid, p.login, i, p.command)+
					"\n"+fmt.Sprintf(`type=EXECVE msg=audit(%s): argc=1 a0="%s"`, stamp, p.command))
			}
			all = append(all, p)
		}
	}
}

// wrapped is the number that a process gets of the audited host, whose numbers end at 32768 and begin again at 300.
func wrapped(log string, pid int) int {
	if log == "auditd" && pid >= 32768 {
		return 300
	}
	return pid
}

// sessions holds what the timeline says of sessions and process trees against what was so.
func (m *measurement) sessions() error {
	type tally struct{ all, right, wrongEnd, missed, extra int }
	stays := map[string]*tally{}
	var rows []string
	type family struct{ all, right, wrong, unknown, none, noneRight int }
	families := map[string]*family{"sysmon": {}, "security": {}, "auditd": {}}
	for _, seed := range m.seeds {
		h := &house{r: rand.New(rand.NewPCG(seed, 77)), start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), logs: map[string][]string{}, parents: map[string]string{}}
		h.logins()
		h.elsewhere()
		h.programs()
		if err := stored(h.logs, h.key, func(st store.Store) error {
			found, err := analyze.ReadSessions(context.Background(), st, "")
			if err != nil {
				return err
			}
			used := map[int]bool{}
			at := map[string][]int{}
			for i, f := range found.All {
				at[f.Kind+f.Host+f.User] = append(at[f.Kind+f.Host+f.User], i)
			}
			near := func(at int64, t time.Time) bool {
				return at != event.NoTime && max(at-t.UnixNano(), t.UnixNano()-at) <= int64(2*time.Second)
			}
			for _, s := range h.stays {
				t := stays[s.row]
				if t == nil {
					t = &tally{}
					stays[s.row], rows = t, append(rows, s.row)
				}
				t.all++
				i := -1
				for _, j := range at[s.kind+s.host+s.user] {
					if !used[j] && near(found.All[j].From, s.from) {
						i = j
						break
					}
				}
				switch {
				case i < 0:
					t.missed++
					if m.verbose {
						fmt.Printf("seed %d, missed: %+v\n", seed, s)
					}
				case s.to.IsZero() && found.All[i].To == event.NoTime, !s.to.IsZero() && near(found.All[i].To, s.to):
					t.right++
					used[i] = true
				default:
					t.wrongEnd++
					used[i] = true
					if m.verbose {
						fmt.Printf("seed %d, another end: %+v, told %+v\n", seed, s, found.All[i])
					}
				}
			}
			for i, f := range found.All {
				if !used[i] {
					if stays[f.Kind] == nil {
						stays[f.Kind] = &tally{}
					}
					stays[f.Kind].extra++
					if m.verbose {
						fmt.Printf("seed %d, there was no such: %+v\n", seed, f)
					}
				}
			}
			trees, err := timeline.ReadProcesses(context.Background(), st, "*")
			if err != nil {
				return err
			}
			parents := map[string]string{}
			var walk func(p *timeline.Process, parent string)
			walk = func(p *timeline.Process, parent string) {
				if p.Started != event.NoTime {
					parents[p.Command] = parent
				}
				for _, c := range p.Children {
					walk(c, p.Command)
				}
			}
			for _, p := range trees.Roots {
				walk(p, "")
			}
			for command, parent := range h.parents {
				f := families[strings.Split(command, "/")[2]]
				said, known := parents[command]
				switch {
				case parent == "":
					f.none++
					if known && said == "" {
						f.noneRight++
					}
					continue
				case !known || said == "":
					f.unknown++
				case said == parent:
					f.right++
				default:
					f.wrong++
				}
				f.all++
			}
			return nil
		}); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("Sessions and process trees: %d days of some hosts, seeds %v; %.0f %% of ends are not written, process numbers are used again\n", houseDays, m.seeds, 100*houseLostEnd)
	fmt.Printf("  %-28s %6s %14s %12s %7s %13s\n", "sessions of", "were", "as they were", "another end", "missed", "that were not")
	for _, kind := range rows {
		t := stays[kind]
		fmt.Printf("  %-28s %6d %14s %12s %7s %13d\n", kind, t.all, share(t.right, t.all), share(t.wrongEnd, t.all), share(t.missed, t.all), t.extra)
		m.floor("sessions: "+kind, float64(t.right)/float64(max(1, t.all)), 0.97)
		delete(stays, kind)
	}
	for kind, t := range stays {
		fmt.Printf("  %-28s %6d %14s %12s %7s %13d\n", kind, t.all, "–", "–", "–", t.extra)
	}
	fmt.Printf("  %-28s %6s %14s %12s %7s   %s\n", "processes of", "were", "right parent", "wrong", "none", "of those of which no log tells the parent: said so")
	for _, log := range []string{"sysmon", "security", "auditd"} {
		f := families[log]
		fmt.Printf("  %-28s %6d %14s %12s %7s   %s of %d\n", log, f.all, share(f.right, f.all), share(f.wrong, f.all), share(f.unknown, f.all), share(f.noneRight, f.none), f.none)
		m.floor("process trees: "+log, float64(f.right)/float64(max(1, f.all)), 0.97)
		if log == "auditd" {
			m.floor("process trees: auditd: parents that no log tells, not guessed", float64(f.noneRight)/float64(max(1, f.none)), 0.9)
		}
	}
	return nil
}

// key is what lines are put in order by: their time.
func (*house) key(line string) string {
	if len(line) == wtmpRecord {
		return "" // in order already
	}
	if strings.HasPrefix(line, `{"time"`) {
		return line[:40]
	}
	if i := strings.Index(line, "audit("); i >= 0 {
		return line[i:min(len(line), i+30)]
	}
	return line[:min(len(line), 43)]
}
