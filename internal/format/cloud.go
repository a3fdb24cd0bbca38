package format

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/sextant-logs/sextant/internal/event"
)

// cloudLog is the audit log of a service whose records are JSON objects. A
// member is kept under the service's prefix and its own name, which is what detection
// rules are written for; beside it stand the name that Elastic's integration has for it
// and the ECS field it means. An array of objects is taken apart: its members
// stand as lists under their dotted names.
type cloudLog struct {
	name   string
	title  string
	group  string // "" for "audit"
	prefix string // of the record's own names: "okta."

	// recognise says whether a record is one of this log, by the names it has.
	recognise func(has func(path string) bool) bool
	score     int // of a sample of nothing but such records; 0: 95

	fields map[string]string        // path to the further full names it gets, parted by blanks
	rename func(path string) string // the further name of any other path, below the prefix; "" for none
	times  []string                 // paths of the time, the best first
	finish func(r *cloudRecord)     // adds what needs more than a table

	pool sync.Pool // of *cloudNames
}

// registerCloud registers a log as a format.
func registerCloud(c *cloudLog) *cloudLog {
	c.pool.New = func() any {
		n := &cloudNames{log: c, nested: map[string]int32{}}
		n.scan.Tag = n.tag
		return n
	}
	register(Format{
		Name:      c.name,
		Title:     c.title,
		Group:     cmp.Or(c.group, "audit"),
		JSON:      c.recognise,
		JSONScore: c.score,
		Lines:     func(p *Params) LineDecoder { return (&cloudRecord{log: c, p: p}).decode },
	})
	return c
}

// cloudNames remembers what is done with each path that was met.
type cloudNames struct {
	log     *cloudLog
	scan    event.Scanner
	inner   [maxCloudDepth]event.Scanner // for the objects in arrays, by depth
	nested  map[string]int32             // the number of a path within an array
	targets []cloudTarget
}

type cloudTarget struct {
	own  string
	also []string
}

const (
	maxCloudDepth   = 4   // arrays within arrays
	maxCloudObjects = 256 // of an array
)

func (n *cloudNames) tag(path string) int32 {
	c := n.log
	t := cloudTarget{own: c.prefix + path}
	if names, ok := c.fields[path]; ok {
		t.also = strings.Fields(names)
	} else if c.rename != nil {
		if name := c.rename(path); name != "" && name != path {
			t.also = []string{c.prefix + name}
		}
	}
	n.targets = append(n.targets, t)
	return int32(len(n.targets) - 1)
}

// cloudRecord decodes the records of a cloudLog, one after the other.
type cloudRecord struct {
	log    *cloudLog
	p      *Params
	agents agentCache

	b      *event.Batch
	names  *cloudNames
	leaves []event.Leaf
	path   []byte
}

var errNotOfCloudLog = errorString("lacks the names that records of this log have")

// decode decodes a record of the log.
func (r *cloudRecord) decode(record string, b *event.Batch) error {
	c := r.log
	names := c.pool.Get().(*cloudNames)
	r.b, r.names = b, names
	defer func() {
		if len(names.targets) < 1<<14 { // else it met names without end
			c.pool.Put(names)
		}
		r.b, r.names, r.leaves = nil, nil, nil
	}()
	leaves, err := names.scan.Scan(record, b)
	if err != nil {
		return err
	}
	r.leaves = leaves
	if !c.recognise(r.has) {
		return errNotOfCloudLog
	}
	r.time()
	b.Add("event.dataset", c.name)
	b.Add("event.kind", "event")
	for i := range leaves {
		l := &leaves[i]
		r.add(l, names.targets[l.Name.Tag], l.Name.Path, 0)
	}
	c.finish(r)
	return nil
}

func (r *cloudRecord) has(path string) bool {
	for i := range r.leaves {
		if r.leaves[i].Name.Path == path {
			return true
		}
	}
	return false
}

