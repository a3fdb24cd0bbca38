//go:build unix

package source

import (
	"io/fs"
	"os"
	"syscall"
)

// fileID tells whether two paths lead to the same file.
type fileID struct{ device, inode uint64 }

func identify(_ string, info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), uint64(st.Ino)}
	}
	return fileID{}
}

// openEvidence never waits: a path that has become a FIFO since it was listed
// opens at once, and is then seen to be another file. It leaves the time of
// last access as it was, where the system lets us.
func openEvidence(path string) (*os.File, error) {
	if keepAccessTime != 0 {
		if f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|keepAccessTime, 0); err == nil {
			return f, nil
		}
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
