package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// The Linux kernel's own messages, whether a syslog daemon, the journal or
// dmesg(1) holds them: packets of netfilter, crashes, the out-of-memory killer, USB
// devices, interfaces listening to everything, and LSM denials.
var _ = registerProgram(program{
	Names:  []string{"kernel", "klogd", "vmunix"},
	Decode: decodeKernel,
})

func decodeKernel(m *message, b *event.Batch) bool {
	if decodeNetfilter(m, b) {
		return true
	}
	if uptime, rest, ok := cutUptime(m.Text); ok {
		b.AddNumber("kernel.uptime", uptime)
		m.Text = rest
	}
	s := m.Text
	if kernelPhrases.decode(m, s, b) {
		return true
	}
	return kernelCrash(s, b) || kernelAudit(m, s, b) || kernelModule(s, b)
}

// kernelModule: "NAME: loading out-of-tree module taints kernel.", "NAME: module verification
// failed: signature and/or required key missing - tainting kernel".
func kernelModule(s string, b *event.Batch) bool {
	name, what, ok := strings.Cut(s, ": ")
	if !ok || name == "" || strings.IndexByte(name, ' ') >= 0 {
		return false
	}
	switch {
	case strings.HasPrefix(what, "loading out-of-tree module"), strings.HasPrefix(what, "module license ") && strings.Contains(what, "taints kernel"):
	case strings.HasPrefix(what, "module verification failed"):
	default:
		return false
	}
	b.Add("kernel.module", name)
	b.Add("event.reason", strings.TrimSuffix(what, "."))
	classify(b, "driver", "start", "kernel-tainted", "")
	return true
}

// cutUptime takes the time since boot off a kernel message: "[16571.459614] ",
// "[    0.000000][    T0] " (CONFIG_PRINTK_CALLER).
func cutUptime(s string) (uptime, rest string, ok bool) {
	if len(s) < 5 || s[0] != '[' {
		return "", s, false
	}
	i := 1
	for i < len(s) && s[i] == ' ' {
		i++
	}
	start, dot := i, false
	for i < len(s) && i < 24 && (isDigit(s[i]) || s[i] == '.' && !dot && i > start) {
		dot = dot || s[i] == '.'
		i++
	}
	if !dot || i >= len(s) || s[i] != ']' {
		return "", s, false
	}
	uptime, rest = s[start:i], s[i+1:]
	if strings.HasPrefix(rest, "[") {
		if end := strings.IndexByte(rest, ']'); end > 0 && end < 16 {
			if caller := strings.TrimLeft(rest[1:end], " "); len(caller) > 1 && (caller[0] == 'T' || caller[0] == 'C') && isDigits(caller[1:]) {
				rest = rest[end+1:]
			}
		}
	}
	return uptime, strings.TrimPrefix(rest, " "), true
}

var kernelPhrases = newPhraseBook(
	phrase{"Linux version ", func(_ *message, s string, b *event.Batch) bool {
		release, _, _ := strings.Cut(s, " ")
		b.Add("host.os.kernel", release)
		classify(b, "host", "start", "boot", "")
		return true
	}},
	phrase{"Out of memory: ", kernelOOM},
	phrase{"Memory cgroup out of memory: ", kernelOOM},
	phrase{"Killed process ", func(m *message, s string, b *event.Batch) bool { return kernelKilled(s, b) }},
	phrase{"usb ", kernelUSB},
	phrase{"usb-storage ", func(_ *message, s string, b *event.Batch) bool {
		port, what, _ := strings.Cut(s, ": ")
		if what != "USB Mass Storage device detected" {
			return false
		}
		port, _, _ = strings.Cut(port, ":")
		b.Add("device.usb.port", port)
		classify(b, "host", "info", "usb-storage-detected", "")
		return true
	}},
	phrase{"device ", kernelPromiscuous},
	phrase{"audit: ", func(m *message, s string, b *event.Batch) bool { return kernelAudit(m, s, b) }},
	phrase{"martian source ", func(_ *message, s string, b *event.Batch) bool {
		to, rest, ok := strings.Cut(s, " from ")
		from, dev, _ := strings.Cut(rest, ", on dev ")
		if !ok || ipVersion(to) == 0 || ipVersion(from) == 0 {
			return false
		}
		b.Add("source.ip", from)
		b.Add("destination.ip", to)
		b.Add("observer.ingress.interface.name", dev)
		classify(b, "network", "denied", "martian-source", "failure")
		return true
	}},
	phrase{"TCP: request_sock_TCP: Possible SYN flooding on port ", kernelSYNFlood},
	phrase{"TCP: Possible SYN flooding on port ", kernelSYNFlood},
	phrase{"possible SYN flooding on port ", kernelSYNFlood},
)