func (r *cloudRecord) time() {
	for _, path := range r.names.log.times {
		for i := range r.leaves {
			if l := &r.leaves[i]; l.Name.Path == path {
				named := namedRecord{p: r.p}
				if ns, ok := named.time(l); ok {
					r.b.Event().Time = ns
					return
				}
			}
		}
	}
	r.p.Clock.NoTime()
}

// add adds a member under all its names.
func (r *cloudRecord) add(l *event.Leaf, t cloudTarget, path string, depth int) {
	if l.Kind == event.JSON && depth < maxCloudDepth && r.objects(l.Value, path, depth) {
		return
	}
	r.b.AddKind(t.own, l.Value, l.Kind)
	if l.Value != "" {
		for _, name := range t.also {
			r.b.AddKind(name, l.Value, l.Kind)
		}
	}
}

// objects adds the members of the objects of an array, and reports whether there
// were only such.
func (r *cloudRecord) objects(array, path string, depth int) bool {
	if array == "" || array[0] != '[' {
		return false
	}
	p := []byte(array)
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] != ']'; n++ { // first look, then add
		var v valueScanner
		size, done := v.feed(p[i:])
		if p[i] != '{' || !done || n >= maxCloudObjects {
			return false
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	for i := skipSpace(p, 1); i < len(p) && p[i] == '{'; {
		var v valueScanner
		size, _ := v.feed(p[i:])
		leaves, err := r.names.inner[depth].Scan(array[i:i+size], r.b)
		if err != nil {
			return true
		}
		for j := range leaves {
			l := &leaves[j]
			r.path = append(append(append(r.path[:0], path...), '.'), l.Name.Path...)
			tag, ok := r.names.nested[string(r.path)]
			if !ok {
				full := string(r.path)
				tag = r.names.tag(full)
				r.names.nested[full] = tag
			}
			t := r.names.targets[tag]
			r.add(l, t, t.own[len(r.names.log.prefix):], depth+1)
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	return true
}

// get is the first value of a member, "" if the record has not got it.
func (r *cloudRecord) get(paths ...string) string {
	for _, path := range paths {
		for i := range r.leaves {
			if l := &r.leaves[i]; l.Name.Path == path && l.Kind != event.JSON && l.Value != "" {
				return l.Value
			}
		}
	}
	return ""
}

// each calls fn with each object of a raw array.
func (r *cloudRecord) each(array string, fn func(get func(name string) string)) {
	r.eachAt(0, array, fn)
}

// eachAt is each for an array at a depth of nesting.
func (r *cloudRecord) eachAt(depth int, array string, fn func(get func(name string) string)) {
	if array == "" || array[0] != '[' {
		return
	}
	p := []byte(array)
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < maxCloudObjects; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			return
		}
		leaves, err := r.names.inner[depth].Scan(array[i:i+size], r.b)
		if err != nil {
			return
		}
		fn(func(name string) string {
			for j := range leaves {
				if l := &leaves[j]; l.Name.Path == name {
					return l.Value
				}
			}
			return ""
		})
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
}

// list is a member of the objects of an array at path: of the last that has it.
func (r *cloudRecord) list(path, name string) (value string) {
	for i := range r.leaves {
		if l := &r.leaves[i]; l.Name.Path == path && l.Kind == event.JSON {
			r.each(l.Value, func(get func(string) string) {
				if v := get(name); v != "" && value != "false" {
					value = v
				}
			})
		}
	}
	return value
}

// source adds the caller's address, which may have a port or brackets, or be a
// service's name.
func (r *cloudRecord) source(address string) {
	if address == "" || address == "-" {
		return
	}
	if host, port := splitPort(address); port != "" && isIP(host) {
		addSource(r.b, host, port)
		return
	}
	address, port := unbracket(address)
	addSource(r.b, address, port)
}

// agent adds the caller's program.
func (r *cloudRecord) agent(s string) {
	if s != "" && s != "-" {
		r.agents.add(s, r.b)
	}
}

// login splits "alice@example.com" to user.name and user.domain.
func (r *cloudRecord) login(prefix, s string) {
	if name, domain, ok := strings.Cut(s, "@"); ok && name != "" && isHostName(domain) {
		r.b.Add(prefix+"name", name)
		r.b.Add(prefix+"domain", domain)
		r.b.Add(prefix+"email", s)
	} else {
		r.b.Add(prefix+"name", s)
	}
}

// number turns a member that the service writes as text into the number it is.
func (r *cloudRecord) number(name string) {
	fields := r.b.Event().Fields
	for i := range fields {
		if f := &fields[i]; f.Name == name && isDigits(f.Value) && len(f.Value) < 16 && (f.Value[0] != '0' || len(f.Value) == 1) {
			f.Kind = event.Number
		}
	}
}

// status adds what an HTTP status code says of a request.
func (r *cloudRecord) status(code string) {
	if len(code) != 3 || !isDigits(code) {
		return
	}
	r.b.AddNumber("http.response.status_code", code)
	if code[0] < '4' {
		r.b.Add("event.outcome", "success")
	} else {
		r.b.Add("event.outcome", "failure")
	}
}

// classes adds the words of ECS's categories and types.
func (r *cloudRecord) classes(name, words string) {
	for w := range strings.FieldsSeq(words) {
		r.b.Add(name, w)
	}
}

// snakeButIn is snake, but for names within the given heads, which stay as they are:
// with "request", "request.userId" is "request.userId".
func snakeButIn(path string, heads ...string) string {
	if head, rest, nested := strings.Cut(path, "."); nested && slices.Contains(heads, head) {
		return snake(head) + "." + rest
	}
	return snake(path)
}

// snake is a camel-case name as Elastic writes it: "sessionContext.mfaAuthenticated"
// is "session_context.mfa_authenticated".
func snake(path string) string {
	out := make([]byte, 0, len(path)+8)
	for i := range len(path) {
		c := path[i]
		if 'A' <= c && c <= 'Z' {
			if i > 0 && path[i-1] != '.' && path[i-1] != '_' &&
				(path[i-1] < 'A' || path[i-1] > 'Z' || i+1 < len(path) && 'a' <= path[i+1] && path[i+1] <= 'z') {
				out = append(out, '_')
			}
			c |= 0x20
		}
		out = append(out, c)
	}
	return string(out)
}

// verb says what an operation does by the verb its name begins with: ECS's event.type.
func verb(operation string) string {
	for _, v := range cloudVerbs {
		if len(operation) >= len(v.word) && strings.EqualFold(operation[:len(v.word)], v.word) {
			return v.kind
		}
	}
	return ""
}

var cloudVerbs = []struct{ word, kind string }{
	{"create", "creation"}, {"run", "creation"}, {"register", "creation"}, {"import", "creation"}, {"copy", "creation"}, {"allocate", "creation"}, {"insert", "creation"}, {"issue", "creation"},
	{"deleg", "change"}, {"delete", "deletion"}, {"deregister", "deletion"}, {"terminate", "deletion"}, {"release", "deletion"}, {"purge", "deletion"}, {"destroy", "deletion"}, {"schedulekeydeletion", "deletion"},
	{"add", "change"}, {"remove", "change"}, {"update", "change"}, {"put", "change"}, {"set", "change"}, {"modify", "change"}, {"change", "change"}, {"attach", "change"}, {"detach", "change"},
	{"enable", "change"}, {"disable", "change"}, {"associate", "change"}, {"disassociate", "change"}, {"authorize", "change"}, {"revoke", "change"}, {"upload", "change"}, {"deactivate", "change"},
	{"activate", "change"}, {"replace", "change"}, {"reset", "change"}, {"tag", "change"}, {"untag", "change"}, {"start", "change"}, {"stop", "change"}, {"reboot", "change"}, {"grant", "change"},
	{"restore", "change"}, {"patch", "change"}, {"edit", "change"}, {"rename", "change"}, {"move", "change"}, {"transfer", "change"},
	{"get", "access"}, {"list", "access"}, {"describe", "access"}, {"head", "access"}, {"lookup", "access"}, {"read", "access"}, {"view", "access"}, {"download", "access"}, {"search", "access"}, {"query", "access"}, {"decrypt", "access"},
}
