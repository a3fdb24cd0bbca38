package spool

import "golang.org/x/sys/windows"

// freeSpace is what a volume has left for us, and all of it, in bytes.
func freeSpace(dir string) (free, all int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var ours, total uint64
	if err := windows.GetDiskFreeSpaceEx(name, &ours, &total, nil); err != nil {
		return 0, 0, err
	}
	return int64(ours), int64(total), nil
}
