package format

import (
	"bytes"
	"io"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// ModSecurity's audit log: as version 3 writes it in JSON, and in the native, serial
// format, where each transaction is a group of sections between lines "--BOUNDARY-A--"
// and "--BOUNDARY-Z--". https://github.com/owasp-modsecurity/ModSecurity/wiki/ModSecurity-2-Data-Formats
var (
	_ = register(Format{
		Name:  "modsecurity.json",
		Title: "ModSecurity audit log (JSON)",
		Group: "web",
		JSON: func(has func(string) bool) bool {
			return has("transaction.client_ip") && (has("transaction.producer.modsecurity") || has("transaction.request.uri")) ||
				has("transaction.remote_address") && has("transaction.transaction_id")
		},
		Lines: func(p *Params) LineDecoder { return (&modsec{p: p}).decodeJSON },
	})
	_ = register(Format{
		Name:  "modsecurity",
		Title: "ModSecurity audit log (serial)",
		Group: "web",
		Recognise: func(s *Sample) int {
			if len(s.Lines) > 1 && isModsecStart([]byte(s.Lines[0])) && strings.HasPrefix(s.Lines[1], "[") {
				return 97
			}
			return 0
		},
		Frame:  func(r io.Reader) Framer { return &cutFramer{lineFramer{r: r}, modsecCut, (*lineFramer).stretch} },
		Decode: func(p *Params) Decoder { return &modsecChunks{p} },
	})
)

// isModsecStart: "--a1b2c3d4-A--" begins a transaction.
func isModsecStart(line []byte) bool {
	return len(line) >= 7 && len(line) < 64 && bytes.HasPrefix(line, []byte("--")) && bytes.HasSuffix(line, []byte("-A--"))
}

// modsecNext is where the next transaction behind the one at the start of p begins, -1
// if none does. Blank lines belong to a transaction, so lines alone do not part them.
func modsecNext(p []byte) int {
	for at := 0; at < len(p); {
		nl := bytes.IndexByte(p[at:], '\n')
		if nl < 0 {
			return -1
		}
		if at > 0 && isModsecStart(bytes.TrimSuffix(p[at:at+nl], []byte("\r"))) {
			return at
		}
		at += nl + 1
	}
	return -1
}

// modsecCut is where the last transaction in p begins.
func modsecCut(p []byte) (end int) {
	for n := 0; n >= 0; n = modsecNext(p[end:]) {
		end += n
	}
	return end
}

type modsecChunks struct{ p *Params }

// Decode implements Decoder.
func (d *modsecChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	m := &modsec{p: d.p}
	next := func(p []byte) int {
		if n := modsecNext(p); n >= 0 {
			return n
		}
		return len(p)
	}
	return d.p.decodeCut(c, b, next, func(record string) error { return m.decodeSerial(record, b) })
}

type modsec struct {
	p      *Params
	agents agentCache
}

var errNotModsec = errorString("not a transaction of ModSecurity's audit log")

var modsecScanners = scannerPool(nil)

func (d *modsec) begin(b *event.Batch) {
	b.Add("event.kind", "event")
	b.Add("event.dataset", "modsecurity.auditlog")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
}

func (d *modsec) decodeJSON(record string, b *event.Batch) error {
	scan := modsecScanners.Get().(*event.Scanner)
	defer modsecScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	get := func(path string) string {
		for i := range leaves {
			if of, ok := strings.CutPrefix(leaves[i].Name.Path, "transaction."); ok && of == path {
				return leaves[i].Value
			}
		}
		return ""
	}
	if get("client_ip") == "" {
		if get("transaction_id") != "" && get("remote_address") != "" {
			return d.decodeJSON2(leaves, b)
		}
		return errNotModsec
	}
	if ns, _, ok := d.p.Clock.CTime(get("time_stamp")); ok {
		b.Event().Time = ns
	} else {
		d.p.Clock.NoTime()
	}
	d.begin(b)
	addSource(b, get("client_ip"), get("client_port"))
	b.Add("modsec.audit.id", get("id"))
	b.Add("modsec.audit.connector", get("producer.connector"))
	b.Add("modsec.audit.engine", get("producer.secrules_engine"))
	host := ""
	for i := range leaves {
		l := &leaves[i]
		header, request := strings.CutPrefix(l.Name.Path, "transaction.request.headers.")
		if request {
			switch strings.ToLower(header) {
			case "host":
				host = l.Value
			case "user-agent":
				d.agents.add(l.Value, b)
			case "referer":
				b.Add("http.request.referrer", l.Value)
			}
			continue
		}
		if header, ok := strings.CutPrefix(l.Name.Path, "transaction.response.headers."); ok {
			switch strings.ToLower(header) {
			case "content-type":
				b.Add("http.response.mime_type", l.Value)
			case "server":
				b.Add("modsec.audit.server", l.Value)
			}
		}
	}
	b.Add("http.request.method", get("request.method"))
	b.Add("http.version", get("request.http_version"))
	d.status(get("response.http_code"), b)
	port := get("host_port")
	scheme := "http"
	if port == "443" || port == "8443" {
		scheme = "https"
	}
	name, _ := splitPort(host)
	if name == "" {
		name = get("host_ip")
	}
	if uri := get("request.uri"); uri != "" {
		b.Add("url.original", b.Bytes([]byte(scheme+"://"+name+":"+port+uri)))
		b.Add("url.scheme", scheme)
		b.Add("url.domain", name)
		addPort(b, "url.port", port)
		addPath(uri, b)
	}
	if text := get("messages"); text != "" {
		d.messages(text, b)
	}
	return nil
}

// decodeJSON2 reads a transaction as version 2 writes it in JSON, with the native format's
// sections as members.
func (d *modsec) decodeJSON2(leaves []event.Leaf, b *event.Batch) error {
	d.begin(b)
	timed, host, line := false, "", ""
	var source, sourcePort, server, serverPort string
	for i := range leaves {
		l := &leaves[i]
		name, request := strings.CutPrefix(l.Name.Path, "request.headers.")
		if request {
			switch strings.ToLower(name) {
			case "host":
				host, _ = splitPort(l.Value)
			case "user-agent":
				d.agents.add(l.Value, b)
			case "referer":
				b.Add("http.request.referrer", l.Value)
			}
			continue
		}
		switch l.Name.Path {
		case "transaction.time":
			if ns, _, ok := d.p.Clock.CLF(l.Value); ok {
				b.Event().Time, timed = ns, true
			}
		case "transaction.transaction_id":
			b.Add("modsec.audit.id", l.Value)
		case "transaction.remote_address":
			source = l.Value
		case "transaction.remote_port":
			sourcePort = l.Value
		case "transaction.local_address":
			server = l.Value
		case "transaction.local_port":
			serverPort = l.Value
		case "request.request_line":
			line = l.Value
		case "response.status":
			d.status(l.Value, b)
		case "audit_data.messages":
			if l.Kind == event.String {
				addModsecRule(l.Value, b)
			}
		case "audit_data.action.intercepted":
			if l.Value == "true" {
				b.Add("event.type", "denied")
			}
		case "audit_data.action.message":
			b.Add("event.action", "Intercepted")
			b.Add("event.reason", l.Value)
		case "audit_data.producer":
			b.Add("modsec.audit.connector", l.Value)
		case "audit_data.server":
			b.Add("modsec.audit.server", l.Value)
		case "audit_data.engine_mode":
			b.Add("modsec.audit.engine", l.Value)
		}
	}
	if !timed {
		d.p.Clock.NoTime()
	}
	addSource(b, source, sourcePort)
	addDestination(b, server, serverPort)
	if method, target, ok := strings.Cut(line, " "); ok && isMethod(method) {
		target, version, _ := strings.Cut(target, " HTTP/")
		b.Add("http.request.method", method)
		b.Add("http.version", version)
		addTarget(target, host, b)
	}
	b.Add("destination.domain", host)
	addPort(b, "url.port", serverPort)
	return nil
}

// status adds the response's status.
func (d *modsec) status(code string, b *event.Batch) {
	if len(code) != 3 || !isDigits(code) {
		return
	}
	b.AddNumber("http.response.status_code", code)
	if code[0] < '4' {
		b.Add("event.outcome", "success")
	} else {
		b.Add("event.outcome", "failure")
	}
}

// messages adds the rules that matched, each an object of the array.
func (d *modsec) messages(array string, b *event.Batch) {
	scan := modsecScanners.Get().(*event.Scanner)
	defer modsecScanners.Put(scan)
	p := []byte(array)
	details := []byte{'['}
	for i, n := skipSpace(p, 1), 0; i < len(p) && p[i] == '{' && n < 256; n++ {
		var v valueScanner
		size, done := v.feed(p[i:])
		if !done {
			break
		}
		leaves, err := scan.Scan(b.Bytes(p[i:i+size]), b)
		if err == nil {
			for k := range leaves {
				switch l := &leaves[k]; l.Name.Path {
				case "message":
					b.Add("modsec.audit.messages", l.Value)
				case "details.ruleId":
					b.Add("rule.id", l.Value)
				case "details.tags":
					b.Add("rule.category", l.Value)
				}
			}
		}
		if start := bytes.Index(p[i:i+size], []byte(`"details":`)); start >= 0 && err == nil {
			var inner valueScanner
			at := skipSpace(p, i+start+len(`"details":`))
			if m, ok := inner.feed(p[at : i+size]); ok && p[at] == '{' {
				if len(details) > 1 {
					details = append(details, ',')
				}
				details = append(append(append(details, `{"details":`...), p[at:at+m]...), '}')
			}
		}
		if i = skipSpace(p, i+size); i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
		}
	}
	if len(details) > 1 {
		b.AddKind("modsec.audit.details", b.Bytes(append(details, ']')), event.JSON)
	}
}

