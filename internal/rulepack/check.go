package rulepack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
	"github.com/sextant-logs/sextant/sigma"
)

// TestFile is the samples that stand beside a rule. See the package doc.
type TestFile struct {
	Format  string   `yaml:"format"`
	Match   []string `yaml:"match"`
	NoMatch []string `yaml:"no_match"`
}

// TestName is the name of the test file of a rule file: NAME.test.yml.
func TestName(rule string) string {
	base := strings.TrimSuffix(strings.TrimSuffix(rule, ".yml"), ".yaml")
	return base + ".test" + strings.TrimPrefix(rule, base)
}

// IsTest reports whether a file name is that of a test.
func IsTest(name string) bool {
	return strings.HasSuffix(name, ".test.yml") || strings.HasSuffix(name, ".test.yaml")
}

// Pack is a tree of rules with their tests. It is safe for concurrent use.
type Pack struct {
	fs    fs.FS
	index func() (map[string][]string, error) // rule id or name to files; read when first needed
}

// NewPack returns the pack of the rules in fsys. Correlations may refer to rules
// in others as well.
func NewPack(fsys fs.FS, others ...fs.FS) *Pack {
	all := union(append([]fs.FS{fsys}, others...))
	return &Pack{all, sync.OnceValues(func() (map[string][]string, error) { return indexRules(all) })}
}

// union is file systems over one another: a file is that of the first that has it.
type union []fs.FS

// Open implements fs.FS.
func (u union) Open(name string) (f fs.File, err error) {
	for _, one := range u {
		if f, err = one.Open(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, err
}

// ReadDir implements fs.ReadDirFS.
func (u union) ReadDir(name string) (all []fs.DirEntry, err error) {
	err = fs.ErrNotExist
	for _, one := range u {
		entries, e := fs.ReadDir(one, name)
		if e != nil {
			if !errors.Is(e, fs.ErrNotExist) {
				return all, e
			}
			continue
		}
		err = nil
		for _, entry := range entries {
			if !slices.ContainsFunc(all, func(o fs.DirEntry) bool { return o.Name() == entry.Name() }) {
				all = append(all, entry)
			}
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, err
}

// Check runs the test beside a rule file and returns what is wrong: nil if
// every sample behaves. The rules of one file are tested together: a sample
// matches if any of them matches that asks to be reported. Rules of other files
// take part where correlations of this one refer to them.
func (p *Pack) Check(file string) error {
	data, err := fs.ReadFile(p.fs, TestName(file))
	if err != nil {
		return fmt.Errorf("%s has no test: %w", file, err)
	}
	var test TestFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&test); err != nil {
		return fmt.Errorf("%s: %w", TestName(file), err)
	}
	if len(test.Match) == 0 || len(test.NoMatch) == 0 {
		return fmt.Errorf("%s: want at least one sample under match and one under no_match", TestName(file))
	}
	needed, err := p.closure(file)
	if err != nil {
		return err
	}
	d, err := detect.Load(detect.Options{Embedded: only{p.fs, needed}})
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range d.Failed() {
		errs = append(errs, f)
	}
	for _, s := range []struct {
		name    string
		samples []string
		want    bool
	}{{"match", test.Match, true}, {"no_match", test.NoMatch, false}} {
		for i, sample := range s.samples {
			matched, err := matches(d, "builtin/"+file, test.Format, sample)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("%s: %s, sample %d: %w", TestName(file), s.name, i+1, err))
			case matched != s.want:
				errs = append(errs, fmt.Errorf("%s: %s, sample %d: matched is %v: %.200q", TestName(file), s.name, i+1, matched, sample))
			}
		}
	}
	return errors.Join(errs...)
}

// closure is a rule file and the files of the rules that its correlations
// refer to, and so on.
func (p *Pack) closure(file string) ([]string, error) {
	files := []string{file}
	have := map[string]bool{}
	for i := 0; i < len(files); i++ {
		rules, err := parse(p.fs, files[i])
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			have[r.ID], have[r.Name] = true, true
		}
		for _, r := range rules {
			if r.Correlation == nil {
				continue
			}
			for _, ref := range r.Correlation.Rules {
				if have[ref] {
					continue
				}
				index, err := p.index()
				if err != nil {
					return nil, err
				}
				f := nearest(index[ref], files[i])
				if f == "" {
					return nil, fmt.Errorf("%s: its correlation refers to the rule %q, which is in no folder that was looked at: --rules DIR names the one", files[i], ref)
				}
				if !slices.Contains(files, f) {
					files = append(files, f)
				}
				have[ref] = true
			}
		}
	}
	return files, nil
}

