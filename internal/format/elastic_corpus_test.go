package format_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// elasticRows are the folders of the corpus with raw logs beside the documents
// that Elastic's integrations make of them. A format adds its row.
var elasticRows = []struct {
	folder string
	format string  // under which its lines must be recognised
	least  float64 // percent of the expected fields that must be equal
}{
	{"apache/elastic_integrations/apache.access", "apache.access", 98},
	{"apache/elastic_integrations/apache.error", "apache.error", 98},
	{"nginx/elastic_integrations/nginx.access", "nginx.access", 98},
	{"nginx/elastic_integrations/nginx.error", "nginx.error", 98},
	{"iis/elastic_integrations/iis.access", "iis.access", 96},
	{"iis/elastic_integrations/iis.error", "iis.error", 98},
	{"auditd/elastic_integrations/auditd.log", "auditd.log", 98},
	{"zeek/elastic_integrations/zeek.capture_loss", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.connection", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.dce_rpc", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.dhcp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.dnp3", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.dns", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.dpd", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.files", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ftp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.http", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.intel", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.irc", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.kerberos", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.known_certs", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.known_hosts", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.known_services", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.modbus", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.mysql", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.notice", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ntlm", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ntp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ocsp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.pe", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.radius", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.rdp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.rfb", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.signature", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.sip", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.smb_cmd", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.smb_files", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.smb_mapping", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.smtp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.snmp", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.socks", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ssh", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.ssl", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.stats", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.syslog", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.traceroute", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.tunnel", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.weird", "zeek.json", 90},
	{"zeek/elastic_integrations/zeek.x509", "zeek.json", 90},
	{"haproxy/elastic_integrations/haproxy.log", "haproxy.log", 95},
	{"squid/elastic_integrations/squid.log", "squid.log", 95},
	{"aws/elastic_integrations/aws.elb_logs", "aws.elb_logs", 95},
	{"other_products/traefik/elastic_integrations/traefik.access", "traefik.access", 90},
	{"other_products/modsecurity/elastic_integrations/modsecurity.auditlog", "modsecurity.json", 90},
	{"suricata/elastic_integrations/suricata.eve", "suricata.eve", 98},
}

// notCompared are expected fields that no decoder can give, with the reason.
var notCompared = map[string]string{
	"event.ingested":                    "when Elastic stored it",
	"event.created":                     "when an agent read it",
	"event.id":                          "ours is made of the record; a product's own id stays in its own field",
	"dns.question.registered_domain":    "needs the public suffix list",
	"dns.question.subdomain":            "needs the public suffix list",
	"dns.question.top_level_domain":     "needs the public suffix list",
	"log.file.path":                     "where an agent read it",
	"threat.indicator.geo.*":            "needs a database",
	"threat.indicator.as.*":             "needs a database",
	"event.timezone":                    "set by the agent's configuration",
	"ecs.version":                       "of Elastic's mapping",
	"tags":                              "set by an agent",
	"source.geo.*":                      "needs a database",
	"destination.geo.*":                 "needs a database",
	"client.geo.*":                      "needs a database",
	"source.as.*":                       "needs a database",
	"destination.as.*":                  "needs a database",
	"client.as.*":                       "needs a database",
	"agent.*":                           "describes an agent",
	"_tmp.*":                            "left over by Elastic's pipeline",
	"threat.tactic.id":                  "Elastic puts the technique's id there; ours is in threat.technique.id",
	"observer.vendor":                   "depends on how the agent was told to tag",
	"apache.access.tls_handshake.error": "Elastic takes any request that is not HTTP for TLS; ours must begin a TLS record",
}

func compared(name string) bool {
	if _, ok := notCompared[name]; ok {
		return false
	}
	for i, c := range name {
		if c == '.' {
			if _, ok := notCompared[name[:i]+".*"]; ok {
				return false
			}
		}
	}
	return true
}

func corpus(t *testing.T) string {
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above: set SEXTANT_CORPUS to compare with the corpus")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus at ../shared/corpus: set SEXTANT_CORPUS to compare with it")
	}
	return dir
}

// agreement counts the expected fields of a folder.
type agreement struct {
	equal, all int
	worst      map[string]int    // by name, how often it differs
	example    map[string]string // the first difference
}

func (a *agreement) percent() float64 { return 100 * float64(a.equal) / float64(max(1, a.all)) }

func TestFieldsAgreeWithElasticsIntegrations(t *testing.T) {
	root := corpus(t)
	for _, row := range elasticRows {
		t.Run(row.folder[strings.LastIndexByte(row.folder, '/')+1:], func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join(root, row.folder, "*.log"))
			if len(files) == 0 {
				t.Skip("not in this corpus")
			}
			sum := agreement{worst: map[string]int{}, example: map[string]string{}}
			for _, file := range files {
				compareFile(t, file, row.format, &sum)
			}
			names := slices.SortedFunc(maps.Keys(sum.worst), func(a, b string) int {
				return cmp.Or(sum.worst[b]-sum.worst[a], strings.Compare(a, b))
			})
			report := fmt.Sprintf("%.1f %% of %d fields are equal", sum.percent(), sum.all)
			for _, n := range names[:min(len(names), 12)] {
				report += fmt.Sprintf("\n  %3d× %s: %s", sum.worst[n], n, sum.example[n])
			}
			t.Log(report)
			if sum.percent() < row.least {
				t.Errorf("less than %.0f %%", row.least)
			}
		})
	}
}

