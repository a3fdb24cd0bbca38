//go:build unix

package collect

import (
	"fmt"
	"os"
	"syscall"
)

func identityOf(path string, info os.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%x:%x", st.Dev, st.Ino)
	}
	return path
}
