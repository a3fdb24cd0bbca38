package sigma

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Mapping is the table that ties Sigma's log sources and field names to the caller's events. Write it in YAML:
//
//	fields:                            # groups of names that logs share
//	  windows:
//	    EventID: winlog.event_id
//	    User: [user.name, winlog.event_data.User]   # several: the values of all of them
//	    Account: 'domain.name\user.name'   # two names: their first values with the backslash between them, if both are there
//	    Address: 'url.path?url.query'      # likewise with the question mark
//	    "TargetResources.*": x.targets.*   # every field that begins so; * is the rest of its name
//	    "*": winlog.event_data.*       # every other Sigma field; * is its name. Default: the name itself
//	objects: [aws.cloudtrail]          # below these names, a field that holds others is all they say: "name":"value" of each
//	logs:
//	  - name: security-4688            # for people
//	    product: windows               # what the log is; each may be a list
//	    category: process_creation
//	    service: security
//	    when:                          # which events are of it; all must hold. A list of maps: any of them
//	      winlog.channel: Security     # value or list of values, case-insensitive, * is a wildcard, '' absent, !value none such
//	      winlog.event_id: 4688
//	    use: [windows]                 # groups; the first that has the name wins, "*" is looked up last
//	    fields:                        # this log's own names, before the groups
//	      Image: winlog.event_data.NewProcessName
//	      IntegrityLevel:
//	        from: winlog.event_data.MandatoryLabel
//	        values: {S-1-16-12288: High}        # exact values to rewrite
//	        prefixes: {'\REGISTRY\MACHINE\': 'HKLM\'}
//	      UserAgent:
//	        from: user_agent.original
//	        absent: ''                          # what rules call it that the event has none; null holds as well
//	      Address:
//	        from: [url.query, url.original]
//	        itself: url.query                   # of from, what must be there for the field to be: null and exists ask for that
//
// A rule applies to every log that its logsource covers: each attribute that the rule names must be among the log's.
type Mapping struct {
	Logs    []Log
	Objects []string // names below which rules may ask for a field that holds others
}

// Log is one kind of the caller's events.
type Log struct {
	Name     string
	Category []string
	Product  []string
	Service  []string
	When     []When // linked by OR; empty: every event
	Line     int

	objects []string
	fields  []map[string]Target // its own, then its groups'
}

// When is a conjunction: every field must have one of its values.
type When map[string][]string

// Target says where a Sigma field's values are found in the caller's event.
type Target struct {
	From     []string          // the caller's fields; the values of all of them count; a\b is two fields, joined by the backslash, a?b by that
	Values   map[string]string // exact values to rewrite
	Prefixes map[string]string // prefixes to rewrite
	Absent   *string           // what the value is in the words of rules that compare with it, if there is none
	Itself   []string          // of From, what null and exists ask for; nil: all
}

// ParseMapping reads a mapping. Errors name file and line.
func ParseMapping(file string, data []byte) (*Mapping, error) {
	docs := splitDocuments(data)
	if len(docs) != 1 {
		return nil, &RuleError{File: file, Err: fmt.Errorf("a mapping is one YAML document, not %d", len(docs))}
	}
	root, line, err := readDocument(docs[0])
	if err == nil && root == nil {
		err = errors.New("empty mapping")
	}
	if err != nil {
		return nil, &RuleError{File: file, Line: line, Err: err}
	}
	p := &mappingParser{r: &ruleReader{}, groups: map[string]map[string]Target{}}
	if err := p.parse(root); err != nil {
		return nil, &RuleError{File: file, Line: p.r.line, Err: err}
	}
	for i := range p.m.Logs {
		p.m.Logs[i].objects = p.m.Objects
	}
	return &p.m, nil
}

type mappingParser struct {
	r      *ruleReader
	m      Mapping
	groups map[string]map[string]Target
}

