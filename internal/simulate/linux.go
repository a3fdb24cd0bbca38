package simulate

import (
	"fmt"
)

// newLinux gives a host the logs of a Debian with rsyslog: auth,authpriv.* in
// auth.log, kern.* in kern.log, and all but auth,authpriv in syslog.
func (h *host) newLinux() {
	open := func(source, path string) *textLog {
		if h.w.o.without(h.name, source) {
			return nil
		}
		return h.w.newTextLog(h, path)
	}
	h.auth = open("auth", "var/log/auth.log")
	h.syslog = open("syslog", "var/log/syslog")
	h.kern = open("kern", "var/log/kern.log")
	h.firewall.tokens = firewallBurst
}

// start begins a line with rsyslog's header: RFC 3164, or RFC 3339 where the
// host's release has that.
func (l *textLog) start(tag string) {
	h := l.host
	if h.iso {
		l.line = h.local().AppendFormat(l.line, "2006-01-02T15:04:05.000000-07:00")
	} else {
		if s := floorDiv(h.time(), second); s != h.second {
			h.second = s
			h.stamp = h.local().AppendFormat(h.stamp[:0], "Jan _2 15:04:05")
		}
		l.line = append(l.line, h.stamp...)
	}
	l.line = append(l.line, ' ')
	l.line = append(l.line, h.name...)
	l.line = append(l.line, ' ')
	l.line = append(l.line, tag...)
}

// logf writes one syslog line; pid 0 is a program that does not give it.
func (l *textLog) logf(m mark, program string, pid int64, format string, args ...any) {
	if l == nil {
		return
	}
	l.start(program)
	if pid != 0 {
		l.line = append(l.line, '[')
		l.line = appendPadded(l.line, uint32(pid), 1)
		l.line = append(l.line, ']')
	}
	l.line = append(l.line, ": "...)
	l.line = fmt.Appendf(l.line, format, args...)
	l.end(m)
}

// authf writes to auth.log.
func (h *host) authf(a *actor, program string, pid int64, format string, args ...any) {
	h.auth.logf(a.mark, program, pid, format, args...)
}

// sysf writes to syslog.
func (h *host) sysf(a *actor, program string, pid int64, format string, args ...any) {
	h.syslog.logf(a.mark, program, pid, format, args...)
}

// kernel writes a message of the kernel, which goes to kern.log and syslog.
func (h *host) kernel(a *actor, format string, args ...any) {
	uptime := h.time() - h.boot
	prefix := fmt.Sprintf("[%5d.%06d] ", uptime/second, uptime%second)
	h.kern.logf(a.mark, "kernel", 0, "%s"+format, append([]any{prefix}, args...)...)
	h.syslog.logf(a.mark, "kernel", 0, "%s"+format, append([]any{prefix}, args...)...)
}

// firewall is UFW's rule that logs what it blocks, which is limited to three
// lines a minute with a burst of ten: a scan of thousands of ports leaves few.
type firewall struct {
	tokens int64 // in microseconds of waiting
	last   int64
}

const (
	firewallEach  = 20 * second
	firewallBurst = 10 * firewallEach
)

// blocked logs a packet that UFW drops.
func (h *host) blocked(a *actor, source string, sourcePort, port int, udp bool) {
	f := &h.firewall
	f.tokens = min(f.tokens+h.w.now-f.last, firewallBurst)
	f.last = h.w.now
	if f.tokens < firewallEach {
		return
	}
	f.tokens -= firewallEach
	ttl, id := 40+a.rng.below(24), a.rng.below(65536)
	const head = "[UFW BLOCK] IN=eth0 OUT= MAC=%s:02:00:5e:00:53:fe:08:00 SRC=%s DST=%s LEN=%d TOS=0x00 PREC=0x00 TTL=%d ID=%d "
	if udp {
		h.kernel(a, head+"PROTO=UDP SPT=%d DPT=%d LEN=%d ", h.mac, source, h.address, 78, ttl, id, sourcePort, port, 58)
		return
	}
	h.kernel(a, head+"PROTO=TCP SPT=%d DPT=%d WINDOW=%d RES=0x00 SYN URGP=0 ", h.mac, source, h.address, 44, ttl, id, sourcePort, port, 1024)
}
