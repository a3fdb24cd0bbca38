//go:build !unix

package collect

import "os"

func identityOf(path string, _ os.FileInfo) string { return path }
