package format

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// textFacts recognises what a text says of addresses, users, hashes and URLs in
// one pass over its words. What it cannot place goes to related.*; fields that the event
// has already are left alone.
type textFacts struct {
	ips, users, hashes, hosts [maxFacts]string
	nIPs, nUsers              int
	nHashes, nHosts           int
	hasSource, hasUser        bool
	hasURL, hasDest, hasFile  bool
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
	asHost         // "host=", "machine: "
	asFile         // "file=", "path="
	asUID          // "uid=", behind whose number a name may stand in brackets
	asVersion      // what follows is a version, not an address
)

func wordRole(s string) role {
	if len(s) < 2 || len(s) > 18 {
		return plain
	}
	var buf [18]byte
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch string(buf[:len(s)]) {
	case "from", "src", "srcip", "src_ip", "source", "source_ip", "sourceip", "client", "client_ip", "clientip", "client-ip", "remote", "remote_addr",
		"remote_ip", "remoteip", "rhost", "peer", "rip", "raddr", "saddr", "ip_src", "attacker", "caller", "sip", "cip", "c-ip", "srcaddr", "src_addr", "src-ip", "source-address", "client-address", "src-address",
		"source-ip", "sourceaddress", "source_address", "client_addr", "client_address", "clientaddress", "clientaddr", "remoteaddr", "remote_address", "remoteaddress",
		"remote-addr", "remote-ip", "x-forwarded-for", "callerip", "ipaddress":
		return asSource
	case "to":
		return asTo
	case "dst", "dstip", "dst_ip", "dest", "dest_ip", "destination", "daddr", "server_ip", "lip", "dip", "dstaddr", "dst_addr", "dst-ip", "destip", "destinationip",
		"destination_ip", "destination-ip", "destinationaddress", "dst-address", "dest-address", "s-ip", "target_ip", "targetip", "ip_dst":
		return asDest
	case "user", "users", "username", "user_name", "login", "usr", "uname", "account", "acct", "userid", "user_id", "suser", "duser", "ruser", "usrname", "src_user", "srcuser", "dst_user",
		"dstuser", "user-name", "cs-username", "accountname", "account_name", "samaccountname", "targetusername", "subjectusername", "userprincipalname", "upn", "logonname",
		"principal", "benutzer", "utilisateur", "usuario", "utente":
		return asUser
	case "host", "hostname", "host_name", "machine", "machinename", "machine_name", "workstation", "workstationname", "computer", "computername", "computer_name", "fqdn", "devname", "dhost",
		"shost", "dvchost", "node", "servername", "server_name", "srchost", "dsthost", "src_host", "dst_host", "dest_host", "sourcehost", "clientname", "client_name", "devicename":
		return asHost
	case "file", "filename", "file_name", "filepath", "file_path", "fname", "exe", "executable", "fullpath", "fpath":
		return asFile
	case "uid", "euid", "auid", "ouid":
		return asUID
	case "for", "by", "invalid", "unknown", "of", "as":
		return asFor
	case "version", "ver", "release":
		return asVersion
	}
	if word := buf[:len(s)]; len(s) > 6 && (bytes.HasSuffix(word, []byte("user")) || bytes.HasSuffix(word, []byte("username")) || bytes.HasSuffix(word, []byte("user_name"))) {
		return asUser // "SourceUser=", "caller_user_name: "
	}
	if word := buf[:len(s)]; len(s) > 7 && (bytes.HasSuffix(word, []byte("host")) || bytes.HasSuffix(word, []byte("hostname"))) && string(word) != "localhost" {
		return asHost // "http-host=", "target_hostname: "
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
		hasURL: e.Has("url.original"), hasDest: !roles || e.Has("destination.ip"), hasFile: !roles || e.Has("file.path"),
	}
	f.recall(e)
	var last, before string // the words before this one
	lastEnd := 0
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
		gap := s[lastEnd:start]
		lastEnd = i
		switch lastRole {
		case asHost, asFile, asUID:
			if lastRole == asHost && gap == " " && last[len(last)-1] != ':' { // "opened on host kdc1.example.com"
				f.fullName(w, b)
				break
			}
			if len(gap) > 6 || len(last) == 0 || gap[0] != '=' && last[len(last)-1] != ':' && !(gap[0] == '"' && strings.IndexByte(gap, ':') > 0) {
				break // the word is no name of a value
			}
			if lastRole == asHost {
				f.namedHost(w, gap, b)
			} else if lastRole == asUID {
				if strings.HasPrefix(s[i:], "(") && isDigits(w) { // "uid=1000(alice)"
					if name, _, ok := strings.Cut(s[i+1:min(len(s), i+66)], ")"); ok && isUserName(name) {
						f.name(name, b)
					}
				}
			} else if end := f.file(s, start, gap, b); end > i {
				i, lastEnd = end, end
				last, before, lastRole, beforeRole = "", "", plain, plain
				continue
			}
		}
		if colons == 1 && len(w) > 3 && w[1] == ':' && w[2] == '\\' && isLetter(w[0]) {
			if end := f.file(s, start, gap, b); end > i {
				i, lastEnd = end, end
			}
			last, before, lastRole, beforeRole = "", "", plain, plain
			continue
		}
		sep := byte(0)
		if start > 0 {
			sep = s[start-1]
		}
		if lastRole == asUser && strings.IndexAny(gap, ",;|") < 0 && f.user(s, start, sep, last, beforeRole, b) {
			last, before, lastRole, beforeRole = "", "", plain, plain
			continue
		}
		if last == "as" && isIdentity(before) && strings.TrimLeft(gap, " \"'`") == "" {
			if name := strings.TrimRight(w, ".:"); isUserName(name) && !(gap == " " && (name == "a" || name == "an" || name == "the")) {
				f.name(name, b)
			}
		}
		if dots >= 3 && digits >= 4 && colons > 0 { // "req:192.0.2.7", "localgw:192.0.2.7:500", "192.0.2.7:80:X1"
			if key, rest, _ := strings.Cut(w, ":"); isLetter(w[0]) && rest != "" && isDigit(rest[0]) && strings.IndexByte(key, '.') < 0 {
				f.address4(rest, wordRole(key), b)
				before, beforeRole, thirdRole = last, lastRole, beforeRole
				last, lastRole = w, plain
				continue
			} else if colons == 2 && isDigit(w[0]) {
				if ip, port, _ := strings.Cut(w, ":"); isIPv4(ip) {
					port, _, _ = strings.Cut(port, ":")
					f.address4(ip+":"+port, lastRole, b)
					before, beforeRole, thirdRole = last, lastRole, beforeRole
					last, lastRole = w, plain
					continue
				}
			}
		}
		switch {
		case dots >= 3 && digits >= 4 && colons <= 1 && hex:
			f.address4(w, lastRole, b)
			// "login failed for alice from 192.0.2.7"
			if lastRole == asSource && last == "from" && beforeRole == plain && thirdRole == asFor && !f.hasUser {
				f.name(before, b)
			}
		case colons >= 2 && hex && (digits > 0 || len(w) > 2):
			port := ""
			if sep == '[' && strings.HasPrefix(s[i:], "]:") { // "[2001:db8::7]:443"
				n := i + 2
				for n < len(s) && isDigit(s[n]) {
					n++
				}
				port = s[i+2 : n]
			}
			f.address6(w, port, lastRole, b)
		case colons >= 2 && strings.IndexByte(w, '%') > 0: // "fe80::1%eth0"
			ip, _, _ := strings.Cut(w, "%")
			f.address6(ip, "", lastRole, b)
		case colons >= 4 && dots >= 3 && strings.HasPrefix(w, "::"): // "::ffff:192.0.2.7"
			f.address6(w, "", lastRole, b)
		case colons == 1 && len(w) > 35: // "sha256:…"
			if kind, digest, _ := strings.Cut(w, ":"); strings.HasPrefix(kind, "sha") || strings.HasPrefix(kind, "SHA") || strings.EqualFold(kind, "md5") || strings.EqualFold(kind, "imphash") {
				if isHex(digest) {
					f.hash(digest, b)
				}
			}
		case strings.IndexByte(w, '@') > 0:
			f.mail(w, last, b)
		case colons == 1 && dots >= 1 && digits >= 2:
			f.hostAndPort(w, b)
		case dots >= 2 && gap == " " && (lastRole == asSource || lastRole == asTo || lastRole == asDest || last == "via" || last == "domain" || last == "server"):
			if i == len(s) || s[i] != '(' { // no function
				f.fullName(w, b)
			}
		case hex && dots == 0 && colons == 0 && digits > 0 && digits < len(w):
			f.hash(w, b)
		}
		before, beforeRole, thirdRole = last, lastRole, beforeRole
		last, lastRole = w, wordRole(strings.TrimRight(w, ":"))
		if lastRole == plain && (strings.EqualFold(w, "name:") || strings.EqualFold(w, "name")) { // "Account Name: alice", "Computer name=pc8"
			if beforeRole == asUser || beforeRole == asHost {
				lastRole = beforeRole
			}
		}
	}
}

