package sigma

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRegressionEventsMatchTheirRules takes the JSON form of the regression events as it is, with the rule's own log source and
// field names: each file must hold at least as many matches as its info.yml says.
func TestRegressionEventsMatchTheirRules(t *testing.T) {
	root := filepath.Join(corpusDir(t), "sigma", "regression_data")
	rules := corpusRules(t)
	eng := Compile(rules, Options{})
	byID := map[string]*Rule{}
	for _, r := range rules {
		byID[r.ID] = r
	}
	m := eng.NewMatcher()
	files, matches := 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		r := byID[strings.TrimSuffix(filepath.Base(path), ".json")]
		if r == nil {
			t.Errorf("%s: no such rule", path)
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "info.yml"))
		want := 1
		if n := matchCount.FindSubmatch(info); n != nil {
			want, _ = strconv.Atoi(string(n[1]))
		}
		files++
		found := 0
		var why []string
		for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
			var doc struct{ Event map[string]any }
			if err := dec.Decode(&doc); err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			event := plainEvent(doc.Event)
			sources := eng.SourcesOf(r.LogSource)
			if slices.ContainsFunc(m.MatchMap(sources, event, ""), func(x Match) bool { return x.Rule == r }) {
				found++
			} else if x, err := eng.Explain(r, sources, event, ""); err == nil {
				why = append(why, x.Changes...)
			}
		}
		if found < want {
			t.Errorf("%s matches %d times in %s, want %d: %q", r.File, found, path, want, why)
		}
		matches += found
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d matches", files, matches)
	if files == 0 {
		t.Skip("no regression data")
	}
}

var matchCount = regexp.MustCompile(`match_count: *(\d+)`)

// plainEvent names the fields of an event in the JSON form of its XML as Sigma does: attributes are joined to their element by _.
func plainEvent(sections map[string]any) map[string]any {
	event := map[string]any{}
	for name, section := range sections {
		fields, _ := section.(map[string]any)
		if name == "UserData" {
			for _, inner := range fields {
				fields, _ = inner.(map[string]any)
			}
		}
		for k, v := range fields {
			sub, nested := v.(map[string]any)
			attributes, _ := sub["#attributes"].(map[string]any)
			for a, x := range attributes {
				event[k+"_"+a] = x
			}
			if text, ok := sub["#text"]; ok {
				event[k] = text
			} else if !nested {
				event[k] = v
			}
		}
	}
	return event
}

// A regular expression of many branches waits for all that each of them needs, not for its best literal alone.
func TestBranchesOfARegularExpressionNeedMoreThanOneLiteralEach(t *testing.T) {
	for _, c := range []struct {
		re, tried string
		vain      []string
	}{
		{`(?i)(<|%3c)\s*/?\s*(script|svg|img)|on(load|error)\s*=\s*.{0,40}(alert|eval)`, "/?q=<img src=x>", []string{"/static/img/logo.png", "/onload=1"}},
		{`(?i)(^|&)(cmd|c|exec)=(%20|\+)*(id|ls|cat)\b`, "a=1&cmd=id", []string{"ref=search&tools=ls"}},
		{`(;|\||%7c)(cat|id|nc|ncat)`, "x;nc", []string{"/cat/pid"}},
	} {
		r, err := translateRegexp(c.re, "")
		if err != nil {
			t.Fatal(err)
		}
		has := func(s string) bool {
			for _, any := range r.lits {
				if !slices.ContainsFunc(any, func(l string) bool { return strings.Contains(fold(s), l) }) {
					return false
				}
			}
			return len(r.lits) > 0
		}
		if !has(c.tried) || !r.re.MatchString(c.tried) {
			t.Errorf("%s: %q is not tried: %q", c.re, c.tried, r.lits)
		}
		for _, v := range c.vain {
			if has(v) {
				t.Errorf("%s: %q is tried in vain: %q", c.re, v, r.lits)
			}
		}
	}
}
