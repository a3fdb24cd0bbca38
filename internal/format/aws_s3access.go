package format

import (
	"errors"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Server access logs of Amazon S3: blanks part the columns, the time stands in brackets, request, referrer and user agent in
// quotes. AWS appends columns as the years go by.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
var _ = register(Format{
	Name:  "aws.s3access",
	Title: "AWS S3 server access log",
	Group: "web",
	Recognise: func(s *Sample) int {
		return s.majority(97, func(l string) bool {
			_, ok := cutS3(l, nil)
			return ok
		})
	},
	Lines: func(p *Params) LineDecoder { return (&s3Access{p: p}).decode },
})

var errNotS3 = errors.New("not a line of S3's access log: owner, bucket, [time], address, requester, request id, operation … expected")

// s3Columns are the names that Elastic has for the columns, in their order.
var s3Columns = [...]string{
	"bucket_owner", "bucket", "", "remote_ip", "requester", "request_id", "operation", "key", "request_uri", "http_status", "error_code", "bytes_sent", "object_size", "total_time", "turn_around_time",
	"referrer", "user_agent", "version_id", "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version", "access_point_arn", "aclrequired", "source_region",
}

const (
	s3Time      = 2
	s3Address   = 3
	s3Requester = 4
	s3ID        = 5
	s3Operation = 6
	s3Key       = 7
	s3Request   = 8
	s3Status    = 9
	s3Error     = 10
	s3Sent      = 11
	s3Object    = 12
	s3Total     = 13
	s3Turn      = 14
	s3Referrer  = 15
	s3Agent     = 16
	s3Cipher    = 20
	s3Host      = 22
	s3TLS       = 23
)

// cutS3 cuts a line at its columns.
func cutS3(line string, into []string) (words []string, ok bool) {
	if i := strings.IndexByte(line, ' '); i < 32 || line[0] != '"' && !isHex(line[:i]) {
		return nil, false
	}
	words = into
	for s := line; s != "" && len(words) < 64; {
		switch {
		case s[0] == '[' && len(words) == s3Time:
			end := strings.IndexByte(s, ']')
			if end < 0 || !isCLF(s[1:]) {
				return nil, false
			}
			words, s = append(words, s[1:end]), strings.TrimPrefix(s[end+1:], " ")
		case s[0] == '"' && len(words) == s3Request:
			v, rest, ok := cutRequest(s)
			if !ok { // the request's status may be "-"
				if v, rest, ok = cutQuoted(s); !ok {
					return nil, false
				}
			}
			words, s = append(words, v), strings.TrimPrefix(rest, " ")
		case s[0] == '"':
			v, rest, ok := cutQuoted(s)
			if !ok {
				return nil, false
			}
			words, s = append(words, v), strings.TrimPrefix(rest, " ")
		default:
			var w string
			w, s, _ = strings.Cut(s, " ")
			words = append(words, w)
		}
	}
	return words, len(words) > s3Agent && len(words[0]) >= 32 && isHex(words[0]) && len(words[s3Time]) > 20 && strings.Count(words[s3Operation], ".") >= 1 &&
		(words[s3Status] == "-" || len(words[s3Status]) == 3 && isDigits(words[s3Status])) && (words[s3Address] == "-" || isIP(words[s3Address]))
}

type s3Access struct {
	p      *Params
	agents agentCache
	words  []string
}

func (d *s3Access) decode(line string, b *event.Batch) error {
	w, ok := cutS3(line, d.words[:0])
	if !ok {
		return errNotS3
	}
	d.words = w
	ns, _, ok := d.p.Clock.CLF(w[s3Time])
	if !ok {
		return errNotS3
	}
	at := func(i int) string { return wordAt(w, i) }
	b.Event().Time = ns
	b.Add("event.kind", "event")
	b.Add("event.dataset", "aws.s3access")
	b.Add("event.category", "web")
	b.Add("event.type", "access")
	b.Add("cloud.provider", "aws")
	var few [80]byte
	for i, name := range s3Columns {
		if name == "" || at(i) == "" {
			continue
		}
		name = b.Bytes(append(append(few[:0], "aws.s3access."...), name...))
		switch i {
		case s3Status, s3Sent, s3Object, s3Total, s3Turn:
			b.AddNumber(name, at(i))
		default:
			b.Add(name, at(i))
		}
	}
	b.Add("event.action", at(s3Operation))
	b.Add("event.code", at(s3Error))
	if at(s3Error) == "" && (at(s3Status) == "" || at(s3Status)[0] < '4') {
		b.Add("event.outcome", "success")
	} else {
		b.Add("event.outcome", "failure")
	}
	if ip := at(s3Address); ip != "" {
		b.Add("client.address", ip)
		b.Add("client.ip", plainIP(ip))
		addSource(b, ip, "")
	}
	if who := at(s3Requester); who != "" {
		b.Add("client.user.id", who)
		b.Add("user.id", who)
		if i := strings.LastIndexByte(who, '/'); strings.HasPrefix(who, "arn:") && i > 0 { // …:user/alice, …:assumed-role/ROLE/SESSION
			b.Add("user.name", who[i+1:])
		}
	}
	b.Add("related.user", w[0])
	b.Add("file.path", at(s3Key))
	b.AddNumber("http.response.status_code", at(s3Status))
	b.AddNumber("http.response.body.bytes", at(s3Sent))
	if ms := at(s3Total); isDigits(ms) && len(ms) < 13 {
		b.AddInt("event.duration", wholeNumber(ms)*1e6)
	}
	if method, rest, ok := strings.Cut(at(s3Request), " "); ok && isMethod(method) {
		b.Add("http.request.method", method)
		target, version, _ := strings.Cut(rest, " HTTP/")
		addTarget(target, "", b)
		b.Add("http.version", version)
	}
	b.Add("http.request.referrer", at(s3Referrer))
	if a := at(s3Agent); a != "" {
		d.agents.add(a, b)
	}
	b.Add("tls.cipher", at(s3Cipher))
	addTLSVersion(b, at(s3TLS))
	_, region, _ := strings.Cut(at(s3Host), "s3.") // "bucket.s3.eu-west-1.amazonaws.com"
	region, _, _ = strings.Cut(strings.TrimPrefix(region, "dualstack."), ".amazonaws")
	if region != "amazonaws.com" {
		b.Add("cloud.region", region)
	}
	return nil
}

// addTLSVersion adds "TLSv1.3" as ECS parts it.
func addTLSVersion(b *event.Batch, s string) {
	if protocol, version, ok := strings.Cut(s, "v"); ok && (protocol == "TLS" || protocol == "SSL") {
		b.Add("tls.version", version)
		b.Add("tls.version_protocol", lower(protocol, b))
	}
}
