package format

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// UserFormat is a text format that somebody has written in YAML (docs/yaml-formats.md).
type UserFormat struct {
	Format
	File    string
	samples []userSample
}

// userFile is the file of a format.
type userFile struct {
	Name      string            `yaml:"name"`
	Title     string            `yaml:"title"`
	Group     string            `yaml:"group"`
	Files     []string          `yaml:"files"`     // base names it is looked for in; empty: all
	Recognise string            `yaml:"recognise"` // "never": only with --format
	Patterns  map[string]string `yaml:"patterns"`
	Multiline struct {
		Start located `yaml:"start"`
	} `yaml:"multiline"`
	Match   []userMatch       `yaml:"match"`
	Time    userTime          `yaml:"time"`
	Set     map[string]values `yaml:"set"`
	Map     []userMap         `yaml:"map"`
	Samples []userSample      `yaml:"samples"`
}

// located is a text with the line on which it stands.
type located struct {
	text string
	line int
}

func (l *located) UnmarshalYAML(n *yaml.Node) error {
	l.line = n.Line
	return n.Decode(&l.text)
}

// values is one value or a list of them.
type values []string

func (v *values) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(v))
	}
	var one string
	if err := n.Decode(&one); err != nil {
		return err
	}
	*v = values{one}
	return nil
}

// userMatch is a grok pattern, or a dissect one as {dissect: …}.
type userMatch struct {
	pattern located
	dissect bool
}

func (m *userMatch) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		var d struct {
			Dissect located `yaml:"dissect"`
		}
		if err := n.Decode(&d); err != nil {
			return err
		}
		if d.Dissect.text == "" {
			return fmt.Errorf("line %d: want a pattern, or {dissect: …}", n.Line)
		}
		m.pattern, m.dissect = d.Dissect, true
		return nil
	}
	return m.pattern.UnmarshalYAML(n)
}

type userTime struct {
	Field   string    `yaml:"field"`
	Layouts []located `yaml:"layouts"`
	Zone    located   `yaml:"zone"`
}

// userMap gives a field the value that another's value stands for.
type userMap struct {
	Field   string            `yaml:"field"`
	From    string            `yaml:"from"`
	Values  map[string]string `yaml:"values"`
	Default string            `yaml:"default"`
}

type userSample struct {
	Line   string            `yaml:"line"`
	Expect map[string]values `yaml:"expect"`
	Fails  bool              `yaml:"fails"` // it is to be no record of the format
	at     int
}

func (s *userSample) UnmarshalYAML(n *yaml.Node) error {
	type plain userSample
	s.at = n.Line
	return n.Decode((*plain)(s))
}

const (
	maxUserFile    = 1 << 20
	maxUserFormats = 1000
)

// ReadUserFormats reads the formats of all .yml and .yaml files of a directory, and what
// is wrong with those that cannot be used, each error with its file and line.
func ReadUserFormats(dir string) (formats []*UserFormat, errs []error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, []error{err}
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if ext := filepath.Ext(name); ext != ".yml" && ext != ".yaml" || e.IsDir() {
			continue
		}
		if len(formats) == maxUserFormats {
			return formats, append(errs, fmt.Errorf("%s: more than %d formats", dir, maxUserFormats))
		}
		f, err := readUserFormat(name)
		if err == nil {
			for _, other := range formats {
				if other.Name == f.Name {
					err = fmt.Errorf("%s: the name %s is that of the format in %s", name, f.Name, other.File)
				}
			}
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		formats = append(formats, f)
	}
	return formats, errs
}

// Use adds formats to those that are recognised. It is called before any log is read.
func Use(formats []*UserFormat) error {
	for _, f := range formats {
		if Lookup(f.Name) != nil {
			return fmt.Errorf("%s: a format named %s is there already; give it another name", f.File, f.Name)
		}
		registry = append(registry, &f.Format)
	}
	return nil
}

func readUserFormat(file string) (*UserFormat, error) {
	fd, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer fd.Close()
	data, err := io.ReadAll(io.LimitReader(fd, maxUserFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxUserFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, maxUserFile)
	}
	return parseUserFormat(file, data)
}

