package event

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Scanner flattens JSON objects (RFC 8259) to dotted fields in one strict pass:
// {"a":{"b":1}} is a leaf "a.b". It remembers the names it met, so that the
// records of a source, which are alike, cost no allocation and no hashing.
//
//   - a string is unescaped, into the batch's arena only when it has escapes;
//     a lone surrogate becomes U+FFFD, as in encoding/json
//   - a number keeps its text, with Kind Number
//   - null, {} and [] give no leaf
//   - an array of scalars gives one leaf per element under one name; an array
//     that holds objects or arrays is one leaf of Kind JSON
//   - an object nested deeper than 64 levels, or one whose name would be longer
//     than 512 bytes, is a leaf of Kind JSON in its parent's name
//   - members past the 2,000th leaf are kept as text under "json.rest"
//   - a name that occurs twice gives two leaves
//
// What is not exactly one JSON object is refused. A Scanner is used by one
// goroutine at a time; the zero Scanner is ready.
type Scanner struct {
	// Tag, if set, is asked once for each distinct name; its answer comes with
	// every leaf of that name. It must depend on nothing but the path.
	Tag func(path string) int32

	root   Name
	names  int
	doc    []byte
	text   string // doc
	batch  *Batch
	leaves []Leaf
	buf    []byte
	rest   int // where the members begin that are too many; 0: none
	err    error
}

// Name is the dotted name of a leaf, interned by its Scanner.
type Name struct {
	Path string
	Tag  int32

	key  string
	kids []*Name
	next int // the child after the one met last: members come in the same order again
}

// Leaf is one scalar of a JSON object, or a value kept as raw JSON.
type Leaf struct {
	Name  *Name
	Value string
	Kind  Kind
}

const (
	maxDepth   = 64   // levels that are flattened
	maxNesting = 1000 // levels that are accepted
	maxLeaves  = 2000
	maxPath    = 512
	maxNames   = 16 << 10 // names remembered; more are made anew each time
)

var (
	errNotObject = errors.New("not a JSON object")
	errSyntax    = errors.New("invalid JSON")
	errCutOff    = errors.New("invalid JSON: it ends in the middle")
	errTrailing  = errors.New("invalid JSON: something follows the object")
	errNesting   = errors.New("invalid JSON: nested deeper than 1000 levels")
)

// Scan returns the leaves of the object doc in order. The slice is valid until
// the next Scan; its strings are parts of doc or lie in b's arena.
func (s *Scanner) Scan(doc string, b *Batch) ([]Leaf, error) {
	s.text, s.doc = doc, unsafe.Slice(unsafe.StringData(doc), len(doc))
	s.batch, s.leaves, s.rest, s.err = b, s.leaves[:0], 0, nil
	i := s.space(0)
	if i >= len(doc) || doc[i] != '{' {
		return nil, errNotObject
	}
	if i = s.object(i+1, &s.root, 1); i < 0 {
		return nil, s.err
	}
	if s.space(i) != len(doc) {
		return nil, errTrailing
	}
	if s.rest > 0 {
		s.leaves = append(s.leaves, Leaf{Name: s.child(&s.root, "json.rest"), Value: strings.TrimLeft(doc[s.rest:], ", \t\r\n")})
	}
	return s.leaves, nil
}

// Add adds the leaves of the object doc to the event being built in b, under
// their own names.
func (s *Scanner) Add(doc string, b *Batch) error {
	leaves, err := s.Scan(doc, b)
	for _, l := range leaves {
		b.AddKind(l.Name.Path, l.Value, l.Kind)
	}
	return err
}

func (s *Scanner) fail(err error) int {
	s.err = err
	return -1
}

func (s *Scanner) space(i int) int {
	for i < len(s.doc) && s.doc[i] <= ' ' && (s.doc[i] == ' ' || s.doc[i] == '\n' || s.doc[i] == '\r' || s.doc[i] == '\t') {
		i++
	}
	return i
}

