// Package config lets a command take its settings from a YAML file and the
// environment besides its flags. A setting is a flag: its name is the key in
// the file, SEXTANT_NAME is the variable, its usage the documentation. So the three
// cannot drift apart, and a flag that is added is a setting at once.
//
// What is given on the command line comes before the environment, that before
// the file, that before the default. A list is taken whole from the first of them.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Annotations of flags.
const (
	notSetting = "sextant-not-a-setting"
	listOfURLs = "sextant-urls"
)

// NotSetting marks flags that are about this call of the command alone.
func NotSetting(fs *pflag.FlagSet, names ...string) { annotate(fs, notSetting, names) }

// URLs marks lists of URLs: in the file, an element may be a mapping of url and
// its parameters.
func URLs(fs *pflag.FlagSet, names ...string) { annotate(fs, listOfURLs, names) }

func annotate(fs *pflag.FlagSet, key string, names []string) {
	for _, n := range names {
		if err := fs.SetAnnotation(n, key, []string{"yes"}); err != nil {
			panic(err)
		}
	}
}

func isURLs(f *pflag.Flag) bool { return f.Annotations[listOfURLs] != nil }

// Settings calls fn with every setting of the flags, by name.
func Settings(fs *pflag.FlagSet, fn func(*pflag.Flag)) {
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[notSetting] == nil && f.Name != "help" && !f.Hidden && f.Deprecated == "" {
			fn(f)
		}
	})
}

// Variable is the environment variable of a setting.
func Variable(name string) string {
	return "SEXTANT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Problem is one thing wrong with the settings.
type Problem struct {
	Where   string // "live.yaml:12", "--listen", "SEXTANT_LISTEN"; "" for none in particular
	What    string
	Warning bool // it works nevertheless
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.What
	}
	return p.Where + ": " + p.What
}

// Problems are an error.
type Problems []Problem

func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Join makes one error of those problems that are no warnings, nil if there are none.
func Join(ps []Problem) error {
	var wrong Problems
	for _, p := range ps {
		if !p.Warning {
			wrong = append(wrong, p)
		}
	}
	if wrong == nil {
		return nil
	}
	return wrong
}

// Origin says where settings come from, for messages about them.
type Origin struct {
	file  string
	lines map[string][]int // of a key; of a list's elements
	from  map[string]string
}

// Of is where a setting comes from; i is the element of a list.
func (o *Origin) Of(name string, i int) string {
	if o == nil {
		return "--" + name
	}
	if lines, ok := o.lines[name]; ok {
		return fmt.Sprintf("%s:%d", o.file, lines[min(max(i, 0), len(lines)-1)])
	}
	if from, ok := o.from[name]; ok {
		return from
	}
	return "--" + name
}

// MaxFile is the most bytes of a configuration file.
const MaxFile = 1 << 20

// Load gives every flag that is not set on the command line its value from the
// environment or the file ("" for none). All that is wrong is told at once.
func Load(fs *pflag.FlagSet, file string, lookup func(string) (string, bool)) (*Origin, []Problem) {
	o := &Origin{file: file, lines: map[string][]int{}, from: map[string]string{}}
	given := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { given[f.Name] = f.Changed })
	var problems []Problem
	Settings(fs, func(f *pflag.Flag) {
		if given[f.Name] {
			return
		}
		name := Variable(f.Name)
		value, ok := lookup(name)
		if !ok || value == "" {
			return
		}
		given[f.Name], o.from[f.Name] = true, name
		if err := set(f, strings.Fields(value), value); err != nil {
			problems = append(problems, Problem{Where: name, What: err.Error()})
		}
	})
	if file == "" {
		return o, problems
	}
	l := &loader{fs: fs, file: file, lookup: lookup, given: given, origin: o}
	l.load()
	return o, append(problems, l.problems...)
}

// set gives a flag a value: many for a list, else one.
func set(f *pflag.Flag, many []string, one string) error {
	f.Changed = true
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(many)
	}
	if err := f.Value.Set(one); err != nil {
		return fmt.Errorf("%s: %q: %s", f.Name, one, wants(f))
	}
	return nil
}

func wants(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "want true or false"
	case "int":
		return "want a whole number"
	case "duration":
		return "want a duration such as 30s or 5m"
	}
	return "want a " + f.Value.Type()
}

// loader reads one file.
type loader struct {
	fs       *pflag.FlagSet
	file     string
	lookup   func(string) (string, bool)
	given    map[string]bool
	origin   *Origin
	problems []Problem
}

