package sigma

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// corpusDir finds the shared corpus: $SEXTANT_CORPUS, or shared/corpus beside the repository.
func corpusDir(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("SEXTANT_CORPUS"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			c := filepath.Join(filepath.Dir(dir), "shared", "corpus")
			if _, err := os.Stat(c); err == nil {
				return c
			}
		}
	}
	t.Skip("no corpus: set SEXTANT_CORPUS to the folder with sigma/rules to run this")
	return ""
}

func corpusRules(t testing.TB) []*Rule {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(corpusDir(t), "sigma", "rules*"))
	if err != nil || len(dirs) == 0 {
		t.Skip("no sigma/rules* in the corpus")
	}
	rules, errs := Load(dirs...)
	for _, e := range errs {
		t.Error(e)
	}
	return rules
}

func TestEveryPublicRuleLoads(t *testing.T) {
	rules := corpusRules(t)
	// Every placeholder gets a value, so that the rules that need one are compiled as well.
	placeholders := map[string][]string{}
	name := regexp.MustCompile(`%([^%]+)%`)
	for _, r := range rules {
		for _, s := range r.Detection.Searches {
			for _, a := range s.Alternatives {
				for _, it := range a.Items {
					for _, v := range it.Values {
						if slices.Contains(it.Modifiers, "expand") {
							for _, m := range name.FindAllStringSubmatch(v.Text, -1) {
								placeholders[m[1]] = []string{"example"}
							}
						}
					}
				}
			}
		}
	}
	eng := Compile(rules, Options{Placeholders: placeholders})
	rep := eng.Report()
	t.Logf("%d rules handed in, %d active, %d unmapped, %d failed; %d placeholders, %d predicates, %d variants, %d slots",
		rep.Rules, rep.Active, len(rep.Unmapped), len(rep.Failed), len(placeholders), len(eng.preds), len(eng.variants), len(eng.slots))
	for _, f := range rep.Failed {
		t.Error(f)
	}
	if rep.Active != rep.Rules || rep.Rules < 1000 {
		t.Errorf("%d of %d rules active", rep.Active, rep.Rules)
	}
	always := 0
	for _, l := range eng.logs {
		always += len(l.always)
	}
	t.Logf("%d rules are tried on every event of their log", always)
}