var userName = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// parseUserFormat makes a format of a file's text.
func parseUserFormat(file string, data []byte) (*UserFormat, error) {
	var u userFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&u); err != nil {
		why := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ")
		why = strings.ReplaceAll(why, " not found in type format.userFile", " is not known")
		return nil, fmt.Errorf("%s: %s", file, why)
	}
	fail := func(line int, format string, args ...any) (*UserFormat, error) {
		return nil, fmt.Errorf("%s: line %d: %w", file, max(line, 1), fmt.Errorf(format, args...))
	}
	if !userName.MatchString(u.Name) || len(u.Name) > 100 {
		return fail(1, "name %q: want one such as acme.gate, in small letters, digits, '.', '_' and '-'", u.Name)
	}
	if len(u.Match) == 0 {
		return fail(1, "there is no match: want at least one pattern")
	}
	if u.Recognise != "" && u.Recognise != "never" {
		return fail(1, "recognise: %q: want never, or nothing", u.Recognise)
	}
	d := &userDecoder{file: &u, dataset: u.Name}
	flags := ""
	var start *grok
	if s := u.Multiline.Start; s.text != "" {
		flags = "s"
		var err error
		if start, err = compileGrok(s.text, u.Patterns, ""); err != nil {
			return fail(s.line, "multiline: %w", err)
		}
	}
	for _, m := range u.Match {
		var p linePattern
		var err error
		if m.dissect {
			p, err = compileDissect(m.pattern.text)
		} else {
			p, err = compileGrok(m.pattern.text, u.Patterns, flags)
		}
		if err != nil {
			return fail(m.pattern.line, "%w", err)
		}
		if p.match("", func(grokField, string) {}) && u.Recognise != "never" {
			return fail(m.pattern.line, "the pattern matches any text, so every log would be of this format; anchor it, or say recognise: never")
		}
		d.patterns = append(d.patterns, p)
	}
	d.timeField = cmp.Or(u.Time.Field, "@timestamp")
	for _, l := range u.Time.Layouts {
		layout, err := parseTimeLayout(l.text)
		if err != nil {
			return fail(l.line, "%w", err)
		}
		d.layouts = append(d.layouts, layout)
	}
	if z := u.Time.Zone; z.text != "" {
		var err error
		if d.zone, err = time.LoadLocation(z.text); err != nil || z.text == "Local" {
			return fail(z.line, "zone %q is no time zone; want a name such as Europe/Berlin", z.text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Set)) {
		for _, v := range u.Set[name] {
			d.set = append(d.set, event.Field{Name: name, Value: v})
		}
	}
	for _, m := range u.Map {
		if m.Field == "" {
			return fail(1, "map: an entry has no field")
		}
	}
	f := &UserFormat{File: file, samples: u.Samples}
	f.Format = Format{
		Name: u.Name, Title: cmp.Or(u.Title, u.Name), Group: cmp.Or(u.Group, "own"),
		Lines: func(p *Params) LineDecoder {
			own := *d
			return own.decoder(p)
		},
		Recognise: d.recogniser(start),
	}
	if start != nil {
		f.Joins = func(line []byte) bool { return !start.re.Match(line) }
	}
	if d.yearless() {
		f.Date = Lookup("text").Date
	}
	return f, nil
}

// linePattern is what a line is matched with.
type linePattern interface {
	// match gives the fields of a line to fn; false if it is another line.
	match(line string, fn func(f grokField, value string)) bool
}

// userDecoder decodes the lines of a format.
type userDecoder struct {
	file      *userFile
	dataset   string
	patterns  []linePattern
	timeField string
	layouts   []timeLayout
	zone      *time.Location
	set       []event.Field

	p      *Params
	finder timeFinder
	hidden []event.Field // of the record: fields that begin with '_', and those to be mapped
	time   string
}

// recogniser: nine lines in ten are surer than any format that is built in.
func (d *userDecoder) recogniser(start *grok) func(s *Sample) int {
	if d.file.Recognise == "never" {
		return nil
	}
	return func(s *Sample) int {
		if len(d.file.Files) > 0 && !slices.ContainsFunc(d.file.Files, func(glob string) bool {
			ok, _ := path.Match(glob, s.Name)
			return ok
		}) {
			return 0
		}
		n, good := 0, 0
		for _, line := range s.Lines {
			if start != nil && !start.re.MatchString(line) {
				continue
			}
			n++
			if slices.ContainsFunc(d.patterns, func(p linePattern) bool { return p.match(line, func(grokField, string) {}) }) {
				good++
			}
		}
		switch {
		case n == 0:
			return 0
		case good*10 >= n*9:
			return 101
		case good*2 >= n:
			return 40 + 50*good/n
		}
		return 0
	}
}

func (d *userDecoder) decoder(p *Params) LineDecoder {
	d.p, d.finder = p, timeFinder{clock: p.Clock}
	if d.zone != nil {
		p.Clock.Assume(d.zone)
	}
	return d.decode
}

var errNoMatch = errors.New("no pattern of the format matches")

