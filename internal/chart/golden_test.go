package chart

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The pictures that people look at most are kept as files, so that a change of
// the drawing shows in review: all in the terminal, the smaller ones as SVG.
func TestPicturesAreAsReviewed(t *testing.T) {
	asSVG := map[string]bool{"graph": true, "calendar-short": true, "boxes": true, "hostile-graph": true, "empty-new": true, "one-datum-new": true, "minus": true, "decades": true, "hostile": true}
	for _, p := range gallery() {
		files := map[string][]byte{p.name + ".txt": render(t, Terminal, p.fig, Options{})}
		if asSVG[p.name] {
			files[p.name+".svg"] = render(t, SVG, p.fig, Options{})
		}
		for name, got := range files {
			path := filepath.Join("testdata", "golden", name)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is drawn differently; look at it with -gallery DIR, then -update", name)
			}
		}
	}
}