// nearest is the file that has most of its path in common with another, the first
// of several; "" of none.
func nearest(files []string, to string) (best string) {
	most := -1
	for _, f := range files {
		n := 0
		for i := 0; i < len(f) && i < len(to) && f[i] == to[i]; i++ {
			if f[i] == '/' {
				n++
			}
		}
		if n > most {
			best, most = f, n
		}
	}
	return best
}

func indexRules(fsys fs.FS) (map[string][]string, error) {
	files, err := Files(fsys)
	if err != nil {
		return nil, err
	}
	index := map[string][]string{}
	for _, f := range files {
		rules, err := parse(fsys, f)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			for _, ref := range []string{r.ID, r.Name} {
				if ref != "" && !slices.Contains(index[ref], f) {
					index[ref] = append(index[ref], f)
				}
			}
		}
	}
	return index, nil
}

func parse(fsys fs.FS, file string) ([]*sigma.Rule, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	rules, _ := sigma.Parse(file, data) // failures are told of when they are loaded
	return rules, nil
}

// only is the part of fsys that is some files.
type only struct {
	fs.FS
	files []string
}

func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		p := path.Join(name, e.Name())
		return !slices.ContainsFunc(o.files, func(f string) bool {
			return p == f || e.IsDir() && strings.HasPrefix(f, p+"/")
		})
	}), err
}

// matches reads the sample as a log and reports whether a rule of the file
// matched; where the file has correlations, whether one of them did.
func matches(d *detect.Detector, file, name, sample string) (bool, error) {
	data := []byte(strings.TrimRight(sample, "\n") + "\n")
	var f *format.Format
	if name != "" {
		if f = format.Lookup(name); f == nil {
			return false, fmt.Errorf("no format is named %q", name)
		}
	} else if f, _ = format.Recognise(format.NewSample("sample", data, true)); f == nil {
		return false, errors.New("the sample is of no known format")
	}
	framer := f.NewFramer(bytes.NewReader(data))
	matcher := d.NewMatcher()
	gatherer := d.NewGatherer()
	clock := timestamp.NewClock(nil, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	var b event.Batch
	var en enrich.Enricher
	matched := false
	correlated := correlated(d, file)
	undecoded := ""
	for {
		chunk, err := framer.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
		b.Reset()
		f.NewDecoder(&format.Params{Clock: clock, Done: func(b *event.Batch) {
			e := b.Event()
			e.ID = fmt.Sprintf("%010x", e.Offset)
			if e.Err != "" && undecoded == "" {
				undecoded = e.Err
			}
			en.Enrich(b)
		}}).Decode(chunk, &b)
		var hits []detect.Hit
		for i := range b.Events {
			hits = matcher.Match(&b.Events[i], i, hits)
		}
		for _, h := range hits {
			matched = matched || !h.Silent && !correlated && h.Rule.File == file
		}
		if err := gatherer.Correlate(&b, hits); err != nil {
			return false, err
		}
	}
	if undecoded != "" && f.Name != "text" {
		return matched, fmt.Errorf("the sample does not decode as %s: %s", f.Name, undecoded)
	}
	err := gatherer.Correlations(context.Background(), func(c detect.Correlation) error {
		matched = matched || c.Rule.File == file
		return nil
	})
	return matched, err
}

// correlated reports whether the file has a correlation rule: then that is
// what is tested.
func correlated(d *detect.Detector, file string) bool {
	for _, r := range d.Rules() {
		if r.Correlation != nil && r.File == file {
			return true
		}
	}
	return false
}

// Files lists the rule files of fsys in walking order, tests left out.
func Files(fsys fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && (strings.HasSuffix(path, ".yml") || strings.HasSuffix(path, ".yaml")) && !IsTest(path) {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// Complete returns what a rule of the pack lacks: each needs ATT&CK tags, a
// level, false positives, a description and an id.
func Complete(r *sigma.Rule) error {
	var missing []string
	for _, p := range []struct {
		name string
		ok   bool
	}{
		{"id", r.ID != ""}, {"title", r.Title != ""}, {"description", r.Description != ""}, {"status", r.Status != ""},
		{"level", r.Level != sigma.LevelNone}, {"falsepositives", len(r.FalsePositives) > 0},
		{"an attack.tNNNN tag", strings.Contains(" "+strings.Join(r.Tags, " "), " attack.t")},
	} {
		if !p.ok {
			missing = append(missing, p.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s:%d: rule %s lacks %s", r.File, r.Line, r.Ref(), strings.Join(missing, ", "))
	}
	return nil
}
