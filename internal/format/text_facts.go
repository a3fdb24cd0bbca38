package format

import (
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// textFacts recognises what a text says of addresses, users, hashes and URLs in
// one pass over its words. What it cannot place goes to related.*; fields that the event
// has already are left alone.
type textFacts struct {
	ips, users, hashes [maxFacts]string
	nIPs, nUsers       int
	nHashes            int
	hasSource, hasUser bool
	hasURL, hasDest    bool
}

// role is what a word says of the one behind it.
type role uint8

const (
	plain     role = iota
	asSource       // "from", "src=", "client "
	asDest         // "dst="
	asTo           // "to", behind a source
	asUser         // "user=", "login:"
	asFor          // "for", "by": what follows may be a user
	asVersion      // what follows is a version, not an address
)

func wordRole(s string) role {
	if len(s) < 2 || len(s) > 14 {
		return plain
	}
	var buf [14]byte
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch string(buf[:len(s)]) {
	case "from", "src", "srcip", "src_ip", "source", "source_ip", "sourceip", "client", "client_ip", "clientip", "client-ip", "remote", "remote_addr",
		"remote_ip", "remoteip", "rhost", "peer", "rip", "raddr", "saddr", "ip_src", "attacker", "caller":
		return asSource
	case "to":
		return asTo
	case "dst", "dstip", "dst_ip", "dest", "dest_ip", "destination", "daddr", "server_ip", "lip":
		return asDest
	case "user", "username", "user_name", "login", "usr", "uname", "account", "acct", "userid", "user_id", "suser", "duser", "ruser", "usrname":
		return asUser
	case "for", "by", "invalid", "unknown", "of", "as":
		return asFor
	case "version", "ver", "release":
		return asVersion
	}
	return plain
}

// isFactByte holds for what words, addresses and host names are made of.
var isFactByte = func() (t [256]bool) {
	for c := range 256 {
		b := byte(c)
		t[c] = isLetter(b) || isDigit(b) || b >= 0x80 || strings.IndexByte("._:-%@$\\", b) >= 0
	}
	return t
}()

// add reads s. Without roles it says what there is, but not which is the source or
// the user.
func (f *textFacts) add(s string, roles bool, b *event.Batch) {
	s = s[:min(len(s), maxFactSearch)]
	e := b.Event()
	*f = textFacts{
		hasSource: !roles || e.Has("source.ip"), hasUser: !roles || e.Has("user.name"),
		hasURL: e.Has("url.original"), hasDest: !roles || e.Has("destination.ip"),
	}
	var last, before string // the words before this one
	lastRole, beforeRole, thirdRole := plain, plain, plain
	for i := 0; i < len(s); {
		if !isFactByte[s[i]] {
			i++
			continue
		}
		start := i
		digits, dots, colons, hex := 0, 0, 0, true
		for i < len(s) && isFactByte[s[i]] {
			switch c := s[i]; {
			case isDigit(c):
				digits++
			case c == '.':
				dots++
			case c == ':':
				colons++
			case c|0x20 < 'a' || c|0x20 > 'f':
				hex = false
			}
			i++
		}
		w := s[start:i]
		if w[len(w)-1] == ':' && strings.HasPrefix(s[i:], "//") && (start == 0 || s[start-1] != '/') {
			i = f.url(s, start, i, b)
			last, before, lastRole, beforeRole = "", "", plain, plain
			continue
		}
		sep := byte(0)
		if start > 0 {
			sep = s[start-1]
		}
		if lastRole == asUser && f.user(s, start, sep, last, beforeRole, b) {
			last, before, lastRole, beforeRole = "", "", plain, plain
			continue
		}
		switch {
		case dots >= 3 && digits >= 4 && colons <= 1 && hex:
			f.address4(w, lastRole, b)
			// "login failed for alice from 192.0.2.7"
			if lastRole == asSource && last == "from" && beforeRole == plain && thirdRole == asFor && !f.hasUser {
				f.name(before, b)
			}
		case colons >= 2 && hex && (digits > 0 || len(w) > 2):
			f.address6(w, lastRole, b)
		case hex && dots == 0 && colons == 0 && digits > 0 && digits < len(w):
			f.hash(w, b)
		}
		before, beforeRole, thirdRole = last, lastRole, beforeRole
		last, lastRole = w, wordRole(strings.TrimRight(w, ":"))
	}
}

// address4 takes "192.0.2.7", "192.0.2.7:22" and either with a full stop behind.
func (f *textFacts) address4(w string, r role, b *event.Batch) {
	w = strings.TrimRight(w, ".:")
	host, port, _ := strings.Cut(w, ":")
	if !isIPv4(host) || r == asVersion {
		return
	}
	if port != "" && (!isDigits(port) || len(port) > 5) {
		port = ""
	}
	f.address(host, port, r, b)
}

func (f *textFacts) address6(w string, r role, b *event.Batch) {
	if w[0] == ':' && w[1] != ':' {
		return
	}
	if !strings.HasSuffix(w, "::") {
		w = strings.TrimRight(w, ":.")
	}
	if !isIPv6(w) || w == "::" || strings.Count(w, ":") == 7 && len(w) == len("00:11:22:33:44:55:66:77") {
		return // the last is an EUI-64
	}
	f.address(w, "", r, b)
}

func (f *textFacts) address(ip, port string, r role, b *event.Batch) {
	ip = plainIP(ip)
	switch {
	case r == asSource && !f.hasSource:
		f.hasSource = true
		b.Add("source.ip", ip)
		addPort(b, "source.port", port)
	case (r == asDest || r == asTo && f.hasSource) && !f.hasDest:
		f.hasDest = true
		b.Add("destination.ip", ip)
		addPort(b, "destination.port", port)
	}
	if f.nIPs < maxFacts && !slices.Contains(f.ips[:f.nIPs], ip) {
		f.ips[f.nIPs] = ip
		f.nIPs++
		b.Add("related.ip", ip)
	}
}

// user takes the name behind a word for one: "user=alice", "login: alice", `user "alice
// smith"`, and with a blank between only behind "for", "by", "invalid" and the like.
func (f *textFacts) user(s string, start int, sep byte, word string, beforeRole role, b *event.Batch) bool {
	quote := byte(0)
	switch {
	case sep == '"' || sep == '\'' || sep == '<' || sep == '[' || sep == '`':
		quote = sep
	case sep == '=' || word[len(word)-1] == ':':
	case sep == ' ' && beforeRole == asFor && start >= 2 && s[start-2] != ',' && s[start-2] != '.':
	default:
		return false
	}
	if quote == '"' && start < len(s) && s[start] == ':' { // that was the end of a name in JSON
		if start = skipSpace([]byte(s[:min(len(s), start+9)]), start+1); start >= len(s) || s[start] != '"' {
			return false
		}
		start++
	}
	end := start
	switch quote {
	case '<':
		quote = '>'
	case '[':
		quote = ']'
	case '`':
		quote = '\''
	}
	for end < len(s) && end-start < 256 {
		c := s[end]
		if quote != 0 && c == quote || quote == 0 && (c == ' ' || c == ',' || c == ';' || c == ')' || c == ']' || c == '"' || c == '\'' || c == '\t' || c == '&' || c == '|' || c == '>' || c == '}') {
			break
		}
		end++
	}
	name := s[start:end]
	if quote == 0 {
		name = strings.TrimRight(name, ".:")
	}
	if name == "" || name == "-" || strings.EqualFold(name, "null") || strings.EqualFold(name, "none") || strings.EqualFold(name, "agent") {
		return false
	}
	f.name(name, b)
	return true
}

func (f *textFacts) name(name string, b *event.Batch) {
	if !f.hasUser {
		f.hasUser = true
		b.Add("user.name", name)
	}
	if f.nUsers < maxFacts && !slices.Contains(f.users[:f.nUsers], name) {
		f.users[f.nUsers] = name
		f.nUsers++
		b.Add("related.user", name)
	}
}

// hash takes what has the length of an MD5, SHA-1, SHA-256 or SHA-512 in hexadecimal.
func (f *textFacts) hash(w string, b *event.Batch) {
	switch len(w) {
	case 32, 40, 64, 128:
	default:
		return
	}
	if f.nHashes < maxFacts && !slices.Contains(f.hashes[:f.nHashes], w) {
		f.hashes[f.nHashes] = w
		f.nHashes++
		b.Add("related.hash", w)
	}
}

// url takes "SCHEME://…" to the next blank, quote or bracket and returns where it ends.
func (f *textFacts) url(s string, start, i int, b *event.Batch) int {
	for i < len(s) && i-start < 2048 && s[i] > ' ' && strings.IndexByte("\"'<>`|)]}", s[i]) < 0 {
		i++
	}
	u := strings.TrimRight(s[start:i], ".,;:")
	scheme, _, _ := strings.Cut(u, ":")
	switch lowerScheme(scheme) {
	case "http", "https", "ftp", "ws", "wss", "ldap", "ldaps", "rmi", "file", "hxxp", "hxxps", "tcp", "udp", "ssh":
		if !f.hasURL {
			f.hasURL = true
			b.Add("url.original", u)
		}
	}
	return i
}

func lowerScheme(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// level finds the severity word of a line's beginning: a word in capitals, one in
// brackets or before a colon, or behind "level=".
func (f *textFacts) level(s string, b *event.Batch) {
	s = s[:min(len(s), 96)]
	if b.Event().Has("log.level") {
		return
	}
	afterKey := false
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			i = escapeEnd(s, i)
			continue
		}
		if !isLetter(s[i]) {
			i++
			continue
		}
		start := i
		for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '_') {
			i++
		}
		w := s[start:i]
		name := levelName(w)
		if name != "" {
			open := start > 0 && (s[start-1] == '[' || s[start-1] == '<' || s[start-1] == '|' || s[start-1] == '(' || s[start-1] == ':')
			shut := i < len(s) && (s[i] == ']' || s[i] == '>' || s[i] == '|' || s[i] == ')')
			colon := i < len(s) && s[i] == ':'
			capitals := w[len(w)-1] < 'a'
			if afterKey || capitals || open && shut || colon {
				b.Add("log.level", name)
				return
			}
		}
		afterKey = i < len(s) && (s[i] == '=' || s[i] == ':') && (strings.EqualFold(w, "level") || strings.EqualFold(w, "lvl") || strings.EqualFold(w, "severity"))
	}
}

// levelName is the ECS spelling of a severity word, "" for any other.
func levelName(w string) string {
	if len(w) < 3 || len(w) > 13 {
		return ""
	}
	var buf [13]byte
	for i := range len(w) {
		buf[i] = w[i] | 0x20
	}
	switch string(buf[:len(w)]) {
	case "trace":
		return "trace"
	case "debug", "dbg":
		return "debug"
	case "info", "information", "informational", "inf":
		return "info"
	case "notice":
		return "notice"
	case "warn", "warning", "wrn":
		return "warning"
	case "error", "err", "severe":
		return "error"
	case "crit", "critical":
		return "critical"
	case "fatal", "panic":
		return "fatal"
	case "alert":
		return "alert"
	case "emerg", "emergency":
		return "emergency"
	}
	return ""
}
