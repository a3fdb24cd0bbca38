package acquire

import (
	"cmp"
	"os"
	"os/user"
	"runtime"
	"strings"
	"time"
)

// describe is what is known of the machine and of who is asking.
func describe(o Options) Acquisition {
	now := time.Now()
	a := Acquisition{Dataset: dataset, Action: "acquisition-finished", Start: now.UTC(), OS: runtime.GOOS, Arch: runtime.GOARCH, Zone: now.Format("-07:00"), Version: o.Version, Command: os.Args, Root: o.Root}
	a.Host, _ = os.Hostname()
	a.Host = cmp.Or(a.Host, "unknown")
	if u, err := user.Current(); err == nil {
		a.User, a.UID = u.Username, u.Uid
	}
	if runtime.GOOS == "linux" {
		a.Kernel = word("/proc/sys/kernel/osrelease")
		a.Boot = word("/proc/sys/kernel/random/boot_id")
	}
	return a
}

func word(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}
