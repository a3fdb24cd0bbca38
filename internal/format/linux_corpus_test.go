package format

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// linuxCorpus finds the shared corpus or skips the test.
func linuxCorpus(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if c := filepath.Join(dir, "..", "shared", "corpus"); isDir(c) {
				return c
			}
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no corpus: set SEXTANT_CORPUS to its folder to run this")
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// notOurs are expected fields that decoding a Linux log cannot and need not give.
var notOurs = map[string]string{
	"event.ingested": "when Elastic stored it", "event.created": "when an agent read it", "ecs.version": "of Elastic's mapping",
	"tags": "set by an agent", "agent.": "describes an agent", "input.type": "describes an agent", "data_stream.": "describes an agent",
	"source.geo.": "package enrich", "source.as.": "package enrich", "destination.geo.": "package enrich", "destination.as.": "package enrich",
	"related.": "package enrich", "network.community_id": "package enrich", "event.original": "always kept",
}

func ignored(name string) bool {
	for prefix := range notOurs {
		if name == prefix || strings.HasSuffix(prefix, ".") && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Elastic's own integrations say what a line means; our decoders must agree with
// nearly all of it.
func TestLinuxLogsDecodeAsElasticsIntegrationsDo(t *testing.T) {
	root := linuxCorpus(t)
	for _, c := range []struct {
		dir  string
		want float64 // percent of the expected fields
	}{
		{"linux_auth/elastic_integrations/system.auth", 98},
		{"syslog/elastic_integrations/system.syslog", 95},
		{"iptables/elastic_integrations/iptables.log", 98},
	} {
		files, _ := filepath.Glob(filepath.Join(root, c.dir, "*-expected.json"))
		if len(files) == 0 {
			t.Errorf("%s: nothing to compare", c.dir)
		}
		var all score
		for _, file := range files {
			s := compareWithElastic(t, file)
			t.Logf("%s: %v", filepath.Base(file), &s)
			all.merge(&s)
		}
		t.Logf("%s: %v", c.dir, &all)
		if all.percent() < c.want {
			t.Errorf("%s: %.1f %% of the expected fields agree, want %.0f %%", c.dir, all.percent(), c.want)
		}
	}
}

// score counts expected fields and those that agree.
type score struct {
	equal, expected int
	worst           map[string]int
	example         map[string]string
}

func (s *score) percent() float64 { return 100 * float64(s.equal) / float64(max(1, s.expected)) }

func (s *score) merge(o *score) {
	s.equal += o.equal
	s.expected += o.expected
	if s.worst == nil {
		s.worst, s.example = map[string]int{}, map[string]string{}
	}
	for name, n := range o.worst {
		s.worst[name] += n
		s.example[name] = o.example[name]
	}
}

func (s *score) String() string {
	out := fmt.Sprintf("%d of %d fields, %.1f %%", s.equal, s.expected, s.percent())
	names := slices.SortedFunc(maps.Keys(s.worst), func(a, b string) int {
		return cmp.Or(s.worst[b]-s.worst[a], cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), 8)] {
		out += fmt.Sprintf("\n\t%4d %s: %s", s.worst[name], name, s.example[name])
	}
	return out
}

// compareWithElastic decodes the input beside an expected file.
func compareWithElastic(t *testing.T, expectedFile string) score {
	t.Helper()
	var doc struct{ Expected []map[string]any }
	data, err := os.ReadFile(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	input := strings.TrimSuffix(expectedFile, "-expected.json")
	given := map[string]bool{}
	zone := agentFields(t, input+"-config.yml", given)
	if z := agentFields(t, filepath.Join(filepath.Dir(input), "test-common-config.yml"), given); zone == nil {
		zone = z
	}
	ref := int64(0)
	for _, want := range doc.Expected {
		if s, ok := want["@timestamp"].(string); ok {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				t.Fatal(err)
			}
			ref = at.UnixNano()
			break
		}
	}
	raw, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	var b event.Batch
	var said []map[string]string
	clock := timestamp.NewClock(zone, ref)
	if strings.HasSuffix(input, ".json") {
		said = decodeAgentEvents(t, raw, &b)
	} else {
		f, _ := Recognise(NewSample("", raw, true))
		if f == nil || f.Name != "syslog" {
			t.Errorf("%s is not recognised as syslog but %v", filepath.Base(input), f)
			f = Lookup("syslog")
		}
		framer := f.NewFramer(bytes.NewReader(raw))
		chunk, err := framer.Next()
		if err != nil {
			t.Fatal(err)
		}
		f.NewDecoder(&Params{Clock: clock}).Decode(chunk, &b)
	}
	got := b.Events
	s := score{worst: map[string]int{}, example: map[string]string{}}
	if len(got) != len(doc.Expected) {
		t.Errorf("%s: %d events, want %d", filepath.Base(input), len(got), len(doc.Expected))
	}
	for i, want := range doc.Expected {
		if i >= len(got) || want == nil {
			continue
		}
		have := map[string]any{}
		d := json.NewDecoder(bytes.NewReader(event.AppendJSON(nil, &got[i])))
		d.UseNumber()
		if err := d.Decode(&have); err != nil {
			t.Fatal(err)
		}
		wantFlat, haveFlat := map[string]string{}, map[string]string{}
		flattenJSON("", want, wantFlat)
		flattenJSON("", have, haveFlat)
		for name, w := range wantFlat {
			if ignored(name) || given[name] || said != nil && fromAgent(said[i], name) {
				continue
			}
			s.expected++
			h := haveFlat[name]
			if name == "@timestamp" && clock.Quality&timestamp.YearInferred != 0 && len(w) > 5 && len(h) > 5 {
				w, h = w[4:], h[4:]
			}
			if w == h {
				s.equal++
			} else {
				s.worst[name]++
				s.example[name] = fmt.Sprintf("want %.100q, got %.100q", w, h)
			}
		}
	}
	return s
}

// fromAgent reports whether a field is the agent's own, or one that the pipeline only renames.
func fromAgent(said map[string]string, name string) bool {
	_, ok := said[name]
	return ok && name != "message" || name == "log.syslog.appname" || name == "@timestamp"
}

// decodeAgentEvents decodes the messages of documents as an agent sends them, and
// gives what each of them said already: that is the agent's.
func decodeAgentEvents(t *testing.T, raw []byte, b *event.Batch) (said []map[string]string) {
	var in struct{ Events []map[string]any }
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		t.Fatal(err)
	}
	for _, doc := range in.Events {
		flat := map[string]string{}
		flattenJSON("", doc, flat)
		m := message{
			Text: flat["message"], Rest: flat["message"], Host: flat["host.hostname"],
			Tag: cmp.Or(flat["log.syslog.appname"], flat["syslog.identifier"]),
		}
		b.Begin(0, m.Text)
		m.decode(b)
		said = append(said, flat)
	}
	return said
}

// agentFields reads which fields an agent would add, and the zone it was told.
func agentFields(t *testing.T, file string, given map[string]bool) (zone *time.Location) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var conf struct{ Fields map[string]any }
	if err := yaml.Unmarshal(data, &conf); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	flattenJSON("", conf.Fields, flat)
	for name, value := range flat {
		given[name] = true
		if name == "event.timezone" {
			at, err := time.Parse("-0700", strings.TrimPrefix(value, "GMT"))
			if err != nil {
				t.Fatal(err)
			}
			zone = at.Location()
		}
	}
	return zone
}

// flattenJSON writes each leaf under its dotted name; arrays are sorted, times put
// in UTC and cut to milliseconds, which is what Elastic keeps.
func flattenJSON(prefix string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flattenJSON(prefix+k+".", x, out)
		}
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, fmt.Sprint(x))
		}
		slices.Sort(parts)
		out[strings.TrimSuffix(prefix, ".")] = strings.Join(slices.Compact(parts), "|")
	default:
		name := strings.TrimSuffix(prefix, ".")
		s := fmt.Sprint(v)
		if name == "@timestamp" {
			if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
				s = at.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
			}
		}
		out[name] = s
	}
}

