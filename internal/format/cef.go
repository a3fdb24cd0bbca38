package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// ArcSight's Common Event Format (Implementing ArcSight CEF, revision 25), with or without
// a syslog header before it:
//
//	CEF:0|Vendor|Product|Version|Class|Name|Severity|key=value key=value with blanks …
//
// Extensions keep their full names below cef.extensions, and those that ECS has a field for go there
// too, as Beats' decode_cef does it.
var (
	_ = register(Format{
		Name:  datasetCEF,
		Title: "Common Event Format (CEF)",
		Group: "network",
		Recognise: func(s *Sample) int {
			return s.majority(93, func(l string) bool {
				i := strings.Index(l[:min(len(l), 512)], "CEF:")
				return i >= 0 && l[0] != '{' && len(l) > i+5 && isDigit(l[i+4]) && strings.Count(l[i:], "|") >= 6
			})
		},
		Lines: func(p *Params) LineDecoder {
			return (&prefixed{clock: p.Clock, mark: "CEF:", decodeText: decodeCEF}).decode
		},
		Date: ciscoDate,
	})
	_ = registerProgram(program{Names: []string{"CEF"}, Dataset: datasetCEF, NoProcess: true, Decode: func(m *message, b *event.Batch) bool {
		var clock timestamp.Clock
		text, err := readCEF(m.Text, &clock, b)
		m.Message = text
		return err == nil
	}})
)

const datasetCEF = "cef.log"

// prefixed decodes lines that hold a record of a known mark behind a header of any kind.
type prefixed struct {
	clock      *timestamp.Clock
	mark       string
	decodeText func(text string, c *timestamp.Clock, b *event.Batch) error
	times      timeFinder
}

func (d *prefixed) decode(line string, b *event.Batch) error {
	i := strings.Index(line, d.mark)
	if i < 0 {
		return errors.New("no " + d.mark + " in the line")
	}
	b.Add("event.kind", "event")
	if i > 0 {
		var h syslogHeader
		if err := h.parse(line[:i]+"x: y", d.clock); err == nil { // a header needs a message
			h.tag = strings.TrimSuffix(h.tag, "x")
			b.Event().Time = h.time
			h.add(b)
		} else {
			d.times.clock = d.clock
			if ns, _, ok := d.times.find(line[:i]); ok {
				b.Event().Time = ns
			}
		}
	}
	if err := d.decodeText(line[i+len(d.mark):], d.clock, b); err != nil {
		return err
	}
	if b.Event().Time == event.NoTime {
		d.clock.NoTime()
	}
	return nil
}

var errCEFHeader = errors.New("fewer than seven parts between the bars of the CEF header")

const (
	maxCEFExtensions = 300
	maxCEFKey        = 128
)

// decodeCEF decodes what follows "CEF:".
func decodeCEF(s string, c *timestamp.Clock, b *event.Batch) error {
	text, err := readCEF(s, c, b)
	if err == nil {
		b.Add("event.dataset", datasetCEF)
		b.Add("message", text)
	}
	return err
}

// readCEF adds what follows "CEF:" and returns the message.
func readCEF(s string, c *timestamp.Clock, b *event.Batch) (text string, err error) {
	var head [7]string
	for i := range head {
		end := unescapedBar(s)
		if end < 0 {
			if i == 6 { // no extensions
				end = len(s)
			} else {
				return "", errCEFHeader
			}
		}
		head[i] = unescapeCEF(strings.TrimSpace(s[:end]), b)
		s = s[min(end+1, len(s)):]
	}
	if !isDigits(head[0]) {
		return "", errCEFHeader
	}
	b.Add("cef.version", head[0])
	b.Add("cef.device.vendor", head[1])
	b.Add("cef.device.product", head[2])
	b.Add("cef.device.version", head[3])
	b.Add("cef.device.event_class_id", head[4])
	b.Add("cef.name", head[5])
	b.Add("cef.severity", head[6])
	b.Add("observer.vendor", head[1])
	b.Add("observer.product", head[2])
	b.Add("observer.version", head[3])
	b.Add("event.code", head[4])
	if n, ok := cefSeverity(head[6]); ok {
		b.AddInt("event.severity", n)
	}
	r := cefRecord{b: b, c: c, time: event.NoTime}
	n := 0
	for s = strings.TrimLeft(s, " "); s != "" && n < maxCEFExtensions; n++ {
		key, value, rest := nextCEF(s)
		s = rest
		if key != "" {
			r.extension(key, value)
		}
	}
	if r.time != event.NoTime {
		b.Event().Time = r.time
	}
	if r.message == "" {
		r.message = head[5]
	}
	addCEFVendor(head[1], b)
	return r.message, nil
}

