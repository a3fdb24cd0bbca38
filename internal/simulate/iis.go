package simulate

import (
	"fmt"
	"strings"
)

// The intranet's certificate enrolment on dc1, under IIS 10: W3C extended log
// with IIS' default fields, one file a day.

func (w *world) newIIS(h *host) {
	if w.o.without(h.name, "iis") {
		return
	}
	h.iis = w.newTextLog(h, "inetpub/logs/LogFiles/W3SVC1/u_ex.log")
	h.iis.head = func() string {
		return "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: " + h.local().UTC().Format("2006-01-02 15:04:05") +
			"\r\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r\n"
	}
}

func (w *world) liveIIS(h *host) {
	if h.iis == nil {
		return
	}
	for _, p := range w.people {
		w.spawn("certsrv "+p.name, w.now, func(a *actor) {
			agent := strings.ReplaceAll(pick(&a.rng, userAgents[:2]), " ", "+")
			for {
				a.busy(9 * hour)
				get := func(method, stem, query, user string, status, sub, win32 int) {
					l := h.iis
					l.line = h.local().UTC().AppendFormat(l.line, "2006-01-02 15:04:05")
					l.line = fmt.Appendf(l.line, " %s %s %s %s 80 %s %s %s - %d %d %d %d\r", h.address, method, stem, dash(query), dash(user), p.address, agent, status, sub, win32, a.between(2, 300))
					l.end(a.mark)
				}
				get("GET", "/certsrv/", "", "", 401, 2, 5) // then with Kerberos
				a.pause(10*msec, 90*msec)
				for range a.between(1, 7) {
					get("GET", pick(&a.rng, []string{"/certsrv/", "/certsrv/certrqus.asp", "/certsrv/certckpn.asp", "/certsrv/certsces.gif"}), "", netbios+`\`+p.name, 200, 0, 0)
					a.pause(second, 40*second)
				}
			}
		})
	}
}
