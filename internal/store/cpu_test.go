//go:build unix

package store

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reportCPU reports the CPU time per op that the process used since it was
// called, all threads together, when the function it returns is called: unlike
// ns/op it stays the same on a busy machine.
func reportCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}
