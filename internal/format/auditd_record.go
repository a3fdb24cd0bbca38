package format

import (
	"cmp"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// auditRecord decodes the body of one record of an event.
type auditRecord struct {
	*auditEvent
	b    *event.Batch
	typ  string
	kind auditUsers
	old  string // "old", "new" before a key

	auid, before string // login id, and the one it replaces
	uid, id      string
	acct         string
}

// decode reads the words and pairs of a body.
func (r *auditRecord) decode(s string) {
	s, words, _ := strings.Cut(s, "\x1d") // log_format=ENRICHED: the same in words
	for n := 0; s != "" && n < 4096; n++ {
		s = strings.TrimLeft(s, " ,")
		i := 0
		for i < len(s) && (isWordByte(s[i]) || s[i] == '-' || s[i] == '[' || s[i] == ']') {
			i++
		}
		switch {
		case i == 0 || i == len(s) || s[i] != '=':
			word, rest, _ := strings.Cut(s, " ")
			switch {
			case word == "avc:":
				rest = r.avc(rest)
			case word == "old" || word == "new":
				r.old = word + "_"
			case len(rest) == len(s): // no blank: nothing to get past
				rest = ""
			}
			s = rest
			continue
		case s[:i] == "msg" && i+1 < len(s) && s[i+1] == '\'':
			s = s[i+2:]
			if end := strings.LastIndexByte(s, '\''); end >= 0 {
				s = s[:end]
			}
			continue
		}
		key := s[:i]
		var value string
		var quoted bool
		if key == "proctitle" && r.typ == "PROCTITLE" && strings.IndexByte(s, ' ') > 0 && s[i+1] != '"' { // as ausearch -i shows it
			value, s = s[i+1:], ""
		} else {
			value, s, quoted = auditValue(s[i+1:])
		}
		if !quoted && (value == "" || value == "?") {
			continue
		}
		if r.old != "" {
			key, r.old = r.old+key, ""
		}
		r.pair(key, value, quoted)
	}
	r.users()
	r.enriched(words)
}

// auditValue cuts the value at the start of s. A bare one goes on over blanks
// until a key follows.
func auditValue(s string) (v, rest string, quoted bool) {
	if s != "" && s[0] == '"' {
		if end := strings.IndexByte(s[1:], '"'); end >= 0 {
			return s[1 : 1+end], s[end+2:], true
		}
	}
	end := strings.IndexByte(s, ' ')
	if end < 0 {
		return strings.TrimSuffix(s, "'"), "", false
	}
	if end == 0 {
		return "", s, false
	}
	for i := end; i < len(s) && i-end < 256; {
		j := i
		for j < len(s) && s[j] == ' ' {
			j++
		}
		k := j
		for k < len(s) && s[k] != ' ' && s[k] != '=' {
			k++
		}
		if k < len(s) && s[k] == '=' {
			return strings.TrimRight(s[:i], " "), s[i:], false
		}
		if k-j >= 3 && (s[j:k] == "old" || s[j:k] == "new") { // "old auid=700 new auid=700"
			return s[:i], s[i:], false
		}
		i = k
	}
	return s[:end], s[end:], false
}

// avc reads " denied  { read write } for …" behind "avc:".
func (r *auditRecord) avc(s string) string {
	s = strings.TrimLeft(s, " ")
	verdict, rest, ok := strings.Cut(s, " ")
	if !ok || verdict != "denied" && verdict != "granted" {
		return s
	}
	r.b.Add("auditd.log.avc.action", verdict)
	if r.outcome = "success"; verdict == "denied" {
		r.outcome = "failure"
	}
	if in, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), "{"); ok {
		if what, after, ok := strings.Cut(in, "}"); ok {
			r.b.Add("auditd.log.avc.request", strings.TrimSpace(what))
			rest = strings.TrimPrefix(strings.TrimLeft(after, " "), "for ")
		}
	}
	return rest
}

// auditFields are the keys that ECS has a name for.
var auditFields = map[string]string{
	"auid": "user.audit.id", "uid": "user.id", "euid": "user.effective.id", "suid": "user.saved.id", "fsuid": "user.filesystem.id",
	"gid": "user.group.id", "egid": "user.effective.group.id", "sgid": "user.saved.group.id", "fsgid": "user.filesystem.group.id",
	"ouid": "user.owner.id", "ogid": "user.owner.group.id", "terminal": "user.terminal",
}