func (d *modsec) decodeSerial(record string, b *event.Batch) error {
	first, rest, ok := strings.Cut(record, "\n")
	if !ok || !isModsecStart([]byte(strings.TrimSuffix(first, "\r"))) {
		return errNotModsec
	}
	section, timed := byte('A'), false
	boundary := strings.TrimSuffix(strings.TrimSuffix(first, "\r"), "A--")
	d.begin(b)
	host, target, port := "", "", ""
	start := true
	for line := range strings.SplitSeq(rest, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if after, ok := strings.CutPrefix(line, boundary); ok && len(after) == 3 && after[1:] == "--" {
			section, start = after[0], true
			continue
		}
		if line == "" {
			continue
		}
		switch section {
		case 'A': // "[04/Mar/2024:10:11:12 +0000] ID client port server port"
			stamp, words, ok := strings.Cut(strings.TrimPrefix(line, "["), "] ")
			f := strings.Fields(words)
			if ns, _, good := d.p.Clock.CLF(stamp); ok && good && len(f) >= 5 {
				b.Event().Time, timed = ns, true
				b.Add("modsec.audit.id", f[0])
				addSource(b, f[1], f[2])
				addDestination(b, f[3], f[4])
				port = f[4]
			}
		case 'B': // the request's line and headers
			if start {
				method, uri, _ := strings.Cut(line, " ")
				uri, version, found := strings.Cut(uri, " HTTP/")
				b.Add("http.request.method", method)
				if found {
					b.Add("http.version", version)
				}
				target = uri
				break
			}
			name, value, _ := strings.Cut(line, ": ")
			switch strings.ToLower(name) {
			case "host":
				host, _ = splitPort(value)
			case "user-agent":
				d.agents.add(value, b)
			case "referer":
				b.Add("http.request.referrer", value)
			}
		case 'F': // the response's
			if start {
				_, status, _ := strings.Cut(line, " ")
				d.status(status[:min(len(status), 3)], b)
				break
			}
			name, value, _ := strings.Cut(line, ": ")
			switch strings.ToLower(name) {
			case "content-type":
				b.Add("http.response.mime_type", value)
			case "server":
				b.Add("modsec.audit.server", value)
			}
		case 'H': // what ModSecurity did
			d.trailer(line, b)
		}
		start = false
	}
	if !timed {
		return errNotModsec
	}
	addTarget(target, host, b)
	b.Add("destination.domain", host)
	addPort(b, "url.port", port)
	return nil
}