// object reads the members of an object from behind its brace and returns the
// index behind the closing one, -1 on error.
func (s *Scanner) object(i int, node *Name, depth int) int {
	doc := s.doc
	i = s.space(i)
	if i < len(doc) && doc[i] == '}' {
		return i + 1
	}
	for {
		if len(s.leaves) >= maxLeaves && s.rest == 0 {
			s.rest = i
		}
		start := i
		if i >= len(doc) {
			return s.fail(errCutOff)
		}
		if doc[i] != '"' {
			return s.fail(errSyntax)
		}
		key, j := s.str(i + 1)
		if j < 0 {
			return j
		}
		if i = j; i < len(doc) && doc[i] != ':' {
			i = s.space(i)
		}
		if i >= len(doc) {
			return s.fail(errCutOff)
		}
		if doc[i] != ':' {
			return s.fail(errSyntax)
		}
		if i++; i < len(doc) && doc[i] <= ' ' {
			i = s.space(i)
		}
		if s.rest > 0 {
			i = s.skip(i)
		} else if len(node.Path)+1+len(key) > maxPath && depth > 1 {
			// The member stays JSON, in the name of what holds it.
			if i = s.skip(i); i >= 0 {
				s.buf = append(append(append(s.buf[:0], '{'), doc[start:i]...), '}')
				s.leaf(node, s.raw(s.batch.Bytes(s.buf)), JSON)
			}
		} else if len(key) > maxPath {
			if i = s.skip(i); i >= 0 {
				s.leaf(s.child(node, "json.rest"), s.text[start:i], String)
			}
		} else {
			i = s.value(i, s.child(node, key), depth)
		}
		if i < 0 {
			return i
		}
		if i < len(doc) && doc[i] <= ' ' {
			i = s.space(i)
		}
		if i >= len(doc) {
			return s.fail(errCutOff)
		}
		switch doc[i] {
		case ',':
			if i++; i < len(doc) && doc[i] <= ' ' {
				i = s.space(i)
			}
		case '}':
			return i + 1
		default:
			return s.fail(errSyntax)
		}
	}
}

// value reads the value at i, which belongs to node.
func (s *Scanner) value(i int, node *Name, depth int) int {
	if i >= len(s.doc) {
		return s.fail(errCutOff)
	}
	switch c := s.doc[i]; c {
	case '{':
		if depth >= maxDepth {
			j := s.skip(i)
			if j >= 0 {
				s.leaf(node, s.raw(s.text[i:j]), JSON)
			}
			return j
		}
		return s.object(i+1, node, depth+1)
	case '[':
		return s.array(i, node)
	default:
		return s.scalar(i, node)
	}
}

// scalar reads a string, number, true, false or null.
func (s *Scanner) scalar(i int, node *Name) int {
	var j int
	switch c := s.doc[i]; {
	case c == '"':
		var v string
		if v, j = s.str(i + 1); j >= 0 {
			s.leaf(node, v, String)
		}
	case c == 't' || c == 'f':
		if j = s.literal(i); j >= 0 {
			s.leaf(node, s.text[i:j], Bool)
		}
	case c == 'n':
		j = s.literal(i)
	default:
		if j = s.number(i); j >= 0 {
			s.leaf(node, s.text[i:j], Number)
		}
	}
	return j
}

func (s *Scanner) leaf(node *Name, value string, kind Kind) {
	s.leaves = append(s.leaves, Leaf{node, value, kind})
}

// array reads an array of scalars to leaves; when it turns out to hold more
// than scalars or too many of them, it is one leaf of raw JSON.
func (s *Scanner) array(i int, node *Name) int {
	doc := s.doc
	start, before := i, len(s.leaves)
	i = s.space(i + 1)
	if i < len(doc) && doc[i] == ']' {
		return i + 1
	}
	for {
		if i >= len(doc) {
			return s.fail(errCutOff)
		}
		if doc[i] == '{' || doc[i] == '[' || len(s.leaves) >= maxLeaves {
			s.leaves = s.leaves[:before]
			if i = s.skip(start); i >= 0 {
				s.leaf(node, s.raw(s.text[start:i]), JSON)
			}
			return i
		}
		if i = s.scalar(i, node); i < 0 {
			return i
		}
		i = s.space(i)
		if i >= len(doc) {
			return s.fail(errCutOff)
		}
		switch doc[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(errSyntax)
		}
	}
}