func (r *auditRecord) pair(key, value string, quoted bool) {
	b := r.b
	if !quoted && auditHex[key] {
		value = auditUnhex(value, b)
	}
	switch key {
	case "pid":
		r.number("process.pid", value)
		return
	case "ppid":
		r.number("process.parent.pid", value)
		return
	case "exit":
		if isDigits(strings.TrimPrefix(value, "-")) {
			b.AddNumber("process.exit_code", value)
		} else {
			b.Add("auditd.log.exit", value)
		}
		return
	case "exe":
		if r.exe == "" {
			r.exe = value
		}
		return
	case "comm":
		b.Set("process.name", value) // not the daemon that sent the record to syslog
		return
	case "cwd":
		r.cwd = value
		return
	case "proctitle":
		r.title = auditWords(value, b)
		return
	case "cmd":
		for arg := range strings.FieldsSeq(value) {
			r.args = append(r.args, arg)
		}
		return
	case "argc":
		return
	case "success":
		r.outcome = auditOutcome(value)
		b.AddBool("auditd.log.success", r.outcome == "success")
		return
	case "res", "result":
		if o := auditOutcome(value); o != "" {
			r.outcome = o
			return
		}
	case "apparmor":
		if value == "DENIED" {
			r.outcome = "failure"
		} else if value == "ALLOWED" || value == "AUDIT" {
			r.outcome = "success"
		}
	case "arch":
		if a, ok := auditArches[value]; ok {
			b.Add("host.architecture", a.name)
		}
		r.arch = value
		return
	case "syscall":
		b.Add("auditd.log.syscall", value)
		name := value
		if isDigits(value) {
			name = syscallName(r.arch, value)
		}
		r.call(name)
		return
	case "addr":
		b.Add("source.address", value)
		if isIP(value) {
			b.Add("source.ip", plainIP(value))
		}
		return
	case "src":
		addSource(b, value, "")
		return
	case "dst":
		b.Add("destination.address", value)
		if isIP(value) {
			b.Add("destination.ip", plainIP(value))
		}
		return
	case "acct":
		if value != "?" {
			r.acct = value
		}
		return
	case "id":
		r.id = value
	case "key":
		if value != "(null)" {
			for k := range strings.SplitSeq(value, "\x01") {
				b.Add("auditd.log.key", k)
			}
		}
		return
	case "saddr":
		if value == "{" { // ausearch -i: "saddr={ saddr_fam=inet laddr=192.0.2.9 lport=8080 }"
			r.spelt = true
			return
		}
		r.socket = value
	case "laddr":
		if r.spelt {
			r.peer = value
			return
		}
	case "name":
		if r.typ == "PATH" {
			r.paths = append(r.paths, value)
		}
	case "nametype":
		if value == "PARENT" && r.typ == "PATH" && len(r.paths) > 0 {
			r.paths = r.paths[:len(r.paths)-1]
		}
	case "auid", "new_auid":
		r.auid = value
	case "old_auid", "old-auid":
		r.before = value
	case "uid":
		if r.kind != auditPlain {
			r.uid = value
			b.Add("auditd.log.uid", value)
			return
		}
	case "virt":
		b.Add("container.runtime", value)
	case "vm":
		b.Add("container.name", value)
	case "user":
		b.Add("user.name", value)
		return
	case "lport":
		if r.spelt {
			r.peerPort = value
			return
		}
		b.AddNumber("auditd.log.lport", value)
		return
	case "entries", "rport", "ksize", "src_prefixlen", "dst_prefixlen":
		b.AddNumber("auditd.log."+key, value)
		return
	case "key_enforce":
		b.AddBool("auditd.log.key_enforce", value == "1")
		return
	case "data":
		value = caretControls(value, b)
	}
	if r.typ == "EXECVE" {
		if r.argument(key, value, quoted) {
			return
		}
	} else if len(key) == 2 && key[0] == 'a' && isDigit(key[1]) && r.exec {
		return // pointers, beside the arguments themselves
	}
	if name, ok := auditFields[key]; ok {
		addAuditAccount(b, name, value)
		return
	}
	b.Add(auditOwn(key, b), value)
}

func (r *auditRecord) number(name, value string) {
	if isDigits(value) && r.b.Event().Get(name) != value { // a syslog tag may have said it
		r.b.AddNumber(name, value)
	}
}

// call notes the name of the system call, and which way data goes.
func (r *auditRecord) call(name string) {
	r.syscall = name
	r.b.Add("auditd.log.syscall_name", name)
	switch name {
	case "connect", "sendto", "sendmsg", "sendmmsg":
		r.b.Add("network.direction", "egress")
	case "accept", "accept4", "recvfrom", "recvmsg", "recvmmsg":
		r.b.Add("network.direction", "ingress")
	}
}