// recall notes what the event mentions already, so that nothing is mentioned twice.
func (f *textFacts) recall(e *event.Event) {
	for i := range e.Fields {
		field := &e.Fields[i]
		if len(field.Name) < len("related.ip") || field.Name[:8] != "related." {
			continue
		}
		list, n := &f.ips, &f.nIPs
		switch field.Name {
		case "related.user":
			list, n = &f.users, &f.nUsers
		case "related.hosts":
			list, n = &f.hosts, &f.nHosts
		case "related.hash":
			list, n = &f.hashes, &f.nHashes
		}
		if *n < maxFacts {
			list[*n] = field.Value
			*n++
		}
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

func (f *textFacts) address6(w, port string, r role, b *event.Batch) {
	if len(w) < 2 || w[0] == ':' && w[1] != ':' {
		return
	}
	if !strings.HasSuffix(w, "::") {
		w = strings.TrimRight(w, ":.")
	}
	if !isIPv6(w) || w == "::" || strings.Count(w, ":") == 7 && len(w) == len("00:11:22:33:44:55:66:77") {
		return // the last is an EUI-64
	}
	f.address(w, port, r, b)
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
	case sep == ' ' && strings.EqualFold(word, "login"): // "invalid login attempts"
		return false
	case sep == ' ' && word[len(word)-1] != ':' && isVerbOfUser(s, start):
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

// isVerbOfUser reports whether the word at start is followed by what a user does or has done to it: "user tsmith logged in".
func isVerbOfUser(s string, start int) bool {
	end := start
	for end < len(s) && s[end] != ' ' {
		end++
	}
	if !isUserName(s[start:end]) || end-start < 2 || end == len(s) {
		return false
	}
	verb, _, _ := strings.Cut(s[end+1:min(len(s), end+24)], " ")
	switch strings.TrimRight(verb, ".,;:") {
	case "logged", "authenticated", "connected", "disconnected", "signed":
		switch s[start:end] {
		case "was", "is", "has", "not", "account", "successfully", "session", "name", "agent", "have", "been":
			return false
		}
		return true
	}
	return false
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

// namedHost takes the value of "host=web1"; behind a colon, which may end a word of prose, it must look like a host's name.
func (f *textFacts) namedHost(w, gap string, b *event.Batch) {
	w = strings.TrimRight(w, ".")
	if host, port, ok := strings.Cut(w, ":"); ok && (port == "" || isDigits(port)) {
		w = host
	}
	if !isHostName(w) || !strings.ContainsAny(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return
	}
	if gap[0] != '=' && !strings.ContainsAny(w, "0123456789.-") && !strings.Contains(gap, "\"") {
		return
	}
	switch w {
	case "true", "false", "null", "none", "unknown", "undefined", "nil":
		return
	}
	f.host(w, b)
}

// hostAndPort takes "db.internal:5432", but no place in a program's source ("main.go:42").
func (f *textFacts) hostAndPort(w string, b *event.Batch) {
	host, port, _ := strings.Cut(strings.TrimRight(w, "."), ":")
	if isDigits(port) && len(port) >= 2 && len(port) <= 5 && port[0] != '0' {
		f.fullName(host, b)
	}
}

// fullName takes the name of a host with its domain.
func (f *textFacts) fullName(host string, b *event.Batch) {
	if host = strings.TrimRight(host, ".:"); isFullName(host) {
		f.host(host, b)
	}
}

// isFullName reports whether s can be a host's name with its domain, and not that of a class or a program's source.
func isFullName(s string) bool {
	top := s[strings.LastIndexByte(s, '.')+1:]
	if len(top) < 2 || len(top) == len(s) || !isHostName(s) || sourceSuffixes[top] {
		return false
	}
	for i := range len(top) {
		if top[i] < 'a' || top[i] > 'z' {
			return false
		}
	}
	return true
}

// sourceSuffixes are the ends of names of files that logs write with a line's number.
var sourceSuffixes = map[string]bool{
	"go": true, "py": true, "java": true, "kt": true, "scala": true, "groovy": true, "clj": true, "js": true, "ts": true, "jsx": true, "tsx": true, "mjs": true, "cjs": true, "rb": true,
	"php": true, "cs": true, "vb": true, "fs": true, "cc": true, "cpp": true, "cxx": true, "hh": true, "hpp": true, "rs": true, "swift": true, "ex": true, "exs": true, "erl": true, "pl": true,
	"pm": true, "lua": true, "sh": true, "sql": true, "hs": true, "ml": true, "dart": true, "vue": true, "asp": true, "aspx": true, "jsp": true, "html": true, "log": true, "txt": true, "conf": true,
	"yaml": true, "yml": true, "json": true, "xml": true, "svc": true, "inc": true, "tcl": true, "asm": true, "proto": true, "tf": true,
}

func (f *textFacts) host(name string, b *event.Batch) {
	if f.nHosts < maxFacts && !slices.Contains(f.hosts[:f.nHosts], name) {
		f.hosts[f.nHosts] = name
		f.nHosts++
		b.Add("related.hosts", name)
	}
}

// mail takes "alice@example.com", and of "alice@192.0.2.7" the address too.
func (f *textFacts) mail(w, key string, b *event.Batch) {
	if strings.EqualFold(key, "message-id") || strings.EqualFold(key, "msgid") || strings.EqualFold(key, "in-reply-to") {
		return
	}
	w = strings.TrimRight(w, ".:")
	local, domain, ok := strings.Cut(w, "@")
	if i := strings.LastIndexByte(local, ':'); i >= 0 { // "mailto:", "from:"
		local = local[i+1:]
	}
	if !ok || local == "" || strings.ContainsAny(local, "\\:$%") {
		return
	}
	host, _, _ := strings.Cut(domain, ":")
	top := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case isIPv4(host):
		f.address(host, "", plain, b)
		f.related(local, b)
	case unitSuffixes[top]: // systemd's "user@1000.service"
	case len(top) >= 2 && len(top) < len(host) && isHostName(host) && !strings.ContainsAny(top, "0123456789-_"):
		f.related(local+"@"+host, b)
	}
}

var unitSuffixes = map[string]bool{"service": true, "socket": true, "target": true, "timer": true, "mount": true, "slice": true, "scope": true, "device": true, "path": true}

// related notes a user whom the text names, but not as the one who acts.
func (f *textFacts) related(name string, b *event.Batch) {
	if f.nUsers < maxFacts && !slices.Contains(f.users[:f.nUsers], name) {
		f.users[f.nUsers] = name
		f.nUsers++
		b.Add("related.user", name)
	}
}

func isUserName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c < 0x80 && strings.IndexByte("._-@$\\", c) < 0 {
			return false
		}
	}
	return true
}

// isIdentity reports whether "as" behind the word is followed by who one has become.
func isIdentity(word string) bool {
	switch word {
	case "authenticated", "in", "logged", "logon", "login", "Authenticated", "impersonating":
		return true
	}
	return false
}

// file takes a path: to the closing quote, or else to the next blank; it must have a separator or an extension.
func (f *textFacts) file(s string, start int, gap string, b *event.Batch) (end int) {
	quote := byte(0)
	if gap != "" {
		quote = gap[len(gap)-1]
	}
	from := start
	if quote == '/' || quote == '~' {
		for from > 0 && (s[from-1] == '/' || s[from-1] == '~') {
			from--
		}
		quote = 0
		if from > 0 {
			quote = s[from-1]
		}
	}
	if quote != '"' && quote != '\'' {
		quote = 0
	}
	end = start
	for end < len(s) && end-start < 1024 {
		if c := s[end]; quote != 0 && c == quote || quote == 0 && (c <= ' ' || strings.IndexByte(",;|\"'<>()[]", c) >= 0) {
			break
		}
		end++
	}
	path := strings.TrimRight(s[from:end], ".:")
	dot := strings.LastIndexByte(path, '.')
	if strings.IndexAny(path, "/\\") < 0 && (dot <= 0 || len(path)-dot > 6 || isDigits(path[dot+1:])) || strings.Contains(path, "://") {
		return 0
	}
	if !f.hasFile {
		f.hasFile = true
		b.Add("file.path", path)
	}
	return end
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
	if _, host, ok := strings.Cut(u, "://"); ok {
		if end := strings.IndexAny(host, "/?#;"); end >= 0 {
			host = host[:end]
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
		if strings.HasPrefix(host, "[") {
			host, _, _ = strings.Cut(host[1:], "]")
		} else if name, port, ok := cutLast(host, ":"); ok && isDigits(port) {
			host = name
		}
		switch {
		case isIP(host):
			f.address(host, "", plain, b)
		case isHostName(host) && strings.IndexByte(host, '.') > 0:
			f.host(host, b)
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
