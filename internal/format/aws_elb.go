package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Access logs of AWS load balancers: Application (fields that AWS appends at the end,
// the type first), Classic (without the type) and the TLS listeners of Network ones.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html
var _ = register(Format{
	Name:  "aws.elb_logs",
	Title: "AWS load balancer access log (ALB, NLB, classic ELB)",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.Share(func(l string) bool { _, _, ok := cutELB(l, nil); return ok }) * 95 / 100
	},
	Lines: func(p *Params) LineDecoder { return (&elb{p: p}).decode },
})

type elb struct {
	p      *Params
	agents agentCache
	words  []string
}

var errNotELB = errors.New("not a line of a load balancer's access log")

// cutELB cuts a line; kind is "" for a classic load balancer, "tls" for a network one.
func cutELB(line string, into []string) (kind string, words []string, ok bool) {
	words = into
	first, rest, _ := strings.Cut(line, " ")
	switch first {
	case "http", "https", "h2", "grpcs", "ws", "wss":
		kind, line = first, rest
	case "tls":
		version, after, _ := strings.Cut(rest, " ")
		if !isSeconds(version) {
			return "", nil, false
		}
		kind, line = first, after
	}
	if len(line) < 20 || line[4] != '-' || line[10] != 'T' {
		return "", nil, false
	}
	for s := line; s != "" && len(words) < 64; {
		if s[0] == '"' {
			v, after, ok := cutQuoted(s)
			if !ok {
				return "", nil, false
			}
			words, s = append(words, v), strings.TrimPrefix(after, " ")
			continue
		}
		var w string
		w, s, _ = strings.Cut(s, " ")
		words = append(words, w)
	}
	if kind == "tls" {
		return kind, words, len(words) >= 14 && strings.HasPrefix(words[1], "net/") && strings.Contains(words[3], ":") && isDigits(words[7]) && isDigits(words[8])
	}
	if len(words) < 12 || !strings.Contains(words[2], ":") && words[2] != "-" || !isSeconds(words[4]) || !isSeconds(words[5]) || !isSeconds(words[6]) {
		return "", nil, false
	}
	return kind, words, true
}