const maxAuditArgs = 2000

// argument takes "a0", "a1[2]" and "a1_len" of an EXECVE record.
func (r *auditRecord) argument(key, value string, quoted bool) bool {
	if len(key) < 2 || key[0] != 'a' || !isDigit(key[1]) {
		return false
	}
	if strings.HasSuffix(key, "_len") {
		return true
	}
	if !quoted {
		value = auditUnhex(value, r.b)
	}
	i := strings.IndexByte(key, '[')
	if i > 0 && len(r.args) > 0 && key[i:] != "[0]" {
		last := &r.args[len(r.args)-1] // a long argument comes in pieces
		if len(*last) < MaxRecord {
			*last += value
		}
		return true
	}
	if len(r.args) < maxAuditArgs {
		r.args = append(r.args, value)
		if len(key) <= 3 {
			r.b.Add(auditOwn(key, r.b), value)
		}
	}
	return true
}

// users adds the accounts, which each type of record names in its own way: most
// say who acts (uid), those of PAM and of account tools on whom.
func (r *auditRecord) users() {
	b := r.b
	switch r.kind {
	case auditPlain:
		b.Add("user.name", r.acct)
	case auditSession:
		addAuditAccount(b, "user.id", r.auid)
		b.Add("user.name", r.acct)
		b.Add("user.effective.name", r.acct)
	case auditLogin:
		id := cmp.Or(r.id, r.auid)
		addAuditAccount(b, "user.id", cmp.Or(r.before, id))
		addAuditAccount(b, "user.effective.id", id)
		b.Add("user.name", r.acct)
		b.Add("user.effective.name", r.acct)
	case auditAccount:
		addAuditAccount(b, "user.id", r.auid)
		addAuditAccount(b, "user.effective.id", r.uid)
		addAuditAccount(b, "user.target.id", r.id)
		b.Add("user.name", r.acct)
		b.Add("user.target.name", r.acct)
	case auditGroup:
		addAuditAccount(b, "user.id", r.auid)
		addAuditAccount(b, "user.effective.id", r.uid)
		addAuditAccount(b, "group.id", r.id)
		b.Add("group.name", r.acct)
	}
}

// addAuditAccount adds an account by its number, or by the name that ausearch -i shows instead.
func addAuditAccount(b *event.Batch, name, value string) {
	if object, ok := strings.CutSuffix(name, ".id"); ok && value != "" && !isDigits(value) && value != "-1" {
		if value != "unset" && value != "?" && !strings.HasPrefix(value, "unknown(") {
			b.Add(auditNames[object], value)
		}
		return
	}
	b.Add(name, value)
}

// auditNames are the names of what the fields of auditFields number.
var auditNames = map[string]string{
	"user": "user.name", "user.audit": "user.audit.name", "user.effective": "user.effective.name", "user.saved": "user.saved.name", "user.filesystem": "user.filesystem.name",
	"user.group": "user.group.name", "user.effective.group": "user.effective.group.name", "user.saved.group": "user.saved.group.name",
	"user.filesystem.group": "user.filesystem.group.name", "user.owner": "file.owner", "user.owner.group": "file.group",
	"user.target": "user.target.name", "group": "group.name",
}

// enriched reads what auditd 2.8 and later adds behind a group separator: names
// for the numbers before it (ARCH=x86_64 SYSCALL=openat AUID="alice" UID="root").
func (r *auditRecord) enriched(s string) {
	b := r.b
	for n := 0; s != "" && n < 64; n++ {
		s = strings.TrimLeft(s, " ")
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			return
		}
		var v string
		v, s, _ = auditValue(rest)
		if v == "" || v == "?" || v == "unset" {
			continue
		}
		switch key {
		case "SYSCALL":
			if r.syscall == "" {
				r.call(v)
			}
		case "ARCH":
			if auditArches[r.arch].name == "" {
				b.Add("host.architecture", v)
			}
		case "AUID":
			b.Add("user.audit.name", v)
		case "UID":
			if r.kind == auditPlain {
				b.Add("user.name", v)
			} else {
				b.Add("user.effective.name", v)
			}
		case "EUID":
			b.Add("user.effective.name", v)
		case "SUID":
			b.Add("user.saved.name", v)
		case "FSUID":
			b.Add("user.filesystem.name", v)
		case "GID":
			b.Add("user.group.name", v)
		case "EGID":
			b.Add("user.effective.group.name", v)
		case "OUID":
			b.Add("file.owner", v)
		case "OGID":
			b.Add("file.group", v)
		}
	}
}

