//go:build !unix

package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fileID tells whether two paths lead to the same file: here, the path without
// links. Hard links count as different files, which only costs reading them.
type fileID string

func identify(path string, _ fs.FileInfo) fileID {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return fileID(strings.ToLower(path))
}

func openEvidence(path string) (*os.File, error) { return os.Open(path) }

func virtualFS(string) string { return "" }
