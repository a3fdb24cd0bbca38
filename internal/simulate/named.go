package simulate

import "fmt"

// newNamed gives a host BIND's query log (category queries, print-time yes).
func (w *world) newNamed(h *host) *textLog {
	if w.o.without(h.name, "dns") {
		return nil
	}
	return w.newTextLog(h, "var/log/named/query.log")
}

// asked writes a question to the resolver.
func (h *host) asked(a *actor, client string, port int, name string) {
	l := h.named
	if l == nil {
		return
	}
	l.line = h.local().AppendFormat(l.line, "02-Jan-2006 15:04:05.000")
	l.line = fmt.Appendf(l.line, " client @0x7f%010x %s#%d (%s): query: %s IN A +E(0) (192.0.2.53)", nidsMix(uint64(port))&0xffffffffff, client, port, name, name)
	l.end(a.mark)
}