func auditOutcome(v string) string {
	switch v {
	case "yes", "1", "success":
		return "success"
	case "no", "0", "failed", "failure":
		return "failure"
	}
	return ""
}

// auditOwn is the name of a key that ECS has none for.
func auditOwn(key string, b *event.Batch) string {
	if name, ok := auditOwnNames[key]; ok {
		return name
	}
	var few [80]byte
	return b.Bytes(append(append(few[:0], "auditd.log."...), key[:min(len(key), 64)]...))
}

// auditOwnNames spares the usual ones an allocation.
var auditOwnNames = func() map[string]string {
	m := map[string]string{}
	for key := range strings.FieldsSeq("ses subj tty items op hostname dev inode item mode name obj nametype rdev objtype cap_fp cap_fi cap_fe cap_fver cap_frootid " +
		"a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 unit grantors kind direction spid cipher pfs mac laddr fp id list old path ino scontext tcontext tclass permissive capability " +
		"saddr old_auid new_auid old_ses new_ses reason sig table family per flags profile operation requested_mask denied_mask") {
		m[key] = "auditd.log." + key
	}
	return m
}()

// auditHex are the values that come as hex digits when they cannot be quoted.
var auditHex = map[string]bool{
	"exe": true, "comm": true, "name": true, "cwd": true, "proctitle": true, "cmd": true, "acct": true, "data": true, "key": true, "path": true, "dir": true,
	"file": true, "watch": true, "device": true, "sw": true, "root_dir": true, "vm": true, "grp": true, "new_group": true, "ocomm": true, "profile": true,
	"invalid_context": true, "old-disk": true, "new-disk": true, "old-fs": true, "new-fs": true,
}

// auditUnhex decodes the kernel's and libaudit's hex, which is in capitals; other
// text stays as it is.
func auditUnhex(s string, b *event.Batch) string {
	if len(s)&1 != 0 || len(s) == 0 {
		return s
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c < 'A' || c > 'F') {
			return s
		}
	}
	out := make([]byte, len(s)/2)
	for i := range out {
		out[i] = unhex(s[2*i])<<4 | unhex(s[2*i+1])
	}
	for len(out) > 0 && out[len(out)-1] == 0 {
		out = out[:len(out)-1]
	}
	return b.Bytes(out)
}

// auditWords puts blanks for the NULs between the arguments of a title.
func auditWords(s string, b *event.Batch) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return b.Bytes([]byte(strings.ReplaceAll(s, "\x00", " ")))
}

// caretControls shows the control characters that somebody typed as ^M, ^?.
func caretControls(s string, b *event.Batch) string {
	var out []byte
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			out = append(out, '^', c+'@')
		case c == 0x7f:
			out = append(out, '^', '?')
		default:
			out = append(out, c)
		}
	}
	return b.Bytes(out)
}

// addSocket decodes the address of a socket: a struct sockaddr in hex, its
// family in the machine's byte order.
func (e *auditEvent) addSocket(b *event.Batch) {
	if e.peer != "" {
		e.addPeer(e.peer, e.peerPort, b)
		return
	}
	raw := auditUnhex(e.socket, b)
	if e.socket == "" || len(raw) < 2 || raw == e.socket {
		return
	}
	p := make([]byte, 28) // trailing zeros were cut
	copy(p, raw)
	family := int(p[0]) | int(p[1])<<8
	if family > 255 {
		family = int(p[1])
	}
	var address, port string
	switch family {
	case 1: // AF_UNIX; an abstract name begins with NUL
		path := strings.TrimPrefix(raw[2:], "\x00")
		path, _, _ = strings.Cut(path, "\x00")
		b.Add("auditd.log.socket.path", path)
		return
	case 2, 10: // AF_INET, AF_INET6
		address, port = sockaddrText(p, family)
	default:
		return
	}
	e.addPeer(address, port, b)
}

func (e *auditEvent) addPeer(address, port string, b *event.Batch) {
	switch e.syscall {
	case "connect", "sendto", "sendmsg", "sendmmsg":
		b.Add("destination.address", address)
		addDestination(b, address, port)
	case "accept", "accept4", "recvfrom", "recvmsg":
		addSource(b, address, port)
	default:
		b.Add("auditd.log.socket.address", address)
		addPort(b, "auditd.log.socket.port", port)
	}
}