// child is the name of a member of node.
func (s *Scanner) child(node *Name, key string) *Name {
	if n := node.next; n < len(node.kids) && node.kids[n].key == key {
		node.next = n + 1
		return node.kids[n]
	}
	for i, k := range node.kids {
		if k.key == key {
			node.next = i + 1
			return k
		}
	}
	key = strings.Clone(key)
	path := key
	if node != &s.root {
		path = node.Path + "." + key
	}
	k := &Name{Path: path, key: key}
	if s.Tag != nil {
		k.Tag = s.Tag(path)
	}
	// Members without end (ids as keys) must neither fill the memory nor make
	// the search long.
	if s.names < maxNames && len(node.kids) < 256 {
		s.names++
		node.kids = append(node.kids, k)
		node.next = len(node.kids)
	}
	return k
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain is the index of the first byte at or behind i that ends or interrupts
// a string: a quote, a backslash, a control character, or the end.
func plain(doc []byte, i int) int {
	for i+8 <= len(doc) {
		x := binary.LittleEndian.Uint64(doc[i:])
		q, b := x^(ones*'"'), x^(ones*'\\')
		if m := ((q-ones)&^q | (b-ones)&^b | (x-ones*0x20)&^x) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(doc) && doc[i] != '"' && doc[i] != '\\' && doc[i] >= ' ' {
		i++
	}
	return i
}

// StringPause is the index of the first byte at or behind i of a JSON string's
// inside that is not plain text: a quote, a backslash, a control character, or len(p).
func StringPause(p []byte, i int) int { return plain(p, i) }

// str reads a string from behind its opening quote and returns it unescaped
// and the index behind the closing quote.
func (s *Scanner) str(i int) (string, int) {
	j := plain(s.doc, i)
	if j < len(s.doc) && s.doc[j] == '"' {
		return s.text[i:j], j + 1
	}
	s.buf = s.buf[:0]
	for {
		if j >= len(s.doc) {
			return "", s.fail(errCutOff)
		}
		s.buf = append(s.buf, s.doc[i:j]...)
		switch s.doc[j] {
		case '"':
			return s.batch.Bytes(s.buf), j + 1
		case '\\':
			if i = s.escape(j + 1); i < 0 {
				return "", i
			}
		case '\n':
			return "", s.fail(errSyntax)
		default: // a bare control character
			s.buf = append(s.buf, s.doc[j])
			i = j + 1
		}
		j = plain(s.doc, i)
	}
}

// escape appends to buf what the escape means whose backslash is before i.
func (s *Scanner) escape(i int) int {
	if i >= len(s.doc) {
		return s.fail(errCutOff)
	}
	switch c := s.doc[i]; c {
	case '"', '\\', '/':
		s.buf = append(s.buf, c)
	case 'b':
		s.buf = append(s.buf, '\b')
	case 'f':
		s.buf = append(s.buf, '\f')
	case 'n':
		s.buf = append(s.buf, '\n')
	case 'r':
		s.buf = append(s.buf, '\r')
	case 't':
		s.buf = append(s.buf, '\t')
	case 'u':
		r, ok := hex4(s.doc, i+1)
		if !ok {
			return s.fail(errSyntax)
		}
		i += 5
		if utf16.IsSurrogate(r) {
			if i+6 <= len(s.doc) && s.doc[i] == '\\' && s.doc[i+1] == 'u' {
				if low, ok := hex4(s.doc, i+2); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						s.buf = utf8.AppendRune(s.buf, pair)
						return i + 6
					}
				}
			}
			r = utf8.RuneError
		}
		s.buf = utf8.AppendRune(s.buf, r)
		return i
	default: // "\x16": Apache and Nginx escape so within the JSON that a log format of theirs writes
		s.buf = append(s.buf, '\\')
		return i
	}
	return i + 1
}

func hex4(p []byte, i int) (rune, bool) {
	if i+4 > len(p) {
		return 0, false
	}
	var r rune
	for _, c := range p[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number returns the end of the number at i (RFC 8259 §6).
func (s *Scanner) number(i int) int {
	doc := s.doc
	if i < len(doc) && doc[i] == '-' {
		i++
	}
	switch {
	case i >= len(doc):
		return s.fail(errCutOff)
	case doc[i] == '0':
		i++
	case '1' <= doc[i] && doc[i] <= '9':
		i = digits(doc, i)
	default:
		return s.fail(errSyntax)
	}
	if i < len(doc) && doc[i] == '.' {
		j := digits(doc, i+1)
		if j == i+1 {
			return s.fail(errSyntax)
		}
		i = j
	}
	if i < len(doc) && doc[i]|0x20 == 'e' {
		i++
		if i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		j := digits(doc, i)
		if j == i {
			return s.fail(errSyntax)
		}
		i = j
	}
	return i
}

func digits(p []byte, i int) int {
	for i < len(p) && '0' <= p[i] && p[i] <= '9' {
		i++
	}
	return i
}

// literal returns the end of the true, false or null at i.
func (s *Scanner) literal(i int) int {
	for _, l := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[i:], l) {
			return i + len(l)
		}
	}
	return s.fail(errSyntax)
}

