package format

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/sextant-logs/sextant/internal/event"
)

// A stream of JSON may mix the records of any products: what an event hub, a
// bucket, an agent's output or a search's export carries. Each record goes to the
// format that knows it by the names it has; so does a record that stands within
// another, as agents and stores wrap them. What no format knows stays JSON of its own names.

// jsonLogs are the formats that know records by their names (Format.JSON), the surest
// first and by name among equals.
var jsonLogs = sync.OnceValue(func() []*Format {
	var fs []*Format
	for _, f := range All() {
		if f.JSON != nil {
			fs = append(fs, f)
		}
	}
	slices.SortStableFunc(fs, func(a, b *Format) int { return b.JSONScore - a.JSONScore })
	return fs
})

// jsonOwn is the JSON decoder of one format: records that are not its own go to
// the router.
func jsonOwn(f *Format, p *Params) LineDecoder {
	own := f.Lines(p)
	var other LineDecoder
	return func(record string, b *event.Batch) error {
		err := own(record, b)
		if err == nil {
			return nil
		}
		if other == nil {
			other = newJSONDecoder(p)
		}
		b.Rollback()
		return other(record, b)
	}
}

// jsonShapes remembers which format knows records of a shape: of the same names in
// the same order. It lives in a pool with the scanner that made the names.
type jsonShapes struct {
	scan   event.Scanner
	known  map[uint64]jsonShape
	leaves []event.Leaf
	prefix string // scratch of has
}

// jsonShape is what is known of records of a shape.
type jsonShape struct {
	format *Format
	within string // the member that is the format's record; "" for the whole
}

var shapePool = sync.Pool{New: func() any {
	return &jsonShapes{scan: event.Scanner{Tag: nameTag}, known: map[uint64]jsonShape{}}
}}

const maxShapes = 4 << 10

// shape says which format knows the leaves scanned last, or those of one of its members.
func (s *jsonShapes) shape() jsonShape {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for i := range s.leaves {
		h = (h ^ uint64(uintptr(unsafe.Pointer(s.leaves[i].Name)))) * prime
	}
	found, ok := s.known[h]
	if ok {
		return found
	}
	if found.format = s.knows(""); found.format == nil {
		last := ""
		for i := range s.leaves {
			head, _, nested := strings.Cut(s.leaves[i].Name.Path, ".")
			if !nested || head == last {
				continue
			}
			last = head
			if f := s.knows(head + "."); f != nil {
				found = jsonShape{f, head}
				break
			}
		}
	}
	if len(s.known) >= maxShapes {
		clear(s.known)
	}
	s.known[h] = found
	return found
}

// knows is the format that knows the leaves below prefix, nil for none.
func (s *jsonShapes) knows(prefix string) *Format {
	s.prefix = prefix
	for _, f := range jsonLogs() {
		if f.JSON(s.has) {
			return f
		}
	}
	return nil
}

func (s *jsonShapes) has(path string) bool {
	n := len(s.prefix)
	for i := range s.leaves {
		if p := s.leaves[i].Name.Path; len(p) == n+len(path) && p[n:] == path && p[:n] == s.prefix {
			return true
		}
	}
	return false
}

func (s *jsonShapes) get(path string) string {
	for i := range s.leaves {
		if s.leaves[i].Name.Path == path {
			return s.leaves[i].Value
		}
	}
	return ""
}

const maxWrapped = 3 // records within records

// jsonRouter decodes the records of a stream of any mix.
type jsonRouter struct {
	p        *Params
	named    namedRecord
	decoders map[*Format]LineDecoder
	lines    *lineRouter
	facts    *textFacts
	carried  *carriedText
	depth    int
}

func newJSONDecoder(p *Params) LineDecoder { return newJSONRouter(p).decode }

func newJSONRouter(p *Params) *jsonRouter {
	return &jsonRouter{p: p, named: namedRecord{p: p, prefix: "json."}, decoders: map[*Format]LineDecoder{}}
}

func (d *jsonRouter) decode(record string, b *event.Batch) error {
	s := shapePool.Get().(*jsonShapes)
	defer func() {
		s.leaves = nil
		shapePool.Put(s)
	}()
	leaves, err := s.scan.Scan(record, b)
	if err != nil {
		return err
	}
	s.leaves = leaves
	shape := s.shape()
	if f := shape.format; f != nil && shape.within == "" {
		decode := d.decoders[f]
		if decode == nil {
			decode = f.Lines(d.p)
			d.decoders[f] = decode
		}
		if decode(record, b) == nil {
			return nil
		}
		b.Rollback()
	}
	if d.depth < maxWrapped && d.unwrap(record, shape.within, s, b) {
		return nil
	}
	if dataset := agentDataset(s, b); isECS(leaves) || dataset != "" && s.get("event.kind") != "" || dataset == "cef.log" {
		d.pass(s, dataset, b)
		return nil
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "json")
	d.named.add(leaves, b)
	return nil
}

