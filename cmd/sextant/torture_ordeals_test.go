//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cutter stands between senders and a server, and cuts connections: on the way
// there and, so that what arrived is not acknowledged, on the way back.
func cutter(t *testing.T, to int) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
				if err != nil {
					return
				}
				defer server.Close()
				end := context.AfterFunc(ctx, func() { conn.Close(); server.Close() })
				defer end()
				there, back := int64(1<<40), int64(1<<40)
				switch rand.IntN(4) {
				case 0:
					there = rand.Int64N(10_000)
				case 1:
					back = rand.Int64N(300)
				}
				var both sync.WaitGroup
				both.Go(func() {
					io.CopyN(server, conn, there)
					server.(*net.TCPConn).CloseWrite()
				})
				both.Go(func() {
					if n, _ := io.CopyN(conn, server, back); n == back {
						conn.(*net.TCPConn).SetLinger(0) // a reset
					}
					conn.Close()
				})
				both.Wait()
			})
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

func TestANetworkThatCutsConnectionsLosesNothingAndDoublesNothing(t *testing.T) {
	times := ordeal(t, 1)
	s := &victim{t: t, dir: t.TempDir()}
	s.cut = true
	r := torture(t, s)
	time.Sleep(time.Duration(times) * 3 * time.Second)
	r.finish("connections cut on every second try")
}

func TestAServerThatStallsLosesNothingAndDoublesNothing(t *testing.T) {
	times := ordeal(t, 3)
	r := torture(t, &victim{t: t, dir: t.TempDir()})
	for range times { // as when the disk does not answer
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		r.s.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		r.s.cmd.Process.Signal(syscall.SIGCONT)
	}
	r.finish(fmt.Sprintf("%d stalls", times))
}

// A disk that others fill while the server collects: senders wait, the server
// stays, and when there is room again everything goes on.
func TestAFullDiskMakesSendersWaitAndLosesNothing(t *testing.T) {
	times := min(ordeal(t, 1), 25) // what is stored must fit as well
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("a small file system is needed: root on Linux may mount one")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no small file system: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", disk).Run() })
	r := torture(t, &victim{t: t, dir: t.TempDir(), at: filepath.Join(disk, "case")})
	for range times {
		ballast := filepath.Join(disk, "ballast")
		if err := fill(ballast, disk, 9<<20); err != nil {
			t.Fatal(err)
		}
		full := false
		for range 100 {
			if full = strings.Contains(r.s.metrics(), "sextant_spool_disk_full 1"); full {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !full {
			t.Error("the disk is full, and nobody says so")
		}
		time.Sleep(300 * time.Millisecond) // requests under way end
		before := r.total()
		time.Sleep(time.Second)
		if n := r.total(); n > before+3*tortureBatch {
			t.Errorf("%d records are acknowledged on a full disk", n-before)
		}
		if !r.s.running() {
			r.s.keepLog()
			t.Fatal("the server ended")
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if r.total() > before+20*tortureBatch {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := r.total(); n <= before+3*tortureBatch {
			t.Error("it does not go on")
		}
	}
	r.finish(fmt.Sprintf("disk full %d times", times))
}

// fill makes a file so large that the file system has so much left.
func fill(path, disk string, left int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(disk, &st); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zeros := make([]byte, 1<<20)
	for n := int64(st.Bavail)*int64(st.Bsize) - left; n > 0; n -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(n, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	return nil
}
