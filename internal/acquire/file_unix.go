//go:build unix

package acquire

import (
	"io/fs"
	"strconv"
	"syscall"
)

// facts are what only this system's files have.
func facts(info fs.FileInfo, f *File) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.UID, f.GID, f.Inode = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid)), strconv.FormatUint(uint64(st.Ino), 10)
		accessed, changed := times(st)
		f.Accessed, f.Changed = &accessed, &changed
	}
}

// sparse reports whether less than a sixteenth of the file is on disk.
func sparse(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Blocks)*512 < info.Size()/16
}
