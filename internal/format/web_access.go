package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Access logs whose fields stand in an order of their own, as a LogFormat, log_format, or the access log of an
// application server may have them. What a field is, is told by its look and its place: a method before a target
// is the request, the first three digits behind it are the status and the next number is the size; the first
// address before it, or else behind it, is the client, and a name that follows the client the user.
var _ = register(Format{
	Name:  datasetWebAccess,
	Title: "Access log of a web server in an order of its own",
	Group: "web",
	Recognise: func(s *Sample) int {
		var d webAccess
		d.times.clock = &timestamp.Clock{}
		share := s.Share(func(l string) bool {
			_, _, timed := d.times.find(l)
			return timed && d.cut(l) && d.client != ""
		})
		if share < 70 {
			return 0
		}
		return share * 55 / 100
	},
	Lines: func(p *Params) LineDecoder {
		return (&webAccess{accessDecoder: accessDecoder{p: p, names: &webNames}, times: timeFinder{clock: p.Clock}}).decode
	},
	Date: textDate,
})

const (
	datasetWebAccess = "web.access"
	maxWebLine       = 16 << 10
	maxWebWords      = 64
)

var webNames = accessNames{
	datasetWebAccess, "web.access.remote_addresses", "web.access.identity", "web.access.response_time",
	"web.access.tls_handshake.error", "web.access.request", "web.access.extra", "web.access.",
}

var errNotWebAccess = errors.New("no request with its status and client")

// webWord is a word of a line, or what stands in quotes or brackets.
type webWord struct {
	text string
	mark byte // '"' or '[' of what stands in them, 0 of a word
	end  int
}

// webAccess decodes such lines; what cut found in the last one is in its fields.
type webAccess struct {
	accessDecoder
	times timeFinder
	words []webWord

	client, user, request string
	status, size          string
	referrer, agent       string
}

// cut finds the parts of a line, and reports whether it holds a request and a status.
func (d *webAccess) cut(line string) bool {
	d.client, d.user, d.request, d.status, d.size, d.referrer, d.agent = "", "", "", "", "", "", ""
	d.words = cutWebWords(d.words[:0], line[:min(len(line), maxWebLine)])
	at, behind := d.findRequest()
	if at < 0 {
		return false
	}
	for i, w := range d.words[:at] {
		switch {
		case w.mark != '[' && d.client == "" && isWebClient(w.text):
			d.client = w.text
			next := i + 1
			if next < at && d.words[next].text == "-" { // ident
				next++
			}
			if next < at && isWebUser(d.words[next]) {
				d.user = d.words[next].text
			}
		}
	}
	for i, w := range d.words[behind:] {
		switch {
		case d.status == "":
			if w.mark == 0 && len(w.text) == 3 && isStatus(" "+w.text) {
				d.status = w.text
			} else if w.mark != 0 || i > 3 {
				return false
			}
		case w.mark != '"' && d.size == "" && isDigits(w.text):
			d.size = w.text
		case w.mark != '[' && d.referrer == "" && d.agent == "" && (strings.HasPrefix(w.text, "http://") || strings.HasPrefix(w.text, "https://")):
			d.referrer = w.text
		case w.mark == '"' && d.agent == "" && strings.IndexByte(w.text, '/') > 0:
			d.agent = w.text
		case w.mark == 0 && d.agent == "" && strings.HasPrefix(w.text, "Mozilla/"): // to the line's end, without quotes
			d.agent = line[w.end-len(w.text):]
		case w.mark != '[' && d.client == "" && isWebClient(w.text):
			d.client = w.text
		}
	}
	return d.status != ""
}

// findRequest sets the request; at is its first word, behind the word that follows it.
func (d *webAccess) findRequest() (at, behind int) {
	for i, w := range d.words {
		method, target, _ := strings.Cut(w.text, " ")
		if !webMethods[method] {
			continue
		}
		if w.mark == '"' && isWebTarget(method, target) {
			d.request = w.text
			return i, i + 1
		}
		if w.mark != 0 || i+1 == len(d.words) || !isWebTarget(method, d.words[i+1].text) {
			continue
		}
		target = d.words[i+1].text
		behind, version := i+2, ""
		for behind < len(d.words) && behind < i+4 { // a query in a place of its own; the version
			next := d.words[behind].text
			if strings.HasPrefix(next, "?") && version == "" {
				target += next
			} else if strings.HasPrefix(next, "HTTP/") {
				version = " " + next
			} else {
				break
			}
			behind++
		}
		d.request = method + " " + target + version
		return i, behind
	}
	return -1, -1
}

func cutWebWords(words []webWord, s string) []webWord {
	for i := 0; i < len(s) && len(words) < maxWebWords; {
		switch s[i] {
		case ' ', '\t', '|':
			i++
			continue
		case '"':
			if v, rest, ok := cutQuoted(s[i:]); ok {
				i = len(s) - len(rest)
				words = append(words, webWord{v, '"', i})
				continue
			}
		case '[':
			if n := strings.IndexByte(s[i:], ']'); n > 0 {
				words = append(words, webWord{s[i+1 : i+n], '[', i + n + 1})
				i += n + 1
				continue
			}
		}
		n := strings.IndexAny(s[i:], " \t")
		if n < 0 {
			n = len(s) - i
		}
		words = append(words, webWord{s[i : i+n], 0, i + n})
		i += n
	}
	return words
}

// webMethods are those of RFC 9110, PATCH, and WebDAV's: a word of a message is no method because it has capitals.
var webMethods = map[string]bool{
	"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "OPTIONS": true, "TRACE": true, "CONNECT": true, "PATCH": true,
	"PROPFIND": true, "PROPPATCH": true, "MKCOL": true, "COPY": true, "MOVE": true, "LOCK": true, "UNLOCK": true, "REPORT": true, "SEARCH": true,
}

func isWebTarget(method, target string) bool {
	return strings.HasPrefix(target, "/") || strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") ||
		method == "OPTIONS" && strings.HasPrefix(target, "*") || method == "CONNECT" && strings.IndexByte(target, ':') > 0
}

// isWebClient takes an address, with a port or in a list, or a host's full name.
func isWebClient(s string) bool {
	first, _, list := strings.Cut(s, ",")
	host, _ := splitPort(first)
	return isIP(host) || isIP(first) || !list && strings.IndexByte(s, '.') > 0 && !isDigit(s[len(s)-1]) && isHost(s) || s == "localhost"
}

// isWebUser takes a name, not a number, time, thread, host or path.
func isWebUser(w webWord) bool {
	return w.mark == 0 && w.text != "-" && w.text[0] > '9' && len(w.text) <= 64 && strings.IndexAny(w.text, "/:=.-") < 0
}

func (d *webAccess) decode(line string, b *event.Batch) error {
	if !d.cut(line) || d.client == "" {
		return errNotWebAccess
	}
	if ns, _, ok := d.times.find(line); ok {
		b.Event().Time = ns
	} else {
		d.p.Clock.NoTime()
	}
	a := accessLine{clients: d.client, ident: "-", user: "-", request: d.request, status: d.status, size: "-", referrer: "-", agent: d.agent, hasAgent: d.agent != ""}
	if d.user != "" {
		a.user = d.user
	}
	if d.size != "" {
		a.size = d.size
	}
	if d.referrer != "" {
		a.referrer = d.referrer
	}
	d.fields(&a, b)
	return nil
}
