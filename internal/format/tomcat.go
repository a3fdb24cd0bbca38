package format

import (
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// Apache Tomcat's own logs, catalina and localhost, as its OneLineFormatter writes them:
//
//	DD-Mon-YYYY hh:mm:ss.mmm LEVEL [thread] class.method message
//
// and below it the lines of a message or stack trace. Names follow Elastic's integration.
// https://tomcat.apache.org/tomcat-10.1-doc/logging.html
var _ = register(Format{
	Name:      "apache_tomcat.catalina",
	Title:     "Apache Tomcat catalina and localhost logs",
	Group:     "web",
	Recognise: recogniseTomcat,
	Lines:     func(p *Params) LineDecoder { return (&tomcat{p}).decode },
	Joins: func(line []byte) bool {
		_, ok := cutTomcat(event.View(line))
		return !ok
	},
	Blank: true, // in what JSPs say of their errors
})

// recogniseTomcat: every line that begins as a record of Java does is one of Tomcat's form, and one is of its classes.
func recogniseTomcat(s *Sample) int {
	begun, own := 0, false
	for _, l := range s.Lines {
		h, ok := cutTomcat(l)
		if !ok {
			if appBegins(l) {
				return 0
			}
			continue
		}
		begun++
		own = own || strings.HasPrefix(h.source, "org.apache.c") || strings.HasPrefix(h.source, "org.apache.tomcat.") || strings.HasPrefix(h.source, "org.apache.jasper.")
	}
	if begun == 0 || !own {
		return 0
	}
	return 96
}

type tomcatHead struct{ stamp, level, thread, source, text string }

// cutTomcat cuts a record at the parts of its first line; text is from the source on.
func cutTomcat(l string) (h tomcatHead, ok bool) {
	const stamp = len("02-Jan-2006 15:04:05.000")
	if len(l) < stamp+10 || l[2] != '-' || l[6] != '-' || l[11] != ' ' || l[14] != ':' || l[20] != '.' || l[stamp] != ' ' || !isDigit(l[0]) {
		return h, false
	}
	level, rest, ok := strings.Cut(l[stamp+1:], " [")
	if !ok || !tomcatLevels[level] {
		return h, false
	}
	thread, text, ok := strings.Cut(rest, "] ")
	if !ok {
		return h, false
	}
	source, _, _ := strings.Cut(text, " ")
	return tomcatHead{l[:stamp], level, thread, source, text}, true
}

var tomcatLevels = map[string]bool{"SEVERE": true, "WARNING": true, "INFO": true, "CONFIG": true, "FINE": true, "FINER": true, "FINEST": true}

// localhostSources log for a web application: to the log of its host.
var localhostSources = [...]string{
	"org.apache.catalina.core.ApplicationContext.", "org.apache.catalina.core.StandardWrapper", "org.apache.catalina.core.ApplicationDispatcher.",
	"org.apache.catalina.core.StandardHostValve.", "org.apache.catalina.core.StandardContext.listener", "org.apache.catalina.core.StandardContext.filter",
}

type tomcat struct{ p *Params }

var errNotTomcat = errorString("no record of Tomcat's: day, time, level, [thread] and class expected")

func (d *tomcat) decode(record string, b *event.Batch) error {
	h, ok := cutTomcat(record)
	if !ok {
		return errNotTomcat
	}
	ns, ok := d.p.Clock.Any(h.stamp)
	if !ok {
		return errNotTomcat
	}
	b.Event().Time = ns
	dataset, subsystem := "apache_tomcat.catalina", "apache_tomcat.catalina.subsystem"
	for _, s := range localhostSources {
		if strings.HasPrefix(h.source, s) {
			dataset, subsystem = "apache_tomcat.localhost", "apache_tomcat.localhost.subsystem"
		}
	}
	b.Add("event.dataset", dataset)
	b.Add("event.module", "apache_tomcat")
	b.Add("event.kind", "event")
	b.Add("event.category", "web")
	if h.level == "SEVERE" || h.level == "WARNING" {
		b.Add("event.type", "error")
	} else {
		b.Add("event.type", "info")
	}
	b.Add("log.level", lower(h.level, b))
	b.Add(subsystem, h.thread)
	b.Add("process.thread.name", h.thread)
	if i := strings.LastIndexByte(h.source, '.'); i > 0 {
		b.Add("log.logger", h.source[:i])
		b.Add("log.origin.function", h.source[i+1:])
	}
	message := h.text
	if i := strings.IndexByte(message, '\n'); i >= 0 {
		b.Add("error.stack_trace", message[i:])
		message = message[:i]
	}
	b.Add("message", strings.TrimSuffix(message, "\r"))
	return nil
}
