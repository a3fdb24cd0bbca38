package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// The kernel's ring buffer as dmesg(1) prints it:
//
//	[    0.000000] Linux version …            since boot: no time is known
//	<6>[    0.000000] …                       dmesg --raw
//	kern  :info  : [    0.000000] …           dmesg --decode
//	[Mon Jan  2 03:04:05 2006] …              dmesg --ctime
//	2006-01-02T03:04:05,123456+00:00 …        dmesg --time-format iso
var _ = register(Format{
	Name:  "dmesg",
	Title: "Kernel ring buffer (dmesg)",
	Group: "kernel",
	Recognise: func(s *Sample) int {
		var h dmesgHeader
		var c timestamp.Clock
		iso := false
		share := s.Share(func(line string) bool {
			ok := h.parse(line, &c) && h.sure
			iso = iso || ok && h.iso
			return ok
		})
		if iso {
			return share * 82 / 100 // syslog would take the first word for a host
		}
		return share * 78 / 100
	},
	Lines: func(p *Params) LineDecoder {
		var m message
		return func(line string, b *event.Batch) error {
			var h dmesgHeader
			if !h.parse(line, p.Clock) {
				return errNoDmesgHeader
			}
			b.Event().Time = h.time
			if h.time == event.NoTime {
				p.Clock.NoTime()
			}
			h.syslog.add(b)
			m = message{Text: h.text, Tag: "kernel", Rest: h.text, facts: m.facts}
			b.AddNumber("kernel.uptime", h.uptime)
			m.decode(b)
			return nil
		}
	},
	Joins: indented,
})

var errNoDmesgHeader = errors.New("no time since boot")

type dmesgHeader struct {
	syslog syslogHeader // priority or facility and severity
	time   int64
	uptime string
	text   string
	iso    bool
	sure   bool // no other format begins like this
}

func (h *dmesgHeader) parse(s string, c *timestamp.Clock) bool {
	*h = dmesgHeader{time: event.NoTime}
	if pri, rest, ok := cutPriority(s); ok {
		h.syslog.priority, s = pri, rest
	} else if fac, rest, ok := strings.Cut(s, ":"); ok && len(fac) < 12 {
		if sev, rest, ok := strings.Cut(rest, ":"); ok && len(sev) < 12 {
			fac, sev = strings.TrimSpace(fac), strings.TrimSpace(sev)
			if facilityCode(fac) >= 0 && severityCode(sev) >= 0 {
				h.syslog.facility, h.syslog.severity = fac, sev
				s = strings.TrimPrefix(rest, " ")
			}
		}
	}
	if uptime, rest, ok := cutUptime(s); ok {
		h.uptime, h.text, h.sure = uptime, rest, true
		return true
	}
	if strings.HasPrefix(s, "[") {
		ns, n, ok := c.CTime(s[1:])
		if !ok || !strings.HasPrefix(s[1+n:], "] ") {
			return false
		}
		h.time, h.text = ns, s[n+len("[] "):]
		h.sure = !strings.HasPrefix(h.text, "[") // Apache's error log goes on with its level
		return true
	}
	if ns, n, ok := c.ISO(s); ok && strings.IndexByte(s[:n], ',') > 0 && s[10] == 'T' && n < len(s) && s[n] == ' ' {
		h.time, h.text, h.iso = ns, s[n+1:], true
		word, _, _ := strings.Cut(h.text, " ")
		h.sure = n > 26 && isDigits(s[20:26]) && s[19] == ',' && !appLevel(strings.Trim(word, "[]:"))
		return true
	}
	return false
}