// skip checks the value at i and returns its end. It does not recurse.
func (s *Scanner) skip(i int) int {
	var objects [maxNesting/64 + 1]uint64 // bit d: level d is an object
	doc, level := s.doc, 0
	for {
		// A value begins at i.
		if i = s.space(i); i >= len(doc) {
			return s.fail(errCutOff)
		}
		opened := false
		switch c := doc[i]; c {
		case '{', '[':
			if level++; level >= maxNesting {
				return s.fail(errNesting)
			}
			bit := uint64(1) << (level & 63)
			if c == '{' {
				objects[level>>6] |= bit
			} else {
				objects[level>>6] &^= bit
			}
			opened, i = true, i+1
		case '"':
			i = s.pass(i + 1)
		case 't', 'f', 'n':
			i = s.literal(i)
		default:
			i = s.number(i)
		}
		if i < 0 {
			return i
		}
		// Close what ends here, up to where the next value begins.
		for {
			if level == 0 {
				return i
			}
			if i = s.space(i); i >= len(doc) {
				return s.fail(errCutOff)
			}
			object := objects[level>>6]>>(level&63)&1 == 1
			closing := byte(']')
			if object {
				closing = '}'
			}
			if doc[i] == closing {
				level--
				i++
				opened = false
				continue
			}
			if !opened {
				if doc[i] != ',' {
					return s.fail(errSyntax)
				}
				i = s.space(i + 1)
			}
			if object {
				if i >= len(doc) {
					return s.fail(errCutOff)
				}
				if doc[i] != '"' {
					return s.fail(errSyntax)
				}
				if i = s.pass(i + 1); i < 0 {
					return i
				}
				if i = s.space(i); i >= len(doc) {
					return s.fail(errCutOff)
				}
				if doc[i] != ':' {
					return s.fail(errSyntax)
				}
				i++
			}
			break
		}
	}
}

// pass checks a string from behind its opening quote and returns its end.
func (s *Scanner) pass(i int) int {
	for {
		i = plain(s.doc, i)
		if i >= len(s.doc) {
			return s.fail(errCutOff)
		}
		switch s.doc[i] {
		case '"':
			return i + 1
		case '\\':
			s.buf = s.buf[:0]
			if i = s.escape(i + 1); i < 0 {
				return i
			}
		case '\n':
			return s.fail(errSyntax)
		default:
			i++
		}
	}
}

// raw makes a checked JSON value fit to be written as it is: on one line,
// without bytes that drive a terminal or are not UTF-8.
func (s *Scanner) raw(v string) string {
	clean := true
	for i := range len(v) {
		if v[i] < ' ' || v[i] >= 0x7f || v[i] == '\\' {
			clean = false
			break
		}
	}
	if clean {
		return v
	}
	s.buf = s.buf[:0]
	for i := 0; i < len(v); {
		if c := v[i]; c != '"' {
			if c > ' ' {
				s.buf = append(s.buf, c)
			}
			i++
			continue
		}
		end := i + 1
		for v[end] != '"' {
			if v[end] == '\\' {
				end++
			}
			end++
		}
		s.buf = appendClean(append(s.buf, '"'), v[i+1:end])
		s.buf = append(s.buf, '"')
		i = end + 1
	}
	return s.batch.Bytes(s.buf)
}

// appendClean appends the inside of a JSON string, with what AppendQuoted
// escapes beyond the quote and the backslash escaped.
func appendClean(dst []byte, s string) []byte {
	var stray strayBytes
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if strings.IndexByte(`"\/bfnrtu`, s[i+1]) < 0 {
				dst = append(dst, '\\', '\\') // no escape of JSON's
				i++
				continue
			}
			dst = append(dst, c, s[i+1])
			i += 2
			continue
		}
		if c >= ' ' && c < 0x7f {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		invalid := r == utf8.RuneError && n == 1
		if invalid {
			r = stray.rune(s, i)
		}
		switch {
		case r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029:
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		case invalid:
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}
