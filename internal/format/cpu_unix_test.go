//go:build unix

package format

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what the process has used, all threads together.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
