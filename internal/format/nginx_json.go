package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Nginx access log in JSON: a log_format with escape=json, whose members are most often
// named as Nginx's variables are (https://nginx.org/en/docs/varindex.html). Members of
// other names stay under nginx.access.
var _ = register(Format{
	Name:  "nginx.access.json",
	Title: "Nginx access log (JSON, members named as Nginx's variables)",
	Group: "web",
	JSON: func(has func(string) bool) bool {
		return has("remote_addr") && has("status") && (has("request") || has("request_uri") || has("uri") || has("request_method")) &&
			(has("body_bytes_sent") || has("bytes_sent") || has("http_user_agent") || has("request_time") || has("upstream_addr"))
	},
	Lines: func(p *Params) LineDecoder { return (&nginxJSON{namedRecord{p: p, prefix: "nginx.access."}}).decode },
})

var errNotNginxJSON = errorString("no remote_addr and status: not an Nginx access log")

type nginxJSON struct{ named namedRecord }

func (d *nginxJSON) decode(record string, b *event.Batch) error {
	scan := namedScanners.Get().(*event.Scanner)
	defer namedScanners.Put(scan)
	leaves, err := scan.Scan(record, b)
	if err != nil {
		return err
	}
	b.Add("event.kind", "event")
	b.Add("event.dataset", "nginx.access")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	timed := false
	var client, port, host, method, target, version, status, forwarded string
	for i := range leaves {
		l := &leaves[i]
		v := l.Value
		if v == "" || v == "-" {
			continue
		}
		switch l.Name.Path {
		case "remote_addr":
			client = v
		case "remote_port":
			port = v
		case "remote_user":
			b.Add("user.name", v)
		case "request":
			first, rest, ok := strings.Cut(v, " ")
			if !ok || !isMethod(first) {
				b.Add("nginx.access.http.request_headers", v) // as the text log's
				continue
			}
			if i := strings.LastIndex(rest, " HTTP/"); i >= 0 {
				rest, version = rest[:i], rest[i+len(" HTTP/"):]
			}
			method = first
			if target == "" {
				target = rest
			}
		case "request_method":
			method = v
		case "request_uri":
			target = v
		case "uri":
			if target == "" {
				target = v
			}
		case "server_protocol":
			version = strings.TrimPrefix(v, "HTTP/")
		case "status":
			status = v
		case "body_bytes_sent":
			b.AddNumber("http.response.body.bytes", v)
		case "bytes_sent":
			b.AddNumber("http.response.bytes", v)
		case "request_length":
			b.AddNumber("http.request.bytes", v)
		case "request_time":
			addSeconds(v, b)
		case "request_id":
			b.Add("http.request.id", v)
		case "http_referer", "http_referrer":
			b.Add("http.request.referrer", v)
		case "http_user_agent":
			d.named.agents.add(v, b)
		case "http_x_forwarded_for":
			forwarded = v
		case "http_host", "host":
			host, _ = splitPort(v)
		case "server_name":
			if v != "_" {
				b.Add("destination.domain", v)
			}
		case "server_addr":
			addDestination(b, v, "")
		case "server_port":
			addPort(b, "destination.port", v)
		case "scheme":
			b.Add("url.scheme", v)
		case "ssl_protocol":
			if version, ok := strings.CutPrefix(v, "TLSv"); ok {
				b.Add("tls.version", version)
				b.Add("tls.version_protocol", "tls")
			}
		case "ssl_cipher":
			b.Add("tls.cipher", v)
		case "pid":
			b.AddNumber("process.pid", v)
		case "time_local":
			if ns, _, ok := d.named.p.Clock.CLF(v); ok && !timed {
				b.Event().Time, timed = ns, true
			}
		case "time_iso8601", "msec":
			if ns, ok := d.named.time(l); ok && !timed {
				b.Event().Time, timed = ns, true
			}
		default:
			if strings.HasPrefix(l.Name.Path, "@") {
				continue
			}
			b.AddKind(b.Bytes([]byte("nginx.access."+l.Name.Path)), v, l.Kind)
		}
	}
	if client == "" || status == "" {
		return errNotNginxJSON
	}
	if !timed && !d.named.addTime(leaves, b) {
		d.named.p.Clock.NoTime()
	}
	b.Add("nginx.access.remote_ip_list", client)
	addSource(b, client, port)
	first := true
	for word := range strings.FieldsFuncSeq(forwarded, func(r rune) bool { return r == ',' || r == ' ' }) {
		b.Add("nginx.access.remote_ip_list", word)
		if isIP(word) {
			if first {
				b.Add("client.ip", word)
			}
			b.Add("network.forwarded_ip", word)
		}
		first = false
	}
	b.Add("http.request.method", method)
	if target != "" {
		addTarget(target, host, b)
	} else {
		b.Add("url.domain", host)
	}
	b.Add("http.version", version)
	if len(status) == 3 && isDigits(status) {
		b.AddNumber("http.response.status_code", status)
		if status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	return nil
}
