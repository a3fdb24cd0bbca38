package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// countedTries is how often records are taken out of each log that numbers its records.
const countedTries = 8

// countedLogs are invented logs whose records are numbered, by what numbers them: for as long as the log goes on, by the boot,
// the session, the device or the sender, with counters that begin anew, and some records that come late.
func countedLogs(r *rand.Rand) map[string][]string {
	logs := map[string][]string{}
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	next := func() time.Time {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(20*time.Second)))
		return at
	}
	// Late, as by a network: some lines change places with one of the next few.
	late := func(lines []string) []string {
		for i := range lines {
			if j := i + 1 + r.IntN(5); r.IntN(20) == 0 && j < len(lines) {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
		return lines
	}
	// A journal: one number over boots and users' files.
	const id = "0123456789abcdef0123456789abcdef"
	for n := range 2000 {
		file := "journal/system.json"
		if n%9 == 0 {
			file = "journal/user-1000.json"
		}
		t := next()
		logs[file] = append(logs[file], fmt.Sprintf(`{"__CURSOR":"s=%s;i=%x","__REALTIME_TIMESTAMP":"%d","__SEQNUM":"%d","__SEQNUM_ID":"%s","_BOOT_ID":"%032x","PRIORITY":"6","SYSLOG_IDENTIFIER":"app%d","_HOSTNAME":"srv1","_PID":"%d","MESSAGE":"request %d done"}`,
			id, 40_000+n, t.UnixMicro(), 40_000+n, id, 1+n/700, n%5, 900+n%5, n))
	}
	// PostgreSQL: the lines of each session, of which several go on at a time.
	type session struct {
		id   string
		pid  int
		line int
		left int
	}
	sessions := make([]session, 12)
	for n := range 3000 {
		s := &sessions[r.IntN(len(sessions))]
		t := next()
		if s.left == 0 {
			pid := 1000 + r.IntN(30_000)
			*s = session{fmt.Sprintf("%x.%x", t.Unix(), pid), pid, 0, 5 + r.IntN(60)}
		}
		s.line, s.left = s.line+1, s.left-1
		logs["db/postgresql.json"] = append(logs["db/postgresql.json"], fmt.Sprintf(`{"timestamp":"%s UTC","user":"app","dbname":"shop","pid":%d,"remote_host":"10.7.0.1","remote_port":40000,"session_id":"%s","line_num":%d,"ps":"SELECT","session_start":"2026-03-02 00:00:00 UTC","error_severity":"LOG","message":"duration: %d.5 ms","application_name":"app","backend_type":"client backend","query_id":0}`,
			t.Format("2006-01-02 15:04:05.000"), s.pid, s.id, s.line, n%90))
	}
	// Senders by RFC 5424, each of which counts all that it sends and begins anew with each start.
	count := [3]int{}
	for range 3000 {
		h := r.IntN(3)
		if count[h]++; r.IntN(700) == 0 {
			count[h] = 1
		}
		logs["relay/remote.log"] = append(logs["relay/remote.log"], fmt.Sprintf(`<30>1 %s host%d app %d - [meta sequenceId="%d"] request done`, next().Format("2006-01-02T15:04:05.000Z"), h, 500+h, count[h]))
	}
	logs["relay/remote.log"] = late(logs["relay/remote.log"])
	// Devices of Cisco's, which count what they log.
	device := [3]int{7000, 120, 90_000}
	for range 3000 {
		d := r.IntN(3)
		if device[d]++; r.IntN(900) == 0 {
			device[d] = 1
		}
		t := next()
		logs["net/switches.log"] = append(logs["net/switches.log"], fmt.Sprintf("<189>%d: sw0%d: %06d: %s UTC: %%SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.200)", device[d]+1, d, device[d], t.Format("Jan _2 2006 15:04:05.000")))
	}
	logs["net/switches.log"] = late(logs["net/switches.log"])
	// The kernel's audit: a serial that begins anew with each boot, several lines to a record.
	serial := 300
	for n := range 2500 {
		if serial++; n%800 == 799 {
			serial = 1
		}
		t := next()
		stamp := fmt.Sprintf("%d.%03d:%d", t.Unix(), t.Nanosecond()/1e6, serial)
		logs["srv2/audit.log"] = append(logs["srv2/audit.log"], fmt.Sprintf(`type=SYSCALL msg=audit(%s): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=700 pid=%d auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="id" exe="/usr/bin/id" key="exec"`, stamp, 1000+n)+
			"\n"+fmt.Sprintf(`type=EXECVE msg=audit(%s): argc=1 a0="id"`, stamp))
	}
	return logs
}

// numberedLogs takes records out of each of these logs, the others being whole, and asks gaps.
func numberedLogs(l *ledger, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 99))
	return stored(countedLogs(r), func(string) string { return "" }, func(st store.Store) error {
		files, err := filesOf(st)
		if err != nil {
			return err
		}
		whole, err := lookAt(st, "gaps", files, nil)
		if err != nil {
			return err
		}
		for _, f := range whole {
			l.wrong[f.Rule.ID+" of numbered logs"]++
			fmt.Printf("seed %d, whole, %s: %s\n", seed, f.Level, f.Explanation)
		}
		for _, f := range files {
			if !f.numbered() {
				return fmt.Errorf("%s is not read as a log that numbers its records", f.path)
			}
			for _, n := range []int{1, 10, 100} {
				for range countedTries {
					from := r.IntN(len(f.events) - n)
					found, err := lookAt(st, "gaps", files, func(o *file) []event.Event {
						if o != f {
							return nil
						}
						return slices.Delete(slices.Clone(f.events), from, from+n)
					})
					if err != nil {
						return err
					}
					told := slices.ContainsFunc(found, func(g analyze.Finding) bool {
						// The records on both sides may be in another file of the same journal.
						return slices.ContainsFunc(g.Evidence, func(e analyze.Evidence) bool { return filepath.Dir(e.Path) == filepath.Dir(f.path) })
					})
					l.note(fmt.Sprintf("%d records taken out: %s", n, f.events[0].Get("event.dataset")), told, fmt.Sprintf("%s at %d of %d", f.path, from, len(f.events)))
				}
			}
		}
		return nil
	})
}
