package format

import (
	"errors"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/event"
)

// Zeek's logs (formerly Bro), as its ASCII writer makes them, tab-separated below
// "#fields" and "#types", or as JSON. The same record gives the same event from either.
// https://docs.zeek.org/en/master/log-formats.html
var (
	_ = register(Format{
		Name:  "zeek",
		Title: "Zeek log (tab-separated)",
		Group: "network",
		Recognise: func(s *Sample) int {
			for _, l := range s.Lines[:min(len(s.Lines), 12)] {
				if strings.HasPrefix(l, "#separator ") || strings.HasPrefix(l, "#fields\t") {
					return 98
				}
			}
			return 0
		},
		Header: isW3CDirective,
		Lines:  func(p *Params) LineDecoder { return newZeekTable(p).decode },
	})
	_ = register(Format{
		Name:      "zeek.json",
		Title:     "Zeek log (JSON)",
		Group:     "network",
		JSON:      isZeekJSON,
		JSONScore: 94,
		Lines:     func(p *Params) LineDecoder { return (&zeekJSON{zeekRecord: zeekRecord{p: p}}).decode },
	})
)

func isZeekJSON(has func(string) bool) bool {
	if !has("ts") {
		return false
	}
	// Records that neither name their log nor a connection must show the members of
	// one of the logs; those of the last, which have few, prove nothing.
	return has("_path") && (has("uid") || has("id.orig_h") || has("_write_ts")) || has("id.orig_h") && has("id.resp_h") || has("id_orig_h") && has("id_resp_h") && has("uid") || zeekStreamOf(has, len(zeekStreams)) != nil
}

// zeekStreamOf finds the log that has the members.
func zeekStreamOf(has func(string) bool, n int) *zeekStream {
	for _, s := range zeekStreams[:n] {
		for alternative := range strings.FieldsSeq(s.sign) {
			all := true
			for member := range strings.SplitSeq(alternative, "+") {
				if want, not := strings.CutPrefix(member, "!"); has(want) == not {
					all = false
					break
				}
			}
			if all {
				return s
			}
		}
	}
	return nil
}

var (
	errNoZeekFields = errors.New("no #fields line above names the columns")
	errZeekColumns  = errors.New("more or less columns than #fields names")
	errNotZeek      = errors.New("no ts: not a Zeek record")
)

// zeekTable decodes tab-separated records.
type zeekTable struct {
	zeekRecord
	separator, setSeparator string
	unset, empty            string
	columns                 []event.Name
	types                   []byte // 'n' number, 'b' bool, 's' text; capital for a set or vector of them
	row                     []event.Leaf
	stream                  *zeekStream
}

func newZeekTable(p *Params) *zeekTable {
	d := &zeekTable{zeekRecord: zeekRecord{p: p}, separator: "\t", setSeparator: ",", unset: "-", empty: "(empty)"}
	var b event.Batch
	b.Begin(0, "")
	var path, types string
	for _, h := range p.Header() {
		if v, ok := strings.CutPrefix(h, "#separator "); ok {
			d.separator = unescapeHex(strings.TrimSpace(v), &b)
			continue
		}
		key, v, _ := strings.Cut(h, d.separator)
		switch key {
		case "#set_separator":
			d.setSeparator = v
		case "#empty_field":
			d.empty = v
		case "#unset_field":
			d.unset = v
		case "#path":
			path = v
		case "#fields":
			d.columns = d.columns[:0]
			for name := range strings.SplitSeq(v, d.separator) {
				if len(d.columns) < maxColumns {
					d.columns = append(d.columns, event.Name{Path: name, Tag: zeekTag(name)})
				}
			}
		case "#types":
			types = v
		}
	}
	d.types = make([]byte, len(d.columns))
	for i := range d.types {
		d.types[i] = 's'
	}
	i := 0
	for t := range strings.SplitSeq(types, d.separator) {
		if i < len(d.types) {
			d.types[i] = zeekType(t)
		}
		i++
	}
	has := func(name string) bool {
		for i := range d.columns {
			if d.columns[i].Path == name {
				return true
			}
		}
		return false
	}
	d.stream = zeekByPath(path, has)
	return d
}

func zeekType(t string) byte {
	if in, ok := strings.CutSuffix(t, "]"); ok {
		_, in, _ = strings.Cut(in, "[")
		return zeekType(in) - 0x20
	}
	switch t {
	case "time", "interval", "count", "int", "double", "port":
		return 'n'
	case "bool":
		return 'b'
	}
	return 's'
}

// zeekByPath is the stream of a log's path, made up for logs of packages.
func zeekByPath(path string, has func(string) bool) *zeekStream {
	if path == "" {
		return zeekStreamOf(has, len(zeekStreams))
	}
	if s := zeekPaths[path]; s != nil {
		return s
	}
	for i := range len(path) {
		if c := path[i]; !isWordByte(c) || len(path) > 40 {
			return nil
		}
	}
	return zeekStreamNamed(path)
}

var zeekOthers struct {
	sync.Mutex
	m map[string]*zeekStream
}

