package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Access logs of Apache Tomcat's AccessLogValve. Its pattern "common" is Apache's own; what is Tomcat's is a local address, the
// state of the connection and the time taken behind the size, headers as NAME="value", and the paths of its own applications.
// https://tomcat.apache.org/tomcat-10.1-doc/config/valve.html#Access_Log_Valve/Attributes
var _ = register(Format{
	Name:      "apache_tomcat.access",
	Title:     "Apache Tomcat access log",
	Group:     "web",
	Recognise: recogniseTomcatAccess,
	Lines: func(p *Params) LineDecoder {
		return (&tomcatAccess{accessDecoder{p: p, names: &tomcatNames}}).decode
	},
})

var tomcatNames = accessNames{
	"apache_tomcat.access", "apache_tomcat.access.remote_addresses", "apache_tomcat.access.identity", "apache_tomcat.access.response_time",
	"apache_tomcat.access.tls_handshake.error", "apache_tomcat.access.http.request_headers", "apache_tomcat.access.extra", "apache_tomcat.access.",
}

// recogniseTomcatAccess wants a sign of Tomcat in lines that are of an access log.
func recogniseTomcatAccess(s *Sample) int {
	lines, signs := 0, 0
	for _, l := range s.Lines {
		a, ok := cutAccess(l)
		if !ok || a.vhost != "" {
			continue
		}
		lines++
		rest, _ := cutTomcatTail(a.extra, nil)
		_, target, _ := strings.Cut(a.request, " ")
		switch {
		case !a.hasAgent && rest != a.extra, // the words between size and referrer
			strings.Contains(a.extra, `X-Forwarded-For="`),
			strings.HasPrefix(target, "/manager/html") || strings.HasPrefix(target, "/manager/text/") || strings.HasPrefix(target, "/host-manager/"):
			signs++
		}
	}
	if name := strings.ToLower(s.Name); strings.Contains(name, "localhost_access_log") || strings.Contains(name, "tomcat") {
		signs += lines
	}
	if lines == 0 || signs*2 < lines {
		return 0
	}
	return (85*lines + len(s.Lines) - 1) / len(s.Lines)
}

// cutTomcatTail calls fn with the words behind the size that are a local address, the state of the connection (%X: X, + or -) or
// the time taken, and returns the rest; s itself if there is none of these.
func cutTomcatTail(s string, fn func(word string)) (rest string, ok bool) {
	for rest = s; rest != ""; {
		word, after, _ := strings.Cut(rest, " ")
		switch {
		case isIP(word), word == "X", word == "+", word == "-", isSeconds(word):
		default:
			return rest, rest != s
		}
		if fn != nil {
			fn(word)
		}
		rest = after
	}
	return s, false // words alone: of any server's custom format
}

type tomcatAccess struct{ accessDecoder }

func (d *tomcatAccess) decode(line string, b *event.Batch) error {
	a, ok := cutAccess(line)
	if !ok {
		return errNotAccess
	}
	if !a.hasAgent && a.extra != "" {
		rest, ok := cutTomcatTail(a.extra, func(word string) {
			switch {
			case isIP(word):
				b.Add("apache_tomcat.access.ip.local", word)
				b.Add("related.ip", plainIP(word))
			case word == "X", word == "+", word == "-":
				b.Add("apache_tomcat.access.connection_status", word)
			default:
				a.afterLen = word
			}
		})
		if ok {
			a.extra = rest
			if v, after, ok := cutQuoted(rest); ok && rest[0] == '"' {
				a.referrer, a.extra = v, strings.TrimPrefix(after, " ")
				if v, after, ok := cutQuoted(a.extra); ok && a.extra[0] == '"' {
					a.agent, a.hasAgent, a.extra = v, true, strings.TrimPrefix(after, " ")
				}
			}
		}
	}
	if err := d.add(&a, b); err != nil {
		return err
	}
	b.Add("event.module", "apache_tomcat")
	b.Add("apache_tomcat.access.http.ident", a.ident)
	b.Add("apache_tomcat.access.http.useragent", a.user) // sic: Elastic's name for %u
	if a.size != "-" {
		b.AddNumber("destination.bytes", a.size)
	}
	return nil
}