// wrappers are the members under which agents and stores put a whole record, of whatever names.
var wrappers = []string{"json", "o365audit", "_source", "result"}

// unwrap decodes the record that stands within another, and reports whether there
// was one that a format knows. What the outer record says beside it is kept.
func (d *jsonRouter) unwrap(record, within string, s *jsonShapes, b *event.Batch) bool {
	inner := ""
	outer := ""    // the name of the member that is unwrapped
	whole := false // there is nothing but it: it is unwrapped even if no format knows it
	if within != "" {
		inner, outer = jsonMember(record, within), within
	}
	for _, name := range wrappers {
		if inner != "" {
			break
		}
		if raw := jsonMember(record, name); raw != "" && raw[0] == '{' {
			inner, outer = raw, name
			whole = name == "_source" || name == "json" || name == "o365audit"
			break
		}
	}
	switch {
	case inner != "":
		if raw := s.get(outer + "._raw"); outer == "result" && raw != "" { // Splunk's export
			inner, outer = raw, "result._raw"
		}
	default:
		for _, name := range [...]string{"event.original", "_raw", "message", "log", "line", "MESSAGE", "@message", "Message", "rawEvent", "CloudTrailEvent", "AuditData"} {
			v := s.get(name)
			if v == "" {
				continue
			}
			if whole = carrier(s.leaves, name); whole || v[0] == '{' {
				inner, outer = v, name
				break
			}
		}
	}
	if data := s.get("message.data"); inner == "" && data != "" && s.get("message.publishTime")+s.get("message.publish_time") != "" { // Google's Pub/Sub pushes it in base64
		if text, err := base64.StdEncoding.DecodeString(data); err == nil && len(text) > 1 && text[0] == '{' {
			inner, outer = b.Bytes(text), "message.data"
		}
	}
	if inner == "" {
		return false
	}
	e := b.Event()
	hint := ""
	for _, name := range [...]string{"event.dataset", "data_stream.dataset", "fileset.name", "log.file.path", "source", "path", "sourcetype", "result.sourcetype"} {
		if v := s.get(name); v != "" {
			hint = v
			break
		}
	}
	if inner[0] != '{' {
		d.setYear(s)
	}
	if !d.inner(inner, hint, whole, b) && !(whole && d.program(inner, s, b)) {
		b.Rollback()
		return false
	}
	if outer == "o365audit" && e.Get("event.dataset") == "json" {
		b.Set("event.dataset", "o365.audit") // the agent's input is of no other log
	}
	if !e.Has("message") {
		b.Add("message", inner)
	}
	for i := range s.leaves {
		l := &s.leaves[i]
		name := l.Name.Path
		switch {
		case name == outer || strings.HasPrefix(name, outer+".") || name == "message" || name == "event.original" || name == "event.dataset" || name == "event.module":
		case name == "@timestamp" || name == "_time" || name == "time" || name == "timestamp":
			if e.Time == event.NoTime {
				if ns, ok := d.named.time(l); ok {
					e.Time = ns
				}
			}
		case name == "result.host" && outer == "result._raw": // where Splunk got it
			if !e.Has("host.name") && isHostName(l.Value) {
				b.Add("host.name", l.Value)
			}
			d.named.own(l, b)
		case !e.Has(name):
			d.named.own(l, b)
		}
	}
	return true
}

// setYear sets the clock to what the carrier says of its line, which may lack a year.
func (d *jsonRouter) setYear(s *jsonShapes) {
	for i := range s.leaves {
		switch l := &s.leaves[i]; l.Name.Path {
		case "@timestamp", "_time", "time", "timestamp", "ts":
			if ns, ok := d.named.time(l); ok {
				d.p.Clock.Seen(ns)
				return
			}
		}
	}
}

// inner decodes a wrapped record, and reports whether a format knows it; whole takes
// JSON of any names for known.
func (d *jsonRouter) inner(text, hint string, whole bool, b *event.Batch) bool {
	d.depth++
	defer func() { d.depth-- }()
	if text[0] == '{' {
		if d.decode(text, b) != nil {
			return false
		}
		return whole || b.Event().Get("event.dataset") != "json"
	}
	if d.lines == nil {
		d.lines = newLineRouter(d.p)
	}
	return d.lines.decode(text, hint, b)
}

// program decodes the message of a program that the document around it names, as those of the journal's and of
// syslog's inputs do.
func (d *jsonRouter) program(text string, s *jsonShapes, b *event.Batch) bool {
	tag := ""
	for _, name := range [...]string{"log.syslog.appname", "syslog.identifier", "journald.custom.syslog_identifier"} {
		if tag = s.get(name); tag != "" {
			break
		}
	}
	if tag == "" || text[0] == '{' {
		return false
	}
	b.Rollback()
	if d.facts == nil {
		d.facts = &textFacts{}
	}
	m := message{Text: strings.TrimSpace(text), Tag: tag, PID: s.get("process.pid"), Host: s.get("host.hostname"), Dataset: datasetJournal, facts: d.facts, carried: d.carried}
	m.decode(b)
	d.carried = m.carried
	return true
}

