package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Traefik's access log in its common format, which is what it writes unless told otherwise
// (https://doc.traefik.io/traefik/observability/access-logs/#format):
//
//	… "referrer" "user agent" number "router" "server URL" durationms
var _ = register(Format{
	Name:  "traefik.common",
	Title: "Traefik access log (common format)",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool {
			a, ok := cutAccess(l)
			if ok {
				_, ok = cutTraefik(a.extra)
			}
			return ok
		}) * 88 / 100
	},
	Lines: func(p *Params) LineDecoder {
		d := accessDecoder{p: p, names: &traefikNames}
		return func(line string, b *event.Batch) error {
			a, ok := cutAccess(line)
			if !ok {
				return errNotAccess
			}
			t, ok := cutTraefik(a.extra)
			if ok {
				a.extra = ""
			}
			if err := d.add(&a, b); err != nil || !ok {
				return err
			}
			t.add(b)
			return nil
		}
	},
})

var traefikNames = accessNames{
	"traefik.access", "traefik.access.remote_addresses", "traefik.access.user_identifier", "traefik.access.response_time",
	"traefik.access.tls_handshake.error", "traefik.access.http.request_headers", "traefik.access.extra", "traefik.access.",
}

type traefikTail struct{ count, router, server, millis string }

// cutTraefik cuts what stands behind the user agent: `42 "api@docker" "http://10.0.0.5:8080" 15ms`.
func cutTraefik(s string) (t traefikTail, ok bool) {
	t.count, s, ok = strings.Cut(s, ` "`)
	if !ok || !isDigits(t.count) {
		return t, false
	}
	if t.router, s, ok = strings.Cut(s, `" "`); !ok {
		return t, false
	}
	if t.server, s, ok = strings.Cut(s, `" `); !ok {
		return t, false
	}
	t.millis, ok = strings.CutSuffix(s, "ms")
	return t, ok && isDigits(t.millis)
}

func (t *traefikTail) add(b *event.Batch) {
	b.Add("network.transport", "tcp")
	b.Add("observer.vendor", "traefik")
	b.Add("observer.product", "traefik")
	b.Add("observer.type", "proxy")
	b.AddNumber("traefik.access.request_count", t.count)
	if t.router != "-" {
		b.Add("traefik.access.router.name", t.router)
		b.Add("observer.egress.interface.name", t.router)
	}
	if scheme, rest, ok := strings.Cut(t.server, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		b.Add("traefik.access.service.url.scheme", scheme)
		b.Add("traefik.access.service.url.domain", host)
		if path != "" {
			b.Add("traefik.access.service.url.path", rest[len(host):])
		}
		name, port := splitLastPort(host)
		b.Add("destination.address", name)
		if isIP(name) {
			b.Add("destination.ip", plainIP(name))
		}
		addPort(b, "destination.port", port)
	}
	if len(t.millis) < 13 {
		b.AddInt("event.duration", wholeNumber(t.millis)*1e6)
	}
}
