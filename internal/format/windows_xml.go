package format

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/event"
)

// Windows events as XML: what the Event Viewer saves, wevtutil qe and ToXml() print, and forwarders
// like NXLog and Wazuh ship. The events stand in an <Events> element, or follow one another.
// https://learn.microsoft.com/windows/win32/wes/eventschema-event-element
var _ = register(Format{
	Name:  "windows.xml",
	Title: "Windows events as XML (Event Viewer, wevtutil)",
	Group: "windows",
	Recognise: func(s *Sample) int {
		head := s.Head[:min(len(s.Head), 16<<10)]
		if i := skipSpace(head, 0); i < len(head) && (head[i] == '{' || head[i] == '[' && skipSpace(head, i+1) < len(head) && head[skipSpace(head, i+1)] == '{') {
			return 0 // an agent's documents, which carry the XML of the event beside what they made of it
		}
		if i, _ := winElement(head); i < 0 || i > 4<<10 || !bytes.Contains(head, []byte("<System>")) || !bytes.Contains(head, []byte("<EventID")) {
			return 0
		}
		return 97
	},
	Frame:  func(r io.Reader) Framer { return &cutFramer{lineFramer{r: r}, winXMLCut, (*lineFramer).stretch} },
	Decode: func(p *Params) Decoder { return &winXMLChunks{p: p} },
})

// winElement finds the first Event element that begins in p, and whether its end is there too: start is
// -1 for none, end 0 where it is cut off.
func winElement(p []byte) (start, end int) {
	for at := 0; ; {
		i := bytes.Index(p[at:], []byte("<Event"))
		if i < 0 {
			return -1, 0
		}
		start = at + i
		at = start + len("<Event")
		if at < len(p) && (p[at] == ' ' || p[at] == '>' || p[at] == '\r' || p[at] == '\n' || p[at] == '\t') {
			break
		}
		if at >= len(p) {
			return start, 0
		}
	}
	if i := bytes.Index(p[start:], []byte(winEventEnd)); i >= 0 {
		end = start + i + len(winEventEnd)
	}
	return start, end
}

const winEventEnd = "</Event>"

// winXMLCut is behind the last whole event in p, 0 for none.
func winXMLCut(p []byte) int {
	if i := bytes.LastIndex(p, []byte(winEventEnd)); i >= 0 {
		return i + len(winEventEnd)
	}
	return 0
}

type winXMLChunks struct {
	p *Params
	x winExport
}

// Decode implements Decoder. What stands between events is structure.
func (d *winXMLChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	var n Bytes
	fallback := newTextDecoder(d.p)
	data, offset := c.Data, c.Offset
	for len(data) > 0 {
		start, end := winElement(data)
		if start < 0 {
			n.Structure += int64(len(data))
			break
		}
		if end == 0 {
			end = len(data) // cut off
		}
		n.Structure += int64(start)
		raw := event.View(data[start:end])
		b.Begin(offset+int64(start), raw)
		d.x.reset()
		d.p.ended(raw, d.x.decodeXML(raw, d.p, b), fallback, b)
		n.Events += int64(end - start)
		data, offset = data[end:], offset+int64(end)
	}
	n.refuse(c)
	return n
}

const maxXMLDepth = 32

var errXML = errorString("not well-formed XML: the event is cut off or damaged")

// decodeXML reads one Event element.
func (x *winExport) decodeXML(doc string, p *Params, b *event.Batch) error {
	var names [maxXMLDepth]string
	depth, listed := 0, 0
	name := ""         // of the datum that is open
	text := x.text[:0] // of the innermost element
	defer func() { x.text = text }()
	simple := false // whether it has no elements within
	at := func(i int) string {
		if i < depth {
			return names[i]
		}
		return ""
	}
	for i := 0; i < len(doc); {
		j := strings.IndexByte(doc[i:], '<')
		if j < 0 {
			break
		}
		if j > 0 && depth > 0 {
			text = appendXMLText(text, doc[i:i+j])
		}
		i += j
		rest := doc[i:]
		switch {
		case strings.HasPrefix(rest, "<!--"):
			k := strings.Index(rest, "-->")
			if k < 0 {
				return errXML
			}
			i += k + 3
			continue
		case strings.HasPrefix(rest, "<![CDATA["):
			k := strings.Index(rest, "]]>")
			if k < 0 {
				return errXML
			}
			text = append(text, rest[len("<![CDATA["):k]...)
			i += k + 3
			continue
		case strings.HasPrefix(rest, "<?"):
			k := strings.Index(rest, "?>")
			if k < 0 {
				return errXML
			}
			i += k + 2
			continue
		}
		k := xmlTagEnd(rest)
		if k < 0 {
			return errXML
		}
		tag := rest[1 : k-1]
		i += k
		if strings.HasPrefix(tag, "/") {
			if depth == 0 || xmlLocal(strings.TrimSpace(tag[1:])) != names[depth-1] {
				return errXML
			}
			x.element(names[:depth], name, text, simple, &listed, p, b)
			text, simple = text[:0], false
			if depth--; depth == 0 {
				return x.add(b, p.Clock)
			}
			continue
		}
		closed := strings.HasSuffix(tag, "/")
		tag = strings.TrimSuffix(tag, "/")
		element, attributes, _ := strings.Cut(tag, " ")
		if c := strings.IndexAny(element, "\t\r\n"); c >= 0 {
			element, attributes = tag[:c], tag[c+1:]
		}
		if depth == maxXMLDepth {
			return errXML
		}
		names[depth] = xmlLocal(element)
		depth++
		text, simple = text[:0], true
		if at(1) == "EventData" && depth == 3 || at(1) == "ProcessingErrorData" {
			name = ""
		}
		for attributes != "" {
			key, value, more, ok := xmlAttribute(attributes)
			if !ok {
				break
			}
			attributes = more
			v := xmlText(value, b)
			if depth == 3 && at(1) == "System" {
				x.attribute(names[2], xmlLocal(key), v, p)
			} else if depth >= 3 && at(1) == "EventData" && key == "Name" {
				name = v
			}
		}
		if closed {
			x.element(names[:depth], name, text, simple, &listed, p, b)
			simple = false
			if depth--; depth == 0 {
				return x.add(b, p.Clock)
			}
		}
	}
	return errXML
}

