package store

import (
	"math"
	"syscall"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/cgroup"
)

// totalMemory is the memory that this process may use at most: the machine's
// or its control group's; 0 when unknown. It is what the engine compares with.
func totalMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	total := int64(math.MaxInt64)
	if n := uint64(info.Totalram) * uint64(info.Unit); n < math.MaxInt64 {
		total = int64(n)
	}
	for _, limit := range []int64{cgroup.GetMemoryLimit(), cgroup.GetHierarchicalMemoryLimit()} {
		if limit > 0 {
			total = min(total, limit)
		}
	}
	return total
}