// carrierNames are the names, or with a dot the sets of names, of what agents and
// stores say of a line that they carry.
var carrierNames = []string{
	"@timestamp", "@version", "agent.", "beat.", "cloud.", "container.", "data_stream.", "docker.", "ecs.", "event.", "fields.", "fileset.", "host.", "host", "hostname", "input.", "kubernetes.",
	"labels.", "log.", "offset", "path", "port", "prospector.", "service.", "source", "stream", "tags", "time", "timestamp", "type", "ingestionTime", "eventId", "id", "index", "sourcetype",
	"_time", "_index", "_id", "_score", "_type", "preview", "lastrow", "level", "syslog.", "systemd.", "process.", "elastic_agent.", "orchestrator.", "aws.", "azure.", "journald.", "otel.", "trace.", "span.", "logStream", "logGroup", "kafka.",
}

// carrier reports whether a record says nothing but a line, and whence it came.
func carrier(leaves []event.Leaf, text string) bool {
	for i := range leaves {
		name := leaves[i].Name.Path
		if name == text || name == "message" || name == "event.original" {
			continue
		}
		if !slices.ContainsFunc(carrierNames, func(c string) bool {
			return name == c || c[len(c)-1] == '.' && strings.HasPrefix(name, c)
		}) {
			return false
		}
	}
	return true
}

// jsonMember is the raw value of a member of the object doc, "" if it has none of the name.
func jsonMember(doc, name string) string {
	if !quotes(doc, name) {
		return ""
	}
	p := unsafe.Slice(unsafe.StringData(doc), len(doc)) // only read
	i := skipSpace(p, 0)
	if i >= len(p) || p[i] != '{' {
		return ""
	}
	for i = skipSpace(p, i+1); i < len(p) && p[i] == '"'; {
		j := stringEnd(p, i)
		if j < 0 {
			return ""
		}
		key := doc[i+1 : j-1]
		if i = skipSpace(p, j); i >= len(p) || p[i] != ':' {
			return ""
		}
		i = skipSpace(p, i+1)
		var v valueScanner
		n, done := v.feed(p[i:])
		if !done {
			return ""
		}
		if key == name {
			return doc[i : i+n]
		}
		if i = skipSpace(p, i+n); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	return ""
}

// quotes reports whether a name stands in quotes in a text.
func quotes(text, name string) bool {
	for i := 0; ; {
		n := strings.Index(text[i:], name)
		if n < 0 {
			return false
		}
		i += n + len(name)
		if n := i - len(name); n > 0 && text[n-1] == '"' && i < len(text) && text[i] == '"' {
			return true
		}
	}
}

// isECS reports whether a document speaks ECS: it has @timestamp and says so,
// or was sent by a Beat.
func isECS(leaves []event.Leaf) bool {
	timed, sign := false, false
	for i := range leaves {
		switch leaves[i].Name.Path {
		case "@timestamp", "winlog.time_created":
			timed = true
		case "ecs.version", "agent.type", "agent.version", "beat.name", "event.kind", "event.module", "data_stream.dataset", "winlog.channel":
			sign = true
		}
	}
	return timed && sign
}

// pass adds a document that is in ECS already, of a data set; "" for none that is known.
func (d *jsonRouter) pass(s *jsonShapes, dataset string, b *event.Batch) {
	timed := false
	windows := false
	for i := range s.leaves {
		l := &s.leaves[i]
		switch l.Name.Path {
		case "winlog.event_id":
			windows = true
		case "winlog.record_id":
			setNumber(b, l.Value)
		case "host.mac":
			b.Add("host.mac", macAddress(l.Value, b))
			continue
		case "@timestamp":
			if ns, ok := d.named.time(l); ok {
				b.Event().Time, timed = ns, true
				continue
			}
		}
		d.named.own(l, b)
	}
	if !b.Event().Has("event.dataset") {
		b.Add("event.dataset", cmp.Or(dataset, "json"))
	}
	if windows {
		addWinlogECS(b, d.named.p.Clock)
	}
	switch dataset {
	case "auditd_manager.auditd":
		d.addAuditbeat(s, b)
	case "cef.log":
		mentions := mentionPool.Get().(*mentions)
		mentions.add(s.leaves, b)
		mentionPool.Put(mentions)
		if !b.Event().Has("event.kind") {
			b.Add("event.kind", "event")
		}
	}
	if !timed && b.Event().Time == event.NoTime {
		d.named.p.Clock.NoTime()
	}
}
