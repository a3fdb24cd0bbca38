package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Access log of the Kubernetes ingress controller for Nginx: the combined format and
// what it adds (https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/):
//
//	… length time [namespace-service-port] [alternative] upstream:port bytes time status id
//
// Where several upstreams were tried, theirs are lists.
var _ = register(Format{
	Name:  "nginx_ingress_controller.access",
	Title: "Nginx ingress controller access log (Kubernetes)",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool {
			a, ok := cutAccess(l)
			if ok {
				_, ok = cutIngress(a.extra)
			}
			return ok || looksLikeNginxError(l)
		}) * 88 / 100
	},
	Lines: func(p *Params) LineDecoder {
		d := accessDecoder{p: p, names: &ingressNames, errors: newNginxErrorDecoder(p)}
		return func(line string, b *event.Batch) error {
			a, ok := cutAccess(line)
			if !ok {
				return d.decode(line, b)
			}
			in, ok := cutIngress(a.extra)
			if !ok {
				return d.decode(line, b)
			}
			a.extra = ""
			if err := d.add(&a, b); err != nil {
				return err
			}
			in.add(b)
			return nil
		}
	},
})

var ingressNames = accessNames{
	"nginx_ingress_controller.access", "nginx_ingress_controller.access.remote_ip_list", "nginx_ingress_controller.access.identity", "nginx_ingress_controller.access.response_time",
	"nginx_ingress_controller.access.tls_handshake.error", "nginx_ingress_controller.access.http.request_headers", "nginx_ingress_controller.access.extra", "nginx_ingress_controller.access.",
}

type ingressTail struct {
	length, time, name, alternative string
	upstreams, sizes, times, codes  string
	id                              string
}

// cutIngress cuts what stands behind the user agent.
func cutIngress(s string) (t ingressTail, ok bool) {
	t.length, s, _ = strings.Cut(s, " ")
	t.time, s, _ = strings.Cut(s, " ")
	if !isDigits(t.length) || !isSeconds(t.time) || !strings.HasPrefix(s, "[") {
		return t, false
	}
	if t.name, s, ok = strings.Cut(s[1:], "] "); !ok {
		return t, false
	}
	if strings.HasPrefix(s, "[") { // since 0.22
		if t.alternative, s, ok = strings.Cut(s[1:], "] "); !ok {
			return t, false
		}
	}
	for _, part := range [...]*string{&t.upstreams, &t.sizes, &t.times, &t.codes} {
		start := s
		n := 0
		for {
			word, rest, _ := strings.Cut(s, " ")
			n += len(word)
			s = rest
			if !strings.HasSuffix(word, ",") && word != ":" && !strings.HasPrefix(rest, ": ") {
				break
			}
			n++
		}
		if n == 0 || n > len(start) {
			return t, false
		}
		*part = start[:n]
	}
	t.id = s
	return t, t.upstreams == "-" || strings.Contains(t.upstreams, ":")
}

func (t *ingressTail) add(b *event.Batch) {
	const p = "nginx_ingress_controller.access."
	b.AddNumber("http.request.bytes", t.length)
	addSeconds(t.time, b)
	b.Add(p+"upstream.name", strings.Trim(t.name, "-"))
	b.Add(p+"upstream.alternative_name", t.alternative)
	for _, u := range strings.Split(t.upstreams, ", ")[:1] {
		if host, port := splitLastPort(u); host != "-" {
			b.Add(p+"upstream.ip", host)
			b.AddNumber(p+"upstream.port", port)
		}
	}
	list := func(name, s string) {
		for v := range strings.SplitSeq(s, ", ") {
			if isSeconds(v) {
				b.AddNumber(name, v)
			}
		}
	}
	list(p+"upstream.response.length", t.sizes)
	list(p+"upstream.response.time", t.times)
	list(p+"upstream.response.status_code", t.codes)
	if t.id != "-" {
		b.Add("http.request.id", t.id)
	}
}
