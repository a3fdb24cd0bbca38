package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus is the folder of third-party logs, which is not part of the project.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SEXTANT_CORPUS")
	if dir == "" {
		root, err := filepath.Abs(".")
		for err == nil {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus: set SEXTANT_CORPUS to its folder")
	}
	return dir
}

func TestTheCorpusIsReadWholeAndAlikeInEveryWrapping(t *testing.T) {
	dir := corpus(t)
	e := gather(t, Options{}, dir)
	noProblems(t, e)
	if err := e.Inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrapped := make(map[string]string)
	utf16, binary := 0, 0
	for _, s := range e.Sources {
		in := inspect(t, s)
		if in.Problem != nil {
			t.Error(in.Problem)
		}
		if strings.HasPrefix(s.Name, "syslog") && strings.HasPrefix(filepath.Base(filepath.Dir(s.Path)), "other") && len(s.Layers) > 0 {
			wrapped[s.Display] = in.SHA256
		}
		if in.Encoding != UTF8 && in.Encoding != UTF8BOM {
			utf16++
		}
		if in.Binary {
			binary++
		}
	}
	t.Logf("%d sources, %d of UTF-16, %d binary", len(e.Sources), utf16, binary)
	same := make(map[string]bool)
	for _, sum := range wrapped {
		same[sum] = true
	}
	if len(wrapped) < 4 || len(same) != 1 {
		t.Errorf("the same log in different wrappings reads differently: %v", wrapped)
	}
}