// kernelOOM: "Killed process 812 (mysqld) total-vm:…kB, anon-rss:…kB, …, UID:112 …",
// before Linux 4.19 "Kill process 812 (mysqld) score 903 or sacrifice child".
func kernelOOM(_ *message, s string, b *event.Batch) bool {
	for _, p := range [...]string{"Killed process ", "Kill process "} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return kernelKilled(rest, b)
		}
	}
	return false
}

func kernelKilled(s string, b *event.Batch) bool {
	pid, rest, ok := strings.Cut(s, " (")
	name, rest, closed := strings.Cut(rest, ")")
	if !ok || !closed || !isDigits(strings.TrimSuffix(pid, ",")) {
		return false
	}
	subject(b, name, strings.TrimSuffix(pid, ","))
	if _, uid, ok := strings.Cut(rest, "UID:"); ok {
		n := 0
		for n < len(uid) && isDigit(uid[n]) {
			n++
		}
		b.Add("user.id", uid[:n])
	}
	classify(b, "process", "end", "oom_kill", "failure")
	return true
}

// subject makes the process that a kernel message speaks of the event's process,
// and keeps the writer as log.syslog.appname.
func subject(b *event.Batch, name, pid string) {
	e := b.Event()
	if was := e.Get("process.name"); was != "" && !e.Has("log.syslog.appname") {
		b.Add("log.syslog.appname", was)
	}
	b.Set("process.name", name)
	if isDigits(pid) && (len(pid) == 1 || pid[0] != '0') && !e.Has("process.pid") {
		b.AddNumber("process.pid", pid)
	}
}

// kernelCrash: "su[812]: segfault at 7f… ip 00007f… sp 00007f… error 6 in libc.so.6[7f…+1c0000]",
// "traps: app[812] general protection fault ip:… sp:… error:0 in …".
func kernelCrash(s string, b *event.Batch) bool {
	s = strings.TrimPrefix(s, "traps: ")
	open := strings.IndexByte(s[:min(len(s), 64)], '[')
	if open <= 0 {
		return false
	}
	end := strings.IndexByte(s[open:], ']')
	if end < 0 || !isDigits(s[open+1:open+end]) {
		return false
	}
	what := strings.TrimPrefix(strings.TrimPrefix(s[open+end+1:], ":"), " ")
	action := ""
	for _, k := range [...]struct{ prefix, action string }{
		{"segfault at ", "segfault"}, {"general protection", "general_protection_fault"}, {"trap ", "trap"}, {"bad frame", "bad_frame"},
	} {
		if strings.HasPrefix(what, k.prefix) {
			action = k.action
		}
	}
	if action == "" {
		return false
	}
	subject(b, s[:open], s[open+1:open+end])
	if _, in, ok := strings.Cut(what, " in "); ok {
		lib, _, _ := strings.Cut(in, "[")
		b.Add("dll.name", lib)
	}
	classify(b, "process", "end", action, "failure")
	return true
}

// kernelUSB: "1-1: New USB device found, idVendor=0781, idProduct=5581, bcdDevice= 1.00",
// "1-1: Product: …", "1-1: Manufacturer: …", "1-1: SerialNumber: …", "1-1: USB disconnect, device number 5".
func kernelUSB(_ *message, s string, b *event.Batch) bool {
	port, what, ok := strings.Cut(s, ": ")
	if !ok {
		return false
	}
	action := ""
	switch {
	case strings.HasPrefix(what, "New USB device found, idVendor="):
		ids := what[len("New USB device found, idVendor="):]
		vendor, rest, _ := strings.Cut(ids, ", idProduct=")
		product, _, _ := strings.Cut(rest, ",")
		b.Add("device.usb.vendor_id", vendor)
		b.Add("device.usb.product_id", product)
		action = "usb-device-attached"
	case strings.HasPrefix(what, "USB disconnect"):
		action = "usb-device-detached"
	case strings.HasPrefix(what, "Product: "):
		b.Add("device.model.name", what[len("Product: "):])
		action = "usb-device-described"
	case strings.HasPrefix(what, "Manufacturer: "):
		b.Add("device.manufacturer", what[len("Manufacturer: "):])
		action = "usb-device-described"
	case strings.HasPrefix(what, "SerialNumber: "):
		b.Add("device.serial_number", what[len("SerialNumber: "):])
		action = "usb-device-described"
	default:
		return false
	}
	b.Add("device.usb.port", port)
	classify(b, "host", "info", action, "")
	return true
}