func isSeconds(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func (d *elb) decode(line string, b *event.Batch) error {
	kind, w, ok := cutELB(line, d.words[:0])
	if !ok {
		return errNotELB
	}
	d.words = w
	ns, ok := d.time(w[0], b)
	if !ok {
		return errNotELB
	}
	at := func(i int) string { return wordAt(w, i) }
	b.Event().Time = ns
	b.Add("event.kind", "event")
	b.Add("event.dataset", "aws.elb_logs")
	b.Add("event.category", "web")
	b.Add("cloud.provider", "aws")
	addTime("event.end", ns, b)
	b.Add("aws.elb.type", kind)
	b.Add("aws.elb.name", w[1])
	if kind == "tls" {
		d.tls(w, b)
		return nil
	}
	host, port := splitLastPort(at(2))
	addSource(b, host, port)
	if host, port = splitLastPort(at(3)); host != "" {
		b.Add("aws.elb.backend.ip", host)
		b.Add("aws.elb.backend.port", port)
	}
	b.AddNumber("aws.elb.request_processing_time.sec", seconds(w[4]))
	b.AddNumber("aws.elb.backend_processing_time.sec", seconds(w[5]))
	b.AddNumber("aws.elb.response_processing_time.sec", seconds(w[6]))
	status := at(7)
	b.AddNumber("http.response.status_code", status)
	b.AddNumber("aws.elb.backend.http.response.status_code", at(8))
	if kind == "" && status == "" {
		b.Add("aws.elb.protocol", "tcp")
		b.AddNumber("source.bytes", at(9))
		b.AddNumber("destination.bytes", at(10))
	} else {
		b.Add("aws.elb.protocol", "http")
		b.AddNumber("http.request.body.bytes", at(9))
		b.AddNumber("http.response.body.bytes", at(10))
	}
	if len(status) == 3 {
		if status[0] < '4' {
			b.Add("event.outcome", "success")
		} else {
			b.Add("event.outcome", "failure")
		}
	}
	if method, rest, ok := strings.Cut(w[11], " "); ok && isMethod(method) {
		b.Add("http.request.method", method)
		target, version, found := strings.Cut(rest, " HTTP/")
		if target = strings.TrimRight(target, " -"); target != "" {
			addURL(target, b)
		}
		if found {
			b.Add("http.version", version)
		}
	}
	if a := at(12); a != "" {
		d.agents.add(a, b)
	}
	b.Add("tls.cipher", at(13))
	b.Add("aws.elb.ssl_cipher", at(13))
	b.Add("aws.elb.ssl_protocol", at(14))
	if v, ok := strings.CutPrefix(at(14), "TLSv"); ok {
		b.Add("tls.version", v)
		b.Add("tls.version_protocol", "tls")
	}
	if kind == "" {
		return nil
	}
	b.Add("aws.elb.target_group.arn", at(15))
	b.Add("aws.elb.trace_id", at(16))
	b.Add("trace.id", at(16))
	b.Add("destination.domain", at(17))
	b.Add("aws.elb.chosen_cert.arn", at(18))
	b.Add("aws.elb.matched_rule_priority", at(19))
	if ns, ok := d.time(at(20), b); ok {
		addTime("event.start", ns, b)
	}
	for a := range strings.SplitSeq(at(21), ",") {
		b.Add("aws.elb.action_executed", a)
	}
	b.Add("aws.elb.redirect_url", at(22))
	b.Add("aws.elb.error.reason", at(23))
	for t := range strings.FieldsSeq(at(24)) {
		b.Add("aws.elb.target_port", t)
	}
	for t := range strings.FieldsSeq(at(25)) {
		b.Add("aws.elb.target_status_code", t)
	}
	b.Add("aws.elb.classification", at(26))
	b.Add("aws.elb.classification_reason", at(27))
	return nil
}

// time reads a stamp, which is in UTC also where it does not say so.
func (d *elb) time(s string, b *event.Batch) (ns int64, ok bool) {
	if len(s) == len("2006-01-02T15:04:05") {
		s = b.Bytes(append([]byte(s), 'Z'))
	}
	ns, n, ok := d.p.Clock.ISO(s)
	return ns, ok && n == len(s)
}

// tls reads what a TLS listener says of a connection, from the listener on.
func (d *elb) tls(w []string, b *event.Batch) {
	at := func(i int) string { return wordAt(w, i) }
	b.Set("event.category", "network")
	b.Add("event.type", "connection")
	b.Add("network.transport", "tcp")
	b.Add("aws.elb.protocol", "tls")
	b.Add("aws.elb.listener", at(2))
	host, port := splitLastPort(at(3))
	addSource(b, host, port)
	host, port = splitLastPort(at(4))
	addDestination(b, host, port)
	b.AddNumber("aws.elb.connection_time.ms", at(5))
	b.AddNumber("aws.elb.tls_handshake_time.ms", at(6)) // "-" where it came to none
	b.AddNumber("source.bytes", at(7))
	b.AddNumber("destination.bytes", at(8))
	b.Add("aws.elb.incoming_tls_alert", at(9))
	b.Add("aws.elb.chosen_cert.arn", at(10))
	b.Add("aws.elb.chosen_cert.serial", at(11))
	b.Add("tls.cipher", at(12))
	b.Add("aws.elb.ssl_cipher", at(12))
	b.Add("aws.elb.ssl_protocol", at(13))
	if v, ok := strings.CutPrefix(at(13), "tlsv"); ok {
		if len(v) == 2 { // "tlsv12"
			v = b.Bytes([]byte{v[0], '.', v[1]})
		}
		b.Add("tls.version", v)
		b.Add("tls.version_protocol", "tls")
	}
	b.Add("aws.elb.tls_named_group", at(14))
	b.Add("destination.domain", at(15))
	b.Add("tls.client.server_name", at(15))
	b.Add("tls.next_protocol", at(16))
	if ns, ok := d.time(at(19), b); ok {
		addTime("event.start", ns, b)
	}
	if at(6) == "" {
		b.Add("event.outcome", "failure")
	} else {
		b.Add("event.outcome", "success")
	}
}

// seconds is a time without the zeros at its end.
func seconds(s string) string {
	if strings.IndexByte(s, '.') < 0 {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// wordAt is word i of a line, "" where the line has none or says "-".
func wordAt(words []string, i int) string {
	if i < len(words) && words[i] != "-" {
		return words[i]
	}
	return ""
}
