package format

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// grok is a line's pattern in the language of Logstash's grok filter: a regular expression
// with %{NAME}, %{NAME:field} and %{NAME:field:type} for named patterns. Expressions are
// RE2's: they take time linear in the line's length, and have neither look-around nor
// back-references.
type grok struct {
	re     *regexp.Regexp
	fields []grokField // by number of the group
}

type grokField struct {
	name string // "" for a group of no field
	kind string // "", "int", "float", "bool"
}

const (
	maxGrokDepth = 20
	maxGrokSize  = 64 << 10 // of an expression when everything is put in
)

// grokReference is %{NAME:field:type}.
var grokReference = regexp.MustCompile(`%\{([A-Za-z0-9_]+)(?::([^}:]+))?(?::([a-z]+))?\}`)

// compileGrok puts patterns in; own ones go before the standard ones. flags are
// those of the whole expression ("s": a dot is also a line end).
func compileGrok(pattern string, own map[string]string, flags string) (*grok, error) {
	g := &grok{fields: []grokField{{}}}
	var out strings.Builder
	if flags != "" {
		out.WriteString("(?" + flags + ")")
	}
	if err := g.expand(&out, pattern, own, 0); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(out.String())
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		if strings.Contains(why, "(?=") || strings.Contains(why, "(?!") || strings.Contains(why, "(?<") || strings.Contains(why, "(?>") {
			why += " (look-around and atomic groups cannot be matched in linear time and are not supported)"
		}
		return nil, fmt.Errorf("not a regular expression: %s", why)
	}
	if re.NumSubexp()+1 != len(g.fields) {
		return nil, fmt.Errorf("groups of the expression are not understood")
	}
	g.re = re
	return g, nil
}

// expand writes the pattern as a regular expression and notes the field of each group.
func (g *grok) expand(out *strings.Builder, pattern string, own map[string]string, depth int) error {
	if depth > maxGrokDepth {
		return fmt.Errorf("patterns refer to each other without end")
	}
	for {
		at := grokReference.FindStringSubmatchIndex(pattern)
		if at == nil {
			g.groups(out, pattern)
			return nil
		}
		g.groups(out, pattern[:at[0]])
		name := pattern[at[2]:at[3]]
		def, ok := own[name]
		if !ok {
			def, ok = grokPatterns[name]
		}
		if !ok {
			return fmt.Errorf("no pattern is named %s", name)
		}
		if at[4] >= 0 {
			f := grokField{name: grokFieldName(pattern[at[4]:at[5]])}
			if at[6] >= 0 {
				f.kind = pattern[at[6]:at[7]]
			}
			if !slices.Contains([]string{"", "int", "long", "float", "double", "bool", "boolean", "string"}, f.kind) {
				return fmt.Errorf("%%{%s:%s:%s}: no type is named %s; want int, float, bool or string", name, f.name, f.kind, f.kind)
			}
			g.fields = append(g.fields, f)
			out.WriteString("(")
		} else {
			out.WriteString("(?:")
		}
		if err := g.expand(out, def, own, depth+1); err != nil {
			return err
		}
		if out.WriteByte(')'); out.Len() > maxGrokSize {
			return fmt.Errorf("the expression is longer than %d bytes when all patterns are put in", maxGrokSize)
		}
		pattern = pattern[at[1]:]
	}
}

// groups copies an expression and counts its own groups: (?<field>…) and (?P<field>…)
// name a field, others none.
func (g *grok) groups(out *strings.Builder, s string) {
	class := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			out.WriteByte(c)
			i++
			c = s[i]
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if strings.HasPrefix(s[i+1:], "^]") {
				out.WriteString("[^")
				i += 2
				c = s[i]
			} else if strings.HasPrefix(s[i+1:], "]") {
				out.WriteByte(c)
				i++
				c = s[i]
			}
		case c == '(' && !strings.HasPrefix(s[i+1:], "?"):
			g.fields = append(g.fields, grokField{})
		case c == '(':
			name, named := strings.CutPrefix(s[i+1:], "?P<")
			if !named {
				name, named = strings.CutPrefix(s[i+1:], "?<")
			}
			if end := strings.IndexByte(name, '>'); named && end > 0 && name[0] != '=' && name[0] != '!' {
				// Its name is left out of the expression: those of fields may have dots.
				g.fields = append(g.fields, grokField{name: grokFieldName(name[:end])})
				i = len(s) - len(name) + end
			}
		}
		out.WriteByte(c)
	}
}

