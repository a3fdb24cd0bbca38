// Package cputime tells how much processor time has been used, for benchmarks: unlike the clock on the wall it hardly
// depends on what else the machine does.
package cputime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Used is the processor time of this process so far; 0 on systems that we do not ask.
func Used() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