func (d *userDecoder) decode(line string, b *event.Batch) error {
	for _, p := range d.patterns {
		d.hidden, d.time = d.hidden[:0], ""
		if !p.match(line, func(f grokField, value string) { d.field(f, value, b) }) {
			continue
		}
		if d.time == "" {
			if ns, _, ok := d.finder.find(line); ok && d.file.Time.Field == "" {
				b.Event().Time = ns
			} else {
				d.p.Clock.NoTime()
			}
		} else if ns, ok := d.read(d.time); ok {
			b.Event().Time = ns
		} else {
			return fmt.Errorf("%q is no time of the layouts of the format", d.time[:min(len(d.time), 64)])
		}
		d.constants(b)
		return nil
	}
	return errNoMatch
}

func (d *userDecoder) field(f grokField, value string, b *event.Batch) {
	if f.name == d.timeField {
		if d.time == "" {
			d.time = value
		}
		if f.name == "@timestamp" {
			return
		}
	}
	mapped := slices.ContainsFunc(d.file.Map, func(m userMap) bool { return cmp.Or(m.From, m.Field) == f.name })
	if mapped || strings.HasPrefix(f.name, "_") {
		d.hidden = append(d.hidden, event.Field{Name: f.name, Value: value})
	}
	if strings.HasPrefix(f.name, "_") || mapped && slices.ContainsFunc(d.file.Map, func(m userMap) bool { return m.Field == f.name }) {
		return
	}
	f.add(b, value)
	if ip, ok := strings.CutSuffix(f.name, ".address"); ok && isIP(value) && (ip == "source" || ip == "destination") {
		b.Add(ip+".ip", value)
	}
}

// constants adds what the format says of all its records, and of those with a value.
func (d *userDecoder) constants(b *event.Batch) {
	b.Add("event.kind", "event")
	b.Add("event.dataset", d.dataset)
	for _, m := range d.file.Map {
		from := cmp.Or(m.From, m.Field)
		for _, h := range d.hidden {
			if h.Name != from {
				continue
			}
			to, ok := m.Values[h.Value]
			if !ok {
				to = m.Default
				if to == "" && from == m.Field {
					to = h.Value
				}
			}
			b.Add(m.Field, to)
			break
		}
	}
	for _, f := range d.set {
		if !b.Event().Has(f.Name) || len(d.file.Set[f.Name]) > 1 {
			b.Add(f.Name, f.Value)
		} else {
			b.Set(f.Name, f.Value)
		}
	}
}

// read reads a time by the layouts, or in any form where there are none.
func (d *userDecoder) read(s string) (int64, bool) {
	if len(d.layouts) == 0 {
		if ns, ok := d.p.Clock.Any(s); ok {
			return ns, true
		}
		ns, _, ok := d.finder.find(s)
		return ns, ok
	}
	for i := range d.layouts {
		if ns, ok := d.layouts[i].read(d.p.Clock, s); ok {
			return ns, true
		}
	}
	return 0, false
}

func (d *userDecoder) yearless() bool {
	return len(d.layouts) == 0 || slices.ContainsFunc(d.layouts, func(l timeLayout) bool { return l.name == "SYSLOG" || l.name == "" && !l.year })
}

// Check decodes the samples of the format and says, with file and line, what is not as
// expected; n is how many there are.
func (f *UserFormat) Check() (n int, errs []error) {
	for _, s := range f.samples {
		n++
		var b event.Batch
		line := strings.TrimRight(s.Line, "\n")
		b.Begin(0, line)
		ref := time.Now().AddDate(0, -6, 0)
		err := f.Lines(&Params{Clock: timestamp.NewClock(nil, ref.UnixNano())})(line, &b)
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s: line %d: %s", f.File, s.at, fmt.Sprintf(format, args...)))
		}
		if err != nil {
			if !s.Fails {
				wrong("the sample is not understood: %v", err)
			}
			continue
		}
		if s.Fails {
			wrong("the sample is understood, though it is said to fail")
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.Expect)) {
			var got []string
			if name == "@timestamp" {
				if e := b.Event(); e.Time != event.NoTime {
					got = []string{e.Timestamp().Format(time.RFC3339Nano)}
				}
			} else {
				b.Event().Values(name, func(v string) { got = append(got, v) })
			}
			if !slices.Equal(got, []string(s.Expect[name])) {
				wrong("%s is %s, expected %s", name, shown(got), shown(s.Expect[name]))
			}
		}
	}
	return n, errs
}

func shown(v []string) string {
	switch len(v) {
	case 0:
		return "absent"
	case 1:
		return fmt.Sprintf("%q", v[0])
	}
	return fmt.Sprintf("%q", v)
}
