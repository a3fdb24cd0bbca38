package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// winlog is one Windows event while ECS fields are derived from its winlog.* fields,
// as Elastic's integrations do for the Security, Sysmon and PowerShell channels. Unlike
// theirs, fields are added and none is moved: winlog.event_data.* stays whole, since
// Sigma rules read it. A value "-", which is Windows' word for none, is no value.
type winlog struct {
	b        *event.Batch
	channel  string
	provider string
	task     string // its name, if known
	sid      string // winlog.user.identifier
	id       uint32
	keep     bool // the event may have ECS fields of its own, which stay
	data     []datum
	text     []byte // scratch
}

// datum is one value of EventData or UserData.
type datum struct{ name, value string }

// winEvent is what is known of an event id of a provider.
type winEvent struct {
	id         uint32
	categories string // blank between several
	types      string
	action     string
	who        who
	title      string // first words of the message
}

// who says whose names the data of a Security event holds.
type who uint8

const (
	bySubject   who = 1 << iota // Subject… acts: user.*
	ofAccount                   // Target… is the account that logs on or off: user.*
	onTarget                    // Target… is acted upon: user.target.*
	asEffective                 // Target… is whose rights are used: user.effective.*
	onGroup                     // Target… is a group, Member… whom it is about
	onMachine                   // Target… is a computer's account
)

func indexEvents(rows []winEvent) map[uint32]*winEvent {
	m := make(map[uint32]*winEvent, len(rows))
	for i := range rows {
		m[rows[i].id] = &rows[i]
	}
	return m
}

func (w *winlog) begin(b *event.Batch, channel, provider string, id uint32, sid string) {
	w.b, w.channel, w.provider, w.id, w.sid, w.keep = b, channel, provider, id, sid, false
	w.data = w.data[:0]
}

// release lets go of everything but scratch memory.
func (w *winlog) release() {
	clear(w.data[:cap(w.data)])
	*w = winlog{data: w.data[:0], text: w.text[:0]}
}

// addWinlogECS adds what follows from the winlog.* fields of the event being built,
// for documents that an agent has collected. Fields the event has already stay.
func addWinlogECS(b *event.Batch, clock *timestamp.Clock) {
	e := b.Event()
	var w winlog
	var id, dataset, level, name, domain string
	var few [64]datum
	data := few[:0]
	for i := range e.Fields {
		f := &e.Fields[i]
		switch f.Name {
		case "winlog.channel":
			w.channel = f.Value
		case "winlog.provider_name":
			w.provider = f.Value
		case "winlog.event_id", "event.code":
			id = f.Value
		case "winlog.user.identifier":
			w.sid = f.Value
		case "winlog.task":
			w.task = f.Value
		case "winlog.user.name":
			name = f.Value
		case "winlog.user.domain":
			domain = f.Value
		case "winlog.level":
			level = f.Value
		case "event.dataset":
			dataset = f.Value
		case "winlog.time_created":
			if ns, n, ok := clock.ISO(f.Value); ok && n == len(f.Value) {
				e.Time = ns
			}
		default:
			name, ok := strings.CutPrefix(f.Name, "winlog.event_data.")
			if !ok {
				name, ok = strings.CutPrefix(f.Name, "winlog.user_data.")
			}
			if ok {
				data = append(data, datum{name, f.Value})
			}
		}
	}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || w.channel == "" && w.provider == "" {
		return
	}
	w.b, w.id, w.data, w.keep = b, uint32(n), data, true
	switch dataset {
	case "", "json", "generic":
		dataset = winlogDataset(w.channel)
		b.Set("event.dataset", dataset)
	}
	w.put("event.module", moduleOf(dataset))
	w.put("event.code", id)
	w.put("event.kind", "event")
	w.put("event.provider", w.provider)
	w.put("host.name", e.Get("winlog.computer_name"))
	w.put("log.level", w.lower(level))
	for i := range keywordNames {
		if keywordNames[i].outcome != "" && e.Get("winlog.keywords") == keywordNames[i].name {
			w.put("event.outcome", keywordNames[i].outcome)
		}
	}
	w.addECS(w.kind())
	if w.provider != "Microsoft-Windows-Sysmon" { // there it is Sysmon's own account
		w.person(plainUser, name, domain, "")
	}
}

// kind is what is known of the event's id in its channel, or nil.
func (w *winlog) kind() *winEvent {
	switch {
	case w.isSQLAudit():
		return &sqlAuditEvent
	case strings.EqualFold(w.channel, "Security"):
		if w.provider == "AD FS Auditing" {
			return nil // its ids are others
		}
		return securityEvents[w.id]
	case w.isSysmon():
		return sysmonEvents[w.id]
	case w.isPowerShell():
		return powershellEvents[w.id]
	case w.isPowerShellClassic():
		return powershellClassicEvents[w.id]
	}
	if table := serviceEvents[w.provider]; table != nil {
		return table.events[w.id]
	}
	return nil
}