// grokFieldName takes Logstash's [user][name] as user.name.
func grokFieldName(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return strings.ReplaceAll(s[1:len(s)-1], "][", ".")
	}
	return s
}

// match gives the fields of a line to fn; false if the pattern is not in it.
func (g *grok) match(line string, fn func(f grokField, value string)) bool {
	at := g.re.FindStringSubmatchIndex(line)
	if at == nil {
		return false
	}
	for i, f := range g.fields {
		if f.name != "" && at[2*i] >= 0 {
			fn(f, line[at[2*i]:at[2*i+1]])
		}
	}
	return true
}

// add adds a value to the event as what its type says.
func (f grokField) add(b *event.Batch, value string) {
	switch f.kind {
	case "int", "long", "float", "double":
		b.AddNumber(f.name, value)
	case "bool", "boolean":
		switch strings.ToLower(value) {
		case "true", "yes", "1", "on":
			b.AddBool(f.name, true)
		case "false", "no", "0", "off":
			b.AddBool(f.name, false)
		default:
			b.Add(f.name, value)
		}
	default:
		b.Add(f.name, value)
	}
}

// grokPatterns are the patterns known by name in every format; the names are those that
// grok users know.
var grokPatterns = map[string]string{
	// Text and numbers
	"USERNAME": `[a-zA-Z0-9._-]+`, "USER": `%{USERNAME}`, "WORD": `\b\w+\b`, "NOTSPACE": `\S+`, "SPACE": `\s*`, "DATA": `.*?`, "GREEDYDATA": `.*`,
	"EMAILLOCALPART": `[a-zA-Z0-9!#$%&'*+\-/=?^_{|}~]+(?:\.[a-zA-Z0-9!#$%&'*+\-/=?^_{|}~]+)*`, "EMAILADDRESS": `%{EMAILLOCALPART}@%{HOSTNAME}`,
	"INT": `[+-]?[0-9]+`, "BASE10NUM": `[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)`, "NUMBER": `%{BASE10NUM}`, "BASE16NUM": `[+-]?(?:0x)?[0-9A-Fa-f]+`,
	"BASE16FLOAT": `[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)`, "POSINT": `\b[1-9][0-9]*\b`, "NONNEGINT": `\b[0-9]+\b`,
	"QUOTEDSTRING": "\"(?:\\\\.|[^\\\\\"])*\"|'(?:\\\\.|[^\\\\'])*'|`(?:\\\\.|[^\\\\`])*`", "QS": `%{QUOTEDSTRING}`,
	"UUID": `[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}`, "URN": `urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:(?:%[0-9a-fA-F]{2}|[0-9A-Za-z()+,.:=@;$_!*'/?#-])+`,
	// Networks
	"CISCOMAC": `(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}`, "WINDOWSMAC": `(?:[A-Fa-f0-9]{2}-){5}[A-Fa-f0-9]{2}`, "COMMONMAC": `(?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2}`, "MAC": `%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC}`,
	"IPV4": `\b(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\b`,
	"IPV6": `(?:(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){6}%{IPV4}|(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?::(?:(?:[0-9A-Fa-f]{1,4}:){0,5}%{IPV4}|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?)(?:%[0-9A-Za-z]+)?`,
	"IP":   `%{IPV6}|%{IPV4}`, "HOSTNAME": `\b[0-9A-Za-z][0-9A-Za-z_-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z_-]{0,62})*\.?`, "HOST": `%{HOSTNAME}`, "IPORHOST": `%{IP}|%{HOSTNAME}`, "HOSTPORT": `%{IPORHOST}:%{POSINT}`,
	// Paths and addresses of the web
	"UNIXPATH": `(?:/[\w%!$@:.,+~=&#-]*)+`, "WINPATH": `(?:[A-Za-z]:|\\)(?:\\[^\\?*"<>|\r\n]*)+`, "PATH": `%{UNIXPATH}|%{WINPATH}`, "TTY": `/dev/(?:pts|tty[a-z]*)/?[0-9]*`,
	"URIPROTO": `[A-Za-z][A-Za-z0-9+\-.]*`, "URIHOST": `%{IPORHOST}(?::%{POSINT})?`, "URIPATH": `(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_\-]*)+`, "URIQUERY": `[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\-\[\]<>]*`, "URIPARAM": `\?%{URIQUERY}`,
	"URIPATHPARAM": `%{URIPATH}(?:%{URIPARAM})?`, "URI": `%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?`,
	// Times
	"MONTH":    `\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b`,
	"MONTHNUM": `0?[1-9]|1[0-2]`, "MONTHNUM2": `0[1-9]|1[0-2]`, "MONTHDAY": `(?:0[1-9]|[12][0-9]|3[01]|[1-9])`, "DAY": `(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)`,
	"YEAR": `(?:\d\d){1,2}`, "HOUR": `2[0-3]|[01]?[0-9]`, "MINUTE": `[0-5][0-9]`, "SECOND": `(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?`, "TIME": `%{HOUR}:%{MINUTE}(?::%{SECOND})`,
	"DATE_US": `%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}`, "DATE_EU": `%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}`, "DATE": `%{DATE_US}|%{DATE_EU}`, "DATESTAMP": `%{DATE}[- ]%{TIME}`,
	"ISO8601_TIMEZONE": `Z|[+-]%{HOUR}(?::?%{MINUTE})?`, "ISO8601_SECOND": `%{SECOND}`, "TIMESTAMP_ISO8601": `%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?:%{ISO8601_TIMEZONE})?`,
	"TZ": `(?:[APMCE][SD]T|UTC|GMT|CES?T|[A-Z]{3,5})`, "DATESTAMP_RFC822": `%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}`, "DATESTAMP_RFC2822": `%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}`,
	"DATESTAMP_OTHER": `%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}`, "DATESTAMP_EVENTLOG": `%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}`,
	"SYSLOGTIMESTAMP": `%{MONTH} +%{MONTHDAY} %{TIME}`, "HTTPDATE": `%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}`, "HTTPDERROR_DATE": `%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}`,
	// Logs
	"LOGLEVEL": `(?i:alert|trace|debug|notice|info(?:rmation(?:al)?)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?|panic)`,
	"PROG":     `[!-Z\\^-~]+`, "SYSLOGPROG": `%{PROG:process.name}(?:\[%{POSINT:process.pid:int}\])?`, "SYSLOGHOST": `%{IPORHOST}`, "SYSLOGFACILITY": `<%{NONNEGINT:log.syslog.facility.code:int}\.%{NONNEGINT:log.syslog.priority:int}>`,
	"SYSLOGBASE": `%{SYSLOGTIMESTAMP:@timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:host.hostname} %{SYSLOGPROG}:`, "SYSLOGLINE": `%{SYSLOGBASE} *%{GREEDYDATA:message}`,
	"HTTPDUSER":       `%{EMAILADDRESS}|%{USER}`,
	"HTTPD_COMMONLOG": `%{IPORHOST:source.address} (?:-|%{HTTPDUSER:_ident}) (?:-|%{HTTPDUSER:user.name}) \[%{HTTPDATE:@timestamp}\] "(?:%{WORD:http.request.method} %{NOTSPACE:url.original}(?: HTTP/%{NUMBER:http.version})?|%{DATA})" (?:-|%{INT:http.response.status_code:int}) (?:-|%{INT:http.response.body.bytes:int})`,
	"COMMONAPACHELOG": `%{HTTPD_COMMONLOG}`, "HTTPD_COMBINEDLOG": `%{HTTPD_COMMONLOG} "(?:-|%{DATA:http.request.referrer})" "(?:-|%{DATA:user_agent.original})"`, "COMBINEDAPACHELOG": `%{HTTPD_COMBINEDLOG}`,
	"JAVACLASS": `(?:[a-zA-Z$_][a-zA-Z$_0-9]*\.)*[a-zA-Z$_][a-zA-Z$_0-9]*`, "JAVAFILE": `[a-zA-Z$_0-9. -]+`, "JAVAMETHOD": `<init>|<clinit>|[a-zA-Z$_][a-zA-Z$_0-9]*`,
	"JAVASTACKTRACEPART": `\s*at %{JAVACLASS}\.%{JAVAMETHOD}\(%{JAVAFILE}(?::%{INT})?\)`, "JAVATHREAD": `[A-Z]{2}-Processor[0-9]+`,
	"MONGO3_SEVERITY": `\w`, "CRON_ACTION": `[A-Z ]+`, "REDISTIMESTAMP": `%{MONTHDAY} %{MONTH} %{TIME}`,
}
