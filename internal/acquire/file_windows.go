package acquire

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

func open(path string) (*os.File, error) { return os.Open(path) }

func facts(info fs.FileInfo, f *File) {
	if d, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		accessed := time.Unix(0, d.LastAccessTime.Nanoseconds()).UTC()
		f.Accessed = &accessed
	}
}

func sparse(fs.FileInfo) bool { return false }
