package detect

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

func corpus(t testing.TB) string {
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above: set SEXTANT_CORPUS to test with the corpus")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus at ../shared/corpus: set SEXTANT_CORPUS to test with it")
	}
	return dir
}

// SigmaHQ keeps an event log for some of its rules that the rule must match, as
// often as info.yml says. All rules are loaded, so a rule that matches alone and not
// among the others fails too.
func TestPublicRulesMatchTheirRegressionLogs(t *testing.T) {
	root := filepath.Join(corpus(t), "sigma")
	rules, _ := filepath.Glob(filepath.Join(root, "rules*"))
	if _, err := os.Stat(filepath.Join(root, "regression_data")); err != nil || len(rules) == 0 {
		t.Skip("not in this corpus")
	}
	d, err := Load(Options{Paths: rules})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rules, of which %d cannot be used (those with placeholders need values)", len(d.Rules()), len(d.Failed()))
	m := d.NewMatcher()
	all, right := 0, 0
	err = filepath.WalkDir(filepath.Join(root, "regression_data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "info.yml" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var info struct {
			Rules []struct{ ID string } `yaml:"rule_metadata"`
			Tests []struct {
				Type, Path string
				Matches    *int `yaml:"match_count"`
			} `yaml:"regression_tests_info"`
		}
		if err := yaml.Unmarshal(raw, &info); err != nil {
			return err
		}
		for _, test := range info.Tests {
			if test.Type != "evtx" {
				t.Errorf("%s: a test of type %q", path, test.Type)
				continue
			}
			counts, events := matchLog(t, m, filepath.Join(filepath.Dir(path), filepath.Base(test.Path)))
			for _, rule := range info.Rules {
				all++
				n, want := counts[rule.ID], test.Matches
				if m, ok := miscounted[rule.ID]; ok {
					want = &m
				}
				switch {
				case want == nil && n == 0:
					t.Errorf("%s matches none of %d events", strings.TrimPrefix(filepath.Dir(path), root), events)
				case want != nil && n != *want:
					t.Errorf("%s matches %d of %d events, want %d", strings.TrimPrefix(filepath.Dir(path), root), n, events, *want)
				default:
					right++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d rules match their log as often as they must", right, all)
}

// miscounted are the rules whose info.yml counts wrong, with the right number.
var miscounted = map[string]int{
	// Three values are set to 2 below ZoneMap\Domains (https, http, *), and all the rule asks is that; info.yml says 1.
	"45e112d0-7759-4c2a-aa36-9f8fb79d3393": 3,
}

// matchLog counts the matches of each rule in an event log.
func matchLog(t *testing.T, m *Matcher, file string) (counts map[string]int, events int) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := format.Recognise(format.NewSample(filepath.Base(file), data, true))
	if f == nil || f.Name != "windows.eventlog" {
		t.Fatalf("%s is not recognised", file)
	}
	counts = map[string]int{}
	framer := f.NewFramer(bytes.NewReader(data))
	decoder := f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0)})
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return counts, events
		}
		if err != nil {
			t.Fatal(err)
		}
		var b event.Batch
		decoder.Decode(c, &b)
		var hits []Hit
		for i := range b.Events {
			hits = m.Match(&b.Events[i], i, hits)
		}
		for _, h := range hits {
			counts[h.Rule.ID]++
		}
		events += len(b.Events)
	}
}