func (l *loader) fail(line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{Where: fmt.Sprintf("%s:%d", l.file, line), What: fmt.Sprintf(format, args...)})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (l *loader) load() {
	f, err := os.Open(l.file)
	if err != nil {
		l.problems = append(l.problems, Problem{What: err.Error()})
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("more than %d bytes", MaxFile)
	}
	if err != nil {
		l.problems = append(l.problems, Problem{Where: l.file, What: err.Error()})
		return
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // nothing but comments
	case err != nil:
		where := l.file
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
			where += ":" + m[1]
		}
		l.problems = append(l.problems, Problem{Where: where, What: "no YAML: " + yamlLine.ReplaceAllString(err.Error(), "")})
		return
	}
	if !errors.Is(d.Decode(&second), io.EOF) {
		l.problems = append(l.problems, Problem{Where: l.file, What: "more than one document: remove the line --- and what is behind it"})
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		l.fail(root.Line, "want settings of the form `key: value`")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], resolve(root.Content[i+1])
		f := l.fs.Lookup(key.Value)
		if f != nil && (f.Annotations[notSetting] != nil || f.Name == "help") {
			l.fail(key.Line, "%s is for the command line only", key.Value)
			continue
		}
		if f == nil {
			l.fail(key.Line, "unknown key %q%s", key.Value, l.meant(key.Value))
			continue
		}
		if at, twice := seen[f.Name]; twice {
			l.fail(key.Line, "%s is set a second time (first in line %d)", f.Name, at)
			continue
		}
		seen[f.Name] = key.Line
		l.take(f, key, value)
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// take sets one flag from a value of the file, unless it is set already.
func (l *loader) take(f *pflag.Flag, key, value *yaml.Node) {
	before := len(l.problems)
	many, lines, one := []string{}, []int{}, ""
	_, list := f.Value.(pflag.SliceValue)
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return // a key without a value is as if it were not there
	case list:
		elements := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			elements = value.Content
		}
		for _, e := range elements {
			line := e.Line
			if text, ok := l.element(f, resolve(e)); ok {
				many, lines = append(many, text), append(lines, line)
			}
		}
	case value.Kind != yaml.ScalarNode:
		l.fail(value.Line, "%s: want one value, not a list or mapping", f.Name)
	default:
		one = l.expand(value)
	}
	if len(l.problems) > before || l.given[f.Name] {
		return
	}
	if len(lines) == 0 {
		lines = []int{key.Line}
	}
	l.origin.lines[f.Name] = lines
	if err := set(f, many, one); err != nil {
		l.fail(value.Line, "%v", err)
	}
}

// element is one element of a list: text, or for URLs a mapping.
func (l *loader) element(f *pflag.Flag, n *yaml.Node) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return l.expand(n), true
	case n.Kind == yaml.MappingNode && isURLs(f):
		return l.url(f, n)
	case isURLs(f):
		l.fail(n.Line, "%s: want a URL, or a mapping with the key url", f.Name)
	default:
		l.fail(n.Line, "%s: want text", f.Name)
	}
	return "", false
}

// url makes a URL of a mapping: url, user and password, and parameters. What
// stands there needs no escaping.
func (l *loader) url(f *pflag.Flag, n *yaml.Node) (string, bool) {
	before := len(l.problems)
	values := map[string]string{}
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolve(n.Content[i+1])
		if _, twice := values[k.Value]; twice {
			l.fail(k.Line, "%s: %s is set a second time", f.Name, k.Value)
			continue
		}
		switch v.Kind {
		case yaml.ScalarNode:
			values[k.Value] = l.expand(v)
		case yaml.SequenceNode: // to: [a, b]
			var parts []string
			for _, e := range v.Content {
				if e = resolve(e); e.Kind != yaml.ScalarNode {
					l.fail(e.Line, "%s: %s: want text", f.Name, k.Value)
					continue
				}
				parts = append(parts, l.expand(e))
			}
			values[k.Value] = strings.Join(parts, ",")
		default:
			l.fail(v.Line, "%s: %s: want text", f.Name, k.Value)
		}
		names = append(names, k.Value)
	}
	if values["url"] == "" {
		l.fail(n.Line, "%s: the key url is missing", f.Name)
	}
	if len(l.problems) > before {
		return "", false
	}
	u, err := url.Parse(values["url"])
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) { // its text holds the URL, which may be a secret
			err = e.Err
		}
		l.fail(n.Line, "%s: no URL: %v", f.Name, err)
		return "", false
	}
	if values["password"] != "" || values["user"] != "" {
		u.User = url.UserPassword(values["user"], values["password"])
	}
	q := u.Query()
	for _, name := range names {
		switch name {
		case "url", "user", "password":
		default:
			q.Set(name, values[name])
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), true
}

var variable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}|\$\{[^}]*\}?`)

// expand replaces ${NAME} by the environment's value; ${NAME:-default} has a
// default, $$ is a dollar sign.
func (l *loader) expand(n *yaml.Node) string {
	return variable.ReplaceAllStringFunc(n.Value, func(s string) string {
		if s == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(s)
		if m[1] == "" {
			l.fail(n.Line, "%s: want ${NAME}, ${NAME:-default}, or $$ for a dollar sign", s)
			return ""
		}
		if v, ok := l.lookup(m[1]); ok && (v != "" || m[2] == "") {
			return v
		}
		if m[2] == "" {
			l.fail(n.Line, "the environment has no variable %s", m[1])
			return ""
		}
		return m[2][2:]
	})
}

// meant names the setting that is spelt most alike.
func (l *loader) meant(key string) string {
	var names []string
	Settings(l.fs, func(f *pflag.Flag) { names = append(names, f.Name) })
	if best := Nearest(key, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; `sextant serve --print-config` shows all keys"
}

// Nearest is the name that differs least from what was written, "" if none is
// alike.
func Nearest(written string, names []string) string {
	written = strings.ToLower(strings.ReplaceAll(written, "_", "-"))
	best, least := "", max(2, len(written)/3)+1
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(written, n); d < least {
			best, least = n, d
		}
	}
	if best == "" { // listeners for listen
		for _, n := range names {
			if len(written) > 2 && len(n) > 2 && (strings.HasPrefix(written, n) || strings.HasPrefix(n, written)) {
				return n
			}
		}
	}
	return best
}

// distance is Levenshtein's, for short words.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
