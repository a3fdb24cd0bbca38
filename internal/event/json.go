package event

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// arrays are the ECS fields that are arrays even when they hold one value
// (ECS reference, "Note: this field should contain an array of values").
var arrays = map[string]bool{
	"event.category": true, "event.type": true, "tags": true,
	"related.ip": true, "related.user": true, "related.hosts": true, "related.hash": true,
	"host.ip": true, "host.mac": true, "process.args": true, "process.parent.args": true,
	"dns.header_flags": true, "dns.resolved_ip": true, "dns.answers": true,
	"threat.technique.id": true, "threat.technique.name": true, "threat.tactic.id": true, "threat.tactic.name": true,
	"rule.author": true, "file.attributes": true, "user.roles": true,
	"iptables.tcp.flags": true, "iptables.fragment_flags": true,
}

// IsArray reports whether ECS defines the named field as an array.
func IsArray(name string) bool { return arrays[name] }

// AppendJSON appends the event as one nested ECS document, without a newline:
// @timestamp, message, event.*, log.* and every field, objects nested by the
// dots of the names. Where one name is both a value and an object's prefix
// ("a" and "a.b"), the longer one stays a dotted key, so nothing is lost.
// Invalid UTF-8 becomes U+FFFD.
func AppendJSON(dst []byte, e *Event) []byte {
	var few [64]Field
	fs := append(few[:0], e.Fields...)
	if e.Time != NoTime {
		fs = append(fs, Field{Name: "@timestamp", Value: e.Timestamp().Format(time.RFC3339Nano)})
	}
	if !e.Has("message") {
		fs = append(fs, Field{Name: "message", Value: e.Raw})
	}
	fs = append(fs, Field{Name: "event.original", Value: e.Raw})
	if e.ID != "" {
		fs = append(fs, Field{Name: "event.id", Value: e.ID})
	}
	if e.Err != "" {
		fs = append(fs, Field{Name: "error.message", Value: e.Err})
	}
	fs = append(fs, Field{"log.offset", strconv.FormatInt(e.Offset, 10), Number})
	if e.Sequence != 0 {
		fs = append(fs, Field{"event.sequence", strconv.FormatInt(e.Sequence, 10), Number})
	}
	return AppendFieldsJSON(dst, fs)
}

// AppendFieldsJSON appends fields as one nested JSON object. It reorders fs.
func AppendFieldsJSON(dst []byte, fs []Field) []byte {
	slices.SortStableFunc(fs, func(a, b Field) int { return comparePath(a.Name, b.Name) })
	dst, _ = appendObject(dst, fs, 0)
	return dst
}

// comparePath orders dotted names so that each object's members are together.
func comparePath(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			if a[i] == '.' {
				return -1
			}
			if b[i] == '.' {
				return 1
			}
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// appendObject writes the fields that share the first depth bytes of their
// names and returns how many it took.
func appendObject(dst []byte, fs []Field, depth int) ([]byte, int) {
	dst = append(dst, '{')
	prefix := ""
	if len(fs) > 0 {
		prefix = fs[0].Name[:depth]
	}
	i := 0
	for i < len(fs) && strings.HasPrefix(fs[i].Name, prefix) {
		if i > 0 {
			dst = append(dst, ',')
		}
		key := fs[i].Name[depth:]
		n := 1 // values of this very name
		for i+n < len(fs) && fs[i+n].Name == fs[i].Name {
			n++
		}
		dot := strings.IndexByte(key, '.')
		taken := i > 0 && dot > 0 && scalarBefore(fs[:i], fs[i].Name[:depth+dot])
		if dot <= 0 || dot == len(key)-1 || taken {
			dst = AppendQuoted(dst, key)
			dst = append(dst, ':')
			dst = appendValues(dst, fs[i:i+n])
			i += n
			continue
		}
		dst = AppendQuoted(dst, key[:dot])
		dst = append(dst, ':')
		var took int
		dst, took = appendObject(dst, fs[i:], depth+dot+1)
		i += took
	}
	return append(dst, '}'), i
}

// scalarBefore reports whether fs, sorted, ends with name itself or with
// dotted keys below it.
func scalarBefore(fs []Field, name string) bool {
	for i := len(fs) - 1; i >= 0; i-- {
		if fs[i].Name == name {
			return true
		}
		if !strings.HasPrefix(fs[i].Name, name) || fs[i].Name[len(name)] != '.' {
			return false
		}
	}
	return false
}

func appendValues(dst []byte, fs []Field) []byte {
	if len(fs) == 1 && !(arrays[fs[0].Name] && fs[0].Kind != JSON) {
		return appendValue(dst, fs[0])
	}
	dst = append(dst, '[')
	for i, f := range fs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, f)
	}
	return append(dst, ']')
}

func appendValue(dst []byte, f Field) []byte {
	if f.Kind == String || f.Value == "" {
		return AppendQuoted(dst, f.Value)
	}
	return append(dst, f.Value...)
}

const hex = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Control characters (C0, DEL, C1) and the
// line separators U+2028 and U+2029 are escaped, so that a log line cannot drive a terminal.
// What is not UTF-8 is made so as by [AppendText].
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	var stray strayBytes
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		invalid := r == utf8.RuneError && n == 1
		if invalid {
			r = stray.rune(s, i)
		}
		if invalid || r == 0x2028 || r == 0x2029 || 0x80 <= r && r < 0xa0 {
			dst = append(dst, s[start:i]...)
			if r == 0x2028 || r == 0x2029 || r < 0xa0 {
				dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
