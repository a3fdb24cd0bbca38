package format_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// notLikeElastic are the expected fields of Windows events that ours differ from on
// purpose, with the reason.
var notLikeElastic = map[string]string{
	"event.module":                            "Winlogbeat's module; ours is the integration's, the first half of event.dataset",
	"event.sequence":                          "PowerShell's counter; ours is the record number",
	"message":                                 "rendered by Windows from its message files",
	"winlog.api":                              "of the agent",
	"winlog.time_created":                     "is @timestamp",
	"winlog.user.name":                        "looked up by the agent on the host",
	"winlog.user.domain":                      "looked up by the agent on the host",
	"winlog.user.type":                        "looked up by the agent on the host",
	"dns.question.registered_domain":          "needs the public suffix list",
	"dns.question.top_level_domain":           "needs the public suffix list",
	"dns.question.subdomain":                  "needs the public suffix list",
	"winlog.event_data.UserAccountControl":    "Elastic splits it; ours is as logged",
	"winlog.event_data.PrivilegeList":         "Elastic splits it; ours is as logged",
	"winlog.event_data.AccessMaskDescription": "Elastic reads the mask of every object as that of a directory object",
	"powershell.file.script_block_hash":       "Elastic's fingerprint",
	"data_stream.*":                           "of the agent", "input.*": "of the agent", "elastic_agent.*": "of the agent", "log.file.path": "of the agent",
}

// windowsAgreement compares documents by the fields expected, counting by dataset.
type windowsAgreement map[string]*agreement

func (a windowsAgreement) compare(name string, got, want map[string]any) {
	sum := a[name]
	if sum == nil {
		sum = &agreement{worst: map[string]int{}, example: map[string]string{}}
		a[name] = sum
	}
	have, wanted := flattenNumbers(got), flattenNumbers(want)
	id := strings.Join(wanted["event.code"], "")
	for field, w := range wanted {
		if !compared(field) || notLikeElastic[field] != "" || notLikeElastic[field[:strings.LastIndexByte("."+field, '.')]+".*"] != "" || field == "event.original" {
			continue
		}
		if len(w) == 1 && (w[0] == "" || w[0] == "-") {
			continue
		}
		if knownDifference(field, id, have, wanted) {
			continue
		}
		sum.all++
		if windowsEqual(field, have[field], w) {
			sum.equal++
		} else if sum.worst[field]++; sum.worst[field] == 1 {
			sum.example[field] = fmt.Sprintf("%s: got %.100q, want %.100q", id, have[field], w)
		}
	}
}

// knownDifference names the differences that hang on the kind of event.
func knownDifference(field, id string, have, want map[string][]string) bool {
	sysmon := strings.Contains(strings.Join(want["winlog.channel"], ""), "Sysmon")
	switch {
	case field == "@timestamp":
		return sysmon // Elastic takes UtcTime, ours is when Windows logged it
	case strings.HasPrefix(field, "process.hash") || field == "process.pe.imphash":
		return id == "23" || id == "24" || id == "26" // of the file that was deleted, of the clipboard
	case field == "user.id":
		return sysmon && len(want["user.name"]) > 0 // Elastic: that of Sysmon beside the name of another
	case field == "user.target.domain": // Elastic: the fourth part of the name, whatever it is
		return len(want["user.target.group.name"]) > 0
	case field == "winlog.event_data.ClientAddress":
		return len(have[field]) == 1 && have[field][0] == "LOCAL" // rewritten by Elastic, ours is as logged
	case field == "winlog.event_data.NewUACList": // Winlogbeat read it with the bits of another number
		return len(want[field]) > 0 && !strings.HasPrefix(want[field][0], "USER_")
	case field == "registry.data.type":
		return true // Elastic: SZ_DWORD for REG_DWORD
	case strings.HasPrefix(field, "event.category"), strings.HasPrefix(field, "event.type"):
		return strings.Contains(strings.Join(want["winlog.channel"], ""), "Defender") // Elastic: the start of a process, whatever was found
	case field == "event.action":
		return len(want["winlog.task"]) > 0 && slices.Equal(want["winlog.task"], want[field]) && len(have["winlog.task"]) == 0
	}
	return false
}

func windowsEqual(field string, have, want []string) bool {
	if strings.HasPrefix(field, "related.") {
		for _, v := range want {
			if !slices.Contains(have, v) {
				return false
			}
		}
		return true
	}
	switch field {
	case "winlog.event_data.param3", "winlog.event_data.ContextInfo", "winlog.event_data.Payload", "winlog.event_data.param2", "powershell.file.script_block_text":
		// Winlogbeat writes line ends as LF and cuts the last.
		return len(have) == 1 && len(want) == 1 && strings.Trim(strings.ReplaceAll(have[0], "\r\n", "\n"), "\n \t\r") == strings.Trim(want[0], "\n \t\r")
	}
	if equal(field, have, want) {
		return true
	}
	return len(have) == 1 && len(want) == 1 && strings.TrimSpace(strings.ReplaceAll(have[0], "\r\n", "\n")) == strings.TrimSpace(want[0])
}

// flattenNumbers is flatten with numbers as they were written.
func flattenNumbers(doc map[string]any) map[string][]string {
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(doc); err != nil {
		panic(err)
	}
	d := json.NewDecoder(&out)
	d.UseNumber()
	var again map[string]any
	if err := d.Decode(&again); err != nil {
		panic(err)
	}
	return flatten(again)
}

