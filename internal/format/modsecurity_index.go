package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The index of ModSecurity's audit log where each transaction has a file of its own (SecAuditLogType Concurrent), which
// is also what mlogc reads: an access line with the host before and, behind it, the transaction's id, the session, and
// the file with its hash.
//
//	shop.example 192.0.2.1 - - [04/Mar/2026:10:11:12 +0100] "GET / HTTP/1.1" 403 211 "-" "curl/8.5.0" Zvwq8n8AAQ "-" /20260304/…-Zvwq8n8AAQ 0 1534 md5:6e8a…
//
// https://github.com/owasp-modsecurity/ModSecurity/wiki/ModSecurity-2-Data-Formats#transaction-log-index
var _ = register(Format{
	Name:  "modsecurity.index",
	Title: "ModSecurity audit log index (concurrent)",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool { _, ok := cutModsecIndex(l); return ok }) * 97 / 100
	},
	Lines: func(p *Params) LineDecoder { return (&modsec{p: p}).decodeIndex },
})

type modsecIndex struct {
	host, client, user, stamp, request, status, size, referrer, agent string
	id, session, file, hash                                           string
}

func cutModsecIndex(l string) (x modsecIndex, ok bool) {
	// From its end: what stands there holds no blanks.
	l, x.hash, ok = cutLast(l, " md5:")
	if !ok || len(x.hash) != 32 || !isHex(x.hash) {
		return x, false
	}
	for range 2 { // offset and size of the transaction in the file
		rest, number, ok := cutLast(l, " ")
		if !ok || !isDigits(number) {
			return x, false
		}
		l = rest
	}
	if l, x.file, ok = cutLast(l, " "); !ok || !strings.HasPrefix(x.file, "/") {
		return x, false
	}
	head, rest, ok := strings.Cut(l, " [")
	words := strings.Fields(head)
	if !ok || len(words) != 4 {
		return x, false
	}
	x.host, x.client, x.user = words[0], words[1], words[3]
	if x.stamp, rest, ok = strings.Cut(rest, `] "`); !ok {
		return x, false
	}
	if x.request, rest, ok = quotedWord(rest); !ok {
		return x, false
	}
	x.status, rest, _ = strings.Cut(rest, " ")
	x.size, rest, _ = strings.Cut(rest, " ")
	if len(x.status) != 3 || !isDigits(x.status) || !strings.HasPrefix(rest, `"`) {
		return x, false
	}
	if x.referrer, rest, ok = quotedWord(rest[1:]); !ok || !strings.HasPrefix(rest, `"`) {
		return x, false
	}
	if x.agent, rest, ok = quotedWord(rest[1:]); !ok {
		return x, false
	}
	x.id, x.session, ok = strings.Cut(rest, " ")
	x.session = strings.Trim(x.session, `"`)
	return x, ok && x.id != ""
}

// quotedWord is the text up to the closing quote, and what is behind the blank that follows it.
func quotedWord(s string) (word, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], strings.TrimPrefix(s[i+1:], " "), true
		}
	}
	return "", "", false
}

func (d *modsec) decodeIndex(line string, b *event.Batch) error {
	x, ok := cutModsecIndex(line)
	if !ok {
		return errorString("not a line of the index of ModSecurity's audit log")
	}
	ns, _, ok := d.p.Clock.CLF(x.stamp)
	if !ok {
		return errorString("no time in the line")
	}
	b.Event().Time = ns
	d.begin(b)
	addSource(b, x.client, "")
	b.Add("destination.domain", unlessDash(x.host))
	b.Add("user.name", unlessDash(x.user))
	d.status(x.status, b)
	if isDigits(x.size) {
		b.AddNumber("http.response.body.bytes", x.size)
	}
	if method, target, ok := strings.Cut(x.request, " "); ok && isMethod(method) {
		version := ""
		if i := strings.LastIndex(target, " HTTP/"); i >= 0 {
			target, version = target[:i], target[i+len(" HTTP/"):]
		}
		b.Add("http.request.method", method)
		b.Add("http.version", version)
		addTarget(target, unlessDash(x.host), b)
	}
	b.Add("http.request.referrer", unlessDash(x.referrer))
	if x.agent != "-" {
		d.agents.add(x.agent, b)
	}
	b.Add("modsec.audit.id", x.id)
	b.Add("modsec.audit.session", unlessDash(x.session))
	b.Add("modsec.audit.file", x.file)
	b.Add("modsec.audit.md5", x.hash)
	return nil
}

// unlessDash is a value, "" for the dash that stands where there is none.
func unlessDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
