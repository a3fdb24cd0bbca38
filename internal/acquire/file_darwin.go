package acquire

import (
	"os"
	"syscall"
	"time"
)

func open(path string) (*os.File, error) { return os.Open(path) }

func times(st *syscall.Stat_t) (accessed, changed time.Time) {
	return time.Unix(st.Atimespec.Sec, st.Atimespec.Nsec).UTC(), time.Unix(st.Ctimespec.Sec, st.Ctimespec.Nsec).UTC()
}