// CrowdSec's parsers are a second opinion on who tried to log in and from where.
func TestLinuxLogsDecodeAsCrowdSecsParsersDo(t *testing.T) {
	root := filepath.Join(linuxCorpus(t), "crowdsec_hub_tests")
	type key struct{ parser, index string }
	compared := 0
	for _, name := range []string{
		"sshd-logs", "sshd-success-logs", "ssh-timeout", "opnsense-sshd", "sshd-refused-conn", "pam-logs", "dovecot-logs", "proftpd-logs",
		"proftpd-user-enum", "pureftpd-logs", "postfix-logs", "syslog-logs",
	} {
		logs, _ := filepath.Glob(filepath.Join(root, name, "*.log"))
		asserts, err := os.ReadFile(filepath.Join(root, name, "parser.assert"))
		if err != nil || len(logs) == 0 {
			continue
		}
		// Lines like: results["s01-parse"]["author/sshd-logs"][3].Evt.Meta["source_ip"] == "192.0.2.7"
		want := map[key]map[string]string{}
		for line := range strings.Lines(string(asserts)) {
			left, value, ok := strings.Cut(strings.TrimSpace(line), " == ")
			rest, found := strings.CutPrefix(left, `results["s01-parse"]["`)
			if !ok || !found {
				continue
			}
			parser, rest, _ := strings.Cut(rest, `"][`)
			index, field, _ := strings.Cut(rest, "].Evt.")
			k := key{parser, index}
			if want[k] == nil {
				want[k] = map[string]string{}
			}
			if unquoted, err := strconv.Unquote(value); err == nil {
				want[k][field] = unquoted
			}
		}
		events := map[string]*event.Event{}
		for _, log := range logs {
			data, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				line = strings.TrimSpace(line)
				var b event.Batch
				b.Begin(0, line)
				d := newSyslogDecoder(timestamp.NewClock(nil, anchor.UnixNano()))
				if d.decode(line, &b) == nil {
					events[strings.TrimSpace(b.Event().Get("message"))] = b.Event()
				}
			}
		}
		for _, w := range want {
			e := events[strings.TrimSpace(w[`Parsed["message"]`])]
			if e == nil {
				continue
			}
			for field, ours := range map[string]string{`Meta["source_ip"]`: "source.ip", `Meta["target_user"]`: "user.name"} {
				if v := w[field]; v != "" {
					if compared++; e.Get(ours) != v {
						t.Errorf("%s: %q: %s = %q, want %q", name, e.Message(), ours, e.Get(ours), v)
					}
				}
			}
			switch logType := w[`Meta["log_type"]`]; {
			case strings.Contains(logType, "fail"):
				if compared++; e.Get("event.outcome") != "failure" {
					t.Errorf("%s: %q: outcome %q of %s", name, e.Message(), e.Get("event.outcome"), logType)
				}
			case strings.Contains(logType, "success"):
				if compared++; e.Get("event.outcome") != "success" {
					t.Errorf("%s: %q: outcome %q of %s", name, e.Message(), e.Get("event.outcome"), logType)
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d fields compared", compared)
	}
	t.Logf("%d fields compared", compared)
}