func (a windowsAgreement) report(t *testing.T, least map[string]float64) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		sum := a[name]
		names := slices.SortedFunc(maps.Keys(sum.worst), func(x, y string) int {
			return cmp.Or(sum.worst[y]-sum.worst[x], strings.Compare(x, y))
		})
		report := fmt.Sprintf("%s: %.2f %% of %d fields are equal", name, sum.percent(), sum.all)
		for _, n := range names[:min(len(names), 12)] {
			report += fmt.Sprintf("\n  %3d× %s: %s", sum.worst[n], n, sum.example[n])
		}
		t.Log(report)
		want, ok := least[name]
		if !ok {
			want = least["*"]
		}
		if sum.percent() < want {
			t.Errorf("%s: less than %.1f %%", name, want)
		}
	}
}

// Winlogbeat's golden files hold what it collects from an EVTX file on Windows, and
// what Elastic's pipeline makes of that.
func TestEventLogFieldsAgreeWithWinlogbeat(t *testing.T) {
	root := corpus(t)
	files, _ := filepath.Glob(filepath.Join(root, "evtx/winlogbeat_golden/*/*.evtx"))
	if len(files) == 0 {
		t.Skip("not in this corpus")
	}
	sums := windowsAgreement{}
	f := format.Lookup("windows.eventlog")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := format.Recognise(format.NewSample("", data, true)); got != f {
			t.Errorf("%s is not recognised", file)
		}
		got := map[string]map[string]any{}
		for _, doc := range decodeFile(t, f, data) {
			got[dig(doc, "winlog", "record_id")] = doc
		}
		for _, kind := range []string{"collection", "ingest"} {
			raw, err := os.ReadFile(file + "." + kind + ".golden.json")
			if err != nil {
				t.Fatal(err)
			}
			var want []map[string]any
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			if err := d.Decode(&want); err != nil {
				t.Fatal(err)
			}
			for _, doc := range want {
				id := strings.Join(flattenNumbers(doc)["winlog.record_id"], "")
				if got[id] == nil {
					t.Errorf("%s: no record %s", file, id)
					continue
				}
				if kind == "collection" {
					delete(doc["event"].(map[string]any), "action") // the task: the pipeline knows better
				}
				sums.compare(filepath.Base(filepath.Dir(file))+" "+kind, got[id], doc)
			}
		}
	}
	sums.report(t, map[string]float64{"*": 97})
}

// Elastic's integrations are tested with documents as an agent sends them: they get
// the same fields as the records of a file.
func TestWinlogDocumentsAgreeWithElasticsIntegrations(t *testing.T) {
	root := corpus(t)
	files, _ := filepath.Glob(filepath.Join(root, "windows_eventlog_json/elastic_integrations/*/*.json-expected.json"))
	if len(files) == 0 {
		t.Skip("not in this corpus")
	}
	sums := windowsAgreement{}
	for _, file := range files {
		var in struct{ Events []json.RawMessage }
		var out struct{ Expected []map[string]any }
		readJSON(t, strings.TrimSuffix(file, "-expected.json"), &in)
		readJSON(t, file, &out)
		var lines bytes.Buffer
		for _, e := range in.Events {
			json.Compact(&lines, e)
			lines.WriteByte('\n')
		}
		got := decodeFile(t, format.Lookup("json"), lines.Bytes())
		if len(got) != len(out.Expected) {
			t.Errorf("%s: %d events, want %d", file, len(got), len(out.Expected))
			continue
		}
		for i, want := range out.Expected {
			if want != nil {
				sums.compare(filepath.Base(filepath.Dir(file)), got[i], want)
			}
		}
	}
	sums.report(t, map[string]float64{"*": 97})
}

func readJSON(t *testing.T, file string, v any) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatal(file, err)
	}
}

// Every event log of the corpus, the damaged ones too, gives an event for each of
// its records, every byte is accounted for, and no field that ECS has once occurs twice.
func TestEveryEventLogOfTheCorpusIsDecodedWhole(t *testing.T) {
	root := corpus(t)
	files, events := 0, 0
	f := format.Lookup("windows.eventlog")
	filepath.WalkDir(filepath.Join(root, "evtx"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.EqualFold(filepath.Ext(path), ".evtx") {
			return err
		}
		if testing.Short() && files >= 50 {
			return fs.SkipAll
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil // no event log at all
		}
		want := 0
		r.Each(func(*evtx.Record) error { want++; return nil })
		files++
		got := 0
		framer := f.NewFramer(bytes.NewReader(data))
		for {
			c, err := framer.Next()
			if err != nil {
				break
			}
			var b event.Batch
			n := f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
			if n.Events+n.Structure+n.Refused != int64(len(c.Data)) || n.Refused < 0 || n.Structure < 0 {
				t.Errorf("%s: chunk at %d of %d bytes is accounted as %+v", path, c.Offset, len(c.Data), n)
			}
			got += len(b.Events)
			for i := range b.Events {
				if twice := repeated(&b.Events[i]); twice != "" {
					t.Errorf("%s: record %d has %s twice", path, b.Events[i].Sequence, twice)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %d events of %d records", path, got, want)
		}
		events += got
		return nil
	})
	t.Logf("%d files, %d events", files, events)
	if files == 0 {
		t.Skip("not in this corpus")
	}
}

// repeated names a field that occurs twice and must not, "" if there is none.
func repeated(e *event.Event) string {
	seen := map[string]bool{}
	for i := range e.Fields {
		name := e.Fields[i].Name
		switch {
		case strings.HasPrefix(name, "winlog."), strings.HasPrefix(name, "related."), name == "event.category", name == "event.type",
			strings.HasSuffix(name, ".args"), name == "dns.resolved_ip":
			continue
		}
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}
