package source

import "testing"

func TestVirtualFileSystemsAreNotWalked(t *testing.T) {
	onlyProblem(t, gather(t, Options{}, "/proc"), NotRegular, "virtual file system (proc)")
}