func (p *mappingParser) parse(root *yaml.Node) error {
	if n := lookup(root, "fields"); n != nil {
		err := p.r.pairs(n, "fields", func(group string, v *yaml.Node) (err error) {
			p.groups[group], err = p.targets(v)
			return err
		})
		if err != nil {
			return err
		}
	}
	return p.r.pairs(root, "mapping", func(k string, v *yaml.Node) error {
		switch k {
		case "fields":
			return nil
		case "objects":
			names, err := p.r.texts(v)
			for _, name := range names {
				p.m.Objects = append(p.m.Objects, name+".")
			}
			return err
		case "logs":
			if v.Kind != yaml.SequenceNode {
				return errors.New("logs must be a list")
			}
			for _, c := range v.Content {
				if err := p.log(c); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("unknown attribute %q (want fields, objects, logs)", k)
	})
}

func (p *mappingParser) log(n *yaml.Node) error {
	l := Log{Line: n.Line}
	var own map[string]Target
	var use []string
	err := p.r.pairs(n, "log", func(k string, v *yaml.Node) (err error) {
		switch k {
		case "name":
			l.Name, err = p.r.text(v)
		case "category":
			l.Category, err = p.r.texts(v)
		case "product":
			l.Product, err = p.r.texts(v)
		case "service":
			l.Service, err = p.r.texts(v)
		case "use":
			use, err = p.r.texts(v)
		case "fields":
			own, err = p.targets(v)
		case "when":
			maps := []*yaml.Node{v}
			if v.Kind == yaml.SequenceNode {
				maps = v.Content
			}
			for _, m := range maps {
				w := When{}
				err = p.r.pairs(m, "when", func(field string, v *yaml.Node) (err error) {
					w[field], err = p.r.texts(v)
					if err == nil && len(w[field]) == 0 {
						w[field] = []string{""}
					}
					return err
				})
				if err != nil {
					return err
				}
				l.When = append(l.When, w)
			}
		default:
			err = fmt.Errorf("unknown attribute %q of a log", k)
		}
		return err
	})
	if err != nil {
		return err
	}
	if own != nil {
		l.fields = append(l.fields, own)
	}
	for _, g := range use {
		if p.groups[g] == nil {
			p.r.line = n.Line
			return fmt.Errorf("log %s uses the unknown group of fields %q", l.Name, g)
		}
		l.fields = append(l.fields, p.groups[g])
	}
	p.m.Logs = append(p.m.Logs, l)
	return nil
}

func (p *mappingParser) targets(n *yaml.Node) (map[string]Target, error) {
	out := map[string]Target{}
	err := p.r.pairs(n, "fields", func(field string, v *yaml.Node) (err error) {
		var t Target
		if v.Kind != yaml.MappingNode {
			t.From, err = p.r.texts(v)
		} else {
			err = p.r.pairs(v, "field "+field, func(k string, v *yaml.Node) (err error) {
				switch k {
				case "from":
					t.From, err = p.r.texts(v)
				case "values":
					t.Values, err = p.rewrites(v)
				case "prefixes":
					t.Prefixes, err = p.rewrites(v)
				case "absent":
					var s string
					s, err = p.r.text(v)
					t.Absent = &s
				case "itself":
					t.Itself, err = p.r.texts(v)
				default:
					err = fmt.Errorf("unknown attribute %q of a field (want from, values, prefixes, absent, itself)", k)
				}
				return err
			})
		}
		if err == nil && len(t.From) == 0 {
			err = fmt.Errorf("field %s is mapped to nothing", field)
		}
		out[field] = t
		return err
	})
	return out, err
}

func (p *mappingParser) rewrites(n *yaml.Node) (map[string]string, error) {
	out := map[string]string{}
	err := p.r.pairs(n, "rewrite", func(k string, v *yaml.Node) (err error) {
		out[k], err = p.r.text(v)
		return err
	})
	return out, err
}

// Resolve returns where a Sigma field is found in events of the log.
func (l *Log) Resolve(field string) Target {
	for _, g := range l.fields {
		if t, ok := g[field]; ok {
			return t
		}
	}
	if t, rest, ok := l.stem(field); ok {
		return t.with(rest)
	}
	for _, g := range l.fields {
		if t, ok := g["*"]; ok {
			return t.with(field)
		}
	}
	return Target{From: []string{field}}
}

// fields lists the caller's fields that the target reads.
func (t Target) fields() []string {
	var out []string
	for _, f := range t.From {
		a, b, between := splitJoin(f)
		if out = append(out, a); between != "" {
			out = append(out, b)
		}
	}
	return out
}

// splitJoin takes apart an element of Target.From that names two fields, and gives what stands between their values.
func splitJoin(from string) (first, second, between string) {
	i := strings.IndexAny(from, `\?`)
	if i < 0 {
		return from, "", ""
	}
	return from[:i], from[i+1:], from[i : i+1]
}

// stem finds the longest name "stem.*" that a field's name begins with, and what the star stands for.
func (l *Log) stem(field string) (t Target, rest string, ok bool) {
	for at := strings.LastIndexByte(field, '.'); at > 0; at = strings.LastIndexByte(field[:at], '.') {
		for _, g := range l.fields {
			if t, ok := g[field[:at+1]+"*"]; ok {
				return t, field[at+1:], true
			}
		}
	}
	return Target{}, "", false
}

// with puts a name in the place of the star; a name that begins with what is before the star is whole already.
func (t Target) with(name string) Target {
	var from []string
	for _, f := range t.From {
		full := strings.ReplaceAll(f, "*", name)
		if prefix, _, _ := strings.Cut(f, "*"); prefix != "" && strings.HasPrefix(name, prefix) {
			full = name
		}
		if !slices.Contains(from, full) {
			from = append(from, full)
		}
	}
	t.From = from
	return t
}

// holders lists the names of what holds a field, the nearest first: of a.b.c.d below a these are a.b.c and a.b.
func holders(objects []string, field string) []string {
	var out []string
	for _, tree := range objects {
		if !strings.HasPrefix(field, tree) {
			continue
		}
		for at := strings.LastIndexByte(field, '.'); at >= len(tree); at = strings.LastIndexByte(field[:at], '.') {
			out = append(out, field[:at])
		}
	}
	return out
}

// Member is what a field says within one that holds it, as JSON has it: "name":"value". text says whether the value is text.
func Member(name, value string, text bool) string {
	if !text {
		return `"` + name + `":` + value
	}
	return `"` + name + `":"` + value + `"`
}

// Covered reports whether rules for log source ls are for the log.
func (l *Log) Covered(ls LogSource) bool {
	in := func(want string, has []string) bool {
		return want == "" || slices.ContainsFunc(has, func(h string) bool { return strings.EqualFold(h, want) })
	}
	return in(ls.Category, l.Category) && in(ls.Product, l.Product) && in(ls.Service, l.Service)
}

// Label names the log for people: its name, else what it is.
func (l *Log) Label() string {
	if l.Name != "" {
		return l.Name
	}
	return LogSource{strings.Join(l.Category, ","), strings.Join(l.Product, ","), strings.Join(l.Service, ","), ""}.String()
}

// RouteFields lists the fields that decide which log an event is of, in name order.
func (m *Mapping) RouteFields() []string {
	seen := map[string]bool{}
	var out []string
	for _, l := range m.Logs {
		for _, w := range l.When {
			for f := range w {
				if !seen[f] {
					seen[f] = true
					out = append(out, f)
				}
			}
		}
	}
	sort.Strings(out)
	return out
}

// identity makes the mapping of rules that are taken as they stand: one log for each log source they name.
func identity(rules []*Rule) *Mapping {
	m := &Mapping{}
	seen := map[LogSource]bool{}
	for _, r := range rules {
		ls := r.LogSource
		ls.Definition = ""
		if r.Detection == nil || seen[ls] {
			continue
		}
		seen[ls] = true
		l := Log{}
		for _, x := range []struct {
			dst *[]string
			s   string
		}{{&l.Category, ls.Category}, {&l.Product, ls.Product}, {&l.Service, ls.Service}} {
			if x.s != "" {
				*x.dst = []string{x.s}
			}
		}
		m.Logs = append(m.Logs, l)
	}
	return m
}

// router decides which logs an event is of.
type router struct {
	fields []string
	any    []bool        // by field: all that is asked is whether there is a value
	logs   [][]routeCase // by log; linked by OR
	every  []SourceID    // logs without conditions
}

type routeCase []routeTest

type routeTest struct {
	field  int
	values []pattern // folded; none: any will do
	not    []pattern // none of these
}

// holds reports whether a folded value passes.
func (t *routeTest) holds(s string) bool {
	is := func(p pattern) bool { return p.match(s) && (s != "" || len(p) == 0) } // * wants a value
	return (len(t.values) == 0 || slices.ContainsFunc(t.values, is)) && !slices.ContainsFunc(t.not, is)
}

func newRouter(m *Mapping) *router {
	r := &router{fields: m.RouteFields(), logs: make([][]routeCase, len(m.Logs))}
	for range r.fields {
		r.any = append(r.any, true)
	}
	for i, l := range m.Logs {
		if len(l.When) == 0 {
			r.every = append(r.every, SourceID(i))
		}
		for _, w := range l.When {
			var c routeCase
			for f, values := range w {
				at, _ := slices.BinarySearch(r.fields, f)
				t := routeTest{field: at}
				for _, v := range values {
					r.any[at] = r.any[at] && (v == "" || v == "*")
					if rest, not := strings.CutPrefix(v, "!"); not {
						t.not = append(t.not, parsePattern(rest).each(fold))
						continue
					}
					t.values = append(t.values, parsePattern(v).each(fold))
				}
				c = append(c, t)
			}
			r.logs[i] = append(r.logs[i], c)
		}
	}
	return r
}

func (e *Engine) route(values []string) []SourceID {
	folded := make([]string, len(e.router.fields))
	for i := range folded {
		if i < len(values) {
			folded[i] = fold(values[i])
		}
	}
	out := slices.Clone(e.router.every)
	for i, cases := range e.router.logs {
		for _, c := range cases {
			ok := true
			for _, t := range c {
				if !t.holds(folded[t.field]) {
					ok = false
					break
				}
			}
			if ok {
				out = append(out, SourceID(i))
				break
			}
		}
	}
	slices.Sort(out)
	return out
}