// zeekStreamNamed is a log that is not known, as it is.
func zeekStreamNamed(path string) *zeekStream {
	zeekOthers.Lock()
	defer zeekOthers.Unlock()
	s := zeekOthers.m[path]
	if s == nil {
		s = &zeekStream{name: strings.Clone(path), dataset: "zeek." + path, category: "network", types: "info"}
		if zeekOthers.m == nil {
			zeekOthers.m = map[string]*zeekStream{}
		}
		if len(zeekOthers.m) < 1000 {
			zeekOthers.m[s.name] = s
		}
	}
	return s
}

func (d *zeekTable) decode(line string, b *event.Batch) error {
	if len(d.columns) == 0 {
		return errNoZeekFields
	}
	d.row = d.row[:0]
	i := 0
	for rest, more := line, true; more; i++ {
		var v string
		v, rest, more = strings.Cut(rest, d.separator)
		if i >= len(d.columns) {
			return errZeekColumns
		}
		if v == d.unset || v == d.empty {
			continue
		}
		t := d.types[i]
		if t < 'a' { // a set or vector
			for part := range strings.SplitSeq(v, d.setSeparator) {
				if part != d.unset && len(d.row) < 4000 {
					d.cell(i, t|0x20, part, b)
				}
			}
			continue
		}
		d.cell(i, t, v, b)
	}
	if i != len(d.columns) {
		return errZeekColumns
	}
	return d.add(d.stream, d.row, b)
}

func (d *zeekTable) cell(i int, t byte, v string, b *event.Batch) {
	l := event.Leaf{Name: &d.columns[i]}
	switch {
	case t == 'n' && v != "" && (isDigit(v[0]) || v[0] == '-'):
		l.Value, l.Kind = v, event.Number
	case t == 'b' && (v == "T" || v == "F"):
		l.Value, l.Kind = strconv.FormatBool(v == "T"), event.Bool
	default:
		l.Value = unescapeHex(v, b)
	}
	d.row = append(d.row, l)
}

// unescapeHex decodes the "\xNN" by which the ASCII writer spells separators, line
// ends and what is beyond ASCII, and "\\". Bytes that are no text stay spelled, as they
// do in JSON.
func unescapeHex(s string, b *event.Batch) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var few [512]byte
	out := append(few[:0], s[:i]...)
	for i < len(s) {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == '\\' {
			out = append(out, '\\')
			i += 2
			continue
		}
		// As many escapes as make a character.
		var char [utf8.UTFMax]byte
		n := 0
		for n < len(char) {
			c, ok := hexByte(s[min(len(s), i+4*n):])
			if !ok {
				break
			}
			char[n] = c
			if n++; utf8.FullRune(char[:n]) {
				break
			}
		}
		r, size := utf8.DecodeRune(char[:n])
		if n == 0 || r == utf8.RuneError || size != n || r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f {
			out = append(out, s[i])
			i++
			continue
		}
		out = append(out, char[:n]...)
		i += 4 * n
	}
	return b.Bytes(out)
}

// hexByte reads the "\xNN" that s begins with.
func hexByte(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] != 'x' {
		return 0, false
	}
	hi, lo := unhex(s[2]), unhex(s[3])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// zeekFlat are the names of members as shippers write them that allow no dots in names, and as Corelight's
// exporters do.
var zeekFlat = func() map[string]*event.Name {
	m := map[string]*event.Name{}
	for flat, plain := range map[string]string{"id_orig_h": "id.orig_h", "id_orig_p": "id.orig_p", "id_resp_h": "id.resp_h", "id_resp_p": "id.resp_p", "@stream": "_path", "@system": "_system_name"} {
		m[flat] = &event.Name{Path: plain, Tag: zeekTag(plain)}
	}
	return m
}()

// zeekJSON decodes JSON records.
type zeekJSON struct{ zeekRecord }

var zeekScanners = scannerPool(zeekTag)

func (d *zeekJSON) decode(record string, b *event.Batch) error {
	scan := zeekScanners.Get().(*event.Scanner)
	defer zeekScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	path := ""
	for i := range leaves {
		if n := leaves[i].Name; len(n.Path) == 9 && n.Path[2] == '_' || n.Path != "" && n.Path[0] == '@' {
			if plain := zeekFlat[n.Path]; plain != nil {
				leaves[i].Name = plain
			}
		}
		if leaves[i].Name.Path == "_path" {
			path = leaves[i].Value
		}
	}
	d.leaves = leaves
	if path != "" {
		return d.add(zeekByPath(path, d.has), leaves, b)
	}
	var h maphash.Hash
	h.SetSeed(zeekSeed)
	for i := range leaves {
		h.WriteString(leaves[i].Name.Path)
		h.WriteByte(0)
	}
	stream, known := d.streams[h.Sum64()]
	if !known {
		stream = zeekStreamOf(d.has, len(zeekStreams))
		if d.streams == nil {
			d.streams = map[uint64]*zeekStream{}
		}
		if len(d.streams) < maxZeekTargets {
			d.streams[h.Sum64()] = stream
		}
	}
	return d.add(stream, leaves, b)
}

var zeekSeed = maphash.MakeSeed()
