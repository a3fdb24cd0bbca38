package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Traefik's access log in JSON (https://doc.traefik.io/traefik/observability/access-logs/).
// In the common format it is the one of Apache with more fields behind it.
var _ = register(Format{
	Name:  "traefik.access",
	Title: "Traefik access log (JSON)",
	Group: "web",
	JSON: func(has func(string) bool) bool {
		return has("DownstreamStatus") && (has("RequestPath") || has("RequestMethod") || has("ClientAddr"))
	},
	Lines: func(p *Params) LineDecoder { return (&traefik{p: p}).decode },
})

// traefikFields are members with the fields that Elastic's integration has for them.
var traefikFields = map[string]string{
	"Duration": "event.duration", "RequestContentSize": "http.request.body.bytes", "DownstreamContentSize": "http.response.body.bytes", "DownstreamStatus": "http.response.status_code",
	"RequestMethod": "http.request.method", "level": "log.level", "entryPointName": "observer.ingress.interface.name", "ServiceName": "observer.egress.interface.name", "BackendName": "observer.egress.interface.name",
	"OriginContentSize": "traefik.access.origin.content_size", "OriginDuration": "traefik.access.origin.duration", "OriginStatus": "traefik.access.origin.status_code", "Overhead": "traefik.access.overhead",
	"RequestCount": "traefik.access.request_count", "RetryAttempts": "traefik.access.retry_attempts", "RouterName": "traefik.access.router.name", "FrontendName": "traefik.access.router.name",
	"ServiceURL.Host": "traefik.access.service.url.domain", "ServiceURL.ForceQuery": "traefik.access.service.url.force_query", "BackendURL.Host": "traefik.access.service.url.domain", "BackendURL.ForceQuery": "traefik.access.service.url.force_query",
	"ClientUsername": "user.name", "TLSCipher": "tls.cipher", "request_Referer": "http.request.referrer", "SpanId": "span.id", "TraceId": "trace.id",
	"BackendURL.Path": "traefik.access.service.url.path", "ServiceURL.Path": "traefik.access.service.url.path", "BackendURL.Scheme": "traefik.access.service.url.scheme", "ServiceURL.Scheme": "traefik.access.service.url.scheme",
}

// traefikOther are members that say nothing of their own.
var traefikOther = map[string]bool{
	"ClientHost": true, "ClientPort": true, "ClientAddr": true, "StartUTC": true, "StartLocal": true, "time": true, "msg": true, "RequestLine": true, "RequestAddr": true, "RequestHost": true, "RequestPort": true,
	"RequestPath": true, "RequestProtocol": true, "RequestScheme": true, "ServiceAddr": true, "BackendAddr": true, "request_User-Agent": true, "TLSVersion": true, "DownstreamStatusLine": true, "OriginStatusLine": true,
}

type traefik struct {
	p      *Params
	agents agentCache
}

var errNotTraefik = errorString("no DownstreamStatus: not a line of Traefik's access log")

var traefikScanners = scannerPool(nil)

func (d *traefik) decode(record string, b *event.Batch) error {
	scan := traefikScanners.Get().(*event.Scanner)
	defer traefikScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	get := func(path string) string {
		for i := range leaves {
			if leaves[i].Name.Path == path && leaves[i].Value != "-" {
				return leaves[i].Value
			}
		}
		return ""
	}
	status := get("DownstreamStatus")
	if status == "" {
		return errNotTraefik
	}
	timed := false
	for _, name := range [...]string{"StartUTC", "StartLocal", "time"} {
		if ns, n, ok := d.p.Clock.ISO(get(name)); ok && n == len(get(name)) {
			b.Event().Time, timed = ns, true
			break
		}
	}
	if !timed {
		d.p.Clock.NoTime()
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "traefik.access")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	if status[0] < '4' {
		b.Add("event.outcome", "success")
	} else {
		b.Add("event.outcome", "failure")
	}
	b.Add("network.transport", "tcp")
	b.Add("observer.vendor", "traefik")
	b.Add("observer.product", "traefik")
	b.Add("observer.type", "proxy")
	for i := range leaves {
		d.leaf(&leaves[i], b)
	}
	d.client(get, b)
	d.url(get, b)
	return nil
}

func (d *traefik) leaf(l *event.Leaf, b *event.Batch) {
	name := l.Name.Path
	if ecs, ok := traefikFields[name]; ok {
		if l.Kind == event.String {
			if l.Value != "-" {
				b.Add(ecs, l.Value)
			}
		} else {
			b.AddKind(ecs, l.Value, l.Kind)
		}
		return
	}
	for _, h := range [...][2]string{
		{"request_", "http.request.headers."}, {"downstream_", "http.response.headers."}, {"origin_", "traefik.access.origin.headers."},
	} {
		if header, ok := strings.CutPrefix(name, h[0]); ok {
			if name == "request_User-Agent" {
				d.agents.add(l.Value, b)
			} else {
				b.Add(b.Bytes([]byte(h[1]+strings.ToLower(header))), l.Value)
			}
			return
		}
	}
	if !traefikOther[name] {
		b.AddKind(b.Bytes([]byte("traefik.access."+name)), l.Value, l.Kind)
	}
}

// client adds the two ends; the address that Elastic keeps has its port.
func (d *traefik) client(get func(string) string, b *event.Batch) {
	address := get("ClientAddr")
	b.Add("source.address", address)
	host, port := splitLastPort(address)
	if h := get("ClientHost"); h != "" {
		host = h
	}
	if isIP(host) {
		b.Add("source.ip", plainIP(host))
	}
	if p := get("ClientPort"); p != "" {
		port = p
	}
	addPort(b, "source.port", port)
	server := get("ServiceAddr")
	if server == "" {
		server = get("BackendAddr")
	}
	if host, port = splitLastPort(server); host != "" {
		b.Add("destination.address", host)
		if isIP(host) {
			b.Add("destination.ip", plainIP(host))
		}
		addPort(b, "destination.port", port)
	}
}

func (d *traefik) url(get func(string) string, b *event.Batch) {
	b.Add("http.version", strings.TrimPrefix(get("RequestProtocol"), "HTTP/"))
	host, port, path, scheme := get("RequestHost"), get("RequestPort"), get("RequestPath"), get("RequestScheme")
	original := host
	if scheme != "" && host != "" {
		original = scheme + "://" + host
	}
	if port != "" {
		original += ":" + port
	}
	b.Add("url.original", b.Bytes([]byte(original+path)))
	b.Add("url.scheme", scheme)
	b.Add("url.domain", host)
	addPort(b, "url.port", port)
	addPath(path, b)
	if v := get("TLSVersion"); v != "" {
		b.Add("tls.version", v)
		b.Add("tls.version_protocol", "tls")
	}
}