func (w *winlog) isSysmon() bool {
	return w.channel == channelSysmon || w.provider == "Microsoft-Windows-Sysmon" || w.provider == "Linux-Sysmon"
}

func (w *winlog) isPowerShell() bool {
	return w.channel == channelPowerShell || w.provider == "Microsoft-Windows-PowerShell" || w.provider == "PowerShellCore"
}

func (w *winlog) isPowerShellClassic() bool {
	return w.provider == "PowerShell" || w.channel == "Windows PowerShell"
}

// category is the first event.category that an event of the kind gets.
func (ev *winEvent) category() string {
	if ev == nil {
		return ""
	}
	first, _, _ := strings.Cut(ev.categories, " ")
	return first
}

// addECS is the way of every event of a known kind, or of none, be it of a file or of a document.
func (w *winlog) addECS(ev *winEvent) {
	switch {
	case w.isSQLAudit():
		w.classify(ev)
		w.sqlAudit()
	case strings.EqualFold(w.channel, "Security"):
		if w.provider != "AD FS Auditing" {
			w.security(ev)
		}
	case w.isSysmon():
		w.classify(ev)
		w.sysmon()
	case w.isPowerShell():
		w.powershell(ev)
	case w.isPowerShellClassic():
		w.powershellClassic(ev)
	default:
		if ev != nil {
			w.classify(ev)
			serviceEvents[w.provider].add(w)
		}
		w.ownAccount()
	}
	if (ev == nil || ev.action == "") && ev != &sqlAuditEvent {
		w.put("event.action", w.task)
	}
	if w.provider == "Linux-Sysmon" {
		w.put("host.os.type", "linux")
	} else {
		w.put("host.os.family", "windows")
		w.put("host.os.type", "windows")
	}
	w.message(ev)
}

// ownAccount gives an event whose data names nobody the account that Windows noted for it.
func (w *winlog) ownAccount() {
	if w.sid != "" {
		w.put("user.id", w.sid)
	}
}

// classify adds what the table says of an event id.
func (w *winlog) classify(ev *winEvent) {
	if ev == nil {
		return
	}
	if !w.keep || !w.b.Event().Has("event.category") {
		for c := range strings.SplitSeq(ev.categories, " ") {
			w.b.Add("event.category", c)
		}
		for t := range strings.FieldsSeq(ev.types) {
			w.b.Add("event.type", t)
		}
	}
	if ev.action != "" {
		w.b.Set("event.action", ev.action) // an agent puts the task there
	}
}

// get is the first value of the named datum, "" if there is none.
func (w *winlog) get(name string) string {
	for i := range w.data {
		if w.data[i].name == name {
			if v := w.data[i].value; v != "-" {
				return v
			}
			return ""
		}
	}
	return ""
}

// first is the first value there is of several data.
func (w *winlog) first(names ...string) string {
	for _, n := range names {
		if v := w.get(n); v != "" {
			return v
		}
	}
	return ""
}

// put adds a field; no value is no field.
func (w *winlog) put(name, value string) {
	if value == "" || value == "-" || w.keep && w.b.Event().Has(name) {
		return
	}
	w.b.Add(name, value)
}

// outcome adds what the id says of success, where the keywords said nothing.
func (w *winlog) outcome(value string) {
	if !w.b.Event().Has("event.outcome") {
		w.b.Add("event.outcome", value)
	}
}

// copy adds a datum under the name of a field.
func (w *winlog) copy(field, datum string) { w.put(field, w.get(datum)) }

// number adds a number written in decimal digits or, with 0x, in hexadecimal.
func (w *winlog) number(field, value string) {
	if value == "" || w.keep && w.b.Event().Has(field) {
		return
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), base(value), 63); err == nil {
		w.b.AddInt(field, int64(n))
	}
}

func base(s string) int {
	if strings.HasPrefix(s, "0x") {
		return 16
	}
	return 10
}

func (w *winlog) bool(field, value string) {
	switch value {
	case "true", "false":
		if !w.keep || !w.b.Event().Has(field) {
			w.b.AddBool(field, value == "true")
		}
	}
}

