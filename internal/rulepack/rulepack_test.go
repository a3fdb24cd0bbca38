package rulepack

import (
	"testing"

	"github.com/sextant-logs/sextant/internal/detect"
)

// Every rule of the pack matches the samples beside it that it should, and
// none of those that it should not.
func TestRulesMatchTheirSamplesAndNoOthers(t *testing.T) {
	files, err := Files(Rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if err := Check(Rules, file); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRulesAreComplete(t *testing.T) {
	d, err := detect.Load(detect.Options{Embedded: Rules})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Failed() {
		t.Error(f)
	}
	const least = 40
	n := 0
	for _, r := range d.Rules() {
		if r.Filter != nil {
			continue
		}
		n++
		if err := Complete(r); err != nil {
			t.Error(err)
		}
	}
	if n < least {
		t.Errorf("%d rules, want at least %d", n, least)
	}
}
