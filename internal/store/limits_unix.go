//go:build unix

package store

import "golang.org/x/sys/unix"

// maxFiles is how many files this process may have open; Go has raised it to
// what the system allows.
func maxFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<20 {
		return 1 << 20
	}
	return int(limit.Cur)
}