// attribute takes an attribute of an element of System.
func (x *winExport) attribute(element, key, v string, p *Params) {
	switch element + "." + key {
	case "Provider.Name":
		x.provider = v
	case "Provider.Guid":
		x.guid = v
	case "TimeCreated.SystemTime":
		if ns, n, ok := p.Clock.ISO(v); ok && n == len(v) {
			x.ns, x.timed = ns, true
		}
	case "Correlation.ActivityID":
		x.activity = v
	case "Correlation.RelatedActivityID":
		x.related = v
	case "Execution.ProcessID":
		x.pid = v
	case "Execution.ThreadID":
		x.tid = v
	case "Security.UserID":
		x.sid = v
	}
}

// element takes an element that ends, the last of path; simple says that it holds text alone.
func (x *winExport) element(path []string, name string, text []byte, simple bool, listed *int, p *Params, b *event.Batch) {
	if len(path) < 3 {
		return
	}
	value := func() string { return b.Bytes(text) }
	own := path[len(path)-1]
	switch path[1] {
	case "System":
		v := strings.TrimSpace(value())
		switch own {
		case "EventID":
			x.id = v
		case "Version":
			x.version = v
		case "Level":
			x.level = v
		case "Task":
			x.task = v
		case "Opcode":
			x.opcode = v
		case "Keywords":
			x.keywords = v
		case "EventRecordID":
			x.record = v
		case "Channel":
			x.channel = v
		case "Computer":
			x.computer = v
		}
	case "EventData":
		switch {
		case len(path) > 3 || !simple:
		case own == "Data" && name == "":
			*listed++
			x.data = append(x.data, datum{x.positional(*listed), value()})
		case own == "Data":
			x.data = append(x.data, datum{name, value()})
		case len(text) > 0:
			x.data = append(x.data, datum{own, value()}) // Binary
		}
	case "UserData":
		x.userData = path[2]
		if simple && len(path) > 3 {
			x.data = append(x.data, datum{own, value()})
		}
	case "RenderingInfo":
		v := strings.TrimSpace(value())
		switch {
		case v == "":
		case own == "Message":
			x.message = v
		case own == "Task":
			x.task = v
		case own == "Opcode":
			x.opcode = v
		}
	}
	if len(x.data) > maxColumns {
		x.data = x.data[:maxColumns]
	}
}

// xmlTagEnd is the index behind the '>' that ends the tag at the start of s; one within
// an attribute's quotes does not.
func xmlTagEnd(s string) int {
	quote := byte(0)
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

func xmlLocal(name string) string {
	return name[strings.IndexByte(name, ':')+1:]
}

// xmlAttribute cuts the first attribute of a tag.
func xmlAttribute(s string) (key, value, rest string, ok bool) {
	key, s, ok = strings.Cut(strings.TrimLeft(s, " \t\r\n"), "=")
	s = strings.TrimLeft(s, " \t\r\n")
	if !ok || s == "" || s[0] != '"' && s[0] != '\'' {
		return "", "", "", false
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return "", "", "", false
	}
	return strings.TrimSpace(key), s[1 : 1+end], s[end+2:], true
}

// xmlText is text with its entities resolved.
func xmlText(s string, b *event.Batch) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return b.Bytes(appendXMLText(nil, s))
}

// appendXMLText appends text with its entities resolved.
func appendXMLText(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		s = s[i:]
		end := strings.IndexByte(s[:min(len(s), 12)], ';')
		if end < 0 {
			dst = append(dst, '&')
			s = s[1:]
			continue
		}
		switch name := s[1:end]; {
		case name == "amp":
			dst = append(dst, '&')
		case name == "lt":
			dst = append(dst, '<')
		case name == "gt":
			dst = append(dst, '>')
		case name == "quot":
			dst = append(dst, '"')
		case name == "apos":
			dst = append(dst, '\'')
		case strings.HasPrefix(name, "#"):
			digits, base := name[1:], 10
			if strings.HasPrefix(digits, "x") || strings.HasPrefix(digits, "X") {
				digits, base = digits[1:], 16
			}
			if n, err := strconv.ParseUint(digits, base, 32); err == nil && n <= utf8.MaxRune {
				dst = utf8.AppendRune(dst, rune(n))
			} else {
				dst = append(dst, s[:end+1]...)
			}
		default:
			dst = append(dst, s[:end+1]...)
		}
		s = s[end+1:]
	}
}