func compareFile(t *testing.T, file, name string, sum *agreement) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data = unwrapped(data)
	raw, err := os.ReadFile(file + "-expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Expected []map[string]any }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	f, _ := format.Recognise(format.NewSample("", data, true))
	if f == nil || f.Name != name {
		t.Errorf("%s is recognised as %v", filepath.Base(file), f)
		f = format.Lookup(name)
	}
	got := decodeFile(t, f, data)
	at := 0
	for _, want := range doc.Expected {
		if want == nil {
			continue
		}
		original := dig(want, "event", "original")
		// Some of Elastic's tests were fed several lines as one; ours is the first.
		// Records that we join to one event are several to Elastic.
		joined := func(i int) bool {
			all := dig(got[i], "event", "original")
			return strings.Contains(all, "\n") && strings.Contains(all, original)
		}
		if at > 0 && original != "" && !strings.Contains(original, "\n") && joined(at-1) {
			at--
		}
		for at < len(got) && original != "" && !strings.HasPrefix(original, dig(got[at], "event", "original")) && !joined(at) {
			at++
		}
		if at == len(got) {
			t.Errorf("%s: no event for %.80q", filepath.Base(file), original)
			return
		}
		have, wanted := flatten(got[at]), flatten(want)
		at++
		for name, w := range wanted {
			if !compared(name) || name == "event.original" || name == "message" && len(w) == 1 && (w[0] == original || w[0] == "") {
				continue
			}
			sum.all++
			if h := have[name]; equal(name, h, w) {
				sum.equal++
			} else {
				if sum.worst[name]++; sum.worst[name] == 1 {
					sum.example[name] = fmt.Sprintf("got %.90q, want %.90q", h, w)
				}
			}
		}
	}
}

// unwrapped takes records out of Splunk's export of them, which some of Elastic's
// test files hold.
func unwrapped(data []byte) []byte {
	if !bytes.Contains(data, []byte(`"_raw":`)) {
		return data
	}
	lines := bytes.Split(data, []byte("\n"))
	for i, l := range lines {
		var doc struct {
			Result struct {
				Raw string `json:"_raw"`
			}
		}
		if json.Unmarshal(l, &doc) == nil && doc.Result.Raw != "" {
			lines[i] = []byte(doc.Result.Raw)
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// decodeFile runs a source through framer, decoder and enrichment.
func decodeFile(t *testing.T, f *format.Format, data []byte) []map[string]any {
	var en enrich.Enricher
	var out []map[string]any
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var b event.Batch
		f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0), Done: en.Enrich}).Decode(c, &b)
		for i := range b.Events {
			var doc map[string]any
			if err := json.Unmarshal(event.AppendJSON(nil, &b.Events[i]), &doc); err != nil {
				t.Fatal(err)
			}
			out = append(out, doc)
		}
	}
}

func dig(doc map[string]any, path ...string) string {
	for _, p := range path[:len(path)-1] {
		doc, _ = doc[p].(map[string]any)
	}
	s, _ := doc[path[len(path)-1]].(string)
	return s
}

// flatten gives each dotted name its values as a sorted list, so that a lone
// value equals an array of one.
func flatten(doc map[string]any) map[string][]string {
	out := map[string][]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), x)
			}
		case []any:
			for _, x := range v {
				walk(path, x)
			}
		case nil:
		default:
			out[path] = append(out[path], fmt.Sprint(v))
		}
	}
	walk("", doc)
	for k := range out {
		slices.Sort(out[k])
		out[k] = slices.Compact(out[k])
	}
	return out
}

// equal compares the values of a field. Elastic keeps milliseconds.
func equal(name string, have, want []string) bool {
	if slices.Equal(have, want) {
		return true
	}
	if len(have) != 1 || len(want) != 1 {
		return false
	}
	h, w := have[0], want[0]
	switch name {
	case "event.duration": // made of times cut to milliseconds
		var x, y float64
		fmt.Sscan(h, &x)
		fmt.Sscan(w, &y)
		return x-y < 1e6 && y-x < 1e6
	case "user_agent.version": // Elastic writes "50.0." where a part is empty
		return h == strings.TrimSuffix(w, ".")
	case "tls.server.x509.subject.country", "tls.server.x509.subject.locality", "tls.server.x509.subject.organization",
		"tls.server.x509.subject.organizational_unit", "tls.server.x509.subject.state_or_province": // Elastic keeps the comma behind it
		return h == strings.TrimSuffix(w, ",")
	}
	a, err1 := time.Parse(time.RFC3339Nano, h)
	b, err2 := time.Parse(time.RFC3339Nano, w)
	if err1 != nil || err2 != nil {
		return false
	}
	if _, offset := b.Zone(); name == "@timestamp" && offset != 0 { // the agent was told a zone; we were not
		b = b.Add(time.Duration(offset) * time.Second)
	}
	return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}