// end adds the address and port of one end of a connection, "source" or "destination".
func (w *winlog) end(side, ip, port string) {
	if ip == "LOCAL" { // of a session at the console
		ip = "127.0.0.1"
	}
	address, at := "source.ip", "source.port"
	if side == "destination" {
		address, at = "destination.ip", "destination.port"
	}
	if ipVersion(ip) == 0 || w.keep && w.b.Event().Has(address) {
		return
	}
	w.b.Add(address, plainIP(ip))
	addPort(w.b, at, port)
}

// persona are the fields of an account in one of its roles.
type persona struct{ name, domain, id string }

func personaOf(set string) *persona { return &persona{set + ".name", set + ".domain", set + ".id"} }

var (
	plainUser       = personaOf("user")
	targetUser      = personaOf("user.target")
	effectiveUser   = personaOf("user.effective")
	sourceUser      = personaOf("source.user")
	destinationUser = personaOf("destination.user")
)

// person adds an account. Its name may be a principal's, name@domain.
func (w *winlog) person(p *persona, name, domain, id string) {
	if i := strings.IndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	w.put(p.name, name)
	w.put(p.domain, domain)
	if id != "S-1-0-0" { // nobody
		w.put(p.id, id)
	}
}

// logonName adds an account written DOMAIN\name, name@domain or name.
func (w *winlog) logonName(p *persona, full string) {
	if full == "" || full == "-" {
		return
	}
	if i := strings.LastIndexByte(full, '\\'); i >= 0 {
		w.person(p, full[i+1:], full[:i], "")
		return
	}
	if name, domain, ok := strings.Cut(full, "@"); ok {
		w.person(p, name, domain, "")
		return
	}
	w.person(p, full, "", "")
}

// image adds a program's path and the name at its end.
func (w *winlog) image(set, path string) {
	if path == "" || path == "-" {
		return
	}
	name := path[strings.LastIndexByte(path, '\\')+1:]
	if len(name) == len(path) {
		name = path[strings.LastIndexByte(path, '/')+1:] // Sysmon for Linux
	}
	if set == "process" {
		w.put("process.executable", path)
		w.put("process.name", name)
	} else {
		w.put("process.parent.executable", path)
		w.put("process.parent.name", name)
	}
}

// file adds a file's path and its parts.
func (w *winlog) file(path string) {
	if path == "" || path == "-" || w.keep && w.b.Event().Has("file.path") {
		return
	}
	w.b.Add("file.path", path)
	i := strings.LastIndexByte(path, '\\')
	if i < 0 {
		return
	}
	name := path[i+1:]
	w.put("file.name", name)
	w.put("file.directory", path[:i])
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		w.put("file.extension", name[dot+1:])
	}
}

const maxArgs = 512

// commandLine adds a command line and its arguments, split as the C run-time
// of Windows does (CommandLineToArgvW).
func (w *winlog) commandLine(set, line string) {
	if line == "" {
		return
	}
	names := &processNames
	if set != "process" {
		names = &parentNames
	}
	w.put(names.line, line)
	if w.keep && w.b.Event().Has(names.args) {
		return
	}
	n := 0
	for rest := line; n < maxArgs; n++ {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			break
		}
		var arg string
		arg, rest = w.argument(rest)
		w.b.AddKind(names.args, arg, event.String)
	}
	w.b.AddInt(names.count, int64(n))
}

var (
	processNames = struct{ line, args, count string }{"process.command_line", "process.args", "process.args_count"}
	parentNames  = struct{ line, args, count string }{"process.parent.command_line", "process.parent.args", "process.parent.args_count"}
)

// argument takes the first argument off a command line that begins with one.
func (w *winlog) argument(s string) (arg, rest string) {
	if i := strings.IndexAny(s, " \t\"\\"); i < 0 {
		return s, ""
	} else if s[i] == ' ' || s[i] == '\t' {
		return s[:i], s[i+1:]
	}
	quoted, slashes, changed := false, 0, false
	out := w.text[:0]
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if (c == ' ' || c == '\t') && !quoted {
			break
		}
		switch c {
		case '\\':
			slashes++
			out = append(out, c)
			continue
		case '"':
			changed = true
			out = out[:len(out)-slashes+slashes/2]
			if slashes%2 == 1 {
				out = append(out, '"')
			} else if quoted && i+1 < len(s) && s[i+1] == '"' {
				out = append(out, '"')
				i++
				quoted = false
			} else {
				quoted = !quoted
			}
		default:
			out = append(out, c)
		}
		slashes = 0
	}
	w.text = out[:0]
	if i < len(s) {
		rest = s[i+1:]
	}
	switch {
	case !changed:
		return s[:i], rest
	case i >= 2 && s[0] == '"' && len(out) == i-2 && s[i-1] == '"':
		return s[1 : i-1], rest
	}
	return w.b.Bytes(out), rest
}
