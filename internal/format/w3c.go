package format

import (
	"errors"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Logs in the W3C Extended Log File Format (https://www.w3.org/TR/WD-logfile.html):
// "#Fields:" names the columns and may do so anew at any line. IIS has a format
// of its own on top of this one (see iis.go); this is for all others: proxies,
// Exchange, media and FTP servers.
var _ = register(Format{
	Name:  "w3c",
	Title: "Log in the W3C Extended Log File Format",
	Group: "web",
	Recognise: func(s *Sample) int {
		if w3cColumns(s.Lines) == "" {
			return 0
		}
		return 60
	},
	Header: isW3CDirective,
	Lines: func(p *Params) LineDecoder {
		return newW3C(p, &w3cAny).decode
	},
})

func isW3CDirective(line []byte) bool { return len(line) > 0 && line[0] == '#' }

const w3cFields = "#Fields:"

// w3cColumns is the text behind the first "#Fields:" of a sample.
func w3cColumns(lines []string) string {
	for _, l := range lines[:min(len(lines), 16)] {
		if rest, ok := strings.CutPrefix(l, w3cFields); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// w3cProduct is what sets a product's logs apart.
type w3cProduct struct {
	dataset string
	prefix  string // of columns that ECS has no name for
	columns map[string]w3cColumn
	guess   func(words []string) []string // names of the columns of a line that no header governs; nil where it cannot be known
	finish  func(b *event.Batch)          // nil, or adds what follows from a line's columns
}

var w3cAny = w3cProduct{dataset: "w3c", prefix: "w3c."}

// w3cOp says what a column means.
type w3cOp uint8

const (
	w3cOwn       w3cOp = iota // under its own name
	w3cText                   // to a field
	w3cPlus                   // to a field, '+' standing for a blank
	w3cNumber                 // to a field, as a number
	w3cDate                   // 2006-01-02
	w3cTime                   // 15:04:05
	w3cStamp                  // both in one
	w3cClient                 // address of the client
	w3cServer                 // address of the server
	w3cHost                   // Host header
	w3cComputer               // name of the computer
	w3cURL                    // whole target
	w3cPath                   // url.path
	w3cQuery                  // url.query
	w3cVersion                // HTTP/1.1
	w3cStatus                 // status
	w3cAgent                  // user agent
	w3cMillis                 // event.duration in milliseconds
	w3cSeconds                // event.duration in seconds
	w3cTLS                    // TLSv1.3
	w3cForwarded              // X-Forwarded-For
	w3cUser                   // DOMAIN\user
	w3cList                   // many values, parted by ';'
)

type w3cColumn struct {
	op   w3cOp
	name string
}

// w3cNames are the columns whose meaning the drafts, IIS, Exchange and the proxies agree on.
var w3cNames = map[string]w3cColumn{
	"date": {w3cDate, ""}, "time": {w3cTime, ""}, "date-local": {w3cDate, ""}, "time-local": {w3cTime, ""}, "date-time": {w3cStamp, ""}, "datetime": {w3cStamp, ""}, "timestamp": {w3cStamp, ""}, "x-timestamp": {w3cOwn, ""},
	"c-ip": {w3cClient, ""}, "c-port": {w3cNumber, "source.port"}, "s-ip": {w3cServer, ""}, "s-port": {w3cNumber, "destination.port"}, "s-computername": {w3cComputer, ""}, "c-dns": {w3cText, "source.domain"},
	"client-ip": {w3cClient, ""}, "server-ip": {w3cServer, ""}, "client-hostname": {w3cText, "source.domain"}, "server-hostname": {w3cText, "destination.domain"},
	"r-ip": {w3cServer, ""}, "r-port": {w3cNumber, "destination.port"}, "r-host": {w3cHost, ""}, "cs-host": {w3cHost, ""}, "cs(Host)": {w3cHost, ""}, "cs(host)": {w3cHost, ""},
	"cs-method": {w3cText, "http.request.method"}, "cs-uri": {w3cURL, ""}, "cs-uri-stem": {w3cPath, ""}, "cs-uri-path": {w3cPath, ""}, "cs-uri-query": {w3cQuery, ""}, "cs-uri-scheme": {w3cText, "url.scheme"}, "cs-uri-port": {w3cNumber, "url.port"},
	"cs-username": {w3cUser, ""}, "cs-version": {w3cVersion, ""}, "cs-protocol-version": {w3cVersion, ""},
	"cs(User-Agent)": {w3cAgent, ""}, "c-agent": {w3cAgent, ""}, "cs(Referer)": {w3cText, "http.request.referrer"}, "cs-referred": {w3cText, "http.request.referrer"},
	"sc-status": {w3cStatus, ""}, "sc-bytes": {w3cNumber, "http.response.body.bytes"}, "cs-bytes": {w3cNumber, "http.request.body.bytes"},
	"time-taken": {w3cMillis, ""}, "timetakenms": {w3cMillis, ""}, "x-forwarded-for": {w3cForwarded, ""}, "cs(X-Forwarded-For)": {w3cForwarded, ""}, "x-duration": {w3cSeconds, ""},
	"rs(Content-Type)": {w3cText, "http.response.mime_type"}, "cs-mime-type": {w3cText, "http.response.mime_type"},
	"sender-address": {w3cText, "email.from.address"}, "recipient-address": {w3cList, "email.to.address"}, "message-subject": {w3cText, "email.subject"}, "message-id": {w3cText, "email.message_id"}, "event-id": {w3cText, "event.action"},
}

// w3cLog decodes the lines below one header.
type w3cLog struct {
	p         *Params
	product   *w3cProduct
	columns   []w3cColumn
	comma     bool
	delimiter byte // ' ' or '\t'
	date      string
	agents    agentCache
	words     []string

	names   []string // of the columns that were guessed last
	guessed []w3cColumn
}

func newW3C(p *Params, product *w3cProduct) *w3cLog {
	d := &w3cLog{p: p, product: product, delimiter: ' '}
	for _, h := range p.Header() {
		if rest, ok := strings.CutPrefix(h, "#Date:"); ok {
			d.date, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		rest, ok := strings.CutPrefix(h, w3cFields)
		if !ok {
			continue
		}
		d.columns = d.columns[:0]
		rest = strings.TrimSpace(rest)
		d.comma = strings.Count(rest, ",") > 1 && !strings.ContainsAny(rest, " \t")
		if strings.IndexByte(rest, '\t') >= 0 {
			d.delimiter = '\t'
		}
		for name := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == ' ' || r == '\t' || d.comma && r == ',' }) {
			if len(d.columns) < maxColumns {
				d.columns = append(d.columns, product.column(name))
			}
		}
	}
	return d
}

func (product *w3cProduct) column(name string) w3cColumn {
	if c, ok := product.columns[name]; ok {
		return c
	}
	if c, ok := w3cNames[name]; ok {
		return c
	}
	if c, ok := w3cNames[strings.ToLower(name)]; ok {
		return c
	}
	own := []byte(product.prefix)
	for i := range min(len(name), 80) {
		switch c := name[i]; {
		case isLetter(c):
			own = append(own, c|0x20)
		case isDigit(c):
			own = append(own, c)
		case own[len(own)-1] != '_' && own[len(own)-1] != '.':
			own = append(own, '_')
		}
	}
	return w3cColumn{w3cOwn, strings.TrimRight(string(own), "_.")}
}

// split cuts a line into its columns. One in quotes may hold blanks; a quote is
// doubled in it, as the draft has it, and closes before a blank only.
func (d *w3cLog) split(line string, b *event.Batch) []string {
	d.words = d.words[:0]
	if d.comma {
		d.words = splitCSV(d.words, line, ',', b)
		return d.words
	}
	delimiter := d.delimiter
	if delimiter == ' ' && strings.IndexByte(line, '\t') >= 0 { // a header with blanks above lines with tabs
		delimiter = '\t'
	}
	for s := line; s != ""; {
		if delimiter == ' ' && s[0] == ' ' {
			s = s[1:]
			continue
		}
		if s[0] == '"' {
			if end := quotedEnd(s, 0, delimiter); end > 0 {
				v := s[1 : end-1]
				if strings.IndexByte(v, '"') >= 0 {
					v = b.Bytes([]byte(strings.ReplaceAll(v, `""`, `"`)))
				}
				d.words = append(d.words, v)
				s = strings.TrimPrefix(s[end:], string(rune(delimiter)))
				continue
			}
		}
		i := strings.IndexByte(s, delimiter)
		if i < 0 {
			d.words = append(d.words, s)
			break
		}
		d.words = append(d.words, s[:i])
		s = s[i+1:]
	}
	return d.words
}

var (
	errNoW3CFields  = errors.New("no #Fields line above names the columns, and they are not the usual ones")
	errW3CColumns   = errors.New("more or less columns than #Fields names")
	errW3CNoTime    = errors.New("no date and time where #Fields says they are")
	errW3CNoColumns = errors.New("an empty line")
)

// guess is what the columns of a line are that no header governs.
func (d *w3cLog) guess(words []string) []w3cColumn {
	names := d.product.guess(words)
	if names != nil && !slices.Equal(names, d.names) {
		d.names, d.guessed = names, d.guessed[:0]
		for _, name := range names {
			d.guessed = append(d.guessed, d.product.column(name))
		}
	}
	if names == nil {
		return nil
	}
	return d.guessed
}

func (d *w3cLog) decode(line string, b *event.Batch) error {
	words := d.split(line, b)
	columns := d.columns
	if len(columns) == 0 && d.product.guess != nil {
		columns = d.guess(words)
	}
	switch {
	case len(words) == 0:
		return errW3CNoColumns
	case len(columns) == 0:
		return errNoW3CFields
	case len(words) > len(columns), len(words) < len(columns) && !d.comma:
		return errW3CColumns
	}
	var r w3cRecord
	b.Add("event.kind", "event")
	b.Add("event.dataset", d.product.dataset)
	for i, v := range words {
		if v != "-" && v != "" {
			r.add(d, columns[i], v, b)
		}
	}
	return r.finish(d, b)
}

// w3cRecord gathers what stands in several columns.
type w3cRecord struct {
	date, clock string
	time        int64
	timed       bool
	host        string
	path, query string
	client      bool // its address is known
	server      bool
	status      string
	asked       bool
}

func (r *w3cRecord) add(d *w3cLog, c w3cColumn, v string, b *event.Batch) {
	switch c.op {
	case w3cOwn, w3cText:
		if c.name == "http.request.method" {
			r.asked = true
		}
		b.Add(c.name, v)
	case w3cPlus:
		b.Add(c.name, unplus(v, b))
	case w3cNumber:
		if strings.HasSuffix(c.name, ".port") {
			addPort(b, c.name, v)
		} else {
			b.AddNumber(c.name, v)
		}
	case w3cDate:
		r.date = v
	case w3cTime:
		r.clock = v
	case w3cStamp:
		r.time, _, r.timed = d.p.Clock.ISO(v)
	case w3cClient:
		host, port := splitPort(v)
		b.Add("source.address", host)
		if r.client = isIP(host); r.client {
			b.Add("source.ip", plainIP(host))
		}
		addPort(b, "source.port", port)
	case w3cServer:
		b.Add("destination.address", v)
		if r.server = isIP(v); r.server {
			b.Add("destination.ip", plainIP(v))
		}
	case w3cHost:
		r.host, _ = splitPort(v)
	case w3cComputer:
		b.Add(c.name, v)
		b.Add("host.name", lower(v, b))
	case w3cURL:
		r.path, r.query = v, ""
		if strings.IndexByte(v, '?') >= 0 {
			r.path, r.query, _ = strings.Cut(v, "?")
		}
	case w3cPath:
		r.path = v
	case w3cQuery:
		r.query = v
	case w3cVersion:
		b.Add("http.version", strings.TrimPrefix(v, "HTTP/"))
	case w3cStatus:
		r.status = v
		if v == "000" { // the client went before there was an answer
			v = "0"
		}
		b.AddNumber("http.response.status_code", v)
	case w3cAgent:
		if v = unplus(v, b); strings.IndexByte(v, '%') >= 0 && strings.Contains(v, "%20") { // CloudFront's
			v = unescapePercent(v, b)
		}
		d.agents.add(v, b)
	case w3cMillis:
		if isDigits(v) && len(v) < 13 {
			b.AddInt("event.duration", wholeNumber(v)*1e6)
		}
	case w3cSeconds:
		if whole, fraction, _ := strings.Cut(v, "."); isDigits(whole) && len(whole) < 10 && len(fraction) <= 9 {
			b.AddInt("event.duration", wholeNumber(whole)*1e9+wholeNumber((fraction + "000000000")[:9]))
		}
	case w3cTLS:
		addTLSVersion(b, v)
	case w3cForwarded:
		for word := range strings.FieldsFuncSeq(unescapePercent(v, b), func(r rune) bool { return r == ',' || r == ' ' || r == '+' }) {
			if ip, _ := splitPort(word); isIP(ip) {
				b.Add("network.forwarded_ip", plainIP(ip))
				if d.product.finish == nil {
					break // the one that was first is the client; Elastic keeps all of CloudFront's alone
				}
			}
		}
	case w3cUser:
		if domain, name, ok := strings.Cut(v, `\`); ok && domain != "" && name != "" {
			b.Add("user.domain", domain)
			v = name
		}
		b.Add("user.name", v)
	case w3cList:
		for word := range strings.SplitSeq(v, ";") {
			b.Add(c.name, word)
		}
	}
}

func (r *w3cRecord) finish(d *w3cLog, b *event.Batch) error {
	if !r.timed {
		if r.date == "" {
			r.date = d.date // "#Date:", where a line has the time of the day alone
		}
		var few [48]byte
		ns, _, ok := d.p.Clock.ISO(event.View(append(append(append(few[:0], r.date...), ' '), r.clock...)))
		if !ok {
			return errW3CNoTime
		}
		r.time = ns
	}
	b.Event().Time = r.time
	b.Add("destination.domain", r.host)
	b.Add("url.domain", r.host)
	if r.path != "" {
		b.Add("url.original", r.path)
		b.Add("url.path", unescapePercent(r.path, b))
		last := r.path[strings.LastIndexByte(r.path, '/')+1:]
		if i := strings.LastIndexByte(last, '.'); i >= 0 && len(last)-i-1 <= 32 {
			b.Add("url.extension", last[i+1:])
		}
	}
	sent := strings.TrimPrefix(r.query, "?")
	query := unescapePercent(unplus(sent, b), b)
	b.Add("url.query", query)
	if query != sent { // attacks are told by what was sent
		b.Add("w3c.query", sent)
	}
	if r.asked || r.status != "" {
		b.Add("event.category", "web")
	}
	if r.client && r.server {
		b.Add("event.category", "network")
		b.Add("event.type", "connection")
	} else if r.asked {
		b.Add("event.type", "access")
	}
	if len(r.status) == 3 {
		if '0' < r.status[0] && r.status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	if d.product.finish != nil {
		d.product.finish(b)
	}
	return nil
}

// unplus gives back the blanks that IIS writes as '+'.
func unplus(s string, b *event.Batch) string {
	i := strings.IndexByte(s, '+')
	if i < 0 {
		return s
	}
	var few [512]byte
	out := append(few[:0], s...)
	for ; i < len(out); i++ {
		if out[i] == '+' {
			out[i] = ' '
		}
	}
	return b.Bytes(out)
}
