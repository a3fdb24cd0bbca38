package store

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// sshEvents gives events of about 20 fields as a login log has them, one a
// second or so from 40 hosts.
func sshEvents(n int, seed uint64) []event.Event {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var b event.Batch
	offset, at := int64(0), testTime
	for range n {
		at += rnd.Int64N(2e9)
		ip := fmt.Sprintf("198.51.100.%d", rnd.IntN(250))
		user := "user" + strconv.Itoa(rnd.IntN(300))
		host := "web" + strconv.Itoa(rnd.IntN(40))
		pid, port := rnd.Int64N(30000), rnd.Int64N(60000)
		message := fmt.Sprintf("Failed password for %s from %s port %d ssh2", user, ip, port)
		e := b.Begin(offset, time.Unix(0, at).UTC().Format(time.Stamp)+" "+host+" sshd["+strconv.FormatInt(pid, 10)+"]: "+message)
		e.Time = at
		e.ID = fmt.Sprintf("%016x%016x", rnd.Uint64(), rnd.Uint64())
		offset += e.Length + 1
		b.Add("event.dataset", "system.auth")
		b.Add("event.kind", "event")
		b.Add("event.category", "authentication")
		b.Add("event.type", "start")
		b.Add("event.action", "ssh_login")
		b.Add("event.outcome", "failure")
		b.Add("message", message)
		b.Add("host.name", host)
		b.Add("process.name", "sshd")
		b.AddInt("process.pid", pid)
		b.Add("source.ip", ip)
		b.AddInt("source.port", port)
		b.Add("user.name", user)
		b.Add("network.transport", "tcp")
		b.Add("related.ip", ip)
		b.Add("related.user", user)
		b.Add("related.hosts", host)
		b.Add("log.level", "info")
	}
	return b.Events
}

// BenchmarkAdd measures events from Add to Sync, each op an event; and what
// they take on disk after Close.
func BenchmarkAdd(b *testing.B) {
	events := sshEvents(100_000, 1)
	for _, writers := range []int{1, 2} {
		b.Run("writers="+strconv.Itoa(writers), func(b *testing.B) {
			dir := b.TempDir()
			s, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			cpu := reportCPU(b)
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() {
					w := s.NewWriter()
					source := Source{ID: fmt.Sprintf("%024d", i), Path: "/var/log/auth.log"}
					for left := b.N / writers; left > 0; left -= 1000 {
						from := left / 1000 % 100 * 1000
						if err := w.Add(&source, events[from:from+min(left, 1000)]); err != nil {
							b.Error(err)
						}
					}
					if err := w.Flush(); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			if err := s.Sync(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			cpu()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(size(dir))/float64(b.N), "diskB/event")
		})
	}
}

func size(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if info, e := d.Info(); err == nil && e == nil && !d.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// BenchmarkBuild measures what our own half of adding costs: the row, without the engine.
func BenchmarkBuild(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	events := sshEvents(1000, 1)
	w := s.NewWriter().(*writer)
	w.source, w.path = testID, "/var/log/auth.log"
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		w.build(&events[i%1000], 0)
		if i++; i%1000 == 0 {
			w.rows.ResetKeepSettings()
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w := s.NewWriter()
	for i := range 5 {
		if err := w.Add(&Source{ID: fmt.Sprintf("%024d", i), Path: "p"}, sshEvents(100_000, uint64(i))); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, q := range []struct{ name, query string }{
		{"group", "* | stats by (user.name) count() n"},
		{"word", "user17 | stats count() n"},
		{"limit", "* | limit 100"},
		{"some", "user.name:=user17"},
		{"all", "* | fields _time, _msg"},
	} {
		b.Run(q.name, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				rows = 0
				if err := s.Query(b.Context(), q.query, func([]event.Field) error { rows++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
