package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Records with names of their own (JSON lines, CSV columns) say the same few
// things under many names. The alias table gives the ECS field for those that
// are unambiguous; the record's own field is kept beside it.

// timeRank is the rank of a name as that of a time, 0 for none.
func timeRank(name string) int32 {
	key := plainName(name)
	if key == "" {
		return 0
	}
	if name[0] == '@' {
		key = "@" + key
		if key != "@timestamp" {
			key = key[1:]
		}
	}
	if r := timeNames[key]; r > 0 {
		return r
	}
	if strings.HasSuffix(key, "timestamp") || endsIn(key, "timestampms", "timestampns", "timestampus", "timestampmillis") || strings.HasSuffix(key, "datetime") || strings.HasSuffix(name, "_time") || strings.HasSuffix(name, "Time") || strings.HasSuffix(name, "_at") {
		return 20
	}
	return 0
}

// plainName is a name in lower case without the signs that styles differ in.
func plainName(name string) string {
	if len(name) > 40 {
		return ""
	}
	plain := true
	for i := range len(name) {
		if c := name[i]; c < '0' || '9' < c && c < 'a' {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	var few [40]byte
	out := few[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == ' ' || c == '@' || c == '.' || c == '/':
		case 'A' <= c && c <= 'Z':
			out = append(out, c|0x20)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// nameTag packs what a name stands for: the alias, the rank as a time, and how
// deep it is nested. It is the Tag of a Scanner.
func nameTag(path string) int32 {
	depth := int32(strings.Count(path, "."))
	last := path[strings.LastIndexByte(path, '.')+1:]
	rank := timeRank(last)
	key := plainName(last)
	a := aliases[key]
	switch path {
	case "@l": // Serilog's compact format (CLEF)
		a = aliasLevel
	case "@m", "@mt":
		a = aliasMessage
	case "@x", "Exception":
		a = aliasStack
	}
	if a == noAlias && depth > 0 {
		// "user.name", "http.method": the parent is part of the name.
		parent := path[:len(path)-len(last)-1]
		parent = parent[strings.LastIndexByte(parent, '.')+1:]
		a = aliases[plainName(parent+last)]
	}
	mention := int32(0)
	switch {
	case a == aliasUser || a == aliasUserID || a == aliasEmail || endsIn(key, "username", "user", "userid", "email", "upn", "userprincipalname", "samaccountname", "login", "accountname",
		"ownerid", "operatorid", "actorid", "authorid", "creatorid", "requesterid", "initiatorid", "assigneeid", "useruid", "usersid", "accountsid", "emailaddress", "emailaddr", "mailaddress") || namesPerson(path, key):
		mention = tagUser
	case a == aliasHost || a == aliasDomain || endsIn(key, "hostname", "host", "computername", "machinename", "devicename", "fqdn", "domain", "dnsname", "netbiosname", "endpointname", "servername",
		"workstation", "workstationname", "queryname", "qname") || namesMachine(path, key):
		mention = tagHost
	}
	if depth > 0 {
		switch a { // too general, where it is not the record that they speak of
		case aliasStatus, aliasURL: // but of a request and its response
			parent := path[:len(path)-len(last)-1]
			switch parent[strings.LastIndexByte(parent, '.')+1:] {
			case "res", "response", "Response", "req", "request", "Request":
			default:
				if aliases[key] == a {
					a = noAlias
				}
			}
		case aliasHost, aliasAction, aliasOutcome, aliasProcess, aliasFile, aliasDomain, aliasError, aliasService, aliasTransport, aliasPID, aliasEmail:
			if aliases[key] == a {
				a = noAlias
			}
		}
	}
	tag := int32(a) | rank<<8 | min(depth, 15)<<16 | mention
	if displaced(path) {
		tag |= tagDisplaced
	}
	return tag
}

const (
	tagDisplaced = 1 << 20
	tagUser      = 1 << 21 // the last part of the name is that of a user
	tagHost      = 1 << 22 // of a host
)

func endsIn(s string, ends ...string) bool {
	for _, e := range ends {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}

func tagAlias(tag int32) alias { return alias(tag & 0xff) }
func tagRank(tag int32) int32  { return tag >> 8 & 0xff }
func tagDepth(tag int32) int32 { return tag >> 16 & 15 }

// namedRecord adds records of named values: each value under its own name, and
// what the names stand for under the names of ECS.
type namedRecord struct {
	p      *Params
	prefix string // of displaced fields
	agents agentCache
}

// displaced reports whether a record's field cannot stay under its own name:
// every event has a field of that name of its own, or it is that of a set of ECS
// fields, which is an object and no value. Such a field goes below "json." or "csv.".
func displaced(name string) bool {
	switch name {
	case "@timestamp", "event.original", "event.id", "log.offset", "event.sequence", "error.message",
		"agent", "client", "cloud", "container", "data_stream", "destination", "device", "dns", "ecs", "email", "error", "event", "file", "group", "host",
		"http", "log", "network", "observer", "orchestrator", "organization", "package", "process", "registry", "related", "rule", "server",
		"service", "source", "span", "threat", "tls", "trace", "transaction", "url", "user", "user_agent", "vulnerability", "winlog", "json":
		return true
	}
	return false
}

// add adds a record of a format that has no names of its own, and reports
// whether a time was found.
func (d *namedRecord) add(leaves []event.Leaf, b *event.Batch) bool {
	timed := d.addTime(leaves, b)
	var seen [aliasNanoOfSecond + 1]*event.Leaf // the leaf of least depth for each alias
	for i := range leaves {
		l := &leaves[i]
		a := tagAlias(l.Name.Tag)
		if a == aliasStatus && l.Kind == event.String && l.Value != "" && !isDigit(l.Value[0]) {
			a = aliasOutcome // "status": "denied"
		}
		if a != noAlias && l.Kind != event.JSON && (seen[a] == nil || tagDepth(l.Name.Tag) < tagDepth(seen[a].Name.Tag)) && fits(a, l) {
			seen[a] = l
		}
		d.own(l, b)
	}
	d.addAliases(&seen, b)
	mentions := mentionPool.Get().(*mentions)
	mentions.add(leaves, b)
	mentionPool.Put(mentions)
	return timed
}

// own adds a leaf under its own name.
func (d *namedRecord) own(l *event.Leaf, b *event.Batch) {
	name := l.Name.Path
	if l.Name.Tag&tagDisplaced != 0 {
		if name == "@timestamp" {
			return // event.original has its text
		}
		var few [64]byte
		name = b.Bytes(append(append(few[:0], d.prefix...), name...))
	}
	if side, ok := strings.CutSuffix(name, ".ip"); ok && (side == "source" || side == "destination") && ipVersion(withoutZone(l.Value)) == 0 {
		name = b.Bytes(append([]byte(side), ".address"...)) // whatever else an agent was told
	}
	b.AddKind(name, l.Value, l.Kind)
}

// addTime sets the event's time from the best leaf that reads as one: by name,
// else by what it looks like.
func (d *namedRecord) addTime(leaves []event.Leaf, b *event.Batch) bool {
	e := b.Event()
	best := int32(1 << 30)
	clock := d.p.Clock
	before, chosen := clock.Quality, timestamp.Quality(0)
	for i := range leaves {
		l := &leaves[i]
		rank := tagRank(l.Name.Tag)
		if rank == 0 {
			continue
		}
		if rank += 32 * tagDepth(l.Name.Tag); rank >= best {
			continue
		}
		clock.Quality = 0
		ns, ok := d.time(l)
		if clock.Quality&timestamp.YearInferred != 0 { // any other, if there is one
			if rank += 1 << 20; rank >= best {
				continue
			}
		}
		if ok {
			e.Time, best, chosen = ns, rank, clock.Quality
		}
	}
	if clock.Quality = before; best < 1<<30 {
		clock.Quality |= chosen
		return true
	}
	var seconds *event.Leaf
	for i := range leaves {
		l := &leaves[i]
		switch a := tagAlias(l.Name.Tag); {
		case a == aliasEpochSecond && l.Kind == event.Number: // Log4j 2, "instant"
			if ns, ok := d.p.Clock.Epoch(l.Value); ok {
				e.Time, seconds = ns, l
			}
		case a == aliasNanoOfSecond && seconds != nil && isDigits(l.Value) && len(l.Value) <= 9:
			n := int64(0)
			for _, c := range []byte(l.Value) {
				n = n*10 + int64(c-'0')
			}
			e.Time += n
		case seconds == nil && l.Kind == event.String && tagDepth(l.Name.Tag) < 3 && len(l.Value) >= 19 && len(l.Value) < 48 && isDigit(l.Value[0]) && isDigit(l.Value[3]):
			if ns, n, ok := d.p.Clock.ISO(l.Value); ok && n == len(l.Value) {
				e.Time = ns
				return true
			}
		}
	}
	if seconds != nil || d.dateAndTime(leaves, e) || d.timeInText(leaves, e) {
		return true
	}
	d.p.Clock.NoTime()
	return false
}

// timeInText finds a time at the beginning of the text that a record carries, which may be another record.
func (d *namedRecord) timeInText(leaves []event.Leaf, e *event.Event) bool {
	for i := range leaves {
		l := &leaves[i]
		if l.Kind != event.String || len(l.Value) < 15 || tagDepth(l.Name.Tag) > 1 {
			continue
		}
		switch plainName(l.Name.Path[strings.LastIndexByte(l.Name.Path, '.')+1:]) {
		case "message", "msg", "rawmsg", "raw", "log", "logmessage", "rawlog", "original":
			finder := timeFinder{clock: d.p.Clock}
			if ns, _, ok := finder.find(l.Value); ok {
				e.Time = ns
				return true
			}
		}
	}
	return false
}

// dateAndTime reads a time that stands in two fields.
func (d *namedRecord) dateAndTime(leaves []event.Leaf, e *event.Event) bool {
	var date, clock string
	for i := range leaves {
		if l := &leaves[i]; l.Kind == event.String && len(l.Value) <= 20 {
			switch l.Name.Path {
			case "date", "Date", "DATE":
				date = l.Value
			case "time", "Time", "TIME":
				clock = l.Value
			}
		}
	}
	if date == "" || clock == "" {
		return false
	}
	var few [48]byte
	ns, ok := d.p.Clock.Any(string(append(append(append(few[:0], date...), ' '), clock...)))
	if ok {
		e.Time = ns
	}
	return ok
}

func (d *namedRecord) time(l *event.Leaf) (int64, bool) {
	switch l.Kind {
	case event.Number:
		v := l.Value
		if len(v) > 30 || len(v) < 9 {
			return 0, false
		}
		return d.p.Clock.Epoch(v)
	case event.String:
		v := l.Value
		if len(v) < 9 || len(v) > 64 {
			return 0, false
		}
		if v[0] == '[' && v[len(v)-1] == ']' || v[0] == ' ' || v[len(v)-1] == ' ' {
			v = strings.Trim(v, "[] ")
		}
		if cut, ok := strings.CutSuffix(v, " UTC"); ok && strings.LastIndexByte(cut, '+') > 10 {
			v = cut // Go's time.Time.String: the offset, and the zone's name behind it
		}
		if ns, n, ok := d.p.Clock.ISO(v); ok && n == len(v) {
			return ns, true
		}
		return d.p.Clock.Any(v)
	}
	return 0, false
}

// fits reports whether the value is of the kind that the alias promises, so
// that a name alone does not make an address of "web".
func fits(a alias, l *event.Leaf) bool {
	v := l.Value
	if v == "" {
		return false
	}
	switch a {
	case aliasSource, aliasDestination:
		return isIP(v) || hostPort(v)
	case aliasSourcePort, aliasDestinationPort:
		return isDigits(v) && len(v) <= 5
	case aliasPID:
		return isDigits(v) && len(v) <= 10
	case aliasSourceBytes, aliasDestinationBytes:
		return isDigits(v)
	case aliasStatus:
		return len(v) == 3 && isDigits(v) && '1' <= v[0] && v[0] <= '5'
	case aliasMethod:
		return isHTTPMethod(v)
	case aliasURL:
		return v[0] == '/' || strings.Contains(v, "://")
	case aliasFile:
		return v[0] == '/' || len(v) > 3 && v[1] == ':' && v[2] == '\\' || strings.HasPrefix(v, `\\`)
	case aliasLevel:
		return l.Kind == event.String && len(v) <= 16 || l.Kind == event.Number && len(v) == 2 && v[1] == '0'
	case aliasHost:
		return isHost(v) || isIP(v)
	case aliasDomain:
		host, _ := splitPort(v)
		return isHostOrIP(host) && l.Kind == event.String
	case aliasTransport:
		return transport(v) != ""
	case aliasAction:
		return l.Kind == event.String && len(v) <= 128
	case aliasOutcome:
		return outcome(v) != ""
	case aliasMD5:
		return isHash(v, 32)
	case aliasSHA1:
		return isHash(v, 40)
	case aliasSHA256:
		return isHash(v, 64)
	case aliasUser, aliasMessage, aliasProcess, aliasLogger, aliasService, aliasCommand, aliasError, aliasStack, aliasAgent, aliasReferrer, aliasTrace, aliasSpan:
		return l.Kind == event.String && v != "-"
	case aliasEmail:
		return strings.Contains(v, "@")
	}
	return true
}

func hostPort(v string) bool {
	host, port := splitPort(v)
	return port != "" && isIP(host)
}

func isHTTPMethod(v string) bool {
	switch v {
	case "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND":
		return true
	}
	return false
}

func transport(v string) string {
	switch v {
	case "TCP", "tcp", "6":
		return "tcp"
	case "UDP", "udp", "17":
		return "udp"
	case "ICMP", "icmp", "1":
		return "icmp"
	case "IPv6-ICMP", "ipv6-icmp", "ICMPv6", "icmp6", "58":
		return "ipv6-icmp"
	case "SCTP", "sctp", "132":
		return "sctp"
	case "GRE", "gre", "47":
		return "gre"
	}
	return ""
}

// outcome is ECS's word for what records call a success or a failure.
func outcome(v string) string {
	if len(v) > 12 {
		return ""
	}
	var few [12]byte
	word := append(few[:0], v...)
	for i := range word {
		if 'A' <= word[i] && word[i] <= 'Z' {
			word[i] |= 0x20
		}
	}
	switch string(word) {
	case "success", "succeeded", "successful", "ok", "true", "allow", "allowed", "accepted", "granted", "passed", "pass", "yes", "1":
		return "success"
	case "failure", "failed", "fail", "error", "false", "deny", "denied", "rejected", "blocked", "unauthorized", "no", "0":
		return "failure"
	}
	return ""
}

func isHash(v string, n int) bool {
	if len(v) != n {
		return false
	}
	for i := range len(v) {
		if unhex(v[i]) > 15 {
			return false
		}
	}
	return true
}

// level is a level's name in lower case; the numbers are Bunyan's and pino's.
func level(l *event.Leaf, b *event.Batch) string {
	if l.Kind == event.Number {
		switch l.Value {
		case "10":
			return "trace"
		case "20":
			return "debug"
		case "30":
			return "info"
		case "40":
			return "warn"
		case "50":
			return "error"
		case "60":
			return "fatal"
		}
		return ""
	}
	return lower(l.Value, b)
}

// lower is s in lower case (ASCII), in the arena where it has to change.
func lower(s string, b *event.Batch) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			var few [64]byte
			out := append(few[:0], s...)
			for j := range out {
				if 'A' <= out[j] && out[j] <= 'Z' {
					out[j] |= 0x20
				}
			}
			return b.Bytes(out)
		}
	}
	return s
}

// addAliases adds the ECS fields of what was found, where the record has not
// got them under that very name.
func (d *namedRecord) addAliases(seen *[aliasNanoOfSecond + 1]*event.Leaf, b *event.Batch) {
	text := func(a alias, name string) {
		if l := seen[a]; l != nil && l.Name.Path != name {
			b.Add(name, l.Value)
		}
	}
	number := func(a alias, name string) {
		if l := seen[a]; l != nil && l.Name.Path != name {
			b.AddNumber(name, l.Value)
		}
	}
	if l := seen[aliasMessage]; l != nil && l.Name.Path != "message" {
		b.Add("message", l.Value)
	}
	if l := seen[aliasLevel]; l != nil && l.Name.Path != "log.level" {
		b.Add("log.level", level(l, b))
	}
	d.peer(seen[aliasSource], "source", b)
	number(aliasSourcePort, "source.port")
	number(aliasSourceBytes, "source.bytes")
	d.peer(seen[aliasDestination], "destination", b)
	number(aliasDestinationPort, "destination.port")
	number(aliasDestinationBytes, "destination.bytes")
	if l := seen[aliasTransport]; l != nil && l.Name.Path != "network.transport" {
		b.Add("network.transport", transport(l.Value))
	}
	text(aliasUser, "user.name")
	text(aliasUserID, "user.id")
	text(aliasEmail, "user.email")
	if l := seen[aliasHost]; l != nil && (seen[aliasMethod] == nil || plainName(l.Name.Path) != "host") {
		text(aliasHost, "host.name")
	} else if seen[aliasDomain] == nil {
		seen[aliasDomain] = l // the Host header of a request
	}
	text(aliasProcess, "process.name")
	number(aliasPID, "process.pid")
	text(aliasCommand, "process.command_line")
	text(aliasLogger, "log.logger")
	text(aliasService, "service.name")
	text(aliasFile, "file.path")
	text(aliasMD5, "file.hash.md5")
	text(aliasSHA1, "file.hash.sha1")
	text(aliasSHA256, "file.hash.sha256")
	text(aliasStack, "error.stack_trace")
	text(aliasTrace, "trace.id")
	text(aliasSpan, "span.id")
	text(aliasAction, "event.action")
	if l := seen[aliasOutcome]; l != nil {
		b.Add("event.outcome", outcome(l.Value))
	}
	web := d.addHTTP(seen, b)
	switch source := seen[aliasSource]; {
	case web:
		b.Add("event.category", "web")
	case seen[aliasAction] != nil && isLogin(seen[aliasAction].Value):
		b.Add("event.category", "authentication")
	case source != nil && seen[aliasDestination] != nil:
		b.Add("event.category", "network")
	}
}

// addHTTP reports whether the record is of a request.
func (d *namedRecord) addHTTP(seen *[aliasNanoOfSecond + 1]*event.Leaf, b *event.Batch) bool {
	if l := seen[aliasAgent]; l != nil && l.Name.Path != "user_agent.original" {
		d.agents.add(l.Value, b)
	}
	method, target := "", ""
	if l := seen[aliasMethod]; l != nil {
		method = l.Value
		if l.Name.Path != "http.request.method" {
			b.Add("http.request.method", method)
		}
	}
	if l := seen[aliasURL]; l != nil && l.Name.Path != "url.original" && l.Name.Path != "url.path" {
		target = l.Value
	}
	if l := seen[aliasRequest]; l != nil { // "GET /x HTTP/1.1", or what is asked for
		verb, rest, _ := strings.Cut(l.Value, " ")
		rest, version, _ := strings.Cut(rest, " HTTP/")
		switch {
		case method == "" && webMethods[verb] && isWebTarget(verb, rest):
			method, target = verb, rest
			b.Add("http.request.method", method)
			b.Add("http.version", version)
		case method != "" && target == "" && isWebTarget(method, l.Value):
			target = l.Value
		}
	}
	if method == "" {
		return false // "status" and "path" say many things elsewhere
	}
	if l := seen[aliasQuery]; l != nil && strings.HasPrefix(l.Value, "?") && target != "" && strings.IndexByte(target, '?') < 0 {
		target = b.Bytes(append([]byte(target), l.Value...))
	}
	if l := seen[aliasStatus]; l != nil && l.Name.Path != "http.response.status_code" {
		b.AddNumber("http.response.status_code", l.Value)
		if seen[aliasOutcome] == nil {
			if l.Value[0] < '4' {
				b.Add("event.outcome", "success")
			} else {
				b.Add("event.outcome", "failure")
			}
		}
	}
	domain := ""
	if l := seen[aliasDomain]; l != nil {
		domain, _ = splitPort(l.Value)
	}
	if target != "" {
		addTarget(target, domain, b)
	} else {
		b.Add("url.domain", domain)
	}
	if l := seen[aliasReferrer]; l != nil && l.Name.Path != "http.request.referrer" {
		b.Add("http.request.referrer", l.Value)
	}
	return true
}

// peer adds an address, with the port that may stand behind it.
func (d *namedRecord) peer(l *event.Leaf, side string, b *event.Batch) {
	if l == nil || strings.HasPrefix(l.Name.Path, side+".") {
		return
	}
	host, port := splitPort(l.Value)
	if side == "source" {
		b.Add("source.address", host)
		if isIP(host) {
			b.Add("source.ip", withoutZone(host))
		}
		b.AddNumber("source.port", port)
		return
	}
	b.Add("destination.address", host)
	if isIP(host) {
		b.Add("destination.ip", withoutZone(host))
	}
	b.AddNumber("destination.port", port)
}

// isLogin reports whether an action is one of authentication.
func isLogin(action string) bool {
	for _, w := range [...]string{"login", "logon", "log_in", "signin", "sign_in", "logout", "logoff", "auth"} {
		if len(action) >= len(w) && containsFold(action, w) {
			return true
		}
	}
	return false
}

// containsFold reports whether s holds the lower-case ASCII word w in any case.
func containsFold(s, w string) bool {
	for i := 0; i+len(w) <= len(s); i++ {
		if s[i]|0x20 == w[0] && strings.EqualFold(s[i:i+len(w)], w) {
			return true
		}
	}
	return false
}
