package pipeline

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// measure begins to measure; the function it returns reports events a second,
// the same for each second of CPU time, which stays the same on a busy machine, and the
// most memory that the process had at once.
func measure(b *testing.B) func(events int) {
	cpu := func() time.Duration {
		var u unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc_pid_clear_refs(5): the peak starts anew
	before := cpu()
	return func(events int) {
		spent := cpu() - before
		b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(events)/spent.Seconds(), "events/cpu-s")
		status, _ := os.ReadFile("/proc/self/status")
		_, peak, _ := bytes.Cut(status, []byte("VmHWM:"))
		peak, _, _ = bytes.Cut(peak, []byte("kB"))
		if n, err := strconv.Atoi(string(bytes.TrimSpace(peak))); err == nil {
			b.ReportMetric(float64(n)/1024, "peak-MiB")
		}
	}
}
