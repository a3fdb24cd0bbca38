//go:build unix

package spool

import "golang.org/x/sys/unix"

// freeSpace is what a file system has left for us, and all of it, in bytes.
func freeSpace(dir string) (free, all int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	size := int64(st.Bsize)
	return int64(st.Bavail) * size, int64(st.Blocks) * size, nil
}
