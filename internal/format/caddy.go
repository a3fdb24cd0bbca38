package format

import (
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Caddy's access log, one JSON object a request (https://caddyserver.com/docs/caddyfile/directives/log).
// What it logs of itself is JSON of a general kind and stays with that format.
var _ = register(Format{
	Name:  "caddy.access",
	Title: "Caddy access log (JSON)",
	Group: "web",
	JSON: func(has func(string) bool) bool {
		return has("request.uri") && has("request.method") && has("status") && (has("request.remote_ip") || has("request.remote_addr"))
	},
	Lines: func(p *Params) LineDecoder { return (&caddy{namedRecord{p: p, prefix: "json."}}).decode },
})

var errNotCaddy = errorString("neither a request nor a message of Caddy's")

type caddy struct{ named namedRecord }

var caddyFields = map[string]string{
	"request.method": "http.request.method", "status": "http.response.status_code", "size": "http.response.body.bytes", "bytes_read": "http.request.body.bytes", "user_id": "user.name",
	"level": "log.level", "logger": "log.logger", "msg": "message", "request.tls.server_name": "tls.client.server_name", "request.tls.resumed": "tls.resumed", "request.tls.proto": "tls.next_protocol",
}

func (d *caddy) decode(record string, b *event.Batch) error {
	scan := namedScanners.Get().(*event.Scanner)
	defer namedScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	get := func(path string) string {
		for i := range leaves {
			if leaves[i].Name.Path == path {
				return leaves[i].Value
			}
		}
		return ""
	}
	uri := get("request.uri")
	if uri == "" && get("request.method") == "" {
		if get("logger") == "" || get("ts") == "" || get("msg") == "" {
			return errNotCaddy
		}
		b.Add("event.kind", "event")
		b.Add("event.dataset", "caddy.log")
		d.named.add(leaves, b)
		return nil
	}
	if !d.named.addTime(leaves, b) {
		d.named.p.Clock.NoTime()
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "caddy.access")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	if status := get("status"); len(status) == 3 {
		if status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	for i := range leaves {
		l := &leaves[i]
		switch name := l.Name.Path; name {
		case "ts", "request.uri", "request.host", "request.proto", "request.remote_ip", "request.remote_port", "request.remote_addr", "request.client_ip", "duration", "request.tls.version", "request.tls.cipher_suite":
		case "request.headers.User-Agent":
			d.named.agents.add(l.Value, b)
		case "request.headers.Referer":
			b.Add("http.request.referrer", l.Value)
		default:
			if ecs, ok := caddyFields[name]; ok {
				if l.Kind != event.String || l.Value != "" {
					b.AddKind(ecs, l.Value, l.Kind)
				}
			} else {
				b.AddKind(b.Bytes([]byte("caddy.access."+strings.TrimPrefix(name, "request."))), l.Value, l.Kind)
			}
		}
	}
	ip, port := get("request.remote_ip"), get("request.remote_port")
	if ip == "" {
		ip, port = splitPort(get("request.remote_addr"))
	}
	addSource(b, ip, port)
	if client := get("request.client_ip"); client != "" && client != ip && isIP(client) {
		b.Add("client.ip", client)
		b.Add("network.forwarded_ip", client)
	}
	host, _ := splitPort(get("request.host"))
	addTarget(uri, host, b)
	b.Add("destination.domain", host)
	b.Add("http.version", strings.TrimPrefix(get("request.proto"), "HTTP/"))
	if f, err := strconv.ParseFloat(strings.TrimSuffix(get("duration"), "s"), 64); err == nil && f >= 0 && f < 1e9 {
		b.AddInt("event.duration", int64(f*1e9+0.5))
	}
	switch get("request.tls.version") { // crypto/tls's numbers
	case "772":
		b.Add("tls.version", "1.3")
	case "771":
		b.Add("tls.version", "1.2")
	case "770":
		b.Add("tls.version", "1.1")
	case "769":
		b.Add("tls.version", "1.0")
	}
	return nil
}
