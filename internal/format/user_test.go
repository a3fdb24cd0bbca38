package format

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

func TestStandardPatternsMatchWhatTheirNamesSay(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(grokPatterns)) {
		if _, err := compileGrok("%{"+name+"}", nil, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct{ name, yes, no string }{
		{"IPV4", "192.0.2.1|255.255.255.255|0.0.0.0", "256.1.1.1|1.2.3|192.0.2.1.5"},
		{"IPV6", "2001:db8::7|::1|fe80::1%eth0|::ffff:192.0.2.1|1:2:3:4:5:6:7:8|2001:db8::", "1:2:3|12345::1"},
		{"IP", "192.0.2.1|::1", "x"},
		{"HOSTNAME", "web1|a.example.com|example.com.", "-x|a..b"},
		{"IPORHOST", "::1|192.0.2.1|a.example.com", " "},
		{"MAC", "00:11:22:aa:bb:cc|00-11-22-aa-bb-cc|0011.22aa.bbcc", "00:11:22:aa:bb"},
		{"TIMESTAMP_ISO8601", "2026-03-04T10:11:12Z|2026-03-04 10:11:12,345|2026-03-04T10:11:12.123+01:00|2026-03-04 10:11", "2026-13-04T10:11:12|04/03/2026"},
		{"HTTPDATE", "04/Mar/2026:10:11:12 +0100", "2026-03-04"},
		{"SYSLOGTIMESTAMP", "Mar  4 10:11:12|Mar 14 10:11:12", "4 Mar 10:11:12"},
		{"LOGLEVEL", "INFO|warn|Warning|ERROR|fatal|Emergency", "LOUD"},
		{"NUMBER", "1|-2.5|.5|+3", "x|1.2.3"},
		{"INT", "-12|+7", "1.5"},
		{"UUID", "123e4567-e89b-12d3-a456-426614174000", "123e4567"},
		{"QS", `"a \"b\" c"|'x'`, `"open`},
		{"UNIXPATH", "/var/log/x.log|/", "var"},
		{"WINPATH", `C:\Windows\x.exe|\\server\share`, "/x"},
		{"URI", "https://user:pw@www.example.com:8443/a/b?c=d|ftp://192.0.2.1/x", "www.example.com"},
		{"EMAILADDRESS", "a.b+c@example.com", "a@"},
		{"DATESTAMP_RFC2822", "Wed, 04 Mar 2026 10:11:12 +0100", "x"},
		{"HTTPDERROR_DATE", "Wed Mar 04 10:11:12 2026", "x"},
		{"SYSLOGPROG", "sshd[812]|kernel", " "},
		{"JAVACLASS", "com.example.Main|Main", "1x"},
	} {
		g, err := compileGrok("^%{"+c.name+"}$", nil, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strings.Split(c.yes, "|") {
			if !g.re.MatchString(s) {
				t.Errorf("%s does not match %q", c.name, s)
			}
		}
		for _, s := range strings.Split(c.no, "|") {
			if g.re.MatchString(s) {
				t.Errorf("%s matches %q", c.name, s)
			}
		}
	}
}

func grokFields(t *testing.T, p linePattern, line string) map[string]string {
	t.Helper()
	var b event.Batch
	b.Begin(0, line)
	if !p.match(line, func(f grokField, v string) { f.add(&b, v) }) {
		t.Fatalf("no match in %q", line)
	}
	got := map[string]string{}
	for _, f := range b.Event().Fields {
		got[f.Name] = f.Value
	}
	return got
}

func TestCombinedApacheLogHasItsECSFields(t *testing.T) {
	g, err := compileGrok("%{COMBINEDAPACHELOG}", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	got := grokFields(t, g, `192.0.2.9 - alice [04/Mar/2026:10:11:12 +0100] "GET /a?b=c HTTP/1.1" 404 - "-" "curl/8.5.0"`)
	want := map[string]string{"source.address": "192.0.2.9", "user.name": "alice", "@timestamp": "04/Mar/2026:10:11:12 +0100", "http.request.method": "GET", "url.original": "/a?b=c",
		"http.version": "1.1", "http.response.status_code": "404", "user_agent.original": "curl/8.5.0"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGroupsAreNumberedWhateverTheExpressionHas(t *testing.T) {
	g, err := compileGrok(`(a|(b))[(\]] \((?<user.name>\w+)\) (?:x) (?P<n>\d) %{INT:[a][b]:int}`, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := grokFields(t, g, "b( (alice) x 7 -3"), map[string]string{"user.name": "alice", "n": "7", "a.b": "-3"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestDissectCutsAtFixedTexts(t *testing.T) {
	d, err := compileDissect("<%{pri:int}> %{+when} %{when} %{+when} [%{?skip}] %{a->} %{b}")
	if err != nil {
		t.Fatal(err)
	}
	if got := grokFields(t, d, "<13> x 1 2 [z] v    rest of it"); got["when"] != "1 2" || got["a"] != "v" || got["b"] != "rest of it" || got["pri"] != "13" || got["skip"] != "" {
		t.Error(got)
	}
	for _, bad := range []string{"no field", "%{a}%{b}", "%{a", "%{&a} %{*a}"} {
		if _, err := compileDissect(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestTimeLayoutsOfJavaAndGoReadTheSame(t *testing.T) {
	want := int64(1772619072345000000) // 2026-03-04T10:11:12.345Z
	for _, c := range [][2]string{
		{"yyyy-MM-dd HH:mm:ss,SSS", "2026-03-04 10:11:12,345"}, {"2006-01-02 15:04:05.000", "2026-03-04 10:11:12.345"}, {"dd/MMM/yyyy:HH:mm:ss.SSS Z", "04/Mar/2026:11:11:12.345 +0100"},
		{"d.M.yy h:mm:ss.SSS a", "4.3.26 10:11:12.345 AM"}, {"yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2026-03-04T10:11:12.345Z"}, {"UNIX_MS", "1772619072345"}, {"ISO8601", "2026-03-04T10:11:12.345Z"},
		{"MMM dd HH:mm:ss.SSS", "Mar 04 10:11:12.345"}, {"EEE MMM dd HH:mm:ss.SSS yyyy", "Wed Mar 04 10:11:12.345 2026"},
	} {
		l, err := parseTimeLayout(c[0])
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if got, ok := l.read(timestamp.NewClock(nil, want-1e18/100), c[1]); !ok || got != want {
			t.Errorf("%s as %s (%s): %d %v", c[1], c[0], l.layout, got, ok)
		}
	}
	for _, bad := range []string{"", "yyyy", "QQ-ww", "yyyy-MM-dd 'T", "yyyySSS HH:mm"} {
		if _, err := parseTimeLayout(bad); err == nil {
			t.Errorf("layout %q is taken", bad)
		}
	}
}

// The example of the documentation is a format that works.
func TestTheExampleInTheDocumentationWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/yaml-formats.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(name:.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("there is no example")
	}
	file := filepath.Join(t.TempDir(), "gate.yml")
	if err := os.WriteFile(file, example[1], 0o666); err != nil {
		t.Fatal(err)
	}
	formats, errs := ReadUserFormats(filepath.Dir(file))
	if len(errs) > 0 || len(formats) != 1 {
		t.Fatal(errs)
	}
	if n, errs := formats[0].Check(); n != 2 || len(errs) > 0 {
		t.Error(n, errs)
	}
}

// FuzzUserFormat throws files and lines at the reader of formats: what it takes decodes
// any line without trouble.
func FuzzUserFormat(f *testing.F) {
	shortly(f)
	f.Add("name: a.b\nmatch: ['%{WORD:x} %{IP:source.ip}']\n", "abc 192.0.2.1")
	f.Add("name: a\nmatch: [{dissect: '%{a} %{+a}'}]\ntime: {layouts: [UNIX, 'yyyy-MM-dd HH:mm:ss'], zone: UTC}\nmap: [{field: a, values: {x: y}}]\nset: {b: [c]}\n", "x y")
	f.Add("name: a\npatterns: {A: '%{B}', B: '%{A}'}\nmatch: ['%{A}']\n", "x")
	f.Add("name: a\nmultiline: {start: '^x'}\nmatch: ['(?<a.b>x[^]]]*)(']\nsamples: [{line: x, expect: {a: b}}]\n", "x]")
	f.Fuzz(func(t *testing.T, file, line string) {
		u, err := parseUserFormat("f.yml", []byte(file))
		if err != nil {
			return
		}
		u.Check()
		if u.Recognise != nil {
			u.Recognise(NewSample("", []byte(line), true))
		}
		decodeAll(t, &u.Format, []byte(line), strings.NewReader(line))
	})
}
