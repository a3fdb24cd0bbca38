package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Syslog carries whole logs of other formats: a web server's access log by the
// server's tag, documents of JSON, appliances' records behind a header of their own
// making. On a socket they come mixed with everything else, so each is told by
// itself, by marks that no other message has.

// carriedByTag are the formats of what a program says, by its tag.
var carriedByTag = map[string]string{
	"nginx": "nginx.access", "nginx_access": "nginx.access", "nginx-access": "nginx.access", "nginx_error": "nginx.access", "nginx-error": "nginx.access",
	"apache": "apache.access", "apache2": "apache.access", "httpd": "apache.access", "apache_access": "apache.access", "apache-access": "apache.access",
}

// carriedLines are the formats that know a whole line, header and all.
var carriedLines = [...]struct {
	format string
	is     func(line string) bool
}{
	{datasetFortigate, func(l string) bool { return strings.Contains(l, "logid=") && isFortigate(l) }},
	{datasetPANOS, func(l string) bool { return panosStart(l) >= 0 }},
	{datasetCEF, func(l string) bool { return numbered(l, "CEF:") }},
	{datasetLEEF, func(l string) bool { return numbered(l, "LEEF:") }},
	{datasetIOS, func(l string) bool {
		if !strings.Contains(l, ": %") {
			return false
		}
		_, _, ok := iosMnemonic(l)
		return ok
	}},
}

// numbered reports whether a version and a bar follow the mark.
func numbered(l, mark string) bool {
	i := strings.Index(l, mark)
	if i < 0 || i > 0 && l[i-1] != ' ' {
		return false
	}
	v, _, bar := strings.Cut(l[i+len(mark):], "|")
	return bar && len(v) < 5 && v != "" && isDigit(v[0])
}

// carried decodes lines of other formats.
type carried struct {
	clock    *timestamp.Clock
	decoders map[string]LineDecoder
	programs programMemo
}

func (d *carried) decoder(name string) LineDecoder {
	if decode := d.decoders[name]; decode != nil {
		return decode
	}
	if d.decoders == nil {
		d.decoders = map[string]LineDecoder{}
	}
	p := &Params{Clock: d.clock}
	decode := newJSONDecoder
	if name != "json" {
		f := Lookup(name)
		if f == nil || f.Lines == nil {
			return nil
		}
		decode = f.Lines
	}
	d.decoders[name] = decode(p)
	return d.decoders[name]
}

// decode decodes the line if it carries another format, and reports whether it does.
func (d *carried) decode(line string, h *syslogHeader, b *event.Batch) bool {
	tag := h.tag
	document := strings.HasPrefix(h.text, "{") && strings.HasSuffix(h.text, "}")
	if !document && d.programs.lookup(tag) != nil { // the usual
		return false
	}
	if i := strings.LastIndexByte(tag, '/'); i >= 0 && tag[0] == '/' {
		tag = tag[i+1:]
	}
	switch {
	case document:
		return d.text("json", tag, h, b)
	case carriedByTag[tag] != "":
		return d.text(carriedByTag[tag], tag, h, b)
	case lookupProgram(tag) != nil:
		return false
	}
	for _, c := range carriedLines {
		if c.is(line) {
			decode := d.decoder(c.format)
			if decode != nil && decode(line, b) == nil {
				return true
			}
			b.Rollback()
			return false
		}
	}
	return false
}

// text decodes the message alone; the header adds what the message does not say.
func (d *carried) text(name, tag string, h *syslogHeader, b *event.Batch) bool {
	decode := d.decoder(name)
	if decode == nil {
		return false
	}
	before := d.clock.Quality
	d.clock.Quality = 0
	if decode(h.text, b) != nil {
		d.clock.Quality = before
		b.Rollback()
		return false
	}
	e := b.Event()
	if e.Time == event.NoTime || h.time != event.NoTime && d.clock.Quality&timestamp.YearInferred != 0 {
		e.Time, d.clock.Quality = h.time, 0
	}
	d.clock.Quality |= before
	own := *h
	if e.Has("log.level") {
		own.severity = ""
	}
	if e.Has("event.code") {
		own.msgid = ""
	}
	host := e.Has("host.name") || e.Has("host.hostname")
	if host {
		own.host = ""
	}
	own.add(b)
	if !e.Has("message") {
		b.Add("message", h.text)
	}
	if !b.Event().Has("process.name") {
		b.Add("process.name", tag)
	}
	if !b.Event().Has("process.pid") && isDigits(h.pid) {
		b.AddNumber("process.pid", h.pid)
	}
	return true
}
