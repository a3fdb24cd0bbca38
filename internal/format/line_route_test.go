package format

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Remembering which format lines of a shape are of changes nothing of what is found when every line is looked at.
func TestARememberedShapeIsOfTheFormatThatAllFormatsAskedGive(t *testing.T) {
	p := &Params{Clock: timestamp.NewClock(nil, 0)}
	lines, known, hits := 0, 0, 0
	for _, f := range carriedLogs() {
		files, _ := filepath.Glob("testdata/" + f.Name + "/*.log")
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			remembers, asks := newLineRouter(p), newLineRouter(p)
			for range 2 {
				for line := range strings.Lines(string(data)) {
					line = strings.TrimRight(line, "\r\n")
					if len(line) < 8 {
						continue
					}
					before := len(remembers.shapes)
					got, want := remembers.format(line, "nginx"), asks.search(line, "nginx")
					if got != want {
						t.Errorf("%s: %q: %v, asked all: %v", file, line, got, want)
					}
					lines++
					if want != nil {
						known++
					}
					if len(remembers.shapes) == before && len(line) <= maxLineShape {
						hits++
					}
				}
			}
		}
	}
	if known == 0 || hits < lines/3 {
		t.Errorf("%d lines, %d of known formats, %d shapes remembered", lines, known, hits)
	}
}
