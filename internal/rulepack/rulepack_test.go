package rulepack

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/sigma"
)

// Every rule of the pack matches the samples beside it that it should, and
// none of those that it should not.
func TestRulesMatchTheirSamplesAndNoOthers(t *testing.T) {
	files, err := Files(Rules)
	if err != nil {
		t.Fatal(err)
	}
	pack := NewPack(Rules)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if err := pack.Check(file); err != nil {
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
	for _, r := range d.Engine().Report().Unmapped {
		t.Errorf("%s: no log is of %s", r.File, r.LogSource)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	tactic := regexp.MustCompile(`^attack\.(reconnaissance|resource-development|initial-access|execution|persistence|privilege-escalation|` +
		`defense-evasion|credential-access|discovery|lateral-movement|collection|command-and-control|exfiltration|impact)$`)
	technique := regexp.MustCompile(`^attack\.t[0-9]{4}(\.[0-9]{3})?$`)
	ids, titles := map[string]string{}, map[string]string{}
	rules, correlations := 0, 0
	for _, r := range d.Rules() {
		if r.Correlation != nil {
			correlations++
		}
		rules++
		if err := Complete(r); err != nil {
			t.Error(err)
		}
		if !uuid.MatchString(r.ID) {
			t.Errorf("%s: id %q is no random UUID", r.File, r.ID)
		}
		if other := ids[r.ID]; other != "" {
			t.Errorf("%s: has the id of %s", r.File, other)
		}
		ids[r.ID] = r.File
		if other := titles[r.Title]; other != "" && reported(r) {
			t.Errorf("%s: has the title of %s: %s", r.File, other, r.Title)
		}
		titles[r.Title] = r.File
		hasTactic := false
		for _, tag := range r.Tags {
			hasTactic = hasTactic || tactic.MatchString(tag)
			if !tactic.MatchString(tag) && !technique.MatchString(tag) {
				t.Errorf("%s: tag %s is neither a tactic nor a technique of ATT&CK", r.File, tag)
			}
		}
		if !hasTactic {
			t.Errorf("%s: %s has no tactic", r.File, r.Title)
		}
	}
	if rules < 150 || correlations < 40 {
		t.Errorf("%d rules, %d of them correlations; want at least 150 and 40", rules, correlations)
	}
}

// reported leaves out the steps of correlations, which may be named alike.
func reported(r *sigma.Rule) bool { return r.Level > sigma.LevelInformational }

// One sample proves little: the pack asks for two of each kind. A test beside
// no rule is never run.
func TestEveryRuleHasTwoSamplesOfEachKind(t *testing.T) {
	err := fs.WalkDir(Rules, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !IsTest(path) {
			return err
		}
		if _, err := fs.Stat(Rules, strings.TrimSuffix(path, ".test.yml")+".yml"); err != nil {
			t.Errorf("%s stands beside no rule", path)
		}
		data, err := fs.ReadFile(Rules, path)
		if err != nil {
			return err
		}
		var test TestFile
		if err := yaml.Unmarshal(data, &test); err != nil {
			return err
		}
		if len(test.Match) < 2 || len(test.NoMatch) < 2 {
			t.Errorf("%s has %d samples to match and %d not to", path, len(test.Match), len(test.NoMatch))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
