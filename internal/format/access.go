package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Access logs in the Common Log Format and what grew from it (Apache
// mod_log_config, Nginx ngx_http_log_module):
//
//	[vhost[:port] ]client ident user [time] "request" status bytes[ extra…][ "referrer" "user agent"][ extra…]
//
// The client may be a list of addresses, as a proxy's X-Forwarded-For gives it.
// The request is whatever a client sent: TLS bytes, nothing, or a request line
// with quotes and blanks in it.

// accessLine is one access log line cut into its parts, which are still as
// the log escapes them.
type accessLine struct {
	vhost    string // "" when the line has none
	clients  string // one address, or a list separated by commas
	ident    string
	user     string
	stamp    string // the time and what follows
	request  string
	status   string // three digits or "-"
	size     string // digits or "-"
	afterLen string // a number right behind the size; "" for none
	referrer string // "" when the line is in the common format
	agent    string
	extra    string // the rest
	hasAgent bool
}

var errNotAccess = errors.New("not an access log line")

// cutAccess cuts a line into its parts.
func cutAccess(line string) (a accessLine, ok bool) {
	// The time is the first bracket that begins one: a user name may hold
	// brackets too.
	open := 0
	for {
		i := strings.IndexByte(line[open:], '[')
		if i < 0 || open+i > 8<<10 {
			return a, false
		}
		open += i + 1
		if isCLF(line[open:]) {
			break
		}
	}
	if open < 2 || !a.cutHead(line[:open-1]) {
		return a, false
	}
	a.stamp = line[open:]
	i := strings.IndexByte(a.stamp, ']')
	if i < 0 || i > 40 || i+2 >= len(a.stamp) || a.stamp[i+1] != ' ' || a.stamp[i+2] != '"' {
		return a, false
	}
	rest := a.stamp[i+2:]
	a.request, rest, ok = cutRequest(rest)
	if !ok {
		return a, false
	}
	a.status, rest = rest[1:4], rest[4:]
	if a.status[0] == '-' {
		a.status, rest = "-", " "+strings.TrimPrefix(rest, " ")
	}
	a.size, rest = nextWord(rest)
	if !isDigits(a.size) && a.size != "-" {
		return a, a.size == ""
	}
	for len(rest) > 1 && rest[1] != '"' && a.afterLen == "" {
		word, after := nextWord(rest)
		if !isDigits(word) {
			break
		}
		a.afterLen, rest = word, after
	}
	if len(rest) > 1 && rest[1] == '"' {
		if v, after, ok := cutQuoted(rest[1:]); ok {
			a.referrer, rest = v, after
			if len(rest) > 1 && rest[1] == '"' {
				if v, after, ok := cutQuoted(rest[1:]); ok {
					a.agent, rest, a.hasAgent = v, after, true
				}
			}
		}
	}
	a.extra = strings.TrimPrefix(rest, " ")
	return a, true
}

// isCLF reports whether s starts like "02/Jan/2006:15:04:05".
func isCLF(s string) bool {
	return len(s) > 20 && s[2] == '/' && s[6] == '/' && s[11] == ':' && s[14] == ':' && s[17] == ':' && s[3] > '9' &&
		'0' <= s[0] && s[0] <= '3' && '0' <= s[1] && s[1] <= '9'
}

// cutHead cuts what stands before the time: "[vhost ]client[, client…] ident user ".
func (a *accessLine) cutHead(head string) bool {
	if head[len(head)-1] != ' ' {
		return false
	}
	head = head[:len(head)-1]
	first, rest, ok := strings.Cut(head, " ")
	if !ok {
		a.clients = first // a custom format with neither ident nor user
		return isClient(first)
	}
	switch {
	case first == "":
		return false
	case first[0] == '"': // a quoted list, and the peer that sent it
		end := strings.IndexByte(head[1:], '"')
		if end < 0 {
			return false
		}
		first, rest = head[1:1+end], strings.TrimPrefix(head[end+2:], " ")
		if peer, after, ok := strings.Cut(rest, " "); ok && isIP(peer) {
			first, rest = head[1:end+3+len(peer)], after
		}
	case first[len(first)-1] == ',': // a list
		end := len(first)
		for end < len(head) && head[end-1] == ',' && head[end] == ' ' {
			next := strings.IndexByte(head[end+1:], ' ')
			if next < 0 {
				return false
			}
			end += 1 + next
		}
		first, rest = head[:end], strings.TrimPrefix(head[end:], " ")
	case !isClient(first):
		return false
	}
	second, third, ok := strings.Cut(rest, " ")
	if !ok {
		a.clients, a.user = first, second
		return true
	}
	// Of the user name alone is it known that it may hold blanks.
	if ident, user, three := strings.Cut(third, " "); second != "-" && (isIP(second) || three && ident == "-" && isHost(second)) {
		if isList(first) {
			a.clients = head[:len(head)-len(third)-1]
		} else {
			a.vhost, a.clients = first, second
		}
		if a.ident, a.user = ident, user; !three {
			a.ident, a.user = "", ident
		}
		return true
	} else if three && second != "-" && !isIP(first) {
		return false // the header of another log before this one
	}
	a.clients, a.ident, a.user = first, second, third
	return true
}

// isClient reports whether s is what stands first in a line: an address or a
// name, with a port where it is a virtual host, or a socket.
func isClient(s string) bool {
	if isIP(s) || s == "-" || s == "unix:" || isHost(s) || isList(s) {
		return true
	}
	host, port := splitPort(s)
	return port != "" && isHostOrIP(host) || strings.HasPrefix(s, "_:") // Nginx's and Apache's name for any host
}

func isList(s string) bool { return strings.IndexByte(s, ',') >= 0 }

// cutRequest cuts the quoted request at the start of s, and returns the rest
// from the blank before the status. Where the request holds bare quotes, it
// ends at the quote that a status follows.
func cutRequest(s string) (request, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '"')
		if j < 0 {
			return "", "", false
		}
		i += j
		if isStatus(s[i+1:]) && !escaped(s, i) {
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// isStatus reports whether s starts with " 200 " or " - ".
func isStatus(s string) bool {
	if len(s) >= 4 && s[0] == ' ' && '1' <= s[1] && s[1] <= '9' && '0' <= s[2] && s[2] <= '9' && '0' <= s[3] && s[3] <= '9' {
		return len(s) == 4 || s[4] == ' '
	}
	return len(s) >= 4 && s[:3] == " - "
}

// escaped reports whether an odd number of backslashes precedes s[i].
func escaped(s string, i int) bool {
	n := 0
	for i > n && s[i-1-n] == '\\' {
		n++
	}
	return n&1 == 1
}

// cutQuoted cuts the quoted text at the start of s. A bare quote inside is
// taken as text unless a blank or the end follows it.
func cutQuoted(s string) (v, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '"')
		if j < 0 {
			return "", s, false
		}
		i += j
		if (i+1 == len(s) || s[i+1] == ' ') && !escaped(s, i) {
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// nextWord cuts the word behind the blank at the start of s.
func nextWord(s string) (word, rest string) {
	if s == "" || s[0] != ' ' {
		return "", s
	}
	s = s[1:]
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// accessNames are the fields in which Elastic's integrations differ between
// the two servers.
type accessNames struct {
	dataset      string
	addresses    string
	ident        string
	responseTime string
	tls          string
	badRequest   string
	extra        string
	prefix       string // of key=value extras
}

var apacheAccess = accessNames{
	"apache.access", "apache.access.remote_addresses", "apache.access.identity", "apache.access.response_time",
	"apache.access.tls_handshake.error", "apache.access.http.request_headers", "apache.access.extra", "apache.access.",
}

var nginxAccess = accessNames{
	"nginx.access", "nginx.access.remote_ip_list", "nginx.access.identity", "nginx.access.response_time",
	"nginx.access.tls_handshake.error", "nginx.access.http.request_headers", "nginx.access.extra", "nginx.access.",
}

// accessDecoder decodes access log lines under the names of one server. Its
// cache of user agents makes it the owner's alone.
type accessDecoder struct {
	p      *Params
	names  *accessNames
	agents agentCache
	errors LineDecoder // of the same server's error log, for files that hold both
}

func newAccessDecoder(p *Params, names *accessNames, errors LineDecoder) LineDecoder {
	return (&accessDecoder{p: p, names: names, errors: errors}).decode
}

func (d *accessDecoder) decode(line string, b *event.Batch) error {
	a, ok := cutAccess(line)
	if !ok {
		if t, ok := cutTLSRequest(line); ok {
			return d.addTLSRequest(&t, b)
		}
		if d.errors != nil && d.errors(line, b) == nil {
			return nil
		}
		return errNotAccess
	}
	return d.add(&a, b)
}

// tlsRequest is a line of the log that mod_ssl's own configuration keeps of requests,
// ssl_request_log: "%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \"%r\" %b".
type tlsRequest struct {
	accessLine
	protocol, cipher string
}

func cutTLSRequest(line string) (t tlsRequest, ok bool) {
	if len(line) < 40 || line[0] != '[' || !isCLF(line[1:]) {
		return t, false
	}
	t.stamp = line[1:]
	_, rest, ok := strings.Cut(line[:min(len(line), 8<<10)], "] ")
	if !ok {
		return t, false
	}
	var words [3]string
	for i := range words {
		if words[i], rest, ok = strings.Cut(rest, " "); !ok {
			return t, false
		}
	}
	end := strings.LastIndex(rest, `" `)
	if !isClient(words[0]) || !isTLSName(words[1]) || len(rest) < 4 || rest[0] != '"' || end < 1 {
		return t, false
	}
	t.clients, t.protocol, t.cipher, t.request, t.size = words[0], words[1], words[2], rest[1:end], rest[end+2:]
	t.ident, t.user, t.status, t.referrer = "-", "-", "-", "-"
	return t, isDigits(t.size) || t.size == "-"
}

// isTLSName: "TLSv1.3", or "-" of a request without TLS.
func isTLSName(s string) bool {
	return s == "-" || strings.HasPrefix(s, "TLSv") || strings.HasPrefix(s, "SSLv")
}

func (d *accessDecoder) addTLSRequest(t *tlsRequest, b *event.Batch) error {
	if err := d.add(&t.accessLine, b); err != nil {
		return err
	}
	if t.protocol != "-" {
		b.Add(d.names.prefix+"ssl.protocol", t.protocol)
		b.Add(d.names.prefix+"ssl.cipher", t.cipher)
		b.Add("tls.cipher", t.cipher)
		if v, ok := strings.CutPrefix(t.protocol, "TLSv"); ok {
			b.Add("tls.version", v)
			b.Add("tls.version_protocol", "tls")
		}
	}
	return nil
}

// add adds the fields of a line.
func (d *accessDecoder) add(a *accessLine, b *event.Batch) error {
	ns, _, ok := d.p.Clock.CLF(a.stamp)
	if !ok {
		return errNotAccess
	}
	b.Event().Time = ns
	d.fields(a, b)
	return nil
}

// fields adds all but the time.
func (d *accessDecoder) fields(a *accessLine, b *event.Batch) {
	b.Add("event.kind", "event")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	b.Add("event.dataset", d.names.dataset)
	if a.status != "-" {
		if a.status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	d.addClient(a, b)
	d.addRequest(a.request, a.vhost, b)
	if a.status != "-" {
		b.AddKind("http.response.status_code", a.status, event.Number)
	}
	if a.size != "-" {
		b.AddNumber("http.response.body.bytes", a.size)
	}
	if a.afterLen != "" {
		b.AddNumber(d.names.responseTime, a.afterLen)
	}
	if a.referrer != "-" {
		b.Add("http.request.referrer", a.referrer)
	}
	if a.hasAgent {
		d.agents.add(a.agent, b)
	}
	if a.extra != "" {
		d.addExtra(a.extra, b)
	}
}

// addClient adds who asked whom.
func (d *accessDecoder) addClient(a *accessLine, b *event.Batch) {
	client := a.clients
	if isList(client) || strings.IndexByte(client, ' ') >= 0 {
		// The client is the first public address; the list begins with the
		// farthest one.
		best, n := "", 0
		for word := range strings.FieldsFuncSeq(client, func(r rune) bool { return r == ',' || r == ' ' || r == '"' }) {
			if n++; n > 32 {
				break
			}
			b.Add(d.names.addresses, word)
			if best == "" || !isPublic(best) && isPublic(word) {
				best = word
			}
		}
		client = best
	} else {
		var port string
		client, port = splitPort(client)
		b.Add(d.names.addresses, client)
		if port != "" {
			b.AddNumber("source.port", port)
		}
	}
	b.Add("source.address", client)
	if isIP(client) {
		b.Add("source.ip", client)
	} else if isHost(client) {
		b.Add("source.domain", client)
	}
	if a.ident != "-" {
		b.Add(d.names.ident, a.ident)
	}
	if a.user != "-" && a.user != `""` {
		b.Add("user.name", a.user)
	}
	if a.vhost != "" && a.vhost != "-" {
		host, port := splitPort(a.vhost)
		b.Add("destination.domain", host)
		if port != "" {
			b.AddNumber("destination.port", port)
		}
	}
}

// addRequest adds the request line "METHOD target HTTP/version", or what was
// sent in its place.
func (d *accessDecoder) addRequest(request, vhost string, b *event.Batch) {
	domain, _ := splitPort(vhost)
	if domain == "-" {
		domain = ""
	}
	if request == "-" || request == "" {
		b.Add("url.domain", domain)
		return
	}
	method, rest, ok := strings.Cut(request, " ")
	target, version := rest, ""
	if i := strings.LastIndexByte(rest, ' '); i >= 0 && strings.HasPrefix(rest[i+1:], "HTTP/") {
		target, version = strings.TrimRight(rest[:i], " "), rest[i+6:]
	}
	isMethod := isMethod(method)
	if !ok || !isMethod && version == "" {
		b.Add("url.domain", domain)
		if strings.HasPrefix(request, `\x16\x03`) { // a TLS record of type handshake
			b.Add(d.names.tls, request)
		} else {
			b.Add(d.names.badRequest, request)
		}
		return
	}
	if isMethod {
		b.Add("http.request.method", method)
	} else if method != "-" {
		b.Add(d.names.badRequest, method)
	}
	if target != "-" {
		addTarget(target, domain, b)
	}
	b.Add("http.version", version)
}

func isMethod(s string) bool {
	if s == "" || len(s) > 24 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || 'Z' < c) && c != '_' && c != '-' && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return s != "-"
}

// addExtra adds what a custom format writes behind the user agent: key="value"
// and key=value under their names, the rest in order as it is.
func (d *accessDecoder) addExtra(s string, b *event.Batch) {
	for n := 0; s != "" && n < 32; n++ {
		var key, v string
		i := 0
		for i < len(s) && i < 40 && (isWordByte(s[i]) || s[i] == '-') {
			i++
		}
		if i > 0 && i < len(s) && (s[i] == '=' || s[i] == ':') {
			key, s = s[:i], s[i+1:]
		}
		if s != "" && s[0] == '"' {
			if q, rest, ok := cutQuoted(s); ok {
				v, s = q, strings.TrimLeft(rest, " ")
			} else {
				v, s = s[1:], ""
			}
		} else if v, s, _ = strings.Cut(s, " "); s != "" {
			s = strings.TrimLeft(s, " ")
		}
		if v == "-" || v == "" {
			continue
		}
		list := key == "" && n == 0 && isIPList(v)
		switch {
		case list || strings.EqualFold(key, "x-forwarded-for") || strings.EqualFold(key, "xff") || key == "http_x_forwarded_for":
			first := true
			for word := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
				b.Add(d.names.addresses, word)
				if isIP(word) {
					if first {
						b.Add("client.ip", word)
					}
					b.Add("network.forwarded_ip", word)
				}
				first = false
			}
		case key != "":
			b.Add(d.names.prefix+strings.ToLower(key), v)
			if key == "rt" || key == "request_time" || key == "req_time" { // $request_time, in seconds
				addSeconds(v, b)
			}
		default:
			b.Add(d.names.extra, v)
		}
	}
}

// addSeconds adds a duration in seconds, with a fraction of up to nine digits.
func addSeconds(s string, b *event.Batch) {
	whole, fraction, _ := strings.Cut(s, ".")
	if !isDigits(whole) || len(whole) > 9 || len(fraction) > 9 || fraction != "" && !isDigits(fraction) {
		return
	}
	ns := wholeNumber(whole)
	for i := range 9 {
		ns *= 10
		if i < len(fraction) {
			ns += int64(fraction[i] - '0')
		}
	}
	b.AddInt("event.duration", ns)
}

func isIPList(s string) bool {
	first, _, _ := strings.Cut(s, ",")
	return isIP(strings.TrimSpace(first))
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// recogniseAccess scores a sample for one of the two servers. In the combined
// format they write the very same lines; what differs is counted. Where
// nothing does, the common format's own server has it.
func recogniseAccess(s *Sample, nginx bool) int {
	share, apacheSigns, nginxSigns := 0, 0, 0
	for _, l := range s.Lines {
		a, ok := cutAccess(l)
		if !ok {
			if _, ok := cutTLSRequest(l); ok {
				share++
				apacheSigns++
			} else if looksLikeApacheError(l) {
				share++
				apacheSigns++
			} else if looksLikeNginxError(l) {
				share++
				nginxSigns++
			}
			continue
		}
		share++
		x, y := a.signs()
		apacheSigns += x
		nginxSigns += y
	}
	if len(s.Lines) == 0 {
		return 0
	}
	share = (70*share + len(s.Lines) - 1) / len(s.Lines)
	if share == 0 {
		return 0
	}
	name := strings.ToLower(s.Name)
	switch {
	case strings.Contains(name, "nginx"):
		nginxSigns++
	case strings.Contains(name, "apache") || strings.Contains(name, "httpd") || strings.Contains(name, "access_log") || strings.Contains(name, "vhosts_access"):
		apacheSigns++
	}
	if (nginxSigns > apacheSigns) == nginx {
		return share + 10
	}
	return share
}

// signs says which server's habits a line shows.
func (a *accessLine) signs() (apache, nginx int) {
	if strings.Contains(a.request, `\"`) || strings.Contains(a.agent, `\"`) || a.request == `\n` || strings.Contains(a.request, `\\x`) {
		apache++
	}
	if strings.Contains(a.request, `\x22`) || strings.Contains(a.agent, `\x22`) || strings.Contains(a.request, `\x0A`) {
		nginx++
	}
	if !a.hasAgent && a.referrer == "" && a.extra == "" {
		apache++ // Nginx ships only "combined"
	}
	if a.size == "-" {
		apache++ // %b; Nginx writes 0
	}
	if i := strings.LastIndexByte(a.vhost, ':'); i > 0 {
		apache++ // "%v:%p", Debian's vhost_combined
	}
	if a.request == "" || a.clients == "unix:" {
		nginx++
	}
	if a.request == "-" && a.status == "408" {
		apache++
	}
	switch a.status {
	case "499", "444", "494", "495", "496", "497":
		nginx++ // Nginx's own codes
	case "304":
		if a.size == "0" {
			nginx++
		}
	}
	if strings.Contains(a.extra, "urt=") || strings.Contains(a.extra, "upstream_") {
		nginx++ // what Nginx's own page shows of a format with the times of upstreams
	}
	if len(a.extra) > 2 && a.extra[0] == '"' && (a.extra == `"-"` || isIPList(strings.Trim(a.extra, `"`))) {
		nginx++ // log_format main of Nginx's own packages
	}
	return apache, nginx
}
