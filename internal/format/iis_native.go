package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// IIS's own log file format, from before W3C's, of fifteen values that commas part
// (https://learn.microsoft.com/windows/win32/http/iis-logging):
//
//	client, user, date, time, service, server, server address, milliseconds, bytes received, bytes sent, status, Windows status, method, target, parameters,
var _ = register(Format{
	Name:  "iis.native",
	Title: "IIS access log (IIS log file format)",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool { _, ok := cutIISNative(l); return ok }) * 93 / 100
	},
	Lines: func(p *Params) LineDecoder {
		return func(line string, b *event.Batch) error {
			f, ok := cutIISNative(line)
			if !ok {
				return errNotIISNative
			}
			ns, ok := p.Clock.Any(b.Bytes([]byte(f[2] + " " + f[3])))
			if !ok {
				return errNotIISNative
			}
			b.Event().Time = ns
			addIISNative(&f, b)
			return nil
		}
	},
})

var errNotIISNative = errorString("not a line of IIS's log file format")

func cutIISNative(line string) (f [15]string, ok bool) {
	for i := range 14 {
		if f[i], line, ok = strings.Cut(line, ","); !ok {
			return f, false
		}
		f[i] = strings.TrimSpace(f[i])
	}
	f[14] = strings.TrimSuffix(strings.TrimSpace(line), ",")
	return f, isIP(f[0]) && strings.Count(f[2], "/") == 2 && strings.Count(f[3], ":") == 2 && isDigits(f[7]) && isDigits(f[8]) && isDigits(f[9]) && isDigits(f[10]) && isMethod(f[12])
}

func addIISNative(f *[15]string, b *event.Batch) {
	b.Add("event.kind", "event")
	b.Add("event.dataset", "iis.access")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	addSource(b, f[0], "")
	if f[1] != "-" {
		if domain, name, ok := strings.Cut(f[1], `\`); ok {
			b.Add("user.domain", domain)
			b.Add("user.name", name)
		} else {
			b.Add("user.name", f[1])
		}
	}
	b.Add("iis.access.site_name", f[4])
	b.Add("iis.access.server_name", f[5])
	b.Add("host.name", lower(f[5], b))
	addDestination(b, f[6], "")
	if len(f[7]) < 13 {
		b.AddInt("event.duration", wholeNumber(f[7])*1e6)
	}
	b.AddNumber("http.request.bytes", f[8])
	b.AddNumber("http.response.bytes", f[9])
	if len(f[10]) == 3 {
		b.AddNumber("http.response.status_code", f[10])
		if f[10][0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	b.AddNumber("iis.access.win32_status", f[11])
	b.Add("http.request.method", f[12])
	target := f[13]
	if f[14] != "-" && f[14] != "" {
		target = b.Bytes([]byte(target + "?" + f[14]))
	}
	addTarget(target, "", b)
}