// trailer reads a line of section H: `Message: Access denied … [id "920350"] [msg "…"] …`.
func (d *modsec) trailer(line string, b *event.Batch) {
	key, value, ok := strings.Cut(line, ": ")
	if !ok {
		return
	}
	switch key {
	case "Message", "ModSecurity": // of version 2 and 3
		addModsecRule(value, b)
		if key == "ModSecurity" && strings.HasPrefix(value, "Access denied") {
			b.Add("event.type", "denied")
		}
	case "Action":
		b.Add("event.action", value)
		if strings.HasPrefix(value, "Intercepted") {
			b.Add("event.type", "denied")
		}
	case "Producer":
		b.Add("modsec.audit.connector", value)
	case "Server":
		b.Add("modsec.audit.server", value)
	case "Engine-Mode":
		b.Add("modsec.audit.engine", strings.Trim(value, `"`))
	}
}

// addModsecRule adds the rule that a message tells of: `Access denied … [id "920350"] [msg "…"] …`.
func addModsecRule(s string, b *event.Batch) {
	text := s
	if i := strings.Index(s, " [file "); i > 0 {
		text = s[:i]
	}
	msg := modsecValue(s, "msg")
	if msg != "" {
		text = msg
	}
	b.Add("modsec.audit.messages", text)
	b.Add("rule.id", modsecValue(s, "id"))
	b.Add("rule.name", msg)
}

// addModsecMessage adds what ModSecurity writes to the error log of Apache or Nginx:
// "ModSecurity: Access denied with code 403 (phase 2). … [id "942100"] … [uri "/a"] [unique_id "…"]".
func addModsecMessage(message string, b *event.Batch) {
	message = strings.TrimPrefix(message, "ModSecurity: ")
	if modsecValue(message, "id") == "" {
		return // of itself
	}
	b.Add("event.category", "intrusion_detection")
	if strings.HasPrefix(message, "Access denied") {
		b.Add("event.action", "blocked")
		b.Add("event.type", "denied")
		b.Set("event.outcome", "failure")
	} else {
		b.Add("event.action", "detected")
	}
	addModsecRule(message, b)
	for rest := message; ; {
		_, after, ok := strings.Cut(rest, ` [tag "`)
		if !ok {
			break
		}
		tag, _, _ := strings.Cut(after, `"]`)
		b.Add("rule.category", tag)
		rest = after
	}
	b.Add("modsec.audit.severity", modsecValue(message, "severity"))
	b.Add("modsec.audit.id", modsecValue(message, "unique_id"))
	if uri := modsecValue(message, "uri"); uri != "" && !b.Event().Has("url.original") {
		addTarget(uri, modsecValue(message, "hostname"), b)
	}
}

// modsecValue is the value of `[key "value"]` in s.
func modsecValue(s, key string) string {
	_, rest, ok := strings.Cut(s, " ["+key+` "`)
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, `"]`)
	return v
}