// kernelPromiscuous: "eth0 entered promiscuous mode": somebody listens.
func kernelPromiscuous(_ *message, s string, b *event.Batch) bool {
	name, what, ok := strings.Cut(s, " ")
	if !ok || what != "entered promiscuous mode" && what != "left promiscuous mode" {
		return false
	}
	b.Add("observer.ingress.interface.name", name)
	action := "promiscuous-mode-entered"
	if what[0] == 'l' {
		action = "promiscuous-mode-left"
	}
	classify(b, "configuration", "change", action, "success")
	return true
}

func kernelSYNFlood(_ *message, s string, b *event.Batch) bool {
	port, _, _ := strings.Cut(s, ".")
	if i := strings.LastIndexByte(port, ':'); i >= 0 {
		port = port[i+1:]
	}
	addPort(b, "destination.port", port)
	classify(b, "network", "info", "syn-flood", "")
	return true
}

// kernelAudit: `type=1400 audit(1700000000.123:42): apparmor="DENIED" operation="open" profile="…"
// name="…" pid=812 comm="cat" …`, audit records that no daemon fetched.
func kernelAudit(m *message, s string, b *event.Batch) bool {
	rest, ok := strings.CutPrefix(s, "type=")
	if !ok {
		return false
	}
	typ, rest, ok := strings.Cut(rest, " audit(")
	id, rest, closed := strings.Cut(rest, "):")
	if !ok || !closed || !isDigits(typ) {
		return false
	}
	if name := auditNumbers[typ]; name != "" && name != "AVC" {
		m.Dataset = "auditd.log"
		var e auditEvent
		e.alone(auditHead{typ: name, id: id, body: strings.TrimLeft(rest, " ")}, b)
		return true
	}
	b.Add("auditd.log.record_type", typ)
	if _, serial, ok := strings.Cut(id, ":"); ok {
		b.AddNumber("auditd.log.sequence", serial)
	}
	name, pid, mode := "", "", ""
	for n := 0; rest != "" && n < 64; n++ {
		var key, value string
		if key, value, rest, ok = cutPair(rest); !ok {
			break
		}
		switch key {
		case "apparmor":
			mode = value
			b.Add("auditd.log.apparmor", value)
		case "operation":
			b.Add("auditd.log.operation", value)
		case "profile":
			b.Add("auditd.log.profile", value)
		case "name":
			b.Add("file.path", value)
		case "pid":
			pid = value
		case "comm":
			name = value
		case "uid":
			b.Add("user.id", value)
		case "exe":
			b.Add("process.executable", value)
		case "requested_mask", "denied_mask":
			b.Add("auditd.log."+key, value)
		}
	}
	if name != "" {
		subject(b, name, pid)
	}
	switch mode {
	case "DENIED":
		classify(b, "process", "denied", "apparmor-denied", "failure")
	case "ALLOWED":
		classify(b, "process", "allowed", "apparmor-allowed", "success")
	case "STATUS":
		classify(b, "configuration", "info", "apparmor-status", "")
	}
	return true
}

// cutPair takes one key=value or key="value" off s.
func cutPair(s string) (key, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	key, s, ok = strings.Cut(s, "=")
	if !ok || strings.IndexByte(key, ' ') >= 0 {
		return "", "", "", false
	}
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		if value, rest, ok = strings.Cut(quoted, `"`); ok {
			return key, value, rest, true
		}
	}
	value, rest, _ = strings.Cut(s, " ")
	return key, value, rest, true
}