// cefSeverity is the number of a severity; words stand for the least of their range.
func cefSeverity(s string) (int64, bool) {
	switch strings.ToLower(s) {
	case "unknown":
		return 0, false
	case "low":
		return 0, true
	case "medium":
		return 4, true
	case "high":
		return 7, true
	case "very-high", "very high":
		return 9, true
	}
	if len(s) == 1 && isDigit(s[0]) {
		return int64(s[0] - '0'), true
	}
	if s == "10" {
		return 10, true
	}
	return 0, false
}

func unescapedBar(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '|':
			return i
		}
	}
	return -1
}

// nextCEF takes an extension off s: its value ends where the next key begins.
func nextCEF(s string) (key, value, rest string) {
	eq := strings.IndexByte(s, '=')
	if eq < 0 {
		return "", "", ""
	}
	key = s[:eq]
	if key = key[strings.LastIndexByte(key, ' ')+1:]; len(key) > maxCEFKey {
		key = ""
	}
	v := s[eq+1:]
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '=':
			from := max(0, i-maxCEFKey-1)
			sp := from + strings.LastIndexByte(v[from:i], ' ')
			if sp < from || !isCEFKey(v[sp+1:i]) {
				continue
			}
			return key, strings.TrimRight(v[:sp], " "), v[sp+1:]
		}
	}
	return key, strings.TrimRight(v, " \r\n"), ""
}

func isCEFKey(s string) bool {
	if s == "" || len(s) > maxCEFKey {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '_' && c != '.' && c != '-' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

func unescapeCEF(s string, b *event.Batch) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '\\', '=', '|':
				i++
			case 'n':
				out = append(out, '\n')
				i++
				continue
			case 'r':
				out = append(out, '\r')
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return b.Bytes(out)
}

type cefRecord struct {
	b       *event.Batch
	c       *timestamp.Clock
	time    int64 // the best of the record's own
	rank    int
	message string
}

func (r *cefRecord) extension(key, value string) {
	if value == "" {
		return
	}
	b := r.b
	value = unescapeCEF(value, b)
	f, known := cefFields[key]
	if !known {
		b.Add(b.Bytes(append([]byte("cef.extensions."), key...)), value)
		return
	}
	switch f.kind {
	case cefNumber:
		b.AddNumber(f.full, value)
		if f.ecs != "" {
			b.AddNumber(f.ecs, value)
		}
		return
	case cefTime:
		ns, ok := cefTimestamp(r.c, value)
		if !ok {
			b.Add(f.full, value)
			return
		}
		addTime(f.full, ns, b)
		if f.ecs != "" {
			addTime(f.ecs, ns, b)
		}
		if f.rank > r.rank {
			r.time, r.rank = ns, f.rank
		}
		return
	case cefMAC:
		b.Add(f.full, value)
		if isMAC(value) {
			b.Add(f.ecs, ecsMAC(b, value))
		}
		return
	case cefIP:
		b.Add(f.full, value)
		if f.ecs != "" && ipVersion(value) != 0 {
			b.Add(f.ecs, plainIP(value))
		}
		return
	case cefDirection:
		b.AddNumber(f.full, value)
		switch value {
		case "0":
			b.Add(f.ecs, "inbound")
		case "1":
			b.Add(f.ecs, "outbound")
		}
		return
	case cefTransport:
		b.Add(f.full, value)
		if isDigits(value) {
			addTransport(b, value)
		} else {
			b.Add(f.ecs, lower(value, b))
		}
		return
	case cefMessage:
		b.Add(f.full, value)
		r.message = value
		return
	case cefOutcome:
		b.Add(f.full, value)
		switch v := strings.ToLower(strings.Trim(value, "/")); {
		case strings.HasPrefix(v, "succe") || v == "allowed":
			b.Add(f.ecs, "success")
		case strings.HasPrefix(v, "fail") || v == "denied":
			b.Add(f.ecs, "failure")
		}
		return
	case cefID:
		b.AddNumber(f.full, value)
		b.Add(f.ecs, value)
		return
	case cefHash:
		b.Add(f.full, value)
		if isHex(value) {
			switch len(value) {
			case 32:
				b.Add("file.hash.md5", value)
			case 40:
				b.Add("file.hash.sha1", value)
			case 64:
				b.Add("file.hash.sha256", value)
			case 128:
				b.Add("file.hash.sha512", value)
			}
		}
		return
	case cefLower:
		b.Add(f.full, value)
		b.Add(f.ecs, lower(value, b))
		return
	}
	b.Add(f.full, value)
	if f.ecs != "" {
		b.Add(f.ecs, value)
	}
}

// cefTimestamp reads milliseconds since the epoch, or "Jan 02 2006 15:04:05[.000] [zone]".
func cefTimestamp(c *timestamp.Clock, s string) (ns int64, ok bool) {
	if isDigits(s) {
		return c.Epoch(s)
	}
	if ns, n, ok := c.RFC3164(s); ok && (n == len(s) || s[n] == ' ') {
		return ns, true
	}
	if ns, ok := c.Any(s); ok {
		return ns, true
	}
	f := timeFinder{clock: c}
	ns, _, ok = f.find(s)
	return ns, ok
}
