package acquire

import (
	"os"
	"syscall"
	"time"
)

// open leaves the time of the last access as it is, where it may.
func open(path string) (*os.File, error) {
	if f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOATIME|syscall.O_NONBLOCK, 0); err == nil {
		return f, nil
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func times(st *syscall.Stat_t) (accessed, changed time.Time) {
	return time.Unix(int64(st.Atim.Sec), int64(st.Atim.Nsec)).UTC(), time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)).UTC()
}
